# %% wrong="each word counted once" exercise="train_bpe" hint="add its count for each pair"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += 1
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    return merges


# %% wrong="a pair counted once a word" exercise="train_bpe" hint="counts twice for it"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in set(zip(symbols, symbols[1:])):
                counts[pair] += count
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    return merges


# %% wrong="pairs counted once, at the beginning" exercise="train_bpe" hint="counted once, at the beginning"
def train_bpe(word_counts, n_merges):
    counts = Counter()
    for word, count in word_counts.items():
        for pair in zip(word, word[1:]):
            counts[pair] += count
    ranked = sorted(counts, key=lambda pair: (counts[pair], pair), reverse=True)
    return ranked[:n_merges]


# %% wrong="ties to the pair met first" exercise="train_bpe" hint="the one that was met first"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = counts.most_common(1)[0][0]
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    return merges


# %% wrong="ties to the smallest pair" exercise="train_bpe" hint="you took the smallest"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    return merges


# %% wrong="ties by the joined string" exercise="train_bpe" hint="you compared the joined strings"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair[0] + pair[1]))
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    return merges


# %% wrong="ties to the pair met last" exercise="train_bpe" hint="the one that was met last"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = max(reversed(list(counts)), key=lambda pair: counts[pair])
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    return merges


# %% wrong="overlapping places counted once" exercise="train_bpe" hint="holds the pair (a, a) twice"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            previous, used = None, False
            for pair in zip(symbols, symbols[1:]):
                used = pair == previous and not used
                counts[pair] += 0 if used else count
                previous = pair
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    return merges


# %% wrong="overlapping merges" exercise="train_bpe" hint="cannot be in two joined pairs"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for symbols, _ in words:
            hits = [i for i, pair in enumerate(zip(symbols, symbols[1:])) if pair == best]
            joined = ["".join(best) if i in hits else symbol for i, symbol in enumerate(symbols)]
            symbols[:] = [s for i, s in enumerate(joined) if i in hits or i - 1 not in hits]
    return merges


# %% wrong="joined from the right" exercise="train_bpe" hint="Join from the left"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for symbols, _ in words:
            i = len(symbols) - 1
            while i > 0:
                if (symbols[i - 1], symbols[i]) == best:
                    symbols[i - 1 : i + 1] = [best[0] + best[1]]
                    i -= 1
                i -= 1
    return merges


# %% wrong="only the first place in a word" exercise="train_bpe" hint="not only at the first"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                    break
                i += 1
    return merges


# %% wrong="str.replace on the spaced word" exercise="train_bpe" hint="though str.replace finds one"
def train_bpe(word_counts, n_merges):
    words = {" ".join(word): count for word, count in word_counts.items()}
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for text, count in words.items():
            symbols = text.split(" ")
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        words = {text.replace(" ".join(best), "".join(best)): count for text, count in words.items()}
    return merges


# %% wrong="a pair seen once is left" exercise="train_bpe" hint="occurs once may be merged too"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        if counts[best] < 2:
            break
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    return merges


# %% wrong="max of nothing" exercise="train_bpe" hint="return the merges so far"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    return merges


# %% wrong="one long text" exercise="train_bpe" hint="A pair stands within one word"
def train_bpe(word_counts, n_merges):
    symbols = [symbol for word, count in word_counts.items() for _ in range(count) for symbol in word]
    merges = []
    for _ in range(n_merges):
        counts = Counter(zip(symbols, symbols[1:]))
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        i = 0
        while i < len(symbols) - 1:
            if (symbols[i], symbols[i + 1]) == best:
                symbols[i : i + 2] = ["".join(best)]
            i += 1
    return merges


# %% wrong="a mark at the end of the word" exercise="train_bpe" hint="no mark"
def train_bpe(word_counts, n_merges):
    words = [([*word, "</w>"], count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    return merges


# %% wrong="strings instead of pairs" exercise="train_bpe" hint="not the string that they give"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    return ["".join(pair) for pair in merges]


# %% wrong="lists instead of tuples" exercise="train_bpe" hint="a list of tuples"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(list(best))
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    return merges


# %% wrong="uses up the counts" exercise="train_bpe" hint="word_counts is only read"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    word_counts.clear()
    return merges


# %% wrong="one merge too many" exercise="train_bpe" hint="n_merges may be 0"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(max(1, n_merges)):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    return merges


# %% wrong="no merges" exercise="train_bpe" hint="add word_counts[word]"
def train_bpe(word_counts, n_merges):
    return []


# %% wrong="ties to the longest pair" exercise="train_bpe" hint="you took the longest"
def train_bpe(word_counts, n_merges):
    words = {w: list(w) for w in word_counts}
    merges = []
    for _ in range(n_merges):
        counts = {}
        for w, n in word_counts.items():
            s = words[w]
            for i in range(len(s) - 1):
                pair = (s[i], s[i + 1])
                counts[pair] = counts.get(pair, 0) + n
        if not counts:
            break
        best = max(counts, key=lambda p: (counts[p], len(p[0] + p[1]), p))
        merges.append(best)
        for w, s in words.items():
            new, i = [], 0
            while i < len(s):
                if i + 1 < len(s) and (s[i], s[i + 1]) == best:
                    new.append(s[i] + s[i + 1])
                    i += 2
                else:
                    new.append(s[i])
                    i += 1
            words[w] = new
    return merges


# %% wrong="split at spaces, which are lost" exercise="train_bpe" hint="A space is a character"
import re


def train_bpe(word_counts, n_merges):
    words = {" ".join(w): n for w, n in word_counts.items()}
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for w, n in words.items():
            s = w.split()
            for p in zip(s, s[1:]):
                counts[p] += n
        if not counts:
            break
        best = max(counts, key=lambda p: (counts[p], p))
        merges.append(best)
        pattern = re.compile(r"(?<!\S)" + re.escape(" ".join(best)) + r"(?!\S)")
        words = {pattern.sub("".join(best), w): n for w, n in words.items()}
    return merges


# %% wrong="small letters only" exercise="train_bpe" hint="'O' and 'o' are two symbols"
def train_bpe(word_counts, n_merges):
    words = {tuple(w.lower()): n for w, n in word_counts.items()}
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for s, n in words.items():
            for p in zip(s, s[1:]):
                counts[p] += n
        if not counts:
            break
        best = max(counts, key=lambda p: (counts[p], p))
        merges.append(best)
        table = {}
        for s, n in words.items():
            new, i = [], 0
            while i < len(s):
                if tuple(s[i : i + 2]) == best:
                    new.append(best[0] + best[1])
                    i += 2
                else:
                    new.append(s[i])
                    i += 1
            table[tuple(new)] = n
        words = table
    return merges


# %% right="lists changed where they stand" exercise="train_bpe"
def train_bpe(word_counts, n_merges):
    words = [(list(word), count) for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += count
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [best[0] + best[1]]
                i += 1
    return merges


# %% right="strings with a space around each symbol" exercise="train_bpe"
def train_bpe(word_counts, n_merges):
    import re

    words = [("\0".join(word), count) for word, count in word_counts.items()]
    merges = []
    while len(merges) < n_merges:
        counts = {}
        for text, count in words:
            symbols = text.split("\0")
            for i in range(len(symbols) - 1):
                pair = symbols[i], symbols[i + 1]
                counts[pair] = counts.get(pair, 0) + count
        if not counts:
            return merges
        best = sorted((count, pair) for pair, count in counts.items())[-1][1]
        merges.append(best)
        pattern = re.compile(r"(?<![^\0])" + re.escape("\0".join(best)) + r"(?![^\0])")
        words = [(pattern.sub(lambda _: "".join(best), text), count) for text, count in words]
    return merges


# %% right="functions inside, words as tuples" exercise="train_bpe"
def train_bpe(word_counts, n_merges):
    def count(words):
        pairs = Counter()
        for symbols, n in words:
            pairs.update({pair: n * c for pair, c in Counter(zip(symbols, symbols[1:])).items()})
        return pairs

    def join(symbols, pair):
        if len(symbols) < 2:
            return symbols
        if symbols[:2] == pair:
            return (pair[0] + pair[1], *join(symbols[2:], pair))
        return (symbols[0], *join(symbols[1:], pair))

    words, merges = [(tuple(word), n) for word, n in word_counts.items()], []
    for _ in range(n_merges):
        pairs = count(words)
        if pairs:
            top = max(pairs.values())
            merges.append(max(pair for pair, n in pairs.items() if n == top))
            words = [(join(symbols, merges[-1]), n) for symbols, n in words]
    return merges


# %% right="counts kept up to date" exercise="train_bpe"
def train_bpe(word_counts, n_merges):
    words = [list(word) for word in word_counts]
    weights = list(word_counts.values())
    counts = Counter()
    for symbols, weight in zip(words, weights):
        for pair in zip(symbols, symbols[1:]):
            counts[pair] += weight
    merges = []
    while len(merges) < n_merges and any(counts.values()):
        top = max(counts.values())
        a, b = max(pair for pair in counts if counts[pair] == top)
        merges.append((a, b))
        for number, symbols in enumerate(words):
            if (a, b) not in zip(symbols, symbols[1:]):
                continue
            for pair in zip(symbols, symbols[1:]):
                counts[pair] -= weights[number]
            joined = []
            stack = symbols[::-1]
            while stack:
                symbol = stack.pop()
                if symbol == a and stack and stack[-1] == b:
                    symbol += stack.pop()
                joined.append(symbol)
            words[number] = joined
            for pair in zip(joined, joined[1:]):
                counts[pair] += weights[number]
    return merges


# %% right="recursion on the merges that are left" exercise="train_bpe"
def _join(symbols, pair):
    if len(symbols) < 2:
        return symbols
    if symbols[:2] == pair:
        return (pair[0] + pair[1],) + _join(symbols[2:], pair)
    return symbols[:1] + _join(symbols[1:], pair)


def train_bpe(word_counts, n_merges):
    def rest(table, left):
        if left == 0:
            return []
        pairs = Counter()
        for symbols, count in table:
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += count
        ranked = sorted(pairs.items(), key=lambda item: item[::-1])
        if not ranked:
            return []
        best = ranked[-1][0]
        return [best] + rest([(_join(s, best), c) for s, c in table], left - 1)

    return rest([(tuple(w), c) for w, c in word_counts.items()], n_merges)


# %% wrong="the first pair in the word" exercise="bpe_encode" hint="not the order in the word"
def bpe_encode(word, merges):
    symbols = list(word)
    while True:
        known = [pair for pair in zip(symbols, symbols[1:]) if pair in merges]
        if not known:
            break
        best = known[0]
        i = 0
        while i < len(symbols) - 1:
            if (symbols[i], symbols[i + 1]) == best:
                symbols[i : i + 2] = ["".join(best)]
            i += 1
    return symbols


# %% wrong="the last merge first" exercise="bpe_encode" hint="you begin with the one learned last"
def bpe_encode(word, merges):
    symbols = list(word)
    while True:
        known = [pair for pair in zip(symbols, symbols[1:]) if pair in merges]
        if not known:
            break
        best = max(known, key=merges.index)
        i = 0
        while i < len(symbols) - 1:
            if (symbols[i], symbols[i + 1]) == best:
                symbols[i : i + 2] = ["".join(best)]
            i += 1
    return symbols


# %% wrong="the longest piece from the left" exercise="bpe_encode" hint="as WordPiece does"
def bpe_encode(word, merges):
    known = {a + b for a, b in merges}
    symbols, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start + 1 and word[start:end] not in known:
            end -= 1
        symbols.append(word[start:end])
        start = end
    return symbols


# %% wrong="one merge only" exercise="bpe_encode" hint="look again until none of them"
def bpe_encode(word, merges):
    symbols = list(word)
    while True:
        known = [pair for pair in zip(symbols, symbols[1:]) if pair in merges]
        if not known:
            break
        best = min(known, key=merges.index)
        i = 0
        while i < len(symbols) - 1:
            if (symbols[i], symbols[i + 1]) == best:
                symbols[i : i + 2] = ["".join(best)]
            i += 1
        break
    return symbols


# %% wrong="pairs of characters only" exercise="bpe_encode" hint="not only on the characters"
def bpe_encode(word, merges):
    symbols = list(word)
    for a, b in merges:
        if len(a) > 1 or len(b) > 1:
            continue
        i = 0
        while i < len(symbols) - 1:
            if symbols[i] == a and symbols[i + 1] == b:
                symbols[i : i + 2] = [a + b]
            i += 1
    return symbols


# %% wrong="only the first place" exercise="bpe_encode" hint="not only at the first"
def bpe_encode(word, merges):
    symbols = list(word)
    for a, b in merges:
        for i in range(len(symbols) - 1):
            if symbols[i] == a and symbols[i + 1] == b:
                symbols[i : i + 2] = [a + b]
                break
    return symbols


# %% wrong="joined from the right" exercise="bpe_encode" hint="Join from the left"
def bpe_encode(word, merges):
    symbols = list(word)
    while True:
        known = [pair for pair in zip(symbols, symbols[1:]) if pair in merges]
        if not known:
            break
        best = min(known, key=merges.index)
        i = len(symbols) - 2
        while i >= 0:
            if (symbols[i], *symbols[i + 1 : i + 2]) == best:
                symbols[i : i + 2] = ["".join(best)]
            i -= 1
    return symbols


# %% wrong="overlapping merges" exercise="bpe_encode" hint="cannot be in two joined pairs"
def bpe_encode(word, merges):
    symbols = list(word)
    for pair in merges:
        hits = [i for i in range(len(symbols) - 1) if (symbols[i], symbols[i + 1]) == pair]
        joined = ["".join(pair) if i in hits else symbol for i, symbol in enumerate(symbols)]
        symbols = [s for i, s in enumerate(joined) if i in hits or i - 1 not in hits]
    return symbols


# %% wrong="str.replace on the spaced word" exercise="bpe_encode" hint="though str.replace finds one"
def bpe_encode(word, merges):
    text = "\0".join(word)
    for a, b in merges:
        text = text.replace(a + "\0" + b, a + b)
    return text.split("\0") if text else []


# %% wrong="unknown characters dropped" exercise="bpe_encode" hint="must not be lost"
def bpe_encode(word, merges):
    symbols = list(word)
    while True:
        known = [pair for pair in zip(symbols, symbols[1:]) if pair in merges]
        if not known:
            break
        best = min(known, key=merges.index)
        i = 0
        while i < len(symbols) - 1:
            if (symbols[i], symbols[i + 1]) == best:
                symbols[i : i + 2] = ["".join(best)]
            i += 1
    known = {symbol for pair in merges for symbol in pair}
    return [s for s in symbols if len(s) > 1 or s in known]


# %% wrong="unknown characters replaced" exercise="bpe_encode" hint="it is not replaced"
def bpe_encode(word, merges):
    symbols = list(word)
    while True:
        known = [pair for pair in zip(symbols, symbols[1:]) if pair in merges]
        if not known:
            break
        best = min(known, key=merges.index)
        i = 0
        while i < len(symbols) - 1:
            if (symbols[i], symbols[i + 1]) == best:
                symbols[i : i + 2] = ["".join(best)]
            i += 1
    known = {symbol for pair in merges for symbol in pair}
    return [s if len(s) > 1 or s in known else "[UNK]" for s in symbols]


# %% wrong="split at spaces, which are lost" exercise="bpe_encode" hint="Spaces are characters"
def bpe_encode(word, merges):
    text = " ".join(word)
    symbols = text.split()
    for a, b in merges:
        i = 0
        while i < len(symbols) - 1:
            if symbols[i] == a and symbols[i + 1] == b:
                symbols[i : i + 2] = [a + b]
            i += 1
    return symbols


# %% wrong="uses the merges up" exercise="bpe_encode" hint="`merges` is only read"
def bpe_encode(word, merges):
    symbols = list(word)
    while merges:
        a, b = merges.pop(0)
        i = 0
        while i < len(symbols) - 1:
            if symbols[i] == a and symbols[i + 1] == b:
                symbols[i : i + 2] = [a + b]
            i += 1
    return symbols


# %% wrong="a tuple" exercise="bpe_encode" hint="A list is expected"
def bpe_encode(word, merges):
    symbols = list(word)
    while True:
        known = [pair for pair in zip(symbols, symbols[1:]) if pair in merges]
        if not known:
            break
        best = min(known, key=merges.index)
        i = 0
        while i < len(symbols) - 1:
            if (symbols[i], symbols[i + 1]) == best:
                symbols[i : i + 2] = ["".join(best)]
            i += 1
    return tuple(symbols)


# %% wrong="characters only" exercise="bpe_encode" hint="the pair that stands first in `merges`"
def bpe_encode(word, merges):
    return list(word)


# %% wrong="the word whole" exercise="bpe_encode" hint="the pair that stands first in `merges`"
def bpe_encode(word, merges):
    return [word] if word else []


# %% wrong="small letters only" exercise="bpe_encode" hint="'N' is not 'n'"
def bpe_encode(word, merges):
    rank = {tuple(p): i for i, p in enumerate(merges)}
    s = list(word.lower())
    while len(s) > 1:
        pairs = [(s[i], s[i + 1]) for i in range(len(s) - 1)]
        best = min(pairs, key=lambda p: rank.get(p, len(merges)))
        if best not in rank:
            break
        new, i = [], 0
        while i < len(s):
            if i + 1 < len(s) and (s[i], s[i + 1]) == best:
                new.append(s[i] + s[i + 1])
                i += 2
            else:
                new.append(s[i])
                i += 1
        s = new
    return s


# %% wrong="ranks by the joined string" exercise="bpe_encode" hint="another pair that gives the same string"
def bpe_encode(word, merges):
    rank = {a + b: i for i, (a, b) in reversed(list(enumerate(merges)))}
    s = list(word)
    while len(s) > 1:
        joined = [s[i] + s[i + 1] for i in range(len(s) - 1)]
        best = min(joined, key=lambda p: rank.get(p, len(merges)))
        if best not in rank:
            break
        new, i = [], 0
        while i < len(s):
            if i + 1 < len(s) and s[i] + s[i + 1] == best:
                new.append(best)
                i += 2
            else:
                new.append(s[i])
                i += 1
        s = new
    return s


# %% right="replay of the training" exercise="bpe_encode"
def bpe_encode(word, merges):
    symbols = list(word)
    for a, b in merges:
        joined = []
        while symbols:
            symbol = symbols.pop(0)
            if symbol == a and symbols and symbols[0] == b:
                symbol += symbols.pop(0)
            joined.append(symbol)
        symbols = joined
    return symbols


# %% right="one place at a time" exercise="bpe_encode"
def bpe_encode(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    symbols = [*word]
    while len(symbols) > 1:
        rank, i = min((ranks.get((symbols[i], symbols[i + 1]), len(merges)), i) for i in range(len(symbols) - 1))
        if rank == len(merges):
            break
        symbols = symbols[:i] + [symbols[i] + symbols[i + 1]] + symbols[i + 2 :]
    return symbols


# %% right="recursion" exercise="bpe_encode"
def bpe_encode(word, merges):
    def join(symbols, pair):
        if len(symbols) < 2:
            return symbols
        if tuple(symbols[:2]) == tuple(pair):
            return ["".join(pair)] + join(symbols[2:], pair)
        return symbols[:1] + join(symbols[1:], pair)

    def go(symbols):
        here = list(zip(symbols, symbols[1:]))
        for pair in merges:
            if pair in here:
                return go(join(symbols, pair))
        return symbols

    return go(list(word))


# %% right="lists changed where they stand" exercise="bpe_encode"
def bpe_encode(word, merges):
    symbols = list(word)
    while True:
        known = [pair for pair in zip(symbols, symbols[1:]) if pair in merges]
        if not known:
            break
        best = min(known, key=merges.index)
        i = 0
        while i < len(symbols) - 1:
            if (symbols[i], symbols[i + 1]) == best:
                symbols[i : i + 2] = ["".join(best)]
            i += 1
    return symbols


# %% right="functools.reduce over the merges" exercise="bpe_encode"
from functools import reduce


def bpe_encode(word, merges):
    def apply(symbols, pair):
        out = []
        pending = False
        for s in symbols:
            if pending and out[-1] == pair[0] and s == pair[1]:
                out[-1] += s
                pending = False
            else:
                out.append(s)
                pending = True
        return out

    return reduce(apply, merges, list(word))


# %% wrong="the shortest piece" exercise="wordpiece_encode" hint="not the shortest"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = start + 1
        while end <= len(word):
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                break
            end += 1
        else:
            return [unk]
        tokens.append(piece)
        start = end
    return tokens


# %% wrong="no ## inside the word" exercise="wordpiece_encode" hint="looked up with ## in front"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start:
            piece = word[start:end]
            if piece in vocab:
                break
            end -= 1
        else:
            return [unk]
        tokens.append(piece)
        start = end
    return tokens


# %% wrong="## stripped from the result" exercise="wordpiece_encode" hint="the ## stays"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start:
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                break
            end -= 1
        else:
            return [unk]
        tokens.append(piece)
        start = end
    return [token.removeprefix("##") for token in tokens]


# %% wrong="## on the first piece too" exercise="wordpiece_encode" hint="looked up as it is"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start:
            piece = "##" + word[start:end]
            if piece in vocab:
                break
            end -= 1
        else:
            return [unk]
        tokens.append(piece)
        start = end
    return tokens


# %% wrong="either form inside the word" exercise="wordpiece_encode" hint="two different tokens"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start:
            piece = word[start:end] if word[start:end] in vocab else "##" + word[start:end]
            if piece in vocab:
                break
            end -= 1
        else:
            return [unk]
        tokens.append(piece)
        start = end
    return tokens


# %% wrong="## put on afterwards" exercise="wordpiece_encode" hint="does not make"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start:
            piece = word[start:end]
            if piece in vocab:
                break
            end -= 1
        else:
            return [unk]
        tokens.append(piece)
        start = end
    return tokens[:1] + ["##" + token for token in tokens[1:]]


# %% wrong="unk behind what was found" exercise="wordpiece_encode" hint="and then unk"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start:
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                break
            end -= 1
        else:
            return [*tokens, unk]
        tokens.append(piece)
        start = end
    return tokens


# %% wrong="the failing character alone is unknown" exercise="wordpiece_encode" hint="Not only the part that fails"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start:
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                break
            end -= 1
        else:
            piece, end = unk, start + 1
        tokens.append(piece)
        start = end
    return tokens


# %% wrong="what was found, without the rest" exercise="wordpiece_encode" hint="cannot just be left out"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start:
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                break
            end -= 1
        else:
            return tokens
        tokens.append(piece)
        start = end
    return tokens


# %% wrong="a character that stands for itself" exercise="wordpiece_encode" hint="cannot stand for itself"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start:
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                break
            end -= 1
        else:
            piece, end = ("##" if start else "") + word[start], start + 1
        tokens.append(piece)
        start = end
    return tokens


# %% wrong="unk, not in a list" exercise="wordpiece_encode" hint="a list with the one token"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start:
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                break
            end -= 1
        else:
            return unk
        tokens.append(piece)
        start = end
    return tokens


# %% wrong="the word itself when it cannot be cut" exercise="wordpiece_encode" hint="is not the word itself"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start:
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                break
            end -= 1
        else:
            return [word]
        tokens.append(piece)
        start = end
    return tokens


# %% wrong="unk written out" exercise="wordpiece_encode" hint="unk is an argument"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start:
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                break
            end -= 1
        else:
            return ["[UNK]"]
        tokens.append(piece)
        start = end
    return tokens


# %% wrong="goes back to shorter pieces" exercise="wordpiece_encode" hint="never goes back"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    def cut(start):
        if start == len(word):
            return []
        for end in range(len(word), start, -1):
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                rest = cut(end)
                if rest is not None:
                    return [piece] + rest
        return None

    tokens = cut(0)
    return [unk] if tokens is None else tokens


# %% wrong="the fewest pieces" exercise="wordpiece_encode" hint="never goes back"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    best = {0: []}
    for end in range(1, len(word) + 1):
        for start in range(end):
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab and start in best and (end not in best or len(best[start]) + 1 < len(best[end])):
                best[end] = best[start] + [piece]
    return best.get(len(word), [unk])


# %% wrong="takes the piece out of the vocabulary" exercise="wordpiece_encode" hint="vocabulary is only read"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start:
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                break
            end -= 1
        else:
            return [unk]
        tokens.append(piece)
        vocab.add(word)
        start = end
    return tokens


# %% wrong="the ## counted as part of the word" exercise="wordpiece_encode" hint="not to the word"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    out, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab:
                break
        else:
            return [unk]
        out.append(piece)
        start += len(piece)
    return out


# %% wrong="no piece of one character" exercise="wordpiece_encode" hint="Both ends count"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    out, start = [], 0
    while start < len(word):
        for end in range(len(word), start + 1, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab:
                break
        else:
            return [unk]
        out.append(piece)
        start = end
    return out


# %% wrong="small letters only" exercise="wordpiece_encode" hint="capitals included"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    out, start, word = [], 0, word.lower()
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab:
                break
        else:
            return [unk]
        out.append(piece)
        start = end
    return out


# %% wrong="long words given up" exercise="wordpiece_encode" hint="A word may have any length"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    out, start = [], 0
    if len(word) > 20:
        return [unk]
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab:
                break
        else:
            return [unk]
        out.append(piece)
        start = end
    return out


# %% wrong="no ## behind a first piece of one character" exercise="wordpiece_encode" hint="looked up with ## in front"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    out, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start > 1 else "") + word[start:end]
            if piece in vocab:
                break
        else:
            return [unk]
        out.append(piece)
        start = end
    return out


# %% wrong="a first piece that only stands with ##" exercise="wordpiece_encode" hint="looked up without ##"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    out, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab or "##" + piece in vocab:
                break
        else:
            return [unk]
        out.append(piece)
        start = end
    return out


# %% wrong="## put on what only stands without" exercise="wordpiece_encode" hint="does not make"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    out, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab or word[start:end] in vocab:
                break
        else:
            return [unk]
        out.append(piece)
        start = end
    return out


# %% wrong="the longest piece of the whole word first" exercise="wordpiece_encode" hint="not the longest in the whole word"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    best = None
    for n in range(len(word), 0, -1):
        for i in range(len(word) - n + 1):
            piece = ("##" if i else "") + word[i : i + n]
            if piece in vocab:

                def rest(part, at):
                    if not part:
                        return []
                    for m in range(len(part), 0, -1):
                        for j in range(len(part) - m + 1):
                            p = ("##" if at + j else "") + part[j : j + m]
                            if p in vocab:
                                l, r = rest(part[:j], at), rest(part[j + m :], at + j + m)
                                if l is None or r is None:
                                    return None
                                return l + [p] + r
                    return None

                out = rest(word, 0)
                return [unk] if out is None else out
    return [unk]


# %% wrong="another default" exercise="wordpiece_encode" hint="keep that default"
def wordpiece_encode(word, vocab, unk="<unk>"):
    out, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab:
                break
        else:
            return [unk]
        out.append(piece)
        start = end
    return out


# %% right="while loops" exercise="wordpiece_encode"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    tokens, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start:
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                break
            end -= 1
        else:
            return [unk]
        tokens.append(piece)
        start = end
    return tokens


# %% right="recursion on the rest" exercise="wordpiece_encode"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    def cut(rest, mark):
        if not rest:
            return []
        for n in range(len(rest), 0, -1):
            if mark + rest[:n] in vocab:
                after = cut(rest[n:], "##")
                return None if after is None else [mark + rest[:n], *after]
        return None

    tokens = cut(word, "")
    return [unk] if tokens is None else tokens


# %% right="pieces tried from the longest" exercise="wordpiece_encode"
def wordpiece_encode(word, vocab, unk="[UNK]"):
    by_length = sorted(vocab, key=len, reverse=True)
    first = [piece for piece in by_length if not piece.startswith("##")]
    inner = [piece[2:] for piece in by_length if piece.startswith("##") and len(piece) > 2]
    tokens, rest = [], word
    while rest:
        for piece in inner if tokens else first:
            if piece and rest.startswith(piece):
                tokens.append("##" + piece if tokens else piece)
                rest = rest[len(piece) :]
                break
        else:
            return [unk]
    return tokens


# %% right="all ends that fit, and the greatest" exercise="wordpiece_encode"
def wordpiece_encode(word: str, vocab: set, unk: str = "[UNK]"):
    tokens = []
    at = 0
    while at != len(word):
        prefix = "" if at == 0 else "##"
        fits = [e for e in range(at + 1, len(word) + 1) if prefix + word[at:e] in vocab]
        if not fits:
            tokens = [unk]
            break
        tokens += [prefix + word[at : max(fits)]]
        at = max(fits)
    return tokens


# %% wrong="from the number of tokens on" exercise="add_special_tokens" hint="not from the number of tokens"
def add_special_tokens(vocab, names):
    new = vocab.copy()
    for name in names:
        if name not in new:
            new[name] = len(new)
    return new


# %% wrong="the highest id again" exercise="add_special_tokens" hint="is taken already"
def add_special_tokens(vocab, names):
    first = max(vocab.values(), default=0)
    new = dict(vocab)
    for name in names:
        if name not in new:
            new[name] = first
            first += 1
    return new


# %% wrong="sorted names" exercise="add_special_tokens" hint="they are not sorted"
def add_special_tokens(vocab, names):
    new = vocab.copy()
    for name in sorted(names):
        if name not in new:
            new[name] = max(new.values(), default=-1) + 1
    return new


# %% wrong="names as a set" exercise="add_special_tokens" hint="they are not sorted"
def add_special_tokens(vocab, names):
    new = vocab.copy()
    for name in sorted(set(names)):
        if name not in new:
            new[name] = max(new.values(), default=-1) + 1
    return new


# %% wrong="from the last name to the first" exercise="add_special_tokens" hint="in the order given"
def add_special_tokens(vocab, names):
    new = vocab.copy()
    for name in reversed(names):
        if name not in new:
            new[name] = max(new.values(), default=-1) + 1
    return new


# %% wrong="a new id for a known name" exercise="add_special_tokens" hint="has an id already keeps it"
def add_special_tokens(vocab, names):
    new, top = dict(vocab), max(vocab.values(), default=-1)
    for i, name in enumerate(dict.fromkeys(names)):
        new[name] = top + 1 + i
    return new


# %% wrong="a known name uses up an id" exercise="add_special_tokens" hint="uses up no id"
def add_special_tokens(vocab, names):
    new, top = dict(vocab), max(vocab.values(), default=-1)
    for i, name in enumerate(names):
        if name not in new:
            new[name] = top + 1 + i
    return new


# %% wrong="the new names only" exercise="add_special_tokens" hint="The old tokens are missing"
def add_special_tokens(vocab, names):
    new = vocab.copy()
    for name in names:
        if name not in new:
            new[name] = max(new.values(), default=-1) + 1
    return {name: new[name] for name in names}


# %% wrong="special tokens in front" exercise="add_special_tokens" hint="come behind, not in front"
def add_special_tokens(vocab, names):
    tokens = [*names, *(token for token in sorted(vocab, key=vocab.get) if token not in names)]
    return {token: i for i, token in enumerate(tokens)}


# %% wrong="numbered anew in alphabetical order" exercise="add_special_tokens" hint="do not sort"
def add_special_tokens(vocab, names):
    return {token: i for i, token in enumerate(sorted({*vocab, *names}))}


# %% wrong="writes into the vocabulary" exercise="add_special_tokens" hint="Write into a copy"
def add_special_tokens(vocab, names):
    new = vocab
    for name in names:
        if name not in new:
            new[name] = max(new.values(), default=-1) + 1
    return new


# %% wrong="no default for an empty vocabulary" exercise="add_special_tokens" hint="The first id of an empty vocabulary is 0"
def add_special_tokens(vocab, names):
    new = vocab.copy()
    for name in names:
        if name not in new:
            new[name] = max(new.values()) + 1
    return new


# %% wrong="an empty vocabulary begins at 1" exercise="add_special_tokens" hint="The first id of an empty vocabulary is 0"
def add_special_tokens(vocab, names):
    new = vocab.copy()
    for name in names:
        if name not in new:
            new[name] = max(new.values(), default=0) + 1
    return new


# %% wrong="asks whether the id is true" exercise="add_special_tokens" hint="The id 0 is an id"
def add_special_tokens(vocab, names):
    new = dict(vocab)
    nxt = max(new.values(), default=-1) + 1
    for name in names:
        if not new.get(name):
            new[name] = nxt
            nxt += 1
    return new


# %% wrong="from the last entry on" exercise="add_special_tokens" hint="need not have its highest id"
def add_special_tokens(vocab, names):
    new = dict(vocab)
    nxt = (list(new.values())[-1] if new else -1) + 1
    for name in names:
        if name not in new:
            new[name] = nxt
            nxt += 1
    return new


# %% right="a running maximum" exercise="add_special_tokens"
def add_special_tokens(vocab, names):
    new = vocab.copy()
    for name in names:
        if name not in new:
            new[name] = max(new.values(), default=-1) + 1
    return new


# %% right="a comprehension over the new names" exercise="add_special_tokens"
def add_special_tokens(vocab, names):
    fresh = [name for name in dict.fromkeys(names) if name not in vocab]
    first = 1 + max([-1, *vocab.values()])
    return {**vocab, **{name: i for i, name in enumerate(fresh, first)}}


# %% right="setdefault and a counter" exercise="add_special_tokens"
def add_special_tokens(vocab, names):
    extended = {}
    highest = -1
    for token, number in vocab.items():
        extended[token] = number
        highest = max(highest, number)
    for name in names:
        if extended.setdefault(name, highest + 1) == highest + 1:
            highest += 1
    return extended


# %% right="recursion on the names" exercise="add_special_tokens"
def add_special_tokens(vocab, names):
    if not names:
        return dict(vocab)
    first, *others = names
    if first in vocab:
        return add_special_tokens(vocab, others)
    return add_special_tokens({**vocab, first: max([-1, *vocab.values()]) + 1}, others)
