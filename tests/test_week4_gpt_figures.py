"""The figures on GPT-2 and BLOOM draw what they are given."""

from __future__ import annotations

import math

import pytest
import torch

from course.figures.style import to_png
from course.figures.week4_gpt_and_bloom import fused_layouts, loss_beyond_training, reach_of_heads

PNG = b"\x89PNG"


def test_each_head_has_a_curve_of_weights_against_distance_and_the_future_is_left_out():
    slopes = torch.tensor([math.log(2.0), 0.0])  # halved at each step, and flat
    distances = torch.arange(9) - torch.arange(9)[:, None]
    figure, (matrix, curves) = reach_of_heads(slopes[:, None, None] * distances, slopes)
    shown = matrix.images[0].get_array()
    assert shown[2, 0] == pytest.approx(-2 * math.log(2))
    assert shown.mask[0, 1:].all()
    steep, flat, level = (list(drawn.get_ydata()) for drawn in curves.lines)
    assert steep[:3] == pytest.approx([256 / 511, 128 / 511, 64 / 511])
    assert flat == pytest.approx([1 / 9] * 9)
    assert level == [1 / 9, 1 / 9]
    assert curves.get_title(loc="left") == "Nearest 8 tokens: 100% to 89%"
    assert to_png(figure).startswith(PNG)


def test_the_two_layouts_hold_the_same_pieces_in_their_own_order():
    figure, panels = fused_layouts(2)
    gpt2, bloom = ([text.get_text().replace("\n", " ") for text in axes.texts] for axes in panels)
    assert gpt2 == ["query head 0", "query head 1", "key head 0", "key head 1", "value head 0", "value head 1"]
    assert bloom == ["query head 0", "key head 0", "value head 0", "query head 1", "key head 1", "value head 1"]
    assert to_png(figure).startswith(PNG)


def test_losses_are_averaged_over_real_tokens_and_the_title_tells_what_lies_beyond():
    real = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    floor = torch.full((2, 6), 0.5)
    first = torch.tensor([[1.0, 1, 1, 1, 5, 9], [3.0, 3, 1, 1, 77, 77]])
    figure, axes = loss_beyond_training({"one": first, "two": floor + 1}, floor, real, trained_len=5, per_point=2)
    assert list(axes.lines[0].get_ydata()) == [2.0, 1.0, 7.0]
    assert list(axes.lines[0].get_xdata()) == [1.5, 3.5, 5.5]
    assert list(axes.lines[2].get_ydata()) == [0.5, 0.5, 0.5]
    assert axes.get_title(loc="left") == "Beyond 5 tokens: one 7.00 nats, two 1.50"
    assert to_png(figure).startswith(PNG)


def test_no_point_averages_trained_and_untrained_positions():
    losses = torch.tensor([[1.0, 1, 1, 9, 9, 9, 77]])
    real = torch.tensor([[True] * 6 + [False]])
    _, axes = loss_beyond_training({"one": losses, "two": losses}, losses, real, trained_len=4, per_point=2)
    assert list(axes.lines[0].get_ydata()) == [1.0, 1.0, 9.0, 9.0]
    assert list(axes.lines[0].get_xdata()) == [1.0, 2.5, 4.5, 6.0]
