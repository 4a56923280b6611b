"""What reads untrusted bytes either gives what it promises or says no, whatever the bytes are."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from typing import Any

import msgpack
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autograde.sandbox.shared import codec
from autograde.sandbox.shared.codec import Decoder, Encoder, Handle
from autograde.sandbox.shared.frames import HEADER, MAGIC, Closed, ProtocolError, receive
from autograde.submission import MAX_CELLS, MAX_NOTES, Unreadable, parse, rebuild, source_of

PLAIN = (type(None), bool, int, float, str, bytes, list, dict, tuple, set, frozenset, complex, slice, range)
DATA = (*PLAIN, torch.Tensor, torch.Generator, torch.dtype, torch.device, np.ndarray, np.generic, Handle)

RELEASE: dict[str, Any] = {
    "nbformat": 4,
    "metadata": {},
    "cells": [
        {
            "cell_type": "code",
            "id": name,
            "metadata": {"nbgrader": {"grade_id": name, "grade": grade, "solution": not grade, "points": 1}},
            "source": "pass",
        }
        for name, grade in (("f", False), ("check_f", True), ("g", False), ("check_g", True))
    ],
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["f", "check_f", "code"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
nbgrader_entries = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("grade_id", "grade", "solution", "points", "schema_version"), json_values)
)
cells = json_values | st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown", "raw"]) | json_values,
        "id": json_values,
        "source": st.text() | st.lists(json_values),
        "metadata": json_values | st.fixed_dictionaries({"nbgrader": nbgrader_entries | json_values}),
        "outputs": json_values,
    },
)
notebooks = st.fixed_dictionaries(
    {}, optional={"cells": st.lists(cells) | json_values, "worksheets": st.lists(json_values) | json_values}
)
extensions = st.builds(msgpack.ExtType, st.integers(0, 20), st.binary(max_size=60))
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary() | extensions,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(st.text() | st.integers(0, 9), inner, max_size=6)
        | st.builds(lambda code, parts: msgpack.ExtType(code, packed(parts)), st.integers(1, 15), st.lists(inner))
    ),
    max_leaves=12,
)


def packed(value: Any) -> bytes:
    return msgpack.packb(value, unicode_errors="surrogatepass")


def decoded(document: bytes, buffers: tuple[bytes, ...] = ()) -> Any:
    """Return a message's value, or the refusal itself."""
    try:
        return Decoder()((document, [bytearray(buffer) for buffer in buffers]))
    except ProtocolError as refusal:
        return refusal


def is_data(value: Any) -> bool:
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(is_data, value))
    if isinstance(value, dict):
        return all(is_data(part) for item in value.items() for part in item)
    return isinstance(value, (*DATA, ProtocolError))


def tensor(dtype: int, shape: tuple[int, ...], raw: bytes, *, n_axes: int | None = None) -> bytes:
    head = struct.pack(f"<BBB{len(shape)}q", dtype, 0, len(shape) if n_axes is None else n_axes, *shape)
    return packed(msgpack.ExtType(codec.TENSOR, head + b"\0" + raw))


@given(st.binary(max_size=300), st.lists(st.binary(max_size=40), max_size=3))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_bytes_decode_to_data_or_are_refused(document: bytes, buffers: list[bytes]) -> None:
    assert is_data(decoded(document, tuple(buffers)))


@given(documents)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_document_decodes_to_data_or_is_refused(value: Any) -> None:
    assert is_data(decoded(packed(value)))


@given(documents, st.integers(0, 400), st.integers(0, 255))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_changed_byte_gives_data_or_a_refusal(value: Any, place: int, byte: int) -> None:
    message = bytearray(packed(value))
    message[place % len(message)] = byte
    assert is_data(decoded(bytes(message)))


@pytest.mark.parametrize(
    "document",
    [
        tensor(0, (-1,), b""),
        tensor(0, (2**40 - 1, 2**40 - 1), b""),
        tensor(0, (2**63 - 1,), b"1234"),
        tensor(0, (0, 2**39, 2**39), b""),
        tensor(0, (3,), b"12345678"),
        tensor(0, (), b"1234", n_axes=200),
        tensor(99, (1,), b"1234"),
        tensor(9, (2,), b"\x00\x02"),
        packed(msgpack.ExtType(codec.ARRAY, struct.pack("<4sBBq", b"b1", 0, 1, 2) + b"\0\x01\xff")),
        packed(msgpack.ExtType(codec.ARRAY, struct.pack("<4sBBq", b"O", 0, 1, 1) + b"\0" + bytes(8))),
        packed(msgpack.ExtType(codec.INT, b"\xff" * 5000)),
        packed(msgpack.ExtType(codec.RECORD, packed(["os:system", {"command": "true"}]))),
        packed(msgpack.ExtType(codec.DEVICE, b"cuda:99999999999999999999")),
        packed(msgpack.ExtType(codec.GENERATOR, b"\xff" * 5056)),
        packed(msgpack.ExtType(codec.SET, packed([False, *[k * (2**61 - 1) for k in range(8)], [1]]))),
        packed(msgpack.ExtType(codec.COUNTER, packed([1, 2, 3]))),
        packed(msgpack.ExtType(codec.RANGE, packed([0, 1, 0]))),
        packed(msgpack.ExtType(codec.COMPLEX, packed(["1", None]))),
    ],
    ids=lambda document: document[:12].hex(),
)
def test_a_malicious_document_is_refused(document: bytes) -> None:
    assert isinstance(decoded(document), ProtocolError)


@pytest.mark.parametrize("n_layers", [codec.MAX_DEPTH, 1_000])
def test_depth_of_composed_values_is_bounded(n_layers: int) -> None:
    nested = packed(1)
    for _ in range(n_layers):
        nested = packed(msgpack.ExtType(codec.TUPLE, b"\x91" + nested))
    assert isinstance(decoded(nested), ProtocolError)


def test_depth_of_lists_is_bounded() -> None:
    assert isinstance(decoded(b"\x91" * 100_000 + b"\x01"), ProtocolError)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=100))
@example(MAGIC, 2**32 - 1, 0, b"")
@example(MAGIC, 10, 4096, bytes(100))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_frame_is_a_message_or_refused(magic: int, document_len: int, n_buffers: int, rest: bytes) -> None:
    mine, theirs = socket.socketpair()
    with mine, theirs:
        theirs.sendall(HEADER.pack(magic, document_len, n_buffers) + rest)
        theirs.shutdown(socket.SHUT_WR)
        while True:
            try:
                document, buffers = receive(mine)
            except (Closed, ProtocolError):
                return
            assert len(document) + sum(map(len, buffers)) <= len(rest)


@given(documents)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_what_was_decoded_can_be_encoded_again_or_is_refused(value: Any) -> None:
    result = decoded(packed(value))
    if not isinstance(result, ProtocolError):
        with contextlib.suppress(ProtocolError):
            Encoder()(result)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_file_is_a_notebook_or_unreadable(payload: bytes) -> None:
    try:
        found = parse(payload)
    except Unreadable:
        return
    assert all(isinstance(cell, dict) for cell in found)


@given(notebooks)
@example({"cells": [{"metadata": {"nbgrader": {"grade_id": ["f"]}}}]})
@example({"cells": [{"id": "f", "source": {"a": 1}}]})
@example({"worksheets": [None, {"cells": 1}]})
@example({"cells": [{"cell_type": "code", "source": "\ud800def f(): pass"}]})
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_notebook_is_rebuilt_on_the_one_given_out(document: dict[str, Any]) -> None:
    try:
        found = parse(json.dumps(document).encode())
    except Unreadable:
        return
    rebuilt = rebuild(RELEASE, found)
    own = [cell for cell in rebuilt.notebook["cells"] if not cell["id"].startswith("added-")]
    assert [(cell["id"], cell["metadata"]) for cell in own] == [(c["id"], c["metadata"]) for c in RELEASE["cells"]]
    assert [cell["source"] for cell in own if cell["metadata"]["nbgrader"]["grade"]] == ["pass", "pass"]
    assert len(rebuilt.notes) <= MAX_NOTES
    assert len(rebuilt.notebook["cells"]) <= MAX_CELLS + len(RELEASE["cells"])
    json.dumps(rebuilt.notebook, ensure_ascii=False).encode("utf-8")


@given(json_values)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_source_becomes_text_that_can_be_written_down(source: Any) -> None:
    text = source_of({"source": source})
    assert text.encode("utf-8").decode() == text
    assert not set("\r\0") & set(text)
