"""Figures of the notebook on using an encoder: scores against labels, and against how much of the text is hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter

from course.figures.style import COLOURS, in_style, line, subplots

ROLES = ("first", "second", "third", "fourth", "fifth", "sixth")
Estimate = tuple[float, float]  # mean over seeds, half the width of its interval


@in_style
def scores_by_labels(
    n_labels: Mapping[str, Sequence[int]],
    curves: Mapping[str, Mapping[str, Sequence[Estimate]]],
    best: Mapping[str, float],
    units: Mapping[str, str],
    *,
    title: str,
) -> tuple[Figure, list[Axes]]:
    """Draw, task by task, what a reader achieves with so many labelled stories.

    Args:
        n_labels: by task, the numbers of labelled stories.
        curves: by task and reader, for each number of labels the mean over seeds and half the interval's width.
        best: by task, what the ideal reader achieves.
        units: by task, what is measured: "accuracy", or "F1 over entities".
        title: the finding.
    """
    figure, panels = subplots(1, len(curves), height=3.9, sharey=True)
    panels = panels if isinstance(panels, list) else [panels]
    for axes, (task, by_reader) in zip(panels, curves.items(), strict=True):
        for role, (reader, estimates) in zip(ROLES, by_reader.items(), strict=False):
            means, halves = zip(*estimates, strict=True)
            axes.errorbar(n_labels[task], means, yerr=halves, capsize=2.5, elinewidth=1.2, **line(role), label=reader)
        axes.axhline(best[task], color=COLOURS["floor"], linewidth=1.6, label="ideal reader")
        axes.set_xscale("log")
        axes.set_xticks(n_labels[task], [f"{n:,}" for n in n_labels[task]])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(task, fontsize=10.5, fontweight="normal")
        axes.set_ylabel(units[task] if axes is panels[0] or units[task] != "accuracy" else "")
    panels[0].set_ylim(0, 1.04)
    panels[0].yaxis.set_major_formatter(PercentFormatter(1.0))
    panels[len(panels) // 2].set_xlabel("labelled stories")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4)
    return figure, panels


@in_style
def scores_by_seed(
    scores: Mapping[str, Mapping[str, Sequence[float]]], best: Mapping[str, float], *, title: str
) -> tuple[Figure, Axes]:
    """Draw one dot for each seed, readers under each other, a block for each task; the ideal reader as a bar.

    Args:
        scores: by task and reader, one score a seed.
        best: by task, what the ideal reader achieves.
        title: the finding.
    """
    n_rows = sum(map(len, scores.values())) + len(scores)
    figure, axes = subplots(height=1.3 + 0.34 * n_rows)
    at, ticks, named = 0.0, [], set()
    for task, by_reader in scores.items():
        axes.text(0.002, at, task, transform=axes.get_yaxis_transform(), fontweight="bold", va="center")
        axes.plot([best[task]] * 2, [at - 0.3, at + len(by_reader) + 0.4], color=COLOURS["floor"], linewidth=1.8)
        axes.annotate(
            "ideal", (best[task], at - 0.3), xytext=(-3, -2), textcoords="offset points", ha="right", fontsize=9
        )
        for role, (reader, values) in zip(ROLES, by_reader.items(), strict=False):
            at += 1
            dots = {**line(role), "linestyle": "none", "markersize": 6.5, "alpha": 0.75}
            axes.plot(values, [at] * len(values), **dots, label=None if reader in named else reader)
            axes.plot([sum(values) / len(values)] * 2, [at - 0.28, at + 0.28], color=COLOURS[role], linewidth=2.4)
            ticks.append((at, reader))
            named.add(reader)
        at += 1.4
    axes.set_yticks([y for y, _ in ticks], [name for _, name in ticks])
    axes.set_ylim(at - 0.6, -0.8)
    axes.set_xlim(0, 1.03)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("score on stories that nobody trained on; a dot is one seed, a bar their mean")
    axes.set_title(title)
    return figure, axes


@in_style
def accuracy_by_hidden(
    rates: Sequence[float],
    accuracies: Mapping[str, Sequence[float]],
    best: Sequence[float],
    *,
    chance: float,
    title: str,
) -> tuple[Figure, Axes]:
    """Draw the accuracy of readers who see less and less of each story, under that of the ideal reader.

    Args:
        rates: shares of words that are hidden.
        accuracies: by the reader's name, at each rate.
        best: the ideal reader's accuracy at each rate.
        chance: accuracy of guessing.
        title: the finding.
    """
    figure, axes = subplots(height=3.7)
    axes.plot(rates, best, color=COLOURS["floor"], linewidth=1.8, marker="_", label="ideal reader: exact Bayes")
    for role, (name, values) in zip(ROLES, accuracies.items(), strict=False):
        axes.plot(rates, values, **line(role), label=name)
    axes.axhline(chance, color=COLOURS["muted"], linestyle=":", linewidth=1.4, label="guessing")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("share of the words that are hidden")
    axes.set_ylabel("accuracy")
    axes.set_ylim(min(chance, *(min(v) for v in accuracies.values())) - 0.05, 1.03)
    axes.set_title(title)
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.2))
    return figure, axes
