"""What goes wrong before anything is done: one clear sentence, exit status 2, and nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from autograde.builder.build import build
from autograde.layout import Layout


def course(layout: Layout, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "autograde", *arguments]
    environment = {**os.environ, "COURSE_ROOT": str(layout.root)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def refused(done: subprocess.CompletedProcess) -> str:
    """The one sentence that a refused call says; nothing on standard output, no traceback."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("course: ")
    return done.stderr


@pytest.fixture
def placed(tiny_course, monkeypatch):
    monkeypatch.setattr("autograde.builder.build.execute", lambda *args, **kwargs: 0.0)
    build(tiny_course)
    return tiny_course


def test_a_missing_corpus_file_is_named(placed):
    (placed.root / "data/toy/stories.txt").unlink()
    assert "stories.txt is missing. Run `make data`" in refused(course(placed, "build"))


def test_an_altered_corpus_file_is_named_and_not_released(placed, tmp_path):
    (placed.root / "data/toy/stories.txt").write_text("twice\n")
    assert "stories.txt was altered" in refused(course(placed, "release", str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_course_is_named(tmp_path):
    assert "is not the course's root" in refused(course(Layout(tmp_path), "build"))


def test_a_course_without_notebooks_says_how_to_make_them(placed):
    placed.student_copy("week1_tiny", "1_double").unlink()
    assert "Run `make build`" in refused(course(placed, "lab"))


def test_a_wrong_path_is_named(placed, tmp_path):
    assert "nowhere.ipynb" in refused(course(placed, "grade", str(tmp_path / "nowhere.ipynb"), "--json", "-"))


def test_a_notebook_of_another_course_is_refused(placed, tmp_path):
    foreign = tmp_path / "homework.ipynb"
    foreign.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    assert "homework.ipynb" in refused(course(placed, "check", str(foreign)))


@pytest.mark.parametrize("out", ["pyproject.toml/course", "pyproject.toml/course.zip"])
def test_a_place_that_cannot_be_written_is_named(placed, out):
    assert "pyproject.toml/course" in refused(course(placed, "release", str(placed.root / out)))


def test_a_broken_marker_names_file_and_cell(placed):
    source = placed.lesson_source("week1_tiny", "1_double")
    source.write_text(source.read_text().replace("exercise=", "exercize="))
    message = refused(course(placed, "build"))
    assert "1_double.py" in message
    assert "exercize" in message
