"""Figures of the notebook on tokens: what a vocabulary costs, and whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from course.figures.style import COLOURS, in_style, line, subplots

ROLES = ("first", "second", "third", "fourth")
HATCHES = ("", "///", "...")


@in_style
def growth_of_vocabulary(growth: Sequence[tuple[int, int, int]]) -> tuple[Figure, Axes]:
    """Draw how many different words and characters were met against the number of words read.

    Args:
        growth: (words read, different words, different characters), in the order of reading; two entries or more.
    """
    figure, axes = subplots(height=3.5)
    read, words, characters = zip(*growth, strict=True)
    axes.plot(read, words, **line("first", markers=False), label="different words")
    axes.plot(read, characters, **line("second", markers=False), label="different characters")
    for role, counts in (("first", words), ("second", characters)):
        axes.annotate(
            f"{counts[-1]:,}",
            (read[-1], counts[-1]),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=COLOURS[role],
        )
    per_thousand = 1000 * (words[-1] - words[-2]) / (read[-1] - read[-2])
    axes.set_title(f"The last thousand words still brought {per_thousand:.0f} new ones")
    axes.set_xlabel("words read")
    axes.set_ylabel("on the list")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    axes.set_ylim(0)
    axes.set_xlim(0, read[-1] * 1.09)
    axes.legend(loc="upper left")
    return figure, axes


@in_style
def seconds_by_merges(
    ways: Mapping[str, tuple[Sequence[int], Sequence[float]]], *, up_to: int = 1000
) -> tuple[Figure, Axes]:
    """Draw the time to learn merges against their number; dotted, in proportion, where it was not measured.

    Args:
        ways: by name, (numbers of merges, seconds); the slowest first.
        up_to: the number of merges up to which every way is drawn.
    """
    figure, axes = subplots(height=3.7)
    at_the_end = []
    for role, (name, (numbers, seconds)) in zip(ROLES, ways.items(), strict=False):
        axes.plot(numbers, seconds, **line(role), label=name)
        at_the_end.append(seconds[-1] * up_to / numbers[-1])
        if numbers[-1] < up_to:
            ends = [numbers[-1], up_to], [seconds[-1], at_the_end[-1]]
            axes.plot(*ends, color=COLOURS[role], linestyle=":", linewidth=1.6, label="the same, in proportion")
        axes.annotate(
            f"{at_the_end[-1]:.1f} s",
            (up_to, at_the_end[-1]),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=COLOURS[role],
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(right=up_to * 1.9)
    for axis, unit in ((axes.xaxis, ""), (axes.yaxis, " s")):
        axis.set_major_locator(LogLocator(10))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _, unit=unit: f"{value:,g}{unit}"))
    axes.set_xlabel("merges learned")
    axes.set_ylabel("time")
    axes.set_title(
        f"For {up_to:,} merges, one way takes {at_the_end[0] / at_the_end[-1]:.0f} times as long as the other"
    )
    axes.legend(loc="upper center", ncols=3, bbox_to_anchor=(0.5, -0.2))
    return figure, axes


@in_style
def text_by_merges(
    amounts: Sequence[int], curves: Mapping[str, tuple[Sequence[float], Sequence[float], float]]
) -> tuple[Figure, list[Axes]]:
    """Draw tokens per sentence and bytes per token against the number of merges.

    Args:
        amounts: numbers of merges, from 0.
        curves: by the kind of text, (tokens per sentence, bytes per token, words per sentence); the last is the floor:
            no piece is longer than a word.
    """
    figure, (left, right) = subplots(1, 2, height=3.9)
    places = range(len(amounts))
    for role, (name, (per_sentence, per_token, n_words)) in zip(ROLES, curves.items(), strict=False):
        left.plot(places, per_sentence, **line(role), label=name)
        left.axhline(n_words, color=COLOURS[role], linestyle=":", linewidth=1.4, label=f"{name}: words")
        right.plot(places, per_token, **line(role))
    right.axhline(1, color=COLOURS["floor"], linewidth=1.4)
    right.annotate("one byte a token", (places[-1], 1), xytext=(0, 4), textcoords="offset points", ha="right")
    for axes, label in ((left, "tokens per sentence"), (right, "bytes per token")):
        axes.set_xticks(places, [f"{n:,}" for n in amounts])
        axes.set_xlabel("merges learned from the documentation")
        axes.set_ylabel(label)
        axes.set_ylim(0)
    gains = [tokens[0] / tokens[-1] for tokens, _, _ in curves.values()]
    at_home, abroad = max(gains), min(gains)
    figure.suptitle(
        f"{amounts[-1]:,} merges shorten their own kind of text {at_home:.1f} times, another {abroad:.1f} times",
        fontweight="bold",
        fontsize=11.5,
        x=0.02,
        ha="left",
    )
    figure.legend(loc="outside lower center", ncols=len(curves))
    return figure, [left, right]


@in_style
def cost_by_language(per_sentence: Mapping[str, Mapping[str, float]]) -> tuple[Figure, Axes]:
    """Draw what a sentence costs in each language, by the way it is cut.

    Args:
        per_sentence: symbols per sentence, by language, by the way of cutting; the languages the same each time, the
            first one that by which others are measured.
    """
    figure, axes = subplots(height=3.9)
    languages = list(next(iter(per_sentence.values())))
    height = 0.8 / len(languages)
    for i, (role, language) in enumerate(zip(ROLES, languages, strict=False)):
        places = [row + (i - (len(languages) - 1) / 2) * height for row in range(len(per_sentence))]
        values = [cost[language] for cost in per_sentence.values()]
        axes.barh(places, values, height, color=COLOURS[role], hatch=HATCHES[i], edgecolor="white", label=language)
        for place, value in zip(places, values, strict=True):
            axes.annotate(f"{value:.1f}", (value, place), xytext=(4, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(per_sentence)), list(per_sentence))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.axvline(0, color=COLOURS["floor"], linewidth=1.2)
    axes.set_xlabel("symbols per sentence (the same sentences in each language)")
    first, second = languages[:2]
    ratios = [cost[second] / cost[first] for cost in per_sentence.values()]
    figure.suptitle(
        f"A sentence costs {min(ratios):.1f} to {max(ratios):.1f} times as much in {second} as in {first}",
        fontweight="bold",
        fontsize=11.5,
        x=0.02,
        ha="left",
    )
    axes.legend(loc="lower right")
    return figure, axes
