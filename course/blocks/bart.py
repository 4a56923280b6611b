"""BART: the encoder-decoder of 2017 with learned positions, GELU, a norm behind the embeddings and a tied head.

B batch, S source length, T target length, D model width, V vocabulary.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from course.blocks.decoder import DecoderBlock
from course.blocks.encoder import EncoderBlock
from course.configs import BartConfig

OFFSET = 2  # the released models count positions from 2: rows 0 and 1 of their tables are never used


class Bart(nn.Module):
    """BART (Lewis et al. 2020, sections 2 and 2.1), without dropout.

    Blocks are post-norm. Encoder and decoder share the word embeddings with the head; each has its own table of
    positions and its own norm behind the embeddings, and neither has a last norm.

    Args:
        config: sizes.

    Parameters: `word`, `encoder_position`, `decoder_position`, `encoder_norm`, `decoder_norm`, `encoder_blocks`,
    `decoder_blocks`; and a buffer `final_logits_bias` [V], which is added to the logits and never trained.
    """

    def __init__(self, config: BartConfig) -> None:
        super().__init__()
        self.config = config
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        tables = [nn.Embedding(config.max_len + OFFSET, config.d_model) for _ in range(2)]
        self.encoder_position, self.decoder_position = tables
        self.encoder_norm, self.decoder_norm = (nn.LayerNorm(config.d_model) for _ in range(2))
        widths = config.d_model, config.n_heads, config.d_ff
        self.encoder_blocks, self.decoder_blocks = (
            nn.ModuleList([block(*widths, activation="gelu") for _ in range(config.n_layers)])
            for block in (EncoderBlock, DecoderBlock)
        )
        self.register_buffer("final_logits_bias", torch.zeros(config.vocab_size))
        initialise(self)

    def encode(self, src_ids: Tensor, src_mask: Tensor | None = None) -> Tensor:
        """Return the memory, float [B,S,D].

        Args:
            src_ids: long [B,S]; the token in column s has position s, padding or not.
            src_mask: bool [B,S], True on real tokens; None: all are.

        Raises:
            ValueError: a mask that is not boolean or not [B,S], or more tokens than max_len.
        """
        allowed = _over_keys(src_mask, src_ids)
        x_BSD = self.encoder_norm(self._embed(src_ids, self.encoder_position))
        for block in self.encoder_blocks:
            x_BSD = block(x_BSD, allowed)
        return x_BSD

    def decode(self, tgt_ids: Tensor, memory: Tensor, src_mask: Tensor | None = None) -> Tensor:
        """Return logits [B,T,V] for the token behind each of tgt_ids [B,T], none of which sees a later one.

        Args:
            tgt_ids: long [B,T], the text so far, padded on the right.
            memory: float [B,S,D], what `encode` gave.
            src_mask: as for `encode`.

        Raises:
            ValueError: as `encode`.
        """
        allowed = _over_keys(src_mask, memory[..., 0])
        x_BTD = self.decoder_norm(self._embed(tgt_ids, self.decoder_position))
        for block in self.decoder_blocks:
            x_BTD = block(x_BTD, memory, None, allowed, causal=True)
        return functional.linear(x_BTD, self.word.weight, self.final_logits_bias)

    def forward(self, src_ids: Tensor, tgt_ids: Tensor, src_mask: Tensor | None = None) -> Tensor:
        """Return `decode` of `encode`: logits [B,T,V]."""
        return self.decode(tgt_ids, self.encode(src_ids, src_mask), src_mask)

    @torch.no_grad()
    def write(
        self, src_ids: Tensor, src_mask: Tensor | None = None, *, begin_id: int, end_id: int, max_new_tokens: int
    ) -> list[list[int]]:
        """Return what the decoder writes for each source, always the most probable token, without begin_id and end_id.

        Args:
            src_ids: long [B,S].
            src_mask: as for `encode`.
            begin_id: what the decoder's input begins with.
            end_id: what ends a text.
            max_new_tokens: a text is cut there; at most max_len.
        """
        memory = self.encode(src_ids, src_mask)
        ids = src_ids.new_full((len(src_ids), 1), begin_id)
        for _ in range(max_new_tokens):
            following = self.decode(ids, memory, src_mask)[:, -1].argmax(-1, keepdim=True)
            ids = torch.cat([ids, following], dim=1)
            if (ids == end_id).any(1).all():
                break
        texts = [row[1:] for row in ids.tolist()]
        return [text[: text.index(end_id)] if end_id in text else text for text in texts]

    def _embed(self, ids: Tensor, table: nn.Embedding) -> Tensor:
        length = ids.shape[1]
        if length > self.config.max_len:
            raise ValueError(f"{length} tokens came, but max_len is {self.config.max_len}: raise it or cut the text.")
        return self.word(ids) + table.weight[OFFSET : OFFSET + length]


def initialise(model: nn.Module) -> None:
    """Draw a model's weights as BART's are drawn: normal, biases 0, norms 1.

    The released models' standard deviation is 0.02 at widths of 768 and 1024; a narrower matrix needs larger numbers
    for sums of the same size, so it grows with the root of 768 / D.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02 * math.sqrt(768 / min(_widths(module))))
        elif isinstance(module, nn.LayerNorm):
            module.reset_parameters()
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


def _widths(module: nn.Linear | nn.Embedding) -> tuple[int, ...]:
    return (module.embedding_dim,) if isinstance(module, nn.Embedding) else tuple(module.weight.shape)


def _over_keys(mask: Tensor | None, source: Tensor) -> Tensor | None:
    """Return a mask over source tokens with the axes that attention wants, bool [B,1,1,S]; raises ValueError."""
    if mask is None:
        return None
    if mask.dtype != torch.bool or mask.shape != source.shape:
        raise ValueError(
            f"src_mask is {mask.dtype} {tuple(mask.shape)}, but must be bool {tuple(source.shape)}, "
            "True on real tokens."
        )
    return mask[:, None, None, :]
