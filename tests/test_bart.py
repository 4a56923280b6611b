"""BART's model and checkpoint: the library `transformers` as oracle, causality, padding, errors."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import transformers

from course.blocks.bart import OFFSET, Bart
from course.configs import BartConfig
from course.training import seeded

CONFIG = BartConfig(vocab_size=31, d_model=12, n_heads=3, n_layers=2, d_ff=20, max_len=16)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
# Ours on the left, the library's on the right; written here by hand, apart from the tables of the reader.
PARTS = {
    "self_attn": "self_attn",
    "cross_attn": "encoder_attn",
    "feed_forward.linear1": "fc1",
    "feed_forward.linear2": "fc2",
}
NORMS = {
    "encoder": {"norm1": "self_attn_layer_norm", "norm2": "final_layer_norm"},
    "decoder": {"norm1": "self_attn_layer_norm", "norm2": "encoder_attn_layer_norm", "norm3": "final_layer_norm"},
}


def library_model() -> transformers.PreTrainedModel:
    """The library's BART of the sizes in CONFIG, no weight at its starting value."""
    sides = {"layers": CONFIG.n_layers, "attention_heads": CONFIG.n_heads, "ffn_dim": CONFIG.d_ff}
    sizes = {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in sides.items()}
    sizes |= {"d_model": CONFIG.d_model, "vocab_size": CONFIG.vocab_size, "max_position_embeddings": CONFIG.max_len}
    with seeded(3), torch.no_grad():
        model = transformers.BartForConditionalGeneration(transformers.BartConfig(**sizes))
        for parameter in [*model.parameters(), model.final_logits_bias]:
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def by_our_names(theirs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    state = {"word.weight": theirs["model.shared.weight"], "final_logits_bias": theirs["final_logits_bias"][0]}
    for side in ("encoder", "decoder"):
        state[f"{side}_position.weight"] = theirs[f"model.{side}.embed_positions.weight"]
        for end in ("weight", "bias"):
            state[f"{side}_norm.{end}"] = theirs[f"model.{side}.layernorm_embedding.{end}"]
        for i in range(CONFIG.n_layers):
            for ours, name in (PARTS | NORMS[side]).items():
                prefix = f"model.{side}.layers.{i}.{name}."
                found = {key.removeprefix(prefix): value for key, value in theirs.items() if key.startswith(prefix)}
                state |= {f"{side}_blocks.{i}.{ours}.{key}": value for key, value in found.items()}
    return state


@pytest.fixture(scope="module")
def theirs():
    return library_model()


@pytest.fixture
def model(theirs):
    ours = Bart(CONFIG)
    ours.load_state_dict(by_our_names(theirs.state_dict()))
    return ours.eval()


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(src_ids [3,9], tgt_ids [3,7], src_mask [3,9]); no token of the padding is special."""
    generator = torch.Generator().manual_seed(5)
    src_ids = torch.randint(3, 31, (3, 9), generator=generator)
    tgt_ids = torch.randint(3, 31, (3, 7), generator=generator)
    return src_ids, tgt_ids, torch.arange(9) < torch.tensor([9, 4, 6])[:, None]


@torch.no_grad()
def test_the_same_weights_give_the_logits_of_the_library(model, theirs):
    src_ids, tgt_ids, src_mask = batch()
    found = model(src_ids, tgt_ids, src_mask)
    expected = theirs(input_ids=src_ids, attention_mask=src_mask.long(), decoder_input_ids=tgt_ids).logits
    torch.testing.assert_close(found, expected, **CLOSE)
    assert expected.std() > 0.5  # numbers that a wrong model would not meet by being small
    unmasked = theirs(input_ids=src_ids, decoder_input_ids=tgt_ids).logits
    torch.testing.assert_close(model(src_ids, tgt_ids), unmasked, **CLOSE)


def test_at_full_size_the_parameters_are_as_many_as_the_librarys():
    with torch.device("meta"):
        theirs = transformers.BartForConditionalGeneration(transformers.BartConfig())
        ours = Bart(BartConfig(50265, d_model=1024, n_heads=16, n_layers=12, d_ff=4096, max_len=1024))
    counts = [sum(parameter.numel() for parameter in model.parameters()) for model in (ours, theirs)]
    assert counts == [406_291_456, 406_291_456]


@torch.no_grad()
def test_no_logits_depend_on_later_target_tokens(model):
    src_ids, tgt_ids, src_mask = batch()
    changed = tgt_ids.clone()
    changed[:, 4] = (changed[:, 4] + 1) % 31
    before, after = model(src_ids, tgt_ids, src_mask), model(src_ids, changed, src_mask)
    torch.testing.assert_close(before[:, :4], after[:, :4], **CLOSE)
    assert not torch.allclose(before[:, 4:], after[:, 4:])


@torch.no_grad()
def test_source_padding_is_seen_by_none(model):
    src_ids, tgt_ids, src_mask = batch()
    poisoned = torch.where(src_mask, src_ids, 30)
    torch.testing.assert_close(model(src_ids, tgt_ids, src_mask), model(poisoned, tgt_ids, src_mask), **CLOSE)
    alone = model(src_ids[1:2, :4], tgt_ids[1:2])
    torch.testing.assert_close(model(src_ids, tgt_ids, src_mask)[1:2], alone, **CLOSE)


def test_the_first_rows_of_the_position_tables_get_no_gradient():
    with seeded(0):
        ours = Bart(CONFIG)
    src_ids, tgt_ids, src_mask = batch()
    ours(src_ids, tgt_ids, src_mask).logsumexp(-1).sum().backward()
    for table in (ours.encoder_position, ours.decoder_position):
        assert not table.weight.grad[:OFFSET].any()
        assert table.weight.grad[OFFSET:6].abs().sum(1).all()


def test_an_untrained_model_is_nearly_indifferent():
    with seeded(0):
        ours = Bart(dataclasses.replace(CONFIG, vocab_size=300, d_model=96, n_heads=4))
    src_ids, tgt_ids, _ = batch()
    targets = torch.arange(tgt_ids.numel()) + 200  # tokens that neither side has read
    loss = torch.nn.functional.cross_entropy(ours(src_ids, tgt_ids).flatten(0, 1), targets)
    assert 5.0 < loss.item() < 7.0  # log 300 is 5.7


@pytest.mark.parametrize("mask", [torch.ones(3, 9), torch.ones(3, 8, dtype=torch.bool)])
def test_a_mask_of_another_kind_is_refused(model, mask):
    src_ids, tgt_ids, _ = batch()
    with pytest.raises(ValueError, match=r"src_mask is .* but must be bool \(3, 9\)"):
        model(src_ids, tgt_ids, mask)


def test_more_tokens_than_positions_are_refused(model):
    with pytest.raises(ValueError, match="17 tokens came, but max_len is 16"):
        model.encode(torch.zeros(1, 17, dtype=torch.long))


@pytest.mark.parametrize(("change", "says"), [({"n_heads": 5}, "n_heads=5"), ({"max_len": 0}, "max_len is 0")])
def test_sizes_that_cannot_be_are_refused(change, says):
    with pytest.raises(ValueError, match=says):
        dataclasses.replace(CONFIG, **change)
