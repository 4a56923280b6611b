"""The course's own GPT: trained on the stories to say the next token, written as a GPT-2 in the hub's form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from course.blocks.causal_lm import CausalLM
from course.checkpoint_build.gpt2_form import write_gpt2
from course.checkpoint_build.one_thread import one_thread
from course.configs import DecoderConfig
from course.stories import Stories, pad
from course.training import seeded, train

SEED = 20190214  # the day on which GPT-2 came out
WIDTHS = {"d_model": 96, "n_heads": 8, "n_layers": 2, "d_ff": 384, "max_len": 64}
WORD_STD = 0.15  # words far apart, as in notebook 1 of week 4
BATCH, PEAK_LR, MUON_LR, WARMUP = 32, 4e-3, 0.01, 100
N_STEPS = 1_600


def pretrain(stories: Stories, *, n_steps: int = N_STEPS) -> CausalLM:
    """Return a CausalLM that has read `n_steps` batches of whole training stories."""
    with seeded(SEED):
        model = CausalLM(DecoderConfig(len(stories.vocab), **WIDTHS))
        nn.init.normal_(model.word.weight, std=WORD_STD)
    train(
        model,
        lambda model, batch: next_token_loss(model, batch[0], stories.pad_id),
        batches(stories),
        n_steps=n_steps,
        peak_lr=PEAK_LR,
        muon_lr=MUON_LR,
        warmup=WARMUP,
        seed=SEED,
        label="a GPT on the stories",
        device=torch.device("cpu"),  # so that the same machine gives the same weights
    )
    return model


def next_token_loss(model: CausalLM, ids: Tensor, pad_id: int) -> Tensor:
    """Return the mean loss in nats over the tokens of ids [B,T] that are no padding, the first of a row left out."""
    return functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad_id)


def batches(stories: Stories) -> Callable[[torch.Generator], tuple[Tensor]]:
    """Return what draws a batch of training stories with a generator: (ids [B,T],), padded on the right."""
    ids_NT, _ = pad(stories.train, stories.pad_id)
    return lambda generator: (ids_NT[torch.randint(len(ids_NT), (BATCH,), generator=generator)],)


def write(folder: Path) -> None:
    """Train, and write `config.json` and `model.safetensors` (float16)."""
    stories = Stories.load()
    with one_thread():
        model = pretrain(stories)
    write_gpt2(model, folder, eos_id=stories.eos_id)
