"""What a solved notebook was made from, as one hash: its source, the modules of `course` it uses, and their data."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from autograde.imports import imported, reached
from autograde.layout import CourseError, Layout


def content_hash(layout: Layout, week: str, notebook: str) -> str:
    """Return a hash that changes when the solved notebook must be executed again."""
    source = layout.lesson_source(week, notebook)
    digest = hashlib.sha256(source.read_bytes())
    texts = [source.read_text(encoding="utf-8")]
    for module in sorted(imported_modules(texts[0], layout.root)):
        digest.update(str(module.relative_to(layout.root)).encode() + b"\0" + module.read_bytes())
        texts.append(module.read_text(encoding="utf-8"))
    for sums in sorted((layout.root / "data").glob("*/SHA256SUMS")):
        if any(_names(text, sums.parent.name) for text in texts):
            digest.update(_lines_used(sums.read_text(encoding="utf-8"), texts).encode())
    return digest.hexdigest()


def _names(text: str, folder: str) -> bool:
    """Return whether a program speaks of a folder of `data`: who reads it writes its name as a part of a path."""
    return re.search(rf"""["'/]{re.escape(folder)}["'/]""", text) is not None


def _lines_used(sums: str, texts: list[str]) -> str:
    """Return the lines of a manifest that may matter: of a file's folders the first must be named somewhere."""
    lines = [(line, line.split(maxsplit=1)[1].partition("/")) for line in sums.splitlines()]
    return "\n".join(line for line, (first, inside, _) in lines if not inside or any(first in text for text in texts))


def verify_corpora(layout: Layout) -> None:
    """Compare every corpus with its checksums.

    Raises:
        CourseError: a file is missing or was altered.
    """
    for sums in sorted((layout.root / "data").glob("*/SHA256SUMS")):
        for line in sums.read_text(encoding="utf-8").splitlines():
            digest, name = line.split(maxsplit=1)
            path = sums.parent / name
            if not path.is_file():
                raise CourseError(f"{path} is missing. Run `make data`, or restore it with git.")
            if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                raise CourseError(f"{path} was altered since it was built. Run `make data`, or restore it with git.")


def imported_modules(source: str, root: Path) -> set[Path]:
    """Return the files of `course` that a program imports, directly or through one another."""
    files, _ = reached(imported(source), root / "course")
    return {root / "course" / file for file in files.values()}
