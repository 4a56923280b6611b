"""What gives a leaking causal model away is found in one that leaks, and not in one that does not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from course.blocks.causal_lm import CausalLM
from course.causal_leaks import SeesBothWays, a_later_token_moves, without_mask, write
from course.configs import DecoderConfig

IDS = torch.tensor([[1, 5, 6, 7, 8], [1, 7, 7, 5, 9]])
BOS, EOS = 1, 2


@pytest.fixture
def model():
    torch.manual_seed(0)
    return CausalLM(DecoderConfig(10, d_model=8, n_heads=2, n_layers=2, d_ff=12, max_len=8))


class Follower(nn.Module):
    """Says with certainty what stands in a table behind the last token."""

    def __init__(self, following):
        super().__init__()
        self.following = torch.tensor(following)

    def forward(self, ids, mask=None):
        assert mask is None
        return 1e4 * nn.functional.one_hot(self.following[ids], len(self.following)).float()


def test_a_later_token_moves_only_a_model_without_its_mask(model):
    assert not a_later_token_moves(model, IDS, at=3, other_id=9)
    assert a_later_token_moves(without_mask(model), IDS, at=3, other_id=9)


def test_a_model_whose_mask_was_taken_away_computes_what_its_blocks_give_unmasked(model):
    x_BTD = model.word(IDS) + model.position.weight[:5]
    for block in model.blocks:
        x_BTD = block(x_BTD)
    expected_BTV = model.norm(x_BTD) @ model.word.weight.T
    assert torch.allclose(without_mask(model)(IDS), expected_BTV, atol=1e-6)


def test_a_block_without_its_mask_drops_whatever_mask_it_is_handed(model):
    block, x_BTD = model.blocks[0], model.word(IDS)
    some_B11T = torch.tensor([True, False, True, False, True])[None, None, None]
    for mask, causal in ((some_B11T, True), (some_B11T, False), (None, True)):
        assert torch.equal(SeesBothWays(block)(x_BTD, mask, causal=causal), block(x_BTD))
        assert not torch.allclose(block(x_BTD, mask, causal=causal), block(x_BTD))


def test_taking_the_mask_away_leaves_the_model_itself_alone(model):
    before = model(IDS)
    blind = without_mask(model)
    nn.init.zeros_(blind.word.weight)
    assert torch.equal(model(IDS), before)


def test_nothing_can_be_learned_from_the_token_that_stands_there_already(model):
    with pytest.raises(ValueError, match="column 0 already"):
        a_later_token_moves(model, IDS, at=0, other_id=BOS)


def test_texts_begin_with_bos_and_end_behind_their_first_end_token():
    following = [0, 4, 7, 2, 5, 3, 0, 0]  # 1 4 5 3 2, and 7 behind the end
    assert write(Follower(following), 2, bos_id=BOS, eos_id=EOS) == [[1, 4, 5, 3, 2]] * 2


def test_a_text_that_never_ends_is_ended_behind_max_len_tokens():
    assert write(Follower([0, 1, 1, 1]), 1, bos_id=BOS, eos_id=EOS, max_len=5) == [[1, 1, 1, 1, 1, 2]]


def test_texts_are_drawn_and_the_seed_decides_them(model):
    first, again, other = (write(model, 6, bos_id=BOS, eos_id=EOS, max_len=8, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert len({tuple(text) for text in first}) > 1
