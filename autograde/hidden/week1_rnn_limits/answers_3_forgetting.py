# %% wrong="gradient of the sum of the state" exercise="gradient_norm_by_lag" hint="That is the gradient of the sum of the state"
def gradient_norm_by_lag(step, x, h0):
    x = x.clone().requires_grad_()
    h = h0
    for x_t in x:
        h = step(x_t, h)
    (grad,) = torch.autograd.grad(h.sum(), x)
    return grad.norm(dim=1).flip(0)


# %% wrong="gradient of a loss" exercise="gradient_norm_by_lag" hint="That is the gradient of a loss"
def gradient_norm_by_lag(step, x, h0):
    x = x.clone().requires_grad_()
    h = h0
    for x_t in x:
        h = step(x_t, h)
    (grad,) = torch.autograd.grad(h.square().sum(), x)
    return grad.norm(dim=1).flip(0)


# %% wrong="gradient of the state's norm" exercise="gradient_norm_by_lag" hint="That is the gradient of the state's length"
def gradient_norm_by_lag(step, x, h0):
    x = x.clone().requires_grad_()
    h = h0
    for x_t in x:
        h = step(x_t, h)
    (grad,) = torch.autograd.grad(h.norm(), x)
    return grad.norm(dim=1).flip(0)


# %% wrong="mean of the state" exercise="gradient_norm_by_lag" hint="That is the gradient of the mean of the state"
def gradient_norm_by_lag(step, x, h0):
    x = x.clone().requires_grad_()
    h = h0
    for x_t in x:
        h = step(x_t, h)
    (grad,) = torch.autograd.grad(h.mean(), x)
    return grad.norm(dim=1).flip(0)


# %% wrong="first token first" exercise="gradient_norm_by_lag" hint="The order is turned round"
def gradient_norm_by_lag(step, x, h0):
    def last_state(x):
        h = h0
        for x_t in x:
            h = step(x_t, h)
        return h

    jacobian = torch.autograd.functional.jacobian(last_state, x)
    return jacobian.square().sum((0, 2)).sqrt()


# %% wrong="no root" exercise="gradient_norm_by_lag" hint="The root is missing"
def gradient_norm_by_lag(step, x, h0):
    def last_state(x):
        h = h0
        for x_t in x:
            h = step(x_t, h)
        return h

    jacobian = torch.autograd.functional.jacobian(last_state, x)
    return jacobian.square().sum((0, 2)).flip(0)


# %% wrong="spectral norm" exercise="gradient_norm_by_lag" hint="That is the spectral norm"
def gradient_norm_by_lag(step, x, h0):
    def last_state(x):
        h = h0
        for x_t in x:
            h = step(x_t, h)
        return h

    jacobian = torch.autograd.functional.jacobian(last_state, x)
    return torch.linalg.matrix_norm(jacobian.transpose(0, 1), 2).flip(0)


# %% wrong="largest entry" exercise="gradient_norm_by_lag" hint="That is the largest entry"
def gradient_norm_by_lag(step, x, h0):
    def last_state(x):
        h = h0
        for x_t in x:
            h = step(x_t, h)
        return h

    jacobian = torch.autograd.functional.jacobian(last_state, x)
    return jacobian.abs().amax((0, 2)).flip(0)


# %% wrong="detached between steps" exercise="gradient_norm_by_lag" hint="The gradient is cut between the steps"
def gradient_norm_by_lag(step, x, h0):
    def last_state(x):
        h = h0
        for x_t in x:
            h = step(x_t, h.detach())
        return h

    jacobian = torch.autograd.functional.jacobian(last_state, x)
    return jacobian.square().sum((0, 2)).sqrt().flip(0)


# %% wrong="one step only" exercise="gradient_norm_by_lag" hint="That is one step only"
def gradient_norm_by_lag(step, x, h0):
    norms, h = [], h0
    for x_t in x:
        jacobian = torch.autograd.functional.jacobian(lambda z: step(z, h), x_t)
        norms.append(jacobian.norm())
        h = step(x_t, h)
    return torch.stack(norms).flip(0)


# %% wrong="by the earlier states" exercise="gradient_norm_by_lag" hint="not by the inputs"
def gradient_norm_by_lag(step, x, h0):
    product, norms, states, h = torch.eye(h0.shape[0], dtype=x.dtype), [], [h0], h0
    for x_t in x:
        h = step(x_t, h)
        states.append(h)
    for t in reversed(range(x.shape[0])):
        norms.append(product.norm())
        product = product @ torch.autograd.functional.jacobian(lambda z: step(x[t], z), states[t])
    return torch.stack(norms)


# %% wrong="divided by the first entry" exercise="gradient_norm_by_lag" hint="Do not divide by the first entry"
def gradient_norm_by_lag(step, x, h0):
    def last_state(x):
        h = h0
        for x_t in x:
            h = step(x_t, h)
        return h

    jacobian = torch.autograd.functional.jacobian(last_state, x)
    norms = jacobian.square().sum((0, 2)).sqrt().flip(0)
    return norms / norms[0]


# %% wrong="starts from zeros" exercise="gradient_norm_by_lag" hint="h0 is not used"
def gradient_norm_by_lag(step, x, h0):
    def last_state(x):
        h = torch.zeros_like(h0)
        for x_t in x:
            h = step(x_t, h)
        return h

    jacobian = torch.autograd.functional.jacobian(last_state, x)
    return jacobian.square().sum((0, 2)).sqrt().flip(0)


# %% wrong="always float32" exercise="gradient_norm_by_lag" hint="keeps the dtype"
def gradient_norm_by_lag(step, x, h0):
    def last_state(x):
        h = h0
        for x_t in x:
            h = step(x_t, h)
        return h

    jacobian = torch.autograd.functional.jacobian(last_state, x)
    norms = [jacobian[:, t].norm().item() for t in reversed(range(x.shape[0]))]
    return torch.tensor(norms, dtype=torch.float32)


# %% wrong="norms cut off below" exercise="gradient_norm_by_lag" hint="not cut off at some lowest value"
def gradient_norm_by_lag(step, x, h0):
    def last(x_TD):
        h = h0
        for x_t in x_TD:
            h = step(x_t, h)
        return h

    J = torch.autograd.functional.jacobian(last, x)
    return J.pow(2).sum(dim=(0, 2)).sqrt().flip(0).clamp(min=1e-6)


# %% wrong="a batch axis put in front of what step reads" exercise="gradient_norm_by_lag" hint="no batch axis"
def gradient_norm_by_lag(step, x, h0):
    def last(x_TD):
        h = h0
        for x_t in x_TD:
            h = step(x_t[None], h[None])[0]
        return h

    J = torch.autograd.functional.jacobian(last, x)
    return J.pow(2).sum(dim=(0, 2)).sqrt().flip(0)


# %% wrong="the steps' Jacobians in the wrong order" exercise="gradient_norm_by_lag" hint="multiplied in the wrong order"
def gradient_norm_by_lag(step, x, h0):
    def last(x_TD):
        h = h0
        for x_t in x_TD:
            h = step(x_t, h)
        return h

    h, pairs = h0, []
    for x_t in x:
        pairs.append(torch.autograd.functional.jacobian(step, (x_t, h)))
        h = step(x_t, h).detach()
    back, out = torch.eye(len(h), dtype=x.dtype), []
    for by_x, by_h in reversed(pairs):
        out.append((back @ by_x).norm())
        back = by_h @ back
    return torch.stack(out)


# %% wrong="the last step's Jacobian for every step" exercise="gradient_norm_by_lag" hint="you take the last one for all"
def gradient_norm_by_lag(step, x, h0):
    def last(x_TD):
        h = h0
        for x_t in x_TD:
            h = step(x_t, h)
        return h

    h = h0
    for x_t in x[:-1]:
        h = step(x_t, h)
    by_x, by_h = torch.autograd.functional.jacobian(step, (x[-1], h))
    back, out = torch.eye(len(h), dtype=x.dtype), []
    for _ in range(len(x)):
        out.append((back @ by_x).norm())
        back = back @ by_h
    return torch.stack(out)


# %% wrong="breaks with a single token" exercise="gradient_norm_by_lag" hint="The shape is wrong"
def gradient_norm_by_lag(step, x, h0):
    def last(x_TD):
        h = h0
        for x_t in x_TD:
            h = step(x_t, h)
        return h

    J = torch.autograd.functional.jacobian(last, x)
    return J.pow(2).sum(dim=(0, 2)).sqrt().flip(0).squeeze()


# %% wrong="another name for h0" exercise="gradient_norm_by_lag" hint="the names of the parameters"
def gradient_norm_by_lag(step, x, h_0):
    def last(x_TD):
        h = h_0
        for x_t in x_TD:
            h = step(x_t, h)
        return h

    J = torch.autograd.functional.jacobian(last, x)
    return J.pow(2).sum(dim=(0, 2)).sqrt().flip(0)


# %% right="one backward pass for each entry of the state" exercise="gradient_norm_by_lag"
def gradient_norm_by_lag(step, x, h0):
    inputs = [x_t.clone().requires_grad_() for x_t in x]
    h = h0
    for x_t in inputs:
        h = step(x_t, h)
    total = torch.zeros(len(inputs), dtype=x.dtype)
    for entry in h:
        grads = torch.autograd.grad(entry, inputs, retain_graph=True)
        total = total + torch.stack([(g**2).sum() for g in grads])
    return total.sqrt().flip(0)


# %% right="torch.func.jacrev" exercise="gradient_norm_by_lag"
def gradient_norm_by_lag(step, x, h0):
    from functools import reduce

    jacobian = torch.func.jacrev(lambda z: reduce(lambda h, x_t: step(x_t, h), z.unbind(0), h0))(x)
    return torch.stack([torch.linalg.matrix_norm(jacobian[:, t]) for t in range(len(x) - 1, -1, -1)])


# %% right="forward mode, input by input" exercise="gradient_norm_by_lag"
def gradient_norm_by_lag(step, x, h0):
    def last_state(z):
        h = h0
        for t in range(z.shape[0]):
            h = step(z[t], h)
        return h

    T, D = x.shape
    total = x.new_zeros(T)
    for t in range(T):
        for d in range(D):
            tangent = torch.zeros_like(x)
            tangent[t, d] = 1
            _, moved = torch.func.jvp(last_state, (x,), (tangent,))
            total[T - 1 - t] += moved.pow(2).sum()
    return total.sqrt()


# %% right="product of Jacobians" exercise="gradient_norm_by_lag"
def gradient_norm_by_lag(step, x, h0):
    jacobian = torch.autograd.functional.jacobian
    states = [h0]
    for x_t in x:
        states.append(step(x_t, states[-1]))
    product, norms = torch.eye(h0.shape[0], dtype=h0.dtype), []
    for t in reversed(range(x.shape[0])):
        by_x, by_h = jacobian(step, (x[t], states[t]))
        norms.append((product @ by_x).norm())
        product = product @ by_h
    return torch.stack(norms)


# %% right="vmap over a vector-Jacobian product" exercise="gradient_norm_by_lag"
def gradient_norm_by_lag(step, x, h0):
    def f(z):
        h = h0
        for z_t in z:
            h = step(z_t, h)
        return h

    h_T, pull = torch.func.vjp(f, x)
    J = torch.vmap(lambda v: pull(v)[0])(torch.eye(h_T.numel(), dtype=h_T.dtype))
    return torch.einsum("htd,htd->t", J, J).sqrt().flip(0)


# %% right="one Jacobian for each token" exercise="gradient_norm_by_lag"
def gradient_norm_by_lag(step, x, h0):
    T = x.shape[0]
    norms = []
    for k in range(T):
        at = T - 1 - k

        def run(x_at):
            h = h0
            for t in range(T):
                h = step(x_at if t == at else x[t], h)
            return h

        norms.append(torch.linalg.matrix_norm(torch.autograd.functional.jacobian(run, x[at])))
    return torch.tensor([float(n) for n in norms], dtype=x.dtype)


# %% wrong="padding read" exercise="encode_to_state" hint="The padding is read"
def encode_to_state(step, x, h0, lengths):
    h = h0
    for t in range(x.shape[1]):
        h = step(x[:, t], h)
    return h


# %% wrong="reads to the end of the longest" exercise="encode_to_state" hint="the end of the longest sequence"
def encode_to_state(step, x, h0, lengths):
    h = h0
    for t in range(int(lengths.max())):
        h = step(x[:, t], h)
    return h


# %% wrong="padding set to zero and read" exercise="encode_to_state" hint="Setting the padding to zero is not enough"
def encode_to_state(step, x, h0, lengths):
    h = h0
    for t in range(x.shape[1]):
        real = (t < lengths)[:, None].to(x.dtype)
        h = step(x[:, t] * real, h)
    return h


# %% wrong="one token too few" exercise="encode_to_state" hint="One token too few"
def encode_to_state(step, x, h0, lengths):
    h = h0
    for t in range(x.shape[1]):
        h = torch.where((t < lengths - 1)[:, None], step(x[:, t], h), h)
    return h


# %% wrong="one token too many" exercise="encode_to_state" hint="One token too many"
def encode_to_state(step, x, h0, lengths):
    h = h0
    for t in range(x.shape[1]):
        h = torch.where((t <= lengths)[:, None], step(x[:, t], h), h)
    return h


# %% wrong="index minus one for empty sequences" exercise="encode_to_state" hint="which is the last state"
def encode_to_state(step, x, h0, lengths):
    states, h = [], h0
    for t in range(x.shape[1]):
        h = step(x[:, t], h)
        states.append(h)
    states = torch.stack(states, dim=1)
    return states[torch.arange(x.shape[0]), lengths - 1]


# %% wrong="at least one token read" exercise="encode_to_state" hint="at least one token in your loop"
def encode_to_state(step, x, h0, lengths):
    states, h = [], h0
    for t in range(x.shape[1]):
        h = step(x[:, t], h)
        states.append(h)
    states = torch.stack(states, dim=1)
    return states[torch.arange(x.shape[0]), (lengths - 1).clamp(min=0)]


# %% wrong="zeros for empty sequences" exercise="encode_to_state" hint="it does not become zero"
def encode_to_state(step, x, h0, lengths):
    states, h = [torch.zeros_like(h0)], h0
    for t in range(x.shape[1]):
        h = step(x[:, t], h)
        states.append(h)
    return torch.stack(states, dim=1)[torch.arange(x.shape[0]), lengths]


# %% wrong="starts from zeros" exercise="encode_to_state" hint="h0 is not used"
def encode_to_state(step, x, h0, lengths):
    h = torch.zeros_like(h0)
    for t in range(x.shape[1]):
        h = torch.where((t < lengths)[:, None], step(x[:, t], h), h)
    return h


# %% wrong="rows sorted by length and left so" exercise="encode_to_state" hint="The rows have been sorted by length"
def encode_to_state(step, x, h0, lengths):
    order = lengths.argsort(descending=True)
    x, h, lengths = x[order], h0[order], lengths[order]
    for t in range(x.shape[1]):
        h = torch.where((t < lengths)[:, None], step(x[:, t], h), h)
    return h


# %% wrong="results without gradients" exercise="encode_to_state" hint="Gradients must reach the tokens"
@torch.no_grad()
def encode_to_state(step, x, h0, lengths):
    h = h0
    for t in range(x.shape[1]):
        h = torch.where((t < lengths)[:, None], step(x[:, t], h), h)
    return h


# %% wrong="stops the whole batch with the shortest" exercise="encode_to_state" hint="All sequences end where the shortest does"
def encode_to_state(step, x, h0, lengths):
    h = h0
    for t in range(int(lengths.min())):
        h = step(x[:, t], h)
    return h


# %% wrong="writes the states into h0" exercise="encode_to_state" hint="Do not write into x, h0 or lengths"
def encode_to_state(step, x, h0, lengths):
    h = h0
    for t in range(x.shape[1]):
        h = torch.where((t < lengths)[:, None], step(x[:, t], h), h)
    h0.data.copy_(h.data)
    return h


# %% wrong="a condition without its axis" exercise="encode_to_state" hint="Your condition needs an axis of size 1"
def encode_to_state(step, x, h0, lengths):
    h = h0
    for t in range(x.shape[1]):
        h = torch.where((t < lengths) if len(lengths) == h0.shape[1] else (t < lengths)[:, None], step(x[:, t], h), h)
    return h


# %% wrong="all end with the shortest" exercise="encode_to_state" hint="All sequences end where the shortest does"
def encode_to_state(step, x, h0, lengths):
    h = h0
    for t in range(x.shape[1]):
        h = torch.where((t < lengths.min()[None])[:, None], step(x[:, t], h), h)
    return h


# %% wrong="all end with the first" exercise="encode_to_state" hint="All sequences end where the first one does"
def encode_to_state(step, x, h0, lengths):
    h = h0
    for t in range(x.shape[1]):
        h = torch.where((t < lengths[:1])[:, None], step(x[:, t], h), h)
    return h


# %% wrong="lengths sorted, sequences not" exercise="encode_to_state" hint="The lengths have been sorted"
def encode_to_state(step, x, h0, lengths):
    lengths = lengths.sort(descending=True).values
    h = h0
    for t in range(x.shape[1]):
        h = torch.where((t < lengths)[:, None], step(x[:, t], h), h)
    return h


# %% wrong="uses the lengths up" exercise="encode_to_state" hint="Do not write into x, h0 or lengths"
def encode_to_state(step, x, h0, lengths):
    h = h0
    for t in range(x.shape[1]):
        lengths -= 1
        h = torch.where((lengths >= 0)[:, None], step(x[:, t], h), h)
    return h


# %% wrong="zeros where nothing is read at all" exercise="encode_to_state" hint="A sequence of length 0 ends with its h0"
def encode_to_state(step, x, h0, lengths):
    if lengths.max() == 0:
        return torch.zeros_like(h0)
    h = h0
    for t in range(x.shape[1]):
        h = torch.where((t < lengths)[:, None], step(x[:, t], h), h)
    return h


# %% wrong="another name for lengths" exercise="encode_to_state" hint="keep the names of the parameters"
def encode_to_state(step, x, h0, lens):
    h = h0
    for t in range(x.shape[1]):
        h = torch.where((t < lens)[:, None], step(x[:, t], h), h)
    return h


# %% right="picked from all states, h0 in front" exercise="encode_to_state"
def encode_to_state(step, x, h0, lengths):
    states = [h0]
    for t in range(x.shape[1]):
        states.append(step(x[:, t], states[-1]))
    return torch.stack(states)[lengths, torch.arange(len(lengths))]


# %% right="sequence by sequence" exercise="encode_to_state"
def encode_to_state(step, x, h0, lengths):
    rows = []
    for b, n in enumerate(lengths.tolist()):
        h = h0[b : b + 1]
        for t in range(n):
            h = step(x[b : b + 1, t], h)
        rows.append(h)
    return torch.cat(rows)


# %% right="a weight of zero or one" exercise="encode_to_state"
def encode_to_state(step, x, h0, lengths):
    h = h0
    for t in range(int(lengths.max().item())):
        m = (lengths > t).to(x.dtype).unsqueeze(1)
        h = m * step(x[:, t, :], h) + (1 - m) * h
    return h


# %% right="only the rows still being read" exercise="encode_to_state"
def encode_to_state(step, x, h0, lengths):
    h = h0.clone()
    for t in range(x.shape[1]):
        rows = (lengths > t).nonzero()[:, 0]
        if len(rows) == 0:
            break
        h = h.index_copy(0, rows, step(x[rows, t], h[rows]))
    return h


# %% right="recursion over the time axis" exercise="encode_to_state"
def encode_to_state(step, x, h0, lengths):
    if x.shape[1] == 0:
        return h0
    first = torch.where(lengths.unsqueeze(1) > 0, step(x[:, 0], h0), h0)
    return encode_to_state(step, x[:, 1:], first, (lengths - 1).clamp(min=0))


# %% right="steps for those that are still read" exercise="encode_to_state"
def encode_to_state(step, x, h0, lengths):
    h = h0.clone()
    for t in range(int(lengths.max())):
        alive = lengths > t
        new = h.clone()
        new[alive] = step(x[alive, t], h[alive])
        h = new
    return h


# %% wrong="left context only" exercise="sense_posterior" hint="Only the words on the left are used"
def sense_posterior(prior, left, right):
    return (prior.log() + left.sum(0)).softmax(0)


# %% wrong="right context only" exercise="sense_posterior" hint="Only the words on the right are used"
def sense_posterior(prior, left, right):
    return (prior.log() + right.sum(0)).softmax(0)


# %% wrong="not normalised" exercise="sense_posterior" hint="divide by the sum over the senses"
def sense_posterior(prior, left, right):
    return prior * left.sum(0).exp() * right.sum(0).exp()


# %% wrong="likelihoods added" exercise="sense_posterior" hint="The likelihoods of different words multiply"
def sense_posterior(prior, left, right):
    joint = prior * (left.exp().sum(0) + right.exp().sum(0))
    return joint / joint.sum()


# %% wrong="prior forgotten" exercise="sense_posterior" hint="The prior is missing"
def sense_posterior(prior, left, right):
    return (left.sum(0) + right.sum(0)).softmax(0)


# %% wrong="prior without its logarithm" exercise="sense_posterior" hint="take its logarithm before you add it"
def sense_posterior(prior, left, right):
    return (prior + left.sum(0) + right.sum(0)).softmax(0)


# %% wrong="prior counted for each side" exercise="sense_posterior" hint="not once for each side"
def sense_posterior(prior, left, right):
    from_left = (prior.log() + left.sum(0)).softmax(0)
    from_right = (prior.log() + right.sum(0)).softmax(0)
    joint = from_left * from_right
    return joint / joint.sum()


# %% wrong="mean of the words" exercise="sense_posterior" hint="you take their average"
def sense_posterior(prior, left, right):
    return (prior.log() + torch.cat([left, right]).mean(0)).softmax(0)


# %% wrong="log-probabilities" exercise="sense_posterior" hint="Those are logarithms"
def sense_posterior(prior, left, right):
    return (prior.log() + left.sum(0) + right.sum(0)).log_softmax(0)


# %% wrong="underflows" exercise="sense_posterior" hint="0/0 is NaN"
def sense_posterior(prior, left, right):
    joint = prior * left.exp().prod(0) * right.exp().prod(0)
    return joint / joint.sum()


# %% wrong="logs taken for probabilities" exercise="sense_posterior" hint="do not take them for probabilities"
def sense_posterior(prior, left, right):
    joint = prior * left.prod(0) * right.prod(0)
    return joint / joint.sum()


# %% wrong="the nearest word of each side only" exercise="sense_posterior" hint="the likelihoods of all words on both sides"
def sense_posterior(prior, left, right):
    return (prior.log() + left[-1:].sum(0) + right[:1].sum(0)).softmax(0)


# %% wrong="adds in place" exercise="sense_posterior" hint="Do not write into prior, left or right"
def sense_posterior(prior, left, right):
    log_joint = prior.log_()
    log_joint += left.sum(0)
    log_joint += right.sum(0)
    return log_joint.softmax(0)


# %% wrong="the sides averaged" exercise="sense_posterior" hint="Evidence from both sides multiplies"
def sense_posterior(prior, left, right):
    one = (prior.log() + left.sum(0)).softmax(0)
    other = (prior.log() + right.sum(0)).softmax(0)
    return (one + other) / 2


# %% wrong="multiplies and normalises word by word" exercise="sense_posterior" hint="exponentiate once, at the end"
def sense_posterior(prior, left, right):
    p = prior
    for w in torch.cat([left, right]):
        p = p * (w - w.max()).exp()
        p = p / p.sum()
    return p


# %% wrong="a small eps in the logarithm" exercise="sense_posterior" hint="no eps in the logarithm"
def sense_posterior(prior, left, right):
    return ((prior + 1e-8).log() + left.sum(0) + right.sum(0)).softmax(0)


# %% wrong="the prior as it was" exercise="sense_posterior" hint="prior times the likelihoods of all words"
def sense_posterior(prior, left, right):
    return prior.clone()


# %% wrong="always float32" exercise="sense_posterior" hint="keeps the dtype"
def sense_posterior(prior, left, right):
    return (prior.log() + left.sum(0) + right.sum(0)).softmax(0).float()


# %% wrong="fails on an empty side" exercise="sense_posterior" hint="No words on a side is no evidence"
def sense_posterior(prior, left, right):
    log_joint = prior.log() + left[0] + right[0]
    for row in left[1:]:
        log_joint = log_joint + row
    for row in right[1:]:
        log_joint = log_joint + row
    return log_joint.softmax(0)


# %% wrong="adds over the senses where sizes agree" exercise="sense_posterior" hint="You add over the senses"
def sense_posterior(prior, left, right):
    s = prior.log() + (left.sum(1) if left.shape[0] == left.shape[1] else left.sum(0)) + right.sum(0)
    return s.softmax(0)


# %% wrong="likelihoods cut off below" exercise="sense_posterior" hint="A small likelihood counts as it is"
def sense_posterior(prior, left, right):
    s = prior.log() + left.clamp(min=-10).sum(0) + right.sum(0)
    return s.softmax(0)


# %% wrong="average of both sides' logarithms" exercise="sense_posterior" hint="The logarithms of both sides add up"
def sense_posterior(prior, left, right):
    s = prior.log() + (left.sum(0) + right.sum(0)) / 2
    return s.softmax(0)


# %% wrong="average of both sides' posteriors" exercise="sense_posterior" hint="Evidence from both sides multiplies"
def sense_posterior(prior, left, right):
    s = prior.log() + left.sum(0) + right.sum(0)
    return ((prior.log() + left.sum(0)).softmax(0) + (prior.log() + right.sum(0)).softmax(0)) / 2


# %% wrong="the prior once for each word" exercise="sense_posterior" hint="not once for each word"
def sense_posterior(prior, left, right):
    s = (len(left) + len(right)) * prior.log() + left.sum(0) + right.sum(0)
    return s.softmax(0)


# %% wrong="log2 of the prior" exercise="sense_posterior" hint="the natural logarithm of the prior"
def sense_posterior(prior, left, right):
    s = prior.log2() + left.sum(0) + right.sum(0)
    return s.softmax(0)


# %% wrong="logsumexp over the words" exercise="sense_posterior" hint="logsumexp adds up likelihoods"
def sense_posterior(prior, left, right):
    s = prior.log() + left.logsumexp(0) + right.logsumexp(0)
    return s.softmax(0)


# %% wrong="the likeliest sense alone" exercise="sense_posterior" hint="not which sense is the likeliest"
def sense_posterior(prior, left, right):
    s = prior.log() + left.sum(0) + right.sum(0)
    return torch.nn.functional.one_hot(s.argmax(), len(s)).to(s.dtype)


# %% wrong="repeated words counted once" exercise="sense_posterior" hint="A word that occurs again is evidence again"
def sense_posterior(prior, left, right):
    s = prior.log() + left.unique(dim=0).sum(0) + right.sum(0)
    return s.softmax(0)


# %% wrong="two senses at most" exercise="sense_posterior" hint="The shape is wrong"
def sense_posterior(prior, left, right):
    s = prior.log() + left.sum(0) + right.sum(0)
    return torch.stack([torch.sigmoid(s[0] - s[1]), torch.sigmoid(s[1] - s[0])])


# %% wrong="another name for right" exercise="sense_posterior" hint="Keep the names of the parameters"
def sense_posterior(prior, left, after):
    s = prior.log() + left.sum(0) + after.sum(0)
    return s.softmax(0)


# %% right="logsumexp over both sides at once" exercise="sense_posterior"
def sense_posterior(prior, left, right):
    log_joint = torch.vstack([prior.log()[None], left, right]).sum(0)
    return (log_joint - torch.logsumexp(log_joint, 0)).exp()


# %% right="word by word, normalised each time, in logarithms" exercise="sense_posterior"
def sense_posterior(prior, left, right):
    belief = prior.log()
    for side in (left, right):
        for word in side:
            belief = (belief + word).log_softmax(0)
    return belief.exp()


# %% right="shifted by hand" exercise="sense_posterior"
def sense_posterior(prior, left, right):
    scores = torch.zeros_like(prior)
    for row in list(left) + list(right):
        scores = scores + row
    scores = scores - scores.max()
    weights = torch.einsum("g,g->g", prior, scores.exp())
    return weights / weights.sum()


# %% right="numpy" exercise="sense_posterior"
def sense_posterior(prior, left, right):
    import numpy as np

    with np.errstate(divide="ignore"):
        scores = np.log(prior.numpy()) + left.numpy().sum(0) + right.numpy().sum(0)
    weights = np.exp(scores - scores.max())
    return torch.from_numpy(weights / weights.sum())


# %% right="differences between senses" exercise="sense_posterior"
def sense_posterior(prior, left, right):
    s = prior.log() + left.sum(0) + right.sum(0)
    out = torch.zeros_like(prior)
    for g in range(len(prior)):
        if prior[g] > 0:
            out[g] = 1 / (s - s[g]).exp().sum()
    return out


# %% right="only senses of positive prior" exercise="sense_posterior"
def sense_posterior(prior, left, right):
    possible = prior > 0
    s = (torch.cat((left, right)).sum(0))[possible] + prior[possible].log()
    out = torch.zeros_like(prior)
    out[possible] = torch.softmax(s, dim=-1)
    return out
