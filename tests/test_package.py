"""The students' folder: an allow-list, scanned, and the same bytes each time."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import zipfile

import pytest

from autograde.builder.build import build
from autograde.builder.leaks import LeakScanner
from autograde.builder.package import release
from autograde.layout import CourseError, Layout


@pytest.fixture
def placed(tiny_course, monkeypatch):
    monkeypatch.setattr("autograde.builder.build.execute", lambda *args, **kwargs: 0.0)
    build(tiny_course)
    return tiny_course


def test_the_release_holds_the_allow_list_and_nothing_else(placed, tmp_path):
    (placed.root / "course" / ".secret.py").write_text("")
    (placed.notebooks / "week1_tiny" / "notes.txt").write_text("mine")
    release(placed, tmp_path / "out")
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {
        "LICENSE",
        "README.md",
        "course/__init__.py",
        "course/scale.py",
        "course/unused.py",
        "data/toy/SHA256SUMS",
        "data/toy/stories.txt",
        "environment.yml",
        "notebooks/week1_tiny/1_double.ipynb",
        "pyproject.toml",
    }


def test_students_do_not_need_what_only_staff_need(placed, tmp_path):
    release(placed, tmp_path / "out")
    text = (tmp_path / "out" / "pyproject.toml").read_text()
    assert "torch>=2" in text
    assert "nbgrader" not in text


def test_two_zips_are_equal_byte_for_byte(placed, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        release(placed, tmp_path / name / "course.zip")
    assert (tmp_path / "one/course.zip").read_bytes() == (tmp_path / "two/course.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one/course.zip") as archive:
        assert "course/notebooks/week1_tiny/1_double.ipynb" in archive.namelist()


ANSWER = "\n\ndef double(number):\n    doubled_value = number * FACTOR\n    return doubled_value\n"


def test_an_answer_in_a_text_stops_the_release(placed, tmp_path):
    path = placed.root / "docs/student.md"
    path.write_text(path.read_text() + ANSWER)
    with pytest.raises(CourseError, match="answer to double_it"):
        release(placed, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_module_that_holds_an_answer_is_packed_and_runs_as_before(placed, tmp_path):
    path = placed.root / "course/scale.py"
    path.write_text(
        '"""Scales "things", each in turn."""\n\nfrom __future__ import annotations\n\nFACTOR = 2\n' + ANSWER
    )
    release(placed, tmp_path / "out")
    text = (tmp_path / "out/course/scale.py").read_text()
    assert "doubled_value" not in text
    names = runpy.run_path(str(tmp_path / "out/course/scale.py"))
    assert names["double"](21) == 42
    assert names["__doc__"].startswith('Scales "things"')


@pytest.mark.parametrize("word", ["### BEGIN HIDDEN TESTS", "import autograde"])
def test_a_module_is_not_packed_to_hide_what_no_student_may_have(placed, tmp_path, word):
    path = placed.root / "course/scale.py"
    path.write_text(path.read_text() + ANSWER + f"\n# {word}\n")
    with pytest.raises(CourseError, match="the word"):
        release(placed, tmp_path / "out")


def test_the_real_course_can_be_released_its_modules_run_and_no_answer_can_be_read(tmp_path):
    layout = Layout.find()
    files = release(layout, tmp_path / "out")
    assert len([file for file in files if file.endswith(".ipynb")]) == len(layout.lessons())
    assert LeakScanner(layout).scan_folder(tmp_path / "out") == []
    modules = [
        file.removesuffix(".py").replace("/", ".")
        for file in files
        if file.startswith("course/") and "Packed by `course release`" in (tmp_path / "out" / file).read_text()
    ]
    assert "course.blocks.t5" in modules
    code = "import sys, importlib\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    call = [sys.executable, "-c", code, *modules]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "out"), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith(str(tmp_path / "out")) for line in done.stdout.split())


def test_an_existing_folder_is_left_alone(placed, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(CourseError, match="exists already"):
        release(placed, tmp_path / "out")
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_a_missing_notebook_is_named(placed, tmp_path):
    placed.student_copy("week1_tiny", "1_double").unlink()
    with pytest.raises(CourseError, match=r"1_double\.ipynb is missing"):
        release(placed, tmp_path / "out")
