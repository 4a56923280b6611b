"""The steps of the build: draw, label, measure, list the hashes."""

from __future__ import annotations

import bz2
import hashlib
import json
from pathlib import Path

from course.corpus_build.facts import measure_facts
from course.corpus_build.floors import masked_text, measure_floors, measure_masked
from course.corpus_build.labels import Labeller
from course.corpus_build.sample import Drawn, Sampler
from course.grammar import Grammar
from course.masked_eval import FLOOR_FILE
from course.oracle import Oracle
from course.stories import MANIFEST, SPLITS, Stories, split_file

SEED = 20170612
N_STORIES = {"train": 20_000, "valid": 1_000, "test": 1_000}


def draw_split(grammar: Grammar, split: str, n_stories: int | None = None) -> list[Drawn]:
    """Return the stories of a split (the first `n_stories` of them); each split has a random stream of its own."""
    sampler = Sampler(grammar, SEED + SPLITS.index(split))
    return [sampler.draw() for _ in range(n_stories or N_STORIES[split])]


def text_of(stories: list[Drawn]) -> str:
    """Return a split's text file: one story a line, words separated by blanks."""
    return "".join(" ".join(story.words[1:-1]) + "\n" for story in stories)


def write_stories(folder: Path) -> None:
    """Write vocabulary, stories and labels from `grammar.json` into the same folder."""
    grammar = Grammar.load(folder / "grammar.json")
    _write(folder, "vocab.txt", "".join(f"{word}\n" for word in grammar.vocab))
    labeller = Labeller(grammar, Stories(folder, grammar.vocab, [], [], []))
    for split in SPLITS:
        stories = draw_split(grammar, split)
        _write(folder, split_file(split, "txt"), text_of(stories))
        for (task, form), text in labeller.files(stories, split).items():
            _write(folder, split_file(split, form, task), text)


def measure(folder: Path) -> dict[str, str]:
    """Return the contents of the files that the oracle measures on the test split, by name."""
    oracle = Oracle.load(folder)
    drawn = draw_split(oracle.grammar, "test")
    token_id = {word: i for i, word in enumerate(oracle.vocab)}
    test = [[token_id[word] for word in story.words] for story in drawn]
    masked = measure_masked(oracle, test)
    return {
        "floors.json": _as_json(measure_floors(oracle, test, masked)),
        "facts.json": _as_json(measure_facts(oracle, drawn)),
        FLOOR_FILE: masked_text(masked),
    }


def write_manifest(folder: Path) -> None:
    """Write the SHA-256 of each file, in the form that `sha256sum --check` reads."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / MANIFEST).write_text("".join(lines), encoding="utf-8")


def _as_json(numbers: dict[str, object]) -> str:
    return json.dumps(numbers, indent=1) + "\n"


def _write(folder: Path, name: str, text: str) -> None:
    content = text.encode("utf-8")
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(bz2.compress(content, 9) if name.endswith(".bz2") else content)
