"""A fork of the judge: takes one submission after another, until one of them leaves it in doubt."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgpack

from ..sandbox.shared.frames import Closed, receive, send

# Hidden tests and references work on small inputs; what a submission makes them hold must not take the machine down.
MAX_DATA_BYTES = 4 << 30
# Bounds what a leak, or a submission that left much behind, can add up to.
MAX_SUBMISSIONS = 50
MAX_GROWTH_KB = 256 << 10
SET_DEATH_SIGNAL = 1


@dataclass
class Job:
    """One submission on its way.

    Args:
        number: the caller's.
        lesson: its (week, notebook).
        payload: the submitted file.
        only: the exercises to judge, None for all.
    """

    number: int
    lesson: tuple[str, str]
    payload: bytes
    only: list[str] | None = None
    tries: int = 1
    deadline: float = 0.0
    late: bool = False


Answer = Callable[[Job, socket.socket], tuple[bytes, bool]]


class JudgeFork:
    """A process that starts as the judge is, with all hidden tests collected, and answers jobs.

    Args:
        answer: gives, for a job and a line to its sandbox, a report, and whether all went as it should.
    """

    def __init__(self, answer: Answer) -> None:
        self.line, theirs = socket.socketpair()
        self.job: Job | None = None
        self.pid = os.fork()
        if self.pid == 0:
            self.line.close()
            _serve_and_exit(theirs, answer)
        theirs.close()

    def begin(self, job: Job, client: socket.socket, seconds: float) -> None:
        """Hand over a job and a line to its sandbox; the report can be read when `line` is ready."""
        self.job = job
        job.deadline = time.monotonic() + seconds
        try:
            send(self.line, (msgpack.packb([job.lesson, job.payload, job.only]), []))
            socket.send_fds(self.line, [b"s"], [client.fileno()])
        except (Closed, OSError):
            return  # it has ended, which is seen when its answer is read

    def finish(self) -> tuple[Job, bytes, bool]:
        """Return the job, its report, b"" where the fork has failed, and whether it can take another one."""
        job, self.job = self.job, None
        assert job is not None
        try:
            good, document = msgpack.unpackb(receive(self.line)[0])
        except Closed:
            return job, b"", False
        return job, document, good

    def stop_if_late(self) -> None:
        if self.job is not None and time.monotonic() > self.job.deadline:
            self.job.late = True
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it; it would not see the line closed, of which later forks have a copy."""
        self.line.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _serve_and_exit(line: socket.socket, answer: Answer) -> None:
    try:
        # Should the judge be killed, its forks must not go on alone.
        ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA_BYTES, MAX_DATA_BYTES))
        _serve(line, answer)
    except KeyboardInterrupt:
        os._exit(1)  # stopped by hand: whoever started the judge says so
    except BaseException as error:
        print(f"grading one submission failed: {error!r}", file=sys.stderr)
        os._exit(1)
    os._exit(0)


def _serve(line: socket.socket, answer: Answer) -> None:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + MAX_GROWTH_KB
    for number in range(1, MAX_SUBMISSIONS + 1):
        try:
            lesson, payload, only = msgpack.unpackb(receive(line)[0])
        except Closed:
            return
        _, descriptors, _, _ = socket.recv_fds(line, 1, 1)
        _same_start()
        with socket.socket(fileno=descriptors[0]) as client:
            document, good = answer(Job(0, tuple(lesson), payload, only), client)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > most
        send(line, (msgpack.packb([good and not grown and number < MAX_SUBMISSIONS, document]), []))


def _same_start() -> None:
    """Give every submission the same random numbers, whichever came before it."""
    import numpy as np
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
