"""Hidden tests of week 1, notebook 1: counting, add-alpha probabilities, perplexity."""

import math
import random
from collections import Counter

import pytest
import torch

from autograde.rubric import check, expect_close, expect_equal


def random_documents(seed, *, n_documents=7, longest=9, vocab_size=4):
    rng = random.Random(seed)
    return [[rng.randrange(vocab_size) for _ in range(rng.randint(1, longest))] for _ in range(n_documents)]


def counted(documents, n):
    """An independent count: slide shifted copies of the document past each other."""
    table = Counter()
    for document in documents:
        table.update(zip(*(document[start:] for start in range(n)), strict=False))
    return dict(table)


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
    expect_equal(
        student.count_ngrams([document], n),
        counted([document], n),
        misconceptions={
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
    expect_equal(
        student.count_ngrams(documents, n),
        counted(documents, n),
        misconceptions={
            "Counts of the earlier documents are lost: add to one counter, do not make a new one for each.": counted(
                documents[-1:], n
            )
        },
    )


@check(
    "handles n = 1 and documents shorter than n",
    points=0.5,
    hint="Keys are tuples for n = 1 too, (7,) and not 7; a document shorter than n holds no run at all.",
)
def test_count_ngrams__handles_short_documents_and_single_tokens(student):
    documents = [[5], [], [5, 6, 5], [6, 5]]
    expect_equal(student.count_ngrams(documents, 1), {(5,): 4, (6,): 2})
    expect_equal(
        student.count_ngrams(documents, 3),
        {(5, 6, 5): 1},
        misconceptions={
            "A document shorter than n holds no run of n tokens: leave it out.": {(5, 6, 5): 1, (6, 5): 1, (5,): 1}
        },
    )
    expect_equal(student.count_ngrams(documents, n=2), {(5, 6): 1, (6, 5): 2})


@check(
    "counts fit together from one order to the next",
    points=0.5,
    hint="A document of t tokens holds t - n + 1 runs of length n. Count them all; leave the documents as they were.",
)
def test_count_ngrams__has_as_many_runs_as_places(student):
    documents = random_documents(3, n_documents=11, longest=13)
    for n in (1, 2, 5):
        result, (afterwards, _) = student.call("count_ngrams", documents, n, keep_arguments=True)
        assert sum(result.values()) == sum(max(0, len(document) - n + 1) for document in documents)
        assert all(isinstance(run, tuple) and len(run) == n for run in result)
        expect_equal(afterwards, documents)


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
    counts, contexts, V = Counter({(3, 1, 4): 6, (3, 1, 2): 1}), Counter({(3, 1): 7}), 11
    estimate = (6 + alpha) / (7 + alpha * V)
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
                (6 + alpha) / (7 + alpha * 2)
            ),
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
    expect_close([math.exp(value) for value in log_probs], [3.2 / 8.8, 0.2 / 8.8, 5.2 / 8.8, 0.2 / 8.8])


@check(
    "an unseen context gives every token the same chance",
    points=0.5,
    hint="Nothing is special about a run that was never seen: its count is 0 and alpha does the rest. "
    "A context never seen gives 1/V to each token, a seen one alpha / (count + alpha * V).",
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


@check(
    "asks about the token after the context and changes no count",
    points=0.5,
    hint="The run is the context followed by the token, in this order, and the function only reads the counters.",
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


@check(
    "takes any size and leaves its inputs alone",
    points=0.5,
    hint="One row, one token, float32 or float64: the same formula. Do not write into log_probs or mask.",
)
@pytest.mark.parametrize(("B", "T"), [(1, 1), (1, 9), (6, 1), (3, 4)])
def test_perplexity__takes_any_size(student, B, T):
    for dtype in (torch.float32, torch.float64):
        log_probs_BT, mask_BT = log_probs_and_mask(3, B=B, T=T, dtype=dtype, padding=1e30)
        result, afterwards = student.call("perplexity", log_probs_BT, mask_BT, keep_arguments=True)
        expect_close(result, geometric_mean_of_inverse(log_probs_BT, mask_BT), rtol=1e-5)
        expect_equal(list(afterwards), [log_probs_BT, mask_BT])
