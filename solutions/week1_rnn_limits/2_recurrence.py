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
# # Week 1, notebook 2: one step at a time
#
# | | |
# |---|---|
# | **You build** | one step of an RNN, one step of an LSTM, the loop that unrolls them, and their memory bill |
# | **You need** | matrix products and broadcasting in PyTorch; notebook 1 for the loss |
# | **Time** | about 60 minutes; everything runs in about a minute and a half |
# | **Points** | 9 |

# %% [markdown]
# ## A reader with a memory
#
# An n-gram forgets all but the last few words. A **recurrent neural network** (Elman 1990) keeps a *state*: a vector
# $h_t$ of fixed width that it carries along and rewrites at every word. In principle nothing is out of reach: the first
# word can change $h_1$, which can change $h_2$, and so on to the end of the document.
#
# This notebook builds that reader, and pays its bill: in memory, and in steps that must wait for one another. What it
# forgets on the way is the subject of notebook 3.

# %% setup=true
import torch

from course.checks import check_close, check_equal, check_shape, check_true

# %% [markdown]
# ## 1 One step
#
# The new state mixes what is read with what is remembered:
#
# $$h_t = \tanh(x_t W_{xh} + h_{t-1} W_{hh} + b)$$
#
# $x_t$ is the current word's vector, $D$ wide, $h_{t-1}$ the state before it, $H$ wide. The same three parameters are
# used at every step: whatever the network learns about reading, it learns once for all positions. The tanh keeps each
# entry of the state between -1 and 1, however long the text.

# %% [markdown]
# **What is graded.** The cell under each exercise shows a few checks. Hidden tests look further: at gradients, dtype,
# other sizes, and whether the inputs stay unchanged. If you learn on your own, `course check NOTEBOOK` in a terminal
# tells you what they found.

# %% [markdown]
# A batch of $B$ sequences is read side by side: `x_BD` holds one word of each, `h_BH` one state of each. Rows never
# meet.
#
# A worked example with $B = D = H = 1$: $x = 2$, $h = 1$, $W_{xh} = 0.5$, $W_{hh} = -1$, $b = 0.5$ give
# $\tanh(2 \cdot 0.5 + 1 \cdot (-1) + 0.5) = \tanh(0.5) \approx 0.462$.


# %% exercise="rnn_step" points=2
def rnn_step(x: torch.Tensor, h: torch.Tensor, W_xh: torch.Tensor, W_hh: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the next state of a plain RNN: tanh(x W_xh + h W_hh + b).

    Args:
        x: float [B,D], what each of B sequences reads now.
        h: float [B,H], the state of each before reading it.
        W_xh: float [D,H], inputs first: the row vector x stands to its left, x @ W_xh.
        W_hh: float [H,H], inputs first too, h @ W_hh: row k holds what entry k of the old state adds to each entry of
            the new one.
        b: float [H], the same for all sequences.

    Returns:
        float [B,H] in the dtype of the inputs, entries between -1 and 1. Gradients reach all five arguments.

    Example:
        >>> one = torch.ones(1, 1)
        >>> rnn_step(2 * one, one, 0.5 * one, -one, torch.tensor([0.5]))
        tensor([[0.4621]])
    """
    ### BEGIN SOLUTION
    return torch.tanh(x @ W_xh + h @ W_hh + b)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which axes meet?</summary>
#
# [B,D] times [D,H] is [B,H]; the D's meet and are gone. [B,H] times [H,H] is [B,H] again. No transpose is needed
# anywhere.
#
# </details>
#
# <details><summary>Hint 2: how does the bias reach every row?</summary>
#
# By broadcasting: a [H] added to a [B,H] is added to each of the B rows. Everything is added up first, then comes one
# tanh.
#
# </details>

# %% check="rnn_step"
one = torch.ones(1, 1)
check_close(rnn_step(2 * one, one, 0.5 * one, -one, torch.tensor([0.5])), [[0.46211716]], "the worked example")
h_BH = rnn_step(torch.zeros(3, 2), torch.eye(3, 4), torch.ones(2, 4), torch.arange(16.0).view(4, 4) / 8, torch.zeros(4))
check_shape(h_BH, (3, 4), "three sequences, a state four wide")
check_close(
    h_BH[1], (torch.tensor([4.0, 5.0, 6.0, 7.0]) / 8).tanh(), "entry 1 of the state comes back as row 1 of W_hh"
)

# %% [markdown]
# ## 2 Gates
#
# A plain RNN rewrites its whole state at every word. The **LSTM** (Hochreiter and Schmidhuber 1997; with the forget
# gate of Gers et al. 2000) decides, entry by entry, what to keep. Beside $h$ it carries a *cell* $c$, and four vectors
# of width $H$ rule over it, all computed from $x$ and $h$:
#
# $$a = x\, W_{ih}^\top + h\, W_{hh}^\top + b, \qquad a = [a_i, a_f, a_g, a_o]$$
#
# $$i = \sigma(a_i), \quad f = \sigma(a_f), \quad g = \tanh(a_g), \quad o = \sigma(a_o)$$

# %% [markdown]
# Input gate $i$, forget gate $f$ and output gate $o$ lie between 0 and 1; they are valves. The candidate $g$ lies
# between -1 and 1; it is content. Then
#
# $$c' = f \odot c + i \odot g, \qquad h' = o \odot \tanh(c')$$
#
# Look at the first equation once more. Where $f = 1$ and $i = 0$ the cell is *carried on unchanged*: no matrix, no
# tanh. That is the whole trick against forgetting, and in notebook 3 you measure how far it reaches.

# %% [markdown]
# PyTorch stacks the four blocks in the order **i, f, g, o**: the first $H$ rows of `weight_ih` make $a_i$, the next $H$
# make $a_f$, and so on. In section 1 the weights stood *inputs first*, [D,H]; here they stand *outputs first*, [4H,D],
# as in all of `torch.nn`, hence the transposes above.
#
# A worked example, with $H = 1$ and weights 0, so that only the bias speaks: $b = [0, 0, 1, 0]$ and $c = 2$ give
# $i = f = o = 0.5$, $g = \tanh 1 \approx 0.762$, so $c' = 0.5 \cdot 2 + 0.5 \cdot 0.762 = 1.381$ and
# $h' = 0.5 \tanh 1.381 \approx 0.441$.


# %% exercise="lstm_step" points=4
def lstm_step(
    x: torch.Tensor,
    h: torch.Tensor,
    c: torch.Tensor,
    weight_ih: torch.Tensor,
    weight_hh: torch.Tensor,
    bias: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the next state and the next cell of an LSTM.

    Args:
        x: float [B,D], what each of B sequences reads now.
        h: float [B,H], the state of each before reading it.
        c: float [B,H], the cell of each before reading it.
        weight_ih: float [4H,D], blocks of H rows for input gate, forget gate, candidate, output gate, in this order.
        weight_hh: float [4H,H], in the same order.
        bias: float [4H], in the same order. (PyTorch's LSTM has two biases; this is their sum.)

    Returns:
        (h, c), both float [B,H] in the dtype of the inputs. Gradients reach all six arguments.

    Example:
        >>> zero = torch.zeros(1, 1)
        >>> lstm_step(zero, zero, zero + 2, torch.zeros(4, 1), torch.zeros(4, 1), torch.tensor([0.0, 0.0, 1.0, 0.0]))
        (tensor([[0.4406]]), tensor([[1.3808]]))
    """
    ### BEGIN SOLUTION
    a_i, a_f, a_g, a_o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    i, f, o = torch.sigmoid(a_i), torch.sigmoid(a_f), torch.sigmoid(a_o)
    g = torch.tanh(a_g)
    c_next = f * c + i * g
    return o * torch.tanh(c_next), c_next
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: one product or eight?</summary>
#
# One product with `weight_ih` and one with `weight_hh` give all four blocks at once, [B,4H]. `Tensor.chunk` cuts an
# axis into equal parts. Cut the axis that is 4H long, not the batch.
#
# </details>
#
# <details><summary>Hint 2: the cell is right, the state is not</summary>
#
# The new state reads the *new* cell, through a tanh, and only then through the output gate. And return them in the
# order of the signature: state first, cell second.
#
# </details>

# %% check="lstm_step"
zero = torch.zeros(1, 1)
bias = torch.tensor([0.0, 0.0, 1.0, 0.0])
h_next, c_next = lstm_step(zero, zero, zero + 2, torch.zeros(4, 1), torch.zeros(4, 1), bias)
check_close(c_next, [[1.3807971]], "the worked example: the cell")
check_close(h_next, [[0.440565]], "the worked example: the state", cause="h' = o times tanh of the new cell.")
shut = torch.tensor([-50.0, 50.0, 3.0, 0.0])
_, c_kept = lstm_step(zero, zero, zero + 2, torch.zeros(4, 1), torch.zeros(4, 1), shut)
check_close(c_kept, [[2.0]], "input gate shut, forget gate open: the cell is kept", cause="is the order i, f, g, o?")
# Two units: the first is shut to its past and takes tanh(1); the second keeps its cell, 4, and does not show it.
weight_ih = torch.tensor([[50.0], [-50.0], [-50.0], [50.0], [1.0], [2.0], [50.0], [-50.0]])
two = lstm_step(zero + 1, torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), weight_ih, torch.zeros(8, 2), torch.zeros(8))
check_close(two[1], [[0.7615942, 4.0]], "two units: the cells", cause="is each gate a block of H neighbouring rows?")
check_close(two[0], [[0.6420150, 0.0]], "two units: the states", cause="is the output gate the fourth block?")

# %% [markdown]
# ## 3 The loop
#
# A step reads one token. To read a sequence, step after step, is called *unrolling*: $h_t = \mathrm{step}(x_t,
# h_{t-1})$ for $t = 1, \dots, T$, from a first state $h_0$. All $T$ states are wanted, because a language model makes a
# prediction at each.
#
# A worked example: with $\mathrm{step}(x, h) = x + 10\,h$, $x = 1, 2, 3$ and $h_0 = 0$ the states are $1$, then
# $2 + 10 \cdot 1 = 12$, then $3 + 10 \cdot 12 = 123$. $h_0$ itself is not among them.


# %% exercise="unroll" points=2
def unroll(step, x: torch.Tensor, h0: torch.Tensor) -> torch.Tensor:
    """Return the states after each token of a batch of sequences.

    Args:
        step: (x_t [B,D], h [B,H]) -> next state [B,H]. Any recurrence: nothing else is known of it.
        x: float [B,T,D], T at least 1.
        h0: float [B,H], the state of each sequence before its first token.

    Returns:
        float [B,T,H] in the dtype of the states that step returns: entry [b,t] is the state of sequence b after reading
        tokens 0 to t; h0 is not in it. Gradients reach x and h0 through every step, and neither is changed.

    Example:
        >>> x = torch.tensor([[[1.0], [2.0], [3.0]]])
        >>> unroll(lambda x_t, h: x_t + 10 * h, x, torch.zeros(1, 1))
        tensor([[[  1.],
                 [ 12.],
                 [123.]]])
    """
    ### BEGIN SOLUTION
    states = []
    h = h0
    for t in range(x.shape[1]):
        h = step(x[:, t], h)
        states.append(h)
    return torch.stack(states, dim=1)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: what does the loop run over?</summary>
#
# Over time, the middle axis of x. At each turn take one token of *all* sequences, a [B,D], call step with it and the
# state from the turn before, and remember what it gives.
#
# </details>
#
# <details><summary>Hint 2: T tensors [B,H] into one [B,T,H]</summary>
#
# `torch.stack` puts tensors side by side along a new axis; say which one it shall be. Do not write into a tensor made
# beforehand: its dtype may be another than that of the states.
#
# </details>

# %% check="unroll"
x_BTD = torch.tensor([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
states_BTH = unroll(lambda x_t, h: x_t + 10 * h, x_BTD, torch.zeros(2, 1))
check_shape(states_BTH, (2, 3, 1), "two sequences, three states each")
check_close(states_BTH[:, :, 0], [[1, 12, 123], [4, 45, 456]], "each digit arrives in its turn, in its own sequence")
check_close(
    unroll(lambda x_t, h: x_t + 10 * h, x_BTD[:1], torch.ones(1, 1))[0, :, 0], [11, 112, 1123], "starts from h0"
)

# %% [markdown]
# ## 4 The bill
#
# To train, the gradient runs back through all steps: **backpropagation through time** (Werbos 1990). The derivative of
# tanh at a step needs the state of that step, so every $h_1, \dots, h_T$ of every sequence must be kept until the
# gradient has passed.
#
# A worked example: 32 sequences of 1,000 tokens, a state of 512 numbers, 4 bytes each (float32):
# $32 \cdot 1000 \cdot 512 \cdot 4 = 65{,}536{,}000$ bytes, about 66 MB, for one layer and nothing but its states.
# $h_0$ is the caller's and is not counted.
#
# **Predict:** the text gets ten times as long. What happens to this memory? And to that of an n-gram model?


# %% exercise="bptt_memory" points=1
def bptt_memory(batch: int, length: int, width: int, bytes_per_value: int = 4) -> int:
    """Return the bytes of the hidden states that one recurrent layer keeps for its backward pass.

    Args:
        batch: number of sequences, B.
        length: tokens in each, T.
        width: numbers in a state, H.
        bytes_per_value: 4 for float32, 8 for float64, 2 for half precision.

    Returns:
        Bytes of h_1 to h_T of all sequences, a whole number; h_0 is not counted.

    Example:
        >>> bptt_memory(32, 1000, 512)
        65536000
    """
    ### BEGIN SOLUTION
    return batch * length * width * bytes_per_value
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how many states are there?</summary>
#
# One for each token of each sequence. The first, h_1, is there after the first token; the last, h_T, after the last
# token.
#
# </details>
#
# <details><summary>Hint 2: and how large is one?</summary>
#
# It is a vector: as many numbers as the state is wide, each of them so many bytes. Bytes, not bits.
#
# </details>

# %% check="bptt_memory"
check_equal(bptt_memory(32, 1000, 512), 65_536_000, "the worked example")
check_equal(bptt_memory(1, 1, 1), 4, "one number is 4 bytes")
check_equal(bptt_memory(2, 3, 5, bytes_per_value=2), 60, "two bytes each in half precision")
check_true(bptt_memory(1, 20, 7) == 2 * bptt_memory(1, 10, 7), "twice the text, twice the memory", cause="h_0 counted?")

# %% [markdown]
# ## 5 The same numbers as PyTorch
#
# You have written an LSTM. `nn.LSTM` is one too, in fast compiled code. If both are right they agree, weight for
# weight. Your `unroll` wants a single state, so let it carry state and cell side by side, `[h, c]`, in one vector of
# width $2H$.

# %%
from course.counting import ngram_log_probs
from course.models import RecurrentLM, next_token_loss
from course.training import seeded, train


def lstm_states(model: RecurrentLM, ids_BT: torch.Tensor) -> torch.Tensor:
    """Return the states [B,T,H] that your lstm_step and your unroll give with the model's weights."""
    lstm = model.recurrence
    bias = lstm.bias_ih_l0 + lstm.bias_hh_l0

    def step(x_BD, hc_BH):
        return torch.cat(lstm_step(x_BD, *hc_BH.chunk(2, dim=1), lstm.weight_ih_l0, lstm.weight_hh_l0, bias), dim=1)

    start_BH = torch.zeros(ids_BT.shape[0], 2 * lstm.hidden_size)
    return unroll(step, model.embedding(ids_BT), start_BH)[:, :, : lstm.hidden_size]


with seeded(0):
    model = RecurrentLM(vocab_size=20, d_model=6, width=5)
    some_ids_BT = torch.randint(20, (3, 11))
theirs_BTH, _ = model.recurrence(model.embedding(some_ids_BT))
difference = (lstm_states(model, some_ids_BT) - theirs_BTH).abs().max().item()
print(f"Largest difference between your LSTM and nn.LSTM: {difference:.1e}")

# %% [markdown]
# ## 6 Teach it to read stories
#
# Now a language model: an embedding, the LSTM, and a linear layer that turns each state into 300 scores. It is trained
# to predict the next token, with `nn.LSTM` for speed and the course's one training loop: AdamW, a short warm-up, then a
# falling learning rate.
#
# **Predict:** the best n-gram of notebook 1 ended far above the floor. In about a minute of training, what will an LSTM
# reach?

# %%
from course.stories import Stories, pad

torch.set_num_threads(1)  # the tensors are small: a second thread would only get in the way
stories = Stories.load()
V, floor = len(stories.vocab), stories.floors["causal"]["loss"]
train_ids_NT, train_mask_NT = pad(stories.train, stories.pad_id)
test_ids_BT, test_mask_BT = pad(stories.test, stories.pad_id)


def sample_batch(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    chosen = torch.randint(len(train_ids_NT), (BATCH,), generator=generator)
    return train_ids_NT[chosen], train_mask_NT[chosen]


BATCH, N_STEPS = 16, 3600
with seeded(0):
    lstm_lm = RecurrentLM(V, d_model=64, width=128, cell="lstm")
history = train(lstm_lm, next_token_loss, sample_batch, n_steps=N_STEPS, peak_lr=1e-2, label="LSTM on the stories")
with torch.no_grad():
    lstm_loss = next_token_loss(lstm_lm, (test_ids_BT, test_mask_BT)).item()
print(f"After {N_STEPS} steps of {BATCH} stories: {lstm_loss:.3f} nats per token on unseen stories.")
ngram_BT = ngram_log_probs(train_ids_NT, test_ids_BT, 6, vocab_size=V)
ngram_loss = -ngram_BT[test_mask_BT[:, 1:]].mean().item()
print(f"A 6-gram on the same stories: {ngram_loss:.3f}, {ngram_loss / floor:.2f} times the floor.")
print(f"The floor is {floor:.3f}: the LSTM is at {lstm_loss / floor:.2f} times the floor.")

# %% [markdown]
# ## 7 Where does reading back pay?
#
# An average hides the place. The next figure asks at each position of a story: how well is the token *there* predicted?
# Beside your LSTM (your own `lstm_step` and `unroll`, with the weights just trained) stand two n-grams and the ideal
# reader.
#
# **Predict:** where in the story will the LSTM win most over the n-grams: at the beginning or towards the end? Why?

# %%
from course.figures import show
from course.figures.recurrence import loss_by_position, time_against_length
from course.oracle import Oracle

N_STORIES, N_POSITIONS = 400, 48
ids_BT, mask_BT = test_ids_BT[:N_STORIES], test_mask_BT[:N_STORIES]
with torch.no_grad():
    logits_BTV = lstm_lm.output(lstm_states(lstm_lm, ids_BT[:, :-1]))
lstm_BT = logits_BTV.log_softmax(-1).gather(2, ids_BT[:, 1:, None]).squeeze(2)

oracle = Oracle.load()
ideal_BT = torch.zeros(lstm_BT.shape, dtype=torch.float64)
for b, story in enumerate(stories.test[:N_STORIES]):
    log_probs_TV = torch.from_numpy(oracle.next_token_log_probs(story))
    ideal_BT[b, : len(story) - 1] = log_probs_TV[torch.arange(1, len(story)), story[1:]]

# %%
PER_POINT = 4  # positions in one point: a single one is too noisy to see anything


def by_position(log_probs_BT: torch.Tensor) -> list[float]:
    """Return the mean loss of the stories' tokens at positions 1 to 4, 5 to 8, and so on."""
    losses_BT = (-log_probs_BT.double() * mask_BT[:, 1:])[:, :N_POSITIONS]
    real_BT = mask_BT[:, 1:][:, :N_POSITIONS]
    return (losses_BT.sum(0).view(-1, PER_POINT).sum(1) / real_BT.sum(0).view(-1, PER_POINT).sum(1)).tolist()


curves = {f"{n}-gram": by_position(ngram_log_probs(train_ids_NT, ids_BT, n, vocab_size=V)) for n in (3, 6)}
curves["your LSTM"] = by_position(lstm_BT)
ideal = by_position(ideal_BT)
fig, _ = loss_by_position(curves, ideal, per_point=PER_POINT)
show(
    fig,
    alt="Loss by position in the story: both n-grams lie far above the LSTM, which stays close to the floor.",
)
for name, curve in curves.items():
    early, late = curve[1] - ideal[1], curve[-1] - ideal[-1]
    print(f"{name}: {early:.2f} nats above the floor at positions 5 to 8, {late:.2f} at positions 45 to 48")

# %% [markdown]
# The n-grams pay for every fact that was told more than a few words ago: who the story is about, what was carried
# along, how it all began. The LSTM carries those facts in its state. It did take in the sequence. Now see what it pays.

# %% [markdown]
# ## 8 The price: T steps that wait for one another
#
# Step $t$ needs $h_{t-1}$. No matter how many processors there are, a text of $T$ tokens takes $T$ steps, one after the
# other. Compare one matrix product of the same size over all positions at once, $[x_t, h_t]\,[W_{xh}; W_{hh}]$ for
# every $t$, as if all the states were known already.
#
# **Predict:** both do the same number of multiplications. At T = 1024, how much longer does the recurrence take?

# %%
import time


def seconds_of(work, repeats: int = 5) -> float:
    """Return the shortest time of several runs, in seconds; a first run to warm up is not counted."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


# %%
B, D, H = 1, 64, 64  # one reader, one text
with seeded(0):
    W_xh, W_hh, b_H = torch.randn(D, H) / 8, torch.randn(H, H) / 8, torch.zeros(H)
W_both = torch.cat([W_xh, W_hh])


def step_by_step(length: int) -> None:
    unroll(lambda x, h: rnn_step(x, h, W_xh, W_hh, b_H), torch.ones(B, length, D), torch.zeros(B, H))


def small_but_independent(length: int) -> None:
    h = torch.zeros(B, H)
    for x in torch.ones(length, B, D):
        rnn_step(x, h, W_xh, W_hh, b_H)  # the same h each time: no step needs the one before it


def all_at_once(length: int) -> None:
    torch.tanh(torch.ones(B, length, D + H) @ W_both + b_H)


lengths = [16, 32, 64, 128, 256, 512, 1024]
with torch.no_grad():
    recurrence = [seconds_of(lambda T=T: step_by_step(T)) for T in lengths]
    parallel = [seconds_of(lambda T=T: all_at_once(T)) for T in lengths]
    independent = seconds_of(lambda: small_but_independent(lengths[-1]))
fig, _ = time_against_length(lengths, recurrence, parallel)
show(
    fig,
    alt="Time against length, both axes logarithmic: the recurrence lies far above the one product at every length.",
)
print(f"T = {lengths[-1]}: {1e3 * recurrence[-1]:.2f} ms step by step, {1e3 * parallel[-1]:.2f} ms all at once:")
print(f"{recurrence[-1] / parallel[-1]:.0f} times as long. As many small steps that do not depend on one another:")
print(f"{1e3 * independent:.2f} ms.")

# %% [markdown]
# The multiplications are the same. On this one thread, waiting as such costs little: small steps that do not depend on
# one another take about as long. What costs is that there are many steps and that each is small. The recurrence forbids
# to *merge* them into one large product, because each step needs the one before it. A GPU has thousands of units, and
# during one small step most of them have nothing to do.

# %% [markdown]
# The memory grows with the length too, as you computed. (That of an n-gram model does not: it looks at $n - 1$ tokens
# at a time, and its table is as large for a short text as for a long one.)

# %%
for length in (64, 1_000, 100_000):
    print(f"{length:7,} tokens: {bptt_memory(32, length, 128) / 1e6:9.1f} MB of states for a batch of 32, width 128")

# %% [markdown]
# ## What now works
#
# You have a reader with a memory. It takes in the whole story, it beats every n-gram by far, and its size does not
# depend on the length of what it reads.
#
# ## What comes next
#
# It pays in memory for training, and in steps that must wait for one another. There is a third price, and it is the
# highest: what has to fit into one vector gets lost. Notebook 3 measures how much.

# %% [markdown]
# ## In practice
#
# - Nobody unrolls a whole book. The text is cut into pieces of some hundred tokens, the state is handed on and the
#   gradient is not: *truncated* backpropagation through time (Williams and Peng 1990). A `detach` of the state between
#   two pieces does it; between two steps it would be a mistake.
# - `nn.LSTM` runs the input products of all steps as one, and only the state's products in turn: half of the work is
#   parallel after all.
# - LSTMs were the best language models from about 2013 to 2018 (Jozefowicz et al. 2016; Merity et al. 2018). Dropout
#   between layers and averaged weights did much of it.
# - Newer recurrences (S4, Mamba; Gu and Dao 2023) leave out the tanh between steps, so that all states can be computed
#   in parallel.
