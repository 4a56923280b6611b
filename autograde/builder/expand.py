"""From a lesson to a notebook with nbgrader's metadata. Deterministic: the same source gives the same bytes."""

from __future__ import annotations

import hashlib
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode

from autograde.builder.lesson import Cell, Lesson

NBGRADER_SCHEMA = 3
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def expand(lesson: Lesson) -> NotebookNode:
    """Return the lesson as an nbgrader source notebook, answers included, without outputs.

    Cell ids: an exercise's name for its answer, `check_` + name for its check, `setup`, `setup_2` ... for set-up cells,
    and notebook name + a hash of the text for all others, so that an edit elsewhere changes no id.
    """
    points = {cell.name: cell.points for cell in lesson.exercises()}
    taken: set[str] = set()
    cells = [_expand_cell(cell, points, lesson.notebook, taken) for cell in lesson.cells]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata = nbformat.from_dict({"kernelspec": dict(KERNEL), "language_info": {"name": "python"}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def to_bytes(notebook: NotebookNode) -> bytes:
    """Return the notebook file's bytes: UTF-8, sorted keys, one newline at the end."""
    return (
        nbformat.writes(notebook, version=4, indent=1, sort_keys=True, ensure_ascii=False).rstrip("\n") + "\n"
    ).encode()


def _expand_cell(cell: Cell, points: dict[str, float], notebook: str, taken: set[str]) -> NotebookNode:
    cell_id = _cell_id(cell, notebook, taken)
    taken.add(cell_id)
    new = nbformat.v4.new_code_cell if cell.is_code else nbformat.v4.new_markdown_cell
    return new(cell.source, id=cell_id, metadata=_metadata(cell, cell_id, points))


def _cell_id(cell: Cell, notebook: str, taken: set[str]) -> str:
    if cell.kind in ("exercise", "essay"):
        return cell.name
    if cell.kind == "check":
        return f"check_{cell.name}"
    stem = "setup" if cell.kind == "setup" else f"{notebook}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"
    cell_id, count = stem, 1
    while cell_id in taken:
        count += 1
        cell_id = f"{stem}_{count}"
    return cell_id


def _metadata(cell: Cell, cell_id: str, points: dict[str, float]) -> dict[str, Any]:
    if cell.kind in ("prose", "plain"):
        return {}
    nbgrader: dict[str, Any] = {
        "grade_id": cell_id,
        "grade": cell.kind in ("check", "essay"),
        "solution": cell.kind in ("exercise", "essay"),
        "locked": cell.kind in ("check", "setup"),
        "task": False,
        "schema_version": NBGRADER_SCHEMA,
    }
    if cell.kind == "check":
        nbgrader["points"] = _whole(points[cell.name])
    elif cell.kind == "essay":
        nbgrader["points"] = _whole(cell.points)
    return {"nbgrader": nbgrader}


def _whole(points: float) -> int | float:
    return int(points) if points == int(points) else points
