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
# # Week 2, notebook 1: every word looks at every word
#
# | | |
# |---|---|
# | **You build** | scaled dot-product attention: scores, a softmax that hides words, the weighted sum, two masks |
# | **You need** | matrix products and broadcasting in PyTorch; week 1's picture of a state that forgets |
# | **Time** | about 60 minutes; everything runs in about half a minute |
# | **Points** | 11 |

# %% [markdown]
# ## From a state to a look back
#
# A recurrent network reads a story through a keyhole. What word 40 may know about word 3 has passed through 37 states
# of fixed size, one after the other, and week 1 measured what that costs: facts fade with distance, more facts do not
# fit, and no step can start before the one before it is done.
#
# **Self-attention** (Vaswani et al. 2017) drops the state. Word 40 looks at word 3 directly, and at all the others. No
# distance is long, nothing has to fit through a bottleneck, and all the words can look at the same time.

# %% [markdown]
# Looking needs three things from each word, all of them vectors of $K$ numbers:
#
# - a **query** $q$: what am I looking for?
# - a **key** $k$: what can I be found by?
# - a **value** $v$: what do I hand over to whoever finds me?
#
# The word at position $t$ compares its query with the keys of all words, turns the comparison into weights that add up
# to 1, and takes the weighted average of the values. That is all of attention. You write it in five small functions.

# %% setup=true
import math

import torch

from course.checks import check_close, check_equal, check_shape

# %% [markdown]
# ## 1 Scores: how well do a query and a key fit?
#
# The dot product $q \cdot k$ is large where both point the same way. Let $q$ and $k$ have $K$ independent entries with
# mean 0 and variance 1. Then $q \cdot k$ is a sum of $K$ terms with mean 0 and variance 1.
#
# **Before you run the next cell:** how large is a typical dot product for $K = 4$, and how large for $K = 256$? The
# same, 8 times as large, or 64 times?

# %%
generator = torch.Generator().manual_seed(0)
for K in (4, 16, 64, 256):
    q_NK, k_NK = (torch.randn(20_000, K, generator=generator) for _ in range(2))
    spread = (q_NK * k_NK).sum(1).std().item()
    print(f"K = {K:3d}: standard deviation of the dot product {spread:5.2f}, square root of K {math.sqrt(K):5.2f}")

# %% [markdown]
# The variances add up, so the spread grows with the square root of $K$. Scores that grow with the width would make the
# softmax behind them pick one single word, whatever was learned (section 2 shows it). So they are divided by what they
# grew by (Vaswani et al. 2017, section 3.2.1):
#
# $$\text{scores}_{ts} = \frac{q_t \cdot k_s}{\sqrt{K}}$$

# %% [markdown]
# A worked example with $K = 4$, one query $q = (2, 0, 0, 0)$ and three keys:
#
# | key | dot product | score |
# |---|---|---|
# | $(3, 0, 0, 0)$ | 6 | $6 / 2 = 3$ |
# | $(0, 1, 0, 0)$ | 0 | $0$ |
# | $(1, 1, 1, 1)$ | 2 | $2 / 2 = 1$ |

# %% [markdown]
# In practice there are $B$ texts at once and $H$ *heads*, which look independently of each other (the next notebook
# says why). So a query tensor has axes `[B,H,T,K]`: $T$ is the number of words that look. Keys are `[B,H,S,K]`: $S$ is
# the number of words that are looked at. Within one text $T = S$; later a translation will look at its source, and then
# they differ. Name the two apart from the start.


# %% exercise="attention_scores" points=2
def attention_scores(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Return how well each query fits each key: their dot product divided by the square root of K.

    Args:
        query: float [B,H,T,K], one vector for each of the T words that look.
        key: float [B,H,S,K], one vector for each of the S words that are looked at.

    Returns:
        float [B,H,T,S], in the inputs' dtype; entry [b,h,t,s] belongs to query t and key s. The inputs are not changed,
        and need not be contiguous in memory; gradients flow through.

    Example:
        >>> query = torch.tensor([[[[2.0, 0, 0, 0]]]])
        >>> attention_scores(query, torch.tensor([[[[3.0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 1]]]]))
        tensor([[[[3., 0., 1.]]]])
    """
    ### BEGIN SOLUTION
    head_width = query.shape[-1]
    return query @ key.transpose(-2, -1) / math.sqrt(head_width)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which axes meet?</summary>
#
# The sum runs over K, so K must stand last on the left and second to last on the right of `@`. The leading axes B and H
# are batch axes: `@` leaves them alone. `tensor.transpose(i, j)` swaps two axes, and negative numbers count from the
# end.
#
# </details>
#
# <details><summary>Hint 2: where do I get K from?</summary>
#
# From the shape of the query, its last axis. It is the width of *one head*, not of the whole model, and not the number
# of heads. `math.sqrt` takes the root of a number.
#
# </details>

# %% check="attention_scores"
query_BHTK = torch.tensor([[[[2.0, 0.0, 0.0, 0.0]]]])
key_BHSK = torch.tensor([[[[3.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]]])
check_close(attention_scores(query_BHTK, key_BHSK), [[[[3.0, 0.0, 1.0]]]], "the worked example: 3, 0 and 1")
check_shape(
    attention_scores(torch.ones(2, 3, 5, 4), torch.ones(2, 3, 7, 4)), (2, 3, 5, 7), "5 queries by 7 keys, T before S"
)
check_close(
    attention_scores(torch.ones(1, 1, 1, 9), torch.ones(1, 1, 1, 9)),
    [[[[3.0]]]],
    "nine ones with nine ones: 9 / 3",
    cause="the root of K, not K and not another axis.",
)

# %% [markdown]
# ## 2 Weights: a softmax that can hide words
#
# Scores become weights through the softmax over the *keys*: row $t$ holds the weights that query $t$ gives to all $S$
# words, and adds up to 1.
#
# $$a_{ts} = \frac{m_{ts}\, e^{x_{ts}}}{\sum_{s'} m_{ts'}\, e^{x_{ts'}}}
# \qquad m_{ts} = \begin{cases} 1 & \text{where } t \text{ may see } s \\ 0 & \text{elsewhere} \end{cases}$$

# %% [markdown]
# The **mask** $m$ is a tensor of booleans, True where something may be seen. A hidden word must not only get weight 0:
# it must not take anything from the others either. So it leaves the sum below the line too, and the mask works *before*
# the softmax. Putting zeros into the finished weights comes too late: the rest no longer adds up to 1.
#
# What if a row may see nothing at all, because the whole text is padding? Then the formula says $0/0$. We set it to 0:
# a word that may see nothing gets nothing, and sends no gradient.

# %% [markdown]
# A worked example. The scores of one query are $(\log 1, \log 2, \log 5)$, so that $e^x$ is $(1, 2, 5)$:
#
# | mask | weights |
# |---|---|
# | none | $1/8$, $2/8$, $5/8$ |
# | True, True, False | $1/3$, $2/3$, $0$ |
# | False, False, False | $0$, $0$, $0$ |
#
# The last score of row two may be anything, even $10^{30}$. What is hidden does not count.


# %% exercise="masked_softmax" points=3
def masked_softmax(scores: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Return the softmax over the last axis, with the hidden entries left out.

    Args:
        scores: float [...,T,S], any finite numbers, 10000 and -10000 too. Any number of leading axes.
        mask: bool, True where something may be seen; its shape broadcasts to that of scores, as [T,S] or [B,1,1,S] do.
            None hides nothing.

    Returns:
        float [...,T,S], in the dtype of scores. Hidden entries are exactly 0, whatever finite score stands there; the
        others of a row add up to 1. A row that may see nothing is all 0, and so is the gradient to its scores: never
        NaN. The inputs are not changed.

    Example:
        >>> masked_softmax(torch.tensor([[1.0, 2.0, 5.0]]).log(), torch.tensor([True, True, False]))
        tensor([[0.3333, 0.6667, 0.0000]])
    """
    ### BEGIN SOLUTION
    if mask is None:
        return scores.softmax(dim=-1)
    hidden = torch.finfo(scores.dtype).min
    weights = scores.masked_fill(~mask, hidden).softmax(dim=-1)
    # A row of equal minima comes out as 1/S each: a row that sees nothing needs its zeros put in.
    return weights.masked_fill(~mask, 0.0)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how do I hide a score?</summary>
#
# Replace it by something so small that its exponential is exactly 0. `tensor.masked_fill(where, number)` gives a copy
# in which `number` stands wherever `where` is True. Mind the direction: the mask is True where something may be *seen*.
# `torch.finfo(dtype).min` is the smallest finite number of a dtype; minus infinity is `float("-inf")`.
#
# </details>
#
# <details><summary>Hint 2: a row with nothing to see gives NaN</summary>
#
# With minus infinity everywhere in a row, the softmax divides 0 by 0. Either use a finite minimum, so that the row
# comes out as equal weights, or repair the NaN, and in both cases write zeros over what is hidden at the very end.
#
# </details>

# %% check="masked_softmax"
scores_TS = torch.tensor([[1.0, 2.0, 5.0]]).log()
check_close(masked_softmax(scores_TS), [[1 / 8, 2 / 8, 5 / 8]], "no mask: 1/8, 2/8, 5/8")
first_two = torch.tensor([[True, True, False]])
check_close(
    masked_softmax(scores_TS, first_two),
    [[1 / 3, 2 / 3, 0.0]],
    "the third word hidden: 1/3, 2/3, 0",
    cause="the mask must work before the softmax, and True means visible.",
)
check_close(masked_softmax(scores_TS, torch.zeros(1, 3, dtype=torch.bool)), [[0.0, 0.0, 0.0]], "nothing to see: zeros")
check_close(masked_softmax(torch.tensor([[1e4, 1e4]])), [[0.5, 0.5]], "scores of 10000 do no harm", tolerance=1e-3)

# %% [markdown]
# ## 3 Attention
#
# Now the sum. Query $t$ takes from each word its value, weighted:
#
# $$\text{Attention}(Q, K, V) = \text{softmax}\Big(\frac{Q K^\top}{\sqrt{K}}\Big) V
# \qquad \text{output}_t = \sum_s a_{ts}\, v_s$$
#
# A worked example: the weights of a query are $(1/3, 2/3)$, the values are $(3, 0)$ and $(0, 6)$. The output is
# $\tfrac{1}{3} (3, 0) + \tfrac{2}{3} (0, 6) = (1, 4)$. It is a mixture: never outside of what the values span.


# %% exercise="attend" points=3
def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return scaled dot-product attention (Vaswani et al. 2017, equation 1), and its weights.

    Args:
        query: float [B,H,T,K].
        key: float [B,H,S,K].
        value: float [B,H,S,K].
        mask: bool, True where query t may see key s; broadcasts to [B,H,T,S]. None hides nothing.

    Returns:
        output: float [B,H,T,K], for each query the weighted sum of the values; 0 for a query that may see nothing.
        weights: float [B,H,T,S], as `masked_softmax` makes them. Gradients reach query, key and value.

    Example:
        >>> query, key = torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 2, 2)
        >>> attend(query, key, torch.tensor([[[[2.0, 0.0], [0.0, 6.0]]]]))
        (tensor([[[[1., 3.]]]]), tensor([[[[0.5000, 0.5000]]]]))
    """
    ### BEGIN SOLUTION
    weights = masked_softmax(attention_scores(query, key), mask)
    return weights @ value, weights
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: what do I have already?</summary>
#
# The two functions above are the two steps to the weights. What is left is a sum over S: the weights are `[B,H,T,S]`,
# the values `[B,H,S,K]`. Which product adds up over S?
#
# </details>
#
# <details><summary>Hint 2: what is returned?</summary>
#
# A pair: first the output, then the weights, both for every head. The weights are needed for pictures.
#
# </details>

# %% check="attend"
zero_BHTK, keys_BHSK = torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 2, 2)
values_BHSK = torch.tensor([[[[2.0, 0.0], [0.0, 6.0]]]])
output, weights = attend(zero_BHTK, keys_BHSK, values_BHSK)
check_close(weights, [[[[0.5, 0.5]]]], "a query of zeros likes every key the same")
check_close(output, [[[[1.0, 3.0]]]], "so it takes the plain average of the values")
output, _ = attend(zero_BHTK, keys_BHSK, values_BHSK, torch.tensor([False, True]))
check_close(output, [[[[0.0, 6.0]]]], "with the first word hidden, the second value alone is left")
output, weights = attend(torch.ones(2, 3, 4, 8), torch.ones(2, 3, 5, 8), torch.ones(2, 3, 5, 8))
check_equal((output.shape, weights.shape), ((2, 3, 4, 8), (2, 3, 4, 5)), "output [B,H,T,K], weights [B,H,T,S]")

# %% [markdown]
# ## 4 Two masks
#
# A model that predicts the next word must not see it. The **causal mask** lets position $t$ see itself and what
# stands before it:
#
# | | key 0 | key 1 | key 2 |
# |---|---|---|---|
# | **query 0** | True | False | False |
# | **query 1** | True | True | False |
# | **query 2** | True | True | True |
#
# The diagonal is True: the prediction at position $t$ is of word $t + 1$, so word $t$ itself is known.


# %% exercise="causal_mask" points=1
def causal_mask(length: int) -> torch.Tensor:
    """Return which positions may see which, if nobody may see what comes later.

    Args:
        length: T, number of positions, at least 1.

    Returns:
        bool [T,T], True at [t,s] where s is at most t.

    Example:
        >>> causal_mask(2)
        tensor([[ True, False],
                [ True,  True]])
    """
    ### BEGIN SOLUTION
    key_positions = torch.arange(length)
    return key_positions <= key_positions[:, None]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: compare positions</summary>
#
# `torch.arange(length)` gives the positions. Comparing a column of query positions with a row of key positions gives a
# whole table of booleans at once.
#
# </details>
#
# <details><summary>Hint 2: or cut a triangle</summary>
#
# `torch.tril` keeps the lower triangle of a matrix, diagonal included, and works on booleans too.
#
# </details>

# %% check="causal_mask"
T, F = True, False
check_equal(causal_mask(3).tolist(), [[T, F, F], [T, T, F], [T, T, T]], "the table above")
check_equal(causal_mask(3).dtype, torch.bool, "booleans, not numbers")
check_equal(causal_mask(1).tolist(), [[T]], "a single word sees itself")

# %% [markdown]
# Texts of a batch differ in length, so short ones are filled up with padding behind their last word. **Nobody may see
# padding**: it is the *keys* of the padding that are hidden, for every query alike. A mask `[B,1,1,S]` says just that:
# it broadcasts over heads and queries.
#
# With lengths 2 and 4, filled up to 4 words, row one of the mask is True, True, False, False, and row two is all True.
# What the padding's own *queries* see does not matter: nobody reads their outputs.


# %% exercise="padding_mask" points=2
def padding_mask(lengths: torch.Tensor, max_len: int) -> torch.Tensor:
    """Return which keys are real words, for texts that were filled up behind their end.

    Args:
        lengths: long [B], number of real words of each text, from 0 to max_len. Not changed.
        max_len: S, number of positions after filling up.

    Returns:
        bool [B,1,1,S], True on real words; broadcasts to [B,H,T,S] for any number of heads and queries.

    Example:
        >>> padding_mask(torch.tensor([2, 4]), 4)[:, 0, 0]
        tensor([[ True,  True, False, False],
                [ True,  True,  True,  True]])
    """
    ### BEGIN SOLUTION
    is_real = torch.arange(max_len, device=lengths.device) < lengths[:, None]
    return is_real[:, None, None, :]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which positions are real?</summary>
#
# Those below the text's length: position 0 and 1 for a length of 2. Compare a row of positions with a column of
# lengths.
#
# </details>
#
# <details><summary>Hint 2: where do the ones go?</summary>
#
# Indexing with `None` puts in an axis of size 1. The result must be `[B,1,1,S]`: B first, keys last, and in the middle
# the axes of heads and queries, which see the same.
#
# </details>

# %% check="padding_mask"
T, F = True, False
mask_B11S = padding_mask(torch.tensor([2, 4]), 4)
check_shape(mask_B11S, (2, 1, 1, 4), "axes for heads and queries stand between B and S")
check_equal(mask_B11S[:, 0, 0].tolist(), [[T, T, F, F], [T, T, T, T]], "two real words, then four")
both = torch.tensor([[T, F, F, F], [T, T, F, F], [T, T, T, F], [T, T, T, T]]) & mask_B11S
check_equal(both[0, 0].tolist(), [[T, F, F, F], [T, T, F, F], [T, T, F, F], [T, T, F, F]], "& joins the two masks")

# %% [markdown]
# All of attention is now yours. The rest of this notebook looks at what it does.
#
# ## 5 What the root is for
#
# Take random queries and 16 random keys. Nothing was learned, so no key deserves more than another. **Predict:** what
# share of the weight does the luckiest of 16 keys get when $K = 1024$, without the root, and with it?

# %%
from course.figures import show
from course.figures.week2_attention import change_by_position, largest_weight, looks_of_a_word

widths, scaled, bare = [4, 16, 64, 256, 1024], [], []
for K in widths:
    query_BHTK = torch.randn(1, 1, 1000, K, generator=generator)
    key_BHSK = torch.randn(1, 1, 16, K, generator=generator)
    scores_BHTS = attention_scores(query_BHTK, key_BHSK)
    scaled.append(masked_softmax(scores_BHTS).amax(-1).mean().item())
    bare.append(masked_softmax(scores_BHTS * math.sqrt(K)).amax(-1).mean().item())
figure, _ = largest_weight(widths, {"divided by the root of K": scaled, "bare dot products": bare}, uniform=1 / 16)
show(
    figure,
    alt="Without the root the largest weight climbs to nearly one as K grows; with the root it stays where it was.",
)

# %% [markdown]
# A softmax that has already decided passes no gradient on: where one weight is 1 and the others are 0, a small change
# of the scores changes nothing. The root keeps a fresh network undecided, at any width.
#
# ## 6 Change the future
#
# In the sentence below *bank* becomes another word. **Predict:** at which positions does the output move, with the
# causal mask and without?

# %%
words = ["Mia", "walked", "to", "the", "bank", "and", "met", "Ben", "there", "."]
changed_at = words.index("bank")
x_BHTK = 0.6 * torch.randn(1, 1, len(words), 16, generator=generator)
other_BHTK = x_BHTK.clone()
other_BHTK[:, :, changed_at] = 0.6 * torch.randn(16, generator=generator)

changes = {}
for name, mask in {"causal mask": causal_mask(len(words)), "no mask": None}.items():
    before, after = (attend(z_BHTK, z_BHTK, z_BHTK, mask)[0] for z_BHTK in (x_BHTK, other_BHTK))
    changes[name] = (after - before).norm(dim=-1).flatten().tolist()
    print(f"{name}: the largest change before the word is {max(changes[name][:changed_at]):.6f}")

# %%
figure, _ = change_by_position(
    words, changed_at, changes, title="Under the causal mask, nothing before the changed word moves"
)
show(
    figure, alt="Bars by position: with the causal mask they are zero before the changed word, without it none is zero."
)

# %% [markdown]
# Exactly zero, not nearly. That is what makes the next weeks possible. A causal model can be trained on *all* positions
# of a story at once, each predicting its next word, and none can peek. A model without the mask sees both sides, so it
# must be given another task: restoring words that were hidden from it.
#
# ## 7 *Bank* looks for help
#
# In our stories *bank* is a river's or a money's, and some word of the story tells which, often one that comes later.
# Now let *bank* look **once** at all the words of its story, through your `attend`, with two heads, and guess its
# sense.

# %% [markdown]
# Nobody tells the model *where* to look. It is only told, story by story, which sense was right. **Predict:** after a
# few seconds of training, where do the weights of *bank* go? To its neighbours, to itself, or elsewhere?

# %%
from course.sense_reader import SenseReader
from course.stories import Stories, pad
from course.training import seeded, train

torch.set_num_threads(1)  # the tensors are small: a second thread would only get in the way
stories = Stories.load()
tasks = {split: [x for x in stories.labels("sense", split) if x["word"] == "bank"] for split in ("train", "valid")}
senses = sorted({label["sense"] for label in tasks["train"]})


def as_batch(split, chosen):
    labels = [tasks[split][i] for i in chosen]
    ids_BS, mask_BS = pad([getattr(stories, split)[label["story"]] for label in labels], stories.pad_id)
    positions_B = torch.tensor([label["position"] for label in labels])
    return ids_BS, mask_BS, positions_B, torch.tensor([senses.index(label["sense"]) for label in labels])


def sense_loss(reader, batch):
    *seen, sense_B = batch
    return torch.nn.functional.cross_entropy(reader(*seen), sense_B)


# %%
with seeded(2):
    reader = SenseReader(len(stories.vocab), 32, n_heads=2, n_senses=len(senses), attend=attend)


def sample_batch(generator):
    return as_batch("train", torch.randint(len(tasks["train"]), (64,), generator=generator).tolist())


history = train(reader, sense_loss, sample_batch, n_steps=250, label="bank looks around")
*seen, sense_B = as_batch("valid", range(len(tasks["valid"])))
with torch.no_grad():
    logits, weights_BHS = reader.look(*seen)
right_B = logits.argmax(-1) == sense_B
settled_B = torch.tensor([label["settled"] != "never" for label in tasks["valid"]])
print(f"senses: {', '.join(senses)}; {len(right_B)} stories never seen before")
print(f"right where some word settles the sense: {right_B[settled_B].float().mean():.1%}")
print(f"right where none does: {right_B[~settled_B].float().mean():.1%} of {int((~settled_B).sum())} stories")


# %%
def clearest(sense):
    """Return the index of the story, settled by words to the right, in which bank looks hardest at one word."""
    good = [
        i
        for i, label in enumerate(tasks["valid"])
        if label["sense"] == sense and label["settled"] == "right" and right_B[i]
    ]
    return max(good, key=lambda i: weights_BHS[i].mean(0).max().item())


shown = []
for sense, i in zip(senses, map(clearest, senses), strict=True):
    at, hardest = tasks["valid"][i]["position"], int(weights_BHS[i].mean(0).argmax())
    story = [stories.vocab[token_id] for token_id in seen[0][i].tolist()]
    shown.append((story[at - 8 : at + 18], 8, weights_BHS[i, :, at - 8 : at + 18]))
    print(f"{sense}: most weight on “{story[hardest]}”, {hardest - at:+d} words away")
figure, _ = looks_of_a_word(shown, sense_names=senses, title="“bank” finds the word that settles its sense")
show(
    figure,
    alt="Parts of two stories as rows of words: bank's heads put their weight on words that give its sense away.",
)

# %% [markdown]
# The word that settles the sense stands to the *right* of *bank*, many words on, where the recurrence of week 1 had not
# been when it read *bank*. Attention gets there in one step, in either direction, and learned by itself which words are
# worth the look.

# %% [markdown]
# ## In practice
#
# Weights are pictures of where information *may* flow, not proofs of what a model uses: different weights can give the
# same output (Jain and Wallace 2019). And nobody computes them as you did: fused kernels (Dao et al. 2022) give the
# same output without ever writing the $T \times S$ table to memory. `F.scaled_dot_product_attention` is one of them.

# %% [markdown]
# ## What now works
#
# You have attention: any word reaches any other in one step, masks decide who may see whom, and a word in the middle of
# a story is explained by words behind it.

# %% [markdown]
# ## What comes next
#
# One look is one question. And attention does not know the order of words: shuffle a story, and the sum is the
# same. The next notebook adds **heads** and **positions**.
