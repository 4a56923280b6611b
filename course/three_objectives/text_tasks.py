"""What pretraining is good for, III: turning a story into another text, for the two families that can write.

The encoder-decoder reads the story and writes the other text. The decoder continues: story, end token, text, end token.
An encoder has no way to write a sentence. B stories, S and T tokens of the longest, V vocabulary.
"""

from __future__ import annotations

import copy
import re

import torch
from torch import nn

from course.finetuning import BATCH
from course.generation import generate
from course.growth import Growth
from course.homonyms import korean_senses, told_sense
from course.stories import Stories, pad
from course.text_to_text import TextTokenizer
from course.three_objectives.objectives import IGNORED, Batch, Objective, seq2seq
from course.three_objectives.writing import greedy, until, write_targets

LONGEST_SUMMARY, LONGEST_TRANSLATION = 24, 72
SENTENCE = re.compile(r"[^.?]+[.?]")
Pair = tuple[list[int], list[int]]


def summarise(objective: Objective, start: nn.Module, growth: Growth, seed: int) -> float | None:
    """Return the share of test stories whose summary comes out word for word after fine-tuning; None for an encoder."""
    if objective.name == "masked":
        return None
    settings, stories = objective.settings, objective.stories
    pairs = read_pairs(stories, "train", settings.n_summaries)
    model = learn_to_write(
        objective, start, growth, pairs, n_steps=settings.summary_steps, seed=seed, label=f"{objective.name}: summaries"
    )
    test = read_pairs(stories, "test", settings.n_written)
    written = write_answers(objective, model, [story for story, _ in test], LONGEST_SUMMARY)
    return sum(ours == theirs for ours, (_, theirs) in zip(written, test, strict=True)) / len(test)


def translate(objective: Objective, start: nn.Module, growth: Growth, seed: int) -> dict[str, float | str] | None:
    """Return how well stories are said in Korean after fine-tuning; None for an encoder.

    Returns:
        "sentences": the share of test sentences that come out word for word, each in its own place. "senses": of the
        stories that settle what their homonym means, the share in which the Korean word for that sense stands.
        "example": the first test story.
    """
    if objective.name == "masked":
        return None
    settings, stories, tokenizer = objective.settings, objective.stories, TextTokenizer(objective.stories)
    rows = stories.labels("translation", "train")[: settings.n_translations]
    pairs = [_without_end(tokenizer, row["english"], row["korean"]) for row in rows]
    model = learn_to_write(
        objective,
        with_more_words(objective, start, len(tokenizer), seed),
        growth,
        pairs,
        n_steps=settings.translation_steps,
        seed=seed,
        label=f"{objective.name}: Korean",
    )
    test = stories.labels("translation", "test")[: settings.n_test]
    sources = [_without_end(tokenizer, row["english"], row["korean"])[0] for row in test]
    written = [tokenizer.decode(ids) for ids in write_answers(objective, model, sources, LONGEST_TRANSLATION)]
    senses, told = korean_senses(), []
    for row in stories.labels("sense", "test"):
        if row["story"] < len(written) and row["settled"] != "never":
            told.append(told_sense(written[row["story"]], senses[row["word"]]) == row["sense"])
    return {
        "sentences": share_of_sentences(written, [row["korean"] for row in test]),
        "senses": sum(told) / max(1, len(told)),
        "example": written[0],
    }


def read_pairs(stories: Stories, split: str, n_stories: int) -> list[Pair]:
    """Return (a story's words, its summary's words) of the first stories of a split, without special tokens."""
    rows, texts = stories.labels("summary", split)[:n_stories], getattr(stories, split)
    return [(texts[row["story"]][1:-1], stories.encode(row["summary"], special=False)) for row in rows]


def share_of_sentences(written: list[str], wanted: list[str]) -> float:
    """Return the share of the wanted texts' sentences that were written word for word, in the same place.

    >>> share_of_sentences(["꽃이 있었어요. 벤은 갔어요."], ["꽃이 있었어요. 벤은 왔어요."])
    0.5
    """
    n_right = n_all = 0
    for ours, theirs in zip(written, wanted, strict=True):
        mine, asked = ([part.strip() for part in SENTENCE.findall(text)] for text in (ours, theirs))
        n_right += sum(a == b for a, b in zip(mine, asked, strict=False))
        n_all += len(asked)
    return n_right / n_all


def learn_to_write(
    objective: Objective, start: nn.Module, growth: Growth, pairs: list[Pair], *, n_steps: int, seed: int, label: str
) -> nn.Module:
    """Return a copy of a model, fine-tuned on pairs of texts with the optimisers and rates of its pretraining."""
    model, as_batch = copy.deepcopy(start), span_pairs if objective.name == "span" else causal_pairs

    def sample(generator: torch.Generator) -> Batch:
        rows = torch.randint(len(pairs), (BATCH,), generator=generator)
        return as_batch([pairs[n] for n in rows.tolist()], objective.stories)

    objective.train(model, objective.loss, sample, n_steps=n_steps, seed=seed, label=label, growth=growth)
    return model


def span_pairs(pairs: list[Pair], stories: Stories) -> Batch:
    """Return the batch of an encoder-decoder: the story is read, the other text written."""
    sources, targets = (
        pad([[*text, stories.eos_id] for text in texts], stories.pad_id) for texts in zip(*pairs, strict=True)
    )
    return seq2seq((*sources, *targets), stories.pad_id)


def causal_pairs(pairs: list[Pair], stories: Stories) -> Batch:
    """Return the batch of a decoder: story and other text in one row, and the other text alone as its targets."""
    rows = [[stories.bos_id, *story, stories.eos_id, *other, stories.eos_id] for story, other in pairs]
    ids_BT, mask_BT = pad(rows, stories.pad_id)
    first = torch.tensor([len(story) + 2 for story, _ in pairs])  # where the other text begins
    asked_BT = mask_BT & (torch.arange(ids_BT.shape[1]) >= first[:, None])
    return ids_BT[:, :-1], ids_BT[:, 1:].masked_fill(~asked_BT[:, 1:], IGNORED)


@torch.no_grad()
def with_more_words(objective: Objective, model: nn.Module, vocab_size: int, seed: int) -> nn.Module:
    """Return a copy of a model with a larger table of words: the old rows, and new ones as an untrained model's are."""
    larger = objective.build(seed, vocab_size)
    rows = larger.word.weight.clone()
    rows[: len(model.word.weight)] = model.word.weight
    larger.load_state_dict(model.state_dict() | {"word.weight": rows})
    return larger.eval()


@torch.no_grad()
def write_answers(objective: Objective, model: nn.Module, texts: list[list[int]], longest: int) -> list[list[int]]:
    """Return the most probable text to each story, word by word, without the end token, at most so many tokens."""
    stories = objective.stories
    config = greedy(longest, stories)
    if objective.name == "span":
        inputs_BS, mask_BS = pad([[*text, stories.eos_id] for text in texts], stories.pad_id)
        return [row[:-1] for row in write_targets(model, inputs_BS, mask_BS, stories, config)]
    prompts = [[stories.bos_id, *text, stories.eos_id] for text in texts]
    ids_BT, mask_BT = pad([prompt[::-1] for prompt in prompts], stories.pad_id)
    rows = generate(model, ids_BT.flip(1), config, prompt_mask=mask_BT.flip(1))  # padded on the left
    return [until(row, stories.eos_id)[:-1] for row in rows[:, ids_BT.shape[1] :].tolist()]


def _without_end(tokenizer: TextTokenizer, english: str, korean: str) -> Pair:
    return tokenizer.encode(english)[:-1], tokenizer.encode(korean)[:-1]
