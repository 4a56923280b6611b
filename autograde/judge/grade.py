"""One submission, from its bytes to its report: the pure function at the centre of the grader."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ..rubric import StudentDied, StudentError, StudentTimeout
from ..sandbox.connection import Connection
from ..sandbox.host import Client
from ..submission import (
    SETUP,
    Notebook,
    Rebuilt,
    Unreadable,
    checked_exercise,
    exercises_of,
    grade_id,
    is_run,
    metadata,
    parse,
    rebuild,
    source_of,
)
from .cells import read_result, run_notebook
from .patience import patient
from .references import names_in, names_used, replaceable, stand_in
from .report import CellResult, ExerciseReport, Report, with_outputs, zero
from .rubrics import GradedTest, Rubric
from .student import CALL_SECONDS, Processes, Student
from .verdict import NOT_ANSWERED, Verdict, soften

SUBMISSION_SECONDS = patient(60.0)
# A visible check can be done by hand.
VISIBLE_SECONDS = patient(2.0)
MAX_NOTE_CHARS = 300
# Reading Python takes a second for each million characters.
MAX_NAMES_CHARS = 500_000
MODULES = "Answers are run with Python's own modules, torch, numpy, matplotlib and what the setup cell imports."
FAILS_TOO = "The check beside the exercise fails too."
FAILS_ALONE = "All hidden tests pass, but the check beside the exercise fails."
STUB_ERROR = "NotImplementedError"
# The name that IPython gives to a cell: it means nothing to its author.
SHELL_FILE = re.compile(r"<ipython-input-[^>]*>")

RunTest = Callable[[GradedTest, str, Student], Verdict]


@dataclass
class Lesson:
    """What is needed to grade one notebook, loaded once.

    Args:
        release: the notebook as it was given out.
        rubric: its hidden tests.
        references: the course's own answers by name.
        offered: the modules of `course` that its sandbox holds.
    """

    release: Notebook
    rubric: Rubric
    references: dict[str, Any] = field(default_factory=dict)
    offered: tuple[str, ...] = ()


def grade(
    payload: bytes, lesson: Lesson, client: Client, run_test: RunTest, *, only: Collection[str] | None = None
) -> Report:
    """Return the report on a submission; it depends on nothing but these bytes and the lesson.

    Args:
        payload: the submitted file.
        lesson: what to grade it with.
        client: where to start jailed processes.
        run_test: runs one hidden test against a student.
        only: the exercises to judge, None for all, which is what a mark needs: with others left out, their failures
            are not known, so nothing is carried forward from them. For tests of one exercise's hidden tests.
    """
    try:
        cells = parse(payload)
    except Unreadable as error:
        return zero(lesson.release, f"This submission could not be read: {error}.", "unreadable")
    rebuilt = rebuild(lesson.release, cells)
    return _Session(lesson, rebuilt, client, run_test, only).report()


class SandboxGone(Exception):
    """The sandbox starts no more processes; the submission is not to blame."""


class _Session:
    """One submission while it is being judged."""

    def __init__(
        self, lesson: Lesson, rebuilt: Rebuilt, client: Client, run_test: RunTest, only: Collection[str] | None
    ) -> None:
        self._lesson, self._rebuilt, self._client, self._run_test = lesson, rebuilt, client, run_test
        points = exercises_of(lesson.release)
        self._points = {name: points[name] for name in points if only is None or name in only}
        self._deadline = self._share = time.monotonic() + SUBMISSION_SECONDS
        self._said: dict[str, str] = {}
        self._flags: set[str] = set()
        cells = rebuilt.notebook["cells"]
        self._answers = {grade_id(cell): place for place, cell in enumerate(cells) if metadata(cell).get("solution")}
        self._checks = {name: source_of(cell) for cell in cells if (name := checked_exercise(cell)) in self._points}

    def report(self) -> Report:
        self._run = run_notebook(self._rebuilt.notebook, self._start, exercises=self._points)
        try:
            self._said = self._visible_checks()
            exercises: list[ExerciseReport] = []
            for exercise, points in self._points.items():
                # An even share of the time that is left: two endless answers must not starve a third that is right.
                now = time.monotonic()
                self._share = now + (self._deadline - now) / (len(self._points) - len(exercises))
                exercises.append(self._judge(exercise, points, exercises))
        finally:
            self._run.close()
        notes = [*self._setup_notes(), *self._rebuilt.notes]
        if not self._rebuilt.n_found:
            notes.insert(0, "None of the course's exercises was found in this notebook.")
        if time.monotonic() >= self._deadline:
            notes.append(
                f"Grading stopped after {SUBMISSION_SECONDS:.0f} seconds; what was not reached counts as failed."
            )
            self._flags.add("timed out")
        score, maximum = (round(sum((getattr(e, part) for e in exercises), 0.0), 9) for part in ("score", "max"))
        notebook = with_outputs(self._rebuilt.notebook, exercises, self._run.results)
        return Report(score, maximum, notes, exercises, sorted(self._flags), notebook)

    def _setup_notes(self) -> list[str]:
        """Return what went wrong in cells that are ours: no answer can be right after that."""
        cells = self._rebuilt.notebook["cells"]
        failed = [
            f"The cell {grade_id(cells[place])}, which is not yours, stopped with {result.error}: {result.message}"
            for place, result in self._run.results.items()
            if result.error and grade_id(cells[place]).startswith(SETUP)
        ]
        if failed:
            self._flags.add("setup failed")
        return [_shown(note) for note in failed]

    def _left(self) -> float:
        return max(0.05, min(self._deadline, self._share) - time.monotonic())

    def _start(self) -> Connection:
        try:
            return self._client.start(self._left)
        except StudentDied:
            if self._left() > 1.0:
                # None of the student's code has run in it yet.
                raise SandboxGone("a fresh process did not start") from None
            raise

    def _again(self) -> Connection:
        """Return a fork of the process at the end of the notebook, which never saw a hidden input."""
        if self._run.process is None:
            raise StudentDied("the submission's process could not be kept")
        if time.monotonic() >= self._share:
            raise StudentTimeout("no time is left for this exercise")
        # In the submission's time, not in what is left of one exercise's: a process that cannot fork in time is killed,
        # and with this one all snapshots would go.
        share, self._share = self._share, self._deadline
        try:
            return self._run.process.fork(CALL_SECONDS)
        finally:
            self._share = share

    def _judge(self, exercise: str, points: float, before: Sequence[ExerciseReport]) -> ExerciseReport:
        processes = Processes(self._run.snapshots.get(exercise), self._again)
        verdicts = self._verdicts(exercise, processes)
        if self._result(exercise).error == STUB_ERROR:
            # The stub of a class stops where it stands, so that its name is never defined.
            verdicts = [v if v.passed else replace(v, hint=NOT_ANSWERED) for v in verdicts]
        self._flags.update(verdict.event for verdict in verdicts if verdict.event)
        note = self._cell_note(exercise)
        if not all(verdict.passed for verdict in verdicts):
            later = self._at_the_end(exercise)
            if _score(later) > _score(verdicts):
                verdicts = later
                note = f"Judged with what your later cells define, since the better mark counts. {note}"
        if not all(verdict.passed for verdict in verdicts):
            carried, names = self._carried_forward(exercise, before)
            if _score(carried) > _score(verdicts):
                verdicts = carried
                note = f"Judged with our {' and '.join(names)} in place of yours, since the better mark counts. {note}"
            if not note and any(not verdict.passed and verdict.hint != NOT_ANSWERED for verdict in verdicts):
                note = self._said.get(exercise, "")
        elif self._said.get(exercise, "").startswith(FAILS_TOO):
            # Marks come from the hidden tests alone, but nobody should wonder why the notebook says otherwise.
            note = f"{note} {self._said[exercise].replace(FAILS_TOO, FAILS_ALONE)}"
        checks = [
            {**vars(verdict.check), "hint": verdict.hint, "passed": verdict.passed, "detail": verdict.detail}
            for verdict in soften(verdicts)
        ]
        return ExerciseReport(exercise, _score(verdicts), round(points, 9), note.strip(), checks)

    def _verdicts(self, exercise: str, processes: Processes) -> list[Verdict]:
        try:
            return [
                self._run_test(test, exercise, Student(processes))
                for test in self._lesson.rubric.exercises.get(exercise, [])
            ]
        finally:
            processes.close()

    def _at_the_end(self, exercise: str) -> list[Verdict]:
        """Return the verdicts at the notebook's end where a later cell defines what the answer needs, else none."""
        cells = self._rebuilt.notebook["cells"]
        check = next(place for place, cell in enumerate(cells) if checked_exercise(cell) == exercise)
        needed = {exercise}.union(*(read for read, _ in self._names[:check]))
        if needed.isdisjoint(set().union(*(bound for _, bound in self._names[check:]))):
            return []
        return self._verdicts(exercise, Processes(None, self._again))

    @cached_property
    def _names(self) -> list[tuple[set[str], set[str]]]:
        """Return which names each cell that is run reads and which it defines; of a huge notebook only the first."""
        left = MAX_NAMES_CHARS
        found = []
        for cell in self._rebuilt.notebook["cells"]:
            source = source_of(cell) if is_run(cell) else ""
            left -= len(source)
            found.append(names_in(source) if left >= 0 else (set(), set()))
        return found

    def _carried_forward(self, exercise: str, before: Sequence[ExerciseReport]) -> tuple[list[Verdict], list[str]]:
        """Return the verdicts with the course's own blocks in place of failed ones that this answer calls."""
        failed = [report.id for report in before if report.score < report.max]
        used = self._blocks_used(exercise, [report.id for report in before])
        names = [name for name in failed if name in used and replaceable(self._lesson.references, name)]
        if not names:
            return [], []
        try:
            process = self._again()
            for name in names:
                process.request("replace", name, *stand_in(self._lesson.references[name]), seconds=CALL_SECONDS)
        except (StudentDied, StudentError, StudentTimeout):
            return [], []

        def no_other() -> Connection:
            raise StudentDied("the process ended")

        return self._verdicts(exercise, Processes(process, no_other)), names

    def _blocks_used(self, exercise: str, earlier: Sequence[str]) -> set[str]:
        """Return the earlier exercises that an answer calls, directly or through one another."""
        used: set[str] = set()
        waiting = [exercise]
        while waiting:
            place = self._answers.get(waiting.pop())
            source = "" if place is None else source_of(self._rebuilt.notebook["cells"][place])
            found = set(names_used(source, earlier)) - used
            used |= found
            waiting += found
        return used

    def _cell_note(self, exercise: str) -> str:
        result = self._result(exercise)
        if result.error in ("Timeout", "Died"):
            self._flags.add("timed out" if result.error == "Timeout" else "died")
            return f"Your cell was left out: {result.message}."
        if result.error and result.error != STUB_ERROR:
            message = SHELL_FILE.sub("your cell", result.message)
            advice = f". {MODULES}" if result.error == "ModuleNotFoundError" else ""
            return _shown(f"Your cell stopped with {result.error}: {message}") + advice
        return ""

    def _result(self, exercise: str) -> CellResult:
        """Return what came of the exercise's answer cell."""
        return self._run.results.get(self._answers.get(exercise, -1), CellResult())

    def _visible_checks(self) -> dict[str, str]:
        """Return what the check beside each exercise says, "" where it passes; its inputs are public.

        All of them come before any hidden test: what an answer sees there it could write to a file and say here.
        """
        said: dict[str, str] = {}
        process: Connection | None = None
        for exercise, source in self._checks.items():
            try:
                process = self._again() if process is None or process.dead else process
                said[exercise] = _said(process.request("check", source, seconds=VISIBLE_SECONDS))
            except (StudentDied, StudentError, StudentTimeout):
                said[exercise] = "The check beside the exercise did not finish."
        if process is not None:
            process.close()
        return said


def _said(answer: Any) -> str:
    """Return a visible check's failure as a sentence for the student, "" where it passed."""
    result = read_result(answer)
    if not result.error:
        return ""
    said = result.message if result.error == "AssertionError" else f"{result.error}: {result.message}"
    return _shown(f"{FAILS_TOO} {said.strip()}")


def _shown(text: str) -> str:
    """Return a student's own words as they may stand in a terminal: cut, without control characters."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text[:MAX_NOTE_CHARS])


def _score(verdicts: Sequence[Verdict]) -> float:
    return round(sum((verdict.check.points for verdict in verdicts if verdict.passed), 0.0), 9)
