"""The stored results: read, checked against their hash and against the settings, and put into columns.

`data/experiments/README.md` says what each number is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from course.stories import MANIFEST, CorpusError, read_file
from course.three_objectives.settings import OBJECTIVES, Settings

EXPERIMENTS = Path(__file__).resolve().parent.parent.parent / "data" / "experiments"
FILE = EXPERIMENTS / "three_objectives.json"
Number = float | None


@dataclass(frozen=True)
class Measure:
    """Something that the three are compared by.

    Attributes:
        name: as it stands in figures.
        where: its place in a run.
        more_is_better: False for losses.
        random: the place of the same number for a model that was not pretrained; empty where there is none.
        guess: the share that guessing gets; None where that is next to nothing.
    """

    name: str
    where: tuple[str, ...]
    more_is_better: bool = True
    random: tuple[str, ...] = ()
    guess: float | None = None


LOSSES = (
    Measure("loss", ("loss",), more_is_better=False),
    Measure("gap to the floor", ("gap",), more_is_better=False),
)
TASKS = (
    Measure("sentiment, 50 labels", ("sentiment", "50", "pretrained"), random=("sentiment", "50", "random"), guess=0.5),
    Measure(
        "sentiment, 500 labels", ("sentiment", "500", "pretrained"), random=("sentiment", "500", "random"), guess=0.5
    ),
    Measure(
        "sense, 500 labels", ("sense", "500", "pretrained", "all"), random=("sense", "500", "random", "all"), guess=0.5
    ),
    Measure("gaps filled", ("filled", "possible")),
    Measure("stories written", ("written", "possible")),
    Measure("summaries", ("summary",)),
    Measure(
        "sentences in Korean",
        ("translation", "pretrained", "sentences"),
        random=("translation", "random", "sentences"),
    ),
    Measure("senses in Korean", ("translation", "pretrained", "senses"), random=("translation", "random", "senses")),
)
MEASURES = LOSSES + TASKS


@dataclass(frozen=True)
class Results:
    """Runs of several objectives and seeds.

    Attributes:
        settings: what they have in common.
        runs: one dict each, in the order in which they were made; each has a "gap" beside its loss and floor.
    """

    settings: Settings
    runs: list[dict[str, object]]

    @classmethod
    def load(cls, path: Path = FILE) -> Results:
        """Return the stored comparison.

        Raises:
            CorpusError: the file is missing, was altered, or was made with other settings than the code's.
        """
        found = json.loads(read_file(path.parent, path.name))
        settings = Settings()
        if found["settings"] != settings.as_plain():
            raise CorpusError(f"{path} was made with other settings: run `python -m course.three_objectives`.")
        return cls(settings, found["runs"])

    def of(self, objective: str) -> list[dict[str, object]]:
        """Return the runs of one objective, by seed."""
        return sorted((run for run in self.runs if run["objective"] == objective), key=lambda run: run["seed"])

    def values(self, objective: str, *where: str) -> list[Number]:
        """Return one number a seed: `values("span", "sentiment", "50", "pretrained")`; None where a family cannot."""
        return [_look_up(run, where) for run in self.of(objective)]

    def mean(self, objective: str, *where: str) -> Number:
        """Return the mean over seeds, None where the family cannot do it."""
        values = self.values(objective, *where)
        return None if any(value is None for value in values) else sum(values) / len(values)

    def by_objective(self, *where: str) -> dict[str, list[Number]]:
        """Return {objective: one number a seed}."""
        return {objective: self.values(objective, *where) for objective in OBJECTIVES}

    def means(self, *where: str) -> dict[str, Number]:
        """Return {objective: mean over seeds}."""
        return {objective: self.mean(objective, *where) for objective in OBJECTIVES}


def ranks(means: dict[str, Number], *, more_is_better: bool) -> dict[str, float]:
    """Return each one's place, 1 for the best; who is equal shares the mean of the places; who cannot is last.

    >>> ranks({"a": 0.5, "b": 0.9, "c": None}, more_is_better=True)
    {'a': 2.0, 'b': 1.0, 'c': 3.0}
    """
    worth = {name: _worth(value, more_is_better=more_is_better) for name, value in means.items()}
    return {
        name: 1 + sum(o > mine for o in worth.values()) + (sum(o == mine for o in worth.values()) - 1) / 2
        for name, mine in worth.items()
    }


def write_manifest(folder: Path) -> None:
    """Write the SHA-256 of each JSON file of the folder, in the form that `sha256sum --check` reads."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.glob("*.json"))
    ]
    (folder / MANIFEST).write_text("".join(lines), encoding="utf-8")


def _worth(value: Number, *, more_is_better: bool) -> float:
    if value is None:
        return float("-inf")
    return value if more_is_better else -value


def _look_up(run: dict[str, object], where: tuple[str, ...]) -> Number:
    if where == ("gap",):
        return run["loss"] - run["floor"]
    found = run
    for name in where:
        found = None if found is None else found[name]
    return found
