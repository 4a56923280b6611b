"""Hidden tests of week 1, notebook 1: counting, add-alpha probabilities, perplexity."""

import math
import random
from collections import Counter

import pytest
import torch

from autograde.rubric import Mismatch, check, expect_close, expect_equal


def random_documents(seed, *, n_documents=7, longest=9, vocab_size=4):
    rng = random.Random(seed)
    return [[rng.randrange(vocab_size) for _ in range(rng.randint(1, longest))] for _ in range(n_documents)]


def counted(documents, n):
    """An independent count: slide shifted copies of the document past each other."""
    table = Counter()
    for document in documents:
        table.update(zip(*(document[start:] for start in range(n)), strict=False))
    return dict(table)


def expect_counts(result, documents, n, misconceptions=None):
    """As `expect_equal`, after a look at the keys: what kind they are, how long, and where their tokens come from."""
    known = {token for document in documents for token in document}
    if isinstance(result, dict):
        keys = list(result)
        if not all(isinstance(run, tuple) for run in keys):
            raise Mismatch(
                "Keys are tuples for n = 1 too, (7,) and not 7: no strings, no bare ids.", misconception=True
            )
        if not all(len(run) == n for run in keys):
            raise Mismatch(
                "Every key has exactly n tokens: no shorter run at a document's end, no short document as a whole, no "
                "other length, and nothing that is left over from an earlier call.",
                misconception=True,
            )
        if not all(token in known for run in keys for token in run):
            raise Mismatch(
                "Some of your runs hold tokens that stand in none of the documents: start from an empty Counter at "
                "each call, and put nothing before or behind a document.",
                misconception=True,
            )
    expect_equal(result, counted(documents, n), misconceptions=misconceptions)


@check(
    "counts every run of n tokens",
    points=0.5,
    hint="Slide a window of n tokens over the document, one token at a time: windows overlap.",
)
@pytest.mark.parametrize("n", [2, 3, 4])
def test_count_ngrams__counts_every_run(student, n):
    document = random_documents(n, n_documents=1, longest=40, vocab_size=3)[0] + [2, 2, 2, 2, 2, 0, 1]
    starts = range(0, len(document) - n + 1, n)
    apart = dict(Counter(tuple(document[start : start + n]) for start in starts))
    one_short = counted([document[:-1]], n)
    runs = list(zip(*(document[start:] for start in range(n)), strict=False))
    collapsed = Counter(run for run, before in zip(runs, [None, *runs], strict=False) if run != before)
    in_any_order = Counter(tuple(sorted(run)) for run in runs)
    expect_counts(
        student.count_ngrams([document], n),
        [document],
        n,
        misconceptions={
            "A run that follows itself, as in 2 2 2, counts at each place.": dict(collapsed),
            "A run is its tokens in their order: (1, 2) and (2, 1) are two runs.": dict(in_any_order),
            "0 is an id like any other: `if token` leaves it out.": {
                run: count for run, count in counted([document], n).items() if all(run)
            },
            "The last run of the document is missing: there are len(document) - n + 1 places to start.": one_short,
            "Windows overlap: the next one starts one token later, not n tokens later.": apart,
            "Each run is counted as often as it occurs in the text, not once.": dict.fromkeys(
                counted([document], n), 1
            ),
        },
    )


@check(
    "never joins documents", points=0.5, hint="A run of n tokens must not start in one document and end in the next."
)
@pytest.mark.parametrize("n", [2, 3])
def test_count_ngrams__keeps_documents_apart(student, n):
    documents = random_documents(10 + n)
    documents += [[3, 1, 2, 0][:n], documents[1]]
    once = [document for k, document in enumerate(documents) if document not in documents[:k]]
    joined = [[token for document in documents for token in document]]
    expect_counts(
        student.count_ngrams(documents, n),
        documents,
        n,
        misconceptions={
            "A run of n tokens must not start in one document and end in the next. You join the documents first.": (
                counted(joined, n)
            ),
            "A document of exactly n tokens holds one run: it starts at 0.": counted(
                [document for document in documents if len(document) != n], n
            ),
            "A document that comes twice is counted twice.": counted(once, n),
            "Counts of the earlier documents are lost: add to one counter, do not make a new one for each.": counted(
                documents[-1:], n
            ),
        },
    )


@check(
    "handles n = 1 and documents shorter than n",
    points=0.5,
    hint="A document shorter than n, or empty, holds no run at all; for n = 1 every token is one, (7,). "
    "Keep the names of the parameters.",
)
def test_count_ngrams__handles_short_documents_and_single_tokens(student):
    documents = [[5], [], [5, 6, 5], [6, 5], [6, 6]]
    exactly_n = "A document of exactly n tokens holds one run: it starts at 0."
    expect_counts(student.count_ngrams(documents, 1), documents, 1, misconceptions={exactly_n: {(5,): 3, (6,): 4}})
    expect_counts(student.count_ngrams(documents, 3), documents, 3, misconceptions={exactly_n: {}})
    expect_counts(
        student.count_ngrams(documents=documents, n=2),
        documents,
        2,
        misconceptions={exactly_n: {(5, 6): 1, (6, 5): 1}},
    )


@check(
    "counts fit together from one order to the next",
    points=0.5,
    hint="A document of t tokens holds t - n + 1 runs of length n. Count them all, in a Counter; "
    "leave the documents as they were.",
)
def test_count_ngrams__has_as_many_runs_as_places(student):
    documents = random_documents(3, n_documents=11, longest=13)
    for n in (1, 2, 5):
        result, (afterwards, _) = student.call("count_ngrams", documents, n, keep_arguments=True)
        if afterwards != documents:
            raise Mismatch("Your code changes the documents: leave them as they were.", misconception=True)
        assert sum(result.values()) == sum(max(0, len(document) - n + 1) for document in documents)
        assert all(isinstance(run, tuple) and len(run) == n for run in result)
        if not isinstance(result, Counter):
            raise Mismatch("The result is a Counter, which says 0 for a run that it never saw.", misconception=True)


def bigrams(seed=0, *, vocab_size=5):
    """Counts of bigrams and of their contexts, which add up."""
    documents = random_documents(seed, n_documents=9, longest=12, vocab_size=vocab_size)
    counts = Counter(counted(documents, 2))
    contexts = Counter()
    for (first, _), count in counts.items():
        contexts[(first,)] += count
    return counts, contexts


@check(
    "is the add-alpha estimate in natural logs",
    points=1,
    hint="log((count of the run + alpha) / (count of the context + alpha * V)), with the natural logarithm.",
)
@pytest.mark.parametrize("alpha", [0.5, 0.03, 2.0])
def test_ngram_log_prob__is_the_add_alpha_estimate(student, alpha):
    counts, contexts = Counter({(3, 1, 4): 6, (3, 1, 2): 1, (1, 4, 2): 5}), Counter({(3, 1): 7, (1, 4): 5})
    V, estimate = 11, (6 + alpha) / (7 + alpha * 11)
    expect_close(
        student.ngram_log_prob((3, 1), 4, counts, contexts, V, alpha),
        math.log(estimate),
        misconceptions={
            "That is log2. Losses of this course are in nats: use the natural logarithm.": math.log2(estimate),
            "That is log10. Losses of this course are in nats: use the natural logarithm.": math.log10(estimate),
            "That is the probability itself: take its logarithm.": estimate,
            "That is the negative log-probability: a log-probability is never above 0.": -math.log(estimate),
            "The denominator has no alpha * V, so the V probabilities add up to more than 1.": math.log(
                (6 + alpha) / 7
            ),
            "alpha is added V times in the denominator: it must be alpha * V, not V.": math.log((6 + alpha) / (7 + V)),
            "alpha is added V times in the denominator: it must be alpha * V, not alpha.": math.log(
                (6 + alpha) / (7 + alpha)
            ),
            "alpha is added in the numerator too: an unseen word needs some of the probability.": math.log(
                6 / (7 + alpha * V)
            ),
            "V is the size of the vocabulary, vocab_size, and not the number of runs that were seen.": math.log(
                (6 + alpha) / (7 + alpha * 3)
            ),
            "V is the size of the vocabulary, vocab_size, and not the number of words that were seen.": math.log(
                (6 + alpha) / (7 + alpha * 2)
            ),
            "V is vocab_size as it is: no word is added to it.": math.log((6 + alpha) / (7 + alpha * (V + 1))),
            "alpha is added to every count, the seen ones too, and below the line as well.": math.log(6 / 7),
            "Below the line stands how often this context was seen, and not how many runs there are in all.": math.log(
                (6 + alpha) / (12 + alpha * V)
            ),
            "How often a context was seen stands in context_counts; counts holds runs of n tokens only.": math.log(
                (6 + alpha) / (alpha * V)
            ),
            "Your code does not find the run: its key is all ids of the context, then the token, in one tuple.": (
                math.log(alpha / (7 + alpha * V))
            ),
            "Your code finds neither run nor context: take the whole context, not its last token alone.": -math.log(V),
            "Return the logarithm as it is, not rounded.": round(math.log(estimate), 3),
            "Add alpha whatever it is: 1 is only its most common value.": math.log(7 / (7 + V)),
        },
    )


@check(
    "the V probabilities add up to 1",
    points=1,
    hint="Over all the tokens that may follow a context, the probabilities must add up to 1: check the denominator, "
    "and add alpha to every count, the seen ones too.",
)
def test_ngram_log_prob__adds_up_to_one(student):
    counts, contexts = bigrams(vocab_size=5)
    for context in [(0,), (3,), (17,)]:
        for alpha in (0.01, 1.7):
            log_probs = [student.ngram_log_prob(context, token, counts, contexts, 5, alpha) for token in range(5)]
            expect_close(sum(math.exp(value) for value in log_probs), 1.0)
    unigrams, total = Counter({(0,): 3, (2,): 5}), Counter({(): 8})
    log_probs = [student.ngram_log_prob((), token, unigrams, total, 4, 0.2) for token in range(4)]
    expect_close(
        [math.exp(value) for value in log_probs],
        [3.2 / 8.8, 0.2 / 8.8, 5.2 / 8.8, 0.2 / 8.8],
        misconceptions={
            "Where the context is (), the key of a run is (token,), a tuple of one, and not the bare id.": [0.2 / 8.8]
            * 4,
            "The empty context () has been seen too: its count stands in context_counts, as that of any other.": [
                3.2 / 0.8,
                0.2 / 0.8,
                5.2 / 0.8,
                0.2 / 0.8,
            ],
        },
    )


@check(
    "an unseen context gives every token the same chance",
    points=0.5,
    hint="Nothing is special about a run that was never seen: its count is 0 and alpha does the rest. "
    "A context never seen gives 1/V to each token, a seen one alpha / (count + alpha * V), however small that is.",
)
def test_ngram_log_prob__gives_unseen_runs_a_share(student):
    counts, contexts = Counter({(1, 2): 4}), Counter({(1,): 4})
    expect_close(student.ngram_log_prob((9,), 2, counts, contexts, 6, 0.3), -math.log(6))
    expect_close(
        student.ngram_log_prob((1,), 5, counts, contexts, 6, 0.3),
        math.log(0.3 / (4 + 1.8)),
        misconceptions={
            "A run that was not seen after a seen context does not get 1/V: its count is 0, the context's is not.": (
                -math.log(6)
            )
        },
    )
    expect_close(student.ngram_log_prob((1,), 5, counts, contexts, 6, 1e-6), math.log(1e-6 / (4 + 6e-6)))


@check(
    "asks about the token after the context and changes no count",
    points=0.5,
    hint="The run is the context followed by the token, in this order, and the function only reads the counters. Keep "
    "the names of the parameters.",
)
def test_ngram_log_prob__reads_the_run_in_order(student):
    counts, contexts = Counter({(1, 2): 9, (2, 1): 1}), Counter({(1,): 10, (2,): 3})
    arguments = [(1,), 2, counts, contexts, 7, 0.1]
    result, afterwards = student.call("ngram_log_prob", *arguments, keep_arguments=True)
    expect_close(
        result,
        math.log(9.1 / 10.7),
        misconceptions={
            "The run is the context followed by the token, not the token followed by the context.": math.log(1.1 / 10.7)
        },
    )
    expect_equal([dict(afterwards[2]), dict(afterwards[3])], [dict(counts), dict(contexts)])
    named = student.ngram_log_prob(
        context=(1,), token=1, counts=counts, context_counts=contexts, vocab_size=7, alpha=0.1
    )
    expect_close(named, math.log(0.1 / 10.7))
    # Nothing is added for what was never seen either, not even a count of 0.
    arguments = [(5,), 6, counts, contexts, 7, 0.1]
    _, afterwards = student.call("ngram_log_prob", *arguments, keep_arguments=True)
    expect_equal([dict(afterwards[2]), dict(afterwards[3])], [dict(counts), dict(contexts)])


def log_probs_and_mask(seed, *, B=5, T=7, dtype=torch.float64, padding=None):
    """Rows of different lengths; under the padding stands `padding`, or a plausible log-probability."""
    generator = torch.Generator().manual_seed(seed)
    log_probs_BT = -torch.empty(B, T, dtype=dtype).exponential_(0.7, generator=generator)
    lengths_B = torch.arange(B) % T + 1
    mask_BT = torch.arange(T) < lengths_B[:, None]
    if padding is not None:
        log_probs_BT = log_probs_BT.masked_fill(~mask_BT, padding)
    return log_probs_BT, mask_BT


def geometric_mean_of_inverse(log_probs_BT, mask_BT):
    """Perplexity by its other definition: one over the geometric mean of the probabilities, token by token."""
    product, n_tokens = 1.0, 0
    for row, real in zip(log_probs_BT.tolist(), mask_BT.tolist(), strict=True):
        for value, is_real in zip(row, real, strict=True):
            if is_real:
                product *= math.exp(value)
                n_tokens += 1
    return product ** (-1 / n_tokens)


@check(
    "V equally likely tokens have perplexity V",
    points=0.5,
    hint="Perplexity is exp of the mean loss in nats, and the loss is minus the log-probability. "
    "Guessing among V equal tokens gives exactly V.",
)
@pytest.mark.parametrize("V", [7, 300])
def test_perplexity__of_uniform_guessing_is_the_vocabulary(student, V):
    log_probs_BT = torch.full((3, 5), -math.log(V), dtype=torch.float64)
    expect_close(
        student.perplexity(log_probs_BT, torch.ones(3, 5, dtype=torch.bool)),
        float(V),
        misconceptions={
            "That is the loss. Perplexity is exp of it.": math.log(V),
            "The logarithms are natural ones, so the base is e, not 2.": 2.0 ** math.log(V),
            "The sign is missing: the loss is minus the log-probability.": 1 / V,
            "You divide by the number of texts: divide by the number of real tokens.": float(V) ** 5,
            "You divide by the length of the rows: divide by the number of real tokens.": float(V) ** 3,
        },
    )


@check(
    "averages over tokens, not over rows",
    points=0.5,
    hint="Every real token counts once: add up over all rows, divide by the number of real tokens, then take exp.",
)
def test_perplexity__averages_over_tokens(student):
    log_probs_BT, mask_BT = log_probs_and_mask(1, B=4, T=6)
    loss_B = -(log_probs_BT * mask_BT).sum(1) / mask_BT.sum(1)
    rows = "That is the average of the rows' perplexities. Average the losses of all tokens first, then take exp once."
    row_losses = (
        "That averages the rows' losses, so that a token of a short row counts more. Average over all real tokens."
    )
    tokens = "That is the average of 1/p over the tokens. Average the losses first, then take exp."
    expect_close(
        student.perplexity(log_probs_BT, mask_BT),
        geometric_mean_of_inverse(log_probs_BT, mask_BT),
        misconceptions={
            rows: loss_B.exp().mean(),
            row_losses: loss_B.mean().exp(),
            tokens: (-log_probs_BT[mask_BT]).exp().mean(),
            "That is one over the average probability. Average the losses first, then take exp.": (
                1 / log_probs_BT[mask_BT].exp().mean()
            ),
        },
    )
    # Hundreds of tokens: their product is 0 in floating point.
    long_BT = -torch.linspace(0.5, 6.0, 500, dtype=torch.float64).reshape(5, 100)
    expect_close(
        student.perplexity(long_BT, torch.ones(5, 100, dtype=torch.bool)),
        math.exp(3.25),
        misconceptions={
            "The product of hundreds of probabilities is 0 in floating point: add their logarithms.": math.inf
        },
    )


@check(
    "never reads what stands under the padding",
    points=0.5,
    hint="Where mask is False nothing is real: leave those positions out of the sum and out of the count.",
)
@pytest.mark.parametrize("padding", [-60.0, 60.0, 0.0])
def test_perplexity__ignores_padding(student, padding):
    log_probs_BT, mask_BT = log_probs_and_mask(2, padding=padding)
    n_all = mask_BT.numel()
    real = -(log_probs_BT * mask_BT).sum()
    expect_close(
        student.perplexity(log_probs_BT, mask_BT),
        geometric_mean_of_inverse(log_probs_BT, mask_BT),
        misconceptions={
            "The sum leaves the padding out, but the count does not: divide by the number of real tokens.": (
                real / n_all
            ).exp(),
            "Padding is counted as if it were text.": (-log_probs_BT.mean()).exp(),
            "mask is True on real tokens; you kept the others.": (-log_probs_BT[~mask_BT].mean()).exp(),
        },
    )


# Of six positions these are real, and these are their log-probabilities; a row may hold padding alone.
ODD_LOG_PROBS = [[-0.5, 0.0, -45.0, 0.0, -2.0, -1.0], [-3.0, -7.0, -0.25, -0.5, -4.0, -2.5], [-6.0] * 6]
ODD_MASK = [[True, True, True, True, False, False], [False, True, True, True, True, True], [False] * 6]


@check(
    "goes by the mask alone",
    points=0.25,
    hint="The mask says what is real, and nothing else does: padding may stand in front, and fill a whole row, which "
    "then adds nothing, neither to the sum nor to the count.",
)
@pytest.mark.parametrize("rows", [[0], [0, 1], [0, 2], [0, 1, 2]])
def test_perplexity__goes_by_the_mask(student, rows):
    log_probs_BT, mask_BT = torch.tensor(ODD_LOG_PROBS, dtype=torch.float64)[rows], torch.tensor(ODD_MASK)[rows]
    real = log_probs_BT[mask_BT]
    first_n = [row[:n] for row, n in zip(log_probs_BT.tolist(), mask_BT.sum(1).tolist(), strict=True)]
    first_n = [value for row in first_n for value in row]
    expect_close(
        student.perplexity(log_probs_BT, mask_BT),
        math.exp(-math.fsum(real.tolist()) / len(real)),
        misconceptions={
            "A token of probability 1 has the log-probability 0, and is real all the same: go by the mask.": (
                -real[real != 0].mean()
            ).exp(),
            "An unlikely token counts too, and in full: leave none out, and cut nothing off.": (
                -real[real > -40].mean()
            ).exp(),
            "An unlikely token counts in full: its logarithm is not cut off at some lowest value.": (
                -real.clamp(min=-20).mean()
            ).exp(),
            "Padding may stand in front: take the places where the mask is True, not the first ones.": math.exp(
                -math.fsum(first_n) / len(first_n)
            ),
        },
    )


@check(
    "takes any size and leaves its inputs alone",
    points=0.25,
    hint="One row, one token, float32 or float64: the same formula. Do not write into log_probs or mask.",
)
@pytest.mark.parametrize(("B", "T"), [(1, 1), (1, 9), (6, 1), (3, 4)])
def test_perplexity__takes_any_size(student, B, T):
    for dtype in (torch.float32, torch.float64):
        log_probs_BT, mask_BT = log_probs_and_mask(3, B=B, T=T, dtype=dtype, padding=1e30)
        result, afterwards = student.call("perplexity", log_probs_BT, mask_BT, keep_arguments=True)
        expect_close(result, geometric_mean_of_inverse(log_probs_BT, mask_BT), rtol=1e-5)
        expect_equal(list(afterwards), [log_probs_BT, mask_BT])
