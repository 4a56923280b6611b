"""Answers to week 5, notebook 3: what students get wrong, and other ways to get it right."""


# %% wrong="a mask for each token" exercise="infill" hint="Each hidden token has a mask of its own"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs += [mask_id] * max(1, at[gap])
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="lengths of 0 are skipped" exercise="infill" hint="a length of 0 does that"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        if drawn > 0:
            lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="lengths of at least 1" exercise="infill" hint="a length of 0 does that"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = max(1, int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator)))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="one more than was drawn" exercise="infill" hint="a length of 0 does that"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = 1 + int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="every span has the mean length" exercise="infill" hint="The lengths are always the same"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        lengths.append(min(max(1, round(poisson_rate)), n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="geometric lengths, as SpanBERT" exercise="infill" hint="one draw from a Poisson distribution"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.empty(()).geometric_(1 / (1 + poisson_rate), generator=generator)) - 1
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="the last span is not cut" exercise="infill" hint="cut the last span to fit"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, len(ids) - sum(lengths)))
    n_gaps = len(ids) - sum(lengths) + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="the span that does not fit is left out" exercise="infill" hint="the last span is cut to fit, not left out"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        if sum(lengths) + drawn > n_hidden:
            break
        lengths.append(drawn)
    n_gaps = len(ids) - sum(lengths) + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="cut down instead of rounded" exercise="infill" hint="rounded, not cut down"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = int(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="spans may touch" exercise="infill" hint="Two masks stand side by side"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    gaps = torch.randint(n_gaps, (len(lengths),), generator=generator).sort().values.tolist()
    inputs, place, shown = [], 0, 0
    for gap, length in zip(gaps, lengths):
        inputs += [*ids[place : place + gap - shown].tolist(), mask_id]
        place, shown = place + gap - shown + length, gap
    return torch.tensor(inputs + ids[place:].tolist())


# %% wrong="numbered masks, as T5's sentinels" exercise="infill" hint="hidden behind the same token"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place, number = [], 0, 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id - number)
            number += 1
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="never before the first token" exercise="infill" hint="before the first token that stays"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    first = 1 if 1 < n_gaps and len(lengths) < n_gaps else 0
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip((torch.randperm(n_gaps - first, generator=generator) + first).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="never behind the last token" exercise="infill" hint="behind the last token that stays"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    n_open = n_gaps - 1 if len(lengths) < n_gaps else n_gaps
    at = dict(zip(torch.randperm(n_open, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="one span after the other, each wherever there is still room" exercise="infill" hint="choose K different ones evenly"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at, low = {}, 0
    for k, length in enumerate(lengths):
        gap = int(torch.randint(low, n_gaps - (len(lengths) - k - 1), (), generator=generator))
        at[gap], low = length, gap + 1
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="too many spans are dropped" exercise="infill" hint="some are joined"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.cat([torch.tensor(inputs), ids[place - 1 :]])


# %% wrong="lengths without the generator" exercise="infill" hint="the same seed gives the same result"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate))))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="inputs and targets" exercise="infill" hint="Return the inputs alone"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs), ids


# %% wrong="a list of ids" exercise="infill" hint="One tensor is expected"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return inputs


# %% wrong="masks written into ids" exercise="infill" hint="wrote into ids"
def infill(ids, density, poisson_rate, mask_id, generator):
    n_hidden, lengths = round(len(ids) * density), []
    while sum(lengths) < n_hidden:
        drawn = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(drawn, n_hidden - sum(lengths)))
    n_gaps = len(ids) - n_hidden + 1
    if len(lengths) > n_gaps:
        lengths = lengths[: n_gaps - 1] + [sum(lengths[n_gaps - 1 :])]
    at = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths))
    inputs, place = [], 0
    for gap in range(n_gaps):
        if gap in at:
            inputs.append(mask_id)
            ids[place : place + at[gap]] = mask_id
            place += at[gap]
        inputs += ids[place : place + 1].tolist() if gap < n_gaps - 1 else []
        place += 1
    return torch.tensor(inputs)


# %% wrong="each token by itself, runs become one mask" exercise="infill" hint="is left to chance"
def infill(ids, density, poisson_rate, mask_id, generator):
    hidden = (torch.rand(len(ids), generator=generator) < density).tolist()
    inputs = []
    for token, gone in zip(ids.tolist(), hidden):
        if not gone:
            inputs.append(token)
        elif not inputs or inputs[-1] != mask_id:
            inputs.append(mask_id)
    return torch.tensor(inputs)


# %% wrong="zeros" exercise="infill" hint="There is no mask"
def infill(ids, density, poisson_rate, mask_id, generator):
    return torch.zeros_like(ids)


# %% wrong="gaps drawn twice, their spans joined" exercise="infill" hint="share a gap while another is free"
def infill(ids, density, poisson_rate, mask_id, generator):
    n = round(len(ids) * density)
    lengths = []
    while sum(lengths) < n:
        drawn = int(torch.poisson(torch.tensor(poisson_rate), generator=generator))
        lengths.append(min(drawn, n - sum(lengths)))
    n_gaps = len(ids) - n + 1
    span_len = {}
    for length in lengths:
        gap = int(torch.randint(n_gaps, (), generator=generator))
        span_len[gap] = span_len.get(gap, 0) + length
    out, place = [], 0
    for gap in range(n_gaps):
        if gap in span_len:
            out.append(mask_id)
            place += span_len[gap]
        if gap < n_gaps - 1:
            out.append(int(ids[place]))
            place += 1
    return torch.tensor(out)


# %% wrong="always the first gaps" exercise="infill" hint="behind the last token that stays"
def infill(ids, density, poisson_rate, mask_id, generator):
    n = round(len(ids) * density)
    lengths = []
    while sum(lengths) < n:
        drawn = int(torch.poisson(torch.tensor(poisson_rate), generator=generator))
        lengths.append(min(drawn, n - sum(lengths)))
    n_gaps = len(ids) - n + 1
    if len(lengths) > n_gaps:
        lengths = [*lengths[: n_gaps - 1], sum(lengths[n_gaps - 1 :])]
    span_len = dict(enumerate(lengths))
    out, place = [], 0
    for gap in range(n_gaps):
        if gap in span_len:
            out.append(mask_id)
            place += span_len[gap]
        if gap < n_gaps - 1:
            out.append(int(ids[place]))
            place += 1
    return torch.tensor(out)


# %% wrong="drawn again until the spans fit into the gaps" exercise="infill" hint="some are joined"
def infill(ids, density, poisson_rate, mask_id, generator):
    n = round(len(ids) * density)
    n_gaps = len(ids) - n + 1
    for _ in range(100):
        lengths = []
        while sum(lengths) < n:
            drawn = int(torch.poisson(torch.tensor(poisson_rate), generator=generator))
            lengths.append(min(drawn, n - sum(lengths)))
        if len(lengths) <= n_gaps:
            break
    else:
        lengths = [n]
    span_len = dict(zip(torch.randperm(n_gaps, generator=generator).tolist(), lengths, strict=False))
    out, place = [], 0
    for gap in range(n_gaps):
        if gap in span_len:
            out.append(mask_id)
            place += span_len[gap]
        if gap < n_gaps - 1:
            out.append(int(ids[place]))
            place += 1
    return torch.tensor(out)


# %% right="numpy, neighbours joined from the end" exercise="infill"
def infill(ids, density, poisson_rate, mask_id, generator):
    import numpy as np

    array = ids.numpy()
    missing = n = round(len(array) * density)
    lengths = []
    while missing > 0:
        drawn = torch.poisson(torch.full((), poisson_rate, dtype=torch.float64), generator=generator).item()
        lengths.append(min(int(drawn), missing))
        missing -= lengths[-1]
    n_gaps = len(array) - n + 1
    while len(lengths) > n_gaps:
        last = lengths.pop()
        lengths[-1] += last
    chosen = []
    if lengths:
        chosen = np.sort(torch.multinomial(torch.ones(n_gaps), len(lengths), generator=generator).numpy())
    stays, hidden = np.ones(len(array), dtype=bool), 0
    for gap, length in zip(chosen, lengths, strict=True):
        stays[gap + hidden : gap + hidden + length] = False
        hidden += length
    return torch.from_numpy(np.insert(array[stays], chosen, mask_id) if lengths else array.copy())


# %% right="lengths in one draw, pieces cut from the tensor" exercise="infill"
def infill(ids, density, poisson_rate, mask_id, generator):
    n = round(density * len(ids))
    n_gaps = len(ids) - n + 1
    lengths = torch.empty(0, dtype=torch.long)
    while lengths.sum() < n:
        more = torch.poisson(torch.full((16,), float(poisson_rate)), generator=generator).long()
        lengths = torch.cat([lengths, more])
    total = lengths.cumsum(0)
    k = int((total < n).sum()) + 1 if n else 0
    lengths = torch.diff(total[:k].clamp(max=n), prepend=torch.zeros(1, dtype=torch.long))
    if k > n_gaps:
        lengths = torch.cat([lengths[: n_gaps - 1], lengths[n_gaps - 1 :].sum()[None]])
    gaps = torch.randperm(n_gaps, generator=generator)[: len(lengths)].sort().values
    lengths = lengths[torch.randperm(len(lengths), generator=generator)]
    begins = gaps + lengths.cumsum(0) - lengths
    parts, at = [], 0
    for begin, length in zip(begins.tolist(), lengths.tolist()):
        parts += [ids[at:begin], torch.tensor([mask_id])]
        at = begin + length
    return torch.cat(parts + [ids[at:]])


# %% right="masks put into the text from the right" exercise="infill"
def infill(ids, density, poisson_rate, mask_id, generator):
    tokens, missing, lengths = ids.tolist(), round(len(ids) * density), []
    n_gaps = len(ids) - missing + 1
    while missing > 0:
        length = min(missing, int(torch.poisson(torch.tensor([poisson_rate + 0.0]), generator=generator).item()))
        lengths.append(length)
        missing -= length
    while len(lengths) > n_gaps:
        last = lengths.pop()
        lengths[0] += last
    gaps = sorted(torch.multinomial(torch.ones(n_gaps), len(lengths), generator=generator).tolist()) if lengths else []
    starts, before = [], 0
    for gap, length in zip(gaps, lengths):
        starts.append(gap + before)
        before += length
    for start, length in reversed(list(zip(starts, lengths))):
        tokens[start : start + length] = [mask_id]
    return torch.tensor(tokens, dtype=torch.long)


# %% right="gaps by sorting random numbers, a table of slots" exercise="infill"
def infill(ids, density, poisson_rate, mask_id, generator):
    n = round(len(ids) * density)
    slots = len(ids) - n + 1
    spans = []
    while n > sum(spans):
        spans += [int(torch.poisson(torch.tensor([[float(poisson_rate)]]), generator=generator))]
    if spans:
        spans[-1] -= sum(spans) - n
    while len(spans) > slots:
        spans[-2:] = [spans[-2] + spans[-1]]
    order = torch.rand(slots, generator=generator, dtype=torch.float64).argsort()
    table = torch.full((slots,), -1)
    for slot, span in zip(order.tolist(), spans):
        table[slot] = span
    inputs, queue = [], ids.tolist()
    for slot, span in enumerate(table.tolist()):
        if span >= 0:
            inputs.append(mask_id)
            del queue[:span]
        if slot < slots - 1:
            inputs.append(queue.pop(0))
    return ids.new_tensor(inputs)


# %% right="a boolean of what stays" exercise="infill"
def infill(ids, density, poisson_rate, mask_id, generator):
    n = round(len(ids) * density)
    v = len(ids) - n
    rate = torch.tensor(poisson_rate, dtype=torch.float64)
    lengths, left = [], n
    while left:
        length = int(torch.poisson(rate, generator=generator).clamp(max=left))
        lengths.append(length)
        left -= length
    if len(lengths) > v + 1:
        lengths = [sum(lengths[: len(lengths) - v])] + lengths[len(lengths) - v :]
    chosen = torch.randperm(v + 1, generator=generator)[: len(lengths)].sort().values
    slots = torch.full((2 * v + 1,), -1)
    slots[2 * chosen] = torch.tensor(lengths, dtype=torch.long)
    out, t = [], 0
    for i, length in enumerate(slots.tolist()):
        if i % 2 == 1:
            out.append(ids[t])
            t += 1
        elif length >= 0:
            out.append(torch.tensor(mask_id))
            t += length
    return torch.stack(out)


# %% wrong="the rest is lost" exercise="permute_sentences" hint="The tokens behind the last stop are lost"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        sentence.append(token)
        if token == stop_id:
            sentences.append(sentence)
            sentence = []
    if not sentences:
        return ids.clone()
    order = torch.randperm(len(sentences), generator=generator).tolist()
    return torch.tensor([token for i in order for token in sentences[i]])


# %% wrong="the rest stays last" exercise="permute_sentences" hint="always stay last"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        sentence.append(token)
        if token == stop_id:
            sentences.append(sentence)
            sentence = []
    order = torch.randperm(len(sentences), generator=generator).tolist()
    return torch.tensor([token for i in order for token in sentences[i]] + sentence)


# %% wrong="the rest gets a stop" exercise="permute_sentences" hint="a sentence without a stop gets none"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        if token == stop_id:
            sentences.append(sentence)
            sentence = []
        else:
            sentence.append(token)
    if sentence:
        sentences.append(sentence)
    order = torch.randperm(len(sentences), generator=generator).tolist()
    return torch.tensor([token for i in order for token in [*sentences[i], stop_id]])


# %% wrong="stops between the sentences" exercise="permute_sentences" hint="Stops are missing"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        if token == stop_id:
            sentences.append(sentence)
            sentence = []
        else:
            sentence.append(token)
    if sentence:
        sentences.append(sentence)
    result = []
    for number, i in enumerate(torch.randperm(len(sentences), generator=generator).tolist()):
        result += ([stop_id] if number else []) + sentences[i]
    return torch.tensor(result)


# %% wrong="the stop begins the next sentence" exercise="permute_sentences" hint="the stop is a sentence's last token"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        if token == stop_id and sentence:
            sentences.append(sentence)
            sentence = []
        sentence.append(token)
    if sentence:
        sentences.append(sentence)
    order = torch.randperm(len(sentences), generator=generator).tolist()
    return torch.tensor([token for i in order for token in sentences[i]])


# %% wrong="tokens shuffled" exercise="permute_sentences" hint="only whole sentences change places"
def permute_sentences(ids, stop_id, generator):
    return ids[torch.randperm(len(ids), generator=generator)]


# %% wrong="rotated by sentences" exercise="permute_sentences" hint="that is rotation"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        sentence.append(token)
        if token == stop_id:
            sentences.append(sentence)
            sentence = []
    if sentence:
        sentences.append(sentence)
    k = int(torch.randint(len(sentences), (), generator=generator))
    return torch.tensor([token for s in sentences[k:] + sentences[:k] for token in s])


# %% wrong="never the old order" exercise="permute_sentences" hint="The old order never comes up"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        sentence.append(token)
        if token == stop_id:
            sentences.append(sentence)
            sentence = []
    if sentence:
        sentences.append(sentence)
    order = list(range(len(sentences)))
    while len(order) > 1 and order == sorted(order):
        order = torch.randperm(len(sentences), generator=generator).tolist()
    return torch.tensor([token for i in order for token in sentences[i]])


# %% wrong="two sentences change places" exercise="permute_sentences" hint="Draw the order evenly from all orders"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        sentence.append(token)
        if token == stop_id:
            sentences.append(sentence)
            sentence = []
    if sentence:
        sentences.append(sentence)
    i, j = torch.randint(len(sentences), (2,), generator=generator).tolist()
    sentences[i], sentences[j] = sentences[j], sentences[i]
    return torch.tensor([token for s in sentences for token in s])


# %% wrong="Python's own shuffle" exercise="permute_sentences" hint="the same seed gives the same order"
def permute_sentences(ids, stop_id, generator):
    import random

    sentences, sentence = [], []
    for token in ids.tolist():
        sentence.append(token)
        if token == stop_id:
            sentences.append(sentence)
            sentence = []
    if sentence:
        sentences.append(sentence)
    random.shuffle(sentences)
    return torch.tensor([token for s in sentences for token in s])


# %% wrong="writes the new order into ids" exercise="permute_sentences" hint="wrote into ids"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        sentence.append(token)
        if token == stop_id:
            sentences.append(sentence)
            sentence = []
    if sentence:
        sentences.append(sentence)
    order = torch.randperm(len(sentences), generator=generator).tolist()
    ids[:] = torch.tensor([token for i in order for token in sentences[i]])
    return ids


# %% wrong="a list of sentences" exercise="permute_sentences" hint="One tensor is expected"
def permute_sentences(ids, stop_id, generator):
    ends = [t + 1 for t, token in enumerate(ids.tolist()) if token == stop_id]
    edges = sorted({0, *ends, len(ids)})
    sentences = [ids[a:b] for a, b in zip(edges, edges[1:])]
    return [sentences[i] for i in torch.randperm(len(sentences), generator=generator).tolist()]


# %% wrong="the last sentence is always lost" exercise="permute_sentences" hint="Stops are missing"
def permute_sentences(ids, stop_id, generator):
    edges = [0] + [t + 1 for t, token in enumerate(ids.tolist()) if token == stop_id]
    sentences = [ids[a:b] for a, b in zip(edges[:-1], edges[1:])]
    order = torch.randperm(len(sentences), generator=generator).tolist()
    return torch.cat([sentences[i] for i in order[:-1]] or [ids])


# %% wrong="the rest belongs to the last sentence" exercise="permute_sentences" hint="always follow the last sentence"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        sentence.append(token)
        if token == stop_id:
            sentences.append(sentence)
            sentence = []
    if sentence and sentences:
        sentences[-1] += sentence
    elif sentence:
        sentences.append(sentence)
    order = torch.randperm(len(sentences), generator=generator).tolist()
    return torch.tensor([token for i in order for token in sentences[i]])


# %% wrong="stops in a row end one sentence" exercise="permute_sentences" hint="it may come first too"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        if token == stop_id and not sentence and sentences:
            sentences[-1].append(token)
            continue
        sentence.append(token)
        if token == stop_id:
            sentences.append(sentence)
            sentence = []
    if sentence:
        sentences.append(sentence)
    order = torch.randperm(len(sentences), generator=generator).tolist()
    return torch.tensor([token for i in order for token in sentences[i]])


# %% wrong="a stop alone is dropped" exercise="permute_sentences" hint="A stop alone is lost"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        if token != stop_id:
            sentence.append(token)
        elif sentence:
            sentences.append([*sentence, token])
            sentence = []
    if sentence:
        sentences.append(sentence)
    order = torch.randperm(len(sentences), generator=generator).tolist()
    return torch.tensor([token for i in order for token in sentences[i]])


# %% wrong="a stop alone begins the next sentence" exercise="permute_sentences" hint="never come first"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        sentence.append(token)
        if token == stop_id and len(sentence) > 1:
            sentences.append(sentence)
            sentence = []
    if sentence:
        sentences.append(sentence)
    order = torch.randperm(len(sentences), generator=generator).tolist()
    return torch.tensor([token for i in order for token in sentences[i]])


# %% wrong="each sentence swapped with any" exercise="permute_sentences" hint="Draw the order evenly from all orders"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        sentence.append(token)
        if token == stop_id:
            sentences.append(sentence)
            sentence = []
    if sentence:
        sentences.append(sentence)
    for i in range(len(sentences)):
        k = int(torch.randint(len(sentences), (), generator=generator))
        sentences[i], sentences[k] = sentences[k], sentences[i]
    return torch.tensor([token for sentence in sentences for token in sentence])


# %% right="each sentence swapped with one not yet placed" exercise="permute_sentences"
def permute_sentences(ids, stop_id, generator):
    sentences, sentence = [], []
    for token in ids.tolist():
        sentence.append(token)
        if token == stop_id:
            sentences.append(sentence)
            sentence = []
    if sentence:
        sentences.append(sentence)
    for i in range(len(sentences) - 1, 0, -1):
        k = int(torch.randint(i + 1, (), generator=generator))
        sentences[i], sentences[k] = sentences[k], sentences[i]
    return torch.tensor([token for sentence in sentences for token in sentence])


# %% right="an empty sentence at the end" exercise="permute_sentences"
def permute_sentences(ids, stop_id, generator):
    pieces = ids.tensor_split((ids == stop_id).nonzero().flatten() + 1)
    return torch.cat([pieces[i] for i in torch.rand(len(pieces), generator=generator).argsort()])


# %% right="pieces of the tensor" exercise="permute_sentences"
def permute_sentences(ids, stop_id, generator):
    edges = [0, *((ids == stop_id).nonzero()[:, 0] + 1).tolist()]
    if edges[-1] < len(ids):
        edges.append(len(ids))
    sentences = ids.tensor_split(edges[1:-1])
    return torch.cat([sentences[i] for i in torch.randperm(len(sentences), generator=generator)])


# %% right="one sort of the tokens" exercise="permute_sentences"
def permute_sentences(ids, stop_id, generator):
    stops = (ids == stop_id).long()
    sentence = stops.cumsum(0) - stops
    rank = torch.randperm(int(sentence[-1]) + 1, generator=generator)
    return ids[rank[sentence].argsort(stable=True)]


# %% right="keys drawn by rand" exercise="permute_sentences"
def permute_sentences(ids, stop_id, generator):
    sentences, begin = [], 0
    for t, token in enumerate(ids.tolist()):
        if token == stop_id or t == len(ids) - 1:
            sentences.append(ids[begin : t + 1])
            begin = t + 1
    keys = torch.rand(len(sentences), generator=generator, dtype=torch.float64).tolist()
    return torch.cat([s for _, s in sorted(zip(keys, sentences), key=lambda pair: pair[0])])


# %% right="drawn one after the other from what is left" exercise="permute_sentences"
def permute_sentences(ids, stop_id, generator):
    left, sentence, permuted = [], [], []
    for token in ids.tolist():
        sentence = sentence + [token]
        if token == stop_id:
            left.append(sentence)
            sentence = []
    left += [sentence] if sentence else []
    while left:
        permuted += left.pop(int(torch.randint(len(left), (1,), generator=generator)))
    return torch.tensor(permuted, dtype=torch.int64)


# %% wrong="half up" exercise="infill" hint="A half is rounded up"
def infill(ids, density, poisson_rate, mask_id, generator):
    n = int(len(ids) * density + 0.5)
    lengths = []
    while sum(lengths) < n:
        k = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(k, n - sum(lengths)))
    gaps = len(ids) - n + 1
    while len(lengths) > gaps:
        lengths.append(lengths.pop() + lengths.pop())
    chosen = set(torch.randperm(gaps, generator=generator)[: len(lengths)].tolist())
    out, at, lengths = [], 0, lengths[::-1]
    for gap in range(gaps):
        if gap in chosen:
            out.append(mask_id)
            at += lengths.pop()
        if gap < gaps - 1:
            out.append(int(ids[at]))
            at += 1
    return torch.tensor(out, dtype=torch.long)


# %% wrong="one token hidden at least" exercise="infill" hint="n may be rounded to 0"
def infill(ids, density, poisson_rate, mask_id, generator):
    n = max(1, round(len(ids) * density)) if density else 0
    lengths = []
    while sum(lengths) < n:
        k = int(torch.poisson(torch.tensor(float(poisson_rate)), generator=generator))
        lengths.append(min(k, n - sum(lengths)))
    gaps = len(ids) - n + 1
    while len(lengths) > gaps:
        lengths.append(lengths.pop() + lengths.pop())
    chosen = set(torch.randperm(gaps, generator=generator)[: len(lengths)].tolist())
    out, at, lengths = [], 0, lengths[::-1]
    for gap in range(gaps):
        if gap in chosen:
            out.append(mask_id)
            at += lengths.pop()
        if gap < gaps - 1:
            out.append(int(ids[at]))
            at += 1
    return torch.tensor(out, dtype=torch.long)


# %% wrong="arguments renamed" exercise="infill" hint="Keep the names of the arguments"
def infill(ids, density, rate, mask_id, generator):
    n = round(len(ids) * density)
    lengths = []
    while sum(lengths) < n:
        k = int(torch.poisson(torch.tensor(float(rate)), generator=generator))
        lengths.append(min(k, n - sum(lengths)))
    gaps = len(ids) - n + 1
    while len(lengths) > gaps:
        lengths.append(lengths.pop() + lengths.pop())
    chosen = set(torch.randperm(gaps, generator=generator)[: len(lengths)].tolist())
    out, at, lengths = [], 0, lengths[::-1]
    for gap in range(gaps):
        if gap in chosen:
            out.append(mask_id)
            at += lengths.pop()
        if gap < gaps - 1:
            out.append(int(ids[at]))
            at += 1
    return torch.tensor(out, dtype=torch.long)


# %% wrong="arguments renamed" exercise="permute_sentences" hint="Keep the names of the arguments"
def permute_sentences(ids, stop, generator):
    sentences, now = [], []
    for token in ids.tolist():
        now.append(token)
        if token == stop:
            sentences.append(now)
            now = []
    if now:
        sentences.append(now)
    order = torch.randperm(len(sentences), generator=generator).tolist()
    return torch.tensor([t for k in order for t in sentences[k]], dtype=torch.long)


# %% right="Poisson draws from uniform numbers" exercise="infill"
def infill(ids, density, poisson_rate, mask_id, generator):
    import math

    def poisson(rate):
        if rate > 500:
            return poisson(rate / 2) + poisson(rate / 2)
        k, p, limit = 0, 1.0, math.exp(-rate)
        while True:
            p *= torch.rand(1, generator=generator, dtype=torch.float64).item()
            if p <= limit:
                return k
            k += 1

    n = round(len(ids) * density)
    lengths, left = [], n
    while left > 0:
        k = min(poisson(poisson_rate), left)
        lengths.append(k)
        left -= k
    stay = len(ids) - n
    keys = torch.rand(stay + 1, generator=generator)
    K = min(len(lengths), stay + 1)
    extra = sum(lengths[K:])
    lengths = lengths[:K]
    if lengths:
        lengths[0] += extra
    gap_of = dict(zip(keys.argsort()[:K].tolist(), lengths))

    def walk(gap, at):
        out = []
        for gap in range(stay + 1):
            if gap in gap_of:
                out.append(mask_id)
                at += gap_of[gap]
            if gap < stay:
                out.append(ids[at].item())
                at += 1
        return out

    return torch.as_tensor(walk(0, 0), dtype=torch.long)


# %% right="a stable sort by the sentence's drawn rank" exercise="permute_sentences"
def permute_sentences(ids, stop_id, generator):
    stops = (ids == stop_id).long()
    number = stops.cumsum(0) - stops
    rank = torch.randperm(int(number[-1]) + 1, generator=generator)
    return ids[rank[number].argsort(stable=True)]
