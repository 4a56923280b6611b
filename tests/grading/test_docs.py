"""docs/grading.md is carried out: each of its commands on a small class, each of its tables against the program."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from nbgrader.apps import NbGraderApp
from typer.testing import CliRunner

from autograde.command import app
from autograde.grading.exports import FORMATS
from autograde.grading.gradebook_commands import Format

from .conftest import LESSON, copy_course
from .recorded import hand_in_judged
from .test_grade import marks

WEEK, NOTEBOOK = LESSON
ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "grading.md").read_text("utf-8")
FULL = {"count_ngrams": 2.0, "softmax": 3.0, "attend": 2.0, "Scale": 2.0, "draw": 1.0}
FENCED = [
    line.split("#")[0].strip()
    for block in re.findall(r"^```\n(.*?)^```", DOCS, re.S | re.M)
    for line in block.splitlines()
    if line.startswith(("course ", "nbgrader "))
]
OPTIONS = re.findall(r"^\| `(--[^`]+)` \|", DOCS, re.M)
INLINE = re.findall(r"`((?:course|nbgrader) [a-z_]+[^`]*)`", DOCS)
# What stands for a choice of the reader's in the table of options.
CHOICES = {"FILE": "report.json", "N": "2", "URL": "second.db"}
# Tried elsewhere: with these no report comes from the cache (test_cluster.py, test_example_class.py, test_sandbox.py).
NEED_A_JUDGE = {"--scheduler", "--no-cache", "--unsafe"}
COMMANDS = typer.main.get_command(app).commands


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A class of two, judged before, in the working folder; its course is called as the docs call theirs."""
    layout = copy_course(tmp_path / "course")
    for student, softmax in (("ada", 3.0), ("ben", 1.0)):
        hand_in_judged(layout, student, {**FULL, "softmax": softmax})
    monkeypatch.setenv("COURSE_ROOT", str(layout.root))
    monkeypatch.chdir(layout.root)
    (layout.root / "my_notebook.ipynb").write_bytes(
        (layout.submitted / "ben" / WEEK / f"{NOTEBOOK}.ipynb").read_bytes()
    )
    return layout


def carry_out(command: str) -> str:
    """What a documented command prints; it must end well."""
    program, *arguments = shlex.split(command.replace("week1_rnn_limits", WEEK))
    if program == "course":
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    call = [sys.executable, "-m", program, *arguments]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_commands_do_what_stands_beside_them(course):
    assert len(FENCED) == 7
    printed = {command: carry_out(command) for command in FENCED}
    assert "8 of 10 points" in printed["course check my_notebook.ipynb"]
    report = json.loads(printed["course grade build/submitted --json -"])
    assert [entry["score"] for entry in report] == [10.0, 8.0]
    assert marks(course) == {"ada": 10.0, "ben": 8.0}
    assert (course.feedback / f"{WEEK}.html").is_file()
    assert (course.feedback / "ada" / WEEK / f"{NOTEBOOK}.html").is_file()
    assert Path("marks.csv").read_text("utf-8-sig").startswith("student_id,")


def test_the_report_has_the_form_that_is_shown(course):
    shown = re.search(r"^## The report.*?```\n(.*?)```", DOCS, re.S | re.M).group(1)
    theirs = json.loads(shown.replace('"..."', '""'))
    ours, _ = json.loads(carry_out("course grade build/submitted --json - --no-record"))
    assert set(theirs) == set(ours)
    assert set(theirs["exercises"][0]) == set(ours["exercises"][0])
    assert set(theirs["exercises"][0]["checks"][0]) == set(ours["exercises"][0]["checks"][0])


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.split()[0] not in NEED_A_JUDGE])
def test_each_option_can_be_given(course, option):
    flag, *value = option.split()
    command = " ".join(["course grade build/submitted", flag, *(CHOICES[word] for word in value)])
    carry_out(command if flag == "--gradebook" else f"{command} --no-record" if flag != "--no-record" else command)
    written = {"--json": "report.json", "--gradebook": "second.db"}
    assert flag not in written or Path(written[flag]).is_file()


def test_the_table_of_options_is_complete():
    known = {name for parameter in COMMANDS["grade"].params for name in parameter.opts if name.startswith("--")}
    assert {option.split()[0] for option in OPTIONS} == known


def test_the_table_of_formats_is_complete():
    section = DOCS.split("**Marks elsewhere.**")[1].split("**A database server.**")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", section, re.M))
    assert documented == set(FORMATS) == {form.value for form in Format}


@pytest.mark.parametrize("command", sorted(set(INLINE)))
def test_each_command_in_the_text_exists_with_its_options(command):
    program, name, *words = command.split()
    options = [word for word in words if word.startswith("--")]
    if program == "nbgrader":
        known = NbGraderApp.subcommands[name][0]
        assert {option.removeprefix("--") for option in options} <= {*known().flags, *known().aliases}
        return
    assert name in COMMANDS
    assert set(options) <= {opt for parameter in COMMANDS[name].params for opt in parameter.opts}
