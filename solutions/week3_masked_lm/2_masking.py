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
# # Week 3, notebook 2: hide a word, learn a language
#
# | | |
# |---|---|
# | **You build** | masked language modelling: which words to hide, what to show instead, the loss, masks over epochs |
# | **You need** | week 2's encoder in mind; `torch.where`, boolean masks, cross-entropy |
# | **Time** | about 60 minutes; everything runs in about a minute and a half |
# | **Points** | 11 |

# %% [markdown]
# ## An encoder needs another question
#
# Week 2 ended with a problem. A model that sees both sides cannot be trained to predict the next word: it sees it. So
# ask something else. Take a text, **hide some of its words**, and let the model restore them from all the others, to
# the left and to the right. Teachers know this test as the *cloze* (Taylor 1953). BERT learns from nothing else than
# this and a small second task (Devlin et al. 2019, section 3.1).
#
# You write the whole procedure, in four functions: choose, corrupt, score, repeat.

# %% setup=true
import torch

from course.checks import check_close, check_equal, check_shape, check_true

# %% [markdown]
# ## 1 Which words?
#
# Each token is chosen **by itself**, with probability `rate`: a coin for every position, 0.15 in BERT. Not "15 of every
# 100": a story may lose many words, or none, as chance will have it.
#
# Some positions hold no word that could be guessed: `[BOS]`, `[EOS]`, the padding. They come marked in a
# `special_mask`, True where nothing may be chosen.

# %% [markdown]
# **Randomness comes in as a generator.** `torch.rand(2, 3, generator=generator)` draws six numbers, evenly from
# $[0, 1)$, and the generator remembers how far it got. The same seed gives the same numbers again, so that a result can
# be repeated; a second call with the same generator goes on and gives new ones.
#
# A worked example at `rate` 0.5. The middle row is what the generator gave:
#
# | token | `[BOS]` | Mia | saw | a | bat | `[EOS]` |
# |---|---|---|---|---|---|---|
# | drawn | 0.08 | 0.61 | 0.22 | 0.97 | 0.49 | 0.73 |
# | chosen | no: special | no | **yes** | no | **yes** | no |


# %% exercise="choose_positions" points=3
def choose_positions(
    ids: torch.Tensor, special_mask: torch.Tensor, rate: float, generator: torch.Generator
) -> torch.Tensor:
    """Return which tokens are chosen: each ordinary one by itself, with probability `rate`.

    Args:
        ids: long [B,T], token ids. Only their shape matters here.
        special_mask: bool [B,T], True where nothing may be chosen (special tokens, padding).
        rate: probability of being chosen, from 0 to 1. With 0 nothing is chosen, with 1 every ordinary token.
        generator: where all random numbers come from.

    Returns:
        bool [B,T], True where a token is chosen; never where special_mask is True. A row may end up with none.

    Example:
        >>> ids, special_mask = torch.tensor([[1, 7, 8, 2]]), torch.tensor([[True, False, False, True]])
        >>> choose_positions(ids, special_mask, 1.0, torch.Generator().manual_seed(0))
        tensor([[False,  True,  True, False]])
    """
    ### BEGIN SOLUTION
    drawn = torch.rand(ids.shape, generator=generator, device=ids.device)
    return (drawn < rate) & ~special_mask
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: a coin that shows heads with probability 0.15</summary>
#
# A number drawn evenly from 0 to 1 lies below 0.15 with probability 0.15. `torch.rand` takes a shape, such as
# `ids.shape`, and a `generator=`.
#
# </details>
#
# <details><summary>Hint 2: special tokens</summary>
#
# Draw for every position, then strike out the special ones: `&` joins two boolean tensors, `~` turns one round. Drawing
# again until the number fits would make the tokens depend on each other.
#
# </details>

# %% check="choose_positions"
ids_BT = torch.tensor([[1, 7, 8, 9, 2], [1, 5, 2, 0, 0]])
special_BT = torch.tensor([[True, False, False, False, True], [True, False, True, True, True]])
check_equal(
    choose_positions(ids_BT, special_BT, 1.0, torch.Generator().manual_seed(0)),
    ~special_BT,
    "at rate 1 every ordinary token is chosen, and no special one",
)
many_BT = torch.zeros(200, 100, dtype=torch.long)
chosen_BT = choose_positions(many_BT, many_BT.bool(), 0.15, torch.Generator().manual_seed(0))
check_shape(chosen_BT, (200, 100), "one answer for each token")
share = chosen_BT.float().mean()
check_close(share, 0.15, "about 15% of 20000 tokens are chosen at rate 0.15", tolerance=0.02)
again_BT = choose_positions(many_BT, many_BT.bool(), 0.15, torch.Generator().manual_seed(0))
check_equal(again_BT, chosen_BT, "the same seed gives the same choice", cause="draw from the generator you were given.")

# %% [markdown]
# Now for real stories. They have about 56 words between begin and end. **Predict:** how many words does a story lose at
# rate 0.15: on average, at least, and at most?

# %%
from course.stories import Stories, pad

stories = Stories.load()
special_ids = torch.tensor([stories.pad_id, stories.bos_id, stories.eos_id])


def as_rows(documents):
    """Return (ids [N,T], special_mask [N,T]) of several stories."""
    ids_NT, _ = pad(documents, stories.pad_id)
    return ids_NT, torch.isin(ids_NT, special_ids)


generator = torch.Generator().manual_seed(1)
ids_NT, special_NT = as_rows(stories.train[:4000])
chosen_NT = choose_positions(ids_NT, special_NT, 0.15, generator)
lost_N = chosen_NT.sum(1)
print(f"words lost per story: {lost_N.float().mean():.1f} on average, from {lost_N.min()} to {lost_N.max()}")
print(f"stories that lose fewer than 3: {(lost_N < 3).sum()} of {len(lost_N):,}")

# %% [markdown]
# ## 2 What to show instead?
#
# The plain way is to show `[MASK]` at every chosen place. BERT does something subtler with each chosen token (Devlin et
# al. 2019, section 3.1 and appendix A.1):
#
# | with probability | the model sees | and must say |
# |---|---|---|
# | 80% | `[MASK]` | the original |
# | 10% | a word drawn at random | the original |
# | 10% | the original, left as it was | the original |

# %% [markdown]
# Why not always `[MASK]`? Because no text that the model will ever be *used* on has a `[MASK]` in it. A model that is
# only ever asked at `[MASK]` may build nothing worth having for the words that it sees. With the 10% and the 10% it can
# never be sure: any word in front of it may be wrong, and it may be asked about any of them.
#
# The fates are drawn token by token, independently of everything else. The random word comes from a list of ordinary
# words, each as likely as the others; by chance it may be the original.

# %% [markdown]
# The **labels** say what is asked: the original token at *every* chosen position, whatever became of it, and −100
# everywhere else. PyTorch's losses pass over −100. A worked example, with `[MASK]` = 4, chosen at positions 2, 4 and 5:
#
# | position | 0 | 1 | 2 | 3 | 4 | 5 |
# |---|---|---|---|---|---|---|
# | original | 1 | 20 | 21 | 22 | 23 | 24 |
# | fate | | | masked | | random | kept |
# | input | 1 | 20 | **4** | 22 | **57** | **24** |
# | label | −100 | −100 | **21** | −100 | **23** | **24** |


# %% exercise="mask_tokens" points=4
def mask_tokens(
    ids: torch.Tensor,
    chosen: torch.Tensor,
    mask_id: int,
    random_ids: torch.Tensor,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the model sees and what it must say, by BERT's 80/10/10.

    Args:
        ids: long [B,T], the original tokens. Not changed.
        chosen: bool [B,T], True where the model is asked.
        mask_id: the id of [MASK].
        random_ids: long [R], different ids, in any order: what random words are drawn from, each with the same
            probability; the original may be drawn.
        generator: where all random numbers come from. Each token's fate is drawn by itself.

    Returns:
        inputs: long [B,T]. Each chosen token is mask_id with probability 0.8, a random word with 0.1, the original with
            0.1; all other tokens are what they were.
        labels: long [B,T], the original token where chosen, whatever became of it; -100 elsewhere.

    Example:
        >>> ids, chosen = torch.tensor([[1, 7, 2]]), torch.tensor([[False, True, False]])
        >>> mask_tokens(ids, chosen, 4, torch.tensor([7, 8, 9]), torch.Generator().manual_seed(0))
        (tensor([[1, 4, 2]]), tensor([[-100,    7, -100]]))
    """
    ### BEGIN SOLUTION
    fate = torch.rand(ids.shape, generator=generator, device=ids.device)
    drawn = torch.randint(len(random_ids), ids.shape, generator=generator, device=ids.device)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), random_ids[drawn], inputs)
    labels = torch.where(chosen, ids, -100)
    return inputs, labels
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: one number decides</summary>
#
# Draw *one* number per token, its fate: below 0.8 it is masked, from 0.8 to 0.9 it becomes a random word, above that it
# is kept. Drawing a second time for the 10% gives 10% of what is left over, which is another share.
#
# </details>
#
# <details><summary>Hint 2: random words, and the order of things</summary>
#
# `torch.randint(len(random_ids), ids.shape, generator=generator)` draws places in the list; `random_ids[places]` looks
# the words up. Make the labels from `ids`, not from the inputs, and `torch.where(condition, a, b)` makes new tensors
# where `x[condition] = a` would write into the caller's.
#
# </details>

# %% check="mask_tokens"
ids_BT = torch.tensor([[1, 20, 21, 22, 2], [1, 23, 24, 2, 0]])
chosen_BT = torch.tensor([[False, False, True, True, False], [False, True, False, False, False]])
seeded_generator = torch.Generator().manual_seed(3)
inputs_BT, labels_BT = mask_tokens(ids_BT, chosen_BT, 4, torch.tensor([30, 31]), seeded_generator)
check_equal(
    labels_BT.tolist(),
    [[-100, -100, 21, 22, -100], [-100, 23, -100, -100, -100]],
    "labels: the originals where chosen, -100 elsewhere",
)
check_equal(inputs_BT[~chosen_BT], ids_BT[~chosen_BT], "tokens that were not chosen stay what they were")
same_word_BT, everywhere_BT = torch.full((100, 100), 20), torch.ones(100, 100, dtype=torch.bool)
inputs_BT, labels_BT = mask_tokens(same_word_BT, everywhere_BT, 4, torch.tensor([30, 31]), seeded_generator)
check_close((inputs_BT == 4).float().mean(), 0.8, "about 80% of 10000 chosen tokens are masked", tolerance=0.02)
check_close((inputs_BT >= 30).float().mean(), 0.1, "about 10% are random words", tolerance=0.02)
check_close((inputs_BT == 20).float().mean(), 0.1, "about 10% are kept", tolerance=0.02)
check_true((labels_BT == 20).all(), "the label is the original in all three cases")

# %% [markdown]
# Here is one story as your functions leave it. Words in brackets are what the model must restore. **Predict:** which of
# the bracketed words would *you* get right?

# %%
random_ids = torch.tensor(stories.word_ids)
inputs_NT, labels_NT = mask_tokens(ids_NT, chosen_NT, stories.mask_id, random_ids, generator)
n = int(lost_N.argmax())
shown = [
    stories.vocab[i] if label < 0 else f"{stories.vocab[i]}({stories.vocab[label]})"
    for i, label in zip(inputs_NT[n].tolist(), labels_NT[n].tolist(), strict=True)
    if i != stories.pad_id
]
print(" ".join(shown[1:-1]))

# %%
from course.figures import show
from course.figures.week3_masking import mask_fates


def by_fate(inputs_NT, labels_NT):
    """Return bool [N,T] for each fate: where a chosen token met it."""
    asked_NT, masked_NT, same_NT = labels_NT != -100, inputs_NT == stories.mask_id, inputs_NT == labels_NT
    return {"masked": asked_NT & masked_NT, "another word": asked_NT & ~masked_NT & ~same_NT, "the same": same_NT}


counts = {name: int(where_NT.sum()) for name, where_NT in by_fate(inputs_NT, labels_NT).items()}
by_chance = 0.1 / len(random_ids)  # a random word may be the original
figure, _ = mask_fates(counts, {"masked": 0.8, "another word": 0.1 - by_chance, "the same": 0.1 + by_chance})
show(
    figure, alt="Three bars: four fifths of the chosen tokens are masked, a tenth is another word, a tenth is the same."
)

# %% [markdown]
# What does each fate ask of a reader? Our stories come from a grammar, so there is an ideal reader, who knows it and
# the 80/10/10, but not which words are random. Its loss on some thousand words of the test stories is stored.
#
# **Predict:** which of the three is hardest for it: `[MASK]`, another word, or the same word? And which is easiest?

# %%
from course.masked_eval import masked_floor_losses, masked_test_set

test_inputs_NT, test_labels_NT = masked_test_set(stories)
ideal_NT = masked_floor_losses(stories)
for name, where_NT in {**by_fate(test_inputs_NT, test_labels_NT), "all": test_labels_NT != -100}.items():
    print(f"{name:>12}: {ideal_NT[where_NT].mean():.3f} nats over {where_NT.sum():,} words")

# %% [markdown]
# The word that was *left alone* costs next to nothing, and a word that was replaced costs about as much as a hidden
# one, or more: the reader must first doubt what it sees. "All" is the **masked floor**: no model gets below it, except
# by having seen the answers.

# %% [markdown]
# ## 3 The loss
#
# Only the chosen positions count. With $C$ the set of positions whose label is not −100,
#
# $$L = -\frac{1}{|C|} \sum_{(b,t) \in C} \log \text{softmax}(\text{logits}_{bt})_{\text{label}_{bt}}$$
#
# One mean over all of them, in nats: a story with many chosen words weighs more than a story with few.

# %% [markdown]
# A worked example with two words in the vocabulary. Logits $(\log 3, 0)$ mean probabilities $(3/4, 1/4)$:
#
# | logits | label | loss |
# |---|---|---|
# | $(\log 3, 0)$ | 0 | $\log 4/3$ |
# | $(\log 3, 0)$ | 1 | $\log 4$ |
# | $(0, 9)$ | −100 | not counted |
#
# The loss is $(\log 4/3 + \log 4)\, /\, 2$: divided by 2, not by 3.


# %% exercise="mlm_loss" points=2
def mlm_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean negative log-probability, in nats, of the labels that are not -100.

    Args:
        logits: float [B,T,V], unnormalised log-probabilities; any finite size.
        labels: long [B,T], token ids from 0 to V - 1, or -100 where nothing is asked. At least one is not -100.

    Returns:
        float scalar, in the dtype of the logits; gradients flow to the logits.

    Example:
        >>> mlm_loss(torch.zeros(1, 3, 2), torch.tensor([[-100, 1, -100]]))
        tensor(0.6931)
    """
    ### BEGIN SOLUTION
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: PyTorch has it</summary>
#
# `torch.nn.functional.cross_entropy` takes logits, not probabilities, and passes over labels of −100. But it wants the
# classes on axis 1: for logits `[B,T,V]` it would take T for the classes. Give it `[B*T,V]` and `[B*T]`.
#
# </details>
#
# <details><summary>Hint 2: or by hand</summary>
#
# `labels != -100` is a mask; `logits[mask]` is `[n,V]`, `labels[mask]` is `[n]`. Take `log_softmax` over the last axis,
# pick each label's entry, and average over the n.
#
# </details>

# %% check="mlm_loss"
three = torch.tensor(3.0).log().item()
logits_BTV = torch.tensor([[[three, 0.0], [three, 0.0], [0.0, 9.0]]])
labels_BT = torch.tensor([[0, 1, -100]])
check_close(mlm_loss(logits_BTV, labels_BT), torch.tensor([4 / 3, 4.0]).log().mean().item(), "the worked example")
check_close(
    mlm_loss(logits_BTV, torch.tensor([[0, -100, -100]])),
    torch.tensor(4 / 3).log().item(),
    "one label of three: that one alone",
    cause="divide by the number of labels that are not -100.",
)
check_shape(mlm_loss(logits_BTV, labels_BT), (), "a scalar")

# %% [markdown]
# Three numbers to know before any training. **Predict:** what does a model lose that gives each of the $V$ tokens the
# same logit? Does knowing how frequent each word is help much?

# %%
V = len(stories.vocab)
floor, unigram = (stories.floors[name]["loss"] for name in ("masked", "unigram"))
print(f"the same for all:      {mlm_loss(torch.zeros(*test_labels_NT.shape, V), test_labels_NT):.3f} nats")
print(f"word frequencies only: {unigram:.3f} nats")
print(f"the masked floor:      {floor:.3f} nats")

# %% [markdown]
# ## 4 The same masks again?
#
# Training goes over the stories many times, in **epochs**. BERT's data was masked once, before training, and stored
# (ten times over, so that the copies differed). RoBERTa draws the masks anew each time a text is fed to the model (Liu
# et al. 2019, section 4.1):
#
# - **static**: one draw; every epoch asks about the same words,
# - **dynamic**: a fresh draw for each epoch.

# %% [markdown]
# A worked example: one story of five ordinary words over three epochs, chosen words marked ■.
#
# | | epoch 0 | epoch 1 | epoch 2 |
# |---|---|---|---|
# | static | □■□□□ | □■□□□ | □■□□□ |
# | dynamic | □■□□□ | ■□□■□ | □■□□□ |
#
# *Fresh* means independent of what came before. The same word may be chosen twice, and it need not be anybody's turn.


# %% exercise="masks_for_epochs" points=2
def masks_for_epochs(
    ids: torch.Tensor,
    special_mask: torch.Tensor,
    rate: float,
    n_epochs: int,
    dynamic: bool,
    generator: torch.Generator,
) -> torch.Tensor:
    """Return which tokens are chosen in each epoch.

    Args:
        ids: long [N,T], all stories.
        special_mask: bool [N,T], True where nothing may be chosen.
        rate: probability of being chosen, as in `choose_positions`.
        n_epochs: E, at least 1.
        dynamic: False for one draw that is used in every epoch, True for a fresh draw in each epoch.
        generator: where all random numbers come from.

    Returns:
        bool [E,N,T], True where a token is chosen.

    Example:
        >>> ids = torch.zeros(2, 5, dtype=torch.long)
        >>> static = masks_for_epochs(ids, ids.bool(), 0.5, 3, False, torch.Generator().manual_seed(0))
        >>> static.shape, bool((static[0] == static[2]).all())
        (torch.Size([3, 2, 5]), True)
    """
    ### BEGIN SOLUTION
    if not dynamic:
        return choose_positions(ids, special_mask, rate, generator).repeat(n_epochs, 1, 1)
    return torch.stack([choose_positions(ids, special_mask, rate, generator) for _ in range(n_epochs)])
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: one draw is one call</summary>
#
# `choose_positions` makes one draw for all stories. Dynamic means a call for each epoch with the *same* generator,
# which goes on by itself; do not seed it again.
#
# </details>
#
# <details><summary>Hint 2: an axis for the epochs</summary>
#
# `torch.stack` puts a list of `[N,T]` tensors behind each other along a new first axis. `x.repeat(E, 1, 1)` puts E
# copies of one there.
#
# </details>

# %% check="masks_for_epochs"
some_NT = torch.zeros(40, 50, dtype=torch.long)
begins_NT = some_NT.bool()
begins_NT[:, 0] = True
masks_ENT = {
    dynamic: masks_for_epochs(some_NT, begins_NT, 0.15, 4, dynamic, torch.Generator().manual_seed(0))
    for dynamic in (False, True)
}
check_shape(masks_ENT[True], (4, 40, 50), "epochs come first")
check_true((masks_ENT[False] == masks_ENT[False][0]).all(), "static: the same in every epoch")
check_true((masks_ENT[True][1] != masks_ENT[True][0]).any(), "dynamic: another draw in the next epoch")
for dynamic, name in ((False, "static"), (True, "dynamic")):
    check_true(not masks_ENT[dynamic][:, :, 0].any(), f"{name}: special tokens are left alone")
    share = masks_ENT[dynamic][3].float().mean()
    check_close(share, 0.15, f"{name}: about 15% of the tokens in the last epoch", tolerance=0.05)

# %% [markdown]
# You have built all of BERT's data. Now count: **what share of all words has a model been asked about** after 1, 5, 20
# epochs? **Predict** both curves, static and dynamic.

# %%
from course.figures.week3_masking import words_met

N_FEW, N_EPOCHS = 500, 20
few_NT, few_special_NT = ids_NT[:N_FEW], special_NT[:N_FEW]
masks_ENT, met = {}, {}
for name in ("static", "dynamic"):
    masks_ENT[name] = masks_for_epochs(few_NT, few_special_NT, 0.15, N_EPOCHS, name == "dynamic", generator)
    ever_ENT = masks_ENT[name].cumsum(0) > 0
    met[name] = [(ever_NT.sum() / (~few_special_NT).sum()).item() for ever_NT in ever_ENT]
figure, _ = words_met(met, 0.15)
show(
    figure,
    alt="The static line stays at 15 percent; the dynamic one climbs along the dashed curve to nearly all words.",
)

# %% [markdown]
# Does it matter? Train the same small BERT twice on 500 stories for 20 epochs, once each way, and test it on stories it
# has never seen. In both runs it is asked just as often. **Predict:** which training loss ends lower? Which model is
# better?

# %%
from course.blocks.masked_lm import MaskedLM
from course.configs import EncoderConfig
from course.masked_eval import compare_with_floor, model_losses
from course.training import seeded, train

torch.set_num_threads(1)  # the model is small: a second thread would only get in the way


def small_bert(seed=0):
    with seeded(seed):
        return MaskedLM(EncoderConfig(V, d_model=64, n_heads=4, n_layers=2, d_ff=256, max_len=64))


def batch_loss(model, batch):
    inputs_BT, labels_BT = batch
    asked_BT = labels_BT != -100  # logits are made where they are asked for: the head is the costly part
    logits_nV = model(inputs_BT, inputs_BT != stories.pad_id, chosen=asked_BT)
    return mlm_loss(logits_nV[None], labels_BT[asked_BT][None])


def loss_on_new_stories(model, n_stories=100):
    labels_NT = test_labels_NT[:n_stories]
    losses_NT = model_losses(model, test_inputs_NT[:n_stories], labels_NT, stories.pad_id)
    return (losses_NT.sum() / (labels_NT != -100).sum()).item()


# %%
def train_over_epochs(masks_ENT, *, dynamic, batch_size=25):
    """Return the history of a small BERT trained on the few stories, chosen words as given for each epoch."""
    if dynamic:
        data = mask_tokens(few_NT.repeat(N_EPOCHS, 1), masks_ENT.flatten(0, 1), stories.mask_id, random_ids, generator)
    else:  # what is stored is the masked text: the fates stay too
        once = mask_tokens(few_NT, masks_ENT[0], stories.mask_id, random_ids, generator)
        data = tuple(table_NT.repeat(N_EPOCHS, 1) for table_NT in once)
    order = torch.cat([epoch * N_FEW + torch.randperm(N_FEW, generator=generator) for epoch in range(N_EPOCHS)])
    batches = iter(order.split(batch_size))

    def next_batch(_):
        rows = next(batches)
        return tuple(table[rows] for table in data)

    options = {"n_steps": N_EPOCHS * N_FEW // batch_size, "peak_lr": 5e-3, "evaluate_every": N_FEW // batch_size}
    label = "dynamic masks" if dynamic else "static masks"
    return train(small_bert(), batch_loss, next_batch, evaluate=loss_on_new_stories, label=label, **options)


# %%
from course.figures.week3_masking import learnt_by_heart

curves = {}
for name in ("static", "dynamic"):
    history = train_over_epochs(masks_ENT[name], dynamic=name == "dynamic")
    by_epoch = torch.tensor(history.losses).split(N_FEW // 25)
    curves[name] = [losses.mean().item() for losses in by_epoch], history.evaluations
figure, _ = learnt_by_heart(curves, floor)
show(
    figure,
    alt="Static masks: training loss falls below the floor, loss on new stories rises. Dynamic masks: both fall.",
)

# %% [markdown]
# With static masks the training loss goes *below the floor*, and that is no triumph. The floor is the best that anyone
# can do who does not know the answers: whoever gets below it has learnt them by heart. On new stories that model gets
# worse by the epoch. With dynamic masks the same stories ask a new question each time, and there is little to memorise.
# RoBERTa's gain was far smaller than this (Liu et al. 2019, table 1): with much text and few epochs, no text comes
# often enough to be learnt by heart.

# %% [markdown]
# ## 5 How far from the floor?
#
# Now 16,000 stories. Each is masked when it is fed to the model, by your functions. **Predict:** the loss on
# new stories, between 4.6 (word frequencies) and the floor.

# %%
all_NT, all_special_NT = as_rows(stories.train)


def train_at(rate):
    """Return what a small BERT loses on the floor's own words after 16,000 stories masked at this rate."""

    def sample_batch(generator):
        rows = torch.randint(len(all_NT), (32,), generator=generator)
        chosen_BT = choose_positions(all_NT[rows], all_special_NT[rows], rate, generator)
        return mask_tokens(all_NT[rows], chosen_BT, stories.mask_id, random_ids, generator)

    model = small_bert()
    train(model, batch_loss, sample_batch, n_steps=500, peak_lr=5e-3, label=f"16,000 stories, {rate:.0%} hidden")
    return compare_with_floor(model, stories)


print(train_at(0.15))

# %% [markdown]
# The comparison is on exactly the hidden words that the floor was measured on. Other words would be easier or harder
# for both, and that chance drops out. The ± is what is left of it: the standard error over stories.
#
# Far from perfect, after seconds. The next notebook gives the model more time. Before that: what *can* be reached?

# %% [markdown]
# ## 6 Why 15%?
#
# Hide little, and a story teaches little: only chosen words give a signal. Hide much, and what is left says nothing.
# For a grammar we know, the trade can be computed. **Predict:** at which share of hidden words does the ideal reader's
# loss begin to climb steeply: 20%, 50%, 80%?

# %%
import numpy as np

from course.figures.week3_masking import floor_by_rate
from course.filling import hidden_losses
from course.oracle import Oracle

oracle, rng = Oracle.load(), np.random.default_rng(0)


def hide(story, rate):
    """Return bool [T]: words hidden with probability `rate`, the begin and end tokens never."""
    hidden = rng.random(len(story)) < rate
    hidden[[0, -1]] = False
    return hidden


rates = [0.05, 0.15, 0.25, 0.4, 0.55, 0.7, 0.85, 0.95]
floor_at_rate = [
    np.concatenate([hidden_losses(oracle, story, hide(story, rate)) for story in stories.test[:150]]).mean()
    for rate in rates
]
n_words = (~all_special_NT).sum().item() / len(all_NT)
figure, _ = floor_by_rate(rates, floor_at_rate, nothing_seen=unigram, n_words=n_words)
show(
    figure, alt="The ideal reader's loss hardly rises up to 70 percent hidden words; what a story teaches peaks beyond."
)

# %% [markdown]
# The hidden words hardly get harder until most of the story is gone: these stories say many things twice. So 15% leaves
# most of what a story could teach unasked. But that is the reckoning of a reader who knows the grammar; a learner must
# find it out, from what is left to be seen. Try it: train as before, but with 40% hidden, and test on the same words as
# before, with 15% hidden. **Predict** the loss: higher, since the test is another task than the training, or lower?

# %%
print(train_at(0.4))

# %% [markdown]
# 15% is not a law. For English, Wettig et al. (2023) find that large models learn better with 40% hidden than with 15%,
# and that 80/10/10 gains nothing over plain `[MASK]`. The best rate depends on the text, the model and the time that
# there is to train, and has to be measured.

# %% [markdown]
# ## 7 What does the right side give?
#
# The floor of causal modelling is another number, and it is tempting to put the two side by side. Do not: they are
# losses on **different things**. Causal modelling predicts every word, from a left side that is whole; masked modelling
# a few, with others hidden beside them.
#
# A fair question is: the *same* hidden words, once from what is visible to their left, once from both sides.
# **Predict:** where in a story does the right side help most, at the begin or at the end?

# %%
from course.figures.week3_masking import loss_by_place
from course.filling import left_losses

N_PLACES = 6
pairs = [(story, hide(story, 0.15)) for story in stories.test[:600]]
left = np.concatenate([left_losses(oracle, story, hidden) for story, hidden in pairs])
both = np.concatenate([hidden_losses(oracle, story, hidden) for story, hidden in pairs])
part = np.concatenate([np.flatnonzero(hidden) * N_PLACES // len(hidden) for _, hidden in pairs])
by_place = {
    name: [losses[part == k].mean() for k in range(N_PLACES)]
    for name, losses in {"left side only": left, "both sides": both}.items()
}
figure, _ = loss_by_place([(k + 0.5) / N_PLACES for k in range(N_PLACES)], by_place)
show(
    figure, alt="Over the whole story the reader of both sides loses less; the distance is largest near the beginning."
)
print(f"the same {len(left):,} words: {left.mean():.3f} nats from the left, {both.mean():.3f} from both sides")
print(f"not comparable with them: the causal floor, {stories.floors['causal']['loss']:.3f} nats over all words")

# %% [markdown]
# The distance between the lines is what the right side gives. At the beginning little has been told, and the rest of
# the story gives it away; near the end the left side has told nearly everything. Where both lines are high, no side
# knows: something new is said there.

# %% [markdown]
# ## 8 A surprise: right word by word, wrong together
#
# One thing the ideal reader of masks cannot do. It says, for each hidden word, how probable every word is there. It
# does not say how the hidden words go *together*.
#
# In the story below two neighbours are hidden. **Predict:** each of the two is a toss-up between two words. How many of
# the four pairs make sense?

# %%
from course.figures.week3_masking import pair_of_guesses
from course.filling import chained_losses, pair_tables

story = np.array(stories.test[2])
at = next(t for t in range(len(story)) if stories.vocab[story[t]] == "saw") - 1
first, second, joint, alone = pair_tables(oracle, story, at)
words = [[stories.vocab[i] for i in candidates] for candidates in (first, second)]
around = [stories.vocab[i] for i in story]
print(" ".join([*around[at - 8 : at], "[MASK] [MASK]", *around[at + 2 : at + 11]]))
figure, _ = pair_of_guesses(words, joint, alone)
show(
    figure,
    alt="Two tables of four pairs: two pairs share all the probability; guessed alone, all four get a quarter each.",
)
two = np.isin(np.arange(len(story)), (at, at + 1))
print(f"loss on the two, each by itself: {hidden_losses(oracle, story, two).sum():.3f} nats")
print(f"the second given the first:      {chained_losses(oracle, story, two).sum():.3f} nats")

# %% [markdown]
# The chain rule says what is missing: $\log p(a, b) = \log p(a) + \log p(b \mid a)$, but masked modelling adds $\log
# p(a) + \log p(b)$, as if the two did not know each other. Yang et al. (2019, section 2.5) made the point with the
# words "New York".
#
# So let the ideal reader restore whole stories: every hidden word drawn at once, each from its own distribution; or one
# after the other, each knowing those before it. **Predict:** how many of the stories are ones that the grammar could
# never tell, when half of the words were hidden?

# %%
from course.figures.week3_masking import impossible_stories
from course.filling import fill_at_once, fill_most_probable, fill_one_by_one
from course.progress import Progress

ways = {
    "drawn at once": lambda story, hidden: fill_at_once(oracle, story, hidden, rng),
    "most probable, at once": lambda story, hidden: fill_most_probable(oracle, story, hidden),
    "one after the other": lambda story, hidden: fill_one_by_one(oracle, story, hidden, rng),
}
fill_rates, shares = [0.15, 0.3, 0.5, 0.7], {name: [] for name in ways}
with Progress(total=len(fill_rates) * len(ways), desc="stories restored", unit="kind") as bar:
    for rate in fill_rates:
        pairs = [(story, hide(story, rate)) for story in stories.test[:40]]
        for name, fill in ways.items():
            restored = [fill(story, hidden) for story, hidden in pairs]
            shares[name].append(np.isneginf(oracle.log_probs(restored)).mean())
            bar.update()
figure, _ = impossible_stories(fill_rates, shares)
show(figure, alt="Filled in at once, ever more stories are impossible as more is hidden; one after the other, none is.")

# %% [markdown]
# A perfect reader, and it writes nonsense. Its predictions are right one by one, and that is all that this objective
# asks for. An encoder trained this way *understands*; to *write*, words must be made one after the other, each knowing
# those before it. Week 4 does only that, and week 5 lets a decoder restore what an encoder saw hidden.

# %% [markdown]
# ## In practice
#
# Masks are drawn in the data loader, on the fly, as your dynamic ones; libraries call the piece a *collator*. Whole
# words are masked rather than pieces of them, or spans (Joshi et al. 2020), since a piece is easily guessed from its
# other half. Rates of 15% to 40% are in use; 80/10/10 is kept more from habit than from need. And a loss below a known
# floor, or one that is too good to be true, is a leak: look for a label that can be seen in the input.

# %% [markdown]
# ## What now works
#
# You can turn any text into questions with known answers: positions drawn, 80/10/10, labels, loss, and fresh masks for
# every epoch. You know what the best answers would cost, and what this objective cannot teach.

# %% [markdown]
# ## What comes next
#
# The questions are there, and so is week 2's encoder. The next notebook puts them together into **BERT**: embeddings, a
# stack of blocks, and the head that restores words.
