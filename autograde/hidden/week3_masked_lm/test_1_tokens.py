"""Hidden tests of week 3, notebook 1: byte-pair encoding learned and applied, WordPiece, special tokens."""

import random
from collections import Counter

import pytest

from autograde.rubric import check, expect_equal


def rejoined(symbols, pair):
    """The symbols with the pair joined: cut at its first place, go on behind it."""
    for i in range(len(symbols) - 1):
        if symbols[i : i + 2] == pair:
            return (*symbols[:i], "".join(pair), *rejoined(symbols[i + 2 :], pair))
    return symbols


def pairs_of(words):
    """Count of every pair of neighbours, one shifted copy of each word beside the other."""
    counts = Counter()
    for symbols, count in words.items():
        for pair in zip(symbols[:-1], symbols[1:], strict=True):
            counts[pair] += count
    return counts


def learned(word_counts, n_merges, *, prefer=max, count_pairs=pairs_of, join=rejoined):
    """The merges by the plain procedure; what a slip changes can be put in its place.

    Args:
        prefer: picks one of several pairs with the highest count, given in the order in which they are met.
        count_pairs: from {symbols: count} to the count of each pair.
        join: (symbols, pair) -> symbols.
    """
    words, merges = [(tuple(word), count) for word, count in word_counts.items()], []
    while len(merges) < n_merges:
        counts = Counter()
        for symbols, count in words:
            counts.update(count_pairs({symbols: count}))
        if not counts:
            break
        merges.append(prefer([pair for pair, count in counts.items() if count == max(counts.values())]))
        words = [(join(symbols, merges[-1]), count) for symbols, count in words]
    return merges


def first_tie(word_counts, limit):
    """Return how many merges, at most `limit`, are learned without two pairs ever sharing the highest count."""
    for n in range(1, limit + 1):
        if learned(word_counts, n) != learned(word_counts, n, prefer=min):
            return n - 1
    return limit


def spelled_once(seed, n_words=120, letters="aeinrstl"):
    """Words that hold no letter twice, each seen once: counts, overlaps and weights play no part."""
    rng = random.Random(seed)
    likely = [2.0**-i for i in range(len(letters))]
    drawn = ("".join(dict.fromkeys(rng.choices(letters, likely, k=rng.randint(3, 9)))) for _ in range(n_words))
    return {word: 1 for word in drawn if len(word) > 1}


def once_a_word(words):
    return Counter({pair: count for symbols, count in words.items() for pair in set(pairs_of({symbols: 1}))})


def apart(words):
    """Counts in which a symbol that ends one place of a pair cannot begin the next: 'aaa' holds (a, a) once."""
    counts = Counter()
    for symbols, count in words.items():
        for pair in set(pairs_of({symbols: 1})):
            joined = rejoined(symbols, pair)
            counts[pair] += count * (len(symbols) - len(joined))
    return counts


@check(
    "counts a pair as often as its words occur",
    points=0.75,
    hint="A pair's count is the sum over all its places of the count of the word: add word_counts[word], not 1.",
)
@pytest.mark.parametrize(
    "word_counts",
    [
        {"ha": 7, "hot": 1, "hop": 2, "hob": 1},
        {"lot": 2, "dot": 1, "rot": 1, "mi": 5},
        {"nono": 4, "at": 6, "on": 1},
        {"kikiki": 3, "we": 8},
    ],
)
def test_train_bpe__counts_pairs_by_their_words(student, word_counts):
    each_once = dict.fromkeys(word_counts, 1)
    expect_equal(
        student.train_bpe(word_counts, 1),
        learned(word_counts, 1),
        misconceptions={
            "Each word counts as often as it occurs: add its count for each pair, not 1.": learned(each_once, 1),
            "A word that holds a pair at two places counts twice for it.": learned(
                word_counts, 1, count_pairs=once_a_word
            ),
            "n_merges says how many merges are learned: you learned one more.": learned(word_counts, 2),
        },
    )


@check(
    "counts again after every merge",
    points=0.75,
    hint="After a merge the words have new neighbours: count the pairs of symbols as they stand then, and learn the "
    "best of those.",
)
@pytest.mark.parametrize("seed", [47, 196, 199, 214])
def test_train_bpe__counts_again_after_every_merge(student, seed):
    word_counts = spelled_once(seed)
    n_merges = first_tie(word_counts, 20)
    counts = pairs_of({tuple(word): 1 for word in word_counts})
    once = "The pairs were counted once, at the beginning. Count them anew after each merge."
    greatest_first = sorted(counts, key=lambda pair: (counts[pair], pair), reverse=True)
    merges = learned(word_counts, n_merges)
    expect_equal(
        student.train_bpe(word_counts, n_merges),
        merges,
        misconceptions={
            once: greatest_first[:n_merges],
            once + " ": [pair for pair, _ in counts.most_common(n_merges)],
            "A merge is a pair of two symbols, not the string that they give.": ["".join(pair) for pair in merges],
            "Return a list of tuples, one tuple of two symbols for each merge.": [list(pair) for pair in merges],
        },
    )


@check(
    "gives a tie to the greatest pair",
    points=0.5,
    hint="Of several pairs with the same count take the greatest, compared as tuples of strings: "
    "max(counts, key=lambda pair: (counts[pair], pair)).",
)
@pytest.mark.parametrize(
    ("word_counts", "n_merges"),
    [
        ({"bc": 3, "de": 3, "af": 3, "ca": 3}, 4),
        ({"kl": 2, "mn": 2, "ij": 2}, 3),
        ({"ac": 2, "db": 2, "dabc": 2, "da": 2, "bd": 2}, 2),
        ({"gf": 2, "ge": 2, "fe": 2, "eg": 2}, 4),
        ({"abc": 2, "dbc": 2, "xy": 2}, 2),
        ({"abc": 2, "zbc": 2, "xy": 2}, 2),
    ],
)
def test_train_bpe__gives_ties_to_the_greatest_pair(student, word_counts, n_merges):
    def by_string(pairs):
        return max(pairs, key="".join)

    def swapped(pairs):
        return max(pairs, key=lambda pair: pair[::-1])

    def longest(pairs):
        return max(pairs, key=lambda pair: (len("".join(pair)), pair))

    def shortest(pairs):
        return max(pairs, key=lambda pair: (-len("".join(pair)), pair))

    rules = {
        "Ties go to the greatest pair; you took the one that was met first.": lambda pairs: pairs[0],
        "Ties go to the greatest pair; you took the smallest.": min,
        "Ties go to the greatest pair; you took the one that was met last.": lambda pairs: pairs[-1],
        "Pairs are compared as tuples, first parts first; you compared the joined strings.": by_string,
        "Pairs are compared as tuples, first parts first; you compared the second parts first.": swapped,
        "Ties go to the greatest pair, as Python compares strings; you took the longest.": longest,
        "Ties go to the greatest pair, as Python compares strings; you took the shortest.": shortest,
    }
    expect_equal(
        student.train_bpe(word_counts, n_merges),
        learned(word_counts, n_merges),
        misconceptions={hint: learned(word_counts, n_merges, prefer=rule) for hint, rule in rules.items()},
    )


def overlapping(symbols, pair):
    """Every place of the pair becomes a symbol, those that share a symbol too."""
    joined, i = [], 0
    while i < len(symbols):
        if symbols[i : i + 2] == pair:
            joined.append("".join(pair))
            i += 1 + (symbols[i + 1 : i + 3] != pair)
        else:
            joined.append(symbols[i])
            i += 1
    return tuple(joined)


def from_the_right(symbols, pair):
    return rejoined(symbols[::-1], pair[::-1])[::-1] if pair[0] == pair[1] else rejoined(symbols, pair)


def only_first(symbols, pair):
    for i in range(len(symbols) - 1):
        if symbols[i : i + 2] == pair:
            return (*symbols[:i], "".join(pair), *symbols[i + 2 :])
    return symbols


@check(
    "joins from left to right, everywhere, and no symbol twice",
    points=0.75,
    hint="'aaa' holds the pair (a, a) twice when it is counted, and becomes 'aa', 'a' when it is joined; 'aaaa' "
    "becomes 'aa', 'aa'.",
)
@pytest.mark.parametrize(
    ("word_counts", "n_merges"), [({"aaa": 2, "bc": 3}, 3), ({"eeee": 2, "xy": 3}, 3), ({"ananan": 3, "xy": 2}, 2)]
)
def test_train_bpe__joins_from_left_to_right(student, word_counts, n_merges):
    once = "'aaa' holds the pair (a, a) twice: count every place, though only one of them can be joined."
    twice = "A symbol cannot be in two joined pairs: 'aaa' becomes 'aa', 'a', not 'aa', 'aa'."
    right = "Join from the left: 'aaa' becomes 'aa', 'a', not 'a', 'aa'."
    first = "Join the pair at every place in the word, not only at the first."
    expect_equal(
        student.train_bpe(word_counts, n_merges),
        learned(word_counts, n_merges),
        misconceptions={
            once: learned(word_counts, n_merges, count_pairs=apart),
            twice: lambda: learned(word_counts, n_merges, join=overlapping),
            right: learned(word_counts, n_merges, join=from_the_right),
            first: learned(word_counts, n_merges, join=only_first),
        },
    )


def replaced(symbols, pair):
    """Join by str.replace on the symbols with spaces between: it looks at letters, not at symbols."""
    return tuple(" ".join(symbols).replace(" ".join(pair), "".join(pair)).split(" "))


@check(
    "joins symbols, not letters",
    points=0.25,
    hint="The pair (a, b) must be two whole symbols: in 'xa', 'b' there is no symbol a. str.replace on a string of "
    "symbols does not see where one begins.",
)
def test_train_bpe__joins_whole_symbols(student):
    # (x, a) 9 times, then (a, b) 4 times: not where "xa b" stands, which is (xa, b), 3 times, and comes third.
    words = ["xab" + end for end in "sdg"] + ["xa" + end for end in "tqzwvu"] + ["ab" + end for end in "rkmn"]
    word_counts = dict.fromkeys(words, 1)
    letters = "Only whole symbols are joined: in 'xa', 'b' there is no pair (a, b), though str.replace finds one."
    expect_equal(
        student.train_bpe(word_counts, 3),
        learned(word_counts, 3),
        misconceptions={letters: learned(word_counts, 3, join=replaced)},
    )


@check(
    "goes on to pairs seen once, and stops when none is left",
    points=0.5,
    hint="A pair that occurs once may be merged. When every word is a single symbol there is nothing to count: return "
    "the merges so far.",
)
def test_train_bpe__stops_when_no_pair_is_left(student):
    rare = "A pair that occurs once may be merged too."
    expect_equal(student.train_bpe({"ab": 1}, 10), [("a", "b")], misconceptions={rare: []})
    expect_equal(
        student.train_bpe({"xy": 3, "z": 4, "xyw": 1}, 50),
        [("x", "y"), ("xy", "w")],
        misconceptions={rare: [("x", "y")]},
    )
    expect_equal(student.train_bpe({"a": 5}, 3), [])
    expect_equal(student.train_bpe({}, 3), [])


@check(
    "keeps words apart and adds no mark",
    points=0.25,
    hint="A pair stands within one word. The symbols are the word's characters and nothing else: no space, no mark at "
    "its end.",
)
@pytest.mark.parametrize(
    ("word_counts", "n_merges"),
    [
        ({"a": 9, "b": 9, "ca": 1, "cad": 1}, 2),
        ({" s": 3, " s!": 3, "so": 1}, 1),
        ({"On": 3, "in": 2}, 1),
    ],
)
def test_train_bpe__keeps_words_apart(student, word_counts, n_merges):
    def of_words(change):
        changed = Counter()
        for written, times in word_counts.items():
            changed[change(written)] += times
        return learned(changed, n_merges)

    text = "".join(word * count for word, count in word_counts.items())
    expect_equal(
        student.train_bpe(word_counts, n_merges),
        learned(word_counts, n_merges),
        misconceptions={
            "A pair stands within one word: none reaches from one word into the next.": learned({text: 1}, n_merges),
            "There is no mark at the end of a word.": of_words(lambda word: (*word, "</w>")),
            "A space is a character like any other, and may be part of a pair.": of_words(
                lambda word: "".join(word.split())
            ),
            "A capital is a character of its own: 'O' and 'o' are two symbols.": of_words(str.lower),
        },
    )


@check(
    "takes any number of merges and leaves the counts alone",
    points=0.25,
    hint="n_merges may be 0, and fewer merges are the beginning of more. word_counts is only read.",
)
def test_train_bpe__leaves_the_counts_alone(student):
    word_counts = {"mint": 6, "tin": 3, "hint": 2, "mit": 1}
    result, (afterwards, _) = student.call("train_bpe", word_counts, 2, keep_arguments=True)
    expect_equal(afterwards, word_counts)
    for n_merges in (0, 1):
        expect_equal(student.train_bpe(word_counts=word_counts, n_merges=n_merges), result[:n_merges])
    expect_equal(result, learned(word_counts, 2))


def by_rank(word, merges):
    """The cut by the rule of the lowest rank."""
    symbols = tuple(word)
    while True:
        ranks = [merges.index(pair) for pair in pairs_of({symbols: 1}) if pair in merges]
        if not ranks:
            return list(symbols)
        symbols = rejoined(symbols, merges[min(ranks)])


def replayed(word, merges, *, join=rejoined):
    """The cut by replaying the training; equal to `by_rank` wherever these tests ask."""
    symbols = tuple(word)
    for pair in merges:
        symbols = join(symbols, tuple(pair))
    return list(symbols)


def in_text_order(word, merges):
    """The first pair in the word that was ever merged is joined first."""
    symbols = tuple(word)
    while True:
        pair = next((pair for pair in zip(symbols, symbols[1:], strict=False) if pair in merges), None)
        if pair is None:
            return list(symbols)
        symbols = only_first(symbols, pair)


def longest_match(word, merges):
    """WordPiece's cut with the merges' strings."""
    known, cut, start = {"".join(pair) for pair in merges}, [], 0
    while start < len(word):
        end = next((end for end in range(len(word), start + 1, -1) if word[start:end] in known), start + 1)
        cut.append(word[start:end])
        start = end
    return cut


ORDERED = [
    ("abcd", [("a", "b"), ("b", "c"), ("c", "d"), ("a", "bc")]),
    ("efg", [("e", "f"), ("f", "g")]),
    ("uvw", [("v", "w"), ("u", "vw"), ("u", "v")]),
    ("rstu", [("s", "t"), ("t", "u"), ("r", "s"), ("st", "u")]),
    ("thank", [("n", "k"), ("a", "nk"), ("h", "ank"), ("t", "h")]),
    ("pears", [("e", "a"), ("p", "e"), ("r", "s"), ("ea", "r")]),
]


@check(
    "joins the pair that was learned first",
    points=0.75,
    hint="Of all neighbours that may be joined, the pair that stands first in `merges` comes first, wherever in the "
    "word it stands.",
)
@pytest.mark.parametrize(("word", "merges"), ORDERED)
def test_bpe_encode__joins_the_pair_learned_first(student, word, merges):
    assert by_rank(word, merges) == replayed(word, merges)
    text = "The order of the merges decides, not the order in the word: the pair that stands first in `merges` is next."
    longest = "That takes the longest piece from the left, as WordPiece does. BPE joins pairs, the one learned first."
    last = "The pair that was learned first is joined first; you begin with the one learned last."
    expect_equal(
        student.bpe_encode(word, merges),
        by_rank(word, merges),
        misconceptions={
            text: in_text_order(word, merges),
            longest: longest_match(word, merges),
            last: by_rank(word, merges[::-1]),
        },
    )


@check(
    "goes on until no pair is left",
    points=0.5,
    hint="Each merge makes new neighbours: look again, until no pair of neighbours stands in `merges`.",
)
@pytest.mark.parametrize(
    ("word", "merges"),
    [
        ("mnopq", [("n", "o"), ("m", "no"), ("p", "q"), ("mno", "pq")]),
        ("kiwis", [("w", "i"), ("k", "i"), ("ki", "wi"), ("kiwi", "s")]),
    ],
)
def test_bpe_encode__goes_on_until_no_pair_is_left(student, word, merges):
    one = "After one merge there are new neighbours: look again until none of them was ever merged."
    letters = "The merges are made on the symbols as they stand now, not only on the characters of the word."
    expect_equal(
        student.bpe_encode(word, merges),
        [word],
        misconceptions={
            one: replayed(word, [pair for pair in merges if pair in set(zip(word, word[1:], strict=False))][:1]),
            letters: replayed(word, [pair for pair in merges if all(len(symbol) == 1 for symbol in pair)]),
        },
    )


@check(
    "joins everywhere, from the left, no symbol twice",
    points=0.5,
    hint="Join a pair at every place in the word, from left to right; a symbol that was just joined is not joined "
    "again.",
)
@pytest.mark.parametrize(
    ("word", "merges"),
    [("eeeee", [("e", "e")]), ("oooo", [("o", "o")]), ("icic", [("i", "c")]), ("uuu", [("u", "u")])],
)
def test_bpe_encode__joins_everywhere(student, word, merges):
    twice = "A symbol cannot be in two joined pairs: 'aaa' becomes 'aa', 'a'."
    right = "Join from the left: 'aaa' becomes 'aa', 'a', not 'a', 'aa'."
    first = "Join the pair at every place in the word, not only at the first."
    expect_equal(
        student.bpe_encode(word, merges),
        by_rank(word, merges),
        misconceptions={
            twice: replayed(word, merges, join=overlapping),
            right: replayed(word, merges, join=from_the_right),
            first: replayed(word, merges, join=only_first),
        },
    )


@check(
    "keeps every character",
    points=0.5,
    hint="Characters that no merge knows stay as they are, each a symbol of its own: none is lost, joined or replaced. "
    "An empty word has no symbols.",
)
@pytest.mark.parametrize("word", ["은행nk", " ink", "n-k!nk", "  nk\n", "ßnkß", "InkNK"])
def test_bpe_encode__keeps_every_character(student, word):
    merges = [("n", "k"), ("i", "nk")]
    alphabet = {symbol for pair in merges for symbol in pair}
    right = by_rank(word, merges)

    def stays(symbol):
        return len(symbol) > 1 or symbol in alphabet

    expect_equal(
        student.bpe_encode(word, merges),
        right,
        misconceptions={
            "Spaces are characters like any other: they stay.": by_rank("".join(word.split()), merges),
            "Characters that no merge knows must not be lost.": [symbol for symbol in right if stays(symbol)],
            "A character that no merge knows stays as it is: it is not replaced.": [
                symbol if stays(symbol) else "[UNK]" for symbol in right
            ],
            "One unknown character does not make the whole word unknown.": ["[UNK]"],
            "A capital is a character of its own: 'N' is not 'n'.": by_rank(word.lower(), merges),
        },
    )
    expect_equal(student.bpe_encode("", merges), [])


@check(
    "joins symbols, not letters",
    points=0.25,
    hint="The pair (a, b) must be two whole symbols: in 'xa', 'b' there is no symbol a. str.replace on a string of "
    "symbols does not see where one begins.",
)
@pytest.mark.parametrize("word", ["xab", "xabab", "xaxab"])
def test_bpe_encode__joins_whole_symbols(student, word):
    merges = [("x", "a"), ("a", "b")]
    letters = "Only whole symbols are joined: in 'xa', 'b' there is no pair (a, b), though str.replace finds one."
    expect_equal(
        student.bpe_encode(word, merges),
        by_rank(word, merges),
        misconceptions={letters: replayed(word, merges, join=replaced)},
    )
    string = "The pair itself must stand in `merges`: another pair that gives the same string was not learned."
    known = [("a", "b"), ("b", "c"), ("a", "bc")]
    if all(student.bpe_encode(word, merges) == by_rank(word, merges) for word, merges in ORDERED):
        expect_equal(student.bpe_encode("abc", known), ["ab", "c"], misconceptions={string: ["abc"]})


@check(
    "cuts any word as the training would, and leaves the merges alone",
    points=0.5,
    hint="Joined together, the symbols are the word; a word of the training text ends as the training left it. "
    "`merges` is only read.",
)
@pytest.mark.parametrize("seed", [1, 2, 6])
def test_bpe_encode__cuts_as_the_training_would(student, seed):
    word_counts = spelled_once(seed, n_words=30)
    merges = learned(word_counts, 14)
    words = [*list(word_counts)[:6], *spelled_once(seed + 50, n_words=6)]
    for word in words:
        if by_rank(word, merges) == replayed(word, merges):
            result, (_, afterwards) = student.call("bpe_encode", word, merges, keep_arguments=True)
            expect_equal(result, by_rank(word, merges))
            expect_equal([tuple(pair) for pair in afterwards], merges)
    named = student.bpe_encode(word=words[0], merges=merges[:1])
    expect_equal(named, replayed(words[0], merges[:1]))


def longest_first(word, vocab, unk="[UNK]"):
    """Greedy search by sorting: the longest piece that the rest of the word begins with."""
    rest, tokens = word, []
    while rest:
        lead = "##" if tokens else ""
        fitting = [piece for piece in vocab if piece.startswith(lead) and rest.startswith(piece[len(lead) :])]
        if not fitting:
            return [unk]
        tokens.append(max(fitting, key=len))
        rest = rest[len(tokens[-1]) - len(lead) :]
    return tokens


def cut_by(word, vocab, *, longest=True, mark="##", first_mark=""):
    """Cut from the left by another rule, what cannot be cut included as it is."""
    tokens, start = [], 0
    while start < len(word):
        lead = mark if start else first_mark
        ends = range(start + 1, len(word) + 1)
        found = [end for end in (reversed(ends) if longest else ends) if lead + word[start:end] in vocab]
        end = found[0] if found else start + 1
        tokens.append(lead + word[start:end])
        start = end
    return tokens


def moved_by_the_mark(word, vocab):
    """The cut where the ## of a piece is counted as two characters of the word."""
    tokens, start = [], 0
    while start < len(word):
        token = cut_by(word[start:], vocab, first_mark="##" if start else "")[0]
        tokens.append(token)
        start += len(token)
    return tokens


def both_ways(*pieces):
    """Each piece as one that begins a word and as one that goes on inside: then marks play no part in the cut."""
    return {mark + piece for piece in pieces for mark in ("", "##")}


def bare(tokens):
    """The tokens without ##; anything that is no list of strings comes back as it is."""
    if isinstance(tokens, list) and all(isinstance(token, str) for token in tokens):
        return [token.removeprefix("##") for token in tokens]
    return tokens


def longest_anywhere(word, vocab, start=0):
    """The longest piece in all of the word first, then what is left on both sides of it."""
    spans = [(i, j) for i in range(len(word)) for j in range(i + 1, len(word) + 1)]
    spans = [(i, j) for i, j in spans if ("##" if start + i else "") + word[i:j] in vocab]
    if not spans:
        return list(word)
    i, j = max(spans, key=lambda span: (span[1] - span[0], -span[0]))
    piece = ("##" if start + i else "") + word[i:j]
    return [*longest_anywhere(word[:i], vocab, start), piece, *longest_anywhere(word[j:], vocab, start + j)]


FISH = both_ways("seal", "sea", "se", "fish", "fi", "sh", "easel", "fishbone", *"sealfih")


@check(
    "takes the longest piece from the left",
    points=0.75,
    hint="Try the whole rest of the word first, then one character less, and so on; the first hit is the piece.",
)
@pytest.mark.parametrize("word", ["sealfish", "seafish", "fishs", "sefi", "shelf", "seasel", "sefishbone"])
def test_wordpiece_encode__takes_the_longest_piece(student, word):
    short = "Take the longest piece that fits, not the shortest: try the ends of the word from the right."
    expect_equal(
        bare(student.wordpiece_encode(word, FISH)),
        bare(longest_first(word, FISH)),
        misconceptions={
            short: bare(cut_by(word, FISH, longest=False)),
            "The ## belongs to the token and not to the word: go on where the piece ends in the word.": bare(
                moved_by_the_mark(word, FISH)
            ),
            "Both ends count: the whole rest of the word may be a piece, and a single character too.": ["[UNK]"],
            "From the left: the longest piece that stands there, not the longest in the whole word.": bare(
                longest_anywhere(word, FISH)
            ),
        },
    )


@check(
    "marks pieces inside a word with ##, and only those",
    points=0.75,
    hint="The first piece is looked up as it is, every later one with ## in front, and the ## stays in the result.",
)
@pytest.mark.parametrize(
    ("word", "vocab"),
    [
        ("antes", {"ant", "##es", "e", "s"}),
        ("ants", {"ant", "##s", "s"}),
        ("inkpot", {"ink", "##pot", "pot", "##ink"}),
        ("oxen", {"ox", "##en", "##ox", "en"}),
        ("axe", {"a", "##xe", "xe", "##a"}),
        ("bin", {"b", "in"}),
        ("in", {"##in", "b"}),
    ],
)
def test_wordpiece_encode__marks_pieces_inside_a_word(student, word, vocab):
    cut = longest_first(word, vocab)
    without = "Inside a word a piece is looked up with ## in front: 's' and '##s' are two different tokens."
    afterwards = "The ## belongs to the piece that is looked up: 's' in the vocabulary does not make '##s' a token."
    every = "The piece that begins the word is looked up without ##."
    stripped = "The tokens are returned as they stand in the vocabulary: the ## stays."
    unmarked = cut_by(word, vocab, mark="")
    slips = {
        without: unmarked,
        afterwards: unmarked[:1] + ["##" + piece for piece in unmarked[1:]],
        every: cut_by(word, vocab, first_mark="##"),
        every + " ": [word],
        stripped: bare(cut),
    }
    result = student.wordpiece_encode(word, vocab)
    if cut != ["[UNK]"] or result in slips.values():  # what else becomes of an unknown word is another check's affair
        expect_equal(result, cut, misconceptions=slips)


@check(
    "makes the whole word unknown if one part is",
    points=0.5,
    hint="If at some place no piece fits, the result is [unk], one token for the whole word: what was found before is "
    "dropped.",
)
@pytest.mark.parametrize("word", ["antxs", "antx", "xant"])
def test_wordpiece_encode__makes_the_whole_word_unknown(student, word):
    vocab = both_ways("ant", "s")
    spelled = bare(cut_by(word, vocab))
    known = ["[UNK]" if piece == "x" else piece for piece in spelled]
    upto = known[: known.index("[UNK]")]
    result = student.wordpiece_encode(word, vocab)
    expect_equal(
        bare(result),
        ["[UNK]"],
        misconceptions={
            "Not only the part that fails: the whole word becomes one unknown token.": known,
            "Not what was found so far and then unk: the whole word becomes one unknown token.": [*upto, "[UNK]"],
            "The rest of the word cannot just be left out: the whole word becomes one unknown token.": upto,
            "A character without a piece cannot stand for itself: the whole word is unknown.": spelled,
            "The result is a list with the one token unk in it.": "[UNK]",
            "The token for an unknown word stands in a list, and is not the word itself.": [word],
            "Where unk is not given, it is [UNK]: keep the default.": [None],
            "Where unk is not given, it is [UNK]: keep that default.": ["<unk>"],
        },
    )
    expect_equal(bare(student.wordpiece_encode("ants", vocab)), ["ant", "s"])


def any_cut(word, vocab, start=0):
    """Some cut of the word, the longest pieces tried first, going back where the rest does not fit."""
    if start == len(word):
        return []
    for end in range(len(word), start, -1):
        if word[start:end] in vocab and (rest := any_cut(word, vocab, end)) is not None:
            return [word[start:end], *rest]
    return None


@check(
    "never goes back to a shorter piece",
    points=0.5,
    hint="The longest piece is taken and kept. If nothing fits behind it the word is unknown, even if a shorter piece "
    "would have left a rest that fits.",
)
@pytest.mark.parametrize(
    ("word", "pieces"), [("tuba", ["t", "tu", "tub", "ba"]), ("cargo", ["c", "ca", "car", "rgo", "g"])]
)
def test_wordpiece_encode__never_goes_back(student, word, pieces):
    vocab = both_ways(*pieces)
    assert any_cut(word, vocab)
    back = "The search never goes back: the longest piece is kept, though a shorter one would let the rest fit."
    result = bare(student.wordpiece_encode(word, vocab))
    if result == any_cut(word, vocab):  # what else becomes of an unknown word is another check's affair
        expect_equal(result, ["[UNK]"], misconceptions={back: result})
    expect_equal(bare(student.wordpiece_encode("baba", both_ways("ba"))), ["ba", "ba"])


@check(
    "takes any token for unk, any length of word, and leaves the vocabulary alone",
    points=0.5,
    hint="unk is an argument: return [unk], not a fixed string. The vocabulary is only read; a single character and a "
    "whole word in the vocabulary are one token.",
)
def test_wordpiece_encode__takes_any_unknown_token(student):
    vocab = both_ways("나무", "는", "들", "w", "Ab")
    fixed = "unk is an argument: return [unk], not always [UNK]."
    for word, unk in (("나비", "<unk>"), ("z", "?")):
        result = student.wordpiece_encode(word=word, vocab=vocab, unk=unk)
        expect_equal(bare(result), [unk], misconceptions={fixed: ["[UNK]"]})
    case = "Words are looked up as they are, capitals included."
    for word in ("w", "나무", "나무들는", "w" * 130, "Abw"):
        result, (_, afterwards) = student.call("wordpiece_encode", word, vocab, keep_arguments=True)
        lowered = bare(longest_first(word.lower(), vocab))
        long = "A word may have any length: a long one is cut like any other."
        expect_equal(
            bare(result),
            bare(longest_first(word, vocab)),
            misconceptions={long: ["[UNK]"]} if len(word) > 9 else {case: lowered},
        )
        expect_equal(set(afterwards), vocab)


@check(
    "numbers new names from the highest id on, in order",
    points=0.25,
    hint="The first new id is one above the highest id of the vocabulary, which is not always its length; the names "
    "follow in the order given.",
)
@pytest.mark.parametrize("vocab", [{"a": 0, "b": 7, "c": 3}, {"x": 12}, {"q": 9, "r": 2}])
def test_add_special_tokens__follows_the_highest_id(student, vocab):
    names = ["[PAD]", "[CLS]", "[MASK]", "[A]"]
    top = max(vocab.values())

    def numbered(first, ordered=names):
        return vocab | {name: first + i for i, name in enumerate(ordered)}

    expect_equal(
        student.add_special_tokens(vocab, names),
        numbered(top + 1),
        misconceptions={
            "The ids may have gaps: go on from the highest id, not from the number of tokens.": numbered(len(vocab)),
            "The highest id is taken already: the first new one is one above it.": numbered(top),
            "The last entry of a dictionary need not have its highest id.": numbered([*vocab.values()][-1] + 1),
            "The names get their ids in the order given: they are not sorted.": numbered(top + 1, sorted(names)),
            "The names get their ids in the order given.": numbered(top + 1, names[::-1]),
        },
    )


@check(
    "lets a known name keep its id and uses up none for it",
    points=0.25,
    hint="A name that has an id already keeps it, and the next new name gets the next id all the same; a name that "
    "comes twice counts once.",
)
def test_add_special_tokens__keeps_known_names(student):
    vocab = {"a": 0, "[PAD]": 1, "b": 2}
    new_id = "A name that has an id already keeps it."
    gap = "A known name uses up no id: count on only when a name is new."
    expect_equal(
        student.add_special_tokens(vocab, ["[CLS]", "[PAD]", "[SEP]"]),
        vocab | {"[CLS]": 3, "[SEP]": 4},
        misconceptions={
            new_id: vocab | {"[CLS]": 3, "[PAD]": 4, "[SEP]": 5},
            gap: vocab | {"[CLS]": 3, "[SEP]": 5},
        },
    )
    zero = "The id 0 is an id: ask `name in vocab`, not whether its id is true."
    expect_equal(
        student.add_special_tokens(vocab, ["a", "[SEP]"]),
        vocab | {"[SEP]": 3},
        misconceptions={zero: vocab | {"a": 3, "[SEP]": 4}, gap: vocab | {"[SEP]": 4}},
    )
    expect_equal(
        student.add_special_tokens(vocab, ["[X]", "[X]", "[Y]"]),
        vocab | {"[X]": 3, "[Y]": 4},
        misconceptions={
            "A name that comes twice gets one id.": vocab | {"[X]": 4, "[Y]": 5},
            gap: vocab | {"[X]": 3, "[Y]": 5},
        },
    )


@check(
    "returns the whole vocabulary with the old ids",
    points=0.25,
    hint="The result holds the old tokens with the ids that they had, and the new names beside them.",
)
def test_add_special_tokens__keeps_the_old_ids(student):
    vocab = {"the": 0, "##s": 1, "bank": 2}
    names = ["[MASK]"]
    expect_equal(
        student.add_special_tokens(vocab, names),
        {"the": 0, "##s": 1, "bank": 2, "[MASK]": 3},
        misconceptions={
            "The old tokens are missing: return the whole vocabulary.": {"[MASK]": 3},
            "No old id may move: the special tokens come behind, not in front.": {
                "[MASK]": 0,
                "the": 1,
                "##s": 2,
                "bank": 3,
            },
            "No old id may move: do not sort.": {token: i for i, token in enumerate(sorted([*vocab, *names]))},
        },
    )


@check(
    "makes a new dictionary, and begins at 0 where there is none",
    points=0.25,
    hint="Write into a copy, dict(vocab), and leave vocab and names as they were. The first id of an empty vocabulary "
    "is 0.",
)
def test_add_special_tokens__leaves_the_vocabulary_alone(student):
    vocab, names = {"a": 0, "c": 1}, ["[B]"]
    result, afterwards = student.call("add_special_tokens", vocab, names, keep_arguments=True)
    expect_equal(result, {"a": 0, "c": 1, "[B]": 2})
    expect_equal(list(afterwards), [{"a": 0, "c": 1}, ["[B]"]])
    expect_equal(student.add_special_tokens(vocab={}, names=["[PAD]"]), {"[PAD]": 0})
