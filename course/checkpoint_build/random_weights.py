"""Small models of the library `transformers` with random weights, and what that library computes with them.

They know nothing. They are there so that a model built in the course can be held against an independent one, number by
number: the same weights must give the same logits.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from course.checkpoints import EXPECTED, WEIGHTS
from course.training import seeded

SIZES = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
}
# What differs between the two kinds, as in bert-base-uncased and roberta-base.
KINDS = {
    "bert": {"vocab_size": 97, "max_position_embeddings": 32, "type_vocab_size": 2, "layer_norm_eps": 1e-12},
    "roberta": {
        "vocab_size": 89,
        "max_position_embeddings": 34,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    },
}
SEEDS = {"bert": 1810, "roberta": 1907}  # the months in which the two papers came out
LENGTHS = (11, 7, 4)


def random_model(kind: str) -> nn.Module:
    """Return a "bert" or "roberta" of the library, in evaluation mode, no weight of it at its starting value."""
    import transformers

    settings = SIZES | KINDS[kind]
    with seeded(SEEDS[kind]):
        if kind == "bert":
            model = transformers.BertForMaskedLM(transformers.BertConfig(**settings))
        else:
            model = transformers.RobertaForMaskedLM(transformers.RobertaConfig(**settings))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


def batch(kind: str, vocab_size: int) -> dict[str, Tensor]:
    """Return ids [B,T], mask [B,T] as 0 and 1, and segment_ids [B,T]: texts of several lengths, padded on the right.

    RoBERTa's last text is padded on the left: its positions count real tokens, wherever they stand.
    """
    generator = torch.Generator().manual_seed(SEEDS[kind])
    pad_id = KINDS[kind].get("pad_token_id", 0)
    shape = len(LENGTHS), max(LENGTHS)
    mask = (torch.arange(shape[1]) < torch.tensor(LENGTHS)[:, None]).long()
    if kind == "roberta":
        mask[-1] = mask[-1].flip(0)
    words = torch.randint(5, vocab_size, shape, generator=generator)
    segment_ids = torch.randint(KINDS[kind]["type_vocab_size"], shape, generator=generator)
    return {"ids": words.where(mask.bool(), pad_id), "mask": mask, "segment_ids": segment_ids}


@torch.no_grad()
def library_logits(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Return the library's logits, [B,T,V], in the dtype of the model."""
    return model(inputs["ids"], attention_mask=inputs["mask"], token_type_ids=inputs["segment_ids"]).logits


def write_random(kind: str, folder: Path) -> None:
    """Write `config.json`, `model.safetensors` and `expected.safetensors`: a batch and the library's logits."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = random_model(kind)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    inputs = batch(kind, model.config.vocab_size)
    # In float64 and then rounded: the same bytes, whatever the machine and its number of threads.
    save_file({**inputs, "logits": library_logits(model.double(), inputs).float()}, folder / EXPECTED)
    for name in (WEIGHTS, EXPECTED):
        (folder / name).chmod(0o644)
