"""Marks read back from nbgrader's gradebook, for exports and for the class's page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..judge.release import read_release
from ..layout import CourseError, Layout
from ..submission import grade_id, metadata
from .database import Database, Rows
from .gradebook import shown_address

if TYPE_CHECKING:
    from nbgrader.api import Gradebook, Student

CHECK = "check_"
FIND_POINTS = """
    SELECT notebook.name, base_cell.name, grade_cells.max_score
    FROM grade_cells JOIN base_cell ON base_cell.id = grade_cells.id
    JOIN notebook ON notebook.id = base_cell.notebook_id
    JOIN assignment ON assignment.id = notebook.assignment_id WHERE assignment.name = :week
"""
# A score as nbgrader adds it up.
FIND_MARKS = """
    SELECT submitted_assignment.student_id, notebook.name, base_cell.name,
           COALESCE(grade.manual_score + COALESCE(grade.extra_credit, 0.0),
                    grade.auto_score + COALESCE(grade.extra_credit, 0.0), 0.0),
           COALESCE(grade_cells.max_score, task_cells.max_score, 0.0), grade.needs_manual_grade
    FROM grade JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
    JOIN notebook ON notebook.id = submitted_notebook.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
    JOIN assignment ON assignment.id = submitted_assignment.assignment_id
    JOIN base_cell ON base_cell.id = grade.cell_id
    LEFT JOIN grade_cells ON grade_cells.id = grade.cell_id LEFT JOIN task_cells ON task_cells.id = grade.cell_id
    WHERE assignment.name = :week
"""


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
    """Open a gradebook for reading, with nbgrader.

    Args:
        address: as SQLAlchemy reads it.

    Raises:
        CourseError: it cannot be opened or read.
    """
    from nbgrader.api import Gradebook
    from sqlalchemy.exc import SQLAlchemyError

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


def columns(gradebook: Database | Gradebook, layout: Layout, week: str) -> list[tuple[str, str, float]]:
    """Return (notebook, exercise, points) for all that can be given in a week, in the order of the notebooks.

    Raises:
        CourseError: the gradebook does not know the week.
    """
    if not _rows(gradebook, "SELECT 1 FROM assignment WHERE name = :week", week=week):
        raise CourseError(f"The gradebook knows no week {week}. Grade it first.")
    points: dict[str, dict[str, float]] = {}
    for notebook, cell, maximum in _rows(gradebook, FIND_POINTS, week=week):
        points.setdefault(notebook, {})[cell.removeprefix(CHECK)] = maximum
    found = []
    for notebook in sorted(points):
        cells = read_release(layout, week, notebook)["cells"]
        ordered = [grade_id(cell).removeprefix(CHECK) for cell in cells if metadata(cell).get("grade")]
        found += [(notebook, name, points[notebook][name]) for name in ordered if name in points[notebook]]
    return found


def week_marks(gradebook: Database | Gradebook, week: str) -> WeekMarks:
    """Return every mark of a week, in one query."""
    found: WeekMarks = {}
    for student, notebook, cell, score, maximum, waiting in _rows(gradebook, FIND_MARKS, week=week):
        mark = CellMark(score, maximum, bool(waiting))
        found.setdefault(student, {}).setdefault(notebook, {})[cell.removeprefix(CHECK)] = mark
    return found


def _rows(gradebook: Database | Gradebook, statement: str, **values: Any) -> Rows:
    if not hasattr(gradebook, "db"):
        return gradebook.rows(statement, **values)
    from sqlalchemy import text

    return [tuple(row) for row in gradebook.db.execute(text(statement), values)]
