"""Real text: the documentation needs nothing, public corpora say what they lack, and each split keeps to itself."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import pytest

from course import real_text
from course.real_text import (
    RealTextError,
    load_public,
    python_documentation,
    read_folder,
    split_documents,
    split_of,
)


def test_the_documentation_is_prose_that_no_two_splits_share():
    text = python_documentation()
    everything = text.train + text.valid + text.test
    assert len(set(everything)) == len(everything)
    assert len(text.train) > 8 * len(text.valid) > 0
    assert len(text.train) > 8 * len(text.test) > 0
    assert sum(map(len, text.train)) > 100_000
    assert all(document == " ".join(document.split()) and len(document) >= 40 for document in everything)
    assert not any(re.search(r"\*{4}|={4}|>>> ", document) for document in everything)


def test_the_documentation_is_split_the_same_way_every_time():
    assert python_documentation() == python_documentation()


def test_a_document_keeps_its_side_whatever_stands_around_it(monkeypatch):
    whole = python_documentation()
    some = dict(list(real_text.topics.items())[::3])
    monkeypatch.setattr(real_text, "topics", some)
    part = python_documentation()
    assert part.valid
    for split in real_text.SPLITS:
        assert set(getattr(part, split)) <= set(getattr(whole, split))


def test_the_rule_sends_about_a_twentieth_to_each_side():
    sides = [split_of(f"document {i}") for i in range(4000)]
    assert sides.count("valid") == pytest.approx(200, abs=75)  # 5.4 standard deviations
    assert sides.count("test") == pytest.approx(200, abs=75)


def test_a_folder_is_read_as_a_corpus(tmp_path):
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.txt").write_text(f"one {split}\n\n\ntwo\nlines\n", encoding="utf-8")
    text = read_folder(tmp_path, name="mine")
    assert (text.name, text.train, text.test) == ("mine", ["one train", "two\nlines"], ["one test", "two\nlines"])


def test_documents_end_where_the_file_says_so():
    assert split_documents("one\n\nstill one\n<|endoftext|>\ntwo\n<|endoftext|>\n") == ["one\n\nstill one", "two"]


def test_a_missing_or_unreadable_file_is_named(tmp_path):
    with pytest.raises(RealTextError, match=r"train\.txt is missing"):
        read_folder(tmp_path)
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RealTextError, match=r"train\.txt is not UTF-8"):
        read_folder(tmp_path)


class FakeHub:
    """What of the library `datasets` is used: one function, whose calls are noted."""

    def __init__(self, rows):
        self.rows, self.calls = rows, []

    def load_dataset(self, path, name=None, *, split, streaming):
        self.calls.append((path, name, split, streaming))
        return ({"text": row, "title": "not read"} for row in self.rows[split])


@pytest.fixture
def hub(monkeypatch):
    fake = FakeHub({})
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=fake.load_dataset))
    return fake


def test_tinystories_keep_their_validation_part_and_give_a_test_part(hub):
    hub.rows = {"train": [f"Story {i}. " for i in range(900)], "validation": ["Kept. ", " "]}
    text = load_public("tinystories", n_documents=600)
    assert text.valid == ["Kept."]
    assert len(text.train) + len(text.test) == 600
    assert {split_of(document) for document in text.test} == {"test"}
    assert "test" not in {split_of(document) for document in text.train}
    assert ("roneneldan/TinyStories", None, "train", True) in hub.calls


def test_wikitext_lines_are_joined_to_articles(hub):
    lines = [
        "",
        " = Bank = \n",
        " A bank lends . \n",
        "",
        " = = History = = \n",
        " Old . \n",
        " = Bat = \n",
        " It flies . \n",
    ]
    hub.rows = {"train": lines, "validation": lines[:3], "test": lines[6:]}
    text = load_public("wikitext-2")
    assert text.train == ["= Bank =\nA bank lends .\n= = History = =\nOld .", "= Bat =\nIt flies ."]
    assert (text.valid, text.test) == (["= Bank =\nA bank lends ."], ["= Bat =\nIt flies ."])
    assert [call[1] for call in hub.calls] == ["wikitext-2-raw-v1"] * 3


def test_the_korean_corpus_is_split_by_our_rule_alone(hub):
    hub.rows = {"train": [f"은행 {i}" for i in range(300)]}
    text = load_public("korean-wikipedia", n_documents=200)
    parts = {"train": text.train, "valid": text.valid, "test": text.test}
    assert sorted(sum(parts.values(), [])) == sorted(f"은행 {i}" for i in range(200))
    assert all(split_of(document) == split for split, documents in parts.items() for document in documents)


def test_an_unknown_corpus_is_refused_with_the_list_of_those_there_are():
    with pytest.raises(ValueError, match="tinystories, wikitext-2, korean-wikipedia"):
        load_public("treebank")


def test_without_the_library_the_error_says_what_to_install_and_what_needs_no_download(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)  # importing it raises ImportError
    with pytest.raises(RealTextError, match=r"pip install datasets.*python_documentation\(\)"):
        load_public("tinystories")


def test_without_a_network_the_error_names_the_corpus_and_the_way_out(monkeypatch):
    def unreachable(*_, **__):
        raise ConnectionError("no route to host")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=unreachable))
    with pytest.raises(RealTextError, match=r"WikiText-2 .* ConnectionError.*python_documentation\(\)"):
        load_public("wikitext-2")
