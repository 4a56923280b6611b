"""Fine-tuning an encoder on labelled stories, and what it is compared with.

B batch, T length, D model width, V vocabulary, C classes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from course.blocks.masked_lm import MaskedLM
from course.labels import IGNORED, Labelled
from course.training import MAX_STEPS, learning_rate, make_optimiser, seeded

BATCH = 16


class HiddenStates(nn.Module):
    """A masked language model without its head: (ids [B,T], mask [B,T]) -> hidden vectors [B,T,D].

    Args:
        model: what it looks into; its weights are shared, not copied.
    """

    def __init__(self, model: MaskedLM) -> None:
        super().__init__()
        self.model = model
        for part in (model.dense, model.norm):  # the language model's head: no gradient reaches it from here
            part.requires_grad_(False)
        model.bias.requires_grad_(False)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.model.encode(ids, mask)


class WordClassifier(nn.Module):
    """A class for each token: an encoder and one linear map.

    Args:
        encoder: (ids [B,T], mask [B,T]) -> hidden vectors [B,T,D].
        d_model: D.
        n_classes: C.
    """

    def __init__(self, encoder: nn.Module, d_model: int, n_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(d_model, n_classes)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return logits [B,T,C]."""
        return self.head(self.encoder(ids, mask))


def fine_tune(
    model: nn.Module,
    data: Labelled,
    *,
    n_steps: int,
    peak_lr: float = 1e-3,
    seed: int = 0,
    lr_scale: Callable[[str, Tensor], float] | None = None,
) -> list[float]:
    """Train a classifier in place, its encoder with it, and return the loss of each step in nats.

    Args:
        model: (ids [B,T], mask [B,T]) -> logits [B,C], or [B,T,C] where the labels stand at tokens.
        data: labelled stories; they are gone through again and again, each time in another order, of which
            what does not fill a batch is left out.
        n_steps: optimiser steps on 16 stories each; the environment variable COURSE_MAX_STEPS bounds them.
        peak_lr: the highest learning rate.
        seed: of the order.
        lr_scale: as for `course.training.train`.

    Raises:
        ValueError: n_steps below 1.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps is {n_steps}: at least one step is needed.")
    n_steps = min(n_steps, int(os.environ.get(MAX_STEPS, n_steps)))
    optimiser, losses = make_optimiser(model, peak_lr=peak_lr, weight_decay=0.01, lr_scale=lr_scale), []
    generator, waiting = torch.Generator().manual_seed(seed), torch.empty(0, dtype=torch.long)
    model.train()
    for step in range(n_steps):
        for group in optimiser.param_groups:
            group["lr"] = group["lr_scale"] * learning_rate(step, n_steps, peak=peak_lr, warmup=max(1, n_steps // 10))
        if len(waiting) < min(BATCH, len(data)):
            waiting = torch.randperm(len(data), generator=generator)
        batch, waiting = data.take(waiting[:BATCH]), waiting[BATCH:]
        width = int(batch.mask.sum(1).max())
        loss = _loss(model(batch.ids[:, :width], batch.mask[:, :width]), batch.labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
    model.eval()
    return losses


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.ndim == 2:
        labels = labels[:, : logits.shape[1]]
    return functional.cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=IGNORED)


@torch.no_grad()
def in_batches(model: nn.Module, data: Labelled, *, batch: int = 250) -> Tensor:
    """Return what the model gives for all stories, [N,...], computed without gradients and a few at a time."""
    return torch.cat([model(data.ids[n : n + batch], data.mask[n : n + batch]) for n in range(0, len(data), batch)])


def word_counts(data: Labelled, vocab_size: int) -> Tensor:
    """Return how often each word stands in each story, float [N,V]: a bag of words. Padding does not count."""
    counts = torch.zeros(len(data), vocab_size)
    return counts.scatter_add_(1, data.ids, data.mask.float())


def fit_head(features: Tensor, labels: Tensor, n_classes: int, *, decay: float = 1e-3, n_steps: int = 60) -> nn.Linear:
    """Return the linear map that predicts labels best: logistic regression, to its minimum with L-BFGS.

    Args:
        features: float [N,F], fixed.
        labels: long [N].
        n_classes: C.
        decay: weight of the squared norm of the map for features of variance 1, so that few labels do not suffice to
            make it arbitrarily sure.
        n_steps: iterations of L-BFGS at most.

    Returns:
        `nn.Linear` from F to C, which takes features as they came: their mean and variance over the N are folded in.
    """
    mean, std = features.mean(0), features.std(0, correction=0).clamp(min=1e-3)
    scaled = (features - mean) / std
    weight, bias = torch.zeros(n_classes, features.shape[1], requires_grad=True), torch.zeros(n_classes)
    bias.requires_grad_()
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=n_steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = functional.cross_entropy(scaled @ weight.T + bias, labels) + decay * weight.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    with seeded(0), torch.no_grad():
        head = nn.Linear(features.shape[1], n_classes)
        head.weight.copy_(weight / std)
        head.bias.copy_(bias - (weight / std) @ mean)
    return head.requires_grad_(False)


def learning_curve(
    score: Callable[[Tensor, int], float],
    n_labels: Sequence[int],
    n_stories: int,
    *,
    n_seeds: int = 5,
    tick: Callable[[], object] = lambda: None,
) -> list[tuple[float, float]]:
    """Return, for each number of labels, the mean score over seeds and half the width of its 95% interval.

    Args:
        score: (rows, seed) -> number: what is achieved with the labels of these stories.
        n_labels: how many stories are labelled, for each point of the curve.
        n_stories: there are to choose from; a seed chooses the same stories for every reader, and few out of many.
        n_seeds: from 2 to 10.
        tick: called after each score, for a progress bar.
    """
    curve = []
    for n in n_labels:
        scores = []
        for seed in range(n_seeds):
            order = torch.randperm(n_stories, generator=torch.Generator().manual_seed(seed))
            scores.append(score(order[:n], seed))
            tick()
        curve.append(mean_and_interval(scores))
    return curve


def hide_words(data: Labelled, rates: Tensor, mask_id: int, *, keep: Sequence[int], seed: int = 0) -> Labelled:
    """Return the stories with words replaced by [MASK], each word by itself with its story's rate.

    Args:
        data: labelled stories; not changed.
        rates: float [N], probabilities.
        mask_id: of [MASK].
        keep: ids that are never hidden, such as [BOS] and [EOS].
        seed: of the choice. The same seed with higher rates hides the same words and more.
    """
    chance = torch.rand(data.ids.shape, generator=torch.Generator().manual_seed(seed))
    hidden = (chance < rates[:, None]) & data.mask & ~torch.isin(data.ids, torch.tensor(list(keep)))
    return replace(data, ids=data.ids.masked_fill(hidden, mask_id))


def mean_and_interval(values: list[float]) -> tuple[float, float]:
    """Return (mean, half the width of its 95% interval) over seeds, with Student's t: few values are less certain.

    Raises:
        ValueError: fewer than 2 or more than 10 values.
    """
    t_by_n = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
    if len(values) not in t_by_n:
        raise ValueError(f"{len(values)} values came; an interval is made of 2 to 10.")
    spread = torch.tensor(values, dtype=torch.float64)
    return float(spread.mean()), t_by_n[len(values)] * float(spread.std()) / len(values) ** 0.5
