# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Week 1, notebook 1: counting is not understanding
#
# | | |
# |---|---|
# | **You build** | an n-gram language model: counts, smoothed probabilities, and perplexity, which judges it |
# | **You need** | Python's `Counter`, logarithms, a little PyTorch |
# | **Time** | about 50 minutes; everything runs in about 20 seconds |
# | **Points** | 7 |

# %% [markdown]
# ## The question of this course
#
# A language model answers one question, over and over: *given what was said so far, what comes next?* If $w_1, \dots,
# w_T$ are the tokens of a text, the chain rule of probability cuts the text into such questions, and nothing is lost:
#
# $$\log p(w_1, \dots, w_T) = \sum_{t=1}^{T} \log p(w_t \mid w_1, \dots, w_{t-1})$$
#
# The trouble is the condition. It grows with every token, and hardly any long text was ever seen before.

# %% [markdown]
# The oldest way out is to forget on purpose. An **n-gram model** (Shannon 1948) looks at the last $n - 1$ tokens and at
# nothing else:
#
# $$p(w_t \mid w_1, \dots, w_{t-1}) \approx p(w_t \mid w_{t-n+1}, \dots, w_{t-1})$$
#
# Then it is enough to count. This notebook counts, measures how far counting goes, and shows where it must stop. You
# will know exactly how far from perfect it is, because for our stories the best possible loss is known.

# %% setup=true
import math
from collections import Counter

import torch

from course.checks import check_close, check_equal, check_true

# %% [markdown]
# ## 1 Count
#
# An **n-gram** is a run of $n$ neighbouring tokens. In `a b a b`, the 2-grams are `a b`, `b a`, `a b`: runs overlap,
# and a text of $T$ tokens holds $T - n + 1$ of them. Tokens are numbers here, their *ids*.
#
# A corpus is many documents. The last word of one story says nothing about the first word of the next one, which was
# put behind it by chance. So a run never reaches across the end of a document.

# %% [markdown]
# **What is graded.** The cell under each exercise shows a few checks. Hidden tests look further: at other sizes, dtype,
# gradients (in the next notebooks), and whether the inputs stay unchanged. If you learn on your own, `course check
# NOTEBOOK` in a terminal tells you what they found.

# %% [markdown]
# A worked example, with two documents and $n = 2$:
#
# | document | its 2-grams |
# |---|---|
# | `[7, 8, 7, 8]` | `(7, 8)`, `(8, 7)`, `(7, 8)` |
# | `[8, 9]` | `(8, 9)` |
#
# All together `(7, 8)` occurs twice, `(8, 7)` once, `(8, 9)` once. The run `(8, 8)`, from the end of the first document
# into the second, is not one of them.


# %% exercise="count_ngrams" points=2
def count_ngrams(documents: list[list[int]], n: int) -> Counter[tuple[int, ...]]:
    """Return how often each run of n tokens occurs in the documents.

    Args:
        documents: token ids; they may be of any length, empty ones too. They are left as they are.
        n: length of a run in tokens, at least 1.

    Returns:
        A Counter with tuples of n ids as keys, also where n is 1. A document shorter than n adds nothing, and no run
        reaches from one document into the next.

    Example:
        >>> count_ngrams([[7, 8, 7, 8], [8, 9]], 2)
        Counter({(7, 8): 2, (8, 7): 1, (8, 9): 1})
    """
    ### BEGIN SOLUTION
    counts = Counter()
    for document in documents:
        n_runs = len(document) - n + 1
        counts.update(tuple(document[start : start + n]) for start in range(n_runs))
    return counts
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: where can a run start?</summary>
#
# The first start is 0. The last one is the place from which exactly n tokens are left. For four tokens and n = 3 there
# are two starts, 0 and 1. Write that number down with `len(document)` and `n`, and see what it gives for a document
# that is too short.
#
# </details>
#
# <details><summary>Hint 2: a list cannot be a key</summary>
#
# A slice of a list is a list, and a Counter cannot have lists as keys: turn the slice into a tuple. `Counter.update`
# takes a whole iterable of keys and counts each of them. Loop over the documents outside, over the starts inside.
#
# </details>

# %% check="count_ngrams"
documents = [[7, 8, 7, 8], [8, 9]]
check_true(isinstance(count_ngrams(documents, 2), Counter), "the result is a Counter", cause="start with `Counter()`.")
check_equal(dict(count_ngrams(documents, 2)), {(7, 8): 2, (8, 7): 1, (8, 9): 1}, "the worked example")
check_equal(dict(count_ngrams(documents, 1)), {(7,): 2, (8,): 3, (9,): 1}, "single tokens, as tuples")
check_equal(dict(count_ngrams(documents, 3)), {(7, 8, 7): 1, (8, 7, 8): 1}, "[8, 9] is too short for n = 3")

# %% [markdown]
# ## 2 From counts to probabilities
#
# After the words *the old* your corpus holds *man* 3 times and *woman* once. The relative frequency says $3/4$ for
# *man*, and $0$ for *bank*. A zero is a disaster: one unseen word, and the whole text has probability 0 and
# log-probability $-\infty$.
#
# **Add-alpha smoothing** (Lidstone 1920; with $\alpha = 1$, Laplace) pretends that each of the $V$ words of the
# vocabulary was seen $\alpha$ more times than it was:
#
# $$p(w \mid c) = \frac{N(c\,w) + \alpha}{N(c) + \alpha V}$$

# %% [markdown]
# $c$ is the context, $N(c\,w)$ how often $w$ followed it, and $N(c)$ how often anything did. Why $\alpha V$ below? Each
# of $V$ numerators grew by $\alpha$, and the $V$ probabilities must still add up to 1.
#
# With $V = 10$ and $\alpha = 0.5$: *man* gets $3.5 / 9 \approx 0.389$ instead of $0.75$, *bank* gets $0.5 / 9 \approx
# 0.056$. After a context that was never seen, $N(c) = 0$, every word gets $0.5 / 5 = 1/V$: the formula needs no special
# case.
#
# **Before you go on:** what happens to the probability of *man* when $\alpha$ grows without limit?

# %% [markdown]
# <details><summary>Answer</summary>
#
# It falls to $1/V = 0.1$. The counts 3 and 4 do not grow along, so $(3 + \alpha) / (4 + 10\,\alpha)$ comes ever nearer
# to $\alpha / (10\,\alpha)$: every word ends up with the same share, and the model has forgotten what it read.
#
# </details>


# %% setup=true
def count_contexts(counts: Counter[tuple[int, ...]]) -> Counter[tuple[int, ...]]:
    """Return how often each context was followed by anything: the counts added up over the last token of the run."""
    contexts = Counter()
    for run, count in counts.items():
        contexts[run[:-1]] += count
    return contexts


# %% [markdown]
# The cell above is given. It makes $N(c)$ from $N(c\,w)$. For 1-grams the only context is the empty one, `()`.


# %% exercise="ngram_log_prob" points=3
def ngram_log_prob(
    context: tuple[int, ...],
    token: int,
    counts: Counter[tuple[int, ...]],
    context_counts: Counter[tuple[int, ...]],
    vocab_size: int,
    alpha: float,
) -> float:
    """Return log p(token | context) in nats, smoothed by add-alpha.

    Args:
        context: the n - 1 ids before the token; () where n is 1.
        token: an id, at least 0 and below vocab_size.
        counts: how often each run of n tokens was seen; 0 for those that are missing. Not changed.
        context_counts: how often each context was followed by anything; 0 for those that are missing. Not changed.
        vocab_size: V, number of tokens there are.
        alpha: what is added to each count, above 0.

    Returns:
        The natural logarithm of the probability, at most 0.

    Example:
        >>> round(ngram_log_prob((1, 2), 3, Counter({(1, 2, 3): 3}), Counter({(1, 2): 4}), 10, 0.5), 3)
        -0.944
    """
    ### BEGIN SOLUTION
    numerator = counts[(*context, token)] + alpha
    denominator = context_counts[context] + alpha * vocab_size
    return math.log(numerator / denominator)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how do I look up a run?</summary>
#
# The key is one tuple: all ids of the context, then the token. Two tuples are joined with `+`; `(token,)` is a tuple of
# one. A Counter gives 0 for a key that it does not hold, and does not add it.
#
# </details>
#
# <details><summary>Hint 2: my numbers are a little off</summary>
#
# `math.log` is the natural logarithm. Look at the denominator: alpha is added once for *each* word of the vocabulary,
# seen or unseen. Try alpha = 2 by hand: a formula that fits only alpha = 1 shows itself.
#
# </details>

# %% check="ngram_log_prob"
seen, contexts_seen = Counter({(1, 2, 3): 3, (1, 2, 4): 1}), Counter({(1, 2): 4})
check_close(
    ngram_log_prob((1, 2), 3, seen, contexts_seen, 10, 0.5), math.log(3.5 / 9), "man after the old: log(3.5 / 9)"
)
check_close(ngram_log_prob((1, 2), 7, seen, contexts_seen, 10, 0.5), math.log(0.5 / 9), "bank, never seen there")
check_close(ngram_log_prob((5, 5), 3, seen, contexts_seen, 10, 0.5), -math.log(10), "a context never seen: 1/V")
total = sum(math.exp(ngram_log_prob((1, 2), token, seen, contexts_seen, 10, 0.5)) for token in range(10))
check_close(total, 1.0, "ten probabilities add up to 1", cause="the denominator must grow by alpha for each word.")

# %% [markdown]
# ## 3 One number for a model
#
# A model is judged on text that it has not seen. Its **loss** is the average of $-\log p$ over the tokens, in nats. Its
# **perplexity** is the exponential of the loss:
#
# $$\mathrm{PPL} = \exp\Big(-\frac{1}{N} \sum_{\text{real tokens}} \log p(w_t \mid \text{context})\Big)$$
#
# It has a meaning: a model with perplexity 20 is as unsure as one that guesses among 20 equally likely words.

# %% [markdown]
# Texts differ in length, so a batch `log_probs_BT` of $B$ texts is filled up with **padding**, and `mask_BT` is True
# where a token is real. Two traps wait here. What stands under the padding means nothing. And the average goes over
# *tokens*: a text of two words must not weigh as much as one of sixty.
#
# A worked example. Row one holds three tokens of probability $1/2$, row two one token of probability $1/16$. The loss
# is $(3 \log 2 + \log 16) / 4 = \tfrac{7}{4} \log 2$, the perplexity $2^{7/4} \approx 3.36$. The average of the rows'
# perplexities would be $(2 + 16) / 2 = 9$: another number, and the wrong one.


# %% exercise="perplexity" points=2
def perplexity(log_probs: torch.Tensor, mask: torch.Tensor) -> float:
    """Return exp of the mean loss over all real tokens of a batch.

    Args:
        log_probs: float [B,T], natural log-probability of each token. Under the padding any finite number may stand.
        mask: bool [B,T], True on real tokens; at least one of them is.

    Returns:
        One number, 1 or more for probabilities. Every real token counts the same, whatever row it stands in.

    Example:
        >>> probabilities = torch.tensor([[0.5, 0.5, 0.5], [0.0625, 1.0, 1.0]])
        >>> mask = torch.tensor([[True, True, True], [True, False, False]])
        >>> round(perplexity(probabilities.log(), mask), 3)
        3.364
    """
    ### BEGIN SOLUTION
    return torch.exp(-log_probs[mask].mean()).item()
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how do I leave the padding out?</summary>
#
# Indexing a tensor with a boolean tensor of the same shape gives the chosen entries in one flat row. Whichever way you
# take, padding must be missing from the sum *and* from the number that you divide by.
#
# </details>
#
# <details><summary>Hint 2: in which order?</summary>
#
# First the mean of the log-probabilities over all real tokens of the whole batch, then the minus, and exp last, once.
# exp of a mean is not the mean of exps.
#
# </details>

# %% check="perplexity"
log_probs_BT = torch.tensor([[0.5, 0.5, 0.5], [0.0625, 1.0, 1.0]]).log()
mask_BT = torch.tensor([[True, True, True], [True, False, False]])
check_close(
    perplexity(log_probs_BT, mask_BT), 2 ** (7 / 4), "the worked example: 2 to the power of 7/4", tolerance=1e-5
)
uniform_BT = torch.full((2, 3), 1 / 50).log()
check_close(perplexity(uniform_BT, mask_BT), 50.0, "guessing among 50 words has perplexity 50", tolerance=1e-5)
poisoned_BT = log_probs_BT.masked_fill(~mask_BT, -1000.0)
check_close(perplexity(poisoned_BT, mask_BT), 2 ** (7 / 4), "what stands under the padding is not read", tolerance=1e-5)
check_true(not torch.equal(log_probs_BT, poisoned_BT), "the inputs are left alone", cause="write into a copy.")

# %% [markdown]
# ## 4 Twenty thousand stories
#
# Time to read. The course's stories are drawn from a small grammar. They are short, they are English, and, because the
# grammar is known, the loss of a perfect reader is known too. No reader whatever, of any size, can do better on
# average. We call that loss the **floor**.

# %%
from course.figures import show
from course.figures.ngrams import Counted, loss_against_context
from course.stories import Stories, pad

stories = Stories.load()
V = len(stories.vocab)
n_train_tokens = sum(len(story) - 1 for story in stories.train)
print(f"{len(stories.train):,} stories to read, {n_train_tokens:,} tokens, a vocabulary of {V}. The first two:\n")
for story in stories.train[:2]:
    print(stories.decode(story), "\n")

# %% [markdown]
# Now count, for $n$ from 1 to 8: once the first 300 stories only, once all of them. A story begins with the token
# `[BOS]`. The word behind it has one token to its left, the next one two: where there are not yet $n - 1$ tokens, the
# model uses all there are, with the table of that shorter length.

# %%
MAX_N, ALPHA = 8, 0.001


def count_all(documents: list[list[int]]) -> dict[int, tuple[Counter, Counter]]:
    """Return counts of runs and of their contexts for each n: an n-gram model of every order."""
    tables = {n: count_ngrams(documents, n) for n in range(1, MAX_N + 1)}
    return {n: (table, count_contexts(table)) for n, table in tables.items()}


def score(documents: list[list[int]], model: dict[int, tuple[Counter, Counter]], n: int, alpha: float = ALPHA) -> float:
    """Return the perplexity of documents under the model of order n; the first token is given."""
    rows = []
    for document in documents:
        windows = [tuple(document[max(0, t - n + 1) : t + 1]) for t in range(1, len(document))]
        rows.append([ngram_log_prob(run[:-1], run[-1], *model[len(run)], V, alpha) for run in windows])
    _, mask_BT = pad(rows, 0)
    log_probs_BT = torch.zeros(mask_BT.shape, dtype=torch.float64)
    log_probs_BT[mask_BT] = torch.tensor([value for row in rows for value in row], dtype=torch.float64)
    return perplexity(log_probs_BT, mask_BT)


few, many = count_all(stories.train[:300]), count_all(stories.train)
print(f"{len(few[MAX_N][0]):,} and {len(many[MAX_N][0]):,} different runs of {MAX_N} tokens were counted.")

# %% [markdown]
# **Predict before you run the next cell.** With every step from $n$ to $n + 1$ the model sees one more word.
#
# - After 300 stories: how does the loss on *unseen* stories go on from $n = 1$ to $n = 8$? And on the stories that were
#   counted?
# - After 20,000 stories: at which $n$ is the loss on unseen stories lowest?
# - How far from the floor does the best of all end?

# %%
names = {"300 stories": (few, 300), f"{len(stories.train):,} stories": (many, len(stories.train))}
results = {}
for name, (model, n_stories) in names.items():
    counted = [math.log(score(stories.train[: min(n_stories, 500)], model, n)) for n in range(1, MAX_N + 1)]
    unseen = [math.log(score(stories.test[:500], model, n)) for n in range(1, MAX_N + 1)]
    results[name] = (counted, unseen, [len(model[n][0]) for n in range(1, MAX_N + 1)])
    print(f"counted {name}\n     n" + "".join(f"{n:>9}" for n in range(1, MAX_N + 1)))
    print("  same" + "".join(f"{loss:9.3f}" for loss in counted) + "   nats per token on stories it counted")
    print("unseen" + "".join(f"{loss:9.3f}" for loss in unseen) + "   nats per token on others\n")

# %%
floor = stories.floors["causal"]["loss"]
context_floors = {int(k): entry["loss"] for k, entry in stories.floors["context"].items()}
fig, _ = loss_against_context(
    *(Counted(name, *result) for name, result in results.items()), floor=floor, context_floors=context_floors
)
show(
    fig,
    alt="Loss of n-gram models against n. Counted on 300 stories it falls and then explodes on unseen stories, "
    "while it keeps falling on the counted ones. On 20,000 stories it ends lower, but far above the floor. "
    "The tables grow with every n.",
)
_, unseen, sizes = results[f"{len(stories.train):,} stories"]
best_n = min(range(1, MAX_N + 1), key=lambda n: unseen[n - 1])
gap = unseen[best_n - 1] - floor
print(f"The best, n = {best_n}, is {gap:.2f} nats a token above the floor of {floor:.3f}: {gap / floor:.0%} too high.")

# %% [markdown]
# Look at three things.
#
# - **The loss explodes.** With few stories, a long context was seen once, if ever, and the table knows what followed
#   *that* time. The dotted curves even fall below the floor, which no reader of new stories can: that is knowledge by
#   heart, not of the language.
# - **More text helps, and slowly.** Twenty thousand stories in place of three hundred lower the curve, and move its
#   lowest point only a little to the right.
# - **The floor is out of reach**, even for endless text: the curve of the best possible with the same context lies
#   above it. What is missing stands further to the left than any table can look.

# %% [markdown]
# How large would a table have to be? There are $V^n$ possible runs. Natural language uses few of them, but new ones
# never end.

# %%
for n in (2, 4, 8):
    growth = sizes[n - 1] / sizes[n - 2]
    print(f"n = {n}: {V**n:.0e} runs are possible, {sizes[n - 1]:,} were seen, {growth:.1f} x those of {n - 1}")
rough = math.log(score(stories.test[:500], many, best_n, alpha=0.1))
print(f"And alpha matters: with 0.1, not {ALPHA}, the loss at n = {best_n} is {rough:.2f}.")

# %% [markdown]
# ## 5 A story by a reader with a short memory
#
# A model that predicts can also write: draw the next token from its probabilities, append it, repeat. **Predict:** what
# will a story by the best n-gram look like, sentence by sentence? And as a whole?


# %%
def write(n: int, generator: torch.Generator) -> list[int]:
    """Return a story drawn token by token from the counts of the n-gram model, without smoothing."""
    story = [stories.bos_id]
    while story[-1] != stories.eos_id:
        context = tuple(story[max(0, len(story) - n + 1) :])
        followers = {run[-1]: count for run, count in many[len(context) + 1][0].items() if run[:-1] == context}
        weights = torch.tensor(list(followers.values()), dtype=torch.float64)
        story.append(list(followers)[torch.multinomial(weights, 1, generator=generator).item()])
    return story


generator = torch.Generator().manual_seed(3)
written = {n: [write(n, generator) for _ in range(20)] for n in (2, 3, best_n)}
for n, samples in written.items():
    print(f"n = {n}: {stories.decode(samples[0])}\n")

# %% [markdown]
# Run by run it sounds right, because every run was copied from somewhere. As a whole it does not hold: names change,
# things appear that nobody brought. You can hear it; the **oracle** can prove it. It knows the grammar and says of any
# text how probable it is as a whole. A text that no story can be has probability 0. **Predict:** how many of 20 stories
# by the best n-gram are possible at all?

# %%
from course.oracle import Oracle

oracle = Oracle.load()
for n, samples in written.items():
    possible = sum(math.isfinite(oracle.log_prob(story)) for story in samples)
    print(f"n = {n}: {possible} of {len(samples)} written stories are possible.")
real = sum(math.isfinite(oracle.log_prob(story)) for story in stories.test[:20])
print(f"For comparison: {real} of 20 real stories are.")

# %% [markdown]
# ## What now works
#
# You have a complete language model: it counts, it gives every token a probability, it is judged on unseen text by one
# number that means something, and it writes. Three short functions, and you know how far from perfect it is.
#
# ## What comes next
#
# Predicting from the last few words is not enough. A model must take in the sentence, the paragraph, the document,
# without a table entry for each. Notebook 2 builds the first answer, a network that reads word by word and keeps a
# *state*.

# %% [markdown]
# ## In practice
#
# - N-grams were the language models of speech recognition and machine translation until about 2010. Good ones do not
#   add alpha: they fall back on shorter contexts where longer ones were rarely seen (Katz 1987; Kneser and Ney 1995;
#   Chen and Goodman 1999 compare them).
# - Brants et al. (2007) counted 5-grams on two trillion words. The table had 300 billion entries, and got better to the
#   end.
# - A perplexity means something only beside the vocabulary and the text it was measured on: never compare across
#   tokenisers.
# - For real text nobody knows the floor. Shannon (1951) estimated it by letting people guess the next letter.
