"""Marks are written without nbgrader: the rows, and the rules behind them, must be those that nbgrader makes."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_solution, parse_utc

from autograde.builder.release import ensure_release
from autograde.grading.gradebook import Recorder, database_url, put_tools_on_path
from autograde.grading.marks import columns, week_marks
from autograde.grading.nbgrader_rules import mark_of, moment
from autograde.layout import Layout

from .conftest import LESSON, copy_course

WEEK, NOTEBOOK = LESSON
MARKS = {"check_count_ngrams": 1.0, "check_softmax": 2.5, "check_attend": 0.0, "check_Scale": 2.0, "check_draw": 1.0}
# A key says nothing; what it refers to is compared by following it.
ROWS = {
    "students": "SELECT * FROM student",
    "submissions": """SELECT a.name, s.student_id, s.timestamp, s.extension
        FROM submitted_assignment s JOIN assignment a ON a.id = s.assignment_id""",
    "notebooks": """SELECT s.student_id, n.name, sn.flagged, sn.late_submission_penalty FROM submitted_notebook sn
        JOIN submitted_assignment s ON s.id = sn.assignment_id JOIN notebook n ON n.id = sn.notebook_id""",
    "grades": """SELECT s.student_id, n.name, c.name, c.type, g.auto_score, g.manual_score, g.extra_credit,
        g.needs_manual_grade, length(g.id) FROM grade g JOIN submitted_notebook sn ON sn.id = g.notebook_id
        JOIN submitted_assignment s ON s.id = sn.assignment_id JOIN notebook n ON n.id = sn.notebook_id
        JOIN base_cell c ON c.id = g.cell_id""",
    "comments": """SELECT s.student_id, n.name, c.name, c.type, m.auto_comment, m.manual_comment, length(m.id)
        FROM comment m JOIN submitted_notebook sn ON sn.id = m.notebook_id
        JOIN submitted_assignment s ON s.id = sn.assignment_id JOIN notebook n ON n.id = sn.notebook_id
        JOIN base_cell c ON c.id = m.cell_id""",
}


def rows(layout: Layout) -> dict[str, list[tuple]]:
    with closing(sqlite3.connect(layout.gradebook)) as database:
        return {name: sorted(database.execute(query), key=repr) for name, query in ROWS.items()}


def by_nbgrader(layout: Layout, student: str, notebook: dict, timestamp: str | None = None) -> None:
    """What nbgrader's `autograde` does with a graded notebook, in its own words."""
    known = {} if timestamp is None else {"timestamp": timestamp}
    place = NOTEBOOK, WEEK, student
    with Gradebook(f"sqlite:///{layout.gradebook}") as gradebook:
        with gradebook.db.no_autoflush:  # it links objects before it adds them, which SQLAlchemy warns about
            gradebook.update_or_create_student(student)
            gradebook.update_or_create_submission(WEEK, student, **known)
        for cell in nbformat.from_dict(notebook).cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id")
            if is_grade(cell):
                grade = gradebook.find_grade(name, *place)
                grade.auto_score = determine_grade(cell)[0]
                grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
            if is_solution(cell):
                unchanged = is_grade(cell) and cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)
                gradebook.find_comment(name, *place).auto_comment = "No response." if unchanged else None
        gradebook.db.commit()


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Layout:
    layout = copy_course(tmp_path_factory.mktemp("rows") / "course")
    put_tools_on_path()
    ensure_release(layout)
    return layout


@pytest.fixture
def both(empty, tmp_path):
    """The same empty course twice: one for nbgrader, one for our recorder."""
    copies = []
    for name in ("theirs", "ours"):
        shutil.copytree(empty.root, tmp_path / name)
        copies.append(Layout(tmp_path / name))
    recorder = Recorder(database_url(copies[1], None))
    yield *copies, recorder
    recorder.close()


def graded(release: dict, marks: dict[str, float]) -> dict:
    notebook = json.loads(json.dumps(release))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
        if cell["id"] in marks:
            data = {"text/plain": repr(marks[cell["id"]])}
            output = {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": None}
            cell["outputs"] = [output]
    return notebook


def in_both(both, student: str, notebook: dict, timestamp: str | None = None) -> None:
    theirs, _, recorder = both
    by_nbgrader(theirs, student, notebook, timestamp)
    recorder.record(student=student, week=WEEK, notebook=NOTEBOOK, graded=notebook, flags=[], timestamp=timestamp)


def test_a_class_gives_the_rows_that_nbgrader_makes(both, release):
    in_both(both, "ada", graded(release, MARKS))
    in_both(both, "하준", graded(release, dict.fromkeys(MARKS, 0.0)), "2026-11-01 10:00:00.123456 Asia/Seoul")
    in_both(both, "o'brien", graded(release, MARKS), "2026-11-01 10:00:00 UTC")
    theirs, ours, _ = both
    assert rows(ours) == rows(theirs)
    assert len(rows(ours)["grades"]) == 3 * 6


def test_handed_in_again_over_a_mark_set_by_hand_it_gives_the_same_rows(both, release):
    in_both(both, "ada", graded(release, MARKS))
    for layout in both[:2]:
        with Gradebook(f"sqlite:///{layout.gradebook}") as gradebook:
            gradebook.find_grade("check_softmax", NOTEBOOK, WEEK, "ada").manual_score = 2.0
            gradebook.find_grade("check_draw", NOTEBOOK, WEEK, "ada").extra_credit = 0.5
            gradebook.find_comment("why", NOTEBOOK, WEEK, "ada").manual_comment = "Well argued."
            gradebook.db.commit()
    changed = graded(release, {**MARKS, "check_draw": 0.0})
    for cell in changed["cells"]:
        if cell["id"] == "why":
            cell["source"] = "Because."
    in_both(both, "ada", changed, "2026-11-02 08:00:00 UTC")
    theirs, ours, recorder = both
    assert rows(ours) == rows(theirs)
    waiting = [row[2] for row in rows(ours)["grades"] if row[7]]
    assert waiting == ["check_softmax", "why"]
    with Gradebook(f"sqlite:///{ours.gradebook}") as gradebook:
        entry = gradebook.find_submission_notebook(NOTEBOOK, WEEK, "ada")
        expected = {
            grade.name: (grade.score, grade.max_score) for grade in entry.grades if grade.auto_score is not None
        }
    found = recorder.by_hand("ada", WEEK, NOTEBOOK, every_mark=True)
    assert {name: (mark.score, mark.max) for name, mark in found.items() if mark.score is not None} == expected
    assert found["why"].comment == "Well argued."


def test_scores_and_points_are_read_as_nbgrader_reads_them(both, release):
    in_both(both, "ada", graded(release, MARKS))
    theirs, ours, recorder = both
    with Gradebook(f"sqlite:///{theirs.gradebook}") as gradebook:
        gradebook.find_grade("check_softmax", NOTEBOOK, WEEK, "ada").extra_credit = 0.25
        gradebook.db.commit()
        marks = week_marks(gradebook, WEEK)
        assert columns(gradebook, theirs, WEEK) == columns(recorder.gradebook, ours, WEEK)
        for grade in gradebook.find_submission_notebook(NOTEBOOK, WEEK, "ada").grades:
            mark = marks["ada"][NOTEBOOK][grade.name.removeprefix("check_")]
            assert (mark.score, mark.max, mark.waiting) == (grade.score, grade.max_score, grade.needs_manual_grade)
    assert marks["ada"][NOTEBOOK]["softmax"].score == 2.75


def result(text):
    return {"output_type": "execute_result", "data": {"text/plain": text}, "metadata": {}, "execution_count": None}


STREAM = {"output_type": "stream", "name": "stdout", "text": "0"}
OUTPUTS = {
    "nothing": [],
    "printed": [STREAM],
    "a mark": [STREAM, result("1.5")],
    "a mark in a list": [result(["0.5"])],
    "lines": [result(["0.5\n", "1"])],
    "no number": [result("None")],
    "not a number": [result("nan")],
    "below zero": [result("-1")],
    "two results": [result("0.5"), result("1")],
    "on standard error": [{**STREAM, "name": "stderr"}],
    "an error": [STREAM, {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}],
    "a mark, then an error": [result("1"), {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}],
}


def cell(kind: str, outputs: list, **about) -> nbformat.NotebookNode:
    entry = {"grade_id": "f", "points": 2, "grade": True, "solution": False, "locked": True, **about}
    made = {"cell_type": kind, "source": "x = 'ä'", "metadata": {"nbgrader": entry}}
    return nbformat.from_dict({**made, "outputs": outputs} if kind == "code" else made)


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_cell_has_the_mark_that_nbgrader_finds(name):
    one = cell("code", OUTPUTS[name])
    assert repr(mark_of(one)) == repr(float(determine_grade(one)[0]))


@pytest.mark.parametrize("kind", ["code", "markdown"])
@pytest.mark.parametrize("locked", [True, False])
def test_an_answer_in_words_is_zero_while_it_is_as_given_out(kind, locked):
    one = cell(kind, [], solution=True, locked=locked)
    assert mark_of(one) is determine_grade(one)[0] is None
    one.metadata.nbgrader.checksum = compute_checksum(one)
    assert mark_of(one) == determine_grade(one)[0] == 0
    one.source += "."
    assert mark_of(one) is determine_grade(one)[0] is None


def test_a_mark_above_the_points_is_refused_as_nbgrader_refuses_it():
    with pytest.raises(ValueError, match="greater than maximum"):
        mark_of(cell("code", [result("2.5")]))
    with pytest.raises(ValueError, match="greater than maximum"):
        determine_grade(cell("code", [result("2.5")]))


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-01 10:00:00 UTC",
        "2026-11-01 10:00:00.5 Asia/Seoul",
        "2026-11-01 10:00:00 -18000",
        "2026-11-01 10:00:00 Nowhere",
        "2026-11-01T10:00:00+09:00",
        "2026-11-01",
        "yesterday",
        "",
    ],
)
def test_a_moment_is_the_one_that_nbgrader_reads(text):
    assert read_by(moment, text) == read_by(parse_utc, text)


def read_by(reader, text):
    try:
        return reader(text)
    except ValueError:
        return "refused"
