"""PyTorch's functions of tensors beyond the ones that layers are made of.

    elements    functions of single elements: erf, rounding, angles, logarithms
    gather      taking elements by index, and putting values where an index says
    moves       turning, repeating, cutting into pieces, triangles, stacks
    order       sorting, the largest few, counting, choosing at random
    piecewise   activations of pieces that meet at kinks
    products    of matrices and vectors by name, einsum
    reductions  running sums and products, products, truth
"""
