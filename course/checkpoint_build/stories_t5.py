"""The course's own T5: pretrained on the training stories by span corruption, written in the hub's form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from course.blocks.t5 import T5
from course.checkpoint_build.hub_files import write_hub_files
from course.checkpoint_build.one_thread import one_thread
from course.configs import T5Config
from course.spans import span_batch
from course.starts import start_t5
from course.stories import Stories
from course.t5_checkpoints import hub_name, hub_settings
from course.text_to_text import IGNORED, text_loss
from course.training import seeded, train

SEED = 20191023  # the day on which T5 came out
WIDTHS = {"d_model": 96, "n_heads": 8, "d_head": 12, "n_layers": 2, "d_ff": 256, "max_distance": 64}
BATCH, PEAK_LR, MUON_LR, WARMUP = 32, 4e-3, 0.01, 100
WORDS_FASTER = 30.0  # the table of words starts with a standard deviation of 1
N_STEPS = 4_000


def pretrain(stories: Stories, *, n_steps: int = N_STEPS) -> T5:
    """Return a T5 of the stories' vocabulary that has restored spans of the training stories for `n_steps` batches."""
    with seeded(SEED):
        model = T5(T5Config(len(stories.vocab), **WIDTHS))
        start_t5(model)
    train(
        model,
        text_loss,
        batches(stories),
        n_steps=n_steps,
        peak_lr=PEAK_LR,
        muon_lr=MUON_LR,
        lr_scale=lambda name, _: WORDS_FASTER if name == "word.weight" else 1.0,
        weight_decay=0.0,
        warmup=WARMUP,
        seed=SEED,
        label="pretraining on the stories",
        device=torch.device("cpu"),  # so that the same machine gives the same weights
    )
    return model


def batches(stories: Stories) -> Callable[[torch.Generator], tuple[Tensor, ...]]:
    """Return what draws a batch of corrupted training stories with a generator: (source_ids, source_mask, labels).

    Spans are T5's: 15% of the tokens, 3 in a span on average; [BOS] and [EOS] are left out of the stories.
    """
    words = [story[1:-1] for story in stories.train]

    def sample(generator: torch.Generator) -> tuple[Tensor, ...]:
        rows = torch.randint(len(words), (BATCH,), generator=generator).tolist()
        batch = span_batch(
            [words[row] for row in rows],
            sentinels=stories.sentinel_ids,
            eos_id=stories.eos_id,
            pad_id=stories.pad_id,
            generator=generator,
        )
        return batch.inputs, batch.input_mask, batch.targets.masked_fill(~batch.target_mask, IGNORED)

    return sample


def write(folder: Path) -> None:
    """Pretrain, and write `config.json` and `model.safetensors` (float16)."""
    with one_thread():
        model = pretrain(Stories.load())
    write_checkpoint(model, folder)


def write_checkpoint(model: T5, folder: Path) -> None:
    """Write a model as a T5 in the hub's form, its weights rounded to float16."""
    stories = Stories.load()
    tokens = {"pad_token_id": stories.pad_id, "eos_token_id": stories.eos_id, "decoder_start_token_id": stories.pad_id}
    settings = {**hub_settings(model.config), **tokens, "dtype": "float16"}
    state = {hub_name(name): value.half() for name, value in model.state_dict().items()}
    write_hub_files(folder, settings, state)
