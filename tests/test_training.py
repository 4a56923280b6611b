"""The training loop, the plumbing models and the n-gram baseline."""

import math
from collections import Counter

import pytest
import torch
from torch import nn

from course.counting import ngram_log_probs
from course.models import AttentionLM, RecurrentLM, masked_cross_entropy, next_token_log_probs, next_token_loss
from course.stories import pad
from course.training import MAX_STEPS, learning_rate, make_optimiser, seeded, train


def line_batch(generator):
    x = torch.randn(16, 3, generator=generator)
    return x, x @ torch.tensor([[1.0], [-2.0], [0.5]])


def squared_error(model, batch):
    return (model(batch[0]) - batch[1]).square().mean()


def train_line(**options):
    with seeded(0):
        model = nn.Linear(3, 1)
    return model, train(model, squared_error, line_batch, n_steps=200, peak_lr=0.05, **options)


def test_training_finds_a_known_answer():
    model, history = train_line(weight_decay=0.0)
    assert torch.allclose(model.weight, torch.tensor([[1.0, -2.0, 0.5]]), atol=0.01)
    assert history.losses[-1] < 1e-3 < history.losses[0]


def test_the_environment_bounds_the_number_of_steps(monkeypatch):
    monkeypatch.setenv(MAX_STEPS, "3")
    assert len(train_line()[1].losses) == 3
    monkeypatch.setenv(MAX_STEPS, "1000")
    assert len(train_line()[1].losses) == 200


def test_the_same_seed_trains_the_same_model():
    first, second, other = train_line()[0], train_line()[0], train_line(seed=1)[0]
    assert torch.equal(first.weight, second.weight)
    assert not torch.equal(first.weight, other.weight)


def test_evaluations_come_at_their_steps_and_in_evaluation_mode():
    modes = []

    def evaluate(model):
        modes.append((model.training, torch.is_grad_enabled()))
        return 1.0

    model, history = train_line(evaluate=evaluate, evaluate_every=80)
    assert history.evaluated_at == [80, 160, 200]
    assert history.evaluations == [1.0] * 3
    assert history.cpu_seconds == sorted(history.cpu_seconds)
    assert set(modes) == {(False, False)}
    assert not model.training


def test_the_learning_rate_rises_then_falls():
    rates = [learning_rate(step, 100, peak=1.0, warmup=10) for step in range(100)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert max(rates) == rates[9] == pytest.approx(1.0)
    assert all(later <= earlier for earlier, later in zip(rates[9:], rates[10:], strict=False))
    assert rates[-1] == pytest.approx(0.01)


def test_only_matrices_decay():
    groups = make_optimiser(nn.Linear(3, 2), peak_lr=0.1, weight_decay=0.5).param_groups
    assert [(group["weight_decay"], [p.ndim for p in group["params"]]) for group in groups] == [(0.5, [2]), (0.0, [1])]


def test_a_loss_that_is_not_finite_stops_training_with_advice():
    with pytest.raises(ValueError, match="try a smaller peak_lr"):
        train(nn.Linear(3, 1), lambda model, batch: squared_error(model, batch) * math.inf, line_batch, n_steps=3)
    with pytest.raises(ValueError, match="at least one step"):
        train_line_with_no_steps()


def train_line_with_no_steps():
    train(nn.Linear(3, 1), squared_error, line_batch, n_steps=0)


def test_seeded_leaves_the_random_state_as_it_was():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with seeded(9):
        torch.rand(5)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    "model",
    [RecurrentLM(11, 4, 6, cell=cell) for cell in ("rnn", "lstm", "gru")]
    + [AttentionLM(11, 4, n_layers=1, n_heads=2, max_len=9)],
)
def test_no_language_model_looks_ahead(model):
    model.eval()
    ids = torch.arange(9)[None].repeat(2, 1)
    ids[1, 5:] = 10
    logits = model(ids)
    assert logits.shape == (2, 9, 11)
    assert torch.allclose(logits[0, :5], logits[1, :5], atol=1e-6)
    assert not torch.allclose(logits[0, 5:], logits[1, 5:], atol=1e-3)


def test_next_token_loss_leaves_padding_and_the_first_token_out():
    model = RecurrentLM(11, 4, 6)
    ids, mask = pad([[1, 5, 6, 2], [1, 7]], 0)
    log_probs = next_token_log_probs(model, ids)
    expected = -torch.stack([*log_probs[0], log_probs[1, 0]]).mean()
    assert torch.allclose(next_token_loss(model, (ids, mask)), expected)
    labels = torch.full_like(ids, -100)
    labels[0, 2] = 4
    assert torch.allclose(masked_cross_entropy(model, (ids, labels)), -model(ids)[0, 2].log_softmax(-1)[4])


def test_unknown_cells_and_long_texts_are_refused():
    with pytest.raises(ValueError, match="choose one of gru, lstm, rnn"):
        RecurrentLM(5, 2, 2, cell="lstn")
    with pytest.raises(ValueError, match="max_len is 3"):
        AttentionLM(5, 2, n_layers=1, n_heads=1, max_len=3)(torch.zeros(1, 4, dtype=torch.long))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_ngram_baseline_agrees_with_counting_by_hand(n):
    counted, asked = [[1, 3, 4, 3, 4, 2], [1, 4, 2], [1, 3, 4, 4, 2]], [[1, 3, 4, 4], [1, 5, 3, 2]]
    runs = {m: Counter(tuple(d[max(0, t - m + 1) : t + 1]) for d in counted for t in range(1, len(d))) for m in [n]}[n]
    contexts = Counter()
    for run, count in runs.items():
        contexts[run[:-1]] += count
    found = ngram_log_probs(pad(counted, 0)[0], pad(asked, 0)[0], n, vocab_size=6, alpha=0.5)
    for b, document in enumerate(asked):
        for t in range(1, len(document)):
            run = tuple(document[max(0, t - n + 1) : t + 1])
            assert found[b, t - 1].item() == pytest.approx(math.log((runs[run] + 0.5) / (contexts[run[:-1]] + 3.0)))


def test_runs_that_cannot_be_numbered_are_refused():
    with pytest.raises(ValueError, match="choose a smaller n"):
        ngram_log_probs(torch.ones(1, 3).long(), torch.ones(1, 3).long(), 9, vocab_size=300)
