"""The one training loop of the course: AdamW (or Muon beside it), warm-up, cosine decay, a progress bar, a history."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from course.muon import Muon
from course.progress import Progress

MAX_STEPS = "COURSE_MAX_STEPS"  # an environment variable: tests run notebooks through with few steps


@dataclass
class History:
    """What happened while training.

    Attributes:
        losses: training loss of each step, in the loss function's unit (nats for every loss of this course).
        evaluated_at: the steps after which the model was evaluated.
        evaluations: what `evaluate` returned there.
        cpu_seconds: CPU time (all threads) spent on training up to each evaluation, evaluations not counted.
        seconds: wall-clock time in all, evaluations included.
    """

    losses: list[float] = field(default_factory=list)
    evaluated_at: list[int] = field(default_factory=list)
    evaluations: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    seconds: float = 0.0


def best_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from a fixed seed inside the block; afterwards torch's random numbers go on as if nothing had happened."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def learning_rate(step: int, n_steps: int, *, peak: float, warmup: int) -> float:
    """Return the learning rate of one step: a linear rise, then half a cosine down to a hundredth of the peak.

    Args:
        step: counted from 0.
        n_steps: how many there are in all.
        peak: the highest rate, reached at the end of the warm-up.
        warmup: number of steps of the rise, below n_steps.

    Example:
        >>> learning_rate(0, 100, peak=1.0, warmup=10)
        0.1
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, n_steps - warmup - 1)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def make_optimiser(
    model: nn.Module,
    *,
    peak_lr: float,
    weight_decay: float,
    lr_scale: Callable[[str, Tensor], float] | None = None,
    without: Collection[Tensor] = (),
) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov and Hutter 2019) that decays matrices only: biases have no reason to be small.

    Each group holds its `lr_scale`, by which the caller multiplies the learning rate of a step; arguments as for
    `train`. The parameters in `without` are left to another optimiser.
    """
    taken = {id(parameter) for parameter in without}
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {(True, 1.0): [], (False, 1.0): []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and id(parameter) not in taken:
            scale = 1.0 if lr_scale is None else lr_scale(name, parameter)
            groups.setdefault((parameter.ndim >= 2, scale), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "weight_decay": weight_decay * decays, "lr_scale": scale}
            for (decays, scale), parameters in groups.items()
        ],
        lr=peak_lr,
        betas=(0.9, 0.98),
    )


def linear_maps(model: nn.Module) -> list[Tensor]:
    """Return the matrices of the model's linear layers, which are what Muon trains."""
    return [layer.weight for layer in model.modules() if isinstance(layer, nn.Linear) and layer.weight.requires_grad]


def train(
    model: nn.Module,
    batch_loss: Callable[[nn.Module, tuple[Tensor, ...]], Tensor],
    sample_batch: Callable[[torch.Generator], tuple[Tensor, ...]],
    *,
    n_steps: int,
    peak_lr: float = 3e-3,
    warmup: int = 50,
    weight_decay: float = 0.01,
    max_norm: float = 1.0,
    seed: int = 0,
    evaluate: Callable[[nn.Module], float] | None = None,
    evaluate_every: int = 100,
    label: str = "training",
    device: torch.device | None = None,
    lr_scale: Callable[[str, Tensor], float] | None = None,
    muon_lr: float | None = None,
) -> History:
    """Train `model` in place and return what happened.

    Args:
        model: trained where it stands; moved to `device` and left there, in evaluation mode.
        batch_loss: (model, batch) -> scalar loss.
        sample_batch: draws one batch, a tuple of tensors, with the generator it is given.
        n_steps: optimiser steps; the environment variable COURSE_MAX_STEPS bounds them.
        peak_lr: the highest learning rate.
        warmup: steps of linear rise; at most half of n_steps are used for it.
        weight_decay: AdamW's, on matrices only.
        max_norm: gradients are scaled down to this norm at most (Pascanu et al. 2013).
        seed: of the batches.
        evaluate: model -> number, called every `evaluate_every` steps and after the last, without gradients.
        evaluate_every: steps.
        label: what the progress bar says.
        device: by default `best_device()`.
        lr_scale: (a parameter's name, its first value) -> what its learning rate is multiplied by; None: 1 for all.
        muon_lr: the highest rate of Muon, which then takes the matrices of all linear layers; None: AdamW takes all.

    Raises:
        ValueError: n_steps below 1, or a loss that is not finite.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps is {n_steps}: at least one step is needed.")
    n_steps = min(n_steps, int(os.environ.get(MAX_STEPS, n_steps)))
    device = device or best_device()
    model.to(device).train()
    warmup = max(1, min(warmup, n_steps // 2))
    maps = [] if muon_lr is None else linear_maps(model)
    adamw = make_optimiser(model, peak_lr=peak_lr, weight_decay=weight_decay, lr_scale=lr_scale, without=maps)
    optimisers: dict[torch.optim.Optimizer, float] = {adamw: peak_lr}
    if maps:
        optimisers[Muon(maps, lr=muon_lr)] = muon_lr
    generator = torch.Generator().manual_seed(seed)
    history, started, cpu = History(), time.perf_counter(), 0.0
    with Progress(total=n_steps, desc=label, unit="step") as bar:
        for step in range(n_steps):
            step_started = time.process_time()
            for optimiser, peak in optimisers.items():
                for group in optimiser.param_groups:
                    scale = group.get("lr_scale", 1.0)
                    group["lr"] = scale * learning_rate(step, n_steps, peak=peak, warmup=warmup)
            loss = batch_loss(model, tuple(tensor.to(device) for tensor in sample_batch(generator)))
            history.losses.append(loss.item())
            if not math.isfinite(history.losses[-1]):
                raise ValueError(
                    f"The loss is {history.losses[-1]} at step {step}: try a smaller peak_lr (it is {peak_lr})."
                )
            model.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            for optimiser in optimisers:
                optimiser.step()
            cpu += time.process_time() - step_started
            if evaluate is not None and ((step + 1) % evaluate_every == 0 or step + 1 == n_steps):
                history.evaluated_at.append(step + 1)
                history.evaluations.append(_evaluated(model, evaluate))
                history.cpu_seconds.append(cpu)
            bar.set_postfix(loss=f"{history.losses[-1]:.3f}", refresh=False)
            bar.update()
    model.eval()
    history.seconds = time.perf_counter() - started
    return history


def _evaluated(model: nn.Module, evaluate: Callable[[nn.Module], float]) -> float:
    model.eval()
    with torch.no_grad():
        value = float(evaluate(model))
    model.train()
    return value
