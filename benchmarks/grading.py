"""How fast a class of week 1 is graded: nbgrader as it comes against `course grade`, in one run on this machine.

Both grade the same notebooks for the same points. nbgrader runs the visible checks in the student's kernel; `course
grade` runs the hidden tests, several times as many, from a process apart. What students hand in also trains and draws:
nbgrader runs that too, minutes a notebook, and our grader does not, as no mark depends on it. So there are two ratios:
the notebooks as they are, which is what a class waits for, and without those cells, which compares the graders alone.

A submission is what one student hands in for the week, three notebooks. 1,000 of them in one run of ours, and parts of
them, come last: the time must grow in proportion, the memory not at all.

Run by `make bench`, or alone: `python -m benchmarks grading`. COURSE_BENCH_QUICK=1 grades fewer; where nbgrader graded
fewer than we did, its time is extrapolated, and the line says so.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograde.builder.expand import to_bytes
from autograde.builder.release import ensure_release
from autograde.catalogue import fill_in, read_catalogue, references
from autograde.layout import Layout
from autograde.submission import metadata

WEEK = "week1_rnn_limits"
QUICK = bool(os.environ.get("COURSE_BENCH_QUICK"))
N_STUDENTS = 40
N_STOCK = 4 if QUICK else N_STUDENTS
CLASS_SIZES = (20, 40) if QUICK else (250, 500, 1000)
SAMPLE_SECONDS = 0.5
SET_CHILD_SUBREAPER = 36


@dataclass
class Cost:
    """What a command took: wall and processor seconds, and the most memory all its processes held together, in MiB."""

    wall: float
    cpu: float
    peak: float

    def __str__(self) -> str:
        return f"{self.wall:.1f} s wall, {self.cpu:.1f} s processor, {self.peak:,.0f} MiB at most"


def measure(command: Sequence[str], folder: Path, **environment: str) -> Cost:
    """Run a command and all that it starts to their end, and return their cost."""
    # bubblewrap does not wait for what it started: without this, the sandbox's processor time would be nobody's.
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1]), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    peaks = [0.0]
    watcher = threading.Thread(target=_watch, args=(process, peaks), daemon=True)
    watcher.start()
    _, errors = process.communicate()
    wall = time.perf_counter() - began
    watcher.join()
    _reap()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{errors[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, peaks[0])


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _watch(process: subprocess.Popen, peaks: list[float]) -> None:
    while process.poll() is None:
        peaks[0] = max(peaks[0], sum(_proportional_mib(pid) for pid in _descendants(process.pid)))
        time.sleep(SAMPLE_SECONDS)


def _descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(found for child in children for found in _descendants(int(child)))]


def _proportional_mib(pid: int) -> float:
    """Return a process's memory, with each shared page divided among those who share it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def class_notebooks(layout: Layout, n_students: int) -> dict[tuple[str, str], dict]:
    """Return the notebooks of a class by (student, notebook): every student makes other mistakes, one a notebook."""
    notebooks = {}
    for week, notebook in layout.lessons():
        if week != WEEK:
            continue
        right = dict(references(layout, week, notebook))
        wrong = [answer for answer in read_catalogue(layout, week, notebook) if not answer.right]
        for number in range(n_students):
            slip = wrong[number % len(wrong)]
            answers = right | {slip.exercise: slip.source + f"\n# student {number}"}
            notebooks[f"s{number:04}", notebook] = json.loads(to_bytes(fill_in(layout, week, notebook, answers)))
    return notebooks


def without_plain_code(notebook: dict) -> dict:
    """Return the notebook without code that no grade depends on."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] != "code" or metadata(cell)]
    return {**notebook, "cells": cells}


def hand_in(folder: Path, notebooks: dict[tuple[str, str], dict], n_students: int) -> int:
    """Write the first students' notebooks; return how many there are."""
    shutil.rmtree(folder, ignore_errors=True)
    chosen = {key: notebook for key, notebook in notebooks.items() if key[0] < f"s{n_students:04}"}
    for (student, name), notebook in chosen.items():
        path = folder / student / WEEK / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook))
    return len(chosen)


def copy_of_course(layout: Layout, target: Path) -> Layout:
    """Return a copy of what grading needs, whose gradebook nobody misses."""
    for part in ("notebooks", "solutions", "autograde/hidden", "course"):
        ignored = shutil.ignore_patterns("__pycache__", "*.png")
        shutil.copytree(layout.root / part, target / part, ignore=ignored)
    shutil.copyfile(layout.root / "nbgrader_config.py", target / "nbgrader_config.py")
    copy = Layout(target)
    ensure_release(copy)
    return copy


def stock_course(source: Path, target: Path, change: Callable[[dict], dict]) -> None:
    """Make a course of nbgrader's own, without anything of ours, on the same notebooks, each changed in some way."""
    for path in (source / WEEK).glob("*.ipynb"):
        place = target / "source" / WEEK / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(change(json.loads(path.read_text("utf-8")))))
    (target / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.CourseDirectory.root = {str(target)!r}\nc.ExecutePreprocessor.timeout = 600\n"
    )
    measure([sys.executable, "-m", "nbgrader", "generate_assignment", WEEK], target)


def measure_stock(folder: Path, notebooks: dict[tuple[str, str], dict], n_students: int) -> tuple[int, Cost]:
    """Return how many notebooks nbgrader as it comes has graded, and what it cost."""
    n_notebooks = hand_in(folder / "submitted", notebooks, n_students)
    shutil.rmtree(folder / "autograded", ignore_errors=True)
    return n_notebooks, measure([sys.executable, "-m", "nbgrader", "autograde", WEEK], folder)


def measure_ours(course: Layout, notebooks: dict[tuple[str, str], dict], n_students: int) -> tuple[int, Cost, Cost]:
    """Return how many notebooks `course grade` has graded, what it cost, and what a second run cost."""
    for folder in (course.build / "cache" / "reports", course.autograded, course.feedback):
        shutil.rmtree(folder, ignore_errors=True)
    course.gradebook.unlink(missing_ok=True)
    ensure_release(course)
    n_notebooks = hand_in(course.submitted, notebooks, n_students)
    command = [sys.executable, "-m", "autograde", "grade", str(course.submitted), "--json", "-"]
    cold, cached = (measure(command, course.root, COURSE_ROOT=str(course.root)) for _ in range(2))
    return n_notebooks, cold, cached


def compare(ours: Layout, stock: Path, notebooks: dict[tuple[str, str], dict]) -> None:
    """Print what the same class costs in both."""
    n_notebooks, cold, cached = measure_ours(ours, notebooks, N_STUDENTS)
    print(f"course grade, {n_notebooks} notebooks: {cold}", flush=True)
    print(f"course grade, nothing changed: {cached}", flush=True)
    stock_course(ours.source, stock / "whole", dict)
    n_whole, whole = measure_stock(stock / "whole", notebooks, 1)
    print(f"nbgrader autograde, {n_whole} notebooks as they are handed in: {whole}")
    waited = whole.wall / n_whole * n_notebooks
    print(
        f"nbgrader autograde, {n_notebooks} notebooks as they are handed in: {waited:,.0f} s wall, extrapolated; "
        f"ratio, start-up included: {waited / cold.wall:,.0f}, cached {waited / cached.wall:,.0f}",
        flush=True,
    )
    stripped = {key: without_plain_code(notebook) for key, notebook in notebooks.items()}
    stock_course(ours.source, stock / "graded", without_plain_code)
    n_one, one = measure_stock(stock / "graded", stripped, 1)
    n_many, many = measure_stock(stock / "graded", stripped, N_STOCK)
    print(f"nbgrader autograde, {n_many} notebooks without training and drawing: {many}")
    wall = many.wall
    if n_many < n_notebooks:
        # Start-up once, then the slope: the fairest that few notebooks can be to nbgrader.
        slope = (many.wall - one.wall) / (n_many - n_one)
        wall = one.wall + slope * (n_notebooks - n_one)
        print(f"nbgrader autograde, {n_notebooks} of these: {wall:.1f} s wall, extrapolated ({slope:.2f} s a notebook)")
    minutes = [n_notebooks / seconds * 60 for seconds in (cold.wall, cached.wall, wall)]
    print("notebooks a minute: {:,.0f}, cached {:,.0f}, nbgrader {:,.1f}".format(*minutes))
    print(f"ratio of the graders alone, start-up included: {wall / cold.wall:.1f}, cached {wall / cached.wall:.0f}")
    per_notebook = [cost.cpu / n for cost, n in ((cold, n_notebooks), (cached, n_notebooks), (many, n_many))]
    print("processor seconds a notebook: {:.2f}, cached {:.3f}, nbgrader {:.2f}".format(*per_notebook))
    print(f"peak memory: {cold.peak:,.0f} MiB, cached {cached.peak:,.0f} MiB, nbgrader {many.peak:,.0f} MiB")


def grow(ours: Layout) -> None:
    """Print what ever larger classes cost in one run each, and the slope between one and the next."""
    notebooks = class_notebooks(ours, CLASS_SIZES[-1])
    before = None
    for n_students in CLASS_SIZES:
        n_notebooks, cold, cached = measure_ours(ours, notebooks, n_students)
        line = f"course grade, {n_notebooks} notebooks: {cold}; again: {cached.wall:.1f} s"
        if before is not None:
            n_more = n_notebooks - before[0]
            line += f"; {1000 * (cold.wall - before[1].wall) / n_more:.0f} ms wall, "
            line += f"{1000 * (cold.cpu - before[1].cpu) / n_more:.0f} ms processor for each one more"
        print(line, flush=True)
        before = n_notebooks, cold


def main() -> None:
    """Print both costs and their ratios, then how ours grow."""
    layout = Layout.find()
    with tempfile.TemporaryDirectory(prefix="course-bench-") as place:
        ours = copy_of_course(layout, Path(place) / "ours")
        compare(ours, Path(place) / "stock", class_notebooks(layout, N_STUDENTS))
        grow(ours)


if __name__ == "__main__":
    main()
