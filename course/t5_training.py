"""Training a T5: AdamW whose steps are as large for a parameter as the parameter itself, as Adafactor's are."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
from torch import Tensor, nn

from course.blocks.t5 import T5
from course.progress import Progress
from course.training import MAX_STEPS, learning_rate

FASTER = 10.0  # the table of words starts with a standard deviation of 1, a matrix with about a tenth


def pace(model: nn.Module, name: str) -> float:
    """Return what the learning rate of a parameter is multiplied by, so that its steps are in proportion to it.

    Words start ten times as large as matrices; queries start smaller by the root of the head's width.
    """
    if name == "word.weight":
        return FASTER
    return model.config.d_head**-0.5 if "q_proj" in name else 1.0


@torch.no_grad()
def start_near(model: T5) -> None:
    """Give a T5 first biases that fall with the distance in some of its heads, as with ALiBi (Press et al. 2022).

    In the encoder every fourth head begins with what stands to its left, with what stands to its right, with both, and
    with everything alike; in the decoder, which sees the left alone, two of four begin with the nearest tokens. Drawn
    at random, biases tell neighbours from strangers only after thousands of steps, and without neighbours nothing of a
    hidden span can be guessed.
    """
    half, n_heads = model.config.n_buckets // 2, model.config.n_heads
    n = torch.arange(half)  # up to a distance of half / 2 a bucket is one distance
    left = torch.stack([-n.float(), -4.0 - n, -0.5 * n, torch.zeros(half)], dim=1)
    right = torch.stack([-4.0 - n, -1.0 * n, -0.5 * n, torch.zeros(half)], dim=1)
    left[0, 0] = -2.0
    past = torch.arange(2 * half)
    before = torch.stack([-1.0 * past, -0.5 * past, torch.zeros(2 * half), torch.zeros(2 * half)], dim=1)
    heads = torch.arange(n_heads) % 4
    model.encoder_bias.weight[: 2 * half] = torch.cat([left, right])[:, heads]
    model.decoder_bias.weight[: 2 * half] = before[:, heads]


def make_t5_optimiser(model: nn.Module, *, peak_lr: float) -> torch.optim.AdamW:
    """Return AdamW whose steps are at each parameter's own pace.

    T5 was trained with Adafactor, whose steps are proportional to the size of what they change (Shazeer and Stern 2018,
    section 8). With Adam's steps, all of one size, a table that starts ten times as large hardly learns.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        decays = 0.01 if parameter.ndim >= 2 and not name.endswith(("word.weight", "_bias.weight")) else 0.0
        groups.setdefault((pace(model, name), decays), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": found, "weight_decay": decays, "faster": faster} for (faster, decays), found in groups.items()],
        lr=peak_lr,
        betas=(0.9, 0.98),
    )


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
