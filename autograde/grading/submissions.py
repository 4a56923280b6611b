"""Which notebooks a call means, whose they are and which lesson each is."""

from __future__ import annotations

import itertools
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
ARCHIVES = frozenset([".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar"])
# What macOS packs beside each file, under its name.
RESOURCE_FORK = "._"
DEFINITION = re.compile(r"^(?:def|class)\s+(\w+)", re.MULTILINE)
# Unpacking often adds folders of its own; a student may have made a million.
MAX_FOLDERS = 1_000
MAX_STRAYS = 5
TIMESTAMP = "timestamp.txt"
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
        paths = _notebooks(folder, 3)
        # A class lies three deep, whatever its folders are called.
        if paths or self._is_class(folder):
            paths += [path for week in _below(folder, 2) for path in _deeper(week)]
            for path in paths:
                student, week, *_ = map(printable, path.relative_to(folder).parts)
                yield self._placed(path, student, week)
            yield from self._strays(folder, paths)
            return
        for depth in (2, 1):
            paths = _notebooks(folder, depth)
            for path in paths:
                parts = [*place.parts, *path.relative_to(folder).parts]
                student, week = map(printable, parts[-3:-1]) if len(parts) > 3 else (None, "")
                yield self._placed(path, student if self._is_week(week) else None, week)
            if paths:
                return

    def _is_class(self, folder: Path) -> bool:
        """Return whether students' folders hold folders of the course's weeks."""
        return any(self._is_week(week.name) for week in _below(folder, 2))

    def _strays(self, folder: Path, notebooks: Sequence[Path]) -> Iterator[Submission]:
        """Yield what lies in a week's folder in which there is no notebook at all: an archive, a file of another kind.

        Nobody's work may be missing from the report without a word.
        """
        full = {path.relative_to(folder).parts[:2] for path in notebooks}
        for week in _below(folder, 2):
            if self._is_week(week.name) and week.relative_to(folder).parts not in full:
                files = [path for path in _below(week, 1) if path.name != TIMESTAMP and not path.name.startswith(".")]
                for path in [path for path in files if path.is_file()][:MAX_STRAYS]:
                    student = printable(week.parent.name)
                    yield Submission(path, student, week.name, printable(path.name), known=False, note=_about(path))

    def _is_week(self, name: str) -> bool:
        return any(name == week for week, _ in self.lessons)

    def _placed(self, path: Path, student: str | None, week: str) -> Submission:
        lesson = self._lesson(path, week)
        if lesson is None:
            return Submission(path, student, week, _stem(path), known=False)
        return Submission(path, student, *lesson, recorded=student is not None)

    def _lone(self, path: Path) -> Submission:
        try:
            parse(read_bytes(path))
        except Unreadable as error:
            unreadable = str(error)
        else:
            unreadable = ""
        parts = path.resolve().parts
        in_tree = len(parts) > 4 and parts[-4] == SUBMITTED and self._is_week(parts[-2])
        lesson = self._by_content(path) or (None if self._is_foreign(path) else self._by_name(path, parts[-2]))
        if lesson is None and unreadable:
            raise CourseError(f"{path} cannot be graded: {unreadable}. Give a notebook as JupyterLab saves it.")
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


def _notebooks(folder: Path, depth: int) -> list[Path]:
    """Return the notebooks that lie so many levels below a folder."""
    return sorted(path for path in _below(folder, depth) if _is_notebook(path) and CHECKPOINTS not in path.parts)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """Yield what lies so many levels below a folder.

    Links to folders are not followed: one would let a student hand in somebody else's work, and three hundred that
    lead back up would give millions of paths.
    """
    for entry in _entries(folder):
        if depth == 1:
            yield folder / entry.name
        elif entry.is_dir(follow_symlinks=False):
            yield from _below(folder / entry.name, depth - 1)


def _deeper(week: Path) -> Iterator[Path]:
    """Yield the notebooks in the folders that lie in a week's folder, the nearest first."""
    folders = [week]
    for folder in itertools.islice(folders, MAX_FOLDERS):
        for entry in _entries(folder):
            path = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif folder != week and _is_notebook(path) and CHECKPOINTS not in path.parts:
                yield path


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what a folder holds, by name; nothing where it is none or may not be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _about(path: Path) -> str:
    """Return what to do about a file that is no notebook."""
    if path.suffix.lower() in ARCHIVES:
        return "This is an archive: unpack it where it lies, and grade again."
    return ""


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
