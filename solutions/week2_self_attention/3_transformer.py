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
# # Week 2, notebook 3: the Transformer
#
# | | |
# |---|---|
# | **You build** | the encoder-decoder of 2017: layer norm, feed-forward, both blocks, and the whole model |
# | **You need** | notebooks 1 and 2; what a mean and a variance are |
# | **Time** | about 80 minutes; everything runs in about two minutes |
# | **Points** | 13 |

# %% [markdown]
# ## Attention is not all you need
#
# Attention carries information from word to word, and does little else: it averages. A model also has to *work* on what
# it carried, and has to do both many times over without blowing up. The Transformer (Vaswani et al. 2017) adds three
# plain things: a small network for each word, a **residual connection** around every part, and **layer normalisation**.
#
# Two kinds of block are made from these parts. The **encoder's** block reads a text in both directions. The
# **decoder's** block writes one from left to right, and looks across at what the encoder has read. At the end you train
# one kind alone as a language model, and see which families come from keeping one stack or both.

# %% setup=true
import math

import torch
from torch import nn

from course.blocks.attention import MultiHeadAttention
from course.blocks.positions import sinusoids
from course.checks import check_close, check_equal, check_shape, check_true

# %% [markdown]
# Two things are given. `MultiHeadAttention` is the module of notebook 2 on PyTorch's fused kernel: the same four maps,
# the same arguments `(x, memory=None, mask=None)`. It never forms the table of weights, so it is fast, and it returns
# **out alone**, `[B,T,D]`. `sinusoids(length, d_model)` gives the position encodings `[T,D]`.
#
# ## 1 Layer normalisation
#
# Sums of many parts grow. **Layer norm** (Ba et al. 2016) takes each word's vector by itself and brings it to mean 0
# and variance 1. Then it applies a scale and a shift that are learned, one number each for every channel.

# %% [markdown]
# $$\text{LN}(x) = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} \odot w + b
# \qquad \mu = \frac{1}{D} \sum_d x_d \qquad \sigma^2 = \frac{1}{D} \sum_d (x_d - \mu)^2$$
#
# Mind two details. $\sigma^2$ divides by $D$, not by $D - 1$. And $\varepsilon$ stands *inside* the root: it keeps a
# vector of equal numbers from dividing by 0.
#
# A worked example with $\varepsilon = 0$: $x = (1, 3, 5, 7)$ has mean 4 and variance $(9 + 1 + 1 + 9) / 4 = 5$, so it
# becomes $(-3, -1, 1, 3) / \sqrt{5}$.


# %% exercise="LayerNorm" points=2
class LayerNorm(nn.Module):
    """Layer normalisation over the last axis (Ba et al. 2016).

    Args:
        d_model: width of the last axis, D.
        eps: added to the variance.

    Parameters: `weight` [D], ones at first, and `bias` [D], zeros at first. There are no others.
    """

    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x with each vector of its last axis normalised, scaled and shifted.

        Args:
            x: float [...,D], any number of leading axes. Not changed.

        Returns:
            float [...,D], in the dtype of x.
        """
        ### BEGIN SOLUTION
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)
        return centred / torch.sqrt(variance + self.eps) * self.weight + self.bias
        ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which variance?</summary>
#
# `tensor.var` divides by D - 1 unless it is told `correction=0`. The mean of the squared distances from the mean is the
# same thing written out. `keepdim=True` leaves an axis of size 1, so that the result broadcasts against x.
#
# </details>
#
# <details><summary>Hint 2: how does a module get parameters of its own?</summary>
#
# `self.weight = nn.Parameter(tensor)` in `__init__` is all: then the module lists it, saves it and trains it.
#
# </details>

# %% check="LayerNorm"
norm = LayerNorm(4, eps=0.0)
x_BTD = torch.tensor([[[1.0, 3.0, 5.0, 7.0]]])
hand = [[[-3 / 5**0.5, -1 / 5**0.5, 1 / 5**0.5, 3 / 5**0.5]]]
check_close(norm(x_BTD), hand, "the worked example", cause="the variance divides by D, not by D - 1.")
check_close(LayerNorm(3)(torch.full((2, 3), 5.0)), torch.zeros(2, 3), "equal numbers become zeros, not NaN")
check_equal(sorted(name for name, _ in norm.named_parameters()), ["bias", "weight"], "weight and bias are parameters")

# %% [markdown]
# ## 2 The feed-forward part
#
# After a word has heard from the others, it works on what it heard, by itself: two linear maps with a kink between them
# (ReLU), the same for every position, and wider in the middle ($F$ is mostly $4D$):
#
# $$\text{FFN}(x) = \max(0,\; x W_1 + b_1)\, W_2 + b_2$$
#
# A worked example with $D = F = 1$, $W_1 = 2$, $b_1 = -1$, $W_2 = 3$, $b_2 = 1$: from $x = 2$ comes $3 \cdot 3 + 1 =
# 10$, from $x = 0$ comes $3 \cdot 0 + 1 = 1$.


# %% exercise="FeedForward" points=1
class FeedForward(nn.Module):
    """The position-wise feed-forward network (Vaswani et al. 2017, equation 2), without dropout.

    Args:
        d_model: width at both ends, D.
        d_ff: width in the middle, F.

    The parameters are those of two submodules, `nn.Linear` with bias: `linear1` from D to F and `linear2` from F to D.
    """

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what each position makes of itself: float [B,T,D] from float [B,T,D]. x is not changed."""
        ### BEGIN SOLUTION
        return self.linear2(torch.relu(self.linear1(x)))
        ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: where do T and B go?</summary>
#
# Nowhere: `nn.Linear` works on the last axis and treats all others as a batch. So every position is treated alike, by
# itself.
#
# </details>
#
# <details><summary>Hint 2: how often does ReLU stand there?</summary>
#
# Once, between the two maps. Behind the second one it would forbid negative results. `torch.relu` leaves its argument
# alone; `relu_` does not.
#
# </details>

# %% check="FeedForward"
tiny = FeedForward(1, 1)
for name, number in {"linear1.weight": 2, "linear1.bias": -1, "linear2.weight": 3, "linear2.bias": 1}.items():
    nn.init.constant_(tiny.get_parameter(name), number)
check_close(tiny(torch.tensor([[[2.0], [0.0]]])), [[[10.0], [1.0]]], "the worked example: 10 and 1")
check_shape(FeedForward(6, 24)(torch.zeros(2, 5, 6)), (2, 5, 6), "wide in the middle, D at both ends")

# %% [markdown]
# ## 3 The encoder's block
#
# Attention, then feed-forward, and around each the same frame: **add** what came in, and **normalise**. Where the norm
# stands makes two kinds of block:
#
# | | attention | feed-forward |
# |---|---|---|
# | **post-norm** (2017, BERT) | $h = \text{LN}_1(x + \text{attn}(x))$ | $\text{LN}_2(h + \text{FFN}(h))$ |
# | **pre-norm** (GPT-2, T5) | $h = x + \text{attn}(\text{LN}_1(x))$ | $h + \text{FFN}(\text{LN}_2(h))$ |

# %% [markdown]
# In the pre-norm block no norm ever touches the sum itself, so the gradient has a straight road from the last layer
# back to the first. Section 7 measures what that is worth.
#
# A worked example: let attention and feed-forward give zeros (all their weights 0). Then the pre-norm block returns $x$
# itself, and the post-norm block returns $\text{LN}_2(\text{LN}_1(x))$.


# %% exercise="EncoderBlock" points=3
class EncoderBlock(nn.Module):
    """One block of the encoder, without dropout.

    Args:
        d_model, n_heads, d_ff: width D, heads H, width F of the feed-forward part.
        pre_norm: normalise what goes into each part, instead of each sum.

    Submodules: `self_attn` (the given MultiHeadAttention), `feed_forward` (FeedForward), `norm1` and `norm2`
    (LayerNorm, eps 1e-5; `nn.LayerNorm` is fine too), for attention and feed-forward. No other parameters.
    """

    def __init__(self, d_model: int, n_heads: int, d_ff: int, pre_norm: bool = False) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        ### END SOLUTION

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return the block's output.

        Args:
            x: float [B,T,D]. Not changed.
            mask: bool, True where something may be seen; broadcasts to [B,H,T,T]. None hides nothing.

        Returns:
            float [B,T,D].
        """
        ### BEGIN SOLUTION
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), mask=mask)
            return x + self.feed_forward(self.norm2(x))
        x = self.norm1(x + self.self_attn(x, mask=mask))
        return self.norm2(x + self.feed_forward(x))
        ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: what is added to what?</summary>
#
# The residual is always what came into the part *before* any norm: `x + part(norm(x))`, and never `norm(x) + ...`. The
# second part starts from the result of the first.
#
# </details>
#
# <details><summary>Hint 2: where does the mask go?</summary>
#
# Into the attention, by name: `self.self_attn(..., mask=mask)`. The second argument by position is the memory.
#
# </details>

# %% check="EncoderBlock"
block = EncoderBlock(4, n_heads=2, d_ff=8, pre_norm=True)
for name, parameter in block.named_parameters():
    if "norm" not in name:
        nn.init.zeros_(parameter)
x_BTD = torch.tensor([[[1.0, 3.0, 5.0, 7.0], [0.0, 0.0, 0.0, 4.0]]])
check_close(block(x_BTD), x_BTD, "pre-norm, parts that say nothing: x comes out as it went in")
post = EncoderBlock(4, n_heads=2, d_ff=8)
post.load_state_dict(block.state_dict())
once = nn.functional.layer_norm(x_BTD, (4,))
check_close(post(x_BTD), nn.functional.layer_norm(once, (4,)), "post-norm, the same: normalised twice")
check_shape(EncoderBlock(6, 3, 12)(torch.ones(2, 5, 6)), (2, 5, 6), "a block keeps the shape")

# %% [markdown]
# ## 4 The decoder's block
#
# A translator knows the whole source, but of the translation only what is written so far. So the decoder's block has
# three parts: attention to its own words (causal), attention to the encoder's output (the **memory**), and
# feed-forward. In the cross-attention, queries come from the decoder, keys and values from the memory.
#
# | | post-norm | pre-norm |
# |---|---|---|
# | **self-attention** | $h = \text{LN}_1(x + \text{self}(x))$ | $h = x + \text{self}(\text{LN}_1(x))$ |
# | **cross-attention** | $g = \text{LN}_2(h + \text{cross}(h, m))$ | $g = h + \text{cross}(\text{LN}_2(h), m)$ |
# | **feed-forward** | $\text{LN}_3(g + \text{FFN}(g))$ | $g + \text{FFN}(\text{LN}_3(g))$ |

# %% [markdown]
# There are two masks, and they must not be confused. `mask` is for the self-attention, `[T,T]` or with more axes in
# front, and hides what is not written yet: **the caller passes it**. `memory_mask` is for the cross-attention and hides
# the padding of the source. The whole source is known from the start, so none of its words is hidden for being "later".
#
# A worked example: with all weights of the three parts at 0, pre-norm returns $x$, and post-norm returns
# $\text{LN}_3(\text{LN}_2(\text{LN}_1(x)))$, whatever the memory holds. The memory itself is never normalised here.


# %% exercise="DecoderBlock" points=4
class DecoderBlock(nn.Module):
    """One block of the decoder, without dropout.

    Args:
        d_model, n_heads, d_ff: width D, heads H, width F of the feed-forward part.
        pre_norm: normalise what goes into each part, instead of each sum.

    Submodules: `self_attn` and `cross_attn` (the given MultiHeadAttention), `feed_forward` (FeedForward), `norm1`,
    `norm2` and `norm3` (LayerNorm or `nn.LayerNorm`, eps 1e-5), in the order of the parts. No other parameters.
    """

    def __init__(self, d_model: int, n_heads: int, d_ff: int, pre_norm: bool = False) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.cross_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.norm3 = LayerNorm(d_model)
        ### END SOLUTION

    def forward(
        self,
        x: torch.Tensor,
        memory: torch.Tensor,
        mask: torch.Tensor | None = None,
        memory_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the block's output.

        Args:
            x: float [B,T,D], the words written so far. Not changed.
            memory: float [B,S,D], what the encoder made of the source; used as it comes. Not changed.
            mask: bool, for the self-attention; broadcasts to [B,H,T,T]. None hides nothing.
            memory_mask: bool, for the cross-attention; broadcasts to [B,H,T,S]. None hides nothing.

        Returns:
            float [B,T,D].
        """
        ### BEGIN SOLUTION
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), mask=mask)
            x = x + self.cross_attn(self.norm2(x), memory, memory_mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, mask=mask))
        x = self.norm2(x + self.cross_attn(x, memory, memory_mask))
        return self.norm3(x + self.feed_forward(x))
        ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: start from the encoder's block</summary>
#
# It is the encoder's block with one part more in the middle. That part has the same frame: add, normalise.
#
# </details>
#
# <details><summary>Hint 2: which arguments does the cross-attention get?</summary>
#
# Three: the decoder's words, the memory, and `memory_mask`. The causal mask has T columns, the memory S words: where
# the two differ, a causal mask there raises an error, and where they are equal it silently hides half of the source.
#
# </details>

# %% check="DecoderBlock"
block = DecoderBlock(4, n_heads=2, d_ff=8, pre_norm=True)
for name, parameter in block.named_parameters():
    if "norm" not in name:
        nn.init.zeros_(parameter)
x_BTD, memory_BSD = torch.tensor([[[1.0, 3.0, 5.0, 7.0], [0.0, 0.0, 0.0, 4.0]]]), torch.ones(1, 3, 4)
check_close(block(x_BTD, memory_BSD), x_BTD, "pre-norm, parts that say nothing: x comes out as it went in")
post = DecoderBlock(4, n_heads=2, d_ff=8)
post.load_state_dict(block.state_dict())
thrice = x_BTD
for _ in range(3):
    thrice = nn.functional.layer_norm(thrice, (4,))
check_close(post(x_BTD, memory_BSD), thrice, "post-norm, the same: normalised three times")
causal = torch.tensor([[True, False], [True, True]])
check_shape(DecoderBlock(4, 2, 8)(x_BTD, memory_BSD, causal), (1, 2, 4), "2 words written, 3 words read")

# %% [markdown]
# ## 5 The whole model
#
# - **Encoder**: token embeddings, times $\sqrt{D}$ (section 3.4 of the paper: positions must not drown them), plus
#   `sinusoids`; then the encoder blocks.
# - **Decoder**: the same with an embedding of its own, then the decoder blocks, causal; then a linear map to one logit
#   for each word of the target's vocabulary.
# - **Pre-norm**: the last sum was not normalised yet, so each side ends with one more norm: `encode` ends with the
#   encoder's, and in `decode` the decoder's stands before the logits. Post-norm models have none.

# %% [markdown]
# The mask $[B,1,1,S]$ of the source (True on real words, as your `padding_mask` makes it) is needed three times: in the
# encoder's self-attention, and in each decoder block, for the cross-attention. The causal mask `decode` makes itself:
# the lower triangle of a `[T,T]` table of True.
#
# A worked example, in sizes: `src_ids` `[2,5]` become a memory `[2,5,D]`; with `tgt_ids` `[2,3]` the logits are
# `[2,3,V]`, where row $t$ speaks about the word *behind* target word $t$.


# %% exercise="Transformer" points=3
class Transformer(nn.Module):
    """The encoder-decoder of Vaswani et al. (2017), without dropout.

    Args:
        src_vocab_size, tgt_vocab_size: words of the source, and of the target (V).
        d_model, n_heads, d_ff: as for the blocks; d_model is even.
        n_layers: blocks on each side.
        pre_norm: kind of all blocks; where it is True, each side ends with a norm.

    Submodules: `src_embed`, `tgt_embed` (`nn.Embedding`), `encoder_blocks`, `decoder_blocks` (`nn.ModuleList`),
    `output` (`nn.Linear` with bias), and `encoder_norm`, `decoder_norm` with parameters only if pre_norm is True.
    There are no other parameters.
    """

    def __init__(
        self,
        src_vocab_size: int,
        tgt_vocab_size: int,
        d_model: int,
        n_heads: int,
        d_ff: int,
        n_layers: int,
        pre_norm: bool = False,
    ) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.src_embed = nn.Embedding(src_vocab_size, d_model)
        self.tgt_embed = nn.Embedding(tgt_vocab_size, d_model)
        encoder = [EncoderBlock(d_model, n_heads, d_ff, pre_norm) for _ in range(n_layers)]
        decoder = [DecoderBlock(d_model, n_heads, d_ff, pre_norm) for _ in range(n_layers)]
        self.encoder_blocks, self.decoder_blocks = nn.ModuleList(encoder), nn.ModuleList(decoder)
        self.encoder_norm = LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)
        ### END SOLUTION

    def encode(self, src_ids: torch.Tensor, src_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return the memory, float [B,S,D].

        Args:
            src_ids: long [B,S], of any length.
            src_mask: bool [B,1,1,S], True on real words. None: all are.
        """
        ### BEGIN SOLUTION
        S, D = src_ids.shape[1], self.src_embed.embedding_dim
        x = self.src_embed(src_ids) * math.sqrt(D) + sinusoids(S, D).to(src_ids.device)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)
        ### END SOLUTION

    def decode(self, tgt_ids: torch.Tensor, memory: torch.Tensor, src_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return logits, float [B,T,V], for the word behind each word of the target.

        Args:
            tgt_ids: long [B,T], of any length: the words written so far. No position sees a later one.
            memory: float [B,S,D], from `encode`.
            src_mask: bool [B,1,1,S], True on real words of the source. None: all are.
        """
        ### BEGIN SOLUTION
        T, D = tgt_ids.shape[1], self.tgt_embed.embedding_dim
        past = torch.ones(T, T, dtype=torch.bool, device=tgt_ids.device).tril()
        x = self.tgt_embed(tgt_ids) * math.sqrt(D) + sinusoids(T, D).to(tgt_ids.device)
        for block in self.decoder_blocks:
            x = block(x, memory, past, src_mask)
        return self.output(self.decoder_norm(x))
        ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: both sides begin alike</summary>
#
# `embedding(ids) * math.sqrt(d_model) + sinusoids(T, d_model)`: the positions `[T,D]` broadcast over the texts. The
# root multiplies the embeddings alone.
#
# </details>
#
# <details><summary>Hint 2: one line that serves both kinds</summary>
#
# `nn.Identity()` returns what it is given and has no parameters: it can stand where a norm stands in the other kind.
#
# </details>

# %% check="Transformer"
model = Transformer(11, 13, d_model=8, n_heads=2, d_ff=16, n_layers=2)
src_ids, tgt_ids = torch.tensor([[1, 5, 9, 2, 0], [3, 3, 4, 7, 8]]), torch.tensor([[1, 2, 12], [1, 4, 4]])
memory_BSD = model.encode(src_ids)
check_shape(memory_BSD, (2, 5, 8), "the memory: one vector for each word of the source")
logits_BTV = model.decode(tgt_ids, memory_BSD)
check_shape(logits_BTV, (2, 3, 13), "one logit for each word of the target's vocabulary")
check_close(model.decode(tgt_ids[:, :2], memory_BSD), logits_BTV[:, :2], "no word sees a later one", tolerance=1e-5)
real_B11S = torch.tensor([[[[True, True, True, True, False]]], [[[True] * 5]]])
other_ids = src_ids.clone()
other_ids[0, 4] = 10
same = torch.allclose(
    model.decode(tgt_ids, model.encode(src_ids, real_B11S), real_B11S),
    model.decode(tgt_ids, model.encode(other_ids, real_B11S), real_B11S),
    atol=1e-5,
)
check_true(same, "another id under the padding changes nothing", cause="src_mask is needed in encode and in decode.")
parts = {name.split(".")[0] for name, _ in model.named_parameters()}
check_equal(parts, {"src_embed", "tgt_embed", "encoder_blocks", "decoder_blocks", "output"}, "post-norm: no last norms")

# %% [markdown]
# The Transformer of 2017 is complete. PyTorch has such blocks too. With the same weights, put under PyTorch's names,
# both must give the same numbers. (PyTorch's masks are True where something is *hidden*.)


# %%
def in_their_names(attention, name):
    state = attention.state_dict()
    joined = {
        f"{name}.in_proj_{kind}": torch.cat([state[f"{part}_proj.{kind}"] for part in "qkv"])
        for kind in ("weight", "bias")
    }
    return joined | {f"{name}.out_proj.{kind}": state[f"out_proj.{kind}"] for kind in ("weight", "bias")}


x_BTD, memory_BSD, causal = torch.randn(2, 5, 32), torch.randn(2, 7, 32), torch.ones(5, 5).tril().bool()
for pre_norm in (False, True):
    options = {"dropout": 0.0, "batch_first": True, "norm_first": pre_norm}
    for kind in ("Encoder", "Decoder"):
        ours = (EncoderBlock if kind == "Encoder" else DecoderBlock)(32, 4, 64, pre_norm)
        theirs = getattr(nn, f"Transformer{kind}Layer")(32, 4, 64, **options)
        state = {name: value for name, value in ours.state_dict().items() if name.startswith("norm")}
        state |= ours.feed_forward.state_dict() | in_their_names(ours.self_attn, "self_attn")
        state |= in_their_names(ours.cross_attn, "multihead_attn") if kind == "Decoder" else {}
        theirs.load_state_dict(state)
        texts = (x_BTD, memory_BSD) if kind == "Decoder" else (x_BTD,)
        difference = (ours(*texts, mask=causal) - theirs(*texts, ~causal)).abs().max()
        print(f"{kind}, {'pre' if pre_norm else 'post'}-norm: largest difference {difference:.1e}")

# %% [markdown]
# Three experiments now show what you have.
#
# ## 6 A look across: reversal
#
# The smallest translation: a row of letters goes in, and comes out backwards. To write its letter $t$, the decoder must
# look at the source's letter $n - 1 - t$. **Predict:** what will the table of cross-attention weights look like?
#
# The model is trained twice, with two starting points. PyTorch draws embeddings with variance 1; those of the paper's
# own code have variance $1/D$. **Predict:** does that matter, if all of them are trained anyway?

# %%
from course.figures import show
from course.figures.week2_attention import attention_maps, looks_of_a_word
from course.figures.week2_transformer import gradient_by_layer, loss_by_word
from course.reversal import BEGIN, FIRST_LETTER, reversal_batch
from course.training import seeded, train

torch.set_num_threads(1)  # the tensors are small: a second thread would only get in the way
LETTERS = "abcdefghijklmnopqrst"


def reversal_loss(model, batch):
    src_ids, tgt_ids, labels = batch
    logits_BTV = model.decode(tgt_ids, model.encode(src_ids))
    return nn.functional.cross_entropy(logits_BTV.flatten(0, 1), labels.flatten())


def sample_reversals(generator):
    return reversal_batch(64, len(LETTERS), 11, generator)


# %%
n_ids = FIRST_LETTER + len(LETTERS)
print(f"guessing costs {math.log(len(LETTERS)):.2f} nats a letter")
for variance in ("1", "1/D"):
    with seeded(0):
        reverser = Transformer(n_ids, n_ids, d_model=32, n_heads=1, d_ff=64, n_layers=1, pre_norm=True)
        if variance == "1/D":
            for table in (reverser.src_embed, reverser.tgt_embed):
                nn.init.normal_(table.weight, std=32**-0.5)
    label = f"embeddings of variance {variance}"
    history = train(reverser, reversal_loss, sample_reversals, n_steps=250, peak_lr=5e-3, label=label)
    print(f"{label}: {history.losses[-1]:.3f} nats after {len(history.losses)} steps")

# %% [markdown]
# The same model, the same number of steps: one has learned to reverse, the other is still nearer to guessing.
# Embeddings of variance 1, times $\sqrt{D}$, drown the positions, and to reverse is a matter of positions alone. With
# variance $1/D$, times $\sqrt{D}$, words and positions are about equally loud.

# %% [markdown]
# Now let the second model write by itself, one letter after the other: each goes back in as the next input. That loop
# is all there is to generation; week 4 makes it better.

# %%
from course.blocks.attention import recorded_weights

word = "transformer"
src_ids = torch.tensor([[FIRST_LETTER + LETTERS.index(letter) for letter in word]])
tgt_ids = torch.tensor([[BEGIN]])
with torch.no_grad(), recorded_weights(reverser) as weights:
    memory = reverser.encode(src_ids)
    for _ in word:
        best = reverser.decode(tgt_ids, memory)[:, -1:].argmax(-1)
        tgt_ids = torch.cat([tgt_ids, best], dim=1)
    reverser.decode(tgt_ids[:, :-1], memory)
written = "".join(LETTERS[i - FIRST_LETTER] if i >= FIRST_LETTER else "_" for i in tgt_ids[0, 1:].tolist())
print(f"{word} -> {written}; {'right' if written == word[::-1] else 'not quite'}")

# %%
cross = next(table for name, table in weights.items() if "cross_attn" in name)[0]
on_target = cross[0].flip(1).diagonal().mean().item()
figure, _ = attention_maps(
    list(word),
    cross,
    targets=list(written),
    names=["cross-attention"],
    anti_diagonal=True,
    axis_names=("letter that is written", "letter of the source"),
    title=f"{on_target:.0%} of the weight lies on the anti-diagonal",
)
show(figure, alt="Heat map of cross-attention: each written letter looks at the mirrored place of the source.")

# %% [markdown]
# Nobody told the model about this line. It found out that each letter must be fetched from the other end, and positions
# tell it where that is. In a translation, the same table shows which word was translated from which (Bahdanau et al.
# 2015, section 5.2.1).
#
# ## 7 Depth: where the norm stands
#
# Eight blocks on top of each other, fresh from the initialisation, one backward pass. **Predict:** does the first layer
# get a larger or a smaller gradient than the last, in a post-norm stack? And in a pre-norm one?


# %%
def gradient_norms(pre_norm, *, n_layers=8, n_seeds=5):
    norms_NL = torch.zeros(n_seeds, n_layers)
    for seed in range(n_seeds):
        with seeded(seed):
            blocks = nn.Sequential(*[EncoderBlock(64, 4, 256, pre_norm=pre_norm) for _ in range(n_layers)])
            for parameter in blocks.parameters():
                if parameter.ndim == 2:
                    nn.init.xavier_uniform_(parameter)  # as the code of 2017 did
            x_BTD, aim_BTD = torch.randn(2, 4, 16, 64).unbind(0)
        (blocks(x_BTD) * aim_BTD).sum().backward()
        for layer, block in enumerate(blocks):
            norms_NL[seed, layer] = block.feed_forward.linear1.weight.grad.norm()
    return (norms_NL / norms_NL[:, -1:]).mean(0).tolist()


by_kind = {"post-norm (2017)": gradient_norms(False), "pre-norm (GPT-2, T5)": gradient_norms(True)}
for kind, shares in by_kind.items():
    print(f"{kind}: the first of 8 layers gets {shares[0]:.2f} times the gradient of the last")
figure, _ = gradient_by_layer(by_kind, title="Towards the words the gradient shrinks in post-norm, grows in pre-norm")
show(
    figure,
    alt="Gradient norm by layer: it falls towards the input in the post-norm stack, and does not in the pre-norm one.",
)

# %% [markdown]
# In the post-norm stack the gradient passes through every norm on its way down, and each takes a piece of it. In the
# pre-norm stack the sum hands it on untouched, and the layers next to the words, where the sum is still small, get the
# largest share. Xiong et al. (2020) explain with this why the model of 2017 needed a slow warm-up at the beginning of
# its training, and why pre-norm models can do without. Most deep models since are pre-norm.
#
# ## 8 The encoder's block alone, with a causal mask

# %% [markdown]
# Take your `EncoderBlock`, give it a causal mask, and stack two: that is a **decoder-only** language model, the family
# of GPT. Week 1's LSTM stands beside it; both are trained on the same stories for some seconds. **Predict:** at which
# words of a story will attention be far better than the LSTM, and at which no better at all?

# %%
from course.models import RecurrentLM, next_token_log_probs, next_token_loss
from course.oracle import Oracle
from course.stories import Stories, pad

stories = Stories.load()
V = len(stories.vocab)
train_ids_NT, train_mask_NT = pad(stories.train, stories.pad_id)
valid_ids_BT, valid_mask_BT = pad(stories.valid[:300], stories.pad_id)


class StoryModel(nn.Module):
    def __init__(self, d_model, n_layers):
        super().__init__()
        self.words = nn.Embedding(V, d_model)
        nn.init.normal_(self.words.weight, std=d_model**-0.5)
        self.blocks = nn.ModuleList([EncoderBlock(d_model, 4, 2 * d_model, pre_norm=True) for _ in range(n_layers)])
        self.norm, self.output = LayerNorm(d_model), nn.Linear(d_model, V)

    def forward(self, ids):
        length, d_model = ids.shape[1], self.words.embedding_dim
        h_BTD = math.sqrt(d_model) * self.words(ids) + sinusoids(length, d_model)
        for block in self.blocks:
            h_BTD = block(h_BTD, torch.ones(length, length).tril().bool())
        return self.output(self.norm(h_BTD))


# %%
def sample_stories(generator):
    chosen = torch.randint(len(train_ids_NT), (16,), generator=generator)
    return train_ids_NT[chosen], train_mask_NT[chosen]


with seeded(0):
    models = {"attention": StoryModel(64, 2), "LSTM (week 1)": RecurrentLM(V, 64, 128)}
n_steps, rates = {"attention": 600, "LSTM (week 1)": 900}, {"attention": 5e-3, "LSTM (week 1)": 2e-2}
losses_BT = {}
for name, model in models.items():
    history = train(model, next_token_loss, sample_stories, n_steps=n_steps[name], peak_lr=rates[name], label=name)
    print(f"{name}: {len(history.losses)} steps in {history.seconds:.0f} seconds")
    losses_BT[name] = -next_token_log_probs(model, valid_ids_BT) * valid_mask_BT[:, 1:]

# %%
oracle, real_BT = Oracle.load(), valid_mask_BT[:, 1:]
floor_BT = torch.zeros(real_BT.shape)
for b, story in enumerate(stories.valid[:300]):
    log_probs_TV = torch.from_numpy(oracle.next_token_log_probs(story))
    floor_BT[b, : len(story) - 1] = -log_probs_TV[torch.arange(1, len(story)), story[1:]].float()
floor = (floor_BT.sum() / real_BT.sum()).item()
for name, loss_BT in losses_BT.items():
    loss = (loss_BT.sum() / real_BT.sum()).item()
    print(f"{name}: {loss:.3f} nats per token, {loss / floor:.2f} times the floor ({floor:.3f})")

# %% [markdown]
# Averages hide the place again. Look at one story, word by word. It is chosen for one word in it: a word that something
# earlier had settled, so that the ideal reader was sure of it, and that cost the LSTM most, compared with attention.

# %%
gap_BT = losses_BT["LSTM (week 1)"] - losses_BT["attention"]
sure_BT = real_BT & (floor_BT < 0.1)
b, t = divmod(int(gap_BT.masked_fill(~sure_BT, 0).argmax()), gap_BT.shape[1])
n_words = int(real_BT[b].sum())
story = [stories.vocab[token_id] for token_id in valid_ids_BT[b, 1 : n_words + 1].tolist()]
first = max(0, min(t - 22, n_words - 30))
part = slice(first, first + 30)
figure, _ = loss_by_word(
    story[part],
    {name: loss_BT[b, :n_words][part].tolist() for name, loss_BT in losses_BT.items()},
    floor_BT[b, :n_words][part].tolist(),
    title=f"Reaching back pays at “{story[t]}”: {gap_BT[b, t]:.1f} nats",
)
show(
    figure,
    alt="Loss word by word: both models stay near the floor almost everywhere; at one word the LSTM is far above it.",
)
before = " ".join(story[:t]).split(" . ")
print("the story so far:", ". ".join(before))
print(f"{(gap_BT.abs() < 0.1)[real_BT].float().mean():.0%} of all words make less than 0.1 nats of difference")
for name, loss_BT in losses_BT.items():
    print(f"{name}, on words that the ideal reader is sure of: {loss_BT[sure_BT].mean():.3f} nats")

# %% [markdown]
# At most words it makes no difference who reads: grammar and the last few words are enough. The others, a name, a tool,
# an ending that was settled at the start, must be fetched from far away. There the LSTM, after so little training, has
# lost what attention simply looks up.
#
# Where does it look? Here are the heads of the last block, at the moment when that word is to be predicted:

# %%
up_to = valid_ids_BT[b : b + 1, : t + 1]
with torch.no_grad(), recorded_weights(models["attention"]) as weights:
    models["attention"](up_to)
last_HS = list(weights.values())[-1][0, :, -1]
mentions_S = up_to[0] == valid_ids_BT[b, t + 1]
on_mentions_H = last_HS[:, mentions_S].sum(-1)
head, share = int(on_mentions_H.argmax()), on_mentions_H.max().item()
figure, _ = looks_of_a_word(
    [([stories.vocab[token_id] for token_id in up_to[0].tolist()], t, last_HS)],
    sense_names=["last block"],
    title=f"Head {head} puts {share:.0%} of its weight on the earlier “{story[t]}”",
    bold=mentions_S.nonzero().flatten().tolist(),
)
show(
    figure,
    alt="A row of the story's words for each head of the last block: at least one head looks at one earlier word.",
)

# %% [markdown]
# ## One block, three families
#
# | keep | sees | learns by | good at | weeks |
# |---|---|---|---|---|
# | the **encoder** | both sides | restoring words that were hidden | classes, entities, senses | 3: BERT |
# | the **decoder**, without its look across | the left | predicting the next word | writing | 4: GPT |
# | **both** | source both ways, target to the left | restoring spans, word by word | translation, summary | 5: T5 |

# %% [markdown]
# Why two stacks at all? Because reading and writing ask for opposite things. A reader may look at everything, and
# should: *bank* needed the words behind it. A writer cannot look ahead, for there is nothing yet. An encoder alone
# understands a text but does not write one. A decoder alone writes, but when it reads, each word knows only what stood
# before it. Both together can do both, and need twice the parts.

# %% [markdown]
# ## In practice
#
# - In real models there is dropout behind every part while they are trained.
# - GELU or gated units have mostly replaced ReLU, and RMSNorm (Zhang and Sennrich 2019) often replaces layer norm.
# - The frame is still that of 2017: relate all words, work on each, add, normalise, repeat.

# %% [markdown]
# ## What now works
#
# You have the Transformer, part by part, each with the same numbers as PyTorch's, and you have seen what the parts are
# for.

# %% [markdown]
# ## What comes next
#
# So far it has seen very little text: everything here was trained for seconds. From next week on you pretrain it, three
# times, with three objectives. Week 3 begins with the encoder: words are hidden, and the model restores them.
