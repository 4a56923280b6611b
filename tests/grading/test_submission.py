"""Whatever is handed in becomes a notebook on the released one, or a reason why not."""

from __future__ import annotations

import contextlib
import copy
import json
import os

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbgrader.utils import determine_grade

from autograde.judge.report import CellResult, ExerciseReport, with_outputs
from autograde.submission import (
    ADDED,
    MAX_BYTES,
    Unreadable,
    exercises_of,
    grade_id,
    is_run,
    metadata,
    parse,
    read_bytes,
    rebuild,
    source_of,
)


def sources(rebuilt):
    return {cell["id"]: source_of(cell) for cell in rebuilt.notebook["cells"]}


def place(notebook, name):
    return next(number for number, cell in enumerate(notebook["cells"]) if cell["id"] == name)


def test_an_untouched_notebook_comes_back_as_it_was(release):
    rebuilt = rebuild(release, parse(json.dumps(release).encode()))
    assert rebuilt.notebook == release
    assert rebuilt.notes == []


def test_answers_survive_and_nothing_else_does(release, answered):
    notebook = answered()
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = ["skip-execution"]
        metadata(cell).update(points=100, locked=False)
    notebook["cells"][place(notebook, "check_softmax")]["source"] = "pass"
    notebook["metadata"]["kernelspec"] = {"name": "other"}
    rebuilt = rebuild(release, notebook["cells"])
    assert sources(rebuilt)["softmax"] == answered()["cells"][place(release, "softmax")]["source"]
    without_answers = copy.deepcopy(rebuilt.notebook)
    for cell, given_cell in zip(without_answers["cells"], release["cells"], strict=True):
        if metadata(cell).get("solution"):
            cell["source"] = given_cell["source"]
    assert without_answers == release


def test_deleted_cells_come_back_with_a_note(release, answered):
    notebook = answered()
    del notebook["cells"][place(notebook, "check_softmax")]
    rebuilt = rebuild(release, notebook["cells"])
    assert "check_softmax" in sources(rebuilt)
    assert rebuilt.notes == ["the cell check_softmax was missing and was put back"]


def test_a_copied_cell_is_left_out(release, answered):
    notebook = answered()
    number = place(notebook, "softmax")
    notebook["cells"].insert(number + 1, {**notebook["cells"][number], "source": "def softmax(x): return 0"})
    rebuilt = rebuild(release, notebook["cells"])
    assert "return 0" not in sources(rebuilt)["softmax"]
    assert rebuilt.notes == ["a copied cell was left out (softmax)"]


def test_where_only_the_copy_was_answered_it_counts(release):
    notebook = copy.deepcopy(release)
    number = place(notebook, "softmax")
    notebook["cells"].insert(number + 1, {**notebook["cells"][number], "source": "def softmax(x): return 0"})
    assert sources(rebuild(release, notebook["cells"]))["softmax"] == "def softmax(x): return 0"


def test_added_cells_stay_where_they_were_put(release, answered):
    notebook = answered()
    notebook["cells"].insert(
        place(notebook, "softmax"), {"cell_type": "code", "source": ["def helper():\n", "    pass"]}
    )
    rebuilt = rebuild(release, notebook["cells"])
    cells = rebuilt.notebook["cells"]
    added = next(number for number, cell in enumerate(cells) if cell["metadata"].get(ADDED))
    assert cells[added]["source"] == "def helper():\n    pass"
    assert cells[added + 1]["id"] == "softmax"
    assert is_run(cells[added])


def test_rebuilding_twice_changes_nothing(release, answered):
    notebook = answered()
    notebook["cells"].insert(0, {"cell_type": "code", "source": "x = 1"})
    once = rebuild(release, notebook["cells"]).notebook
    assert rebuild(release, once["cells"]).notebook == once


def test_answers_without_any_mark_are_found_by_their_definition(release, answered):
    cells = [{"cell_type": cell["cell_type"], "source": cell["source"]} for cell in answered()["cells"]]
    rebuilt = rebuild(release, cells)
    right = {cell["id"]: source_of(cell) for cell in answered()["cells"]}
    assert {name: sources(rebuilt)[name] for name in ("softmax", "Scale")} == {
        name: right[name] for name in ("softmax", "Scale")
    }


EXPERIMENT = "for _ in range(10**9):\n    train()\nLIMIT = 3"


def with_an_experiment(release):
    notebook = copy.deepcopy(release)
    cell = {"cell_type": "code", "id": "experiment", "metadata": {}, "source": EXPERIMENT}
    notebook["cells"].insert(2, {**cell, "outputs": [], "execution_count": None})
    return notebook


def test_of_an_experiment_that_was_changed_only_what_is_quick_is_run(release):
    given = with_an_experiment(release)
    notebook = copy.deepcopy(given)
    own = "import math as maths\n%matplotlib inline\ntrain()\nhalf = lambda x: x / 2\nlosses = [train()]\n"
    notebook["cells"][2]["source"] = own + EXPERIMENT + "\nWIDTH: int = 8\nclass Own:\n    pass"
    cells = rebuild(given, notebook["cells"]).notebook["cells"]
    assert [source_of(cell) for cell in cells if is_run(cell) and cell["metadata"].get(ADDED)] == [
        "import math as maths\n\nhalf = lambda x: x / 2\n\nWIDTH: int = 8\n\nclass Own:\n    pass"
    ]
    assert source_of(cells[2]) == EXPERIMENT
    assert rebuild(given, cells).notebook["cells"] == cells


def test_what_was_only_laid_out_anew_adds_nothing(release):
    notebook = copy.deepcopy(release)
    setup = notebook["cells"][place(notebook, "setup_1")]
    setup["source"] = "\n\n# mine\n" + setup["source"].replace("import torch\n", "import  torch ;\n")
    assert rebuild(release, notebook["cells"]).notebook == release


def test_a_cell_that_lost_its_marks_is_known_by_its_text(release):
    given = with_an_experiment(release)
    cells = [{"cell_type": cell["cell_type"], "source": cell["source"]} for cell in given["cells"]]
    cells.insert(4, {"cell_type": "code", "source": "mine = 1"})
    rebuilt = rebuild(given, cells)
    assert rebuilt.n_found == len([cell for cell in given["cells"] if metadata(cell)])
    added = [number for number, cell in enumerate(rebuilt.notebook["cells"]) if cell["metadata"].get(ADDED)]
    assert added == [4]
    assert [cell for cell in rebuilt.notebook["cells"] if not cell["metadata"].get(ADDED)] == given["cells"]


@pytest.mark.parametrize("nested", ["(" * 10_000, "-" * 99_000 + "1", "x" + ".a" * 45_000, "[]+" * 30_000 + "[]"])
def test_no_text_in_a_changed_cell_can_stop_the_reading(release, nested):
    notebook = copy.deepcopy(release)
    notebook["cells"][place(notebook, "setup_1")]["source"] = nested
    assert exercises_of(rebuild(release, notebook["cells"]).notebook) == exercises_of(release)


def test_the_gradebooks_mark_stands_at_a_check_where_the_process_could_not_be_copied(release):
    notebook = copy.deepcopy(release)
    number = place(notebook, "check_softmax")
    with_outputs(notebook, [ExerciseReport("softmax", 2.0, 3.0)], {number: CellResult("Died", "it ended the process")})
    assert determine_grade(nbformat.from_dict(notebook["cells"][number])) == (2.0, 3.0)


def test_answers_in_words_are_kept(release):
    notebook = copy.deepcopy(release)
    notebook["cells"][place(notebook, "why")]["source"] = "Because."
    assert sources(rebuild(release, notebook["cells"]))["why"] == "Because."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_and_line_ends_do_not_matter(release, answered, encoding):
    text = json.dumps(answered(softmax="def softmax(x):\r\n    return '가'"), ensure_ascii=False)
    rebuilt = rebuild(release, parse(text.encode(encoding)))
    assert sources(rebuilt)["softmax"] == "def softmax(x):\n    return '가'"


def test_version_3_of_the_format_is_read(release, answered):
    cells = [{**cell, "input": cell["source"]} for cell in answered()["cells"]]
    for cell in cells:
        del cell["source"]
    rebuilt = rebuild(release, parse(json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}]}).encode()))
    assert sources(rebuilt)["draw"].startswith("def draw")


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "empty"),
        (b"hello", "not JSON"),
        (b"[1, 2]", "not a notebook"),
        (b"{}", "no cells"),
        (b'{"a": ' * 100_000, "nested|JSON"),
        (b"\x00\xff\xfe", "JSON"),
    ],
)
def test_what_is_no_notebook_is_refused_with_its_reason(payload, why):
    with pytest.raises(Unreadable, match=why):
        parse(payload)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)
wild_cells = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "cell_type": json_values,
            "source": json_values,
            "input": json_values,
            "id": st.sampled_from(["softmax", "check_softmax", ""]) | json_values,
            "metadata": st.fixed_dictionaries(
                {}, optional={"nbgrader": st.fixed_dictionaries({}, optional={"grade_id": json_values}) | json_values}
            )
            | json_values,
        },
    )
    | json_values,
    max_size=6,
)


@given(wild_cells)
@settings(max_examples=150, deadline=None)
def test_no_cells_whatever_they_hold_can_change_what_is_graded(release, cells):
    try:
        parsed = parse(json.dumps({"cells": cells}).encode())
    except Unreadable:
        return
    rebuilt = rebuild(release, parsed)
    assert exercises_of(rebuilt.notebook) == exercises_of(release)
    kept = [cell for cell in rebuilt.notebook["cells"] if not cell["metadata"].get(ADDED)]
    assert [grade_id(cell) for cell in kept] == [grade_id(cell) for cell in release["cells"]]


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_arbitrary_bytes_are_read_or_refused(payload):
    with contextlib.suppress(Unreadable):
        parse(payload)


def test_only_ordinary_files_are_read(tmp_path):
    secret = tmp_path / "secret.ipynb"
    secret.write_text("{}")
    link, pipe = tmp_path / "link.ipynb", tmp_path / "pipe.ipynb"
    link.symlink_to(secret)
    os.mkfifo(pipe)
    assert read_bytes(secret) == b"{}"
    for path in (link, pipe, tmp_path, tmp_path / "missing.ipynb"):
        with pytest.raises(Unreadable):
            read_bytes(path)


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "huge.ipynb"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(Unreadable, match="larger than"):
        read_bytes(path)
