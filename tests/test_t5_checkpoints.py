"""T5 checkpoints: ours against the library `transformers`, the files' forms, and what is refused."""

from __future__ import annotations

import pytest
import torch
import transformers

from course.blocks.t5 import T5
from course.checkpoint_build import small_t5, small_t5_v1_1
from course.checkpoint_build.hub_files import write_hub_files
from course.checkpoints import CHECKPOINTS, CheckpointError, read_expected
from course.configs import T5Config
from course.t5_checkpoints import hub_name, hub_settings, load_t5, read_t5
from course.training import seeded

from .changed_checkpoints import reconfigure, rewrite

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
BUILDERS = {"small_t5": small_t5, "small_t5_v1_1": small_t5_v1_1}
SIZES = T5Config(89, d_model=24, n_heads=4, d_head=5, n_layers=2, d_ff=40, n_buckets=8, max_distance=9)


@pytest.mark.parametrize("name", BUILDERS)
def test_our_model_gives_the_logits_that_the_library_gave(name):
    batch = read_expected(name)
    found = load_t5(name)(batch["ids"], batch["target_ids"], batch["mask"])
    torch.testing.assert_close(found[batch["target_mask"]], batch["logits"][batch["target_mask"]], **CLOSE)
    assert batch["logits"].std() > 0.5  # numbers that a wrong model would not meet by being small


@pytest.mark.parametrize("name", BUILDERS)
def test_the_expected_logits_are_what_the_library_computes_now(name):
    batch = read_expected(name)
    library = transformers.T5ForConditionalGeneration.from_pretrained(CHECKPOINTS / name).eval()
    with torch.no_grad():
        logits = BUILDERS["small_t5"].library_logits(library, {**batch, "mask": batch["mask"].long()})
    torch.testing.assert_close(logits, batch["logits"], **CLOSE)


def test_the_form_and_the_sizes_are_read():
    plain, gated = read_t5("small_t5").config, read_t5("small_t5_v1_1").config
    assert (plain, plain.gated, plain.tied) == (SIZES, False, True)
    assert (gated.gated, gated.tied, gated.d_head) == (True, False, 5)


@pytest.mark.parametrize("name", BUILDERS)
def test_building_again_gives_the_same_bytes(name, tmp_path):
    BUILDERS[name].write(tmp_path / name)
    for path in (CHECKPOINTS / name).iterdir():
        assert path.read_bytes() == (tmp_path / name / path.name).read_bytes(), path.name


def as_the_library_of_2020_wrote_it(state):
    """Every table of the first files of t5-small: copies of the word embeddings, and a table that nothing uses."""
    table = state["decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    copies = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
    return (
        state
        | {name: state["shared.weight"].clone() for name in copies}
        | {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": table + 1}
    )


def without_shared(state):
    copy = {"encoder.embed_tokens.weight": state["shared.weight"].clone()}
    return {name: value for name, value in state.items() if name != "shared.weight"} | copy


@pytest.mark.parametrize("form", [as_the_library_of_2020_wrote_it, without_shared])
def test_every_form_of_the_file_is_read_the_same(form, copied):
    found, expected = read_t5(rewrite(copied("small_t5"), form)).state, read_t5("small_t5").state
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_settings_that_t5_small_does_not_spell_out_have_its_values(copied):
    missing = dict.fromkeys(
        ["feed_forward_proj", "num_decoder_layers", "tie_word_embeddings", "scale_decoder_outputs"]
        + ["relative_attention_max_distance"]
    )
    config = read_t5(reconfigure(copied("small_t5"), **missing)).config
    assert (config.gated, config.tied, config.max_distance) == (False, True, 128)


def test_a_head_that_is_tied_but_not_scaled_is_read_as_the_library_reads_it(copied):
    folder = reconfigure(
        rewrite(copied("small_t5_v1_1"), lambda s: {k: v for k, v in s.items() if k != "lm_head.weight"}),
        tie_word_embeddings=True,
        scale_decoder_outputs=False,
    )
    batch = read_expected("small_t5_v1_1")
    library = transformers.T5ForConditionalGeneration.from_pretrained(folder).eval()
    library.config.scale_decoder_outputs = False
    with torch.no_grad():
        logits = small_t5.library_logits(library, {**batch, "mask": batch["mask"].long()})
    found = load_t5(folder)(batch["ids"], batch["target_ids"], batch["mask"])
    torch.testing.assert_close(found, logits, rtol=1e-4, atol=1e-4)  # its logits are large


# The released sizes (Raffel et al. 2020, section 3.1.1 and the released models), as their config.json has them.
FULL = {
    "t5-small": T5Config(32128, d_model=512, n_heads=8, d_head=64, n_layers=6, d_ff=2048),
    "t5-v1_1-small": T5Config(32128, d_model=512, n_heads=6, d_head=64, n_layers=8, d_ff=1024, gated=True, tied=False),
}


@pytest.mark.parametrize("name", FULL)
def test_our_names_are_those_of_the_released_models_one_for_one(name):
    config = FULL[name]
    settings = transformers.T5Config(**{k: v for k, v in hub_settings(config).items() if k != "architectures"})
    with torch.device("meta"):
        theirs, ours = transformers.T5ForConditionalGeneration(settings).state_dict(), T5(config).state_dict()
    shapes = {hub_name(key, gated=config.gated): value.shape for key, value in ours.items()}
    copies = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}
    copies |= {"lm_head.weight"} if config.tied else set()
    assert shapes == {key: value.shape for key, value in theirs.items() if key not in copies}


@pytest.mark.parametrize("config", [SIZES, read_t5("small_t5_v1_1").config], ids=["v1.0", "v1.1"])
def test_a_model_of_ours_goes_into_a_file_and_comes_back(config, tmp_path):
    with seeded(5):
        model = T5(config).eval()
    state = {hub_name(name, gated=config.gated): value.half() for name, value in model.state_dict().items()}
    write_hub_files(tmp_path / "ours", hub_settings(config), state)
    again = load_t5(tmp_path / "ours")
    assert again.config == config
    ids, target_ids = torch.arange(6)[None] + 5, torch.arange(4)[None] + 7
    torch.testing.assert_close(again(ids, target_ids), model(ids, target_ids), rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "mt5"}, "model_type is 'mt5'"),
        ({"feed_forward_proj": "gated-silu"}, "feed_forward_proj is 'gated-silu'"),
        ({"layer_norm_epsilon": 1e-5}, "layer_norm_epsilon is 1e-05"),
        ({"num_decoder_layers": 3}, "3 in the decoder"),
        ({"d_kv": None}, "does not say d_kv"),
        ({"d_kv": 6}, "as config.json has it"),
        ({"num_layers": 1, "num_decoder_layers": 1}, "not known"),
        ({"feed_forward_proj": "gated-gelu"}, "missing"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message, copied):
    with pytest.raises(CheckpointError, match=message):
        read_t5(reconfigure(copied("small_t5"), **changes))


def test_a_head_that_differs_from_the_table_it_should_share_is_refused(copied):
    folder = rewrite(copied("small_t5"), lambda s: s | {"lm_head.weight": s["shared.weight"] + 1})
    with pytest.raises(CheckpointError, match="lm_head.weight differs"):
        read_t5(folder)


@pytest.mark.parametrize("name", ["encoder_blocks.0.cross", "word", "encoder_blocks.0.self_attn.gate.weight"])
def test_a_name_of_no_weight_has_no_hub_name(name):
    with pytest.raises(KeyError):
        hub_name(name)
