"""From `solutions/*.py` to the notebooks that students open and the solved ones beside their sources.

`lesson` reads a source and its markers, `expand` turns it into an nbgrader notebook, `release` has nbgrader make
the student copies, `execute` runs the solved notebooks, `freshness` knows what is stale, `leaks` looks for answers
where none may be, `package` fills the students' folder, and `build` ties them together.
"""
