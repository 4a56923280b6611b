"""Hidden tests of week 5, notebook 3: text infilling and sentences in another order.

Where chance matters, counts are compared by Chernoff's bound with laws that are known exactly: a right answer is
refused with probability below FALSE_ALARM in each comparison, below 10 ** -6 in all. Many draws are made in one go, in
the student's process, with one generator that goes on, whose seed no text depends on.
"""

import itertools
import math
from collections import Counter
from functools import cache

import pytest
import torch

from autograde.rubric import Mismatch, StudentError, check, expect_equal

FALSE_ALARM = 1e-9
MASK = 904
# Each draw gets a text of its own: what is changed in place in one does not show in the next. Who returns the target
# too, or a list, pays for that in one check.
PLAIN = """def plain(result):
    if isinstance(result, tuple):
        result = result[0]
    if isinstance(result, list) and result and isinstance(result[0], (list, torch.Tensor)):
        result = torch.cat([torch.as_tensor(part).flatten() for part in result])
    return torch.as_tensor(result).tolist()

"""
MANY = f"""{PLAIN}def many(f, n, seed, ids, *rest):
    generator = torch.Generator().manual_seed(seed)
    return [plain(f(ids.clone(), *rest, generator)) for _ in range(n)]"""


def seed(number):
    return torch.Generator().manual_seed(number)


def hold(claim, sentence, *, known=True):
    """Where the claim does not hold say the sentence: a known mistake, or (not known) what kind is expected."""
    if not claim:
        raise Mismatch(sentence, misconception=known)


def named(student, name, **arguments):
    """(result, arguments afterwards) of the student's function, called with all arguments by name."""
    try:
        return student.call(name, keep_arguments=True, **arguments)
    except StudentError as error:
        if error.kind == "TypeError" and f"{name}() got an unexpected keyword argument" in error.message:
            sentence = "Keep the names of the arguments: whoever calls the function may use them."
            raise Mismatch(sentence, misconception=True) from None
        raise


def plausible(hits, n, p):
    """Whether `hits` of n independent trials of probability p are no rarer than FALSE_ALARM (Chernoff 1952)."""
    if p <= 0 or p >= 1:
        return hits == n * p
    share = float(hits) / n
    parts = [a * math.log(a / b) for a, b in ((share, p), (1 - share, 1 - p)) if a > 0]
    return n * sum(parts) <= math.log(2 / FALSE_ALARM)


def words(T, first=11):
    """T different ids in no order, none of them MASK, 0, 1 or a small place."""
    return first + (torch.arange(T) * 7919 + 5) % 10007 + 1000


def one(student, name, ids, *rest, number=1):
    """One result as a list."""
    return many(student, name, 1, number, ids, *rest)[0]


def many(student, name, n, number, ids, *rest):
    """n results as lists, from one generator that goes on."""
    results = student.helper(MANY)(getattr(student, name), n, number, ids, *rest)
    hold(all(isinstance(tokens, list) for tokens in results), "A tensor with one axis is expected, [T].", known=False)
    return results


def infilled(student, n, number, ids, density, rate):
    """n infilled texts, with MASK for whatever is none of ids: that it is always mask_id is asked in one check."""
    known = set(ids.tolist())
    results = many(student, "infill", n, number, ids, density, rate, MASK)
    return [[token if token in known else MASK for token in tokens] for tokens in results]


def kept(inputs):
    return [token for token in inputs if token != MASK]


def runs(inputs, ids):
    """How many tokens are missing at each run of masks (or between two tokens), by the places of what stayed."""
    place = {token: t for t, token in enumerate(ids.tolist())}
    places = [-1, *(place.get(token, -2) for token in kept(inputs)), len(ids)]
    hold(all(a < b for a, b in itertools.pairwise(places)), "Tokens that stay must keep their order.", known=False)
    return [b - a - 1 for a, b in itertools.pairwise(places) if b - a > 1]


# --- infill ---


@check(
    "hides round(T x density) tokens and keeps the others in order",
    points=0.5,
    hint="The tokens that stay are the old ones in the old order, without round(T * density) of them.",
)
@pytest.mark.parametrize(
    ("T", "density", "rate"), [(200, 0.3, 3.0), (57, 0.45, 2.0), (19, 0.3, 1.0), (40, 0.1, 9.0), (31, 0.7, 4.0)]
)
def test_infill__hides_the_right_number(student, T, density, rate):
    ids, wanted = words(T), round(T * density)
    results = infilled(student, 12, 10, ids, density, rate)
    counts = [T - len(kept(inputs)) for inputs in results]
    hold(any(counts), "Nothing was hidden.")
    hold(not min(counts) < wanted < max(counts), "The number of hidden tokens is left to chance: it is always n.")
    hold(set(counts) != {int(T * density)} or counts[0] == wanted, "n is rounded, not cut down.")
    hold(max(counts) <= wanted, "More tokens are hidden than asked for: cut the last span to fit; length 0 hides none.")
    hold(min(counts) >= wanted, "Fewer tokens are hidden than asked for: the last span is cut to fit, not left out.")
    for inputs in results:
        expect_equal(sum(runs(inputs, ids)), wanted)
    for length in (10, 14, 18):  # a quarter of each is a number and a half
        inputs = infilled(student, 1, 18, words(length), 0.25, rate)[0]
        found, up = length - len(kept(inputs)), math.floor(length / 4 + 0.5)
        hold(
            found != up or up == round(length / 4),
            "A half is rounded up: Python's round takes the even neighbour, 2 for 2.5.",
        )
        hold(found != length // 4 or found == round(length / 4), "n is rounded, not cut down.")
        expect_equal(found, round(length / 4))


@check(
    "puts one mask for each span, and never two side by side",
    points=0.5,
    hint="A span becomes one mask, however long it is, and a token that stays stands between any two masks.",
)
@pytest.mark.parametrize(("T", "density", "rate"), [(120, 0.5, 3.0), (90, 0.4, 1.5), (60, 0.3, 6.0)])
def test_infill__puts_one_mask_a_span(student, T, density, rate):
    ids, n_masks = words(T), 0
    for inputs in many(student, "infill", 6, 17, ids, density, rate, MASK):
        masks = [t for t, token in enumerate(inputs) if token == MASK]
        strange = [token for token in inputs if token != MASK and token not in ids.tolist()]
        hold(not strange, "Every span is hidden behind the same token, mask_id.")
        touching = any(b - a == 1 for a, b in itertools.pairwise(masks))
        hold(not touching or len(masks) < T - len(kept(inputs)), "Each hidden token has a mask of its own.")
        hold(not touching, "Two masks stand side by side.", known=False)
        holes = len(runs(inputs, ids))
        hold(len(masks) >= holes, "Tokens are missing where no mask stands.")
        n_masks += len(masks)
    hold(n_masks > 6, "A text of this length has several spans.")


@cache
def law_of_lengths(n, rate):
    """Probability of each way to hide n tokens, as the sorted lengths above 0: Poisson draws, the last one cut."""
    if n == 0:
        return {(): 1.0}
    law, at_least = Counter(), 1.0
    for length in range(1, n + 1):
        p = math.exp(-rate) * rate**length / math.factorial(length) / (1 - math.exp(-rate))
        p, at_least = (at_least if length == n else p), at_least - p
        for rest, q in law_of_lengths(n - length, rate).items():
            law[tuple(sorted((length, *rest)))] += p * q
    return dict(law)


@check(
    "draws the lengths of spans from a Poisson distribution",
    points=0.5,
    hint="Each length is one draw from a Poisson distribution with mean poisson_rate; only the last is cut, to fit.",
)
@pytest.mark.parametrize(("n_hidden", "rate"), [(2, 1.3), (4, 3.0), (3, 0.6), (5, 2.0)])
def test_infill__draws_lengths_from_a_poisson(student, n_hidden, rate):
    T, N = 100, 400  # a long text, so that spans stand far apart whoever places them
    ids = words(T)
    found = Counter()
    for inputs in infilled(student, N, 11, ids, n_hidden / T, rate):
        found[tuple(sorted(runs(inputs, ids)))] += 1
    law = law_of_lengths(n_hidden, rate)
    hold(len(found) > 1, "The lengths are always the same: draw each of them.")
    hold(found[(n_hidden,)] or (1,) * n_hidden not in found, "All spans have length 1.")
    assert all(plausible(found[lengths], N, p) for lengths, p in law.items())


@check(
    "inserts a mask for each span of length 0",
    points=0.5,
    hint="A length of 0 hides nothing and still puts a mask into a gap of its own.",
)
@pytest.mark.parametrize(("n_hidden", "rate"), [(1, 0.4), (1, 1.2), (3, 0.8), (6, 2.0)])
def test_infill__inserts_masks_for_empty_spans(student, n_hidden, rate):
    T, N = 80, 400
    ids = words(T)
    results = infilled(student, N, 12, ids, n_hidden / T, rate)
    counts = Counter(inputs.count(MASK) for inputs in results)
    hold(set(counts) != {0}, "There is no mask.")
    empty = [inputs.count(MASK) - len(runs(inputs, ids)) for inputs in results]
    hold(max(empty) > 0, "No mask was ever inserted between two tokens that both stay: a length of 0 does that.")

    def no_more_than(k):
        """k spans are enough exactly if their Poisson draws, a Poisson of rate k * rate, reach n_hidden."""
        return 1 - sum(math.exp(-k * rate) * (k * rate) ** j / math.factorial(j) for j in range(n_hidden))

    for k in range(1, 20):
        assert plausible(counts[k], N, min(1.0, max(1e-12, no_more_than(k) - no_more_than(k - 1))))


@check(
    "lets every gap have a mask, each choice equally likely",
    points=0.25,
    hint="T - n tokens stay and leave T - n + 1 gaps, the one before the first and the one behind the last included; "
    "choose K different ones evenly, as torch.randperm does.",
)
def test_infill__chooses_gaps_evenly(student):
    for T, n_hidden, number in ((6, 1, 13), (9, 3, 14), (4, 2, 15)):
        ids, N = words(T), 500
        gaps = Counter()
        for inputs in infilled(student, N, number, ids, n_hidden / T, 300.0):
            hold(inputs.count(MASK) == 1, "One long span is cut to n tokens: one mask is expected.", known=False)
            gaps[inputs.index(MASK)] += 1
        n_gaps = T - n_hidden + 1
        hold(gaps[0], "A mask never stands before the first token that stays: that is a gap too.")
        hold(gaps[n_gaps - 1], "A mask never stands behind the last token that stays: that is a gap too.")
        assert all(plausible(gaps[gap], N, 1 / n_gaps) for gap in range(n_gaps))
    ids, pairs = words(7), Counter()
    for inputs in infilled(student, 1500, 16, ids, 2 / 7, 1.0):  # two masks in a good third of the draws
        at = [t for t, token in enumerate(inputs) if token == MASK]
        if len(at) == 2:
            pairs[at[0], at[1] - 1] += 1
    n = sum(pairs.values())
    assert n > 0
    assert all(plausible(pairs[pair], n, 1 / math.comb(6, 2)) for pair in itertools.combinations(range(6), 2))


@check(
    "holds at the ends: nothing hidden, everything hidden, more spans than gaps",
    points=0.25,
    hint="With n = 0 nothing is drawn and the text comes back; at density 1 one mask is left; where more spans are "
    "drawn than there are gaps, some are joined, and every gap has one mask.",
)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_infill__holds_at_the_ends(student, number):
    for T in (1, 5, 12):
        expect_equal(infilled(student, 1, number, words(T), 1.0, 0.8)[0], [MASK])
        expect_equal(infilled(student, 1, number, words(T), 0.0, 3.0)[0], words(T).tolist())
        rare = infilled(student, 1, number, words(T), 0.04, 3.0)[0]
        hold(rare == words(T).tolist(), "n may be rounded to 0, and then nothing is hidden: there is no least number.")
    # 4 gaps, and more spans for certain: four draws of mean 0.3 reach 21 with a probability below 1e-18.
    crowded = infilled(student, 1, number, words(24), 21 / 24, 0.3)[0]
    hold(len(crowded) - crowded.count(MASK) == 3, "Three tokens should stay.", known=False)
    expect_equal([token == MASK for token in crowded], [True, False, True, False, True, False, True])
    # 31 gaps, and about 90 spans: 30 draws of mean 1 reach 90 with a probability below 1e-16.
    for inputs in infilled(student, 4, number, words(120), 90 / 120, 1.0):
        shared = len(kept(inputs)) == 30 and inputs.count(MASK) < 31
        hold(not shared, "Spans share a gap while another is free: choose different gaps, without drawing one twice.")


@check(
    "takes all its chance from the generator",
    points=0.25,
    hint="Draw lengths and gaps with generator=generator and do not seed anything: the same seed gives the same "
    "result, another seed another, and a second call with the same generator goes on.",
)
def test_infill__draws_from_the_generator(student):
    ids = words(80)
    results = [infilled(student, 1, number, ids, 0.4, 2.5)[0] for number in (21, 21, 22)]
    hold(results[0].count(MASK) > 0, "There is no mask.")
    expect_equal(results[1], results[0])
    hold(results[2] != results[0], "Another seed, the same result.")
    first, second = infilled(student, 2, 23, ids, 0.4, 2.5)
    hold(first != second, "The generator was seeded again: two calls with it give the same result.")


@check(
    "returns one new long tensor and leaves ids alone",
    points=0.25,
    hint="Return the inputs alone, as a new tensor of the dtype of ids, [T - n + K]; do not write into ids.",
)
@pytest.mark.parametrize("T", [30, 77])
def test_infill__leaves_its_arguments_alone(student, T):
    ids = words(T) + 10**9
    before = ids.clone()
    result, afterwards = named(
        student, "infill", ids=ids, density=0.5, poisson_rate=2.0, mask_id=MASK, generator=seed(24)
    )
    hold(not isinstance(result, tuple), "Return the inputs alone: the target is ids, and is not returned.")
    hold(isinstance(result, torch.Tensor), "One tensor is expected.", known=False)
    hold(result.dtype == torch.long and result.ndim == 1, "A long tensor [T - n + K] is expected.", known=False)
    hold((result == MASK).any(), "There is no mask.")
    hold(torch.isin(result[result != MASK], before).all(), "A tensor of the tokens that stay is expected.", known=False)
    hold(torch.equal(afterwards[0], before), "Your function wrote into ids.")


# --- permute_sentences ---

STOP = 906


def text(lengths, *, rest=0):
    """(ids [T], sentences): words all different, sentences of so many tokens with their stop, `rest` more behind."""
    tokens = iter(words(sum(lengths) + rest).tolist())
    sentences = [[*itertools.islice(tokens, length - 1), STOP] for length in lengths]
    sentences += [list(itertools.islice(tokens, rest))] if rest else []
    return torch.tensor([token for sentence in sentences for token in sentence]), sentences


def orders_of(results, sentences):
    """The order of the sentences in each result, or None where it is not made of them."""
    place = {sentence[0]: i for i, sentence in enumerate(sentences)}
    found = []
    for tokens in results:
        order = [place[token] for token in tokens if token in place]
        whole = sorted(order) == list(range(len(sentences))) and sum((sentences[i] for i in order), []) == tokens
        found.append(tuple(order) if whole else None)
    return found


def before_stops(tokens):
    """The pieces of a text that is cut before each stop."""
    edges = [0, *(t for t, token in enumerate(tokens) if token == STOP and t), len(tokens)]
    return [tokens[a:b] for a, b in itertools.pairwise(edges)]


@check(
    "keeps every sentence whole, its stop behind it",
    points=0.25,
    hint="A sentence is the tokens up to a stop, and the stop is its last token; only whole sentences change places.",
)
@pytest.mark.parametrize("lengths", [(4, 2, 7, 3, 5, 2), (9, 9, 9, 9), (2, 12, 3, 4, 6, 5, 8)])
def test_permute_sentences__keeps_sentences_whole(student, lengths):
    ids, sentences = text(lengths)
    results = many(student, "permute_sentences", 12, 30, ids, STOP)
    cut_before = sorted(before_stops(ids.tolist()))
    hold(any(tokens != ids.tolist() for tokens in results), "The order is always the old one.")
    for tokens in results:
        hold(tokens.count(STOP) == len(lengths), "Stops are missing, or there are more than before.")
        hold(len(tokens) == len(ids), "Tokens are missing, or there are more than before.")
        torn = orders_of([tokens], sentences) == [None] and sorted(before_stops(tokens)) == cut_before
        hold(not torn, "A sentence begins with the stop of another: the stop is a sentence's last token.")
        hold(sorted(tokens) == sorted(ids.tolist()), "These are not the tokens of the text.")
    assert None not in orders_of(results, sentences)


@check(
    "takes a stop alone for a sentence",
    points=0.25,
    hint="A stop that comes first, or behind another stop, is a sentence of one token and may come anywhere.",
)
@pytest.mark.parametrize(("before", "behind"), [((), (3, 2)), ((4,), (3,)), ((2, 3), (5, 2))])
def test_permute_sentences__takes_a_stop_for_a_sentence(student, before, behind):
    ids, sentences = text((*before, 1, *behind))  # a sentence of length 1 is a stop alone
    results = many(student, "permute_sentences", 120, 33, ids, STOP)
    for tokens in results:
        others = [sorted(token for token in row if token != STOP) for row in (tokens, ids.tolist())]
        lost = others[0] == others[1] and tokens.count(STOP) < len(before) + 1 + len(behind)
        hold(not lost, "A stop alone is lost: it is a sentence of one token.")
    begins = {tokens[0] for tokens in results if tokens}
    hold(not before or STOP in begins, "A stop behind another stop is a sentence of its own: it may come first too.")
    hold(sentences[len(before) + 1][0] in begins, "The words behind a stop alone never come first.", known=False)


@check(
    "takes the tokens behind the last stop for one more sentence",
    points=0.5,
    hint="What stands behind the last stop is a sentence too, without a stop, and may come anywhere.",
)
@pytest.mark.parametrize(("lengths", "rest"), [((3, 5, 4), 4), ((6, 2), 1), ((2, 3, 4, 5), 7)])
def test_permute_sentences__moves_the_rest_too(student, lengths, rest):
    ids, sentences = text(lengths, rest=rest)
    results = many(student, "permute_sentences", 120, 31, ids, STOP)
    hold(all(len(tokens) >= len(ids) for tokens in results), "The tokens behind the last stop are lost.")
    hold(all(len(tokens) <= len(ids) for tokens in results), "Tokens were added: a sentence without a stop gets none.")
    orders = orders_of(results, sentences)
    assert None not in orders
    last = len(lengths)
    hold(any(order[-1] != last for order in orders), "The tokens behind the last stop always stay last.")
    glued = all((last - 1, last) in itertools.pairwise(order) for order in orders)
    hold(not glued, "The tokens behind the last stop always follow the last sentence: they are one more sentence.")
    one_sentence = words(5)
    expect_equal(one(student, "permute_sentences", one_sentence, STOP), one_sentence.tolist())


@check(
    "makes every order equally likely",
    points=0.5,
    hint="Draw the order evenly from all orders, the old one included, as torch.randperm does.",
)
@pytest.mark.parametrize(("lengths", "N"), [((3, 2, 4), 1500), ((2, 5), 1500), ((2, 3, 2, 2), 10_000)])
def test_permute_sentences__draws_orders_evenly(student, lengths, N):
    ids, sentences = text(lengths)
    found = Counter(orders_of(many(student, "permute_sentences", N, 32, ids, STOP), sentences))
    found.pop(None, None)  # sentences that were torn are another check's
    hold(len(found) > 1, "The order is always the same.")
    hold(found[tuple(range(len(lengths)))], "The old order never comes up, but it is as likely as any other.")
    turned = {tuple(range(k, len(lengths))) + tuple(range(k)) for k in range(len(lengths))}
    hold(len(lengths) < 3 or not set(found) <= turned, "The text is only turned round: that is rotation.")
    possible = list(itertools.permutations(range(len(lengths))))
    assert all(plausible(found[order], N, 1 / len(possible)) for order in possible)
    for i, place in itertools.product(range(len(lengths)), repeat=2):  # finer: a swap for each sentence is nearly even
        hits = sum(count for order, count in found.items() if order[place] == i)
        assert plausible(hits, N, 1 / len(lengths))


@check(
    "takes all its chance from the generator",
    points=0.25,
    hint="Draw with generator=generator and do not seed anything: the same seed gives the same order, another seed "
    "another, and a second call with the same generator goes on.",
)
def test_permute_sentences__draws_from_the_generator(student):
    ids, _ = text((3,) * 30)
    results = [one(student, "permute_sentences", ids, STOP, number=number) for number in (41, 41, 42)]
    expect_equal(results[1], results[0])
    hold(results[2] != results[0], "Another seed, the same order.")
    first, second = many(student, "permute_sentences", 2, 43, ids, STOP)
    hold(first != second, "The generator was seeded again: two calls with it give the same order.")


@check(
    "returns a new long tensor and leaves ids alone",
    points=0.25,
    hint="Return a new tensor [T] of the dtype of ids; do not write into ids.",
)
def test_permute_sentences__leaves_its_arguments_alone(student):
    ids, _ = text((4, 3, 6, 2, 5, 4, 3, 2, 7, 4))
    before = ids.clone()
    result, afterwards = named(student, "permute_sentences", ids=ids, stop_id=STOP, generator=seed(44))
    hold(isinstance(result, torch.Tensor), "One tensor is expected.", known=False)
    hold(result.dtype == torch.long, "A long tensor is expected.", known=False)
    hold(tuple(result.shape) == tuple(before.shape), "The shape is wrong: [T] is expected.", known=False)
    hold(torch.equal(afterwards[0], before), "Your function wrote into ids.")
    hold(torch.equal(result.sort().values, before.sort().values), "The result holds other tokens than ids.")
    hold(not torch.equal(result, before) and result.any(), "The order of ten sentences is the old one.")
