"""The course's own answers on the trusted side, to stand in for a building block that failed its own checks."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..sandbox.shared.gradients import vector_jacobian_product
from ..submission import parsed

# Cells of the percent format: a marker line, then the cell up to the next one.
CELL = re.compile(r"^# %%(?P<marker>.*)\n(?P<body>(?:(?!^# %%).*\n?)*)", re.MULTILINE)
RUN = re.compile(r"""\b(?:setup\s*=\s*true|exercise\s*=\s*["'])""", re.IGNORECASE)


def load_references(source: Path) -> dict[str, Any]:
    """Return the names that a lesson's setup and answer cells define; {} where the source is missing or does not run.

    Args:
        source: the lesson's solved notebook in percent form.
    """
    if not source.is_file():
        return {}
    namespace: dict[str, Any] = {"__name__": "references"}
    cells = [match["body"] for match in CELL.finditer(source.read_text("utf-8")) if RUN.search(match["marker"])]
    # A reference that does not run is no reason not to grade: marks are then not carried forward.
    with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
        exec(compile("\n".join(cells), str(source), "exec"), namespace)
    return namespace


def stand_in(reference: Any) -> tuple[Any, ...]:
    """Return the callbacks through which a reference is used: its value, and its vector-Jacobian product.

    For a class, an `nn.Module`, the object itself stays where it is called and holds the parameters; a third callback
    gives their names and first values, and the other two build the module anew for each call.
    """
    is_class = isinstance(reference, type)
    function = _applied(reference) if is_class else reference

    def forward(args: list[Any], kwargs: dict[str, Any]) -> Any:
        return function(*args, **kwargs)

    def backward(args: list[Any], kwargs: dict[str, Any], cotangents: list[Any]) -> list[Any]:
        return vector_jacobian_product(function, args, kwargs, cotangents)

    def construct(args: list[Any], kwargs: dict[str, Any]) -> dict[str, torch.Tensor]:
        return {name: value.detach() for name, value in reference(*args, **kwargs).named_parameters()}

    return (forward, backward, construct) if is_class else (forward, backward)


def _applied(module_class: type) -> Any:
    """Return the class as a function of what its object was made with, its parameters, and its inputs."""

    def function(made_with: list[Any], named: dict[str, Any], parameters: dict[str, Any], *args: Any, **kw: Any) -> Any:
        return torch.func.functional_call(module_class(*made_with, **named), parameters, args, kw)

    return function


def replaceable(references: dict[str, Any], name: str) -> bool:
    """Return whether a block can be called back: a function, or a class of modules."""
    reference = references.get(name)
    return callable(reference) and (not isinstance(reference, type) or issubclass(reference, torch.nn.Module))


def names_used(source: str, among: Sequence[str]) -> list[str]:
    """Return which of the names a cell's code reads, in the given order; none where the code does not parse."""
    read, _ = names_in(source)
    return [name for name in among if name in read]


def names_in(source: str) -> tuple[set[str], set[str]]:
    """Return the names that a cell's code reads, and those that it defines at its top."""
    tree = parsed(source)
    if tree is None:
        return set(), set()
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    bound: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        else:
            stored = (part for part in ast.walk(node) if isinstance(part, ast.Name))
            bound.update(part.id for part in stored if isinstance(part.ctx, ast.Store))
    return read, bound
