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
# # Week 5, notebook 2: T5
#
# | | |
# |---|---|
# | **You build** | what T5 adds to the Transformer: positions in buckets, shifted input, loss, filling spans in |
# | **You need** | notebook 1 (inputs, targets, sentinels); week 2's encoder-decoder; cross-entropy |
# | **Time** | about 60 minutes; everything runs in about three minutes |
# | **Points** | 10 |

# %% [markdown]
# ## Read with one half, write with the other
#
# Notebook 1 made questions of plain text: spans are cut out, a sentinel stands in each gap, the target lists what is
# missing. Here is the model that answers. T5 (Raffel et al. 2020) is week 2's Transformer: an **encoder** reads the
# gapped text both ways, a **decoder** writes the target from left to right, looking across at what the encoder made.
#
# You write the four pieces that turn the Transformer into T5, train it for two minutes, and hold it against the ideal
# reader. Then you measure what the decoder is *for*: why not guess the missing words all at once, as BERT does?

# %% setup=true
import math

import torch
from torch.nn import functional

from course.checks import check_close, check_equal, check_shape

# %% [markdown]
# ## 1 Where is a word?
#
# Week 2 added a vector to each word that says *where* it stands. T5 adds nothing to the words. It adds a number to each
# **score**: for query $t$ and key $s$, head $h$ gets a learned bias that depends on how far apart the two are,
#
# $$\text{score}_{hts} = q_{ht} \cdot k_{hs} + b_{h,\,\text{bucket}(s - t)}$$
#
# One learned number for each distance would be many numbers, and most would be seen too rarely to be learned. So
# distances are sorted into a few **buckets**, and each bucket has one number per head.

# %% [markdown]
# Near words get a bucket for each distance. Far words share: whether a word stands 40 or 45 places away hardly matters.
# With $n$ buckets for a direction, the first $e = \lfloor n/2 \rfloor$ hold one distance each. The others widen as the
# logarithm of the distance $d$, up to a largest distance $m$; from there on everything shares the last bucket:
#
# $$\text{bucket}(d) = \begin{cases} d & d < e \\ \min\!\left(n - 1,\; e + \left\lfloor (n - e)\,
# \dfrac{\log (d/e)}{\log (m/e)} \right\rfloor\right) & d \ge e \end{cases}$$

# %% [markdown]
# What is $d$? The **relative position** is $r = s - t$: the memory position minus the query position. What stands to
# the left has a negative $r$.
#
# - **One direction** (the decoder): $d = -r$ for the past, and all `n_buckets` serve it. The future cannot be seen, so
#   its bucket means nothing; it counts as $d = 0$.
# - **Both directions** (the encoder): $d = |r|$, and each direction has half of the buckets. The past and $r = 0$ have
#   the lower half, the future the upper half: `n_buckets / 2` is added.

# %% [markdown]
# A worked example: both directions, `n_buckets` 8, `max_distance` 16. Each direction has $n = 4$ buckets, of which $e =
# 2$ hold one distance each. Bucket 3 begins where $2 \log(d/2) / \log 8$ reaches 1, that is at $d = 2\sqrt 8 = 5.66$.
#
# | distance | 0 | 1 | 2, 3, 4, 5 | 6 and more |
# |---|---|---|---|---|
# | **bucket in the past** | 0 | 1 | 2 | 3 |
# | **bucket in the future** | | 5 | 6 | 7 |
#
# **Predict:** T5 has 32 buckets and a largest distance of 128. At which distance do its encoder's words begin to share
# a bucket? And its decoder's?


# %% exercise="relative_position_bucket" points=3
def relative_position_bucket(
    relative_position: torch.Tensor, bidirectional: bool, n_buckets: int, max_distance: int
) -> torch.Tensor:
    """Return T5's bucket of each relative position (Raffel et al. 2020, section 2.1).

    Args:
        relative_position: long, any shape: memory position minus query position, so that the past is negative. Not
            changed.
        bidirectional: True where the future is seen too: then each direction has half of the buckets, the past the
            lower half, the future the upper. False: the future counts as distance 0, the past has all the buckets.
        n_buckets: number of buckets in all, even, at least 4.
        max_distance: from this distance on all share the last bucket of their direction; above n_buckets / 2.

    Returns:
        long, in the shape of relative_position: from 0 to n_buckets - 1. Where a distance lies exactly on the edge
        between two buckets (a logarithm comes out whole), either of the two will do: rounding decides there.

    Example:
        >>> relative_position_bucket(torch.tensor([-6, -5, -1, 0, 1, 2, 100]), True, 8, 16).tolist()
        [3, 2, 1, 0, 5, 6, 7]
        >>> relative_position_bucket(torch.tensor([-3, -2, 0, 2]), False, 8, 16).tolist()
        [3, 2, 0, 0]
    """
    ### BEGIN SOLUTION
    if bidirectional:
        n_buckets //= 2
        first = n_buckets * (relative_position > 0)
        distance = relative_position.abs()
    else:
        first = torch.zeros_like(relative_position)
        distance = (-relative_position).clamp(min=0)
    n_exact = n_buckets // 2
    share = (distance.clamp(min=n_exact) / n_exact).log() / math.log(max_distance / n_exact)
    far = (n_exact + (share * (n_buckets - n_exact)).long()).clamp(max=n_buckets - 1)
    return first + torch.where(distance < n_exact, distance, far)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: in which order?</summary>
#
# First the direction: how many buckets it has, which distance $d$ counts, and what is added at the end (`n_buckets / 2`
# where `relative_position > 0`, and only with both directions). Then one rule for $d$, the same in both cases.
#
# </details>
#
# <details><summary>Hint 2: two rules in one tensor, and log 0</summary>
#
# `torch.where(d < e, d, far)` picks between the two rules, entry by entry. `far` is computed for near distances too,
# where it is not used: `d.clamp(min=e)` keeps the logarithm of 0 out of it. `.long()` cuts off what stands behind the
# point, which is the floor of a number that is not negative. `.clamp(max=n - 1)` is the min of the equation.
#
# </details>

# %% check="relative_position_bucket"
past_T = torch.tensor([0, -1, -2, -3, -4, -5, -6, -7, -50])
check_equal(
    relative_position_bucket(past_T, True, 8, 16).tolist(), [0, 1, 2, 2, 2, 2, 3, 3, 3], "the worked example, the past"
)
check_equal(
    relative_position_bucket(-past_T[1:], True, 8, 16).tolist(),
    [5, 6, 6, 6, 6, 7, 7, 7],
    "the future: n_buckets / 2 more",
)
check_equal(
    relative_position_bucket(torch.tensor([[-5, -3, -1], [0, 1, 5]]), False, 8, 16).tolist(),
    [[4, 3, 1], [0, 0, 0]],
    "one direction: 8 buckets for the past, and bucket 0 for the future",
)

# %% [markdown]
# Every pair of positions of a text, coloured by its bucket. **Predict** before you look: what does the encoder's map
# look like, and where does the decoder's differ?

# %%
from course.figures import show
from course.figures.week5_t5 import bias_by_distance, bucket_maps, joint_against_marginal, loss_and_floor

N_BUCKETS, MAX_DISTANCE = 32, 128
places = torch.arange(64)
relative_TS = places[None, :] - places[:, None]
maps = {
    name: relative_position_bucket(relative_TS, both, N_BUCKETS, MAX_DISTANCE)
    for name, both in {"encoder": True, "decoder": False}.items()
}
figure, _ = bucket_maps(maps, n_buckets=N_BUCKETS)
show(
    figure,
    alt="Two maps of query position against memory position: the encoder's has narrow stripes beside the diagonal and "
    "wide ones far from it, in other colours on either side; the decoder's has stripes below the diagonal only.",
)
for name, map_TS in maps.items():
    past = map_TS[-1].flip(0)  # the last query's buckets, at distance 0, 1, 2, ...
    d = (past[1:] == past[:-1]).nonzero()[0].item()
    used = f"{len(map_TS.unique())} of {N_BUCKETS} buckets are used within 64 tokens"
    print(f"{name}: {used}; distances {d} and {d + 1} are the first to share one")

# %% [markdown]
# The stripes run along the diagonal: what counts is the difference, not the place. The decoder has twice as many
# buckets for the past as the encoder, so it keeps distances apart for longer. And a text may be longer than any in
# training. Week 4's ALiBi has the same merit; its bias is a fixed slope, this one is learned.
#
# ## 2 What the decoder reads
#
# The decoder is trained as week 4's GPT: all positions at once, each predicting the next token of the target. So its
# input is the target moved **one to the right**, with a start token in front. T5 takes the padding token for a start:
# it is never part of a target.

# %% [markdown]
# Targets of a batch have different lengths. Their labels are filled up with -100, so that the loss leaves the rest out;
# but -100 is no token, and an embedding has no such row. In the decoder's input it becomes `pad_id`. A worked example,
# start token 1, padding 0:
#
# | | | | | | |
# |---|---|---|---|---|---|
# | **labels** | 299 | 17 | 18 | 2 | -100 |
# | **decoder reads** | 1 | 299 | 17 | 18 | 2 |
#
# The last label is never read: nothing comes behind it.


# %% exercise="shift_right" points=2
def shift_right(labels: torch.Tensor, start_id: int, pad_id: int) -> torch.Tensor:
    """Return what the decoder reads when it is to write the labels.

    Args:
        labels: long [B,T], T at least 1: token ids, and -100 where nothing is asked. Not changed.
        start_id: the token that every row of the result begins with.
        pad_id: the token that stands in the result for each -100. It may be the same as start_id, as in T5, or not.

    Returns:
        long [B,T]: each row is start_id and the row's labels but the last; without any -100.

    Example:
        >>> shift_right(torch.tensor([[299, 17, 2, -100, -100]]), start_id=1, pad_id=0)
        tensor([[  1, 299,  17,   2,   0]])
    """
    ### BEGIN SOLUTION
    start_B1 = torch.full_like(labels[:, :1], start_id)
    shifted_BT = torch.cat([start_B1, labels[:, :-1]], dim=1)
    return shifted_BT.masked_fill(shifted_BT == -100, pad_id)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how do I put a column in front?</summary>
#
# `torch.cat([column, labels[:, :-1]], dim=1)` with a column of shape [B,1]. `torch.full_like(labels[:, :1], start_id)`
# makes one, with the right dtype and on the right device.
#
# </details>
#
# <details><summary>Hint 2: how do I replace -100?</summary>
#
# `x.masked_fill(x == -100, pad_id)` gives a new tensor and leaves x alone. `x[x == -100] = pad_id` writes into x: fine
# if x is yours, not if it is the caller's labels or a slice of them.
#
# </details>

# %% check="shift_right"
labels_BT = torch.tensor([[299, 17, 18, 2, -100], [298, 2, -100, -100, -100]])
check_equal(
    shift_right(labels_BT, 1, 0).tolist(),
    [[1, 299, 17, 18, 2], [1, 298, 2, 0, 0]],
    "the worked example, and a shorter row",
)
check_equal(shift_right(labels_BT[:, :1], 0, 0).tolist(), [[0], [0]], "targets of one token: only the start is read")
check_equal(labels_BT[0, -1].item(), -100, "the labels are left as they were")

# %% [markdown]
# ## 3 The loss
#
# The logits at position $t$ are the decoder's guess at label $t$: the shift is done, it must not be done again. Labels
# of -100 are left out, of the sum and of the count:
#
# $$L = -\frac{1}{N} \sum_{(b,t):\ \text{label}_{bt} \ne -100} \log \text{softmax}(z_{bt})_{\text{label}_{bt}}$$
#
# Sentinels and the end token count as much as words: they are tokens that the decoder must write.

# %% [markdown]
# A worked example with two tokens. Logits $(\log 3, 0)$ mean probabilities $(3/4, 1/4)$, logits $(0, 0)$ two halves:
#
# | logits | label | costs |
# |---|---|---|
# | $(\log 3, 0)$ | 1 | $\log 4$ |
# | $(0, 0)$ | 0 | $\log 2$ |
# | $(9, 0)$ | -100 | nothing |
#
# $N = 2$, and $L = (\log 4 + \log 2) / 2 = \tfrac32 \log 2$. Note that 0 is a label like any other here.


# %% exercise="seq2seq_loss" points=2
def seq2seq_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean loss in nats of the labels that are not -100.

    Args:
        logits: float [B,T,V]; those at position t are the prediction for the label at t. Any finite numbers stand where
            the label is -100. Not changed.
        labels: long [B,T], token ids from 0 to V - 1, or -100 where nothing is asked; at least one is asked. Not
            changed.

    Returns:
        A scalar (no axes), in the dtype of logits: -log p of the label, averaged over all labels of the batch that are
        not -100, each counted the same. Gradients reach the logits.

    Example:
        >>> round(seq2seq_loss(torch.zeros(1, 3, 2), torch.tensor([[1, 0, -100]])).item(), 4)  # log 2
        0.6931
    """
    ### BEGIN SOLUTION
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which axes does cross_entropy want?</summary>
#
# `functional.cross_entropy` takes logits [N,V] and labels [N], and does the log-softmax itself. `flatten(0, 1)` makes
# one axis of the first two. It leaves out labels of -100 unless it is told otherwise.
#
# </details>
#
# <details><summary>Hint 2: why not causal_lm_loss from week 4?</summary>
#
# That one shifts: there the model read the very tokens that it was asked for. Here `shift_right` made the decoder's
# input, so that logits and labels stand side by side already. Shift twice, and the model learns to predict one token
# too far ahead.
#
# </details>

# %% check="seq2seq_loss"
logits_BTV = torch.tensor([[[math.log(3), 0.0], [0.0, 0.0], [9.0, 0.0]]])
check_close(seq2seq_loss(logits_BTV, torch.tensor([[1, 0, -100]])), 1.5 * math.log(2), "the worked example")
check_close(
    seq2seq_loss(logits_BTV, torch.tensor([[-100, 0, -100]])),
    math.log(2),
    "one label of three: that one alone",
    cause="divide by the number of labels that are not -100; label 0 is one of them.",
)
check_shape(seq2seq_loss(logits_BTV, torch.tensor([[1, 0, -100]])), (), "a scalar")

# %% [markdown]
# ## 4 Filling the gaps
#
# In training the decoder reads the true target. When it is used there is none: it reads what it wrote itself. Begin
# with the start token alone, ask for the next token, take the most probable one (**greedy**, week 4), put it behind the
# others, ask again; stop behind the end token, or when enough is written.
#
# The model is a function of two rows, and gives logits for the token behind each of the decoder's tokens:
# `model(inputs[1,S], decoder_ids[1,T]) -> logits[1,T,V]`.

# %% [markdown]
# A worked example, start token 0, end token 2. The logits behind the last token decide; those behind earlier tokens
# answer questions that are settled already.
#
# | the decoder reads | most probable behind it | the targets so far |
# |---|---|---|
# | 0 | 299 | 299 |
# | 0 299 | 17 | 299 17 |
# | 0 299 17 | 2 | 299 17 2 |
#
# The end token is part of the result, the start token is not.


# %% exercise="fill_spans" points=3
def fill_spans(model, inputs: torch.Tensor, start_id: int, eos_id: int, max_new_tokens: int) -> torch.Tensor:
    """Return the targets that the model writes for one corrupted text, greedily, token by token.

    Args:
        model: a function (inputs long [1,S], decoder_ids long [1,T]) -> logits float [1,T,V]; those at t are for the
            token behind decoder_ids[0, t]. Nothing else is known of it.
        inputs: long [S], the corrupted text. Not changed.
        start_id: the token that the decoder's input begins with. It may be equal to eos_id (BART's is).
        eos_id: behind this token nothing more is written.
        max_new_tokens: at most so many tokens are written, eos_id included; at least 1.

    Returns:
        long [T'], T' from 1 to max_new_tokens: the tokens written, without start_id; the last one is eos_id if it came.

    Example:
        >>> always_7 = lambda inputs, decoder_ids: torch.eye(9)[7].expand(1, decoder_ids.shape[1], 9)
        >>> fill_spans(always_7, torch.tensor([5, 8, 2]), start_id=0, eos_id=2, max_new_tokens=3)
        tensor([7, 7, 7])
    """
    ### BEGIN SOLUTION
    decoder_ids = torch.tensor([[start_id]], device=inputs.device)
    for _ in range(max_new_tokens):
        with torch.no_grad():
            next_id = model(inputs[None], decoder_ids)[0, -1].argmax()
        decoder_ids = torch.cat([decoder_ids, next_id.view(1, 1)], dim=1)
        if next_id == eos_id:
            break
    return decoder_ids[0, 1:]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which logits?</summary>
#
# `model(inputs[None], decoder_ids)` is [1,T,V]. The next token is the one that follows the *last* token read:
# `[0, -1]` is a vector of V logits, and its `argmax()` the most probable token.
#
# </details>
#
# <details><summary>Hint 2: when to stop, and what to give back</summary>
#
# Put the new token behind the others first, then look whether it is eos_id: so it becomes part of the result. Look at
# the new token only, never at the start token. At the end leave out the first column, `decoder_ids[0, 1:]`.
#
# </details>

# %% check="fill_spans"
follows = {0: 8, 8: 5, 5: 6, 6: 2, 2: 4, 4: 4, 7: 0}  # what comes behind each token


def table_model(inputs_BS, decoder_ids_BT):
    return functional.one_hot(torch.tensor([[follows[token] for token in decoder_ids_BT[0].tolist()]]), 9).float()


gapped = torch.tensor([7, 8, 2])
check_equal(fill_spans(table_model, gapped, 0, 2, 10).tolist(), [8, 5, 6, 2], "up to the end token, and with it")
check_equal(fill_spans(table_model, gapped, 0, 2, 3).tolist(), [8, 5, 6], "no more than max_new_tokens")
check_equal(fill_spans(table_model, gapped, 2, 2, 5).tolist(), [4] * 5, "a start token that ends nothing")

# %% [markdown]
# ## 5 T5
#
# The blocks are given, on PyTorch's fused kernel: `course.blocks.t5.T5`. Against the Transformer of 2017, T5 leaves out
# whatever it found it could do without.

# %% [markdown]
# | | 2017 | T5 |
# |---|---|---|
# | **norm** | after each part; centres and scales | before each part; only scales (RMS norm) |
# | **additive biases** | in the feed-forward parts and the norms | none |
# | **positions** | added to the words | a bias on the scores, one table a side for all its blocks |
# | **scores** | divided by $\sqrt K$ | plain; the first query weights are $\sqrt K$ times smaller instead |
# | **head** | the words' table; words enter times $\sqrt D$ | the words' table; the head's input times $D^{-1/2}$ |

# %% [markdown]
# The model takes your function for its buckets. Is it T5? A small checkpoint with random weights lies in the course's
# files, made with the library `transformers`, with the logits that the library computes from them. **Predict:**
# if your buckets were wrong at one distance only, would you see it in the logits?

# %%
from course.checkpoints import read_expected
from course.t5_checkpoints import read_t5


def wrong_at_one(relative_position, bidirectional, n_buckets, max_distance):
    """Return your buckets, but the next word to the left counts as two places away."""
    moved = torch.where(relative_position == -1, -2, relative_position)
    return relative_position_bucket(moved, bidirectional, n_buckets, max_distance)


for name in ("small_t5", "small_t5_v1_1"):
    expected, checkpoint = read_expected(name), read_t5(name)
    for which, bucket in {"yours": relative_position_bucket, "wrong at -1": wrong_at_one}.items():
        with torch.no_grad():
            logits_BTV = checkpoint.to_model(bucket)(expected["ids"], expected["target_ids"], expected["mask"])
        off_BTV = (logits_BTV - expected["logits"])[expected["target_mask"]].abs()
        print(f"{name:14} buckets {which:11} largest difference {off_BTV.max():.1e}")

# %% [markdown]
# `small_t5_v1_1` is the later form, T5 1.1: a gated feed-forward part (Shazeer 2020) and a head of its own. The same
# function, `read_t5("t5-small")`, fetches the released model where there is a network.
#
# ## 6 Towards the floor
#
# Now train one on the stories, corrupted as in notebook 1: 15% of the words, in spans of 3 on average. The ideal reader
# knows the grammar and the procedure. **Predict:** what does it pay for the sentinels, that is, for saying where a span
# ends? And will your T5 find words or sentinels harder?

# %%
from course.blocks.t5 import T5
from course.configs import T5Config
from course.spans import span_batch
from course.stories import Stories
from course.training import seeded

stories = Stories.load()
texts = [ids[1:-1] for ids in stories.train]  # the words alone
tokens = {"sentinels": stories.sentinel_ids, "eos_id": stories.eos_id, "pad_id": stories.pad_id}
sizes = {"d_model": 96, "n_heads": 8, "d_head": 12, "n_layers": 2, "d_ff": 192}
with seeded(0):
    t5 = T5(T5Config(len(stories.vocab), **sizes), relative_position_bucket=relative_position_bucket)
print(f"{sum(parameter.numel() for parameter in t5.parameters()):,} parameters")
shown = span_batch(texts[:1], **tokens, generator=torch.Generator().manual_seed(3))
print("reads:  ", stories.decode(shown.inputs[0]))
print("writes: ", " ".join(stories.vocab[i] for i in shown.targets[0]))
thousand = span_batch(texts[:1000], **tokens, generator=torch.Generator().manual_seed(0))
n_words, n_targets = sum(map(len, texts[:1000])) / 1000, thousand.target_mask.sum().item() / 1000
print(f"a story has {n_words:.1f} tokens; corrupted, it asks for {n_targets:.1f} targets, sentinels among them")
print(f"the longest target of the first thousand stories has {thousand.target_mask.sum(1).max()} tokens")

# %% [markdown]
# Before T5 learns on a laptop, its steps need care. T5 was trained with Adafactor, whose steps grow with the parameter
# (Shazeer and Stern 2018, section 8). Here **Muon** trains the linear maps, as it did week 3's BERT: it steps as far in
# rare directions as in frequent ones. Adam trains the rest, with steps of one size for all. The word vectors begin with
# numbers near 1, many times larger than anything else, so `lr_scale` lets them go thirty times as fast.

# %% [markdown]
# The second help is a start. Heads that look everywhere alike must first find out that neighbours matter: easy with a
# billion texts, slow with fifty thousand. `start_t5` gives most heads a neighbour of their own to begin with: first
# biases that are highest one, two or three tokens to the left or to the right. And in the cross-attention, queries and
# keys begin as *one* map, so that like looks at like: the sentinel that the decoder has just written finds itself in
# the input, and with it what the encoder made of the gap. All of it goes on learning.

# %%
from course.starts import SIDES, start_t5
from course.training import train

with seeded(0):
    start_t5(t5)

N_STEPS, BATCH = 2000, 32


def lr_scale(name, parameter):
    """Return what the learning rate of a parameter is multiplied by, where Adam trains it."""
    return 30.0 if name == "word.weight" else 1.0


def sample_batch(generator):
    """Return BATCH stories, corrupted anew: inputs, their mask, labels."""
    rows = torch.randint(len(texts), (BATCH,), generator=generator).tolist()
    batch = span_batch([texts[row] for row in rows], **tokens, generator=generator)
    return batch.inputs, batch.input_mask, batch.targets.masked_fill(~batch.target_mask, -100)


def batch_loss(model, batch):
    """Return your loss of your decoder's input."""
    inputs_BS, mask_BS, labels_BT = batch
    decoder_ids_BT = shift_right(labels_BT, stories.pad_id, stories.pad_id)
    return seq2seq_loss(model(inputs_BS, decoder_ids_BT, mask_BS), labels_BT)


# %%
rates = {"peak_lr": 4e-3, "muon_lr": 0.01, "lr_scale": lr_scale, "warmup": 100, "weight_decay": 0.0}
history = train(t5, batch_loss, sample_batch, n_steps=N_STEPS, **rates, label="your T5 on the stories")
t5 = t5.cpu()

# %%
from course.span_eval import compare_with_span_floor

found = compare_with_span_floor(t5, stories)
figure, _ = loss_and_floor(
    history.losses,
    {"words": found.words.loss, "sentinels, [EOS]": found.sentinels},
    {"words": found.words.floor, "sentinels, [EOS]": abs(found.sentinels_floor)},
    floor=found.every.floor,
)
show(
    figure,
    alt="Left, the training loss falls with the steps and ends above the floor; right, what words and sentinels cost "
    "your T5 on unseen stories, beside the ideal reader, for whom the sentinels cost nothing.",
)
print(found)
n_seen = len(history.losses) * BATCH
asked, causal = n_seen * n_targets, n_seen * (n_words + 1)
print(f"targets in training: {asked:,.0f}; in as many stories a causal model has {causal:,.0f}")

# %% [markdown]
# The ideal reader pays nothing for the sentinels: knowing the grammar, it always sees where a gap ends. Your T5 has
# nearly learned that too; what is left above the floor are words. Two things make T5 slower than week 4's GPT. A causal
# model answers a question at every position of a story, this one at fewer than a quarter as many. And before the
# decoder can use what the encoder found, it must learn where to look: beside the sentinel that it has just written. The
# paper's baseline took $2^{19}$ steps of 128 texts each (Raffel et al. 2020, section 3.1.2).

# %% [markdown]
# ## 7 What the heads measure
#
# The model knows where words stand from its two small tables alone. A row a head, by distance: what each head of the
# encoder adds to its scores, and what each head of the decoder adds. **Predict:** what has become of the heads that
# started with a neighbour? And of those that started even?

# %%
distances = torch.arange(-20, 21)
with torch.no_grad():
    biases = {
        side: table(relative_position_bucket(distances, side == "encoder", N_BUCKETS, MAX_DISTANCE)).T.numpy()
        for side, table in {"encoder": t5.encoder_bias, "decoder": t5.decoder_bias}.items()
    }
figure, _ = bias_by_distance(biases, distances.tolist())
show(
    figure,
    alt="What each head adds to its scores by relative position, a row a head: most heads of the encoder are highest "
    "at one place beside 0, each at another; in the decoder half of the heads are highest at 0 or just left of it.",
)
print("each head of the encoder adds most at", distances[biases["encoder"].argmax(axis=1)].tolist())
print("it began with                        ", ["everywhere" if n is None else n for n in SIDES])

# %% [markdown]
# Most of the heads that started with a neighbour have kept it, and widened what they see. Larger distances hardly
# occur in the decoder: look at section 6's longest target. So their numbers are hardly trained, and are still what they
# were at the start. Steps become wide to the outside, where many distances share a bucket.

# %% [markdown]
# ## 8 What it writes
#
# Your `fill_spans` takes any function of two rows. So it can ask your T5, and it can ask the ideal reader: a few lines
# make a model of the oracle. Here are gapped stories, and what each of the two puts into the gaps.

# %%
from course.oracle import Oracle
from course.span_eval import span_test_set
from course.spans import reconstruct

oracle = Oracle.load()


def ideal_reader(inputs_1S, decoder_ids_1T):
    """Return log-probabilities [1,T,V] of the ideal reader for the token behind each that the decoder reads."""
    asked = [*decoder_ids_1T[0, 1:].tolist(), stories.eos_id]
    return torch.from_numpy(oracle.span_next_log_probs(inputs_1S[0].numpy(), asked))[None]


def as_line(ids):
    return " ".join(stories.vocab[i] for i in ids.tolist()).replace("<extra_id_", "<")


batch = span_test_set(stories, 50)
for n in (0, 1):
    inputs = batch.inputs[n][batch.input_mask[n]]
    print(f"reads:        {stories.decode(inputs).replace('<extra_id_', '<')}")
    print(f"was there:    {as_line(batch.targets[n][batch.target_mask[n]])}")
    for name, model in {"your T5": t5, "ideal reader": ideal_reader}.items():
        print(f"{name + ':':13} {as_line(fill_spans(model, inputs, stories.pad_id, stories.eos_id, 30))}")
    print()

# %% [markdown]
# Put back into the gaps (`reconstruct`, notebook 1), each answer is a whole story again, and the oracle can say whether
# the grammar could have told it. **Predict:** of 50 stories, how often does the greedy ideal reader write exactly what
# was there? How often does it write something that cannot be?

# %%
from course.progress import Progress

possible, same = {"your T5": 0, "ideal reader": 0}, {"your T5": 0, "ideal reader": 0}
for n in Progress(range(len(batch.inputs)), desc="filling", unit="text"):
    inputs, targets = batch.inputs[n][batch.input_mask[n]], batch.targets[n][batch.target_mask[n]]
    for name, model in {"your T5": t5, "ideal reader": ideal_reader}.items():
        written = fill_spans(model, inputs, stories.pad_id, stories.eos_id, 30)
        text = reconstruct(inputs, written, stories.sentinel_ids, stories.eos_id)
        story = [stories.bos_id, *text.tolist(), stories.eos_id]
        possible[name] += math.isfinite(oracle.log_prob(story))
        same[name] += torch.equal(written, targets)
for name in possible:
    print(f"{name:13} of {len(batch.inputs)} stories: {possible[name]} possible, {same[name]} as they were")

# %% [markdown]
# The ideal reader never writes what cannot be, and your T5 hardly ever does. But neither often writes what was there:
# at many places several words fit, and the most probable one need not be the one that was cut out. A gapped story asks
# for many tokens, and one other word among them makes it another story.

# %% [markdown]
# ## 9 What is the decoder for?
#
# BERT could fill these gaps too: with one `[MASK]` a word it guesses all at once, each by itself. The decoder is slow
# beside that: one token at a time, each call reading what was written before. What does it buy?
#
# The words of a gap depend on each other. Guessing each by itself prices a span at $\sum_i -\log p(w_i \mid
# \text{seen})$; guessing in a chain prices it at $\sum_i -\log p(w_i \mid \text{seen}, w_1 \dots w_{i-1})$, which is
# $-\log p$ of the whole span.

# %% [markdown]
# The oracle gives both, exactly; it is told how many words are missing. Hide spans of 1 to 12 tokens in some stories.
# Then *draw* the words, too: all at once, each from its own distribution, or one after the other. Words drawn without
# knowing of each other may make a story that the grammar cannot tell.
#
# **Predict:** how much more do two words cost when each is guessed alone? And twelve? From which length on does more
# than one story in ten make no sense?

# %%
import numpy as np

from course.filling import chained_losses, fill_at_once, fill_one_by_one, hidden_losses

LENGTHS, N_STORIES = (1, 2, 3, 4, 5, 6, 9, 12), 40
WAYS = {"all at once": fill_at_once, "one after the other": fill_one_by_one}
rng = np.random.default_rng(0)
priced = np.zeros((2, len(LENGTHS), N_STORIES))
nonsense = {way: np.zeros((len(LENGTHS), N_STORIES)) for way in WAYS}
for n, story in Progress(list(enumerate(stories.test[:N_STORIES])), desc="oracle", unit="text"):
    start = rng.integers(1, len(story) - LENGTHS[-1])
    for i, length in enumerate(LENGTHS):
        hidden = np.zeros(len(story), dtype=bool)
        hidden[start : start + length] = True
        priced[:, i, n] = [price(oracle, story, hidden).sum() for price in (hidden_losses, chained_losses)]
        for way, fill in WAYS.items():
            nonsense[way][i, n] = not math.isfinite(oracle.log_prob(fill(oracle, story, hidden, rng)))

# %%
alone, chained = priced.mean(axis=2)
shares = {way: found.mean(axis=1).tolist() for way, found in nonsense.items()}
figure, _ = joint_against_marginal(LENGTHS, alone.tolist(), chained.tolist(), shares)
show(
    figure,
    alt="Left, the cost of a span against its length: guessing each token by itself costs the same as a chain for one "
    "or two tokens, and more and more for longer spans; right, the share of impossible stories rises with the length "
    "when all are drawn at once, and stays at nothing when they are drawn one after the other.",
)
error = (priced[0] - priced[1]).std(axis=1, ddof=1) / N_STORIES**0.5
for i, length in enumerate(LENGTHS):
    more, share = f"{alone[i] - chained[i]:5.2f} ± {error[i]:.2f} nats more", shares["all at once"][i]
    print(f"{length:2} tokens: {alone[i]:.2f} alone, {chained[i]:.2f} in a chain, {more}; {share:4.0%} nonsense")

# %% [markdown]
# Where one word is missing, or two, the chain buys nothing here: the words around the gap settle what the two must
# agree on. The longer the gap, the more its words must agree among themselves, and the price of not agreeing grows
# faster than the gap. That is what the decoder is for. BERT is only asked for scattered words; a summary or a
# translation is one long gap, with all of its words missing.

# %% [markdown]
# ## In practice
#
# - T5's vocabulary has 32,000 pieces and 100 sentinels. The paper's experiments pretrain on $2^{35}$ tokens of web
#   text, the released models on about $10^{12}$ (Raffel et al. 2020, sections 3.1.2 and 3.7), with Adafactor, which
#   needs less memory than Adam.
# - A decoder keeps the keys and values of what it wrote (week 4's cache); `fill_spans` computes them again each time.
# - Nothing bounds the length of a text but memory; yet what is farther away than `max_distance` is merely "far".
# - T5 1.1 and its multilingual kin (mT5, ByT5) have the gated form; the head is then no longer tied.

# %% [markdown]
# ## What now works
#
# You have an encoder-decoder that reads gapped text and writes what is missing, with T5's positions, its shifted input
# and its loss. Its logits are those of the library's T5, and you know in nats what writing one token after the other
# buys.
#
# ## What comes next
#
# T5 writes the gaps only. BART, in notebook 3, hides spans too, but tells less about them, stirs the sentences, and
# writes the *whole* text anew.
