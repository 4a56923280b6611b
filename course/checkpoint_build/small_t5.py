"""A small T5 v1.0 of the library `transformers` with random weights, its settings as in t5-small but smaller."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from course.checkpoint_build.random_weights import random_model, random_texts, real_tokens, write_random

SEED = 1910  # the month in which the paper came out
PAD, END = 0, 1  # as in the released models; the decoder's input begins with PAD
# Heads times their width is not the model's width, and texts reach beyond the largest distance.
SETTINGS = {
    "vocab_size": 89,
    "d_model": 24,
    "d_kv": 5,
    "num_heads": 4,
    "d_ff": 40,
    "num_layers": 2,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 9,
    "pad_token_id": PAD,
    "eos_token_id": END,
    "decoder_start_token_id": PAD,
}
TARGET_LENGTHS = (6, 12, 5)


def make_model(**changes: object) -> nn.Module:
    """Return the library's model; `changes` to its settings make other forms of T5."""
    import transformers

    settings = transformers.T5Config(**(SETTINGS | {"feed_forward_proj": "relu"} | changes))
    return random_model(lambda: transformers.T5ForConditionalGeneration(settings), seed=SEED)


def make_batch() -> dict[str, Tensor]:
    """Return ids [B,S], mask [B,S] as 0 and 1, and target_ids [B,T], the decoder's input: both padded on the right."""
    generator, mask, target_mask = torch.Generator().manual_seed(SEED), real_tokens(), real_tokens(TARGET_LENGTHS)
    ids, target_ids = (
        random_texts(real, SETTINGS["vocab_size"], generator, pad_id=PAD) for real in (mask, target_mask)
    )
    target_ids[:, 0] = PAD
    return {"ids": ids, "mask": mask, "target_ids": target_ids, "target_mask": target_mask}


def library_logits(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Return the library's logits, [B,T,V], in the dtype of the model."""
    return model(input_ids=inputs["ids"], attention_mask=inputs["mask"], decoder_input_ids=inputs["target_ids"]).logits


def write(folder: Path) -> None:
    """Write the checkpoint's three files."""
    write_random(folder, make_model(), make_batch(), library_logits)
