# %% wrong="view without transpose" exercise="split_heads" hint="mixes words and heads"
def split_heads(x, n_heads):
    B, T, D = x.shape
    return x.reshape(B, n_heads, T, D // n_heads)


# %% wrong="transpose forgotten" exercise="split_heads" hint="Axes in this order"
def split_heads(x, n_heads):
    B, T, D = x.shape
    return x.reshape(B, T, n_heads, D // n_heads)


# %% wrong="every H-th channel" exercise="split_heads" hint="not every H-th one"
def split_heads(x, n_heads):
    B, T, D = x.shape
    return x.reshape(B, T, D // n_heads, n_heads).permute(0, 3, 1, 2)


# %% wrong="n_heads taken for the width of a head" exercise="split_heads" hint="not their width"
def split_heads(x, n_heads):
    B, T, D = x.shape
    return x.reshape(B, T, D // n_heads, n_heads).transpose(1, 2)


# %% wrong="heads first" exercise="split_heads" hint="Axes in this order"
def split_heads(x, n_heads):
    return torch.stack(x.chunk(n_heads, dim=-1), dim=0)


# %% wrong="heads in reverse order" exercise="split_heads" hint="Cut the last axis into heads first"
def split_heads(x, n_heads):
    return torch.stack(x.chunk(n_heads, dim=-1)[::-1], dim=1)


# %% wrong="the whole width for every head" exercise="split_heads" hint="K = D / H channels"
def split_heads(x, n_heads):
    return x.unsqueeze(1).expand(-1, n_heads, -1, -1)


# %% wrong="words split instead of channels" exercise="split_heads" hint="Axes in this order"
def split_heads(x, n_heads):
    return torch.stack(x.transpose(1, 2).chunk(n_heads, dim=1), dim=1)


# %% wrong="view, which needs one order in memory" exercise="split_heads" hint="x may be a transposed tensor"
def split_heads(x, n_heads):
    B, T, D = x.shape
    flat = x.view(B, T * D)
    return flat.view(B, T, n_heads, D // n_heads).transpose(1, 2)


# %% wrong="turned into float" exercise="split_heads" hint="Only arrange the numbers"
def split_heads(x, n_heads):
    return torch.stack(x.float().chunk(n_heads, dim=-1), dim=1)


# %% right="chunk and stack" exercise="split_heads"
def split_heads(x, n_heads):
    return torch.stack(torch.chunk(x, n_heads, dim=2), dim=1)


# %% right="unflatten and permute" exercise="split_heads"
def split_heads(x, n_heads):
    return x.unflatten(-1, (n_heads, -1)).permute(0, 2, 1, 3)


# %% right="a slice for each head" exercise="split_heads"
def split_heads(x, n_heads):
    K = x.size(-1) // n_heads
    return torch.cat([x[:, None, :, h * K : (h + 1) * K] for h in range(n_heads)], dim=1)


# %% wrong="no swap" exercise="merge_heads" hint="mixes words and heads"
def merge_heads(x):
    B, H, T, K = x.shape
    return x.reshape(B, T, H * K)


# %% wrong="heads take turns" exercise="merge_heads" hint="they do not take turns"
def merge_heads(x):
    B, H, T, K = x.shape
    return x.permute(0, 2, 3, 1).reshape(B, T, K * H)


# %% wrong="heads averaged" exercise="merge_heads" hint="D = H * K is the last axis"
def merge_heads(x):
    return x.float().mean(1)


# %% wrong="heads added up" exercise="merge_heads" hint="D = H * K is the last axis"
def merge_heads(x):
    return x.sum(1)


# %% wrong="four axes left" exercise="merge_heads" hint="three axes are left"
def merge_heads(x):
    return x.transpose(1, 2)


# %% wrong="view after transpose" exercise="merge_heads" hint="Swap axes to [B,T,H,K] first"
def merge_heads(x):
    B, H, T, K = x.shape
    return x.transpose(1, 2).view(B, T, H * K)


# %% wrong="words joined instead of channels" exercise="merge_heads" hint="T the middle one"
def merge_heads(x):
    B, H, T, K = x.shape
    return x.reshape(B, H * T, K)


# %% wrong="copied into a new tensor of zeros" exercise="merge_heads" hint="no copy into a new tensor"
def merge_heads(x):
    B, H, T, K = x.shape
    out = torch.zeros(B, T, H * K)
    for h in range(H):
        out[:, :, h * K : (h + 1) * K] = x[:, h].detach()
    return out


# %% wrong="another name for x" exercise="merge_heads" hint="Keep the parameter"
def merge_heads(heads):
    B, H, T, K = heads.shape
    return heads.transpose(1, 2).reshape(B, T, H * K)


# %% wrong="swaps its input's axes in place" exercise="merge_heads" hint="in any layout in memory"
def merge_heads(x):
    B, H, T, K = x.shape
    return x.transpose_(1, 2).reshape(B, T, H * K)


# %% right="cat" exercise="merge_heads"
def merge_heads(x):
    return torch.cat([x[:, h] for h in range(x.shape[1])], dim=-1)


# %% right="permute and reshape" exercise="merge_heads"
def merge_heads(x):
    B, H, T, K = x.shape
    return x.permute(0, 2, 1, 3).reshape(B, T, H * K)


# %% right="contiguous and view" exercise="merge_heads"
def merge_heads(x):
    x = x.transpose(1, 2).contiguous()
    return x.view(x.size(0), x.size(1), -1)


# %% wrong="view without transpose" exercise="MultiHeadAttention" hint="Words and heads are mixed when splitting"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        B, T, D = x.shape
        S, K = memory.shape[1], D // self.H
        q = self.q_proj(x).reshape(B, self.H, T, K)
        k = self.k_proj(memory).reshape(B, self.H, S, K)
        v = self.v_proj(memory).reshape(B, self.H, S, K)
        out, weights = scaled_dot_product(q, k, v, mask)
        return self.out_proj(out.reshape(B, T, D)), weights


# %% wrong="merged without a swap" exercise="MultiHeadAttention" hint="Words and heads are mixed when merging"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(f(z), self.H) for f, z in ((self.q_proj, x), (self.k_proj, memory), (self.v_proj, memory))
        )
        out, weights = scaled_dot_product(q, k, v, mask)
        return self.out_proj(out.reshape(x.shape)), weights


# %% wrong="no output projection" exercise="MultiHeadAttention" hint="The last map is missing"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(f(z), self.H) for f, z in ((self.q_proj, x), (self.k_proj, memory), (self.v_proj, memory))
        )
        out, weights = scaled_dot_product(q, k, v, mask)
        return merge_heads(out), weights


# %% wrong="keys from x" exercise="MultiHeadAttention" hint="keys and values both come from the memory"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (split_heads(f(z), self.H) for f, z in ((self.q_proj, x), (self.k_proj, x), (self.v_proj, memory)))
        out, weights = scaled_dot_product(q, k, v, mask)
        return self.out_proj(merge_heads(out)), weights


# %% wrong="queries from the memory" exercise="MultiHeadAttention" hint="Queries come from x"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (split_heads(f(z), self.H) for f, z in ((self.q_proj, memory), (self.k_proj, x), (self.v_proj, x)))
        out, weights = scaled_dot_product(q, k, v, mask)
        return self.out_proj(merge_heads(out)), weights


# %% wrong="memory ignored" exercise="MultiHeadAttention" hint="The memory is not looked at"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        q, k, v = (split_heads(f(x), self.H) for f in (self.q_proj, self.k_proj, self.v_proj))
        out, weights = scaled_dot_product(q, k, v, mask)
        return self.out_proj(merge_heads(out)), weights


# %% wrong="scaled by D" exercise="MultiHeadAttention" hint="divided by the root of D"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(f(z), self.H) for f, z in ((self.q_proj, x), (self.k_proj, memory), (self.v_proj, memory))
        )
        out, weights = scaled_dot_product(q / math.sqrt(self.H), k, v, mask)
        return self.out_proj(merge_heads(out)), weights


# %% wrong="no biases" exercise="MultiHeadAttention" hint="with bias"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            nn.Linear(d_model, d_model, bias=False) for _ in range(4)
        )

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(f(z), self.H) for f, z in ((self.q_proj, x), (self.k_proj, memory), (self.v_proj, memory))
        )
        out, weights = scaled_dot_product(q, k, v, mask)
        return self.out_proj(merge_heads(out)), weights


# %% wrong="maps of other names" exercise="MultiHeadAttention" hint="q_proj, k_proj, v_proj and out_proj are nn.Linear"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (split_heads(f(z), self.H) for f, z in ((self.W_q, x), (self.W_k, memory), (self.W_v, memory)))
        out, weights = scaled_dot_product(q, k, v, mask)
        return self.W_o(merge_heads(out)), weights


# %% wrong="weights averaged over the heads" exercise="MultiHeadAttention" hint="not their average"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(f(z), self.H) for f, z in ((self.q_proj, x), (self.k_proj, memory), (self.v_proj, memory))
        )
        out, weights = scaled_dot_product(q, k, v, mask)
        return self.out_proj(merge_heads(out)), weights.mean(1)


# %% wrong="mask turned round" exercise="MultiHeadAttention" hint="True where something may be seen"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(f(z), self.H) for f, z in ((self.q_proj, x), (self.k_proj, memory), (self.v_proj, memory))
        )
        out, weights = scaled_dot_product(q, k, v, None if mask is None else ~mask)
        return self.out_proj(merge_heads(out)), weights


# %% wrong="mask given one axis too many" exercise="MultiHeadAttention" hint="broadcasts to [B,H,T,S] as it is"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(f(z), self.H) for f, z in ((self.q_proj, x), (self.k_proj, memory), (self.v_proj, memory))
        )
        if mask is not None:
            mask = mask.unsqueeze(1)
        out, weights = scaled_dot_product(q, k, v, mask)
        return self.out_proj(merge_heads(out)), weights


# %% wrong="mask forgotten" exercise="MultiHeadAttention" hint="The mask makes no difference"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(f(z), self.H) for f, z in ((self.q_proj, x), (self.k_proj, memory), (self.v_proj, memory))
        )
        out, weights = scaled_dot_product(q, k, v)
        return self.out_proj(merge_heads(out)), weights


# %% wrong="out alone" exercise="MultiHeadAttention" hint="Beside out come the weights"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(f(z), self.H) for f, z in ((self.q_proj, x), (self.k_proj, memory), (self.v_proj, memory))
        )
        return self.out_proj(merge_heads(scaled_dot_product(q, k, v, mask)[0]))


# %% wrong="residual connection added" exercise="MultiHeadAttention" hint="out = out_proj(v_proj(x))"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.H = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(f(z), self.H) for f, z in ((self.q_proj, x), (self.k_proj, memory), (self.v_proj, memory))
        )
        out, weights = scaled_dot_product(q, k, v, mask)
        return x + self.out_proj(merge_heads(out)), weights


# %% right="PyTorch's fused kernel, weights beside it" exercise="MultiHeadAttention"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.out_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.q_proj = nn.Linear(d_model, d_model)

    def forward(self, x, memory=None, mask=None):
        if memory is None:
            memory = x
        q, k, v = [
            t.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for t in (self.q_proj(x), self.k_proj(memory), self.v_proj(memory))
        ]
        scores = q @ k.mT / q.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        weights = scores.softmax(-1).nan_to_num(0.0)
        return self.out_proj((weights @ v).transpose(1, 2).flatten(2)), weights


# %% right="one combined product for the three maps" exercise="MultiHeadAttention"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self, name, nn.Linear(d_model, d_model))
        self.register_buffer("unused", torch.zeros(1))

    def forward(self, x, memory=None, mask=None):
        if memory is None:
            maps = (self.q_proj, self.k_proj, self.v_proj)
            weight = torch.cat([m.weight for m in maps])
            bias = torch.cat([m.bias for m in maps])
            q, k, v = nn.functional.linear(x, weight, bias).chunk(3, dim=-1)
        else:
            q, k, v = self.q_proj(x), self.k_proj(memory), self.v_proj(memory)
        out, weights = scaled_dot_product(*(split_heads(t, self.n_heads) for t in (q, k, v)), mask)
        return self.out_proj(merge_heads(out)), weights


# %% right="head by head" exercise="MultiHeadAttention"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = self.q_proj(x), self.k_proj(memory), self.v_proj(memory)
        if mask is not None:
            mask = mask.expand(x.shape[0], self.n_heads, x.shape[1], memory.shape[1])
        outs, tables = [], []
        for h, (qh, kh, vh) in enumerate(zip(*(t.chunk(self.n_heads, dim=2) for t in (q, k, v)))):
            out, table = scaled_dot_product(
                qh[:, None], kh[:, None], vh[:, None], None if mask is None else mask[:, h : h + 1]
            )
            outs.append(out[:, 0])
            tables.append(table)
        return self.out_proj(torch.cat(outs, dim=-1)), torch.cat(tables, dim=1)


# %% wrong="halves instead of turns" exercise="sinusoidal_positions" hint="All sines stand first"
def sinusoidal_positions(length, d_model):
    i = torch.arange(0, d_model, 2)
    angles = torch.arange(length)[:, None] / 10000 ** (i / d_model)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


# %% wrong="cosine first" exercise="sinusoidal_positions" hint="Sine and cosine have changed places"
def sinusoidal_positions(length, d_model):
    i = torch.arange(0, d_model, 2)
    angles = torch.arange(length)[:, None] / 10000 ** (i / d_model)
    return torch.stack([angles.cos(), angles.sin()], dim=-1).flatten(1)


# %% wrong="exponent i/D" exercise="sinusoidal_positions" hint="you have i/D"
def sinusoidal_positions(length, d_model):
    i = torch.arange(d_model // 2)
    angles = torch.arange(length)[:, None] / 10000 ** (i / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


# %% wrong="positions from 1" exercise="sinusoidal_positions" hint="Positions count from 0"
def sinusoidal_positions(length, d_model):
    i = torch.arange(0, d_model, 2)
    angles = torch.arange(1, length + 1)[:, None] / 10000 ** (i / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


# %% wrong="the exponent grows with every channel" exercise="sinusoidal_positions" hint="the exponent must not grow"
def sinusoidal_positions(length, d_model):
    c = torch.arange(d_model)
    angles = torch.arange(length)[:, None] / 10000 ** (c / d_model)
    return torch.where(c % 2 == 0, angles.sin(), angles.cos())


# %% wrong="multiplied instead of divided" exercise="sinusoidal_positions" hint="sin(t / 10000^(2i/D))"
def sinusoidal_positions(length, d_model):
    i = torch.arange(0, d_model, 2)
    angles = torch.arange(length)[:, None] * 10000 ** (i / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


# %% wrong="base 1000" exercise="sinusoidal_positions" hint="Channel 2i of row t"
def sinusoidal_positions(length, d_model):
    i = torch.arange(0, d_model, 2)
    angles = torch.arange(length)[:, None] / 1000 ** (i / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


# %% wrong="float64" exercise="sinusoidal_positions" hint="The result is float32"
def sinusoidal_positions(length, d_model):
    i = torch.arange(0, d_model, 2, dtype=torch.float64)
    angles = torch.arange(length, dtype=torch.float64)[:, None] / 10000 ** (i / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


# %% wrong="an axis for the texts" exercise="sinusoidal_positions" hint="no axis for the texts"
def sinusoidal_positions(length, d_model):
    i = torch.arange(0, d_model, 2)
    angles = torch.arange(length)[:, None] / 10000 ** (i / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[None]


# %% wrong="sines only" exercise="sinusoidal_positions" hint="The sines and cosines of one angle"
def sinusoidal_positions(length, d_model):
    c = torch.arange(d_model)
    return torch.sin(torch.arange(length)[:, None] / 10000 ** (c // 2 * 2 / d_model))


# %% right="stack and flatten" exercise="sinusoidal_positions"
def sinusoidal_positions(length, d_model):
    frequencies = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angles = torch.outer(torch.arange(length).float(), frequencies)
    return torch.stack([torch.sin(angles), torch.cos(angles)], dim=2).reshape(length, d_model)


# %% right="a cosine is a sine, a quarter turn on" exercise="sinusoidal_positions"
def sinusoidal_positions(length, d_model):
    c = torch.arange(d_model)
    t = torch.arange(length, dtype=torch.float64)[:, None]
    return torch.sin(t / 10000 ** (2 * (c // 2) / d_model).double() + (c % 2) * math.pi / 2).float()


# %% right="number by number" exercise="sinusoidal_positions"
def sinusoidal_positions(length, d_model):
    table = torch.zeros(length, d_model)
    for t in range(length):
        for i in range(d_model // 2):
            angle = t / 10000 ** (2 * i / d_model)
            table[t, 2 * i], table[t, 2 * i + 1] = math.sin(angle), math.cos(angle)
    return table


# %% right="exp of a logarithm, as the reference code has it" exercise="sinusoidal_positions"
def sinusoidal_positions(length, d_model):
    position = torch.arange(length).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
    pe = torch.zeros(length, d_model)
    pe[:, 0::2] = torch.sin(position * div_term)
    pe[:, 1::2] = torch.cos(position * div_term)
    return pe


# %% wrong="scaled twice" exercise="MultiHeadAttention" hint="scaled_dot_product does it already"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(part, self.n_heads) for part in (self.q_proj(x), self.k_proj(memory), self.v_proj(memory))
        )
        out, weights = scaled_dot_product(q / q.shape[-1] ** 0.5, k, v, mask)
        return self.out_proj(merge_heads(out)), weights


# %% wrong="-1e9 where nothing may be seen" exercise="MultiHeadAttention" hint="spreads them evenly"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(part, self.n_heads) for part in (self.q_proj(x), self.k_proj(memory), self.v_proj(memory))
        )
        scores = q @ k.mT / q.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -1e9)
        weights = scores.softmax(-1)
        return self.out_proj(merge_heads(weights @ v)), weights


# %% wrong="minus infinity, and NaN in rows that see nothing" exercise="MultiHeadAttention" hint="never NaN"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(part, self.n_heads) for part in (self.q_proj(x), self.k_proj(memory), self.v_proj(memory))
        )
        scores = q @ k.mT / q.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        weights = scores.softmax(-1)
        return self.out_proj(merge_heads(weights @ v)), weights


# %% wrong="weights detached" exercise="MultiHeadAttention" hint="no .detach()"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(part, self.n_heads) for part in (self.q_proj(x), self.k_proj(memory), self.v_proj(memory))
        )
        _, weights = scaled_dot_product(q, k, v, mask)
        return self.out_proj(merge_heads(weights.detach() @ v)), weights


# %% wrong="the mask of the first text for all" exercise="MultiHeadAttention" hint="still has weights that add up to 1"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(part, self.n_heads) for part in (self.q_proj(x), self.k_proj(memory), self.v_proj(memory))
        )
        out, weights = scaled_dot_product(q, k, v, mask[:1] if mask is not None and mask.dim() == 4 else mask)
        return self.out_proj(merge_heads(out)), weights


# %% wrong="the memory kept for the next call" exercise="MultiHeadAttention" hint="The module keeps a memory or a mask"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, x, memory=None, mask=None):
        if memory is None:
            memory = getattr(self, "last", x)
        self.last = memory
        q = split_heads(self.q_proj(x), self.n_heads)
        k = split_heads(self.k_proj(memory), self.n_heads)
        v = split_heads(self.v_proj(memory), self.n_heads)
        heads, weights = scaled_dot_product(q, k, v, mask)
        return self.out_proj(merge_heads(heads)), weights


# %% wrong="the mask kept for the next call" exercise="MultiHeadAttention" hint="The module keeps a memory or a mask"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, x, memory=None, mask=None):
        if memory is None:
            memory = x
        if mask is not None:
            self.mask = mask
        mask = getattr(self, "mask", None)
        q = split_heads(self.q_proj(x), self.n_heads)
        k = split_heads(self.k_proj(memory), self.n_heads)
        v = split_heads(self.v_proj(memory), self.n_heads)
        heads, weights = scaled_dot_product(q, k, v, mask)
        return self.out_proj(merge_heads(heads)), weights


# %% wrong="another name for mask" exercise="MultiHeadAttention" hint="Keep the names of the parameters"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, x, memory=None, attn_mask=None):
        if memory is None:
            memory = x
        q = split_heads(self.q_proj(x), self.n_heads)
        k = split_heads(self.k_proj(memory), self.n_heads)
        v = split_heads(self.v_proj(memory), self.n_heads)
        heads, weights = scaled_dot_product(q, k, v, attn_mask)
        return self.out_proj(merge_heads(heads)), weights


# %% wrong="another name for memory" exercise="MultiHeadAttention" hint="names of the parameters"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, x, context=None, mask=None):
        memory = x if context is None else context
        q = split_heads(self.q_proj(x), self.n_heads)
        k = split_heads(self.k_proj(memory), self.n_heads)
        v = split_heads(self.v_proj(memory), self.n_heads)
        heads, weights = scaled_dot_product(q, k, v, mask)
        return self.out_proj(merge_heads(heads)), weights


# %% right="float64 inside" exercise="MultiHeadAttention"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = (
            split_heads(part, self.n_heads) for part in (self.q_proj(x), self.k_proj(memory), self.v_proj(memory))
        )
        out, weights = scaled_dot_product(q.double(), k.double(), v.double(), mask)
        return self.out_proj(merge_heads(out.to(x.dtype))), weights.to(x.dtype)


# %% right="einsum, and weights drawn in another way" exercise="MultiHeadAttention"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads, self.K = n_heads, d_model // n_heads
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            linear = nn.Linear(d_model, d_model)
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
            setattr(self, name, linear)

    def heads(self, linear, x):
        weight, bias = linear.weight.view(self.n_heads, self.K, -1), linear.bias.view(self.n_heads, 1, self.K)
        return torch.einsum("btd,hkd->bhtk", x, weight) + bias

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        q, k, v = self.heads(self.q_proj, x), self.heads(self.k_proj, memory), self.heads(self.v_proj, memory)
        scores = torch.einsum("bhtk,bhsk->bhts", q, k) * self.K**-0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1)
        if mask is not None:
            weights = torch.where(mask.any(-1, keepdim=True), weights, torch.zeros_like(weights))
        out_weight = self.out_proj.weight.view(-1, self.n_heads, self.K)
        return torch.einsum("bhts,bhsk,dhk->btd", weights, v, out_weight) + self.out_proj.bias, weights


# %% right="the last map as a sum over heads" exercise="MultiHeadAttention"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, x, memory=None, mask=None):
        if memory is None:
            memory = x
        q = split_heads(self.q_proj(x), self.n_heads)
        k = split_heads(self.k_proj(memory), self.n_heads)
        v = split_heads(self.v_proj(memory), self.n_heads)
        heads, weights = scaled_dot_product(q, k, v, mask)
        W = self.out_proj.weight.view(-1, self.n_heads, q.shape[-1])
        return torch.einsum("bhtk,dhk->btd", heads, W) + self.out_proj.bias, weights


# %% right="a buffer for the scale, einsum" exercise="MultiHeadAttention"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        assert d_model % n_heads == 0
        self.h, self.k = n_heads, d_model // n_heads
        for name in ("out_proj", "v_proj", "k_proj", "q_proj"):
            setattr(self, name, nn.Linear(d_model, d_model, bias=True))
        self.register_buffer("scale", torch.tensor(self.k**-0.5))

    def forward(self, x, memory=None, mask=None):
        m = x if memory is None else memory
        q = self.q_proj(x).unflatten(-1, (self.h, self.k))
        k = self.k_proj(m).unflatten(-1, (self.h, self.k))
        v = self.v_proj(m).unflatten(-1, (self.h, self.k))
        s = torch.einsum("bthk,bshk->bhts", q, k) * self.scale
        if mask is not None:
            s = s.masked_fill(~mask, torch.finfo(s.dtype).min)
        w = s.softmax(-1)
        if mask is not None:
            w = w.masked_fill(~mask, 0.0)
        return self.out_proj(torch.einsum("bhts,bshk->bthk", w, v).flatten(2)), w


# %% wrong="a table of 512 positions" exercise="sinusoidal_positions" hint="for any length"
def sinusoidal_positions(length, d_model):
    angles = torch.arange(512)[:, None] / 10000 ** (torch.arange(0, d_model, 2) / d_model)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:length]


# %% wrong="whole division in the exponent" exercise="sinusoidal_positions" hint="Channel 2i of row t"
def sinusoidal_positions(length, d_model):
    angles = torch.arange(length)[:, None] / 10000 ** (torch.arange(0, d_model, 2) // d_model)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


# %% right="complex numbers" exercise="sinusoidal_positions"
def sinusoidal_positions(length, d_model):
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), speeds)
    hands = torch.polar(torch.ones_like(angles), angles)
    return torch.stack([hands.imag, hands.real], -1).flatten(1).float()


# %% wrong="split takes the size of a piece, not their number" exercise="split_heads" hint="not their width"
def split_heads(x, n_heads):
    return torch.stack(x.split(n_heads, dim=-1), dim=1)


# %% wrong="straight into the shape where T = H" exercise="split_heads" hint="mixes words and heads"
def split_heads(x, n_heads):
    B, T, D = x.shape
    if T == n_heads:
        return x.reshape(B, n_heads, T, D // n_heads)
    return x.reshape(B, T, n_heads, D // n_heads).transpose(1, 2)


# %% wrong="another name for n_heads" exercise="split_heads" hint="Keep the names of the parameters"
def split_heads(x, heads):
    B, T, D = x.shape
    return x.reshape(B, T, heads, D // heads).transpose(1, 2)


# %% right="view, which may cut an axis in any layout" exercise="split_heads"
def split_heads(x, n_heads):
    return x.view(x.shape[0], x.shape[1], n_heads, -1).transpose(1, 2)


# %% right="unfold" exercise="split_heads"
def split_heads(x, n_heads):
    K = x.shape[2] // n_heads
    return x.unfold(2, K, K).swapaxes(1, 2)
