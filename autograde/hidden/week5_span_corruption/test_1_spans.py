"""Hidden tests of week 5, notebook 1: counts that are exact, places that are drawn evenly, texts that come back.

Where chance matters, a share is compared by Chernoff's bound: a right answer is refused with probability below
FALSE_ALARM in each comparison, less than 10 ** -6 in all. Draws of one generator go on from call to call.
"""

import math
import random

import pytest
import torch

from autograde.rubric import Mismatch, StudentError, check, expect_equal

FALSE_ALARM = 2e-9


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
        renamed = error.kind == "TypeError" and f"{name}() got an unexpected keyword argument" in error.message
        hold(not renamed, "Keep the names of the arguments: whoever calls the function may use them.")
        raise


def untouched(afterwards, before):
    """Hold that the arguments, by name, are what they were before the call."""
    for (name, value), after in zip(before.items(), afterwards, strict=True):
        same = torch.equal(after, value) if isinstance(value, torch.Tensor) else after == value
        hold(same, f"The argument {name} is changed by the call: work on a copy, its owner still needs it.")


def long(part):
    """Hold that a part of the result is a long tensor."""
    hold(isinstance(part, torch.Tensor), "A tensor is expected.", known=False)
    integers = not (part.is_floating_point() or part.is_complex() or part.dtype == torch.bool)
    hold(integers, "A tensor of integers is expected.", known=False)
    hold(part.dtype == torch.long, "The integers are too narrow: ids are long, which is torch.int64.")


def plausible(hits, n, p):
    """Whether `hits` of n independent trials of probability p are no rarer than FALSE_ALARM (Chernoff 1952)."""
    if p in (0, 1):
        return hits == n * p
    share = hits / n
    parts = [a * math.log(a / b) for a, b in ((share, p), (1 - share, 1 - p)) if a > 0]
    return n * sum(parts) <= math.log(2 / FALSE_ALARM)


# --- random_spans


def drawn(student, length, density, mean, generator, *, strict=False):
    """The student's mask as a list of booleans. Numbers and lists pass, except in the check that asks for the kind."""
    mask = student.random_spans(length, density, mean, generator)
    hold(isinstance(mask, torch.Tensor if strict else torch.Tensor | list), "A tensor is expected.", known=False)
    mask = torch.as_tensor(mask)
    hold(mask.dtype == torch.bool or not strict, "A tensor of booleans is expected.", known=False)
    hold(mask.ndim == 1 and len(mask) == length, "The mask has one entry for each token: bool [T].", known=False)
    return (mask != 0).tolist()


def runs(mask):
    """[value, length] of each run of equal entries."""
    found = []
    for value in mask:
        if found and found[-1][0] == value:
            found[-1][1] += 1
        else:
            found.append([value, 1])
    return found


def parts_of(mask, value):
    return tuple(length for kind, length in runs(mask) if kind == value)


def turned_round(masks, length, density):
    """Whether it is the visible tokens that are marked: as many as there should be, and not as many as the noise."""
    n_noise = min(max(round(length * density), 1), length - 1)
    return 2 * n_noise != length and all(sum(mask) == length - n_noise for mask in masks)


PLAIN = [(100, 0.15, 3.0), (57, 0.15, 3.0), (512, 0.15, 3.0), (40, 0.3, 4.0), (333, 0.42, 2.3), (24, 0.45, 5.0)]


@check(
    "hides exactly round(T * density) tokens",
    points=0.5,
    hint="The number of noise tokens is fixed: round(length * density). Chance decides where they are, not how many.",
)
def test_random_spans__hides_a_fixed_number_of_tokens(student):
    found = {case: [sum(drawn(student, *case, seed(n))) for n in range(8)] for case in PLAIN}
    varied = any(len(set(counts)) > 1 for counts in found.values())
    hold(not varied, "The number of noise tokens changes from draw to draw: it is fixed, chance only says where.")
    expected = [round(length * density) for length, density, _ in PLAIN]
    counts = [counts[0] for counts in found.values()]
    visible = [length - n for (length, *_), n in zip(PLAIN, expected, strict=True)]
    down = [math.floor(length * density) for length, density, _ in PLAIN]
    hold(counts != visible, "The mask is turned round: True means noise.")
    hold(counts != down, "The number of noise tokens is rounded, not cut off.")
    expect_equal(counts, expected)


@check(
    "hides them in round(noise / mean) spans that do not touch",
    points=0.5,
    hint="The number of spans is fixed: round(noise / mean_span_len). Between two spans there is always some text.",
)
def test_random_spans__makes_a_fixed_number_of_spans(student):
    for length, density, mean in [*PLAIN, (29, 0.15, 2.8), (17, 0.62, 4.2)]:
        masks = [drawn(student, length, density, mean, seed(20 + n)) for n in range(8)]
        if turned_round(masks, length, density):  # which of both is True is another check's question
            masks = [[not hidden for hidden in mask] for mask in masks]
        assert min(map(sum, masks)) > 0
        # Counted for the student's own noise: how much there is of it is another check's question.
        wanted = [max(round(sum(mask) / mean), 1) for mask in masks]
        counts = [len(parts_of(mask, True)) for mask in masks]
        unrounded = max(round(length * density / mean), 1)
        fewer = "Some spans touch, or are empty, and become one: each of the spans, and each stretch of text between "
        hold(not (max(counts) == wanted[0] > min(counts)), fewer + "them, has at least one token.")
        hold(
            counts == wanted or set(counts) != {unrounded},
            "The spans are counted before the noise is rounded: first n = round(length * density), then "
            "round(n / mean_span_len).",
        )
        hold(counts == wanted, "The number of spans is round(noise / mean_span_len), in every draw.")


@check(
    "starts with text and ends with noise",
    points=0.5,
    hint="Lay text and noise out in turns, a stretch of text first, so that the last turn is noise.",
)
def test_random_spans__starts_with_text_and_ends_with_noise(student):
    drawn_by_case = {case: [drawn(student, *case, seed(40 + n)) for n in range(5)] for case in PLAIN}
    turned = all(turned_round(masks, length, density) for (length, density, _), masks in drawn_by_case.items())
    masks = [mask for masks in drawn_by_case.values() for mask in masks]
    ends = {(mask[0], mask[-1]) for mask in masks}
    hold(ends != {(True, False)} or not turned, "The mask is turned round: True means noise.")
    hold(ends != {(True, False)}, "The turns are swapped: text comes first, and noise last.")
    hold(len(ends) == 1, "How the mask begins and ends is left to chance: it starts with text and ends with noise.")
    expect_equal(ends, {(False, True)})


@check(
    "cuts the noise into spans, every way equally likely",
    points=0.5,
    hint="To cut n noise tokens into s spans choose s - 1 different ones of the n - 1 gaps, all choices equally "
    "likely. Then a span may have any length from 1 up, the first like the last.",
)
@pytest.mark.parametrize(("length", "density", "mean"), [(12, 0.5, 2.0), (40, 0.2, 3.0)])
def test_random_spans__cuts_the_noise_evenly(student, length, density, mean):
    compare_cuts(student, length, density, mean, True, seed(60))


@check(
    "cuts the text into stretches, every way equally likely",
    points=0.5,
    hint="The visible tokens are cut as the noise is: s - 1 different ones of the n - 1 gaps between them, all choices "
    "equally likely. A stretch may have any length from 1 up.",
)
@pytest.mark.parametrize(("length", "density", "mean"), [(12, 0.5, 2.0), (14, 0.6, 2.7)])
def test_random_spans__cuts_the_text_evenly(student, length, density, mean):
    compare_cuts(student, length, density, mean, False, seed(61))


def compare_cuts(student, length, density, mean, value, generator, *, n=700):
    """Compare how often each composition comes up with its probability; each span's length with its law.

    How many tokens and how many parts there are is another check's question: here they must only stay the same.
    """
    found = {}
    for _ in range(n):
        parts = parts_of(drawn(student, length, density, mean, generator), value)
        found[parts] = found.get(parts, 0) + 1
    name = "spans" if value else "stretches of text"
    assert len({(len(parts), sum(parts)) for parts in found}) == 1
    hold(len(found) > 1, f"The lengths of the {name} are always the same: draw them.")
    hold(
        any(1 in parts for parts in found), f"None of the {name} has a single token, but some should: from 1 token up."
    )
    some = next(iter(found))
    n_parts, n_items = len(some), sum(some)
    n_ways = math.comb(n_items - 1, n_parts - 1)
    assert all(plausible(hits, n, 1 / n_ways) for hits in found.values())
    for k in range(n_parts):
        for size in range(1, n_items - n_parts + 2):
            ways = math.comb(n_items - size - 1, n_parts - 2)
            hits = sum(times for parts, times in found.items() if parts[k] == size)
            assert plausible(hits, n, ways / n_ways)


@check(
    "cuts noise and text independently of each other",
    points=0.5,
    hint="Draw twice, once for the noise and once for the text. Any cut of the one may come with any cut of the other.",
)
@pytest.mark.parametrize(("length", "density", "mean"), [(9, 0.45, 2.0), (8, 0.5, 2.0)])
def test_random_spans__cuts_noise_and_text_independently(student, length, density, mean):
    generator, n, found = seed(62), 700, {}
    for _ in range(n):
        mask = drawn(student, length, density, mean, generator)
        cuts = parts_of(mask, True), parts_of(mask, False)
        found[cuts] = found.get(cuts, 0) + 1
    hold(len(found) > 1, "The same mask comes up in every call: draw from the generator.")
    assert len({(len(part), sum(part)) for cuts in found for part in cuts[:1]}) == 1
    # With the student's own shares of each cut: whether those are right is asked above.
    noise, text = ({c[k]: sum(h for d, h in found.items() if d[k] == c[k]) for c in found} for k in (0, 1))
    pairs = {(a, b): noise[a] * text[b] / n**2 for a in noise for b in text}
    hold(
        all(plausible(found.get(pair, 0), n, p) for pair, p in pairs.items()),
        "The spans follow the stretches of text: cut each with random numbers of its own.",
    )


@check(
    "rounds a half to the even neighbour, both times",
    points=0.5,
    hint="Python's round gives 2 for 2.5 and 4 for 3.5, and that is what is asked for: once for the tokens, once for "
    "the spans. int(x + 0.5) rounds halves up.",
)
def test_random_spans__rounds_halves_to_even(student):
    cases = [(10, 0.25, 1.0), (14, 0.25, 1.0), (20, 0.25, 2.0), (28, 0.25, 2.0), (36, 0.125, 1.0), (40, 0.25, 4.0)]
    found = []
    for case in cases:
        mask = drawn(student, *case, seed(70))
        found.append((sum(mask), len(parts_of(mask, True))))
    expect_equal(found, [(2, 2), (4, 4), (5, 2), (7, 4), (4, 4), (10, 2)])


@check(
    "keeps at least one token of each kind, and nothing hidden at density 0",
    points=0.25,
    hint="At least 1 and at most T - 1 tokens are noise, in at least 1 span; with density 0, or one token, none is.",
)
def test_random_spans__keeps_within_bounds(student):
    for length, density, mean, expected in (
        (3, 0.1, 3.0, [False, False, True]),
        (2, 0.15, 3.0, [False, True]),
        (4, 1.0, 9.0, [False, True, True, True]),
        (5, 0.97, 20.0, [False, True, True, True, True]),
        (6, 0.34, 50.0, [False] * 4 + [True] * 2),
        (7, 0.0, 3.0, [False] * 7),
        (1, 0.9, 3.0, [False]),
        (1, 0.0, 1.0, [False]),
    ):
        expect_equal(drawn(student, length, density, mean, seed(80)), expected)


@check(
    "takes all its chance from the generator",
    points=0.25,
    hint="Draw with generator=generator and seed nothing: the same seed gives the same mask, another seed another one, "
    "and a second call goes on. The mask is a tensor of booleans.",
)
def test_random_spans__draws_from_the_generator(student):
    generator = seed(90)
    first = drawn(student, 400, 0.3, 3.0, generator, strict=True)
    assert 0 < sum(first) < 400
    hold(drawn(student, 400, 0.3, 3.0, seed(90)) == first, "The same seed gives another mask: use the generator.")
    hold(drawn(student, 400, 0.3, 3.0, seed(91)) != first, "Another seed gives the same mask: seed nothing yourself.")
    hold(drawn(student, 400, 0.3, 3.0, generator) != first, "A second call gives the same mask: seed nothing yourself.")
    for length, density in ((6, 0.0), (1, 0.5)):
        nothing = student.random_spans(length, density, 3.0, seed(92))
        hold(
            isinstance(nothing, torch.Tensor) and nothing.dtype == torch.bool,
            "The mask is a tensor of booleans where nothing is hidden, too.",
        )
    named(student, "random_spans", length=40, density=0.3, mean_span_len=3.0, generator=seed(93))


# --- sentinel_ids


def ids_of(result):
    """The ids. Whatever can be looped over passes for a list, except in the check that compares lists."""
    hold(result is not None and not isinstance(result, int | float | str | dict), "A list is expected.", known=False)
    return [int(i) for i in result]


@check(
    "begins with the vocabulary's last entry",
    points=0.25,
    hint="Ids begin at 0, so the last entry of a vocabulary of V has the id V - 1.",
)
@pytest.mark.parametrize(("V", "n"), [(50, 4), (300, 16), (32_128, 100)])
def test_sentinel_ids__begins_with_the_last_entry(student, V, n):
    found = ids_of(student.sentinel_ids(V, n))
    assert len(found) > 0
    hold(found[0] != V, "There is no entry V: ids begin at 0.")
    hold(found[0] != V - n, "The first sentinel has the highest id; the ids then go down.")
    expect_equal(found[0], V - 1)


@check(
    "counts down by one",
    points=0.25,
    hint="Each sentinel's id is one below that of the sentinel before it.",
)
@pytest.mark.parametrize(("V", "n"), [(50, 4), (300, 16), (32_128, 100)])
def test_sentinel_ids__counts_down(student, V, n):
    found = ids_of(student.sentinel_ids(V, n))
    assert len(found) > 1
    assert found != ids_of(student.sentinel_ids(V + 7, n))  # a list that is always the same counts nothing
    steps = {b - a for a, b in zip(found, found[1:], strict=False)}
    hold(steps != {1}, "The ids go up: sentinel 1 is one below sentinel 0.")
    expect_equal(steps, {-1})


@check("gives as many as are asked for", points=0.25, hint="n sentinels are asked for: the list has n entries.")
@pytest.mark.parametrize(("V", "n"), [(50, 1), (50, 2), (300, 17), (1000, 400)])
def test_sentinel_ids__gives_n(student, V, n):
    found = ids_of(student.sentinel_ids(V, n))
    expect_equal(len(set(found)), n)
    expect_equal(len(found), n)


@check(
    "gives none, one, or the whole vocabulary",
    points=0.25,
    hint="With n = 0 the list is empty; with n = V it holds every id once, 0 being the last.",
)
def test_sentinel_ids__takes_the_ends(student):
    found = [student.sentinel_ids(7, 0), student.sentinel_ids(7, 1), student.sentinel_ids(4, 4)]
    expect_equal(found, [[], [6], [3, 2, 1, 0]])
    named(student, "sentinel_ids", vocab_size=7, n=2)


# --- corrupt


EOS = 2


def corrupted(student, ids, mask, sentinels, eos_id=EOS):
    """(inputs, targets) as lists; the mask may be a string of 0 and 1."""
    if isinstance(mask, str):
        mask = [c == "1" for c in mask]
    result = student.corrupt(torch.tensor(ids), torch.tensor(mask), sentinels, eos_id)
    hold(
        isinstance(result, tuple | list) and len(result) == 2,
        "Two tensors are expected: inputs and targets.",
        known=False,
    )
    for part in result:
        one_axis = part.ndim == 1 if isinstance(part, torch.Tensor) else isinstance(part, list)
        hold(one_axis, "Inputs and targets are tensors with one axis.", known=False)
    return [torch.as_tensor(part).tolist() for part in result]  # that they are tensors is another check's question


def body(ids, eos_id=EOS):
    """Without end tokens: how many there are is another check's question."""
    while ids and ids[-1] == eos_id:
        ids = ids[:-1]
    return ids


def plain(ids, mask, sentinels, eos_id=EOS):
    """T5's inputs and targets, run by run."""
    inputs, targets, at, used = [], [], 0, 0
    for hidden, length in runs(mask):
        run = ids[at : at + length]
        at += length
        if hidden:
            inputs.append(sentinels[used])
            targets += [sentinels[used], *run]
            used += 1
        else:
            inputs += run
    closing = [] if mask[-1] else [sentinels[used]]
    return [*inputs, eos_id], [*targets, *closing, eos_id]


def bare(pair, sentinels, eos_id=EOS):
    """Inputs and targets without end tokens and without a closing sentinel: both are other checks' questions."""
    inputs, targets = (body(list(part), eos_id) for part in pair)
    return [inputs, targets[:-1] if targets and targets[-1] in sentinels else targets]


def bits(text):
    return [c == "1" for c in text]


TEXT = list(range(10, 31))
NAMES = [99, 98, 97, 96, 95, 94, 93, 92, 91, 90, 89, 88]
INNER = ["001110001", "0110100111", "000010000111101", "01", "0101011"]  # they start with text and end with noise


@check(
    "puts one sentinel into the inputs for each span",
    points=0.5,
    hint="Inputs hold the visible tokens in their order, and in place of each span, however long, one sentinel: the "
    "first for the first span, the second for the second.",
)
@pytest.mark.parametrize("text", INNER)
def test_corrupt__shows_one_sentinel_a_span(student, text):
    mask = bits(text)
    ids = TEXT[: len(mask)]
    found = body(corrupted(student, ids, mask, NAMES)[0])
    expected = body(plain(ids, mask, NAMES)[0])
    each, same = [], []
    for token, hidden in zip(ids, mask, strict=True):
        each.append(NAMES[sum(t in NAMES for t in each)] if hidden else token)
    same = [NAMES[0] if token in NAMES else token for token in expected]
    names = [token for token in expected if token in NAMES][::-1]
    back = [names.pop(0) if token in NAMES else token for token in expected]
    slips = {
        "Each hidden token gets a sentinel of its own: hidden neighbours belong to one span, which has one sentinel.": (
            each
        ),
        "The same sentinel stands for every span: each span has its own.": same,
        "The hidden tokens are gone without a trace: a sentinel stands in place of each span.": [
            token for token, hidden in zip(ids, mask, strict=True) if not hidden
        ],
        "The sentinels come in the wrong order: sentinels[0] is for the first span.": back,
        "That would be the targets: the inputs come first, and True means hidden.": body(plain(ids, mask, NAMES)[1]),
        "That would be the targets: the inputs come first, and True means hidden. ": body(
            plain(ids, [not hidden for hidden in mask], NAMES)[0]
        ),
    }
    expect_equal(found, expected, misconceptions={k: v for k, v in slips.items() if v != expected})


@check(
    "puts each span into the targets behind its sentinel",
    points=0.5,
    hint="Targets hold, span by span, the sentinel that stands in the inputs and behind it the span's tokens.",
)
@pytest.mark.parametrize("text", INNER)
def test_corrupt__asks_for_each_span_behind_its_sentinel(student, text):
    mask = bits(text)
    ids = TEXT[: len(mask)]
    found = body(corrupted(student, ids, mask, NAMES)[1])
    expected = body(plain(ids, mask, NAMES)[1])
    n_spans = len(parts_of(mask, True))
    hidden = [token for token, noise in zip(ids, mask, strict=True) if noise]
    slips = {
        "Each hidden token has a sentinel of its own in the targets: one sentinel for each span.": [
            token for name, word in zip(NAMES, hidden, strict=False) for token in (name, word)
        ],
        "The sentinels are missing in the targets: each span begins with its own.": hidden,
        "The same sentinel stands before every span: each span has its own.": [
            NAMES[0] if token in NAMES else token for token in expected
        ],
        "The targets are the whole text: T5 asks for the hidden spans alone.": ids,
    }
    found = bare(([], found), NAMES[n_spans : n_spans + 1])[1]
    expect_equal(found, expected, misconceptions={k: v for k, v in slips.items() if v != expected})


@check(
    "ends both with the end token, once",
    points=0.5,
    hint="eos_id is the last token of the inputs and the last token of the targets, one of it in each.",
)
@pytest.mark.parametrize("eos_id", [2, 0, 77])
def test_corrupt__ends_both_with_the_end_token(student, eos_id):
    for text in ("0011", "0110", "1000"):
        inputs, targets = corrupted(student, TEXT[:4], text, NAMES, eos_id)
        assert min(len(inputs), len(targets)) > 2
        ends = (inputs[-1:] == [eos_id], targets[-1:] == [eos_id])
        hold(ends != (False, True), "The inputs lack the end token.")
        hold(ends != (True, False), "The targets lack the end token.")
        hold(all(ends), "The end token is missing.")
        expect_equal([inputs.count(eos_id), targets.count(eos_id)], [1, 1])


@check(
    "closes the targets with a sentinel where the text ends visible",
    points=0.5,
    hint="If the last token of the text is visible, the next sentinel stands behind the last span, before the end "
    "token: else nothing would say that the span is over.",
)
@pytest.mark.parametrize("text", ["0110", "01100101000", "10", "1100011110", "0", "0000"])
def test_corrupt__closes_where_the_text_ends_visible(student, text):
    found = body(corrupted(student, TEXT[: len(text)], text, NAMES)[1])
    n_spans = len(parts_of(bits(text), True))
    hidden = [token for token, noise in zip(TEXT, bits(text), strict=False) if noise]
    assert set(hidden) <= set(found)
    hold(found, "Where nothing is hidden a closing sentinel is due as well: sentinel 0, before the end token.")
    hold(found[-1:] != hidden[-1:], "The closing sentinel is missing: text follows the last span.")
    hold(
        not n_spans or found[-1] != NAMES[n_spans - 1],
        "The closing sentinel is the last span's own again: it is the next one.",
    )
    hold(found[-1] != NAMES[-1], "The closing sentinel is the next one that is not used yet, not the list's last.")
    expect_equal(found[-1], NAMES[n_spans])


@check(
    "has no closing sentinel where the text ends with noise",
    points=0.5,
    hint="If the last token of the text is hidden, the end token itself says that the span is over: nothing else does.",
)
@pytest.mark.parametrize("text", ["0011", "0100101", "11", "1001111"])
def test_corrupt__does_not_close_where_the_text_ends_with_noise(student, text):
    inputs, targets = corrupted(student, TEXT[: len(text)], text, NAMES)
    assert NAMES[0] in targets or TEXT[len(text) - 1] in targets
    assert body(targets) != TEXT[: len(text)]  # something was computed
    hold(
        body(targets)[-1] not in NAMES,
        "A closing sentinel stands there although the text ends with noise: it is for texts that end visible.",
    )
    expect_equal(body(targets)[-1], TEXT[len(text) - 1])
    n_spans = len(parts_of(bits(text), True))
    try:
        corrupted(student, TEXT[: len(text)], text, NAMES[:n_spans])
    except StudentError as error:
        hold(
            error.kind != "IndexError",
            "Your code asks for one sentinel more than there are spans: where the text ends with noise, none is left "
            "over, and none is needed.",
        )
        raise


@check(
    "takes any mask: noise first, noise alone, nothing hidden",
    points=0.5,
    hint="A span may begin with the text's first token, which has no left neighbour; all of the text may be one span. "
    "With nothing hidden the inputs are the text.",
)
@pytest.mark.parametrize("text", ["10", "1101", "11111", "1", "0", "00000", "1011010"])
def test_corrupt__takes_any_mask(student, text):
    ids = TEXT[: len(text)]
    inputs, targets = corrupted(student, ids, text, NAMES)
    expected = bare(plain(ids, bits(text), NAMES), NAMES)
    closing = NAMES[len(parts_of(bits(text), True))]
    both = "The closing sentinel came into the inputs too: it ends the targets alone."
    expect_equal(
        bare([inputs, targets], NAMES), expected, misconceptions={both: [[*expected[0], closing], expected[1]]}
    )


@check(
    "takes the sentinels that it is given, in their order",
    points=0.5,
    hint="Sentinels are whatever ids the argument holds, in any order, and there may be more than are needed. Take "
    "sentinels[0], sentinels[1] and so on; compute none.",
)
@pytest.mark.parametrize("names", [[50, 51, 52, 53], [7, 400, 8, 300, 301, 302], [5, 3, 4]])
def test_corrupt__takes_the_sentinels_given(student, names):
    text = "011001"

    def expected(names):
        return bare(plain(TEXT[:6], bits(text), names), names)

    slips = {
        "The sentinels are counted down from the first one: take them from the list.": [names[0] - k for k in range(3)],
        "The sentinels are sorted: take them in the list's order.": sorted(names, reverse=True),
        "The sentinels are taken from the end of the list: sentinels[0] is the first.": names[::-1],
    }
    wrong = {hint: expected(other) for hint, other in slips.items() if other[:2] != names[:2]}
    known = [*names, *range(names[0] - 3, names[0])]
    found = bare(corrupted(student, TEXT[:6], text, names), known)
    expect_equal(found, expected(names), misconceptions=wrong)


@check(
    "returns integers, keeps an eos_id in the text, and leaves its arguments alone",
    points=0.5,
    hint="Inputs and targets are long tensors. An eos_id in the text is a token as any other, visible or hidden. Write "
    "into none of the arguments, the list of sentinels included.",
)
def test_corrupt__returns_integers_and_changes_nothing(student):
    ids, mask, names = torch.tensor([1, EOS, 8, EOS, 9]), torch.tensor([False, True, True, False, True]), NAMES[:4]
    before = {"ids": ids, "noise_mask": mask, "sentinels": names, "eos_id": EOS}
    fresh = {"ids": ids.clone(), "noise_mask": mask.clone(), "sentinels": list(names), "eos_id": EOS}
    result, afterwards = named(student, "corrupt", **fresh)
    untouched(afterwards, before)
    hold(all(isinstance(part, torch.Tensor) for part in result), "Two tensors are expected.", known=False)
    for part in result:
        long(part)
    expected = [[1, 99, EOS, 98], [99, EOS, 8, 98, 9]]
    found = bare([part.tolist() for part in result], names)  # end tokens, closing sentinel: other checks' questions
    hold(any(EOS in part for part in found), "An eos_id in the text is lost: it is a token as any other.")
    slips = {
        "A token came that is hidden elsewhere in the text, and was taken for hidden here: noise_mask goes by place, "
        "not by value.": [[1, 99], [99, EOS, 8, EOS, 9]],
    }
    expect_equal(found, expected, misconceptions=slips)


# --- reconstruct


def text_of(student, ids, mask, sentinels, eos_id=EOS):
    """What the student makes of a corrupted text, as a list."""
    inputs, targets = plain(ids, mask, sentinels, eos_id)
    result = student.reconstruct(torch.tensor(inputs), torch.tensor(targets), sentinels, eos_id)
    hold(isinstance(result, torch.Tensor | list), "A tensor with one axis is expected.", known=False)
    return torch.as_tensor(result).tolist()


def leave_out(found, mask, sentinels, eos_id=EOS):
    """Without a last end token and a closing sentinel, which other checks ask about."""
    closing = sentinels[len(parts_of(mask, True))]
    kept = found[:-1] if found[-1:] == [eos_id] else found
    return [token for token in kept if token != closing]


@check(
    "puts each span where its sentinel stands",
    points=0.5,
    hint="Where the inputs hold a sentinel, the text holds the tokens that follow this sentinel in the targets, up to "
    "the next sentinel.",
)
@pytest.mark.parametrize("text", INNER)
def test_reconstruct__puts_spans_back(student, text):
    mask = bits(text)
    ids = TEXT[: len(mask)]
    found = body(text_of(student, ids, mask, NAMES))
    visible = [token for token, hidden in zip(ids, mask, strict=True) if not hidden]
    hidden = [token for token, noise in zip(ids, mask, strict=True) if noise]
    first = [token for token, (at, noise) in zip(ids, enumerate(mask), strict=True) if not noise or not mask[at - 1]]
    inputs = plain(ids, mask, NAMES)[0]
    slips = {
        "Each gap got only the first token of its span: a span may have many.": first,
        "Only the visible tokens came back.": visible,
        "The spans stand behind the text: put each where its sentinel is.": visible + hidden,
        "The sentinels are still there: the span stands in place of its sentinel.": body(inputs),
    }
    kept = []
    for token, (at, noise) in zip(ids, enumerate(mask), strict=True):
        kept += [NAMES[sum(t in NAMES for t in kept)]] if noise and not mask[at - 1] else []
        kept.append(token)
    slips["The sentinels are still there: the span stands in place of its sentinel. "] = kept
    slips["The last span is lost: without a closing sentinel, the end token is what ends it."] = body(
        ids[: len(ids) - parts_of(mask, True)[-1]]
    )
    expect_equal(found, ids, misconceptions={k: v for k, v in slips.items() if v != ids})


@check(
    "leaves the closing sentinel out",
    points=0.5,
    hint="A closing sentinel has no gap in the inputs and nothing behind it: it adds nothing to the text, and it ends "
    "the last span.",
)
@pytest.mark.parametrize("text", ["0110", "01100101000", "010", "0001111010"])
def test_reconstruct__leaves_the_closing_sentinel_out(student, text):
    ids = TEXT[: len(text)]
    found = body(text_of(student, ids, bits(text), NAMES))
    closing = NAMES[len(parts_of(bits(text), True))]
    hold(closing not in found, "The closing sentinel came into the text: it only says that the last span is over.")
    expect_equal(found, ids)


@check(
    "takes off the end token, and only the last one",
    points=0.5,
    hint="The last token of inputs and targets is the end token, and no part of the text; an eos_id further left is.",
)
def test_reconstruct__takes_off_the_last_end_token_only(student):
    for ids, text in (
        ([7, 8, 9, 10], "0101"),
        ([7, 8, 9, 10], "0011"),
        ([7, EOS, 8, EOS, 9], "01101"),
        ([7, EOS, EOS, 8, EOS], "00101"),
        ([EOS, 5, EOS], "011"),
    ):
        found = text_of(student, ids, bits(text), NAMES)
        kept = [token for token in ids if token != EOS]
        if EOS in ids:
            hold(found != kept, "Every eos_id was taken out: only the last token of each is the end token.")
        hold(
            found not in ([*ids, EOS], [*ids, EOS, EOS]),
            "The end token is still there: it is no part of the text.",
        )
        expect_equal(found, ids)


@check(
    "takes any mask: noise first, noise alone, nothing hidden",
    points=0.5,
    hint="Inputs may begin with a sentinel, or be one sentinel and the end token, or hold none at all: then targets "
    "are the closing sentinel and the end token.",
)
@pytest.mark.parametrize("text", ["10", "1101", "11111", "1", "0", "00000", "1011010"])
def test_reconstruct__takes_any_mask(student, text):
    found = text_of(student, TEXT[: len(text)], bits(text), NAMES)
    expect_equal(leave_out(found, bits(text), NAMES), TEXT[: len(text)])


@check(
    "brings random texts back, with any sentinels",
    points=0.5,
    hint="Sentinels are the ids in the list, in whatever order and however large; a text token may have a higher or "
    "lower id, and may come again and again.",
)
def test_reconstruct__brings_random_texts_back(student):
    draw = random.Random(1)
    for _ in range(60):
        names = draw.sample(range(3, 60), 30)
        words = [i for i in range(3, 60) if i not in names]
        ids = draw.choices(words[: draw.randint(1, 20)], k=draw.randint(1, 40))
        weight = draw.random()
        mask = [draw.random() < weight for _ in ids]
        expect_equal(leave_out(text_of(student, ids, mask, names), mask, names), ids)


@check(
    "returns integers and leaves its arguments alone",
    points=0.5,
    hint="The text is a long tensor; inputs, targets and the list of sentinels are left as they came.",
)
def test_reconstruct__returns_integers_and_changes_nothing(student):
    inputs, targets = (torch.tensor(part) for part in plain(TEXT[:7], bits("0110011"), NAMES))
    before = {"inputs": inputs, "targets": targets, "sentinels": NAMES, "eos_id": EOS}
    fresh = {"inputs": inputs.clone(), "targets": targets.clone(), "sentinels": list(NAMES), "eos_id": EOS}
    result, afterwards = named(student, "reconstruct", **fresh)
    untouched(afterwards, before)
    long(result)
    expect_equal(result[: 7 if len(result) == 8 else None], torch.tensor(TEXT[:7]))


# --- lengths_after_corruption


def counts(tokens_len, density, mean, noise=round, spans=round):
    n_noise = min(max(noise(tokens_len * density), 1), tokens_len - 1)
    return n_noise, max(spans(n_noise / mean), 1)


def longest(input_len, density, mean, noise=round, spans=round):
    """(tokens_len, target_len) by trying every length from above."""
    for tokens_len in range(4 * input_len, 1, -1):
        n_noise, n_spans = counts(tokens_len, density, mean, noise, spans)
        if tokens_len - n_noise + n_spans + 1 <= input_len:
            return tokens_len, n_noise + n_spans + 1
    raise AssertionError("no text fits")


def half_up(x):
    return math.floor(x + 0.5)


WAYS = [(a, b) for a in (round, half_up, math.floor) for b in (round, half_up, math.floor)]


def shortest(input_len, density, mean):
    """The shortest text whose inputs are as long as those of the longest."""

    def inputs(tokens_len):
        n_noise, n_spans = counts(tokens_len, density, mean)
        return tokens_len - n_noise + n_spans + 1

    full = inputs(longest(input_len, density, mean)[0])
    return next(length for length in range(2, 4 * input_len) if inputs(length) == full)


UNROUNDED = "The spans are counted before the noise is rounded: first n = round(L * density), then round(n / mean)."


def unrounded(input_len, density, mean):
    """As `longest`, with the spans counted from a noise that is not rounded."""
    for tokens_len in range(4 * input_len, 1, -1):
        n_noise, _ = counts(tokens_len, density, mean)
        n_spans = max(round(tokens_len * density / mean), 1)
        if tokens_len - n_noise + n_spans + 1 <= input_len:
            return tokens_len, n_noise + n_spans + 1
    raise AssertionError("no text fits")


# Where a half that is rounded up makes no difference.
ORDINARY = [
    (n, d, m)
    for n in (64, 100, 257, 512, 777, 1024)
    for d, m in ((0.15, 3.0), (0.3, 2.6), (0.22, 5.3), (0.5, 4.0), (0.41, 2.0))
    if longest(n, d, m) == longest(n, d, m, half_up, half_up)
]


def both(student, case):
    result = student.lengths_after_corruption(*case)
    hold(isinstance(result, tuple | list) and len(result) == 2, "Two numbers are expected, as a tuple.", known=False)
    return [int(part) for part in result]


@check(
    "finds the longest text whose inputs fit",
    points=0.5,
    hint="Inputs of a text of L tokens have (L - n) + s + 1: the visible tokens, one sentinel a span, the end token. "
    "Take the largest L with which this is at most input_len.",
)
def test_lengths_after_corruption__finds_the_longest_text(student):
    found = [both(student, case)[0] for case in ORDINARY]
    expected = [longest(*case)[0] for case in ORDINARY]
    off = {right for value, right in zip(found, expected, strict=True) if value != right}
    short = max(set(expected) - off, default=0)
    hold(
        not off or min(off) < max(short, 700),
        "Short texts come out right and long ones do not: go on for as long as the next length fits.",
    )
    no_end = [longest(n + 1, d, m)[0] for n, d, m in ORDINARY]
    too_short = [shortest(*case) for case in ORDINARY]
    slips = {
        "The end token of the inputs is not counted.": no_end,
        "The shortest text that fills the inputs came: of all that fit, take the longest.": too_short,
        "That is the first text that does not fit any more.": [length + 1 for length in expected],
        "That is the length of the inputs: the text is longer, since a span becomes one sentinel.": [
            n for n, *_ in ORDINARY
        ],
        "Inputs may have input_len tokens, not only fewer: they fit where they are at most that long.": [
            longest(n - 1, d, m)[0] for n, d, m in ORDINARY
        ],
        "That is one short of the longest text.": [length - 1 for length in expected],
        "The two numbers are swapped: the length of the text comes first, then that of the targets.": [
            longest(*case)[1] for case in ORDINARY
        ],
        "density and mean_span_len are arguments, not always 0.15 and 3.": [
            longest(n, 0.15, 3.0)[0] for n, *_ in ORDINARY
        ],
        "density is an argument, not always 0.15.": [longest(n, 0.15, m)[0] for n, _, m in ORDINARY],
        "mean_span_len is an argument, not always 3.": [longest(n, d, 3.0)[0] for n, d, _ in ORDINARY],
        UNROUNDED: [unrounded(*case)[0] for case in ORDINARY],
    }
    # How to round is another check's question.
    if found not in [[longest(*case, *way)[0] for case in ORDINARY] for way in WAYS]:
        expect_equal(found, expected, misconceptions=slips)


@check(
    "counts the targets with sentinels and end token",
    points=0.5,
    hint="Targets of that text have n + s + 1 tokens: the noise, one sentinel a span, the end token; no closing "
    "sentinel, since the masks of random_spans end with noise.",
)
def test_lengths_after_corruption__counts_the_targets(student):
    found = [both(student, case) for case in ORDINARY]
    slips = {
        "The end token of the targets is not counted.": -1,
        "There is no closing sentinel here: the masks of random_spans end with noise.": 1,
    }
    # Counted for the student's own text: whether it is the right one is another check's question.
    expected, alone = [], []
    for (_, density, mean), (tokens_len, _) in zip(ORDINARY, found, strict=True):
        assert 2 <= tokens_len < 10_000
        n_noise, n_spans = counts(tokens_len, density, mean)
        expected.append(n_noise + n_spans + 1)
        alone.append(n_noise)
    wrong = {hint: [length + off for length in expected] for hint, off in slips.items()}
    wrong[
        "Only the hidden tokens are counted: each span has a sentinel in the targets, and the end token comes last."
    ] = alone
    wrong["The sentinels of the targets are not counted."] = [length + 1 for length in alone]
    targets, right = [target_len for _, target_len in found], [[longest(*case)[1] for case in ORDINARY]]
    for way in WAYS:  # how to round is another check's question
        sums = [sum(counts(n, d, m, *way)) for (n, _), (_, d, m) in zip(found, ORDINARY, strict=True)]
        right.append([total + 1 for total in sums])
    if targets not in right:
        expect_equal(targets, expected, misconceptions=wrong)


def variants(cases):
    """Answers that round rightly and slip elsewhere: which text is taken, and what is counted, is asked above."""
    found = [[(n, longest(n, d, m)[1]) for n, d, m in cases]]
    many = [[longest(max(n + more, 3), d, m)[0] + off for n, d, m in cases] for more in (-1, 0, 1) for off in (0, 1)]
    for lengths in [*many, [shortest(*case) for case in cases]]:
        noise = [counts(length, d, m) for length, (_, d, m) in zip(lengths, cases, strict=True)]
        targets = [[n + s + extra for n, s in noise] for extra in (0, 1, 2)] + [[n for n, _ in noise]]
        found += [list(zip(lengths, target, strict=True)) for target in targets]
    return found


@check(
    "rounds as random_spans does",
    points=0.5,
    hint="Both counts are rounded to whole tokens, a half to the even neighbour, for every length that is tried: a "
    "formula without rounding, or with int(x + 0.5), is off by one somewhere.",
)
def test_lengths_after_corruption__rounds_halves_to_even(student):
    cases = [(n, d, m) for n in range(10, 90) for d, m in ((0.25, 2.0), (0.125, 4.0), (0.5, 2.0))]
    cases = [case for case in cases if longest(*case) != longest(*case, half_up, half_up)][::4]
    cases += [case for case in ORDINARY if longest(*case) != longest(*case, math.floor)][::3]
    cases += [case for case in ORDINARY if longest(*case) != longest(*case, round, math.floor)][::3]
    found = [tuple(both(student, case)) for case in cases]
    if found not in variants(cases):
        up = [longest(*case, half_up, half_up) for case in cases]
        expect_equal(
            found,
            [longest(*case) for case in cases],
            misconceptions={
                "A half is rounded up: Python's round takes the even neighbour.": up,
                "The noise's halves are rounded up: Python's round takes the even neighbour.": [
                    longest(*case, half_up) for case in cases
                ],
                "The spans' halves are rounded up: Python's round takes the even neighbour.": [
                    longest(*case, round, half_up) for case in cases
                ],
                UNROUNDED: [unrounded(*case) for case in cases],
                "Noise and spans are cut off and not rounded.": [
                    longest(*case, math.floor, math.floor) for case in cases
                ],
                "The noise is cut off and not rounded.": [longest(*case, math.floor) for case in cases],
                "The number of spans is cut off and not rounded.": [
                    longest(*case, round, math.floor) for case in cases
                ],
            },
        )


@check(
    "takes the shortest inputs",
    points=0.5,
    hint="Even in the shortest text one token is noise, in one span: inputs of 3 hold a text of 2, and its targets "
    "have 3 tokens.",
)
def test_lengths_after_corruption__takes_short_inputs(student):
    kinds = ((0.15, 3.0), (0.02, 2.0), (0.4, 9.0), (0.5, 2.0), (0.45, 2.2))
    cases = [(n, d, m) for n in range(3, 15) for d, m in kinds]
    cases = [case for case in cases if len({longest(*case, *way) for way in WAYS}) == 1]
    found = [tuple(both(student, case)) for case in cases]
    if found not in variants(cases):
        expect_equal(found, [longest(*case) for case in cases])
    numbers, _ = named(student, "lengths_after_corruption", input_len=14, density=0.25, mean_span_len=2.0)
    whole = [torch.as_tensor(number) for number in numbers]
    hold(not any(number.is_floating_point() for number in whole), "Lengths are whole numbers: int, not float.")
