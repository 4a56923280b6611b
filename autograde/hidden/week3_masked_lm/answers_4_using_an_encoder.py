"""What students answer in week 3, notebook 4: wrong answers with the hint they must get, and other right ones."""


# %% wrong="padding averaged in" exercise="pool" hint="Padding is averaged in"
def pool(hidden, mask, how):
    if how == "cls":
        return hidden[:, 0]
    if how == "mean":
        return hidden.mean(1)
    if how == "max":
        return hidden.masked_fill(~mask[..., None], -torch.inf).amax(1)
    raise ValueError(how)


# %% wrong="zeroed padding, divided by T" exercise="pool" hint="divided by T"
def pool(hidden, mask, how):
    if how == "cls":
        return hidden[:, 0]
    if how == "mean":
        return (hidden * mask[..., None]).mean(1)
    if how == "max":
        return hidden.masked_fill(~mask[..., None], -torch.inf).amax(1)
    raise ValueError(how)


# %% wrong="right count, padding in the sum" exercise="pool" hint="Padding stays in the sum"
def pool(hidden, mask, how):
    if how == "cls":
        return hidden[:, 0]
    if how == "mean":
        return hidden.sum(1) / mask.sum(1, keepdim=True)
    if how == "max":
        return hidden.masked_fill(~mask[..., None], -torch.inf).amax(1)
    raise ValueError(how)


# %% wrong="sum instead of mean" exercise="pool" hint="That is the sum"
def pool(hidden, mask, how):
    if how == "cls":
        return hidden[:, 0]
    if how == "mean":
        return (hidden * mask[..., None]).sum(1)
    if how == "max":
        return hidden.masked_fill(~mask[..., None], -torch.inf).amax(1)
    raise ValueError(how)


# %% wrong="padding set to 0 for the maximum" exercise="pool" hint="0 is larger than a channel whose real values"
def pool(hidden, mask, how):
    real = mask[..., None]
    if how == "cls":
        return hidden[:, 0]
    if how == "mean":
        return (hidden * real).sum(1) / real.sum(1)
    if how == "max":
        return (hidden * real).amax(1)
    raise ValueError(how)


# %% wrong="maximum over padding too" exercise="pool" hint="Padding takes part in the maximum"
def pool(hidden, mask, how):
    real = mask[..., None]
    if how == "cls":
        return hidden[:, 0]
    if how == "mean":
        return (hidden * real).sum(1) / real.sum(1)
    if how == "max":
        return hidden.max(1).values
    raise ValueError(how)


# %% wrong="the token with the longest vector" exercise="pool" hint="each channel has its own largest value"
def pool(hidden, mask, how):
    real = mask[..., None]
    if how == "cls":
        return hidden[:, 0]
    if how == "mean":
        return (hidden * real).sum(1) / real.sum(1)
    if how == "max":
        longest = hidden.masked_fill(~real, 0.0).norm(dim=-1).argmax(1)
        return hidden[torch.arange(len(hidden)), longest]
    raise ValueError(how)


# %% wrong="the last real token as cls" exercise="pool" hint="not the last real one"
def pool(hidden, mask, how):
    real = mask[..., None]
    if how == "cls":
        return hidden[torch.arange(len(hidden)), mask.sum(1) - 1]
    if how == "mean":
        return (hidden * real).sum(1) / real.sum(1)
    if how == "max":
        return hidden.masked_fill(~real, -torch.inf).amax(1)
    raise ValueError(how)


# %% wrong="anything else is a maximum" exercise="pool" hint="must not become a maximum"
def pool(hidden, mask, how):
    real = mask[..., None]
    if how == "cls":
        return hidden[:, 0]
    if how == "mean":
        return (hidden * real).sum(1) / real.sum(1)
    return hidden.masked_fill(~real, -torch.inf).amax(1)


# %% wrong="fills padding in place" exercise="pool" hint="look the same afterwards"
def pool(hidden, mask, how):
    if how == "cls":
        return hidden[:, 0]
    if how == "mean":
        hidden[~mask] = 0.0
        return hidden.sum(1) / mask.sum(1, keepdim=True)
    if how == "max":
        return hidden.masked_fill_(~mask[..., None], -torch.inf).amax(1)
    raise ValueError(how)


# %% wrong="the first text instead of the first token" exercise="pool" hint="The first axis is that of the texts"
def pool(hidden, mask, how):
    real = mask[..., None]
    if how == "cls":
        return hidden[0]
    if how == "mean":
        return (hidden * real).sum(1) / real.sum(1)
    if how == "max":
        return hidden.masked_fill(~real, -torch.inf).amax(1)
    raise ValueError(how)


# %% wrong="the mask upside down" exercise="pool" hint="The mask is upside down"
def pool(hidden, mask, how):
    real = ~mask[..., None]
    if how == "cls":
        return hidden[:, 0]
    if how == "mean":
        return (hidden * real).sum(1) / real.sum(1).clamp(min=1)
    if how == "max":
        return hidden.masked_fill(~real, -torch.inf).amax(1)
    raise ValueError(how)


# %% wrong="padding to a large negative number" exercise="pool" hint="only rather small"
def pool(hidden, mask, how):
    if how == "cls":
        return hidden[:, 0]
    m = mask.unsqueeze(-1)
    if how == "mean":
        return hidden.masked_fill(~m, 0).sum(1) / m.sum(1)
    if how == "max":
        return hidden.masked_fill(~m, -1e9).amax(1)
    raise ValueError(how)


# %% wrong="axes of size 1 squeezed away" exercise="pool" hint="The shape is wrong"
def pool(hidden, mask, how):
    if how == "cls":
        return hidden[:, 0]
    m = mask.unsqueeze(-1)
    if how == "mean":
        return (hidden.masked_fill(~m, 0).sum(1) / m.sum(1)).squeeze()
    if how == "max":
        return hidden.masked_fill(~m, float("-inf")).amax(1)
    raise ValueError(how)


# %% right="text by text, padding cut off" exercise="pool"
def pool(hidden, mask, how):
    ways = {"cls": lambda h: h[0], "mean": lambda h: h.mean(0), "max": lambda h: h.max(0).values}
    if how not in ways:
        raise ValueError(f"no such way: {how}")
    return torch.stack([ways[how](text[real]) for text, real in zip(hidden, mask)])


# %% right="einsum and a very small number" exercise="pool"
def pool(hidden, mask, how):
    weights = mask.to(hidden.dtype)
    match how:
        case "cls":
            return hidden.select(1, 0)
        case "mean":
            return torch.einsum("btd,bt->bd", hidden, weights / weights.sum(1, keepdim=True))
        case "max":
            least = torch.finfo(hidden.dtype).min
            return torch.where(mask.unsqueeze(2), hidden, torch.full_like(hidden, least)).max(dim=1)[0]
        case _:
            raise ValueError("how must be cls, mean or max")


# %% right="in float64 and back" exercise="pool"
def pool(hidden, mask, how):
    if how not in ("cls", "mean", "max"):
        raise ValueError(how)
    wide, real = hidden.double(), mask[:, :, None].expand_as(hidden)
    if how == "cls":
        result = wide[:, 0, :]
    elif how == "mean":
        result = torch.where(real, wide, 0.0).sum(dim=1) / real.sum(dim=1)
    else:
        result = torch.where(real, wide, float("-inf")).max(dim=1).values
    return result.to(hidden.dtype)


# %% right="weights of a softmax for the mean" exercise="pool"
def pool(hidden, mask, how):
    if how == "cls":
        return hidden[:, 0].clone()
    penalty = torch.zeros(mask.shape, dtype=hidden.dtype).masked_fill(~mask, -torch.inf)
    if how == "mean":
        return (penalty.softmax(1)[:, None] @ hidden).squeeze(1)
    if how == "max":
        return (hidden + penalty[..., None]).amax(1)
    raise ValueError


# %% right="slices by length" exercise="pool"
def pool(hidden: torch.Tensor, mask: torch.Tensor, how: str) -> torch.Tensor:
    lengths = mask.sum(dim=1).tolist()
    functions = {"cls": lambda x: x[0], "mean": lambda x: torch.mean(x, dim=0), "max": lambda x: torch.amax(x, dim=0)}
    try:
        f = functions[how]
    except KeyError:
        raise ValueError(how) from None
    return torch.stack([f(hidden[i, :n]) for i, n in enumerate(lengths)])


# %% wrong="a copy of the encoder" exercise="SentenceClassifier" hint="Keep the encoder"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder, self.how = copy.deepcopy(encoder), how
        self.head = nn.Linear(d_model, n_classes)

    def forward(self, ids, mask):
        return self.head(pool(self.encoder(ids, mask), mask, self.how))


# %% wrong="returns probabilities" exercise="SentenceClassifier" hint="These are probabilities"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder, self.head, self.how = encoder, nn.Linear(d_model, n_classes), how

    def forward(self, ids, mask):
        return self.head(pool(self.encoder(ids, mask), mask, self.how)).softmax(-1)


# %% wrong="returns log-probabilities" exercise="SentenceClassifier" hint="These are log-probabilities"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder, self.head, self.how = encoder, nn.Linear(d_model, n_classes), how

    def forward(self, ids, mask):
        return torch.log_softmax(self.head(pool(self.encoder(ids, mask), mask, self.how)), -1)


# %% wrong="the encoder without a mask" exercise="SentenceClassifier" hint="The encoder does not get the mask"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder, self.head, self.how = encoder, nn.Linear(d_model, n_classes), how

    def forward(self, ids, mask):
        return self.head(pool(self.encoder(ids), mask, self.how))


# %% wrong="pool without a mask" exercise="SentenceClassifier" hint="pool does not get the mask"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder, self.head, self.how = encoder, nn.Linear(d_model, n_classes), how

    def forward(self, ids, mask):
        hidden = self.encoder(ids, mask)
        return self.head(pool(hidden, torch.ones_like(mask), self.how))


# %% wrong="always the first token" exercise="SentenceClassifier" hint="this is always “cls”"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(d_model, n_classes)

    def forward(self, ids, mask):
        return self.head(pool(self.encoder(ids, mask), mask, "cls"))


# %% wrong="a frozen encoder" exercise="SentenceClassifier" hint="Fine-tuning changes the encoder as well"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder, self.head, self.how = encoder, nn.Linear(d_model, n_classes), how

    def forward(self, ids, mask):
        with torch.no_grad():
            hidden = self.encoder(ids, mask)
        return self.head(pool(hidden, mask, self.how))


# %% wrong="the encoder out of the module's sight" exercise="SentenceClassifier" hint="Keep the encoder as self.encoder"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.parts = [encoder]
        self.head, self.how = nn.Linear(d_model, n_classes), how

    def forward(self, ids, mask):
        return self.head(pool(self.parts[0](ids, mask), mask, self.how))


# %% wrong="tanh in front of the head" exercise="SentenceClassifier" hint="the head is one linear map"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder, self.head, self.how = encoder, nn.Linear(d_model, n_classes), how

    def forward(self, ids, mask):
        return self.head(torch.tanh(pool(self.encoder(ids, mask), mask, self.how)))


# %% wrong="head first, then pool" exercise="SentenceClassifier" hint="Pool the hidden vectors first"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder, self.head, self.how = encoder, nn.Linear(d_model, n_classes), how

    def forward(self, ids, mask):
        return pool(self.head(self.encoder(ids, mask)), mask, self.how)


# %% wrong="a head of two layers" exercise="SentenceClassifier" hint="nothing else"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder, self.how = encoder, how
        self.dense = nn.Linear(d_model, d_model)
        self.head = nn.Linear(d_model, n_classes)

    def forward(self, ids, mask):
        return self.head(torch.relu(self.dense(pool(self.encoder(ids, mask), mask, self.how))))


# %% wrong="encoder switched to evaluation" exercise="SentenceClassifier" hint="kept as it came"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder = encoder.eval()
        self.head = nn.Linear(d_model, n_classes)
        self.how = how

    def forward(self, ids, mask):
        return self.head(pool(self.encoder(ids, mask), mask, self.how))


# %% wrong="encoder drawn anew" exercise="SentenceClassifier" hint="kept as it came"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder = encoder
        for p in encoder.parameters():
            nn.init.normal_(p)
        self.head = nn.Linear(d_model, n_classes)
        self.how = how

    def forward(self, ids, mask):
        return self.head(pool(self.encoder(ids, mask), mask, self.how))


# %% wrong="dropout in front of the head" exercise="SentenceClassifier" hint="there is no dropout"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(d_model, n_classes)
        self.how = how

    def forward(self, ids, mask):
        return self.head(nn.functional.dropout(pool(self.encoder(ids, mask), mask, self.how), 0.1))


# %% wrong="ReLU in front of the head" exercise="SentenceClassifier" hint="No activation stands"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(d_model, n_classes)
        self.how = how

    def forward(self, ids, mask):
        return self.head(pool(self.encoder(ids, mask), mask, self.how).relu())


# %% right="the pooling chosen at the start" exercise="SentenceClassifier"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.add_module("encoder", encoder)
        self.add_module("head", nn.Linear(d_model, n_classes))
        self.pooling = lambda hidden, mask: pool(hidden, mask, how)

    def forward(self, ids, mask):
        return self.head(self.pooling(self.encoder(ids, mask), mask))


# %% right="the product written out" exercise="SentenceClassifier"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.how = how
        self.encoder = encoder
        self.head = torch.nn.Linear(in_features=d_model, out_features=n_classes, bias=True)

    def forward(self, ids, mask):
        text = pool(self.encoder(ids, mask=mask), mask, how=self.how)
        return torch.einsum("bd,cd->bc", text, self.head.weight) + self.head.bias


# %% right="the way kept in a function" exercise="SentenceClassifier"
class SentenceClassifier(nn.Module):
    def __init__(self, encoder, d_model, n_classes, how):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(d_model, n_classes)
        self.pool = lambda h, m: pool(h, m, how)

    def forward(self, ids, mask):
        vector = self.pool(self.encoder(ids, mask), mask)
        return self.head(vector)


# %% wrong="every piece carries the tag" exercise="align_labels" hint="Every piece carries its word's tag"
def align_labels(word_ids, tags):
    return [-100 if word_id is None else tags[word_id] for word_id in word_ids]


# %% wrong="the tag on the last piece" exercise="align_labels" hint="That is the last piece"
def align_labels(word_ids, tags):
    following = [*word_ids[1:], None]
    return [-100 if i is None or i == after else tags[i] for i, after in zip(word_ids, following)]


# %% wrong="word 0 taken for no word" exercise="align_labels" hint="only None means that there is none"
def align_labels(word_ids, tags):
    labels, previous = [], None
    for word_id in word_ids:
        labels.append(tags[word_id] if word_id and word_id != previous else -100)
        previous = word_id
    return labels


# %% wrong="O on later pieces" exercise="align_labels" hint="not the tag O"
def align_labels(word_ids, tags):
    labels, previous = [], None
    for word_id in word_ids:
        if word_id is None:
            labels.append(-100)
        else:
            labels.append(tags[word_id] if word_id != previous else 0)
        previous = word_id
    return labels


# %% wrong="O on special tokens" exercise="align_labels" hint="0 would be a tag"
def align_labels(word_ids, tags):
    labels, previous = [], None
    for word_id in word_ids:
        if word_id is None:
            labels.append(0)
        else:
            labels.append(tags[word_id] if word_id != previous else -100)
        previous = word_id
    return labels


# %% wrong="special tokens left out" exercise="align_labels" hint="Special tokens are missing"
def align_labels(word_ids, tags):
    labels, previous = [], None
    for word_id in word_ids:
        if word_id is not None:
            labels.append(tags[word_id] if word_id != previous else -100)
        previous = word_id
    return labels


# %% wrong="later pieces left out" exercise="align_labels" hint="Pieces are missing"
def align_labels(word_ids, tags):
    labels, previous = [], "start"
    for word_id in word_ids:
        if word_id is None:
            labels.append(-100)
        elif word_id != previous:
            labels.append(tags[word_id])
        previous = word_id
    return labels


# %% wrong="compares tags instead of words" exercise="align_labels" hint="Compare word ids, not tags"
def align_labels(word_ids, tags):
    labels, previous = [], None
    for word_id in word_ids:
        tag = None if word_id is None else tags[word_id]
        labels.append(-100 if tag is None or tag == previous else tag)
        previous = tag
    return labels


# %% wrong="tags taken one after the other" exercise="align_labels" hint="take tags[word_id]"
def align_labels(word_ids, tags):
    labels, previous, upcoming = [], None, iter(tags)
    for word_id in word_ids:
        labels.append(next(upcoming) if word_id is not None and word_id != previous else -100)
        previous = word_id
    return labels


# %% wrong="I- behind B-: the next tag on later pieces" exercise="align_labels" hint="not the tag behind their word's"
def align_labels(word_ids, tags):
    labels, previous = [], None
    for word_id in word_ids:
        if word_id is None:
            labels.append(-100)
        else:
            labels.append(tags[word_id] + (word_id == previous))
        previous = word_id
    return labels


# %% wrong="takes word ids out of the argument" exercise="align_labels" hint="Neither word_ids nor tags change"
def align_labels(word_ids, tags):
    labels, previous = [], None
    while word_ids:
        word_id = word_ids.pop(0)
        labels.append(tags[word_id] if word_id is not None and word_id != previous else -100)
        previous = word_id
    return labels


# %% wrong="-1 for what is ignored" exercise="align_labels" hint="not -1 or another number"
def align_labels(word_ids, tags):
    return [-1 if i is None or (n and word_ids[n - 1] == i) else tags[i] for n, i in enumerate(word_ids)]


# %% wrong="tag 0 taken for none" exercise="align_labels" hint="A tag of 0 is a tag"
def align_labels(word_ids, tags):
    out, before = [], None
    for w in word_ids:
        out.append(-100 if w is None or w == before else tags[w] or -100)
        before = w
    return out


# %% right="a set of words already labelled" exercise="align_labels"
def align_labels(word_ids, tags):
    seen, labels = {None}, []
    for word_id in word_ids:
        labels.append(-100 if word_id in seen else tags[word_id])
        seen.add(word_id)
    return labels


# %% right="pairs of neighbours" exercise="align_labels"
def align_labels(word_ids, tags):
    return [
        tags[here] if here is not None and here != before else -100 for before, here in zip([None, *word_ids], word_ids)
    ]


# %% right="the place of each word's first piece" exercise="align_labels"
def align_labels(word_ids, tags):
    labels = [-100] * len(word_ids)
    for word in {i for i in word_ids if i is not None}:
        labels[word_ids.index(word)] = tags[word]
    return labels


# %% right="groups" exercise="align_labels"
def align_labels(word_ids, tags):
    from itertools import groupby

    labels = []
    for word_id, pieces in groupby(word_ids):
        n_pieces = len(list(pieces))
        first = [-100] if word_id is None else [tags[word_id]]
        labels.extend(first + [-100] * (n_pieces - 1))
    return labels


# %% right="groups of equal ids" exercise="align_labels"
from itertools import groupby


def align_labels(word_ids, tags):
    out = []
    for w, run in groupby(word_ids):
        n = len(list(run))
        out += [-100] * n if w is None else [tags[w]] + [-100] * (n - 1)
    return out


# %% wrong="F1 over words" exercise="entity_f1" hint="That is F1 over words"
def entity_f1(predicted, gold):
    ours, theirs, right = 0, 0, 0
    for a, b in zip(predicted, gold):
        for p, g in zip(a, b):
            ours, theirs, right = ours + (p != "O"), theirs + (g != "O"), right + (p == g != "O")
    return 2 * right / (ours + theirs) if ours + theirs else 0.0


# %% wrong="accuracy over words" exercise="entity_f1" hint="the share of words with the right tag"
def entity_f1(predicted, gold):
    pairs = [pair for a, b in zip(predicted, gold) for pair in zip(a, b)]
    return sum(p == g for p, g in pairs) / len(pairs)


# %% wrong="precision" exercise="entity_f1" hint="That is precision alone"
def entity_f1(predicted, gold):
    def entities(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            start = None
            for i, tag in enumerate(list(tags) + ["O"]):
                if start is not None and tag != "I-" + kind:
                    found.add((n, start, i, kind))
                    start = None
                if tag != "O" and start is None:
                    start, kind = i, tag[2:]
        return found

    ours, theirs = entities(predicted), entities(gold)
    return len(ours & theirs) / len(ours) if ours else 0.0


# %% wrong="the mean of precision and recall" exercise="entity_f1" hint="F1 is the harmonic mean"
def entity_f1(predicted, gold):
    def entities(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            start = None
            for i, tag in enumerate(list(tags) + ["O"]):
                if start is not None and tag != "I-" + kind:
                    found.add((n, start, i, kind))
                    start = None
                if tag != "O" and start is None:
                    start, kind = i, tag[2:]
        return found

    ours, theirs = entities(predicted), entities(gold)
    if not ours or not theirs:
        return 0.0
    n_right = len(ours & theirs)
    return (n_right / len(ours) + n_right / len(theirs)) / 2


# %% wrong="first word and type are enough" exercise="entity_f1" hint="another end, is wrong"
def entity_f1(predicted, gold):
    def starts(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            for i, tag in enumerate(tags):
                goes_on = tag[:2] == "I-" and i > 0 and tags[i - 1][2:] == tag[2:]
                if tag != "O" and not goes_on:
                    found.add((n, i, tag[2:]))
        return found

    ours, theirs = starts(predicted), starts(gold)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 0.0


# %% wrong="the type left out" exercise="entity_f1" hint="the type belongs to what is compared"
def entity_f1(predicted, gold):
    def entities(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            start = None
            for i, tag in enumerate(list(tags) + ["O"]):
                if start is not None and tag != "I-" + kind:
                    found.add((n, start, i))
                    start = None
                if tag != "O" and start is None:
                    start, kind = i, tag[2:]
        return found

    ours, theirs = entities(predicted), entities(gold)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 0.0


# %% wrong="neighbours of one type joined" exercise="entity_f1" hint="A B- begins a new entity"
def entity_f1(predicted, gold):
    def entities(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            start = None
            for i, tag in enumerate(list(tags) + ["O"]):
                if start is not None and tag[2:] != kind:
                    found.add((n, start, i, kind))
                    start = None
                if tag != "O" and start is None:
                    start, kind = i, tag[2:]
        return found

    ours, theirs = entities(predicted), entities(gold)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 0.0


# %% wrong="I- without B- ignored" exercise="entity_f1" hint="An I- that does not go on"
def entity_f1(predicted, gold):
    def entities(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            start = None
            for i, tag in enumerate(list(tags) + ["O"]):
                if start is not None and tag != "I-" + kind:
                    found.add((n, start, i, kind))
                    start = None
                if tag[0] == "B":
                    start, kind = i, tag[2:]
        return found

    ours, theirs = entities(predicted), entities(gold)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 0.0


# %% wrong="I- of another type goes on" exercise="entity_f1" hint="behind another type"
def entity_f1(predicted, gold):
    def entities(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            start = None
            for i, tag in enumerate(list(tags) + ["O"]):
                if start is not None and tag[0] != "I":
                    found.add((n, start, i, kind))
                    start = None
                if tag != "O" and start is None:
                    start, kind = i, tag[2:]
        return found

    ours, theirs = entities(predicted), entities(gold)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 0.0


# %% wrong="the entity at a sentence's end forgotten" exercise="entity_f1" hint="an entity may end with its sentence"
def entity_f1(predicted, gold):
    def entities(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            start = None
            for i, tag in enumerate(tags):
                if start is not None and tag != "I-" + kind:
                    found.add((n, start, i, kind))
                    start = None
                if tag != "O" and start is None:
                    start, kind = i, tag[2:]
        return found

    ours, theirs = entities(predicted), entities(gold)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 0.0


# %% wrong="sentences joined" exercise="entity_f1" hint="Sentences were joined"
def entity_f1(predicted, gold):
    def entities(sentences):
        tags = [tag for sentence in sentences for tag in sentence] + ["O"]
        found, start = set(), None
        for i, tag in enumerate(tags):
            if start is not None and tag != "I-" + kind:
                found.add((start, i, kind))
                start = None
            if tag != "O" and start is None:
                start, kind = i, tag[2:]
        return found

    ours, theirs = entities(predicted), entities(gold)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 0.0


# %% wrong="the sentence's number left out" exercise="entity_f1" hint="The sentence's number is missing"
def entity_f1(predicted, gold):
    def entities(sentences):
        found = set()
        for tags in sentences:
            start = None
            for i, tag in enumerate(list(tags) + ["O"]):
                if start is not None and tag != "I-" + kind:
                    found.add((start, i, kind))
                    start = None
                if tag != "O" and start is None:
                    start, kind = i, tag[2:]
        return found

    ours, theirs = entities(predicted), entities(gold)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 0.0


# %% wrong="the mean over sentences" exercise="entity_f1" hint="That is the mean of the sentences' F1"
def entity_f1(predicted, gold):
    def entities(tags):
        found, start = set(), None
        for i, tag in enumerate(list(tags) + ["O"]):
            if start is not None and tag != "I-" + kind:
                found.add((start, i, kind))
                start = None
            if tag != "O" and start is None:
                start, kind = i, tag[2:]
        return found

    scores = []
    for p, g in zip(predicted, gold):
        ours, theirs = entities(p), entities(g)
        scores.append(2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 0.0)
    return sum(scores) / len(scores)


# %% wrong="divides by zero" exercise="entity_f1" hint="the formula is 0 / 0"
def entity_f1(predicted, gold):
    def entities(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            start = None
            for i, tag in enumerate(list(tags) + ["O"]):
                if start is not None and tag != "I-" + kind:
                    found.add((n, start, i, kind))
                    start = None
                if tag != "O" and start is None:
                    start, kind = i, tag[2:]
        return found

    ours, theirs = entities(predicted), entities(gold)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs))


# %% wrong="1.0 where there is nothing to find" exercise="entity_f1" hint="and the answer 0.0"
def entity_f1(predicted, gold):
    def entities(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            start = None
            for i, tag in enumerate(list(tags) + ["O"]):
                if start is not None and tag != "I-" + kind:
                    found.add((n, start, i, kind))
                    start = None
                if tag != "O" and start is None:
                    start, kind = i, tag[2:]
        return found

    ours, theirs = entities(predicted), entities(gold)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 1.0


# %% wrong="marks the end in the argument" exercise="entity_f1" hint="whether your function alters its lists"
def entity_f1(predicted, gold):
    def entities(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            start = None
            tags.append("O")
            for i, tag in enumerate(tags):
                if start is not None and tag != "I-" + kind:
                    found.add((n, start, i, kind))
                    start = None
                if tag != "O" and start is None:
                    start, kind = i, tag[2:]
        return found

    ours, theirs = entities(predicted), entities(gold)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 0.0


# %% wrong="types by their first letter" exercise="entity_f1" hint="Types are compared whole"
def entity_f1(predicted, gold):
    def spans(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            start = kind = None
            for i, tag in enumerate([*tags, "O"]):
                if kind is not None and tag != "I-" + kind:
                    found.add((n, start, i - 1, kind))
                    kind = None
                if tag != "O" and kind is None:
                    start, kind = i, tag[2:3]
        return found

    a, b = spans(predicted), spans(gold)
    return 2 * len(a & b) / (len(a) + len(b)) if a or b else 0.0


# %% wrong="types without regard to capitals" exercise="entity_f1" hint="Types are compared whole"
def entity_f1(predicted, gold):
    def spans(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            start = kind = None
            for i, tag in enumerate([*tags, "O"]):
                if kind is not None and tag != "I-" + kind:
                    found.add((n, start, i - 1, kind))
                    kind = None
                if tag != "O" and kind is None:
                    start, kind = i, tag.split("-")[-1].upper()
        return found

    a, b = spans(predicted), spans(gold)
    return 2 * len(a & b) / (len(a) + len(b)) if a or b else 0.0


# %% wrong="a percentage" exercise="entity_f1" hint="not a percentage"
def entity_f1(predicted, gold):
    def spans(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            start = kind = None
            for i, tag in enumerate([*tags, "O"]):
                if kind is not None and tag != "I-" + kind:
                    found.add((n, start, i - 1, kind))
                    kind = None
                if tag != "O" and kind is None:
                    start, kind = i, tag[2:]
        return found

    a, b = spans(predicted), spans(gold)
    return 200 * len(a & b) / (len(a) + len(b)) if a or b else 0.0


# %% wrong="the share of all entities" exercise="entity_f1" hint="F1 is 2 n_right"
def entity_f1(predicted, gold):
    def spans(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            start = kind = None
            for i, tag in enumerate([*tags, "O"]):
                if kind is not None and tag != "I-" + kind:
                    found.add((n, start, i - 1, kind))
                    kind = None
                if tag != "O" and kind is None:
                    start, kind = i, tag[2:]
        return found

    a, b = spans(predicted), spans(gold)
    return len(a & b) / len(a | b) if a or b else 0.0


# %% right="a pattern over letters" exercise="entity_f1"
def entity_f1(predicted, gold):
    import re

    def entities(sentences):
        found = []
        for number, tags in enumerate(sentences):
            # One mark a word: b begins an entity, i goes on with it.
            marks = ""
            for i, tag in enumerate(tags):
                goes_on = tag.startswith("I-") and i > 0 and tags[i - 1][2:] == tag[2:]
                marks += "o" if tag == "O" else "i" if goes_on else "b"
            found += [(number, m.start(), m.end(), tags[m.start()][2:]) for m in re.finditer("bi*", marks)]
        return found

    ours, theirs = entities(predicted), entities(gold)
    n_right = sum(entity in theirs for entity in ours)
    return 2.0 * n_right / max(1, len(ours) + len(theirs))


# %% right="precision and recall, written out" exercise="entity_f1"
def entity_f1(predicted, gold):
    def entities(tags):
        found, open_at, open_type = [], None, None
        for i in range(len(tags)):
            prefix, _, kind = tags[i].partition("-")
            if open_at is not None and (prefix != "I" or kind != open_type):
                found.append((open_at, i - 1, open_type))
                open_at = None
            if prefix != "O" and open_at is None:
                open_at, open_type = i, kind
        if open_at is not None:
            found.append((open_at, len(tags) - 1, open_type))
        return found

    n_right = n_predicted = n_gold = 0
    for p, g in zip(predicted, gold):
        ours, theirs = entities(p), entities(g)
        n_right += len([entity for entity in ours if entity in theirs])
        n_predicted += len(ours)
        n_gold += len(theirs)
    if n_right == 0:
        return 0.0
    precision, recall = n_right / n_predicted, n_right / n_gold
    return 2 * precision * recall / (precision + recall)


# %% right="repairs the tags to B- first" exercise="entity_f1"
def entity_f1(predicted, gold):
    from collections import Counter

    def repaired(tags):
        before = ["O", *tags]
        return ["B" + t[1:] if t[0] == "I" and b[2:] != t[2:] else t for b, t in zip(before, tags)]

    def entities(sentences):
        found = Counter()
        for number, tags in enumerate(map(repaired, sentences)):
            begins = [i for i, tag in enumerate(tags) if tag[0] == "B"]
            for i in begins:
                end = i + 1
                while end < len(tags) and tags[end][0] == "I":
                    end += 1
                found[number, i, end, tags[i][2:]] += 1
        return found

    ours, theirs = entities(predicted), entities(gold)
    n_right = sum((ours & theirs).values())
    n_all = sum(ours.values()) + sum(theirs.values())
    return 0.0 if n_all == 0 else n_right / (n_all / 2)


# %% right="a tensor as the result" exercise="entity_f1"
def entity_f1(predicted, gold):
    def entities(sentences):
        found = set()
        for n, tags in enumerate(sentences):
            i = 0
            while i < len(tags):
                if tags[i] == "O":
                    i += 1
                    continue
                j = i + 1
                while j < len(tags) and tags[j] == "I-" + tags[i][2:]:
                    j += 1
                found.add((n, i, j, tags[i][2:]))
                i = j
        return found

    ours, theirs = entities(predicted), entities(gold)
    return torch.tensor(2 * len(ours.intersection(theirs)) / max(len(ours) + len(theirs), 1), dtype=torch.float64)


# %% right="made strict first" exercise="entity_f1"
def entity_f1(predicted, gold):
    def strict(tags):
        new, before = [], "O"
        for tag in tags:
            if tag[0] == "I" and before[1:] != tag[1:]:
                tag = "B" + tag[1:]
            new.append(tag)
            before = tag
        return new

    def ends(tags):
        tags = strict(tags)
        starts = [i for i, t in enumerate(tags) if t.startswith("B")]
        return {
            (i, next((j for j in range(i + 1, len(tags)) if not tags[j].startswith("I")), len(tags)), tags[i][2:])
            for i in starts
        }

    hits = total = 0
    for a, b in zip(predicted, gold, strict=True):
        x, y = ends(a), ends(b)
        hits += len(x.intersection(y))
        total += len(x) + len(y)
    return 0.0 if not total else 2 * hits / total
