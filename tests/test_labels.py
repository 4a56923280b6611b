"""Labels agree with the texts that they belong to, and the Korean has the right particles."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from course.corpus_build.build import draw_split
from course.corpus_build.korean import final_consonant, with_particle
from course.grammar import GrammarError
from course.oracle import Oracle
from course.stories import Stories

TASKS = ("sentiment", "sense", "ner", "qa", "summary", "translation")


@pytest.fixture(scope="module")
def stories() -> Stories:
    return Stories.load()


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle.load()


@pytest.mark.parametrize(
    ("word", "particle", "expected"),
    [
        ("벤", "은", "벤은"),
        ("미아", "은", "미아는"),
        ("톰", "이", "톰이"),
        ("안나", "이", "안나가"),
        ("연", "을", "연을"),
        ("지도", "을", "지도를"),
        ("삼촌", "과", "삼촌과"),
        ("이모", "과", "이모와"),
        ("쇠", "으로", "쇠로"),
        ("돌", "으로", "돌로"),
        ("둑", "으로", "둑으로"),
        ("연", "이었", "연이었"),
        ("지도", "이었", "지도였"),
    ],
)
def test_particles_follow_the_final_consonant(word, particle, expected):
    assert with_particle(word, particle) == expected


def test_particles_need_hangul_and_a_known_particle():
    with pytest.raises(GrammarError, match="Hangul"):
        final_consonant("bank")
    with pytest.raises(GrammarError, match="particle"):
        with_particle("벤", "의")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_every_task_has_labels_in_every_split(stories, task, split):
    labels = stories.labels(task, split)
    n_stories = len(getattr(stories, split))
    assert len(labels) >= 500
    assert all(0 <= label["story"] < n_stories for label in labels)


def test_unknown_tasks_and_splits_are_refused(stories):
    with pytest.raises(ValueError, match="parsing"):
        stories.labels("parsing", "test")
    with pytest.raises(ValueError, match="dev"):
        stories.labels("ner", "dev")


def test_entities_have_the_story_s_words_and_well_formed_tags(stories):
    for label, story in zip(stories.labels("ner", "test"), stories.test, strict=True):
        assert label["words"] == [stories.vocab[i] for i in story[1:-1]]
        assert len(label["tags"]) == len(label["words"])
        assert set(label["tags"]) <= {"O", "B-PER", "B-LOC", "B-TOOL"}
        assert "B-PER" in label["tags"]


def test_answers_stand_where_they_are_said_to_stand(stories):
    for label in stories.labels("qa", "test"):
        assert stories.vocab[stories.test[label["story"]][label["position"]]] == label["answer"]


def test_questions_and_summaries_use_known_words_only(stories):
    texts = [q["question"] for q in stories.labels("qa", "test")]
    texts += [s["summary"] for s in stories.labels("summary", "test")]
    for text in texts:
        assert stories.unk_id not in stories.encode(text), text


def test_homonyms_stand_where_they_are_said_to_stand(stories):
    senses = {"bank", "bat", "seal", "crane", "pitch", "spring"}
    for label in stories.labels("sense", "test"):
        assert label["word"] in senses
        assert stories.vocab[stories.test[label["story"]][label["position"]]] == label["word"]


def test_translations_carry_the_story_and_pick_the_homonym_by_sense(stories):
    korean_of = {
        "bank": {"river": "둑", "money": "은행"},
        "bat": {"animal": "박쥐", "tool": "방망이"},
        "seal": {"animal": "물개", "tool": "도장"},
        "crane": {"animal": "두루미", "tool": "기중기"},
        "pitch": {"field": "경기장", "voice": "음정"},
        "spring": {"season": "봄", "water": "샘"},
    }
    translations = stories.labels("translation", "test")
    for label, story in zip(translations, stories.test, strict=True):
        assert label["english"] == stories.decode(story)
        assert "{" not in label["korean"]
        assert label["korean"].count(".") >= label["english"].count(".")
    for label in stories.labels("sense", "test"):
        forms = korean_of[label["word"]]
        korean = translations[label["story"]]["korean"]
        other = next(form for sense, form in forms.items() if sense != label["sense"])
        assert forms[label["sense"]] in korean
        assert f" {other}" not in korean or len(other) == 1


def test_where_a_sense_is_settled_agrees_with_the_oracle(stories, oracle):
    """Bayes' rule over the two senses: settled means that one of them has become impossible or all but so."""
    rows = [label for label in stories.labels("sense", "test") if label["word"] == "bank"][:20]
    readers = {sense: Oracle(oracle.grammar.fix(bank_sense=sense)) for sense in ("river", "money")}
    for label in rows:
        ids = stories.test[label["story"]]
        left, whole = (
            [readers[sense].log_prob(part) for sense in readers] for part in (ids[: label["position"] + 1], ids)
        )
        settled_left = not np.isclose(left[0], left[1])
        settled_at_all = not np.isclose(whole[0], whole[1])
        assert settled_left == (label["settled"] == "left")
        assert settled_at_all == (label["settled"] != "never")
        if settled_at_all:
            best = list(readers)[int(np.argmax(whole))]
            assert best == label["sense"]
            assert abs(whole[0] - whole[1]) > log(99)


def test_sentiment_is_the_fate_that_the_story_was_drawn_with(stories, oracle):
    for label, story in zip(stories.labels("sentiment", "test"), draw_split(oracle.grammar, "test"), strict=True):
        assert label["label"] == {"good": "positive", "bad": "negative"}[story.facts["fate"]]
