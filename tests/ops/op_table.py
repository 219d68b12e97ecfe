"""Every op in one table: what to call it with, what it should give, how smooth it is.

    "exp": unary(np.exp),

A new op needs one line here: tests/ops/test_ops.py and the tests of mutants, costs, parity, GPUs
and 16-bit numbers draw from it. A line names the strategy that draws arguments, and a reference:
the definition in NumPy, taking the same arguments. References run in extended precision, so the
plain formula will do where the op needs a careful one.
`kind` says how gradients are checked: "analytic" by the complex step and by central differences,
"smooth" by central differences, with values drawn off the kinks; a "constant" has none.
"""

import math
from typing import Callable, NamedTuple

import numpy as np
from hypothesis import strategies as st

import minigrad as mg
from tests.ops import op_references as ref
from tests.ops.op_samples import (along_one, around, batches, classifications, conditions,
                                  convolutions, differing, elementwise, expandable,
                                  images, index, insertable, layers, matrices, merged, new_shape,
                                  one_array, one_axis_or_all, poolings, reduced, reordered, rows,
                                  several, sides, signed, squeezable, summable,
                                  transposed_convolutions, two_alike, two_axes, whole_channels,
                                  widths)
from tests.ops.op_table_images import LINES as OF_IMAGES
from tests.ops.op_table_layers import ACTIVATIONS
from tests.ops.op_table_layers import LINES as OF_LAYERS
from tests.ops.strategies import (above_minus_one, distinct, off, positive, probable, real,
                                  trits, whole)


# ---- ways of calling -----------------------------------------------------------------------------

def by_name(f, arrays, options):
    return f(*arrays, **options)


def by_position(f, arrays, options):
    return f(*arrays, *options.values())


def by_a_hundred(f, arrays, options):
    return f(*arrays, 100, **options)


def options_first(f, arrays, options):
    return f(*options.values(), *arrays)


def as_list(f, arrays, options):
    return f(arrays, **options)


def values(f, arrays, options):
    """What max and min give, without the indices that come along if there is a `dim`."""
    result = f(*arrays, **options)
    return result.values if isinstance(result, tuple) else result


def reseeded(f, arrays, options):
    mg.manual_seed(0)
    return f(*arrays, **options)


def there_and_back(f, arrays, options):
    """To a wider dtype, which loses nothing, and back."""
    (x,) = arrays
    return f(f(x, np.longdouble), x.dtype)


def checkered(f, arrays, options):
    """where, with a chessboard of the operands' common shape as its condition."""
    shape = np.broadcast_shapes(*map(np.shape, arrays))
    return f(np.indices(shape).sum(0) % 2 == 0, *arrays)


def places(f, arrays, options):
    """Where max_pool2d found its values."""
    if f is ref.max_places:
        return f(*arrays, **options)
    return f(*arrays, **options, return_indices=True)[1]


def by_batch(f, arrays, options):
    """batch_norm in training, without running statistics."""
    x, weight, bias = arrays
    return f(x, None, None, weight, bias, training=True, **options)


def by_running(f, arrays, options):
    """batch_norm in evaluation, by running statistics in the precision of x."""
    x, weight, bias = arrays
    dtype = np.float32 if x.dtype == np.float32 else np.float64
    running = [np.array(values[:len(bias)], dtype) for values in ([0.5, -1, 2], [2, 0.3, 1])]
    return f(x, *running, weight, bias, training=False, **options)


def on_integers(f, arrays, options):
    return f(*[mg.cast(a, np.int64) for a in arrays], **options)


class Op(NamedTuple):
    """One line of the table."""

    samples: st.SearchStrategy  # of Sample
    reference: Callable
    kind: str = "analytic"
    call: Callable = by_name  # call(f, arrays, options), for f the function or its reference
    domain: Callable = None  # of a binary op: where the values of its operands come from
    function: Callable = None  # minigrad's; filled in from the registry

    def bound(self, options):
        """The op as a function of its arrays alone."""
        return lambda *arrays: self.call(self.function, arrays, options)


# ---- lines that many ops share -------------------------------------------------------------------

def unary(reference, domain=real, kind="analytic", call=by_name, **options):
    return Op(elementwise(domain, 1, options), reference, kind, call)


def binary(reference, domain=real, kind="analytic", call=by_name):
    return Op(elementwise(domain, 2, {}), reference, kind, call, domain)


def reduction(reference, domain=real, kind="analytic", options=reduced(), call=by_name, **limits):
    return Op(one_array(options, domain, **limits), reference, kind, call)


def moved(reference, options, call=by_position, **limits):
    """An op that moves elements without computing."""
    return Op(one_array(options, **limits), reference, call=call)


# ---- the table: the registered name, and after a colon which way of calling it this is -----------

UNARY = {
    "neg": unary(lambda x: -x),
    "exp": unary(np.exp),
    "expm1": unary(np.expm1),
    "log": unary(np.log, positive),
    "log1p": unary(np.log1p, above_minus_one),
    "sqrt": unary(np.sqrt, positive),
    "sin": unary(np.sin),
    "cos": unary(np.cos),
    "tanh": unary(np.tanh),
    "sigmoid": unary(lambda x: 1 / (1 + np.exp(-x))),
    "softplus": unary(lambda x: np.log(1 + np.exp(x)), real, "smooth"),
    "abs": unary(lambda x: np.sqrt(x * x), off(0), "smooth"),
    "relu": unary(lambda x: x * (x > 0), off(0), "smooth"),
    "leaky_relu": unary(lambda x, negative_slope: np.where(x > 0, x, negative_slope * x), off(0),
                        "smooth", negative_slope=st.sampled_from([0.0, 0.01, 1.0, 3.0])),
    "clip": unary(lambda x, min, max: np.where(x < min, min, np.where(x > max, max, x)),
                  off(-0.5, 0.7), "smooth", min=st.just(-0.5), max=st.just(0.7)),
    "clip: from below": unary(lambda x, min: np.where(x < min, min, x), off(-0.5), "smooth",
                              min=st.just(-0.5)),
    "clip: from above": unary(lambda x, max: np.where(x > max, max, x), off(0.7), "smooth",
                              max=st.just(0.7)),
    "reciprocal": unary(lambda x: 1 / x, off(0)),
    "rsqrt": unary(lambda x: 1 / np.sqrt(x), positive),
    "div: rounded": unary(lambda x, b, rounding_mode: np.where(x < 0, -1.0 * (
        rounding_mode == "floor"), 0.0), off(0), "smooth", by_a_hundred,
        rounding_mode=st.sampled_from(["floor", "trunc"])),
    "add: with a factor": Op(elementwise(real, 2, {"alpha": st.sampled_from([-1, 0.5, 3])}),
                             lambda a, b, alpha: a + alpha * b),
    "sub: with a factor": Op(elementwise(real, 2, {"alpha": st.sampled_from([-1, 0.5, 3])}),
                             lambda a, b, alpha: a - alpha * b),
    "sign": unary(lambda x: 1.0 * (x > 0) - 1.0 * (x < 0), off(0), "smooth"),
    "logical_not": unary(lambda x: x == 0, trits, "constant"),
    "clone": unary(lambda x: x),
    "pow: by a number": unary(lambda x, b: np.sign(x)**b * np.exp(b * np.log(abs(x))), off(0),
                              call=by_position, b=st.sampled_from([-2, -1, 0, 1, 2, 3, 3.0])),
    "pow: of a number": unary(lambda a, x: np.exp(x * np.log(a)), call=options_first,
                              a=st.sampled_from([1, 2, 2.3])),
    "dropout": unary(ref.dropped(mg.dropout), call=reseeded, p=st.sampled_from([0.0, 0.3, 1.0]),
                     training=st.booleans()),
    **{name: Op(*line) for name, line in ACTIVATIONS.items()},
}

BINARY = {
    "add": binary(lambda a, b: a + b),
    "sub": binary(lambda a, b: a - b),
    "mul": binary(lambda a, b: a * b),
    "div": binary(lambda a, b: a / b, off(0)),
    "pow": binary(lambda a, b: np.exp(b * np.log(a)), positive),
    "maximum": binary(lambda a, b: np.where(a > b, a, b), distinct, "smooth"),
    "minimum": binary(lambda a, b: np.where(a < b, a, b), distinct, "smooth"),
    "where": binary(np.where, call=checkered),
    "eq": binary(lambda a, b: a == b, trits, "constant"),
    "ne": binary(lambda a, b: a != b, trits, "constant"),
    "lt": binary(lambda a, b: a < b, trits, "constant"),
    "le": binary(lambda a, b: a <= b, trits, "constant"),
    "gt": binary(lambda a, b: a > b, trits, "constant"),
    "ge": binary(lambda a, b: a >= b, trits, "constant"),
    "logical_and": binary(lambda a, b: (a != 0) & (b != 0), trits, "constant"),
    "logical_or": binary(lambda a, b: (a != 0) | (b != 0), trits, "constant"),
}

BITWISE = {
    "bitwise_not": unary(lambda x: -x - 1, whole, "constant", on_integers),
    **{name: Op(elementwise(whole, 2, {}), reference, "constant", on_integers)
       for name, reference in {
           "bitwise_and": lambda a, b: a + b - (a | b), "bitwise_or": lambda a, b: a + b - (a & b),
           "bitwise_xor": lambda a, b: (a | b) - (a & b),
           "bitwise_left_shift": lambda a, b: a * 2**b,
           "bitwise_right_shift": lambda a, b: a // 2**b}.items()},
}

# What takes more steps of NumPy than it counts operations, in contrast to UNARY and BINARY.
ELEMENTS = {
    "erf": unary(np.vectorize(math.erf, "d"), real, "smooth"),
}

REDUCTIONS = {
    "sum": reduction(ref.over(np.sum)),
    "mean": reduction(ref.over(np.mean), empty=False),
    "var": reduction(ref.var, options=reduced(correction=st.integers(0, 1)), min_dims=1, min_side=2,
                     empty=False),
    "logsumexp": reduction(ref.logsumexp, empty=False),
    "amax": reduction(ref.over(np.max), distinct, "smooth", empty=False),
    "amin": reduction(ref.over(np.min), distinct, "smooth", empty=False),
    "max": reduction(ref.over(np.max), distinct, "smooth", reduced(one_axis_or_all), values,
                     empty=False),
    "min": reduction(ref.over(np.min), distinct, "smooth", reduced(one_axis_or_all), values,
                     empty=False),
    "argmax": reduction(ref.over(np.argmax), trits, "constant", reduced(one_axis_or_all),
                        empty=False),
    "argmin": reduction(ref.over(np.argmin), trits, "constant", reduced(one_axis_or_all),
                        empty=False),
    "softmax": reduction(ref.softmax, options=along_one, min_dims=1),
    "log_softmax": reduction(ref.log_softmax, options=along_one, min_dims=1, empty=False),
}

MOVES = {
    "reshape": moved(np.reshape, new_shape),
    "permute": moved(np.transpose, reordered),
    "transpose": moved(lambda x, dim0, dim1: x.swapaxes(dim0, dim1), two_axes, by_name, min_dims=1),
    "flatten": moved(ref.flatten, merged, by_name),
    "squeeze": moved(ref.squeeze, squeezable),
    "unsqueeze": moved(np.expand_dims, insertable),
    "getitem": moved(lambda x, index: x[index], index),
    "pad": moved(ref.pad, widths, by_name),
    "pad: by its own elements": Op(around(), ref.pad),
    "expand": Op(expandable(), ref.expand, call=by_position),
    "sum_to": Op(summable(), ref.sum_to, call=by_position),
    "concatenate": Op(several(new_axis=False), lambda xs, dim: np.concatenate(xs, dim),
                      call=as_list),
    "stack": Op(several(new_axis=True), lambda xs, dim: np.stack(xs, dim), call=as_list),
    "cast": unary(lambda x, dtype: x.astype(dtype), kind="smooth", call=there_and_back),
    "to": unary(lambda x, dtype: x.astype(dtype), kind="smooth", call=there_and_back),
    "to: where it is": unary(lambda x, device: x, call=by_position, device=st.just("cpu")),
    "where: a condition that broadcasts": Op(conditions(), np.where, call=options_first),
}

PRODUCTS = {
    "matmul": Op(matrices(), np.matmul),
    "linear": Op(layers(), ref.linear),
    "conv2d": Op(convolutions(), ref.conv2d),
    "conv_transpose2d": Op(transposed_convolutions(), ref.conv_transpose2d),
}

dilated = {"dilation": sides(1, 2), "ceil_mode": st.booleans()}

IMAGES = {
    "avg_pool2d": Op(poolings(real), ref.pool(np.mean, 0)),
    "avg_pool2d: which pixels count": Op(poolings(
        real, ceil_mode=st.booleans(), count_include_pad=st.booleans(),
        divisor_override=st.sampled_from([None, None, 1, -3])), ref.avg_pool2d),
    "max_pool2d": Op(poolings(distinct, **dilated), ref.pool(np.max, -np.inf), "smooth"),
    "max_pool2d: indices": Op(poolings(distinct, **dilated), ref.max_places, "constant", places),
    "adaptive_avg_pool2d": Op(images(output_size=sides(1, 6)), ref.adaptive_pool(np.mean)),
    "adaptive_max_pool2d": Op(images(distinct, output_size=sides(1, 6)),
                              ref.adaptive_pool(np.max), "smooth"),
    "upsample_nearest2d": Op(images(scale_factor=sides(1, 3)), ref.upsample_nearest2d),
    "batch_norm: training": Op(batches(eps=st.sampled_from([1e-5, 0.1])), ref.batch_norm,
                               call=by_batch),
    "batch_norm: evaluation": Op(batches(eps=st.sampled_from([1e-5, 0.1])), ref.batch_norm,
                                 call=by_running),
    "batch_norm: training, then ReLU": Op(batches(eps=st.just(0.1), relu=st.just(True)),
                                          ref.rectified(ref.batch_norm), "smooth", by_batch),
    "batch_norm: evaluation, then ReLU": Op(batches(eps=st.just(0.1), relu=st.just(True)),
                                            ref.rectified(ref.batch_norm), "smooth", by_running),
    "batch_norm: training, then ReLU6": Op(batches(eps=st.just(0.1), relu=st.just(6)),
                                           ref.rectified(ref.batch_norm, 6), "smooth", by_batch),
    "batch_norm: evaluation, then ReLU6": Op(batches(eps=st.just(0.1), relu=st.just(6)),
                                             ref.rectified(ref.batch_norm, 6), "smooth",
                                             by_running),
    "dropout2d": Op(one_array(whole_channels, min_dims=3), ref.dropped(mg.dropout2d),
                    call=reseeded),
}

LOSSES = {
    "nll_loss": Op(classifications(), ref.nll_loss),
    "cross_entropy": Op(classifications(label_smoothing=st.sampled_from([0.0, 0.1, 1.0])),
                        ref.cross_entropy),
    "mse_loss": Op(two_alike(), ref.mse_loss),
    "l1_loss": Op(differing(0), ref.absolute, "smooth"),
    "smooth_l1_loss": Op(differing(0, -1.5, 1.5, -0.5, 0.5, beta=st.sampled_from([0.5, 1.5, 0])),
                         ref.smooth_l1, "smooth"),
    "huber_loss": Op(differing(0, -1.5, 1.5, -0.5, 0.5, delta=st.sampled_from([0.5, 1.5])),
                     ref.huber, "smooth"),
    "binary_cross_entropy": Op(two_alike(probable), ref.binary_cross_entropy, "smooth"),
    "soft_margin_loss": Op(one_array(signed(), empty=False), ref.soft_margin, "smooth"),
    "kl_div": Op(two_alike(positive, log_target=st.booleans()), ref.divergence),
    "kl_div: of a batch": Op(rows(2, positive, reduction=st.just("batchmean"),
                                  log_target=st.booleans()), ref.divergence),
    "cosine_similarity": Op(rows(2, off(0), dim=st.sampled_from([1, -1])), ref.cosine, "smooth"),
    "pairwise_distance": Op(rows(2, distinct, p=st.sampled_from([1.0, 2.0, 3.0]),
                                 keepdim=st.booleans()), ref.distance, "smooth"),
    "binary_cross_entropy_with_logits": Op(two_alike(), ref.binary_cross_entropy_with_logits,
                                           "smooth"),
}

LAYERS = {name: Op(*line) for name, line in {**OF_LAYERS, **OF_IMAGES}.items()}

TABLE = {name: op._replace(function=mg.ops.REGISTRY[name.partition(":")[0]]) for name, op in
         {**UNARY, **BINARY, **BITWISE, **ELEMENTS, **REDUCTIONS, **MOVES, **PRODUCTS, **IMAGES,
          **LOSSES, **LAYERS}.items()}
DIFFERENTIABLE = {name: op for name, op in TABLE.items() if op.kind != "constant"}
