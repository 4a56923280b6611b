"""Which sense of a homonym a Korean text tells: English says *bank*, Korean must say 은행 or 둑."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from course.corpus_build.korean import parse_pairs, with_particle
from course.grammar import Grammar
from course.stories import STORIES

# Behind a final consonant and behind a vowel: the particles that homonyms carry. 에서 is the same behind both.
PARTICLES = {"이": "이", "가": "이", "을": "을", "를": "을", "은": "은", "는": "은"}


def korean_senses(path: Path | str | None = None) -> dict[str, dict[str, str]]:
    """Return by homonym and sense the Korean word, from the grammar: `["bank"]["money"]` is 은행."""
    senses = Grammar.load(Path(path or STORIES) / "grammar.json").data["senses"]
    return {word: parse_pairs(text) for word, text in senses.items() if word != "note"}


def told_sense(korean: str, words: Mapping[str, str]) -> str | None:
    """Return the sense that a Korean text tells, None where it tells neither or several.

    Args:
        korean: a text.
        words: by sense the Korean word, one homonym's entry of `korean_senses()`.

    >>> told_sense("노라는 은행에서 톰을 만났어요.", {"river": "둑", "money": "은행"})
    'money'
    """
    told = {sense for sense, word in words.items() if re.search(_with_tail(word), korean)}
    return told.pop() if len(told) == 1 else None


def exchange_sense(korean: str, words: Mapping[str, str]) -> str:
    """Return the text with each word of the homonym in its other sense, its particle fitted to it.

    >>> exchange_sense("작은 박쥐가 있었어요.", {"animal": "박쥐", "tool": "도장"})
    '작은 도장이 있었어요.'
    """
    one, other = words.values()

    def replace(found: re.Match[str]) -> str:
        word, tail = (other if found["word"] == one else one), found["tail"]
        return with_particle(word, PARTICLES[tail]) if tail in PARTICLES else word + tail

    return re.sub(_with_tail(f"{one}|{other}"), replace, korean)


def _with_tail(word: str) -> str:
    """Return a pattern for a Korean word with or without a particle, and not inside another word."""
    tails = "|".join([*PARTICLES, "에서"])
    return rf"(?<!\w)(?P<word>{word})(?P<tail>{tails}|)(?!\w)"
