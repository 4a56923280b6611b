"""GPT-2 and BLOOM checkpoints: ours against the library `transformers`, the files' forms, and what is refused."""

from __future__ import annotations

import pytest
import torch
import transformers
from safetensors.torch import load_file

from course.blocks.causal_lm import CausalLM
from course.checkpoint_build import small_bloom, small_gpt2
from course.checkpoint_build.gpt2_form import write_gpt2
from course.checkpoints import CHECKPOINTS, CheckpointError, read_expected
from course.configs import DecoderConfig
from course.gpt_checkpoints import load_causal_lm, read_causal_checkpoint
from course.training import seeded

from .changed_checkpoints import reconfigure, rewrite

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
BUILDERS = {"small_gpt2": small_gpt2, "small_bloom": small_bloom}
LIBRARY = {"small_gpt2": transformers.GPT2LMHeadModel, "small_bloom": transformers.BloomForCausalLM}


@pytest.mark.parametrize("name", BUILDERS)
def test_our_model_gives_the_logits_that_the_library_gave(name):
    batch = read_expected(name)
    found = load_causal_lm(name)(batch["ids"], batch["mask"])
    torch.testing.assert_close(found[batch["mask"]], batch["logits"][batch["mask"]], **CLOSE)
    assert batch["logits"].std() > 0.5  # numbers that a wrong model would not meet by being small


@pytest.mark.parametrize("name", BUILDERS)
def test_the_expected_logits_are_what_the_library_computes_now(name):
    batch = read_expected(name)
    library = LIBRARY[name].from_pretrained(CHECKPOINTS / name).eval()
    with torch.no_grad():
        logits = library(batch["ids"], attention_mask=batch["mask"].long()).logits
    torch.testing.assert_close(logits[batch["mask"]], batch["logits"][batch["mask"]], **CLOSE)


def test_the_kinds_and_sizes_are_read():
    gpt2, bloom = read_causal_checkpoint("small_gpt2"), read_causal_checkpoint("small_bloom")
    assert (gpt2.kind, gpt2.config) == ("gpt2", DecoderConfig(101, 24, 4, 3, 96, 32))
    assert (bloom.kind, bloom.config) == ("bloom", DecoderConfig(103, 24, 6, 3, 96, 2048, positions="alibi"))
    assert gpt2.hub_state["transformer.h.0.attn.c_attn.weight"].shape == (24, 72)
    assert bloom.hub_state["transformer.h.0.self_attention.query_key_value.weight"].shape == (72, 24)


def as_on_the_hub(state):
    """The names in the file of the model "gpt2": no prefix, no head, and the causal mask of each block as a buffer."""
    plain = {name.removeprefix("transformer."): value for name, value in state.items()}
    layers = {name.split(".")[1] for name in plain if name.startswith("h.")}
    return plain | {f"h.{i}.attn.bias": torch.ones(1, 1, 32, 32).tril() for i in layers}


def with_everything(state):
    """A file with the prefix, both buffers of each block and a copy of the word embeddings as its head."""
    layers = {name.split(".")[2] for name in state if name.startswith("transformer.h.")}
    buffers = {f"transformer.h.{i}.attn.bias": torch.ones(1, 1, 32, 32).tril() for i in layers}
    buffers |= {f"transformer.h.{i}.attn.masked_bias": torch.tensor(-1e4) for i in layers}
    return state | buffers | {"lm_head.weight": state["transformer.wte.weight"].clone()}


@pytest.mark.parametrize("form", [as_on_the_hub, with_everything])
def test_every_form_of_the_file_is_read_the_same(form, copied):
    found = read_causal_checkpoint(rewrite(copied("small_gpt2"), form)).state
    expected = read_causal_checkpoint("small_gpt2").state
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_bloom_without_its_prefix_and_with_the_older_names_of_its_sizes_is_read_the_same(copied):
    folder = rewrite(
        copied("small_bloom"), lambda s: {name.removeprefix("transformer."): value for name, value in s.items()}
    )
    reconfigure(folder, hidden_size=None, n_embed=24, n_head=None, num_attention_heads=6, seq_length=2048)
    found, expected = read_causal_checkpoint(folder), read_causal_checkpoint("small_bloom")
    assert found.config == expected.config
    assert all(torch.equal(found.state[name], expected.state[name]) for name in expected.state)


# The released sizes (Radford et al. 2019, table 2; Scao et al. 2022, table 3), as their config.json has them.
FULL = {
    "small_gpt2": (
        transformers.GPT2Config(),
        DecoderConfig(50257, 768, 12, 12, 3072, 1024),
    ),
    "small_bloom": (
        transformers.BloomConfig(vocab_size=250880, hidden_size=1024, n_head=16, n_layer=24),
        DecoderConfig(250880, 1024, 16, 24, 4096, 2048, positions="alibi"),
    ),
}


@pytest.mark.parametrize("name", FULL)
def test_at_full_size_our_names_and_shapes_are_those_of_the_library(name, tmp_path, monkeypatch):
    """The real files' names and shapes, without their half a gigabyte of numbers."""
    settings, config = FULL[name]
    with torch.device("meta"):
        theirs = LIBRARY[name](settings).state_dict()
        ours = CausalLM(config).state_dict()
    if name == "small_gpt2":
        theirs |= {f"transformer.h.{i}.attn.bias": torch.empty(1, 1, 1024, 1024, device="meta") for i in range(12)}
    del theirs["lm_head.weight"]
    plain = {key.removeprefix("transformer."): value for key, value in theirs.items()}
    monkeypatch.setattr("course.gpt_checkpoints.read_tensors", lambda path: plain)
    settings.save_pretrained(tmp_path)
    found = read_causal_checkpoint(tmp_path)
    assert found.config == config
    assert {key: value.shape for key, value in found.state.items()} == {key: v.shape for key, v in ours.items()}


def test_a_file_with_all_the_names_of_gpt2_computes_what_the_library_does(tmp_path):
    """Twelve blocks, 1,024 positions and every name of the hub's file; only the width is smaller."""
    with seeded(1):
        library = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=24, vocab_size=211)).eval()
        for parameter in library.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    library.save_pretrained(tmp_path)
    rewrite(tmp_path, as_on_the_hub)
    names = set(load_file(tmp_path / "model.safetensors"))
    assert {"wte.weight", "wpe.weight", "h.11.attn.bias", "h.0.attn.c_attn.weight", "ln_f.bias"} <= names
    assert len(names) == 2 + 12 * 13 + 2  # of the 160 tensors in the hub's file none is missing
    ids = torch.randint(211, (2, 40), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        torch.testing.assert_close(load_causal_lm(tmp_path)(ids), library(ids).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_model_of_ours_written_as_gpt2_is_read_by_us_and_by_the_library(dtype, tmp_path):
    with seeded(3):
        model = CausalLM(DecoderConfig(53, 24, 3, 2, 40, 16)).to(dtype).float().eval()
    write_gpt2(model, tmp_path, eos_id=2, dtype=dtype)
    ids = torch.randint(53, (2, 16), generator=torch.Generator().manual_seed(4))
    tolerance = {torch.float32: 1e-5, torch.float16: 1e-3}[dtype]
    with torch.no_grad():
        again = load_causal_lm(tmp_path)
        library = transformers.GPT2LMHeadModel.from_pretrained(tmp_path, dtype=torch.float32).eval()
        assert again.config == model.config
        torch.testing.assert_close(again(ids), model(ids), rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(library(ids).logits, again(ids), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("small_gpt2", {"model_type": "bert"}, "model_type is 'bert', but only gpt2 and bloom"),
        ("small_gpt2", {"activation_function": "relu"}, "activation_function is 'relu'; our blocks need 'gelu_new'"),
        ("small_gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx is True"),
        ("small_gpt2", {"tie_word_embeddings": False}, "tie_word_embeddings is False"),
        ("small_gpt2", {"n_embd": None}, "does not say n_embd"),
        ("small_bloom", {"hidden_size": None}, "does not say hidden_size or n_embed"),
        ("small_gpt2", {"n_layer": 4}, r"missing \['h\.3\."),
        ("small_gpt2", {"n_layer": 2}, r"not known \['h\.2\."),
        ("small_gpt2", {"n_positions": 30}, r"what we call position.weight is \(32, 24\) and not \(30, 24\)"),
        ("small_gpt2", {"n_inner": 95}, "what we call blocks.0.feed_forward.linear1.weight is"),
        ("small_bloom", {"apply_residual_connection_post_layernorm": True}, "apply_residual"),
    ],
)
def test_a_config_that_does_not_fit_is_named(copied, name, changes, message):
    with pytest.raises(CheckpointError, match=message):
        read_causal_checkpoint(reconfigure(copied(name), **changes))


def test_a_head_of_its_own_is_refused(copied):
    folder = rewrite(copied("small_gpt2"), lambda s: s | {"lm_head.weight": torch.ones(101, 24)})
    with pytest.raises(CheckpointError, match="lm_head.weight differs from the word embeddings"):
        read_causal_checkpoint(folder)
