"""The notebook that students were given."""

from __future__ import annotations

import json

from ..layout import CourseError, Layout
from ..submission import Notebook


def read_release(layout: Layout, week: str, notebook: str) -> Notebook:
    """Return a notebook as it was given out, each cell's source in one string.

    Raises:
        CourseError: it, or its hidden tests, are missing.
    """
    path = layout.student_copy(week, notebook)
    for needed, remedy in (
        (path, "run `course build`"),
        (layout.hidden_tests(week, notebook), "write its hidden tests"),
    ):
        if not needed.is_file():
            raise CourseError(f"{needed} is missing, so {week}/{notebook} cannot be graded; {remedy}.")
    release = json.loads(path.read_text("utf-8"))
    # A file holds text as a list of lines; whoever gets a cell from here may take it for a string, as in nbformat.
    return {**release, "cells": [{**cell, "source": "".join(cell["source"])} for cell in release["cells"]]}
