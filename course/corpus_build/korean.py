"""Korean sentences from the grammar's patterns, with particles that fit the word before them."""

from __future__ import annotations

import re
from functools import cached_property

from course.corpus_build.sample import Drawn, Told
from course.grammar import Grammar, GrammarError

PATTERN = re.compile(r"\{(\w+)(?::([가-힣]+))?\}")
# (behind a final consonant, behind a vowel)
PARTICLES = {"은": ("은", "는"), "이": ("이", "가"), "을": ("을", "를"), "과": ("과", "와"), "이었": ("이었", "였")}
FIRST_SYLLABLE, N_FINALS, FINAL_RIEUL = 0xAC00, 28, 8


def final_consonant(word: str) -> int:
    """Return the number of a Hangul word's final consonant in Unicode's order, 0 if it ends in a vowel.

    >>> final_consonant("벤"), final_consonant("미아")
    (4, 0)
    """
    if not "가" <= word[-1] <= "힣":
        raise GrammarError(f"{word!r} does not end in a Hangul syllable, so no particle can be chosen for it.")
    return (ord(word[-1]) - FIRST_SYLLABLE) % N_FINALS


def with_particle(word: str, particle: str) -> str:
    """Return a word with its particle in the form that fits.

    >>> with_particle("벤", "은"), with_particle("미아", "은"), with_particle("돌", "으로")
    ('벤은', '미아는', '돌로')
    """
    final = final_consonant(word)
    if particle == "으로":
        return word + ("로" if final in (0, FINAL_RIEUL) else "으로")
    if particle not in PARTICLES:
        raise GrammarError(f"{particle!r} is no particle known here; use one of {', '.join([*PARTICLES, '으로'])}.")
    return word + PARTICLES[particle][0 if final else 1]


class Translator:
    """Writes stories in Korean, with the grammar's own patterns and word lists."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar

    @cached_property
    def words(self) -> dict[str, dict[str, str]]:
        entries = self.grammar.data["korean"]
        return {slot: parse_pairs(text) for slot, text in entries.items() if slot != "note"}

    @cached_property
    def senses(self) -> dict[str, dict[str, str]]:
        entries = self.grammar.data["senses"]
        return {word: parse_pairs(text) for word, text in entries.items() if word != "note"}

    def sentence(self, told: Told, story: Drawn) -> str:
        """Return one sentence of a story in Korean ("" for a sentence left out)."""
        pattern = self.grammar.sentences[told.name][told.wording].korean

        def fill(found: re.Match[str]) -> str:
            word = self.word(found[1], told, story)
            return with_particle(word, found[2]) if found[2] else word

        return PATTERN.sub(fill, pattern)

    def word(self, slot: str, told: Told, story: Drawn) -> str:
        """Return a slot's word in Korean; a homonym by its sense."""
        english = told.slots.get(slot) or self._by_facts(slot, told, story)
        if english in self.senses and slot == self.grammar.templates[story.template].homonym:
            return self.senses[english][story.facts[self.grammar.templates[story.template].sense]]
        korean = self.words.get(slot, {}).get(english) or self.words["any"].get(english)
        if korean is None:
            raise GrammarError(f"Slot {slot!r} has {english!r}, which has no Korean; add it to the grammar's `korean`.")
        return korean

    def _by_facts(self, slot: str, told: Told, story: Drawn) -> str:
        """Return the one word that the story's facts leave for a slot that the English sentence does not show."""
        entry = self.grammar.slots[slot]
        phrases = entry.phrases(tuple(story.facts[name] for name in entry.by))
        if len(phrases) != 1:
            raise GrammarError(f"The Korean of {told.name!r} uses {{{slot}}}, which its English leaves open.")
        return phrases[0][0]


def parse_pairs(text: str) -> dict[str, str]:
    """Return `"bank=은행 | bat=박쥐"` as a dict."""
    return dict(pair.strip().split("=") for pair in text.split("|"))
