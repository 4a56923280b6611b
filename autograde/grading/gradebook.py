"""Marks into nbgrader's gradebook: one writer, one transaction a submission, never over a mark set by hand."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..layout import CourseError, Layout
from ..submission import grade_id, metadata
from .database import Database, open_database
from .nbgrader_rules import mark_of, moment
from .page import HandMark
from .report import KEPT

UNGRADED = frozenset({"unreadable", "grader failed"})

FIND_NOTEBOOK = """
    SELECT submitted_notebook.id FROM submitted_notebook
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
    JOIN assignment ON assignment.id = submitted_assignment.assignment_id
    JOIN notebook ON notebook.id = submitted_notebook.notebook_id
    WHERE assignment.name = :week AND submitted_assignment.student_id = :student AND notebook.name = :notebook
"""
FIND_SUBMISSION = """
    SELECT submitted_assignment.id
    FROM submitted_assignment JOIN assignment ON assignment.id = submitted_assignment.assignment_id
    WHERE assignment.name = :week AND submitted_assignment.student_id = :student
"""
FIND_GRADES = """
    SELECT base_cell.name, grade.id, grade.auto_score, grade.manual_score, grade.extra_credit,
           COALESCE(grade_cells.max_score, task_cells.max_score, 0.0)
    FROM grade JOIN base_cell ON base_cell.id = grade.cell_id
    LEFT JOIN grade_cells ON grade_cells.id = grade.cell_id LEFT JOIN task_cells ON task_cells.id = grade.cell_id
    WHERE grade.notebook_id = :notebook
"""
FIND_COMMENTS = """
    SELECT base_cell.name, comment.id, comment.manual_comment
    FROM comment JOIN base_cell ON base_cell.id = comment.cell_id WHERE comment.notebook_id = :notebook
"""
# A mark set by hand that meets a new automatic one waits to be looked at again, as in nbgrader.
SET_GRADE = """
    UPDATE grade SET auto_score = :score, needs_manual_grade = (manual_score IS NOT NULL OR :waits) WHERE id = :id
"""
SET_COMMENT = "UPDATE comment SET auto_comment = :text WHERE id = :id"
ADD_STUDENT = "INSERT INTO student (id) VALUES (:student)"
ADD_SUBMISSION = """
    INSERT INTO submitted_assignment (id, assignment_id, student_id, timestamp)
    VALUES (:id, :assignment, :student, :timestamp)
"""
ADD_NOTEBOOK = """
    INSERT INTO submitted_notebook (id, assignment_id, notebook_id, flagged) VALUES (:id, :submission, :notebook, :no)
"""
ADD_GRADE = "INSERT INTO grade (id, notebook_id, cell_id, needs_manual_grade) VALUES (:id, :notebook, :cell, :yes)"
ADD_COMMENT = "INSERT INTO comment (id, notebook_id, cell_id) VALUES (:id, :notebook, :cell)"
FIND_CELLS = {
    kind: f"SELECT base_cell.id FROM base_cell JOIN {kind} ON {kind}.id = base_cell.id WHERE notebook_id = :notebook"
    for kind in ("grade_cells", "solution_cells", "task_cells")
}
SET_MOMENT = "UPDATE submitted_assignment SET timestamp = :timestamp WHERE id = :id"
GIVE_ZERO = """
    UPDATE grade SET auto_score = 0, needs_manual_grade = :no WHERE notebook_id IN (
        SELECT submitted_notebook.id
        FROM submitted_notebook JOIN notebook ON notebook.id = submitted_notebook.notebook_id
        WHERE submitted_notebook.assignment_id = :submission AND notebook.name = :notebook)
"""


class Recorder:
    """Writes marks as nbgrader's own `autograde` would, the same rows; nbgrader itself only makes the tables.

    Args:
        db_url: the gradebook's address as SQLAlchemy reads it; SQLite and PostgreSQL are tested.
    """

    def __init__(self, db_url: str) -> None:
        self.gradebook: Database = open_database(db_url)

    def close(self) -> None:
        self.gradebook.close()

    def record(
        self,
        *,
        student: str,
        week: str,
        notebook: str,
        graded: Mapping[str, Any],
        flags: list[str],
        timestamp: str | None = None,
    ) -> str:
        """Write one submission's marks, all or nothing; return a note for the student, "" mostly.

        Args:
            student, week, notebook: which submission.
            graded: the rebuilt notebook with our outputs, in which nbgrader's own rule finds each cell's mark.
            flags: the report's; a submission that could not be graded leaves earlier marks alone.
            timestamp: when it was handed in, as nbgrader writes it.
        """
        database = self.gradebook
        with database.transaction():
            self._hand_in(student, week, _known_moment(timestamp))
            place = self._notebook(student, week, notebook)
            if place is None:
                raise _unknown(week, notebook)
            grades = {name: (key, auto) for name, key, auto, *_ in database.rows(FIND_GRADES, notebook=place)}
            if UNGRADED.intersection(flags) and any(auto is not None for _, auto in grades.values()):
                return KEPT
            comments = {name: key for name, key, _ in database.rows(FIND_COMMENTS, notebook=place)}
            marks, words = [], []
            for cell in graded["cells"]:
                name, about = grade_id(cell), metadata(cell)
                mark = mark_of(cell) if about.get("grade") else None
                if about.get("grade") and name in grades:
                    marks.append({"id": grades[name][0], "score": mark, "waits": mark is None})
                if about.get("solution") and name in comments:
                    words.append({"id": comments[name], "text": "No response." if mark == 0 else None})
            database.change(SET_GRADE, marks)
            database.change(SET_COMMENT, words)
            return ""

    def give_zero_for_missing(self, student: str, week: str, present: set[str]) -> None:
        """Give zero for a week's notebooks that were not handed in, as nbgrader does.

        Args:
            student, week: which submission.
            present: the notebooks of that week that were handed in.
        """
        database = self.gradebook
        every = "SELECT notebook.name FROM notebook JOIN assignment ON assignment.id = assignment_id"
        names = {name for (name,) in database.rows(f"{every} WHERE assignment.name = :week", week=week)}
        if missing := sorted(names - present):
            with database.transaction():
                ((submission,),) = database.rows(FIND_SUBMISSION, week=week, student=student)
                database.change(
                    GIVE_ZERO, [{"submission": submission, "notebook": name, "no": False} for name in missing]
                )

    def by_hand(self, student: str, week: str, notebook: str, *, every_mark: bool = False) -> dict[str, HandMark]:
        """Return what an instructor entered for one submission, by grade_id.

        Args:
            student, week, notebook: which submission.
            every_mark: the marks that no one entered by hand too.

        Raises:
            LookupError: the gradebook has no such submission.
        """
        place = self._notebook(student, week, notebook)
        if place is None:
            raise LookupError(f"the gradebook has no {week}/{notebook} of {student}")
        said = {name: text for name, _, text in self.gradebook.rows(FIND_COMMENTS, notebook=place) if text}
        found = {name: HandMark(None, None, text) for name, text in said.items()}
        for name, _, auto, manual, extra, maximum in self.gradebook.rows(FIND_GRADES, notebook=place):
            entered = manual is not None or extra is not None
            if entered or (every_mark and auto is not None):
                counted = manual if manual is not None else auto
                score = 0.0 if counted is None else counted + (extra or 0.0)
                found[name] = HandMark(score, maximum, said.get(name, ""))
        return found

    def _notebook(self, student: str, week: str, notebook: str) -> str | None:
        """Return the key of a submitted notebook, None where the gradebook has none."""
        found = self.gradebook.rows(FIND_NOTEBOOK, student=student, week=week, notebook=notebook)
        return found[0][0] if found else None

    def _hand_in(self, student: str, week: str, handed_in: dict[str, Any]) -> None:
        """Make the rows of a student and of a submission to the week, where there are none."""
        database = self.gradebook
        if not database.rows("SELECT 1 FROM student WHERE id = :student", student=student):
            database.change(ADD_STUDENT, [{"student": student}])
        found = database.rows(FIND_SUBMISSION, week=week, student=student)
        if found:
            database.change(SET_MOMENT, [{"id": found[0][0], **handed_in}] if handed_in else [])
            return
        weeks = database.rows("SELECT id FROM assignment WHERE name = :week", week=week)
        if not weeks:
            raise _unknown(week)
        submission = _new_key()
        row = {"id": submission, "assignment": weeks[0][0], "student": student, "timestamp": None, **handed_in}
        database.change(ADD_SUBMISSION, [row])
        notebooks = database.rows("SELECT id FROM notebook WHERE assignment_id = :week", week=weeks[0][0])
        copies = {notebook: _new_key() for (notebook,) in notebooks}
        rows = [{"id": key, "submission": submission, "notebook": of, "no": False} for of, key in copies.items()]
        database.change(ADD_NOTEBOOK, rows)
        grades = self._cells(copies, "grade_cells", "task_cells")
        database.change(ADD_GRADE, [{**cell, "yes": True} for cell in grades])
        database.change(ADD_COMMENT, self._cells(copies, "solution_cells", "task_cells"))

    def _cells(self, copies: Mapping[str, str], *kinds: str) -> list[dict[str, Any]]:
        """Return new rows, for the copies of notebooks by their originals, that belong to cells of some kinds."""
        return [
            {"id": _new_key(), "notebook": copy, "cell": cell}
            for original, copy in copies.items()
            for kind in kinds
            for (cell,) in self.gradebook.rows(FIND_CELLS[kind], notebook=original)
        ]


def _new_key() -> str:
    return uuid4().hex


def _unknown(*names: str) -> CourseError:
    return CourseError(f"The gradebook does not know {'/'.join(names)}. Grade with a fresh one (--gradebook).")


def _known_moment(timestamp: str | None) -> dict[str, Any]:
    """Return when a submission was handed in, {} where nobody knows: a student may have written the file."""
    try:
        return {} if timestamp is None else {"timestamp": moment(timestamp)}
    except (ValueError, OverflowError):
        return {}


def put_tools_on_path() -> None:
    """Put this environment's programs on the path, where nobody has activated it.

    nbgrader calls `alembic` by name to make a gradebook, and students call `course` in JupyterLab's terminal.
    """
    tools = str(Path(sys.executable).parent)
    if tools not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([tools, os.environ.get("PATH", "")])


def database_url(layout: Layout, gradebook: str | None) -> str:
    """Return the gradebook's address: an address or a path as given, else the course's own."""
    if gradebook is None:
        return f"sqlite:///{layout.gradebook}"
    if "://" not in gradebook:
        return f"sqlite:///{Path(gradebook).resolve()}"
    # Which driver the short form means depends on SQLAlchemy's version; the course installs psycopg.
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", gradebook)


def shown_address(address: str) -> str:
    """Return a gradebook's address as it may be printed: without the password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(address).render_as_string(hide_password=True)
    except ArgumentError:
        return address
