"""Span corruption: counts and shares by enumeration, texts by a plain loop, batches by single texts."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course.spans import (
    corrupt,
    lengths_after_corruption,
    random_spans,
    reconstruct,
    sentinel_ids,
    span_batch,
    span_counts,
)
from course.stories import Stories

FALSE_ALARM = 1e-7  # of each comparison
EOS, SENTINELS = 2, [99, 98, 97, 96, 95, 94, 93, 92, 91, 90]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def runs(mask: list[bool]) -> list[tuple[bool, int]]:
    """Return (value, length) of each run of equal entries."""
    found: list[tuple[bool, int]] = []
    for value in mask:
        found = [*found[:-1], (value, found[-1][1] + 1)] if found and found[-1][0] == value else [*found, (value, 1)]
    return found


def plain_corruption(ids, mask):
    """T5's inputs and targets, token by token."""
    inputs, targets, n_spans = [], [], 0
    for at, (token, hidden) in enumerate(zip(ids, mask, strict=True)):
        if not hidden:
            inputs.append(token)
            continue
        if at == 0 or not mask[at - 1]:
            inputs.append(SENTINELS[n_spans])
            targets.append(SENTINELS[n_spans])
            n_spans += 1
        targets.append(token)
    closing = [] if mask[-1] else [SENTINELS[n_spans]]
    return [*inputs, EOS], [*targets, *closing, EOS]


def possible_masks(length, n_noise, n_spans):
    """Every mask that starts with text, ends with noise, and has so many noise tokens in so many spans."""
    found = []
    for where in combinations(range(length), n_noise):
        mask = tuple(i in where for i in range(length))
        if not mask[0] and mask[-1] and sum(value for value, _ in runs(list(mask))) == n_spans:
            found.append(mask)
    return found


def improbable(hits: int, n: int, p: float) -> bool:
    """Return whether `hits` of n independent trials of probability p are rarer than FALSE_ALARM (Chernoff's bound)."""
    share = hits / n
    parts = [a * math.log(a / b) for a, b in ((share, p), (1 - share, 1 - p)) if a > 0]
    return n * sum(parts) > math.log(2 / FALSE_ALARM)


@given(st.integers(2, 200), st.floats(0.01, 0.5), st.floats(1.0, 8.0), st.integers(0, 2**31))
@settings(max_examples=150, deadline=None)
def test_counts_are_exact_and_spans_never_touch(length, density, mean, seed):
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean), 1)
    found = runs(random_spans(length, density, mean, generator(seed)).tolist())
    assert [value for value, _ in found] == [False, True] * n_spans
    assert sum(n for value, n in found if value) == n_noise
    assert sum(n for _, n in found) == length


@pytest.mark.parametrize(("length", "density", "mean"), [(9, 0.45, 2.0), (8, 0.5, 1.4), (7, 0.6, 2.0), (6, 0.5, 3.0)])
def test_every_mask_is_equally_likely(length, density, mean):
    masks = possible_masks(length, *span_counts(length, density, mean))
    n, drawn = 4000, generator(1)
    found = Counter(tuple(random_spans(length, density, mean, drawn).tolist()) for _ in range(n))
    assert set(found) == set(masks)
    assert not any(improbable(found[mask], n, 1 / len(masks)) for mask in masks)


def test_batches_are_drawn_as_single_texts_are():
    texts, drawn = [list(range(10, 19)), list(range(10, 16))], generator(2)
    options = {"sentinels": SENTINELS, "eos_id": EOS, "pad_id": 0, "density": 0.45, "mean_span_len": 2.0}
    found, n = [Counter(), Counter()], 3000
    for _ in range(n):
        inputs = span_batch(texts, generator=drawn, **options).inputs
        for counter, row in zip(found, inputs.tolist(), strict=True):
            counter[tuple(row)] += 1
    for text, counter in zip(texts, found, strict=True):
        n_masks = len(possible_masks(len(text), *span_counts(len(text), 0.45, 2.0)))
        assert len(counter) == n_masks
        assert not any(improbable(hits, n, 1 / n_masks) for hits in counter.values())


def test_halves_are_rounded_to_even_and_counts_stay_in_range():
    assert span_counts(10, 0.25, 1.0) == (2, 2)
    assert span_counts(14, 0.25, 1.0) == (4, 4)
    assert span_counts(20, 0.25, 2.0) == (5, 2)
    assert span_counts(28, 0.25, 2.0) == (7, 4)
    assert span_counts(3, 0.1, 3.0) == (1, 1)
    assert span_counts(4, 1.0, 3.0) == (3, 1)
    assert span_counts(9, 0.0, 3.0) == span_counts(1, 0.9, 3.0) == (0, 0)
    assert not random_spans(9, 0.0, 3.0, generator()).any()


@given(st.lists(st.tuples(st.integers(3, 60), st.booleans()), min_size=1, max_size=18))
@settings(max_examples=300, deadline=None)
def test_any_mask_gives_what_a_plain_loop_gives_and_comes_back(pairs):
    ids, mask = (torch.tensor(values) for values in zip(*pairs, strict=True))
    inputs, targets = corrupt(ids, mask, SENTINELS, EOS)
    assert (inputs.tolist(), targets.tolist()) == plain_corruption(ids.tolist(), mask.tolist())
    assert inputs.dtype == targets.dtype == ids.dtype
    assert reconstruct(inputs, targets, SENTINELS, EOS).equal(ids)


def test_a_hidden_end_token_comes_back():
    ids, mask = torch.tensor([1, 7, EOS, 8, EOS]), torch.tensor([False, True, True, False, True])
    inputs, targets = corrupt(ids, mask, SENTINELS, EOS)
    assert targets.tolist() == [99, 7, EOS, 98, EOS, EOS]
    assert reconstruct(inputs, targets, SENTINELS, EOS).equal(ids)


def test_what_a_model_leaves_out_is_left_out():
    inputs = torch.tensor([5, 99, 6, 98, 7, EOS])
    for targets, text in (
        ([99, 20, 21], [5, 20, 21, 6, 7]),
        ([30, 98, 20, 97, 40, EOS], [5, 6, 20, 7]),
        ([EOS], [5, 6, 7]),
        ([], [5, 6, 7]),
    ):
        found = reconstruct(inputs, torch.tensor(targets, dtype=torch.long), SENTINELS, EOS)
        assert found.tolist() == text


def test_batches_hold_what_single_texts_give():
    stories = Stories.load()
    texts = [story[1:-1] for story in stories.train[:50]] + [[7], [8, 9]]
    options = {"sentinels": stories.sentinel_ids, "eos_id": stories.eos_id, "pad_id": stories.pad_id}
    batch = span_batch(texts, generator=generator(3), **options)
    for b, text in enumerate(texts):
        inputs, targets = batch.inputs[b][batch.input_mask[b]], batch.targets[b][batch.target_mask[b]]
        assert reconstruct(inputs, targets, stories.sentinel_ids, stories.eos_id).tolist() == text
        n_noise, n_spans = span_counts(len(text), 0.15, 3.0)
        assert len(inputs) == len(text) - n_noise + n_spans + 1
        assert len(targets) == n_noise + n_spans + 1 + (n_noise == 0)  # nothing hidden: a closing sentinel
    assert (batch.inputs[~batch.input_mask] == stories.pad_id).all()
    assert (batch.targets[~batch.target_mask] == stories.pad_id).all()
    assert sentinel_ids(len(stories.vocab), 16) == stories.sentinel_ids


@pytest.mark.parametrize("input_len", [3, 17, 64, 300])
@pytest.mark.parametrize(("density", "mean"), [(0.15, 3.0), (0.5, 2.0), (0.3, 7.5)])
def test_the_longest_text_that_fits_is_found(input_len, density, mean):
    fits = []
    for n in range(1, 3 * input_len):
        mask = random_spans(n, density, mean, generator(n))
        sentinels = sentinel_ids(10**6, n)
        inputs, targets = corrupt(torch.zeros(n, dtype=torch.long), mask, sentinels, EOS)
        if len(inputs) <= input_len:
            fits.append((n, len(targets)))
    assert lengths_after_corruption(input_len, density, mean) == max(fits)


def test_the_released_lengths():
    assert lengths_after_corruption(512, 0.15, 3.0) == (568, 114)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random_spans(10, 0.8, 1.0, generator()), "8 spans cannot be kept apart by 2"),
        (lambda: random_spans(10, 15, 3.0, generator()), "a share from 0 to 1"),
        (lambda: random_spans(10, 0.15, 0.5, generator()), "at least 1 token"),
        (lambda: corrupt(torch.zeros(3).long(), torch.zeros(3), SENTINELS, EOS), "noise_mask is torch.float32"),
        (lambda: corrupt(torch.zeros(3).long(), torch.zeros(2).bool(), SENTINELS, EOS), r"torch.bool \(2,\)"),
        (
            lambda: corrupt(torch.zeros(3).long(), torch.tensor([False, True, False]), [9], EOS),
            "2 sentinels are needed, but 1",
        ),
    ],
)
def test_bad_calls_say_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()
