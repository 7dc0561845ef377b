"""Measurements of the project, and the faults that its tests must catch."""
