# %% wrong="zeros where filtered" exercise="top_k_filter" hint="a logit of 0 is drawn like any other"
def top_k_filter(logits, k):
    border = logits.topk(min(k, logits.shape[1]), dim=1).values[:, -1:]
    return logits.masked_fill(logits < border, 0.0)


# %% wrong="a large negative number" exercise="top_k_filter" hint="-inf"
def top_k_filter(logits, k):
    border = logits.topk(min(k, logits.shape[1]), dim=1).values[:, -1:]
    return logits.masked_fill(logits < border, -1e4)


# %% wrong="the smallest" exercise="top_k_filter" hint="k smallest"
def top_k_filter(logits, k):
    border = logits.topk(min(k, logits.shape[1]), dim=1, largest=False).values[:, -1:]
    return logits.masked_fill(logits > border, -math.inf)


# %% wrong="the k-th is out" exercise="top_k_filter" hint="One token too few"
def top_k_filter(logits, k):
    border = logits.topk(min(k, logits.shape[1]), dim=1).values[:, -1:]
    return logits.masked_fill(logits <= border, -math.inf)


# %% wrong="one too many" exercise="top_k_filter" hint="One token too many"
def top_k_filter(logits, k):
    border = logits.topk(min(k + 1, logits.shape[1]), dim=1).values[:, -1:]
    return logits.masked_fill(logits < border, -math.inf)


# %% wrong="the border of the first row" exercise="top_k_filter" hint="border of the first row"
def top_k_filter(logits, k):
    border = logits.topk(min(k, logits.shape[1]), dim=1).values[0, -1]
    return logits.masked_fill(logits < border, -math.inf)


# %% wrong="over the whole batch" exercise="top_k_filter" hint="each row has its own k"
def top_k_filter(logits, k):
    border = logits.flatten().topk(min(k, logits.numel())).values[-1]
    return logits.masked_fill(logits < border, -math.inf)


# %% wrong="only the k values" exercise="top_k_filter" hint="Only the k logits came back"
def top_k_filter(logits, k):
    return logits.topk(min(k, logits.shape[1]), dim=1).values


# %% wrong="probabilities" exercise="top_k_filter" hint="Probabilities came back"
def top_k_filter(logits, k):
    border = logits.topk(min(k, logits.shape[1]), dim=1).values[:, -1:]
    return logits.masked_fill(logits < border, -math.inf).softmax(1)


# %% wrong="k above V" exercise="top_k_filter" hint="topk refuses a k above V"
def top_k_filter(logits, k):
    border = logits.topk(k, dim=1).values[:, -1:]
    return logits.masked_fill(logits < border, -math.inf)


# %% wrong="in place" exercise="top_k_filter" hint="writes into the caller's"
def top_k_filter(logits, k):
    border = logits.topk(min(k, logits.shape[1]), dim=1).values[:, -1:]
    return logits.masked_fill_(logits < border, -math.inf)


# %% wrong="always float32" exercise="top_k_filter" hint="in the dtype of logits"
def top_k_filter(logits, k):
    border = logits.topk(min(k, logits.shape[1]), dim=1).values[:, -1:]
    return logits.masked_fill(logits < border, -math.inf).float()


# %% right="scatter" exercise="top_k_filter"
def top_k_filter(logits, k):
    values, indices = torch.topk(logits, min(k, logits.size(-1)), dim=-1)
    return torch.full_like(logits, float("-inf")).scatter(-1, indices, values)


# %% right="sorted" exercise="top_k_filter"
def top_k_filter(logits, k):
    ordered = torch.sort(logits, dim=1, descending=True).values
    border = ordered[:, min(k, logits.shape[1]) - 1].unsqueeze(1)
    return torch.where(logits >= border, logits, torch.tensor(-math.inf, dtype=logits.dtype))


# %% right="ranks" exercise="top_k_filter"
def top_k_filter(logits, k):
    ranks = logits.argsort(dim=1, descending=True).argsort(dim=1)
    return logits.masked_fill(ranks >= k, -math.inf)


# %% right="row by row" exercise="top_k_filter"
def top_k_filter(logits, k):
    rows = []
    for row in logits:
        new = torch.full_like(row, -math.inf)
        for i in row.argsort(descending=True)[:k]:
            new[i] = row[i]
        rows.append(new)
    return torch.stack(rows)


# %% wrong="the crossing token left out" exercise="top_p_filter" hint="token that crosses p is left out"
def top_p_filter(logits, p):
    values, order = logits.sort(dim=1, descending=True)
    out = values.softmax(1).cumsum(1) > p
    return logits.masked_fill(torch.zeros_like(out).scatter(1, order, out), -math.inf)


# %% wrong="the crossing token left out, but one kept" exercise="top_p_filter" hint="token that crosses p is left out"
def top_p_filter(logits, p):
    if p == 1:
        return logits.clone()
    values, order = logits.sort(dim=1, descending=True)
    out = values.softmax(1).cumsum(1) > p
    out[:, 0] = False
    return logits.masked_fill(torch.zeros_like(out).scatter(1, order, out), -math.inf)


# %% wrong="zeros where filtered" exercise="top_p_filter" hint="a logit of 0 is drawn like any other"
def top_p_filter(logits, p):
    values, order = logits.sort(dim=1, descending=True)
    probabilities = values.softmax(1)
    out = probabilities.cumsum(1) - probabilities >= p
    return logits.masked_fill(torch.zeros_like(out).scatter(1, order, out), 0.0)


# %% wrong="left in sorted order" exercise="top_p_filter" hint="stand in sorted order"
def top_p_filter(logits, p):
    values, _ = logits.sort(dim=1, descending=True)
    probabilities = values.softmax(1)
    return values.masked_fill(probabilities.cumsum(1) - probabilities >= p, -math.inf)


# %% wrong="the sorted mask on the unsorted row" exercise="top_p_filter" hint="mask of the sorted row"
def top_p_filter(logits, p):
    values, _ = logits.sort(dim=1, descending=True)
    probabilities = values.softmax(1)
    return logits.masked_fill(probabilities.cumsum(1) - probabilities >= p, -math.inf)


# %% wrong="not sorted" exercise="top_p_filter" hint="sort each row first"
def top_p_filter(logits, p):
    probabilities = logits.softmax(1)
    return logits.masked_fill(probabilities.cumsum(1) - probabilities >= p, -math.inf)


# %% wrong="the least probable kept" exercise="top_p_filter" hint="least probable tokens are kept"
def top_p_filter(logits, p):
    values, order = logits.sort(dim=1)
    probabilities = values.softmax(1)
    out = probabilities.cumsum(1) - probabilities >= p
    return logits.masked_fill(torch.zeros_like(out).scatter(1, order, out), -math.inf)


# %% wrong="each probability against p" exercise="top_p_filter" hint="own probability decides"
def top_p_filter(logits, p):
    return logits.masked_fill(logits.softmax(1) < p, -math.inf)


# %% wrong="each probability against 1 - p" exercise="top_p_filter" hint="own probability decides"
def top_p_filter(logits, p):
    return logits.masked_fill(logits.softmax(1) < 1 - p, -math.inf)


# %% wrong="the sum of logits" exercise="top_p_filter" hint="take the softmax first"
def top_p_filter(logits, p):
    values, order = logits.sort(dim=1, descending=True)
    out = values.cumsum(1) - values >= p
    return logits.masked_fill(torch.zeros_like(out).scatter(1, order, out), -math.inf)


# %% wrong="probabilities" exercise="top_p_filter" hint="Probabilities came back"
def top_p_filter(logits, p):
    values, order = logits.sort(dim=1, descending=True)
    probabilities = values.softmax(1)
    out = probabilities.cumsum(1) - probabilities >= p
    return logits.masked_fill(torch.zeros_like(out).scatter(1, order, out), -math.inf).softmax(1)


# %% wrong="not everything at 1" exercise="top_p_filter" hint="may reach 1 before the last token"
def top_p_filter(logits, p):
    values, order = logits.sort(dim=1, descending=True)
    probabilities = values.softmax(1)
    out = probabilities.cumsum(1) - probabilities >= p
    return logits.masked_fill(torch.zeros_like(out).scatter(1, order, out), -math.inf)


# %% wrong="in place" exercise="top_p_filter" hint="writes into the caller's"
def top_p_filter(logits, p):
    if p == 1:
        return logits
    values, order = logits.sort(dim=1, descending=True)
    probabilities = values.softmax(1)
    out = probabilities.cumsum(1) - probabilities >= p
    return logits.masked_fill_(torch.zeros_like(out).scatter(1, order, out), -math.inf)


# %% wrong="a set as large as the first row's" exercise="top_p_filter" hint="size of the set is the row's own"
def top_p_filter(logits, p):
    if p == 1:
        return logits.clone()
    held = logits[0].sort(descending=True).values.softmax(0).cumsum(0)
    n = int((held < p).sum()) + 1
    return logits.masked_fill(logits < logits.topk(n, dim=1).values[:, -1:], -math.inf)


# %% right="ascending, as the library does it" exercise="top_p_filter"
def top_p_filter(logits, p):
    values, order = torch.sort(logits, descending=False)
    out = values.softmax(dim=-1).cumsum(dim=-1) <= (1 - p)
    out[..., -1:] = 0
    if p >= 1.0:
        return logits
    return logits.masked_fill(out.scatter(1, order, out), -float("Inf"))


# %% right="row by row" exercise="top_p_filter"
def top_p_filter(logits, p):
    result = torch.full_like(logits, -math.inf)
    for b, row in enumerate(logits):
        probabilities, held = row.softmax(0), 0.0
        for i in row.argsort(descending=True).tolist():
            result[b, i] = row[i]
            held += probabilities[i].item()
            if held >= p and p < 1:
                break
    return result


# %% right="shifted to the right" exercise="top_p_filter"
def top_p_filter(logits, p):
    if p >= 1:
        return logits.clone()
    probabilities, order = logits.softmax(-1).sort(-1, descending=True)
    out = probabilities.cumsum(-1) >= p
    out[:, 1:] = out[:, :-1].clone()
    out[:, 0] = False
    return logits.masked_fill(out.gather(1, order.argsort(1)), -math.inf)


# %% right="in float64" exercise="top_p_filter"
def top_p_filter(logits, p):
    values, order = logits.double().sort(dim=1, descending=True)
    probabilities = values.softmax(1)
    n = ((probabilities.cumsum(1) - probabilities) < p).sum(1).clamp(min=1)
    if p == 1:
        n = torch.full_like(n, logits.shape[1])
    ranks = order.argsort(1)
    return torch.where(ranks < n[:, None], logits, -math.inf)


# %% wrong="negative ones divided too" exercise="penalise_repetition" hint="which makes them larger: multiply them"
def penalise_repetition(logits, ids, penalty):
    return logits.scatter(1, ids, logits.gather(1, ids) / penalty)


# %% wrong="all multiplied" exercise="penalise_repetition" hint="which makes them larger: divide them"
def penalise_repetition(logits, ids, penalty):
    return logits.scatter(1, ids, logits.gather(1, ids) * penalty)


# %% wrong="the wrong way round" exercise="penalise_repetition" hint="more likely"
def penalise_repetition(logits, ids, penalty):
    found = logits.gather(1, ids)
    return logits.scatter(1, ids, torch.where(found > 0, found * penalty, found / penalty))


# %% wrong="subtracted" exercise="penalise_repetition" hint="The penalty is subtracted"
def penalise_repetition(logits, ids, penalty):
    return logits.scatter(1, ids, logits.gather(1, ids) - penalty)


# %% wrong="once per occurrence" exercise="penalise_repetition" hint="once per occurrence"
def penalise_repetition(logits, ids, penalty):
    result = logits.clone()
    for b in range(len(ids)):
        for i in ids[b].tolist():
            result[b, i] = result[b, i] / penalty if result[b, i] > 0 else result[b, i] * penalty
    return result


# %% wrong="for what any row said" exercise="penalise_repetition" hint="what the others said"
def penalise_repetition(logits, ids, penalty):
    result = logits.clone()
    said = ids.unique()
    result[:, said] = torch.where(result[:, said] > 0, result[:, said] / penalty, result[:, said] * penalty)
    return result


# %% wrong="all tokens" exercise="penalise_repetition" hint="All tokens are penalised"
def penalise_repetition(logits, ids, penalty):
    return torch.where(logits > 0, logits / penalty, logits * penalty)


# %% wrong="only the last token" exercise="penalise_repetition" hint="Only the last token"
def penalise_repetition(logits, ids, penalty):
    last = ids[:, -1:]
    found = logits.gather(1, last)
    return logits.scatter(1, last, torch.where(found > 0, found / penalty, found * penalty))


# %% wrong="forbidden" exercise="penalise_repetition" hint="is forbidden"
def penalise_repetition(logits, ids, penalty):
    return logits.scatter(1, ids, -math.inf)


# %% wrong="only the gathered ones" exercise="penalise_repetition" hint="Logits came back for ids only"
def penalise_repetition(logits, ids, penalty):
    found = logits.gather(1, ids)
    return torch.where(found > 0, found / penalty, found * penalty)


# %% wrong="in place" exercise="penalise_repetition" hint="neither logits nor ids are written to"
def penalise_repetition(logits, ids, penalty):
    found = logits.gather(1, ids)
    return logits.scatter_(1, ids, torch.where(found > 0, found / penalty, found * penalty))


# %% right="a mask of what occurs" exercise="penalise_repetition"
def penalise_repetition(logits, ids, penalty):
    occurs = torch.zeros_like(logits, dtype=torch.bool).scatter(1, ids, True)
    return torch.where(occurs, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


# %% right="sets in a loop" exercise="penalise_repetition"
def penalise_repetition(logits, ids, penalty):
    result = logits.clone()
    for b, said in enumerate(ids.tolist()):
        for i in set(said):
            result[b, i] = (
                min(logits[b, i] / penalty, logits[b, i] * penalty)
                if penalty >= 1
                else max(logits[b, i] / penalty, logits[b, i] * penalty)
            )
    return result


# %% right="one-hot" exercise="penalise_repetition"
def penalise_repetition(logits, ids, penalty):
    occurs = nn.functional.one_hot(ids, logits.shape[1]).amax(1).to(logits.dtype)
    factor = torch.where(logits > 0, 1 / penalty, penalty).to(logits.dtype)
    return logits * (occurs * factor + (1 - occurs))


# %% right="indexing" exercise="penalise_repetition"
def penalise_repetition(logits, ids, penalty):
    rows = torch.arange(len(ids))[:, None]
    result = logits.clone()
    result[rows, ids] = torch.where(logits[rows, ids] < 0, logits[rows, ids] * penalty, logits[rows, ids] / penalty)
    return result


# %% wrong="temperature multiplied" exercise="generate" hint="multiplied by the temperature"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits * config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="no temperature" exercise="generate" hint="temperature makes no difference"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="the softmax twice" exercise="generate" hint="take one softmax"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1).softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="always greedy" exercise="generate" hint="Every row got the same token"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if False:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="always drawn" exercise="generate" hint="take the largest"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if True:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="last index of a padded row" exercise="generate" hint="used as an index"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[torch.arange(len(ids)), mask.sum(1) - 1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="no mask" exercise="generate" hint="never told which tokens are real"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, None)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="the mask does not grow" exercise="generate" hint="The mask must grow"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="new tokens are masked" exercise="generate" hint="one column of True longer"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask if prompt_mask is not None else None)[:, -1]
        said = ids if prompt_mask is None else torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.zeros_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="hears only the last token" exercise="generate" hint="hears only the last token"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids[:, -1:], mask[:, -1:])[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="logits at the first position" exercise="generate" hint="logits at the first position"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, 0]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="goes on behind the end" exercise="generate" hint="goes on behind its end token"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="filled with the end token" exercise="generate" hint="filled with eos_id"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.eos_id or 0)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="the end token overwritten" exercise="generate" hint="end token itself is missing"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            ids[:, -1] = chosen.masked_fill(finished, config.pad_id)
            if finished.all():
                break
    return ids


# %% wrong="always max_new_tokens" exercise="generate" hint="Every row had ended, but writing went on"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
    return ids


# %% wrong="stops when the first row ends" exercise="generate" hint="Stop once all rows"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.any():
                break
    return ids


# %% wrong="an end token in the prompt ends the row" exercise="generate" hint="An end token in the prompt ends nothing"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = (ids == config.eos_id).any(1) if config.eos_id is not None else torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="filtered tokens are drawn" exercise="generate" hint="Tokens that were filtered out are drawn"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="no top_p" exercise="generate" hint="top_p makes no difference"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                pass
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="filters before the temperature" exercise="generate" hint="filters come before the temperature"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial((logits / config.temperature).softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="top_p before top_k" exercise="generate" hint="top_p comes before top_k"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="padding penalised" exercise="generate" hint="Padding is penalised"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = ids
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="no penalty" exercise="generate" hint="penalty makes no difference"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="the prompt is not penalised" exercise="generate" hint="Only new tokens are penalised"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        if ids.shape[1] > prompt_ids.shape[1]:
            new = said[:, prompt_ids.shape[1] :]
            logits = penalise_repetition(logits, new, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="torch's own random numbers" exercise="generate" hint="Draws do not come from the generator"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="a generator of its own" exercise="generate" hint="Another seed gives the same text"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=torch.Generator().manual_seed(ids.shape[1]))[
                :, 0
            ]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="one draw for all rows" exercise="generate" hint="Every row got the same token"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = (
                (logits.softmax(1).cumsum(1) < torch.rand(1, generator=generator)).sum(1).clamp(max=logits.shape[1] - 1)
            )
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% wrong="only the new tokens" exercise="generate" hint="begins with the prompts"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids[:, prompt_ids.shape[1] :]


# %% wrong="the penalty where greedy only" exercise="generate" hint="where tokens are drawn too"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    done = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        z = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        z = z if config.do_sample else penalise_repetition(z, said, config.repetition_penalty)
        if config.do_sample:
            z = z / config.temperature
            if config.top_k is not None:
                z = top_k_filter(z, config.top_k)
            if config.top_p is not None:
                z = top_p_filter(z, config.top_p)
            new = torch.multinomial(z.softmax(-1), 1, generator=generator)
        else:
            new = z.argmax(-1, keepdim=True)
        new = torch.where(done[:, None], config.pad_id, new)
        ids = torch.cat([ids, new], 1)
        mask = torch.cat([mask, torch.ones_like(new, dtype=torch.bool)], 1)
        if config.eos_id is not None:
            done = done | (new[:, 0] == config.eos_id)
            if done.all():
                break
    return ids


# %% wrong="the penalty behind the filters" exercise="generate" hint="where tokens are drawn too"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    done = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        z = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        if config.do_sample:
            z = z / config.temperature
            if config.top_k is not None:
                z = top_k_filter(z, config.top_k)
            if config.top_p is not None:
                z = top_p_filter(z, config.top_p)
            z = penalise_repetition(z, said, config.repetition_penalty)
            new = torch.multinomial(z.softmax(-1), 1, generator=generator)
        else:
            z = penalise_repetition(z, said, config.repetition_penalty)
            new = z.argmax(-1, keepdim=True)
        new = torch.where(done[:, None], config.pad_id, new)
        ids = torch.cat([ids, new], 1)
        mask = torch.cat([mask, torch.ones_like(new, dtype=torch.bool)], 1)
        if config.eos_id is not None:
            done = done | (new[:, 0] == config.eos_id)
            if done.all():
                break
    return ids


# %% wrong="seeded where no generator is given" exercise="generate" hint="seed nothing"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    generator = generator or torch.Generator().manual_seed(0)
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    done = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        z = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        z = penalise_repetition(z, said, config.repetition_penalty)
        if config.do_sample:
            z = z / config.temperature
            if config.top_k is not None:
                z = top_k_filter(z, config.top_k)
            if config.top_p is not None:
                z = top_p_filter(z, config.top_p)
            new = torch.multinomial(z.softmax(-1), 1, generator=generator)
        else:
            new = z.argmax(-1, keepdim=True)
        new = torch.where(done[:, None], config.pad_id, new)
        ids = torch.cat([ids, new], 1)
        mask = torch.cat([mask, torch.ones_like(new, dtype=torch.bool)], 1)
        if config.eos_id is not None:
            done = done | (new[:, 0] == config.eos_id)
            if done.all():
                break
    return ids


# %% right="None where nothing is padded" exercise="generate"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask if prompt_mask is not None else None)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% right="Gumbel's trick in place of multinomial" exercise="generate"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids = prompt_ids
    mask = torch.ones_like(ids, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(config.max_new_tokens):
        logits = model(ids, mask)[:, -1]
        said = torch.where(mask, ids, ids[:, -1:])
        logits = penalise_repetition(logits, said, config.repetition_penalty)
        if config.do_sample:
            logits = logits / config.temperature
            if config.top_k is not None:
                logits = top_k_filter(logits, config.top_k)
            if config.top_p is not None:
                logits = top_p_filter(logits, config.top_p)
            chosen = (logits - torch.empty_like(logits).exponential_(generator=generator).log()).argmax(1)
        else:
            chosen = logits.argmax(1)
        chosen = chosen.masked_fill(finished, config.pad_id)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        if config.eos_id is not None:
            finished = finished | (chosen == config.eos_id)
            if finished.all():
                break
    return ids


# %% right="room made beforehand, row by row" exercise="generate"
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    B, T = prompt_ids.shape
    text = torch.full((B, T + config.max_new_tokens), config.pad_id, dtype=torch.long)
    real = torch.ones_like(text, dtype=torch.bool)
    text[:, :T] = prompt_ids
    if prompt_mask is not None:
        real[:, :T] = prompt_mask
    done, length = [False] * B, T
    while length < text.shape[1] and not all(done):
        logits = model(text[:, :length], real[:, :length])[:, -1].clone()
        for b in range(B):
            if done[b]:
                continue
            row = penalise_repetition(
                logits[b : b + 1], text[b : b + 1, :length][real[b : b + 1, :length]][None], config.repetition_penalty
            )
            if config.do_sample:
                row = row / config.temperature
                row = row if config.top_k is None else top_k_filter(row, config.top_k)
                row = row if config.top_p is None else top_p_filter(row, config.top_p)
                text[b, length] = torch.multinomial(row.softmax(1)[0], 1, generator=generator)[0]
            else:
                text[b, length] = row.argmax()
            done[b] = config.eos_id is not None and text[b, length].item() == config.eos_id
        length += 1
    return text[:, :length]


# %% right="a list of columns" exercise="generate"
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    columns = list(prompt_ids.unbind(1))
    mask = prompt_mask if prompt_mask is not None else prompt_ids == prompt_ids
    running = torch.full_like(columns[0], True, dtype=torch.bool)
    for step in range(config.max_new_tokens):
        ids = torch.stack(columns, dim=1)
        z = model(ids, mask=mask)[:, -1, :].float()
        z = penalise_repetition(z, ids.where(mask, ids[:, [-1]]), config.repetition_penalty)
        z = z / config.temperature
        if config.top_k:
            z = top_k_filter(z, config.top_k)
        if config.top_p:
            z = top_p_filter(z, config.top_p)
        if config.do_sample:
            token = torch.multinomial(torch.softmax(z, -1), num_samples=1, generator=generator).squeeze(1)
        else:
            token = torch.argmax(z, dim=-1)
        columns.append(torch.where(running, token, torch.full_like(token, config.pad_id)))
        mask = nn.functional.pad(mask, (0, 1), value=True)
        if config.eos_id is not None:
            running = running & (token != config.eos_id)
        if not running.any():
            break
    return torch.stack(columns, dim=1)


# %% right="drawn from the running sum, row by row" exercise="generate"
def _choose(z, config, generator):
    if not config.do_sample:
        return z.max(1).indices
    z = z / config.temperature
    z = z if config.top_k is None else top_k_filter(z, config.top_k)
    z = z if config.top_p is None else top_p_filter(z, config.top_p)
    c = torch.softmax(z.double(), 1).cumsum(1)
    u = torch.rand(len(z), 1, generator=generator, dtype=torch.float64) * c[:, -1:]
    return torch.searchsorted(c, u, right=True).squeeze(1).clamp(max=z.shape[1] - 1)


@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    B, T = prompt_ids.shape
    out = torch.full((B, T + config.max_new_tokens), config.pad_id, dtype=torch.long)
    out[:, :T] = prompt_ids
    real = torch.ones(B, T + config.max_new_tokens, dtype=torch.bool)
    if prompt_mask is not None:
        real[:, :T] = prompt_mask
    finished = [False] * B
    n = T
    while n < T + config.max_new_tokens and not all(finished):
        logits = model(out[:, :n], None if prompt_mask is None else real[:, :n])[:, -1, :]
        rows = [
            penalise_repetition(logits[b : b + 1], out[b : b + 1, :n][:, real[b, :n]], config.repetition_penalty)
            for b in range(B)
        ]
        chosen = _choose(torch.cat(rows), config, generator)
        for b in range(B):
            if not finished[b]:
                out[b, n] = chosen[b]
                finished[b] = config.eos_id is not None and int(chosen[b]) == config.eos_id
        n += 1
    return out[:, :n]


# %% right="the largest after exponential noise" exercise="generate"
@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    ids, mask = prompt_ids.clone(), prompt_mask
    ended = torch.zeros(ids.shape[0], 1, dtype=torch.bool)
    for step in range(config.max_new_tokens):
        z = model(ids, mask)[:, -1]
        said = ids if mask is None else ids.masked_scatter(~mask, ids[:, -1:].expand_as(ids)[~mask])
        z = penalise_repetition(z, said, config.repetition_penalty)
        if config.do_sample:
            z = z / config.temperature
            for f, how in ((top_k_filter, config.top_k), (top_p_filter, config.top_p)):
                z = f(z, how) if how is not None else z
            e = torch.empty(z.shape, dtype=torch.float64).exponential_(generator=generator)
            z = z - e.log()
        new = z.argmax(1, keepdim=True).masked_fill(ended, config.pad_id)
        ids = torch.hstack([ids, new])
        mask = None if mask is None else torch.nn.functional.pad(mask, (0, 1), value=True)
        if config.eos_id is not None:
            ended |= new.eq(config.eos_id) & ~ended
            if bool(ended.all()):
                return ids
    return ids


# %% wrong="no length penalty" exercise="beam_search" hint="length penalty makes no difference"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item(), texts[i]))
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item(), live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="multiplied by the length" exercise="beam_search" hint="The score is the sum / n"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() * n_new**length_penalty, texts[i]))
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() * max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="the prompt counted" exercise="beam_search" hint="prompt's tokens are counted"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / (len(prompt_ids) + n_new) ** length_penalty, texts[i]))
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() / (len(prompt_ids) + max_new_tokens) ** length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="always the mean" exercise="beam_search" hint="Always the mean"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / n_new, texts[i]))
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="goes on behind the end" exercise="beam_search" hint="goes on behind its end token"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        live, sums = texts[:n_beams], best[:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="what has ended is forgotten" exercise="beam_search" hint="What has ended is forgotten"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            pass
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="the first end wins" exercise="beam_search" hint="stops at the first end token"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / n_new**length_penalty, texts[i]))
        if finished:
            return finished[0][1]
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="stops when n_beams have ended" exercise="beam_search" hint="stops when n_beams hypotheses have ended"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / n_new**length_penalty, texts[i]))
        if len(finished) >= n_beams:
            return max(finished, key=lambda pair: pair[0])[1]
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="a finished one takes a place" exercise="beam_search" hint="takes a live one's place"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / n_new**length_penalty, texts[i]))
        live, sums = texts[:n_beams][~ended[:n_beams]], best[:n_beams][~ended[:n_beams]]
        if not len(live):
            break
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="what still lives does not count" exercise="beam_search" hint="still alive at the end counts too"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / n_new**length_penalty, texts[i]))
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live) if not finished else 0):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="greedy" exercise="beam_search" hint="That is the greedy text"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / n_new**length_penalty, texts[i]))
        live, sums = texts[~ended][:1], best[~ended][:1]
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="n_beams copies of the prompt" exercise="beam_search" hint="greedy text"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids.repeat(n_beams, 1), torch.zeros(n_beams), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / n_new**length_penalty, texts[i]))
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="histories stay where they were" exercise="beam_search" hint="whose whole text goes along"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[torch.arange(len(order)) % len(live)], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / n_new**length_penalty, texts[i]))
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="plain logits added up" exercise="beam_search" hint="Logits are added up"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1]
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / n_new**length_penalty, texts[i]))
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="only the last token's probability" exercise="beam_search" hint="highest sum of log-probabilities"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] * 0 + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / n_new**length_penalty, texts[i]))
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="all beams come back" exercise="beam_search" hint="one text"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / n_new**length_penalty, texts[i]))
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return torch.stack([text for _, text in finished if len(text) == len(finished[-1][1])])


# %% wrong="without the prompt" exercise="beam_search" hint="begins with the prompt"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / n_new**length_penalty, texts[i]))
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1][len(prompt_ids) :]


# %% right="lists in plain Python" exercise="beam_search"
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    prompt, live, finished = prompt_ids.tolist(), [(0.0, [])], []
    for _ in range(max_new_tokens):
        candidates = []
        for total, new in live:
            row = torch.log_softmax(model(torch.tensor([prompt + new]), None)[0, -1].double(), -1).tolist()
            candidates.extend((total + row[token], new + [token]) for token in range(len(row)))
        candidates.sort(key=lambda pair: pair[0], reverse=True)
        finished += [c for c in candidates[:n_beams] if c[1][-1] == eos_id]
        live = [c for c in candidates if c[1][-1] != eos_id][:n_beams]
    total, new = max(finished + live, key=lambda pair: pair[0] / len(pair[1]) ** length_penalty)
    return torch.tensor(prompt + new)


# %% right="topk of twice as many" exercise="beam_search"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.topk(min(2 * n_beams, totals.numel()))
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / n_new**length_penalty, texts[i]))
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% right="n_beams rows from the start, all but one impossible" exercise="beam_search"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, finished = prompt_ids.expand(n_beams, -1), torch.tensor([0.0] + [-1e9] * (n_beams - 1)), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs = model(live, None)[:, -1].log_softmax(1)
        V = log_probs.shape[1]
        totals = (sums[:, None] + log_probs).flatten()
        best, order = totals.sort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], dim=1)
        ended = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for i in range(min(n_beams, len(texts))):
            if ended[i]:
                finished.append((best[i].item() / n_new**length_penalty, texts[i]))
        live, sums = texts[~ended][:n_beams], best[~ended][:n_beams]
    for i in range(len(live)):
        finished.append((sums[i].item() / max_new_tokens**length_penalty, live[i]))
    return max(finished, key=lambda pair: pair[0])[1]


# %% right="stops when nothing better can come" exercise="beam_search"
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, sums, best_score, best_text = prompt_ids.unsqueeze(0), torch.zeros(1, 1), -math.inf, None
    for n in range(1, max_new_tokens + 1):
        logits = model(live, torch.ones_like(live, dtype=torch.bool))[:, -1, :]
        totals = sums + logits - logits.logsumexp(-1, keepdim=True)
        V = totals.shape[1]
        ranking = totals.reshape(-1).argsort(descending=True)
        keep, kept = [], []
        for rank, i in enumerate(ranking.tolist()):
            text = torch.cat([live[i // V], torch.tensor([i % V])])
            if i % V == eos_id:
                score = totals[i // V, i % V].item() / n**length_penalty
                if rank < n_beams and score > best_score:
                    best_score, best_text = score, text
            elif len(keep) < n_beams:
                keep.append(text)
                kept.append(totals[i // V, i % V])
        live, sums = torch.stack(keep), torch.stack(kept)[:, None]
        if sums.max().item() / max_new_tokens**length_penalty < best_score:
            return best_text
    if sums[0].item() / max_new_tokens**length_penalty > best_score:
        return live[0]
    return best_text


# %% wrong="a cache that forgets" exercise="CachedAttention" hint="cache forgets the old tokens"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q, k, v, mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k[:, :, -T:], v[:, :, -T:])


# %% wrong="the cache ignored" exercise="CachedAttention" hint="The cache makes no difference"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            pass
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q, k, v, mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k, v)


# %% wrong="the triangle not moved" exercise="CachedAttention" hint="begins at the first old token"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril()
        mixed, _ = scaled_dot_product(q, k, v, mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k, v)


# %% wrong="no mask at all" exercise="CachedAttention" hint="Nothing is hidden"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q, k, v)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k, v)


# %% wrong="a mask only without a cache" exercise="CachedAttention" hint="New tokens see each other"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q, k, v, mask if cache is None else None)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k, v)


# %% wrong="old ones behind the new" exercise="CachedAttention" hint="stand in front of the old"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([k, cache[0]], dim=2), torch.cat([v, cache[1]], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q, k, v, mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k, v)


# %% wrong="values first" exercise="CachedAttention" hint="keys, then values"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([cache[1], k], dim=2), torch.cat([cache[0], v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q, k, v, mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (v, k)


# %% wrong="axes [B,S,H,K]" exercise="CachedAttention" hint="heads come before positions"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([cache[0].transpose(1, 2), k], dim=2), torch.cat([cache[1].transpose(1, 2), v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q, k, v, mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k.transpose(1, 2), v.transpose(1, 2))


# %% wrong="only the output comes back" exercise="CachedAttention" hint="forward returns two things"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q, k, v, mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


# %% wrong="state in self" exercise="CachedAttention" hint="Keep no state in self"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([self.old[0], k], dim=2), torch.cat([self.old[1], v], dim=2)
        self.old = k, v
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q, k, v, mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k, v)


# %% wrong="without the last map" exercise="CachedAttention" hint="out_proj is missing"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q, k, v, mask)
        return mixed.transpose(1, 2).flatten(2), (k, v)


# %% wrong="heads merged without a swap" exercise="CachedAttention" hint="without bringing"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q, k, v, mask)
        return self.out_proj(mixed.reshape(x.shape)), (k, v)


# %% wrong="heads take turns" exercise="CachedAttention" hint="Heads take turns"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (-1, self.n_heads)).permute(0, 3, 1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q, k, v, mask)
        return self.out_proj(mixed.permute(0, 2, 3, 1).flatten(2)), (k, v)


# %% wrong="the cache detached" exercise="CachedAttention" hint="cached ones"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([cache[0].detach(), k], dim=2), torch.cat([cache[1].detach(), v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q, k, v, mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k, v)


# %% wrong="one fused projection" exercise="CachedAttention" hint="must be those of q_proj"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.qkv, self.out_proj = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = (self.split(y) for y in self.qkv(x).chunk(3, dim=2))
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q, k, v, mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k, v)


# %% wrong="divided twice" exercise="CachedAttention" hint="root of K twice"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed, _ = scaled_dot_product(q / q.shape[3] ** 0.5, k, v, mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k, v)


# %% right="PyTorch's kernel" exercise="CachedAttention"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k, v)


# %% right="positions compared" exercise="CachedAttention"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def split(self, y):
        return y.unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def forward(self, x, cache=None):
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        T, S = q.shape[2], k.shape[2]
        mask = torch.arange(S - T, S)[:, None] >= torch.arange(S)
        mixed, _ = scaled_dot_product(q, k, v, mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k, v)


# %% right="einsum and reshape" exercise="CachedAttention"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self, name, nn.Linear(d_model, d_model))
        self.heads, self.width = n_heads, d_model // n_heads

    def forward(self, x, cache=None):
        B, T, D = x.shape

        def heads(y):
            return y.reshape(B, T, self.heads, self.width).permute(0, 2, 1, 3).contiguous()

        q, k, v = heads(self.q_proj(x)), heads(self.k_proj(x)), heads(self.v_proj(x))
        old = 0
        if cache is not None:
            old_k, old_v = cache
            old = old_k.shape[2]
            k, v = torch.cat((old_k, k), 2), torch.cat((old_v, v), 2)
        scores = torch.einsum("bhtk,bhsk->bhts", q, k) / math.sqrt(self.width)
        hidden = torch.ones(T, old + T, dtype=torch.bool).triu(old + 1)
        weights = scores.masked_fill(hidden, float("-inf")).softmax(dim=-1)
        mixed = torch.einsum("bhts,bhsk->bthk", weights, v)
        return self.out_proj(mixed.reshape(B, T, D)), (k, v)


# %% right="token by token" exercise="CachedAttention"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def forward(self, x, cache=None):
        outs = []
        for token in x.split(1, dim=1):
            q, k, v = (
                torch.stack(p(token).chunk(self.n_heads, dim=-1), dim=1)
                for p in (self.q_proj, self.k_proj, self.v_proj)
            )
            cache = (k, v) if cache is None else [torch.cat(pair, dim=2) for pair in zip(cache, (k, v))]
            mixed, _ = scaled_dot_product(q, cache[0], cache[1])
            outs.append(self.out_proj(torch.cat(mixed.unbind(1), dim=-1)))
        return torch.cat(outs, dim=1), tuple(cache)


# %% right="the triangle kept as a buffer" exercise="CachedAttention"
class CachedAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))
        self.register_buffer("triangle", torch.ones(256, 256, dtype=torch.bool).tril())

    def forward(self, x, cache=None):
        q, k, v = (
            p(x).unflatten(2, (self.n_heads, -1)).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj)
        )
        if cache is not None:
            k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
        T, S = x.shape[1], k.shape[2]
        mixed, _ = scaled_dot_product(q, k, v, self.triangle[S - T : S, :S])
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), (k, v)


# %% wrong="ends below the beams count too" exercise="beam_search" hint="a text that ends further down"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):

    live = prompt_ids[None]
    sums = torch.zeros(1)
    done = []
    for n in range(1, max_new_tokens + 1):
        lp = model(live, None)[:, -1].log_softmax(-1)
        total = sums[:, None] + lp
        V = total.shape[1]
        values, index = total.flatten().sort(descending=True)
        ext = torch.cat([live[index // V], (index % V)[:, None]], dim=1)
        if eos_id is not None:
            for v, e in zip(values[: 2 * n_beams], ext[: 2 * n_beams], strict=True):
                if e[-1] == eos_id:
                    done.append((v.item() / n**length_penalty, e))
            keep = ext[:, -1] != eos_id
            values, ext = values[keep], ext[keep]
        live, sums = ext[:n_beams], values[:n_beams]
        if len(live) == 0:
            break
    for v, e in zip(sums, live, strict=True):
        done.append((v.item() / n**length_penalty, e))
    return max(done, key=lambda d: d[0])[1]


# %% wrong="another default of the length penalty" exercise="beam_search" hint="Where length_penalty is not given"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=0.0, eos_id=None):
    T = len(prompt_ids)
    live, sums, finished = prompt_ids[None], torch.zeros(1), []
    for _ in range(max_new_tokens):
        z = model(live, None)[:, -1].log_softmax(-1)
        V = z.shape[1]
        table = (sums.to(z.dtype)[:, None] + z).flatten()
        order = table.argsort(descending=True)
        texts = torch.cat([live[order // V], (order % V)[:, None]], 1)
        scores = table[order]
        ends = texts[:, -1] == eos_id if eos_id is not None else torch.zeros(len(texts), dtype=torch.bool)
        for text, score, end in zip(texts[:n_beams], scores[:n_beams], ends[:n_beams]):
            if end:
                finished.append((float(score) / (len(text) - T) ** length_penalty, text))
        live, sums = texts[~ends][:n_beams], scores[~ends][:n_beams]
        if len(live) == 0:
            break
    finished += [(float(s) / (len(t) - T) ** length_penalty, t) for t, s in zip(live, sums)]
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="p = 1 left to a running sum" exercise="top_p_filter" hint="may reach 1 before the last token"
def top_p_filter(logits, p):
    probs = logits.softmax(-1)
    sp, order = probs.sort(-1, descending=True)
    n = (sp.cumsum(-1) < p).sum(-1) + 1
    rank = order.argsort(-1)
    return torch.where(rank < n[:, None], logits, -math.inf)


# %% right="pairwise comparison, no sort" exercise="top_p_filter"
def top_p_filter(logits, p):
    if p == 1:
        return logits.clone()
    q = logits.softmax(1)
    more = torch.einsum("bi,bji->bj", q, (q[:, None, :] > q[:, :, None]).to(q.dtype))
    return torch.where(more < p, logits, torch.full_like(logits, -math.inf))


# %% wrong="probabilities multiplied" exercise="beam_search" hint="Probabilities are multiplied"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    live, finished = [(torch.tensor(1.0), prompt_ids.tolist())], []
    for step in range(1, max_new_tokens + 1):
        probs = model(torch.tensor([ids for _, ids in live]), None)[:, -1].softmax(-1)
        longer = [(p * q, [*ids, v]) for (p, ids), row in zip(live, probs) for v, q in enumerate(row)]
        longer.sort(key=lambda pair: -pair[0])
        finished += [(p.log() / step**length_penalty, ids) for p, ids in longer[:n_beams] if ids[-1] == eos_id]
        live = [pair for pair in longer if pair[1][-1] != eos_id][:n_beams]
    finished += [(p.log() / max_new_tokens**length_penalty, ids) for p, ids in live]
    return torch.tensor(max(finished, key=lambda pair: pair[0])[1])


# %% right="each row by itself, unpadded" exercise="generate"
def one(model, row, config, generator):
    start = len(row)
    ids = row[None]
    for _ in range(config.max_new_tokens):
        z = penalise_repetition(model(ids, None)[:, -1], ids, config.repetition_penalty)
        if not config.do_sample:
            t = z.argmax(1, keepdim=True)
        else:
            z = z / config.temperature
            z = z if config.top_k is None else top_k_filter(z, config.top_k)
            z = z if config.top_p is None else top_p_filter(z, config.top_p)
            t = torch.multinomial(torch.softmax(z, 1), 1, generator=generator)
        ids = torch.cat((ids, t), dim=1)
        if config.eos_id is not None and t.item() == config.eos_id:
            break
    return ids[0, start:]


@torch.no_grad()
def generate(model, prompt_ids, config, generator=None, prompt_mask=None):
    mask = torch.ones_like(prompt_ids).bool() if prompt_mask is None else prompt_mask
    tails = [one(model, row[m], config, generator) for row, m in zip(prompt_ids, mask)]
    tail = nn.utils.rnn.pad_sequence(tails, batch_first=True, padding_value=config.pad_id)
    return torch.cat([prompt_ids, tail], 1)


# %% wrong="end token 0 taken for none" exercise="generate" hint="taken for none"
@torch.no_grad()
def generate(
    model: Callable,
    prompt_ids: torch.Tensor,
    config: GenerationConfig,
    generator: torch.Generator | None = None,
    prompt_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    ### BEGIN SOLUTION
    ids_BT = prompt_ids
    mask_BT = torch.ones_like(ids_BT, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished_B = torch.zeros(len(ids_BT), dtype=torch.bool, device=ids_BT.device)
    for _ in range(config.max_new_tokens):
        said_BT = torch.where(mask_BT, ids_BT, ids_BT[:, -1:])  # in place of padding the last token, which is real
        logits_BV = penalise_repetition(model(ids_BT, mask_BT)[:, -1], said_BT, config.repetition_penalty)
        if config.do_sample:
            logits_BV = logits_BV / config.temperature
            if config.top_k is not None:
                logits_BV = top_k_filter(logits_BV, config.top_k)
            if config.top_p is not None:
                logits_BV = top_p_filter(logits_BV, config.top_p)
            chosen_B = torch.multinomial(logits_BV.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen_B = logits_BV.argmax(1)
        chosen_B = torch.where(finished_B, config.pad_id, chosen_B)
        ids_BT = torch.cat([ids_BT, chosen_B[:, None]], dim=1)
        mask_BT = torch.cat([mask_BT, torch.ones_like(mask_BT[:, :1])], dim=1)
        if config.eos_id:
            finished_B = finished_B | (chosen_B == config.eos_id)
            if finished_B.all():
                break
    return ids_BT
    ### END SOLUTION


# %% wrong="end token 0 taken for none" exercise="beam_search" hint="taken for none"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    beams = [(0.0, prompt_ids)]
    finished = []
    for n in range(1, max_new_tokens + 1):
        if not beams:
            break
        logp = model(torch.stack([ids for _, ids in beams]), None)[:, -1].double().log_softmax(-1)
        scores = torch.tensor([[s] for s, _ in beams]).double() + logp
        order = scores.flatten().sort(descending=True).indices.tolist()
        live = []
        for rank, flat in enumerate(order):
            b, v = divmod(flat, logp.shape[1])
            total = scores[b, v].item()
            ids = torch.cat([beams[b][1], torch.tensor([v])])
            if eos_id and v == eos_id:
                if rank < n_beams:
                    finished.append((total / n**length_penalty, ids))
            elif len(live) < n_beams:
                live.append((total, ids))
        beams = live
    finished += [(total / max_new_tokens**length_penalty, ids) for total, ids in beams]
    return max(finished, key=lambda pair: pair[0])[1]


# %% wrong="only the n_beams best behind each text" exercise="beam_search" hint="texts live on"
@torch.no_grad()
def beam_search(model, prompt_ids, n_beams, max_new_tokens, length_penalty=1.0, eos_id=None):
    beams = [(0.0, prompt_ids)]
    finished = []
    for n in range(1, max_new_tokens + 1):
        if not beams:
            break
        logp = model(torch.stack([ids for _, ids in beams]), None)[:, -1].double().log_softmax(-1)
        scores = torch.tensor([[s] for s, _ in beams]).double() + logp
        order = scores.flatten().sort(descending=True).indices.tolist()
        live = []
        top = logp.topk(min(n_beams, logp.shape[1])).indices
        order = [f for f in order if (f % logp.shape[1]) in top[f // logp.shape[1]]]
        for rank, flat in enumerate(order):
            b, v = divmod(flat, logp.shape[1])
            total = scores[b, v].item()
            ids = torch.cat([beams[b][1], torch.tensor([v])])
            if v == eos_id:
                if rank < n_beams:
                    finished.append((total / n**length_penalty, ids))
            elif len(live) < n_beams:
                live.append((total, ids))
        beams = live
    finished += [(total / max_new_tokens**length_penalty, ids) for total, ids in beams]
    return max(finished, key=lambda pair: pair[0])[1]
