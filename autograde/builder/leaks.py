"""Looks for answers and hidden tests in what students are given."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autograde.builder.lesson import read_lesson, solution_lines
from autograde.layout import Layout

# A shorter line (`for document in documents:`, without its blanks) says nothing that only an answer could say.
SHORTEST_TELLING_LINE = 24
ANSWER = "answer to "


@dataclass(frozen=True)
class Leak:
    """A line that must not be where it is: the file, what leaked, the line itself."""

    file: str
    what: str
    line: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}: {self.line}"


class LeakScanner:
    """Knows every answer line and hidden test of a course and finds them in other texts."""

    def __init__(self, layout: Layout) -> None:
        self._secrets: dict[str, str] = {}
        for week, notebook in layout.lessons():
            for cell in read_lesson(layout.lesson_source(week, notebook)).cells:
                if cell.kind in ("exercise", "essay"):
                    lines = solution_lines(cell.source) if cell.is_code else cell.source.splitlines()
                    self._add(lines, f"{ANSWER}{cell.name}")
        for tests in sorted(layout.hidden.glob("*/test_*.py")):
            self._add(
                _telling_test_lines(tests), f"hidden test of {tests.parent.name}/{tests.stem.removeprefix('test_')}"
            )

    def scan_text(self, text: str, file: str) -> list[Leak]:
        """Return the leaks in one file's text; `file` names it in the result."""
        leaks = [
            Leak(file, self._secrets[squeezed], line.strip())
            for line in text.splitlines()
            if (squeezed := _squeeze(line)) in self._secrets
        ]
        for word in ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN", "HIDDEN TEST", "autograde"):
            leaks += [Leak(file, f"the word «{word}»", line.strip()) for line in text.splitlines() if word in line]
        return leaks

    def scan_notebook(self, path: Path) -> list[Leak]:
        """Return the leaks in a notebook's cells and outputs, whatever cell they stand in."""
        notebook = json.loads(path.read_text(encoding="utf-8"))
        leaks = []
        for cell in notebook["cells"]:
            leaks += self.scan_text("".join(cell["source"]), f"{path.name} [{cell['id']}]")
            if cell.get("outputs"):
                leaks.append(Leak(f"{path.name} [{cell['id']}]", "an output", str(cell["outputs"])[:80]))
        metadata = json.dumps([cell["metadata"] for cell in notebook["cells"]])
        return leaks + self.scan_text(metadata, f"{path.name} (metadata)")

    def scan_folder(self, root: Path) -> list[Leak]:
        """Return the leaks in all notebooks and texts below a folder."""
        leaks = []
        for path in sorted(root.rglob("*")):
            if path.suffix == ".ipynb":
                leaks += self.scan_notebook(path)
            elif path.suffix in (".py", ".md", ".toml", ".yml"):
                leaks += self.scan_text(path.read_text(encoding="utf-8"), str(path.relative_to(root)))
        return leaks

    def _add(self, lines: Iterable[str], what: str) -> None:
        for line in lines:
            if len(squeezed := _squeeze(line)) >= SHORTEST_TELLING_LINE and not line.strip().startswith("#"):
                self._secrets.setdefault(squeezed, what)


def _squeeze(line: str) -> str:
    """Return the line without any blanks, so that another indentation or spacing hides nothing."""
    return "".join(line.split())


def _telling_test_lines(path: Path) -> list[str]:
    """Return the lines of the test functions, decorators included, without imports and helpers' shared idioms."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    telling = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            telling += lines[first - 1 : node.end_lineno]
    return telling
