"""First weights: where heads look before any training, and that a student's model may be started too."""

import pytest
import torch
from torch import nn

from course.blocks.attention import recorded_weights
from course.blocks.masked_lm import MaskedLM
from course.blocks.t5 import T5
from course.configs import EncoderConfig, T5Config
from course.starts import SIDES, start_bert, start_t5, turn, waves
from course.training import seeded

LENGTH = 30


@pytest.mark.parametrize("offset", [-7, -1, 0, 2, 13])
def test_a_turn_takes_every_place_to_the_one_so_many_tokens_on(offset):
    places = torch.arange(20.0)
    torch.testing.assert_close(waves(places) @ turn(offset).T, waves(places + offset), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("d_model", "n_heads"), [(96, 8), (96, 4), (64, 2), (40, 5)])
def test_each_head_of_a_started_bert_looks_at_its_own_neighbour_whatever_stands_there(d_model, n_heads):
    with seeded(1):
        model = MaskedLM(EncoderConfig(50, d_model, n_heads, n_layers=2, d_ff=32, max_len=LENGTH))
        start_bert(model)
        ids = torch.randint(50, (20, LENGTH))
    with torch.no_grad(), recorded_weights(model) as found:
        model(ids)
    weights_HTT = found["encoder.blocks.0.self_attn"].mean(0)
    inner, reach = range(4, LENGTH - 4), range(-4, 5)
    for offset, weights_TT in zip(SIDES, weights_HTT, strict=False):
        at_N = torch.tensor([sum(weights_TT[t, t + n] for t in inner) / len(inner) for n in reach])
        if offset is None:
            assert at_N.max() < 2 / LENGTH
        else:
            assert reach[int(at_N.argmax())] == offset
            assert at_N.max() > 5 / LENGTH


def test_words_of_a_started_bert_are_far_apart_and_the_other_weights_stay():
    with seeded(0):
        model = MaskedLM(EncoderConfig(300, 96, 8, n_layers=2, d_ff=32, max_len=LENGTH))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with seeded(0):
        start_bert(model, word_std=0.2)
    assert model.embeddings.word.weight.std().item() == pytest.approx(0.2, rel=0.02)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    first = "encoder.blocks.0.self_attn."
    assert changed == {
        "embeddings.word.weight",
        "embeddings.position.weight",
        f"{first}q_proj.weight",
        f"{first}k_proj.weight",
    }


def started_t5() -> T5:
    with seeded(0):
        model = T5(T5Config(60, d_model=48, n_heads=8, d_head=6, n_layers=2, d_ff=32))
        start_t5(model)
    return model


@pytest.mark.parametrize(
    ("bidirectional", "offsets"), [(True, SIDES), (False, (0, -1, -2, -3, None, None, None, None))]
)
def test_each_head_of_a_started_t5_has_its_highest_bias_at_its_own_neighbour(bidirectional, offsets):
    bias_HTT = started_t5().relative_bias(40, bidirectional=bidirectional)[0].detach()
    for offset, bias_TT in zip(offsets, bias_HTT, strict=True):
        row = bias_TT[20] if bidirectional else bias_TT[20, :21]
        if offset is None:
            assert row.eq(0).all()
        else:
            assert row.argmax().item() - 20 == offset
            assert row.max().item() == 0
            assert row[0].item() == -8


def test_the_decoder_of_a_started_t5_looks_for_what_is_like_itself():
    attention = started_t5().decoder_blocks[0].cross_attn
    with seeded(2):
        x_1TD = nn.functional.rms_norm(torch.randn(1, 12, 48), (48,))
    with torch.no_grad():
        q_TD, k_TD = attention.q_proj(x_1TD)[0], attention.k_proj(x_1TD)[0]
    assert (q_TD @ k_TD.T).argmax(1).tolist() == list(range(12))


def test_what_a_head_of_a_started_t5_carries_arrives_as_it_was():
    attention = started_t5().encoder_blocks[1].self_attn
    with torch.no_grad():
        carried = attention.out_proj.weight @ attention.v_proj.weight
    torch.testing.assert_close(carried, 0.49 * torch.eye(48), atol=1e-5, rtol=0)
