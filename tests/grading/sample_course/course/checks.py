"""Visible checks of the sample course."""

from course.settings import ScaleConfig


def check_equal(actual: object, expected: object) -> None:
    """Raise an error with a sentence for the student unless both are equal."""
    assert actual == expected, "Count again: the two do not agree."


DEFAULT = ScaleConfig(width=3)
