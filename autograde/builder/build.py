"""`course build`: bring every generated notebook up to date, or say which one is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

from autograde.builder.execute import execute, without_outputs
from autograde.builder.expand import expand, to_bytes
from autograde.builder.freshness import content_hash, verify_corpora
from autograde.builder.leaks import LeakScanner
from autograde.builder.lesson import read_lesson
from autograde.builder.pictures import stale_pictures
from autograde.builder.release import student_copies
from autograde.layout import CourseError, Layout

STUB = "raise NotImplementedError"


@dataclass
class BuildResult:
    """What a build did: generated files that were stale, and what was written or run (empty for a check)."""

    stale: list[Path] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def build(
    layout: Layout,
    *,
    only: Collection[str] | None = None,
    check: bool = False,
    force: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> BuildResult:
    """Rebuild what changed; with `check` change nothing and list what is stale.

    Args:
        only: lessons, as "week2_self_attention/1_attention"; everything if left out or empty.
        force: overwrite student copies that somebody has answered.
        say: called with one line of progress at a time.

    Raises:
        CourseError: an unknown lesson, or one that cannot be built; a leak; or a copy that holds somebody's answers.
    """
    result = BuildResult()
    known = {f"{week}/{notebook}" for week, notebook in layout.lessons()}
    if unknown := set(only or ()) - known:
        raise CourseError(f"No lesson {', '.join(sorted(unknown))}. There are: {', '.join(sorted(known))}.")
    verify_corpora(layout)
    copies = student_copies(layout)
    _refuse_leaks(layout)
    if only:
        copies = {(week, name): copy for (week, name), copy in copies.items() if f"{week}/{name}" in only}
    for (week, notebook), copy in copies.items():
        _place_copy(layout.student_copy(week, notebook), copy, result, check=check, force=force)
    for week, notebook in copies:
        _solve(layout, week, notebook, result, check=check, say=say)
    if only:
        return result
    for path, picture in stale_pictures(layout).items():
        result.stale.append(path)
        if not check:
            path.write_bytes(picture)
            result.written.append(path)
    for orphan in _orphans(layout, set(copies)):
        result.stale.append(orphan)
        if not check:
            if orphan.is_relative_to(layout.notebooks):
                _refuse_answered(orphan, force=force)
            orphan.unlink()
    return result


def _refuse_leaks(layout: Layout) -> None:
    leaks = LeakScanner(layout).scan_folder(layout.release)
    if leaks:
        raise CourseError(
            "A student copy holds what students may not see:\n" + "\n".join(f"  {leak}" for leak in leaks)
        )


def _place_copy(path: Path, copy: bytes, result: BuildResult, *, check: bool, force: bool) -> None:
    if path.is_file() and path.read_bytes() == copy:
        return
    result.stale.append(path)
    if check:
        return
    _refuse_answered(path, force=force)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(copy)
    result.written.append(path)


def _refuse_answered(path: Path, *, force: bool) -> None:
    """Never overwrite a learner's work: a copy in which an answer stands is left alone."""
    if force or not path.is_file():
        return
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        answered = [
            cell["metadata"]["nbgrader"]["grade_id"]
            for cell in cells
            if cell.get("metadata", {}).get("nbgrader", {}).get("solution")
            and cell["cell_type"] == "code"
            and STUB not in "".join(cell["source"])
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CourseError(f"{path} is not a notebook that the builder made. Move it away, or pass --force.") from None
    if answered:
        raise CourseError(
            f"{path} holds answers ({', '.join(answered)}). Move it away to keep them, or pass --force to overwrite it."
        )


def _solve(
    layout: Layout, week: str, notebook: str, result: BuildResult, *, check: bool, say: Callable[[str], None]
) -> None:
    source = layout.lesson_source(week, notebook)
    path = source.with_suffix(".ipynb")
    expanded = expand(read_lesson(source))
    wanted = content_hash(layout, week, notebook)
    if _is_solved(path, expanded, wanted):
        return
    result.stale.append(path)
    if check:
        return
    say(f"running {week}/{notebook}")
    seconds = execute(expanded, name=f"{week}/{notebook}", folder=layout.source / week, course_root=layout.root)
    expanded.metadata["course"] = {"content_hash": wanted}
    path.write_bytes(to_bytes(expanded))
    result.written.append(path)
    result.seconds[f"{week}/{notebook}"] = seconds
    say(f"ran {week}/{notebook} in {seconds:.0f} s")


def _is_solved(path: Path, expanded: NotebookNode, wanted: str) -> bool:
    """Whether the solved notebook was run from this source and nobody has edited it since."""
    if not path.is_file():
        return False
    try:
        solved = nbformat.read(path, as_version=4)
    except (ValueError, nbformat.reader.NotJSONError, nbformat.ValidationError):
        return False
    if solved.metadata.get("course", {}).get("content_hash") != wanted:
        return False
    return to_bytes(without_outputs(solved)) == to_bytes(expanded)


def _orphans(layout: Layout, lessons: set[tuple[str, str]]) -> list[Path]:
    """Return generated notebooks whose source is gone."""
    places = (layout.notebooks, layout.solutions)
    return [
        path
        for place in places
        for path in sorted(place.glob("week*/*.ipynb"))
        if (path.parent.name, path.stem) not in lessons
    ]
