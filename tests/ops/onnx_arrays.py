"""ONNX's operators that PyTorch has as functions of tensors; see tests/ops/onnx_operators.py."""

import minigrad as mg
from tests.ops.onnx_moves import numbers, unless


def exactly(f):
    return lambda *xs: f(*xs)


def mod(a, b, fmod=0):
    return (mg.fmod if fmod else mg.remainder)(a, b)


def divide(a, b):
    return mg.div(a, b) if a.dtype.kind not in "iu" else mg.div(a, b, rounding_mode="trunc")


def is_inf(x, detect_negative=1, detect_positive=1):
    y = mg.isinf(x)
    y = y if detect_negative else mg.logical_and(y, mg.gt(x, 0))
    return y if detect_positive else mg.logical_and(y, mg.lt(x, 0))


def cumulated(f, of_nothing):
    def run(x, axis, exclusive=0, reverse=0):
        unless(not exclusive or x.ndim == 1, "running sums without the element itself, of matrices")
        axis = axis.item()
        y = mg.cast(f(mg.flip(x, axis) if reverse else x, axis), x.dtype)
        y = mg.pad(y, (1, -1), value=of_nothing) if exclusive else y
        return mg.flip(y, axis) if reverse else y
    return run


def reduce_prod(x, axes=None, keepdims=1, noop_with_empty_axes=0):
    axes = numbers(axes) if isinstance(axes, mg.Tensor) else axes
    if not axes:
        axes = [] if noop_with_empty_axes else range(x.ndim)
    for axis in axes:
        x = mg.prod(x, axis, True, dtype=x.dtype)
    return x if keepdims else mg.squeeze(x, tuple(axes))


def top_k(x, k, axis=-1, largest=1, sorted=1):
    return tuple(mg.topk(x, k.item(), axis, bool(largest)))


def trilu(x, k=None, upper=1):
    return (mg.triu if upper else mg.tril)(x, 0 if k is None else k.item())


def one_hot(indices, depth, values, axis=-1):
    n = int(depth.item())
    places = mg.unsqueeze(mg.where(mg.lt(indices, 0), mg.add(indices, n), indices), -1)
    y = mg.where(mg.eq(places, mg.Tensor(list(range(n)))), values[1], values[0])
    return mg.movedim(y, -1, axis)


def hardmax(x, axis=-1):
    y = mg.one_hot(mg.argmax(x, axis), x.shape[axis])
    return mg.cast(mg.movedim(y, -1, axis), x.dtype)


def split(x, split=None, axis=0, num_outputs=None):
    if split is None:
        unless(num_outputs, "split into a number of parts that the node does not name")
        return tuple(mg.chunk(x, num_outputs, axis))
    return tuple(mg.split(x, numbers(split), axis))


def gather_elements(x, indices, axis=0):
    return mg.gather(x, axis, indices)


def scatter_elements(x, indices, updates, axis=0, reduction="none"):
    unless(reduction in ("none", "add"), "scattered elements that add up")
    return (mg.scatter if reduction == "none" else mg.scatter_add)(x, axis, indices, updates)


ARRAYS = {
    **{name: exactly(f) for name, f in {
        "Acos": mg.acos, "Acosh": mg.acosh, "Asin": mg.asin, "Asinh": mg.asinh, "Atan": mg.atan,
        "Atanh": mg.atanh, "Ceil": mg.ceil, "Cosh": mg.cosh, "Erf": mg.erf, "Floor": mg.floor,
        "IsNaN": mg.isnan, "Reciprocal": mg.reciprocal, "Round": mg.round, "Sinh": mg.sinh,
        "Tan": mg.tan, "Xor": mg.logical_xor}.items()},
    "CumProd": cumulated(mg.cumprod, 1), "CumSum": cumulated(mg.cumsum, 0), "Div": divide,
    "Einsum": lambda *xs, equation: mg.einsum(equation, *xs), "GatherElements": gather_elements,
    "Hardmax": hardmax, "IsInf": is_inf, "Mod": mod,
    "NonZero": lambda x: mg.permute(mg.nonzero(x), (1, 0)), "OneHot": one_hot,
    "ReduceProd": reduce_prod, "ScatterElements": scatter_elements, "Scatter": scatter_elements,
    "Split": split, "Tile": lambda x, repeats: mg.tile(x, numbers(repeats)), "TopK": top_k,
    "Trilu": trilu,
}
