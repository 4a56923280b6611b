"""nbgrader's own commands with our judge inside: `nbgrader autograde` and `nbgrader generate_feedback`.

`nbgrader_config.py` names the classes below. nbgrader calls an exporter and its preprocessors twice for each submitted
notebook: once to sanitise it, where ours judges it, and once to grade the result, where ours records the marks.
"""

from __future__ import annotations

import atexit
import json
from collections.abc import Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import pass_context
from nbconvert.exporters import Exporter, NotebookExporter
from nbconvert.filters import markdown2html_mistune
from nbformat import NotebookNode
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets.config import Config

from .grading.cache import Cache
from .grading.gradebook import Recorder
from .grading.graded import FLAGS, REPORT, Graded
from .grading.nbgrader_rules import moment
from .grading.page import student_page
from .grading.pool import JudgePool
from .grading.record import timestamp_in
from .grading.report import KEPT, Entry
from .grading.submissions import TIMESTAMP, Submission
from .judge.release import read_release
from .judge.report import zero
from .layout import Layout
from .sandbox.launch import DESCRIPTIONS
from .submission import Unreadable, is_answer, parse, read_bytes

PAYLOAD = "course_payload"


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
    config.GenerateFeedback.preprocessors = []
    config.ExportApp.plugin_class = "autograde.grading.nbgrader_csv.QuotedCsv"
    # The form grader shows a student's answer in words as HTML in the instructor's browser.
    config.HTMLExporter.sanitize_html = True
    config.HTMLExporter.filters = {"markdown2html": f"{here}.answers_as_typed"}
    # There is no setting for this one.
    CourseDirectory.get_existing_timestamp = handed_in


def handed_in(course: CourseDirectory, folder: str) -> datetime | None:
    """Return when a submission was handed in, None where its file names no moment.

    nbgrader's own refuses to grade the student then, and a student may have written the file.
    """
    written = timestamp_in(Path(folder))
    try:
        return None if written is None else moment(written)
    except (ValueError, OverflowError):
        course.log.warning("%s names no moment", Path(folder) / TIMESTAMP)
        return None


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
        graded = Graded(entry.notebook, entry.public(), entry.flags)
        return nbformat.from_dict(json.loads(graded.dump())), resources

    def _report(self, layout: Layout, submission: Submission, payload: bytes | Unreadable) -> dict[str, Any]:
        week, notebook = submission.week, submission.notebook
        if isinstance(payload, Unreadable):
            reason = f"This submission could not be read: {payload}."
            return zero(read_release(layout, week, notebook), reason, "unreadable").as_plain()
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
        graded = Graded.of(nb)
        report = graded.told() if graded.report else _plain_report(about)
        recorder = Recorder(about["db_url"])
        try:
            place = about["student"], about["assignment"], about["notebook"]
            every_mark = not graded.report or KEPT in report["notes"]
            by_hand = recorder.by_hand(*place, every_mark=every_mark)
        finally:
            recorder.close()
        return student_page({**report, "student": about["student"]}, nb, by_hand), resources


@pass_context
def answers_as_typed(context: Mapping[str, Any], source: str) -> str:
    """Return a text cell as HTML for the form grader: the course's own rendered, a student's as plain text.

    nbgrader's template trusts whoever wrote a text cell. Letting some HTML or formulas through would leave gaps:
    MathJax makes links of its own, diagrams are not escaped, pictures are fetched. In <pre> none of this happens.
    """
    if REPORT in context["nb"].metadata and not is_answer(context["cell"]):
        return markdown2html_mistune(source)
    return f'<pre style="white-space: pre-wrap">{escape(source)}</pre>'


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
