"""Statistics of batches, and what normalises by them."""
