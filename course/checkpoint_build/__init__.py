"""Makes the files in `data/checkpoints/`: `python -m course.checkpoint_build`."""
