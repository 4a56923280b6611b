"""The grammar's notation, its errors, and the chain made from it."""

from __future__ import annotations

import numpy as np
import pytest

from course.corpus_build.sample import Sampler
from course.grammar import Grammar, GrammarError, parse_guard, parse_weighted
from course.oracle.chain import compile_chain
from course.stories import STORIES


def tiny(**changes) -> dict:
    data = {
        "variables": {"who": "Mia | Ben"},
        "slots": {"who": {"by": "who", "Mia": "Mia", "Ben": "Ben"}},
        "sentences": {"s": [{"en": "{who} ran ."}]},
        "templates": {"t": {"story": "s"}},
    }
    return {**data, **changes}


@pytest.fixture(scope="module")
def stories_grammar() -> Grammar:
    return Grammar.load(STORIES / "grammar.json")


def test_weights_become_probabilities():
    assert parse_weighted("cat | 2: old dog | 1.5: ox") == (
        ("cat", 1 / 4.5),
        ("old dog", 2 / 4.5),
        ("ox", 1.5 / 4.5),
    )


def test_a_guard_names_variables_and_their_values():
    assert parse_guard("who=Mia/Ben fate=good") == {"who": {"Mia", "Ben"}, "fate": {"good"}}


def test_vocabulary_has_specials_first_and_the_first_sentinel_last():
    vocab = Grammar(tiny()).vocab
    assert vocab[:5] == ["[PAD]", "[BOS]", "[EOS]", "[UNK]", "[MASK]"]
    assert vocab[5:9] == [".", "Ben", "Mia", "ran"]
    assert vocab[-1] == "<extra_id_0>"
    assert vocab[-16] == "<extra_id_15>"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"templates": {"t": {"story": "walk"}}}, "walk"),
        ({"sentences": {"s": [{"en": "{dog} ran"}]}}, "dog"),
        ({"sentences": {"s": [{"english": "a"}]}}, "english"),
        ({"sentences": {"s": [{"if": "who=Mia", "en": "a"}]}}, "who=Ben"),
        ({"slots": {"who": {"by": "who", "Mia": "Mia"}}}, "Ben"),
    ],
)
def test_a_wrong_grammar_is_refused_by_name(changes, message):
    with pytest.raises(GrammarError, match=message):
        compile_chain(Grammar(tiny(**changes)))


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "grammar.json").write_text("{", encoding="utf-8")
    with pytest.raises(GrammarError, match="grammar.json is not a grammar"):
        Grammar.load(tmp_path / "grammar.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(GrammarError, match="cannot be read; restore it"):
        Grammar.load(tmp_path / "grammar.json")


def test_a_fixed_variable_takes_no_other_value():
    sampler = Sampler(Grammar(tiny()).fix(who="Ben"), 0)
    assert {sampler.draw().words[1] for _ in range(20)} == {"Ben"}
    with pytest.raises(GrammarError, match="never 'Dan'"):
        Grammar(tiny()).fix(who="Dan")


def test_every_story_passes_through_one_end_and_edges_lead_forward(stories_grammar):
    chain = compile_chain(stories_grammar)
    source = np.repeat(np.arange(chain.n_states), np.diff(chain.first))
    assert chain.visits[chain.last].sum() == pytest.approx(1.0)
    assert (chain.target > source).all()
    leaving = np.bincount(source, weights=chain.probability, minlength=chain.n_states)
    np.testing.assert_allclose(leaving, np.where(chain.last, 0.0, 1.0), atol=1e-12)
    np.testing.assert_allclose(chain.emission.sum(axis=1), 1.0)


def test_the_stories_keep_to_their_limits(stories_grammar):
    assert len(stories_grammar.vocab) <= 300
    assert compile_chain(stories_grammar).longest <= 64


def test_expected_visits_match_the_sampler(stories_grammar):
    chain = compile_chain(stories_grammar)
    sampler = Sampler(stories_grammar, 5)
    mean = np.mean([len(sampler.draw().words) for _ in range(500)])
    assert mean == pytest.approx(chain.visits.sum(), abs=1.0)
