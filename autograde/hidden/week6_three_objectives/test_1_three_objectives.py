"""Hidden tests of week 6, notebook 1: arithmetic that a table can be checked with, and invariants of each quantity."""

import math
from fractions import Fraction

import pytest

from autograde.rubric import Mismatch, StudentError, check, expect_close


def named(student, name, **arguments):
    """(result, arguments afterwards) of the student's function, called with all arguments by name."""
    try:
        return student.call(name, keep_arguments=True, **arguments)
    except StudentError as error:
        if error.kind == "TypeError" and f"{name}() got an unexpected keyword argument" in error.message:
            sentence = "Keep the names of the arguments: whoever calls the function may use them."
            raise Mismatch(sentence, misconception=True) from None
        raise


# ---- training_flops


@check(
    "six operations for each parameter and token",
    points=0.5,
    hint="2 for each parameter and token forward, 4 backward: 6 N D.",
)
@pytest.mark.parametrize(("n_params", "n_tokens"), [(7, 11), (446_976, 930), (13, 1)])
def test_training_flops__counts_six(student, n_params, n_tokens):
    product = n_params * n_tokens
    slips = {
        "That is the forward pass alone, 2 N D: training goes backward too.": 2 * product,
        "That is the backward pass alone, 4 N D: the forward pass costs 2 more.": 4 * product,
        "One operation for each parameter and token is too few: a multiplication and an addition, and then backward.": (
            product
        ),
        "The backward pass costs twice the forward pass, since it makes two gradients: 2 + 4, not 2 + 2 or 1 + 2.": (
            3 * product
        ),
        "A multiplication and an addition are counted, then counted again: 2 forward and 4 backward make 6.": (
            12 * product
        ),
        "That is 8 N D, which is what a training costs that computes the forward pass twice (checkpointing).": (
            8 * product
        ),
        "N and D are multiplied: each parameter meets each token.": 6 * (n_params + n_tokens),
        "That is in petaflops or the like: plain FLOPs are asked for.": 6 * product / 1e15,
    }
    expect_close(student.training_flops(n_params, n_tokens), float(6 * product), misconceptions=slips)


@check(
    "grows in proportion to both",
    points=0.5,
    hint="Three times the parameters cost three times as much, and so do three times the tokens; no tokens, no price.",
)
def test_training_flops__is_proportional(student):
    once = _above_zero(student.training_flops(90, 70))
    for factor in (3, 17):
        expect_close(student.training_flops(90 * factor, 70), factor * once)
        expect_close(student.training_flops(90, 70 * factor), factor * once)
    expect_close(student.training_flops(90, 0), 0.0)
    expect_close(named(student, "training_flops", n_tokens=70, n_params=90)[0], once)


@check(
    "holds the largest trainings",
    points=0.5,
    hint="The number may be far above 10^23: no whole numbers of a fixed size, no single precision.",
)
@pytest.mark.parametrize(("n_params", "n_tokens"), [(175e9, 300e9), (405_000_000_000, 15_600_000_000_000)])
def test_training_flops__holds_large_numbers(student, n_params, n_tokens):
    unit = _above_zero(student.training_flops(1, 1))
    expect_close(student.training_flops(n_params, n_tokens), unit * float(n_params) * float(n_tokens), rtol=1e-9)


@check(
    "takes averages as they are",
    points=0.5,
    hint="A mean number of tokens is no whole number: do not round it, and do not cut it off.",
)
def test_training_flops__takes_averages(student):
    unit = _above_zero(student.training_flops(1000, 1)) / 1000
    for n_params, n_tokens in [(10, 57.745), (1, 0.25), (12.5, 8)]:
        slips = {
            "Parameters are cut off or rounded: their number may be an average too.": unit * int(n_params) * n_tokens,
            "Tokens are cut off to a whole number.": unit * n_params * int(n_tokens),
            "Tokens are rounded to a whole number.": unit * n_params * round(n_tokens),
            "The product is rounded to a whole number.": float(round(unit * n_params * n_tokens)),
            "The product is cut off to a whole number.": float(int(unit * n_params * n_tokens)),
        }
        expected = unit * n_params * n_tokens
        slips = {hint: value for hint, value in slips.items() if not math.isclose(value, expected)}
        expect_close(student.training_flops(n_params, n_tokens), expected, misconceptions=slips)


def _above_zero(value):
    """The student's value as a float; a price of nothing, or no number at all, is no price."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        try:
            value = float(value)
        except (TypeError, ValueError):
            raise Mismatch("A number above 0 is expected where something is trained.") from None
        if not value > 0:
            raise Mismatch("A number above 0 is expected where something is trained.")
    return float(value)


# ---- targets_per_sequence


def noise_tokens(length, rate):
    """T5's count in exact arithmetic: rounding half to even, by Python's own rule for fractions."""
    if length == 1 or rate == 0:
        return 0
    return min(max(round(Fraction(rate).limit_denominator(1000) * length), 1), length - 1)


def targets_of(student, *arguments, **named_arguments):
    """The student's count; he has to count without the course's package, which is not there where he is graded."""
    try:
        return student.targets_per_sequence(*arguments, **named_arguments)
    except StudentError as error:
        if error.kind in ("ImportError", "ModuleNotFoundError"):
            sentence = "The course's package is not there when you are graded: compute the number yourself."
            raise Mismatch(sentence, misconception=True) from None
        raise


@check(
    "causal: every token but the first",
    points=0.25,
    hint="Nothing is hidden, and nobody asks for the first token: length - 1, whatever the rate.",
)
def test_targets_per_sequence__causal(student):
    for length in (2, 5, 64, 513):
        slips = {
            "The first token has nothing before it to be predicted from: it is no target.": length,
            "The first token is no target, but the last one is: length - 1.": length - 2,
            "A causal model is asked for every token, not for a share of them.": 0.15 * length,
            "A causal model is asked for every token, not for a share of them: the rate is not its own.": 0.15
            * (length - 1),
        }
        expect_close(targets_of(student, "causal", length), length - 1, misconceptions=slips)
        expect_close(targets_of(student, "causal", length, rate=0.4), length - 1)
    expect_close(targets_of(student, "causal", 1), 0)


@check(
    "masked: rate times length, not rounded",
    points=0.5,
    hint="Each token is a coin of its own, so the average is rate x length, exactly.",
)
@pytest.mark.parametrize(("length", "rate"), [(30, 0.15), (64, 0.4), (7, 0.15), (1, 0.15), (3, 1.0), (9, 0.0)])
def test_targets_per_sequence__masked(student, length, rate):
    expected = rate * length
    slips = {
        "An average may be below 1: nothing is bounded here.": max(1, expected),
        **(
            {"A text of one token still offers `rate` targets on average: only spans need two.": 0}
            if length == 1
            else {}
        ),
        "An average is not rounded: only the spans have a fixed whole number of noise tokens.": round(expected),
        "An average is not cut off to a whole number.": int(expected),
        "The expected number is not bounded: a text may lose no word at all, and a short one all.": noise_tokens(
            length, rate
        ),
        "Every token that was chosen is a target, whatever the model sees there: not only the 80% that show [MASK].": (
            0.8 * expected
        ),
        "These are the tokens that stay visible.": length - expected,
        "Every token may be chosen, the first one too: rate x length, not rate x (length - 1).": rate * (length - 1),
        "Only the chosen tokens are targets, not all of them.": length,
        "The rate is an argument: 0.15 is only what it is when nothing is said.": 0.15 * length,
    }
    slips = {hint: value for hint, value in slips.items() if not math.isclose(value, expected, abs_tol=1e-9)}
    expect_close(targets_of(student, "masked", length, rate), expected, misconceptions=slips)
    if rate == 0.15:
        unsaid = targets_of(student, "masked", length)
        expect_close(unsaid, expected, misconceptions={"Where no rate is given it is 0.15.": unsaid})


@check(
    "span: a fixed number of noise tokens, rounded half to even",
    points=0.5,
    hint="rate x length rounded as Python's round does it: 4.5 becomes 4, and 7.5 becomes 8.",
)
@pytest.mark.parametrize(("length", "rate"), [(512, 0.15), (30, 0.15), (50, 0.15), (64, 0.15), (10, 0.25), (14, 0.25)])
def test_targets_per_sequence__span(student, length, rate):
    expected = noise_tokens(length, rate)
    slips = {
        "The number of noise tokens is fixed and whole: round it.": rate * length,
        "A half goes to the even neighbour, not always up.": math.floor(rate * length + 0.5),
        "A half goes to the even neighbour, not always down.": math.ceil(rate * length - 0.5),
        "That cuts off instead of rounding.": int(rate * length),
        "That rounds up always.": math.ceil(rate * length),
        "These are the tokens that stay visible.": length - expected,
        "That is the length of the decoder's target: sentinels and the end token are no words of the text.": expected
        + max(round(expected / 3), 1)
        + 1,
        "Sentinels are counted: they are no words of the text.": expected + max(round(expected / 3), 1),
        "That is the number of spans: their tokens are asked for.": max(round(expected / 3), 1),
    }
    slips = {hint: value for hint, value in slips.items() if not math.isclose(value, expected)}
    expect_close(targets_of(student, "span", length, rate), expected, misconceptions=slips)


@check(
    "span: at least one token is noise, and at least one stays",
    points=0.25,
    hint="After rounding: at least 1, at most length - 1.",
)
@pytest.mark.parametrize(("length", "rate", "expected"), [(2, 0.15, 1), (3, 0.1, 1), (2, 0.9, 1), (5, 1.0, 4)])
def test_targets_per_sequence__span_bounds(student, length, rate, expected):
    slips = {
        "At least one token is noise, even where rate x length is rounded to 0.": 0,
        "At least one token stays visible: at most length - 1 are noise.": length,
    }
    expect_close(targets_of(student, "span", length, rate), expected, misconceptions=slips)


@check(
    "span: nothing is asked where nothing can be hidden",
    points=0.25,
    hint="A single token cannot be split into text and noise, and at rate 0 there is no noise: both give 0.",
)
def test_targets_per_sequence__span_of_nothing(student):
    if not float(targets_of(student, "span", 200)) > 0:
        raise Mismatch("A long text has noise.")
    at_least_one = {"Rate 0 and a single token have no noise at all: not even the 1 that is the least elsewhere.": 1}
    for length, rate in [(1, 0.15), (40, 0.0), (1, 1.0), (2, 0)]:
        expect_close(targets_of(student, "span", length, rate), 0, misconceptions=at_least_one)


@check(
    "the mean length of a span changes nothing",
    points=0.25,
    hint="It decides in how many spans the noise stands, not how many tokens are noise.",
)
def test_targets_per_sequence__takes_no_notice_of_the_span_length(student):
    for objective in ("span", "masked", "causal"):
        usual = targets_of(student, objective, 80, 0.2)
        if not 0 < float(usual) < float(targets_of(student, objective, 160, 0.2)):
            raise Mismatch("A text of 80 tokens has targets, and one of 160 tokens has more.")
        for mean_span_len in (1.0, 2.5, 10.0):
            came, _ = named(
                student,
                "targets_per_sequence",
                objective=objective,
                length=80,
                rate=0.2,
                mean_span_len=mean_span_len,
            )
            expect_close(came, usual)


# ---- gap_to_floor

CASES = [(0.9, 0.78), (2.25, 1.5), (0.324, 0.3), (1.2345678, 1.1)]


@check("the loss less the floor", points=0.25, hint="The difference in nats: loss - floor.")
@pytest.mark.parametrize(("loss", "floor"), CASES)
def test_gap_to_floor__is_the_difference(student, loss, floor):
    slips = {
        "That is a quotient: a gap in nats is a difference.": loss / floor,
        "That is relative to the floor: the plain difference in nats is asked for.": (loss - floor) / floor,
        "That is relative to the loss: the plain difference in nats is asked for.": (loss - floor) / loss,
        "That is in per cent: the plain difference in nats is asked for.": 100 * (loss - floor) / floor,
        "The wrong way round: a model that is worse than the ideal reader has a gap above 0.": floor - loss,
        "That is in bits: losses and gaps are in nats here.": (loss - floor) / math.log(2),
        "That is the factor between the perplexities: its logarithm is the gap.": math.exp(loss - floor),
        "Those are perplexities: the gap is the difference of the losses themselves.": math.exp(loss) - math.exp(floor),
        "The difference is squared.": (loss - floor) ** 2,
    }
    slips |= {f"The gap is rounded to {n} digits: it is asked for as it is.": round(loss - floor, n) for n in (2, 3, 4)}
    slips = {hint: value for hint, value in slips.items() if not math.isclose(value, loss - floor, rel_tol=1e-6)}
    expect_close(student.gap_to_floor(loss, floor), loss - floor, misconceptions=slips)


@check(
    "is negative below the floor",
    points=0.25,
    hint="A loss below the floor is to be seen: neither cut off at 0 nor with its sign taken away.",
)
def test_gap_to_floor__may_be_negative(student):
    below, above = student.gap_to_floor(0.5, 0.75), student.gap_to_floor(1.0, 0.75)
    slips = {
        "A negative gap is cut off at 0: it is the sign of a leak, and must be seen.": 0.0,
        "The sign is taken away: a loss below the floor has a negative gap.": above,
    }
    if not abs(float(above)) > 0:
        raise Mismatch("Above the floor there is a gap.")
    expect_close(below, -float(above), misconceptions=slips)


@check(
    "is 0 at the floor, and nowhere else",
    points=0.25,
    hint="The ideal reader has a gap of 0, whatever its loss is.",
)
def test_gap_to_floor__is_zero_at_the_floor(student):
    for floor in (0.78, 0.324, 4.6, 0.0):
        slips = {"The ideal reader's gap is 0, not 1: take the difference, not the quotient.": 1.0}
        expect_close(student.gap_to_floor(floor, floor), 0.0, misconceptions=slips)
        if abs(float(student.gap_to_floor(floor + 0.5, floor))) < 0.01:
            raise Mismatch("Half a nat above the floor there is a gap.")


@check(
    "counts a nat the same on an easy text as on a hard one",
    points=0.25,
    hint="One nat more on loss and floor alike leaves the gap as it was; a floor of 0 is a floor as any other.",
)
def test_gap_to_floor__does_not_depend_on_the_level(student):
    usual = student.gap_to_floor(1.25, 0.5)
    if float(usual) in (0.0, float(student.gap_to_floor(2.25, 0.5))):
        raise Mismatch("Above the floor there is a gap, and a higher loss has another one.")
    for level in (-0.5, 1.0, 6.0):
        expect_close(named(student, "gap_to_floor", loss=1.25 + level, floor=0.5 + level)[0], usual)
