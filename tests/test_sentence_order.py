"""The ideal reader of shuffled stories, against all orders, one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from course.infilling import split_sentences
from course.oracle import Oracle
from course.sentence_order import nearest_order, next_sentence, possible_orders
from course.stories import Stories


@pytest.fixture(scope="module")
def stories():
    return Stories.load()


@pytest.fixture(scope="module")
def oracle():
    return Oracle.load()


def bag_of(stories, story):
    """The story's sentences, in the order of the alphabet, so to speak."""
    sentences = split_sentences(torch.tensor(story[1:-1]), stories.vocab.index("."))
    return sorted(sentence.tolist() for sentence in sentences)


def text_of(stories, bag, order):
    return [stories.bos_id, *(token for place in order for token in bag[place]), stories.eos_id]


def test_orders_and_their_probabilities_are_those_of_trying_them_all(stories, oracle):
    shortest = sorted(stories.test, key=lambda story: story.count(stories.vocab.index(".")))[:3]
    for story in shortest:
        bag = bag_of(stories, story)
        every = list(itertools.permutations(range(len(bag))))
        log_probs = oracle.log_probs([text_of(stories, bag, order) for order in every])
        wanted = {order: p for order, p in zip(every, np.exp(log_probs), strict=True) if p > 0}
        found = possible_orders(oracle, bag)
        assert set(found.orders) == set(wanted)
        np.testing.assert_allclose(found.probabilities, [wanted[o] / sum(wanted.values()) for o in found.orders])


def test_the_told_order_is_among_them_and_the_most_probable_comes_first(stories, oracle):
    for story in stories.test[:40]:
        bag = bag_of(stories, story)
        found = possible_orders(oracle, bag)
        assert story in [text_of(stories, bag, order) for order in found.orders]
        assert list(found.probabilities) == sorted(found.probabilities, reverse=True)
        assert found.probabilities.sum() == pytest.approx(1)


def test_the_next_sentence_multiplies_up_to_the_order(stories, oracle):
    story = next(s for s in stories.test if len(possible_orders(oracle, bag_of(stories, s)).orders) > 1)
    found = possible_orders(oracle, bag_of(stories, story))
    for order, probability in zip(found.orders, found.probabilities, strict=True):
        steps = [next_sentence(found, order[:t])[order[t]] for t in range(len(order))]
        assert np.prod(steps) == pytest.approx(probability)
    with pytest.raises(ValueError, match="No possible order"):
        next_sentence(found, found.orders[0])


def test_the_same_sentence_twice_counts_as_one_order(oracle, stories):
    story = stories.test[0]
    bag = bag_of(stories, story)
    assert len(set(possible_orders(oracle, bag).orders)) == len(possible_orders(oracle, bag).orders)
    with pytest.raises(ValueError, match="in no order"):
        possible_orders(oracle, [*bag, bag[0]])


def test_sentences_are_told_apart_by_their_words():
    bag = [[1, 2, 3, 9], [4, 5, 9], [6, 7, 8, 9]]
    assert nearest_order([[6, 7, 2, 9], [4, 5, 9], [1, 2, 9]], bag) == (2, 1, 0)
