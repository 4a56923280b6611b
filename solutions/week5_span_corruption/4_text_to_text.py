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
# # Week 5, notebook 4: text to text
#
# | | |
# |---|---|
# | **You build** | one format for every task; exact match, ROUGE-L and BLEU |
# | **You need** | what a T5 is and how it writes (notebook 2); dictionaries and counters in Python |
# | **Time** | about 70 minutes; everything runs in about three minutes |
# | **Points** | 9 |

# %% [markdown]
# ## One model, any question
#
# In week 3 each task had a head of its own: one vector for a story's mood, a tag for every word. T5 throws the heads
# away (Raffel et al. 2020, section 2.4). Whatever the task, **text goes in and text comes out**, and a few words at the
# beginning of the input say what is wanted: translate this story into Korean, sum it up, answer a question about it.
#
# But what is a good answer? A class is right or wrong. A text can be nearly right, or right in other words. So you also
# build the three measures by which such models have been judged for twenty years, and see what they see.

# %% [markdown]
# The translation has a trap. *Bank* is 은행 where money is kept, and 둑 beside a river. English does not say which; the
# rest of the story does. Whether a model has understood the story is one word in fifty.

# %% setup=true
import math
import re
import string
from collections import Counter

from course.checks import check_close, check_equal

# %% [markdown]
# ## 1 Everything is text
#
# T5's prefixes are words of the input like any others; nothing in the model knows of tasks (Raffel et al. 2020, section
# 2.4 and appendix D). Here are three of them, each with its source and its target:
#
# | task | source | target |
# |---|---|---|
# | `translate` | `translate English to Korean: ` and the English text | the Korean text |
# | `summarize` | `summarize: ` and the story | the summary |
# | `answer` | `question: `, the question, ` context: `, the story | the answer |

# %% [markdown]
# A space stands behind each colon and in front of `context:`. The texts themselves stay as they are: capitals,
# punctuation, everything. A worked example, with `{"question": "Who won?", "story": "Ben won.", "answer": "Ben"}`:
#
# | | |
# |---|---|
# | **source** | `question: Who won? context: Ben won.` |
# | **target** | `Ben` |


# %% exercise="as_text" points=2
def as_text(task: str, example: dict) -> tuple[str, str]:
    """Return what a text-to-text model reads and what it shall write.

    Args:
        task: "translate", "summarize" or "answer".
        example: the texts by their names: "english" and "korean" to translate, "story" and "summary" to summarize,
            "question", "story" and "answer" to answer. It may hold more than the task needs. Not changed.

    Returns:
        source: the task's prefix and its text, put together as in the table above.
        target: the text that is wanted, as it came.

    Raises:
        ValueError: task is none of the three.

    Example:
        >>> as_text("summarize", {"story": "Ben ran. He won.", "summary": "Ben won."})
        ('summarize: Ben ran. He won.', 'Ben won.')
    """
    ### BEGIN SOLUTION
    if task == "translate":
        return f"translate English to Korean: {example['english']}", example["korean"]
    if task == "summarize":
        return f"summarize: {example['story']}", example["summary"]
    if task == "answer":
        return f"question: {example['question']} context: {example['story']}", example["answer"]
    raise ValueError(f"There is no task {task!r}: choose translate, summarize or answer.")
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how do I put texts together?</summary>
#
# An f-string takes values into a text: `f"summarize: {example['story']}"`. Inside it use the other kind of quotation
# mark for the key.
#
# </details>
#
# <details><summary>Hint 2: and an unknown task?</summary>
#
# Ask for the three tasks one by one with `if`, and `raise ValueError("...")` behind the last one. The sentence should
# say what came.
#
# </details>

# %% check="as_text"
won = {"question": "Who won?", "story": "Ben won.", "answer": "Ben", "summary": "A race."}
check_equal(as_text("answer", won), ("question: Who won? context: Ben won.", "Ben"), "a question and its context")
check_equal(as_text("summarize", won), ("summarize: Ben won.", "A race."), "a story and its summary")
pair = {"english": "The bank was cold.", "korean": "둑은 추웠어요."}
expected = ("translate English to Korean: The bank was cold.", "둑은 추웠어요.")
check_equal(as_text("translate", pair), expected, "a translation")

# %% [markdown]
# ## 2 Right or wrong: exact match
#
# The simplest judge of an answer compares two strings. But *The kitten.* and *kitten* are the same answer. So SQuAD,
# the best-known question-answering task, compares what is left of both when they are made plain (Rajpurkar et al.
# 2016, section 6.1).

# %% [markdown]
# In this order:
#
# 1. every letter is made small;
# 2. punctuation is **deleted** (the characters of `string.punctuation`; nothing is put in its place);
# 3. the words *a*, *an* and *the* are left out;
# 4. runs of white space become one space, and none stays at either end.

# %% [markdown]
# A worked example: `"  The U.S. flag!"` becomes `the u.s. flag!`, then `the us flag`, then `us flag`. So it matches
# `"US flag"`, and it does not match `"U S flag"`.
#
# Only whole words are articles: *another* keeps its *an*, and *theatre* its *the*. If nothing is left on either side,
# both are the same nothing, and they match.


# %% exercise="exact_match" points=1
def exact_match(prediction: str, answer: str) -> bool:
    """Return whether two answers are the same text once both are made plain, as SQuAD does it.

    Args:
        prediction: what the model wrote; may be empty.
        answer: what was wanted; may be empty.

    Returns:
        True or False. Small letters, then no punctuation (`string.punctuation`), then no articles (the words a, an,
        the), then single spaces: where both texts are equal then, they match.

    Example:
        >>> exact_match("  The U.S. flag!", "US flag")
        True
    """

    ### BEGIN SOLUTION
    def plain(text: str) -> str:
        letters = "".join(character for character in text.lower() if character not in string.punctuation)
        return " ".join(word for word in letters.split() if word not in ("a", "an", "the"))

    return plain(prediction) == plain(answer)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: one function, used twice</summary>
#
# Write an inner function that makes one text plain, call it on both texts, and compare the results with `==`.
#
# </details>
#
# <details><summary>Hint 2: how do I leave out words and spaces?</summary>
#
# `text.split()` without an argument cuts at every run of white space and gives no empty words. Keep the words that are
# no articles, and join them again with `" ".join(...)`: that does the last two steps at once.
#
# </details>

# %% check="exact_match"
check_equal(exact_match("  The U.S. flag!", "US flag"), True, "the worked example")
check_equal(exact_match("U S flag", "US flag"), False, "U S is not US")
check_equal(exact_match("Ben ran  a\nrace", "ben ran race."), True, "white space of every kind is one space")
check_equal(exact_match("another theatre", "other atre"), False, "articles are whole words")
check_equal(exact_match("The!", ""), True, "nothing matches nothing")

# %% [markdown]
# ## 3 Nearly right: ROUGE-L
#
# A summary of twelve words with one wrong is not worthless. ROUGE-L (Lin 2004, section 3) looks for the **longest
# common subsequence**: the most words that stand in both texts in the same order, with or without others between them.
# Let $L$ be how many, $m$ the number of words of the prediction and $n$ that of the reference:
#
# $$P = \frac{L}{m} \qquad R = \frac{L}{n} \qquad F_1 = \frac{2PR}{P + R} = \frac{2L}{m + n}$$

# %% [markdown]
# A worked example:
#
# | | |
# |---|---|
# | **prediction** | there **the** small **kitten slept** |
# | **reference** | **the kitten slept** there |
#
# *The kitten slept* stands in both, in one of them with *small* between, so $L = 3$ and $F_1 = 2 \cdot 3 / (5 + 4) =
# 2/3$.

# %% [markdown]
# *There* is in both texts too, but on the other side of the rest: order counts.
#
# Words are what `split()` gives. Nothing is made plain here: *Dog* is not *dog*, and *ran.* is not *ran*. Where one of
# the texts has no words, or both have none, the result is 0.0.


# %% exercise="rouge_l" points=3
def rouge_l(prediction: str, reference: str) -> float:
    """Return ROUGE-L of two texts: F1 of their longest common subsequence of words.

    Args:
        prediction: what the model wrote; words are what `split()` gives, at most a few hundred. May be empty.
        reference: what was wanted; likewise.

    Returns:
        A number from 0 to 1: twice the length of the longest common subsequence, divided by the number of words in both
        texts together; 0.0 where a text has no words.

    Example:
        >>> round(rouge_l("there the small kitten slept", "the kitten slept there"), 4)
        0.6667
    """
    ### BEGIN SOLUTION
    predicted, wanted = prediction.split(), reference.split()
    if not predicted or not wanted:
        return 0.0
    longest = [[0] * (len(wanted) + 1) for _ in range(len(predicted) + 1)]
    for i, ours in enumerate(predicted):
        for j, theirs in enumerate(wanted):
            if ours == theirs:
                longest[i + 1][j + 1] = longest[i][j] + 1
            else:
                longest[i + 1][j + 1] = max(longest[i][j + 1], longest[i + 1][j])
    return 2 * longest[-1][-1] / (len(predicted) + len(wanted))
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how do I find the longest without trying them all?</summary>
#
# Fill a table: entry (i, j) is the answer for the first i words of one text and the first j of the other. If the last
# words of both are equal, it is the entry at (i - 1, j - 1), plus 1. If not, one of them is not needed: the larger of
# the entries at (i - 1, j) and (i, j - 1).
#
# </details>
#
# <details><summary>Hint 2: where does the table begin and end?</summary>
#
# A text of no words shares nothing with any other, so row 0 and column 0 are 0: make the table one larger than the
# texts on each side. The last entry is $L$. Mind `[[0] * n] * m`: that is m times the *same* row.
#
# </details>

# %% check="rouge_l"
check_close(rouge_l("there the small kitten slept", "the kitten slept there"), 2 / 3, "the worked example")
check_close(rouge_l("a b c", "a x b y c"), 0.75, "others may stand between: 2 * 3 / (3 + 5)")
check_close(rouge_l("a a a b", "a b b b"), 0.5, "a word can be used as often as both texts have it")
check_close(rouge_l("c b a", "a b c"), 1 / 3, "order counts: one word in order")
check_close(rouge_l("", "a b"), 0.0, "no words, no overlap, and no division by 0")

# %% [markdown]
# ## 4 A whole corpus at once: BLEU
#
# Translations are judged by BLEU (Papineni et al. 2002, section 2), on all texts of a test set together. For each $n$
# from 1 to 4 it asks: of all runs of $n$ words in the predictions, which share also stands in the references? Texts
# that match in long runs are fluent where they match.
#
# $$p_n = \frac{\text{matched runs of } n \text{ words, all pairs together}}
# {\text{runs of } n \text{ words in all predictions}}$$

# %% [markdown]
# **Matched** is counted pair by pair, and clipped: a run that stands three times in a prediction and once in its own
# reference is matched once. Otherwise *the the the* would be a fine translation of anything with a *the*.
#
# A model that writes only what it is sure of has a high share and leaves half of the text out. With $c$ words in all
# predictions together and $r$ in all references, what is too short pays a **brevity penalty**:
#
# $$\text{BP} = \min\left(1,\; e^{1 - r/c}\right) \qquad
# \text{BLEU} = 100 \cdot \text{BP} \cdot (p_1\, p_2\, p_3\, p_4)^{1/4}$$

# %% [markdown]
# A worked example with one pair: prediction *the old dog saw the cat*, reference *the dog saw the cat again*. Both have
# 6 words, so BP is 1.
#
# | $n$ | runs in the prediction | matched | $p_n$ |
# |---|---|---|---|
# | 1 | the, old, dog, saw, the, cat | all but *old* | 5/6 |
# | 2 | the old, old dog, dog saw, saw the, the cat | the last three | 3/5 |
# | 3 | the old dog, old dog saw, dog saw the, saw the cat | the last two | 2/4 |
# | 4 | … , dog saw the cat | one of three | 1/3 |

# %% [markdown]
# So $\text{BLEU} = 100\,(5/6 \cdot 3/5 \cdot 2/4 \cdot 1/3)^{1/4} = 53.7$. One word too many
# and one too few have cost nearly half.
#
# Where some $p_n$ is 0, because no run of $n$ words matched or because no prediction has $n$ words, BLEU is 0.0:
# nothing is smoothed. Words are again what `split()` gives, as they stand.
#
# **Before you go on:** why the counts of all pairs together, and not the mean of a BLEU for each pair?


# %% exercise="bleu" points=3
def bleu(predictions: list[str], references: list[str]) -> float:
    """Return the corpus BLEU of translations, with runs of 1 to 4 words and no smoothing.

    Args:
        predictions: what the model wrote, at least one text; texts may be empty. Not changed.
        references: what was wanted, as many texts, in the same order. Not changed.

    Returns:
        A number from 0 to 100. Matched runs are clipped pair by pair, and counts and lengths are summed over all pairs
        before anything is divided; 0.0 where p_1, p_2, p_3 or p_4 is 0 or has nothing to count.

    Example:
        >>> round(bleu(["the old dog saw the cat"], ["the dog saw the cat again"]), 1)
        53.7
    """
    ### BEGIN SOLUTION
    pairs = [(ours.split(), theirs.split()) for ours, theirs in zip(predictions, references, strict=True)]
    log_mean = 0.0
    for n in range(1, 5):
        matched, total = 0, 0
        for sides in pairs:
            ours, theirs = (Counter(zip(*(words[i:] for i in range(n)), strict=False)) for words in sides)
            matched += (ours & theirs).total()
            total += ours.total()
        if matched == 0:
            return 0.0
        log_mean += math.log(matched / total) / 4
    ours_len, theirs_len = (sum(map(len, side)) for side in zip(*pairs, strict=True))
    return 100 * math.exp(min(0.0, 1 - theirs_len / ours_len) + log_mean)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how do I count matched runs?</summary>
#
# Make a `Counter` of the tuples of n words of each text: `tuple(words[i : i + n])` for every i where n words are left.
# For two counters, `ours & theirs` keeps for every run the smaller of its two counts, which is the clipping;
# `.total()` sums the counts.
#
# </details>
#
# <details><summary>Hint 2: what is summed, and when?</summary>
#
# For each n two sums over the pairs: matched runs, and runs in the predictions. Divide after the loop over the pairs.
# The lengths c and r are sums over all pairs too. Return 0.0 before you take the logarithm of 0 or divide by 0.
#
# </details>

# %% check="bleu"
old_dog = bleu(["the old dog saw the cat"], ["the dog saw the cat again"])
check_close(old_dog, 100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25, "the worked example")
check_close(bleu(["a b c d e"], ["a b c d e"]), 100.0, "the same text")
check_close(bleu(["a b c d"], ["a b c d e f g h"]), 100 * math.exp(-1), "half as long: e to the power of 1 - 8/4")
clipped = bleu(["a b c d a b c d"], ["a b c d e f g h"])
check_close(clipped, 100 * (4 / 8 * 3 / 7 * 2 / 6 * 1 / 5) ** 0.25, "a run counts once where the reference has it once")
both = bleu(["a b c d e", "v w"], ["a b c d e", "x y"])
check_close(both, 100 * (5 / 7 * 4 / 5 * 3 / 3 * 2 / 2) ** 0.25, "two pairs: counts are summed first")
check_close(bleu(["a b c x"], ["a b c y"]), 0.0, "no run of four matches: 0")

# %% [markdown]
# Because a mean would be made of zeros: a single sentence often has no run of four in common with its reference,
# however good it is. BLEU was made for whole test sets, and says little about one sentence.

# %% [markdown]
# ## 5 Three tasks, one vocabulary
#
# The first 5,000 stories of the corpus carry all labels. You take 1,000 of them, so that a head start has a chance to
# show. Your `as_text` makes them sources and targets; `TextTokenizer` cuts both into words.
#
# **Predict:** *bat* is one English word, an animal or a stick. How many different Korean words can it become here?
# Korean hangs particles on its nouns, and a noun with another particle counts as another word.

# %%
import torch

from course.homonyms import exchange_sense, korean_senses, told_sense
from course.stories import Stories
from course.text_to_text import TASKS, TextTokenizer, encode_pairs, read_examples

torch.set_num_threads(1)  # the tensors are small: a second thread would only get in the way
stories, N_STORIES, N_TEST = Stories.load(), 1000, 150
tokenizer = TextTokenizer(stories)
train = {task: read_examples(stories, "train", task, N_STORIES) for task in TASKS}
test = {task: read_examples(stories, "test", task, N_TEST) for task in TASKS}
for task in TASKS:
    source, target = as_text(task, train[task][1])
    print(f"{task}, {len(train[task]):,} examples\n  {source}\n  {target}\n")

# %%
n_english, senses = len(stories.vocab), korean_senses()
print(f"{n_english} tokens of the stories, {len(tokenizer) - n_english} new: prefixes and Korean words.")
for word, by_sense in senses.items():
    stems = "|".join(by_sense.values())
    forms = [known for known in tokenizer.words if re.fullmatch(rf"({stems})(이|가|을|를|에서)?", known)]
    print(f"{word:7}", by_sense, "as", ", ".join(forms))

# %% [markdown]
# Of the particles, 이 and 가 mark a subject, 을 and 를 an object, and 에서 says where. Which of two forms stands
# depends on the last sound of the noun. In these stories the bank is only a place to be at: one form for each sense. A
# whole word is one token here, since this small language has few; a real T5 would use pieces of words (week 3).

# %% [markdown]
# ## 6 Two starts
#
# One T5 learns all three tasks, twice: once from notebook 2's kind of random start, once pretrained. `stories_t5` has
# filled gaps in the English training stories, and nothing else: it has never seen a prefix, a question, or a Korean
# word. That is how T5 itself met German: its pretraining text was English, and translations came later (Raffel et al.
# 2020, sections 2.2 and 3.1.3).

# %% [markdown]
# `with_more_words` adds rows to its table of words, drawn at random, for the prefixes and for Korean. The random start
# has the same sizes and is drawn as `stories_t5` once was, notebook 2's `start_t5` included: most heads begin with a
# neighbour of their own, and in the cross-attention like looks at like. So the two differ in what pretraining has left
# behind, and in nothing else.
#
# First see what each can do with gaps.

# %%
import copy

from course import training
from course.blocks.t5 import T5
from course.starts import start_t5
from course.t5_checkpoints import load_t5
from course.text_to_text import mixed_batches, text_loss, with_more_words, write_texts

pretrained = with_more_words(load_t5("stories_t5"), len(tokenizer))
with training.seeded(1):
    random_start = T5(pretrained.config)
    start_t5(random_start)
starts = {"pretrained": pretrained, "random start": random_start}
print(f"{sum(parameter.numel() for parameter in pretrained.parameters()):,} parameters each\n")
gaps = "Lily took the big <extra_id_0> of her father. She <extra_id_1> to watch the boats."
print(gaps)
for name, start in starts.items():
    print(f"{name}: {tokenizer.decode(write_texts(start, [tokenizer.encode(gaps)], tokenizer, max_new_tokens=8)[0])}")

# %% [markdown]
# Now the same stories, the same steps and notebook 2's rates, from each start. Half of the batches are translations, a
# quarter each summaries and questions. T5 was trained on mixtures of all its tasks too (section 3.5.2).
#
# **Predict:** in which of the three tasks does pretraining help most? In which least? Think of what each has to write.

# %%
from course.figures import show
from course.figures.week5_text_to_text import losses_by_step

pairs = {task: encode_pairs(train[task], task, as_text, tokenizer) for task in TASKS}
sample_batch = mixed_batches(pairs, 16, {"translate": 2, "summarize": 1, "answer": 1}, tokenizer.pad_id)
unseen = {
    task: mixed_batches({task: encode_pairs(test[task], task, as_text, tokenizer)}, 40, {task: 1}, tokenizer.pad_id)
    for task in TASKS
}
unseen = {task: draw(torch.Generator().manual_seed(0)) for task, draw in unseen.items()}

# %%
WATCH_EVERY, tuned, curves = 50, {}, {task: {} for task in TASKS}
rates = {"n_steps": 600, "peak_lr": 4e-3, "muon_lr": 0.01, "warmup": 100, "weight_decay": 0.0}
for name, start in starts.items():
    tuned[name], losses = copy.deepcopy(start), {task: [] for task in TASKS}

    def watch(model: T5, losses: dict[str, list[float]] = losses) -> float:
        for task, batch in unseen.items():
            losses[task].append(text_loss(model, batch).item())
        return sum(by_step[-1] for by_step in losses.values())

    history = training.train(
        tuned[name],
        text_loss,
        sample_batch,
        **rates,
        lr_scale=lambda name, _: 30.0 if name == "word.weight" else 1.0,
        evaluate=watch,
        evaluate_every=WATCH_EVERY,
        device=torch.device("cpu"),
        label=f"fine-tuning, {name}",
    )
    for task in TASKS:
        curves[task][name] = list(zip(history.evaluated_at, losses[task], strict=True))


# %%
def n_ahead(place: int) -> int:
    return sum(by_start["pretrained"][place][1] < by_start["random start"][place][1] for by_start in curves.values())


steps = [n_done for n_done, _ in curves["answer"]["pretrained"]]
early = min(1, len(steps) - 1)
title = f"Pretraining is ahead in {n_ahead(early)} of 3 after {steps[early]} steps, in {n_ahead(-1)} after {steps[-1]}"
fig, _ = losses_by_step(curves, title=title)
show(fig, alt="Loss on test stories against steps of fine-tuning, three tasks, from the pretrained and a random start.")
for task in TASKS:
    for name, points in curves[task].items():
        print(f"{task:10}{name:14}", "  ".join(f"{n:>4}: {loss:.2f}" for n, loss in points[1::2]))

# %% [markdown]
# Read each panel twice, early and at the end. Answers and summaries are English, which filling gaps has taught: that is
# a head start, and a short one. A translation is some fifty words, none of which stands in the source, in another
# order, and nobody has shown it a second language: there pretraining is no help, not even early.
#
# A head start is not a lead at the end, and in Korean the pretrained model stays behind. What might hold it back? One
# suspect can be measured.

# %%
for name, start in starts.items():
    maps = torch.cat([weight.detach().flatten() for weight in training.linear_maps(start)])
    words = start.word.weight.detach()[:n_english]
    print(f"{name:14} standard deviation of the maps {maps.std():.3f}, of the English words {words.std():.2f}")

# %% [markdown]
# Pretraining has left larger weights, and steps are as long for both: they change the pretrained model less. It also
# has something to unlearn, since no gap was ever filled in Korean. These curves cannot tell which of the two it is.
#
# T5's authors found that pretraining helps in nearly all of their tasks, and hardly in translation into French, of
# which they had the most examples (section 3.1.5). Labels that are enough can make up for pretraining. That would be a
# tie, though; being behind needs a reason of its own.

# %% [markdown]
# ## 7 Three judges
#
# Now let both write, each text word by word until its end token, and judge them with what you built.

# %%
from course.progress import Progress

references = {task: [as_text(task, example)[1] for example in test[task]] for task in TASKS}
written = {name: {} for name in tuned}
with Progress(total=2 * sum(map(len, test.values())), desc="writing", unit="text") as bar:
    for name, writer in tuned.items():
        for task in TASKS:
            sources = [tokenizer.encode(as_text(task, example)[0]) for example in test[task]]
            longest = max(len(tokenizer.encode(text)) for text in references[task])
            rows = write_texts(writer, sources, tokenizer, max_new_tokens=longest, tick=bar.update)
            written[name][task] = [tokenizer.decode(row) for row in rows]
for task in TASKS:
    print(f"{as_text(task, test[task][3])[0]}\n  wanted: {references[task][3]}")
    for name in tuned:
        print(f"  {name}: {written[name][task][3]}")

# %% [markdown]
# If you read no Korean: 새 농장에서 기다리고 있었어요 is *was waiting at the new farm*, and 나무로 된 농장에 갔어요
# *went to the wooden farm*. Who wrote which?
#
# A test set is a sample, so each score comes with an interval: the test set is drawn again and again from itself, with
# replacement, and 95% of the scores lie in it (Koehn 2004 did so for BLEU).


# %%
def share_matched(predictions: list[str], wanted: list[str]) -> float:
    return 100 * sum(map(exact_match, predictions, wanted)) / len(wanted)


def mean_rouge(predictions: list[str], wanted: list[str]) -> float:
    return 100 * sum(map(rouge_l, predictions, wanted)) / len(wanted)


# %%
from course.figures.week5_text_to_text import bleu_against_sense, scores_by_start, senses_by_cue, words_that_count
from course.text_to_text import resampled_interval, share_interval

judges = {
    "answers: exact match": ("answer", share_matched),
    "summaries: exact match": ("summarize", share_matched),
    "summaries: ROUGE-L, times 100": ("summarize", mean_rouge),
    "Korean: BLEU": ("translate", bleu),
}
scores = {
    label: {name: resampled_interval(judge, written[name][task], references[task]) for name in tuned}
    for label, (task, judge) in judges.items()
}
lead = {label: by_start["pretrained"][0] - by_start["random start"][0] for label, by_start in scores.items()}
exact = f"answers {lead['answers: exact match']:+.0f}, summaries {lead['summaries: exact match']:+.0f}"
title = f"Pretraining: {exact}, BLEU {lead['Korean: BLEU']:+.0f}"
fig, _ = scores_by_start(scores, title=title)
show(fig, alt="Four scores from 0 to 100 for two fine-tuned models, with intervals: pretrained and random start.")
for label, by_start in scores.items():
    print(f"{label:30}", "   ".join(f"{n} {v:5.1f} ({lo:.1f} to {hi:.1f})" for n, (v, lo, hi) in by_start.items()))

# %% [markdown]
# Read the intervals first: where two of them overlap, these test stories cannot tell the models apart. Where they are
# apart, the scores say more than the curves: a loss is a mean over words that are given the right ones before them, and
# a model that writes has to live with its own.
#
# Where exact match and ROUGE-L differ on the same summaries, it is by a name: with one wrong, a summary scores nothing
# with the one, and nearly everything with the other.

# %% [markdown]
# ## 8 The word that needs the story
#
# Most of a translation can be written word by word. The homonym cannot: 은행 or 둑 depends on what the story says
# elsewhere, before the bank or behind it, and some stories never say. `told_sense` looks for the two Korean words in
# what the model wrote.
#
# **Predict:** how often is each model right, where the story says?

# %%
from course.ideal_classifier import ideal_sense

cues = {"left": "to the left", "right": "to the right", "never": "nowhere"}
labelled = [row for row in stories.labels("sense", "test") if row["story"] < N_TEST]
reader = ideal_sense()
best, told = {cue: [] for cue in cues.values()}, {name: {cue: [] for cue in cues.values()} for name in tuned}
for row in labelled:
    cue = cues[row["settled"]]
    best[cue].append(reader.posterior(stories.test[row["story"]]).max().item())
    for name in tuned:
        sense = told_sense(written[name]["translate"][row["story"]], senses[row["word"]])
        told[name][cue].append("none" if sense is None else "right" if sense == row["sense"] else "wrong")


# %%
def share_right(answers: list[str]) -> tuple[float, float, float]:
    """Return the share of right answers among right and wrong ones, with its interval: "none" is left out."""
    n_right, n_wrong = answers.count("right"), answers.count("wrong")
    return share_interval(n_right, n_right + n_wrong) if n_right + n_wrong else (0.5, 0.0, 1.0)


shares = {cue: {name: share_right(told[name][cue]) for name in tuned} for cue in best}
best = {cue: sum(sure) / len(sure) for cue, sure in best.items()}
both = {name: told[name]["to the left"] + told[name]["to the right"] for name in tuned}
percent = ", ".join(f"{name} {share_right(answers)[0]:.0%}" for name, answers in both.items())
fig, _ = senses_by_cue(shares, best, title=f"Settled senses, right of those told: {percent}")
show(fig, alt="Share of told homonyms in their right sense, by where the story settles it, beside the ideal reader's.")
for cue in shares:
    for name in tuned:
        counts = ", ".join(f"{told[name][cue].count(answer)} {answer}" for answer in ("right", "wrong", "none"))
        print(f"{cue:13} {name:13} {counts}; ideal reader {best[cue]:.0%}")

# %% [markdown]
# **None** counts translations that went astray before the homonym; the picture leaves them out. An interval that holds
# 50%, or nearly, is a coin's: the model writes one of the two words and does not know which. One far above it is a
# reader's: such a model looks the sense up in the story, wherever it stands.
#
# Where the story settles nothing, 50% is the most that anybody can get. Few stories are like that: read off the line of
# the ideal reader there, and not the height of the dots.

# %% [markdown]
# ## 9 Where does it look?
#
# *You may skip this section; nothing after it needs it.*
#
# While the decoder writes 둑 or 은행, its cross-attention weighs the English words. And there is a second way to ask:
# **hide** one English word from the model, and see how much less sure of its choice it becomes.
#
# **Predict:** will attention go to *bank* itself, or to the words that settle it?

# %%
from course.t5_attention import cross_attention, effect_of_hiding

better = max(tuned, key=lambda name: both[name].count("right"))
translator, texts = tuned[better], written[better]["translate"]
candidates = [
    row
    for row in labelled
    if row["settled"] != "never" and told_sense(texts[row["story"]], senses[row["word"]]) == row["sense"]
]
row = ([row for row in candidates if row["word"] == "bank"] or candidates or labelled)[0]
source_ids = tokenizer.encode(as_text("translate", test["translate"][row["story"]])[0])
target_ids = tokenizer.encode(texts[row["story"]] if candidates else references["translate"][row["story"]])
at = next(i for i, token in enumerate(target_ids) if told_sense(tokenizer.words[token], senses[row["word"]]))
chosen = tokenizer.words[target_ids[at]]
other = exchange_sense(chosen, senses[row["word"]])
print(f"{tokenizer.decode(source_ids)}\n{tokenizer.decode(target_ids)}")
print(f"{better}: {row['word']} as {chosen}, and not {other}")

# %%
inputs = torch.tensor([source_ids]), torch.tensor([[tokenizer.pad_id, *target_ids[:at]]])
looks_S = cross_attention(translator, *inputs)[:, :, -1].mean((0, 1))
effect_S = effect_of_hiding(translator, *inputs, target_ids[at], tokenizer.encode(other)[0])
words = [tokenizer.words[token] for token in source_ids[:-1]]
looked, decided = (words[int(values_S[:-1].argmax())] for values_S in (looks_S, effect_S))
fig, _ = words_that_count(
    words,
    {
        f"how much cross-attention weighs each word while {chosen} is written": looks_S[:-1].tolist(),
        f"how much less sure of {chosen} the model is when the word is hidden": effect_S[:-1].tolist(),
    },
    title=f"{chosen}: attention looks most at «{looked}», hiding «{decided}» changes most",
)
show(fig, alt="An English story twice, words shaded: by cross-attention, and by what hiding each word changes.")
for i in effect_S[:-1].argsort(descending=True)[:4].tolist():
    print(f"without «{words[i]}» (word {i}): {effect_S[i]:+.2f} nats; attention {looks_S[i]:.0%}")

# %% [markdown]
# The two pictures answer different questions. Cross-attention shows from which places the decoder fetches something.
# But the vector at *bank* is not the word *bank* any more: the encoder may have mixed the whole story into it, cue and
# all. Hiding a word shows what the choice depends on, wherever it is fetched from. Where they differ, trust the second.
#
# Are the words that count here those by which *you* would settle the sense? If they settle nothing, do not take the
# right word for understanding: a coin, too, is right half of the time.

# %% [markdown]
# ## 10 What the judges do not see
#
# Two translators, neither of them a model. The first translates everything perfectly, except that **every homonym** has
# the wrong sense: the bank by the river keeps your money. The second translates everything perfectly, senses included,
# and forgets the **full stops**.
#
# **Predict:** BLEU of each, and which of the two it prefers.

# %%
perfect = references["translate"]
word_of = {row["story"]: row["word"] for row in labelled}
translators = {
    "every homonym wrong": [
        exchange_sense(text, senses[word_of[n]]) if n in word_of else text for n, text in enumerate(perfect)
    ],
    "right, but no full stops": [text.replace(".", "") for text in perfect],
    **{f"your T5, {name}": written[name]["translate"] for name in tuned},
}
points = {}
for name, translations in translators.items():
    hits = [told_sense(translations[row["story"]], senses[row["word"]]) == row["sense"] for row in labelled]
    points[name] = bleu(translations, perfect), sum(hits) / len(hits)
    print(f"{name:25} BLEU {points[name][0]:5.1f}   homonyms right {points[name][1]:4.0%}")

# %%
wrong_bleu, bare_bleu = points["every homonym wrong"][0], points["right, but no full stops"][0]
fig, _ = bleu_against_sense(
    points, title=f"All homonyms wrong: BLEU {wrong_bleu:.0f}. All right, no full stops: BLEU {bare_bleu:.0f}"
)
show(fig, alt="Four translators by BLEU and share of right homonyms: the one with all homonyms wrong has a high BLEU.")
kite = "Lily met Nora at the bank, and the kite was gone."
for text in ("Lily met Nora at the bank, and the kite was there.", "The kite was gone when Lily met Nora at the bank."):
    print(f"ROUGE-L {rouge_l(text, kite):.2f}  {text}")
print(f"      of  {kite}")

# %% [markdown]
# The worst mistake that this language allows costs next to nothing: it is one word in fifty, and BLEU counts words. A
# missing dot is half a sentence of wrong runs. ROUGE-L, too, prefers a summary with the wrong ending to a right one in
# other words.
#
# None of the scores is wrong. They measure overlap, and were made to compare similar systems on average. A question
# such as "does it understand *bank*?" needs a test of its own, and you have just run one: section 8.

# %% [markdown]
# ## In practice
#
# - BLEU depends on how words are cut, as the full stops showed. Published scores name tokenizer and version; the
#   program `sacrebleu` prints such a signature (Post 2018).
# - Real translation has test sets for exactly one thing too: pairs of translations that differ in one word's sense
#   (Rios Gonzales et al. 2017) or in one point of grammar (Sennrich 2017), of which the model must prefer one.
# - T5's mixture has to be balanced: a task with millions of examples drowns one with thousands, so T5 caps how many
#   count (section 3.5.2). You gave the weights by hand.

# %% [markdown]
# ## What now works
#
# One model does three tasks, told apart by a few words of text. You can score what it writes three ways, say how sure
# the score is, and you know what each score cannot see.

# %% [markdown]
# ## What comes next
#
# Masked, causal, span corruption: each family was trained on its own terms. Week 6 gives all three the same stories and
# the same compute, and asks who is ahead, and at what.
