"""Reports kept by what they depend on, so that regrading a class does only what changed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgpack

from ..layout import Layout

# A verdict that came from running out of time, or from a fault of ours, may come out otherwise next time.
NOT_KEPT = frozenset({"timed out", "grader failed"})
PACKAGE = Path(__file__).resolve().parents[1]
GRADER = ("imports.py", "judge", "sandbox", "rubric.py", "submission.py")


@dataclass(frozen=True)
class Cache:
    """Reports in a folder, one file each.

    Args:
        layout: the course.
        allow_unsafe: part of the key: marks from a run without a jail are not mixed with others.
    """

    layout: Layout
    allow_unsafe: bool = False

    def key(self, week: str, notebook: str, payload: bytes) -> str:
        """Return the name under which a submission's report is kept."""
        lesson = fingerprint(
            (
                self.layout.student_copy(week, notebook),
                self.layout.hidden_tests(week, notebook),
                self.layout.lesson_source(week, notebook),
                self.layout.root / "course",
                *(PACKAGE / part for part in GRADER),
            )
        )
        parts = (lesson, week, notebook, _torch_version(), str(self.allow_unsafe), hashlib.sha256(payload).hexdigest())
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the report kept under a key, None where there is none that can be read."""
        try:
            return msgpack.unpackb(self._path(key).read_bytes(), strict_map_key=False)
        except (OSError, ValueError, msgpack.UnpackException):
            return None

    def put(self, key: str, report: dict[str, Any]) -> None:
        """Keep a report; a reader sees all of it or nothing. What cannot be written is not kept."""
        if NOT_KEPT.intersection(report["flags"]):
            return
        path = self._path(key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgpack.packb(report))
            os.replace(name, path)

    def _path(self, key: str) -> Path:
        return self.layout.build / "cache" / "reports" / key[:2] / key


@cache
def _torch_version() -> str:
    return version("torch")


@cache
def fingerprint(paths: tuple[Path, ...]) -> str:
    """Return a hash of files, and of the Python files below folders, with their names; computed once a process."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(_files(path)):
            digest.update(f"{file.relative_to(path.parent)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _files(path: Path) -> Iterable[Path]:
    return [path] if path.is_file() else path.rglob("*.py")
