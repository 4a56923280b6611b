"""Figures of the notebook on generation, and sliders for the one that gains by them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter
from torch import Tensor

from course.figures.style import COLOURS, in_style, line, show, subplots, to_png

SESSION = "JPY_SESSION_NAME"  # Jupyter's server sets it for the kernel of a notebook that somebody has open


@in_style
def next_words(panels: Mapping[str, Tensor], words: Sequence[str], *, n_shown: int = 12) -> tuple[Figure, list[Axes]]:
    """Draw distributions over the next word side by side; words that are filtered out are named in grey.

    Args:
        panels: probabilities [V], by what the panel is called; the first one orders the words.
        words: the vocabulary, V words.
        n_shown: words drawn, the most probable of the first panel.
    """
    n_columns = min(3, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure, axes = subplots(n_rows, n_columns, height=2.9 * n_rows, sharex=True)
    axes = axes if isinstance(axes, list) else [axes]
    shown = next(iter(panels.values())).argsort(descending=True)[:n_shown].tolist()
    for panel, (name, probabilities) in zip(axes, panels.items(), strict=False):
        heights = probabilities[shown].tolist()
        panel.barh(range(len(shown)), heights, color=COLOURS["first"])
        panel.set_yticks(range(len(shown)), [words[i] for i in shown], fontsize=8.5)
        for height, label in zip(heights, panel.get_yticklabels(), strict=True):
            label.set_color("black" if height > 0 else "#B0B0B0")
        panel.invert_yaxis()
        panel.grid(axis="y", visible=False)
        panel.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        panel.set_title(
            f"{name}\n{int((probabilities > 0).sum())} word{'' if (probabilities > 0).sum() == 1 else 's'} left",
            fontsize=9.5,
        )
    for panel in axes[len(panels) :]:
        panel.set_axis_off()
    figure.supxlabel("probability of the next word", fontsize=10)
    return figure, axes


def explore(
    draw: Callable[..., Figure],
    sliders: Mapping[str, Sequence[object]],
    *,
    otherwise: Callable[[], Figure],
    alt: str,
    live: bool | None = None,
) -> None:
    """Show a figure with sliders where somebody can move them, and a figure that stands still everywhere else.

    Args:
        draw: a figure for one value of each slider, by keyword.
        sliders: the values of each slider, by name; each starts in the middle.
        otherwise: the figure for a saved notebook: with no kernel behind it no slider moves.
        alt: one sentence on that figure.
        live: whether somebody is there; None finds out.
    """
    if live is None:
        live = SESSION in os.environ
    if not live:
        show(otherwise(), alt=alt)
        return
    display(slider_box(draw, sliders))


def slider_box(draw: Callable[..., Figure], sliders: Mapping[str, Sequence[object]]) -> object:
    """Return a widget: a slider for each name above the figure that `draw` gives for their values."""
    from ipywidgets import HTML, Image, SelectionSlider, VBox

    controls = {
        name: SelectionSlider(options=list(values), value=values[len(values) // 2], description=name)
        for name, values in sliders.items()
    }
    picture, note = Image(format="png", width=760), HTML("Move a slider:")

    def update(_: object = None) -> None:
        picture.value = to_png(draw(**{name: control.value for name, control in controls.items()}))

    for control in controls.values():
        control.observe(update, names="value")
    update()
    return VBox([note, *controls.values(), picture])


@in_style
def judged_by_temperature(
    temperatures: Sequence[float],
    possible: Sequence[float],
    variety: Sequence[float],
    *,
    real_variety: float,
    n_texts: int,
) -> tuple[Figure, list[Axes]]:
    """Draw what the ideal reader says of texts drawn at several temperatures.

    Args:
        temperatures: rising.
        possible: share of the texts that the grammar can tell, 0 to 1; bars show two standard errors.
        variety: distinct pairs of neighbouring words per pair.
        real_variety: the same of as many real stories.
        n_texts: texts at each temperature.
    """
    figure, (left, right) = subplots(1, 2, height=3.5)
    errors = [2 * (share * (1 - share) / n_texts) ** 0.5 for share in possible]
    left.errorbar(temperatures, possible, yerr=errors, capsize=3, **line("first"), label="your samples")
    left.axhline(1, color=COLOURS["floor"], linewidth=1.6, label="real stories")
    left.set_ylim(0, 1.08)
    left.yaxis.set_major_formatter(PercentFormatter(1))
    left.set_ylabel("stories that the grammar can tell")
    near = max(possible) - 2 * (0.25 / n_texts) ** 0.5  # who is within the sampling error of the best is as good
    safe = max(t for t, share in zip(temperatures, possible, strict=True) if share >= near)
    left.set_title(f"Safe up to temperature {safe:g}")
    right.plot(temperatures, variety, **line("second"), label="your samples")
    right.axhline(real_variety, color=COLOURS["floor"], linewidth=1.6, label="real stories")
    right.set_ylabel("distinct pairs of words per pair")
    right.set_ylim(0, 1.15 * max(*variety, real_variety))
    nearest = min(range(len(variety)), key=lambda i: abs(variety[i] - real_variety))
    right.set_title(f"As varied as real ones near {temperatures[nearest]:g}")
    for axes in (left, right):
        axes.set_xlabel("temperature")
        axes.legend(loc="lower left")
    return figure, [left, right]


@in_style
def cost_of_writing(
    lengths: Sequence[int], seconds: Mapping[str, Sequence[float]], memory: Mapping[str, Sequence[float]]
) -> tuple[Figure, list[Axes]]:
    """Draw the time to write texts and the memory of their last step, against their length, on logarithmic axes.

    Args:
        lengths: tokens, each twice the one before.
        seconds: wall-clock time for the whole text, by way of writing.
        memory: bytes that the last step needs, by way of writing.
    """
    figure, (left, right) = subplots(1, 2, height=3.7)
    for axes, found, what in ((left, seconds, "time"), (right, memory, "memory")):
        for role, (name, values) in zip(("second", "first"), found.items(), strict=False):
            axes.plot(lengths, values, **line(role), label=name)
        for power, style in ((1, ":"), (2, "--")):
            start = min(values[0] for values in found.values()) / 2
            guide = [start * (n / lengths[0]) ** power for n in lengths]
            axes.plot(lengths, guide, color=COLOURS["muted"], linewidth=1, linestyle=style)
            axes.text(
                lengths[-1], guide[-1], f"slope {power}", fontsize=8, color=COLOURS["muted"], ha="right", va="top"
            )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(lengths)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("length of the text (tokens)")
        growth = " and ".join(f"× {values[-1] / values[-2]:.1f}" for values in found.values())
        axes.set_title(f"Twice as long: {what} {growth}", fontsize=9.8)
        axes.legend(loc="upper left")
    left.set_ylabel("time for the whole text (s)")
    right.set_ylabel("memory of the last step (bytes)")
    return figure, [left, right]
