"""Which modules of `course` a sandbox gets: those that setup and check cells import, and what these import in turn."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..sandbox.plan import Offer
from ..submission import Notebook, grade_id, metadata, source_of

ALWAYS = ("numpy", "torch")
OPTIMISERS = "torch.optim"


def offer_for(releases: Iterable[Notebook], course: Path, cache: Path | None = None) -> Offer:
    """Return what the notebooks need in the sandbox.

    Args:
        releases: notebooks as given out.
        course: the folder of the `course` package.
        cache: a folder in which the grader keeps things between runs.
    """
    releases = list(releases)
    wanted = {name for release in releases for source in _given_cells(release) for name in imported(source)}
    files: dict[str, Path] = {}
    others = set(ALWAYS) | ({OPTIMISERS} if any(map(_speaks_of_optimisers, releases)) else set())
    while wanted:
        name = wanted.pop()
        if name != "course" and not name.startswith("course."):
            others.add(name)
            continue
        for module, file in _module_files(name, course):
            if module not in files:
                files[module] = file
                wanted |= set(imported((course / file).read_text("utf-8"), package=module, file=file))
    return Offer(course, sorted(files.values()), [*sorted(_importable(others)), *sorted(files)], cache)


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


def _given_cells(release: Notebook) -> Iterator[str]:
    for cell in release["cells"]:
        given = metadata(cell) and not metadata(cell).get("solution")
        if cell["cell_type"] == "code" and given and grade_id(cell):
            yield source_of(cell)


def _speaks_of_optimisers(release: Notebook) -> bool:
    return any("optim" in source_of(cell) for cell in release["cells"] if grade_id(cell))


def _module_files(name: str, course: Path) -> Iterator[tuple[str, Path]]:
    """Yield the modules, with their files inside `course`, that importing a dotted name runs."""
    parts = name.split(".")[1:]
    for depth in range(len(parts) + 1):
        stem, module = Path(*parts[:depth]), ".".join(["course", *parts[:depth]])
        for file in (stem / "__init__.py", stem.with_suffix(".py") if depth else stem / "__init__.py"):
            if (course / file).is_file():
                yield module, file
                break


def _importable(names: set[str]) -> set[str]:
    """Return the top-level packages among names such as `torch.nn.Linear`, which need not be a module."""
    special = {"matplotlib.pyplot", OPTIMISERS} & names
    return {name.partition(".")[0] for name in names if name and not name.startswith("__")} | special
