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
# # Week 1, notebook 3: what does not fit in a state
#
# | | |
# |---|---|
# | **You build** | a meter for forgetting, an encoder that stops in time, an ideal reader of one ambiguous word |
# | **You need** | notebooks 1 and 2; derivatives in PyTorch; Bayes' rule |
# | **Time** | about 60 minutes; everything runs in under two minutes |
# | **Points** | 8 |

# %% [markdown]
# ## Three ways to lose a word
#
# A recurrent network reads everything. Does it also *keep* everything? Three things stand in the way, and you measure
# each:
#
# 1. the gradient that should teach the network to remember fades with distance;
# 2. all that was read must fit into one vector, whose width does not grow with the text;
# 3. it reads from left to right, and some words are explained only by what comes after them.

# %% setup=true
import torch

from course.checks import check_close, check_shape, check_true

# %% [markdown]
# ## 1 How far back does the gradient reach?
#
# Change the input $k$ steps before the end a little. By how much does the last state change? The answer is a matrix of
# derivatives, the **Jacobian** $\partial h_T / \partial x_{T-k}$, with $H$ rows and $D$ columns. By the chain rule it
# is a product:
#
# $$\frac{\partial h_T}{\partial x_{T-k}} = \frac{\partial h_T}{\partial h_{T-1}} \;
# \frac{\partial h_{T-1}}{\partial h_{T-2}} \cdots \frac{\partial h_{T-k}}{\partial x_{T-k}}$$
#
# A product of $k$ matrices shrinks or grows like the $k$-th power of a number (Bengio, Simard and Frasconi 1994).

# %% [markdown]
# **What is graded.** The cell under each exercise shows a few checks. Hidden tests look further: at gradients, dtype,
# other sizes, and whether the inputs stay unchanged. If you learn on your own, `course check NOTEBOOK` in a terminal
# tells you what they found.

# %% [markdown]
# PyTorch finds such a matrix of derivatives by itself. A trivial function, $(x_1, x_2) \mapsto (3 x_1,\; x_1 + x_2)$:

# %%
by_input = torch.autograd.functional.jacobian(lambda x: torch.stack([3 * x[0], x[0] + x[1]]), torch.tensor([5.0, 7.0]))
print(by_input)  # row: output; column: input

# %% [markdown]
# As its size we take the **Frobenius norm**: the square root of the sum of the squares of all $H \cdot D$ entries. It
# is zero only if no entry of the state feels the input.
#
# A worked example with $D = H = 1$ and $\mathrm{step}(x, h) = x + 0.5\,h$. After three tokens
# $h_3 = x_3 + 0.5\,x_2 + 0.25\,x_1$. So the norms by lag are $1$ (the last token), $0.5$, $0.25$. At lag 20 it would be
# about one millionth: that word is gone, though nothing was ever deleted.
#
# In this exercise `step` reads one sequence, without a batch axis; the next exercise is batched again.


# %% exercise="gradient_norm_by_lag" points=3
def gradient_norm_by_lag(step, x: torch.Tensor, h0: torch.Tensor) -> torch.Tensor:
    """Return how strongly the last state still feels each input, by the input's distance from the end.

    Args:
        step: (x_t [D], h [H]) -> next state [H]; differentiable by torch's autograd.
        x: float [T,D], one sequence, T at least 1. Not changed.
        h0: float [H], the state before the first token. Not changed.

    Returns:
        float [T] in the dtype of x. Entry k is the Frobenius norm of the Jacobian [H,D] of the state after the last
        token by the input k steps before the last one: entry 0 is the last token's, entry T-1 the first's.

    Example:
        >>> gradient_norm_by_lag(lambda x_t, h: x_t + 0.5 * h, torch.ones(3, 1), torch.zeros(1))
        tensor([1.0000, 0.5000, 0.2500])
    """
    ### BEGIN SOLUTION

    def last_state(x_TD):
        h = h0
        for x_t in x_TD:
            h = step(x_t, h)
        return h

    jacobian_HTD = torch.autograd.functional.jacobian(last_state, x)
    norms_T = jacobian_HTD.square().sum(dim=(0, 2)).sqrt()
    return norms_T.flip(0)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which function do I differentiate?</summary>
#
# Write a small inner function that takes the whole x, [T,D], runs the loop and returns only the last state, [H].
# `torch.autograd.functional.jacobian` of it is [H,T,D]. (Without it: one backward pass for each entry of the last
# state.)
#
# </details>
#
# <details><summary>Hint 2: from [H,T,D] to [T]</summary>
#
# Square, add up over the state's axis and the input's axis, take the root. That is in reading order; lags count from
# the end. Do not add up the entries of the state before you differentiate: positive and negative derivatives would
# cancel.
#
# </details>

# %% check="gradient_norm_by_lag"
halves_T = gradient_norm_by_lag(lambda x_t, h: x_t + 0.5 * h, torch.ones(3, 1), torch.zeros(1))
check_close(halves_T, [1.0, 0.5, 0.25], "the worked example: each step halves it")
signs = torch.tensor([[1.0, -1.0]])
both_T = gradient_norm_by_lag(lambda x_t, h: x_t @ signs + h, torch.ones(2, 1), torch.zeros(2))
check_close(both_T, [2**0.5, 2**0.5], "entries +1 and -1 have norm √2", cause="perhaps entries are added first.")
once_T = gradient_norm_by_lag(lambda x_t, h: x_t + 0 * h, torch.ones(4, 1), torch.zeros(1))
check_close(once_T, [1.0, 0.0, 0.0, 0.0], "a step that forgets everything feels the last token only")

# %% [markdown]
# ## 2 The state after a sequence's own last word
#
# To classify or to translate a text, the first encoders handed on a single vector: the state after the last word
# (Sutskever, Vinyals and Le 2014). In a batch, texts end at different places, and behind each end stands padding. A
# network that goes on reading the padding rewrites its state with rubbish.
#
# A worked example with $\mathrm{step}(x, h) = x + 10\,h$ and $h_0 = 0$: the row `[1, 2, 3]` of length 2 ends with
# $2 + 10 \cdot 1 = 12$; reading the padding would make it $123$. A row of length 0 keeps its $h_0$.


# %% exercise="encode_to_state" points=2
def encode_to_state(step, x: torch.Tensor, h0: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Return the state of each sequence after its own last token.

    Args:
        step: (x_t [B,D], h [B,H]) -> next state [B,H]; the rows of a batch do not touch one another, and any number of
            rows may be given.
        x: float [B,T,D], T at least 1. Behind a sequence's end any finite numbers may stand. Not changed.
        h0: float [B,H], the state of each sequence before its first token. Not changed.
        lengths: long [B], tokens of each sequence, 0 to T, in no particular order. Not changed.

    Returns:
        float [B,H] in the dtype of the states that step returns. A sequence of length 0 keeps its h0. What stands
        behind a sequence's end changes nothing. Gradients reach x and h0.

    Example:
        >>> x = torch.tensor([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
        >>> encode_to_state(lambda x_t, h: x_t + 10 * h, x, torch.zeros(2, 1), torch.tensor([2, 3]))
        tensor([[ 12.],
                [456.]])
    """
    ### BEGIN SOLUTION
    h = h0
    for t in range(x.shape[1]):
        reading_mask = (t < lengths)[:, None]
        h = torch.where(reading_mask, step(x[:, t], h), h)
    return h
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: one way is to stop each row in time</summary>
#
# At time t, a sequence is still being read if t < length. For those rows take the new state, for the others keep the
# old one: `torch.where` with a condition [B,1]. What happens, then, to a row of length 0?
#
# </details>
#
# <details><summary>Hint 2: another way is to pick afterwards</summary>
#
# Collect h0 and all T states, T + 1 in all. Then the state wanted from row b is the one at index lengths[b], counted
# with h0 as number 0. (Without h0 in front, length 0 would ask for index -1, and Python takes that for the last.)
#
# </details>

# %% check="encode_to_state"
x_BTD = torch.tensor([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
append = lambda x_t, h: x_t + 10 * h  # noqa: E731
ends_BH = encode_to_state(append, x_BTD, torch.zeros(2, 1), torch.tensor([2, 3]))
check_shape(ends_BH, (2, 1), "one state for each sequence")
check_close(ends_BH, [[12.0], [456.0]], "each stops at its own end", cause="the padding is read.")
starts_BH = encode_to_state(append, x_BTD, torch.tensor([[7.0], [8.0]]), torch.tensor([0, 1]))
check_close(starts_BH, [[7.0], [84.0]], "nothing read: h0 is kept", cause="index -1 is the last state, not h0.")

# %% [markdown]
# ## 3 A word that waits for its sense
#
# *They went to the bank* ... to borrow money, or to fish? The sense is a hidden variable with $G$ values. What an ideal
# reader believes about it, when some words left of *bank* and some words right of it are known, is Bayes' rule:
#
# $$p(g \mid \text{words}) = \frac{p(g)\; \prod_n p(w_n \mid g)\; \prod_m p(w_m \mid g)}
# {\sum_{g'} p(g')\; \prod_n p(w_n \mid g')\; \prod_m p(w_m \mid g')}$$
#
# $n$ runs over the words on the left, $m$ over those on the right. (Given the sense, words are taken to be independent:
# *naive* Bayes.)

# %% [markdown]
# A worked example with two senses, equally likely at first. *river* on the left is twice as likely beside the first
# sense, $0.2$ to $0.1$. *money* on the right is five times as likely beside the second, $0.1$ to $0.5$. Products: $0.5
# \cdot 0.2 \cdot 0.1 = 0.01$ and $0.5 \cdot 0.1 \cdot 0.5 = 0.025$. So the first sense has probability $0.01 / 0.035
# \approx 0.286$.
#
# Products of hundreds of small numbers underflow to 0, and $0/0$ is NaN. Add logarithms instead: that is why the
# likelihoods come as logs.


# %% exercise="sense_posterior" points=3
def sense_posterior(prior: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return the probability of each sense of a word, given words on both sides of it.

    Args:
        prior: float [G], probability of each sense before any word is read; they add up to 1. Where it is 0 it stays 0.
        left: float [N,G], log p(word | sense) in nats for each of N words on the left. N may be 0.
        right: float [M,G], the same for M words on the right. M may be 0.

    Returns:
        float [G] in the dtype of the inputs: probabilities, not logarithms. They add up to 1, also after hundreds of
        words. Nothing that came in is changed.

    Example:
        >>> river, money = torch.tensor([[0.2, 0.1]]).log(), torch.tensor([[0.1, 0.5]]).log()
        >>> sense_posterior(torch.tensor([0.5, 0.5]), river, money)
        tensor([0.2857, 0.7143])
    """
    ### BEGIN SOLUTION
    log_joint_G = prior.log() + left.sum(dim=0) + right.sum(dim=0)
    return torch.softmax(log_joint_G, dim=0)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: what is added, what is multiplied?</summary>
#
# Independent pieces of evidence multiply; their logarithms add. The prior is the only thing that does not come as a
# logarithm: take it. Add over the words, never over the senses. A sum over no words is 0, so an empty side needs no
# special case.
#
# </details>
#
# <details><summary>Hint 2: how do I normalise without underflow?</summary>
#
# You have log(prior x likelihoods) for each sense and want exp of it, divided by the sum of the exps. PyTorch has a
# function with exactly this meaning, which first subtracts the largest entry.
#
# </details>

# %% check="sense_posterior"
even_G, none_0G = torch.tensor([0.5, 0.5]), torch.zeros(0, 2)
river_1G, money_1G = torch.tensor([[0.2, 0.1]]).log(), torch.tensor([[0.1, 0.5]]).log()
check_close(sense_posterior(even_G, river_1G, money_1G), [2 / 7, 5 / 7], "the worked example: 2/7 and 5/7")
check_close(sense_posterior(even_G, river_1G, none_0G), [2 / 3, 1 / 3], "only the left is known: river counts double")
check_close(sense_posterior(torch.tensor([0.9, 0.1]), none_0G, none_0G), [0.9, 0.1], "nothing is known: the prior")
long_G = sense_posterior(even_G, river_1G.expand(500, 2), money_1G.expand(500, 2))
check_close(long_G, [0.0, 1.0], "a thousand words do not underflow", cause="add logarithms, do not multiply exps.")
check_true(bool(even_G.sum() == 1), "the prior is left alone", cause="you write into an argument.")

# %% [markdown]
# ## 4 The meter on real networks
#
# Measure now. Two networks read the beginning of some stories: a plain RNN and an LSTM, of equal width, once with fresh
# weights and once trained on the stories for a short while. Your `gradient_norm_by_lag` says what is left of each token
# in the last state. An LSTM's state is all that it carries along: $h$ and $c$, side by side.
#
# **Predict:** after 40 tokens, what is left of the first one? A half? A hundredth? A millionth? Does training help?

# %%
from course.figures import show
from course.figures.forgetting import gradient_by_lag, recall_race, sense_by_words_seen
from course.models import RecurrentLM, next_token_loss
from course.stories import Stories, pad
from course.training import seeded, train

torch.set_num_threads(1)  # the tensors are small: a second thread would only get in the way
stories = Stories.load()
train_ids_NT, train_mask_NT = pad(stories.train, stories.pad_id)


def sample_batch(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    chosen = torch.randint(len(train_ids_NT), (32,), generator=generator)
    return train_ids_NT[chosen], train_mask_NT[chosen]


def plain_step(model: RecurrentLM):
    r = model.recurrence
    weights = (r.weight_ih_l0, r.weight_hh_l0, r.bias_ih_l0, r.bias_hh_l0)
    return lambda x_D, h_H: torch.rnn_tanh_cell(x_D[None], h_H[None], *weights)[0]


def gated_step(model: RecurrentLM):
    r = model.recurrence
    weights = (r.weight_ih_l0, r.weight_hh_l0, r.bias_ih_l0, r.bias_hh_l0)
    return lambda x_D, hc: torch.cat(torch.lstm_cell(x_D[None], hc[None].chunk(2, dim=1), *weights), dim=1)[0]


# %%
LENGTH, WIDTH, N_READ = 41, 64, 3


def mean_norms(model: RecurrentLM) -> list[float]:
    """Return the gradient norm at each lag, as a share of that at lag 0: the geometric mean over some stories."""
    is_lstm = model.recurrence.mode == "LSTM"
    step, h0 = (gated_step(model), torch.zeros(2 * WIDTH)) if is_lstm else (plain_step(model), torch.zeros(WIDTH))
    readings = []
    for story in [s for s in stories.valid if len(s) >= LENGTH][:N_READ]:
        x_TD = model.embedding(torch.tensor(story[:LENGTH])).detach()
        norms_T = gradient_norm_by_lag(step, x_TD, h0)
        readings.append((norms_T / norms_T[0]).clamp(min=1e-30).log())
    return torch.stack(readings).mean(0).exp().tolist()


# %%
models, curves = {}, {}
for cell, name in (("rnn", "plain RNN"), ("lstm", "LSTM")):
    with seeded(1):
        models[name] = RecurrentLM(len(stories.vocab), d_model=64, width=WIDTH, cell=cell)
    curves[f"fresh {name}"] = mean_norms(models[name])
    train(models[name], next_token_loss, sample_batch, n_steps=300, peak_lr=1e-2, label=name)
    curves[f"trained {name}"] = mean_norms(models[name])
fig, _ = gradient_by_lag(curves)
show(
    fig,
    alt="Gradient norm against lag on a logarithmic axis: the plain RNN's lines fall "
    "fastest, the trained LSTM's slowest.",
)
for name, norms in curves.items():
    half = next((lag for lag, norm in enumerate(norms) if norm < 0.5), LENGTH)
    print(f"{name}: less than half is left from lag {half} on; at lag {LENGTH - 1} it is {norms[-1]:.0e}")

# %% [markdown]
# A straight line on this axis is a power: each step multiplies by about the same number. Training teaches the gates
# to keep more. But a network can only learn from distant words what the gradient still carries back to it. This is
# the forgetting that is a matter of *distance*. The next section looks at the state itself: how soon does a network
# learn to use it?

# %% [markdown]
# ## 5 The race: remember eight things
#
# The simplest task that needs memory: eight pairs of a key and a value are told, then the keys come again in another
# order, and each time the value is asked for. `k4 v1  k2 v7  ...  |  k2 ?  k4 ?`
#
# Three readers train on ever new sequences: a recurrent network (GRU, a lighter LSTM) with 64 units, one with 192, and
# a reader without any state, which at each position looks back over all that was said: *attention*, the subject of week
# 2.

# %% [markdown]
# Each runs for a few seconds of CPU time, so the slower ones take fewer steps; the output says how many.
#
# **Predict:** who wins? Do three times the units help?

# %%
from course.models import AttentionLM, masked_cross_entropy
from course.recall import RecallTask, recall_accuracy, recall_batch

task = RecallTask(n_pairs=8, n_queries=8, n_keys=16, n_values=16)
V = task.vocab_size
entrants = {
    "GRU, 64 units": (lambda: RecurrentLM(V, d_model=64, width=64, cell="gru"), 500),
    "GRU, 192 units": (lambda: RecurrentLM(V, d_model=64, width=192, cell="gru"), 200),
    "attention, 2 layers": (lambda: AttentionLM(V, d_model=64, n_layers=2, n_heads=2, max_len=task.length), 400),
}
test_ids_BT, test_labels_BT = recall_batch(task, 500, torch.Generator().manual_seed(99))


def accuracy(model: torch.nn.Module) -> float:
    return recall_accuracy(model(test_ids_BT), test_labels_BT)


# %%
race, sizes = {}, {}
for name, (make, n_steps) in entrants.items():
    with seeded(5):
        reader = make()
    sizes[name] = sum(p.numel() for p in reader.parameters())
    race[name] = train(
        reader,
        masked_cross_entropy,
        lambda generator: recall_batch(task, 48, generator),
        n_steps=n_steps,
        evaluate=accuracy,
        evaluate_every=25,
        label=name,
    )
fig, _ = recall_race(race, chance=task.chance)
show(fig, alt="Queries answered against CPU seconds: attention jumps to all of them, both GRUs stay low.")

# %%
for name, run in race.items():
    seconds = run.cpu_seconds[-1]
    budget = f"{entrants[name][1]} steps in {seconds:.0f} CPU s"
    print(f"{name}: {run.evaluations[-1]:.1%} of the queries after {budget} ({sizes[name]:,} parameters)")
print(f"To be remembered: {task.bits:.0f} bits of values, and which key each belongs to. Chance is {task.chance:.1%}.")

# %% [markdown]
# So few bits would fit into 64 numbers. The race does not show a lack of room; it shows that *learning* to use a
# state of fixed size is slow. A recurrence must write each pair so that the seven others stay readable, and must
# learn how, through gradients that have to run back over all of them. Attention never compresses. It keeps all
# positions and *looks up*: find the place where this key stood, read what stands behind it.

# %% [markdown]
# ## 6 *bank*, before and after
#
# The third loss is one of *direction*. In some of our stories somebody waits at the bank. Which bank it is was drawn
# when the story was made; the words left of it may tell, or those right of it, or none. Learn from the training
# stories, where the sense is labelled, how likely each word is beside each sense, on the left and on the right:
# counting again.

# %%
from collections import Counter

SENSES = ["river", "money"]
labels = [label for label in stories.labels("sense", "train") if label["word"] == "bank"]
settled = Counter(label["settled"] for label in labels)
print(f"{len(labels):,} training stories have a bank:", ", ".join(f"{n:,} settled {by}" for by, n in settled.items()))

counts_SGV = torch.full((2, len(SENSES), len(stories.vocab)), 0.1)  # side, sense, word; add-alpha with alpha = 0.1
for label in labels:
    story, at, g = stories.train[label["story"]], label["position"], SENSES.index(label["sense"])
    for side, words in ((0, story[1:at]), (1, story[at + 1 : -1])):
        counts_SGV[side, g] += torch.bincount(torch.tensor(words), minlength=len(stories.vocab))
word_log_probs_SGV = (counts_SGV / counts_SGV.sum(-1, keepdim=True)).log()
prior_G = torch.tensor([sum(label["sense"] == sense for label in labels) for sense in SENSES]) / len(labels)
print("Prior:", {sense: round(p, 2) for sense, p in zip(SENSES, prior_G.tolist(), strict=True)})

# %% [markdown]
# Two readers go through one story word by word. The first is your `sense_posterior` with these likelihoods. The second
# is the ideal reader again: by Bayes' rule on the exact probability of the words so far, once if the sense is *river*
# and once if it is *money*.
#
# **Predict:** what do they believe when they have just read *bank*? When does it change, and do they agree?

# %%
from course.grammar import Grammar
from course.oracle import Oracle

grammar = Grammar.load(stories.path / "grammar.json")


def log_prob_so_far(story: list[int], **facts: str) -> torch.Tensor:
    """Return log p(the first t words | the facts) for t = 1 to T, [T], by the ideal reader of such stories."""
    log_probs_TV = torch.from_numpy(Oracle(grammar.fix(**facts)).next_token_log_probs(story))
    return log_probs_TV[torch.arange(len(story)), story].nan_to_num(nan=0.0).cumsum(0)


def ideal_posterior(story: list[int], fact: str, values: list[str], prior: torch.Tensor) -> torch.Tensor:
    """Return p(fact = value | the words so far) after each word, [T,G]."""
    by_value_TG = torch.stack([log_prob_so_far(story, **{fact: value}) for value in values], dim=1)
    return (by_value_TG + prior.double().log()).softmax(dim=1)


valid_labels = [label for label in stories.labels("sense", "valid") if label["word"] == "bank"]
chosen = next(
    label for label in valid_labels if label["settled"] == "right" and len(stories.valid[label["story"]]) < 52
)
story, at, g = stories.valid[chosen["story"]], chosen["position"], SENSES.index(chosen["sense"])
print(stories.decode(story))

# %%
beliefs = []
for t in range(len(story)):  # the words up to t have been read; the last token, [EOS], is no word
    left_NG = word_log_probs_SGV[0][:, story[1 : min(t + 1, at)]].T
    right_MG = word_log_probs_SGV[1][:, [i for i in story[at + 1 : t + 1] if i != stories.eos_id]].T
    beliefs.append(sense_posterior(prior_G, left_NG, right_MG)[g].item())
ideal_TG = ideal_posterior(story, "bank_sense", SENSES, prior_G)
first, last = max(1, at - 12), min(len(story) - 1, at + 16)
fig, _ = sense_by_words_seen(
    [stories.vocab[i] for i in story[first:last]],
    at - first,
    {"your sense_posterior": beliefs[first:last], "ideal reader": ideal_TG[first:last, g].tolist()},
    sense=f"{SENSES[g]} bank",
    prior=prior_G[g].item(),
)
show(fig, alt="Probability of the right sense while a story is read: about even up to bank, near 1 after a later word.")
for reader, first_belief, last_belief in (
    ("your sense_posterior", beliefs[at], beliefs[-1]),
    ("the ideal reader", ideal_TG[at, g].item(), ideal_TG[-1, g].item()),
):
    print(f"Just after “bank” {reader} gives the right sense {first_belief:.2f}, at the end {last_belief:.2f}.")

# %% [markdown]
# A reader that goes from left to right has to make up a state at *bank* that suits both senses, and to carry both on.
# In translation that is not good enough: the Korean word is 은행 for one and 둑 for the other. The *meaning in context*
# of a word needs both sides.
#
# ## 7 The teacher, the student and the book
#
# "The teacher watched the student with the book." Who has the book? Both readings are good English. Only a later
# sentence tells.

# %%
HOLDERS = ["actor", "other"]
pattern = [stories.vocab.index(word) for word in ("with", "the", "book")]
book_story = next(
    s
    for s in stories.valid
    if stories.vocab.index("teacher") in s and any(s[t : t + 3] == pattern for t in range(len(s)))
)
holder_TG = ideal_posterior(book_story, "holder", HOLDERS, torch.tensor([0.5, 0.5]))
stop_id, start = stories.vocab.index("."), 1
for t, token in enumerate(book_story):
    if token == stop_id:
        sentence = stories.decode(book_story[start : t + 1])
        print(f"{sentence:75} the first one has it: {holder_TG[t, 0]:.2f}")
        start = t + 1

# %% [markdown]
# ## What now works
#
# You can measure what a recurrent network keeps: how far its gradient reaches, and what fits into its state. You can
# encode a text into one vector without reading padding. And you know, for one word, what an ideal reader believes with
# the words on its left, and with those on both sides.

# %% [markdown]
# ## What comes next
#
# Predicting from the last few words is not enough. RNNs took in the whole sequence, and paid three times: in memory, in
# steps that wait for one another, and in forgetting. The winner of the race has no state to forget. It relates every
# word to every other, all at once: **self-attention** (Vaswani et al. 2017). Week 2 builds it, from one product of
# queries and keys to the whole Transformer.

# %% [markdown]
# ## In practice
#
# - Gradients can also grow without limit. The usual cure is to scale them down to a largest norm (Pascanu, Mikolov and
#   Bengio 2013); the training loop of this course does so at every step.
# - A long reach of the gradient is needed for memory, but is no proof of it; the recall race tests memory itself.
# - Given more width, data and patience, GRUs do learn small recall tasks. What stays is the rate: the state must grow
#   with what is to be remembered, and attention learns the look-up in a fraction of the steps (Arora et al. 2023;
#   Jelassi et al. 2024).
# - Reading in both directions (Schuster and Paliwal 1997) gives an RNN the words on the right, but two half-blind
#   states are not a relation between words.
