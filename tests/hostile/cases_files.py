"""Files that are no notebooks, or odd ones, and folders with odd names."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from .case import NOTHING, Case, Notebook

UNREADABLE = "it gets zero, with a reason; nobody else notices"
READABLE = "the answers are there, so they are judged"
AS_NAMED = "a name is only a name"
NO_COUNT = {"count_ngrams": 0.0}


def dumped(notebook: Notebook) -> bytes:
    return json.dumps(notebook).encode()


def broken(does: str, payload: bytes, shown: str = "could not be read") -> Case:
    return Case(does, UNREADABLE, edit=lambda notebook: payload, marks=NOTHING, shown=shown)


def odd(does: str, edit: Callable[[Notebook], Notebook | bytes], **other: Any) -> Case:
    return Case(does, READABLE, edit=edit, **other)


def zipped(notebook: Notebook) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../../../tmp/1_words.ipynb", dumped(notebook))
    return packed.getvalue()


def each_cell(notebook: Notebook, **entries: Any) -> Notebook:
    return {**notebook, "cells": [{**cell, **entries} for cell in notebook["cells"]]}


def version_3(notebook: Notebook) -> Notebook:
    cells = [{("input" if key == "source" else key): value for key, value in c.items()} for c in notebook["cells"]]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells, "metadata": {}}]}


def without_marks(notebook: Notebook) -> Notebook:
    """As some editors save it: no metadata, no ids."""
    kept = ("cell_type", "source", "outputs")
    return {**notebook, "cells": [{k: v for k, v in cell.items() if k in kept} for cell in notebook["cells"]]}


def with_odd_ids(notebook: Notebook) -> Notebook:
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = [number, {"a": None}, 1.5, True, None][number % 5]
        cell["metadata"]["tags"] = 7
    return notebook


def with_strange_cells(notebook: Notebook) -> Notebook:
    strange: list[Any] = [None, 5, "text", [], {}, {"cell_type": "code"}, {"cell_type": 3, "source": {"a": 1}}]
    strange += [{"cell_type": "code", "metadata": value, "source": [1, None]} for value in ([], "x", None, 4)]
    strange += [{"cell_type": "code", "metadata": {"nbgrader": value}, "source": ""} for value in ([], "x", None, 4)]
    strange += [{"metadata": {"nbgrader": {"grade_id": value}}} for value in ([], {}, None, 4, "", "x" * 10**6)]
    return {**notebook, "cells": [*strange, *notebook["cells"]]}


def repeated_keys(notebook: Notebook) -> bytes:
    return b'{"cells": [], "metadata": 1, ' + dumped(notebook)[1:]


def many_cells(notebook: Notebook) -> Notebook:
    return {**notebook, "cells": [*notebook["cells"], *[{"cell_type": "code", "source": "1"}] * 100_000]}


def surrogates(notebook: Notebook) -> Notebook:
    for cell in notebook["cells"]:
        if cell["id"] == "count_ngrams":
            cell["source"] += "\n# \ud800\udfff\udc00 \x00 \x1b[2J"
    return notebook


FILES = {
    "empty_file": broken("hands in an empty file", b""),
    "white_space": broken("hands in white space", b" \n\t\r\n" * 10),
    "not_json": broken("hands in its answer as plain text", b"def count_ngrams(documents, n):\n    return 1\n"),
    "web_page": broken("saved the page that shows the notebook", b"<!DOCTYPE html><html></html>"),
    "cut_off": Case(
        "hands in the first half of a notebook",
        UNREADABLE,
        marks=NOTHING,
        shown="could not be read",
        edit=lambda notebook: dumped(notebook)[:3000],
    ),
    "random_bytes": broken("hands in noise", bytes(range(256)) * 40),
    "zeros": broken("hands in a million zeros", bytes(10**6)),
    "nested_too_deep": broken("nests lists a million deep", b"[" * 10**6),
    "nested_cells": broken("nests cells 100,000 deep", b'{"cells": ' + b'[{"a": ' * 10**5, "could not be read"),
    "too_large": broken("hands in 25 MB", b'{"cells": [], "x": "' + b"y" * (25 << 20) + b'"}', "larger than 20 MB"),
    "a_number": broken("hands in a number", b"12"),
    "enormous_number_in_json": broken("hands in a number of a million digits", b"1" * 10**6),
    "a_list": broken("hands in a list", b"[1, 2]"),
    "no_cells": broken("hands in a notebook without cells", b'{"nbformat": 4, "metadata": {}}'),
    "cells_no_list": broken("hands in cells that are no list", b'{"cells": {"a": 1}, "nbformat": 4}'),
    "other_notebook": broken("hands in an empty notebook", b'{"cells": [], "nbformat": 4}', "None of the course's"),
    "zip_file": Case(
        "hands in an archive whose entry would climb out of its folder", UNREADABLE, edit=zipped, marks=NOTHING
    ),
    "gzip_file": Case(
        "hands in a compressed notebook",
        UNREADABLE,
        edit=lambda notebook: gzip.compress(dumped(notebook)),
        marks=NOTHING,
    ),
    "bomb": broken("hands in a gigabyte, compressed", gzip.compress(bytes(1 << 24))),
    "byte_order_mark": odd("saves with a byte order mark", lambda notebook: codecs.BOM_UTF8 + dumped(notebook)),
    "utf16": odd("saves as UTF-16", lambda notebook: json.dumps(notebook).encode("utf-16")),
    "utf16_unmarked": odd(
        "saves as UTF-16 and says so nowhere", lambda notebook: json.dumps(notebook).encode("utf-16-le")
    ),
    "utf32": odd("saves as UTF-32", lambda notebook: json.dumps(notebook).encode("utf-32")),
    "broken_utf8": odd(
        "has bytes that are no UTF-8 in a comment",
        lambda notebook: dumped(notebook).replace(b"Return how often", b"Return \\u00e4 how \xff often"),
    ),
    "windows_line_ends": odd(
        "saves with the line ends of Windows",
        lambda notebook: each_source(notebook, lambda source: source.replace("\n", "\r\n")),
    ),
    "sources_as_lists": odd(
        "saves sources as lists of lines",
        lambda notebook: each_source(notebook, lambda source: source.splitlines(keepends=True)),
    ),
    "old_version": odd("saves in version 3 of the format", version_3),
    "version_99": odd("claims version 99", lambda notebook: {**notebook, "nbformat": 99, "nbformat_minor": "x"}),
    "no_marks": odd("loses all metadata and ids", without_marks, shown="was found by its definition"),
    "odd_ids": odd("has ids and tags that are no texts", with_odd_ids),
    "strange_cells": odd("has cells that are none among its own", with_strange_cells),
    "metadata_no_dict": odd("has metadata that is a list", lambda notebook: {**notebook, "metadata": [1]}),
    "repeated_keys": odd("says cells twice", repeated_keys),
    "infinite_numbers": odd(
        "has numbers that JSON lacks", lambda notebook: dumped({**notebook, "x": [float("nan"), float("inf")]})
    ),
    "many_cells": odd("adds 100,000 cells", many_cells),
    "lone_surrogates": odd("has halves of characters and a terminal's codes in a comment", surrogates),
    "long_cell": Case(
        "has an answer of 5 MB",
        "an answer is cut at 100,000 characters, and this one then is none",
        answers={"count_ngrams": "x = '" + "y" * (5 << 20) + "'\ndef count_ngrams(documents, n):\n    return 1"},
        marks=NO_COUNT,
    ),
    "deep_expression": Case(
        "nests an expression 90,000 deep",
        "its cell cannot be compiled; the others can",
        answers={"count_ngrams": "x = " + "-" * 90_000 + "1"},
        marks=NO_COUNT,
    ),
}


def each_source(notebook: Notebook, change: Callable[[str], Any]) -> Notebook:
    return {**notebook, "cells": [{**cell, "source": change(cell["source"])} for cell in notebook["cells"]]}


NAMES = {
    name: Case(f"calls itself {folder!r}", AS_NAMED, folder=folder)
    for name, folder in {
        "named_by_dots": "...",
        "named_like_a_parent": "..hidden",
        "named_like_an_option": "--help",
        "named_by_a_newline": "new\nline",
        "named_at_length": "n" * 200,
        "named_in_korean": "김하늘",
        "named_by_a_script": "<script>alert(1)<",
        "named_in_markup": "[bold][nothing]{x}%s",
        "named_by_quotes": "Robert'); DROP TABLE grade;--",
        "named_for_a_terminal": "\x1b[2J\x1b]0;title\x07",
        "named_by_spaces": "  ",
        "named_like_the_class_page": "week1_sample.html",
    }.items()
} | {
    "named_in_no_encoding": Case(
        "calls itself two bytes that are no text", AS_NAMED, folder="\\xff\\xfe", folder_on_disk=b"\xff\xfe"
    )
}
