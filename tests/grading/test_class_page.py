"""The page of a week for instructors, and the pages of students with marks given by hand."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
import typer
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from autograde.builder.release import ensure_release
from autograde.grading.class_page import class_page
from autograde.grading.class_report import ClassReport, class_page_path, read_class
from autograde.grading.gradebook import put_tools_on_path
from autograde.grading.gradebook_commands import export, report
from autograde.grading.graded import page_path
from autograde.grading.histogram import histogram

from .conftest import LESSON, copy_course
from .recorded import HINT, entry, record

WEEK, NOTEBOOK = LESSON
FULL = {"count_ngrams": 2.0, "softmax": 3.0, "attend": 2.0, "Scale": 2.0, "draw": 1.0}
EVIL = '<script>alert(1)</script>&"'
app = typer.Typer()
app.command()(report)
app.command()(export)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    layout = copy_course(tmp_path_factory.mktemp("classpage") / "course")
    put_tools_on_path()
    ensure_release(layout)
    entries = [
        entry(layout, "ada", FULL),
        entry(layout, "ben", {}, hints=dict.fromkeys(FULL, "Not answered yet.")),
        entry(layout, "chen", {**FULL, "softmax": 1.0}, hints={"softmax": "You took the first axis."}),
        entry(layout, "dan", {}, flags=["unreadable"], notes=["This submission could not be read: it is empty."]),
        entry(layout, "하준", {**FULL, "softmax": 0.0}, hints={"softmax": "You took the first axis."}, flags=["died"]),
        entry(layout, "=1+1, jr", {**FULL, "draw": 0.0}, notes=["a copied cell was left out (draw)"]),
        entry(layout, "x" + EVIL.replace("/", ":"), {**FULL, "attend": 0.0}, hints={"attend": EVIL}, notes=[EVIL]),
    ]
    record(layout, entries)
    return layout


@pytest.fixture(scope="module")
def found(course) -> ClassReport:
    with Gradebook(f"sqlite:///{course.gradebook}") as gradebook:
        return read_class(gradebook, course, WEEK)


@pytest.fixture(scope="module")
def page(course) -> str:
    return class_page_path(course, WEEK).read_text("utf-8")


def test_success_rates_are_those_of_the_marks(found):
    rates = {one.name: (one.n_handed_in, one.n_full, one.n_none, round(one.mean, 6)) for one in found.exercises}
    assert list(rates) == [*FULL, "why"]
    assert rates["softmax"] == (7, 3, 3, round((3 + 0 + 1 + 0 + 0 + 3 + 3) / 21, 6))
    assert rates["draw"] == (7, 4, 3, round(4 / 7, 6))
    assert rates["why"] == (0, 0, 0, 0.0)


def test_totals_leave_out_answers_in_words_that_nobody_graded(found):
    assert found.totals["ada"] == (10.0, 10.0)
    assert found.totals["chen"] == (8.0, 10.0)
    assert found.n_waiting == 7


def test_misconceptions_are_counted_by_students_and_unanswered_ones_are_none(found):
    first = next(one for one in found.misconceptions if one.hint == "You took the first axis.")
    assert (first.exercise, first.n_times, first.students) == ("softmax", 2, ["chen", "하준"])
    assert not [one for one in found.misconceptions if "Not answered" in one.hint]
    assert [len(one.students) for one in found.misconceptions] == sorted(
        (len(one.students) for one in found.misconceptions), reverse=True
    )
    assert HINT in {one.hint for one in found.misconceptions}


def test_what_needs_a_look_comes_with_its_reason_the_serious_first(found):
    looks = {look.student: (look.serious, look.reasons) for look in found.looks}
    assert looks["dan"] == (True, ["The file could not be read.", "This submission could not be read: it is empty."])
    assert looks["하준"] == (True, ["Its code ended the process that it ran in."])
    assert looks["=1+1, jr"] == (False, ["a copied cell was left out (draw)"])
    assert set(looks) & {"ada", "ben", "chen"} == set()
    assert [look.serious for look in found.looks] == sorted((look.serious for look in found.looks), reverse=True)


def test_every_link_leads_to_a_students_page(course, page):
    links = re.findall(r'href="\./([^"]+)"', page)
    assert len(links) >= 7
    assert all((course.feedback / unquote(link)).is_file() for link in links)


def test_nothing_that_a_student_chose_is_markup(page):
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "secret" not in page


class Tags(HTMLParser):
    """Notes what a page would fetch or run, and whether its tags close."""

    VOID = frozenset({"meta", "br", "rect", "line"})

    def __init__(self):
        super().__init__()
        self.open, self.suspicious = [], []

    def handle_starttag(self, tag, attributes):
        self.open += [tag] * (tag not in self.VOID)
        fetches = [name for name, value in attributes if name in ("src", "srcset") or name.startswith("on")]
        self.suspicious += fetches + [tag] * (tag in ("script", "link", "iframe", "object", "embed", "base"))

    def handle_endtag(self, tag):
        assert tag in self.VOID or self.open.pop() == tag


def test_the_page_is_well_formed_and_fetches_and_runs_nothing(page):
    tags = Tags()
    tags.feed(page)
    assert (tags.open, tags.suspicious) == ([], [])
    assert "default-src 'none'" in page


def test_a_file_that_is_none_of_the_courses_is_on_the_page(course, monkeypatch):
    monkeypatch.setenv("COURSE_ROOT", str(course.root))
    stray = course.submitted / "zoe" / WEEK / "holiday.ipynb"
    stray.parent.mkdir(parents=True)
    stray.write_text('{"cells": [{"cell_type": "code", "source": "1"}]}')
    assert CliRunner().invoke(app, ["report", WEEK], catch_exceptions=False).exit_code == 0
    told = class_page_path(course, WEEK).read_text("utf-8")
    assert "zoe, holiday.ipynb: " in re.sub(r"<[^>]+>", "", told)
    assert "none of the course&#x27;s notebooks" in told


def test_a_class_without_marks_has_a_page(course):
    assert "No marks yet" in class_page(ClassReport(WEEK, [NOTEBOOK]))


def test_the_histogram_counts_everyone_once_and_keeps_full_marks_inside():
    drawn = histogram([0.0, 0.05, 0.3, 0.3, 0.9999999999, 1.0, 1.2])
    assert [int(number) for number in re.findall(r'class="count"[^>]*>(\d+)<', drawn)] == [2, 2, 3]
    assert "2 with 0 to 10 %; 2 with 30 to 40 %; 3 with 90 to 100 %" in drawn
    assert "Half of the class has 30%" in drawn


def test_marks_and_comments_by_hand_stay_on_the_page_whichever_command_writes_it(course, monkeypatch):
    monkeypatch.setenv("COURSE_ROOT", str(course.root))
    with Gradebook(f"sqlite:///{course.gradebook}") as gradebook:
        gradebook.find_grade("check_softmax", NOTEBOOK, WEEK, "chen").manual_score = 2.5
        gradebook.find_grade("why", NOTEBOOK, WEEK, "chen").manual_score = 3.0
        gradebook.find_comment("why", NOTEBOOK, WEEK, "chen").manual_comment = "Well <argued>."
        gradebook.db.commit()
    assert CliRunner().invoke(app, ["report"], catch_exceptions=False).exit_code == 0
    path = page_path(course, "chen", WEEK, NOTEBOOK)
    by_report = path.read_text("utf-8")
    for told in ("12.5 of 14 points", "2.5 of 3", "set by your instructor", "Your instructor: Well &lt;argued&gt;."):
        assert told in by_report, told
    assert "12.5 of 14" in class_page_path(course, WEEK).read_text("utf-8")
    record(course, [entry(course, "chen", {**FULL, "softmax": 1.0}, hints={"softmax": "You took the first axis."})])
    assert path.read_text("utf-8") == by_report


def test_a_later_file_that_cannot_be_read_changes_no_mark_and_is_told_to_both(course):
    record(course, [entry(course, "eva", FULL)])
    news = "This submission could not be read: it is not JSON."
    for _ in range(2):
        record(course, [entry(course, "eva", {}, flags=["unreadable"], notes=[news])])
    told = page_path(course, "eva", WEEK, NOTEBOOK).read_text("utf-8")
    assert "10 of 10 points" in told
    assert told.count(news) == 1
    assert "earlier submission stay" in told
    assert "set by your instructor" not in told
    with Gradebook(f"sqlite:///{course.gradebook}") as gradebook:
        assert gradebook.find_submission(WEEK, "eva").score == 10.0
        look = next(look for look in read_class(gradebook, course, WEEK).looks if look.student == "eva")
    assert (look.serious, news in look.reasons) == (True, True)
    record(course, [entry(course, "eva", {**FULL, "draw": 0.0})])
    assert news not in page_path(course, "eva", WEEK, NOTEBOOK).read_text("utf-8")
