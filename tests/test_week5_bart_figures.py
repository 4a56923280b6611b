"""The figures of the notebook on BART draw what they are given."""

from __future__ import annotations

import math

import pytest

from course.figures.style import to_png
from course.figures.week5_bart import hidden_lengths, loss_on_words, story_under_noises, what_comes_back

PNG = b"\x89PNG"


def words_of(axes):
    """The texts of the axes, without the small numbers of sentences."""
    return [text.get_text() for text in axes.texts if text.get_fontsize() > 6]


def numbers_of(axes):
    return [text.get_text() for text in axes.texts if text.get_fontsize() < 6]


def test_masks_are_counted_by_what_they_stand_for():
    figure, axes = hidden_lengths([0, 2, 2, 5], poisson_rate=2.0, longest=6)
    assert [bar.get_height() for bar in axes.patches] == [0.25, 0, 0.5, 0, 0, 0.25, 0]
    points = list(axes.lines[0].get_ydata())
    assert points[:3] == pytest.approx([math.exp(-2), 2 * math.exp(-2), 2 * math.exp(-2)])
    assert axes.get_title(loc="left") == "A mask stands for 0 to 5 tokens; 25% stand for none"
    assert to_png(figure).startswith(PNG)


def test_words_keep_the_number_of_their_sentence_under_every_noise():
    words = ["he", "ran", ".", "she", "sat", "."]
    noised = {"permuted": [3, 4, -2, 0, 1, -2], "infilled": [0, -1, -2, -1], "rotated": [4, -2, 0, 1, -2, 3]}
    figure, axes = story_under_noises(words, noised)
    assert [words_of(one) for one in axes] == [
        ["he", "ran", ".", "she", "sat", "."],
        ["she", "sat", ".", "he", "ran", "."],
        ["he", "[MASK]", ".", "[MASK]"],
        ["sat", ".", "he", "ran", ".", "she"],
    ]
    assert [numbers_of(one) for one in axes] == [["1", "2"], ["2", "1"], ["1"], ["2", "1", "2"]]
    assert [one.get_title(loc="left") for one in axes][2] == "infilled: 4 tokens"
    assert to_png(figure).startswith(PNG)


def test_a_mask_does_not_end_its_sentence():
    _, axes = story_under_noises(["a", "b", "c", "."], {"infilled": [0, -1, 2, -2]})
    assert numbers_of(axes[1]) == ["1"]


def test_the_loss_is_told_apart_by_what_was_hidden():
    figure, axes = loss_on_words(["he", "ran", "home"], [0.0, 2.0, 1.0], [False, True, True])
    frames = [text.get_bbox_patch() for text in axes.texts]
    assert [frame.get_edgecolor()[3] for frame in frames] == [0, 1, 1]
    reds = [frame.get_facecolor()[2] for frame in frames]
    assert reds[0] == 1.0 > reds[2] > reds[1]
    assert "hidden: 1.50 nats a word; the others, to be copied: 0.00" in axes.get_title(loc="left")
    assert to_png(figure).startswith(PNG)


def test_long_texts_go_on_in_the_next_line():
    _, axes = loss_on_words(["word"] * 40, [0.1] * 40, [False] * 40)
    assert len({text.get_position()[1] for text in axes.texts}) == 3


def test_every_noise_has_a_bar_for_each_claim_and_the_ideal_where_it_is_known():
    claims = [{"possible": 1.0, "in order": 0.5, "exact": 0.25}, {"possible": 0.9, "in order": 0.8, "exact": 0.0}]
    figure, axes = what_comes_back(dict(zip(("no noise", "permuted"), claims, strict=True)), ideal={"permuted": 0.7})
    assert [bar.get_height() for bar in axes.patches] == [1.0, 0.9, 0.5, 0.8, 0.25, 0.0]
    assert [path[0][1] for path in axes.collections[0].get_segments()] == [0.7]
    assert axes.get_title(loc="left") == "no noise: 100% possible, 25% exact"
    assert to_png(figure).startswith(PNG)
