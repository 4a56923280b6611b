"""What an instructor opens in a browser: nothing that a student wrote may run there, or be fetched."""

from __future__ import annotations

import json

import pytest
from nbconvert.exporters import HTMLExporter
from nbgrader.server_extensions.formgrader import handlers
from traitlets.config import Config, PyFileConfigLoader

from autograde.grading.class_page import class_page
from autograde.grading.class_report import ClassReport, Look, Misconception
from autograde.grading.graded import Graded
from autograde.grading.page import HandMark, student_page
from autograde.judge.report import CellResult, ExerciseReport, with_outputs
from autograde.submission import exercises_of, grade_id, is_answer, rebuild

from ..test_browser import FLAGS, browser_path  # noqa: F401 (a fixture)

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")

RUNS = "window.ran = true"
EVIL = f"""<script>{RUNS}</script><img src="http://evil.example/x.png" onerror="{RUNS}"><svg onload="{RUNS}"></svg>
</pre></code></p></section><iframe srcdoc="<script>parent.ran = true</script>"></iframe>

![fetched](http://evil.example/y.png) [link](javascript:window.ran=true) $\\href{{javascript:window.ran=true}}{{x}}$

```mermaid
</pre><img src=x onerror="{RUNS}">
```
"""


@pytest.fixture(scope="module")
def graded(release) -> Graded:
    """A submission whose every word is hostile."""
    answers = [{**cell, "source": EVIL} for cell in release["cells"] if is_answer(cell)]
    notebook = rebuild(release, [*answers, {"cell_type": "code", "source": EVIL, "metadata": {}}]).notebook
    results = {place: CellResult(EVIL, EVIL, EVIL) for place, cell in enumerate(notebook["cells"]) if is_answer(cell)}
    checks = [{"name": "a", "points": 1.0, "passed": False, "hint": EVIL}]
    exercises = [ExerciseReport(name, 0.0, points, EVIL, checks) for name, points in exercises_of(release).items()]
    notebook = with_outputs(notebook, exercises, results)
    report = {
        "student": EVIL,
        "week": "week1_sample",
        "notebook": "1_words",
        "score": 0.0,
        "max": 10.0,
        "notes": [EVIL],
    }
    return Graded(notebook, {**report, "exercises": [vars(exercise) for exercise in exercises]})


@pytest.fixture(scope="module")
def form_grader(sample, graded, tmp_path_factory) -> str:
    """The page of nbgrader's form grader, made with its own template and the course's settings."""
    config = PyFileConfigLoader("nbgrader_config.py", path=str(sample.root)).load_config()
    template = {"template_name": "formgrade", "extra_template_basedirs": [handlers.template_path]}
    config.merge(Config(HTMLExporter=template))
    path = tmp_path_factory.mktemp("formgrader") / "1_words.ipynb"
    path.write_text(graded.dump())
    names = ("assignment_id", "notebook_id", "submission_id", "student", "last_name", "first_name", "notebook_path")
    resources = {**dict.fromkeys(names, "x"), "index": 0, "total": 1, "base_url": "/"}
    return HTMLExporter(config=config).from_filename(str(path), resources=resources)[0]


@pytest.fixture(scope="module")
def pages(form_grader, graded) -> dict[str, str]:
    hint = Misconception(EVIL, EVIL, 1, [EVIL])
    look = Look(EVIL, EVIL, [EVIL], serious=True)
    report = ClassReport(EVIL, [EVIL], totals={EVIL: (1.0, 2.0)}, misconceptions=[hint], looks=[look])
    by_hand = {"why": HandMark(1.0, 4.0, EVIL)}
    return {
        "form grader": form_grader,
        "student's page": student_page(graded.report, graded.notebook, by_hand),
        "class's page": class_page(report),
    }


@pytest.fixture(scope="module")
def browser(browser_path):  # noqa: F811
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        yield browser
        browser.close()


def opened(browser, html: str):
    """(page, addresses asked for, dialogs) after the page has loaded without a network."""
    page = browser.new_page()
    asked, dialogs = [], []
    page.route("**/*", lambda route: (asked.append(route.request.url), route.abort()))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.set_content(html, wait_until="load")
    return page, asked, dialogs


@pytest.mark.parametrize("which", ["form grader", "student's page", "class's page"])
def test_nothing_of_a_students_runs_or_is_fetched(browser, pages, which):
    page, asked, dialogs = opened(browser, pages[which])
    page.wait_for_timeout(300)
    for link in page.locator("a[href^='javascript']").all():
        link.evaluate("a => a.click()")
    assert page.evaluate("window.ran") is None
    assert not [address for address in asked if "evil" in address]
    assert not dialogs
    assert page.get_by_text("http://evil.example/x.png").count()
    page.close()


def test_what_would_run_if_it_were_let_is_seen_by_this_test(browser):
    page, asked, _ = opened(browser, f"<p>{EVIL}</p>")
    assert page.evaluate("window.ran") is True
    assert any("evil" in address for address in asked)
    page.close()


def test_the_courses_own_text_is_still_rendered_in_the_form_grader(browser, pages):
    page, *_ = opened(browser, pages["form grader"])
    assert page.locator("h1", has_text="Words").count() == 1
    page.close()


def test_a_note_of_several_lines_keeps_them(browser, graded):
    cells = {"cells": [cell for cell in graded.notebook["cells"] if grade_id(cell) == "softmax"]}
    exercise = ExerciseReport("softmax", 0.0, 3.0, "The check fails.\nexpected 1\nfound 2", [])
    page, *_ = opened(browser, student_page({**graded.report, "notes": [], "exercises": [vars(exercise)]}, cells))
    assert page.locator(".note").first.inner_text().splitlines() == ["The check fails.", "expected 1", "found 2"]
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1200])
def test_no_page_of_ours_is_wider_than_the_screen(browser, graded, pages, scheme, width):
    for which in ("student's page", "class's page"):
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page.set_content(pages[which])
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.close()


def test_the_notebook_itself_holds_no_output_that_a_browser_would_run(graded):
    kinds = {kind for cell in graded.notebook["cells"] for o in cell.get("outputs", []) for kind in o.get("data", {})}
    assert kinds == {"text/plain"}
    assert json.loads(graded.dump())["metadata"]["course_report"]["score"] == 0.0
