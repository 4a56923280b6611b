"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from ..layout import CourseError


def write_whole(path: Path, text: str, *, encoding: str = "utf-8") -> None:
    """Write a file so that a reader, or a run after a power cut, finds all of it or what was there before.

    Not forced onto the disk: whatever is written this way can be made again from the gradebook and the submissions.

    Args:
        path: where to; its folder is made.
        text: with line ends as they are to be.

    Raises:
        CourseError: the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding, newline="")
        os.replace(partial, path)
    except OSError as error:
        raise CourseError(f"{path} cannot be written ({error.strerror}). Free the place and try again.") from None
