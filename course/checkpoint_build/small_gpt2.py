"""A small GPT-2 of the library `transformers` with random weights, its sizes as in gpt2 but smaller."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from course.checkpoint_build.random_weights import random_model, random_texts, real_tokens, write_random

SEED = 1902  # the month in which the paper came out
SETTINGS = {
    "vocab_size": 101,
    "n_positions": 32,
    "n_embd": 24,
    "n_head": 4,
    "n_layer": 3,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def make_model() -> nn.Module:
    """Return the library's model."""
    import transformers

    return random_model(lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config(**SETTINGS)), seed=SEED)


def make_batch() -> dict[str, Tensor]:
    """Return ids [B,T] and mask [B,T] as 0 and 1: texts of several lengths, padded on the right."""
    mask = real_tokens()
    generator = torch.Generator().manual_seed(SEED)
    return {"ids": random_texts(mask, SETTINGS["vocab_size"], generator, pad_id=0), "mask": mask}


def library_logits(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Return the library's logits, [B,T,V], in the dtype of the model."""
    return model(inputs["ids"], attention_mask=inputs["mask"]).logits


def write(folder: Path) -> None:
    """Write the checkpoint's three files."""
    write_random(folder, make_model(), make_batch(), library_logits)
