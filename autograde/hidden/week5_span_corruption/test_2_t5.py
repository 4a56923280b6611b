"""Hidden tests of week 5, notebook 2: buckets in whole numbers, the shifted labels, the loss, greedy filling.

Edges between far buckets are found without logarithms: with n buckets for a direction, e of them exact, a distance d is
in far bucket k or above where (d / e)^(n - e) >= (m / e)^k, and both sides of that are whole numbers once multiplied by
e^(n - e). Where they are equal the distance lies on the edge, and either bucket is accepted.
"""

import math

import pytest
import torch
from torch.nn import functional

from autograde.rubric import Mismatch, StudentError, check, expect_close, expect_equal


def numbers(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def texts(seed, B, T, V, *, first=0):
    return torch.randint(first, V, (B, T), generator=torch.Generator().manual_seed(seed))


def say(claim, sentence):
    """Raise, with the sentence for the student, where the claim does not hold."""
    if not claim:
        raise Mismatch(sentence, misconception=True)


def named(student, name, **arguments):
    """(result, arguments afterwards) of the student's function, called with all arguments by name."""
    try:
        return student.call(name, keep_arguments=True, **arguments)
    except StudentError as error:
        renamed = error.kind == "TypeError" and f"{name}() got an unexpected keyword argument" in error.message
        say(not renamed, "Keep the names of the arguments: whoever calls the function may use them.")
        raise


def longs(result, *shape):
    """The result as whole numbers of this shape, whatever kind of number it holds; the kind has a check of its own."""
    if not isinstance(result, torch.Tensor):
        raise Mismatch("A tensor is expected.")
    if tuple(result.shape) != shape:
        raise Mismatch("The shape is wrong.")
    if result.dtype.is_complex or not bool((result == result.round()).all() if result.is_floating_point() else True):
        raise Mismatch("Whole numbers are expected.")
    return result.long()


# ---- relative_position_bucket

SIZES = [(32, 128), (16, 100), (8, 20), (40, 500), (4, 37), (64, 90), (10, 60), (14, 200)]


def far_bucket(d, n, m):
    """(lowest, highest) bucket that distance d may have, with n buckets for its direction; d is at least n // 2."""
    e = n // 2
    left = d ** (n - e)
    found = max(k for k in range(n - e + 1) if left * e**k >= m**k * e ** (n - e))
    on_the_edge = found > 0 and left * e**found == m**found * e ** (n - e)
    return min(n - 1, e + found - on_the_edge), min(n - 1, e + found)


BEYOND = "There are buckets beyond n_buckets: with both directions each has only half of them."


def magnitudes(student, distances, n_buckets, m):
    """Each distance's bucket with both directions, whichever side it stands on: the offset is another check's."""
    d = torch.tensor(distances)
    both = [longs(student.relative_position_bucket(sign * d, True, n_buckets, m), len(d)) for sign in (-1, 1)]
    half = n_buckets // 2
    say(any(int(found.max()) < n_buckets for found in both), BEYOND)
    return torch.minimum(both[0] % half, both[1] % half) if (both[0] % half != both[1] % half).any() else both[0] % half


@check(
    "near distances have a bucket each",
    points=0.5,
    hint="Half of a direction's buckets hold one distance each: bucket d for distance d, as long as d is below that "
    "half. With both directions a direction has n_buckets / 2 buckets, so that this half is a quarter of all.",
)
@pytest.mark.parametrize(("n_buckets", "max_distance"), SIZES)
def test_relative_position_bucket__gives_near_distances_a_bucket_each(student, n_buckets, max_distance):
    e = n_buckets // 4
    for d in range(1, e):
        found = magnitudes(student, [d], n_buckets, max_distance)
        expect_equal(found.tolist(), [d])
    further = magnitudes(student, [max_distance - 1, e], n_buckets, max_distance)
    assert int(further.min()) >= e  # what is far has no bucket of a near distance


@check(
    "far distances share buckets that widen as the logarithm",
    points=0.5,
    hint="From d = e on: e plus the floor of (n - e) log(d / e) / log(max_distance / e), with n the buckets of the "
    "direction and e = n // 2.",
)
@pytest.mark.parametrize(("n_buckets", "max_distance"), SIZES)
def test_relative_position_bucket__widens_far_buckets(student, n_buckets, max_distance):
    n = n_buckets // 2
    distances = list(range(n // 2, max_distance))
    found = magnitudes(student, distances, n_buckets, max_distance).tolist()
    allowed = [far_bucket(d, n, max_distance) for d in distances]
    if all(low <= got <= high for got, (low, high) in zip(found, allowed, strict=True)):
        return
    e, exact = n // 2, [math.log(d / (n // 2)) / math.log(max_distance / (n // 2)) for d in distances]
    slips = {
        "The far buckets are n - e, which is more than e where n is odd.": [
            min(2 * e - 1, e + int(x * e)) for x in exact
        ],
        "Where n is odd e is rounded down: n // 2.": [
            d if d < n - e else min(n - 1, n - e + int(math.log(d / (n - e)) / math.log(max_distance / (n - e)) * e))
            for d in distances
        ],
        "The logarithm is rounded to the nearest whole number: T5 cuts off, so take the floor.": [
            e + round(x * (n - e)) for x in exact
        ],
        "The logarithm is rounded up: T5 cuts off, so take the floor.": [e + math.ceil(x * (n - e)) for x in exact],
        "Far buckets are all alike: their width must grow with the distance, by a logarithm.": [
            e + int((d - e) / (max_distance - e) * (n - e)) for d in distances
        ],
        "The far distances all share one bucket: divide the logarithm's range among n - e buckets.": [n - 1]
        * len(distances),
        "All of a direction's buckets hold one distance each: only half of them should.": [
            min(d, n - 1) for d in distances
        ],
        "The logarithms must be those of d / e and of max_distance / e: the first far bucket begins at e.": [
            min(n - 1, e + int(math.log(d) / math.log(max_distance) * (n - e))) for d in distances
        ],
        "The far buckets are n - e, not n - e - 1.": [min(n - 1, e + int(x * (n - e - 1))) for x in exact],
        "The far part is scaled by n, but only n - e buckets are left for it.": [
            min(n - 1, e + int(x * n)) for x in exact
        ],
    }
    for sentence, wrong in slips.items():
        say(found != [min(w, n - 1) for w in wrong], sentence)
    raise Mismatch


@check(
    "from max_distance on there is one bucket, the direction's last",
    points=0.5,
    hint="No distance is too large: the result of the logarithm is cut at the last bucket of its direction. And it is "
    "the argument max_distance that says from where on, not a fixed 128.",
)
@pytest.mark.parametrize(("n_buckets", "max_distance"), SIZES)
def test_relative_position_bucket__ends_with_one_bucket_for_all(student, n_buckets, max_distance):
    n = n_buckets // 2
    far = torch.tensor([max_distance + 1, max_distance + 2, 2 * max_distance, 1000, 10**6])
    past, future = (
        longs(student.relative_position_bucket(sign * far, True, n_buckets, max_distance), len(far)) for sign in (-1, 1)
    )
    lower = torch.minimum(past, future)  # whichever side that is: the offset is another check's
    say(not lower.equal(torch.full_like(lower, n_buckets - 1)), BEYOND)
    expect_equal(lower, torch.full_like(lower, n - 1))
    before = [d for d in range(1, max_distance) if d < n // 2 or far_bucket(d, n, max_distance)[1] < n - 1]
    if before:
        assert int(magnitudes(student, before[-1:], n_buckets, max_distance)[0]) < n - 1


@check(
    "with both directions the past has the lower half, the future the upper",
    points=0.5,
    hint="Add n_buckets / 2 where relative_position is above 0, and only there: the query's own position, 0, is in "
    "bucket 0 with the past.",
)
@pytest.mark.parametrize(("n_buckets", "max_distance"), SIZES)
def test_relative_position_bucket__gives_each_direction_its_half(student, n_buckets, max_distance):
    half, d = n_buckets // 2, torch.arange(1, max_distance)
    past, future = (
        longs(student.relative_position_bucket(sign * d, True, n_buckets, max_distance), len(d)) for sign in (-1, 1)
    )
    zero = int(longs(student.relative_position_bucket(torch.tensor([0]), True, n_buckets, max_distance), 1)[0])
    turned = "The directions are exchanged: a negative relative position is the past, and has the lower half."
    say(not (past.equal(future + half) and past.min() >= half), turned)
    say(not (past.equal(future) and past.max() > 0), "Past and future share their buckets: the future needs its own.")
    say(zero != half, "Relative position 0 is not the future: it belongs into bucket 0.")
    say(
        not (future.min() >= n_buckets and past.min() >= 0),
        "The future begins beyond n_buckets: add n_buckets / 2, so that the past keeps the lower half.",
    )
    expect_equal(zero, 0)
    assert int(past.max()) > 0
    expect_equal(future, past + half)
    assert 0 <= int(past.min()) <= int(past.max()) < half


@check(
    "with one direction the past has all buckets, and the future counts as distance 0",
    points=0.5,
    hint="Without the future no bucket is kept for it: n_buckets stays whole, nothing is added, and a positive "
    "relative position goes into bucket 0, not where its mirror image in the past goes.",
)
@pytest.mark.parametrize(("n_buckets", "max_distance"), SIZES)
def test_relative_position_bucket__gives_the_past_everything(student, n_buckets, max_distance):
    d = torch.arange(1, max_distance)
    past, future = (
        longs(student.relative_position_bucket(sign * d, False, n_buckets, max_distance), len(d)) for sign in (-1, 1)
    )
    e = n_buckets // 2
    say(not ((past == 0).all() and future.max() > 0), "The directions are exchanged: the past is what is negative.")
    say(not (past.equal(future) and past.max() > 0), "The future is treated as the past: it must count as distance 0.")
    say(int(past.max()) != e - 1, "The past has only half of the buckets: with one direction it has them all.")
    expect_equal(future, torch.zeros_like(future))
    expect_equal(past[: e - 1], d[: e - 1])
    allowed = [far_bucket(k, n_buckets, max_distance) for k in d.tolist()[e - 1 :]]
    if all(low <= got <= high for got, (low, high) in zip(past[e - 1 :].tolist(), allowed, strict=True)):
        return
    # A slip in the rule for far distances is paid for elsewhere: here the rule must be that of both directions.
    twice = longs(student.relative_position_bucket(-d, True, 2 * n_buckets, max_distance), len(d))
    expect_equal(past, twice % n_buckets)


@check(
    "takes any shape, gives whole numbers, and leaves its argument alone",
    points=0.5,
    hint="The result is a long tensor in the shape of relative_position, whatever that is: entry by entry. Do not "
    "write into relative_position.",
)
@pytest.mark.parametrize("shape", [(5,), (3, 7), (2, 3, 4), (1, 1), (4, 1, 2, 3)])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_relative_position_bucket__takes_any_shape(student, shape, bidirectional):
    relative = (torch.arange(math.prod(shape)) * 7 % 23 - 11).view(shape)
    result, afterwards = named(
        student,
        "relative_position_bucket",
        relative_position=relative.clone(),
        bidirectional=bidirectional,
        n_buckets=12,
        max_distance=30,
    )
    expect_equal(afterwards[0], relative)
    far = torch.tensor([-(10**6), 10**6])  # beyond max_distance, where a clamp would write
    _, afterwards = student.call("relative_position_bucket", far.clone(), bidirectional, 12, 30, keep_arguments=True)
    expect_equal(afterwards[0], far)
    found = longs(result, *shape)
    say(result.dtype == torch.long, "Buckets are rows of a table: they must be whole numbers, of dtype long.")
    one_by_one = [
        longs(
            student.relative_position_bucket(
                relative_position=relative.flatten()[i : i + 1],
                bidirectional=bidirectional,
                n_buckets=12,
                max_distance=30,
            ),
            1,
        )
        for i in range(relative.numel())
    ]
    assert relative.numel() == 1 or len(torch.cat(one_by_one).unique()) > 1
    assert int(torch.cat(one_by_one).min()) >= 0  # which buckets they are is for the other checks to say
    expect_equal(found, torch.cat(one_by_one).view(shape))


# ---- shift_right

ROWS = [6, 2, 4, 1, 5]  # labels that are asked for, row by row


def label_rows(seed, asked, T, *, first=3, V=90):
    labels = texts(seed, len(asked), T, V, first=first)
    return labels.masked_fill(torch.arange(T) >= torch.tensor(asked)[:, None], -100)


@check(
    "every row begins with the start token",
    points=0.5,
    hint="In front of each row's labels comes start_id, which may be any token: column 0 is start_id in every row.",
)
@pytest.mark.parametrize(("start_id", "pad_id"), [(1, 0), (0, 0), (0, 1), (77, 91)])
def test_shift_right__begins_with_the_start(student, start_id, pad_id):
    labels = label_rows(1, [6, 6, 6], 6)
    found = _rows(student.shift_right(labels, start_id, pad_id))
    first = found[:, 0]
    if start_id != pad_id:
        say(not (first == pad_id).all(), "The rows begin with pad_id: they should begin with start_id.")
    say(
        not (first[0] == start_id and (first[1:] != start_id).all()),
        "Only the first row begins with start_id: every row is a target of its own.",
    )
    expect_equal(first, torch.full_like(first, start_id))
    alone = _rows(student.shift_right(labels[:, :1], start_id, pad_id))
    expect_equal(
        alone[:, :1].tolist(),
        [[start_id]] * 3,
        misconceptions={"Of rows with one label the start token alone is read, not the label.": labels[:, :1].tolist()},
    )
    say(found.shape[1] >= 6, "A column is missing: the start token takes the place of the last label, not of others.")
    assert not found[:, 1:].eq(start_id).all()


def _rows(found):
    if not isinstance(found, torch.Tensor) or found.ndim != 2:
        raise Mismatch("A tensor [B,T] is expected.")
    return found


@check(
    "behind it come the row's labels, without the last",
    points=0.5,
    hint="Each label moves one place to the right in its own row: result[b, t] is labels[b, t - 1]. The last label is "
    "never read.",
)
@pytest.mark.parametrize(("B", "T"), [(3, 6), (1, 9), (5, 2), (4, 1)])
def test_shift_right__moves_one_to_the_right(student, B, T):
    labels = label_rows(2, [T] * B, T)
    found = _rows(student.shift_right(labels, 1, 0)).long()  # its dtype has a check of its own
    say(tuple(found.shape) != (B, T + 1), "There is one column too many: the last label is dropped.")
    start = torch.full((B, 1), 1)
    wrong = {
        "The labels moved to the left: the decoder would read tokens that it is asked for later.": torch.cat(
            [labels[:, 2:], start], 1
        ),
        "Nothing moved: at each position the decoder would read the very token that it is asked for.": labels[:, 1:],
        "The labels moved by two places.": torch.cat([start, labels[:, :-2]], 1),
        "The rows were joined before the shift: each row moves by itself.": torch.cat(
            [start.flatten()[:1], labels.flatten()[:-1]]
        ).view(B, T)[:, 1:],
    }
    usable = {hint: value for hint, value in wrong.items() if not value.equal(labels[:, :-1])}
    if T > 1:
        expect_equal(found[:, 1:], labels[:, :-1], misconceptions=usable)
    else:
        expect_equal(tuple(found.shape), (B, 1))


@check(
    "each -100 becomes pad_id",
    points=0.5,
    hint="-100 is no token, and the embedding has no such row: it becomes pad_id, which may be any id. No label that "
    "is a token changes, not even one of id 0.",
)
@pytest.mark.parametrize(("start_id", "pad_id"), [(1, 0), (92, 91), (0, 5)])
def test_shift_right__reads_padding_where_nothing_is_asked(student, start_id, pad_id):
    labels = label_rows(3, ROWS, 7)
    labels[0, 1:3], labels[2, 0] = torch.tensor([0, 2]), -100  # small ids are tokens; nothing asked at a row's start
    found = _rows(student.shift_right(labels, start_id, pad_id)).long()
    ignored = labels[:, :-1] == -100
    expected = labels[:, :-1].clone()
    expected[ignored] = pad_id
    say(found.shape[1] < 7 or not (found[:, 1:][:, -6:][ignored] == -100).all(), "-100 is still there.")

    def filled(value):
        return labels[:, :-1].masked_fill(ignored, value)

    slips = {
        "-100 became 0: it should become the argument pad_id.": filled(0),
        "-100 became start_id: it should become pad_id.": filled(start_id),
        "A token of id 0 became pad_id: only -100 does.": expected.masked_fill(labels[:, :-1] == 0, pad_id),
    }
    # Where the labels themselves did not move, that is another check's business.
    for columns in (found[:, 1:], found[:, :-1], found[:, 1:-1]):
        if columns.shape == expected.shape and columns.equal(expected):
            return
    unmoved = labels.masked_fill(labels == -100, pad_id)
    if found.shape == unmoved.shape and (found[:, 1:].equal(unmoved[:, 1:]) or found[:, :-1].equal(unmoved[:, 1:])):
        return
    expect_equal(found[:, 1:], expected, misconceptions={k: v for k, v in slips.items() if not v.equal(expected)})


@check(
    "gives whole numbers and leaves the labels alone",
    points=0.5,
    hint="Make a new long tensor: a slice of labels is no copy, and what is written into it is written into labels.",
)
@pytest.mark.parametrize(("B", "T"), [(5, 7), (2, 12), (3, 4)])
def test_shift_right__leaves_the_labels_alone(student, B, T):
    labels = label_rows(4, [max(1, T - 2 * b) for b in range(B)], T)
    result, afterwards = named(student, "shift_right", labels=labels.clone(), start_id=89, pad_id=88)
    expect_equal(afterwards[0], labels)
    found = _rows(result)
    say(not found.is_floating_point(), "Token ids are whole numbers: keep the dtype of labels.")
    say(found.dtype == torch.long, "Token ids are of dtype long.")
    asked = set(labels[labels >= 0].tolist())
    assert 2 * len(asked & set(found.flatten().tolist())) >= len(asked)  # what comes back is made of the labels
    assert tuple(found.shape) != (B, T) or not found.equal(labels)  # something was computed


# ---- seq2seq_loss


def costs(logits, labels):
    """-log p of every label that is asked for, one list a row, each softmax written out."""
    found = []
    for row_logits, row in zip(logits.double().tolist(), labels.tolist(), strict=True):
        row_costs = []
        for scores, label in zip(row_logits, row, strict=True):
            if label != -100:
                top = max(scores)
                row_costs.append(math.log(sum(math.exp(z - top) for z in scores)) + top - scores[label])
        found.append(row_costs)
    return found


def expected_loss(logits, labels):
    flat = [cost for row in costs(logits, labels) for cost in row]
    return sum(flat) / len(flat)


def number(result):
    """The loss, whatever its shape, as long as it is one number: the shape has a check of its own."""
    if not isinstance(result, torch.Tensor | float) or (isinstance(result, torch.Tensor) and result.numel() != 1):
        raise Mismatch("A single number is expected.")
    return float(result)


def nll(logits, labels):
    return functional.cross_entropy(logits.flatten(0, -2), labels.flatten()).item()


def apart(slips, expected):
    """Slips whose value differs from the right one here."""
    return {hint: value for hint, value in slips.items() if not math.isclose(value, expected, rel_tol=1e-4)}


@check(
    "logits at t are compared with the label at t",
    points=0.5,
    hint="No shift: shift_right made the decoder's input, so that logits and labels stand side by side. Average -log "
    "softmax at the labels, in nats.",
)
@pytest.mark.parametrize(("B", "T", "V"), [(3, 6, 7), (2, 4, 11), (1, 9, 5)])
def test_seq2seq_loss__compares_side_by_side(student, B, T, V):
    logits, labels = numbers(10, B, T, V) * 2, texts(11, B, T, V, first=1)
    expected = expected_loss(logits, labels)
    slips = {
        "The labels are shifted again: here logits at t are the guess at the label at t.": nll(
            logits[:, :-1], labels[:, 1:]
        ),
        "The logits are shifted against the labels: here both stand at t.": nll(logits[:, 1:], labels[:, :-1]),
        "That is the sum: divide by the number of labels that are asked for.": expected * B * T,
        "The last label of each row is left out: the end token counts as much as any word.": nll(
            logits[:, :-1], labels[:, :-1]
        ),
        "That is in bits: use the natural logarithm.": expected / math.log(2),
        "That is the perplexity: the loss is its logarithm.": math.exp(expected),
        "The sign is missing: a loss is minus the log-probability.": -expected,
        "Logits are not log-probabilities: a log-softmax is missing.": -logits.gather(2, labels[:, :, None])
        .mean()
        .item(),
        "The softmax is taken twice: cross_entropy takes plain logits.": nll(logits.softmax(-1), labels),
        "reshape does not swap axes: cross_entropy wants V on the second axis, so transpose, or flatten B and T.": (
            functional.cross_entropy(logits.reshape(B, V, T), labels).item()
        ),
        "The softmax runs over the positions: it belongs over the tokens, the last axis.": -logits.log_softmax(1)
        .gather(2, labels[:, :, None])
        .mean()
        .item(),
    }
    expect_close(number(student.seq2seq_loss(logits, labels)), expected, misconceptions=apart(slips, expected))


@check(
    "labels of -100 are left out, and every other label counts the same",
    points=0.5,
    hint="Add up over the labels that are not -100, over all rows, and divide by how many there are. 0 is a label as "
    "any other.",
)
@pytest.mark.parametrize("first", [1, 0])
def test_seq2seq_loss__leaves_ignored_labels_out(student, first):
    logits, labels = numbers(12, 5, 7, 9) * 2, label_rows(13, ROWS, 7, first=first, V=3 if first == 0 else 9)
    # Each row alone, without its -100: a slip in pairing or unit is paid for in the check before.
    alone = [number(student.seq2seq_loss(logits[b : b + 1, :n], labels[b : b + 1, :n])) for b, n in enumerate(ROWS)]
    assert max(alone) - min(alone) > 1e-3  # or nothing was computed
    expected, n = sum(loss * n for loss, n in zip(alone, ROWS, strict=True)) / sum(ROWS), sum(ROWS)
    slips = {
        "The sum leaves -100 out, but the count does not: divide by the number of labels that are asked for.": (
            expected * n / labels.numel()
        ),
        "That averages the rows' losses, so that a label of a short row counts more.": sum(alone) / len(alone),
        "Labels of -100 are counted as if they were token 0.": nll(logits, labels.clamp(min=0)),
        "Labels of -100 are counted as if they were the last token.": nll(logits, labels.clamp(min=-1) % 9),
    }
    found = number(student.seq2seq_loss(logits, labels))
    if first == 0:
        without = expected_loss(logits, labels.masked_fill(labels == 0, -100))
        say(not math.isclose(found, without, rel_tol=1e-6), "Label 0 is left out: it is a token as any other.")
    expect_close(found, expected, misconceptions=apart(slips, expected))
    turned = number(student.seq2seq_loss(logits.flip(1), labels.flip(1)))  # what is not asked comes first
    say(
        math.isclose(turned, found, rel_tol=1e-5),
        "A label of -100 may stand anywhere in a row: do not take what is not asked to be at its end.",
    )


@check(
    "never reads the logits of labels that are left out, and stays finite where logits are large",
    points=0.5,
    hint="Logits where the label is -100 must make no difference at all, however large; and a log of a softmax "
    "overflows where log_softmax does not.",
)
@pytest.mark.parametrize("poison", [1e4, -1e4])
def test_seq2seq_loss__never_reads_what_is_not_asked(student, poison):
    logits, labels = numbers(14, 5, 7, 6) * 600, label_rows(15, ROWS, 7, first=0, V=6)
    loss = number(student.seq2seq_loss(logits, labels))
    assert math.isfinite(loss)
    assert abs(loss - number(student.seq2seq_loss(-logits, labels))) > 1e-3  # those that are asked for are read
    spikes = poison * (torch.arange(6) % 2).to(logits)  # not the same on every token: a softmax would notice
    poisoned = torch.where((labels != -100)[:, :, None], logits, spikes)
    expect_close(number(student.seq2seq_loss(poisoned, labels)), loss)


@check(
    "sends gradients to the logits, keeps the dtype, leaves its inputs alone",
    points=0.5,
    hint="The result is a tensor without axes, in the dtype of logits, that gradients flow through: no .item(), no "
    ".detach(). What came in is left as it was.",
)
def test_seq2seq_loss__sends_gradients(student):
    labels, V = label_rows(16, ROWS, 7, first=1, V=8), 8
    logits, way = numbers(17, 5, 7, V).requires_grad_(), 1e-4 * numbers(19, 5, 7, V)
    for dtype in (torch.float32, torch.float64):
        given = numbers(18, 5, 7, V, dtype=dtype)
        loss, afterwards = named(student, "seq2seq_loss", logits=given.clone(), labels=labels.clone())
        say(isinstance(loss, torch.Tensor) and loss.ndim == 0, "The result is a tensor without axes: its shape is ().")
        say(loss.dtype == dtype, "The result has another dtype than the logits.")
        same = afterwards[0].equal(given) and afterwards[1].equal(labels)
        say(same, "Logits or labels are changed by the call: work on a copy, their owner still needs them.")
    (got,) = torch.autograd.grad(student.differentiable("seq2seq_loss")(logits, labels).sum(), logits)
    # Against the student's own values: a slip in what is compared or counted is paid for in the checks before.
    ahead, back = (number(student.seq2seq_loss(logits.detach() + sign * way, labels)) for sign in (1, -1))
    assert got.abs().max() > 1e-6
    expect_close((got * way).sum() / 1e-4, (ahead - back) / 2e-4)


# ---- fill_spans

V = 23
START, EOS = 20, 19


def row_of_logits(best, sharp):
    """[1,T,V]: highest at each position's best token; the larger `sharp`, the less is left for the others."""
    return functional.one_hot(best, V)[None] * sharp - 5.0 + 0.01 * torch.arange(V)


class Chain:
    """A model in which `writes` follow each other; behind any other token the first of them comes.

    What comes next depends on the token read alone. Even the best token has a small probability.
    """

    def __init__(self, writes):
        follows = dict(zip(writes[:-1], writes[1:], strict=True)) | {writes[-1]: writes[-1]}
        self.follows = torch.tensor([follows.get(token, writes[0]) for token in range(V)])
        self.n_calls = 0

    def __call__(self, inputs, decoder_ids):
        self.n_calls += 1
        return row_of_logits(self.follows[decoder_ids.long().flatten()], sharp=1.0)


class Script:
    """A model that says `writes` one after the other, the last for ever, whatever it reads.

    So slips in what is handed over have a check of their own. Asked the same question again it gives the same answer.
    Behind earlier tokens stands the same token, so that it makes no difference which position is read; or, with `echo`,
    what the decoder went on to read there, as in a causal model that sticks to what it wrote.
    """

    def __init__(self, writes, *, echo=False):
        self.writes, self.echo, self.calls, self.said = writes, echo, [], -1

    def __call__(self, inputs, decoder_ids):
        self.said += not (self.calls and self.calls[-1][1].equal(decoder_ids))
        self.calls.append((inputs, decoder_ids))
        best = torch.full((decoder_ids.numel(),), self.writes[min(self.said, len(self.writes) - 1)])
        if self.echo:
            best[:-1] = decoder_ids.long().flatten()[1:]
        return row_of_logits(best, sharp=40.0)


def written(student, model, limit, start=START, inputs=(5, 22, 6, 7)):
    """Targets, as a list, that are written with this model."""
    targets = student.fill_spans(model, torch.tensor(inputs), start, EOS, limit)
    if not isinstance(targets, torch.Tensor | list | tuple):
        raise Mismatch("The tokens written are expected, as a tensor.")
    return torch.as_tensor(targets).flatten().tolist()


def scripted(student, writes, right, limit, **others):
    """As `written`, with either Script: the one that gives `right`, if one does; then how it was read is no matter."""
    found = written(student, Script(writes), limit, **others)
    if found != right and written(student, Script(writes, echo=True), limit, **others) == right:
        return right
    return found


TWICE = [9, 3, 3, 15, 15, 15, EOS]
FIRST = "The logits at the wrong position are read: the next token follows the last one, [0, -1]."


def slips_of(writes, limit):
    """What the usual slips give where these tokens, the last one for ever, are most probable one after the other."""
    endless = [*writes, *[writes[-1]] * limit][:limit]
    stop = endless.index(EOS) + 1 if EOS in endless else limit
    right = endless[:stop]
    return right, {
        "The start token is no part of the result: leave out the first column.": [START, *right],
        "The end token is missing: where it comes, it is the last token of the result.": [t for t in right if t != EOS],
        "Nothing may be written behind the end token.": endless,
        "One token too many: max_new_tokens counts the tokens written.": [*writes, *[writes[-1]] * (limit + 1)][
            : limit + 1
        ],
        "One token too few: max_new_tokens counts the tokens written, not the start token.": endless[: limit - 1],
    }


@check(
    "writes the most probable token, again and again",
    points=0.5,
    hint="Ask the model with all that was written, take the argmax of the logits at the last position, put it behind "
    "the others, and ask again.",
)
@pytest.mark.parametrize("writes", [[9, 3, 15, 22, 8, 11], [4, 1, 17, 12, 18, 6]])
def test_fill_spans__writes_the_most_probable_token(student, writes):
    model = Chain(writes)
    found = written(student, model, 12)
    say(found or model.n_calls, "Nothing was written.")
    # How the text ends, and whether the start token is given back, are other checks' business.
    found = found[1:] if found[:1] == [START] else found
    say(found[:3] != [writes[0]] * 3, FIRST)
    least = row_of_logits(torch.tensor(writes[:1]), sharp=1.0)[0, 0].argmin().item()
    say(found[:3] != [least] * 3, "The least probable tokens are written: take the argmax.")
    expect_equal(found[:5], writes[:5])


@check(
    "each call reads the inputs, and the start token with all that was written",
    points=0.5,
    hint="The decoder reads start_id first, and then every token written so far, in order, as [1,T]; the inputs are "
    "the same at every call, as [1,S].",
)
def test_fill_spans__reads_all_that_was_written(student):
    writes, inputs = [9, 3, 15, 8, EOS], torch.tensor([5, 22, 6, 7, 18])
    expected = [[START, *writes[:t]] for t in range(5)]
    for model in (Script(writes, echo=True), Script(writes)):
        student.fill_spans(model, inputs, START, EOS, 12)
        if [ids.tolist() for _, ids in model.calls[:5]] == [[row] for row in expected]:
            break  # so that a slip in the position that is read is not paid for here
    say(model.calls, "The model is not asked at all.")
    for read, ids in model.calls:
        say(read.ndim == 2 and ids.ndim == 2, "The model takes rows of a batch: inputs [1,S] and decoder_ids [1,T].")
        say(not ids.is_floating_point(), "Token ids are whole numbers.")
    rows = [ids[0].tolist() for _, ids in model.calls]
    say(rows[0] != [], "The first call has nothing to read: the decoder begins with the start token.")
    say(
        not all(len(row) == 1 for row in rows),
        "Only the last token is handed over: the model remembers nothing, so hand over all that was written.",
    )
    begins = rows[0] if rows[0][0] != START else rows[0][1:]
    say(begins[:5] != inputs.tolist(), "The decoder begins with the start token, not with the inputs.")
    say(rows[0][0] == START, "The decoder begins with another token than start_id.")
    say(len(model.calls) > 1, "The model is asked once only: ask it again for every token.")
    expect_equal(rows[:5], expected)
    for read, _ in model.calls:
        say(read.equal(inputs[None]), "The model is handed other inputs than those given: all of them, end token too.")


@check(
    "stops behind the end token, and keeps it",
    points=0.5,
    hint="Where eos_id is written the text is over; eos_id is its last token. It is the argument that says which token "
    "that is.",
)
@pytest.mark.parametrize("writes", [[9, 3, 15, EOS, 8, 11], [EOS, 4], [2, 1, 0, 22, 18, EOS], TWICE])
def test_fill_spans__stops_behind_the_end(student, writes):
    right, slips = slips_of(writes, 9)
    found = scripted(student, writes, right, 9)
    if found[:1] == [START]:
        found = found[1:]
    say(writes != TWICE or found not in (TWICE[:2], TWICE[:3]), "A token may come twice running: only eos_id ends.")
    expect_equal(found, right, misconceptions={hint: value for hint, value in slips.items() if value != right})


@check(
    "writes no more than max_new_tokens",
    points=0.5,
    hint="Without an end token exactly max_new_tokens tokens are written; the start token does not count.",
)
@pytest.mark.parametrize("limit", [1, 2, 5, 8])
def test_fill_spans__writes_no_more_than_it_may(student, limit):
    writes = [9, 3, 15, 8, 11, 1, 2, 4, 6, 10]
    right, slips = slips_of(writes, limit)
    found = scripted(student, writes, right, limit)
    if found[:1] == [START] and len(found) > 1:
        found = found[1:]
    expect_equal(found, right, misconceptions={hint: value for hint, value in slips.items() if value != right})


@check(
    "takes any start and end token, also the same one for both",
    points=0.5,
    hint="start_id and eos_id are arguments: no id is built in. Look for eos_id in what was written: the start token, "
    "or one in the inputs, ends nothing.",
)
@pytest.mark.parametrize(
    ("start", "writes"), [(EOS, [9, 3, EOS]), (0, [2, 1, EOS]), (1, [0, 2, 20, EOS]), (20, [9, 20, 3, 20, 4, EOS])]
)
def test_fill_spans__takes_any_start_and_end(student, start, writes):
    right = writes[: writes.index(EOS) + 1]
    found = scripted(student, writes, right, 7, start=start, inputs=(5, EOS, 2, 1, 7))
    if len(found) == len(right) + 1 and found[0] == start:
        found = found[1:]
    if found[: len(right)] == right:
        return  # how the text ends is for other checks to say
    say(found[-1:] != [start] or start == EOS, "The start token ends nothing, not even where the model writes it.")
    say(found or start != EOS, "The start token was taken for the end of the text: look at what was written only.")
    if found == right[:-1]:
        return  # the end token left out: paid for elsewhere
    expect_equal(found, right)


@check(
    "gives a row of whole numbers, without the start token, and leaves the inputs alone",
    points=0.5,
    hint="The result is a long tensor [T'], one axis: the tokens written, not the start token. Do not write into "
    "inputs.",
)
@pytest.mark.parametrize("S", [1, 6])
def test_fill_spans__gives_a_row(student, S):
    inputs = torch.arange(S) + 4
    writes = [9, 3, 15, 8]
    result, afterwards = named(
        student,
        "fill_spans",
        model=Script(writes),
        inputs=inputs.clone(),
        start_id=START,
        eos_id=EOS,
        max_new_tokens=4,
    )
    expect_equal(afterwards[1], inputs)
    if not isinstance(result, torch.Tensor):
        raise Mismatch("A tensor is expected, not a list.", misconception=True)
    say(result.ndim == 1, "The result has one axis, [T']: take row 0.")
    say(not result.is_floating_point(), "Token ids are whole numbers: dtype long.")
    say(result.dtype == torch.long, "Token ids are of dtype long.")
    say(int(result[0]) != START, "The start token is no part of the result: leave out the first column.")
    assert set(result.tolist()) <= set(writes)  # which of them where is for the other checks to say
    assert len(result) <= 5
