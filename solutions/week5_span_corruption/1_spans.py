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
# # Week 5, notebook 1: hide whole spans
#
# | | |
# |---|---|
# | **You build** | T5's span corruption: which spans to hide, sentinels, inputs and targets, and the way back |
# | **You need** | masking (week 3), the next token (week 4), the encoder-decoder (week 2) in mind |
# | **Time** | about 65 minutes; everything runs in under a minute |
# | **Points** | 14 |

# %% [markdown]
# ## Why a third family?
#
# You have built two kinds of model, and each lacks what the other has.
#
# | | reads | writes |
# |---|---|---|
# | BERT, an encoder | both sides of every word | no: it guesses words one by one, and they need not fit together |
# | GPT, a decoder | only what stands to the left | yes: each word given all words written before |

# %% [markdown]
# Many tasks want both: read a whole text, then write another one. Translate it, sum it up, answer a question about it.
# Week 2 had the model for that: an **encoder** that reads to both sides, and a **decoder** that writes from left to
# right and looks at what the encoder made.
#
# In 2017 such a model learned from pairs of sentences, which somebody had to translate. How can it learn from plain
# text, of which there is far more? It needs a question whose answer is a *text*.

# %% [markdown]
# T5's question (Raffel et al. 2020, sections 3.1.4 and 3.3.4): take whole **spans** out of a text, leave a numbered gap
# for each, and let the decoder write what stood there.
#
# - text: every winter Tom was with his proud father .
# - input: every winter `<0>` with his `<1>`
# - target: `<0>` Tom was `<1>` proud father .
#
# This week: the corruption (here), the model (2), another kind of noise (3), and three tasks for one model (4).

# %% setup=true
import torch

from course.checks import check_equal, check_shape, check_true

# %% [markdown]
# ## 1 Which spans?
#
# BERT tossed a coin for every token. T5 counts. Of a text of $T$ tokens it hides
#
# $$n = \text{round}(T \cdot \text{density}) \quad\text{tokens in}\quad s = \text{round}(n\, /\, \text{mean}) \quad
# \text{spans,}$$
#
# with density 0.15 and a mean span length of 3. Both numbers are **fixed**: chance only says where. Both are at least
# 1, and $n$ is at most $T - 1$, so that something stays visible. A half goes to the even neighbour: 2.5 becomes 2, 3.5
# becomes 4. Python's `round` does that.

# %% [markdown]
# Where? The text is laid out in turns: a stretch of visible text, a span of noise, a stretch of text, a span, and so
# on. It **starts with text and ends with noise**, so there are $s$ stretches and $s$ spans, none of them empty: spans
# never touch.
#
# So two things are drawn: how to cut the $n$ noise tokens into $s$ spans, and how to cut the $T - n$ visible tokens
# into $s$ stretches. **Every way to cut is equally likely**, and the two cuts know nothing of each other.

# %% [markdown]
# A worked example: $T = 9$ tokens at density 0.45 and mean 2. Then $n = \text{round}(4.05) = 4$ and $s = 2$.
#
# - noise, 4 = 1+3 or 2+2 or 3+1: three ways
# - text, 5 = 1+4 or 2+3 or 3+2 or 4+1: four ways
#
# That makes twelve masks, each with probability 1/12. One of them is text 2+3 with noise 3+1, with 1 for noise:
#
# `0 0 | 1 1 1 | 0 0 0 | 1`


# %% exercise="random_spans" points=4
def random_spans(length: int, density: float, mean_span_len: float, generator: torch.Generator) -> torch.Tensor:
    """Return which tokens of a text are noise: a fixed number of them, in a fixed number of spans.

    Args:
        length: T, tokens of the text, at least 1.
        density: share of the tokens to hide, from 0 to 1. With 0 nothing is hidden.
        mean_span_len: mean length of a span in tokens, at least 1. You may take it that the spans are no more than the
            visible tokens, so that they can be kept apart.
        generator: where all random numbers come from.

    Returns:
        bool [T], True on noise. round(T * density) tokens are noise (a half goes to the even neighbour; at least 1, at
        most T - 1), in round(noise / mean_span_len) spans (the same; at least 1). The mask starts with text and ends
        with noise, spans never touch, and all masks of this kind are equally likely. If density is 0 or T is 1,
        nothing is noise.

    Example:
        >>> random_spans(4, 0.5, 2.0, torch.Generator().manual_seed(0))  # 2 tokens, 1 span: there is one such mask
        tensor([False, False,  True,  True])
    """
    ### BEGIN SOLUTION
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)

    def cut(n_tokens: int) -> list[int]:
        """Return the lengths of n_spans parts, none empty: n_spans - 1 of the n_tokens - 1 gaps between tokens."""
        gaps = torch.randperm(n_tokens - 1, generator=generator)[: n_spans - 1].sort().values + 1
        edges = [0, *gaps.tolist(), n_tokens]
        return [end - start for start, end in zip(edges, edges[1:], strict=False)]

    mask = []
    for stretch, span in zip(cut(length - n_noise), cut(n_noise), strict=True):
        mask += [False] * stretch + [True] * span
    return torch.tensor(mask)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how to cut evenly</summary>
#
# Put $n$ tokens in a row. Between them are $n - 1$ gaps. To cut the row into $s$ parts, none empty, choose $s - 1$
# *different* gaps. `torch.randperm(n - 1, generator=generator)[: s - 1]` chooses them, every choice as likely as any
# other. Drawing the lengths one after another does not: the first would grow too long.
#
# </details>
#
# <details><summary>Hint 2: from gaps to a mask</summary>
#
# Sort the chosen gaps. With 0 in front and $n$ at the end, the differences of neighbours are the lengths. Do it once
# for the noise and once more, with fresh numbers, for the text. Then lay them out in turns: a stretch of False, a span
# of True. `torch.randperm(0)` is empty and does no harm.
#
# </details>

# %% check="random_spans"
check_equal(
    random_spans(4, 0.5, 2.0, torch.Generator().manual_seed(0)).tolist(), [False, False, True, True], "one span of two"
)
check_equal(
    random_spans(6, 0.5, 1.0, torch.Generator().manual_seed(0)).tolist(),
    [False, True] * 3,
    "three spans of one token, kept apart by three stretches of one",
)
mask = random_spans(100, 0.15, 3.0, torch.Generator().manual_seed(1))
check_shape(mask, (100,), "one answer for each token")
check_equal(int(mask.sum()), 15, "15% of 100 tokens are hidden, exactly")
check_equal(int((mask[1:] & ~mask[:-1]).sum()), 5, "in 5 spans, which do not touch")
check_true(not mask[0] and bool(mask[-1]), "text first, noise last")
generator = torch.Generator().manual_seed(2)
seen = {tuple(random_spans(9, 0.45, 2.0, generator).tolist()) for _ in range(300)}
check_equal(len(seen), 12, "all twelve masks of the worked example come up, and no other")
check_equal(int(random_spans(1, 0.9, 3.0, generator).sum()), 0, "a text of one token keeps it")

# %% [markdown]
# On average a span has three tokens. **Predict:** which length is the most common one? Draw masks for texts of 512
# tokens, as T5 did, and count.

# %%
from collections import Counter

from course.figures import show
from course.figures.week5_spans import span_length_histogram


def spans_of(mask):
    """Return the lengths of the mask's spans, in order."""
    lengths, previous = [], False
    for hidden in mask.tolist():
        if hidden and previous:
            lengths[-1] += 1
        elif hidden:
            lengths.append(1)
        previous = hidden
    return lengths


generator = torch.Generator().manual_seed(3)
masks = [random_spans(512, 0.15, 3.0, generator) for _ in range(300)]
lengths = Counter(length for mask in masks for length in spans_of(mask))
figure, _ = span_length_histogram(lengths, n_noise=int(masks[0].sum()), n_spans=len(spans_of(masks[0])))
show(figure, alt="A histogram of span lengths falls from its highest bar at one token, as the exact law says.")

# %% [markdown]
# One token: the bars fall from the first on, and a few long spans make up for it. Few would call that "spans of three".
#
# Now for our stories. **Predict:** how often is the first word of a story hidden? How often the last token? And one in
# the middle?

# %%
from course.figures.week5_spans import hidden_by_place
from course.stories import Stories

stories = Stories.load()
texts = [torch.tensor(story[1:-1]) for story in stories.test]  # the words, without [BOS] and [EOS]
N_PLACES = 12


def share_by_place(masks):
    """Return the share of hidden tokens in each twelfth of the text, with the last token of all by itself."""
    hidden, total = torch.zeros(N_PLACES + 1), torch.zeros(N_PLACES + 1)
    for mask in masks:
        place = torch.arange(len(mask)) * N_PLACES // len(mask)
        place[-1] = N_PLACES
        hidden.index_add_(0, place, mask.float())
        total.index_add_(0, place, torch.ones(len(mask)))
    return (hidden / total).tolist()


masks = [random_spans(len(text), 0.15, 3.0, generator) for text in texts]
offsets = [int(torch.randint(len(mask), (1,), generator=generator)) for mask in masks]
rolled = [mask.roll(offset) for mask, offset in zip(masks, offsets, strict=True)]
shares = {"as drawn": share_by_place(masks), "rolled": share_by_place(rolled)}
figure, _ = hidden_by_place(shares, density=0.15)
show(figure, alt="As drawn, the beginning is hardly ever hidden and the last token always; rolled, all places alike.")
for name, drawn in (("as drawn", masks), ("rolled", rolled)):
    first, last = (sum(bool(mask[at]) for mask in drawn) / len(drawn) for at in (0, -1))
    print(f"{name:>8}: the first word is hidden in {first:.0%} of the stories, the last token in {last:.0%}")
n_spans = Counter(len(spans_of(mask)) for mask in masks)
print("stories by their number of spans, as drawn:", dict(sorted(n_spans.items())))

# %% [markdown]
# The mask always ends with noise: **the last token is hidden in every text**. In a text of 512 tokens this is one span
# among many, and hardly matters. Our stories have only a few spans each, and one of them is always at the end.
#
# The cure is to *roll* the mask: shift it round by a random number of places. Then it may begin with noise, end with
# text, and a span that crosses the end becomes two. So whatever comes next should take **any** mask.

# %% [markdown]
# ## 2 Names for the gaps
#
# Each gap gets a token of its own, a **sentinel**: `<extra_id_0>` for the first span, `<extra_id_1>` for the second. T5
# takes them from the far end of the vocabulary, downwards: of 300 entries, sentinel 0 is 299, sentinel 1 is 298.


# %% exercise="sentinel_ids" points=1
def sentinel_ids(vocab_size: int, n: int) -> list[int]:
    """Return the ids of the first n sentinels, from the vocabulary's last entry down.

    Args:
        vocab_size: V, entries of the vocabulary, sentinels included; ids are 0 to V - 1.
        n: how many sentinels, from 0 to V.

    Returns:
        n ids, a list; the first one is the highest.

    Example:
        >>> sentinel_ids(300, 3)
        [299, 298, 297]
    """
    ### BEGIN SOLUTION
    return [vocab_size - 1 - i for i in range(n)]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: the highest id</summary>
#
# Ids begin at 0, so the last of V entries has the id V - 1.
#
# </details>
#
# <details><summary>Hint 2: counting down</summary>
#
# Sentinel i is i places below the highest id. `range` takes a step, which may be -1.
#
# </details>

# %% check="sentinel_ids"
check_equal(sentinel_ids(10, 2), [9, 8], "two sentinels of a vocabulary of ten")
check_equal(sentinel_ids(10, 0), [], "none")

# %%
sentinels = sentinel_ids(len(stories.vocab), 16)
print([stories.vocab[i] for i in sentinels[:3]], "and so on to", stories.vocab[sentinels[-1]])

# %% [markdown]
# ## 3 Input and target
#
# Walk through the text. Visible tokens go into the **inputs**. Where a span begins, its sentinel goes into both; then
# the span's tokens go into the **targets** alone. Both end with the end token. A worked example with sentinels 99, 98,
# 97 and end token 2:
#
# | ids | 11 | 12 | 13 | 14 | 15 | 16 | 17 | |
# |---|---|---|---|---|---|---|---|---|
# | noise | | **yes** | **yes** | | | **yes** | | |
# | inputs | 11 | 99 | | 14 | 15 | 98 | 17 | 2 |

# %% [markdown]
# The targets are `99 12 13 98 16 97 2`. What is the 97 for? Text follows the last span (17), and the model must be able
# to say that the span is over. So where the text ends visible, a **closing sentinel** stands behind the last span.
# Where the text ends with noise, the end token says it, and there is none.
#
# That is the whole rule: the last token visible, a closing sentinel; the last token hidden, none. With nothing hidden
# at all, the targets are sentinel 0, as the closing one, and the end token.


# %% exercise="corrupt" points=4
def corrupt(
    ids: torch.Tensor, noise_mask: torch.Tensor, sentinels: list[int], eos_id: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the encoder reads and what the decoder writes.

    Args:
        ids: long [T], T at least 1; without sentinels. Not changed. eos_id may stand in it, as any other token.
        noise_mask: bool [T], True on hidden tokens; any mask. Hidden neighbours belong to one span. Not changed.
        sentinels: ids of the sentinels, in the order of their use, no fewer than needed; any different ids.
        eos_id: the id of the end token.

    Returns:
        inputs: long [S], the visible tokens with one sentinel in place of each span, then eos_id.
        targets: long, for each span its sentinel and its tokens; then, if the last token of the text is visible, the
            next sentinel; then eos_id.

    Example:
        >>> corrupt(torch.tensor([7, 8, 9]), torch.tensor([False, True, True]), [99, 98], 2)
        (tensor([ 7, 99,  2]), tensor([99,  8,  9,  2]))
    """
    ### BEGIN SOLUTION
    inputs, targets, n_spans, inside = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist(), strict=True):
        if hidden and not inside:
            inputs.append(sentinels[n_spans])
            targets.append(sentinels[n_spans])
            n_spans += 1
        (targets if hidden else inputs).append(token)
        inside = hidden
    if not inside:
        targets.append(sentinels[n_spans])
    return torch.tensor([*inputs, eos_id]), torch.tensor([*targets, eos_id])
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: where does a span begin?</summary>
#
# At a hidden token whose left neighbour is visible, or which has none. A loop can remember whether the token before was
# hidden; without a loop it is `noise_mask & ~before`, with the mask moved by one place for `before`.
#
# </details>
#
# <details><summary>Hint 2: two lists</summary>
#
# Keep two lists and a count of the spans so far. At the beginning of a span, append `sentinels[count]` to both and
# count on. Then append the token to one of them. After the loop, look at the last token: visible, and the targets get
# `sentinels[count]`. The end token comes last, on both.
#
# </details>

# %% check="corrupt"
ids = torch.tensor([11, 12, 13, 14, 15, 16, 17])
noise_mask = torch.tensor([False, True, True, False, False, True, False])
inputs, targets = corrupt(ids, noise_mask, [99, 98, 97], 2)
check_equal(inputs.tolist(), [11, 99, 14, 15, 98, 17, 2], "inputs of the worked example")
check_equal(targets.tolist(), [99, 12, 13, 98, 16, 97, 2], "targets, with a closing sentinel")
inputs, targets = corrupt(ids, ~noise_mask, [99, 98, 97], 2)
check_equal(inputs.tolist(), [99, 12, 13, 98, 16, 97, 2], "noise first: the inputs begin with a sentinel")
check_equal(targets.tolist(), [99, 11, 98, 14, 15, 97, 17, 2], "noise last: no closing sentinel")
nothing = torch.zeros(7, dtype=torch.bool)
check_equal(corrupt(ids, nothing, [99], 2)[1].tolist(), [99, 2], "nothing hidden: only the closing sentinel")

# %% [markdown]
# Here is a story as your functions leave it. **Predict:** 15% of its text is hidden. How many tokens will the decoder
# have to write, for how many words?

# %%
from course.figures.week5_spans import corrupted_story

text, mask = texts[0], masks[0]
inputs, targets = corrupt(text, mask, sentinels, stories.eos_id)
span_numbers = (mask & ~torch.cat([torch.tensor([False]), mask[:-1]])).cumsum(0) - 1


def pieces_of(ids):
    """Return (word, number of its sentinel or None) for each token."""
    return [
        (f"<{sentinels.index(i)}>", sentinels.index(i)) if i in sentinels else (stories.vocab[i], None)
        for i in ids.tolist()
    ]


marked = [
    (word, int(number) if hidden else None)
    for (word, _), number, hidden in zip(pieces_of(text), span_numbers, mask, strict=True)
]
figure, _ = corrupted_story({"text": marked, "input": pieces_of(inputs), "target": pieces_of(targets)})
show(figure, alt="A story in three rows: its spans in colour, the input with a sentinel for each, the short target.")

# %% [markdown]
# BERT would answer at every hidden word, each by itself. T5's decoder writes a short text, and every word of a span is
# written with the words before it in view.
#
# ## 4 And back again
#
# Is anything lost? Put the spans back where their sentinels stand. If that gives the text again, for every text and
# every mask, then inputs and targets hold all of it. You will need it in notebook 2, to see what a model restores.
#
# In the worked example: inputs `11 99 14 15 98 17 2`, targets `99 12 13 98 16 97 2`. For 99 put `12 13`, for 98 put
# `16`. Nothing stands behind 97, which no gap asks for. Leave out the end token at the end of both.


# %% exercise="reconstruct" points=3
def reconstruct(inputs: torch.Tensor, targets: torch.Tensor, sentinels: list[int], eos_id: int) -> torch.Tensor:
    """Return the text that was corrupted.

    Args:
        inputs, targets: long [S] and long [T], as `corrupt` gives them for a text and any mask. Not changed. The last
            token of each is the end token; an eos_id further left belongs to the text.
        sentinels, eos_id: as they were given to `corrupt`.

    Returns:
        long, the ids of the text: no sentinel, no end token.

    Example:
        >>> reconstruct(torch.tensor([7, 99, 2]), torch.tensor([99, 8, 9, 2]), [99, 98], 2)
        tensor([7, 8, 9])
    """
    ### BEGIN SOLUTION
    spans = {}
    for token in targets[:-1].tolist():
        if token in sentinels:
            span = spans.setdefault(token, [])
        else:
            span.append(token)
    text = []
    for token in inputs[:-1].tolist():
        text += spans[token] if token in sentinels else [token]
    return torch.tensor(text, dtype=torch.long)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: read the targets first</summary>
#
# Go through the targets without their last token. A sentinel opens a new list, in a dictionary from sentinel to list;
# any other token goes to the list that was opened last.
#
# </details>
#
# <details><summary>Hint 2: then the inputs</summary>
#
# Go through the inputs without their last token, and build a list: for a sentinel its span, for any other token the
# token itself. `list += other_list` appends all of the other. Take off the *last* token only; do not remove every
# eos_id.
#
# </details>

# %% check="reconstruct"
inputs, targets = torch.tensor([11, 99, 14, 15, 98, 17, 2]), torch.tensor([99, 12, 13, 98, 16, 97, 2])
check_equal(
    reconstruct(inputs, targets, [99, 98, 97], 2).tolist(), [11, 12, 13, 14, 15, 16, 17], "the worked example, back"
)
inputs, targets = torch.tensor([5, 99, 2]), torch.tensor([99, 6, 2, 2])
check_equal(reconstruct(inputs, targets, [99], 2).tolist(), [5, 6, 2], "an end token that was hidden comes back")
inputs, targets = torch.tensor([5, 6, 2]), torch.tensor([99, 2])
check_equal(reconstruct(inputs, targets, [99], 2).tolist(), [5, 6], "nothing was hidden")

# %% [markdown]
# A thousand random sequences, each with a random mask: coins of any weight, so that spans may be long, or lie at either
# end, or be the whole text. **Predict:** how many come back?

# %%
generator, came_back, many = torch.Generator().manual_seed(4), 0, sentinel_ids(10_000, 200)
for _ in range(1000):
    length = int(torch.randint(1, 60, (1,), generator=generator))
    ids = torch.randint(9_000, (length,), generator=generator)
    mask = torch.rand(length, generator=generator) < torch.rand(1, generator=generator)
    inputs, targets = corrupt(ids, mask, many, 2)
    came_back += reconstruct(inputs, targets, many, 2).equal(ids)
print(f"{came_back} of 1000 came back, token for token")

# %% [markdown]
# ## 5 What does a batch hold?
#
# Memory is laid out for a fixed length: T5's inputs have 512 tokens. But corruption makes a text *shorter*: three
# hidden tokens become one sentinel. To fill 512 input tokens, a longer text must be cut. How long?
#
# For a text of $L$ tokens with $n$ noise tokens in $s$ spans, counted as in `random_spans`:
#
# $$\text{input} = (L - n) + s + 1, \qquad \text{target} = n + s + 1$$
#
# The 1 is the end token. There is no closing sentinel, since these masks end with noise.

# %% [markdown]
# A worked example: which $L$ fits inputs of 12 tokens, at density 0.25 and mean 2?
#
# | $L$ | $n$ | $s$ | input | target |
# |---|---|---|---|---|
# | 12 | 3 | 2 (from 1.5) | 12 | 6 |
# | 13 | 3 | 2 | 13: too long | |
#
# So the answer is (12, 6). Longer texts never give shorter inputs, so you may try one length after the other; but the
# same input length can come from several texts, and the **longest** is wanted.


# %% exercise="lengths_after_corruption" points=2
def lengths_after_corruption(input_len: int, density: float, mean_span_len: float) -> tuple[int, int]:
    """Return how long a text may be so that its inputs fit, and how long its targets then are.

    Args:
        input_len: tokens that the inputs may have, sentinels and the end token included; at least 3.
        density: share of the tokens that is hidden, above 0 and at most 0.5.
        mean_span_len: mean length of a span, at least 2.

    Returns:
        tokens_len: tokens of the longest text whose inputs, corrupted by `random_spans` and `corrupt`, have at most
            input_len tokens.
        target_len: tokens of the targets of such a text, sentinels and the end token included.

    Example:
        >>> lengths_after_corruption(12, 0.25, 2.0)
        (12, 6)
    """

    ### BEGIN SOLUTION
    def lengths(tokens_len: int) -> tuple[int, int]:
        n_noise = min(max(round(tokens_len * density), 1), tokens_len - 1)
        n_spans = max(round(n_noise / mean_span_len), 1)
        return tokens_len - n_noise + n_spans + 1, n_noise + n_spans + 1

    tokens_len = 2
    while lengths(tokens_len + 1)[0] <= input_len:
        tokens_len += 1
    return tokens_len, lengths(tokens_len)[1]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: try lengths</summary>
#
# Write a small function from L to the two lengths. Begin with L = 2, whose inputs have 3 tokens, and go on as long as
# the *next* one still fits.
#
# </details>
#
# <details><summary>Hint 2: the same rounding</summary>
#
# The counts are those of `random_spans`: `round` for both, noise from 1 to L - 1, at least one span. A formula without
# rounding comes close and is off by one for some lengths.
#
# </details>

# %% check="lengths_after_corruption"
check_equal(tuple(lengths_after_corruption(12, 0.25, 2.0)), (12, 6), "the worked example")
check_equal(tuple(lengths_after_corruption(3, 0.15, 3.0)), (2, 3), "the shortest inputs: one token, one sentinel, end")
check_equal(tuple(lengths_after_corruption(512, 0.15, 3.0)), (568, 114), "T5's own numbers")

# %% [markdown]
# A text of 568 tokens costs 512 on the encoder's side and 114 on the decoder's. The cost of self-attention grows with
# the square of each. And what is learned for that price? Every hidden word is one question.
#
# **Predict**, for one average story and each of the three families: how many tokens does the encoder read, how many the
# decoder, and about how many words is the model asked?

# %%
mean_len = sum(len(text) for text in texts) / len(texts)
pairs = [corrupt(text, mask, sentinels, stories.eos_id) for text, mask in zip(texts, masks, strict=True)]
read = sum(len(inputs) for inputs, _ in pairs) / len(pairs)
written = sum(len(targets) for _, targets in pairs) / len(pairs)
asked = sum(int(mask.sum()) for mask in masks) / len(masks)
print(f"{'':22}{'encoder reads':>14}{'decoder reads':>14}{'words asked':>13}")
print(f"{'BERT, 15% masked':22}{mean_len + 2:14.1f}{'-':>14}{0.15 * mean_len:13.1f}")
print(f"{'GPT, the next token':22}{'-':>14}{mean_len + 1:14.1f}{mean_len:13.1f}")
print(f"{'T5, spans of 3':22}{read:14.1f}{written:14.1f}{asked:13.1f}")
single = [random_spans(len(text), 0.15, 1.0, generator) for text in texts]
written_1 = sum(len(corrupt(t, m, sentinels, stories.eos_id)[1]) for t, m in zip(texts, single, strict=True))
print(f"With spans of 1 the decoder would read {written_1 / len(texts):.1f} tokens for the same words.")

# %% [markdown]
# The decoder's part is short. If it had to write the whole text again, as in other objectives that T5's authors tried,
# it would read about as much as GPT does. Longer spans shorten inputs and targets further, and that saves time (Raffel
# et al. 2020, section 3.3.4). The price is that only some of the words are asked, as in BERT.
#
# ## 6 Can it be answered?
#
# Now whole spans are gone. Go back to the story in the picture. **Predict:** which of its hidden words could anybody
# know? The ideal reader writes the target too; here is how probable it finds each token, given the input and the target
# before it.

# %%
import numpy as np

from course.oracle import Oracle

oracle = Oracle.load()
inputs, targets = corrupt(texts[0], masks[0], sentinels, stories.eos_id)
probabilities = np.exp(oracle.span_log_probs(inputs.numpy(), targets.numpy()))
for (word, _), p in zip(pieces_of(targets), probabilities, strict=True):
    print(f"{word:>10} {p:4.0%} {'#' * round(40 * p)}")

# %% [markdown]
# The long gap is certain, word for word: the beans came up small and black, so somebody had not watered them, and the
# grammar has one way to say that. The *single* word is a guess: a girl may sit there, or a boy, a fox, a frog. You
# cannot tell from the length of a gap how hard it is.
#
# Is that the rule? **Predict**, for the ideal reader of many stories:
#
# 1. A word of a longer span: does it cost much more than a single hidden word? And what if half of the text is hidden?
# 2. Nothing in the input says how long a span was. What does it cost to say where each one ends?
# 3. Which words are the easiest?

# %%
from course.progress import Progress


def ideal_losses(density, mean_span_len, n_stories, generator):
    """Return the ideal reader's losses, a list each, for words of inner spans, of last spans, and for sentinels."""
    found = {"inner": [], "last": [], "sentinels": []}
    for text in texts[:n_stories]:
        mask = random_spans(len(text), density, mean_span_len, generator)
        inputs, targets = corrupt(text, mask, sentinels, stories.eos_id)
        asked = {"density": density, "mean_span_len": mean_span_len}
        losses = -oracle.span_log_probs(inputs.numpy(), targets.numpy(), **asked)
        last = len(targets) - 1 - spans_of(mask)[-1]  # where the last span begins
        for at, (token, loss) in enumerate(zip(targets.tolist(), losses.tolist(), strict=True)):
            word = token not in sentinels and token != stories.eos_id
            found[("last" if at >= last else "inner") if word else "sentinels"].append(loss)
    return found


# %%
from course.figures.week5_spans import floor_of_spans

generator, means, densities = torch.Generator().manual_seed(5), (1.0, 2.0, 3.0, 4.0), (0.1, 0.15, 0.3, 0.5)
cases = [(0.15, m) for m in means] + [(d, 3.0) for d in densities if d != 0.15]
ideal = {}
for density, mean in Progress(cases, desc="the ideal reader", unit="case"):
    ideal[density, mean] = ideal_losses(density, mean, 120 if density < 0.3 else 50, generator)
by_mean, by_density = {m: ideal[0.15, m] for m in means}, {d: ideal[d, 3.0] for d in densities}
figure, _ = floor_of_spans(by_mean, by_density, masked_floor=stories.floors["masked_only"]["loss"])
show(
    figure,
    alt="Loss per word against mean span length and against density: words of inner spans cost about as much as "
    "single masked words, and most where half of the text is hidden; words of the last span cost almost nothing.",
)
for (density, mean), losses in ideal.items():
    words, ends = losses["inner"] + losses["last"], abs(np.mean(losses["sentinels"]))
    share, error = len(losses["last"]) / len(words), np.std(words) / len(words) ** 0.5
    print(
        f"density {density:.0%}, mean {mean:.0f}: {np.mean(words):.3f} ± {error:.3f} nats a word, {ends:.4f} a "
        f"sentinel or end; {share:.0%} of the words are in the last span"
    )

# %% [markdown]
# - Words of longer gaps cost hardly more than single ones. With **half of the story** gone they cost more, but nowhere
#   near twice as much: the decoder writes them one after another, and each has those before it to go by. Notebook 2
#   takes that apart.
# - **Where a span ends is as good as free.** The number of hidden tokens is fixed, so an ideal reader can count, and
#   our stories leave hardly more than one place for each end. In English that is not so.
# - **The last span is nearly free.** The end of our stories follows from the rest. T5's mask always asks for it, and
#   here that is a good part of all questions, wasted.

# %% [markdown]
# That also says how to read the stored **span floor**, the average over all targets of such a test: sentinels and last
# spans make it low before anything is understood. So look at the words alone, too. They were hidden in more stories
# than above and by other draws, which moves their average: compare a model with the ideal reader on the *same* gaps.

# %%
for name in ("span", "span_words", "span_sentinels"):
    entry = stories.floors[name]
    print(f"{name:15} {entry['loss']:.3f} ± {entry['standard_error']:.3f} nats, {entry['n_tokens']:,} targets")

# %% [markdown]
# ## In practice
#
# - T5's texts were cut from a stream to more than 500 tokens each: one last span among so many does no harm. With short
#   texts, roll the mask.
# - Copies differ. The Flax example of the library `transformers` counts spans by the *smaller* of hidden and visible
#   tokens, so above a density of 0.5 its masks are not these. In rolled masks that begin with noise, T5's own code
#   gives the first span no sentinel in the targets; yours gives every span its own.
# - Hiding 10%, 15% or 25% made little difference to T5, and 50% made it worse; mean lengths from 2 to 10 made little
#   difference too (Raffel et al. 2020, sections 3.3.3 and 3.3.4).

# %% [markdown]
# ## What now works
#
# You can turn any text into a question and an answer that are both texts, and back, without losing a token. You know
# what it costs to read and to write, and which of the questions are too easy.

# %% [markdown]
# ## What comes next
#
# Someone must answer. Notebook 2 builds T5, an encoder that reads the input and a decoder that writes the target, and
# asks why the words of a span should be written one after the other.
