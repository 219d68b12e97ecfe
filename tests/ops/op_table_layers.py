"""The lines of op_table.py for what layers do: activations, normalisations, attention and others.

Each is what an `Op` is made of: (samples, reference, kind of derivative, way of calling).
"""

import math

import numpy as np
from hypothesis import strategies as st

from tests.ops import op_references as ref
from tests.ops.op_samples import along_one, batches, elementwise, one_array
from tests.ops.strategies import Sample, axis, distinct, filled, off, real, shapes

CHOICES = st.sampled_from


def unary(reference, domain=real, kind="smooth", **options):
    return elementwise(domain, 1, options), reference, kind


def wide(*kinks):
    """Three times as far as `real`, off these kinks."""
    near = off(*(kink / 3 for kink in kinks))
    return lambda rng, n: 3 * near(rng, n)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log(1 + np.exp(x))


# ---- activations ---------------------------------------------------------------------------------

def _elu(x, alpha=1.0, scale=1.0, slope=1.0):
    return scale * np.where(x > 0, x, alpha * (np.exp(slope * x) - 1))


def _softplus(x, beta, threshold):
    return np.where(beta * x > threshold, x, softplus(beta * x) / beta)


ACTIVATIONS = {     # NumPy runs as many operations as they say they cost
    "silu": unary(lambda x: x * sigmoid(x), real, "analytic"),
    "mish": unary(lambda x: x * np.tanh(softplus(x))),
    "elu": unary(_elu, off(0), alpha=CHOICES([1.0, 0.5, -2.0])),
    "celu": unary(lambda x, alpha: _elu(x, alpha, slope=1 / alpha), off(0),
                  alpha=CHOICES([1.0, 0.5, 2.0])),
    "selu": unary(lambda x: _elu(x, 1.6732632423543772848, 1.0507009873554804934), off(0)),
    "relu6": unary(lambda x: np.clip(x, 0, 6), lambda rng, n: 4 * off(0, 1.5)(rng, n)),
    "hardtanh": unary(lambda x, min_val, max_val: np.clip(x, min_val, max_val), off(-0.5, 0.7),
                      min_val=st.just(-0.5), max_val=st.just(0.7)),
    "hardsigmoid": unary(lambda x: np.clip(x + 3, 0, 6) / 6, wide(-3, 3)),
    "hardswish": unary(lambda x: x * np.clip(x + 3, 0, 6) / 6, wide(-3, 3)),
    "logsigmoid": unary(lambda x: np.log(sigmoid(x))),
    "softsign": unary(lambda x: x / (1 + np.sqrt(x * x)), off(0)),
    "tanhshrink": unary(lambda x: x - np.tanh(x), real, "analytic"),
    "softshrink": unary(lambda x, lambd: np.sign(x) * np.maximum(np.sqrt(x * x) - lambd, 0),
                        off(-0.5, 0.5), lambd=st.just(0.5)),
    "hardshrink": unary(lambda x, lambd: x * (np.sqrt(x * x) > lambd), off(-0.5, 0.5),
                        lambd=st.just(0.5)),
    "threshold": unary(lambda x, threshold, value: np.where(x > threshold, x, value), off(0.3),
                       threshold=st.just(0.3), value=CHOICES([0, -20.0])),
    "softplus: scaled": unary(_softplus, off(0.5, -0.5), beta=CHOICES([2.0, 0.5, -2.0]),
                              threshold=CHOICES([1.0, 30.0])),
    "leaky_relu: negative": unary(lambda x, negative_slope: np.where(x > 0, x, negative_slope * x),
                                  off(0), negative_slope=CHOICES([-0.5, -1.0])),
}


@st.composite
def gated(draw):
    """An array one of whose axes has two halves."""
    shape, n = list(draw(shapes(min_dims=1, max_dims=3, max_size=8))), draw(st.integers(0, 2))
    dim = draw(axis(len(shape)))
    shape[dim] = 2 * n
    return Sample(filled(draw, [tuple(shape)], real), {"dim": dim})


def _glu(x, dim):
    a, b = np.split(x, 2, dim)
    return a * sigmoid(b)


@st.composite
def with_slopes(draw):
    """x (N, C, ...) and one slope, or one for each channel."""
    shape = draw(shapes())
    channels = draw(CHOICES([1, shape[1] if len(shape) > 1 else 1]))
    x, slopes = filled(draw, [shape, (channels,)], off(0))
    return Sample([x, slopes], {})


def _prelu(x, weight):
    weight = weight.reshape((-1, *[1] * (x.ndim - 2)) if x.ndim else ())
    return np.where(x > 0, x, weight * x)


def _gelu(x, approximate):
    if approximate == "none":
        return x * (1 + np.vectorize(math.erf, "d")(x.astype(float) / math.sqrt(2))) / 2
    return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


def softmin(x, dim):
    return ref.softmax(-x, dim)


# ---- normalisations ------------------------------------------------------------------------------

def spread(rng, n):
    """Numbers far from each other: no statistic of a few of them is tiny."""
    return 5 * distinct(rng, n)


epsilons = CHOICES([1e-5, 0.1])


@st.composite
def by_last_axes(draw, parameters):
    """x, the sizes of its last axes, and up to so many parameters of that shape."""
    shape = draw(CHOICES([(2,), (3,), (1, 3), (2, 2)]))
    lead = draw(shapes(max_dims=2, max_size=4))
    count = draw(st.integers(0, parameters))
    arrays = filled(draw, [(*lead, *shape), *[shape] * count], spread)
    return Sample(arrays, {"normalized_shape": shape, "eps": draw(epsilons)})


def shape_second(f, arrays, options):
    x, *parameters = arrays
    shape, eps = options["normalized_shape"], options["eps"]
    return f(x, shape, *parameters, eps=eps)


def _layer_norm(x, shape, weight=1, bias=0, eps=0):
    axes = tuple(range(-len(shape), 0))
    return weight * (x - x.mean(axes, keepdims=True)) / np.sqrt(
        x.var(axes, keepdims=True) + eps) + bias


def _rms_norm(x, shape, weight=1, eps=0):
    return weight * x / np.sqrt((x * x).mean(tuple(range(-len(shape), 0)), keepdims=True) + eps)


@st.composite
def in_groups(draw):
    """x (N, C, ...), perhaps weight and bias (C), and the number of groups."""
    groups, each = draw(CHOICES([(1, 2), (2, 1), (2, 2), (3, 1), (1, 1)]))
    rest = draw(CHOICES([(2,), (3, 1), (2, 2)]))
    found = [(draw(st.integers(1, 2)), groups * each, *rest), (groups * each,), (groups * each,)]
    return Sample(filled(draw, found[:draw(st.integers(1, 3))], spread),
                  {"num_groups": groups, "eps": draw(epsilons)})


def groups_second(f, arrays, options):
    return f(arrays[0], options["num_groups"], *arrays[1:], eps=options["eps"])


def _group_norm(x, groups, weight=None, bias=None, eps=0):
    y = np.stack([_layer_norm(part, part.shape[1:], eps=eps)
                  for part in np.split(x, groups, 1)], 1).reshape(x.shape)
    one = (-1, *[1] * (x.ndim - 2))
    return y * (1 if weight is None else weight.reshape(one)) + (
        0 if bias is None else bias.reshape(one))


def by_sample(f, arrays, options):
    """instance_norm without running statistics."""
    x, weight, bias = arrays
    if f is not _group_norm:
        return f(x, None, None, weight, bias, **options)
    return f(x, x.shape[1], weight, bias, **options)


def several_pixels(sample):
    return sample.arrays[0][0, 0].size > 1


def _local(x, size, alpha, beta, k):
    squares = np.pad(x * x, [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (x.ndim - 2)])
    total = sum(squares[:, i:i + x.shape[1]] for i in range(size))
    return x * (k + alpha * total / size)**-beta


def neighbours(shape):
    return st.fixed_dictionaries({"size": st.integers(1, 4), "alpha": st.just(0.5),
                                  "beta": CHOICES([0.75, 2.0]), "k": st.just(1.5)})


def orders(shape):
    return st.fixed_dictionaries({"p": CHOICES([2.0, 1.0, 3.0, math.inf]),
                                  "dim": axis(len(shape)), "eps": st.just(1e-12)})


def _normalize(x, p, dim, eps):
    size = np.abs(x)
    if p == math.inf:
        return x / size.max(dim, keepdims=True)
    return x / (size**p).sum(dim, keepdims=True)**(1 / p)


LINES = {
    "gelu": unary(_gelu, approximate=CHOICES(["none", "tanh"])),
    "glu": (gated(), _glu),
    "prelu": (with_slopes(), _prelu, "smooth"),
    "softmin": (one_array(along_one, min_dims=1), softmin),
    "layer_norm": (by_last_axes(2), _layer_norm, "analytic", shape_second),
    "rms_norm": (by_last_axes(1), _rms_norm, "analytic", shape_second),
    "group_norm": (in_groups(), _group_norm, "analytic", groups_second),
    "instance_norm": (batches(eps=epsilons).filter(several_pixels), _group_norm, "analytic",
                      by_sample),
    "local_response_norm": (one_array(neighbours, min_dims=3, empty=False), _local),
    "normalize": (one_array(orders, off(0), min_dims=1, empty=False), _normalize, "smooth"),
}
