"""Figures of the notebook on attention: who looks at whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter
from torch import Tensor

from course.figures.style import COLOURS, in_style, line, subplots

ROLES = ("first", "second", "third", "fourth", "fifth", "sixth")
SHADES = "Blues"


@in_style
def largest_weight(
    widths: Sequence[int], curves: Mapping[str, Sequence[float]], *, uniform: float
) -> tuple[Figure, Axes]:
    """Draw the largest weight of a softmax over random scores against the width of queries and keys.

    Args:
        widths: K.
        curves: mean largest weight by K, by the kind of score; the first should be the scaled one.
        uniform: the weight of each key if all were alike.
    """
    figure, axes = subplots(height=3.7)
    for role, (name, weights) in zip(ROLES, curves.items(), strict=False):
        axes.plot(widths, weights, **line(role), label=name)
    axes.axhline(uniform, color=COLOURS["muted"], linestyle=":", linewidth=1.4)
    axes.annotate(
        "all keys alike",
        (widths[0], uniform),
        xytext=(0, 4),
        textcoords="offset points",
        fontsize=9.5,
        color=COLOURS["muted"],
    )
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xticks(widths)
    axes.minorticks_off()
    axes.set_ylim(0, 1)
    axes.set_xlabel("width K of queries and keys")
    axes.set_ylabel("largest weight (mean over queries)")
    scaled, bare = list(curves.values())[:2]
    axes.set_title(
        f"At K = {widths[-1]} bare dot products give one key {bare[-1]:.0%} of the weight, scaled {scaled[-1]:.0%}"
    )
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.2))
    return figure, axes


@in_style
def change_by_position(
    words: Sequence[str], changed_at: int, changes: Mapping[str, Sequence[float]], *, title: str
) -> tuple[Figure, Axes]:
    """Draw how far each position's output moves when one word is replaced.

    Args:
        words: of the text, before the replacement.
        changed_at: index of the replaced word.
        changes: length of the difference by position, by the kind of attention.
        title: the finding.
    """
    figure, axes = subplots(height=3.6)
    steps = torch.arange(len(words))
    width = 0.8 / len(changes)
    for i, (role, (name, lengths)) in enumerate(zip(ROLES, changes.items(), strict=False)):
        axes.bar(steps + (i - (len(changes) - 1) / 2) * width, lengths, width, color=COLOURS[role], label=name)
    axes.axhline(0, color=COLOURS["floor"], linewidth=1.2)
    axes.axvline(changed_at - 0.5, color=COLOURS["muted"], linestyle=":", linewidth=1.4)
    axes.set_xticks(steps.tolist(), words, rotation=60, ha="right", rotation_mode="anchor", fontsize=9)
    axes.get_xticklabels()[changed_at].set_fontweight("bold")
    axes.set_xlim(-0.6, len(words) - 0.4)
    axes.set_ylabel("change of the output\n(Euclidean length)")
    axes.set_xlabel("position; the bold word is replaced")
    axes.set_title(title)
    axes.legend(loc="upper left")
    return figure, axes


@in_style
def looks_of_a_word(
    stories: Sequence[tuple[Sequence[str], int, Tensor]],
    *,
    sense_names: Sequence[str],
    title: str,
    bold: Sequence[int] | None = None,
) -> tuple[Figure, list[Axes]]:
    """Draw, for one word in several stories, which words each head looks at.

    Args:
        stories: (words, index of the word that looks, weights float [H,S]) of each.
        sense_names: what stands beside each story.
        title: the finding.
        bold: indices of the words in bold; by default the word that looks and the one that gets the most weight.
    """
    figure, axes = subplots(len(stories), 1, height=0.6 + 1.75 * len(stories))
    axes = axes if isinstance(axes, list) else [axes]
    for ax, (words, at, weights_HS), sense in zip(axes, stories, sense_names, strict=True):
        shown = ax.imshow(weights_HS.numpy(), cmap=SHADES, vmin=0, vmax=1, aspect="auto")
        size = 9 if len(words) <= 30 else 7
        marked = (at, int(weights_HS.mean(0).argmax())) if bold is None else bold
        _word_ticks(ax, words, bold=marked, size=size)
        ax.set_yticks(range(len(weights_HS)), [f"head {h}" for h in range(len(weights_HS))])
        ax.set_ylabel(sense)
        ax.grid(visible=False)
    axes[0].set_title(title)
    n_words = max(len(words) for words, _, _ in stories)
    bar = figure.colorbar(shown, ax=axes, shrink=0.8, pad=0.02)
    bar.set_label(f"weight (evenly: {1 / n_words:.2f})")
    return figure, axes


@in_style
def attention_maps(
    words: Sequence[str],
    weights: Tensor,
    *,
    title: str,
    names: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    anti_diagonal: bool = False,
    axis_names: tuple[str, str] = ("word that looks", "word that is looked at"),
) -> tuple[Figure, list[Axes]]:
    """Draw the table of weights of each head as a heat map: rows look, columns are looked at.

    Args:
        words: that are looked at, S.
        weights: float [H,T,S].
        title: the finding.
        names: of the heads.
        targets: words that look, T; `words` if left out.
        anti_diagonal: mark where a reversal must look.
        axis_names: of rows and columns.
    """
    n_heads = weights.shape[0]
    targets = targets or words
    n_columns = min(2, n_heads)
    n_rows = -(-n_heads // n_columns)
    figure, axes = subplots(n_rows, n_columns, height=0.7 + 3.5 * n_rows, sharex=True, sharey=True)
    axes = axes if isinstance(axes, list) else [axes]
    if n_heads == 1:
        figure.set_figwidth(5.6)  # one square map would stand alone on a wide page
    for h, ax in enumerate(axes[:n_heads]):
        shown = ax.imshow(weights[h].numpy(), cmap=SHADES, vmin=0, vmax=1)
        if anti_diagonal:
            ax.plot(range(len(words))[::-1], range(len(targets)), color=COLOURS["second"], linestyle=":", linewidth=1.2)
        ax.set_title(names[h] if names else f"head {h}", fontsize=10)
        ax.grid(visible=False)
        _word_ticks(ax, words, size=7.5)
        ax.set_yticks(range(len(targets)), targets, fontsize=7.5)
    for ax in axes[n_heads:]:
        ax.set_visible(False)
    for h, ax in enumerate(axes[:n_heads]):
        if h % n_columns == 0:
            ax.set_ylabel(axis_names[0])
        if h + n_columns >= n_heads:
            ax.set_xlabel(axis_names[1])
    figure.suptitle(title, fontweight="bold", fontsize=11.5, x=0.02, ha="left")
    bar = figure.colorbar(shown, ax=axes, shrink=0.6, pad=0.02)
    bar.set_label(f"weight (evenly: {1 / len(words):.2f})")
    return figure, axes


def _word_ticks(axes: Axes, words: Sequence[str], *, bold: Sequence[int] = (), size: float = 9) -> None:
    axes.set_xticks(range(len(words)), words, rotation=60, ha="right", rotation_mode="anchor", fontsize=size)
    for i in bold:
        axes.get_xticklabels()[i].set_fontweight("bold")
