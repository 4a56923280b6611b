"""Hidden tests of week 4, notebook 3: slopes as exact powers, biases one by one, GPT-2 by the hub's own names."""

import math

import pytest
import torch
from torch.nn import functional

from autograde.rubric import Mismatch, StudentError, check, expect_close, expect_equal
from course.configs import DecoderConfig


def numbers(seed, *shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# ---- alibi_slopes

# Exponents e of the slopes 2^-e, written down from the rule: those of the power of two below, then of the one above.
EXPONENTS = {
    1: [8],
    2: [4, 8],
    3: [4, 8, 2],
    4: [2, 4, 6, 8],
    5: [2, 4, 6, 8, 1],
    6: [2, 4, 6, 8, 1, 3],
    7: [2, 4, 6, 8, 1, 3, 5],
    8: [1, 2, 3, 4, 5, 6, 7, 8],
    12: [1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5],
    13: [1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5, 4.5],
    16: [h / 2 for h in range(1, 17)],
    20: [h / 2 for h in range(1, 17)] + [0.25, 0.75, 1.25, 1.75],
    32: [h / 4 for h in range(1, 33)],
    112: [h / 8 for h in range(1, 65)] + [h / 16 for h in range(1, 97, 2)],  # BLOOM's own
}


def slopes_of(exponents, dtype=torch.float32):
    return torch.tensor([2.0**-e for e in exponents], dtype=dtype)


def slope_slips(n_heads):
    """What the usual mistakes give, without those that give the right slopes for this number of heads."""
    right, below = EXPONENTS[n_heads], 2 ** int(math.log2(n_heads))
    plain = [8 * h / n_heads for h in range(1, n_heads + 1)]
    first, doubled = right[:below], [4 * h / below for h in range(1, 2 * below + 1)]
    rest = n_heads - below
    slips = {
        "The series starts at its own ratio, 2^(-8/H), not at 1: the exponents go from 8/H to 8.": [
            e - 8 / n_heads for e in plain
        ],
        "The slopes come in the other order: the steepest is first.": plain[::-1],
        "The ratio is always 1/2: it is 2^(-8/H), and 1/2 only for 8 heads.": list(range(1, n_heads + 1)),
        "That is the formula for powers of two: other numbers take the slopes of the power of two below, and more.": (
            plain
        ),
        "The slopes that are added start at the second of the doubled series: every other one, from its first on.": (
            first + doubled[1::2][:rest]
        ),
        "The slopes that are added are the first ones of the doubled series: take every other one.": (
            first + doubled[:rest]
        ),
        "The slopes are sorted: the two lists are put together as they are.": sorted(right),
        "The slopes that are added come first: they stand behind those of the power of two below.": (
            right[below:] + right[:below]
        ),
        "The slopes are those of the power of two above, cut off: take those of the power of two below first.": (
            doubled[:n_heads]
        ),
        "The slopes that are added are taken from the same power of two: the series is that of twice as many heads.": (
            first + first[::2][:rest]
        ),
    }
    found = {hint: slopes_of(exponents) for hint, exponents in slips.items() if exponents != right}
    found["The slopes are negative: the bias is slope times (j - i), and j - i is negative already."] = -slopes_of(
        right
    )
    found["These are the exponents: the slopes are two to the power of minus them."] = torch.tensor(right).float()
    return {hint: value for hint, value in found.items() if not torch.equal(value, slopes_of(right))}


def expect_slopes(student, n_heads, part=slice(None)):
    """Compare a part of the slopes; slips are looked for in all of them."""
    found, expected = student.alibi_slopes(n_heads), slopes_of(EXPONENTS[n_heads])
    comparable = isinstance(found, torch.Tensor) and found.shape == expected.shape
    if comparable and torch.allclose(found[part].double(), expected[part].double(), rtol=1e-5, atol=0):
        return
    expect_close(found, expected, misconceptions=slope_slips(n_heads), axes="H", rtol=1e-5, atol=0)


@check(
    "8 heads have the slopes 1/2, 1/4, ..., 1/256, as in the paper",
    points=0.5,
    hint="With 8 heads the ratio and the first slope are 2^(-8/8) = 1/2, and the last slope is 2^-8.",
)
def test_alibi_slopes__has_the_slopes_of_the_paper(student):
    expect_slopes(student, 8)
    eight, four = (torch.as_tensor(student.alibi_slopes(n)) for n in (8, 4))
    assert not four.equal(eight)  # not these eight numbers whatever is asked for


@check(
    "for any power of two the slopes go down to 2^-8 by equal ratios",
    points=0.5,
    hint="For H a power of two: 2^(-8/H), 2^(-16/H), ..., 2^(-8), as float32 of shape [H]. One head has 2^-8.",
)
@pytest.mark.parametrize("n_heads", [16, 2, 32, 4, 1])
def test_alibi_slopes__knows_every_power_of_two(student, n_heads):
    expect_slopes(student, n_heads)
    if student.alibi_slopes(n_heads=n_heads).dtype != torch.float32:
        raise Mismatch("The slopes have another dtype: float32 is asked for.", misconception=True)


@check(
    "other numbers begin with the slopes of the power of two below",
    points=0.5,
    hint="For 6 heads the first four slopes are those for 4 heads: the largest power of two that is not above H.",
)
@pytest.mark.parametrize("n_heads", [12, 3, 6, 7, 20])  # the slips for 12 heads are all different
def test_alibi_slopes__begins_with_the_power_of_two_below(student, n_heads):
    expect_slopes(student, n_heads, slice(2 ** int(math.log2(n_heads))))


@check(
    "and go on with every other slope for twice as many heads",
    points=0.5,
    hint="For the heads that are left: the slopes for twice that power of two, the first, the third, the fifth, until "
    "there are H in all.",
)
@pytest.mark.parametrize("n_heads", [12, 5, 3, 7, 13, 20, 112])
def test_alibi_slopes__goes_on_with_every_other_slope(student, n_heads):
    expect_slopes(student, n_heads, slice(2 ** int(math.log2(n_heads)), None))


# ---- alibi_bias


def bias_of(slopes, length, entry=lambda i, j: j - i):
    """Slope times entry(i, j), one number at a time."""
    rows = [[entry(i, j) for j in range(length)] for i in range(length)]
    return torch.stack([slope * torch.tensor(rows, dtype=torch.float32) for slope in slopes])


def slopes_in_use(student, n_heads):
    """The student's own slopes where they can serve, so that a slip is not paid for twice; else the right ones."""
    try:
        own = student.alibi_slopes(n_heads)
    except StudentError:
        return slopes_of(EXPONENTS[n_heads])
    usable = isinstance(own, torch.Tensor) and own.shape == (n_heads,) and own.is_floating_point()
    if not usable or not own.isfinite().all() or not (own > 1e-4).all() or own.unique().numel() != n_heads:
        return slopes_of(EXPONENTS[n_heads])
    return own.float()


def expect_bias(student, n_heads, length, where):
    """Compare those entries [i, j] of every head for which where(i, j) holds; the slopes right, or the student's."""
    found = student.alibi_bias(n_heads, length)
    own, right = slopes_in_use(student, n_heads), slopes_of(EXPONENTS[n_heads])
    places = torch.arange(length)
    asked = where(places[:, None], places[None, :])
    for slopes in (own, right):
        expected = bias_of(slopes, length)
        comparable = isinstance(found, torch.Tensor) and found.shape == expected.shape and found.is_floating_point()
        if comparable and torch.allclose(found[:, asked].float(), expected[:, asked], rtol=1e-4, atol=1e-7):
            return
    expect_close(found, expected, misconceptions=bias_slips(right, length), axes="H T T", rtol=1e-4)
    raise Mismatch()


def bias_slips(slopes, length):
    past = bias_of(slopes, length).tril()
    slips = {
        "The sign is turned round: it is the key's place minus the query's, j - i, negative for what lies behind.": (
            bias_of(slopes, length, lambda i, j: i - j)
        ),
        "The distance counts on both sides alike: ahead of the query j - i is positive.": (
            bias_of(slopes, length, lambda i, j: -abs(i - j))
        ),
        "The distance is positive on both sides: behind the query j - i is negative.": (
            bias_of(slopes, length, lambda i, j: abs(i - j))
        ),
        "The slopes are missing: multiply each head's distances by its slope.": (
            bias_of(torch.ones(len(slopes)), length)
        ),
        "The upper triangle is set to 0: fill in the whole matrix, the caller hides the future.": past,
        "The future is hidden here: that is for the causal mask to do. Fill in the whole matrix.": past.masked_fill(
            torch.ones(length, length).triu(1).bool(), -math.inf
        ),
        "The heads stand in the other order: head h has slope h.": bias_of(slopes.flip(0), length),
        "Distances are counted from 1: a token stands at distance 0 from itself.": bias_of(
            slopes, length, lambda i, j: j - i - 1
        ),
        "Keys are counted from 1 and queries from 0: a token stands at distance 0 from itself.": bias_of(
            slopes, length, lambda i, j: j + 1 - i
        ),
        "All heads have the first one's slope: each has its own.": bias_of(slopes[:1].expand(len(slopes)), length),
        "Those are other slopes than alibi_slopes(n_heads) gives: call it, for any number of heads.": bias_of(
            2.0 ** (-8 * torch.arange(1, len(slopes) + 1) / len(slopes)), length
        ),
        "The distances are divided by the length: they are counted in whole tokens.": bias_of(slopes / length, length),
        "The distances are squared: the bias is linear in j - i.": bias_of(
            slopes, length, lambda i, j: (j - i) * abs(j - i)
        ),
        "That is the slope times the key's place, the same for every query: subtract the query's place.": bias_of(
            slopes, length, lambda i, j: j
        ),
        "The heads stand on the last axis: the result is [H,T,T].": bias_of(slopes, length).permute(1, 2, 0),
        "There is one axis too many: the result is [H,T,T], and broadcasts over the batch by itself.": (
            bias_of(slopes, length)[None]
        ),
    }
    right = bias_of(slopes, length)
    return {hint: value for hint, value in slips.items() if value.shape != right.shape or not value.allclose(right)}


@check(
    "what lies behind the query gets slope times (j - i), below 0",
    points=0.5,
    hint="Entry [h, i, j] is the slope of head h times (j - i): queries go down the rows, keys go across.",
)
@pytest.mark.parametrize(("n_heads", "length"), [(4, 7), (2, 5), (8, 3)])
def test_alibi_bias__falls_with_the_distance(student, n_heads, length):
    expect_bias(student, n_heads, length, lambda i, j: j <= i)


@check(
    "what lies ahead gets slope times (j - i), above 0",
    points=0.5,
    hint="The upper triangle is filled in by the same formula, with positive numbers: the caller hides the future.",
)
@pytest.mark.parametrize(("n_heads", "length"), [(4, 6), (1, 9), (16, 2)])
def test_alibi_bias__fills_in_the_whole_matrix(student, n_heads, length):
    expect_bias(student, n_heads, length, lambda i, j: j > i)


@check(
    "each head has its own slope, for any number of heads",
    points=0.5,
    hint="Head h of the bias is the slope h of alibi_slopes(n_heads) times one and the same table of distances.",
)
@pytest.mark.parametrize(("n_heads", "length"), [(3, 4), (6, 5), (12, 2), (8, 6)])
def test_alibi_bias__gives_each_head_its_slope(student, n_heads, length):
    found = student.alibi_bias(n_heads, length)
    if not isinstance(found, torch.Tensor) or found.shape != (n_heads, length, length):
        expect_close(found, bias_of(slopes_of(EXPONENTS[n_heads]), length), axes="H T T")
    sizes = (found[:, -1, 0] / (length - 1)).abs().float()  # whatever its sign, slope h stands here
    own = slopes_in_use(student, n_heads)
    if not torch.allclose(sizes, own, rtol=1e-4, atol=0):
        slips = bias_slips(slopes_of(EXPONENTS[n_heads]), length)
        expect_close(found, bias_of(slopes_of(EXPONENTS[n_heads]), length), misconceptions=slips, rtol=1e-4)


@check(
    "is float32 [H,T,T] for any length, and 0 on the diagonal",
    points=0.5,
    hint="The result is float32 [H,T,T], for a single token too; a token stands at distance 0 from itself.",
)
@pytest.mark.parametrize(("n_heads", "length"), [(2, 1), (5, 1), (4, 70), (7, 4)])
def test_alibi_bias__has_its_shape(student, n_heads, length):
    found = student.alibi_bias(n_heads=n_heads, length=length)
    expected = bias_of(slopes_in_use(student, n_heads), length)
    if isinstance(found, torch.Tensor):
        expect_equal(list(found.shape), [n_heads, length, length])
        expect_equal(found.dtype == torch.float32, True)
        if found.diagonal(dim1=1, dim2=2).abs().max() > 0:
            raise Mismatch("The diagonal is not 0: a token stands at distance 0 from itself.", misconception=True)
        if length == 1 or found.abs().amax((1, 2)).min() > 0:
            return
    expect_close(found, expected, axes="H T T")
    raise Mismatch()


# ---- load_gpt2

NORMS = {"ln_1": "norm1", "ln_2": "norm2"}
MAPS = {"mlp.c_fc": "feed_forward.linear1", "mlp.c_proj": "feed_forward.linear2", "attn.c_proj": "self_attn.out_proj"}


def sizes(n_layers=2, d_model=6, n_heads=3, d_ff=10, vocab_size=11, max_len=7):
    return DecoderConfig(vocab_size, d_model, n_heads, n_layers, d_ff, max_len)


def hub_file(seed, config, *, prefix="transformer.", buffers=False, head=False):
    """A GPT-2's weights by the hub's names, every one random."""
    D, F = config.d_model, config.d_ff
    shapes = {"wte.weight": (config.vocab_size, D), "wpe.weight": (config.max_len, D)}
    shapes |= {"ln_f.weight": (D,), "ln_f.bias": (D,)}
    for i in range(config.n_layers):
        for norm in NORMS:
            shapes |= {f"h.{i}.{norm}.weight": (D,), f"h.{i}.{norm}.bias": (D,)}
        for name, n_in, n_out in [
            ("attn.c_attn", D, 3 * D),
            ("attn.c_proj", D, D),
            ("mlp.c_fc", D, F),
            ("mlp.c_proj", F, D),
        ]:
            shapes |= {f"h.{i}.{name}.weight": (n_in, n_out), f"h.{i}.{name}.bias": (n_out,)}
    file = {name: numbers(seed + k, *shape) for k, (name, shape) in enumerate(shapes.items())}
    if buffers:
        for i in range(config.n_layers):
            file[f"h.{i}.attn.bias"] = torch.ones(1, 1, config.max_len, config.max_len).tril()
            file[f"h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
    file = {prefix + name: value for name, value in file.items()}
    return file | ({"lm_head.weight": file[f"{prefix}wte.weight"].clone()} if head else {})


def state_of(student, file, config):
    model = student.new("load_gpt2", file, config)
    try:
        return dict(model.state_dict())
    except StudentError as error:
        if error.kind != "AttributeError":
            raise
    raise Mismatch(
        "load_gpt2 returns the model: neither a dictionary, nor what load_state_dict returns.", misconception=True
    )


def loaded(student, seed, config):
    """The file without its prefix, and the model's state; read in the form that the student's loader can read."""
    plain = hub_file(seed, config, prefix="")
    try:
        state = state_of(student, {f"transformer.{name}": value for name, value in plain.items()}, config)
        if torch.equal(state["word.weight"], plain["wte.weight"]):
            return plain, state
    except (StudentError, KeyError):
        pass
    return plain, state_of(student, plain, config)


def expect_part(state, ours, expected, misconceptions):
    if ours not in state:
        raise Mismatch("load_gpt2 returns a CausalLM(config), with the parameters of notebook 1.", misconception=True)
    slips = {hint: value for hint, value in misconceptions.items() if value.shape == expected.shape}
    if slips and any(torch.equal(value, expected) for value in slips.values()):
        raise AssertionError("a slip that is no slip")
    expect_close(state[ours], expected, misconceptions=slips, rtol=1e-6)


@check(
    "words, positions and norms stand in their places",
    points=0.25,
    hint="wte is word, wpe is position, ln_f is norm; in block i, ln_1 is norm1 and ln_2 is norm2.",
)
@pytest.mark.parametrize("n_layers", [1, 12])
def test_load_gpt2__places_tables_and_norms(student, n_layers):
    config = sizes(n_layers)
    file, state = loaded(student, 100, config)
    expect_part(state, "word.weight", file["wte.weight"], {})
    expect_part(state, "position.weight", file["wpe.weight"], {})
    for end in ("weight", "bias"):
        expect_part(state, f"norm.{end}", file[f"ln_f.{end}"], {})
        for i in range(n_layers):
            for theirs, ours in NORMS.items():
                other = "ln_2" if theirs == "ln_1" else "ln_1"
                slips = {
                    "The two norms of a block are exchanged: ln_1 stands before attention, ln_2 before the "
                    "feed-forward part.": file[f"h.{i}.{other}.{end}"]
                }
                if i:
                    slips["All blocks have the first one's norms: block i comes from h.i."] = file[
                        f"h.0.{theirs}.{end}"
                    ]
                as_strings = sorted(map(str, range(n_layers)))[i]
                if as_strings != str(i):
                    slips["The blocks are in the order of strings, where 10 comes before 2: count i from 0."] = file[
                        f"h.{as_strings}.{theirs}.{end}"
                    ]
                expect_part(state, f"blocks.{i}.{ours}.{end}", file[f"h.{i}.{theirs}.{end}"], slips)


@check(
    "the matrices inside the blocks are turned",
    points=0.5,
    hint="attn.c_proj, mlp.c_fc and mlp.c_proj are stored as [in,out], and nn.Linear stores [out,in]: transpose each.",
)
@pytest.mark.parametrize(("n_layers", "d_ff"), [(2, 10), (1, 6)])
def test_load_gpt2__turns_the_matrices(student, n_layers, d_ff):
    config = sizes(n_layers, d_ff=d_ff)
    file, state = loaded(student, 200, config)
    for i in range(n_layers):
        for theirs, ours in MAPS.items():
            stored = file[f"h.{i}.{theirs}.weight"]
            slips = {
                "A square matrix was not turned: attn.c_proj fits either way, and is [in,out] like the others.": stored,
                "A matrix was reshaped, not transposed: the numbers of a row stay together, but rows must become "
                "columns.": stored.reshape(stored.shape[1], stored.shape[0]),
            }
            expect_part(state, f"blocks.{i}.{ours}.weight", stored.T, slips)


@check(
    "c_attn's matrix is cut into queries, keys and values",
    points=0.75,
    hint="The first third of the columns of c_attn.weight [D,3D] is the queries, the second the keys, the third the "
    "values; each third is then turned.",
)
@pytest.mark.parametrize(("n_layers", "d_model", "n_heads"), [(2, 6, 3), (1, 8, 2), (1, 4, 4)])
def test_load_gpt2__cuts_the_fused_matrix(student, n_layers, d_model, n_heads):
    config = sizes(n_layers, d_model, n_heads)
    file, state = loaded(student, 300, config)
    for i in range(n_layers):
        fused = file[f"h.{i}.attn.c_attn.weight"]
        thirds = fused.chunk(3, dim=1)
        by_head = fused.T.unflatten(0, (n_heads, 3, -1))
        for k, part in enumerate("qkv"):
            others = [third.T for n, third in enumerate(thirds) if n != k]
            slips = {
                "Queries, keys and values are in another order: the first third is the queries, the second the keys, "
                "the third the values.": others[0],
                "Queries, keys and values stand in another order: query, key, value is the file's.": others[1],
                "The thirds were cut but not turned: they are [in,out] like every matrix of a block.": thirds[k],
                "c_attn was reshaped, not transposed: rows must become columns.": fused.reshape(3, d_model, d_model)[k],
                "c_attn was reshaped: the queries are the first D columns of every row.": (
                    fused.reshape(3, d_model, d_model)[k].T
                ),
                "c_attn was cut head by head, as in BLOOM: GPT-2 has all queries first, then all keys.": (
                    by_head[:, k].flatten(0, 1)
                ),
                "Every third column was taken: the queries are the first D columns together.": fused[:, k::3].T,
            }
            expected = thirds[k].T
            slips = {hint: value for hint, value in slips.items() if not torch.equal(value, expected)}
            expect_part(state, f"blocks.{i}.self_attn.{part}_proj.weight", expected, slips)


@check(
    "every bias arrives, those of queries, keys and values in thirds",
    points=0.5,
    hint="The biases of c_attn are cut like its columns, those of c_proj and c_fc stay as they are. c_attn.bias is a "
    "bias; attn.bias is none.",
)
@pytest.mark.parametrize(("n_layers", "d_model", "n_heads"), [(2, 6, 3), (1, 8, 2)])
def test_load_gpt2__brings_every_bias(student, n_layers, d_model, n_heads):
    config = sizes(n_layers, d_model, n_heads)
    file, state = loaded(student, 400, config)
    for i in range(n_layers):
        thirds = file[f"h.{i}.attn.c_attn.bias"].chunk(3)
        for k, part in enumerate("qkv"):
            ours = f"blocks.{i}.self_attn.{part}_proj.bias"
            slips = {
                "The biases of queries, keys and values never arrived: c_attn.bias also ends in attn.bias, but is no "
                "buffer.": torch.zeros(d_model)
            }
            expect_part(state, ours, thirds[k], slips)
        for theirs, ours in MAPS.items():
            expect_part(state, f"blocks.{i}.{ours}.bias", file[f"h.{i}.{theirs}.bias"], {})


def parts_that_arrive(student, file, config, plain):
    """Return the names of those parts that come out right: none after an error."""
    parts = {"word.weight": "wte.weight", "norm.bias": "ln_f.bias"}
    parts |= {f"blocks.{i}.feed_forward.linear2.bias": f"h.{i}.mlp.c_proj.bias" for i in range(config.n_layers)}
    try:
        state = state_of(student, file, config)
    except StudentError:
        return set()
    return {ours for ours, theirs in parts.items() if ours in state and state[ours].equal(plain[theirs])}


NOTHING = "Nothing arrives from either form of the names: see the checks above first."


@check(
    "names may stand with or without the prefix",
    points=0.25,
    hint="Take transformer. off the front of each name where it stands; the file of the model gpt2 has none.",
)
def test_load_gpt2__reads_both_forms_of_the_names(student):
    config = sizes(1, d_model=4, n_heads=2)
    plain = hub_file(500, config, prefix="")
    with_it = {f"transformer.{name}": value for name, value in plain.items()}
    from_plain, from_prefixed = (parts_that_arrive(student, file, config, plain) for file in (plain, with_it))
    if not from_plain | from_prefixed:
        raise Mismatch(NOTHING)
    if from_prefixed - from_plain:
        raise Mismatch(
            "Names without the prefix are not read: the file of the model gpt2 begins with wte, not transformer.wte.",
            misconception=True,
        )
    if from_plain - from_prefixed:
        raise Mismatch(
            "Names with the prefix are not read: take transformer. off the front where it stands.", misconception=True
        )


@check(
    "buffers and a copy of the head are left out",
    points=0.25,
    hint="h.i.attn.bias, h.i.attn.masked_bias and lm_head.weight have no place in the model: pass over them.",
)
def test_load_gpt2__passes_over_what_has_no_place(student):
    config = sizes(2, d_model=4, n_heads=2)
    plain = hub_file(600, config, prefix="")
    hints = {
        "buffers": "A file with buffers is not read: attn.bias is the causal mask and attn.masked_bias a number, "
        "neither has a place in the model.",
        "head": "A file with lm_head.weight is not read: it is a copy of wte.weight, and the head is tied. Its name "
        "never has the prefix.",
    }
    read = False
    for prefix in ("transformer.", ""):  # what fails in the bare file too has been paid for in another check
        bare = parts_that_arrive(student, hub_file(600, config, prefix=prefix), config, plain)
        read = read or bool(bare)
        for extra, hint in hints.items():
            file = hub_file(600, config, prefix=prefix, **{extra: True})
            if bare - parts_that_arrive(student, file, config, plain):
                raise Mismatch(hint, misconception=True)
    if not read:
        raise Mismatch(NOTHING)


def gpt2_logits(file, config, ids):
    """GPT-2 by the hub's names, in float64: Conv1D as x W + b, attention written out."""
    w = {name: value.double() for name, value in file.items()}

    def norm(x, name):
        return functional.layer_norm(x, (config.d_model,), w[f"{name}.weight"], w[f"{name}.bias"])

    def conv(x, name):
        return x @ w[f"{name}.weight"] + w[f"{name}.bias"]

    T, K = ids.shape[1], config.d_model // config.n_heads
    x = w["wte.weight"][ids] + w["wpe.weight"][:T]
    hidden = torch.ones(T, T).triu(1).bool()
    for i in range(config.n_layers):
        q, k, v = conv(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn").split(config.d_model, dim=-1)
        mixed = []
        for h in range(config.n_heads):
            part = slice(h * K, (h + 1) * K)
            scores = q[..., part] @ k[..., part].mT / math.sqrt(K)
            mixed.append(scores.masked_fill(hidden, -math.inf).softmax(-1) @ v[..., part])
        x = x + conv(torch.cat(mixed, dim=-1), f"h.{i}.attn.c_proj")
        inner = functional.gelu(conv(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc"), approximate="tanh")
        x = x + conv(inner, f"h.{i}.mlp.c_proj")
    return norm(x, "ln_f") @ w["wte.weight"].T


@check(
    "the model computes GPT-2's logits",
    points=0.25,
    hint="The loaded CausalLM must give the numbers that GPT-2 gives: look at the checks above, part by part.",
)
@pytest.mark.parametrize(("n_layers", "B", "T"), [(2, 3, 7), (12, 1, 5), (1, 2, 1)])
def test_load_gpt2__computes_the_logits(student, n_layers, B, T):
    config = sizes(n_layers, d_model=8, n_heads=2, d_ff=12)
    file = {name: value / 3 for name, value in hub_file(700, config).items()}
    plain = {name.removeprefix("transformer."): value for name, value in file.items()}
    ids = torch.randint(11, (B, T), generator=torch.Generator().manual_seed(701))
    expected = gpt2_logits(plain, config, ids).float()
    try:
        logits = student.new("load_gpt2", file, config)(ids)
        if not torch.allclose(logits, expected, rtol=1e-3, atol=1e-4):
            logits = student.new("load_gpt2", plain, config)(ids)
    except StudentError:
        logits = student.new("load_gpt2", plain, config)(ids)
    expect_close(logits, expected, axes="B T V", rtol=1e-4, atol=1e-4)


@check(
    "the file's dictionary is left as it was",
    points=0.25,
    hint="Do not pop names from state_dict, rename its entries or turn its tensors in place: it is the caller's.",
)
def test_load_gpt2__leaves_the_file_alone(student):
    config = sizes(1, d_model=4, n_heads=2)
    run = student.helper(
        "lambda load, file, config: (lambda model: (sorted(file), {n: t.tolist() for n, t in file.items()}, "
        "model.state_dict()['word.weight']))(load(file, config))"
    )
    for prefix in ("transformer.", ""):
        file = hub_file(800, config, prefix=prefix, buffers=True, head=True)
        try:
            names, values, words = run(student.load_gpt2, file, config)
        except StudentError:
            file = hub_file(800, config, prefix=prefix)
            try:
                names, values, words = run(student.load_gpt2, file, config)
            except StudentError:
                continue
        expect_equal(names, sorted(file))
        expect_equal(values, {name: tensor.tolist() for name, tensor in file.items()})
        if torch.equal(words, file[f"{prefix}wte.weight"]):
            return
    raise Mismatch("No form of the file is loaded.", misconception=False)
