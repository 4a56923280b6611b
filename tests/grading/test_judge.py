"""One submission, judged: every kind of answer gets its marks and the sentence that helps."""

from __future__ import annotations

import json

import pytest

from autograde.judge.verdict import NOT_ANSWERED

from .conftest import LESSON


def hints(report, exercise):
    return [check["hint"] for check in report["by_id"][exercise]["checks"] if not check["passed"]]


def scores(report):
    return {exercise["id"]: exercise["score"] for exercise in report["exercises"]}


FULL = {"count_ngrams": 2.0, "softmax": 3.0, "attend": 2.0, "Scale": 2.0, "draw": 1.0}


def test_one_exercise_alone_gets_the_same_verdict(pool, judge, answered):
    notebook = answered(count_ngrams="def count_ngrams(d, n): return Counter()", draw="def draw(): pass")
    whole = judge(notebook)
    for exercise in FULL:
        ((_, report),) = pool.grade([(0, *LESSON, json.dumps(notebook).encode(), [exercise])], 1)
        assert report["exercises"] == [whole["by_id"][exercise]]


def test_no_submission_can_ask_for_one_exercise_alone(judge, answered):
    report = judge({**answered(), "only": ["draw"], "metadata": {"only": ["draw"], "course": {"only": ["draw"]}}})
    assert scores(report) == FULL


def test_right_answers_get_full_marks(judge, answered):
    report = judge(answered())
    assert scores(report) == FULL
    assert (report["score"], report["max"], report["notes"], report["flags"]) == (10.0, 10.0, [], [])


def test_the_untouched_notebook_gets_nothing_and_says_so(judge, release):
    report = judge(release)
    assert report["score"] == 0.0
    assert {hint for exercise in FULL for hint in hints(report, exercise)} == {NOT_ANSWERED}
    assert all(exercise["note"] == "" for exercise in report["exercises"])


def test_a_known_mistake_gets_its_own_hint(judge, answered):
    report = judge(answered(softmax="def softmax(scores):\n    return torch.softmax(scores, 0)"))
    assert report["by_id"]["softmax"]["score"] == 2.0
    assert hints(report, "softmax") == ["You took the softmax over the first axis."]


def test_a_wrong_shape_is_named_by_its_letters(judge, answered):
    report = judge(answered(softmax="def softmax(scores):\n    return torch.softmax(scores, -1)[..., :1]"))
    assert hints(report, "softmax")[0] == "The shape is wrong: [T, S] is expected. The last axis must add up to one."


def test_partial_credit_counts_each_check(judge, answered):
    report = judge(answered(softmax="def softmax(s):\n    e = torch.exp(s)\n    return e / e.sum(-1, keepdim=True)"))
    assert report["by_id"]["softmax"]["score"] == 2.0
    assert hints(report, "softmax") == ["Take the largest score away before the exponential."]


def test_changing_an_argument_in_place_is_seen(judge, answered):
    wrong = "def softmax(s):\n    s -= s.max(-1, keepdim=True).values\n    return torch.softmax(s, -1)"
    assert "survives large scores" in [
        check["name"] for check in judge(answered(softmax=wrong))["by_id"]["softmax"]["checks"] if not check["passed"]
    ]


def test_a_parametrised_check_passes_only_if_all_its_cases_do(judge, answered):
    wrong = (
        "def count_ngrams(d, n):\n    return Counter(tuple(x[i:i+n]) for x in d for i in range(len(x)-n+1) if n < 3)"
    )
    assert judge(answered(count_ngrams=wrong))["by_id"]["count_ngrams"]["score"] == 1.0


def test_an_error_is_named_but_its_text_stays_with_the_instructor(judge, answered):
    wrong = "def count_ngrams(documents, n):\n    raise KeyError(f'secret {documents}')"
    exercise = judge(answered(count_ngrams=wrong))["by_id"]["count_ngrams"]
    assert exercise["checks"][0]["hint"].startswith("Your code stopped with KeyError here. A run must not")
    assert "secret [[1, 2], [3]]" in exercise["checks"][0]["detail"]
    assert "[3]" not in exercise["note"] + exercise["checks"][0]["hint"]


def test_an_error_with_a_name_of_the_students_own_is_not_repeated(judge, answered):
    wrong = "class Input_1_2_3(Exception): pass\ndef draw(n, generator):\n    raise Input_1_2_3"
    assert hints(judge(answered(draw=wrong)), "draw")[0].startswith("Your code stopped with an error here.")


def test_the_visible_check_speaks_for_itself(judge, answered):
    note = judge(answered(count_ngrams="def count_ngrams(d, n): return Counter()"))["by_id"]["count_ngrams"]["note"]
    assert note == "The check beside the exercise fails too. Count again: the two do not agree."


def test_a_cell_with_a_syntax_error_is_quoted(judge, answered):
    report = judge(answered(draw="def draw(n, generator:\n    pass"))
    assert report["by_id"]["draw"]["note"].startswith("Your cell stopped with SyntaxError")
    assert "keep the name" in hints(report, "draw")[0]
    assert report["score"] == 9.0


def test_a_failed_block_is_replaced_where_that_helps(judge, answered):
    report = judge(answered(softmax="def softmax(scores):\n    return scores * 0"))
    assert report["by_id"]["softmax"]["score"] < 3.0
    assert report["by_id"]["attend"]["score"] == 2.0
    assert report["by_id"]["attend"]["note"].startswith("Judged with our softmax in place of yours")


def test_a_block_is_not_replaced_for_an_answer_that_is_wrong_itself(judge, answered):
    wrong = "def attend(scores, values):\n    return softmax(scores), values"
    report = judge(answered(softmax="def softmax(s):\n    return s * 0", attend=wrong))
    assert report["by_id"]["attend"]["score"] == 0.0
    assert "Judged with" not in report["by_id"]["attend"]["note"]


ENDINGS = {
    "exit": "import os\nos._exit(0)",
    "segfault": "import ctypes\nctypes.string_at(0)",
    "interrupt": "raise KeyboardInterrupt",
    "system exit": "raise SystemExit",
    "closed socket": "import os\nos.closerange(3, 100)",
}


@pytest.mark.parametrize("how", ENDINGS)
def test_a_cell_that_ends_the_process_costs_its_own_exercise(judge, answered, how):
    report = judge(answered(softmax=ENDINGS[how]))
    assert scores(report) == {**FULL, "softmax": 0.0}
    assert report["by_id"]["softmax"]["note"]


@pytest.mark.parametrize("how", ENDINGS)
def test_a_call_that_ends_the_process_costs_its_own_exercise(judge, answered, how):
    body = ENDINGS[how].replace("\n", "\n    ")
    report = judge(answered(draw=f"def draw(n, generator):\n    {body}"))
    assert scores(report) == {**FULL, "draw": 0.0}


def test_a_later_cell_cannot_spoil_an_earlier_answer(judge, answered):
    notebook = answered()
    notebook["cells"].append({"cell_type": "code", "source": "softmax = None\nimport torch\ntorch.exp = None"})
    assert judge(notebook)["score"] == 10.0


def test_helpers_in_cells_of_ones_own_are_run(judge, answered):
    notebook = answered(draw="def draw(n, generator):\n    return my_draw(n, generator)")
    number = next(n for n, cell in enumerate(notebook["cells"]) if cell["id"] == "draw")
    source = "def my_draw(n, g):\n    return torch.rand(n, generator=g)"
    notebook["cells"].insert(number, {"cell_type": "code", "metadata": {}, "source": source})
    assert judge(notebook)["score"] == 10.0


TAMPERING = {
    "always equal": "class Any(dict):\n    def __eq__(s, o): return True\ndef count_ngrams(d, n): return Any()",
    "a patched judge": """
import sys, torch
torch.equal = torch.allclose = torch.isclose = lambda *a, **k: torch.tensor(True)
import builtins
builtins.isinstance = lambda *a: True
def count_ngrams(d, n): return {}
""",
    "a dropped assert": """
import ast
class Drop(ast.NodeTransformer):
    def visit_Assert(self, node): return None
get_ipython().ast_transformers.append(Drop())
get_ipython().input_transformers_cleanup.append(lambda lines: [])
def count_ngrams(d, n): return {}
""",
    "a pushed result": "from IPython.display import display\ndisplay(9.0)\ndef count_ngrams(d, n): display(2.0)",
    "frames": """
import gc, sandbox.inside.server as server
def count_ngrams(d, n):
    me = next(o for o in gc.get_objects() if isinstance(o, server.Server))
    server.send(me._sock, me._encode_data(("ok", me._decode and 0, {(1, 2): 1}, [])))
    return {}
""",
}


@pytest.mark.parametrize("how", TAMPERING)
def test_tampering_gains_nothing(judge, answered, how):
    report = judge(answered(count_ngrams=TAMPERING[how]))
    assert report["by_id"]["count_ngrams"]["score"] == 0.0
    assert report["score"] <= 8.0


def test_tags_points_and_checks_of_the_students_own_gain_nothing(judge, release):
    notebook = json.loads(json.dumps(release))
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = ["skip-execution"]
        if "points" in cell["metadata"].get("nbgrader", {}):
            cell["metadata"]["nbgrader"]["points"] = 1000
            cell["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": "1000"}, "metadata": {}}]
    report = judge(notebook)
    assert (report["score"], report["max"]) == (0.0, 10.0)


def test_what_a_student_prints_holds_no_hidden_input(judge, answered):
    leak = """
def draw(n, generator):
    print("seen", n)
    raise ValueError(f"seen {n}")
"""
    report = judge(answered(draw=leak))
    printed = json.dumps([cell.get("outputs", []) for cell in report["notebook"]["cells"]])
    # The visible check asks for 2 numbers, the hidden one for 3.
    assert "seen 2" in report["by_id"]["draw"]["note"]
    assert "seen 3" not in printed + json.dumps([report["notes"], report["by_id"]["draw"]["note"]])


def test_a_submission_leaves_nothing_for_the_next(judge, answered):
    assert judge(answered(draw="open('/tmp/x', 'w').write('x')\nimport builtins\nbuiltins.mine = 1"))["score"] == 9.0
    look = "import os, builtins\nassert not os.path.exists('/tmp/x') and not hasattr(builtins, 'mine')\n"
    assert (
        judge(answered(draw=look + "def draw(n, generator): return torch.rand(n, generator=generator)"))["score"] == 10
    )


ODD = {
    "default dtype": "torch.set_default_dtype(torch.float64)",
    "gradients off": "torch.set_grad_enabled(False)",
    "warnings as errors": "import warnings\nwarnings.simplefilter('error')",
    "stderr": "import sys\nprint('warning', file=sys.stderr)",
    "magics and shell": "%time 1\n!true\n%matplotlib inline",
    "input": "name = input('who?')",
    "a result": "1 + 1",
    "recursion": "import sys\nsys.setrecursionlimit(100_000)",
}


@pytest.mark.parametrize("how", ODD)
def test_honest_oddities_cost_nothing(judge, answered, how):
    notebook = answered()
    notebook["cells"].insert(2, {"cell_type": "code", "metadata": {}, "source": ODD[how]})
    assert judge(notebook)["score"] == 10.0


@pytest.mark.parametrize("payload", [b"", b"not json", b"[]", b'{"cells": 3}', b"\xff\xfe\x00"])
def test_what_cannot_be_read_still_gets_an_entry(judge, payload):
    report = judge(payload)
    assert (report["score"], report["max"], report["flags"]) == (0.0, 10.0, ["unreadable"])
    assert "could not be read" in report["notes"][0]


def test_a_notebook_with_none_of_the_exercises_says_so(judge):
    report = judge({"cells": [{"cell_type": "code", "source": "1"}]})
    assert (report["score"], report["max"]) == (0.0, 10.0)
    assert report["notes"][0] == "None of the course's exercises was found in this notebook."


def test_a_hanging_call_ends_at_its_limit_and_costs_its_exercise(judge, answered):
    report = judge(answered(draw="def draw(n, generator):\n    while True: pass"))
    assert scores(report) == {**FULL, "draw": 0.0}
    assert hints(report, "draw")[0].startswith("Your code did not finish in time here.")
    assert report["flags"] == ["timed out"]
