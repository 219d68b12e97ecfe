"""PyTorch's functions of tensors beyond the ones that layers are made of.

    elements    functions of single elements: erf, rounding, remainders, tests for NaN
    piecewise   activations of pieces that meet at kinks
"""
