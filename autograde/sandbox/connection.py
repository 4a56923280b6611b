"""The judge's end of one jailed process. Whatever arrives here is taken for data, never for truth or code."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..rubric import StudentDied, StudentError, StudentTimeout
from .shared.codec import Decoder, Encoder, Handle
from .shared.frames import Closed, Expired, ProtocolError, receive, send

START_SECONDS = 20.0
CREDENTIALS = struct.Struct("iii")
CLASS_NAME = re.compile(r"[A-Za-z_]\w{0,79}")
# Beyond any honest use of a callback; each costs the judge time that the deadline alone would not bound.
MAX_CALLBACKS = 20_000


class Connection:
    """One jailed process: requests, their deadlines, and the end of it.

    Args:
        sock: the judge's end of a stream socket whose other end lies in the sandbox; `socket_pair` makes them.
        budget: gives the seconds that are left to the whole submission; no request waits longer.
    """

    def __init__(self, sock: socket.socket, budget: Callable[[], float]) -> None:
        self._sock, self._budget = sock, budget
        self._process: int | None = None
        self._number = 0
        self._callbacks: list[Callable[..., Any]] = []
        self._encode = Encoder(self._keep, records=True)
        self._decode = Decoder(self._resolve)
        self._resolve_handle: Callable[[Handle], Any] = _refuse_handle
        self.dead = ""

    def await_hello(self) -> None:
        """Wait until the process answers, and learn from the kernel which one it is, so that it can be killed."""
        deadline = time.monotonic() + min(START_SECONDS, max(0.05, self._budget()))
        try:
            self._sock.settimeout(deadline - time.monotonic())
            _, ancillary, _, _ = self._sock.recvmsg(1, socket.CMSG_SPACE(CREDENTIALS.size), socket.MSG_PEEK)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
            for level, kind, payload in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                    self._process = os.pidfd_open(CREDENTIALS.unpack(payload[: CREDENTIALS.size])[0])
            hello = self._decode(receive(self._sock, deadline))
        except (OSError, Expired, Closed, ProtocolError):
            raise self._end("did not start") from None
        if not isinstance(hello, tuple) or hello[:1] != ("hello",):
            raise self._end("did not start")

    def request(
        self, operation: str, *parameters: Any, seconds: float, resolve: Callable[[Handle], Any] | None = None
    ) -> Any:
        """Return the answer to one request.

        Args:
            operation: what is asked, with its parameters as the sandbox's `Server` takes them.
            seconds: how long to wait.
            resolve: gives what a test sees for an object that stays behind; None where only data may be answered. A
                forged handle would otherwise reach a test that expects a value, and answer each of its questions anew.

        Raises:
            StudentError, StudentTimeout, StudentDied.
        """
        if self.dead:
            raise StudentDied(self.dead)
        self._number += 1
        self._resolve_handle = resolve or _refuse_handle
        deadline = time.monotonic() + min(seconds, self._budget())
        self._send((operation, self._number, *parameters), deadline)
        # Encoding listed the generators of the request; the answers of callbacks would overwrite the list.
        return self._await(self._encode.generators, deadline)

    def fork(self, seconds: float) -> Connection:
        """Return a connection to a copy of the process as it is now."""
        if self.dead:
            raise StudentDied(self.dead)
        mine, theirs = socket_pair()
        self._number += 1
        deadline = time.monotonic() + min(seconds, max(0.05, self._budget()))
        with theirs:
            self._send(("fork", self._number), deadline)
            try:
                socket.send_fds(self._sock, [b"f"], [theirs.fileno()])
            except OSError:
                mine.close()
                raise self._end("the process ended") from None
        self._await([], deadline)
        copy = Connection(mine, self._budget)
        copy.await_hello()
        return copy

    def close(self) -> None:
        """Kill the process and let go of it."""
        self._end(self.dead or "closed")

    def _send(self, message: tuple[Any, ...], deadline: float) -> None:
        payload = self._encode(message)
        try:
            send(self._sock, payload, deadline)
        except Expired:
            self._end("the process did not answer in time")
            raise StudentTimeout("no answer in time") from None
        except Closed:
            raise self._end("the process ended") from None

    def _await(self, generators: Sequence[torch.Generator], deadline: float) -> Any:
        for _ in range(MAX_CALLBACKS):
            match self._receive(deadline):
                case ("ok", self._number, value, list() as states):
                    self._advance(generators, states)
                    return value
                case ("error", self._number, str() as kind, str() as message, str() as traceback):
                    raise StudentError(kind if CLASS_NAME.fullmatch(kind) else "Exception", message, traceback)
                case ("callback", int() as index, tuple() as args, dict() as kwargs) if (
                    0 <= index < len(self._callbacks)
                ):
                    self._send(self._call_back(index, args, kwargs), deadline)
                case _:
                    break
        raise self._end("the process gave a malformed answer")

    def _receive(self, deadline: float) -> Any:
        try:
            return self._decode(receive(self._sock, deadline))
        except Expired:
            self._end("the process did not answer in time")
            raise StudentTimeout("no answer in time") from None
        except Closed:
            raise self._end("the process ended") from None
        except ProtocolError:
            raise self._end("the process gave a malformed answer") from None

    def _call_back(self, index: int, args: tuple[Any, ...], kwargs: dict[Any, Any]) -> tuple[str, Any]:
        try:
            return "ok", self._callbacks[index](*args, **kwargs)
        except Exception as error:
            # Our function's own words: whoever calls it wrongly should read what is wrong, as from any function.
            return "error", f"{type(error).__name__}: {error}"

    @staticmethod
    def _advance(generators: Sequence[torch.Generator], states: list[Any]) -> None:
        """Bring the test's generators to where the student's code left them, as if it had drawn from them itself."""
        for generator, state in zip(generators, states, strict=False):
            with contextlib.suppress(TypeError, RuntimeError):
                generator.set_state(state)

    def _keep(self, value: Any) -> Handle | None:
        handle = getattr(value, "_handle", None)
        if type(handle) is Handle:
            return handle
        if callable(value):
            self._callbacks.append(value)
            return Handle(len(self._callbacks) - 1, "callback", getattr(value, "__name__", "function"))
        return None

    def _resolve(self, handle: Handle) -> Any:
        return self._resolve_handle(handle)

    def _end(self, reason: str) -> StudentDied:
        self.dead = reason
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
            os.close(self._process)
            self._process = None
        self._sock.close()
        return StudentDied(reason)


def _refuse_handle(handle: Handle) -> Any:
    raise ProtocolError("an object where only data may stand")


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets; on the first, the kernel names the process that sends from the second."""
    mine, theirs = socket.socketpair()
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return mine, theirs
