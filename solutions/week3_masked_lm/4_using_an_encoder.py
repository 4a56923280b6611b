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
# # Week 3, notebook 4: using an encoder
#
# | | |
# |---|---|
# | **You build** | pooling, a classifier, labels for pieces of words, F1 over entities |
# | **You need** | what an encoder returns (notebook 3); what accuracy is |
# | **Time** | about 70 minutes; everything runs in about two minutes |
# | **Points** | 9 |

# %% [markdown]
# ## What was it all for?
#
# Nobody wants words restored. Filling gaps was an exercise, and its reward is what the model had to learn for it. Now
# you want answers: does this story end well? What does *bank* mean in it? Who and where is it about?
#
# For each you have a few labelled examples, and labels are expensive: a person must read. The encoder of notebook 3 has
# read 20,000 stories without a single label. What is that worth, counted in labels? At the end you can say.

# %% setup=true
import torch
from torch import nn

from course.checks import check_close, check_equal, check_shape

# %% [markdown]
# ## 1 From many vectors to one
#
# An encoder gives a vector for each token. A question about the whole text wants one vector for all of them. Three ways
# are common:
#
# - **cls**: take the first token's vector. BERT puts a token there that is no word, `[CLS]`, for this purpose.
# - **mean**: average over the tokens.
# - **max**: of each channel, the largest value over the tokens.

# %% [markdown]
# Texts in a batch are padded to one length, and the vectors at padding mean nothing. They must not count: not in the
# sum, *not in the number that you divide by*, and not as the largest value.
#
# A worked example, two real tokens and one of padding, $D = 2$:
#
# | token 0 | token 1 | padding | cls | mean | max |
# |---|---|---|---|---|---|
# | (1, -8) | (3, -2) | (90, 90) | (1, -8) | (2, -5) | (3, -2) |


# %% exercise="pool" points=2
def pool(hidden: torch.Tensor, mask: torch.Tensor, how: str) -> torch.Tensor:
    """Return one vector for each text.

    Args:
        hidden: float [B,T,D], a vector for each token. Not changed.
        mask: bool [B,T], True on real tokens. Texts are padded on the right; each has at least one real token.
        how: "cls" for the first token's vector, "mean" for the mean over the real tokens, "max" for the largest value
            of each channel over the real tokens.

    Returns:
        float [B,D], in the dtype of hidden.

    Raises:
        ValueError: `how` is none of the three.

    Example:
        >>> pool(torch.tensor([[[1.0, -8.0], [3.0, -2.0]]]), torch.tensor([[True, True]]), "mean")
        tensor([[ 2., -5.]])
    """
    ### BEGIN SOLUTION
    real_BT1 = mask.unsqueeze(-1)
    if how == "cls":
        return hidden[:, 0]
    if how == "mean":
        return hidden.masked_fill(~real_BT1, 0.0).sum(1) / real_BT1.sum(1)
    if how == "max":
        return hidden.masked_fill(~real_BT1, -torch.inf).amax(1)
    raise ValueError(f"how is {how!r}, but must be 'cls', 'mean' or 'max'.")
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how do [B,T] and [B,T,D] meet?</summary>
#
# `mask.unsqueeze(-1)` is `[B,T,1]` and broadcasts over the channels. For the mean, set padding to 0 before you sum over
# T, and divide by the number of real tokens of each text: `[B,1]`.
#
# </details>
#
# <details><summary>Hint 2: what does padding become for the maximum?</summary>
#
# Something that can never be the largest. 0 is not small enough: all real values of a channel may be negative, as in
# the example. `masked_fill` with minus infinity is safe, and no padding is left where every text has a real token.
#
# </details>

# %% check="pool"
hidden_BTD = torch.tensor([[[1.0, -8.0], [3.0, -2.0], [90.0, 90.0]]])
mask_BT = torch.tensor([[True, True, False]])
check_close(pool(hidden_BTD, mask_BT, "cls"), [[1.0, -8.0]], "cls: the first token")
check_close(pool(hidden_BTD, mask_BT, "mean"), [[2.0, -5.0]], "mean: padding counts neither above nor below the line")
check_close(pool(hidden_BTD, mask_BT, "max"), [[3.0, -2.0]], "max: padding is never the largest")
check_shape(pool(torch.ones(2, 5, 7), torch.ones(2, 5).bool(), "mean"), (2, 7), "one vector a text")

# %% [markdown]
# ## 2 A head on top
#
# What stands between that vector and an answer is one linear map, the **head**. It is new and knows nothing. Everything
# below it has been pretrained (Devlin et al. 2019, section 3.2).
#
# $$\text{logits} = \text{pool}(\text{encoder}(\text{ids}, \text{mask}), \text{mask})\, W^\top + b$$

# %% [markdown]
# The result is **logits**: cross entropy does the softmax itself. And nothing stands in the way of the gradient: when
# the classifier is trained, the encoder below may learn too. That is **fine-tuning**. Whoever wants the encoder
# **frozen** says so outside, to the optimiser.
#
# A worked example: with $W = (1, 1)$, $b = 1$, and an encoder that gave the vectors above, "mean" has logit
# $2 - 5 + 1 = -2$, and "max" has $3 - 2 + 1 = 2$.


# %% exercise="SentenceClassifier" points=1
class SentenceClassifier(nn.Module):
    """A classifier of whole texts: an encoder, `pool`, and one linear map.

    Args:
        encoder: a module; `encoder(ids, mask)` returns hidden vectors, float [B,T,D].
        d_model: their width, D.
        n_classes: C.
        how: as for `pool`.

    Submodules: `encoder`, as it came, and `head`, `nn.Linear` from D to C with bias. No other parameters, no dropout.
    """

    def __init__(self, encoder: nn.Module, d_model: int, n_classes: int, how: str) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.encoder = encoder
        self.head = nn.Linear(d_model, n_classes)
        self.how = how
        ### END SOLUTION

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return logits, float [B,C].

        Args:
            ids: long [B,T].
            mask: bool [B,T], True on real tokens.
        """
        ### BEGIN SOLUTION
        hidden_BTD = self.encoder(ids, mask)
        return self.head(pool(hidden_BTD, mask, self.how))
        ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: who needs the mask?</summary>
#
# Both: the encoder, so that no word looks at padding, and `pool`, so that padding is not averaged in.
#
# </details>
#
# <details><summary>Hint 2: pool first, then the head</summary>
#
# `head` maps `[B,D]` to `[B,C]`. No softmax behind it, and no activation between.
#
# </details>


# %% check="SentenceClassifier"
class Fixed(nn.Module):
    """An encoder for the check: always the vectors of the example above."""

    def forward(self, ids, mask):
        return torch.tensor([[[1.0, -8.0], [3.0, -2.0], [90.0, 90.0]]])


ids_BT, real_BT = torch.tensor([[5, 6, 0]]), torch.tensor([[True, True, False]])
for how, expected in (("mean", -2.0), ("max", 2.0)):
    classifier = SentenceClassifier(Fixed(), d_model=2, n_classes=1, how=how)
    classifier.head.load_state_dict({"weight": torch.ones(1, 2), "bias": torch.ones(1)})
    check_close(classifier(ids_BT, real_BT), [[expected]], f"{how}: the worked example")
names = sorted(name for name, _ in classifier.named_parameters())
check_equal(names, ["head.bias", "head.weight"], "the head is all that is new")

# %% [markdown]
# ## 3 Labels for pieces
#
# Other questions are asked about each word. **Named entity recognition** tags every word: is it part of a person's name
# (PER), a place's (LOC), a tool's? But a model sees pieces, not words (notebook 1): *Seoul* may be `Se ##oul`, and the
# label was given to *Seoul*.
#
# The custom (Devlin et al. 2019, section 5.3): the **first piece** of a word carries its tag, its other pieces and the
# special tokens carry **-100**, which PyTorch's cross entropy leaves out.

# %% [markdown]
# Fast tokenizers tell which word each piece came from, and None for special tokens. A worked example, with tags O = 0,
# PER = 1, LOC = 2:
#
# | piece | [CLS] | Mia | saw | Se | ##oul | [SEP] |
# |---|---|---|---|---|---|---|
# | **word id** | None | 0 | 1 | 2 | 2 | None |
# | **label** | -100 | 1 | 0 | 2 | -100 | -100 |

# %% [markdown]
# Word ids never fall, and a word's pieces stand side by side. But they may begin above 0 and may skip numbers: a long
# text is cut into windows, and some words leave no piece at all.
#
# **Before you go on:** the model then predicts nothing at `##oul`. Is anything lost?


# %% exercise="align_labels" points=3
def align_labels(word_ids: list[int | None], tags: list[int]) -> list[int]:
    """Return a label for each piece: a word's tag on its first piece, -100 on all other pieces and special tokens.

    Args:
        word_ids: for each piece, the number of the word that it belongs to, counted from 0; None for a special token.
            Numbers never fall from left to right, and may skip words. Not changed.
        tags: for each word of the text its tag, 0 or above; at least as long as the highest word id needs. Not changed.

    Returns:
        A list of whole numbers, as long as word_ids.

    Example:
        >>> align_labels([None, 0, 1, 2, 2, None], [1, 0, 2])
        [-100, 1, 0, 2, -100, -100]
    """
    ### BEGIN SOLUTION
    labels, previous = [], None
    for word_id in word_ids:
        first_piece = word_id is not None and word_id != previous
        labels.append(tags[word_id] if first_piece else -100)
        previous = word_id
    return labels
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: when is a piece the first one?</summary>
#
# When it has a word, and the piece before it has another word or none. So one variable that remembers the word id
# before is enough. Compare word ids, not tags: two words side by side may well have the same tag.
#
# </details>
#
# <details><summary>Hint 2: the word whose number is 0</summary>
#
# In Python, `if word_id:` is False for None *and* for 0. Ask `word_id is not None`.
#
# </details>

# %% check="align_labels"
expected = [-100, 1, 0, 2, -100, -100]
check_equal(align_labels([None, 0, 1, 2, 2, None], [1, 0, 2]), expected, "Mia saw Seoul")
check_equal(align_labels([0, 1, 1, 1, 2], [2, 2, 2]), [2, 2, -100, -100, 2], "three words of the same tag")
check_equal(align_labels([None, 4, 6], [0, 0, 0, 0, 1, 0, 2]), [-100, 1, 2], "a window: words 4 and 6, of seven")

# %% [markdown]
# Nothing is lost: the vector at `Se` has seen `##oul` too, for attention looks in both directions. One label a word is
# enough, and so a long word does not count more than a short one.
#
# ## 4 Whole entities or nothing
#
# How good are the tags? Most words are no entity at all, so *everything is O* is mostly right, and
# worthless. Since CoNLL-2003 (Tjong Kim Sang and De Meulder 2003) one counts **entities** instead.

# %% [markdown]
# Tags are **BIO**: B-X begins an entity of type X, I-X goes on with it, O is outside. *New York Tom* reads `B-LOC I-LOC
# B-PER`, two entities. The B keeps neighbours of the same type apart. What if an I-X has no X before it in its
# sentence, behind an O, another type, or nothing? It **starts an entity**, as in conlleval, the script of that task.
#
# A predicted entity is right if the gold tags of the same sentence hold one with the same type, the same first and the
# same last word. Nearly right is wrong.

# %% [markdown]
# $$F_1 = \frac{2\,n_\text{right}}{n_\text{predicted} + n_\text{gold}}$$
#
# which is the harmonic mean of precision and recall. Counts are summed over all sentences first. A worked example:
#
# | | Mia | saw | New | York | Tom | entities |
# |---|---|---|---|---|---|---|
# | **gold** | B-PER | O | B-LOC | I-LOC | B-PER | Mia, New York, Tom |
# | **predicted** | B-PER | O | B-LOC | O | O | Mia, New |

# %% [markdown]
# One is right of two predicted and three in gold: $F_1 = 2 \cdot 1 / (2 + 3) = 0.4$. Of the words, three in five are
# right.
#
# **Before you go on:** which F1 would a tagger get that cuts every entity one word short?


# %% exercise="entity_f1" points=3
def entity_f1(predicted: list[list[str]], gold: list[list[str]]) -> float:
    """Return F1 over whole entities, all sentences together.

    Args:
        predicted: for each sentence its tags: "O", or "B-" or "I-" and a type without a hyphen. Not changed.
        gold: the right tags; as many sentences, each as long as its partner. Not changed.

    Returns:
        A number from 0 to 1; 0.0 where neither side holds an entity.

    An I- that does not go on with an entity of its own type, in its own sentence, starts one.

    Example:
        >>> entity_f1([["B-PER", "O", "B-LOC", "O", "O"]], [["B-PER", "O", "B-LOC", "I-LOC", "B-PER"]])
        0.4
    """

    ### BEGIN SOLUTION
    def entities(sentences: list[list[str]]) -> set[tuple[int, int, int, str]]:
        found = set()
        for number, tags in enumerate(sentences):
            start, kind = 0, ""
            for i, tag in enumerate([*tags, "O"]):
                if kind and tag != f"I-{kind}":
                    found.add((number, start, i, kind))
                    kind = ""
                if tag != "O" and not kind:
                    start, kind = i, tag[2:]
        return found

    ours, theirs = entities(predicted), entities(gold)
    total = len(ours) + len(theirs)
    return 2 * len(ours & theirs) / total if total else 0.0
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: make each side a set</summary>
#
# Write a function that turns sentences into a set of `(sentence, first word, last word, type)`. Then the right ones are
# what both sets share: `a & b`.
#
# </details>
#
# <details><summary>Hint 2: where does an entity end?</summary>
#
# In front of the first tag that is not `I-` with its own type, or at the end of its sentence. A trick for the latter:
# walk over `[*tags, "O"]`.
#
# </details>

# %% check="entity_f1"
gold = [["B-PER", "O", "B-LOC", "I-LOC", "B-PER"]]
check_close(
    entity_f1([["B-PER", "O", "B-LOC", "O", "O"]], gold), 0.4, "the worked example: 1 right, 2 predicted, 3 gold"
)
check_close(entity_f1(gold, gold), 1.0, "all right")
check_close(entity_f1([["I-PER", "O", "I-LOC", "I-LOC", "I-PER"]], gold), 1.0, "I- without a B- starts an entity")
check_close(entity_f1([["O", "O"]], [["O", "O"]]), 0.0, "no entity anywhere: 0, and no division by 0")

# %% [markdown]
# Everything is ready. Three tasks on the stories, and for each of them the question: what does the encoder's
# pretraining save you?
#
# ## 5 How good can anyone be?
#
# First the ceiling. **Sentiment**: does the story end well? **Sense**: which of its two meanings has the homonym?
# **Entities**: the tags of persons, places and tools. Your `align_labels` lays the tags on the tokens.

# %%
from course.ideal_classifier import ideal_sense, ideal_sentiment
from course.labels import TAGS, read_entities, read_senses, read_sentiment, tags_of
from course.stories import Stories

torch.set_num_threads(1)  # the tensors are small: a second thread would only get in the way
stories = Stories.load()
N_TRAIN, N_TEST = 3100, 500
train, test = {}, {}
train["sentiment"] = read_sentiment(stories, "train", N_TRAIN)
train["sense"] = read_senses(stories, "train", 2000)
train["entities"] = read_entities(stories, "train", align_labels, 1000)
test["sentiment"] = read_sentiment(stories, "test", N_TEST)
test["sense"] = read_senses(stories, "test", 300)
test["entities"] = read_entities(stories, "test", align_labels, 300)
print(stories.decode(stories.test[2]))
print("sentiment:", test["sentiment"].names[test["sentiment"].labels[2]])
tagged = stories.labels("ner", "test")[2]
print("entities:", [pair for pair in zip(tagged["words"], tagged["tags"], strict=True) if pair[1] != "O"])

# %% [markdown]
# These stories have a grammar, so Bayes' rule is exact: p(ends well | the words) follows from how probable the words
# are if it ends well, and if not. Whoever always picks the more probable answer is right as often as anyone can be.
#
# **Predict:** can the words of a story leave open how it ends? What *bank* means?

# %%
posteriors = torch.stack([ideal_sentiment().posterior(story) for story in stories.test[:100]])
best = {"sentiment": posteriors.max(1).values.mean().item()}
print(
    f"sentiment: right in {best['sentiment']:.1%} of stories, never less sure than {posteriors.max(1).values.min():.3f}"
)
reader = ideal_sense()
posteriors = torch.stack([reader.posterior(stories.test[n]) for n in test["sense"].story.tolist()])
best["sense"] = posteriors.max(1).values.mean().item()
open_share = (posteriors.max(1).values < 0.9).float().mean().item()
print(f"sense: right in {best['sense']:.1%}; nothing in the story settles it in {open_share:.1%}")
tags_by_pair = {}
for row in stories.labels("ner", "train"):
    for before, word, tag in zip(["[BOS]", *row["words"]], row["words"], row["tags"], strict=False):
        tags_by_pair.setdefault((before, word), set()).add(tag)
n_open = sum(len(tags) > 1 for tags in tags_by_pair.values())
print(f"entities: {n_open} of {len(tags_by_pair):,} pairs of neighbouring words leave a tag open")
best["entities"] = 1.0

# %% [markdown]
# How a story ends and what is an entity can always be told from its words. A sense cannot: some stories never say which
# *bank* it was, and there even an ideal reader tosses a coin. Without the ceiling you would search your model for a
# fault that is none.
#
# ## 6 A frozen encoder, and a head

# %% [markdown]
# Three readers. The **pretrained** encoder of notebook 3 and one with a **random start** stay frozen: they give
# vectors, and only a head is fitted. The third has no encoder: a **bag of words** counts how often each word stands in
# the story (for entities it looks at the word alone).
#
# Sentiment is asked of your `pool` ("mean"), the sense of the vector at the homonym, tags of every word's vector.

# %%
from course.blocks.masked_lm import MaskedLM
from course.checkpoints import load_stories_bert
from course.finetuning import HiddenStates, fit_head, in_batches, learning_curve, word_counts
from course.training import seeded

pretrained = load_stories_bert()
with seeded(1):
    random_start = MaskedLM(pretrained.config)
encoders = {"pretrained": pretrained, "random start": random_start}
V = len(stories.vocab)


def vectors(encoder, part):
    """What the task's head gets from an encoder: [N,D] for sentiment and sense, [N,T,D] for entities."""
    hidden_NTD = in_batches(HiddenStates(encoder), part["sentiment"])
    sense, tagged = part["sense"], part["entities"]
    rows, at = (sense.labels >= 0).nonzero(as_tuple=True)
    return {
        "sentiment": pool(hidden_NTD, part["sentiment"].mask, "mean"),
        "sense": hidden_NTD[sense.story[rows], at],
        "entities": hidden_NTD[tagged.story, : tagged.ids.shape[1]],
    }


# %%
def words_alone(part):
    """The same from a reader without an encoder: counts of words [N,V], for entities each word by itself [N,T,V]."""
    counts = {task: word_counts(part[task], V) for task in ("sentiment", "sense")}
    return {**counts, "entities": nn.functional.one_hot(part["entities"].ids, V).float()}


features = {name: (vectors(encoder, train), vectors(encoder, test)) for name, encoder in encoders.items()}
features["bag of words"] = (words_alone(train), words_alone(test))
# One label a story for sentiment and sense (-100 is below all others), one a word for entities.
answers = [
    {task: data.labels.amax(1) if task == "sense" else data.labels for task, data in part.items()}
    for part in (train, test)
]


# %%
def fitted(name, task, rows):
    """The head that the labels of these stories give, on features that stay as they are."""
    labels = answers[0][task][rows]
    return fit_head(features[name][0][task][rows][labels >= 0], labels[labels >= 0], len(train[task].names))


def judge(task, guesses):
    """Accuracy, or for entities your F1, on test stories."""
    if task != "entities":
        return (guesses == answers[1][task][: len(guesses)]).float().mean().item()
    real = test[task].labels >= 0
    return entity_f1(tags_of(guesses, TAGS, real), tags_of(test[task].labels, TAGS, real))


def frozen_score(name, task):
    return lambda rows, seed: judge(task, fitted(name, task, rows)(features[name][1][task]).argmax(-1))


# %% [markdown]
# **Predict:** in which of the three tasks will the pretrained encoder be far ahead with fifty labelled stories? In
# which will the bag of words be hard to beat?

# %%
from course.figures import show
from course.figures.week3_using import accuracy_by_hidden, scores_by_labels, scores_by_seed
from course.progress import Progress

n_labels = {"sentiment": [10, 50, 200, 2000], "sense": [10, 50, 200, 1000], "entities": [2, 10, 50, 200]}
curves = {}
with Progress(total=len(n_labels) * len(features) * 4 * 5, desc="fitting heads", unit="head") as bar:
    for task, ns in n_labels.items():
        curves[task] = {
            name: learning_curve(frozen_score(name, task), ns, len(train[task]), tick=bar.update) for name in features
        }
ahead = curves["sentiment"]["pretrained"][1][0] - curves["sentiment"]["random start"][1][0]
units = {"sentiment": "accuracy", "sense": "accuracy", "entities": "F1 over entities"}
figure, _ = scores_by_labels(
    n_labels,
    curves,
    best,
    units,
    title=f"Frozen, 50 labelled stories: pretraining is worth {100 * ahead:.0f} points on sentiment",
)
show(
    figure,
    alt="Three panels of scores against labelled stories for three frozen readers, below the line of the ideal reader.",
)

# %%
for task, by_reader in curves.items():
    for name, curve in by_reader.items():
        points = zip(n_labels[task], curve, strict=True)
        print(f"{task:9s} {name:12s}", "  ".join(f"{n:>5,}: {mean:4.0%} ± {half:3.0%}" for n, (mean, half) in points))

# %% [markdown]
# On **sentiment** pretraining shows at once. Who fills gaps must know what goes together over a whole story; counting
# words gets there too, but needs several times the labels.
#
# On **entities** the encoder beats the random start, and hardly the reader who looks at each word by itself. Should one
# labelled *Mia* not be enough for *Anna* too, since both fill the same gaps? But notebook 3's model *copies* names, and
# for that it had to tell them apart. On **sense** it is no match at all for counting words. Why?

# %% [markdown]
# Because nobody asked it. To fill a gap, a vector must say which word stands *here*. How the story ends decides several
# words, far apart, and so the encoder keeps track of it. But *bank* is visible, and nobody needs its sense to know
# that it reads *bank*. A bag of words has *coins* and *frog* in columns of their own, and simply counts them.
#
# So let the encoder change: what is there in traces, labels can strengthen.
#
# ## 7 Fine-tuning, and a reader who is as good as it gets

# %% [markdown]
# Your `SentenceClassifier` trains from end to end: 2,000 labels for sentiment, many of whose words are hidden behind
# `[MASK]`. The more is hidden, the more doubt is left, and again Bayes' rule says exactly how much.
#
# **Predict:** with a fifth of the words hidden, does an ideal reader still know how the story ends? With four fifths?

# %%
import copy

from course.finetuning import fine_tune, hide_words


def tuned(name, data, seed, *, n_steps=120):
    """Your classifier, trained from one of the two starts."""
    with seeded(seed):
        encoder = HiddenStates(copy.deepcopy(encoders[name]))
        classifier = SentenceClassifier(encoder, pretrained.config.d_model, len(data.names), "mean")
    fine_tune(classifier, data, n_steps=n_steps, seed=seed)
    return classifier


def with_hidden(data, rates, seed):
    keep = [stories.pad_id, stories.bos_id, stories.eos_id]
    return hide_words(data, rates, stories.mask_id, keep=keep, seed=seed)


labelled = train["sentiment"].take(slice(0, 2000))
damaged = with_hidden(labelled, 0.9 * torch.rand(2000, generator=torch.Generator().manual_seed(1)), seed=2)
classifier = tuned("pretrained", damaged, seed=0, n_steps=200)
counting = fit_head(word_counts(damaged, V), damaged.labels, 2)

# %%
rates, some = [0.0, 0.2, 0.4, 0.6, 0.8], test["sentiment"].take(slice(0, 200))
seen = {"your classifier": [], "bag of words": []}
possible, reader = [], ideal_sentiment()
with Progress(total=len(rates) * len(some), desc="Bayes' rule", unit="posterior") as bar:
    for rate in rates:
        data = with_hidden(some, torch.full((len(some),), rate), seed=3)
        seen["your classifier"].append(judge("sentiment", in_batches(classifier, data).argmax(-1)))
        seen["bag of words"].append(judge("sentiment", counting(word_counts(data, V)).argmax(-1)))
        sure = []
        for ids, mask in zip(data.ids, data.mask, strict=True):
            sure.append(reader.posterior(ids[mask], ids[mask] == stories.mask_id).max().item())
            bar.update()
        possible.append(sum(sure) / len(sure))

# %%
gap = max(p - a for p, a in zip(possible, seen["your classifier"], strict=True))
figure, _ = accuracy_by_hidden(
    rates, seen, possible, chance=0.5, title=f"Fine-tuned, it stays within {100 * gap:.0f} points of exact Bayes"
)
show(
    figure,
    alt="Accuracy against the share of hidden words: your classifier falls with the ideal reader, as it must.",
)
for name, values in {"ideal reader": possible, **seen}.items():
    print(
        f"{name:15s}", "  ".join(f"{rate:.0%} hidden: {value:4.0%}" for rate, value in zip(rates, values, strict=True))
    )

# %% [markdown]
# The stories say it several times over: a bag left open, a kite gone, tears. So much must be hidden before doubt comes.
# Then nobody can be better than the black line, and what your classifier loses below it is all that is left to gain.
# The line is an expectation over stories, so a finite sample may lie a little above it.
#
# ## 8 Fifty labels

# %% [markdown]
# Two thousand labels are many. Back to few, and to the question of the beginning. The classifier is fine-tuned from the
# **pretrained** weights and from a **random start**: the same steps, stories and learning rate. Three seeds choose the
# labelled stories, the head and the order.
#
# **Predict:** with 50 and with 200 labels, who wins: the pretrained start, the random start, or the bag of words?

# %%
scores = {n: {"pretrained": [], "random start": [], "bag of words": []} for n in (50, 200)}
with Progress(total=2 * 3 * len(encoders), desc="fine-tuning", unit="model") as bar:
    for n, by_name in scores.items():
        for seed in range(3):
            rows = torch.randperm(N_TRAIN, generator=torch.Generator().manual_seed(seed))[:n]
            by_name["bag of words"].append(frozen_score("bag of words", "sentiment")(rows, seed))
            for name in encoders:
                tuned_one = tuned(name, train["sentiment"].take(rows), seed)
                by_name[name].append(judge("sentiment", in_batches(tuned_one, test["sentiment"]).argmax(-1)))
                bar.update()

# %%
means = {n: {name: sum(values) / len(values) for name, values in by_name.items()} for n, by_name in scores.items()}
lead = {n: means[n]["pretrained"] - means[n]["random start"] for n in scores}
blocks = {f"sentiment, {n} labelled stories": by_name for n, by_name in scores.items()}
figure, _ = scores_by_seed(
    blocks,
    dict.fromkeys(blocks, best["sentiment"]),
    title=f"Pretrained over random start: {100 * lead[50]:+.0f} points with 50 labels, {100 * lead[200]:+.0f} with 200",
)
show(figure, alt="Dots by seed: accuracy of bag of words, random start and pretrained with 50 and with 200 labels.")
for n, by_name in means.items():
    print(f"{n:>3} labels:", ", ".join(f"{name} {mean:.1%}" for name, mean in by_name.items()))
    errors = ", ".join(f"{name} {1000 * (1 - mean):.0f}" for name, mean in by_name.items())
    print(f"            wrong in 1,000 stories: {errors}")

# %% [markdown]
# The same classifier, the same stories, and only the first weights differ. Filling gaps has taught the encoder what
# goes together over a whole story: an old bag in the second sentence, a kite that is *gone* in the last. Fifty labels
# need only give that a name. The random start has to find it first, and with more labels it draws nearer.
#
# Has the encoder learned all there is? Ask the floor of notebook 2:

# %%
from course.masked_eval import compare_with_floor

print(compare_with_floor(pretrained, stories))

# %% [markdown]
# Nearly. So what is left for the labels to teach is not how stories go, but which of the many things that the encoder
# keeps track of is asked for. A random start has to learn both from fifty stories. BERT has read billions of words
# before it sees a label (Devlin et al. 2019, section 3.1).

# %% [markdown]
# ## In practice
#
# BERT is fine-tuned with learning rates near 3e-5 for two to four rounds (Devlin et al. 2019, appendix A.3), since its
# weights are worth keeping; ours are small and can be pushed. With few labels results vary from seed to seed, so report
# several. Try a linear baseline first: it costs a second, and sometimes it is enough. Entities are scored with a tested
# program such as `seqeval`, with which your `entity_f1` agrees.

# %% [markdown]
# ## What now works
#
# You can turn any encoder into a classifier of texts or of words, label pieces, score entities, and say how far the
# result is from the best possible. And you have counted what pretraining is worth in labels, task by task.

# %% [markdown]
# ## What comes next
#
# An encoder understands and cannot write. Week 4 turns to the decoder: it sees only what stands to the left, and so it
# can continue any text. Its objective is the oldest of all: the next token.
