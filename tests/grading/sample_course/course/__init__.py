"""The sample course: what its notebook imports."""
