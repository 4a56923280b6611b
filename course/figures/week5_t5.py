"""Figures of week 5, notebook 2: buckets, the loss and its floor, learned biases, guesses alone and in a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from course.figures.style import COLOURS, in_style, line, subplots


@in_style
def bucket_maps(maps: Mapping[str, np.ndarray], *, n_buckets: int) -> tuple[Figure, list[Axes]]:
    """Draw the bucket of each pair of positions, one panel a side.

    Args:
        maps: [T,S], bucket of query t and memory s, by name; "decoder" is drawn without its future.
        n_buckets: buckets in all.
    """
    figure, panels = subplots(1, len(maps), height=3.9)
    for axes, (name, values) in zip(panels, maps.items(), strict=True):
        shown = np.asarray(values).astype(float)
        if name == "decoder":
            shown[np.triu_indices_from(shown, 1)] = np.nan
        image = axes.imshow(shown, cmap="viridis", vmin=0, vmax=n_buckets - 1, interpolation="nearest")
        axes.grid(visible=False)
        axes.set_xlabel("memory position, s")
        axes.set_ylabel("query position, t")
        axes.set_title(f"{name}: {len(np.unique(shown[~np.isnan(shown)]))} buckets in use")
    figure.colorbar(image, ax=panels, label="bucket", shrink=0.8)
    return figure, panels


@in_style
def loss_and_floor(
    losses: Sequence[float], model: Mapping[str, float], ideal: Mapping[str, float], *, floor: float
) -> tuple[Figure, list[Axes]]:
    """Draw the training loss against steps with the floor beneath, and what kinds of targets cost on unseen stories.

    Args:
        losses: of each step, in nats per target.
        model: mean loss by kind of target.
        ideal: the ideal reader's, the same kinds.
        floor: the ideal reader's mean loss over all targets of unseen stories.
    """
    figure, (left, right) = subplots(1, 2, height=3.7, width_ratios=[1.25, 1])
    width = max(1, len(losses) // 80)
    means = [np.mean(losses[i : i + width]) for i in range(0, len(losses) - width + 1, width)]
    steps = width * (np.arange(len(means)) + 0.5)
    left.plot(steps, means, **line("first", markers=False), label="your T5, training batches")
    left.axhline(floor, color=COLOURS["floor"], linewidth=1.6, label=f"floor: {floor:.3f}")
    left.set_yscale("log")
    left.set_ylim(0.8 * floor, 1.1 * max(means))
    left.set_yticks([tick for tick in (0.3, 0.5, 1, 2, 4) if 0.8 * floor <= tick <= 1.1 * max(means)])
    left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    left.yaxis.set_minor_locator(NullLocator())
    left.set_xlabel("training steps")
    left.set_ylabel("loss (nats per target)")
    left.set_title(f"The loss ends at {means[-1]:.2f} nats")
    left.legend()
    _bars(right, model, ideal)
    return figure, [left, right]


def _bars(axes: Axes, model: Mapping[str, float], ideal: Mapping[str, float]) -> None:
    places = np.arange(len(model))
    for shift, role, name, values in ((-0.2, "first", "your T5", model), (0.2, "muted", "ideal reader", ideal)):
        heights = [values[kind] for kind in model]
        axes.bar(places + shift, heights, width=0.36, color=COLOURS[role], label=name)
        for x, height in zip(places + shift, heights, strict=True):
            axes.annotate(f"{height:.2f}", (x, height), xytext=(0, 3), textcoords="offset points", ha="center")
    axes.set_xticks(places, list(model))
    axes.set_ylim(0, 1.25 * max(*model.values(), *ideal.values(), 0.01))
    axes.set_ylabel("loss (nats per target)")
    gaps = {kind: model[kind] - ideal[kind] for kind in model}
    axes.set_title(f"The widest gap: {max(gaps, key=gaps.get)}")
    axes.legend()


@in_style
def bias_by_distance(biases: Mapping[str, np.ndarray], distances: Sequence[int]) -> tuple[Figure, list[Axes]]:
    """Draw each head's learned bias by relative position as a row of colours, one panel a side.

    Args:
        biases: [H,N], by side; the decoder's at positions above 0 is not drawn.
        distances: [N], memory position minus query position, one after the other.
    """
    figure, panels = subplots(1, len(biases), height=3.7, sharey=True)
    limit = max(np.abs(values).max() for values in biases.values())
    for axes, (name, values) in zip(panels, biases.items(), strict=True):
        shown = np.array(values, dtype=float)
        if name == "decoder":
            shown[:, np.array(distances) > 0] = np.nan
        edges = min(distances) - 0.5, max(distances) + 0.5, len(shown) - 0.5, -0.5
        image = axes.imshow(
            shown, cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest", extent=edges
        )
        axes.grid(visible=False)
        axes.axvline(0, color=COLOURS["floor"], linewidth=0.8)
        axes.set_xlabel("relative position, s - t")
        axes.set_yticks(range(len(shown)))
        axes.set_title(f"{name}: from {np.nanmin(shown):.1f} to {np.nanmax(shown):.1f}")
    panels[0].set_ylabel("head")
    figure.colorbar(image, ax=panels, label="added to the score", shrink=0.9)
    return figure, panels


@in_style
def joint_against_marginal(
    lengths: Sequence[int],
    alone: Sequence[float],
    chained: Sequence[float],
    impossible: Mapping[str, Sequence[float]],
) -> tuple[Figure, list[Axes]]:
    """Draw what spans cost when their tokens are guessed alone or in a chain, and how often the guesses do not fit.

    Args:
        lengths: of the spans, in tokens.
        alone: mean loss of a span in nats, each token guessed by itself.
        chained: the same, each token guessed with those before it known.
        impossible: share of the filled stories that no story can be, from 0 to 1, by way of guessing.
    """
    figure, (left, right) = subplots(1, 2, height=3.7)
    left.plot(lengths, alone, **line("second"), label="each by itself")
    left.plot(lengths, chained, **line("first"), label="one after the other")
    left.fill_between(lengths, chained, alone, color=COLOURS["second"], alpha=0.15)
    left.set_ylabel("cost of a span (nats)")
    left.set_ylim(0, None)
    left.set_title(f"{lengths[-1]} tokens: {alone[-1] - chained[-1]:.1f} nats more")
    for role, (name, shares) in zip(("second", "first"), impossible.items(), strict=True):
        right.plot(lengths, shares, **line(role), label=name)
    right.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    right.set_ylim(-0.03, 1)
    right.set_ylabel("stories that cannot be")
    right.set_title(f"{lengths[-1]} tokens: {max(shares[-1] for shares in impossible.values()):.0%} nonsense")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("hidden tokens in a row")
        axes.legend(loc="upper left")
    return figure, [left, right]
