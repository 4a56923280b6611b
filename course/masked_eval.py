"""Judge a masked language model on exactly the corrupted stories that the masked floor was measured on.

The masked floor is an average over some thousand hidden words, and which words these are moves it by a good part of
what separates a good model from the ideal reader. On the same targets that chance drops out of the comparison.

N stories, T tokens of the longest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from course.stories import Stories, pad, read_file

RATE = 0.15
STREAM = (11, 2)  # seed and number of the random stream that the floor was drawn with
FLOOR_FILE = "masked_floor.txt"
IGNORED = -100


def bert_corruption(
    ids: Sequence[int], generator: np.random.Generator, *, word_ids: np.ndarray, mask_id: int, rate: float = RATE
) -> tuple[np.ndarray, np.ndarray]:
    """Return one story as BERT's corruption shows it, and where it was chosen (Devlin et al. 2019, section 3.1).

    Args:
        ids: [T] of one story with its begin and end tokens, which are never chosen.
        generator: numpy's; three numbers are drawn for each token.
        word_ids: [R], what random words are drawn from.
        mask_id: of [MASK].
        rate: probability of being chosen.

    Returns:
        shown: [T] token ids; of the chosen ones 80% are [MASK], 10% a random word (the original possible), 10% kept.
        chosen: bool [T].
    """
    tokens = np.array(ids)
    chosen = generator.random(len(tokens)) < rate
    chosen[[0, -1]] = False
    fate, drawn = generator.random(len(tokens)), generator.random(len(tokens))
    shown = np.where(chosen & (fate < 0.8), mask_id, tokens)
    random_words = word_ids[(drawn * len(word_ids)).astype(int)]
    return np.where(chosen & (fate >= 0.8) & (fate < 0.9), random_words, shown), chosen


def masked_test_set(stories: Stories) -> tuple[Tensor, Tensor]:
    """Return the corrupted test stories of the masked floor, always the same ones.

    Returns:
        inputs: long [N,T], the stories as they are shown, padded on the right with `stories.pad_id`.
        labels: long [N,T], the original token where it was chosen, -100 elsewhere.

    The ideal reader's mean loss over these labels is `stories.floors["masked"]["loss"]`, in nats.
    """
    generator = np.random.Generator(np.random.PCG64(STREAM))
    word_ids = np.array(stories.word_ids)
    drawn = [bert_corruption(ids, generator, word_ids=word_ids, mask_id=stories.mask_id) for ids in stories.test]
    inputs_NT, _ = pad([shown.tolist() for shown, _ in drawn], stories.pad_id)
    labels = [np.where(chosen, ids, IGNORED).tolist() for ids, (_, chosen) in zip(stories.test, drawn, strict=True)]
    return inputs_NT, pad(labels, IGNORED)[0]


def masked_floor_losses(stories: Stories) -> Tensor:
    """Return float64 [N,T]: the ideal reader's loss in nats for each label of `masked_test_set`, 0 where there is none.

    Raises:
        CorpusError: the file with the losses is missing or altered.
    """
    _, labels_NT = masked_test_set(stories)
    losses_NT = torch.zeros(labels_NT.shape, dtype=torch.float64)
    losses_NT[labels_NT != IGNORED] = torch.tensor(
        [float(loss) for loss in read_file(stories.path, FLOOR_FILE).split()], dtype=torch.float64
    )
    return losses_NT


@torch.no_grad()
def model_losses(model: nn.Module, inputs: Tensor, labels: Tensor, pad_id: int, *, batch_size: int = 100) -> Tensor:
    """Return float64 [N,T]: the model's loss in nats for each label, 0 where the label is -100.

    Args:
        model: called as model(ids, mask) -> logits [B,T,V] with mask bool [B,T], True on real tokens; put into
            evaluation mode.
        inputs, labels: long [N,T].
        pad_id: what fills the inputs up.
        batch_size: B.
    """
    device = next(model.parameters()).device
    model.eval()
    found = []
    for ids_BT, labels_BT in zip(inputs.split(batch_size), labels.split(batch_size), strict=True):
        logits_BTV = model(ids_BT.to(device), (ids_BT != pad_id).to(device))
        found.append(functional.cross_entropy(logits_BTV.mT, labels_BT.to(device), reduction="none").double().cpu())
    return torch.cat(found)


@dataclass(frozen=True)
class Paired:
    """A model's loss beside the floor, on the same targets.

    Attributes:
        loss, floor: mean in nats over all targets.
        ratio: loss / floor.
        error: standard error of the ratio over stories.
    """

    loss: float
    floor: float
    ratio: float
    error: float

    def __str__(self) -> str:
        return (
            f"{self.loss:.3f} nats, {self.ratio:.3f} ± {self.error:.3f} times the floor of {self.floor:.3f} on the same"
            " words"
        )


def compare_with_floor(model: nn.Module, stories: Stories) -> Paired:
    """Return how far a masked language model stays from the ideal reader, on the floor's own corrupted test stories."""
    inputs_NT, labels_NT = masked_test_set(stories)
    losses_NT = model_losses(model, inputs_NT, labels_NT, stories.pad_id)
    return paired(losses_NT, masked_floor_losses(stories), labels_NT != IGNORED)


def paired(losses: Tensor, floor: Tensor, counted: Tensor) -> Paired:
    """Return the comparison of two readers' losses [N,T] over the positions where `counted` is True."""
    sums_N, floors_N = ((values.double() * counted).sum(1) for values in (losses, floor))
    n_stories, n_targets = len(sums_N), int(counted.sum())
    ratio = float(sums_N.sum() / floors_N.sum())
    spread = float(((sums_N - ratio * floors_N) ** 2).sum()) * n_stories / (n_stories - 1)
    means = (float(values.sum()) / n_targets for values in (sums_N, floors_N))
    return Paired(*means, ratio, math.sqrt(spread) / float(floors_N.sum()))
