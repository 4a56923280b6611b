"""Grading is stopped between any two writes, as by a power cut, and started again: nothing may be lost or doubled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograde.builder.release import ensure_release
from autograde.grading.gradebook import put_tools_on_path
from autograde.layout import Layout

from .conftest import LESSON, copy_course
from .recorded import contents, entry, hand_in_judged, record

WEEK, NOTEBOOK = LESSON
FULL = {"count_ngrams": 2.0, "softmax": 3.0, "attend": 2.0, "Scale": 2.0, "draw": 1.0}
# Grades a class and ends the process, without any clean-up, before its n-th change of a file or a gradebook.
# Python tells an audit hook of every file that is renamed or removed; nothing of the grader is replaced.
CUT = """
import contextlib, io, os, sqlite3, sys
from pathlib import Path
import autograde.grading.record, autograde.builder.release, nbgrader.api, alembic
from autograde.grading.commands import grade

root, counts, submitted = Path(sys.argv[1]), sys.argv[2:-1], Path(sys.argv[-1])

def grade_silently():
    with contextlib.redirect_stdout(io.StringIO()):
        grade([submitted], None, None, None, None, False, False, False, False)

def run(layout, cut):
    left = [cut]
    def step():
        left[0] -= 1
        if left[0] == 0:
            os._exit(9)
    def hook(event, arguments):
        # What is opened for writing is a file beside the one that is meant; it counts when it is renamed.
        if event in ("os.rename", "os.remove", "os.rmdir") and str(layout) in str(arguments[0]):
            step()
    class Connection(sqlite3.Connection):
        def commit(self):
            if self.in_transaction:
                step()
            super().commit()
    connect = sqlite3.connect
    sqlite3.connect = sqlite3.dbapi2.connect = lambda *args, **more: connect(*args, **{"factory": Connection, **more})
    sys.addaudithook(hook)
    grade_silently()
    os.write(result, str(cut - left[0]).encode())
    os._exit(0)

os.environ["COURSE_ROOT"] = str(root)
if len(counts) > 1:
    grade_silently()  # whatever is imported or set up now need not be in every fork
print("ready", flush=True)
for count in counts:
    sys.stdin.readline()
    reading, result = os.pipe()
    if os.fork() == 0:
        try:
            run(root, int(count))
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.wait()[1])
    os.close(result)
    print(status, os.read(reading, 100).decode() or "-", flush=True)
"""
NEVER = 10**9


class Grading:
    """One process that grades a course again and again, each time in a fork of its own."""

    def __init__(self, layout: Layout, counts: list[int]) -> None:
        repository = str(Path(__file__).parents[2])
        command = [sys.executable, "-c", CUT, str(layout.root), *map(str, counts), str(layout.submitted)]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": repository},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    def run(self) -> tuple[int, str]:
        """(exit status, number of writes) of one more run."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        status, n_writes = self.process.stdout.readline().split()
        return int(status), n_writes

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


def grade_once(layout: Layout) -> int:
    """Grade without a cut; the number of writes."""
    with Grading(layout, [NEVER]) as grading:
        status, n_writes = grading.run()
    assert status == 0
    return int(n_writes)


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> Layout:
    """A class that was graded once, had marks and words added by hand, and has handed in again."""
    layout = copy_course(tmp_path_factory.mktemp("cuts") / "course")
    put_tools_on_path()
    ensure_release(layout)
    record(layout, [entry(layout, "ada", {}), entry(layout, "ben", FULL)])
    with Gradebook(f"sqlite:///{layout.gradebook}") as gradebook:
        gradebook.find_grade("check_softmax", NOTEBOOK, WEEK, "ada").manual_score = 2.5
        gradebook.find_grade("why", NOTEBOOK, WEEK, "ada").manual_score = 4.0
        gradebook.find_comment("why", NOTEBOOK, WEEK, "ada").manual_comment = "Well argued."
        gradebook.db.commit()
    hand_in_judged(layout, "ada", FULL)
    hand_in_judged(layout, "ben", {}, flags=["unreadable"], notes=["This submission could not be read: it is empty."])
    hand_in_judged(layout, "하준", {**FULL, "draw": 0.0})
    return layout


def restore(state: Path, layout: Layout) -> None:
    shutil.rmtree(layout.build)
    shutil.copytree(state, layout.build)


def is_between(found: dict, before: dict, after: dict) -> bool:
    """Whether each file is an old or a new one, and each student's marks all are."""
    students = {place[:2] for place in after if isinstance(place, tuple)}
    marks = [[{p: v for p, v in state.items() if p[:2] == s} for state in (found, before, after)] for s in students]
    files = [place for place in found if isinstance(place, str)]
    return all(now in (old, new) for now, old, new in marks) and all(
        found[place] in (before.get(place), after.get(place)) for place in files
    )


def test_cut_between_any_two_writes_and_run_again_all_is_as_if_nothing_had_happened(before, tmp_path):
    state, at_first = tmp_path / "before", contents(before)
    shutil.copytree(before.build, state)
    n_writes = grade_once(before)
    expected = contents(before)
    with Grading(before, [count for cut in range(1, n_writes + 1) for count in (cut, NEVER)]) as grading:
        for cut in range(1, n_writes + 1):
            restore(state, before)
            assert grading.run()[0] == 9, f"the run was not cut before write {cut}"
            assert is_between(contents(before), at_first, expected), f"half-done after a cut before write {cut}"
            assert grading.run()[0] == 0
            assert contents(before) == expected, f"cut before write {cut}"


def test_what_the_cuts_are_compared_with_is_right(before):
    grade_once(before)
    found = contents(before)
    assert found["ada", NOTEBOOK, "check_softmax"][:2] == (3.0, 2.5)
    assert found["ada", NOTEBOOK, "why"][1] == 4.0
    assert found["ada", NOTEBOOK, "why", "comment"][1] == "Well argued."
    assert found["ben", NOTEBOOK, "check_softmax"][0] == 3.0
    assert found["하준", NOTEBOOK, "check_draw"][0] == 0.0
    assert len([place for place in found if isinstance(place, str)]) == 3 * 2 + 1
