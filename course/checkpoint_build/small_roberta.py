"""A small RoBERTa of the library `transformers` with random weights, its sizes as in roberta-base but smaller."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from course.checkpoint_build.random_weights import random_model, random_texts, real_tokens, write_random
from course.checkpoint_build.small_bert import WIDTHS, library_logits

SEED = 1907  # the month in which the paper came out
SETTINGS = WIDTHS | {
    "vocab_size": 89,
    "max_position_embeddings": 34,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}


def make_model() -> nn.Module:
    """Return the library's model."""
    import transformers

    return random_model(lambda: transformers.RobertaForMaskedLM(transformers.RobertaConfig(**SETTINGS)), seed=SEED)


def make_batch() -> dict[str, Tensor]:
    """Return ids [B,T], mask [B,T] as 0 and 1, and segment_ids [B,T].

    The last text is padded on the left: RoBERTa's positions count real tokens, wherever they stand.
    """
    generator, mask = torch.Generator().manual_seed(SEED), real_tokens()
    mask[-1] = mask[-1].flip(0)
    ids = random_texts(mask, SETTINGS["vocab_size"], generator, pad_id=SETTINGS["pad_token_id"])
    return {"ids": ids, "mask": mask, "segment_ids": torch.zeros_like(ids)}


def write(folder: Path) -> None:
    """Write the checkpoint's three files."""
    write_random(folder, make_model(), make_batch(), library_logits)
