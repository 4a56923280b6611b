"""Hidden tests of week 1, notebook 2: one step of an RNN and of an LSTM, unrolling, memory."""

import pytest
import torch
from torch import nn

from autograde.rubric import Mismatch, check, expect_close, expect_equal


def normal(*shape, seed, dtype=torch.float64, scale=1.0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * scale


def rnn_arguments(seed, *, B=5, D=3, H=4, dtype=torch.float64):
    """x, h, W_xh, W_hh, b with all sizes different."""
    shapes = [(B, D), (B, H), (D, H), (H, H), (H,)]
    return [normal(*shape, seed=10 * seed + k, dtype=dtype, scale=0.6) for k, shape in enumerate(shapes)]


def rnn_cell(x, h, W_xh, W_hh, b):
    """PyTorch's own cell, carrying these weights: outputs first, and a second bias that stays zero."""
    weights = {"weight_ih": W_xh.T, "weight_hh": W_hh.T, "bias_ih": b, "bias_hh": torch.zeros_like(b)}
    cell = nn.RNNCell(x.shape[1], h.shape[1], dtype=x.dtype)
    return torch.func.functional_call(cell, weights, (x, h))


def expect_full_precision(result, expected):
    """Raise where a float64 result is right only to float32: something was cast on the way, and cast back."""
    for mine, ours in zip(result, expected, strict=True):
        if not torch.allclose(torch.as_tensor(mine), ours, rtol=1e-10, atol=1e-10):
            raise Mismatch(
                "float64 goes in and float64 comes out, but on the way your numbers were rounded to float32: keep the "
                "dtype all the way.",
                misconception=True,
            )


def gradients(function, arguments, seed):
    """Gradients of a fixed random projection of the function's outputs by each argument."""
    arguments = [argument.clone().requires_grad_() for argument in arguments]
    outputs = function(*arguments)
    outputs = (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)
    # Drawn in float64 whatever came back, so that a result of another dtype is weighed alike.
    weights = [normal(*output.shape, seed=seed + k).to(output.dtype) for k, output in enumerate(outputs)]
    total = sum((output * weight).sum() for output, weight in zip(outputs, weights, strict=True))
    found = torch.autograd.grad(total, arguments, allow_unused=True)
    return [torch.zeros_like(a) if g is None else g for a, g in zip(arguments, found, strict=True)]


@check(
    "reads the input",
    points=0.5,
    hint="With a state and a bias of zero the step is tanh(x W_xh), and x W_xh is [B,D] times [D,H].",
)
def test_rnn_step__reads_the_input(student):
    x, h, W_xh, W_hh, b = rnn_arguments(1, B=4, D=6, H=3)
    expect_close(
        student.rnn_step(x, 0 * h, W_xh, W_hh, 0 * b),
        torch.tanh(x @ W_xh),
        misconceptions={
            "The tanh is missing: without it the steps are one long matrix product, and states grow without limit.": x
            @ W_xh,
            "That is the sigmoid. A state may be negative: use tanh.": torch.sigmoid(x @ W_xh),
            "That is ReLU. The step asks for tanh.": torch.relu(x @ W_xh),
        },
        axes="B H",
    )


@check(
    "carries the previous state",
    points=0.5,
    hint="With an input and a bias of zero the step is tanh(h W_hh): the old state enters, as a row, not transposed.",
)
def test_rnn_step__carries_the_state(student):
    x, h, W_xh, W_hh, b = rnn_arguments(2, B=3, D=2, H=5)
    pre = h @ W_hh
    expect_close(
        student.rnn_step(0 * x, h, W_xh, W_hh, 0 * b),
        torch.tanh(pre),
        misconceptions={
            "W_hh is transposed. The state is a row: h @ W_hh.": torch.tanh(h @ W_hh.T),
            "The old state does not enter: nothing is remembered.": torch.zeros_like(pre),
            "The old state is added as it is; it must pass through W_hh.": torch.tanh(h),
            "The sequences of a batch share one state. Each row has its own.": torch.tanh(
                (h.mean(0, keepdim=True) @ W_hh).expand_as(pre)
            ),
            "The tanh is missing: without it the steps are one long matrix product, and states grow without limit.": (
                pre
            ),
            "That is the sigmoid. A state may be negative: use tanh.": torch.sigmoid(pre),
            "That is ReLU. The step asks for tanh.": torch.relu(pre),
        },
        axes="B H",
    )


@check(
    "gives the numbers of nn.RNNCell, in any size and dtype",
    points=0.5,
    hint="Add up x W_xh, h W_hh and b, for every row of the batch, then take tanh once. Leave the inputs and the "
    "names of the parameters as they are; float32 stays float32, float64 stays float64.",
)
@pytest.mark.parametrize(("B", "D", "H"), [(5, 3, 4), (1, 2, 6), (3, 7, 1), (2, 1, 3), (4, 4, 4)])
def test_rnn_step__equals_torchs_cell(student, B, D, H):
    for dtype in (torch.float32, torch.float64):
        arguments = rnn_arguments(3, B=B, D=D, H=H, dtype=dtype)
        x, h, W_xh, W_hh, b = arguments
        result, afterwards = student.call("rnn_step", *arguments, keep_arguments=True)
        expect_close(
            result,
            rnn_cell(*arguments),
            misconceptions={
                "The bias is missing.": torch.tanh(x @ W_xh + h @ W_hh),
                "The bias belongs inside the tanh.": torch.tanh(x @ W_xh + h @ W_hh) + b,
                "One tanh around the whole sum, not one for each part.": torch.tanh(x @ W_xh)
                + torch.tanh(h @ W_hh + b),
                "The bias is added twice.": torch.tanh(x @ W_xh + h @ W_hh + 2 * b),
                "The bias has one number for each entry of the state, not one for each row of the batch.": (
                    torch.tanh(x @ W_xh + h @ W_hh + b[:, None]) if B == H else torch.zeros(())
                ),
            },
            axes="B H",
            check_dtype=True,
        )
        expect_equal(list(afterwards), arguments)
        if dtype == torch.float64:
            expect_full_precision([result], [rnn_cell(*arguments)])
    named = dict(zip(("x", "h", "W_xh", "W_hh", "b"), arguments, strict=True))
    expect_close(student.rnn_step(**named), rnn_cell(*arguments))
    # Where the sum is large, tanh is nearly 1 or -1: nothing is cut off before it.
    large = [12 * x, 12 * h, W_xh, W_hh, b]
    expect_close(
        student.rnn_step(*large),
        rnn_cell(*large),
        misconceptions={
            "The sum is cut off before the tanh, which needs no such help.": torch.tanh(
                (large[0] @ W_xh + large[1] @ W_hh + b).clamp(-3, 3)
            )
        },
        axes="B H",
    )


@check(
    "lets gradients reach all five arguments",
    points=0.5,
    hint="The gradient must flow into x, h and all parameters. If the numbers are right, look for a detach, .data, "
    ".item() or no_grad: learning from what came earlier would stop there.",
)
def test_rnn_step__passes_gradients(student):
    arguments = rnn_arguments(4, B=2, D=5, H=3)
    ours = gradients(rnn_cell, arguments, seed=90)
    theirs = gradients(student.differentiable("rnn_step"), arguments, seed=90)
    for mine, yours in zip(ours, theirs, strict=True):
        expect_close(yours, mine, rtol=1e-5)


def lstm_arguments(seed, *, B=5, D=3, H=4, dtype=torch.float64):
    """x, h, c, weight_ih, weight_hh, bias with all sizes different."""
    shapes = [(B, D), (B, H), (B, H), (4 * H, D), (4 * H, H), (4 * H,)]
    return [normal(*shape, seed=20 * seed + k, dtype=dtype, scale=0.7) for k, shape in enumerate(shapes)]


def lstm_cell(x, h, c, weight_ih, weight_hh, bias):
    """PyTorch's own cell, carrying these weights."""
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias, "bias_hh": torch.zeros_like(bias)}
    cell = nn.LSTMCell(x.shape[1], h.shape[1], dtype=x.dtype)
    return torch.func.functional_call(cell, weights, (x, (h, c)))


def pair(result):
    """State and cell; two that are stacked in one tensor unpack just as well."""
    if not (isinstance(result, list | tuple) or (isinstance(result, torch.Tensor) and result.ndim == 3)) or (
        len(result) != 2
    ):
        raise Mismatch("Two tensors [B,H] are returned: the state h and the cell c, in this order.", misconception=True)
    return tuple(result)


def wrong_cells(x, h, c, weight_ih, weight_hh, bias):
    """What the next cell becomes under known mistakes."""
    blocks = (x @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
    i, f, g, o = (block.sigmoid() for block in blocks)
    candidate = blocks[2].tanh()
    a_i, a_f, a_g, _ = (x @ weight_ih.T + h @ weight_hh.T + bias).unflatten(1, (-1, 4)).unbind(2)

    def cell(pre):
        return pre[1].sigmoid() * c + pre[0].sigmoid() * pre[2].tanh()

    without_bias = (x @ weight_ih.T + h @ weight_hh.T).chunk(4, dim=1)
    bias_twice = (x @ weight_ih.T + h @ weight_hh.T + 2 * bias).chunk(4, dim=1)
    without_h = (x @ weight_ih.T + bias).chunk(4, dim=1)
    rows_for_columns = torch.cat([h @ block for block in weight_hh.chunk(4)], dim=1)
    not_transposed = (x @ weight_ih.T + rows_for_columns + bias).chunk(4, dim=1)
    order = "The gates stand in another order: PyTorch's blocks are i, f, g, o."
    return {
        order: i * c + f * candidate,
        order + " ": f * c + i * blocks[3].tanh(),
        order + "  ": g * c + i * blocks[1].tanh(),
        order + "   ": f * c + g * blocks[0].tanh(),
        order + "    ": f * c + o * candidate,
        "The gates are not interleaved: each is one block of H neighbouring rows, not every fourth row.": (
            a_f.sigmoid() * c + a_i.sigmoid() * a_g.tanh()
        ),
        "The candidate g takes tanh, not the sigmoid: the cell must be able to go down.": f * c + i * g,
        "The candidate g has lost its tanh.": f * c + i * blocks[2],
        "The input gate is missing: c' = f * c + i * g.": f * c + candidate,
        "The forget gate is missing: c' = f * c + i * g.": c + i * candidate,
        "The forget gate says how much is kept: f * c, not (1 - f) * c.": (1 - f) * c + i * candidate,
        "The input gate is not 1 - f: it has its own block.": f * c + (1 - f) * candidate,
        "The bias is missing.": cell(without_bias),
        "The bias is added twice.": cell(bias_twice),
        "The old state h does not enter the gates: they read x and h.": cell(without_h),
        "weight_hh stands outputs first, as weight_ih does: h @ weight_hh.T, block by block too.": cell(not_transposed),
        "Nothing is added to the forget gate: its bias is in bias already.": (blocks[1] + 1).sigmoid() * c
        + i * candidate,
        "The old cell does not enter: c' = f * c + i * g.": i * candidate,
        "The forget gate rules over the old cell c, not over the old state h.": f * h + i * candidate,
        "Each sequence of the batch keeps its own cell.": f * c[:1] + i * candidate,
        "The cell is not cut off: only the state is kept between -1 and 1.": (f * c + i * candidate).clamp(-1, 1),
        "tanh belongs to the state, not to the cell that is carried on.": (f * c + i * candidate).tanh(),
        "The results are in the wrong order: return (h, c), the state first.": o * (f * c + i * candidate).tanh(),
    }


@check(
    "the new cell is f * c + i * g",
    points=1,
    hint="c' = f * c + i * g. Sigmoid for i, f and o, tanh for g; blocks of H rows in the order i, f, g, o; the bias.",
)
@pytest.mark.parametrize(("B", "D", "H"), [(5, 3, 4), (2, 6, 3)])
def test_lstm_step__makes_the_cell(student, B, D, H):
    arguments = lstm_arguments(1, B=B, D=D, H=H)
    result = pair(student.lstm_step(*arguments))
    if torch.equal(torch.as_tensor(result[0]), torch.as_tensor(result[1])):
        raise Mismatch("State and cell that you return are the same tensor.", misconception=True)
    expect_close(result[1], lstm_cell(*arguments)[1], misconceptions=wrong_cells(*arguments), axes="B H")


@check(
    "the new state is o * tanh(c')",
    points=1,
    hint="The state is the output gate, the fourth block through a sigmoid, times tanh of the cell that you return.",
)
@pytest.mark.parametrize("seed", [2, 3])
def test_lstm_step__makes_the_state_from_the_new_cell(student, seed):
    arguments = lstm_arguments(seed, B=3, D=2, H=6)
    x, h, c, weight_ih, weight_hh, bias = arguments
    result = pair(student.lstm_step(*arguments))
    # Judged beside the cell that came back, so that a wrong cell costs its own check and not this one.
    cell = result[1]
    expect_close(cell.shape if isinstance(cell, torch.Tensor) else (0, 0), (3, 6))
    a_o = (x @ weight_ih.T + h @ weight_hh.T + bias)[:, 18:]
    a_g = (x @ weight_ih.T + h @ weight_hh.T + bias)[:, 12:18]
    expect_close(
        result[0],
        a_o.sigmoid() * cell.tanh(),
        misconceptions={
            "The state reads the new cell, not the old one.": a_o.sigmoid() * c.tanh(),
            "The tanh is missing: h' = o * tanh(c').": a_o.sigmoid() * cell,
            "The output gate is missing: h' = o * tanh(c').": cell.tanh(),
            "The cell passes through tanh, not through the sigmoid: the state may be negative.": a_o.sigmoid()
            * cell.sigmoid(),
            "The output gate takes a sigmoid: it is a valve between 0 and 1.": a_o.tanh() * cell.tanh(),
            "The output gate comes after the tanh: o * tanh(c'), not tanh(o * c').": (a_o.sigmoid() * cell).tanh(),
            "The output gate is the fourth block; you took the third. The order is i, f, g, o.": a_g.sigmoid()
            * cell.tanh(),
        },
        axes="B H",
    )


@check(
    "gates can keep and replace the cell",
    points=1,
    hint="With the forget gate open and the input gate shut the cell must be carried on as it is, step after step; "
    "the other way round it must become g. Look at the order i, f, g, o and at f * c + i * g.",
)
def test_lstm_step__keeps_or_replaces_the_cell(student):
    B, D, H, steps = 2, 3, 5, 12
    x, h, c, weight_ih, weight_hh, bias = lstm_arguments(5, B=B, D=D, H=H)
    shut, opened = torch.full((H,), -80.0, dtype=x.dtype), torch.full((H,), 80.0, dtype=x.dtype)
    gates_only = [torch.zeros_like(weight_ih), torch.zeros_like(weight_hh)]
    keeping = torch.cat([shut, opened, bias[2 * H : 3 * H], opened])
    state, cell = h, 3 * c
    for _ in range(steps):
        # Whether the dtype is kept is asked elsewhere, once.
        state, cell = (
            torch.as_tensor(part).to(x.dtype) for part in pair(student.lstm_step(x, state, cell, *gates_only, keeping))
        )
    expect_close(cell, 3 * c)
    replacing = torch.cat([opened, shut, bias[2 * H : 3 * H], opened])
    _, cell = pair(student.lstm_step(x, h, 3 * c, *gates_only, replacing))
    expect_close(cell, bias[2 * H : 3 * H].tanh().expand(B, H))


@check(
    "lets gradients reach all six arguments",
    points=0.5,
    hint="The gradient must flow into x, h, c and all parameters, as in LSTMCell. If the numbers are right, look for a "
    "detach, .data or no_grad.",
)
def test_lstm_step__passes_gradients(student):
    arguments = lstm_arguments(6, B=3, D=4, H=2)
    ours = gradients(lstm_cell, arguments, seed=70)
    step = student.differentiable("lstm_step")
    theirs = gradients(lambda *inputs: pair(step(*inputs)), arguments, seed=70)
    for mine, yours in zip(ours, theirs, strict=True):
        expect_close(yours, mine, rtol=1e-5)


@check(
    "takes any size and dtype, and leaves its inputs alone",
    points=0.5,
    hint="One sequence, one unit, float32 or float64: the same formulas, the inputs' dtype. Do not write into h or c, "
    "and keep the names of the parameters.",
)
@pytest.mark.parametrize(("B", "D", "H"), [(1, 3, 2), (4, 1, 3), (2, 5, 1), (4, 4, 4)])
def test_lstm_step__takes_any_size(student, B, D, H):
    for dtype in (torch.float32, torch.float64):
        arguments = lstm_arguments(7, B=B, D=D, H=H, dtype=dtype)
        result, afterwards = student.call("lstm_step", *arguments, keep_arguments=True)
        expect_equal(list(afterwards), arguments)
        expect_close(pair(result), lstm_cell(*arguments), check_dtype=True)
        if dtype == torch.float64:
            expect_full_precision(pair(result), lstm_cell(*arguments))
    names = ("x", "h", "c", "weight_ih", "weight_hh", "bias")
    named = student.lstm_step(**dict(zip(names, arguments, strict=True)))
    expect_close(pair(named), lstm_cell(*arguments))


# A step that is no RNN: order, row and time all leave their trace, and nothing saturates.
AFFINE = "lambda x_t, h: x_t @ W + h @ A"
TANH = "lambda x_t, h: torch.tanh(x_t @ W + h @ A)"
WIDENING = "lambda x_t, h: x_t.double() @ W + h @ A"


def unroll_arguments(seed, *, B, T, D, H, dtype=torch.float64):
    x, h0 = normal(B, T, D, seed=seed, dtype=dtype), normal(B, H, seed=seed + 1, dtype=dtype)
    W, A = normal(D, H, seed=seed + 2, dtype=dtype), normal(H, H, seed=seed + 3, dtype=dtype, scale=0.5)
    return x, h0, W, A


def affine_states(x, h0, W, A):
    """The states in closed form: h_t = h0 A^(t+1) + sum over s <= t of x_s W A^(t-s)."""
    power = torch.linalg.matrix_power
    states = []
    for t in range(x.shape[1]):
        read = sum(x[:, s] @ W @ power(A, t - s) for s in range(t + 1))
        states.append(h0 @ power(A, t + 1) + read)
    return torch.stack(states, dim=1)


@check(
    "returns every state in its place",
    points=0.5,
    hint="h_t = step(x_t, h_(t-1)) for every t; put all T states along the middle axis, [B,T,H].",
)
@pytest.mark.parametrize(("B", "T", "D", "H"), [(3, 5, 2, 4), (2, 7, 5, 3)])
def test_unroll__returns_every_state(student, B, T, D, H):
    x, h0, W, A = unroll_arguments(1, B=B, T=T, D=D, H=H)
    states = affine_states(x, h0, W, A)
    from_h0_only = torch.stack([x[:, t] @ W + h0 @ A for t in range(T)], dim=1)
    backwards = affine_states(x.flip(1), h0, W, A)
    expect_close(
        student.unroll(student.helper(AFFINE, W=W, A=A), x, h0),
        states,
        misconceptions={
            "That is the last state alone. All T states are asked for, [B,T,H].": states[:, -1],
            "Time stands first. The result is [B,T,H]: stack along axis 1.": states.transpose(0, 1),
            "h0 is not one of the states: the first is the state after the first token.": torch.cat(
                [h0[:, None], states[:, :-1]], dim=1
            ),
            "h0 is not one of the states: T tokens give T states.": torch.cat([h0[:, None], states], dim=1),
            "Every step starts from h0 again: give each step the state that the one before it returned.": from_h0_only,
            "The sequence is read from its end.": backwards,
            "The states stand in reverse order.": states.flip(1),
            "h0 is not used: the first step starts from zeros.": affine_states(x, 0 * h0, W, A),
        },
        axes="B T H",
    )


@check(
    "keeps the sequences of a batch apart",
    points=0.5,
    hint="Each sequence of the batch keeps its own state, and starts from its own row of h0.",
)
def test_unroll__keeps_sequences_apart(student):
    x, h0, W, A = unroll_arguments(2, B=4, T=3, D=5, H=2)
    step = student.helper(TANH, W=W, A=A)
    together = student.unroll(step, x, h0)
    alone = torch.cat([student.unroll(step, x[b : b + 1], h0[b : b + 1]) for b in range(4)])
    expect_close(together, alone)
    rnn = nn.RNN(5, 2, bias=False, batch_first=True, dtype=torch.float64)
    weights = {"weight_ih_l0": W.T, "weight_hh_l0": A.T}
    expect_close(together, torch.func.functional_call(rnn, weights, (x, h0[None]))[0].detach())


@check(
    "lets gradients run back through time",
    points=0.5,
    hint="The gradient of the last state must reach the first token and h0. If the numbers are right, look for a "
    "detach, .data, .item() or no_grad between the steps.",
)
@pytest.mark.parametrize("T", [6, 40])
def test_unroll__passes_gradients(student, T):
    x, h0, W, A = unroll_arguments(3, B=2, T=T, D=3, H=4)
    A = A / torch.linalg.matrix_norm(A, 2)  # nothing fades too fast to be seen
    step = student.helper(AFFINE, W=W, A=A)
    unrolled = student.differentiable("unroll")
    ours = gradients(lambda x, h0: affine_states(x, h0, W, A), [x, h0], seed=50)
    theirs = gradients(lambda x, h0: unrolled(step, x, h0), [x, h0], seed=50)
    for mine, yours in zip(ours, theirs, strict=True):
        expect_close(yours, mine, rtol=1e-5)


@check(
    "takes any step, size and dtype, and leaves its inputs alone",
    points=0.5,
    hint="One token, one sequence, float32 or float64: the dtype is that of step's states. Do not write into x or h0, "
    "and keep the names of the parameters.",
)
@pytest.mark.parametrize(("B", "T", "D", "H"), [(1, 1, 3, 2), (1, 6, 2, 5), (5, 1, 4, 3), (3, 4, 1, 1)])
def test_unroll__takes_any_size(student, B, T, D, H):
    for dtype in (torch.float32, torch.float64):
        x, h0, W, A = unroll_arguments(4, B=B, T=T, D=D, H=H, dtype=dtype)
        step = student.helper(AFFINE, W=W, A=A)
        result, afterwards = student.call("unroll", step, x, h0, keep_arguments=True)
        rtol = 1e-4 if dtype == torch.float32 else None
        expect_close(result, affine_states(x, h0, W, A), rtol=rtol, check_dtype=True)
        expect_equal([afterwards[1], afterwards[2]], [x, h0])
        if dtype == torch.float64:
            expect_full_precision([result], [affine_states(x, h0, W, A)])
    expect_close(student.unroll(step=step, x=x, h0=h0), affine_states(x, h0, W, A))
    # A step whose states are wider than what it reads; how wide, h0 says too.
    result = student.unroll(student.helper(WIDENING, W=W, A=A), x.float(), h0)
    if isinstance(result, torch.Tensor) and result.dtype == torch.float32:
        raise Mismatch(
            "The result has the dtype of the states that step returns, which need not be that of x.",
            misconception=True,
        )
    expect_close(result, affine_states(x.float().double(), h0, W, A), check_dtype=True)


@check(
    "counts one state for each token of each sequence",
    points=0.25,
    hint="Bytes = sequences * tokens * numbers in a state * bytes of a number.",
)
def test_bptt_memory__counts_every_state(student):
    expect_equal(
        student.bptt_memory(3, 11, 7),
        3 * 11 * 7 * 4,
        misconceptions={
            "h_0 is counted too. It is the caller's: only h_1 to h_T are kept.": 3 * 12 * 7 * 4,
            "h_T is kept as well: there are T states, not T - 1.": 3 * 10 * 7 * 4,
            "Every sequence of the batch keeps its own states.": 11 * 7 * 4,
            "Every token leaves a state: multiply by the length.": 3 * 7 * 4,
            "A state is a vector of width numbers.": 3 * 11 * 4,
            "That counts numbers, not bytes.": 3 * 11 * 7,
            "That counts bits, not bytes.": 3 * 11 * 7 * 32,
            "A state is a vector, not a matrix: the weights are shared by all steps and not counted here.": 3
            * 11
            * 7
            * 7
            * 4,
            "That is twice too much: float32 takes 4 bytes, the default, and only the states are counted.": 3
            * 11
            * 7
            * 8,
        },
    )


@check(
    "uses the bytes of a value that it is given",
    points=0.25,
    hint="bytes_per_value says how large a number is: 4 only if nothing else is said, and bytes, not bits. Keep the "
    "names of the parameters.",
)
def test_bptt_memory__uses_bytes_per_value(student):
    expect_equal(student.bptt_memory(3, 5, 7, 2), 210)
    expect_equal(student.bptt_memory(batch=3, length=5, width=7, bytes_per_value=8), 840)


@check(
    "grows in proportion to length and batch",
    points=0.25,
    hint="Twice the length is exactly twice the memory, and so is twice the batch: nothing is added on top, nor h_0.",
)
def test_bptt_memory__is_proportional(student):
    one = student.bptt_memory(5, 13, 9)
    assert one > 0
    expect_equal(student.bptt_memory(5, 26, 9), 2 * one)
    expect_equal(student.bptt_memory(15, 13, 9), 3 * one)
    expect_equal(student.bptt_memory(5, 13, 90), 10 * one)


@check(
    "agrees with the states that PyTorch makes",
    points=0.25,
    hint="Unroll in your head: T tensors of B times H numbers. The answer is a whole number of bytes, not kilobytes, "
    "and exact for billions of them too.",
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_bptt_memory__agrees_with_tensors(student, dtype):
    states_BTH = torch.zeros(2, 9, 6, dtype=dtype)
    n_bytes = student.bptt_memory(2, 9, 6, states_BTH.element_size())
    if isinstance(n_bytes, float):
        raise Mismatch("Bytes are counted: return a whole number, an int and not a float.", misconception=True)
    expect_equal(n_bytes, states_BTH.numel() * states_BTH.element_size())
    # Many, and no power of two: neither 32 bits nor a float32 can hold the number.
    expect_equal(student.bptt_memory(77, 100_003, 1_025, 4), 31_570_947_100)
