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
# # Week 2, notebook 2: several looks at once, and the order of words
#
# | | |
# |---|---|
# | **You build** | multi-head attention, with the same numbers as PyTorch's, and the position encodings of 2017 |
# | **You need** | notebook 1; `nn.Linear`; reshaping tensors |
# | **Time** | about 60 minutes; everything runs in about half a minute |
# | **Points** | 9 |

# %% [markdown]
# ## Two things are missing
#
# With a single softmax, each word can ask only one question. But *they* in a story needs several answers: who is meant,
# how many are they, what is being said about them? One average over all answers blurs them. So there are several
# **heads**, each with a question of its own.
#
# And attention as you built it is blind to order: only a mask tells it what came earlier. A weighted sum does not know
# what stood first: *the dog bit the man* and *the man bit the dog* are the same bag of words. So the positions must be
# put into the vectors.

# %% setup=true
import math

import torch
from torch import nn

from course.blocks.dot_product import scaled_dot_product
from course.checks import check_close, check_equal, check_shape, check_true

# %% [markdown]
# `scaled_dot_product(query, key, value, mask)` comes from `course` and does what your `attend` does: it returns the
# output `[B,H,T,K]` and the weights `[B,H,T,S]`. So you can begin here even if the last notebook is not finished.
#
# ## 1 Split the width into heads
#
# A model of width $D$ with $H$ heads gives each head $K = D / H$ of its channels: head $h$ gets the channels $hK$ to
# $(h+1)K - 1$. Nothing is computed; the numbers are only arranged so that heads become a batch axis.

# %% [markdown]
# A worked example: one text, two words, $D = 4$, two heads.
#
# | | channels | head 0 | head 1 |
# |---|---|---|---|
# | word 0 | 1 2 3 4 | 1 2 | 3 4 |
# | word 1 | 5 6 7 8 | 5 6 | 7 8 |
#
# The result has axes `[B,H,T,K]`: head 0 holds the rows (1 2) and (5 6), head 1 the rows (3 4) and (7 8).
#
# **Before you go on:** reading the eight numbers straight into the shape `[2,2,2]` gives head 0 the rows (1 2) and (3
# 4). What has gone wrong there?


# %% exercise="split_heads" points=2
def split_heads(x: torch.Tensor, n_heads: int) -> torch.Tensor:
    """Return the channels of each word dealt out to heads.

    Args:
        x: any dtype [B,T,D]. Not changed; it need not be contiguous in memory. Gradients flow through.
        n_heads: H, a divisor of D.

    Returns:
        [B,H,T,K] with K = D / H; head h holds channels h*K to (h+1)*K - 1 of every word.

    Example:
        >>> split_heads(torch.tensor([[[1, 2, 3, 4], [5, 6, 7, 8]]]), 2)
        tensor([[[[1, 2],
                  [5, 6]],
        <BLANKLINE>
                 [[3, 4],
                  [7, 8]]]])
    """
    ### BEGIN SOLUTION
    B, T, D = x.shape
    x_BTHK = x.reshape(B, T, n_heads, D // n_heads)
    return x_BTHK.transpose(1, 2)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: in which order do axes appear?</summary>
#
# Cut the last axis in two first: `[B,T,D]` becomes `[B,T,H,K]`. That is a change of shape which keeps the numbers in
# order, so channel $hK + k$ comes to stand at $(h, k)$.
#
# </details>
#
# <details><summary>Hint 2: and then?</summary>
#
# Now two axes stand in the wrong order: `[B,T,H,K]` must become `[B,H,T,K]`. That is a swap of axes, and no `view` and
# no `reshape` can do it: they would keep the order of the numbers and mix up words and heads.
#
# </details>

# %% check="split_heads"
x_BTD = torch.tensor([[[1, 2, 3, 4], [5, 6, 7, 8]]])
check_equal(split_heads(x_BTD, 2).tolist(), [[[[1, 2], [5, 6]], [[3, 4], [7, 8]]]], "the worked example")
check_equal(split_heads(x_BTD, 1).tolist(), [x_BTD.tolist()], "one head takes everything")
check_shape(split_heads(torch.zeros(2, 3, 20), 5), (2, 5, 3, 4), "20 channels in 5 heads of 4")

# %% [markdown]
# And back. When every head has found its answer, the pieces are put side by side again: `[B,H,T,K]` becomes `[B,T,D]`.
# In the worked example, head 0 with (1 2), (5 6) and head 1 with (3 4), (7 8) give back 1 2 3 4 and 5 6 7 8.


# %% exercise="merge_heads" points=1
def merge_heads(x: torch.Tensor) -> torch.Tensor:
    """Return what the heads hold, side by side for each word: the way back from `split_heads`.

    Args:
        x: any dtype [B,H,T,K]. Not changed; it need not be contiguous in memory. Gradients flow through.

    Returns:
        [B,T,D] with D = H * K; channels h*K to (h+1)*K - 1 come from head h.

    Example:
        >>> merge_heads(torch.tensor([[[[1, 2], [5, 6]], [[3, 4], [7, 8]]]]))
        tensor([[[1, 2, 3, 4],
                 [5, 6, 7, 8]]])
    """
    ### BEGIN SOLUTION
    x_BTHK = x.transpose(1, 2)
    return x_BTHK.flatten(start_dim=2)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: the same steps, backwards</summary>
#
# First bring the axes into the order `[B,T,H,K]`, then make one axis of the last two.
#
# </details>
#
# <details><summary>Hint 2: `view` complains</summary>
#
# Swapping axes changes how a tensor is read, not how it lies in memory, and `view` cannot join axes that do not lie
# next to each other. `reshape` and `flatten` make a copy where they need one.
#
# </details>

# %% check="merge_heads"
heads_BHTK = torch.tensor([[[[1, 2], [5, 6]], [[3, 4], [7, 8]]]])
check_equal(merge_heads(heads_BHTK).tolist(), [[[1, 2, 3, 4], [5, 6, 7, 8]]], "the worked example, backwards")
there = split_heads(torch.arange(60).view(2, 5, 6), 3)
check_equal(merge_heads(there), torch.arange(60).view(2, 5, 6), "there and back changes nothing")

# %% [markdown]
# ## 2 Multi-head attention
#
# Where do queries, keys and values come from? From the words' vectors $x$, by three linear maps that are learned. Each
# head reads its own channels of them, and a fourth map mixes what the heads bring home (Vaswani et al. 2017, section
# 3.2.2):
#
# $$Q = x W_Q + b_Q \quad K = m W_K + b_K \quad V = m W_V + b_V \qquad
# \text{out} = [\text{head}_0; \dots; \text{head}_{H-1}]\, W_O + b_O$$

# %% [markdown]
# $m$ is what is looked at, the **memory**. Mostly it is $x$ itself, hence *self*-attention. When a decoder looks at
# what the encoder made of the source, it is something else, of another length $S$: *cross*-attention. Queries always
# come from $x$, keys and values always from the memory.
#
# A worked example: a text of one word. It can only look at itself, with weight 1, so out is
# $(x W_V + b_V) W_O + b_O$, however many heads there are, and whatever the queries say.


# %% exercise="MultiHeadAttention" points=4
class MultiHeadAttention(nn.Module):
    """Attention with several heads.

    Args:
        d_model: width of the model, D.
        n_heads: H, a divisor of D; each head is K = D / H wide.

    The parameters are those of four submodules, each `nn.Linear` from D to D with bias: `q_proj`, `k_proj`, `v_proj`
    and `out_proj`. There are no others; buffers are up to you. No dropout.
    """

    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)
        ### END SOLUTION

    def forward(
        self, x: torch.Tensor, memory: torch.Tensor | None = None, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what each word of x takes from the memory, and with which weights.

        Args:
            x: float [B,T,D], the words that look.
            memory: float [B,S,D], the words that are looked at; x itself where it is None.
            mask: bool, True where something may be seen; broadcasts to [B,H,T,S]. None hides nothing.

        Returns:
            out: float [B,T,D]. A word that may see nothing gets zeros from every head, so out is `out_proj.bias`.
            weights: float [B,H,T,S], one table for each head.
        """
        ### BEGIN SOLUTION
        memory = x if memory is None else memory
        query = split_heads(self.q_proj(x), self.n_heads)
        key = split_heads(self.k_proj(memory), self.n_heads)
        value = split_heads(self.v_proj(memory), self.n_heads)
        output, weights = scaled_dot_product(query, key, value, mask)
        return self.out_proj(merge_heads(output)), weights
        ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: what goes into `__init__`?</summary>
#
# Four `nn.Linear(d_model, d_model)`, stored under the four names, and the number of heads. Heads need no maps of their
# own: one map from D to D holds those of all heads side by side.
#
# </details>
#
# <details><summary>Hint 2: the path through `forward`</summary>
#
# Project, split, `scaled_dot_product`, merge, project. Project *before* you split: the maps are D wide. Queries come
# from x, keys and values from the memory. `scaled_dot_product` takes the mask as it comes and returns a pair.
#
# </details>

# %% check="MultiHeadAttention"
attention = MultiHeadAttention(d_model=6, n_heads=3)
names = sorted(name for name, _ in attention.named_parameters())
check_equal(
    names,
    sorted(f"{map_}_proj.{part}" for map_ in ("q", "k", "v", "out") for part in ("weight", "bias")),
    "four maps, each with weight and bias",
)
word_BTD = torch.tensor([[[1.0, -2.0, 0.0, 3.0, 1.0, 1.0]]])
out_BTD, weights_BHTS = attention(word_BTD)
check_close(
    out_BTD, attention.out_proj(attention.v_proj(word_BTD)), "a single word: only values and the last map count"
)
check_close(weights_BHTS, torch.ones(1, 3, 1, 1), "and each head gives it all its weight")
out_BTD, weights_BHTS = attention(torch.ones(2, 4, 6), memory=torch.ones(2, 5, 6))
check_equal((out_BTD.shape, weights_BHTS.shape), ((2, 4, 6), (2, 3, 4, 5)), "4 words look at 5 others")

# %% [markdown]
# ## 3 Positions
#
# Attention itself does not know where a word stands. The answer of 2017: *add* to each word's vector a pattern that
# only depends on its position $t$. The pattern is a row of clock hands that turn at different speeds:
#
# $$PE_{t,\,2i} = \sin\Big(\frac{t}{10000^{2i/D}}\Big) \qquad PE_{t,\,2i+1} = \cos\Big(\frac{t}{10000^{2i/D}}\Big)$$

# %% [markdown]
# Channels come in pairs: $2i$ holds the sine and $2i + 1$ the cosine of the *same* angle. The first pair turns by one
# radian a word, and each later pair more slowly; the more channels, the closer the slowest one comes to $1/10000$ of a
# radian a word (Vaswani et al. 2017, section 3.5).
#
# A worked example with $D = 4$: the speeds are $1$ and $10000^{-2/4} = 0.01$. At $t = 0$ every angle is 0, so the row
# is $(0, 1, 0, 1)$. At $t = 3$ it is $(\sin 3, \cos 3, \sin 0.03, \cos 0.03)$.


# %% exercise="sinusoidal_positions" points=2
def sinusoidal_positions(length: int, d_model: int) -> torch.Tensor:
    """Return the position encodings of Vaswani et al. (2017, section 3.5).

    Args:
        length: T, number of positions, at least 1, counted from 0.
        d_model: D, even.

    Returns:
        float32 [T,D], between -1 and 1: channel 2i of row t is sin(t / 10000^(2i/D)), channel 2i+1 its cosine. Right to
        1e-4 for lengths of up to 1000.

    Example:
        >>> sinusoidal_positions(2, 4)
        tensor([[0.0000, 1.0000, 0.0000, 1.0000],
                [0.8415, 0.5403, 0.0100, 0.9999]])
    """
    ### BEGIN SOLUTION
    even_channels = torch.arange(0, d_model, 2)
    angles = torch.arange(length)[:, None] / 10_000.0 ** (even_channels / d_model)
    encodings = torch.empty(length, d_model)
    encodings[:, 0::2] = angles.sin()
    encodings[:, 1::2] = angles.cos()
    return encodings
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: the angles first</summary>
#
# There are T times D/2 angles: a column of positions, divided by a row of $10000^{2i/D}$. `torch.arange(0, D, 2)` gives
# the $2i$.
#
# </details>
#
# <details><summary>Hint 2: sines and cosines take turns</summary>
#
# `encodings[:, 0::2]` are the even channels and `encodings[:, 1::2]` the odd ones, and one can assign to them. Putting
# all sines first and all cosines behind them is something else.
#
# </details>

# %% check="sinusoidal_positions"
positions_TD = sinusoidal_positions(4, 4)
check_close(positions_TD[0], [0.0, 1.0, 0.0, 1.0], "position 0: every angle is 0")
expected = [math.sin(3), math.cos(3), math.sin(0.03), math.cos(0.03)]
check_close(positions_TD[3], expected, "position 3, by hand", cause="sine and cosine of one angle stand side by side.")
check_shape(sinusoidal_positions(7, 10), (7, 10), "7 positions, 10 channels")
check_true(positions_TD.dtype == torch.float32, "numbers are float32")

# %% [markdown]
# ## 4 Shuffle the words
#
# Now both parts meet. **Predict:** you shuffle the words of a text before they go into self-attention. Are the outputs
# the same vectors as before, only in the shuffled order? Without positions, and with positions added?

# %%
generator = torch.Generator().manual_seed(0)
T, D, H = 12, 32, 4
torch.manual_seed(0)
attention = MultiHeadAttention(D, H)
x_BTD = torch.randn(1, T, D, generator=generator)
order = torch.randperm(T, generator=generator)

with torch.no_grad():
    for name, added_TD in (("without", torch.zeros(T, D)), ("with", sinusoidal_positions(T, D))):
        shuffled_before_BTD, _ = attention(x_BTD[:, order] + added_TD)
        shuffled_after_BTD = attention(x_BTD + added_TD)[0][:, order]
        largest = (shuffled_before_BTD - shuffled_after_BTD).abs().max()
        print(f"{name} positions: words shuffled before or after attention, largest difference {largest:.1e}")

# %% [markdown]
# Without positions, shuffling the input only shuffles the output (the rest is rounding): to attention a text is a bag
# of words. That is not a fault. It is why all words can be worked on at the same time. But the order must then be
# *told*, as part of the input.
#
# ## 5 The same numbers as PyTorch
#
# Give your module and `nn.MultiheadAttention` the same weights and compare. PyTorch keeps the three input maps in one
# matrix, so yours are put together first.

# %%
theirs = nn.MultiheadAttention(D, H, batch_first=True)
state = attention.state_dict()
theirs.load_state_dict(
    {
        "in_proj_weight": torch.cat([state[f"{name}_proj.weight"] for name in "qkv"]),
        "in_proj_bias": torch.cat([state[f"{name}_proj.bias"] for name in "qkv"]),
        "out_proj.weight": state["out_proj.weight"],
        "out_proj.bias": state["out_proj.bias"],
    }
)
with torch.no_grad():
    out, weights = attention(x_BTD)
    their_out, their_weights = theirs(x_BTD, x_BTD, x_BTD, average_attn_weights=False)
print(f"largest difference of the outputs: {(out - their_out).abs().max():.1e}")
print(f"largest difference of the weights: {(weights - their_weights).abs().max():.1e}")

# %% [markdown]
# ## 6 What a position looks like
#
# **Predict:** the dot product of two position rows says how alike two positions are. Does it depend on where the two
# stand, or only on how far apart they are?

# %%
from course.figures import show
from course.figures.week2_positions import cost_against_length, position_encodings

encodings_TD = sinusoidal_positions(64, 64)
figure, _ = position_encodings(encodings_TD, at=(8, 32, 56))
show(
    figure,
    alt="Left: the encodings as stripes, slower to the right. Right: against the distance, the products of three "
    "positions lie on one curve with its peak at 0.",
)
products_TT = encodings_TD @ encodings_TD.T
for lag in (0, 1, 8):
    along = products_TT.diagonal(lag)
    print(f"{lag} apart: products from {along.min():.3f} to {along.max():.3f}")

# %% [markdown]
# Only on the distance. Each pair of channels adds $\sin a \sin b + \cos a \cos b = \cos(a - b)$ to the product, and
# $a - b$ is the distance times the speed of that pair. In the same way, one rotation takes the row of any position to
# the row of its neighbour. So a head can learn to look at *the word before me* with one linear map that serves all
# positions (Vaswani et al. 2017, section 3.5).
#
# ## 7 What it costs
#
# A recurrence takes $T$ steps, one after the other, each with $D^2$ products. Attention compares $T^2$ pairs, all at
# once. **Predict:** which is faster at $T = 32$, and which at $T = 2048$? Which keeps more memory for the backward
# pass?

# %%
from functools import partial

from course.measuring import best_seconds, crossing, kept_bytes

D, H, lengths = 64, 2, [32, 128, 512, 2048]
attention = MultiHeadAttention(D, H)
W_xh, W_hh = (torch.nn.Parameter(torch.randn(D, D, generator=generator) / D**0.5) for _ in range(2))


def recurrence(x_BTD):
    h_BD, states = torch.zeros(x_BTD.shape[0], D), []
    for x_BD in x_BTD.unbind(1):
        h_BD = torch.tanh(x_BD @ W_xh + h_BD @ W_hh)
        states.append(h_BD)
    return torch.stack(states, 1)


readers = {"recurrence": recurrence, "attention": lambda x_BTD: attention(x_BTD)[0]}
own = [W_xh, W_hh, *attention.parameters()]


# %%
def there_and_back(read, x_BTD):
    read(x_BTD).sum().backward()


seconds, kept = {name: [] for name in readers}, {name: [] for name in readers}
for T in lengths:
    x_BTD = torch.randn(1, T, D, generator=generator)
    for name, read in readers.items():
        seconds[name].append(best_seconds(partial(there_and_back, read, x_BTD), repeats=3 if T > 1000 else 7))
        kept[name].append(kept_bytes(partial(read, x_BTD), besides=[*own, x_BTD]))
crossings = tuple(crossing(lengths, cost["attention"], cost["recurrence"]) for cost in (seconds, kept))
print("          time there and back         kept for the way back")
print("    T   recurrence    attention     recurrence     attention")
for i, T in enumerate(lengths):
    print(
        f"{T:5d}  {1e3 * seconds['recurrence'][i]:8.2f} ms  {1e3 * seconds['attention'][i]:8.2f} ms"
        f"  {kept['recurrence'][i] / 2**10:8.0f} KiB  {kept['attention'][i] / 2**10:8.0f} KiB"
    )

# %%
figure, _ = cost_against_length(
    lengths,
    (seconds["recurrence"], seconds["attention"]),
    (kept["recurrence"], kept["attention"]),
    crossings=crossings,
)
show(
    figure,
    alt="On log axes time and memory of the recurrence grow like T, those of attention in the end like T squared. The "
    "times cross; attention always keeps more.",
)

# %% [markdown]
# As long as the pairs are few, attention is faster, because it works on all of them at once. On the longest texts its
# $T^2$ pairs cost more than $T$ steps, and it keeps more memory at every length.
#
# This was one thread of a CPU. On a GPU the $T^2$ pairs are spread over thousands of units, while the recurrence still
# has to wait $T$ times, so attention stays ahead for much longer texts. And a word 2,000 tokens back is one step away.

# %% [markdown]
# ## In practice
#
# - Fused kernels never keep the $T \times T$ table (Dao et al. 2022), so memory grows like $T$ again; the number of
#   products stays the same.
# - Today's models tell positions in other ways: learned vectors (BERT, GPT-2), a bias on the scores (T5, ALiBi), or
#   queries and keys that are rotated by their position (Su et al. 2021).

# %% [markdown]
# ## What now works
#
# You have multi-head attention that gives PyTorch's own numbers, and positions. You have seen what attention gains: any
# two words are one step apart, and all of them are worked on side by side. And you have seen what that costs.

# %% [markdown]
# ## What comes next
#
# Attention only carries and averages. To *work* on what was carried, over and over, takes a whole block: norms,
# residual connections, a feed-forward part. In the next notebook you build it, and from such blocks the Transformer.
