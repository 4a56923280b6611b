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
# # Week 4, notebook 1: the next token
#
# | | |
# |---|---|
# | **You build** | a GPT: the shift, the loss, the packing of documents, the decoder-only Transformer |
# | **You need** | week 2 (causal attention, the pre-norm block); cross-entropy |
# | **Time** | about 70 minutes; everything runs in about two minutes |
# | **Points** | 11 |

# %% [markdown]
# ## One question at every position
#
# Week 3 hid a few words and asked for them. **Causal language modelling** hides nothing: it asks at every position what
# comes next, and lets the model see the left only. Whatever the text, its probability is a product, one factor a token:
#
# $$p(w_1, \dots, w_T) = \prod_{t=1}^{T} p(w_t \mid w_1, \dots, w_{t-1})$$
#
# A model of the factors is a model of whole texts. It can judge one, and it can write one.

# %% [markdown]
# That is all there is to the objective of GPT (Radford et al. 2018), of GPT-2 and GPT-3, and of BLOOM (Scao et al.
# 2022). What is left is bookkeeping, and bookkeeping is where such models go wrong: an index off by one, padding that
# is counted, a mask forgotten. None of these raises an error. At the end you make such mistakes on purpose, and see how
# a model gives itself away.

# %% setup=true
import math

import torch
from torch import nn
from torch.nn import functional

from course.blocks.encoder import EncoderBlock
from course.checks import check_close, check_equal, check_shape, check_true
from course.configs import DecoderConfig

# %% [markdown]
# ## 1 The shift
#
# The text is its own answer key. Give the model all tokens but the last, and ask for all tokens but the first: at each
# position the target is the token one further to the right.
#
# **Predict:** BERT answers a question at about 15% of the tokens that it reads. A text of 64 tokens goes through a
# causal model once. How many questions does it answer?

# %% [markdown]
# A worked example, one row of five tokens:
#
# | position | 0 | 1 | 2 | 3 |
# |---|---|---|---|---|
# | **input** | the | bank | was | closed |
# | **target** | bank | was | closed | . |
#
# Five tokens, four questions. Nobody asks for the first token, and nothing follows the last.


# %% exercise="shift" points=1
def shift(ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a causal model reads and what it is asked for.

    Args:
        ids: long [B,T], T at least 1. Not changed.

    Returns:
        inputs, long [B,T-1]: the tokens without each row's last.
        targets, long [B,T-1]: for each input token the one that follows it in its row.

    Example:
        >>> shift(torch.tensor([[5, 6, 7]]))
        (tensor([[5, 6]]), tensor([[6, 7]]))
    """
    ### BEGIN SOLUTION
    return ids[:, :-1], ids[:, 1:]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which axis?</summary>
#
# Rows are texts, and they know nothing of each other. The shift goes along the second axis: `ids[:, ...]` leaves the
# first one alone.
#
# </details>
#
# <details><summary>Hint 2: how do I leave out the last one?</summary>
#
# A slice that ends at -1 ends before the last entry; a slice that starts at 1 starts behind the first. A slice of a
# tensor copies nothing.
#
# </details>

# %% check="shift"
inputs_BT, targets_BT = shift(torch.tensor([[5, 6, 7, 8, 9], [1, 2, 3, 4, 0]]))
check_equal(inputs_BT.tolist(), [[5, 6, 7, 8], [1, 2, 3, 4]], "the model reads all but the last")
check_equal(targets_BT.tolist(), [[6, 7, 8, 9], [2, 3, 4, 0]], "and is asked for all but the first")
check_shape(shift(torch.tensor([[5], [6], [7]]))[1], (3, 0), "rows of one token ask nothing")

# %% [markdown]
# ## 2 The loss
#
# A model gives logits for *every* position of what it read, $[B,T,V]$. The logits at position $t$ are its answer to the
# question "what stands at $t + 1$?":
#
# $$L = -\frac{1}{N} \sum_{b,\,t} \log p_{b,t}(w_{b,t+1}) \qquad p_{b,t} = \text{softmax}(z_{b,t})$$
#
# The sum runs over the $N$ targets that are real tokens. Rows are padded on the right, and padding is never a target.

# %% [markdown]
# Here the whole rows come in, $T$ tokens and $T$ rows of logits. The last logits of a row have no target, the first
# token of a row is none, and the shift happens **once**, inside this function.
#
# A worked example with $V = 4$. The row is `[2, 3, 1, 0]` and 0 is the padding: the targets are 3, 1 and a padding. Say
# the logits at position 0 give token 3 the probability $1/2$, those at position 1 give token 1 the probability $1/8$.
# Then $L = (\log 2 + \log 8) / 2 = 2 \log 2$, and the logits at positions 2 and 3 do not matter.


# %% exercise="causal_lm_loss" points=3
def causal_lm_loss(logits: torch.Tensor, ids: torch.Tensor, pad_id: int) -> torch.Tensor:
    """Return the mean loss in nats of predicting each token from those before it.

    Args:
        logits: float [B,T,V]; those at position t are the prediction for the token at t + 1. Any finite numbers stand
            where the target is padding, and at the last position. Not changed.
        ids: long [B,T], padded on the right; at least one token behind the first is not pad_id. Not changed.
        pad_id: the id of the padding. It is never a target.

    Returns:
        A scalar (no axes), in the dtype of logits: -log p of the target, averaged over all targets of the batch that
        are not pad_id, each counted the same. Gradients reach the logits.

    Example:
        >>> ids = torch.tensor([[2, 3, 1, 0]])
        >>> round(causal_lm_loss(torch.zeros(1, 4, 4), ids, pad_id=0).item(), 4)  # log 4
        1.3863
    """
    ### BEGIN SOLUTION
    targets_BT = ids[:, 1:]
    return functional.cross_entropy(logits[:, :-1].flatten(0, 1), targets_BT.flatten(), ignore_index=pad_id)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which logits meet which ids?</summary>
#
# Leave out the logits at the last position and the ids at the first. Then entry t of the one belongs to entry t of the
# other, in every row. Shift before you flatten: in one long row the first token of a text would follow the last of the
# text before.
#
# </details>
#
# <details><summary>Hint 2: how do I leave out the padding?</summary>
#
# `functional.cross_entropy` takes logits [N,V] and targets [N], does the log-softmax itself, and leaves out targets
# that equal its argument `ignore_index`, both from the sum and from the count. It is the *target* that decides, not the
# input.
#
# </details>

# %% check="causal_lm_loss"
halves = torch.tensor([1 / 6, 1 / 6, 1 / 6, 1 / 2])  # probabilities of the tokens 0 to 3
eighths = torch.tensor([3 / 8, 1 / 8, 2 / 8, 2 / 8])
anything = torch.tensor([-50.0, 50.0, 9.0, 0.0])
logits_BTV = torch.stack([halves.log(), eighths.log(), anything, -anything])[None]
row_BT = torch.tensor([[2, 3, 1, 0]])
check_close(
    causal_lm_loss(logits_BTV, row_BT, 0), 2 * torch.tensor(2.0).log(), "the worked example: 2 log 2", tolerance=1e-5
)
check_close(
    causal_lm_loss(logits_BTV + 7.0, row_BT, 0),
    2 * torch.tensor(2.0).log(),
    "7 more on every logit changes nothing",
    tolerance=1e-5,
    cause="logits are not log-probabilities yet: take a log-softmax.",
)
uniform = causal_lm_loss(torch.zeros(2, 5, 9), torch.tensor([[1, 2, 3, 4, 5], [6, 7, 0, 0, 0]]), 0)
check_close(uniform, torch.tensor(9.0).log(), "guessing among 9 tokens costs log 9", tolerance=1e-5)

# %% [markdown]
# ## 3 Packing documents
#
# Stories have nearly the same length. Real documents do not: padded to the longest, a batch is mostly padding, and all
# of it is computed. So GPTs are trained on **packed** text (Radford et al. 2018, section 4.1; Brown et al. 2020,
# appendix B): all documents in one long stream, each followed by an end token, and the stream cut into blocks of equal
# length. Nothing is padded, and a long document simply goes on in the next block.

# %% [markdown]
# A worked example: the documents `[5, 6, 7]`, `[8]`, `[9, 10]`, end token 2, blocks of 4.
#
# | | |
# |---|---|
# | **stream** | 5 6 7 **2** 8 **2** 9 10 **2** |
# | **blocks** | `[5, 6, 7, 2]`, `[8, 2, 9, 10]` |
# | **dropped** | the last 2: it does not fill a block |
#
# The end token does two jobs. It is what the model learns to say when a text is over, and it tells the reader of a
# block that what follows is another text.


# %% exercise="pack_documents" points=3
def pack_documents(documents: list[list[int]], block_len: int, eos_id: int) -> torch.Tensor:
    """Return documents as one stream of tokens, cut into blocks.

    Args:
        documents: token ids, each document without an end token; a document may be empty. Not changed.
        block_len: tokens in a block, at least 1.
        eos_id: the end token, which goes behind every document, the last included.

    Returns:
        long [N,block_len], the stream in order, row by row. What does not fill a block at the end is dropped; where
        nothing fills a block the shape is [0,block_len].

    Example:
        >>> pack_documents([[5, 6, 7], [8], [9, 10]], 4, 2).tolist()
        [[5, 6, 7, 2], [8, 2, 9, 10]]
    """
    ### BEGIN SOLUTION
    stream = [token for document in documents for token in [*document, eos_id]]
    n_blocks = len(stream) // block_len
    return torch.tensor(stream[: n_blocks * block_len], dtype=torch.long).view(n_blocks, block_len)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: in which order?</summary>
#
# First the stream, as one flat list: the tokens of a document, its end token, the next document. Then cut. A document
# does not care where a block ends.
#
# </details>
#
# <details><summary>Hint 2: how do I cut?</summary>
#
# Whole division, `len(stream) // block_len`, says how many blocks are full. Keep that many times block_len tokens, make
# them a tensor with `dtype=torch.long`, and give it the shape (n_blocks, block_len). `view(-1, block_len)` cannot guess
# the number of rows of an empty tensor; name it.
#
# </details>

# %% check="pack_documents"
packed = pack_documents([[5, 6, 7], [8], [9, 10]], 4, 2)
check_equal(packed.tolist(), [[5, 6, 7, 2], [8, 2, 9, 10]], "the worked example")
check_true(packed.dtype == torch.long, "ids are whole numbers", cause="torch.tensor([]) of nothing is a float tensor.")
check_equal(pack_documents([[5, 6, 7]], 2, 0).tolist(), [[5, 6], [7, 0]], "an end token behind the last document too")
check_shape(pack_documents([[5]], 3, 0), (0, 3), "nothing fills a block: no rows, still 3 columns")

# %% [markdown]
# ## 4 The decoder-only model
#
# GPT-2 (Radford et al. 2019, section 2.3) is week 2's pre-norm block, many times over, under a causal mask:
#
# | step | gives |
# |---|---|
# | word embeddings plus position embeddings, both learned | $x$, `[B,T,D]` |
# | blocks, pre-norm and causal, one after the other | $x$, `[B,T,D]` |
# | a last layer norm: the sum in a pre-norm model was never normalised | $h$, `[B,T,D]` |
# | the head: $h\, W^\top$ with the *same* table $W$ as the word embeddings, no bias | logits, `[B,T,V]` |

# %% [markdown]
# The head is **tied**: a token's logit is the dot product of $h$ with that token's embedding. One table serves at both
# ends, and is not learned twice (Press and Wolf 2017).
#
# The block is given. It is week 2's, on PyTorch's fused kernel, with GPT-2's activation (GELU, in its tanh form):
#
# - `EncoderBlock(d_model, n_heads, d_ff, pre_norm=True, activation="gelu_tanh")` makes one;
# - `block(x, mask, causal=True)` hides what comes later without building a mask. `mask` hides more: bool, True where
#   something may be seen, broadcast to `[B,H,T,T]`; None hides nothing more.

# %% [markdown]
# A worked example, small enough for the head: $D = 2$, $V = 3$, all positions 0, and blocks that add nothing (weights
# 0). The word embeddings are $(1, 0)$, $(0, 1)$ and $(3, 0)$. Token 0 has $x = (1, 0)$; layer norm makes it $h = (1,
# -1)$; its dot products with the three embeddings are the logits $1, -1, 3$.


# %% exercise="CausalLM" points=4
class CausalLM(nn.Module):
    """A decoder-only language model as GPT-2, without dropout.

    Args:
        config: `DecoderConfig(vocab_size, d_model, n_heads, n_layers, d_ff, max_len)`; in this notebook its `positions`
            is always "learned".

    Submodules: `word`, an nn.Embedding [V,D]; `position`, an nn.Embedding [max_len,D]; `blocks`, an nn.ModuleList of
    n_layers EncoderBlocks (pre_norm=True, activation="gelu_tanh"); `norm`, an nn.LayerNorm of width D. There are no
    other parameters.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        widths = config.d_model, config.n_heads, config.d_ff
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(*widths, pre_norm=True, activation="gelu_tanh") for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)
        ### END SOLUTION

    def forward(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return logits for the token after each of ids.

        Args:
            ids: long [B,T], T at most max_len. The token in column t has position t. Not changed.
            mask: bool [B,T], True on real tokens; a token that is not real is seen by no other. None: all are real.

        Returns:
            float [B,T,V], plain logits; those at t depend on ids up to t and on no later one.
        """
        ### BEGIN SOLUTION
        x_BTD = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x_BTD = block(x_BTD, mask, causal=True)
        return self.norm(x_BTD) @ self.word.weight.T
        ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how do positions and masks get their axes?</summary>
#
# `self.position.weight[:T]` is [T,D] and broadcasts over the batch; `self.position(torch.arange(T, device=ids.device))`
# is the same. The mask [B,T] says which *keys* are real: its axes must become [B,1,1,T], as week 2's padding_mask had
# them. `mask[:, None, None, :]` inserts two axes of size 1.
#
# </details>
#
# <details><summary>Hint 2: what is a tied head made of?</summary>
#
# Of nothing new: `h @ self.word.weight.T`, or `functional.linear(h, self.word.weight)`. An `nn.Linear` of its own would
# be a second table.
#
# </details>

# %% check="CausalLM"
tiny = CausalLM(DecoderConfig(vocab_size=3, d_model=2, n_heads=1, n_layers=1, d_ff=4, max_len=5))
for name, parameter in tiny.named_parameters():
    if "norm" not in name:
        nn.init.zeros_(parameter)
with torch.no_grad():
    tiny.word.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 0.0]]))
check_close(tiny(torch.tensor([[0]])), [[[1.0, -1.0, 3.0]]], "the worked example: 1, -1, 3", tolerance=1e-4)
small = CausalLM(DecoderConfig(vocab_size=11, d_model=6, n_heads=2, n_layers=2, d_ff=12, max_len=8))
ids_BT = torch.tensor([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]])
later_BT = torch.tensor([[1, 2, 3, 4, 0], [6, 7, 8, 9, 0]])
check_shape(small(ids_BT), (2, 5, 11), "logits for every token of every row")
check_close(small(ids_BT)[:, :4], small(later_BT)[:, :4], "another last token, the same logits before it")
check_true(not torch.allclose(small(ids_BT)[:, 4], small(later_BT)[:, 4]), "and other logits behind it")

# %% [markdown]
# **Predict:** you wrote this for a vocabulary of 11. Give it the sizes of the smallest GPT-2: 50,257 tokens, width 768,
# 12 heads, 12 blocks, 1,024 positions. How many parameters has it, and what share of them is the word table? (On the
# device called `meta` tensors have shapes and no numbers, so this costs no memory.)

# %%
with torch.device("meta"):
    gpt2 = CausalLM(DecoderConfig(50_257, d_model=768, n_heads=12, n_layers=12, d_ff=4 * 768, max_len=1024))
n_params = sum(parameter.numel() for parameter in gpt2.parameters())
print(f"{n_params:,} parameters, {gpt2.word.weight.numel() / n_params:.0%} of them in the word table.")
print(f"An untied head would add {gpt2.word.weight.numel():,} more.")

# %% [markdown]
# Count the released checkpoint of that size and you find the same number, to the last parameter. (The paper's table 2
# says 117 million, and its authors corrected that later.) Notebook 3 loads such weights into such a model.
#
# ## 5 Train it on the stories
#
# The stories of week 1, and the training loop of every week. The batches are whole stories, padded and not packed: the
# floor is the loss of a reader who starts at the beginning of a story, and every block must start there too.

# %%
from course.blocks.causal_lm import initialise
from course.stories import Stories, pad
from course.training import seeded, train

stories = Stories.load()
V, floor = len(stories.vocab), stories.floors["causal"]["loss"]
train_ids_NT, _ = pad(stories.train, stories.pad_id)
test_ids_BT, test_mask_BT = pad(stories.test, stories.pad_id)


def sample_batch(generator: torch.Generator) -> tuple[torch.Tensor]:
    return (train_ids_NT[torch.randint(len(train_ids_NT), (16,), generator=generator)],)


def batch_loss(model: nn.Module, batch: tuple[torch.Tensor]) -> torch.Tensor:
    return causal_lm_loss(model(batch[0]), batch[0], stories.pad_id)


with torch.no_grad(), seeded(0):
    untrained = CausalLM(DecoderConfig(V, d_model=96, n_heads=4, n_layers=2, d_ff=192, max_len=64))
    first = batch_loss(untrained, (test_ids_BT[:100],)).item()
    initialise(untrained)
    second = batch_loss(untrained, (test_ids_BT[:100],)).item()
print(f"Loss before any training: {first:.1f} nats with PyTorch's own first weights, {second:.2f} with GPT-2's.")

# %% [markdown]
# Guessing evenly among 300 tokens costs $\log 300 \approx 5.70$. PyTorch draws embeddings with a standard deviation of
# 1, and in a tied head they are the weights of the logits: the untrained model is *sure*, and wrong. `initialise` draws
# all weights small, as GPT-2's were drawn (section 2.3): the model starts by knowing nothing, which is better.
#
# **Predict:** the best n-gram of week 1 ended far above the floor, the LSTM not so far. Two blocks of width 96, about a
# minute of training: where will yours end?

# %%
N_STEPS = 4000
gpt = CausalLM(DecoderConfig(V, d_model=96, n_heads=4, n_layers=2, d_ff=192, max_len=64))
with seeded(0):
    initialise(gpt)
gpt_history = train(gpt, batch_loss, sample_batch, n_steps=N_STEPS, peak_lr=7e-3, label="your GPT on the stories")
gpt.cpu()
with torch.no_grad():
    gpt_loss = batch_loss(gpt, (test_ids_BT,)).item()
print(f"{gpt_loss:.3f} nats per token on unseen stories; the floor is {floor:.3f}: {gpt_loss / floor:.3f} times.")

# %% [markdown]
# Who else reads these stories? N-grams see the last $n - 1$ tokens. Week 1's LSTM, trained again here with fewer steps,
# sees all through its state. And there are two kinds of floor: that of a reader who sees the last $k$ tokens only, and
# that of one who sees everything to the left. All on one axis:

# %%
from course.counting import ngram_log_probs
from course.figures import show
from course.figures.week4_next_token import loss_against_context, losses_below_the_floor
from course.models import RecurrentLM, next_token_log_probs

with seeded(0):
    lstm = RecurrentLM(V, d_model=64, width=128, cell="lstm")
train(lstm, batch_loss, sample_batch, n_steps=1200, peak_lr=1e-2, label="an LSTM on the stories")
lstm.cpu()
real_BT = test_mask_BT[:, 1:]
log_probs = {"LSTM": next_token_log_probs(lstm, test_ids_BT), "your GPT": next_token_log_probs(gpt, test_ids_BT)}
ngrams = {n: ngram_log_probs(train_ids_NT, test_ids_BT, n, vocab_size=V) for n in range(2, 8)}
losses = {name: -log_probs_BT[real_BT].mean().item() for name, log_probs_BT in (log_probs | ngrams).items()}
context_floors = {int(k): entry["loss"] for k, entry in stories.floors["context"].items()}

# %%
fig, _ = loss_against_context(
    {n - 1: losses[n] for n in ngrams}, context_floors, {name: losses[name] for name in log_probs}, floor=floor
)
show(
    fig,
    alt="Loss against the number of tokens to the left: n-grams fall and rise again, the best possible with so many "
    "tokens keeps falling; the LSTM lies lower than every n-gram, and your GPT lower still, just above the floor.",
)
for name in log_probs:
    print(f"{name}: {losses[name]:.3f} nats per token, {losses[name] / floor:.3f} times the floor")
within = max(k for k in context_floors)
print(f"The best possible with {within} tokens to the left: {context_floors[within] / floor:.3f} times the floor")

# %% [markdown]
# Your GPT is below the best that *any* reader could do with the last 16 tokens. So it must use what stands further to
# the left, and use it well.
#
# ## 6 Where is the rest?
#
# What is left above the floor, where in the story is it lost? The oracle says what an ideal reader pays at each
# position. **Predict:** is the gap widest at the beginning, where little is known, or at the end, where much is to be
# remembered?

# %%
from course.figures.recurrence import loss_by_position
from course.oracle import Oracle

oracle, N_STORIES, PER_POINT = Oracle.load(), 400, 4
some_ids_BT, some_real_BT = test_ids_BT[:N_STORIES], real_BT[:N_STORIES]
ideal_BT = torch.zeros(some_real_BT.shape, dtype=torch.float64)
for b, story in enumerate(stories.test[:N_STORIES]):
    rows_TV = torch.from_numpy(oracle.next_token_log_probs(story))
    ideal_BT[b, : len(story) - 1] = rows_TV[torch.arange(1, len(story)), story[1:]]


def by_position(log_probs_BT: torch.Tensor) -> list[float]:
    """Return the mean loss at positions 1 to 4, 5 to 8, and so on up to 48."""
    losses_BT = (-log_probs_BT[:N_STORIES].double() * some_real_BT)[:, :48]
    counts_T, sums_T = some_real_BT[:, :48].sum(0), losses_BT.sum(0)
    return (sums_T.view(-1, PER_POINT).sum(1) / counts_T.view(-1, PER_POINT).sum(1)).tolist()


# %%
readers = {"6-gram": ngrams[6], "LSTM": log_probs["LSTM"], "your GPT": log_probs["your GPT"]}
curves, ideal = {name: by_position(values) for name, values in readers.items()}, by_position(ideal_BT)
fig, _ = loss_by_position(curves, ideal, per_point=PER_POINT)
show(
    fig, alt="Loss by position: the 6-gram lies far above, the LSTM close to, and your GPT almost on the ideal reader."
)
for name, curve in curves.items():
    gaps = [loss - best for loss, best in zip(curve, ideal, strict=True)]
    widest = max(range(len(gaps)), key=gaps.__getitem__)
    place = f"{widest * PER_POINT + 1} to {(widest + 1) * PER_POINT}"
    print(f"{name:9} mean gap {sum(gaps) / len(gaps):.3f} nats, widest {gaps[widest]:.3f} at positions {place}")

# %% [markdown]
# What is left is lost late, where the ending follows from what was told at the beginning: the facts with the longest
# reach are learned last, by both.
#
# ## 7 Real text
#
# The same code reads what people wrote: the prose of Python's own documentation, cut into tokens by week 3's byte-pair
# encoding. First, what packing is worth. **Predict:** paragraphs of very different length, 32 to a batch, padded to the
# longest. What share of the batch is padding?

# %%
from course.bpe import BytePairTokenizer
from course.real_text import python_documentation

text, EOS = python_documentation(), "[EOS]"
bpe = BytePairTokenizer.train(text.train, n_merges=1000, special_tokens=[EOS])
lengths = torch.tensor([len(bpe.encode(paragraph)) for paragraph in text.train])
batches = lengths[: len(lengths) // 32 * 32].view(-1, 32)
padding = 1 - batches.sum() / (batches.amax(1) * 32).sum()
blocks_NT = pack_documents([bpe.encode(paragraph) for paragraph in text.train], 128, bpe.token_id(EOS))
print(f"{len(lengths):,} paragraphs of {lengths.min()} to {lengths.max()} tokens: {padding:.0%} of a batch is padding.")
print(
    f"Packed: {tuple(blocks_NT.shape)} blocks, no padding, {lengths.sum() + len(lengths) - blocks_NT.numel()} dropped."
)

# %% [markdown]
# Which tokeniser is better? The loss per token cannot say: longer tokens are harder to guess, and there are fewer of
# them. What compares is the loss per **byte** of text, in bits:
#
# $$\text{bits per byte} = \frac{L}{\log 2} \cdot \frac{\text{tokens}}{\text{bytes}}$$
#
# **Predict:** the same small model, the same steps, once on single bytes, once on 1,000 merges. Which has the lower
# loss per token? Which needs fewer bits per byte?


# %%
def train_on(blocks_NT: torch.Tensor, vocab_size: int, *, n_steps: int = 150) -> CausalLM:
    """Return your GPT, trained on packed blocks."""
    model = CausalLM(DecoderConfig(vocab_size, d_model=96, n_heads=4, n_layers=2, d_ff=192, max_len=128))
    with seeded(0):
        initialise(model)

    def draw(generator: torch.Generator) -> tuple[torch.Tensor]:
        return (blocks_NT[torch.randint(len(blocks_NT), (16,), generator=generator)],)

    train(model, packed_loss, draw, n_steps=n_steps, peak_lr=5e-3, label=f"documentation, {vocab_size} tokens")
    return model.cpu()


def packed_loss(model: nn.Module, batch: tuple[torch.Tensor]) -> torch.Tensor:
    return causal_lm_loss(model(batch[0]), batch[0], pad_id=-1)  # no token has this id: nothing is padding


# %%
import bz2

bytes_only = BytePairTokenizer.train(text.train, n_merges=0, special_tokens=[EOS])
unseen = "\n".join(text.valid).encode()
for name, tokenizer in {"single bytes": bytes_only, "1,000 merges": bpe}.items():
    eos_id = tokenizer.token_id(EOS)
    parts = [[tokenizer.encode(paragraph) for paragraph in part] for part in (text.train, text.valid)]
    train_NT, unseen_NT = (pack_documents(part, 128, eos_id) for part in parts)
    reader = train_on(train_NT, eos_id + 1)
    with torch.no_grad():
        per_token = packed_loss(reader, (unseen_NT,)).item()
    n_tokens = sum(len(ids) + 1 for ids in parts[1])  # one end token behind each paragraph
    bits = per_token / math.log(2) * n_tokens / len(unseen)
    print(f"{name}: {per_token:.2f} nats per token, {bits:.2f} bits per byte")
print(
    f"A file compressor (bz2) on the same unseen text: {8 * len(bz2.compress(unseen)) / len(unseen):.2f} bits per byte"
)

# %% [markdown]
# Merges win where it counts, and the loss per token said the opposite. There is no floor under this text: nobody knows
# how predictable English is. That makes the last section the more important one.
#
# ## 8 Too good to be true
#
# No honest reader comes below the floor. So a loss *below* it proves a **leak**: the model saw what it was asked for.
# Make three, each a mistake that has happened to many.

# %% [markdown]
# 1. **No mask.** The blocks see both ways, as in BERT.
# 2. **No shift.** The logits at $t$ are compared with the token at $t$.
# 3. **The test in the training.** Everything is right, but the stories of the test were trained on.
#
# **Predict:** which of them falls below the floor first? And which would you notice, if you did not know the floor?

# %%
import copy

LEAK_STEPS = 200
test_few_BT, fresh_BT = test_ids_BT[:64], pad(stories.valid[:200], stories.pad_id)[0]


def take_the_mask_away(model: CausalLM) -> CausalLM:
    for block in model.blocks:
        see_all = type(block.self_attn).forward
        block.self_attn.forward = lambda x, *_, attention=block.self_attn, see_all=see_all, **__: see_all(attention, x)
    return model


def unshifted_loss(model: nn.Module, batch: tuple[torch.Tensor]) -> torch.Tensor:
    logits_NV, ids_N = model(batch[0]).flatten(0, 1), batch[0].flatten()
    return functional.cross_entropy(logits_NV, ids_N, ignore_index=stories.pad_id)


def sample_test_stories(generator: torch.Generator) -> tuple[torch.Tensor]:
    return (test_few_BT[torch.randint(len(test_few_BT), (16,), generator=generator)],)


# %%
leaks = {
    "no mask": (take_the_mask_away(copy.deepcopy(untrained)), batch_loss, sample_batch),
    "no shift": (copy.deepcopy(untrained), unshifted_loss, sample_batch),
    "test in training": (copy.deepcopy(gpt), batch_loss, sample_test_stories),
}
curves = {"honest": gpt_history.losses[:LEAK_STEPS]}
for name, (model, loss_of, draw) in leaks.items():
    curves[name] = train(model, loss_of, draw, n_steps=LEAK_STEPS, peak_lr=5e-3, label=name).losses
    model.cpu()
fig, _ = losses_below_the_floor(curves, floor=floor)
show(
    fig,
    alt="Training loss against steps: the honest model comes towards the floor from above; the three leaks fall "
    "through it.",
)

# %% [markdown]
# Each of the curves looks like a success. Without the floor, what could tell them apart? Three questions:
#
# - Is the loss as low on **fresh** stories, which nobody could have trained on?
# - Does a **later** token move an earlier prediction?
# - What does the model **write**? Draw token after token, each from the left alone, and let the oracle judge.
#
# **Predict** a row of the table for each leak before you run it.


# %%
@torch.no_grad()
def write(model: nn.Module, n_texts: int, generator: torch.Generator) -> list[list[int]]:
    """Return texts drawn token by token, each up to its first end token or 64 tokens."""
    ids_BT = torch.full((n_texts, 1), stories.bos_id)
    while ids_BT.shape[1] < 64:
        probabilities_BV = model(ids_BT)[:, -1].softmax(-1)
        ids_BT = torch.cat([ids_BT, torch.multinomial(probabilities_BV, 1, generator=generator)], dim=1)
    rows = [[*row, stories.eos_id] for row in ids_BT.tolist()]
    return [row[: row.index(stories.eos_id) + 1] for row in rows]


@torch.no_grad()
def examine(model: nn.Module, loss_of) -> tuple[float, bool, list[list[int]]]:
    """Return the loss on fresh stories, whether a later token moves an earlier prediction, and 20 texts."""
    other_BT = fresh_BT.clone()
    other_BT[:, 20] = stories.encode("bank", special=False)[0]
    moved = (model(fresh_BT)[:, :20] - model(other_BT)[:, :20]).abs().max().item() > 1e-4
    return loss_of(model, (fresh_BT,)).item(), moved, write(model, 20, torch.Generator().manual_seed(0))


# %%
print(f"{'':18}{'own loss':>9}{'fresh':>8}   a later token   of 20 texts: {'possible':>9}{'copied':>8}")
texts = {}
for name, (model, loss_of, _) in ({"honest": (gpt, batch_loss, None)} | leaks).items():
    own = sum(curves[name][-20:]) / len(curves[name][-20:]) if name in leaks else gpt_loss
    fresh, moved, texts[name] = examine(model, loss_of)
    possible = sum(math.isfinite(oracle.log_prob(story)) for story in texts[name])
    copied = sum(story in stories.test for story in texts[name])
    says = "moves earlier" if moved else "moves nothing"
    print(f"{name:18}{own:9.3f}{fresh:8.3f}   {says}                {possible:9}{copied:8}")
fresh_floor = -sum(oracle.log_probs(stories.valid[:200])) / sum(len(story) - 1 for story in stories.valid[:200])
print(f"{'floor':18}{floor:9.3f}{fresh_floor:8.3f}\n")
for name, written in texts.items():
    print(f"{name}: {stories.decode(written[0])[:150]}\n")

# %% [markdown]
# Each leak has its own signature, and no single question finds all three.
#
# - **No mask**: even fresh stories are "predicted", because the answer stands in the input. A later token moves earlier
#   predictions, and the model cannot write.
# - **No shift**: the same, but nothing looks ahead; the model has learned to say again what it just read.
# - **The test in the training**: nothing looks ahead, and most of what it writes is possible. Much of that is *copied*,
#   and on fresh stories it has become far worse than it was.

# %% [markdown]
# ## In practice
#
# - Real GPTs pack, and mostly let a text see the end of the one before it in its block (Brown et al. 2020, appendix B).
#   Newer ones often mask across the end token too.
# - The third leak is the one that is still around: test sets lie on the web, and the web is the training text. Brown et
#   al. (2020, section 4) searched for such overlaps; it is called contamination.
# - A perplexity per token depends on the tokeniser. Compare bits per byte.

# %% [markdown]
# ## What now works
#
# You have a GPT: objective, data and model, close to the floor in about a minute of training. And you know three
# questions to ask a loss that looks too good.
#
# ## What comes next
#
# It knows what is probable next. Turning that into text is an art of its own: the most probable token, again and again,
# makes a dull story. Notebook 2 writes.
