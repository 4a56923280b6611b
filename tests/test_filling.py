"""Stories filled in by the ideal reader: all at once breaks them, one word after another does not."""

from __future__ import annotations

import numpy as np
import pytest

from course.filling import (
    chained_losses,
    fill_at_once,
    fill_most_probable,
    fill_one_by_one,
    hidden_losses,
    left_losses,
    pair_tables,
)
from course.oracle import Oracle
from course.stories import Stories


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle.load()


@pytest.fixture(scope="module")
def test_stories() -> list[np.ndarray]:
    return [np.array(story) for story in Stories.load().test[:40]]


def hide(story, rng, rate=0.5):
    hidden = rng.random(len(story)) < rate
    hidden[[0, -1]] = False
    return hidden


def saw_or_was(oracle, test_stories):
    """A story with two neighbours that settle each other, and where they begin."""
    story = test_stories[2]
    return story, int(np.flatnonzero(story == oracle.vocab.index("saw"))[0]) - 1


def test_the_chain_of_losses_is_the_joint_probability(oracle, test_stories):
    story, at = saw_or_was(oracle, test_stories)
    hidden = np.isin(np.arange(len(story)), (at, at + 1))
    first, second, joint, _ = pair_tables(oracle, story, at)
    expected = []
    for a in first:
        for b in second:
            told = story.copy()
            told[[at, at + 1]] = a, b
            expected.append(np.exp(oracle.log_prob(told)))
    np.testing.assert_allclose(joint.ravel(), np.array(expected) / sum(expected), atol=1e-9)
    here = joint[first.index(story[at]), second.index(story[at + 1])]
    assert chained_losses(oracle, story, hidden).sum() == pytest.approx(-np.log(here), abs=1e-9)


def test_guesses_made_alone_multiply(oracle, test_stories):
    story, at = saw_or_was(oracle, test_stories)
    _, _, joint, alone = pair_tables(oracle, story, at)
    np.testing.assert_allclose(alone, np.outer(joint.sum(1), joint.sum(0)), atol=1e-9)
    assert abs(joint - alone).max() > 0.2


def test_both_sides_never_lose_more_on_average_than_the_left(oracle, test_stories):
    rng = np.random.default_rng(0)
    pairs = [(story, hide(story, rng, 0.15)) for story in test_stories]
    left = np.concatenate([left_losses(oracle, *pair) for pair in pairs])
    both = np.concatenate([hidden_losses(oracle, *pair) for pair in pairs])
    assert left.shape == both.shape == (sum(int(hidden.sum()) for _, hidden in pairs),)
    assert both.mean() < left.mean()


def test_the_left_reader_sees_nothing_to_the_right(oracle, test_stories):
    story = test_stories[0]
    hidden = np.isin(np.arange(len(story)), (9, 20))
    told = oracle.next_token_log_probs(story)
    assert left_losses(oracle, story, hidden)[0] == pytest.approx(-told[9, story[9]], abs=1e-9)
    other = story.copy()
    other[21:-1] = story[21]
    np.testing.assert_array_equal(left_losses(oracle, other, hidden), left_losses(oracle, story, hidden))


def test_stories_filled_one_by_one_can_all_be(oracle, test_stories):
    rng = np.random.default_rng(1)
    filled = []
    for story in test_stories[:15]:
        hidden = hide(story, rng)
        filled.append(fill_one_by_one(oracle, story, hidden, rng))
        assert (filled[-1] == story)[~hidden].all()
    assert np.isfinite(oracle.log_probs(filled)).all()


def test_stories_filled_at_once_often_cannot_be(oracle, test_stories):
    rng = np.random.default_rng(2)
    pairs = [(story, hide(story, rng, 0.7)) for story in test_stories]
    at_once = [fill_at_once(oracle, story, hidden, rng) for story, hidden in pairs]
    assert all((filled == story)[~hidden].all() for filled, (story, hidden) in zip(at_once, pairs, strict=True))
    assert np.isneginf(oracle.log_probs(at_once)).mean() > 0.5


def test_the_most_probable_filling_takes_the_best_word_everywhere(oracle, test_stories):
    story = test_stories[3]
    hidden = hide(story, np.random.default_rng(3))
    filled = fill_most_probable(oracle, story, hidden)
    assert filled[hidden].tolist() == oracle.masked_log_probs(story, hidden).argmax(1).tolist()


def test_words_are_drawn_as_often_as_they_are_probable(oracle, test_stories):
    story, at = saw_or_was(oracle, test_stories)
    hidden = np.isin(np.arange(len(story)), (at, at + 1))
    rng = np.random.default_rng(4)
    drawn = [fill_at_once(oracle, story, hidden, rng)[at] for _ in range(200)]
    first, _, joint, _ = pair_tables(oracle, story, at)
    share = np.mean(np.array(drawn) == first[0])
    assert abs(share - joint[0].sum()) < np.sqrt(np.log(2e6) / (2 * 200))  # Hoeffding, at most one false alarm in 1e6
