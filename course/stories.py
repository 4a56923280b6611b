"""The story corpus: its texts, vocabulary, labels and floors, read from `data/stories/` and checked on the way."""

from __future__ import annotations

import bz2
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import LongTensor, Tensor

STORIES = Path(__file__).resolve().parent.parent / "data" / "stories"
SPLITS = ("train", "valid", "test")
N_SPECIALS, N_SENTINELS = 5, 16
TOKEN = re.compile(r"\[[A-Z]+\]|<extra_id_\d+>|\w+|[^\w\s]")
MANIFEST = "SHA256SUMS"


class CorpusError(Exception):
    """A file of the corpus is missing or altered; the message says which, and what to do."""


@dataclass(frozen=True)
class Stories:
    """The story corpus of the folder `path`; use `Stories.load`.

    Attributes:
        vocab: special tokens ([PAD], [BOS], [EOS], [UNK], [MASK] are ids 0 to 4), words, then sentinels, of which
            <extra_id_0> has the highest id. A token's id is its position.
        train, valid, test: stories, each a list of token ids with its begin and end tokens, at most 64 in all.
    """

    path: Path
    vocab: list[str]
    train: list[list[int]]
    valid: list[list[int]]
    test: list[list[int]]

    @classmethod
    def load(cls, path: Path | str | None = None) -> Stories:
        """Return the stories in the folder `path` (the course's own, if left out).

        Raises:
            CorpusError: a file is missing, or is not the one that the build wrote.
        """
        folder = Path(path) if path is not None else STORIES
        vocab = read_file(folder, "vocab.txt").split("\n")[:-1]
        token_id = {word: i for i, word in enumerate(vocab)}
        splits = {
            split: [
                [token_id["[BOS]"], *(token_id[word] for word in line.split()), token_id["[EOS]"]]
                for line in read_file(folder, split_file(split, "txt")).splitlines()
            ]
            for split in SPLITS
        }
        return cls(folder, vocab, **splits)

    @property
    def pad_id(self) -> int:
        return 0

    @property
    def bos_id(self) -> int:
        return 1

    @property
    def eos_id(self) -> int:
        return 2

    @property
    def unk_id(self) -> int:
        return 3

    @property
    def mask_id(self) -> int:
        return 4

    @property
    def sentinel_ids(self) -> list[int]:
        """Ids of <extra_id_0>, <extra_id_1> and so on, from the highest id down."""
        return list(range(len(self.vocab) - 1, len(self.vocab) - 1 - N_SENTINELS, -1))

    @property
    def word_ids(self) -> list[int]:
        """Ids of ordinary words, punctuation marks included."""
        return list(range(N_SPECIALS, len(self.vocab) - N_SENTINELS))

    @cached_property
    def _token_id(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.vocab)}

    def encode(self, text: str, *, special: bool = True) -> list[int]:
        """Return the token ids of a text, between [BOS] and [EOS] unless `special` is False.

        A capital that the vocabulary does not know ("The") is read as a small letter; an unknown word becomes [UNK].

        >>> Stories.load().decode(Stories.load().encode("The bag was new."))
        'The bag was new.'
        """
        known = self._token_id
        ids = [known.get(word, known.get(word.lower(), self.unk_id)) for word in TOKEN.findall(text)]
        return [self.bos_id, *ids, self.eos_id] if special else ids

    def decode(self, ids: Sequence[int] | Tensor, *, special: bool = False) -> str:
        """Return token ids as running text, without [PAD], [BOS] and [EOS] unless `special` is True."""
        hidden = () if special else (self.pad_id, self.bos_id, self.eos_id)
        text, sentence_begins = "", True
        for word in (self.vocab[int(i)] for i in ids if int(i) not in hidden):
            shown = word[0].upper() + word[1:] if sentence_begins else word
            text += shown if word in ".,?" or not text else f" {shown}"
            sentence_begins = word in ".?" or word == "[BOS]"
        return text

    def labels(self, task: str, split: str) -> list[dict[str, object]]:
        """Return the labels of a task, one dict each; `story` is the story's number in its split.

        ============= ============================================================================================
        task          fields beside `story`
        ============= ============================================================================================
        sentiment     label: "positive" or "negative", how the story ends
        sense         position: of the homonym in the story's ids; word; sense; settled: "left", "right" or "never"
        ner           words and tags (BIO: PER, LOC, TOOL), as long as the story without its begin and end tokens
        qa            question, answer, position: of the answer in the story's ids
        summary       summary: one sentence
        translation   english, korean
        ============= ============================================================================================

        Raises:
            ValueError: there is no such task or split.
        """
        readers = {
            "sentiment": ("tsv", _read_tsv),
            "sense": ("tsv", _read_tsv),
            "ner": ("conll", _read_conll),
            "qa": ("jsonl", _read_jsonl),
            "summary": ("jsonl", _read_jsonl),
            "translation": ("jsonl", _read_jsonl),
        }
        if task not in readers or split not in SPLITS:
            raise ValueError(
                f"There are no labels {task!r} for the split {split!r}; "
                f"tasks are {', '.join(readers)}, splits are {', '.join(SPLITS)}."
            )
        form, read = readers[task]
        return read(read_file(self.path, split_file(split, form, task)))

    @cached_property
    def floors(self) -> dict[str, dict[str, object]]:
        """The best possible losses, in nats (see `data/README.md`), from `floors.json`."""
        return json.loads(read_file(self.path, "floors.json"))


def pad(documents: Sequence[Sequence[int]], pad_id: int) -> tuple[LongTensor, Tensor]:
    """Return (ids [B, T], mask bool [B, T]): documents as rows, padded on the right; mask is True on real tokens.

    >>> pad([[7, 8], [9]], 0)
    (tensor([[7, 8],
            [9, 0]]), tensor([[ True,  True],
            [ True, False]]))
    """
    lengths = torch.tensor([len(document) for document in documents], dtype=torch.long)
    longest = int(lengths.max()) if len(lengths) else 0
    mask = torch.arange(longest)[None, :] < lengths[:, None]
    ids = torch.full(mask.shape, pad_id, dtype=torch.long)
    ids[mask] = torch.tensor([i for document in documents for i in document], dtype=torch.long)
    return ids, mask


def split_file(split: str, form: str, task: str | None = None) -> str:
    """Return the name of a split's file in the corpus folder. Training files are compressed: there is much of them."""
    name = f"labels/{task}.{split}.{form}" if task else f"{split}.{form}"
    return f"{name}.bz2" if split == "train" else name


def read_file(folder: Path, name: str) -> str:
    """Return the text of a corpus file after comparing it with the manifest; raises CorpusError."""
    again = "run `make data` to build the stories again"
    manifest = folder / MANIFEST
    try:
        sums = dict(reversed(line.split("  ", 1)) for line in manifest.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError) as error:
        raise CorpusError(f"{manifest}, the list of the corpus files, cannot be read; {again}.") from error
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise CorpusError(f"{folder / name}, a file of the stories, is missing; {again}.") from error
    if hashlib.sha256(content).hexdigest() != sums.get(name):
        raise CorpusError(f"{folder / name} is not the file that the build wrote (its hash differs); {again}.")
    return (bz2.decompress(content) if name.endswith(".bz2") else content).decode("utf-8")


def _read_tsv(text: str) -> list[dict[str, object]]:
    names, *rows = (line.split("\t") for line in text.splitlines())
    return [
        {name: int(value) if name in ("story", "position") else value for name, value in zip(names, row, strict=True)}
        for row in rows
    ]


def _read_conll(text: str) -> list[dict[str, object]]:
    found = []
    for number, block in enumerate(text.strip("\n").split("\n\n")):
        words, tags = zip(*(line.split() for line in block.splitlines()), strict=True)
        found.append({"story": number, "words": list(words), "tags": list(tags)})
    return found


def _read_jsonl(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]
