"""Grading on a Dask cluster: a real scheduler and two workers, one of which is killed half-way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import LESSON, copy_course

WEEK, NOTEBOOK = LESSON
SECONDS = 240
WRONG_SOFTMAX = "def softmax(scores):\n    return torch.softmax(scores, 0)"


def wait_for(done) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def layout(tmp_path, answered):
    layout = copy_course(tmp_path / "course")
    for number in range(8):
        path = layout.submitted / f"s{number}" / WEEK / f"{NOTEBOOK}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(answered(**{"softmax": WRONG_SOFTMAX} if number % 2 else {})))
    return layout


@pytest.fixture
def start(tmp_path):
    """A function that starts a program in a session of its own; all end with the test."""
    processes = []
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "DASK_DISTRIBUTED__ADMIN__LOG_LENGTH": "0",
    }

    def begin(*command: object, **variables: str) -> subprocess.Popen:
        log = (tmp_path / f"{len(processes)}.log").open("wb")
        with log:
            call = [sys.executable, "-m", *map(str, command)]
            processes.append(
                subprocess.Popen(call, env={**environment, **variables}, stdout=log, stderr=log, start_new_session=True)
            )
        return processes[-1]

    yield begin
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def test_with_one_worker_killed_half_way_every_mark_is_right(layout, start, tmp_path):
    told = tmp_path / "scheduler.json"
    start(
        "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", told
    )
    wait_for(told.exists)
    address = json.loads(told.read_text())["address"]
    for number in range(2):
        options = ["--nthreads", 1, "--no-nanny", "--no-dashboard", "--local-directory", tmp_path / f"w{number}"]
        last = start("distributed.cli.dask_worker", address, *options)
    report = tmp_path / "report.json"
    grading = start(
        "autograde", "grade", layout.submitted, "--scheduler", address, "--json", report, COURSE_ROOT=str(layout.root)
    )
    wait_for(lambda: list(layout.feedback.glob("*/*/*.html")) or grading.poll() is not None)
    assert grading.poll() is None, (tmp_path / "3.log").read_text()
    last.send_signal(signal.SIGKILL)
    grading.wait(SECONDS)
    assert grading.returncode == 0, (tmp_path / "3.log").read_text()
    marks = {entry["student"]: entry["score"] for entry in json.loads(report.read_text())}
    assert marks == {f"s{number}": 9.0 if number % 2 else 10.0 for number in range(8)}


def test_no_scheduler_is_told_in_a_sentence(layout, start, monkeypatch, tmp_path):
    from autograde.grading import cluster
    from autograde.layout import CourseError

    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.2)
    with pytest.raises(CourseError, match="No Dask scheduler answers"):
        list(cluster.grade_on_cluster("tcp://127.0.0.1:9", layout, {LESSON}, [], allow_unsafe=False))
