"""`make grade`: a whole class through nbgrader, in a copy of the course so that nobody's gradebook is touched."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from urllib.parse import quote

import pytest
from nbgrader.api import Gradebook
from rich.console import Console

from autograde.example_class import CLASS, grade_class, set_aside
from autograde.layout import Layout

ROOT = Layout.find().root
COPIED = ("solutions", "notebooks", "autograde", "course", "data")
FIRST_WEEK = "week1_rnn_limits"


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """(layout, printed text) of an example class over week 1."""
    root = tmp_path_factory.mktemp("class") / "course"
    skip = shutil.ignore_patterns("__pycache__", "week[2-9]_*")
    for name in COPIED:
        shutil.copytree(ROOT / name, root / name, ignore=skip)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_ROOT", str(root))
        grade_class(Layout(root), Console(file=printed, width=160))
    return Layout(root), printed.getvalue()


def marks_in_gradebook(layout):
    with Gradebook(f"sqlite:///{layout.gradebook}") as gradebook:
        return {
            (student.name, notebook): gradebook.find_submission_notebook(notebook, FIRST_WEEK, student.name).score
            for student in CLASS
            for _, notebook in layout.lessons()
        }


def test_the_perfect_student_has_all_marks_and_the_empty_one_none(graded):
    layout, _ = graded
    with Gradebook(f"sqlite:///{layout.gradebook}") as gradebook:
        ada, ben = (gradebook.find_student(name) for name in ("ada", "ben"))
        assert ada.score == ada.max_score > 0
        assert ben.score == 0


def test_the_others_lose_some_marks_and_keep_some(graded):
    layout, _ = graded
    with Gradebook(f"sqlite:///{layout.gradebook}") as gradebook:
        for name in {student.name for student in CLASS} - {"ada", "ben"}:
            student = gradebook.find_student(name)
            assert 0 < student.score < student.max_score


def test_course_grade_gives_the_marks_that_nbgrader_autograde_recorded(graded):
    layout, _ = graded
    call = [
        sys.executable,
        "-m",
        "autograde",
        "grade",
        str(layout.submitted),
        "--json",
        "-",
        "--no-record",
        "--no-cache",
    ]
    environment = {**os.environ, "COURSE_ROOT": str(layout.root)}
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=True)
    ours = {(entry["student"], entry["notebook"]): entry["score"] for entry in json.loads(done.stdout)}
    assert ours == marks_in_gradebook(layout)


def test_the_table_names_every_student_and_ends_with_where_the_pages_lie(graded):
    layout, printed = graded
    for student in CLASS:
        assert printed.count(student.name) >= len(layout.lessons()) + 1
    assert "misconceptions" in printed
    assert str(layout.feedback) in printed


def test_the_instructor_has_a_page_for_the_week_that_leads_to_every_student(graded):
    layout, printed = graded
    page = (layout.feedback / f"{FIRST_WEEK}.html").read_text(encoding="utf-8")
    assert "/WEEK.html" in printed
    for student in CLASS:
        for _, notebook in layout.lessons():
            assert f'href="./{quote(student.name)}/{FIRST_WEEK}/{notebook}.html"' in page


def test_every_student_has_a_feedback_page_for_every_notebook_without_hidden_tests(graded):
    layout, _ = graded
    for student in CLASS:
        for week, notebook in layout.lessons():
            page = (layout.feedback / student.name / week / f"{notebook}.html").read_text(encoding="utf-8")
            tests = layout.hidden_tests(week, notebook).read_text(encoding="utf-8")
            calls = [line.strip() for line in tests.splitlines() if "student." in line and len(line.strip()) > 30]
            assert not [line for line in calls if line in page]


def test_work_of_other_students_is_moved_and_not_lost(tmp_path):
    layout = Layout(tmp_path)
    theirs = layout.submitted / "zoe" / FIRST_WEEK / "1_ngrams.ipynb"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("her work")
    kept = set_aside(layout)
    assert (kept / "submitted" / "zoe" / FIRST_WEEK / "1_ngrams.ipynb").read_text() == "her work"
    assert not layout.submitted.exists()
