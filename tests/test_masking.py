"""BERT's corruption: its rates, against the collator of transformers; and a model judged on the floor's own targets."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from course.masked_eval import (
    compare_with_floor,
    masked_floor_losses,
    masked_test_set,
    model_losses,
    paired,
)
from course.masking import choose_positions, mask_tokens, masks_for_epochs, mlm_loss, special_positions
from course.oracle import Oracle
from course.stories import Stories, pad

FALSE_ALARM = 1e-7  # of each comparison


@pytest.fixture(scope="module")
def stories() -> Stories:
    return Stories.load()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def improbable(hits: float, n: int, p: float) -> bool:
    """Return whether `hits` of n independent trials of probability p are rarer than FALSE_ALARM (Chernoff's bound)."""
    share = hits / n
    parts = [a * math.log(a / b) for a, b in ((share, p), (1 - share, 1 - p)) if a > 0]
    return n * sum(parts) > math.log(2 / FALSE_ALARM)


def fates(ids, inputs, chosen, mask_id):
    """Return how many of the chosen tokens are masked, are another word, are what they were."""
    masked, same = inputs[chosen] == mask_id, inputs[chosen] == ids[chosen]
    return torch.stack([masked.sum(), (~masked & ~same).sum(), same.sum()]).tolist()


def test_bounds_alarm_where_they_should():
    assert not improbable(150, 1000, 0.15)
    assert improbable(250, 1000, 0.15)
    assert not improbable(0, 10, 0.15)


def test_the_collator_of_transformers_has_the_same_statistics(stories):
    transformers = pytest.importorskip("transformers")
    ids_BT = torch.tensor(stories.word_ids).repeat(40, 1)
    inside = transformers.DataCollatorForLanguageModeling.torch_mask_tokens
    collator = _collator(transformers, stories)
    torch.manual_seed(3)
    theirs, labels = inside(collator, ids_BT.clone(), torch.zeros_like(ids_BT, dtype=torch.bool))
    special_BT = torch.zeros_like(ids_BT, dtype=torch.bool)
    chosen = choose_positions(ids_BT, special_BT, 0.15, generator(1))
    ours, our_labels = mask_tokens(ids_BT, chosen, stories.mask_id, torch.arange(len(stories.vocab)), generator(2))
    shares = (0.8, 0.1 - 0.1 / len(stories.vocab), 0.1 + 0.1 / len(stories.vocab))
    for inputs, found in ((theirs, labels), (ours, our_labels)):
        counted = found != -100
        assert not improbable(int(counted.sum()), counted.numel(), 0.15)
        assert inputs[~counted].equal(ids_BT[~counted])
        assert found[counted].equal(ids_BT[counted])
        for hits, share in zip(fates(ids_BT, inputs, counted, stories.mask_id), shares, strict=True):
            assert not improbable(hits, int(counted.sum()), share)


def _collator(transformers, stories):
    """A collator over our vocabulary, with only what its masking asks a tokenizer for."""

    class Words:
        mask_token, mask_token_id = "[MASK]", stories.mask_id

        def __len__(self):
            return len(stories.vocab)

        def convert_tokens_to_ids(self, token):
            return stories.vocab.index(token)

    collator = transformers.DataCollatorForLanguageModeling.__new__(transformers.DataCollatorForLanguageModeling)
    collator.tokenizer, collator.mlm_probability, collator.seed, collator.generator = Words(), 0.15, None, None
    collator.mask_replace_prob, collator.random_replace_prob = 0.8, 0.1
    return collator


def test_random_words_are_drawn_evenly_and_may_be_the_original():
    random_ids = torch.tensor([7, 3, 11])
    ids = torch.full((300, 200), 3)
    inputs, _ = mask_tokens(ids, torch.ones_like(ids, dtype=torch.bool), 99, random_ids, generator())
    assert set(inputs.unique().tolist()) == {3, 7, 11, 99}
    for word in (7, 11):
        assert not improbable(int((inputs == word).sum()), ids.numel(), 0.1 / 3)
    assert not improbable(int((inputs == 3).sum()), ids.numel(), 0.1 + 0.1 / 3)


def test_specials_are_never_chosen_and_a_seed_gives_the_same_again():
    ids = torch.arange(60).reshape(4, 15)
    special = special_positions(ids, [0, 14, 31])
    assert special.nonzero().tolist() == [[0, 0], [0, 14], [2, 1]]
    chosen = choose_positions(ids, special, 0.9, generator(5))
    assert not (chosen & special).any()
    assert chosen.equal(choose_positions(ids, special, 0.9, generator(5)))
    assert not chosen.equal(choose_positions(ids, special, 0.9, generator(6)))


def test_static_masks_stay_and_dynamic_ones_do_not():
    ids = torch.zeros(30, 40, dtype=torch.long)
    special = torch.zeros_like(ids, dtype=torch.bool)
    static, dynamic = (masks_for_epochs(ids, special, 0.3, 5, flag, generator()) for flag in (False, True))
    assert static.shape == dynamic.shape == (5, 30, 40)
    assert (static == static[0]).all()
    agree = (dynamic[1:] == dynamic[:-1]).sum().item()
    assert not improbable(agree, 4 * ids.numel(), 0.3**2 + 0.7**2)


def test_the_loss_is_the_mean_over_labels_that_count():
    logits = torch.randn(2, 3, 5, generator=generator())
    labels = torch.tensor([[-100, 4, -100], [0, -100, 2]])
    by_hand = [-logits[b, t].log_softmax(-1)[labels[b, t]] for b, t in ((0, 1), (1, 0), (1, 2))]
    torch.testing.assert_close(mlm_loss(logits, labels), torch.stack(by_hand).mean())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ids, real: choose_positions(ids, ids, 0.1, generator()), "special_mask is torch.int64"),
        (lambda ids, real: choose_positions(ids, real[:1], 0.1, generator()), r"special_mask is torch.bool \(1, 3\)"),
        (lambda ids, real: choose_positions(ids, real, 15, generator()), "from 0 to 1"),
        (lambda ids, real: mask_tokens(ids, ids, 4, ids[0], generator()), "chosen is torch.int64"),
    ],
)
def test_bad_calls_say_what_to_do(call, message):
    ids = torch.zeros(2, 3, dtype=torch.long)
    with pytest.raises(ValueError, match=message):
        call(ids, ids.bool())


def test_the_test_set_is_the_one_that_the_floor_was_measured_on(stories):
    inputs, labels = masked_test_set(stories)
    losses = masked_floor_losses(stories)
    oracle = Oracle.load()
    for n in (0, 1, 17, 400, 999):
        chosen = labels[n] != -100
        story = torch.tensor(stories.test[n])
        length = len(story)
        rows = oracle.corrupted_log_probs(inputs[n, :length], chosen[:length])
        expected = -rows[np.arange(len(rows)), story[chosen[:length]]]
        np.testing.assert_allclose(losses[n][chosen], expected, atol=1e-5)
    mean = losses.sum() / (labels != -100).sum()
    assert float(mean) == pytest.approx(stories.floors["masked"]["loss"], abs=1e-5)
    assert int((labels != -100).sum()) == stories.floors["masked"]["n_tokens"]


def test_the_test_set_is_bert_corruption_of_the_test_stories(stories):
    inputs, labels = masked_test_set(stories)
    ids, real = pad(stories.test, stories.pad_id)
    chosen = labels != -100
    assert inputs[~chosen].equal(ids[~chosen])
    assert labels[chosen].equal(ids[chosen])
    assert not (chosen & special_positions(ids, [stories.pad_id, stories.bos_id, stories.eos_id])).any()
    assert not improbable(int(chosen.sum()), int(real.sum()) - 2 * len(ids), 0.15)
    n_words, n_chosen = len(stories.word_ids), int(chosen.sum())
    shares = (0.8, 0.1 - 0.1 / n_words, 0.1 + 0.1 / n_words)
    for hits, share in zip(fates(ids, inputs, chosen, stories.mask_id), shares, strict=True):
        assert not improbable(hits, n_chosen, share)


class Unigram(nn.Module):
    """Says the same at every position."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, ids, mask):
        assert mask.dtype == torch.bool
        return self.logits.expand(*ids.shape, -1)


def test_a_model_is_compared_on_the_same_targets(stories):
    model = Unigram(torch.randn(len(stories.vocab), generator=generator()))
    inputs, labels = masked_test_set(stories)
    counted = labels != -100
    expected = functional.cross_entropy(model.logits.expand(int(counted.sum()), -1), labels[counted]).item()
    found = compare_with_floor(model, stories)
    assert found.loss == pytest.approx(expected, rel=1e-5)
    assert found.floor == pytest.approx(stories.floors["masked"]["loss"], abs=1e-5)
    assert found.ratio == pytest.approx(found.loss / found.floor)
    assert not model_losses(model, inputs[:3], labels[:3], stories.pad_id)[~counted[:3]].any()
    assert f"{found.ratio:.3f} ±" in str(found)


def test_the_error_of_the_ratio_is_that_of_resampled_stories():
    rng = np.random.default_rng(0)
    floor = torch.from_numpy(rng.gamma(2.0, 0.3, (400, 9)))
    losses = 1.1 * floor + 0.05 * torch.from_numpy(rng.random((400, 9)))
    counted = torch.from_numpy(rng.random((400, 9)) < 0.6)
    found = paired(losses, floor, counted)
    ratios = []
    for _ in range(400):
        rows = torch.from_numpy(rng.integers(400, size=400))
        ratios.append(paired(losses[rows], floor[rows], counted[rows]).ratio)
    assert found.error == pytest.approx(np.std(ratios), rel=0.2)
    assert paired(1.5 * floor, floor, counted).error == pytest.approx(0.0, abs=1e-12)
