"""The figures of the notebook on BERT draw what they are given."""

from __future__ import annotations

import torch

from course.figures.style import to_png
from course.figures.week3_bert import belief_curve, embedding_parts, guesses, loss_curve, slip_sizes

PNG = b"\x89PNG"


def test_each_table_has_a_picture_with_a_row_for_each_token():
    parts = {"word": torch.randn(3, 4, requires_grad=True), "sum": torch.zeros(3, 4) + 1}
    figure, panels = embedding_parts(["a", "b", "c"], parts)
    assert [axes.images[0].get_array().shape for axes in panels] == [(3, 4), (3, 4)]
    assert [axes.get_xlabel() for axes in panels] == ["word", "sum"]
    assert to_png(figure).startswith(PNG)


def test_slips_stand_at_their_distance_and_the_smallest_is_named():
    figure, axes = slip_sizes({"right": 1e-6, "slip": 5e-4, "blunder": 2.0}, tolerance=1e-5)
    assert [curve.get_xdata()[0] for curve in axes.lines] == [1e-6, 5e-4, 2.0, 1e-5]
    assert "500 times" in axes.get_title(loc="left")
    assert to_png(figure).startswith(PNG)


def test_the_loss_curve_stands_over_the_floor_beside_the_other_readers():
    figure, axes = loss_curve([0, 10, 20], [6.0, 1.0, 0.6], {"frequencies": 4.5, "left": 0.8}, floor=0.5)
    assert list(axes.lines[0].get_ydata()) == [6.0, 1.0, 0.6]
    assert [curve.get_ydata()[0] for curve in axes.lines[1:]] == [4.5, 0.8, 0.5]
    assert "1.20 times the floor" in axes.get_title(loc="left")
    assert to_png(figure).startswith(PNG)


def test_each_blank_has_both_readers_and_marks_the_word_that_stood_there():
    blank = {"context": "the ___", "words": ["cat", "dog"], "truth": "dog", "model": [0.7, 0.2], "ideal": [0.5, 0.5]}
    figure, panels = guesses([blank, blank])
    assert [bar.get_width() for bar in panels[1].patches] == [0.7, 0.2, 0.5, 0.5]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["cat", "dog *"]
    assert to_png(figure).startswith(PNG)


def test_beliefs_of_every_reader_are_drawn_in_both_stories():
    one = {"your BERT": [0.5, 0.9], "longer": [0.5, 0.95], "ideal reader": [0.5, 1.0]}
    other = {name: [0.5, 1 - values[1]] for name, values in one.items()}
    figure, axes = belief_curve(
        ["(none)", "grass"], {"x": one, "y": other}, left_only=0.5, question="it rains", title="Rain or no rain"
    )
    drawn = [list(curve.get_ydata()) for curve in axes.lines[:3]]
    assert drawn == [one["ideal reader"], one["your BERT"], one["longer"]]
    assert len(axes.lines) == 7
    assert list(axes.lines[-1].get_ydata()) == [0.5, 0.5]
    assert to_png(figure).startswith(PNG)
