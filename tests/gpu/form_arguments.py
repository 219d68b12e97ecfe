"""What each form of tests/gpu/test_forms.py is called with, drawn, and how: a line for each."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from minigrad.backend import keyed_generator
from minigrad.dtypes import number_type
from minigrad.kernels import conv
from minigrad.kernels.adaptive import cpu as adaptive
from minigrad.kernels.dropout import cpu as dropout
from minigrad.kernels.elementwise import cpu as elementwise
from minigrad.kernels.index import cpu as index
from minigrad.kernels.layer_norm import cpu as layer_norm
from minigrad.kernels.loss import cpu as loss
from minigrad.kernels.loss.targets import Targets
from minigrad.kernels.matmul import cpu as matmul
from minigrad.kernels.norm import cpu as norm
from minigrad.kernels.optim import cpu as optim
from minigrad.kernels.pool import cpu as pool
from minigrad.kernels.reduce import cpu as reduce
from minigrad.kernels.runtime import cuda
from tests.gpu.test_cuda_kernels import Numbers, windows


class Draw(Numbers):
    """Draws the arguments of a form: `draw(2, 3)` is an array in the tested dtype."""

    def __init__(self, data, dtype):
        super().__init__(data.draw(st.integers(0, 2**32 - 1)), number_type(dtype))
        self.data = data

    def __call__(self, *shape, ties=False):
        return np.asarray(super().__call__(*shape, ties=ties))  # of no axes too

    def size(self, most=5):
        return int(self.rng.integers(1, most + 1))

    def wide(self, *shape):
        """An array in C order, in the dtype of statistics and parameters."""
        return np.ascontiguousarray(self.rng.standard_normal(shape), cuda.wide(self.dtype))

    def dense(self, *shape):
        """An array without gaps in its memory, in any order of axes."""
        return self(*shape).copy(order="K")

    def window(self, pooling=False):
        """(N, C, window, (H, W)) that fit together."""
        return self.size(), self.size(), *self.data.draw(windows(pooling))


class Line(NamedTuple):
    """How a form is tested: its arguments, and how it is called."""

    arguments: Callable     # (draw) -> a tuple; arrays are NumPy's, those of numbers in draw.dtype
    call: Callable = lambda form, *arguments: form(*arguments)
    adds_up: bool = False   # changes arrays by their addresses: not to be run in several orders


# ---- the arguments -------------------------------------------------------------------------------

def maximum_in_windows(draw):
    n, c, window, size = draw.window(pooling=True)
    return draw(n, c, *size, ties=True), window


def winners(draw):
    """(sizes of the images, sizes of the output, which tap won in each window, the window)"""
    x, window = maximum_in_windows(draw)
    winner = pool.maximum(x.astype(np.float32), window)[1].astype(np.uint16)
    return x.shape, winner.shape, winner, window


def scatter_in_windows(draw):
    shape, out, winner, window = winners(draw)
    return draw(*out), winner, window, shape[2:]


def average_in_windows(draw):
    n, c, window, size = draw.window(pooling=True)
    return draw(n, c, *size), window


def spread_in_windows(draw):
    n, c, window, size = draw.window(pooling=True)
    return draw(n, c, *window.output_size(*size)), window, size


def image_and_bins(draw):
    return draw(draw.size(), draw.size(), draw.size(9), draw.size(9), ties=True), (
        draw.size(9), draw.size(9))


def convolution(draw):
    """(images, filters, the gradient of the output, window, groups)"""
    n, c, window, size = draw.window()
    groups, o = draw.size(3), draw.size()
    return (draw(n, groups * c, *size), draw(groups * o, c, window.kh, window.kw),
            draw(n, groups * o, *window.output_size(*size)), window, groups)


def convolved(draw):
    x, w, _, window, groups = convolution(draw)
    return x, w, window, groups, None if draw.size(2) == 1 else draw(len(w))


def input_gradient(draw):
    x, w, gy, window, groups = convolution(draw)
    return gy, w, window, x.shape[2:], groups


def weight_gradient(draw):
    x, _, gy, window, groups = convolution(draw)
    return x, gy, window, groups


def batch(draw):
    """(the shape of a batch of several values per channel, its channels)"""
    c = int(draw.rng.choice([1, 2, 5, 33]))
    return (draw.size(9) + 1, c, draw.size()), c


def statistics(draw):
    return draw(*batch(draw)[0]), 1e-3


def normalise(draw):
    shape, c = batch(draw)
    return draw(*shape), draw.wide(c), draw.wide(c), draw.wide(c), draw.size(2) == 1


def norm_gradient(draw):
    shape, c = batch(draw)
    x = draw(*shape)
    mean, _, scale = norm.statistics(x.astype(np.float64), 0.1)
    y = draw(*shape, ties=True) if draw.size(2) == 1 else None
    kept = (a.astype(cuda.wide(draw.dtype)) for a in (mean, scale))
    return draw(*shape), x, *kept, draw.wide(c), y


def fixed_gradient(draw):
    shape, c = batch(draw)
    return draw(*shape), draw(*shape), draw.wide(c), draw(*shape, ties=True)


def update_running(draw):
    c = draw.size(40)
    return *(draw.wide(c) for _ in range(4)), 0.1, 7


def rows(draw):
    n = int(draw.rng.choice([1, 2, 5, 300]))
    return draw(draw.size(9), n), draw.wide(n), draw.wide(n), 1e-3


def rows_and_gradient(draw):
    x, w, _, _ = rows(draw)
    _, mean, scale = layer_norm.normalise(x.astype(np.float64), 1.0, 0.0, 0.1)
    kept = (a.astype(cuda.wide(draw.dtype)) for a in (mean, scale))
    return draw(*x.shape), x, *kept, w


def one_and_choice(draw):
    return *one(draw), draw.size(2) == 1


def gradient_and_choice(draw):
    return *gradient_and_output(draw), draw.size(2) == 1


def add_at(draw):
    shape = draw.size(9), draw.size()
    at = draw.rng.integers(-shape[0], shape[0], draw.size(40))
    return draw(len(at), shape[1]), (at,), shape


def reduction(draw):
    shape = [draw.size(40) for _ in range(3)]
    axes = [None, 0, 1, (2,), (0, 2), (0, 1, 2)]
    return draw(*shape), axes[draw.rng.integers(len(axes))], draw.size(2) == 1


def product(draw):
    lead = [draw.size() for _ in range(draw.size(3) - 1)]
    n, k, m = draw.size(), draw.size(), draw.size()
    return draw(*lead, n, k), draw(*lead, k, m)


def shape(draw):
    return [draw.size() for _ in range(draw.size(5) - 1)]


def one(draw):
    return (draw(*shape(draw)),)


def gradient_and_output(draw):
    sizes = shape(draw)
    return draw(*sizes), draw(*sizes, ties=True)


def masked(draw):
    sizes = shape(draw)
    return draw(*sizes), draw.rng.random(sizes) < 0.5


def cast(draw):
    return draw(*shape(draw)), np.dtype("float64")


def dropped(draw):
    key = int(draw.rng.integers(2**32))
    return draw(1), keyed_generator(key, "dropout"), tuple(shape(draw)), 0.4


def targets(draw):
    """(scores, classes that count and some that do not)"""
    n, c = draw.size(), int(draw.rng.choice([1, 3, 130]))
    classes = draw.rng.integers(0, c, n)
    classes[1:][draw.rng.random(n - 1) < 0.3] = -100
    how = str(draw.rng.choice(["mean", "sum", "none"]))
    return draw(n, c), Targets(classes, None, -100, float(draw.rng.choice([0, 0.1, 1])), how)


def scores(draw):
    x, some_targets = targets(draw)
    return x, loss.prepared(x, some_targets)


def scores_and_gradient(draw):
    x, prepared = scores(draw)
    return x, prepared, draw(*(len(x),) if prepared.reduction == "none" else ())


def parameters(draw):
    """Items of an optimizer: parameters, gradients laid out in any way, no state yet."""
    shapes = [shape(draw) for _ in range(draw.size(3))]
    return [(draw.dense(*sizes), draw(*sizes), {}) for sizes in shapes]


def sgd(draw):
    momentum = float(draw.rng.choice([0, 0.9]))
    return parameters(draw), {
        "lr": 0.1, "momentum": momentum, "dampening": float(draw.rng.choice([0, 0.3])),
        "weight_decay": float(draw.rng.choice([0, 0.1])),
        "nesterov": bool(momentum and draw.size(2) == 1)}


def adam(draw):
    return parameters(draw), {
        "lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, "amsgrad": False,
        "weight_decay": float(draw.rng.choice([0, 0.1])),
        "decoupled_weight_decay": draw.size(2) == 1}


def pieces(draw):
    sizes = shape(draw)
    return draw.dense(*sizes), draw.dense(*sizes)


def gradients(draw):
    return [p for p, _, _ in parameters(draw)]


def with_number(draw):
    return gradients(draw), float(draw.rng.uniform(0.1, 2))


def with_order(draw):
    return gradients(draw), float(draw.rng.choice([1, 1.5, 2, 3, math.inf]))


# ---- how they are called -------------------------------------------------------------------------

def twice(form, *arguments):
    """The second step goes on with the state that the first one makes."""
    form(*arguments)
    form(*arguments)


def doubled(form, *arrays):
    for some_pieces in form(*arrays):
        for piece in some_pieces:
            piece *= 2


def only_the_loss(form, *arguments):
    return form(*arguments)[0]


def behind_its_loss(form, x, prepared, gy):
    return form(x, prepared, gy, loss.cross_entropy(x, prepared)[1])


def norm_of_norms(form, some_gradients, order):
    return float(np.linalg.norm(form(some_gradients, order), order))


LINES = {
    pool.maximum: Line(maximum_in_windows),
    pool.scatter: Line(scatter_in_windows),
    pool.average: Line(average_in_windows),
    pool.average_transpose: Line(spread_in_windows),
    adaptive.average: Line(image_and_bins),
    adaptive.average_transpose: Line(image_and_bins),
    adaptive.maximum: Line(image_and_bins),
    conv.forward: Line(convolved),
    conv.input_gradient: Line(input_gradient),
    conv.weight_gradient: Line(weight_gradient),
    norm.statistics: Line(statistics),
    norm.normalise: Line(normalise),
    norm.gradient: Line(norm_gradient),
    norm.fixed_gradient: Line(fixed_gradient),
    norm.update_running: Line(update_running),
    index.add_at: Line(add_at),
    layer_norm.normalise: Line(rows),
    layer_norm.gradient: Line(rows_and_gradient),
    reduce.sum: Line(reduction),
    reduce.amax: Line(reduction),
    reduce.amin: Line(reduction),
    matmul.matmul: Line(product),
    elementwise.sigmoid: Line(one),
    elementwise.sigmoid_gradient: Line(gradient_and_output),
    elementwise.tanh_gradient: Line(gradient_and_output),
    elementwise.erf: Line(one),
    elementwise.relu: Line(one),
    elementwise.relu_gradient: Line(gradient_and_output),
    elementwise.gelu: Line(one_and_choice),
    elementwise.gelu_gradient: Line(gradient_and_choice),
    elementwise.masked: Line(masked),
    elementwise.cast: Line(cast),
    dropout.mask: Line(dropped),
    loss.prepared: Line(targets),
    loss.cross_entropy: Line(scores, only_the_loss),
    loss.cross_entropy_gradient: Line(scores_and_gradient, behind_its_loss),
    optim.sgd: Line(sgd, twice, adds_up=True),
    optim.adam: Line(adam, twice, adds_up=True),
    optim.blocks: Line(pieces, doubled),
    optim.clip: Line(with_number),
    optim.scale: Line(with_number, adds_up=True),
    optim.unscale: Line(with_number, adds_up=True),
    optim.norms: Line(with_order, norm_of_norms),
    optim.squared_norm: Line(lambda draw: (gradients(draw),)),
}
