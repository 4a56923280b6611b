"""Every lesson: it is complete, what is generated from it is current, and its solved form runs from top to bottom."""

from __future__ import annotations

import ast
import re

import nbformat
import pytest

from autograde.builder.build import build
from autograde.builder.execute import execute
from autograde.builder.expand import expand
from autograde.builder.lesson import read_lesson
from autograde.catalogue import read_catalogue
from autograde.layout import Layout
from course.training import MAX_STEPS

LAYOUT = Layout.find()
SHORT = 20
LESSONS = LAYOUT.lessons()
EXERCISES = [
    (week, notebook, exercise.name)
    for week, notebook in LESSONS
    for exercise in read_lesson(LAYOUT.lesson_source(week, notebook)).exercises()
]


def lesson_of(week, notebook):
    return read_lesson(LAYOUT.lesson_source(week, notebook))


def test_everything_generated_is_up_to_date():
    assert [str(path.relative_to(LAYOUT.root)) for path in build(LAYOUT, check=True).stale] == []


@pytest.mark.parametrize(("week", "notebook"), LESSONS)
def test_the_solved_notebook_runs_without_errors_or_warnings(week, notebook, tmp_path, monkeypatch):
    """With few training steps: the full run is the build's, and the test above says that its outputs are current."""
    monkeypatch.setenv(MAX_STEPS, str(SHORT))
    solved = expand(lesson_of(week, notebook))
    execute(solved, name=f"{week}/{notebook}", folder=tmp_path, course_root=LAYOUT.root)
    shown = [output for cell in solved.cells for output in cell.get("outputs", [])]
    assert [output.text for output in shown if output.output_type == "stream" and output.name == "stderr"] == []


@pytest.mark.parametrize(("week", "notebook"), LESSONS)
def test_every_figure_has_alternative_text_of_one_sentence(week, notebook):
    solved = nbformat.read(LAYOUT.lesson_source(week, notebook).with_suffix(".ipynb"), as_version=4)
    outputs = [output for cell in solved.cells for output in cell.get("outputs", [])]
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert figures, "a notebook without a picture"
    for figure in figures:
        assert len(figure.metadata.get("image/png", {}).get("alt", "").split()) >= 5


@pytest.mark.parametrize(("week", "notebook"), LESSONS)
def test_the_opening_table_states_the_points_that_the_exercises_carry(week, notebook):
    lesson = lesson_of(week, notebook)
    stated = re.search(r"\|\s*\*\*Points\*\*\s*\|\s*([\d.]+)", lesson.cells[0].source)
    assert stated, "the first cell has a table with build, need, time and points"
    assert float(stated.group(1)) == lesson.points()


@pytest.mark.parametrize(("week", "notebook"), LESSONS)
def test_a_notebook_ends_with_what_works_what_comes_and_practice(week, notebook):
    headings = re.findall(r"^#+ (.*)$", "\n".join(c.source for c in lesson_of(week, notebook).cells[-8:]), re.M)
    for heading in ("what now works", "what comes next", "in practice"):
        assert any(heading in found.lower() for found in headings), f"no heading «{heading}» near the end"


@pytest.mark.parametrize(("week", "notebook"), LESSONS)
def test_cells_stay_small(week, notebook):
    for cell in lesson_of(week, notebook).cells:
        if cell.kind in ("plain", "setup"):
            lines = [line for line in cell.source.splitlines() if line.strip()]
            assert len(lines) <= 25, f"{len(lines)} lines of code: {lines[0]}"


@pytest.mark.parametrize(("week", "notebook", "name"), EXERCISES)
def test_an_exercise_has_a_full_docstring_and_two_folded_hints(week, notebook, name):
    cells = lesson_of(week, notebook).cells
    start = next(i for i, cell in enumerate(cells) if cell.kind == "exercise" and cell.name == name)
    end = next(i for i, cell in enumerate(cells) if cell.kind == "check" and cell.name == name)
    hints = sum(cell.source.count("<details>") for cell in cells[start:end])
    assert hints == 2
    answer = next(node for node in ast.parse(cells[start].source).body if getattr(node, "name", "") == name)
    assert "Args:" in ast.get_docstring(answer) or isinstance(answer, ast.ClassDef)


@pytest.mark.parametrize(("week", "notebook", "name"), EXERCISES)
def test_an_exercise_has_at_least_four_hidden_tests_four_wrong_and_two_right_answers(week, notebook, name):
    functions = ast.parse(LAYOUT.hidden_tests(week, notebook).read_text(encoding="utf-8")).body
    tests = [node.name for node in functions if getattr(node, "name", "").startswith(f"test_{name}__")]
    answers = [answer for answer in read_catalogue(LAYOUT, week, notebook) if answer.exercise == name]
    assert len(tests) >= 4
    assert sum(not answer.right for answer in answers) >= 4
    assert sum(answer.right for answer in answers) >= 2
