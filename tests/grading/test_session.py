"""Hidden tests run as plain functions where that is the same; whatever asks more of pytest is left to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HIDDEN = """
import pytest

from autograde.rubric import check


def graded(test):
    return check("is right", points=1, hint="Think.")(test)


@pytest.fixture
def two():
    yield 2
    seen.append("put away")


@pytest.fixture
def doubled(request):
    return 2 * request.param


seen = []


@graded
def test_f__plain(student):
    assert student == 1


@graded
@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 2)])
def test_f__parameters(a, student, b):
    assert a * student == b


@graded
@pytest.mark.parametrize("a", [1, 2])
def test_f__fails_in_its_second_case(student, a):
    assert a == student, "the second case"


@graded
def test_f__without_a_student():
    raise SystemExit("fails too")


@graded
def test_f__skips(student):
    pytest.skip("no verdict is no pass")


@graded
def test_f__fixture(student, two):
    assert two == student + 1
    assert seen == []


@graded
def test_f__fixture_was_put_away(student):
    assert seen == ["put away"]


@graded
@pytest.mark.parametrize("doubled", [1], indirect=True)
def test_f__indirect(student, doubled):
    assert doubled == 2


@graded
@pytest.mark.usefixtures("two")
def test_f__marked(student):
    assert student == 1


@graded
@pytest.mark.skip
def test_f__never_runs(student):
    assert False


@graded
async def test_f__is_never_awaited(student):
    pass
"""
EXPECTED = {
    "plain": (True, True),
    "parameters": (True, True),
    "fails_in_its_second_case": (True, False),
    "without_a_student": (True, False),
    "skips": (True, False),
    "fixture": (False, True),
    "fixture_was_put_away": (True, True),
    "indirect": (False, True),
    "marked": (False, True),
    "never_runs": (False, False),
    "is_never_awaited": (False, False),
}
# A pytest session of its own, as the judge's is.
RUN = """
import sys
from pathlib import Path
from autograde.judge import session

def serve(rubrics, run_test):
    for test in rubrics[sys.argv[1]].exercises["f"]:
        name = test.items[0].originalname.removeprefix("test_f__")
        simple = session.simple_arguments(test.items[0]) is not None
        found = run_test(test, "f", 1)
        print(name, simple, found.passed, "the second case" in found.detail)

session.run_session([Path(sys.argv[1])], serve)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, list[str]]:
    file = tmp_path_factory.mktemp("hidden") / "test_1_sample.py"
    file.write_text(HIDDEN)
    command = [sys.executable, "-c", RUN, str(file)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return {name: verdicts for name, *verdicts in (line.split() for line in run.stdout.splitlines())}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_kind_of_hidden_test_runs_as_pytest_would_run_it(found, name):
    assert found[name][:2] == [str(part) for part in EXPECTED[name]]


def test_the_instructor_reads_where_a_test_failed(found):
    assert found["fails_in_its_second_case"][2] == "True"
