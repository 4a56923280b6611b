"""The catalogue of answers that stands beside the hidden tests: wrong ones with their hint, and other right ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import nbformat
from nbformat.notebooknode import NotebookNode

from autograde.builder.lesson import read_cells, read_lesson
from autograde.layout import CourseError, Layout


@dataclass(frozen=True)
class Answer:
    """One whole answer to one exercise.

    Attributes:
        right: whether it deserves full marks.
        hint: a piece of the hint that a wrong answer must be given; "" for right ones.
    """

    exercise: str
    title: str
    source: str
    right: bool
    hint: str = ""


def read_catalogue(layout: Layout, week: str, notebook: str) -> list[Answer]:
    """Return the answers of one notebook's catalogue, in order.

    Raises:
        CourseError: a cell without its markers.
    """
    path = layout.catalogue(week, notebook)
    return [
        _answer(markers, source, str(path)) for kind, markers, source in read_cells(path) if kind == "code" and markers
    ]


def _answer(markers: dict[str, object], source: str, path: str) -> Answer:
    right = "right" in markers
    wanted = {"exercise", "right"} if right else {"exercise", "wrong", "hint"}
    if set(markers) != wanted or not all(isinstance(value, str) and value for value in markers.values()):
        raise CourseError(
            f"{path}: a cell is marked {dict(markers)}, but needs right= and exercise=, or wrong=, exercise= and hint=."
        )
    return Answer(
        str(markers["exercise"]),
        str(markers["right" if right else "wrong"]),
        source,
        right,
        str(markers.get("hint", "")),
    )


def fill_in(layout: Layout, week: str, notebook: str, answers: dict[str, str]) -> NotebookNode:
    """Return a submission: the student copy with the given sources in its answer cells.

    Args:
        answers: exercise name to the source of its answer cell; exercises left out stay stubs.
    """
    submission = nbformat.read(layout.student_copy(week, notebook), as_version=4)
    left = dict(answers)
    for cell in submission.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = left.pop(cell.metadata.nbgrader.grade_id, cell.source)
    if left:
        raise CourseError(f"{week}/{notebook} has no exercise named {', '.join(sorted(left))}.")
    return submission


def references(layout: Layout, week: str, notebook: str) -> Iterator[tuple[str, str]]:
    """Yield (exercise, source of the author's own answer)."""
    for cell in read_lesson(layout.lesson_source(week, notebook)).exercises():
        yield cell.name, cell.source
