# %% wrong="sigmoid for tanh" exercise="rnn_step" hint="That is the sigmoid"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.sigmoid(x @ W_xh + h @ W_hh + b)


# %% wrong="no nonlinearity" exercise="rnn_step" hint="The tanh is missing"
def rnn_step(x, h, W_xh, W_hh, b):
    return x @ W_xh + h @ W_hh + b


# %% wrong="relu" exercise="rnn_step" hint="That is ReLU"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.relu(x @ W_xh + h @ W_hh + b)


# %% wrong="bias forgotten" exercise="rnn_step" hint="The bias is missing"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.tanh(x @ W_xh + h @ W_hh)


# %% wrong="bias outside the tanh" exercise="rnn_step" hint="The bias belongs inside the tanh"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.tanh(x @ W_xh + h @ W_hh) + b


# %% wrong="state weights transposed" exercise="rnn_step" hint="W_hh is transposed"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.tanh(x @ W_xh + h @ W_hh.T + b)


# %% wrong="state weights forgotten" exercise="rnn_step" hint="it must pass through W_hh"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.tanh(x @ W_xh + h + b)


# %% wrong="no memory" exercise="rnn_step" hint="nothing is remembered"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.tanh(x @ W_xh + b)


# %% wrong="state detached" exercise="rnn_step" hint="look for a detach"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.tanh(x @ W_xh + h.detach() @ W_hh + b)


# %% wrong="two tanhs" exercise="rnn_step" hint="One tanh around the whole sum"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.tanh(x @ W_xh) + torch.tanh(h @ W_hh + b)


# %% wrong="writes into the state" exercise="rnn_step" hint="Leave the inputs and the names"
def rnn_step(x, h, W_xh, W_hh, b):
    new = torch.tanh(x @ W_xh + h @ W_hh + b)
    h.copy_(new)
    return new


# %% wrong="state of the batch shared" exercise="rnn_step" hint="Each row has its own"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.tanh(x @ W_xh + h.mean(0) @ W_hh + b)


# %% wrong="gradients switched off" exercise="rnn_step" hint="look for a detach"
@torch.no_grad()
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.tanh(x @ W_xh + h @ W_hh + b)


# %% wrong="the bias twice" exercise="rnn_step" hint="The bias is added twice"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.tanh(x @ W_xh + h @ W_hh + b + b)


# %% wrong="the bias beside the rows, where there are as many" exercise="rnn_step" hint="not one for each row of the batch"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.tanh(x @ W_xh + h @ W_hh + (b[:, None] if len(b) == len(x) else b))


# %% wrong="argument of tanh cut off" exercise="rnn_step" hint="cut off before the tanh"
def rnn_step(x, h, W_xh, W_hh, b):
    a = (x @ W_xh + h @ W_hh + b).clamp(-3, 3)
    return torch.tanh(a)


# %% wrong="the two matrices swapped where sizes agree" exercise="rnn_step" hint="Add up x W_xh, h W_hh and b"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.tanh((x @ W_hh + h @ W_xh if x.shape == h.shape else x @ W_xh + h @ W_hh) + b)


# %% wrong="another name for the bias" exercise="rnn_step" hint="the names of the parameters"
def rnn_step(x, h, W_xh, W_hh, bias):
    return torch.tanh(x @ W_xh + h @ W_hh + bias)


# %% right="one product over both inputs" exercise="rnn_step"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.cat([x, h], dim=1).matmul(torch.cat([W_xh, W_hh], dim=0)).add(b).tanh()


# %% right="einsum" exercise="rnn_step"
def rnn_step(x, h, W_xh, W_hh, b):
    return torch.tanh(torch.einsum("bd,dh->bh", x, W_xh) + torch.einsum("bg,gh->bh", h, W_hh) + b)


# %% right="row by row" exercise="rnn_step"
def rnn_step(x, h, W_xh, W_hh, b):
    rows = []
    for x_D, h_H in zip(x, h):
        rows.append((W_xh.T @ x_D + W_hh.T @ h_H + b).tanh())
    return torch.stack(rows)


# %% right="linear layers of torch" exercise="rnn_step"
def rnn_step(x, h, W_xh, W_hh, b):
    pre = torch.nn.functional.linear(x, W_xh.t(), b) + torch.nn.functional.linear(h, W_hh.t())
    return (pre.exp() - (-pre).exp()) / (pre.exp() + (-pre).exp())


# %% right="nn.RNNCell with these weights" exercise="rnn_step"
def rnn_step(x, h, W_xh, W_hh, b):
    cell = torch.nn.RNNCell(x.shape[1], h.shape[1], dtype=x.dtype)
    weights = {"weight_ih": W_xh.T, "weight_hh": W_hh.T, "bias_ih": b, "bias_hh": 0 * b}
    return torch.func.functional_call(cell, weights, (x, h))


# %% right="in place on a sum of its own" exercise="rnn_step"
def rnn_step(x, h, W_xh, W_hh, b):
    a = x.matmul(W_xh)
    a += h.mm(W_hh)
    a += b
    return a.tanh_()


# %% wrong="order i, f, o, g" exercise="lstm_step" hint="The gates stand in another order"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, o, g = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


# %% wrong="forget gate first" exercise="lstm_step" hint="The gates stand in another order"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    f, i, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


# %% wrong="order i, g, f, o" exercise="lstm_step" hint="The gates stand in another order"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, g, f, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


# %% wrong="sigmoid on the candidate" exercise="lstm_step" hint="The candidate g takes tanh"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).sigmoid().chunk(4, dim=1)
    c = f * c + i * g
    return o * c.tanh(), c


# %% wrong="state without tanh" exercise="lstm_step" hint="The tanh is missing"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c, c


# %% wrong="state from the old cell" exercise="lstm_step" hint="The state reads the new cell"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    return o.sigmoid() * c.tanh(), f.sigmoid() * c + i.sigmoid() * g.tanh()


# %% wrong="tanh after the output gate" exercise="lstm_step" hint="The output gate comes after the tanh"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return (o.sigmoid() * c).tanh(), c


# %% wrong="returns the cell first" exercise="lstm_step" hint="return (h, c), the state first"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return c, o.sigmoid() * c.tanh()


# %% wrong="bias forgotten" exercise="lstm_step" hint="The bias is missing"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


# %% wrong="forgets what it should keep" exercise="lstm_step" hint="how much is kept"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    c = (1 - f.sigmoid()) * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


# %% wrong="no input gate" exercise="lstm_step" hint="The input gate is missing"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    c = f.sigmoid() * c + g.tanh()
    return o.sigmoid() * c.tanh(), c


# %% wrong="no forget gate, as in 1997" exercise="lstm_step" hint="The forget gate is missing"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    c = c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


# %% wrong="gates coupled as in a GRU" exercise="lstm_step" hint="The input gate is not 1 - f"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    f = f.sigmoid()
    c = f * c + (1 - f) * g.tanh()
    return o.sigmoid() * c.tanh(), c


# %% wrong="cell squashed before it is carried on" exercise="lstm_step" hint="not to the cell that is carried on"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    c = (f.sigmoid() * c + i.sigmoid() * g.tanh()).tanh()
    return o.sigmoid() * c.tanh(), c


# %% wrong="cell detached" exercise="lstm_step" hint="look for a detach"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    c = f.sigmoid() * c.detach() + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


# %% wrong="cell changed in place" exercise="lstm_step" hint="Do not write into h or c"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    c *= f.sigmoid()
    c += i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


# %% wrong="gates cut from the batch axis" exercise="lstm_step" hint="Sigmoid for i, f and o, tanh for g"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + h @ weight_hh.T + bias
    i, f, g, o = a.reshape(4, x.shape[0], -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


# %% wrong="every fourth row is a gate" exercise="lstm_step" hint="The gates are not interleaved"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + h @ weight_hh.T + bias
    i, f, g, o = a[:, 0::4], a[:, 1::4], a[:, 2::4], a[:, 3::4]
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


# %% wrong="gates interleaved by a view" exercise="lstm_step" hint="The gates are not interleaved"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + h @ weight_hh.T + bias
    i, f, g, o = a.view(h.shape[0], h.shape[1], 4).unbind(2)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


# %% wrong="always float32" exercise="lstm_step" hint="keeps the dtype"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return (o.sigmoid() * c.tanh()).float(), c.float()


# %% wrong="order o, f, g, i" exercise="lstm_step" hint="PyTorch's blocks are i, f, g, o"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + h @ weight_hh.T + bias
    o, f, g, i = a.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c_new = f * c + i * g
    h_new = o * c_new.tanh()
    return h_new, c_new


# %% wrong="the state alone" exercise="lstm_step" hint="Two tensors [B,H] are returned"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + h @ weight_hh.T + bias
    i, f, g, o = a.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c_new = f * c + i * g
    h_new = o * c_new.tanh()
    return h_new


# %% wrong="the state twice" exercise="lstm_step" hint="are the same tensor"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + h @ weight_hh.T + bias
    i, f, g, o = a.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c_new = f * c + i * g
    h_new = o * c_new.tanh()
    return h_new, h_new


# %% wrong="the bias twice" exercise="lstm_step" hint="The bias is added twice"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + h @ weight_hh.T + bias + bias
    i, f, g, o = a.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c_new = f * c + i * g
    h_new = o * c_new.tanh()
    return h_new, c_new


# %% wrong="one added to the forget gate" exercise="lstm_step" hint="Nothing is added to the forget gate"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + h @ weight_hh.T + bias
    i, f, g, o = a.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), (f + 1).sigmoid(), g.tanh(), o.sigmoid()
    c_new = f * c + i * g
    h_new = o * c_new.tanh()
    return h_new, c_new


# %% wrong="the old cell forgotten" exercise="lstm_step" hint="The old cell does not enter"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + h @ weight_hh.T + bias
    i, f, g, o = a.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c_new = i * g
    h_new = o * c_new.tanh()
    return h_new, c_new


# %% wrong="gates read x alone" exercise="lstm_step" hint="they read x and h"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + bias
    i, f, g, o = a.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c_new = f * c + i * g
    h_new = o * c_new.tanh()
    return h_new, c_new


# %% wrong="recurrent blocks not transposed" exercise="lstm_step" hint="weight_hh stands outputs first"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + torch.cat([h @ w for w in weight_hh.chunk(4)], 1) + bias
    i, f, g, o = a.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c_new = f * c + i * g
    h_new = o * c_new.tanh()
    return h_new, c_new


# %% wrong="forget gate on h" exercise="lstm_step" hint="not over the old state h"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + h @ weight_hh.T + bias
    i, f, g, o = a.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c_new = f * h + i * g
    h_new = o * c_new.tanh()
    return h_new, c_new


# %% wrong="the first sequence's cell for all" exercise="lstm_step" hint="keeps its own cell"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + h @ weight_hh.T + bias
    i, f, g, o = a.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c_new = f * c[:1] + i * g
    h_new = o * c_new.tanh()
    return h_new, c_new


# %% wrong="cell cut off at 1" exercise="lstm_step" hint="The cell is not cut off"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + h @ weight_hh.T + bias
    i, f, g, o = a.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c_new = (f * c + i * g).clamp(-1, 1)
    h_new = o * c_new.tanh()
    return h_new, c_new


# %% wrong="the cell through float32 and back" exercise="lstm_step" hint="rounded to float32"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + h @ weight_hh.T + bias
    i, f, g, o = a.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c_new = (f.float() * c.float() + i.float() * g.float()).to(c.dtype)
    h_new = o * c_new.tanh()
    return h_new, c_new


# %% wrong="sigmoid of the new cell" exercise="lstm_step" hint="not through the sigmoid"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    a = x @ weight_ih.T + h @ weight_hh.T + bias
    i, f, g, o = a.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c_new = f * c + i * g
    h_new = o * c_new.sigmoid()
    return h_new, c_new


# %% right="state and cell stacked in one tensor" exercise="lstm_step"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    i, f, g, o = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return torch.stack([o.sigmoid() * c.tanh(), c])


# %% right="slices and linear layers" exercise="lstm_step"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    H = h.shape[-1]
    linear = torch.nn.functional.linear
    a = linear(x, weight_ih, bias) + linear(h, weight_hh)
    i = torch.sigmoid(a[:, :H])
    f = torch.sigmoid(a[:, H : 2 * H])
    g = torch.tanh(a[:, 2 * H : 3 * H])
    o = torch.sigmoid(a[:, 3 * H :])
    new_c = torch.addcmul(f * c, i, g)
    return o * new_c.tanh(), new_c


# %% right="a gate at a time" exercise="lstm_step"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    H = c.size(1)

    def block(k):
        rows = slice(k * H, (k + 1) * H)
        return x @ weight_ih[rows].T + h @ weight_hh[rows].T + bias[rows]

    cell = block(1).sigmoid() * c + block(0).sigmoid() * block(2).tanh()
    return [block(3).sigmoid() * cell.tanh(), cell]


# %% right="einsum over [4,H,D]" exercise="lstm_step"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    H = h.shape[1]
    a = torch.einsum("bd,khd->kbh", x, weight_ih.view(4, H, -1))
    a = a + torch.einsum("bg,khg->kbh", h, weight_hh.view(4, H, H)) + bias.view(4, 1, H)
    # tanh(z) = 2 sigmoid(2 z) - 1
    new_c = a[1].sigmoid() * c + a[0].sigmoid() * (2 * (2 * a[2]).sigmoid() - 1)
    return a[3].sigmoid() * torch.tanh(new_c), new_c


# %% right="nn.LSTMCell with half the bias twice" exercise="lstm_step"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    cell = torch.nn.LSTMCell(x.size(1), h.size(1)).to(x.dtype)
    w = dict(weight_ih=weight_ih, weight_hh=weight_hh, bias_ih=bias / 2, bias_hh=bias / 2)
    return torch.func.functional_call(cell, w, (x, (h, c)))


# %% right="gate by gate" exercise="lstm_step"
def lstm_step(x, h, c, weight_ih, weight_hh, bias):
    H = h.shape[-1]

    def part(k, squash):
        rows = slice(k * H, (k + 1) * H)
        return squash(torch.nn.functional.linear(x, weight_ih[rows], bias[rows]) + h @ weight_hh[rows].T)

    cell = part(1, torch.sigmoid) * c + part(0, torch.sigmoid) * part(2, torch.tanh)
    return (part(3, torch.sigmoid) * torch.tanh(cell), cell)


# %% wrong="only the last state" exercise="unroll" hint="That is the last state alone"
def unroll(step, x, h0):
    h = h0
    for t in range(x.shape[1]):
        h = step(x[:, t], h)
    return h


# %% wrong="time first" exercise="unroll" hint="Time stands first"
def unroll(step, x, h0):
    states, h = [], h0
    for t in range(x.shape[1]):
        h = step(x[:, t], h)
        states.append(h)
    return torch.stack(states)


# %% wrong="state not carried on" exercise="unroll" hint="Every step starts from h0 again"
def unroll(step, x, h0):
    return torch.stack([step(x[:, t], h0) for t in range(x.shape[1])], dim=1)


# %% wrong="h0 in front, last state lost" exercise="unroll" hint="h0 is not one of the states"
def unroll(step, x, h0):
    states, h = [], h0
    for t in range(x.shape[1]):
        states.append(h)
        h = step(x[:, t], h)
    return torch.stack(states, dim=1)


# %% wrong="h0 in front" exercise="unroll" hint="T tokens give T states"
def unroll(step, x, h0):
    states = [h0]
    for t in range(x.shape[1]):
        states.append(step(x[:, t], states[-1]))
    return torch.stack(states, dim=1)


# %% wrong="state leaks from one sequence into the next" exercise="unroll" hint="Each sequence of the batch keeps its own state"
def unroll(step, x, h0):
    rows, h = [], h0[:1]
    for b in range(x.shape[0]):
        states = []
        for t in range(x.shape[1]):
            h = step(x[b : b + 1, t], h)
            states.append(h)
        rows.append(torch.stack(states, dim=1))
    return torch.cat(rows)


# %% wrong="detached between steps" exercise="unroll" hint="no_grad between the steps"
def unroll(step, x, h0):
    states, h = [], h0
    for t in range(x.shape[1]):
        h = step(x[:, t], h.detach())
        states.append(h)
    return torch.stack(states, dim=1)


# %% wrong="h0 ignored" exercise="unroll" hint="h0 is not used"
def unroll(step, x, h0):
    states, h = [], torch.zeros_like(h0)
    for t in range(x.shape[1]):
        h = step(x[:, t], h)
        states.append(h)
    return torch.stack(states, dim=1)


# %% wrong="read from the end" exercise="unroll" hint="The sequence is read from its end"
def unroll(step, x, h0):
    states, h = [], h0
    for t in reversed(range(x.shape[1])):
        h = step(x[:, t], h)
        states.append(h)
    return torch.stack(states, dim=1)


# %% wrong="reshaped instead of stacked along time" exercise="unroll" hint="put all T states along the middle axis"
def unroll(step, x, h0):
    states, h = [], h0
    for t in range(x.shape[1]):
        h = step(x[:, t], h)
        states.append(h)
    return torch.stack(states).reshape(x.shape[0], x.shape[1], -1)


# %% wrong="always float32" exercise="unroll" hint="keeps the dtype"
def unroll(step, x, h0):
    states = torch.zeros(x.shape[0], x.shape[1], h0.shape[1])
    h = h0
    for t in range(x.shape[1]):
        h = step(x[:, t], h)
        states[:, t] = h
    return states


# %% wrong="state written into h0" exercise="unroll" hint="Do not write into x or h0"
def unroll(step, x, h0):
    states = []
    for t in range(x.shape[1]):
        new = step(x[:, t], h0.clone())
        states.append(new)
        h0.data.copy_(new.data)
    return torch.stack(states, dim=1)


# %% wrong="loops over the batch axis" exercise="unroll" hint="h_t = step(x_t, h_(t-1)) for every t"
def unroll(step, x, h0):
    states, h = [], h0
    for x_t in x:
        h = step(x_t[: h.shape[0]], h[: x_t.shape[0]])
        states.append(h)
    return torch.stack(states, dim=1)


# %% wrong="a buffer in the dtype of x" exercise="unroll" hint="need not be that of x"
def unroll(step, x, h0):
    h, states = h0, x.new_zeros(x.shape[0], x.shape[1], h0.shape[1])
    for t in range(x.shape[1]):
        h = step(x[:, t], h)
        states[:, t] = h
    return states


# %% wrong="gradient cut after every eighth token" exercise="unroll" hint="The gradient of the last state must reach the first token"
def unroll(step, x, h0):
    h, states = h0, []
    for t in range(x.shape[1]):
        h = step(x[:, t], h.detach() if t % 8 == 7 else h)
        states.append(h)
    return torch.stack(states, dim=1)


# %% wrong="the first row of h0 for all" exercise="unroll" hint="starts from its own row of h0"
def unroll(step, x, h0):
    h, states = h0[:1].expand_as(h0), []
    for t in range(x.shape[1]):
        h = step(x[:, t], h)
        states.append(h)
    return torch.stack(states, dim=1)


# %% wrong="step called with three arguments" exercise="unroll" hint="stopped with TypeError"
def unroll(step, x, h0):
    h, states = h0, []
    for t in range(x.shape[1]):
        h = step(x[:, t], h, t)
        states.append(h)
    return torch.stack(states, dim=1)


# %% right="unbind and accumulate" exercise="unroll"
def unroll(step, x, h0):
    from itertools import accumulate

    states = list(accumulate(x.unbind(1), lambda h, x_t: step(x_t, h), initial=h0))[1:]
    return torch.cat([h.unsqueeze(1) for h in states], dim=1)


# %% right="sequence by sequence" exercise="unroll"
def unroll(step, x, h0):
    B, T, _ = x.shape
    rows = []
    for b in range(B):
        h, row = h0[b : b + 1], []
        for t in range(T):
            h = step(x[b : b + 1, t], h)
            row.append(h[0])
        rows.append(torch.stack(row))
    return torch.stack(rows)


# %% right="recursion over time" exercise="unroll"
def unroll(step, x, h0):
    h = step(x[:, 0], h0)
    if x.shape[1] == 1:
        return h[:, None]
    return torch.cat([h[:, None], unroll(step, x[:, 1:], h)], dim=1)


# %% right="written into a tensor of the right dtype" exercise="unroll"
def unroll(step, x, h0):
    states = h0.new_empty(x.size(0), x.size(1), h0.size(1))
    h = h0
    for t, x_t in enumerate(x.transpose(0, 1)):
        h = step(x_t, h)
        states[:, t, :] = h
    return states


# %% right="itertools.accumulate" exercise="unroll"
from itertools import accumulate


def unroll(step, x, h0):
    states = list(accumulate(x.unbind(1), lambda h, x_t: step(x_t, h), initial=h0))
    return torch.stack(states[1:], dim=1)


# %% right="a buffer in the dtype of the first state" exercise="unroll"
def unroll(step, x, h0):
    h = step(x[:, 0, :], h0)
    out = h.new_zeros(h.shape[0], x.shape[1], h.shape[1])
    out[:, 0] = h
    for t in range(1, x.shape[1]):
        h = step(x[:, t, :], h)
        out[:, t] = h
    return out


# %% wrong="h0 counted" exercise="bptt_memory" hint="h_0 is counted too"
def bptt_memory(batch, length, width, bytes_per_value=4):
    return batch * (length + 1) * width * bytes_per_value


# %% wrong="batch forgotten" exercise="bptt_memory" hint="Every sequence of the batch keeps its own states"
def bptt_memory(batch, length, width, bytes_per_value=4):
    return length * width * bytes_per_value


# %% wrong="bits" exercise="bptt_memory" hint="That counts bits"
def bptt_memory(batch, length, width, bytes_per_value=4):
    return batch * length * width * bytes_per_value * 8


# %% wrong="numbers instead of bytes" exercise="bptt_memory" hint="That counts numbers"
def bptt_memory(batch, length, width, bytes_per_value=4):
    return batch * length * width


# %% wrong="always float32" exercise="bptt_memory" hint="4 only if nothing else is said"
def bptt_memory(batch, length, width, bytes_per_value=4):
    return batch * length * width * 4


# %% wrong="only the last state is kept" exercise="bptt_memory" hint="Every token leaves a state"
def bptt_memory(batch, length, width, bytes_per_value=4):
    return batch * width * bytes_per_value


# %% wrong="a matrix for each step" exercise="bptt_memory" hint="A state is a vector, not a matrix"
def bptt_memory(batch, length, width, bytes_per_value=4):
    return batch * length * width * width * bytes_per_value


# %% wrong="the last state is not kept" exercise="bptt_memory" hint="there are T states, not T - 1"
def bptt_memory(batch, length, width, bytes_per_value=4):
    return batch * (length - 1) * width * bytes_per_value


# %% wrong="kilobytes" exercise="bptt_memory" hint="an int and not a float"
def bptt_memory(batch, length, width, bytes_per_value=4):
    return batch * length * width * bytes_per_value / 1024


# %% wrong="a float" exercise="bptt_memory" hint="a whole number, an int and not a float"
def bptt_memory(batch, length, width, bytes_per_value=4):
    return batch * length * width * float(bytes_per_value)


# %% wrong="32-bit integers" exercise="bptt_memory" hint="exact for billions of them too"
def bptt_memory(batch, length, width, bytes_per_value=4):
    import numpy as np

    with np.errstate(all="ignore"):
        return int(np.int32(batch) * np.int32(length) * np.int32(width) * np.int32(bytes_per_value))
    return batch * length * width * bytes_per_value


# %% wrong="a product in float32" exercise="bptt_memory" hint="exact for billions of them too"
def bptt_memory(batch, length, width, bytes_per_value=4):
    return int(torch.tensor([batch, length, width, bytes_per_value], dtype=torch.float32).prod())


# %% wrong="gradients counted too" exercise="bptt_memory" hint="That is twice too much"
def bptt_memory(batch, length, width, bytes_per_value=4):
    return batch * length * width * bytes_per_value * 2


# %% wrong="another name for bytes_per_value" exercise="bptt_memory" hint="Keep the names of the parameters"
def bptt_memory(batch, length, width, n_bytes=4):
    return batch * length * width * n_bytes


# %% right="a product of all arguments" exercise="bptt_memory"
def bptt_memory(batch, length, width, bytes_per_value=4):
    import math

    return math.prod((batch, length, width, bytes_per_value))


# %% right="added up step by step" exercise="bptt_memory"
def bptt_memory(batch, length, width, bytes_per_value=4):
    total = 0
    for _ in range(length):
        total += batch * width * bytes_per_value
    return total


# %% right="asks a tensor without storage" exercise="bptt_memory"
def bptt_memory(batch, length, width, bytes_per_value=4):
    return torch.empty(batch, length, width, device="meta").numel() * bytes_per_value


# %% right="a tensor that is not there" exercise="bptt_memory"
def bptt_memory(batch, length, width, bytes_per_value=4):
    states = torch.empty(batch, length, width, device="meta")
    return states.numel() * bytes_per_value
