"""T5's blocks and sizes: the library `transformers` as oracle, relative positions, causality, padding, errors."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import transformers
from transformers.models.t5.modeling_t5 import T5Attention as LibraryAttention

from course.blocks.relative_positions import relative_position_bucket
from course.blocks.t5 import T5
from course.configs import T5Config
from course.training import make_optimiser, seeded, train

V1_0 = T5Config(19, d_model=12, n_heads=3, d_head=5, n_layers=2, d_ff=21, n_buckets=8, max_distance=11)
V1_1 = dataclasses.replace(V1_0, gated=True, tied=False)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
OUR_NAMES = {  # inside a block, whose parts the library counts: layer.0 self-attention, then cross, feed-forward last
    "SelfAttention.q": "self_attn.q_proj",
    "SelfAttention.k": "self_attn.k_proj",
    "SelfAttention.v": "self_attn.v_proj",
    "SelfAttention.o": "self_attn.out_proj",
    "EncDecAttention.q": "cross_attn.q_proj",
    "EncDecAttention.k": "cross_attn.k_proj",
    "EncDecAttention.v": "cross_attn.v_proj",
    "EncDecAttention.o": "cross_attn.out_proj",
    "DenseReluDense.wi": "feed_forward.linear1",
    "DenseReluDense.wi_0": "feed_forward.gate",
    "DenseReluDense.wi_1": "feed_forward.linear1",
    "DenseReluDense.wo": "feed_forward.linear2",
}


def texts(seed: int, n_rows: int, length: int) -> torch.Tensor:
    return torch.randint(2, 19, (n_rows, length), generator=torch.Generator().manual_seed(seed))


def shaken(model):
    """The model, with no parameter at its starting value."""
    with seeded(0), torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


@pytest.fixture(params=[V1_0, V1_1], ids=["v1.0", "v1.1"])
def model(request):
    with seeded(1):
        return shaken(T5(request.param))


def library(config):
    """The library's T5 with random weights."""
    kind = "gated-gelu" if config.gated else "relu"
    sizes = {"d_model": config.d_model, "d_kv": config.d_head, "d_ff": config.d_ff, "num_heads": config.n_heads}
    buckets = {
        "relative_attention_num_buckets": config.n_buckets,
        "relative_attention_max_distance": config.max_distance,
    }
    settings = transformers.T5Config(
        vocab_size=config.vocab_size,
        num_layers=config.n_layers,
        feed_forward_proj=kind,
        tie_word_embeddings=config.tied,
        **sizes,
        **buckets,
    )
    with seeded(2):
        model = transformers.T5ForConditionalGeneration(settings)
        if not config.tied:  # of itself the library ties every head, and only leaves out the scale
            model.lm_head.weight = torch.nn.Parameter(torch.randn(model.shared.weight.shape) / 3)
        return shaken(model)


def our_weights(theirs, config):
    """Weights of the library's T5 by our names."""
    state = {"word.weight": theirs["shared.weight"]}
    if not config.tied:
        state["head.weight"] = theirs["lm_head.weight"]
    for side in ("encoder", "decoder"):
        state[f"{side}_bias.weight"] = theirs[f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
        state[f"{side}_norm.weight"] = theirs[f"{side}.final_layer_norm.weight"]
        for name, value in theirs.items():
            if name.startswith(f"{side}.block.") and "relative" not in name:
                _, _, i, _, part, rest = name.removesuffix(".weight").split(".", 5)
                norm = f"norm{[1, 3][int(part)] if side == 'encoder' else int(part) + 1}"
                ours = norm if rest == "layer_norm" else OUR_NAMES[rest]
                state[f"{side}_blocks.{i}.{ours}.weight"] = value
    return state


def pair(config):
    theirs, ours = library(config), T5(config)
    ours.load_state_dict(our_weights(theirs.state_dict(), config))
    return theirs, ours.eval()


@pytest.mark.parametrize("config", [V1_0, V1_1], ids=["v1.0", "v1.1"])
def test_the_library_gives_the_same_logits(config):
    theirs, ours = pair(config)
    ids, decoder_ids = texts(3, 4, 17), texts(4, 4, 13)  # both longer than max_distance
    logits = theirs(input_ids=ids, decoder_input_ids=decoder_ids).logits
    torch.testing.assert_close(ours(ids, decoder_ids), logits, **CLOSE)
    assert logits.std() > 0.5  # numbers that a wrong model would not meet by being small


@pytest.mark.parametrize("config", [V1_0, V1_1], ids=["v1.0", "v1.1"])
def test_the_library_gives_the_same_logits_for_padded_rows(config):
    theirs, ours = pair(config)
    ids, decoder_ids, mask = texts(5, 3, 9), texts(6, 3, 7), torch.arange(9) < torch.tensor([[9], [4], [1]])
    logits = theirs(input_ids=ids, decoder_input_ids=decoder_ids, attention_mask=mask.long()).logits
    torch.testing.assert_close(ours(ids, decoder_ids, mask), logits, **CLOSE)
    torch.testing.assert_close(ours(ids, decoder_ids, mask)[1], ours(ids[1:2, :4], decoder_ids[1:2])[0], **CLOSE)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("n_buckets", "max_distance"), [(32, 128), (8, 11), (4, 20), (16, 300), (64, 128)])
def test_buckets_are_those_of_the_library(bidirectional, n_buckets, max_distance):
    relative = torch.arange(-400, 401)
    theirs = LibraryAttention._relative_position_bucket(relative, bidirectional, n_buckets, max_distance)
    assert relative_position_bucket(relative, bidirectional, n_buckets, max_distance).equal(theirs)


def test_buckets_keep_shape_and_argument():
    relative = torch.tensor([[-200, -1, 0], [1, 7, 200]])
    before = relative.clone()
    assert relative_position_bucket(relative, True, 32, 128).tolist() == [[15, 1, 0], [17, 23, 31]]
    assert relative_position_bucket(relative, False, 32, 128).tolist() == [[31, 1, 0], [0, 0, 0]]
    assert relative.equal(before)


def test_encode_then_decode_is_forward(model):
    ids, decoder_ids, mask = texts(7, 2, 6), texts(8, 2, 5), torch.arange(6) < torch.tensor([[6], [3]])
    memory = model.encode(ids, mask)
    assert memory.shape == (2, 6, 12)
    assert model.decode(decoder_ids, memory, mask).shape == (2, 5, 19)
    torch.testing.assert_close(model.decode(decoder_ids, memory, mask), model(ids, decoder_ids, mask))


def test_the_decoder_sees_nothing_to_the_right_and_the_encoder_everything(model):
    ids, decoder_ids = texts(9, 2, 6), texts(10, 2, 7)
    other = decoder_ids.clone()
    other[:, 4] = (other[:, 4] - 1) % 17 + 2
    before, after = model(ids, decoder_ids), model(ids, other)
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert ((before - after)[:, 4:].abs().amax(-1) > 1e-4).all()
    ids_after = ids.clone()
    ids_after[:, 5] = (ids_after[:, 5] - 1) % 17 + 2
    assert ((model.encode(ids) - model.encode(ids_after)).abs().amax(-1) > 1e-5).all()


def test_what_stands_under_padding_makes_no_difference(model):
    ids, decoder_ids, mask = texts(11, 2, 7), texts(12, 2, 4), torch.arange(7) < torch.tensor([[7], [4]])
    torch.testing.assert_close(
        model(ids, decoder_ids, mask), model(ids.masked_fill(~mask, 3), decoder_ids, mask), **CLOSE
    )


def test_a_bucket_function_of_the_callers_takes_the_place_of_ours():
    asked = []

    def all_alike(relative_position, bidirectional, n_buckets, max_distance):
        asked.append((tuple(relative_position.shape), bidirectional, n_buckets, max_distance))
        return torch.zeros_like(relative_position)

    with seeded(3):
        model = T5(V1_0, relative_position_bucket=all_alike).eval()
    model(texts(13, 2, 6), texts(14, 2, 5))
    assert asked == [((6, 6), True, 8, 11), ((5, 5), False, 8, 11)]
    bias = model.relative_bias(4, bidirectional=True)
    assert bias.equal(model.encoder_bias.weight[0].view(1, 3, 1, 1).expand(1, 3, 4, 4))


def test_first_weights_have_t5s_variances_and_give_even_guesses():
    config = T5Config(500, d_model=64, n_heads=4, d_head=32, n_layers=3, d_ff=256, gated=True, tied=False)
    with seeded(4):
        model = T5(config)
    for name, std in {
        "word": 1,
        "encoder_bias": 64**-0.5,
        "head": 64**-0.5,
        "decoder_blocks.1.cross_attn.q_proj": (64 * 32) ** -0.5,
        "decoder_blocks.2.self_attn.k_proj": 64**-0.5,
        "encoder_blocks.0.self_attn.out_proj": 128**-0.5,
        "encoder_blocks.1.feed_forward.linear2": 256**-0.5,
        "encoder_blocks.2.feed_forward.gate": 64**-0.5,
    }.items():
        assert model.get_submodule(name).weight.std().item() == pytest.approx(std, rel=0.2), name
    assert 0.5 < model(texts(15, 4, 9), texts(16, 4, 8)).std().item() < 2


def test_a_padded_batch_gives_every_parameter_a_gradient(model):
    ids, mask = texts(17, 3, 9), torch.arange(9) < torch.tensor([[9], [5], [1]])
    model(ids, texts(18, 3, 8), mask).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_a_wrong_mask_or_config_is_refused(model):
    ids = texts(19, 2, 6)
    for mask in (torch.ones(2, 6), torch.ones(2, 5, dtype=torch.bool), torch.ones(2, 1, 1, 6, dtype=torch.bool)):
        with pytest.raises(ValueError, match=r"must be bool \(2, 6\)"):
            model(ids, texts(20, 2, 3), mask)
    for changes, message in [
        ({"d_head": 0}, "d_head is 0"),
        ({"n_buckets": 7}, "n_buckets is 7"),
        ({"n_buckets": 2}, "n_buckets is 2"),
        ({"max_distance": 4}, "max_distance is 4"),
        ({"gated": 1}, "gated is 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(V1_0, **changes)
    with pytest.raises(dataclasses.FrozenInstanceError):
        V1_0.d_model = 8


def test_each_parameter_learns_at_its_own_rate():
    def lr_scale(name, parameter):
        return 0.0 if name == "word.weight" else 1.0

    with seeded(5):
        model = T5(V1_0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ids, target_ids = texts(21, 2, 6), texts(22, 2, 5)
    train(model, lambda model, _: model(ids, target_ids).square().mean(), lambda _: (), n_steps=1, lr_scale=lr_scale)
    moved = {name: not value.cpu().equal(before[name]) for name, value in model.state_dict().items()}
    assert not moved["word.weight"]
    assert moved["encoder_bias.weight"]
    assert moved["decoder_blocks.1.cross_attn.q_proj.weight"]
    groups = make_optimiser(model, peak_lr=0.1, weight_decay=0.5, lr_scale=lr_scale).param_groups
    assert {(group["lr_scale"], group["weight_decay"]) for group in groups} == {(1.0, 0.5), (1.0, 0.0), (0.0, 0.5)}
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
