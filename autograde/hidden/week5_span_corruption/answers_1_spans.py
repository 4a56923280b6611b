# %% wrong="Bernoulli noise" exercise="random_spans" hint="it is fixed, chance only says where"
def random_spans(length, density, mean_span_len, generator):
    return torch.rand(length, generator=generator) < density


# %% wrong="the right number of tokens, anywhere" exercise="random_spans" hint="The number of spans is round(noise / mean_span_len)"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(round(length * density), 1), length - 1)
    mask = torch.zeros(length, dtype=torch.bool)
    mask[torch.randperm(length, generator=generator)[:n_noise]] = True
    return mask


# %% wrong="spans of exactly the mean" exercise="random_spans" hint="The lengths of the spans are always the same"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)
    n_text = length - n_noise
    gaps = (torch.randperm(n_text - 1, generator=generator)[: n_spans - 1].sort().values + 1).tolist()
    stretches = [b - a for a, b in zip([0, *gaps], [*gaps, n_text])]
    spans = [n_noise // n_spans + (i < n_noise % n_spans) for i in range(n_spans)]
    return torch.tensor([v for a, b in zip(stretches, spans) for v in [False] * a + [True] * b])


# %% wrong="stretches of text all alike" exercise="random_spans" hint="The lengths of the stretches of text are always the same"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)
    n_text = length - n_noise
    gaps = (torch.randperm(n_noise - 1, generator=generator)[: n_spans - 1].sort().values + 1).tolist()
    spans = [b - a for a, b in zip([0, *gaps], [*gaps, n_noise])]
    stretches = [n_text // n_spans + (i < n_text % n_spans) for i in range(n_spans)]
    return torch.tensor([v for a, b in zip(stretches, spans) for v in [False] * a + [True] * b])


# %% wrong="gaps drawn with repetition: spans merge" exercise="random_spans" hint="Some spans touch, or are empty, and become one"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)

    def cut(n):
        gaps = torch.randint(0, n + 1, (n_spans - 1,), generator=generator).sort().values.tolist()
        return [b - a for a, b in zip([0, *gaps], [*gaps, n])]

    return torch.tensor([v for a, b in zip(cut(length - n_noise), cut(n_noise)) for v in [False] * a + [True] * b])


# %% wrong="lengths drawn one after another" exercise="random_spans" hint="choose s - 1 different ones of the n - 1 gaps"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)

    def cut(n):
        lengths = []
        for left in range(n_spans - 1, 0, -1):
            size = int(torch.randint(1, n - left + 1, (1,), generator=generator))
            lengths.append(size)
            n -= size
        return [*lengths, n]

    return torch.tensor([v for a, b in zip(cut(length - n_noise), cut(n_noise)) for v in [False] * a + [True] * b])


# %% wrong="every token falls into a part by itself" exercise="random_spans" hint="choose s - 1 different ones of the n - 1 gaps"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)

    def cut(n):
        lengths = torch.ones(n_spans, dtype=torch.long)
        for part in torch.randint(n_spans, (n - n_spans,), generator=generator).tolist():
            lengths[part] += 1
        return lengths.tolist()

    return torch.tensor([v for a, b in zip(cut(length - n_noise), cut(n_noise)) for v in [False] * a + [True] * b])


# %% wrong="one cut for both" exercise="random_spans" hint="The spans follow the stretches of text"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)
    start = generator.get_state()

    def cut(n):
        generator.set_state(start)
        gaps = (torch.randperm(n - 1, generator=generator)[: n_spans - 1].sort().values + 1).tolist()
        return [b - a for a, b in zip([0, *gaps], [*gaps, n])]

    pairs = zip(cut(length - n_noise), cut(n_noise))
    mask = torch.tensor([v for a, b in pairs for v in [False] * a + [True] * b])
    torch.rand(1, generator=generator)
    return mask


# %% wrong="noise first, text last" exercise="random_spans" hint="The turns are swapped"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)

    def cut(n):
        gaps = (torch.randperm(n - 1, generator=generator)[: n_spans - 1].sort().values + 1).tolist()
        return [b - a for a, b in zip([0, *gaps], [*gaps, n])]

    return torch.tensor([v for a, b in zip(cut(length - n_noise), cut(n_noise)) for v in [True] * b + [False] * a])


# %% wrong="rolled" exercise="random_spans" hint="left to chance: it starts with text and ends with noise"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)

    def cut(n):
        gaps = (torch.randperm(n - 1, generator=generator)[: n_spans - 1].sort().values + 1).tolist()
        return [b - a for a, b in zip([0, *gaps], [*gaps, n])]

    mask = torch.tensor([v for a, b in zip(cut(length - n_noise), cut(n_noise)) for v in [False] * a + [True] * b])
    return mask.roll(int(torch.randint(length, (1,), generator=generator)))


# %% wrong="half up" exercise="random_spans" hint="int(x + 0.5) rounds halves up"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(int(length * density + 0.5), 1), length - 1)
    n_spans = max(int(n_noise / mean_span_len + 0.5), 1)

    def cut(n):
        gaps = (torch.randperm(n - 1, generator=generator)[: n_spans - 1].sort().values + 1).tolist()
        return [b - a for a, b in zip([0, *gaps], [*gaps, n])]

    return torch.tensor([v for a, b in zip(cut(length - n_noise), cut(n_noise)) for v in [False] * a + [True] * b])


# %% wrong="rounded down" exercise="random_spans" hint="is rounded, not cut off"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(int(length * density), 1), length - 1)
    n_spans = max(int(n_noise / mean_span_len), 1)

    def cut(n):
        gaps = (torch.randperm(n - 1, generator=generator)[: n_spans - 1].sort().values + 1).tolist()
        return [b - a for a, b in zip([0, *gaps], [*gaps, n])]

    return torch.tensor([v for a, b in zip(cut(length - n_noise), cut(n_noise)) for v in [False] * a + [True] * b])


# %% wrong="may hide all, or nothing" exercise="random_spans" hint="At least 1 and at most T - 1 tokens are noise"
def random_spans(length, density, mean_span_len, generator):
    n_noise = round(length * density)
    n_spans = round(n_noise / mean_span_len)
    if n_noise == 0 or n_spans == 0:
        return torch.zeros(length, dtype=torch.bool)
    if n_noise == length:
        return torch.ones(length, dtype=torch.bool)

    def cut(n):
        gaps = (torch.randperm(n - 1, generator=generator)[: n_spans - 1].sort().values + 1).tolist()
        return [b - a for a, b in zip([0, *gaps], [*gaps, n])]

    return torch.tensor([v for a, b in zip(cut(length - n_noise), cut(n_noise)) for v in [False] * a + [True] * b])


# %% wrong="one span of noise, always" exercise="random_spans" hint="The number of spans is round(noise / mean_span_len)"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(round(length * density), 1), length - 1)
    return torch.arange(length) >= length - n_noise


# %% wrong="generator not used" exercise="random_spans" hint="use the generator"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)

    def cut(n):
        gaps = (torch.randperm(n - 1)[: n_spans - 1].sort().values + 1).tolist()
        return [b - a for a, b in zip([0, *gaps], [*gaps, n])]

    return torch.tensor([v for a, b in zip(cut(length - n_noise), cut(n_noise)) for v in [False] * a + [True] * b])


# %% wrong="generator seeded again" exercise="random_spans" hint="seed nothing yourself"
def random_spans(length, density, mean_span_len, generator):
    generator.manual_seed(0)
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)

    def cut(n):
        gaps = (torch.randperm(n - 1, generator=generator)[: n_spans - 1].sort().values + 1).tolist()
        return [b - a for a, b in zip([0, *gaps], [*gaps, n])]

    return torch.tensor([v for a, b in zip(cut(length - n_noise), cut(n_noise)) for v in [False] * a + [True] * b])


# %% wrong="True means text" exercise="random_spans" hint="The mask is turned round: True means noise"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.ones(length, dtype=torch.bool)
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)

    def cut(n):
        gaps = (torch.randperm(n - 1, generator=generator)[: n_spans - 1].sort().values + 1).tolist()
        return [b - a for a, b in zip([0, *gaps], [*gaps, n])]

    return torch.tensor([v for a, b in zip(cut(length - n_noise), cut(n_noise)) for v in [True] * a + [False] * b])


# %% wrong="numbers instead of booleans" exercise="random_spans" hint="A tensor of booleans is expected"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length)
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)

    def cut(n):
        gaps = (torch.randperm(n - 1, generator=generator)[: n_spans - 1].sort().values + 1).tolist()
        return [b - a for a, b in zip([0, *gaps], [*gaps, n])]

    return torch.tensor([v for a, b in zip(cut(length - n_noise), cut(n_noise)) for v in [0.0] * a + [1.0] * b])


# %% right="as released: shuffled marks, cumulative sums" exercise="random_spans"
def random_spans(length, density, mean_span_len, generator):
    if density == 0:
        return torch.zeros(length, dtype=torch.bool)
    whole = max(length, 2)
    n_noise = min(max(round(whole * density), 1), whole - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)

    def lengths(n):
        marks = (torch.arange(n - 1) < n_spans - 1)[torch.randperm(n - 1, generator=generator)]
        return torch.bincount(torch.cat([torch.zeros(1, dtype=torch.long), marks.long().cumsum(0)]))

    noise, text = lengths(n_noise), lengths(whole - n_noise)
    turns = torch.stack([text, noise], dim=1).flatten()
    return torch.repeat_interleave(torch.arange(len(turns)) % 2 == 1, turns)[:length]


# %% right="sorted random numbers choose the gaps" exercise="random_spans"
def random_spans(length, density, mean_span_len, generator):
    mask = torch.zeros(length, dtype=torch.bool)
    if density > 0 and length > 1:
        n_noise = int(max(1, min(length - 1, round(length * density))))
        n_spans = int(max(1, round(n_noise / mean_span_len)))
        edges = []
        for n in (n_noise, length - n_noise):
            order = torch.rand(n - 1, generator=generator, dtype=torch.float64).argsort()
            edges.append([0, *sorted((order[: n_spans - 1] + 1).tolist()), n])
        noise, text = edges
        for k in range(n_spans):
            mask[text[k + 1] + noise[k] : text[k + 1] + noise[k + 1]] = True
    return mask


# %% right="Python's random, seeded by the generator" exercise="random_spans"
def random_spans(length, density, mean_span_len, generator):
    import random

    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    draw = random.Random(int(torch.randint(2**62, (1,), generator=generator)))
    n_noise = min(max(round(length * density), 1), length - 1)
    n_spans = max(round(n_noise / mean_span_len), 1)
    noise_gaps = sorted(draw.sample(range(1, n_noise), n_spans - 1))
    text_gaps = sorted(draw.sample(range(1, length - n_noise), n_spans - 1))
    mask = []
    for a, b, c, d in zip([0, *text_gaps], [*text_gaps, length - n_noise], [0, *noise_gaps], [*noise_gaps, n_noise]):
        mask += [False] * (b - a) + [True] * (d - c)
    return torch.tensor(mask, dtype=torch.bool)


# %% right="draws again until no part is empty" exercise="random_spans"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = int(torch.tensor(length * density, dtype=torch.float64).round().clamp(1, length - 1))
    n_spans = max(int(torch.tensor(n_noise / mean_span_len, dtype=torch.float64).round()), 1)

    def cut(n):
        chosen = set()
        while len(chosen) < n_spans - 1:
            chosen.add(1 + int(torch.randint(n - 1, (1,), generator=generator)))
        edges = [0, *sorted(chosen), n]
        return torch.tensor(edges).diff()

    turns = torch.stack([cut(length - n_noise), cut(n_noise)]).T.flatten()
    return (torch.arange(2 * n_spans) % 2).bool().repeat_interleave(turns)


# %% wrong="spans counted before the noise is rounded" exercise="random_spans" hint="counted before the noise is rounded"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n = min(max(round(length * density), 1), length - 1)
    s = max(round(length * density / mean_span_len), 1)

    def cut(n):
        gaps = (torch.randperm(n - 1, generator=generator)[: s - 1] + 1).sort().values.tolist()
        edges = [0, *gaps, n]
        return [b - a for a, b in zip(edges, edges[1:])]

    noise, text = cut(n), cut(length - n)
    mask = []
    for t, z in zip(text, noise):
        mask += [False] * t + [True] * z
    return torch.tensor(mask)


# %% wrong="number of spans rounded down" exercise="random_spans" hint="The number of spans is round(noise / mean_span_len)"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n = min(max(round(length * density), 1), length - 1)
    s = max(int(n // mean_span_len), 1)

    def cut(n):
        gaps = (torch.randperm(n - 1, generator=generator)[: s - 1] + 1).sort().values.tolist()
        edges = [0, *gaps, n]
        return [b - a for a, b in zip(edges, edges[1:])]

    noise, text = cut(n), cut(length - n)
    mask = []
    for t, z in zip(text, noise):
        mask += [False] * t + [True] * z
    return torch.tensor(mask)


# %% wrong="lengths in ascending order" exercise="random_spans" hint="choose s - 1 different ones of the n - 1 gaps"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n = min(max(round(length * density), 1), length - 1)
    s = max(round(n / mean_span_len), 1)

    def cut(n):
        gaps = (torch.randperm(n - 1, generator=generator)[: s - 1] + 1).sort().values.tolist()
        edges = [0, *gaps, n]
        return sorted(b - a for a, b in zip(edges, edges[1:]))

    noise, text = cut(n), cut(length - n)
    mask = []
    for t, z in zip(text, noise):
        mask += [False] * t + [True] * z
    return torch.tensor(mask)


# %% wrong="a list of booleans" exercise="random_spans" hint="A tensor is expected"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n = min(max(round(length * density), 1), length - 1)
    s = max(round(n / mean_span_len), 1)

    def cut(n):
        gaps = (torch.randperm(n - 1, generator=generator)[: s - 1] + 1).sort().values.tolist()
        edges = [0, *gaps, n]
        return [b - a for a, b in zip(edges, edges[1:])]

    noise, text = cut(n), cut(length - n)
    mask = []
    for t, z in zip(text, noise):
        mask += [False] * t + [True] * z
    return mask


# %% wrong="gaps from 0" exercise="random_spans" hint="Some spans touch, or are empty"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n = min(max(round(length * density), 1), length - 1)
    s = max(round(n / mean_span_len), 1)

    def cut(n):
        gaps = (torch.randperm(n - 1, generator=generator)[: s - 1]).sort().values.tolist()
        edges = [0, *gaps, n]
        return [b - a for a, b in zip(edges, edges[1:])]

    noise, text = cut(n), cut(length - n)
    mask = []
    for t, z in zip(text, noise):
        mask += [False] * t + [True] * z
    return torch.tensor(mask)


# %% right="sorted by turn" exercise="random_spans"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n = min(max(round(length * density), 1), length - 1)
    s = max(round(n / mean_span_len), 1)
    a = torch.rand(n - 1, generator=generator).argsort()[: s - 1] + 1
    b = torch.rand(length - n - 1, generator=generator).argsort()[: s - 1] + 1
    na = torch.zeros(n, dtype=torch.long)
    na[a] = 1
    na = na.cumsum(0)
    nb = torch.zeros(length - n, dtype=torch.long)
    nb[b] = 1
    nb = nb.cumsum(0)
    key = torch.cat([2 * nb, 2 * na + 1])
    order = torch.sort(key, stable=True)
    return order.values % 2 == 1


# %% wrong="one too high" exercise="sentinel_ids" hint="ids begin at 0"
def sentinel_ids(vocab_size, n):
    return [vocab_size - i for i in range(n)]


# %% wrong="ascending" exercise="sentinel_ids" hint="The first sentinel has the highest id"
def sentinel_ids(vocab_size, n):
    return list(range(vocab_size - n, vocab_size))


# %% wrong="one too few" exercise="sentinel_ids" hint="the list has n entries"
def sentinel_ids(vocab_size, n):
    return list(range(vocab_size - 1, vocab_size - n, -1))


# %% wrong="new ids behind the vocabulary" exercise="sentinel_ids" hint="There is no entry V"
def sentinel_ids(vocab_size, n):
    return [vocab_size + i for i in range(n)]


# %% wrong="the same for all" exercise="sentinel_ids" hint="Each sentinel's id is one below"
def sentinel_ids(vocab_size, n):
    return [vocab_size - 1] * n


# %% wrong="a tuple" exercise="sentinel_ids" hint="A list is expected"
def sentinel_ids(vocab_size, n):
    return tuple(range(vocab_size - 1, vocab_size - 1 - n, -1))


# %% right="range" exercise="sentinel_ids"
def sentinel_ids(vocab_size, n):
    return list(range(vocab_size - 1, vocab_size - 1 - n, -1))


# %% right="reversed" exercise="sentinel_ids"
def sentinel_ids(vocab_size, n):
    return sorted(range(vocab_size - n, vocab_size), reverse=True)


# %% right="with torch" exercise="sentinel_ids"
def sentinel_ids(vocab_size, n):
    return (vocab_size - 1 - torch.arange(n)).tolist()


# %% right="a slice from behind" exercise="sentinel_ids"
def sentinel_ids(vocab_size, n):
    return list(range(vocab_size))[: -n - 1 : -1]


# %% wrong="a slice that takes all for 0" exercise="sentinel_ids" hint="With n = 0 the list is empty"
def sentinel_ids(vocab_size, n):
    return list(range(vocab_size))[-n:][::-1]


# %% wrong="a range" exercise="sentinel_ids" hint="A list is expected"
def sentinel_ids(vocab_size, n):
    return range(vocab_size - 1, vocab_size - 1 - n, -1)


# %% wrong="one sentinel a token" exercise="corrupt" hint="Each hidden token gets a sentinel of its own"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, n = [], [], 0
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden:
            inputs.append(sentinels[n])
            targets += [sentinels[n], token]
            n += 1
        else:
            inputs.append(token)
    if not noise_mask[-1]:
        targets.append(sentinels[n])
    return torch.tensor([*inputs, eos_id]), torch.tensor([*targets, eos_id])


# %% wrong="one sentinel for all spans" exercise="corrupt" hint="The same sentinel stands for every span"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, inside = [], [], False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not inside:
            inputs.append(sentinels[0])
            targets.append(sentinels[0])
        (targets if hidden else inputs).append(token)
        inside = hidden
    if not inside:
        targets.append(sentinels[1])
    return torch.tensor([*inputs, eos_id]), torch.tensor([*targets, eos_id])


# %% wrong="sentinels sorted from the highest" exercise="corrupt" hint="The sentinels are sorted"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, n, inside = [], [], 0, False
    names = sorted(sentinels)[::-1]
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not inside:
            inputs.append(names[n])
            targets.append(names[n])
            n += 1
        (targets if hidden else inputs).append(token)
        inside = hidden
    if not inside:
        targets.append(names[n])
    return torch.tensor([*inputs, eos_id]), torch.tensor([*targets, eos_id])


# %% wrong="counts down from the first sentinel" exercise="corrupt" hint="The sentinels are counted down from the first one"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, n, inside = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not inside:
            inputs.append(sentinels[0] - n)
            targets.append(sentinels[0] - n)
            n += 1
        (targets if hidden else inputs).append(token)
        inside = hidden
    if not inside:
        targets.append(sentinels[0] - n)
    return torch.tensor([*inputs, eos_id]), torch.tensor([*targets, eos_id])


# %% wrong="no closing sentinel" exercise="corrupt" hint="The closing sentinel is missing"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, n, inside = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not inside:
            inputs.append(sentinels[n])
            targets.append(sentinels[n])
            n += 1
        (targets if hidden else inputs).append(token)
        inside = hidden
    return torch.tensor([*inputs, eos_id]), torch.tensor([*targets, eos_id])


# %% wrong="always a closing sentinel" exercise="corrupt" hint="A closing sentinel stands there although the text ends with noise"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, n, inside = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not inside:
            inputs.append(sentinels[n])
            targets.append(sentinels[n])
            n += 1
        (targets if hidden else inputs).append(token)
        inside = hidden
    targets.append(sentinels[n])
    return torch.tensor([*inputs, eos_id]), torch.tensor([*targets, eos_id])


# %% wrong="the last sentinel used again to close" exercise="corrupt" hint="The closing sentinel is the last span's own again"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, n, inside = [], [], -1, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not inside:
            n += 1
            inputs.append(sentinels[n])
            targets.append(sentinels[n])
        (targets if hidden else inputs).append(token)
        inside = hidden
    if not inside:
        targets.append(sentinels[max(n, 0)])
    return torch.tensor([*inputs, eos_id]), torch.tensor([*targets, eos_id])


# %% wrong="no end token in the inputs" exercise="corrupt" hint="The inputs lack the end token"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, n, inside = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not inside:
            inputs.append(sentinels[n])
            targets.append(sentinels[n])
            n += 1
        (targets if hidden else inputs).append(token)
        inside = hidden
    if not inside:
        targets.append(sentinels[n])
    return torch.tensor(inputs), torch.tensor([*targets, eos_id])


# %% wrong="no end token at all" exercise="corrupt" hint="The end token is missing"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, n, inside = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not inside:
            inputs.append(sentinels[n])
            targets.append(sentinels[n])
            n += 1
        (targets if hidden else inputs).append(token)
        inside = hidden
    if not inside:
        targets.append(sentinels[n])
    return torch.tensor(inputs), torch.tensor(targets)


# %% wrong="sentinels missing in the targets" exercise="corrupt" hint="The sentinels are missing in the targets"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, n, inside = [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not inside:
            inputs.append(sentinels[n])
            n += 1
        elif not hidden:
            inputs.append(token)
        inside = hidden
    return torch.tensor([*inputs, eos_id]), torch.tensor([*ids[noise_mask].tolist(), eos_id])


# %% wrong="hidden tokens vanish" exercise="corrupt" hint="gone without a trace"
def corrupt(ids, noise_mask, sentinels, eos_id):
    targets, n, inside = [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not inside:
            targets.append(sentinels[n])
            n += 1
        if hidden:
            targets.append(token)
        inside = hidden
    if not inside:
        targets.append(sentinels[n])
    return torch.tensor([*ids[~noise_mask].tolist(), eos_id]), torch.tensor([*targets, eos_id])


# %% wrong="a span at the beginning is not seen" exercise="corrupt" hint="the text's first token, which has no left neighbour"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, n = [], [], 0
    tokens, hidden = ids.tolist(), noise_mask.tolist()
    for t in range(len(tokens)):
        if t > 0 and hidden[t] and not hidden[t - 1]:
            inputs.append(sentinels[n])
            targets.append(sentinels[n])
            n += 1
        (targets if hidden[t] else inputs).append(tokens[t])
    if not hidden[-1]:
        targets.append(sentinels[n])
    return torch.tensor([*inputs, eos_id]), torch.tensor([*targets, eos_id])


# %% wrong="as released: the mask turned round for the targets" exercise="corrupt" hint="A span may begin with the text's first token"
def corrupt(ids, noise_mask, sentinels, eos_id):
    def replace(mask):
        found, n, inside = [], 0, False
        for token, gone in zip(ids.tolist(), mask.tolist()):
            if gone and not inside:
                found.append(sentinels[n])
                n += 1
            elif not gone:
                found.append(token)
            inside = gone
        return torch.tensor([*found, eos_id])

    return replace(noise_mask), replace(~noise_mask)


# %% wrong="the list of sentinels is used up" exercise="corrupt" hint="The argument sentinels is changed"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, inside = [], [], False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not inside:
            name = sentinels.pop(0)
            inputs.append(name)
            targets.append(name)
        (targets if hidden else inputs).append(token)
        inside = hidden
    if not inside:
        targets.append(sentinels.pop(0))
    return torch.tensor([*inputs, eos_id]), torch.tensor([*targets, eos_id])


# %% wrong="every eos_id in the text is dropped" exercise="corrupt" hint="An eos_id in the text is lost"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, n, inside = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not inside:
            inputs.append(sentinels[n])
            targets.append(sentinels[n])
            n += 1
        if token != eos_id:
            (targets if hidden else inputs).append(token)
        inside = hidden
    if not inside:
        targets.append(sentinels[n])
    return torch.tensor([*inputs, eos_id]), torch.tensor([*targets, eos_id])


# %% right="without a loop over tokens" exercise="corrupt"
def corrupt(ids, noise_mask, sentinels, eos_id):
    before = torch.cat([torch.tensor([False]), noise_mask[:-1]])
    first = noise_mask & ~before
    names = torch.tensor(sentinels)
    end = torch.tensor([eos_id])
    number = (first.long().cumsum(0) - 1).clamp(min=0)
    inputs = torch.where(first, names[number], ids)[~noise_mask | first]
    pairs = torch.stack([names[number], ids], dim=1)
    targets = pairs[torch.stack([first, noise_mask], dim=1)]
    if not noise_mask[-1]:
        targets = torch.cat([targets, names[first.sum()][None]])
    return torch.cat([inputs, end]), torch.cat([targets, end])


# %% right="groupby" exercise="corrupt"
def corrupt(ids, noise_mask, sentinels, eos_id):
    from itertools import groupby

    inputs, targets, names = [], [], iter(sentinels)
    pairs = list(zip(noise_mask.tolist(), ids.tolist()))
    for hidden, group in groupby(pairs, key=lambda pair: pair[0]):
        run = [token for _, token in group]
        if hidden:
            name = next(names)
            inputs += [name]
            targets += [name, *run]
        else:
            inputs += run
    if not pairs[-1][0]:
        targets.append(next(names))
    return torch.LongTensor(inputs + [eos_id]), torch.LongTensor(targets + [eos_id])


# %% right="a list as the result, while" exercise="corrupt"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, t, n = [], [], 0, 0
    T = len(ids)
    while t < T:
        if not noise_mask[t]:
            inputs.append(int(ids[t]))
            t += 1
            continue
        inputs.append(sentinels[n])
        targets.append(sentinels[n])
        n += 1
        while t < T and noise_mask[t]:
            targets.append(int(ids[t]))
            t += 1
    if not noise_mask[T - 1]:
        targets.append(sentinels[n])
    return [torch.tensor(inputs + [eos_id]), torch.tensor(targets + [eos_id])]


# %% right="as released, turned round, with the first case mended" exercise="corrupt"
def corrupt(ids, noise_mask, sentinels, eos_id):
    edges = [0, *[t for t in range(1, len(ids)) if noise_mask[t] != noise_mask[t - 1]], len(ids)]
    runs = [(bool(noise_mask[a]), ids[a:b]) for a, b in zip(edges, edges[1:])]
    names = [torch.tensor([s]) for s in sentinels]
    end = torch.tensor([eos_id])
    hidden = [run for noise, run in runs if noise]
    inputs, k = [], 0
    for noise, run in runs:
        inputs.append(names[k] if noise else run)
        k += noise
    targets = [part for k, run in enumerate(hidden) for part in (names[k], run)]
    if not runs[-1][0]:
        targets.append(names[len(hidden)])
    return torch.cat([*inputs, end]), torch.cat([*targets, end])


# %% wrong="closing sentinel in the inputs too" exercise="corrupt" hint="it ends the targets alone"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, count, before = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not before:
            inputs.append(sentinels[count])
            targets.append(sentinels[count])
            count += 1
        (targets if hidden else inputs).append(token)
        before = hidden
    if not before:
        targets.append(sentinels[count])
        inputs.append(sentinels[count])
    return torch.tensor(inputs + [eos_id]), torch.tensor(targets + [eos_id])


# %% wrong="end token twice" exercise="corrupt" hint="one of it in each"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, count, before = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not before:
            inputs.append(sentinels[count])
            targets.append(sentinels[count])
            count += 1
        (targets if hidden else inputs).append(token)
        before = hidden
    if not before:
        targets.append(sentinels[count])
    return torch.tensor(inputs + [eos_id]), torch.tensor(targets + [eos_id, eos_id])


# %% wrong="targets first" exercise="corrupt" hint="the inputs come first"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, count, before = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not before:
            inputs.append(sentinels[count])
            targets.append(sentinels[count])
            count += 1
        (targets if hidden else inputs).append(token)
        before = hidden
    if not before:
        targets.append(sentinels[count])
    return torch.tensor(targets + [eos_id]), torch.tensor(inputs + [eos_id])


# %% wrong="two lists" exercise="corrupt" hint="tensors are expected"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, count, before = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not before:
            inputs.append(sentinels[count])
            targets.append(sentinels[count])
            count += 1
        (targets if hidden else inputs).append(token)
        before = hidden
    if not before:
        targets.append(sentinels[count])
    return inputs + [eos_id], targets + [eos_id]


# %% wrong="first token always visible" exercise="corrupt" hint="A span may begin with the text"
def corrupt(ids, noise_mask, sentinels, eos_id):
    noise_mask[0] = False
    inputs, targets, count, before = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not before:
            inputs.append(sentinels[count])
            targets.append(sentinels[count])
            count += 1
        (targets if hidden else inputs).append(token)
        before = hidden
    if not before:
        targets.append(sentinels[count])
    return torch.tensor(inputs + [eos_id]), torch.tensor(targets + [eos_id])


# %% right="no loop" exercise="corrupt"
def corrupt(ids, noise_mask, sentinels, eos_id):
    def squash(m, closing):
        before = torch.cat([m.new_zeros(1), m[:-1]])
        start = m & ~before
        s = torch.tensor(list(sentinels) + [0])
        out = torch.where(start, s[(start.cumsum(0) - 1).clamp(min=0)], ids)
        return out[~m | start]

    T = len(ids)
    inputs = squash(noise_mask, False)
    before = torch.cat([noise_mask.new_zeros(1), noise_mask[:-1]])
    start = noise_mask & ~before
    reps = noise_mask.long() + start.long()
    out = ids.repeat_interleave(reps)
    first = (reps.cumsum(0) - reps)[start]
    out[first] = torch.tensor(sentinels)[: int(start.sum())]
    k = int(start.sum())
    if not noise_mask[-1]:
        out = torch.cat([out, torch.tensor([sentinels[k]])])
    e = torch.tensor([eos_id])
    return torch.cat([inputs, e]), torch.cat([out, e])


# %% wrong="sentinels stay in the text" exercise="reconstruct" hint="The sentinels are still there"
def reconstruct(inputs, targets, sentinels, eos_id):
    spans, span = {}, None
    for token in targets[:-1].tolist():
        if token in sentinels:
            span = spans.setdefault(token, [token])
        else:
            span.append(token)
    text = []
    for token in inputs[:-1].tolist():
        text += spans[token] if token in sentinels else [token]
    return torch.tensor(text, dtype=torch.long)


# %% wrong="one token a gap" exercise="reconstruct" hint="Each gap got only the first token"
def reconstruct(inputs, targets, sentinels, eos_id):
    wanted = targets.tolist()
    text = []
    for token in inputs[:-1].tolist():
        text.append(wanted[wanted.index(token) + 1] if token in sentinels else token)
    return torch.tensor(text, dtype=torch.long)


# %% wrong="end token kept" exercise="reconstruct" hint="The end token is still there"
def reconstruct(inputs, targets, sentinels, eos_id):
    spans, span = {}, None
    for token in targets[:-1].tolist():
        if token in sentinels:
            span = spans.setdefault(token, [])
        else:
            span.append(token)
    text = []
    for token in inputs.tolist():
        text += spans[token] if token in sentinels else [token]
    return torch.tensor(text, dtype=torch.long)


# %% wrong="every eos_id dropped" exercise="reconstruct" hint="Every eos_id was taken out"
def reconstruct(inputs, targets, sentinels, eos_id):
    spans, span = {}, None
    for token in targets.tolist():
        if token in sentinels:
            span = spans.setdefault(token, [])
        elif token != eos_id:
            span.append(token)
    text = []
    for token in inputs.tolist():
        text += spans[token] if token in sentinels else [token]
    return torch.tensor([token for token in text if token != eos_id], dtype=torch.long)


# %% wrong="the closing sentinel comes into the text" exercise="reconstruct" hint="The closing sentinel came into the text"
def reconstruct(inputs, targets, sentinels, eos_id):
    shown, wanted = inputs[:-1].tolist(), targets[:-1].tolist()
    text = []
    for token in shown:
        if token not in sentinels:
            text.append(token)
            continue
        start = wanted.index(token) + 1
        following = [s for s in sentinels if s in shown and wanted.index(s) >= start]
        text += wanted[start : wanted.index(following[0]) if following else len(wanted)]
    return torch.tensor(text, dtype=torch.long)


# %% wrong="the gaps stay empty" exercise="reconstruct" hint="Only the visible tokens came back"
def reconstruct(inputs, targets, sentinels, eos_id):
    return torch.tensor([t for t in inputs[:-1].tolist() if t not in sentinels], dtype=torch.long)


# %% wrong="spans behind the text" exercise="reconstruct" hint="put each where its sentinel is"
def reconstruct(inputs, targets, sentinels, eos_id):
    both = inputs[:-1].tolist() + targets[:-1].tolist()
    return torch.tensor([t for t in both if t not in sentinels], dtype=torch.long)


# %% wrong="sentinels are the highest ids" exercise="reconstruct" hint="a text token may have a higher or lower id"
def reconstruct(inputs, targets, sentinels, eos_id):
    spans, span, lowest = {}, None, min(sentinels)
    for token in targets[:-1].tolist():
        if token >= lowest:
            span = spans.setdefault(token, [])
        else:
            span.append(token)
    text = []
    for token in inputs[:-1].tolist():
        text += spans[token] if token >= lowest else [token]
    return torch.tensor(text, dtype=torch.long)


# %% wrong="at least one span is expected" exercise="reconstruct" hint="hold none at all"
def reconstruct(inputs, targets, sentinels, eos_id):
    n_spans = max(i for i, s in enumerate(sentinels) if s in inputs.tolist()) + 1
    wanted, text = targets[:-1].tolist(), []
    for token in inputs[:-1].tolist():
        if token not in sentinels[:n_spans]:
            text.append(token)
            continue
        for other in wanted[wanted.index(token) + 1 :]:
            if other in sentinels:
                break
            text.append(other)
    return torch.tensor(text, dtype=torch.long)


# %% wrong="a list" exercise="reconstruct" hint="A tensor is expected"
def reconstruct(inputs, targets, sentinels, eos_id):
    wanted, text = targets[:-1].tolist(), []
    for token in inputs[:-1].tolist():
        if token not in sentinels:
            text.append(token)
            continue
        for other in wanted[wanted.index(token) + 1 :]:
            if other in sentinels:
                break
            text.append(other)
    return text


# %% right="spans in the order of the gaps" exercise="reconstruct"
def reconstruct(inputs, targets, sentinels, eos_id):
    spans = []
    for token in targets[:-1].tolist():
        spans.append([]) if token in sentinels else spans[-1].append(token)
    text, k = [], 0
    for token in inputs[:-1].tolist():
        if token in sentinels:
            text += spans[k]
            k += 1
        else:
            text.append(token)
    return torch.tensor(text)


# %% right="tensors, cut and joined" exercise="reconstruct"
def reconstruct(inputs, targets, sentinels, eos_id):
    inputs, targets = inputs[:-1], targets[:-1]
    names = torch.tensor(sentinels)
    gaps = torch.isin(inputs, names).nonzero()[:, 0].tolist()
    starts = torch.isin(targets, names).nonzero()[:, 0].tolist()
    ends = [*starts[1:], len(targets)]
    parts, at = [], 0
    for gap, start, end in zip(gaps, starts, ends):
        parts += [inputs[at:gap], targets[start + 1 : end]]
        at = gap + 1
    return torch.cat([*parts, inputs[at:]])


# %% right="searches the targets" exercise="reconstruct"
def reconstruct(inputs, targets, sentinels, eos_id):
    wanted, text, marks = targets.tolist()[:-1], [], set(sentinels)
    for token in inputs.tolist()[:-1]:
        if token in marks:
            at = wanted.index(token) + 1
            while at < len(wanted) and wanted[at] not in marks:
                text.append(wanted[at])
                at += 1
        else:
            text.append(token)
    return torch.tensor(text, dtype=torch.int64)


# %% wrong="stops at the first end token" exercise="reconstruct" hint="an eos_id further left is"
def reconstruct(inputs, targets, sentinels, eos_id):
    spans, current = {}, None
    for t in targets.tolist():
        if t == eos_id:
            break
        if t in sentinels:
            current = spans[t] = []
        else:
            current.append(t)
    out = []
    for t in inputs[:-1].tolist():
        if t in sentinels:
            out += spans[t]
        else:
            out.append(t)
    return torch.tensor(out)


# %% right="from one sentinel to the next of the list" exercise="reconstruct"
def reconstruct(inputs, targets, sentinels, eos_id):
    out = []
    for t in inputs.tolist()[:-1]:
        if t in sentinels:
            k = sentinels.index(t)
            a = targets.tolist().index(sentinels[k]) + 1
            b = (
                targets.tolist().index(sentinels[k + 1])
                if k + 1 < len(sentinels) and sentinels[k + 1] in targets.tolist()
                else -1
            )
            out += targets.tolist()[a:b]
        else:
            out.append(t)
    return torch.tensor(out)


# %% wrong="end token of the inputs not counted" exercise="lengths_after_corruption" hint="The end token of the inputs is not counted"
def lengths_after_corruption(input_len, density, mean_span_len):
    def counts(n):
        noise = min(max(round(n * density), 1), n - 1)
        return noise, max(round(noise / mean_span_len), 1)

    n = 2
    while n + 1 - counts(n + 1)[0] + counts(n + 1)[1] <= input_len:
        n += 1
    noise, spans = counts(n)
    return n, noise + spans + 1


# %% wrong="end token of the targets not counted" exercise="lengths_after_corruption" hint="The end token of the targets is not counted"
def lengths_after_corruption(input_len, density, mean_span_len):
    def counts(n):
        noise = min(max(round(n * density), 1), n - 1)
        return noise, max(round(noise / mean_span_len), 1)

    n = 2
    while n + 1 - counts(n + 1)[0] + counts(n + 1)[1] + 1 <= input_len:
        n += 1
    noise, spans = counts(n)
    return n, noise + spans


# %% wrong="a closing sentinel counted" exercise="lengths_after_corruption" hint="There is no closing sentinel here"
def lengths_after_corruption(input_len, density, mean_span_len):
    def counts(n):
        noise = min(max(round(n * density), 1), n - 1)
        return noise, max(round(noise / mean_span_len), 1)

    n = 2
    while n + 1 - counts(n + 1)[0] + counts(n + 1)[1] + 1 <= input_len:
        n += 1
    noise, spans = counts(n)
    return n, noise + spans + 2


# %% wrong="the first that does not fit" exercise="lengths_after_corruption" hint="the first text that does not fit"
def lengths_after_corruption(input_len, density, mean_span_len):
    def counts(n):
        noise = min(max(round(n * density), 1), n - 1)
        return noise, max(round(noise / mean_span_len), 1)

    n = 2
    while n - counts(n)[0] + counts(n)[1] + 1 <= input_len:
        n += 1
    noise, spans = counts(n)
    return n, noise + spans + 1


# %% wrong="the shortest that fills the inputs" exercise="lengths_after_corruption" hint="of all that fit, take the longest"
def lengths_after_corruption(input_len, density, mean_span_len):
    def counts(n):
        noise = min(max(round(n * density), 1), n - 1)
        return noise, max(round(noise / mean_span_len), 1)

    n = 2
    while n - counts(n)[0] + counts(n)[1] + 1 < input_len:
        n += 1
    if n - counts(n)[0] + counts(n)[1] + 1 > input_len:
        n -= 1
    noise, spans = counts(n)
    return n, noise + spans + 1


# %% wrong="the lengths of a text of 512" exercise="lengths_after_corruption" hint="That is the length of the inputs"
def lengths_after_corruption(input_len, density, mean_span_len):
    noise = max(round(input_len * density), 1)
    return input_len, noise + max(round(noise / mean_span_len), 1) + 1


# %% wrong="half up" exercise="lengths_after_corruption" hint="A half is rounded up"
def lengths_after_corruption(input_len, density, mean_span_len):
    def counts(n):
        noise = min(max(int(n * density + 0.5), 1), n - 1)
        return noise, max(int(noise / mean_span_len + 0.5), 1)

    n = 2
    while n + 1 - counts(n + 1)[0] + counts(n + 1)[1] + 1 <= input_len:
        n += 1
    noise, spans = counts(n)
    return n, noise + spans + 1


# %% wrong="a formula" exercise="lengths_after_corruption" hint="a formula without rounding"
def lengths_after_corruption(input_len, density, mean_span_len):
    tokens_len = int((input_len - 1) / (1 - density + density / mean_span_len))
    return tokens_len, round(tokens_len * density * (1 + 1 / mean_span_len)) + 1


# %% wrong="only the noise in the targets" exercise="lengths_after_corruption" hint="Only the hidden tokens are counted"
def lengths_after_corruption(input_len, density, mean_span_len):
    def counts(n):
        noise = min(max(round(n * density), 1), n - 1)
        return noise, max(round(noise / mean_span_len), 1)

    n = 2
    while n + 1 - counts(n + 1)[0] + counts(n + 1)[1] + 1 <= input_len:
        n += 1
    return n, counts(n)[0]


# %% wrong="as released: no token at least" exercise="lengths_after_corruption" hint="Even in the shortest text one token is noise"
def lengths_after_corruption(input_len, density, mean_span_len):
    def counts(n):
        noise = round(n * density)
        return noise, round(noise / mean_span_len)

    n = input_len
    while n + 1 - counts(n + 1)[0] + counts(n + 1)[1] + 1 <= input_len:
        n += 1
    noise, spans = counts(n)
    return n, noise + spans + 1


# %% right="down from far above" exercise="lengths_after_corruption"
def lengths_after_corruption(input_len, density, mean_span_len):
    for n in range(3 * input_len + 10, 1, -1):
        noise = min(max(round(n * density), 1), n - 1)
        spans = max(round(noise / mean_span_len), 1)
        if (n - noise) + spans + 1 <= input_len:
            return n, noise + spans + 1


# %% right="by random_spans and corrupt themselves" exercise="lengths_after_corruption"
def lengths_after_corruption(input_len, density, mean_span_len):
    def lengths(n):
        mask = random_spans(n, density, mean_span_len, torch.Generator().manual_seed(0)).tolist()
        n_spans = sum(b and not a for a, b in zip([False, *mask], mask))
        return n - sum(mask) + n_spans + 1, sum(mask) + n_spans + 1

    low, high = 2, 4 * input_len + 8
    while high - low > 1:
        middle = (low + high) // 2
        if lengths(middle)[0] <= input_len:
            low = middle
        else:
            high = middle
    return low, lengths(low)[1]


# %% right="tensors" exercise="lengths_after_corruption"
def lengths_after_corruption(input_len, density, mean_span_len):
    n = torch.arange(2, 4 * input_len + 8, dtype=torch.float64)
    noise = torch.minimum((n * density).round().clamp(min=1), n - 1)
    spans = (noise / mean_span_len).round().clamp(min=1)
    fits = (n - noise + spans + 1 <= input_len).nonzero()[-1, 0]
    return int(n[fits]), int((noise + spans + 1)[fits])


# %% wrong="no span at least" exercise="lengths_after_corruption" hint="Even in the shortest text one token is noise"
def lengths_after_corruption(input_len, density, mean_span_len):
    def both(L):
        n = min(max(round(L * density), 1), L - 1)
        s = round(n / mean_span_len)
        return L - n + s + 1, n + s + 1

    L = 2
    while both(L + 1)[0] <= input_len:
        L += 1
    return L, both(L)[1]


# %% wrong="fewer than input_len" exercise="lengths_after_corruption" hint="at most that long"
def lengths_after_corruption(input_len, density, mean_span_len):
    def both(L):
        n = min(max(round(L * density), 1), L - 1)
        s = max(round(n / mean_span_len), 1)
        return L - n + s + 1, n + s + 1

    L = 2
    while both(L + 1)[0] < input_len:
        L += 1
    return L, both(L)[1]


# %% wrong="targets of the next text" exercise="lengths_after_corruption" hint="Targets of that text have"
def lengths_after_corruption(input_len, density, mean_span_len):
    def both(L):
        n = min(max(round(L * density), 1), L - 1)
        s = max(round(n / mean_span_len), 1)
        return L - n + s + 1, n + s + 1

    L = 2
    while both(L + 1)[0] <= input_len:
        L += 1
    return L, both(L + 1)[1]


# %% right="all cuts listed, one of them chosen" exercise="random_spans"
def random_spans(length, density, mean_span_len, generator):
    from itertools import accumulate

    if length == 1 or density == 0:
        return torch.zeros(length, dtype=torch.bool)
    n = min(max(round(length * density), 1), length - 1)
    s = max(round(n / mean_span_len), 1)

    def cut(total, parts):
        lengths = []
        left = total
        # sequential sampling: each boundary is in with hypergeometric probability
        bits, need, have = [], parts - 1, total - 1
        for _ in range(total - 1):
            u = torch.rand((), generator=generator, dtype=torch.float64).item()
            take = u * have < need
            bits.append(take)
            need -= take
            have -= 1
        run = 1
        for b in bits:
            if b:
                lengths.append(run)
                run = 1
            else:
                run += 1
        return lengths + [run]

    noise = cut(n, s)
    text = cut(length - n, s)
    out = []
    for t, z in zip(text, noise):
        out += [False] * t + [True] * z
    return torch.tensor(out)


# %% right="multinomial, repeat_interleave" exercise="random_spans"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length, dtype=torch.bool)
    n_noise = max(1, round(length * density))
    n_noise = min(n_noise, length - 1)
    n_spans = max(1, round(n_noise / mean_span_len))

    def lengths_of(n):
        if n_spans == 1:
            return torch.tensor([n])
        chosen = torch.multinomial(torch.ones(n - 1), n_spans - 1, generator=generator).sort().values + 1
        return torch.diff(chosen, prepend=torch.tensor([0]), append=torch.tensor([n]))

    turns = torch.stack([lengths_of(length - n_noise), lengths_of(n_noise)], dim=1).flatten()
    return torch.tensor([False, True]).repeat(n_spans).repeat_interleave(turns)


# %% wrong="float zeros where nothing is noise" exercise="random_spans" hint="booleans where nothing is hidden, too"
def random_spans(length, density, mean_span_len, generator):
    if density == 0 or length == 1:
        return torch.zeros(length)
    n = min(max(round(length * density), 1), length - 1)
    s = max(round(n / mean_span_len), 1)

    def cut(m):
        at = torch.randperm(m - 1, generator=generator)[: s - 1].sort().values + 1
        return torch.diff(at, prepend=torch.tensor([0]), append=torch.tensor([m])).tolist()

    mask = []
    for z, t in zip(cut(n), cut(length - n)):
        mask += [False] * t + [True] * z
    return torch.tensor(mask)


# %% wrong="arguments renamed" exercise="random_spans" hint="Keep the names of the arguments"
def random_spans(n_tokens, density, mean_len, generator):
    if density == 0 or n_tokens == 1:
        return torch.zeros(n_tokens, dtype=torch.bool)
    n = min(max(round(n_tokens * density), 1), n_tokens - 1)
    s = max(round(n / mean_len), 1)

    def cut(m):
        at = torch.randperm(m - 1, generator=generator)[: s - 1].sort().values + 1
        return torch.diff(at, prepend=torch.tensor([0]), append=torch.tensor([m])).tolist()

    mask = []
    for z, t in zip(cut(n), cut(n_tokens - n)):
        mask += [False] * t + [True] * z
    return torch.tensor(mask)


# %% right="a recursion" exercise="sentinel_ids"
def sentinel_ids(vocab_size, n):
    return [] if n == 0 else [vocab_size - 1] + sentinel_ids(vocab_size - 1, n - 1)


# %% wrong="arguments renamed" exercise="sentinel_ids" hint="Keep the names of the arguments"
def sentinel_ids(V, n_sentinels):
    return [V - 1 - i for i in range(n_sentinels)]


# %% wrong="id 0 never a sentinel" exercise="sentinel_ids" hint="0 being the last"
def sentinel_ids(vocab_size, n):
    return [i for i in range(vocab_size - 1, 0, -1)][:n]


# %% right="a recursion over runs" exercise="corrupt"
def corrupt(ids, noise_mask, sentinels, eos_id):
    def walk(tokens, mask, names):
        if not tokens:
            return [], []
        if mask[0]:
            k = mask.index(False) if False in mask else len(mask)
            i, t = walk(tokens[k:], mask[k:], names[1:])
            if k < len(tokens):
                pass
            return [names[0], *i], [names[0], *tokens[:k], *t]
        k = mask.index(True) if True in mask else len(mask)
        i, t = walk(tokens[k:], mask[k:], names)
        return [*tokens[:k], *i], t if k < len(tokens) else [names[0]]

    i, t = walk(ids.tolist(), noise_mask.tolist(), list(sentinels))
    return torch.tensor([*i, eos_id]), torch.tensor([*t, eos_id])


# %% right="numpy, by the edges of the mask" exercise="corrupt"
import numpy as np


def corrupt(ids, noise_mask, sentinels, eos_id):
    a, m = ids.numpy().copy(), noise_mask.numpy().astype(int)
    edges = np.diff(np.r_[0, m, 0])
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    inputs, targets = [], []
    place = 0
    for k, (lo, hi) in enumerate(zip(starts, stops)):
        inputs.append(a[place:lo])
        inputs.append([sentinels[k]])
        targets.append([sentinels[k]])
        targets.append(a[lo:hi])
        place = hi
    inputs += [a[place:], [eos_id]]
    if m[-1] == 0:
        targets.append([sentinels[len(starts)]])
    targets.append([eos_id])
    join = lambda pieces: torch.from_numpy(np.concatenate([np.asarray(p, dtype=np.int64) for p in pieces]))
    return join(inputs), join(targets)


# %% wrong="no closing sentinel where nothing is hidden" exercise="corrupt" hint="Where nothing is hidden a closing sentinel is due as well"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, k, before = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not before:
            inputs.append(sentinels[k])
            targets.append(sentinels[k])
            k += 1
        (targets if hidden else inputs).append(token)
        before = hidden
    if not noise_mask[-1] and k:
        targets.append(sentinels[k])
    return torch.tensor(inputs + [eos_id]), torch.tensor(targets + [eos_id])


# %% wrong="the list's last sentinel closes" exercise="corrupt" hint="not the list's last"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, k, before = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not before:
            inputs.append(sentinels[k])
            targets.append(sentinels[k])
            k += 1
        (targets if hidden else inputs).append(token)
        before = hidden
    if not noise_mask[-1]:
        targets.append(sentinels[-1])
    return torch.tensor(inputs + [eos_id]), torch.tensor(targets + [eos_id])


# %% wrong="the closing sentinel looked up where none is needed" exercise="corrupt" hint="one sentinel more than there are spans"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, k, before = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not before:
            inputs.append(sentinels[k])
            targets.append(sentinels[k])
            k += 1
        (targets if hidden else inputs).append(token)
        before = hidden
    closing = sentinels[k]
    if not noise_mask[-1]:
        targets.append(closing)
    return torch.tensor(inputs + [eos_id]), torch.tensor(targets + [eos_id])


# %% wrong="hidden tokens wiped out of ids" exercise="corrupt" hint="The argument ids is changed"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, k, before = [], [], 0, False
    for i, hidden in enumerate(noise_mask.tolist()):
        if hidden:
            if not before:
                inputs.append(sentinels[k])
                targets.append(sentinels[k])
                k += 1
            targets.append(int(ids[i]))
            ids[i] = -1
        else:
            inputs.append(int(ids[i]))
        before = hidden
    if not noise_mask[-1]:
        targets.append(sentinels[k])
    return torch.tensor(inputs + [eos_id]), torch.tensor(targets + [eos_id])


# %% wrong="writes into the mask" exercise="corrupt" hint="The argument noise_mask is changed"
def corrupt(ids, noise_mask, sentinels, eos_id):
    last = bool(noise_mask[-1])
    inputs, targets, k = [], [], 0
    starts = noise_mask.clone()
    starts[1:] &= ~noise_mask[:-1]
    hidden = noise_mask.tolist()
    noise_mask[:] = starts
    for i, token in enumerate(ids.tolist()):
        if noise_mask[i]:
            inputs.append(sentinels[k])
            targets.append(sentinels[k])
            k += 1
        (targets if hidden[i] else inputs).append(token)
    if not last:
        targets.append(sentinels[k])
    return torch.tensor(inputs + [eos_id]), torch.tensor(targets + [eos_id])


# %% wrong="hidden tokens known by their value" exercise="corrupt" hint="by place, not by value"
def corrupt(ids, noise_mask, sentinels, eos_id):
    hidden_values = set(ids[noise_mask].tolist())
    inputs, targets, k, before = [], [], 0, False
    for token in ids.tolist():
        hidden = token in hidden_values
        if hidden and not before:
            inputs.append(sentinels[k])
            targets.append(sentinels[k])
            k += 1
        (targets if hidden else inputs).append(token)
        before = hidden
    if not before:
        targets.append(sentinels[k])
    return torch.tensor(inputs + [eos_id]), torch.tensor(targets + [eos_id])


# %% wrong="32-bit integers" exercise="corrupt" hint="ids are long"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, k, before = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not before:
            inputs.append(sentinels[k])
            targets.append(sentinels[k])
            k += 1
        (targets if hidden else inputs).append(token)
        before = hidden
    if not noise_mask[-1]:
        targets.append(sentinels[k])
    return torch.tensor(inputs + [eos_id], dtype=torch.int32), torch.tensor(targets + [eos_id], dtype=torch.int32)


# %% wrong="arguments renamed" exercise="corrupt" hint="Keep the names of the arguments"
def corrupt(ids, mask, sentinels, eos_id):
    inputs, targets, k, before = [], [], 0, False
    for token, hidden in zip(ids.tolist(), mask.tolist()):
        if hidden and not before:
            inputs.append(sentinels[k])
            targets.append(sentinels[k])
            k += 1
        (targets if hidden else inputs).append(token)
        before = hidden
    if not mask[-1]:
        targets.append(sentinels[k])
    return torch.tensor(inputs + [eos_id]), torch.tensor(targets + [eos_id])


# %% wrong="end token 2, always" exercise="corrupt" hint="The end token is missing"
def corrupt(ids, noise_mask, sentinels, eos_id):
    inputs, targets, k, before = [], [], 0, False
    for token, hidden in zip(ids.tolist(), noise_mask.tolist()):
        if hidden and not before:
            inputs.append(sentinels[k])
            targets.append(sentinels[k])
            k += 1
        (targets if hidden else inputs).append(token)
        before = hidden
    if not noise_mask[-1]:
        targets.append(sentinels[k])
    return torch.tensor(inputs + [2]), torch.tensor(targets + [2])


# %% right="tensors split at the sentinels" exercise="reconstruct"
def reconstruct(inputs, targets, sentinels, eos_id):
    names = torch.tensor(sentinels)
    t, i = targets[:-1], inputs[:-1]
    spans = t.tensor_split(torch.isin(t, names).nonzero().flatten())[1:]
    table = {int(s[0]): s[1:] for s in spans}
    pieces = [table[int(x)] if int(x) in table and int(x) in sentinels else x[None] for x in i]
    return torch.cat(pieces) if pieces else torch.zeros(0, dtype=torch.long)


# %% wrong="a span is kept when the next sentinel comes" exercise="reconstruct" hint="without a closing sentinel, the end token is what ends it"
def reconstruct(inputs, targets, sentinels, eos_id):
    spans, name, current = {}, None, []
    for token in targets[:-1].tolist():
        if token in sentinels:
            spans[name] = current
            name, current = token, []
        else:
            current.append(token)
    out = []
    for token in inputs[:-1].tolist():
        out += spans.get(token, []) if token in sentinels else [token]
    return torch.tensor(out)


# %% wrong="sentinels crossed off the caller's list" exercise="reconstruct" hint="The argument sentinels is changed"
def reconstruct(inputs, targets, sentinels, eos_id):
    spans, copy = {}, list(sentinels)
    for token in targets[:-1].tolist():
        if token in copy:
            spans[token] = current = []
            sentinels.remove(token)
        else:
            current.append(token)
    out = []
    for token in inputs[:-1].tolist():
        out += spans[token] if token in copy else [token]
    return torch.tensor(out)


# %% wrong="end tokens marked in the arguments" exercise="reconstruct" hint="The argument inputs is changed"
def reconstruct(inputs, targets, sentinels, eos_id):
    inputs[-1] = targets[-1] = -1
    spans = {}
    for token in targets.tolist():
        if token in sentinels:
            spans[token] = current = []
        elif token != -1:
            current.append(token)
    out = []
    for token in inputs.tolist():
        if token != -1:
            out += spans[token] if token in sentinels else [token]
    return torch.tensor(out)


# %% wrong="arguments renamed" exercise="reconstruct" hint="Keep the names of the arguments"
def reconstruct(inputs, target, sentinels, eos_id):
    spans = {}
    for token in target[:-1].tolist():
        if token in sentinels:
            spans[token] = current = []
        else:
            current.append(token)
    out = []
    for token in inputs[:-1].tolist():
        out += spans[token] if token in sentinels else [token]
    return torch.tensor(out)


# %% right="halving, a list as the result" exercise="lengths_after_corruption"
def lengths_after_corruption(input_len, density, mean_span_len):
    def counts(L):
        n = max(1, min(L - 1, round(L * density)))
        return n, max(1, round(n / mean_span_len))

    lo, hi = 2, 10 * input_len
    while hi - lo > 1:
        mid = (lo + hi) // 2
        n, s = counts(mid)
        if mid - n + s + 1 <= input_len:
            lo = mid
        else:
            hi = mid
    n, s = counts(lo)
    return [lo, n + s + 1]


# %% wrong="targets first" exercise="lengths_after_corruption" hint="The two numbers are swapped"
def lengths_after_corruption(input_len, density, mean_span_len):
    def both(L):
        n = min(max(round(L * density), 1), L - 1)
        s = max(round(n / mean_span_len), 1)
        return L - n + s + 1, n + s + 1

    L = 2
    while both(L + 1)[0] <= input_len:
        L += 1
    return both(L)[1], L


# %% wrong="half up, noise alone" exercise="lengths_after_corruption" hint="The noise's halves are rounded up"
def lengths_after_corruption(input_len, density, mean_span_len):
    def both(L):
        n = min(max(int(L * density + 0.5), 1), L - 1)
        s = max(round(n / mean_span_len), 1)
        return L - n + s + 1, n + s + 1

    L = 2
    while both(L + 1)[0] <= input_len:
        L += 1
    return L, both(L)[1]


# %% wrong="half up, spans alone" exercise="lengths_after_corruption" hint="The spans' halves are rounded up"
def lengths_after_corruption(input_len, density, mean_span_len):
    def both(L):
        n = min(max(round(L * density), 1), L - 1)
        s = max(int(n / mean_span_len + 0.5), 1)
        return L - n + s + 1, n + s + 1

    L = 2
    while both(L + 1)[0] <= input_len:
        L += 1
    return L, both(L)[1]


# %% wrong="both cut off" exercise="lengths_after_corruption" hint="Noise and spans are cut off"
def lengths_after_corruption(input_len, density, mean_span_len):
    def both(L):
        n = min(max(int(L * density), 1), L - 1)
        s = max(int(n / mean_span_len), 1)
        return L - n + s + 1, n + s + 1

    L = 2
    while both(L + 1)[0] <= input_len:
        L += 1
    return L, both(L)[1]


# %% wrong="spans counted before the noise is rounded" exercise="lengths_after_corruption" hint="before the noise is rounded"
def lengths_after_corruption(input_len, density, mean_span_len):
    def both(L):
        n = min(max(round(L * density), 1), L - 1)
        s = max(round(L * density / mean_span_len), 1)
        return L - n + s + 1, n + s + 1

    L = 2
    while both(L + 1)[0] <= input_len:
        L += 1
    return L, both(L)[1]


# %% wrong="texts of 999 tokens at most" exercise="lengths_after_corruption" hint="Short texts come out right and long ones do not"
def lengths_after_corruption(input_len, density, mean_span_len):
    best = None
    for L in range(2, 1000):
        n = min(max(round(L * density), 1), L - 1)
        s = max(round(n / mean_span_len), 1)
        if L - n + s + 1 <= input_len:
            best = L, n + s + 1
    return best


# %% wrong="floats as the result" exercise="lengths_after_corruption" hint="int, not float"
def lengths_after_corruption(input_len, density, mean_span_len):
    def both(L):
        n = min(max(round(L * density), 1), L - 1)
        s = max(round(n / mean_span_len), 1)
        return L - n + s + 1, n + s + 1

    L = 2
    while both(L + 1)[0] <= input_len:
        L += 1
    return float(L), float(both(L)[1])
