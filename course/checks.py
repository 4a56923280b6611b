"""What visible checks use: each prints one short verdict, or raises with what came and what was expected."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

# Wide enough for float32 sums in another order, narrow enough that a forgotten term is seen. Float64 has the same: one
# step in float32 on the way is not what a visible check is about.
TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 2e-3}


def check_equal(actual: Any, expected: Any, what: str, *, cause: str = "") -> None:
    """Say that `actual` equals `expected`, or raise.

    Args:
        actual: what your code gave: a number, a string, a list, a dict, a tensor.
        expected: what it should give.
        what: the claim that is checked, a few words; printed when it holds.
        cause: the likely cause, said when it does not hold.

    Raises:
        AssertionError: with the claim, what came, what was expected and the likely cause.
    """
    if isinstance(expected, Tensor) or isinstance(actual, Tensor):
        expected_tensor = torch.as_tensor(expected)
        same = isinstance(actual, Tensor) and torch.equal(
            actual.detach().cpu().to(expected_tensor.dtype), expected_tensor
        )
    else:
        same = bool(actual == expected)
    _verdict(same, what, actual, expected, cause)


def check_close(
    actual: Tensor | float,
    expected: Tensor | float | Sequence,
    what: str,
    *,
    cause: str = "",
    tolerance: float | None = None,
) -> None:
    """Say that `actual` is as good as equal to `expected`, or raise.

    Args:
        actual: a number or a float tensor of any shape.
        expected: the same, or nested lists of numbers.
        what: the claim that is checked, a few words.
        cause: the likely cause, said when it does not hold.
        tolerance: the largest allowed difference, relative for values above 1; by default one for the dtype.

    Raises:
        AssertionError: with the claim, what came, what was expected and the likely cause.
    """
    if actual is None:
        _verdict(False, what, actual, expected, cause)
    # Python floats not in torch's default dtype: that would round them to float32.
    actual_tensor = torch.as_tensor(actual, dtype=torch.float64 if isinstance(actual, float) else None).detach().cpu()
    expected_tensor = expected if isinstance(expected, Tensor) else torch.as_tensor(expected, dtype=torch.float64)
    expected_tensor = expected_tensor.detach().cpu()
    if actual_tensor.shape != expected_tensor.shape:
        _verdict(False, what, _shape(actual_tensor), _shape(expected_tensor), cause, kind="shape")
    if tolerance is None:
        tolerance = TOLERANCE.get(actual_tensor.dtype, 0.0)
    same = torch.allclose(actual_tensor.double(), expected_tensor.double(), rtol=tolerance, atol=tolerance)
    _verdict(same, what, actual, expected, cause)


def check_shape(actual: Tensor, expected: Sequence[int], what: str, *, cause: str = "") -> None:
    """Say that the tensor `actual` has the shape `expected`, or raise.

    Raises:
        AssertionError: with the claim, both shapes and the likely cause.
    """
    came = tuple(actual.shape) if isinstance(actual, Tensor) else actual
    _verdict(came == tuple(expected), what, came, tuple(expected), cause, kind="shape")


def check_true(condition: bool, what: str, *, cause: str = "") -> None:
    """Say that `condition` holds, or raise.

    Raises:
        AssertionError: with the claim and the likely cause.
    """
    _verdict(bool(condition), what, condition, True, cause)


def _verdict(holds: bool, what: str, actual: Any, expected: Any, cause: str, *, kind: str = "value") -> None:
    if holds:
        print(f"✓ {what}")
        return
    lines = [f"✗ {what}"]
    if actual is not True and actual is not False:
        came, wanted = _shown(actual), _shown(expected)
        if came == wanted:  # they differ further behind
            came, wanted = _shown(actual, digits=12), _shown(expected, digits=12)
        lines += [f"  your {kind}: {came}", f"  expected:{' ' * (len(kind) - 4)} {wanted}"]
    reason = _guess(actual, expected, kind) or cause
    if reason:
        lines.append(f"  likely cause: {reason}")
    raise AssertionError("\n".join(lines))


def _guess(actual: Any, expected: Any, kind: str) -> str:
    """Return the cause that the two values give away by themselves, or an empty string."""
    if actual is None:
        return "your function returned nothing. Is there a `return`?"
    if kind == "shape":
        if sorted(map(str, actual)) == sorted(map(str, expected)) and len(actual) > 1:
            return "the sizes are right, but two axes have changed places."
        return ""
    try:
        came, wanted = torch.as_tensor(actual).double(), torch.as_tensor(expected).double()
    except (TypeError, ValueError, RuntimeError):
        return ""
    if came.shape != wanted.shape or not wanted.abs().sum() > 0:
        return ""
    dtype = torch.as_tensor(actual).dtype
    if not dtype.is_floating_point and bool((wanted != wanted.round()).any()):
        return f"the dtype {dtype} holds whole numbers only. Compute in floats."
    if torch.isnan(came).any():
        return "there is a NaN: look for 0/0, log(0) or inf - inf."
    factors = {-1.0: "the sign is turned round.", 1 / math.log(2): "that is log2; the natural logarithm is asked for."}
    for factor, reason in factors.items():
        if torch.allclose(came, wanted * factor, rtol=1e-5, atol=0):
            return reason
    return ""


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)


def _shown(value: Any, *, digits: int = 6) -> str:
    """Return `value` as a person would write it, at most 300 characters."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().tolist()
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if isinstance(value, list) and value and isinstance(value[0], float | list):
        text = "[" + ", ".join(_shown(item, digits=digits) for item in value) + "]"
    elif isinstance(value, Mapping):
        text = str(dict(value))
    else:
        text = str(value)
    return text if len(text) <= 300 else text[:297] + "..."
