"""Whether the last run left everything as this one would: then nbgrader need not even be imported."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from ..layout import CourseError, Layout
from ..submission import Unreadable, read_bytes
from .cache import PACKAGE, fingerprint
from .files import write_whole
from .report import Entry
from .submissions import TIMESTAMP, Submission

# What comes of these depends on the marks that the gradebook held before.
NOT_REPEATED = frozenset({"unreadable", "grader failed", "timed out", "foreign"})


class LastRun:
    """What one gradebook's last run depended on and left behind, as one number in the cache.

    Only a gradebook in a file can be compared as a whole; any other is asked every time.

    Args:
        layout: the course.
        gradebook: as on the command line, "" for the course's own.
    """

    def __init__(self, layout: Layout, gradebook: str) -> None:
        self._layout = layout
        self._gradebook = None if "://" in gradebook else Path(gradebook).resolve() if gradebook else layout.gradebook
        name = hashlib.sha256(os.fsencode(str(self._gradebook))).hexdigest()
        self._file = layout.build / "cache" / "runs" / name

    def holds(self, submissions: Sequence[Submission], keys: Mapping[int, str]) -> bool:
        """Return whether the same submissions were recorded, and nobody has touched marks or files since.

        Args:
            submissions: of this run.
            keys: under which the cache has their reports, by place; not all of them if some must be judged.
        """
        if len(keys) < len(submissions):
            return False
        with contextlib.suppress(OSError):
            return self._file.read_text() == self._state(submissions, keys)
        return False

    def remember(self, submissions: Sequence[Submission], keys: Mapping[int, str], entries: Sequence[Entry]) -> None:
        """Keep the state that a run has left, after its last write."""
        flagged = any(NOT_REPEATED.intersection(entry.flags) for entry in entries)
        if flagged or self._gradebook is None or len(keys) < len(submissions):
            return
        with contextlib.suppress(OSError, CourseError):
            write_whole(self._file, self._state(submissions, keys))

    def _state(self, submissions: Sequence[Submission], keys: Mapping[int, str]) -> str:
        digest = hashlib.sha256(fingerprint((PACKAGE,)).encode())
        for number, submission in enumerate(submissions):
            digest.update(repr((astuple(submission), keys[number])).encode("utf-8", "backslashreplace"))
            digest.update(_written(submission.path.parent / TIMESTAMP))
        for suffix in ("", "-journal", "-wal"):
            digest.update(_bytes_of(Path(f"{self._gradebook}{suffix}")) + b"\0")
        for folder in (self._layout.autograded, self._layout.feedback):
            for path, status in sorted(_files(str(folder))):
                digest.update(f"{path}\0{status.st_size} {status.st_mtime_ns}\0".encode("utf-8", "backslashreplace"))
        return digest.hexdigest()


def _written(path: Path) -> bytes:
    """Return a digest of a file that may be a student's: of nothing where it is a pipe, a link or enormous."""
    try:
        return hashlib.sha256(read_bytes(path)).digest()
    except Unreadable:
        return b""


def _bytes_of(path: Path) -> bytes:
    """Return a digest of a file's bytes, of nothing where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""
    except OSError:
        return b""


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(entry.path)
                else:
                    yield entry.path, entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
