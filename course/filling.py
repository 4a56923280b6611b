"""Fill in the hidden words of a story as the ideal reader would: all at once, or one after another.

What a masked language model gives is one distribution for each hidden word. Drawing from each by itself treats the
words as independent; drawing one, putting it in and asking again does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from course.oracle import Oracle


def hidden_losses(oracle: Oracle, ids: Sequence[int], hidden: np.ndarray) -> np.ndarray:
    """Return [n_hidden]: the ideal reader's loss in nats on each hidden word by itself, all others staying hidden.

    Args:
        ids: [T] of one whole story.
        hidden: bool [T].
    """
    rows = oracle.masked_log_probs(ids, hidden)
    return -rows[np.arange(len(rows)), np.asarray(ids)[hidden]]


def left_losses(oracle: Oracle, ids: Sequence[int], hidden: np.ndarray) -> np.ndarray:
    """Return [n_hidden]: the same words, but each is guessed from the visible words to its left alone."""
    rows = oracle.next_token_log_probs(ids, hidden)[hidden]
    return -rows[np.arange(len(rows)), np.asarray(ids)[hidden]]


def chained_losses(oracle: Oracle, ids: Sequence[int], hidden: np.ndarray) -> np.ndarray:
    """Return [n_hidden]: the loss on each hidden word when those before it have been uncovered.

    The sum is -log p(all hidden words | the visible ones), by the chain rule.
    """
    left, found = np.array(hidden), []
    for at in np.flatnonzero(hidden):
        found.append(-oracle.masked_log_probs(ids, left)[0, ids[at]])
        left[at] = False
    return np.array(found)


def fill_at_once(oracle: Oracle, ids: Sequence[int], hidden: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return [T]: the story with each hidden word drawn from its own distribution, whatever the others become."""
    filled = np.array(ids)
    filled[hidden] = [_draw(row, generator) for row in oracle.masked_log_probs(ids, hidden)]
    return filled


def fill_most_probable(oracle: Oracle, ids: Sequence[int], hidden: np.ndarray) -> np.ndarray:
    """Return [T]: the story with the most probable word in each hidden place, each by itself."""
    filled = np.array(ids)
    filled[hidden] = oracle.masked_log_probs(ids, hidden).argmax(axis=1)
    return filled


def fill_one_by_one(
    oracle: Oracle, ids: Sequence[int], hidden: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Return [T]: the story with its hidden words drawn from left to right, each given those drawn before it."""
    filled, left = np.array(ids), np.array(hidden)
    for at in np.flatnonzero(hidden):
        filled[at] = _draw(oracle.masked_log_probs(filled, left)[0], generator)
        left[at] = False
    return filled


def pair_tables(oracle: Oracle, ids: Sequence[int], at: int) -> tuple[list[int], list[int], np.ndarray, np.ndarray]:
    """Return how probable each pair of words is at the places `at` and `at` + 1, both hidden.

    Returns:
        first, second: ids of the words that can stand there, most probable first.
        joint: [n_first, n_second], probability of each pair.
        alone: the same as the product of the two separate guesses.
    """
    hidden = np.isin(np.arange(len(ids)), (at, at + 1))
    guesses = np.exp(oracle.masked_log_probs(ids, hidden))
    first, second = (np.argsort(-row, kind="stable")[: int((row > 0).sum())] for row in guesses)
    joint = []
    for word in first:
        told = np.array(ids)
        told[at] = word
        joint.append(guesses[0, word] * np.exp(oracle.masked_log_probs(told, np.arange(len(ids)) == at + 1)[0, second]))
    return first.tolist(), second.tolist(), np.array(joint), np.outer(guesses[0, first], guesses[1, second])


def _draw(log_probs: np.ndarray, generator: np.random.Generator) -> int:
    share = np.cumsum(np.exp(log_probs))
    return int(np.searchsorted(share, generator.random() * share[-1], side="right"))
