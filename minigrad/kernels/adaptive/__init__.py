"""Maxima and means of bins that tile an image."""
