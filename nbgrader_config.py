"""nbgrader's settings for this course. nbgrader reads this file when it is started in this folder."""

from pathlib import Path

from autograde.builder.release import course_config
from autograde.layout import Layout
from autograde.nbgrader_bridge import configure

c = get_config()  # noqa: F821 (nbgrader defines it)
c.merge(course_config(Layout(Path(__file__).resolve().parent)))
configure(c)
