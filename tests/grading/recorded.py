"""Graded submissions as the judge reports them, made without one: for tests of what becomes of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from autograde.grading.gradebook import Recorder, database_url, put_tools_on_path
from autograde.grading.record import write_class_pages, write_results
from autograde.grading.report import Entry
from autograde.grading.submissions import Submission
from autograde.judge.release import read_release
from autograde.judge.report import ExerciseReport, with_outputs
from autograde.layout import Layout
from autograde.submission import exercises_of, rebuild

from .conftest import LESSON

HINT = "Think of an empty list."


def entry(
    layout: Layout,
    student: str,
    marks: Mapping[str, float],
    *,
    hints: Mapping[str, str] | None = None,
    flags: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Entry:
    """A submission's report: the marks by exercise (0 without one), and a hint where marks were lost."""
    release = read_release(layout, *LESSON)
    exercises = []
    for name, points in exercises_of(release).items():
        score = marks.get(name, 0.0)
        hint = "" if score == points else (hints or {}).get(name, HINT)
        check = {"name": f"tries {name}", "points": points, "passed": score == points, "hint": hint, "detail": "secret"}
        exercises.append(ExerciseReport(name, score, points, "", [check]))
    notebook = with_outputs(rebuild(release, []).notebook, exercises, {})
    path = layout.submitted / student / LESSON[0] / f"{LESSON[1]}.ipynb"
    submission = Submission(path, student, *LESSON, recorded=True)
    score = sum(exercise.score for exercise in exercises)
    found = [vars(exercise) for exercise in exercises]
    return Entry(submission, score, sum(e.max for e in exercises), list(notes), found, list(flags), notebook)


def record(layout: Layout, entries: Iterable[Entry], gradebook: str | None = None) -> list[Entry]:
    """Record entries and write all pages, as `course grade` does after judging."""
    put_tools_on_path()
    recorder = Recorder(database_url(layout, gradebook))
    try:
        done = list(write_results(iter(entries), layout, recorder))
        write_class_pages(layout, recorder.gradebook, {LESSON[0]}, done)
        return done
    finally:
        recorder.close()
