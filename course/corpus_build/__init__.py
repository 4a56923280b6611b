"""Makes the story corpus from its grammar: `python -m course.corpus_build` writes everything in `data/stories/`."""
