"""T5's relative positions: distances sorted into buckets, narrow ones for near words and wide ones for far words."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def relative_position_bucket(
    relative_position: Tensor, bidirectional: bool, n_buckets: int, max_distance: int
) -> Tensor:
    """Return the bucket of each relative position (Raffel et al. 2020, section 2.1, and their released code).

    Half of the buckets hold one distance each; the other half widen as the logarithm of the distance, up to
    max_distance, from which on everything shares the last bucket. Where both directions are seen, each has half of all
    the buckets, and the lower half is the past's.

    Args:
        relative_position: long, any shape; memory position minus query position, so that the past is negative.
        bidirectional: whether the future is seen; if not, it shares bucket 0 with the query's own position.
        n_buckets: even, and at least 4.
        max_distance: above the number of distances with a bucket of their own.

    Returns:
        long, as relative_position: from 0 to n_buckets - 1.

    Example:
        >>> relative_position_bucket(torch.tensor([-3, 0, 3]), True, 32, 128).tolist()
        [3, 0, 19]
    """
    if bidirectional:
        n_buckets //= 2
        first = n_buckets * (relative_position > 0)
        distance = relative_position.abs()
    else:
        first = torch.zeros_like(relative_position)
        distance = (-relative_position).clamp(min=0)
    n_exact = n_buckets // 2
    share = (distance.clamp(min=n_exact).float() / n_exact).log() / math.log(max_distance / n_exact)
    far = (n_exact + (share * (n_buckets - n_exact)).long()).clamp(max=n_buckets - 1)
    return first + torch.where(distance < n_exact, distance, far)
