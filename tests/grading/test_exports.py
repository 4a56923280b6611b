"""Marks as CSV: what is written is read back with `csv` and compared with the gradebook."""

from __future__ import annotations

import csv
import io
import subprocess
import sys

import pytest
import typer
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from autograde.builder.release import ensure_release
from autograde.grading.gradebook import put_tools_on_path
from autograde.grading.gradebook_commands import export, report
from autograde.layout import CourseError

from .conftest import LESSON, copy_course

WEEK, NOTEBOOK = LESSON
app = typer.Typer()
app.command()(export)
app.command()(report)
# (id, last name, first name, the marks of count_ngrams, softmax, attend, Scale and draw; None where nothing came)
PEOPLE = [
    ("ada", "Love, lace", 'A"da', (2.0, 3.0, 2.0, 2.0, 1.0)),
    ("하준", "김", "하준", (1.0, 2.5, 0.0, 2.0, 1.0)),
    ("=1+1", "+cmd", "@home", (0.0, 1.0, 0.0, 0.0, 0.0)),
    ("-dash", None, "two\nlines", (0.0, 0.0, 0.0, 0.0, 0.0)),
    ("zoe", "Last", "Zoë", None),
]
EXERCISES = ("count_ngrams", "softmax", "attend", "Scale", "draw")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course whose gradebook holds the marks above, two of them set by hand, and one late submission."""
    layout = copy_course(tmp_path_factory.mktemp("exports") / "course")
    put_tools_on_path()
    ensure_release(layout)
    with Gradebook(f"sqlite:///{layout.gradebook}") as gradebook, gradebook.db.no_autoflush:
        for name, last, first, marks in PEOPLE:
            gradebook.add_student(name, last_name=last, first_name=first, email=f"{first}@example.org")
            if marks is None:
                continue
            gradebook.add_submission(WEEK, name)
            for exercise, mark in zip(EXERCISES, marks, strict=True):
                grade = gradebook.find_grade(f"check_{exercise}", NOTEBOOK, WEEK, name)
                grade.auto_score, grade.needs_manual_grade = mark, False
        gradebook.find_grade("why", NOTEBOOK, WEEK, "ada").manual_score = 3.5
        gradebook.find_grade("why", NOTEBOOK, WEEK, "ada").needs_manual_grade = False
        gradebook.find_submission_notebook(NOTEBOOK, WEEK, "ada").late_submission_penalty = 0.5
        gradebook.db.commit()
    return layout


@pytest.fixture
def run(course, monkeypatch, tmp_path):
    """A function that exports and returns (rows, standard error)."""
    monkeypatch.setenv("COURSE_ROOT", str(course.root))

    def call(form, *more, encoding="utf-8"):
        path = tmp_path / "marks.csv"
        result = CliRunner().invoke(app, ["export", form, str(path), *more], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return list(csv.reader(io.StringIO(path.read_text(encoding), newline=""))), result.stderr

    return call


def test_questions_has_a_row_for_each_student_and_a_column_for_each_exercise(run):
    rows, _ = run("questions", encoding="utf-8-sig")
    assert rows[0][4:] == [f"{WEEK}/{NOTEBOOK}/{name}" for name in (*EXERCISES, "why")]
    assert rows[1][4:] == ["2", "3", "2", "2", "1", "4"]
    by_id = {row[0]: row[4:] for row in rows[2:]}
    assert by_id["ada"] == ["2", "3", "2", "2", "1", "3.5"]
    assert by_id["하준"] == ["1", "2.5", "0", "2", "1", ""]
    assert by_id["zoe"] == [""] * 6
    assert len(by_id) == len(PEOPLE)


def test_names_with_commas_quotes_line_ends_and_korean_survive(run):
    rows, _ = run("questions", encoding="utf-8-sig")
    names = {row[0].removeprefix("'"): tuple(row[1:3]) for row in rows[2:]}
    assert names["ada"] == ("Love, lace", 'A"da')
    assert names["하준"] == ("김", "하준")
    assert names["-dash"] == ("", "two\nlines")


@pytest.mark.parametrize("form", ["nbgrader", "questions", "canvas", "moodle"])
def test_no_cell_is_a_formula_and_the_caller_is_told_whose_id_changed(run, form):
    rows, said = run(form, encoding="utf-8-sig")
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "@", "-") and cell != "-"]
    assert any("'=1+1" in row for row in rows)
    assert "'=1+1'" in said
    assert "'-dash'" in said


def test_only_the_file_for_spreadsheets_begins_with_a_byte_order_mark(run, tmp_path):
    begins = {}
    for form in ("nbgrader", "questions", "canvas", "moodle"):
        run(form)
        begins[form] = (tmp_path / "marks.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert begins == {"nbgrader": False, "questions": True, "canvas": False, "moodle": False}


def totals(course):
    """What nbgrader counts for each student, None where nothing was handed in."""
    with Gradebook(f"sqlite:///{course.gradebook}") as gradebook:
        given = {
            s.student.id: s.score - (s.late_submission_penalty or 0) for s in gradebook.assignment_submissions(WEEK)
        }
    assert given["ada"] == 13.0
    return {name: given.get(name) for name, *_ in PEOPLE}


def test_canvas_finds_students_by_login_and_weeks_by_title(run, course):
    rows, _ = run("canvas")
    assert rows[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", WEEK]
    assert rows[1] == ["    Points Possible", "", "", "", "", "14"]
    given = {row[3].removeprefix("'"): float(row[5]) if row[5] else None for row in rows[2:]}
    assert given == totals(course)
    assert [row[0] for row in rows[2:] if row[3] == "ada"] == ['Love, lace, A"da']


def test_moodle_gets_a_dash_where_nothing_was_handed_in(run, course):
    rows, _ = run("moodle")
    assert rows[0] == ["username", "firstname", "lastname", "email", WEEK]
    given = {row[0].removeprefix("'"): None if row[4] == "-" else float(row[4]) for row in rows[1:]}
    assert given == totals(course)


def test_nbgraders_file_has_its_own_columns_and_every_row_can_be_read(run, course):
    rows, _ = run("nbgrader")
    records = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert {r["student_id"].removeprefix("'"): float(r["score"]) for r in records} == {
        name: score or 0.0 for name, score in totals(course).items()
    }
    ada = next(record for record in records if record["student_id"] == "ada")
    assert (ada["last_name"], ada["first_name"], ada["max_score"]) == ("Love, lace", 'A"da', "14.0")
    assert (ada["raw_score"], ada["late_submission_penalty"]) == ("13.5", "0.5")


def test_nbgrader_export_writes_the_same_file(run, course, tmp_path):
    run("nbgrader")
    theirs = tmp_path / "theirs.csv"
    call = [sys.executable, "-m", "nbgrader", "export", "--to", str(theirs)]
    subprocess.run(call, cwd=course.root, check=True, capture_output=True)
    assert theirs.read_text() == (tmp_path / "marks.csv").read_text()


def test_ungraded_answers_in_words_are_counted(run):
    assert "3 answers in words have no mark yet" in run("moodle")[1]


def test_an_export_goes_to_standard_output(course, monkeypatch):
    monkeypatch.setenv("COURSE_ROOT", str(course.root))
    result = CliRunner().invoke(app, ["export", "moodle", "-", "--week", WEEK])
    assert result.stdout.startswith("username,")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "moodle", "-", "--week", "week9_none"], "knows no week week9_none"),
        (["export", "moodle", "no/such/folder.csv"], "cannot be written"),
        (["export", "moodle", "-", "--gradebook", "nowhere.db"], "no gradebook"),
        (["report", "week9_none"], "knows no week"),
    ],
)
def test_a_wrong_call_says_what_to_do(course, monkeypatch, tmp_path, arguments, message):
    monkeypatch.setenv("COURSE_ROOT", str(course.root))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CourseError, match=message):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert not (tmp_path / "nowhere.db").exists()
