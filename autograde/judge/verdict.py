"""From a failed test to the sentence a student reads and the detail an instructor reads."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, replace

from ..rubric import Check, Mismatch, StudentDied, StudentError, StudentTimeout

MAX_DETAIL_CHARS = 3_000
TORCH_ERRORS = frozenset({"OutOfMemoryError", "LinAlgError", "AcceleratorError"})
BUILTIN_ERRORS = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)
NOT_ANSWERED = "Not answered yet."


@dataclass(frozen=True)
class Verdict:
    """What became of one check.

    Args:
        check: its name, points and hint.
        passed: whether all its cases passed.
        hint: what the student reads, "" where it passed.
        detail: what happened, for the instructor: it may repeat hidden inputs.
        event: "died" or "timed out" where the student's process came to grief.
        diagnosed: whether the hint names a mistake that was recognised by its value, and not just what is expected.
    """

    check: Check
    passed: bool
    hint: str = ""
    detail: str = ""
    event: str = ""
    diagnosed: bool = False


def verdict(check: Check, exercise: str, error: BaseException | None, detail: str = "") -> Verdict:
    """Return the verdict on a check whose test raised `error`, None for a test that passed."""
    if error is None:
        return Verdict(check, True)
    if isinstance(error, StudentError) and error.traceback:
        detail = f"{error.kind}: {error.message}\n{error.traceback}"
    event = "timed out" if isinstance(error, StudentTimeout) else "died" if isinstance(error, StudentDied) else ""
    diagnosed = isinstance(error, Mismatch) and error.misconception
    return Verdict(check, False, _sentence(check, exercise, error), detail[-MAX_DETAIL_CHARS:], event, diagnosed)


def soften(verdicts: list[Verdict]) -> list[Verdict]:
    """Return the verdicts with hints that do not accuse twice: others may fail for the mistake that one recognised.

    A hint of the check's own says what is expected; beside a recognised mistake it would read as a second accusation.
    """
    if not any(verdict.diagnosed for verdict in verdicts):
        return verdicts
    return [
        verdict
        if verdict.passed or verdict.diagnosed or verdict.hint == NOT_ANSWERED
        else replace(verdict, hint=f"Perhaps for the same reason; if not: {verdict.hint}")
        for verdict in verdicts
    ]


def _sentence(check: Check, exercise: str, error: BaseException) -> str:
    match error:
        case Mismatch(misconception=True):
            return error.sentence
        case Mismatch(sentence=sentence) if sentence:
            return f"{sentence} {check.hint}"
        case StudentError(kind="NotImplementedError"):
            return NOT_ANSWERED
        case StudentError(kind="NotDefined"):
            return (
                f"{exercise} is not defined. Run your cell, read its error, and keep the name that the exercise gives."
            )
        case StudentError(kind="UnsupportedValue"):
            return f"Your code returned something that is no number, tensor or other plain data here. {check.hint}"
        case StudentError():
            known = error.kind in BUILTIN_ERRORS | TORCH_ERRORS
            return f"Your code stopped with {error.kind if known else 'an error'} here. {check.hint}"
        case StudentTimeout():
            return f"Your code did not finish in time here. {check.hint}"
        case StudentDied():
            return f"Your code ended the process it ran in. {check.hint}"
    return check.hint
