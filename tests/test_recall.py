"""Recall sequences are what they claim to be."""

import pytest
import torch

from course.recall import IGNORED, RecallTask, recall_accuracy, recall_batch


def batch(task, n=50, seed=0):
    return recall_batch(task, n, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("task", [RecallTask(), RecallTask(3, 2, 7, 5), RecallTask(1, 1, 1, 1)])
def test_every_query_is_answered_by_the_value_told_with_its_key(task):
    ids_BT, labels_BT = batch(task)
    for ids, labels in zip(ids_BT.tolist(), labels_BT.tolist(), strict=True):
        told = dict(zip(ids[: 2 * task.n_pairs : 2], ids[1 : 2 * task.n_pairs : 2], strict=True))
        asked = {t: label for t, label in enumerate(labels) if label != IGNORED}
        assert len(told) == task.n_pairs
        assert list(asked) == list(range(2 * task.n_pairs, task.length, 2))
        assert all(told[ids[t]] == label == ids[t + 1] for t, label in asked.items())


def test_keys_and_values_have_ids_of_their_own():
    task = RecallTask(4, 3, 9, 6)
    ids_BT, _ = batch(task)
    assert ids_BT.shape == (50, task.length)
    assert ids_BT[:, ::2].max() < task.n_keys <= ids_BT[:, 1::2].min()
    assert ids_BT.max() < task.vocab_size


def test_the_same_seed_gives_the_same_batch():
    task = RecallTask()
    assert torch.equal(batch(task)[0], batch(task)[0])
    assert not torch.equal(batch(task)[0], batch(task, seed=1)[0])


def test_values_are_uniform_and_queries_come_in_any_order():
    task = RecallTask(4, 4, 8, 4)
    ids_BT, labels_BT = batch(task, n=4000)
    shares = torch.bincount(ids_BT[:, 1 : 2 * task.n_pairs : 2].flatten() - task.n_keys) / (4000 * task.n_pairs)
    assert torch.allclose(shares, torch.tensor(0.25), atol=0.02)
    first_asked_is_first_told = (ids_BT[:, 0] == ids_BT[:, 2 * task.n_pairs]).float().mean()
    assert abs(first_asked_is_first_told - 0.25) < 0.04


def test_accuracy_looks_at_queries_only():
    task = RecallTask(3, 2, 5, 4)
    ids_BT, labels_BT = batch(task, n=6)
    perfect = torch.nn.functional.one_hot(labels_BT.clamp(min=0), task.vocab_size).float()
    assert recall_accuracy(perfect, labels_BT) == 1.0
    half = perfect.clone()
    half[:3] = -half[:3]
    assert recall_accuracy(half, labels_BT) == 0.5


def test_chance_and_bits_follow_from_the_sizes():
    task = RecallTask(n_pairs=8, n_queries=8, n_keys=16, n_values=16)
    assert task.chance == 1 / 16
    assert task.bits == 32


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="no key is told or asked for twice"):
        RecallTask(n_pairs=5, n_queries=6)
