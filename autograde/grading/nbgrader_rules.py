"""nbgrader's rules for a cell's mark and for a moment in time, without importing nbgrader; tested against its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..submission import metadata

Cell = Mapping[str, Any]


def mark_of(cell: Cell) -> float | None:
    """Return the mark that stands at a graded cell, None where a person must give it.

    An error, or anything on standard error, is 0; the first result, if it is a number, is the mark; all else is right.

    Raises:
        ValueError: the number is above the cell's points.
    """
    about = metadata(dict(cell))
    points = float(about["points"])
    if about.get("solution"):
        return 0.0 if is_unchanged(cell) else None
    if cell["cell_type"] != "code":
        return None
    for output in cell["outputs"]:
        if output["output_type"] == "error" or (output["output_type"], output.get("name")) == ("stream", "stderr"):
            return 0.0
        if output["output_type"] == "execute_result":
            return _number(output["data"]["text/plain"], points)
    return points


def _number(text: str | list[str], points: float) -> float:
    lines = [text] if isinstance(text, str) else text
    try:
        number = float(lines[0]) if len(lines) == 1 else -1.0
    except ValueError:
        number = -1.0
    if number > points:
        raise ValueError(f"a mark of {number:g} is greater than maximum, which is {points:g}")
    return number if number >= 0 else points


def is_unchanged(cell: Cell) -> bool:
    """Return whether a graded answer is as it was given out, by the checksum that nbgrader left in it."""
    about = metadata(dict(cell))
    if "checksum" not in about:
        return False
    locked = not about.get("solution") and bool(about.get("grade") or about.get("locked"))
    parts = [cell["source"], cell["cell_type"], str(about.get("grade", False)), str(about.get("solution", False))]
    parts += [str(locked), about["grade_id"], *([str(float(about["points"]))] if about.get("grade") else [])]
    return about["checksum"] == hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def moment(text: str) -> datetime:
    """Return the moment that a text names, in UTC; raise ValueError or OverflowError where it names none."""
    from dateutil import parser, tz

    zones = {}
    if len(parts := text.split(" ")) == 3:
        zone = parts[2]
        zones = {"TZ": int(zone) if zone.lstrip("+-").isdigit() else tz.gettz(zone)}
        text = f"{parts[0]} {parts[1]} TZ"
    found = parser.parse(text, tzinfos=zones)
    offset = found.utcoffset()
    return found if offset is None else (found - offset).replace(tzinfo=None)
