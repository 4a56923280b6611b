"""Answers the judge's requests with the student's namespace. All it says is untrusted: student code runs beside it.

A request is (operation, number, *parameters); the answer is ("ok", number, value, generator states) or
("error", number, kind, message, traceback). Between the two, ("callback", number, args, kwargs) asks the judge to call
a function of its own, and is answered by ("ok", value) or ("error", message).
"""

from __future__ import annotations

import itertools
import os
import socket
import textwrap
import traceback
from collections.abc import Callable
from typing import Any

import torch

from ..shared.codec import Decoder, Encoder, Handle
from ..shared.frames import Closed, ProtocolError, receive, send
from ..shared.gradients import differentiable, vector_jacobian_product
from .cells import capture_output, reset_process_state, run_cell, run_check

MAX_MESSAGE_CHARS = 2_000
MAX_TRACEBACK_CHARS = 6_000
# Kept under names of our own: a student may replace the functions in their modules.
_fork, _exit, _waitpid = os.fork, os._exit, os.waitpid


class NotDefined(Exception):
    """A name that an exercise asks for does not exist."""


class Server:
    """One process's end of the boundary.

    Args:
        sock: a stream socket to the judge.
        shell: the IPython shell whose namespace is the student's.
    """

    def __init__(self, sock: socket.socket, shell: Any) -> None:
        self._sock, self._shell = sock, shell
        self._objects: dict[int, Any] = {}
        self._numbers = itertools.count(1)
        self._encode_data, self._encode_any = Encoder(), Encoder(self._keep)
        self._decode = Decoder(self._resolve, trusting=True)
        self._forking = False
        os.register_at_fork(after_in_child=self._let_go)

    def _let_go(self) -> None:
        """Close the socket in processes that the student forks: they must not answer in this one's place."""
        if not self._forking:
            self._sock.close()

    def serve(self) -> None:
        """Answer requests until the judge hangs up, then end the process."""
        send(self._sock, self._encode_data(("hello", os.getpid())))
        while True:
            try:
                operation, number, *parameters = self._decode(receive(self._sock))
            except Closed:
                _exit(0)
            if operation == "fork":
                self._fork_off(number)
            else:
                send(self._sock, self._answer(operation, number, parameters))

    def _answer(self, operation: str, number: int, parameters: list[Any]) -> Any:
        generators = self._decode.generators
        try:
            with capture_output():
                value = getattr(self, f"_do_{operation}")(*parameters)
            encode = self._encode_any if operation in _MAY_GIVE_HANDLES else self._encode_data
            return encode(("ok", number, value, [generator.get_state() for generator in generators]))
        except ProtocolError as error:
            return self._encode_data(("error", number, "UnsupportedValue", str(error), ""))
        except BaseException as error:
            described = [_described(error)[:MAX_MESSAGE_CHARS], traceback.format_exc(limit=-12)[-MAX_TRACEBACK_CHARS:]]
            return self._encode_data(("error", number, type(error).__name__[:80], *described))

    def _fork_off(self, number: int) -> None:
        """Leave a copy of this process behind on a socket of its own, for one exercise."""
        _, descriptors, _, _ = socket.recv_fds(self._sock, 1, 1)
        os.set_inheritable(descriptors[0], False)
        self._forking = True
        try:
            pid = _fork()
        except OSError as error:
            os.close(descriptors[0])
            send(self._sock, self._encode_data(("error", number, "OSError", str(error), "")))
            return
        finally:
            self._forking = False
        if pid == 0:
            self._sock.close()
            self._sock = socket.socket(fileno=descriptors[0])
            reset_process_state()
            send(self._sock, self._encode_data(("hello", os.getpid())))
            return
        os.close(descriptors[0])
        self._reap()
        send(self._sock, self._encode_data(("ok", number, None, [])))

    @staticmethod
    def _reap() -> None:
        try:
            while _waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    # ---- what may be asked

    def _do_cell(self, source: str) -> dict[str, Any]:
        return run_cell(self._shell, source)

    def _do_check(self, source: str) -> dict[str, Any]:
        return run_check(self._shell, source)

    def _do_call(self, target: Any, args: tuple, kwargs: dict, keep_arguments: bool) -> Any:
        value = self._target(target)(*args, **kwargs)
        if not keep_arguments:
            return value
        # A function that was handed over has no data to look at afterwards; None keeps its place.
        return value, tuple(None if callable(argument) else argument for argument in (*args, *kwargs.values()))

    def _do_new(self, target: Any, args: tuple, kwargs: dict) -> Handle:
        return self._keep(self._target(target)(*args, **kwargs))

    def _do_attribute(self, owner: Any, name: str) -> Any:
        return getattr(owner, name)

    def _do_item(self, owner: Any, key: Any) -> Any:
        return owner[key]

    def _do_iterate(self, owner: Any) -> Handle:
        return self._keep(iter(owner))

    def _do_next(self, iterator: Any) -> list[Any]:
        return list(itertools.islice(iterator, 1))

    def _do_gradient(self, target: Any, parameters: dict | None, args: tuple, kwargs: dict, cotangents: list) -> Any:
        function = self._target(target)
        if parameters is None:
            return vector_jacobian_product(function, args, kwargs, cotangents)
        return vector_jacobian_product(_functional(function), (parameters, *args), kwargs, cotangents)

    def _do_functional(self, target: Any, parameters: dict, args: tuple, kwargs: dict) -> Any:
        return _functional(self._target(target))(parameters, *args, **kwargs)

    def _do_helper(self, source: str, bindings: dict[str, Any]) -> Handle:
        """Return a handle for a function of the tests' own, in a namespace apart from the student's."""
        namespace = {"torch": torch, **bindings}
        source = textwrap.dedent(source).strip()
        if source.startswith("lambda"):
            return self._keep(eval(source, namespace))
        before = set(namespace)
        exec(source, namespace)
        made = [name for name in namespace if name not in before and name != "__builtins__"]
        return self._keep(namespace[made[-1]])

    def _do_replace(self, name: str, forward: Callable, backward: Callable, construct: Callable | None = None) -> None:
        """Put a function of the judge's (with `construct`, a class of modules) in the place of one of the student's."""
        called_back = differentiable(
            lambda args, kwargs: forward(list(args), kwargs),
            lambda args, kwargs, cotangents: backward(list(args), kwargs, cotangents),
        )
        self._shell.user_ns[name] = stand_in_class(called_back, construct) if construct else called_back

    # ---- objects that stay here

    def _target(self, target: Any) -> Any:
        if not isinstance(target, str):
            return target
        name, *attributes = target.split(".")
        if name not in self._shell.user_ns:
            raise NotDefined(name)
        value = self._shell.user_ns[name]
        for attribute in attributes:
            value = getattr(value, attribute)
        return value

    def _keep(self, value: Any) -> Handle:
        number = next(self._numbers)
        self._objects[number] = value
        return Handle(number, "object", type(value).__name__)

    def _resolve(self, handle: Handle) -> Any:
        if handle.kind == "name":
            return self._target(handle.summary)
        if handle.kind != "callback":
            return self._objects[handle.number]

        def callback(*args: Any, **kwargs: Any) -> Any:
            send(self._sock, self._encode_data(("callback", handle.number, args, kwargs)))
            verdict, value = self._decode(receive(self._sock))
            if verdict == "ok":
                return value
            raise RuntimeError(value)

        return callback


_MAY_GIVE_HANDLES = frozenset({"new", "attribute", "item", "iterate", "next", "helper"})


def stand_in_class(called_back: Callable, construct: Callable) -> type[torch.nn.Module]:
    """Return a class of modules whose objects hold their parameters here and compute elsewhere.

    Args:
        called_back: (positional and named arguments of the constructor, parameters by name, inputs...) -> output.
        construct: (positional, named arguments of the constructor) -> first values of the parameters, by name.
    """

    class StandIn(torch.nn.Module):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__()
            self._made_with = (list(args), kwargs)
            for path, value in construct(list(args), kwargs).items():
                owner: torch.nn.Module = self
                *parents, leaf = path.split(".")
                for parent in parents:
                    if parent not in dict(owner.named_children()):
                        owner.add_module(parent, torch.nn.Module())
                    owner = owner.get_submodule(parent)
                owner.register_parameter(leaf, torch.nn.Parameter(value))

        def forward(self, *inputs: Any, **named: Any) -> Any:
            return called_back(*self._made_with, dict(self.named_parameters()), *inputs, **named)

    return StandIn


def _functional(module: torch.nn.Module) -> Callable[..., Any]:
    """Return the module as a function of its parameters and inputs."""

    def function(parameters: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> Any:
        return torch.func.functional_call(module, parameters, args, kwargs)

    return function


def _described(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:
        return ""
