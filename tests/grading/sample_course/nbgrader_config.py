"""Marks the root of the sample course."""
