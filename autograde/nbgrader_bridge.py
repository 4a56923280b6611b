"""nbgrader's own commands with our judge inside: `nbgrader autograde` and `nbgrader generate_feedback`.

`nbgrader_config.py` names the classes below. nbgrader calls an exporter and its preprocessors twice for each submitted
notebook: once to sanitise it, where ours judges it, and once to grade the result, where ours records the marks.
"""

from __future__ import annotations

import atexit
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import Exporter, NotebookExporter
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets.config import Config

from .grading.cache import Cache
from .grading.gradebook import Recorder
from .grading.page import HandMark, student_page
from .grading.pool import JudgePool
from .grading.report import Entry
from .grading.submissions import Submission
from .judge.release import read_release
from .judge.report import zero
from .layout import Layout
from .sandbox.launch import DESCRIPTIONS
from .submission import Notebook, Unreadable, parse, read_bytes

PAYLOAD = "course_payload"
REPORT = "course_report"
FLAGS = "course_flags"


def configure(config: Config) -> None:
    """Put the judge into nbgrader's commands.

    Args:
        config: nbgrader's settings, with the course's folders already in them.
    """
    here = "autograde.nbgrader_bridge"
    config.Autograde.exporter_class = f"{here}.SubmissionExporter"
    config.Autograde.sanitize_preprocessors = [f"{here}.Judge"]
    config.Autograde.autograde_preprocessors = [f"{here}.Record"]
    config.GenerateFeedback.exporter_class = f"{here}.FeedbackExporter"
    config.GenerateFeedback.preprocessors = ["nbgrader.preprocessors.GetGrades"]


def graded_notebook(notebook: Notebook, report: Mapping[str, Any], flags: list[str] | None = None) -> str:
    """Return a graded notebook as nbgrader's `autograded` folder holds it, the public report in its metadata."""
    metadata = {**notebook.get("metadata", {}), REPORT: dict(report), FLAGS: list(flags or [])}
    return json.dumps({**notebook, "metadata": metadata}, indent=1, ensure_ascii=False) + "\n"


class SubmissionExporter(NotebookExporter):
    """Reads a submitted file without ever failing on it: one broken notebook must not stop a class."""

    def from_filename(
        self, filename: str, resources: dict[str, Any] | None = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the converted notebook; the file's bytes go to the preprocessors, whatever they are."""
        resources = self._init_resources(resources)
        try:
            resources[PAYLOAD] = read_bytes(Path(filename))
        except Unreadable as error:
            resources[PAYLOAD] = error
        return self.from_notebook_node(self._own(resources[PAYLOAD]), resources=resources, **kwargs)

    @staticmethod
    def _own(payload: bytes | Unreadable) -> NotebookNode:
        """Return a notebook that the judge has written, an empty one for what a student handed in."""
        try:
            parse(payload if isinstance(payload, bytes) else b"")
            document = json.loads(payload)
            if REPORT in document["metadata"]:
                return nbformat.from_dict(document)
        except (Unreadable, ValueError, KeyError, TypeError):
            pass
        return nbformat.v4.new_notebook()


class Judge(NbGraderPreprocessor):
    """Puts the graded notebook in the place of the submitted one."""

    _pool: JudgePool | None = None

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Return the rebuilt submission with marks at its check cells and the report in its metadata."""
        about = resources["nbgrader"]
        submission = Submission(Path(about["notebook"]), about["student"], about["assignment"], about["notebook"])
        # Where nbgrader was started, which may be a course other than the one this package lies in.
        layout = Layout(Path(self.config.CourseDirectory.root))
        report = self._report(layout, submission, resources[PAYLOAD])
        entry = Entry.of(submission, report, "")
        return nbformat.from_dict(json.loads(graded_notebook(entry.notebook, entry.public(), entry.flags))), resources

    def _report(self, layout: Layout, submission: Submission, payload: bytes | Unreadable) -> dict[str, Any]:
        week, notebook = submission.week, submission.notebook
        if isinstance(payload, Unreadable):
            reason = f"This submission could not be read: {payload}."
            return asdict(zero(read_release(layout, week, notebook), reason, "unreadable"))
        cache = Cache(layout)
        key = cache.key(week, notebook, payload)
        report = cache.get(key)
        if report is None:
            ((_, report),) = self._judges(layout).grade([(0, week, notebook, payload)], 1)
            cache.put(key, report)
        return report

    def _judges(self, layout: Layout) -> JudgePool:
        """Return the one pool of this process: nbgrader makes a preprocessor anew for each notebook."""
        if Judge._pool is None:
            lessons = [lesson for lesson in layout.lessons() if layout.hidden_tests(*lesson).is_file()]
            Judge._pool = JudgePool(layout.root, lessons)
            atexit.register(Judge._pool.close)
            self.log.warning("Submissions run in: %s", DESCRIPTIONS[Judge._pool.mode()])
        return Judge._pool


class Record(NbGraderPreprocessor):
    """Writes the marks at the check cells into the gradebook."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Return the notebook, with a note in its report where an earlier submission's marks were kept."""
        about = resources["nbgrader"]
        recorder = Recorder(about["db_url"])
        try:
            kept = recorder.record(
                student=about["student"],
                week=about["assignment"],
                notebook=about["notebook"],
                graded=nb,
                flags=list(nb.metadata.get(FLAGS, [])),
            )
        finally:
            recorder.close()
        if kept:
            nb.metadata[REPORT].notes.append(kept)
        return nb, resources


class FeedbackExporter(Exporter):
    """Makes the same page as `course grade`, with the gradebook's marks and the instructor's comments."""

    file_extension = ".html"
    output_mimetype = "text/html"

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the page for a graded notebook."""
        nb, resources = super().from_notebook_node(nb, resources, **kwargs)
        about = resources["nbgrader"]
        report = nb.metadata.get(REPORT) or _plain_report(about)
        marks = {}
        for cell in nb.cells:
            entry = cell.metadata.get("nbgrader", {})
            comment = entry.get("comment") or ""
            if "score" in entry or comment:
                marks[entry["grade_id"]] = HandMark(entry.get("score") or 0.0, entry.get("points") or 0.0, comment)
        return student_page({**report, "student": about["student"]}, nb, marks), resources


def _plain_report(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report on a notebook that was graded by something else: marks, no checks."""
    return {
        "week": about["assignment"],
        "notebook": about["notebook"],
        "score": 0,
        "max": 0,
        "notes": [],
        "exercises": [],
    }
