"""The report on one submitted notebook, as the rest of the world reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .submissions import Submission, printable

KEPT = "The marks of an earlier submission stay in the gradebook."


@dataclass
class Entry:
    """One submitted notebook with its marks.

    Args:
        submission: the file.
        score, max: points.
        notes: what was put right or went wrong, for the student.
        exercises: dictionaries with id, score, max, note and checks.
        flags: why an instructor should look at it.
        notebook: the rebuilt submission with our outputs, {} where there is none.
        mode: the sandbox it was run in.
    """

    submission: Submission
    score: float
    max: float
    notes: list[str]
    exercises: list[dict[str, Any]]
    flags: list[str] = field(default_factory=list)
    notebook: dict[str, Any] = field(default_factory=dict)
    mode: str = ""

    @classmethod
    def of(cls, submission: Submission, report: dict[str, Any], mode: str) -> Entry:
        """Return the entry for a judge's report."""
        notes = [*([submission.note] if submission.note else []), *report["notes"]]
        return cls(
            submission,
            report["score"],
            report["max"],
            notes,
            report["exercises"],
            report["flags"],
            report["notebook"] or {},
            mode,
        )

    def public(self) -> dict[str, Any]:
        """Return what a student may read."""
        return {
            "path": printable(str(self.submission.path)),
            "student": self.submission.student,
            "week": self.submission.week,
            "notebook": self.submission.notebook,
            "score": self.score,
            "max": self.max,
            "notes": self.notes,
            "exercises": [
                {
                    **{key: exercise[key] for key in ("id", "score", "max", "note")},
                    "checks": [
                        {key: check[key] for key in ("name", "points", "passed", "hint")}
                        for check in exercise["checks"]
                    ],
                }
                for exercise in self.exercises
            ],
        }

    def for_instructors(self) -> dict[str, Any]:
        """Return the public part with what must not reach students: exception texts, flags, the sandbox's mode."""
        return {**self.public(), "exercises": self.exercises, "flags": self.flags, "sandbox": self.mode}


def to_json(entries: Sequence[Entry], *, details: bool = False) -> str:
    """Return the report on all submissions, sorted by path, as JSON."""
    ordered = sorted(entries, key=lambda entry: str(entry.submission.path))
    documents = [entry.for_instructors() if details else entry.public() for entry in ordered]
    # A line each: json indents in Python, ten times as slowly.
    lines = ",\n".join(json.dumps(document, ensure_ascii=False) for document in documents)
    return f"[\n{lines}\n]\n" if lines else "[]\n"
