"""The part of a block in which each position thinks by itself."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.nn import functional

# The 2017 Transformer and T5 use ReLU, BERT the exact GELU, GPT-2 and BLOOM its tanh approximation.
ACTIVATIONS = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
}


class FeedForward(nn.Module):
    """Two linear maps with an activation between them (Vaswani et al. 2017, equation 2).

    Args:
        d_model: width, D.
        d_ff: width between the two maps, F.
        activation: one of `ACTIVATIONS`.
    """

    def __init__(self, d_model: int, d_ff: int, *, activation: str = "relu") -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation is {activation!r}: choose one of {', '.join(ACTIVATIONS)}.")
        self._activate = ACTIVATIONS[activation]
        widths = (d_model, d_ff, d_model)
        self.linear1, self.linear2 = (nn.Linear(*pair) for pair in zip(widths, widths[1:], strict=False))

    def forward(self, x: Tensor) -> Tensor:
        """Return [B,T,D], each position from itself alone."""
        return self.linear2(self._activate(self.linear1(x)))
