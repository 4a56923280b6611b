"""A configuration that tests hand to the student's code."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScaleConfig:
    """How wide a `Scale` is."""

    width: int
