"""Figures of the notebook that compares the three objectives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter

from course.figures.style import COLOURS, MARKERS, in_style, line, subplots

ROLES = {"masked": "first", "causal": "second", "span": "third"}
Number = float | None
HALO = withStroke(linewidth=3.5, foreground="white")  # so that a number can be read on a line


@in_style
def gaps_by_compute(
    curves: Mapping[str, Sequence[Sequence[tuple[float, float]]]], *, title: str, lowest: float = 0.02
) -> tuple[Figure, Axes]:
    """Draw how far each objective's loss stands above its floor, against what was paid so far.

    Args:
        curves: for each objective its runs, each a list of (FLOPs so far, gap in nats).
        title: states the finding.
        lowest: smaller gaps, and gaps below 0, are drawn here: the axis is logarithmic.
    """
    figure, axes = subplots(height=3.9)
    for name, runs in curves.items():
        for n, points in enumerate(runs):
            spent, gaps = zip(*points, strict=True)
            style = line(ROLES[name], markers=False) | {"linewidth": 1.6, "alpha": 0.85}
            axes.plot(spent, [max(gap, lowest) for gap in gaps], **style, label=None if n else name)
    axes.axhline(lowest, color=COLOURS["floor"], linewidth=1.6, label=f"floor, or less than {lowest:g} above it")
    axes.set_yscale("log")
    axes.set_xlim(left=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("compute so far (FLOPs, 6 N D)")
    axes.set_ylabel("training loss above the floor\n(nats per target)")
    axes.set_title(title)
    axes.legend(loc="upper center", ncols=4, bbox_to_anchor=(0.5, -0.2))  # curves may end anywhere
    return figure, axes


@in_style
def losses_over_floors(losses: Mapping[str, Sequence[float]], floors: Mapping[str, float]) -> tuple[Figure, Axes]:
    """Draw each objective's loss as its floor and what stands above it, with a dot for each seed.

    Args:
        losses: test losses in nats per target by objective, one a seed.
        floors: the ideal reader's losses on the same targets.
    """
    figure, axes = subplots(height=3.4)
    means = {name: sum(values) / len(values) for name, values in losses.items()}
    for place, (name, values) in enumerate(losses.items()):
        axes.barh(place, floors[name], height=0.5, color="#BBBBBB", label=None if place else "floor: nobody avoids it")
        gap = means[name] - floors[name]
        axes.barh(place, gap, 0.5, left=floors[name], color=COLOURS[ROLES[name]], alpha=0.75)
        axes.plot(values, [place] * len(values), marker=MARKERS[ROLES[name]], linestyle="", color="#222222")
        axes.annotate(
            f"{means[name]:.3f} = {floors[name]:.3f} + {gap:.3f}",
            (max(*values, floors[name]), place),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=9.5,
        )
    axes.set_yticks(range(len(losses)), list(losses))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.45 * max(max(values) for values in losses.values()))
    axes.set_xlabel("test loss (nats per target)")
    lowest = min(means, key=means.__getitem__)
    nearest = min(means, key=lambda name: means[name] - floors[name])
    says = "is nearest its floor too" if lowest == nearest else f"but {nearest} is nearest its floor"
    axes.set_title(f"Lowest loss: {lowest}, {says}")
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.2))
    return figure, axes


@in_style
def scores_by_family(
    panels: Mapping[str, Mapping[str, Sequence[Number]]],
    random_starts: Mapping[str, Mapping[str, Sequence[Number]]],
    marks: Mapping[str, float],
    *,
    title: str,
) -> tuple[Figure, list[Axes]]:
    """Draw what the models are good for, a panel for each task, a dot for each seed.

    Args:
        panels: for each task {objective: one share a seed}; None where the family cannot do it.
        random_starts: the same for models that were not pretrained, for some of the tasks.
        marks: for some of the tasks the share that guessing gets.
        title: states the finding.
    """
    n_columns = 3 if len(panels) <= 6 else 4
    n_rows = (len(panels) + n_columns - 1) // n_columns
    figure, all_axes = subplots(n_rows, n_columns, height=2.6 * n_rows, sharey=True)
    for axes, (task, by_name) in zip(all_axes, panels.items(), strict=False):
        for place, (name, values) in enumerate(by_name.items()):
            if any(value is None for value in values):
                axes.text(place, 0.04, "cannot", ha="center", fontsize=8.5, color=COLOURS["muted"], rotation=90)
                continue
            started = random_starts.get(task, {}).get(name, [])
            axes.plot([place + 0.14] * len(started), started, "x", color=COLOURS["muted"], markersize=5)
            axes.plot([place - 0.1] * len(values), values, MARKERS[ROLES[name]], color=COLOURS[ROLES[name]])
        if task in marks:
            axes.axhline(marks[task], color=COLOURS["muted"], linestyle=":", linewidth=1.2)
        axes.set_title(task, fontsize=10 if n_columns == 3 else 9, fontweight="normal")
        axes.set_xticks(range(len(by_name)), list(by_name))
        axes.tick_params(axis="x", labelsize=10 if n_columns == 3 else 8.5)
        axes.set_xlim(-0.5, len(by_name) - 0.5)
        axes.set_ylim(-0.04, 1.04)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    for axes in all_axes[len(panels) :]:
        axes.set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    return figure, all_axes


@in_style
def ranking(places: Mapping[str, Mapping[str, float]], shown: Mapping[str, Mapping[str, str]]) -> tuple[Figure, Axes]:
    """Draw who comes first, second and third by each measure, with a line for each objective.

    Args:
        places: for each measure {objective: place}, 1 for the best; who is equal shares a place.
        shown: for each measure {objective: what is written beside its mark}.
    """
    figure, axes = subplots(height=4.4)
    measures = list(places)
    for name, role in ROLES.items():
        heights = [places[measure][name] for measure in measures]
        style = line(role) | {"markersize": 9, "linewidth": 1.8}
        axes.plot(range(len(measures)), heights, **style, label=name)
    for x, measure in enumerate(measures):
        by_place: dict[float, list[str]] = {}
        for name in ROLES:
            by_place.setdefault(places[measure][name], []).append(shown[measure][name])
        for place, texts in by_place.items():
            text = " = ".join(dict.fromkeys(texts))
            above = {"xytext": (0, 10), "textcoords": "offset points", "ha": "center", "zorder": 10}
            axes.annotate(text, (x, place), **above, fontsize=8.5, path_effects=[HALO])
    axes.set_xticks(
        range(len(measures)), [measure.replace(", ", ",\n").replace(" to ", "\nto ") for measure in measures]
    )
    axes.tick_params(axis="x", labelsize=8.5)
    for label in axes.get_xticklabels():
        label.set(rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks([1, 2, 3], ["best", "second", "third"])
    axes.set_ylim(3.3, 0.6)
    axes.set_xlim(-0.5, len(measures) - 0.5)
    firsts = {name for measure in measures for name in ROLES if places[measure][name] == 1}
    count = {1: "One objective is", 2: "Two objectives are", 3: "Each of the three is"}[len(firsts)]
    axes.set_title(f"{count} best by some measure: which one do you need?", pad=30)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3)
    return figure, axes
