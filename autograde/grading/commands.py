"""`course grade` and `course check`, as plain functions for the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..layout import CourseError, Layout
from ..sandbox.launch import DESCRIPTIONS
from .files import write_whole
from .progress import watched
from .report import Entry, to_json
from .run import CACHED, Grader
from .submissions import Finder, Submission
from .unchanged import LastRun

if TYPE_CHECKING:
    from rich.console import Console

# jsonschema compiles these grammars of web addresses, for two seconds, wherever it finds them; no notebook needs them.
SLOW_GRAMMARS = "rfc3987_syntax"
STRONGEST = "bubblewrap"
NOT_SAVED = (
    "Nothing is answered in this file. If you did answer, save the notebook (Ctrl+S) and check again: "
    "what counts is the file as it was last saved."
)


def grade(
    paths: Annotated[list[Path], typer.Argument(help="Notebooks, or folders laid out STUDENT/WEEK/NOTEBOOK.ipynb.")],
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write the report there; - for standard output.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Submissions judged at the same time; default: all processors.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Hand the work to this Dask scheduler: tcp://host:8786.")
    ] = None,
    gradebook: Annotated[
        str | None, typer.Option(metavar="URL", help="Another gradebook: a file, or an address as SQLAlchemy reads it.")
    ] = None,
    no_record: Annotated[bool, typer.Option("--no-record", help="Write nothing into the gradebook.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Judge again what was judged before.")] = False,
    details: Annotated[
        bool, typer.Option("--details", help="Add exception texts and flags to the JSON; not for students.")
    ] = False,
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Go on without a jail where none works. Only if you trust all students.")
    ] = False,
) -> None:
    """Grade submissions, record a class in the gradebook, write feedback pages."""
    layout = Layout.find()
    submissions = Finder(layout).find(paths)
    target = _json_target(json_file)
    grader = Grader(layout, allow_unsafe=unsafe, use_cache=not no_cache, scheduler=scheduler)
    grader.n_jobs = jobs or grader.n_jobs
    # A cancelled report never replaces an earlier one.
    with grader:
        graded = grader.grade(submissions)
        # Only now, with the judge starting beside it: what prints takes a tenth of a second to import.
        from rich.console import Console

        console = Console(stderr=json_file == "-")
        entries = _recorded(grader, graded, submissions, None if no_record else gradebook or "", console)
    if target is None:
        from .table import print_class

        (print_class if len(entries) > 1 or entries[0].submission.recorded else _print_alone)(entries, console)
    _print_modes(grader.modes, console)
    if target is not None:
        _write_json(target, to_json(entries, details=details))


def check(notebook: Annotated[Path, typer.Argument(help="Your notebook.")]) -> None:
    """Grade one notebook for yourself: exercises, marks and hints."""
    if notebook.is_dir():
        raise CourseError(f"{notebook} is a folder; give one notebook, or use `course grade` for a class.")
    layout = Layout.find()
    submissions = Finder(layout).find([notebook])
    with Grader(layout) as grader:
        entries = list(grader.grade(submissions))
    from rich.console import Console

    from .table import is_untouched

    console = Console()
    _print_alone(entries, console)
    if all(entry.exercises and is_untouched(entry) for entry in entries):
        console.print(NOT_SAVED, soft_wrap=True)
    # Of the jail, a learner alone needs to know no more than that it is weaker than it could be.
    _print_modes(grader.modes - {STRONGEST}, console)


def _recorded(
    grader: Grader,
    graded: Iterator[Entry],
    submissions: Sequence[Submission],
    gradebook: str | None,
    console: Console,
) -> list[Entry]:
    """Return all entries, recording those of a class as they come.

    Args:
        graded: what the grader gives for the submissions.
        gradebook: None to record nothing, "" for the course's own.
    """
    recorder = None
    last = LastRun(grader.layout, gradebook or "")
    recorded_before = gradebook is not None and last.holds(submissions, grader.keys)
    if gradebook is not None and any(submission.recorded for submission in submissions) and not recorded_before:
        from .entered import is_entered
        from .gradebook import Recorder, database_url
        from .record import write_class_pages, write_results

        address = database_url(grader.layout, gradebook or None)
        if not is_entered(grader.layout, address):
            _enter(grader.layout, address)
        recorder = Recorder(address)
    entries = watched(graded, len(submissions), console)
    if recorder is None:
        return list(entries)
    try:
        recorded = list(write_results(entries, grader.layout, recorder))
        weeks = {submission.week for submission in submissions if submission.recorded}
        for path in write_class_pages(grader.layout, recorder.gradebook, weeks, submissions):
            console.print(f"The class's page: {path}", soft_wrap=True)
        last.remember(submissions, grader.keys, recorded)
        return recorded
    finally:
        recorder.close()


def _enter(layout: Layout, address: str) -> None:
    """Have nbgrader make the gradebook, or bring the course's present form into it."""
    sys.modules.setdefault(SLOW_GRAMMARS, None)  # type: ignore[arg-type]
    from ..builder.release import ensure_release
    from .gradebook import put_tools_on_path

    put_tools_on_path()
    ensure_release(layout, address)


def _print_alone(entries: Sequence[Entry], console: Console) -> None:
    from .table import print_one

    for entry in entries:
        print_one(entry, console)


def _print_modes(modes: set[str], console: Console) -> None:
    for mode in sorted(modes - {CACHED}):
        console.print(f"Submissions ran in: {DESCRIPTIONS[mode]}.", style="" if mode == STRONGEST else "bold yellow")
    if modes == {CACHED}:
        console.print("Nothing had changed: all marks are those of an earlier run.")


def _json_target(name: str | None) -> Path | str | None:
    """Return where the report goes, checked before any work is done."""
    if name is None or name == "-":
        return name
    path = Path(name)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise CourseError(f"The report cannot be written to {path}: name a file in a folder that exists.")
    return path


def _write_json(target: Path | str, text: str) -> None:
    if target == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    write_whole(Path(target), text)
