"""What pretraining is good for, II: writing stories from nothing, and filling the gaps of stories.

Each family writes as it can: the decoder left to right, the encoder by filling a row of masks one by one, the
encoder-decoder by answering an input that is a single gap. The oracle says which stories are possible at all.

B stories, T tokens of the longest, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from course.configs import GenerationConfig
from course.generation import generate
from course.oracle import Oracle
from course.spans import random_spans, reconstruct
from course.stories import Stories, pad
from course.three_objectives.objectives import Objective
from course.three_objectives.settings import DENSITY, MEAN_SPAN_LEN

LONGEST = 64
Choose = Callable[[Tensor], Tensor]  # logits [B,V] -> ids [B]


def sampler(generator: torch.Generator) -> Choose:
    """Return what draws from the model's own distribution."""
    return lambda logits: torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]


def sampled(n_new: int, stories: Stories) -> GenerationConfig:
    """Return how a text is drawn from the model as it is, up to its end token or n_new tokens."""
    return GenerationConfig(n_new, do_sample=True, eos_id=stories.eos_id, pad_id=stories.pad_id)


def greedy(n_new: int, stories: Stories) -> GenerationConfig:
    """Return how the most probable token is taken again and again, up to the end token or n_new tokens."""
    return GenerationConfig(n_new, eos_id=stories.eos_id, pad_id=stories.pad_id)


def most_probable(logits: Tensor) -> Tensor:
    return logits.argmax(-1)


def share_possible(oracle: Oracle, texts: list[list[int]]) -> float:
    """Return the share of texts, each with [BOS] and [EOS], that the grammar can make."""
    return sum(is_possible(oracle, text) for text in texts) / len(texts)


def is_possible(oracle: Oracle, ids: list[int]) -> bool:
    """Return whether the grammar can make this text."""
    return math.isfinite(oracle.log_prob(ids))


def until(row: list[int], eos_id: int) -> list[int]:
    """Return a row up to its first end token, which is added where there is none."""
    return row[: row.index(eos_id) + 1] if eos_id in row else [*row, eos_id]


@torch.no_grad()
def write(objective: Objective, model: nn.Module, n_texts: int, seed: int) -> list[list[int]]:
    """Return texts written from nothing, drawn from the model, each with [BOS] and [EOS]."""
    stories, generator = objective.stories, torch.Generator().manual_seed(seed)
    if objective.name == "causal":
        start = torch.full((n_texts, 1), stories.bos_id)
        rows = generate(model, start, sampled(LONGEST - 1, stories), generator)
        return [until(row, stories.eos_id) for row in rows.tolist()]
    if objective.name == "masked":
        lengths = [len(story) for story in stories.valid[:n_texts]]  # it cannot choose its length, so it is told
        blank = [[stories.bos_id, *[stories.mask_id] * (length - 2), stories.eos_id] for length in lengths]
        return fill_masks(model, blank, stories, sampler(generator))
    gap = torch.tensor([[stories.sentinel_ids[0], stories.eos_id]]).expand(n_texts, 2)
    targets = write_targets(
        model, gap, torch.ones_like(gap, dtype=torch.bool), stories, sampled(LONGEST, stories), generator
    )
    return [_story_of(gap[0], target, stories) for target in targets]


@torch.no_grad()
def fill(objective: Objective, model: nn.Module, texts: list[list[int]], hidden: list[Tensor]) -> list[list[int]]:
    """Return the stories with their hidden words filled in, most probable word by most probable word.

    The encoder and the decoder are told how many words each gap has, and fill from left to right, the decoder from what
    stands to the left alone. The encoder-decoder is not told.

    Args:
        texts: stories with [BOS] and [EOS].
        hidden: for each a bool [T], True where a word is hidden.
    """
    stories = objective.stories
    masked = [
        torch.where(gone, stories.mask_id, torch.tensor(text)).tolist()
        for text, gone in zip(texts, hidden, strict=True)
    ]
    if objective.name == "masked":
        return fill_masks(model, masked, stories, most_probable)
    if objective.name == "causal":
        return fill_from_left(model, masked, stories)
    pairs = [_gaps(text, gone, stories) for text, gone in zip(texts, hidden, strict=True)]
    inputs_BS, mask_BS = pad([pair.tolist() for pair in pairs], stories.pad_id)
    targets = write_targets(model, inputs_BS, mask_BS, stories, greedy(LONGEST, stories))
    return [_story_of(pair, target, stories) for pair, target in zip(pairs, targets, strict=True)]


def hide_spans(texts: list[list[int]], seed: int) -> list[Tensor]:
    """Return for each story a bool [T], True where T5's procedure hides a word; never [BOS] or [EOS]."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for text in texts:
        noise = random_spans(len(text) - 2, DENSITY, MEAN_SPAN_LEN, generator)
        found.append(torch.nn.functional.pad(noise, (1, 1)))
    return found


def fill_masks(model: nn.Module, texts: list[list[int]], stories: Stories, choose: Choose) -> list[list[int]]:
    """Return texts whose [MASK]s a masked language model filled one by one, from left to right."""
    ids_BT, mask_BT = pad(texts, stories.pad_id)
    for rows, places in _next_masks(ids_BT, stories.mask_id):
        logits_BTV = model(ids_BT[rows], mask_BT[rows])
        ids_BT[rows, places] = choose(_words_only(logits_BTV[torch.arange(len(rows)), places], stories))
    return [row[real].tolist() for row, real in zip(ids_BT, mask_BT, strict=True)]


def fill_at_once(model: nn.Module, texts: list[list[int]], stories: Stories) -> list[list[int]]:
    """Return texts whose [MASK]s are filled all at once, each with its own most probable word."""
    ids_BT, mask_BT = pad(texts, stories.pad_id)
    guesses_BT = _words_only(model(ids_BT, mask_BT), stories).argmax(-1)
    ids_BT = torch.where(ids_BT == stories.mask_id, guesses_BT, ids_BT)
    return [row[real].tolist() for row, real in zip(ids_BT, mask_BT, strict=True)]


def fill_from_left(model: nn.Module, texts: list[list[int]], stories: Stories) -> list[list[int]]:
    """Return texts whose [MASK]s a causal language model filled, each from what stands to its left."""
    ids_BT, mask_BT = pad(texts, stories.pad_id)
    for rows, places in _next_masks(ids_BT, stories.mask_id):
        logits_BTV = model(ids_BT[rows])
        ids_BT[rows, places] = most_probable(_words_only(logits_BTV[torch.arange(len(rows)), places - 1], stories))
    return [row[real].tolist() for row, real in zip(ids_BT, mask_BT, strict=True)]


@torch.no_grad()
def write_targets(
    model: nn.Module,
    inputs: Tensor,
    mask: Tensor,
    stories: Stories,
    config: GenerationConfig,
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """Return what an encoder-decoder writes for inputs [B,S] with their mask, each row up to its end token."""
    memory_BSD = model.encode(inputs, mask)
    start = torch.full((len(inputs), 1), stories.pad_id)
    rows = generate(lambda ids, _: model.decode(ids, memory_BSD, mask), start, config, generator)
    return [until(row[1:], stories.eos_id) for row in rows.tolist()]


def _next_masks(ids_BT: Tensor, mask_id: int):
    """Yield (rows, places): the first [MASK] of every row that has one, again and again until none is left."""
    while (is_mask_BT := ids_BT == mask_id).any():
        rows = is_mask_BT.any(1).nonzero()[:, 0]
        yield rows, is_mask_BT[rows].int().argmax(1)


def _words_only(logits: Tensor, stories: Stories) -> Tensor:
    """Return logits that allow words alone: neither special tokens nor sentinels stand in a gap."""
    allowed = torch.zeros(logits.shape[-1], dtype=torch.bool)
    allowed[stories.word_ids] = True
    return logits.masked_fill(~allowed, -math.inf)


def _gaps(text: list[int], hidden: Tensor, stories: Stories) -> Tensor:
    """Return T5's input for a story: its words with one sentinel for each gap, and the end token."""
    words, gone = torch.tensor(text)[1:-1], hidden[1:-1]
    first = gone & ~torch.nn.functional.pad(gone, (1, 0))[:-1]
    names = torch.tensor(stories.sentinel_ids)[(first.cumsum(0) - 1).clamp_min(0)]
    kept = torch.where(first, names, words)[first | ~gone]
    return torch.cat([kept, torch.tensor([stories.eos_id])])


def _story_of(inputs: Tensor, target: list[int], stories: Stories) -> list[int]:
    """Return the story that an input and the written target make together, with [BOS] and [EOS]."""
    words = reconstruct(inputs, torch.tensor(target), stories.sentinel_ids, stories.eos_id).tolist()
    return [stories.bos_id, *words, stories.eos_id]
