"""The notebook that students were given."""

from __future__ import annotations

import json

from ..layout import CourseError, Layout
from ..submission import Notebook


def read_release(layout: Layout, week: str, notebook: str) -> Notebook:
    """Return a notebook as it was given out; raise `CourseError` where it, or its hidden tests, are missing."""
    path = layout.student_copy(week, notebook)
    for needed, remedy in (
        (path, "run `course build`"),
        (layout.hidden_tests(week, notebook), "write its hidden tests"),
    ):
        if not needed.is_file():
            raise CourseError(f"{needed} is missing, so {week}/{notebook} cannot be graded; {remedy}.")
    return json.loads(path.read_text("utf-8"))
