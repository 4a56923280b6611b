"""The visible checks: short when all is well, helpful when not."""

import math

import numpy as np
import pytest
import torch

from course.checks import check_close, check_equal, check_shape, check_true


def message(check, *args, **kwargs):
    with pytest.raises(AssertionError) as caught:
        check(*args, **kwargs)
    return str(caught.value)


def test_a_claim_that_holds_is_printed_in_one_line(capsys):
    check_equal({(1,): 2}, {(1,): 2}, "the worked example")
    check_close(torch.tensor([1.0]), [1.0], "one")
    check_shape(torch.zeros(2, 3), (2, 3), "two rows")
    check_true(True, "so it is")
    assert capsys.readouterr().out == "✓ the worked example\n✓ one\n✓ two rows\n✓ so it is\n"


def test_a_failure_shows_what_came_what_was_expected_and_the_cause():
    text = message(check_equal, {(1,): 2}, {(1,): 3}, "the counts", cause="a run is missing.")
    assert text == "✗ the counts\n  your value: {(1,): 2}\n  expected:  {(1,): 3}\n  likely cause: a run is missing."


@pytest.mark.parametrize("check", [check_equal, check_close])
def test_nothing_returned_is_named(check):
    assert "Is there a `return`?" in message(check, None, 1.0, "a number")


def test_causes_that_the_values_give_away_are_named():
    assert "log2" in message(check_close, math.log2(3), math.log(3), "a logarithm")
    assert "sign" in message(check_close, torch.tensor([-1.0, 2.0]), [1.0, -2.0], "a loss")
    assert "NaN" in message(check_close, torch.tensor([math.nan]), [1.0], "a share")
    assert "changed places" in message(check_shape, torch.zeros(3, 2), (2, 3), "rows")


def test_a_wrong_shape_is_told_before_values():
    text = message(check_close, torch.zeros(2, 3), torch.zeros(3), "a vector")
    assert "your shape: (2, 3)" in text
    assert "expected:  (3,)" in text


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_step_in_float32_is_no_mistake_and_a_forgotten_term_is(dtype):
    check_close(torch.tensor([1.0 + 2e-6], dtype=dtype), [1.0], "near enough")
    message(check_close, torch.tensor([1.0 + 1e-4], dtype=dtype), [1.0], "not near enough")


@pytest.mark.parametrize("kind", [float, np.float64, np.float32, torch.tensor])
def test_a_right_number_is_right_whatever_carries_it(kind):
    check_close(kind(math.log(3.5 / 9)), math.log(3.5 / 9), "a logarithm")


def test_values_that_differ_far_behind_are_shown_with_more_digits():
    text = message(check_close, 1.0 + 1e-8, 1.0, "one", tolerance=1e-12)
    assert "1.00000001" in text


def test_whole_numbers_in_place_of_fractions_are_named():
    assert "int64" in message(check_close, torch.tensor([0, 1]), [0.5, 1.0], "shares")


def test_tensors_are_compared_by_value_and_kind():
    check_equal(torch.tensor([1, 2]), [1, 2], "ids")
    assert "expected" in message(check_equal, [1, 2], torch.tensor([1, 2]), "ids as a tensor")
    assert "expected" in message(check_equal, torch.tensor([1, 3]), torch.tensor([1, 2]), "ids")


def test_long_values_are_cut():
    assert len(message(check_equal, list(range(10_000)), [], "a list")) < 700
