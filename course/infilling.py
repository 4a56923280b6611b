"""BART's noises: what week 5's notebook on BART builds, or shows, given to later notebooks.

T length of a text, n hidden tokens, K masks. Source of all four: Lewis et al. 2020, section 2.2.
"""

from __future__ import annotations

import torch
from torch import Tensor


def infill(ids: Tensor, density: float, poisson_rate: float, mask_id: int, generator: torch.Generator) -> Tensor:
    """Return a text in which spans have become one mask each, long [T-n+K].

    Lengths of spans are drawn from a Poisson distribution until n = round(T * density) tokens are hidden; the last span
    is cut to fit. A span of length 0 inserts a mask and hides nothing. The T - n tokens that stay leave T - n + 1 gaps;
    K different gaps are chosen, every choice equally likely, so that spans never touch. Where there are more spans than
    gaps the last ones are joined.

    Args:
        ids: long [T].
        density: share of the tokens to hide, from 0 to 1; BART's is 0.3.
        poisson_rate: mean length of a span, above 0; BART's is 3.
        mask_id: of [MASK].
        generator: where all chance comes from, a CPU generator.

    Raises:
        ValueError: ids that are no row of tokens, a density that is no share, a rate that is not above 0.

    Example:
        >>> infill(torch.tensor([7, 8, 9]), 1.0, 3.0, 4, torch.Generator().manual_seed(0))
        tensor([4])
    """
    _require_row(ids)
    _require_share(density)
    if not poisson_rate > 0:
        raise ValueError(f"poisson_rate is {poisson_rate}, but must be above 0: spans of length 0 alone hide nothing.")
    n_hidden = round(len(ids) * density)
    n_gaps = len(ids) - n_hidden + 1
    lengths = _joined(span_lengths(n_hidden, poisson_rate, generator), n_gaps)
    gaps = torch.randperm(n_gaps, generator=generator)[: len(lengths)].sort().values.tolist()
    pieces, at, shown = [], 0, 0
    for gap, length in zip(gaps, lengths, strict=True):
        pieces += [ids[at : at + gap - shown], ids.new_tensor([mask_id])]
        at, shown = at + gap - shown + length, gap
    return torch.cat([*pieces, ids[at:]])


def span_lengths(n_hidden: int, poisson_rate: float, generator: torch.Generator) -> list[int]:
    """Return lengths of spans that add up to n_hidden: Poisson draws up to the one that fills it, which is cut."""
    lengths: list[int] = []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    return lengths


def hidden_runs(places: Tensor, length: int) -> list[int]:
    """Return how many tokens each mask of an infilled text stands for, from left to right.

    Args:
        places: long, what infilling made of the places 0 to length - 1, with a negative number for the mask.
        length: of the text.

    >>> hidden_runs(torch.tensor([-1, 2, -1, 3, -1]), 5)
    [2, 0, 1]
    """
    runs, before = [], -1
    for here, behind in zip(places.tolist(), [*places.tolist()[1:], length], strict=True):
        if here < 0:
            runs.append(behind - before - 1)
        before = max(before, here)
    return runs


def permute_sentences(ids: Tensor, stop_id: int, generator: torch.Generator) -> Tensor:
    """Return a text with its sentences in an order drawn evenly from all orders, long [T].

    Args:
        ids: long [T].
        stop_id: the token that ends a sentence and belongs to it. Tokens behind the last stop are one more sentence.
        generator: where all chance comes from, a CPU generator.

    Raises:
        ValueError: ids that are no row of tokens.
    """
    sentences = split_sentences(ids, stop_id)
    order = torch.randperm(len(sentences), generator=generator).tolist()
    return torch.cat([ids[:0], *(sentences[i] for i in order)])


def split_sentences(ids: Tensor, stop_id: int) -> list[Tensor]:
    """Return the sentences of a text in their order, each with its stop; together they are the text.

    >>> [sentence.tolist() for sentence in split_sentences(torch.tensor([7, 6, 8, 9, 6]), 6)]
    [[7, 6], [8, 9, 6]]
    """
    _require_row(ids)
    ends = ((ids == stop_id).nonzero().flatten() + 1).tolist()
    edges = [0, *ends] if ends and ends[-1] == len(ids) else [0, *ends, len(ids)]
    return [ids[begin:end] for begin, end in zip(edges, edges[1:], strict=False) if end > begin]


def delete_tokens(ids: Tensor, density: float, generator: torch.Generator) -> Tensor:
    """Return a text without round(T * density) of its tokens, drawn evenly; nothing shows where they stood.

    Args:
        ids: long [T].
        density: share of the tokens to delete, from 0 to 1.
        generator: a CPU generator.

    Raises:
        ValueError: ids that are no row of tokens, or a density that is no share.
    """
    _require_row(ids)
    _require_share(density)
    left = torch.randperm(len(ids), generator=generator)[round(len(ids) * density) :]
    return ids[left.sort().values]


def rotate(ids: Tensor, generator: torch.Generator) -> Tensor:
    """Return a text turned so that it begins with a token drawn evenly, long [T]; what stood before it goes to the end.

    Raises:
        ValueError: ids that are no row of tokens.
    """
    _require_row(ids)
    begin = int(torch.randint(max(1, len(ids)), (), generator=generator))
    return ids.roll(-begin)


def _joined(lengths: list[int], n_gaps: int) -> list[int]:
    """Return at most n_gaps lengths: those that are too many are added to the last one that has a gap."""
    if len(lengths) <= n_gaps:
        return lengths
    return [*lengths[: n_gaps - 1], sum(lengths[n_gaps - 1 :])]


def _require_row(ids: Tensor) -> None:
    if ids.ndim != 1 or ids.dtype.is_floating_point or ids.dtype == torch.bool:
        raise ValueError(f"ids are {ids.dtype} {tuple(ids.shape)}, but must be one row of token ids: long [T].")


def _require_share(density: float) -> None:
    if not 0 <= density <= 1:
        raise ValueError(f"density is {density}, but must be a share, from 0 to 1.")
