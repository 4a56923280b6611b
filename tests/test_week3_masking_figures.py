"""The figures of week 3's notebook on masking draw what they are given and state it."""

from __future__ import annotations

import numpy as np
import pytest

from course.figures.style import to_png
from course.figures.week3_masking import (
    floor_by_rate,
    impossible_stories,
    learnt_by_heart,
    loss_by_place,
    mask_fates,
    pair_of_guesses,
    words_met,
)

PNG = b"\x89PNG"
HALF = np.array([[0.5, 0.0], [0.0, 0.5]])
FIGURES = {
    "fates": lambda: mask_fates(
        {"masked": 81, "another word": 9, "the same": 10}, {"masked": 0.8, "another word": 0.1, "the same": 0.1}
    ),
    "met": lambda: words_met({"static": [0.15, 0.15], "dynamic": [0.15, 0.28]}, 0.15),
    "heart": lambda: learnt_by_heart({"static": ([4.0, 0.3], [4.0, 4.3]), "dynamic": ([4.0, 2.3], [4.0, 2.5])}, 0.5),
    "rate": lambda: floor_by_rate([0.15, 0.5, 0.9], [0.5, 0.6, 3.0], nothing_seen=4.6, n_words=50),
    "place": lambda: loss_by_place([0.25, 0.75], {"left side only": [2.0, 0.7], "both sides": [0.5, 0.6]}),
    "pair": lambda: pair_of_guesses((["he", "there"], ["saw", "was"]), HALF, np.full((2, 2), 0.25)),
    "impossible": lambda: impossible_stories([0.2, 0.7], {"at once": [0.1, 0.9], "one by one": [0.0, 0.0]}),
}
TITLES = {
    "fates": "Chosen tokens: 81.0% masked, 9.0% another word, 10.0% the same",
    "met": "After 2 epochs a model has been asked about: static 15%, dynamic 28%",
    "heart": "static: 0.30 and 4.30 nats",
    "rate": "The hidden words get harder late",
    "place": "What follows is worth 1.50 nats a word at the beginning, 0.10 at the end",
    "pair": "what the story allows",
    "impossible": "At 70% hidden: 90% nonsense at once, 0% one by one",
}


@pytest.mark.parametrize("name", FIGURES)
def test_the_title_states_the_finding_and_nothing_is_cut_off(name):
    figure, axes = FIGURES[name]()
    first = axes[0] if isinstance(axes, list) else axes
    assert first.get_title(loc="left") == TITLES[name]
    assert first.get_ylabel()
    assert to_png(figure).startswith(PNG)
    box, whole = figure.get_tightbbox(), figure.get_size_inches()
    assert min(box.x0, box.y0) >= -0.02
    assert box.x1 <= whole[0] + 0.02
    assert box.y1 <= whole[1] + 0.02


def test_what_a_story_teaches_is_words_times_rate_times_what_can_be_gained():
    _, (_, right) = FIGURES["rate"]()
    assert list(right.lines[0].get_ydata()) == pytest.approx([0.15 * 50 * 4.1, 0.5 * 50 * 4.0, 0.9 * 50 * 1.6])
    assert right.get_title(loc="left") == "31 nats at 15%, 100 at 50%"


def test_pairs_that_cannot_be_are_counted():
    figure, axes = FIGURES["pair"]()
    assert figure.get_suptitle() == "Guessed alone, 50% of the pairs cannot be"
    assert [text.get_text() for text in axes[0].texts] == ["50%", "0%", "0%", "50%"]


def test_the_expected_curve_is_that_of_independent_draws():
    _, axes = FIGURES["met"]()
    assert list(axes.lines[0].get_ydata()) == pytest.approx([0.15, 1 - 0.85**2])
