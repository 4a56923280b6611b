"""Markers of a lesson's source: what they mean, and what is refused with which words."""

from __future__ import annotations

import pytest

from autograde.builder.lesson import read_lesson, solution_lines
from autograde.layout import CourseError

ANSWER = "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n"


def lesson_of(tmp_path, text):
    path = tmp_path / "week1_x" / "1_x.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return read_lesson(path)


def test_markers_say_what_a_cell_is(tmp_path):
    lesson = lesson_of(
        tmp_path,
        "# %% [markdown]\n# hello\n\n# %% setup=true\nimport math\n\n# %%\n1 + 1\n\n"
        f'# %% exercise="f" points=2.5\n{ANSWER}\n# %% check="f"\nassert f()\n\n'
        '# %% [markdown] essay="why" points=4\n# Because.\n',
    )
    assert [cell.kind for cell in lesson.cells] == ["prose", "setup", "plain", "exercise", "check", "essay"]
    assert lesson.points() == 6.5
    assert (lesson.week, lesson.notebook) == ("week1_x", "1_x")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('# %% exercize="f" points=1\nx\n', "unknown marker 'exercize'"),
        (f'# %% exercise="f"\n{ANSWER}', "unknown marker|points belong|points"),
        (f'# %% exercise="f" points=0\n{ANSWER}', "above 0"),
        (f'# %% exercise="not a name" points=1\n{ANSWER}', "must be a Python name"),
        ('# %% exercise="f" points=1\ndef f():\n    return 1\n', "an answer must stand between"),
        ('# %% exercise="f" points=1\n### BEGIN SOLUTION\nx = 1\n', "an answer must stand between"),
        ('# %% exercise="f" points=1\n### BEGIN SOLUTIONS\nx = 1\n### END SOLUTION\n', "out of place"),
        (f"# %%\n{ANSWER}", "BEGIN SOLUTION"),
        ("# %%\n### BEGIN HIDDEN TEST\nassert 1\n", "HIDDEN TEST"),
        ('# %% check="f"\nassert 1\n', "must follow its exercise"),
        (f'# %% exercise="f" points=1\n{ANSWER}', "has no check cell"),
        (f'# %% exercise="f" points=1\n{ANSWER}\n# %% check="f"\n1\n\n# %% check="f"\n1\n', "two check cells"),
        (f'# %% exercise="f" points=1\n{ANSWER}\n# %% exercise="f" points=1\n{ANSWER}', "used twice"),
        ('# %% setup=true check="f"\nx = 1\n', "a cell is one thing"),
        ('# %% [markdown] exercise="f" points=1\n# x\n', "does not fit"),
    ],
)
def test_a_marker_that_does_not_fit_is_refused_with_the_file_and_the_reason(tmp_path, text, complaint):
    with pytest.raises(CourseError, match=complaint) as refused:
        lesson_of(tmp_path, text)
    assert "1_x.py" in str(refused.value)


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(CourseError, match="does not exist"):
        read_lesson(tmp_path / "week1_x" / "1_gone.py")


def test_solution_lines_are_those_between_the_marks():
    assert solution_lines(ANSWER) == ["    return 1"]
