"""Submissions that want marks without the answer: they tamper with what judges them, or forge what it hears."""

from __future__ import annotations

from .case import NOTHING, Case, Notebook, added

NO_COUNT = {"count_ngrams": 0.0}
NO_SOFTMAX = {"softmax": 0.0}
EMPTY = {"count_ngrams": "def count_ngrams(documents, n):\n    return {}"}
OTHER_PROCESS = "judging happens in another process, which holds its own copy of everything"
OUR_NOTEBOOK = "of what is handed in only the answers' text is taken; all else comes from the notebook given out"

FIND_SERVER = """
import sys
def find_server():
    frame = sys._getframe()
    while frame:
        if type(frame.f_locals.get("self")).__name__ == "Server":
            return frame.f_locals["self"]
        frame = frame.f_back
server = find_server()
"""

TAMPERING = {
    "patches_torch": Case(
        "makes torch find everything equal",
        OTHER_PROCESS,
        answers=EMPTY | {"softmax": "def softmax(scores):\n    return torch.zeros_like(scores)"},
        before="import torch\ntorch.equal = torch.allclose = lambda *a, **k: True\n"
        "torch.isclose = lambda a, *r, **k: torch.ones(1, dtype=bool)\ntorch.Tensor.all = lambda self: True\n"
        "torch.autograd.gradcheck = lambda *a, **k: True",
        marks=NO_COUNT | NO_SOFTMAX,
    ),
    "patches_pytest": Case(
        "puts modules of its own in the place of pytest and of the grader",
        OTHER_PROCESS,
        answers=EMPTY,
        before="import sys, types\nfor name in ('pytest', '_pytest', 'autograde', 'autograde.rubric'):\n"
        "    sys.modules[name] = types.ModuleType(name)\n"
        "sys.modules['autograde.rubric'].expect_equal = lambda *a, **k: None\n"
        "import os; os.environ['PYTEST_ADDOPTS'] = '--collect-only'",
        marks=NO_COUNT,
    ),
    "drops_asserts": Case(
        "drops each assert from the syntax tree",
        "the asserts that count are never compiled in its process",
        answers=EMPTY,
        before="import ast\nclass Drop(ast.NodeTransformer):\n    def visit_Assert(self, node): return None\n"
        "get_ipython().ast_transformers.append(Drop())",
        marks=NO_COUNT,
    ),
    "rewrites_input": Case(
        "rewrites each cell's text to nothing",
        "it silences its own cells, and so has no answers",
        before="get_ipython().input_transformers_cleanup.append(lambda lines: ['pass\\n'])",
        marks=NOTHING,
    ),
    "skips_its_errors": Case(
        "makes its shell report success always",
        "a cell's success gives no marks",
        answers=EMPTY,
        before="shell = get_ipython()\nresult = type('R', (), dict(error_before_exec=None, error_in_exec=None))\n"
        "shell.run_cell = lambda *a, **k: result",
        marks=NOTHING,
    ),
    "equals_everything": Case(
        "returns an object that equals everything",
        "it is no plain data and does not cross",
        answers={
            "count_ngrams": "class Same:\n    def __eq__(self, other): return True\n"
            "    def __ne__(self, other): return False\n"
            "    def __getitem__(self, key): return self\ndef count_ngrams(documents, n):\n    return Same()"
        },
        marks=NO_COUNT,
    ),
    "equal_subclasses": Case(
        "returns a number, a text and a dictionary that equal everything",
        "subclasses are flattened to what they hold",
        answers={
            "count_ngrams": "same = dict(__eq__=lambda s, o: True, __ne__=lambda s, o: False, __hash__=lambda s: 1)\n"
            "N, D = type('N', (int,), dict(same)), type('D', (dict,), same | dict(__getitem__=lambda s, k: N(1)))\n"
            "def count_ngrams(documents, n):\n    return D({(N(1), N(2)): N(3)})"
        },
        marks=NO_COUNT,
    ),
    "tensor_subclass": Case(
        "returns a tensor that answers each comparison with yes",
        "only its numbers cross",
        answers={
            "softmax": "class Yes(torch.Tensor):\n    @classmethod\n"
            "    def __torch_function__(cls, function, types, args=(), kwargs=None):\n"
            "        return torch.tensor(True)\ndef softmax(scores):\n"
            "    return torch.zeros_like(scores).as_subclass(Yes)"
        },
        marks=NO_SOFTMAX,
    ),
    "function_mode": Case(
        "turns on a mode in which each function of torch gives what it likes",
        OTHER_PROCESS,
        answers={
            "softmax": "from torch.overrides import TorchFunctionMode\nclass Mode(TorchFunctionMode):\n"
            "    def __torch_function__(self, function, types, args=(), kwargs=None):\n        return True\n"
            "def softmax(scores):\n    result = torch.zeros_like(scores)\n    Mode().__enter__()\n    return result"
        },
        marks=NO_SOFTMAX,
    ),
    "not_a_number": Case(
        "returns NaN, infinity and negative zero",
        "NaN equals nothing, and the others are numbers like any",
        answers={
            "softmax": "def softmax(scores):\n    return torch.full_like(scores, float('nan'))",
            "draw": "def draw(n, generator):\n    return torch.full((n,), float('inf'))",
        },
        marks=NO_SOFTMAX | {"draw": 0.0},
    ),
    "odd_strides": Case(
        "returns a view that is one number seen many times",
        "numbers are copied out in order; here they are wrong ones",
        answers={"draw": "def draw(n, generator):\n    return torch.zeros(1).as_strided((n,), (0,))"},
        marks={"draw": 0.0},
    ),
    "complex_numbers": Case(
        "returns the right numbers with an imaginary part",
        "real numbers are asked for",
        answers={"draw": "def draw(n, generator):\n    return torch.rand(n, generator=generator) + 1j"},
        marks={"draw": 0.0},
    ),
    "winds_the_generator": Case(
        "gives the judge's generator a state of its own",
        "that generator was lent to it; the expected numbers come from another one",
        answers={
            "draw": "def draw(n, generator):\n    generator.manual_seed(0)\n"
            "    return torch.rand(n, generator=generator)"
        },
        marks={"draw": 0.0},
    ),
    "patches_builtins": Case(
        "replaces isinstance, type, len and sum for good",
        OTHER_PROCESS,
        answers=EMPTY,
        after="import builtins\nbuiltins.sum = lambda *a: 1\nbuiltins.all = lambda *a: True\n"
        "builtins.sorted = lambda *a: []",
        marks=NO_COUNT,
    ),
    "answers_for_the_server": Case(
        "replaces what answers the judge's requests by a function that says True",
        "an answer is compared with the right value, whoever gives it",
        answers=EMPTY
        | {
            "softmax": FIND_SERVER
            + "type(server)._do_call = lambda *a: True\ntype(server)._do_gradient = lambda *a: []"
        },
        marks=NOTHING,
    ),
    "answers_with_an_object": Case(
        "has its server give an object that stays behind where a value is asked for, and answers each "
        "question about it",
        "a call may answer in plain data only",
        answers={
            "softmax": FIND_SERVER + "class Lies:\n    def sum(self, axis): return torch.ones(2, dtype=torch.float64)\n"
            "server._encode_data = server._encode_any\ndef softmax(scores):\n    return Lies()"
        },
        marks=NO_SOFTMAX,
    ),
    "forges_frames": Case(
        "writes answers of its own to the judge's socket",
        "an answer that belongs to no question ends the process; the cell that sent it is dropped",
        before=FIND_SERVER + "from sandbox.shared.frames import send\nfor number in range(100):\n"
        "    send(server._sock, server._encode_data(('ok', number, {'error': '', 'message': '', 'output': "
        "'forged'}, [])))",
    ),
    "forges_noise": Case(
        "writes noise to each descriptor it has",
        "what is no message ends the process; the cell is dropped",
        before="import os\nfor number in range(3, 64):\n    try:\n        os.write(number, os.urandom(4096))\n"
        "    except OSError:\n        pass",
    ),
    "forges_a_long_announcement": Case(
        "announces a message of four billion bytes",
        "a header beyond the limits ends the process; no memory is set aside for it",
        before=FIND_SERVER + "import struct\nserver._sock.send(struct.pack('<III', 0x31475243, 2**32 - 1, 2**32 - 1))",
    ),
    "forges_much_output": Case(
        "has its server say that a cell printed 50 MB and raised an error with a long text",
        "the judge cuts by itself what it is told",
        before=FIND_SERVER
        + "type(server)._do_cell = lambda self, source: dict(error='E' * 10**7, message='m' * 10**7, "
        "output='o' * 10**7)",
        marks=NOTHING,
    ),
    "forges_mutation": Case(
        "calls the judge's functions by numbers that it was never given",
        "only numbers of functions that were handed over are known",
        answers={
            "count_ngrams": FIND_SERVER + "from sandbox.shared.codec import Handle\ndef count_ngrams(documents, n):\n"
            "    return server._resolve(Handle(0, 'callback', 'x'))(1)"
        },
        marks=NO_COUNT,
    ),
    "pushes_a_score": Case(
        "pushes numbers through the display hook and prints marks",
        "marks stand at check cells, which it does not run, and are written by the judge",
        answers=EMPTY,
        before="import sys\nfrom IPython.display import display\nsys.displayhook(99.0)\ndisplay(99.0)\n"
        "print('2 of 2 points')\n99.0",
        marks=NO_COUNT,
    ),
    "writes_the_gradebook": Case(
        "looks for a gradebook above its folder and writes full marks into it",
        "there is none in sight, and nothing there can be written",
        answers=EMPTY,
        before="import os, sqlite3\nfor depth in range(9):\n    for name in ('gradebook.db', 'build/gradebook.db'):\n"
        "        path = '../' * depth + name\n        try:\n            if os.path.exists(path):\n"
        "                print('found', path)\n"
        "            sqlite3.connect(path).execute('create table grade (auto_score)')\n"
        "        except Exception:\n            pass",
        marks=NO_COUNT,
    ),
    "borrows_our_answer": Case(
        "fails softmax on purpose, so that the next exercise gets ours, and keeps what it sees of it",
        "the borrower gets what error carried forward allows; softmax itself was judged before",
        answers={
            "softmax": "import os\ndef softmax(scores):\n    if os.path.exists('/tmp/ours'):\n"
            "        return torch.load('/tmp/ours')\n"
            "    raise ValueError",
            "attend": "def attend(scores, values):\n    weights = softmax(scores)\n"
            "    torch.save(weights, '/tmp/ours')\n"
            "    get_ipython().user_ns['stolen'] = softmax\n    return weights @ values, weights",
        },
        marks=NO_SOFTMAX,
    ),
}


def _every_cell(notebook: Notebook, **metadata: object) -> Notebook:
    for cell in notebook["cells"]:
        cell["metadata"].update(metadata)
    return notebook


def _points(notebook: Notebook) -> Notebook:
    for cell in notebook["cells"]:
        if "points" in cell["metadata"].get("nbgrader", {}):
            cell["metadata"]["nbgrader"]["points"] = 1e6
            cell["source"] = "1e6"
            cell["outputs"] = [
                {"output_type": "execute_result", "data": {"text/plain": "1e6"}, "metadata": {}, "execution_count": 1}
            ]
    return notebook


def _swapped(notebook: Notebook) -> Notebook:
    """The easy answer under the name of the others as well."""
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "check_softmax":
            cell["metadata"]["nbgrader"]["grade_id"] = "check_draw"
    return notebook


def _copied_checks(notebook: Notebook) -> Notebook:
    copies = [dict(cell) for cell in notebook["cells"] if cell["id"].startswith("check_draw")]
    return {**notebook, "cells": [*notebook["cells"], *copies * 5]}


def _claims_report(notebook: Notebook) -> Notebook:
    marks = {"score": 10.0, "max": 10.0, "notes": [], "exercises": [], "student": "x", "week": "w", "notebook": "n"}
    return {**notebook, "metadata": {**notebook["metadata"], "course_report": marks, "course_flags": []}}


FORGED_NOTEBOOKS = {
    "skip_tags": Case(
        "tags each cell to be skipped",
        OUR_NOTEBOOK,
        answers=EMPTY,
        marks=NO_COUNT,
        edit=lambda notebook: _every_cell(notebook, tags=["skip-execution", "raises-exception"]),
    ),
    "a_million_points": Case(
        "gives each exercise a million points, and shows them earned",
        OUR_NOTEBOOK,
        answers=EMPTY,
        marks=NO_COUNT,
        edit=_points,
    ),
    "unlocked": Case(
        "declares each cell an answer, unlocked and ungraded",
        OUR_NOTEBOOK,
        answers=EMPTY,
        marks=NO_COUNT,
        edit=lambda notebook: _every_cell(notebook, deletable=True, editable=True, course_added=True),
    ),
    "swapped_names": Case(
        "gives one exercise's check the name of another", OUR_NOTEBOOK, answers=EMPTY, marks=NO_COUNT, edit=_swapped
    ),
    "copied_checks": Case(
        "hands in the easiest check six times", OUR_NOTEBOOK, answers=EMPTY, marks=NO_COUNT, edit=_copied_checks
    ),
    "claims_a_report": Case(
        "brings along a report of full marks, as our own graded notebooks hold one",
        OUR_NOTEBOOK,
        answers=EMPTY,
        marks=NO_COUNT,
        edit=_claims_report,
    ),
    "own_checks": Case(
        "replaces the course's checks by its own in a cell",
        "they are not what counts",
        answers=EMPTY,
        marks=NO_COUNT,
        edit=lambda notebook: {
            **notebook,
            "cells": [added("check_equal = lambda *a, **k: None", 99), *notebook["cells"]],
        },
    ),
}
