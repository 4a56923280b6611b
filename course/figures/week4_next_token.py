"""Figures of the notebook on the next token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from course.figures.style import COLOURS, LINES, in_style, line, subplots

ROLES = ("first", "second", "third", "fourth", "fifth", "sixth")


@in_style
def loss_against_context(
    ngrams: Mapping[int, float], context_floors: Mapping[int, float], readers: Mapping[str, float], *, floor: float
) -> tuple[Figure, Axes]:
    """Draw every reader of the stories on one axis: losses against how many tokens to the left are seen.

    Args:
        ngrams: loss of an n-gram model in nats per token, by the number of tokens that it sees.
        context_floors: lowest possible loss of a reader who sees the last k tokens, by k.
        readers: loss of readers who see everything to the left, by name; the title is about the last one.
        floor: lowest possible loss of a reader who sees everything to the left.
    """
    figure, axes = subplots(height=4.3)
    axes.plot(*zip(*sorted(ngrams.items()), strict=True), **line("second"), label="n-grams, counted")
    axes.plot(*zip(*sorted(context_floors.items()), strict=True), **line("third"), label="best possible with k tokens")
    for role, (name, loss) in zip(("fourth", "first"), readers.items(), strict=False):
        axes.axhline(loss, color=COLOURS[role], linestyle=LINES[role], label=f"{name}: {loss:.3f}")
    axes.axhline(floor, color=COLOURS["floor"], linewidth=1.6, label=f"floor, all to the left: {floor:.3f}")
    axes.axhspan(0, floor, color="#EEEEEE", zorder=0)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_ylim(0.92 * floor, 1.05 * max(*ngrams.values(), *context_floors.values()))
    axes.set_yticks([0.8, 1.0, 1.2, 1.5, 2.0])
    axes.yaxis.set_minor_locator(NullLocator())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("tokens to the left that are seen, k")
    axes.set_ylabel("loss (nats per token)")
    name, loss = list(readers.items())[-1]
    k = max(context_floors)
    place = "below" if loss < context_floors[k] else "not below"
    name = name[0].upper() + name[1:]
    axes.set_title(f"{name} ends at {loss / floor:.2f} times the floor, {place} what {k} tokens can give")
    axes.legend(loc="upper right")
    return figure, axes


@in_style
def gaps_along_the_story(gaps: Mapping[str, Sequence[float]], *, per_point: int) -> tuple[Figure, Axes]:
    """Draw how far above the ideal reader each reader lies along a story; the ideal reader is the line at 0.

    Args:
        gaps: nats per token above the ideal reader, by the reader's name; the title is about the last one.
        per_point: how many positions are averaged in one point; the first point holds positions 1 to per_point.
    """
    figure, axes = subplots(height=3.8)
    n_points = max(len(gap) for gap in gaps.values())
    centres = [per_point * (k + 0.5) + 0.5 for k in range(n_points)]
    # The roles that LSTM and GPT have in loss_against_context.
    for role, (name, gap) in zip(("fourth", "first"), gaps.items(), strict=False):
        axes.plot(centres[: len(gap)], gap, **line(role), label=name)
    axes.axhline(0, color=COLOURS["floor"], linewidth=1.6, label="ideal reader (floor)")
    axes.set_xlim(centres[0] - per_point / 4, centres[-1] + per_point / 4)  # room for the outer markers
    axes.set_xlabel("position in the story (tokens)")
    axes.set_ylabel("above the ideal reader\n(nats per token)")
    name, gap = list(gaps.items())[-1]
    name = name[0].upper() + name[1:]
    axes.set_title(f"{name} is nowhere more than {max(gap):.3f} nats above the ideal reader")
    axes.legend(loc="upper left")
    return figure, axes


@in_style
def losses_below_the_floor(
    curves: Mapping[str, Sequence[float]], *, floor: float, smooth: int = 10
) -> tuple[Figure, Axes]:
    """Draw training losses against steps, and the region that no honest reader can reach.

    Args:
        curves: loss of each step in nats per token, by name.
        floor: lowest possible loss.
        smooth: steps that are averaged in one point.
    """
    figure, axes = subplots(height=4.0)
    n_steps = max(len(losses) for losses in curves.values())
    width = min(smooth, min(len(losses) for losses in curves.values()))
    ends = {}
    for role, (name, losses) in zip(ROLES, curves.items(), strict=False):
        means = [sum(losses[i : i + width]) / width for i in range(0, len(losses) - width + 1, width)]
        steps = [width * (i + 0.5) for i in range(len(means))]
        axes.plot(steps, means, **line(role, markers=False), label=name)
        ends[name] = means[-1]
    axes.axhline(floor, color=COLOURS["floor"], linewidth=1.6, label="floor")
    axes.axhspan(0, floor, color="#EEEEEE", zorder=0)
    axes.text(0.985 * n_steps, 0.94 * floor, "no honest reader comes here", ha="right", va="top", fontsize=9)
    axes.set_xlim(0, n_steps)
    axes.set_ylim(0, 4 * floor)
    axes.set_xlabel("training steps")
    axes.set_ylabel("training loss (nats per token)")
    below = sum(loss < floor for loss in ends.values())
    axes.set_title(f"{below} of {len(curves)} losses end below the floor: something leaks")
    axes.legend(loc="upper right")
    return figure, axes
