"""The figures on text to text draw what they are given, and Korean never as boxes."""

from __future__ import annotations

import warnings

import pytest

from course.figures import hangul
from course.figures.style import to_png
from course.figures.week5_text_to_text import (
    bleu_against_sense,
    losses_by_step,
    scores_by_start,
    senses_by_cue,
    words_that_count,
)

PNG = b"\x89PNG"


@pytest.fixture
def no_korean_font(monkeypatch):
    monkeypatch.setattr(hangul.font_manager.fontManager, "ttflist", [])
    hangul.hangul_font.cache_clear()
    yield
    hangul.hangul_font.cache_clear()


def dots(axes):
    """The middle of every error bar, by its label, and bars without a label as a list."""
    return [
        (bar.get_label(), bar.lines[0].get_xdata()[0], bar.lines[0].get_ydata()[0])
        for bar in axes.containers
        if bar.lines
    ]


def test_losses_have_a_panel_for_each_task_and_a_line_for_each_model():
    curves = {"answer": {"a": [(50, 3.0), (100, 1.0)], "b": [(50, 4.0), (100, 2.0)]}, "sum": {"a": [(1, 0.5)]}}
    figure, panels = losses_by_step(curves, title="a finding")
    assert [list(line.get_ydata()) for line in panels[0].lines] == [[3.0, 1.0], [4.0, 2.0], [0, 0]]
    assert list(panels[0].lines[0].get_xdata()) == [50, 100]
    assert [panel.get_title(loc="left") for panel in panels] == ["answer", "sum"]
    assert to_png(figure).startswith(PNG)


def test_each_model_has_a_dot_on_the_line_of_its_score():
    scores = {
        "answers": {"pretrained": (80.0, 70.0, 85.0), "random": (10.0, 5.0, 20.0)},
        "BLEU": {"pretrained": (60.0, 59.0, 61.0), "random": (30.0, 29.0, 31.0)},
    }
    figure, axes = scores_by_start(scores, title="a finding")
    assert [round(x) for _, x, _ in dots(axes)] == [80, 10, 60, 30]
    assert [round(y) for _, _, y in dots(axes)] == [0, 0, 1, 1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["answers", "BLEU"]
    assert [text.get_text() for text in axes.texts] == ["80", "10", "60", "30"]
    assert axes.get_title(loc="left") == "a finding"
    assert to_png(figure).startswith(PNG)


def test_the_ideal_reader_stands_over_every_group():
    shares = {cue: {"pretrained": (0.7, 0.6, 0.8)} for cue in ("left", "nowhere")}
    figure, axes = senses_by_cue(shares, {"left": 1.0, "nowhere": 0.5}, title="a finding")
    bars = [line for line in axes.lines if len(set(line.get_ydata())) == 1 and len(line.get_xdata()) == 2]
    heights = [line.get_ydata()[0] for line in bars if line.get_color() == "#000000"]
    assert heights == [1.0, 0.5]
    assert to_png(figure).startswith(PNG)


def test_translators_are_points_with_their_bleu():
    figure, axes = bleu_against_sense({"yours": (60.0, 0.7), "wrong": (97.2, 0.0)}, title="a finding")
    assert [line.get_xdata()[0] for line in axes.lines[:2]] == [60.0, 97.2]
    assert [line.get_ydata()[0] for line in axes.lines[:2]] == [0.7, 0.0]
    assert [text.get_text() for text in axes.texts] == ["BLEU 60.0", "BLEU 97.2"]
    assert to_png(figure).startswith(PNG)


def shades(axes):
    return [text.get_bbox_patch().get_alpha() for text in axes.texts]


def test_words_are_shaded_in_proportion_and_wrap():
    words = ["the", "bank", "was", "cold", "."]
    figure, panels = words_that_count(
        words, {"둑에서": [0.0, 0.4, 0.2, 0.0, -1.0], "other": [1, 1, 1, 1, 1]}, title="둑", per_line=2
    )
    assert [text.get_text() for text in panels[0].texts] == words
    assert shades(panels[0]) == pytest.approx([0.0, 0.75, 0.375, 0.0, 0.0])
    assert shades(panels[1]) == pytest.approx([0.75] * 5)
    assert [text.get_position() for text in panels[0].texts][:3] == [(0.5, 0.5), (1.5, 0.5), (0.5, 1.5)]
    assert to_png(figure).startswith(PNG)


def test_no_glyph_is_missing_with_or_without_a_korean_font(no_korean_font):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of every glyph that no font has
        figure, panels = words_that_count(["bank"], {"은행에서": [1.0]}, title="은행")
        assert to_png(figure).startswith(PNG)
    assert panels[0].get_title(loc="left") == "eunhaengeseo"


@pytest.mark.skipif(hangul.hangul_font() is None, reason="this machine has no font with Hangul")
def test_korean_is_drawn_as_it_is_where_a_font_has_it():
    figure, panels = words_that_count(["bank"], {"은행에서": [1.0]}, title="은행")
    assert panels[0].get_title(loc="left") == "은행에서"
    assert to_png(figure).startswith(PNG)


@pytest.mark.parametrize(
    ("korean", "latin"),
    [
        ("둑", "duk"),
        ("은행", "eunhaeng"),
        ("서울", "seoul"),
        ("한글", "hangeul"),
        ("bank 물개", "bank mulgae"),
        ("값", "gap"),
    ],
)
def test_hangul_is_romanised_letter_by_letter(korean, latin):
    assert hangul.romanised(korean) == latin
