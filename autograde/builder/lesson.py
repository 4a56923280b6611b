"""A lesson's source: a py:percent file whose short markers say what each cell is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext

from autograde.layout import CourseError

BEGIN_SOLUTION = "### BEGIN SOLUTION"
END_SOLUTION = "### END SOLUTION"

# jupytext's own notes on blank lines would otherwise end up in the notebooks.
_JUPYTEXT_KEYS = {"lines_to_next_cell", "lines_to_end_of_cell_marker", "title", "cell_depth"}
_KINDS = {"exercise", "check", "setup", "essay"}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson.

    Attributes:
        kind: "prose", "plain", "setup", "exercise", "check" or "essay".
        name: the exercise's (or essay's) name, "" for the other kinds.
        points: marks of an exercise or essay, 0 elsewhere.
    """

    kind: str
    source: str
    name: str = ""
    points: float = 0.0

    @property
    def is_code(self) -> bool:
        return self.kind not in ("prose", "essay")


@dataclass(frozen=True)
class Lesson:
    """One notebook of one week, as its author wrote it."""

    week: str
    notebook: str
    cells: tuple[Cell, ...]

    def exercises(self) -> Iterator[Cell]:
        """Yield the answer cells in order."""
        return (cell for cell in self.cells if cell.kind == "exercise")

    def points(self) -> float:
        """Return the marks that the notebook's exercises and essays carry together."""
        return sum(cell.points for cell in self.cells)


def read_cells(path: Path) -> list[tuple[str, dict[str, Any], str]]:
    """Return (cell type, markers, source) for each cell of a py:percent file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CourseError(f"{path} does not exist.") from None
    notebook = jupytext.reads(text, fmt="py:percent")
    return [
        (cell.cell_type, {k: v for k, v in cell.metadata.items() if k not in _JUPYTEXT_KEYS}, cell.source)
        for cell in notebook.cells
    ]


def read_lesson(path: Path) -> Lesson:
    """Return the lesson in a py:percent file.

    Raises:
        CourseError: a marker that does not fit, with the file and the cell's first line.
    """
    cells = []
    for cell_type, markers, source in read_cells(path):
        try:
            cells.append(_cell(cell_type, markers, source))
        except ValueError as error:
            first_line = source.strip().splitlines()[0] if source.strip() else "(an empty cell)"
            raise CourseError(f"{path}, cell «{first_line}»: {error}") from None
    try:
        _check_order(cells)
    except ValueError as error:
        raise CourseError(f"{path}: {error}") from None
    return Lesson(path.parent.name, path.stem, tuple(cells))


def _cell(cell_type: str, markers: dict[str, Any], source: str) -> Cell:
    kinds = _KINDS & markers.keys()
    unknown = markers.keys() - _KINDS - {"points"}
    if unknown:
        raise ValueError(f"unknown marker {sorted(unknown)[0]!r}; known are {', '.join(sorted(_KINDS))} and points")
    if len(kinds) > 1:
        raise ValueError(f"a cell is one thing, not {' and '.join(sorted(kinds))}")
    kind = kinds.pop() if kinds else ("plain" if cell_type == "code" else "prose")
    if (cell_type == "markdown") != (kind in ("prose", "essay")):
        raise ValueError(f"the marker {kind!r} does not fit a {cell_type} cell")
    if ("points" in markers) != (kind in ("exercise", "essay")):
        raise ValueError("points belong to the cell marked exercise= or essay=, and to no other")
    if kind in ("prose", "plain", "setup"):
        _refuse_solution(source)
        return Cell(kind, source)
    name = markers[kind]
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name) or len(name) > 50:
        raise ValueError(f"{kind}={name!r} must be a Python name of at most 50 letters")
    if kind == "check":
        _refuse_solution(source)
        return Cell(kind, source, name)
    points = markers["points"]
    if not isinstance(points, int | float) or isinstance(points, bool) or points <= 0:
        raise ValueError(f"points={points!r} must be a number above 0")
    if kind == "exercise":
        solution_lines(source)
    return Cell(kind, source, name, float(points))


def _refuse_solution(source: str) -> None:
    # nbgrader leaves «BEGIN HIDDEN TEST» (no S) standing in the student's copy without a word.
    for word in ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TEST", "BEGIN MARK SCHEME"):
        if word in source:
            raise ValueError(f"«{word}» may stand in an exercise cell only, and hidden tests only in autograde/hidden")


def solution_lines(source: str) -> list[str]:
    """Return the lines between the solution marks of an answer cell.

    Raises:
        ValueError: marks that are missing, nested, unbalanced or misspelt.
    """
    inside, lines, seen = False, [], False
    for line in source.splitlines():
        mark = line.strip()
        if mark == BEGIN_SOLUTION and not inside:
            inside = seen = True
        elif mark == END_SOLUTION and inside:
            inside = False
        elif "SOLUTION" in line or "HIDDEN TEST" in line:
            raise ValueError(f"«{mark}» is out of place; an answer stands between {BEGIN_SOLUTION} and {END_SOLUTION}")
        elif inside:
            lines.append(line)
    if inside or not seen or not any(line.strip() for line in lines):
        raise ValueError(f"an answer must stand between {BEGIN_SOLUTION} and {END_SOLUTION}")
    return lines


def _check_order(cells: list[Cell]) -> None:
    answered: set[str] = set()
    checked: set[str] = set()
    for cell in cells:
        if cell.kind in ("exercise", "essay"):
            if cell.name in answered:
                raise ValueError(f"the name {cell.name!r} is used twice")
            answered.add(cell.name)
        if cell.kind == "essay":
            checked.add(cell.name)
        if cell.kind == "check":
            if cell.name not in answered:
                raise ValueError(f"the check of {cell.name!r} must follow its exercise")
            if cell.name in checked:
                raise ValueError(f"{cell.name!r} has two check cells")
            checked.add(cell.name)
    if answered - checked:
        raise ValueError(f"the exercise {sorted(answered - checked)[0]!r} has no check cell")
