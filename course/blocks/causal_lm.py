"""GPT-2, and BLOOM where it differs: pre-norm blocks that see the left only, a last norm, a head tied to the words.

B batch, T length, D model width, H heads, V vocabulary. Parameter names are those of week 4's notebook on the next
token, so that weights move between a student's model and ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module

import torch
from torch import Tensor, nn
from torch.nn import functional

from course.blocks.encoder import EncoderBlock
from course.configs import DecoderConfig


class CausalLM(nn.Module):
    """A decoder-only language model, without dropout.

    With positions "learned" it is GPT-2 (Radford et al. 2019, section 2.3): word and position embeddings are added.
    With "alibi" it is BLOOM (Scao et al. 2022, section 3.2): word embeddings are normalised, and the scores carry a
    bias. Blocks are pre-norm with the tanh form of GELU. The head is the table of word embeddings transposed.

    Args:
        config: sizes.
        alibi_bias: (n_heads, length) -> float [H,T,T], added to the scores, for a model with "alibi"; the course's own
            where it is None.

    Parameters: `word`, `position` (with "learned") or `embedding_norm` (with "alibi"), `blocks`, `norm`.
    """

    def __init__(self, config: DecoderConfig, *, alibi_bias: Callable[[int, int], Tensor] | None = None) -> None:
        super().__init__()
        self.config = config
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        if config.positions == "learned":
            self.position = nn.Embedding(config.max_len, config.d_model)
        else:
            self.embedding_norm = nn.LayerNorm(config.d_model)
            # By name, so that a notebook which asks for ALiBi is not graded beside it (see course/blocks/__init__.py).
            self._alibi_bias = alibi_bias or import_module("course.blocks.alibi").alibi_bias
        widths = config.d_model, config.n_heads, config.d_ff
        self.blocks = nn.ModuleList(
            [EncoderBlock(*widths, pre_norm=True, activation="gelu_tanh") for _ in range(config.n_layers)]
        )
        self.norm = nn.LayerNorm(config.d_model)
        initialise(self)

    def encode(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return what stands before the head, float [B,T,D]: row t knows ids up to t and no later one.

        Args:
            ids: long [B,T].
            mask: bool [B,T], True on real tokens; None: all are. Only real tokens are seen, and learned positions count
                only them, so that a row padded on the left reads as it would without padding. What a padded position
                gives means nothing.

        Raises:
            ValueError: a mask that is not boolean or not [B,T], or more tokens than learned positions.
        """
        if mask is not None and (mask.dtype is not torch.bool or mask.shape != ids.shape):
            raise ValueError(
                f"mask is {mask.dtype} {tuple(mask.shape)}, but must be bool {tuple(ids.shape)}, True on real tokens."
            )
        x_BTD, bias_HTT = self._embed(ids, mask), None
        if self.config.positions == "alibi":
            bias_HTT = self._alibi_bias(self.config.n_heads, ids.shape[1]).to(x_BTD)
        for block in self.blocks:
            x_BTD = block(x_BTD, None if mask is None else mask[:, None, None, :], causal=True, bias=bias_HTT)
        return self.norm(x_BTD)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return logits [B,T,V] for the token after each of ids [B,T]; arguments and errors as for `encode`."""
        return functional.linear(self.encode(ids, mask), self.word.weight)

    def _embed(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        if self.config.positions == "alibi":
            return self.embedding_norm(self.word(ids))
        length = ids.shape[1]
        if length > self.config.max_len:
            raise ValueError(f"{length} tokens came, but max_len is {self.config.max_len}: raise it or cut the text.")
        if mask is None:
            return self.word(ids) + self.position.weight[:length]
        return self.word(ids) + self.position((mask.cumsum(1) - 1).clamp(min=0))


def initialise(model: nn.Module) -> None:
    """Draw a model's weights as GPT-2's are drawn: normal, biases 0, norms 1; smaller where a block adds to its sum.

    GPT-2's standard deviation is 0.02 at a width of 768; a narrower matrix needs larger numbers for sums of the same
    size, so it grows with the root of 768 / D. The maps that end a part of a block, `out_proj` and `linear2`, are
    divided by the root of the number of parts, that is twice the blocks (Radford et al. 2019, section 2.3).
    """
    ends = [module for name, module in model.named_modules() if name.endswith(("out_proj", "linear2"))]
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            std = 0.02 * math.sqrt(768 / _width(module))
            nn.init.normal_(module.weight, std=std / math.sqrt(len(ends)) if module in ends else std)
        elif isinstance(module, nn.LayerNorm):
            module.reset_parameters()
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


def _width(module: nn.Linear | nn.Embedding) -> int:
    return module.embedding_dim if isinstance(module, nn.Embedding) else min(module.weight.shape)
