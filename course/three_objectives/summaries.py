"""What pretraining is good for, III: saying a story in one sentence, for the two families that can write.

The encoder-decoder reads the story and writes the summary. The decoder continues: story, end token, summary, end token.
An encoder has no way to write a sentence. B stories, S and T tokens of the longest.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from course.finetuning import BATCH
from course.generation import generate
from course.stories import Stories, pad
from course.three_objectives.objectives import IGNORED, Batch, Objective, seq2seq
from course.three_objectives.writing import greedy, until, write_targets

LONGEST_SUMMARY = 24
Pair = tuple[list[int], list[int]]


def read_pairs(stories: Stories, split: str, n_stories: int) -> list[Pair]:
    """Return (a story's words, its summary's words) of the first stories of a split, without special tokens."""
    rows, texts = stories.labels("summary", split)[:n_stories], getattr(stories, split)
    return [(texts[row["story"]][1:-1], stories.encode(row["summary"], special=False)) for row in rows]


def summarise(objective: Objective, start: nn.Module, seed: int) -> float | None:
    """Return the share of test stories whose summary comes out word for word after fine-tuning; None for an encoder."""
    if objective.name == "masked":
        return None
    settings, stories, model = objective.settings, objective.stories, copy.deepcopy(start)
    pairs = read_pairs(stories, "train", settings.n_summaries)
    as_batch = span_pairs if objective.name == "span" else causal_pairs

    def sample(generator: torch.Generator) -> Batch:
        rows = torch.randint(len(pairs), (BATCH,), generator=generator)
        return as_batch([pairs[n] for n in rows.tolist()], stories)

    label = f"{objective.name}: summaries"
    objective.train(model, objective.loss, sample, n_steps=settings.summary_steps, peak_lr=1e-3, seed=seed, label=label)
    test = read_pairs(stories, "test", settings.n_written)
    written = write_summaries(objective, model, [story for story, _ in test])
    return sum(ours == theirs for ours, (_, theirs) in zip(written, test, strict=True)) / len(test)


def span_pairs(pairs: list[Pair], stories: Stories) -> Batch:
    """Return the batch of an encoder-decoder: the story is read, the summary written."""
    sources, targets = (
        pad([[*text, stories.eos_id] for text in texts], stories.pad_id) for texts in zip(*pairs, strict=True)
    )
    return seq2seq((*sources, *targets), stories.pad_id)


def causal_pairs(pairs: list[Pair], stories: Stories) -> Batch:
    """Return the batch of a decoder: story and summary in one row, and the summary alone as its targets."""
    rows = [[stories.bos_id, *story, stories.eos_id, *summary, stories.eos_id] for story, summary in pairs]
    ids_BT, mask_BT = pad(rows, stories.pad_id)
    first = torch.tensor([len(story) + 2 for story, _ in pairs])  # where the summary begins
    asked_BT = mask_BT & (torch.arange(ids_BT.shape[1]) >= first[:, None])
    return ids_BT[:, :-1], ids_BT[:, 1:].masked_fill(~asked_BT[:, 1:], IGNORED)


@torch.no_grad()
def write_summaries(objective: Objective, model: nn.Module, texts: list[list[int]]) -> list[list[int]]:
    """Return the most probable summary of each story, word by word, without the end token."""
    stories = objective.stories
    config = greedy(LONGEST_SUMMARY, stories)
    if objective.name == "span":
        inputs_BS, mask_BS = pad([[*text, stories.eos_id] for text in texts], stories.pad_id)
        return [row[:-1] for row in write_targets(model, inputs_BS, mask_BS, stories, config)]
    prompts = [[stories.bos_id, *text, stories.eos_id] for text in texts]
    ids_BT, mask_BT = pad([prompt[::-1] for prompt in prompts], stories.pad_id)
    rows = generate(model, ids_BT.flip(1), config, prompt_mask=mask_BT.flip(1))  # padded on the left
    return [until(row, stories.eos_id)[:-1] for row in rows[:, ids_BT.shape[1] :].tolist()]
