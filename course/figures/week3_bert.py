"""Figures of the notebook on BERT: its input, slips that cost digits, the way to the floor, guesses, and *bank*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter
from torch import Tensor

from course.figures.style import COLOURS, in_style, line, subplots

ROLES = ("first", "second", "third", "fourth", "fifth", "sixth")


@in_style
def embedding_parts(words: Sequence[str], parts: Mapping[str, Tensor]) -> tuple[Figure, list[Axes]]:
    """Draw the vectors of each token in each table, and their sum.

    Args:
        words: T tokens.
        parts: float [T,D] by name, in the order of drawing.
    """
    figure, panels = subplots(1, len(parts), height=3.9, sharey=True)
    for axes, (name, rows_TD) in zip(panels, parts.items(), strict=True):
        rows_TD = rows_TD.detach()
        limit = rows_TD.abs().max().item()
        axes.imshow(rows_TD.numpy(), cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
        axes.set_xlabel(name)
        axes.set_xticks([])
        axes.grid(False)
    panels[0].set_yticks(range(len(words)), words)
    panels[0].set_ylabel("token")
    figure.suptitle("Three tables, one vector a token", x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    figure.supxlabel("channels of the vectors, side by side (purple above 0, orange below)", fontsize=10.5)
    return figure, panels


@in_style
def slip_sizes(differences: Mapping[str, float], *, tolerance: float) -> tuple[Figure, Axes]:
    """Draw how far logits are from the library's, for the right model and for models with one slip each.

    Args:
        differences: the largest absolute difference by what was done; the right model first.
        tolerance: what counts as the same.
    """
    figure, axes = subplots(height=3.5)
    names, values = list(differences), list(differences.values())
    places = range(len(names))
    colours = [COLOURS["third"]] + [COLOURS["second"]] * (len(names) - 1)
    for place, value, colour in zip(places, values, colours, strict=True):
        axes.plot([value], [place], color=colour, marker="o" if place == 0 else "s", markersize=8, linestyle="none")
        axes.annotate(
            f"{value:.0e}", (value, place), xytext=(8, 0), textcoords="offset points", va="center", fontsize=9
        )
    axes.axvline(tolerance, color=COLOURS["floor"], linewidth=1.4)
    axes.annotate(
        f"{tolerance:.0e}: the same\nup to rounding",
        (tolerance, 2.5),
        xytext=(-5, 0),
        textcoords="offset points",
        va="center",
        ha="right",
        fontsize=9,
    )
    axes.set_xscale("log")
    axes.set_xlim(min(values) / 4, max(values) * 8)
    axes.set_yticks(list(places), names)
    axes.set_ylim(len(names) - 0.3, -0.6)
    axes.set_xlabel("largest difference from the library's logits (log scale)")
    smallest = min(values[1:])
    axes.set_title(f"Right to the last digits; any slip is {smallest / values[0]:,.0f} times as far or more")
    return figure, axes


@in_style
def loss_curve(
    steps: Sequence[int], losses: Sequence[float], readers: Mapping[str, float], *, floor: float
) -> tuple[Figure, Axes]:
    """Draw the loss on masked words while a model is trained, over what other readers lose on the same words.

    Args:
        steps: when it was evaluated.
        losses: nats a word, one a step.
        readers: loss of readers that do not learn, by name.
        floor: the ideal reader's loss.
    """
    figure, axes = subplots(height=4.2)
    axes.plot(steps, losses, **line("first"), label="your BERT")
    for name, loss in readers.items():
        above = loss > losses[-1] * 2  # where the curve leaves room for the words
        axes.axhline(loss, color=COLOURS["muted"], linestyle="--", linewidth=1.4)
        axes.annotate(
            f"{name}: {loss:.2f}",
            (steps[-1] if above else 0, loss),
            xytext=(0, 4) if above else (6, -5),
            textcoords="offset points",
            ha="right" if above else "left",
            va="bottom" if above else "top",
            fontsize=9.5,
            color=COLOURS["muted"],
        )
    axes.axhline(floor, color=COLOURS["floor"], linewidth=1.6)
    axes.annotate(
        f"floor, the ideal reader of both sides: {floor:.2f}",
        (steps[-1], floor),
        xytext=(0, -5),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=9.5,
    )
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator([0.5, 0.7, 1, 1.5, 2, 3, 4, 6]))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(floor * 0.8, max(losses[0], *readers.values()) * 1.2)
    axes.set_xlim(0, steps[-1])
    axes.set_xlabel("training step")
    axes.set_ylabel("loss on masked words\n(nats a word, log scale)")
    axes.set_title(f"After {steps[-1]:,} steps: {losses[-1] / floor:.2f} times the floor")
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0.8))
    return figure, axes


@in_style
def guesses(blanks: Sequence[Mapping[str, object]]) -> tuple[Figure, list[Axes]]:
    """Draw what two readers believe about some blanks, word by word.

    Args:
        blanks: each {"context": str, "words": list of str, "model": probabilities, "ideal": probabilities, "truth":
            str}; words in the order of drawing.
    """
    figure, panels = subplots(1, len(blanks), height=3.9)
    panels = panels if isinstance(panels, list) else [panels]
    for axes, blank in zip(panels, blanks, strict=True):
        places = range(len(blank["words"]))
        axes.barh([p - 0.2 for p in places], blank["model"], height=0.38, color=COLOURS["first"], label="your BERT")
        axes.barh(
            [p + 0.2 for p in places], blank["ideal"], height=0.38, color="#BBBBBB", hatch="//", label="ideal reader"
        )
        names = [f"{word} *" if word == blank["truth"] else word for word in blank["words"]]
        axes.set_yticks(list(places), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1])
        axes.set_title(blank["context"], fontsize=9, fontweight="normal", loc="center")
    panels[len(panels) // 2].set_xlabel("probability of the word (* stood there)")
    figure.suptitle(
        "Sure where the ideal reader is sure, torn where it is torn",
        x=0.01,
        ha="left",
        fontsize=11.5,
        fontweight="bold",
    )
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure, panels


@in_style
def belief_curve(
    words: Sequence[str],
    beliefs: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    left_only: float,
    question: str,
    title: str,
) -> tuple[Figure, Axes]:
    """Draw what is believed about a gap as the words behind it are revealed, in two stories that part somewhere.

    Args:
        words: behind the gap, as axis labels; the first entry stands for none revealed.
        beliefs: by how the story goes on, and by reader: a probability for each word; the last reader is the ideal one.
        left_only: what the ideal reader of the left side alone believes, whatever comes.
        question: what the probability is of.
        title: the finding.
    """
    figure, axes = subplots(height=4.8)
    steps = range(len(words))
    for role, (ending, readers) in zip(ROLES, beliefs.items(), strict=False):
        *models, ideal = readers
        axes.plot(steps, readers[ideal], color=COLOURS[role], linewidth=6, alpha=0.25, label=f"{ideal}: {ending}")
        for number, name in enumerate(models):
            style = line(role) if number == 0 else {**line(role, markers=False), "linewidth": 1.4, "linestyle": ":"}
            axes.plot(steps, readers[name], **style, label=f"{name}: {ending}", clip_on=False)
    axes.axhline(
        left_only, color=COLOURS["floor"], linestyle=(0, (1, 3)), linewidth=1.6, label="ideal reader of the left"
    )
    axes.set_xticks(list(steps), words, rotation=60, ha="right", rotation_mode="anchor", fontsize=9)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(-0.3, len(words) - 0.7)
    axes.set_ylabel(f"probability that\n{question}")
    axes.set_xlabel("words to the right of the gap, revealed up to this one")
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=2)
    return figure, axes
