"""Losses of an n-gram model for whole batches at once: the baseline that every later reader is drawn beside."""

from __future__ import annotations

import torch
from torch import Tensor


def ngram_log_probs(
    counted_ids: Tensor, ids: Tensor, n: int, *, vocab_size: int, alpha: float = 0.001, pad_id: int = 0
) -> Tensor:
    """Return log p of each token after the first, in nats, from add-alpha counts of runs of n tokens.

    Each run becomes one whole number in base vocab_size, so that counting is sorting. Near the beginning of a row,
    where fewer than n - 1 tokens stand to the left, padding takes their place; no other context looks like that.

    Args:
        counted_ids: long [N,T], padded rows to count.
        ids: long [B,S], padded rows to score.
        n: length of a run; vocab_size ** n must be below 2 ** 62.
        vocab_size: V.
        alpha: added to each count.
        pad_id: of the padding, on the right of rows. What comes back for padding means nothing.

    Returns:
        float64 [B,S-1].

    Raises:
        ValueError: runs too long to be numbered.
    """
    if vocab_size**n >= 2**62:
        raise ValueError(f"Runs of {n} tokens out of {vocab_size} cannot be numbered with 62 bits: choose a smaller n.")
    counted = _runs(counted_ids, n, vocab_size, pad_id)[counted_ids[:, 1:] != pad_id]
    runs, counts = counted.unique(return_counts=True)
    contexts, context_counts = (counted // vocab_size).unique(return_counts=True)
    asked = _runs(ids, n, vocab_size, pad_id)
    numerator = _look_up(asked, runs, counts) + alpha
    denominator = _look_up(asked // vocab_size, contexts, context_counts) + alpha * vocab_size
    return (numerator / denominator).log()


def _runs(ids: Tensor, n: int, vocab_size: int, pad_id: int) -> Tensor:
    """Return the number of the run that ends at each token after the first, [N,T-1]; the token is its last digit."""
    padded = torch.nn.functional.pad(ids, (max(0, n - 2), 0), value=pad_id)
    windows = padded.unfold(1, n, 1) if n > 1 else ids[:, 1:, None]
    powers = vocab_size ** torch.arange(n - 1, -1, -1)
    return (windows * powers).sum(-1)


def _look_up(keys: Tensor, known: Tensor, counts: Tensor) -> Tensor:
    place = torch.searchsorted(known, keys).clamp(max=len(known) - 1)
    return torch.where(known[place] == keys, counts[place], 0).double()
