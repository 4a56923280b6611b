# %% wrong="joins the documents first" exercise="count_ngrams" hint="must not start in one document and end in the next"
def count_ngrams(documents, n):
    tokens = [token for document in documents for token in document]
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


# %% wrong="stops one start too early" exercise="count_ngrams" hint="there are len(document) - n + 1 places to start"
def count_ngrams(documents, n):
    counts = Counter()
    for document in documents:
        for start in range(len(document) - n):
            counts[tuple(document[start : start + n])] += 1
    return counts


# %% wrong="windows that do not overlap" exercise="count_ngrams" hint="the next one starts one token later"
def count_ngrams(documents, n):
    counts = Counter()
    for document in documents:
        for start in range(0, len(document) - n + 1, n):
            counts[tuple(document[start : start + n])] += 1
    return counts


# %% wrong="counts the short tail of each document too" exercise="count_ngrams" hint="Every key has exactly n tokens"
def count_ngrams(documents, n):
    counts = Counter()
    for document in documents:
        for start in range(len(document)):
            counts[tuple(document[start : start + n])] += 1
    return counts


# %% wrong="single tokens are no tuples" exercise="count_ngrams" hint="Keys are tuples for n = 1 too"
def count_ngrams(documents, n):
    counts = Counter()
    for document in documents:
        for start in range(len(document) - n + 1):
            run = document[start : start + n]
            counts[run[0] if n == 1 else tuple(run)] += 1
    return counts


# %% wrong="each run counts once" exercise="count_ngrams" hint="as often as it occurs in the text"
def count_ngrams(documents, n):
    counts = Counter()
    for document in documents:
        for start in range(len(document) - n + 1):
            counts[tuple(document[start : start + n])] = 1
    return counts


# %% wrong="once a document" exercise="count_ngrams" hint="as often as it occurs in the text"
def count_ngrams(documents, n):
    counts = Counter()
    for document in documents:
        counts.update({tuple(document[start : start + n]) for start in range(len(document) - n + 1)})
    return counts


# %% wrong="a new counter for each document" exercise="count_ngrams" hint="Counts of the earlier documents are lost"
def count_ngrams(documents, n):
    for document in documents:
        counts = Counter()
        for start in range(len(document) - n + 1):
            counts[tuple(document[start : start + n])] += 1
    return counts


# %% wrong="returns inside the loop" exercise="count_ngrams" hint="must not start in one document and end in the next"
def count_ngrams(documents, n):
    counts = Counter()
    for document in documents:
        for start in range(len(document) - n + 1):
            counts[tuple(document[start : start + n])] += 1
        return counts


# %% wrong="pads the documents in place" exercise="count_ngrams" hint="Your code changes the documents"
def count_ngrams(documents, n):
    counts = Counter()
    for document in documents:
        n_runs = len(document) - n + 1
        document.append(-1)
        for start in range(n_runs):
            counts[tuple(document[start : start + n])] += 1
    return counts


# %% wrong="all lengths up to n" exercise="count_ngrams" hint="no other length"
def count_ngrams(documents, n):
    counts = Counter()
    for document in documents:
        for size in range(1, n + 1):
            for start in range(len(document) - size + 1):
                counts[tuple(document[start : start + size])] += 1
    return counts


# %% wrong="the words of a run sorted" exercise="count_ngrams" hint="A run is its tokens in their order"
def count_ngrams(documents, n):
    return Counter(
        tuple(sorted(document[start : start + n])) for document in documents for start in range(len(document) - n + 1)
    )


# %% wrong="drops a document of exactly n tokens" exercise="count_ngrams" hint="A document of exactly n tokens holds one run"
def count_ngrams(documents, n):
    c = Counter()
    for d in documents:
        if len(d) <= n:
            continue
        for i in range(len(d) - n + 1):
            c[tuple(d[i : i + n])] += 1
    return c


# %% wrong="strings as keys" exercise="count_ngrams" hint="Keys are tuples for n = 1 too"
def count_ngrams(documents, n):
    return Counter(" ".join(map(str, d[i : i + n])) for d in documents for i in range(len(d) - n + 1))


# %% wrong="a short document counts as a whole" exercise="count_ngrams" hint="Every key has exactly n tokens"
def count_ngrams(documents, n):
    return Counter(tuple(d[i : i + n]) for d in documents for i in range(max(1, len(d) - n + 1)))


# %% wrong="puts a token before each document" exercise="count_ngrams" hint="put nothing before or behind a document"
def count_ngrams(documents, n):
    c = Counter()
    for d in documents:
        d = [0] * (n - 1) + d
        c.update(tuple(d[i : i + n]) for i in range(len(d) - n + 1))
    return c


# %% wrong="a dictionary instead of a Counter" exercise="count_ngrams" hint="The result is a Counter"
def count_ngrams(documents, n):
    c = {}
    for d in documents:
        for i in range(len(d) - n + 1):
            c[tuple(d[i : i + n])] = c.get(tuple(d[i : i + n]), 0) + 1
    return c


# %% wrong="uses the documents up" exercise="count_ngrams" hint="Your code changes the documents"
def count_ngrams(documents, n):
    c = Counter()
    for d in documents:
        while len(d) >= n:
            c[tuple(d[:n])] += 1
            d.pop(0)
    return c


# %% wrong="a default argument that keeps its counts" exercise="count_ngrams" hint="left over from an earlier call"
def count_ngrams(documents, n, counts=Counter()):
    for d in documents:
        counts.update(tuple(d[i : i + n]) for i in range(len(d) - n + 1))
    return counts


# %% wrong="a run that repeats counts once" exercise="count_ngrams" hint="as in 2 2 2"
def count_ngrams(documents, n):
    c = Counter()
    for d in documents:
        last = None
        for i in range(len(d) - n + 1):
            run = tuple(d[i : i + n])
            if run != last:
                c[run] += 1
            last = run
    return c


# %% wrong="breaks at an empty document" exercise="count_ngrams" hint="or empty, holds no run at all"
def count_ngrams(documents, n):
    c = Counter()
    for d in documents:
        run = (d[0],)
        for t in d[1:]:
            if len(run) == n:
                c[run] += 1
                run = run[1:]
            run += (t,)
        if len(run) == n:
            c[run] += 1
    return c


# %% wrong="equal documents merged" exercise="count_ngrams" hint="A document that comes twice is counted twice"
def count_ngrams(documents, n):
    return Counter(tuple(d[i : i + n]) for d in set(map(tuple, documents)) for i in range(len(d) - n + 1))


# %% wrong="leaves out id 0" exercise="count_ngrams" hint="0 is an id like any other"
def count_ngrams(documents, n):
    c = Counter()
    for d in documents:
        c.update(run for run in zip(*(d[i:] for i in range(n))) if all(run))
    return c


# %% right="shifted copies, zipped" exercise="count_ngrams"
def count_ngrams(documents, n):
    counts = Counter()
    for document in documents:
        counts.update(zip(*[document[start:] for start in range(n)]))
    return counts


# %% right="one comprehension" exercise="count_ngrams"
def count_ngrams(documents, n):
    return Counter(tuple(d[i : i + n]) for d in documents for i in range(len(d) - n + 1))


# %% right="a sliding queue" exercise="count_ngrams"
def count_ngrams(documents, n):
    from collections import deque

    table = Counter()
    for document in documents:
        window = deque(maxlen=n)
        for token in document:
            window.append(token)
            if len(window) == n:
                table[tuple(window)] += 1
    return table


# %% right="sums of counters, by recursion" exercise="count_ngrams"
def count_ngrams(documents, n):
    if not documents:
        return Counter()
    first, rest = documents[0], documents[1:]
    return Counter(tuple(first[i : i + n]) for i in range(max(0, len(first) - n + 1))) + count_ngrams(rest, n)


# %% right="a plain dictionary" exercise="count_ngrams"
def count_ngrams(documents, n):
    table = {}
    for document in documents:
        for start in range(len(document) - n + 1):
            run = tuple(document[start : start + n])
            table[run] = table.get(run, 0) + 1
    return Counter(table)


# %% right="numpy windows" exercise="count_ngrams"
import numpy as np


def count_ngrams(documents, n):
    counts = Counter()
    for d in documents:
        if len(d) >= n:
            counts.update(map(tuple, np.lib.stride_tricks.sliding_window_view(np.array(d), n).tolist()))
    return counts


# %% right="numpy windows whose tuples hold numpy's numbers" exercise="count_ngrams"
def count_ngrams(documents, n):
    import numpy as np

    counts = Counter()
    for document in documents:
        tokens = np.array(document, dtype=np.int64)
        counts.update(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
    return counts


# %% right="torch windows" exercise="count_ngrams"
def count_ngrams(documents, n):
    counts = Counter()
    for d in documents:
        if len(d) < n:
            continue
        counts.update(tuple(run) for run in torch.tensor(d).unfold(0, n, 1).tolist())
    return counts


# %% wrong="log2" exercise="ngram_log_prob" hint="That is log2"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    return math.log2((counts[context + (token,)] + alpha) / (context_counts[context] + alpha * vocab_size))


# %% wrong="denominator without alpha V" exercise="ngram_log_prob" hint="The denominator has no alpha * V"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    if context_counts[context] == 0:
        return -math.log(vocab_size)
    return math.log((counts[context + (token,)] + alpha) / context_counts[context])


# %% wrong="V instead of alpha V" exercise="ngram_log_prob" hint="it must be alpha * V, not V"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    return math.log((counts[context + (token,)] + alpha) / (context_counts[context] + vocab_size))


# %% wrong="alpha once in the denominator" exercise="ngram_log_prob" hint="it must be alpha * V, not alpha"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    return math.log((counts[context + (token,)] + alpha) / (context_counts[context] + alpha))


# %% wrong="the probability without its logarithm" exercise="ngram_log_prob" hint="take its logarithm"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    return (counts[context + (token,)] + alpha) / (context_counts[context] + alpha * vocab_size)


# %% wrong="negative log-probability" exercise="ngram_log_prob" hint="never above 0"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    return -math.log((counts[context + (token,)] + alpha) / (context_counts[context] + alpha * vocab_size))


# %% wrong="alpha only where the run is unseen" exercise="ngram_log_prob" hint="add up to 1"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    seen = counts[context + (token,)]
    return math.log((seen if seen else alpha) / (context_counts[context] + alpha * vocab_size))


# %% wrong="unseen runs get one part in V" exercise="ngram_log_prob" hint="its count is 0, the context's is not"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    if counts[context + (token,)] == 0:
        return -math.log(vocab_size)
    return math.log((counts[context + (token,)] + alpha) / (context_counts[context] + alpha * vocab_size))


# %% wrong="minus infinity for an unseen context" exercise="ngram_log_prob" hint="Nothing is special about a run"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    if context not in context_counts:
        return -math.inf
    return math.log((counts[context + (token,)] + alpha) / (context_counts[context] + alpha * vocab_size))


# %% wrong="V counted from the runs that were seen" exercise="ngram_log_prob" hint="not the number of runs that were seen"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    return math.log((counts[context + (token,)] + alpha) / (context_counts[context] + alpha * len(counts)))


# %% wrong="token before context" exercise="ngram_log_prob" hint="not the token followed by the context"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    return math.log((counts[(token,) + context] + alpha) / (context_counts[context] + alpha * vocab_size))


# %% wrong="joint instead of conditional" exercise="ngram_log_prob" hint="add up to 1"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    return math.log((counts[context + (token,)] + alpha) / (sum(counts.values()) + alpha * vocab_size))


# %% wrong="always adds one" exercise="ngram_log_prob" hint="1 is only its most common value"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    return math.log((counts[context + (token,)] + 1) / (context_counts[context] + vocab_size))


# %% wrong="only the last token of the context" exercise="ngram_log_prob" hint="not its last token alone"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    context = context[-1:]
    return math.log((counts[context + (token,)] + alpha) / (context_counts[context] + alpha * vocab_size))


# %% wrong="smooths the counters themselves" exercise="ngram_log_prob" hint="only reads the counters"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    counts[context + (token,)] += alpha
    context_counts[context] += alpha * vocab_size
    return math.log(counts[context + (token,)] / context_counts[context])


# %% wrong="enters what was never seen" exercise="ngram_log_prob" hint="only reads the counters"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    seen = counts.setdefault(context + (token,), 0)
    return math.log((seen + alpha) / (context_counts.setdefault(context, 0) + alpha * vocab_size))


# %% wrong="integer division" exercise="ngram_log_prob" hint="log((count of the run + alpha)"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    ratio = (counts[context + (token,)] + alpha) // (context_counts[context] + alpha * vocab_size)
    return math.log(max(ratio, 1e-12))


# %% wrong="divides by all contexts" exercise="ngram_log_prob" hint="how often this context was seen"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    num = counts[context + (token,)] + alpha
    den = sum(context_counts.values()) + alpha * vocab_size
    return math.log(num / den)


# %% wrong="looks the context up in the wrong table" exercise="ngram_log_prob" hint="stands in context_counts"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    num = counts[context + (token,)] + alpha
    den = counts[context] + alpha * vocab_size
    return math.log(num / den)


# %% wrong="one word added to the vocabulary" exercise="ngram_log_prob" hint="no word is added to it"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    num = counts[context + (token,)] + alpha
    den = context_counts[context] + alpha * (vocab_size + 1)
    return math.log(num / den)


# %% wrong="V counted behind the context" exercise="ngram_log_prob" hint="not the number of words that were seen"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    num = counts[context + (token,)] + alpha
    den = context_counts[context] + alpha * sum(1 for k in counts if k[:-1] == context)
    return math.log(num / den)


# %% wrong="rounded" exercise="ngram_log_prob" hint="not rounded"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    num = counts[context + (token,)] + alpha
    den = context_counts[context] + alpha * vocab_size
    return round(math.log(num / den), 3)


# %% wrong="a bare id where the context is empty" exercise="ngram_log_prob" hint="a tuple of one"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    num = (counts[context + (token,)] if context else counts[token]) + alpha
    den = context_counts[context] + alpha * vocab_size
    return math.log(num / den)


# %% wrong="takes the empty context for unseen" exercise="ngram_log_prob" hint="The empty context () has been seen too"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    num = counts[context + (token,)] + alpha
    den = (context_counts[context] if context else 0) + alpha * vocab_size
    return math.log(num / den)


# %% wrong="small probabilities cut off" exercise="ngram_log_prob" hint="however small that is"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    num = counts[context + (token,)] + alpha
    den = context_counts[context] + alpha * vocab_size
    return math.log(max(num / den, 1e-6))


# %% wrong="another name for a parameter" exercise="ngram_log_prob" hint="Keep the names of the parameters"
def ngram_log_prob(context, token, counts, context_counts, V, alpha):
    num = counts[context + (token,)] + alpha
    den = context_counts[context] + alpha * V
    return math.log(num / den)


# %% right="difference of two logarithms" exercise="ngram_log_prob"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    numerator = counts.get((*context, token), 0) + alpha
    denominator = context_counts.get(context, 0) + alpha * vocab_size
    return math.log(numerator) - math.log(denominator)


# %% right="numpy" exercise="ngram_log_prob"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    import numpy as np

    run = tuple(list(context) + [token])
    return np.log((counts[run] + alpha) / (context_counts[context] + vocab_size * alpha))


# %% right="a mixture of the relative frequency and the uniform guess" exercise="ngram_log_prob"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    total = context_counts[context]
    weight = total / (total + alpha * vocab_size)
    frequency = counts[(*context, token)] / total if total else 0.0
    return math.log(weight * frequency + (1 - weight) / vocab_size)


# %% right="a tensor without axes, in float64" exercise="ngram_log_prob"
def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    ratio = (counts[context + (token,)] + alpha) / (context_counts[context] + alpha * vocab_size)
    return torch.tensor(ratio, dtype=torch.float64).log()


# %% right="fractions" exercise="ngram_log_prob"
from fractions import Fraction


def ngram_log_prob(context, token, counts, context_counts, vocab_size, alpha):
    a = Fraction(alpha)
    p = (counts[context + (token,)] + a) / (context_counts[context] + a * vocab_size)
    return math.log(p)


# %% wrong="average of the rows' perplexities" exercise="perplexity" hint="average of the rows' perplexities"
def perplexity(log_probs, mask):
    losses = -(log_probs * mask).sum(1) / mask.sum(1)
    return losses.exp().mean().item()


# %% wrong="average of the rows' losses" exercise="perplexity" hint="a token of a short row counts more"
def perplexity(log_probs, mask):
    losses = -(log_probs * mask).sum(1) / mask.sum(1)
    return losses.mean().exp().item()


# %% wrong="average of one over p" exercise="perplexity" hint="average of 1/p over the tokens"
def perplexity(log_probs, mask):
    return (-log_probs[mask]).exp().mean().item()


# %% wrong="padding counted in the denominator" exercise="perplexity" hint="divide by the number of real tokens"
def perplexity(log_probs, mask):
    return math.exp(-(log_probs * mask).mean().item())


# %% wrong="mask forgotten" exercise="perplexity" hint="Padding is counted as if it were text"
def perplexity(log_probs, mask):
    return (-log_probs.mean()).exp().item()


# %% wrong="mask turned round" exercise="perplexity" hint="you kept the others"
def perplexity(log_probs, mask):
    kept = log_probs.masked_fill(mask, 0.0)
    return (-kept.sum() / (~mask).sum().clamp(min=1)).exp().item()


# %% wrong="base 2" exercise="perplexity" hint="the base is e, not 2"
def perplexity(log_probs, mask):
    return 2.0 ** (-log_probs[mask].mean().item())


# %% wrong="the loss, not its exponential" exercise="perplexity" hint="Perplexity is exp of it"
def perplexity(log_probs, mask):
    return -log_probs[mask].mean().item()


# %% wrong="sign forgotten" exercise="perplexity" hint="The sign is missing"
def perplexity(log_probs, mask):
    return log_probs[mask].mean().exp().item()


# %% wrong="exp of the sum" exercise="perplexity" hint="exp of the mean loss in nats"
def perplexity(log_probs, mask):
    return math.exp(min(700.0, -log_probs[mask].sum().item()))


# %% wrong="padding overwritten in place" exercise="perplexity" hint="Do not write into log_probs or mask"
def perplexity(log_probs, mask):
    log_probs[~mask] = 0.0
    return (-log_probs.sum() / mask.sum()).exp().item()


# %% wrong="one perplexity a row" exercise="perplexity" hint="add up over all rows"
def perplexity(log_probs, mask):
    return (-(log_probs * mask).sum(1) / mask.sum(1)).exp()


# %% wrong="takes a log-probability of 0 for padding" exercise="perplexity" hint="go by the mask"
def perplexity(log_probs, mask):
    kept = log_probs[mask & (log_probs != 0)]
    return math.exp(-kept.mean().item())


# %% wrong="drops unlikely tokens" exercise="perplexity" hint="leave none out"
def perplexity(log_probs, mask):
    kept = log_probs[mask & (log_probs > -20)]
    return math.exp(-kept.mean().item())


# %% wrong="log-probabilities cut off" exercise="perplexity" hint="not cut off at some lowest value"
def perplexity(log_probs, mask):
    kept = log_probs[mask].clamp(min=-20)
    return math.exp(-kept.mean().item())


# %% wrong="the first n places of a row, whatever the mask says" exercise="perplexity" hint="Padding may stand in front"
def perplexity(log_probs, mask):
    total = 0.0
    for row, n in zip(log_probs, mask.sum(1).tolist()):
        total -= row[:n].sum().item()
    return math.exp(total / mask.sum().item())


# %% wrong="NaN where a row is all padding" exercise="perplexity" hint="fill a whole row"
def perplexity(log_probs, mask):
    n = mask.sum(1)
    means = (log_probs * mask).sum(1) / n
    return math.exp(-(means * n).sum().item() / n.sum().item())


# %% wrong="root of the product of all probabilities" exercise="perplexity" hint="is 0 in floating point"
def perplexity(log_probs, mask):
    return float(log_probs.exp()[mask].prod() ** (-1 / mask.sum()))


# %% wrong="divides by the number of texts" exercise="perplexity" hint="You divide by the number of texts"
def perplexity(log_probs, mask):
    return math.exp(-(log_probs * mask).sum().item() / len(mask))


# %% wrong="one over the average probability" exercise="perplexity" hint="one over the average probability"
def perplexity(log_probs, mask):
    kept = log_probs[mask]
    return 1 / kept.exp().mean().item()


# %% wrong="breaks with a single row" exercise="perplexity" hint="One row, one token"
def perplexity(log_probs, mask):
    rows = log_probs.squeeze()
    real = mask.squeeze()
    total = sum(r[m].sum().item() for r, m in zip(rows, real))
    return math.exp(-total / mask.sum().item())


# %% right="token by token" exercise="perplexity"
def perplexity(log_probs, mask):
    total, n = 0.0, 0
    for b in range(log_probs.shape[0]):
        for t in range(log_probs.shape[1]):
            if mask[b, t]:
                total -= float(log_probs[b, t])
                n += 1
    return math.exp(total / n)


# %% right="weights instead of indexing" exercise="perplexity"
def perplexity(log_probs, mask):
    weights = mask.to(log_probs.dtype)
    return torch.exp(-(log_probs * weights).sum() / weights.sum()).item()


# %% right="a tensor without axes" exercise="perplexity"
def perplexity(log_probs, mask):
    return torch.where(mask, -log_probs, torch.zeros_like(log_probs)).sum().div(mask.sum()).exp()


# %% right="numpy's masked array" exercise="perplexity"
def perplexity(log_probs, mask):
    import numpy as np

    return float(np.exp(-np.ma.masked_array(log_probs.double().numpy(), ~mask.numpy()).mean()))


# %% right="nanmean of a copy" exercise="perplexity"
def perplexity(log_probs, mask):
    return torch.where(mask, log_probs, torch.nan).nanmean().neg().exp().item()


# %% right="row means weighted by their tokens" exercise="perplexity"
def perplexity(log_probs, mask):
    n = mask.sum(1)
    share = n / n.sum()
    loss = 0.0
    for row, real, s in zip(log_probs, mask, share):
        if real.any():
            loss += float(s) * float(-row[real].mean())
    return math.exp(loss)
