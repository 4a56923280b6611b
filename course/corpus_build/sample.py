"""Draws stories from a grammar, and remembers how each was made: that is where the labels come from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from course.grammar import BOS, EOS, Choose, Emit, Grammar


@dataclass
class Told:
    """One sentence of a story: which wording, where its words stand (begin to end), and what its slots hold."""

    name: str
    wording: int
    begin: int
    end: int
    slots: dict[str, str] = field(default_factory=dict)


@dataclass
class Drawn:
    """One story as it was drawn.

    Attributes:
        template: its name.
        facts: every hidden variable and its value.
        words: [T] tokens, [BOS] and [EOS] included.
        slots: [T] the slot that each word stands in, None for a word of the wording itself.
        told: its sentences in order.
    """

    template: str
    facts: dict[str, str]
    words: list[str]
    slots: list[str | None]
    told: list[Told]


class Sampler:
    """Draws stories, the same ones for the same seed on any machine.

    Only `Generator.random` of PCG64 is used, whose stream numpy keeps fixed, and nothing depends on the order of a set.

    Args:
        grammar: where the stories come from.
        seed: of the random stream.
    """

    def __init__(self, grammar: Grammar, seed: int) -> None:
        self.grammar = grammar
        self.generator = np.random.Generator(np.random.PCG64(seed))

    def draw(self) -> Drawn:
        """Return the next story."""
        facts = self._facts()
        story = Drawn("", facts, [], [], [])
        nodes, number = self.grammar.graph.nodes, self.grammar.graph.start
        while number is not None:
            node = nodes[number]
            if isinstance(node, Emit):
                self._emit(node, story)
                number = node.next
                continue
            number = self._choose(node, story)
        return story

    def _facts(self) -> dict[str, str]:
        facts: dict[str, str] = {}
        for name in self.grammar.variables:
            for wanted in reversed(tuple(self.grammar.ancestors(name))):
                if wanted not in facts:
                    variable = self.grammar.variables[wanted]
                    row = variable.table[variable.parent and facts[variable.parent]]
                    facts[wanted] = row[self._pick([p for _, p in row])][0]
        return facts

    def _emit(self, node: Emit, story: Drawn) -> None:
        row = node.table[tuple(story.facts[name] for name in node.needs)]
        word = row[self._pick([p for _, p in row])][0] if len(row) > 1 else row[0][0]
        story.words.append(word)
        story.slots.append(node.slot)
        if story.told and word not in (BOS, EOS):
            story.told[-1].end = len(story.words)
            if node.slot is not None:
                story.told[-1].slots.setdefault(node.slot, word)

    def _choose(self, node: Choose, story: Drawn) -> int:
        ways = node.probabilities(story.facts)
        option = ways[self._pick([p for p, _ in ways]) if len(ways) > 1 else 0][1]
        kind, value = option.label or (None, None)
        if kind == "template":
            story.template = str(value)
        elif kind == "sentence":
            story.told.append(Told(*value, begin=len(story.words), end=len(story.words)))
        elif kind == "slot":
            story.told[-1].slots[value[0]] = value[1]
        return option.next

    def _pick(self, probabilities: list[float]) -> int:
        point = self.generator.random() * sum(probabilities)
        for i, p in enumerate(probabilities):
            point -= p
            if point < 0:
                return i
        return len(probabilities) - 1
