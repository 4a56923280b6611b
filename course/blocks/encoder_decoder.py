"""The encoder-decoder of 2017, on the fused blocks."""

from __future__ import annotations

from torch import Tensor, nn

from course.blocks.decoder import DecoderBlock
from course.blocks.embedding import TokenEmbedding
from course.blocks.encoder import EncoderBlock


class EncoderDecoder(nn.Module):
    """An encoder that reads the source both ways and a decoder that writes from left to right.

    Args:
        src_vocab_size, tgt_vocab_size: vocabularies of the source and of the target.
        d_model, n_heads, d_ff, n_layers: sizes; both sides have n_layers blocks.
        pre_norm: as for the blocks; each side then ends with a norm of its own.
        max_len: positions on either side.
        activation: as for `FeedForward`.
    """

    def __init__(
        self,
        src_vocab_size: int,
        tgt_vocab_size: int,
        d_model: int,
        n_heads: int,
        d_ff: int,
        n_layers: int,
        pre_norm: bool = False,
        *,
        max_len: int = 512,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.src_embed = TokenEmbedding(src_vocab_size, d_model, max_len=max_len)
        self.tgt_embed = TokenEmbedding(tgt_vocab_size, d_model, max_len=max_len)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes, activation=activation) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes, activation=activation) for _ in range(n_layers)])
        norms = [nn.LayerNorm(d_model) if pre_norm else nn.Identity() for _ in range(2)]
        self.encoder_norm, self.decoder_norm = norms
        self.output = nn.Linear(d_model, out_features=tgt_vocab_size)

    def encode(self, src_ids: Tensor, src_mask: Tensor | None = None) -> Tensor:
        """Return the memory, float [B,S,D].

        Args:
            src_ids: long [B,S].
            src_mask: bool [B,1,1,S], True on real tokens.
        """
        h_BSD = self.src_embed(src_ids)
        for layer in self.encoder_blocks:
            h_BSD = layer(h_BSD, src_mask)
        return self.encoder_norm(h_BSD)

    def decode(self, tgt_ids: Tensor, memory: Tensor, src_mask: Tensor | None = None) -> Tensor:
        """Return logits [B,T,V] for the token behind each of tgt_ids [B,T], none of which sees a later one."""
        h_BTD = self.tgt_embed(tgt_ids)
        for layer in self.decoder_blocks:
            h_BTD = layer(h_BTD, memory, None, src_mask, causal=True)
        return self.output(self.decoder_norm(h_BTD))

    def forward(self, src_ids: Tensor, tgt_ids: Tensor, src_mask: Tensor | None = None) -> Tensor:
        """Return `decode` of `encode`: logits [B,T,V]."""
        return self.decode(tgt_ids, self.encode(src_ids, src_mask), src_mask)
