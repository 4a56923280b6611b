"""Muon: an optimiser for the matrices inside a network, whose steps are as long in every direction."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

# The polynomial of Jordan et al. 2024: five rounds bring singular values from 0.01 to 1 near 1, where few of them are.
CUBIC_AND_QUINTIC = (3.4445, -4.7750, 2.0315)


class Muon(Optimizer):
    """Steps along the nearest orthogonal matrix to the averaged gradient (Jordan et al. 2024).

    A gradient of a weight matrix has a few large singular values and many small ones. Here all directions are stepped
    along alike, and so what seldom matters is learned as quickly as what matters in every batch. For matrices between
    hidden vectors only: embeddings, biases and norms are left to AdamW.

    Args:
        matrices: parameters of two axes.
        lr: the step; with 0.01 no direction of a square matrix changes by much more than 0.01.
        momentum: share of the old average that is kept at each step.

    Raises:
        ValueError: a parameter that is no matrix.
    """

    def __init__(self, matrices: Iterable[Tensor], *, lr: float, momentum: float = 0.95) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum})
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim != 2:
                    raise ValueError(f"Muon takes matrices, but one parameter has the shape {tuple(parameter.shape)}.")

    @torch.no_grad()
    def step(self) -> None:
        """Change every matrix that has a gradient; those of one shape are worked on together."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape.setdefault(parameter.shape, []).append(parameter)
            for (n_rows, n_columns), alike in by_shape.items():
                directions = orthogonalised(torch.stack([self._averaged(p, group["momentum"]) for p in alike]))
                length = group["lr"] * max(1.0, n_rows / n_columns) ** 0.5
                for parameter, direction in zip(alike, directions, strict=True):
                    parameter.add_(direction, alpha=-length)

    def _averaged(self, parameter: Tensor, momentum: float) -> Tensor:
        """Return the gradient mixed with its running mean, which is brought up to date first (Nesterov)."""
        state = self.state[parameter]
        mean = state.setdefault("mean", torch.zeros_like(parameter))
        mean.lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(mean, momentum)


def orthogonalised(matrices: Tensor, *, n_rounds: int = 5) -> Tensor:
    """Return U V^T, roughly, for matrices U S V^T: the same singular vectors, all singular values near 1.

    Args:
        matrices: float [N,R,C].
        n_rounds: of the Newton-Schulz iteration, which needs products of matrices only and no decomposition.
    """
    first, third, fifth = CUBIC_AND_QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(n_rounds):
        square = x @ x.mT
        x = first * x + (third * square + fifth * square @ square) @ x
    return x.mT if tall else x
