"""Figures of the notebook on BART."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from course.figures.style import COLOURS, in_style, subplots

MASK, STOP = -1, -2  # what stands for a mask and for a full stop among places
LINE = 108  # characters in a line of text
TINTS = ("first", "fifth", "third", "fourth", "sixth", "second", "muted")


@in_style
def hidden_lengths(runs: Sequence[int], *, poisson_rate: float, longest: int = 10) -> tuple[Figure, Axes]:
    """Draw how many tokens masks stand for, beside the Poisson distribution that lengths are drawn from.

    Args:
        runs: tokens behind each mask.
        poisson_rate: mean of the Poisson distribution.
        longest: the last bar.
    """
    figure, axes = subplots(height=3.2)
    counts, lengths = Counter(runs), list(range(longest + 1))
    shares = [counts[length] / len(runs) for length in lengths]
    law = [math.exp(-poisson_rate) * poisson_rate**length / math.factorial(length) for length in lengths]
    axes.bar(lengths, shares, color=COLOURS["first"], width=0.7, label="your masks")
    axes.plot(lengths, law, "o", color=COLOURS["floor"], label=f"Poisson of mean {poisson_rate:g}")
    axes.set_xticks(lengths)
    axes.set_xlabel("tokens that a mask stands for")
    axes.set_ylabel("share of the masks")
    axes.set_title(f"A mask stands for {min(runs)} to {max(runs)} tokens; {shares[0]:.0%} stand for none")
    axes.legend(loc="upper right")
    return figure, axes


@in_style
def story_under_noises(
    words: Sequence[str], noised: Mapping[str, Sequence[int]], *, stop: str = "."
) -> tuple[Figure, list[Axes]]:
    """Draw a story and what noises make of it; each sentence keeps its colour and its number.

    Args:
        words: of the story.
        noised: for each noise the places in the story of what is left, in their order; -1 for a mask, and -2 for a
            stop, which belongs to the word before it.
        stop: the word that ends a sentence.
    """
    numbers = [sum(word == stop for word in words[:t]) for t in range(len(words))]
    told = [STOP if word == stop else t for t, word in enumerate(words)]
    texts = {"the story": told, **noised}
    lines = {name: _lines([_shown(words, place, stop) for place in places]) for name, places in texts.items()}
    heights = [1 + max(line for line, _ in flow) for flow in lines.values()]
    figure, axes = subplots(len(texts), 1, height=0.42 * len(texts) + 0.23 * sum(heights), height_ratios=heights)
    for one, (name, places), flow, n_lines in zip(axes, texts.items(), lines.values(), heights, strict=True):
        before = None
        for place, (line, column) in zip(places, flow, strict=True):
            number = None if place == MASK else before if place == STOP else numbers[place]
            _word(one, _shown(words, place, stop), line, column, number, first=number not in (None, before))
            before = before if place == MASK else number
        _page(one, n_lines)
        one.set_title(f"{name}: {len(places)} tokens", fontsize=9.5, pad=2)
    return figure, axes


@in_style
def loss_on_words(
    words: Sequence[str], losses: Sequence[float], hidden: Sequence[bool], *, brightest: float = 3.0
) -> tuple[Figure, Axes]:
    """Draw a text with the loss on each word behind it; words that the model could not see stand in a frame.

    Args:
        words: what was to be written.
        losses: on each, in nats.
        hidden: for each, whether the input lacked it.
        brightest: loss of the strongest colour.
    """
    flow = _lines(words)
    n_lines = 1 + max(line for line, _ in flow)
    figure, axes = subplots(height=0.45 + 0.26 * n_lines)
    for word, loss, unseen, (line, column) in zip(words, losses, hidden, flow, strict=True):
        tint = _tint("second", 0.9 * min(1.0, loss / brightest))
        frame = {"boxstyle": "round,pad=0.12", "facecolor": tint, "linewidth": 1.0}
        frame["edgecolor"] = COLOURS["floor"] if unseen else "none"
        axes.text(column, line, word, family="monospace", fontsize=7.2, va="center", bbox=frame)
    _page(axes, n_lines)
    seen = [loss for loss, unseen in zip(losses, hidden, strict=True) if not unseen]
    lost = [loss for loss, unseen in zip(losses, hidden, strict=True) if unseen]
    title = f"framed, hidden: {_mean(lost):.2f} nats a word; the others, to be copied: {_mean(seen):.2f}"
    axes.set_title(title, fontsize=10)
    return figure, axes


@in_style
def what_comes_back(shares: Mapping[str, Mapping[str, float]], *, ideal: Mapping[str, float]) -> tuple[Figure, Axes]:
    """Draw, for each noise, the share of restored stories for which each of several things is true.

    Args:
        shares: by noise, then by claim, from 0 to 1. Every noise has the same claims.
        ideal: by noise, the share of stories that an ideal reader restores word for word, where it is known.
    """
    figure, axes = subplots(height=3.8)
    claims, width = list(next(iter(shares.values()))), 0.8 / len(next(iter(shares.values())))
    hatches = ("", "//", "..")
    for k, (claim, role) in enumerate(zip(claims, ("sixth", "fifth", "first"), strict=False)):
        at = [n + (k - (len(claims) - 1) / 2) * width for n in range(len(shares))]
        bars = axes.bar(
            at, [row[claim] for row in shares.values()], width, color=COLOURS[role], hatch=hatches[k], label=claim
        )
        axes.bar_label(bars, fmt=lambda value: f"{100 * value:.0f}", fontsize=8.5)
    for n, name in enumerate(shares):
        if name in ideal:
            label = None if axes.get_legend_handles_labels()[1][len(claims) :] else "ideal reader, word for word"
            at = n + (len(claims) - 1) / 2 * width  # over the last of the bars
            axes.hlines(
                ideal[name], at - 0.6 * width, at + 0.6 * width, color=COLOURS["floor"], linewidth=2.2, label=label
            )
    axes.set_xticks(range(len(shares)), list(shares))
    axes.set_ylim(0, 1.12)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
    axes.set_ylabel("share of the stories (%)")
    first, last = next(iter(shares)), claims[-1]
    axes.set_title(f"{first}: {shares[first][claims[0]]:.0%} {claims[0]}, {shares[first][last]:.0%} {last}")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)
    return figure, axes


def _shown(words: Sequence[str], place: int, stop: str) -> str:
    return {MASK: "[MASK]", STOP: stop}.get(place) or words[place]


def _lines(words: Sequence[str]) -> list[tuple[int, int]]:
    """Return (line, column) of each word: one space and a half between two, in characters."""
    line, column, places = 0, 0, []
    for word in words:
        if column + len(word) > LINE:
            line, column = line + 1, 0
        places.append((line, column))
        column += len(word) + 2
    return places


def _word(axes: Axes, word: str, line: int, column: int, number: int | None, *, first: bool) -> None:
    """Draw one word on the colour of its sentence, with the sentence's number where it begins; a mask in black."""
    masked = number is None
    fill = COLOURS["floor"] if masked else _tint(TINTS[number % len(TINTS)], 0.45 if number < len(TINTS) else 0.2)
    box = {"boxstyle": "round,pad=0.12", "facecolor": fill, "edgecolor": "none"}
    axes.text(
        column,
        line,
        word,
        family="monospace",
        fontsize=7.2,
        va="center",
        color="white" if masked else "black",
        bbox=box,
    )
    if first:
        axes.text(column - 0.3, line - 0.2, str(number + 1), fontsize=5.2, ha="right", va="center", color="#444444")


def _page(axes: Axes, n_lines: int) -> None:
    axes.set_xlim(-1.5, LINE + 10)
    axes.set_ylim(n_lines - 0.4, -0.6)
    axes.axis("off")


def _tint(role: str, strength: float) -> tuple[float, ...]:
    """Return the role's colour mixed with white: 0 is white, 1 the colour itself."""
    return tuple(1 - strength * (1 - part) for part in to_rgb(COLOURS[role]))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
