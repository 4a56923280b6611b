"""Grading many submissions: what is cached is taken, the rest goes to the judge."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..judge.release import read_release
from ..judge.report import zero
from ..layout import Layout
from ..submission import Unreadable, read_bytes
from .cache import Cache
from .pool import Job, JudgePool
from .report import Entry
from .submissions import Submission

CACHED = "cached"


@dataclass
class Grader:
    """Grades submissions of one course; use it in a `with` block, which ends the judge.

    Args:
        layout: the course.
        n_jobs: how many submissions are judged at the same time; by default as many as there are processors.
        allow_unsafe: whether to go on without a jail where none works.
        use_cache: whether to take and keep reports.
        scheduler: the address of a Dask scheduler to which the work goes instead.
        modes, keys: which sandboxes were used, and under which key each submission's report is kept, by its place.
    """

    layout: Layout
    n_jobs: int = field(default_factory=lambda: len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    allow_unsafe: bool = False
    use_cache: bool = True
    scheduler: str | None = None
    modes: set[str] = field(default_factory=set)
    keys: dict[int, str] = field(default_factory=dict)
    _pool: JudgePool | None = None

    def grade(self, submissions: Sequence[Submission]) -> Iterator[Entry]:
        """Return an iterator over an entry for each submission, in the order in which they get graded.

        The judge starts at once, so that the caller can do other slow things before asking for the first entry.

        Raises:
            CourseError: the course itself cannot be graded: a missing notebook, a broken hidden test, no sandbox.
        """
        cache = Cache(self.layout, self.allow_unsafe)
        ready: list[Entry] = []
        waiting: list[int] = []
        for number, submission in enumerate(submissions):
            if (entry := self._without_judge(number, submission, cache)) is None:
                waiting.append(number)
            else:
                ready.append(entry)
        lessons = {(submissions[number].week, submissions[number].notebook) for number in waiting}
        if waiting and self.scheduler is None:
            self._pool = JudgePool(self.layout.root, lessons, allow_unsafe=self.allow_unsafe)
        return self._entries(submissions, ready, waiting, lessons, cache)

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.close()

    def _without_judge(self, number: int, submission: Submission, cache: Cache) -> Entry | None:
        """Return the entry of a submission that need not be judged: foreign, unreadable or judged before."""
        if not submission.known:
            return _foreign(submission)
        try:
            payload = read_bytes(submission.path)
        except Unreadable as error:
            return self._unreadable(submission, str(error))
        key = cache.key(submission.week, submission.notebook, payload)
        report = cache.get(key) if self.use_cache else None
        if report is None:
            return None
        self.keys[number] = key
        self.modes.add(CACHED)
        return Entry.of(submission, report, CACHED)

    def _entries(
        self,
        submissions: Sequence[Submission],
        ready: list[Entry],
        waiting: list[int],
        lessons: set[tuple[str, str]],
        cache: Cache,
    ) -> Iterator[Entry]:
        yield from ready
        if not waiting:
            return
        # Read again one by one, so that a large class does not lie in memory.
        jobs = (self._job(number, submissions[number], cache) for number in waiting)
        for number, report, mode in self._judge(lessons, jobs):
            if self.use_cache:
                cache.put(self.keys[number], report)
            self.modes.add(mode)
            yield Entry.of(submissions[number], report, mode)
        if self._pool is not None:
            self._pool.hang_up()  # it puts its things away while the class's page is written

    def _judge(self, lessons: set[tuple[str, str]], jobs: Iterator[Job]) -> Iterator[tuple[int, Any, str]]:
        if self._pool is None:
            from .cluster import grade_on_cluster

            yield from grade_on_cluster(str(self.scheduler), self.layout, lessons, jobs, allow_unsafe=self.allow_unsafe)
            return
        for number, report in self._pool.grade(jobs, self.n_jobs):
            yield number, report, self._pool.mode()

    def _job(self, number: int, submission: Submission, cache: Cache) -> Job:
        """Return the job for a submission, and note under which key its report is to be kept."""
        try:
            payload = read_bytes(submission.path)
        except Unreadable:
            payload = b""
        self.keys[number] = cache.key(submission.week, submission.notebook, payload)
        return number, submission.week, submission.notebook, payload

    def _unreadable(self, submission: Submission, why: str) -> Entry:
        release = read_release(self.layout, submission.week, submission.notebook)
        reason = f"This submission could not be read: {why}."
        return Entry.of(submission, zero(release, reason, "unreadable").as_plain(), "")


def _foreign(submission: Submission) -> Entry:
    note = "This file is none of the course's notebooks, so there was nothing to grade."
    return Entry(submission, 0.0, 0.0, [note, *([submission.note] if submission.note else [])], [], ["foreign"])
