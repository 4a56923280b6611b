"""Figures of the notebook on n-grams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from course.figures.style import COLOURS, in_style, line, subplots


@dataclass(frozen=True)
class Counted:
    """What n-grams counted on one amount of text achieve; index n - 1 belongs to order n.

    Attributes:
        name: such as "300 stories".
        train, valid: loss in nats per token on stories that were counted, and on others.
        table_sizes: entries of the tables.
    """

    name: str
    train: Sequence[float]
    valid: Sequence[float]
    table_sizes: Sequence[int]


@in_style
def loss_against_context(
    few: Counted, many: Counted, *, floor: float, context_floors: Mapping[int, float]
) -> tuple[Figure, list[Axes]]:
    """Draw the loss of n-gram models of order 1, 2, ... above the sizes of their tables.

    Args:
        few, many: the same models counted on little and on much text.
        floor: the loss of the ideal reader, who sees everything to the left.
        context_floors: the lowest possible loss given the last k tokens, by k.
    """
    figure, (top, bottom) = subplots(2, 1, height=6.4, sharex=True, height_ratios=[2.6, 1])
    orders = range(1, len(many.valid) + 1)
    for role, counted in (("second", few), ("first", many)):
        seen = {**line(role, markers=False), "linestyle": ":", "linewidth": 1.6}
        top.plot(orders, counted.valid, **line(role), label=f"counted {counted.name}, tested on unseen ones")
        top.plot(orders, counted.train, **seen, label=f"counted {counted.name}, tested on the same")
        bottom.plot(orders, counted.table_sizes, **line(role))
        bottom.annotate(
            f"{counted.table_sizes[-1]:,}",
            (orders[-1], counted.table_sizes[-1]),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=COLOURS[role],
        )
    reachable = [(k + 1, loss) for k, loss in sorted(context_floors.items()) if k + 1 <= len(orders)]
    top.plot(*zip(*reachable, strict=True), **line("third"), zorder=1.9, label="best possible with the same context")
    top.axhline(floor, color=COLOURS["floor"], linewidth=1.6, label="floor: best possible with the whole story so far")
    best = min(orders, key=lambda n: many.valid[n - 1])
    top.set_title(f"Counting gets down to {many.valid[best - 1]:.2f} nats, at n = {best}; the floor is {floor:.2f}")
    top.set_ylabel("loss (nats per token)")
    top.set_yscale("log")
    top.set_ylim(min(floor, *few.train, *many.train) * 0.85, max(*few.valid, *many.valid) * 1.12)
    top.set_yticks([0.5, 1, 2, 4])
    top.yaxis.set_minor_locator(NullLocator())
    top.yaxis.set_major_formatter(FuncFormatter(lambda loss, _: f"{loss:g}"))
    top.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.48, -0.04), fontsize=8.8)
    bottom.set_yscale("log")
    bottom.set_ylabel("entries in\nthe table")
    bottom.set_xlabel("n (the model sees the last n - 1 tokens)")
    bottom.set_xlim(0.6, len(orders) + 0.7)
    bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure, [top, bottom]
