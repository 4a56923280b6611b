"""nbgrader's own commands give the same marks and the same pages as ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograde.builder.release import ensure_release
from autograde.grading.gradebook import put_tools_on_path

from .conftest import LESSON, copy_course

WEEK, NOTEBOOK = LESSON


@pytest.fixture(scope="module")
def graded(tmp_path_factory, answered, release):
    """A class that `nbgrader autograde` and `nbgrader generate_feedback` have gone through."""
    layout = copy_course(tmp_path_factory.mktemp("nbgrader") / "course")
    doubled = answered()
    doubled["cells"].append(doubled["cells"][2])
    old = {"nbformat": 3, "worksheets": [{"cells": [{**c, "input": c["source"]} for c in answered()["cells"]]}]}
    evil = answered(softmax="import os\nos._exit(1)\n# <script>alert(1)</script>")
    submissions = {
        "ada": answered(),
        "ben": release,
        "chen": answered(softmax="def softmax(scores):\n    return torch.softmax(scores, 0)"),
        "dan": b"not a notebook",
        "eva": doubled,
        "fay": old,
        "gus": evil,
    }
    for student, submission in submissions.items():
        path = layout.submitted / student / WEEK / f"{NOTEBOOK}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(submission if isinstance(submission, bytes) else json.dumps(submission).encode())
    for student, written in {"chen": "the day before yesterday", "eva": "2026-11-01 10:00:00 UTC"}.items():
        (layout.submitted / student / WEEK / "timestamp.txt").write_text(written)
    put_tools_on_path()
    ensure_release(layout)
    for command in ("autograde", "generate_feedback"):
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        call = [sys.executable, "-m", "nbgrader", command, WEEK]
        done = subprocess.run(call, cwd=layout.root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return layout


def test_every_submission_gets_its_marks_and_none_stops_the_batch(graded):
    with Gradebook(f"sqlite:///{graded.gradebook}") as gradebook:
        marks = {student.id: student.score for student in gradebook.students}
    assert marks == {"ada": 10.0, "ben": 0.0, "chen": 9.0, "dan": 0.0, "eva": 10.0, "fay": 10.0, "gus": 7.0}


def test_a_moment_that_nobody_can_read_costs_no_mark_and_a_good_one_is_kept(graded):
    with Gradebook(f"sqlite:///{graded.gradebook}") as gradebook:
        moments = {student: gradebook.find_submission(WEEK, student).timestamp for student in ("chen", "eva")}
    assert moments == {"chen": None, "eva": datetime(2026, 11, 1, 10)}


def test_feedback_shows_checks_and_hints_and_no_hidden_test(graded):
    page = (graded.feedback / "chen" / WEEK / f"{NOTEBOOK}.html").read_text()
    assert "You took the softmax over the first axis." in page
    assert "survives large scores" in page
    assert "gradcheck" not in page
    assert "1e4" not in page


def test_feedback_escapes_the_students_text(graded):
    page = (graded.feedback / "gus" / WEEK / f"{NOTEBOOK}.html").read_text()
    assert "<script" not in page
    assert "it ended the process" in page


def test_what_cannot_be_read_says_why(graded):
    page = (graded.feedback / "dan" / WEEK / f"{NOTEBOOK}.html").read_text()
    assert "the file is not JSON" in page


def test_the_autograded_notebook_carries_marks_but_no_hidden_test(graded):
    text = (graded.autograded / "chen" / WEEK / f"{NOTEBOOK}.ipynb").read_text()
    assert "passed: survives large scores" in text
    assert "detail" not in text
    assert "gradcheck" not in text
