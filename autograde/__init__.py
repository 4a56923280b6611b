"""The staff side of the course: building notebooks, grading submissions, reports, and the `course` command."""
