"""Figures of the notebook on heads and positions: what positions look like, and what attention costs."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter
from torch import Tensor

from course.figures.style import COLOURS, in_style, line, subplots


@in_style
def position_encodings(encodings: Tensor, *, at: Sequence[int]) -> tuple[Figure, list[Axes]]:
    """Draw the encodings as a picture, and dot products with the other positions against the distance to them.

    Args:
        encodings: float [T,D].
        at: the positions whose products are drawn, one curve each.
    """
    figure, (left, right) = subplots(1, 2, height=3.6, width_ratios=[1.25, 1])
    shown = left.imshow(encodings.numpy(), cmap="RdBu", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    left.grid(visible=False)
    left.set_xlabel("channel (sine, cosine, sine, ...)")
    left.set_ylabel("position t (tokens)")
    left.set_title("Clock hands, fast ones on the left")
    figure.colorbar(shown, ax=left, shrink=0.85, pad=0.02)
    for role, width, t in zip(("first", "second", "third"), (5.0, 3.0, 1.6), at, strict=False):
        distances = [s - t for s in range(len(encodings))]
        style = {**line(role, markers=False), "linewidth": width}  # the curves coincide: the widest lies below
        right.plot(distances, encodings @ encodings[t], **style, label=f"t = {t}")
    right.axhline(0, color=COLOURS["muted"], linestyle=":", linewidth=1.4)
    right.set_xlabel("distance s - t (tokens)")
    right.set_ylabel("dot product of positions t and s")
    right.set_title("Only the distance counts")
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 0.06), ncols=len(at), handlelength=1.6, columnspacing=1.0)
    return figure, [left, right]


@in_style
def cost_against_length(
    lengths: Sequence[int],
    seconds: tuple[Sequence[float], Sequence[float]],
    kept: tuple[Sequence[int], Sequence[int]],
    *,
    crossings: tuple[float | None, float | None],
) -> tuple[Figure, list[Axes]]:
    """Draw time and memory of a recurrence and of attention against the length of the text.

    Args:
        lengths: T, tokens.
        seconds: of a forward and backward pass: recurrence, attention.
        kept: bytes kept for the backward pass: recurrence, attention.
        crossings: the length from which attention costs more, in time and in memory; None where it never does.
    """
    figure, panels = subplots(1, 2, height=3.9)
    for ax, curves, unit, scale in zip(
        panels,
        (seconds, kept),
        ("time of a forward and backward pass (ms)", "kept for the backward pass (MiB)"),
        (1e3, 2**-20),
        strict=True,
    ):
        for role, name, curve in zip(("second", "first"), ("recurrence", "attention"), curves, strict=True):
            ax.plot(lengths, [scale * value for value in curve], **line(role), label=name)
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.set_xticks(lengths)
        ax.tick_params(axis="x", labelsize=9)
        ax.minorticks_off()
        ax.set_xlabel("length T (tokens)")
        ax.set_ylabel(unit)
    for ax, crossing, what in zip(panels, crossings, ("faster", "smaller"), strict=True):
        if crossing is None:
            ax.set_title(f"Attention is always {what}")
            continue
        if crossing <= lengths[0]:
            ax.set_title(f"Recurrence is always {what}")
            continue
        rounded = float(f"{crossing:.1g}")  # one figure: a measured time is no more exact
        ax.set_title(f"Attention is {what} up to T ≈ {rounded:,.0f}")
        ax.axvline(crossing, color=COLOURS["muted"], linestyle=":", linewidth=1.4)
    panels[0].legend(loc="upper left")
    return figure, panels
