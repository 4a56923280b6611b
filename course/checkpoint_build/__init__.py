"""Makes the files in `data/checkpoints/`: `python -m course.checkpoint_build [NAME...]`.

Each checkpoint has a module here of its own name, with a function `write(folder)`, and stands in one of the two lists.
"""

RANDOM = ("small_bert", "small_roberta", "small_bart", "small_t5", "small_t5_v1_1", "small_gpt2", "small_bloom")
TRAINED = ("stories_bert", "stories_gpt", "stories_t5")
NAMES = RANDOM + TRAINED
