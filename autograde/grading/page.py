"""A student's feedback as one self-contained page: no script, nothing fetched, everything of the student's escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from ..submission import Cell, Notebook, grade_id, is_answer, metadata, source_of
from .report import KEPT

MAX_SHOWN_CHARS = 20_000

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #ffffff; --soft: #f3f4f6; --line: #d5d8de;
  --good: #0b6b3a; --bad: #9b1c1c; --accent: #1d4ed8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8ec; --paper: #15161a; --soft: #202228; --line: #3a3d46;
  --good: #6ee7a8; --bad: #fca5a5; --accent: #93c5fd; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0.5rem 0; }
h2 { font-size: 1.15rem; margin: 0; display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; }
section { border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.9rem 1rem; margin: 1rem 0; }
.total { font-size: 1.15rem; }
.marks { font-variant-numeric: tabular-nums; font-weight: 600; white-space: nowrap; }
ul.checks { list-style: none; padding: 0; margin: 0.6rem 0 0; }
ul.checks > li { padding: 0.45rem 0; border-top: 1px solid var(--line); }
.verdict { font-weight: 600; margin-right: 0.4rem; }
.passed .verdict { color: var(--good); }
.failed .verdict { color: var(--bad); }
.points { color: var(--ink); opacity: 0.75; white-space: nowrap; }
.hint { margin: 0.25rem 0 0; padding-left: 0.75rem; border-left: 3px solid var(--accent); }
.note { background: var(--soft); border-radius: 0.35rem; padding: 0.5rem 0.75rem; margin: 0.6rem 0 0;
  white-space: pre-line; }
details { margin-top: 0.6rem; }
summary { cursor: pointer; color: var(--accent); }
pre { background: var(--soft); border-radius: 0.35rem; padding: 0.75rem; overflow-x: auto; font-size: 0.85rem;
  white-space: pre; overflow-wrap: normal; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
"""


@dataclass(frozen=True)
class HandMark:
    """What the gradebook says about one cell.

    Args:
        score, max: points, manual marks included.
        comment: the instructor's words, "" for none.
    """

    score: float
    max: float
    comment: str = ""


def student_page(report: Mapping[str, Any], notebook: Notebook, by_hand: Mapping[str, HandMark] | None = None) -> str:
    """Return the page for one submission, as HTML.

    Args:
        report: the public report.
        notebook: the rebuilt submission, for the student's answers and what they printed.
        by_hand: marks and comments from the gradebook by grade_id; they go before the report's.
    """
    hand = dict(by_hand or {})
    cells = notebook.get("cells", [])
    answers = {grade_id(cell): cell for cell in cells if is_answer(cell)}
    kept = KEPT in report["notes"]
    sections = [_exercise(exercise, answers, hand, kept=kept) for exercise in report["exercises"]]
    sections += [_essay(cell, hand) for cell in cells if is_answer(cell) and metadata(cell).get("grade")]
    score, maximum = _total(report, cells, hand)
    title = f"{report['notebook']}: {score:g} of {maximum:g} points"
    whose = f"{report['student']}, {report['week']}" if report["student"] else report["week"]
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in report["notes"])
    header = (
        f"<header><h1>{escape(str(report['notebook']))}</h1><p>{escape(str(whose))}</p>"
        f'<p class="total"><span class="marks">{score:g} of {maximum:g} points</span></p>{notes}</header>\n'
    )
    return html_page(title, header + "\n".join(sections))


def html_page(title: str, body: str, style: str = "") -> str:
    """Return a whole page that fetches nothing and runs nothing, whatever stands in it.

    Args:
        title: as plain text.
        body: HTML, with everything in it escaped.
        style: rules beside those that all pages share.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>\n<main>\n"
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _total(report: Mapping[str, Any], cells: list[Cell], hand: Mapping[str, HandMark]) -> tuple[float, float]:
    """Return the points together: the exercises', and those of answers in words that the gradebook has marks for."""
    marks = [_mark(exercise, hand) for exercise in report["exercises"]]
    seen = {f"check_{exercise['id']}" for exercise in report["exercises"]}
    graded = {grade_id(cell) for cell in cells if metadata(cell).get("grade")} - seen
    marks += [hand[name] for name in graded if name in hand and hand[name].score is not None]
    return tuple(round(sum((getattr(mark, part) for mark in marks), 0.0), 9) for part in ("score", "max"))


def _mark(exercise: Mapping[str, Any], hand: Mapping[str, HandMark]) -> HandMark:
    """Return an exercise's mark: the gradebook's, else the report's."""
    mark = hand.get(f"check_{exercise['id']}")
    if mark is None or mark.score is None:
        return HandMark(exercise["score"], exercise["max"], mark.comment if mark else "")
    return mark


def _exercise(
    exercise: Mapping[str, Any], answers: Mapping[str, Cell], hand: Mapping[str, HandMark], *, kept: bool
) -> str:
    name = exercise["id"]
    mark = _mark(exercise, hand)
    comment = " ".join(text for text in (mark.comment, hand[name].comment if name in hand else "") if text)
    notes = [exercise["note"], comment and f"Your instructor: {comment}"]
    if mark.score != exercise["score"] and not kept:
        notes.append("These marks were set by your instructor.")
    checks = "".join(_check(check) for check in exercise["checks"])
    return (
        f"<section>{_heading(name, mark.score, mark.max)}"
        + "".join(f'<p class="note">{escape(note)}</p>' for note in notes if note)
        + (f'<ul class="checks">{checks}</ul>' if checks else "")
        + "".join(_own_work(answers.get(name)))
        + "</section>"
    )


def _heading(name: str, score: float, maximum: float) -> str:
    return f'<h2><span>{escape(name)}</span> <span class="marks">{score:g} of {maximum:g}</span></h2>'


def _check(check: Mapping[str, Any]) -> str:
    verdict = "passed" if check["passed"] else "failed"
    mark = "✓ passed" if check["passed"] else "✗ failed"
    points = f"{check['points']:g} point{'' if check['points'] == 1 else 's'}"
    hint = f'<p class="hint">{escape(check["hint"])}</p>' if check["hint"] else ""
    return (
        f'<li class="{verdict}"><span class="verdict">{mark}</span>{escape(check["name"])} '
        f'<span class="points">({points})</span>{hint}</li>'
    )


def _own_work(cell: Cell | None) -> Iterator[str]:
    if cell is None:
        return
    yield f"<details><summary>Your answer</summary><pre><code>{_shown(source_of(cell))}</code></pre></details>"
    printed = "".join(
        str(output.get("text", "")) if output.get("output_type") == "stream" else ""
        for output in cell.get("outputs", [])
    )
    if printed.strip():
        yield f"<details><summary>What it printed</summary><pre>{_shown(printed)}</pre></details>"


def _essay(cell: Cell, hand: Mapping[str, HandMark]) -> str:
    name = grade_id(cell)
    points = float(metadata(cell).get("points", 0))
    mark = hand.get(name)
    marked = mark is not None and mark.score is not None
    heading = (
        _heading(name, mark.score, mark.max) if marked else f"<h2>{escape(name)} <span>{points:g} points</span></h2>"
    )
    note = f"Your instructor: {mark.comment}" if mark and mark.comment else "This answer is read by your instructor."
    return f'<section>{heading}<p class="note">{escape(note)}</p>{"".join(_own_work(cell))}</section>'


def _shown(text: str) -> str:
    cut = text[:MAX_SHOWN_CHARS]
    return escape(cut if len(text) <= MAX_SHOWN_CHARS else f"{cut}\n[cut]")
