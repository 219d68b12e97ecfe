"""What every op is held to. Each check takes a line of the table and one drawn sample.

    check_values(op, sample)                  the definition, on Tensors and on arrays
    check_gradients(op, sample)               finite differences, the complex step
    check_second_derivatives(op, sample)      the same for the backward pass
    check_manners(op, sample)                 nothing changed, nothing shared, shape and dtype kept
    check_float32(op, sample)                 as accurate as float32 can be, and float32 throughout
"""

import itertools

import numpy as np

import minigrad as mg
from minigrad.function import trace

EPS32 = float(np.finfo(np.float32).eps)


def leaves(arrays):
    return [mg.Tensor(a, requires_grad=True) for a in arrays]


def upstream(y):
    """A random cotangent for y (ones would show nothing of softmax), read-only, Fortran order."""
    v = np.array(np.random.default_rng(0).standard_normal(y.shape), y.dtype, order="F")
    v.flags.writeable = False
    return v


def check_values(op, sample):
    """Forward: the reference's numbers on Tensors, and the same bits when called on arrays."""
    f = op.bound(sample.options)
    before = [a.copy() for a in sample.arrays]
    y = f(*leaves(sample.arrays))
    assert y.requires_grad == (op.kind != "constant")

    expected = np.asarray(op.call(op.reference, [a.astype(np.longdouble) for a in sample.arrays],
                                  sample.options))
    assert y.shape == expected.shape
    np.testing.assert_allclose(y.data, expected.astype(float), rtol=1e-13, atol=1e-14)

    plain = f(*sample.arrays)
    assert isinstance(plain, (np.ndarray, np.generic)) and plain.dtype == y.dtype
    assert plain.shape == y.shape and plain.tobytes() == y.data.tobytes()
    assert all(map(np.array_equal, sample.arrays, before)), "an input was changed"


def check_gradients(op, sample):
    """Backward: central differences to 1e-7 and, for analytic ops, the complex step to 1e-12."""
    f = op.bound(sample.options)
    mg.gradcheck(f, sample.arrays)
    if op.kind == "analytic":
        mg.gradcheck(f, sample.arrays, "complex")


def check_second_derivatives(op, sample):
    """The backward of the backward, by the same rulers."""
    f = op.bound(sample.options)
    mg.gradgradcheck(f, sample.arrays)
    if op.kind == "analytic":
        mg.gradgradcheck(f, sample.arrays, "complex")


def check_manners(op, sample):
    """Input, output, upstream are left alone; gradients are the caller's own, in any layout.

    The same gradients come out of contiguous copies, and of a backward pass that is recorded.
    """
    f = op.bound(sample.options)
    xs = leaves(sample.arrays)
    y = f(*xs)
    v = upstream(y)
    arrays = [*sample.arrays, y.data, v]
    before = [a.copy() for a in arrays]

    f(*xs).backward(v)
    gradients = [g.data for g in mg.grad(y, xs, v)]
    assert all(map(np.array_equal, arrays, before)), "backward changed what is not its own"
    unshared([*gradients, *[x.grad.data for x in xs]], arrays)

    plain = leaves([a.copy() for a in sample.arrays])
    f(*plain).backward(v, create_graph=True)
    unshared([x.grad.data for x in plain], [*[x.data for x in plain], v])
    for x, g, other in zip(xs, gradients, plain):
        assert (g.shape, g.dtype) == (x.shape, x.dtype)
        assert np.array_equal(g, x.grad.data)
        np.testing.assert_allclose(g, other.grad.data, rtol=1e-13, atol=1e-13)


def unshared(gradients, others):
    """Each gradient may be written into without touching another one, an input or an output."""
    for g, other in [*itertools.combinations(gradients, 2), *itertools.product(gradients, others)]:
        assert not np.shares_memory(g, other), "a gradient shares memory"
    assert all(g.flags.writeable for g in gradients)


def check_float32(op, sample):
    """|float32 - float64| <= 32 eps32 sqrt(K), K the longest sum; no float64 on the way."""
    f = op.bound(sample.options)
    wide = leaves([a.astype(np.float32).astype(np.float64) for a in sample.arrays])
    narrow = leaves([x.data.astype(np.float32) for x in wide])
    seen = []
    for x in narrow:
        x.register_hook(lambda g: seen.append(g.dtype))  # before it is stored in the leaf's dtype

    with trace() as calls:
        y = f(*narrow)
        (v,) = leaves([upstream(y)])
        gs = mg.grad(y, narrow, v, retain_graph=True)
        recorded = mg.grad(y, narrow, v, create_graph=True)
        again = mg.grad(recorded, [*narrow, v], [upstream(g) for g in recorded], allow_unused=True)
    results = [*[call.output for call in calls], *recorded, *again]
    seen += [x.dtype for x in results if x is not None]
    assert np.float64 not in seen, "float64 in a float32 graph"
    assert {y.dtype, *[g.dtype for g in gs]} == {np.dtype(np.float32)}

    exact = f(*wide)
    expected = mg.grad(exact, wide, v.data.astype(np.float64))
    sizes = [max(x.numel(), 1) for x in (*wide, exact)]
    tolerance = 32 * EPS32 * np.sqrt(max(sizes) / min(sizes))
    for a, b in zip([y, *gs], [exact, *expected]):
        np.testing.assert_allclose(a.data, b.data, rtol=tolerance, atol=tolerance)
