"""Figures: drawn, deterministic, with a baseline, a finding in the title and alternative text."""

import io
import itertools

import pytest
from matplotlib.image import imread

from course.figures import COLOURS, show
from course.figures import style as style_module
from course.figures.forgetting import gradient_by_lag, recall_race, sense_by_words_seen
from course.figures.ngrams import Counted, loss_against_context
from course.figures.recurrence import loss_by_position, time_against_length
from course.figures.style import DOTS_PER_INCH, LINES, MARKERS, WIDTH, to_png
from course.training import History


def ngrams():
    few = Counted("300 stories", [4.0, 1.0, 0.5], [4.1, 1.3, 2.0], [10, 50, 90])
    many = Counted("9,000 stories", [4.0, 1.1, 0.8], [4.0, 1.1, 0.9], [10, 80, 400])
    return loss_against_context(few, many, floor=0.6, context_floors={1: 1.0, 2: 0.7, 9: 0.61})[0]


def race():
    slow = History(evaluated_at=[10, 20], evaluations=[0.1, 0.2], cpu_seconds=[1.0, 2.0])
    quick = History(evaluated_at=[10, 20], evaluations=[0.5, 1.0], cpu_seconds=[1.0, 2.0])
    return recall_race({"GRU": slow, "attention": quick}, chance=0.1)[0]


FIGURES = {
    "ngrams": ngrams,
    "positions": lambda: loss_by_position({"3-gram": [2.0, 2.1], "LSTM": [1.1, 1.0]}, [1.0, 0.9], per_point=4)[0],
    "time": lambda: time_against_length([16, 32], [0.1, 0.2], [0.01, 0.01])[0],
    "lags": lambda: gradient_by_lag({"fresh RNN": [1.0, 1e-3], "trained LSTM": [1.0, 0.5]})[0],
    "race": race,
    "sense": lambda: sense_by_words_seen(
        ["the", "bank", "river"], 1, {"reader": [0.5, 0.5, 0.9]}, sense="river", prior=0.5
    )[0],
}
TITLES = {
    "ngrams": "Counting gets down to 0.90 nats, at n = 3; the floor is 0.60",
    "positions": "All along the story, LSTM stays within 0.10 nats of the ideal reader",
    "time": "At T = 32 the recurrence takes 20 times as long as the product",
    "lags": "After 1 tokens: $10^{-3}$ in the fresh RNN, 0.50 in the trained LSTM",
    "race": "Attention: 100% recalled; no other gets beyond 20%",
    "sense": "At “bank” the reader is at 0.50, some words later at 0.90",
}


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_figure_gives_the_same_bytes(name):
    png = to_png(FIGURES[name]())
    assert png == to_png(FIGURES[name]())
    assert b"Software" not in png
    assert imread(io.BytesIO(png)).shape[1] == round(WIDTH * DOTS_PER_INCH)


@pytest.mark.parametrize("name", FIGURES)
def test_the_title_states_the_finding_and_axes_are_named(name):
    axes = FIGURES[name]().axes
    assert axes[0].get_title(loc="left") == TITLES[name]
    assert all(ax.get_ylabel() for ax in axes)
    assert axes[-1].get_xlabel()


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_off(name):
    figure = FIGURES[name]()
    to_png(figure)
    box, whole = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= -0.02
    assert box.y0 >= -0.02
    assert box.x1 <= whole[0] + 0.02
    assert box.y1 <= whole[1] + 0.02


def test_colours_lines_and_markers_are_all_different():
    assert len(set(COLOURS.values())) == len(COLOURS)
    assert len(set(map(str, LINES.values()))) == len(LINES) == len(set(MARKERS.values()))


def luminance(colour):
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_lines_drawn_together_differ_in_lightness_too():
    shades = [luminance(COLOURS[role]) for role in ("floor", "first", "fifth")]
    assert all(abs(a - b) > 0.1 for a, b in itertools.combinations(shades, 2))


def test_show_hands_over_the_alternative_text(monkeypatch):
    shown = []
    monkeypatch.setattr(style_module, "get_ipython", lambda: object())
    monkeypatch.setattr(style_module, "display", lambda data, **options: shown.append((data, options)))
    show(race(), alt="Attention wins.")
    data, options = shown[0]
    assert data["text/plain"] == options["metadata"]["image/png"]["alt"] == "Attention wins."
    assert options["raw"] is True


def test_show_prints_the_text_outside_a_notebook(capsys):
    show(race(), alt="Attention wins.")
    assert capsys.readouterr().out == "[figure] Attention wins.\n"


def test_show_asks_for_the_text():
    with pytest.raises(ValueError, match="needs a sentence"):
        show(race(), alt=" ")
