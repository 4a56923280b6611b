"""Hidden tests of week 2, notebook 3: every block against PyTorch's own, carrying the same weights."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from autograde.rubric import Mismatch, check, expect_close, expect_equal

LOOSE = 1e-4  # float32 sums through several layers, in another order
DTYPES = [(torch.float32, LOOSE), (torch.float64, 1e-6)]


def numbers(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def expect_as_own(actual, own, find_the_mistake=None):
    """Compare the student's values with the student's own, so that a mistake which stands elsewhere costs nothing here.

    `find_the_mistake` compares with the right values where they differ, to give a known mistake its name.
    """
    try:
        expect_close(actual, own, rtol=1e-6)
    except Mismatch:
        if find_the_mistake:
            find_the_mistake()
        raise


def expect_own_slopes(function, groups, seed, step=1e-6):
    """Hold the gradient of the student's function against the slope of that same function, one group of inputs a time.

    Args:
        function: from a dictionary of float64 tensors to a tensor.
        groups: dictionaries of tensors; the function gets all of them together. It must feel each group.
        seed: for the directions.
    """
    everything = {name: value.requires_grad_() for group in groups for name, value in group.items()}
    cotangent = numbers(seed, *function(everything).shape)

    def probe(values):
        return (function(values) * cotangent).sum()

    wanted, got = [], []
    for i, group in enumerate(groups):
        gradients = torch.autograd.grad(probe(everything), group.values(), allow_unused=True, materialize_grads=True)
        directions = {name: numbers(seed + 1 + i + 7 * j, *group[name].shape) for j, name in enumerate(group)}
        ends = []
        for sign in (1, -1):
            moved = {name: value.detach() + sign * step * directions[name] for name, value in group.items()}
            with torch.no_grad():
                ends.append(float(probe({**everything, **moved})))
        wanted.append((ends[0] - ends[1]) / (2 * step))
        got.append(float(sum((g * d).sum() for g, d in zip(gradients, directions.values(), strict=True))))
    assert min(abs(slope) for slope in wanted) > 1e-6
    expect_close(got, wanted, rtol=1e-4, atol=1e-6)


def by_first_name(weights):
    """The weights in groups: those of self_attn, those of norm1, and so on."""
    names = dict.fromkeys(name.split(".")[0] for name in weights)
    return [{n: value for n, value in weights.items() if n.split(".")[0] == first} for first in names]


def with_weights(student, name, weights, *sizes, **options):
    """A call of the student's module in which these weights stand: f(*inputs)."""
    module = student.new(name, *sizes, **options)
    function = module.differentiable(parameters=True)
    return lambda *inputs, **named: function(weights, *inputs, **named)


def parameter_shapes(student, name, *sizes, **options):
    module = student.new(name, *sizes, **options)
    listed = "lambda module: {name: list(p.shape) for name, p in module.named_parameters()}"
    return student.helper(listed)(module)


def expect_parts_of_their_own(student, name, expected, *sizes):
    """Say which submodules are one and the same object, where parameters are missing for that reason."""
    listed = "lambda module: [n for n, _ in module.named_parameters(remove_duplicate=False)]"
    names = set(student.helper(listed)(student.new(name, *sizes)))
    found = parameter_shapes(student, name, *sizes)
    if set(expected) <= names and not set(expected) <= set(found):
        raise Mismatch(
            "Some submodules are one and the same object, so that they share their weights: make a new one for each.",
            misconception=True,
        )


def shapes_of(weights):
    return {name: list(value.shape) for name, value in weights.items()}


def normalised(x, weight, bias, *, eps=1e-5, correction=0, outside=False):
    """Layer norm written out, with the usual slips to choose from."""
    centred = x - x.mean(-1, keepdim=True)
    variance = centred.pow(2).sum(-1, keepdim=True) / (x.shape[-1] - correction)
    scale = variance.sqrt() + eps if outside else (variance + eps).sqrt()
    return centred / scale * weight + bias


@check(
    "equals PyTorch's layer norm",
    points=0.5,
    hint="Mean and variance over the last axis alone, the variance divided by D, eps inside the root, then weight and "
    "bias.",
)
@pytest.mark.parametrize(("shape", "eps"), [((2, 3, 5), 1e-5), ((4, 6), 0.1), ((3, 2, 4, 3), 0.5), ((1, 1, 7), 0.02)])
def test_LayerNorm__equals_pytorch(student, shape, eps):
    D = shape[-1]
    x, weights = numbers(1, *shape) * 2 + 1, {"weight": numbers(2, D), "bias": numbers(3, D)}
    w, b = weights["weight"], weights["bias"]
    others = {
        "The variance divides by D, not by D - 1: take correction=0.": normalised(x, w, b, eps=eps, correction=1),
        "eps belongs inside the root, beside the variance.": normalised(x, w, b, eps=eps, outside=True),
        "The standard deviation is taken with D - 1, and eps stands outside the root.": normalised(
            x, w, b, eps=eps, correction=1, outside=True
        ),
        "weight and bias are missing: scale and shift what was normalised.": normalised(x, 1.0, 0.0, eps=eps),
        "The bias is missing.": normalised(x, w, 0.0, eps=eps),
        "eps is an argument: use it instead of a fixed number.": normalised(x, w, b),
        "The root is missing: divide by the standard deviation, not by the variance.": (x - x.mean(-1, keepdim=True))
        / (x.var(-1, keepdim=True, correction=0) + eps)
        * w
        + b,
    }
    expected = functional.layer_norm(x, (D,), w, b, eps)
    wrong = {hint: value for hint, value in others.items() if not torch.allclose(value, expected, rtol=1e-6)}
    result = with_weights(student, "LayerNorm", weights, D, eps=eps)(x)
    expect_close(result, expected, misconceptions=wrong, axes="B T D", check_dtype=True)
    # Numbers so close together that eps is not small beside their variance.
    close = 1e-3 * x
    others = {"eps is 1e-5 where nothing else is said.": functional.layer_norm(close, (D,), w, b, 1e-6)}
    others["eps is 1e-5 where nothing else is said: without it, or with a smaller one, small differences blow up."] = (
        functional.layer_norm(close, (D,), w, b, 1e-12)
    )
    result = with_weights(student, "LayerNorm", weights, D)(close)
    expect_close(result, functional.layer_norm(close, (D,), w, b, 1e-5), misconceptions=others)
    fixed = functional.layer_norm(close, (D,), w, b)
    others = {"eps is an argument, 0 too: use it as it is, no fixed number and no default in place of 0.": fixed}
    result = with_weights(student, "LayerNorm", weights, D, eps=0.0)(close)
    expect_close(result, functional.layer_norm(close, (D,), w, b, 0.0), misconceptions=others)


@check(
    "has a weight of ones and a bias of zeros",
    points=0.5,
    hint="weight [D] starts as ones, bias [D] as zeros; both are nn.Parameter, and there are no other parameters.",
)
def test_LayerNorm__has_weight_and_bias(student):
    expect_equal(parameter_shapes(student, "LayerNorm", 6), {"weight": [6], "bias": [6]})
    start = student.helper("lambda module: [module.weight.detach(), module.bias.detach()]")(student.new("LayerNorm", 6))
    expect_close(start, [torch.ones(6), torch.zeros(6)])
    expect_equal(parameter_shapes(student, "LayerNorm", d_model=5, eps=0.1), {"weight": [5], "bias": [5]})
    learns = student.helper("lambda module: all(p.requires_grad for p in module.parameters())")
    if not learns(student.new("LayerNorm", 3)):
        raise Mismatch("weight and bias are learned: leave requires_grad on.", misconception=True)


@check(
    "treats each word by itself and survives equal numbers",
    points=0.5,
    hint="Statistics over the last axis only: another word or another text changes nothing, and eps keeps a vector of "
    "equal numbers finite.",
)
def test_LayerNorm__treats_each_word_by_itself(student):
    module, x = student.new("LayerNorm", 4), numbers(5, 3, 6, 4, dtype=torch.float32)
    alone = torch.stack([torch.stack([torch.as_tensor(module(x[b, t])) for t in range(6)]) for b in range(3)])
    assert alone.any()  # zeros do not depend on other words either
    expect_close(module(x), alone, rtol=LOOSE)
    expect_close(module(torch.full((2, 4), 3.0)), torch.zeros(2, 4), atol=1e-5)


@check(
    "sends the gradient through its statistics",
    points=0.5,
    hint="Mean and variance depend on x, so gradients go through them too: no .detach(), no .item(), no "
    "torch.no_grad().",
)
def test_LayerNorm__sends_gradients(student):
    groups = [{"x": numbers(6, 2, 3, 5)}, {"weight": numbers(7, 5)}, {"bias": numbers(8, 5)}]
    function = student.new("LayerNorm", 5).differentiable(parameters=True)

    def forward(values):
        return function({name: values[name] for name in ("weight", "bias")}, values["x"])

    expect_own_slopes(forward, groups, 9)


def feed_forward_weights(seed, D, F, dtype=torch.float64):
    return {
        "linear1.weight": numbers(seed, F, D, dtype=dtype),
        "linear1.bias": numbers(seed + 1, F, dtype=dtype),
        "linear2.weight": numbers(seed + 2, D, F, dtype=dtype),
        "linear2.bias": numbers(seed + 3, D, dtype=dtype),
    }


def fed_forward(x, weights, activation=functional.relu):
    inside = activation(functional.linear(x, weights["linear1.weight"], weights["linear1.bias"]))
    return functional.linear(inside, weights["linear2.weight"], weights["linear2.bias"])


@check(
    "is two linear maps with ReLU between them",
    points=0.25,
    hint="linear1, then ReLU, then linear2: one ReLU, between the two.",
)
@pytest.mark.parametrize(("B", "T", "D", "F"), [(2, 3, 4, 9), (1, 5, 6, 2), (3, 1, 1, 4)])
def test_FeedForward__is_two_maps_with_a_kink(student, B, T, D, F):
    x, weights = 8 * numbers(10, B, T, D), feed_forward_weights(11, D, F)
    expected = fed_forward(x, weights)
    others = {
        "The ReLU is missing: two linear maps in a row are only one linear map.": fed_forward(x, weights, lambda h: h),
        "There is no ReLU behind the second map.": expected.relu(),
        "This block has ReLU, as in 2017; GELU came with BERT and GPT.": fed_forward(x, weights, functional.gelu),
        "The residual connection belongs to the block around it.": x + expected,
        "ReLU cuts off below 0 and nowhere else: no upper end.": fed_forward(x, weights, functional.relu6),
    }
    result = with_weights(student, "FeedForward", weights, D, F)(x)
    expect_close(result, expected, misconceptions=others, axes="B T D")


@check(
    "has two maps with bias as parameters",
    points=0.25,
    hint="linear1 is nn.Linear(d_model, d_ff), linear2 is nn.Linear(d_ff, d_model), both with bias, nothing else.",
)
def test_FeedForward__has_two_maps(student):
    expect_equal(parameter_shapes(student, "FeedForward", d_model=3, d_ff=8), shapes_of(feed_forward_weights(0, 3, 8)))


@check(
    "treats each position by itself, without chance",
    points=0.25,
    hint="Each position goes through the same maps alone, and twice the same input gives twice the same output: no "
    "dropout.",
)
def test_FeedForward__treats_each_position_by_itself(student):
    x, weights = numbers(12, 3, 5, 4), feed_forward_weights(13, 4, 7)
    forward = with_weights(student, "FeedForward", weights, 4, 7)
    result = forward(x)
    expect_close(result, torch.stack([forward(x[:, t : t + 1])[:, 0] for t in range(5)], 1))
    expect_equal(forward(x), result)


@check(
    "lets gradients through in both dtypes",
    points=0.25,
    hint="Stay with tensor operations in the dtype of x; nothing is detached, nothing written in place.",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_FeedForward__sends_gradients(student, dtype):
    x, weights = numbers(14, 2, 3, 4, dtype=dtype), feed_forward_weights(15, 4, 6, dtype)
    assert with_weights(student, "FeedForward", weights, 4, 6)(x).dtype == dtype
    function = student.new("FeedForward", 4, 6).differentiable(parameters=True)

    def forward(values):
        return function({name: values[name] for name in weights}, values["x"])

    if dtype == torch.float64:
        expect_own_slopes(forward, [{"x": x}, *by_first_name(weights)], 16)


def block_weights(seed, D, F, *, decoder=False, dtype=torch.float64):
    """Weights of a block under the names of the statement, none of them at its starting value."""
    attentions = ("self_attn", "cross_attn") if decoder else ("self_attn",)
    weights = {}
    for attention in attentions:
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            seed += 2
            weights[f"{attention}.{name}.weight"] = numbers(seed, D, D, dtype=dtype) * 1.5 / math.sqrt(D)
            weights[f"{attention}.{name}.bias"] = numbers(seed + 1, D, dtype=dtype) / 2
    for name, value in feed_forward_weights(seed + 2, D, F, dtype).items():
        weights[f"feed_forward.{name}"] = value / math.sqrt(D)
    for i in range(1, 4 if decoder else 3):
        weights[f"norm{i}.weight"] = 1 + numbers(seed + 10 + i, D, dtype=dtype) / 2
        weights[f"norm{i}.bias"] = numbers(seed + 20 + i, D, dtype=dtype) / 2
    return weights


def part(weights, prefix):
    return {name[len(prefix) + 1 :]: value for name, value in weights.items() if name.startswith(prefix + ".")}


def renamed(weights, *, decoder):
    """The same weights under PyTorch's names."""
    state = {}
    for ours, theirs in (("self_attn", "self_attn"), ("cross_attn", "multihead_attn"))[: 2 if decoder else 1]:
        maps = part(weights, ours)
        for kind in ("weight", "bias"):
            state[f"{theirs}.in_proj_{kind}"] = torch.cat([maps[f"{name}_proj.{kind}"] for name in "qkv"])
            state[f"{theirs}.out_proj.{kind}"] = maps[f"out_proj.{kind}"]
    state.update(part(weights, "feed_forward"))
    return {**state, **{name: value for name, value in weights.items() if name.startswith("norm")}}


def pytorch_block(weights, H, *, pre_norm=False):
    """PyTorch's block as a function of the inputs, gradients to the weights included."""
    decoder = "norm3.weight" in weights
    F, D = weights["feed_forward.linear1.weight"].shape
    kind = nn.TransformerDecoderLayer if decoder else nn.TransformerEncoderLayer
    module = kind(D, H, F, dropout=0.0, batch_first=True, norm_first=pre_norm, dtype=weights["norm1.bias"].dtype)
    state = renamed(weights, decoder=decoder)

    def full(mask, B, T, S):
        return None if mask is None else ~mask.expand(B, H, T, S).reshape(B * H, T, S)

    def encode(x, mask=None):
        named = {"src_mask": full(mask, x.shape[0], x.shape[1], x.shape[1])}
        return torch.func.functional_call(module, state, (x,), named)

    def decode(x, memory, mask=None, memory_mask=None):
        B, T, S = x.shape[0], x.shape[1], memory.shape[1]
        named = {"tgt_mask": full(mask, B, T, T), "memory_mask": full(memory_mask, B, T, S)}
        return torch.func.functional_call(module, state, (x, memory), named)

    return decode if decoder else encode


def attended(weights, H, x, memory=None, mask=None):
    """Multi-head attention written out."""
    memory = x if memory is None else memory

    def heads(name, z):
        flat = functional.linear(z, weights[f"{name}.weight"], weights[f"{name}.bias"])
        return torch.stack(flat.chunk(H, -1), 1)

    q, k, v = heads("q_proj", x), heads("k_proj", memory), heads("v_proj", memory)
    mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    merged = torch.cat(mixed.unbind(1), -1)
    return functional.linear(merged, weights["out_proj.weight"], weights["out_proj.bias"])


def pieces(weights, H):
    """The parts of a block as functions: attend(x, memory, mask), cross(...), feed(x), norm(i, x)."""

    def norm(i, x):
        return normalised(x, weights[f"norm{i}.weight"], weights[f"norm{i}.bias"])

    def attend(x, memory=None, mask=None):
        return attended(part(weights, "self_attn"), H, x, memory, mask)

    def cross(x, memory, mask=None):
        return attended(part(weights, "cross_attn"), H, x, memory, mask)

    return attend, cross, lambda x: fed_forward(x, part(weights, "feed_forward")), norm


def encoder_slips(weights, H, x, *, pre_norm):
    """What the usual mistakes in an encoder block give."""
    attend, _, feed, norm = pieces(weights, H)
    if pre_norm:
        h = x + attend(norm(1, x))
        n = norm(1, x) + attend(norm(1, x))
        return {
            "The residual is x itself, not the normalised x.": norm(2, n) + feed(norm(2, n)),
            "The residual of the feed-forward part is its input before the norm.": norm(2, h) + feed(norm(2, h)),
            "pre_norm=True makes no difference here: normalise what goes into each part, not the sum.": norm(
                2, norm(1, x + attend(x)) + feed(norm(1, x + attend(x)))
            ),
            "The residual around the feed-forward part is missing.": feed(norm(2, h)),
            "The residual around the attention is missing.": attend(norm(1, x)) + feed(norm(2, attend(norm(1, x)))),
            "A pre-norm block does not normalise its sum: the last norm of a model does.": norm(2, h + feed(h)),
            "norm1 and norm2 have changed places.": (x + attend(norm(2, x))) + feed(norm(1, x + attend(norm(2, x)))),
            "Keys and values come from the normalised x too: give the self-attention LN1(x) alone.": (
                lambda h: h + feed(norm(2, h))
            )(x + attend(norm(1, x), x)),
            "The feed-forward part is missing.": h,
        }
    h = norm(1, x + attend(x))
    return {
        "The residual around the attention is missing: add x before the norm.": norm(
            2, norm(1, attend(x)) + feed(norm(1, attend(x)))
        ),
        "The residual around the feed-forward part is missing.": norm(2, feed(h)),
        "Add first, then normalise: LN(x + part(x)), not x + LN(part(x)).": (x + norm(1, attend(x)))
        + norm(2, feed(x + norm(1, attend(x)))),
        "The second residual is what came out of the first norm, not x.": norm(2, x + feed(h)),
        "norm1 and norm2 have changed places.": norm(1, norm(2, x + attend(x)) + feed(norm(2, x + attend(x)))),
        "That is the pre-norm block: by default the norms stand behind the sums.": (x + attend(norm(1, x)))
        + feed(norm(2, x + attend(norm(1, x)))),
        "The norm between the two parts is missing.": norm(2, x + attend(x) + feed(x + attend(x))),
    }


@check(
    "has the submodules of the statement",
    points=0.5,
    hint="self_attn, feed_forward, norm1 and norm2 under these names, and no parameters besides.",
)
@pytest.mark.parametrize("pre_norm", [False, True])
def test_EncoderBlock__has_its_submodules(student, pre_norm):
    expected = shapes_of(block_weights(0, 6, 10))
    expect_parts_of_their_own(student, "EncoderBlock", expected, 6, 2, 10, pre_norm)
    expect_equal(parameter_shapes(student, "EncoderBlock", 6, 2, 10, pre_norm), expected)
    named = parameter_shapes(student, "EncoderBlock", d_model=6, n_heads=2, d_ff=10, pre_norm=pre_norm)
    expect_equal(named, expected)


@check(
    "post-norm: equals PyTorch's block with the same weights",
    points=0.5,
    hint="h = LN1(x + attention(x)), then LN2(h + feed_forward(h)).",
)
@pytest.mark.parametrize(("dtype", "rtol"), DTYPES)
@pytest.mark.parametrize(("B", "T", "D", "H", "F"), [(2, 5, 6, 3, 11), (3, 1, 4, 1, 7), (1, 6, 8, 4, 3)])
def test_EncoderBlock__post_norm_equals_pytorch(student, dtype, rtol, B, T, D, H, F):
    weights, x = block_weights(30, D, F, dtype=dtype), numbers(31, B, T, D, dtype=dtype) * 2
    result = with_weights(student, "EncoderBlock", weights, D, H, F)(x)
    slips = encoder_slips(weights, H, x, pre_norm=False)
    expect_close(result, pytorch_block(weights, H)(x), misconceptions=slips, axes="B T D", rtol=rtol, check_dtype=True)


@check(
    "pre-norm: equals PyTorch's block with the same weights",
    points=0.5,
    hint="h = x + attention(LN1(x)), then h + feed_forward(LN2(h)): the sum itself is never normalised.",
)
@pytest.mark.parametrize(("dtype", "rtol"), DTYPES)
@pytest.mark.parametrize(("B", "T", "D", "H", "F"), [(2, 5, 6, 3, 11), (3, 1, 4, 1, 7), (1, 6, 8, 4, 3)])
def test_EncoderBlock__pre_norm_equals_pytorch(student, dtype, rtol, B, T, D, H, F):
    weights, x = block_weights(32, D, F, dtype=dtype), numbers(33, B, T, D, dtype=dtype) * 2
    result = with_weights(student, "EncoderBlock", weights, D, H, F, pre_norm=True)(x)
    slips = encoder_slips(weights, H, x, pre_norm=True)
    expect_close(result, pytorch_block(weights, H, pre_norm=True)(x), misconceptions=slips, axes="B T D", rtol=rtol)


@check(
    "passes the mask to its attention",
    points=0.5,
    hint="The mask goes into the self-attention as it comes, by name, in both kinds of block.",
)
@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize("shape", [(4, 4), (3, 1, 1, 4), (3, 2, 4, 4)])
def test_EncoderBlock__passes_the_mask(student, pre_norm, shape):
    weights, x = block_weights(34, 6, 5), numbers(35, 3, 4, 6)
    mask = numbers(36, *shape) > -0.3
    mask[..., 2] = True
    forward = with_weights(student, "EncoderBlock", weights, 6, 2, 5, pre_norm)
    block = pytorch_block(weights, 2, pre_norm=pre_norm)

    def find_the_mistake():
        ignored = "The mask makes no difference: give it to the attention."
        expect_close(forward(x, mask=mask), block(x, mask), misconceptions={ignored: forward(x)}, axes="B T D")

    result = forward(x, mask=mask)
    expect_as_own(result, forward(x, mask=mask.expand(3, 2, 4, 4)), find_the_mistake)
    if torch.allclose(result, forward(x)):
        find_the_mistake()
    alone = torch.cat([forward(x[:, t : t + 1]) for t in range(4)], 1)
    expect_as_own(forward(x, mask=torch.eye(4).bool()), alone, find_the_mistake)


@check(
    "sees both directions, and nothing through a closed mask",
    points=0.5,
    hint="An encoder's block is not causal by itself: without a mask the first word hears from the last. What the mask "
    "hides, large numbers too, has no effect on the others.",
)
def test_EncoderBlock__sees_both_directions(student):
    weights, x = block_weights(37, 4, 6), numbers(38, 2, 5, 4)
    forward = with_weights(student, "EncoderBlock", weights, 4, 2, 6)
    moved = x.clone()
    moved[:, 4] += 1.0
    assert ((forward(moved) - forward(x)).abs().amax(-1) > 1e-6).all()
    real = (torch.arange(5) < 4).expand(2, 1, 1, 5)
    poisoned = x.clone()
    poisoned[:, 4] = torch.tensor([1e4, -1e4, 3e3, 0.0])
    expect_close(forward(poisoned, real)[:, :4], forward(x, real)[:, :4])
    expect_close(forward(x[:, :4]), forward(poisoned, real)[:, :4])


@check(
    "sends the right gradient to every parameter",
    points=0.5,
    hint="Every map and every norm learns, and x gets its gradient through both residuals: nothing is detached, and "
    "nothing is written into x, as `x += ...` does.",
)
@pytest.mark.parametrize("pre_norm", [False, True])
def test_EncoderBlock__sends_gradients(student, pre_norm):
    weights, x = block_weights(39, 4, 6), numbers(40, 2, 3, 4)
    function = student.new("EncoderBlock", 4, 2, 6, pre_norm).differentiable(parameters=True)

    def forward(values):
        return function({name: values[name] for name in weights}, values["x"])

    expect_own_slopes(forward, [{"x": x}, *by_first_name(weights)], 41)


def decoder_slips(weights, H, x, memory, *, pre_norm):
    """What the usual mistakes in a decoder block give."""
    attend, cross, feed, norm = pieces(weights, H)
    if pre_norm:
        h = x + attend(norm(1, x))
        g = h + cross(norm(2, h), memory)
        n = norm(1, x) + attend(norm(1, x))
        n = norm(2, n) + cross(norm(2, n), memory)
        m = h + cross(norm(2, h), norm(2, memory))
        bare = x + attend(x)
        bare = bare + cross(norm(2, bare), memory)
        post = norm(1, x + attend(x))
        post = norm(2, post + cross(post, memory))
        return {
            "The residual is the sum so far, not its normalised form.": norm(3, n) + feed(norm(3, n)),
            "The memory is used as it comes: the encoder has normalised it already.": m + feed(norm(3, m)),
            "The cross-attention is missing.": h + feed(norm(3, h)),
            "What goes into the self-attention is normalised first, by norm1.": bare + feed(norm(3, bare)),
            "pre_norm=True makes no difference here. Each part sees the normalised sum and adds to the sum itself.": (
                norm(3, post + feed(post))
            ),
            "The residual of the feed-forward part is all that came before it, the look at the memory included.": (
                h + feed(norm(3, g))
            ),
            "A pre-norm block does not normalise its sum: the last norm of a model does.": norm(
                3, g + feed(norm(3, g))
            ),
        }
    h = norm(1, x + attend(x))
    g = norm(2, h + cross(h, memory))
    first = norm(1, x + cross(x, memory))
    second = norm(2, first + attend(first))
    alone = norm(2, h + cross(h, h))
    pre = x + attend(norm(1, x))
    pre = pre + cross(norm(2, pre), memory)
    return {
        "The cross-attention looks at the decoder's own words: keys and values come from the memory.": norm(
            3, alone + feed(alone)
        ),
        "Self-attention comes first, then the cross-attention.": norm(3, second + feed(second)),
        "The cross-attention is missing.": norm(3, h + feed(h)),
        "The residual around the cross-attention is missing.": norm(
            3, norm(2, cross(h, memory)) + feed(norm(2, cross(h, memory)))
        ),
        "The norms have changed places: norm1 belongs to self-attention, norm2 to cross-attention, norm3 behind "
        "it.": norm(2, norm(3, h + cross(h, memory)) + feed(norm(3, h + cross(h, memory)))),
        "The last norm is missing.": g + feed(g),
        "That is the pre-norm block: by default the norms stand behind the sums.": pre + feed(norm(3, pre)),
        "The residual of the feed-forward part is all that came before it, the look at the memory included.": (
            norm(3, h + feed(g))
        ),
        "Add first, then normalise: LN(x + part(x)), not x + LN(part(x)).": (
            lambda a: (lambda c: c + norm(3, feed(c)))(a + norm(2, cross(a, memory)))
        )(x + norm(1, attend(x))),
    }


@check(
    "has the submodules of the statement",
    points=0.5,
    hint="self_attn, cross_attn, feed_forward, norm1, norm2 and norm3 under these names, and no parameters besides.",
)
@pytest.mark.parametrize("pre_norm", [False, True])
def test_DecoderBlock__has_its_submodules(student, pre_norm):
    expected = shapes_of(block_weights(0, 6, 10, decoder=True))
    expect_parts_of_their_own(student, "DecoderBlock", expected, 6, 2, 10, pre_norm)
    expect_equal(parameter_shapes(student, "DecoderBlock", 6, 2, 10, pre_norm), expected)
    named = parameter_shapes(student, "DecoderBlock", d_model=6, n_heads=2, d_ff=10, pre_norm=pre_norm)
    expect_equal(named, expected)


DECODER_SIZES = [(2, 5, 3, 6, 3, 11), (3, 1, 4, 4, 1, 7), (1, 4, 4, 8, 4, 3), (2, 3, 1, 4, 2, 5)]


@check(
    "post-norm: equals PyTorch's block with the same weights",
    points=0.5,
    hint="LN1 of x and its self-attention, LN2 of that and its look at the memory, LN3 of that and its feed-forward.",
)
@pytest.mark.parametrize(("dtype", "rtol"), DTYPES)
@pytest.mark.parametrize(("B", "T", "S", "D", "H", "F"), DECODER_SIZES)
def test_DecoderBlock__post_norm_equals_pytorch(student, dtype, rtol, B, T, S, D, H, F):
    weights = block_weights(50, D, F, decoder=True, dtype=dtype)
    x, memory = numbers(51, B, T, D, dtype=dtype) * 2, numbers(52, B, S, D, dtype=dtype)
    result = with_weights(student, "DecoderBlock", weights, D, H, F)(x, memory)
    slips = decoder_slips(weights, H, x, memory, pre_norm=False)
    expect_close(
        result, pytorch_block(weights, H)(x, memory), misconceptions=slips, axes="B T D", rtol=rtol, check_dtype=True
    )


@check(
    "pre-norm: equals PyTorch's block with the same weights",
    points=0.5,
    hint="Each part sees the normalised sum and adds to the sum itself; the memory is used as it comes.",
)
@pytest.mark.parametrize(("dtype", "rtol"), DTYPES)
@pytest.mark.parametrize(("B", "T", "S", "D", "H", "F"), DECODER_SIZES)
def test_DecoderBlock__pre_norm_equals_pytorch(student, dtype, rtol, B, T, S, D, H, F):
    weights = block_weights(53, D, F, decoder=True, dtype=dtype)
    x, memory = numbers(54, B, T, D, dtype=dtype) * 2, numbers(55, B, S, D, dtype=dtype)
    result = with_weights(student, "DecoderBlock", weights, D, H, F, pre_norm=True)(x, memory)
    slips = decoder_slips(weights, H, x, memory, pre_norm=True)
    expected = pytorch_block(weights, H, pre_norm=True)(x, memory)
    expect_close(result, expected, misconceptions=slips, axes="B T D", rtol=rtol)


def lower(T):
    return torch.ones(T, T, dtype=torch.bool).tril()


@check(
    "gives its mask to the self-attention alone",
    points=0.5,
    hint="mask hides words that are not written yet, in the self-attention. The source is all there: the "
    "cross-attention "
    "must not get the causal mask.",
)
@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize(("T", "S"), [(4, 4), (3, 5)])
def test_DecoderBlock__gives_the_mask_to_self_attention(student, pre_norm, T, S):
    weights, x, memory = block_weights(56, 6, 5, decoder=True), numbers(57, 2, T, 6), numbers(58, 2, S, 6)
    block = pytorch_block(weights, 2, pre_norm=pre_norm)
    forward = with_weights(student, "DecoderBlock", weights, 6, 2, 5, pre_norm)
    result = forward(x, memory, lower(T))
    slips = {
        "The mask makes no difference: give it to the self-attention.": forward(x, memory),
    }
    if T == S:
        slips["The cross-attention got the causal mask too: it may see the whole source."] = block(
            x, memory, lower(T), lower(T)
        )
        slips["The masks have changed places: mask is for the self-attention, memory_mask for the cross-attention."] = (
            block(x, memory, None, lower(T))
        )

    def find_the_mistake():
        expect_close(result, block(x, memory, lower(T)), misconceptions=slips, axes="B T D")

    # The last of some words sees all of them: under the mask each word is the last of those that it may see.
    grown = torch.stack([forward(x[:, : t + 1], memory)[:, -1] for t in range(T)], 1)
    expect_as_own(result, grown, find_the_mistake)
    expect_as_own(forward(x, memory, lower(T).expand(2, 2, T, T)), grown, find_the_mistake)
    if torch.allclose(result, forward(x, memory)):
        find_the_mistake()


@check(
    "gives its memory mask to the cross-attention alone",
    points=0.5,
    hint="memory_mask hides the padding of the source, in the cross-attention, and nothing in the self-attention.",
)
@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize(("T", "S"), [(4, 4), (3, 5)])
def test_DecoderBlock__gives_the_memory_mask_to_cross_attention(student, pre_norm, T, S):
    weights, x, memory = block_weights(59, 6, 5, decoder=True), numbers(60, 3, T, 6), numbers(61, 3, S, 6)
    real = (torch.arange(S) < torch.tensor([S, 2, 1])[:, None])[:, None, None]
    block = pytorch_block(weights, 2, pre_norm=pre_norm)
    forward = with_weights(student, "DecoderBlock", weights, 6, 2, 5, pre_norm)
    result = forward(x, memory, memory_mask=real)
    slips = {"memory_mask makes no difference: give it to the cross-attention.": forward(x, memory)}
    if T == S:
        slips["memory_mask got into the self-attention: it belongs to the cross-attention alone."] = block(
            x, memory, real, real
        )

    def find_the_mistake():
        expect_close(result, block(x, memory, None, real), misconceptions=slips, axes="B T D")

    cut = torch.cat([forward(x[b : b + 1], memory[b : b + 1, :n]) for b, n in enumerate((S, 2, 1))])
    expect_as_own(result, cut, find_the_mistake)
    poisoned = memory.masked_fill(~real[:, 0, 0, :, None], 1e4)
    expect_as_own(forward(x, poisoned, None, real), cut)
    both = torch.cat([forward(x[b : b + 1], memory[b : b + 1, :n], lower(T)) for b, n in enumerate((S, 2, 1))])
    expect_as_own(forward(x, memory, lower(T), real), both)


@check(
    "is causal only where the caller says so",
    points=0.5,
    hint="The caller passes the causal mask: without a mask the first word hears from the last, with it it does not.",
)
def test_DecoderBlock__is_causal_where_asked(student):
    weights, x, memory = block_weights(62, 4, 6, decoder=True), numbers(63, 2, 5, 4), numbers(64, 2, 3, 4)
    forward = with_weights(student, "DecoderBlock", weights, 4, 2, 6)
    moved = x.clone()
    moved[:, 4] += 1.0
    assert ((forward(moved, memory) - forward(x, memory)).abs().amax(-1) > 1e-6).all()
    expect_close(forward(moved, memory, lower(5))[:, :4], forward(x, memory, lower(5))[:, :4])
    expect_close(forward(x[:, :1], memory), forward(x, memory, lower(5))[:, :1])


@check(
    "hears from every word of the source",
    points=0.5,
    hint="Each word of the target looks at the whole memory: change any word of the source, and every output moves.",
)
@pytest.mark.parametrize("pre_norm", [False, True])
def test_DecoderBlock__hears_from_the_whole_source(student, pre_norm):
    weights, x, memory = block_weights(65, 4, 6, decoder=True), numbers(66, 2, 4, 4), numbers(67, 2, 4, 4)
    forward = with_weights(student, "DecoderBlock", weights, 4, 1, 6, pre_norm=pre_norm)
    before = forward(x, memory, lower(4))
    for s in range(4):
        moved = memory.clone()
        moved[:, s] += torch.tensor([1.0, -1.0, 0.5, 2.0])
        assert ((forward(x, moved, lower(4)) - before).abs().amax(-1) > 1e-7).all()


@check(
    "sends the right gradient to every parameter and to the memory",
    points=0.5,
    hint="The encoder learns through the memory: it must get its gradient, and every map and norm too. Nothing is "
    "written into x, as `x += ...` does.",
)
@pytest.mark.parametrize("pre_norm", [False, True])
def test_DecoderBlock__sends_gradients(student, pre_norm):
    weights, x, memory = block_weights(68, 4, 6, decoder=True), numbers(69, 2, 3, 4), numbers(70, 2, 5, 4)
    function = student.new("DecoderBlock", 4, 2, 6, pre_norm).differentiable(parameters=True)

    def forward(values):
        return function({name: values[name] for name in weights}, values["x"], values["memory"], lower(3))

    expect_own_slopes(forward, [{"x": x}, {"memory": memory}, *by_first_name(weights)], 71)


V_SRC, V_TGT, D, H, F, N = 11, 13, 8, 2, 10, 2
SIZES = (V_SRC, V_TGT, D, H, F, N)
ROOT = math.sqrt(D)


def model_weights(seed, *, pre_norm=False, dtype=torch.float64):
    weights = {
        "src_embed.weight": numbers(seed, V_SRC, D, dtype=dtype),
        "tgt_embed.weight": numbers(seed + 1, V_TGT, D, dtype=dtype),
        "output.weight": numbers(seed + 2, V_TGT, D, dtype=dtype),
        "output.bias": numbers(seed + 3, V_TGT, dtype=dtype),
    }
    for i in range(N):
        for side, decoder in (("encoder", False), ("decoder", True)):
            for name, value in block_weights(seed + 100 * (i + 1), D, F, decoder=decoder, dtype=dtype).items():
                weights[f"{side}_blocks.{i}.{name}"] = value
    for side in ("encoder", "decoder") if pre_norm else ():
        weights[f"{side}_norm.weight"] = 1 + numbers(seed + 4, D, dtype=dtype) / 3
        weights[f"{side}_norm.bias"] = numbers(seed + 5, D, dtype=dtype) / 3
    return weights


def clock(length):
    """Sinusoidal positions, number by number."""
    rows = [[f(t / 10000 ** (2 * i / D)) for i in range(D // 2) for f in (math.sin, math.cos)] for t in range(length)]
    return torch.tensor(rows)


def begun(table, ids, *, scale=ROOT, positions=True):
    x = table[ids] * scale
    return x + clock(ids.shape[1]).to(x.dtype) if positions else x


def encoded(weights, ids, real=None, *, pre_norm=False, kind=None, last=True, causal=False, n_blocks=N, **how):
    x = begun(weights["src_embed.weight"], ids, **how)
    mask = lower(ids.shape[1]) if causal else real
    for i in range(n_blocks):
        block = part(weights, f"encoder_blocks.{i}")
        x = pytorch_block(block, H, pre_norm=pre_norm if kind is None else kind)(x, mask)
    if pre_norm and last:
        x = normalised(x, weights["encoder_norm.weight"], weights["encoder_norm.bias"])
    return x


def decoded(weights, ids, memory, real=None, *, pre_norm=False, kind=None, last=True, mask=lower, n_blocks=N, **how):
    x = begun(weights["tgt_embed.weight"], ids, **how)
    for i in range(N - n_blocks, N):
        block = part(weights, f"decoder_blocks.{i}")
        block = pytorch_block(block, H, pre_norm=pre_norm if kind is None else kind)
        x = block(x, memory, mask(ids.shape[1]), real)
    if pre_norm and last:
        x = normalised(x, weights["decoder_norm.weight"], weights["decoder_norm.bias"])
    return functional.linear(x, weights["output.weight"], weights["output.bias"])


def texts(seed, B, length, V):
    return torch.randint(V, (B, length), generator=torch.Generator().manual_seed(seed))


METHOD_AS_MODULE = """
def as_module(model, name):
    class Method(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *args, **kwargs):
            return getattr(self.model, name)(*args, **kwargs)

    return Method()
"""


def method(student, name, weights, *, pre_norm=False):
    """The student's `encode` or `decode` with these weights in the model, or with those given in the call."""
    model = student.new("Transformer", *SIZES, pre_norm=pre_norm)
    function = student.helper(METHOD_AS_MODULE).new(model, name).differentiable(parameters=True)

    def call(*inputs, weights=weights, **named):
        return function({f"model.{key}": value for key, value in weights.items()}, *inputs, **named)

    return call


@check(
    "has the submodules of the statement",
    points=0.5,
    hint="src_embed, tgt_embed, encoder_blocks, decoder_blocks and output, with encoder_norm and decoder_norm where "
    "pre_norm "
    "is True; no other parameters.",
)
@pytest.mark.parametrize("pre_norm", [False, True])
def test_Transformer__has_its_submodules(student, pre_norm):
    expected = shapes_of(model_weights(0, pre_norm=pre_norm))
    expect_parts_of_their_own(student, "Transformer", expected, *SIZES, pre_norm)
    expect_equal(parameter_shapes(student, "Transformer", *SIZES, pre_norm), expected)
    one = parameter_shapes(
        student, "Transformer", src_vocab_size=5, tgt_vocab_size=9, d_model=4, n_heads=2, d_ff=6, n_layers=1
    )
    expect_equal([one["src_embed.weight"], one["tgt_embed.weight"], one["output.weight"]], [[5, 4], [9, 4], [9, 4]])


@check(
    "encodes with embeddings, positions and both-way blocks",
    points=0.5,
    hint="Embeddings times the root of D, plus positions, through the encoder blocks; in a pre-norm model a norm at "
    "the end.",
)
@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize(("B", "S"), [(2, 5), (3, 1), (1, 7)])
def test_Transformer__encodes(student, pre_norm, B, S):
    weights, ids = model_weights(80, pre_norm=pre_norm), texts(81, B, S, V_SRC)
    kind = {"pre_norm": pre_norm}
    slips = {
        "The embeddings are not multiplied by the root of D.": encoded(weights, ids, scale=1.0, **kind),
        "The embeddings are multiplied by the root of D, not divided.": encoded(weights, ids, scale=1 / ROOT, **kind),
        "The positions are missing on the encoder's side.": encoded(weights, ids, positions=False, **kind),
        "The encoder is causal: it must see both directions.": encoded(weights, ids, causal=True, **kind),
        "Not all blocks are used: one after the other, all n_layers of them.": encoded(
            weights, ids, n_blocks=1, **kind
        ),
    }
    if pre_norm:
        slips["The last norm is missing: in a pre-norm model the memory is normalised at the end."] = encoded(
            weights, ids, last=False, **kind
        )
        slips["The encoder's blocks are post-norm here: hand pre_norm on to them."] = encoded(
            weights, ids, kind=False, **kind
        )
    slips["The root of D multiplies the embeddings alone, not the positions."] = _scaled_with_positions(
        weights, ids, **kind
    )
    expected = encoded(weights, ids, **kind)
    slips = {hint: value for hint, value in slips.items() if not torch.allclose(value, expected)}
    # Encodings are float32: that is how exact they are.
    expect_close(
        method(student, "encode", weights, **kind)(ids), expected, misconceptions=slips, axes="B S D", rtol=1e-5
    )


def _scaled_with_positions(weights, ids, *, pre_norm):
    """The slip of multiplying the positions by the root of D too."""
    x = (weights["src_embed.weight"][ids] + clock(ids.shape[1])) * math.sqrt(D)
    for i in range(N):
        x = pytorch_block(part(weights, f"encoder_blocks.{i}"), H, pre_norm=pre_norm)(x)
    return normalised(x, weights["encoder_norm.weight"], weights["encoder_norm.bias"]) if pre_norm else x


@check(
    "decodes with embeddings, positions, causal blocks and logits",
    points=0.5,
    hint="The target's embeddings times the root of D, plus positions, through the decoder blocks under a causal "
    "mask, then "
    "output; in a pre-norm model a norm before it.",
)
@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize(("B", "T", "S"), [(2, 4, 4), (3, 1, 5), (1, 6, 2)])
def test_Transformer__decodes(student, pre_norm, B, T, S):
    weights, ids, memory = model_weights(82, pre_norm=pre_norm), texts(83, B, T, V_TGT), numbers(84, B, S, D)
    kind = {"pre_norm": pre_norm}
    slips = {
        "The embeddings are not multiplied by the root of D.": decoded(weights, ids, memory, scale=1.0, **kind),
        "The positions are missing on the decoder's side.": decoded(weights, ids, memory, positions=False, **kind),
        "The decoder sees words that are not written yet: decode makes the causal mask itself.": decoded(
            weights, ids, memory, mask=lambda T: None, **kind
        ),
        "The causal mask is upside down: word t sees the words up to t, itself included.": decoded(
            weights, ids, memory, mask=lambda T: lower(T).T, **kind
        ),
        "A word does not see itself: the diagonal of the causal mask is True.": decoded(
            weights, ids, memory, mask=lambda T: lower(T).tril(-1), **kind
        ),
        "Not all blocks are used: each one gets what came out of the one before.": decoded(
            weights, ids, memory, n_blocks=1, **kind
        ),
        "The embeddings are multiplied by the root of D, not divided.": decoded(
            weights, ids, memory, scale=1 / ROOT, **kind
        ),
        "Logits come back as they are: no softmax.": decoded(weights, ids, memory, **kind).softmax(-1),
        "Logits come back as they are: no log-softmax.": decoded(weights, ids, memory, **kind).log_softmax(-1),
    }
    if pre_norm:
        slips["The last norm is missing: in a pre-norm model it stands before the logits."] = decoded(
            weights, ids, memory, last=False, **kind
        )
        slips["The decoder's blocks are post-norm here: hand pre_norm on to them."] = decoded(
            weights, ids, memory, kind=False, **kind
        )
    expected = decoded(weights, ids, memory, **kind)
    slips = {hint: value for hint, value in slips.items() if not torch.allclose(value, expected)}
    result = method(student, "decode", weights, **kind)(ids, memory)
    expect_close(result, expected, misconceptions=slips, axes="B T V", rtol=1e-5)


@check(
    "never looks ahead in the target, and always at the whole source",
    points=0.5,
    hint="A later target word must not move earlier logits; every source word, the last one too, may move every logit.",
)
@pytest.mark.parametrize("pre_norm", [False, True])
def test_Transformer__never_looks_ahead(student, pre_norm):
    weights, ids, src = model_weights(85, pre_norm=pre_norm), texts(86, 2, 5, V_TGT), texts(87, 2, 5, V_SRC)
    encode, decode = (method(student, name, weights, pre_norm=pre_norm) for name in ("encode", "decode"))
    logits = decode(ids, encode(src))
    changed = ids.clone()
    changed[:, 3] = (ids[:, 3] + 1) % V_TGT
    moved = (decode(changed, encode(src)) - logits).abs().amax(-1) > 1e-9
    expect_equal(moved, torch.tensor([[False, False, False, True, True]] * 2))
    other = src.clone()
    other[:, 4] = (src[:, 4] + 1) % V_SRC
    memory = encode(other)
    assert ((memory - encode(src)).abs().amax(-1) > 1e-9).all()
    assert ((decode(ids, memory) - logits).abs().amax(-1) > 1e-9).all()


@check(
    "never reads the padding of the source",
    points=0.5,
    hint="src_mask is needed twice: in the encoder blocks, and in each decoder block for the cross-attention.",
)
@pytest.mark.parametrize("pre_norm", [False, True])
def test_Transformer__never_reads_padding(student, pre_norm):
    weights, src, tgt = model_weights(88, pre_norm=pre_norm), texts(89, 3, 6, V_SRC), texts(90, 3, 4, V_TGT)
    real = (torch.arange(6) < torch.tensor([6, 3, 1])[:, None])[:, None, None]
    kind = {"pre_norm": pre_norm}
    encode, decode = (method(student, name, weights, **kind) for name in ("encode", "decode"))
    # What stands behind a text must be as good as not there: the model is compared with itself on texts cut short.
    for b, n in enumerate((6, 3, 1)):
        unmasked = "src_mask makes no difference in encode: give it to each encoder block."
        slips = {unmasked: encode(src)[b, :n]}
        expect_close(encode(src, real)[b, :n], encode(src[b : b + 1, :n])[0], misconceptions=slips, rtol=1e-5)
    memory = numbers(95, 3, 6, D)
    poisoned = memory.masked_fill(~real[:, 0, 0, :, None], 1e3)
    cut = torch.cat([decode(tgt[b : b + 1], memory[b : b + 1, :n]) for b, n in enumerate((6, 3, 1))])
    unmasked = "src_mask makes no difference in decode: the cross-attention needs it."
    slips = {unmasked: decode(tgt, poisoned)}
    expect_close(decode(tgt, poisoned, src_mask=real), cut, misconceptions=slips, axes="B T V", rtol=1e-5)


@check(
    "sends gradients to every parameter of both sides",
    points=0.25,
    hint="The loss on the target teaches the encoder too, through the memory; positions are not parameters, and "
    "nothing is "
    "detached.",
)
@pytest.mark.parametrize("pre_norm", [False, True])
def test_Transformer__sends_gradients(student, pre_norm):
    weights, src, tgt = model_weights(91, pre_norm=pre_norm), texts(92, 2, 4, V_SRC), texts(93, 2, 3, V_TGT)
    encode, decode = (method(student, name, None, pre_norm=pre_norm) for name in ("encode", "decode"))
    expect_own_slopes(lambda own: decode(tgt, encode(src, weights=own), weights=own), by_first_name(weights), 94)


@check(
    "reads and writes texts of any length",
    points=0.25,
    hint="Make the positions as long as the text that came; a table of a fixed length is too short one day.",
)
def test_Transformer__takes_long_texts(student):
    weights, src, tgt = model_weights(96), texts(97, 1, 300, V_SRC), texts(98, 1, 260, V_TGT)
    encode, decode = (method(student, name, weights) for name in ("encode", "decode"))
    memory = encode(src)
    assert tuple(memory.shape) == (1, 300, D)
    assert tuple(decode(tgt, memory).shape) == (1, 260, V_TGT)
