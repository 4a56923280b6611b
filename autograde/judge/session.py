"""Hidden tests as one pytest session that collects them once and then judges submission after submission."""

from __future__ import annotations

import inspect
import os
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ..layout import CourseError
from .rubrics import GradedTest, Rubric, rubrics_of
from .student import Student
from .verdict import Verdict, verdict

Serve = Callable[[dict[str, Rubric], Callable[[GradedTest, str, Student], Verdict]], None]

# Plug-ins that watch threads and unraisable errors collect garbage after each test: most of its time, with torch.
ARGUMENTS = ["--import-mode=importlib", "--strict-markers", "--capture=no", "-c", os.devnull]
MAX_FRAMES = 4
STUDENT = "student"
# Code that does not run when it is called.
LATER = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
WITHOUT = [
    "cacheprovider",
    "unraisableexception",
    "threadexception",
    "terminal",
    "logging",
    "faulthandler",
    "junitxml",
    "pastebin",
]


class JudgePlugin:
    """Provides the `student` fixture and replaces pytest's loop over the tests by a server.

    Args:
        serve: called once with the rubrics by file and a function that runs one graded test.
    """

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._student: Student | None = None
        self._arguments: dict[pytest.Item, dict[str, Any] | None] = {}
        self._error: tuple[BaseException, str] | None = None
        self.failure: BaseException | None = None

    @pytest.fixture
    def student(self) -> Student:
        """The student whose submission is judged."""
        assert self._student is not None, "hidden tests run only while a submission is judged"
        return self._student

    def pytest_configure(self, config: pytest.Config) -> None:
        # pytest's own display of a failure parses the test's module anew: it would cost more than all tests together.
        config.option.tbstyle = "native"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and self.failure is None:
            reason = (str(report.longrepr).strip().splitlines() or ["no reason was given"])[-1]
            self.failure = CourseError(f"{report.nodeid}: the hidden tests cannot be read: {reason}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if self.failure is None:
            try:
                self._arguments = {item: simple_arguments(item) for item in session.items}
                self._serve(rubrics_of(session.items), self.run_test)
            except BaseException as error:
                # pytest would print it and end with a status of its own; the caller wants the error.
                self.failure = error
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report = yield
        if call.excinfo is not None and self._error is None:
            error = call.excinfo.value
            self._error = error, "".join(traceback.format_exception(error, limit=-MAX_FRAMES))
        return report

    def run_test(self, test: GradedTest, exercise: str, student: Student) -> Verdict:
        """Return the verdict on one graded test; of its cases, the first that fails decides."""
        self._student = student
        for item in test.items:
            self._error = None
            if (arguments := self._arguments[item]) is not None:
                self._call(item, {**arguments, STUDENT: student} if STUDENT in arguments else arguments)
            else:
                item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
            if self._error is not None:
                error, detail = self._error
                return verdict(test.check, exercise, error, detail)
        return verdict(test.check, exercise, None)

    def _call(self, item: Any, arguments: dict[str, Any]) -> None:
        """Run a test as a plain function: of a short one, pytest's protocol takes more time than the test."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                item.function(**arguments)
        except (KeyboardInterrupt, pytest.exit.Exception):
            raise
        except BaseException as error:
            self._error = error, "".join(traceback.format_exception(error, limit=-MAX_FRAMES))


def simple_arguments(item: Any) -> dict[str, Any] | None:
    """Return what a test is called with if that is the student and its own parameters, None if it asks for more.

    A test that uses a fixture, a class or a mark other than `parametrize`, or is no plain function, is left to pytest.
    """
    if type(item) is not pytest.Function or item.cls is not None or inspect.unwrap(item.function) is not item.function:
        return None
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    fixtures = item.session._fixturemanager.getfixturedefs
    if (
        {mark.name for mark in item.iter_markers()} - {"parametrize"}
        or not {STUDENT, *parameters}.issuperset(item.fixturenames)
        or any(fixtures(name, item) for name in parameters)
        or len(fixtures(STUDENT, item)) > 1
        or item.function.__code__.co_flags & LATER
    ):
        return None
    return {name: parameters.get(name, STUDENT) for name in item.fixturenames}


def run_session(files: Sequence[Path], serve: Serve) -> None:
    """Collect the files' hidden tests and hand them to `serve`; return when it does.

    Raises:
        CourseError: a file cannot be collected, or holds something that is no graded test. Else what `serve` raises.
    """
    plugin = JudgePlugin(serve)
    without = [part for name in WITHOUT for part in ("-p", f"no:{name}")]
    # Installed plug-ins are for our own tests; here they would only cost time.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    root = os.path.commonpath([str(file.parent) for file in files])
    pytest.main([*ARGUMENTS, *without, "--rootdir", root, *map(str, files)], plugins=[plugin])
    if plugin.failure is not None:
        raise plugin.failure
