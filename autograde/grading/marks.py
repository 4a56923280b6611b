"""Marks read back from nbgrader's gradebook, for exports and for the class's page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    Gradebook,
    MissingEntry,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy.exc import SQLAlchemyError

from ..judge.release import read_release
from ..layout import CourseError, Layout
from ..submission import grade_id, metadata
from .gradebook import shown_address

CHECK = "check_"


@dataclass(frozen=True)
class CellMark:
    """One cell's mark.

    Args:
        score, max: points, manual marks included.
        waiting: whether it still waits for a mark by hand.
    """

    score: float
    max: float
    waiting: bool


# By student, then notebook, then exercise.
WeekMarks = dict[str, dict[str, dict[str, CellMark]]]


@contextmanager
def open_gradebook(address: str) -> Iterator[Gradebook]:
    """Open a gradebook for reading.

    Args:
        address: as SQLAlchemy reads it.

    Raises:
        CourseError: it cannot be opened or read.
    """
    try:
        with Gradebook(address) as gradebook:
            yield gradebook
    except (SQLAlchemyError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise CourseError(f"The gradebook {shown_address(address)} cannot be read ({reason}).") from None


def students(gradebook: Gradebook) -> list[Student]:
    """Return all students, by name."""
    return sorted(gradebook.students, key=lambda student: student.id)


def recorded_weeks(gradebook: Gradebook) -> list[str]:
    """Return the weeks that the gradebook knows, in order."""
    return sorted(assignment.name for assignment in gradebook.assignments)


def columns(gradebook: Gradebook, layout: Layout, week: str) -> list[tuple[str, str, float]]:
    """Return (notebook, exercise, points) for all that can be given in a week, in the order of the notebooks.

    Raises:
        CourseError: the gradebook does not know the week.
    """
    try:
        notebooks = sorted(gradebook.find_assignment(week).notebooks, key=lambda notebook: notebook.name)
    except MissingEntry:
        raise CourseError(f"The gradebook knows no week {week}. Grade it first.") from None
    found = []
    for notebook in notebooks:
        points = {cell.name.removeprefix(CHECK): cell.max_score for cell in notebook.grade_cells}
        cells = read_release(layout, week, notebook.name)["cells"]
        ordered = [grade_id(cell).removeprefix(CHECK) for cell in cells if metadata(cell).get("grade")]
        found += [(notebook.name, name, points[name]) for name in ordered if name in points]
    return found


def week_marks(gradebook: Gradebook, week: str) -> WeekMarks:
    """Return every mark of a week, in one query."""
    query = (
        gradebook.db.query(
            Student.id, Notebook.name, BaseCell.name, Grade.score, Grade.max_score, Grade.needs_manual_grade
        )
        .select_from(Grade)
        .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .join(Student, Student.id == SubmittedAssignment.student_id)
        .join(BaseCell, BaseCell.id == Grade.cell_id)
        .filter(Assignment.name == week)
    )
    found: WeekMarks = {}
    for student, notebook, cell, score, maximum, waiting in query:
        mark = CellMark(score, maximum, bool(waiting))
        found.setdefault(student, {}).setdefault(notebook, {})[cell.removeprefix(CHECK)] = mark
    return found
