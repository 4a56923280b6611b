"""How far grading a class is, and how long it will take: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .report import Entry

if TYPE_CHECKING:
    from rich.console import Console

LOG_SECONDS = 10.0


def watched(entries: Iterator[Entry], n_entries: int, console: Console) -> Iterator[Entry]:
    """Pass entries on, showing how many of them have come; of a single one nothing is shown.

    Args:
        entries: in the order in which they get graded.
        n_entries: how many will come.
        console: where a bar goes, if it is a terminal; a log goes to standard error.
    """
    if n_entries < 2:
        return entries
    return _under_a_bar(entries, n_entries, console) if console.is_terminal else _logged(entries, n_entries)


def _under_a_bar(entries: Iterator[Entry], n_entries: int, console: Console) -> Iterator[Entry]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("grading", total=n_entries)
        for entry in entries:
            progress.advance(task)
            yield entry


def _logged(entries: Iterator[Entry], n_entries: int) -> Iterator[Entry]:
    began = last = time.monotonic()
    for number, entry in enumerate(entries, start=1):
        now = time.monotonic()
        if now - last > LOG_SECONDS:
            last = now
            left = (now - began) / number * (n_entries - number)
            print(f"{number} of {n_entries} submissions graded, {in_words(left)} left", file=sys.stderr, flush=True)
        yield entry


def in_words(seconds: float) -> str:
    """Return a time that is estimated, and says so."""
    return f"about {round(seconds)} seconds" if seconds < 90 else f"about {round(seconds / 60)} minutes"
