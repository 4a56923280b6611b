"""The figures of the notebook on generation draw what they are given, and sliders move them."""

from __future__ import annotations

import pytest
import torch

from course.figures import week4_generation
from course.figures.style import to_png
from course.figures.week4_generation import (
    SESSION,
    cost_of_writing,
    explore,
    judged_by_temperature,
    next_words,
    slider_box,
)

PNG = b"\x89PNG"


def title(axes):
    return axes.get_title(loc="left")


def test_words_stand_in_the_first_panels_order_and_filtered_ones_are_grey():
    panels = {"plain": torch.tensor([0.2, 0.5, 0.3]), "k = 1": torch.tensor([0.0, 1.0, 0.0])}
    figure, axes = next_words(panels, ["a", "b", "c"])
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["b", "c", "a"]
    assert [bar.get_width() for bar in axes[0].patches] == pytest.approx([0.5, 0.3, 0.2])
    assert [label.get_color() for label in axes[1].get_yticklabels()] == ["black", "#B0B0B0", "#B0B0B0"]
    assert title(axes[1]) == "k = 1\n1 word left"
    assert to_png(figure).startswith(PNG)


def test_the_best_temperature_is_found_and_real_stories_are_drawn():
    figure, (left, right) = judged_by_temperature(
        [0.5, 1.0, 1.5], [0.4, 0.6, 0.1], [0.1, 0.2, 0.4], real_variety=0.22, n_texts=100
    )
    assert title(left) == "Safe up to temperature 1"
    assert title(right).endswith("near 1")
    assert [0.22, 0.22] in [list(line.get_ydata()) for line in right.lines]
    assert to_png(figure).startswith(PNG)


def test_costs_are_drawn_with_their_growth_in_the_title():
    figure, (left, right) = cost_of_writing(
        [8, 16], {"without": [1.0, 4.0], "with": [1.0, 2.0]}, {"without": [10, 40], "with": [10, 15]}
    )
    assert title(left) == "Twice as long: time × 4.0 and × 2.0"
    assert title(right) == "Twice as long: memory × 4.0 and × 1.5"
    assert to_png(figure).startswith(PNG)


def one_bar(height):
    return next_words({"one": torch.tensor([height, 1 - height])}, ["a", "b"])[0]


def test_a_slider_draws_the_figure_anew():
    box = slider_box(one_bar, {"height": [0.1, 0.5, 0.9]})
    _, slider, picture = box.children
    before = picture.value
    assert before == to_png(one_bar(0.5))
    slider.value = 0.9
    assert picture.value == to_png(one_bar(0.9)) != before


@pytest.mark.parametrize(
    ("session", "live", "widget"), [(None, None, False), ("x.ipynb", None, True), ("x", False, False)]
)
def test_sliders_come_only_where_somebody_can_move_them(session, live, widget, monkeypatch):
    shown = []
    monkeypatch.setattr(week4_generation, "display", lambda box: shown.append("sliders"))
    monkeypatch.setattr(week4_generation, "show", lambda figure, alt: shown.append(alt))
    monkeypatch.delenv(SESSION, raising=False)
    if session:
        monkeypatch.setenv(SESSION, session)
    explore(one_bar, {"height": [0.1, 0.5]}, otherwise=lambda: one_bar(0.5), alt="bars", live=live)
    assert shown == ["sliders" if widget else "bars"]
