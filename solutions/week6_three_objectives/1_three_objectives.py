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
# # Week 6, notebook 1: one corpus, one budget
#
# | | |
# |---|---|
# | **You build** | the ledger of a fair comparison: what training costs, how much a text asks, what is left to gain |
# | **You need** | weeks 3 to 5: masked, causal and span-corrupting models |
# | **Time** | about 75 minutes; everything runs in about two minutes |
# | **Points** | 9: 5 by the checks, 4 by your instructor for section 8 |

# %% [markdown]
# ## Which of the three is best?
#
# You have built three families. Each reads the same stories and is asked something else about them:
#
# | family | model | question | sees |
# |---|---|---|---|
# | encoder-only | BERT | which words are hidden here? | both sides |
# | decoder-only | GPT | what comes next? | the left |
# | encoder-decoder | T5 | which spans are missing? | both sides, then its own answer |

# %% [markdown]
# So which one should you pretrain? Papers answer with models of different sizes, on different texts, for different
# compute, and often with the loss of one objective beside the loss of another. Here you can do better: one corpus, one
# budget, and for each objective an exact floor.
#
# A fair comparison needs a ledger of three columns: what was **paid**, how much was **asked**, and how much of the loss
# was **avoidable**. You write one function for each.

# %% setup=true
from course.checks import check_close, check_equal, check_true

# %% [markdown]
# ## 1 What was paid
#
# Steps are no measure: a step of one model may do twice the work of another's. Seconds depend on the machine. What
# papers count is **floating-point operations**, FLOPs, and a rule of thumb suffices for it.
#
# Nearly all parameters of a Transformer stand in matrices, and each meets every token once. In the forward pass that is
# one multiplication and one addition: 2 operations for each parameter and token.

# %% [markdown]
# The backward pass goes through the same matrices twice: once for the gradient of what came in, once for the gradient
# of the matrix itself. That is 4 more. With $N$ parameters and $D$ tokens (Kaplan et al. 2020, section 2.1):
#
# $$C \approx 6\, N D$$
#
# A worked example: 1,000 parameters trained on 50 tokens cost $6 \cdot 1{,}000 \cdot 50 = 300{,}000$ FLOPs. A text that
# is read twice counts twice.


# %% exercise="training_flops" points=2
def training_flops(n_params: float, n_tokens: float) -> float:
    """Return about how many floating-point operations a training costs, forward and backward.

    Args:
        n_params: parameters that each token meets, N; at least 0.
        n_tokens: tokens that went through the model, D, each counted as often as it did; at least 0. It may be an
            average, such as 57.4 tokens a story.

    Returns:
        6 N D, in FLOPs. It may be a very large number.

    Example:
        >>> training_flops(1_000, 50)
        300000.0
    """
    ### BEGIN SOLUTION
    return 6.0 * n_params * n_tokens
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: where does the 6 come from?</summary>
#
# Two operations (multiply, add) for each parameter and token in the forward pass, twice as many in the backward pass:
# 2 + 4.
#
# </details>
#
# <details><summary>Hint 2: what must I not do?</summary>
#
# Round. An average number of tokens is not a whole number, and `int(...)` or `//` would cut something off. Plain Python
# floats hold numbers up to $10^{308}$, which is enough for every model yet.
#
# </details>

# %% check="training_flops"
check_close(training_flops(1_000, 50), 300_000.0, "the worked example: 300,000 FLOPs")
check_close(training_flops(1_000, 100), 600_000.0, "twice the tokens, twice the price")
check_close(training_flops(1, 0.5), 3.0, "half a token on average costs half of 6")

# %% [markdown]
# **Predict:** GPT-3 has 175 billion parameters and read 300 billion tokens (Brown et al. 2020, table 2.1 and section
# 2.2). A laptop's core does perhaps 20 billion operations a second. How many years would it take?

# %%
gpt3 = training_flops(175e9, 300e9)
years = gpt3 / 20e9 / (365 * 24 * 3600)
print(f"GPT-3: {gpt3:.2e} FLOPs (the paper's own count, table D.1: 3.14e+23), {years:,.0f} years on one core")

# %% [markdown]
# ## 2 How much was asked
#
# Two models may read the same text at the same price and learn from it at different speeds: the loss is an average over
# **targets**, and only targets give gradients. How many does one text of $T$ tokens offer?
#
# - **causal**: every token but the first, $T - 1$ (week 4).
# - **masked**: each token is chosen with probability `rate`, so on average $\text{rate} \cdot T$ (week 3).
# - **span**: a fixed number of tokens is noise. You wrote the rule in week 5, in `random_spans`; write it again here,
#   without an import.

# %% [markdown]
# For the spans, T5's procedure once more: $\text{rate} \cdot T$ is **rounded**, a half going to the even neighbour as
# Python's `round` does; then it is raised to at least 1 and cut to at most $T - 1$. A text of one token, or a rate of
# 0, has no noise at all. The decoder also writes sentinels and an end token; these are no words of the text and do not
# count here.
#
# A worked example, $T = 30$ and rate 0.15: causal 29, masked 4.5, span 4 (4.5 lies half-way, and 4 is even).


# %% exercise="targets_per_sequence" points=2
def targets_per_sequence(objective: str, length: int, rate: float = 0.15, mean_span_len: float = 3.0) -> float:
    """Return how many real tokens of one text a model is asked for, on average.

    Args:
        objective: "causal", "masked" or "span".
        length: tokens of the text, T, at least 1.
        rate: share of tokens that are hidden, from 0 to 1; for "masked" the probability of each to be chosen, for
            "span" the density. "causal" hides nothing and takes no notice of it.
        mean_span_len: mean length of a span in tokens, above 0, for "span". It decides in how many spans the noise
            stands, and so how many sentinels there are.

    Returns:
        Tokens: length - 1 for "causal", rate x length for "masked", not rounded; for "span" the noise tokens of
        `random_spans`: rate x length rounded (half to even), at least 1, at most length - 1, but 0 where the length is
        1 or the rate is 0. Sentinels are not counted.

    Example:
        >>> [targets_per_sequence(objective, 30) for objective in ("causal", "masked", "span")]
        [29, 4.5, 4]
    """
    ### BEGIN SOLUTION
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    if length == 1 or rate == 0:
        return 0
    return min(max(round(rate * length), 1), length - 1)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: why is mean_span_len among the arguments?</summary>
#
# Because the procedure has it. Look at what it changes: 9 noise tokens may stand in 3 spans of 3 or in 9 spans of 1.
# The number of spans changes, the number of noise tokens does not.
#
# </details>
#
# <details><summary>Hint 2: in which order do I round and bound?</summary>
#
# Nothing to hide first: length 1 or rate 0 gives 0. Otherwise round, then `max(..., 1)`, then `min(..., length - 1)`.
# Python's own `round` already sends 4.5 to 4 and 7.5 to 8. Do not round for "masked": an average of 4.5 is a fine
# answer.
#
# </details>

# %% check="targets_per_sequence"
check_equal(targets_per_sequence("causal", 30), 29, "causal: every token but the first")
check_close(targets_per_sequence("masked", 30), 4.5, "masked: 15% on average, not rounded")
check_equal(targets_per_sequence("span", 30), 4, "span: 4.5 is rounded to the even neighbour")
check_equal(targets_per_sequence("span", 50), 8, "and 7.5 too")
check_equal(targets_per_sequence("span", 2, rate=0.9), 1, "at least one token stays visible")

# %% [markdown]
# ## 3 How much was avoidable
#
# A causal model at 0.9 nats, a masked one at 0.7: is the second better? The question has no meaning yet. They answered
# different questions, and some of the loss is nobody's fault: which name comes next cannot be known. What no reader can
# avoid is the **floor** of the objective. What a model loses above it is its own:
#
# $$\text{gap} = L - L^{*}$$

# %% [markdown]
# Why the difference, and not the quotient? Because it means something. On a target with ideal probabilities $p$ and the
# model's $q$, the gap is on average $\sum_w p(w) \log \frac{p(w)}{q(w)}$, the Kullback-Leibler divergence: nats that
# the model pays for believing $q$. It is 0 for the ideal reader, whether the text is easy or hard.
#
# A worked example: a loss of 0.9 above a floor of 0.78 is a gap of 0.12 nats. A loss of 0.7 above a floor of 0.54 has a
# gap of 0.16: lower, and yet further from perfect.


# %% exercise="gap_to_floor" points=1
def gap_to_floor(loss: float, floor: float) -> float:
    """Return how many nats a model pays above the best possible reader.

    Args:
        loss: the model's mean loss in nats per target.
        floor: the ideal reader's mean loss in nats on the same targets.

    Returns:
        Nats per target. 0 at the floor; negative where the loss is below it, which is a sign of a leak or of chance,
        and is to be seen.

    Example:
        >>> round(gap_to_floor(0.9, 0.78), 4)
        0.12
    """
    ### BEGIN SOLUTION
    return loss - floor
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which way round?</summary>
#
# A model that is worse than the ideal reader has the higher loss, and its gap is above 0.
#
# </details>
#
# <details><summary>Hint 2: what about a negative gap?</summary>
#
# Let it be negative. Cut off at 0, or with its sign taken away, it would hide the very thing that week 4 taught you to
# look for: a loss that is too good to be true.
#
# </details>

# %% check="gap_to_floor"
check_close(gap_to_floor(0.9, 0.78), 0.12, "the worked example")
check_close(gap_to_floor(0.7, 0.54), 0.16, "a lower loss, a wider gap")
check_true(gap_to_floor(0.7, 0.78) < 0, "a loss below the floor has a negative gap")

# %% [markdown]
# ## 4 Three models of one size
#
# The ledger is ready. Now the contestants: week 3's encoder, week 4's decoder, week 5's encoder-decoder. The first two
# have two blocks of width 96. The third has two blocks on *either* side, and those that look across have one attention
# more; so it is narrower, 64. In their blocks all three have the same number of parameters, to one per cent.
#
# Each begins and learns as its week taught in the end: Muon for the matrices, words that start far apart, and for the
# two that fill gaps heads that start with their neighbours.

# %%
import torch

from course.stories import Stories
from course.three_objectives.objectives import make_objectives, n_parameters
from course.three_objectives.settings import FAMILIES, Settings

torch.set_num_threads(1)  # the tensors are small: a second thread would only get in the way
stories, settings = Stories.load(), Settings()
objectives = make_objectives(stories, settings)
models = {name: objective.build(seed=0) for name, objective in objectives.items()}
batches = {name: objective.sample(torch.Generator().manual_seed(0)) for name, objective in objectives.items()}
for name, model in models.items():
    parts = objectives[name].parts(model, batches[name])
    in_blocks = sum(n_params for part, n_params, _ in parts if part != "head")
    print(f"{name:7} {FAMILIES[name]:16} {n_parameters([model]):,} parameters, {in_blocks:,} of them in the blocks")

# %% [markdown]
# **Predict:** each model is given a batch of 32 stories. In their blocks all three have the same number of parameters.
# Which step is the cheapest, and by how much?
#
# `parts` lists what is multiplied with what: parameters, and the tokens that meet them, padding included. Tables of
# embeddings are looked up and not multiplied, so they are left out (Kaplan et al. 2020, section 2.1); as the tied head,
# a table *is* multiplied, once for each prediction.

# %%
paid = {}
for name, objective in objectives.items():
    parts = objective.parts(models[name], batches[name])
    paid[name] = sum(training_flops(n_params, n_tokens) for _, n_params, n_tokens in parts)
    print(f"{name}: {paid[name] / 1e9:.2f} GFLOPs a step")
    for part, n_params, n_tokens in parts:
        print(f"    {part:24}{n_params:>9,} parameters x {n_tokens:>5,} tokens")

# %% [markdown]
# The blocks of the encoder-decoder are as large as the others', and a step of it costs about half. Its encoder reads
# the text, and its decoder only writes the short answer: **no token meets all of the parameters**. T5's authors make
# the same point: an encoder-decoder costs about as much as a decoder with half of its parameters (Raffel et al. 2020,
# section 3.2.2).
#
# Why do the same 32 stories give three numbers of tokens? Divide by 32: rows of 64, 63 and 57. The masked model reads
# [BOS] and [EOS] with each story, the causal one leaves off the last token, and spans have been cut to one sentinel.

# %% [markdown]
# **An aside.** Is $6ND$ true? PyTorch can count every matrix product as it runs. If you take the rule on trust, go on
# to what the budget buys.

# %%
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

print(f"{'':8}{'6 N D':>8}{'counted':>9}{'of these, scores':>18}   counted / 6 N D")
for name, objective in objectives.items():
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        objective.loss(models[name], batches[name]).backward()
    by_kind = counter.get_flop_counts()["Global"]
    scores, total = by_kind[torch.ops.aten.bmm], counter.get_total_flops()
    print(f"{name:8}{paid[name] / 1e9:8.2f}{total / 1e9:9.2f}{scores / 1e9:18.2f}{total / paid[name]:18.3f}")

# %% [markdown]
# The two are not far apart, and you can say why they differ. Attention multiplies queries with keys, and weights
# with values: products **without parameters**, which the rule does not know. They grow with the square of the length,
# and in long texts they are no small change. On the other side, biases and norms count as parameters in $N$, and are
# only added or scaled.
#
# The rule is good enough to share out a budget fairly.
#
# **Now:** what does the budget buy?

# %%
n_words = [len(story) - 2 for story in stories.train]
targets = {name: sum(targets_per_sequence(name, n) for n in n_words) / len(n_words) for name in ("masked", "span")}
# The causal model begins at [BOS] and predicts [EOS] too.
targets["causal"] = sum(targets_per_sequence("causal", n + 2) for n in n_words) / len(n_words)
print(f"{sum(n_words) / len(n_words):.1f} words a story")
for name in objectives:
    a_story = paid[name] / settings.batch
    print(f"{name:7} {targets[name]:5.1f} targets a story, {a_story / targets[name] / 1e6:5.1f} MFLOPs a target")

# %% [markdown]
# For the same text the causal model answers several times as many questions, and each is that much cheaper. Every
# token is an exercise. The other two spend most of their work on reading. Whether a question about a *hidden* word
# teaches more than one about the *next* word is what the comparison is for.
#
# **Predict:** a short budget, the same for all. Which loss will be the lowest? Which will be nearest its floor?

# %%
from course.figures import show
from course.figures.week6_three_objectives import gaps_by_compute
from course.three_objectives.run import judge_loss, pretrain

BUDGET = 6e11  # FLOPs for each
live, judged = {}, {}
for name, objective in objectives.items():
    live[name] = pretrain(objective, models[name], seed=0, flops=BUDGET, price=training_flops)
    judged[name] = judge_loss(objective, models[name])
    print(f"{name:7} {live[name]['n_steps']:5,} steps, {live[name]['n_targets']:8,} targets")

# %%
gaps = {name: gap_to_floor(found["loss"], found["floor"]) for name, found in judged.items()}
curves = {
    name: [[(spent, gap_to_floor(loss, judged[name]["floor"])) for spent, loss in run["curve"]]]
    for name, run in live.items()
}
nearest = min(gaps, key=gaps.__getitem__)
figure, _ = gaps_by_compute(curves, title=f"For {BUDGET:.0e} FLOPs each, {nearest} comes nearest its floor")
show(figure, alt="Training loss above the floor against compute: three falling curves, the causal one lowest at last.")
for name, found in judged.items():
    print(f"{name:7} loss {found['loss']:.3f}, floor {found['floor']:.3f}, gap {gaps[name]:.3f} nats per target")

# %% [markdown]
# Three models, trained by code that you have seen, for a price that your function set. They are far from done. What
# would they be good for with several times the compute?
#
# ## 5 A longer training

# %% [markdown]
# Longer trainings do not fit into two minutes, so these were made before: the three objectives with more than one seed,
# each with several times the compute of the runs above. **The numbers that follow come from a file.** The command
# `python -m course.three_objectives` wrote it, with the code that you have just run; it takes about 40 minutes on one
# core. `data/experiments/README.md` says what each number is, and a test holds the file against the code's settings.

# %%
from course.three_objectives.results import MEASURES, TASKS, Results, ranks

stored = Results.load()
print(f"{len(stored.runs)} runs, {stored.settings.flops:.0e} FLOPs each, seeds {stored.settings.seeds}\n")
print(f"{'':8}{'steps':>7}{'stories read':>14}{'targets':>11}{'FLOPs':>10}{'minutes':>9}")
for name in objectives:
    columns = [stored.mean(name, column) for column in ("n_steps", "n_stories", "n_targets", "flops", "seconds")]
    steps, n_read, n_asked, flops, seconds = columns
    print(f"{name:8}{steps:7,.0f}{n_read:14,.0f}{n_asked:11,.0f}{flops:10.2e}{seconds / 60:9.1f}")

# %% [markdown]
# The same price, and yet the encoder-decoder has read far more stories, and the causal model has answered far more
# questions. Keep both in mind.
#
# **Predict:** order the three by their loss on test stories. Then order them by their gap. How many of your places
# change?

# %%
from course.figures.week6_three_objectives import losses_over_floors, ranking, scores_by_family

losses, floors = stored.by_objective("loss"), stored.means("floor")
figure, _ = losses_over_floors(losses, floors)
show(figure, alt="Three bars: each loss is a grey floor and a coloured gap; the causal loss is nearly all floor.")
for name in objectives:
    gap = gap_to_floor(stored.mean(name, "loss"), floors[name])
    print(f"{name:7} gap {gap:.3f} nats a target")

# %% [markdown]
# By loss one objective comes first, by gap another. That is as it should be. A hidden word with both sides in view *is*
# easier than the next one, for anybody, and of T5's targets the sentinels cost an ideal reader nothing. The loss says
# how hard the question was, the gap how much of the answer the model has not yet learned. Neither says what the model
# is **good for**.
#
# The gap has a history. **Predict:** in which order do the three fall?

# %%
stored_curves = {
    name: [[(spent, gap_to_floor(loss, floors[name])) for spent, loss in run["curve"]] for run in stored.of(name)]
    for name in objectives
}
figure, _ = gaps_by_compute(stored_curves, title="Who is asked more questions for the same compute learns sooner")
show(figure, alt="Gap against compute, a curve a seed: causal is near its floor first, then span, and masked last.")

# %% [markdown]
# ## 6 What are they good for?
#
# Six tasks, with labelled stories or with none. The first comes twice, with 50 labels and with 500, the last is judged
# in two ways: eight panels.
#
# | task | asks |
# |---|---|
# | **sentiment** | does the story end well? (the mean of the vectors, one linear map, all fine-tuned) |
# | **sense** | what does *bank* mean here? (the vector at *bank*, one linear map, all fine-tuned) |
# | **gaps filled** | three spans are hidden: is the filled story one that the grammar can make? |
# | **stories written** | from nothing: is it one that the grammar can make? |
# | **summaries** | one sentence about the story, word for word as in the label, after 500 examples |
# | **Korean** | after 1,000 translations: are sentences right, word for word? is *bank* 은행 or 둑, as it should be? |

# %% [markdown]
# Each family writes as it can. The decoder draws word after word. The encoder-decoder gets an input that is a single
# gap. The encoder is given a row of `[MASK]`s and fills one after another (Wang and Cho 2019). For a summary or a
# translation the decoder continues the story, the encoder-decoder answers it, and the encoder has no way to do it.
#
# Fine-tuning has a trap. Pretraining leaves **larger weights**, and steps of equal length change them less: a random
# start would win for no other reason. So steps are longer here by as much as the weights have grown
# (`course.growth`), as they are in Adafactor, with which T5 was trained (Shazeer and Stern 2018, section 8).

# %%
from course.growth import Growth

for name, objective in objectives.items():
    growth = Growth.of(models[name], objective.build(seed=0))
    print(f"{name:7} after your short training: matrices {growth.maps:.2f} times as large as untrained")

# %% [markdown]
# **Predict:** for each panel, which family comes first? Write down eight names before you run the cell.

# %%
panels = {task.name: stored.by_objective(*task.where) for task in TASKS}
untrained = {task.name: stored.by_objective(*task.random) for task in TASKS if task.random}
chance = {task.name: task.guess for task in TASKS if task.guess}
figure, _ = scores_by_family(panels, untrained, chance, title="The winner depends on the task")
show(
    figure,
    alt="Eight panels of shares by family, a dot for each seed, crosses for the same models without any pretraining.",
)
for task in TASKS:
    means = stored.means(*task.where)
    line = "  ".join(f"{name} {'cannot' if mean is None else format(mean, '.0%'):>6}" for name, mean in means.items())
    print(f"{task.name:22} {line}")

# %% [markdown]
# Crosses stand for the same models without any pretraining. Where crosses lie beside the dots, it was the labels that
# taught the task, and pretraining bought nothing: so it is with the encoder-decoder's Korean, which its build and its
# first weights suffice for. And where dots of two families lie among each other, these seeds do not say which is ahead.
#
# Now look at the senses. From a random start the masked model does little better than guessing. With pretraining, which
# never saw a label, it is ahead of the decoder in every seed.
#
# **Predict:** and who reads nothing but how often each word stands in a story, as in week 3, without any order and
# without any pretraining?

# %%
from course.finetuning import fit_head, word_counts
from course.labels import read_senses, read_sentiment

V = len(stories.vocab)
for task, read in {"sentiment": read_sentiment, "sense": read_senses}.items():
    labelled, unseen = read(stories, "train"), read(stories, "test", settings.n_test)
    train_y, test_y = (part.labels.view(len(part), -1).amax(1) for part in (labelled, unseen))  # one a story
    for n in settings.n_labels[task]:
        shares = []
        for seed in settings.seeds:  # the same labelled stories as the models had
            rows = torch.randperm(len(labelled), generator=torch.Generator().manual_seed(seed))[:n]
            head = fit_head(word_counts(labelled.take(rows), V), train_y[rows], len(labelled.names))
            shares.append((head(word_counts(unseen, V)).argmax(1) == test_y).double().mean().item())
        print(f"bag of words, {task}, {n} labels: {', '.join(f'{share:.0%}' for share in shares)} by seed")

# %% [markdown]
# With 500 labels the mood of a story is a matter of counting words: nobody is far ahead of the bag. With the sense the
# bag beats all three. The cue is **one word, anywhere** in the story, and a bag holds them all. The models are asked at
# the one vector of *bank*: it must have been brought there. A model that has read more is not the better reader of
# everything, and a simple reader belongs into every comparison.

# %% [markdown]
# The tasks do not only differ in how *well* they go. Some are shut for a family by the way it was built. One such door
# hides in the senses. In some stories words to the left of *bank* settle what it means, in others words to its right.
#
# **Predict:** take a story, and turn round the order of all words to the right of *bank*. How far does the vector at
# *bank* move, in each of the models that you trained above?

# %%
row = next(r for r in stories.labels("sense", "test") if r["word"] == "bank" and r["settled"] == "right")
text_BT = torch.tensor([stories.test[row["story"]]])
turned_BT, at = text_BT.clone(), row["position"]
turned_BT[0, at + 1 : -1] = text_BT[0, at + 1 : -1].flip(0)
real_BT = torch.ones_like(text_BT, dtype=torch.bool)
for name, objective in objectives.items():
    with torch.no_grad():
        before, after = (objective.hidden(models[name], ids_BT, real_BT)[0, at] for ids_BT in (text_BT, turned_BT))
    print(f"{name:7} moves by {(after - before).norm() / before.norm():.0%} of its length")
print(f"\n{'sense, 500 labels':20}{'settled left':>14}{'settled right':>15}{'never settled':>15}")
for name in objectives:
    shares = [stored.mean(name, "sense", "500", "pretrained", side) for side in ("left", "right", "never")]
    print(f"{name:20}{shares[0]:14.0%}{shares[1]:15.0%}{shares[2]:15.0%}")

# %% [markdown]
# The decoder's vector at *bank* was made before the river came. No label and no fine-tuning can put into it what it has
# not seen: where the words to the right settle the sense it guesses, and where those to the left do, it comes
# first. (Ask the vector of the *last* token instead, and the decoder may know; GPT was fine-tuned so: Radford et al.
# 2018, section 3.2.) For the other two the door is open, and both go through it.
#
# And what does it look like when a family writes?

# %%
for name in objectives:
    run = stored.of(name)[0]
    print(f"{name}, from nothing: {run['written']['examples'][0] or '(nothing)'}\n")
    print(f"{name}, gaps filled: {run['filled']['examples'][0]}\n")
print(f"the story: {stories.decode(stories.test[0])}\n")
at_once, one_by_one = (stored.mean("masked", how, "possible") for how in ("filled at once", "filled"))
print(f"masked: possible stories where gaps are filled at once {at_once:.0%}, one by one {one_by_one:.0%}")

# %% [markdown]
# ## 7 The rankings disagree
#
# Everything on one page: who comes first, second and third by each measure. **Predict:** is there an objective that is
# never last? Look at the numbers beside the marks too: which last places would another seed undo?

# %%
places, written_beside = {}, {}
for measure in MEASURES:
    means = stored.means(*measure.where)
    places[measure.name] = ranks(means, more_is_better=measure.more_is_better)
    form = ".0%" if measure in TASKS else ".2f"
    written_beside[measure.name] = {name: "cannot" if m is None else format(m, form) for name, m in means.items()}
figure, _ = ranking(places, written_beside)
show(figure, alt="Places by ten measures: the three lines cross again and again, and no objective is always first.")

# %% [markdown]
# Look for three things before you judge.
#
# - **Is the difference larger than the seeds'?** Places are counted even where one per cent lies between them. Dots of
#   section 6 that lie among another family's settle nothing.
# - **Is it the objective, or the budget?** At this price the causal model is nearly done, the masked one still has the
#   widest gap. Published BERTs and T5s read far more text for each parameter than these.
# - **Is it the objective, or the family?** Mask and architecture changed together. Raffel et al. (2020, section 3.2)
#   took them apart: there an encoder-decoder that denoises did best on tasks that turn text into text.

# %% [markdown]
# ## 8 Your verdict
#
# Now argue, in your own words, about one page. Your instructor reads it; there is a point for each part.
#
# 1. **Which family would you pretrain to label words or sentences, with few labels?** Name numbers from above, and say
#    what in the objective or in the model makes them so.
# 2. **Which to write text from nothing?** The same.
# 3. **Which to turn one text into another?** The same.
# 4. **Which result above would you not trust yet?** Say what experiment would settle it.

# %% [markdown] essay="which_family" points=4
# *For the instructor: one point for each part. A choice alone earns nothing; half a point goes to a choice with a
# number or with a reason, a whole one to a choice with both. Other choices than these earn full points where numbers
# and reasons carry them.*
#
# 1. **Labelling.** A model that sees both sides: its vector at a word knows what stands behind the word. The table of
#    senses shows it: where the right side settles the sense, the decoder's vector is no better than guessing, however
#    many labels there are. The encoder also gains most from its pretraining there.
#    For whole texts the argument of the sides falls, since the decoder's last vectors have seen everything; a good
#    answer says so. On the senses a bag of words beats all three: who sees that labels of this kind need no pretrained
#    model, and says why, has a number and a reason.
# 2. **Writing.** The decoder. Its objective *is* writing: one factor of p(text) a token, and a target at every token.
#    The others were trained to fill few gaps in a text that is there; from nothing, hardly anything that they write is
#    possible.
# 3. **Text to text.** The encoder-decoder by its build: it reads the source both ways, and it writes. It is ahead of
#    the decoder on gaps and in Korean, and on Korean it is so without any pretraining: the build did it, or the first
#    weights, not the objective. On summaries both are nearly perfect, which settles nothing. The decoder, which reads
#    the source as what it continues, is the one that pretraining helps in Korean. A good answer keeps what the
#    architecture allows apart from what pretraining gave. The encoder cannot write a sentence at all.
# 4. **Doubt.** For example: dots of few seeds that overlap (more seeds); one learning rate each (tune them); first
#    weights that help two of the three (compare all from random ones); family and objective changed together (train an
#    encoder-decoder on the causal objective); one small, artificial language (real text); 15% hidden, where Wettig et
#    al. (2023) hide 40%; gaps that another budget would close (the script has `--flops`). A point for a doubt that
#    names a confound or a source of noise *and* the experiment that removes it.

# %% [markdown]
# ## In practice
#
# - Today's largest models are decoders. A target at every token, one stack, and tasks put as text to be continued: that
#   scales simply (Brown et al. 2020). Where a fixed text is to be *understood*, cheaply and often (search, labels),
#   encoders are still trained (Warner et al. 2024, ModernBERT). Translation and speech keep encoder-decoders.
# - $6ND$ also says how to spend: for a given compute, model and text should grow together (Hoffmann et al. 2022).
# - A comparison is as fair as its weakest recipe. Each model here has the one at which its week arrived; a good idea
#   more for one of them would move its dots, and papers rarely try as hard for the other side.
# - Nobody knows the floor of English. Real comparisons rest on tasks, and on several seeds.

# %% [markdown]
# ## What now works
#
# Six weeks ago you counted words. Now you have built BERT, GPT and T5, you read real checkpoints with your own code,
# and you can say of each model what it cost and how far it is from the best that anybody could do.

# %% [markdown]
# ## What comes next
#
# Real text and real weights. `course.real_text` loads TinyStories (Eldan and Li 2023) and WikiText, and
# `course.checkpoints` the models of the hub: your own classes take their weights. Read the papers in this order:
# Vaswani et al. 2017; Devlin et al. 2019 and Liu et al. 2019; Radford et al. 2019 and Brown et al. 2020; Raffel et al.
# 2020 and Lewis et al. 2020; Kaplan et al. 2020 and Hoffmann et al. 2022. You have built a part of every one of them.
#
# Then ask a question of your own: change one thing, fix the compute, take several seeds, and see.
