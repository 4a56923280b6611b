"""Recall sequences: key-value pairs, then queries. A state of fixed size must forget; attention need not.

A sequence of 3 pairs and 2 queries reads `k4 v1 k2 v7 k9 v3 | k9 v3 k4 v1`: each key stands once with its value, then
some of the keys come again, and behind each the model is asked for its value. The form is the associative recall of
Ba et al. (2016, section 4.1) with many queries, as in Arora et al. (2023, "Zoology", section 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

IGNORED = -100


@dataclass(frozen=True)
class RecallTask:
    """The sizes of one recall task.

    Attributes:
        n_pairs: key-value pairs that are told, k.
        n_queries: how many of the keys are asked for again, without repeats; at most n_pairs.
        n_keys: different keys there are.
        n_values: different values there are.
    """

    n_pairs: int = 8
    n_queries: int = 8
    n_keys: int = 32
    n_values: int = 32

    def __post_init__(self) -> None:
        if not 1 <= self.n_queries <= self.n_pairs <= self.n_keys:
            raise ValueError(
                f"n_queries={self.n_queries}, n_pairs={self.n_pairs}, n_keys={self.n_keys}: "
                "each must be at most the next, because no key is told or asked for twice."
            )

    @property
    def vocab_size(self) -> int:
        """Ids are keys, then values."""
        return self.n_keys + self.n_values

    @property
    def length(self) -> int:
        """Tokens in a sequence."""
        return 2 * (self.n_pairs + self.n_queries)

    @property
    def chance(self) -> float:
        """Accuracy of one who remembers nothing."""
        return 1 / self.n_values

    @property
    def bits(self) -> float:
        """Bits that must be in memory when the first query comes: the values alone, were the keys known beforehand."""
        return self.n_pairs * math.log2(self.n_values)


def recall_batch(task: RecallTask, batch_size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return sequences and what is to be predicted at each of their positions.

    Args:
        task: the sizes.
        batch_size: number of sequences, B.
        generator: where the randomness comes from.

    Returns:
        ids: long [B,T], T = task.length. Pairs first, each a key and its value, then queries, each a key and its value.
        labels: long [B,T]; at each query's key the id of its value, -100 elsewhere.
    """
    keys_BK = torch.rand(batch_size, task.n_keys, generator=generator).argsort(1)[:, : task.n_pairs]
    values_BK = torch.randint(task.n_values, (batch_size, task.n_pairs), generator=generator) + task.n_keys
    order_BQ = torch.rand(batch_size, task.n_pairs, generator=generator).argsort(1)[:, : task.n_queries]
    told_BT = torch.stack([keys_BK, values_BK], dim=2).flatten(1)
    asked_BQ, answers_BQ = keys_BK.gather(1, order_BQ), values_BK.gather(1, order_BQ)
    ids_BT = torch.cat([told_BT, torch.stack([asked_BQ, answers_BQ], dim=2).flatten(1)], dim=1)
    labels_BT = torch.full_like(ids_BT, IGNORED)
    labels_BT[:, 2 * task.n_pairs :: 2] = answers_BQ
    return ids_BT, labels_BT


def recall_accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the share of queries, between 0 and 1, whose value has the highest logit.

    Args:
        logits: float [B,T,V].
        labels: long [B,T] as `recall_batch` gives them.
    """
    asked_mask = labels != IGNORED
    return (logits.argmax(-1)[asked_mask] == labels[asked_mask]).float().mean().item()
