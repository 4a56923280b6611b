"""Figures of the notebook on forgetting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course.figures.style import COLOURS, in_style, line, subplots
from course.training import History

ROLES = ("first", "second", "third", "fourth", "fifth", "sixth")


@in_style
def gradient_by_lag(curves: Mapping[str, Sequence[float]], *, float_limit: float = 1.2e-7) -> tuple[Figure, Axes]:
    """Draw how much of an input k steps back is left in the last state, on a logarithmic axis.

    Args:
        curves: Frobenius norm of the Jacobian by lag, divided by the one at lag 0, by the network's name; the title
            compares the first with the last.
        float_limit: the baseline: a share that a float32 sum no longer notices.
    """
    figure, axes = subplots(height=4.1)
    for role, (name, norms) in zip(ROLES, curves.items(), strict=False):
        axes.plot(range(len(norms)), norms, **line(role, markers=False), label=name)
    axes.axhline(float_limit, color=COLOURS["muted"], linestyle=":", linewidth=1.4)
    axes.annotate(
        "smallest share that float32 still adds to 1",
        (0.3, float_limit),
        xytext=(0, 4),
        textcoords="offset points",
        fontsize=9,
        color=COLOURS["muted"],
    )
    axes.set_yscale("log")
    axes.set_xlim(0, max(len(norms) for norms in curves.values()) - 1)
    axes.set_xlabel("lag (tokens between the input and the last state)")
    axes.set_ylabel("gradient norm, as a share\nof that of the last token")
    (first, faded), *_, (last, kept) = curves.items()
    lag = len(kept) - 1
    axes.set_title(f"After {lag} tokens: {_power(faded[lag])} in the {first}, {_power(kept[lag])} in the {last}")
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.17))
    return figure, axes


def _power(share: float) -> str:
    """Return a share as a power of ten, rounded: 3e-7 becomes $10^{-7}$."""
    return f"$10^{{{round(math.log10(share))}}}$" if share < 0.01 else f"{share:.2f}"


@in_style
def recall_race(histories: Mapping[str, History], *, chance: float) -> tuple[Figure, Axes]:
    """Draw the share of queries answered against the CPU time spent on training.

    Args:
        histories: with accuracies between 0 and 1 as evaluations, by the reader's name.
        chance: accuracy of one who remembers nothing.
    """
    figure, axes = subplots(height=4.0)
    for role, (name, history) in zip(ROLES, histories.items(), strict=False):
        seconds = [0.0, *history.cpu_seconds]
        percent = [100 * accuracy for accuracy in (chance, *history.evaluations)]
        axes.plot(seconds, percent, **line(role), label=f"{name}: {percent[-1]:.0f}%")
    axes.axhline(100 * chance, color=COLOURS["floor"], linewidth=1.2, linestyle=":")
    axes.annotate(
        f"chance: {100 * chance:.0f}%",
        (1.0, 100 * chance),
        xycoords=("axes fraction", "data"),
        xytext=(0, 4),
        textcoords="offset points",
        ha="right",
        fontsize=9.5,
    )
    axes.set_ylim(0, 104)
    axes.set_xlim(0, None)
    axes.set_xlabel("CPU time spent on training (s)")
    axes.set_ylabel("queries answered (%)")
    best = max(histories, key=lambda name: histories[name].evaluations[-1])
    others = max(history.evaluations[-1] for name, history in histories.items() if name != best)
    recalled = histories[best].evaluations[-1]
    axes.set_title(f"{best[0].upper()}{best[1:]}: {recalled:.0%} recalled; no other gets beyond {others:.0%}")
    figure.legend(loc="outside lower center", ncols=3)
    return figure, axes


@in_style
def sense_by_words_seen(
    words: Sequence[str],
    homonym_at: int,
    posteriors: Mapping[str, Sequence[float]],
    *,
    sense: str,
    prior: float,
) -> tuple[Figure, Axes]:
    """Draw the probability of one sense of a homonym as the words of its story are read one by one.

    Args:
        words: what is read, from left to right.
        homonym_at: index of the homonym among them.
        posteriors: probability after each word, by the reader's name; one a word.
        sense: the one whose probability is drawn.
        prior: its probability before anything is read.
    """
    figure, axes = subplots(height=4.2)
    steps = range(len(words))
    for role, (name, probabilities) in zip(ROLES, posteriors.items(), strict=False):
        axes.plot(steps, probabilities, **line(role), label=name, clip_on=False)
    axes.axhline(prior, color=COLOURS["muted"], linestyle=":", linewidth=1.4, label="before reading (prior)")
    axes.axvline(homonym_at, color=COLOURS["floor"], linewidth=1.0)
    axes.annotate(
        f"“{words[homonym_at]}” is read here",
        (homonym_at, 0.03),
        xytext=(4, 0),
        textcoords="offset points",
        rotation=90,
        va="bottom",
        fontsize=9,
    )
    axes.set_xticks(list(steps), words, rotation=60, ha="right", rotation_mode="anchor", fontsize=9)
    axes.set_ylim(0, 1)
    axes.set_xlim(-0.5, len(words) - 0.5)
    axes.set_ylabel(f"probability of the sense\n“{sense}”")
    axes.set_xlabel("words read so far, up to this one")
    name, probabilities = list(posteriors.items())[-1]
    at, end = probabilities[homonym_at], probabilities[-1]
    axes.set_title(f"At “{words[homonym_at]}” the {name} is at {at:.2f}, some words later at {end:.2f}")
    figure.legend(loc="outside lower center", ncols=3)
    return figure, axes
