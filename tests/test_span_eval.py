"""A span-corrupting model is judged on the floor's own targets, words and sentinels apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from course.corpus_build.floors import random_streams, span_losses
from course.oracle import Oracle
from course.span_eval import compare_with_span_floor, is_word, model_losses, span_floor_losses, span_test_set
from course.spans import reconstruct
from course.stories import Stories

FEW = 40


@pytest.fixture(scope="module")
def stories() -> Stories:
    return Stories.load()


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle.load()


def test_the_test_set_is_the_one_that_the_floor_was_measured_on(stories, oracle):
    batch = span_test_set(stories, FEW)
    losses, words = span_floor_losses(oracle, batch), is_word(stories, batch.targets)
    generator = random_streams()["span"]
    for n, ids in enumerate(stories.test[:FEW]):
        expected, of_words = span_losses(oracle, ids, generator)
        real = batch.target_mask[n]
        np.testing.assert_allclose(losses[n, real], expected, atol=1e-12)
        assert words[n, real].tolist() == of_words.tolist()
        back = reconstruct(
            batch.inputs[n][batch.input_mask[n]], batch.targets[n][real], stories.sentinel_ids, stories.eos_id
        )
        assert back.tolist() == ids[1:-1]
    assert not losses[~batch.target_mask].any()


def test_the_whole_set_has_the_loss_of_the_floors_file(stories, oracle):
    batch = span_test_set(stories)
    losses, words = span_floor_losses(oracle, batch), is_word(stories, batch.targets)
    for name, counted in (
        ("span", batch.target_mask),
        ("span_words", words),
        ("span_sentinels", batch.target_mask & ~words),
    ):
        assert float(losses[counted].mean()) == pytest.approx(stories.floors[name]["loss"], abs=2e-6)
        assert int(counted.sum()) == stories.floors[name]["n_tokens"]


def test_more_stories_begin_with_the_same_ones(stories):
    few, more = span_test_set(stories, 5), span_test_set(stories, 9)
    for n in range(5):
        assert few.inputs[n][few.input_mask[n]].equal(more.inputs[n][more.input_mask[n]])
        assert few.targets[n][few.target_mask[n]].equal(more.targets[n][more.target_mask[n]])


class Copier(nn.Module):
    """Says what it was fed, so that a test sees what it was fed: the logit of each decoder token is raised."""

    def __init__(self, vocab_size: int):
        super().__init__()
        self.height = nn.Parameter(torch.tensor(3.0))
        self.vocab_size = vocab_size

    def forward(self, ids, decoder_ids, mask):
        assert (mask.dtype, mask.shape) == (torch.bool, ids.shape)
        return self.height * functional.one_hot(decoder_ids, self.vocab_size)


def test_the_decoder_reads_the_targets_one_step_late(stories):
    batch = span_test_set(stories, FEW)
    model = Copier(len(stories.vocab))
    losses = model_losses(model, batch, stories.pad_id, batch_size=7)
    repeated = torch.zeros_like(batch.target_mask)
    repeated[:, 1:] = batch.targets[:, 1:] == batch.targets[:, :-1]
    total = (len(stories.vocab) - 1 + torch.tensor(3.0).exp()).log()
    expected = (total - 3.0 * repeated) * batch.target_mask
    torch.testing.assert_close(losses, expected.double(), atol=1e-5, rtol=0)


def test_words_and_sentinels_are_compared_apart(stories, oracle):
    batch, model = span_test_set(stories, FEW), Copier(len(stories.vocab))
    found = compare_with_span_floor(model, stories, n_stories=FEW)
    losses, floor = model_losses(model, batch, stories.pad_id), span_floor_losses(oracle, batch)
    words = is_word(stories, batch.targets)
    assert found.words.loss == pytest.approx(float(losses[words].mean()))
    assert found.words.floor == pytest.approx(float(floor[words].mean()))
    assert found.every.ratio == pytest.approx(float(losses.sum() / floor.sum()))
    assert found.sentinels == pytest.approx(float(losses[batch.target_mask & ~words].mean()))
    assert found.sentinels_floor == pytest.approx(0.0, abs=1e-9)
    assert f"{found.words.ratio:.3f} ±" in str(found)
