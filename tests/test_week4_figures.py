"""Week 4's figures draw what they are given."""

from __future__ import annotations

import pytest

from course.figures.style import to_png
from course.figures.week4_next_token import gaps_along_the_story, loss_against_context, losses_below_the_floor

PNG = b"\x89PNG"


def heights(axes):
    """Every line's constant height, by its label; None for a line that is not level."""
    return {
        line.get_label(): values[0] if len(set(values)) == 1 else None
        for line in axes.lines
        for values in [list(line.get_ydata())]
    }


@pytest.mark.parametrize(("loss", "says"), [(0.85, "below what 8 tokens"), (0.95, "not below what 8 tokens")])
def test_every_reader_stands_on_one_axis_with_the_floor(loss, says):
    figure, axes = loss_against_context(
        {2: 1.5, 1: 2.0}, {8: 0.9, 1: 1.9}, {"an LSTM": 1.1, "your GPT": loss}, floor=0.8
    )
    assert heights(axes) == {
        "n-grams, counted": None,
        "best possible with k tokens": None,
        "an LSTM: 1.100": 1.1,
        f"your GPT: {loss:.3f}": loss,
        "floor, all to the left: 0.800": 0.8,
    }
    assert list(axes.lines[0].get_xdata()) == [1, 2]
    title = axes.get_title(loc="left")
    assert title.startswith(f"Your GPT ends at {loss / 0.8:.2f} times the floor")
    assert says in title
    assert to_png(figure).startswith(PNG)


def test_gaps_are_drawn_over_the_ideal_reader_and_the_title_states_the_widest():
    figure, axes = gaps_along_the_story({"LSTM": [0.1, 0.3], "your GPT": [0.01, -0.002]}, per_point=4)
    assert [list(line.get_ydata()) for line in axes.lines[:2]] == [[0.1, 0.3], [0.01, -0.002]]
    assert list(axes.lines[0].get_xdata()) == [2.5, 6.5]
    assert heights(axes)["ideal reader (floor)"] == 0
    assert axes.get_title(loc="left") == "Your GPT is nowhere more than 0.010 nats above the ideal reader"
    assert to_png(figure).startswith(PNG)


def test_losses_are_averaged_and_those_below_the_floor_are_counted():
    curves = {"honest": [4.0, 2.0, 2.0, 1.0], "no mask": [4.0, 0.0, 0.2, 0.4]}
    figure, axes = losses_below_the_floor(curves, floor=0.8, smooth=2)
    assert [list(line.get_ydata()) for line in axes.lines[:2]] == [[3.0, 1.5], pytest.approx([2.0, 0.3])]
    assert list(axes.lines[0].get_xdata()) == [1.0, 3.0]
    assert axes.get_title(loc="left").startswith("1 of 2 losses end below the floor")
    assert to_png(figure).startswith(PNG)


def test_a_run_shorter_than_the_smoothing_is_drawn_too():
    _, axes = losses_below_the_floor({"a": [3.0, 1.0, 2.0]}, floor=0.5, smooth=10)
    assert list(axes.lines[0].get_ydata()) == [2.0]
