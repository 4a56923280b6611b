"""Reports as tables in the terminal."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .report import Entry
from .submissions import printable

N_MISCONCEPTIONS = 8
NOT_ANSWERED = "Not answered yet."
# So begins the hint of a check that may have failed for a mistake that another check recognised.
SECOND_HINT = "Perhaps for the same reason"


def print_class(entries: Sequence[Entry], console: Console) -> None:
    """Print one table a lesson, student by exercise, then the hints that were given most often."""
    lessons = sorted({(entry.submission.week, entry.submission.notebook) for entry in entries if entry.exercises})
    for lesson in lessons:
        console.print(_class_table(*lesson, entries))
    for entry in entries:
        for note in entry.notes:
            console.print(f"{_name(str(entry.submission.path))}: {escape(note)}", soft_wrap=True)
    if hints := _hints(entries):
        table = Table(title="most common misconceptions", title_justify="left", show_header=False)
        table.add_column("students", justify="right")
        table.add_column("exercise")
        table.add_column("hint", max_width=90)
        for (exercise, hint), n_students in hints[:N_MISCONCEPTIONS]:
            table.add_row(str(n_students), exercise, escape(hint))
        console.print(table)


def _class_table(week: str, notebook: str, entries: Sequence[Entry]) -> Table:
    rows = [entry for entry in entries if (entry.submission.week, entry.submission.notebook) == (week, notebook)]
    table = Table(title=f"{week}/{notebook}", title_justify="left")
    table.add_column("student")
    for exercise in rows[0].exercises:
        table.add_column(f"{in_lines(exercise['id'])}\n/{exercise['max']:g}", justify="right")
    table.add_column(f"total\n/{rows[0].max:g}", justify="right", style="bold")
    for entry in rows:
        marks = [f"{exercise['score']:g}" for exercise in entry.exercises]
        table.add_row(_name(entry.submission.student or entry.submission.path.name), *marks, f"{entry.score:g}")
    return table


def in_lines(name: str) -> str:
    """Return an exercise's name broken after underscores and before capitals, so that a narrow column holds it."""
    return "\n".join(
        textwrap.wrap(re.sub(r"(_|(?<=[a-z])(?=[A-Z]))", r"\1 ", name), 11, break_long_words=False)
    ).replace(" ", "")


def _name(text: str) -> str:
    """Return a name that somebody else chose, for the terminal: without markup and control characters."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in printable(text)))


def _hints(entries: Sequence[Entry]) -> list[tuple[tuple[str, str], int]]:
    """Return how many submissions were given each hint, the most frequent first."""
    counts = Counter(
        given
        for entry in entries
        for given in {
            (exercise["id"], check["hint"])
            for exercise in entry.exercises
            for check in exercise["checks"]
            if not check["passed"] and tells_a_mistake(check["hint"])
        }
    )
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def tells_a_mistake(hint: str) -> bool:
    """Return whether a failed check's hint says something about the answer that no other hint does."""
    return hint not in ("", NOT_ANSWERED) and not hint.startswith(SECOND_HINT)


def print_one(entry: Entry, console: Console) -> None:
    """Print one submission: exercises, marks, and what to do about each failed check."""
    table = Table(title=f"{entry.submission.notebook}: {entry.score:g} of {entry.max:g} points", title_justify="left")
    table.add_column("exercise")
    table.add_column("marks", justify="right", no_wrap=True)
    table.add_column("what is missing")
    for exercise in entry.exercises:
        table.add_row(exercise["id"], f"{exercise['score']:g} / {exercise['max']:g}", escape(_advice(exercise)))
    console.print(table)
    for note in entry.notes:
        console.print(escape(note))


def is_untouched(entry: Entry) -> bool:
    """Return whether no exercise of a submission was answered."""
    hints = [check["hint"] for exercise in entry.exercises for check in exercise["checks"]]
    return set(hints) == {NOT_ANSWERED}


def _advice(exercise: dict) -> str:
    """Return each failed check with its hint; a hint that several checks give stands once."""
    failed: dict[str, list[str]] = {}
    for check in exercise["checks"]:
        if not check["passed"]:
            failed.setdefault(check["hint"], []).append(check["name"])
    if list(failed) == [NOT_ANSWERED]:
        return NOT_ANSWERED
    # The cause before its consequences: the note says why a cell stopped, or how its answer was judged.
    lines = [f"✗ {', '.join(names)}: {hint}" for hint, names in failed.items()]
    return "\n".join([*([exercise["note"]] if exercise["note"] else []), *lines])
