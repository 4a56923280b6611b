# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Week 3, notebook 1: what is a token?
#
# | | |
# |---|---|
# | **You build** | byte-pair encoding, trained and applied; WordPiece's cut; a vocabulary with special tokens |
# | **You need** | Python's dictionaries, lists and strings; no PyTorch in this notebook |
# | **Time** | about 60 minutes; everything runs in about half a minute |
# | **Points** | 11 |

# %% [markdown]
# ## Before the first embedding
#
# A Transformer reads numbers: the ids of *tokens* from a fixed vocabulary. In our stories a token was a word, and no
# story held a word that the vocabulary did not. Other texts have such words, and a list of words has nothing to say to
# them. So a **tokenizer** stands before every model that you know: it cuts any text into pieces from a list that was
# made beforehand.
#
# It is learned from text before the model sees any of it, and the model can never undo what it does. The last section
# shows whom that hurts.

# %% setup=true
from collections import Counter

from course.checks import check_equal, check_true

# %%
word_ids = {"the": 0, "bank": 1, "opens": 2}
print([word_ids.get(word, "[UNK]") for word in ("the", "bank", "reopens")])

# %% [markdown]
# ## 1 Words never stop coming
#
# Our real text needs no download: the language reference that Python brings along and `help()` shows. Names and
# listings aside, it is plain English prose. Its paragraphs are split once and for all into parts for training, choosing
# and reporting. `split_words` cuts a text into words and leaves the space on the word behind it, so that the words
# joined again are the text.

# %%
from course.bpe import count_words, split_words
from course.real_text import python_documentation
from course.stories import Stories

documentation, stories = python_documentation(), Stories.load()
tales = [label["english"] for label in stories.labels("translation", "valid")[:200]]
print(documentation.train[0], "\n")
print(split_words(documentation.train[0])[:12])

# %% [markdown]
# **Predict before you run the next cell.** You read the training part word by word and write down each new one.
#
# - Does the list of words level off before the text ends?
# - Which share of the words in *unseen* paragraphs is not on the list? And which share of the words in our stories,
#   which a child could read?

# %%
from course.figures import show
from course.figures.week3_tokens import cost_by_language, growth_of_vocabulary, seconds_by_merges, text_by_merges

words = [word for document in documentation.train for word in split_words(document)]
known_words, known_characters, growth = set(), set(), []
for i, word in enumerate(words, 1):
    known_words.add(word)
    known_characters.update(word)
    if i % 1000 == 0:
        growth.append((i, len(known_words), len(known_characters)))

for name, texts in {"unseen paragraphs": documentation.valid, "our stories": tales}.items():
    counts = count_words(texts)
    n_unknown = sum(count for word, count in counts.items() if word not in known_words)
    print(f"{name:>17}: {n_unknown / counts.total():.1%} of the words are not on the list")

# %%
figure, _ = growth_of_vocabulary(growth)
show(figure, alt="The number of different words still climbs at the end of the text; that of characters is flat.")

# %% [markdown]
# A word that is not on the list becomes `[UNK]`, and what it meant is gone. A longer list does not help: the rows of
# its rare words are hardly ever trained.
#
# Characters are the other extreme. There are few of them, and nearly every text can be written. But a sentence becomes
# several times as long, and attention pays for length squared. We want pieces in between: frequent words whole, rare
# words in parts that other words share.

# %% [markdown]
# ## 2 Learn the pieces: byte-pair encoding
#
# Gage (1994) compressed files by giving the most frequent pair of bytes a sign of its own, again and again. Sennrich,
# Haddow and Birch (2016, section 3.2) made a vocabulary of it:
#
# 1. Write each word as a row of symbols, at first its characters.
# 2. Count each pair of neighbouring symbols, over all words, each word as often as it occurs.
# 3. Join the most frequent pair to one new symbol, wherever it stands. That is one *merge*. Go back to 2.

# %% [markdown]
# A worked example: *bank* occurs 4 times, *banks* 2 times, *rank* once.
#
# | step | words | best pairs | merge |
# |---|---|---|---|
# | 1 | `b a n k`, `b a n k s`, `r a n k` | (a, n) 7, (n, k) 7, (b, a) 6 | (n, k) |
# | 2 | `b a nk`, `b a nk s`, `r a nk` | (a, nk) 7, (b, a) 6 | (a, nk) |
# | 3 | `b ank`, `b ank s`, `r ank` | (b, ank) 6, (ank, s) 2 | (b, ank) |
# | 4 | `bank`, `bank s`, `r ank` | (bank, s) 2, (r, ank) 1 | (bank, s) |

# %% [markdown]
# In step 1 two pairs are level. Any rule will do, so long as everybody has the same one. Ours: **the greatest pair
# wins**, as Python compares tuples of strings: first parts first, and second parts where the first are equal.
# ("n", "k") is greater than ("a", "n").
#
# Repeated letters need care. `a a a` holds the pair (a, a) **twice**: it counts 2. But joining goes from left to right
# and uses no symbol twice, so it gives `aa a`.


# %% exercise="train_bpe" points=4
def train_bpe(word_counts: dict[str, int], n_merges: int) -> list[tuple[str, str]]:
    """Return the merges of byte-pair encoding, in the order in which they are learned.

    Args:
        word_counts: how often each word occurs, 1 or more. Its characters are the first symbols; no mark is added at
            its end, and no pair reaches from one word into another. Not changed.
        n_merges: how many merges to learn, 0 or more.

    Returns:
        One pair of symbols for each merge: at each step the pair with the highest count over the words as they stand
        then, and of several such pairs the greatest. A pair that occurs once may be merged too. Fewer than n_merges
        when no pair is left.

    Example:
        >>> train_bpe({"bank": 4, "banks": 2, "rank": 1}, 3)
        [('n', 'k'), ('a', 'nk'), ('b', 'ank')]
    """
    ### BEGIN SOLUTION
    symbols_of = {word: list(word) for word in word_counts}
    merges = []
    while len(merges) < n_merges:
        pair_counts = Counter()
        for word, symbols in symbols_of.items():
            for pair in zip(symbols, symbols[1:], strict=False):
                pair_counts[pair] += word_counts[word]
        if not pair_counts:
            break
        best = max(pair_counts, key=lambda pair: (pair_counts[pair], pair))
        merges.append(best)
        for word, symbols in symbols_of.items():
            joined, i = [], 0
            while i < len(symbols):
                width = 2 if tuple(symbols[i : i + 2]) == best else 1
                joined.append("".join(symbols[i : i + width]))
                i += width
            symbols_of[word] = joined
    return merges
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: what do I keep, and what do I do for each merge?</summary>
#
# Keep one list of symbols for each word: `list("bank")` is `["b", "a", "n", "k"]`. For each merge go twice over all
# words: once to count the pairs, once to join the best. A Counter adds the word's count, not 1. `max` with
# `key=lambda pair: (counts[pair], pair)` settles ties as asked.
#
# </details>
#
# <details><summary>Hint 2: how do I join a pair?</summary>
#
# Walk through the old list with a `while` loop and build a new one. Where symbols i and i + 1 are the pair, append
# the two as one string and go on at i + 2; else append symbol i and go on at i + 1. Do not use `str.replace` on a
# joined string: in "xa b" it finds "a b", though there is no symbol a.
#
# </details>

# %% check="train_bpe"
counts = {"bank": 4, "banks": 2, "rank": 1}
check_equal(train_bpe(counts, 3), [("n", "k"), ("a", "nk"), ("b", "ank")], "the worked example, three merges")
check_equal(train_bpe(counts, 99)[3:], [("bank", "s"), ("r", "ank")], "it stops when every word is one symbol")
check_equal(
    train_bpe({"aaa": 1, "bc": 1}, 3),
    [("a", "a"), ("b", "c"), ("aa", "a")],
    "aaa holds (a, a) twice, and becomes aa a",
)
check_equal(counts, {"bank": 4, "banks": 2, "rank": 1}, "the counts are left alone")

# %% [markdown]
# ## 3 The price of counting again
#
# Your function goes through all the words for each merge. `course.bpe` has another one, which later weeks use. It
# learns the same merges.
#
# **Predict:** forty merges on the documentation are done in a moment. How long will yours take for 1,000? And one that
# walks through the running text, in place of a table in which each different word stands once?

# %%
from course.bpe import train_bpe as quick_bpe
from course.measuring import best_seconds

word_counts = count_words(documentation.train)
slow_n, quick_n = [5, 10, 20, 40], [5, 10, 20, 40, 200, 1000]
slow = [best_seconds(lambda n=n: train_bpe(word_counts, n), repeats=1) for n in slow_n]
quick = [best_seconds(lambda n=n: quick_bpe(word_counts, n), repeats=3) for n in quick_n]
merges = quick_bpe(word_counts, 1000)
print("The first 40 merges are the same:", train_bpe(word_counts, 40) == merges[:40])
each = (slow[-1] - slow[0]) / (slow_n[-1] - slow_n[0])
print(f"1,000 merges: yours would take {1000 * each:.0f} s, the other one took {quick[-1]:.1f} s")
print(f"Walking through the running text: {1000 * each * word_counts.total() / len(word_counts):.0f} s")

# %%
figure, _ = seconds_by_merges({"count again for each merge": (slow_n, slow), "touch what changes": (quick_n, quick)})
show(figure, alt="Seconds against merges: counting again rises in proportion, touching what changes hardly rises.")

# %% [markdown]
# Where does the time go? A merge changes only the words that hold its pair, and most pairs are rare. `course.bpe` keeps
# the count of every pair, and for every pair a list of the words that hold it. A merge then visits those words alone,
# takes their old pairs out of the counts and puts the new ones in. Finding the best pair costs little: a heap has it on
# top.
#
# Yours pays (merges) x (all words). GPT-2 learned some 50,000 merges on far more words: there the difference is days.

# %%
for first in (0, 100, 985):
    shown = ", ".join(repr(left + right) for left, right in merges[first : first + 15])
    print(f"merges {first + 1:3d} to {first + 15:3d}: {shown}")

# %% [markdown]
# The first merges are frequent letters, then endings and short words, at last whole words of this text. Nobody told the
# program what an ending is.
#
# ## 4 Apply the pieces
#
# A new word is cut by replaying the training. Begin with its characters. Of all the pairs of neighbours that were ever
# merged, join the one that was learned **first**, everywhere in the word, from left to right. Repeat until no pair of
# neighbours was ever merged.

# %% [markdown]
# The order of the *merges* decides, not the order in the word. With the merges 1. (n, k), 2. (a, nk), 3. (t, h),
# 4. (h, ank):
#
# | word | step by step |
# |---|---|
# | `thanks` | `t h a n k s`, `t h a nk s`, `t h ank s`, `th ank s` |
# | `hanks` | `h a n k s`, `h a nk s`, `h ank s`, `hank s` |
# | `tank` | `t a n k`, `t a nk`, `t ank` |

# %% [markdown]
# In `thanks`, both (t, h) and (h, ank) could be joined in the last step, and (t, h) was learned before (h, ank). A
# character that no merge knows simply stays: what the vocabulary does with it is not decided here.


# %% exercise="bpe_encode" points=3
def bpe_encode(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """Return the symbols that a word is cut into.

    Args:
        word: any string, the empty one too.
        merges: pairs of symbols in the order in which they were learned, as `train_bpe` gives them. Not changed.

    Returns:
        Symbols that joined together are the word: its characters, after all possible merges were made, the one that
        stands first in `merges` first. No character is lost, known or unknown.

    Example:
        >>> bpe_encode("thanks", [("n", "k"), ("a", "nk"), ("t", "h"), ("h", "ank")])
        ['th', 'ank', 's']
    """
    ### BEGIN SOLUTION
    symbols = list(word)
    ranks = {pair: rank for rank, pair in reversed(list(enumerate(merges)))}
    while True:
        known = [pair for pair in zip(symbols, symbols[1:], strict=False) if pair in ranks]
        if not known:
            return symbols
        best = min(known, key=ranks.get)
        joined, i = [], 0
        while i < len(symbols):
            width = 2 if tuple(symbols[i : i + 2]) == best else 1
            joined.append("".join(symbols[i : i + width]))
            i += width
        symbols = joined
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which pair comes next?</summary>
#
# Look at all pairs of neighbours that the word holds *now*, keep those that are in `merges`, and take the one with the
# smallest index. A dictionary from pair to index finds it quickly. Or go through `merges` from the first to the last
# and join each where it stands: that replays the training.
#
# </details>
#
# <details><summary>Hint 2: when am I done?</summary>
#
# When no pair of neighbours is in `merges`. After each merge there are new neighbours, so look again. Joining a pair
# works as in `train_bpe`: from left to right, no symbol used twice, and on lists of symbols, not on strings.
#
# </details>

# %% check="bpe_encode"
learned = [("n", "k"), ("a", "nk"), ("t", "h"), ("h", "ank")]
check_equal(bpe_encode("thanks", learned), ["th", "ank", "s"], "(t, h) was learned before (h, ank)")
check_equal(bpe_encode("hanks", learned), ["hank", "s"], "without the t, (h, ank) has its turn")
check_equal(bpe_encode("bänke", learned), ["b", "ä", "nk", "e"], "what no merge knows stays as it is")
check_equal(bpe_encode("aaaaa", [("a", "a")]), ["aa", "aa", "a"], "from the left, everywhere, none twice")

# %% [markdown]
# Now cut some words with what the documentation taught. **Predict:** which of these come out whole, and where are the
# others cut?

# %%
for word in (" assignment", " puppies", " bank", " unhashable", " unforgettable", " 은행"):
    print(f"{word:>15}  ", " | ".join(bpe_encode(word, merges)))

# %% [markdown]
# Words of the documentation come out whole, words of a children's story in crumbs, and Korean syllables stay alone: the
# vocabulary knows what its text spoke of. How many merges are enough? **Predict** two curves: the number of tokens in a
# sentence against the number of merges, for unseen documentation and for our stories. How near do
# they come to one token a word?

# %%
import re
from functools import lru_cache


def n_sentences(texts: list[str]) -> int:
    return sum(len(re.findall(r"[.?!](?=\s|$)", text)) for text in texts)


def n_tokens(texts: list[str], merges: list[tuple[str, str]], view=lambda word: word) -> int:
    """Return how many symbols the texts have; each different word is cut once."""
    cut = lru_cache(None)(lambda word: len(bpe_encode(view(word), merges)))
    return sum(count * cut(word) for word, count in count_words(texts).items())


amounts, curves = [0, 10, 30, 100, 300, 1000], {}
for name, texts in {"unseen documentation": documentation.valid, "our stories": tales}.items():
    counts = [n_tokens(texts, merges[:n]) for n in amounts]
    n_bytes = sum(len(text.encode("utf-8")) for text in texts)
    per_sentence = [count / n_sentences(texts) for count in counts]
    curves[name] = (
        per_sentence,
        [n_bytes / count for count in counts],
        count_words(texts).total() / n_sentences(texts),
    )
    print(f"{name}: {per_sentence[0]:.1f} characters, {per_sentence[-1]:.1f} tokens a sentence")

# %%
figure, _ = text_by_merges(amounts, curves)
show(
    figure,
    alt="Tokens per sentence fall and bytes per token rise with the number of merges, quickly at first; on the stories "
    "the curves end far from one token a word.",
)

# %% [markdown]
# Each merge buys less than the one before it: look at the axis, where each step takes about three times as many merges.
# Real vocabularies stop at some tens of thousands. And merges learned from one kind of text help another kind less.
#
# ## 5 WordPiece: the longest match
#
# BERT uses another cut, **WordPiece** (Schuster and Nakajima 2012; Devlin et al. 2019). It keeps no merges, only the
# vocabulary. From the left it takes the *longest* piece that fits, then the longest that fits behind it, and so on.

# %% [markdown]
# A piece that goes on inside a word is written with `##` in front: `##s` ends *banks*, while `s` begins *sea*. They are
# different tokens. With the vocabulary {`bank`, `b`, `##an`, `##s`, `##ker`, `##k`}:
#
# | word | tokens |
# |---|---|
# | `banks` | `bank`, `##s` |
# | `bans` | `b`, `##an`, `##s` |
# | `banked` | `[UNK]`: after `bank`, `##k` does not fit, nor does any other piece |

# %% [markdown]
# Two rules are easy to miss. If *any* part of the word finds no piece, the **whole word** becomes one `[UNK]`. And the
# search never goes back: a long piece is kept, even if nothing fits behind it.
#
# **Before you go on:** with {`a`, `ab`, `##bc`}, what becomes of `abc`?

# %% [markdown]
# <details><summary>Answer</summary>
#
# `[UNK]`. The longest piece that begins the word is `ab`, and then `##c` is not there. That `a`, `##bc` would have
# worked is never tried.
#
# </details>


# %% exercise="wordpiece_encode" points=3
def wordpiece_encode(word: str, vocab: set[str], unk: str = "[UNK]") -> list[str]:
    """Return the WordPiece tokens of a word: from the left, the longest piece of the vocabulary each time.

    Args:
        word: at least one character, without spaces.
        vocab: pieces that begin a word, and, with ## in front, pieces that go on inside one. Not changed.
        unk: the token for a word that cannot be cut.

    Returns:
        The tokens, as they stand in the vocabulary, ## included. A list with unk alone if at any place no piece fits;
        the search never goes back to try a shorter piece.

    Example:
        >>> wordpiece_encode("banks", {"bank", "b", "##an", "##s"})
        ['bank', '##s']
    """
    ### BEGIN SOLUTION
    tokens, start = [], 0
    while start < len(word):
        mark = "##" if start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if mark + word[start:end] in vocab), None)
        if end is None:
            return [unk]
        tokens.append(mark + word[start:end])
        start = end
    return tokens
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how do I find the longest piece?</summary>
#
# Keep `start`, where the next piece begins. Try the ends from `len(word)` down to `start + 1` and stop at the first one
# for which `word[start:end]`, with `##` in front unless `start` is 0, is in the vocabulary. Then `start = end`.
#
# </details>
#
# <details><summary>Hint 2: what if none fits?</summary>
#
# Then the answer is `[unk]`, a list with one token, whatever was found before. Return it at once. The `##` belongs to
# the token and not to the word: it must not move `start` on by two.
#
# </details>

# %% check="wordpiece_encode"
pieces = {"bank", "b", "##an", "##s", "##ker", "##k"}
check_equal(wordpiece_encode("banks", pieces), ["bank", "##s"], "the longest first piece, then ##s")
check_equal(wordpiece_encode("bans", pieces), ["b", "##an", "##s"], "inside a word, pieces carry ##")
check_equal(wordpiece_encode("banked", pieces), ["[UNK]"], "one part fails, and the whole word is unknown")
check_equal(wordpiece_encode("abc", {"a", "ab", "##bc"}, "?"), ["?"], "it never goes back, and unk may be any token")

# %% [markdown]
# Same pieces, two ways to cut. The next cell takes the pieces that BPE made of the documentation's words, as BERT would
# write them, and cuts unseen words both ways. **Predict:** how often do the two cuts differ?

# %%
bare_counts = Counter()
for word, count in word_counts.items():
    bare_counts[word.strip()] += count
bare_merges = quick_bpe(bare_counts, 1000)
pieces = {mark + piece for word in bare_counts for piece in bpe_encode(word, bare_merges) for mark in ("", "##")}

unseen = [word.strip() for word in count_words(documentation.valid) if word.strip() not in bare_counts]
cuts = {word: (bpe_encode(word, bare_merges), wordpiece_encode(word, pieces)) for word in unseen}
differ = [w for w, (bpe, wordpiece) in cuts.items() if bpe != [piece.removeprefix("##") for piece in wordpiece]]
print(f"{len(differ) / len(cuts):.0%} of {len(cuts)} unseen words are cut differently, such as\n")
for word in [word for word in differ if 8 < len(word) < 14][:5]:
    print(f"{word:>18}   BPE {' | '.join(cuts[word][0])}   WordPiece {' | '.join(cuts[word][1])}")

# %% [markdown]
# Neither gives up on words that it never saw. WordPiece prefers a long beginning, BPE the pairs that it learned early.
# BERT's own pieces were learned by a related rule (Schuster and Nakajima 2012): it joins the pair that makes the text
# most likely, and not the most frequent one. A pair of frequent symbols must then be more frequent than chance.
#
# ## 6 Tokens that are no words
#
# The next notebook needs tokens that stand in no text: `[MASK]` where a word was hidden, `[CLS]` before and `[SEP]`
# behind a sentence, `[PAD]` where there is nothing. **Predict:** what does a tokenizer make of the string `[MASK]`?

# %%
print("BPE:", bpe_encode("[MASK]", merges), "  WordPiece:", wordpiece_encode("[MASK]", pieces))
vocab = {piece: i for i, piece in enumerate(sorted(pieces))}
print(f"a vocabulary of {len(vocab)} pieces; ids go up to {max(vocab.values())}")

# %% [markdown]
# A special token gets an id of its own, and is never cut. It joins a vocabulary that a model may be trained with
# already. So **no old id may move**: row 17 of the embedding matrix would suddenly mean something else. New names get
# the ids after the *highest* id, which need not be the number of tokens: vocabularies have gaps.
#
# A worked example: {`a`: 0, `b`: 5} and the names `[PAD]`, `b`, `[MASK]` give {`a`: 0, `b`: 5, `[PAD]`: 6,
# `[MASK]`: 7}. The known `b` keeps its id, and uses up none.


# %% exercise="add_special_tokens" points=1
def add_special_tokens(vocab: dict[str, int], names: list[str]) -> dict[str, int]:
    """Return the vocabulary with the names added behind it.

    Args:
        vocab: token to id, ids 0 or more, gaps allowed; it may be empty. Not changed.
        names: tokens to add, in this order. A name that has an id already keeps it.

    Returns:
        A new dictionary: all old tokens with their old ids, then the new names with the ids that follow the highest
        one, each used once. An empty vocabulary's first id is 0.

    Example:
        >>> add_special_tokens({"a": 0, "b": 5}, ["[PAD]", "b", "[MASK]"])
        {'a': 0, 'b': 5, '[PAD]': 6, '[MASK]': 7}
    """
    ### BEGIN SOLUTION
    extended = dict(vocab)
    next_id = max(vocab.values(), default=-1) + 1
    for name in names:
        if name not in extended:
            extended[name] = next_id
            next_id += 1
    return extended
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: where do the new ids begin?</summary>
#
# One above the highest id there is. `max(..., default=-1)` helps with an empty vocabulary. `len(vocab)` is the same
# number only while there are no gaps.
#
# </details>
#
# <details><summary>Hint 2: a copy, please</summary>
#
# `dict(vocab)` is a new dictionary with the same entries: write into that one. Give out an id only when the name is
# not there yet, and count on only then.
#
# </details>

# %% check="add_special_tokens"
small = {"a": 0, "b": 5}
check_equal(
    add_special_tokens(small, ["[PAD]", "b", "[MASK]"]), {"a": 0, "b": 5, "[PAD]": 6, "[MASK]": 7}, "the worked example"
)
check_equal(add_special_tokens({}, ["[PAD]"]), {"[PAD]": 0}, "an empty vocabulary begins with id 0")
check_true(small == {"a": 0, "b": 5}, "the old vocabulary is left alone", cause="write into a copy.")

# %%
full_vocab = add_special_tokens(vocab, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
sentence = ["The", "name", "is", "bound", "to", "a", "generator"]
tokens = ["[CLS]", *(piece for word in sentence for piece in wordpiece_encode(word, pieces)), "[SEP]"]
print(" ".join(tokens), [full_vocab[token] for token in tokens], sep="\n")

# %% [markdown]
# ## 7 One story, two languages
#
# Our stories have Korean translations. A sentence says the same in both languages, so it ought to cost the same.
# Hangul writes a whole syllable in one character: 은행, *bank*, has two.
#
# A vocabulary learned from English has no merges for them. As characters they would nearly all be `[UNK]`. GPT-2 and
# RoBERTa avoid that: their symbols are the 256 **bytes**, of which every text is made (Radford et al. 2019, section
# 2.2). Nothing is unknown. What does it cost?

# %% [markdown]
# **Predict before you run the next cells**, for one average sentence:
#
# - Which language needs fewer *characters*?
# - Which needs fewer *tokens*, when a byte-level BPE learned its merges from the documentation? By what factor?
# - What becomes of the factor when it learns from English stories too? And when it learns from their Korean
#   translations as well?

# %%
from course.bpe import as_bytes

translations = stories.labels("translation", "train")[:5000]
korean_tales = [label["korean"] for label in stories.labels("translation", "valid")[:200]]
print("은행 as bytes:", list("은행".encode()), "and bank:", list(b"bank"))


def byte_merges(texts: list[str]) -> list[tuple[str, str]]:
    """Return 1,000 merges over bytes, each written as one character."""
    return quick_bpe({as_bytes(word): count for word, count in count_words(texts).items()}, 1000)


text, learned_from = documentation.train, {}
learned_from["documentation"] = byte_merges(text)
for language in ("english", "korean"):
    text = text + [label[language] for label in translations]
    learned_from[f"and {language.title()} stories"] = byte_merges(text)

# %%
both = {"English": tales, "Korean": korean_tales}
costs = {"characters": {language: sum(map(len, texts)) for language, texts in both.items()}}
costs["bytes"] = {language: sum(len(text.encode("utf-8")) for text in texts) for language, texts in both.items()}
for name, byte_pairs in learned_from.items():
    costs[f"BPE: {name}"] = {language: n_tokens(texts, byte_pairs, as_bytes) for language, texts in both.items()}

per_sentence = {
    name: {language: count / n_sentences(tales) for language, count in cost.items()} for name, cost in costs.items()
}
ratios = {name: cost["Korean"] / cost["English"] for name, cost in per_sentence.items()}
for name, cost in per_sentence.items():
    print(f"{name:>24}: English {cost['English']:4.1f}, Korean {cost['Korean']:4.1f}, ratio {ratios[name]:.2f}")
pairs = ratios["BPE: documentation"] ** 2
print(f"\nUnder merges from the documentation, attention compares {pairs:.0f} times as many pairs of tokens in Korean.")

# %%
figure, _ = cost_by_language(per_sentence)
show(
    figure,
    alt="Bars of symbols per sentence in English and Korean: fewer characters in Korean, but several times the tokens "
    "under merges learned from English, and nearly the same number when they were learned from Korean too.",
)

# %% [markdown]
# Korean is the *shorter* language in characters. Under English merges it falls apart, not into syllables but into
# bytes, three for each syllable, and hardly a merge helps. More English makes the gap wider. The same story then fills
# the context window several times over, and who pays by the token pays for it (Petrov et al. 2023; Ahia et al. 2023).
#
# Nothing about Korean makes it costly. Let the merges learn from some Korean, and the gap all but closes. It was opened
# before the first step of training, by what was left out of a word count.

# %% [markdown]
# ## In practice
#
# BERT has about 30,000 WordPieces, GPT-2 and RoBERTa about 50,000 byte-level tokens. T5 uses SentencePiece (Kudo and
# Richardson 2018), for which the space is a symbol like any other. Texts are normalised first, and that matters:
# Unicode can write 은 as one character or as three. A tokenizer belongs to its model: another one's ids mean nothing
# to it.

# %% [markdown]
# ## What now works
#
# You can turn any text into ids from a fixed list: learn the pieces from counts, apply them to new words, cut as BERT
# does, and add tokens that stand for no word.

# %% [markdown]
# ## What comes next
#
# One of those tokens is `[MASK]`. The next notebook hides words behind it and asks for them back. Our stories go on
# with one token a word, because for those the best possible loss is known.
