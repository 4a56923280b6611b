"""Training a T5: AdamW whose steps are as large for a parameter as the parameter itself, as Adafactor's are."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
from torch import Tensor, nn

from course.progress import Progress
from course.training import MAX_STEPS, learning_rate

TABLES = ("word.weight", "encoder_bias.weight", "decoder_bias.weight")
FASTER = 10  # the table of words starts with a standard deviation of 1, a matrix with about a tenth


def make_t5_optimiser(model: nn.Module, *, peak_lr: float) -> torch.optim.AdamW:
    """Return AdamW that moves the tables of words and of relative positions ten times as fast as the matrices.

    T5 was trained with Adafactor, whose steps are proportional to the size of what they change (Shazeer and Stern 2018,
    section 8). With Adam's steps, all of one size, a table that starts ten times as large hardly learns.
    """
    tables = [p for name, p in model.named_parameters() if name in TABLES]
    rest = [p for name, p in model.named_parameters() if name not in TABLES]
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": 0.01, "faster": 1},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0, "faster": 1},
        {"params": tables, "weight_decay": 0.0, "faster": FASTER},
    ]
    return torch.optim.AdamW(groups, lr=peak_lr, betas=(0.9, 0.98))


def train_t5(
    model: nn.Module,
    batch_loss: Callable[[nn.Module, tuple[Tensor, ...]], Tensor],
    sample_batch: Callable[[torch.Generator], tuple[Tensor, ...]],
    *,
    n_steps: int,
    peak_lr: float = 2e-3,
    warmup: int = 100,
    seed: int = 0,
    label: str = "training",
    watch: Callable[[int], object] | None = None,
    watch_every: int = 50,
) -> list[float]:
    """Train `model` in place, where it stands, and return the loss of each step in nats.

    Args:
        model: a `course.blocks.t5.T5`; left in evaluation mode.
        batch_loss: (model, batch) -> scalar loss.
        sample_batch: draws one batch, a tuple of tensors, with the generator it is given.
        n_steps: optimiser steps; the environment variable COURSE_MAX_STEPS bounds them.
        peak_lr: the highest learning rate of the matrices.
        warmup: steps of linear rise; at most half of n_steps are used for it.
        seed: of the batches.
        label: what the progress bar says.
        watch: called with the number of steps done, every `watch_every` steps and after the last, with the model in
            evaluation mode and without gradients.
        watch_every: steps.

    Raises:
        ValueError: n_steps below 1.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps is {n_steps}: at least one step is needed.")
    n_steps = min(n_steps, int(os.environ.get(MAX_STEPS, n_steps)))
    optimiser, losses = make_t5_optimiser(model, peak_lr=peak_lr), []
    generator, warmup = torch.Generator().manual_seed(seed), max(1, min(warmup, n_steps // 2))
    model.train()
    with Progress(total=n_steps, desc=label, unit="step") as bar:
        for step in range(n_steps):
            for group in optimiser.param_groups:
                group["lr"] = group["faster"] * learning_rate(step, n_steps, peak=peak_lr, warmup=warmup)
            loss = batch_loss(model, sample_batch(generator))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            losses.append(loss.item())
            if watch is not None and ((step + 1) % watch_every == 0 or step + 1 == n_steps):
                _watched(model, watch, step + 1)
            bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
            bar.update()
    model.eval()
    return losses


def _watched(model: nn.Module, watch: Callable[[int], object], n_done: int) -> None:
    model.eval()
    with torch.no_grad():
        watch(n_done)
    model.train()
