"""Labelled stories as tensors, and the exact posterior of what a story hides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from course.grammar import Grammar
from course.ideal_classifier import IdealClassifier, ideal_sense, ideal_sentiment, spread_senses
from course.labels import (
    IGNORED,
    SENSE_NAMES,
    SENSES,
    TAGS,
    read_entities,
    read_senses,
    read_sentiment,
    tags_of,
)
from course.stories import CorpusError, Stories


@pytest.fixture(scope="module")
def stories():
    return Stories.load()


def whole_words(word_ids, tags):
    return [IGNORED if i is None else tags[i] for i in word_ids]


def test_sentiment_has_one_label_a_story(stories):
    data = read_sentiment(stories, "valid", 200)
    written = [row["label"] for row in stories.labels("sentiment", "valid")[:200]]
    assert [data.names[label] for label in data.labels.tolist()] == written
    assert data.mask.sum(1).tolist() == [len(story) for story in stories.valid[:200]]
    assert data.ids[3][data.mask[3]].tolist() == stories.valid[3]


def test_a_sense_stands_at_its_homonym_and_nowhere_else(stories):
    data = read_senses(stories, "valid")
    rows, at = (data.labels != IGNORED).nonzero(as_tuple=True)
    assert rows.tolist() == list(range(len(data)))
    words = [stories.vocab[i] for i in data.ids[rows, at].tolist()]
    senses = [SENSE_NAMES[label] for label in data.labels[rows, at].tolist()]
    assert set(words) == set(SENSES)
    assert all(sense in SENSES[word] for word, sense in zip(words, senses, strict=True))
    assert [row["sense"] for row in stories.labels("sense", "valid")] == senses
    assert data.story.tolist() == [row["story"] for row in stories.labels("sense", "valid")]


def test_tags_stand_at_words_and_come_back_as_they_were_written(stories):
    data = read_entities(stories, "valid", whole_words, 50)
    ends = (data.ids == stories.bos_id) | (data.ids == stories.eos_id) | ~data.mask
    assert torch.equal(data.labels == IGNORED, ends)
    assert tags_of(data.labels, TAGS, data.labels != IGNORED) == [
        row["tags"] for row in stories.labels("ner", "valid")[:50]
    ]


def test_some_of_the_stories_keep_their_labels(stories):
    data = read_sentiment(stories, "valid", 20)
    some = data.take(torch.tensor([7, 2]))
    assert len(some) == 2
    assert torch.equal(some.labels, data.labels[[7, 2]])
    assert torch.equal(some.ids[1], data.ids[2])


@pytest.mark.parametrize("n_stories", [0, 10**6])
def test_a_wrong_number_of_stories_is_refused_with_the_number_there_is(stories, n_stories):
    with pytest.raises(ValueError, match=f"{n_stories} stories are wanted, but there are labels for 1000"):
        read_sentiment(stories, "valid", n_stories)


def test_an_align_that_loses_tokens_is_named(stories):
    with pytest.raises(ValueError, match="align gives one label a token"):
        read_entities(stories, "valid", lambda word_ids, tags: tags, 5)


def test_labels_that_do_not_fit_the_stories_are_refused(stories):
    shuffled = replace(stories, valid=stories.valid[::-1])
    with pytest.raises(CorpusError, match="Story .* of valid has no"):
        read_senses(shuffled, "valid")
    with pytest.raises(CorpusError, match="more stories than the 10 there"):
        read_senses(replace(stories, valid=stories.valid[:10]), "valid")


# A grammar of which everything can be computed by hand: "sun" on 3 of 4 good days, on 1 of 4 bad ones.
WEATHER = {
    "variables": {"fate": "3: good | bad"},
    "slots": {},
    "sentences": {
        "sky": [
            {"p": 3, "if": "fate=good", "en": "sun"},
            {"p": 1, "if": "fate=good", "en": "rain"},
            {"p": 1, "if": "fate=bad", "en": "sun"},
            {"p": 3, "if": "fate=bad", "en": "rain"},
        ],
        "end": [{"en": "."}],
    },
    "templates": {"days": {"story": "sky sky end"}},
}


@pytest.fixture(scope="module")
def weather():
    return IdealClassifier(Grammar(WEATHER), ({"fate": "bad"}, {"fate": "good"}))


@pytest.mark.parametrize(
    ("story", "hidden", "good"),
    [
        ("sun rain .", [], 3 / 4),
        ("sun sun .", [], 27 / 28),
        ("rain rain .", [], 1 / 4),
        ("rain sun .", [1], 9 / 10),
        ("rain rain .", [1, 2], 3 / 4),
    ],
)
def test_the_posterior_is_bayes_rule_by_hand(weather, story, hidden, good):
    vocab = weather.readers[0].vocab
    ids = [vocab.index(token) for token in f"[BOS] {story} [EOS]".split()]
    mask = np.isin(np.arange(len(ids)), hidden)
    assert weather.posterior(ids, mask).tolist() == pytest.approx([1 - good, good])
    assert weather.posterior(torch.tensor(ids), torch.from_numpy(mask)).sum() == pytest.approx(1.0)


def test_hidden_words_are_not_looked_at_and_impossible_stories_are_refused(weather):
    vocab = weather.readers[0].vocab
    seen, other = ([vocab.index(t) for t in f"[BOS] {w} sun . [EOS]".split()] for w in ("rain", "sun"))
    mask = np.array([False, True, False, False, False])
    assert torch.equal(weather.posterior(seen, mask), weather.posterior(other, mask))
    with pytest.raises(ValueError, match="No story of this grammar"):
        weather.posterior(seen[:2] + seen[3:])


def test_a_whole_story_settles_how_it_ends(stories):
    ideal, data = ideal_sentiment(), read_sentiment(stories, "test", 100)
    posterior = torch.stack([ideal.posterior(story) for story in stories.test[:100]])
    assert torch.equal(posterior.argmax(1), data.labels)
    assert posterior.max(1).values.min() > 0.999


def test_a_sense_is_known_just_where_the_labels_say_that_something_settles_it(stories):
    ideal = ideal_sense()
    for row in stories.labels("sense", "test")[:120]:
        posterior = spread_senses(ideal.posterior(stories.test[row["story"]]), row["word"])
        assert posterior.sum() == pytest.approx(1.0)
        right = posterior[SENSE_NAMES.index(row["sense"])].item()
        assert right == pytest.approx(0.5) if row["settled"] == "never" else right > 0.98


def test_the_posterior_is_calibrated_where_doubt_remains(stories):
    """Of stories with nine words in ten hidden, as many are positive as the posteriors add up to (5 sigma)."""
    ideal, data = ideal_sentiment(), read_sentiment(stories, "test", 150)
    generator = torch.Generator().manual_seed(3)
    posterior = []
    for ids, mask in zip(data.ids, data.mask, strict=True):
        story = ids[mask]
        hidden = (torch.rand(len(story), generator=generator) < 0.9) & (story > 4)
        posterior.append(ideal.posterior(story, hidden)[1].item())
    p = np.array(posterior)
    assert (p * (1 - p)).mean() > 0.05
    assert abs(data.labels.sum().item() - p.sum()) < 5 * np.sqrt((p * (1 - p)).sum())
