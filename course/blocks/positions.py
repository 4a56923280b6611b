"""Where a token stands, as a vector."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoids(length: int, d_model: int) -> Tensor:
    """Return the position encodings of Vaswani et al. 2017 (section 3.5), float32 [T,D]; d_model must be even.

    Sines and cosines of one angle stand side by side; the wave lengths grow from 2 pi to 10000 * 2 pi positions.
    """
    if d_model % 2:
        raise ValueError(f"d_model is {d_model}, but sines and cosines come in pairs: it must be even.")
    pairs_P = torch.arange(d_model // 2, dtype=torch.float64)
    frequencies_P = torch.exp(pairs_P * (-2 * math.log(10_000.0) / d_model))
    angles_TP = torch.outer(torch.arange(length, dtype=torch.float64), frequencies_P)
    return torch.view_as_real(torch.polar(torch.ones_like(angles_TP), angles_TP)).flip(2).flatten(1).float()
