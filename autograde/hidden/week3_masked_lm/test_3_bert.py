"""Hidden tests of week 3, notebook 3: BERT against its equations written out, carrying the same weights."""

import math

import pytest
import torch
from torch.nn import functional

from autograde.rubric import Mismatch, check, expect_close, expect_equal
from course.configs import EncoderConfig

EPS = 1e-12
# Wide enough for float32 through several layers, and for an eps or a GELU that is a little off: those have a check of
# their own.
ROUGH = 4e-3


def numbers(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def tokens(seed, B, T, V):
    return torch.randint(V, (B, T), generator=torch.Generator().manual_seed(seed))


def with_weights(student, name, weights, *sizes):
    """A call of the student's module in which these weights stand: f(*inputs)."""
    function = student.new(name, *sizes).differentiable(parameters=True)
    return lambda *inputs, **named: function(weights, *inputs, **named)


def parameter_shapes(student, name, *sizes, **options):
    listed = "lambda module: {name: list(p.shape) for name, p in module.named_parameters()}"
    return student.helper(listed)(student.new(name, *sizes, **options))


def shapes_of(weights):
    return {name: list(value.shape) for name, value in weights.items()}


def part(weights, prefix):
    return {name[len(prefix) + 1 :]: value for name, value in weights.items() if name.startswith(prefix + ".")}


def embedding_weights(seed, V, D, max_len, n_segments, dtype=torch.float64):
    rows = {"word": V, "position": max_len, "segment": n_segments}
    weights = {f"{name}.weight": numbers(seed + i, n, D, dtype=dtype) for i, (name, n) in enumerate(rows.items())}
    weights["norm.weight"] = 1 + numbers(seed + 3, D, dtype=dtype) / 3
    weights["norm.bias"] = numbers(seed + 4, D, dtype=dtype) / 3
    return weights


def embedded(weights, ids, segment_ids=None, *, drop=(), first=0, scale=1.0, eps=EPS, norm=True, each=False):
    """BERT's embeddings written out, with the usual slips to choose from."""
    segment_ids = torch.zeros_like(ids) if segment_ids is None else segment_ids
    vectors = {
        "word": weights["word.weight"][ids] * scale,
        "position": weights["position.weight"][first : first + ids.shape[1]].expand(*ids.shape, -1),
        "segment": weights["segment.weight"][segment_ids],
    }

    def normalised(x):
        return functional.layer_norm(x, x.shape[-1:], weights["norm.weight"], weights["norm.bias"], eps)

    kept = [vector for name, vector in vectors.items() if name not in drop]
    if each:
        return normalised(kept[0]) + sum(kept[1:])
    return normalised(sum(kept)) if norm else sum(kept)


SHAPES = [(2, 5, 7, 6, 9, 2), (3, 1, 5, 4, 3, 3), (1, 6, 11, 8, 7, 2)]  # B, T, V, D, max_len, n_segments


def rate_of_change(function, weights, moving, inputs, cotangent):
    """How fast sum(function * cotangent) changes as some weights move: by the student's gradients, and by trying.

    The second is a central difference of the student's own function: what else may be wrong in it does not matter.
    """
    generator = torch.Generator().manual_seed(7)
    directions = {name: torch.randn(weights[name].shape, generator=generator, dtype=torch.float64) for name in moving}

    def value(step):
        moved = {name: w + step * directions[name] if name in directions else w for name, w in weights.items()}
        return (function(moved, *inputs) * cotangent).sum()

    leaves = {name: weights[name].clone().requires_grad_() for name in moving}
    total = (function({**weights, **leaves}, *inputs) * cotangent).sum()
    slopes = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    by_gradients = sum((g * directions[name]).sum() for name, g in zip(leaves, slopes, strict=True) if g is not None)
    return torch.as_tensor(by_gradients), (value(1e-5) - value(-1e-5)) / 2e-5


def assert_learned(student, module):
    """Every parameter is trained with the others: none is frozen."""
    frozen = student.helper("lambda module: [name for name, p in module.named_parameters() if not p.requires_grad]")
    if frozen(module):
        raise Mismatch("All tables and maps are learned: none is frozen, the positions neither.", misconception=True)


def assert_no_chance(module, *inputs):
    if not torch.equal(torch.as_tensor(module(*inputs)), torch.as_tensor(module(*inputs))):
        raise Mismatch("The same ids give another result each time: there is no dropout here.", misconception=True)


@check(
    "has the submodules of the statement",
    points=0.5,
    hint="word, position, segment and norm under these names, each table with as many rows as its size says, and no "
    "parameters besides.",
)
def test_BertEmbeddings__has_its_submodules(student):
    expected = shapes_of(embedding_weights(0, 11, 6, 9, 3))
    expect_equal(parameter_shapes(student, "BertEmbeddings", 11, 6, 9, 3), expected)
    named = {"vocab_size": 11, "d_model": 6, "max_len": 9, "n_segments": 3}
    expect_equal(parameter_shapes(student, "BertEmbeddings", **named), expected)


@check(
    "adds word, position and segment, and normalises the sum",
    points=0.5,
    hint="The sum of three rows, one from each table, and then the layer norm over the sum.",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("B", "T", "V", "D", "max_len", "n_segments"), SHAPES)
def test_BertEmbeddings__adds_and_normalises(student, dtype, B, T, V, D, max_len, n_segments):
    weights = embedding_weights(10, V, D, max_len, n_segments, dtype)
    inputs = tokens(11, B, T, V), tokens(12, B, T, n_segments)
    slips = {
        "The positions are missing.": embedded(weights, *inputs, drop=["position"]),
        "The layer norm is missing: it stands behind the sum.": embedded(weights, *inputs, norm=False),
        "BERT's word embeddings are not multiplied by the root of D.": embedded(weights, *inputs, scale=math.sqrt(D)),
        "Add first, then normalise the sum of all three.": embedded(weights, *inputs, each=True),
        "The segment is missing: take it into the sum.": embedded(weights, *inputs, drop=["segment"]),
        "segment_ids make no difference: each token has its own segment.": embedded(weights, inputs[0]),
    }
    if max_len > T:
        slips["Positions are counted from 0."] = embedded(weights, *inputs, first=1)
    result = with_weights(student, "BertEmbeddings", weights, V, D, max_len, n_segments)(*inputs)
    expect_close(result, embedded(weights, *inputs), misconceptions=slips, axes="B T D", rtol=ROUGH, check_dtype=True)


@check(
    "takes segment 0 where no segments are given",
    points=0.5,
    hint="Without segment_ids all tokens belong to segment 0, and its vector is added as any other; with them each "
    "token has its own.",
)
@pytest.mark.parametrize(("B", "T", "V", "D", "max_len", "n_segments"), SHAPES)
def test_BertEmbeddings__defaults_to_segment_0(student, B, T, V, D, max_len, n_segments):
    weights, ids = embedding_weights(13, V, D, max_len, n_segments), tokens(14, B, T, V)
    forward = with_weights(student, "BertEmbeddings", weights, V, D, max_len, n_segments)
    zeros, last = torch.zeros_like(ids), torch.full_like(ids, n_segments - 1)
    slips = {
        "Without segment_ids the segment's vector is left out. It belongs to the sum: that of segment 0.": embedded(
            weights, ids, drop=["segment"]
        ),
        "Segments are counted from 0: without segment_ids it is segment 0.": embedded(
            weights, ids, torch.ones_like(ids)
        ),
    }
    expect_close(forward(ids), forward(ids, zeros), misconceptions=slips, axes="B T D")
    assert ((forward(ids, segment_ids=last) - forward(ids)).abs().amax(-1) > 1e-6).all()


@check(
    "keeps eps at 1e-12",
    points=0.25,
    hint="BERT's layer norms have eps=1e-12, PyTorch's default is 1e-5: with small embeddings that makes a difference. "
    "Behind such a norm, tables a thousand times smaller give the same vectors.",
)
def test_BertEmbeddings__has_a_small_eps(student):
    weights, ids = embedding_weights(15, 7, 6, 5, 2), tokens(16, 2, 4, 7)
    faint = weights | {name: value * 1e-3 for name, value in weights.items() if not name.startswith("norm")}
    loud, quiet = (with_weights(student, "BertEmbeddings", w, 7, 6, 5, 2)(ids) for w in (weights, faint))
    default = {"The norm has PyTorch's eps of 1e-5: BERT's is 1e-12.": embedded(faint, ids, eps=1e-5)}
    expect_close(quiet, loud, misconceptions=default, axes="B T D")


@check(
    "teaches all its tables, without chance",
    points=0.25,
    hint="Gradients reach word, position, segment and norm; the same ids give the same result twice (no dropout) and "
    "are left as they were.",
)
def test_BertEmbeddings__sends_gradients(student):
    weights, inputs = embedding_weights(17, 7, 4, 6, 2), (tokens(18, 3, 5, 7), tokens(19, 3, 5, 2))
    module = student.new("BertEmbeddings", 7, 4, 6, 2)
    assert_no_chance(module, inputs[0])
    assert_learned(student, module)
    function, cotangent = module.differentiable(parameters=True), numbers(20, 3, 5, 4)
    for moving in (["word.weight"], list(weights)):
        by_gradients, by_trying = rate_of_change(function, weights, moving, inputs, cotangent)
        expect_close(by_gradients, by_trying, rtol=1e-6)
    copies = [value.clone() for value in inputs]
    _, arguments = module.call(*inputs, keep_arguments=True)
    expect_equal(list(arguments[:2]), copies)


V, D, H, N, F, L, S = 13, 8, 2, 2, 10, 9, 3  # words, width, heads, layers, feed-forward, positions, segments
CONFIG = EncoderConfig(vocab_size=V, d_model=D, n_heads=H, n_layers=N, d_ff=F, max_len=L, n_segments=S)


def model_weights(seed, config=CONFIG, dtype=torch.float64):
    """Weights of the whole model under the names of the statement, none of them at its starting value."""
    width, inner = config.d_model, config.d_ff
    sizes = config.vocab_size, width, config.max_len, config.n_segments
    named = {f"embeddings.{k}": v for k, v in embedding_weights(seed, *sizes, dtype).items()}
    shapes = {"dense.weight": (width, width), "dense.bias": (width,), "bias": (config.vocab_size,)}
    shapes |= {"norm.weight": (width,), "norm.bias": (width,)}
    for i in range(config.n_layers):
        block = f"encoder.blocks.{i}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= {f"{block}.self_attn.{name}.weight": (width, width), f"{block}.self_attn.{name}.bias": (width,)}
        shapes |= {
            f"{block}.feed_forward.linear1.weight": (inner, width),
            f"{block}.feed_forward.linear1.bias": (inner,),
            f"{block}.feed_forward.linear2.weight": (width, inner),
            f"{block}.feed_forward.linear2.bias": (width,),
        }
        shapes |= {f"{block}.norm{n}.{leaf}": (width,) for n in (1, 2) for leaf in ("weight", "bias")}
    for i, (name, shape) in enumerate(shapes.items()):
        value = numbers(seed + 10 + i, *shape, dtype=dtype)
        scale = 1.5 / math.sqrt(shape[-1]) if len(shape) == 2 else 0.4
        named[name] = value * scale + (1.0 if "norm" in name and name.endswith("weight") else 0.0)
    return named


def layer_norm(x, weights, eps=EPS):
    return functional.layer_norm(x, x.shape[-1:], weights["weight"], weights["bias"], eps)


def linear(x, weights):
    return functional.linear(x, weights["weight"], weights["bias"])


def attended(x, weights, n_heads, visible):
    heads = [torch.stack(linear(x, part(weights, f"{name}_proj")).chunk(n_heads, -1), 1) for name in ("q", "k", "v")]
    mixed = functional.scaled_dot_product_attention(*heads, attn_mask=visible)
    return linear(torch.cat(mixed.unbind(1), -1), part(weights, "out_proj"))


def encoded(weights, ids, mask=None, segment_ids=None, *, config=CONFIG, activation=functional.gelu, **how):
    """The body written out. how: eps, pre_norm, causal, n_layers, rows (the mask on queries instead of keys)."""
    eps, pre_norm = how.get("eps", EPS), how.get("pre_norm", False)
    x = embedded(part(weights, "embeddings"), ids, segment_ids)
    visible = None if mask is None else mask[:, None, None, :]
    if how.get("causal"):
        visible = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
    for i in range(how.get("n_layers", config.n_layers)):
        block = part(weights, f"encoder.blocks.{i}")
        norm1, norm2, inner = part(block, "norm1"), part(block, "norm2"), part(block, "feed_forward")

        def feed(h, inner=inner):
            return linear(activation(linear(h, part(inner, "linear1"))), part(inner, "linear2"))

        attention = part(block, "self_attn")
        if pre_norm:
            x = x + attended(layer_norm(x, norm1, eps), attention, config.n_heads, visible)
            x = x + feed(layer_norm(x, norm2, eps))
        else:
            x = layer_norm(x + attended(x, attention, config.n_heads, visible), norm1, eps)
            x = layer_norm(x + feed(x), norm2, eps)
    return x


def headed(weights, hidden, *, activation=functional.gelu, norm=True, bias=True, dense=True, eps=EPS):
    """The head written out, with the usual slips to choose from."""
    z = activation(linear(hidden, part(weights, "dense")) if dense else hidden)
    z = layer_norm(z, {"weight": weights["norm.weight"], "bias": weights["norm.bias"]}, eps) if norm else z
    logits = z @ weights["embeddings.word.weight"].T
    return logits + weights["bias"] if bias else logits


def whole(weights, *inputs, **how):
    return headed(weights, encoded(weights, *inputs, **how))


def no_activation(x):
    return x


def tanh_gelu(x):
    return functional.gelu(x, approximate="tanh")


def head_slips(weights, hidden):
    logits = headed(weights, hidden)
    return {
        "These are probabilities: return the logits themselves.": logits.softmax(-1),
        "These are log-probabilities: return the logits themselves.": logits.log_softmax(-1),
        "The bias is missing: one number for each word, added to its logit.": headed(weights, hidden, bias=False),
        "The head's layer norm is missing.": headed(weights, hidden, norm=False),
        "The GELU is missing between the dense map and the norm.": headed(weights, hidden, activation=no_activation),
        "The head has GELU, not ReLU.": headed(weights, hidden, activation=functional.relu),
        "GELU comes first, and the norm behind it.": functional.gelu(
            layer_norm(linear(hidden, part(weights, "dense")), part(weights, "norm"))
        )
        @ weights["embeddings.word.weight"].T
        + weights["bias"],
        "The dense map of the head is missing.": headed(weights, hidden, dense=False, activation=no_activation),
        "The head has GELU, not tanh.": headed(weights, hidden, activation=torch.tanh),
        "That is GELU's tanh approximation, which came with GPT-2: BERT has the exact one.": headed(
            weights, hidden, activation=tanh_gelu
        ),
        "The dense map, the GELU and the norm of the head are missing.": headed(
            weights, hidden, dense=False, norm=False, activation=no_activation
        ),
    }


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


def method(student, name, weights, config=CONFIG):
    """The student's `encode` or `head` with these weights in the model."""
    model = student.new("MaskedLM", config)
    function = student.helper(METHOD_AS_MODULE).new(model, name).differentiable(parameters=True)
    prefixed = {f"model.{key}": value for key, value in weights.items()}
    return lambda *inputs, **named: function(prefixed, *inputs, **named)


@check(
    "has the parts of the statement and no second table of words",
    points=0.5,
    hint="embeddings, encoder, dense, norm and a parameter bias [V]. The last map is the table of words: no other "
    "parameters.",
)
def test_MaskedLM__has_its_parts(student):
    expected = shapes_of(model_weights(0))
    expect_equal(parameter_shapes(student, "MaskedLM", CONFIG), expected)
    other = EncoderConfig(vocab_size=5, d_model=6, n_heads=3, n_layers=1, d_ff=7, max_len=4, n_segments=1)
    expect_equal(parameter_shapes(student, "MaskedLM", config=other), shapes_of(model_weights(0, other)))
    model = student.new("MaskedLM", CONFIG)
    listed = student.helper("lambda model: [name for name, p in model.named_parameters(remove_duplicate=False)]")(model)
    if set(listed) - set(expected):
        raise Mismatch("The table of words stands under a second name: use it in head, without a map of its own.")
    start = student.helper("lambda model: model.bias.detach()")(model)
    expect_close(start, torch.zeros(V))


@check(
    "encodes with your embeddings and a post-norm GELU encoder",
    points=0.5,
    hint="The embeddings of the ids, then the given Encoder with activation='gelu', all n_layers of it, post-norm.",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("B", "T"), [(2, 5), (3, 1), (1, 9)])
def test_MaskedLM__encodes(student, dtype, B, T):
    weights, ids = model_weights(30, dtype=dtype), tokens(31, B, T, V)
    ids[0, 0] = 0
    slips = {
        "The encoder has ReLU: BERT's has GELU, activation='gelu'.": encoded(weights, ids, activation=functional.relu),
        "The last block is missing: config.n_layers of them.": encoded(weights, ids, n_layers=N - 1),
        "The encoder is missing behind the embeddings.": encoded(weights, ids, n_layers=0),
    }
    if T > 1:
        slips["Without a mask all tokens are real, whatever their ids."] = encoded(weights, ids, ids != 0)
        slips["The encoder is causal: BERT sees both directions."] = encoded(weights, ids, causal=True)
    result = method(student, "encode", weights)(ids)
    expect_close(result, encoded(weights, ids), misconceptions=slips, axes="B T D", rtol=ROUGH, check_dtype=True)


@check(
    "gives the logits of BERT's head",
    points=0.75,
    hint="A dense map, GELU, layer norm, then the table of words transposed, plus bias.",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("B", "T"), [(2, 5), (4, 1), (1, 3)])
def test_MaskedLM__has_berts_head(student, dtype, B, T):
    weights, hidden = model_weights(40, dtype=dtype), numbers(41, B, T, D, dtype=dtype)
    result = method(student, "head", weights)(hidden)
    slips = head_slips(weights, hidden)
    expect_close(result, headed(weights, hidden), misconceptions=slips, axes="B T V", rtol=ROUGH, check_dtype=True)


@check(
    "asks the head about any vectors, and forward about all of them",
    points=0.25,
    hint="head works on the last axis, whatever the others are; forward is encode and then head, as it was given.",
)
def test_MaskedLM__asks_the_head_about_any_vectors(student):
    weights, ids = model_weights(50), tokens(51, 3, 4, V)
    head, encode = (method(student, name, weights) for name in ("head", "encode"))
    logits = with_weights(student, "MaskedLM", weights, CONFIG)(ids)
    hidden = encode(ids)
    expect_close(logits, head(hidden), axes="B T V")
    expect_close(head(hidden[1, 2]), logits[1, 2])
    expect_close(head(hidden[:, 1:3].flatten(0, 1)), logits[:, 1:3].flatten(0, 1))
    expect_close(head(hidden[None]), logits[None])
    assert (logits.std((0, 1)) > 1e-6).all()


@check(
    "hides padding and nothing else",
    points=0.5,
    hint="mask [B,T] is True on real tokens and hides keys: mask[:, None, None, :]. Whatever stands under padding "
    "changes no real token.",
)
def test_MaskedLM__hides_padding(student):
    weights, ids = model_weights(60), tokens(61, 3, 5, V - 1)
    mask = torch.arange(5) < torch.tensor([[5], [3], [4]])
    real = mask[..., None]
    forward = with_weights(student, "MaskedLM", weights, CONFIG)
    alone = torch.zeros(3, 5, V, dtype=torch.float64)
    for b, length in enumerate([5, 3, 4]):
        alone[b, :length] = forward(ids[b : b + 1, :length])[0]
    slips = {
        "The mask makes no difference: give it to the encoder.": forward(ids) * real,
        "The mask is turned round: True stands on what may be seen.": whole(weights, ids, ~mask) * real,
    }
    expect_close(forward(ids, mask) * real, alone, misconceptions=slips, axes="B T V")
    # The last word's embedding is poisoned; it stands under padding only, and its own logit may show it.
    poisoned = weights | {"embeddings.word.weight": weights["embeddings.word.weight"].clone()}
    poisoned["embeddings.word.weight"][V - 1] = 1e3 * numbers(62, D)
    found = with_weights(student, "MaskedLM", poisoned, CONFIG)(ids.masked_fill(~mask, V - 1), mask)
    expect_close((found * real)[..., : V - 1], alone[..., : V - 1], rtol=1e-5)


@check(
    "hears from both sides",
    points=0.25,
    hint="No causal mask anywhere: a change at any position, the last one too, moves every other.",
)
def test_MaskedLM__hears_from_both_sides(student):
    weights, ids = model_weights(70), tokens(71, 2, 6, V)
    forward = with_weights(student, "MaskedLM", weights, CONFIG)
    before = forward(ids)
    for t in (0, 3, 5):
        moved = ids.clone()
        moved[:, t] = (ids[:, t] + 1) % V
        assert ((forward(moved) - before).abs().amax(-1) > 1e-7).all()


@check(
    "passes the segments on",
    points=0.25,
    hint="segment_ids go to the embeddings; without them all tokens belong to segment 0.",
)
def test_MaskedLM__passes_segments_on(student):
    weights, ids, segments = model_weights(80), tokens(81, 2, 5, V), tokens(82, 2, 5, S)
    forward = with_weights(student, "MaskedLM", weights, CONFIG)
    table = "embeddings.segment.weight"
    turned = with_weights(student, "MaskedLM", weights | {table: weights[table].flip(0)}, CONFIG)
    result = forward(ids, segment_ids=segments)
    ignored = {"segment_ids make no difference: give them to the embeddings.": forward(ids)}
    expect_close(result, turned(ids, segment_ids=S - 1 - segments), misconceptions=ignored, axes="B T V")
    expect_close(forward(ids), forward(ids, None, torch.zeros_like(ids)), axes="B T V")
    assert (result - forward(ids)).abs().max() > 1e-6


@check(
    "agrees to the last digits: eps and GELU are BERT's",
    points=0.5,
    hint="All layer norms have eps=1e-12: Encoder(..., eps=1e-12), and nn.LayerNorm(D, eps=1e-12) in the head. GELU is "
    "the exact one, in both places.",
)
def test_MaskedLM__agrees_to_the_last_digits(student):
    weights, ids = model_weights(90), tokens(91, 2, 4, V)
    approximate = "That is GELU's tanh approximation, which came with GPT-2: BERT has the exact one."
    faint = weights | {name: 1e-4 * value for name, value in weights.items() if name.startswith("dense")}
    hidden = encoded(faint, ids)
    slips = {"The head's norm has PyTorch's eps of 1e-5: BERT's is 1e-12.": headed(faint, hidden, eps=1e-5)}
    expect_close(method(student, "head", faint)(hidden), headed(faint, hidden), misconceptions=slips, axes="B T V")
    slips = {approximate: headed(weights, hidden, activation=tanh_gelu)}
    expect_close(method(student, "head", weights)(hidden), headed(weights, hidden), misconceptions=slips, axes="B T V")
    quiet = ("embeddings.norm", "encoder.blocks.0.self_attn.v_proj", "encoder.blocks.0.self_attn.out_proj.bias")
    faint = weights | {name: 1e-4 * value for name, value in weights.items() if name.startswith(quiet)}
    slips = {
        "The encoder's norms have an eps of 1e-5: give it eps=1e-12.": encoded(faint, ids, eps=1e-5),
        approximate: encoded(faint, ids, activation=tanh_gelu),
    }
    expect_close(method(student, "encode", faint)(ids), encoded(faint, ids), misconceptions=slips, axes="B T D")


@check(
    "teaches the table of words from both ends",
    points=0.5,
    hint="Every part gets its gradient, and the table of words two: as input at the bottom, as last map at the top. "
    "Nothing is detached.",
)
def test_MaskedLM__sends_gradients(student):
    weights, cotangent = model_weights(100), numbers(103, 2, 4, V)
    inputs = tokens(101, 2, 4, V - 3), torch.tensor([[True] * 4, [True] * 4]), tokens(102, 2, 4, S)
    model = student.new("MaskedLM", CONFIG)
    assert_no_chance(model, inputs[0])
    assert_learned(student, model)
    function = model.differentiable(parameters=True)
    for moving in (["embeddings.word.weight"], list(weights)):
        by_gradients, by_trying = rate_of_change(function, weights, moving, inputs, cotangent)
        expect_close(by_gradients, by_trying, rtol=1e-5)
    logits = function(weights, *inputs)
    unseen = weights["embeddings.word.weight"].clone()
    unseen[V - 1] += 1.0  # a word that is not in the text: only its own logit may move
    moved = function(weights | {"embeddings.word.weight": unseen}, *inputs)
    changed = (moved - logits).abs().amax((0, 1)) > 1e-9
    expect_equal(changed.tolist(), [False] * (V - 1) + [True])


def counted(ids, pad_id, *, start=1, padding=None):
    """RoBERTa's positions, number by number."""
    rows = []
    for row in ids.tolist():
        n, positions = pad_id + start, []
        for token in row:
            positions.append((pad_id if padding is None else padding) if token == pad_id else n)
            n += token != pad_id
        rows.append(positions)
    return torch.tensor(rows, dtype=torch.long).reshape(ids.shape)


def padded(seed, B, T, pad_id, *, left=False):
    """Random ids that are not padding, padded on one side to random lengths, the first row not at all.

    The first two ids of a row are the same word: ids are no positions.
    """
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(30, (B, 1), generator=generator).expand(B, T).clone()
    ids[:, 2:] = torch.randint(40, (B, max(T - 2, 0)), generator=generator)
    ids = torch.where(ids == pad_id, 41, ids)
    lengths = torch.randint(1, T + 1, (B, 1), generator=generator)
    lengths[0] = T
    places = torch.arange(T).expand(B, T)
    return ids.masked_fill(places < T - lengths if left else places >= lengths, pad_id)


def start_slips(ids, pad_id):
    real = ids.ne(pad_id)
    return {
        "Each row is counted by itself: cumsum over dim 1 of the table, not over all rows in one.": real.flatten()
        .cumsum(0)
        .view(ids.shape)
        + pad_id,
        "Each row is counted by itself: cumsum over dim 1, not down the batch.": real.cumsum(0) + pad_id,
        "The count starts at the left end of a row.": real.flip(1).cumsum(1).flip(1) + pad_id,
        "The count starts at pad_id + 1, not at pad_id.": counted(ids, pad_id, start=0),
        "The count starts behind pad_id, not at 0.": counted(ids, pad_id, start=-pad_id),
        "The count starts behind pad_id, not at 1.": counted(ids, pad_id, start=1 - pad_id),
    }


def padding_slips(ids, pad_id):
    plain = torch.arange(ids.shape[1]).expand(ids.shape)
    return {
        "Padding has the position pad_id, not 0.": torch.zeros_like(ids),
        "Under padding the running count shows through: its position is pad_id.": ids.ne(pad_id).cumsum(1) + pad_id,
        "Padding is counted like a token: only what is not padding counts.": plain + pad_id + 1,
    }


def side_slips(ids, pad_id):
    plain = torch.arange(ids.shape[1]).expand(ids.shape)
    moved = "Only what is not padding is counted: padding before a token must not move it."
    return {moved: plain + pad_id + 1}


def assert_counts_up(result, ids, pad_id):
    """The positions of what is not padding rise along each row: what no row of ids or of constants does."""
    for row, real in zip(torch.as_tensor(result), ids.ne(pad_id), strict=True):
        positions = row[real]
        assert (positions[1:] > positions[:-1]).all()


def without(slips, expected):
    return {hint: value for hint, value in slips.items() if not torch.equal(value, expected)}


@check(
    "starts at pad_id + 1",
    points=0.5,
    hint="The first token of each row that is not padding has the position pad_id + 1.",
)
@pytest.mark.parametrize(("B", "T", "pad_id"), [(4, 4, 6), (3, 5, 1), (1, 8, 0)])
def test_roberta_position_ids__starts_behind_pad_id(student, B, T, pad_id):
    ids = padded(110, B, T, pad_id)
    result, real = torch.as_tensor(student.roberta_position_ids(ids, pad_id)), ids.ne(pad_id)
    slips = {hint: value[:, 0] for hint, value in start_slips(ids, pad_id).items()}
    expected = counted(ids, pad_id)[:, 0]
    assert real[:, 0].all()
    expect_equal(result[:, 0], expected, misconceptions=without(slips, expected))
    assert_counts_up(result, ids, pad_id)


@check(
    "counts up by one, each row by itself",
    points=0.25,
    hint="Along each row the count goes up by one with every token that is not padding: cumsum over dim 1.",
)
@pytest.mark.parametrize(("B", "T", "pad_id"), [(3, 5, 1), (1, 8, 0), (4, 6, 6)])
def test_roberta_position_ids__counts_up_by_one(student, B, T, pad_id):
    ids = padded(115, B, T, pad_id)
    result, real = torch.as_tensor(student.roberta_position_ids(ids, pad_id)), ids.ne(pad_id)
    steps = (result - result[:, :1]) * real
    by_batch = {"Each row is counted by itself: cumsum over dim 1, not over the batch.": real.long().cumsum(0) * real}
    expect_equal(steps, (counted(ids, pad_id) - pad_id - 1) * real, misconceptions=by_batch if B > 1 else {})


@check(
    "gives padding the position pad_id",
    points=0.5,
    hint="Padding has the position pad_id, wherever it stands: the running count must not show through there.",
)
@pytest.mark.parametrize(("B", "T", "pad_id"), [(5, 4, 12), (4, 6, 1), (3, 7, 0)])
def test_roberta_position_ids__gives_padding_pad_id(student, B, T, pad_id):
    for ids in (padded(120, B, T, pad_id), padded(121, B, T, pad_id, left=True), torch.full((2, T), pad_id)):
        result, padding = torch.as_tensor(student.roberta_position_ids(ids, pad_id)), ids.eq(pad_id)
        expected = padding * pad_id
        slips = {hint: value * padding for hint, value in padding_slips(ids, pad_id).items()}
        expect_equal(result * padding, expected, misconceptions=without(slips, expected))
        assert_counts_up(result, ids, pad_id)


@check(
    "does not notice on which side a text is padded",
    points=0.5,
    hint="Only what is not padding is counted: a text has the same positions whether it is padded on the left, on the "
    "right, or not at all.",
)
@pytest.mark.parametrize(("B", "T", "pad_id"), [(3, 6, 1), (4, 5, 0), (2, 9, 7)])
def test_roberta_position_ids__does_not_notice_the_side(student, B, T, pad_id):
    scattered = padded(131, B, T, pad_id)
    scattered[:, 1] = pad_id
    for ids in (padded(130, B, T, pad_id, left=True), scattered):
        result = torch.as_tensor(student.roberta_position_ids(ids, pad_id))
        real = ids.ne(pad_id)
        alone = torch.zeros_like(ids)
        for b in range(B):
            positions = torch.as_tensor(student.roberta_position_ids(ids[b : b + 1, real[b]], pad_id))
            alone[b, real[b]] = positions[0].to(alone.dtype)
        slips = {hint: value * real for hint, value in side_slips(ids, pad_id).items()}
        expect_equal(result * real, alone, misconceptions=without(slips, alone))
        assert_counts_up(result, ids, pad_id)


@check(
    "gives whole numbers and leaves the ids alone",
    points=0.25,
    hint="The result is long, [B,T], ready to be looked up in a table; the ids are as they were.",
)
def test_roberta_position_ids__gives_long_and_leaves_ids(student):
    for ids in (padded(140, 3, 4, 1), padded(141, 1, 7, 1, left=True)):
        before = ids.clone()
        result, arguments = student.call("roberta_position_ids", ids, pad_id=1, keep_arguments=True)
        assert isinstance(result, torch.Tensor)
        assert result.dtype == torch.long
        assert result.shape == before.shape
        assert_counts_up(result, before, 1)
        expect_equal(arguments[0], before)
