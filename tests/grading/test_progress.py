"""How far grading is: a bar on a terminal, lines in a log, and every entry passed on."""

from __future__ import annotations

import io
import re
from itertools import count

import pytest
from rich.console import Console

from autograde.grading import progress
from autograde.grading.progress import in_words, watched


@pytest.fixture
def slow_clock(monkeypatch):
    """A clock that goes on by seven seconds whenever it is read."""
    ticks = count(0, 7)
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(ticks)))


def test_a_terminal_gets_a_bar_with_the_number_done_and_the_time_left():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80)
    assert list(watched(iter("abc"), 3, console)) == ["a", "b", "c"]
    assert "grading" in screen.getvalue()
    assert "3/3" in screen.getvalue()
    assert re.search(r"-:--:--|0:00:0\d", screen.getvalue())


def test_a_log_gets_a_line_every_ten_seconds_with_the_time_left(slow_clock, capsys):
    assert list(watched(iter("abcd"), 4, Console(file=io.StringIO()))) == ["a", "b", "c", "d"]
    assert capsys.readouterr().err.splitlines() == [
        "2 of 4 submissions graded, about 14 seconds left",
        "4 of 4 submissions graded, about 0 seconds left",
    ]


def test_a_single_notebook_is_graded_without_a_word(slow_clock, capsys):
    screen = io.StringIO()
    assert list(watched(iter("a"), 1, Console(file=screen, force_terminal=True))) == ["a"]
    assert (screen.getvalue(), capsys.readouterr().err) == ("", "")


def test_a_long_time_is_told_in_minutes():
    assert [in_words(seconds) for seconds in (4.4, 89, 90, 3600)] == [
        "about 4 seconds",
        "about 89 seconds",
        "about 2 minutes",
        "about 60 minutes",
    ]
