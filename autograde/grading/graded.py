"""A graded notebook in nbgrader's `autograded` folder: the rebuilt submission, and in its metadata what we found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..layout import Layout
from ..submission import Notebook

REPORT = "course_report"
FLAGS = "course_flags"
LATER = "course_later"


@dataclass(frozen=True)
class Graded:
    """One graded notebook.

    Args:
        notebook: the rebuilt submission with our outputs.
        report: its public report, {} where something else graded it.
        flags: why an instructor should look at it.
        later: notes on a later file that could not be graded, so that these marks stayed.
    """

    notebook: Notebook
    report: Mapping[str, Any]
    flags: Sequence[str] = ()
    later: Sequence[str] = ()

    @classmethod
    def of(cls, notebook: Notebook) -> Graded:
        """Return what stands in a notebook's metadata."""
        metadata = notebook["metadata"]
        return cls(notebook, metadata.get(REPORT) or {}, metadata.get(FLAGS, []), metadata.get(LATER, []))

    def told(self) -> dict[str, Any]:
        """Return the report as its student reads it, with the notes on what came later."""
        return {**self.report, "notes": [*self.report["notes"], *self.later]}

    def dump(self) -> str:
        """Return the notebook's file."""
        found = {REPORT: dict(self.report), FLAGS: list(self.flags), LATER: list(self.later)}
        metadata = {**self.notebook.get("metadata", {}), **found}
        return json.dumps({**self.notebook, "metadata": metadata}, ensure_ascii=False) + "\n"


def read_graded(path: Path) -> Graded | None:
    """Return a graded notebook, None where this grader wrote none there."""
    try:
        graded = Graded.of(json.loads(path.read_text("utf-8")))
        return graded if graded.report else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def graded_path(layout: Layout, student: str, week: str, notebook: str) -> Path:
    """Return where a student's graded notebook lies."""
    return layout.autograded / student / week / f"{notebook}.ipynb"


def page_path(layout: Layout, student: str, week: str, notebook: str) -> Path:
    """Return where a student's feedback page lies: whatever a student is called, not in the place of a week's page."""
    folder = f"{student}_" if student.endswith(".html") else student
    return layout.feedback / folder / week / f"{notebook}.html"
