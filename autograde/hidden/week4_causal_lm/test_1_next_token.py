"""Hidden tests of week 4, notebook 1: the loss token by token, and the model against PyTorch's own encoder layers."""

import dataclasses
import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from autograde.rubric import Mismatch, StudentError, check, expect_close, expect_equal
from course.configs import DecoderConfig


def numbers(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def texts(seed, B, T, V, *, first=1):
    """Rows of real tokens: ids from `first` to V - 1."""
    return torch.randint(first, V, (B, T), generator=torch.Generator().manual_seed(seed))


# ---- shift


@check(
    "the inputs are all tokens but each row's last",
    points=0.25,
    hint="The model reads everything but the last token of each row: ids[:, :-1].",
)
@pytest.mark.parametrize(("B", "T"), [(3, 5), (1, 4), (6, 3)])
def test_shift__reads_all_but_the_last(student, B, T):
    ids = texts(1, B, T, 90)
    inputs = _one_of_two(student.shift(ids), 0)
    slips = {
        "The inputs still hold the last token: nothing follows it, so there is nothing to ask.": ids,
        "These are the targets: inputs come first, targets second.": ids[:, 1:],
        "Two tokens are missing from the inputs: the shift is by one.": ids[:, :-2],
        "The first row is cut off, not the last token: the tokens of a text lie along the second axis.": ids[:-1],
    }
    expect_equal(inputs, ids[:, :-1], misconceptions=slips)


@check(
    "the targets are the tokens one further to the right",
    points=0.25,
    hint="The target of each input token is the token behind it in its row: ids[:, 1:].",
)
@pytest.mark.parametrize(("B", "T"), [(3, 5), (1, 4), (6, 3)])
def test_shift__asks_for_the_next_token(student, B, T):
    ids = texts(2, B, T, 90)
    targets = _one_of_two(student.shift(ids), 1)
    slips = {
        "The targets are the inputs themselves: nothing was shifted.": ids[:, :-1],
        "The targets are all tokens: the first one is never asked for.": ids,
        "The targets are two tokens further to the right: shift by one, and once.": ids[:, 2:],
        "The first token came round to the end: nothing follows the last token, so leave it out.": ids.roll(-1, 1),
        "The shift went from row to row: a text's next token stands in the same row.": ids[1:],
        "That is each row's last token alone: every input token has a target, ids[:, 1:].": ids[:, -1],
        "These are the tokens before, not the tokens behind.": ids.roll(1, 1)[:, :-1],
    }
    if (
        torch.is_tensor(targets)
        and torch.equal(targets, ids[:, :-1])
        and torch.equal(student.shift(ids)[0], ids[:, 1:])
    ):
        raise Mismatch("The two have changed places: inputs come first, targets second.", misconception=True)
    expect_equal(targets, ids[:, 1:], misconceptions=slips)


def _one_of_two(result, which):
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mismatch("shift returns two tensors: inputs and targets.", misconception=True)
    return result[which]


@check(
    "takes rows of any length, down to a single token",
    points=0.25,
    hint="Rows of T tokens give T - 1 questions: rows of one token give none, that is shape [B, 0].",
)
@pytest.mark.parametrize(("B", "T"), [(1, 1), (4, 1), (2, 2), (1, 9), (5, 33)])
def test_shift__takes_any_length(student, B, T):
    ids = texts(3, B, T, 90)
    expect_equal(list(student.shift(ids)), [ids[:, :-1], ids[:, 1:]])
    zeros = texts(4, B, T, 3, first=0)
    changed = "Ids are passed on as they are, 0 too: what is padding is not decided here."
    slips = {changed: [zeros[:, :-1], zeros[:, 1:].masked_fill(zeros[:, 1:] == 0, -100)]}
    expect_equal(list(student.shift(zeros)), [zeros[:, :-1], zeros[:, 1:]], misconceptions=slips)


@check(
    "pairs each token with the one behind it, and leaves ids alone",
    points=0.25,
    hint="inputs[b, t] and targets[b, t] are neighbours in row b; ids itself is not written to.",
)
def test_shift__pairs_neighbours(student):
    ids = torch.arange(24).view(4, 6) * 3 + 5
    (inputs, targets), afterwards = student.call("shift", ids.clone(), keep_arguments=True)
    expect_equal(afterwards[0], ids)
    expect_equal(targets - inputs, torch.full((4, 5), 3))
    expect_equal(inputs[:, 0], ids[:, 0])


# ---- causal_lm_loss


def padded(seed, lengths, V, pad_id=0):
    """Rows of real tokens of these lengths, with pad_id behind them; pad_id is no real token."""
    T = max(lengths)
    real = [token for token in range(V) if token != pad_id]
    ids = torch.tensor(real)[texts(seed, len(lengths), T, len(real), first=0)]
    return ids.masked_fill(torch.arange(T) >= torch.tensor(lengths)[:, None], pad_id)


def costs(logits, ids, pad_id):
    """-log p of every real target, one list a row, each softmax written out."""
    found = []
    for row_logits, row in zip(logits.double().tolist(), ids.tolist(), strict=True):
        row_costs = []
        for t in range(len(row) - 1):
            if row[t + 1] != pad_id:
                top = max(row_logits[t])
                total = sum(math.exp(z - top) for z in row_logits[t])
                row_costs.append(math.log(total) + top - row_logits[t][row[t + 1]])
        found.append(row_costs)
    return found


def expected_loss(logits, ids, pad_id):
    flat = [cost for row in costs(logits, ids, pad_id) for cost in row]
    return sum(flat) / len(flat)


def nll(logits, targets):
    """Mean cross-entropy of logits [...,V] against targets [...]: for the slips."""
    return functional.cross_entropy(logits.flatten(0, -2), targets.flatten()).item()


def index_slips(logits, ids):
    """What slips of the index give on rows without padding."""
    B, T, V = logits.shape
    flat, flat_ids = logits.flatten(0, 1), ids.flatten()
    jumbled = logits[:, :-1].reshape(B, V, T - 1)
    return {
        "Nothing was shifted: logits at t are compared with the token at t, which the model has read.": nll(
            logits, ids
        ),
        "Shifted twice: logits at t predict the token at t + 1, not at t + 2.": nll(logits[:, :-2], ids[:, 2:]),
        "Shifted the wrong way: logits at t are compared with the token before.": nll(logits[:, 1:], ids[:, :-1]),
        "Shifted after flattening: the last position of a row is asked for the first token of the next row.": nll(
            flat[:-1], flat_ids[1:]
        ),
        "The rows went round: nothing follows the last token of a row, so it has no target.": nll(
            logits, ids.roll(-1, 1)
        ),
        "reshape does not swap axes: cross_entropy wants V on the second axis, so transpose, or flatten B and T.": (
            functional.cross_entropy(jumbled, ids[:, 1:]).item()
        ),
    }


@check(
    "logits at t predict the token at t + 1",
    points=0.5,
    hint="Leave out the last logits and the first ids of each row, then average -log softmax at the targets.",
)
@pytest.mark.parametrize(("B", "T", "V"), [(3, 6, 7), (2, 4, 11), (1, 9, 5)])
def test_causal_lm_loss__predicts_the_next_token(student, B, T, V):
    logits, ids = numbers(10, B, T, V) * 2, texts(11, B, T, V)
    expected = expected_loss(logits, ids, 0)
    slips = {
        **index_slips(logits, ids),
        "That is the sum over the targets: divide by their number.": expected * B * (T - 1),
        "The sum is divided by all B times T tokens, but the first of each row is no target: a row has T - 1.": expected
        * (T - 1)
        / T,
        "That is in bits: use the natural logarithm.": expected / math.log(2),
        "That is the perplexity: the loss is its logarithm.": math.exp(expected),
        "The sign is missing: a loss is minus the log-probability.": -expected,
        "Logits are not log-probabilities: a log-softmax is missing.": -logits[:, :-1]
        .gather(2, ids[:, 1:, None])
        .mean()
        .item(),
        "The softmax is taken twice: cross_entropy takes plain logits.": nll(logits[:, :-1].softmax(-1), ids[:, 1:]),
        "That is the mean of the probabilities, not of their logarithms.": -logits[:, :-1]
        .softmax(-1)
        .gather(2, ids[:, 1:, None])
        .mean()
        .item(),
    }
    slips = {hint: value for hint, value in slips.items() if not math.isclose(value, expected, rel_tol=1e-4)}
    expect_close(student.causal_lm_loss(logits, ids, 0), expected, misconceptions=slips)


LENGTHS = [7, 3, 2, 5, 1]


@check(
    "padding is no target, and every real target counts the same",
    points=0.5,
    hint="Add up over the targets that are not pad_id, over all rows, and divide by how many there are: a batch costs "
    "what its rows cost by themselves, each weighted with its number of targets.",
)
def test_causal_lm_loss__leaves_padding_out(student):
    logits, ids = numbers(12, 5, 7, 9) * 2, padded(13, LENGTHS, 9)
    alone = [
        (float(student.causal_lm_loss(logits[b : b + 1, :n], ids[b : b + 1, :n], 0)), n - 1)
        for b, n in enumerate(LENGTHS)
        if n > 1
    ]
    assert max(alone)[0] - min(alone)[0] > 1e-3  # or nothing was computed
    n_real = sum(n for _, n in alone)
    expected = sum(loss * n for loss, n in alone) / n_real
    readable = (ids[:, :-1] != 0).flatten()
    slips = {
        "Padding is counted as if it were text.": nll(logits[:, :-1], ids[:, 1:]),
        "The sum leaves the padding out, but the count does not: divide by the number of real targets.": (
            expected * n_real / 30
        ),
        "That averages the rows' losses, so that a token of a short row counts more.": sum(loss for loss, _ in alone)
        / len(alone),
        "Whether a question counts is decided by its target, not by its input: behind the last token comes padding.": (
            nll(logits[:, :-1].flatten(0, 1)[readable], ids[:, 1:].flatten()[readable])
        ),
    }
    result = student.causal_lm_loss(logits, ids, 0)
    if math.isnan(float(result)):
        sentence = "A row without a real target gives nan: add up over the whole batch, not row by row."
        raise Mismatch(sentence, misconception=True)
    expect_close(result, expected, misconceptions=slips)


@check(
    "never reads the logits that have no target",
    points=0.5,
    hint="Logits at the last position, and wherever the next token is padding, must make no difference at all.",
)
@pytest.mark.parametrize("poison", [1e4, -1e4])
def test_causal_lm_loss__never_reads_logits_without_a_target(student, poison):
    logits, ids = numbers(14, 5, 7, 6), padded(15, LENGTHS, 6)
    asked = torch.cat([ids[:, 1:] != 0, torch.zeros(5, 1, dtype=torch.bool)], dim=1)
    spikes = poison * (torch.arange(6) % 2).to(logits)  # not the same on every token: a softmax would notice
    loss = float(student.causal_lm_loss(logits, ids, 0))
    assert abs(loss - float(student.causal_lm_loss(logits * 3, ids, 0))) > 1e-3  # those with a target are read
    expect_close(student.causal_lm_loss(torch.where(asked[:, :, None], logits, spikes), ids, 0), loss)


@check(
    "takes any padding id, and then 0 is a token as any other",
    points=0.5,
    hint="Compare the targets with the argument pad_id: it may be any id, and where it is not 0, 0 is a real token.",
)
@pytest.mark.parametrize("pad_id", [4, 7, 2])
def test_causal_lm_loss__takes_any_padding_id(student, pad_id):
    logits, ids = numbers(16, 5, 7, 8) * 2, padded(17, LENGTHS, 8)
    loss = float(student.causal_lm_loss(logits, ids, 0))
    names = torch.arange(8)
    names[0], names[pad_id] = pad_id, 0  # the same text with two ids exchanged
    renamed = names[ids]
    renamed_logits = logits[:, :, names]
    slips = {
        "The padding is taken to be 0, but it is the argument pad_id.": expected_loss(renamed_logits, renamed, 0),
        "The padding is taken to be -100, but it is the argument pad_id.": expected_loss(renamed_logits, renamed, -100),
        "Both 0 and pad_id are left out: only pad_id is padding.": expected_loss(
            renamed_logits, renamed.masked_fill(renamed == 0, pad_id), pad_id
        ),
    }
    expect_close(student.causal_lm_loss(renamed_logits, renamed, pad_id=pad_id), loss, misconceptions=slips)
    assert abs(loss - float(student.causal_lm_loss(logits, ids.flip(0), 0))) > 1e-3


@check(
    "is in nats, and stays finite where logits are large",
    points=0.5,
    hint="Even guessing among V tokens costs log V nats; a softmax may round to 0, whose log is -inf; "
    "log_softmax stays finite.",
)
def test_causal_lm_loss__is_in_nats_and_finite(student):
    for V in (5, 300):
        even = student.causal_lm_loss(torch.full((2, 4, V), 3.0, dtype=torch.float64), texts(18, 2, 4, V), 0)
        expect_close(even, math.log(V), misconceptions={"That is in bits: nats are asked for.": math.log2(V)})
    logits, ids = numbers(19, 3, 5, 6) * 600, texts(20, 3, 5, 6)
    expect_close(student.causal_lm_loss(logits, ids, 0), expected_loss(logits, ids, 0))
    # Neighbours that float32 cannot tell apart.
    logits = 1e8 + numbers(24, 3, 5, 6)
    single = "The loss was computed in float32: compute in the dtype of logits."
    slips = {single: expected_loss(logits.float(), ids, 0)}
    expect_close(student.causal_lm_loss(logits, ids, 0), expected_loss(logits, ids, 0), misconceptions=slips, rtol=1e-4)


@check(
    "sends gradients to the right logits, keeps the dtype, leaves its inputs alone",
    points=0.5,
    hint="The result is a tensor without axes, in the dtype of logits, that gradients flow through: no .item(), no "
    ".detach(). A logit's gradient is (softmax - one-hot) / N at real targets, 0 elsewhere. What came in is left as it "
    "was.",
)
def test_causal_lm_loss__sends_gradients(student):
    ids, V = padded(21, [6, 2, 4], 7), 7
    logits = numbers(22, 3, 6, V).requires_grad_()
    loss = student.differentiable("causal_lm_loss")(logits, ids, 0)
    (got,) = torch.autograd.grad(loss, logits)
    asked = torch.cat([ids[:, 1:] != 0, torch.zeros(3, 1, dtype=torch.bool)], dim=1)
    hot = functional.one_hot(ids.roll(-1, 1), V).double()
    expect_close(got, (logits.detach().softmax(-1) - hot) * asked[:, :, None] / asked.sum())
    single = numbers(23, 3, 6, V, dtype=torch.float32)
    result, afterwards = student.call("causal_lm_loss", single.clone(), ids.clone(), 0, keep_arguments=True)
    expect_close(result.reshape(1), torch.tensor([expected_loss(single, ids, 0)]), check_dtype=True)
    expect_equal(result.ndim, 0)
    expect_equal(list(afterwards[:2]), [single, ids])
    if student.causal_lm_loss(logits.detach(), ids, 0).dtype != torch.float64:
        raise Mismatch("The loss is in the dtype of logits: float64 in, float64 out.", misconception=True)


# ---- pack_documents


def stream_of(documents, eos_id):
    stream = []
    for document in documents:
        stream.extend(document)
        stream.append(eos_id)
    return stream


def blocks_of(stream, block_len):
    """The stream's full blocks, taken off its front one at a time."""
    rows, left = [], list(stream)
    while len(left) >= block_len:
        rows.append(left[:block_len])
        left = left[block_len:]
    return torch.tensor(rows, dtype=torch.long) if rows else torch.zeros(0, block_len, dtype=torch.long)


def documents_of(seed, lengths):
    ids = texts(seed, 1, sum(lengths) + 1, 900, first=20)[0].tolist()
    found = []
    for length in lengths:
        found.append(ids[:length])
        ids = ids[length:]
    return found


def packing_slips(documents, block_len, eos_id):
    """What the usual slips give, by their hints."""

    def blocks(stream):
        return blocks_of(stream, block_len)

    alone = [[*document, eos_id] for document in documents]
    before = [token for document in documents for token in [eos_id, *document]]
    stream = stream_of(documents, eos_id)
    whole = [row for document in alone for row in blocks(document).tolist()]
    n_columns = len(stream) // block_len
    single = "Every block is cut from a single document: a block may hold the end of one and the beginning of the next."
    dropped = "A last block that is exactly full is missing: the end token is missing behind the last document, or the "
    return {
        single: torch.tensor(whole, dtype=torch.long).view(-1, block_len),
        "Nothing is left where nothing is to be dropped: `stream[:-0]` is empty.": blocks(
            stream if len(stream) % block_len else []
        ),
        dropped + "cut drops a full block.": blocks(stream[:-1]),
        "No end token stands between the documents: the model cannot see where one ends.": blocks(
            [token for document in documents for token in document]
        ),
        "The end token stands before each document: it belongs behind it.": blocks(before),
        "The last block is not full: what does not fill a block is dropped, and nothing is padded.": blocks(
            stream + [eos_id] * (-len(stream) % block_len)
        ),
        "The last block is padded with 0: what does not fill a block is dropped.": blocks(
            stream + [0] * (-len(stream) % block_len)
        ),
        "The stream runs down the columns: it must run along the rows.": torch.tensor(
            stream[: n_columns * block_len], dtype=torch.long
        )
        .view(block_len, n_columns)
        .T,
        "The blocks overlap: each token of the stream stands in one block at most.": torch.tensor(stream).unfold(
            0, block_len, 1
        )
        if len(stream) >= block_len
        else blocks(stream),
        "Each document is cut to a single block, so that the rest of a long one is lost.": blocks(
            [token for document in alone for token in document[:block_len]]
        ),
        "The end token stands at the end of each block: it belongs behind each document.": blocks_of(
            _with_ends(documents, block_len, eos_id), block_len
        ),
    }


def _with_ends(documents, block_len, eos_id):
    flat = [token for document in documents for token in document]
    rows = [flat[i : i + block_len - 1] for i in range(0, len(flat), block_len - 1)] if block_len > 1 else []
    return [token for row in rows if len(row) == block_len - 1 for token in [*row, eos_id]]


def expect_packed(student, documents, block_len, eos_id):
    expected = blocks_of(stream_of(documents, eos_id), block_len)
    slips = packing_slips(documents, block_len, eos_id)
    slips = {hint: value for hint, value in slips.items() if not torch.equal(value, expected)}
    expect_equal(student.pack_documents(documents, block_len, eos_id), expected, misconceptions=slips)


@check(
    "an end token stands behind every document",
    points=0.5,
    hint="The stream is document, end token, document, end token, and so on.",
)
@pytest.mark.parametrize(("lengths", "block_len", "eos_id"), [([3, 2, 4, 4], 4, 1), ([5, 1, 6, 2, 7], 5, 7)])
def test_pack_documents__ends_every_document(student, lengths, block_len, eos_id):
    expect_packed(student, documents_of(30, lengths), block_len, eos_id)


@check(
    "an end token stands behind the last document too",
    points=0.5,
    hint="The last document gets its end token as all others: sometimes it is the token that fills the last block.",
)
@pytest.mark.parametrize(("lengths", "block_len"), [([7], 4), ([2, 4], 8), ([1, 1, 3], 2), ([3, 1], 1)])
def test_pack_documents__ends_the_last_document(student, lengths, block_len):
    expect_packed(student, documents_of(31, lengths), block_len, 5)


@check(
    "documents run on over the ends of blocks",
    points=0.5,
    hint="A document does not care where a block ends: a long one fills several, and two short ones share one.",
)
@pytest.mark.parametrize(("lengths", "block_len"), [([23, 2, 18], 5), ([2, 1, 3, 2, 30], 10), ([11, 11, 12], 3)])
def test_pack_documents__runs_on(student, lengths, block_len):
    expect_packed(student, documents_of(32, lengths), block_len, 3)


@check(
    "what does not fill a block is dropped, at the end alone",
    points=0.5,
    hint="Only full blocks come back, without padding; all tokens before the last cut are kept, in order.",
)
@pytest.mark.parametrize(("lengths", "block_len"), [([4, 5, 3], 4), ([9, 1], 8), ([3, 6, 2, 5], 7)])
def test_pack_documents__drops_the_rest(student, lengths, block_len):
    expect_packed(student, documents_of(33, lengths), block_len, 0)


@check(
    "where nothing fills a block there are no rows, but still block_len columns",
    points=0.5,
    hint="The result is a long tensor of shape [0, block_len] where nothing fills a block: give torch.tensor its dtype "
    "and the shape by name.",
)
def test_pack_documents__may_give_nothing(student):
    try:
        student.pack_documents([], 6, 9)
    except StudentError as error:
        if error.kind in ("IndexError", "RuntimeError", "ValueError"):
            sentence = "There may be no documents at all: then there is nothing to join, and the result has no rows."
            raise Mismatch(sentence, misconception=True) from None
        raise
    for documents, block_len in [([], 6), ([[30, 31]], 4), ([[], []], 3)]:
        result = student.pack_documents(documents, block_len, 9)
        expect_equal(list(result.shape), [0, block_len])
        expect_equal(result, torch.zeros(0, block_len, dtype=torch.long))
    full = student.pack_documents([[40, 41], [50]], 2, 9)  # and where something does, it comes
    expect_equal(full, torch.tensor([[40, 41], [9, 50]]))
    if full.dtype != torch.long:
        raise Mismatch("Ids are of dtype long.", misconception=True)


@check(
    "empty documents are no exception, and nothing is changed",
    points=0.5,
    hint="An empty document leaves its end token. Do not append to the documents that you were given.",
)
def test_pack_documents__takes_anything(student):
    documents = [[], [31, 32, 33], [], [34]]
    given = [list(document) for document in documents]
    result, afterwards = student.call("pack_documents", given, 3, 8, keep_arguments=True)
    expect_equal(result, torch.tensor([[8, 31, 32], [33, 8, 8]]))
    expect_equal(afterwards[0], documents)
    expect_equal(student.pack_documents(documents=[[31, 32]], block_len=2, eos_id=2), torch.tensor([[31, 32]]))


# ---- CausalLM

CONFIG = DecoderConfig(vocab_size=13, d_model=8, n_heads=2, n_layers=2, d_ff=20, max_len=9)


def lower(T):
    return torch.ones(T, T, dtype=torch.bool).tril()


def model_weights(seed, config=CONFIG, dtype=torch.float64):
    """Weights by the names of the statement, none at its starting value."""
    D, F = config.d_model, config.d_ff
    shapes = {"word.weight": (config.vocab_size, D), "position.weight": (config.max_len, D)}
    for i in range(config.n_layers):
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes[f"blocks.{i}.self_attn.{name}.weight"] = (D, D)
            shapes[f"blocks.{i}.self_attn.{name}.bias"] = (D,)
        shapes[f"blocks.{i}.feed_forward.linear1.weight"], shapes[f"blocks.{i}.feed_forward.linear1.bias"] = (
            (F, D),
            (F,),
        )
        shapes[f"blocks.{i}.feed_forward.linear2.weight"], shapes[f"blocks.{i}.feed_forward.linear2.bias"] = (
            (D, F),
            (D,),
        )
        for norm in ("norm1", "norm2"):
            shapes[f"blocks.{i}.{norm}.weight"] = shapes[f"blocks.{i}.{norm}.bias"] = (D,)
    shapes["norm.weight"] = shapes["norm.bias"] = (D,)
    return {
        name: numbers(seed + i, *shape, dtype=dtype) / (2 if len(shape) == 2 else 3)
        + ("norm" in name and name.endswith("weight"))
        for i, (name, shape) in enumerate(shapes.items())
    }


def pytorch_layer(weights, i, config, *, activation, pre_norm):
    """PyTorch's own encoder layer, with block i's weights."""
    layer = nn.TransformerEncoderLayer(
        config.d_model,
        config.n_heads,
        config.d_ff,
        dropout=0.0,
        activation=activation,
        batch_first=True,
        norm_first=pre_norm,
        dtype=torch.float64,
    )
    block, state = f"blocks.{i}.", {}
    for end in ("weight", "bias"):
        parts = [weights[f"{block}self_attn.{name}_proj.{end}"] for name in "qkv"]
        state[f"self_attn.in_proj_{end}"] = torch.cat(parts)
        state[f"self_attn.out_proj.{end}"] = weights[f"{block}self_attn.out_proj.{end}"]
        for theirs, ours in [
            ("linear1", "feed_forward.linear1"),
            ("linear2", "feed_forward.linear2"),
            ("norm1", "norm1"),
            ("norm2", "norm2"),
        ]:
            state[f"{theirs}.{end}"] = weights[f"{block}{ours}.{end}"]
    return partial(torch.func.functional_call, layer, state)


TANH_GELU = partial(functional.gelu, approximate="tanh")


def expected_logits(
    weights,
    ids,
    real=None,
    *,
    config=CONFIG,
    activation=TANH_GELU,
    pre_norm=True,
    causal=True,
    last=True,
    positions=True,
    first=0,
    scale=1.0,
    n_layers=None,
    norm_each=False,
    head="word.weight",
):
    """The model on PyTorch's own layers, with the usual slips to choose from."""
    T = ids.shape[1]
    norm = partial(
        functional.layer_norm,
        normalized_shape=(config.d_model,),
        weight=weights["norm.weight"],
        bias=weights["norm.bias"],
    )
    x = weights["word.weight"][ids] * scale
    if positions:
        x = x + weights["position.weight"][first : first + T]
    hidden = ~lower(T) if causal else torch.zeros(T, T, dtype=torch.bool)
    for i in range(config.n_layers if n_layers is None else n_layers):
        layer = pytorch_layer(weights, i, config, activation=activation, pre_norm=pre_norm)
        mask = hidden if real is None else hidden | ~real[:, None]
        if real is not None:
            mask = mask.repeat_interleave(config.n_heads, 0)
        x = layer((x,), {"src_mask": mask})
        if norm_each:
            x = norm(x)
    if last and not norm_each:
        x = norm(x)
    return x @ weights[head].T


def with_weights(student, weights, config=CONFIG):
    """A call of the student's model in which these weights stand: f(ids, mask)."""
    function = student.new("CausalLM", config).differentiable(parameters=True)
    return lambda *inputs, **named: function(weights, *inputs, **named)


@check(
    "has the submodules of the statement and no others",
    points=0.5,
    hint="word [V,D], position [max_len,D], blocks (an nn.ModuleList of n_layers EncoderBlocks) and norm. The head is "
    "the word table: it has no parameters of its own.",
)
def test_CausalLM__has_its_submodules(student):
    listed = student.helper("lambda module: {name: list(p.shape) for name, p in module.named_parameters()}")
    for config in (CONFIG, DecoderConfig(5, d_model=6, n_heads=3, n_layers=3, d_ff=7, max_len=4)):
        expected = {name: list(value.shape) for name, value in model_weights(0, config).items()}
        model = student.new("CausalLM", config)
        found = listed(model)
        for missing in ("word", "position", "norm"):
            if f"{missing}.weight" not in found:
                sentence = f"No submodule is called {missing}: keep the names word, position, blocks and norm."
                raise Mismatch(sentence, misconception=True)
        extra = {name for name in found if name not in expected}
        if any(found[name] == [config.vocab_size, config.d_model] for name in extra):
            raise Mismatch("There is a second table of V times D numbers: the head is word.weight.", misconception=True)
        names = student.helper("lambda module: [name for name, _ in module.named_parameters(remove_duplicate=False)]")
        every = set(names(model))
        if any(name.startswith("blocks.") for name in every - set(found)):
            raise Mismatch("All blocks are one object: make config.n_layers of them, each its own.", misconception=True)
        for name in expected:
            if name in found and found[name] != expected[name]:
                sentence = f"{name} is {found[name]} where {expected[name]} is asked for: take the sizes from config."
                raise Mismatch(sentence, misconception=True)
        expect_equal(found, expected)
        if every != set(expected):
            raise Mismatch(
                "A table stands under a second name: use word.weight in forward, without a map of its own.",
                misconception=True,
            )


@check(
    "computes GPT-2's logits",
    points=1,
    hint="Words plus positions, the pre-norm blocks under the causal mask with GPT-2's GELU, the last norm, then the "
    "dot products with the word embeddings.",
)
@pytest.mark.parametrize(("B", "T", "n_layers"), [(2, 5, 2), (3, 9, 1), (1, 4, 3), (5, 1, 2)])
def test_CausalLM__computes_the_logits(student, B, T, n_layers):
    config = dataclasses.replace(CONFIG, n_layers=n_layers)
    weights, ids = model_weights(100, config), texts(101, B, T, 13, first=0)
    how = partial(expected_logits, weights, ids, config=config)
    expected = how()
    slips = {
        "The last norm is missing: it stands between the blocks and the head.": how(last=False),
        "The last norm is taken behind every block: it comes once, behind the last block.": how(norm_each=True),
        "The positions are missing.": how(positions=False),
        "The embeddings are multiplied by the root of D: GPT-2 does not do that.": how(scale=math.sqrt(8)),
        "The model sees the future: give causal=True to every block.": how(causal=False),
        "The blocks are post-norm: give pre_norm=True.": how(pre_norm=False),
        "The blocks work with ReLU: give activation='gelu_tanh'.": how(activation=functional.relu),
        "That is the exact GELU: GPT-2 has its tanh form, activation='gelu_tanh'.": how(activation=functional.gelu),
        "The last block is missing: config.n_layers of them.": how(n_layers=n_layers - 1),
        "Positions are counted from 1: the first token has position 0.": how(first=1) if T < 9 else how(last=False),
        "Logits come back as they are: no softmax.": expected.softmax(-1),
        "Logits come back as they are: no log-softmax.": expected.log_softmax(-1),
    }
    slips = {
        hint: value for hint, value in slips.items() if value.shape == expected.shape and not value.allclose(expected)
    }
    model = with_weights(student, weights, config)
    result = model(ids)
    if not torch.equal(model(ids), result):
        raise Mismatch("The same ids give other logits each time: there is no dropout here.", misconception=True)
    expect_close(result, expected, misconceptions=slips, axes="B T V", check_dtype=True)


@check(
    "never looks ahead",
    points=0.5,
    hint="Another token at t must leave all logits before t as they are: causal=True in every block.",
)
def test_CausalLM__never_looks_ahead(student):
    weights, ids = model_weights(110), texts(111, 2, 8, 13, first=0)
    model = with_weights(student, weights)
    before = model(ids)
    expect_equal(list(before.shape), [2, 8, 13])
    for t in range(1, 8):
        changed = ids.clone()
        changed[:, t] = (ids[:, t] + 1) % 13
        after = model(changed)
        expect_close(after[:, :t], before[:, :t])
        assert (after[:, t] - before[:, t]).abs().max() > 1e-6
    expect_close(model(ids[:, :3]), before[:, :3])


@check(
    "hears from every token to the left, and from where it stands",
    points=0.5,
    hint="Each logit depends on all tokens up to its own: on the first one too, and on their order.",
)
def test_CausalLM__hears_from_all_the_left(student):
    weights, ids = model_weights(112), texts(113, 3, 9, 13, first=0)
    model = with_weights(student, weights)
    before = model(ids)
    for s in range(9):
        changed = ids.clone()
        changed[:, s] = (ids[:, s] + 5) % 13
        assert ((model(changed) - before)[:, s:].abs().amax(-1) > 1e-9).all()
    same = torch.full((2, 6), 4)
    apart = model(same)
    if (apart[:, 1:] - apart[:, :-1]).abs().amax(-1).min() < 1e-6:
        raise Mismatch("The same word gives the same logits at every place: add the positions.", misconception=True)
    expect_close(apart[0], apart[1])


@check(
    "a token that is not real is seen by no other",
    points=0.5,
    hint="mask [B,T] says which keys are real: as [B,1,1,T] it goes into every block, beside causal=True.",
)
@pytest.mark.parametrize(("B", "T"), [(4, 6), (6, 6), (2, 8)])
def test_CausalLM__hides_what_is_not_real(student, B, T):
    weights, ids = model_weights(114), texts(115, B, T, 13, first=0)
    real = torch.arange(T) >= (torch.arange(B) % (T - 1))[:, None]  # padded on the left, where causality hides nothing
    model = with_weights(student, weights)
    poisoned = torch.where(real, ids, (ids + 3) % 13)
    before, after = model(ids, real), model(poisoned, mask=real)
    plain = model(ids)
    if torch.allclose(before, plain):
        raise Mismatch("The mask makes no difference: give it to every block.", misconception=True)
    expect_close(after[real], before[real])
    for b in range(B):  # and real ones are still seen: the first of them moves the last
        first = int(real[b].int().argmax())
        if first < T - 1:
            moved = ids[b : b + 1].clone()
            moved[0, first] = (moved[0, first] + 1) % 13
            assert (model(moved, real[b : b + 1])[0, -1] - before[b, -1]).abs().max() > 1e-9
    expect_close(model(ids, torch.ones(B, T, dtype=torch.bool)), plain)
    # Without positions, a row is what it is without its padding.
    nowhere = with_weights(student, weights | {"position.weight": torch.zeros_like(weights["position.weight"])})
    padded_rows = nowhere(ids, real)
    for b in range(B):
        first = int(real[b].int().argmax())
        if not torch.allclose(padded_rows[b, first:], nowhere(ids[b : b + 1, first:])[0], atol=1e-6):
            sentence = (
                "A place that is not real still takes a share of the attention, whatever is written there: zeros "
            )
            sentence += "are seen too. Give the mask to every block, as [B,1,1,T]."
            raise Mismatch(sentence, misconception=True)


@check(
    "padding on the right leaves the text before it alone",
    points=0.5,
    hint="A row padded on the right gives, on its real tokens, what it gives without padding; None means that all are "
    "real.",
)
def test_CausalLM__reads_rows_padded_on_the_right(student):
    weights, ids = model_weights(116), texts(117, 3, 7, 13, first=0)
    lengths = [7, 2, 5]
    real = torch.arange(7) < torch.tensor(lengths)[:, None]
    model = with_weights(student, weights)
    logits = model(ids, real)
    expect_equal(list(logits.shape), [3, 7, 13])
    assert (logits[0, 1:] - logits[0, :-1]).abs().amax() > 1e-3  # something was computed
    for b, length in enumerate(lengths):
        expect_close(logits[b, :length], model(ids[b : b + 1, :length], None)[0])


@check(
    "learns: gradients reach every parameter, and the word table at both ends",
    points=0.5,
    hint="Nothing is detached, and the head uses word.weight itself, not a copy of it.",
)
def test_CausalLM__sends_gradients(student):
    config = dataclasses.replace(CONFIG, n_layers=1)
    frozen = student.helper("lambda module: [name for name, p in module.named_parameters() if not p.requires_grad]")
    if frozen(student.new("CausalLM", config)):
        raise Mismatch("All tables and blocks are learned, the positions too: none is frozen.", misconception=True)
    weights = {name: value.requires_grad_() for name, value in model_weights(118, config).items()}
    ids, cotangent = texts(119, 2, 5, 13, first=0), numbers(120, 2, 5, 13)
    ids[:, 2] = 0
    leaves = tuple(weights.values())
    got = torch.autograd.grad((with_weights(student, weights, config)(ids) * cotangent).sum(), leaves)
    expected = (expected_logits(weights, ids, config=config) * cotangent).sum()
    at_word = list(weights).index("word.weight")
    theirs = torch.autograd.grad(expected, leaves, retain_graph=True)[at_word]
    if torch.allclose(got[at_word][1:], theirs[1:]) and not torch.allclose(got[at_word][0], theirs[0]):
        sentence = "The embedding of id 0 does not learn where it is read: no padding_idx, 0 is a token as any other."
        raise Mismatch(sentence, misconception=True)
    for ours, theirs in zip(got, torch.autograd.grad(expected, leaves), strict=True):
        expect_close(ours, theirs, atol=1e-6 * max(1.0, float(theirs.abs().max())))
