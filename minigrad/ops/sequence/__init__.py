"""Ops on sequences: attention, and rows of a table by their numbers."""
