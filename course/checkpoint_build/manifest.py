"""The list of the checkpoints' files with their hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from course.checkpoints import MANIFEST


def write_manifest(folder: Path) -> None:
    """Write the SHA-256 of each checkpoint's files, in the form that `sha256sum --check` reads."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*") if path.is_file())
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / MANIFEST).write_text("".join(lines), encoding="utf-8")
