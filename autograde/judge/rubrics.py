"""The checks of each exercise, found in its hidden tests by name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from ..layout import CourseError
from ..rubric import Check

TEST_NAME = re.compile(r"test_(?P<exercise>\w+?)__\w+")


@dataclass
class GradedTest:
    """One test function: its check and, where it is parametrised, all its cases."""

    check: Check
    items: list[pytest.Item] = field(default_factory=list)


@dataclass
class Rubric:
    """The hidden tests of one notebook, by exercise, in the order of the file."""

    exercises: dict[str, list[GradedTest]] = field(default_factory=dict)

    def points(self, exercise: str) -> float:
        return sum(test.check.points for test in self.exercises.get(exercise, []))


def rubrics_of(items: list[pytest.Item]) -> dict[str, Rubric]:
    """Return the rubric of each file of hidden tests, by the file's path.

    Raises:
        CourseError: a test is not named after an exercise, or has no `@check`.
    """
    rubrics: dict[str, Rubric] = {}
    tests: dict[tuple[str, str], GradedTest] = {}
    for item in items:
        function: Any = getattr(item, "function", None)
        name, path = getattr(item, "originalname", item.name), str(item.path)
        match = TEST_NAME.fullmatch(name)
        if match is None or not isinstance(getattr(function, "check", None), Check):
            raise CourseError(
                f"{path}: {name} is no graded test; name it test_EXERCISE__ASPECT and give it @check(...)."
            )
        if (path, name) not in tests:
            tests[path, name] = GradedTest(function.check)
            exercises = rubrics.setdefault(path, Rubric()).exercises
            exercises.setdefault(match["exercise"], []).append(tests[path, name])
        tests[path, name].items.append(item)
    return rubrics
