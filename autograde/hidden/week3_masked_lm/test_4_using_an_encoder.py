"""Hidden tests of week 3, notebook 4: pooling, a classifier, labels for pieces, F1 over entities."""

import random

import pytest
import torch
from torch.nn import functional

from autograde.rubric import Mismatch, StudentError, check, expect_close, expect_equal

POISON = 1e4  # what stands under padding: large, but finite


def numbers(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def padded(lengths, T):
    return torch.arange(T)[None, :] < torch.tensor(lengths)[:, None]


def poisoned(hidden, mask, sign=1.0):
    return torch.where(mask.unsqueeze(-1), hidden, torch.full_like(hidden, sign * POISON))


def row_by_row(hidden, mask, reduce):
    """Each text by itself, with its padding cut off: reduce gets [T,D] and gives [D]."""
    return torch.stack([reduce(text[real]) for text, real in zip(hidden, mask, strict=True)])


TEXTS = [([3, 5, 1, 4], 5, 3), ([2, 7], 7, 4), ([1, 1, 6], 6, 2), ([2], 3, 1)]


@check(
    "cls takes the first token's vector",
    points=0.25,
    hint="“cls” is the vector of the first token of each text, hidden[:, 0], whatever else stands there.",
)
@pytest.mark.parametrize(("lengths", "T", "D"), TEXTS)
def test_pool__takes_the_first_token(student, lengths, T, D):
    mask = padded(lengths, T)
    hidden = poisoned(numbers(1, len(lengths), T, D), mask)
    others = {
        "“cls” is the first token, not the last real one.": row_by_row(hidden, mask, lambda h: h[-1]),
        "The first axis is that of the texts: take the first token of every text, hidden[:, 0].": lambda: hidden[0],
    }
    expect_close(student.pool(hidden, mask, "cls"), hidden[:, 0], misconceptions=others, axes="B D")


@check(
    "mean averages over the real tokens alone",
    points=0.5,
    hint="Set padding to 0 before the sum over T, and divide by the number of real tokens of each text, not by T.",
)
@pytest.mark.parametrize(("lengths", "T", "D"), TEXTS)
def test_pool__averages_over_real_tokens(student, lengths, T, D):
    mask, clean = padded(lengths, T), numbers(2, len(lengths), T, D)
    hidden = poisoned(clean, mask)
    cut = hidden * mask.unsqueeze(-1)
    counts = mask.sum(1, keepdim=True)
    others = {
        "Padding is averaged in: leave it out of the sum and out of the count.": hidden.mean(1),
        "The sum leaves padding out, but it is divided by T: divide by the number of real tokens.": cut.mean(1),
        "The mask is upside down: it is True on real tokens.": (hidden * ~mask.unsqueeze(-1)).sum(1)
        / (~mask).sum(1, keepdim=True).clamp(min=1),
        "Padding stays in the sum: set it to 0 first.": hidden.sum(1) / counts,
        "That is the sum. Divide it by the number of real tokens.": cut.sum(1),
        "All texts are divided by the same number; each has its own count of real tokens.": cut.sum(1)
        / counts.double().mean(),
        "The mean runs over the tokens of a text, not over its channels or over the batch.": lambda: cut.mean(0),
        "The first token counts too.": cut[:, 1:].sum(1) / (counts - 1).clamp(min=1),
    }
    expected = row_by_row(clean, mask, lambda h: h.mean(0))
    expect_close(student.pool(hidden, mask, "mean"), expected, misconceptions=others, axes="B D")


@check(
    "max is the largest real value of each channel",
    points=0.5,
    hint="Each channel by itself, over the real tokens of a text. Padding must become something that can never be the "
    "largest, such as minus infinity.",
)
@pytest.mark.parametrize("shift", [0.0, -5.0, -1e12])
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("lengths", "T", "D"), TEXTS)
def test_pool__takes_the_largest_of_each_channel(student, lengths, T, D, sign, shift):
    mask, clean = padded(lengths, T), numbers(3, len(lengths), T, D) + shift
    hidden = poisoned(clean, mask, sign)
    expected = row_by_row(clean, mask, lambda h: h.amax(0))
    cut = hidden * mask.unsqueeze(-1)
    largest = hidden.masked_fill(~mask.unsqueeze(-1), -torch.inf).norm(dim=-1).nan_to_num(posinf=0.0).argmax(1)
    others = {
        "Padding was set to 0, and 0 is larger than a channel whose real values are all negative. Use minus "
        "infinity.": cut.amax(1),
        "Padding takes part in the maximum.": hidden.amax(1),
        "Padding became a number that is only rather small: real values may be smaller. Use minus infinity.": (
            hidden.masked_fill(~mask.unsqueeze(-1), -1e9).amax(1)
        ),
        "Padding became a number that is not small enough: use minus infinity.": (
            hidden.masked_fill(~mask.unsqueeze(-1), -1e4).amax(1)
        ),
        "That is the largest magnitude; the largest value may be negative.": cut.abs().amax(1),
        "That is one token's whole vector; each channel has its own largest value.": hidden[
            torch.arange(len(lengths)), largest
        ],
        "That is the smallest value.": row_by_row(clean, mask, lambda h: h.amin(0)),
    }
    wrong = {hint: value for hint, value in others.items() if not torch.allclose(value, expected)}
    expect_close(student.pool(hidden, mask, "max"), expected, misconceptions=wrong, axes="B D")


@check(
    "keeps the dtype, changes nothing in place, lets gradients through",
    points=0.5,
    hint="The result has the dtype of hidden; hidden and mask look the same afterwards (no masked_fill_, no "
    "hidden[...] = 0); nothing is detached.",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("how", ["cls", "mean", "max"])
def test_pool__keeps_dtype_and_arguments(student, how, dtype):
    mask = padded([2, 5, 4], 5)
    hidden, before = numbers(4, 3, 5, 2, dtype=dtype), numbers(4, 3, 5, 2, dtype=dtype)
    _, (hidden_after, mask_after, _) = student.call("pool", hidden, mask, how, keep_arguments=True)
    expect_equal(hidden_after, before)
    expect_equal(mask_after, padded([2, 5, 4], 5))
    whole, everything = numbers(5, 3, 4, 2, dtype=dtype).requires_grad_(), torch.ones(3, 4, dtype=torch.bool)
    reduce = {"cls": lambda h: h[:, 0], "mean": lambda h: h.mean(1), "max": lambda h: h.amax(1)}[how]
    result = student.differentiable("pool")(whole, everything, how)
    expect_close(result, reduce(whole), check_dtype=True)
    cotangent = numbers(6, 3, 2, dtype=dtype)
    expected = torch.autograd.grad((reduce(whole) * cotangent).sum(), whole)
    expect_close(torch.autograd.grad((result * cotangent).sum(), whole), expected, rtol=1e-5)


@check(
    "refuses any other way with a ValueError",
    points=0.25,
    hint="For a `how` that is none of the three, raise ValueError: a misspelt “mean” must not become a maximum.",
)
def test_pool__refuses_another_way(student):
    hidden, mask = numbers(7, 2, 3, 4), padded([3, 2], 3)
    expect_close(student.pool(hidden, mask, how="cls"), hidden[:, 0])
    for how in ("sum", "Mean", ""):
        with pytest.raises(StudentError) as raised:
            student.pool(hidden, mask, how)
        assert raised.value.kind == "ValueError"


ENCODER = """
class Words(torch.nn.Module):
    def __init__(self, words, looks_around):
        super().__init__()
        self.words = torch.nn.Embedding.from_pretrained(words, freeze=False)
        self.looks_around = looks_around

    def forward(self, ids, mask=None):
        hidden = self.words(ids)
        if not self.looks_around:
            return hidden
        real = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
        return hidden + (hidden * real.unsqueeze(-1)).sum(1, keepdim=True)
"""
HOWS = ("cls", "mean", "max")


def words_of(seed, V, D):
    words = numbers(seed, V, D, dtype=torch.float32)
    words[0] = POISON  # the padding token
    return words


def classifier_of(student, words, n_classes, how, *, looks_around=False):
    """A classifier of the student's on an encoder of ours, and a function of its weights."""
    encoder = student.helper(ENCODER).new(words, looks_around)
    module = student.new("SentenceClassifier", encoder, words.shape[1], n_classes, how)
    return module, module.differentiable(parameters=True)


def head_of(seed, D, C):
    return {
        "head.weight": numbers(seed, C, D, dtype=torch.float32),
        "head.bias": numbers(seed + 1, C, dtype=torch.float32),
    }


def pooled(hidden, mask, how):
    reduce = {"cls": lambda h: h[0], "mean": lambda h: h.mean(0), "max": lambda h: h.amax(0)}[how]
    return row_by_row(hidden, mask, reduce)


def batch(seed, lengths, T, V):
    ids = torch.randint(1, V, (len(lengths), T), generator=torch.Generator().manual_seed(seed))
    mask = padded(lengths, T)
    return ids * mask, mask


@check(
    "has an encoder and a head, and no other parameters",
    points=0.25,
    hint="Keep the encoder as self.encoder, so that its parameters are the classifier's too, and one "
    "nn.Linear(d_model, n_classes) with bias as self.head; nothing else.",
)
@pytest.mark.parametrize("how", HOWS)
def test_SentenceClassifier__has_an_encoder_and_a_head(student, how):
    encoder = student.helper(ENCODER).new(words_of(1, 9, 5), False)
    module = student.new("SentenceClassifier", encoder=encoder, d_model=5, n_classes=3, how=how)
    listed = "lambda module: {name: list(p.shape) for name, p in module.named_parameters() if p.requires_grad}"
    found = student.helper(listed)(module)
    expect_equal(found, {"encoder.words.weight": [9, 5], "head.weight": [3, 5], "head.bias": [3]})
    kept = student.helper("lambda module, encoder: module.encoder is encoder")(module, encoder)
    assert kept, "That is a copy of the encoder."
    words, training = student.helper("lambda module: [module.encoder.words.weight.detach(), module.encoder.training]")(
        module
    )
    if not (training and torch.equal(words, words_of(1, 9, 5))):
        raise Mismatch(
            "The encoder is kept as it came: its weights and its mode are not yours to change here.", misconception=True
        )


@check(
    "gives the head's logits for the pooled text",
    points=0.25,
    hint="head(pool(encoder(ids, mask), mask, how)): one linear map on the pooled vector, and no softmax behind it.",
)
@pytest.mark.parametrize(("B", "T", "V", "D", "C"), [(3, 4, 8, 5, 2), (2, 6, 5, 3, 4), (1, 2, 7, 4, 1)])
@pytest.mark.parametrize("how", HOWS)
def test_SentenceClassifier__gives_logits(student, how, B, T, V, D, C):
    words, head = words_of(2, V, D), head_of(3, D, C)
    ids, mask = batch(4, [T] * B, T, V)
    _, forward = classifier_of(student, words, C, how)
    weights = {"encoder.words.weight": words, **head}

    def logits(way):
        return functional.linear(pooled(words[ids], mask, way), head["head.weight"], head["head.bias"])

    expected, each = logits(how), functional.linear(words[ids], head["head.weight"], head["head.bias"])
    others = {
        "These are probabilities. Return logits: cross entropy does the softmax itself.": expected.softmax(-1),
        "These are log-probabilities. Return logits: cross entropy does the softmax itself.": expected.log_softmax(-1),
        "An activation stands between pool and head: the head is one linear map.": functional.linear(
            pooled(words[ids], mask, how).tanh(), head["head.weight"], head["head.bias"]
        ),
        "No activation stands between pool and head: the head is one linear map.": functional.linear(
            pooled(words[ids], mask, how).relu(), head["head.weight"], head["head.bias"]
        ),
        "The bias is missing.": expected - head["head.bias"],
        "Pool the hidden vectors first, then apply the head: the largest logit is not the logit of the largest "
        "values.": pooled(each, mask, how),
        **{f"`how` is ignored: this is always “{way}”.": logits(way) for way in HOWS if way != how},
    }
    wrong = {hint: value for hint, value in others.items() if not torch.allclose(value, expected, rtol=1e-4)}
    result = forward(weights, ids, mask)
    if torch.is_tensor(result) and not torch.equal(forward(weights, ids, mask), result):
        raise Mismatch("The same text gets other logits each time: there is no dropout here.", misconception=True)
    expect_close(result, expected, misconceptions=wrong, axes="B C", rtol=1e-4)


@check(
    "tells the encoder and the pool what is real",
    points=0.25,
    hint="The mask goes to both: to the encoder, so that no word looks at padding, and to pool, so that padding is not "
    "counted.",
)
@pytest.mark.parametrize("looks_around", [True, False])
@pytest.mark.parametrize("how", ["mean", "max"])
def test_SentenceClassifier__hands_the_mask_on(student, how, looks_around):
    words, head = words_of(5, 6, 4), head_of(6, 4, 3)
    ids, mask = batch(7, [2, 5, 1], 5, 6)
    _, forward = classifier_of(student, words, 3, how, looks_around=looks_around)
    everything = torch.ones_like(mask)

    def logits(encoder_mask, pool_mask):
        hidden = words[ids]
        if looks_around:
            hidden = hidden + (hidden * encoder_mask.unsqueeze(-1)).sum(1, keepdim=True)
        return functional.linear(pooled(hidden, pool_mask, how), head["head.weight"], head["head.bias"])

    expected = logits(mask, mask)
    others = {
        "The encoder does not get the mask: its words look at padding.": logits(everything, mask),
        "pool does not get the mask: padding is counted.": logits(mask, everything),
        "Neither the encoder nor pool gets the mask.": logits(everything, everything),
    }
    wrong = {hint: value for hint, value in others.items() if not torch.allclose(value, expected, rtol=1e-3)}
    result = forward({"encoder.words.weight": words, **head}, ids, mask)
    expect_close(result, expected, misconceptions=wrong, rtol=1e-4)


@check(
    "lets the gradient reach the encoder",
    points=0.25,
    hint="Fine-tuning changes the encoder as well: no torch.no_grad(), no .detach(), no requires_grad_(False) in here.",
)
@pytest.mark.parametrize("how", HOWS)
def test_SentenceClassifier__lets_gradients_reach_the_encoder(student, how):
    words, head = words_of(8, 7, 3), head_of(9, 3, 2)
    ids, mask = batch(10, [4, 4], 4, 7)
    weights = {name: w.clone().requires_grad_() for name, w in {"encoder.words.weight": words, **head}.items()}
    module, forward = classifier_of(student, words, 2, how)
    assert student.helper("lambda module: all(p.requires_grad for p in module.parameters())")(module)
    leaves, cotangent = list(weights.values()), numbers(11, 2, 2, dtype=torch.float32)
    got = torch.autograd.grad((forward(weights, ids, mask) * cotangent).sum(), leaves)
    hidden = weights["encoder.words.weight"][ids]
    logits = functional.linear(pooled(hidden, mask, how), weights["head.weight"], weights["head.bias"])
    expect_close(got, torch.autograd.grad((logits * cotangent).sum(), leaves), rtol=1e-4)


@check(
    "gives special tokens -100",
    points=0.5,
    hint="Where the word id is None there is no word: the label is -100, and the result stays as long as word_ids.",
)
@pytest.mark.parametrize(
    ("word_ids", "expected"),
    [
        ([None, 2, 3, 4, None], [-100, 5, 0, 7, -100]),
        ([3, None, None], [0, -100, -100]),
        ([None, None, 1, 2, None, 4, None], [-100, -100, 6, 5, -100, 7, -100]),
    ],
)
def test_align_labels__ignores_special_tokens(student, word_ids, expected):
    tags = [9, 6, 5, 0, 7]
    others = {
        "Special tokens are missing from the result: it has one label for each piece.": [
            label for label in expected if label != -100
        ],
        "Special tokens get -100, which cross entropy leaves out; 0 would be a tag.": [
            max(label, 0) for label in expected
        ],
        "A tag of 0 is a tag like any other, and stays: ask for None, not whether the tag is true.": [
            label or -100 for label in expected
        ],
        "Special tokens get -100, not -1 or another number.": [-1 if label < 0 else label for label in expected],
        "word_ids may begin above 0: take tags[word_id], not the next tag in a row.": running_tags(word_ids, tags),
    }
    wrong = {hint: value for hint, value in others.items() if value != expected}
    expect_equal(student.align_labels(word_ids, tags), expected, misconceptions=wrong)


def running_tags(word_ids, tags):
    """What comes out when tags are taken one after the other instead of by word id."""
    labels, taken, previous = [], 0, None
    for word_id in word_ids:
        first = word_id is not None and word_id != previous
        labels.append(tags[taken] if first else -100)
        taken, previous = taken + first, word_id
    return labels


def at_words(labels, word_ids):
    """Return the labels of pieces that belong to a word: what special tokens get is another check's business."""
    if not isinstance(labels, list) or len(labels) != len(word_ids):
        return labels
    return [label for label, word_id in zip(labels, word_ids, strict=True) if word_id is not None]


def expect_at_words(student, word_ids, tags, expected, others=None):
    """Expect the labels of the words; `others` are known wrong results, by the hint for each."""
    right, labels = at_words(expected, word_ids), at_words(student.align_labels(word_ids, tags), word_ids)
    wrong = {hint: at_words(value, word_ids) for hint, value in (others or {}).items()}
    expect_equal(labels, right, misconceptions={hint: value for hint, value in wrong.items() if value != right})


@check(
    "counts word 0 as a word",
    points=0.5,
    hint="0 is the number of the first word, and only None means that there is none. `if word_id:` takes both for "
    "False.",
)
@pytest.mark.parametrize(
    ("word_ids", "tags", "expected"),
    [
        ([0], [3, 5], [3]),
        ([None, 0, 1], [4, 2], [-100, 4, 2]),
        ([None, 0, None], [1], [-100, 1, -100]),
    ],
)
def test_align_labels__counts_word_0(student, word_ids, tags, expected):
    expect_at_words(student, word_ids, tags, expected)


@check(
    "labels the first piece of a word and no other",
    points=0.75,
    hint="The tag stands on a word's first piece; its other pieces get -100.",
)
@pytest.mark.parametrize(
    ("word_ids", "tags", "expected"),
    [
        ([None, 1, 1, 2, 3, 3, 3, None], [9, 4, 5, 6], [-100, 4, -100, 5, 6, -100, -100, -100]),
        ([2, 2, 2, 2], [1, 1, 8], [8, -100, -100, -100]),
        ([None, 1, 2, 2, None], [7, 6, 3], [-100, 6, 3, -100, -100]),
    ],
)
def test_align_labels__labels_first_pieces(student, word_ids, tags, expected):
    pairs = list(zip(word_ids, [*word_ids[1:], None], strict=True))
    everywhere = [-100 if i is None else tags[i] for i in word_ids]
    last = [-100 if i is None or i == after else tags[i] for i, after in pairs]
    inside = [-100 if i is None else tags[i] if e >= 0 else 0 for i, e in zip(word_ids, expected, strict=True)]
    onward = [
        -100 if i is None else tags[i] if e >= 0 else tags[i] + 1 for i, e in zip(word_ids, expected, strict=True)
    ]
    others = {
        "Every piece carries its word's tag: a long word would count several times. Only the first piece does.": (
            everywhere
        ),
        "That is the last piece of each word: the tag stands on the first.": last,
        "Later pieces get -100, not the tag O: the model need not say anything about them.": inside,
        "Later pieces get -100, not the tag behind their word's.": onward,
        "Pieces are missing from the result: it has one label for each piece.": [
            e for i, e in zip(word_ids, expected, strict=True) if i is None or e >= 0
        ],
    }
    expect_at_words(student, word_ids, tags, expected, others)


@check(
    "keeps neighbouring words apart that share a tag",
    points=0.5,
    hint="Compare word ids, not tags: two words side by side may have the same tag, and each needs its label.",
)
@pytest.mark.parametrize(
    ("word_ids", "tags", "expected"),
    [
        ([None, 1, 2, 3, None], [5, 2, 2, 2], [-100, 2, 2, 2, -100]),
        ([4, 5], [0, 0, 0, 0, 3, 3], [3, 3]),
        ([None, 2, 3, 4, 5, None], [1, 1, 1, 1, 0, 0], [-100, 1, 1, 0, 0, -100]),
    ],
)
def test_align_labels__keeps_neighbours_apart(student, word_ids, tags, expected):
    zero = "A tag of 0 is a tag like any other, and stays: ask for None, not whether the tag is true."
    expect_at_words(student, word_ids, tags, expected, {zero: [label or -100 for label in expected]})


@check(
    "finds tags by word id where words are skipped",
    points=0.25,
    hint="Word ids may begin above 0 and skip words: the tag is tags[word_id], not the next one in a row.",
)
@pytest.mark.parametrize(
    ("word_ids", "tags", "expected"),
    [([1, 3, 6], [9, 5, 9, 4, 9, 9, 8, 9], [5, 4, 8]), ([None, 2, 4, None], [0, 0, 7, 0, 6], [-100, 7, 6, -100])],
)
def test_align_labels__finds_tags_by_word_id(student, word_ids, tags, expected):
    others = {"Tags are taken one after the other: take tags[word_id].": running_tags(word_ids, tags)}
    expect_at_words(student, word_ids, tags, expected, others)


@check(
    "leaves its arguments alone and takes texts of any kind",
    points=0.5,
    hint="Neither word_ids nor tags change (no pop, no append to them); a text of special tokens alone, or none at "
    "all, is fine; labels are plain numbers in a new list.",
)
def test_align_labels__leaves_its_arguments_alone(student):
    word_ids, tags = [None, 1, 2, 3, 3, None], [1, 0, 2, 4]
    result, afterwards = student.call("align_labels", word_ids, tags, keep_arguments=True)
    expect_equal(list(afterwards), [word_ids, tags])
    expect_equal(at_words(result, word_ids), [0, 2, 4, -100])
    expect_equal(at_words(student.align_labels(word_ids=[None, None], tags=[]), [None, None]), [])
    expect_equal(student.align_labels([], []), [])


def entities(tags):
    """Entities of one sentence by brute force: every stretch of words, kept if it is one."""

    def begins(i):
        if tags[i] == "O":
            return False
        return tags[i].startswith("B-") or i == 0 or tags[i - 1][2:] != tags[i][2:]

    return {
        (i, j, tags[i][2:])
        for i in range(len(tags))
        for j in range(i + 1, len(tags) + 1)
        if begins(i)
        and all(tags[k] == f"I-{tags[i][2:]}" for k in range(i + 1, j))
        and (j == len(tags) or tags[j] != f"I-{tags[i][2:]}")
    }


def counted_f1(predicted, gold):
    n_right = sum(len(entities(p) & entities(g)) for p, g in zip(predicted, gold, strict=True))
    n_both = sum(len(entities(tags)) for tags in [*predicted, *gold])
    return 2 * n_right / n_both if n_both else 0.0


def tags(text):
    """Sentences of tags from "P p . L | . P": a capital begins an entity, a small letter goes on with it."""
    names = {"P": "PER", "L": "LOC", "T": "TOOL"}
    return [
        ["O" if w == "." else ("B-" if w.isupper() else "I-") + names[w.upper()] for w in sentence.split()]
        for sentence in text.split("|")
    ]


def word_f1(predicted, gold, *, outside=False):
    """F1 over words, as if each tagged word were an entity."""
    pairs = [(p, g) for a, b in zip(predicted, gold, strict=True) for p, g in zip(a, b, strict=True)]
    if outside:
        return sum(p == g for p, g in pairs) / len(pairs)
    right = sum(p == g != "O" for p, g in pairs)
    return 2 * right / (sum(p != "O" for p, _ in pairs) + sum(g != "O" for _, g in pairs))


@check(
    "counts whole entities, not words",
    points=0.5,
    hint="An entity is right only with its first and its last word. Count entities; words that happen to have the "
    "right tag count for nothing.",
)
@pytest.mark.parametrize(
    ("predicted", "gold", "expected"),
    [
        ("P . . L l .", "P p . L l .", 0.5),
        (". P p . L l l .", ". P p . L l . .", 0.5),
        ("P . L l . .", "P . L l l .", 0.5),
        ("P p p . T .", "P p . . T .", 0.5),
        ("P . . . . . .", "P . L . T . .", 0.5),
        ("P . L . T . T .", "P . . . . . . .", 0.4),
    ],
)
def test_entity_f1__counts_whole_entities(student, predicted, gold, expected):
    predicted, gold = tags(predicted), tags(gold)
    n_predicted, n_gold = (sum(len(entities(t)) for t in side) for side in (predicted, gold))
    n_right = expected * (n_predicted + n_gold) / 2
    others = {
        "That is F1 over words: an entity cut short would count as nearly right.": word_f1(predicted, gold),
        "That is the share of words with the right tag; most words are outside all entities.": word_f1(
            predicted, gold, outside=True
        ),
        "That is precision alone: entities that were missed cost nothing.": n_right / n_predicted,
        "That is recall alone: entities that are not there cost nothing.": n_right / n_gold,
        "That is the mean of precision and recall; F1 is the harmonic mean.": n_right
        * (1 / n_predicted + 1 / n_gold)
        / 2,
        "F1 is a number from 0 to 1, and not a percentage.": 100 * expected,
        "That is the share of all entities of either side: F1 is 2 n_right / (n_predicted + n_gold).": n_right
        / (n_predicted + n_gold - n_right),
        "An entity with the right first word, but another end, is wrong.": starts_f1(predicted, gold),
    }
    wrong = {hint: value for hint, value in others.items() if abs(value - expected) > 1e-6}
    expect_close(student.entity_f1(predicted, gold), expected, misconceptions=wrong)


def starts_f1(predicted, gold):
    """F1 where first word and type are enough."""
    sides = [{(n, i, k) for n, t in enumerate(s) for i, _, k in entities(t)} for s in (predicted, gold)]
    total = sum(map(len, sides))
    return 2 * len(sides[0] & sides[1]) / total if total else 0.0


@check(
    "asks for the type as well",
    points=0.25,
    hint="The right words with the wrong type are a wrong entity: the type belongs to what is compared.",
)
@pytest.mark.parametrize(
    ("predicted", "gold", "expected"),
    [("P . L .", "L . L .", 0.5), (". P p . T . L .", ". L l . T . L .", 2 / 3), ("T . P .", "P . P .", 0.5)],
)
def test_entity_f1__asks_for_the_type(student, predicted, gold, expected):
    expect_close(student.entity_f1(tags(predicted), tags(gold)), expected)
    whole = "Types are compared whole, letter by letter: PER, PERSON and per are three types."
    for one, other in (("PER", "PERSON"), ("PER", "PROD"), ("Per", "PER")):
        sides = ([f"B-{kind}", "O", "B-LOC"] for kind in (one, other))
        expect_close(student.entity_f1(*([side] for side in sides)), 0.5, misconceptions={whole: 1.0})


@check(
    "keeps neighbours apart that B- tells apart",
    points=0.5,
    hint="A B- begins a new entity even right behind one of the same type, and an entity may end with its sentence.",
)
@pytest.mark.parametrize(
    ("predicted", "gold", "expected"),
    [
        ("P p . . L", "P P . . L", 0.4),
        ("P P L .", "P P L .", 1.0),
        (". L l L . T", ". L l l . T", 0.4),
        ("P P P T", "P P p T", 4 / 7),
    ],
)
def test_entity_f1__keeps_neighbours_apart(student, predicted, gold, expected):
    expect_close(student.entity_f1(tags(predicted), tags(gold)), expected)


@check(
    "lets an I- without its B- start an entity",
    points=0.5,
    hint="An I- that does not go on with an entity of its own type starts one: behind an O, at the beginning of a "
    "sentence, and behind another type.",
)
@pytest.mark.parametrize(
    ("predicted", "gold", "expected"),
    [
        (". p p .", ". P p .", 1.0),
        ("l . T .", "L . T .", 1.0),
        ("P l .", "P L .", 1.0),
        ("p l l t .", "P L l T .", 1.0),
        ("P l . T .", "P p . T .", 0.4),
        ("P . p . l .", "P . . . L .", 0.8),
    ],
)
def test_entity_f1__lets_an_inside_tag_start_an_entity(student, predicted, gold, expected):
    expect_close(student.entity_f1(tags(predicted), tags(gold)), expected)


@check(
    "keeps sentences apart and sums their counts",
    points=0.5,
    hint="No entity reaches into the next sentence, the same place in two sentences is two places, and counts are "
    "summed before F1 is taken: no average over sentences.",
)
@pytest.mark.parametrize(
    ("predicted", "gold", "expected"),
    [
        ("P . | L . T P", "P . | . . . .", 0.4),
        ("P | p .", "P | P .", 1.0),
        ("P . | . .", ". . | P .", 0.0),
        (". L | . . .", ". L | P P P", 0.4),
        ("P | P | P", "P | . | L", 0.4),
    ],
)
def test_entity_f1__keeps_sentences_apart(student, predicted, gold, expected):
    predicted, gold = tags(predicted), tags(gold)
    by_sentence = [counted_f1([p], [g]) for p, g in zip(predicted, gold, strict=True)]
    joined = [[[tag for sentence in side for tag in sentence]] for side in (predicted, gold)]
    places = [set().union(*map(entities, side)) for side in (predicted, gold)]
    others = {
        "That is the mean of the sentences' F1: sum the counts first.": sum(by_sentence) / len(by_sentence),
        "Sentences were joined: an entity ends with its sentence.": counted_f1(*joined),
        "The sentence's number is missing: the same place in two sentences was taken for one.": 2
        * len(places[0] & places[1])
        / max(1, sum(map(len, places))),
    }
    wrong = {hint: value for hint, value in others.items() if abs(value - expected) > 1e-6}
    expect_close(student.entity_f1(predicted, gold), expected, misconceptions=wrong)
    more = [["B-TOOL", "O"]]
    expect_close(student.entity_f1(predicted + more, gold + more), counted_f1(predicted + more, gold + more))


@check(
    "is 0.0 where neither side has an entity",
    points=0.25,
    hint="With no entity on either side the formula is 0 / 0, and the answer 0.0; with none on one side it is 0 as "
    "well.",
)
def test_entity_f1__is_zero_without_entities(student):
    expect_close(student.entity_f1(tags("P . | T ."), tags("P . | T .")), 1.0)
    expect_close(student.entity_f1(tags(". . | ."), tags(". . | .")), 0.0)
    expect_close(student.entity_f1(tags("P . | . ."), tags(". . | . .")), 0.0)
    expect_close(student.entity_f1(tags(". . . | . ."), tags(". P . | L .")), 0.0)


@check(
    "agrees with a count of every stretch of words, and changes nothing",
    points=0.5,
    hint="On random tags something is counted differently: look at the ends of sentences, at types that change, and at "
    "whether your function alters its lists.",
)
@pytest.mark.parametrize(("seed", "n_sentences", "longest"), [(1, 40, 9), (2, 25, 14), (3, 60, 3)])
def test_entity_f1__agrees_with_a_count_of_every_stretch(student, seed, n_sentences, longest):
    draw = random.Random(seed)
    kinds = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]
    gold = [[draw.choice(kinds) for _ in range(draw.randint(1, longest))] for _ in range(n_sentences)]
    predicted = [[tag if draw.random() < 0.8 else draw.choice(kinds) for tag in sentence] for sentence in gold]
    result, afterwards = student.call("entity_f1", predicted, gold, keep_arguments=True)
    expect_equal(list(afterwards), [predicted, gold])
    expect_close(result, counted_f1(predicted, gold))
