"""nbgrader's own CSV of marks, readable back: nbgrader writes names as they are, a comma in one breaks its row."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

from nbgrader.plugins import CsvExportPlugin

# What a spreadsheet takes for a formula, at the start of a cell (OWASP, CSV injection).
FORMULA = re.compile(r"[=+\-@\t\r]")


def harmless(text: str | None) -> str:
    """Return a text as it may stand in a spreadsheet: what would be computed there gets an apostrophe before it."""
    text = text or ""
    return f"'{text}" if FORMULA.match(text) else text


class QuotedCsv(CsvExportPlugin):
    """nbgrader's exporter with its rows and columns, on a gradebook whose texts are already quoted for CSV."""

    def export(self, gradebook: Any) -> None:
        """Write the file; called by `nbgrader export` and `course export nbgrader`."""
        super().export(_Quoted(gradebook))


class _Quoted:
    """The part of a gradebook that nbgrader's exporter reads."""

    def __init__(self, gradebook: Any) -> None:
        self._gradebook = gradebook
        self.assignments = gradebook.assignments
        self.students = [_quoted_student(student) for student in gradebook.students]

    def find_submission(self, week: str, student: _Text) -> Any:
        """Return a submission; the exporter knows a student by the quoted name only."""
        return self._gradebook.find_submission(week, student.plain)


class _Text(str):
    """A text quoted for CSV that is still equal to the plain one: nbgrader compares ids with those asked for."""

    plain: str

    def __new__(cls, plain: str | None) -> _Text:
        text = harmless(plain)
        if any(mark in text for mark in ',"\r\n'):
            text = '"' + text.replace('"', '""') + '"'
        made = super().__new__(cls, text)
        made.plain = plain or ""
        return made

    def __eq__(self, other: object) -> bool:
        return self.plain == other

    __hash__ = str.__hash__


def _quoted_student(student: Any) -> SimpleNamespace:
    return SimpleNamespace(
        **{name: _Text(getattr(student, name)) for name in ("id", "last_name", "first_name", "email")}
    )
