"""GPT-2's and BLOOM's blocks and sizes: the library `transformers` as oracle, causality, padding, errors."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import transformers
from transformers.models.bloom.modeling_bloom import build_alibi_tensor

from course.blocks.alibi import alibi_bias, alibi_slopes
from course.blocks.causal_lm import CausalLM, initialise
from course.configs import DecoderConfig, GenerationConfig
from course.training import seeded

CONFIG = DecoderConfig(vocab_size=19, d_model=12, n_heads=3, n_layers=2, d_ff=48, max_len=9)
ALIBI = dataclasses.replace(CONFIG, positions="alibi")
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def texts(seed: int, n_rows: int, length: int) -> torch.Tensor:
    return torch.randint(2, 19, (n_rows, length), generator=torch.Generator().manual_seed(seed))


def shaken(model):
    """The model, with no parameter at its starting value."""
    with seeded(0), torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


@pytest.fixture(params=[CONFIG, ALIBI], ids=["learned", "alibi"])
def model(request):
    with seeded(1):
        return shaken(CausalLM(request.param))


def gpt2(config):
    """The library's GPT-2 with random weights."""
    sizes = {"n_embd": config.d_model, "n_head": config.n_heads, "n_layer": config.n_layers, "n_inner": config.d_ff}
    return shaken(
        transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                vocab_size=config.vocab_size, n_positions=config.max_len, bos_token_id=1, eos_token_id=2, **sizes
            )
        )
    )


def from_gpt2(theirs):
    """Weights of the library's GPT-2 by our names; it keeps matrices transposed, and three maps in one."""
    state = {"word.weight": theirs["transformer.wte.weight"], "position.weight": theirs["transformer.wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = theirs[f"transformer.ln_f.{end}"]
        for i in range(CONFIG.n_layers):
            h, ours = f"transformer.h.{i}", f"blocks.{i}"
            parts = theirs[f"{h}.attn.c_attn.{end}"].chunk(3, dim=-1)
            for name, part in zip("qkv", parts, strict=True):
                state[f"{ours}.self_attn.{name}_proj.{end}"] = part.mT if end == "weight" else part
            for our, their in [
                ("self_attn.out_proj", "attn.c_proj"),
                ("feed_forward.linear1", "mlp.c_fc"),
                ("feed_forward.linear2", "mlp.c_proj"),
            ]:
                state[f"{ours}.{our}.{end}"] = (
                    theirs[f"{h}.{their}.{end}"].mT if end == "weight" else theirs[f"{h}.{their}.{end}"]
                )
            state[f"{ours}.norm1.{end}"] = theirs[f"{h}.ln_1.{end}"]
            state[f"{ours}.norm2.{end}"] = theirs[f"{h}.ln_2.{end}"]
    return state


def from_bloom(theirs):
    """Weights of the library's BLOOM by our names; it keeps query, key and value of each head side by side."""
    state = {"word.weight": theirs["transformer.word_embeddings.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = theirs[f"transformer.ln_f.{end}"]
        state[f"embedding_norm.{end}"] = theirs[f"transformer.word_embeddings_layernorm.{end}"]
        for i in range(ALIBI.n_layers):
            h, ours = f"transformer.h.{i}", f"blocks.{i}"
            fused = theirs[f"{h}.self_attention.query_key_value.{end}"].unflatten(0, (ALIBI.n_heads, 3, -1))
            for j, name in enumerate("qkv"):
                state[f"{ours}.self_attn.{name}_proj.{end}"] = fused[:, j].flatten(0, 1)
            for our, their in [
                ("self_attn.out_proj", "self_attention.dense"),
                ("feed_forward.linear1", "mlp.dense_h_to_4h"),
                ("feed_forward.linear2", "mlp.dense_4h_to_h"),
                ("norm1", "input_layernorm"),
                ("norm2", "post_attention_layernorm"),
            ]:
                state[f"{ours}.{our}.{end}"] = theirs[f"{h}.{their}.{end}"]
    return state


def test_gpt2_in_the_library_gives_the_same_logits():
    theirs, ours = gpt2(CONFIG), CausalLM(CONFIG)
    ours.load_state_dict(from_gpt2(theirs.state_dict()))
    ids = texts(2, 4, 9)
    logits = theirs(ids).logits
    torch.testing.assert_close(ours(ids), logits, **CLOSE)
    assert logits.std() > 0.5  # numbers that a wrong model would not meet by being small


def test_gpt2_in_the_library_gives_the_same_logits_for_rows_padded_on_the_left():
    theirs, ours = gpt2(CONFIG), CausalLM(CONFIG)
    ours.load_state_dict(from_gpt2(theirs.state_dict()))
    ids, mask = texts(3, 3, 7), torch.arange(7) >= torch.tensor([[0], [3], [6]])
    places = (mask.long().cumsum(1) - 1).clamp(min=0)
    logits = theirs(ids, attention_mask=mask.long(), position_ids=places).logits
    torch.testing.assert_close(ours(ids, mask)[mask], logits[mask], **CLOSE)
    torch.testing.assert_close(ours(ids, mask)[1, 3:], ours(ids[1:2, 3:])[0], **CLOSE)


@pytest.mark.parametrize("n_heads", [1, 2, 3, 6])
def test_bloom_in_the_library_gives_the_same_logits(n_heads, monkeypatch):
    config = dataclasses.replace(ALIBI, n_heads=n_heads)
    monkeypatch.setitem(globals(), "ALIBI", config)
    sizes = {"hidden_size": config.d_model, "n_head": n_heads, "n_layer": config.n_layers}
    theirs = shaken(
        transformers.BloomForCausalLM(transformers.BloomConfig(vocab_size=19, **sizes, bos_token_id=1, eos_token_id=2))
    )
    ours = CausalLM(config)
    ours.load_state_dict(from_bloom(theirs.state_dict()))
    ids = texts(4, 3, 13)  # longer than max_len: ALiBi has no table that could end
    torch.testing.assert_close(ours(ids), theirs(ids).logits, **CLOSE)
    mask = torch.arange(13) >= torch.tensor([[0], [4], [11]])
    logits = theirs(ids, attention_mask=mask.long()).logits
    torch.testing.assert_close(ours(ids, mask)[mask], logits[mask], **CLOSE)


@pytest.mark.parametrize("n_heads", [1, 2, 3, 4, 5, 7, 8, 12, 16, 20, 112])
def test_slopes_are_those_of_the_library(n_heads):
    theirs = build_alibi_tensor(torch.ones(1, 2), n_heads, torch.float32)
    torch.testing.assert_close(alibi_slopes(n_heads), theirs[:, 0, 1], rtol=1e-6, atol=0)


def test_the_bias_is_the_slope_times_the_distance():
    bias = alibi_bias(8, 5)
    assert bias.shape == (8, 5, 5)
    assert bias.dtype == torch.float32
    assert bias[0].tolist() == [[(j - i) / 2 for j in range(5)] for i in range(5)]
    with pytest.raises(ValueError, match="n_heads is 0"):
        alibi_slopes(0)


def test_a_bias_of_the_callers_takes_the_place_of_ours():
    with seeded(2):
        one = dataclasses.replace(ALIBI, n_layers=1)
        ours, flat = CausalLM(one), CausalLM(one, alibi_bias=lambda h, t: torch.zeros(h, t, t))
    flat.load_state_dict(ours.state_dict())
    ids = texts(5, 2, 6)
    assert not torch.allclose(ours(ids), flat(ids))
    shuffled = ids[:, [1, 0, 2, 3, 4, 5]]  # one block without a bias hears a bag of words
    torch.testing.assert_close(flat(ids)[:, 5], flat(shuffled)[:, 5], **CLOSE)


def test_no_position_hears_from_a_later_one_and_each_from_all_before(model):
    ids = texts(6, 2, 8)
    for t in range(8):
        moved = ids.clone()
        moved[:, t] = (ids[:, t] + 1) % 19
        change = (model(moved) - model(ids)).abs().amax((0, 2)) > 1e-6
        assert change.tolist() == [s >= t for s in range(8)]


def test_padding_on_either_side_changes_nothing(model):
    ids, real = texts(7, 2, 7), torch.arange(7) < torch.tensor([[7], [4]])
    for mask in (real, real.flip(1)):
        poisoned = ids.masked_fill(~mask, 3)
        torch.testing.assert_close(model(ids, mask)[mask], model(poisoned, mask)[mask], **CLOSE)
        torch.testing.assert_close(model(ids, mask)[1, mask[1]], model(ids[1:, mask[1]])[0], **CLOSE)
    assert model(ids, real.flip(1)).isfinite().all()


def test_the_head_is_the_table_of_word_embeddings(model):
    before = model(texts(8, 2, 5)).detach()
    assert before.shape == (2, 5, 19)
    with torch.no_grad():
        model.word.weight[0] += 1.0  # token 0 is not in the text: only its logit can move
    moved = (model(texts(8, 2, 5)) - before).abs().amax((0, 1)) > 1e-6
    assert moved.tolist() == [True] + [False] * 18
    model(texts(8, 2, 5)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_weights_start_small_and_smaller_where_a_block_adds_to_its_sum():
    with seeded(3):
        model = CausalLM(DecoderConfig(300, 48, 4, 2, 192, 40))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        else:
            std = 0.02 * 4 / (2 if "out_proj" in name or "linear2" in name else 1)  # 768 / 48 is 4 squared
            assert parameter.std().item() == pytest.approx(std, rel=0.08), name
    before = model.word.weight.clone()
    initialise(model)
    assert not torch.equal(before, model.word.weight)


def test_a_fresh_model_guesses_evenly():
    with seeded(4):
        model = CausalLM(dataclasses.replace(CONFIG, vocab_size=300, d_model=48))
    logits = model(texts(9, 4, 9))
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), texts(10, 4, 9).flatten())
    assert loss.item() == pytest.approx(math.log(300), rel=0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CausalLM(CONFIG)(texts(0, 1, 10)), "10 tokens came, but max_len is 9"),
        (lambda: CausalLM(CONFIG)(texts(0, 2, 4), torch.ones(2, 4)), "must be bool"),
        (lambda: CausalLM(CONFIG)(texts(0, 2, 4), torch.ones(4, 4, dtype=torch.bool)), r"must be bool \(2, 4\)"),
        (lambda: dataclasses.replace(CONFIG, positions="rotary"), "positions is 'rotary': choose one of learned"),
        (lambda: dataclasses.replace(CONFIG, n_heads=5), "does not split into n_heads=5"),
        (lambda: dataclasses.replace(CONFIG, d_ff=0), "d_ff is 0"),
        (lambda: dataclasses.replace(CONFIG, max_len=True), "max_len is True"),
    ],
)
def test_wrong_use_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_generation_config_has_the_defaults_of_the_course_and_is_frozen():
    config = GenerationConfig(7)
    assert dataclasses.astuple(config) == (7, False, 1.0, None, None, 1.0, None, 0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.top_k = 3
    assert GenerationConfig(max_new_tokens=1, top_k=1, top_p=1, eos_id=0, temperature=2).top_p == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens is 0, but must be a whole number of at least 1"),
        ({"do_sample": 1}, "do_sample is 1, but must be True or False"),
        ({"temperature": 0.0}, "temperature is 0.0, but must be a number above 0"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.5}, "top_p is 1.5, but is a probability"),
        ({"repetition_penalty": -1.0}, "repetition_penalty is -1.0"),
        ({"eos_id": -1}, "eos_id is -1, but must be a whole number of at least 0"),
        ({"pad_id": None}, "pad_id is None"),
    ],
)
def test_a_generation_config_names_what_is_out_of_range(changes, message):
    with pytest.raises(ValueError, match=message):
        GenerationConfig(**{"max_new_tokens": 5} | changes)
