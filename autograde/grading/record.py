"""What a graded class leaves behind: marks in the gradebook, graded notebooks, a page for each student."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..layout import Layout
from ..submission import Unreadable, read_bytes
from .class_page import class_page
from .class_report import REASONS, Look, class_page_path, read_class
from .database import Database
from .files import write_whole
from .gradebook import UNGRADED, Recorder
from .graded import Graded, graded_path, page_path, read_graded
from .page import student_page
from .report import Entry
from .submissions import TIMESTAMP, Submission, printable

# Far above any moment: what reads one takes minutes for a million digits, and the file may be a student's.
MAX_TIMESTAMP_BYTES = 200


def write_results(entries: Iterator[Entry], layout: Layout, recorder: Recorder) -> Iterator[Entry]:
    """Pass entries on, after each student's was recorded and written where nbgrader looks for it.

    Args:
        entries: as `Grader.grade` yields them.
        layout: the course.
        recorder: the gradebook.
    """
    present: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        submission = entry.submission
        if submission.recorded and submission.student:
            kept = recorder.record(
                student=submission.student,
                week=submission.week,
                notebook=submission.notebook,
                graded=entry.notebook,
                flags=[] if _was_never_graded(layout, submission) else entry.flags,
                timestamp=timestamp_in(submission.path.parent),
            )
            if kept:
                entry.notes.append(kept)
            _write_files(entry, layout, recorder, kept=bool(kept))
            entry.notebook = {}  # it is on the disk now: a thousand of them would fill the memory
            present.setdefault((submission.student, submission.week), set()).add(submission.notebook)
        yield entry
    for (student, week), notebooks in present.items():
        recorder.give_zero_for_missing(student, week, notebooks)


def _was_never_graded(layout: Layout, submission: Submission) -> bool:
    """Return whether what was graded before of this notebook could not be graded either: there are no marks to keep."""
    place = graded_path(layout, str(submission.student), submission.week, submission.notebook)
    earlier = read_graded(place)
    return earlier is not None and not earlier.later and bool(UNGRADED.intersection(earlier.flags))


def timestamp_in(folder: Path) -> str | None:
    """Return what a folder's file says of when it was handed in, None where it says nothing of use."""
    try:
        written = read_bytes(folder / TIMESTAMP).strip()
        return written.decode("utf-8", "replace") or None if len(written) <= MAX_TIMESTAMP_BYTES else None
    except Unreadable:
        return None


def _write_files(entry: Entry, layout: Layout, recorder: Recorder, *, kept: bool) -> None:
    """Write a student's graded notebook and feedback page, each whole or not at all.

    Args:
        kept: the gradebook holds an earlier submission's marks; then its notebook stays, with today's notes.
    """
    submission = entry.submission
    place = str(submission.student), submission.week, submission.notebook
    graded = Graded(entry.notebook, entry.public(), entry.flags)
    earlier = read_graded(graded_path(layout, *place)) if kept else None
    if earlier is not None:
        flags = sorted({*earlier.flags, *entry.flags})
        graded = Graded(earlier.notebook, earlier.report, flags, entry.notes)
    write_whole(graded_path(layout, *place), graded.dump())
    by_hand = recorder.by_hand(*place, every_mark=kept)
    write_whole(page_path(layout, *place), student_page(graded.told(), graded.notebook, by_hand))


def write_pages(layout: Layout, recorder: Recorder, week: str) -> None:
    """Write every student's pages of a week anew, with what the gradebook says now."""
    for path in sorted(layout.autograded.glob(f"*/{week}/*.ipynb")):
        graded = read_graded(path)
        if graded is not None:
            place = path.parts[-3], week, path.stem
            try:
                by_hand = recorder.by_hand(*place, every_mark=bool(graded.later))
            except LookupError:
                continue  # graded into another gradebook
            report = {**graded.told(), "student": place[0]}
            write_whole(page_path(layout, *place), student_page(report, graded.notebook, by_hand))


def write_class_pages(
    layout: Layout, gradebook: Database, weeks: Iterable[str], submissions: Sequence[Submission] = ()
) -> list[Path]:
    """Write the page of each week for instructors; return where they lie.

    Args:
        submissions: everything that was handed in; what is none of the course's notebooks no gradebook knows.
    """
    paths = []
    for week in sorted(set(weeks)):
        strays = [
            Look(str(stray.student), printable(stray.path.name), [REASONS["foreign"]], serious=True)
            for stray in submissions
            if not stray.known and stray.week == week
        ]
        paths.append(class_page_path(layout, week))
        write_whole(paths[-1], class_page(read_class(gradebook, layout, week, strays)))
    return paths
