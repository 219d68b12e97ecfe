"""Adding up by index."""
