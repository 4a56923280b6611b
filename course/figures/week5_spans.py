"""Figures of the notebook on span corruption: a story and its spans, lengths, places, what they cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course.figures.style import COLOURS, in_style, line, subplots

SPAN_ROLES = ("first", "second", "third", "fourth", "fifth", "sixth")
ROW_WIDTH, LINE_HEIGHT, ROW_GAP = 100.0, 1.0, 0.7  # in units of the axes


@in_style
def corrupted_story(rows: Mapping[str, Sequence[tuple[str, int | None]]]) -> tuple[Figure, Axes]:
    """Draw a story, its input and its target as words, each span and its sentinel in one colour.

    Args:
        rows: (word, number of its span or None) for each token, by the row's name; the first row is the text, the last
            one is what the decoder writes.
    """
    lines = {name: _wrapped(pieces) for name, pieces in rows.items()}
    height = sum(len(found) * LINE_HEIGHT + ROW_GAP for found in lines.values())
    figure, axes = subplots(height=0.7 + 0.33 * height)
    y = height
    for name, found in lines.items():
        axes.text(-1.5, y, name, ha="right", va="center", fontweight="bold", fontsize=10)
        for pieces in found:
            for x, (word, span) in pieces:
                _draw_word(axes, x, y, word, span)
            y -= LINE_HEIGHT
        y -= ROW_GAP
    axes.set_xlim(-12, ROW_WIDTH)
    axes.set_ylim(0.2, height + 0.8)
    axes.axis("off")
    text, *_, target = rows.values()
    hidden = sum(span is not None for _, span in text)
    n_spans = len({span for _, span in text} - {None})
    axes.set_title(
        f"{hidden} of {len(text)} tokens are hidden in {n_spans} spans: the decoder writes {len(target)} tokens"
    )
    return figure, axes


def _wrapped(
    pieces: Sequence[tuple[str, int | None]],
) -> list[list[tuple[float, tuple[str, int | None]]]]:
    """Return the pieces with their places, line by line; the letters are all of one width."""
    lines, x = [[]], 0.0
    for piece in pieces:
        width = 1.03 * len(piece[0]) + 1.7
        if x + width > ROW_WIDTH:
            lines.append([])
            x = 0.0
        lines[-1].append((x, piece))
        x += width
    return lines


def _draw_word(axes: Axes, x: float, y: float, word: str, span: int | None) -> None:
    colour = None if span is None else COLOURS[SPAN_ROLES[span % len(SPAN_ROLES)]]
    box = {"boxstyle": "round,pad=0.15", "facecolor": colour or "none", "edgecolor": "none"}
    axes.text(
        x,
        y,
        word,
        va="center",
        family="DejaVu Sans Mono",
        fontsize=9,
        color="white" if colour else "black",
        fontweight="bold" if colour else "normal",
        bbox=box,
    )


@in_style
def span_length_histogram(counts: Mapping[int, int], *, n_noise: int, n_spans: int) -> tuple[Figure, Axes]:
    """Draw how long spans are, and the exact law: of all ways to cut n tokens into s parts, how many begin with k.

    Args:
        counts: number of spans by length in tokens.
        n_noise, n_spans: n and s of each text.
    """
    figure, axes = subplots(height=3.4)
    total, longest = sum(counts.values()), min(max(counts), 16)
    sizes = range(1, longest + 1)
    axes.bar(sizes, [counts.get(k, 0) / total for k in sizes], color=COLOURS["first"], width=0.7, label="drawn")
    ways = math.comb(n_noise - 1, n_spans - 1)
    law = [math.comb(n_noise - k - 1, n_spans - 2) / ways for k in sizes]
    axes.plot(sizes, law, color=COLOURS["floor"], marker="_", markersize=13, linestyle="none", label="every cut alike")
    mean = sum(k * n for k, n in counts.items()) / total
    axes.axvline(mean, color=COLOURS["second"], linestyle="--", linewidth=1.4, label=f"mean: {mean:.2f}")
    axes.set_xticks(sizes)
    axes.set_xlabel("tokens in a span")
    axes.set_ylabel("share of the spans")
    commonest = max(counts, key=counts.__getitem__)
    axes.set_title(
        f"Spans of {mean:.1f} tokens on average; {counts[commonest] / total:.0%} of them have just {commonest}"
    )
    axes.legend()
    return figure, axes


@in_style
def hidden_by_place(shares: Mapping[str, Sequence[float]], *, density: float) -> tuple[Figure, Axes]:
    """Draw how often a token is hidden by its place in the text.

    Args:
        shares: from 0 to 1 for equal parts of the text, from its begin to its end, and in the end for its very last
            token alone; by kind of mask.
        density: the share of all tokens that is hidden.
    """
    figure, axes = subplots(height=3.5)
    for role, (name, values) in zip(("first", "second"), shares.items(), strict=False):
        *parts, last = values
        places = (np.arange(len(parts)) + 0.5) / len(parts)
        axes.plot([*places, 1.06], [*parts, last], **line(role), label=name)
    axes.axhline(density, color=COLOURS["floor"], linewidth=1.2, label=f"density: {density:.0%}")
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.06], ["begin", "25%", "50%", "75%", "last token"])
    axes.set_ylim(0, 1.05)
    axes.set_xlabel("place in the text")
    axes.set_ylabel("share that is hidden")
    name, values = next(iter(shares.items()))
    axes.set_title(
        f"{name.capitalize()}, {values[-1]:.0%} of the last tokens are hidden, {values[0]:.0%} of the first part"
    )
    axes.legend(loc="upper left")
    return figure, axes


@in_style
def floor_of_spans(
    by_mean: Mapping[float, Mapping[str, Sequence[float]]],
    by_density: Mapping[float, Mapping[str, Sequence[float]]],
    *,
    masked_floor: float,
) -> tuple[Figure, list[Axes]]:
    """Draw the ideal reader's loss on hidden words against the mean length of the spans and against the density.

    Bars are standard errors, as if the words were independent of each other.

    Args:
        by_mean: losses in nats, a list of each word's, by mean span length and by where the word was: in the "inner"
            spans or in the "last" one.
        by_density: the same by the share of hidden tokens.
        masked_floor: the ideal reader's loss on words that are hidden one by one, in nats.
    """
    figure, axes = subplots(1, 2, height=3.6, sharey=True)
    for ax, losses in zip(axes, (by_mean, by_density), strict=True):
        for role, kind in (("first", "inner"), ("second", "last")):
            values = [np.asarray(found[kind]) for found in losses.values()]
            errors = [v.std() / math.sqrt(len(v)) for v in values]
            label = {"inner": "inner spans", "last": "last span"}[kind]
            ax.errorbar(list(losses), [v.mean() for v in values], yerr=errors, capsize=3, **line(role), label=label)
        ax.axhline(masked_floor, color=COLOURS["floor"], linestyle="--", linewidth=1.2, label="[MASK], one word each")
        ax.set_xticks(list(losses))
        inner = [np.mean(found["inner"]) for found in losses.values()]
        ax.set_title(f"inner spans: {min(inner):.2f} to {max(inner):.2f} nats", fontsize=10.5)
    axes[0].set_ylim(0, None)
    axes[0].set_xlabel("mean span length (tokens)")
    axes[1].set_xlabel("density (share that is hidden)")
    axes[0].set_ylabel("ideal reader's loss (nats per word)")
    axes[0].legend(loc="center right", bbox_to_anchor=(1.0, 0.36))
    return figure, axes
