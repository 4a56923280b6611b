"""Graded submissions as the judge reports them, made without one: for tests of what becomes of a report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nbgrader.api import Gradebook

from autograde.grading.cache import Cache
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


def hand_in_judged(layout: Layout, student: str, marks: Mapping[str, float], **more: Any) -> None:
    """Hand in a notebook whose report lies in the cache already: `course grade` takes it from there, with no judge."""
    made = entry(layout, student, marks, **more)
    release = read_release(layout, *LESSON)
    release["metadata"]["whose"] = [student, marks, more]
    payload = json.dumps(release).encode()
    made.submission.path.parent.mkdir(parents=True, exist_ok=True)
    made.submission.path.write_bytes(payload)
    cache = Cache(layout)
    fields = ("score", "max", "notes", "exercises", "flags", "notebook")
    cache.put(cache.key(*LESSON, payload), {name: getattr(made, name) for name in fields})


def contents(layout: Layout, gradebook: str | None = None) -> dict[str, Any]:
    """Everything that grading leaves: each grade and comment in the gradebook, each notebook and page."""
    found: dict[str, Any] = {}
    with Gradebook(database_url(layout, gradebook)) as opened:
        for submission in opened.assignment_submissions(LESSON[0]):
            for notebook in submission.notebooks:
                place = submission.student.id, notebook.name
                for grade in notebook.grades:
                    marks = grade.auto_score, grade.manual_score, grade.extra_credit, grade.needs_manual_grade
                    found[(*place, grade.name)] = marks
                for comment in notebook.comments:
                    found[(*place, comment.name, "comment")] = comment.auto_comment, comment.manual_comment
    for folder in (layout.autograded, layout.feedback):
        for path in folder.rglob("*"):
            if path.suffix in (".ipynb", ".html"):
                found[str(path.relative_to(layout.build))] = path.read_text("utf-8")
    return found


def record(layout: Layout, entries: Iterable[Entry], gradebook: str | None = None) -> list[Entry]:
    """Record entries and write all pages, as `course grade` does after judging."""
    put_tools_on_path()
    recorder = Recorder(database_url(layout, gradebook))
    try:
        done = list(write_results(iter(entries), layout, recorder))
        write_class_pages(layout, recorder.gradebook, {LESSON[0]})
        return done
    finally:
        recorder.close()
