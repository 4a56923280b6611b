"""Hidden tests of week 1, notebook 3: gradient by lag, encoding to a state, the sense of a homonym."""

import math

import pytest
import torch

from autograde.rubric import Mismatch, check, expect_close, expect_equal

LINEAR = "lambda x_t, h: x_t @ W + h @ A"
TANH = "lambda x_t, h: torch.tanh(x_t @ W + h @ A)"
# For one sequence alone: with a batch axis in front these products would not fit.
ONE_SEQUENCE = "lambda x_t, h: torch.tanh(W.T @ x_t + A.T @ h)"
GATED = "lambda x_t, h: torch.sigmoid(h @ A) * h + torch.sin(x_t @ W)"


def normal(*shape, seed, dtype=torch.float64, scale=1.0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * scale


def lag_arguments(seed, *, T, D, H, dtype=torch.float64):
    x, h0 = normal(T, D, seed=seed, dtype=dtype), normal(H, seed=seed + 1, dtype=dtype)
    W, A = normal(D, H, seed=seed + 2, dtype=dtype), normal(H, H, seed=seed + 3, dtype=dtype, scale=0.6)
    return x, h0, W, A


def jacobians_by_step(step, x, h0):
    """The Jacobian of each step by its input, and by the state before it."""
    h, pairs = h0, []
    for x_t in x:
        pairs.append(torch.autograd.functional.jacobian(step, (x_t, h)))
        h = step(x_t, h)
    return pairs


def multiplied(pairs, *, turned_round=False):
    """Norms of products of such Jacobians; turned round, each new factor is put on the wrong side."""
    back, norms = torch.eye(len(pairs[0][1]), dtype=pairs[0][1].dtype), []
    for by_x, by_h in reversed(pairs):
        norms.append((back @ by_x).norm())
        back = by_h @ back if turned_round else back @ by_h
    return torch.stack(norms)


def expect_full_precision(result, expected):
    """Raise where a float64 result is right only to float32: something was cast on the way, and cast back."""
    if not torch.allclose(torch.as_tensor(result), expected, rtol=1e-10, atol=1e-10):
        raise Mismatch(
            "float64 goes in and float64 comes out, but on the way your numbers were rounded to float32: keep the "
            "dtype all the way.",
            misconception=True,
        )


def linear_jacobians(T, W, A):
    """d h_T / d x_(T-k) of h' = x W + h A, in closed form: (W A^k) transposed, [H,D] for k = 0 to T-1."""
    return [(W @ torch.linalg.matrix_power(A, k)).T for k in range(T)]


@check(
    "is the Frobenius norm of the Jacobian",
    points=1,
    hint="Differentiate each entry of the last state by the input: H times D numbers. Square, add up, take the root.",
)
@pytest.mark.parametrize(("T", "D", "H"), [(6, 3, 4), (4, 5, 2)])
def test_gradient_norm_by_lag__is_exact_for_a_linear_step(student, T, D, H):
    x, h0, W, A = lag_arguments(1, T=T, D=D, H=H)
    jacobians = linear_jacobians(T, W, A)
    power = torch.linalg.matrix_power
    norms = torch.stack([J.square().sum().sqrt() for J in jacobians])
    last = h0 @ power(A, T) + sum(x[T - 1 - k] @ W @ power(A, k) for k in range(T))
    expect_close(
        student.gradient_norm_by_lag(student.helper(LINEAR, W=W, A=A), x, h0),
        norms,
        misconceptions={
            "That is the gradient of the sum of the state. Entries of opposite sign cancel in it: take the whole "
            "Jacobian.": torch.stack([J.sum(0).norm() for J in jacobians]),
            "That is the gradient of the mean of the state: take the whole Jacobian.": torch.stack(
                [J.mean(0).norm() for J in jacobians]
            ),
            "That is the gradient of a loss, here of the squared state, and not of the state itself.": torch.stack(
                [(2 * last @ J).norm() for J in jacobians]
            ),
            "That is the gradient of a loss, here of half the squared state, and not of the state itself.": torch.stack(
                [(last @ J).norm() for J in jacobians]
            ),
            "That is the gradient of the state's length, one number, and not of the state itself.": torch.stack(
                [(last / last.norm() @ J).norm() for J in jacobians]
            ),
            "The order is turned round: entry 0 belongs to the last token.": norms.flip(0),
            "The root is missing: that is the squared norm.": norms.square(),
            "That is the spectral norm, the largest singular value. The Frobenius norm is asked for.": torch.stack(
                [torch.linalg.matrix_norm(J, 2) for J in jacobians]
            ),
            "That is the sum of absolute values. The Frobenius norm squares, adds up and takes the root.": torch.stack(
                [J.abs().sum() for J in jacobians]
            ),
            "That is the largest entry. The Frobenius norm squares, adds up and takes the root.": torch.stack(
                [J.abs().max() for J in jacobians]
            ),
            "That is an average over the entries. The Frobenius norm adds up the squares.": torch.stack(
                [J.square().mean().sqrt() for J in jacobians]
            ),
            "That is the Jacobian by the earlier states, not by the inputs.": torch.stack(
                [power(A, k).norm() for k in range(T)]
            ),
            "That is one step only: follow the input through all the steps after it.": torch.stack(
                [jacobians[0].norm() for _ in jacobians]
            ),
            "The gradient is cut between the steps: only the last token is felt.": torch.cat(
                [norms[:1], torch.zeros(T - 1, dtype=x.dtype)]
            ),
            "Do not divide by the first entry: the norms themselves are asked for.": norms / norms[0],
        },
        axes="T",
    )


def finite_differences(step, x, h0, eps=1e-6):
    """The norms by central differences, which know nothing of autograd."""

    def last_state(x):
        h = h0
        for x_t in x:
            h = step(x_t, h)
        return h

    norms = []
    for t in reversed(range(x.shape[0])):
        total = 0.0
        for d in range(x.shape[1]):
            nudge = torch.zeros_like(x)
            nudge[t, d] = eps
            total += (((last_state(x + nudge) - last_state(x - nudge)) / (2 * eps)) ** 2).sum().item()
        norms.append(math.sqrt(total))
    return torch.tensor(norms, dtype=x.dtype)


@check(
    "follows any step",
    points=1,
    hint="The Jacobian depends on the states on the way: start from h0, and read the whole sequence with step, which "
    "takes x_t [D] and h [H], no batch axis.",
)
@pytest.mark.parametrize("form", [TANH, GATED, ONE_SEQUENCE])
def test_gradient_norm_by_lag__agrees_with_finite_differences(student, form):
    x, h0, W, A = lag_arguments(2, T=5, D=2, H=3)
    step = eval(form, {"torch": torch, "W": W, "A": A})
    found = student.gradient_norm_by_lag(student.helper(form, W=W, A=A), x, h0)
    expect_close(
        found,
        finite_differences(step, x, h0),
        misconceptions={
            "h0 is not used: the first step starts from zeros.": lambda: finite_differences(step, x, 0 * h0),
            "The order is turned round: entry 0 belongs to the last token.": lambda: finite_differences(
                step, x, h0
            ).flip(0),
            "The steps' Jacobians are multiplied in the wrong order: a new factor comes in on the right.": (
                lambda: multiplied(jacobians_by_step(step, x, h0), turned_round=True)
            ),
            "Each step has a Jacobian of its own, at its own state: you take the last one for all.": (
                lambda: multiplied(jacobians_by_step(step, x, h0)[-1:] * len(x))
            ),
            "A norm is never cut off, neither above nor below.": lambda: finite_differences(step, x, h0).clamp(max=1),
        },
        axes="T",
    )


@check(
    "puts the last token first",
    points=0.5,
    hint="Lags count from the end: entry 0 is the last token, entry T-1 the first. There is one entry for each token, "
    "however small it is.",
)
@pytest.mark.parametrize("T", [1, 2, 9, 45])
def test_gradient_norm_by_lag__counts_from_the_end(student, T):
    x, h0, W, A = lag_arguments(3, T=T, D=3, H=2)
    fading = student.helper("lambda x_t, h: x_t @ W + 0.5 * h", W=W)
    expected = W.norm() * 0.5 ** torch.arange(T, dtype=x.dtype)
    found = student.gradient_norm_by_lag(fading, x, h0)
    expect_close(
        found,
        expected,
        misconceptions={
            "The order is turned round: entry 0 belongs to the last token.": expected.flip(0),
            "There is one entry for each token: h0 is not an input.": torch.cat([expected, expected[-1:] / 2]),
            "The first entry is the last token's: lags count from 0.": expected.roll(1),
        },
        axes="T",
    )
    if found.dtype == torch.float64 and not torch.allclose(found, expected, rtol=1e-6, atol=0):
        raise Mismatch(
            "A small norm is small, and not cut off at some lowest value, nor is anything added to it: at lag 40 it "
            "may be a millionth of a millionth.",
            misconception=True,
        )


@check(
    "takes any size and dtype, and leaves its inputs alone",
    points=0.5,
    hint="Any T, D and H, float32 or float64: one entry a token, in the dtype of x. Do not write into x or h0, and "
    "keep the names of the parameters.",
)
@pytest.mark.parametrize(("T", "D", "H"), [(1, 2, 3), (7, 1, 1), (2, 6, 1), (3, 1, 5)])
def test_gradient_norm_by_lag__takes_any_size(student, T, D, H):
    for dtype in (torch.float32, torch.float64):
        x, h0, W, A = lag_arguments(4, T=T, D=D, H=H, dtype=dtype)
        step = student.helper(LINEAR, W=W, A=A)
        result, afterwards = student.call("gradient_norm_by_lag", step, x, h0, keep_arguments=True)
        norms = torch.stack([J.norm() for J in linear_jacobians(T, W, A)])
        expect_close(result, norms, rtol=1e-4 if dtype == torch.float32 else None, check_dtype=True)
        expect_equal([afterwards[1], afterwards[2]], [x, h0])
        if dtype == torch.float64:
            expect_full_precision(result, norms)
    expect_close(student.gradient_norm_by_lag(step=step, x=x, h0=h0), norms)


def encode_arguments(seed, lengths, *, T, D, H, dtype=torch.float64, padding=None):
    """x, h0, lengths, W, A; what stands behind each end is replaced by `padding`."""
    lengths = torch.tensor(lengths)
    B = len(lengths)
    x, h0 = normal(B, T, D, seed=seed, dtype=dtype), normal(B, H, seed=seed + 1, dtype=dtype)
    W, A = normal(D, H, seed=seed + 2, dtype=dtype), normal(H, H, seed=seed + 3, dtype=dtype, scale=0.5)
    if padding is not None:
        x[torch.arange(T) >= lengths[:, None]] = padding
    return x, h0, lengths, W, A


def states_after(x, h0, W, A, lengths):
    """Each sequence by itself, in closed form for the linear step: no batch, no padding."""
    power = torch.linalg.matrix_power
    rows = []
    for row, start, n in zip(x, h0, lengths.tolist(), strict=True):
        read = sum((row[s] @ W @ power(A, n - 1 - s) for s in range(n)), torch.zeros_like(start))
        rows.append(start @ power(A, n) + read)
    return torch.stack(rows)


@check(
    "stops each sequence at its own end",
    points=0.5,
    hint="The state wanted from sequence b is the one after token number lengths[b], which has index lengths[b] - 1.",
)
@pytest.mark.parametrize(("lengths", "T", "H"), [([2, 1, 3], 7, 6), ([3, 5, 1, 4], 5, 6), ([2, 5, 3, 1], 6, 4)])
def test_encode_to_state__stops_at_each_end(student, lengths, T, H):
    x, h0, lengths, W, A = encode_arguments(1, lengths, T=T, D=2, H=H)
    # lengths [B] against states [B,H]: where B = H, entry j of every state stops when sequence j should.
    by_entry = h0
    for t in range(T) if len(lengths) == H else ():
        by_entry = torch.where(t < lengths, x[:, t] @ W + by_entry @ A, by_entry)
    full = torch.full_like(lengths, T)
    longest = torch.full_like(lengths, int(lengths.max()))
    expect_close(
        student.encode_to_state(student.helper(LINEAR, W=W, A=A), x, h0, lengths),
        states_after(x, h0, W, A, lengths),
        misconceptions={
            "The padding is read: that is the state at the end of the row, not at the end of the sequence.": (
                states_after(x, h0, W, A, full)
            ),
            "That is the state at the end of the longest sequence: the others had read padding by then.": states_after(
                x, h0, W, A, longest
            ),
            "One token too many: index lengths is the first one behind the end.": states_after(
                x, h0, W, A, (lengths + 1).clamp(max=T)
            ),
            "One token too few: the last one has index lengths - 1.": states_after(x, h0, W, A, lengths - 1),
            "h0 is not used: reading starts from zeros.": states_after(x, 0 * h0, W, A, lengths),
            "The rows have been sorted by length: give them back in the order in which they came.": states_after(
                x, h0, W, A, lengths
            )[lengths.argsort(descending=True)],
            "Your condition needs an axis of size 1, [B,1]: a [B] against states [B,H] stands beside the entries of "
            "the state, and no error tells you where B = H.": by_entry,
            "All sequences end where the first one does: each has its own length.": states_after(
                x, h0, W, A, lengths[:1].expand_as(lengths)
            ),
            "All sequences end where the shortest does: each has its own length.": states_after(
                x, h0, W, A, lengths.min().expand_as(lengths)
            ),
            "The lengths have been sorted, the sequences have not: keep them together.": states_after(
                x, h0, W, A, lengths.sort(descending=True).values
            ),
        },
        axes="B H",
    )


@check(
    "is not moved by what stands behind the end",
    points=0.5,
    hint="Padding must not reach the state: change the numbers behind a sequence's end, and nothing may change.",
)
@pytest.mark.parametrize("padding", [1e6, -3.0, 0.0, 1e30])
def test_encode_to_state__ignores_padding(student, padding):
    x, h0, lengths, W, A = encode_arguments(5, [2, 4, 1], T=6, D=3, H=2, padding=padding)
    zeroed = torch.where((torch.arange(6) < lengths[:, None])[:, :, None], x, 0.0)
    expect_close(
        student.encode_to_state(student.helper(LINEAR, W=W, A=A), x, h0, lengths),
        states_after(x, h0, W, A, lengths),
        misconceptions={
            "Setting the padding to zero is not enough: a step on zeros still rewrites the state.": states_after(
                zeroed, h0, W, A, torch.full_like(lengths, 6)
            )
        },
    )


@check(
    "keeps h0 where nothing is read",
    points=0.5,
    hint="A sequence of length 0 ends with its h0. Index lengths - 1 would be -1, which is the last state.",
)
def test_encode_to_state__keeps_h0_for_empty_sequences(student):
    x, h0, lengths, W, A = encode_arguments(8, [0, 3, 0, 1], T=3, D=4, H=2, padding=7.0)
    step = student.helper(LINEAR, W=W, A=A)
    expected = states_after(x, h0, W, A, lengths)
    empty_as_zeros = torch.where(lengths[:, None] == 0, 0.0, expected)
    expect_close(
        student.encode_to_state(step, x, h0, lengths),
        expected,
        misconceptions={
            "A sequence of length 0 keeps its h0; it does not become zero.": empty_as_zeros,
            "Every sequence reads at least one token in your loop; one of length 0 reads none.": states_after(
                x, h0, W, A, lengths.clamp(min=1)
            ),
        },
    )
    expect_close(student.encode_to_state(step, x, h0, torch.zeros(4, dtype=torch.long)), h0)


@check(
    "passes gradients, takes any size and dtype, and leaves its inputs alone",
    points=0.5,
    hint="Gradients must reach the tokens that were read and h0, and be zero behind the end. Float32 stays float32. "
    "Do not write into x, h0 or lengths, and keep the names of the parameters.",
)
@pytest.mark.parametrize(("lengths", "T", "D", "H"), [([1], 1, 2, 3), ([2], 4, 3, 1), ([3, 1, 2, 2, 3], 3, 1, 4)])
def test_encode_to_state__passes_gradients(student, lengths, T, D, H):
    for dtype in (torch.float32, torch.float64):
        x, h0, lengths_B, W, A = encode_arguments(11, lengths, T=T, D=D, H=H, dtype=dtype, padding=5.0)
        step = student.helper(LINEAR, W=W, A=A)
        result, afterwards = student.call("encode_to_state", step, x, h0, lengths_B, keep_arguments=True)
        rtol = 1e-4 if dtype == torch.float32 else None
        expect_close(result, states_after(x, h0, W, A, lengths_B), rtol=rtol, check_dtype=True)
        expect_equal(list(afterwards[1:]), [x, h0, lengths_B])
        if dtype == torch.float64:
            expect_full_precision(result, states_after(x, h0, W, A, lengths_B))
    expect_close(
        student.encode_to_state(step=step, x=x, h0=h0, lengths=lengths_B), states_after(x, h0, W, A, lengths_B)
    )
    encode = student.differentiable("encode_to_state")
    weights = normal(len(lengths), H, seed=60)
    found = []
    for function in (
        lambda x, h0: encode(step, x, h0, lengths_B),
        lambda x, h0: states_after(x, h0, W, A, lengths_B),
    ):
        leaves = [x.clone().requires_grad_(), h0.clone().requires_grad_()]
        found.append(torch.autograd.grad((function(*leaves) * weights).sum(), leaves))
    expect_close(found[0][0], found[1][0])
    expect_close(found[0][1], found[1][1])


def senses(seed, *, G, N, M, dtype=torch.float64):
    """prior [G] and log-likelihoods [N,G], [M,G] of words that speak for one sense or another."""
    prior = normal(G, seed=seed, dtype=dtype).softmax(0)
    sides = [normal(n, G, seed=seed + k, dtype=dtype) * 0.8 - 1.5 for k, n in ((1, N), (2, M))]
    return prior, sides[0].clamp(max=-0.01), sides[1].clamp(max=-0.01)


def bayes(prior, left, right):
    """Bayes' rule in probabilities, word by word, in Python's numbers."""
    joint = []
    for g, weight in enumerate(prior.tolist()):
        for row in [*left.tolist(), *right.tolist()]:
            weight *= math.exp(row[g])
        joint.append(weight)
    return torch.tensor([weight / sum(joint) for weight in joint], dtype=prior.dtype)


@check(
    "weighs the prior and the words of both sides",
    points=1,
    hint="prior times the likelihoods of all words on both sides, for each sense; divide by the sum over senses.",
)
@pytest.mark.parametrize(("G", "N", "M"), [(3, 2, 4), (2, 5, 1), (5, 1, 3), (3, 3, 3)])
def test_sense_posterior__is_bayes_rule(student, G, N, M):
    prior, left, right = senses(1, G=G, N=N, M=M)
    log_joint = prior.log() + left.sum(0) + right.sum(0)
    added = prior * (left.exp().sum(0) + right.exp().sum(0))
    all_added = prior + left.exp().sum(0) + right.exp().sum(0)
    over_senses = left.sum(1) if G == N else torch.zeros(())
    sides = [(prior.log() + side.sum(0)).softmax(0) for side in (left, right)]
    expect_close(
        student.sense_posterior(prior, left, right),
        bayes(prior, left, right),
        misconceptions={
            "Only the words on the left are used. Those on the right may settle it.": bayes(prior, left, right[:0]),
            "Only the words on the right are used.": bayes(prior, left[:0], right),
            "The prior is missing.": (left.sum(0) + right.sum(0)).softmax(0),
            "The prior counts once, not once for each side.": (log_joint + prior.log()).softmax(0),
            "The prior is a probability: take its logarithm before you add it to logarithms.": (
                prior + left.sum(0) + right.sum(0)
            ).softmax(0),
            "The result must add up to 1: divide by the sum over the senses.": log_joint.exp(),
            "Those are logarithms. Probabilities are asked for.": log_joint.log_softmax(0),
            "Those are logarithms, and they are not normalised. Probabilities are asked for.": log_joint,
            "The likelihoods of different words multiply; you add them.": added / added.sum(),
            "The likelihoods of different words multiply; you add them. ": all_added / all_added.sum(),
            "You add over the senses: add over the words, which are the first axis.": (
                prior.log() + over_senses + (right.sum(1) if G == M else right.sum(0))
            ).softmax(0),
            "You add over the senses on the left: add over the words, which are the first axis.": (
                prior.log() + over_senses + right.sum(0)
            ).softmax(0),
            "Evidence from both sides multiplies: do not take the average of what each side says.": sum(sides) / 2,
            "The logarithms of both sides add up; you take their average.": (
                prior.log() + (left.sum(0) + right.sum(0)) / 2
            ).softmax(0),
            "The prior counts once, not once for each word.": (
                (N + M) * prior.log() + left.sum(0) + right.sum(0)
            ).softmax(0),
            "Take the natural logarithm of the prior: the words' logarithms are in nats.": (
                prior.log2() + left.sum(0) + right.sum(0)
            ).softmax(0),
            "Probabilities are asked for, not which sense is the likeliest.": torch.eye(G, dtype=prior.dtype)[
                log_joint.argmax()
            ],
            "Every word counts, not the most telling one of each side alone.": (
                prior.log() + left.amax(0) + right.amax(0)
            ).softmax(0),
            "logsumexp adds up likelihoods; those of different words multiply, so add the logarithms.": (
                prior.log() + left.logsumexp(0) + right.logsumexp(0)
            ).softmax(0),
            "The logarithms of the words add up; you take their average.": (
                prior.log() + torch.cat([left, right]).mean(0)
            ).softmax(0),
            "The logarithms of the words add up; you take the average of each side.": (
                prior.log() + left.mean(0) + right.mean(0)
            ).softmax(0),
            "left and right are logarithms already: do not take them for probabilities.": (
                prior * left.prod(0) * right.prod(0)
            )
            / (prior * left.prod(0) * right.prod(0)).sum(),
        },
        axes="G",
    )


@check(
    "takes an empty side",
    points=0.5,
    hint="No words on a side is no evidence: the sum over them is 0. With nothing on either side the prior comes back.",
)
def test_sense_posterior__takes_empty_sides(student):
    prior, left, right = senses(4, G=4, N=3, M=2)
    expect_close(student.sense_posterior(prior, left, right[:0]), bayes(prior, left, right[:0]))
    expect_close(student.sense_posterior(prior, left[:0], right), bayes(prior, left[:0], right))
    expect_close(student.sense_posterior(prior, left[:0], right[:0]), prior)


@check(
    "does not underflow after hundreds of words",
    points=0.5,
    hint="exp of a large negative sum is 0, and 0/0 is NaN. Stay with logarithms; normalise by softmax or logsumexp.",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sense_posterior__survives_long_texts(student, dtype):
    G, N, M = 3, 700, 500
    prior = torch.tensor([0.2, 0.5, 0.3], dtype=dtype)
    # All words are rare, and nearly all say nothing: the few that do are the last.
    left, right = torch.full((N, G), -6.0, dtype=dtype), torch.full((M, G), -6.0, dtype=dtype)
    right[-1] = torch.tensor([-5.0, -6.0, -7.0], dtype=dtype)
    expected = bayes(prior, left[:0], right[-1:])
    result = student.sense_posterior(prior, left, right)
    # A wrong dtype costs its own check and not this one.
    rtol = 1e-3 if torch.as_tensor(result).dtype == torch.float32 else None
    expect_close(result, expected, rtol=rtol)
    # So rare a word that it alone decides.
    rare = torch.tensor([[-60.0, -40.0, -41.0], [-3.0, -4.0, -2.0]], dtype=dtype)
    for side in ((rare, right[:3]), (left[:2], rare)):
        expect_close(
            student.sense_posterior(prior, *side),
            bayes(prior, *side),
            misconceptions={
                "A small likelihood counts as it is: no logarithm is cut off at some lowest value.": lambda side=side: (
                    bayes(prior, *(words[words.amin(1) > -20] for words in side))
                )
            },
            rtol=rtol,
        )
    # First everything speaks for one sense, then as much for the other: what decides is the last word.
    prior = torch.tensor([0.6, 0.4], dtype=dtype)
    left = torch.tensor([[-1.0, -2.0]], dtype=dtype).repeat(900, 1)
    right = torch.cat([left.flip(1), torch.tensor([[-3.0, -2.0]], dtype=dtype)])
    expect_close(
        student.sense_posterior(prior, left, right),
        bayes(prior, left[:0], right[-1:]),
        misconceptions={
            "A sense that underflows to 0 on the way cannot come back when later words speak for it: add up the "
            "logarithms of all words first, and exponentiate once, at the end.": torch.tensor([1.0, 0.0], dtype=dtype),
            "A word that occurs again is evidence again: each occurrence counts.": torch.tensor(
                [0.0, 1.0], dtype=dtype
            ),
            "A word that occurs again is evidence again: each occurrence counts. ": bayes(
                prior, left[:1], torch.cat([right[:1], right[-1:]])
            ),
        },
        rtol=rtol,
    )


@check(
    "is a distribution whatever the words' order, and a prior of 0 stays 0",
    points=0.5,
    hint="The result adds up to 1 over the senses, not over the words; words may be shuffled, and the sides exchanged. "
    "A sense of prior 0 stays at 0 whatever the words say: no eps in the logarithm, log 0 = -inf is right here. Keep "
    "the names of the parameters.",
)
@pytest.mark.parametrize("G", [1, 2, 6])
def test_sense_posterior__is_a_distribution(student, G):
    prior, left, right = senses(7, G=G, N=4, M=3)
    result = student.sense_posterior(prior, left, right)
    expect_close(result.sum(), 1.0)
    expect_close(student.sense_posterior(prior=prior, left=right.flip(0), right=left.flip(0)), result)
    certain = torch.zeros(G + 1, dtype=prior.dtype)
    certain[-1] = 1.0
    _, left, right = senses(8, G=G + 1, N=2, M=5)
    # However strongly the words speak for what cannot be.
    against = 40.0 * (1 - certain) - 41.0
    expect_close(student.sense_posterior(certain, torch.cat([left, against[None]]), right), certain)
    even = torch.full_like(certain, 1 / (G + 1))
    assert student.sense_posterior(even, against[None], against[None])[-1] < even[-1]


@check(
    "keeps the dtype and leaves its inputs alone",
    points=0.5,
    hint="The result has the dtype of the inputs. Do not write into prior, left or right (operators ending in = and "
    "methods ending in _ do).",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sense_posterior__keeps_inputs(student, dtype):
    arguments = senses(9, G=3, N=2, M=6, dtype=dtype)
    result, afterwards = student.call("sense_posterior", *arguments, keep_arguments=True)
    expect_close(result, bayes(*arguments), check_dtype=True)
    expect_equal(list(afterwards), list(arguments))
