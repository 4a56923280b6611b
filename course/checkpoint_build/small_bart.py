"""A small BART of the library `transformers` with random weights, its settings as in bart-base but smaller."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from course.checkpoint_build.random_weights import random_model, random_texts, real_tokens, write_random

SEED = 1910  # the month in which the paper came out
PAD, END = 1, 2  # as in the released models; the decoder's input begins with END
SIDE = {"layers": 2, "attention_heads": 4, "ffn_dim": 40}  # 2 blocks on either side
SETTINGS = {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in SIDE.items()} | {
    "vocab_size": 83,
    "d_model": 24,
    "max_position_embeddings": 32,
    "pad_token_id": PAD,
    "eos_token_id": END,
    "decoder_start_token_id": END,
}
TARGET_LENGTHS = (6, 9, 5)


def make_model() -> nn.Module:
    """Return the library's model."""
    import transformers

    def make() -> nn.Module:
        model = transformers.BartForConditionalGeneration(transformers.BartConfig(**SETTINGS))
        model.final_logits_bias.normal_()  # no parameter, so that nobody else moves it from 0
        return model

    return random_model(make, seed=SEED)


def make_batch() -> dict[str, Tensor]:
    """Return ids [B,S], mask [B,S] as 0 and 1, and target_ids [B,T], the decoder's input: both padded on the right."""
    generator, mask, target_mask = torch.Generator().manual_seed(SEED), real_tokens(), real_tokens(TARGET_LENGTHS)
    ids, target_ids = (
        random_texts(real, SETTINGS["vocab_size"], generator, pad_id=PAD) for real in (mask, target_mask)
    )
    target_ids[:, 0] = END
    return {"ids": ids, "mask": mask, "target_ids": target_ids, "target_mask": target_mask}


def library_logits(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Return the library's logits, [B,T,V], in the dtype of the model."""
    return model(input_ids=inputs["ids"], attention_mask=inputs["mask"], decoder_input_ids=inputs["target_ids"]).logits


def write(folder: Path) -> None:
    """Write the checkpoint's three files."""
    write_random(folder, make_model(), make_batch(), library_logits)
