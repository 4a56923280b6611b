# Answers to week 5, notebook 2, and what each of them deserves.

# ---- relative_position_bucket


# %% wrong="query minus memory" exercise="relative_position_bucket" hint="The directions are exchanged"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    relative_position = -relative_position
    first = 0
    if bidirectional:
        n_buckets //= 2
        first = n_buckets * (relative_position > 0)
        distance = relative_position.abs()
    else:
        distance = (-relative_position).clamp(min=0)
    n_exact = n_buckets // 2
    share = (distance.clamp(min=n_exact) / n_exact).log() / math.log(max_distance / n_exact)
    far = (n_exact + (share * (n_buckets - n_exact)).long()).clamp(max=n_buckets - 1)
    return first + torch.where(distance < n_exact, distance, far)


# %% wrong="the past in the upper half" exercise="relative_position_bucket" hint="The directions are exchanged"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    first = 0
    if bidirectional:
        n_buckets //= 2
        first = n_buckets * (relative_position < 0)
        distance = relative_position.abs()
    else:
        distance = (-relative_position).clamp(min=0)
    n_exact = n_buckets // 2
    share = (distance.clamp(min=n_exact) / n_exact).log() / math.log(max_distance / n_exact)
    far = (n_exact + (share * (n_buckets - n_exact)).long()).clamp(max=n_buckets - 1)
    return first + torch.where(distance < n_exact, distance, far)


# %% wrong="position 0 with the future" exercise="relative_position_bucket" hint="Relative position 0 is not the future"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    first = 0
    if bidirectional:
        n_buckets //= 2
        first = n_buckets * (relative_position >= 0)
        distance = relative_position.abs()
    else:
        distance = (-relative_position).clamp(min=0)
    n_exact = n_buckets // 2
    share = (distance.clamp(min=n_exact) / n_exact).log() / math.log(max_distance / n_exact)
    far = (n_exact + (share * (n_buckets - n_exact)).long()).clamp(max=n_buckets - 1)
    return first + torch.where(distance < n_exact, distance, far)


# %% wrong="one set of buckets for both directions" exercise="relative_position_bucket" hint="Past and future share"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    if bidirectional:
        n_buckets //= 2
        distance = relative_position.abs()
    else:
        distance = (-relative_position).clamp(min=0)
    n_exact = n_buckets // 2
    share = (distance.clamp(min=n_exact) / n_exact).log() / math.log(max_distance / n_exact)
    far = (n_exact + (share * (n_buckets - n_exact)).long()).clamp(max=n_buckets - 1)
    return torch.where(distance < n_exact, distance, far)


# %% wrong="buckets not halved" exercise="relative_position_bucket" hint="buckets beyond n_buckets"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    if bidirectional:
        first = n_buckets * (relative_position > 0)
        distance = relative_position.abs()
    else:
        first = 0
        distance = (-relative_position).clamp(min=0)
    n_exact = n_buckets // 2
    share = (distance.clamp(min=n_exact) / n_exact).log() / math.log(max_distance / n_exact)
    far = (n_exact + (share * (n_buckets - n_exact)).long()).clamp(max=n_buckets - 1)
    return first + torch.where(distance < n_exact, distance, far)


# %% wrong="the future mirrored in one direction" exercise="relative_position_bucket" hint="The future is treated as the past"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    first = 0
    if bidirectional:
        n_buckets //= 2
        first = n_buckets * (relative_position > 0)
    distance = relative_position.abs()
    n_exact = n_buckets // 2
    share = (distance.clamp(min=n_exact) / n_exact).log() / math.log(max_distance / n_exact)
    far = (n_exact + (share * (n_buckets - n_exact)).long()).clamp(max=n_buckets - 1)
    return first + torch.where(distance < n_exact, distance, far)


# %% wrong="halved in one direction too" exercise="relative_position_bucket" hint="The past has only half of the buckets"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    n_buckets //= 2
    if bidirectional:
        first = n_buckets * (relative_position > 0)
        distance = relative_position.abs()
    else:
        first = 0
        distance = (-relative_position).clamp(min=0)
    n_exact = n_buckets // 2
    share = (distance.clamp(min=n_exact) / n_exact).log() / math.log(max_distance / n_exact)
    far = (n_exact + (share * (n_buckets - n_exact)).long()).clamp(max=n_buckets - 1)
    return first + torch.where(distance < n_exact, distance, far)


# %% wrong="no last bucket" exercise="relative_position_bucket" hint="No distance is too large"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    first = 0
    if bidirectional:
        n_buckets //= 2
        first = n_buckets * (relative_position > 0)
        distance = relative_position.abs()
    else:
        distance = (-relative_position).clamp(min=0)
    n_exact = n_buckets // 2
    share = (distance.clamp(min=n_exact) / n_exact).log() / math.log(max_distance / n_exact)
    far = n_exact + (share * (n_buckets - n_exact)).long()
    return first + torch.where(distance < n_exact, distance, far)


# %% wrong="rounded" exercise="relative_position_bucket" hint="rounded to the nearest"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    first = 0
    if bidirectional:
        n_buckets //= 2
        first = n_buckets * (relative_position > 0)
        distance = relative_position.abs()
    else:
        distance = (-relative_position).clamp(min=0)
    n_exact = n_buckets // 2
    share = (distance.clamp(min=n_exact) / n_exact).log() / math.log(max_distance / n_exact)
    far = (n_exact + (share * (n_buckets - n_exact)).round().long()).clamp(max=n_buckets - 1)
    return first + torch.where(distance < n_exact, distance, far)


# %% wrong="widths that do not grow" exercise="relative_position_bucket" hint="Far buckets are all alike"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    first = 0
    if bidirectional:
        n_buckets //= 2
        first = n_buckets * (relative_position > 0)
        distance = relative_position.abs()
    else:
        distance = (-relative_position).clamp(min=0)
    n_exact = n_buckets // 2
    share = (distance - n_exact) / (max_distance - n_exact)
    far = (n_exact + (share * (n_buckets - n_exact)).long()).clamp(max=n_buckets - 1)
    return first + torch.where(distance < n_exact, distance, far)


# %% wrong="clipped distances" exercise="relative_position_bucket" hint="hold one distance each: only half"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    if bidirectional:
        n_buckets //= 2
        return relative_position.abs().clamp(max=n_buckets - 1) + n_buckets * (relative_position > 0)
    return (-relative_position).clamp(min=0, max=n_buckets - 1)


# %% wrong="logarithms of the distance itself" exercise="relative_position_bucket" hint="must be those of d / e"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    first = 0
    if bidirectional:
        n_buckets //= 2
        first = n_buckets * (relative_position > 0)
        distance = relative_position.abs()
    else:
        distance = (-relative_position).clamp(min=0)
    n_exact = n_buckets // 2
    share = distance.clamp(min=1).log() / math.log(max_distance)
    far = (n_exact + (share * (n_buckets - n_exact)).long()).clamp(max=n_buckets - 1)
    return first + torch.where(distance < n_exact, distance, far)


# %% wrong="a fixed largest distance" exercise="relative_position_bucket" hint="not a fixed 128"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    first = 0
    if bidirectional:
        n_buckets //= 2
        first = n_buckets * (relative_position > 0)
        distance = relative_position.abs()
    else:
        distance = (-relative_position).clamp(min=0)
    n_exact = n_buckets // 2
    share = (distance.clamp(min=n_exact) / n_exact).log() / math.log(128 / n_exact)
    far = (n_exact + (share * (n_buckets - n_exact)).long()).clamp(max=n_buckets - 1)
    return first + torch.where(distance < n_exact, distance, far)


# %% wrong="float buckets" exercise="relative_position_bucket" hint="must be whole numbers, of dtype long"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    first = 0
    if bidirectional:
        n_buckets //= 2
        first = n_buckets * (relative_position > 0)
        distance = relative_position.abs()
    else:
        distance = (-relative_position).clamp(min=0)
    n_exact = n_buckets // 2
    share = (distance.clamp(min=n_exact) / n_exact).log() / math.log(max_distance / n_exact)
    far = (n_exact + (share * (n_buckets - n_exact)).floor()).clamp(max=n_buckets - 1)
    return first + torch.where(distance < n_exact, distance, far)


# %% wrong="written into the argument" exercise="relative_position_bucket" hint="Do not write into relative_position"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    first = 0
    if bidirectional:
        n_buckets //= 2
        first = n_buckets * (relative_position > 0)
        distance = relative_position.abs_()
    else:
        distance = relative_position.neg_().clamp_(min=0)
    n_exact = n_buckets // 2
    share = (distance.clamp(min=n_exact) / n_exact).log() / math.log(max_distance / n_exact)
    far = (n_exact + (share * (n_buckets - n_exact)).long()).clamp(max=n_buckets - 1)
    return first + torch.where(distance < n_exact, distance, far)


# %% right="in plain numbers, one by one" exercise="relative_position_bucket"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    def bucket(r):
        n, add = n_buckets, 0
        if bidirectional:
            n = n // 2
            if r > 0:
                add = n
            d = abs(r)
        else:
            d = max(-r, 0)
        e = n // 2
        if d < e:
            return add + d
        return add + min(n - 1, e + math.floor((n - e) * math.log(d / e) / math.log(max_distance / e)))

    flat = [bucket(r) for r in relative_position.flatten().tolist()]
    return torch.tensor(flat).view(relative_position.shape)


# %% right="edges and bucketize" exercise="relative_position_bucket"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    n = n_buckets // 2 if bidirectional else n_buckets
    e = n // 2
    edges = [float(d) for d in range(1, e + 1)]
    edges += [e * (max_distance / e) ** (k / (n - e)) for k in range(1, n - e)]
    distance = relative_position.abs() if bidirectional else torch.relu(-relative_position)
    found = torch.bucketize(distance.double(), torch.tensor(edges, dtype=torch.float64), right=True)
    return found + n * (relative_position > 0).long() if bidirectional else found


# %% right="in float64, as the released code has it" exercise="relative_position_bucket"
def relative_position_bucket(relative_position, bidirectional=True, n_buckets=32, max_distance=128):
    result = torch.zeros_like(relative_position)
    n = -relative_position
    if bidirectional:
        n_buckets //= 2
        result = result + (n < 0).to(torch.int64) * n_buckets
        n = torch.abs(n)
    else:
        n = torch.max(n, torch.zeros_like(n))
    exact = n_buckets // 2
    large = torch.log(n.double() / exact) / math.log(max_distance / exact) * (n_buckets - exact)
    large = torch.min(exact + large.clamp(min=-1e6).to(torch.int64), torch.full_like(n, n_buckets - 1))
    return result + torch.where(n < exact, n, large)


# %% right="masks instead of where" exercise="relative_position_bucket"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    half = n_buckets // 2 if bidirectional else n_buckets
    distance = relative_position.clone()
    distance[relative_position < 0] *= -1
    if not bidirectional:
        distance[relative_position > 0] = 0
    exact = half // 2
    bucket, far = distance.clone(), distance >= exact
    scaled = torch.log2(distance[far].float() / exact) / math.log2(max_distance / exact) * (half - exact)
    bucket[far] = torch.minimum(exact + scaled.floor().long(), torch.tensor(half - 1))
    if bidirectional:
        bucket[relative_position > 0] += half
    return bucket


# ---- shift_right


# %% wrong="clamps far distances in the argument itself" exercise="relative_position_bucket" hint="Do not write into"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    r = relative_position.clamp_(-max_distance, max_distance)
    n, offset = n_buckets, 0
    if bidirectional:
        n //= 2
        offset = n * (r > 0)
    d = r.abs() if bidirectional else (-r).clamp(min=0)
    e = n // 2
    far = e + ((n - e) * torch.log(d.clamp(min=e) / e) / math.log(max_distance / e)).long()
    return offset + torch.where(d < e, d, far.clamp(max=n - 1))


# %% wrong="32 bits" exercise="relative_position_bucket" hint="of dtype long"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    n = n_buckets // 2 if bidirectional else n_buckets
    d = relative_position.abs() if bidirectional else (-relative_position).clamp(min=0)
    e = n // 2
    far = (e + (n - e) * torch.log(d.clamp(min=e) / e) / math.log(max_distance / e)).clamp(max=n - 1)
    bucket = torch.where(d < e, d, far.long()) + n * (relative_position > 0) * bidirectional
    return bucket.int()


# %% right="edges, and a search among them" exercise="relative_position_bucket"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    n = n_buckets // 2 if bidirectional else n_buckets
    e = n // 2
    edges = [float(k) for k in range(1, e + 1)] + [e * (max_distance / e) ** (k / (n - e)) for k in range(1, n - e)]
    d = relative_position.abs() if bidirectional else (-relative_position).clamp(min=0)
    bucket = torch.bucketize(d.double(), torch.tensor(edges, dtype=torch.float64), right=True)
    return bucket + n * (relative_position > 0) if bidirectional else bucket


# %% wrong="to the left" exercise="shift_right" hint="moved to the left"
def shift_right(labels, start_id, pad_id):
    start = torch.full_like(labels[:, :1], start_id)
    end = torch.full_like(labels[:, :1], start_id)
    moved = torch.cat([start, labels[:, 2:], end], dim=1)[:, : labels.shape[1]]
    return moved.masked_fill(moved == -100, pad_id)


# %% wrong="rolled round" exercise="shift_right" hint="column 0 is start_id in every row"
def shift_right(labels, start_id, pad_id):
    moved = labels.roll(1, dims=1)
    return moved.masked_fill(moved == -100, pad_id)


# %% wrong="one column more" exercise="shift_right" hint="one column too many"
def shift_right(labels, start_id, pad_id):
    moved = torch.cat([torch.full_like(labels[:, :1], start_id), labels], dim=1)
    return moved.masked_fill(moved == -100, pad_id)


# %% wrong="the first label overwritten" exercise="shift_right" hint="Nothing moved"
def shift_right(labels, start_id, pad_id):
    moved = labels.clone()
    moved[:, 0] = start_id
    return moved.masked_fill(moved == -100, pad_id)


# %% wrong="-100 kept" exercise="shift_right" hint="-100 is still there"
def shift_right(labels, start_id, pad_id):
    return torch.cat([torch.full_like(labels[:, :1], start_id), labels[:, :-1]], dim=1)


# %% wrong="-100 becomes the start token" exercise="shift_right" hint="-100 became start_id"
def shift_right(labels, start_id, pad_id):
    moved = torch.cat([torch.full_like(labels[:, :1], start_id), labels[:, :-1]], dim=1)
    return moved.masked_fill(moved == -100, start_id)


# %% wrong="padding is always 0" exercise="shift_right" hint="-100 became 0"
def shift_right(labels, start_id, pad_id):
    moved = torch.cat([torch.full_like(labels[:, :1], start_id), labels[:, :-1]], dim=1)
    return moved.clamp(min=0)


# %% wrong="begins with the padding" exercise="shift_right" hint="The rows begin with pad_id"
def shift_right(labels, start_id, pad_id):
    moved = torch.cat([torch.full_like(labels[:, :1], pad_id), labels[:, :-1]], dim=1)
    return moved.masked_fill(moved == -100, pad_id)


# %% wrong="id 0 taken for padding" exercise="shift_right" hint="A token of id 0 became pad_id"
def shift_right(labels, start_id, pad_id):
    moved = labels[:, :-1].masked_fill(labels[:, :-1] <= 0, pad_id)
    return torch.cat([torch.full_like(labels[:, :1], start_id), moved], dim=1)


# %% wrong="only the first row starts" exercise="shift_right" hint="Only the first row begins with start_id"
def shift_right(labels, start_id, pad_id):
    flat = labels.flatten().roll(1)
    flat[0] = start_id
    moved = flat.view(labels.shape)
    return moved.masked_fill(moved == -100, pad_id)


# %% wrong="written into the labels" exercise="shift_right" hint="a slice of labels is no copy"
def shift_right(labels, start_id, pad_id):
    labels[labels == -100] = pad_id
    return torch.cat([torch.full_like(labels[:, :1], start_id), labels[:, :-1]], dim=1)


# %% wrong="float ids" exercise="shift_right" hint="Token ids are whole numbers"
def shift_right(labels, start_id, pad_id):
    moved = torch.cat([torch.ones(len(labels), 1) * start_id, labels[:, :-1]], dim=1)
    return torch.where(moved == -100, float(pad_id), moved)


# %% right="filled in from an empty one" exercise="shift_right"
def shift_right(labels, start_id, pad_id):
    moved = labels.new_zeros(labels.shape)
    moved[:, 1:] = labels[:, :-1].clone()
    moved[:, 0] = start_id
    return torch.where(moved == -100, torch.tensor(pad_id), moved)


# %% right="lists" exercise="shift_right"
def shift_right(labels, start_id, pad_id):
    rows = [[start_id, *row[:-1]] for row in labels.tolist()]
    return torch.tensor([[pad_id if token == -100 else token for token in row] for row in rows])


# %% right="rolled, then overwritten" exercise="shift_right"
def shift_right(labels, start_id, pad_id):
    moved = labels.roll(shifts=1, dims=1)
    moved[:, 0] = start_id
    moved[moved == -100] = pad_id
    return moved


# %% right="functional pad" exercise="shift_right"
def shift_right(labels, start_id, pad_id):
    moved = functional.pad(labels, (1, -1), value=start_id)
    return moved.masked_fill(moved.eq(-100), pad_id)


# ---- seq2seq_loss


# %% wrong="the end token is not read" exercise="shift_right" hint="No label that is a token changes"
def shift_right(labels, start_id, pad_id):
    moved = torch.cat([torch.full_like(labels[:, :1], start_id), labels[:, :-1]], dim=1)
    return moved.masked_fill((moved == -100) | (moved == 2), pad_id)


# %% wrong="padding where the label is -100, not where the moved one is" exercise="shift_right" hint="No label that is"
def shift_right(labels, start_id, pad_id):
    moved = torch.cat([torch.full_like(labels[:, :1], start_id), labels[:, :-1]], dim=1)
    return moved.masked_fill(labels == -100, pad_id)


# %% wrong="shifted again" exercise="seq2seq_loss" hint="The labels are shifted again"
def seq2seq_loss(logits, labels):
    return functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())


# %% wrong="shifted the other way" exercise="seq2seq_loss" hint="The logits are shifted against the labels"
def seq2seq_loss(logits, labels):
    return functional.cross_entropy(logits[:, 1:].flatten(0, 1), labels[:, :-1].flatten())


# %% wrong="the sum" exercise="seq2seq_loss" hint="That is the sum"
def seq2seq_loss(logits, labels):
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")


# %% wrong="divided by all labels" exercise="seq2seq_loss" hint="The sum leaves -100 out, but the count does not"
def seq2seq_loss(logits, labels):
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").mean()


# %% wrong="rows averaged" exercise="seq2seq_loss" hint="averages the rows' losses"
def seq2seq_loss(logits, labels):
    return torch.stack([functional.cross_entropy(row, label) for row, label in zip(logits, labels)]).mean()


# %% wrong="label 0 left out" exercise="seq2seq_loss" hint="Label 0 is left out"
def seq2seq_loss(logits, labels):
    asked = labels > 0
    return functional.cross_entropy(logits[asked], labels[asked])


# %% wrong="padding counted as token 0" exercise="seq2seq_loss" hint="counted as if they were token 0"
def seq2seq_loss(logits, labels):
    return functional.cross_entropy(logits.flatten(0, 1), labels.clamp(min=0).flatten())


# %% wrong="axes reshaped" exercise="seq2seq_loss" hint="reshape does not swap axes"
def seq2seq_loss(logits, labels):
    B, T, V = logits.shape
    return functional.cross_entropy(logits.reshape(B, V, T), labels)


# %% wrong="softmax twice" exercise="seq2seq_loss" hint="The softmax is taken twice"
def seq2seq_loss(logits, labels):
    return functional.cross_entropy(logits.softmax(-1).flatten(0, 1), labels.flatten())


# %% wrong="the sign" exercise="seq2seq_loss" hint="The sign is missing"
def seq2seq_loss(logits, labels):
    return -functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


# %% wrong="log of a softmax" exercise="seq2seq_loss" hint="overflows where log_softmax does not"
def seq2seq_loss(logits, labels):
    asked = labels != -100
    chosen = logits.softmax(-1)[asked].gather(1, labels[asked][:, None])
    return -chosen.log().mean()


# %% wrong="a number without gradient" exercise="seq2seq_loss" hint="gradients flow through"
def seq2seq_loss(logits, labels):
    loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    return torch.tensor(loss.item(), dtype=logits.dtype)


# %% right="by hand" exercise="seq2seq_loss"
def seq2seq_loss(logits, labels):
    asked = labels != -100
    log_probs = logits.log_softmax(-1)
    chosen = log_probs.gather(2, labels.clamp(min=0)[:, :, None])[:, :, 0]
    return -chosen[asked].sum() / asked.sum()


# %% right="classes on the second axis" exercise="seq2seq_loss"
def seq2seq_loss(logits, labels):
    return functional.cross_entropy(logits.transpose(1, 2), labels)


# %% right="a loop over rows, with logsumexp" exercise="seq2seq_loss"
def seq2seq_loss(logits, labels):
    total, count = 0.0, 0
    for row, wanted in zip(logits, labels):
        for z, label in zip(row, wanted.tolist()):
            if label != -100:
                total = total + torch.logsumexp(z, 0) - z[label]
                count += 1
    return total / count


# %% right="selected rows" exercise="seq2seq_loss"
def seq2seq_loss(logits, labels):
    asked = labels.ne(-100)
    return torch.nn.NLLLoss()(torch.log_softmax(logits[asked], dim=-1), labels[asked])


# ---- fill_spans


# %% wrong="an axis is left" exercise="seq2seq_loss" hint="its shape is ()"
def seq2seq_loss(logits, labels):
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten()).view(1)


# %% wrong="always in 32 bits" exercise="seq2seq_loss" hint="another dtype than the logits"
def seq2seq_loss(logits, labels):
    return functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten())


# %% wrong="the start token given back" exercise="fill_spans" hint="The start token is no part of the result"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_new_tokens):
        next_id = model(inputs[None], ids)[0, -1].argmax()
        ids = torch.cat([ids, next_id.view(1, 1)], dim=1)
        if next_id == eos_id:
            break
    return ids[0]


# %% wrong="the end token cut off" exercise="fill_spans" hint="The end token is missing"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_new_tokens):
        next_id = model(inputs[None], ids)[0, -1].argmax()
        if next_id == eos_id:
            break
        ids = torch.cat([ids, next_id.view(1, 1)], dim=1)
    return ids[0, 1:]


# %% wrong="goes on behind the end" exercise="fill_spans" hint="Nothing may be written behind the end token"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_new_tokens):
        ids = torch.cat([ids, model(inputs[None], ids)[:, -1:].argmax(-1)], dim=1)
    return ids[0, 1:]


# %% wrong="only the last token read" exercise="fill_spans" hint="Only the last token is handed over"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    last, found = torch.tensor([[start_id]]), []
    for _ in range(max_new_tokens):
        last = model(inputs[None], last)[:, -1:].argmax(-1)
        found.append(last[0, 0])
        if last == eos_id:
            break
    return torch.stack(found)


# %% wrong="logits of the first position" exercise="fill_spans" hint="The logits at the wrong position are read"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_new_tokens):
        next_id = model(inputs[None], ids)[0, 0].argmax()
        ids = torch.cat([ids, next_id.view(1, 1)], dim=1)
        if next_id == eos_id:
            break
    return ids[0, 1:]


# %% wrong="one token too few" exercise="fill_spans" hint="One token too few"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    while ids.shape[1] < max_new_tokens:
        next_id = model(inputs[None], ids)[0, -1].argmax()
        ids = torch.cat([ids, next_id.view(1, 1)], dim=1)
        if next_id == eos_id:
            break
    return ids[0, 1:]


# %% wrong="one token too many" exercise="fill_spans" hint="One token too many"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_new_tokens + 1):
        next_id = model(inputs[None], ids)[0, -1].argmax()
        ids = torch.cat([ids, next_id.view(1, 1)], dim=1)
        if next_id == eos_id:
            break
    return ids[0, 1:]


# %% wrong="sampled" exercise="fill_spans" hint="take the argmax of the logits at the last position"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_new_tokens):
        next_id = torch.multinomial((model(inputs[None], ids)[0, -1] / 3).softmax(-1), 1)
        ids = torch.cat([ids, next_id.view(1, 1)], dim=1)
        if next_id == eos_id:
            break
    return ids[0, 1:]


# %% wrong="ids built in" exercise="fill_spans" hint="no id is built in"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[0]])
    for _ in range(max_new_tokens):
        next_id = model(inputs[None], ids)[0, -1].argmax()
        ids = torch.cat([ids, next_id.view(1, 1)], dim=1)
        if next_id == 2:
            break
    return ids[0, 1:]


# %% wrong="stops at the start token" exercise="fill_spans" hint="The start token was taken for the end"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    while ids[0, -1] != eos_id and ids.shape[1] <= max_new_tokens:
        next_id = model(inputs[None], ids)[0, -1].argmax()
        ids = torch.cat([ids, next_id.view(1, 1)], dim=1)
    return ids[0, 1:]


# %% wrong="no batch axis" exercise="fill_spans" hint="The model takes rows of a batch"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([start_id])
    for _ in range(max_new_tokens):
        next_id = model(inputs, ids)[0, -1].argmax()
        ids = torch.cat([ids, next_id.view(1)])
        if next_id == eos_id:
            break
    return ids[1:]


# %% wrong="begins with the inputs" exercise="fill_spans" hint="not with the inputs"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = inputs[None]
    for _ in range(max_new_tokens):
        next_id = model(inputs[None], ids)[0, -1].argmax()
        ids = torch.cat([ids, next_id.view(1, 1)], dim=1)
        if next_id == eos_id:
            break
    return ids[0, len(inputs) :]


# %% wrong="two axes" exercise="fill_spans" hint="The result has one axis"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_new_tokens):
        next_id = model(inputs[None], ids)[0, -1].argmax()
        ids = torch.cat([ids, next_id.view(1, 1)], dim=1)
        if next_id == eos_id:
            break
    return ids[:, 1:]


# %% wrong="a list" exercise="fill_spans" hint="A tensor is expected, not a list"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    found = [start_id]
    for _ in range(max_new_tokens):
        found.append(int(model(inputs[None], torch.tensor([found]))[0, -1].argmax()))
        if found[-1] == eos_id:
            break
    return found[1:]


# %% right="a list that grows" exercise="fill_spans"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    found = []
    while len(found) < max_new_tokens and (not found or found[-1] != eos_id):
        decoder_ids = torch.tensor([[start_id] + found], dtype=torch.long)
        found.append(model(inputs.unsqueeze(0), decoder_ids)[0, -1, :].argmax(-1).item())
    return torch.tensor(found, dtype=torch.long)


# %% right="a buffer, cut at the end" exercise="fill_spans"
@torch.no_grad()
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    buffer = torch.full((1, max_new_tokens + 1), start_id)
    for t in range(max_new_tokens):
        buffer[:, t + 1] = model(inputs.view(1, -1), buffer[:, : t + 1].clone())[:, t].log_softmax(-1).max(-1).indices
    rows = buffer[0, 1:].tolist()
    n = rows.index(eos_id) + 1 if eos_id in rows else len(rows)
    return buffer[0, 1 : n + 1]


# %% right="recursive" exercise="fill_spans"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    def go_on(ids):
        if ids.shape[1] > max_new_tokens or (ids.shape[1] > 1 and ids[0, -1] == eos_id):
            return ids[0, 1:]
        best = model(inputs.reshape(1, -1), ids)[:, -1, :].topk(1).indices
        return go_on(torch.hstack([ids, best]))

    return go_on(torch.full((1, 1), start_id, dtype=torch.long))


# %% right="inference mode and a sort" exercise="fill_spans"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    with torch.inference_mode():
        row = [start_id]
        for _ in range(max_new_tokens):
            scores = model(inputs[None, :], torch.tensor(row)[None, :])[0, len(row) - 1]
            row.append(int(torch.sort(scores, descending=True).indices[0]))
            if row[-1] == eos_id:
                break
    return torch.tensor(row[1:])


# %% wrong="stops wherever the start token is written" exercise="fill_spans" hint="The start token ends nothing"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_new_tokens):
        next_id = model(inputs[None], ids)[0, -1].argmax()
        ids = torch.cat([ids, next_id.view(1, 1)], dim=1)
        if next_id in (start_id, eos_id):
            break
    return ids[0, 1:]


# %% wrong="begins with the end token" exercise="fill_spans" hint="another token than start_id"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[eos_id]])
    for _ in range(max_new_tokens):
        next_id = model(inputs[None], ids)[0, -1].argmax()
        ids = torch.cat([ids, next_id.view(1, 1)], dim=1)
        if next_id == eos_id:
            break
    return ids[0, 1:]


# %% wrong="the largest of all the logits" exercise="fill_spans" hint="The logits at the wrong position are read"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_new_tokens):
        next_id = model(inputs[None], ids)[0].argmax()
        ids = torch.cat([ids, next_id.view(1, 1)], dim=1)
        if next_id == eos_id:
            break
    return ids[0, 1:]


# %% right="writes to the limit, then cuts behind the end" exercise="fill_spans"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    found = []
    for _ in range(max_new_tokens):
        logits = model(inputs[None], torch.tensor([[start_id, *found]]))
        found.append(logits[0, -1].argmax().item())
    return torch.tensor(found[: found.index(eos_id) + 1] if eos_id in found else found)


# %% right="takes every position's guess again" exercise="fill_spans"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_new_tokens):
        ids = torch.cat([ids[:, :1], model(inputs[None], ids).argmax(-1)], dim=1)
        if ids[0, -1] == eos_id:
            break
    return ids[0, 1:]


# %% right="numpy, logarithms of base 2" exercise="relative_position_bucket"
import numpy as np


def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    r = relative_position.numpy()
    n = n_buckets // 2 if bidirectional else n_buckets
    d = np.abs(r) if bidirectional else np.maximum(-r, 0)
    e = n // 2
    with np.errstate(divide="ignore"):
        far = e + np.floor((n - e) * np.log2(d / e) / np.log2(max_distance / e))
    out = np.where(d < e, d, np.minimum(far, n - 1)).astype(np.int64)
    if bidirectional:
        out = out + n * (r > 0)
    return torch.from_numpy(np.asarray(out))


# %% right="the first far distance counted as near" exercise="relative_position_bucket"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    n = n_buckets // 2 if bidirectional else n_buckets
    r = relative_position
    d = r.abs() if bidirectional else (-r).clamp(min=0)
    e = n // 2
    far = e + (torch.log(d.clamp(min=e).double() / e) / math.log(max_distance / e) * (n - e)).long()
    bucket = torch.where(d <= e, d, far.clamp(max=n - 1))
    if bidirectional:
        bucket = bucket + (r > 0).long() * n
    return bucket


# %% wrong="as many far buckets as near ones" exercise="relative_position_bucket" hint="which is more than e where n is odd"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    n = n_buckets // 2 if bidirectional else n_buckets
    r = relative_position
    d = r.abs() if bidirectional else (-r).clamp(min=0)
    e = n // 2
    far = e + (torch.log(d.clamp(min=e).double() / e) / math.log(max_distance / e) * e).long()
    bucket = torch.where(d < e, d, far.clamp(max=2 * e - 1))
    if bidirectional:
        bucket = bucket + (r > 0).long() * n
    return bucket


# %% wrong="near buckets rounded up" exercise="relative_position_bucket" hint="e is rounded down"
def relative_position_bucket(relative_position, bidirectional, n_buckets, max_distance):
    n = n_buckets // 2 if bidirectional else n_buckets
    r = relative_position
    d = r.abs() if bidirectional else (-r).clamp(min=0)
    e = math.ceil(n / 2)
    far = e + (torch.log(d.clamp(min=e).double() / e) / math.log(max_distance / e) * (n - e)).long()
    bucket = torch.where(d < e, d, far.clamp(max=n - 1))
    if bidirectional:
        bucket = bucket + (r > 0).long() * n
    return bucket


# %% wrong="arguments renamed" exercise="relative_position_bucket" hint="Keep the names of the arguments"
def relative_position_bucket(relative_position, bidirectional, num_buckets, max_distance):
    n = num_buckets // 2 if bidirectional else num_buckets
    r = relative_position
    d = r.abs() if bidirectional else (-r).clamp(min=0)
    e = n // 2
    far = e + (torch.log(d.clamp(min=e).double() / e) / math.log(max_distance / e) * (n - e)).long()
    bucket = torch.where(d < e, d, far.clamp(max=n - 1))
    if bidirectional:
        bucket = bucket + (r > 0).long() * n
    return bucket


# %% right="numpy" exercise="shift_right"
import numpy as np


def shift_right(labels, start_id, pad_id):
    a = labels.numpy()
    b = np.concatenate([np.full((a.shape[0], 1), start_id), a[:, :-1]], axis=1)
    return torch.from_numpy(np.where(b == -100, pad_id, b).astype(np.int64))


# %% wrong="rows of one label given back" exercise="shift_right" hint="the start token alone is read"
def shift_right(labels, start_id, pad_id):
    if labels.shape[1] == 1:
        return labels
    start = torch.full_like(labels[:, :1], start_id)
    out = torch.cat([start, labels[:, :-1]], dim=1)
    return out.masked_fill(out == -100, pad_id)


# %% wrong="arguments renamed" exercise="shift_right" hint="Keep the names of the arguments"
def shift_right(labels, start, pad):
    first = torch.full_like(labels[:, :1], start)
    out = torch.cat([first, labels[:, :-1]], dim=1)
    return out.masked_fill(out == -100, pad)


# %% right="one-hot labels and einsum" exercise="seq2seq_loss"
def seq2seq_loss(logits, labels):
    asked = labels != -100
    hot = functional.one_hot(labels.clamp(min=0), logits.shape[-1]).to(logits.dtype) * asked[..., None]
    m = logits.max(-1, keepdim=True).values
    z = logits - m
    logp = z - z.exp().sum(-1, keepdim=True).log()
    return -torch.einsum("btv,btv->", logp, hot) / hot.sum()


# %% wrong="columns cut to the most labels a row has" exercise="seq2seq_loss" hint="anywhere in a row"
def seq2seq_loss(logits, labels):
    n = int((labels != -100).sum(1).max())
    return functional.cross_entropy(logits[:, :n].flatten(0, 1), labels[:, :n].flatten())


# %% wrong="the end token left out" exercise="seq2seq_loss" hint="the end token counts as much as any word"
def seq2seq_loss(logits, labels):
    y = labels.clone()
    for row in y:
        n = int((row != -100).sum())
        if n > 1:
            row[n - 1] = -100
    return functional.cross_entropy(logits.flatten(0, 1), y.flatten())


# %% wrong="padding filled in the caller's labels" exercise="seq2seq_loss" hint="Logits or labels are changed"
def seq2seq_loss(logits, labels):
    asked = labels != -100
    labels[~asked] = 0
    lp = logits.log_softmax(-1).gather(-1, labels[..., None])[..., 0]
    return -(lp * asked).sum() / asked.sum()


# %% wrong="arguments renamed" exercise="seq2seq_loss" hint="Keep the names of the arguments"
def seq2seq_loss(logits, targets):
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


# %% right="a generator of tokens" exercise="fill_spans"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    from itertools import islice

    def tokens():
        ids = torch.tensor([[start_id]], dtype=torch.long)
        while True:
            nxt = model(inputs[None], ids)[0, -1].argmax(-1).item()
            yield nxt
            if nxt == eos_id:
                return
            ids = torch.cat([ids, torch.tensor([[nxt]])], -1)

    return torch.tensor(list(islice(tokens(), max_new_tokens)), dtype=torch.long)


# %% wrong="the least probable" exercise="fill_spans" hint="take the argmax"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_new_tokens):
        token = model(inputs[None], ids)[0, -1].argmin()
        ids = torch.cat([ids, token.view(1, 1)], dim=1)
        if token == eos_id:
            break
    return ids[0, 1:]


# %% wrong="ends where a token comes twice" exercise="fill_spans" hint="A token may come twice running"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_new_tokens):
        token = model(inputs[None], ids)[0, -1].argmax()
        ids = torch.cat([ids, token.view(1, 1)], dim=1)
        if token == eos_id or (ids.shape[1] > 2 and ids[0, -2] == token):
            break
    return ids[0, 1:]


# %% wrong="the inputs' end token cut off" exercise="fill_spans" hint="other inputs than those given"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_new_tokens):
        token = model(inputs[None, :-1], ids)[0, -1].argmax()
        ids = torch.cat([ids, token.view(1, 1)], dim=1)
        if token == eos_id:
            break
    return ids[0, 1:]


# %% wrong="the start token struck out wherever it stands" exercise="fill_spans" hint="the start token, or one in the inputs, ends nothing"
def fill_spans(model, inputs, start_id, eos_id, max_new_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_new_tokens):
        token = model(inputs[None], ids)[0, -1].argmax()
        ids = torch.cat([ids, token.view(1, 1)], dim=1)
        if token == eos_id:
            break
    return ids[0][ids[0] != start_id]


# %% wrong="arguments renamed" exercise="fill_spans" hint="Keep the names of the arguments"
def fill_spans(model, inputs, start_id, eos_id, max_tokens):
    ids = torch.tensor([[start_id]])
    for _ in range(max_tokens):
        token = model(inputs[None], ids)[0, -1].argmax()
        ids = torch.cat([ids, token.view(1, 1)], dim=1)
        if token == eos_id:
            break
    return ids[0, 1:]
