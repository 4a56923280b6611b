"""Byte-pair encoding: the fast trainer against a slow one and against the tokenizers library; a tokenizer that loses
nothing."""

from __future__ import annotations

import json
import random
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Library
from tokenizers import models, trainers

from autograde.catalogue import references
from autograde.layout import Layout
from course.bpe import BytePairTokenizer, as_bytes, count_words, encode_word, from_bytes, split_words, train_bpe
from course.figures.style import to_png
from course.figures.week3_tokens import cost_by_language, growth_of_vocabulary, seconds_by_merges, text_by_merges
from course.real_text import python_documentation

WORDS = st.dictionaries(st.text("abc", min_size=1, max_size=8), st.integers(1, 9), max_size=8)


def counted_anew(word_counts, n_merges):
    """Every pair counted again for each merge, with a private sign between symbols: slow and plain.

    Returns the merges, and whether two pairs ever shared the highest count.
    """
    words = {tuple(word): count for word, count in word_counts.items()}
    merges, tied = [], False
    for _ in range(n_merges):
        pairs = Counter()
        for symbols, count in words.items():
            for i in range(len(symbols) - 1):
                pairs[symbols[i : i + 2]] += count
        if not pairs:
            break
        top = sorted(pair for pair, count in pairs.items() if count == max(pairs.values()))
        tied |= len(top) > 1
        merges.append(top[-1])
        words = {rejoined(symbols, top[-1]): count for symbols, count in words.items()}
    return merges, tied


def rejoined(symbols, pair):
    """Join the pair from the left: cut off what stands before its first place, then go on behind it."""
    for i in range(len(symbols) - 1):
        if symbols[i : i + 2] == pair:
            return (*symbols[:i], "".join(pair), *rejoined(symbols[i + 2 :], pair))
    return symbols


def library_merges(word_counts, n_merges):
    """The merges that the tokenizers library learns; a word is repeated as often as it counts."""
    trainer = trainers.BpeTrainer(vocab_size=10**6, min_frequency=1, show_progress=False)
    library = Library(models.BPE())
    library.train_from_iterator((word for word, count in word_counts.items() for _ in range(count)), trainer)
    merges = json.loads(library.to_str())["model"]["merges"]
    return [tuple(pair) for pair in merges][:n_merges]


@settings(max_examples=300, deadline=None)
@given(WORDS, st.integers(0, 12))
def test_the_fast_trainer_learns_what_counting_anew_learns(word_counts, n_merges):
    before = dict(word_counts)
    assert train_bpe(word_counts, n_merges) == counted_anew(word_counts, n_merges)[0]
    assert word_counts == before


@pytest.mark.parametrize("seed", range(6))
def test_without_ties_the_library_learns_the_same_merges(seed):
    rng = random.Random(seed)
    word_counts = {"".join(rng.sample("abcdef", rng.randint(3, 6))): rng.randint(1, 400) for _ in range(80)}
    # The library prefers the pair of the lowest ids where we take the greatest: so only as far as no two are level.
    n_merges = max(n for n in range(60) if not counted_anew(word_counts, n)[1])
    assert n_merges >= 10
    assert train_bpe(word_counts, n_merges) == library_merges(word_counts, n_merges)


def test_on_real_text_the_library_cuts_words_as_we_do_with_the_same_merges():
    text = python_documentation()
    word_counts = count_words(text.train)
    merges = train_bpe(word_counts, 400)
    assert merges[:30] == counted_anew(word_counts, 30)[0]
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    symbols = {symbol for word in word_counts for symbol in word} | {left + right for left, right in merges}
    model = models.BPE({symbol: i for i, symbol in enumerate(sorted(symbols))}, merges)
    for word in list(count_words(text.valid))[:400]:
        if set(word) <= symbols:
            assert encode_word(word, ranks) == [token.value for token in model.tokenize(word)], word


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_words_joined_again_are_the_text(text):
    assert "".join(split_words(text)) == text


def test_a_word_carries_the_space_before_it():
    assert split_words("Mia  saw\nit: yes!") == ["Mia", " ", " saw", "\n", "it", ":", " yes", "!"]


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_bytes_and_back(text):
    symbols = as_bytes(text)
    assert len(symbols) == len(text.encode("utf-8"))
    assert all(ord(symbol) < 256 for symbol in symbols)
    assert from_bytes(symbols) == text


def test_half_a_character_becomes_the_replacement_sign():
    assert from_bytes(as_bytes("은")[:2]) == "\ufffd"


@pytest.fixture(scope="module")
def tokenizer():
    return BytePairTokenizer.train(python_documentation().train, n_merges=300, special_tokens=["[EOS]", "[PAD]"])


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_text_comes_back_from_its_ids(tokenizer, text):
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert all(0 <= i < len(tokenizer.vocab) for i in ids)


def test_a_special_token_is_one_id_behind_all_others(tokenizer):
    assert tokenizer.encode("a[EOS]")[-1] == tokenizer.token_id("[EOS]") == len(tokenizer.vocab) - 2
    assert tokenizer.decode(torch.tensor([tokenizer.token_id("[PAD]")])) == "[PAD]"
    with pytest.raises(KeyError):
        tokenizer.token_id("the")


def test_a_special_token_is_told_apart_from_a_learned_one_that_is_spelled_the_same():
    tokenizer = BytePairTokenizer([("a", "b")], ["ab"])
    assert tokenizer.encode("ab") == [257]
    assert BytePairTokenizer([("a", "b")]).encode("ab") == [256]
    assert BytePairTokenizer([], ["a", "ab"]).encode("aba") == [257, 256]


def test_a_saved_tokenizer_encodes_as_before(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = BytePairTokenizer.load(tmp_path / "tokenizer.json")
    assert loaded == tokenizer
    assert loaded.encode("The bank 은행[EOS]") == tokenizer.encode("The bank 은행[EOS]")


def test_text_gets_shorter_than_its_bytes(tokenizer):
    text = " ".join(python_documentation().valid)
    assert len(tokenizer.encode(text)) < 0.6 * len(text.encode("utf-8"))


LESSON = ("week3_masked_lm", "1_tokens")


@pytest.fixture(scope="module")
def lesson():
    """The lesson's own answers, by name."""
    layout = Layout.find()
    names = {"Counter": Counter}
    for _, source in references(layout, *LESSON):
        exec(source, names)
    return SimpleNamespace(**names)


@settings(max_examples=100, deadline=None)
@given(WORDS, st.integers(0, 12))
def test_the_lesson_and_the_course_learn_and_cut_alike(lesson, word_counts, n_merges):
    merges = lesson.train_bpe(word_counts, n_merges)
    assert merges == train_bpe(word_counts, n_merges)
    ranks = {pair: rank for rank, pair in reversed(list(enumerate(merges)))}
    for word in [*word_counts, "abcabc", "cabbage"]:
        assert lesson.bpe_encode(word, merges) == encode_word(word, ranks)


def test_the_lesson_cuts_wordpieces_as_the_library_does(lesson):
    rng = random.Random(7)
    starts = {"".join(rng.choices("abc", k=rng.randint(1, 4))) for _ in range(25)} | {"a"}
    inside = {"##" + "".join(rng.choices("abc", k=rng.randint(1, 3))) for _ in range(12)}
    vocab = ["[UNK]", *sorted(starts | inside)]
    model = models.WordPiece({token: i for i, token in enumerate(vocab)}, unk_token="[UNK]")
    words = ["".join(rng.choices("abcd", [9, 9, 9, 1], k=rng.randint(1, 9))) for _ in range(400)]
    cuts = [lesson.wordpiece_encode(word, set(vocab)) for word in words]
    assert cuts == [[token.value for token in model.tokenize(word)] for word in words]
    assert 40 < sum(cut == ["[UNK]"] for cut in cuts) < 360


def test_the_growth_of_the_vocabulary_is_told_by_its_last_thousand_words():
    figure, axes = growth_of_vocabulary([(1000, 300, 50), (2000, 420, 60)])
    assert axes.get_title(loc="left") == "The last thousand words still brought 120 new ones"
    assert list(axes.lines[0].get_ydata()) == [300, 420]
    assert to_png(figure) == to_png(figure)


def test_what_was_not_measured_is_dotted_and_in_proportion():
    _, axes = seconds_by_merges({"slow": ([5, 10], [0.5, 1.0]), "quick": ([5, 1000], [0.1, 2.0])})
    assert axes.get_title(loc="left") == "For 1,000 merges, one way takes 50 times as long as the other"
    dotted = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert [list(line.get_ydata()) for line in dotted] == [[1.0, 100.0]]


def test_tokens_stand_beside_words_and_bytes():
    figure, (left, right) = text_by_merges([0, 10], {"own": ([90, 30], [1, 3], 20), "other": ([40, 20], [1, 2], 9)})
    assert figure.get_suptitle() == "10 merges shorten their own kind of text 3.0 times, another 2.0 times"
    assert [line.get_ydata()[0] for line in left.lines if line.get_linestyle() == ":"] == [20, 9]
    assert any(list(line.get_ydata()) == [1, 1] for line in right.lines)


def test_each_language_has_a_bar_for_each_cut():
    figure, axes = cost_by_language({"one": {"English": 10, "Korean": 5}, "two": {"English": 10, "Korean": 30}})
    assert figure.get_suptitle() == "A sentence costs 0.5 to 3.0 times as much in Korean as in English"
    assert [bar.get_width() for bar in axes.patches] == [10, 10, 5, 30]
