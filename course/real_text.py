"""Text that people wrote: Python's own documentation, which needs no download, and public corpora from a hub.

Every corpus comes as a `RealText`: three lists of documents. What is published as one heap is split by a fixed rule on
each document's own text, so that a document stays on its side when others come or go.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

SPLITS = ("train", "valid", "test")
OUT_OF_TWENTY = {0: "valid", 1: "test"}  # the remaining eighteen twentieths are for training
SHORTEST, PROSE_SHARE = 40, 0.8
END_OF_TEXT = "<|endoftext|>"
WITHOUT_NETWORK = "Without a network use course.real_text.python_documentation(): it needs no download."


class RealTextError(Exception):
    """A corpus cannot be had; the message says what is missing, and what to do."""


@dataclass(frozen=True)
class RealText:
    """A corpus: documents to train on, to choose by, and to report.

    Attributes:
        name: what it is, for titles and tables.
        train, valid, test: documents, each one string without white space at its ends.
    """

    name: str
    train: list[str]
    valid: list[str]
    test: list[str]


def python_documentation() -> RealText:
    """Return the prose of the language reference that Python ships as `pydoc_data.topics`: what `help()` shows.

    A document is a paragraph of at least 40 characters, at least four in five of them letters or spaces, so that
    listings, tables and underlined headings stay out. Its white space is one space each, and none comes twice.

    The text belongs to Python's version: never count on a number of paragraphs or words.
    """
    paragraphs = (" ".join(block.split()) for topic in topics.values() for block in re.split(r"\n\s*\n", topic))
    return _split("Python's documentation", dict.fromkeys(filter(_is_prose, paragraphs)))


def _is_prose(paragraph: str) -> bool:
    n_plain = sum(character.isalpha() or character == " " for character in paragraph)
    return len(paragraph) >= SHORTEST and n_plain >= PROSE_SHARE * len(paragraph) and ">>> " not in paragraph


def split_of(document: str) -> str:
    """Return "train", "valid" or "test": decided by the document's own text alone, 18, 1 and 1 of 20 on average."""
    digest = hashlib.sha256(document.encode("utf-8")).digest()
    return OUT_OF_TWENTY.get(int.from_bytes(digest[:8], "big") % 20, "train")


def _split(name: str, documents: Iterable[str]) -> RealText:
    parts: dict[str, list[str]] = {split: [] for split in SPLITS}
    for document in documents:
        parts[split_of(document)].append(document)
    return RealText(name, **parts)


def read_folder(folder: Path | str, *, name: str | None = None) -> RealText:
    """Return a corpus of your own: train.txt, valid.txt and test.txt in a folder, UTF-8.

    Documents are separated by a line "<|endoftext|>", or, in a file without one, by empty lines.

    Raises:
        RealTextError: a file is missing or is not UTF-8.
    """
    folder = Path(folder)
    parts = {}
    for split in SPLITS:
        path = folder / f"{split}.txt"
        try:
            parts[split] = split_documents(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RealTextError(f"{path} is missing: a corpus folder holds train.txt, valid.txt, test.txt.") from error
        except UnicodeDecodeError as error:
            raise RealTextError(f"{path} is not UTF-8: save it again with that encoding.") from error
    return RealText(name or folder.name, **parts)


def split_documents(text: str) -> list[str]:
    """Return the documents of a file's text, without empty ones; see `read_folder` for what separates them."""
    parts = text.split(END_OF_TEXT) if END_OF_TEXT in text else re.split(r"\n\s*\n", text)
    return [part.strip() for part in parts if part.strip()]


@dataclass(frozen=True)
class _Published:
    """Where a corpus lies on the Hugging Face hub, and how to read it.

    Attributes:
        title: name and authors.
        repository, config: as `datasets.load_dataset` takes them.
        splits: ours to theirs; what is missing is split off from their "train".
        documents: from their rows' texts to documents.
    """

    title: str
    repository: str
    config: str | None
    splits: dict[str, str]
    documents: Callable[[Iterable[str]], Iterator[str]]


def _one_a_row(rows: Iterable[str]) -> Iterator[str]:
    return (row.strip() for row in rows if row.strip())


def _articles(rows: Iterable[str]) -> Iterator[str]:
    """Yield WikiText's articles: its rows are lines, and a line "= Title =" begins the next article."""
    article: list[str] = []
    for line in map(str.strip, rows):
        if re.fullmatch(r"= [^=].*[^=] =|= [^=] =", line) and article:
            yield "\n".join(article)
            article = []
        if line:
            article.append(line)
    if article:
        yield "\n".join(article)


PUBLIC = {
    "tinystories": _Published(
        "TinyStories (Eldan and Li 2023)",
        "roneneldan/TinyStories",
        None,
        {"train": "train", "valid": "validation"},
        _one_a_row,
    ),
    "wikitext-2": _Published(
        "WikiText-2 (Merity et al. 2017)",
        "Salesforce/wikitext",
        "wikitext-2-raw-v1",
        {"train": "train", "valid": "validation", "test": "test"},
        _articles,
    ),
    "korean-wikipedia": _Published(
        "Korean Wikipedia of November 2023", "wikimedia/wikipedia", "20231101.ko", {"train": "train"}, _one_a_row
    ),
}


def load_public(name: str, *, n_documents: int = 20_000) -> RealText:
    """Return the first documents of a public corpus; the hub's library downloads them, and needs a network.

    Args:
        name: "tinystories", "wikitext-2" or "korean-wikipedia".
        n_documents: at most so many from each of their splits; they are read one by one, not downloaded whole.

    Returns:
        Their own splits where there are such. A part that was not published is taken out of "train" by `split_of`.

    Raises:
        ValueError: there is no such corpus.
        RealTextError: the library `datasets` is not installed, or the hub cannot be reached.
    """
    if name not in PUBLIC:
        raise ValueError(f"There is no corpus {name!r}; there are {', '.join(PUBLIC)}.")
    published = PUBLIC[name]
    theirs = {split: list(_download(published, part, n_documents)) for split, part in published.splits.items()}
    if len(theirs) == len(SPLITS):
        return RealText(published.title, **theirs)
    drawn = _split(published.title, theirs["train"])
    if "valid" in theirs:  # theirs is kept for choosing, and ours has only to give a test part
        return RealText(published.title, drawn.train + drawn.valid, theirs["valid"], drawn.test)
    return drawn


def _download(published: _Published, part: str, n_documents: int) -> Iterator[str]:
    datasets = _library(published.title)
    try:
        rows = datasets.load_dataset(published.repository, published.config, split=part, streaming=True)
        yield from islice(published.documents(row["text"] for row in rows), n_documents)
    except Exception as error:  # requests, fsspec and the hub each raise their own
        raise RealTextError(
            f"{published.title} could not be read from the hub ({published.repository}, {part}): "
            f"{type(error).__name__}. It takes a network. {WITHOUT_NETWORK}"
        ) from error


def _library(title: str) -> Any:
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise RealTextError(
            f"{title} is read with the library `datasets`, which is not installed: `pip install datasets`. "
            f"{WITHOUT_NETWORK}"
        ) from error
