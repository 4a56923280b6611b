"""Answers that students give in week 3, notebook 3: wrong ones with the hint they must get, and other right ones."""


# %% wrong="positions left out" exercise="BertEmbeddings" hint="The positions are missing"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)
        positions = torch.arange(ids.shape[1])
        return self.norm(self.word(ids) + self.segment(segment_ids))


# %% wrong="no norm at the end" exercise="BertEmbeddings" hint="The layer norm is missing"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)
        positions = torch.arange(ids.shape[1])
        return self.word(ids) + self.position(positions) + self.segment(segment_ids)


# %% wrong="words times the root of D, as in 2017" exercise="BertEmbeddings" hint="not multiplied by the root of D"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)
        positions = torch.arange(ids.shape[1])
        return self.norm(
            self.word(ids) * self.word.embedding_dim**0.5 + self.position(positions) + self.segment(segment_ids)
        )


# %% wrong="no segment where none is given" exercise="BertEmbeddings" hint="segment's vector is left out"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        x = self.word(ids) + self.position(torch.arange(ids.shape[1]))
        if segment_ids is not None:
            x = x + self.segment(segment_ids)
        return self.norm(x)


# %% wrong="segment 1 where none is given" exercise="BertEmbeddings" hint="Segments are counted from 0"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = torch.ones_like(ids)
        positions = torch.arange(ids.shape[1])
        return self.norm(self.word(ids) + self.position(positions) + self.segment(segment_ids))


# %% wrong="segments never looked at" exercise="BertEmbeddings" hint="segment_ids make no difference"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)
        positions = torch.arange(ids.shape[1])
        return self.norm(self.word(ids) + self.position(positions) + self.segment(torch.zeros_like(ids)))


# %% wrong="segments left out of the sum" exercise="BertEmbeddings" hint="The segment is missing"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)
        positions = torch.arange(ids.shape[1])
        return self.norm(self.word(ids) + self.position(positions))


# %% wrong="PyTorch's eps" exercise="BertEmbeddings" hint="eps of 1e-5"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)
        positions = torch.arange(ids.shape[1])
        return self.norm(self.word(ids) + self.position(positions) + self.segment(segment_ids))


# %% wrong="positions from 1" exercise="BertEmbeddings" hint="as many rows as its size says"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len + 1, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)
        positions = torch.arange(1, ids.shape[1] + 1)
        return self.norm(self.word(ids) + self.position(positions) + self.segment(segment_ids))


# %% wrong="positions from 1 in a table of the right size" exercise="BertEmbeddings" hint="Positions are counted from 0"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)
        positions = torch.arange(1, ids.shape[1] + 1)
        return self.norm(self.word(ids) + self.position(positions) + self.segment(segment_ids))


# %% wrong="the words normalised alone" exercise="BertEmbeddings" hint="normalise the sum of all three"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)
        positions = torch.arange(ids.shape[1])
        return self.norm(self.word(ids)) + self.position(positions) + self.segment(segment_ids)


# %% wrong="dropout behind the norm" exercise="BertEmbeddings" hint="no dropout"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)
        positions = torch.arange(ids.shape[1])
        return nn.functional.dropout(
            self.norm(self.word(ids) + self.position(positions) + self.segment(segment_ids)), 0.1
        )


# %% wrong="sinusoids instead of a table" exercise="BertEmbeddings" hint="no parameters besides"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        self.max_len, self.d_model = max_len, d_model

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)
        angles = torch.outer(torch.arange(ids.shape[1]), 10000 ** (-torch.arange(0, self.d_model, 2) / self.d_model))
        position = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, : self.d_model]
        return self.norm(self.word(ids) + position + self.segment(segment_ids))


# %% wrong="the tables frozen" exercise="BertEmbeddings" hint="Gradients reach word, position"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)
        positions = torch.arange(ids.shape[1])
        return self.norm(self.word(ids).detach() + self.position(positions) + self.segment(segment_ids))


# %% wrong="positions frozen" exercise="BertEmbeddings" hint="none is frozen"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model).requires_grad_(False)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = torch.zeros_like(ids)
        places = torch.arange(ids.shape[1], device=ids.device)
        return self.norm(self.word(ids) + self.position(places) + self.segment(segment_ids))


# %% right="rows of the position table sliced" exercise="BertEmbeddings"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word, self.position, self.segment = (nn.Embedding(n, d_model) for n in (vocab_size, max_len, n_segments))
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        segment = self.segment.weight[0] if segment_ids is None else self.segment(segment_ids)
        return self.norm(self.segment_and_place(ids, segment) + self.word(ids))

    def segment_and_place(self, ids, segment):
        return self.position.weight[: ids.shape[1]] + segment


# %% right="one-hot rows times the tables" exercise="BertEmbeddings"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.sizes = (vocab_size, max_len, n_segments)
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(normalized_shape=d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        B, T = ids.shape
        places = torch.arange(T).unsqueeze(0).repeat(B, 1)
        segments = torch.zeros(B, T, dtype=torch.long) if segment_ids is None else segment_ids
        total = 0
        for table, rows, n in zip((self.word, self.position, self.segment), (ids, places, segments), self.sizes):
            chosen = nn.functional.one_hot(rows, n).to(table.weight.dtype)
            total = total + torch.einsum("btn,nd->btd", chosen, table.weight)
        return self.norm(total)


# %% right="positions kept as a buffer, an empty batch of segments filled in" exercise="BertEmbeddings"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        self.register_buffer("steps", torch.arange(max_len)[None], persistent=False)

    def forward(self, ids, segment_ids=None):
        if segment_ids is None:
            segment_ids = ids * 0
        places = self.steps[:, : ids.size(1)].expand_as(ids)
        return self.norm(torch.stack([self.word(ids), self.position(places), self.segment(segment_ids)]).sum(0))


# %% right="text by text, token by token" exercise="BertEmbeddings"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        texts = []
        for b, row in enumerate(ids.tolist()):
            tokens = []
            for t, word in enumerate(row):
                s = 0 if segment_ids is None else int(segment_ids[b, t])
                tokens.append(self.norm(self.word.weight[word] + self.position.weight[t] + self.segment.weight[s]))
            texts.append(torch.stack(tokens))
        return torch.stack(texts)


# %% right="added in place to its own sum" exercise="BertEmbeddings"
class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, n_segments):
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding.from_pretrained(torch.randn(max_len, d_model) * 0.02, freeze=False)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)

    def forward(self, ids, segment_ids=None):
        e = self.word(ids)
        e += self.position.weight[: ids.shape[-1]]
        e += self.segment(torch.zeros_like(ids) if segment_ids is None else segment_ids)
        return self.norm(e)


# %% wrong="a last map of its own" exercise="MaskedLM" hint="no other parameters"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.decoder = nn.Linear(D, config.vocab_size)

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return self.decoder(z)

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="a last map of its own beside the bias" exercise="MaskedLM" hint="no other parameters"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.decoder = nn.Linear(D, config.vocab_size, bias=False)

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return self.decoder(z) + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="ReLU in the encoder" exercise="MaskedLM" hint="The encoder has ReLU"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="the tanh approximation in the encoder" exercise="MaskedLM" hint="tanh approximation"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu_tanh", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="the tanh approximation in the head" exercise="MaskedLM" hint="tanh approximation"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden), approximate="tanh"))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="no head but the words" exercise="MaskedLM" hint="The dense map, the GELU and the norm of the head are missing"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = hidden
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="no GELU in the head" exercise="MaskedLM" hint="The GELU is missing"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(self.dense(hidden))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="ReLU in the head" exercise="MaskedLM" hint="GELU, not ReLU"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(torch.relu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="tanh in the head, as in BERT's pooler" exercise="MaskedLM" hint="GELU, not tanh"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(torch.tanh(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="no norm in the head" exercise="MaskedLM" hint="The head's layer norm is missing"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = nn.functional.gelu(self.dense(hidden))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="no bias" exercise="MaskedLM" hint="The bias is missing"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="mask ignored" exercise="MaskedLM" hint="The mask makes no difference"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids))

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="mask turned round" exercise="MaskedLM" hint="The mask is turned round"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else ~mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="queries hidden instead of keys" exercise="MaskedLM" hint="hides keys"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, :, None]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="mask handed on as it comes" exercise="MaskedLM" hint="mask[:, None, None, :]"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = mask
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="segments not handed on" exercise="MaskedLM" hint="segment_ids make no difference"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="PyTorch's eps in the encoder" exercise="MaskedLM" hint="The encoder's norms have an eps of 1e-5"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu")
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="PyTorch's eps in the head" exercise="MaskedLM" hint="The head's norm has PyTorch's eps"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="pre-norm blocks" exercise="MaskedLM" hint="post-norm"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(
            D, config.n_heads, config.d_ff, config.n_layers, pre_norm=True, activation="gelu", eps=1e-12
        )
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="a causal encoder" exercise="MaskedLM" hint="The encoder is causal"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible, causal=True)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="the table of words detached in the head" exercise="MaskedLM" hint="as last map at the top"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.detach().T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="one block too few" exercise="MaskedLM" hint="no other parameters"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers - 1, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="the logits turned into probabilities" exercise="MaskedLM" hint="return the logits themselves"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return (z @ self.embeddings.word.weight.T + self.bias).softmax(-1)

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="a head for three axes only" exercise="MaskedLM" hint="whatever the others are"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return torch.einsum("btd,vd->btv", z, self.embeddings.word.weight) + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="the table of words under a second name" exercise="MaskedLM" hint="under a second name"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = config
        self.embeddings = BertEmbeddings(c.vocab_size, c.d_model, c.max_len, c.n_segments)
        self.encoder = Encoder(c.d_model, c.n_heads, c.d_ff, c.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(c.d_model, c.d_model)
        self.norm = nn.LayerNorm(c.d_model, eps=1e-12)
        self.decoder = nn.Linear(c.d_model, c.vocab_size, bias=False)
        self.decoder.weight = self.embeddings.word.weight
        self.bias = nn.Parameter(torch.zeros(c.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        keys = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), keys)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return self.decoder(z) + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="the norm before the GELU" exercise="MaskedLM" hint="GELU comes first"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = config
        self.embeddings = BertEmbeddings(c.vocab_size, c.d_model, c.max_len, c.n_segments)
        self.encoder = Encoder(c.d_model, c.n_heads, c.d_ff, c.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(c.d_model, c.d_model)
        self.norm = nn.LayerNorm(c.d_model, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(c.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        keys = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), keys)

    def head(self, hidden):
        z = nn.functional.gelu(self.norm(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="no dense map in the head" exercise="MaskedLM" hint="The dense map of the head is missing"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = config
        self.embeddings = BertEmbeddings(c.vocab_size, c.d_model, c.max_len, c.n_segments)
        self.encoder = Encoder(c.d_model, c.n_heads, c.d_ff, c.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(c.d_model, c.d_model)
        self.norm = nn.LayerNorm(c.d_model, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(c.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        keys = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), keys)

    def head(self, hidden):
        z = self.norm(hidden)
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="id 0 taken for padding where no mask is given" exercise="MaskedLM" hint="whatever their ids"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = config
        self.embeddings = BertEmbeddings(c.vocab_size, c.d_model, c.max_len, c.n_segments)
        self.encoder = Encoder(c.d_model, c.n_heads, c.d_ff, c.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(c.d_model, c.d_model)
        self.norm = nn.LayerNorm(c.d_model, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(c.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        mask = ids != 0 if mask is None else mask
        keys = mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), keys)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="dropout in the head" exercise="MaskedLM" hint="there is no dropout"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = config
        self.embeddings = BertEmbeddings(c.vocab_size, c.d_model, c.max_len, c.n_segments)
        self.encoder = Encoder(c.d_model, c.n_heads, c.d_ff, c.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(c.d_model, c.d_model)
        self.norm = nn.LayerNorm(c.d_model, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(c.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        keys = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), keys)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        z = nn.functional.dropout(z, 0.1)
        return z @ self.embeddings.word.weight.T + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% right="functional.linear and a view of the mask" exercise="MaskedLM"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask.view(mask.shape[0], 1, 1, -1)
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return nn.functional.linear(z, self.embeddings.word.weight, self.bias)

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% right="GELU by its formula, block by block" exercise="MaskedLM"
class MaskedLM(nn.Module):
    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.embeddings = BertEmbeddings(config.vocab_size, config.d_model, config.max_len, config.n_segments)
        self.encoder = Encoder(
            d_model=config.d_model,
            n_heads=config.n_heads,
            d_ff=config.d_ff,
            n_layers=config.n_layers,
            pre_norm=False,
            activation="gelu",
            eps=1e-12,
        )
        self.dense = nn.Linear(config.d_model, config.d_model)
        self.norm = nn.LayerNorm(config.d_model, 1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        B, T = ids.shape
        seen = torch.ones(B, T, dtype=torch.bool) if mask is None else mask
        h = self.embeddings(ids, segment_ids=segment_ids)
        for block in self.encoder.blocks:
            h = block(h, seen[:, None, None, :].expand(B, 1, T, T))
        return h

    def head(self, hidden):
        inner = self.dense(hidden)
        z = self.norm(inner * 0.5 * (1 + torch.erf(inner / 2**0.5)))
        return torch.einsum("...d,vd->...v", z, self.embeddings.word.weight) + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% right="one dot product a word" exercise="MaskedLM"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense = nn.Linear(D, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def encode(self, ids, mask=None, segment_ids=None):
        visible = None if mask is None else mask[:, None, None, :]
        return self.encoder(self.embeddings(ids, segment_ids), visible)

    def head(self, hidden):
        z = self.norm(nn.GELU()(self.dense(hidden)))
        logits = [(z * row).sum(-1) for row in self.embeddings.word.weight]
        return torch.stack(logits, -1) + self.bias

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% right="text by text, padding cut out" exercise="MaskedLM"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.dense = nn.Linear(D, D, bias=True)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, False, activation="gelu", eps=1e-12)
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)

    def encode(self, ids, mask=None, segment_ids=None):
        x = self.embeddings(ids, segment_ids)
        if mask is None:
            return self.encoder(x)
        rows = []
        for row, real in zip(x, mask):
            out = torch.zeros_like(row)
            out[real] = self.encoder(row[real][None])[0]
            rows.append(out)
        return torch.stack(rows)

    def head(self, hidden):
        z = self.norm(nn.functional.gelu(self.dense(hidden)))
        return torch.matmul(z, self.embeddings.word.weight.transpose(0, 1)).add(self.bias)

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% right="a head that flattens what comes" exercise="MaskedLM"
class MaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.d_model
        self.embeddings = BertEmbeddings(config.vocab_size, D, config.max_len, config.n_segments)
        self.encoder = Encoder(D, config.n_heads, config.d_ff, config.n_layers, activation="gelu", eps=1e-12)
        self.dense, self.norm = nn.Linear(D, D), nn.LayerNorm(D, eps=1e-12)
        self.register_parameter("bias", nn.Parameter(torch.zeros(config.vocab_size)))

    def encode(self, ids, mask=None, segment_ids=None):
        return self.encoder(self.embeddings(ids, segment_ids), mask if mask is None else mask[:, None, None])

    def head(self, hidden):
        flat = hidden.reshape(-1, hidden.shape[-1])
        z = self.norm(nn.functional.gelu(self.dense(flat)))
        logits = torch.addmm(self.bias, z, self.embeddings.word.weight.t())
        return (
            logits.reshape(*hidden.shape[:-1], -1)
            if hidden.numel()
            else logits.reshape(*hidden.shape[:-1], self.bias.numel())
        )

    def forward(self, ids, mask=None, segment_ids=None):
        return self.head(self.encode(ids, mask, segment_ids))


# %% wrong="every place counted" exercise="roberta_position_ids" hint="Padding is counted like a token"
def roberta_position_ids(ids, pad_id):
    T = ids.shape[1]
    return (torch.arange(T) + pad_id + 1).expand(ids.shape)


# %% wrong="places counted, padding marked" exercise="roberta_position_ids" hint="padding before a token must not move it"
def roberta_position_ids(ids, pad_id):
    places = torch.arange(ids.shape[1]) + pad_id + 1
    return torch.where(ids == pad_id, pad_id, places)


# %% wrong="counted from 0" exercise="roberta_position_ids" hint="not at 0"
def roberta_position_ids(ids, pad_id):
    real = ids.ne(pad_id).long()
    return real.cumsum(1) * real - real


# %% wrong="counted from 1" exercise="roberta_position_ids" hint="not at 1"
def roberta_position_ids(ids, pad_id):
    real = ids.ne(pad_id).long()
    return real.cumsum(1) * real


# %% wrong="counted from pad_id" exercise="roberta_position_ids" hint="not at pad_id"
def roberta_position_ids(ids, pad_id):
    real = ids.ne(pad_id).long()
    return torch.where(real.bool(), real.cumsum(1) - 1 + pad_id, pad_id)


# %% wrong="the count shows through under padding" exercise="roberta_position_ids" hint="the running count shows through"
def roberta_position_ids(ids, pad_id):
    return ids.ne(pad_id).long().cumsum(1) + pad_id


# %% wrong="padding at position 0" exercise="roberta_position_ids" hint="Padding has the position pad_id, not 0"
def roberta_position_ids(ids, pad_id):
    real = ids.ne(pad_id).long()
    return (real.cumsum(1) + pad_id) * real


# %% wrong="counted down the batch" exercise="roberta_position_ids" hint="cumsum over dim 1"
def roberta_position_ids(ids, pad_id):
    real = ids.ne(pad_id).long()
    return real.cumsum(0) * real + pad_id


# %% wrong="padding taken to be 0" exercise="roberta_position_ids" hint="pad_id"
def roberta_position_ids(ids, pad_id):
    real = ids.ne(0).long()
    return real.cumsum(1) * real + pad_id


# %% wrong="padding taken to be 1" exercise="roberta_position_ids" hint="pad_id"
def roberta_position_ids(ids, pad_id):
    real = ids.ne(1).long()
    return real.cumsum(1) * real + 1


# %% wrong="larger ids alone are real" exercise="roberta_position_ids" hint="pad_id"
def roberta_position_ids(ids, pad_id):
    real = (ids > pad_id).long()
    return real.cumsum(1) * real + pad_id


# %% wrong="floats" exercise="roberta_position_ids" hint="The result is long"
def roberta_position_ids(ids, pad_id):
    real = ids.ne(pad_id).float()
    return real.cumsum(1) * real + pad_id


# %% wrong="written into the ids" exercise="roberta_position_ids" hint="the ids are as they were"
def roberta_position_ids(ids, pad_id):
    real = ids.ne(pad_id).long()
    ids.copy_(real.cumsum(1) * real + pad_id)
    return ids


# %% wrong="the first row for all" exercise="roberta_position_ids" hint="nly what is not padding"
def roberta_position_ids(ids, pad_id):
    real = ids[0].ne(pad_id).long()
    return (real.cumsum(0) * real + pad_id).expand(ids.shape)


# %% wrong="all rows counted in one" exercise="roberta_position_ids" hint="not over all rows in one"
def roberta_position_ids(ids, pad_id):
    real = ids != pad_id
    return real.flatten().cumsum(0).view(ids.shape) * real + pad_id


# %% wrong="another width of whole numbers" exercise="roberta_position_ids" hint="The result is long"
def roberta_position_ids(ids, pad_id):
    real = ids != pad_id
    return (real.cumsum(1) * real + pad_id).int()


# %% right="a loop" exercise="roberta_position_ids"
def roberta_position_ids(ids, pad_id):
    result = torch.empty_like(ids)
    for b in range(ids.shape[0]):
        count = pad_id
        for t in range(ids.shape[1]):
            if ids[b, t] == pad_id:
                result[b, t] = pad_id
            else:
                count += 1
                result[b, t] = count
    return result


# %% right="chosen with where" exercise="roberta_position_ids"
def roberta_position_ids(ids, pad_id):
    real = ids != pad_id
    return torch.where(real, torch.cumsum(real, dim=1) + pad_id, torch.full_like(ids, pad_id))


# %% right="a product with a triangle" exercise="roberta_position_ids"
def roberta_position_ids(ids, pad_id):
    real = (ids != pad_id).double()
    T = ids.shape[1]
    earlier = torch.ones(T, T, dtype=torch.float64).triu()
    return ((real @ earlier) * real).round().long() + pad_id


# %% right="written under the mask, row by row" exercise="roberta_position_ids"
def roberta_position_ids(ids, pad_id):
    positions = torch.full_like(ids, pad_id)
    for row, real in zip(positions, ids.ne(pad_id)):
        row[real] = torch.arange(int(real.sum())) + pad_id + 1
    return positions


# %% right="numpy inside" exercise="roberta_position_ids"
import numpy as np


def roberta_position_ids(ids, pad_id):
    real = np.not_equal(ids.numpy(), pad_id)
    return torch.from_numpy(np.where(real, np.cumsum(real, axis=-1) + pad_id, pad_id).astype(np.int64))
