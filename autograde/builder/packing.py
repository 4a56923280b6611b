"""Packs modules of `course` that do what an exercise asks for: students run them, and read no answer by accident.

Later notebooks build on what earlier ones ask for, so these modules must reach students. Packed, such a module is
imported as before, on any version of Python, and neither an eye nor a search meets an answer in it. It hides nothing
from who unpacks it on purpose: what keeps answers honest is that the grader's sandbox lacks the modules that would
answer a notebook's own exercises.
"""

from __future__ import annotations

import ast
import base64
import zlib
from pathlib import Path

from autograde.builder.leaks import ANSWER, Leak

HEAD = '''"""{title}

Packed by `course release`: an exercise asks for what this module does. Its source is in the course's repository.
"""

import base64
import zlib

exec(
    compile(
        zlib.decompress(base64.b85decode("{payload}")),
        __file__,
        "exec",
        dont_inherit=True,
    )
)
'''


def pack_blocks(root: Path, leaks: list[Leak]) -> list[Leak]:
    """Pack every module of `course` in which a line of an answer stands; return the leaks that are left.

    Args:
        root: the students' folder.
        leaks: found in it, their files relative to it.
    """
    packable = [leak for leak in leaks if leak.what.startswith(ANSWER) and leak.file.startswith("course/")]
    for file in sorted({leak.file for leak in packable}):
        path = root / file
        path.write_text(packed(path.read_text("utf-8")), encoding="utf-8")
    return [leak for leak in leaks if leak not in packable]


def packed(source: str) -> str:
    """Return a module that runs the same code; the same source gives the same text."""
    title = (
        (ast.get_docstring(ast.parse(source)) or "A building block.")
        .splitlines()[0]
        .replace("\\", "")
        .replace('"', "'")
    )
    payload = base64.b85encode(zlib.compress(source.encode(), 9)).decode()
    return HEAD.format(title=title, payload=payload)
