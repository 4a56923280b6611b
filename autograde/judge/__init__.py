"""The trusted side: hidden tests, what stands for the student in them, and verdicts."""
