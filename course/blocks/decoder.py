"""The decoder's block: a look back at one's own words, a look across at the source, then a thought."""

from __future__ import annotations

from torch import Tensor, nn

from course.blocks.attention import MultiHeadAttention
from course.blocks.feed_forward import FeedForward


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention and the feed-forward part, each with a residual connection and a layer norm.

    Args:
        d_model, n_heads, d_ff: widths and heads.
        pre_norm: normalise what goes into each part instead of what comes out of the sum. The memory is not normalised
            here: an encoder's last norm did it.
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
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff, activation=activation)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d_model, eps=eps) for _ in range(3))

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        *,
        causal: bool = False,
        bias: Tensor | None = None,
    ) -> Tensor:
        """Return [B,T,D].

        Args:
            x: float [B,T,D], the words so far.
            memory: float [B,S,D], what the encoder made of the source.
            mask: bool, for the self-attention, True where something may be seen; broadcasts to [B,H,T,T].
            memory_mask: bool, for the cross-attention; broadcasts to [B,H,T,S].
            causal: hide later words from the self-attention, without building a mask.
            bias: float, added to the scores of the self-attention.
        """
        if self.pre_norm:
            h_BTD = x + self.self_attn(self.norm1(x), None, mask, causal=causal, bias=bias)
            h_BTD = h_BTD + self.cross_attn(self.norm2(h_BTD), memory, memory_mask)
            return h_BTD + self.feed_forward(self.norm3(h_BTD))
        h_BTD = self.norm1(x + self.self_attn(x, None, mask, causal=causal, bias=bias))
        h_BTD = self.norm2(h_BTD + self.cross_attn(h_BTD, memory, memory_mask))
        return self.norm3(h_BTD + self.feed_forward(h_BTD))
