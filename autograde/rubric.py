"""What hidden tests are written with: points and hints, and comparisons that say which mistake they met.

Everything that a student may read is a sentence written here or in a hidden test. Values never enter a sentence: they
would give a hidden input away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Number
from typing import Any, TypeVar

import numpy as np
import torch

Test = TypeVar("Test", bound=Callable[..., None])

# Relative tolerance by dtype: what honest reorderings of a sum of some thousand terms cost, with room to spare. Float64
# has room for one step in float32, such as `torch.sqrt(torch.tensor(K))`: that is right, only less exact.
RELATIVE_TOLERANCE = {
    torch.float64: 1e-6,
    torch.complex128: 1e-6,
    torch.float32: 1e-5,
    torch.complex64: 1e-5,
    torch.float16: 1e-2,
    torch.bfloat16: 2e-2,
}
# For values that should be exactly zero there is no scale to be relative to.
ZERO_TOLERANCE = {torch.float64: 1e-9, torch.complex128: 1e-9, torch.float32: 1e-6, torch.complex64: 1e-6}


class StudentError(Exception):
    """The student's code raised.

    Args:
        kind: the class name of the exception, such as "ValueError".
        message: its text; for the instructor only, since it may repeat a hidden input.
        traceback: where it was raised; for the instructor only.
    """

    def __init__(self, kind: str, message: str = "", traceback: str = "") -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind, self.message, self.traceback = kind, message, traceback


class StudentTimeout(Exception):
    """The student's code did not answer within the time limit."""


class StudentDied(Exception):
    """The student's process ended, or answered with something that is not an answer."""


class Mismatch(AssertionError):
    """A value is not what was expected.

    Args:
        sentence: what is wrong, for the student, or "".
        misconception: True where the sentence names a known mistake and stands in place of the check's own hint;
            otherwise it stands before that hint.
    """

    def __init__(self, sentence: str = "", *, misconception: bool = False) -> None:
        super().__init__(sentence or "the value is not the expected one")
        self.sentence, self.misconception = sentence, misconception


@dataclass(frozen=True)
class Check:
    """What one hidden test is worth and what a student reads when it fails."""

    name: str
    points: float
    hint: str


def check(name: str, *, points: float, hint: str) -> Callable[[Test], Test]:
    """Return a decorator that turns a test function into a graded check.

    Args:
        name: what the check asks, as the student reads it: "never joins documents".
        points: what passing it is worth; an exercise's checks add up to the exercise's points. A parametrised check is
            worth its points once, and passes only if all its cases pass.
        hint: one or two sentences that name the likely mistake; no hidden input in them.
    """
    if not name.strip() or not hint.strip():
        raise ValueError("A check needs a name and a hint: both are what its student reads.")
    if not (math.isfinite(points) and points > 0):
        raise ValueError(f"The check {name!r} is worth {points} points; give it more than 0.")

    def bind(test: Test) -> Test:
        test.check = Check(name, float(points), hint)  # type: ignore[attr-defined]
        return test

    return bind


def expect_close(
    actual: Any,
    expected: Any,
    *,
    misconceptions: Mapping[str, Any] | None = None,
    axes: str | None = None,
    check_dtype: bool = False,
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """Return nothing if the student's value is the expected one up to rounding; raise `Mismatch` if not.

    Looks at kind, shape, dtype and values, in this order. Where a number is expected, a Python number, a tensor without
    axes and a numpy scalar are all fine; where a tensor is expected, a numpy array is.

    Args:
        actual: what the student's code gave.
        expected: a tensor, an array, a number, or a list, tuple or dict of these.
        misconceptions: from a sentence for the student to the value that this mistake gives (or a function without
            arguments that makes it); looked through after any mismatch.
        axes: the letters of the expected tensor's axes, "B T H", for the sentence about a wrong shape.
        check_dtype: whether a float result must have the expected width; ask for it in one check, so that one slip is
            paid for once. Booleans, integers and floats are told apart anyway; for integers any width will do.
        rtol: relative tolerance; by default from the coarser of both dtypes (float64 1e-6, float32 1e-5, half 1e-2, the
            last only where a half is expected).
        atol: absolute tolerance; by default rtol times the largest expected magnitude.
    """

    def compare(value: Any, to: Any) -> str | None:
        return _difference(value, to, axes=axes, check_dtype=check_dtype, rtol=rtol, atol=atol)

    _conclude(compare, actual, expected, misconceptions)


def expect_equal(actual: Any, expected: Any, *, misconceptions: Mapping[str, Any] | None = None) -> None:
    """Return nothing if the student's plain data equal the expected; raise `Mismatch` if not.

    A list is not a tuple; numpy scalars and tensors without axes count as numbers; tensors and arrays must agree in
    shape and in every entry. A `Counter` equals a `dict` with the same entries.

    Args:
        actual: what the student's code gave.
        expected: plain data: numbers, strings, lists, tuples, dicts, sets, None, tensors.
        misconceptions: as for `expect_close`.
    """
    _conclude(_inequality, actual, expected, misconceptions)


def _conclude(
    compare: Callable[[Any, Any], str | None], actual: Any, expected: Any, misconceptions: Mapping[str, Any] | None
) -> None:
    """Raise the `Mismatch` that fits best, if there is one. `compare` returns None, or a sentence that may be empty."""
    problem = compare(actual, expected)
    if problem is None:
        return
    for sentence, wrong in (misconceptions or {}).items():
        if compare(actual, wrong() if callable(wrong) else wrong) is None:
            raise Mismatch(sentence, misconception=True)
    raise Mismatch(problem)


def _difference(actual: Any, expected: Any, **how: Any) -> str | None:
    """Return None where both are close, else a sentence about kind, shape or dtype, or "" where only values differ."""
    if isinstance(expected, Mapping):
        return _dict_difference(actual, expected, **how)
    if isinstance(expected, list | tuple):
        if isinstance(actual, torch.Tensor | np.ndarray) and all(_is_number(entry) for entry in expected):
            actual = list(actual)
        if not isinstance(actual, list | tuple):
            return f"{len(expected)} values are expected, as a tuple or a list."
        if len(actual) != len(expected):
            # Not how many came: a length that the student chose could carry a hidden input into the sentence.
            return (
                f"{len(expected)} values are expected, yours are {'more' if len(actual) > len(expected) else 'fewer'}."
            )
        return _first(_difference(a, e, **how) for a, e in zip(actual, expected, strict=True))
    if _is_number(expected) and not (isinstance(expected, torch.Tensor | np.ndarray) and how["axes"]):
        return _number_difference(actual, expected, rtol=how["rtol"], atol=how["atol"])
    return _tensor_difference(actual, torch.as_tensor(expected), **how)


def _dict_difference(actual: Any, expected: Mapping[Any, Any], **how: Any) -> str | None:
    if not isinstance(actual, Mapping):
        return "A dictionary is expected."
    if set(actual) != set(expected):
        return "The dictionary does not have the expected keys."
    return _first(_difference(actual[key], value, **how) for key, value in expected.items())


def _first(problems: Any) -> str | None:
    return next((problem for problem in problems if problem is not None), None)


def _is_number(value: Any) -> bool:
    if isinstance(value, torch.Tensor | np.ndarray):
        return value.ndim == 0
    return isinstance(value, Number | np.number | np.bool_)


def _number_difference(actual: Any, expected: Any, *, rtol: float | None, atol: float | None) -> str | None:
    if not _is_number(actual):
        return "A single number is expected."
    precisions = [precision for value in (actual, expected) if (precision := _precision(value))]
    if not precisions:
        return None if _plain(actual) == _plain(expected) else ""
    coarse = _coarser(precisions, _precision(expected))
    left, right = (torch.tensor(_as_float(value), dtype=torch.float64) for value in (actual, expected))
    return "" if _far(left, right, coarse, rtol=rtol, atol=atol) else None


def _precision(value: Any) -> torch.dtype | None:
    """Return the float dtype that a number carries, None for an integer. A Python float is float64."""
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        dtype = torch.as_tensor(value).dtype
    else:
        dtype = torch.float64 if isinstance(value, float) else torch.int64
    return dtype if dtype.is_floating_point else None


def _coarser(dtypes: list[torch.dtype], expected: torch.dtype | None) -> torch.dtype:
    """Return the dtype whose tolerance holds. A half counts only where one is expected: it would buy 2% of slack."""
    return max(
        (dtype if dtype == expected or RELATIVE_TOLERANCE[dtype] <= 1e-5 else torch.float32 for dtype in dtypes),
        key=RELATIVE_TOLERANCE.__getitem__,
    )


def _as_float(value: Any) -> float:
    try:
        return float(value.item() if isinstance(value, torch.Tensor | np.ndarray) else value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _tensor_difference(
    actual: Any, expected: torch.Tensor, *, axes: str | None, check_dtype: bool, rtol: float | None, atol: float | None
) -> str | None:
    if isinstance(actual, np.ndarray | np.generic):
        actual = torch.as_tensor(actual)
    if not isinstance(actual, torch.Tensor):
        return "A tensor is expected."
    if actual.shape != expected.shape:
        return f"The shape is wrong: [{', '.join(axes.split())}] is expected." if axes else "The shape is wrong."
    if problem := _dtype_difference(actual.dtype, expected.dtype, check_width=check_dtype):
        return problem
    if not (expected.dtype.is_floating_point or expected.dtype.is_complex):
        return None if torch.equal(actual.to(expected.dtype), expected) else ""
    known = [dtype for dtype in (actual.dtype, expected.dtype) if dtype in RELATIVE_TOLERANCE]
    coarse = _coarser(known, expected.dtype)
    wide = torch.complex128 if expected.dtype.is_complex else torch.float64
    if actual.dtype.is_complex and not expected.dtype.is_complex:
        return "Real numbers are expected."
    return "" if _far(actual.detach().to(wide), expected.detach().to(wide), coarse, rtol=rtol, atol=atol) else None


def _dtype_difference(actual: torch.dtype, expected: torch.dtype, *, check_width: bool) -> str | None:
    if actual == expected:
        return None
    if expected == torch.bool:
        return "A tensor of booleans is expected."
    if expected.is_floating_point or expected.is_complex:
        return "The dtype is wrong: a result keeps the dtype of the inputs." if check_width else None
    if actual == torch.bool or actual.is_floating_point or actual.is_complex:
        return "A tensor of integers is expected."
    return None


def _far(
    actual: torch.Tensor, expected: torch.Tensor, dtype: torch.dtype, *, rtol: float | None, atol: float | None
) -> bool:
    rtol = RELATIVE_TOLERANCE[dtype] if rtol is None else rtol
    if atol is None:
        finite = expected[torch.isfinite(expected)].abs()
        scale = float(finite.max()) if finite.numel() else 0.0
        atol = rtol * scale if scale else ZERO_TOLERANCE.get(dtype, 1e-3)
    return not bool(torch.isclose(actual, expected, rtol=rtol, atol=atol).all())


def _inequality(actual: Any, expected: Any) -> str | None:
    """Return None where both are equal, else a sentence about the kind of value, or "" where only contents differ."""
    if isinstance(expected, torch.Tensor | np.ndarray) and expected.ndim:
        return _tensor_difference(actual, torch.as_tensor(expected), axes=None, check_dtype=True, rtol=0.0, atol=0.0)
    if isinstance(expected, Mapping):
        return _dict_inequality(actual, expected)
    for kind, name in ((list, "list"), (tuple, "tuple"), (set | frozenset, "set"), (str, "string")):
        if isinstance(expected, kind):
            if not isinstance(actual, kind):
                return f"A {name} is expected."
            if kind in (list, tuple):
                if len(actual) != len(expected):
                    return ""
                return _first(_inequality(a, e) for a, e in zip(actual, expected, strict=True))
            return None if actual == expected else ""
    if _is_number(expected) and _is_number(actual):
        return None if _plain(actual) == _plain(expected) else ""
    return None if type(actual) is type(expected) and actual == expected else ""


def _dict_inequality(actual: Any, expected: Mapping[Any, Any]) -> str | None:
    if not isinstance(actual, Mapping):
        return "A dictionary is expected."
    if set(actual) != set(expected):
        return ""
    return _first(_inequality(actual[key], value) for key, value in expected.items())


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, torch.Tensor | np.ndarray | np.generic) else value
