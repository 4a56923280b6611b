"""What the judge says about a submission, in data, and in the notebook that nbgrader reads. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..submission import Notebook, checked_exercise, exercises_of, rebuild


@dataclass
class CellResult:
    """What came of one cell: an exception's class name ("" for none), its text, and what was printed."""

    error: str = ""
    message: str = ""
    output: str = ""


@dataclass
class ExerciseReport:
    """One exercise of one submission; `note` and the checks' hints are for the student, their details are not."""

    id: str
    score: float
    max: float
    note: str = ""
    checks: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Report:
    """What grading a submission's bytes gives, without whose it is.

    Args:
        score, max: points.
        notes: what was put right or went wrong, for the student.
        exercises: in the notebook's order.
        flags: why an instructor should look at it: "died", "timed out", "unreadable".
        notebook: the rebuilt submission with our outputs, for nbgrader.
    """

    score: float
    max: float
    notes: list[str]
    exercises: list[ExerciseReport]
    flags: list[str] = field(default_factory=list)
    notebook: Notebook | None = None

    def as_plain(self) -> dict[str, Any]:
        """Return the report as plain data; `dataclasses.asdict` would copy every line of the notebook."""
        return {**vars(self), "exercises": [vars(exercise) for exercise in self.exercises]}


def zero(release: Notebook, reason: str, flag: str) -> Report:
    """Return the report on a submission that could not be graded."""
    exercises = [ExerciseReport(exercise, 0.0, points, reason) for exercise, points in exercises_of(release).items()]
    maximum = round(sum((exercise.max for exercise in exercises), 0.0), 9)
    return Report(0.0, maximum, [reason], exercises, [flag], with_outputs(rebuild(release, []).notebook, exercises, {}))


def with_outputs(notebook: Notebook, exercises: Sequence[ExerciseReport], results: dict[int, CellResult]) -> Notebook:
    """Return the notebook with what its cells printed and, at each check cell, the marks as nbgrader reads them."""
    reports = {report.id: report for report in exercises}
    for place, cell in enumerate(notebook["cells"]):
        # Marks first: of a check cell at which the process could not be copied there is a result too.
        if (exercise := checked_exercise(cell)) in reports:
            cell["outputs"] = _marks(reports[exercise])
        elif place in results:
            cell["outputs"] = _outputs(results[place])
    return notebook


def _outputs(result: CellResult) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = []
    if result.output:
        outputs.append({"output_type": "stream", "name": "stdout", "text": result.output})
    if result.error:
        text = f"{result.error}: {result.message}"
        outputs.append({"output_type": "error", "ename": result.error, "evalue": result.message, "traceback": [text]})
    return outputs


def _marks(report: ExerciseReport) -> list[dict[str, Any]]:
    lines = [f"{report.score:g} of {report.max:g} points"]
    lines += [f"  {'passed' if check['passed'] else 'failed'}: {check['name']}" for check in report.checks]
    lines += [f"          {check['hint']}" for check in report.checks if check["hint"]]
    lines += [report.note] if report.note else []
    mark = {"output_type": "execute_result", "metadata": {}, "execution_count": None}
    return [
        {"output_type": "stream", "name": "stdout", "text": "\n".join(lines) + "\n"},
        {**mark, "data": {"text/plain": repr(report.score)}},
    ]
