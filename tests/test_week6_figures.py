"""Week 6's figures draw what they are given."""

from __future__ import annotations

import pytest

from course.figures.style import to_png
from course.figures.week6_three_objectives import gaps_by_compute, losses_over_floors, ranking, scores_by_family

PNG = b"\x89PNG"
NAMES = ("masked", "causal", "span")


def test_every_run_is_a_curve_and_every_objective_one_entry_of_the_legend():
    curves = {name: [[(1e9, 0.5), (2e9, 0.1)], [(1e9, 0.6), (2e9, -0.3)]] for name in NAMES}
    figure, axes = gaps_by_compute(curves, title="a finding", lowest=0.02)
    assert len(axes.lines) == 2 * 3 + 1
    assert list(axes.lines[1].get_ydata()) == [0.6, 0.02], "a gap below the axis is drawn at its foot"
    assert [text.get_text() for text in axes.get_legend().get_texts()][:3] == list(NAMES)
    assert to_png(figure).startswith(PNG)


@pytest.mark.parametrize(
    ("span", "says"),
    [([0.7, 0.9], "Lowest loss: span, but causal is nearest"), ([0.33, 0.33], "Lowest loss: span, is nearest its")],
)
def test_a_loss_is_its_floor_and_what_stands_above_it(span, says):
    losses = {"masked": [1.0, 1.2], "causal": [0.81, 0.83], "span": span}
    figure, axes = losses_over_floors(losses, {"masked": 0.5, "causal": 0.78, "span": 0.32})
    bars = [(round(bar.get_x(), 3), round(bar.get_width(), 3)) for bar in axes.patches]
    assert bars[:4] == [(0.0, 0.5), (0.5, 0.6), (0.0, 0.78), (0.78, 0.04)]
    assert axes.texts[0].get_text() == "1.100 = 0.500 + 0.600"
    assert axes.get_title(loc="left").startswith(says)
    assert to_png(figure).startswith(PNG)


def test_each_task_is_a_panel_with_the_random_starts_and_who_cannot():
    panels = {
        "sense": {"masked": [0.8, 0.9], "causal": [0.6, 0.5], "span": [0.7, 0.7]},
        "summaries": {"masked": [None, None], "causal": [0.1, 0.2], "span": [0.3, 0.4]},
    }
    untrained = {"sense": {name: [0.4, 0.5] for name in NAMES}}
    figure, all_axes = scores_by_family(panels, untrained, {"sense": 0.5}, title="a finding")
    assert [axes.get_visible() for axes in all_axes] == [True, True, False]
    sense, summaries = all_axes[:2]
    assert [list(line.get_ydata()) for line in sense.lines[1::2]][:3] == [[0.8, 0.9], [0.6, 0.5], [0.7, 0.7]]
    assert list(sense.lines[-1].get_ydata()) == [0.5, 0.5], "the line of guessing"
    assert [text.get_text() for text in summaries.texts] == ["cannot"]
    assert figure.get_suptitle() == "a finding"
    assert to_png(figure).startswith(PNG)


@pytest.mark.parametrize(
    ("gap", "says"),
    [({"masked": 2, "causal": 1, "span": 3}, "Two objectives are"), ({"masked": 1, "causal": 2, "span": 3}, "Each of")],
)
def test_places_are_lines_and_equals_share_one(gap, says):
    places = {
        "loss": {"masked": 2, "causal": 3, "span": 1},
        "gap": gap,
        "stories written": {"masked": 2.5, "causal": 1, "span": 2.5},
    }
    shown = {measure: dict.fromkeys(NAMES, "0%") for measure in places}
    figure, axes = ranking(places, shown)
    assert [list(line.get_ydata()) for line in axes.lines] == [[places[m][name] for m in places] for name in NAMES]
    assert axes.get_title(loc="left").startswith(says)
    assert [text.get_text() for text in axes.texts].count("0%") == 8, "two that share a place share their mark"
    assert to_png(figure).startswith(PNG)
