"""Starting the zygote. Imports no torch, so that the zygote can warm up while the judge does."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys

from ..layout import CourseError
from .plan import Offer, Stage, write_plan

START_SECONDS = 120.0
FORCE = "COURSE_SANDBOX"
DESCRIPTIONS = {
    "bubblewrap": "bubblewrap, namespaces and a system call filter",
    "landlock": "Landlock and a system call filter (no namespaces: the process table and the disk are shared)",
    "unsafe": "no sandbox at all, only resource limits",
}


class SandboxFailed(Exception):
    """A mode cannot be used here; the message says why."""


class Zygote:
    """The process that imports everything once and forks a jailed process for each submission.

    Args:
        mode: one of the keys of `DESCRIPTIONS`.
        offer: what the course puts into the sandbox.
    """

    def __init__(self, mode: str, offer: Offer) -> None:
        self.mode = mode
        if mode == "bubblewrap" and shutil.which("bwrap") is None:
            raise SandboxFailed("bubblewrap is not installed")
        self._stage = Stage()
        self._stage.fill(offer)
        # Whole messages only, each with its descriptor.
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command, environment = write_plan(self._stage.folder, mode, theirs.fileno(), offer)
        self._log = self._stage.folder / "log.txt"
        with theirs, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )

    def await_ready(self) -> None:
        """Wait until everything is imported; raise `SandboxFailed` with the reason if that fails."""
        self._control.settimeout(START_SECONDS)
        try:
            ready = self._control.recv(16)
        except OSError:
            ready = b""
        if ready != b"ready":
            raise SandboxFailed(self.last_words() or "it did not start")

    def connect(self) -> socket.socket:
        """Return a line of one's own to the zygote; whatever is started on it ends with it."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._control, [b"client"], [theirs.fileno()])
        return mine

    def last_words(self) -> str:
        """Return the last line that the zygote wrote to its log."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def close(self) -> None:
        """End the zygote and everything it started."""
        self._control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stage.remove()


def candidates(allow_unsafe: bool) -> list[str]:
    """Return the modes to try, the strongest first; the environment variable `COURSE_SANDBOX` names a single one.

    Raises:
        CourseError: the variable names no mode, or one that was not allowed.
    """
    forced = os.environ.get(FORCE, "")
    if forced and forced not in DESCRIPTIONS:
        raise CourseError(f"{FORCE}={forced} names no sandbox; use one of {', '.join(DESCRIPTIONS)}.")
    if forced == "unsafe" and not allow_unsafe:
        raise CourseError(f"{FORCE}=unsafe runs student code without a jail; add --unsafe if that is meant.")
    if forced:
        return [forced]
    modes = ["bubblewrap", "landlock"] if sys.platform == "linux" else []
    return [*modes, *(["unsafe"] if allow_unsafe else [])]
