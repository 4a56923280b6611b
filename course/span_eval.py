"""Judge a span-corrupting model on exactly the corrupted stories that the span floor was measured on.

Which words chance hides moves the floor of a few hundred stories by more than what separates a good model from the
ideal reader. On the same targets that chance drops out of the comparison.

N stories, S input tokens, T target tokens of the longest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from course.masked_eval import Paired, paired
from course.oracle import Oracle
from course.spans import MEAN_SPAN_LEN, SpanBatch, corrupt, span_counts
from course.stories import Stories, pad

RATE = 0.15
STREAM = (11, 4)  # seed and number of the random stream that the floor was drawn with
N_STORIES = 300  # what `stories.floors["span"]` was measured on


def draw_spans(
    length: int, generator: np.random.Generator, *, density: float = RATE, mean_span_len: float = MEAN_SPAN_LEN
) -> np.ndarray:
    """Return T5's noise mask, bool [length], drawn with numpy's generator as the floor's masks were."""
    n_noise, n_spans = span_counts(length, density, mean_span_len)

    def compose(total: int) -> list[int]:
        cuts = np.sort(np.argsort(generator.random(total - 1), kind="stable")[: n_spans - 1]) + 1
        return np.diff([0, *cuts, total]).tolist()

    lengths = [n for pair in zip(compose(length - n_noise), compose(n_noise), strict=True) for n in pair]
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)


def span_test_set(stories: Stories, n_stories: int = N_STORIES) -> SpanBatch:
    """Return the first `n_stories` test stories, corrupted, always in the same way.

    The texts are the stories' words, without [BOS] and [EOS]; inputs and targets both end with [EOS]. The ideal
    reader's mean loss over all targets of the first 300 is `stories.floors["span"]["loss"]`, in nats.

    Args:
        stories: the corpus.
        n_stories: N, at most as many as there are test stories. The first ones are the same for any N.
    """
    generator = np.random.Generator(np.random.PCG64(STREAM))
    pairs = []
    for ids in stories.test[:n_stories]:
        noise = torch.from_numpy(draw_spans(len(ids) - 2, generator))
        pairs.append(corrupt(torch.tensor(ids[1:-1]), noise, stories.sentinel_ids, stories.eos_id))
    inputs, targets = (pad([row.tolist() for row in rows], stories.pad_id) for rows in zip(*pairs, strict=True))
    return SpanBatch(*inputs, *targets)


def span_floor_losses(
    oracle: Oracle, batch: SpanBatch, *, density: float = RATE, mean_span_len: float = MEAN_SPAN_LEN
) -> Tensor:
    """Return float64 [N,T]: the ideal reader's loss in nats for each target, 0 on padding; about 10 ms a story.

    Args:
        oracle: reads the stories.
        batch: corrupted stories, their words alone.
        density, mean_span_len: how their spans were drawn; the reader knows it.
    """
    losses_NT = torch.zeros(batch.targets.shape, dtype=torch.float64)
    for n, (inputs, real, targets, counted) in enumerate(zip(*batch, strict=True)):
        log_probs = oracle.span_log_probs(
            inputs[real].numpy(), targets[counted].numpy(), density=density, mean_span_len=mean_span_len
        )
        losses_NT[n, counted] = -torch.from_numpy(log_probs)
    return losses_NT


def is_word(stories: Stories, targets: Tensor) -> Tensor:
    """Return bool, as large as `targets`: True on words, False on sentinels, the end token and padding."""
    return torch.isin(targets, torch.tensor(stories.word_ids))


@torch.no_grad()
def model_losses(model: nn.Module, batch: SpanBatch, start_id: int, *, batch_size: int = 100) -> Tensor:
    """Return float64 [N,T]: the model's loss in nats for each target, given all targets before it; 0 on padding.

    Args:
        model: called as model(inputs [B,S], decoder_ids [B,T], mask bool [B,S]) -> logits [B,T,V], where decoder_ids
            are the targets, shifted right; put into evaluation mode.
        batch: corrupted stories.
        start_id: what the decoder reads first.
        batch_size: B.
    """
    device = next(model.parameters()).device
    model.eval()
    found = []
    for parts in zip(*(part.split(batch_size) for part in batch), strict=True):
        inputs_BS, real_BS, targets_BT, counted_BT = (part.to(device) for part in parts)
        decoder_ids_BT = functional.pad(targets_BT[:, :-1], (1, 0), value=start_id)
        logits_BTV = model(inputs_BS, decoder_ids_BT, real_BS)
        losses_BT = functional.cross_entropy(logits_BTV.mT, targets_BT, reduction="none")
        found.append((losses_BT.double() * counted_BT).cpu())
    return torch.cat(found)


@dataclass(frozen=True)
class SpanComparison:
    """A model's loss beside the ideal reader's, on the same targets, in nats.

    Attributes:
        every: over all targets: words, sentinels, the end token.
        words: over the words alone.
        sentinels: the model's mean loss over sentinels and the end token alone, that is, where spans end.
        sentinels_floor: the ideal reader's.
    """

    every: Paired
    words: Paired
    sentinels: float
    sentinels_floor: float

    def __str__(self) -> str:
        return (
            f"all targets: {self.every.loss:.3f} nats, floor {self.every.floor:.3f}, "
            f"{self.every.ratio:.3f} ± {self.every.error:.3f} times\n"
            f"words: {self.words.loss:.3f} nats, floor {self.words.floor:.3f}, "
            f"{self.words.ratio:.3f} ± {self.words.error:.3f} times\n"
            f"sentinels and [EOS]: {self.sentinels:.3f} nats, floor {abs(self.sentinels_floor):.3f}"
        )


def compare_with_span_floor(
    model: nn.Module, stories: Stories, *, start_id: int | None = None, n_stories: int = N_STORIES
) -> SpanComparison:
    """Return how far a model stays from the ideal reader, on the floor's own corrupted test stories.

    Args:
        model: as for `model_losses`.
        stories: the corpus.
        start_id: what the decoder reads first; [PAD], as in T5, if left out.
        n_stories: more stories make the comparison surer, 10 ms each.
    """
    batch = span_test_set(stories, n_stories)
    losses_NT = model_losses(model, batch, stories.pad_id if start_id is None else start_id)
    floor_NT, words_NT = span_floor_losses(Oracle.load(stories.path), batch), is_word(stories, batch.targets)
    others_NT = batch.target_mask & ~words_NT
    return SpanComparison(
        every=paired(losses_NT, floor_NT, batch.target_mask),
        words=paired(losses_NT, floor_NT, words_NT),
        sentinels=float(losses_NT[others_NT].mean()),
        sentinels_floor=float(floor_NT[others_NT].mean()),
    )
