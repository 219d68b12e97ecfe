"""Normalisation of the rows of a matrix."""
