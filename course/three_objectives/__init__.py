"""Three objectives, the same stories, the same compute: `python -m course.three_objectives` runs the comparison.

To be read in this order: settings, objectives, tasks, writing, text_tasks, run, results. Nothing is imported here.
"""
