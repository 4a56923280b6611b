"""Which notebooks a call means, whose they are and which lesson each is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ..judge.release import read_release
from ..layout import CourseError, Layout
from ..submission import Cell, Unreadable, grade_id, is_answer, metadata, parse, read_bytes, source_of

SUBMITTED = "submitted"
# JupyterLab's own copies, beside the notebooks.
CHECKPOINTS = ".ipynb_checkpoints"
# What browsers and operating systems make of a notebook's ending, in any case.
ENDINGS = (".ipynb", ".ipynb.txt", ".ipynb.json")
# What macOS packs beside each file, under its name.
RESOURCE_FORK = "._"
DEFINITION = re.compile(r"^(?:def|class)\s+(\w+)", re.MULTILINE)
# What browsers and operating systems make of a second download.
COPY_MARK = re.compile(r"(?:[ _-]*\(\d+\)|-Copy\d+|[ _-]copy)+$", re.IGNORECASE)


@dataclass(frozen=True)
class Submission:
    """One submitted notebook.

    Args:
        path: where it lies.
        student: whose it is, None for a lone notebook.
        week, notebook: the lesson, or what the path says where it is none of the course's.
        known: whether it is one of the course's lessons.
        recorded: whether its marks belong into the gradebook.
        note: what a reader of the report should know about how it was found.
    """

    path: Path
    student: str | None
    week: str
    notebook: str
    known: bool = True
    recorded: bool = False
    note: str = ""


@dataclass
class Finder:
    """Finds submissions for one course.

    Args:
        layout: the course.
    """

    layout: Layout
    lessons: list[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.lessons = self.layout.lessons()

    def find(self, paths: Sequence[Path]) -> list[Submission]:
        """Return every submission below the paths, sorted by path, each once.

        Raises:
            CourseError: a path does not exist, holds no notebook, or is a lone notebook of another course.
        """
        found: dict[str, Submission] = {}
        for path in paths:
            if not os.path.lexists(path):
                raise CourseError(f"{path} does not exist. Give a notebook, or a folder of submissions.")
            inside = list(self._in_folder(path)) if path.is_dir() else [self._lone(path)]
            if not inside:
                raise CourseError(f"{path} holds no notebook. Submissions lie in STUDENT/WEEK/NOTEBOOK.ipynb below it.")
            found.update((os.path.abspath(submission.path), submission) for submission in inside)
        return _one_each(sorted(found.values(), key=lambda submission: str(submission.path)))

    def _in_folder(self, folder: Path) -> Iterator[Submission]:
        """Yield the submissions of a class, of one student, or of one student's week, whichever the folder is."""
        place = folder.resolve()
        for depth in (3, 2, 1):
            paths = sorted(path for path in folder.glob("/".join(["*"] * depth)) if _is_notebook(path))
            paths = [path for path in paths if CHECKPOINTS not in path.parts and not _leaves(path, folder)]
            for path in paths:
                parts = [*place.parts, *path.relative_to(folder).parts]
                student, week = map(printable, parts[-3:-1]) if len(parts) > 3 else (None, "")
                # A class lies three deep whatever its folders are called; shallower ones must be a week's.
                in_class = depth == 3 or self._is_week(week)
                yield self._placed(path, student if in_class else None, week)
            if paths:
                return

    def _is_week(self, name: str) -> bool:
        return any(name == week for week, _ in self.lessons)

    def _placed(self, path: Path, student: str | None, week: str) -> Submission:
        lesson = self._lesson(path, week)
        if lesson is None:
            return Submission(path, student, week, _stem(path), known=False)
        return Submission(path, student, *lesson, recorded=student is not None)

    def _lone(self, path: Path) -> Submission:
        parts = path.resolve().parts
        in_tree = len(parts) > 4 and parts[-4] == SUBMITTED and self._is_week(parts[-2])
        lesson = self._by_content(path) or (None if self._is_foreign(path) else self._by_name(path, parts[-2]))
        if lesson is None:
            raise CourseError(
                f"{path} is none of this course's notebooks: neither its name nor an exercise in it is known here."
            )
        return Submission(path, printable(parts[-3]) if in_tree else None, *lesson)

    def _lesson(self, path: Path, week: str) -> tuple[str, str] | None:
        """Return which lesson a file in a class folder is: by folder and name, by its exercises, or by name alone."""
        if (week, _stem(path)) in self.lessons:
            return week, _stem(path)
        return self._by_content(path) or (None if self._is_foreign(path) else self._by_name(path, week))

    def _by_name(self, path: Path, week: str) -> tuple[str, str] | None:
        names = (_stem(path), COPY_MARK.sub("", _stem(path)))
        by_name = [lesson for lesson in self.lessons if lesson[1] in names]
        candidates = [lesson for lesson in by_name if lesson[0] == week] or by_name
        return candidates[0] if len(candidates) == 1 else None

    def _by_content(self, path: Path) -> tuple[str, str] | None:
        """Return the lesson with most of whose marked cells, or else definitions, a file agrees; None if with none."""
        cells = _cells(path)
        marked = {grade_id(cell) for cell in cells} - {""}
        defined = set(DEFINITION.findall("\n".join(map(source_of, cells)))) if not marked else set()
        shared = {lesson: len((marked | defined) & known) for lesson, known in self._names_of.items()}
        best = max(shared, key=lambda lesson: shared[lesson], default=None)
        return best if best is not None and shared[best] else None

    def _is_foreign(self, path: Path) -> bool:
        """Return whether a file is a notebook with something in it, none of it ours."""
        return bool(_cells(path)) and self._by_content(path) is None

    @cached_property
    def _names_of(self) -> dict[tuple[str, str], set[str]]:
        found = {}
        for lesson in self.lessons:
            try:
                cells = read_release(self.layout, *lesson)["cells"]
            except (CourseError, json.JSONDecodeError):
                continue
            found[lesson] = {grade_id(cell) for cell in cells if metadata(cell).get("grade") or is_answer(cell)}
        return found


def _is_notebook(path: Path) -> bool:
    return path.name.lower().endswith(ENDINGS) and not path.name.startswith(RESOURCE_FORK)


def _stem(path: Path) -> str:
    """Return a notebook's name without its ending."""
    ending = next((ending for ending in ENDINGS if path.name.lower().endswith(ending)), path.suffix)
    return path.name[: len(path.name) - len(ending)]


def printable(name: str) -> str:
    """Return a file's name as text that can be written down: bytes that are no UTF-8 become \\xff and the like."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _cells(path: Path) -> list[Cell]:
    try:
        return parse(read_bytes(path))
    except Unreadable:
        return []


def _leaves(path: Path, folder: Path) -> bool:
    """Return whether a symbolic link to a folder lies on the way: it would let one hand in somebody else's work."""
    between = [folder.joinpath(*path.relative_to(folder).parts[:depth]) for depth in range(1, len(path.parts))]
    return any(parent.is_symlink() for parent in between if parent != path)


def _one_each(submissions: Iterable[Submission]) -> list[Submission]:
    """Let one file for a student's lesson into the gradebook: the one with the lesson's own name, else the last."""
    submissions = list(submissions)
    chosen: dict[tuple[str | None, str, str], Submission] = {}
    for submission in submissions:
        key = submission.student, submission.week, submission.notebook
        if submission.recorded and (key not in chosen or _stem(chosen[key].path) != submission.notebook):
            chosen[key] = submission
    kept = set(map(id, chosen.values()))
    return [
        submission
        if not submission.recorded or id(submission) in kept
        else Submission(
            submission.path,
            submission.student,
            submission.week,
            submission.notebook,
            note="another file for the same notebook counts; this one was graded but not recorded",
        )
        for submission in submissions
    ]
