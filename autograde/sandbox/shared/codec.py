"""The strict format in which values cross the trust boundary: msgpack, with the raw bytes of tensors beside it.

Decoding can only ever give plain data, tensors, arrays, generators and handles: there is no code in it, and no class is
looked up by a name that the untrusted side chose. What cannot be sent raises `ProtocolError`; what is malformed, too
deep or built to collide in a hash table does so while decoding.

Types keep their identity: a tuple stays a tuple and a `Counter` a `Counter`. Subclasses made by a student (a string
that equals everything, a tensor that overrides arithmetic) are flattened to the plain type.
"""

from __future__ import annotations

import dataclasses
import math
import struct
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgpack
import numpy as np
import torch

from .frames import Message, ProtocolError

MAX_DEPTH = 48
MAX_AXES = 16
MAX_INT_BYTES = 4096
INLINE_BYTES = 1 << 14

TENSOR, TUPLE, HANDLE, COMPLEX, INT, SET, ARRAY, DTYPE, DEVICE, SLICE, RANGE, COUNTER, GENERATOR, RECORD, MAP = range(
    1, 16
)

DTYPES = (
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
    torch.complex64,
    torch.complex128,
)
DTYPE_NUMBERS = {dtype: number for number, dtype in enumerate(DTYPES)}
DTYPE_NAMES = {str(dtype): dtype for dtype in DTYPES}
ARRAY_KINDS = frozenset(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1", "c8", "c16"])
REQUIRES_GRAD = 1
NUMPY_SCALAR = 1


class Handle(NamedTuple):
    """Names an object that stays where it is. `kind` is "object" or "callback"; `summary` describes it for messages."""

    number: int
    kind: str
    summary: str


class Encoder:
    """Turns a value into a message.

    Args:
        keep: gives the handle under which an object that is no data stays behind; None refuses the object.
        records: whether frozen dataclasses of the `course` package may be sent, by name (trusted side only).
    """

    def __init__(self, keep: Callable[[Any], Handle | None] | None = None, *, records: bool = False) -> None:
        self._keep, self._records = keep, records
        self._buffers: list[memoryview] = []
        self._depth = 0
        self.generators: list[torch.Generator] = []

    def __call__(self, value: Any) -> Message:
        """Return the document and the buffers for one value.

        `generators` then lists the random generators met, in order, so that their states can be brought up to date.
        """
        self._buffers, self._depth, self.generators = [], 0, []
        return self._pack(value), self._buffers

    def _pack(self, value: Any) -> bytes:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ProtocolError("the value is nested too deep")
        try:
            return msgpack.packb(
                value, default=self._special, strict_types=True, use_bin_type=True, unicode_errors="surrogatepass"
            )
        except (ValueError, OverflowError, RecursionError) as error:
            raise ProtocolError(f"the value cannot be sent: {error}") from None
        finally:
            self._depth -= 1

    def _special(self, value: Any) -> Any:
        """Return what stands for a value that msgpack does not know exactly."""
        kind = type(value)
        # By identity: a student's class may have a hash and an equality of its own.
        if known := _PARTS.get(id(kind)):
            code, parts = known
            return msgpack.ExtType(code, self._pack(parts(value)))
        if isinstance(value, torch.Tensor):
            return msgpack.ExtType(TENSOR, self._tensor(value))
        if isinstance(value, np.ndarray | np.generic):
            return msgpack.ExtType(ARRAY, self._array(value))
        if kind is int:
            return msgpack.ExtType(INT, value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True))
        if kind is torch.dtype and value in DTYPE_NUMBERS:
            return msgpack.ExtType(DTYPE, str(value).encode())
        if kind is torch.device:
            return msgpack.ExtType(DEVICE, str(value).encode())
        if kind is torch.Generator:
            self.generators.append(value)
            return msgpack.ExtType(GENERATOR, bytes(value.get_state().numpy().data))
        if kind is Handle:
            return msgpack.ExtType(HANDLE, self._pack(list(value)))
        if self._records and is_record(value):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return msgpack.ExtType(RECORD, self._pack([f"{kind.__module__}:{kind.__qualname__}", fields]))
        return self._flattened(value)

    def _flattened(self, value: Any) -> Any:
        """Return the plain value in a subclass of a plain type, else the handle of what is no data."""
        for plain, flatten in _FLATTEN:
            if isinstance(value, plain):
                flat = flatten(value)
                # msgpack asks only once about a value, so what it does not know exactly must become a code here.
                native = plain in (float, str, bytes, list, dict) or (plain is int and -(1 << 63) <= flat < 1 << 64)
                return flat if native else self._special(flat)
        handle = self._keep(value) if self._keep else None
        if handle is None:
            raise ProtocolError(f"a {type(value).__name__} is not plain data")
        return msgpack.ExtType(HANDLE, self._pack(list(handle)))

    def _tensor(self, value: torch.Tensor) -> bytes:
        with torch._C.DisableTorchFunctionSubclass():
            plain = value.detach()
            if type(plain) is not torch.Tensor:
                plain = plain.as_subclass(torch.Tensor)
            if plain.layout != torch.strided or plain.dtype not in DTYPE_NUMBERS:
                raise ProtocolError(f"a tensor of {plain.dtype} and layout {plain.layout} cannot be sent")
            plain = plain.cpu().resolve_conj().resolve_neg().contiguous()
            # A single number counts as contiguous whatever its stride is, but its bytes can be seen with stride 1 only.
            flat = plain.as_strided((plain.numel(),), (1,))
            raw = memoryview(flat.view(torch.uint8).numpy()) if plain.numel() else memoryview(b"")
        flags = REQUIRES_GRAD if value.requires_grad else 0
        head = struct.pack(f"<BBB{plain.dim()}q", DTYPE_NUMBERS[plain.dtype], flags, plain.dim(), *plain.shape)
        return self._raw(head, raw)

    def _array(self, value: np.ndarray | np.generic) -> bytes:
        flags = NUMPY_SCALAR if isinstance(value, np.generic) else 0
        plain = np.array(value, order="C", copy=None, subok=False)
        name = plain.dtype.str[1:]
        if name not in ARRAY_KINDS or plain.dtype.str[0] == ">":
            raise ProtocolError(f"an array of {plain.dtype} cannot be sent")
        raw = memoryview(plain.reshape(-1).view(np.uint8)) if plain.size else memoryview(b"")
        return self._raw(struct.pack(f"<4sBB{plain.ndim}q", name.encode(), flags, plain.ndim, *plain.shape), raw)

    def _raw(self, head: bytes, raw: memoryview) -> bytes:
        """Return the bytes behind their head, or a reference to them where they are many: large ones are not copied."""
        if raw.nbytes <= INLINE_BYTES:
            return head + b"\0" + raw.tobytes()
        self._buffers.append(raw)
        return head + b"\1" + struct.pack("<I", len(self._buffers) - 1)


def is_record(value: Any) -> bool:
    """Return whether a value is a frozen dataclass of the `course` package, a configuration that tests hand over."""
    kind = type(value)
    named = kind.__module__ == "course" or kind.__module__.startswith("course.")
    return named and dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen


def _items(value: Mapping[Any, Any]) -> list[Any]:
    return [part for item in dict.items(value) for part in item]


# Exact types that become a list of parts. torch.Size is a tuple that needs a name of its own.
_PARTS: dict[int, tuple[int, Callable[[Any], list[Any]]]] = {
    id(tuple): (TUPLE, list),
    id(torch.Size): (TUPLE, list),
    id(set): (SET, lambda value: [False, *value]),
    id(frozenset): (SET, lambda value: [True, *value]),
    id(Counter): (COUNTER, _items),
    id(complex): (COMPLEX, lambda value: [value.real, value.imag]),
    id(slice): (SLICE, lambda value: [value.start, value.stop, value.step]),
    id(range): (RANGE, lambda value: [value.start, value.stop, value.step]),
}
# Subclasses, through the plain type's own methods, so that an override is not asked.
_FLATTEN: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, lambda value: int.__index__(value)),
    (float, lambda value: float.__float__(value)),
    (str, lambda value: str.__str__(value)),
    (bytes, lambda value: bytes(memoryview(value))),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (list, lambda value: list(list.__iter__(value))),
    (Counter, lambda value: Counter(dict(dict.items(value)))),
    (dict, lambda value: dict(dict.items(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
    (set, lambda value: set(set.__iter__(value))),
)


class Decoder:
    """Turns a message back into a value.

    Args:
        resolve: gives the object that a handle stands for; by default the handle itself.
        trusting: True inside the sandbox, where the other side is trusted: gradients may be asked for by a flag, and
            configurations of the `course` package are made by name.
    """

    def __init__(self, resolve: Callable[[Handle], Any] | None = None, *, trusting: bool = False) -> None:
        self._resolve, self._trusting = resolve, trusting
        self._buffers: list[bytearray | None] = []
        self._depth = 0
        self.generators: list[torch.Generator] = []

    def __call__(self, message: Message) -> Any:
        """Return the value; raise `ProtocolError` for anything that is not the encoding of one."""
        document, buffers = message
        self._buffers, self._depth, self.generators = list(buffers), 0, []
        return self._unpack(document)

    def _unpack(self, document: bytes) -> Any:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ProtocolError("nested too deep")
        try:
            return msgpack.unpackb(
                document,
                ext_hook=self._special,
                object_pairs_hook=_mapping,
                strict_map_key=False,
                use_list=True,
                raw=False,
                unicode_errors="surrogatepass",
            )
        except ProtocolError:
            raise
        except Exception as error:
            raise ProtocolError(f"malformed: {type(error).__name__}") from None
        finally:
            self._depth -= 1

    def _special(self, code: int, body: bytes) -> Any:
        if code == TENSOR:
            return self._tensor(body)
        if code == ARRAY:
            return self._array(body)
        if code == INT:
            if len(body) > MAX_INT_BYTES:
                raise ProtocolError("the integer is too large")
            return int.from_bytes(body, "little", signed=True)
        if code == DTYPE:
            return DTYPE_NAMES[body.decode()]
        if code == DEVICE:
            return torch.device(body[:32].decode("ascii"))
        if code == GENERATOR:
            return self._generator(body)
        parts = self._unpack(body)
        if type(parts) is not list:
            raise ProtocolError("a list of parts was expected")
        return self._composed(code, parts)

    def _composed(self, code: int, parts: list[Any]) -> Any:
        if code == TUPLE:
            return tuple(parts)
        if code == SET:
            frozen, *members = parts
            _refuse_collisions(members)
            return frozenset(members) if frozen else set(members)
        if code == COUNTER:
            counts = Counter()
            dict.update(counts, _mapping(list(zip(parts[::2], parts[1::2], strict=True))))
            return counts
        if code == HANDLE:
            number, kind, summary = parts
            if type(number) is not int or type(kind) is not str or type(summary) is not str:
                raise ProtocolError("not a handle")
            handle = Handle(number, kind[:16], summary[:80])
            return self._resolve(handle) if self._resolve else handle
        if code == COMPLEX:
            return complex(*parts)
        if code in (SLICE, RANGE):
            return (slice if code == SLICE else range)(*parts)
        if code == RECORD and self._trusting:
            return _record(*parts)
        raise ProtocolError(f"unknown code {code}")

    def _tensor(self, body: bytes) -> torch.Tensor:
        dtype, flags, n_axes = DTYPES[body[0]], body[1], body[2]
        shape, size = _shape(body, 3, n_axes)
        raw = self._raw(body, 3 + 8 * n_axes, size * dtype.itemsize)
        if dtype is torch.bool:
            _refuse_odd_booleans(raw)
        tensor = torch.frombuffer(raw, dtype=dtype).reshape(shape) if size else torch.empty(shape, dtype=dtype)
        if self._trusting and flags & REQUIRES_GRAD and (dtype.is_floating_point or dtype.is_complex):
            tensor.requires_grad_(True)
        return tensor

    def _array(self, body: bytes) -> np.ndarray | np.generic:
        name, flags, n_axes = body[:4].rstrip(b"\0").decode(), body[4], body[5]
        if name not in ARRAY_KINDS:
            raise ProtocolError("unknown kind of array")
        dtype = np.dtype(name)
        shape, size = _shape(body, 6, n_axes)
        raw = self._raw(body, 6 + 8 * n_axes, size * dtype.itemsize)
        if name == "b1":
            _refuse_odd_booleans(raw)
        array = np.frombuffer(raw, dtype).reshape(shape)
        return array[()] if flags & NUMPY_SCALAR and not n_axes else array

    def _generator(self, body: bytes) -> torch.Generator:
        generator = torch.Generator()
        generator.set_state(torch.frombuffer(bytearray(body), dtype=torch.uint8))
        self.generators.append(generator)
        return generator

    def _raw(self, body: bytes, offset: int, n_bytes: int) -> bytearray:
        """Return the bytes behind the head, which may be changed; each buffer can be taken once."""
        if body[offset] == 0:
            raw = bytearray(body[offset + 1 :])
        else:
            (number,) = struct.unpack_from("<I", body, offset + 1)
            raw, self._buffers[number] = self._buffers[number], None
        if raw is None or len(raw) != n_bytes:
            raise ProtocolError("the length does not match the shape")
        return raw


def _shape(body: bytes, offset: int, n_axes: int) -> tuple[tuple[int, ...], int]:
    if n_axes > MAX_AXES:
        raise ProtocolError("too many axes")
    shape = struct.unpack_from(f"<{n_axes}q", body, offset)
    if any(not 0 <= length < 1 << 40 for length in shape):
        raise ProtocolError("not a shape")
    return shape, math.prod(shape)


def _refuse_odd_booleans(raw: bytearray) -> None:
    """Raise unless each byte is 0 or 1: what torch and numpy make of any other is not defined."""
    if raw and np.frombuffer(raw, np.uint8).max() > 1:
        raise ProtocolError("a boolean is 0 or 1")


def _mapping(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    _refuse_collisions([key for key, _ in pairs])
    return dict(pairs)


def _refuse_collisions(keys: list[Any]) -> None:
    """Raise unless keys are plain and nearly all hashes differ: thousands of equal hashes cost minutes in a dict."""
    hashes = {hash(key) for key in keys if _is_key(key)}
    if len(keys) - len(hashes) > 8:
        raise ProtocolError("keys collide, or are not plain data")


def _is_key(key: Any) -> bool:
    if type(key) in (tuple, frozenset):
        if all(_is_key(part) for part in key):
            return True
    elif key is None or type(key) in (str, int, float, bool, bytes, complex, torch.dtype, torch.device):
        return True
    elif isinstance(key, np.bool_ | np.integer | np.floating):
        return True  # hashed as the plain number is
    raise ProtocolError(f"a {type(key).__name__} cannot be a key")


def _record(name: str, fields: dict[str, Any]) -> Any:
    """Return the configuration of that name. Its module must be imported already: only what was offered is."""
    module, _, qualified = name.partition(":")
    owner = sys.modules.get(module)
    kind = getattr(owner, qualified, None)
    if kind is None:
        raise ProtocolError(f"{name} is not offered in the sandbox: no setup or check cell imports its module")
    return kind(**fields)
