"""BART's model and checkpoint: the library `transformers` as oracle, causality, padding, errors."""

from __future__ import annotations

import dataclasses
import shutil

import pytest
import torch
import transformers

from course.bart_checkpoints import SIZES, hub_name, load_bart
from course.blocks.bart import OFFSET, Bart
from course.checkpoint_build.small_bart import library_logits, make_model
from course.checkpoints import CHECKPOINTS, CheckpointError, read_expected
from course.configs import BartConfig
from course.training import seeded

from .changed_checkpoints import reconfigure, rewrite

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


@torch.no_grad()
def test_what_is_written_is_what_the_library_writes_greedily(model, theirs):
    src_ids, _, src_mask = batch()
    options = {"max_new_tokens": 8, "do_sample": False, "num_beams": 1, "forced_eos_token_id": None}
    options |= {"decoder_start_token_id": 5, "eos_token_id": 0, "pad_token_id": 1, "use_cache": False}
    expected = theirs.generate(src_ids, attention_mask=src_mask.long(), **options)
    found = model.write(src_ids, src_mask, begin_id=5, end_id=0, max_new_tokens=8)
    for text, row in zip(found, expected.tolist(), strict=True):
        assert text == (row[1:] + [0])[: (row[1:] + [0]).index(0)]
    assert len({tuple(text) for text in found}) > 1
    ended = model.write(src_ids, src_mask, begin_id=5, end_id=found[0][0], max_new_tokens=8)
    assert ended[0] == []


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


@torch.no_grad()
def test_the_checkpoint_gives_the_logits_that_the_library_gave_and_gives_now():
    inputs, ours = read_expected("small_bart"), load_bart("small_bart")
    real = inputs["target_mask"]
    found = ours(inputs["ids"], inputs["target_ids"], inputs["mask"])[real]
    torch.testing.assert_close(found, inputs["logits"][real], **CLOSE)
    now = library_logits(make_model(), {**inputs, "mask": inputs["mask"].long()})[real]
    torch.testing.assert_close(found, now, **CLOSE)
    assert inputs["logits"].std() > 0.5
    assert ours.final_logits_bias.abs().min() > 0
    assert sum(path.stat().st_size for path in (CHECKPOINTS / "small_bart").iterdir()) < 300_000


def test_at_full_size_our_names_and_shapes_are_those_of_the_library():
    settings = transformers.BartConfig()
    with torch.device("meta"):
        model = transformers.BartForConditionalGeneration(settings)
        theirs = {name.removeprefix("model."): tuple(p.shape) for name, p in model.named_parameters()}
        config = BartConfig(**{ours: getattr(settings, hub) for ours, hub in SIZES.items()})
        ours = {hub_name(name): tuple(p.shape) for name, p in Bart(config).named_parameters()}
    assert ours == theirs


@pytest.fixture
def folder(tmp_path):
    """A copy of the checkpoint, so that a test may change it."""
    return shutil.copytree(CHECKPOINTS / "small_bart", tmp_path / "small_bart")


def test_files_with_copies_of_the_word_embeddings_and_without_the_bias_are_read(folder):
    copies = ("model.encoder.embed_tokens.weight", "lm_head.weight")
    rewrite(folder, lambda state: state | {name: state["model.shared.weight"].clone() for name in copies})
    before, after = load_bart("small_bart").state_dict(), load_bart(folder).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    rewrite(folder, lambda state: {name: value for name, value in state.items() if "bias" not in name[:20]})
    assert not load_bart(folder).final_logits_bias.any()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_type": "mbart"}, "only bart"),
        ({"activation_function": "relu"}, "activation_function is 'relu'"),
        ({"scale_embedding": True}, "scale_embedding"),
        ({"decoder_layers": 3}, "the decoder's is 3"),
        ({"d_model": 28}, "what we call word.weight is"),
        ({"encoder_layers": 3, "decoder_layers": 3}, "missing"),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(folder, changes, says):
    reconfigure(folder, **changes)
    with pytest.raises(CheckpointError, match=says):
        load_bart(folder)


def test_a_head_of_its_own_is_refused(folder):
    rewrite(folder, lambda state: state | {"lm_head.weight": state["model.shared.weight"] + 1})
    with pytest.raises(CheckpointError, match=r"lm_head\.weight differs"):
        load_bart(folder)
