"""Korean in figures: with a font of this machine that has Hangul, and in Latin letters where there is none."""

from __future__ import annotations

import logging
from functools import cache

from matplotlib import font_manager

# Fonts with Hangul of Linux, Windows and macOS, in the order in which they are taken.
FONTS = (
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "Noto Sans CJK JP",
    "NanumGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "AppleGothic",
    "Noto Serif CJK KR",
    "Noto Serif CJK JP",
    "UnDotum",
    "Baekmuk Gulim",
)
FIRST, LAST, N_VOWELS, N_FINALS = 0xAC00, 0xD7A3, 21, 28
# The letters of a syllable in Unicode's order, in Revised Romanization; two spaces: a letter that is not heard.
INITIALS = "g kk n d tt r m b pp s ss  j jj ch k t p h"
VOWELS = "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i"
FINALS = " k k k n n n t l k m l l l p l m p p t t ng t t k t p t"


@cache
def hangul_font() -> str | None:
    """Return the name of a font that has Hangul, None where this machine has none that we know."""
    known = {entry.name for entry in font_manager.fontManager.ttflist}
    return next((name for name in FONTS if name in known), None)


def font_families() -> list[str]:
    """Return what `font.family` should be for a figure with Korean: the course's font first, then one with Hangul."""
    found = hangul_font()
    # Where such a font has a bold of another weight, matplotlib takes that, and warns each time that it does.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    return ["DejaVu Sans", *([found] if found else [])]


def drawable(text: str) -> str:
    """Return the text as it can be drawn here: as it is, or romanised where no font has Hangul."""
    return text if hangul_font() else romanised(text)


def romanised(text: str) -> str:
    """Return Hangul in Latin letters, syllable by syllable (Revised Romanization, without the changes between them).

    >>> romanised("은행, bank")
    'eunhaeng, bank'
    """
    return "".join(_letters(ord(character)) or character for character in text)


def _letters(code: int) -> str:
    if not FIRST <= code <= LAST:
        return ""
    rest, final = divmod(code - FIRST, N_FINALS)
    initial, vowel = divmod(rest, N_VOWELS)
    heard = zip((INITIALS, VOWELS, FINALS), (initial, vowel, final), strict=True)
    return "".join(letters.split(" ")[number] for letters, number in heard)
