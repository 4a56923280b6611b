"""What the ideal reader pays at each token of a story, and how far above it a model lies along the way.

B stories, T tokens of the longest.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course.oracle import Oracle


def ideal_log_probs(oracle: Oracle, documents: Sequence[Sequence[int]], length: int) -> Tensor:
    """Return the ideal reader's log p of each token after the first, float64 [B,length-1] in nats.

    Args:
        oracle: the ideal reader.
        documents: token ids of whole stories, each of at most `length` tokens.
        length: T. Behind a story's end stands 0.
    """
    found = torch.zeros(len(documents), length - 1, dtype=torch.float64)
    for row, document in zip(found, documents, strict=True):
        log_probs_TV = torch.from_numpy(oracle.next_token_log_probs(document))
        row[: len(document) - 1] = log_probs_TV[torch.arange(1, len(document)), document[1:]]
    return found


def gap_by_position(log_probs: Tensor, ideal: Tensor, real: Tensor, *, per_point: int, n_points: int) -> list[float]:
    """Return how many nats a token costs above the ideal reader, at positions 1 to per_point, and so on.

    Args:
        log_probs: float [B,T-1], a model's, of each token after the first.
        ideal: float [B,T-1], the ideal reader's.
        real: bool [B,T-1], True on real tokens; all others are left out.
        per_point: positions in one mean, over all stories.
        n_points: how many means; each holds a real token.
    """
    kept = per_point * n_points
    gaps_BT = torch.where(real, ideal.double() - log_probs.double(), 0.0)[:, :kept]
    sums_T, counts_T = gaps_BT.sum(0), real[:, :kept].sum(0)
    return (sums_T.view(n_points, -1).sum(1) / counts_T.view(n_points, -1).sum(1)).tolist()
