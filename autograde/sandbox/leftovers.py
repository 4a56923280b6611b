"""Temporary folders of graders that were killed: nobody was left to remove them, so the next one does."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

PREFIX = "course-grader-"
LOCK = "lock"
# Longer than it takes from making a folder to locking it.
GRACE_SECONDS = 3600.0


def hold(folder: Path) -> int:
    """Lock a folder for as long as this process, or a fork of it, lives; return the lock's descriptor.

    The kernel gives a lock back however its holder ends, and a number that is used again deceives nobody.
    """
    import fcntl  # Unix only, as all grading is; the rest of the command must load elsewhere too

    descriptor = os.open(folder / LOCK, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def clean() -> None:
    """Remove the folders of this user's graders that are no more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            status = folder.lstat()
            mine = folder.is_dir() and not folder.is_symlink() and status.st_uid == os.getuid()
            if mine and _abandoned(folder, status.st_mtime):
                remove(folder)
        except OSError:
            continue  # another grader was faster


def remove(folder: Path) -> None:
    """Remove a folder in which a submission may have made folders a thousand deep, as far as that is allowed."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        subprocess.run(["rm", "-rf", "--", str(folder)], stderr=subprocess.DEVNULL, check=False)


def _abandoned(folder: Path, made: float) -> bool:
    import fcntl

    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return time.time() - made > GRACE_SECONDS
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
