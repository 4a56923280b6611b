"""T5's format read by the oracle: which tokens an input shows, and what each target token can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from course.oracle.lattice import step
from course.oracle.spans import SpanReader, noise_lengths

if TYPE_CHECKING:
    from course.oracle.reader import Oracle


def split_at_sentinels(oracle: Oracle, inputs: np.ndarray) -> list[np.ndarray]:
    """Return the visible stretches of a corrupted input (its own final [EOS] taken off): one more than it has spans.

    Raises:
        ValueError: no final [EOS], or no sentinels, or not in the order <extra_id_0>, <extra_id_1> ...
    """
    if inputs[-1] != oracle.eos_id:
        raise ValueError("A corrupted input ends with [EOS]; this one does not. Append it.")
    at = np.flatnonzero(np.isin(inputs, oracle.sentinel_ids))
    found = [int(token) for token in inputs[at]]
    if not found or found != oracle.sentinel_ids[: len(found)]:
        raise ValueError(
            "A corrupted input holds the sentinels <extra_id_0>, <extra_id_1> ... in this order, one a span; "
            f"this one holds {[oracle.vocab[token] for token in found]}."
        )
    stretches = [piece[1:] if number else piece for number, piece in enumerate(np.split(inputs[:-1], at))]
    if any(len(piece) == 0 for piece in stretches[1:-1]):
        raise ValueError("Two sentinels stand side by side; spans never touch, so make them one.")
    return stretches


def open_reader(oracle: Oracle, stretches: list[np.ndarray], density: float, mean_span_len: float) -> SpanReader:
    """Return a reader at the beginning of the first span."""
    chain, first, last = oracle.chain, stretches[0], stretches[-1]
    has_bos = len(first) > 0 and first[0] == oracle.bos_id
    has_eos = has_bos and (len(last) == 0 or last[-1] == oracle.eos_id)
    ends = np.append(chain.last.astype(float), 0.0)
    if has_eos:
        ends = np.append(np.zeros(chain.n_states), 1.0)
    start = np.array([chain.start]), np.ones(1)
    longest = chain.longest - (not has_bos) - (not has_eos)
    n_visible, n_spans = sum(len(piece) for piece in stretches), len(stretches) - 1
    weights = {}
    if len(first) > 0 and len(last) == 0:
        weights = noise_lengths(n_visible, n_spans, density, mean_span_len, longest)
    if not weights:
        weights = dict.fromkeys(range(n_spans, longest - n_visible + 1), 1.0)
    if weights:
        reader = SpanReader(chain, stretches, weights, start if has_bos else step(chain, *start), ends)
        if reader.possible():
            return reader
    raise ValueError(
        "No story of this grammar gives this input; corrupt a whole story (with or without its [BOS] and [EOS]), "
        "and put [EOS] behind it."
    )


def predict_targets(
    oracle: Oracle, inputs: np.ndarray, targets: np.ndarray, density: float, mean_span_len: float
) -> np.ndarray:
    """Return [len(targets), V] probabilities of each target token; NaN behind a token that cannot stand there."""
    stretches = split_at_sentinels(oracle, inputs)
    reader = open_reader(oracle, stretches, density, mean_span_len)
    n_spans = len(stretches) - 1
    probs = np.full((len(targets), len(oracle.vocab)), np.nan)
    span, taken = -1, 0
    for at, token in enumerate(targets):
        row = np.zeros(len(oracle.vocab))
        closing = oracle.sentinel_ids[span + 1] if span + 1 < n_spans or len(stretches[-1]) else oracle.eos_id
        inside = 0 <= span < n_spans
        if not inside:
            row[closing if span < 0 else oracle.eos_id] = 1.0
        else:
            row += reader.words(span, taken)
            row[closing] += reader.stop(span) if taken else 0.0
        probs[at] = row / row.sum()
        if row[token] <= 0 or (not inside and span >= 0):
            break
        if inside and reader.words(span, taken)[token] > 0:
            reader.take(int(token))
            taken += 1
            continue
        if inside:
            reader.close(span)
            if closing == oracle.eos_id:
                break
        span, taken = span + 1, 0
    return probs
