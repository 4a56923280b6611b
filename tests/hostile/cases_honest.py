"""Honest submissions that are odd: they keep the marks of each exercise that is intact."""

from __future__ import annotations

from .case import Case, Notebook

HONEST = "an honest student's answer is right, whatever stands around it"
INTACT = "what is missing is lost, and nothing else"


def without(*names: str):
    def edit(notebook: Notebook) -> Notebook:
        return {**notebook, "cells": [cell for cell in notebook["cells"] if cell["id"] not in names]}

    return edit


def reordered(notebook: Notebook) -> Notebook:
    return {**notebook, "cells": notebook["cells"][::-1]}


def copied(notebook: Notebook) -> Notebook:
    return {**notebook, "cells": [twin for cell in notebook["cells"] for twin in (cell, dict(cell))]}


def without_checks(notebook: Notebook) -> Notebook:
    return {**notebook, "cells": [cell for cell in notebook["cells"] if not cell["id"].startswith("check_")]}


DRAW = "def draw(n, generator):\n    return torch.rand(n, generator=generator)"
STUBS = {
    "count_ngrams": 'def count_ngrams(documents, n):\n    """Return how often each run of n tokens occurs."""\n',
    "softmax": 'def softmax(scores):\n    """Return the softmax over the last axis."""\n',
    "attend": 'def attend(scores, values):\n    """Return (output, weights)."""\n',
    "Scale": 'class Scale(nn.Module):\n    """Multiplies by a learned weight."""\n\n',
    "draw": 'def draw(n, generator):\n    """Return n uniform numbers."""\n',
}
# As they were given out.
STUBS = {name: text + "    # YOUR CODE HERE\n    raise NotImplementedError()" for name, text in STUBS.items()}


def with_source(name: str, change):
    """Return an edit that changes one cell's text."""

    def edit(notebook: Notebook) -> Notebook:
        for cell in notebook["cells"]:
            if cell["id"] == name:
                cell["source"] = change("".join(cell["source"]))
        return notebook

    return edit


def above_each_answer(lines: str):
    """Return an edit that begins each answer's cell with some lines."""

    def edit(notebook: Notebook) -> Notebook:
        for cell in notebook["cells"]:
            if cell["metadata"].get("nbgrader", {}).get("solution") and cell["cell_type"] == "code":
                cell["source"] = lines + "".join(cell["source"])
        return notebook

    return edit


def all_in_the_first_answer(notebook: Notebook) -> Notebook:
    """All definitions stand in one answer's cell; the stubs of the others are left as they were given out."""
    answers = [cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("solution")]
    answers = [cell for cell in answers if cell["cell_type"] == "code"]
    everything = "\n\n".join("".join(cell["source"]) for cell in answers)
    for cell in answers:
        cell["source"] = everything if cell is answers[0] else STUBS[cell["id"]]
    return notebook


def text_as_code(notebook: Notebook) -> Notebook:
    for cell in notebook["cells"]:
        if cell["id"] == "text-1":
            cell.update(cell_type="code", source="import random as dice")
    return notebook


def a_value_without_marks(notebook: Notebook) -> Notebook:
    """No metadata, no ids, and an answer that is no definition."""
    kept = ("cell_type", "source")
    return {**notebook, "cells": [{k: v for k, v in cell.items() if k in kept} for cell in notebook["cells"]]}


def as_markdown(notebook: Notebook) -> Notebook:
    for cell in notebook["cells"]:
        if cell["id"] == "draw":
            cell["cell_type"] = "markdown"
    return notebook


ODDITIES = {
    "magics": Case(
        "uses magics, shell lines and help",
        HONEST,
        before="%time 1 + 1\n!echo from $((40 + 2)) shells\nnames = !echo and $((6 * 7))\nprint(names)\n"
        "%env X=1\nprint.__doc__?\n%load_ext autoreload\n%autoreload 2",
        after="%%timeit -n 1 -r 1\n1 + 1",
        shown="from 42 shells\n['and 42']",
    ),
    "cell_magics": Case(
        "times its answer by a magic",
        HONEST,
        answers={"draw": "%%time\ndef draw(n, generator):\n    return torch.rand(n, generator=generator)"},
    ),
    "inline_figures": Case(
        "asks for inline figures above each answer", HONEST, edit=above_each_answer("%matplotlib inline\n")
    ),
    "other_figures": Case(
        "asks for figures in a window above each answer",
        HONEST,
        edit=above_each_answer("%matplotlib notebook\n%config InlineBackend.figure_format = 'retina'\n%gui qt\n"),
    ),
    "installs": Case(
        "installs packages above each answer",
        HONEST,
        edit=above_each_answer("!pip install -q torch\nfiles = !ls\n"),
    ),
    "writes_a_module": Case(
        "writes a module from one cell and imports it in another",
        HONEST,
        before="%%writefile helpers.py\ndef drawn(torch, n, generator):\n"
        "    return torch.rand(n, generator=generator)\n",
        answers={
            "draw": "from helpers import drawn\ndef draw(n, generator):\n    return drawn(torch, n, generator)",
        },
    ),
    "helper_at_the_end": Case(
        "defines what an answer calls in its last cell",
        HONEST + ": the mark is the better one of the answer's place and the notebook's end",
        answers={"draw": "def draw(n, generator):\n    return drawn(n, generator)"},
        after="def drawn(n, generator):\n    return torch.rand(n, generator=generator)",
    ),
    "answer_at_the_end": Case(
        "answers in its last cell and leaves the stub",
        HONEST,
        answers={"draw": STUBS["draw"]},
        after=DRAW,
        shown="was found in a cell of its own",
    ),
    "answer_above_its_stub": Case(
        "answers in a cell above the stub",
        HONEST,
        answers={"draw": STUBS["draw"]},
        before="import torch\n" + DRAW,
    ),
    "answer_below_an_empty_cell": Case(
        "empties an answer's cell and answers elsewhere", HONEST, answers={"draw": "# see below"}, after=DRAW
    ),
    "answers_in_one_cell": Case("answers everything in the first answer's cell", HONEST, edit=all_in_the_first_answer),
    "answer_by_value": Case(
        "answers by an assignment, and loses all marks of its cells",
        HONEST,
        answers={"draw": "draw = lambda n, generator: torch.rand(n, generator=generator)"},
        edit=a_value_without_marks,
    ),
    "extends_the_setup": Case(
        "adds an import to the setup cell",
        HONEST,
        answers={"draw": "def draw(n, generator):\n    return T.rand(n, generator=generator)"},
        edit=with_source("setup_1", lambda source: source + "\nimport torch as T"),
    ),
    "extends_a_check": Case(
        "adds an import to a visible check",
        HONEST,
        answers={"draw": "def draw(n, generator):\n    return T.rand(n, generator=generator)"},
        edit=with_source("check_softmax", lambda source: "import torch as T\n" + source),
    ),
    "text_became_code": Case(
        "turns a text of the course's into code",
        HONEST,
        answers={"draw": "def draw(n, generator):\n    dice.random()\n    return torch.rand(n, generator=generator)"},
        edit=text_as_code,
    ),
    "timed_block": Case(
        "times a wrong answer that another right one calls",
        "a magic above the right one does not hide whom it calls",
        answers={
            "softmax": "def softmax(scores):\n    return scores * 0",
            "attend": "%%time\ndef attend(scores, values):\n    weights = softmax(scores)\n"
            "    return weights @ values, weights",
        },
        marks={"softmax": 0.0},
    ),
    "input": Case("asks for input", HONEST, before="name = input('Your name? ')\nprint(repr(name))", shown="''"),
    "plots": Case(
        "draws figures",
        HONEST,
        before="import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nfigure, axes = plt.subplots()\n"
        "axes.imshow([[1, 2]])\nfigure",
    ),
    "awaits": Case(
        "awaits at the top of a cell",
        HONEST,
        before="import asyncio\nawait asyncio.sleep(0)\nprint('awaited')",
        shown="awaited",
    ),
    "displays": Case(
        "displays objects and ends a line with a semicolon",
        HONEST,
        before="from IPython.display import HTML, display\ndisplay(HTML('<b>x</b>'))\nimport torch\n"
        "torch.ones(2);\ntorch.ones(2)",
    ),
    "writes_scripts": Case(
        "shows HTML with a script, and prints one",
        HONEST,
        before="from IPython.display import HTML\nprint('<script>alert(1)</script>')\n"
        "HTML('<script>alert(1)</script>')",
    ),
    "deleted_checks": Case("deletes the visible checks", HONEST, edit=without_checks, shown="was put back"),
    "deleted_answer": Case("deletes an answer's cell", INTACT, edit=without("draw"), marks={"draw": 0.0}),
    "deleted_setup": Case("deletes the setup cell", HONEST, edit=without("setup_1")),
    "copied_cells": Case("has each cell twice", HONEST, edit=copied, shown="a copied cell was left out"),
    "reordered_cells": Case("has its cells upside down", HONEST, edit=reordered),
    "answer_as_markdown": Case("has turned an answer's cell into text", HONEST, edit=as_markdown),
    "extra_cells": Case(
        "tries things out in cells of its own, some of them wrong",
        HONEST,
        before="1 / 0",
        after="count_ngrams(1, 2)\nundefined_name",
    ),
    "renamed_function": Case(
        "renames a function",
        INTACT,
        answers={"draw": "def my_draw(n, generator):\n    return torch.rand(n, generator=generator)"},
        marks={"draw": 0.0},
    ),
    "renamed_parameters": Case(
        "keeps the names but adds a parameter with a default",
        HONEST,
        answers={"draw": "def draw(n, generator, verbose=False):\n    return torch.rand(n, generator=generator)"},
    ),
    "syntax_error": Case(
        "leaves a bracket open in one answer",
        INTACT,
        answers={"draw": "def draw(n, generator):\n    return torch.rand((n, generator=generator)"},
        marks={"draw": 0.0},
    ),
    "korean": Case(
        "writes names and comments in Korean",
        HONEST,
        answers={
            "draw": "def draw(n, generator):\n    # 난수를 돌려준다 🎲\n    난수 = torch.rand(n, generator=generator)\n"
            "    return 난수"
        },
    ),
    "tabs": Case(
        "indents by tabs",
        HONEST,
        answers={"draw": "def draw(n, generator):\n\treturn torch.rand(n, generator=generator)"},
    ),
    "default_dtype": Case(
        "sets the default dtype to double", HONEST, before="import torch\ntorch.set_default_dtype(torch.float64)"
    ),
    "default_device": Case(
        "sets the default device to one that has no data",
        HONEST,
        before="import torch\ntorch.set_default_device('meta')",
        # Its own Scale is made after the reset, and the others take what they are given.
    ),
    "gradients_off": Case("turns gradients off for good", HONEST, before="import torch\ntorch.set_grad_enabled(False)"),
    "inference_mode": Case(
        "enters inference mode and never leaves it",
        HONEST,
        before="import torch\nmode = torch.inference_mode()\nmode.__enter__()",
    ),
    "warnings_as_errors": Case(
        "turns warnings into errors", HONEST, before="import warnings\nwarnings.simplefilter('error')"
    ),
    "warns": Case(
        "warns, and prints to stderr",
        HONEST,
        answers={
            "draw": "import sys, warnings\ndef draw(n, generator):\n    warnings.warn('slow')\n"
            "    print('drawing', file=sys.stderr)\n"
            "    return torch.rand(n, generator=generator)"
        },
        before="import sys\nprint('to stderr', file=sys.stderr)",
        shown="to stderr",
    ),
    "no_gpu": Case(
        "moves to a GPU if there is one, and tries without asking",
        HONEST,
        before="import torch\ndevice = 'cuda' if torch.cuda.is_available() else 'cpu'\n"
        "torch.ones(1).to(device)\ntorch.ones(1).cuda()",
    ),
    "gpu_in_an_answer": Case(
        "moves to a GPU that is not there, in one answer",
        INTACT,
        answers={"draw": "def draw(n, generator):\n    return torch.rand(n, generator=generator).cuda()"},
        marks={"draw": 0.0},
    ),
    "many_threads": Case(
        "asks for eight threads and multiplies matrices",
        HONEST,
        before="import torch\ntorch.set_num_threads(8)\ntorch.ones(300, 300) @ torch.ones(300, 300)",
    ),
    "anomaly_mode": Case(
        "turns on anomaly detection, numpy's errors and determinism",
        HONEST,
        before="import torch, numpy\ntorch.autograd.set_detect_anomaly(True)\nnumpy.seterr(all='raise')\n"
        "torch.use_deterministic_algorithms(True)",
    ),
    "star_imports": Case(
        "imports everything from numpy and torch, their range and sum too",
        "in its own notebook the answer that uses range fails just so; the others are intact",
        before="from numpy import *\nfrom torch import *",
        marks={"count_ngrams": 0.0},
    ),
    "numpy_answer": Case(
        "answers with an array of numpy's where a tensor is expected",
        HONEST,
        answers={"draw": "def draw(n, generator):\n    return torch.rand(n, generator=generator).numpy()"},
    ),
    "plain_dict": Case(
        "answers with a defaultdict and numpy's integers",
        HONEST,
        answers={
            "count_ngrams": "from collections import defaultdict\nimport numpy\ndef count_ngrams(documents, n):\n"
            "    found = Counter()\n"
            "    for d in documents:\n        for i in range(len(d) - n + 1):\n"
            "            found[tuple(d[i : i + n])] += numpy.int64(1)\n    return found"
        },
    ),
    "decorated": Case(
        "decorates and annotates its answers",
        HONEST,
        answers={
            "draw": "from __future__ import annotations\nimport functools\n@functools.cache\n"
            "def _one(n: int) -> int:\n    return n\n"
            "def draw(n: int, generator: torch.Generator) -> torch.Tensor:\n"
            "    return torch.rand(_one(n), generator=generator)"
        },
    ),
    "changed_folder": Case(
        "changes its folder and writes a file there",
        HONEST,
        before="import os\nos.makedirs('data', exist_ok=True)\nos.chdir('data')\nopen('notes.txt', 'w').write('x')",
    ),
    "closes_output": Case(
        "closes standard output and replaces it",
        HONEST,
        before="import io, sys\nsys.stdout.close()\nsys.stdout = io.StringIO()\nsys.stderr = None",
    ),
    "data_loader": Case(
        "loads data in two worker processes",
        HONEST,
        before="import torch\nfrom torch.utils.data import DataLoader\n"
        "print(sum(len(b) for b in DataLoader(list(range(10)), batch_size=5, num_workers=2)))",
        shown="10",
    ),
    "resets": Case("clears its names in the last cell", HONEST, after="%reset -f"),
    "leaves": Case("ends with exit()", HONEST, after="exit()"),
    "overwrites_later": Case(
        "defines a name again in a later cell, wrongly",
        HONEST + ": the answer's own cell counts",
        after="def draw(n, generator):\n    return None",
    ),
    "stubs": Case(
        "hands in what it was given",
        "nothing was answered",
        marks=dict.fromkeys(("count_ngrams", "softmax", "attend", "Scale", "draw"), 0.0),
        answers=dict.fromkeys(
            ("count_ngrams", "softmax", "attend", "Scale", "draw"), "# YOUR CODE HERE\nraise NotImplementedError()"
        ),
    ),
    "empty_answers": Case(
        "deletes the text of all answers",
        "nothing was answered",
        marks=dict.fromkeys(("count_ngrams", "softmax", "attend", "Scale", "draw"), 0.0),
        answers=dict.fromkeys(("count_ngrams", "softmax", "attend", "Scale", "draw"), ""),
    ),
}
