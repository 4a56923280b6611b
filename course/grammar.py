"""The story grammar: read from one file, turned into a graph of words and choices.

A grammar tells stories. Hidden *variables* (who is the hero, which sense a homonym has, how it ends) are drawn once a
story; *slots* give words that depend on them; *sentences* are alternatives made of words and slots; a *template* is a
row of sentences. `Grammar.graph` holds all of it as nodes: a node either emits one word or chooses where to go on. From
there `course.oracle` makes one Markov chain, and `course.corpus_build` draws the stories.

The file's own notes (`data/stories/grammar.json`) explain its notation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

SPECIALS = ("[PAD]", "[BOS]", "[EOS]", "[UNK]", "[MASK]")
BOS, EOS = "[BOS]", "[EOS]"
N_SENTINELS = 16
WEIGHT = re.compile(r"(\d+(?:\.\d+)?):\s*")
SLOT = re.compile(r"\{(\w+)\}")

Key = tuple[str, ...]
Weighted = tuple[tuple[str, float], ...]


class GrammarError(ValueError):
    """The grammar file asks for something that cannot be; the message names the entry."""


@dataclass(frozen=True)
class Variable:
    """A hidden variable of the story: its values and their probabilities, given its parent's value if it has one."""

    name: str
    parent: str | None
    table: Mapping[str | None, Weighted]


@dataclass(frozen=True)
class Slot:
    """Words that stand in one place: phrases with probabilities, by the values of the variables in `by`."""

    name: str
    by: Key
    table: Mapping[Key, Weighted]

    def phrases(self, values: Key, where: str = "") -> Weighted:
        if values not in self.table:
            raise GrammarError(f"Slot {self.name!r} has no words for {'/'.join(values)}{where}; add that case.")
        return self.table[values]


@dataclass(frozen=True)
class Alternative:
    """One wording of a sentence, allowed when every variable in `guard` has one of the values named there."""

    weight: float
    guard: Mapping[str, frozenset[str]]
    text: str
    korean: str

    def allowed(self, values: Mapping[str, str]) -> bool:
        return all(values[name] in wanted for name, wanted in self.guard.items())


@dataclass(frozen=True)
class Emit:
    """A node that emits one word; which one depends on the values of the variables in `needs`."""

    needs: Key
    table: Mapping[Key, Weighted]
    next: int | None
    slot: str | None


@dataclass(frozen=True)
class Option:
    """One way out of a `Choose` node."""

    weight: float
    guard: Mapping[str, frozenset[str]]
    next: int
    label: tuple[str, object] | None


@dataclass(frozen=True)
class Choose:
    """A silent node: goes on with one of the options whose guards hold, their weights made to add up to one."""

    needs: Key
    options: tuple[Option, ...]

    def probabilities(self, values: Mapping[str, str]) -> list[tuple[float, Option]]:
        """Return (probability, option) for each option that `values` allow; they add up to one."""
        allowed = [o for o in self.options if all(values[name] in wanted for name, wanted in o.guard.items())]
        total = sum(o.weight for o in allowed)
        if total <= 0:
            said = ", ".join(f"{name}={values[name]}" for name in self.needs)
            raise GrammarError(f"No alternative of {self.options[0].label!r} is allowed when {said}; add one.")
        return [(o.weight / total, o) for o in allowed]


@dataclass
class Graph:
    """All nodes, and the one where every story begins (it emits [BOS])."""

    nodes: list[Emit | Choose] = field(default_factory=list)
    start: int = 0

    def add(self, node: Emit | Choose) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1


def parse_weighted(text: str) -> Weighted:
    """Return phrases with probabilities: `"cat | 2: old dog"` is (("cat", 1/3), ("old dog", 2/3))."""
    parts = []
    for part in text.split("|"):
        found = WEIGHT.match(part.strip())
        weight = float(found[1]) if found else 1.0
        parts.append((part.strip()[found.end() if found else 0 :], weight))
    total = sum(weight for _, weight in parts)
    return tuple((phrase, weight / total) for phrase, weight in parts)


def parse_guard(text: str) -> dict[str, frozenset[str]]:
    """Return what a condition asks of each variable: `"sense=river hero=Mia/Anna"`."""
    return {name: frozenset(values.split("/")) for name, values in (term.split("=") for term in text.split())}


def parse_variable(name: str, entry: object) -> Variable:
    if isinstance(entry, str):
        return Variable(name, None, {None: parse_weighted(entry)})
    table = {}
    for keys, text in entry.items():
        if keys not in ("given", "note"):
            table.update({value: parse_weighted(text) for value in keys.split()})
    return Variable(name, entry["given"], table)


def parse_slot(name: str, entry: object) -> Slot:
    """Return a slot; an entry is the words, or has `by` (variables) and one line for each group of cases `a b/x`."""
    if isinstance(entry, str):
        return Slot(name, (), {(): parse_weighted(entry)})
    table = {}
    for cases, text in entry.items():
        if cases not in ("by", "note"):
            table.update({tuple(case.split("/")): parse_weighted(text) for case in cases.split()})
    return Slot(name, tuple(entry["by"].split()), table)


def parse_sentence(name: str, entries: list[Mapping[str, object]]) -> tuple[Alternative, ...]:
    unknown = {key for entry in entries for key in entry} - {"p", "if", "en", "ko", "note"}
    if unknown:
        raise GrammarError(
            f"Sentence {name!r} has the unknown field {sorted(unknown)[0]!r}; use p, if, en, ko or note."
        )
    return tuple(
        Alternative(float(e.get("p", 1)), parse_guard(e.get("if", "")), e.get("en", ""), e.get("ko", ""))
        for e in entries
    )


@dataclass(frozen=True)
class Template:
    """A row of sentence names, each with the probability that it is told at all, and the template's own weight."""

    name: str
    weight: float
    story: tuple[tuple[str, float], ...]
    homonym: str | None = None
    sense: str | None = None


def parse_template(name: str, entry: Mapping[str, object]) -> Template:
    story = []
    for item in str(entry["story"]).split():
        sentence, _, chance = item.partition("?")
        story.append((sentence, float(chance) if chance else 1.0))
    return Template(name, float(entry.get("p", 1)), tuple(story), entry.get("homonym"), entry.get("sense"))


class Grammar:
    """A story grammar.

    Args:
        data: the content of a grammar file: `variables`, `slots`, `sentences`, `templates`, and whatever else the
            labels need (kept in `.data`).
        fixed: variables held at one value, as if it had always been drawn (see `fix`).
    """

    def __init__(self, data: Mapping[str, object], fixed: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.fixed = dict(fixed or {})
        self.variables = {name: parse_variable(name, entry) for name, entry in data["variables"].items()}
        self.slots = {name: parse_slot(name, entry) for name, entry in data["slots"].items()}
        self.sentences = {name: parse_sentence(name, entries) for name, entries in data["sentences"].items()}
        self.templates = {name: parse_template(name, entry) for name, entry in data["templates"].items()}
        for name, value in self.fixed.items():
            variable = self.variables[name]
            table = dict.fromkeys(variable.table, ((value, 1.0),))
            self.variables[name] = Variable(name, variable.parent, table)

    @classmethod
    def load(cls, path: Path) -> Grammar:
        """Return the grammar in the JSON file at `path`; raises GrammarError if it is not one."""
        try:
            return cls(json.loads(Path(path).read_text(encoding="utf-8")))
        except OSError as error:
            raise GrammarError(f"{path}, the grammar of the stories, cannot be read; restore it from git.") from error
        except (json.JSONDecodeError, KeyError) as error:
            raise GrammarError(f"{path} is not a grammar ({type(error).__name__}: {error}); mend it.") from error

    def fix(self, **values: str) -> Grammar:
        """Return the same grammar with variables held at one value, for "what if the sense had been river?"."""
        for name, value in values.items():
            known = {v for row in self.variables[name].table.values() for v, _ in row}
            if value not in known:
                raise GrammarError(f"{name} is never {value!r}; it is one of {', '.join(sorted(known))}.")
        return Grammar(self.data, {**self.fixed, **values})

    def ancestors(self, name: str) -> Iterable[str]:
        """Return `name` and the variables that it depends on, nearest first."""
        while name is not None:
            yield name
            name = self.variables[name].parent

    @cached_property
    def graph(self) -> Graph:
        """Every template as nodes, behind one node that emits [BOS]."""
        graph = Graph()
        options = []
        for template in self.templates.values():
            end = graph.add(Emit((), {(): ((EOS, 1.0),)}, None, None))
            for name, chance in reversed(template.story):
                end = self._add_sentence(graph, name, chance, end)
            options.append(Option(template.weight, {}, end, ("template", template.name)))
        first = graph.add(Choose((), tuple(options)))
        graph.start = graph.add(Emit((), {(): ((BOS, 1.0),)}, first, None))
        return graph

    def _add_sentence(self, graph: Graph, name: str, chance: float, after: int) -> int:
        if name not in self.sentences:
            raise GrammarError(f"A template uses the sentence {name!r}, which is not among the sentences.")
        options = []
        for number, alternative in enumerate(self.sentences[name]):
            node = after
            for token in reversed(alternative.text.split()):
                found = SLOT.fullmatch(token)
                node = self._add_slot(graph, found[1], node) if found else _add_word(graph, token, node)
            options.append(Option(alternative.weight, alternative.guard, node, ("sentence", (name, number))))
        needs = tuple(sorted({variable for o in options for variable in o.guard}))
        told = graph.add(Choose(needs, tuple(options)))
        if chance == 1.0:
            return told
        return graph.add(Choose((), (Option(chance, {}, told, None), Option(1.0 - chance, {}, after, None))))

    def _add_slot(self, graph: Graph, name: str, after: int) -> int:
        if name not in self.slots:
            raise GrammarError(f"A sentence uses the slot {{{name}}}, which is not among the slots.")
        slot = self.slots[name]
        if all(len(phrase.split()) == 1 for row in slot.table.values() for phrase, _ in row):
            return graph.add(Emit(slot.by, slot.table, after, name))
        options = []
        for values, row in slot.table.items():
            guard = {variable: frozenset([value]) for variable, value in zip(slot.by, values, strict=True)}
            for phrase, probability in row:
                node = after
                for word in reversed(phrase.split()):
                    node = graph.add(Emit((), {(): ((word, 1.0),)}, node, name))
                options.append(Option(probability, guard, node, ("slot", (name, phrase))))
        return graph.add(Choose(slot.by, tuple(options)))

    @cached_property
    def words(self) -> list[str]:
        """Every word that the grammar's stories, questions and summaries can hold, in alphabetical order."""
        found = set(str(self.data.get("extra_words", "")).split())
        for node in self.graph.nodes:
            if isinstance(node, Emit):
                found.update(word for row in node.table.values() for word, _ in row)
        return sorted(found - set(SPECIALS))

    @cached_property
    def vocab(self) -> list[str]:
        """Special tokens, then words, then sentinels from <extra_id_15> up to <extra_id_0>, the highest id."""
        return [*SPECIALS, *self.words, *(f"<extra_id_{i}>" for i in reversed(range(N_SENTINELS)))]


def _add_word(graph: Graph, word: str, after: int) -> int:
    return graph.add(Emit((), {(): ((word, 1.0),)}, after, None))
