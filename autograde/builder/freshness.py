"""What a solved notebook was made from, as one hash: its source, the modules of `course` it uses, and the corpus."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

from autograde.layout import CourseError, Layout


def content_hash(layout: Layout, week: str, notebook: str) -> str:
    """Return a hash that changes when the solved notebook must be executed again."""
    source = layout.lesson_source(week, notebook)
    digest = hashlib.sha256(source.read_bytes())
    for module in sorted(imported_modules(source.read_text(encoding="utf-8"), layout.root)):
        digest.update(str(module.relative_to(layout.root)).encode() + b"\0" + module.read_bytes())
    for sums in sorted((layout.root / "data").glob("*/SHA256SUMS")):
        digest.update(sums.read_bytes())
    return digest.hexdigest()


def verify_corpora(layout: Layout) -> None:
    """Compare every corpus with its checksums.

    Raises:
        CourseError: a file is missing or was altered.
    """
    for sums in sorted((layout.root / "data").glob("*/SHA256SUMS")):
        for line in sums.read_text(encoding="utf-8").splitlines():
            digest, name = line.split(maxsplit=1)
            path = sums.parent / name
            if not path.is_file():
                raise CourseError(f"{path} is missing. Run `make data`, or restore it with git.")
            if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                raise CourseError(f"{path} was altered since it was built. Run `make data`, or restore it with git.")


def imported_modules(source: str, root: Path, package: str = "course") -> set[Path]:
    """Return the files of `package` that a program imports, directly or through one another."""
    found: set[Path] = set()
    waiting = _imports(source, package)
    while waiting:
        path = _file_of(waiting.pop(), root)
        if path and path not in found:
            found.add(path)
            waiting |= _imports(path.read_text(encoding="utf-8"), package, _module_name(path, root))
    return found


def _imports(source: str, package: str, importer: str = "") -> set[str]:
    """Return the dotted names under `package` that a source imports, with every parent package."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = importer.split(".")[: -node.level]
                base = ".".join([*parents, base]).rstrip(".")
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    inside = {name for name in names if name == package or name.startswith(package + ".")}
    return {".".join(name.split(".")[:end]) for name in inside for end in range(1, name.count(".") + 2)}


def _file_of(module: str, root: Path) -> Path | None:
    base = root.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _module_name(path: Path, root: Path) -> str:
    # A package is named with a last part of its own, so that «one level up» means the package itself.
    return ".".join(path.relative_to(root).with_suffix("").parts)
