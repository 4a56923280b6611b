"""The ideal reader's price of every token, and means of a gap over positions."""

from __future__ import annotations

import pytest
import torch

from course.along_the_story import gap_by_position, ideal_log_probs


class EvenReader:
    """Stands for the oracle: at position t every token has the probability 2 ** -t."""

    def next_token_log_probs(self, ids):
        return -torch.arange(len(ids)).double()[:, None].expand(-1, 10).mul(torch.tensor(2.0).log()).numpy()


def test_each_token_after_the_first_has_its_price_and_what_is_behind_the_end_has_none():
    found = ideal_log_probs(EvenReader(), [[1, 5, 7, 2], [1, 2]], 5) / -torch.tensor(2.0).double().log()
    assert found.tolist() == [pytest.approx([1, 2, 3, 0]), pytest.approx([1, 0, 0, 0])]


def test_prices_are_those_that_add_up_to_a_story(oracle_and_stories):
    oracle, stories = oracle_and_stories
    found = ideal_log_probs(oracle, stories, 64)
    assert found.sum(1).tolist() == pytest.approx([oracle.log_prob(story) for story in stories])


@pytest.fixture(scope="module")
def oracle_and_stories():
    from course.oracle import Oracle
    from course.stories import Stories

    return Oracle.load(), Stories.load().test[:2]


def test_a_gap_is_averaged_over_the_real_tokens_of_all_stories():
    log_probs = torch.tensor([[-1.0, -3.0, -5.0, -9.0, -7.0], [-2.0, -50.0, -50.0, -50.0, -50.0]])
    real = torch.tensor([[True] * 5, [True] + [False] * 4])
    ideal = -torch.ones(2, 5).double()
    # positions 1 and 2: gaps 0, 1 and 2 of three real tokens; positions 3 and 4: 4 and 8; position 5 is left out
    assert gap_by_position(log_probs, ideal, real, per_point=2, n_points=2) == [1.0, 6.0]


def test_what_stands_behind_an_end_may_be_anything():
    log_probs = torch.tensor([[-1.5, float("-inf")]])
    gap = gap_by_position(
        log_probs, torch.tensor([[-1.0, 0.0]]), torch.tensor([[True, False]]), per_point=2, n_points=1
    )
    assert gap == [0.5]
