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
# # Week 3, notebook 3: BERT
#
# | | |
# |---|---|
# | **You build** | BERT: its embeddings, its head, the whole model; and what RoBERTa counts differently |
# | **You need** | week 2; notebook 2 of this week (masking) |
# | **Time** | about 70 minutes; everything runs in two minutes |
# | **Points** | 8 |

# %% [markdown]
# ## An encoder, and a question for it
#
# Notebook 2 hides words. Who restores them? BERT (Devlin et al. 2019) is last week's encoder and little more: a table
# at the bottom that turns tokens into vectors, a small **head** on top that turns vectors back into guesses about
# tokens. Between the two nothing is causal: every position hears from its left and from its right.
#
# You build it, hold it against the library that everybody uses, pretrain it for a minute or two, and then ask it what
# it makes of *bank*.

# %% setup=true
import torch
from torch import nn

from course.blocks.encoder import Encoder
from course.checks import check_close, check_equal, check_shape
from course.configs import EncoderConfig

# %% [markdown]
# Two things are given. `Encoder` is last week's stack of blocks on PyTorch's fused kernels; BERT's is the post-norm
# kind with GELU in place of ReLU. `EncoderConfig` holds a model's sizes. BERT's own two:

# %%
base = EncoderConfig(vocab_size=30522, d_model=768, n_heads=12, n_layers=12, d_ff=3072, max_len=512)
large = EncoderConfig(vocab_size=30522, d_model=1024, n_heads=16, n_layers=24, d_ff=4096, max_len=512)
for name, config in {"BERT base": base, "BERT large": large}.items():
    blocks = config.n_layers * (4 * config.d_model**2 + 2 * config.d_model * config.d_ff)
    words = config.vocab_size * config.d_model
    print(f"{name}: {blocks / 1e6:.0f} million weights in the blocks, {words / 1e6:.0f} million in the table of words")

# %% [markdown]
# ## 1 What goes in
#
# Three tables, one vector each, **added**: which *word* it is, at which *position* it stands, and to which *segment* it
# belongs. BERT reads pairs, a question and a text for example, as one row: segment 0, then segment 1. Positions are
# learned here, one row for each place, and so `max_len` is a wall. The sum goes through a layer norm:
#
# $$e_t = \text{LN}\big(W[\text{id}_t] + P[t] + S[\text{segment}_t]\big), \qquad \varepsilon = 10^{-12}$$

# %% [markdown]
# Where no segments are given, all tokens belong to segment 0, and its vector is added all the same. Nothing is
# multiplied by $\sqrt{D}$ as in 2017.
#
# A worked example with $D = 2$: word $(3, 0)$, position $(0, 1)$ and segment 0, $(-1, 4)$, add up to $(2, 5)$. The mean
# is 3.5, the standard deviation 1.5, so out comes $(-1, 1)$. With segment 1, $(1, 0)$, the sum is $(4, 1)$, and out
# comes $(1, -1)$.


# %% exercise="BertEmbeddings" points=2
class BertEmbeddings(nn.Module):
    """Word, position and segment embeddings, added and normalised (Devlin et al. 2019, figure 2). No dropout.

    Args:
        vocab_size: tokens in the vocabulary, V.
        d_model: width, D.
        max_len: positions, counted from 0.
        n_segments: segments, counted from 0.

    Submodules: `word`, `position`, `segment` (`nn.Embedding`, as many rows as there are words, positions, segments)
    and `norm` (`nn.LayerNorm`, eps 1e-12). No other parameters.
    """

    def __init__(self, vocab_size: int, d_model: int, max_len: int, n_segments: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        ### END SOLUTION

    def forward(self, ids: torch.Tensor, segment_ids: torch.Tensor | None = None) -> torch.Tensor:
        """Return the normalised sum of the three embeddings.

        Args:
            ids: long [B,T], T at most max_len. Not changed.
            segment_ids: long [B,T], the segment of each token. None: all tokens belong to segment 0.

        Returns:
            float [B,T,D], in the dtype of the tables.

        Example:
            >>> BertEmbeddings(300, d_model=64, max_len=32, n_segments=2)(torch.tensor([[1, 7, 2]])).shape
            torch.Size([1, 3, 64])
        """
        ### BEGIN SOLUTION
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)
        positions_T = torch.arange(ids.shape[1], device=ids.device)
        return self.norm(self.word(ids) + self.position(positions_T) + self.segment(segment_ids))
        ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which rows of the table of positions?</summary>
#
# The first T: `torch.arange(ids.shape[1])`. That gives `[T,D]`, which broadcasts over the texts of the batch. The text
# may be shorter than `max_len`.
#
# </details>
#
# <details><summary>Hint 2: no segments given?</summary>
#
# `torch.zeros_like(ids)` are segment numbers too. Leaving the segment out is not the same: its vector is not zero.
#
# </details>

# %% check="BertEmbeddings"
tiny = BertEmbeddings(vocab_size=3, d_model=2, max_len=4, n_segments=2)
state = {
    "word.weight": [[9.0, 0.0], [3.0, 0.0], [7.0, 7.0]],
    "position.weight": [[0.0, 1.0], [0.0, 1.0], [5.0, 0.0], [0.0, 0.0]],
    "segment.weight": [[-1.0, 4.0], [1.0, 0.0]],
    "norm.weight": [1.0, 1.0],
    "norm.bias": [0.0, 0.0],
}
tiny.load_state_dict({name: torch.tensor(values) for name, values in state.items()})
ids_BT = torch.tensor([[1, 1]])
check_close(tiny(ids_BT, torch.tensor([[0, 1]])), [[[-1.0, 1.0], [1.0, -1.0]]], "the worked example, both segments")
check_close(tiny(ids_BT), [[[-1.0, 1.0], [-1.0, 1.0]]], "no segments given: all are segment 0")
check_shape(BertEmbeddings(30, 6, 9, 2)(torch.ones(4, 5, dtype=torch.long)), (4, 5, 6), "4 texts of 5 tokens")
check_equal(tiny.norm.eps, 1e-12, "the norm's eps is 1e-12")

# %% [markdown]
# The same, as a picture: your three tables for one short pair of texts, and their sum behind the norm. Each token is
# one row. **Predict:** in which of the four pictures do rows repeat, and which rows?

# %%
from course.figures import show
from course.figures.week3_bert import belief_curve, embedding_parts, guesses, loss_curve, slip_sizes
from course.stories import Stories, pad
from course.training import seeded, train

torch.set_num_threads(2)
stories = Stories.load()
V = len(stories.vocab)
first, second = stories.encode("who was sad ?", special=False), stories.encode("the cat was sad .", special=False)
ids_1T = torch.tensor([[stories.bos_id, *first, *second, stories.eos_id]])
segment_ids_1T = torch.tensor([[0] * (len(first) + 1) + [1] * (len(second) + 1)])
with seeded(0):
    embeddings = BertEmbeddings(V, d_model=16, max_len=64, n_segments=2)
with torch.no_grad():
    parts = {
        "word": embeddings.word(ids_1T)[0],
        "position": embeddings.position.weight[: ids_1T.shape[1]],
        "segment": embeddings.segment(segment_ids_1T)[0],
        "sum, normalised": embeddings(ids_1T, segment_ids_1T)[0],
    }
figure, _ = embedding_parts([stories.vocab[i] for i in ids_1T[0].tolist()], parts)
show(figure, alt="Four heat maps by token: word rows differ, equal words agree; segments fill two blocks; the sum.")

# %% [markdown]
# Equal words have equal rows in the first, all tokens of a segment in the third. In the sum nothing repeats: the same
# word at two places has two vectors, and from here on the model can tell them apart.
#
# ## 2 The model
#
# - **Body**: your embeddings, then the encoder. Out come *contextual* vectors $h$ `[B,T,D]`, one for each token.
# - **Head**: a dense map, GELU and a layer norm; then one logit for each word of the vocabulary.

# %% [markdown]
# $$z = \text{LN}\big(\text{GELU}(h W_d + b_d)\big), \qquad \text{logits} = z\, W^\top + b$$
#
# The last matrix is no new one: $W$ is the **table of words** from the bottom, used the other way round (weight tying;
# Press and Wolf 2017). The logit of a word is the dot product of $z$ with that word's own embedding, plus a bias $b$
# `[V]`. In BERT base that saves 23 million weights.

# %% [markdown]
# Texts of a batch differ in length. The model's `mask` is `[B,T]`, True on real tokens; the encoder's broadcasts to
# `[B,H,T,S]`, and says which *keys* may be seen. So the axis T of yours must become the last of four.
#
# A worked example: let $z = (1, 2)$ at some place, and three words have the embeddings $(1, 0)$, $(0, 1)$, $(1, 1)$.
# With $b = (0.5, 0, 0)$ the logits are $(1.5, 2, 3)$. The third word is the guess.
#
# `forward` is given: it asks `encode`, then `head`. Kept apart, the head can be asked about a few positions only.


# %% exercise="MaskedLM" points=4
class MaskedLM(nn.Module):
    """BERT with its head for masked tokens (Devlin et al. 2019, section 3.1; the released code). No dropout.

    Args:
        config: the sizes: vocab_size V, d_model D, n_heads, n_layers, d_ff, max_len, n_segments.

    Submodules: `embeddings` (your BertEmbeddings), `encoder` (the given Encoder: post-norm, activation="gelu",
    eps=1e-12), `dense` (`nn.Linear` from D to D) and `norm` (`nn.LayerNorm`, eps 1e-12); and a parameter `bias` [V],
    zeros at first. No other parameters: the last map is the table of words.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        ### END SOLUTION

    def encode(
        self, ids: torch.Tensor, mask: torch.Tensor | None = None, segment_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return contextual vectors, float [B,T,D]: embeddings, then the encoder.

        Args:
            ids: long [B,T]. Not changed.
            mask: bool [B,T], True on real tokens, which alone may be seen. None: all are real.
            segment_ids: long [B,T], for the embeddings. None: all tokens belong to segment 0.
        """
        ### BEGIN SOLUTION
        visible_B11T = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible_B11T)
        ### END SOLUTION

    def head(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return logits, float [...,V], from contextual vectors [...,D] with any leading axes."""
        ### BEGIN SOLUTION
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias
        ### END SOLUTION

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor | None = None, segment_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return logits, float [B,T,V], for the original token at every position. Arguments as for `encode`.

        Example:
            >>> MaskedLM(EncoderConfig(300, 64, 4, 2, 256, 32))(torch.tensor([[1, 7, 2]])).shape
            torch.Size([1, 3, 300])
        """
        return self.head(self.encode(ids, mask, segment_ids))


# %% [markdown]
# <details><summary>Hint 1: the encoder's arguments</summary>
#
# `Encoder(d_model, n_heads, d_ff, n_layers, activation="gelu", eps=1e-12)`: post-norm is what it is by default. Called
# as `encoder(x, mask)`. From `[B,T]` to `[B,1,1,T]` go `mask[:, None, None, :]`; `None` needs care.
#
# </details>
#
# <details><summary>Hint 2: how are weights shared?</summary>
#
# By using them: `self.embeddings.word.weight` is `[V,D]`, so `z @ ....T` is `[...,V]`. No `nn.Linear` of V rows is
# needed, and none may be there. GELU is `nn.functional.gelu`, the exact one; its tanh approximation came with GPT-2.
#
# </details>

# %% check="MaskedLM"
model = MaskedLM(EncoderConfig(vocab_size=3, d_model=2, n_heads=1, n_layers=1, d_ff=4, max_len=6))
with torch.no_grad():
    model.embeddings.word.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    model.norm.weight.zero_()
    model.norm.bias.copy_(torch.tensor([1.0, 2.0]))
    model.bias.copy_(torch.tensor([0.5, 0.0, 0.0]))
check_close(model.head(torch.zeros(2)), [1.5, 2.0, 3.0], "the worked example: z = (1, 2) gives 1.5, 2 and 3")
model = MaskedLM(EncoderConfig(vocab_size=11, d_model=6, n_heads=2, n_layers=2, d_ff=12, max_len=8))
ids_BT = torch.tensor([[1, 5, 9, 2, 0], [3, 3, 4, 7, 8]])
check_shape(model(ids_BT), (2, 5, 11), "one logit for each word at each position")
check_shape(model.encode(ids_BT), (2, 5, 6), "one vector for each token")
real_BT = torch.tensor([[True, True, True, True, False], [True] * 5])
alone = model(ids_BT[:1, :4])
check_close(model(ids_BT, real_BT)[:1, :4], alone, "padding changes nothing", cause="mask [B,T] hides keys: [B,1,1,T].")
names = {name.split(".")[0] for name in model.state_dict()}
parts, other = (
    {"embeddings", "encoder", "dense", "norm", "bias"},
    "a part of another name finds no weights in section 4.",
)
check_equal(names, parts, "the parts, and no second table of words", cause=other)

# %% [markdown]
# ## 3 What RoBERTa counts
#
# RoBERTa (Liu et al. 2019) is the same model, trained better: longer, on more text, with fresh masks each epoch, and
# without segments. Its released code also counts positions in a way of its own, and who loads its weights must count
# so too: only what is not padding is counted, and the count starts *behind the padding's id*.
#
# A worked example, `pad_id` 1: the ids `[0, 31, 7, 2, 1, 1]` have the positions `[2, 3, 4, 5, 1, 1]`. Padded on the
# left, `[1, 1, 0, 31, 7, 2]`, they are `[1, 1, 2, 3, 4, 5]`: the text does not notice on which side it was padded.


# %% exercise="roberta_position_ids" points=2
def roberta_position_ids(ids: torch.Tensor, pad_id: int) -> torch.Tensor:
    """Return the position of each token as RoBERTa counts them.

    Args:
        ids: long [B,T]. Padding may stand anywhere. Not changed.
        pad_id: the padding's id, 0 or more.

    Returns:
        long [B,T]: for tokens that are not padding pad_id + 1, pad_id + 2 and so on, each row by itself; pad_id for
        padding.

    Example:
        >>> roberta_position_ids(torch.tensor([[0, 31, 7, 2, 1, 1]]), pad_id=1)
        tensor([[2, 3, 4, 5, 1, 1]])
    """
    ### BEGIN SOLUTION
    real_BT = ids.ne(pad_id).long()
    return real_BT.cumsum(dim=1) * real_BT + pad_id
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: a running count</summary>
#
# True counts as 1 and False as 0. `cumsum(dim=1)` over the real tokens gives 1, 2, 3 and so on along each row.
#
# </details>
#
# <details><summary>Hint 2: and the padding?</summary>
#
# The running count stands still there, it is not 0. Multiply by the mask, or choose with `torch.where`. `pad_id` comes
# on top of both.
#
# </details>

# %% check="roberta_position_ids"
ids_BT = torch.tensor([[0, 31, 7, 2, 1, 1], [1, 1, 0, 31, 7, 2]])
positions_BT = roberta_position_ids(ids_BT, 1)
expected_BT = torch.tensor([[2, 3, 4, 5, 1, 1], [1, 1, 2, 3, 4, 5]])
check_equal(positions_BT, expected_BT, "padded on the right, and on the left")
check_equal(roberta_position_ids(torch.tensor([[4, 0, 5]]), 0), torch.tensor([[1, 0, 2]]), "with pad_id 0")

# %% [markdown]
# ## 4 The same numbers
#
# Is it really BERT? There is an independent judge: `transformers`, the library that the models were published with. The
# course brings two small checkpoints in its file format, one of each kind, with random weights; and, for a batch of
# padded texts, the logits that the library computes from them. The weights have other names there:

# %%
from course.blocks.masked_lm import set_norm_eps
from course.checkpoints import read_checkpoint, read_expected
from course.hub_names import hub_name

bert_file = read_checkpoint("small_bert")
for name in ("embeddings.word.weight", "encoder.blocks.0.self_attn.q_proj.weight", "encoder.blocks.0.norm1.bias"):
    print(f"{hub_name(name)}\n    is ours: {name}")

# %% [markdown]
# **Predict:** your model gets the library's weights. How many digits of the logits will agree? And if one small thing
# were wrong, an eps, the other GELU, a segment forgotten: would you notice, without a judge?


# %%
def largest_difference(model, name, **changed):
    """How far the logits are from the library's, over all real tokens."""
    batch = read_expected(name) | changed
    real_BT = read_expected(name)["mask"]
    with torch.no_grad():
        logits_BTV = model(batch["ids"], batch["mask"], batch["segment_ids"])
    return (logits_BTV - batch["logits"])[real_BT].abs().max().item()


def with_weights_of(checkpoint, change=lambda model: None):
    model = MaskedLM(checkpoint.config)
    change(model)
    model.load_state_dict(checkpoint.state)
    return model.eval()


bert = with_weights_of(bert_file)
print(f"BERT, {read_expected('small_bert')['mask'].sum()} tokens: {largest_difference(bert, 'small_bert'):.1e}")


# %%
def approximate(model):
    sizes = bert_file.config
    widths = sizes.d_model, sizes.n_heads, sizes.d_ff, sizes.n_layers
    model.encoder = Encoder(*widths, activation="gelu_tanh", eps=1e-12)


shifted = with_weights_of(bert_file)
with torch.no_grad():
    shifted.embeddings.position.weight.copy_(shifted.embeddings.position.weight.roll(-1, 0))
differences = {
    "your MaskedLM": largest_difference(bert, "small_bert"),
    "eps 1e-5": largest_difference(with_weights_of(bert_file, lambda m: set_norm_eps(m, 1e-5)), "small_bert"),
    "GELU approximated by tanh": largest_difference(with_weights_of(bert_file, approximate), "small_bert"),
    "mask forgotten": largest_difference(bert, "small_bert", mask=None),
    "segments forgotten": largest_difference(bert, "small_bert", segment_ids=None),
    "positions from 1": largest_difference(shifted, "small_bert"),
}
figure, _ = slip_sizes(differences, tolerance=1e-5)
show(figure, alt="Dots on a log scale: your model within a millionth of the library; each slip is far outside 1e-5.")

# %% [markdown]
# The first two slips would never show in a training curve: the model learns to live with them. They show when somebody
# else's weights come in. That is what such a comparison is for.
#
# RoBERTa next. It has one segment, an eps of 1e-5, and your `roberta_position_ids`. One of its three texts is padded on
# the left.


# %%
class RobertaEmbeddings(BertEmbeddings):
    def forward(self, ids, segment_ids=None):
        places_BT = roberta_position_ids(ids, pad_id=1)
        return self.norm(self.word(ids) + self.position(places_BT) + self.segment.weight[0])


def become_roberta(model):
    sizes = roberta_file.config
    model.embeddings = RobertaEmbeddings(sizes.vocab_size, sizes.d_model, sizes.max_len, sizes.n_segments)
    set_norm_eps(model, roberta_file.eps)


roberta_file = read_checkpoint("small_roberta")
roberta = with_weights_of(roberta_file, become_roberta)
print(f"RoBERTa with your positions: {largest_difference(roberta, 'small_roberta'):.1e}")
with_bert_positions = with_weights_of(roberta_file, lambda m: set_norm_eps(m, roberta_file.eps))
print(f"RoBERTa with BERT's positions: {largest_difference(with_bert_positions, 'small_roberta'):.1e}")

# %% [markdown]
# Where there is a network, `read_checkpoint("bert-base-uncased")` reads the real one in the same way; a folder with its
# files will do too.
#
# ## 5 Pretraining
#
# Now the weights are to know something. Everything is there: your model, notebook 2's masks (drawn afresh for each
# batch), the stories, and a test set on which the ideal reader's loss is known, word by word. Three readers stand
# beside your model on the same hidden words:

# %% [markdown]
# - **word frequencies** alone, without any context;
# - the **ideal reader of the left**: it knows how the stories are made, and even sees every word to the left as it
#   was, uncorrupted. To the right it sees nothing. No GPT could do better;
# - the **ideal reader of both sides**, who sees the corrupted story: the floor.
#
# **Predict:** will a minute or two of training carry your model past the best reader of the left?

# %%
import numpy as np

from course.masked_eval import compare_with_floor, masked_floor_losses, masked_test_set, model_losses
from course.oracle import Oracle

n_judged = 150
inputs_NT, labels_NT = (table[:n_judged] for table in masked_test_set(stories))
hidden_NT = labels_NT != -100
floor = masked_floor_losses(stories)[:n_judged][hidden_NT].mean().item()

counts_V = torch.bincount(torch.tensor([i for story in stories.train for i in story[1:-1]]), minlength=V) + 1.0
unigram = -(counts_V / counts_V.sum()).log()[labels_NT[hidden_NT]].mean().item()

oracle, left_losses = Oracle.load(), []
for n in range(n_judged):
    log_probs_TV = torch.from_numpy(oracle.next_token_log_probs(stories.test[n]))
    places = hidden_NT[n].nonzero().flatten()
    left_losses.append(-log_probs_TV[places, labels_NT[n, places]])
left_only = torch.cat(left_losses).mean().item()
print(f"{hidden_NT.sum():,} hidden words: frequencies {unigram:.2f}, left {left_only:.2f}, both sides {floor:.2f}")

# %% [markdown]
# A step costs the same whether few words are hidden or many, and teaches more with many. So more than BERT's 15% are
# hidden while training (Wettig et al. 2023), and 15% when it counts. The head is asked about hidden words only.
#
# You have time for few steps, so each has to count, and two choices are not BERT's. The first: **Muon** (Jordan et al.
# 2024) trains the linear maps, Adam the rest. It turns a matrix of gradients into the nearest orthogonal one, so that a
# step goes as far in rare directions as in frequent ones.

# %% [markdown]
# The second is a start. Drawn at random, a head looks everywhere alike, and must find out that neighbours matter before
# anything else can be learned. `start_bert` gives the positions the waves of week 2, and turns seven of the eight heads
# of the first block to a place of their own: one, two or three tokens to the left or right, or the token itself. It
# also draws the words' vectors wider, so that no two are alike. All of it goes on learning.

# %%
from course.blocks.masked_lm import initialise
from course.masking import choose_positions, mask_tokens, special_positions
from course.starts import start_bert

ids_NT, _ = pad(stories.train, stories.pad_id)
special_NT = special_positions(ids_NT, [stories.pad_id, stories.bos_id, stories.eos_id])
word_ids = torch.tensor(stories.word_ids)


def sample_batch(generator):
    rows = torch.randint(len(ids_NT), (BATCH,), generator=generator)
    chosen = choose_positions(ids_NT[rows], special_NT[rows], RATE, generator)
    return mask_tokens(ids_NT[rows], chosen, stories.mask_id, word_ids, generator)


def restoring_loss(model, batch):
    inputs, labels = batch
    asked = labels != -100
    logits = model.head(model.encode(inputs, inputs != stories.pad_id)[asked])
    return nn.functional.cross_entropy(logits, labels[asked])


def judge(model):
    return model_losses(model, inputs_NT, labels_NT, stories.pad_id)[hidden_NT].mean()


# %%
BATCH, RATE = 32, 0.3
config = EncoderConfig(V, d_model=96, n_heads=8, n_layers=2, d_ff=384, max_len=64)
with seeded(0):
    model = MaskedLM(config)
    initialise(model)  # as BERT's weights are drawn
    start_bert(model)
start = judge(model).item()
options = {"n_steps": 2000, "peak_lr": 4e-3, "muon_lr": 0.01, "warmup": 100}
judged = {"evaluate": judge, "evaluate_every": 200, "label": "pretraining BERT"}
history = train(model, restoring_loss, sample_batch, **options, **judged)
model = model.cpu()

# %%
steps, losses = [0, *history.evaluated_at], [start, *history.evaluations]
readers = {"word frequencies": unigram, "ideal reader of the left": left_only}
figure, _ = loss_curve(steps, losses, readers, floor=floor)
show(figure, alt="Loss of BERT against steps: it falls through the lines of both other readers towards the floor.")
passed = next((step for step, loss in zip(steps, losses, strict=True) if loss < left_only), None)
print(f"past the best reader of the left by step {passed}; on all test stories: {compare_with_floor(model, stories)}")

# %% [markdown]
# Your model knows no grammar and has only read. By now it restores words better than any reader of the left
# ever could, for a plain reason: it sees the rest of the sentence.
#
# Above the floor it still is. **Predict:** which words does the ideal reader restore better than your model: rare ones,
# verbs, names? All words a little, or a few words by far?

# %%
test_inputs_NT, test_labels_NT = masked_test_set(stories)
asked_NT = test_labels_NT != -100
lost_NT = model_losses(model, test_inputs_NT, test_labels_NT, stories.pad_id) - masked_floor_losses(stories)
words, lost = test_labels_NT[asked_NT], lost_NT[asked_NT]
lost_V = torch.zeros(V, dtype=lost.dtype).index_add_(0, words, lost)
times_V = torch.bincount(words, minlength=V)
worst = (lost_V / times_V).masked_fill(times_V < 5, 0).topk(7).indices
share = f"{lost_V[worst].sum() / lost.sum():.0%} of the distance to the floor, {times_V[worst].sum() / len(words):.1%}"
print(f"These words make {share} of the hidden words:")
print(", ".join(f"{stories.vocab[i]} (+{lost_V[i] / times_V[i]:.1f} nats)" for i in worst.tolist()))
print(f"One of them stands in {torch.isin(ids_NT, worst).any(1).float().mean():.0%} of the training stories")

# %% [markdown]
# A few words by far: what grows in the garden. Here is the one on which your model loses most, of those words that
# stand in the same story a second time, where they can be read. **Predict:** what would you say, and what does your
# model say?

# %%
rows_W, places_W = asked_NT.nonzero(as_tuple=True)
shown_WT = test_inputs_NT[rows_W].scatter(1, places_W[:, None], stories.mask_id)
elsewhere_W = (shown_WT == words[:, None]).any(1)
w = int((lost * (elsewhere_W & torch.isin(words, worst))).argmax())
n, at = rows_W[w].item(), places_W[w].item()
with torch.no_grad():
    said = model(test_inputs_NT[n][None])[0, at].softmax(-1).topk(4)
story = [stories.vocab[i] for i in stories.test[n]]
shown = [stories.vocab[i] for i in test_inputs_NT[n, : len(story)].tolist()]
print(" ".join([*shown[1:at], "___", *shown[at + 1 : -1]]))
guessed = zip(said.indices.tolist(), said.values.tolist(), strict=True)
print("your model says:", ", ".join(f"{stories.vocab[i]} {p:.2f}" for i, p in guessed), "- it was:", story[at])

# %% [markdown]
# The answer is in the text: it would have to be **copied**. Your model knows which *kind* of word stands there, and
# does not look up which one. Names have to be copied too, and with them it succeeds.
#
# **Predict:** here are the vectors of the words above, from your table of words. How alike is each to the one nearest
# to it, and how alike are words in general to theirs?

# %%
vectors_RD = nn.functional.normalize(model.embeddings.word.weight.detach()[word_ids], dim=1)
alike_R, nearest_R = (vectors_RD @ vectors_RD.T).fill_diagonal_(-1).max(1)
near = {int(i): (cosine.item(), word_ids[r]) for i, cosine, r in zip(word_ids, alike_R, nearest_R, strict=True)}
print(", ".join(f"{stories.vocab[i]} ~ {stories.vocab[near[i][1]]} {near[i][0]:.2f}" for i in worst.tolist()))
print(f"cosine with the nearest word, median of all words: {alike_R.median():.2f}")
names = [i for i in word_ids.tolist() if stories.vocab[i][0].isupper()]
extra, present = (
    lost_V[names].sum() / times_V[names].sum(),
    torch.isin(ids_NT, torch.tensor(names)).any(1).float().mean(),
)
print(f"the {len(names)} names: +{extra:.2f} nats; one of them stands in {present:.0%} of the training stories")

# %% [markdown]
# Words that keep the same company are drawn together: as long as nothing copies them, nothing needs to tell them apart.
# And where two words look alike, copying one of them gains little, so that nothing learns to copy. It takes many
# examples to leave that circle. Names stand in every story, the garden in few. Heads that copy appear abruptly, once
# all their parts are there (Olsson et al. 2022, in GPTs).
#
# What does it say about single words? Below are three blanks of one test story, from the surest to the most open.
# **Predict:** where the ideal reader is torn between several words, what would be a *good* model's answer?


# %%
def blanks_of(n, n_words=4):
    """Three blanks of a corrupted test story: what both readers believe, and the truth."""
    length, asked_T = len(stories.test[n]), hidden_NT[n]
    shown = inputs_NT[n, :length]
    ideal_RV = torch.from_numpy(oracle.corrupted_log_probs(shown.numpy(), asked_T[:length].numpy())).exp()
    with torch.no_grad():
        model_RV = model(shown[None])[0, asked_T[:length]].softmax(-1)
    order = (-(ideal_RV * ideal_RV.clamp(min=1e-30).log()).sum(1)).argsort().tolist()  # by entropy
    found = []
    for r in (order[0], order[len(order) // 2], order[-1]):
        best = ideal_RV[r].topk(n_words).indices
        at = int(asked_T.nonzero()[r])
        around = [stories.vocab[i] for i in shown[max(1, at - 3) : at + 3].tolist()]
        around[min(3, at - 1)] = "___"
        words, truth = [stories.vocab[i] for i in best.tolist()], stories.vocab[stories.test[n][at]]
        shares = {"model": model_RV[r, best].tolist(), "ideal": ideal_RV[r, best].tolist()}
        found.append({"context": " ".join(around), "words": words, "truth": truth} | shares)
    return found


figure, _ = guesses(blanks_of(23))
show(
    figure,
    alt="Three bar charts, one a blank: your BERT's probabilities for the ideal reader's best words, beside its own.",
)

# %% [markdown]
# A good model is not one that is always right. Where the story leaves it open, the floor itself is above 0, and the
# best answer is the right *distribution*.
#
# ## 6 *bank*, from both sides
#
# Week 1 ended on a word: a reader from left to right has to make something of *bank* before it can know which bank.
# Below, one story with three gaps. At the second, a single verb tells which bank it is: *waited* in a line, for money;
# *sat* in the grass, by the river. So ask your model for that verb: what it believes there, it believes about *bank*.

# %%
TEXT = (
    "one dark evening Ben took a blue lamp . thirsty people waited behind the blue house . his bag was {bag} . "
    "Ella was waiting at the beautiful bank . a big boy played beside the big water . they {verb} in {where} . "
    "the lamp was {ending} ."
)
MONEY, RIVER = "waited in a long line", "sat in the green grass"
GONE, THERE = "gone , and Ben cried", "there , and Ben sang"


def story_with(sentence, ending, bag):
    verb, _, where = sentence.split(" ", 2)
    return stories.encode(TEXT.format(bag=bag, verb=verb, where=where, ending=ending))


def ids_of(words):
    return stories.encode(words, special=False)


# %%
def beliefs(models, story, at, ours, others):
    """p(one of ours) against others at place `at`, as the words behind it are revealed one by one, for each reader."""
    n_behind = len(story) - 1 - at
    shown_RT = torch.tensor(
        [[i if t <= at + n else stories.mask_id for t, i in enumerate(story)] for n in range(n_behind)]
    )
    shown_RT[:, at], shown_RT[:, -1] = stories.mask_id, stories.eos_id
    with torch.no_grad():
        probs_RV = {name: model(shown_RT)[:, at].softmax(-1) for name, model in models.items()}
    masks_RT = (shown_RT == stories.mask_id).numpy()
    ideal = [oracle.masked_log_probs(story, mask)[0] for mask in masks_RT]
    probs_RV["ideal reader"] = torch.from_numpy(np.stack(ideal)).exp()
    return {name: (p[:, ours].sum(1) / p[:, ours + others].sum(1)).tolist() for name, p in probs_RV.items()}


def labels_of(first, second, at):
    pairs = zip(first[at + 1 : -1], second[at + 1 : -1], strict=True)
    return ["(none)", *(" / ".join(dict.fromkeys(stories.vocab[i] for i in pair)) for pair in pairs)]


# %% [markdown]
# The story is told twice, the same up to the gap. Behind it, everything is hidden at first, and then revealed word by
# word, to your model and to the ideal reader.
#
# **Predict:** at which word do the two stories part? And what does a reader of the left believe, from first to last?

# %%
told = {sentence: story_with(sentence, GONE, "old") for sentence in (MONEY, RIVER)}
at = told[MONEY].index(*ids_of("they")) + 1
yours = {"your BERT": model}
bank = {s: beliefs(yours, story, at, ids_of("waited"), ids_of("sat")) for s, story in told.items()}
money, river = (readers["your BERT"][-1] for readers in bank.values())
figure, _ = belief_curve(
    labels_of(*told.values(), at),
    bank,
    left_only=bank[MONEY]["ideal reader"][0],
    question="it is a money bank\n(they waited, not sat)",
    title=f"The same bank, the same left side: {money:.2f} or {river:.2f}",
)
show(figure, alt="Two pairs of curves lie together for one word, then part: one to near 1, the other to near 0.")

# %% [markdown]
# The word is the same, everything to its left is the same, and your model knows which bank it is from words that come
# *later*. Take them away, and *bank* flips: the ideal reader is at one half, and what your model says there is a guess,
# on an input with more masks than it was trained on. A reader of the left alone stays on the dotted line.
#
# Now the first gap, *his bag was ___*. A bag that was new or good keeps the lamp, one that was old or bad loses it.
# **Predict:** how far to the right does the word stand that settles it? Will your model hear it from there?

# %%
from course.checkpoints import load_stories_bert

both = {"your BERT": model, "trained longer": load_stories_bert()}
fates = {ending: story_with(MONEY, ending, "old") for ending in (THERE, GONE)}
bag_at = fates[GONE].index(*ids_of("bag")) + 2
bag = {s: beliefs(both, story, bag_at, ids_of("new good"), ids_of("old bad")) for s, story in fates.items()}
distance = fates[GONE].index(*ids_of("gone")) - bag_at
figure, _ = belief_curve(
    labels_of(*fates.values(), bag_at),
    bag,
    left_only=bag[GONE]["ideal reader"][0],
    question="the bag was new or good\n(not old or bad)",
    title=f"One word settles it, {distance} words to the right",
)
show(figure, alt="The ideal reader parts at the word there or gone, near the story's end; both models beside it.")
for ending, believed in bag.items():
    print(f"... was {ending}: " + ", ".join(f"{name} {values[-1]:.2f}" for name, values in believed.items()))
print(f"trained longer, on all test stories: {compare_with_floor(both['trained longer'], stories)}")

# %% [markdown]
# A word near the end settles one near the beginning. Attention need not carry anything there through the words between:
# it looks it up, in either direction. The dotted curves belong to the course's own checkpoint: a model of the same
# sizes, trained for more steps. It is nearer to the floor, and yet no nearer to the ideal reader while nearly
# everything is hidden: it was never trained on such texts, and more of the same training does not help.

# %% [markdown]
# ## In practice
#
# BERT was pretrained with dropout, on 16 GB of text for 40 epochs, with a second task (does sentence B follow A?) that
# RoBERTa showed to be of no use (Liu et al. 2019, section 4.2). RoBERTa took 160 GB, batches of 8,000 texts and BPE on
# bytes. Today's encoders, such as ModernBERT (Warner et al. 2024), have pre-norm blocks, rotary positions and thousands
# of tokens of context, and the same question: which word stood here?

# %% [markdown]
# ## What now works
#
# You have BERT: the same numbers as the library to the last digits, weights in and out by name, RoBERTa too. Yours is
# pretrained, stands measured against the best that anyone could do, and reads a word in the light of what follows it.

# %% [markdown]
# ## What comes next
#
# The head has done its work: nobody needs a machine that fills blanks. What stays is the encoder beneath it. Notebook 4
# puts other heads on it, for a sentence, for a word, for a name, and asks how few labels are then enough.
