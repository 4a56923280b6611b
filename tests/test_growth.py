"""How far a model's parameters have grown."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from course.growth import Growth


def model():
    torch.manual_seed(0)
    return nn.ModuleDict({"word": nn.Embedding(5, 4), "map": nn.Linear(4, 6), "norm": nn.LayerNorm(4)})


def test_a_parameter_has_grown_by_the_quotient_of_the_sizes_and_zeros_are_left_out():
    untrained, now = model(), model()
    with torch.no_grad():
        now.word.weight.mul_(3.0)
        now.map.weight.mul_(-0.5)
        now.norm.bias.fill_(7.0)
    growth = Growth.of(now, untrained)
    assert growth.parts["word.weight"] == pytest.approx(3.0)
    assert growth.maps == growth.parts["map.weight"] == pytest.approx(0.5)
    assert growth.parts["norm.weight"] == pytest.approx(1.0)
    assert "norm.bias" not in growth.parts, "it began as zeros: there is nothing to compare with"


def test_more_rows_alone_are_no_growth():
    untrained, now = model(), model()
    now["word"] = nn.Embedding.from_pretrained(untrained.word.weight.detach().repeat(3, 1))
    assert Growth.of(now, untrained).parts["word.weight"] == pytest.approx(1.0)


def test_nothing_has_grown_of_what_was_not_trained():
    untrained = model()
    growth = Growth.of(copy.deepcopy(untrained), untrained)
    assert set(growth.parts.values()) == {1.0}
    assert growth.maps == 1.0
    assert Growth() == Growth({}, 1.0)
