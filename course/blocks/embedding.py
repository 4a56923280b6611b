"""From token ids to vectors that know their position."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from course.blocks.positions import sinusoids

POSITIONS = ("sinusoidal", "learned", "none")


class TokenEmbedding(nn.Embedding):
    """Token embeddings with their positions added.

    Args:
        vocab_size: V.
        d_model: width, D.
        max_len: how many positions there are at most.
        positions: "sinusoidal" (then the embeddings are multiplied by the root of D, as in section 3.4 of the paper),
            "learned" (a second table, `position`), or "none" (positions come in elsewhere, as ALiBi).
    """

    def __init__(self, vocab_size: int, d_model: int, *, max_len: int = 512, positions: str = "sinusoidal") -> None:
        super().__init__(vocab_size, d_model)
        if positions not in POSITIONS:
            raise ValueError(f"positions is {positions!r}: choose one of {', '.join(POSITIONS)}.")
        self._positions, self._max_len = positions, max_len
        self._scale = math.sqrt(d_model) if positions == "sinusoidal" else 1.0
        if positions == "sinusoidal":
            self.register_buffer("sinusoids", sinusoids(max_len, d_model), persistent=False)
        elif positions == "learned":
            self.position = nn.Embedding(max_len, d_model)

    def reset_parameters(self) -> None:
        """Draw embeddings with a variance of 1/D, so that times the root of D they are no larger than positions."""
        nn.init.normal_(self.weight, std=self.embedding_dim**-0.5)

    def forward(self, ids: Tensor) -> Tensor:
        """Return float [B,T,D] for ids [B,T]; raises ValueError where T is more than max_len."""
        length = ids.shape[1]
        if length > self._max_len and self._positions != "none":
            raise ValueError(f"{length} tokens came, but max_len is {self._max_len}: raise max_len or cut the text.")
        embedded_BTD = super().forward(ids)
        if self._positions == "learned":
            return embedded_BTD + self.position.weight[:length]
        if self._positions == "sinusoidal":
            return torch.add(self.sinusoids[:length].to(embedded_BTD.dtype), embedded_BTD, alpha=self._scale)
        return embedded_BTD
