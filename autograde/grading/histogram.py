"""A class's marks as a distribution: an SVG that stands in the page and takes its colours from it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

N_COLUMNS = 10
WIDTH, HEIGHT = 360, 190
LEFT, RIGHT, TOP, BOTTOM = 28, 14, 18, 40


def histogram(shares: Sequence[float]) -> str:
    """Return a figure of how many students got which share of the points.

    Args:
        shares: each student's share, between 0 and 1 (above 1 with extra credit).
    """
    if not shares:
        return "<p>No marks yet.</p>"
    counts = _counts(shares)
    median = statistics.median(shares)
    title = f"Half of the class has {median:.0%} of the points or more"
    words = "; ".join(
        f"{number} with {100 * place // N_COLUMNS} to {100 * (place + 1) // N_COLUMNS} %"
        for place, number in enumerate(counts)
        if number
    )
    return (
        f'<figure><figcaption>{title}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Students by their share of the points: {words}.">{_axes()}{_columns(counts, median)}'
        "</svg></figure>"
    )


def _counts(shares: Sequence[float]) -> list[int]:
    """Return how many fall into each tenth; the last one holds full marks too."""
    counts = [0] * N_COLUMNS
    for share in shares:
        # Nine decimals, so that 0.3 as a quotient does not fall below 0.3.
        counts[min(N_COLUMNS - 1, max(0, int(round(share * N_COLUMNS, 9))))] += 1
    return counts


def _x(share: float) -> float:
    return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)


def _columns(counts: Sequence[int], median: float) -> str:
    floor, step = HEIGHT - BOTTOM, (HEIGHT - BOTTOM - TOP) / max(counts)
    boxes, numbers = [], []
    for place, number in enumerate(counts):
        if number:
            left, right = _x(place / N_COLUMNS) + 1, _x((place + 1) / N_COLUMNS) - 1
            top = round(floor - number * step, 1)
            box = f'x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{floor - top:.1f}"'
            boxes.append(f'<rect class="column" {box}/>')
            middle = f'x="{(left + right) / 2:.1f}" y="{top - 4:.1f}" text-anchor="middle"'
            numbers.append(f'<text class="count" {middle}>{number}</text>')
    line = f'<line class="median" x1="{_x(median)}" x2="{_x(median)}" y1="4" y2="{floor}"/>'
    return "".join([*boxes, line, *numbers])


def _axes() -> str:
    floor = HEIGHT - BOTTOM
    drawn = [f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>']
    for percent in range(0, 101, 20):
        drawn.append(f'<text x="{_x(percent / 100)}" y="{floor + 15}" text-anchor="middle">{percent}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    drawn.append(f'<text x="{middle}" y="{floor + 33}" text-anchor="middle">share of the points, in %</text>')
    height = (TOP + floor) / 2
    turned = f'x="12" y="{height}" transform="rotate(-90 12 {height})"'
    drawn.append(f'<text {turned} text-anchor="middle">students</text>')
    return "".join(drawn)
