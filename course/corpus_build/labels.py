"""Labels for the downstream tasks, from the way each story was drawn."""

from __future__ import annotations

import json
import re

from course.corpus_build.korean import Translator
from course.corpus_build.sample import Drawn
from course.grammar import Grammar, parse_guard
from course.stories import Stories

SLOT = re.compile(r"\{(\w+)\}")
# Of the training split, how many stories carry the labels that take much room.
N_LABELLED = 5_000


class Labeller:
    """Makes the labels of one grammar's stories.

    Args:
        grammar: the grammar that they were drawn from.
        reader: anything with `encode` and `decode` over the grammar's vocabulary.
    """

    def __init__(self, grammar: Grammar, reader: Stories) -> None:
        self.grammar = grammar
        self.reader = reader
        self.translator = Translator(grammar)

    def files(self, stories: list[Drawn], split: str) -> dict[tuple[str, str], str]:
        """Return the text of each label file of a split, by (task, form)."""
        few = stories[:N_LABELLED] if split == "train" else stories
        senses = [(i, *row) for i, story in enumerate(stories) if (row := self.sense(story)) is not None]
        return {
            ("sentiment", "tsv"): _tsv(
                ("story", "label"), [(i, self.sentiment(story)) for i, story in enumerate(stories)]
            ),
            ("sense", "tsv"): _tsv(("story", "position", "word", "sense", "settled"), senses),
            ("ner", "conll"): "\n".join(
                "".join(f"{word}\t{tag}\n" for word, tag in zip(story.words[1:-1], self.tags(story)[1:-1], strict=True))
                for story in few
            ),
            ("qa", "jsonl"): _jsonl({"story": i, **qa} for i, story in enumerate(few) for qa in self.questions(story)),
            ("summary", "jsonl"): _jsonl({"story": i, "summary": self.summary(s)} for i, s in enumerate(few)),
            ("translation", "jsonl"): _jsonl({"story": i, **self.translation(s)} for i, s in enumerate(few)),
        }

    def sentiment(self, story: Drawn) -> str:
        """Return "positive" or "negative": how the story ends."""
        return self.grammar.data["endings"][story.facts["fate"]]

    def sense(self, story: Drawn) -> tuple[int, str, str, str] | None:
        """Return (position, word, sense, settled) of the homonym's first mention, None for a story without one.

        It is settled by the first sentence whose wording depends on the sense: "left" or "right" of the homonym.
        """
        template = self.grammar.templates[story.template]
        if template.homonym is None:
            return None
        position = story.slots.index(template.homonym)
        cues = [
            told.begin
            for told in story.told
            if told.end > told.begin and template.sense in self.grammar.sentences[told.name][told.wording].guard
        ]
        settled = "never" if not cues else "left" if cues[0] < position else "right"
        return position, story.words[position], story.facts[template.sense], settled

    def tags(self, story: Drawn) -> list[str]:
        """Return [T] BIO tags; every entity of these stories is one word long."""
        entities = self.grammar.data["entities"]
        return [f"B-{entities[slot]}" if slot in entities else "O" for slot in story.slots]

    def questions(self, story: Drawn) -> list[dict[str, object]]:
        """Return the questions that the story answers, each with the answer's word and its first position."""
        names = {told.name for told in story.told if told.end > told.begin}
        found = []
        for entry in self.grammar.data["questions"][story.template]:
            answered = entry["slot"] in story.slots and entry.get("told", next(iter(names))) in names
            if answered and self._allowed(entry, story):
                position = story.slots.index(entry["slot"])
                question = self.fill(entry["en"], story)
                found.append({"question": question, "answer": story.words[position], "position": position})
        return found

    def summary(self, story: Drawn) -> str:
        """Return one sentence about the story."""
        entries = self.grammar.data["summaries"][story.template]
        return next(self.fill(entry["en"], story) for entry in entries if self._allowed(entry, story))

    def translation(self, story: Drawn) -> dict[str, str]:
        """Return the whole story in English and in Korean."""
        korean = [self.translator.sentence(told, story) for told in story.told if told.end > told.begin]
        return {
            "english": self.reader.decode(self.reader.encode(" ".join(story.words[1:-1]))),
            "korean": " ".join(korean),
        }

    def fill(self, pattern: str, story: Drawn) -> str:
        """Return a pattern with its slots as the story has them, as running text."""

        def word(found: re.Match[str]) -> str:
            slot = self.grammar.slots[found[1]]
            return slot.phrases(tuple(story.facts[name] for name in slot.by))[0][0]

        return self.reader.decode(self.reader.encode(SLOT.sub(word, pattern)))

    def _allowed(self, entry: dict[str, str], story: Drawn) -> bool:
        return all(story.facts[name] in wanted for name, wanted in parse_guard(entry.get("if", "")).items())


def _tsv(names: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    return "".join("\t".join(str(value) for value in row) + "\n" for row in [names, *rows])


def _jsonl(rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
