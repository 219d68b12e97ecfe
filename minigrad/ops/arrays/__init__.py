"""PyTorch's functions of tensors beyond the ones that layers are made of."""
