"""Reading what was handed in, whatever it is, and rebuilding it on the notebook that was given out.

Nothing of a student's file survives but the sources of answer cells and of cells that the student added. Points, tags,
outputs, checks and everything else come from the release.
"""

from __future__ import annotations

import ast
import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAX_BYTES = 20 << 20
MAX_CELLS = 500
MAX_SOURCE_CHARS = 100_000
# Of a cell of the course's that was changed; comparing more of them could take minutes.
MAX_CHANGED_CHARS = 20_000
MAX_NOTES = 20
ADDED = "course_added"
CHECK = "check_"
SETUP = "setup"
ANSWERED_ELSEWHERE = "# Answered in another cell."

Notebook = dict[str, Any]
Cell = dict[str, Any]


class Unreadable(Exception):
    """A submission that holds no notebook; the message says why, for student and instructor."""


@dataclass
class Rebuilt:
    """A submission on the release notebook.

    Args:
        notebook: the release with the student's sources in it.
        notes: what was put right on the way.
        n_found: how many of the release's graded cells the submission has.
    """

    notebook: Notebook
    notes: list[str] = field(default_factory=list)
    n_found: int = 0


def read_bytes(path: Path) -> bytes:
    """Return a submitted file's bytes; raise `Unreadable` for what is no ordinary file of a sensible size."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Unreadable("the file does not exist") from None
    except OSError:
        raise Unreadable("it is not an ordinary file, or may not be read") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("it is not an ordinary file")
        if status.st_size > MAX_BYTES:
            raise Unreadable(f"it is larger than {MAX_BYTES >> 20} MB; clear the outputs and hand it in again")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def parse(payload: bytes) -> list[Cell]:
    """Return the cells in a submitted file's bytes, in any of the notebook format's versions; raise `Unreadable`."""
    if not payload.strip():
        raise Unreadable("the file is empty")
    try:
        document = json.loads(payload.decode(json.detect_encoding(payload), "replace"))
    except RecursionError:
        raise Unreadable("it is nested too deep for a notebook") from None
    except ValueError:
        raise Unreadable("it is not a notebook: the file is not JSON") from None
    if not isinstance(document, dict):
        raise Unreadable("it is JSON, but not a notebook")
    cells = document.get("cells")
    if not isinstance(cells, list):
        # Before version 4, cells stood in worksheets.
        sheets = document.get("worksheets")
        sheets = sheets if isinstance(sheets, list) else []
        cells = [cell for sheet in sheets if isinstance(sheet, dict) for cell in _list(sheet.get("cells"))]
        if not sheets:
            raise Unreadable("it is JSON, but not a notebook: it has no cells")
    return [cell for cell in cells if isinstance(cell, dict)][:MAX_CELLS]


def rebuild(release: Notebook, cells: Sequence[Cell]) -> Rebuilt:
    """Return the release with the student's answers in it, and the student's own cells behind the cells they followed.

    Args:
        release: the notebook as it was given out, of version 4.
        cells: the submission's cells, from `parse`.
    """
    # Metadata stay the release's own: copying them to the last took longer than all the rest.
    skeleton = [dict(cell) for cell in release["cells"]]
    taken: dict[int, str] = {}
    added: dict[int, list[str]] = {}
    notes: list[str] = []
    last = -1
    for cell, place in zip(cells, _places(skeleton, cells), strict=True):
        source = source_of(cell)
        if place is None:
            if cell.get("cell_type") == "code" and source.strip():
                added.setdefault(last, []).append(source)
        elif place in taken:
            notes.append(_settle_copy(skeleton[place], taken, place, source))
        else:
            taken[place] = source
            last = max(last, place)
            if cell.get("cell_type") == "code" and (own := _own_part(skeleton[place], source)):
                added.setdefault(place, []).append(own)
    graded = [place for place, cell in enumerate(skeleton) if metadata(cell)]
    n_found = sum(place in taken for place in graded)
    notes += _find_elsewhere(skeleton, taken, added)
    if n_found:
        notes += [
            f"the cell {grade_id(skeleton[place])} was missing and was put back"
            for place in graded
            if place not in taken and metadata(skeleton[place]).get("grade")
        ]
    notebook = {**release, "cells": list(_assembled(skeleton, taken, added))}
    return Rebuilt(notebook, notes[:MAX_NOTES], n_found)


def metadata(cell: Cell) -> dict[str, Any]:
    """Return a cell's nbgrader metadata, {} where it has none."""
    entry = cell.get("metadata")
    entry = entry.get("nbgrader") if isinstance(entry, dict) else None
    return entry if isinstance(entry, dict) else {}


def grade_id(cell: Cell) -> str:
    """Return the name nbgrader knows a cell by, "" where it has none."""
    name = metadata(cell).get("grade_id")
    return name if isinstance(name, str) else ""


def source_of(cell: Cell) -> str:
    """Return a cell's text with plain line ends, cut at `MAX_SOURCE_CHARS`."""
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        return ""
    # Lone surrogates would stop every later step that writes the text down.
    source = source.encode("utf-8", "replace").decode()
    return source[:MAX_SOURCE_CHARS].replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def is_answer(cell: Cell) -> bool:
    """Return whether a cell holds a student's answer, in code or in words."""
    return bool(metadata(cell).get("solution"))


def is_run(cell: Cell) -> bool:
    """Return whether a cell is run when grading: setup cells, answers in code, and code that the student added."""
    if cell.get("cell_type") != "code":
        return False
    return is_added(cell) or is_answer(cell) or grade_id(cell).startswith(SETUP)


def is_added(cell: Cell) -> bool:
    """Return whether a rebuilt notebook's cell is the student's own, and no part of the release."""
    return cell.get("metadata", {}).get(ADDED) is True


def checked_exercise(cell: Cell) -> str:
    """Return the exercise whose check cell this is, "" for any other cell."""
    name = grade_id(cell)
    return name.removeprefix(CHECK) if name.startswith(CHECK) and metadata(cell).get("grade") else ""


def exercises_of(release: Notebook) -> dict[str, float]:
    """Return the points of each exercise of a release notebook, in its order."""
    return {
        exercise: float(metadata(cell).get("points", 0))
        for cell in release["cells"]
        if (exercise := checked_exercise(cell))
    }


def _names(cell: Cell) -> Iterator[str]:
    if name := grade_id(cell):
        yield f"grade_id {name}"
    identity = cell.get("id")
    if isinstance(identity, str) and identity:
        yield f"id {identity}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _settle_copy(release_cell: Cell, taken: dict[int, str], place: int, source: str) -> str:
    """Keep the first of two cells with one name, unless only the copy was answered; return the note."""
    name = grade_id(release_cell) or "text"
    if is_answer(release_cell) and taken[place] == source_of(release_cell) != source:
        taken[place] = source
        return f"the cell {name} stood there twice; the answered one was graded"
    return f"a copied cell was left out ({name})"


def _find_elsewhere(skeleton: Sequence[Cell], taken: dict[int, str], added: dict[int, list[str]]) -> list[str]:
    """Move added cells that define an exercise's name to its place, where that is missing or was not answered.

    Some editors drop all marks, and some students answer in a cell of their own. A stub that is left below such a cell,
    or below another answer that defines the name too, would undo it.
    """
    notes = []
    answers = [place for place, cell in enumerate(skeleton) if is_answer(cell) and cell.get("cell_type") == "code"]
    for place in answers:
        name = grade_id(skeleton[place])
        missing = place not in taken
        if not missing and not _is_unanswered(skeleton[place], taken[place]):
            continue
        found = _take_definition(name, added)
        if found is not None:
            taken[place] = found
            how = "by its definition: its mark was missing" if missing else "in a cell of its own"
            notes.append(f"the cell {name} was found {how}")
        elif any(_defines(name, taken[other]) for other in answers if other != place and other in taken):
            taken[place] = ANSWERED_ELSEWHERE
    return notes


def _take_definition(name: str, added: dict[int, list[str]]) -> str | None:
    """Remove and return the first added cell that defines a name, a function or class before any other value."""
    for only_blocks in (True, False):
        for sources in added.values():
            for source in sources:
                if _defines(name, source, only_blocks=only_blocks):
                    sources.remove(source)
                    return source
    return None


def _defines(name: str, source: str, *, only_blocks: bool = False) -> bool:
    block = rf"(?:async\s+)?(?:def|class)\s+{re.escape(name)}\b"
    value = rf"{re.escape(name)}\s*(?::[^=\n]+)?=(?!=)"
    return re.search(rf"^(?:{block if only_blocks else f'{block}|{value}'})", source, re.MULTILINE) is not None


def _is_unanswered(release_cell: Cell, source: str) -> bool:
    """Return whether an answer's cell is as it was given out, or holds nothing but comments."""
    if source.strip() == source_of(release_cell).strip():
        return True
    return all(not line.strip() or line.lstrip().startswith("#") for line in source.splitlines())


def _places(skeleton: Sequence[Cell], cells: Sequence[Cell]) -> list[int | None]:
    """Return which of the release's cells each submitted one is: by its names, else by a text that nobody changed."""
    place_of = {name: place for place, cell in enumerate(skeleton) for name in _names(cell)}
    places = [next((place_of[name] for name in _names(cell) if name in place_of), None) for cell in cells]
    named = set(places)
    unnamed: dict[tuple[str, str], list[int]] = {}
    for place, cell in enumerate(skeleton):
        if place not in named and source_of(cell).strip():
            unnamed.setdefault((str(cell.get("cell_type")), source_of(cell).strip()), []).append(place)
    for number, cell in enumerate(cells):
        alike = unnamed.get((str(cell.get("cell_type")), source_of(cell).strip()))
        if places[number] is None and alike:
            places[number] = alike.pop(0)
    return places


def _own_part(release_cell: Cell, source: str) -> str:
    """Return what a student added to a cell of the course's that holds no answer, "" for nothing.

    Cells that train or draw are not run, so of these, as of checks, only what takes no time: imports, definitions and
    plain values. A text cell that became code is all the student's.
    """
    given = source_of(release_cell)
    if is_answer(release_cell) or source.strip() == given.strip() or len(source) > MAX_CHANGED_CHARS:
        return ""
    if release_cell.get("cell_type") != "code":
        return source
    is_setup = grade_id(release_cell).startswith(SETUP)
    try:
        known = {ast.dump(node) for node in _statements(given)}
        own = [node for node in _statements(source) if ast.dump(node) not in known]
        return "\n\n".join(ast.unparse(node) for node in own if is_setup or _is_quick(node))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""


def _statements(source: str) -> list[ast.stmt]:
    tree = parsed(source)
    return tree.body if tree else []


def _is_quick(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        try:
            ast.literal_eval(node.value)
            return True
        except (ValueError, TypeError, SyntaxError):
            return isinstance(node.value, ast.Lambda)
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def parsed(source: str) -> ast.Module | None:
    """Return the tree of a cell's code, its magics left out; None where it is no Python."""
    for text in (source, _without_magics(source)):
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def _without_magics(source: str) -> str:
    """Return the code with `pass` in the place of IPython's own lines: `%%time`, `%matplotlib inline`, `!pip`."""
    return "\n".join(
        f"{line[: len(line) - len(line.lstrip())]}pass" if line.lstrip().startswith(("%", "!", "?")) else line
        for line in source.split("\n")
    )


def _assembled(skeleton: Sequence[Cell], taken: dict[int, str], added: dict[int, list[str]]) -> Iterator[Cell]:
    number = 0
    for place in range(-1, len(skeleton)):
        if place >= 0:
            cell = skeleton[place]
            if is_answer(cell) and place in taken:
                cell["source"] = taken[place]
            if cell.get("cell_type") == "code":
                cell["outputs"], cell["execution_count"] = [], None
            yield cell
        for source in added.get(place, []):
            number += 1
            yield {
                "cell_type": "code",
                "id": f"added-{number}",
                "metadata": {ADDED: True},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
