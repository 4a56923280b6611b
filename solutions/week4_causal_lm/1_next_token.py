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
# Five tokens, four questions: nothing follows the last token, and nobody asks for the first. A text of 64 tokens
# answers 63 questions; BERT's 15% are about 10. (So every story will start with a [BOS] that is given, and its first
# word is asked for like any other.)


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
# <details><summary>Hint 1: a whole row is missing?</summary>
#
# `ids[:-1]` leaves out the last text of the batch. In `ids[:, ...]` the colon keeps all rows, and what stands behind
# the comma chooses among the tokens of each.
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
# with $z$ the logits. The sum runs over the $N$ targets that are real tokens. Rows are padded on the right, and padding
# is never a target.

# %% [markdown]
# Here whole rows come in, $T$ tokens and $T$ rows of logits: the model is given all of a text and answers everywhere.
# The last logits have no target, and the shift happens **once**, inside this function: `shift(ids)[1]` are the targets.
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
        ids: long [B,T], padded on the right; the batch holds at least one real target, a single row may hold none. Not
            changed.
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
worked = causal_lm_loss(logits_BTV, row_BT, 0)
check_close(worked, 2 * torch.tensor(2.0).log(), "the worked example: 2 log 2", tolerance=1e-5)
check_close(
    causal_lm_loss(logits_BTV + 7.0, row_BT, 0),
    worked,
    "7 more on every logit changes nothing",
    tolerance=1e-5,
    cause="logits are not log-probabilities yet: take a log-softmax.",
)
check_close(
    causal_lm_loss(logits_BTV.repeat(2, 1, 1), torch.tensor([[2, 3, 1, 0], [2, 3, 0, 0]]), 0),
    5 / 3 * torch.tensor(2.0).log(),
    "a second row with one target: (1 + 3 + 1) log 2, shared by three",
    tolerance=1e-5,
    cause="shift inside each row, and count every real target of the batch the same.",
)
uniform = causal_lm_loss(torch.zeros(2, 5, 9), torch.tensor([[1, 2, 3, 4, 5], [6, 7, 0, 0, 0]]), 0)
check_close(uniform, torch.tensor(9.0).log(), "guessing among 9 tokens costs log 9", tolerance=1e-5)

# %% [markdown]
# ## 3 Packing documents
#
# Stories have nearly the same length. Real documents do not: padded to the longest, much of a batch is padding, and all
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
        documents: token ids, each document without an end token; a document may be empty, and there may be none at
            all. Not changed.
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
# <details><summary>Hint 1: how do I join?</summary>
#
# In one loop over the documents: `stream.extend(document)`, then `stream.append(eos_id)`. Only when the stream is whole
# is it cut.
#
# </details>
#
# <details><summary>Hint 2: how do I cut?</summary>
#
# Whole division, `len(stream) // block_len`, says how many blocks are full. Keep that many times block_len tokens, make
# them a tensor, and give it the shape (n_blocks, block_len). Where nothing is kept, an empty list needs
# `dtype=torch.long`, else it becomes floats.
#
# </details>

# %% check="pack_documents"
packed = pack_documents([[5, 6, 7], [8], [9, 10]], 4, 2)
check_equal(packed.tolist(), [[5, 6, 7, 2], [8, 2, 9, 10]], "the worked example")
check_equal(pack_documents([[5, 6, 7]], 2, 0).tolist(), [[5, 6], [7, 0]], "an end token behind the last document too")
nothing = pack_documents([[5]], 3, 0)
check_shape(nothing, (0, 3), "nothing fills a block: no rows, still 3 columns")
check_true(nothing.dtype == torch.long, "and whole numbers still", cause="torch.tensor([]) of nothing holds floats.")
check_shape(pack_documents([], 3, 0), (0, 3), "no documents at all: no rows either")

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
# The block is given: week 2's, on PyTorch's fused kernel, with GPT-2's activation (GELU, in its tanh form). Week 2
# named it after the encoder; `causal=True` is all that makes it a decoder's.
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
            ids: long [B,T], T at most max_len. Column t has position t; to count real tokens only is right too. Not
                changed.
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
small = CausalLM(DecoderConfig(vocab_size=11, d_model=6, n_heads=2, n_layers=2, d_ff=12, max_len=8))
count = sum(parameter.numel() for parameter in small.parameters())
cause = "126: the blocks are a plain list. 480: all are one block. 900: the head has a table of its own."
check_equal(count, 66 + 48 + 2 * 354 + 12, "parameters: words 66, positions 48, 354 a block, norm 12", cause=cause)
theirs, x_BTD = EncoderBlock(6, 2, 12, pre_norm=True, activation="gelu_tanh"), torch.arange(30.0).view(1, 5, 6).sin()
theirs.load_state_dict(small.blocks[0].state_dict())
same = torch.allclose(small.blocks[0](x_BTD), theirs(x_BTD), atol=1e-5)
check_true(same, "a block computes what GPT-2's does", cause="pre_norm or the activation is another.")
tiny = CausalLM(DecoderConfig(vocab_size=3, d_model=2, n_heads=1, n_layers=1, d_ff=4, max_len=5))
for parameter in [tiny.position.weight, *tiny.blocks.parameters()]:
    nn.init.zeros_(parameter)
with torch.no_grad():
    tiny.word.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 0.0]]))
check_close(tiny(torch.tensor([[0]])), [[[1.0, -1.0, 3.0]]], "the worked example: 1, -1, 3", tolerance=1e-4)
ids_BT, mask_BT = torch.arange(1, 11).view(2, 5), torch.ones(2, 5, dtype=torch.bool)
check_shape(small(ids_BT), (2, 5, 11), "logits for every token of every row")
later_BT, early_BT = ids_BT.clone(), ids_BT.clone()
later_BT[:, 4], early_BT[0, 1], mask_BT[0, 1] = 0, 0, False
first, second = small(torch.tensor([[3, 3]]))[0]
check_true(not torch.allclose(first, second), "twice the same word, two answers", cause="add the positions.")
ahead = (small(ids_BT) - small(later_BT))[:, :4].abs().max() > 1e-5
check_true(not ahead, "another last token, the same logits before it", cause="give causal=True to every block.")
check_true((small(ids_BT) - small(early_BT))[0, 4].abs().max() > 1e-5, "another early token, other logits behind it")
seen = (small(ids_BT, mask_BT) - small(early_BT, mask_BT))[:, 2:].abs().max() > 1e-5
check_true(not seen, "unless that token is not real", cause="mask, as [B,1,1,T], goes into every block.")

# %% [markdown]
# **Predict:** you wrote this for a vocabulary of 11. Give it the sizes of the smallest GPT-2: 50,257 tokens, width 768,
# 12 heads, 12 blocks, 1,024 positions. How many parameters has it, and what share of them is the word table? (On the
# device called `meta` tensors have shapes and no numbers, so this costs no memory.)

# %%
with torch.device("meta"):
    gpt2 = CausalLM(DecoderConfig(50_257, d_model=768, n_heads=12, n_layers=12, d_ff=4 * 768, max_len=1024))
n_params = sum(parameter.numel() for parameter in gpt2.parameters())
print(f"{n_params:,} parameters, {gpt2.word.weight.numel() / n_params:.0%} of them in the word table.")

# %% [markdown]
# Count the released checkpoint of that size and you find the same number, to the last parameter. (The paper's table 2
# says 117 million, and its authors corrected that later.) Notebook 3 loads such weights into such a model.
#
# ## 5 Train it on the stories
#
# The stories of week 1, and the training loop of every week. The batches are whole stories, padded and not packed: the
# floor is the loss of a reader who starts at the beginning of a story, and every block must start there too. No mask is
# passed: padding stands on the right, where a causal model never looks.

# %%
from course.blocks.causal_lm import initialise
from course.stories import Stories, pad
from course.training import seeded, train

stories = Stories.load()
V, floor = len(stories.vocab), stories.floors["causal"]["loss"]
train_ids_NT, _ = pad(stories.train, stories.pad_id)
test_ids_BT, test_mask_BT = pad(stories.test, stories.pad_id)


def batches_of(ids_NT: torch.Tensor, n_rows: int):
    """Return what draws a batch with a generator: n_rows of the rows."""
    return lambda generator: (ids_NT[torch.randint(len(ids_NT), (n_rows,), generator=generator)],)


def batch_loss(model: nn.Module, batch: tuple[torch.Tensor]) -> torch.Tensor:
    return causal_lm_loss(model(batch[0]), batch[0], stories.pad_id)


# %% [markdown]
# `initialise` draws all weights small, as GPT-2's were drawn (section 2.3), but the word table is drawn once more here.
# **Predict:** guessing evenly among 300 tokens costs $\log 300 \approx 5.70$. An untrained model with a *tied* head,
# its words drawn far apart: does it pay more or less than that, and which token does it expect next?


# %%
def new_gpt(vocab_size: int, max_len: int, word_std: float = 0.15) -> CausalLM:
    """Return an untrained GPT whose word embeddings have this standard deviation."""
    with seeded(0):
        model = CausalLM(DecoderConfig(vocab_size, d_model=96, n_heads=8, n_layers=2, d_ff=192, max_len=max_len))
        initialise(model)
        nn.init.normal_(model.word.weight, std=word_std)
    return model


few_BT, few_mask_BT = test_ids_BT[:64], test_mask_BT[:64]
for word_std, whose in {1.0: "PyTorch's", 0.057: "GPT-2's at this width", 0.15: "ours"}.items():
    with torch.no_grad():
        logits_BTV = new_gpt(V, 64, word_std)(few_BT)
    again = (logits_BTV.argmax(-1) == few_BT)[few_mask_BT].float().mean().item()
    loss = causal_lm_loss(logits_BTV, few_BT, stories.pad_id).item()
    print(f"{word_std:5}, {whose:21} {loss:4.1f} nats; the word just read is expected again in {again:.0%} of places")

# %% [markdown]
# In a tied head each word has the largest dot product with *itself*: drawn wide, the model is sure that what it just
# read comes again, and wrong. Small numbers leave a trace of that. Ours lie between: a start is soon unlearned, and
# words that start farther apart are told apart sooner. (Train with 0.057 once you are through.)
#
# As in week 3's notebook 3, Muon trains the linear maps and Adam the rest: of few steps, each has to go far.
#
# **Predict:** week 1's n-grams ended far above the floor, its LSTM not so far. Two blocks of width 96, a minute at most
# on two cores: where will yours end?

# %%
RECIPE = {"peak_lr": 4e-3, "muon_lr": 0.01}
gpt, stories_32 = new_gpt(V, 64), batches_of(train_ids_NT, 32)
train(gpt, batch_loss, stories_32, n_steps=1200, warmup=100, **RECIPE, label="your GPT on the stories")
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
from course.figures.week4_next_token import gaps_along_the_story, loss_against_context, losses_below_the_floor
from course.models import RecurrentLM, next_token_log_probs

with seeded(0):
    lstm = RecurrentLM(V, d_model=64, width=128, cell="lstm")
train(lstm, batch_loss, batches_of(train_ids_NT, 16), n_steps=900, peak_lr=1e-2, label="an LSTM on the stories")
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
# What is left above the floor, where in the story is it lost? The oracle says what an ideal reader pays for each token.
# **Predict:** is the gap widest at the beginning, where little is known, or at the end, where much is to be remembered?

# %%
from course.along_the_story import gap_by_position, ideal_log_probs
from course.oracle import Oracle

oracle, N_STORIES, PER_POINT = Oracle.load(), 400, 4
ideal_BT = ideal_log_probs(oracle, stories.test[:N_STORIES], test_ids_BT.shape[1])
gaps = {
    name: gap_by_position(values_BT[:N_STORIES], ideal_BT, real_BT[:N_STORIES], per_point=PER_POINT, n_points=15)
    for name, values_BT in log_probs.items()
}
fig, _ = gaps_along_the_story(gaps, per_point=PER_POINT)
show(fig, alt="Nats above the ideal reader by position: the LSTM's is widest near the end, your GPT's stays small.")
for name, gap in gaps.items():
    widest = max(range(len(gap)), key=gap.__getitem__)
    place = f"{widest * PER_POINT + 1} to {(widest + 1) * PER_POINT}"
    print(f"{name:9} mean gap {sum(gap) / len(gap):.3f} nats, widest {gap[widest]:.3f} at positions {place}")

# %% [markdown]
# For the LSTM the gap is widest late, where the ending follows from what was told at the beginning: its state has to
# carry that all the way. Your GPT looks back at it, and loses little anywhere.
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
# **Predict:** two small GPTs read the same text three times, one in single bytes, one in 1,000 merges. Which has the
# lower loss per token? Which needs fewer bits per byte?

# %%
N_READINGS, BLOCK = 3, 128


def packed_loss(model: nn.Module, batch: tuple[torch.Tensor]) -> torch.Tensor:
    return causal_lm_loss(model(batch[0]), batch[0], pad_id=-1)  # no token has this id: nothing is padding


bytes_only = BytePairTokenizer.train(text.train, n_merges=0, special_tokens=[EOS])
n_bytes = len("\n".join(text.valid).encode())
for name, tokenizer in {"single bytes": bytes_only, "1,000 merges": bpe}.items():
    eos_id = tokenizer.token_id(EOS)
    parts = [[tokenizer.encode(paragraph) for paragraph in part] for part in (text.train, text.valid)]
    read_NT, unseen_NT = (pack_documents(part, BLOCK, eos_id) for part in parts)
    reader, n_steps = new_gpt(eos_id + 1, BLOCK), N_READINGS * len(read_NT) // 16
    train(reader, packed_loss, batches_of(read_NT, 16), n_steps=n_steps, **RECIPE, label=f"documentation, {name}")
    with torch.no_grad():
        per_token = packed_loss(reader.cpu(), (unseen_NT,)).item()
    n_tokens = sum(len(ids) + 1 for ids in parts[1])  # one end token behind each paragraph
    bits = per_token / math.log(2) * n_tokens / n_bytes
    print(f"{name}: {n_steps} steps, {per_token:.2f} nats per token, {bits:.2f} bits per byte")

# %% [markdown]
# After the same text, merges win where it counts, and with fewer steps; the loss per token said the opposite. There is
# no floor under this text: nobody knows how predictable English is. That makes the last section the more important one.
#
# ## 8 Too good to be true
#
# No honest reader comes below the floor. So a loss *below* it proves a **leak**: the model saw what it was asked for.
# Make three, each a mistake that has happened to many.

# %% [markdown]
# 1. **No mask.** The blocks see both ways, as in BERT.
# 2. **No shift.** The logits at $t$ are compared with the token at $t$.
# 3. **The test in the training.** Everything is right, but your trained GPT is trained on, with 64 stories of the test.
#
# The first two start anew, from GPT-2's 0.057 and with Adam alone, and an honest model beside them. **Predict:** which
# of the three falls below the floor first? And which would you notice, if you did not know the floor?

# %%
import copy

from course.causal_leaks import a_later_token_moves, without_mask, write


def unshifted_loss(model: nn.Module, batch: tuple[torch.Tensor]) -> torch.Tensor:
    return functional.cross_entropy(model(batch[0]).flatten(0, 1), batch[0].flatten(), ignore_index=stories.pad_id)


untrained = new_gpt(V, 64, word_std=0.057)
models = {"honest": copy.deepcopy(untrained), "no mask": without_mask(untrained), "no shift": untrained}
models["test in training"] = copy.deepcopy(gpt)
curves, loss_of = {}, dict.fromkeys(models, batch_loss) | {"no shift": unshifted_loss}
for name, model in models.items():
    draw = batches_of(few_BT if name == "test in training" else train_ids_NT, 16)
    curves[name] = train(model, loss_of[name], draw, n_steps=200, peak_lr=5e-3, label=name).losses
    model.cpu()
fig, _ = losses_below_the_floor(curves, floor=floor)
show(
    fig,
    alt="Training loss against steps: the honest model comes towards the floor from above; the three leaks fall "
    "through it.",
)
for name, curve in curves.items():
    below = [step for step in range(10, len(curve) + 1) if sum(curve[step - 10 : step]) < 10 * floor]
    print(f"{name}: " + (f"a mean of ten steps is below the floor after {below[0]} steps" if below else "never below"))

# %% [markdown]
# Your trained GPT stood just above the floor, and soon knows 64 stories by heart. Without the shift a model need only
# say what it just read; without the mask it must first find out where to look. The honest one stays above.
#
# Without the floor, what could tell these successes apart? Three questions:
#
# - Is the loss as low on **fresh** stories, which nobody could have trained on?
# - Does a **later** token move an earlier prediction?
# - What does the model **write**? Draw token after token, each from the left alone, and let the oracle judge.
#
# **Predict** a row of the table for each leak before you run it.

# %%
fresh_BT, bank = pad(stories.valid[:200], stories.pad_id)[0], stories.encode("bank", special=False)[0]
models["honest"], written = gpt, {}  # the one that was trained to the end
print(f"{'':17} loss: {'these 64':>9}{'fresh':>8}   a later token   of 20 texts: {'possible':>9}{'copied':>8}")
for name, model in models.items():
    with torch.no_grad():
        own, fresh = (loss_of[name](model, (ids_BT,)).item() for ids_BT in (few_BT, fresh_BT))
    moved = a_later_token_moves(model, fresh_BT, at=21, other_id=bank)
    written[name] = write(model, 20, bos_id=stories.bos_id, eos_id=stories.eos_id)
    possible = sum(math.isfinite(oracle.log_prob(story)) for story in written[name])
    copied = sum(story in stories.test for story in written[name])
    says = "moves earlier" if moved else "moves nothing"
    print(f"{name:23} {own:9.3f}{fresh:8.3f}   {says}                {possible:9}{copied:8}")
for part in (stories.test[:64], stories.valid[:200]):
    print(f"floor of {len(part):3}: {-sum(oracle.log_probs(part)) / sum(len(story) - 1 for story in part):.3f}")

# %%
for name, texts in written.items():
    print(f"{name}: {' '.join(stories.decode(texts[0], special=True).split()[:25])} ...\n")

# %% [markdown]
# Each leak has its own signature, and no single question finds all three.
#
# - **No mask**: even fresh stories are "predicted", because the answer stands in the input. A later token moves earlier
#   predictions, and the model cannot write.
# - **No shift**: low on fresh stories too, though no later token moves anything. Only its writing gives it away: it
#   says again what it just read.
# - **The test in the training**: nothing looks ahead, and most of what it writes is possible (one wrong word in a text
#   makes it impossible; your honest GPT slips too). But much is *copied*, and fresh stories cost it far more.

# %% [markdown]
# ## In practice
#
# - Real GPTs pack, and mostly let a text see the end of the one before it in its block (Brown et al. 2020, appendix B).
#   Newer ones often mask across the end token too.
# - The third leak is the one that is still around: test sets lie on the web, and the web is the training text. Brown et
#   al. (2020, section 4) searched for such overlaps; it is called contamination.

# %% [markdown]
# ## What now works
#
# You have a GPT: objective, data and model, close to the floor after less than a minute of training. And you know three
# questions to ask a loss that looks too good.
#
# ## What comes next
#
# It knows what is probable next. Turning that into text is an art of its own: the most probable token, again and again,
# makes a dull story. Notebook 2 writes.
