"""Attention for one table of queries, keys and values, with the weights for those who want to see them.

B batch, T target or only length, S source, H heads, K head width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def scaled_dot_product(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return attention and its weights (Vaswani et al. 2017, equation 1), for those who want to see the weights.

    Args:
        query: float [B,H,T,K].
        key, value: float [B,H,S,K].
        mask: bool, True where query t may see key s; broadcasts to [B,H,T,S]. None hides nothing.
        bias: float, added to the scores; broadcasts to [B,H,T,S].

    Returns:
        output [B,H,T,K] and weights [B,H,T,S]; both are 0 for a query that may see nothing.
    """
    scores_BHTS = torch.einsum("bhtk,bhsk->bhts", query, key) * query.shape[3] ** -0.5
    extra = additive_mask(mask, bias, query.dtype)
    weights_BHTS = functional.softmax(scores_BHTS if extra is None else scores_BHTS + extra, dim=3)
    if mask is not None:
        weights_BHTS = weights_BHTS * mask
    return torch.einsum("bhts,bhsk->bhtk", weights_BHTS, value), weights_BHTS


def additive_mask(allowed: Tensor | None, bias: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Return what is added to the scores: the bias, and the smallest finite number where nothing may be seen."""
    if allowed is None:
        return None if bias is None else bias.to(dtype)
    # Finite, so that a row in which everything is hidden has a gradient of 0 and not of NaN.
    base = torch.zeros((), dtype=dtype, device=allowed.device) if bias is None else bias.to(dtype)
    return torch.where(allowed, base, torch.finfo(dtype).min)
