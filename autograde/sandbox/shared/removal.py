"""Removing a folder that a stranger has filled: however deep it is, and whatever rights it was given."""

from __future__ import annotations

import contextlib
import itertools
import os


def remove_tree(folder: str | os.PathLike[str]) -> None:
    """Remove a folder with all that is in it, links and not what they point to; what cannot be removed stays.

    Each folder below is emptied and its own folders moved up beside it, so that a thousand of them, one in the other,
    cost neither a recursion nor a path longer than the system takes.
    """
    with contextlib.suppress(OSError):
        top = _opened(os.fspath(folder))
        try:
            _empty(top)
        finally:
            os.close(top)
        os.rmdir(folder)


def _empty(top: int) -> None:
    numbers = itertools.count()
    _unlink_files(top)
    while names := _folders(top):
        removed = 0
        for name in names:
            with contextlib.suppress(OSError):
                place = _opened(name, top)
                try:
                    _unlink_files(place)
                    for inner in _folders(place):
                        _make_movable(inner, place)
                        os.rename(inner, _unused(numbers, top), src_dir_fd=place, dst_dir_fd=top)
                finally:
                    os.close(place)
                os.rmdir(name, dir_fd=top)
                removed += 1
        if not removed:
            return


def _unlink_files(place: int) -> None:
    with os.scandir(place) as entries:
        names = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
    for name in names:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=place)


def _folders(place: int) -> list[str]:
    with os.scandir(place) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]


def _unused(numbers: itertools.count[int], top: int) -> str:
    for number in numbers:
        name = f"removed-{number}"
        try:
            os.lstat(name, dir_fd=top)
        except FileNotFoundError:
            return name
    raise AssertionError("numbers do not end")


def _opened(name: str, place: int | None = None) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    _make_movable(name, place)
    return os.open(name, flags, dir_fd=place)


def _make_movable(name: str, place: int | None) -> None:
    """Let an ordinary user into a folder of his own whose rights were taken away; root needs none."""
    if os.geteuid() != 0:
        with contextlib.suppress(OSError):
            os.chmod(name, 0o700, dir_fd=place)
