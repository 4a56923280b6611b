"""Building: the same bytes each time, no answer in a student copy, and nothing of a learner's overwritten."""

from __future__ import annotations

import hashlib
import json

import nbformat
import pytest

from autograde.builder.build import build
from autograde.builder.execute import execute, last_states
from autograde.builder.expand import expand, to_bytes
from autograde.builder.freshness import content_hash
from autograde.builder.lesson import read_lesson
from autograde.builder.release import student_copies
from autograde.layout import CourseError

LESSON = ("week1_tiny", "1_double")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """One built course for all tests that only read; those that break something make their own."""
    from tests.conftest import tiny_course

    layout = tiny_course.__wrapped__(tmp_path_factory.mktemp("built"))
    build(layout)
    return layout


@pytest.fixture
def unsolved(tiny_course, monkeypatch):
    """A course whose notebooks are placed but never executed, for tests about anything else."""
    monkeypatch.setattr("autograde.builder.build.execute", lambda *args, **kwargs: 0.0)
    build(tiny_course)
    return tiny_course


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def cells_of(path):
    return {cell["id"]: cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]}


def test_the_student_copy_has_the_stub_and_not_the_answer(built):
    cells = cells_of(built.student_copy(*LESSON))
    assert "raise NotImplementedError()" in "".join(cells["double_it"]["source"])
    assert "doubled_value" not in built.student_copy(*LESSON).read_text(encoding="utf-8")


def test_cells_are_named_by_their_exercise_and_carry_the_points(built):
    cells = cells_of(built.student_copy(*LESSON))
    assert cells["double_it"]["metadata"]["nbgrader"]["grade_id"] == "double_it"
    assert cells["check_double_it"]["metadata"]["nbgrader"]["points"] == 2
    assert cells["check_double_it"]["metadata"]["editable"] is False
    assert cells["setup"]["metadata"]["nbgrader"]["locked"] is True


def test_the_solved_notebook_shows_its_outputs(built):
    solved = built.lesson_source(*LESSON).with_suffix(".ipynb")
    outputs = [cell.get("outputs") for cell in cells_of(solved).values() if cell.get("outputs")]
    assert outputs == [[{"name": "stdout", "output_type": "stream", "text": ["6\n"]}]]


def test_a_second_build_changes_no_byte(built):
    before = {path: path.read_bytes() for path in built.root.rglob("week1_tiny/*.ipynb")}
    assert build(built).written == []
    assert {path: path.read_bytes() for path in built.root.rglob("week1_tiny/*.ipynb")} == before
    assert build(built, check=True).stale == []


def test_student_copies_do_not_depend_on_what_was_built_before(tiny_course):
    assert student_copies(tiny_course) == student_copies(tiny_course)


def test_an_edit_changes_the_ids_of_no_other_cell(tiny_course):
    before = expand(read_lesson(tiny_course.lesson_source(*LESSON)))
    edit(tiny_course.lesson_source(*LESSON), "Twice as much", "Two times as much")
    after = expand(read_lesson(tiny_course.lesson_source(*LESSON)))
    assert [cell.id for cell in before.cells[1:]] == [cell.id for cell in after.cells[1:]]


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("solutions/week1_tiny/1_double.py", "is four", "is 4", {"notebooks", "solutions"}),
        ("course/scale.py", "FACTOR = 2", "FACTOR = 1 + 1", {"solutions"}),
        ("data/toy/SHA256SUMS", "  stories.txt", " stories.txt", {"solutions"}),
        ("notebooks/week1_tiny/1_double.ipynb", "is four", "is five", {"notebooks"}),
        ("solutions/week1_tiny/1_double.ipynb", "is four", "is five", {"solutions"}),
        ("course/unused.py", "1", "2", set()),
    ],
)
def test_a_check_names_what_is_stale_and_only_that(unsolved, file, old, new, stale):
    edit(unsolved.root / file, old, new)
    found = build(unsolved, check=True).stale
    assert {path.relative_to(unsolved.root).parts[0] for path in found} == stale


def test_data_that_a_notebook_does_not_use_leaves_it_fresh(unsolved):
    other, weights = unsolved.root / "data" / "other", unsolved.root / "data" / "toy" / "weights" / "model"
    for path in (other / "model", weights):
        path.parent.mkdir()
        path.write_text("1\n")
    line = hashlib.sha256(b"1\n").hexdigest()
    (other / "SHA256SUMS").write_text(f"{line}  model\n")
    with (unsolved.root / "data" / "toy" / "SHA256SUMS").open("a") as sums:
        sums.write(f"{line}  weights/model\n")
    assert build(unsolved, check=True).stale == []
    (unsolved.root / "course" / "scale.py").write_text('FACTOR = 2\nTEXTS = "toy", "weights"\n')
    named = content_hash(unsolved, *LESSON)
    weights.write_text("2\n")
    edit(unsolved.root / "data" / "toy" / "SHA256SUMS", line, hashlib.sha256(b"2\n").hexdigest())
    assert content_hash(unsolved, *LESSON) != named


def test_a_notebook_whose_source_is_gone_is_removed(unsolved):
    unsolved.lesson_source(*LESSON).rename(unsolved.solutions / "week1_tiny" / "2_other.py")
    build(unsolved)
    assert not unsolved.student_copy(*LESSON).exists()
    assert unsolved.student_copy("week1_tiny", "2_other").exists()


def test_a_build_of_one_lesson_leaves_the_others_alone(unsolved):
    second = unsolved.lesson_source("week1_tiny", "2_other")
    second.write_text(unsolved.lesson_source(*LESSON).read_text(encoding="utf-8"), encoding="utf-8")
    edit(unsolved.lesson_source(*LESSON), "is four", "is 4")
    build(unsolved, only=["week1_tiny/1_double"])
    assert "is 4" in unsolved.student_copy(*LESSON).read_text(encoding="utf-8")
    assert not unsolved.student_copy("week1_tiny", "2_other").exists()


def test_a_build_of_an_unknown_lesson_names_the_known_ones(unsolved):
    with pytest.raises(CourseError, match="week1_tiny/1_double"):
        build(unsolved, only=["week1_tiny/1_duoble"])


@pytest.mark.parametrize(
    ("planted", "what"),
    [
        ("# %%\ndoubled_value=number*FACTOR\n", "answer to double_it"),
        ("# %% [markdown]\n#     doubled_value = number * FACTOR\n", "answer to double_it"),
        ("# %%\nexpect_equal(student.double_it(21), 42)\n", "hidden test"),
        ('# %% [markdown]\n# @check("doubles", points=2, hint="Add the number to itself.")\n', "hidden test"),
        ("# %% [markdown]\n# see autograde/hidden\n", "autograde"),
    ],
)
def test_a_planted_leak_stops_the_build(tiny_course, planted, what):
    source = tiny_course.lesson_source(*LESSON)
    source.write_text(source.read_text(encoding="utf-8") + "\n" + planted, encoding="utf-8")
    with pytest.raises(CourseError, match=what):
        build(tiny_course, check=True)
    assert not tiny_course.student_copy(*LESSON).exists()


def test_a_leak_into_another_notebook_is_found(tiny_course):
    other = tiny_course.solutions / "week1_tiny" / "2_given.py"
    other.write_text("# %%\ndef given(number):\n    doubled_value = number * FACTOR\n", encoding="utf-8")
    with pytest.raises(CourseError, match=r"2_given\.ipynb.*answer to double_it"):
        build(tiny_course, check=True)


def test_answers_of_a_learner_are_never_overwritten(unsolved):
    copy = unsolved.student_copy(*LESSON)
    edit(copy, "raise NotImplementedError()", "return number + number")
    edit(unsolved.lesson_source(*LESSON), "is four", "is 4")
    with pytest.raises(CourseError, match="holds answers"):
        build(unsolved)
    assert "number + number" in copy.read_text(encoding="utf-8")
    build(unsolved, force=True)
    assert "number + number" not in copy.read_text(encoding="utf-8")


def notebook_of(source):
    cell = nbformat.v4.new_code_cell(source, id="cell")
    return nbformat.v4.new_notebook(cells=[cell])


def test_a_cell_that_fails_is_shown_with_its_error(tmp_path):
    with pytest.raises(CourseError, match=r"lesson does not run(.|\n)*ZeroDivisionError"):
        execute(notebook_of("1 / 0"), name="lesson", folder=tmp_path)


def test_a_warning_in_a_lesson_is_an_error(tmp_path):
    with pytest.raises(CourseError, match="a warning was written"):
        execute(notebook_of("import warnings; warnings.warn('old')"), name="lesson", folder=tmp_path)


def test_executed_bytes_hold_nothing_of_the_run_itself(tmp_path):
    runs = []
    for _ in range(2):
        notebook = notebook_of("print('a', end='\\r'); print('b')")
        execute(notebook, name="lesson", folder=tmp_path)
        runs.append(to_bytes(notebook))
    assert runs[0] == runs[1]


def test_a_progress_bar_leaves_only_its_last_state():
    assert last_states("  1%\r 50%\r100%\ndone\n") == "100%\ndone\n"


def test_the_hash_follows_imports_through_modules(tiny_course):
    (tiny_course.root / "course" / "scale.py").write_text("from .unused import ANYTHING\nFACTOR = 2\n")
    before = content_hash(tiny_course, *LESSON)
    (tiny_course.root / "course" / "unused.py").write_text("ANYTHING = 3\n")
    assert content_hash(tiny_course, *LESSON) != before
