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
# # Week 5, notebook 3: BART
#
# | | |
# |---|---|
# | **You build** | BART's two noises: spans hidden behind one mask each, and sentences in another order |
# | **You need** | notebook 1 (spans, sentinels); notebook 2 (an encoder-decoder and its loss) |
# | **Time** | about 45 minutes; everything runs in about two minutes |
# | **Points** | 5 |

# %% [markdown]
# ## Break it, then write it out whole
#
# T5's decoder writes what is missing, and nothing else. BART (Lewis et al. 2020, section 2) asks for more: break a text
# in *any* way, and let the decoder write **the whole text**, as it was.
#
# $$\text{noise}(w_1 \dots w_T) \;\longrightarrow\; w_1 \dots w_T$$
#
# The target no longer depends on the noise. So the noise may do what sentinels could not describe: insert, delete, cut
# and reorder. You write the two noises that BART was trained with, train a small BART, and ask it to mend stories.

# %% setup=true
import torch

from course.checks import check_equal, check_true

# %% [markdown]
# ## 1 Text infilling
#
# Spans are hidden, as in T5, and each becomes **one mask**, however long it is. All masks are the same token: no
# sentinel numbers them, since the target need not say which is which.
#
# A span's length is drawn from a **Poisson distribution** with mean $\lambda$ (BART: 3). It can be 0. A span of length
# 0 hides nothing: a mask is *inserted*, and no token is missing there. So a mask stands for none, one or many tokens,
# and the model must find out how many (Lewis et al. 2020, section 2.2).

# %% [markdown]
# **How many spans?** Let $n$ be `round(T * density)`, the number of tokens to hide. Draw lengths, one after the other,
# until they add up to $n$ or more; cut the last one, so that they add up to exactly $n$. Then stop. If $n$ is 0,
# nothing is drawn.
#
# With $n = 5$: the draws 2, 0, 4 become the lengths **2, 0, 3**.

# %% [markdown]
# **Where?** The $T - n$ tokens that stay visible leave $T - n + 1$ **gaps**: before the first, between two neighbours,
# behind the last. Each span goes into a gap of its own, and every choice of gaps is equally likely. So two masks never
# touch: a visible token stands between them. Which length goes into which of the chosen gaps is up to you.
#
# If there are more spans than gaps, join some of them until there is one for each gap. At density 1 no token stays, one
# gap is left, and the result is a single mask.

# %% [markdown]
# A worked example, $T = 8$, density 0.625, so $n = 5$. The lengths are 2, 0, 3. Three tokens stay, with four gaps,
# 0 to 3. Say that gaps 0, 2 and 3 are chosen, and that the lengths go there in their order:
#
# | gap 0 | | gap 1 | | gap 2 | | gap 3 |
# |---|---|---|---|---|---|---|
# | ~~the cat~~ → `[MASK]` | saw | | a | nothing → `[MASK]` | bird | ~~in the tree~~ → `[MASK]` |
#
# The result is `[MASK] saw a [MASK] bird [MASK]`: 8 tokens less 5, plus 3 masks.


# %% exercise="infill" points=3
def infill(
    ids: torch.Tensor, density: float, poisson_rate: float, mask_id: int, generator: torch.Generator
) -> torch.Tensor:
    """Return a text in which spans are hidden, each behind one mask. The target is ids itself, and is not returned.

    Args:
        ids: long [T], T at least 1; mask_id is not among them. Not changed.
        density: share of the tokens to hide, from 0 to 1: n = round(T * density) of them in all, by Python's round.
        poisson_rate: mean of the Poisson distribution that lengths of spans are drawn from, in tokens, above 0.
        mask_id: the id of [MASK].
        generator: where all random numbers come from.

    Returns:
        long [T - n + K], K the number of spans: the tokens that stay, in their order, and a mask for each span. A span
        of length 0 inserts a mask and hides nothing. No two masks are neighbours; every choice of K of the T - n + 1
        gaps is equally likely. Where more spans are drawn than there are gaps, K is the number of gaps.

    Example:
        >>> infill(torch.tensor([7, 8, 9]), 1.0, 3.0, 4, torch.Generator().manual_seed(0))
        tensor([4])
    """
    ### BEGIN SOLUTION
    n_hidden = round(len(ids) * density)
    lengths = []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = [*lengths[: n_gaps - 1], sum(lengths[n_gaps - 1 :])]
    chosen_gaps = torch.randperm(n_gaps, generator=generator)[: len(lengths)].tolist()
    span_len = dict(zip(chosen_gaps, lengths, strict=True))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in span_len:
            inputs.append(mask_id)
            place += span_len[gap]
        if gap < n_gaps - 1:  # behind the last gap stands nothing
            inputs.append(int(ids[place]))
            place += 1
    return torch.tensor(inputs, dtype=ids.dtype, device=ids.device)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: drawing lengths and gaps</summary>
#
# `torch.poisson(torch.tensor(3.0), generator=generator)` draws one length, as a float. A `while` loop goes on as long
# as the sum is below n; `min(drawn, what is still missing)` cuts the last. `torch.randperm(n_gaps,
# generator=generator)[:K]` chooses K different gaps.
#
# </details>
#
# <details><summary>Hint 2: putting it together</summary>
#
# Go through the gaps from left to right with a place in the text. If the gap has a span: append a mask and move the
# place on by the span's length. Then, unless it was the last gap, append the token at the place and move on by one.
#
# </details>

# %% check="infill"
text_T = torch.tensor([20, 21, 22, 23, 24, 25])
check_equal(infill(text_T, 0.0, 3.0, 4, torch.Generator().manual_seed(0)), text_T, "density 0 hides nothing")
check_equal(
    infill(text_T, 1.0, 3.0, 4, torch.Generator().manual_seed(0)).tolist(), [4], "density 1: one mask is all that stays"
)
long_span = infill(text_T, 0.5, 1000.0, 4, torch.Generator().manual_seed(0)).tolist()
with_a_hole = [[*range(20, 20 + k), 4, *range(23 + k, 26)] for k in range(4)]
check_true(
    long_span in with_a_hole,
    "a length of about 1000 is cut to 3 of 6 tokens, behind one mask",
    cause="one mask for the whole span; the tokens that stay keep their order.",
)
many_T = infill(torch.arange(10, 1010), 0.3, 3.0, 4, torch.Generator().manual_seed(0))
check_equal(int((many_T != 4).sum()), 700, "of 1000 tokens 700 stay")
check_true(not ((many_T[1:] == 4) & (many_T[:-1] == 4)).any(), "no two masks are neighbours")
crowded_T = infill(torch.arange(10, 40), 0.8, 1.0, 4, torch.Generator().manual_seed(0))
check_equal(
    (crowded_T == 4).tolist(),
    [True, False] * 6 + [True],
    "6 of 30 tokens stay, and there are more spans than gaps: a mask in each of the 7 gaps",
)
check_true(75 < int((many_T == 4).sum()) < 125, "300 tokens make about 100 spans of mean length 3")

# %% [markdown]
# Hand it *positions* instead of words, and its result shows which positions stayed. From that you can read how many
# tokens each mask stands for. **Predict:** which number of tokens is the most common behind a mask? How often is it 0?

# %%
from course.figures import show
from course.figures.week5_bart import hidden_lengths
from course.infilling import hidden_runs
from course.stories import Stories, pad

stories = Stories.load()
MASK, STOP = stories.mask_id, stories.vocab.index(".")
generator = torch.Generator().manual_seed(1)
texts = [torch.tensor(story[1:-1]) for story in stories.train]  # without begin and end
runs = []
for text_T in texts[:1000]:
    places_T = infill(torch.arange(len(text_T)), 0.3, 3.0, -1, generator)
    runs += hidden_runs(places_T, len(text_T))
figure, _ = hidden_lengths(runs, poisson_rate=3.0)
show(
    figure,
    alt="Bars of how many tokens a mask stands for, from 0 to 10; they follow the points of a Poisson of mean 3.",
)

# %% [markdown]
# The bars at 1 and 2 stand above the points, and the long ones below: the last span of each text is cut. About one mask
# in twenty stands for nothing at all.
#
# Now what BART and T5 make of the same stories, of about 56 tokens each. **Predict:** how many tokens must each decoder
# write? How many of them were hidden, and how many could it copy from the input?

# %%
from course.spans import corrupt, random_spans

mean_len = sum(len(text_T) for text_T in texts[:1000]) / 1000
print(f"a story has {mean_len:.0f} tokens; what follows is with the end token")
lengths = {"T5, 15% hidden": [], "BART, 30% hidden": []}
for text_T in texts[:1000]:
    noise_T = random_spans(len(text_T), 0.15, 3.0, generator)
    inputs, targets = corrupt(text_T, noise_T, stories.sentinel_ids, stories.eos_id)
    lengths["T5, 15% hidden"].append((len(inputs), len(targets), int(noise_T.sum())))
    inputs = infill(text_T, 0.3, 3.0, MASK, generator)
    n_missing = len(text_T) - int((inputs != MASK).sum())
    lengths["BART, 30% hidden"].append((len(inputs) + 1, len(text_T) + 1, n_missing))
for name, rows in lengths.items():
    n_inputs, n_targets, n_hidden = torch.tensor(rows, dtype=torch.float).mean(0).tolist()
    print(f"{name}: reads {n_inputs:.0f} tokens, writes {n_targets:.0f}, of which {n_hidden:.0f} were hidden")

# %% [markdown]
# BART's decoder writes several times as much, and most of that stands in the input. This costs time. It buys freedom: a
# target that is always the text itself allows any noise. And the decoder learns to write whole texts, which is what a
# summary needs.
#
# ## 2 Sentences in another order
#
# The second noise leaves every word as it is. It cuts the text into sentences and puts them in a random order. To undo
# it, a model must know how stories go.

# %% [markdown]
# A sentence ends with its stop, and the stop belongs to it. Tokens behind the last stop are one more sentence, without
# a stop. A stop that follows another stop is a sentence too, of one token. Every order is equally likely, the old one
# too. A worked example with stop 6:
#
# | | |
# |---|---|
# | text | 7 8 **6** 9 **6** 5 |
# | sentences | `7 8 6`, `9 6`, `5` |
# | one of six orders | `9 6`, `5`, `7 8 6` |
# | result | 9 **6** 5 7 8 **6** |


# %% exercise="permute_sentences" points=2
def permute_sentences(ids: torch.Tensor, stop_id: int, generator: torch.Generator) -> torch.Tensor:
    """Return a text with its sentences in a random order.

    Args:
        ids: long [T], T at least 1. Not changed.
        stop_id: the token that ends a sentence and belongs to it. Tokens behind the last stop are one more sentence. A
            stop alone, first in the text or behind another stop, is a sentence too.
        generator: where all random numbers come from.

    Returns:
        long [T]: the same sentences, each as it was, one behind the other; every order is equally likely.

    Example:
        >>> permute_sentences(torch.tensor([7, 8, 6]), 6, torch.Generator().manual_seed(0))
        tensor([7, 8, 6])
    """
    ### BEGIN SOLUTION
    sentences, sentence = [], []
    for token in ids.tolist():
        sentence.append(token)
        if token == stop_id:
            sentences.append(sentence)
            sentence = []
    if sentence:
        sentences.append(sentence)
    order = torch.randperm(len(sentences), generator=generator).tolist()
    permuted = [token for i in order for token in sentences[i]]
    return torch.tensor(permuted, dtype=ids.dtype, device=ids.device)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: cutting</summary>
#
# Go through the tokens and collect them in a list; after a stop, put the list aside and begin a new one. At the end,
# what has been collected since the last stop is a sentence too, unless it is empty.
#
# </details>
#
# <details><summary>Hint 2: an even draw</summary>
#
# `torch.randperm(n, generator=generator)` gives the numbers 0 to n - 1 in an order drawn evenly from all n! of them.
# Swapping each sentence with a random one, or drawing again when nothing moved, would favour some orders.
#
# </details>

# %% check="permute_sentences"
text_T = torch.tensor([7, 8, 6, 9, 6, 5])
one_T = permute_sentences(text_T[:3], 6, torch.Generator().manual_seed(0))
check_equal(one_T.tolist(), [7, 8, 6], "one sentence has one order")
drawn = {tuple(permute_sentences(text_T, 6, torch.Generator().manual_seed(k)).tolist()) for k in range(200)}
possible = {(7, 8, 6, 9, 6, 5), (7, 8, 6, 5, 9, 6), (9, 6, 7, 8, 6, 5)}
possible |= {(9, 6, 5, 7, 8, 6), (5, 7, 8, 6, 9, 6), (5, 9, 6, 7, 8, 6)}
check_true(
    drawn <= possible,
    "each sentence stays whole, with its stop behind it",
    cause="the sentences here are 7 8 6, then 9 6, then 5, which has no stop and gets none.",
)
check_equal(
    len(drawn),
    6,
    "three sentences: in 200 draws all six orders come up, the old one too",
    cause="the 5 behind the last stop is a sentence of its own, and may come anywhere.",
)
check_equal(text_T.tolist(), [7, 8, 6, 9, 6, 5], "the text that you were given is as it was")

# %% [markdown]
# ## 3 All the noises in one picture
#
# Lewis et al. (2020, section 2.2) tried two more. **Deletion** takes tokens away and leaves no mask: the model must
# find out *where* something is missing. **Rotation** turns the text so that it begins at some token in the middle. Both
# are given. Each function gets the story's *places* instead of its words, so that the picture can show where each word
# came from.
#
# **Predict:** which of the four would be the hardest for you to undo?

# %%
from course.figures.week5_bart import story_under_noises
from course.infilling import delete_tokens, rotate

story_T = torch.tensor(stories.test[1][1:-1])
words = [stories.vocab[i] for i in story_T]
places_T = torch.arange(len(story_T)).masked_fill(story_T == STOP, -2)  # so that the sentences' ends can be seen
generator = torch.Generator().manual_seed(4)
noised = {
    "text infilling": infill(places_T, 0.3, 3.0, -1, generator),
    "sentence permutation": permute_sentences(places_T, -2, generator),
    "token deletion": delete_tokens(places_T, 0.15, generator),
    "rotation": rotate(places_T, generator),
}
figure, _ = story_under_noises(words, {name: places_T.tolist() for name, places_T in noised.items()})
show(
    figure,
    alt="One story five times, each sentence in a colour: whole; with black masks; with its sentences in another "
    "order; with words missing and no mask; beginning in the middle of a sentence.",
)

# %% [markdown]
# ## 4 The model
#
# BART is week 2's encoder-decoder, post-norm, with GELU for ReLU and learned positions; encoder, decoder and head share
# one table of words. The block is given: `Bart(config)` maps (noised ids `[B,S]`, ids so far `[B,T]`, padding mask of
# the noised ids) to logits `[B,T,V]`.
#
# Does it compute what others call BART? A small checkpoint decides that. Its weights are random, so it knows nothing.
# But the library `transformers` ran it once, and the logits that came out are stored beside it.

# %%
from course.bart_checkpoints import load_bart
from course.checkpoints import read_expected

expected = read_expected("small_bart")


@torch.no_grad()
def largest_difference(model):
    """Return how far the model's logits on real tokens lie from the library's, at most."""
    logits_BTV = model(expected["ids"], expected["target_ids"], expected["mask"])
    return (logits_BTV - expected["logits"])[expected["target_mask"]].abs().max().item()


difference = largest_difference(load_bart("small_bart"))
check_true(difference < 1e-5, "the same weights give the same logits as the library, to 1e-5")

# %% [markdown]
# Section 2.1 of the paper names GELU and the sizes. Three more things one learns from the released code alone: a layer
# norm behind the embeddings, positions that are counted from 2, and a bias on the logits. Take each of these away, one
# at a time; and, for comparison, put the layer norms before the sublayers instead of behind them (pre-norm).
#
# **Predict:** which does the most harm? Would you notice it, if you had no numbers to compare with?

# %%
broken = {name: load_bart("small_bart") for name in ("no norm", "positions from 0", "no bias", "pre-norm blocks")}
broken["no norm"].encoder_norm = broken["no norm"].decoder_norm = torch.nn.Identity()
for table in (broken["positions from 0"].encoder_position, broken["positions from 0"].decoder_position):
    table.weight.data = table.weight.data.roll(2, dims=0)
broken["no bias"].final_logits_bias.zero_()
for block in [*broken["pre-norm blocks"].encoder_blocks, *broken["pre-norm blocks"].decoder_blocks]:
    block.pre_norm = True
print(f"as it is: the logits differ by {difference:.0e}; their standard deviation is {expected['logits'].std():.1f}")
for name, model in broken.items():
    print(f"{name}: by {largest_difference(model):.1f}")

# %% [markdown]
# None of them raises an error: only the numbers tell. Other people's weights are of use only in *exactly* their model.
#
# ## 5 Train it
#
# Train a small BART on your two noises: half of the stories are infilled at 30%, half have their sentences permuted.
# The target is always the story. The decoder reads the story from its begin token on, and at each place is asked for
# the next token: notebook 2's shift to the right.

# %%
from torch.nn import functional

from course.blocks.bart import Bart
from course.configs import BartConfig
from course.training import seeded, train

torch.set_num_threads(1)  # the model is small: a second thread would only get in the way


def as_rows(documents):
    """Return long [B,T]: each text between its begin and end token, padded."""
    return pad([[stories.bos_id, *ids_T.tolist(), stories.eos_id] for ids_T in documents], stories.pad_id)[0]


def sample_batch(generator):
    originals = [texts[i] for i in torch.randint(len(texts), (16,), generator=generator).tolist()]
    noised = [infill(ids_T, 0.3, 3.0, MASK, generator) for ids_T in originals[:8]]
    noised += [permute_sentences(ids_T, STOP, generator) for ids_T in originals[8:]]
    return as_rows(noised), as_rows(originals)


# %%
def token_losses(model, batch):
    """Return [B,T-1]: the loss in nats on each token behind the begin token, 0 on padding."""
    inputs_BS, story_BT = batch
    logits_BTV = model(inputs_BS, story_BT[:, :-1], inputs_BS != stories.pad_id)
    return functional.cross_entropy(logits_BTV.mT, story_BT[:, 1:], ignore_index=stories.pad_id, reduction="none")


def batch_loss(model, batch):
    return token_losses(model, batch).sum() / (batch[1][:, 1:] != stories.pad_id).sum()


with seeded(0):
    bart = Bart(BartConfig(len(stories.vocab), d_model=96, n_heads=4, n_layers=2, d_ff=192, max_len=80))
train(bart, batch_loss, sample_batch, n_steps=1200, peak_lr=2e-3, warmup=150, label="your noises, a small BART")
bart = bart.cpu()

# %% [markdown]
# First infilled stories: 100 that it has never seen. For T5's targets there is a floor, the loss of notebook 2's ideal
# reader. Here twice as much is hidden, and your BART has trained for 1200 steps only. **Predict:** how far above that
# floor is its loss per target token?

# %%
generator = torch.Generator().manual_seed(5)
unseen = [torch.tensor(story[1:-1]) for story in stories.test[:100]]
infilled, hidden = [], []
for ids_T in unseen:
    places_T = infill(torch.arange(len(ids_T)), 0.3, 3.0, -1, generator)
    infilled.append(torch.where(places_T < 0, MASK, ids_T[places_T]))
    hidden.append([*(~torch.isin(torch.arange(len(ids_T)), places_T)).tolist(), False])  # the end is never hidden
with torch.no_grad():
    losses_BT = token_losses(bart, (as_rows(infilled), as_rows(unseen)))
hidden_BT = pad(hidden, 0)[0].bool()
real_BT = as_rows(unseen)[:, 1:] != stories.pad_id
print(f"your BART: {losses_BT[real_BT].mean():.3f} nats per target token")
print(f"the floor of T5's targets: {stories.floors['span']['loss']:.3f}")

# %% [markdown]
# Is that better than perfect? Look at where the loss is. A loss per token is an average over *its own* targets, and
# most of BART's targets stand in the input.

# %%
from course.figures.week5_bart import loss_on_words

print(f"copied: {losses_BT[real_BT & ~hidden_BT].mean():.3f} nats, hidden: {losses_BT[hidden_BT].mean():.3f} nats")
n, b = len(unseen[1]), 1
figure, _ = loss_on_words([stories.vocab[i] for i in unseen[b]], losses_BT[b, :n].tolist(), hidden[b][:n])
show(figure, alt="A story with the loss behind each word: strong colours only on framed words, those that were hidden.")

# %% [markdown]
# ## 6 Which order?
#
# Now the permuted stories. A story has about 8 sentences, and $8! = 40{,}320$ orders. The grammar says how probable
# each of them is, so there is an ideal reader for this noise too: it knows the grammar and the sentences, but not their
# order.
#
# **Predict:** how many of the 40,320 orders of a story could the grammar tell? How often does the ideal reader hit the
# right one?

# %%
from course.infilling import split_sentences
from course.oracle import Oracle
from course.sentence_order import nearest_order, possible_orders

oracle = Oracle.load()
bags = [[sentence_T.tolist() for sentence_T in split_sentences(ids_T, STOP)] for ids_T in unseen]
orders = [possible_orders(oracle, bag) for bag in bags]
counts = torch.tensor([len(found.orders) for found in orders])
best_rate = sum(found.probabilities[0] for found in orders) / len(orders)
print(f"sentences in a story: {sum(map(len, bags)) / len(bags):.1f} on average")
print(f"possible orders of a story: {counts.min()} to {counts.max()}, {counts.float().mean():.2f} on average")
print(f"the ideal reader restores {best_rate:.0%} of the permuted stories word for word")
b = int(counts.argmax())
for order in orders[b].orders[:2]:
    print("\n" + stories.decode([token for place in order for token in bags[b][place]]))

# %% [markdown]
# Little is left to chance. Where two orders are possible, two sentences tell of something beside the story, and either
# could come first.
#
# So a reader who knows stories can put them back. And the words? They are all there: once the order is known, the rest
# is copying. **Predict:** of 50 permuted stories, in how many does your BART find a possible order? How many does it
# give back word for word?


# %%
def mend(documents):
    """Return what your BART makes of noised texts, each long [T] without begin and end."""
    inputs_BS = as_rows(documents)
    options = {"begin_id": stories.bos_id, "end_id": stories.eos_id, "max_new_tokens": 66}
    return bart.write(inputs_BS, inputs_BS != stories.pad_id, **options)


def in_order(written, n):
    """Return whether a text tells the sentences of unseen story n in an order that the grammar could tell."""
    told = [sentence_T.tolist() for sentence_T in split_sentences(torch.tensor(written, dtype=torch.long), STOP)]
    return nearest_order(told, bags[n]) in orders[n].orders


def judged(written):
    """Return what is true of each of the first texts mended: three lists of booleans, by claim."""
    rows = [[stories.bos_id, *ids, stories.eos_id] for ids in written]
    return {
        "a possible story": [oracle.log_prob(row) > -torch.inf for row in rows],
        "sentences in order": [in_order(ids, n) for n, ids in enumerate(written)],
        "word for word": [ids == ids_T.tolist() for ids, ids_T in zip(written, unseen, strict=False)],
    }


N = 50
permuted = [permute_sentences(ids_T, STOP, generator) for ids_T in unseen[:N]]
mended = mend(permuted)
claims = {"permuted": judged(mended)}
print(f"in a possible order: {sum(claims['permuted']['sentences in order'])} of {N}")
print(f"word for word: {sum(claims['permuted']['word for word'])} of {N}")

# %% [markdown]
# The hard part mostly works, and the easy part fails. Read what it wrote: behind each word that differs stands what it
# was.

# %%
exact = claims["permuted"]["word for word"]
b = next((n for n, same in enumerate(exact) if not same and len(mended[n]) == len(unseen[n])), 0)
print("noised:", stories.decode(permuted[b]), "\n")
pairs = zip(mended[b], unseen[b].tolist(), strict=False)
print("mended:", " ".join(stories.vocab[i] + (f" (was: {stories.vocab[k]})" if i != k else "") for i, k in pairs))
print(f"\nof {N} mended stories, {sum(claims['permuted']['a possible story'])} are stories that the grammar could tell")

# %% [markdown]
# ## 7 A surprise: mend what is not broken
#
# What it makes of a permuted story is nearly always a possible story. It is just not *the* story. How far does that go?
# Give it noises that it was never trained on, deletion and rotation. And give it stories that nobody harmed.
#
# **Predict:** of stories without any noise, how many come back word for word?

# %%
from course.figures.week5_bart import what_comes_back
from course.progress import Progress

others = {
    "no noise": lambda ids_T: ids_T,
    "infilled": lambda ids_T: infill(ids_T, 0.3, 3.0, MASK, generator),
    "rotated (new)": lambda ids_T: rotate(ids_T, generator),
    "deleted (new)": lambda ids_T: delete_tokens(ids_T, 0.15, generator),
}
with Progress(total=len(others), desc="stories mended", unit="noise") as bar:
    for name, noise in others.items():
        claims[name] = judged(mend([noise(ids_T) for ids_T in unseen[:N]]))
        bar.update()

# %%
shares = {
    name: {claim: sum(holds) / N for claim, holds in claims[name].items()}
    for name in ("no noise", "permuted", "infilled", "rotated (new)", "deleted (new)")
}
figure, _ = what_comes_back(shares, ideal={"no noise": 1.0, "permuted": best_rate})
show(
    figure,
    alt="For each noise three bars. Most of what comes back is a possible story; the sentences are mostly in order, "
    "but seldom after deletion; hardly any story comes back word for word, even where there was no noise.",
)

# %% [markdown]
# How can a model that tells stories so well copy them so badly? A story comes back word for word only if *every* token
# is right. Count how often your BART holds the right token of an unharmed story to be the most probable one, and what
# that makes of a whole story.

# %%
story_BT = as_rows(unseen)
with torch.no_grad():
    choices_BT = bart(story_BT, story_BT[:, :-1], story_BT != stories.pad_id).argmax(-1)
share_right = (choices_BT == story_BT[:, 1:])[real_BT].float().mean().item()
story_len = real_BT.sum(1).float().mean().item()
print(f"{share_right:.1%} of the tokens are right, each behind the true story so far")
print(f"{story_len:.0f} in a row, if errors were independent: {share_right**story_len:.0%}")

# %% [markdown]
# A story goes in whole, and another comes out: fluent, possible, and not what was said. After its 1200 steps the
# decoder knows what stories are *like*; it is not yet faithful to the one in front of it. Nor is this a failing of
# small models alone: Maynez et al. (2020) found that most one-sentence summaries by the neural summarisers of their
# time said something that the article did not.
#
# Rotation was never trained, and yet the order is mostly restored: who knows how stories go can undo noises that were
# never shown. Deletion is harder, since nothing tells where to look. And infilled stories cannot be expected back word
# for word: what was hidden must be guessed.

# %% [markdown]
# ## In practice
#
# BART's large model uses both of your noises on every text: 30% of the tokens infilled, and all sentences permuted
# (Lewis et al. 2020, section 5). Permutation or rotation *alone* teaches too little: in the paper's table 1, models
# trained so are far behind those that must restore hidden words. To write the whole text makes a training step dearer
# than T5's. In return the decoder is at home with whole texts; summaries are what BART became known for. Check what it
# writes against the source.

# %% [markdown]
# ## What now works
#
# You can break a text in both of the ways that BART was trained on, and you know a model whose logits are the
# library's, to 1e-5. You have seen two things that a loss per token hides: what its targets are, and whether the text
# that comes out is the one that was meant.

# %% [markdown]
# ## What comes next
#
# An encoder-decoder turns text into text. So far the target was the text itself. The next notebook gives it others: a
# translation, a summary, an answer, all with one model and one loss.
