"""Running a rebuilt notebook's cells in a jailed process, and keeping a snapshot of it for each exercise."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from ..rubric import StudentDied, StudentError, StudentTimeout
from ..sandbox.connection import Connection
from ..submission import Notebook, checked_exercise, is_added, is_run, source_of
from .patience import patient
from .report import CellResult

CELL_SECONDS = patient(10.0)
MAX_REPLAYS = 3
GAVE_UP = CellResult("Died", "too many other cells ended the process or did not finish")
# The sandbox keeps to less, unless a student's code answers in its place.
MAX_CHARS = {"error": 80, "message": 1_000, "output": 21_000}


@dataclass
class Run:
    """A notebook that has been run.

    Args:
        process: the process at the end of the notebook, None where it could not be kept alive.
        snapshots: a process for each exercise as it was at the exercise's check cell.
        results: by the cell's place in the notebook.
        seconds: the wall time it took.
    """

    process: Connection | None = None
    snapshots: dict[str, Connection] = field(default_factory=dict)
    results: dict[int, CellResult] = field(default_factory=dict)
    seconds: float = 0.0

    def close(self) -> None:
        for connection in (*self.snapshots.values(), self.process):
            if connection is not None:
                connection.close()


def run_notebook(
    notebook: Notebook,
    start: Callable[[], Connection],
    seconds: float = CELL_SECONDS,
    *,
    exercises: Container[str] | None = None,
) -> Run:
    """Return the notebook's cells run in order, with a snapshot at each check cell.

    A cell that ends the process or does not finish is dropped, and the others are run again in a fresh process. After
    `MAX_REPLAYS` of these, the student's own cells are dropped with the next one, and if that is not enough all that
    follows: the answers above still count.

    Args:
        notebook: a rebuilt submission.
        start: gives a fresh jailed process.
        seconds: the limit for each cell.
        exercises: those that get a snapshot, None for all.
    """
    dropped: dict[int, CellResult] = {}
    began = time.monotonic()
    run = Run()
    for attempt in range(MAX_REPLAYS + 3):
        run = Run(results=dict(dropped))
        place = _run_once(notebook, start, seconds, run, exercises)
        if place is None:
            break
        if attempt >= MAX_REPLAYS:
            for other, cell in enumerate(notebook["cells"]):
                hopeless = other > place if attempt > MAX_REPLAYS else is_added(cell)
                if hopeless and is_run(cell):
                    dropped.setdefault(other, GAVE_UP)
        dropped[place] = run.results[place]
        run.close()
    run.seconds = time.monotonic() - began
    return run


def _run_once(
    notebook: Notebook,
    start: Callable[[], Connection],
    seconds: float,
    run: Run,
    exercises: Container[str] | None,
) -> int | None:
    """Fill in `run`; return the place of the cell that ended the process, None if all went to the end."""
    try:
        run.process = start()
    except StudentDied:
        return None
    for place, cell in enumerate(notebook["cells"]):
        try:
            if is_run(cell) and place not in run.results:
                answer = run.process.request("cell", source_of(cell), seconds=seconds)
                run.results[place] = read_result(answer)
            elif (exercise := checked_exercise(cell)) and (exercises is None or exercise in exercises):
                run.snapshots[exercise] = run.process.fork(seconds)
        except StudentTimeout:
            run.results[place] = CellResult("Timeout", f"it did not finish within {seconds:.0f} seconds")
            return place
        except (StudentDied, StudentError):
            run.results[place] = CellResult("Died", "it ended the process")
            return place
    return None


def read_result(answer: object) -> CellResult:
    """Return the answer's parts as plain text of bounded length, whatever the process made of them."""
    parts = answer if isinstance(answer, dict) else {}
    return CellResult(
        *(part[:size] if isinstance(part := parts.get(key), str) else "" for key, size in MAX_CHARS.items())
    )
