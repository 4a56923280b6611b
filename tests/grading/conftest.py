"""A small course with one exercise of each kind, and a judge for it that all tests share."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograde.grading.pool import JudgePool
from autograde.layout import Layout

HERE = Path(__file__).parent
LESSON = ("week1_sample", "1_words")
ANSWER = re.compile(r'^# %% exercise="(\w+)".*\n((?:(?!# %%).*\n)*)', re.MULTILINE)


def copy_course(target: Path) -> Layout:
    """A copy of the sample course that a test may write into."""
    shutil.copytree(HERE / "sample_course", target)
    shutil.copyfile(HERE.parents[1] / "nbgrader_config.py", target / "nbgrader_config.py")
    return Layout(target)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return copy_course(tmp_path_factory.mktemp("course") / "sample")


@pytest.fixture(scope="session")
def release(sample: Layout) -> dict[str, Any]:
    return json.loads(sample.student_copy(*LESSON).read_text("utf-8"))


@pytest.fixture(scope="session")
def answered(sample: Layout, release: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """A function that makes a notebook with all answers right but those given by name."""
    right = dict(ANSWER.findall(sample.lesson_source(*LESSON).read_text("utf-8")))

    def make(**wrong: str) -> dict[str, Any]:
        notebook = json.loads(json.dumps(release))
        for cell in notebook["cells"]:
            cell["source"] = {**right, **wrong}.get(cell["id"], cell["source"])
        return notebook

    return make


@pytest.fixture(scope="session")
def pool(sample: Layout):
    with JudgePool(sample.root, [LESSON]) as pool:
        yield pool


@pytest.fixture
def judge(pool: JudgePool) -> Callable[[Any], dict[str, Any]]:
    """A function that judges a notebook, or bytes, and gives the report with its exercises by name."""

    def run(submission: Any) -> dict[str, Any]:
        payload = submission if isinstance(submission, bytes) else json.dumps(submission).encode()
        ((_, report),) = pool.grade([(0, *LESSON, payload)], 1)
        return {**report, "by_id": {exercise["id"]: exercise for exercise in report["exercises"]}}

    return run
