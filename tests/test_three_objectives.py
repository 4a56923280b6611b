"""The comparison of the three objectives: its parts against independent counts, a tiny run, and the stored file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from course.masking import IGNORED
from course.oracle import Oracle
from course.stories import CorpusError, Stories
from course.three_objectives.objectives import batch_flops, make_objectives, n_parameters, steps_for
from course.three_objectives.results import FILE, MEASURES, Results, ranks, write_manifest
from course.three_objectives.run import compare, curve, run_one
from course.three_objectives.settings import OBJECTIVES, Settings
from course.three_objectives.tasks import TextClassifier
from course.three_objectives.text_tasks import (
    LONGEST_SUMMARY,
    causal_pairs,
    read_pairs,
    share_of_sentences,
    span_pairs,
    with_more_words,
    write_answers,
)
from course.three_objectives.writing import fill, fill_at_once, hide_spans, is_possible, until, write

TINY = replace(
    Settings(),
    flops=3e9,
    seeds=(1,),
    tune_steps=1,
    n_test=30,
    n_summaries=20,
    summary_steps=1,
    n_written=3,
    n_translations=20,
    translation_steps=1,
)


@pytest.fixture(scope="module")
def stories():
    return Stories.load()


@pytest.fixture(scope="module")
def objectives(stories):
    return make_objectives(stories, TINY)


@pytest.fixture
def batches(objectives):
    return {name: objective.sample(torch.Generator().manual_seed(4)) for name, objective in objectives.items()}


# ---- objectives


def test_the_models_have_the_same_number_of_parameters_in_their_blocks(objectives):
    sizes = {}
    for name, objective in objectives.items():
        model = objective.build(1)
        parts = objective.parts(model, objective.sample(torch.Generator().manual_seed(0)))
        sizes[name] = sum(n for part, n, _ in parts if part != "head")
    assert max(sizes.values()) < 1.015 * min(sizes.values()), sizes


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_price_of_a_batch_is_what_pytorch_counts_but_for_the_scores(objectives, batches, name):
    objective, batch = objectives[name], batches[name]
    model = objective.build(1)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        objective.loss(model, batch).backward()
    scores = counter.get_flop_counts()["Global"].get(torch.ops.aten.bmm, 0)
    assert batch_flops(objective.parts(model, batch)) == pytest.approx(counter.get_total_flops() - scores, rel=0.02)


def test_a_masked_batch_asks_for_the_words_that_it_hides(objectives, batches, stories):
    inputs, mask, labels = batches["masked"]
    asked = labels != IGNORED
    assert (inputs == stories.mask_id).sum() > 0
    assert asked[inputs == stories.mask_id].all()
    assert torch.isin(labels[asked], torch.tensor(stories.word_ids)).all()
    assert mask[asked].all()
    rows = [tuple(row[real].tolist()) for row, real in zip(torch.where(asked, labels, inputs), mask, strict=True)]
    assert set(rows) <= {tuple(story) for story in stories.train}


def test_a_causal_batch_is_stories_one_token_apart(batches, stories):
    inputs, targets = batches["causal"]
    known = {tuple(story) for story in stories.train}
    for row, wanted in zip(inputs.tolist(), targets.tolist(), strict=True):
        story = [row[0], *(token for token in wanted if token != IGNORED)]
        assert tuple(story) in known
        assert row[: len(story) - 1] == story[:-1]


def test_a_span_batch_holds_whole_stories_and_shifts_its_decoder(objectives, batches, stories):
    inputs, mask, decoder, labels = batches["span"]
    known = {tuple(story[1:-1]) for story in stories.train}
    for source, real, wanted in zip(inputs, mask, labels.tolist(), strict=True):
        spans, name = {}, None
        for token in wanted:
            if token in stories.sentinel_ids:
                name = token
            elif token not in (IGNORED, stories.eos_id):
                spans.setdefault(name, []).append(token)
        shown = source[real].tolist()[:-1]
        assert tuple(t for token in shown for t in spans.get(token, [token])) in known
    real = labels[:, :-1] != IGNORED
    assert (decoder[:, 0] == stories.pad_id).all()
    assert torch.equal(decoder[:, 1:][real], labels[:, :-1][real])


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_text_looks_like_one_vector_a_token_and_padding_changes_none(objectives, stories, name):
    objective = objectives[name]
    model = objective.build(1).eval()
    text = torch.tensor([stories.test[0]])
    padded = nn.functional.pad(text, (0, 5))
    with torch.no_grad():
        alone = objective.hidden(model, text, torch.ones_like(text, dtype=torch.bool))
        beside = objective.hidden(model, padded, torch.arange(padded.shape[1])[None] < text.shape[1])
    assert alone.shape == (*text.shape, objective.width)
    torch.testing.assert_close(beside[:, 1 : text.shape[1]], alone[:, 1:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "sees_right"), [("masked", True), ("causal", False), ("span", True)])
def test_only_the_decoder_is_blind_to_the_right(objectives, stories, name, sees_right):
    objective = objectives[name]
    model, text = objective.build(1).eval(), torch.tensor([stories.test[0]])
    other, real = text.clone(), torch.ones_like(text, dtype=torch.bool)
    other[0, 20] = stories.encode("bank", special=False)[0]
    with torch.no_grad():
        moved = objective.hidden(model, text, real)[0, 15] - objective.hidden(model, other, real)[0, 15]
    assert bool(moved.abs().max() > 1e-6) == sees_right


def test_a_budget_buys_steps_in_proportion(objectives):
    objective = objectives["span"]
    model = objective.build(1)
    few, many = (steps_for(objective, model, flops) for flops in (2e11, 6e11))
    assert many == pytest.approx(3 * few, abs=2)
    assert steps_for(objective, model, 1.0) == 1
    assert steps_for(objective, model, 2e11, lambda n, d: 12.0 * n * d) == pytest.approx(few / 2, abs=1)


def test_a_curve_keeps_the_sum_and_the_mean():
    points = curve([2.0] * 10, [float(n) for n in range(10)], n_points=5)
    assert points == [[4.0, 0.5], [8.0, 2.5], [12.0, 4.5], [16.0, 6.5], [20.0, 8.5]]
    assert curve([1.0], [3.0]) == [[1.0, 3.0]]


# ---- tasks


def test_a_text_is_the_mean_of_its_tokens_but_the_first_and_the_padding():
    class Table(nn.Module):
        def forward(self, ids, mask):
            return ids[:, :, None].float()

    classifier = TextClassifier(Table(), 1, 1)
    with torch.no_grad():
        classifier.head.weight.fill_(1.0)
        classifier.head.bias.fill_(0.0)
    ids, mask = torch.tensor([[90, 2, 4, 70]]), torch.tensor([[True, True, True, False]])
    assert classifier(ids, mask).item() == pytest.approx(3.0)


class KnowsEverything(nn.Module):
    """Gives all probability to the stories that it was told, whatever it is shown."""

    def __init__(self, texts, objective):
        super().__init__()
        self.texts, self.objective = texts, objective

    def _rows(self, ids):
        """The told stories that fit what is visible of these rows."""
        special = {0, self.objective.stories.mask_id}
        return [
            next(t for t in self.texts if all(a in special or a == b for a, b in zip(row, t, strict=False)))
            for row in ids.tolist()
        ]

    def forward(self, ids, mask=None):
        rows = self._rows(ids)
        shift = self.objective.name == "causal"
        wanted = [(row[1:] if shift else row) + [2] * ids.shape[1] for row in rows]
        return 9.0 * nn.functional.one_hot(torch.tensor([row[: ids.shape[1]] for row in wanted]), 300).float()


@pytest.mark.parametrize("name", ["masked", "causal"])
def test_who_knows_the_stories_fills_them_without_a_fault(objectives, stories, name):
    texts = stories.test[:4]
    filled = fill(objectives[name], KnowsEverything(texts, objectives[name]), texts, hide_spans(texts, 0))
    assert filled == texts


def test_who_knows_the_spans_fills_the_encoder_decoders_gaps(objectives, stories):
    texts, hidden = stories.test[:4], hide_spans(stories.test[:4], 0)

    class Writer:
        def encode(self, ids, mask):
            return torch.zeros(len(ids), 1, 1)

        def decode(self, ids, memory, mask):
            rows = []
            for text, gone in zip(texts, hidden, strict=True):
                target, n_spans = [], 0
                for t, token in enumerate(text):
                    if gone[t]:
                        if not gone[t - 1]:
                            target.append(stories.sentinel_ids[n_spans])
                            n_spans += 1
                        target.append(token)
                rows.append([*target, stories.eos_id, *[0] * 70][: ids.shape[1]])
            return nn.functional.one_hot(torch.tensor(rows), 300).float()

    assert fill(objectives["span"], Writer(), texts, hidden) == texts


def test_gaps_are_as_many_as_t5_hides_and_never_the_ends(stories):
    for text, gone in zip(stories.test[:50], hide_spans(stories.test[:50], 3), strict=True):
        assert len(gone) == len(text)
        assert not gone[0]
        assert not gone[-1]
        assert int(gone.sum()) == round(0.15 * (len(text) - 2))


def test_filling_at_once_takes_each_words_own_best(objectives, stories):
    texts = stories.test[:3]
    blank = [[stories.mask_id if t == 5 else token for t, token in enumerate(text)] for text in texts]
    assert fill_at_once(KnowsEverything(texts, objectives["masked"]), blank, stories) == texts


@pytest.mark.parametrize("name", OBJECTIVES)
def test_what_is_written_begins_and_ends(objectives, stories, name):
    texts = write(objectives[name], objectives[name].build(1).eval(), 3, seed=0)
    assert [(text[0], text[-1]) for text in texts] == [(stories.bos_id, stories.eos_id)] * 3
    assert texts == write(objectives[name], objectives[name].build(1).eval(), 3, seed=0)


def test_the_oracle_tells_possible_stories(stories):
    oracle, text = Oracle.load(), stories.test[0]
    assert is_possible(oracle, text)
    assert not is_possible(oracle, [*text[:10], *text[12:]])
    assert until([5, 2, 7, 2], 2) == [5, 2]
    assert until([5, 7], 2) == [5, 7, 2]


# ---- summaries


def test_summaries_are_asked_for_word_by_word_and_the_story_is_not(stories):
    pairs = read_pairs(stories, "train", 5)
    assert all(stories.unk_id not in summary for _, summary in pairs)
    _, targets = causal_pairs(pairs, stories)
    inputs, mask, _, labels = span_pairs(pairs, stories)
    for n, (story, summary) in enumerate(pairs):
        assert targets[n][targets[n] != IGNORED].tolist() == [*summary, stories.eos_id]
        assert labels[n][labels[n] != IGNORED].tolist() == [*summary, stories.eos_id]
        assert inputs[n][mask[n]].tolist() == [*story, stories.eos_id]


def test_a_decoder_continues_its_own_story_whatever_stands_beside_it(objectives, stories):
    objective = objectives["causal"]
    model, texts = objective.build(2).eval(), [stories.test[0][1:-1], stories.test[1][1:-6]]
    together = write_answers(objective, model, texts, LONGEST_SUMMARY)
    assert together == [write_answers(objective, model, [text], LONGEST_SUMMARY)[0] for text in texts]


@pytest.mark.parametrize("name", ["causal", "span"])
def test_more_words_change_nothing_about_the_old_ones(objectives, stories, name):
    objective = objectives[name]
    model, batch = objective.build(3).eval(), objective.sample(torch.Generator().manual_seed(0))
    larger = with_more_words(objective, model, 400, seed=3)
    inputs = (batch[0],) if name == "causal" else (batch[0], batch[2], batch[1])
    with torch.no_grad():
        before, after = model(*inputs), larger(*inputs)
    assert after.shape[-1] == 400
    torch.testing.assert_close(after[..., : len(stories.vocab)], before)
    assert n_parameters([larger]) - n_parameters([model]) == (400 - len(stories.vocab)) * objective.width


def test_sentences_count_where_they_stand_and_word_for_word():
    wanted = ["가 나. 다 라. 마?", "바."]
    assert share_of_sentences(wanted, wanted) == 1.0
    assert share_of_sentences(["다 라. 가 나. 마?", ""], wanted) == 0.25
    assert share_of_sentences(["가 나. 다 라", "바. 사."], wanted) == 0.5


# ---- the run and what is stored


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, stories):
    path = tmp_path_factory.mktemp("three") / "tiny.json"
    return path, compare(path, TINY, stories, say=lambda line: None)


def test_a_run_holds_every_measure(tiny):
    path, results = tiny
    assert json.loads(path.read_text()) == results
    loaded = Results(TINY, results["runs"])
    for objective in OBJECTIVES:
        assert len(loaded.of(objective)) == 1
        for measure in MEASURES:
            for where in filter(None, (measure.where, measure.random)):
                value = loaded.mean(objective, *where)
                assert value is None or isinstance(value, float)
    assert loaded.mean("masked", "summary") is None
    assert loaded.mean("masked", "translation", "pretrained", "senses") is None
    assert loaded.means("loss") == {name: values[0] for name, values in loaded.by_objective("loss").items()}


def test_what_is_done_is_not_done_again_and_other_settings_are_refused(tiny, stories, monkeypatch):
    path, results = tiny
    monkeypatch.setattr("course.three_objectives.run.run_one", lambda *_: pytest.fail("repeated"))
    assert compare(path, TINY, stories, say=lambda line: None) == results
    with pytest.raises(ValueError, match="other settings"):
        compare(path, replace(TINY, flops=1.0), stories)


def test_the_same_seed_gives_the_same_numbers(tiny, objectives):
    again = run_one(objectives["causal"], 1)
    first = next(run for run in tiny[1]["runs"] if run["objective"] == "causal")
    assert {**again, "seconds": 0} == {**first, "seconds": 0}


def test_the_stored_results_are_those_of_the_settings():
    results = Results.load()
    assert {(run["objective"], run["seed"]) for run in results.runs} == {
        (name, seed) for name in OBJECTIVES for seed in results.settings.seeds
    }
    assert len(results.settings.seeds) >= 3
    for run in results.runs:
        assert run["flops"] == pytest.approx(results.settings.flops, rel=0.01)
        assert run["loss"] > run["floor"]
        assert run["curve"][-1][0] == pytest.approx(run["flops"])
    for name in OBJECTIVES:
        assert len(set(results.values(name, "loss"))) == len(results.settings.seeds), "every seed is a run of its own"


def test_a_stored_file_that_was_altered_or_is_of_other_settings_is_refused(tmp_path):
    copy = tmp_path / FILE.name
    found = json.loads(FILE.read_text())
    found["settings"]["flops"] *= 2
    copy.write_text(json.dumps(found))
    write_manifest(tmp_path)
    with pytest.raises(CorpusError, match="other settings"):
        Results.load(copy)
    copy.write_bytes(FILE.read_bytes() + b" ")
    with pytest.raises(CorpusError, match="hash differs"):
        Results.load(copy)


def test_the_manifest_lists_every_experiment():
    sums = dict(reversed(line.split("  ")) for line in (FILE.parent / "SHA256SUMS").read_text().splitlines())
    assert sums == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FILE.parent.glob("*.json")}


def test_equals_share_a_place_and_who_cannot_is_last():
    assert ranks({"a": 0.0, "b": 0.4, "c": 0.0}, more_is_better=True) == {"a": 2.5, "b": 1, "c": 2.5}
    assert ranks({"a": 0.3, "b": None, "c": 0.0}, more_is_better=True) == {"a": 1, "b": 3, "c": 2}
    assert ranks({"a": 0.3, "b": 0.2, "c": 0.1}, more_is_better=False) == {"a": 3, "b": 2, "c": 1}


def test_the_untrained_models_differ_by_seed_and_by_nothing_else(objectives):
    for objective in objectives.values():
        first, again, other = (objective.build(seed) for seed in (1, 1, 2))
        assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
        assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))
        assert n_parameters([first]) == n_parameters([other])
