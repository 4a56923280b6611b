"""A class of cheats, vandals and oddities, graded as any class is: by the command, into a gradebook, all at once."""

from __future__ import annotations

import base64
import codecs
import ctypes
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .case import FULL, NOTHING, Case, Notebook, added
from .cases_exhaustion import EARLY_EXIT, EXHAUSTION
from .cases_files import FILES, NAMES
from .cases_honest import ODDITIES
from .cases_reading import READING, STAYING
from .cases_tampering import FORGED_NOTEBOOKS, TAMPERING
from .hidden_tests import NUMBER, WORD

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SAMPLE = HERE.parent / "grading" / "sample_course"
WEEK, NAME = "week1_sample", "1_words"
CASES = EXHAUSTION | EARLY_EXIT | TAMPERING | FORGED_NOTEBOOKS | READING | STAYING | FILES | NAMES | ODDITIES
# Before, among and behind the others; what anybody else does must not cost them a point.
PERFECT = ["!first", "e_among", "m_among", "s_among", "~last"]
SECRET = "an-environment-secret-4417"
SOURCE = "heron-source-5521"
LEFT = "LEFT-BEHIND"
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Graded:
    """What came of the class.

    Args:
        reports: the public report on each submission, by the student's folder.
        root: the course.
        log: what the command wrote to the terminal.
        left_processes, left_files: what was still there after it.
    """

    reports: dict[str, dict[str, Any]]
    root: Path
    log: str
    left_processes: list[str]
    left_files: list[str]

    def shown(self, student: str) -> str:
        """Everything that a student gets to see: report, page, graded notebook."""
        place = os.path.join(student, WEEK, NAME)
        files = [
            self.root / "build" / kind / f"{place}{end}"
            for kind, end in (("autograded", ".ipynb"), ("feedback", ".html"))
        ]
        texts = [file.read_text("utf-8") for file in files if file.is_file()]
        return "\n".join([json.dumps(self.reports[student], ensure_ascii=False), *texts])


def folder_of(name: str) -> str:
    """Return a case's folder as Python reads it from the disk."""
    folder = CASES[name].folder if name in CASES else ""
    return folder or name


def make_course(root: Path) -> None:
    shutil.copytree(SAMPLE, root)
    shutil.copyfile(ROOT / "nbgrader_config.py", root / "nbgrader_config.py")
    shutil.copyfile(HERE / "hidden_tests.py", root / "autograde" / "hidden" / WEEK / f"test_{NAME}.py")


def right_answers(root: Path) -> dict[str, str]:
    from autograde.catalogue import references
    from autograde.layout import Layout

    return dict(references(Layout(root), WEEK, NAME))


def payload_of(case: Case, release: Notebook, right: dict[str, str]) -> bytes:
    notebook = json.loads(json.dumps(release))
    for cell in notebook["cells"]:
        cell["source"] = {**right, **case.answers}.get(cell["id"], cell["source"])
    before = [added(case.before, 1)] if case.before else []
    after = [added(case.after, 2)] if case.after else []
    notebook["cells"] = [*before, *notebook["cells"], *after]
    edited = case.edit(notebook) if case.edit else notebook
    return edited if isinstance(edited, bytes) else json.dumps(edited).encode()


def hand_in(root: Path) -> Path:
    release = json.loads((root / "notebooks" / WEEK / f"{NAME}.ipynb").read_text("utf-8"))
    right = right_answers(root)
    submitted = root / "build" / "submitted"
    cases = CASES | dict.fromkeys(PERFECT, Case("answers everything", "it is right"))
    for name, case in cases.items():
        place = submitted / os.fsdecode(case.folder_on_disk or folder_of(name)) / WEEK
        place.mkdir(parents=True)
        (place / f"{NAME}.ipynb").write_bytes(payload_of(case, release, right))
    odd_files(submitted)
    return submitted


def odd_files(submitted: Path) -> None:
    """Lay things that are no files where a notebook should be, and a date that is none beside one."""
    places = {name: submitted / name / WEEK for name in ODD_FILES}
    for place in places.values():
        place.mkdir(parents=True)
    (places["file_is_a_folder"] / f"{NAME}.ipynb").mkdir()
    os.mkfifo(places["file_is_a_pipe"] / f"{NAME}.ipynb")
    (places["file_is_a_device"] / f"{NAME}.ipynb").symlink_to("/dev/zero")
    (places["file_is_a_link"] / f"{NAME}.ipynb").symlink_to(submitted / "!first" / WEEK / f"{NAME}.ipynb")
    (places["file_links_to_itself"] / f"{NAME}.ipynb").symlink_to(f"{NAME}.ipynb")
    (places["file_links_to_nothing"] / f"{NAME}.ipynb").symlink_to("nothing")
    (submitted / "!first" / WEEK / "timestamp.txt").write_bytes(b"\xffthe day before yesterday 99999999999")
    # Reading this as a moment takes longer than all submissions together; the next two have no end.
    (submitted / "e_among" / WEEK / "timestamp.txt").write_bytes(b"1" * (5 << 20))
    (submitted / "m_among" / WEEK / "timestamp.txt").symlink_to("/dev/zero")
    os.mkfifo(submitted / "s_among" / WEEK / "timestamp.txt")


ODD_FILES = (
    "file_is_a_folder",
    "file_is_a_pipe",
    "file_is_a_device",
    "file_is_a_link",
    "file_links_to_itself",
    "file_links_to_nothing",
)


def children() -> set[int]:
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def alive(processes: set[int]) -> list[str]:
    """Return the command lines of processes that do not end by themselves within two seconds."""
    for _ in range(20):
        processes = {pid for pid in processes if os.waitpid(pid, os.WNOHANG)[0] == 0}
        if not processes:
            break
        time.sleep(0.1)
    return [Path(f"/proc/{pid}/cmdline").read_text() for pid in processes]


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """The whole class, graded once."""
    if shutil.which("bwrap") is None:
        pytest.skip("hostile code is only run in the full jail: install bubblewrap")
    root = tmp_path_factory.mktemp("hostile") / "course"
    make_course(root)
    submitted = hand_in(root)
    temporary = tmp_path_factory.mktemp("temporary")
    environment = {
        **os.environ,
        "COURSE_ROOT": str(root),
        "COURSE_PATIENCE": "0.3",
        "COURSE_PRIVATE": SECRET,
        "TMPDIR": str(temporary),
        "PYTHONPATH": str(ROOT),
    }
    # Orphans of the command become children of this process, so that none can hide.
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    known = children()
    command = [sys.executable, "-m", "autograde", "grade", str(submitted), "--json", str(root / "report.json")]
    try:
        run = subprocess.run([*command, "--jobs", "4"], env=environment, cwd=root, capture_output=True, timeout=900)
        left = alive(children() - known)
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    log = (run.stdout + run.stderr).decode("utf-8", "replace")
    assert run.returncode == 0, log[-3000:]
    entries = json.loads((root / "report.json").read_text("utf-8"))
    reports = {entry["student"]: entry for entry in entries}
    return Graded(reports, root, log, left, [path.name for path in temporary.iterdir()])


def marks(report: dict[str, Any]) -> dict[str, float]:
    return {exercise["id"]: exercise["score"] for exercise in report["exercises"]}


def disguises(text: str) -> list[str]:
    """Return the ways in which a text could be carried out without being recognised at once."""
    raw = text.encode()
    shifted = [base64.b64encode(b"x" * shift + raw)[shift and 4 : -4].decode() for shift in range(3)]
    plain = [text, text[::-1], text.swapcase(), codecs.encode(text, "rot13"), " ".join(text), "-".join(text)]
    return [*plain, raw.hex(), raw[::-1].hex(), base64.b32encode(raw)[:-8].decode(), *shifted, str(list(raw))[1:-1]]


FORBIDDEN = [form for text in (WORD, str(NUMBER), SOURCE, SECRET) for form in disguises(text)]
FORBIDDEN += [str(NUMBER // 100), hex(NUMBER), LEFT]


def test_the_class_is_complete(graded: Graded) -> None:
    expected = {folder_of(name) for name in (*CASES, *PERFECT, *ODD_FILES)}
    assert set(graded.reports) == expected
    assert len(CASES) + len(ODD_FILES) >= 60


@pytest.mark.parametrize("name", PERFECT)
def test_nobody_else_loses_a_point(graded: Graded, name: str) -> None:
    assert marks(graded.reports[name]) == FULL, graded.reports[name]


@pytest.mark.parametrize("name", CASES)
def test_a_submission_gets_what_it_deserves(graded: Graded, name: str) -> None:
    case, report = CASES[name], graded.reports[folder_of(name)]
    assert marks(report) == {**FULL, **case.marks}, f"It {case.does}. {case.why}. {report}"
    assert report["score"] == sum(marks(report).values())
    assert report["max"] == sum(FULL.values())


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.shown])
def test_a_submission_is_told_what_happened(graded: Graded, name: str) -> None:
    report = graded.reports[folder_of(name)]
    place = graded.root / "build" / "autograded" / folder_of(name) / WEEK / f"{NAME}.ipynb"
    cells = json.loads(place.read_text("utf-8"))["cells"] if place.is_file() else []
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    printed = [str(output.get(key, "")) for output in outputs for key in ("text", "ename", "evalue")]
    assert CASES[name].shown in "\n".join([*report["notes"], *printed])


@pytest.mark.parametrize("name", ODD_FILES)
def test_what_is_no_file_gets_zero_with_a_reason(graded: Graded, name: str) -> None:
    assert marks(graded.reports[name]) == NOTHING
    assert "could not be read" in graded.reports[name]["notes"][0]


@pytest.mark.parametrize("name", CASES)
def test_nothing_hidden_is_shown(graded: Graded, name: str) -> None:
    shown = graded.shown(folder_of(name))
    own = "".join(CASES[name].answers.values()) + CASES[name].before + CASES[name].after
    assert [form for form in FORBIDDEN if form in shown and form not in own] == []
    assert "possible:" not in shown.replace('print(\\"possible:', "").replace("print(&quot;possible:", "")


def test_the_terminal_is_told_nothing_hidden_and_obeys_nobody(graded: Graded) -> None:
    assert [form for form in FORBIDDEN if form in graded.log] == []
    assert "\x1b[2J" not in graded.log


def test_nothing_stays_behind(graded: Graded) -> None:
    assert graded.left_processes == []
    assert graded.left_files == []


def test_the_gradebook_says_the_same(graded: Graded) -> None:
    query = """select submitted_assignment.student_id, sum(grade.auto_score) from grade
        join submitted_notebook on grade.notebook_id = submitted_notebook.id
        join submitted_assignment on submitted_notebook.assignment_id = submitted_assignment.id group by 1"""
    with sqlite3.connect(graded.root / "build" / "gradebook.db") as gradebook:
        recorded = dict(gradebook.execute(query))
    assert recorded == {student: report["score"] for student, report in graded.reports.items()}


@pytest.mark.parametrize("name", [name for name in CASES if len(CASES[name].before) < 10_000])
def test_a_page_runs_nothing_of_the_student(graded: Graded, name: str) -> None:
    page = graded.root / "build" / "feedback" / folder_of(name) / WEEK / f"{NAME}.html"
    text = page.read_text("utf-8") if page.is_file() else ""
    assert "<script" not in text
    assert len(text) < 1 << 20
