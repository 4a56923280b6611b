"""Labelled stories as tensors: what the tasks of week 3's last notebook are fine-tuned and judged on.

N stories, T tokens, V vocabulary. The labels come from `data/stories/labels/`, through `course.stories.Stories`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from course.stories import CorpusError, Stories, pad

IGNORED = -100  # the label that cross entropy leaves out, as in PyTorch
SENTIMENTS = ("negative", "positive")
TAGS = ("O", "B-PER", "B-LOC", "B-TOOL")
SENSES: Mapping[str, tuple[str, str]] = {
    "bank": ("river", "money"),
    "bat": ("animal", "tool"),
    "seal": ("animal", "tool"),
    "crane": ("animal", "tool"),
    "pitch": ("field", "voice"),
    "spring": ("season", "water"),
}
SENSE_NAMES = tuple(dict.fromkeys(sense for pair in SENSES.values() for sense in pair))

Align = Callable[[list[int | None], list[int]], list[int]]


@dataclass(frozen=True)
class Labelled:
    """Stories with the labels of one task.

    Attributes:
        ids: long [N,T], padded on the right.
        mask: bool [N,T], True on real tokens.
        labels: long [N], one a story, or long [N,T], one a token, -100 where there is none.
        names: the classes; a label is a position in it.
        story: long [N], the number of each story in its split.
    """

    ids: Tensor
    mask: Tensor
    labels: Tensor
    names: tuple[str, ...]
    story: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Tensor | slice) -> Labelled:
        """Return some of the stories, in the order of `rows` (indices, a boolean mask [N] or a slice)."""
        parts = {name: getattr(self, name)[rows] for name in ("ids", "mask", "labels", "story")}
        return replace(self, **parts)


def read_sentiment(stories: Stories, split: str, n_stories: int | None = None) -> Labelled:
    """Return stories with how each ends: one label a story, out of `SENTIMENTS`.

    Args:
        stories: the corpus.
        split: "train", "valid" or "test".
        n_stories: only the first so many; None for all that carry the label.

    Raises:
        CorpusError: a label file is missing or altered, or holds what the task does not know.
        ValueError: there is no such split, or it has fewer labelled stories.
    """
    rows = _first(stories.labels("sentiment", split), n_stories, f"sentiment in {split}")
    labels = torch.tensor([_number(SENTIMENTS, row["label"], row) for row in rows])
    ids, mask = pad(_texts(stories, split, rows), stories.pad_id)
    return Labelled(ids, mask, labels, SENTIMENTS, _numbers(rows))


def read_senses(stories: Stories, split: str, n_stories: int | None = None) -> Labelled:
    """Return stories with the sense of their homonym: its label stands at the homonym, -100 everywhere else.

    Classes are `SENSE_NAMES`. Stories without a homonym are left out. Arguments and errors as for `read_sentiment`.
    """
    rows = _first(stories.labels("sense", split), n_stories, f"senses in {split}")
    ids, mask = pad(_texts(stories, split, rows), stories.pad_id)
    labels = torch.full_like(ids, IGNORED)
    for n, row in enumerate(rows):
        at = row["position"]
        if stories.vocab[int(ids[n, at])] != row["word"]:
            raise CorpusError(f"Story {row['story']} of {split} has no {row['word']!r} at token {at}: run `make data`.")
        labels[n, at] = _number(SENSE_NAMES, row["sense"], row)
    return Labelled(ids, mask, labels, SENSE_NAMES, _numbers(rows))


def read_entities(stories: Stories, split: str, align: Align, n_stories: int | None = None) -> Labelled:
    """Return stories with a tag at each word, out of `TAGS`; [BOS], [EOS] and padding get -100.

    Args:
        stories, split, n_stories: as for `read_sentiment`; of the training stories the first 5,000 carry tags.
        align: (word_ids, tags) -> labels, one a token: the `align_labels` of the notebook. In this corpus a word is one
            token, and the word ids of [BOS] and [EOS] are None.

    Raises:
        CorpusError, ValueError: as for `read_sentiment`; ValueError too where `align` does not give a label a token.
    """
    rows = _first(stories.labels("ner", split), n_stories, f"entities in {split}")
    ids, mask = pad(_texts(stories, split, rows), stories.pad_id)
    labels = torch.full_like(ids, IGNORED)
    for n, row in enumerate(rows):
        tags = [_number(TAGS, tag, row) for tag in row["tags"]]
        word_ids = [None, *range(len(tags)), None]
        aligned = align(word_ids, tags)
        if len(aligned) != len(word_ids) or len(word_ids) != int(mask[n].sum()):
            raise ValueError(
                f"Story {row['story']} of {split} has {int(mask[n].sum())} tokens, but {len(aligned)} labels came: "
                "align gives one label a token."
            )
        labels[n, : len(aligned)] = torch.tensor(aligned)
    return Labelled(ids, mask, labels, TAGS, _numbers(rows))


def tags_of(labels: Tensor, names: Sequence[str], where: Tensor) -> list[list[str]]:
    """Return the tags of each story as strings: what `entity_f1` compares.

    Args:
        labels: long [N,T], true or predicted classes.
        names: the classes.
        where: bool [N,T], True at the tokens whose tag counts.
    """
    return [[names[label] for label in row[kept].tolist()] for row, kept in zip(labels, where, strict=True)]


def _first(rows: list[dict[str, object]], n_stories: int | None, what: str) -> list[dict[str, object]]:
    if n_stories is not None and not 1 <= n_stories <= len(rows):
        raise ValueError(f"{n_stories} stories are wanted, but there are labels for {len(rows)} ({what}).")
    return rows[:n_stories]


def _texts(stories: Stories, split: str, rows: list[dict[str, object]]) -> list[list[int]]:
    texts = getattr(stories, split)
    if any(row["story"] >= len(texts) for row in rows):
        raise CorpusError(f"The labels of {split} speak of more stories than the {len(texts)} there: run `make data`.")
    return [texts[row["story"]] for row in rows]


def _numbers(rows: list[dict[str, object]]) -> Tensor:
    return torch.tensor([row["story"] for row in rows])


def _number(names: Sequence[str], name: object, row: Mapping[str, object]) -> int:
    if name not in names:
        raise CorpusError(f"Story {row['story']} is labelled {name!r}, which is none of {', '.join(names)}.")
    return names.index(name)
