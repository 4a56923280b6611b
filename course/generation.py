"""From next-token logits to text: filters, `generate` for a batch of prompts, beam search for one.

B batch, T length, V vocabulary. The functions are those of week 4's notebook on generation. A model is any callable
`model(ids, mask) -> logits`: ids long [B,T], mask bool [B,T] (True on real tokens) or None, logits float [B,T,V].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course.configs import GenerationConfig

Model = Callable[[Tensor, Tensor | None], Tensor]


def top_k_filter(logits: Tensor, k: int) -> Tensor:
    """Return logits with -inf on all but the k largest of each row (Fan et al. 2018, section 5.2).

    Args:
        logits: float [B,V].
        k: at least 1; where it is V or more, everything is kept. Ties at the border are all kept.

    Raises:
        ValueError: k below 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}, but at least one token must be kept.")
    border_B1 = logits.topk(min(k, logits.shape[-1]), dim=-1).values[:, -1:]
    return logits.masked_fill(logits < border_B1, -math.inf)


def top_p_filter(logits: Tensor, p: float) -> Tensor:
    """Return logits with -inf outside each row's nucleus (Holtzman et al. 2020, section 3.1).

    Args:
        logits: float [B,V]; some may be -inf already.
        p: above 0, at most 1. The nucleus is the smallest set of the most probable tokens that holds at least p of the
            probability; it holds at least one token, and with p = 1 it holds all.

    Raises:
        ValueError: p outside its range.
    """
    if not 0 < p <= 1:
        raise ValueError(f"p is {p}, but is a probability: above 0 and at most 1.")
    if p == 1:
        return logits.clone()  # a sum in floats may reach 1 before the last token
    sorted_BV, order_BV = logits.sort(dim=-1, descending=True)
    probabilities_BV = sorted_BV.softmax(-1)
    outside_BV = probabilities_BV.cumsum(-1) - probabilities_BV >= p  # those before it hold p already
    outside_BV[:, 0] = False
    return logits.masked_fill(outside_BV.scatter(1, order_BV, outside_BV), -math.inf)


def penalise_repetition(logits: Tensor, ids: Tensor, penalty: float) -> Tensor:
    """Return logits in which the tokens that occur in a row of ids are less likely there (Keskar et al. 2019, 4.1).

    Args:
        logits: float [B,V].
        ids: long [B,T]. How often a token occurs makes no difference.
        penalty: above 0. Positive logits are divided by it, the others multiplied; 1 changes nothing.
    """
    found_BT = logits.gather(1, ids)
    return logits.scatter(1, ids, torch.where(found_BT > 0, found_BT / penalty, found_BT * penalty))


def adjust_logits(logits: Tensor, ids: Tensor, config: GenerationConfig) -> Tensor:
    """Return the logits [B,V] that the next tokens are chosen with: penalty, temperature, top-k, top-p, in this order.

    Args:
        logits: float [B,V], the model's.
        ids: long [B,T], what each row has said; for the penalty.
        config: what is done, and how strongly.
    """
    if config.repetition_penalty != 1:
        logits = penalise_repetition(logits, ids, config.repetition_penalty)
    logits = logits / config.temperature
    if config.top_k is not None:
        logits = top_k_filter(logits, config.top_k)
    return logits if config.top_p is None else top_p_filter(logits, config.top_p)


@torch.no_grad()
def generate(
    model: Model,
    prompt_ids: Tensor,
    config: GenerationConfig,
    generator: torch.Generator | None = None,
    prompt_mask: Tensor | None = None,
) -> Tensor:
    """Return prompts and what the model writes behind them, long [B,T'].

    Args:
        model: as above; it is called with all that has been written so far.
        prompt_ids: long [B,T], T at least 1; shorter prompts are padded on the left.
        config: how tokens are chosen.
        generator: for the draws; torch's own where it is None.
        prompt_mask: bool [B,T], True on real tokens; None: all are. Padding is neither seen nor penalised, so that a
            row of a batch reads as it would alone.

    T' is T plus the number of steps: writing ends after max_new_tokens, or when every row has written eos_id. A row
    that has written it is filled with pad_id. An eos_id in the prompt ends nothing.
    """
    ids, mask = prompt_ids, prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    for _ in range(config.max_new_tokens):
        said = ids if mask is None else torch.where(mask, ids, ids[:, -1:])  # the last token is real
        logits = adjust_logits(model(ids, mask)[:, -1], said, config)
        chosen = _draw(logits, generator) if config.do_sample else logits.argmax(-1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = None if mask is None else torch.cat([mask, mask.new_ones(len(ids), 1)], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


def _draw(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return one token a row, long [B], drawn where the generator lives."""
    probabilities = logits.softmax(-1)
    if generator is not None:
        probabilities = probabilities.to(generator.device)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0].to(logits.device)


@torch.no_grad()
def beam_search(
    model: Model,
    prompt_ids: Tensor,
    n_beams: int,
    max_new_tokens: int,
    length_penalty: float = 1.0,
    eos_id: int | None = None,
) -> Tensor:
    """Return the prompt and the best continuation that a beam search finds, long [T'].

    At each step every live hypothesis is extended by every token. Of the n_beams best extensions those that end with
    eos_id are finished; the n_beams best that do not end with it live on. What lives after max_new_tokens is finished.

    Args:
        model: as above.
        prompt_ids: long [T], T at least 1.
        n_beams: hypotheses that are followed; 1 is greedy as long as nothing ends.
        max_new_tokens: at most so many tokens are added.
        length_penalty: hypotheses are compared by their sum of log-probabilities divided by their number of new tokens
            (eos_id counts) to this power; 0 compares sums, which favours short ones.
        eos_id: the token that ends a text; None: none does.
    """
    live, sums, finished = prompt_ids[None], torch.zeros(1, device=prompt_ids.device), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs_NV = model(live, None)[:, -1].log_softmax(-1)
        V = log_probs_NV.shape[1]
        totals = (sums[:, None] + log_probs_NV).flatten()
        best = totals.topk(min(2 * n_beams, len(totals)))  # enough: each hypothesis has one extension by eos_id
        extended = torch.cat([live[best.indices // V], (best.indices % V)[:, None]], dim=1)
        ended = torch.zeros_like(best.indices, dtype=torch.bool) if eos_id is None else extended[:, -1] == eos_id
        for i in ended[:n_beams].nonzero()[:, 0].tolist():
            finished.append((best.values[i].item() / n_new**length_penalty, extended[i]))
        live, sums = extended[~ended][:n_beams], best.values[~ended][:n_beams]
    finished += [(total / max_new_tokens**length_penalty, row) for total, row in zip(sums.tolist(), live, strict=True)]
    return max(finished, key=lambda scored: scored[0])[1]


def pad_left(prompts: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Return (ids [B,T], mask bool [B,T]): prompts as rows that end together; mask is True on real tokens.

    >>> pad_left([[7, 8], [9]], 0)
    (tensor([[7, 8],
            [0, 9]]), tensor([[ True,  True],
            [False,  True]]))
    """
    longest = max((len(prompt) for prompt in prompts), default=0)
    rows = [[pad_id] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    lengths = torch.tensor([len(prompt) for prompt in prompts], dtype=torch.long)
    ids = torch.tensor(rows, dtype=torch.long).view(len(prompts), longest)
    return ids, torch.arange(longest) >= longest - lengths[:, None]
