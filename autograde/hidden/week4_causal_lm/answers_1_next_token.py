# %% wrong="not at all" exercise="shift" hint="nothing was shifted"
def shift(ids):
    return ids[:, :-1], ids[:, :-1]


# %% wrong="ids twice" exercise="shift" hint="inputs still hold the last token"
def shift(ids):
    return ids, ids


# %% wrong="shifted twice" exercise="shift" hint="Two tokens are missing"
def shift(ids):
    return ids[:, :-2], ids[:, 2:]


# %% wrong="targets two further on" exercise="shift" hint="two tokens further to the right"
def shift(ids):
    return ids[:, :-1], ids[:, 2:]


# %% wrong="targets first" exercise="shift" hint="inputs come first, targets second"
def shift(ids):
    return ids[:, 1:], ids[:, :-1]


# %% wrong="inputs not shortened" exercise="shift" hint="nothing follows it, so there is nothing to ask"
def shift(ids):
    return ids, ids[:, 1:]


# %% wrong="rolled round" exercise="shift" hint="came round to the end"
def shift(ids):
    return ids[:, :-1], ids.roll(-1, dims=1)


# %% wrong="along the batch" exercise="shift" hint="next token stands in the same row"
def shift(ids):
    return ids[:-1], ids[1:]


# %% wrong="the tokens before" exercise="shift" hint="tokens before, not the tokens behind"
def shift(ids):
    return ids[:, :-1], ids.roll(1, dims=1)[:, :-1]


# %% wrong="only one tensor" exercise="shift" hint="returns two tensors"
def shift(ids):
    return ids[:, 1:]


# %% wrong="padding marked among the targets" exercise="shift" hint="Ids are passed on as they are"
def shift(ids):
    return ids[:, :-1], ids[:, 1:].masked_fill(ids[:, 1:] == 0, -100)


# %% right="narrow" exercise="shift"
def shift(ids):
    length = ids.shape[1] - 1
    return ids.narrow(1, 0, length), ids.narrow(1, 1, length)


# %% right="copies, as a list" exercise="shift"
def shift(ids):
    return [ids[:, :-1].clone(), ids[:, 1:].clone()]


# %% right="an index of positions" exercise="shift"
def shift(ids):
    positions = torch.arange(ids.shape[1] - 1, device=ids.device)
    return ids[:, positions], ids[:, positions + 1]


# %% right="row by row" exercise="shift"
def shift(ids):
    return torch.stack([row[:-1] for row in ids]), torch.stack([row[1:] for row in ids])


# %% right="columns picked by number" exercise="shift"
def shift(ids):
    t = torch.arange(ids.shape[1] - 1)
    return ids[:, t], ids.index_select(1, t + 1)


# %% wrong="not shifted" exercise="causal_lm_loss" hint="Nothing was shifted"
def causal_lm_loss(logits, ids, pad_id):
    return functional.cross_entropy(logits.flatten(0, 1), ids.flatten(), ignore_index=pad_id)


# %% wrong="shifted twice" exercise="causal_lm_loss" hint="Shifted twice"
def causal_lm_loss(logits, ids, pad_id):
    _, targets = shift(shift(ids)[1])
    return functional.cross_entropy(logits[:, :-2].flatten(0, 1), targets.flatten(), ignore_index=pad_id)


# %% wrong="shifted the wrong way" exercise="causal_lm_loss" hint="Shifted the wrong way"
def causal_lm_loss(logits, ids, pad_id):
    return functional.cross_entropy(logits[:, 1:].flatten(0, 1), ids[:, :-1].flatten(), ignore_index=pad_id)


# %% wrong="shifted after flattening" exercise="causal_lm_loss" hint="first token of the next row"
def causal_lm_loss(logits, ids, pad_id):
    return functional.cross_entropy(logits.flatten(0, 1)[:-1], ids.flatten()[1:], ignore_index=pad_id)


# %% wrong="rolled round" exercise="causal_lm_loss" hint="The rows went round"
def causal_lm_loss(logits, ids, pad_id):
    return functional.cross_entropy(logits.flatten(0, 1), ids.roll(-1, 1).flatten(), ignore_index=pad_id)


# %% wrong="padding counted" exercise="causal_lm_loss" hint="Padding is counted"
def causal_lm_loss(logits, ids, pad_id):
    return functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


# %% wrong="padding counted in the mean only" exercise="causal_lm_loss" hint="but the count does not"
def causal_lm_loss(logits, ids, pad_id):
    losses = functional.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    return (losses * (ids[:, 1:] != pad_id)).mean()


# %% wrong="padding told by the input" exercise="causal_lm_loss" hint="not by its input"
def causal_lm_loss(logits, ids, pad_id):
    losses = functional.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    return losses[ids[:, :-1] != pad_id].mean()


# %% wrong="mean of the rows' means" exercise="causal_lm_loss" hint="averages the rows' losses"
def causal_lm_loss(logits, ids, pad_id):
    losses = functional.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    real = ids[:, 1:] != pad_id
    rows = [row[keep].mean() for row, keep in zip(losses, real) if keep.any()]
    return torch.stack(rows).mean()


# %% wrong="divided by all real tokens" exercise="causal_lm_loss" hint="divide by how many there are"
def causal_lm_loss(logits, ids, pad_id):
    losses = functional.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    return (losses * (ids[:, 1:] != pad_id)).sum() / (ids != pad_id).sum()


# %% wrong="sum" exercise="causal_lm_loss" hint="divide by their number"
def causal_lm_loss(logits, ids, pad_id):
    return functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad_id, reduction="sum"
    )


# %% wrong="padding is always 0" exercise="causal_lm_loss" hint="taken to be 0"
def causal_lm_loss(logits, ids, pad_id):
    return functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), ignore_index=0)


# %% wrong="bits" exercise="causal_lm_loss" hint="in bits"
def causal_lm_loss(logits, ids, pad_id):
    loss = functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad_id)
    return loss / math.log(2)


# %% wrong="perplexity" exercise="causal_lm_loss" hint="perplexity"
def causal_lm_loss(logits, ids, pad_id):
    return functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad_id).exp()


# %% wrong="softmax twice" exercise="causal_lm_loss" hint="softmax is taken twice"
def causal_lm_loss(logits, ids, pad_id):
    probabilities = logits[:, :-1].softmax(-1)
    return functional.cross_entropy(probabilities.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad_id)


# %% wrong="no softmax" exercise="causal_lm_loss" hint="a log-softmax is missing"
def causal_lm_loss(logits, ids, pad_id):
    return functional.nll_loss(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad_id)


# %% wrong="log of a softmax" exercise="causal_lm_loss" hint="a softmax may round to 0"
def causal_lm_loss(logits, ids, pad_id):
    exponentials = logits[:, :-1].exp()
    log_probs = (exponentials / exponentials.sum(-1, keepdim=True)).log()
    return functional.nll_loss(log_probs.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad_id)


# %% wrong="reshape in place of transpose" exercise="causal_lm_loss" hint="reshape does not swap axes"
def causal_lm_loss(logits, ids, pad_id):
    B, T, V = logits.shape
    return functional.cross_entropy(logits[:, :-1].reshape(B, V, T - 1), ids[:, 1:], ignore_index=pad_id)


# %% wrong="a plain number" exercise="causal_lm_loss" hint="no .item()"
def causal_lm_loss(logits, ids, pad_id):
    return functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad_id).item()


# %% wrong="detached" exercise="causal_lm_loss" hint="no .detach()"
def causal_lm_loss(logits, ids, pad_id):
    return functional.cross_entropy(logits.detach()[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad_id)


# %% wrong="padding overwritten in ids" exercise="causal_lm_loss" hint="left as it was"
def causal_lm_loss(logits, ids, pad_id):
    ids[ids == pad_id] = -100
    return functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


# %% wrong="in float32" exercise="causal_lm_loss" hint="float64 in, float64 out"
def causal_lm_loss(logits, ids, pad_id):
    return functional.cross_entropy(logits.float()[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad_id)


# %% wrong="in float32 and cast back" exercise="causal_lm_loss" hint="computed in float32"
def causal_lm_loss(logits, ids, pad_id):
    return functional.cross_entropy(logits.float()[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad_id).to(
        logits.dtype
    )


# %% right="gather" exercise="causal_lm_loss"
def causal_lm_loss(logits, ids, pad_id):
    _, targets = shift(ids)
    log_probs = logits[:, :-1].log_softmax(-1).gather(2, targets.unsqueeze(2)).squeeze(2)
    return -log_probs[targets != pad_id].mean()


# %% right="chosen rows only" exercise="causal_lm_loss"
def causal_lm_loss(logits, ids, pad_id):
    real = ids[:, 1:] != pad_id
    return functional.cross_entropy(logits[:, :-1][real], ids[:, 1:][real])


# %% right="one-hot and einsum" exercise="causal_lm_loss"
def causal_lm_loss(logits, ids, pad_id):
    targets = ids[:, 1:]
    wanted = functional.one_hot(targets, logits.shape[2]).to(logits.dtype) * (targets != pad_id)[:, :, None]
    return -torch.einsum("btv,btv->", functional.log_softmax(logits[:, :-1], 2), wanted) / wanted.sum()


# %% right="transposed, labels of -100" exercise="causal_lm_loss"
def causal_lm_loss(logits, ids, pad_id):
    labels = ids.clone()
    labels[labels == pad_id] = -100
    return functional.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:])


# %% right="loops and logsumexp" exercise="causal_lm_loss"
def causal_lm_loss(logits, ids, pad_id):
    total, count = logits.new_zeros(()), 0
    for b in range(ids.shape[0]):
        for t in range(ids.shape[1] - 1):
            target = ids[b, t + 1]
            if target != pad_id:
                total = total + torch.logsumexp(logits[b, t], 0) - logits[b, t, target]
                count += 1
    return total / count


# %% right="labels shifted left, last one padded" exercise="causal_lm_loss"
def causal_lm_loss(logits, ids, pad_id):
    labels = torch.full_like(ids, pad_id)
    labels[:, :-1] = ids[:, 1:]
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=pad_id)


# %% right="padding as -100" exercise="causal_lm_loss"
def causal_lm_loss(logits, ids, pad_id):
    labels = torch.where(ids == pad_id, -100, ids)
    return nn.CrossEntropyLoss()(logits[:, :-1].transpose(1, 2), labels[:, 1:])


# %% wrong="no end tokens" exercise="pack_documents" hint="No end token stands between"
def pack_documents(documents, block_len, eos_id):
    stream = [token for document in documents for token in document]
    n = len(stream) // block_len
    return torch.tensor(stream[: n * block_len], dtype=torch.long).view(n, block_len)


# %% wrong="no end token behind the last" exercise="pack_documents" hint="missing behind the last document"
def pack_documents(documents, block_len, eos_id):
    stream = []
    for i, document in enumerate(documents):
        stream += ([eos_id] if i else []) + document
    n = len(stream) // block_len
    return torch.tensor(stream[: n * block_len], dtype=torch.long).view(n, block_len)


# %% wrong="end token in front" exercise="pack_documents" hint="stands before each document"
def pack_documents(documents, block_len, eos_id):
    stream = [token for document in documents for token in [eos_id, *document]]
    n = len(stream) // block_len
    return torch.tensor(stream[: n * block_len], dtype=torch.long).view(n, block_len)


# %% wrong="each document by itself" exercise="pack_documents" hint="cut from a single document"
def pack_documents(documents, block_len, eos_id):
    rows = []
    for document in documents:
        ids = document + [eos_id]
        rows += [ids[i : i + block_len] for i in range(0, len(ids) - block_len + 1, block_len)]
    return torch.tensor(rows, dtype=torch.long).view(-1, block_len) if rows else torch.zeros(0, block_len).long()


# %% wrong="last block padded with the end token" exercise="pack_documents" hint="nothing is padded"
def pack_documents(documents, block_len, eos_id):
    stream = [token for document in documents for token in [*document, eos_id]]
    stream += [eos_id] * (-len(stream) % block_len)
    return torch.tensor(stream, dtype=torch.long).view(len(stream) // block_len, block_len)


# %% wrong="last block padded with zeros" exercise="pack_documents" hint="padded with 0"
def pack_documents(documents, block_len, eos_id):
    stream = [token for document in documents for token in [*document, eos_id]]
    stream += [0] * (-len(stream) % block_len)
    return torch.tensor(stream, dtype=torch.long).view(len(stream) // block_len, block_len)


# %% wrong="down the columns" exercise="pack_documents" hint="runs down the columns"
def pack_documents(documents, block_len, eos_id):
    stream = [token for document in documents for token in [*document, eos_id]]
    n = len(stream) // block_len
    return torch.tensor(stream[: n * block_len], dtype=torch.long).view(block_len, n).T.contiguous()


# %% wrong="overlapping blocks" exercise="pack_documents" hint="blocks overlap"
def pack_documents(documents, block_len, eos_id):
    stream = [token for document in documents for token in [*document, eos_id]]
    rows = [stream[i : i + block_len] for i in range(len(stream) - block_len + 1)]
    return torch.tensor(rows, dtype=torch.long) if rows else torch.zeros(0, block_len, dtype=torch.long)


# %% wrong="long documents cut off" exercise="pack_documents" hint="rest of a long one is lost"
def pack_documents(documents, block_len, eos_id):
    stream = [token for document in documents for token in [*document, eos_id][:block_len]]
    n = len(stream) // block_len
    return torch.tensor(stream[: n * block_len], dtype=torch.long).view(n, block_len)


# %% wrong="an end token at the end of each block" exercise="pack_documents" hint="end of each block"
def pack_documents(documents, block_len, eos_id):
    stream = [token for document in documents for token in document]
    step = block_len - 1
    rows = [stream[i : i + step] + [eos_id] for i in range(0, len(stream) - step + 1, step)] if step else []
    return torch.tensor(rows, dtype=torch.long).view(-1, block_len) if rows else torch.zeros(0, block_len).long()


# %% wrong="nothing has no shape" exercise="pack_documents" hint="[0, block_len]"
def pack_documents(documents, block_len, eos_id):
    stream = [token for document in documents for token in [*document, eos_id]]
    rows = [stream[i : i + block_len] for i in range(0, len(stream) - block_len + 1, block_len)]
    return torch.tensor(rows, dtype=torch.long)


# %% wrong="a float where nothing fills" exercise="pack_documents" hint="a long tensor of shape"
def pack_documents(documents, block_len, eos_id):
    stream = [token for document in documents for token in [*document, eos_id]]
    n = len(stream) // block_len
    return torch.tensor(stream[: n * block_len]).view(n, block_len)


# %% wrong="documents appended to" exercise="pack_documents" hint="Do not append to the documents"
def pack_documents(documents, block_len, eos_id):
    stream = []
    for document in documents:
        document.append(eos_id)
        stream += document
    n = len(stream) // block_len
    return torch.tensor(stream[: n * block_len], dtype=torch.long).view(n, block_len)


# %% wrong="empty documents skipped" exercise="pack_documents" hint="An empty document leaves its end token"
def pack_documents(documents, block_len, eos_id):
    stream = [token for document in documents if document for token in [*document, eos_id]]
    n = len(stream) // block_len
    return torch.tensor(stream[: n * block_len], dtype=torch.long).view(n, block_len)


# %% wrong="another width of whole numbers" exercise="pack_documents" hint="of dtype long"
def pack_documents(documents, block_len, eos_id):
    stream = []
    for d in documents:
        stream += [*d, eos_id]
    n = len(stream) // block_len
    return torch.tensor(stream[: n * block_len], dtype=torch.int32).view(n, block_len)


# %% right="loop over blocks" exercise="pack_documents"
def pack_documents(documents, block_len, eos_id):
    stream = []
    for document in documents:
        stream.extend(document)
        stream.append(eos_id)
    blocks = torch.empty(len(stream) // block_len, block_len, dtype=torch.long)
    for i in range(len(blocks)):
        blocks[i] = torch.tensor(stream[i * block_len : (i + 1) * block_len])
    return blocks


# %% right="tensors, unfold" exercise="pack_documents"
def pack_documents(documents, block_len, eos_id):
    pieces = [torch.tensor([*document, eos_id], dtype=torch.long) for document in documents]
    stream = torch.cat([torch.empty(0, dtype=torch.long), *pieces])
    if len(stream) < block_len:
        return stream.new_empty(0, block_len)
    return stream.unfold(0, block_len, block_len)


# %% right="a block that fills up" exercise="pack_documents"
def pack_documents(documents, block_len, eos_id):
    rows, row = [], []
    for document in documents:
        for token in list(document) + [eos_id]:
            row.append(token)
            if len(row) == block_len:
                rows.append(row)
                row = []
    return torch.tensor(rows, dtype=torch.long).reshape(len(rows), block_len)


# %% right="islice" exercise="pack_documents"
def pack_documents(documents, block_len, eos_id):
    from itertools import chain, islice

    stream = chain.from_iterable(chain(document, (eos_id,)) for document in documents)
    rows = []
    while len(row := list(islice(stream, block_len))) == block_len:
        rows.append(row)
    return torch.LongTensor(rows).view(-1, block_len) if rows else torch.zeros((0, block_len), dtype=torch.int64)


# %% right="blocks taken off a generator" exercise="pack_documents"
from itertools import chain, islice


def pack_documents(documents, block_len, eos_id):
    stream = chain.from_iterable(chain(d, (eos_id,)) for d in documents)
    blocks = []
    while len(block := list(islice(stream, block_len))) == block_len:
        blocks.append(block)
    return torch.LongTensor(blocks) if blocks else torch.empty(0, block_len, dtype=torch.long)


# %% wrong="no causal mask" exercise="CausalLM" hint="The model sees the future"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x) @ self.word.weight.T


# %% wrong="causal in the first block only" exercise="CausalLM" hint="must leave all logits before t"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for i, block in enumerate(self.blocks):
            x = block(x, mask, causal=i == 0)
        return self.norm(x) @ self.word.weight.T


# %% wrong="no last norm" exercise="CausalLM" hint="The last norm is missing"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return x @ self.word.weight.T


# %% wrong="no positions" exercise="CausalLM" hint="The positions are missing"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids)
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="positions from 1" exercise="CausalLM" hint="counted from 1"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position(torch.arange(1, ids.shape[1] + 1).clamp(max=len(self.position.weight) - 1))
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="an untied head" exercise="CausalLM" hint="a second table of V times D"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return self.head(self.norm(x))


# %% wrong="a bias on the head" exercise="CausalLM" hint="The head is the word table"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return self.norm(x) @ self.word.weight.T + self.bias


# %% wrong="post-norm" exercise="CausalLM" hint="give pre_norm=True"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="ReLU" exercise="CausalLM" hint="work with ReLU"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True) for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="exact GELU" exercise="CausalLM" hint="the exact GELU"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="one block used over and over" exercise="CausalLM" hint="All blocks are one object"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            [EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")]
            * config.n_layers
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="a plain list of blocks" exercise="CausalLM" hint="an nn.ModuleList"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = [
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        ]
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="embeddings times the root of D" exercise="CausalLM" hint="multiplied by the root of D"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) * math.sqrt(self.word.embedding_dim) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="probabilities" exercise="CausalLM" hint="no softmax"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return (self.norm(x) @ self.word.weight.T).softmax(-1)


# %% wrong="log-probabilities" exercise="CausalLM" hint="no log-softmax"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return (self.norm(x) @ self.word.weight.T).log_softmax(-1)


# %% wrong="mask ignored" exercise="CausalLM" hint="The mask makes no difference"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="mask inverted" exercise="CausalLM" hint="as [B,1,1,T] it goes into every block"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = ~mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="mask over the queries" exercise="CausalLM" hint="as [B,1,1,T] it goes into every block"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, :, None]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="mask in place of causality" exercise="CausalLM" hint="gives, on its real tokens"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=mask is None)
        return self.norm(x) @ self.word.weight.T


# %% wrong="a detached head" exercise="CausalLM" hint="not a copy of it"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return self.norm(x) @ self.word.weight.detach().T


# %% wrong="last block left out" exercise="CausalLM" hint="The last block is missing"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks[:-1]:
            x = block(x, mask, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="dropout" exercise="CausalLM" hint="there is no dropout"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return nn.functional.dropout(self.norm(x), 0.1) @ self.word.weight.T


# %% wrong="positions frozen" exercise="CausalLM" hint="none is frozen"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = config
        self.word = nn.Embedding(c.vocab_size, c.d_model)
        self.position = nn.Embedding(c.max_len, c.d_model)
        self.position.weight.requires_grad_(False)
        self.blocks = nn.ModuleList(
            [
                EncoderBlock(c.d_model, c.n_heads, c.d_ff, pre_norm=True, activation="gelu_tanh")
                for _ in range(c.n_layers)
            ]
        )
        self.norm = nn.LayerNorm(c.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position(torch.arange(ids.shape[1], device=ids.device))
        keys = None if mask is None else mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, keys, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="the word table under a second name" exercise="CausalLM" hint="under a second name"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = config
        self.word = nn.Embedding(c.vocab_size, c.d_model)
        self.position = nn.Embedding(c.max_len, c.d_model)
        self.blocks = nn.ModuleList(
            [
                EncoderBlock(c.d_model, c.n_heads, c.d_ff, pre_norm=True, activation="gelu_tanh")
                for _ in range(c.n_layers)
            ]
        )
        self.head = nn.Linear(c.d_model, c.vocab_size, bias=False)
        self.head.weight = self.word.weight
        self.norm = nn.LayerNorm(c.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position(torch.arange(ids.shape[1], device=ids.device))
        keys = None if mask is None else mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, keys, causal=True)
        return self.head(self.norm(x))


# %% wrong="causal only where no mask is given" exercise="CausalLM" hint="beside causal=True"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = config
        self.word = nn.Embedding(c.vocab_size, c.d_model)
        self.position = nn.Embedding(c.max_len, c.d_model)
        self.blocks = nn.ModuleList(
            [
                EncoderBlock(c.d_model, c.n_heads, c.d_ff, pre_norm=True, activation="gelu_tanh")
                for _ in range(c.n_layers)
            ]
        )
        self.norm = nn.LayerNorm(c.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position(torch.arange(ids.shape[1], device=ids.device))
        keys = None if mask is None else mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, keys, causal=mask is None)
        return self.norm(x) @ self.word.weight.T


# %% right="functional head, position module" exercise="CausalLM"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position(torch.arange(ids.shape[1], device=ids.device))[None]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return functional.linear(self.norm(x), self.word.weight)


# %% right="its own triangle, einsum" exercise="CausalLM"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        T = ids.shape[1]
        seen = torch.ones(T, T, dtype=torch.bool).tril()[None, None]
        if mask is not None:
            seen = seen & mask.view(ids.shape[0], 1, 1, T)
        for i in range(len(self.blocks)):
            x = self.blocks[i](x, mask=seen)
        return torch.einsum("btd,vd->btv", self.norm(x), self.word.weight)


# %% right="positions counted among the real tokens" exercise="CausalLM"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.n_heads, config.d_ff, pre_norm=True, activation="gelu_tanh")
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        real = torch.ones_like(ids) if mask is None else mask.long()
        x = self.word(ids) + self.position((real.cumsum(1) - 1).clamp(min=0))
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% right="built in a loop, an embedding called backwards" exercise="CausalLM"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList()
        for _ in range(config.n_layers):
            self.blocks.append(EncoderBlock(config.d_model, config.n_heads, config.d_ff, True, activation="gelu_tanh"))
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            mask = mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, causal=True)
        h = self.norm(x)
        return (h.unsqueeze(2) * self.word.weight).sum(-1)


# %% right="a triangle kept as a buffer" exercise="CausalLM"
class CausalLM(nn.Module):
    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.d_model, eps=1e-5)
        self.blocks = nn.ModuleList(
            EncoderBlock(
                d_model=config.d_model, n_heads=config.n_heads, d_ff=config.d_ff, pre_norm=True, activation="gelu_tanh"
            )
            for _ in range(config.n_layers)
        )
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        nn.init.normal_(self.word.weight, std=0.02)
        self.register_buffer(
            "causal", torch.ones(config.max_len, config.max_len, dtype=torch.bool).tril(), persistent=False
        )

    def forward(self, ids, mask=None):
        B, T = ids.shape
        seen = self.causal[:T, :T].view(1, 1, T, T)
        if mask is not None:
            seen = seen & mask.view(B, 1, 1, T)
        x = torch.nn.functional.embedding(ids, self.word.weight) + self.position.weight[:T].unsqueeze(0)
        for i in range(len(self.blocks)):
            x = self.blocks[i](x, seen)
        return functional.linear(self.norm(x), self.word.weight)


# %% wrong="mask multiplied into x" exercise="CausalLM" hint="takes a share of the attention"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths = config.d_model, config.n_heads, config.d_ff
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(*widths, pre_norm=True, activation="gelu_tanh") for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        if mask is not None:
            x = x * mask[:, :, None]
        for block in self.blocks:
            x = block(x, None, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="mask multiplied into x in each block" exercise="CausalLM" hint="takes a share of the attention"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths = config.d_model, config.n_heads, config.d_ff
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(*widths, pre_norm=True, activation="gelu_tanh") for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        for block in self.blocks:
            if mask is not None:
                x = x * mask[:, :, None]
            x = block(x, None, causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="a padding index" exercise="CausalLM" hint="padding_idx"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths = config.d_model, config.n_heads, config.d_ff
        self.word = nn.Embedding(config.vocab_size, config.d_model, padding_idx=0)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(*widths, pre_norm=True, activation="gelu_tanh") for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, None if mask is None else mask[:, None, None, :], causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="other names" exercise="CausalLM" hint="No submodule is called word"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths = config.d_model, config.n_heads, config.d_ff
        self.tok = nn.Embedding(config.vocab_size, config.d_model)
        self.pos = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(*widths, pre_norm=True, activation="gelu_tanh") for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.tok(ids) + self.pos.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, None if mask is None else mask[:, None, None, :], causal=True)
        return self.norm(x) @ self.tok.weight.T


# %% wrong="four times D inside" exercise="CausalLM" hint="blocks.0.feed_forward.linear1.weight"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths = config.d_model, config.n_heads, 4 * config.d_model
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(*widths, pre_norm=True, activation="gelu_tanh") for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, None if mask is None else mask[:, None, None, :], causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="512 positions" exercise="CausalLM" hint="position.weight"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths = config.d_model, config.n_heads, config.d_ff
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(512, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(*widths, pre_norm=True, activation="gelu_tanh") for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, None if mask is None else mask[:, None, None, :], causal=True)
        return self.norm(x) @ self.word.weight.T


# %% wrong="the last norm behind every block" exercise="CausalLM" hint="once, behind the last block"
class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths = config.d_model, config.n_heads, config.d_ff
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_len, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(*widths, pre_norm=True, activation="gelu_tanh") for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, ids, mask=None):
        x = self.word(ids) + self.position.weight[: ids.shape[1]]
        for block in self.blocks:
            x = self.norm(block(x, None if mask is None else mask[:, None, None, :], causal=True))
        return x @ self.word.weight.T


# %% wrong="mean of rows, one of them nan" exercise="causal_lm_loss" hint="A row without a real target gives nan"
def causal_lm_loss(logits, ids, pad_id):
    rows = [functional.cross_entropy(a[:-1], b[1:], ignore_index=pad_id) for a, b in zip(logits, ids)]
    return torch.stack(rows).mean()


# %% wrong="tensors joined, none to join" exercise="pack_documents" hint="no documents at all"
def pack_documents(documents, block_len, eos_id):
    stream = torch.cat([torch.tensor(document + [eos_id]) for document in documents])
    n = len(stream) // block_len
    return stream[: n * block_len].view(n, block_len)


# %% wrong="a full last block dropped" exercise="pack_documents" hint="the cut drops a full block"
def pack_documents(documents, block_len, eos_id):
    stream = [token for document in documents for token in [*document, eos_id]]
    rows = [stream[i : i + block_len] for i in range(0, len(stream) - block_len, block_len)]
    return torch.tensor(rows, dtype=torch.long).view(len(rows), block_len)


# %% wrong="one less than the stream's length" exercise="pack_documents" hint="the cut drops a full block"
def pack_documents(documents, block_len, eos_id):
    stream = [token for document in documents for token in [*document, eos_id]]
    n = max(0, len(stream) - 1) // block_len
    return torch.tensor(stream[: n * block_len], dtype=torch.long).view(n, block_len)


# %% wrong="minus the rest" exercise="pack_documents" hint="stream[:-0]"
def pack_documents(documents, block_len, eos_id):
    stream = [token for document in documents for token in [*document, eos_id]]
    rest = len(stream) % block_len
    return torch.tensor(stream[:-rest], dtype=torch.long).view(-1, block_len)


# %% wrong="only the last asked" exercise="shift" hint="each row's last token alone"
def shift(ids):
    return ids[:, :-1], ids[:, -1]
