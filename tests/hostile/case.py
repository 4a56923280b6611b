"""What a hostile or odd submission is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

FULL = {"count_ngrams": 2.0, "softmax": 3.0, "attend": 2.0, "Scale": 2.0, "draw": 1.0}
NOTHING = dict.fromkeys(FULL, 0.0)

Notebook = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One submission: the right answers, except for what is said here.

    Args:
        does: what it does.
        why: why what comes of it is right.
        answers: sources of answer cells by exercise.
        before, after: the sources of cells that the student added at the top and at the bottom.
        edit: what is done to the notebook then; gives a notebook, or the file's bytes.
        marks: the points of the exercises that do not get full marks.
        shown: a text that stands in what its own cells printed, or in its notes.
        folder: the student's name in the report, by default the case's name.
        folder_on_disk: the bytes of the folder's name, where they are no UTF-8.
    """

    does: str
    why: str
    answers: Mapping[str, str] = field(default_factory=dict)
    before: str = ""
    after: str = ""
    edit: Callable[[Notebook], Notebook | bytes] | None = None
    marks: Mapping[str, float] = field(default_factory=dict)
    shown: str = ""
    folder: str = ""
    folder_on_disk: bytes = b""


def added(source: str, number: int) -> Notebook:
    """Return a code cell of the student's own."""
    return {
        "cell_type": "code",
        "id": f"own-{number}",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }
