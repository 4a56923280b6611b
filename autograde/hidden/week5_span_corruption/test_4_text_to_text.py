"""Hidden tests of week 5, notebook 4: texts by hand, overlaps by brute force, BLEU from counts kept apart."""

import contextlib
import itertools
import math
import random

import pytest

from autograde.rubric import Mismatch, StudentError, StudentTimeout, check, expect_close, expect_equal


def named(student, name, **arguments):
    """(result, arguments afterwards) of the student's function, called with all arguments by name."""
    try:
        return student.call(name, keep_arguments=True, **arguments)
    except StudentError as error:
        if error.kind == "TypeError" and f"{name}() got an unexpected keyword argument" in error.message:
            sentence = "Keep the names of the arguments: whoever calls the function may use them."
            raise Mismatch(sentence, misconception=True) from None
        raise


# ---- as_text

FULL = {
    "story": "Nora met Tom, and they sang.",
    "english": "Nora met Tom near the bank.",
    "korean": "노라는 둑 근처에서 톰을 만났어요. ",
    "summary": " They sang together.\n",
    "question": "Who sang?",
    "answer": " Nora and Tom ",
    "number": 17,
}


def of_task(result, position):
    if not isinstance(result, tuple | list) or len(result) != 2 or not all(isinstance(text, str) for text in result):
        raise Mismatch("as_text returns two texts: the source and the target.", misconception=True)
    return result[position]


def asked(student, task, example):
    """The student's answer; an example needs no other keys than its task's."""
    try:
        return student.as_text(task, example)
    except StudentError as error:
        if error.kind == "KeyError":
            student.as_text(task, FULL | example)  # an error here too is another one
            sentence = "All three texts are built although one is asked for: the example need not have the other keys."
            raise Mismatch(sentence, misconception=True) from None
        raise


@check(
    "writes the sources with T5's prefixes",
    points=0.75,
    hint="The source of a task is its prefix, character by character as in the table, and then its text as it came.",
)
@pytest.mark.parametrize(
    ("task", "example", "expected"),
    [
        ("translate", {"english": "Two dogs ran.", "korean": "개 둘"}, "translate English to Korean: Two dogs ran."),
        ("summarize", {"story": "Ella lost a Book.", "summary": "A loss."}, "summarize: Ella lost a Book."),
        ("summarize", {"story": "", "summary": "Nothing."}, "summarize: "),
        ("summarize", {"story": " Ella lost\na {Book}. ", "summary": "A loss."}, "summarize:  Ella lost\na {Book}. "),
    ],
)
def test_as_text__writes_the_prefix(student, task, example, expected):
    text = example.get("english", example.get("story"))
    slips = {
        "A space stands behind the colon.": expected.replace(": ", ":", 1),
        "The prefix is missing: nothing would say which task it is.": text,
        "The prefixes are those of the table, not the tasks' own names.": f"{task}: {text}",
        "T5's prefix is spelt with a z: summarize.": expected.replace("summarize", "summarise"),
        "The prefix begins with a small letter.": expected[0].upper() + expected[1:],
        "The texts stay as they are: capitals and punctuation too.": expected.lower(),
        "The text stays as it is, in its prefix and behind it: nothing is stripped.": expected.strip(),
        "The text stays as it is: white space at its ends is not stripped.": expected[: len(expected) - len(text)]
        + text.strip(),
        "The text stays as it is: its line breaks and spaces too.": expected[: len(expected) - len(text)]
        + " ".join(text.split()),
        "The source is English and the target Korean.": expected.replace(text, example.get("korean", "")),
    }
    slips = {hint: wrong for hint, wrong in slips.items() if wrong != expected}
    expect_equal(of_task(asked(student, task, example), 0), expected, misconceptions=slips)
    won = {"question": "Who won?", "story": "Leo won.", "answer": "Leo"}
    for name in ("question", "story"):
        padded = won | {name: f" {won[name]}\n"}
        with contextlib.suppress(StudentError):  # without this task, another check takes the points
            if student.as_text("answer", padded) == student.as_text("answer", won):
                sentence = f"The {name} stays as it is: white space at its ends is not stripped."
                raise Mismatch(sentence, misconception=True)


@check(
    "puts the question and its context into one source",
    points=0.5,
    hint="The source is `question: `, the question, ` context: ` and the story; the answer is not part of it.",
)
@pytest.mark.parametrize(
    ("question", "story", "answer"),
    [("Who won?", "Leo won the map.", "Leo"), ("What was in the BIG bag?", "It was a kite.\nIt was red.", "kite")],
)
def test_as_text__joins_question_and_context(student, question, story, answer):
    example = {"question": question, "story": story, "answer": answer}
    slips = {
        "The question comes first, the context behind it.": f"context: {story} question: {question}",
        "The context is missing: the model could only guess.": f"question: {question}",
        "The question is missing.": f"context: {story}",
        "A space stands in front of context: and behind each colon.": f"question: {question}context: {story}",
        "A space stands behind each colon.": f"question:{question} context:{story}",
        "Question and context are one line of text.": f"question: {question}\ncontext: {story}",
        "The answer stands in the source: the model would only have to copy it.": (
            f"question: {question} context: {story} answer: {answer}"
        ),
        "This task has no prefix of its own name: its source begins with question.": (
            f"answer: question: {question} context: {story}"
        ),
        "The texts stay as they are: capitals and punctuation too.": f"question: {question} context: {story}".lower(),
        "The texts stay as they are: line breaks too.": " ".join(f"question: {question} context: {story}".split()),
    }
    expected = f"question: {question} context: {story}"
    slips = {hint: wrong for hint, wrong in slips.items() if wrong != expected}
    expect_equal(of_task(asked(student, "answer", example), 0), expected, misconceptions=slips)


@check(
    "gives the text that is wanted as the target, as it came",
    points=0.25,
    hint="The target is the Korean text, the summary or the answer: the second of the two, with nothing added.",
)
@pytest.mark.parametrize(("task", "field"), [("translate", "korean"), ("summarize", "summary"), ("answer", "answer")])
def test_as_text__gives_the_target(student, task, field):
    source = {"translate": "english"}.get(task, "story")
    others = {name: text for name, text in FULL.items() if name not in (field, "number")}
    slips = {f"That is the example's {name}, not what is wanted.": text for name, text in others.items()}
    slips |= {
        "The target has no prefix: it is only what shall be written.": f"{task}: {FULL[field]}",
        "The target stays as it is, with its capitals.": FULL[field].lower(),
        "The target stays as it is: white space at its ends is not stripped.": FULL[field].strip(),
        "The source comes first, the target second.": f"{task}: {FULL[source]}",
    }
    slips = {hint: wrong for hint, wrong in slips.items() if wrong != FULL[field]}
    result = student.as_text(task, dict(FULL))
    if of_task(result, 0) == FULL[field]:
        raise Mismatch("The source comes first, the target second.", misconception=True)
    expect_equal(of_task(result, 1), FULL[field], misconceptions=slips)


@check(
    "refuses a task that it does not know",
    points=0.25,
    hint="A task that is none of the three raises ValueError; otherwise a misspelt task would go on unnoticed.",
)
@pytest.mark.parametrize("task", ["classify", "Translate", "", "summarise", "ask"])
def test_as_text__refuses_an_unknown_task(student, task):
    try:
        student.as_text(task, dict(FULL))
    except StudentError as error:
        if error.kind == "UnsupportedValue":
            raise Mismatch(
                "If it is the error that is returned: write raise, not return.", misconception=True
            ) from None
        if error.kind != "ValueError":
            raise Mismatch("An error is raised, but not ValueError.") from None
    else:
        raise Mismatch("Nothing is raised: the result is passed on as if the task were known.", misconception=True)


@check(
    "reads what it needs and changes nothing",
    points=0.25,
    hint="An example may hold more than the task needs, and it is used again for other tasks: read from it, and do not "
    "take anything out.",
)
def test_as_text__changes_nothing(student):
    for task, needed in (("translate", "english"), ("summarize", "story"), ("answer", "question")):
        (source, _), afterwards = named(student, "as_text", task=task, example=dict(FULL))
        expect_equal(afterwards[1], FULL)
        assert FULL[needed].lower() in source.lower()


# ---- exact_match


def expect_match(student, first, second, expected):
    """The same answer in both directions: matching is symmetric."""
    for pair in ((first, second), (second, first)):
        result = student.exact_match(*pair)
        if type(result).__name__ not in ("bool", "bool_"):
            raise Mismatch("exact_match returns True or False.", misconception=True)
        if bool(result) != expected and (first, second) in TELLING:
            raise Mismatch(TELLING[first, second], misconception=True)
        expect_equal(bool(result), expected)


NOTHING = "Two empty texts match: where nothing is left on either side, both are the same nothing."
STRING = "Whole words alone are articles: he, th and n are no articles. (`in` on a string finds any part of it.)"
BESIDE = "Of two articles side by side one stays: go on looking behind the one that was left out."
OTHERS = "Only the characters of string.punctuation are deleted: other signs, such as the euro's sign, stay."
# Pairs that fail for one reason only: they stand behind those that fail for others.
TELLING = {
    ("boat 5", "boat 6"): "Digits are no punctuation: they stay.",
    ("5€", "5"): OTHERS,
    ("the a boat", "boat"): BESIDE,
    ("boat an an end", "boat end"): BESIDE,
    ("he ran", "ran"): STRING,
    ("boat n th", "boat"): STRING,
    ("The boat", "A boat"): "Make letters small before articles are looked for: The is an article as well.",
    ("the", "an"): NOTHING,
    (" ", ""): NOTHING,
    ("greenboat", "green boat"): "The words are joined without a space: words stay apart.",
}


@check(
    "compares small letters, and whole texts",
    points=0.25,
    hint="Make both texts small, then compare all of it: a part of the answer, or its words in another order, is no "
    "match.",
)
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("Green Boat", "green boat", True),
        ("LEO", "leo", True),
        ("boat", "green boat", False),
        ("boat green", "green boat", False),
        ("green green boat", "green boat", False),
        ("green boats", "green boat", False),
    ],
)
def test_exact_match__compares_small_letters(student, first, second, expected):
    expect_match(student, first, second, expected)


@check(
    "deletes punctuation, also inside words",
    points=0.25,
    hint="Every character of string.punctuation is deleted, wherever it stands, and nothing takes its place: u.s. "
    "becomes us, and it is gone before articles are looked for.",
)
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("green boat.", "green boat", True),
        ('"green", boat!', "green boat", True),
        ("well-known", "wellknown", True),
        ("well-known", "well known", False),
        ("ben's", "bens", True),
        ("boat 5", "boat 6", False),
        ("#5 @6_7 `8` ~9", "5 67 8 9", True),
        ("at 5.30", "at 5 30", False),
        ("the-end", "end", False),
        ("t.h.e end", "end", True),
        ("5€", "5", False),
    ],
)
def test_exact_match__deletes_punctuation(student, first, second, expected):
    expect_match(student, first, second, expected)


@check(
    "leaves out articles, and only whole words",
    points=0.25,
    hint="The words a, an and the are left out wherever they stand; inside another word these letters stay.",
)
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("the boat", "boat", True),
        ("an old boat", "old boat", True),
        ("a boat near the wall", "boat near wall", True),
        ("boat the", "boat", True),
        ("theatre", "atre", False),
        ("another day", "other day", False),
        ("banana", "bnn", False),
        ("bathe", "ba", False),
        ("some boat", "boat", False),
        ("the a boat", "boat", True),
        ("boat an an end", "boat end", True),
        ("he ran", "ran", False),
        ("boat n th", "boat", False),
        ("the", "an", True),
        ("The boat", "A boat", True),
    ],
)
def test_exact_match__leaves_out_articles(student, first, second, expected):
    expect_match(student, first, second, expected)


@check(
    "takes every run of white space as one space",
    points=0.25,
    hint="Tabs, line breaks and several spaces are one space, and there is none at the ends; but words stay apart.",
)
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("  green boat ", "green boat", True),
        ("green    boat", "green boat", True),
        ("green\tboat\n", "green boat", True),
        ("green \n boat", "green boat", True),
        ("greenboat", "green boat", False),
        ("in to", "into", False),
        (" ", "", True),
        ("", "boat", False),
    ],
)
def test_exact_match__takes_white_space_as_one_space(student, first, second, expected):
    expect_match(student, first, second, expected)
    named(student, "exact_match", prediction=first, answer=second)


def expect_one_of(actual, expected, others, misconceptions):
    """Pass for the expected value, and for those of slips that other checks take points for."""
    try:
        expect_close(actual, expected, misconceptions=misconceptions)
    except Mismatch:
        if not any(_is_close(actual, other) for other in others):
            raise


def _is_close(actual, expected):
    try:
        expect_close(actual, expected)
    except Mismatch:
        return False
    return True


# ---- rouge_l


def common(first, second):
    """Length of the longest common subsequence, by trying every choice of words of the shorter text."""
    short, long = sorted((first, second), key=len)
    for size in range(len(short), 0, -1):
        for chosen in itertools.combinations(short, size):
            rest = iter(long)
            if all(word in rest for word in chosen):
                return size
    return 0


def expected_rouge(prediction, reference):
    m, n = len(prediction.split()), len(reference.split())
    return 2 * common(prediction.split(), reference.split()) / (m + n) if m and n else 0.0


def shared_words(first, second):
    left = list(second)
    return sum(word in left and not left.remove(word) for word in first)


def longest_run(first, second):
    """Words of the longest unbroken run that both have."""
    return max(
        (
            length
            for i in range(len(first))
            for length in range(1, len(first) - i + 1)
            if any(first[i : i + length] == second[j : j + length] for j in range(len(second)))
        ),
        default=0,
    )


def rouge_slips(prediction, reference):
    ours, theirs = prediction.split(), reference.split()
    m, n, found = len(ours), len(theirs), expected_rouge(prediction, reference)
    L = common(ours, theirs)
    others = {
        "That is recall alone: a prediction that says everything would be perfect.": L / n,
        "That is precision alone: a prediction of one right word would be perfect.": L / m,
        "That is the mean of precision and recall; F1 is the harmonic mean.": (L / m + L / n) / 2,
        "That is the length of the common subsequence, not yet F1.": L,
        "The 2 is missing: F1 is 2 L / (m + n).": L / (m + n),
        "The result runs from 0 to 1, not to 100.": 100 * found,
        "Those are characters: words are what split() gives.": 2
        * _common_table(prediction, reference)
        / max(1, len(prediction) + len(reference)),
    }
    return {hint: value for hint, value in others.items() if abs(value - found) > 1e-6}


def _common_table(first, second):
    row = [0] * (len(second) + 1)
    for a in first:
        before = row
        row = [0]
        for j, b in enumerate(second):
            row.append(before[j] + 1 if a == b else max(before[j + 1], row[j]))
    return row[-1]


def texts(seed, m, n, words="dog cat saw the ran old sat"):
    draw = random.Random(seed)
    return [" ".join(draw.choice(words.split()) for _ in range(size)) for size in (m, n)]


@check(
    "is F1 of precision and recall",
    points=0.75,
    hint="F1 is 2 L / (m + n): both texts' lengths count, whichever is longer.",
)
@pytest.mark.parametrize(
    ("prediction", "reference"),
    [
        ("nora saw ten red boats", "nora saw ten red boats"),
        ("nora saw", "nora saw ten red boats there"),
        ("today nora saw ten red boats near there", "nora saw ten red boats"),
        ("blue nora saw", "nora saw ten red boats"),
        ("nora", "ben"),
    ],
)
def test_rouge_l__is_f1(student, prediction, reference):
    expected = expected_rouge(prediction, reference)
    expect_close(student.rouge_l(prediction, reference), expected, misconceptions=rouge_slips(prediction, reference))


@check(
    "asks for the same order",
    points=0.5,
    hint="A subsequence keeps the order of its words: words that both hold, but in another order, do not all count.",
)
@pytest.mark.parametrize(
    ("prediction", "reference"),
    [("e d c b a", "a b c d e"), ("d e f a b c", "a b c d e f"), ("e a b c d", "a b c d e")],
)
def test_rouge_l__asks_for_the_order(student, prediction, reference):
    ours, theirs = prediction.split(), reference.split()
    slips = {
        "Those are shared words, whatever their order: ROUGE-L asks for a common subsequence.": 2
        * shared_words(ours, theirs)
        / (len(ours) + len(theirs)),
        "Going through the texts once and taking each word where it comes first can miss a longer choice.": 2
        * _greedy(ours, theirs)
        / (len(ours) + len(theirs)),
    }
    expected = expected_rouge(prediction, reference)
    slips = {hint: value for hint, value in slips.items() if abs(value - expected) > 1e-6}
    expect_one_of(student.rouge_l(prediction, reference), expected, [100 * expected], slips)


def _greedy(first, second):
    at, found = 0, 0
    for word in first:
        if word in second[at:]:
            at += second[at:].index(word) + 1
            found += 1
    return found


@check(
    "lets other words stand between",
    points=0.5,
    hint="The words of a subsequence need not stand side by side, in either text.",
)
@pytest.mark.parametrize(
    ("prediction", "reference"),
    [("a x b y c", "a b c p q"), ("a b c d e k l m n", "a f b g c h d i e"), ("a x y b c z", "q a b r c s")],
)
def test_rouge_l__lets_words_stand_between(student, prediction, reference):
    ours, theirs = prediction.split(), reference.split()
    run = 2 * longest_run(ours, theirs) / (len(ours) + len(theirs))
    slips = {"That is the longest unbroken run: others may stand between the words of a subsequence.": run}
    expected = expected_rouge(prediction, reference)
    expect_one_of(student.rouge_l(prediction, reference), expected, [100 * expected], slips)


@check(
    "takes words as split() gives them, each as often as it is there",
    points=0.5,
    hint="Words are compared as they stand, capitals and punctuation included, and a word that a text holds twice can "
    "count twice.",
)
@pytest.mark.parametrize(
    ("prediction", "reference"),
    [
        ("the kite the rope the lamp", "the kite and the rope the"),
        ("a a a a", "a a b c"),
        ("Dog sat", "dog sat"),
        ("dog sat.", "dog sat"),
        ("  dog\tsat\n", "dog sat"),
        ("개는 집에 혼자 갔어요.", "개는 큰 집에 갔어요."),
    ],
)
def test_rouge_l__takes_words_as_they_stand(student, prediction, reference):
    expected = expected_rouge(prediction, reference)
    plain = [" ".join(text.lower().replace(".", "").split()) for text in (prediction, reference)]
    sets = [set(text.split()) for text in (prediction, reference)]
    slips = {
        "Capitals or punctuation were made plain; ROUGE-L takes words as they stand.": expected_rouge(*plain),
        "`split()` takes no argument here: tabs, line breaks and several spaces part words too.": 0.0,
        "A word that stands twice was counted once: those are sets.": 2
        * len(sets[0] & sets[1])
        / (len(sets[0]) + len(sets[1])),
    }
    slips = {hint: value for hint, value in slips.items() if abs(value - expected) > 1e-6}
    expect_one_of(student.rouge_l(prediction, reference), expected, [100 * expected], slips)


@check(
    "is 0.0 where a text has no words",
    points=0.25,
    hint="Without words on a side, precision or recall is 0 / 0; the result is 0.0, also where both are empty.",
)
def test_rouge_l__is_zero_without_words(student):
    for prediction, reference in (("", "old dog"), ("old dog", ""), ("", ""), (" \n", "old"), ("\t", "  ")):
        expect_close(student.rouge_l(prediction, reference), 0.0)
    assert student.rouge_l("old", "old") > 0
    named(student, "rouge_l", prediction="old", reference="dog")


@check(
    "agrees with trying every choice of words, and copes with long texts",
    points=0.5,
    hint="On random texts another number comes out, or long texts take for ever: fill a table of one entry for each "
    "pair of beginnings, the larger of two neighbours where the words differ.",
)
def test_rouge_l__agrees_with_every_choice(student):
    if float(student.rouge_l("a a a a", "x a")) in (pytest.approx(8 / 6), pytest.approx(800 / 6)):
        sentence = "On a match take the diagonal entry plus 1: the larger neighbour may have used this word already."
        raise Mismatch(sentence, misconception=True)
    for seed, size in enumerate([7, 10, 9, 3, 11, 8]):
        prediction, reference = texts(seed, size, size)
        expected, one = expected_rouge(prediction, reference), "The rows of your table are one and the same list."
        slips = {one: _one_row(prediction.split(), reference.split()) / size}
        slips = {hint: value for hint, value in slips.items() if abs(value - expected) > 1e-6}
        expect_one_of(student.rouge_l(prediction, reference), expected, [100 * expected], slips)
    first, second = (text.split() for text in texts(8, 120, 120, "a b c d e f g h i"))
    try:
        result = student.rouge_l(" ".join(first), " ".join(second))
    except StudentTimeout:
        raise Mismatch(
            "Trying every choice of words takes time without end on longer texts: fill a table.", misconception=True
        ) from None
    expected = _common_table(first, second) / len(first)
    expect_one_of(result, expected, [100 * expected], {})


def _one_row(first, second):
    """What a table made of one list, m times, ends with."""
    row = [0] * (len(second) + 1)
    for a in first:
        for j, b in enumerate(second):
            row[j + 1] = row[j] + 1 if a == b else max(row[j + 1], row[j])
    return row[-1]


# ---- bleu


def runs(text, n):
    words = text.split()
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def counts_of(predictions, references, n, *, clipped=True):
    """(matched, all) runs of n words, pair by pair, with a list from which every match is taken away."""
    matched = total = 0
    for ours, theirs in zip(predictions, references, strict=True):
        left = runs(theirs, n)
        for run in runs(ours, n):
            total += 1
            if run in left:
                matched += 1
                if clipped:
                    left.remove(run)
    return matched, total


def words_in(side):
    return sum(len(text.split()) for text in side)


def penalty(predictions, references):
    c, r = words_in(predictions), words_in(references)
    return 1.0 if c >= r else math.exp(1 - r / c)


def expected_bleu(predictions, references, *, clipped=True, orders=4, brevity=True):
    shares = [counts_of(predictions, references, n, clipped=clipped) for n in range(1, orders + 1)]
    if any(matched == 0 for matched, _ in shares):
        return 0.0
    product = math.prod(matched / total for matched, total in shares)
    return 100 * product ** (1 / orders) * (penalty(predictions, references) if brevity else 1.0)


def different(slips, expected):
    return {hint: value for hint, value in slips.items() if abs(value - expected) > 1e-4}


def _of_characters(ours, theirs):
    shares = []
    for n in range(1, 5):
        left = [theirs[i : i + n] for i in range(len(theirs) - n + 1)]
        own = [ours[i : i + n] for i in range(len(ours) - n + 1)]
        shares.append(sum(run in left and not left.remove(run) for run in own) / len(own))
    return 100 * math.prod(shares) ** 0.25 * min(1.0, math.exp(1 - len(theirs) / len(ours)))


def otherwise(predictions, references):
    """Values of students who combine the right shares in a wrong way: other checks take points for that."""
    shares = [m / t if t else 0.0 for m, t in (counts_of(predictions, references, n) for n in range(1, 5))]
    brevity = penalty(predictions, references)
    combined = [sum(shares) / 4, math.prod(shares), shares[3], math.prod(shares[:3]) ** (1 / 3)]
    values = [100 * brevity * value for value in combined] + [brevity * math.prod(shares) ** 0.25]
    return [value for value in values if value > 0]


# No word twice in a text, lengths equal, one pair: only the mean of the four shares is asked.
PLAIN = [
    (["a b c d e f g h"], ["a b c d e x y z"]),
    (["k a b c d e l f g"], ["a b c d e f g m n"]),
    (["the small boat sank near a big wall"], ["one small boat sank near a wall again"]),
]


@check(
    "is the geometric mean of four shares, times 100",
    points=0.75,
    hint="Runs of 1, 2, 3 and 4 words: divide what matched by all runs of the prediction, multiply the four shares, "
    "take the fourth root, and times 100.",
)
@pytest.mark.parametrize(("predictions", "references"), PLAIN)
def test_bleu__is_the_geometric_mean_of_four_shares(student, predictions, references):
    expected = expected_bleu(predictions, references)
    shares = [m / t for m, t in (counts_of(predictions, references, n) for n in range(1, 5))]
    slips = {
        "That is the mean of the four shares; BLEU takes their geometric mean, the fourth root of the product.": 25
        * sum(shares),
        "The fourth root is missing: multiply the shares, then take the power 1/4.": 100 * math.prod(shares),
        "BLEU runs from 0 to 100.": expected / 100,
        "Those are runs of four words only: all lengths from 1 to 4 count.": 100 * shares[3],
        "Those are single words only: runs of 2, 3 and 4 words count too.": 100 * shares[0],
        "Runs of four words are missing: n goes from 1 to 4, and range ends before its end.": expected_bleu(
            predictions, references, orders=3
        ),
        "Runs of five words are counted too: n goes from 1 to 4.": expected_bleu(predictions, references, orders=5),
        "The shares are smoothed: here nothing is added to the counts.": 100
        * math.prod((m + 1) / (t + 1) for m, t in (counts_of(predictions, references, n) for n in range(1, 5))) ** 0.25,
        "Each share is divided by the number of words; divide by the number of runs of n words, which are fewer.": 100
        * math.prod(counts_of(predictions, references, n)[0] / words_in(predictions) for n in range(1, 5)) ** 0.25,
        "Those are runs of characters: BLEU counts runs of words.": _of_characters(predictions[0], references[0]),
    }
    expect_close(student.bleu(predictions, references), expected, misconceptions=different(slips, expected))


@check(
    "counts a repeated run only as often as the reference has it",
    points=0.5,
    hint="Clip: a run that stands three times in a prediction and once in its reference is matched once.",
)
@pytest.mark.parametrize(
    ("predictions", "references"),
    [
        (["a b c d a b c d a b"], ["a b c d e f g h i j"]),
        (["the the the old dog sat on it"], ["the old dog sat on it for long"]),
        (["x y z w x y z w q"], ["x y z w x y z w v"]),
    ],
)
def test_bleu__clips_repeated_runs(student, predictions, references):
    expected = expected_bleu(predictions, references)
    sets = [len(set(runs(predictions[0], n)) & set(runs(references[0], n))) for n in range(1, 5)]
    own = [len(set(runs(predictions[0], n))) for n in range(1, 5)]
    every = [len(runs(predictions[0], n)) for n in range(1, 5)]
    slips = {
        "A repeated run counts each time, however rare it is in the reference: clip it.": expected_bleu(
            predictions, references, clipped=False
        ),
        "Repeated runs count once even where the reference has them twice: those are sets, not counts.": 100
        * math.prod(a / b for a, b in zip(sets, every, strict=True)) ** 0.25,
        "Those are sets of runs: repeated runs count as often as both texts have them.": 100
        * math.prod(a / b for a, b in zip(sets, own, strict=True)) ** 0.25,
    }
    result = student.bleu(predictions, references)
    expect_one_of(result, expected, otherwise(predictions, references), different(slips, expected))


@check(
    "makes what is too short pay, and nothing else",
    points=0.5,
    hint="The brevity penalty is e to the power of 1 - r/c where the predictions are shorter (c below r), else 1: what "
    "is too long has paid already, in its shares.",
)
@pytest.mark.parametrize(
    ("predictions", "references"),
    [
        (["a b c d e"], ["a b c d e f g"]),
        (["a b c d e f"], ["a b c d e f g h i j k l m"]),
        (["a b c d e f g h i"], ["a b c d e"]),
        (["k a b c d e l"], ["a b c d e"]),
    ],
)
def test_bleu__makes_brevity_pay(student, predictions, references):
    expected = expected_bleu(predictions, references)
    raw, c, r = expected_bleu(predictions, references, brevity=False), words_in(predictions), words_in(references)
    recall = [counts_of(predictions, references, n)[0] / len(runs(references[0], n)) for n in range(1, 5)]
    of_reference = "Runs are divided by those of the reference: that is recall. Divide by the runs of the prediction."
    slips = {of_reference: 100 * math.prod(recall) ** 0.25 * min(1.0, math.exp(1 - r / c))}
    if c >= r:
        slips["What is too long pays the penalty as well; it has paid in its shares already."] = raw * math.exp(
            1 - c / r
        )
        slips["The penalty is at most 1: a long prediction gets no bonus."] = raw * math.exp(1 - r / c)
    else:
        slips |= {
            "The brevity penalty is missing, or comes out as 1: r stands above c in 1 - r/c, and it is /, not //.": raw,
            "r and c have changed places in the brevity penalty.": raw * math.exp(1 - c / r),
            "The penalty is e to the power of 1 - r/c, not the ratio of the lengths.": raw * c / r,
            "Lengths are counted in words, not in characters.": raw
            * math.exp(1 - len(references[0]) / len(predictions[0])),
        }
    result = student.bleu(predictions, references)
    expect_one_of(result, expected, otherwise(predictions, references), different(slips, expected))


# Several pairs: what is summed first gives other numbers than what is averaged, joined or clipped together.
SUMMED = [
    (["a b c d e f g h", "p q r s t u"], ["a b c d e f x y", "p q r s v w"]),
    (["a b c d e", "v w x y z u q p"], ["a b c d e", "v w x y z k l m"]),
    (["a b c d e f g", "k l m n"], ["a b c d e", "k l m n o p"]),
    (["a b c d e f", "v w x y"], ["a b c d", "v w x y e f"]),
    (["a b", "c d e f g", ""], ["a b", "c d e f h", ""]),
]


SPLIT = "`split()` takes no argument here: an empty text has no words, not one empty word."


@check(
    "sums counts and lengths over all pairs first",
    points=0.5,
    hint="Matched runs, all runs and both lengths are summed over the pairs, and only then divided; a run of one "
    "prediction never meets another pair's reference.",
)
@pytest.mark.parametrize(("predictions", "references"), SUMMED)
def test_bleu__sums_over_pairs_first(student, predictions, references):
    expected = expected_bleu(predictions, references)
    single = [expected_bleu([ours], [theirs]) for ours, theirs in zip(predictions, references, strict=True)]
    joined = [[" ".join(side)] for side in (predictions, references)]
    shares = []
    for n in range(1, 5):
        each = [counts_of([ours], [theirs], n) for ours, theirs in zip(predictions, references, strict=True)]
        shares.append([matched / total for matched, total in each if total])
    pooled = []
    for n in range(1, 5):
        left = [run for text in references for run in runs(text, n)]
        found = [run for text in predictions for run in runs(text, n)]
        pooled.append(sum(run in left and not left.remove(run) for run in found) / max(1, len(found)))
    brevity = penalty(predictions, references)
    each_short = [penalty([a], [b]) if a else 1.0 for a, b in zip(predictions, references, strict=True)]
    slips = {
        SPLIT: expected_bleu(*([text or "0" for text in side] for side in (predictions, references))),
        "That is the mean of the pairs' own BLEU: sum the counts first.": sum(single) / len(single),
        "The pairs were joined into one text: runs must not reach from one text into the next.": expected_bleu(*joined),
        "The shares of the pairs are averaged: sum matched runs and all runs, then divide once.": 100
        * brevity
        * math.prod(sum(values) / max(1, len(values)) for values in shares) ** 0.25,
        "Runs are clipped over the whole corpus: a prediction is matched with its own reference only.": 100
        * brevity
        * math.prod(pooled) ** 0.25,
        "The brevity penalty is taken pair by pair: it belongs to the lengths of all pairs together.": expected_bleu(
            predictions, references, brevity=False
        )
        * sum(each_short)
        / len(each_short),
    }
    result = student.bleu(predictions, references)
    expect_one_of(result, expected, otherwise(predictions, references), different(slips, expected))


@check(
    "is 0.0 where some length of run has no match",
    points=0.25,
    hint="Where no run of n words matched, or no prediction has n words, for any n from 1 to 4, the result is 0.0: no "
    "logarithm of 0, no division by 0, nothing left out or smoothed.",
)
@pytest.mark.parametrize(
    ("predictions", "references"),
    [
        (["a b c x d"], ["a b c y d"]),
        (["a b c"], ["a b c"]),
        ([""], ["a b c d e"]),
        ([""], [""]),
        (["a b c d e", "f"], ["", "a b c d e"]),
        (["p q", "r s t"], ["p q", "r s t"]),
    ],
)
def test_bleu__is_zero_without_a_match(student, predictions, references):
    expect_close(student.bleu(predictions, references), 0.0)
    assert student.bleu([*predictions, "k l m n"], [*references, "k l m n"]) > 0


@check(
    "agrees on random texts, and changes nothing",
    points=0.5,
    hint="On random texts another number comes out: check clipping, lengths and sums, and that predictions come first.",
)
@pytest.mark.parametrize(("seed", "n_pairs"), [(1, 6), (2, 11), (3, 3)])
def test_bleu__agrees_on_random_texts(student, seed, n_pairs):
    draw = random.Random(seed)
    references = [texts(100 * seed + i, draw.randint(6, 15), 1)[0] for i in range(n_pairs)]
    predictions = []
    for text in references:
        words = [word for word in text.split() if draw.random() < 0.93]
        predictions.append(" ".join(word if draw.random() < 0.9 else "new" for word in [*words, *words[:1]]))
    result, afterwards = named(student, "bleu", predictions=list(predictions), references=list(references))
    if list(afterwards) != [predictions, references]:
        raise Mismatch("The lists that were handed over are changed: read from them only.", misconception=True)
    expected = expected_bleu(predictions, references)
    swapped = {"Predictions come first, references second.": expected_bleu(references, predictions)}
    expect_close(result, expected, misconceptions=different(swapped, expected))
    plain = "Words are compared as they stand: capitals and punctuation count."
    ours, theirs = (
        ["Two dogs, one cat and the Old man ran home", ""],
        ["two dogs one cat and the old man ran home", "a b c"],
    )
    expected, bare = expected_bleu(ours, theirs), [text.replace(",", "") for text in ours]
    slips = {
        SPLIT: expected_bleu([text or "0" for text in ours], theirs),
        plain: expected_bleu([text.lower() for text in ours], theirs),
        plain + " ": expected_bleu(bare, theirs),
        plain + "  ": expected_bleu([text.lower() for text in bare], theirs),
        "An empty prediction counts too: the words of its reference belong to r.": expected_bleu(ours[:1], theirs[:1]),
    }
    expect_close(student.bleu(ours, theirs), expected, misconceptions=different(slips, expected))
