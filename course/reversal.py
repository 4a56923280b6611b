"""The reversal task: write a row of letters backwards. The smallest translation that needs a look across."""

from __future__ import annotations

import torch
from torch import Tensor

BEGIN = 0
FIRST_LETTER = 1


def reversal_batch(
    batch_size: int, n_letters: int, length: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows of letters and the same rows backwards.

    Args:
        batch_size: B.
        n_letters: how many different letters there are; their ids follow BEGIN (0).
        length: letters in a row, S.
        generator: where the randomness comes from.

    Returns:
        src_ids: long [B,S].
        tgt_ids: long [B,S], what the decoder has written before each step: BEGIN, then the row backwards but its end.
        labels: long [B,S], what it must write at each step.
    """
    src_ids = torch.randint(FIRST_LETTER, FIRST_LETTER + n_letters, (batch_size, length), generator=generator)
    labels = src_ids.flip(1)
    begin_B1 = torch.full((batch_size, 1), BEGIN)
    return src_ids, torch.cat([begin_B1, labels[:, :-1]], dim=1), labels
