"""The ideal reader of shuffled stories: how probable is each order of a story's sentences?

A story's sentences come in a bag. The grammar gives every order of them a probability, nearly always 0; what is left,
divided by its sum, is how probable each order is for a reader who knows the grammar and sees the bag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from course.oracle import Oracle
from course.oracle.chain import Chain
from course.oracle.lattice import step


@dataclass(frozen=True)
class Orders:
    """The orders in which a bag of sentences can be told.

    Attributes:
        orders: each a tuple of places in the bag, the most probable first; orders that give the same text count once.
        probabilities: [n_orders], adding up to one.
    """

    orders: list[tuple[int, ...]]
    probabilities: np.ndarray


def possible_orders(oracle: Oracle, sentences: Sequence[Sequence[int]]) -> Orders:
    """Return every order of the sentences that the grammar can tell, with its probability given the bag.

    Args:
        oracle: of the grammar.
        sentences: token ids of each, without [BOS] and [EOS], in any order.

    Raises:
        ValueError: the grammar can tell the sentences in no order.
    """
    chain = oracle.chain
    states, weight = _emit(chain, np.array([chain.start]), np.ones(1), oracle.bos_id)
    rows = [np.asarray(sentence) for sentence in sentences]
    found: dict[tuple[int, ...], float] = {}
    _extend(oracle, rows, (), states, weight, found)
    if not found:
        raise ValueError("The grammar can tell these sentences in no order.")
    ranked = sorted(found, key=lambda order: (-found[order], order))
    shares = np.array([found[order] for order in ranked])
    return Orders(ranked, shares / shares.sum())


def next_sentence(orders: Orders, told: Sequence[int]) -> np.ndarray:
    """Return [n], the probability of each place in the bag to come next, when the places `told` came first, in order.

    Raises:
        ValueError: no possible order begins so, or all have been told.
    """
    n_sentences, begun = len(orders.orders[0]), len(told)
    shares = np.zeros(n_sentences)
    for order, probability in zip(orders.orders, orders.probabilities, strict=True):
        if order[:begun] == tuple(told) and begun < n_sentences:
            shares[order[begun]] += probability
    if not shares.sum() > 0:
        raise ValueError(f"No possible order begins with {tuple(told)} and goes on.")
    return shares / shares.sum()


def nearest_order(written: Sequence[Sequence[int]], sentences: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return, for each sentence of a written text, the place in the bag of the sentence that it is most like.

    Alike is the share of common words, of all words that are in either (Jaccard's index); the first of equals counts.

    >>> nearest_order([[7, 8, 6], [9, 6]], [[9, 6], [7, 5, 6]])
    (1, 0)
    """
    bag = [set(sentence) for sentence in sentences]
    return tuple(
        max(range(len(bag)), key=lambda place: len(bag[place] & set(words)) / len(bag[place] | set(words)))
        for words in written
    )


def _extend(
    oracle: Oracle,
    rows: list[np.ndarray],
    told: tuple[int, ...],
    states: np.ndarray,
    weight: np.ndarray,
    found: dict[tuple[int, ...], float],
) -> None:
    """Add to `found` every order that begins with `told` and can be told to its end, with its probability.

    Args:
        states, weight: where the chain may be about to emit, and the probability of what was told up to there.
    """
    if len(told) == len(rows):
        ended = _arrive(oracle.chain, states, weight, oracle.eos_id)
        if ended.sum() > 0:
            found[told] = float(ended.sum())
        return
    met: set[tuple[int, ...]] = set()
    for place, row in enumerate(rows):
        if place in told or tuple(row) in met:  # the same sentence twice: one order for both
            continue
        met.add(tuple(row))
        reached, left = states, weight
        for token in row:
            reached, left = _emit(oracle.chain, reached, left, token)
            if not len(reached):
                break
        else:
            _extend(oracle, rows, (*told, place), reached, left, found)


def _arrive(chain: Chain, states: np.ndarray, weight: np.ndarray, token: int) -> np.ndarray:
    """Return the weight of each state times the probability that it emits the token."""
    return weight * chain.emission[chain.row[states], token] if len(states) else np.zeros(0)


def _emit(chain: Chain, states: np.ndarray, weight: np.ndarray, token: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the chain may be after a token, and the weights there."""
    seen = _arrive(chain, states, weight, token)
    alive = seen > 0
    return step(chain, states[alive], seen[alive]) if alive.any() else (states[:0], weight[:0])
