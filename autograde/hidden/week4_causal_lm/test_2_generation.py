"""Hidden tests of week 4, notebook 2: filters by sorting, texts token by token, search through everything, PyTorch."""

import itertools
import math

import pytest
import torch
from torch import nn

from autograde.rubric import Mismatch, check, expect_close, expect_equal
from course.configs import GenerationConfig

INF = math.inf
SIZES = [(3, 7), (1, 4), (5, 12)]


def numbers(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def tokens(seed, B, T, V):
    return torch.randint(V, (B, T), generator=torch.Generator().manual_seed(seed))


def spread(seed, B, V):
    """Logits of both signs whose probabilities are far enough apart for any order of adding up."""
    steps = 0.25 * torch.arange(V, dtype=torch.float64) - 0.12 * V
    order = torch.stack([torch.randperm(V, generator=torch.Generator().manual_seed(seed + b)) for b in range(B)])
    return steps.expand(B, V).gather(1, order) + 0.6 * torch.arange(B)[:, None]


def different(slips, expected):
    """The slips that give something else than what is right."""
    return {
        hint: value
        for hint, value in slips.items()
        if not (value.shape == expected.shape and torch.allclose(value.double(), expected.double()))
    }


# ---- top_k_filter


def best_k(row, k):
    return set(sorted(range(len(row)), key=lambda i: -row[i])[:k])


def keep_best(logits, k):
    """Token by token, from sorted lists."""
    rows = [[z if i in best_k(row, k) else -INF for i, z in enumerate(row)] for row in logits.tolist()]
    return torch.tensor(rows, dtype=logits.dtype)


@check(
    "keeps the k largest of each row, unchanged and in their places",
    points=0.5,
    hint="Row by row: the k largest logits stay where they are and as they are, all others become -inf.",
)
@pytest.mark.parametrize(("B", "V"), SIZES)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_filter__keeps_the_k_largest(student, B, V, k):
    logits = spread(1, B, V)
    expected = keep_best(logits, k)
    flat_border = logits.flatten().topk(k).values[-1]
    slips = {
        "What is filtered out is 0, but a logit of 0 is drawn like any other: -inf is asked for.": expected.masked_fill(
            expected == -INF, 0.0
        ),
        "That keeps the k smallest: the largest logits are the most probable.": -keep_best(-logits, k).masked_fill(
            keep_best(-logits, k) == -INF, INF
        ),
        "One token too few is kept: the k-th largest is one of the k.": logits.masked_fill(
            logits <= logits.topk(k, 1).values[:, -1:], -INF
        ),
        "One token too many is kept.": keep_best(logits, k + 1),
        "The k largest of the whole batch are kept: each row has its own k.": logits.masked_fill(
            logits < flat_border, -INF
        ),
        "The border of the first row is used for all rows.": logits.masked_fill(
            logits < logits[0].topk(k).values[-1], -INF
        ),
        "Only the k logits came back, sorted: the result is [B,V], each in its place.": logits.topk(k, 1).values,
        "Probabilities came back: logits are asked for, unchanged where they are kept.": expected.softmax(1),
        "Only the k-th largest is kept.": torch.where(logits == logits.topk(k, 1).values[:, -1:], logits, -INF),
    }
    expect_close(student.top_k_filter(logits, k), expected, misconceptions=different(slips, expected), axes="B V")


@check(
    "filters with -inf, so that the rest has no probability at all",
    points=0.5,
    hint="A large negative number is not -inf: with large logits around it would be drawn again.",
)
def test_top_k_filter__filters_with_infinity(student):
    logits = spread(2, 4, 9) - 1e7  # where a -1e4 or a -1e6 would be the largest
    result = student.top_k_filter(logits, 4)
    expect_equal((result == -INF).sum(1), torch.full((4,), 5))
    expect_close(result.softmax(1), keep_best(logits, 4).softmax(1))


@check(
    "keeps everything where k is V or more",
    points=0.5,
    hint="topk refuses a k above V: use the smaller of the two.",
)
def test_top_k_filter__takes_any_k(student):
    logits = spread(3, 3, 6)
    assert (student.top_k_filter(logits, 2) == -INF).sum() == 12  # or nothing is filtered
    for k in (6, 7, 50):
        expect_close(student.top_k_filter(logits, k=k), logits)


@check(
    "keeps the dtype and leaves logits alone",
    points=0.5,
    hint="Give a new tensor back (masked_fill, torch.where), in the dtype of logits; masked_fill_ with an underscore, "
    "or an assignment to logits[...], writes into the caller's.",
)
def test_top_k_filter__leaves_its_argument_alone(student):
    for dtype in (torch.float32, torch.float64):
        logits = spread(4, 3, 8).to(dtype)
        result, afterwards = student.call("top_k_filter", logits.clone(), 3, keep_arguments=True)
        expect_close(result, keep_best(logits, 3), check_dtype=True)
        expect_equal(afterwards[0], logits)


# ---- top_p_filter


def nucleus(row, p):
    """The smallest set of the most probable tokens that holds p, from lists."""
    top = max(row)
    weights = [math.exp(z - top) for z in row]
    kept, held = set(), 0.0
    for i in sorted(range(len(row)), key=lambda i: -row[i]):
        kept.add(i)
        held += weights[i] / sum(weights)
        if held >= p:
            break
    return kept


def keep_nucleus(logits, p):
    rows = [[z if i in nucleus(row, p) else -INF for i, z in enumerate(row)] for row in logits.tolist()]
    return torch.tensor(rows, dtype=logits.dtype)


def clear_p(logits, p):
    """A p near this one that no running sum of any row comes close to."""
    sums = logits.sort(1, descending=True).values.softmax(1).cumsum(1)
    while (sums - p).abs().min() < 2e-3:
        p -= 1e-3
    return p


def without_the_crossing(logits, p):
    sorted_logits, order = logits.sort(1, descending=True)
    out = sorted_logits.softmax(1).cumsum(1) > p
    return logits.masked_fill(torch.zeros_like(out).scatter(1, order, out), -INF)


@check(
    "keeps the smallest set of the most probable tokens that holds p",
    points=0.75,
    hint="From the most probable down, until what is kept holds at least p: a token stays if those before it hold less "
    "than p.",
)
@pytest.mark.parametrize(("B", "V"), SIZES)
@pytest.mark.parametrize("p", [0.35, 0.6, 0.85])
def test_top_p_filter__keeps_the_nucleus(student, B, V, p):
    logits = spread(10, B, V)
    p = clear_p(logits, p)
    expected = keep_nucleus(logits, p)
    ascending = logits.sort(1).values.softmax(1).cumsum(1)
    unsorted = logits.softmax(1).cumsum(1)
    shuffled, order = logits.sort(1, descending=True)
    before = shuffled.softmax(1).cumsum(1) - shuffled.softmax(1)
    slips = {
        "The token that crosses p is left out: without it the set holds less than p.": without_the_crossing(logits, p),
        "What is filtered out is 0, but a logit of 0 is drawn like any other: -inf is asked for.": expected.masked_fill(
            expected == -INF, 0.0
        ),
        "The kept logits stand in sorted order: each belongs in its own place.": shuffled.masked_fill(
            before >= p, -INF
        ),
        "The mask of the sorted row is laid on the unsorted one: bring it back to the old order.": logits.masked_fill(
            before >= p, -INF
        ),
        "The running sum goes over the vocabulary as it stands: sort each row first.": logits.masked_fill(
            unsorted - logits.softmax(1) >= p, -INF
        ),
        "The least probable tokens are kept: sort with the largest first.": logits.masked_fill(
            torch.zeros_like(logits).scatter(1, logits.argsort(1), ascending - logits.sort(1).values.softmax(1)) >= p,
            -INF,
        ),
        "Each token's own probability decides: it is the running sum that must reach p.": logits.masked_fill(
            logits.softmax(1) < p, -INF
        ),
        "Each token's own probability decides: the running sum must reach p.": logits.masked_fill(
            logits.softmax(1) < 1 - p, -INF
        ),
        "One token too many is kept.": _one_more(logits, expected),
        "The sum runs over the logits, not over probabilities: take the softmax first.": _by_logits(logits, p),
        "Probabilities came back: logits are asked for, unchanged where they are kept.": expected.softmax(1),
    }
    expect_close(student.top_p_filter(logits, p), expected, misconceptions=different(slips, expected), axes="B V")


def _one_more(logits, expected):
    n = (expected != -INF).sum(1)
    return torch.cat([keep_best(logits[b : b + 1], int(n[b]) + 1) for b in range(len(logits))])


def _by_logits(logits, p):
    values, order = logits.sort(1, descending=True)
    out = values.cumsum(1) - values >= p
    return logits.masked_fill(torch.zeros_like(out).scatter(1, order, out), -INF)


@check(
    "keeps more where the model is unsure, and each row for itself",
    points=0.5,
    hint="The size of the set is the row's own: one token where it holds p by itself, many where all are alike.",
)
def test_top_p_filter__has_a_set_for_each_row(student):
    base = spread(11, 4, 10)
    logits = base * torch.tensor([[8.0], [2.0], [1.0], [0.1]])
    result = student.top_p_filter(logits, 0.7)
    assert (result != -INF).sum(1).unique().numel() > 2
    for b in range(4):
        expect_close(result[b : b + 1], student.top_p_filter(logits[b : b + 1], 0.7))
    expect_equal((result != -INF).sum(1), (keep_nucleus(logits, 0.7) != -INF).sum(1))


@check(
    "keeps at least one token, however small p is",
    points=0.5,
    hint="The most probable token alone holds more than a small p: it is the token that crosses, and is kept.",
)
@pytest.mark.parametrize("p", [0.001, 0.2])
def test_top_p_filter__is_never_empty(student, p):
    for scale in (1.0, 30.0):
        logits = spread(12, 3, 7) * scale
        expect_close(student.top_p_filter(logits, p), keep_best(logits, 1) if scale > 1 else keep_nucleus(logits, p))


@check(
    "keeps everything with p = 1, and asks for -inf elsewhere",
    points=0.5,
    hint="A running sum in floats may reach 1 before the last token; with p = 1 nothing may be filtered. For a smaller "
    "p use -inf, not a large negative number.",
)
def test_top_p_filter__keeps_all_at_one(student):
    steep = torch.tensor([[30.0, 0.0, -30.0, 5.0], [0.0, 1.0, 2.0, 3.0]])
    expect_close(student.top_p_filter(steep, 1.0), steep)
    expect_close(student.top_p_filter(spread(13, 4, 300).float(), p=1.0), spread(13, 4, 300).float())
    low = spread(14, 3, 8) - 1e7
    expect_close(
        student.top_p_filter(low, clear_p(low, 0.5)).softmax(1), keep_nucleus(low, clear_p(low, 0.5)).softmax(1)
    )


@check(
    "goes on with what another filter left",
    points=0.25,
    hint="Tokens that are -inf already have probability 0 and stay out; p is a share of what is left.",
)
def test_top_p_filter__works_behind_another_filter(student):
    logits = keep_best(spread(15, 4, 9), 4)
    p = clear_p(logits, 0.8)
    expect_close(student.top_p_filter(logits, p), keep_nucleus(logits, p))


@check(
    "keeps the dtype and leaves logits alone",
    points=0.5,
    hint="Give a new tensor back, in the dtype of logits; masked_fill_ with an underscore, or an assignment to "
    "logits[...], writes into the caller's.",
)
def test_top_p_filter__leaves_its_argument_alone(student):
    for dtype in (torch.float32, torch.float64):
        logits = spread(16, 3, 8).to(dtype)
        p = clear_p(logits, 0.6)
        result, afterwards = student.call("top_p_filter", logits.clone(), p, keep_arguments=True)
        expect_close(result, keep_nucleus(logits, p).to(dtype), check_dtype=True)
        expect_equal(afterwards[0], logits)


# ---- penalise_repetition


def penalised(logits, ids, penalty):
    rows = logits.tolist()
    for row, said in zip(rows, ids.tolist(), strict=True):
        for i in set(said):
            row[i] = row[i] / penalty if row[i] > 0 else row[i] * penalty
    return torch.tensor(rows, dtype=logits.dtype)


@check(
    "divides positive logits and multiplies the others, where a token occurs",
    points=0.5,
    hint="Both must make the token less likely: 4 becomes 4 / penalty, -4 becomes -4 * penalty. Tokens that do not "
    "occur are left as they are.",
)
@pytest.mark.parametrize(("B", "V"), SIZES)
@pytest.mark.parametrize("penalty", [1.7, 3.0])
def test_penalise_repetition__pushes_down(student, B, V, penalty):
    logits = spread(20, B, V) + 0.013
    ids = torch.stack([torch.randperm(V, generator=torch.Generator().manual_seed(b))[: V // 2 + 1] for b in range(B)])
    expected = penalised(logits, ids, penalty)
    occurs = torch.zeros(B, V).scatter(1, ids, 1.0) == 1
    slips = {
        "Negative logits are divided too, which makes them larger: multiply them.": torch.where(
            occurs, logits / penalty, logits
        ),
        "Positive logits are multiplied, which makes them larger: divide them.": torch.where(
            occurs, logits * penalty, logits
        ),
        "The wrong way round: that makes what has occurred more likely.": penalised(logits, ids, 1 / penalty),
        "The penalty is subtracted: positive logits are divided by it, the others multiplied.": torch.where(
            occurs, logits - penalty, logits
        ),
        "The tokens that did not occur are penalised.": torch.where(
            ~occurs, penalised(logits, torch.arange(V).expand(B, V), penalty), logits
        ),
        "All tokens are penalised: only those in ids are.": penalised(logits, torch.arange(V).expand(B, V), penalty),
        "What has occurred is forbidden: the penalty makes it less likely, not impossible.": torch.where(
            occurs, -INF, logits
        ),
        "Only the last token of a row is penalised: all that occur are.": penalised(logits, ids[:, -1:], penalty),
        "Logits came back for ids only: the result is [B,V].": torch.where(
            logits.gather(1, ids) > 0, logits.gather(1, ids) / penalty, logits.gather(1, ids) * penalty
        ),
    }
    result = student.penalise_repetition(logits, ids, penalty)
    expect_close(result, expected, misconceptions=different(slips, expected), axes="B V")


@check(
    "penalises a token once, however often it occurs",
    points=0.5,
    hint="Take the old logit of each token, penalise it, write it to its place: twice the same value is no harm. A "
    "loop that works on its own results penalises once per occurrence.",
)
def test_penalise_repetition__counts_a_token_once(student):
    logits = spread(21, 3, 8) + 0.013
    ids = torch.tensor([[5, 5, 5, 2], [0, 0, 7, 7], [1, 2, 1, 2]])
    expected = penalised(logits, ids, 1.5)
    often = logits.clone()
    for b, said in enumerate(ids.tolist()):
        for i in said:
            often[b, i] = often[b, i] / 1.5 if often[b, i] > 0 else often[b, i] * 1.5
    slips = {"The penalty is applied once per occurrence: a token is penalised once.": often}
    expect_close(student.penalise_repetition(logits, ids, 1.5), expected, misconceptions=slips)


@check(
    "a row is penalised for what it said itself",
    points=0.5,
    hint="ids[b] counts for logits[b] only: gather and scatter along axis 1 keep the rows apart.",
)
def test_penalise_repetition__keeps_rows_apart(student):
    logits, ids = spread(22, 4, 9) + 0.013, torch.tensor([[0, 1], [2, 2], [3, 4], [8, 7]])
    expected = penalised(logits, ids, 2.0)
    slips = {
        "A row is penalised for what the others said: ids[b] counts for logits[b] only.": penalised(
            logits, ids.flatten().expand(4, 8), 2.0
        )
    }
    expect_close(student.penalise_repetition(logits, ids, penalty=2.0), expected, misconceptions=slips)


@check(
    "takes any penalty, keeps the dtype and leaves its inputs alone",
    points=0.5,
    hint="A penalty of 1 changes nothing, one below 1 encourages; a new tensor comes back, in the dtype of logits, and "
    "neither logits nor ids are written to.",
)
def test_penalise_repetition__leaves_its_arguments_alone(student):
    for dtype, penalty in itertools.product((torch.float32, torch.float64), (1.0, 0.5, 4.0)):
        logits, ids = (spread(23, 3, 8) + 0.013).to(dtype), tokens(24, 3, 12, 8)
        ids[:, :4] = 0
        result, afterwards = student.call(
            "penalise_repetition", logits.clone(), ids.clone(), penalty, keep_arguments=True
        )
        expected = penalised(logits, ids, penalty)
        expect_close(result, expected, check_dtype=True)
        expect_equal(list(afterwards[:2]), [logits, ids])


# ---- generate


WITH_ENDS = 457  # a seed with which rows of every length end, and none of them late


class Reader:
    """A model whose logits depend on every real token to the left, on their places, and on no padding.

    It is called back from the student's process, and notes what it was given.
    """

    def __init__(self, seed, V, *, scale=2.0):
        self.V, self.scale, self.calls, self.wrong_mask = V, scale, [], False
        self.last, self.bag, self.place = (
            numbers(seed + i, *shape) for i, shape in enumerate([(V, V), (V, V), (64, V)])
        )

    def __call__(self, ids, mask=None):
        self.calls.append((ids.clone(), None if mask is None else mask.clone()))
        if mask is not None and (mask.shape != ids.shape or mask.dtype != torch.bool):
            self.wrong_mask = True
            mask = None
        real = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
        place = (real.cumsum(1) - 1).clamp(min=0)
        heard = (self.bag[ids] * real[:, :, None] * (1 + place[:, :, None] % 3)).cumsum(1)
        logits = self.scale * (self.last[ids] + 0.4 * heard + 0.7 * self.place[place])
        poison = torch.zeros(self.V, dtype=torch.float64)
        poison[0] = 1e4
        return torch.where(real[:, :, None], logits, poison)

    def function(self):
        return lambda ids, mask=None: self(ids, mask)


def written_by(reader, prompt, config, choose=None):
    """One row by itself, greedy, in plain Python: the new tokens up to the end token."""
    row, new = list(prompt), []
    while len(new) < config.max_new_tokens:
        logits = reader(torch.tensor([row]))[0, -1]
        logits = penalised(logits[None], torch.tensor([row]), config.repetition_penalty)[0]
        token = int(logits.argmax()) if choose is None else choose(logits)
        row.append(token)
        new.append(token)
        if token == config.eos_id:
            break
    return new


def expected_batch(reader, prompts, config, T, pad):
    """The whole result, row by row: prompts padded on the left with `pad`, new tokens, pad_id behind the end."""
    news = [written_by(reader, prompt, config) for prompt in prompts]
    longest = max(map(len, news))
    rows = [
        [pad] * (T - len(prompt)) + list(prompt) + new + [config.pad_id] * (longest - len(new))
        for prompt, new in zip(prompts, news, strict=True)
    ]
    return torch.tensor(rows)


def run(student, reader, ids, config, generator=None, mask=None):
    """The student's text, if it is a batch of texts at all."""
    arguments = (config,) if mask is None and generator is None else (config, generator)
    result = student.generate(reader.function(), ids, *arguments, **({} if mask is None else {"prompt_mask": mask}))
    if not isinstance(result, torch.Tensor) or result.ndim != 2:
        raise Mismatch("generate returns one tensor [B,T'], prompts and new tokens.", misconception=True)
    if result.shape[1] <= ids.shape[1] or not torch.equal(result[:, : ids.shape[1]], ids):
        raise Mismatch(
            "The result begins with the prompts as they came; the new tokens stand behind them.", misconception=True
        )
    return result


@check(
    "greedy: takes the most probable token at the last position, with all that stands before it",
    points=0.5,
    hint="In each step call the model with everything written so far, look at logits[:, -1], take the largest, and add "
    "it behind the text.",
)
@pytest.mark.parametrize(("B", "T", "V"), [(3, 4, 11), (1, 6, 7), (4, 1, 9)])
def test_generate__greedy_takes_the_best(student, B, T, V):
    reader, ids, config = Reader(30, V), tokens(31, B, T, V), GenerationConfig(6)
    expected = expected_batch(reader, ids.tolist(), config, T, 0)
    first_only = reader(ids)[:, -1].argmax(1, keepdim=True)
    without_history = Reader(30, V)
    memoryless = ids
    for _ in range(6):
        memoryless = torch.cat([memoryless, without_history(memoryless[:, -1:])[:, -1].argmax(1, keepdim=True)], 1)
    slips = {
        "The same token is added again and again: call the model anew in each step, with the longer text.": torch.cat(
            [ids, first_only.expand(B, 6)], 1
        ),
        "The model hears only the last token: give it everything written so far.": memoryless,
        "The least probable token is taken.": _greedy(reader, ids, 6, lambda z: z[:, -1].argmin(1)),
        "The logits at the first position are used: the next token is predicted at the last one, [:, -1].": _greedy(
            reader, ids, 6, lambda z: z[:, 0].argmax(1)
        ),
    }
    expect_equal(run(student, reader, ids, config), expected, misconceptions=different(slips, expected))


def _greedy(reader, ids, n, choose):
    for _ in range(n):
        ids = torch.cat([ids, choose(reader(ids))[:, None]], dim=1)
    return ids


PROMPTS = [[3, 1, 4, 1, 5], [9], [2, 6, 5], [7, 8, 2, 3]]


def padded_left(prompts, pad):
    T = max(map(len, prompts))
    ids = torch.tensor([[pad] * (T - len(prompt)) + prompt for prompt in prompts])
    return ids, torch.arange(T) >= T - torch.tensor([len(prompt) for prompt in prompts])[:, None]


@check(
    "a prompt padded on the left reads as it would alone",
    points=0.5,
    hint="Give the model prompt_mask, one column of True longer in each step. The last real token of every row stands "
    "in the last column, whatever the number of its real tokens.",
)
@pytest.mark.parametrize("pad", [0, 6])
def test_generate__reads_padded_prompts(student, pad):
    reader, config = Reader(32, 10), GenerationConfig(6)
    ids, mask = padded_left(PROMPTS, pad)
    expected = expected_batch(reader, PROMPTS, config, 5, pad)
    reader.calls.clear()
    reader.wrong_mask = False
    result = run(student, reader, ids, config, mask=mask)
    if reader.wrong_mask:
        raise Mismatch(
            "The mask must grow with the text: bool [B,T], with a True for each new token.", misconception=True
        )
    never_told = all(given is None or bool(given.all()) for _, given in reader.calls)
    if never_told and not torch.equal(result, expected):  # who writes row by row, unpadded, need not tell
        raise Mismatch("The model was never told which tokens are real: give it the mask.", misconception=True)
    index = mask.sum(1) - 1
    picked = reader(ids, mask)[torch.arange(4), index].argmax(1)
    if not torch.equal(picked, expected[:, 5]) and torch.equal(result[:, 5], picked):
        raise Mismatch(
            "The number of real tokens is used as an index, but the rows are padded on the left: the last column is "
            "the last token of every row.",
            misconception=True,
        )
    expect_equal(result, expected)


@check(
    "a row that has said the end token is filled with padding",
    points=0.5,
    hint="Behind eos_id comes pad_id, in this row only; the end token itself stays. An end token in the prompt ends "
    "nothing.",
)
@pytest.mark.parametrize("pad_id", [0, 4, 8])
def test_generate__fills_finished_rows(student, pad_id):
    reader, config, ids = _with_ends(pad_id)
    expected = expected_batch(reader, ids.tolist(), config, 3, 0)
    free = expected_batch(reader, ids.tolist(), GenerationConfig(config.max_new_tokens), 3, 0)
    endless = free[:, : expected.shape[1]]
    again = expected.clone()
    for b in range(len(ids)):
        at = [t for t in range(3, expected.shape[1]) if expected[b, t] == 8]
        if at:
            again[b, at[0] :] = 8
    slips = {
        "A row goes on behind its end token: fill it with pad_id.": endless,
        "A row goes on behind its end token until the last step: fill it with pad_id.": free,
        "A finished row is filled with eos_id: pad_id is asked for.": again,
        "The end token itself is missing.": torch.where(
            (expected == 8) & (torch.arange(expected.shape[1]) >= 3), pad_id, expected
        ),
    }
    result = run(student, reader, ids, config)
    expect_equal(result[:, : expected.shape[1]], expected, misconceptions=different(slips, expected))


def _with_ends(pad_id, n_new=12):
    """A reader, a config and prompts whose rows end at several steps; the prompts hold the end token."""
    seed = WITH_ENDS
    reader, config = Reader(seed, 9, scale=1.0), GenerationConfig(n_new, eos_id=8, pad_id=pad_id)
    ids = tokens(seed, 6, 3, 8)
    ids[0, 0] = ids[3, 2] = 8
    return reader, config, ids


@check(
    "ends when every row has ended, else after max_new_tokens",
    points=0.5,
    hint="Stop once all rows have said eos_id; a row that never does goes on to max_new_tokens. Without an eos_id no "
    "row ends.",
)
def test_generate__ends_in_time(student):
    reader, config, ids = _with_ends(0)
    expected = expected_batch(reader, ids.tolist(), config, 3, 0)
    result = run(student, reader, ids, config)
    if result.shape[1] == 3 + config.max_new_tokens:
        raise Mismatch("Every row had ended, but writing went on: stop when all are finished.", misconception=True)
    expect_equal(list(result.shape), list(expected.shape))
    for n in (1, 4):
        cut = GenerationConfig(n, eos_id=8)
        expect_equal(
            list(run(student, reader, ids, cut).shape), list(expected_batch(reader, ids.tolist(), cut, 3, 0).shape)
        )
    expect_equal(run(student, reader, ids, GenerationConfig(7, pad_id=5)).shape[1], 10)
    upwards = student.helper("lambda ids, mask=None: torch.nn.functional.one_hot((ids + 1) % 10, 10).float()")
    first = student.generate(upwards, torch.tensor([[8], [7]]), GenerationConfig(5, eos_id=0, pad_id=5))
    slips = {ZERO_IS_A_TOKEN: torch.tensor([[8, 9, 0, 1, 2, 3], [7, 8, 9, 0, 1, 2]])}
    expect_equal(first, torch.tensor([[8, 9, 0, 5], [7, 8, 9, 0]]), misconceptions=slips)
    zeros = torch.zeros(2, 1, dtype=torch.long)  # pad_id may be the end token itself
    same = run(student, Reader(41, 9), zeros, GenerationConfig(3, eos_id=8, pad_id=8))
    expect_equal(same, expected_batch(Reader(41, 9), zeros.tolist(), GenerationConfig(3, eos_id=8, pad_id=8), 1, 0))


N_ROWS = 6000
# Hoeffding: one frequency is off by more than this with probability below 2 exp(-2 * 6000 * 0.045^2), about 6e-11.
MARGIN = 0.045


def drawn(student, logits_VV, config, seed=0):
    """The first and second new tokens of many rows with the same prompt, [N,2]; the logits hang on the last token."""
    model = student.helper("lambda ids, mask=None: table[ids]", table=logits_VV)
    result = student.generate(
        model, torch.zeros(N_ROWS, 1, dtype=torch.long), config, torch.Generator().manual_seed(seed)
    )
    if not isinstance(result, torch.Tensor) or list(result.shape) != [N_ROWS, 1 + config.max_new_tokens]:
        raise Mismatch("generate returns prompts and new tokens, [B,T'].", misconception=True)
    return result[:, 1:]


def expect_shares(found, probabilities, slips):
    """Frequencies [N] of tokens against probabilities [V]; a slip is named where its distribution fits."""
    if len(found.unique()) == 1 and probabilities.max() < 0.9:
        raise Mismatch(
            "Every row got the same token: with do_sample one is drawn for each row by itself.", misconception=True
        )
    shares = torch.bincount(found, minlength=len(probabilities)).double() / len(found)
    if (shares - probabilities).abs().max() <= MARGIN:
        return
    for hint, wrong in slips.items():
        if (wrong - probabilities).abs().max() > 2 * MARGIN and (shares - wrong).abs().max() <= MARGIN:
            raise Mismatch(hint, misconception=True)
    raise Mismatch()


TABLE = torch.tensor(
    [
        [0.5, 1.6, -1.0, 1.1, 0.0],
        [1.5, -0.5, 0.4, -2.0, 1.0],
        [-1.0, 0.7, 1.9, 0.2, 0.1],
        [0.3, 2.2, -0.6, 0.9, -1.4],
        [1.2, 0.1, 0.6, -0.8, 1.7],
    ],
    dtype=torch.float64,
)


@check(
    "draws each token with the probability that temperature leaves it",
    points=0.5,
    hint="With do_sample, draw from softmax(logits / temperature), one token a row and each row by itself: "
    "torch.multinomial.",
)
@pytest.mark.parametrize("temperature", [1.0, 0.4, 2.5])
def test_generate__draws_from_the_distribution(student, temperature):
    found = drawn(student, TABLE, GenerationConfig(2, do_sample=True, temperature=temperature))
    z = TABLE[0]
    slips = {
        "The logits are multiplied by the temperature: divide them.": (z * temperature).softmax(0),
        "The temperature makes no difference: divide the logits by it.": z.softmax(0),
        "All tokens are drawn alike: the probabilities are those of the model.": torch.full((5,), 0.2).double(),
        "A softmax is taken of probabilities: divide the logits by the temperature, then take one softmax.": (
            (z.softmax(0) / temperature).softmax(0)
        ),
        "The softmax is taken twice: once, of the logits divided by the temperature.": (
            (z / temperature).softmax(0).softmax(0)
        ),
    }
    probabilities = (z / temperature).softmax(0)
    expect_shares(found[:, 0], probabilities, slips)
    both = found[:, 0] * 5 + found[:, 1]
    pairs = (probabilities[:, None] * (TABLE / temperature).softmax(1)).flatten()
    expect_shares(both, pairs, {"Later tokens are not drawn from the model's distribution behind the text.": pairs * 0})


@check(
    "top_k and top_p work on what the temperature left, and nothing filtered is drawn",
    points=0.5,
    hint="First the temperature, then top_k, then top_p, then the softmax and the draw, from the logits that the "
    "filters gave back.",
)
@pytest.mark.parametrize(
    ("temperature", "k", "p"),
    [
        (1.0, 3, 0.65),
        (1.0, 2, None),
        (1.0, 4, 0.74),
        (1.0, None, 0.6),
        (3.0, None, 0.55),
        (0.5, 3, 0.8),
        (1.0, 50, 1.0),
    ],
)
def test_generate__filters_what_it_draws_from(student, temperature, k, p):
    config = GenerationConfig(1, do_sample=True, temperature=temperature, top_k=k, top_p=p)
    found = drawn(student, TABLE, config, seed=1)[:, 0]
    z = TABLE[:1]

    def filtered(z, k, p):
        z = z if k is None else keep_best(z, k)
        return z if p is None else keep_nucleus(z, p)

    expected = filtered(z / temperature, k, p)
    slips = {
        "Tokens that were filtered out are drawn: draw from the logits that the filter gave back.": z / temperature,
        "The filters come before the temperature: divide first, then filter.": filtered(z, k, p) / temperature,
        "top_p makes no difference.": filtered(z / temperature, k, None),
        "top_p comes before top_k: what top_k leaves is what p is a share of.": filtered(
            filtered(z / temperature, None, p), k, None
        ),
        "top_k makes no difference.": filtered(z / temperature, None, p),
    }
    expect_shares(found, expected.softmax(1)[0], {hint: wrong.softmax(1)[0] for hint, wrong in slips.items()})
    if not set(found.tolist()) <= set((expected[0] > -INF).nonzero()[:, 0].tolist()):
        raise Mismatch("A token that was filtered out is drawn.", misconception=True)


@check(
    "penalises what a row has said, prompt included and padding not",
    points=0.5,
    hint="Before anything else, penalise_repetition with the real tokens of prompt and text. Padding was never said: "
    "put a real token of the row in its place.",
)
def test_generate__penalises_repetition(student):
    reader = Reader(50, 10)
    config = GenerationConfig(7, repetition_penalty=2.5)
    ids, mask = padded_left(PROMPTS, 0)
    plain = expected_batch(reader, PROMPTS, GenerationConfig(7), 5, 0)
    for pad in (0, 4, 6):
        ids, mask = padded_left(PROMPTS, pad)
        expected = expected_batch(reader, PROMPTS, config, 5, pad)
        assert not torch.equal(expected[:, 5:], plain[:, 5:])
        slips = {
            "Padding is penalised as if it had been said: leave it out.": _padding_said(reader, PROMPTS, config, pad),
            "The penalty makes no difference.": torch.cat([ids, plain[:, 5:]], 1),
            "Only new tokens are penalised: those of the prompt have occurred too.": _prompt_forgotten(
                reader, PROMPTS, config, pad
            ),
        }
        result = run(student, reader, ids, config, mask=mask)
        expect_equal(result, expected, misconceptions=different(slips, expected))
    # Where tokens are drawn: a penalty below 1 brings token 0, which has been said, among the two best.
    found = drawn(student, TABLE, GenerationConfig(1, do_sample=True, top_k=2, repetition_penalty=0.25), seed=2)[:, 0]
    said = torch.zeros(1, 1, dtype=torch.long)
    slips = {
        "The penalty comes first, before the temperature and the filters, where tokens are drawn too.": penalised(
            keep_best(TABLE[:1], 2), said, 0.25
        ),
    }
    expected = keep_best(penalised(TABLE[:1], said, 0.25), 2).softmax(1)[0]
    expect_shares(found, expected, {hint: wrong.softmax(1)[0] for hint, wrong in slips.items()})


def _row_by_row(reader, prompts, config, pad, said_of):
    T, rows = max(map(len, prompts)), []
    for prompt in prompts:
        row = list(prompt)
        for _ in range(config.max_new_tokens):
            said = torch.tensor([said_of(prompt, row)], dtype=torch.long)
            row.append(int(penalised(reader(torch.tensor([row]))[:, -1], said, config.repetition_penalty).argmax()))
        rows.append([pad] * (T - len(prompt)) + row)
    return torch.tensor(rows)


def _padding_said(reader, prompts, config, pad):
    T = max(map(len, prompts))
    return _row_by_row(reader, prompts, config, pad, lambda prompt, row: row + [pad] * (len(prompt) < T))


def _prompt_forgotten(reader, prompts, config, pad):
    return _row_by_row(reader, prompts, config, pad, lambda prompt, row: row[len(prompt) :])


@check(
    "takes its random numbers from the generator, and leaves its inputs alone",
    points=0.5,
    hint="Give generator to every draw: the same seed gives the same text, another seed another one, and torch's own "
    "random numbers are not touched. prompt_ids and prompt_mask are not written to; the result holds integers.",
)
def test_generate__takes_its_numbers_from_the_generator(student):
    probe = student.helper(
        "lambda f, model, ids, config, seed: (lambda before: (f(model, ids, config, "
        "torch.Generator().manual_seed(seed)), torch.equal(before, torch.get_rng_state())))(torch.get_rng_state())"
    )
    model = student.helper("lambda ids, mask=None: table[ids]", table=TABLE)
    ids, config = tokens(60, 40, 2, 5), GenerationConfig(6, do_sample=True)
    (first, untouched), (same, _), (other, _) = (
        probe(student.generate, model, ids, config, seed) for seed in (1, 1, 2)
    )
    if not untouched or not torch.equal(first, same):
        raise Mismatch("Draws do not come from the generator: pass generator=generator.", misconception=True)
    if torch.equal(first, other):
        raise Mismatch("Another seed gives the same text: draw with the generator that came in.", misconception=True)
    twice = student.helper("lambda f, model, ids, config: [f(model, ids, config), f(model, ids, config)]")
    if torch.equal(*twice(student.generate, model, ids, config)):
        raise Mismatch("Without a generator the numbers come from torch's own: seed nothing.", misconception=True)
    ids, mask = padded_left(PROMPTS, 0)
    keep = student.helper("lambda f, model, ids, config, mask: (f(model, ids, config, None, mask), ids, mask)")
    result, *afterwards = keep(
        student.generate, Reader(61, 10).function(), ids.clone(), GenerationConfig(3), mask.clone()
    )
    assert not result.dtype.is_floating_point
    expect_equal(list(result.shape), [4, 8])
    expect_equal(afterwards, [ids, mask])


# ---- beam_search


def log_prob(reader, prompt, new):
    """The sum of log-probabilities of the new tokens, one at a time."""
    row = torch.tensor([[*prompt, *new]])
    rows = reader(row)[0].log_softmax(-1)
    return sum(rows[len(prompt) - 1 + i, token].item() for i, token in enumerate(new))


def searched(reader, prompt, n_beams, n_new, alpha=1.0, eos_id=None, *, slip=""):
    """The new tokens that a beam search finds, on lists; with a slip of that name."""
    live, finished = [(0.0, [])], []
    for _ in range(n_new):
        candidates = []
        for total, new in live:
            row = reader(torch.tensor([[*prompt, *new]]))[0, -1]
            row = (row if slip == "plain logits" else row.log_softmax(-1)).tolist()
            candidates += [(total + cost, [*new, token]) for token, cost in enumerate(row)]
        candidates.sort(key=lambda pair: -pair[0])
        ends = [c for c in candidates[:n_beams] if c[1][-1] == eos_id]
        live = [c for c in candidates if c[1][-1] != eos_id][:n_beams]
        if slip == "beams shrink":
            live = [c for c in candidates[:n_beams] if c[1][-1] != eos_id]
        if slip == "goes on behind the end":
            ends, live = [], candidates[:n_beams]
        if slip == "never ends":
            ends = []
        finished += ends
        if (slip == "first end wins" and finished) or (slip == "stops when full" and len(finished) >= n_beams):
            live = []
        if not live:
            break
    if not (slip == "only finished" and finished):
        finished += live
    scores = {
        "sum": lambda total, n: total,
        "multiplied": lambda total, n: total * n**alpha,
        "prompt counted": lambda total, n: total / (len(prompt) + n) ** alpha,
        "mean": lambda total, n: total / n,
    }
    score = scores.get(slip, lambda total, n: total / n**alpha)
    return max(finished, key=lambda pair: score(pair[0], len(pair[1])))[1]


def beam(student, reader, prompt, *arguments, **options):
    """The new tokens of the student's search."""
    result = student.beam_search(reader.function(), torch.tensor(prompt), *arguments, **options)
    if not isinstance(result, torch.Tensor) or result.ndim != 1:
        raise Mismatch("beam_search returns one text: a tensor with a single axis.", misconception=True)
    if result.tolist()[: len(prompt)] != list(prompt) or len(result) <= len(prompt):
        raise Mismatch("The result begins with the prompt; the new tokens stand behind it.", misconception=True)
    return result.tolist()[len(prompt) :]


def found_by(reader, prompt, arguments, expected):
    """Hints by the wrong text that each slip finds, where no other slip finds the same."""
    found = {hint: searched(reader, prompt, *arguments, slip=slip) for slip, hint in HINTS.items()}
    texts = list(found.values())
    return {hint: new for hint, new in found.items() if new != expected and texts.count(new) == 1}


HINTS = {
    "sum": "The length penalty makes no difference: divide a sum by its number of new tokens to that power.",
    "multiplied": "Sums are multiplied by the length penalty: divide them, or long texts lose even more.",
    "prompt counted": "The prompt's tokens are counted: the length is the number of new tokens.",
    "mean": "Always the mean: the number of new tokens is taken to the power of length_penalty.",
    "goes on behind the end": "A hypothesis goes on behind its end token: put it aside as finished.",
    "never ends": "What has ended is forgotten: keep finished hypotheses for the comparison at the end.",
    "first end wins": "The search stops at the first end token: a longer text may have a better score.",
    "stops when full": "The search stops when n_beams hypotheses have ended: it always goes on to max_new_tokens.",
    "beams shrink": "A finished hypothesis takes a live one's place: the n_beams best that have not ended live on.",
    "plain logits": "Logits are added up: take their log-softmax first.",
    "only finished": "What is still alive at the end counts too: compare it with what has ended.",
}


@check(
    "beams wide enough find the best of all texts",
    points=0.5,
    hint="With as many beams as there are texts, nothing is lost: the result is the text with the highest sum of "
    "log-probabilities.",
)
@pytest.mark.parametrize(("V", "n"), [(4, 3), (7, 2)])
def test_beam_search__finds_the_best_of_all(student, V, n):
    for seed in (70, 71, 72):
        reader, prompt = Reader(seed, V, scale=0.7), tokens(seed, 1, 3, V)[0].tolist()
        best = max(itertools.product(range(V), repeat=n), key=lambda new: log_prob(reader, prompt, new))
        expect_equal(beam(student, reader, prompt, V**n, n), list(best))
    if _long_text(student, 1) == _LONG[:1] and _long_text(student, len(_LONG)) != _LONG:
        raise Mismatch(
            "Probabilities are multiplied: behind some dozens of tokens their product is too small for a float. Add up "
            "their logarithms.",
            misconception=True,
        )


# Behind each of 256 tokens all others are nearly as probable as one, the token 5 further on: after 20 tokens the
# product of their probabilities is below what float32 can hold.
_LONG = [(3 + 5 * (i + 1)) % 256 for i in range(40)]


def _long_text(student, n):
    def nearly_flat(ids, mask=None):
        return 0.5 * nn.functional.one_hot((ids + 5) % 256, 256).float()

    result = student.beam_search(nearly_flat, torch.tensor([3]), 1, n)
    return torch.as_tensor(result).flatten().tolist()[1:]


def _garden_path(n_beams, *, V=8, n=5, start=80):
    """A reader with which this many beams begin otherwise than one beam."""
    for seed in range(start, start + 60):
        reader, prompt = Reader(seed, V, scale=0.8), tokens(seed, 1, 4, V)[0].tolist()
        narrow, wide = (searched(reader, prompt, b, n) for b in (1, n_beams))
        if narrow != wide and narrow[0] != wide[0]:
            return reader, prompt, wide
    raise AssertionError("no such reader")


@check(
    "follows n_beams hypotheses, each with its own history",
    points=0.5,
    hint="Rank all N x V extensions together; entry i belongs to hypothesis i // V, whose whole text goes along, and "
    "to token i % V.",
)
@pytest.mark.parametrize("n_beams", [2, 3, 4])
def test_beam_search__follows_several(student, n_beams):
    for start in (80, 200):
        reader, prompt, expected = _garden_path(n_beams, start=start)
        narrow = searched(reader, prompt, 1, 5)
        slips = {
            "That is the greedy text: follow n_beams hypotheses, from one live hypothesis on.": narrow,
            HINTS["plain logits"]: searched(reader, prompt, n_beams, 5, slip="plain logits"),
        }
        expect_equal(beam(student, reader, prompt, n_beams, 5), expected, misconceptions=slips)


@check(
    "one beam is greedy, and few beams do not see everything",
    points=0.5,
    hint="After each step exactly n_beams hypotheses live: with one of them the search is greedy.",
)
def test_beam_search__keeps_no_more_than_n_beams(student):
    for n_beams in (1, 2):
        for seed in range(100, 160):
            reader, prompt = Reader(seed, 6, scale=0.8), tokens(seed, 1, 2, 6)[0].tolist()
            expected = searched(reader, prompt, n_beams, 4)
            if expected != searched(reader, prompt, 6**4, 4):
                break
        expect_equal(beam(student, reader, prompt, n_beams, 4), expected)


# Seeds of readers with which a slip finds a text that neither the right search nor another slip finds.
CASES = {
    ("goes on behind the end", 1.0, 3): 301,
    ("never ends", 1.0, 3): 301,
    ("first end wins", 1.0, 2): 301,
    ("stops when full", 1.0, 2): 314,
    ("beams shrink", 1.0, 2): 307,
    ("only finished", 1.0, 2): 355,
    ("mean", 0.0, 4): 334,
    ("sum", 0.6, 4): 396,
    ("multiplied", 1.0, 4): 302,
    ("prompt counted", 1.0, 4): 444,
    ("mean", 2.0, 4): 412,
    ("sum", 2.0, 4): 358,
}


def case(slip, alpha, n_beams=3, *, n=6, V=6):
    """A reader, a prompt, the arguments and the right text."""
    seed = CASES[slip, alpha, n_beams]
    reader, prompt = Reader(seed, V, scale=0.7), tokens(seed, 1, 3, V)[0].tolist()
    arguments = (n_beams, n, alpha, V - 1)
    return reader, prompt, arguments, searched(reader, prompt, *arguments)


def expect_search(student, reader, prompt, arguments, expected):
    result = beam(student, reader, prompt, *arguments)
    if result != expected:
        expect_equal(result, expected, misconceptions=found_by(reader, prompt, arguments, expected))


@check(
    "a hypothesis that has said the end token goes no further, and stays in the comparison",
    points=0.5,
    hint="Of the n_beams best extensions those that end with eos_id are finished: they are put aside with their score, "
    "and never extended.",
)
@pytest.mark.parametrize("slip", ["goes on behind the end", "never ends"])
def test_beam_search__sets_finished_ones_aside(student, slip):
    expect_search(student, *case(slip, 1.0))


ZERO_IS_A_TOKEN = "The end token 0 is taken for none: compare eos_id with None, since 0 counts as False."


def _ends_with_0(ids, mask=None):
    """Behind 1 comes the end, 0, with 0.4, or 2 with 0.6; what follows 2 is less sure than the end."""
    rows = [[0.2, 0.4, 0.4], [0.4, 1e-6, 0.6], [0.2, 0.45, 0.35]]
    return torch.tensor(rows, dtype=torch.float32).log()[ids]


def _ends_first(ids, mask=None):
    """Behind 0 the end, 1, is likeliest; behind 2 comes 2 again, nearly surely."""
    rows = [[1e-6, 0.6, 0.4], [0.4, 0.2, 0.4], [0.02, 0.03, 0.95]]
    return torch.tensor(rows, dtype=torch.float32).log()[ids]


def _ends_second(ids, mask=None):
    """Behind 0 comes 2 with 0.6 or the end, 1, with 0.4; behind 2 nothing is likely."""
    rows = [[1e-6, 0.4, 0.6], [0.4, 0.2, 0.4], [0.45, 0.2, 0.35]]
    return torch.tensor(rows, dtype=torch.float32).log()[ids]


@check(
    "an end token that is not among the n_beams best does not count",
    points=0.25,
    hint="Only those of the n_beams best extensions that end with eos_id are finished; a text that ends further down "
    "the ranking is given up.",
)
def test_beam_search__gives_up_ends_below_the_beams(student):
    expect_equal(student.beam_search(_ends_second, torch.tensor([0]), 1, 2, 0.0, 1).tolist(), [0, 2, 0])
    expect_equal(student.beam_search(_ends_second, torch.tensor([0]), 2, 2, 0.0, 1).tolist(), [0, 1])
    slips = {ZERO_IS_A_TOKEN: [1, 2, 1]}
    found = student.beam_search(_ends_with_0, torch.tensor([1]), 2, 2, 0.0, 0).tolist()
    expect_equal(found, [1, 0], misconceptions=slips)


@check(
    "goes on when some have ended: a longer text may be better",
    points=0.5,
    hint="After each step the n_beams best that have not ended live on, up to max_new_tokens; at the end they are "
    "compared with all that have ended.",
)
@pytest.mark.parametrize("slip", ["first end wins", "stops when full", "beams shrink", "only finished", "pruned"])
def test_beam_search__goes_on(student, slip):
    if slip != "pruned":
        expect_search(student, *case(slip, 1.0, 2))
        return
    slips = {
        "Only the n_beams best tokens behind each text are looked at: where one of them ends it, fewer than n_beams "
        "texts live on.": [0, 1]
    }
    found = student.beam_search(_ends_first, torch.tensor([0]), 1, 4, 1.0, 1).tolist()
    expect_equal(found, [0, 2, 2, 2, 2], misconceptions=slips)


@check(
    "divides each sum by its number of new tokens to the power of length_penalty",
    points=0.5,
    hint="The score is the sum / n ** length_penalty, where n counts the new tokens, the end token among them and the "
    "prompt not.",
)
@pytest.mark.parametrize(
    ("slip", "alpha"),
    [("mean", 0.0), ("sum", 0.6), ("multiplied", 1.0), ("prompt counted", 1.0), ("mean", 2.0), ("sum", 2.0)],
)
def test_beam_search__divides_by_the_length(student, slip, alpha):
    expect_search(student, *case(slip, alpha, 4))


@check(
    "takes any sizes: fewer tokens than beams, a prompt of one token, a single step",
    points=0.5,
    hint="The first step has one hypothesis and V extensions: where V is below n_beams, all of them live on.",
)
@pytest.mark.parametrize(("V", "n_beams", "n", "T"), [(3, 7, 4, 1), (5, 9, 1, 2), (2, 5, 3, 6)])
def test_beam_search__takes_any_sizes(student, V, n_beams, n, T):
    reader, prompt = Reader(170, V, scale=0.7), tokens(171, 1, T, V)[0].tolist()
    expect_equal(beam(student, reader, prompt, n_beams, n), searched(reader, prompt, n_beams, n))


@check(
    "gives integers back, takes keywords, and leaves the prompt alone",
    points=0.25,
    hint="The result holds token ids, the prompt's and the new ones; prompt_ids is not written to.",
)
def test_beam_search__leaves_the_prompt_alone(student):
    reader, prompt = Reader(180, 6, scale=0.7), torch.tensor([2, 0, 4])
    result, afterwards = student.call("beam_search", reader.function(), prompt.clone(), 3, 4, keep_arguments=True)
    expect_equal(afterwards[1], prompt)
    assert not result.dtype.is_floating_point
    keywords = student.beam_search(
        reader.function(), prompt, n_beams=3, max_new_tokens=4, length_penalty=0.5, eos_id=None
    )
    expect_equal(keywords.tolist(), [2, 0, 4, *searched(reader, [2, 0, 4], 3, 4)])
    reader, prompt, mean, total = _means_matter()
    result = beam(student, reader, prompt, 3, 6, eos_id=5)
    slips = {"Where length_penalty is not given it is 1: means are compared.": total}
    expect_equal(result, mean, misconceptions=slips)


def _means_matter():
    """A reader and a prompt for which sums choose another text than means, and both texts."""
    for seed in range(300, 400):
        reader, prompt = Reader(seed, 6, scale=0.7), tokens(seed, 1, 3, 6)[0].tolist()
        mean, total = (searched(reader, prompt, 3, 6, alpha, 5) for alpha in (1.0, 0.0))
        if mean != total:
            return reader, prompt, mean, total
    raise AssertionError("no such reader")


# ---- CachedAttention

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")
SHAPES = [(2, 5, 3, 4), (1, 7, 2, 3), (3, 4, 1, 5), (2, 6, 4, 1)]  # B, T, H, K


def random_weights(seed, D, dtype=torch.float64):
    weights = {}
    for i, name in enumerate(PROJECTIONS):
        weights[f"{name}.weight"] = numbers(seed + i, D, D, dtype=dtype) * 1.5 / math.sqrt(D)
        weights[f"{name}.bias"] = numbers(seed + 10 + i, D, dtype=dtype) / 2
    return weights


def with_weights(student, weights, H):
    attention = student.new("CachedAttention", len(weights["q_proj.bias"]), n_heads=H)
    names = student.helper("lambda module: [name for name, _ in module.named_parameters()]")(attention)
    if set(names) != set(weights):  # a buffer is no parameter
        raise Mismatch(
            "The parameters must be those of q_proj, k_proj, v_proj and out_proj, weights and biases, and no others.",
            misconception=True,
        )
    student.helper("lambda m, w: (m.to(w['q_proj.bias'].dtype).load_state_dict(w, strict=False), None)[1]")(
        attention, weights
    )
    return attention


def project(weights, name, x, H):
    flat = x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
    return torch.stack(flat.chunk(H, dim=-1), dim=1)


def pytorch_attention(weights, H, x, hidden):
    """PyTorch's own module with the same weights; hidden is True where nothing may be seen."""
    module = nn.MultiheadAttention(x.shape[2], H, batch_first=True, dtype=x.dtype)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.cat([weights[f"{name}.weight"] for name in PROJECTIONS[:3]]))
        module.in_proj_bias.copy_(torch.cat([weights[f"{name}.bias"] for name in PROJECTIONS[:3]]))
        module.out_proj.weight.copy_(weights["out_proj.weight"])
        module.out_proj.bias.copy_(weights["out_proj.bias"])
        return module(x, x, x, attn_mask=hidden, need_weights=False)[0]


def future(T):
    return torch.ones(T, T, dtype=torch.bool).triu(1)


def pair(result):
    """Output and cache, if there are these two."""
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mismatch("forward returns two things: the output, and the cache for the next call.", misconception=True)
    out, cache = result
    if not isinstance(cache, tuple | list) or len(cache) != 2:
        raise Mismatch("The cache is a pair: keys and values.", misconception=True)
    return out, tuple(cache)


@check(
    "without a cache: causal attention with several heads",
    points=0.5,
    hint="Project, split into heads, attend to the tokens up to one's own, merge the heads, out_proj.",
)
@pytest.mark.parametrize(("B", "T", "H", "K"), SHAPES)
def test_CachedAttention__is_causal_attention(student, B, T, H, K):
    weights, x = random_weights(210, H * K), numbers(211, B, T, H * K)
    expected = pytorch_attention(weights, H, x, future(T))
    q, k, v = (project(weights, name, x, H) for name in PROJECTIONS[:3])

    def finish(mixed, out=True):
        flat = torch.cat(mixed.unbind(1), dim=-1)
        return flat @ weights["out_proj.weight"].T + weights["out_proj.bias"] if out else flat

    def attended(hidden, scale=K**-0.5, q=q, k=k, v=v):
        return (q @ k.mT * scale).masked_fill(hidden, -INF).softmax(-1) @ v

    strict = future(T).clone().fill_diagonal_(True)
    strict[0, 0] = False
    slips = {
        "Nothing is hidden: a token must not see those behind it.": pytorch_attention(weights, H, x, None),
        "The triangle is the wrong way round: a token sees those before it.": finish(attended(future(T).T)),
        "A token does not see itself.": finish(attended(strict)),
        "out_proj is missing at the end.": finish(attended(future(T)), out=False),
        "The scores are divided by the root of K twice: scaled_dot_product does it.": finish(
            attended(future(T), scale=1 / K)
        ),
        "Heads are merged without bringing [B,H,T,K] back to [B,T,H,K].": attended(future(T)).reshape(B, T, H * K)
        @ weights["out_proj.weight"].T
        + weights["out_proj.bias"],
    }
    out, _ = pair(with_weights(student, weights, H)(x))
    expect_close(out, expected, misconceptions=different(slips, expected), axes="B T D")


@check(
    "one token at a time gives what all at once give",
    points=0.5,
    hint="Each new token attends to the cached keys and values and to its own: put the old ones in front, along the "
    "axis of positions.",
)
@pytest.mark.parametrize(("B", "T", "H", "K"), SHAPES)
def test_CachedAttention__goes_on_token_by_token(student, B, T, H, K):
    weights, x = random_weights(220, H * K), numbers(221, B, T, H * K)
    expected, alone = (
        pytorch_attention(weights, H, x, future(T)),
        pytorch_attention(weights, H, x, ~torch.eye(T).bool()),
    )
    attention, cache, outs = with_weights(student, weights, H), None, []
    for t in range(T):
        out, cache = pair(attention(x[:, t : t + 1], cache))
        outs.append(out)
    two = pytorch_attention(weights, H, x, future(T) | torch.ones(T, T, dtype=torch.bool).tril(-2))
    slips = {
        "The cache makes no difference: a token sees only itself.": alone,
        "The cache holds only the last token: keep all old ones.": two,
    }
    expect_close(torch.cat(outs, 1), expected, misconceptions=different(slips, expected))


@check(
    "several new tokens behind a cache: each sees the old ones and the new ones up to itself",
    points=0.75,
    hint="The mask has a row for each new token and a column for every key: the lower triangle, moved to the right by "
    "the number of old tokens. tril(S - T), with S all keys.",
)
@pytest.mark.parametrize("parts", [(2, 3, 4), (1, 5, 3), (4, 2, 2, 1)])
def test_CachedAttention__takes_several_at_once(student, parts):
    B, H, K, T = 2, 2, 3, sum(parts)
    weights, x = random_weights(230, H * K), numbers(231, B, T, H * K)
    attention, cache, outs = with_weights(student, weights, H), None, []
    for part in x.split(parts, dim=1):
        out, cache = pair(attention(part, cache))
        outs.append(out)
    ends = torch.tensor([sum(parts[: i + 1]) for i, n in enumerate(parts) for _ in range(n)])
    starts = ends - torch.tensor([n for n in parts for _ in range(n)])
    at, key = torch.arange(T)[:, None], torch.arange(T)
    shifted = key > at - starts[:, None]
    slips = {
        "New tokens see each other whatever their order: hide the later ones from the earlier.": pytorch_attention(
            weights, H, x, (key >= ends[:, None]) | ((at < parts[0]) & (key > at))
        ),
        "The triangle begins at the first old token: move it to the right by the number of old tokens.": (
            pytorch_attention(weights, H, x, shifted)
        ),
        "The old tokens are not seen.": pytorch_attention(weights, H, x, future(T) | (key < starts[:, None])),
    }
    expected = pytorch_attention(weights, H, x, future(T))
    expect_close(torch.cat(outs, 1), expected, misconceptions=different(slips, expected))


@check(
    "the cache holds keys and values [B,H,S,K], old ones first",
    points=0.5,
    hint="Keys first, then values, split into heads; the new ones are put behind the old, along axis 2.",
)
@pytest.mark.parametrize(("B", "T", "H", "K"), SHAPES)
def test_CachedAttention__keeps_keys_and_values(student, B, T, H, K):
    weights, x = random_weights(240, H * K), numbers(241, B, T, H * K)
    q, k, v = (project(weights, name, x, H) for name in PROJECTIONS[:3])
    attention = with_weights(student, weights, H)
    _, cache = pair(attention(x[:, :2]))
    _, cache = pair(attention(x[:, 2:], cache))
    slips = {
        "Values come first: the pair is keys, then values.": (v, k),
        "The new tokens stand in front of the old: put them behind.": tuple(
            torch.cat([y[:, :, 2:], y[:, :, :2]], 2) for y in (k, v)
        ),
        "The cache forgets the old tokens: return old and new.": (k[:, :, 2:], v[:, :, 2:]),
        "Queries are kept in place of keys.": (q, v),
        "The axes are [B,S,H,K]: heads come before positions, [B,H,S,K].": (k.transpose(1, 2), v.transpose(1, 2)),
        "Heads take turns over the channels: head h has channels h*K to (h+1)*K - 1.": tuple(
            _turns(y, H, K) for y in (k, v)
        ),
    }
    expect_close(
        cache,
        (k, v),
        misconceptions={
            hint: value for hint, value in slips.items() if value[0].shape != k.shape or not value[0].allclose(k)
        },
    )


def _turns(y, H, K):
    flat = torch.cat(y.unbind(1), dim=-1)
    return flat.unflatten(2, (K, H)).permute(0, 3, 1, 2)


@check(
    "remembers nothing by itself: what came before is in the cache that is passed",
    points=0.5,
    hint="Keep no state in self: a call with cache=None begins a new text, and one cache can be continued in two ways.",
)
def test_CachedAttention__remembers_nothing_by_itself(student):
    weights, x = random_weights(250, 6), numbers(251, 2, 6, 6)
    attention = with_weights(student, weights, 2)
    fresh, cache = pair(attention(x[:, :3]))
    one, _ = pair(attention(x[:, 3:4], cache))
    other, _ = pair(attention(x[:, 4:5], cache))
    again, _ = pair(attention(x[:, :3], None))
    expected = pytorch_attention(weights, 2, torch.cat([x[:, :3], x[:, 4:5]], 1), future(4))[:, 3:]
    expect_close(one, pytorch_attention(weights, 2, x[:, :4], future(4))[:, 3:])
    expect_close(other, expected)
    expect_close(again, fresh)


@check(
    "leaves x and the cache alone, and keeps the dtype",
    points=0.5,
    hint="torch.cat gives new tensors; nothing is written into those that came in. float32 in, float32 out.",
)
def test_CachedAttention__leaves_the_cache_alone(student):
    probe = student.helper("lambda attention, x, keys, values: (attention(x, (keys, values)), keys, values, x)")
    for dtype in (torch.float32, torch.float64):
        weights, x = random_weights(260, 8, dtype), numbers(261, 2, 5, 8, dtype=dtype)
        keys, values = (project(weights, name, x[:, :3], 4) for name in ("k_proj", "v_proj"))
        result, *afterwards = probe(with_weights(student, weights, 4), x[:, 3:], keys, values)
        out, _ = pair(result)
        expect_close(out, pytorch_attention(weights, 4, x, future(5))[:, 3:], check_dtype=True)
        expect_equal(list(afterwards), [keys, values, x[:, 3:]])


@check(
    "learns: gradients reach all four maps, through the cache too",
    points=0.75,
    hint="Nothing is detached, neither the new keys and values nor the cached ones.",
)
def test_CachedAttention__sends_gradients(student):
    D, H, T = 6, 2, 5
    weights, x = random_weights(270, D), numbers(271, 2, T, D)
    cotangent = numbers(272, 2, T, D)
    two_calls = student.helper(
        "lambda module, x, y: (lambda first: torch.cat([first[0], module(y, first[1])[0]], 1))(module(x))"
    )
    grads = student.helper(
        "lambda module, run, x, y, c: [g for g in torch.autograd.grad((run(module, x, y) * c).sum(), "
        "[dict(module.named_parameters())[n] for n in names], allow_unused=True)]",
        names=list(weights),
    )
    got = grads(with_weights(student, weights, H), two_calls, x[:, :3], x[:, 3:], cotangent)
    if any(g is None for g in got):
        raise Mismatch("No gradient reaches one of the maps.", misconception=True)
    leaves = {name: value.clone().requires_grad_() for name, value in weights.items()}
    q, k, v = (project(leaves, name, x, H) for name in PROJECTIONS[:3])
    mixed = (q @ k.mT * (D // H) ** -0.5).masked_fill(future(T), -INF).softmax(-1) @ v
    out = torch.cat(mixed.unbind(1), -1) @ leaves["out_proj.weight"].T + leaves["out_proj.bias"]
    expected = torch.autograd.grad((out * cotangent).sum(), list(leaves.values()))
    for ours, theirs in zip(got, expected, strict=True):
        expect_close(ours, theirs, atol=1e-6 * max(1.0, float(theirs.abs().max())))
