"""Gradients across the boundary: a function whose value and whose vector-Jacobian product are computed elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

Forward = Callable[[tuple[Any, ...], dict[str, Any]], Any]
Backward = Callable[[tuple[Any, ...], dict[str, Any], list[torch.Tensor]], list[torch.Tensor | None]]


def differentiable(forward: Forward, backward: Backward) -> Callable[..., Any]:
    """Return a function that autograd can go through once.

    Args:
        forward: gives the value for (args, kwargs); tensors arrive detached, the value may nest tensors in tuples,
            lists and dicts.
        backward: gives, for (args, kwargs, one cotangent for each float tensor in the value), one gradient for each
            float tensor in the arguments, None standing for zero.
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        leaves, arguments = tree_flatten((args, kwargs))
        places = [place for place, leaf in enumerate(leaves) if is_float_tensor(leaf)]
        plain = [leaf.detach() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        plain_args, plain_kwargs = tree_unflatten(plain, arguments)
        outputs: list[Any] = []

        class Elsewhere(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *_: torch.Tensor) -> tuple[torch.Tensor, ...]:
                outputs.append(forward(plain_args, plain_kwargs))
                return tuple(leaf for leaf in tree_flatten(outputs[0])[0] if is_float_tensor(leaf))

            @staticmethod
            @torch.autograd.function.once_differentiable
            def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[torch.Tensor, ...]:
                gradients = backward(plain_args, plain_kwargs, list(cotangents))
                return tuple(
                    torch.zeros_like(plain[place]) if gradient is None else gradient
                    for place, gradient in zip(places, gradients, strict=True)
                )

        tracked = iter(Elsewhere.apply(*(leaves[place] for place in places)))
        found, shape = tree_flatten(outputs[0])
        return tree_unflatten([next(tracked) if is_float_tensor(leaf) else leaf for leaf in found], shape)

    return function


def vector_jacobian_product(
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], cotangents: Sequence[torch.Tensor]
) -> list[torch.Tensor | None]:
    """Return one gradient, or None for none, for each float tensor in the arguments, in the order of the tree's leaves.

    Args:
        function: called with fresh leaves in place of the float tensors.
        args, kwargs: its arguments.
        cotangents: one for each float tensor in its value.
    """
    leaves, arguments = tree_flatten((tuple(args), kwargs))
    leaves = [leaf.detach().clone().requires_grad_(True) if is_float_tensor(leaf) else leaf for leaf in leaves]
    new_args, new_kwargs = tree_unflatten(leaves, arguments)
    with torch.enable_grad():
        value = function(*new_args, **new_kwargs)
    inputs = [leaf for leaf in leaves if is_float_tensor(leaf)]
    outputs = [leaf for leaf in tree_flatten(value)[0] if is_float_tensor(leaf)]
    pairs = [(output, cotangent) for output, cotangent in zip(outputs, cotangents, strict=True) if output.requires_grad]
    if not pairs or not inputs:
        return [None] * len(inputs)
    # A scalar with the same gradient: with cotangents of its own, torch imports sympy for a third of a second.
    with torch.enable_grad():
        weighted = [
            torch.real(output * cotangent.reshape(output.shape).conj()).double().sum() for output, cotangent in pairs
        ]
        return list(torch.autograd.grad(sum(weighted), inputs, allow_unused=True))


def is_float_tensor(value: Any) -> bool:
    """Return whether a value is a tensor that can carry a gradient."""
    return isinstance(value, torch.Tensor) and (value.dtype.is_floating_point or value.dtype.is_complex)
