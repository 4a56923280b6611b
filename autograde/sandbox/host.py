"""The sandbox as the judge sees it: the strongest mode that passes its own test, never a weaker one in silence."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..layout import CourseError
from ..rubric import StudentDied, StudentError, StudentTimeout
from .connection import Connection, socket_pair
from .launch import START_SECONDS, SandboxFailed, Zygote, candidates
from .plan import Offer

PROBE = """
import json, os, socket
def _does(action):
    try:
        return bool(action())
    except Exception:
        return False
def _writes(path):
    with open(os.path.join(path, "course-grader-probe"), "w"):
        pass
    return True
print(json.dumps({
    "runs as root": os.getuid() == 0,
    "reaches the network": _does(lambda: socket.socket(socket.AF_INET)),
    "reads the hidden tests": any(_does(lambda: os.listdir(path)) for path in PRIVATE),
    "writes outside its folder": any(_does(lambda: _writes(path)) for path in WRITABLE),
    "signals the grader": _does(lambda: os.kill(GRADER, 0) is None) and os.getpid() != GRADER,
    "gains privileges": not any(line.split() == ["NoNewPrivs:", "1"] for line in STATUS),
}))
"""
READ_STATUS = """
try:
    STATUS = open("/proc/self/status").readlines()
except OSError:
    import ctypes
    STATUS = [f"NoNewPrivs: {ctypes.CDLL(None).prctl(39, 0, 0, 0, 0)}"]
"""


@dataclass
class Client:
    """A line to the zygote on which submissions are started."""

    sock: socket.socket

    def start(self, budget: Callable[[], float]) -> Connection:
        """Return a connection to a fresh jailed process; `budget` gives the seconds left to the submission."""
        mine, theirs = socket_pair()
        with theirs:
            try:
                socket.send_fds(self.sock, [b"start"], [theirs.fileno()])
            except OSError:
                raise StudentDied("the sandbox is gone") from None
        process = Connection(mine, budget)
        process.await_hello()
        return process

    def close(self) -> None:
        """Hang up: the zygote kills what was started on this line."""
        self.sock.close()


def open_sandbox(
    offer: Offer, private: Sequence[Path], *, allow_unsafe: bool = False, started: Zygote | None = None
) -> Zygote:
    """Return a zygote that is ready, in the strongest mode that works here.

    Args:
        offer: what the course puts into the sandbox.
        private: folders that must not be seen from inside.
        allow_unsafe: whether to go on without a jail where none works.
        started: a zygote in the first of the modes to try, started ahead.

    Raises:
        CourseError: no allowed mode works; the message says why for each.
    """
    reasons = []
    for mode in candidates(allow_unsafe):
        try:
            zygote = started if started is not None and started.mode == mode else Zygote(mode, offer)
            return _tested(zygote, private)
        except (SandboxFailed, OSError) as error:
            reasons.append(f"{mode}: {error}")
    raise CourseError(
        f"Student code cannot be locked away on this machine ({'; '.join(reasons) or 'it does not run Linux'}). "
        "Install bubblewrap, or grade in the container of the Dockerfile, "
        "or add --unsafe if you trust everyone who handed in."
    )


def _tested(zygote: Zygote, private: Sequence[Path]) -> Zygote:
    try:
        zygote.await_ready()
        faults = probe(zygote, private) if zygote.mode != "unsafe" else []
        if faults:
            raise SandboxFailed(f"inside it a submission {' and '.join(faults)}")
    except BaseException:
        zygote.close()
        raise
    return zygote


def probe(zygote: Zygote, private: Sequence[Path]) -> list[str]:
    """Return what a submission could do that it must not, as seen from inside.

    Args:
        zygote: one that is ready.
        private: folders that must not be seen.
    """
    client = Client(zygote.connect())
    names = {
        "PRIVATE": [str(path) for path in private],
        "WRITABLE": ["/usr", "/etc", "/", str(Path.home()), *(str(path) for path in private), "/grader"],
        "GRADER": os.getpid(),
    }
    source = "\n".join(f"{name} = {value!r}" for name, value in names.items()) + READ_STATUS + PROBE
    try:
        process = client.start(budget=lambda: START_SECONDS)
        found = json.loads(process.request("cell", source, seconds=START_SECONDS)["output"])
        process.close()
    except (StudentDied, StudentError, StudentTimeout, ValueError) as error:
        raise SandboxFailed(zygote.last_words() or f"its test run failed ({error})") from None
    finally:
        client.close()
    return [fault for fault, present in found.items() if present]
