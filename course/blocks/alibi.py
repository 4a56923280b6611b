"""Attention with linear biases (ALiBi): positions as a penalty on the scores, without a table of vectors.

H heads, T length.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def alibi_slopes(n_heads: int) -> Tensor:
    """Return each head's slope, float32 [H], steepest first (Press et al. 2022, section 3, and their released code).

    For a power of two they are 2^(-8/H), 2^(-16/H), ..., 2^(-8). Other numbers of heads take the slopes of the power of
    two below, and then every other slope of the power of two above, from its first one on.

    Raises:
        ValueError: n_heads below 1.

    Example:
        >>> alibi_slopes(4).tolist()
        [0.25, 0.0625, 0.015625, 0.00390625]
    """
    if n_heads < 1:
        raise ValueError(f"n_heads is {n_heads}, but must be at least 1.")
    below = 2 ** int(math.log2(n_heads))
    exponents = [8 * (h + 1) / below for h in range(below)]
    exponents += [8 * (2 * h + 1) / (2 * below) for h in range(n_heads - below)]
    return torch.tensor([2.0**-exponent for exponent in exponents])


def alibi_bias(n_heads: int, length: int) -> Tensor:
    """Return what is added to the scores, float32 [H,T,T]: slope times (j - i) for query i and key j.

    The future gets a positive number: it is for the causal mask to hide it.
    """
    places_T = torch.arange(length)
    distances_TT = places_T[None, :] - places_T[:, None]
    return alibi_slopes(n_heads)[:, None, None] * distances_TT
