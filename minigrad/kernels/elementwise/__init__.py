"""Formulas of single elements, each in one pass over memory on the GPU."""
