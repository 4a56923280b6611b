"""BERT's and RoBERTa's blocks and sizes: shapes, masks, errors; parity with transformers stands in test_checkpoints."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from course.blocks.masked_lm import BertEmbeddings, MaskedLM, RobertaEmbeddings, initialise
from course.configs import EncoderConfig
from course.training import seeded

CONFIG = EncoderConfig(vocab_size=19, d_model=12, n_heads=3, n_layers=2, d_ff=20, max_len=9)


def texts(seed: int, n_rows: int, length: int) -> torch.Tensor:
    return torch.randint(2, 19, (n_rows, length), generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def model():
    """A model in which no parameter stands at its starting value."""
    with seeded(0):
        model = MaskedLM(CONFIG)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def test_a_config_is_frozen_and_checks_its_sizes():
    with pytest.raises(dataclasses.FrozenInstanceError):
        CONFIG.d_model = 8
    assert CONFIG.n_segments == 2
    for changes, message in [
        ({"n_heads": 5}, "does not split into n_heads=5"),
        ({"n_layers": 0}, "n_layers is 0"),
        ({"max_len": 2.0}, "max_len is 2.0"),
        ({"n_segments": True}, "n_segments is True"),
    ]:
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(CONFIG, **changes)


def test_encode_and_forward_have_the_promised_shapes(model):
    ids = texts(1, 4, 7)
    assert model.encode(ids).shape == (4, 7, 12)
    assert model(ids).shape == (4, 7, 19)
    assert model(ids, segment_ids=torch.ones_like(ids)).shape == (4, 7, 19)


def test_logits_at_chosen_positions_equal_those_of_the_whole(model):
    ids, chosen = texts(2, 3, 6), torch.rand(3, 6, generator=torch.Generator().manual_seed(3)) < 0.4
    torch.testing.assert_close(model(ids, chosen=chosen), model(ids)[chosen], rtol=1e-5, atol=1e-5)


def test_padding_changes_nothing_and_every_real_token_counts(model):
    ids, mask = texts(4, 2, 7), torch.arange(7) < torch.tensor([[7], [4]])
    other = ids.masked_fill(~mask, 3)
    torch.testing.assert_close(model(ids, mask)[mask], model(other, mask)[mask], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(model(ids, mask)[1, :4], model(ids[1:, :4])[0], rtol=1e-5, atol=1e-5)
    moved = ids.clone()
    moved[0, 6] = (ids[0, 6] + 1) % 19
    assert ((model(moved) - model(ids)).abs().amax(-1)[0] > 1e-6).all()


def test_the_head_shares_the_word_embeddings_and_learns(model):
    before = model(texts(5, 2, 5)).detach()
    with torch.no_grad():
        model.embeddings.word.weight[0] += 1.0  # token 0 is not in the text: only its logit can move
    moved = (model(texts(5, 2, 5)) - before).abs().amax((0, 1)) > 1e-6
    assert moved.tolist() == [True] + [False] * 18
    model(texts(5, 2, 5)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_segments_are_added_before_the_norm():
    embeddings = BertEmbeddings(5, 4, 6, 2)
    ids, segments = torch.tensor([[1, 4, 4]]), torch.tensor([[0, 1, 1]])
    rows = [
        embeddings.word.weight[i] + embeddings.position.weight[t] + embeddings.segment.weight[s]
        for t, (i, s) in enumerate(zip(ids[0], segments[0], strict=True))
    ]
    expected = torch.stack([(row - row.mean()) / row.std(correction=0) for row in rows])
    torch.testing.assert_close(embeddings(ids, segments)[0], expected, rtol=1e-4, atol=1e-5)


def test_roberta_counts_real_tokens_only():
    embeddings = RobertaEmbeddings(9, 4, 8, 1, pad_id=1)
    ids = torch.tensor([[1, 1, 5, 6], [5, 6, 1, 1]])
    found = embeddings(ids)
    torch.testing.assert_close(found[0, 2:], found[1, :2])
    expected = embeddings.norm(embeddings.word.weight[5] + embeddings.position.weight[2] + embeddings.segment.weight[0])
    torch.testing.assert_close(found[1, 0], expected)


def test_weights_start_small_with_plain_norms_and_no_biases():
    with seeded(1):
        model = MaskedLM(EncoderConfig(300, 48, 4, 1, 96, 64))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        elif parameter.numel() > 1000:
            assert parameter.std().item() == pytest.approx(0.88 * 0.02 * 4, rel=0.06), name  # 768 / 48 is 4 squared
    before = model.dense.weight.clone()
    initialise(model)
    assert not torch.equal(before, model.dense.weight)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m(texts(0, 1, 10)), "10 positions are needed, but max_len is 9"),
        (lambda m: m(texts(0, 2, 4), torch.ones(2, 4)), "must be bool"),
        (lambda m: m(texts(0, 2, 4), torch.ones(2, 1, 1, 4, dtype=torch.bool)), r"must be bool \(2, 4\)"),
        (lambda m: m(texts(0, 2, 4), None, torch.zeros(4, dtype=torch.long)), "one a token"),
    ],
)
def test_wrong_use_is_named(model, call, message):
    with pytest.raises(ValueError, match=message):
        call(model)
