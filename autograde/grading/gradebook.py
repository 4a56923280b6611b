"""Marks into nbgrader's gradebook: one writer, one transaction a submission, never over a mark set by hand."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.utils import determine_grade, is_grade, is_solution, parse_utc
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ..layout import CourseError, Layout
from .page import HandMark
from .report import KEPT

UNGRADED = frozenset({"unreadable", "grader failed"})


class Recorder:
    """Writes marks as nbgrader's own `autograde` would.

    Args:
        db_url: the gradebook's address as SQLAlchemy reads it; SQLite and PostgreSQL are tested.
    """

    def __init__(self, db_url: str) -> None:
        try:
            self.gradebook = Gradebook(db_url)
        except (SQLAlchemyError, ImportError) as error:
            reason = str(error).splitlines()[0]
            shown = shown_address(db_url)
            raise CourseError(f"The gradebook {shown} cannot be opened ({reason}). Check the address.") from None

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
        with self._transaction() as gradebook:
            gradebook.update_or_create_student(student)
            known = _known_moment(timestamp)
            try:
                gradebook.update_or_create_submission(week, student, **known)
                entry = gradebook.find_submission_notebook(notebook, week, student)
            except MissingEntry:
                raise CourseError(
                    f"The gradebook does not know {week}/{notebook}. Grade with a fresh one (--gradebook)."
                ) from None
            had_marks = any(grade.auto_score is not None for grade in entry.grades)
            if UNGRADED.intersection(flags) and had_marks:
                return KEPT
            grades = {grade.name: grade for grade in entry.grades}
            comments = {comment.name: comment for comment in entry.comments}
            for cell in nbformat.from_dict(graded).cells:
                self._write(cell, grades, comments)
            return ""

    def give_zero_for_missing(self, student: str, week: str, present: set[str]) -> None:
        """Give zero for a week's notebooks that were not handed in, as nbgrader does.

        Args:
            student, week: which submission.
            present: the notebooks of that week that were handed in.
        """
        with self._transaction() as gradebook:
            for notebook in gradebook.find_submission(week, student).notebooks:
                if notebook.name not in present:
                    for grade in notebook.grades:
                        grade.auto_score, grade.needs_manual_grade = 0, False

    def by_hand(self, student: str, week: str, notebook: str, *, every_mark: bool = False) -> dict[str, HandMark]:
        """Return what an instructor entered for one submission, by grade_id.

        Args:
            student, week, notebook: which submission.
            every_mark: the marks that no one entered by hand too.
        """
        entry = self.gradebook.find_submission_notebook(notebook, week, student)
        said = {comment.name: comment.manual_comment or "" for comment in entry.comments if comment.manual_comment}
        found = {name: HandMark(None, None, text) for name, text in said.items()}
        for grade in entry.grades:
            entered = grade.manual_score is not None or grade.extra_credit is not None
            if entered or (every_mark and grade.auto_score is not None):
                found[grade.name] = HandMark(grade.score, grade.max_score, said.get(grade.name, ""))
        return found

    @staticmethod
    def _write(cell: Any, grades: Mapping[str, Any], comments: Mapping[str, Any]) -> None:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if is_grade(cell) and name in grades:
            grade = grades[name]
            grade.auto_score = determine_grade(cell)[0]
            grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
        if is_solution(cell) and name in comments:
            unchanged = is_grade(cell) and determine_grade(cell)[0] == 0
            comments[name].auto_comment = "No response." if unchanged else None

    @contextmanager
    def _transaction(self) -> Iterator[Gradebook]:
        """Commit once at the end of the block: nbgrader's own calls would commit after each step."""
        session = self.gradebook.db
        commit, session.commit = session.commit, session.flush
        try:
            # nbgrader links objects before it adds them; a flush in between would warn about each.
            with session.no_autoflush:
                yield self.gradebook
            commit()
        except SQLAlchemyError as error:
            session.rollback()
            reason = str(error).splitlines()[0]
            raise CourseError(f"The gradebook could not be written ({reason}). Nothing half-done is in it.") from None
        except BaseException:
            session.rollback()
            raise
        finally:
            session.commit = commit


def _known_moment(timestamp: str | None) -> dict[str, Any]:
    """Return when a submission was handed in, {} where nobody knows: a student may have written the file."""
    try:
        return {} if timestamp is None else {"timestamp": parse_utc(timestamp)}
    except (ValueError, OverflowError):
        return {}


def put_tools_on_path() -> None:
    """Let nbgrader find `alembic`, which it calls by name to make a gradebook, where no environment is activated."""
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
    try:
        return make_url(address).render_as_string(hide_password=True)
    except ArgumentError:
        return address
