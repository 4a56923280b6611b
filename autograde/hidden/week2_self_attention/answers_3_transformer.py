# %% wrong="unbiased variance" exercise="LayerNorm" hint="take correction=0"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True)
        return (x - mean) / torch.sqrt(variance + self.eps) * self.weight + self.bias


# %% wrong="eps outside the root" exercise="LayerNorm" hint="eps belongs inside the root"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean, deviation = x.mean(-1, keepdim=True), x.std(-1, keepdim=True, correction=0)
        return (x - mean) / (deviation + self.eps) * self.weight + self.bias


# %% wrong="std and eps behind it" exercise="LayerNorm" hint="taken with D - 1, and eps stands outside"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        return (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + self.eps) * self.weight + self.bias


# %% wrong="no affine map" exercise="LayerNorm" hint="weight and bias are missing"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(variance + self.eps)


# %% wrong="weight without bias" exercise="LayerNorm" hint="The bias is missing"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(variance + self.eps) * self.weight


# %% wrong="statistics detached" exercise="LayerNorm" hint="no .detach()"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean = x.mean(-1, keepdim=True).detach()
        variance = x.var(-1, keepdim=True, correction=0).detach()
        return (x - mean) / torch.sqrt(variance + self.eps) * self.weight + self.bias


# %% wrong="statistics over words and channels" exercise="LayerNorm" hint="over the last axis"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        axes = tuple(range(1, x.ndim)) if x.ndim > 2 else (-1,)
        mean, variance = x.mean(axes, keepdim=True), x.var(axes, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(variance + self.eps) * self.weight + self.bias


# %% wrong="statistics over the texts, as batch norm has them" exercise="LayerNorm" hint="over the last axis alone"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean, variance = x.mean(0, keepdim=True), x.var(0, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(variance + self.eps) * self.weight + self.bias


# %% wrong="eps fixed" exercise="LayerNorm" hint="eps is an argument"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(variance + 1e-5) * self.weight + self.bias


# %% wrong="divided by the variance" exercise="LayerNorm" hint="not by the variance"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
        return (x - mean) / (variance + self.eps) * self.weight + self.bias


# %% wrong="mean left in" exercise="LayerNorm" hint="Mean and variance over the last axis"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        return x / torch.sqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight + self.bias


# %% wrong="plain tensors instead of parameters" exercise="LayerNorm" hint="both are nn.Parameter"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = torch.ones(d_model)
        self.bias = torch.zeros(d_model)

    def forward(self, x):
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(variance + self.eps) * self.weight + self.bias


# %% wrong="weight starts at random" exercise="LayerNorm" hint="starts as ones"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.randn(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(variance + self.eps) * self.weight + self.bias


# %% right="PyTorch function" exercise="LayerNorm"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        return nn.functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


# %% right="var_mean and rsqrt" exercise="LayerNorm"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
        return torch.addcmul(self.bias, (x - mean) * torch.rsqrt(variance + self.eps), self.weight)


# %% right="mean of squares minus square of the mean" exercise="LayerNorm"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        wide = x.double()
        mean = wide.mean(-1, keepdim=True)
        variance = (wide * wide).mean(-1, keepdim=True) - mean**2
        return (((wide - mean) / (variance.clamp(min=0) + self.eps) ** 0.5) * self.weight + self.bias).to(x.dtype)


# %% wrong="no ReLU" exercise="FeedForward" hint="The ReLU is missing"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        return self.linear2(self.linear1(x))


# %% wrong="ReLU at the end too" exercise="FeedForward" hint="no ReLU behind the second map"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        return torch.relu(self.linear2(torch.relu(self.linear1(x))))


# %% wrong="GELU" exercise="FeedForward" hint="GELU came with BERT"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        return self.linear2(nn.functional.gelu(self.linear1(x)))


# %% wrong="residual inside" exercise="FeedForward" hint="belongs to the block around it"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        return x + self.linear2(torch.relu(self.linear1(x)))


# %% wrong="ReLU in front" exercise="FeedForward" hint="one ReLU, between the two"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        return self.linear2(self.linear1(torch.relu(x)))


# %% wrong="no biases" exercise="FeedForward" hint="both with bias"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff, bias=False)
        self.linear2 = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x):
        return self.linear2(torch.relu(self.linear1(x)))


# %% wrong="dropout" exercise="FeedForward" hint="no dropout"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        return self.linear2(nn.functional.dropout(torch.relu(self.linear1(x)), 0.5))


# %% wrong="a Sequential, so that the names differ" exercise="FeedForward" hint="linear1 is nn.Linear(d_model, d_ff)"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(d_model, d_ff), nn.ReLU(), nn.Linear(d_ff, d_model))

    def forward(self, x):
        return self.net(x)


# %% wrong="sigmoid" exercise="FeedForward" hint="linear1, then ReLU, then linear2"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        return self.linear2(torch.sigmoid(self.linear1(x)))


# %% wrong="averaged over the positions" exercise="FeedForward" hint="Each position goes through the same maps alone"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        hidden = torch.relu(self.linear1(x))
        return self.linear2(hidden.mean(1, keepdim=True).expand_as(hidden))


# %% wrong="ReLU6" exercise="FeedForward" hint="no upper end"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        return self.linear2(nn.functional.relu6(self.linear1(x)))


# %% right="clamp" exercise="FeedForward"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        return self.linear2(self.linear1(x).clamp(min=0))


# %% right="functional and position by position" exercise="FeedForward"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        rows = [self.linear2(nn.functional.relu(self.linear1(x[..., t, :]))) for t in range(x.shape[-2])]
        return torch.stack(rows, dim=-2)


# %% right="ReLU as a module" exercise="FeedForward"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1, self.activation, self.linear2 = nn.Linear(d_model, d_ff), nn.ReLU(), nn.Linear(d_ff, d_model)

    def forward(self, x):
        return self.linear2(self.activation(self.linear1(x)))


# %% wrong="residual from the normalised input" exercise="EncoderBlock" hint="not the normalised x"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            x = self.norm1(x)
            x = x + self.self_attn(x, mask=mask)
            x = self.norm2(x)
            return x + self.feed_forward(x)
        h = self.norm1(x + self.self_attn(x, mask=mask))
        return self.norm2(h + self.feed_forward(h))


# %% wrong="second residual from the normalised sum" exercise="EncoderBlock" hint="its input before the norm"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask=mask)
            n = self.norm2(h)
            return n + self.feed_forward(n)
        h = self.norm1(x + self.self_attn(x, mask=mask))
        return self.norm2(h + self.feed_forward(h))


# %% wrong="pre_norm ignored" exercise="EncoderBlock" hint="pre_norm=True makes no difference"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        h = self.norm1(x + self.self_attn(x, mask=mask))
        return self.norm2(h + self.feed_forward(h))


# %% wrong="always pre-norm" exercise="EncoderBlock" hint="That is the pre-norm block"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        h = x + self.self_attn(self.norm1(x), mask=mask)
        return h + self.feed_forward(self.norm2(h))


# %% wrong="kinds exchanged" exercise="EncoderBlock" hint="That is the pre-norm block"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if not self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask=mask)
            return h + self.feed_forward(self.norm2(h))
        h = self.norm1(x + self.self_attn(x, mask=mask))
        return self.norm2(h + self.feed_forward(h))


# %% wrong="no residual around the attention" exercise="EncoderBlock" hint="The residual around the attention is missing"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = self.self_attn(self.norm1(x), mask=mask)
            return h + self.feed_forward(self.norm2(h))
        h = self.norm1(self.self_attn(x, mask=mask))
        return self.norm2(h + self.feed_forward(h))


# %% wrong="no residual around the feed-forward part" exercise="EncoderBlock" hint="around the feed-forward part is missing"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask=mask)
            return self.feed_forward(self.norm2(h))
        h = self.norm1(x + self.self_attn(x, mask=mask))
        return self.norm2(self.feed_forward(h))


# %% wrong="normalised before it is added" exercise="EncoderBlock" hint="Add first, then normalise"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask=mask)
            return h + self.feed_forward(self.norm2(h))
        h = x + self.norm1(self.self_attn(x, mask=mask))
        return h + self.norm2(self.feed_forward(h))


# %% wrong="x again as the second residual" exercise="EncoderBlock" hint="The second residual is what came out of the first norm"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask=mask)
            return h + self.feed_forward(self.norm2(h))
        h = self.norm1(x + self.self_attn(x, mask=mask))
        return self.norm2(x + self.feed_forward(h))


# %% wrong="norms exchanged" exercise="EncoderBlock" hint="norm1 and norm2 have changed places"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask=mask)
            return h + self.feed_forward(self.norm2(h))
        h = self.norm2(x + self.self_attn(x, mask=mask))
        return self.norm1(h + self.feed_forward(h))


# %% wrong="norm between the parts missing" exercise="EncoderBlock" hint="The norm between the two parts is missing"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask=mask)
            return h + self.feed_forward(self.norm2(h))
        h = x + self.self_attn(x, mask=mask)
        return self.norm2(h + self.feed_forward(h))


# %% wrong="mask forgotten" exercise="EncoderBlock" hint="The mask makes no difference"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x))
            return h + self.feed_forward(self.norm2(h))
        h = self.norm1(x + self.self_attn(x))
        return self.norm2(h + self.feed_forward(h))


# %% wrong="mask given as the memory" exercise="EncoderBlock" hint="The mask goes into the self-attention"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask)
            return h + self.feed_forward(self.norm2(h))
        h = self.norm1(x + self.self_attn(x, mask))
        return self.norm2(h + self.feed_forward(h))


# %% wrong="causal by itself" exercise="EncoderBlock" hint="not causal by itself"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        T = x.shape[1]
        past = torch.ones(T, T, dtype=torch.bool).tril()
        mask = past if mask is None else mask & past
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask=mask)
            return h + self.feed_forward(self.norm2(h))
        h = self.norm1(x + self.self_attn(x, mask=mask))
        return self.norm2(h + self.feed_forward(h))


# %% wrong="pre-norm with a norm at the end" exercise="EncoderBlock" hint="does not normalise its sum"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask=mask)
            return self.norm2(h + self.feed_forward(h))
        h = self.norm1(x + self.self_attn(x, mask=mask))
        return self.norm2(h + self.feed_forward(h))


# %% wrong="one norm for both places" exercise="EncoderBlock" hint="under these names, and no parameters besides"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1 = LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask=mask)
            return h + self.feed_forward(self.norm1(h))
        h = self.norm1(x + self.self_attn(x, mask=mask))
        return self.norm1(h + self.feed_forward(h))


# %% wrong="attention and feed-forward side by side" exercise="EncoderBlock" hint="h = LN1(x + attention(x))"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask=mask)
            return h + self.feed_forward(self.norm2(h))
        return self.norm2(x + self.self_attn(x, mask=mask) + self.feed_forward(self.norm1(x)))


# %% right="a function for the frame around each part" exercise="EncoderBlock"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        def frame(x, norm, part):
            return x + part(norm(x)) if self.pre_norm else norm(x + part(x))

        x = frame(x, self.norm1, lambda z: self.self_attn(z, mask=mask))
        return frame(x, self.norm2, self.feed_forward)


# %% right="PyTorch's layer norm" exercise="EncoderBlock"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask=mask)
            return h + self.feed_forward(self.norm2(h))
        h = self.norm1(x + self.self_attn(x, mask=mask))
        return self.norm2(h + self.feed_forward(h))


# %% right="arguments by position, memory named" exercise="EncoderBlock"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        y = self.norm1(x) if self.pre_norm else x
        x = x + self.self_attn(y, y, mask)
        x = x if self.pre_norm else self.norm1(x)
        y = self.norm2(x) if self.pre_norm else x
        x = x + self.feed_forward(y)
        return x if self.pre_norm else self.norm2(x)


# %% wrong="causal mask on the cross-attention" exercise="DecoderBlock" hint="The cross-attention got the causal mask too"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            x = x + self.cross_attn(self.norm2(x), memory, mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, None, mask))
        x = self.norm2(x + self.cross_attn(x, memory, mask))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="masks exchanged" exercise="DecoderBlock" hint="The masks have changed places"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, memory_mask)
            x = x + self.cross_attn(self.norm2(x), memory, mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, None, memory_mask))
        x = self.norm2(x + self.cross_attn(x, memory, mask))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="memory mask forgotten" exercise="DecoderBlock" hint="memory_mask makes no difference"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            x = x + self.cross_attn(self.norm2(x), memory)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, None, mask))
        x = self.norm2(x + self.cross_attn(x, memory))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="mask forgotten" exercise="DecoderBlock" hint="The mask makes no difference"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x))
            x = x + self.cross_attn(self.norm2(x), memory, memory_mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x))
        x = self.norm2(x + self.cross_attn(x, memory, memory_mask))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="causal by itself" exercise="DecoderBlock" hint="The caller passes the causal mask"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        past = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        mask = past if mask is None else mask & past
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            x = x + self.cross_attn(self.norm2(x), memory, memory_mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, None, mask))
        x = self.norm2(x + self.cross_attn(x, memory, memory_mask))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="looks across at itself" exercise="DecoderBlock" hint="the decoder's own words"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            x = x + self.cross_attn(self.norm2(x), memory, memory_mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, None, mask))
        x = self.norm2(x + self.cross_attn(x))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="queries from the memory" exercise="DecoderBlock" hint="LN2 of that and its look at the memory"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            x = x + self.cross_attn(self.norm2(x), memory, memory_mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, None, mask))
        x = self.norm2(x + self.cross_attn(memory, x).mean(1, keepdim=True))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="cross-attention first" exercise="DecoderBlock" hint="Self-attention comes first"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            x = x + self.cross_attn(self.norm2(x), memory, memory_mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.cross_attn(x, memory, memory_mask))
        x = self.norm2(x + self.self_attn(x, None, mask))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="cross-attention left out" exercise="DecoderBlock" hint="The cross-attention is missing"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, None, mask))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="no residual around the cross-attention" exercise="DecoderBlock" hint="The residual around the cross-attention is missing"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            x = x + self.cross_attn(self.norm2(x), memory, memory_mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, None, mask))
        x = self.norm2(self.cross_attn(x, memory, memory_mask))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="norms exchanged" exercise="DecoderBlock" hint="The norms have changed places"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            x = x + self.cross_attn(self.norm2(x), memory, memory_mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, None, mask))
        x = self.norm3(x + self.cross_attn(x, memory, memory_mask))
        return self.norm2(x + self.feed_forward(x))


# %% wrong="last norm forgotten" exercise="DecoderBlock" hint="The last norm is missing"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            x = x + self.cross_attn(self.norm2(x), memory, memory_mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, None, mask))
        x = self.norm2(x + self.cross_attn(x, memory, memory_mask))
        return x + self.feed_forward(x)


# %% wrong="normalised before it is added" exercise="DecoderBlock" hint="Add first, then normalise"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            x = x + self.cross_attn(self.norm2(x), memory, memory_mask)
            return x + self.feed_forward(self.norm3(x))
        x = x + self.norm1(self.self_attn(x, None, mask))
        x = x + self.norm2(self.cross_attn(x, memory, memory_mask))
        return x + self.norm3(self.feed_forward(x))


# %% wrong="residual from the normalised input" exercise="DecoderBlock" hint="not its normalised form"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = self.norm1(x)
            x = x + self.self_attn(x, None, mask)
            x = self.norm2(x)
            x = x + self.cross_attn(x, memory, memory_mask)
            x = self.norm3(x)
            return x + self.feed_forward(x)
        x = self.norm1(x + self.self_attn(x, None, mask))
        x = self.norm2(x + self.cross_attn(x, memory, memory_mask))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="memory normalised too" exercise="DecoderBlock" hint="The memory is used as it comes"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            x = x + self.cross_attn(self.norm2(x), self.norm2(memory), memory_mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, None, mask))
        x = self.norm2(x + self.cross_attn(x, memory, memory_mask))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="pre_norm ignored" exercise="DecoderBlock" hint="Each part sees the normalised sum"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        x = self.norm1(x + self.self_attn(x, None, mask))
        x = self.norm2(x + self.cross_attn(x, memory, memory_mask))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="memory detached" exercise="DecoderBlock" hint="The encoder learns through the memory"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            x = x + self.cross_attn(self.norm2(x), memory.detach(), memory_mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, None, mask))
        x = self.norm2(x + self.cross_attn(x, memory.detach(), memory_mask))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="one attention for both" exercise="DecoderBlock" hint="under these names, and no parameters besides"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            x = x + self.self_attn(self.norm2(x), memory, memory_mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, None, mask))
        x = self.norm2(x + self.self_attn(x, memory, memory_mask))
        return self.norm3(x + self.feed_forward(x))


# %% wrong="only the first word of the memory" exercise="DecoderBlock" hint="Each word of the target looks at the whole memory"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), None, mask)
            x = x + self.cross_attn(self.norm2(x), memory[:, :1])
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, None, mask))
        x = self.norm2(x + self.cross_attn(x, memory[:, :1]))
        return self.norm3(x + self.feed_forward(x))


# %% right="a function for the frame around each part" exercise="DecoderBlock"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        def frame(x, norm, part):
            return x + part(norm(x)) if self.pre_norm else norm(x + part(x))

        x = frame(x, self.norm1, lambda z: self.self_attn(z, mask=mask))
        x = frame(x, self.norm2, lambda z: self.cross_attn(z, memory=memory, mask=memory_mask))
        return frame(x, self.norm3, self.feed_forward)


# %% right="PyTorch's layer norm, arguments by name" exercise="DecoderBlock"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            x = x + self.self_attn(self.norm1(x), mask=mask)
            x = x + self.cross_attn(self.norm2(x), mask=memory_mask, memory=memory)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attn(x, mask=mask))
        x = self.norm2(x + self.cross_attn(x, mask=memory_mask, memory=memory))
        return self.norm3(x + self.feed_forward(x))


# %% right="step by step" exercise="DecoderBlock"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.cross_attn = (MultiHeadAttention(d_model, n_heads) for _ in range(2))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        pre = self.pre_norm
        y = self.norm1(x) if pre else x
        x = x + self.self_attn(y, y, mask)
        if not pre:
            x = self.norm1(x)
        y = self.norm2(x) if pre else x
        x = x + self.cross_attn(y, memory, memory_mask)
        if not pre:
            x = self.norm2(x)
        y = self.norm3(x) if pre else x
        x = x + self.feed_forward(y)
        return x if pre else self.norm3(x)


# %% wrong="encoder made causal" exercise="Transformer" hint="The encoder is causal"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        S = src_ids.shape[1]
        mask = torch.ones(S, S, dtype=torch.bool).tril()
        for block in self.encoder_blocks:
            x = block(x, mask if src_mask is None else mask & src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="decoder not causal" exercise="Transformer" hint="decode makes the causal mask itself"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, None, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="embeddings not scaled" exercise="Transformer" hint="not multiplied by the root of D"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="positions scaled too" exercise="Transformer" hint="multiplies the embeddings alone"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = (self.src_embed(src_ids) + sinusoids(src_ids.shape[1], self.d_model)) * self.d_model**0.5
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="no positions in the encoder" exercise="Transformer" hint="The positions are missing on the encoder's side"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="no positions in the decoder" exercise="Transformer" hint="The positions are missing on the decoder's side"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="last norms missing" exercise="Transformer" hint="with encoder_norm and decoder_norm where pre_norm is True"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.Identity()
        self.decoder_norm = nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="last norms there but not used" exercise="Transformer" hint="The last norm is missing"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return x

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(x)


# %% wrong="last norms in post-norm models too" exercise="Transformer" hint="no other parameters"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder_norm = nn.LayerNorm(d_model)
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="source mask forgotten in decode" exercise="Transformer" hint="src_mask makes no difference in decode"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask)
        return self.output(self.decoder_norm(x))


# %% wrong="source mask forgotten in encode" exercise="Transformer" hint="src_mask makes no difference in encode"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="causal mask on the cross-attention" exercise="Transformer" hint="under a causal mask"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, mask)
        return self.output(self.decoder_norm(x))


# %% wrong="one embedding for both sides" exercise="Transformer" hint="one and the same object"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed = self.tgt_embed = nn.Embedding(max(src_vocab_size, tgt_vocab_size), d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="softmax at the end" exercise="Transformer" hint="no softmax"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x)).softmax(-1)


# %% wrong="only the last block" exercise="Transformer" hint="Not all blocks are used"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        x = self.encoder_blocks[0](x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="the same block several times" exercise="Transformer" hint="one and the same object"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes)] * n_layers)
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="blocks in a plain list" exercise="Transformer" hint="no other parameters"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = [EncoderBlock(*sizes) for _ in range(n_layers)]
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="memory detached" exercise="Transformer" hint="teaches the encoder too"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory.detach(), mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% right="positions kept as a buffer" exercise="Transformer"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)
        self.register_buffer("positions", sinusoids(512, d_model), persistent=False)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + self.positions[: src_ids.shape[1]]
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + self.positions[:T]
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% right="norms only where they are needed" exercise="Transformer"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.pre_norm = pre_norm
        if pre_norm:
            self.encoder_norm, self.decoder_norm = LayerNorm(d_model), LayerNorm(d_model)
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x) if self.pre_norm else x

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        x = self.decoder_norm(x) if self.pre_norm else x
        return self.output(x)


# %% right="mask by comparing positions, one shared beginning" exercise="Transformer"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.begin(self.src_embed, src_ids)
        for block in self.encoder_blocks:
            x = block(x, mask=src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        x, steps = self.begin(self.tgt_embed, tgt_ids), torch.arange(tgt_ids.shape[1])
        for block in self.decoder_blocks:
            x = block(x, memory, mask=(steps <= steps[:, None])[None, None], memory_mask=src_mask)
        return self.output(self.decoder_norm(x))

    @staticmethod
    def begin(table, ids):
        width = table.weight.shape[1]
        return math.sqrt(width) * table(ids) + sinusoids(ids.shape[1], width)[None]


# %% wrong="mean and variance without keepdim" exercise="LayerNorm" hint="Statistics over the last axis only"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps, self.weight, self.bias = eps, nn.Parameter(torch.ones(d_model)), nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean, variance = x.mean(-1), x.var(-1, correction=0)
        return (x - mean) / (variance + self.eps).sqrt() * self.weight + self.bias


# %% wrong="an eps of 0 taken for the default" exercise="LayerNorm" hint="no default in place of 0"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps or 1e-5
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = x.var(-1, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(var + self.eps) * self.weight + self.bias


# %% wrong="another default for eps" exercise="LayerNorm" hint="eps is 1e-5 where nothing else is said"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = x.var(-1, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(var + self.eps) * self.weight + self.bias


# %% wrong="a default for eps that is next to nothing" exercise="LayerNorm" hint="small differences blow up"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-12):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = x.var(-1, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(var + self.eps) * self.weight + self.bias


# %% wrong="a weight that does not learn" exercise="LayerNorm" hint="leave requires_grad on"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = x.var(-1, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(var + self.eps) * self.weight + self.bias


# %% right="a subclass of PyTorch's own" exercise="LayerNorm"
class LayerNorm(nn.LayerNorm):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model, eps=eps)


# %% right="var_mean" exercise="LayerNorm"
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        var, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
        return (x - mean) / torch.sqrt(var + self.eps) * self.weight + self.bias


# %% right="a Sequential with names" exercise="FeedForward"
class FeedForward(nn.Sequential):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.add_module("linear1", nn.Linear(d_model, d_ff))
        self.add_module("relu", nn.ReLU())
        self.add_module("linear2", nn.Linear(d_ff, d_model))


# %% right="torch.where" exercise="FeedForward"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        a = self.linear1(x)
        return self.linear2(torch.where(a > 0, a, 0.0 * a))


# %% wrong="keys and values not normalised in pre-norm" exercise="EncoderBlock" hint="Keys and values come from the"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.feed_forward = MultiHeadAttention(d_model, n_heads), FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), x, mask)
            return h + self.feed_forward(self.norm2(h))
        h = self.norm1(x + self.self_attn(x, mask=mask))
        return self.norm2(h + self.feed_forward(h))


# %% wrong="mask forgotten in pre-norm alone" exercise="EncoderBlock" hint="The mask makes no difference"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.pre_norm = pre_norm
        self.self_attn, self.feed_forward = MultiHeadAttention(d_model, n_heads), FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x))
            return h + self.feed_forward(self.norm2(h))
        h = self.norm1(x + self.self_attn(x, mask=mask))
        return self.norm2(h + self.feed_forward(h))


# %% wrong="third residual from before the cross-attention" exercise="DecoderBlock" hint="the look at the memory included"
class DecoderBlock(EncoderBlock):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__(d_model, n_heads, d_ff, pre_norm)
        self.pre_norm = pre_norm
        self.cross_attn, self.norm3 = MultiHeadAttention(d_model, n_heads), LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask=mask)
            g = h + self.cross_attn(self.norm2(h), memory, memory_mask)
            return h + self.feed_forward(self.norm3(g))
        h = self.norm1(x + self.self_attn(x, mask=mask))
        g = self.norm2(h + self.cross_attn(h, memory, memory_mask))
        return self.norm3(h + self.feed_forward(g))


# %% wrong="kinds exchanged" exercise="DecoderBlock" hint="That is the pre-norm block"
class DecoderBlock(EncoderBlock):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__(d_model, n_heads, d_ff, pre_norm)
        self.post_norm = pre_norm
        self.cross_attn, self.norm3 = MultiHeadAttention(d_model, n_heads), LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None):
        parts = (
            (self.norm1, lambda y: self.self_attn(y, mask=mask)),
            (self.norm2, lambda y: self.cross_attn(y, memory, memory_mask)),
            (self.norm3, self.feed_forward),
        )
        for norm, part in parts:
            x = norm(x + part(x)) if self.post_norm else x + part(norm(x))
        return x


# %% wrong="both masks joined where they fit" exercise="DecoderBlock" hint="in the cross-attention"
class DecoderBlock(EncoderBlock):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__(d_model, n_heads, d_ff, pre_norm)
        self.pre_norm = pre_norm
        self.cross_attn, self.norm3 = MultiHeadAttention(d_model, n_heads), LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if mask is not None and memory_mask is not None and memory.shape[1] == x.shape[1]:
            memory_mask = memory_mask & mask
        parts = (
            (self.norm1, lambda y: self.self_attn(y, mask=mask)),
            (self.norm2, lambda y: self.cross_attn(y, memory, memory_mask)),
            (self.norm3, self.feed_forward),
        )
        for norm, part in parts:
            x = x + part(norm(x)) if self.pre_norm else norm(x + part(x))
        return x


# %% right="built upon the encoder's block" exercise="DecoderBlock"
class DecoderBlock(EncoderBlock):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__(d_model, n_heads, d_ff, pre_norm)
        self.before = pre_norm
        self.cross_attn, self.norm3 = MultiHeadAttention(d_model, n_heads), LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None):
        parts = (
            (self.norm1, lambda y: self.self_attn(y, mask=mask)),
            (self.norm2, lambda y: self.cross_attn(y, memory, memory_mask)),
            (self.norm3, self.feed_forward),
        )
        for norm, part in parts:
            x = x + part(norm(x)) if self.before else norm(x + part(x))
        return x


# %% wrong="a table of 100 positions" exercise="Transformer" hint="too short one day"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(100, self.d_model)[:T]
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="pre_norm not handed on to the blocks" exercise="Transformer" hint="hand pre_norm on to them"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="causal mask upside down" exercise="Transformer" hint="The causal mask is upside down"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).triu()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% wrong="each decoder block starts from the words" exercise="Transformer" hint="each one gets what came out of the one before"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            y = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(y))


# %% wrong="embeddings divided by the root" exercise="Transformer" hint="not divided"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model = d_model
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        sizes = (d_model, n_heads, d_ff, pre_norm)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(*sizes) for _ in range(n_layers)])
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()
        self.output = nn.Linear(d_model, tgt_vocab_size)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) / self.d_model**0.5 + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x)

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        x = self.tgt_embed(tgt_ids) / self.d_model**0.5 + sinusoids(T, self.d_model)
        for block in self.decoder_blocks:
            x = block(x, memory, mask, src_mask)
        return self.output(self.decoder_norm(x))


# %% right="a Sequential of linear1 and linear2 beside them" exercise="FeedForward"
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.net = nn.Sequential(self.linear1, nn.ReLU(), self.linear2)

    def forward(self, x):
        return self.net(x)


# %% wrong="x += in pre-norm" exercise="EncoderBlock" hint="nothing is written into x"
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.self_attn, self.feed_forward = MultiHeadAttention(d_model, n_heads), FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.pre_norm = LayerNorm(d_model), LayerNorm(d_model), pre_norm

    def forward(self, x, mask=None):
        if self.pre_norm:
            x += self.self_attn(self.norm1(x), mask=mask)
            return x + self.feed_forward(self.norm2(x))
        x = self.norm1(x + self.self_attn(x, mask=mask))
        return self.norm2(x + self.feed_forward(x))


# %% wrong="self_attn and cross_attn are one object" exercise="DecoderBlock" hint="one and the same object"
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, pre_norm=False):
        super().__init__()
        self.self_attn = self.cross_attn = MultiHeadAttention(d_model, n_heads)
        self.feed_forward, self.pre_norm = FeedForward(d_model, d_ff), pre_norm
        self.norm1, self.norm2, self.norm3 = LayerNorm(d_model), LayerNorm(d_model), LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.pre_norm:
            h = x + self.self_attn(self.norm1(x), mask=mask)
            g = h + self.cross_attn(self.norm2(h), memory, mask=memory_mask)
            return g + self.feed_forward(self.norm3(g))
        h = self.norm1(x + self.self_attn(x, mask=mask))
        g = self.norm2(h + self.cross_attn(h, memory, mask=memory_mask))
        return self.norm3(g + self.feed_forward(g))


# %% wrong="no word sees itself" exercise="Transformer" hint="A word does not see itself"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model, n_heads, d_ff, n_layers, pre_norm=False):
        super().__init__()
        self.d_model, self.pre_norm = d_model, pre_norm
        self.src_embed, self.tgt_embed = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        self.encoder_blocks = nn.ModuleList([EncoderBlock(d_model, n_heads, d_ff, pre_norm) for _ in range(n_layers)])
        self.decoder_blocks = nn.ModuleList([DecoderBlock(d_model, n_heads, d_ff, pre_norm) for _ in range(n_layers)])
        self.output = nn.Linear(d_model, tgt_vocab_size)
        if pre_norm:
            self.encoder_norm, self.decoder_norm = LayerNorm(d_model), LayerNorm(d_model)

    def encode(self, src_ids, src_mask=None):
        x = self.src_embed(src_ids) * self.d_model**0.5
        x = x + sinusoids(src_ids.shape[1], self.d_model)
        for block in self.encoder_blocks:
            x = block(x, src_mask)
        return self.encoder_norm(x) if self.pre_norm else x

    def decode(self, tgt_ids, memory, src_mask=None):
        T = tgt_ids.shape[1]
        x = self.tgt_embed(tgt_ids) * self.d_model**0.5
        x = x + sinusoids(T, self.d_model)
        causal = torch.ones(T, T, dtype=torch.bool).tril(-1)
        for block in self.decoder_blocks:
            x = block(x, memory, causal, src_mask)
        return self.output(self.decoder_norm(x) if self.pre_norm else x)
