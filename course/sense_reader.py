"""A reader that settles what a homonym means by looking at the other words once: plumbing of week 2, notebook 1."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Attend = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


class SenseReader(nn.Module):
    """One look of one word at its story, with several heads, and a guess at the word's sense.

    Args:
        vocab_size: V.
        d_model: width, D.
        n_heads: H.
        n_senses: how many senses there are to choose from.
        attend: attention: (query [B,H,T,K], key [B,H,S,K], value [B,H,S,K], mask) -> (output, weights [B,H,T,S]).
    """

    def __init__(self, vocab_size: int, d_model: int, *, n_heads: int, n_senses: int, attend: Attend) -> None:
        super().__init__()
        self._attend = attend
        self.words = nn.Embedding(vocab_size, d_model)
        # One matrix a head, as the paper writes it.
        shape = (3, n_heads, d_model, d_model // n_heads)
        self.maps = nn.Parameter(torch.randn(shape) * d_model**-0.5)
        self.guess = nn.Linear(d_model, n_senses)

    def forward(self, ids: Tensor, mask: Tensor, position: Tensor) -> Tensor:
        """Return logits [B, n_senses].

        Args:
            ids: long [B,S].
            mask: bool [B,S], True on real tokens.
            position: long [B], where the homonym stands.
        """
        return self.look(ids, mask, position)[0]

    def look(self, ids: Tensor, mask: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits [B, n_senses] and the weights [B,H,S] of the homonym's look. Arguments as for `forward`."""
        x_BSD = self.words(ids)
        word_B1D = x_BSD[torch.arange(len(ids)), position].unsqueeze(1)
        query = torch.einsum("btd,hdk->bhtk", word_B1D, self.maps[0])
        key, value = (torch.einsum("bsd,hdk->bhsk", x_BSD, matrix) for matrix in self.maps[1:])
        found, weights = self._attend(query, key, value, mask[:, None, None])
        return self.guess(torch.relu(found.flatten(1))), weights[:, :, 0]
