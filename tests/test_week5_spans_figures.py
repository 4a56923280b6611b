"""The figures of the notebook on spans draw what they are given."""

from __future__ import annotations

import math
from itertools import combinations

import pytest

from course.figures.style import COLOURS, to_png
from course.figures.week5_spans import corrupted_story, floor_of_spans, hidden_by_place, span_length_histogram

PNG = b"\x89PNG"


def title_of(axes):
    return axes.get_title(loc="left")


def test_each_span_has_its_colour_in_every_row():
    rows = {
        "text": [("a", None), ("bat", 0), ("sat", 0), ("here", None), (".", 1)],
        "input": [("a", None), ("<0>", 0), ("here", None), ("<1>", 1)],
        "target": [("<0>", 0), ("bat", None), ("sat", None), ("<1>", 1), (".", None), ("[EOS]", None)],
    }
    figure, axes = corrupted_story(rows)
    assert title_of(axes) == "3 of 5 tokens are hidden in 2 spans: the decoder writes 6 tokens"
    words = [text.get_text() for text in axes.texts]
    assert words == [
        "text",
        "a",
        "bat",
        "sat",
        "here",
        ".",
        *[w for n in ("input", "target") for w in [n, *_of(rows[n])]],
    ]
    boxes = {text.get_text(): text.get_bbox_patch() for text in axes.texts}
    shown = {word: boxes[word].get_facecolor() for word in ("<0>", "<1>")}
    assert shown["<0>"] != shown["<1>"]
    assert to_png(figure).startswith(PNG)


def _of(pieces):
    return [word for word, _ in pieces]


def test_a_long_story_is_wrapped_and_nothing_leaves_the_picture():
    _, axes = corrupted_story({"text": [("wonderful", None)] * 60, "target": [("x", None)]})
    words = [text for text in axes.texts if text.get_text() == "wonderful"]
    assert len({text.get_position()[1] for text in words}) > 3
    figure = axes.get_figure()
    figure.canvas.draw()
    right = max(text.get_window_extent().x1 for text in words)
    assert right <= figure.bbox.x1


@pytest.mark.parametrize(("n", "s"), [(7, 3), (9, 2), (6, 4)])
def test_the_law_of_lengths_is_that_of_enumeration(n, s):
    lengths = [
        end - start
        for cuts in combinations(range(1, n), s - 1)
        for start, end in zip([0, *cuts], [*cuts, n], strict=True)
    ]
    counts = {k: lengths.count(k) for k in set(lengths)}
    figure, axes = span_length_histogram(counts, n_noise=n, n_spans=s)
    law = next(found for found in axes.lines if found.get_label() == "every cut alike")
    assert list(law.get_ydata()) == pytest.approx([counts[k] / len(lengths) for k in sorted(counts)])
    assert [bar.get_height() for bar in axes.patches] == pytest.approx(list(law.get_ydata()))
    assert title_of(axes).startswith(f"Spans of {n / s:.1f} tokens on average; {counts[1] / len(lengths):.0%} of them")
    assert to_png(figure).startswith(PNG)


def test_places_are_drawn_with_the_last_token_apart():
    figure, axes = hidden_by_place({"as drawn": [0.05, 0.1, 0.3, 1.0], "rolled": [0.15] * 4}, density=0.15)
    drawn, rolled, density = axes.lines
    assert list(drawn.get_ydata()) == [0.05, 0.1, 0.3, 1.0]
    assert list(rolled.get_ydata()) == [0.15] * 4
    assert set(density.get_ydata()) == {0.15}
    assert title_of(axes) == "As drawn, 100% of the last tokens are hidden, 5% of the first part"
    assert to_png(figure).startswith(PNG)


def test_the_floor_has_its_errors_and_the_masked_floor_beside_it():
    losses = {1.0: {"inner": [0.5, 0.7], "last": [0.0, 0.0]}, 3.0: {"inner": [0.6, 1.0], "last": [0.1, 0.3]}}
    figure, (left, right) = floor_of_spans(losses, {0.5: losses[3.0], 0.6: losses[1.0]}, masked_floor=0.55)
    inner, last = left.containers
    assert list(inner[0].get_ydata()) == pytest.approx([0.6, 0.8])
    assert list(last[0].get_ydata()) == pytest.approx([0.0, 0.2])
    assert list(right.containers[0][0].get_ydata()) == pytest.approx([0.8, 0.6])
    assert list(right.containers[0][0].get_xdata()) == [0.5, 0.6]
    low, high = inner[2][0].get_segments()[1][:, 1]
    assert (high - low) / 2 == pytest.approx(0.2 / math.sqrt(2))
    for axes in (left, right):
        floor = next(found for found in axes.lines if found.get_label() == "[MASK], one word each")
        assert set(floor.get_ydata()) == {0.55}
        assert floor.get_color() == COLOURS["floor"]
        assert axes.get_title(loc="left") == "inner spans: 0.60 to 0.80 nats"  # the least and the most, in any order
    assert to_png(figure).startswith(PNG)
