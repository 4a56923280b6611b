"""`course grade` and `course check`: from files to reports, pages and the gradebook."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import typer
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from autograde.builder.release import ensure_release
from autograde.grading.commands import check, grade
from autograde.grading.gradebook import Recorder, database_url, put_tools_on_path
from autograde.grading.page import HandMark, student_page
from autograde.grading.report import KEPT
from autograde.grading.submissions import Finder
from autograde.grading.table import in_lines
from autograde.layout import CourseError

from .conftest import LESSON, copy_course

WEEK, NOTEBOOK = LESSON
app = typer.Typer()
app.command()(grade)
app.command()(check)


def hand_in(layout, student, submission, name=f"{NOTEBOOK}.ipynb", week=WEEK):
    path = layout.submitted / student / week / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(submission if isinstance(submission, bytes) else json.dumps(submission).encode())
    return path


@pytest.fixture(scope="module")
def classroom(tmp_path_factory, answered, release):
    """A course in which four students have handed in, not yet graded."""
    layout = copy_course(tmp_path_factory.mktemp("classroom") / "course")
    hand_in(layout, "ada", answered())
    hand_in(layout, "ben", release)
    hand_in(layout, "chen", answered(softmax="def softmax(scores):\n    return torch.softmax(scores, 0)"))
    hand_in(layout, "dan", b"not a notebook")
    put_tools_on_path()
    ensure_release(layout)
    return layout


@pytest.fixture
def course(classroom, monkeypatch):
    monkeypatch.setenv("COURSE_ROOT", str(classroom.root))
    return classroom


def call(*arguments):
    """The command's standard output; CourseErrors come through."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def marks(layout):
    with Gradebook(f"sqlite:///{layout.gradebook}") as gradebook:
        return {student.id: student.score for student in gradebook.students}


def test_a_class_is_graded_recorded_and_reported(course):
    report = json.loads(call("grade", course.submitted, "--json", "-", "--jobs", 2))
    assert [(entry["student"], entry["score"], entry["max"]) for entry in report] == [
        ("ada", 10.0, 10.0),
        ("ben", 0.0, 10.0),
        ("chen", 9.0, 10.0),
        ("dan", 0.0, 10.0),
    ]
    assert marks(course) == {"ada": 10.0, "ben": 0.0, "chen": 9.0, "dan": 0.0}
    assert [entry["path"] for entry in report] == sorted(entry["path"] for entry in report)


def test_the_report_has_exactly_the_agreed_fields(course):
    entry = json.loads(call("grade", course.submitted, "--json", "-", "--no-record"))[2]
    assert set(entry) == {"path", "student", "week", "notebook", "score", "max", "notes", "exercises"}
    exercise = entry["exercises"][1]
    assert set(exercise) == {"id", "score", "max", "note", "checks"}
    assert exercise["checks"][0] == {
        "name": "adds up to one",
        "points": 1.0,
        "passed": False,
        "hint": "You took the softmax over the first axis.",
    }


def test_a_second_run_takes_everything_from_the_cache(course):
    call("grade", course.submitted, "--no-record")
    assert "Nothing had changed" in call("grade", course.submitted, "--no-record")


def test_a_gradebook_that_was_deleted_is_filled_again(course):
    call("grade", course.submitted)
    before = marks(course)
    course.gradebook.unlink()
    call("grade", course.submitted)
    assert marks(course) == before


def test_the_table_shows_marks_and_misconceptions(course):
    output = call("grade", course.submitted, "--no-record")
    assert "chen" in output
    assert "You took the softmax over the first axis." in output
    assert "Perhaps for the same reason" not in output


def test_the_table_breaks_long_names_instead_of_cutting_them(course):
    assert in_lines("penalise_repetition") == "penalise_\nrepetition"
    assert in_lines("CachedMultiHead") == "Cached\nMultiHead"
    assert "…" not in call("grade", course.submitted, "--no-record")


def test_a_lone_notebook_is_told_by_what_is_in_it_and_not_recorded(course, tmp_path, answered):
    path = tmp_path / "my download.ipynb"
    path.write_text(json.dumps(answered()))
    (entry,) = json.loads(call("grade", path, "--json", "-"))
    assert (entry["student"], entry["week"], entry["notebook"], entry["score"]) == (None, *LESSON, 10.0)


def test_a_lone_notebook_in_a_students_folder_is_the_students(course):
    (entry,) = json.loads(call("grade", course.submitted / "ada" / WEEK / f"{NOTEBOOK}.ipynb", "--json", "-"))
    assert entry["student"] == "ada"


@pytest.mark.parametrize("part", ["", "ada", f"ada/{WEEK}"])
def test_a_class_a_student_and_a_students_week_can_be_named(course, part):
    found = Finder(course).find([course.submitted / part])
    assert found[0].student == "ada"
    assert (found[0].week, found[0].notebook, found[0].recorded) == (*LESSON, True)


def test_self_check_prints_the_hint(course):
    output = call("check", course.submitted / "chen" / WEEK / f"{NOTEBOOK}.ipynb")
    assert "9 of 10 points" in output
    assert "the softmax over the" in " ".join(output.replace("│", " ").split())


def test_self_check_of_an_untouched_notebook_says_to_save_it(course):
    output = call("check", course.submitted / "ben" / WEEK / f"{NOTEBOOK}.ipynb")
    assert "save the notebook" in output


def test_self_check_names_the_cause_before_what_follows_from_it(course, tmp_path, answered):
    path = tmp_path / f"{NOTEBOOK}.ipynb"
    path.write_text(json.dumps(answered(softmax="import no_such_module\n\n\ndef softmax(scores):\n    return scores")))
    output = " ".join(call("check", path).replace("│", " ").split())
    cause, advice, consequence = (
        output.index(text) for text in ("No module named 'no_such_module'", "Answers are run with", "is not defined")
    )
    assert cause < advice < consequence
    assert "save the notebook" not in output


def test_the_report_goes_to_a_file(course, tmp_path):
    call("grade", course.submitted, "--json", tmp_path / "report.json", "--no-record")
    assert len(json.loads((tmp_path / "report.json").read_text())) == 4


BAD_CALLS = {
    "a path that is not there": (["nowhere.ipynb"], "does not exist"),
    "an empty folder": (["empty"], "holds no notebook"),
    "a foreign notebook": (["foreign.ipynb"], "none of this course's notebooks"),
    "an empty file": (["nothing.ipynb"], "the file is empty. Give a notebook as JupyterLab saves it"),
    "no folder for the report": (["foreign.ipynb", "--json", "no/such/report.json"], "cannot be written|none of"),
    "no gradebook there": (["class", "--gradebook", "sqlite:////no/such/folder/g.db"], "could not|cannot be opened"),
}


@pytest.mark.parametrize("what", BAD_CALLS)
def test_a_wrong_call_says_what_to_do(course, tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("class").symlink_to(course.submitted)
    Path("foreign.ipynb").write_text(json.dumps({"cells": [{"cell_type": "code", "source": "1"}], "nbformat": 4}))
    Path("nothing.ipynb").touch()
    arguments, message = BAD_CALLS[what]
    with pytest.raises(CourseError, match=message):
        call("grade", *arguments)


def test_a_foreign_notebook_in_a_class_is_an_entry(tmp_path, monkeypatch, answered):
    layout = copy_course(tmp_path / "course")
    monkeypatch.setenv("COURSE_ROOT", str(layout.root))
    hand_in(layout, "ada", {"cells": [{"cell_type": "code", "source": "1"}]}, "holiday.ipynb")
    (entry,) = json.loads(call("grade", layout.submitted, "--json", "-", "--no-record"))
    assert (entry["score"], entry["max"], entry["exercises"]) == (0.0, 0.0, [])
    assert "none of the course's notebooks" in entry["notes"][0]


def test_of_two_files_for_one_notebook_one_is_recorded(tmp_path, answered, release):
    layout = copy_course(tmp_path / "course")
    hand_in(layout, "ada", answered())
    hand_in(layout, "ada", release, f"{NOTEBOOK} (1).ipynb")
    found = Finder(layout).find([layout.submitted])
    assert [(submission.path.name, submission.recorded) for submission in found] == [
        (f"{NOTEBOOK} (1).ipynb", False),
        (f"{NOTEBOOK}.ipynb", True),
    ]


@pytest.mark.parametrize("ending", [".IPYNB", ".ipynb.txt", ".ipynb.json", " (1).Ipynb.txt"])
def test_a_notebooks_ending_may_be_what_a_browser_made_of_it(tmp_path, answered, ending):
    layout = copy_course(tmp_path / "course")
    hand_in(layout, "ada", answered(), NOTEBOOK + ending)
    hand_in(layout, "ben", b"not a notebook", NOTEBOOK + ending)
    # What macOS packs beside each file.
    hand_in(layout, "ada", b"\0\5\x16\7", f"._{NOTEBOOK}{ending}")
    found = Finder(layout).find([layout.submitted])
    assert [(submission.student, submission.notebook, submission.recorded) for submission in found] == [
        ("ada", NOTEBOOK, True),
        ("ben", NOTEBOOK, True),
    ]


def test_a_folder_that_is_a_link_is_not_followed(tmp_path, answered):
    layout = copy_course(tmp_path / "course")
    hand_in(layout, "ada", answered())
    (layout.submitted / "eve").symlink_to(layout.submitted / "ada")
    assert [submission.student for submission in Finder(layout).find([layout.submitted])] == ["ada"]


@pytest.fixture
def recorder(course):
    recorder = Recorder(database_url(course, None))
    yield recorder
    recorder.close()


def grades(layout, student):
    with Gradebook(f"sqlite:///{layout.gradebook}") as gradebook:
        entry = gradebook.find_submission_notebook(NOTEBOOK, WEEK, student)
        return {grade.name: (grade.auto_score, grade.manual_score) for grade in entry.grades}


def graded(release, answered_marks):
    notebook = json.loads(json.dumps(release))
    for cell in notebook["cells"]:
        if cell["id"] in answered_marks:
            data = {"text/plain": repr(answered_marks[cell["id"]])}
            output = {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": None}
            cell["outputs"] = [output]
    return notebook


def record(recorder, student, notebook, flags=()):
    return recorder.record(student=student, week=WEEK, notebook=NOTEBOOK, graded=notebook, flags=list(flags))


MARKS = {"check_count_ngrams": 1.0, "check_softmax": 2.5, "check_attend": 0.0, "check_Scale": 2.0, "check_draw": 1.0}


def test_a_mark_set_by_hand_stays(course, recorder, release):
    record(recorder, "hana", graded(release, MARKS))
    with Gradebook(f"sqlite:///{course.gradebook}") as gradebook:
        gradebook.find_grade("check_softmax", NOTEBOOK, WEEK, "hana").manual_score = 3.0
        gradebook.db.commit()
    record(recorder, "hana", graded(release, {**MARKS, "check_softmax": 0.5}))
    assert grades(course, "hana")["check_softmax"] == (0.5, 3.0)
    assert marks(course)["hana"] == 7.0


@pytest.mark.parametrize("flag", ["unreadable", "grader failed"])
def test_what_could_not_be_graded_leaves_earlier_marks(course, recorder, release, flag):
    student = flag.replace(" ", "-")
    assert record(recorder, student, graded(release, MARKS)) == ""
    zero = graded(release, dict.fromkeys(MARKS, 0.0))
    assert "earlier submission" in record(recorder, student, zero, [flag])
    assert grades(course, student)["check_softmax"] == (2.5, None)


def test_a_failure_half_way_leaves_nothing_half_done(course, recorder, release):
    broken = graded(release, MARKS)
    broken["cells"][-2]["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": "99"}}]
    with pytest.raises(ValueError, match="greater than maximum"):
        record(recorder, "half", broken)
    assert "half" not in marks(course)


def test_notebooks_that_were_not_handed_in_get_zero(course, recorder, release):
    record(recorder, "gone", graded(release, MARKS))
    recorder.give_zero_for_missing("gone", WEEK, set())
    assert marks(course)["gone"] == 0.0


def test_essays_wait_for_the_instructor(course, recorder, release):
    record(recorder, "essay", graded(release, MARKS))
    assert grades(course, "essay")["why"] == (None, None)


def test_a_lost_essay_and_an_unreadable_file_stop_no_class(tmp_path, monkeypatch, answered):
    layout = copy_course(tmp_path / "course")
    monkeypatch.setenv("COURSE_ROOT", str(layout.root))
    lost = answered()
    lost["cells"] = [cell for cell in lost["cells"] if cell["cell_type"] == "code"]
    hand_in(layout, "ada", answered())
    hand_in(layout, "bea", lost)
    hand_in(layout, "cem", b"not a notebook")
    # As the builder writes it: each source a list of lines, and nbgrader's checksum in what is graded.
    copy = layout.student_copy(*LESSON)
    as_lines = json.loads(copy.read_text())
    for cell in as_lines["cells"]:
        cell["source"] = "".join(cell["source"]).splitlines(keepends=True)
        cell["metadata"].get("nbgrader", {})["checksum"] = "0" * 32
    copy.write_text(json.dumps(as_lines))
    call("grade", layout.submitted)
    assert marks(layout) == {"ada": 10.0, "bea": 10.0, "cem": 0.0}
    # Nobody who hands in one file that cannot be read is told of an earlier one.
    assert KEPT not in " ".join(call("grade", layout.submitted, "--no-cache").split())
    hand_in(layout, "ada", b"not a notebook")
    hand_in(layout, "cem", answered())
    for _ in range(2):
        assert KEPT in " ".join(call("grade", layout.submitted).split())
        assert marks(layout) == {"ada": 10.0, "bea": 10.0, "cem": 10.0}


def test_a_page_shows_hints_and_nothing_of_the_hidden_tests(course):
    call("grade", course.submitted)
    page = (course.feedback / "chen" / WEEK / f"{NOTEBOOK}.html").read_text()
    assert "You took the softmax over the first axis." in page
    assert "9 of 10 points" in page
    hidden = course.hidden_tests(*LESSON).read_text()
    secrets = [line.strip() for line in hidden.splitlines() if "student." in line or "torch." in line]
    assert secrets
    assert not [line for line in secrets if line in page]


def test_a_page_escapes_whatever_a_student_writes():
    evil = "<script>alert(1)</script>"
    check = {"name": evil, "points": 1.0, "passed": False, "hint": evil}
    exercise = {"id": "f", "score": 0.0, "max": 1.0, "note": evil, "checks": [check]}
    report = {"student": evil, "week": evil, "notebook": evil, "score": 0.0, "max": 1.0, "notes": [evil]}
    cell = {
        "cell_type": "code",
        "source": evil,
        "outputs": [{"output_type": "stream", "text": evil}],
        "metadata": {"nbgrader": {"grade_id": "f", "solution": True}},
    }
    page = student_page({**report, "exercises": [exercise]}, {"cells": [cell]}, {"f": HandMark(0, 0, evil)})
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 11


def test_a_notebook_that_lies_too_deep_is_its_students(tmp_path, answered):
    layout = copy_course(tmp_path / "course")
    hand_in(layout, "ada", answered())
    hand_in(layout, "ben", answered(), f"homework/final/{NOTEBOOK}.ipynb")
    found = Finder(layout).find([layout.submitted])
    assert [(one.student, one.week, one.notebook, one.recorded) for one in found] == [
        ("ada", *LESSON, True),
        ("ben", *LESSON, True),
    ]


def test_a_class_whose_notebooks_all_lie_too_deep_is_one(tmp_path, answered):
    layout = copy_course(tmp_path / "course")
    hand_in(layout, "ben", answered(), f"homework/{NOTEBOOK}.ipynb")
    (found,) = Finder(layout).find([layout.submitted])
    assert (found.student, found.week, found.recorded) == ("ben", WEEK, True)


def test_an_archive_alone_in_a_weeks_folder_is_an_entry_that_says_what_to_do(tmp_path, monkeypatch, answered):
    layout = copy_course(tmp_path / "course")
    monkeypatch.setenv("COURSE_ROOT", str(layout.root))
    hand_in(layout, "ada", answered())
    hand_in(layout, "ada", b"PK", "again.zip")  # beside a notebook: nothing is missing
    hand_in(layout, "ben", b"PK", "work.zip")
    hand_in(layout, "ben", b"2026-11-01 10:00:00 UTC", "timestamp.txt")
    report = json.loads(call("grade", layout.submitted, "--json", "-", "--no-record"))
    assert [(entry["student"], entry["notebook"], entry["score"]) for entry in report] == [
        ("ada", NOTEBOOK, 10.0),
        ("ben", "work.zip", 0.0),
    ]
    assert "unpack it" in report[1]["notes"][1]


def test_links_that_lead_back_and_a_great_many_folders_are_not_walked_through(tmp_path, answered):
    layout = copy_course(tmp_path / "course")
    path = hand_in(layout, "ada", answered())
    deep = path.parent / "a"
    deep.mkdir()
    for number in range(60):  # followed three deep, these would be 216,000 paths
        (deep / f"back{number}").symlink_to(path.parent)
    for number in range(2_000):
        (path.parent / f"b{number}").mkdir()
    began = time.monotonic()
    assert [one.path for one in Finder(layout).find([layout.submitted])] == [path]
    assert time.monotonic() - began < 5
