"""Measures: of paths, of samples, of images."""
