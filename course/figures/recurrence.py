"""Figures of the notebook on recurrence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from course.figures.style import COLOURS, in_style, line, subplots

ROLES = ("first", "second", "third", "fourth", "fifth", "sixth")


@in_style
def loss_by_position(
    losses: Mapping[str, Sequence[float]], floor: Sequence[float], *, per_point: int
) -> tuple[Figure, Axes]:
    """Draw the loss along a story, one curve a reader, over the floor.

    Args:
        losses: nats per token, by the reader's name; the last one is the one that the title compares with the floor.
        floor: the ideal reader's, of the same length.
        per_point: how many positions are averaged in one point; the first point holds positions 1 to per_point.
    """
    figure, axes = subplots(height=4.1)
    centres = [per_point * (k + 0.5) + 0.5 for k in range(len(floor))]
    for role, (name, curve) in zip(ROLES, losses.items(), strict=False):
        axes.plot(centres, curve, **line(role), label=name)
    axes.plot(centres, floor, color=COLOURS["floor"], linewidth=1.6, label="ideal reader (floor)")
    axes.fill_between(centres, 0, floor, color="#EEEEEE", zorder=0)
    axes.set_ylim(0, None)
    axes.set_xlim(centres[0] - per_point / 4, centres[-1] + per_point / 4)  # room for the outer markers
    axes.set_xlabel("position in the story (tokens)")
    axes.set_ylabel("loss (nats per token)")
    name, curve = list(losses.items())[-1]
    above = max(c - f for c, f in zip(curve, floor, strict=True))
    axes.set_title(f"All along the story, {name} stays within {above:.2f} nats of the ideal reader")
    axes.legend(loc="upper center", ncols=4, bbox_to_anchor=(0.5, -0.16))
    return figure, axes


@in_style
def time_against_length(
    lengths: Sequence[int],
    recurrence: Sequence[float],
    parallel: Sequence[float],
) -> tuple[Figure, Axes]:
    """Draw how long T steps take one after the other, and as one matrix product over all positions.

    Args:
        lengths: T, tokens.
        recurrence: seconds for T steps, each waiting for the one before.
        parallel: seconds for one product over the T positions at once.
    """
    figure, axes = subplots(height=3.9)
    axes.plot(lengths, [1e3 * s for s in recurrence], **line("second"), label="recurrence: T steps in a row")
    axes.plot(
        lengths, [1e3 * s for s in parallel], **line("first"), label="same weights, one product over all positions"
    )
    ideal = [1e3 * recurrence[0] * length / lengths[0] for length in lengths]
    axes.plot(lengths, ideal, color=COLOURS["muted"], linestyle=":", linewidth=1.4, label="proportional to T")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xticks(lengths)
    axes.minorticks_off()
    axes.set_xlabel("length T (tokens)")
    axes.set_ylabel("time of one forward pass (ms)")
    ratio = recurrence[-1] / parallel[-1]
    axes.set_title(f"At T = {lengths[-1]} the recurrence takes {ratio:.0f} times as long as the product")
    axes.legend(loc="upper left")
    return figure, axes
