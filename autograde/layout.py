"""Where everything of a course lies, seen from its root."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

WEEK = re.compile(r"week\d+_[a-z0-9_]+")
NOTEBOOK = re.compile(r"\d+_[a-z0-9_]+")


class CourseError(Exception):
    """A call that cannot be carried out; the message says what happened and what to do. Becomes exit status 2."""


@dataclass(frozen=True)
class Layout:
    """The folders of one course.

    Args:
        root: the folder that holds `solutions`, `notebooks` and `nbgrader_config.py`.
    """

    root: Path

    @classmethod
    def find(cls) -> Layout:
        """Return the course named by the environment variable COURSE_ROOT, else the one this package lies in."""
        named = os.environ.get("COURSE_ROOT")
        root = Path(named) if named else Path(__file__).resolve().parent.parent
        if not (root / "nbgrader_config.py").is_file():
            raise CourseError(
                f"{root} is not the course's root (it holds no nbgrader_config.py). "
                "Run from a clone installed with `make`, or set COURSE_ROOT to the clone."
            )
        return cls(root.resolve())

    @property
    def solutions(self) -> Path:
        return self.root / "solutions"

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    @property
    def hidden(self) -> Path:
        """Hidden tests and catalogues, a folder a week."""
        return self.root / "autograde" / "hidden"

    @property
    def build(self) -> Path:
        return self.root / "build"

    @property
    def source(self) -> Path:
        return self.build / "source"

    @property
    def release(self) -> Path:
        return self.build / "release"

    @property
    def submitted(self) -> Path:
        return self.build / "submitted"

    @property
    def autograded(self) -> Path:
        return self.build / "autograded"

    @property
    def feedback(self) -> Path:
        return self.build / "feedback"

    @property
    def gradebook(self) -> Path:
        return self.build / "gradebook.db"

    def lessons(self) -> list[tuple[str, str]]:
        """Return every (week, notebook) that has a source, in teaching order."""
        return [
            (week.name, source.stem)
            for week in sorted(self.solutions.glob("week*"))
            if WEEK.fullmatch(week.name)
            for source in sorted(week.glob("*.py"))
            if NOTEBOOK.fullmatch(source.stem)
        ]

    def lesson_source(self, week: str, notebook: str) -> Path:
        return self.solutions / week / f"{notebook}.py"

    def student_copy(self, week: str, notebook: str) -> Path:
        return self.notebooks / week / f"{notebook}.ipynb"

    def hidden_tests(self, week: str, notebook: str) -> Path:
        return self.hidden / week / f"test_{notebook}.py"

    def catalogue(self, week: str, notebook: str) -> Path:
        return self.hidden / week / f"answers_{notebook}.py"
