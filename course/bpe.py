"""Byte-pair encoding (Sennrich, Haddow and Birch 2016), fast enough for real text, and a tokenizer that loses nothing.

`train_bpe` finds the merges that counting every pair anew for each merge would find; it only looks again at the words
that hold the pair just joined. `BytePairTokenizer` works on bytes, as GPT-2 does (Radford et al. 2019, section 2.2):
with 256 of them in the vocabulary, no text is unknown.
"""

from __future__ import annotations

import heapq
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

Pair = tuple[str, str]

# A word with the space before it, a run of signs with the space before it, or white space that belongs to neither.
WORD = re.compile(r" ?\w+| ?[^\w\s]+|\s+(?=\s\S)|\s+")
# No byte's character: it keeps a special token apart from a learned one that is spelled the same.
MARK = "\ue000"


def split_words(text: str) -> list[str]:
    """Return the words of a text, each with the space before it; joined again they are the text.

    >>> split_words("The bank, at noon.")
    ['The', ' bank', ',', ' at', ' noon', '.']
    """
    return WORD.findall(text)


def count_words(texts: Iterable[str]) -> Counter[str]:
    """Return how often each word of `split_words` occurs in all the texts."""
    return Counter(word for text in texts for word in split_words(text))


def as_bytes(text: str) -> str:
    """Return one character for each byte of the text's UTF-8 form: character number b stands for byte b.

    >>> len(as_bytes("bank")), len(as_bytes("은행"))
    (4, 6)
    """
    return text.encode("utf-8").decode("latin-1")


def from_bytes(symbols: str) -> str:
    """Return the text whose `as_bytes` is `symbols`. Bytes that are no UTF-8 become U+FFFD, the replacement sign."""
    return symbols.encode("latin-1").decode("utf-8", errors="replace")


def join_pair(symbols: Sequence[str], pair: Pair) -> list[str]:
    """Return the symbols with the pair joined wherever it stands, from left to right, none of them used twice.

    >>> join_pair(["a", "a", "a"], ("a", "a"))
    ['aa', 'a']
    """
    joined, i = [], 0
    while i < len(symbols):
        if i + 1 < len(symbols) and (symbols[i], symbols[i + 1]) == pair:
            joined.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            joined.append(symbols[i])
            i += 1
    return joined


class _Candidate:
    """A pair in the heap: the smallest entry is the pair of the highest count, and of those the greatest."""

    __slots__ = ("count", "pair")

    def __init__(self, count: int, pair: Pair) -> None:
        self.count, self.pair = count, pair

    def __lt__(self, other: _Candidate) -> bool:
        return (self.count, self.pair) > (other.count, other.pair)


def train_bpe(word_counts: Mapping[str, int], n_merges: int) -> list[Pair]:
    """Return the merges of byte-pair encoding in the order in which they are learned.

    A pair is worth the sum of its words' counts, once for each place ("aaa" holds the pair of two a twice); ties go to
    the lexicographically greatest pair. Stops early when no pair is left.

    Args:
        word_counts: how often each word occurs; its characters are the first symbols. Not changed.
        n_merges: how many merges to learn at most.
    """
    words = [(list(word), count) for word, count in word_counts.items()]
    pair_counts: Counter[Pair] = Counter()
    holders: defaultdict[Pair, set[int]] = defaultdict(set)  # pair to the words that hold it, or did once
    for number, (symbols, count) in enumerate(words):
        for pair in pairwise(symbols):
            pair_counts[pair] += count
            holders[pair].add(number)
    heap = [_Candidate(count, pair) for pair, count in pair_counts.items()]
    heapq.heapify(heap)
    merges: list[Pair] = []
    while heap and len(merges) < n_merges:
        best = heapq.heappop(heap)
        if best.count != pair_counts[best.pair] or not best.count:
            continue  # an old count: the pair was pushed again with the new one
        merges.append(best.pair)
        for pair in _merge_everywhere(words, best.pair, pair_counts, holders):
            heapq.heappush(heap, _Candidate(pair_counts[pair], pair))
    return merges


def _merge_everywhere(
    words: list[tuple[list[str], int]], pair: Pair, pair_counts: Counter[Pair], holders: dict[Pair, set[int]]
) -> set[Pair]:
    """Join the pair in the words that hold it, bring the counts up to date, and return the pairs whose count moved."""
    moved: set[Pair] = set()
    for number in holders.pop(pair):
        symbols, count = words[number]
        joined = join_pair(symbols, pair)
        for old in pairwise(symbols):
            pair_counts[old] -= count
            moved.add(old)
        for new in pairwise(joined):
            pair_counts[new] += count
            holders[new].add(number)
            moved.add(new)
        words[number] = (joined, count)
    return moved


def encode_word(word: str, ranks: Mapping[Pair, int]) -> list[str]:
    """Return the symbols of a word: its characters, joined pair by pair, the pair of the lowest rank first.

    Args:
        word: any text; characters that no merge knows stay as they are.
        ranks: the place of each pair in the list of merges.
    """
    symbols = list(word)
    while len(symbols) > 1:
        known = [pair for pair in pairwise(symbols) if pair in ranks]
        if not known:
            break
        symbols = join_pair(symbols, min(known, key=ranks.__getitem__))
    return symbols


@dataclass(frozen=True)
class BytePairTokenizer:
    """Byte-level BPE: any text to token ids and back.

    Ids 0 to 255 are the bytes, then come the merges in their order, then the special tokens.

    Attributes:
        merges: over the characters of `as_bytes`, as `train_bpe` gives them.
        special_tokens: such as "[EOS]"; found whole in a text, never learned from one.

    >>> tokenizer = BytePairTokenizer.train(["the bank"] * 9, n_merges=10, special_tokens=["[EOS]"])
    >>> tokenizer.decode(tokenizer.encode("the bank[EOS]"))
    'the bank[EOS]'
    """

    merges: list[Pair]
    special_tokens: list[str] = field(default_factory=list)

    @classmethod
    def train(cls, texts: Iterable[str], *, n_merges: int, special_tokens: Sequence[str] = ()) -> BytePairTokenizer:
        """Return a tokenizer that learned at most `n_merges` merges from the texts."""
        word_counts = Counter({as_bytes(word): count for word, count in count_words(texts).items()})
        return cls(train_bpe(word_counts, n_merges), list(special_tokens))

    @classmethod
    def load(cls, path: Path | str) -> BytePairTokenizer:
        """Return the tokenizer that `save` wrote."""
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls([(left, right) for left, right in stored["merges"]], stored["special_tokens"])

    def save(self, path: Path | str) -> None:
        """Write merges and special tokens to a JSON file."""
        content = {"merges": self.merges, "special_tokens": self.special_tokens}
        Path(path).write_text(json.dumps(content), encoding="utf-8")

    @cached_property
    def vocab(self) -> dict[str, int]:
        """Token (a special token, or characters of `as_bytes`) to id."""
        pieces = [chr(byte) for byte in range(256)] + [left + right for left, right in self.merges]
        return {token: i for i, token in enumerate(dict.fromkeys([*pieces, *map(_marked, self.special_tokens)]))}

    def token_id(self, special_token: str) -> int:
        """Return the id of a special token; raises KeyError for any other."""
        return self.vocab[_marked(special_token)]

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text. A special token's name in the text becomes its single id."""
        if not self.special_tokens:
            return self._encode_plain(text)
        ids: list[int] = []
        for part in self._special_pattern.split(text):
            ids += [self.token_id(part)] if part in self.special_tokens else self._encode_plain(part)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of the ids (a sequence or a tensor [T]), special tokens by name."""
        pieces = [self._tokens[int(i)] for i in ids]
        return from_bytes("".join(as_bytes(piece[1:]) if piece.startswith(MARK) else piece for piece in pieces))

    def _encode_plain(self, text: str) -> list[int]:
        ids: list[int] = []
        for word in split_words(text):
            if word not in self._known:
                self._known[word] = [self.vocab[symbol] for symbol in encode_word(as_bytes(word), self._ranks)]
            ids += self._known[word]
        return ids

    @cached_property
    def _known(self) -> dict[str, list[int]]:
        return {}

    @cached_property
    def _tokens(self) -> list[str]:
        return list(self.vocab)

    @cached_property
    def _ranks(self) -> dict[Pair, int]:
        return {pair: rank for rank, pair in reversed(list(enumerate(self.merges)))}

    @cached_property
    def _special_pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self.special_tokens, key=len, reverse=True)
        return re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")


def _marked(special_token: str) -> str:
    return MARK + special_token
