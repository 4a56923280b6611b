"""The corpus as files: what they hold, that they rebuild byte for byte, and what happens to damaged ones."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from course.corpus_build.build import draw_split, text_of
from course.corpus_build.floors import causal_losses, summarize
from course.grammar import Grammar
from course.oracle import Oracle
from course.stories import STORIES, CorpusError, Stories, pad, read_file, split_file


@pytest.fixture(scope="module")
def stories() -> Stories:
    return Stories.load()


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(STORIES, tmp_path / "stories")


def test_splits_have_their_sizes_and_limits(stories):
    assert [len(stories.train), len(stories.valid), len(stories.test)] == [20_000, 1_000, 1_000]
    assert len(stories.vocab) <= 300
    for story in stories.train + stories.valid + stories.test:
        assert 30 <= len(story) <= 64
        assert (story[0], story[-1]) == (stories.bos_id, stories.eos_id)


def test_ids_are_where_others_expect_them(stories):
    assert stories.vocab[:5] == ["[PAD]", "[BOS]", "[EOS]", "[UNK]", "[MASK]"]
    assert [stories.vocab[i] for i in stories.sentinel_ids[:2]] == ["<extra_id_0>", "<extra_id_1>"]
    assert stories.sentinel_ids == list(range(len(stories.vocab) - 1, len(stories.vocab) - 17, -1))
    assert len(stories.word_ids) + 5 + 16 == len(stories.vocab)


def test_all_files_stay_below_six_megabytes_and_the_rest_of_the_data_below_four():
    sizes = {p: p.stat().st_size for p in STORIES.parent.rglob("*") if p.is_file()}
    stories = sum(size for p, size in sizes.items() if STORIES in p.parents)
    assert 1_000_000 < stories < 6_000_000
    assert sum(sizes.values()) - stories < 4_000_000


def test_test_stories_are_not_training_stories(stories):
    trained = set(map(tuple, stories.train))
    assert sum(tuple(story) in trained for story in stories.test) == 0


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_stories_rebuild_byte_for_byte(split):
    drawn = draw_split(Grammar.load(STORIES / "grammar.json"), split, 1_000)
    assert read_file(STORIES, split_file(split, "txt")).startswith(text_of(drawn))


def test_text_survives_decoding_and_encoding(stories):
    for story in stories.test[:200]:
        assert stories.encode(stories.decode(story)) == story


def test_encoding_marks_unknown_words_and_keeps_special_ones(stories):
    ids = stories.encode("The zebra [MASK] <extra_id_0>.", special=False)
    words = [stories.vocab[i] for i in ids]
    assert words == ["the", "[UNK]", "[MASK]", "<extra_id_0>", "."]


def test_a_missing_file_says_what_to_do(copy):
    (copy / "valid.txt").unlink()
    with pytest.raises(CorpusError, match=r"valid\.txt.*missing.*make data"):
        Stories.load(copy)


def test_an_altered_file_says_what_to_do(copy):
    (copy / "test.txt").write_bytes((copy / "test.txt").read_bytes()[:-2])
    with pytest.raises(CorpusError, match=r"test\.txt.*hash.*make data"):
        Stories.load(copy)


@pytest.mark.parametrize("content", [None, "nonsense\n"])
def test_a_missing_or_broken_manifest_says_what_to_do(copy, content):
    (copy / "SHA256SUMS").unlink() if content is None else (copy / "SHA256SUMS").write_text(content)
    with pytest.raises(CorpusError, match=r"SHA256SUMS.*make data"):
        Stories.load(copy)


def test_padding_is_on_the_right_and_mask_true_on_tokens():
    ids, mask = pad([[7, 8, 9], [5], []], 0)
    assert ids.tolist() == [[7, 8, 9], [5, 0, 0], [0, 0, 0]]
    assert mask.tolist() == [[True] * 3, [True, False, False], [False] * 3]
    assert (ids.dtype, mask.dtype) == (torch.int64, torch.bool)


def test_floors_fall_with_context_towards_the_full_floor(stories):
    floors = stories.floors
    curve = [floors["context"][k]["loss"] for k in ("1", "2", "3", "4", "6", "8", "12", "16")]
    assert curve == sorted(curve, reverse=True)
    assert floors["unigram"]["loss"] > curve[0]
    assert curve[-1] > 1.05 * floors["causal"]["loss"]


def test_every_floor_says_how_sure_it_is(stories):
    floors = stories.floors
    for floor in [floors[name] for name in floors if name != "context"] + list(floors["context"].values()):
        assert set(floor) == {"loss", "standard_error", "n_stories", "n_tokens", "split"}
        assert 0 <= floor["standard_error"] <= floor["loss"]


def test_the_causal_floor_is_measured_again(stories):
    oracle = Oracle.load()
    found = summarize(causal_losses(oracle, ids) for ids in stories.test[:150])
    floor = stories.floors["causal"]
    assert abs(found["loss"] - floor["loss"]) < 4 * found["standard_error"]


def test_the_datasheet_states_the_numbers_that_were_measured():
    text = (STORIES.parent / "README.md").read_text(encoding="utf-8")
    facts = json.loads((STORIES / "facts.json").read_text(encoding="utf-8"))
    floors = json.loads((STORIES / "floors.json").read_text(encoding="utf-8"))
    for name in ("causal", "masked", "masked_only", "span", "span_words", "span_sentinels", "unigram"):
        assert f"| {floors[name]['loss']:.3f} | {floors[name]['standard_error']:.3f} |" in text, name
    homonym, structure = facts["homonym"], facts["structure"]
    for number in (
        f"{homonym['right']} of {homonym['stories']}",
        f"{homonym['left']} of {homonym['stories']}",
        f"{homonym['never']} of {homonym['stories']}",
        f"{structure['told_later']} of {structure['stories']}",
        f"{facts['far_name']['nats']:.2f} nats",
        f"{facts['ending']['nats']:.2f} nats",
        f"{facts['n_words_in_vocabulary']} words",
    ):
        assert number in text, number
