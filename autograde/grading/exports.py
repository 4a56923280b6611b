"""Marks as CSV for other programs. Each exporter returns a table of texts, which `to_csv` writes.

Whatever a student chose, an id or a name, may begin like a formula; such texts get an apostrophe (see `nbgrader_csv`).
Where nothing was handed in the cell is empty, or Moodle's "-": an import must not turn "not yet" into 0.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry

from ..layout import Layout
from .marks import columns, students, week_marks
from .nbgrader_csv import QuotedCsv, harmless

Table = list[list[str]]
BOM = "\N{BYTE ORDER MARK}"


def nbgrader_csv(gradebook: Gradebook, layout: Layout, weeks: Sequence[str]) -> str:
    """Return what `nbgrader export` writes: a row for each student and week, with late penalties."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "grades.csv")
        QuotedCsv(to=str(path), assignment=list(weeks)).export(gradebook)
        return path.read_text()


def questions(gradebook: Gradebook, layout: Layout, weeks: Sequence[str]) -> str:
    """Return a row for each student and a column for each exercise, for a spreadsheet.

    It begins with a byte order mark: Excel opens a CSV file without one in the machine's old code page, and a Korean
    name becomes noise. The other formats are read by programs that expect UTF-8, and need none.
    """
    names = [(week, *column) for week in weeks for column in columns(gradebook, layout, week)]
    marks = {week: week_marks(gradebook, week) for week in weeks}
    table = [["student_id", "last_name", "first_name", "email", *(f"{w}/{n}/{e}" for w, n, e, _ in names)]]
    table.append(["", "", "", "points possible", *(_number(points) for *_, points in names)])
    for student in students(gradebook):
        row = [student.id, student.last_name, student.first_name, student.email]
        given = [marks[w].get(student.id, {}).get(n, {}).get(e) for w, n, e, _ in names]
        scores = ["" if mark is None or mark.waiting and not mark.score else _number(mark.score) for mark in given]
        table.append([*map(harmless, row), *scores])
    return BOM + to_csv(table)


def canvas(gradebook: Gradebook, layout: Layout, weeks: Sequence[str]) -> str:
    """Return a file for Canvas, "Import" in the gradebook: a column for each week.

    Canvas finds a student by ID, SIS User ID or SIS Login ID, in this order (its source, lib/gradebook_importer.rb);
    our ids are logins. A second row gives the points; an assignment that does not exist yet is offered as a new one.
    """
    table = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *weeks]]
    points = [gradebook.find_assignment(week).max_score for week in weeks]
    table.append(["    Points Possible", "", "", "", "", *map(_number, points)])
    for student in students(gradebook):
        name = ", ".join(part for part in (student.last_name, student.first_name) if part) or student.id
        scores = [_score(gradebook, week, student.id, missing="") for week in weeks]
        table.append([harmless(name), "", "", harmless(student.id), "", *scores])
    return to_csv(table)


def moodle(gradebook: Gradebook, layout: Layout, weeks: Sequence[str]) -> str:
    """Return a file for Moodle, "Import CSV" in the grades: map `username` to "username", each week to its grade item.

    Moodle's page shows every column for mapping (grade/import/csv, Moodle 4.5); "-" is its word for no grade.
    """
    table = [["username", "firstname", "lastname", "email", *weeks]]
    for student in students(gradebook):
        row = [student.id, student.first_name, student.last_name, student.email]
        table.append([*map(harmless, row), *(_score(gradebook, week, student.id, missing="-") for week in weeks)])
    return to_csv(table)


FORMATS: dict[str, Callable[[Gradebook, Layout, Sequence[str]], str]] = {
    "nbgrader": nbgrader_csv,
    "questions": questions,
    "canvas": canvas,
    "moodle": moodle,
}


def to_csv(table: Table) -> str:
    """Return a table as CSV (RFC 4180): commas, quotes where needed, CRLF."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(table)
    return text.getvalue()


def _score(gradebook: Gradebook, week: str, student: str, *, missing: str) -> str:
    """Return a week's score as nbgrader counts it, its penalty taken off."""
    try:
        submission = gradebook.find_submission(week, student)
    except MissingEntry:
        return missing
    return _number(max(0.0, submission.score - (submission.late_submission_penalty or 0.0)))


def _number(value: float) -> str:
    return format(round(value, 9), ".10g")
