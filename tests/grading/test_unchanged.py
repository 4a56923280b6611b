"""A run after which nothing has changed is not repeated, and anything that has changed is seen."""

from __future__ import annotations

import json
import shutil
import sqlite3

import pytest
import typer
from typer.testing import CliRunner

from autograde.builder.release import ensure_release
from autograde.grading import gradebook
from autograde.grading.commands import check, grade
from autograde.grading.gradebook import put_tools_on_path

from .conftest import LESSON, copy_course

WEEK, NOTEBOOK = LESSON
app = typer.Typer()
app.command()(grade)
app.command()(check)


def hand_in(layout, student, notebook):
    path = layout.submitted / student / WEEK / f"{NOTEBOOK}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode())


def run(layout, *options):
    result = CliRunner().invoke(app, ["grade", str(layout.submitted), "--json", "-", *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def graded(tmp_path_factory, answered):
    layout = copy_course(tmp_path_factory.mktemp("unchanged") / "course")
    hand_in(layout, "ada", answered())
    hand_in(layout, "chen", answered(draw="def draw(n, generator):\n    pass"))
    put_tools_on_path()
    ensure_release(layout)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_ROOT", str(layout.root))
        run(layout)
    return layout


@pytest.fixture
def course(graded, monkeypatch):
    """The graded class, put back as it was after each test."""
    kept = graded.root.with_name("kept")
    shutil.copytree(graded.root, kept)
    monkeypatch.setenv("COURSE_ROOT", str(graded.root))
    yield graded
    shutil.rmtree(graded.root)
    kept.rename(graded.root)


@pytest.fixture
def opened(monkeypatch):
    """How often a gradebook was opened to record marks."""
    addresses = []

    class Watched(gradebook.Recorder):
        def __init__(self, address):
            addresses.append(address)
            super().__init__(address)

    monkeypatch.setattr(gradebook, "Recorder", Watched)
    return addresses


def set_mark(layout, score):
    with sqlite3.connect(layout.gradebook) as database:
        database.execute("update grade set manual_score = ?", (score,))
    database.close()


def test_a_run_without_changes_opens_no_gradebook_and_reports_the_same(course, opened):
    files = {path: path.stat().st_mtime_ns for path in course.build.rglob("*") if path.is_file()}
    first, second = run(course), run(course)
    assert first == second
    assert [entry["score"] for entry in first] == [10.0, 9.0]
    assert opened == []
    assert {path: path.stat().st_mtime_ns for path in files} == files


CHANGES = {
    "a mark set by hand": lambda layout: set_mark(layout, 0.5),
    "a page that is gone": lambda layout: (layout.feedback / "ada" / WEEK / f"{NOTEBOOK}.html").unlink(),
    "a page that was edited": lambda layout: (layout.feedback / "ada" / WEEK / f"{NOTEBOOK}.html").write_text("10"),
    "a graded notebook that is gone": lambda layout: shutil.rmtree(layout.autograded / "chen"),
    "a date": lambda layout: (layout.submitted / "ada" / WEEK / "timestamp.txt").write_text("2026-11-01 10:00:00 UTC"),
    "a file that cannot be read": lambda layout: hand_in(layout, "zoe", b"no notebook"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_recorded(course, opened, what):
    CHANGES[what](course)
    run(course)
    assert len(opened) == 1
    assert (course.feedback / "ada" / WEEK / f"{NOTEBOOK}.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_new_answer_is_recorded(course, opened, answered):
    hand_in(course, "chen", answered())
    assert [entry["score"] for entry in run(course)] == [10.0, 10.0]
    assert len(opened) == 1


def test_another_gradebook_is_asked_for_itself(course, opened, tmp_path):
    other = str(tmp_path / "second.db")
    run(course, "--gradebook", other)
    run(course, "--gradebook", other)
    assert opened == [f"sqlite:///{other}"]


def test_what_cannot_be_read_is_recorded_every_time(course, opened):
    hand_in(course, "zoe", b"no notebook")
    run(course)
    run(course)
    assert len(opened) == 2
