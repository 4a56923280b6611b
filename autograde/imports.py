"""What Python code imports, read from its text: one package's modules with their files, and all other names."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path


def imported(source: str, package: str = "", file: Path | None = None) -> Iterator[str]:
    """Yield the dotted names that a source imports at any depth; `from a import b` gives a and a.b.

    Args:
        source: Python code; a notebook's magics make it unreadable, and it then imports nothing.
        package: the module's own name, to resolve relative imports.
        file: the module's file, to tell a package from a module.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                drop = node.level - (1 if file is not None and file.name == "__init__.py" else 0)
                base = ".".join([*parts[: len(parts) - drop], *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def reached(names: Iterable[str], folder: Path) -> tuple[dict[str, Path], set[str]]:
    """Follow imports through a package.

    Args:
        names: dotted names, as `imported` yields them.
        folder: the package's; its name is the package's name.

    Returns:
        files: the package's modules that importing these names runs, directly or through one another, each with its
            file inside `folder`.
        others: the names that are not the package's.
    """
    files: dict[str, Path] = {}
    others: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        if name != folder.name and not name.startswith(f"{folder.name}."):
            others.add(name)
            continue
        for module, file in _module_files(name, folder):
            if module not in files:
                files[module] = file
                waiting |= set(imported((folder / file).read_text("utf-8"), package=module, file=file))
    return files, others


def _module_files(name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the modules, with their files inside the folder, that importing a dotted name runs."""
    parts = name.split(".")[1:]
    for depth in range(len(parts) + 1):
        stem, module = Path(*parts[:depth]), ".".join([folder.name, *parts[:depth]])
        for file in (stem / "__init__.py", stem.with_suffix(".py") if depth else stem / "__init__.py"):
            if (folder / file).is_file():
                yield module, file
                break
