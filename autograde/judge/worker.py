"""The judge's process: `python -m autograde.judge.worker DESCRIPTOR PLAN`. Forks for each submission it is sent."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack

from ..layout import CourseError, Layout
from ..sandbox.launch import SandboxFailed, Zygote, candidates
from ..submission import exercises_of
from .offer import offer_for
from .patience import patient
from .release import read_release
from .report import zero

if TYPE_CHECKING:
    from .grade import Lesson

# Hidden tests and references work on small inputs; what a submission makes them hold must not take the machine down.
MAX_DATA_BYTES = 4 << 30
# Above every limit inside, for a judge that a submission's answers have brought to a stop.
JOB_SECONDS = patient(150.0)
MAX_TRIES = 2
SET_DEATH_SIGNAL = 1


@dataclass(frozen=True)
class WorkerPlan:
    """What a judge is started with, as JSON on its command line.

    Args:
        root: the course's root.
        lessons: the (week, notebook) pairs that it must be able to grade.
        allow_unsafe: whether it may go on without a jail.
    """

    root: str
    lessons: list[tuple[str, str]]
    allow_unsafe: bool = False

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> WorkerPlan:
        fields = json.loads(text)
        return cls(**{**fields, "lessons": [tuple(lesson) for lesson in fields["lessons"]]})


class Judge:
    """Answers (job, week, notebook, bytes) with (job, report), forking for each.

    Args:
        line: a stream socket to the process that wants submissions graded.
        open_zygote: gives a lesson's sandbox, ready; called again should it end.
        lessons: what to grade with, by (week, notebook).
        run_test: runs one hidden test.
    """

    def __init__(
        self,
        line: socket.socket,
        open_zygote: Callable[[tuple[str, str]], Zygote],
        lessons: dict[tuple[str, str], Lesson],
        run_test: Any,
    ) -> None:
        self._line, self._open_zygote, self._lessons, self._run_test = line, open_zygote, lessons, run_test
        first = next(iter(lessons))
        # By what is offered inside: lessons that are given the same modules share a sandbox.
        self._zygotes = {lessons[first].offered: open_zygote(first)}
        self.mode = self._zygotes[lessons[first].offered].mode
        self._selector = selectors.DefaultSelector()
        self._jobs: dict[int, _Job] = {}

    def serve(self) -> None:
        """Judge until the other side hangs up."""
        from ..sandbox.shared.frames import Closed, receive, send

        self._selector.register(self._line, selectors.EVENT_READ)
        open_line = True
        while open_line or self._jobs:
            for key, _ in self._selector.select(timeout=1.0):
                if key.fileobj is self._line:
                    try:
                        document, _ = receive(self._line)
                    except Closed:
                        self._selector.unregister(self._line)
                        open_line = False
                        continue
                    self._begin(*msgpack.unpackb(document))
                elif self._jobs[key.fd].read():
                    document = self._finish(key.fd)
                    if open_line and document:
                        send(self._line, (document, []))
            self._stop_late_ones()

    def close(self) -> None:
        for zygote in self._zygotes.values():
            zygote.close()

    def _begin(self, number: int, week: str, notebook: str, payload: bytes, tries: int = 1) -> None:
        read_end, write_end = os.pipe()
        client = self._connect((week, notebook))
        pid = os.fork()
        if pid == 0:
            os.close(read_end)
            self._judge_and_exit(write_end, client, self._lessons[week, notebook], payload)
        os.close(write_end)
        client.close()
        job = _Job(number, pid, read_end, time.monotonic() + JOB_SECONDS, (week, notebook), payload, tries)
        self._jobs[read_end] = job
        self._selector.register(read_end, selectors.EVENT_READ)

    def _connect(self, lesson: tuple[str, str]) -> socket.socket:
        """Return a line to the lesson's zygote, to a new one if there is none yet or it has ended."""
        offered = self._lessons[lesson].offered
        if offered in self._zygotes:
            try:
                return self._zygotes[offered].connect()
            except OSError:
                self._zygotes.pop(offered).close()
        zygote = self._zygotes[offered] = self._open_zygote(lesson)
        if zygote.mode != self.mode:
            raise CourseError(
                f"A further sandbox was needed, and only a different one ({zygote.mode}) started; "
                "grade once more to go on with that."
            )
        return zygote.connect()

    def _judge_and_exit(self, write_end: int, client: socket.socket, lesson: Lesson, payload: bytes) -> None:
        from ..sandbox.host import Client
        from .grade import grade

        try:
            # Should the judge be killed, its forks must not go on alone.
            ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
            resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA_BYTES, MAX_DATA_BYTES))
            report = asdict(grade(payload, lesson, Client(client), self._run_test))
            document = msgpack.packb(report, unicode_errors="replace")
            with os.fdopen(write_end, "wb") as pipe:
                pipe.write(document)
        except BaseException as error:
            print(f"grading one submission failed: {error!r}", file=sys.stderr)
            os._exit(1)
        os._exit(0)

    def _finish(self, descriptor: int) -> bytes:
        """Return the answer for a job that has ended; b"" where it is tried again.

        A judge that fails twice, or does not end, still gives a grade, with its reason.
        """
        self._selector.unregister(descriptor)
        job = self._jobs.pop(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(job.pid, 0)
        document = bytes(job.answer)
        if status != 0 and job.tries < MAX_TRIES and not job.late:
            self._begin(job.number, *job.lesson, job.payload, job.tries + 1)
            return b""
        if status != 0 or not document:
            reason = "The grader could not finish with this submission; your instructor should look at it."
            document = msgpack.packb(asdict(zero(self._lessons[job.lesson].release, reason, "grader failed")))
        return msgpack.packb(job.number) + document

    def _stop_late_ones(self) -> None:
        for job in self._jobs.values():
            if time.monotonic() > job.deadline and not job.late:
                job.late = True
                os.kill(job.pid, signal.SIGKILL)


@dataclass
class _Job:
    number: int
    pid: int
    descriptor: int
    deadline: float
    lesson: tuple[str, str]
    payload: bytes
    tries: int
    late: bool = False

    def __post_init__(self) -> None:
        self.answer = bytearray()

    def read(self) -> bool:
        """Take what came; return whether the job has ended."""
        part = os.read(self.descriptor, 1 << 20)
        self.answer += part
        return not part


def main(descriptor: int, plan: WorkerPlan) -> None:
    """Start the sandbox, collect the hidden tests meanwhile, and serve."""
    line = socket.socket(fileno=descriptor)
    os.set_inheritable(descriptor, False)
    try:
        _serve(line, plan)
    except CourseError as error:
        _tell(line, {"error": str(error)})


def _serve(line: socket.socket, plan: WorkerPlan) -> None:
    layout = Layout(Path(plan.root))
    releases = {lesson: read_release(layout, *lesson) for lesson in plan.lessons}
    # Each lesson's own: what one notebook gives as a building block may be the answer to another's exercise.
    offers = {
        lesson: offer_for([release], layout.root / "course", layout.build / "cache")
        for lesson, release in releases.items()
    }
    try:
        started = Zygote(candidates(plan.allow_unsafe)[0], offers[plan.lessons[0]])
    except (SandboxFailed, IndexError):
        started = None

    # Only now, with the sandbox warming up beside it, does this process import torch.
    import torch

    from ..sandbox.host import open_sandbox
    from .grade import Lesson
    from .references import load_references
    from .rubrics import Rubric
    from .session import run_session
    from .student import warm

    torch.set_num_threads(1)
    warm()

    def serve(rubrics: dict[str, Any], run_test: Any) -> None:
        lessons = {}
        for (week, notebook), release in releases.items():
            file = layout.hidden_tests(week, notebook)
            lesson = Lesson(
                release,
                rubrics.get(str(file), Rubric()),
                load_references(layout.lesson_source(week, notebook)),
                tuple(map(str, offers[week, notebook].files)),
            )
            _compare_points(file, exercises_of(release), lesson)
            lessons[week, notebook] = lesson
        ahead = [started]

        def open_zygote(lesson: tuple[str, str]) -> Zygote:
            first = ahead.pop() if ahead else None
            return open_sandbox(offers[lesson], [layout.hidden], allow_unsafe=plan.allow_unsafe, started=first)

        judge = Judge(line, open_zygote, lessons, run_test)
        try:
            gc.collect()
            gc.freeze()
            _tell(line, {"ready": judge.mode})
            judge.serve()
        finally:
            judge.close()

    try:
        run_session([layout.hidden_tests(*lesson) for lesson in plan.lessons], serve)
    finally:
        if started is not None:
            started.close()


def _compare_points(file: Path, exercises: dict[str, float], lesson: Lesson) -> None:
    """Refuse hidden tests that do not belong to the notebook: a mark would be wrong without anyone noticing."""
    for exercise, points in exercises.items():
        given = lesson.rubric.points(exercise)
        if abs(given - points) > 1e-9:
            raise CourseError(
                f"{file}: the checks of {exercise} are worth {given:g} points and its cell {points:g}; "
                "make them equal, or run `course build` if the notebook is stale."
            )
    if unknown := sorted(set(lesson.rubric.exercises) - set(exercises)):
        raise CourseError(f"{file}: there are tests for {unknown[0]}, which is no exercise of the notebook.")


def _tell(line: socket.socket, message: dict[str, Any]) -> None:
    from ..sandbox.shared.frames import send

    send(line, (msgpack.packb(message), []))


if __name__ == "__main__":
    main(int(sys.argv[1]), WorkerPlan.load(sys.argv[2]))
