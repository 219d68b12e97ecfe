"""Products of matrices and of stacks of them."""
