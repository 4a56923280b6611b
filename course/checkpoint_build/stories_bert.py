"""The course's own BERT: pretrained on the training stories, written in the hub's form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from course.blocks.masked_lm import EPS, MaskedLM
from course.checkpoint_build.hub_files import write_hub_files
from course.checkpoint_build.one_thread import one_thread
from course.checkpoints import REQUIRED, SIZES
from course.configs import EncoderConfig
from course.hub_names import hub_name
from course.masking import IGNORED, choose_positions, mask_tokens, special_positions
from course.starts import start_bert
from course.stories import Stories, pad
from course.training import seeded, train

SEED = 20181011  # the day on which BERT came out
WIDTHS = {"d_model": 96, "n_heads": 8, "n_layers": 2, "d_ff": 384, "max_len": 64}
BATCH, RATE, PEAK_LR, MUON_LR, WARMUP = 32, 0.3, 4e-3, 0.01, 100
N_STEPS = 5_000


def pretrain(stories: Stories, *, n_steps: int = N_STEPS) -> MaskedLM:
    """Return a MaskedLM that has restored masked words of the training stories for `n_steps` batches.

    More tokens are masked than BERT's 15%: a step costs the same and teaches more (Wettig et al. 2023).
    """
    with seeded(SEED):
        model = MaskedLM(EncoderConfig(len(stories.vocab), **WIDTHS))
        start_bert(model)
    train(
        model,
        masked_loss,
        batches(stories),
        n_steps=n_steps,
        peak_lr=PEAK_LR,
        muon_lr=MUON_LR,
        warmup=WARMUP,
        seed=SEED,
        label="pretraining on the stories",
        device=torch.device("cpu"),  # so that the same machine gives the same weights
    )
    return model


def masked_loss(model: MaskedLM, batch: tuple[Tensor, ...]) -> Tensor:
    """Return the mean loss in nats over the chosen tokens; batch is (inputs, mask, labels), each [B,T]."""
    inputs, mask, labels = batch
    chosen = labels != IGNORED
    return functional.cross_entropy(model(inputs, mask, chosen=chosen), labels[chosen])


def batches(stories: Stories) -> Callable[[torch.Generator], tuple[Tensor, ...]]:
    """Return what draws a batch of corrupted training stories with a generator: (inputs, mask, labels)."""
    ids_NT, mask_NT = pad(stories.train, stories.pad_id)
    special_NT = special_positions(ids_NT, [stories.pad_id, stories.bos_id, stories.eos_id])
    words = torch.tensor(stories.word_ids)

    def sample(generator: torch.Generator) -> tuple[Tensor, ...]:
        rows = torch.randint(len(ids_NT), (BATCH,), generator=generator)
        chosen = choose_positions(ids_NT[rows], special_NT[rows], RATE, generator)
        inputs, labels = mask_tokens(ids_NT[rows], chosen, stories.mask_id, words, generator)
        return inputs, mask_NT[rows], labels

    return sample


def write(folder: Path) -> None:
    """Pretrain, and write `config.json` and `model.safetensors` (float16)."""
    with one_thread():
        model = pretrain(Stories.load())
    write_checkpoint(model, folder)


def write_checkpoint(model: MaskedLM, folder: Path) -> None:
    """Write a model as a BERT in the hub's form, its weights rounded to float16."""
    sizes = {SIZES[ours]: value for ours, value in asdict(model.config).items()}
    settings = {
        "architectures": ["BertForMaskedLM"],
        "model_type": "bert",
        "dtype": "float16",
        "layer_norm_eps": EPS,
        "pad_token_id": 0,
        **REQUIRED,
        **sizes,
    }
    write_hub_files(folder, settings, {hub_name(name): value.half() for name, value in model.state_dict().items()})
