"""Sums and extrema over any axes."""
