"""Figures of week 3, notebook 2: fates, masks over epochs, floors by mask rate, both sides, guesses made alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from course.figures.style import COLOURS, in_style, line, subplots

SHADES = LinearSegmentedColormap.from_list("shades", ["#FFFFFF", COLOURS["first"]])


@in_style
def mask_fates(counts: Mapping[str, int], expected: Mapping[str, float]) -> tuple[Figure, Axes]:
    """Draw what became of the chosen tokens, with the share that the procedure asks for as a line over each bar.

    Args:
        counts: number of tokens by fate.
        expected: share by fate, from 0 to 1.
    """
    figure, axes = subplots(height=3.4)
    total = sum(counts.values())
    for x, (role, name) in enumerate(zip(("first", "second", "third"), counts, strict=True)):
        axes.bar(x, counts[name] / total, width=0.55, color=COLOURS[role])
        axes.plot([x - 0.4, x + 0.4], [expected[name]] * 2, color=COLOURS["floor"], linestyle="--", linewidth=1.4)
        axes.annotate(
            f"{counts[name]:,}", (x, counts[name] / total), xytext=(0, 5), textcoords="offset points", ha="center"
        )
    axes.plot([], [], color=COLOURS["floor"], linestyle="--", linewidth=1.4, label="asked for")
    axes.set_xticks(range(len(counts)), list(counts))
    axes.set_ylim(0, 0.95)
    axes.set_ylabel("share of the chosen tokens")
    shares = ", ".join(f"{count / total:.1%} {name}" for name, count in counts.items())
    axes.set_title(f"Chosen tokens: {shares}")
    axes.legend()
    return figure, axes


@in_style
def words_met(met: Mapping[str, Sequence[float]], rate: float) -> tuple[Figure, Axes]:
    """Draw which share of all tokens has been chosen at least once after each epoch.

    Args:
        met: share by epoch, from the first on, by kind of masking.
        rate: of choosing; the dashed line is what independent draws give.
    """
    figure, axes = subplots(height=3.4)
    n_epochs = len(next(iter(met.values())))
    epochs = np.arange(1, n_epochs + 1)
    axes.plot(
        epochs,
        1 - (1 - rate) ** epochs,
        color=COLOURS["floor"],
        linestyle="--",
        linewidth=1.4,
        label=r"$1 - (1 - p)^E$",
    )
    for role, (name, shares) in zip(("second", "first"), met.items(), strict=True):
        axes.plot(epochs, shares, **line(role), label=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(0, 1.03)
    axes.set_xlabel("epochs, E")
    axes.set_ylabel("tokens chosen at least once")
    ends = [f"{name} {shares[-1]:.0%}" for name, shares in met.items()]
    axes.set_title(f"After {n_epochs} epochs a model has been asked about: {', '.join(ends)}")
    axes.legend()
    return figure, axes


@in_style
def learnt_by_heart(
    losses: Mapping[str, tuple[Sequence[float], Sequence[float]]], floor: float
) -> tuple[Figure, list[Axes]]:
    """Draw training loss and loss on new stories by epoch, one panel for each kind of masking.

    Args:
        losses: (training, new stories) in nats by epoch, by kind of masking.
        floor: the ideal reader's loss, in nats.
    """
    figure, axes = subplots(1, len(losses), height=3.5, sharey=True)
    for ax, (name, (training, new)) in zip(axes, losses.items(), strict=True):
        ax.plot(range(1, len(training) + 1), training, **line("first", markers=False), label="training stories")
        ax.plot(range(1, len(new) + 1), new, **line("second", markers=False), label="new stories")
        ax.axhline(floor, color=COLOURS["floor"], linewidth=1.2, label="ideal reader, new stories")
        ax.set_title(f"{name}: {training[-1]:.2f} and {new[-1]:.2f} nats")
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylim(0, None)
    axes[0].set_ylabel("loss (nats per chosen token)")
    axes[-1].legend(loc="lower left", bbox_to_anchor=(0.0, 0.12))
    return figure, axes


@in_style
def floor_by_rate(
    rates: Sequence[float], floors: Sequence[float], *, nothing_seen: float, n_words: float
) -> tuple[Figure, list[Axes]]:
    """Draw the ideal reader's loss against the mask rate, and what a model can be told by one story.

    Args:
        rates: shares of hidden words.
        floors: the ideal reader's loss in nats per hidden word, by rate.
        nothing_seen: loss of a reader who knows only how frequent each word is, in nats.
        n_words: words of an average story.
    """
    figure, (left, right) = subplots(1, 2, height=3.5)
    left.plot(rates, floors, **line("first"), label="ideal reader")
    left.axhline(nothing_seen, color=COLOURS["floor"], linestyle="--", linewidth=1.2, label="word frequencies alone")
    left.set_ylim(0, nothing_seen * 1.25)
    left.set_ylabel("loss (nats per hidden word)")
    left.set_title("The hidden words get harder late")
    left.legend(loc="upper left")
    taught = [rate * n_words * (nothing_seen - floor) for rate, floor in zip(rates, floors, strict=True)]
    best = int(np.argmax(taught))
    right.plot(rates, taught, **line("third"))
    right.set_ylim(0, None)
    right.set_ylabel("to be learnt (nats per story)")
    right.set_title(f"{np.interp(0.15, rates, taught):.0f} nats at 15%, {taught[best]:.0f} at {rates[best]:.0%}")
    for ax in (left, right):
        ax.axvline(0.15, color=COLOURS["muted"], linestyle=":", linewidth=1.4)
        ax.set_xlabel("share of hidden words (dotted: 15%)")
    return figure, [left, right]


@in_style
def loss_by_place(places: Sequence[float], losses: Mapping[str, Sequence[float]]) -> tuple[Figure, Axes]:
    """Draw the ideal reader's loss on the same hidden words by their place in the story, for what it may see.

    Args:
        places: middle of each part of the story, from 0 (begin) to 1 (end).
        losses: nats per hidden word by part, by what the reader sees; the last one sees most and is the floor.
    """
    figure, axes = subplots(height=3.5)
    *others, floor = losses
    for role, name in zip(("second", "fifth"), others, strict=False):
        axes.plot(places, losses[name], **line(role), label=name)
    axes.plot(places, losses[floor], color=COLOURS["floor"], marker="o", label=f"{floor} (floor)")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, None)
    axes.set_xlabel("place of the hidden word in its story (0 begin, 1 end)")
    axes.set_ylabel("loss (nats per hidden word)")
    gaps = np.array(losses[others[0]]) - np.array(losses[floor])
    axes.set_title(f"What follows is worth {gaps[0]:.2f} nats a word at the beginning, {gaps[-1]:.2f} at the end")
    axes.legend()
    return figure, axes


@in_style
def pair_of_guesses(
    words: tuple[Sequence[str], Sequence[str]], joint: np.ndarray, alone: np.ndarray
) -> tuple[Figure, list[Axes]]:
    """Draw how probable each pair of two neighbouring hidden words is: together, and guessed one by one.

    Args:
        words: candidates for the first and for the second word.
        joint: [n_first, n_second], probability of the pair.
        alone: the same, as the product of two separate guesses.
    """
    figure, axes = subplots(1, 2, height=3.3, sharey=True)
    titles = "what the story allows", "two guesses, each by itself"
    for ax, table, title in zip(axes, (joint, alone), titles, strict=True):
        ax.imshow(table, cmap=SHADES, vmin=0, vmax=joint.max())
        for (row, column), p in np.ndenumerate(table):
            ax.text(
                column, row, f"{p:.0%}", ha="center", va="center", color="white" if p > 0.6 * joint.max() else "black"
            )
        ax.set_xticks(range(len(words[1])), words[1])
        ax.set_yticks(range(len(words[0])), words[0])
        ax.set_xlabel("second hidden word")
        ax.set_title(title, fontsize=10.5)
        ax.grid(visible=False)
    axes[0].set_ylabel("first hidden word")
    lost = alone[joint < 1e-9].sum()
    figure.suptitle(
        f"Guessed alone, {lost:.0%} of the pairs cannot be", fontweight="bold", fontsize=11.5, x=0.02, ha="left"
    )
    return figure, axes


@in_style
def impossible_stories(rates: Sequence[float], shares: Mapping[str, Sequence[float]]) -> tuple[Figure, Axes]:
    """Draw the share of restored stories that the grammar never tells, by mask rate and by how they were filled in.

    Args:
        rates: shares of hidden words.
        shares: of impossible stories by rate, by way of filling in.
    """
    figure, axes = subplots(height=3.5)
    for role, (name, values) in zip(("second", "fifth", "first"), shares.items(), strict=False):
        axes.plot(rates, values, **line(role), label=name)
    axes.axhline(0, color=COLOURS["floor"], linewidth=1.2)
    axes.set_ylim(-0.03, 1)
    axes.set_xlabel("share of hidden words")
    axes.set_ylabel("restored stories that cannot be")
    first, *_, last = shares
    axes.set_title(
        f"At {rates[-1]:.0%} hidden: {shares[first][-1]:.0%} nonsense {first}, {shares[last][-1]:.0%} {last}"
    )
    axes.legend()
    return figure, axes
