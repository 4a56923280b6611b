"""The course's own BERT: pretrained on the training stories, written in the hub's form."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from course.blocks.masked_lm import EPS, MaskedLM
from course.checkpoints import CONFIG, REQUIRED, SIZES, WEIGHTS
from course.configs import EncoderConfig
from course.hub_names import hub_name
from course.stories import Stories, pad
from course.training import seeded, train

SEED = 20181011  # the day on which BERT came out
WIDTHS = {"d_model": 96, "n_heads": 4, "n_layers": 3, "d_ff": 192, "max_len": 64}
BATCH, RATE, PEAK_LR = 64, 0.3, 3e-3
N_STEPS = 1000


def pretrain(stories: Stories, *, n_steps: int = N_STEPS) -> MaskedLM:
    """Return a MaskedLM that has restored masked words of the training stories for `n_steps` batches.

    More tokens are masked than BERT's 15%: a step costs the same and teaches more (Wettig et al. 2023).
    """
    with seeded(SEED):
        model = MaskedLM(EncoderConfig(len(stories.vocab), **WIDTHS))
    cpu = torch.device("cpu")  # so that the same machine gives the same weights
    train(
        model,
        masked_loss,
        batches(stories),
        n_steps=n_steps,
        peak_lr=PEAK_LR,
        seed=SEED,
        label="pretraining on the stories",
        device=cpu,
    )
    return model


def masked_loss(model: MaskedLM, batch: tuple[Tensor, ...]) -> Tensor:
    """Return the mean loss in nats over the chosen tokens; batch is (inputs, mask, ids, chosen), each [B,T]."""
    inputs, mask, ids, chosen = batch
    return functional.cross_entropy(model(inputs, mask, chosen=chosen), ids[chosen])


def batches(stories: Stories) -> Callable[[torch.Generator], tuple[Tensor, ...]]:
    """Return what draws a batch of corrupted training stories with a generator."""
    ids_NT, mask_NT = pad(stories.train, stories.pad_id)
    words = torch.tensor(stories.word_ids)

    def sample(generator: torch.Generator) -> tuple[Tensor, ...]:
        rows = torch.randint(len(ids_NT), (BATCH,), generator=generator)
        ids, mask = ids_NT[rows], mask_NT[rows]
        free = mask & ids.ne(stories.bos_id) & ids.ne(stories.eos_id)
        chosen = free & (torch.rand(ids.shape, generator=generator) < RATE)
        fate = torch.rand(ids.shape, generator=generator)
        random = words[torch.randint(len(words), ids.shape, generator=generator)]
        inputs = ids.masked_fill(chosen & (fate < 0.8), stories.mask_id)
        return torch.where(chosen & (fate >= 0.9), random, inputs), mask, ids, chosen

    return sample


def write_stories_bert(folder: Path) -> None:
    """Pretrain, and write `config.json` and `model.safetensors` (float16)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in one order, whatever the machine's number of cores
    try:
        model = pretrain(Stories.load())
    finally:
        torch.set_num_threads(threads)
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
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    state = {hub_name(name): value.detach().half().contiguous() for name, value in model.state_dict().items()}
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)
