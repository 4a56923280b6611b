"""The encoder's block, and a stack of them. With `causal=True` it is the block of a decoder-only model."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from course.blocks.attention import MultiHeadAttention
from course.blocks.feed_forward import FeedForward


class EncoderBlock(nn.Module):
    """Self-attention, then the feed-forward part, each with a residual connection and a layer norm.

    Args:
        d_model, n_heads, d_ff: widths and heads.
        pre_norm: normalise what goes into each part (GPT-2, T5) instead of what comes out of the sum (2017, BERT).
        activation: as for `FeedForward`.
        eps: of the layer norms.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        d_ff: int,
        pre_norm: bool = False,
        *,
        activation: str = "relu",
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        parts = MultiHeadAttention(d_model, n_heads), FeedForward(d_model, d_ff, activation=activation)
        self.self_attn, self.feed_forward = parts
        self.norm1, self.norm2 = (nn.LayerNorm(d_model, eps=eps) for _ in range(2))

    def forward(
        self, x: Tensor, mask: Tensor | None = None, *, causal: bool = False, bias: Tensor | None = None
    ) -> Tensor:
        """Return [B,T,D]; the arguments are those of `MultiHeadAttention.forward`."""
        if self.pre_norm:
            h_BTD = x + self.self_attn(self.norm1(x), None, mask, causal=causal, bias=bias)
            return h_BTD + self.feed_forward(self.norm2(h_BTD))
        h_BTD = self.norm1(x + self.self_attn(x, None, mask, causal=causal, bias=bias))
        return self.norm2(h_BTD + self.feed_forward(h_BTD))


class Encoder(nn.Module):
    """A stack of encoder blocks, with a last norm where the blocks are pre-norm.

    Args:
        n_layers: blocks.
        others: as for `EncoderBlock`.
    """

    def __init__(
        self, d_model: int, n_heads: int, d_ff: int, n_layers: int, pre_norm: bool = False, **options: Any
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            [EncoderBlock(d_model, n_heads, d_ff, pre_norm, **options) for _ in range(n_layers)]
        )
        self.norm = nn.LayerNorm(d_model, eps=options.get("eps", 1e-5)) if pre_norm else nn.Identity()

    def forward(
        self, x: Tensor, mask: Tensor | None = None, *, causal: bool = False, bias: Tensor | None = None
    ) -> Tensor:
        """Return [B,T,D]; the arguments are those of `MultiHeadAttention.forward`."""
        for block in self.blocks:
            x = block(x, mask, causal=causal, bias=bias)
        return self.norm(x)
