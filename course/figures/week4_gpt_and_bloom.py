"""Figures of the notebook on GPT-2 and BLOOM: the reach of heads, two layouts of one map, texts that are too long."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from course.figures.style import COLOURS, in_style, line, subplots

ROLES = ("second", "first", "third", "fourth", "fifth", "sixth")
PARTS = {"query": "first", "key": "fifth", "value": "third"}


@in_style
def reach_of_heads(bias_HTT: Tensor, slopes_H: Tensor) -> tuple[Figure, list[Axes]]:
    """Draw the first head's bias as a matrix, and what each head's last token sees where all products are equal.

    Args:
        bias_HTT: float [H,T,T], added to the scores; at most six heads.
        slopes_H: float [H], for the legend.
    """
    length = bias_HTT.shape[1]
    future = bias_HTT.new_ones(length, length).triu(1).bool()
    seen_TT = bias_HTT[0].masked_fill(future, float("nan"))
    figure, (matrix, curves) = subplots(1, 2, height=3.7, width_ratios=[1, 1.25])
    image = matrix.imshow(seen_TT.numpy(), cmap="cividis", interpolation="nearest")
    figure.colorbar(image, ax=matrix, shrink=0.75, label="added to the score")
    matrix.set_xlabel("key j")
    matrix.set_ylabel("query i")
    matrix.grid(False)
    matrix.set_title("Bias of the first head")
    weights_HT = bias_HTT[:, -1].softmax(-1).flip(1)
    for role, slope, weights_T in zip(ROLES, slopes_H.tolist(), weights_HT, strict=False):
        curves.plot(range(length), weights_T.tolist(), **line(role, markers=False), label=f"slope {slope:.3g}")
    curves.axhline(1 / length, color=COLOURS["floor"], linewidth=1.2, label="no bias")
    curves.set_xlabel("distance of the key (tokens)")
    curves.set_ylabel("weight, all products equal")
    nearest = weights_HT[:, :8].sum(1)
    curves.set_title(f"Nearest 8 tokens: {nearest.max():.0%} to {nearest.min():.0%}")
    curves.legend(loc="upper right")
    return figure, [matrix, curves]


@in_style
def fused_layouts(n_heads: int) -> tuple[Figure, list[Axes]]:
    """Draw in which order GPT-2 and BLOOM keep the heads' queries, keys and values in their fused map.

    Args:
        n_heads: H.
    """
    gpt2 = [(part, head) for part in PARTS for head in range(n_heads)]
    bloom = [(part, head) for head in range(n_heads) for part in PARTS]
    rows = {"GPT-2, columns of c_attn": gpt2, "BLOOM, rows of query_key_value": bloom}
    figure, panels = subplots(2, 1, height=2.7)
    for axes, (name, pieces) in zip(panels, rows.items(), strict=True):
        for place, (part, head) in enumerate(pieces):
            colour = COLOURS[PARTS[part]]
            axes.add_patch(Rectangle((place, 0), 1, 1, facecolor=to_rgba(colour, 0.35), edgecolor="white", lw=2))
            axes.text(place + 0.5, 0.5, f"{part}\nhead {head}", ha="center", va="center", fontsize=8)
        axes.vlines([n_heads, 2 * n_heads], -0.1, 1.1, color=COLOURS["floor"], linewidth=1.4, linestyle="--")
        axes.set_xlim(0, len(pieces))
        axes.set_ylim(-0.15, 1.15)
        axes.axis("off")
        axes.set_title(name, fontsize=10.5)
    figure.suptitle(
        "The same pieces in another order; dashed: cut in thirds", x=0.01, ha="left", fontsize=11.5, fontweight="bold"
    )
    return figure, panels


@in_style
def loss_beyond_training(
    losses: Mapping[str, Tensor], floor_BT: Tensor, real_BT: Tensor, *, trained_len: int, per_point: int = 4
) -> tuple[Figure, Axes]:
    """Draw the loss along texts that are longer than those of the training.

    Args:
        losses: float [B,T] by the reader's name, nats: column t is the loss of the token at position t + 1, counted
            from 0. The title is about the first two.
        floor_BT: the ideal reader's, likewise.
        real_BT: bool [B,T], True where the token is real.
        trained_len: tokens of a training text: positions from trained_len on were never trained.
        per_point: how many positions are averaged in one point, none of them across trained_len. The first may hold
            fewer, and so may the last, where few texts are left.
    """

    n_real = int(real_BT.any(0).sum())
    edges = sorted({0, *range((trained_len - 1) % per_point, n_real, per_point), n_real})
    parts = [slice(start, end) for start, end in pairwise(edges)]

    def curve(losses_BT: Tensor) -> list[float]:
        return [losses_BT[:, part][real_BT[:, part]].mean().item() for part in parts]

    curves, floor = {name: curve(values) for name, values in losses.items()}, curve(floor_BT)
    centres = [(part.start + 1 + part.stop) / 2 for part in parts]
    figure, axes = subplots(height=4.1)
    for role, (name, values) in zip(ROLES, curves.items(), strict=False):
        axes.plot(centres, values, **line(role), label=name)
    axes.plot(centres, floor, color=COLOURS["floor"], linewidth=1.6, label="ideal reader (floor)")
    axes.axvline(trained_len - 0.5, color=COLOURS["muted"], linewidth=1.2)
    top = max(max(values) for values in curves.values())
    axes.text(trained_len - 1.2, 0.97 * top, "trained to here", ha="right", va="top", fontsize=9)
    axes.set_ylim(0, 1.05 * top)
    axes.set_xlabel("position in the story (tokens)")
    axes.set_ylabel("loss (nats per token)")
    beyond = real_BT.clone()
    beyond[:, : trained_len - 1] = False
    first, second = ((name, values[beyond].mean().item()) for name, values in list(losses.items())[:2])
    axes.set_title(f"Beyond {trained_len} tokens: {first[0]} {first[1]:.2f} nats, {second[0]} {second[1]:.2f}")
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.16))
    return figure, axes
