"""Figures of the notebook on the Transformer: gradients by depth, and where reaching back pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course.figures.style import COLOURS, in_style, line, subplots

ROLES = ("first", "second", "third", "fourth", "fifth", "sixth")


@in_style
def gradient_by_layer(norms: Mapping[str, Sequence[float]], *, title: str) -> tuple[Figure, Axes]:
    """Draw the norm of the gradient that each layer's weights get, next to that of the last layer.

    Args:
        norms: by layer, the first one next to the input, by the kind of block.
        title: the finding.
    """
    figure, axes = subplots(height=3.7)
    for role, (name, values) in zip(ROLES, norms.items(), strict=False):
        axes.plot(range(1, len(values) + 1), values, **line(role), label=name)
    axes.axhline(1.0, color=COLOURS["muted"], linestyle=":", linewidth=1.4)
    axes.annotate(
        "as large as the last layer's",
        (1, 1.0),
        xytext=(0, 4),
        textcoords="offset points",
        fontsize=9.5,
        color=COLOURS["muted"],
    )
    axes.set_ylim(0, None)
    axes.set_xlabel("layer (1 is next to the words)")
    axes.set_ylabel("gradient norm, as a share\nof the last layer's")
    axes.set_title(title)
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.2))
    return figure, axes


@in_style
def loss_by_word(
    words: Sequence[str], losses: Mapping[str, Sequence[float]], floor: Sequence[float], *, title: str
) -> tuple[Figure, Axes]:
    """Draw what each word of one story costs each reader, over the floor.

    Args:
        words: of the story, behind its begin token.
        losses: nats by word, by the reader's name.
        floor: the ideal reader's.
        title: the finding.
    """
    figure, axes = subplots(height=4.3)
    steps = range(len(words))
    axes.bar(steps, floor, width=0.8, color="#DDDDDD", edgecolor="#777777", linewidth=0.6, label="ideal reader (floor)")
    for role, (name, values) in zip(ROLES, losses.items(), strict=False):
        style = {**line(role), "linestyle": "none"}
        axes.plot(steps, values, **style, label=name)
    axes.set_xticks(list(steps), words, rotation=65, ha="right", rotation_mode="anchor", fontsize=8.5)
    axes.set_xlim(-0.7, len(words) - 0.3)
    axes.set_ylim(0, None)
    axes.set_ylabel("loss of the word (nats)")
    axes.set_title(title)
    axes.legend(loc="upper center", ncols=3, bbox_to_anchor=(0.5, -0.28))
    return figure, axes
