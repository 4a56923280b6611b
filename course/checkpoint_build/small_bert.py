"""A small BERT of the library `transformers` with random weights, its sizes as in bert-base-uncased but smaller."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from course.checkpoint_build.random_weights import random_model, random_texts, real_tokens, write_random

SEED = 1810  # the month in which the paper came out
WIDTHS = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 40}
SETTINGS = WIDTHS | {
    "vocab_size": 97,
    "max_position_embeddings": 32,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}


def make_model() -> nn.Module:
    """Return the library's model."""
    import transformers

    return random_model(lambda: transformers.BertForMaskedLM(transformers.BertConfig(**SETTINGS)), seed=SEED)


def make_batch() -> dict[str, Tensor]:
    """Return ids [B,T], mask [B,T] as 0 and 1, and segment_ids [B,T]: texts of several lengths, padded on the right."""
    generator, mask = torch.Generator().manual_seed(SEED), real_tokens()
    ids = random_texts(mask, SETTINGS["vocab_size"], generator, pad_id=0)
    segment_ids = torch.randint(SETTINGS["type_vocab_size"], mask.shape, generator=generator)
    return {"ids": ids, "mask": mask, "segment_ids": segment_ids}


def library_logits(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Return the library's logits, [B,T,V], in the dtype of the model."""
    return model(inputs["ids"], attention_mask=inputs["mask"], token_type_ids=inputs["segment_ids"]).logits


def write(folder: Path) -> None:
    """Write the checkpoint's three files."""
    write_random(folder, make_model(), make_batch(), library_logits)
