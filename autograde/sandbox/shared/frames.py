"""Messages over a stream socket: a header, one msgpack document, and raw buffers of tensors behind it.

magic u32 | document length u32 | number of buffers u32 | buffer lengths u64 each | document | buffers
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence

HEADER = struct.Struct("<III")
MAGIC = 0x31475243
MAX_DOCUMENT_BYTES = 64 << 20
MAX_BUFFERS = 4096
MAX_BUFFER_BYTES = 512 << 20


class ProtocolError(Exception):
    """What came is not a message of ours, or what should go cannot be put into one."""


class Expired(Exception):
    """The deadline passed before a whole message came or went."""


class Closed(Exception):
    """The other side is gone."""


Message = tuple[bytes, Sequence[memoryview | bytearray]]


def send(sock: socket.socket, message: Message, deadline: float | None = None) -> None:
    """Send one message.

    Args:
        sock: a stream socket.
        message: a document and its buffers, as `Encoder` gives them.
        deadline: on the clock of `time.monotonic`, in seconds; None waits for ever.

    Raises:
        Expired, Closed, ProtocolError.
    """
    document, buffers = message
    total = sum(len(buffer) for buffer in buffers)
    if len(document) > MAX_DOCUMENT_BYTES or len(buffers) > MAX_BUFFERS or total > MAX_BUFFER_BYTES:
        raise ProtocolError("the value is too large to be sent")
    lengths = struct.pack(f"<{len(buffers)}Q", *(len(buffer) for buffer in buffers))
    _send_all(sock, HEADER.pack(MAGIC, len(document), len(buffers)) + lengths + document, deadline)
    for buffer in buffers:
        _send_all(sock, buffer, deadline)


def receive(sock: socket.socket, deadline: float | None = None) -> Message:
    """Return the next message; raise `Expired`, `Closed` or `ProtocolError`."""
    magic, document_len, n_buffers = HEADER.unpack(_read(sock, HEADER.size, deadline))
    if magic != MAGIC or document_len > MAX_DOCUMENT_BYTES or n_buffers > MAX_BUFFERS:
        raise ProtocolError("not a message header")
    lengths = struct.unpack(f"<{n_buffers}Q", _read(sock, 8 * n_buffers, deadline))
    if sum(lengths) > MAX_BUFFER_BYTES:
        raise ProtocolError("the message is too large")
    document = bytes(_read(sock, document_len, deadline))
    return document, [_read(sock, length, deadline) for length in lengths]


def _send_all(sock: socket.socket, payload: bytes | memoryview | bytearray, deadline: float | None) -> None:
    try:
        sock.settimeout(_left(deadline))
        sock.sendall(payload)
    except TimeoutError:
        raise Expired from None
    except OSError:
        raise Closed from None


def _read(sock: socket.socket, n_bytes: int, deadline: float | None) -> bytearray:
    """Return exactly so many bytes. Memory grows with what came, not with what was announced."""
    payload = bytearray()
    while len(payload) < n_bytes:
        try:
            sock.settimeout(_left(deadline))
            part = sock.recv(min(n_bytes - len(payload), 1 << 20))
        except TimeoutError:
            raise Expired from None
        except OSError:
            raise Closed from None
        if not part:
            raise Closed
        payload += part
    return payload


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise Expired
    return left
