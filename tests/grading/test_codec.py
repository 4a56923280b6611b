"""What may cross the trust boundary: plain data, exactly; nothing else, whatever the bytes say."""

from __future__ import annotations

import contextlib
import math
import socket
import time
from collections import Counter, OrderedDict, namedtuple

import msgpack
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograde.sandbox.shared.codec import INT, SET, TENSOR, TUPLE, Decoder, Encoder, Handle
from autograde.sandbox.shared.frames import HEADER, MAGIC, Closed, Expired, ProtocolError, receive, send

Pair = namedtuple("Pair", "left right")


class AlwaysEqual(str):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


class Overriding(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return torch.tensor(0.0)


def through(value):
    document, buffers = Encoder()(value)
    return Decoder()((document, [bytearray(buffer) for buffer in buffers]))


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(plain)
@settings(max_examples=100, deadline=None)
def test_plain_data_comes_back_equal_and_of_the_same_type(value):
    result = through(value)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        2**200,
        -(2**64),
        (1, (2, [3])),
        {(1, 2): 3, "a": (4,)},
        {1, 2},
        frozenset({"x"}),
        1 + 2j,
        slice(1, None, 2),
        range(3, 9, 2),
        torch.float16,
        torch.device("cpu"),
        Counter({(1, 2): 3}),
        "\ud800",
    ],
    ids=repr,
)
def test_special_types_keep_their_identity(value):
    result = through(value)
    assert result == value
    assert type(result) is type(value)


def test_a_counter_still_counts_missing_keys_as_zero():
    assert through(Counter(a=1))["b"] == 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.bool, torch.int64, torch.complex64])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3), (300, 500)])
def test_tensors_come_back_bit_by_bit(dtype, shape):
    tensor = (torch.rand(shape) * 5).to(dtype)
    assert torch.equal(through(tensor), tensor)
    assert through(tensor.t() if tensor.dim() == 2 else tensor).shape == (shape[::-1] if len(shape) == 2 else shape)


@pytest.mark.parametrize("T", [1, 7])
def test_a_column_of_a_single_row_comes_back(T):
    # One number, which counts as contiguous whatever its stride is.
    column = torch.arange(T).view(1, T)[:, -1]
    assert torch.equal(through(column), torch.tensor([T - 1]))


def test_a_returned_tensor_can_be_changed_and_carries_no_gradient():
    tensor = through(torch.ones(3, requires_grad=True))
    tensor.mul_(2)
    assert not tensor.requires_grad


def test_gradients_are_asked_for_only_on_the_trusting_side():
    document, buffers = Encoder()(torch.ones(3, requires_grad=True))
    assert Decoder(trusting=True)((document, buffers)).requires_grad


def test_arrays_and_numpy_scalars_come_back():
    array = np.arange(6, dtype=np.int16).reshape(2, 3).T
    assert np.array_equal(through(array), array)
    assert type(through(np.float32(0.5))) is np.float32


def test_a_generator_goes_on_where_it_stood():
    generator = torch.Generator().manual_seed(5)
    torch.rand(3, generator=generator)
    assert torch.equal(torch.rand(4, generator=through(generator)), torch.rand(4, generator=generator))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (AlwaysEqual("x"), "x"),
        (Pair(1, 2), (1, 2)),
        (OrderedDict(a=1), {"a": 1}),
        (torch.Size([2]), (2,)),
        (True, True),
    ],
)
def test_subclasses_are_flattened_to_the_plain_type(value, plain):
    result = through(value)
    assert type(result) is type(plain)
    assert str.__eq__(result, plain) if isinstance(plain, str) else result == plain


def test_a_tensor_that_overrides_torch_is_flattened():
    result = through(torch.ones(2).as_subclass(Overriding))
    assert type(result) is torch.Tensor
    assert result.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("value", [object(), lambda: 1, torch.nn.Linear(1, 1), np.array([object()]), iter([1])])
def test_what_is_no_data_is_refused(value):
    with pytest.raises(ProtocolError):
        Encoder()(value)


def test_a_value_that_contains_itself_is_refused():
    loop = []
    loop.append((loop,))
    with pytest.raises(ProtocolError):
        Encoder()(loop)


def test_objects_stay_behind_as_handles_where_that_is_allowed():
    document, buffers = Encoder(lambda value: Handle(7, "object", "thing"))(object())
    assert Decoder()((document, buffers)) == Handle(7, "object", "thing")


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_give_plain_data_or_a_protocol_error(document):
    with contextlib.suppress(ProtocolError):
        Decoder()((document, []))


@given(st.integers(1, 20), st.binary(max_size=80))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bodies_of_our_own_codes_give_data_or_a_protocol_error(code, body):
    with contextlib.suppress(ProtocolError):
        Decoder()((msgpack.packb(msgpack.ExtType(code, body)), [bytearray(b"12345678")]))


def ext(code, body):
    return msgpack.packb(msgpack.ExtType(code, body))


def nested(depth):
    body = msgpack.packb([])
    for _ in range(depth):
        body = msgpack.packb([msgpack.ExtType(TUPLE, body)])
    return body


@pytest.mark.parametrize(
    "document",
    [
        nested(100),
        b"\x91" * 100_000,
        ext(INT, b"\x01" * 5000),
        ext(TENSOR, b"\x00\x00\x02" + (1 << 39).to_bytes(8, "little") * 2 + b"\x00"),
        ext(TENSOR, b"\x09\x00\x01" + (1).to_bytes(8, "little") + b"\x00\x02"),
        ext(TENSOR, b"\x00\x00\x00\x01\x00\x00\x00\x00"),
        ext(SET, msgpack.packb([False, [1]])),
        msgpack.packb({1: 2}) + b"\x00",
    ],
    ids=["deep", "deep lists", "huge integer", "huge shape", "boolean 2", "unknown buffer", "unhashable", "trailing"],
)
def test_malformed_documents_are_refused(document):
    with pytest.raises(ProtocolError):
        Decoder()((document, []))


def test_records_cannot_be_made_on_the_trusted_side():
    with pytest.raises(ProtocolError):
        Decoder()((ext(14, msgpack.packb(["subprocess:Popen", {"args": "true"}])), []))


def test_numbers_of_numpy_are_keys_as_plain_ones_are():
    counts = Counter({(np.int64(1), np.int64(2)): 3, (np.float32(0.5), np.bool_(True)): 1})
    arrived = through(counts)
    assert arrived == {(1, 2): 3, (0.5, True): 1}


def test_keys_that_collide_are_refused_quickly():
    colliding = [(math.e, k * (2**61 - 1)) for k in range(-4, 8)]
    pairs = b"".join(ext(TUPLE, msgpack.packb(list(key))) + b"\x00" for key in colliding)
    with pytest.raises(ProtocolError, match="collide"):
        Decoder()((b"\xde" + len(colliding).to_bytes(2, "big") + pairs, []))


@pytest.mark.parametrize(
    "header",
    [HEADER.pack(MAGIC + 1, 0, 0), HEADER.pack(MAGIC, 1 << 31, 0), HEADER.pack(MAGIC, 0, 1 << 20)],
    ids=["magic", "document", "buffers"],
)
def test_a_frame_that_announces_too_much_is_refused(header):
    left, right = socket.socketpair()
    with left, right:
        left.sendall(header)
        with pytest.raises(ProtocolError):
            receive(right, time.monotonic() + 5)


def test_a_frame_that_stops_half_way_expires_or_closes():
    left, right = socket.socketpair()
    with right:
        left.sendall(HEADER.pack(MAGIC, 10, 0) + b"abc")
        with pytest.raises(Expired):
            receive(right, time.monotonic() + 0.05)
        left.close()
        with pytest.raises(Closed):
            receive(right, time.monotonic() + 5)


def test_large_tensors_travel_beside_the_document():
    left, right = socket.socketpair()
    with left, right:
        tensor = torch.arange(20_000, dtype=torch.float32)
        message = Encoder()({"x": tensor})
        assert len(message[0]) < 200
        send(left, message, time.monotonic() + 5)
        assert torch.equal(Decoder()(receive(right, time.monotonic() + 5))["x"], tensor)
