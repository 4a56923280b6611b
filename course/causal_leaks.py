"""Causal language models that saw what they are asked for, and two questions that give them away."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from course.configs import GenerationConfig
from course.generation import generate


class SeesBothWays(nn.Module):
    """A block that hides nothing: whatever mask it is handed is dropped, and `causal=True` with it.

    Args:
        block: takes [B,T,D] alone, and then looks at all of it.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor, *_: Any, **__: Any) -> Tensor:
        return self.block(x)


def without_mask(model: nn.Module) -> nn.Module:
    """Return a copy of a model with `blocks` in which every block sees both ways."""
    model = copy.deepcopy(model)
    model.blocks = nn.ModuleList(SeesBothWays(block) for block in model.blocks)
    return model


@torch.no_grad()
def a_later_token_moves(model: nn.Module, ids: Tensor, *, at: int, other_id: int) -> bool:
    """Return whether another token in column `at` moves any logit before it by more than 0.0001.

    Args:
        model: ids [B,T] -> logits [B,T,V].
        ids: long [B,T].
        at: a column; at least one row holds something else than `other_id` there.
        other_id: what is put there.

    Raises:
        ValueError: every row holds `other_id` there already.
    """
    other = ids.clone()
    other[:, at] = other_id
    if torch.equal(other, ids):
        raise ValueError(f"Every row holds {other_id} in column {at} already: nothing would be changed.")
    return (model(ids)[:, :at] - model(other)[:, :at]).abs().max().item() > 1e-4


def write(
    model: nn.Module, n_texts: int, *, bos_id: int, eos_id: int, max_len: int = 64, seed: int = 0
) -> list[list[int]]:
    """Return texts drawn token after token, each from the left alone.

    Args:
        model: (ids [B,T], mask) -> logits [B,T,V]; the mask is None.
        n_texts: how many.
        bos_id: the token that every text begins with.
        eos_id: the token that ends a text. One that has not ended after max_len tokens is ended behind them.
        max_len: tokens of a text at most.
        seed: of the draws.
    """
    start = torch.full((n_texts, 1), bos_id)
    config = GenerationConfig(max_new_tokens=max_len - 1, do_sample=True, eos_id=eos_id)
    rows = generate(model, start, config, torch.Generator().manual_seed(seed)).tolist()
    return [row[: row.index(eos_id) + 1] if eos_id in row else [*row, eos_id] for row in rows]
