"""Shared fixtures: a tiny course that can be built, broken and thrown away, and copies of checkpoints."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from autograde.layout import Layout

TINY_LESSON = '''# %% [markdown]
# # Doubling
#
# Twice as much is a sum.

# %% setup=true
import math

from course.scale import FACTOR

# %% exercise="double_it" points=2
def double_it(number):
    """Return twice the number."""
    ### BEGIN SOLUTION
    doubled_value = number * FACTOR
    return doubled_value
    ### END SOLUTION


# %% check="double_it"
assert double_it(2) == 4, "twice two is four"

# %%
print(double_it(math.floor(3.5)))
'''

TINY_TESTS = """from autograde.rubric import check, expect_equal


@check("doubles", points=2, hint="Add the number to itself.")
def test_double_it__doubles(student):
    expect_equal(student.double_it(21), 42)
"""


# The files that take longest begin first, so that no worker is left alone with one of them at the end.
LONGEST = ("test_notebooks", "test_answers", "test_hostile", "test_example_class", "test_grade", "test_browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; `--dist loadfile` keeps a file, whose tests share costly fixtures, on one worker."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture
def tiny_course(tmp_path: Path) -> Layout:
    """A course of one week, one notebook and one exercise, not yet built."""
    files = {
        "solutions/week1_tiny/1_double.py": TINY_LESSON,
        "autograde/hidden/week1_tiny/test_1_double.py": TINY_TESTS,
        "course/__init__.py": "",
        "course/scale.py": 'FACTOR = 2\nTEXTS = "toy"\n',
        "course/unused.py": "ANYTHING = 1\n",
        "data/toy/stories.txt": "once\n",
        "data/toy/SHA256SUMS": f"{hashlib.sha256(b'once' + bytes([10])).hexdigest()}  stories.txt\n",
        "docs/student.md": "# Start here\n",
        "LICENSE": "free\n",
        "nbgrader_config.py": "",
        "pyproject.toml": '[project]\ndependencies = ["torch>=2", "nbgrader>=0.9"]\n',
    }
    for name, text in files.items():
        path = tmp_path / "tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "tiny" / "notebooks").mkdir()
    return Layout(tmp_path / "tiny")


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    """A function that copies one of the course's checkpoints, so that a test may change it; gives its folder."""
    from course.checkpoints import CHECKPOINTS

    return lambda name: Path(shutil.copytree(CHECKPOINTS / name, tmp_path / name))
