"""The judge's process: `python -m autograde.judge.worker DESCRIPTOR PLAN`. Its forks judge what it is sent."""

from __future__ import annotations

import gc
import json
import os
import selectors
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack

from ..layout import CourseError, Layout
from ..sandbox.launch import SandboxFailed, Zygote, candidates
from ..submission import exercises_of
from .fork import Job, JudgeFork
from .offer import offer_for
from .patience import patient
from .release import read_release
from .report import zero

if TYPE_CHECKING:
    from .grade import Lesson

# Above every limit inside, for a judge that a submission's answers have brought to a stop.
JOB_SECONDS = patient(150.0)
MAX_TRIES = 2


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
    """Answers (job, week, notebook, bytes, exercises) with (job, report), in forks.

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
        self._idle: list[JudgeFork] = []

    def serve(self) -> None:
        """Judge until the other side hangs up."""
        from ..sandbox.shared.frames import Closed, receive, send

        self._selector.register(self._line, selectors.EVENT_READ)
        open_line = True
        while open_line or self._at_work():
            for key, _ in self._selector.select(timeout=1.0):
                if key.fileobj is self._line:
                    try:
                        document, _ = receive(self._line)
                    except Closed:
                        self._selector.unregister(self._line)
                        open_line = False
                        continue
                    number, week, notebook, payload, *only = msgpack.unpackb(document)
                    self._begin(Job(number, (week, notebook), payload, *only))
                else:
                    document = self._finish(key.data)
                    if open_line and document:
                        send(self._line, (document, []))
            for fork in self._at_work():
                fork.stop_if_late()

    def close(self) -> None:
        for fork in [*self._idle, *self._at_work()]:
            fork.close()
        for zygote in self._zygotes.values():
            zygote.close()

    def _at_work(self) -> list[JudgeFork]:
        return [key.data for key in self._selector.get_map().values() if key.data is not None]

    def _begin(self, job: Job) -> None:
        # The fork first: one that is made later would keep the line to the sandbox open.
        fork = self._idle.pop() if self._idle else JudgeFork(self._answer)
        with self._connect(job.lesson) as client:
            fork.begin(job, client, JOB_SECONDS)
        self._selector.register(fork.line, selectors.EVENT_READ, fork)

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

    def _answer(self, job: Job, client: socket.socket) -> tuple[bytes, bool]:
        """Return a report, and whether nothing happened that the next submission had better not come after."""
        from ..sandbox.host import Client
        from .grade import grade

        report = grade(job.payload, self._lessons[job.lesson], Client(client), self._run_test, only=job.only)
        return msgpack.packb(report.as_plain(), unicode_errors="replace"), not report.flags

    def _finish(self, fork: JudgeFork) -> bytes:
        """Return the answer for a job that has ended; b"" where it is tried again.

        A judge that fails twice, or does not end, still gives a grade, with its reason.
        """
        self._selector.unregister(fork.line)
        job, document, good = fork.finish()
        if good:
            self._idle.append(fork)
        else:
            fork.close()
        if not document and job.tries < MAX_TRIES and not job.late:
            self._begin(replace(job, tries=job.tries + 1))
            return b""
        if not document:
            reason = "The grader could not finish with this submission; your instructor should look at it."
            document = msgpack.packb(zero(self._lessons[job.lesson].release, reason, "grader failed").as_plain())
        return msgpack.packb(job.number) + document


def main(descriptor: int, plan: WorkerPlan) -> None:
    """Start the sandbox, collect the hidden tests meanwhile, and serve."""
    # Imports make much and drop little: looking for garbage meanwhile costs more than a tenth of their time.
    gc.disable()
    line = socket.socket(fileno=descriptor)
    os.set_inheritable(descriptor, False)
    try:
        _serve(line, plan)
    except CourseError as error:
        _tell(line, {"error": str(error)})
    except KeyboardInterrupt:
        # Ctrl-C reaches every process of a terminal; whoever started this one says what is to be said.
        return


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
    if any(b"differentiable" in layout.hidden_tests(*lesson).read_bytes() for lesson in plan.lessons):
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
            gc.freeze()
            gc.enable()
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
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is closed; taking all that was imported apart again would only take time.
    os._exit(0)
