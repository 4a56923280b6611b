"""The same grading on many machines: submissions go to the workers of a Dask cluster that is already there.

Every worker needs this project installed, and the course's files as they are here; each checks that before it grades.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..layout import CourseError, Layout
from .cache import Cache
from .pool import Job, JudgePool

CONNECT_SECONDS = 15
# Enough that no worker waits for work, few enough that a large class does not lie in the scheduler's memory.
JOBS_A_THREAD = 4
RETRIES = 3

_pool: JudgePool | None = None
_pool_key: tuple[Any, ...] = ()
_lock = threading.Lock()


def grade_on_cluster(
    address: str, layout: Layout, lessons: set[tuple[str, str]], jobs: Iterable[Job], *, allow_unsafe: bool
) -> Iterator[tuple[int, dict[str, Any], str]]:
    """Yield (number, report, sandbox mode) for each job, as they end.

    A worker that dies costs nothing but time: grading is a pure function, and its jobs go to another worker.

    Args:
        address: the scheduler's, "tcp://host:8786".
        layout: the course.
        lessons: the (week, notebook) pairs that workers must be able to grade.
        jobs: (number, week, notebook, bytes) each.
        allow_unsafe: whether workers may go on without a jail.

    Raises:
        CourseError: there is no scheduler, it has no workers, or a worker has other course files.
    """
    from distributed import Client, as_completed

    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise CourseError(
            f"No Dask scheduler answers at {address} ({error}). Start one with `dask scheduler`."
        ) from None
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise CourseError(f"The scheduler at {address} has no workers. Start some with `dask worker {address}`.")
        cache = Cache(layout, allow_unsafe)
        waiting = iter(jobs)

        def submit(job: Job) -> Any:
            key = cache.key(*job[1:])
            call = (str(layout.root), sorted(lessons), allow_unsafe, key, job)
            return client.submit(grade_on_worker, *call, pure=False, retries=RETRIES)

        first = [submit(job) for job in itertools.islice(waiting, JOBS_A_THREAD * threads)]
        at_work = as_completed(first, loop=client.loop, with_results=True)
        for _, result in at_work:
            yield result
            if (job := next(waiting, None)) is not None:
                at_work.add(submit(job))


def grade_on_worker(
    root: str, lessons: list[tuple[str, str]], allow_unsafe: bool, key: str, job: Job
) -> tuple[int, dict[str, Any], str]:
    """Return (number, report, sandbox mode) for one job; runs in a Dask worker, whose judge stays for the next one."""
    global _pool, _pool_key
    layout = Layout(Path(root)) if Path(root, "nbgrader_config.py").is_file() else Layout.find()
    if Cache(layout, allow_unsafe).key(*job[1:]) != key:
        raise CourseError(
            f"A worker's copy of the course in {layout.root} differs from the one here; bring both to one state."
        )
    with _lock:
        wanted = (root, tuple(map(tuple, lessons)), allow_unsafe)
        if _pool_key != wanted:
            if _pool is not None:
                _pool.close()
            _pool, _pool_key = JudgePool(layout.root, lessons, allow_unsafe=allow_unsafe), wanted
        try:
            ((number, report),) = _pool.grade([job], 1)
            return number, report, _pool.mode()
        except BaseException:
            # A judge that ended, or was cut off in the middle of an answer, must not serve the next job.
            _pool.close()
            _pool, _pool_key = None, ()
            raise
