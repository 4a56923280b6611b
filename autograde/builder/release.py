"""Has nbgrader make the students' copies and enter the assignments into the gradebook."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from autograde.builder.expand import expand, to_bytes
from autograde.builder.lesson import read_lesson
from autograde.grading.entered import FILE, entered_stamp, is_in_file
from autograde.grading.gradebook import put_tools_on_path, shown_address
from autograde.grading.marks import open_gradebook, recorded_weeks
from autograde.layout import CourseError, Layout


def course_config(layout: Layout, db_url: str | None = None) -> Config:
    """Return nbgrader's settings for a course: its folders under build/ and its gradebook.

    Args:
        db_url: SQLAlchemy address of the gradebook; `build/gradebook.db` (SQLite) without it.
    """
    config = Config()
    config.CourseDirectory.root = str(layout.root)
    for step in ("source", "release", "submitted", "autograded", "feedback"):
        setattr(config.CourseDirectory, f"{step}_directory", str(getattr(layout, step).relative_to(layout.root)))
    config.CourseDirectory.db_url = db_url or f"sqlite:///{layout.gradebook}"
    if db_url and not db_url.startswith("sqlite:"):
        # Without a name, an assignment refers to a course that does not exist; SQLite alone lets that pass.
        config.CourseDirectory.course_id = "default_course"
    return config


def write_source(layout: Layout) -> dict[str, list[str]]:
    """Write every lesson into build/source and return the notebooks of each week.

    build/source holds notebooks only: nbgrader copies whatever else lies there to the students.
    """
    weeks: dict[str, list[str]] = {}
    shutil.rmtree(layout.source, ignore_errors=True)
    for week, notebook in layout.lessons():
        lesson = read_lesson(layout.lesson_source(week, notebook))
        target = layout.source / week / f"{notebook}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(to_bytes(expand(lesson)))
        weeks.setdefault(week, []).append(notebook)
    return weeks


def student_copies(layout: Layout) -> dict[tuple[str, str], bytes]:
    """Return the bytes of every student copy, made by nbgrader from the sources as they are now.

    Leaves them in build/release too, without touching the gradebook.
    """
    copies = {}
    shutil.rmtree(layout.release, ignore_errors=True)
    for week, notebooks in write_source(layout).items():
        _generate(layout, week, course_config(layout), save=False)
        for notebook in notebooks:
            path = layout.release / week / f"{notebook}.ipynb"
            copies[week, notebook] = to_bytes(nbformat.read(path, as_version=4))
            path.write_bytes(copies[week, notebook])
    return copies


def ensure_release(layout: Layout, db_url: str | None = None) -> None:
    """Make build/source, build/release and the gradebook's assignments, where they are missing or out of date.

    Raises:
        CourseError: the gradebook holds submissions for another form of a week.
    """
    put_tools_on_path()
    config = course_config(layout, db_url)
    weeks = sorted({week for week, _ in layout.lessons()})
    for week in weeks:
        stamp = entered_stamp(layout, week, config.CourseDirectory.db_url)
        if not stamp.exists() or not _is_known(config.CourseDirectory.db_url, week):
            _enter(layout, week, config)
            stamp = entered_stamp(layout, week, config.CourseDirectory.db_url)  # the file may be new
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.touch()


def _is_known(db_url: str, week: str) -> bool:
    """Return whether a gradebook, which may have been emptied or deleted since, holds a week."""
    if db_url.startswith(FILE):
        return is_in_file(Path(db_url.removeprefix(FILE)), week)
    with open_gradebook(db_url) as gradebook:
        return week in recorded_weeks(gradebook)


def _enter(layout: Layout, week: str, config: Config) -> None:
    for source in sorted((layout.solutions / week).glob("*.py")):
        target = layout.source / week / f"{source.stem}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(to_bytes(expand(read_lesson(source))))
    try:
        _generate(layout, week, config, save=True)
    except (NbGraderException, RuntimeError) as error:
        raise CourseError(
            f"The gradebook {shown_address(config.CourseDirectory.db_url)} could not take {week} ({error}). "
            "If it holds submissions for an older form of this week, grade into a fresh one with --gradebook."
        ) from None


def _generate(layout: Layout, week: str, config: Config, *, save: bool) -> None:
    config = config.copy()
    config.SaveCells.enabled = save
    config.GenerateAssignment.no_database = not save
    config.GenerateAssignment.force = True
    layout.build.mkdir(parents=True, exist_ok=True)
    course = CourseDirectory(config=config, assignment_id=week)
    with _quiet_nbgrader():
        GenerateAssignment(coursedir=course, config=config).start()


@contextmanager
def _quiet_nbgrader() -> Iterator[None]:
    """Keep nbgrader's progress lines to ourselves; its errors still come as exceptions."""
    logger = logging.getLogger("traitlets")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
