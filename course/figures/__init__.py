"""The course's figures: one function a figure, all of one style."""

from course.figures.style import COLOURS, in_style, show, subplots

__all__ = ["COLOURS", "in_style", "show", "subplots"]
