"""`make grade`: an example class, made from the catalogue of answers and graded through nbgrader."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Gradebook
from rich.console import Console
from rich.table import Table

from autograde.builder.expand import to_bytes
from autograde.builder.release import ensure_release
from autograde.catalogue import Answer, fill_in, read_catalogue, references
from autograde.grading.table import NOT_ANSWERED, in_lines
from autograde.layout import CourseError, Layout

N_MISCONCEPTIONS = 8


@dataclass(frozen=True)
class Student:
    """How one student of the example class works.

    Attributes:
        name: the student's id in the gradebook.
        slips: of the exercises, in the course's order, every how many-th is answered wrongly; 0 for none.
        first: how many exercises pass before the first slip.
        reach: the share of each notebook that gets answered at all, from its top, between 0 and 1.
    """

    name: str
    slips: int = 0
    first: int = 0
    reach: float = 1.0


CLASS = (
    Student("ada"),
    Student("ben", reach=0.0),
    Student("chen", slips=3, first=0),
    Student("dalia", slips=3, first=1),
    Student("emeka", slips=2, first=1, reach=0.7),
    Student("farah", slips=4, first=2),
    Student("하준", slips=2, first=0),
)


def main() -> None:
    """Grade the example class into a fresh gradebook and print what came of it."""
    layout = Layout.find()
    try:
        grade_class(layout, Console())
    except CourseError as error:
        print(f"course: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("\nStopped. `make grade` starts again from the top; nothing else is left to clean up.", file=sys.stderr)
        raise SystemExit(130) from None


def grade_class(layout: Layout, console: Console) -> None:
    """Hand in, grade and report, through nbgrader's own commands."""
    kept = set_aside(layout)
    if kept:
        console.print(f"Earlier submissions and marks were moved to {kept}; nothing of them is lost.")
    weeks = sorted({week for week, _ in layout.lessons()})
    for student in CLASS:
        hand_in(layout, student)
    ensure_release(layout)
    for week in weeks:
        console.print(f"nbgrader autograde {week}")
        _nbgrader(layout, "autograde", week)
        _nbgrader(layout, "generate_feedback", week)
    _course(layout, "report")
    _print_marks(layout, console)
    _print_misconceptions(layout, console)
    console.print(f"Feedback pages: {layout.feedback}/STUDENT/WEEK/NOTEBOOK.html", soft_wrap=True)
    console.print(f"Class pages:    {layout.feedback}/WEEK.html", soft_wrap=True)
    console.print(f"Gradebook:      {layout.gradebook}", soft_wrap=True)


def set_aside(layout: Layout) -> Path | None:
    """Move submissions and a gradebook that are not the example class's out of the way; return where to."""
    ours = {student.name for student in CLASS}
    students = {path.name for path in layout.submitted.glob("*")} if layout.submitted.is_dir() else set()
    used = [layout.submitted, layout.autograded, layout.feedback, layout.gradebook]
    if layout.gradebook.exists():
        with Gradebook(f"sqlite:///{layout.gradebook}") as gradebook:
            students |= {student.id for student in gradebook.students}
    kept = None
    if students - ours:
        number = 1
        while (kept := layout.build / f"kept-{number}").exists():
            number += 1
        kept.mkdir(parents=True)
    for path in filter(Path.exists, used):
        if kept:
            path.rename(kept / path.name)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return kept


def hand_in(layout: Layout, student: Student) -> None:
    """Write the student's notebooks into the folder of submissions."""
    place = 0
    for week, notebook in layout.lessons():
        wrong = _wrong_answers(layout, week, notebook)
        answers = dict(references(layout, week, notebook))
        n_reached = round(student.reach * len(answers))
        for number, exercise in enumerate(list(answers)):
            slip = student.slips and place >= student.first and (place - student.first) % student.slips == 0
            if number >= n_reached:
                del answers[exercise]
            elif slip:
                choices = wrong[exercise]
                # Neighbours in class make different mistakes at the same place.
                answers[exercise] = choices[(place + CLASS.index(student)) % len(choices)].source
            place += 1
        path = layout.submitted / student.name / week / f"{notebook}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(to_bytes(fill_in(layout, week, notebook, answers)))


def _wrong_answers(layout: Layout, week: str, notebook: str) -> dict[str, list[Answer]]:
    wrong: dict[str, list[Answer]] = {}
    for answer in read_catalogue(layout, week, notebook):
        if not answer.right:
            wrong.setdefault(answer.exercise, []).append(answer)
    return wrong


def _nbgrader(layout: Layout, command: str, week: str) -> None:
    """Run one of nbgrader's commands as an instructor would, at the course's root."""
    call = [sys.executable, "-m", "nbgrader", command, week]
    done = subprocess.run(call, cwd=layout.root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CourseError(f"`nbgrader {command} {week}` failed:\n{done.stderr[-3000:]}")


def _course(layout: Layout, command: str, *arguments: str) -> str:
    """Run one of our own commands; return what it printed."""
    call = [sys.executable, "-m", "autograde", command, *arguments]
    environment = {**os.environ, "COURSE_ROOT": str(layout.root)}
    done = subprocess.run(call, cwd=layout.root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CourseError(f"`course {command}` failed:\n{done.stderr[-3000:]}")
    return done.stdout


def _print_marks(layout: Layout, console: Console) -> None:
    with Gradebook(f"sqlite:///{layout.gradebook}") as gradebook:
        for week, notebook in layout.lessons():
            table = Table(title=f"{week}/{notebook}", title_justify="left")
            table.add_column("student")
            exercises = [name for name, _ in references(layout, week, notebook)]
            cells = gradebook.find_notebook(notebook, week).grade_cells
            maximum = {cell.name.removeprefix("check_"): cell.max_score for cell in cells}
            for exercise in exercises:
                table.add_column(f"{in_lines(exercise)}\n/{maximum[exercise]:g}", justify="right")
            table.add_column(f"total\n/{sum(maximum.values()):g}", justify="right", style="bold")
            for student in CLASS:
                marks = _marks(gradebook, student.name, week, notebook)
                row = [f"{marks[exercise]:g}" for exercise in exercises]
                table.add_row(student.name, *row, f"{sum(marks.values()):g}")
            console.print(table)
        totals = Table(title="the course so far", title_justify="left")
        totals.add_column("student")
        totals.add_column("marks", justify="right")
        totals.add_column("of", justify="right")
        for student in CLASS:
            entry = gradebook.find_student(student.name)
            totals.add_row(student.name, f"{entry.score:g}", f"{entry.max_score:g}")
        console.print(totals)


def _marks(gradebook: Gradebook, student: str, week: str, notebook: str) -> dict[str, float]:
    submission = gradebook.find_submission_notebook(notebook, week, student)
    return {grade.cell.name.removeprefix("check_"): grade.score for grade in submission.grades}


def _print_misconceptions(layout: Layout, console: Console) -> None:
    table = Table(title="the most common misconceptions", title_justify="left", show_header=False)
    table.add_column("students", justify="right")
    table.add_column("exercise")
    table.add_column("hint", max_width=90)
    counts = Counter(_hints(layout))
    for (exercise, hint), n_students in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:N_MISCONCEPTIONS]:
        table.add_row(str(n_students), exercise, hint)
    console.print(table)


def _hints(layout: Layout) -> Iterator[tuple[str, str]]:
    """Yield (exercise, hint) for each answer that went wrong, from the grader's own report."""
    for entry in json.loads(_course(layout, "grade", str(layout.submitted), "--json", "-", "--no-record")):
        for exercise in entry["exercises"]:
            # One slip often fails several checks; the first one asks the simplest thing.
            hints = [check["hint"] for check in exercise["checks"] if not check["passed"]]
            if hints and hints[0] not in ("", NOT_ANSWERED):
                yield exercise["id"], hints[0]


if __name__ == "__main__":
    main()
