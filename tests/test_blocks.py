"""The fused blocks against independent oracles: PyTorch's own layers and the students' reference, weights equal."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from autograde.builder.lesson import read_lesson
from course.blocks.attention import MultiHeadAttention, recorded_weights
from course.blocks.decoder import DecoderBlock
from course.blocks.dot_product import scaled_dot_product
from course.blocks.embedding import TokenEmbedding
from course.blocks.encoder import Encoder, EncoderBlock
from course.blocks.encoder_decoder import EncoderDecoder
from course.blocks.feed_forward import FeedForward
from course.blocks.positions import sinusoids

LESSONS = Path(__file__).resolve().parent.parent / "solutions" / "week2_self_attention"
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def numbers(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.fixture(scope="module")
def reference() -> dict[str, object]:
    """What the students' reference answers of all three notebooks define; later ones win."""
    names: dict[str, object] = {}
    found = {}
    for lesson in ("1_attention", "2_heads_and_positions", "3_transformer"):
        names = {}
        for cell in read_lesson(LESSONS / f"{lesson}.py").cells:
            if cell.kind in ("setup", "exercise"):
                exec(cell.source, names)
        found[lesson] = dict(names)
    return found


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module with no parameter left at its starting value."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return module


@pytest.mark.parametrize("mask_shape", [None, (5, 7), (2, 1, 1, 7), (2, 3, 5, 7)])
def test_attention_equals_the_students_reference(reference, mask_shape):
    ours = randomised(MultiHeadAttention(12, 3))
    theirs = reference["2_heads_and_positions"]["MultiHeadAttention"](12, 3)
    theirs.load_state_dict(ours.state_dict())
    x, memory = numbers(1, 2, 5, 12), numbers(2, 2, 7, 12)
    mask = None if mask_shape is None else numbers(3, *mask_shape) > 0
    out, weights = theirs(x, memory, mask)
    torch.testing.assert_close(ours(x, memory, mask), out, **CLOSE)
    torch.testing.assert_close(ours.weights(x, memory, mask), weights, **CLOSE)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_blocks_equal_the_students_reference_in_value_and_gradient(reference, pre_norm):
    x, memory, mask = numbers(1, 2, 4, 8), numbers(2, 2, 5, 8), torch.ones(4, 4, dtype=torch.bool).tril()
    inputs = {EncoderBlock: (x, mask), DecoderBlock: (x, memory, mask)}
    for kind, arguments in inputs.items():
        ours = randomised(kind(8, 2, 16, pre_norm))
        theirs = reference["3_transformer"][kind.__name__](8, 2, 16, pre_norm)
        theirs.load_state_dict(ours.state_dict())
        values = [module(*arguments) for module in (ours, theirs)]
        torch.testing.assert_close(*values, **CLOSE)
        gradients = [
            torch.autograd.grad((value * numbers(3, 2, 4, 8)).sum(), list(module.parameters()))
            for value, module in zip(values, (ours, theirs), strict=True)
        ]
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_encoder_decoder_equals_the_students_reference(reference, pre_norm):
    sizes = (11, 13, 8, 2, 16, 2, pre_norm)
    ours = randomised(EncoderDecoder(*sizes))
    theirs = reference["3_transformer"]["Transformer"](*sizes)
    theirs.load_state_dict(ours.state_dict())
    src_ids, tgt_ids = torch.arange(12).view(2, 6) % 11, torch.arange(8).view(2, 4)
    real = (torch.arange(6) < torch.tensor([6, 3])[:, None])[:, None, None]
    memory = theirs.encode(src_ids, real)
    torch.testing.assert_close(ours.encode(src_ids, real), memory, **CLOSE)
    torch.testing.assert_close(ours(src_ids, tgt_ids, real), theirs.decode(tgt_ids, memory, real), **CLOSE)


def test_scaled_dot_product_equals_the_students_attend(reference):
    query, key, value = numbers(1, 2, 3, 4, 5), numbers(2, 2, 3, 6, 5), numbers(3, 2, 3, 6, 5)
    mask = numbers(4, 2, 1, 4, 6) > 0
    torch.testing.assert_close(
        scaled_dot_product(query, key, value, mask),
        reference["1_attention"]["attend"](query, key, value, mask),
        **CLOSE,
    )


def test_sinusoids_equal_the_students_positions(reference):
    positions = reference["2_heads_and_positions"]["sinusoidal_positions"]
    torch.testing.assert_close(sinusoids(50, 12), positions(50, 12), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_causal_equals_the_triangle_as_a_mask(dtype):
    attention = randomised(MultiHeadAttention(6, 2)).to(dtype)
    x = numbers(5, 3, 7, 6, dtype=dtype)
    triangle = torch.ones(7, 7, dtype=torch.bool).tril()
    torch.testing.assert_close(attention(x, causal=True), attention(x, None, triangle), **CLOSE)
    real = (torch.arange(7) < torch.tensor([7, 4, 1])[:, None])[:, None, None]
    torch.testing.assert_close(attention(x, None, real, causal=True), attention(x, None, real & triangle), **CLOSE)


def test_a_bias_is_added_to_the_scores():
    attention, x = randomised(MultiHeadAttention(6, 2)), numbers(6, 2, 4, 6)
    bias = 3 * numbers(7, 2, 4, 4)
    weights = attention.weights(x, bias=bias)
    torch.testing.assert_close(weights, (attention.weights(x).log() + bias).softmax(-1), **CLOSE)
    values = attention.v_proj(x).unflatten(2, (2, 3)).transpose(1, 2)
    expected = attention.out_proj((weights @ values).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x, bias=bias), expected, **CLOSE)


def test_a_row_that_sees_nothing_gives_the_bias_and_no_nan_in_the_gradient():
    attention, x = randomised(MultiHeadAttention(6, 2)), numbers(8, 2, 3, 6).requires_grad_()
    mask = torch.tensor([True, False]).view(2, 1, 1, 1).expand(2, 1, 3, 3)
    out = attention(x, None, mask)
    torch.testing.assert_close(out[1], attention.out_proj.bias.expand(3, 6), **CLOSE)
    out.sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("pre_norm", [False, True])
def test_encoder_equals_pytorchs_layers(activation, pre_norm):
    encoder = randomised(Encoder(8, 2, 12, 2, pre_norm, activation=activation))
    x, expected = numbers(9, 2, 5, 8), numbers(9, 2, 5, 8)
    for block in encoder.blocks:
        layer = nn.TransformerEncoderLayer(8, 2, 12, 0.0, activation, batch_first=True, norm_first=pre_norm)
        state, maps = block.state_dict(), [f"self_attn.{name}_proj" for name in "qkv"]
        named = {
            f"self_attn.in_proj_{part}": torch.cat([state[f"{m}.{part}"] for m in maps]) for part in ("weight", "bias")
        }
        kept = {k.removeprefix("feed_forward."): v for k, v in state.items() if not k.startswith(tuple(maps))}
        layer.load_state_dict({**kept, **named})
        expected = layer(expected)
    torch.testing.assert_close(encoder(x), encoder.norm(expected), **CLOSE)


def test_embeddings_start_no_louder_than_positions():
    torch.manual_seed(0)
    embedding = TokenEmbedding(500, 64, max_len=20)
    words = embedding(torch.arange(500).view(25, 20)) - embedding.sinusoids
    assert 0.9 < words.std() < 1.1
    learned = TokenEmbedding(5, 8, max_len=6, positions="learned")
    ids = torch.tensor([[1, 2, 2]])
    torch.testing.assert_close(learned(ids), learned.weight[ids] + learned.position.weight[:3])
    bare = TokenEmbedding(5, 8, max_len=2, positions="none")
    torch.testing.assert_close(bare(ids), bare.weight[ids])


def test_recorded_weights_names_every_attention_and_lets_go_of_it():
    model = EncoderDecoder(5, 5, 8, 2, 8, 1)
    ids = torch.tensor([[1, 2, 3]])
    with recorded_weights(model) as found:
        model(ids, ids)
    assert set(found) == {"encoder_blocks.0.self_attn", "decoder_blocks.0.self_attn", "decoder_blocks.0.cross_attn"}
    assert (found["decoder_blocks.0.self_attn"].triu(1) == 0).all()
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiHeadAttention(10, 3), "does not split into n_heads=3"),
        (lambda: FeedForward(4, 8, activation="tanh"), "choose one of relu, gelu, gelu_tanh"),
        (lambda: TokenEmbedding(4, 8, positions="rotary"), "choose one of sinusoidal"),
        (lambda: TokenEmbedding(4, 8, max_len=2)(torch.zeros(1, 3, dtype=torch.long)), "max_len is 2"),
        (lambda: sinusoids(3, 5), "must be even"),
        (lambda: MultiHeadAttention(4, 2)(torch.zeros(1, 2, 4), None, torch.zeros(2, 2)), "must be bool"),
        (lambda: MultiHeadAttention(4, 2)(torch.zeros(1, 2, 4), torch.zeros(1, 3, 4), causal=True), "as many keys"),
    ],
)
def test_wrong_use_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
