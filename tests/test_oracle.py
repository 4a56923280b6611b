"""The oracle against brute force: every story of small grammars, with its probability, enumerated by other code."""

from __future__ import annotations

from functools import cache
from itertools import combinations, product
from math import comb, inf, log

import numpy as np
import pytest
import torch

from course.grammar import Grammar
from course.oracle import Oracle
from course.oracle.lattice import distinct
from course.stories import Stories

# Two templates that can tell the same text, a sense settled late, a variable with a parent, phrases of several words.
SMALL = {
    "variables": {
        "hero": "Mia | 2: Ben",
        "sense": "river | 3: money",
        "friend": {"given": "hero", "Mia": "Ben | Dan", "Ben": "Mia | 3: Dan"},
    },
    "slots": {
        "hero": {"by": "hero", "Mia": "Mia", "Ben": "Ben"},
        "friend": {"by": "friend", "Mia": "Mia", "Ben": "Ben", "Dan": "Dan"},
        "cue": {"by": "sense", "river": "wet | 2: old", "money": "rich | old | very old"},
        "kind": "2: wet | very wet",
    },
    "sentences": {
        "walk": [{"en": "{hero} saw {friend}"}, {"p": 2, "if": "sense=river", "en": "{kind} {hero} saw"}],
        "bank": [{"en": "bank"}, {"p": 0.5, "if": "hero=Ben", "en": "{kind} bank"}],
        "cue": [{"en": "{cue} ."}],
        "end": [{"if": "hero=Mia", "en": "{friend} ."}, {"if": "hero=Ben", "en": "{kind} {hero} ."}],
    },
    "templates": {
        "one": {"p": 2, "story": "walk bank cue?0.75"},
        "two": {"story": "walk cue end?0.5"},
    },
}
# Text that is nearly always the same few words: many derivations and masks for one text.
LOOPY = {
    "variables": {"x": "a | b"},
    "slots": {"w": {"by": "x", "a": "a | 2: b", "b": "b"}, "v": "a | b | a b"},
    "sentences": {"s": [{"en": "{w} {v}"}, {"en": "{v}"}], "t": [{"en": "{w}"}]},
    "templates": {"only": {"story": "s s?0.5 t s?0.3"}},
}
GRAMMARS = {"small": SMALL, "loopy": LOOPY}


@pytest.fixture(params=GRAMMARS, scope="module")
def oracle(request) -> Oracle:
    return Oracle(Grammar(GRAMMARS[request.param]))


@pytest.fixture(scope="module")
def language(oracle) -> dict[tuple[int, ...], float]:
    """Every story as token ids, with its probability."""
    token_id = {word: i for i, word in enumerate(oracle.vocab)}
    told: dict[tuple[int, ...], float] = {}
    for text, p in enumerate_stories(oracle.grammar.data):
        ids = tuple(token_id[word] for word in ("[BOS]", *text.split(), "[EOS]"))
        told[ids] = told.get(ids, 0.0) + p
    assert sum(told.values()) == pytest.approx(1.0)
    return told


def weigh(text):
    """(phrase, probability) of "a | 2: b", by hand and not by the grammar's own parser."""
    parts = [part.strip() for part in text.split("|")]
    pairs = [(p.split(": ")[1], float(p.split(": ")[0])) if ": " in p else (p, 1.0) for p in parts]
    total = sum(w for _, w in pairs)
    return [(phrase, w / total) for phrase, w in pairs]


def enumerate_facts(variables):
    ways = [({}, 1.0)]
    for name, entry in variables.items():
        ways = [
            ({**facts, name: value}, p * q)
            for facts, p in ways
            for value, q in weigh(entry if isinstance(entry, str) else entry[facts[entry["given"]]])
        ]
    return ways


def enumerate_words(token, data, facts):
    if not token.startswith("{"):
        return [(token, 1.0)]
    slot = data["slots"][token[1:-1]]
    return weigh(slot if isinstance(slot, str) else slot[facts[slot["by"]]])


def enumerate_sentence(name, data, facts):
    wordings = [
        e for e in data["sentences"][name] if "if" not in e or facts[e["if"].split("=")[0]] == e["if"].split("=")[1]
    ]
    total = sum(e.get("p", 1) for e in wordings)
    for entry in wordings:
        for words in product(*(enumerate_words(token, data, facts) for token in entry["en"].split())):
            yield " ".join(w for w, _ in words), entry.get("p", 1) / total * np.prod([p for _, p in words])


def enumerate_stories(data):
    templates = data["templates"].values()
    total = sum(t.get("p", 1) for t in templates)
    for template, (facts, p) in product(templates, enumerate_facts(data["variables"])):
        stories = [("", p * template.get("p", 1) / total)]
        for item in template["story"].split():
            name, _, chance = item.partition("?")
            chance = float(chance or 1)
            told = [(text, q * chance) for text, q in enumerate_sentence(name, data, facts)]
            skipped = [("", 1 - chance)] if chance < 1 else []
            stories = [(f"{a} {b}", q * r) for (a, q), (b, r) in product(stories, told + skipped)]
        yield from stories


def logs(weights):
    with np.errstate(divide="ignore"):
        return np.log(weights / weights.sum())


def random_stories(language, n, seed):
    rng = np.random.default_rng(seed)
    stories = list(language)
    return [stories[i] for i in rng.choice(len(stories), n, p=list(language.values()))], rng


def test_next_token_matches_enumeration(oracle, language):
    for ids in random_stories(language, 10, 0)[0]:
        found = oracle.next_token_log_probs(ids)
        for t in range(len(ids)):
            weights = np.zeros(len(oracle.vocab))
            for story, p in language.items():
                if story[:t] == ids[:t] and len(story) > t:
                    weights[story[t]] += p
            np.testing.assert_allclose(found[t], logs(weights), atol=1e-9)


def test_log_prob_sums_over_derivations(oracle, language):
    for ids, p in list(language.items())[:50]:
        assert oracle.log_prob(ids) == pytest.approx(log(p), abs=1e-9)
    assert oracle.log_prob([oracle.bos_id, oracle.eos_id]) == -inf


def test_masked_matches_enumeration_even_under_begin_and_end(oracle, language):
    stories, rng = random_stories(language, 10, 1)
    for ids in stories:
        mask = rng.random(len(ids)) < 0.4
        found = oracle.masked_log_probs(ids, mask)
        weights = np.zeros((len(ids), len(oracle.vocab)))
        for story, p in language.items():
            if len(story) == len(ids) and all(a == b for a, b, m in zip(story, ids, mask, strict=True) if not m):
                weights[np.arange(len(ids)), story] += p
        np.testing.assert_allclose(
            found, np.array([logs(row) for row in weights[mask]]).reshape(found.shape), atol=1e-9
        )


def test_corrupted_matches_enumeration(oracle, language):
    stories, rng = random_stories(language, 8, 2)
    rate, n_words = 0.3, len(oracle.word_ids)
    for ids in stories:
        seen = np.array(ids)
        chosen = (rng.random(len(ids)) < 0.5) & (np.arange(len(ids)) % (len(ids) - 1) > 0)
        fate = rng.random(len(ids))
        seen[chosen & (fate < 0.5)] = oracle.mask_id
        noisy = chosen & (fate > 0.8)
        seen[noisy] = rng.choice(oracle.word_ids, noisy.sum())
        weights = np.zeros((len(ids), len(oracle.vocab)))
        for story, p in language.items():
            if len(story) != len(ids):
                continue
            shown = [
                0.8 if y == oracle.mask_id else 0.1 * (x == y) + 0.1 / n_words for x, y in zip(story, seen, strict=True)
            ]
            ends = {0, len(ids) - 1}
            seen_p = [
                1.0 * (x == y) if i in ends else (1 - rate) * (x == y) + rate * shown[i]
                for i, (x, y) in enumerate(zip(story, seen, strict=True))
            ]
            for i in np.flatnonzero(chosen):
                others = np.prod([q for j, q in enumerate(seen_p) if j != i])
                weights[i, story[i]] += p * others * shown[i]
        found = oracle.corrupted_log_probs(seen, chosen, rate=rate)
        expected = np.array([logs(row) for row in weights[chosen]]).reshape(found.shape)
        np.testing.assert_allclose(found, expected, atol=1e-9)


def corrupt(text, noise, oracle):
    """T5's inputs and targets of a text, by its definition."""
    inputs, targets, span = [], [], -1
    for at, (token, hidden) in enumerate(zip(text, noise, strict=True)):
        if hidden and (at == 0 or not noise[at - 1]):
            span += 1
            inputs.append(oracle.sentinel_ids[span])
            targets.append(oracle.sentinel_ids[span])
        (targets if hidden else inputs).append(token)
    if not noise[-1]:
        targets.append(oracle.sentinel_ids[span + 1])
    return (*inputs, oracle.eos_id), (*targets, oracle.eos_id)


@cache
def t5_masks(length, density, mean):
    """Every mask that T5's procedure can draw, all equally likely."""
    n = min(max(round(length * density), 1), length - 1)
    s = max(round(n / mean), 1)
    found = []
    for where in combinations(range(length), n):
        mask = [i in where for i in range(length)]
        n_starts = sum(hidden and (i == 0 or not mask[i - 1]) for i, hidden in enumerate(mask))
        if not mask[0] and mask[-1] and n_starts == s:
            found.append(mask)
    return found


@cache
def all_masks(length, n_spans):
    return [
        mask
        for mask in product([False, True], repeat=length)
        if sum(hidden and (i == 0 or not mask[i - 1]) for i, hidden in enumerate(mask)) == n_spans
    ]


def expected_rows(candidates, inputs, targets, n_vocab):
    """Bayes' rule over (inputs, targets, weight) triples."""
    alike = [(t, w) for i, t, w in candidates if i == inputs]
    rows = []
    for at in range(len(targets)):
        weights = np.zeros(n_vocab)
        for t, w in alike:
            if t[:at] == targets[:at]:
                weights[t[at]] += w
        rows.append(logs(weights))
    return np.array(rows)


@pytest.mark.parametrize(("n", "width"), [(0, 1), (1, 1), (1, 10), (3, 100_000), (500, 40), (500, 20_000)])
def test_distinct_states_are_those_that_sorting_finds(n, width):
    states = np.random.default_rng(n + width).integers(0, width, n) + 7
    for found, expected in zip(distinct(states), np.unique(states, return_inverse=True), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("whole", "density", "mean"), [(False, 0.4, 1.5), (True, 0.5, 3.0)])
def test_spans_match_enumeration_of_stories_and_masks(oracle, language, whole, density, mean):
    candidates = []
    for story, p in language.items():
        text = story if whole else story[1:-1]
        masks = t5_masks(len(text), density, mean)
        candidates += [(*corrupt(text, mask, oracle), p / len(masks)) for mask in masks]
    rng = np.random.default_rng(3)
    for i in rng.choice(len(candidates), 4):
        inputs, targets, _ = candidates[i]
        found = oracle.span_next_log_probs(inputs, targets, density=density, mean_span_len=mean)
        np.testing.assert_allclose(found, expected_rows(candidates, inputs, targets, len(oracle.vocab)), atol=1e-9)
        picked = oracle.span_log_probs(inputs, targets, density=density, mean_span_len=mean)
        np.testing.assert_allclose(picked, found[np.arange(len(targets)), targets])


@pytest.mark.parametrize("whole", [False, True])
def test_inputs_of_another_procedure_take_every_mask_as_equally_likely(whole):
    oracle = Oracle(Grammar(LOOPY))
    token_id = {word: i for i, word in enumerate(oracle.vocab)}
    texts: dict[tuple[int, ...], float] = {}
    for words, p in enumerate_stories(LOOPY):
        text = tuple(token_id[w] for w in (["[BOS]", *words.split(), "[EOS]"] if whole else words.split()))
        texts[text] = texts.get(text, 0.0) + p
    rng = np.random.default_rng(4)
    for text in [t for t in texts if len(t) > 4][:4]:
        mask = rng.random(len(text)) < 0.4
        mask[[0, 1, -1]] = False, True, False
        inputs, targets = corrupt(text, mask, oracle)
        n_spans = sum(token in oracle.sentinel_ids for token in inputs)
        candidates = [(*corrupt(t, m, oracle), p) for t, p in texts.items() for m in all_masks(len(t), n_spans)]
        found = oracle.span_next_log_probs(inputs, targets)
        np.testing.assert_allclose(found, expected_rows(candidates, inputs, targets, len(oracle.vocab)), atol=1e-9)


def test_mask_counting_agrees_with_enumeration():
    for length in range(4, 15):
        n = min(max(round(length * 0.4), 1), length - 1)
        s = max(round(n / 1.5), 1)
        assert len(t5_masks(length, 0.4, 1.5)) == comb(n - 1, s - 1) * comb(length - n - 1, s - 1)


@pytest.fixture(scope="module")
def reader() -> Oracle:
    return Oracle.load()


@pytest.fixture(scope="module")
def stories() -> Stories:
    return Stories.load()


def test_real_rows_are_probabilities_and_sum_to_the_story(reader, stories):
    for ids in stories.test[:20]:
        rows = reader.next_token_log_probs(ids)
        np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1.0, atol=1e-12)
        assert rows.dtype == np.float64
        assert rows[0, stories.bos_id] == 0.0
        assert reader.log_prob(ids) == pytest.approx(rows[np.arange(len(ids)), ids].sum(), abs=1e-9)


def test_many_stories_at_once_are_read_like_one_by_one(reader, stories):
    several = [*stories.test[:30], stories.test[0][:7], [stories.bos_id, stories.pad_id, stories.eos_id]]
    expected = [reader.log_prob(ids) for ids in several]
    np.testing.assert_allclose(reader.log_probs(several), expected, atol=1e-9)


def test_real_masked_posterior_is_bayes_rule_over_all_replacements(reader, stories):
    for ids, position in zip(stories.test[:4], (1, 7, 20, 33), strict=True):
        mask = np.arange(len(ids)) == position
        candidates = np.tile(ids, (len(stories.vocab), 1))
        candidates[:, position] = np.arange(len(stories.vocab))
        joint = np.array([reader.log_prob(candidate) for candidate in candidates])
        expected = joint - np.logaddexp.reduce(joint)
        np.testing.assert_allclose(reader.masked_log_probs(ids, mask)[0], expected, atol=1e-9)


def test_real_masked_corrupted_and_span_rows_sum_to_one(reader, stories):
    ids = np.array(stories.test[0])
    chosen = np.arange(len(ids)) % 9 == 4
    inputs = np.where(chosen, stories.mask_id, ids)
    text = ids[1:-1]
    noise = np.arange(len(text)) % 12 >= 10
    noise[-1] = True
    shown, targets = corrupt(text, noise, reader)
    for rows in (
        reader.masked_log_probs(ids, chosen),
        reader.corrupted_log_probs(inputs, chosen),
        reader.span_next_log_probs(shown, targets),
    ):
        np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1.0, atol=1e-9)


def test_a_hidden_end_in_the_last_span_is_read(reader, stories):
    ids = stories.test[1]
    noise = np.arange(len(ids)) >= len(ids) - 3
    inputs, targets = corrupt(ids, noise, reader)
    assert targets[-2:] == (reader.eos_id, reader.eos_id)
    assert np.isfinite(reader.span_log_probs(inputs, targets)).all()


def test_lists_arrays_and_tensors_give_the_same(reader, stories):
    ids = stories.test[2]
    mask = [i % 5 == 2 for i in range(len(ids))]
    expected = reader.masked_log_probs(ids, mask)
    np.testing.assert_array_equal(reader.masked_log_probs(np.array(ids), np.array(mask)), expected)
    np.testing.assert_array_equal(reader.masked_log_probs(torch.tensor(ids), torch.tensor(mask)), expected)


def test_behind_an_impossible_token_there_is_no_prediction(reader, stories):
    ids = list(stories.test[0])
    ids[5] = stories.pad_id
    rows = reader.next_token_log_probs(ids)
    assert np.isfinite(rows[:6].max(axis=1)).all()
    assert np.isnan(rows[6:]).all()
    assert reader.log_prob(ids) == -inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda o: o.log_prob([[1, 2]]), "one story at a time"),
        (lambda o: o.log_prob([1.0, 2.0]), "as integers"),
        (lambda o: o.log_prob([1, 10_000]), "run from 0 to"),
        (lambda o: o.masked_log_probs([1, 2], [True]), "one entry a token"),
        (lambda o: o.masked_log_probs([1, 2], [1, 0]), "must be boolean"),
        (lambda o: o.masked_log_probs([1, 0, 2], [False, False, True]), "No story of 3 tokens"),
        (lambda o: o.span_log_probs([5, 6], [2]), r"ends with \[EOS\]"),
        (lambda o: o.span_log_probs([5, 6, 2], [2]), "sentinels"),
        (lambda o: o.span_log_probs([0, o.sentinel_ids[0], 2], [2]), "No story of this grammar"),
    ],
)
def test_bad_calls_say_what_to_do(reader, call, message):
    with pytest.raises(ValueError, match=message):
        call(reader)
