# %% wrong="not divided at all" exercise="attention_scores" hint="or they grow with the width"
def attention_scores(query, key):
    return query @ key.transpose(-2, -1)


# %% wrong="divided by K" exercise="attention_scores" hint="not by K itself"
def attention_scores(query, key):
    return query @ key.transpose(-2, -1) / query.shape[-1]


# %% wrong="root of the model width" exercise="attention_scores" hint="root of the whole model's width"
def attention_scores(query, key):
    B, H, T, K = query.shape
    return query @ key.transpose(-2, -1) / math.sqrt(H * K)


# %% wrong="root of the number of heads" exercise="attention_scores" hint="root of the number of heads"
def attention_scores(query, key):
    return query @ key.transpose(-2, -1) / math.sqrt(query.shape[1])


# %% wrong="root of the number of keys" exercise="attention_scores" hint="divide by the square root of K, the last axis"
def attention_scores(query, key):
    return query @ key.transpose(-2, -1) / math.sqrt(key.shape[-2])


# %% wrong="multiplied by the root" exercise="attention_scores" hint="so divide by it"
def attention_scores(query, key):
    return query @ key.transpose(-2, -1) * math.sqrt(query.shape[-1])


# %% wrong="keys first" exercise="attention_scores" hint="Rows and columns have changed places"
def attention_scores(query, key):
    return key @ query.transpose(-2, -1) / math.sqrt(query.shape[-1])


# %% wrong=".T turns all the axes round" exercise="attention_scores" hint="B and H are batch axes"
def attention_scores(query, key):
    return torch.einsum("bhtk,bhsk->bhts", query, key.flip(0)) / math.sqrt(query.shape[-1])


# %% wrong="summed over the heads too" exercise="attention_scores" hint="only K is summed over"
def attention_scores(query, key):
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    return scores.sum(1, keepdim=True).expand_as(scores)


# %% wrong="cosine instead of the dot product" exercise="attention_scores" hint="their dot product divided by the square root"
def attention_scores(query, key):
    query = query / query.norm(dim=-1, keepdim=True)
    key = key / key.norm(dim=-1, keepdim=True)
    return query @ key.transpose(-2, -1)


# %% wrong="scales the query in place" exercise="attention_scores" hint="no writing into query or key"
def attention_scores(query, key):
    with torch.no_grad():
        query /= math.sqrt(query.shape[-1])
    return query @ key.transpose(-2, -1)


# %% wrong="always float32" exercise="attention_scores" hint="a result keeps the dtype of the inputs"
def attention_scores(query, key):
    return (query.float() @ key.float().transpose(-2, -1)) / math.sqrt(query.shape[-1])


# %% wrong="detached" exercise="attention_scores" hint="no .detach()"
def attention_scores(query, key):
    return query.detach() @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])


# %% wrong="transposed where T = S" exercise="attention_scores" hint="Rows and columns have changed places"
def attention_scores(query, key):
    return (key @ query.transpose(-2, -1) if key.shape == query.shape else query @ key.transpose(-2, -1)) / math.sqrt(
        query.shape[-1]
    )


# %% wrong="a view of keys that must be contiguous" exercise="attention_scores" hint="Each text and each head is a world of its own"
def attention_scores(query, key):
    return (
        query
        @ key.view(-1, *key.shape[2:]).transpose(-2, -1).view(key.shape[0], key.shape[1], key.shape[3], key.shape[2])
        / math.sqrt(query.shape[-1])
    )


# %% wrong="the whole part of the root" exercise="attention_scores" hint="the last axis of the query"
def attention_scores(query, key):
    return query @ key.transpose(-2, -1) / math.isqrt(query.shape[-1])


# %% wrong="other names for query and key" exercise="attention_scores" hint="the names of the parameters"
def attention_scores(q, k):
    return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])


# %% right="einsum" exercise="attention_scores"
def attention_scores(query, key):
    return torch.einsum("bhtk,bhsk->bhts", query, key) * query.shape[-1] ** -0.5


# %% right="loops over queries and keys" exercise="attention_scores"
def attention_scores(query, key):
    rows = []
    for t in range(query.shape[2]):
        columns = [(query[:, :, t] * key[:, :, s]).sum(-1) for s in range(key.shape[2])]
        rows.append(torch.stack(columns, -1))
    return torch.stack(rows, 2) / math.sqrt(query.size(-1))


# %% right="each side scaled by the fourth root" exercise="attention_scores"
def attention_scores(query, key):
    root = query.shape[-1] ** 0.25
    return torch.matmul(query / root, (key / root).permute(0, 1, 3, 2))


# %% right="broadcast and summed" exercise="attention_scores"
def attention_scores(query, key):
    return (query.unsqueeze(3) * key.unsqueeze(2)).sum(-1) / query.new_tensor(query.shape[-1]).sqrt()


# %% right="vmap over texts and heads" exercise="attention_scores"
def attention_scores(query, key):
    one = lambda q, k: torch.mm(q, k.t()) / q.shape[1] ** (1 / 2)
    return torch.vmap(torch.vmap(one))(query, key)


# %% right="both scaled by the fourth root" exercise="attention_scores"
def attention_scores(query, key):
    r = query.shape[-1] ** 0.25
    return torch.matmul(query / r, (key / r).mT)


# %% wrong="softmax over the queries" exercise="masked_softmax" hint="runs over the queries"
def masked_softmax(scores, mask=None):
    if mask is None:
        return scores.softmax(dim=-2)
    weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=-2)
    return weights.masked_fill(~mask, 0.0)


# %% wrong="mask turned round" exercise="masked_softmax" hint="The mask is turned round"
def masked_softmax(scores, mask=None):
    if mask is None:
        return scores.softmax(dim=-1)
    weights = scores.masked_fill(mask, torch.finfo(scores.dtype).min).softmax(dim=-1)
    return weights.masked_fill(mask, 0.0)


# %% wrong="mask after the softmax" exercise="masked_softmax" hint="The mask comes too late"
def masked_softmax(scores, mask=None):
    weights = scores.softmax(dim=-1)
    return weights if mask is None else weights * mask


# %% wrong="hidden scores set to -10" exercise="masked_softmax" hint="-10 is not small enough"
def masked_softmax(scores, mask=None):
    if mask is not None:
        scores = scores.masked_fill(~mask, -10.0)
    return scores.softmax(dim=-1)


# %% wrong="10 taken away from hidden scores" exercise="masked_softmax" hint="taking 10 away"
def masked_softmax(scores, mask=None):
    if mask is not None:
        scores = scores - 10.0 * ~mask
    return scores.softmax(dim=-1)


# %% wrong="hidden scores set to zero" exercise="masked_softmax" hint="exp(0) is 1"
def masked_softmax(scores, mask=None):
    return (scores if mask is None else scores * mask).softmax(dim=-1)


# %% wrong="empty rows become NaN" exercise="masked_softmax" hint="not NaN"
def masked_softmax(scores, mask=None):
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-1)


# %% wrong="empty rows share out evenly" exercise="masked_softmax" hint="shares its weight out evenly"
def masked_softmax(scores, mask=None):
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(dim=-1)


# %% wrong="a number added instead of put in" exercise="masked_softmax" hint="replace hidden scores instead of adding"
def masked_softmax(scores, mask=None):
    if mask is None:
        return scores.softmax(dim=-1)
    return (scores + ~mask * -1e9).softmax(dim=-1) * mask


# %% wrong="exponentials overflow" exercise="masked_softmax" hint="exp(10000) overflows"
def masked_softmax(scores, mask=None):
    shares = scores.exp()
    if mask is not None:
        shares = shares.masked_fill(~mask, 0.0)
    total = shares.sum(-1, keepdim=True)
    return shares / total.masked_fill(total == 0, 1.0)


# %% wrong="maximum taken over hidden scores too" exercise="masked_softmax" hint="replace hidden scores"
def masked_softmax(scores, mask=None):
    if mask is None:
        return scores.softmax(-1)
    shares = (scores - scores.amax(-1, keepdim=True)).exp() * mask
    total = shares.sum(-1, keepdim=True)
    return shares / total.masked_fill(total == 0, 1.0)


# %% wrong="NaN repaired in the value, not in the gradient" exercise="masked_softmax" hint="Repairing a NaN afterwards"
def masked_softmax(scores, mask=None):
    if mask is None:
        return scores.softmax(-1)
    hidden = torch.zeros_like(scores).masked_fill(~mask, float("-inf"))
    scores = torch.where(scores.abs() < 1e29, scores, torch.zeros_like(scores))
    return (scores + hidden).softmax(-1).nan_to_num(0.0)


# %% wrong="writes into the scores" exercise="masked_softmax" hint="Do not write into scores or mask"
def masked_softmax(scores, mask=None):
    if mask is None:
        return scores.softmax(-1)
    scores.data.masked_fill_(~mask, -1e30)
    return scores.softmax(-1) * mask


# %% wrong="a row with anything hidden is wiped out" exercise="masked_softmax" hint="Hide scores before the softmax"
def masked_softmax(scores, mask=None):
    if mask is None:
        return scores.softmax(-1)
    return scores.masked_fill(~mask, -1e30).softmax(-1) * mask.all(-1, keepdim=True)


# %% wrong="divided by a sum with a little added" exercise="masked_softmax" hint="adds up to 1"
def masked_softmax(scores, mask=None):
    mask = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
    scores = scores.masked_fill(~mask, -1e30)
    shares = (scores - scores.amax(-1, keepdim=True)).exp() * mask
    return shares / (shares.sum(-1, keepdim=True) + 1e-3)


# %% wrong="a square mask transposed" exercise="masked_softmax" hint="not even where T = S"
def masked_softmax(scores, mask=None):
    if mask is None:
        return scores.softmax(dim=-1)
    mask = (
        mask.expand(*scores.shape)
        if mask.shape[-1] != scores.shape[-2]
        else mask.transpose(-1, -2).expand(scores.shape)
    )
    w = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim=-1)
    return w.masked_fill(~mask, 0.0)


# %% wrong="no gradient without a mask" exercise="masked_softmax" hint="Without a mask no gradient comes back"
def masked_softmax(scores, mask=None):
    if mask is None:
        return scores.detach().softmax(dim=-1)
    w = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim=-1)
    return w.masked_fill(~mask, 0.0)


# %% wrong="float32 without a mask" exercise="masked_softmax" hint="The dtype is wrong"
def masked_softmax(scores, mask=None):
    if mask is None:
        return scores.softmax(dim=-1, dtype=torch.float32)
    w = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim=-1)
    return w.masked_fill(~mask, 0.0)


# %% wrong="half precision's minimum" exercise="masked_softmax" hint="a hidden entry may hold any finite number"
def masked_softmax(scores, mask=None):
    if mask is None:
        return scores.softmax(dim=-1)
    w = scores.masked_fill(~mask, torch.finfo(torch.float16).min).softmax(dim=-1)
    return w.masked_fill(~mask, 0.0)


# %% wrong="the maximum of the whole table taken away" exercise="masked_softmax" hint="subtract the maximum"
def masked_softmax(scores, mask=None):
    if mask is None:
        return scores.softmax(dim=-1)
    s = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    e = (s - s.max()).exp() * mask
    return e / e.sum(-1, keepdim=True).clamp(min=1e-30)


# %% wrong="another name for mask" exercise="masked_softmax" hint="keep the names of the parameters"
def masked_softmax(scores, m=None):
    if m is None:
        return scores.softmax(dim=-1)
    w = scores.masked_fill(~m, torch.finfo(scores.dtype).min).softmax(dim=-1)
    return w.masked_fill(~m, 0.0)


# %% right="minus infinity, then NaN repaired" exercise="masked_softmax"
def masked_softmax(scores, mask=None):
    if mask is not None:
        scores = scores.masked_fill(torch.logical_not(mask), float("-inf"))
    return torch.nan_to_num(torch.softmax(scores, dim=-1), nan=0.0)


# %% right="the formula, with the maximum taken away" exercise="masked_softmax"
def masked_softmax(scores, mask=None):
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    visible = torch.where(mask, scores, torch.full_like(scores, torch.finfo(scores.dtype).min))
    shares = torch.exp(visible - visible.max(dim=-1, keepdim=True).values) * mask
    total = shares.sum(dim=-1, keepdim=True)
    return shares / torch.where(total == 0, torch.ones_like(total), total)


# %% right="F.softmax and torch.where" exercise="masked_softmax"
def masked_softmax(scores, mask=None):
    import torch.nn.functional as F

    if mask is None:
        return F.softmax(scores, -1)
    weights = F.softmax(torch.where(mask, scores, scores.new_tensor(-1e38)), dim=-1)
    return torch.where(mask, weights, torch.zeros_like(weights))


# %% right="logsumexp over visible scores" exercise="masked_softmax"
def masked_softmax(scores, mask=None):
    if mask is None:
        return (scores - scores.logsumexp(-1, keepdim=True)).exp()
    mask = mask.expand(scores.shape)
    hidden = scores.masked_fill(~mask, -1e30)
    return (hidden - hidden.logsumexp(-1, keepdim=True)).exp().masked_fill(~mask, 0)


# %% right="row by row over what is visible" exercise="masked_softmax"
def masked_softmax(scores, mask=None):
    if mask is None:
        mask = torch.ones_like(scores).bool()
    m = mask.expand(scores.shape).reshape(-1, scores.shape[-1])
    rows = []
    for row, seen in zip(scores.reshape(-1, scores.shape[-1]), m):
        out = torch.zeros_like(row)
        if seen.any():
            out = out.masked_scatter(seen, torch.softmax(row[seen], 0))
        rows.append(out)
    return torch.stack(rows).reshape(scores.shape)


# %% wrong="no division" exercise="attend" hint="not divided by the square root of K"
def attend(query, key, value, mask=None):
    weights = masked_softmax(query @ key.transpose(-2, -1), mask)
    return weights @ value, weights


# %% wrong="root of the model width" exercise="attend" hint="root of the whole model's width"
def attend(query, key, value, mask=None):
    width = query.shape[1] * query.shape[3]
    weights = masked_softmax(query @ key.transpose(-2, -1) / math.sqrt(width), mask)
    return weights @ value, weights


# %% wrong="softmax over the queries" exercise="attend" hint="The softmax runs over the queries"
def attend(query, key, value, mask=None):
    scores = attention_scores(query, key)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(dim=-2)
    return weights @ value, weights


# %% wrong="keys summed instead of values" exercise="attend" hint="not of the keys"
def attend(query, key, value, mask=None):
    weights = masked_softmax(attention_scores(query, key), mask)
    return weights @ key, weights


# %% wrong="mask forgotten" exercise="attend" hint="The first row of the causal mask shows one key only"
def attend(query, key, value, mask=None):
    weights = masked_softmax(attention_scores(query, key))
    return weights @ value, weights


# %% wrong="mask turned round" exercise="attend" hint="mask is True where a query may see a key"
def attend(query, key, value, mask=None):
    weights = masked_softmax(attention_scores(query, key), None if mask is None else ~mask)
    return weights @ value, weights


# %% wrong="mask on the values" exercise="attend" hint="The first row of the causal mask"
def attend(query, key, value, mask=None):
    weights = masked_softmax(attention_scores(query, key))
    if mask is not None:
        weights = weights * mask
    return weights @ value, weights


# %% wrong="weights averaged over the heads" exercise="attend" hint="weights [B,H,T,S]"
def attend(query, key, value, mask=None):
    weights = masked_softmax(attention_scores(query, key), mask)
    return weights @ value, weights.mean(1)


# %% wrong="weights first" exercise="attend" hint="The two results have changed places"
def attend(query, key, value, mask=None):
    weights = masked_softmax(attention_scores(query, key), mask)
    return weights, weights @ value


# %% wrong="output alone" exercise="attend" hint="Return the pair (output, weights)"
def attend(query, key, value, mask=None):
    return masked_softmax(attention_scores(query, key), mask) @ value


# %% wrong="scores returned for weights" exercise="attend" hint="each row adding up to 1"
def attend(query, key, value, mask=None):
    scores = attention_scores(query, key)
    return masked_softmax(scores, mask) @ value, scores


# %% wrong="averages instead of the weighted sum" exercise="attend" hint="Scores, softmax over the keys"
def attend(query, key, value, mask=None):
    weights = masked_softmax(attention_scores(query, key), mask)
    return weights @ value / value.shape[2], weights


# %% wrong="weights detached" exercise="attend" hint="no .detach()"
def attend(query, key, value, mask=None):
    weights = masked_softmax(attention_scores(query, key), mask).detach()
    return weights @ value, weights


# %% wrong="NaN for a query that sees nothing" exercise="attend" hint="gets zeros"
def attend(query, key, value, mask=None):
    scores = attention_scores(query, key)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(-1)
    return weights @ value, weights


# %% wrong="dropout left on" exercise="attend" hint="Scores, softmax over the keys"
def attend(query, key, value, mask=None):
    weights = masked_softmax(attention_scores(query, key), mask)
    return torch.nn.functional.dropout(weights, 0.1) @ value, weights


# %% wrong="another name for value" exercise="attend" hint="Keep the names of the parameters"
def attend(query, key, v, mask=None):
    weights = masked_softmax(attention_scores(query, key), mask)
    return weights @ v, weights


# %% wrong="causal by itself where T = S" exercise="attend" hint="Scores, softmax over the keys"
def attend(query, key, value, mask=None):
    if mask is None and query.shape[2] == key.shape[2]:
        mask = torch.ones(key.shape[2], key.shape[2], dtype=torch.bool).tril()
    weights = masked_softmax(attention_scores(query, key), mask)
    return weights @ value, weights


# %% wrong="values hidden, weights not" exercise="attend" hint="mask is True where a query may see a key"
def attend(query, key, value, mask=None):
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        pass
    weights = scores.softmax(-1)
    if mask is not None:
        pass
    if mask is not None:
        value = value * mask.expand(scores.shape)[..., 0, :].unsqueeze(-1)
    return weights @ value, weights


# %% right="einsum" exercise="attend"
def attend(query, key, value, mask=None):
    weights = masked_softmax(attention_scores(query, key), mask)
    return torch.einsum("bhts,bhsk->bhtk", weights, value), weights


# %% right="one query at a time" exercise="attend"
def attend(query, key, value, mask=None):
    if mask is not None:
        mask = mask.expand(query.shape[0], query.shape[1], query.shape[2], key.shape[2])
    rows = []
    for t in range(query.shape[2]):
        scores = attention_scores(query[:, :, t : t + 1], key)
        rows.append(masked_softmax(scores, None if mask is None else mask[:, :, t : t + 1]))
    weights = torch.cat(rows, dim=2)
    return torch.matmul(weights, value), weights


# %% right="PyTorch's fused kernel, and the weights by the identity" exercise="attend"
def attend(query, key, value, mask=None):
    from torch.nn.functional import scaled_dot_product_attention

    S = key.shape[2]
    identity = torch.eye(S, dtype=value.dtype).expand(*key.shape[:2], S, S)
    if mask is not None:
        seen = mask.expand(query.shape[0], query.shape[1], query.shape[2], S)
        some = seen.any(-1, keepdim=True)
        weights = scaled_dot_product_attention(query, key, identity, attn_mask=seen | ~some) * some
    else:
        weights = scaled_dot_product_attention(query, key, identity)
    return weights @ value, weights


# %% right="written out, without the functions above" exercise="attend"
def attend(query, key, value, mask=None):
    scores = torch.matmul(query, key.mT).div(query.shape[-1] ** 0.5)
    if mask is not None:
        scores = scores.masked_fill(mask.logical_not(), -torch.inf)
    weights = torch.nn.functional.softmax(scores, dim=-1).nan_to_num(0.0)
    return weights.matmul(value), weights


# %% right="a loop over the keys" exercise="attend"
def attend(query, key, value, mask=None):
    weights = masked_softmax(attention_scores(query, key), mask)
    output = torch.zeros_like(query)
    for s in range(key.shape[2]):
        output = output + weights[..., s : s + 1] * value[:, :, s : s + 1]
    return output, weights


# %% wrong="diagonal hidden" exercise="causal_mask" hint="The diagonal must be True"
def causal_mask(length):
    return torch.ones(length, length, dtype=torch.bool).tril(-1)


# %% wrong="True where hidden" exercise="causal_mask" hint="True is where something may be seen"
def causal_mask(length):
    return torch.ones(length, length, dtype=torch.bool).triu(1)


# %% wrong="upper triangle" exercise="causal_mask" hint="rows are queries, columns are keys"
def causal_mask(length):
    return torch.ones(length, length, dtype=torch.bool).triu()


# %% wrong="one word of the future" exercise="causal_mask" hint="One word of the future can be seen"
def causal_mask(length):
    return torch.ones(length, length, dtype=torch.bool).tril(1)


# %% wrong="ones and zeros" exercise="causal_mask" hint="not numbers"
def causal_mask(length):
    return torch.ones(length, length).tril()


# %% wrong="minus infinity to be added" exercise="causal_mask" hint="not minus infinity"
def causal_mask(length):
    return torch.full((length, length), float("-inf")).triu(1)


# %% wrong="nothing hidden" exercise="causal_mask" hint="where s is at most t"
def causal_mask(length):
    return torch.ones(length, length, dtype=torch.bool)


# %% wrong="axes for texts and heads" exercise="causal_mask" hint="The shape is wrong"
def causal_mask(length):
    return torch.ones(1, 1, length, length, dtype=torch.bool).tril()


# %% wrong="only the last word and itself" exercise="causal_mask" hint="Query t may see t + 1 words"
def causal_mask(length):
    steps = torch.arange(length)
    back = steps[:, None] - steps
    return (back >= 0) & (back <= 1)


# %% wrong="positions in eight bits" exercise="causal_mask" hint="Entry [t,s] is True where s is at most t"
def causal_mask(length):
    t = torch.arange(length).to(torch.int8)
    return t[:, None] >= t[None, :]


# %% wrong="64 positions at most" exercise="causal_mask" hint="The shape is wrong"
def causal_mask(length):
    t = torch.arange(min(length, 64))
    return t[:, None] >= t[None, :]


# %% wrong="another name for length" exercise="causal_mask" hint="Keep the parameter"
def causal_mask(n):
    t = torch.arange(n)
    return t[:, None] >= t[None, :]


# %% right="tril" exercise="causal_mask"
def causal_mask(length):
    return torch.tril(torch.ones(length, length)).bool()


# %% right="not the upper triangle" exercise="causal_mask"
def causal_mask(length):
    return ~torch.triu(torch.ones((length, length), dtype=torch.bool), diagonal=1)


# %% right="two loops" exercise="causal_mask"
def causal_mask(length):
    mask = torch.zeros(length, length, dtype=torch.bool)
    for t in range(length):
        for s in range(t + 1):
            mask[t, s] = True
    return mask


# %% wrong="queries hidden instead of keys" exercise="padding_mask" hint="That hides the queries of the padding"
def padding_mask(lengths, max_len):
    real = torch.arange(max_len) < lengths[:, None]
    return real[:, None, :, None]


# %% wrong="two axes only" exercise="padding_mask" hint="The shape is wrong"
def padding_mask(lengths, max_len):
    return torch.arange(max_len) < lengths[:, None]


# %% wrong="True on padding" exercise="padding_mask" hint="The mask is turned round"
def padding_mask(lengths, max_len):
    padding = torch.arange(max_len) >= lengths[:, None]
    return padding[:, None, None, :]


# %% wrong="one word too many" exercise="padding_mask" hint="One word too many"
def padding_mask(lengths, max_len):
    real = torch.arange(max_len) <= lengths[:, None]
    return real[:, None, None, :]


# %% wrong="positions from 1, strictly below" exercise="padding_mask" hint="One word too few"
def padding_mask(lengths, max_len):
    real = torch.arange(1, max_len + 1) < lengths[:, None]
    return real[:, None, None, :]


# %% wrong="as wide as the longest text" exercise="padding_mask" hint="more than the longest length"
def padding_mask(lengths, max_len):
    real = torch.arange(int(lengths.max())) < lengths[:, None]
    return real[:, None, None, :]


# %% wrong="padding in front" exercise="padding_mask" hint="The padding stands behind the text"
def padding_mask(lengths, max_len):
    real = torch.arange(max_len) >= max_len - lengths[:, None]
    return real[:, None, None, :]


# %% wrong="queries and keys, so that padding sees nothing" exercise="padding_mask" hint="The shape is wrong"
def padding_mask(lengths, max_len):
    real = torch.arange(max_len) < lengths[:, None]
    return real[:, None, :, None] & real[:, None, None, :]


# %% wrong="floats" exercise="padding_mask" hint="The result is a bool tensor"
def padding_mask(lengths, max_len):
    real = torch.arange(max_len) < lengths[:, None]
    return real[:, None, None, :].float()


# %% wrong="the first text's length for all" exercise="padding_mask" hint="below the text's length"
def padding_mask(lengths, max_len):
    real = torch.arange(max_len) < lengths[0]
    return real.expand(len(lengths), 1, 1, max_len)


# %% wrong="empty texts keep one word" exercise="padding_mask" hint="A length of 0"
def padding_mask(lengths, max_len):
    real = torch.arange(max_len) < lengths.clamp(min=1)[:, None]
    return real[:, None, None, :]


# %% wrong="shortens the lengths in place" exercise="padding_mask" hint="lengths is only read"
def padding_mask(lengths, max_len):
    lengths -= 1
    return (torch.arange(max_len) <= lengths[:, None])[:, None, None, :]


# %% wrong="lengths and positions changed places" exercise="padding_mask" hint="Position s is real"
def padding_mask(lengths, max_len):
    return (torch.arange(max_len)[:, None] < lengths)[:, None, None, :]


# %% wrong="counts the lengths down" exercise="padding_mask" hint="lengths is only read"
def padding_mask(lengths, max_len):
    m = torch.zeros(len(lengths), 1, 1, max_len, dtype=torch.bool)
    for s in range(max_len):
        m[:, 0, 0, s] = lengths > 0
        lengths -= 1
    return m


# %% wrong="another name for max_len" exercise="padding_mask" hint="Keep the names of the parameters"
def padding_mask(lengths, max_length):
    return (torch.arange(max_length) < lengths[:, None])[:, None, None, :]


# %% right="row by row" exercise="padding_mask"
def padding_mask(lengths, max_len):
    mask = torch.zeros(len(lengths), 1, 1, max_len, dtype=torch.bool)
    for row, n in enumerate(lengths.tolist()):
        mask[row, :, :, :n] = True
    return mask


# %% right="broadcast from four axes" exercise="padding_mask"
def padding_mask(lengths, max_len):
    return torch.arange(max_len).view(1, 1, 1, max_len).lt(lengths.view(-1, 1, 1, 1))


# %% right="lists of lists" exercise="padding_mask"
def padding_mask(lengths, max_len):
    return torch.tensor([[[[s < n for s in range(max_len)]]] for n in lengths.tolist()])


# %% right="rows of a triangle" exercise="padding_mask"
def padding_mask(lengths, max_len):
    rows = torch.ones(max_len + 1, max_len, dtype=torch.bool).tril(-1)
    return rows[lengths].unsqueeze(1).unsqueeze(2)
