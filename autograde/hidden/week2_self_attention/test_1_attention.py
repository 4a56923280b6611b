"""Hidden tests of week 2, notebook 1: scores, the softmax that hides, attention, and two masks."""

import math

import pytest
import torch
from torch.nn import functional

from autograde.rubric import Mismatch, check, expect_close, expect_equal

DTYPES = (torch.float32, torch.float64)


def vectors(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def dot_products(query, key):
    """Every dot product by itself, in plain numbers."""
    B, H, T, _ = query.shape
    return torch.stack(
        [torch.stack([(key[b, h] * query[b, h, t]).sum(-1) for t in range(T)]) for b in range(B) for h in range(H)]
    ).reshape(B, H, T, key.shape[2])


@check(
    "divides by the square root of the head width",
    points=0.5,
    hint="One query and one key: their dot product divided by the square root of K, the last axis of the query.",
)
@pytest.mark.parametrize(("B", "H", "K"), [(2, 4, 25), (3, 2, 6), (2, 5, 1)])
def test_attention_scores__divides_by_the_root_of_the_head_width(student, B, H, K):
    query, key = vectors(K, B, H, 1, K), vectors(K + 1, B, H, 1, K)
    dots = (query * key).sum(-1, keepdim=True)
    others = {
        "Your dot products come out undivided: divide by the square root of K, the last axis, or they grow with the "
        "width.": dots,
        "Divide by the square root of K, not by K itself.": dots / K,
        "Multiply and divide are confused: the dot products grow with the root of K, so divide by it.": dots
        * math.sqrt(K),
        "K is the width of one head, the last axis. You divided by the root of the whole model's width, H * K.": dots
        / math.sqrt(H * K),
        "K is the last axis of the query. You divided by the root of the number of heads.": dots / math.sqrt(H),
        "Divide by the square root of K, not by K squared or the like.": dots / K**2,
    }
    expected = dots / math.sqrt(K)
    expect_close(
        student.attention_scores(query, key),
        expected,
        misconceptions={hint: wrong for hint, wrong in others.items() if not torch.allclose(wrong, expected)},
        axes="B H T S",
    )


@check(
    "gives one row for each query, one column for each key",
    points=0.5,
    hint="The result is [B,H,T,S]: entry [t,s] is the score of query t with key s, and T and S may differ.",
)
@pytest.mark.parametrize(
    ("B", "H", "T", "S", "K"), [(2, 3, 5, 7, 4), (3, 1, 6, 2, 9), (1, 4, 1, 8, 16), (2, 2, 5, 5, 3)]
)
def test_attention_scores__has_a_row_for_each_query(student, B, H, T, S, K):
    query, key = vectors(1, B, H, T, K), vectors(2, B, H, S, K)
    expected = dot_products(query, key) / K**0.5
    turned = "Rows and columns have changed places: queries come first, [T,S], then keys."
    expect_close(
        student.attention_scores(query, key),
        expected,
        misconceptions={turned: expected.transpose(2, 3)},
        axes="B H T S",
    )


@check(
    "keeps texts and heads apart",
    points=0.5,
    hint="Each text and each head is a world of its own: B and H are batch axes, and only K is summed over.",
)
def test_attention_scores__keeps_texts_and_heads_apart(student):
    query, key = vectors(3, 3, 4, 2, 5), vectors(4, 3, 4, 6, 5)
    before = student.attention_scores(query, key)
    expect_close(before, dot_products(query, key) / math.sqrt(5), axes="B H T S")
    # As `split_heads` hands them over: words in front of heads in memory.
    apart = student.helper("lambda f, q, k: f(*(x.transpose(1, 2).contiguous().transpose(1, 2) for x in (q, k)))")
    expect_close(apart(student.attention_scores, query, key), before)
    key[1, 2] += 1.0
    moved = (student.attention_scores(query, key) - before).abs().amax((2, 3)) > 0
    expected = torch.zeros(3, 4, dtype=torch.bool)
    expected[1, 2] = True
    expect_equal(moved, expected)


@check(
    "keeps the dtype, lets gradients through and leaves its inputs alone",
    points=0.5,
    hint="Stay with tensor operations in the inputs' dtype: no .item(), no .detach(), no writing into query or key. "
    "Keep the names of the parameters.",
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_attention_scores__lets_gradients_through(student, dtype):
    query, key = vectors(5, 2, 3, 4, 6, dtype=dtype), vectors(6, 2, 3, 5, 6, dtype=dtype)
    result, afterwards = student.call("attention_scores", query=query, key=key, keep_arguments=True)
    expect_close(result, dot_products(query, key) / math.sqrt(6), axes="B H T S", check_dtype=True)
    expect_equal(list(afterwards), [query, key])
    weights = vectors(7, 2, 3, 4, 5, dtype=dtype)
    query.requires_grad_(), key.requires_grad_()
    scores = student.differentiable("attention_scores")(query, key)
    got = torch.autograd.grad((scores * weights).sum(), (query, key))
    wanted = (weights @ key.detach() / math.sqrt(6), weights.transpose(2, 3) @ query.detach() / math.sqrt(6))
    expect_close(got, wanted, check_dtype=True)


def naive_softmax(scores, mask):
    """The formula itself, on numbers that cannot overflow; 0/0 counts as 0."""
    shares = (scores - scores.masked_fill(~mask, -torch.inf).amax(-1, keepdim=True).clamp(min=-1e30)).exp()
    shares = torch.where(mask, shares, torch.zeros_like(shares))
    total = shares.sum(-1, keepdim=True)
    return torch.where(total > 0, shares / total, torch.zeros_like(shares))


@check(
    "is a softmax over the keys",
    points=0.5,
    hint="The softmax runs over the last axis: each row, one query's weights, adds up to 1.",
)
@pytest.mark.parametrize("shape", [(4, 7), (3, 5), (2, 3, 6, 4), (1, 1, 1, 9), (2, 1, 3, 3)])
def test_masked_softmax__is_a_softmax_over_the_keys(student, shape):
    scores = 2 * vectors(1, *shape)
    expected = functional.softmax(scores, -1)
    others = {
        "The softmax runs over the queries: each row, not each column, must add up to 1.": functional.softmax(
            scores, -2
        ),
        "The exponentials are not divided by their sum.": scores.exp(),
        "That is the logarithm of the weights.": functional.log_softmax(scores, -1),
        "That is not the softmax over the last axis alone.": functional.softmax(scores.flatten(), 0).reshape(shape),
    }
    expect_close(student.masked_softmax(scores), expected, misconceptions=others)
    expect_close(student.masked_softmax(scores, None), expected)


@check(
    "hides where the mask is False, before the weights are shared out",
    points=0.5,
    hint="Hide scores before the softmax: hidden entries weigh exactly 0 and the visible ones of a row add up to 1.",
)
def test_masked_softmax__hides_before_sharing_out(student):
    scores = 3 * vectors(2, 2, 3, 5, 6)
    mask = vectors(3, 2, 3, 5, 6) > -0.3
    mask[..., 0] = True
    late = functional.softmax(scores, -1) * mask
    others = {
        "The mask is turned round: it is True where something may be seen.": naive_softmax(scores, ~mask),
        "The mask comes too late: zeros put into finished weights leave rows that do not add up to 1.": late,
        "A hidden score is not 0, it takes no part: exp(0) is 1.": functional.softmax(scores * mask, -1),
        "Hidden entries still weigh something: -10 is not small enough, exp(-10) is not 0.": functional.softmax(
            scores.masked_fill(~mask, -10.0), -1
        ),
        "Hidden entries still weigh something: taking 10 away from their scores is not enough.": functional.softmax(
            scores - 10.0 * ~mask, -1
        ),
        "Here the mask made no difference.": functional.softmax(scores, -1),
    }
    result = student.masked_softmax(scores, mask)
    expect_close(result, naive_softmax(scores, mask), misconceptions=others)
    expect_equal(result[~mask], torch.zeros(int((~mask).sum()), dtype=scores.dtype))


@check(
    "gives zeros to a row that may see nothing",
    points=0.5,
    hint="A row that may see nothing is all zero: not NaN, not 1/S each, and the other rows do not notice.",
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_masked_softmax__gives_zeros_to_an_empty_row(student, dtype):
    scores = vectors(4, 3, 2, 4, 5, dtype=dtype)
    mask = torch.ones(3, 2, 4, 5, dtype=torch.bool)
    mask[0, 1, 2] = mask[2, 0, :] = False
    mask[1, 1, 3, 2:] = False
    even = functional.softmax(scores.masked_fill(~mask, torch.finfo(dtype).min), -1)
    result = student.masked_softmax(scores, mask)
    assert not result.isnan().any()
    others = {"A row that may see nothing shares its weight out evenly: write zeros over what is hidden.": even}
    expect_close(result, naive_softmax(scores, mask), misconceptions=others)


@check(
    "survives scores of any size",
    points=0.5,
    hint="exp(10000) overflows, and a hidden entry may hold any finite number: subtract the maximum (softmax does), "
    "and "
    "replace hidden scores instead of adding something to them.",
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_masked_softmax__survives_extreme_scores(student, dtype):
    scores = vectors(5, 4, 6, dtype=dtype)
    scores[0] *= 1e4
    scores[1] -= 1e6 if dtype == torch.float64 else 1e4  # 1e6 leaves float32 too few digits behind the point
    scores[2, 3], scores[3, :2] = 1e4, -1e4
    everything = torch.ones(4, 6, dtype=torch.bool)
    expect_close(student.masked_softmax(scores), naive_softmax(scores, everything), rtol=5e-3, atol=1e-6)
    mask = everything.clone()
    mask[:, 4:] = False
    poisoned = scores.clone()
    poisoned[:, 4], poisoned[:, 5] = 1e30, -1e30
    expect_close(student.masked_softmax(poisoned, mask), naive_softmax(scores, mask), rtol=5e-3, atol=1e-6)


@check(
    "sends the right gradient, and none from what is hidden",
    points=0.5,
    hint="The gradient of a hidden score is 0, in a row that may see nothing too. Repairing a NaN afterwards repairs "
    "the "
    "value and not the gradient: replace hidden scores with masked_fill or torch.where.",
)
def test_masked_softmax__sends_the_right_gradient(student):
    scores = vectors(6, 2, 4, 5).requires_grad_()
    mask = vectors(7, 2, 4, 5) > 0
    mask[0, 1], mask[1, 2], mask[1, 3] = False, True, False
    cotangent = vectors(8, 2, 4, 5)
    wanted = torch.autograd.grad((naive_softmax(scores, mask) * cotangent).sum(), scores)[0]
    function = student.differentiable("masked_softmax")
    got = torch.autograd.grad((function(scores, mask) * cotangent).sum(), scores)[0]
    expect_close(got, torch.where(mask, wanted, torch.zeros_like(wanted)))
    assert torch.autograd.gradcheck(lambda s: function(s, mask), (scores,), fast_mode=True)
    wanted = torch.autograd.grad((scores.softmax(-1) * cotangent).sum(), scores)[0]
    bare = function(scores)
    got = torch.autograd.grad((bare * cotangent).sum(), scores)[0]
    if not got.any():
        raise Mismatch("Without a mask no gradient comes back: no .detach(), no no_grad there.", misconception=True)
    expect_close(got, wanted)


@check(
    "broadcasts the mask, keeps the dtype and leaves its inputs alone",
    points=0.5,
    hint="A mask [T,S] serves every text and head, [B,1,1,S] every head and query. Do not write into scores or mask, "
    "and keep the names of the parameters.",
)
@pytest.mark.parametrize("mask_shape", [(4, 5), (2, 1, 1, 5), (2, 3, 4, 5), (5,), (1, 3, 4, 1)])
def test_masked_softmax__broadcasts_the_mask(student, mask_shape):
    for dtype in DTYPES:
        scores = vectors(9, 2, 3, 4, 5, dtype=dtype)
        mask = vectors(10, *mask_shape) > -0.5
        result, afterwards = student.call("masked_softmax", scores=scores, mask=mask, keep_arguments=True)
        expect_close(result, naive_softmax(scores, mask.expand(2, 3, 4, 5)), check_dtype=True)
        expect_equal(list(afterwards), [scores, mask])
        expect_close(student.masked_softmax(scores), scores.softmax(-1), check_dtype=True)
    # As many queries as keys: rows are still queries.
    scores, mask = vectors(11, 2, 3, 4, 4), torch.ones(4, 4, dtype=torch.bool).tril()
    turned = "Rows of the mask are queries and columns are keys: it must not be transposed, not even where T = S."
    expect_close(
        student.masked_softmax(scores, mask),
        naive_softmax(scores, mask.expand(2, 3, 4, 4)),
        misconceptions={turned: naive_softmax(scores, mask.T.expand(2, 3, 4, 4))},
    )


@check(
    "with one word to see, hands over its value",
    points=0.5,
    hint="With a single key the weight is 1, so the output is that key's value, whatever query and key are.",
)
@pytest.mark.parametrize(("B", "H", "T", "K"), [(1, 1, 1, 3), (2, 3, 5, 4)])
def test_attend__hands_over_a_single_value(student, B, H, T, K):
    query, key, value = (vectors(seed, B, H, size, K) for seed, size in ((1, T), (2, 1), (3, 1)))
    output, weights = student.attend(query, key, value)
    shares = "The output is the weighted sum of the values, not of the keys."
    expect_close(output, value.expand(B, H, T, K), misconceptions={shares: key.expand(B, H, T, K)}, axes="B H T K")
    expect_close(weights, torch.ones(B, H, T, 1, dtype=value.dtype), axes="B H T S")


@check(
    "equals PyTorch's own attention",
    points=0.5,
    hint="Scores, softmax over the keys, then the sum of the values weighted by it; T and S may differ.",
)
@pytest.mark.parametrize(
    ("B", "H", "T", "S", "K"), [(2, 3, 5, 7, 4), (3, 1, 6, 2, 8), (1, 4, 1, 9, 2), (2, 2, 4, 4, 5)]
)
def test_attend__equals_pytorch(student, B, H, T, S, K):
    query, key, value = (2 * vectors(seed, B, H, size, K) for seed, size in ((1, T), (2, S), (3, S)))
    fused = functional.scaled_dot_product_attention

    def over_queries():
        return (query @ key.mT / math.sqrt(K)).softmax(-2) @ value

    others = {
        "The scores are not divided by the square root of K.": lambda: fused(query, key, value, scale=1.0),
        "The scores are divided by the root of the whole model's width: one head is K wide.": lambda: fused(
            query, key, value, scale=(H * K) ** -0.5
        ),
        "The scores are divided by K, not by its square root.": lambda: fused(query, key, value, scale=1 / K),
        "The softmax runs over the queries: for each query the weights over all keys must add up to 1.": over_queries,
        "The output is the weighted sum of the values, not of the keys.": lambda: fused(query, key, key),
    }
    output, _ = student.attend(query, key, value)
    if H == 1 or K == 1:
        others = {hint: wrong for hint, wrong in others.items() if "whole model" not in hint}
    expect_close(output, fused(query, key, value), misconceptions=others, axes="B H T K", check_dtype=True)


@check(
    "under the causal mask the first word sees itself alone",
    points=0.5,
    hint="mask is True where a query may see a key. The first row of the causal mask shows one key only: the output is "
    "its value.",
)
@pytest.mark.parametrize("T", [2, 6])
def test_attend__first_query_sees_itself_alone(student, T):
    query, key, value = (vectors(seed, 2, 3, T, 4) for seed in (1, 2, 3))
    causal = torch.ones(T, T, dtype=torch.bool).tril()
    output, weights = student.attend(query, key, value, causal)
    expect_close(output[:, :, 0], value[:, :, 0])
    expect_close(output, functional.scaled_dot_product_attention(query, key, value, is_causal=True))
    expect_equal((weights == 0).any((0, 1)), ~causal)


@check(
    "returns the weights of every head beside the output",
    points=0.5,
    hint="Return the pair (output, weights): weights [B,H,T,S], each row adding up to 1, and output = weights @ value. "
    "Keep the names of the parameters.",
)
def test_attend__returns_the_weights(student):
    query, key, value = vectors(1, 2, 3, 4, 6), vectors(2, 2, 3, 5, 6), vectors(3, 2, 3, 5, 6)
    mask = vectors(4, 2, 1, 1, 5) > -0.8
    mask[..., 0] = True
    identity = torch.eye(5, dtype=value.dtype).expand(2, 3, 5, 5)
    expected = functional.scaled_dot_product_attention(query, key, identity, attn_mask=mask)
    result = student.attend(query=query, key=key, value=value, mask=mask)
    assert isinstance(result, tuple | list)
    assert len(result) == 2
    swapped = "The two results have changed places: first the output, then the weights."
    expect_close(result[1], expected, misconceptions={swapped: expected @ value}, axes="B H T S")
    expect_close(result[0], expected @ value, axes="B H T K")


@check(
    "takes nothing from what is hidden",
    points=0.5,
    hint="Where the mask is False nothing may come through, however large the hidden keys and values are; a query that "
    "may see nothing gets zeros.",
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_attend__takes_nothing_from_what_is_hidden(student, dtype):
    query, key, value = (vectors(seed, 3, 2, 4, 5, dtype=dtype) for seed in (1, 2, 3))
    lengths = torch.tensor([4, 2, 0])
    real = (torch.arange(4) < lengths[:, None])[:, None, None]
    hidden = ~real[:, 0, 0, :, None].unsqueeze(1)
    poisoned_key, poisoned_value = key.masked_fill(hidden, 1e4), value.masked_fill(hidden, -1e6)
    expected = torch.zeros(3, 2, 4, 5, dtype=dtype)
    for b, n in enumerate(lengths.tolist()):
        if n:
            expected[b] = functional.scaled_dot_product_attention(query[b], key[b, :, :n], value[b, :, :n])
    (output, _), afterwards = student.call("attend", query, poisoned_key, poisoned_value, real, keep_arguments=True)
    expect_close(output, expected, axes="B H T K")
    expect_equal(list(afterwards), [query, poisoned_key, poisoned_value, real])


@check(
    "sends gradients to queries, keys and values",
    points=0.5,
    hint="All three learn: no .detach(), no .item(), no loop that copies numbers out of tensors; and nothing is NaN.",
)
def test_attend__sends_gradients(student):
    inputs = tuple(vectors(seed, 2, 3, size, 4).requires_grad_() for seed, size in ((1, 5), (2, 6), (3, 6)))
    cotangent = vectors(4, 2, 3, 5, 4)
    mask = vectors(5, 2, 1, 5, 6) > -1
    mask[..., 0] = True
    mask[1, :, 2] = False
    own = student.differentiable("attend")
    got = torch.autograd.grad((own(*inputs, mask)[0] * cotangent).sum(), inputs)
    safe = mask.clone()
    safe[1, :, 2] = True
    expected = functional.scaled_dot_product_attention(*inputs, attn_mask=safe)
    keep = torch.ones(2, 1, 5, 1, dtype=torch.float64)
    keep[1, :, 2] = 0
    wanted = torch.autograd.grad((expected * keep * cotangent).sum(), inputs)
    expect_close(got, wanted)


def triangle(length):
    return torch.tensor([[s <= t for s in range(length)] for t in range(length)])


def off_by(length):
    """What the usual slips give instead of the triangle."""
    table = torch.ones(length, length, dtype=torch.bool)
    return {
        "The diagonal must be True: a word may see itself.": table.tril(-1),
        "The mask is turned round: True is where something may be seen, at and below the diagonal.": table.triu(1),
        "The mask shows the future and hides the past: rows are queries, columns are keys.": table.triu(),
        "One word of the future can be seen: key t + 1 must be hidden from query t.": table.tril(1),
    }


@check(
    "shows the past and hides the future",
    points=0.25,
    hint="Entry [t,s] is True where s is at most t: rows are queries, columns are keys.",
)
@pytest.mark.parametrize("length", [3, 5, 13, 300])
def test_causal_mask__shows_the_past(student, length):
    expect_equal(student.causal_mask(length), triangle(length), misconceptions=off_by(length))


@check(
    "is a table of booleans",
    points=0.25,
    hint="The result is a bool tensor [T,T]: not numbers, not minus infinity. Keep the parameter's name.",
)
def test_causal_mask__is_boolean(student):
    result = student.causal_mask(length=4)
    assert isinstance(result, torch.Tensor)
    assert result.dtype == torch.bool
    assert tuple(result.shape) == (4, 4)


@check(
    "lets a word see itself", points=0.25, hint="The diagonal is True, so that no row is empty; one word sees itself."
)
def test_causal_mask__has_a_true_diagonal(student):
    expect_equal(student.causal_mask(1), torch.tensor([[True]]))
    diagonal = student.causal_mask(7).diagonal()
    assert len(diagonal) > 3  # no table of 3 that is always the same
    assert bool(diagonal.all())


@check(
    "grows by one word a row",
    points=0.25,
    hint="Query t may see t + 1 words, the first t + 1. The mask has no axes for texts or heads.",
)
def test_causal_mask__grows_by_one_word_a_row(student):
    expect_equal(student.causal_mask(9).sum(1), torch.arange(1, 10))
    expect_equal(student.causal_mask(9)[:6, :6], student.causal_mask(6))


def real_keys(lengths, max_len):
    return torch.tensor([[s < n for s in range(max_len)] for n in lengths])[:, None, None, :]


@check(
    "is True on real words",
    points=0.5,
    hint="Position s is real where it is below the text's length: the first `length` positions, and no other.",
)
@pytest.mark.parametrize(("lengths", "max_len"), [([3, 1, 5, 2], 5), ([4, 6], 8), ([1], 3)])
def test_padding_mask__is_true_on_real_words(student, lengths, max_len):
    expected = real_keys(lengths, max_len)
    one_more = real_keys([n + 1 for n in lengths], max_len)
    one_less = real_keys([n - 1 for n in lengths], max_len)
    others = {
        "One word too many: positions count from 0, so position `length` is padding already.": one_more,
        "One word too few: the last real word stands at position length - 1.": one_less,
        "The mask is turned round: True stands on real words.": ~expected,
        "The padding stands behind the text, not before it.": expected.flip(-1),
    }
    expect_equal(student.padding_mask(torch.tensor(lengths), max_len), expected, misconceptions=others)


@check(
    "hides keys, not queries",
    points=0.5,
    hint="The shape is [B,1,1,S]: the last axis is that of the keys, and every head and every query sees the same.",
)
def test_padding_mask__hides_keys(student):
    result = student.padding_mask(torch.tensor([2, 4, 3]), 4)
    expected = real_keys([2, 4, 3], 4)
    queries = "That hides the queries of the padding. Its keys must be hidden: S is the last axis, [B,1,1,S]."
    if isinstance(result, torch.Tensor) and result.shape == (3, 1, 4, 1):
        expect_equal(result.mT, expected[:, :, :, :0], misconceptions={queries: expected})
    expect_equal(result, expected)
    with_queries = result & torch.ones(3, 2, 5, 4, dtype=torch.bool)
    expect_equal(with_queries.sum(-1), torch.tensor([2, 4, 3])[:, None, None].expand(3, 2, 5))


@check(
    "handles empty and full texts",
    points=0.5,
    hint="A length of 0 gives a row of False only, a length of max_len a row of True only; max_len is given, and may "
    "be "
    "more than the longest length.",
)
def test_padding_mask__handles_empty_and_full_texts(student):
    expect_equal(student.padding_mask(torch.tensor([0, 3]), 3), real_keys([0, 3], 3))
    expect_equal(student.padding_mask(torch.tensor([0]), 2), real_keys([0], 2))
    longest = "The width is max_len, not the longest length."
    expect_equal(
        student.padding_mask(torch.tensor([1, 2]), 6),
        real_keys([1, 2], 6),
        misconceptions={longest: real_keys([1, 2], 2)},
    )


@check(
    "is a mask of booleans and leaves the lengths alone",
    points=0.5,
    hint="The result is a bool tensor that works with & and ~; lengths is only read. Keep the names of the parameters.",
)
def test_padding_mask__is_boolean(student):
    lengths = torch.tensor([5, 1])
    result, afterwards = student.call("padding_mask", lengths=lengths, max_len=5, keep_arguments=True)
    assert isinstance(result, torch.Tensor)
    assert result.dtype == torch.bool
    expect_equal(result, real_keys([5, 1], 5))
    expect_equal(afterwards[0], lengths)
