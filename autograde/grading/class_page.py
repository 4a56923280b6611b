"""A week's page for instructors: how the class did, what went wrong most often, who needs a look. No script."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from urllib.parse import quote

from .class_report import ClassReport, Exercise, Look, Misconception
from .histogram import histogram
from .page import html_page

N_MISCONCEPTIONS = 12
STYLE = """
body { max-width: 60rem; }
h2 { display: block; margin: 0 0 0.4rem; }
.facts { display: flex; flex-wrap: wrap; gap: 0.5rem 2rem; margin: 0.5rem 0 0; padding: 0; list-style: none; }
.facts b { font-size: 1.25rem; font-variant-numeric: tabular-nums; }
figure { margin: 0; }
figure svg { display: block; width: 100%; max-width: 34rem; height: auto; }
figure text { fill: var(--ink); font: 12px system-ui, sans-serif; }
figure .count { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
figure .axis { stroke: var(--line); stroke-width: 1; }
figure .column { fill: var(--accent); }
figure .median { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 4 3; }
figcaption { font-weight: 600; margin-bottom: 0.4rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 0.35rem 0.5rem; border-top: 1px solid var(--line); vertical-align: top;
  overflow-wrap: normal; }
td.mark { white-space: nowrap; }
thead th { border-top: 0; }
th:first-child, td:first-child { text-align: left; padding-left: 0; overflow-wrap: anywhere; min-width: 5.5rem; }
.bar { display: block; width: 100%; min-width: 4rem; height: 0.6rem; margin-top: 0.45rem; }
.bar .all { fill: var(--soft); }
.bar .share { fill: var(--accent); }
ol.hints, ul.looks { padding-left: 1.4rem; margin: 0; }
ol.hints > li, ul.looks > li { padding: 0.4rem 0; }
.serious { color: var(--bad); font-weight: 600; }
a { color: var(--accent); }
p.none { margin: 0; }
@media (max-width: 34rem) { th, td { padding: 0.35rem 0.3rem; } .optional { display: none; } }
"""


def class_page(report: ClassReport) -> str:
    """Return the page, as HTML; its links lead to the students' pages beside it."""
    body = [
        f"<header><h1>{escape(report.week)}: the class</h1>{_facts(report)}</header>",
        f"<section>{histogram(report.shares())}</section>",
        *(_exercises(notebook, report.exercises) for notebook in report.notebooks),
        _misconceptions(report.misconceptions, report),
        _looks(report.looks, report),
        _students(report),
    ]
    return html_page(f"{report.week}: the class", "\n".join(body), STYLE)


def _facts(report: ClassReport) -> str:
    shares = report.shares()
    facts = [(f"{len(report.totals)}", _noun(len(report.totals), "student"))]
    facts.append((f"{len(report.by_notebook)}", f"{_noun(len(report.by_notebook), 'notebook')} handed in"))
    if shares:
        facts.append((f"{statistics.median(shares):.0%}", "of the points in the median"))
    facts.append((f"{len(report.looks)}", "to look at"))
    if report.n_waiting:
        facts.append((f"{report.n_waiting}", f"{_noun(report.n_waiting, 'answer')} in words to grade by hand"))
    items = "".join(f"<li><b>{value}</b> {text}</li>" for value, text in facts)
    return f'<ul class="facts">{items}</ul>'


def _exercises(notebook: str, exercises: Sequence[Exercise]) -> str:
    rows = [
        f"<tr><td>{_breakable(one.name)}</td><td>{one.points:g}</td><td>{_percent(one.n_full, one)}</td>"
        f'<td class="optional">{_percent(one.n_none, one)}</td>'
        f'<td>{f"{one.mean:.0%}" if one.n_handed_in else "–"}</td><td class="optional">{_bar(one.mean)}</td></tr>'
        for one in exercises
        if one.notebook == notebook
    ]
    head = _head(("exercise", ""), ("points", ""), ("full marks", ""), ("none", "optional"), ("mean", ""))
    head = head.replace("</tr>", '<th class="optional"><span class="unseen">mean, drawn</span></th></tr>')
    return _section(notebook, _table(f"Exercises of {notebook}", head, rows))


def _breakable(name: str) -> str:
    """Return an exercise's name as HTML that a narrow screen breaks behind an underscore, not within a word."""
    return escape(name).replace("_", "_<wbr/>")


def _percent(n_students: int, one: Exercise) -> str:
    return f"{n_students / one.n_handed_in:.0%}" if one.n_handed_in else "–"


def _bar(share: float) -> str:
    width = round(100 * min(1.0, max(0.0, share)), 1)
    return (
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="all" width="100" height="8"/><rect class="share" width="{width}" height="8"/></svg>'
    )


def _misconceptions(found: Sequence[Misconception], report: ClassReport) -> str:
    if not found:
        return _section("What went wrong most often", '<p class="none">No hint was given.</p>')
    items = "".join(
        f"<li><code>{escape(one.exercise)}</code>: {escape(one.hint)}"
        f"<details><summary>{_how_often(one)}</summary>"
        f"<p>{', '.join(_first_link(student, report) for student in one.students)}</p></details></li>"
        for one in found[:N_MISCONCEPTIONS]
    )
    more = len(found) - N_MISCONCEPTIONS
    rest = f"<p>{more} more {_noun(more, 'hint')} on the students' pages.</p>" if more > 0 else ""
    return _section("What went wrong most often", f'<ol class="hints">{items}</ol>{rest}')


def _how_often(one: Misconception) -> str:
    n_students = len(one.students)
    often = f"{n_students} {_noun(n_students, 'student')}"
    return often if one.n_times == n_students else f"{often}, {one.n_times} times"


def _looks(looks: Sequence[Look], report: ClassReport) -> str:
    if not looks:
        return _section("Submissions to look at", '<p class="none">None.</p>')
    items = "".join(
        f"<li>{_link(one.student, one.notebook, escape(one.student), report)}, {escape(one.notebook)}: "
        f"{'<br>'.join(_reasons(one))}</li>"
        for one in looks
    )
    return _section("Submissions to look at", f'<ul class="looks">{items}</ul>')


def _reasons(look: Look) -> Iterator[str]:
    for place, reason in enumerate(look.reasons):
        yield f'<span class="serious">{escape(reason)}</span>' if look.serious and not place else escape(reason)


def _students(report: ClassReport) -> str:
    rows = []
    for student, (score, maximum) in report.totals.items():
        cells = "".join(
            f'<td class="mark">{_notebook_mark(student, notebook, report)}</td>' for notebook in report.notebooks
        )
        rows.append(f'<tr><td>{escape(student)}</td>{cells}<td class="mark">{score:g} of {maximum:g}</td></tr>')
    head = _head(("student", ""), *((notebook, "") for notebook in report.notebooks), ("together", ""))
    return _section("Students", _table("Students", head, rows))


def _notebook_mark(student: str, notebook: str, report: ClassReport) -> str:
    if (student, notebook) not in report.by_notebook:
        return '<span title="not handed in">–</span>'
    score, maximum = report.by_notebook[student, notebook]
    return _link(student, notebook, f"{score:g} of {maximum:g}", report)


def _first_link(student: str, report: ClassReport) -> str:
    """Return a student's name, linked to the first page there is."""
    notebook = next((name for name in report.notebooks if (student, name) in report.by_notebook), "")
    return _link(student, notebook, escape(student), report)


def _link(student: str, notebook: str, text: str, report: ClassReport) -> str:
    if (student, notebook) not in report.by_notebook:
        return text
    address = "/".join(quote(part, safe="") for part in (student, report.week, f"{notebook}.html"))
    return f'<a href="./{address}">{text}</a>'


def _head(*names: tuple[str, str]) -> str:
    cells = (f'<th scope="col"{f" class={kind!r}" if kind else ""}>{escape(name)}</th>' for name, kind in names)
    return f"<tr>{''.join(cells)}</tr>".replace("'", '"')


def _table(label: str, head: str, rows: Iterable[str]) -> str:
    # A table that is too wide for a phone scrolls in its own box, which the keyboard must reach.
    return (
        f'<div class="wide" role="region" aria-label="{escape(label)}" tabindex="0"><table>'
        f"<thead>{head}</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _noun(number: int, noun: str) -> str:
    return noun if number == 1 else f"{noun}s"
