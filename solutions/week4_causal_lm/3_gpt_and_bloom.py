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
# # Week 4, notebook 3: GPT-2 and BLOOM
#
# | | |
# |---|---|
# | **You build** | BLOOM's positions (ALiBi), and a loader that puts GPT-2's published weights into your model |
# | **You need** | notebook 1 of this week (`CausalLM`); week 2 (scores, heads) |
# | **Time** | about 60 minutes; everything runs in about two minutes |
# | **Points** | 7 |

# %% [markdown]
# ## Two models, one block
#
# GPT-2 (Radford et al. 2019) and BLOOM (Scao et al. 2022) are built from the same pre-norm, causal block. They differ
# above all in one idea: how a token knows where it stands. GPT-2 has a table with one learned vector a position. A
# table ends. BLOOM has no table: it makes far tokens harder to see, and that rule never ends.
#
# You write the rule, load both models from files as the model hub has them, and then ask which of the two can read
# further than it was ever trained to.

# %% setup=true
import torch

from course.blocks.causal_lm import CausalLM
from course.checks import check_close, check_equal, check_shape, check_true
from course.configs import DecoderConfig

# %% [markdown]
# ## 1 One slope a head
#
# **ALiBi**, attention with linear biases (Press, Smith and Lewis 2022, section 3), adds a number to every score before
# the softmax. For a query at $i$ and a key at $j$ in head $h$:
#
# $$\text{score}_{hij} = \frac{q_{hi} \cdot k_{hj}}{\sqrt{K}} + m_h\,(j - i)$$
#
# In a causal model $j \le i$, so the number is never above 0: the further back a key, the lower its score.

# %% [markdown]
# How fast it falls is the **slope** $m_h$ of the head, and it is not learned. With $H$ heads, $H$ a power of two, the
# slopes are a geometric series that starts at its own ratio and ends at $2^{-8}$:
#
# $$m_h = 2^{-8h/H} \qquad h = 1, \dots, H$$
#
# **Predict:** with 8 heads the slopes are $1/2, 1/4, \dots, 1/256$. A softmax turns a difference of 1 between scores
# into a factor of $e$. About how many tokens back does a key lose that factor in the first head, and in the last?

# %% [markdown]
# What if $H$ is no power of two? BLOOM itself has 112 heads. The paper's released code does this, and BLOOM follows it:
#
# - take the slopes for $P$, the largest power of two below $H$;
# - for the $H - P$ heads that are left, take the slopes for $2P$ heads and use **every other one, from the first on**.
#
# A worked example, $H = 6$: $P = 4$ gives $2^{-2}, 2^{-4}, 2^{-6}, 2^{-8}$. For 8 heads they are $2^{-1}, 2^{-2},
# 2^{-3}, \dots$; every other one from the first on is $2^{-1}, 2^{-3}, \dots$; two are needed. All six, in this order:
# $2^{-2}, 2^{-4}, 2^{-6}, 2^{-8}, 2^{-1}, 2^{-3}$. The two lists are put together as they are, and not sorted.


# %% exercise="alibi_slopes" points=2
def alibi_slopes(n_heads: int) -> torch.Tensor:
    """Return each head's slope, as in the paper's released code and in BLOOM.

    Args:
        n_heads: H, any whole number of at least 1.

    Returns:
        float32 [H], all above 0. For a power of two: 2^(-8/H), 2^(-16/H), ..., 2^(-8), the steepest first. For other
        numbers: the slopes for the largest power of two below H, then, for the heads that are left, every other slope
        for twice that power, from its first one on.

    Example:
        >>> alibi_slopes(4).tolist()
        [0.25, 0.0625, 0.015625, 0.00390625]
    """
    ### BEGIN SOLUTION
    below = 2 ** (n_heads.bit_length() - 1)
    exponents = [8 * (h + 1) / below for h in range(below)]
    doubled = [8 * (h + 1) / (2 * below) for h in range(2 * below)]
    exponents += doubled[::2][: n_heads - below]
    return torch.tensor([2.0**-exponent for exponent in exponents])
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which power of two?</summary>
#
# `n_heads.bit_length() - 1` is the exponent of the largest power of two that is not above n_heads;
# `math.floor(math.log2(n_heads))` is the same. For 6 it is 2. Where n_heads is itself a power of two, nothing is left
# over, and the same lines serve.
#
# </details>
#
# <details><summary>Hint 2: every other one?</summary>
#
# A slice with a step: `slopes[0::2]`. Make the list for 2P heads by the same formula, slice it, and keep as many as are
# missing. Working with exponents and taking the power of two at the end keeps the numbers exact.
#
# </details>

# %% check="alibi_slopes"
eight_H = alibi_slopes(8)
check_true(isinstance(eight_H, torch.Tensor) and eight_H.dtype == torch.float32, "a float32 tensor")
check_close(eight_H, [2.0**-n for n in range(1, 9)], "8 heads, as in the paper: 1/2, 1/4, ..., 1/256")
check_close(alibi_slopes(2), [1 / 16, 1 / 256], "2 heads: 2^-4 and 2^-8")
check_close(alibi_slopes(6), [2.0**-n for n in (2, 4, 6, 8, 1, 3)], "the worked example, 6 heads")

# %% [markdown]
# ## 2 The bias
#
# All biases of one text, as one tensor that broadcasts over the batch: entry $[h, i, j]$ is $m_h\,(j - i)$. Fill in the
# *whole* matrix, the upper triangle too, where $j > i$ and the number is positive. Hiding the future is the causal
# mask's work, and the block does it already.
#
# A worked example: two heads, three tokens. The slopes are 1/16 and 1/256, and head 0 gets
#
# $$\begin{pmatrix} 0 & 1/16 & 2/16 \\ -1/16 & 0 & 1/16 \\ -2/16 & -1/16 & 0 \end{pmatrix}$$


# %% exercise="alibi_bias" points=2
def alibi_bias(n_heads: int, length: int) -> torch.Tensor:
    """Return what ALiBi adds to the scores.

    Args:
        n_heads: H, at least 1. The slopes are those of `alibi_slopes(n_heads)`, which you may call.
        length: T, at least 1; queries and keys are the same T tokens.

    Returns:
        float32 [H,T,T]: for head h, query i and key j the slope of h times (j - i), over the whole matrix. Nothing is
        masked: the caller hides the future.

    Example:
        >>> alibi_bias(1, 2).tolist()
        [[[0.0, 0.00390625], [-0.00390625, 0.0]]]
    """
    ### BEGIN SOLUTION
    places_T = torch.arange(length)
    distances_TT = places_T[None, :] - places_T[:, None]
    return alibi_slopes(n_heads)[:, None, None] * distances_TT
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how do I get all differences at once?</summary>
#
# With `places = torch.arange(T)`, a row `places[None, :]` minus a column `places[:, None]` broadcasts to [T,T]. Its
# entry [i, j] is j - i: queries go down, keys go across.
#
# </details>
#
# <details><summary>Hint 2: and one matrix a head?</summary>
#
# Give the slopes two more axes, `slopes[:, None, None]`, and multiply: [H,1,1] times [T,T] is [H,T,T].
#
# </details>

# %% check="alibi_bias"
bias_HTT = alibi_bias(2, 3)
check_shape(bias_HTT, (2, 3, 3), "one matrix a head")
check_close(16 * bias_HTT[0], [[0.0, 1.0, 2.0], [-1.0, 0.0, 1.0], [-2.0, -1.0, 0.0]], "the worked example, head 0")
check_close(256 * bias_HTT[1, 2], [-2.0, -1.0, 0.0], "head 1, the last token: further back is lower")

# %% [markdown]
# What does it do? Suppose that a head finds all keys equally interesting, all products the same. Without a bias the
# last of 64 tokens would look at each with a weight of 1/64. With the bias, only the distance decides.
#
# **Predict:** 4 heads have the slopes $2^{-2}$ to $2^{-8}$. Which share of its weight does the first head keep for the
# eight nearest tokens, and the last head?

# %%
from course.figures import show
from course.figures.week4_gpt_and_bloom import fused_layouts, loss_beyond_training, reach_of_heads

figure, _ = reach_of_heads(alibi_bias(4, 64), alibi_slopes(4))
show(
    figure,
    alt="Left, the bias of one head as a triangle that darkens away from the diagonal. Right, weight against "
    "distance: the steepest head sees a few tokens, the flattest nearly all 64.",
)
last_HT = alibi_bias(4, 64)[:, -1].softmax(-1)
for slope, weights_T in zip(alibi_slopes(4).tolist(), last_HT, strict=True):
    print(f"slope {slope:.4f}: {weights_T[-8:].sum():.0%} of the weight on the eight nearest tokens")

# %% [markdown]
# A key loses a factor of $e$ every $1/m_h$ tokens: that is the answer to the prediction of section 1, and the heads are
# a row of lenses, from a magnifying glass to a wide angle. A head is not *forced* to look near. The bias is added to
# the products, and a product that is large enough outweighs it. The further away the key, the larger it has to be.
#
# ## 3 What stands in GPT-2's file
#
# Now to somebody else's weights. `small_gpt2` has random ones, made by the library `transformers`, in exactly the form
# that the real GPT-2 has on the model hub: the same names, the same layout, smaller sizes.

# %%
from course.gpt_checkpoints import read_causal_checkpoint

gpt2_file = read_causal_checkpoint("small_gpt2")
print(gpt2_file.config, "\n")
for name, tensor in gpt2_file.hub_state.items():
    if ".h.1." not in name and ".h.2." not in name:
        print(f"{name:40} {tuple(tensor.shape)}")

# %% [markdown]
# Most names are clear: `wte` is the table of words (token embeddings), `wpe` that of positions, `h` the blocks, `ln_1`
# and `ln_2` the norms before attention and before the feed-forward part, `ln_f` the last norm. `attn.c_proj` ends the
# attention, `mlp.c_fc` and `mlp.c_proj` are the two maps of the feed-forward part. There is no head: it is tied.
#
# **Predict:** the width is 24. Look at the shape of `mlp.c_fc.weight`, which leads to a width of 96. What would
# `nn.Linear(24, 96).weight` have? And which shape gives nothing away?

# %% [markdown]
# The **matrices are transposed**. GPT-2 was written in TensorFlow, with maps that compute $xW + b$, $W$ stored as
# [in,out]; the library keeps that in a module called `Conv1D`. `nn.Linear` stores [out,in] and computes $xA^\top + b$.
# The same map from two numbers to three, stored in both ways:
#
# $$W = \begin{pmatrix} 1 & 2 & 3 \\ 4 & 5 & 6 \end{pmatrix} \qquad A = W^\top = \begin{pmatrix} 1 & 4 \\ 2 & 5 \\ 3 & 6
# \end{pmatrix} \qquad x = (1, 10) \text{ becomes } xW = xA^\top = (41, 52, 63)$$

# %% [markdown]
# So every matrix inside a block has to be turned: `.T`. A `reshape` to the same shape has the rows (1, 2), (3, 4) and
# (5, 6): another map. And a **square** matrix, `attn.c_proj`, fits either way: forget it, and no error tells you.
# Biases and norms are vectors, and `wte` and `wpe` are tables of rows: they stay as they are.
#
# Second, query, key and value come out of **one map**, `c_attn`: it is $[D, 3D]$, its first third of columns makes the
# queries, the second the keys, the third the values. The same thirds cut its bias.

# %% [markdown]
# Three more things differ from file to file. The names in the file of the model `gpt2` stand *without* the prefix
# `transformer.`; ours has it. Files from older versions carry **buffers**: `h.0.attn.bias` is no bias but the causal
# mask, a triangle of ones, and `h.0.attn.masked_bias` is the number that the mask filled in. And some hold
# `lm_head.weight`, a copy of `wte.weight`.
#
# A worked example, one block:
#
# | the hub's | becomes |
# |---|---|
# | `transformer.wte.weight`, or `wte.weight` | `word.weight` |
# | `h.0.attn.c_attn.weight` [D,3D] | `blocks.0.self_attn.q_proj.weight` [D,D], and `k_proj`, `v_proj` |
# | `h.0.mlp.c_fc.weight` [D,F] | `blocks.0.feed_forward.linear1.weight` [F,D] |
# | `h.0.attn.bias` [1,1,n,n] | nothing |

# %% [markdown]
# The model is given: `CausalLM`, with the names of notebook 1. These are all its parameters for one block:

# %%
one_block = DecoderConfig(vocab_size=101, d_model=24, n_heads=4, n_layers=1, d_ff=96, max_len=32)
for name, tensor in CausalLM(one_block).state_dict().items():
    print(f"{name:40} {tuple(tensor.shape)}")


# %% exercise="load_gpt2" points=3
def load_gpt2(state_dict: dict[str, torch.Tensor], config: DecoderConfig) -> CausalLM:
    """Return a model with GPT-2's published weights.

    Args:
        state_dict: the weights by the hub's names: wte, wpe, ln_f, and for each block i in range(config.n_layers) h.i.
            with ln_1, ln_2, attn.c_attn, attn.c_proj, mlp.c_fc, mlp.c_proj. Either all names begin with "transformer."
            or none does (lm_head never has it). Matrices inside blocks are [in,out]. There may also be
            h.i.attn.bias, h.i.attn.masked_bias (to be left out) and lm_head.weight (equal to wte.weight). The
            dictionary and its tensors are not changed.
        config: the sizes that fit, with positions "learned".

    Returns:
        `CausalLM(config)` with every parameter from the file.

    Example:
        >>> load_gpt2(gpt2_file.hub_state, gpt2_file.config)(torch.tensor([[5, 6]])).shape
        torch.Size([1, 2, 101])
    """
    ### BEGIN SOLUTION
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    hub = {name: value.T if name.startswith("h.") and value.ndim == 2 else value for name, value in hub.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = hub[f"h.{i}.{theirs}.{end}"]
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].chunk(3)
            for ours, third in zip(("q_proj", "k_proj", "v_proj"), thirds, strict=True):
                state[f"blocks.{i}.self_attn.{ours}.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how do I go about it?</summary>
#
# Make a new dictionary by the model's names, and give it to `model.load_state_dict(new)` at the end. It is strict: it
# names what is missing and what is too much, and that is your friend. Go through *your* names and fetch each from the
# file, then buffers and the head are never touched. `name.removeprefix("transformer.")` does nothing where there is no
# such prefix.
#
# </details>
#
# <details><summary>Hint 2: transpose, then split, or the other way round?</summary>
#
# Either. `weight.chunk(3, dim=1)` cuts [D,3D] into three [D,D], and each is then turned; or turn first and cut along
# the first axis. A bias has one axis: `.chunk(3)` cuts it, and there is nothing to turn. `value.ndim == 2` tells a
# matrix from a vector.
#
# </details>

# %% check="load_gpt2"
D = 2
file = {"wte.weight": torch.randn(5, D), "wpe.weight": torch.randn(4, D)}
file |= {f"{norm}.{end}": torch.randn(D) for norm in ("ln_f", "h.0.ln_1", "h.0.ln_2") for end in ("weight", "bias")}
for name, n_in, n_out in [("attn.c_attn", D, 6), ("attn.c_proj", D, D), ("mlp.c_fc", D, 8), ("mlp.c_proj", 8, D)]:
    file |= {f"h.0.{name}.weight": torch.randn(n_in, n_out), f"h.0.{name}.bias": torch.randn(n_out)}
file["h.0.attn.c_attn.weight"] = torch.arange(12.0).view(D, 6)
loaded = load_gpt2(file, DecoderConfig(5, d_model=D, n_heads=2, n_layers=1, d_ff=8, max_len=4)).state_dict()
query, value = (loaded[f"blocks.0.self_attn.{part}_proj.weight"] for part in "qv")
check_equal(query, torch.tensor([[0.0, 6.0], [1.0, 7.0]]), "queries: the first two of six columns, turned")
check_equal(value, torch.tensor([[4.0, 10.0], [5.0, 11.0]]), "values: the last two")
check_equal(loaded["blocks.0.self_attn.out_proj.weight"], file["h.0.attn.c_proj.weight"].T, "square, and turned too")
with_prefix = {f"transformer.{name}": tensor for name, tensor in file.items()}
with_prefix |= {"transformer.h.0.attn.bias": torch.ones(1, 1, 4, 4), "lm_head.weight": file["wte.weight"].clone()}
again = load_gpt2(with_prefix, DecoderConfig(5, d_model=D, n_heads=2, n_layers=1, d_ff=8, max_len=4)).state_dict()
check_true(all(torch.equal(again[name], loaded[name]) for name in loaded), "a prefix, a buffer and a head: the same")

# %% [markdown]
# ## 4 The same numbers
#
# Beside the weights, the checkpoint holds a batch of three texts and the logits that the library computes for it. The
# weights are random and there are three layers, so that a slip in any part changes the logits. **Predict:** how close
# will your numbers be? And which of these slips would give an error, which a wrong number, which nothing at all: a
# square matrix not turned, queries and keys exchanged, the exact GELU in place of GPT-2's?

# %%
from torch.nn.functional import gelu

from course.checkpoints import read_expected
from course.figures.week3_bert import slip_sizes


@torch.no_grad()
def largest_difference(model, name):
    """Return how far the logits are from the library's, over all real tokens."""
    batch = read_expected(name)
    return (model(batch["ids"], batch["mask"]) - batch["logits"])[batch["mask"]].abs().max().item()


def changed(change):
    """Return your GPT-2 with something done to each of its blocks."""
    model = load_gpt2(gpt2_file.hub_state, gpt2_file.config)
    for block in model.blocks:
        change(block)
    return model


def exchange_queries_and_keys(block):
    block.self_attn.q_proj, block.self_attn.k_proj = block.self_attn.k_proj, block.self_attn.q_proj


# %%
def unturn(block):
    block.self_attn.out_proj.weight.data = block.self_attn.out_proj.weight.data.T


def use_exact_gelu(block):
    block.feed_forward._activate = gelu


slips = {
    "your load_gpt2": lambda block: None,
    "exact GELU": use_exact_gelu,
    "c_proj not turned": unturn,
    "q, k exchanged": exchange_queries_and_keys,
}
differences = {name: largest_difference(changed(change), "small_gpt2") for name, change in slips.items()}
figure, _ = slip_sizes(differences, tolerance=1e-5)
show(figure, alt="Dots on a log scale: your loaded model agrees to within 1e-5; each slip is far outside.")

# %% [markdown]
# None of the slips raises an error. That is why a loader is not done when it runs: it is done when the numbers agree.
#
# Where there is a network, `read_causal_checkpoint("gpt2")` fetches the real one, 124 million numbers, and the same
# `load_gpt2(file.hub_state, file.config)` puts them into your model.
#
# ## 5 BLOOM
#
# BLOOM stores its maps as `nn.Linear` does, so nothing has to be turned. But its `query_key_value` is cut another way.

# %%
figure, _ = fused_layouts(n_heads=4)
show(
    figure,
    alt="Two strips of twelve pieces: in GPT-2 four queries, four keys, four values; in BLOOM query, key and "
    "value of head 0, then of head 1, and so on.",
)

# %% [markdown]
# GPT-2 puts all queries first. BLOOM goes **head by head**: query, key and value of head 0, then those of head 1, so
# that heads can be dealt out to several GPUs by cutting the tensor into equal parts. The shape does not tell the two
# apart. Cut BLOOM's in thirds, and no error tells you.
#
# `unflatten` splits the first axis into the three that are hidden in it: $[3D, D]$ becomes $[H, 3, K, D]$.

# %%
bloom_file = read_causal_checkpoint("small_bloom")
fused = bloom_file.hub_state["transformer.h.0.self_attention.query_key_value.weight"]
pieces_H3KD = fused.unflatten(0, (bloom_file.config.n_heads, 3, -1))
print(f"{tuple(fused.shape)} is {tuple(pieces_H3KD.shape)}: heads, (query, key, value), head width, D")
queries_DD = pieces_H3KD[:, 0].flatten(0, 1)
loaded_DD = bloom_file.state["blocks.0.self_attn.q_proj.weight"]
print("the course's loader has the same queries:", queries_DD.equal(loaded_DD))
print("the first third is the queries:", fused.chunk(3)[0].equal(queries_DD))

# %% [markdown]
# The course's loader has done this for every layer. What the file does not hold are positions: they come from **your**
# `alibi_bias`, and this BLOOM has six heads. One more thing sets BLOOM apart from GPT-2, a layer norm right behind the
# word embeddings; `CausalLM` has it where the positions are "alibi".
#
# **Predict:** what if the six slopes were the plain formula $2^{-8h/6}$? What if there were no bias at all?


# %%
def bloom_with(bias):
    model = CausalLM(bloom_file.config, alibi_bias=bias)
    model.load_state_dict(bloom_file.state)
    return model


def plain_formula(n_heads, length):
    slopes_H = 2.0 ** (-8 * torch.arange(1, n_heads + 1) / n_heads)
    return slopes_H[:, None, None] * 256 * alibi_bias(1, length)  # one head has the slope 1/256


biases = {
    "your alibi_bias": alibi_bias,
    "plain formula": plain_formula,
    "heads reversed": lambda n_heads, length: alibi_bias(n_heads, length).flip(0),
    "no bias": lambda n_heads, length: torch.zeros(n_heads, length, length),
}
differences = {name: largest_difference(bloom_with(bias), "small_bloom") for name, bias in biases.items()}
figure, _ = slip_sizes(differences, tolerance=1e-5)
show(figure, alt="Dots on a log scale: with your bias BLOOM agrees to within 1e-5; other slopes are far off.")

# %% [markdown]
# ## 6 Longer than it was trained on
#
# A model with learned positions cannot read a token for which its table has no row. You can give the table more rows,
# but those that no training text reached keep the random numbers they started with. A bias has no rows: a key that is
# further away only has a lower score.
#
# So train both on **32 tokens**, and let them read whole stories, which are all longer. What is a fair training? On
# only the *first* 32 tokens of each story, neither would ever see an ending, and no kind of position could help it. So
# each training text is a **window**: 32 tokens from anywhere in a story. Both get the same windows, steps and sizes.

# %%
from torch.nn import functional

from course.stories import Stories, pad

TRAINED_LEN, BATCH = 32, 16
stories = Stories.load()
train_NT, train_real_NT = pad(stories.train, stories.pad_id)
n_starts_N = train_real_NT.sum(1) - TRAINED_LEN + 1  # every story is longer than a window


def sample_windows(generator):
    rows = torch.randint(len(train_NT), (BATCH,), generator=generator)
    starts = (torch.rand(BATCH, generator=generator) * n_starts_N[rows]).long()
    return (train_NT[rows[:, None], starts[:, None] + torch.arange(TRAINED_LEN)],)


def token_losses(model, ids_BT):
    """Return the loss of each token but the first, [B,T-1], in nats."""
    logits_NV, targets_N = model(ids_BT)[:, :-1].flatten(0, 1), ids_BT[:, 1:].flatten()
    return functional.cross_entropy(logits_NV, targets_N, reduction="none").view(len(ids_BT), -1)


def window_loss(model, batch):
    return token_losses(model, batch[0]).mean()


# %% [markdown]
# **Predict**, before you train: over the first 32 tokens, will one of the two be better? Behind them, will each get
# better (there is more to go by), stay as it is, or fall apart?

# %%
from course.training import seeded, train

N_STEPS, V = 1600, len(stories.vocab)
models = {}
for name, positions in {"learned positions": "learned", "ALiBi": "alibi"}.items():
    config = DecoderConfig(V, d_model=96, n_heads=4, n_layers=2, d_ff=192, max_len=64, positions=positions)
    with seeded(0):
        models[name] = CausalLM(config, alibi_bias=alibi_bias)
    train(models[name], window_loss, sample_windows, n_steps=N_STEPS, peak_lr=7e-3, label=f"{name}, 32 tokens")
    models[name].cpu()

# %% [markdown]
# Test on 300 whole stories. Beside the two stand the ideal reader, who gives the floor at each position, and the usual
# way out with learned positions: a **sliding window**. The model sees the last 32 tokens only, as if they were a text
# of their own. Every token behind the first 32 then needs a pass of its own.

# %%
from course.oracle import Oracle

oracle, test_BT = Oracle.load(), pad(stories.test[:300], stories.pad_id)[0]
real_BT = test_BT[:, 1:] != stories.pad_id
floor_BT = torch.zeros(real_BT.shape)
for b, story in enumerate(stories.test[:300]):
    log_probs_TV = torch.from_numpy(oracle.next_token_log_probs(story))
    floor_BT[b, : len(story) - 1] = -log_probs_TV[torch.arange(1, len(story)), story[1:]]


@torch.no_grad()
def sliding_losses(model, ids_BT):
    """Return the loss of each token but the first from the last 31 tokens before it at most, [B,T-1]."""
    ends = range(TRAINED_LEN + 1, ids_BT.shape[1] + 1)
    later = [token_losses(model, ids_BT[:, end - TRAINED_LEN : end])[:, -1:] for end in ends]
    return torch.cat([token_losses(model, ids_BT[:, :TRAINED_LEN]), *later], dim=1)


# %%
with torch.no_grad():
    losses = {name: token_losses(model, test_BT) for name, model in models.items()}
losses["learned, sliding window"] = sliding_losses(models["learned positions"], test_BT)
figure, _ = loss_beyond_training(losses, floor_BT, real_BT, trained_len=TRAINED_LEN)
show(
    figure,
    alt="Loss against position: up to 32 all curves lie together; behind it that of learned positions shoots up, "
    "while ALiBi and the sliding window go on near the floor and part from it late.",
)
losses["ALiBi, sliding window"] = sliding_losses(models["ALiBi"], test_BT)
within_BT = real_BT & (torch.arange(1, real_BT.shape[1] + 1) < TRAINED_LEN)
print(f"{'nats per token':26}{'within 32':>12}{'beyond':>12}")
for name, losses_BT in (losses | {"floor": floor_BT}).items():
    print(f"{name:26}{losses_BT[within_BT].mean():12.3f}{losses_BT[real_BT & ~within_BT].mean():12.3f}")

# %% [markdown]
# Within 32 tokens the two read about equally well. Behind them the learned positions fall apart, and ALiBi reads on in
# one pass, with nothing to repair. (This is one seed. Train with another to see which digits of the table mean
# something.)
#
# Now look at the last row above the floor. There ALiBi's model, too, sees the last 32 tokens only. **Predict**, and
# then compare: how much does it gain from the tokens further back, and how far from the floor does it stay?

# %% [markdown]
# Very little, beside the distance to the floor. ALiBi *survives* longer texts, and that is not the same as *using*
# them. Press et al. (2022, appendix B) found so too: most of what their models gained on longer texts was that fewer
# tokens had little text before them.
#
# And the gap to the floor late in the story? An ending follows from what was told at the beginning, more than 32 tokens
# before. No window held both. What no training text ever showed, no kind of position can bring back: to learn far
# relations, a model needs long texts.

# %% [markdown]
# ## 7 Real text
#
# The same code on what people wrote: Python's own documentation, in tokens of week 3's byte-pair encoding, packed as in
# notebook 1. A small BLOOM with *your* biases is trained on blocks of 64 tokens, for half a minute.
#
# **Predict:** what will it have learned by then: words, sentences, or Python?

# %%
from course.bpe import BytePairTokenizer
from course.real_text import python_documentation

text, EOS, BLOCK_LEN = python_documentation(), "[EOS]", 64
bpe = BytePairTokenizer.train(text.train, n_merges=1000, special_tokens=[EOS])
eos_id = bpe.token_id(EOS)


def pack(paragraphs):
    stream = torch.tensor([token for paragraph in paragraphs for token in [*bpe.encode(paragraph), eos_id]])
    return stream[: len(stream) // BLOCK_LEN * BLOCK_LEN].view(-1, BLOCK_LEN)


blocks_NT, unseen_NT = pack(text.train), pack(text.valid)
print(f"{len(text.train):,} paragraphs, {blocks_NT.numel():,} tokens to train on")

# %%
config = DecoderConfig(eos_id + 1, d_model=128, n_heads=4, n_layers=2, d_ff=512, max_len=64, positions="alibi")
with seeded(0):
    writer = CausalLM(config, alibi_bias=alibi_bias)


def sample_blocks(generator):
    return (blocks_NT[torch.randint(len(blocks_NT), (BATCH,), generator=generator)],)


train(writer, window_loss, sample_blocks, n_steps=500, peak_lr=5e-3, label="a small BLOOM on the documentation")
writer = writer.cpu()

# %% [markdown]
# How good is it? In bits per **byte** of unseen text, as in notebook 1, so that the number means the same whatever the
# tokens are. Beside it a file compressor, which also has to predict in order to be short. The comparison favours your
# model: the compressor has not read the training text.

# %%
import bz2
import math

with torch.no_grad():
    per_token = window_loss(writer, (unseen_NT,)).item()
unseen = "\n".join(text.valid).encode()
n_tokens = sum(len(bpe.encode(paragraph)) + 1 for paragraph in text.valid)
print(f"your BLOOM: {per_token / math.log(2) * n_tokens / len(unseen):.2f} bits per byte")
print(f"bz2:        {8 * len(bz2.compress(unseen)) / len(unseen):.2f} bits per byte")

# %% [markdown]
# And what does it write? Each text begins with the end token, which in a packed stream means that a new paragraph
# comes. Tokens are drawn at a temperature of 0.8 from the nucleus that holds 90% of the probability (notebook 2). One
# of the four below was written by people. **Predict** which.

# %%
import textwrap

from course.configs import GenerationConfig
from course.generation import generate

how = GenerationConfig(max_new_tokens=60, do_sample=True, temperature=0.8, top_p=0.9, eos_id=eos_id, pad_id=eos_id)
starts_BT = torch.full((3, 1), eos_id)
written = generate(writer, starts_BT, how, torch.Generator().manual_seed(1)).tolist()
shown = [bpe.decode(row).replace(EOS, "").strip() for row in written]
shown.insert(2, bpe.decode(unseen_NT[0].tolist()).split(EOS)[0].strip())
for number, paragraph in enumerate(shown, start=1):
    print(textwrap.fill(f"{number}. {paragraph}", 100), "\n")

# %% [markdown]
# The third is the real one. The others have the sound of documentation: its words, its phrases, sentences that begin
# well. What they say is true by accident at best. The model has learned which words follow which, over a few dozen
# tokens, and nothing about what they are for. GPT-2 read 40 GB of text (Radford et al. 2019, section 2.1), and its
# objective is the one that you trained with here.

# %% [markdown]
# ## In practice
#
# - Models since then mostly turn queries and keys by an angle that grows with the position (RoPE: Su et al. 2021). Like
#   ALiBi it depends on distances only. Longer texts are then reached by training on some of them.
# - To use the real `gpt2` or BLOOM you also need its own tokenizer. A loader is checked as yours was: against somebody
#   else's logits, within a tolerance.
# - Weights come as safetensors, which hold numbers only. A pickle can run code: load none from strangers.

# %% [markdown]
# ## What now works
#
# Weights of GPT-2's form and of BLOOM's run in your model and give the library's numbers. You have written positions
# that do not end, and measured both what that buys and what it does not.

# %% [markdown]
# ## What comes next
#
# Two families are done: one sees both sides and restores, one sees the left and writes. Week 5 puts them together: an
# encoder reads a text with holes, and a decoder writes what was in them.
