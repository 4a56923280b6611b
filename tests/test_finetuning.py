"""Fine-tuning, heads on frozen features, learning curves; the notebook's F1 against seqeval."""

from __future__ import annotations

import importlib.util
import random

import pytest
import torch
from seqeval.metrics import f1_score
from torch import nn
from torch.nn import functional

from autograde.catalogue import read_catalogue, references
from autograde.layout import Layout
from course.blocks.masked_lm import MaskedLM
from course.configs import EncoderConfig
from course.figures.style import to_png
from course.figures.week3_using import accuracy_by_hidden, scores_by_labels, scores_by_seed
from course.finetuning import (
    HiddenStates,
    WordClassifier,
    fine_tune,
    fit_head,
    hide_words,
    in_batches,
    learning_curve,
    mean_and_interval,
    word_counts,
)
from course.labels import IGNORED, Labelled
from course.training import seeded

LAYOUT = Layout.find()
LESSON = ("week3_masked_lm", "4_using_an_encoder")
V = 12


def encoder(seed=0):
    with seeded(seed):
        return MaskedLM(EncoderConfig(V, d_model=16, n_heads=2, n_layers=1, d_ff=32, max_len=8))


def toy(n_stories, seed, *, at_words=False):
    """Stories of 3 to 7 tokens; the class says whether token 7 stands in them, a word's class whether it is even."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, V, (n_stories, 7), generator=generator)
    mask = torch.arange(7) < torch.randint(3, 8, (n_stories, 1), generator=generator)
    ids = ids * mask
    labels = torch.where(mask, ids % 2, IGNORED) if at_words else (ids == 7).any(1).long()
    return Labelled(ids, mask, labels, ("no", "yes"), torch.arange(n_stories))


class Text(nn.Module):
    """The largest hidden value of each channel, and a head."""

    def __init__(self, model):
        super().__init__()
        self.encoder, self.head = HiddenStates(model), nn.Linear(16, 2)

    def forward(self, ids, mask):
        return self.head(self.encoder(ids, mask).masked_fill(~mask[..., None], -1e9).amax(1))


def accuracy(model, data):
    guesses, real = in_batches(model, data, batch=7).argmax(-1), data.labels != IGNORED
    return (guesses == data.labels)[real].float().mean().item()


def test_fine_tuning_learns_a_class_of_texts_and_moves_the_encoder():
    with seeded(1):
        model = Text(encoder())
    before = model.encoder.model.embeddings.word.weight.clone()
    losses = fine_tune(model, toy(200, 1), n_steps=150, peak_lr=3e-3, seed=0)
    assert len(losses) == 150
    assert accuracy(model, toy(100, 2)) > 0.9
    assert not torch.equal(before, model.encoder.model.embeddings.word.weight)


def test_fine_tuning_learns_classes_of_words():
    with seeded(2):
        model = WordClassifier(HiddenStates(encoder()), 16, 2)
    fine_tune(model, toy(100, 3, at_words=True), n_steps=80, peak_lr=3e-3)
    assert accuracy(model, toy(50, 4, at_words=True)) > 0.95


def test_fine_tuning_is_the_same_with_the_same_seed_and_repeats_no_story_in_a_round(monkeypatch):
    seen, data = [], toy(37, 5)
    take = Labelled.take
    monkeypatch.setattr(Labelled, "take", lambda self, rows: seen.append(rows) or take(self, rows))
    results = []
    for seed in (0, 0, 1):
        with seeded(3):
            model = Text(encoder())
        results.append(fine_tune(model, data, n_steps=6, seed=seed))
    assert results[0] == results[1] != results[2]
    assert all(len(rows) == 16 for rows in seen)
    rounds = [torch.cat(seen[n : n + 2]).tolist() for n in (0, 2, 4)]
    assert all(len(set(stories)) == 32 for stories in rounds)
    assert set().union(*rounds) == set(range(37))


def test_fewer_steps_where_the_environment_says_so(monkeypatch):
    monkeypatch.setenv("COURSE_MAX_STEPS", "2")
    assert len(fine_tune(Text(encoder()), toy(5, 6), n_steps=50)) == 2
    with pytest.raises(ValueError, match="at least one step"):
        fine_tune(Text(encoder()), toy(5, 6), n_steps=0)


def test_the_head_of_the_language_model_stays_out_of_fine_tuning():
    trained = {name for name, p in HiddenStates(encoder()).named_parameters() if p.requires_grad}
    assert not {name for name in trained if name.startswith(("model.dense", "model.norm", "model.bias"))}
    assert "model.embeddings.word.weight" in trained


def test_a_head_is_the_minimum_of_its_penalised_loss():
    """At the minimum the gradient is zero: computed here from the formula, on features of another scale."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(60, 5, generator=generator) * torch.tensor([1.0, 10.0, 0.1, 3.0, 1.0]) + 4.0
    labels = torch.randint(0, 3, (60,), generator=generator)
    head = fit_head(features, labels, 3, decay=0.01, n_steps=500)
    std = features.std(0, correction=0)
    weight = (head.weight * std).double().requires_grad_()
    scaled = ((features - features.mean(0)) / std).double()
    bias = (head.bias + head.weight @ features.mean(0)).double().requires_grad_()
    loss = functional.cross_entropy(scaled @ weight.T + bias, labels) + 0.01 * weight.square().sum()
    for gradient in torch.autograd.grad(loss, (weight, bias)):
        assert gradient.abs().max() < 1e-3
    assert torch.allclose(head(features).double(), scaled @ weight.T + bias, atol=1e-3)


def test_words_are_counted_without_padding():
    data = toy(6, 7)
    counts = word_counts(data, V)
    for row, ids, mask in zip(counts, data.ids, data.mask, strict=True):
        assert row.tolist() == [ids[mask].tolist().count(word) for word in range(V)]


def test_hidden_words_grow_with_the_rate_and_spare_what_is_kept():
    data = toy(400, 8)
    some, more = (hide_words(data, torch.full((400,), rate), 4, keep=[5, 6], seed=1).ids == 4 for rate in (0.3, 0.7))
    assert (some & ~more).sum() == 0
    free = data.mask & (data.ids > 6)
    assert not more[~free].any()
    n = int(free.sum())
    assert abs(more[free].sum().item() - 0.7 * n) < 5.5 * (0.21 * n) ** 0.5  # false alarm below 1e-6
    assert hide_words(data, torch.ones(400), 4, keep=[5, 6]).ids[free].eq(4).all()
    assert not data.ids.eq(4).any()


def test_a_learning_curve_scores_the_same_stories_first():
    asked, ticks = {}, []
    curve = learning_curve(
        lambda rows, seed: asked.setdefault((len(rows), seed), rows).float().mean().item(),
        [2, 5],
        20,
        n_seeds=3,
        tick=lambda: ticks.append(1),
    )
    assert len(ticks) == 6
    for seed in range(3):
        assert asked[5, seed][:2].tolist() == asked[2, seed].tolist()
        assert len(set(asked[5, seed].tolist())) == 5
    values = [asked[2, seed].float().mean().item() for seed in range(3)]
    assert curve[0][0] == pytest.approx(sum(values) / 3)


def test_an_interval_is_students():
    mean, half = mean_and_interval([1.0, 2.0, 3.0])
    assert (mean, half) == (pytest.approx(2.0), pytest.approx(4.302653 / 3**0.5, rel=1e-4))
    with pytest.raises(ValueError, match="1 values"):
        mean_and_interval([1.0])


def random_tags(seed):
    draw = random.Random(seed)
    kinds = ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    gold = [[draw.choice(kinds) for _ in range(draw.randint(1, 12))] for _ in range(50)]
    predicted = [[tag if draw.random() < 0.7 else draw.choice(kinds) for tag in tags] for tags in gold]
    return predicted, gold


@pytest.fixture(scope="module")
def entity_f1():
    names = {"torch": torch}
    exec(dict(references(LAYOUT, *LESSON))["entity_f1"], names)
    return names["entity_f1"]


@pytest.mark.parametrize("seed", range(5))
def test_the_notebooks_f1_and_the_hidden_tests_own_count_agree_with_seqeval(entity_f1, seed):
    spec = importlib.util.spec_from_file_location("hidden", LAYOUT.hidden_tests(*LESSON))
    hidden = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hidden)
    predicted, gold = random_tags(seed)
    expected = f1_score(gold, predicted)
    assert 0.2 < expected < 0.9
    assert entity_f1(predicted, gold) == pytest.approx(expected)
    assert hidden.counted_f1(predicted, gold) == pytest.approx(expected)


def test_wrong_answers_to_f1_differ_from_seqeval_somewhere():
    """The catalogue's mistakes are mistakes by the field's own measure, and not by ours alone."""
    for answer in read_catalogue(LAYOUT, *LESSON):
        if answer.exercise != "entity_f1" or answer.right or "zero" in answer.title or "argument" in answer.title:
            continue
        names = {"torch": torch}
        exec(answer.source, names)
        cases = [*map(random_tags, range(3)), ([["O"], ["B-PER"]], [["O"], ["B-LOC"]])]
        cases.append(([["B-per", "O"]], [["B-PER", "O"]]))
        empty = "nothing to find" in answer.title
        differs = any(abs(names["entity_f1"](p, g) - f1_score(g, p)) > 1e-9 for p, g in cases)
        assert differs or empty, answer.title


def test_figures_draw_the_ideal_reader_beside_every_score():
    curve = [(0.5, 0.1), (0.9, 0.02)]
    figure, panels = scores_by_labels(
        {"a": [10, 100], "b": [2, 20]},
        {"a": {"one": curve, "two": curve}, "b": {"one": curve}},
        {"a": 1.0, "b": 0.95},
        {"a": "accuracy", "b": "F1 over entities"},
        title="Finding",
    )
    assert any(list(line.get_ydata()) == [0.95, 0.95] for line in panels[1].lines)
    assert to_png(figure).startswith(b"\x89PNG")
    figure, axes = scores_by_seed({"task": {"one": [0.5, 0.7]}}, {"task": 0.9}, title="Finding")
    assert any(list(line.get_xdata()) == [0.5, 0.7] for line in axes.lines)
    assert any(list(line.get_xdata()) == [0.9, 0.9] for line in axes.lines)
    assert to_png(figure).startswith(b"\x89PNG")
    figure, axes = accuracy_by_hidden([0.0, 0.5], {"model": [0.9, 0.7]}, [1.0, 0.8], chance=0.5, title="Finding")
    assert axes.get_title(loc="left") == "Finding"
    assert any(list(line.get_ydata()) == [1.0, 0.8] for line in axes.lines)
    assert to_png(figure).startswith(b"\x89PNG")
