"""Week 2's figures draw what they are given, and what stands behind them measures and draws what it says."""

from __future__ import annotations

import pytest
import torch

from course.blocks.dot_product import scaled_dot_product
from course.figures.style import to_png
from course.figures.week2_attention import attention_maps, change_by_position, largest_weight, looks_of_a_word
from course.figures.week2_positions import cost_against_length, position_encodings
from course.figures.week2_transformer import gradient_by_layer, loss_by_word
from course.measuring import crossing, kept_bytes
from course.reversal import BEGIN, FIRST_LETTER, reversal_batch
from course.sense_reader import SenseReader

WORDS = ["Mia", "met", "Ben", "."]
PNG = b"\x89PNG"


def test_the_largest_weights_stand_beside_the_even_share():
    figure, axes = largest_weight([4, 16], {"scaled": [0.2, 0.2], "bare": [0.3, 0.6]}, uniform=0.1)
    assert "60%" in axes.get_title(loc="left")
    assert any(list(line.get_ydata()) == [0.1, 0.1] for line in axes.lines)
    assert to_png(figure).startswith(PNG)


def test_a_change_is_drawn_for_each_position():
    figure, axes = change_by_position(WORDS, 1, {"causal": [0, 1, 2, 3], "none": [1, 1, 1, 1]}, title="Moves")
    assert [bar.get_height() for bar in axes.patches] == [0, 1, 2, 3, 1, 1, 1, 1]
    assert [label.get_text() for label in axes.get_xticklabels()] == WORDS
    assert to_png(figure).startswith(PNG)


def test_each_story_has_a_row_for_each_head():
    weights = torch.tensor([[0.1, 0.2, 0.7, 0.0], [0.25] * 4])
    figure, axes = looks_of_a_word([(WORDS, 1, weights)] * 2, sense_names=["one", "two"], title="Looks")
    assert len(axes) == 2
    assert axes[0].images[0].get_array().shape == (2, 4)
    assert [word.get_fontweight() for word in axes[0].get_xticklabels()] == ["normal", "bold", "bold", "normal"]
    _, axes = looks_of_a_word([(WORDS, 3, weights)], sense_names=["one"], title="Looks", bold=[0])
    assert [word.get_fontweight() for word in axes[0].get_xticklabels()] == ["bold", "normal", "normal", "normal"]
    assert to_png(figure).startswith(PNG)


@pytest.mark.parametrize("n_heads", [1, 3])
def test_each_head_has_a_map(n_heads):
    figure, axes = attention_maps(WORDS, torch.full((n_heads, 4, 4), 0.25), title="Maps", anti_diagonal=True)
    assert sum(ax.get_visible() for ax in axes) == n_heads
    assert to_png(figure).startswith(PNG)


def test_position_products_stand_at_their_distance():
    encodings = torch.eye(6)
    figure, (_, right) = position_encodings(encodings, at=(2, 5))
    assert list(right.lines[0].get_ydata()) == [0, 0, 1, 0, 0, 0]
    peaks = [curve.get_xdata()[list(curve.get_ydata()).index(1)] for curve in right.lines[:2]]
    assert peaks == [0, 0]
    assert to_png(figure).startswith(PNG)


def test_the_crossing_is_named_where_there_is_one():
    costs = ([1.0, 2.0, 4.0], [0.5, 2.0, 8.0])
    figure, (time, memory) = cost_against_length([2, 4, 8], costs, costs, crossings=(4.0, None))
    assert "T ≈ 4" in time.get_title(loc="left")
    assert "always" in memory.get_title(loc="left")
    assert to_png(figure).startswith(PNG)


def test_gradients_and_losses_are_drawn_as_given():
    _, axes = gradient_by_layer({"post": [0.5, 1.0], "pre": [2.0, 1.0]}, title="Depth")
    assert [list(line.get_ydata()) for line in axes.lines[:2]] == [[0.5, 1.0], [2.0, 1.0]]
    figure, axes = loss_by_word(WORDS, {"LSTM": [1, 2, 3, 4]}, [0.5] * 4, title="Words")
    assert [bar.get_height() for bar in axes.patches] == [0.5] * 4
    assert to_png(figure).startswith(PNG)


def test_a_crossing_is_read_off_on_log_axes():
    lengths = [2, 8, 32]
    assert crossing(lengths, [1.0, 4.0, 16.0], [2.0, 4.0, 8.0]) == pytest.approx(8.0)
    assert crossing(lengths, [1.0, 16.0, 256.0], [4.0, 4.0, 4.0]) == pytest.approx(4.0)
    assert crossing(lengths, [9.0, 1.0, 9.0], [3.0, 3.0, 3.0]) == pytest.approx(16.0)
    assert crossing(lengths, [1.0, 1.0, 1.0], [2.0, 2.0, 2.0]) is None
    assert crossing(lengths, [3.0, 3.0, 3.0], [2.0, 2.0, 2.0]) == 2.0


def test_kept_bytes_counts_each_piece_of_memory_once_and_no_parameter():
    weight = torch.randn(3, 3, requires_grad=True)
    x = torch.randn(5, 3)
    assert kept_bytes(lambda: (x @ weight).tanh(), besides=[x, weight]) == 5 * 3 * 4
    assert kept_bytes(lambda: x @ weight, besides=[x, weight]) == 0


def test_reversal_asks_for_the_row_backwards():
    src_ids, tgt_ids, labels = reversal_batch(4, 6, 5, torch.Generator().manual_seed(0))
    assert src_ids.min() >= FIRST_LETTER
    assert labels.flip(1).equal(src_ids)
    assert tgt_ids[:, 0].tolist() == [BEGIN] * 4
    assert tgt_ids[:, 1:].equal(labels[:, :-1])


def test_the_sense_reader_looks_from_the_homonym_at_real_words_only():
    torch.manual_seed(0)
    reader = SenseReader(9, 8, n_heads=2, n_senses=3, attend=scaled_dot_product)
    ids, mask = torch.tensor([[1, 2, 3, 0], [4, 5, 6, 7]]), torch.tensor([[True, True, True, False], [True] * 4])
    logits, weights = reader.look(ids, mask, torch.tensor([1, 3]))
    assert logits.shape == (2, 3)
    assert weights.shape == (2, 2, 4)
    assert (weights[0, :, 3] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2))
    torch.testing.assert_close(reader(ids, mask, torch.tensor([1, 3])), logits)
