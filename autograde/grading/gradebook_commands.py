"""`course report` and `course export`: what the gradebook holds, as pages and as CSV."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..layout import CourseError, Layout
from .submissions import Finder, Submission

COUNT_SUBMISSIONS = """
    SELECT assignment.name, COUNT(submitted_assignment.id)
    FROM assignment LEFT JOIN submitted_assignment ON submitted_assignment.assignment_id = assignment.id
    GROUP BY assignment.name
"""
GRADEBOOK = typer.Option(metavar="URL", help="Another gradebook: a file, or an address as SQLAlchemy reads it.")


class Format(StrEnum):
    """For whom an export is."""

    nbgrader = "nbgrader"
    questions = "questions"
    canvas = "canvas"
    moodle = "moodle"


def report(
    weeks: Annotated[list[str] | None, typer.Argument(help="Only these weeks; all that are graded without it.")] = None,
    gradebook: Annotated[str | None, GRADEBOOK] = None,
) -> None:
    """Write the class's page of each week, and the students' pages with marks and comments given by hand."""
    from .gradebook import Recorder
    from .record import write_class_pages, write_pages

    layout = Layout.find()
    address = _existing(layout, gradebook)
    recorder = Recorder(address)
    try:
        counted = recorder.gradebook.rows(COUNT_SUBMISSIONS)
        wanted = _weeks(dict(counted), weeks)
        for week in wanted:
            write_pages(layout, recorder, week)
        for path in write_class_pages(layout, recorder.gradebook, wanted, _handed_in(layout)):
            print(path)
    finally:
        recorder.close()


def export(
    form: Annotated[Format, typer.Argument(metavar="FORMAT", help="nbgrader, questions, canvas or moodle.")],
    out: Annotated[str, typer.Argument(help="A file, replaced if it is there; - for standard output.")],
    week: Annotated[list[str] | None, typer.Option(help="Only this week; can be given again. All without it.")] = None,
    gradebook: Annotated[str | None, GRADEBOOK] = None,
) -> None:
    """Write marks as CSV: for nbgrader's tools, for a spreadsheet (questions), for Canvas or for Moodle."""
    from .exports import FORMATS
    from .files import write_whole
    from .marks import open_gradebook, students, week_marks
    from .nbgrader_csv import FORMULA

    layout = Layout.find()
    if out != "-" and (Path(out).is_dir() or not Path(out).absolute().parent.is_dir()):
        raise CourseError(f"The marks cannot be written to {out}: name a file in a folder that exists.")
    with open_gradebook(_existing(layout, gradebook)) as opened:
        weeks = _weeks({known.name: known.num_submissions for known in opened.assignments}, week)
        text = FORMATS[form.value](opened, layout, weeks)
        guarded = [student.id for student in students(opened) if FORMULA.match(student.id)]
        marks = [mark for name in weeks for books in week_marks(opened, name).values() for mark in _all(books)]
    if out == "-":
        sys.stdout.write(text)
    else:
        write_whole(Path(out), text)
    _say_what_to_mind(guarded, sum(mark.waiting and not mark.score for mark in marks))


def _handed_in(layout: Layout) -> list[Submission]:
    """Return what lies where submissions do by default, nothing where that folder is empty."""
    notebooks = layout.submitted.is_dir() and any(layout.submitted.glob("*/*/*.ipynb"))
    return Finder(layout).find([layout.submitted]) if notebooks else []


def _existing(layout: Layout, gradebook: str | None) -> str:
    """Return the gradebook's address; a file that is not there would be made, and be empty."""
    from .gradebook import database_url, put_tools_on_path

    put_tools_on_path()
    address = database_url(layout, gradebook)
    file = Path(address.removeprefix("sqlite:///"))
    if address.startswith("sqlite:///") and not file.is_file():
        raise CourseError(f"There is no gradebook {file}. Grade a class first: `course grade build/submitted`.")
    return address


def _weeks(known: dict[str, int], asked: list[str] | None) -> list[str]:
    """Return the weeks asked for, else all for which something was handed in.

    Args:
        known: the number of submissions by week.
        asked: on the command line.
    """
    if unknown := [week for week in asked or [] if week not in known]:
        names = ", ".join(sorted(known)) or "none at all"
        raise CourseError(f"The gradebook knows no week {unknown[0]}; it knows {names}.")
    weeks = asked or sorted(week for week, n_submissions in known.items() if n_submissions)
    if not weeks:
        raise CourseError("Nothing is graded yet. Grade a class first: `course grade build/submitted`.")
    return weeks


def _all(books: dict) -> list:
    return [mark for cells in books.values() for mark in cells.values()]


def _say_what_to_mind(guarded: list[str], n_waiting: int) -> None:
    """Tell on standard error what a reader of the file would otherwise be surprised by."""
    if guarded:
        names = ", ".join(repr(student) for student in guarded)
        print(
            f"These ids begin like formulas and have an apostrophe before them in the file: {names}. "
            "Take it away by hand where another program must find the student.",
            file=sys.stderr,
        )
    if n_waiting:
        print(f"{n_waiting} answers in words have no mark yet and count 0 in totals.", file=sys.stderr)
