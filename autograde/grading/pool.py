"""The judge's process seen from the outside: start it, send it submissions, take reports as they come."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgpack

from ..judge.patience import patience
from ..judge.worker import WorkerPlan
from ..layout import CourseError
from ..sandbox.shared.frames import Closed, receive, send

STDERR = 2
# The last part, which may be left out: the exercises to judge, where not all are.
Job = tuple[int, str, str, bytes] | tuple[int, str, str, bytes, list[str]]

# Torch's threads and forks do not go together: one thread on the trusted side too, before torch is imported.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class JudgePool:
    """One judge's process, which forks for as many submissions as are at work.

    Args:
        root: the course's root.
        lessons: the (week, notebook) pairs that it must be able to grade.
        allow_unsafe: whether it may go on without a jail.
    """

    def __init__(self, root: Path, lessons: Iterable[tuple[str, str]], *, allow_unsafe: bool = False) -> None:
        # The judge reads the same variable; a bad one is refused where the message reaches the caller.
        patience()
        plan = WorkerPlan(str(root), sorted(set(lessons)), allow_unsafe)
        self._line, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "autograde.judge.worker", str(theirs.fileno()), plan.dump()]
            package = str(Path(__file__).resolve().parents[2])
            paths = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH", "")) if part)
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": ""},
                stdin=subprocess.DEVNULL,
                # Standard output belongs to the report; whatever a hidden test prints goes to the log.
                stdout=STDERR,
            )
        self._mode = ""

    def mode(self) -> str:
        """Wait until the judge is ready and return its sandbox's mode; raise `CourseError` if it cannot start."""
        if not self._mode:
            message = self._receive()
            if "error" in message:
                raise CourseError(message["error"])
            self._mode = message["ready"]
        return self._mode

    def grade(self, jobs: Iterable[Job], n_jobs: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (number, report) for each job (number, week, notebook, bytes), in the order in which they end.

        Args:
            jobs: (number, week, notebook, bytes) each, and to judge some exercises only, a list of their names. Taken
                one by one, so that only those at work are in memory.
            n_jobs: how many are judged at the same time.
        """
        self.mode()
        waiting = iter(jobs)
        at_work = sum(self._submit(waiting) for _ in range(n_jobs))
        while at_work:
            unpacker = msgpack.Unpacker(max_buffer_size=0, strict_map_key=False)
            unpacker.feed(self._receive_document())
            # The next one first: whoever takes this report may be a while writing it down.
            at_work += self._submit(waiting) - 1
            yield unpacker.unpack(), unpacker.unpack()

    def hang_up(self) -> None:
        """Let the judge end as soon as it has nothing more to do."""
        self._line.close()

    def close(self) -> None:
        """Hang up, and wait until the judge has ended."""
        self.hang_up()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> JudgePool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _submit(self, waiting: Iterator[Job]) -> bool:
        job = next(waiting, None)
        if job is None:
            return False
        send(self._line, (msgpack.packb(job), []))
        return True

    def _receive(self) -> dict[str, Any]:
        return msgpack.unpackb(self._receive_document())

    def _receive_document(self) -> bytes:
        try:
            return receive(self._line)[0]
        except Closed:
            raise CourseError("The judge's process ended unexpectedly; its last words stand above.") from None
