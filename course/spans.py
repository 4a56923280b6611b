"""T5's span corruption: what week 5's notebook on spans builds, given to later notebooks, and whole batches at once.

B texts, T tokens of the longest, N noise tokens, U visible tokens. A noise mask is True where a token is hidden.
Source: Raffel et al. 2020, sections 3.1.4 and 3.3.4, and the procedure released with it, before its mask is rolled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import BoolTensor, LongTensor, Tensor

from course.stories import pad

DENSITY, MEAN_SPAN_LEN = 0.15, 3.0  # Raffel et al. 2020, section 3.3.4


class SpanBatch(NamedTuple):
    """Corrupted texts as a sequence-to-sequence model reads them.

    Attributes:
        inputs: long [B,S], visible tokens, one sentinel a span, the end token, padding on the right.
        input_mask: bool [B,S], True on all but padding.
        targets: long [B,T], each sentinel and its span, the end token, padding on the right.
        target_mask: bool [B,T], True on all but padding.
    """

    inputs: LongTensor
    input_mask: BoolTensor
    targets: LongTensor
    target_mask: BoolTensor


def span_counts(length: int, density: float, mean_span_len: float) -> tuple[int, int]:
    """Return (noise tokens, spans) of a text of `length` tokens; both are fixed, only the places are drawn.

    Halves are rounded to the even neighbour. Density 0 or a text of one token gives (0, 0).

    Raises:
        ValueError: a density outside [0, 1], a mean below 1, or more spans than visible tokens to keep them apart.
    """
    if length < 1 or not 0 <= density <= 1 or mean_span_len < 1:
        raise ValueError(
            f"length {length}, density {density} and mean_span_len {mean_span_len} came; "
            "a text has at least 1 token, a density is a share from 0 to 1, a span has at least 1 token."
        )
    if density == 0 or length == 1:
        return 0, 0
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)
    if n_spans > length - n_noise:
        raise ValueError(
            f"{n_spans} spans cannot be kept apart by {length - n_noise} visible tokens; lower the density or make the "
            "spans longer."
        )
    return n_noise, n_spans


def random_spans(length: int, density: float, mean_span_len: float, generator: torch.Generator) -> Tensor:
    """Return a noise mask, bool [length], on the generator's device; `span_counts` says of how many tokens and spans.

    It starts with text and ends with noise; spans never touch; every way to cut the noise into spans and the text into
    stretches is equally likely.

    Raises:
        ValueError: as for `span_counts`.
    """
    return _draw_masks([length], density, mean_span_len, generator)[0]


def sentinel_ids(vocab_size: int, n: int) -> list[int]:
    """Return the ids of n sentinels, the first of which is the vocabulary's last entry.

    >>> sentinel_ids(300, 3)
    [299, 298, 297]
    """
    return list(range(vocab_size - 1, vocab_size - 1 - n, -1))


def corrupt(ids: Tensor, noise_mask: Tensor, sentinels: Sequence[int], eos_id: int) -> tuple[Tensor, Tensor]:
    """Return (inputs, targets) of one text, for any noise mask.

    Args:
        ids: long [T], without sentinels.
        noise_mask: bool [T]; neighbours that are both noise are of one span.
        sentinels: at least one more than there are spans if the text ends visible.
        eos_id: what both are ended with.

    Returns:
        inputs: long, the text with one sentinel in place of each span, then eos_id.
        targets: long, each sentinel and its span, a closing sentinel if the text ends visible, then eos_id.

    Raises:
        ValueError: a mask of another shape or dtype, or too few sentinels.
    """
    if noise_mask.dtype != torch.bool or noise_mask.shape != ids.shape or ids.ndim != 1:
        raise ValueError(
            f"noise_mask is {noise_mask.dtype} {tuple(noise_mask.shape)}, but must be bool with one entry for each of "
            f"the ids {tuple(ids.shape)} of one text."
        )
    real = torch.ones_like(noise_mask)[None]
    batch = _corrupt_rows(ids[None], real, noise_mask[None], sentinels, eos_id, eos_id)
    return batch.inputs[0], batch.targets[0]


def reconstruct(inputs: Tensor, targets: Tensor, sentinels: Sequence[int], eos_id: int) -> Tensor:
    """Return the text, long [T], that `corrupt` gave these inputs and targets of.

    Targets may be a model's: a sentinel that they lack stands for nothing, and a missing end token is no error. What
    stands before their first sentinel, and behind one that the inputs lack, is left out.

    Args:
        inputs: long [S]; their last token is the end token.
        targets: long [T]; a last token that is eos_id is the end token.
        sentinels, eos_id: as for `corrupt`.
    """
    known, spans, open_span = set(sentinels), {}, []
    wanted = targets.tolist()
    for token in wanted[:-1] if wanted[-1:] == [eos_id] else wanted:
        if token in known:
            open_span = spans.setdefault(token, [])
        else:
            open_span.append(token)
    text = [t for token in inputs.tolist()[:-1] for t in (spans.get(token, []) if token in known else [token])]
    return torch.tensor(text, dtype=inputs.dtype, device=inputs.device)


def lengths_after_corruption(input_len: int, density: float, mean_span_len: float) -> tuple[int, int]:
    """Return (tokens_len, target_len): the longest text whose inputs fit `input_len`, and how long its targets are.

    Both inputs and targets are counted with their sentinels and the end token.

    Raises:
        ValueError: as for `span_counts`.

    >>> lengths_after_corruption(512, 0.15, 3.0)
    (568, 114)
    """

    def lengths(tokens_len: int) -> tuple[int, int]:
        n_noise, n_spans = span_counts(tokens_len, density, mean_span_len)
        return tokens_len - n_noise + n_spans + 1, n_noise + n_spans + 1

    tokens_len = 1
    while lengths(tokens_len + 1)[0] <= input_len:
        tokens_len += 1
    return tokens_len, lengths(tokens_len)[1]


def span_batch(
    texts: Sequence[Sequence[int]],
    *,
    sentinels: Sequence[int],
    eos_id: int,
    pad_id: int,
    generator: torch.Generator,
    density: float = DENSITY,
    mean_span_len: float = MEAN_SPAN_LEN,
) -> SpanBatch:
    """Return texts corrupted by `random_spans` and `corrupt`, each with spans of its own, as padded rows.

    Args:
        texts: B lists of token ids. For the span floor these are a story's words alone, without [BOS] and [EOS].
        sentinels, eos_id: as for `corrupt`.
        pad_id: what rows are filled up with.
        generator: draws the spans, on the device where the batch is wanted.
        density, mean_span_len: as for `random_spans`.

    Raises:
        ValueError: as for `span_counts` and `corrupt`.
    """
    device = generator.device
    noise_BT = _draw_masks([len(text) for text in texts], density, mean_span_len, generator)
    ids_BT, real_BT = (rows.to(device) for rows in pad(texts, pad_id))
    return _corrupt_rows(ids_BT, real_BT, noise_BT, sentinels, eos_id, pad_id)


def _draw_masks(lengths: Sequence[int], density: float, mean_span_len: float, generator: torch.Generator) -> Tensor:
    """Return noise masks, bool [B,T], False behind each text's end."""
    counts = [span_counts(length, density, mean_span_len) for length in lengths]
    n_noise, n_spans = torch.tensor(counts, dtype=torch.long, device=generator.device).T
    n_text = torch.tensor(lengths, device=generator.device) - n_noise
    spans_BN, stretches_BU = (_draw_parts(n_items, n_spans, generator) for n_items in (n_noise, n_text))
    noise_BT = torch.zeros(len(lengths), max(lengths), dtype=torch.bool, device=generator.device)
    rows, order = (torch.arange(spans_BN.shape[1], device=generator.device) < n_noise[:, None]).nonzero(as_tuple=True)
    # A noise token stands behind the noise before it and behind the text of its own stretch and all earlier ones.
    before_BS = torch.zeros(len(lengths), int(n_spans.max()) + 1, dtype=torch.long, device=generator.device)
    real_BU = torch.arange(stretches_BU.shape[1], device=generator.device) < n_text[:, None]
    before_BS.scatter_add_(1, stretches_BU * real_BU, real_BU.long())
    noise_BT[rows, order + before_BS.cumsum(1)[rows, spans_BN[rows, order]]] = True
    return noise_BT


def _draw_parts(n_items: Tensor, n_parts: Tensor, generator: torch.Generator) -> Tensor:
    """Return long [B,N], the part (from 0) that each item belongs to: n_parts - 1 of the n_items - 1 gaps are cut."""
    widest = int(n_items.max())
    if widest == 0:
        return torch.zeros(len(n_items), 0, dtype=torch.long, device=generator.device)
    drawn_BN = torch.rand(len(n_items), widest - 1, generator=generator, device=generator.device, dtype=torch.float64)
    gaps_BN = torch.arange(widest - 1, device=generator.device) < n_items[:, None] - 1
    ranks_BN = drawn_BN.masked_fill(~gaps_BN, 2.0).argsort(1).argsort(1)
    cuts_BN = (ranks_BN < n_parts[:, None] - 1).long()
    return torch.nn.functional.pad(cuts_BN.cumsum(1), (1, 0))


def _corrupt_rows(
    ids_BT: Tensor, real_BT: Tensor, noise_BT: Tensor, sentinels: Sequence[int], eos_id: int, pad_id: int
) -> SpanBatch:
    """Return corrupted rows; real_BT is True on tokens, False on padding, which is never noise."""
    first_BT = noise_BT & ~torch.nn.functional.pad(noise_BT, (1, 0))[:, :-1]
    n_spans = first_BT.sum(1)
    n_real = real_BT.sum(1)
    ends_visible = ~noise_BT.gather(1, n_real[:, None] - 1)[:, 0]
    if int((n_spans + ends_visible).max()) > len(sentinels):
        raise ValueError(f"{int((n_spans + ends_visible).max())} sentinels are needed, but {len(sentinels)} came.")
    names = torch.tensor(sentinels, dtype=ids_BT.dtype, device=ids_BT.device)
    name_BT = names[(first_BT.cumsum(1) - 1).clamp_min(0)]
    shown_BT = real_BT & (~noise_BT | first_BT)
    inputs = _rows_of(torch.where(first_BT, name_BT, ids_BT)[:, :, None], shown_BT[:, :, None], eos_id, pad_id)
    # In the targets each token has two slots: a sentinel before it, where a span begins, and the token itself.
    closing_BT = ends_visible[:, None] & (torch.arange(ids_BT.shape[1], device=ids_BT.device) == n_real[:, None] - 1)
    name_BT = torch.where(closing_BT, names[n_spans.clamp_max(len(names) - 1)][:, None], name_BT)
    pairs_BT2 = torch.stack([name_BT, ids_BT], dim=2)
    targets = _rows_of(pairs_BT2, torch.stack([first_BT | closing_BT, noise_BT], dim=2), eos_id, pad_id)
    return SpanBatch(*inputs, *targets)


def _rows_of(tokens_BTK: Tensor, kept_BTK: Tensor, eos_id: int, pad_id: int) -> tuple[Tensor, Tensor]:
    """Return (ids, mask): the tokens that are kept, row by row, each row ended with eos_id and padded."""
    tokens, kept = tokens_BTK.flatten(1), kept_BTK.flatten(1)
    n_kept = kept.sum(1)
    found = tokens.new_full((len(tokens), int(n_kept.max()) + 1), pad_id)
    mask = torch.arange(found.shape[1], device=tokens.device) <= n_kept[:, None]
    found[torch.arange(len(tokens), device=tokens.device), n_kept] = eos_id
    found[mask & (torch.arange(found.shape[1], device=tokens.device) != n_kept[:, None])] = tokens[kept]
    return found, mask
