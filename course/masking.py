"""BERT's corruption, its labels and its loss: what week 3's notebook on masking builds, given to later notebooks.

B stories, T length, V vocabulary, N stories, E epochs, R random words. Masks say what was chosen (True).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

IGNORED = -100  # a label that counts for nothing, as in PyTorch's losses


def choose_positions(ids: Tensor, special_mask: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Return bool [B,T], True where a token is chosen: each by itself, with probability `rate`.

    Args:
        ids: long [B,T]; only their shape and device matter.
        special_mask: bool [B,T], True where nothing may be chosen: special tokens and padding.
        rate: from 0 to 1; BERT's is 0.15 (Devlin et al. 2019, section 3.1).
        generator: on the device of the ids.

    Raises:
        ValueError: a special_mask of another shape or dtype, or a rate that is no probability.
    """
    _require_mask(special_mask, ids, "special_mask")
    if not 0 <= rate <= 1:
        raise ValueError(f"rate is {rate}, but must be a probability, from 0 to 1.")
    return _uniform(ids, generator).lt(rate) & ~special_mask


def mask_tokens(
    ids: Tensor, chosen: Tensor, mask_id: int, random_ids: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return (inputs, labels), long [B,T] both: of the chosen tokens 80% are masked, 10% random, 10% kept.

    Args:
        ids: long [B,T].
        chosen: bool [B,T], True where the model must restore the token.
        mask_id: of [MASK].
        random_ids: long [R], what random words are drawn from, evenly; the original may be drawn.
        generator: on the device of the ids. Fates are drawn for each token by itself.

    Returns:
        inputs: what the model sees; ids where nothing was chosen.
        labels: the original token where it was chosen, whatever became of it; -100 elsewhere.

    Source: Devlin et al. 2019, section 3.1 and appendix A.1.

    Raises:
        ValueError: a chosen of another shape or dtype.
    """
    _require_mask(chosen, ids, "chosen")
    fate = _uniform(ids, generator)
    drawn = torch.randint(len(random_ids), ids.shape, generator=generator, device=ids.device)
    inputs = ids.masked_fill(chosen & (fate < 0.8), mask_id)
    inputs = torch.where(chosen & (fate >= 0.9), random_ids[drawn], inputs)
    return inputs, ids.masked_fill(~chosen, IGNORED)


def mlm_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean loss in nats over the labels that are not -100, a scalar.

    Args:
        logits: float [B,T,V].
        labels: long [B,T], at least one of which is not -100.
    """
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)


def masks_for_epochs(
    ids: Tensor, special_mask: Tensor, rate: float, n_epochs: int, dynamic: bool, generator: torch.Generator
) -> Tensor:
    """Return bool [E,N,T], what is chosen in each epoch: the same always, or (dynamic) drawn afresh.

    Source: Liu et al. 2019 (RoBERTa), section 4.1.

    Args:
        ids: long [N,T].
        special_mask, rate, generator: as for `choose_positions`.
        n_epochs: E, at least 1.
        dynamic: draw anew for each epoch.
    """
    n_draws = n_epochs if dynamic else 1
    drawn = torch.stack([choose_positions(ids, special_mask, rate, generator) for _ in range(n_draws)])
    return drawn if dynamic else drawn.repeat(n_epochs, 1, 1)


def special_positions(ids: Tensor, special_ids: list[int]) -> Tensor:
    """Return bool [B,T], True where a token is one of `special_ids`.

    >>> special_positions(torch.tensor([[1, 7, 2, 0]]), [0, 1, 2])
    tensor([[ True, False,  True,  True]])
    """
    return torch.isin(ids, torch.tensor(special_ids, device=ids.device))


def _uniform(ids: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(ids.shape, generator=generator, device=ids.device)


def _require_mask(mask: Tensor, ids: Tensor, name: str) -> None:
    if mask.dtype != torch.bool or mask.shape != ids.shape:
        raise ValueError(
            f"{name} is {mask.dtype} {tuple(mask.shape)}, but must be bool with one entry a token, {tuple(ids.shape)}."
        )
