"""The same small T5 as v1.1: a gated feed-forward part, and a head of its own."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from course.checkpoint_build import small_t5
from course.checkpoint_build.random_weights import write_random
from course.checkpoints import CONFIG

CHANGES = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}


def make_model() -> nn.Module:
    """Return the library's model."""
    model = small_t5.make_model(**CHANGES)
    # The library makes every head the table of the embeddings; only a file that holds another one keeps it.
    generator = torch.Generator().manual_seed(small_t5.SEED)
    model.lm_head.weight = nn.Parameter(torch.randn(model.shared.weight.shape, generator=generator) / 8)
    return model


def write(folder: Path) -> None:
    """Write the checkpoint's three files; `config.json` says of the head what the hub's T5 v1.1 says."""
    write_random(folder, make_model(), small_t5.make_batch(), small_t5.library_logits)
    settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    del settings["scale_decoder_outputs"]
    settings |= {"tie_word_embeddings": False}
    (folder / CONFIG).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
