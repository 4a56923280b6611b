"""What an instructor wants to know of one week: from the gradebook's marks and the graded notebooks' reports."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..layout import Layout
from .database import Database
from .graded import Graded, graded_path, read_graded
from .marks import CellMark, columns, week_marks
from .table import tells_a_mistake

if TYPE_CHECKING:
    from nbgrader.api import Gradebook

# What a flag of the judge's means for somebody who has to decide what to do about it.
REASONS = {
    "unreadable": "The file could not be read.",
    "grader failed": "The grader could not finish with it.",
    "timed out": "Its code ran out of time.",
    "died": "Its code ended the process that it ran in.",
    "setup failed": "A cell of the course's own failed in it.",
    "foreign": "This file is none of the course's notebooks.",
}


@dataclass(frozen=True)
class Exercise:
    """How a class did in one exercise; answers in words count once they are graded.

    Args:
        notebook, name, points: which.
        n_handed_in, n_full, n_none: students with a mark, with full marks, with no point.
        mean: the mean share of the points, between 0 and 1.
    """

    notebook: str
    name: str
    points: float
    n_handed_in: int
    n_full: int
    n_none: int
    mean: float


@dataclass(frozen=True)
class Misconception:
    """One hint that was given in one exercise: how often, and to whom."""

    exercise: str
    hint: str
    n_times: int
    students: Sequence[str]


@dataclass(frozen=True)
class Look:
    """One submission that an instructor should look at, and why."""

    student: str
    notebook: str
    reasons: Sequence[str]
    serious: bool


@dataclass
class ClassReport:
    """One week of one class.

    Args:
        week: which.
        notebooks: its notebooks, in order.
        exercises: how the class did in each.
        totals: by student, (score, max) of what was handed in and graded.
        by_notebook: by student and notebook, (score, max); only what was handed in.
        misconceptions: the hints given, those that reached most students first.
        looks: submissions that need a look.
        n_waiting: answers in words that nobody has graded yet.
    """

    week: str
    notebooks: list[str]
    exercises: list[Exercise] = field(default_factory=list)
    totals: dict[str, tuple[float, float]] = field(default_factory=dict)
    by_notebook: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    misconceptions: list[Misconception] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    n_waiting: int = 0

    def shares(self) -> list[float]:
        """Return each student's share of the points, between 0 and 1."""
        return [score / maximum for score, maximum in self.totals.values() if maximum]


def read_class(gradebook: Database | Gradebook, layout: Layout, week: str, strays: Sequence[Look] = ()) -> ClassReport:
    """Return the report on a week.

    Args:
        gradebook: open for reading.
        layout: the course.
        week: which.
        strays: files that are no submission of the course's, which only the run that met them knows.
    """
    names = columns(gradebook, layout, week)
    marks = week_marks(gradebook, week)
    report = ClassReport(week, sorted({notebook for notebook, *_ in names}))
    graded: dict[tuple[str, str], Graded] = {}
    for student in sorted(marks):
        for notebook in report.notebooks:
            if (found := read_graded(graded_path(layout, student, week, notebook))) is not None:
                # The notebook itself is not needed, and a class of them is large.
                graded[student, notebook] = Graded({}, found.report, found.flags, found.later)
    given = {place: marks[place[0]].get(place[1], {}) for place in graded}
    report.exercises = [_exercise(given, *name) for name in names]
    report.n_waiting = sum(mark.waiting and not mark.score for cells in given.values() for mark in cells.values())
    for (student, notebook), cells in given.items():
        report.by_notebook[student, notebook] = _sum(cells.values())
    for student in sorted(marks):
        report.totals[student] = _sum(mark for cells in marks[student].values() for mark in cells.values())
    report.misconceptions = _misconceptions(graded)
    looks = [_look(*place, found) for place, found in graded.items() if found.flags or found.told()["notes"]]
    report.looks = sorted([*strays, *looks], key=lambda look: (not look.serious, look.student, look.notebook))
    return report


def _sum(marks) -> tuple[float, float]:
    counted = [mark for mark in marks if mark.score or not mark.waiting]
    return tuple(round(sum((getattr(mark, part) for mark in counted), 0.0), 9) for part in ("score", "max"))


def _exercise(given: dict[tuple[str, str], dict[str, CellMark]], notebook: str, name: str, points: float) -> Exercise:
    marks = [cells[name] for (_, where), cells in given.items() if where == notebook and name in cells]
    scores = [mark.score for mark in marks if mark.score or not mark.waiting]
    mean = statistics.fmean(scores) / points if scores and points else 0.0
    n_full, n_none = sum(score >= points for score in scores), sum(score == 0 for score in scores)
    return Exercise(notebook, name, points, len(scores), n_full, n_none, mean)


def _misconceptions(graded: dict[tuple[str, str], Graded]) -> list[Misconception]:
    times: Counter[tuple[str, str]] = Counter()
    whose: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (student, _), found in graded.items():
        for exercise in found.report["exercises"]:
            for check in exercise["checks"]:
                hint = check["hint"]
                if not check["passed"] and tells_a_mistake(hint):
                    times[exercise["id"], hint] += 1
                    whose[exercise["id"], hint].add(student)
    made = [Misconception(*key, n_times, sorted(whose[key])) for key, n_times in times.items()]
    return sorted(made, key=lambda item: (-len(item.students), -item.n_times, item.exercise, item.hint))


def _look(student: str, notebook: str, found: Graded) -> Look:
    reasons = [REASONS.get(flag, flag) for flag in found.flags]
    return Look(student, notebook, [*reasons, *found.told()["notes"]], bool(found.flags))


def class_page_path(layout: Layout, week: str) -> Path:
    """Return where a week's page for instructors lies; nbgrader publishes only what is in students' folders."""
    return layout.feedback / f"{week}.html"
