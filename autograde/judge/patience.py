"""How long things may take: one factor for all time limits of the judge, for slow machines and for our own tests."""

from __future__ import annotations

import math
import os

from ..layout import CourseError

VARIABLE = "COURSE_PATIENCE"


def patience() -> float:
    """Return the factor by which all time limits are multiplied: the environment variable `COURSE_PATIENCE`, else 1.

    Raises:
        CourseError: the variable holds no number above 0.
    """
    text = os.environ.get(VARIABLE, "1")
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 0 < factor < math.inf:
        raise CourseError(
            f"{VARIABLE}={text} is no number above 0; it multiplies all time limits: 2 waits twice as long."
        )
    return factor


def patient(seconds: float) -> float:
    """Return a time limit, in seconds of wall time, for this machine; `patience` has refused a bad factor before."""
    try:
        return seconds * patience()
    except CourseError:
        return seconds
