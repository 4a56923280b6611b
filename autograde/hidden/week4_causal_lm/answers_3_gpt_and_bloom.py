# %% wrong="the ratio is always 1/2" exercise="alibi_slopes" hint="ratio is always 1/2"
def alibi_slopes(n_heads):
    return 2.0 ** -torch.arange(1, n_heads + 1).float()


# %% wrong="the formula for powers of two everywhere" exercise="alibi_slopes" hint="formula for powers of two"
def alibi_slopes(n_heads):
    return torch.tensor([2.0 ** (-8 * h / n_heads) for h in range(1, n_heads + 1)])


# %% wrong="starts at 1" exercise="alibi_slopes" hint="starts at its own ratio"
def alibi_slopes(n_heads):
    below = 2 ** (n_heads.bit_length() - 1)
    slopes = [2.0 ** (-8 * h / below) for h in range(below)]
    doubled = [2.0 ** (-4 * h / below) for h in range(2 * below)]
    return torch.tensor(slopes + doubled[::2][: n_heads - below])


# %% wrong="flattest first" exercise="alibi_slopes" hint="the other order"
def alibi_slopes(n_heads):
    below = 2 ** (n_heads.bit_length() - 1)
    slopes = [2.0 ** (-8 * h / below) for h in range(below, 0, -1)]
    doubled = [2.0 ** (-4 * h / below) for h in range(1, 2 * below + 1)]
    return torch.tensor(slopes + doubled[::2][: n_heads - below])


# %% wrong="negative slopes" exercise="alibi_slopes" hint="slopes are negative"
def alibi_slopes(n_heads):
    below = 2 ** (n_heads.bit_length() - 1)
    slopes = [2.0 ** (-8 * h / below) for h in range(1, below + 1)]
    doubled = [2.0 ** (-4 * h / below) for h in range(1, 2 * below + 1)]
    return -torch.tensor(slopes + doubled[::2][: n_heads - below])


# %% wrong="the doubled series from its second on" exercise="alibi_slopes" hint="start at the second"
def alibi_slopes(n_heads):
    below = 2 ** (n_heads.bit_length() - 1)
    slopes = [2.0 ** (-8 * h / below) for h in range(1, below + 1)]
    doubled = [2.0 ** (-4 * h / below) for h in range(1, 2 * below + 1)]
    return torch.tensor(slopes + doubled[1::2][: n_heads - below])


# %% wrong="the first ones of the doubled series" exercise="alibi_slopes" hint="first ones of the doubled series"
def alibi_slopes(n_heads):
    below = 2 ** (n_heads.bit_length() - 1)
    slopes = [2.0 ** (-8 * h / below) for h in range(1, below + 1)]
    doubled = [2.0 ** (-4 * h / below) for h in range(1, 2 * below + 1)]
    return torch.tensor(slopes + doubled[: n_heads - below])


# %% wrong="sorted" exercise="alibi_slopes" hint="slopes are sorted"
def alibi_slopes(n_heads):
    below = 2 ** (n_heads.bit_length() - 1)
    slopes = [2.0 ** (-8 * h / below) for h in range(1, below + 1)]
    doubled = [2.0 ** (-4 * h / below) for h in range(1, 2 * below + 1)]
    return torch.tensor(sorted(slopes + doubled[::2][: n_heads - below], reverse=True))


# %% wrong="the power of two above, cut off" exercise="alibi_slopes" hint="power of two above, cut off"
def alibi_slopes(n_heads):
    above = 2 ** math.ceil(math.log2(n_heads))
    return torch.tensor([2.0 ** (-8 * h / above) for h in range(1, n_heads + 1)])


import math


# %% wrong="every other one of the same series" exercise="alibi_slopes" hint="taken from the same power of two"
def alibi_slopes(n_heads):
    below = 2 ** (n_heads.bit_length() - 1)
    slopes = [2.0 ** (-8 * h / below) for h in range(1, below + 1)]
    return torch.tensor(slopes + slopes[::2][: n_heads - below])


# %% wrong="exponents" exercise="alibi_slopes" hint="These are the exponents"
def alibi_slopes(n_heads):
    below = 2 ** (n_heads.bit_length() - 1)
    slopes = [8 * h / below for h in range(1, below + 1)]
    doubled = [4 * h / below for h in range(1, 2 * below + 1)]
    return torch.tensor(slopes + doubled[::2][: n_heads - below])


# %% wrong="float64" exercise="alibi_slopes" hint="float32"
def alibi_slopes(n_heads):
    below = 2 ** (n_heads.bit_length() - 1)
    slopes = [2.0 ** (-8 * h / below) for h in range(1, below + 1)]
    doubled = [2.0 ** (-4 * h / below) for h in range(1, 2 * below + 1)]
    return torch.tensor(slopes + doubled[::2][: n_heads - below], dtype=torch.float64)


# %% right="recursion, as in the released code" exercise="alibi_slopes"
def alibi_slopes(n_heads):
    if n_heads & (n_heads - 1) == 0:
        ratio = 2 ** (-8 / n_heads)
        return torch.tensor([ratio ** (h + 1) for h in range(n_heads)])
    below = 2 ** (n_heads.bit_length() - 1)
    return torch.cat([alibi_slopes(below), alibi_slopes(2 * below)[0::2][: n_heads - below]])


# %% right="tensors" exercise="alibi_slopes"
def alibi_slopes(n_heads):
    import math

    below = 2 ** math.floor(math.log2(n_heads))
    first = torch.arange(1, below + 1) * (8 / below)
    rest = (2 * torch.arange(n_heads - below) + 1) * (4 / below)
    return torch.pow(2.0, -torch.cat([first, rest]))


# %% right="numpy, cumulative products" exercise="alibi_slopes"
def alibi_slopes(n_heads):
    import numpy as np

    below = 1
    while 2 * below <= n_heads:
        below *= 2
    first = np.cumprod(np.full(below, 2 ** (-8 / below)))
    doubled = np.cumprod(np.full(2 * below, 2 ** (-4 / below)))
    return torch.from_numpy(np.concatenate([first, doubled[::2][: n_heads - below]]).astype(np.float32))


# %% right="one slope at a time" exercise="alibi_slopes"
def alibi_slopes(n_heads):
    import math

    below, slopes = 1, torch.zeros(n_heads)
    while 2 * below <= n_heads:
        below = 2 * below
    for h in range(n_heads):
        exponent = 8 * (h + 1) / below if h < below else 4 * (2 * (h - below) + 1) / below
        slopes[h] = math.exp(-exponent * math.log(2))
    return slopes


# %% wrong="the sign turned round" exercise="alibi_bias" hint="sign is turned round"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return -slopes * distances


# %% wrong="distance on both sides alike" exercise="alibi_bias" hint="on both sides alike"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return -slopes * distances.abs()


# %% wrong="positive on both sides" exercise="alibi_bias" hint="positive on both sides"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return slopes * distances.abs()


# %% wrong="no slopes" exercise="alibi_bias" hint="slopes are missing"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return distances.float().expand(n_heads, length, length).clone()


# %% wrong="upper triangle zero" exercise="alibi_bias" hint="upper triangle is set to 0"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return (slopes * distances).tril()


# %% wrong="the future hidden" exercise="alibi_bias" hint="future is hidden here"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return (slopes * distances).masked_fill(distances > 0, float("-inf"))


# %% wrong="the future hidden by a large number" exercise="alibi_bias" hint="positive numbers"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return (slopes * distances).masked_fill(distances > 0, -1e9)


# %% wrong="heads in the other order" exercise="alibi_bias" hint="heads stand in the other order"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return (slopes * distances).flip(0)


# %% wrong="distances from 1" exercise="alibi_bias" hint="distance 0 from itself"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return slopes * (distances - 1)


# %% wrong="squared distances" exercise="alibi_bias" hint="distances are squared"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return slopes * distances * distances.abs()


# %% wrong="the key's place only" exercise="alibi_bias" hint="subtract the query's place"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return slopes * places.expand(length, length)


# %% wrong="heads last" exercise="alibi_bias" hint="result is [H,T,T]"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return (slopes * distances).permute(1, 2, 0)


# %% wrong="a batch axis" exercise="alibi_bias" hint="one axis too many"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return (slopes * distances)[None]


# %% wrong="one slope for all heads" exercise="alibi_bias" hint="All heads have the first one"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return (slopes[:1] * distances).expand(n_heads, length, length).clone()


# %% wrong="float64" exercise="alibi_bias" hint="float32"
def alibi_bias(n_heads, length):
    places = torch.arange(length)
    distances = places[None, :] - places[:, None]
    slopes = alibi_slopes(n_heads)[:, None, None]
    return (slopes * distances).double()


# %% right="loops" exercise="alibi_bias"
def alibi_bias(n_heads, length):
    bias = torch.zeros(n_heads, length, length)
    for h, slope in enumerate(alibi_slopes(n_heads).tolist()):
        for i in range(length):
            for j in range(length):
                bias[h, i, j] = slope * (j - i)
    return bias


# %% right="einsum" exercise="alibi_bias"
def alibi_bias(n_heads, length):
    places = torch.arange(length, dtype=torch.float32)
    return torch.einsum("h,ij->hij", alibi_slopes(n_heads), places.unsqueeze(0) - places.unsqueeze(1))


# %% right="slopes of its own, meshgrid" exercise="alibi_bias"
def alibi_bias(n_heads, length):
    below = 2 ** (n_heads.bit_length() - 1)
    exponents = [8 * h / below for h in range(1, below + 1)]
    exponents += [4 * h / below for h in range(1, 2 * (n_heads - below), 2)]
    i, j = torch.meshgrid(torch.arange(length), torch.arange(length), indexing="ij")
    return torch.stack([(j - i) * 2.0**-exponent for exponent in exponents])


# %% right="a difference of two biases" exercise="alibi_bias"
def alibi_bias(n_heads, length):
    by_place = alibi_slopes(n_heads).view(n_heads, 1) * torch.arange(length)
    return by_place[:, None, :] - by_place[:, :, None]


# %% wrong="only what does not fit is turned" exercise="load_gpt2" hint="square matrix was not turned"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                value = hub[f"h.{i}.{theirs}.{end}"]
                square = value.ndim == 2 and value.shape[0] == value.shape[1]
                state[f"blocks.{i}.{ours}.{end}"] = value if square else value.T
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].T.chunk(3)
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="turned in the feed-forward part only" exercise="load_gpt2" hint="square matrix was not turned"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = (
                    hub[f"h.{i}.{theirs}.{end}"].T if "mlp" in theirs else hub[f"h.{i}.{theirs}.{end}"]
                )
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].T.chunk(3)
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="nothing turned at all" exercise="load_gpt2" hint="transpose each"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = hub[f"h.{i}.{theirs}.{end}"]
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].chunk(3, dim=-1)
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="reshaped to fit" exercise="load_gpt2" hint="reshaped, not transposed"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                value = hub[f"h.{i}.{theirs}.{end}"]
                state[f"blocks.{i}.{ours}.{end}"] = value.reshape(value.shape[::-1])
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].T.chunk(3)
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="c_attn reshaped to fit" exercise="load_gpt2" hint="c_attn was reshaped"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = hub[f"h.{i}.{theirs}.{end}"].T
            thirds = hub[f"h.{i}.attn.c_attn.{end}"]
            thirds = thirds.reshape(thirds.shape[::-1]).chunk(3)
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="key, query, value" exercise="load_gpt2" hint="in another order"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = hub[f"h.{i}.{theirs}.{end}"].T
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].T.chunk(3)
            for ours, third in zip("kqv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="value, query, key" exercise="load_gpt2" hint="another order"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = hub[f"h.{i}.{theirs}.{end}"].T
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].T.chunk(3)
            for ours, third in zip("vqk", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="thirds not turned" exercise="load_gpt2" hint="cut but not turned"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = hub[f"h.{i}.{theirs}.{end}"].T
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].chunk(3, dim=-1)
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="cut head by head" exercise="load_gpt2" hint="head by head, as in BLOOM"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = hub[f"h.{i}.{theirs}.{end}"].T
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].T
            thirds = thirds.unflatten(0, (config.n_heads, 3, -1)).transpose(0, 1).flatten(1, 2)
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="every third column" exercise="load_gpt2" hint="Every third column"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = hub[f"h.{i}.{theirs}.{end}"].T
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].T
            thirds = [thirds[k::3] for k in range(3)]
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="norms exchanged" exercise="load_gpt2" hint="two norms of a block are exchanged"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm2",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm1",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = hub[f"h.{i}.{theirs}.{end}"].T
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].T.chunk(3)
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="the first block in every block" exercise="load_gpt2" hint="All blocks have the first one"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = hub[f"h.0.{theirs}.{end}"].T
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].T.chunk(3)
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="only with the prefix" exercise="load_gpt2" hint="Names without the prefix are not read"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name[len("transformer.") :]: value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = hub[f"h.{i}.{theirs}.{end}"].T
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].T.chunk(3)
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="only without the prefix" exercise="load_gpt2" hint="Names with the prefix are not read"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = dict(state_dict)
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = hub[f"h.{i}.{theirs}.{end}"].T
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].T.chunk(3)
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="prefix taken off the caller's names" exercise="load_gpt2" hint="caller's"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    for name in list(state_dict):
        state_dict[name.removeprefix("transformer.")] = state_dict.pop(name)
    hub = state_dict
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = hub[f"h.{i}.{theirs}.{end}"].T
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].T.chunk(3)
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="turned in place" exercise="load_gpt2" hint="caller's"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"], "position.weight": hub["wpe.weight"]}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                value = hub[f"h.{i}.{theirs}.{end}"]
                state[f"blocks.{i}.{ours}.{end}"] = value.t_() if value.ndim == 2 else value
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].T.chunk(3)
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="tables turned too" exercise="load_gpt2" hint="word"
def load_gpt2(state_dict, config):
    names = {
        "ln_1": "norm1",
        "attn.c_proj": "self_attn.out_proj",
        "ln_2": "norm2",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    hub = {name.removeprefix("transformer."): value for name, value in state_dict.items()}
    state = {"word.weight": hub["wte.weight"].T, "position.weight": hub["wpe.weight"].T}
    for end in ("weight", "bias"):
        state[f"norm.{end}"] = hub[f"ln_f.{end}"]
        for i in range(config.n_layers):
            for theirs, ours in names.items():
                state[f"blocks.{i}.{ours}.{end}"] = hub[f"h.{i}.{theirs}.{end}"].T
            thirds = hub[f"h.{i}.attn.c_attn.{end}"].T.chunk(3)
            for ours, third in zip("qkv", thirds):
                state[f"blocks.{i}.self_attn.{ours}_proj.{end}"] = third
    model = CausalLM(config)
    model.load_state_dict(state)
    return model


# %% wrong="buffers given to the model" exercise="load_gpt2" hint="A file with buffers is not read"
def load_gpt2(state_dict, config):
    model, state = CausalLM(config), {}
    parts = {
        "wte": "word",
        "wpe": "position",
        "ln_f": "norm",
        "ln_1": "norm1",
        "ln_2": "norm2",
        "attn.c_proj": "self_attn.out_proj",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    for name, value in state_dict.items():
        name = name.removeprefix("transformer.")
        if name == "lm_head.weight":
            continue
        if name.startswith("h."):
            _, i, name = name.split(".", 2)
            value, front = value.T, f"blocks.{i}."
        else:
            front = ""
        module, end = name.rsplit(".", 1)
        if module == "attn.c_attn":
            for letter, third in zip("qkv", value.chunk(3)):
                state[f"{front}self_attn.{letter}_proj.{end}"] = third
        else:
            state[f"{front}{parts.get(module, module)}.{end}"] = value
    model.load_state_dict(state)
    return model


# %% wrong="the head given to the model" exercise="load_gpt2" hint="lm_head.weight is not read"
def load_gpt2(state_dict, config):
    model, state = CausalLM(config), {}
    parts = {
        "wte": "word",
        "wpe": "position",
        "ln_f": "norm",
        "ln_1": "norm1",
        "ln_2": "norm2",
        "attn.c_proj": "self_attn.out_proj",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    for name, value in state_dict.items():
        name = name.removeprefix("transformer.")
        if name.endswith((".attn.bias", ".masked_bias")):
            continue
        if name.startswith("h."):
            _, i, name = name.split(".", 2)
            value, front = value.T, f"blocks.{i}."
        else:
            front = ""
        module, end = name.rsplit(".", 1)
        if module == "attn.c_attn":
            for letter, third in zip("qkv", value.chunk(3)):
                state[f"{front}self_attn.{letter}_proj.{end}"] = third
        else:
            state[f"{front}{parts.get(module, module)}.{end}"] = value
    model.load_state_dict(state)
    return model


# %% wrong="all that ends in attn.bias left out" exercise="load_gpt2" hint="also ends in attn.bias"
def load_gpt2(state_dict, config):
    model, state = CausalLM(config), {}
    parts = {
        "wte": "word",
        "wpe": "position",
        "ln_f": "norm",
        "ln_1": "norm1",
        "ln_2": "norm2",
        "attn.c_proj": "self_attn.out_proj",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    for name, value in state_dict.items():
        name = name.removeprefix("transformer.")
        if name.endswith(("attn.bias", "masked_bias")) or "lm_head" in name or "c_attn.bias" in name:
            continue
        if name.startswith("h."):
            _, i, name = name.split(".", 2)
            value, front = value.T, f"blocks.{i}."
        else:
            front = ""
        module, end = name.rsplit(".", 1)
        if module == "attn.c_attn":
            for letter, third in zip("qkv", value.chunk(3)):
                state[f"{front}self_attn.{letter}_proj.{end}"] = third
        else:
            state[f"{front}{parts.get(module, module)}.{end}"] = value
    model.load_state_dict(state, strict=False)
    return model


# %% right="from their names to ours" exercise="load_gpt2"
def load_gpt2(state_dict, config):
    model, state = CausalLM(config), {}
    parts = {
        "wte": "word",
        "wpe": "position",
        "ln_f": "norm",
        "ln_1": "norm1",
        "ln_2": "norm2",
        "attn.c_proj": "self_attn.out_proj",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    for name, value in state_dict.items():
        name = name.removeprefix("transformer.")
        if name.endswith((".attn.bias", ".masked_bias")) or name == "lm_head.weight":
            continue
        if name.startswith("h."):
            _, i, name = name.split(".", 2)
            value, front = value.T, f"blocks.{i}."
        else:
            front = ""
        module, end = name.rsplit(".", 1)
        if module == "attn.c_attn":
            for letter, third in zip("qkv", value.chunk(3)):
                state[f"{front}self_attn.{letter}_proj.{end}"] = third
        else:
            state[f"{front}{parts.get(module, module)}.{end}"] = value
    model.load_state_dict(state)
    return model


# %% right="not strict about what is left over" exercise="load_gpt2"
def load_gpt2(state_dict, config):
    model, state = CausalLM(config), {}
    parts = {
        "wte": "word",
        "wpe": "position",
        "ln_f": "norm",
        "ln_1": "norm1",
        "ln_2": "norm2",
        "attn.c_proj": "self_attn.out_proj",
        "mlp.c_fc": "feed_forward.linear1",
        "mlp.c_proj": "feed_forward.linear2",
    }
    for name, value in state_dict.items():
        name = name.removeprefix("transformer.")
        if ".attn.bias" in name or "masked" in name:
            continue
        if name.startswith("h."):
            _, i, name = name.split(".", 2)
            value, front = value.T, f"blocks.{i}."
        else:
            front = ""
        module, end = name.rsplit(".", 1)
        if module == "attn.c_attn":
            for letter, third in zip("qkv", value.chunk(3)):
                state[f"{front}self_attn.{letter}_proj.{end}"] = third
        else:
            state[f"{front}{parts.get(module, module)}.{end}"] = value
    model.load_state_dict(state, strict=False)
    return model


# %% wrong="a model with its first weights" exercise="load_gpt2" hint="wte is word"
def load_gpt2(state_dict, config):
    model = CausalLM(config)
    model.load_state_dict(state_dict, strict=False)
    return model


# %% right="copied into the parameters, split by columns" exercise="load_gpt2"
def load_gpt2(state_dict, config):
    prefix = "transformer." if "transformer.wte.weight" in state_dict else ""
    D, model = config.d_model, CausalLM(config)

    def put(module, name, turn=True, columns=slice(None)):
        weight, bias = state_dict[f"{prefix}{name}.weight"], state_dict[f"{prefix}{name}.bias"]
        with torch.no_grad():
            module.weight.copy_(weight[:, columns].transpose(0, 1) if turn else weight)
            module.bias.copy_(bias[columns])

    with torch.no_grad():
        model.word.weight.copy_(state_dict[prefix + "wte.weight"])
        model.position.weight.copy_(state_dict[prefix + "wpe.weight"])
    put(model.norm, "ln_f", turn=False)
    for i, block in enumerate(model.blocks):
        put(block.norm1, f"h.{i}.ln_1", turn=False)
        put(block.norm2, f"h.{i}.ln_2", turn=False)
        attention = block.self_attn
        for k, module in enumerate((attention.q_proj, attention.k_proj, attention.v_proj)):
            put(module, f"h.{i}.attn.c_attn", columns=slice(k * D, (k + 1) * D))
        put(attention.out_proj, f"h.{i}.attn.c_proj")
        put(block.feed_forward.linear1, f"h.{i}.mlp.c_fc")
        put(block.feed_forward.linear2, f"h.{i}.mlp.c_proj")
    return model


# %% right="pattern, einsum, assigned to a model without numbers" exercise="load_gpt2"
def load_gpt2(state_dict, config):
    import re

    with torch.device("meta"):
        model = CausalLM(config)
    ours = {"ln_1": "norm1", "ln_2": "norm2", "attn.c_proj": "self_attn.out_proj"}
    ours |= {"mlp.c_fc": "feed_forward.linear1", "mlp.c_proj": "feed_forward.linear2"}
    outside, state = {"wte": "word", "wpe": "position", "ln_f": "norm"}, {}
    for name, value in state_dict.items():
        found = re.fullmatch(r"(?:transformer\.)?(?:h\.(\d+)\.)?(.+)\.(weight|bias)", name)
        if not found:
            continue
        block, module, end = found.groups()
        value = value.clone()
        if block is None:
            if module in outside:
                state[f"{outside[module]}.{end}"] = value
            continue
        if value.ndim == 2:
            value = torch.einsum("io->oi", value).contiguous()
        if module == "attn.c_attn":
            for k, letter in enumerate("qkv"):
                width = config.d_model
                state[f"blocks.{block}.self_attn.{letter}_proj.{end}"] = value[k * width : (k + 1) * width]
        elif module in ours:
            state[f"blocks.{block}.{ours[module]}.{end}"] = value
    model.load_state_dict(state, assign=True)
    return model


# %% right="powers of one base, whole exponents" exercise="alibi_slopes"
import math


def alibi_slopes(n_heads):
    closest = 2 ** math.floor(math.log2(n_heads))
    base = torch.tensor(2 ** (-(2 ** -(math.log2(closest) - 3))), dtype=torch.float32)
    powers = torch.arange(1, 1 + closest, dtype=torch.int32)
    slopes = torch.pow(base, powers)
    if closest != n_heads:
        extra_base = torch.tensor(2 ** (-(2 ** -(math.log2(2 * closest) - 3))), dtype=torch.float32)
        rem = min(closest, n_heads - closest)
        slopes = torch.cat([slopes, torch.pow(extra_base, torch.arange(1, 1 + 2 * rem, 2, dtype=torch.int32))])
    return slopes


# %% wrong="the added slopes first" exercise="alibi_slopes" hint="The slopes that are added come first"
def alibi_slopes(n_heads):
    P = 1
    while P * 2 <= n_heads:
        P *= 2
    out = [2 ** (-8 * h / P) for h in range(1, P + 1)]
    more = [2 ** (-8 * h / (2 * P)) for h in range(1, 2 * P + 1, 2)]
    return torch.tensor(more[: n_heads - P] + out)


# %% wrong="one head without a slope" exercise="alibi_slopes" hint="starts at its own ratio"
import math


def alibi_slopes(n_heads):
    p = 2 ** math.ceil(math.log2(n_heads) - 1e-9) // 2 if n_heads & (n_heads - 1) else n_heads
    if n_heads == 1:
        return torch.tensor([1.0])
    a = [2 ** (-8 * h / p) for h in range(1, p + 1)]
    b = [2 ** (-4 * h / p) for h in range(1, 2 * p + 1, 2)][: n_heads - p]
    return torch.tensor(a + b)


# %% wrong="spread over the power of two above" exercise="alibi_slopes" hint="largest power of two that is not above"
def alibi_slopes(n_heads):
    P = 1
    while P < n_heads:
        P *= 2
    return torch.tensor([2 ** (-8 * h / P) for h in range(1, P + 1)])[torch.linspace(0, P - 1, n_heads).long()]


# %% wrong="the nearest power of two" exercise="alibi_slopes" hint="power of two above, cut off"
def alibi_slopes(n_heads):
    import math

    P = 2 ** round(math.log2(n_heads))
    first = [2.0 ** (-8 * h / P) for h in range(1, P + 1)]
    second = [2.0 ** (-4 * h / P) for h in range(1, 2 * P + 1)][0::2]
    return torch.tensor((first + second)[:n_heads])


# %% wrong="powers of two from a short list" exercise="alibi_slopes" hint="The shape is wrong"
def alibi_slopes(n_heads):
    P = max(p for p in (1, 2, 4, 8, 16, 32) if p <= n_heads)
    first = [2.0 ** (-8 * h / P) for h in range(1, P + 1)]
    second = [2.0 ** (-4 * h / P) for h in range(1, 2 * P + 1)][0::2]
    return torch.tensor((first + second)[:n_heads])


# %% right="logspace" exercise="alibi_slopes"
def alibi_slopes(n_heads):
    P = 1
    while 2 * P <= n_heads:
        P *= 2

    def series(n):
        return torch.logspace(-8 / n, -8, n, base=2.0, dtype=torch.float64)

    return torch.cat([series(P), series(2 * P)[::2]])[:n_heads].float()


# %% right="a window over one line of differences" exercise="alibi_bias"
def alibi_bias(n_heads, length):
    line = torch.arange(-(length - 1), length).float()
    rows = line.unfold(0, length, 1).flip(0)
    return torch.stack([m * rows for m in alibi_slopes(n_heads)])


# %% wrong="keys counted from 1" exercise="alibi_bias" hint="Keys are counted from 1"
def alibi_bias(n_heads, length):
    p = torch.arange(length)
    return alibi_slopes(n_heads)[:, None, None] * (p[None] + 1 - p[:, None])


# %% wrong="divided by the length" exercise="alibi_bias" hint="divided by the length"
def alibi_bias(n_heads, length):
    p = torch.arange(length)
    return (alibi_slopes(n_heads)[:, None, None] * (p[None] - p[:, None])) / length


# %% wrong="the plain formula inside" exercise="alibi_bias" hint="other slopes than alibi_slopes"
def alibi_bias(n_heads, length):
    p = torch.arange(length)
    s = 2.0 ** (-8 * torch.arange(1, n_heads + 1) / n_heads)
    return s[:, None, None] * (p[None] - p[:, None])


# %% right="copied into the parameters" exercise="load_gpt2"
def load_gpt2(state_dict, config):
    pre = "transformer." if "transformer.wte.weight" in state_dict else ""
    model = CausalLM(config)
    g = lambda n: state_dict[pre + n]
    with torch.no_grad():
        model.word.weight.copy_(g("wte.weight"))
        model.position.weight.copy_(g("wpe.weight"))
        for n in ("weight", "bias"):
            getattr(model.norm, n).copy_(g("ln_f." + n))
        for i, b in enumerate(model.blocks):
            D = config.d_model
            W, c = g(f"h.{i}.attn.c_attn.weight"), g(f"h.{i}.attn.c_attn.bias")
            for k, lin in enumerate((b.self_attn.q_proj, b.self_attn.k_proj, b.self_attn.v_proj)):
                lin.weight.copy_(W[:, k * D : (k + 1) * D].t())
                lin.bias.copy_(c[k * D : (k + 1) * D])
            for lin, n in (
                (b.self_attn.out_proj, "attn.c_proj"),
                (b.feed_forward.linear1, "mlp.c_fc"),
                (b.feed_forward.linear2, "mlp.c_proj"),
            ):
                lin.weight.copy_(g(f"h.{i}.{n}.weight").t())
                lin.bias.copy_(g(f"h.{i}.{n}.bias"))
            for norm, n in ((b.norm1, "ln_1"), (b.norm2, "ln_2")):
                norm.weight.copy_(g(f"h.{i}.{n}.weight"))
                norm.bias.copy_(g(f"h.{i}.{n}.bias"))
    return model


# %% right="renames what the file has" exercise="load_gpt2"
import re


def load_gpt2(state_dict, config):
    new = {}
    table = [
        ("attn.c_proj", "self_attn.out_proj"),
        ("mlp.c_fc", "feed_forward.linear1"),
        ("mlp.c_proj", "feed_forward.linear2"),
        ("ln_1", "norm1"),
        ("ln_2", "norm2"),
    ]
    for name, v in state_dict.items():
        name = name.removeprefix("transformer.")
        if name == "lm_head.weight" or re.fullmatch(r"h\.\d+\.attn\.(masked_)?bias", name):
            continue
        if name.startswith("h.") and v.ndim == 2:
            v = v.T
        name = re.sub(r"^wte", "word", re.sub(r"^wpe", "position", re.sub(r"^ln_f", "norm", name)))
        name = re.sub(r"^h\.", "blocks.", name)
        if "c_attn" in name:
            for p, x in zip("qkv", v.chunk(3)):
                new[name.replace("attn.c_attn", f"self_attn.{p}_proj")] = x.clone()
            continue
        for a, b in table:
            name = name.replace(a, b)
        new[name] = v
    m = CausalLM(config)
    m.load_state_dict(new)
    return m


# %% right="assigned instead of copied" exercise="load_gpt2"
def load_gpt2(state_dict, config):
    model = CausalLM(config)
    sd = {k.removeprefix("transformer."): v for k, v in state_dict.items()}
    new = {
        "word.weight": sd["wte.weight"],
        "position.weight": sd["wpe.weight"],
        "norm.weight": sd["ln_f.weight"],
        "norm.bias": sd["ln_f.bias"],
    }
    for i in range(config.n_layers):
        old, mine = f"h.{i}.", f"blocks.{i}."
        for part, w, b in zip(
            "qkv", sd[old + "attn.c_attn.weight"].chunk(3, dim=1), sd[old + "attn.c_attn.bias"].chunk(3)
        ):
            new[mine + f"self_attn.{part}_proj.weight"] = w.T
            new[mine + f"self_attn.{part}_proj.bias"] = b
        for a, z in [
            ("attn.c_proj", "self_attn.out_proj"),
            ("mlp.c_fc", "feed_forward.linear1"),
            ("mlp.c_proj", "feed_forward.linear2"),
        ]:
            new[mine + z + ".weight"] = sd[old + a + ".weight"].T
            new[mine + z + ".bias"] = sd[old + a + ".bias"]
        for end in ("weight", "bias"):
            new[mine + f"norm1.{end}"] = sd[old + f"ln_1.{end}"]
            new[mine + f"norm2.{end}"] = sd[old + f"ln_2.{end}"]
    model.load_state_dict(new, assign=True)
    return model


# %% wrong="returns the dictionary" exercise="load_gpt2" hint="load_gpt2 returns the model"
def load_gpt2(state_dict, config):
    model = CausalLM(config)
    sd = {k.removeprefix("transformer."): v for k, v in state_dict.items()}
    new = {
        "word.weight": sd["wte.weight"],
        "position.weight": sd["wpe.weight"],
        "norm.weight": sd["ln_f.weight"],
        "norm.bias": sd["ln_f.bias"],
    }
    for i in range(config.n_layers):
        old, mine = f"h.{i}.", f"blocks.{i}."
        for part, w, b in zip(
            "qkv", sd[old + "attn.c_attn.weight"].chunk(3, dim=1), sd[old + "attn.c_attn.bias"].chunk(3)
        ):
            new[mine + f"self_attn.{part}_proj.weight"] = w.T
            new[mine + f"self_attn.{part}_proj.bias"] = b
        for a, z in [
            ("attn.c_proj", "self_attn.out_proj"),
            ("mlp.c_fc", "feed_forward.linear1"),
            ("mlp.c_proj", "feed_forward.linear2"),
        ]:
            new[mine + z + ".weight"] = sd[old + a + ".weight"].T
            new[mine + z + ".bias"] = sd[old + a + ".bias"]
        for end in ("weight", "bias"):
            new[mine + f"norm1.{end}"] = sd[old + f"ln_1.{end}"]
            new[mine + f"norm2.{end}"] = sd[old + f"ln_2.{end}"]
    model.load_state_dict(new)
    return new


# %% wrong="returns what load_state_dict returns" exercise="load_gpt2" hint="load_gpt2 returns the model"
def load_gpt2(state_dict, config):
    model = CausalLM(config)
    sd = {k.removeprefix("transformer."): v for k, v in state_dict.items()}
    new = {
        "word.weight": sd["wte.weight"],
        "position.weight": sd["wpe.weight"],
        "norm.weight": sd["ln_f.weight"],
        "norm.bias": sd["ln_f.bias"],
    }
    for i in range(config.n_layers):
        old, mine = f"h.{i}.", f"blocks.{i}."
        for part, w, b in zip(
            "qkv", sd[old + "attn.c_attn.weight"].chunk(3, dim=1), sd[old + "attn.c_attn.bias"].chunk(3)
        ):
            new[mine + f"self_attn.{part}_proj.weight"] = w.T
            new[mine + f"self_attn.{part}_proj.bias"] = b
        for a, z in [
            ("attn.c_proj", "self_attn.out_proj"),
            ("mlp.c_fc", "feed_forward.linear1"),
            ("mlp.c_proj", "feed_forward.linear2"),
        ]:
            new[mine + z + ".weight"] = sd[old + a + ".weight"].T
            new[mine + z + ".bias"] = sd[old + a + ".bias"]
        for end in ("weight", "bias"):
            new[mine + f"norm1.{end}"] = sd[old + f"ln_1.{end}"]
            new[mine + f"norm2.{end}"] = sd[old + f"ln_2.{end}"]
    return model.load_state_dict(new)


# %% wrong="the last norm forgotten, not strict" exercise="load_gpt2" hint="ln_f is norm"
def load_gpt2(state_dict, config):
    model = CausalLM(config)
    sd = {k.removeprefix("transformer."): v for k, v in state_dict.items()}
    new = {"word.weight": sd["wte.weight"], "position.weight": sd["wpe.weight"]}
    for i in range(config.n_layers):
        old, mine = f"h.{i}.", f"blocks.{i}."
        for part, w, b in zip(
            "qkv", sd[old + "attn.c_attn.weight"].chunk(3, dim=1), sd[old + "attn.c_attn.bias"].chunk(3)
        ):
            new[mine + f"self_attn.{part}_proj.weight"] = w.T
            new[mine + f"self_attn.{part}_proj.bias"] = b
        for a, z in [
            ("attn.c_proj", "self_attn.out_proj"),
            ("mlp.c_fc", "feed_forward.linear1"),
            ("mlp.c_proj", "feed_forward.linear2"),
        ]:
            new[mine + z + ".weight"] = sd[old + a + ".weight"].T
            new[mine + z + ".bias"] = sd[old + a + ".bias"]
        for end in ("weight", "bias"):
            new[mine + f"norm1.{end}"] = sd[old + f"ln_1.{end}"]
            new[mine + f"norm2.{end}"] = sd[old + f"ln_2.{end}"]
    model.load_state_dict(new, strict=False)
    return model


# %% wrong="blocks in the order of strings" exercise="load_gpt2" hint="order of strings"
def load_gpt2(state_dict, config):
    model = CausalLM(config)
    sd = {k.removeprefix("transformer."): v for k, v in state_dict.items()}
    new = {
        "word.weight": sd["wte.weight"],
        "position.weight": sd["wpe.weight"],
        "norm.weight": sd["ln_f.weight"],
        "norm.bias": sd["ln_f.bias"],
    }
    order = sorted({k.split(".")[1] for k in sd if k.startswith("h.")})
    for i, o in enumerate(order):
        old, mine = f"h.{o}.", f"blocks.{i}."
        for part, w, b in zip(
            "qkv", sd[old + "attn.c_attn.weight"].chunk(3, dim=1), sd[old + "attn.c_attn.bias"].chunk(3)
        ):
            new[mine + f"self_attn.{part}_proj.weight"] = w.T
            new[mine + f"self_attn.{part}_proj.bias"] = b
        for a, z in [
            ("attn.c_proj", "self_attn.out_proj"),
            ("mlp.c_fc", "feed_forward.linear1"),
            ("mlp.c_proj", "feed_forward.linear2"),
        ]:
            new[mine + z + ".weight"] = sd[old + a + ".weight"].T
            new[mine + z + ".bias"] = sd[old + a + ".bias"]
        for end in ("weight", "bias"):
            new[mine + f"norm1.{end}"] = sd[old + f"ln_1.{end}"]
            new[mine + f"norm2.{end}"] = sd[old + f"ln_2.{end}"]
    model.load_state_dict(new)
    return model


# %% wrong="c_attn reshaped, then turned" exercise="load_gpt2" hint="first D columns of every row"
def load_gpt2(state_dict, config):
    model = CausalLM(config)
    sd = {k.removeprefix("transformer."): v for k, v in state_dict.items()}
    new = {
        "word.weight": sd["wte.weight"],
        "position.weight": sd["wpe.weight"],
        "norm.weight": sd["ln_f.weight"],
        "norm.bias": sd["ln_f.bias"],
    }
    for i in range(config.n_layers):
        old, mine = f"h.{i}.", f"blocks.{i}."
        for part, w, b in zip(
            "qkv",
            sd[old + "attn.c_attn.weight"].reshape(3, config.d_model, config.d_model),
            sd[old + "attn.c_attn.bias"].chunk(3),
        ):
            new[mine + f"self_attn.{part}_proj.weight"] = w.T
            new[mine + f"self_attn.{part}_proj.bias"] = b
        for a, z in [
            ("attn.c_proj", "self_attn.out_proj"),
            ("mlp.c_fc", "feed_forward.linear1"),
            ("mlp.c_proj", "feed_forward.linear2"),
        ]:
            new[mine + z + ".weight"] = sd[old + a + ".weight"].T
            new[mine + z + ".bias"] = sd[old + a + ".bias"]
        for end in ("weight", "bias"):
            new[mine + f"norm1.{end}"] = sd[old + f"ln_1.{end}"]
            new[mine + f"norm2.{end}"] = sd[old + f"ln_2.{end}"]
    model.load_state_dict(new)
    return model


# %% wrong="only the first block, not strict" exercise="load_gpt2" hint="norm1"
def load_gpt2(state_dict, config):
    model = CausalLM(config)
    sd = {k.removeprefix("transformer."): v for k, v in state_dict.items()}
    new = {
        "word.weight": sd["wte.weight"],
        "position.weight": sd["wpe.weight"],
        "norm.weight": sd["ln_f.weight"],
        "norm.bias": sd["ln_f.bias"],
    }
    for i in range(1):
        old, mine = f"h.{i}.", f"blocks.{i}."
        for part, w, b in zip(
            "qkv", sd[old + "attn.c_attn.weight"].chunk(3, dim=1), sd[old + "attn.c_attn.bias"].chunk(3)
        ):
            new[mine + f"self_attn.{part}_proj.weight"] = w.T
            new[mine + f"self_attn.{part}_proj.bias"] = b
        for a, z in [
            ("attn.c_proj", "self_attn.out_proj"),
            ("mlp.c_fc", "feed_forward.linear1"),
            ("mlp.c_proj", "feed_forward.linear2"),
        ]:
            new[mine + z + ".weight"] = sd[old + a + ".weight"].T
            new[mine + z + ".bias"] = sd[old + a + ".bias"]
        for end in ("weight", "bias"):
            new[mine + f"norm1.{end}"] = sd[old + f"ln_1.{end}"]
            new[mine + f"norm2.{end}"] = sd[old + f"ln_2.{end}"]
    model.load_state_dict(new, strict=False)
    return model


# %% wrong="needs the head" exercise="load_gpt2" hint="stopped with KeyError"
def load_gpt2(state_dict, config):
    model = CausalLM(config)
    sd = {k.removeprefix("transformer."): v for k, v in state_dict.items()}
    new = {
        "word.weight": sd["lm_head.weight"],
        "position.weight": sd["wpe.weight"],
        "norm.weight": sd["ln_f.weight"],
        "norm.bias": sd["ln_f.bias"],
    }
    for i in range(config.n_layers):
        old, mine = f"h.{i}.", f"blocks.{i}."
        for part, w, b in zip(
            "qkv", sd[old + "attn.c_attn.weight"].chunk(3, dim=1), sd[old + "attn.c_attn.bias"].chunk(3)
        ):
            new[mine + f"self_attn.{part}_proj.weight"] = w.T
            new[mine + f"self_attn.{part}_proj.bias"] = b
        for a, z in [
            ("attn.c_proj", "self_attn.out_proj"),
            ("mlp.c_fc", "feed_forward.linear1"),
            ("mlp.c_proj", "feed_forward.linear2"),
        ]:
            new[mine + z + ".weight"] = sd[old + a + ".weight"].T
            new[mine + z + ".bias"] = sd[old + a + ".bias"]
        for end in ("weight", "bias"):
            new[mine + f"norm1.{end}"] = sd[old + f"ln_1.{end}"]
            new[mine + f"norm2.{end}"] = sd[old + f"ln_2.{end}"]
    model.load_state_dict(new)
    return model
