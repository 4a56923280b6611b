"""`kill -9` for the grader, its judge and its sandbox while a class is graded: run again, every mark is right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from autograde.builder.release import ensure_release
from autograde.grading.gradebook import put_tools_on_path
from autograde.layout import Layout
from autograde.sandbox import leftovers
from autograde.sandbox.plan import Stage

from .conftest import copy_course
from .test_grade import hand_in, marks

SECONDS = 240
N_STUDENTS = 7
COMMAND = "from autograde.command import main; main()"


@pytest.fixture
def layout(tmp_path, answered, release) -> Layout:
    """A class that has handed in; each file differs, so that none is another's from the cache."""
    layout = copy_course(tmp_path / "course")
    for number in range(N_STUDENTS):
        notebook = answered() if number % 2 else dict(release)
        notebook["metadata"] = {**notebook["metadata"], "number": number}
        hand_in(layout, f"s{number}", notebook)
    put_tools_on_path()
    ensure_release(layout)
    return layout


class Run:
    """`course grade`, one submission after the other, with a folder for temporary files that is looked into."""

    def __init__(self, layout: Layout, temporary: Path, *, start_new_session: bool = False) -> None:
        self.layout = layout
        self.n_pages = len(self._pages())
        environment = {
            **os.environ,
            "COURSE_ROOT": str(layout.root),
            "TMPDIR": str(temporary),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        command = [sys.executable, "-c", COMMAND, "grade", str(layout.submitted), "--jobs", "1"]
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=start_new_session,
            # Whoever runs these tests in the background may have it ignored, and passes that on.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )

    def _pages(self) -> list[Path]:
        return list(self.layout.feedback.glob("*/*/*.html"))

    def wait_for_a_page(self) -> None:
        deadline = time.monotonic() + SECONDS
        while len(self._pages()) == self.n_pages:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def kill_descendant(self, mark: str) -> None:
        """Kill the oldest process below that has a text in its command line and is not bubblewrap itself."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        chosen = [p for p in below if mark in " ".join(p.cmdline()) and Path(p.cmdline()[0]).name != "bwrap"]
        min(chosen, key=lambda process: (process.create_time(), process.pid)).kill()

    def end(self) -> tuple[int, str, str]:
        printed, said = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, printed, said


def test_whoever_is_killed_the_next_run_ends_with_the_same_marks_and_nothing_lies_about(layout):
    with tempfile.TemporaryDirectory() as temporary:
        run = Run(layout, Path(temporary))
        run.wait_for_a_page()
        run.process.kill()
        run.end()

        run = Run(layout, Path(temporary))
        run.wait_for_a_page()
        run.kill_descendant("autograde.judge.worker")
        status, _, said = run.end()
        assert status == 2
        assert "The judge's process ended unexpectedly" in said
        assert list(Path(temporary).glob(f"{leftovers.PREFIX}*"))

        run = Run(layout, Path(temporary))
        run.wait_for_a_page()
        run.kill_descendant("sandbox/inside/start.py")
        status, _, said = run.end()
        assert status == 0, said
        assert marks(layout) == {f"s{number}": 10.0 * (number % 2) for number in range(N_STUDENTS)}
        assert not list(Path(temporary).glob(f"{leftovers.PREFIX}*"))


def test_ctrl_c_ends_every_process_without_a_traceback(layout, answered, tmp_path):
    for number in range(N_STUDENTS, 100):  # so many that it is not done before it is stopped
        notebook = answered()
        notebook["metadata"] = {**notebook["metadata"], "number": number}
        hand_in(layout, f"s{number}", notebook)
    run = Run(layout, tmp_path, start_new_session=True)
    run.wait_for_a_page()
    os.killpg(run.process.pid, signal.SIGINT)
    _, said = run.process.communicate(timeout=60)
    assert run.process.returncode == 130
    assert "Traceback" not in said
    assert "failed" not in said


def test_the_folder_of_a_grader_that_is_no_more_is_removed_and_a_living_ones_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dies = "print(Stage().folder, flush=True); os.kill(os.getpid(), 9)"
    source = f"import os; from autograde.sandbox.plan import Stage; {dies}"
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    call = [sys.executable, "-c", source]
    dead = Path(subprocess.run(call, env=environment, stdout=subprocess.PIPE, text=True, check=False).stdout.strip())
    foreign = tmp_path / f"{leftovers.PREFIX}x"
    foreign.symlink_to(tmp_path)
    assert dead.is_dir()
    living = Stage()
    other = Stage()
    assert not dead.exists()
    assert living.folder.is_dir()
    assert foreign.is_symlink()
    for stage in (living, other):
        stage.remove()
        assert not stage.folder.exists()
