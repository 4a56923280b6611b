"""Figures of the notebook on text to text: scores by start, senses by cue, and which words a translation looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from course.figures.hangul import drawable, font_families
from course.figures.style import COLOURS, MARKERS, in_style, line, subplots

ROLES = ("first", "second", "third", "fourth")
Interval = tuple[float, float, float]  # value, lower end, upper end


@in_style
def losses_by_step(
    curves: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]], *, title: str
) -> tuple[Figure, list[Axes]]:
    """Draw the loss on test stories while models are fine-tuned, a panel for each task.

    Args:
        curves: by task and by model, (steps done, loss in nats per target token), in order.
        title: the finding.
    """
    figure, panels = subplots(1, len(curves), height=3.4, sharey=True)
    panels = panels if isinstance(panels, list) else [panels]
    for axes, (task, by_model) in zip(panels, curves.items(), strict=True):
        for role, (model, points) in zip(ROLES, by_model.items(), strict=False):
            axes.plot(*zip(*points, strict=True), **line(role), label=model if axes is panels[0] else None)
        axes.axhline(
            0, color=COLOURS["floor"], linewidth=1.6, label="sure of every word" if axes is panels[0] else None
        )
        axes.set_title(task, fontsize=10.5, fontweight="normal")
        axes.set_xlim(left=0)
    panels[0].set_ylim(-0.15)
    panels[0].set_ylabel("loss on test stories (nats per token)")
    panels[len(panels) // 2].set_xlabel("steps of fine-tuning")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    figure.legend(loc="outside lower center", ncols=3)
    return figure, panels


@in_style
def scores_by_start(scores: Mapping[str, Mapping[str, Interval]], *, title: str) -> tuple[Figure, Axes]:
    """Draw the scores of several models under each other, each with its interval over test stories.

    Args:
        scores: by score and by model, (value, lower end, upper end), from 0 to 100.
        title: the finding.
    """
    n_models = max(map(len, scores.values()))
    figure, axes = subplots(height=1.2 + 0.62 * len(scores))
    for place, (_, by_model) in enumerate(scores.items()):
        for i, (role, (model, (value, low, high))) in enumerate(zip(ROLES, by_model.items(), strict=False)):
            at = place + 0.3 * (i - (n_models - 1) / 2)
            ends = [[value - low], [high - value]]
            dot = {"color": COLOURS[role], "marker": MARKERS[role], "markersize": 7, "capsize": 3, "linestyle": "none"}
            axes.errorbar([value], [at], xerr=ends, **dot, label=model if place == 0 else None)
            axes.annotate(
                f"{value:.0f}",
                (max(high, 100) if high > 90 else high, at),  # beside the line of the perfect score, not on it
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
            )
    axes.axvline(100, color=COLOURS["floor"], linewidth=1.6, label="perfect")
    axes.set_yticks(range(len(scores)), list(scores))
    axes.set_ylim(len(scores) - 0.4, -0.6)
    axes.set_xlim(0, 110)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("score on test stories; bars hold 95% of resampled test sets")
    axes.set_title(title)
    axes.legend(loc="upper center", ncols=n_models + 1, bbox_to_anchor=(0.5, -0.18 - 0.3 / len(scores)))
    return figure, axes


@in_style
def senses_by_cue(
    shares: Mapping[str, Mapping[str, Interval]], best: Mapping[str, float], *, title: str
) -> tuple[Figure, Axes]:
    """Draw how often a homonym that was translated has its right sense, by where the story settles it.

    Args:
        shares: by the place of the cue and by model, (share, lower end, upper end), from 0 to 1.
        best: by the place of the cue, the share that the ideal reader gets right.
        title: the finding.
    """
    figure, axes = subplots(height=3.6)
    n_models = max(map(len, shares.values()))
    for place, (cue, by_model) in enumerate(shares.items()):
        for i, (role, (model, (value, low, high))) in enumerate(zip(ROLES, by_model.items(), strict=False)):
            at = place + 0.22 * (i - (n_models - 1) / 2)
            ends = [[value - low], [high - value]]
            dot = {"color": COLOURS[role], "marker": MARKERS[role], "markersize": 7, "capsize": 3, "linestyle": "none"}
            axes.errorbar([at], [value], yerr=ends, **dot, label=model if place == 0 else None)
        ideal = {"color": COLOURS["floor"], "linewidth": 2.2, "label": "ideal reader" if place == 0 else None}
        axes.plot([place - 0.36, place + 0.36], [best[cue]] * 2, **ideal)
    axes.axhline(0.5, color=COLOURS["muted"], linestyle=":", linewidth=1.4, label="a coin")
    axes.set_xticks(range(len(shares)), list(shares))
    axes.set_xlim(-0.6, len(shares) - 0.4)
    axes.set_ylim(0, 1.06)
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    axes.set_ylabel("right, of the senses told")
    axes.set_xlabel("where the story settles the sense; bars: 95% intervals")
    axes.set_title(title)
    axes.legend(loc="upper center", ncols=4, bbox_to_anchor=(0.5, -0.2))
    return figure, axes


@in_style
def bleu_against_sense(points: Mapping[str, tuple[float, float]], *, title: str) -> tuple[Figure, Axes]:
    """Draw translators as points: what BLEU says of them, and how many homonyms they get right.

    Args:
        points: by the translator's name, (BLEU from 0 to 100, share of homonyms in their right sense).
        title: the finding.
    """
    figure, axes = subplots(height=3.5)
    for role, (name, (score, share)) in zip((*ROLES, "fifth", "sixth"), points.items(), strict=False):
        axes.plot(
            [score], [share], color=COLOURS[role], marker=MARKERS[role], markersize=9, linestyle="none", label=name
        )
        axes.annotate(f"BLEU {score:.1f}", (score, share), xytext=(0, 10), textcoords="offset points", ha="center")
    axes.axhline(1, color=COLOURS["floor"], linewidth=1.6)
    axes.set_xlim(min(score for score, _ in points.values()) - 8, 104)
    axes.set_ylim(-0.08, 1.2)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_xlabel("BLEU")
    axes.set_ylabel("homonyms in their right sense")
    axes.set_title(title)
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.2))
    return figure, axes


@in_style
def words_that_count(
    words: Sequence[str], rows: Mapping[str, Sequence[float]], *, title: str, per_line: int = 11
) -> tuple[Figure, list[Axes]]:
    """Draw an English text several times, each word shaded by a number: once for each kind of number.

    Args:
        words: of the text, in order.
        rows: by name, one number a word; shades go from 0 to the largest of each row. Names may hold Korean.
        title: the finding; may hold Korean.
        per_line: words in a line.
    """
    n_lines = -(-len(words) // per_line)
    with rc_context({"font.family": font_families()}):
        figure, panels = subplots(len(rows), 1, height=0.5 + len(rows) * (0.42 + 0.27 * n_lines))
        panels = panels if isinstance(panels, list) else [panels]
        for role, axes, (name, values) in zip(ROLES, panels, rows.items(), strict=False):
            largest = max(*values, 1e-9)
            for i, (word, value) in enumerate(zip(words, values, strict=True)):
                row, column = divmod(i, per_line)
                shade = {"facecolor": COLOURS[role], "alpha": 0.75 * max(0.0, value) / largest, "edgecolor": "none"}
                box = {"boxstyle": "round,pad=0.22", **shade}
                axes.text(column + 0.5, row + 0.5, word, ha="center", va="center", fontsize=9.5, bbox=box)
            axes.set_xlim(0, per_line)
            axes.set_ylim(n_lines, 0)
            axes.axis("off")
            axes.set_title(drawable(name), fontsize=10, fontweight="normal", pad=3)
        figure.suptitle(drawable(title), x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    return figure, panels
