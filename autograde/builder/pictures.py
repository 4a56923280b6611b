"""The pictures of the README, taken from the outputs of solved notebooks so that they never show anything else."""

from __future__ import annotations

import base64
from pathlib import Path

import nbformat

from autograde.layout import Layout

# Picture, the lesson it comes from, and words of its alternative text, by which it is found among the lesson's figures.
PICTURES = {"docs/context.png": ("week1_rnn_limits", "1_ngrams", "n-gram models")}


def stale_pictures(layout: Layout) -> dict[Path, bytes]:
    """Return each picture that is missing or differs from its notebook's output, with the bytes it should have."""
    stale = {}
    for name, (week, notebook, words) in PICTURES.items():
        solved = layout.lesson_source(week, notebook).with_suffix(".ipynb")
        if not solved.is_file():
            continue
        wanted = _figure(solved, words)
        path = layout.root / name
        if wanted and not (path.is_file() and path.read_bytes() == wanted):
            stale[path] = wanted
    return stale


def _figure(solved: Path, words: str) -> bytes | None:
    for cell in nbformat.read(solved, as_version=4).cells:
        for output in cell.get("outputs", []):
            picture = output.get("data", {}).get("image/png")
            if picture and words in output.metadata.get("image/png", {}).get("alt", ""):
                return base64.b64decode(picture)
    return None
