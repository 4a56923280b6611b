"""BART's noises: what stays, what is hidden, and how often, by exact laws and Chernoff's bound."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
import torch

from course.infilling import delete_tokens, hidden_runs, infill, permute_sentences, rotate, split_sentences

MASK = 4
FALSE_ALARM = 1e-8


def seed(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def words(length: int) -> torch.Tensor:
    return torch.arange(length) + 10


def improbable(hits: float, n: int, p: float) -> bool:
    """Return whether `hits` of n independent trials of probability p are rarer than FALSE_ALARM (Chernoff's bound)."""
    share = hits / n
    parts = [a * math.log(a / b) for a, b in ((share, p), (1 - share, 1 - p)) if a > 0]
    return n * sum(parts) > math.log(2 / FALSE_ALARM)


@pytest.mark.parametrize(("length", "density", "rate"), [(40, 0.3, 3.0), (57, 0.15, 1.0), (200, 0.5, 0.7), (9, 0.9, 5)])
@pytest.mark.parametrize("number", range(8))
def test_what_stays_is_in_order_and_masks_never_touch(length, density, rate, number):
    ids = words(length)
    inputs = infill(ids, density, rate, MASK, seed(number))
    kept = inputs[inputs != MASK]
    assert len(kept) == length - round(length * density)
    assert torch.equal(kept, kept.sort().values)
    assert not ((inputs[1:] == MASK) & (inputs[:-1] == MASK)).any()
    assert torch.equal(ids, words(length))


@pytest.mark.parametrize("number", range(5))
def test_the_places_that_stay_say_what_each_mask_stands_for(number):
    runs = hidden_runs(infill(torch.arange(50), 0.4, 2.0, -1, seed(number)), 50)
    assert min(runs) >= 0
    assert sum(runs) == 20
    assert hidden_runs(torch.tensor([-1, 2, -1, 3, -1]), 5) == [2, 0, 1]
    assert hidden_runs(torch.tensor([-1]), 7) == [7]


@pytest.mark.parametrize(("n_hidden", "rate"), [(1, 0.4), (1, 3.0), (5, 1.5), (12, 3.0)])
def test_the_number_of_masks_has_its_exact_law(n_hidden, rate):
    """More than k spans are needed exactly if k Poisson draws, a Poisson of rate k, add up to less than n_hidden."""
    generator, n = seed(7), 1500
    counts = Counter(int((infill(words(100), n_hidden / 100, rate, MASK, generator) == MASK).sum()) for _ in range(n))

    def more_than(k: int) -> float:
        return sum(math.exp(-k * rate) * (k * rate) ** j / math.factorial(j) for j in range(n_hidden))

    for k in range(1, 12):
        p = min(1.0, max(1e-12, more_than(k - 1) - more_than(k)))
        assert not improbable(counts[k], n, p), k


def test_every_choice_of_gaps_is_equally_likely():
    generator, n = seed(8), 2000
    found = Counter(tuple(infill(words(5), 0.2, 60.0, MASK, generator).eq(MASK).tolist()) for _ in range(n))
    assert len(found) == 5
    assert not any(improbable(count, n, 1 / 5) for count in found.values())


def test_all_or_nothing_hidden_and_more_spans_than_gaps():
    assert torch.equal(infill(words(7), 0.0, 3.0, MASK, seed(0)), words(7))
    assert infill(words(7), 1.0, 1.0, MASK, seed(0)).tolist() == [MASK]
    crowded = infill(words(10), 0.8, 0.5, MASK, seed(0))
    assert crowded.eq(MASK).tolist() == [True, False, True, False, True]
    assert infill(words(0), 0.3, 3.0, MASK, seed(0)).tolist() == []


@pytest.mark.parametrize(
    "arguments", [(words(4).float(), 0.3, 3.0), (words(4)[None], 0.3, 3.0), (words(4), 1.2, 3.0), (words(4), 0.3, 0.0)]
)
def test_infill_refuses_what_it_cannot_read(arguments):
    with pytest.raises(ValueError, match="must be"):
        infill(*arguments, MASK, seed(0))


STOP = 6


def test_sentences_end_with_their_stop_and_the_rest_is_one_more():
    text = torch.tensor([7, 8, STOP, STOP, 9, STOP, 5])
    assert [s.tolist() for s in split_sentences(text, STOP)] == [[7, 8, STOP], [STOP], [9, STOP], [5]]
    assert [s.tolist() for s in split_sentences(text[:6], STOP)] == [[7, 8, STOP], [STOP], [9, STOP]]
    assert split_sentences(text[:0], STOP) == []
    assert torch.equal(permute_sentences(text[:0], STOP, seed(0)), text[:0])


def test_every_order_of_the_sentences_is_equally_likely():
    text = torch.tensor([7, STOP, 8, 8, STOP, 9])
    sentences, generator, n = [[7, STOP], [8, 8, STOP], [9]], seed(9), 3000
    orders = {tuple(sum(order, [])) for order in itertools.permutations(sentences)}
    found = Counter(tuple(permute_sentences(text, STOP, generator).tolist()) for _ in range(n))
    assert set(found) == orders
    assert not any(improbable(count, n, 1 / 6) for count in found.values())


def test_deletion_leaves_a_text_that_shows_no_gap():
    left = delete_tokens(words(50), 0.3, seed(1))
    assert len(left) == 35
    assert torch.equal(left, left.unique())
    generator, n = seed(2), 2000
    gone = sum(~torch.isin(words(10), delete_tokens(words(10), 0.3, generator)) for _ in range(n))
    assert not any(improbable(int(count), n, 0.3) for count in gone)


def test_rotation_begins_with_every_token_equally_often():
    generator, n = seed(3), 2000
    turned = [rotate(words(5), generator) for _ in range(n)]
    assert all(torch.equal((row - 10 - row[0]) % 5, words(5) % 5) for row in turned)
    counts = Counter(int(row[0]) for row in turned)
    assert set(counts) == set(words(5).tolist())
    assert not any(improbable(count, n, 1 / 5) for count in counts.values())
