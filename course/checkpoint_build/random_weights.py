"""Small models of the library `transformers` with random weights, and what that library computes with them.

They know nothing. They are there so that a model built in the course can be held against an independent one, number by
number: the same weights must give the same logits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from course.checkpoints import EXPECTED, WEIGHTS
from course.training import seeded

LENGTHS = (11, 7, 4)  # of the texts of a batch


def random_model(make: Callable[[], nn.Module], *, seed: int) -> nn.Module:
    """Return the model that `make` makes, in evaluation mode, no weight of it at its starting value."""
    with seeded(seed):
        model = make()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


def real_tokens(lengths: tuple[int, ...] = LENGTHS) -> Tensor:
    """Return which tokens of a batch are real, as 1 and 0, long [B,T]: texts padded on the right."""
    return (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()


def random_texts(mask: Tensor, vocab_size: int, generator: torch.Generator, *, pad_id: int) -> Tensor:
    """Return random ids, long as mask [B,T], from 5 (below stand special tokens) on; pad_id where mask is 0."""
    words = torch.randint(5, vocab_size, mask.shape, generator=generator)
    return words.where(mask.bool(), pad_id)


def write_random(
    folder: Path, model: nn.Module, inputs: Mapping[str, Tensor], logits: Callable[[nn.Module, dict], Tensor]
) -> None:
    """Write `config.json`, `model.safetensors` and `expected.safetensors`: a batch and the library's logits.

    Args:
        folder: made where it is missing.
        model: of the library.
        inputs: the batch: masks, by names that end in "mask", as 0 and 1.
        logits: (model, inputs) -> what the library computes, in the model's dtype.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    # In float64 and then rounded: the same bytes, whatever the machine and its number of threads.
    with torch.no_grad():
        expected = logits(model.double(), dict(inputs)).float()
    save_file({**inputs, "logits": expected}, folder / EXPECTED)
    for name in (WEIGHTS, EXPECTED):
        (folder / name).chmod(0o644)
