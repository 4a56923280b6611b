"""The students' folder: an allow-list, scanned, and the same bytes each time."""

from __future__ import annotations

import zipfile

import pytest

from autograde.builder.build import build
from autograde.builder.package import release
from autograde.layout import CourseError


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


@pytest.mark.parametrize("file", ["course/scale.py", "docs/student.md"])
def test_an_answer_anywhere_in_the_release_stops_it(placed, tmp_path, file):
    path = placed.root / file
    path.write_text(path.read_text() + "\n    doubled_value = number * FACTOR\n")
    with pytest.raises(CourseError, match="answer to double_it"):
        release(placed, tmp_path / "out")
    assert not (tmp_path / "out").exists()


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
