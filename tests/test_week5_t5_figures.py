"""The figures of week 5's notebook on T5 draw what they are given and state it."""

from __future__ import annotations

import numpy as np
import pytest

from course.blocks.relative_positions import relative_position_bucket
from course.figures.style import to_png
from course.figures.week5_t5 import bias_by_distance, bucket_maps, joint_against_marginal, loss_and_floor

PNG = b"\x89PNG"
RELATIVE = np.arange(6)[None, :] - np.arange(6)[:, None]
BIASES = np.array([[1.0, 2.0, 3.0], [0.5, -0.5, 0.0]])
FIGURES = {
    "maps": lambda: bucket_maps({"encoder": abs(RELATIVE), "decoder": np.maximum(-RELATIVE, 0)}, n_buckets=8),
    "losses": lambda: loss_and_floor(
        [4.0, 2.0, 1.0], {"words": 0.9, "sentinels": 0.3}, {"words": 0.5, "sentinels": 0.0}, floor=0.4
    ),
    "biases": lambda: bias_by_distance({"encoder": BIASES, "decoder": BIASES}, [-1, 0, 1]),
    "joint": lambda: joint_against_marginal(
        [1, 4], [1.0, 5.0], [1.0, 3.5], {"all at once": [0.0, 0.25], "one after the other": [0.0, 0.0]}
    ),
}
TITLES = {
    "maps": ["encoder: 6 buckets in use", "decoder: 6 buckets in use"],
    "losses": ["The loss ends at 1.00 nats", "The widest gap: words"],
    "biases": ["encoder: from -0.5 to 3.0", "decoder: from -0.5 to 2.0"],
    "joint": ["4 tokens: 1.5 nats more", "4 tokens: 25% nonsense"],
}


@pytest.mark.parametrize("name", FIGURES)
def test_the_titles_state_the_finding_and_nothing_is_cut_off(name):
    figure, panels = FIGURES[name]()
    assert [axes.get_title(loc="left") for axes in panels] == TITLES[name]
    assert panels[0].get_ylabel()
    assert to_png(figure).startswith(PNG)
    box, whole = figure.get_tightbbox(), figure.get_size_inches()
    assert min(box.x0, box.y0) >= -0.02
    assert box.x1 <= whole[0] + 0.02
    assert box.y1 <= whole[1] + 0.02


def test_the_decoders_future_is_not_drawn():
    _, (encoder, decoder) = FIGURES["maps"]()
    assert not np.isnan(np.ma.filled(encoder.images[0].get_array().astype(float), np.nan)).any()
    drawn = ~np.isnan(np.ma.filled(decoder.images[0].get_array().astype(float), np.nan))
    assert (drawn == (RELATIVE <= 0)).all()
    _, (encoder, decoder) = FIGURES["biases"]()
    assert np.array_equal(encoder.images[0].get_array(), BIASES)
    assert np.array_equal(np.ma.getmaskarray(decoder.images[0].get_array()), [[False, False, True]] * len(BIASES))


def test_tensors_are_drawn_as_arrays_are():
    import torch

    buckets = relative_position_bucket(torch.from_numpy(RELATIVE), True, 8, 16)
    _, (encoder, _) = bucket_maps({"encoder": buckets, "decoder": buckets}, n_buckets=8)
    assert (np.asarray(encoder.images[0].get_array()) == buckets.numpy()).all()


def test_the_floor_and_both_readers_are_drawn():
    _, (left, right) = FIGURES["losses"]()
    assert list(left.lines[0].get_ydata()) == [4.0, 2.0, 1.0]
    assert set(left.lines[1].get_ydata()) == {0.4}
    assert [bar.get_height() for bar in right.patches] == [0.9, 0.3, 0.5, 0.0]


def test_a_single_step_is_drawn_too():
    figure, (left, _) = loss_and_floor([3.0], {"words": 3.0}, {"words": 0.5}, floor=0.4)
    assert list(left.lines[0].get_ydata()) == [3.0]
    assert to_png(figure).startswith(PNG)


def test_costs_and_shares_stand_by_length():
    _, (left, right) = FIGURES["joint"]()
    assert [list(line.get_ydata()) for line in left.lines] == [[1.0, 5.0], [1.0, 3.5]]
    assert list(right.lines[0].get_ydata()) == [0.0, 0.25]
