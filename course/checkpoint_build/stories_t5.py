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
from course.stories import Stories
from course.t5_checkpoints import hub_name, hub_settings
from course.t5_training import start_near, train_t5
from course.text_to_text import IGNORED, text_loss
from course.training import seeded

SEED = 20191023  # the day on which T5 came out
WIDTHS = {"d_model": 96, "n_heads": 4, "d_head": 24, "n_layers": 2, "d_ff": 256, "max_distance": 64}
BATCH, PEAK_LR, WARMUP = 16, 3e-3, 200
N_STEPS = 4_500


def pretrain(stories: Stories, *, n_steps: int = N_STEPS) -> T5:
    """Return a T5 of the stories' vocabulary that has restored spans of the training stories for `n_steps` batches."""
    with seeded(SEED):
        model = T5(T5Config(len(stories.vocab), **WIDTHS))
    start_near(model)
    train_t5(
        model,
        text_loss,
        batches(stories),
        n_steps=n_steps,
        peak_lr=PEAK_LR,
        warmup=WARMUP,
        seed=SEED,
        label="pretraining on the stories",
    )
    return model.eval()


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
