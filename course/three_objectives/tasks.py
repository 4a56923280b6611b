"""What pretraining is good for, I: classifying with few labels, from the pretrained start and from a random one.

B stories, T tokens, D model width, C classes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from course.finetuning import WordClassifier, fine_tune, in_batches
from course.growth import Growth
from course.labels import IGNORED, Labelled, read_senses, read_sentiment
from course.stories import Stories
from course.three_objectives.objectives import Objective
from course.three_objectives.settings import Settings
from course.training import seeded


class Reader(nn.Module):
    """A pretrained model of any family as (ids [B,T], mask [B,T]) -> hidden vectors [B,T,D].

    Args:
        objective: knows how its model reads a text.
        model: its weights are copied.
    """

    def __init__(self, objective: Objective, model: nn.Module) -> None:
        super().__init__()
        self.model, self._objective = copy.deepcopy(model), objective

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self._objective.hidden(self.model, ids, mask)


class TextClassifier(nn.Module):
    """A class for each text: the mean over its tokens but [BOS], and one linear map. The same for all families.

    Args:
        reader: (ids [B,T], mask [B,T]) -> hidden vectors [B,T,D].
        d_model: D.
        n_classes: C.
    """

    def __init__(self, reader: nn.Module, d_model: int, n_classes: int) -> None:
        super().__init__()
        self.reader, self.head = reader, nn.Linear(d_model, n_classes)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return logits [B,C]."""
        counted_BT1 = mask.clone()[:, :, None]
        counted_BT1[:, 0] = False
        hidden_BTD = self.reader(ids, mask).masked_fill(~counted_BT1, 0.0)
        return self.head(hidden_BTD.sum(1) / counted_BT1.sum(1))


def classify(objective: Objective, starts: Mapping[str, nn.Module], stories: Stories, seed: int) -> dict[str, object]:
    """Return accuracies on test stories: {task: {labels: {start: accuracy, or {how the sense is settled: accuracy}}}}.

    Args:
        objective: how the models read.
        starts: models to fine-tune a copy of, by name; "random" is the untrained one.
        stories: the corpus.
        seed: of the labelled stories, the head and the order.
    """
    settings, found = objective.settings, {}
    growth = {name: Growth.of(start, starts["random"]) for name, start in starts.items()}
    for task, read in {"sentiment": read_sentiment, "sense": read_senses}.items():
        train, test = read(stories, "train"), read(stories, "test")
        test = test.take(slice(0, settings.n_test))
        rows = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
        found[task] = {
            str(n): {
                name: _judge(task, _tuned(objective, start, growth[name], train.take(rows[:n]), seed), test, stories)
                for name, start in starts.items()
            }
            for n in settings.n_labels[task]
        }
    return found


def settled_sides(stories: Stories, test: Labelled) -> list[str]:
    """Return what settles the homonym of each story: words to its "left", to its "right", or "never" any."""
    sides = {row["story"]: row["settled"] for row in stories.labels("sense", "test")}
    return [sides[number] for number in test.story.tolist()]


def _tuned(objective: Objective, start: nn.Module, growth: Growth, data: Labelled, seed: int) -> nn.Module:
    settings: Settings = objective.settings
    kind = TextClassifier if data.labels.ndim == 1 else WordClassifier
    with seeded(seed):
        classifier = kind(Reader(objective, start), objective.width, len(data.names))
    scales = objective.scales(growth, prefix="reader.model." if kind is TextClassifier else "encoder.model.")
    fine_tune(classifier, data, n_steps=settings.tune_steps, seed=seed, lr_scale=scales)
    return classifier


@torch.no_grad()
def _judge(task: str, classifier: nn.Module, test: Labelled, stories: Stories) -> float | dict[str, float]:
    guesses = in_batches(classifier, test).argmax(-1)
    if task == "sentiment":
        return (guesses == test.labels).double().mean().item()
    right = ((guesses == test.labels) & (test.labels != IGNORED)).any(1).double()
    sides = settled_sides(stories, test)
    by_side = {side: [n for n, found in enumerate(sides) if found == side] for side in ("left", "right", "never")}
    shares = {side: right[rows].mean().item() for side, rows in by_side.items() if rows}
    return {"all": right.mean().item(), **shares}
