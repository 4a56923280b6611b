"""The ideal reader of the story corpus: exact predictions, from the grammar that the stories were drawn from."""

from course.oracle.reader import Oracle

__all__ = ["Oracle"]
