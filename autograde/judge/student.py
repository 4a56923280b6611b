"""What stands for the student in a hidden test. The student's own objects live in another, jailed process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from ..rubric import StudentDied
from ..sandbox.connection import Connection
from ..sandbox.shared.codec import Handle
from ..sandbox.shared.gradients import differentiable
from .patience import patient

CALL_SECONDS = patient(10.0)
MAX_RESTARTS = 2
# What a test makes an object with, or reaches into one by; a call answers in plain data only.
GIVE_HANDLES = frozenset({"new", "attribute", "item", "iterate", "next", "helper"})


class Processes:
    """Gives an exercise its process, and another one when that ended.

    Args:
        snapshot: the process as it was after the exercise's cells, or None where it could not be kept.
        again: forks a process as it was at the end of the notebook; raises `StudentDied` if there is none to fork.
    """

    def __init__(self, snapshot: Connection | None, again: Callable[[], Connection]) -> None:
        self._current, self._again = snapshot, again
        self._restarts = 0 if snapshot is not None else -1

    def current(self) -> Connection:
        """Return a living process; raise `StudentDied` when too many have ended."""
        if self._current is None or self._current.dead:
            if self._restarts >= MAX_RESTARTS:
                raise StudentDied("the process ended too often")
            self._restarts += 1
            self._current = self._again()
        return self._current

    def close(self) -> None:
        if self._current is not None:
            self._current.close()


class Student:
    """The `student` fixture.

    `student.f(a, b, key=c)` calls the student's function `f`. Plain data, tensors, arrays, `torch.Generator`s, frozen
    configurations of `course` and Python functions (which are called back on this side) go over; plain data and
    detached tensors come back. Generators advance as if the student's code had drawn from them here.

    Any call may raise `StudentError`, `StudentTimeout` or `StudentDied`; left uncaught, the check fails.
    """

    def __init__(self, processes: Processes, seconds: float = CALL_SECONDS) -> None:
        self._processes, self._seconds = processes, seconds

    def __getattr__(self, name: str) -> Named:
        if name.startswith("_"):
            raise AttributeError(name)
        return Named(self, name)

    def call(self, name: str, *args: Any, keep_arguments: bool = False, **kwargs: Any) -> Any:
        """Return the value of the student's function of that name.

        Args:
            name: a name in the student's notebook, or a dotted path from one.
            keep_arguments: True to get (value, arguments afterwards): a tuple of what the positional arguments, then
                the keyword arguments, look like after the call; None in the place of a function.
        """
        return self._ask("call", name, args, kwargs, keep_arguments)

    def new(self, name: str, *args: Any, **kwargs: Any) -> Remote:
        """Return a handle for what the student's class or function of that name gives."""
        return self._ask("new", name, args, kwargs)

    def differentiable(self, name: str) -> Callable[..., Any]:
        """Return the student's function as one that autograd can go through, once (no gradients of gradients)."""
        return _differentiable(self._ask, name)

    def helper(self, source: str, **bindings: Any) -> Remote:
        """Return a handle for a function of the tests' own on the student's side, to be given to the student's code.

        Args:
            source: a lambda, or definitions of which the last is meant; it sees `torch` and the bindings.
            bindings: values that the source uses.
        """
        return self._ask("helper", source, bindings)

    def _ask(self, operation: str, *parameters: Any) -> Any:
        return ask(self._processes.current(), self._seconds, operation, *parameters)


class Named:
    """A function or class in the student's notebook, by its name; may itself be given to the student's code."""

    def __init__(self, student: Student, name: str) -> None:
        self._student, self._name = student, name
        self._handle = Handle(0, "name", name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._student.call(self._name, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<the student's {self._name}>"


class Remote:
    """A handle for an object in the student's process.

    `handle(x)` and `handle.method(x)` call it, `handle.name` reads an attribute (data as a value, anything else as a
    handle), `handle[key]` an entry, and `for value in handle` goes through it one value at a time.
    """

    def __init__(self, process: Connection, seconds: float, handle: Handle) -> None:
        self._process, self._seconds, self._handle = process, seconds, handle

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("call", self, args, kwargs, False)

    def call(self, *args: Any, keep_arguments: bool = False, **kwargs: Any) -> Any:
        """Return the value, with `keep_arguments=True` as (value, arguments afterwards)."""
        return self._ask("call", self, args, kwargs, keep_arguments)

    def new(self, *args: Any, **kwargs: Any) -> Remote:
        """Return a handle for the value instead of the value."""
        return self._ask("new", self, args, kwargs)

    def differentiable(self, *, parameters: bool = False) -> Callable[..., Any]:
        """Return the object as a function that autograd can go through, once.

        Args:
            parameters: True for a function whose first argument is a dictionary from names to tensors that stand in for
                the module's parameters, as in `torch.func.functional_call`; gradients reach these too.
        """
        return _differentiable(self._ask, self, parameters=parameters)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._ask("attribute", self, name)

    def __getitem__(self, key: Any) -> Any:
        return self._ask("item", self, key)

    def __iter__(self) -> Iterator[Any]:
        iterator = self._ask("iterate", self)
        while values := self._ask("next", iterator):
            yield values[0]

    def __repr__(self) -> str:
        return f"<a {self._handle.summary} of the student's>"

    def _ask(self, operation: str, *parameters: Any) -> Any:
        return ask(self._process, self._seconds, operation, *parameters)


def ask(process: Connection, seconds: float, operation: str, *parameters: Any) -> Any:
    """Return one answer; where the operation may give them, objects that stay behind as `Remote` handles."""

    def resolve(handle: Handle) -> Remote:
        return Remote(process, seconds, handle)

    gives_handles = operation in GIVE_HANDLES
    return process.request(operation, *parameters, seconds=seconds, resolve=resolve if gives_handles else None)


def warm() -> None:
    """Do once, before the judge forks, what costs each process a second on its first gradient across the boundary."""
    square = differentiable(
        lambda args, kwargs: args[0] ** 2, lambda args, kwargs, cotangents: [2 * args[0] * cotangents[0]]
    )
    torch.autograd.gradcheck(square, (torch.ones(2, dtype=torch.float64, requires_grad=True),))


def _differentiable(ask: Callable[..., Any], target: str | Remote, *, parameters: bool = False) -> Callable[..., Any]:
    def forward(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        _refuse_callbacks((*args, *kwargs.values()))
        if parameters:
            return ask("functional", target, args[0], args[1:], kwargs)
        return ask("call", target, args, kwargs, False)

    def backward(args: tuple[Any, ...], kwargs: dict[str, Any], cotangents: list[torch.Tensor]) -> list[Any]:
        if parameters:
            return ask("gradient", target, args[0], args[1:], kwargs, cotangents)
        return ask("gradient", target, None, args, kwargs, cotangents)

    return differentiable(forward, backward)


def _refuse_callbacks(arguments: tuple[Any, ...]) -> None:
    """Raise where a gradient would silently stop: a function that is called back on this side hides its insides."""
    for argument in arguments:
        if callable(argument) and not isinstance(argument, Remote | Named):
            raise TypeError(
                "No gradient flows through a Python function of the test; make it with student.helper(...)."
            )
