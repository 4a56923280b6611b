"""Hidden tests of week 2, notebook 2: heads, multi-head attention against PyTorch's, sinusoidal positions."""

import math

import pytest
import torch
from torch import nn

from autograde.rubric import Mismatch, check, expect_close, expect_equal

SIZES = [(2, 3, 2, 5), (1, 4, 3, 2), (3, 1, 4, 1), (2, 6, 1, 7), (4, 2, 5, 3), (2, 4, 4, 3)]


def numbered(B, T, D):
    return torch.arange(B * T * D, dtype=torch.float64).reshape(B, T, D)


def dealt(x, n_heads):
    """Head by head, channel by channel."""
    return torch.stack(x.chunk(n_heads, dim=-1), dim=1)


@check(
    "head h gets channels hK to (h+1)K - 1 of every word",
    points=0.5,
    hint="Cut the last axis into heads first, [B,T,H,K], then swap axes. Reading the numbers straight into [B,H,T,K] "
    "mixes words and heads.",
)
@pytest.mark.parametrize(("B", "T", "H", "K"), SIZES)
def test_split_heads__deals_out_the_channels(student, B, T, H, K):
    x = numbered(B, T, H * K)
    others = {
        "view or reshape straight to [B,H,T,K] mixes words and heads: make [B,T,H,K] first, then swap.": x.reshape(
            B, H, T, K
        ),
        "Head h gets neighbouring channels, hK to (h+1)K - 1, not every H-th one.": x.reshape(B, T, K, H).permute(
            0, 3, 1, 2
        ),
    }
    expected = dealt(x, H)
    expect_close(
        student.split_heads(x, H),
        expected,
        misconceptions={hint: wrong for hint, wrong in others.items() if not torch.equal(wrong, expected)},
        axes="B H T K",
    )


@check(
    "gives a tensor [B,H,T,K]",
    points=0.5,
    hint="Axes in this order: texts, heads, words, and K = D / H channels. n_heads is the number of heads, not their "
    "width. Keep the names of the parameters.",
)
@pytest.mark.parametrize(("B", "T", "H", "K"), [(2, 3, 5, 4), (3, 7, 2, 6)])
def test_split_heads__has_the_axes_in_order(student, B, T, H, K):
    result = student.split_heads(numbered(B, T, H * K), n_heads=H)
    assert tuple(result.shape) == (B, H, T, K)


@check(
    "keeps a word's channels together",
    points=0.5,
    hint="What stood in word t must stand in row t of each head: change one word, and only row t of each head moves.",
)
def test_split_heads__keeps_words_apart(student):
    x = numbered(2, 5, 6)
    before = student.split_heads(x, 3)
    x[1, 3] += 100.0
    moved = student.split_heads(x, 3) != before
    expected = torch.zeros(2, 3, 5, 2, dtype=torch.bool)
    expected[1, :, 3] = True
    expect_equal(moved, expected)


@check(
    "takes any dtype and layout, lets gradients through and leaves x alone",
    points=0.5,
    hint="Only arrange the numbers: x may be a transposed tensor, of integers or of float64, and must not change.",
)
def test_split_heads__takes_any_dtype_and_layout(student):
    for x in (torch.arange(48).reshape(2, 4, 6), numbered(2, 4, 6).float()):
        result, afterwards = student.call("split_heads", x, 2, keep_arguments=True)
        expect_close(result, dealt(x, 2), axes="B H T K")
        assert result.dtype == x.dtype
        expect_equal(afterwards[0], x)
    # Turned round over there: a tensor that goes across arrives in one piece.
    turned = student.helper("lambda f, x: f(x.transpose(1, 2), 2)")
    expect_close(turned(student.split_heads, numbered(2, 6, 4)), dealt(numbered(2, 6, 4).mT, 2), axes="B H T K")
    x = numbered(2, 3, 4).requires_grad_()
    cotangent = torch.randn(2, 2, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    got = torch.autograd.grad((student.differentiable("split_heads")(x, 2) * cotangent).sum(), x)[0]
    expect_close(got, torch.cat(cotangent.unbind(1), dim=-1))


def side_by_side(x):
    return torch.cat(x.unbind(1), dim=-1)


@check(
    "puts the heads side by side",
    points=0.25,
    hint="Swap axes to [B,T,H,K] first, then join the last two. Joining without the swap mixes words and heads.",
)
@pytest.mark.parametrize(("B", "T", "H", "K"), SIZES)
def test_merge_heads__puts_heads_side_by_side(student, B, T, H, K):
    x = torch.arange(B * T * H * K, dtype=torch.float64).reshape(B, H, T, K)
    expected = side_by_side(x)
    others = {
        "view or reshape without a swap mixes words and heads: bring the axes to [B,T,H,K] first.": x.reshape(B, T, -1),
        "Head 0 comes first with all its K channels, then head 1: they do not take turns.": x.permute(
            0, 2, 3, 1
        ).flatten(2),
    }
    expect_close(
        student.merge_heads(x),
        expected,
        misconceptions={hint: wrong for hint, wrong in others.items() if not torch.equal(wrong, expected)},
        axes="B T D",
    )


@check(
    "gives a tensor [B,T,D]",
    points=0.25,
    hint="D = H * K is the last axis, T the middle one: three axes are left. Keep the parameter's name.",
)
def test_merge_heads__has_three_axes(student):
    assert tuple(student.merge_heads(torch.zeros(2, 3, 5, 4)).shape) == (2, 5, 12)
    assert tuple(student.merge_heads(x=torch.zeros(1, 1, 1, 6)).shape) == (1, 1, 6)


@check(
    "is the way back from split_heads",
    points=0.25,
    hint="Cutting a tensor into heads and merging them must give the tensor back, in any layout in memory.",
)
def test_merge_heads__is_the_way_back(student):
    x = numbered(3, 5, 8)
    for n_heads in (1, 2, 4, 8):
        expect_close(student.merge_heads(dealt(x, n_heads)), x)
        _, afterwards = student.call("merge_heads", dealt(x, n_heads), keep_arguments=True)
        expect_equal(afterwards[0], dealt(x, n_heads))
    # Turned round over there: a tensor that goes across arrives in one piece.
    turned = student.helper("lambda f, x: f(x.transpose(1, 2))")
    expect_close(turned(student.merge_heads, x.reshape(3, 5, 4, 2)), x)


@check(
    "keeps the dtype and lets gradients through",
    points=0.25,
    hint="Only arrange the numbers: no copy into a new tensor of zeros without gradient, no change of dtype.",
)
def test_merge_heads__lets_gradients_through(student):
    integers = torch.arange(24).reshape(1, 2, 3, 4)
    result = student.merge_heads(integers)
    expect_equal(result, side_by_side(integers))
    assert result.dtype == torch.int64
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
    cotangent = torch.randn(2, 4, 15, generator=torch.Generator().manual_seed(2))
    got = torch.autograd.grad((student.differentiable("merge_heads")(x) * cotangent).sum(), x)[0]
    expect_close(got, dealt(cotangent, 3))


PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")


def random_weights(seed, D, dtype=torch.float32):
    """Weights and biases of the four maps, none of them zero."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name in PROJECTIONS:
        weights[f"{name}.weight"] = torch.randn(D, D, generator=generator, dtype=dtype) * 1.5 / math.sqrt(D)
        weights[f"{name}.bias"] = torch.randn(D, generator=generator, dtype=dtype) / 2
    return weights


def pytorch_attention(weights, H):
    """PyTorch's module with the same weights."""
    D = weights["q_proj.bias"].shape[0]
    module = nn.MultiheadAttention(D, H, batch_first=True, dtype=weights["q_proj.bias"].dtype)
    parts = ("q_proj", "k_proj", "v_proj")
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.cat([weights[f"{name}.weight"] for name in parts]))
        module.in_proj_bias.copy_(torch.cat([weights[f"{name}.bias"] for name in parts]))
        module.out_proj.weight.copy_(weights["out_proj.weight"])
        module.out_proj.bias.copy_(weights["out_proj.bias"])
    return module


def oracle(weights, H, x, memory=None, hidden=None):
    memory = x if memory is None else memory
    return pytorch_attention(weights, H)(
        x, memory, memory, attn_mask=hidden, need_weights=True, average_attn_weights=False
    )


def variant(weights, H, x, memory=None, *, scale=None, split="right", out=True, keys_from_x=False, values_from_x=False):
    """What a known mistake gives."""
    memory = x if memory is None else memory

    def project(name, z):
        return z @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def heads(z):
        if split == "view":
            return z.reshape(z.shape[0], H, z.shape[1], -1)
        return dealt(z, H)

    q = heads(project("q_proj", x))
    k = heads(project("k_proj", x if keys_from_x else memory))
    v = heads(project("v_proj", x if values_from_x else memory))
    mixed = (q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)).softmax(-1) @ v
    merged = mixed.reshape(x.shape) if split in ("view", "merge") else side_by_side(mixed)
    return project("out_proj", merged) if out else merged


def numbers(seed, *shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def run(student, weights, H, *inputs, **named):
    """The student's module, made anew, with these weights in it."""
    D = weights["q_proj.bias"].shape[0]
    return student.new("MultiHeadAttention", D, H).differentiable(parameters=True)(weights, *inputs, **named)


@check(
    "has the four maps as parameters, and nothing else",
    points=0.5,
    hint="q_proj, k_proj, v_proj and out_proj are nn.Linear(d_model, d_model) with bias, and there are no other "
    "parameters.",
)
@pytest.mark.parametrize(("D", "H"), [(12, 3), (8, 1)])
def test_MultiHeadAttention__has_four_maps(student, D, H):
    module = student.new("MultiHeadAttention", d_model=D, n_heads=H)
    shapes = student.helper("lambda module: {name: list(p.shape) for name, p in module.named_parameters()}")(module)
    expect_equal(shapes, {name: list(value.shape) for name, value in random_weights(0, D).items()})


@check(
    "of a single word only the values and the last map count",
    points=0.5,
    hint="With one word every weight is 1: out = out_proj(v_proj(x)), whatever the queries and keys are.",
)
@pytest.mark.parametrize(("B", "D", "H"), [(1, 6, 1), (3, 8, 4), (2, 15, 3)])
def test_MultiHeadAttention__of_a_single_word(student, B, D, H):
    weights, x = random_weights(1, D, torch.float64), numbers(2, B, 1, D, dtype=torch.float64)
    value = x @ weights["v_proj.weight"].T + weights["v_proj.bias"]
    expected = value @ weights["out_proj.weight"].T + weights["out_proj.bias"]
    others = {
        "The last map is missing: what the heads bring goes through out_proj.": value,
        "The values go through v_proj; the words themselves went straight to out_proj.": x
        @ weights["out_proj.weight"].T
        + weights["out_proj.bias"],
        "A bias is missing in out_proj.": expected - weights["out_proj.bias"],
    }
    out, _ = run(student, weights, H, x)
    expect_close(out, expected, misconceptions=others, axes="B T D")


@check(
    "equals nn.MultiheadAttention with the same weights",
    points=0.5,
    hint="Project, split, attend with the root of K, merge, project: each head sees its own K channels, and heads "
    "are put "
    "side by side in order.",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("B", "T", "D", "H"), [(2, 5, 12, 3), (1, 7, 8, 8), (3, 2, 6, 2), (1, 4, 5, 1)])
def test_MultiHeadAttention__equals_pytorch(student, dtype, B, T, D, H):
    weights, x = random_weights(3, D, dtype), numbers(4, B, T, D, dtype=dtype)
    expected, _ = oracle(weights, H, x)
    others = {
        "Words and heads are mixed when splitting: make [B,T,H,K] first, then swap axes.": {"split": "view"},
        "Words and heads are mixed when merging: swap axes back before joining the last two.": {"split": "merge"},
        "The last map is missing: what the heads bring goes through out_proj.": {"out": False},
        "The scores are divided by the root of D. Each head is K = D / H wide.": {"scale": D**-0.5},
        "The scores are not divided by the root of K.": {"scale": 1.0},
        "The scores are divided by the root of K twice: scaled_dot_product does it already.": {"scale": H / D},
    }
    if H == 1:
        others = {hint: how for hint, how in others.items() if "mixed" not in hint and "root of D" not in hint}
    wrong = {hint: variant(weights, H, x, **how) for hint, how in others.items()}
    wrong = {hint: value for hint, value in wrong.items() if not torch.allclose(value, expected, rtol=1e-4)}
    out, _ = run(student, weights, H, x)
    expect_close(
        out,
        expected,
        misconceptions=wrong,
        axes="B T D",
        rtol=1e-4 if dtype == torch.float32 else 1e-6,
        check_dtype=True,
    )


@check(
    "returns the weights of each head",
    points=0.5,
    hint="Beside out come the weights [B,H,T,S]: one table a head, not their average, each row adding up to 1.",
)
def test_MultiHeadAttention__returns_the_weights(student):
    weights, x, memory = random_weights(5, 12), numbers(6, 2, 4, 12), numbers(7, 2, 5, 12)
    _, expected = oracle(weights, 3, x, memory)
    result = run(student, weights, 3, x, memory)
    assert isinstance(result, tuple | list)
    assert len(result) == 2
    expect_close(result[1], expected, axes="B H T S", rtol=1e-4)


@check(
    "looks at the memory where there is one",
    points=0.5,
    hint="Queries come from x, keys and values from the memory; x takes its place only where memory is None. Keep the "
    "names of the parameters.",
)
@pytest.mark.parametrize(("B", "T", "S", "D", "H"), [(2, 4, 4, 8, 2), (3, 5, 2, 9, 3), (1, 1, 6, 4, 4)])
def test_MultiHeadAttention__looks_at_the_memory(student, B, T, S, D, H):
    weights = random_weights(8, D, torch.float64)
    x, memory = numbers(9, B, T, D, dtype=torch.float64), numbers(10, B, S, D, dtype=torch.float64)
    others = {}
    if T == S:
        others = {
            "The keys come from x: keys and values both come from the memory.": {"keys_from_x": True},
            "The values come from x: keys and values both come from the memory.": {"values_from_x": True},
            "The memory is not looked at.": {"keys_from_x": True, "values_from_x": True},
        }
    others = {hint: variant(weights, H, x, memory, **how) for hint, how in others.items()}
    if T == S:
        swapped = variant(weights, H, memory, x)
        others["Queries come from x, keys and values from the memory, not the other way round."] = swapped
    out, _ = run(student, weights, H, x, memory=memory)
    expect_close(out, oracle(weights, H, x, memory)[0], misconceptions=others, axes="B T D")
    # One module, asked again without the memory and the mask of the call before.
    again = student.new("MultiHeadAttention", D, H).differentiable(parameters=True)
    again(weights, x, memory, torch.eye(T, S, dtype=torch.bool))
    kept = (
        "The module keeps a memory or a mask from one call to the next: without one it must go by its arguments alone."
    )
    after = again(weights, x)[0]
    if after.shape != x.shape or not torch.allclose(after, oracle(weights, H, x)[0], rtol=1e-6, atol=1e-8):
        fresh = run(student, weights, H, x)[0]
        if after.shape != fresh.shape or not torch.allclose(after, fresh):
            raise Mismatch(kept, misconception=True)


@check(
    "hides what the mask hides, in any shape that broadcasts",
    points=0.5,
    hint="The mask is True where something may be seen and broadcasts to [B,H,T,S] as it is: [T,S], [B,1,1,S] or full. "
    "Keep the names of the parameters.",
)
@pytest.mark.parametrize("shape", [(5, 5), (3, 1, 1, 5), (3, 2, 5, 5), (1, 2, 5, 5)])
def test_MultiHeadAttention__hides_what_the_mask_hides(student, shape):
    weights, x = random_weights(11, 8, torch.float64), numbers(12, 3, 5, 8, dtype=torch.float64)
    mask = numbers(13, *shape) > -0.4
    mask[..., 1] = True
    out, shares = run(student, weights, 2, x, None, mask)
    # Weights without a mask, set to zero where it hides and made to add up to 1 again: what a softmax does by itself.
    _, all_shares = run(student, weights, 2, x)
    slips = {
        "The mask makes no difference: hand it on.": all_shares,
        "The mask is turned round: it is True where something may be seen.": lambda: rest_of(all_shares, ~mask),
    }
    expect_close(shares, rest_of(all_shares, mask), misconceptions=slips, axes="B H T S")
    # out goes by the same weights: another mask that hides as much gives the same out.
    expect_close(out, run(student, weights, 2, x, mask=mask.expand(3, 2, 5, 5))[0])
    alone = torch.cat([run(student, weights, 2, x[:, t : t + 1])[0] for t in range(5)], 1)
    expect_close(run(student, weights, 2, x, None, torch.eye(5).bool())[0], alone)


def rest_of(shares, mask):
    kept = shares * mask
    return kept / kept.sum(-1, keepdim=True).clamp(min=1e-300)


@check(
    "gives zeros to a word that may see nothing, and takes nothing from padding",
    points=0.5,
    hint="A word that may see nothing has weights of 0, so out is the bias of out_proj, never NaN; and what stands "
    "under "
    "the padding of the memory makes no difference.",
)
def test_MultiHeadAttention__survives_padding(student):
    weights = random_weights(14, 6, torch.float64)
    x, memory = numbers(15, 3, 4, 6, dtype=torch.float64), numbers(16, 3, 5, 6, dtype=torch.float64)
    lengths = torch.tensor([5, 2, 0])
    real = torch.arange(5) < lengths[:, None]
    poisoned = memory.masked_fill(~real[:, :, None], 1e4)
    expected = weights["out_proj.bias"].expand(3, 4, 6).clone()
    for b, n in enumerate(lengths.tolist()):
        if n:
            expected[b] = run(student, weights, 2, x[b : b + 1], memory[b : b + 1, :n])[0][0]
    out, shares = run(student, weights, 2, x, poisoned, real[:, None, None])
    uniform = (
        "A word that may see nothing still has weights that add up to 1 here (-1e9 everywhere spreads them evenly): "
        "they must all be 0."
    )
    spread = shares.sum(-1)[2]
    if torch.isfinite(spread).all() and torch.allclose(spread, torch.ones_like(spread)):
        raise Mismatch(uniform, misconception=True)
    expect_close(out, expected, axes="B T D")
    expect_close(shares.sum(-1), (lengths > 0).double()[:, None, None].expand(3, 2, 4))


@check(
    "sends the right gradient to every map and to its inputs",
    points=0.5,
    hint="Every map learns and so do x and the memory: no .detach(), no .data, no copy of a weight, no NaN.",
)
def test_MultiHeadAttention__sends_gradients(student):
    values = random_weights(17, 6, torch.float64)
    values |= {"x": numbers(18, 2, 3, 6, dtype=torch.float64), "memory": numbers(19, 2, 4, 6, dtype=torch.float64)}
    cotangent, mask = numbers(20, 2, 3, 6, dtype=torch.float64), numbers(21, 2, 1, 3, 4) > -0.7
    mask[..., 0] = True
    function = student.new("MultiHeadAttention", 6, 3).differentiable(parameters=True)

    def probe(values):
        weights = {name: value for name, value in values.items() if "." in name}
        return (function(weights, values["x"], values["memory"], mask)[0] * cotangent).sum()

    leaves = {name: value.clone().requires_grad_() for name, value in values.items()}
    got = torch.autograd.grad(probe(leaves), leaves.values(), allow_unused=True, materialize_grads=True)
    # The slope of the student's own function along a direction, tensor by tensor: values that are wrong cost nothing.
    for i, (name, gradient) in enumerate(zip(values, got, strict=True)):
        direction = numbers(22 + i, *values[name].shape, dtype=torch.float64)
        ends = [probe(values | {name: values[name] + sign * direction}) for sign in (1e-6, -1e-6)]
        slope = (ends[0] - ends[1]).detach() / 2e-6
        # The keys' bias moves all scores of a row alike, so its slope is zero up to rounding.
        assert name == "k_proj.bias" or abs(slope) > 1e-6
        expect_close((gradient * direction).sum(), slope, rtol=1e-4, atol=1e-6)


def by_hand(length, D):
    """Number by number, in Python's own floats."""
    rows = []
    for t in range(length):
        angles = [t / 10000 ** (2 * i / D) for i in range(D // 2)]
        rows.append([f(angle) for angle in angles for f in (math.sin, math.cos)])
    return torch.tensor(rows, dtype=torch.float32)


@check(
    "sine and cosine of each angle stand side by side",
    points=0.5,
    hint="Channel 2i of row t is sin(t / 10000^(2i/D)), channel 2i+1 the cosine of the same angle.",
)
@pytest.mark.parametrize(("length", "D"), [(5, 6), (12, 16), (3, 2)])
def test_sinusoidal_positions__interleaves(student, length, D):
    expected = by_hand(length, D)
    t, i = torch.arange(length, dtype=torch.float64)[:, None], torch.arange(D // 2, dtype=torch.float64)
    single = t / 10000 ** (i / D)
    from_one = (t + 1) / 10000 ** (2 * i / D)
    every = t / 10000 ** (torch.arange(D, dtype=torch.float64) / D)
    grows = t * 10000 ** (2 * i / D)

    def woven(angles):
        return torch.stack([angles.sin(), angles.cos()], -1).flatten(1).float()

    others = {
        "All sines stand first and all cosines behind: they must take turns, channel by channel.": torch.cat(
            [expected[:, 0::2], expected[:, 1::2]], 1
        ),
        "Sine and cosine have changed places: the even channels hold the sines.": torch.stack(
            [expected[:, 1::2], expected[:, 0::2]], -1
        ).flatten(1),
        "The exponent is 2i/D, where i counts pairs of channels; you have i/D.": woven(single),
        "Positions count from 0: row 0 is 0, 1, 0, 1 and so on.": woven(from_one),
        "A sine and its cosine have the same angle: the exponent must not grow from one to the other.": torch.where(
            torch.arange(D) % 2 == 0, every.sin(), every.cos()
        ).float(),
        "The angle is t divided by 10000^(2i/D), so later pairs turn more slowly.": woven(grows),
    }
    wrong = {hint: value for hint, value in others.items() if not torch.allclose(value, expected, atol=1e-4)}
    expect_close(student.sinusoidal_positions(length, D), expected, misconceptions=wrong, axes="T D", atol=1e-5)


@check(
    "is float32, with one row a position",
    points=0.5,
    hint="The result is float32 with shape [T,D]: no axis for the texts, and length before width.",
)
def test_sinusoidal_positions__is_float32(student):
    for length, D in ((9, 4), (2, 10)):
        result = student.sinusoidal_positions(length=length, d_model=D)
        assert tuple(result.shape) == (length, D)
        assert result.dtype == torch.float32


@check(
    "the product of two rows depends on their distance only",
    points=0.5,
    hint="The sines and cosines of one angle belong together: then the dot product of two rows only depends on how far "
    "apart they are, and every row has length sqrt(D/2).",
)
def test_sinusoidal_positions__products_depend_on_distance(student):
    encodings = torch.as_tensor(student.sinusoidal_positions(40, 12)).double()
    products = encodings @ encodings.T
    for lag in (0, 1, 7, 20):
        along = products.diagonal(lag)
        expect_close(along, along[:1].expand_as(along), rtol=1e-4, check_dtype=False)
    expect_close(products.diagonal(), torch.full((40,), 6.0, dtype=torch.float64), rtol=1e-4, check_dtype=False)
    expect_close(encodings.float(), by_hand(40, 12), atol=1e-4)


@check(
    "holds for long texts and a single word",
    points=0.5,
    hint="Compute the angles in floating point, for any length and any even width; a single word gets 0, 1, 0, 1 and "
    "so on.",
)
def test_sinusoidal_positions__holds_for_long_texts(student):
    expect_close(student.sinusoidal_positions(1, 8), torch.tensor([[0.0, 1.0] * 4]), axes="T D")
    expect_close(student.sinusoidal_positions(1000, 64), by_hand(1000, 64), axes="T D", atol=3e-4)
