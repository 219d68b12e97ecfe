"""ONNX's operators that move elements or make them; see tests/ops/onnx_operators.py."""

import itertools
import math

import minigrad as mg

DTYPES = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
          9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
          16: "bfloat16"}  # TensorProto's numbers
PAD_MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


class NotOffered(Exception):
    """A form of a mapped operator that minigrad has no name for."""


def unless(condition, form):
    """NotOffered for `form` if the condition does not hold."""
    if not condition:
        raise NotOffered(form)


def numbers(x):
    """An input that holds sizes, axes or limits, as Python numbers."""
    return x.numpy().tolist()


def axes_in(axes):
    """An operator's axes: an attribute in old versions, else an input, which may be one number."""
    axes = axes if isinstance(axes, list) else numbers(axes)
    return axes if isinstance(axes, list) else [axes]


def axis_of(x, axis):
    """A negative axis counted from the front."""
    return range(x.ndim)[axis]


def along(x, axis, index):
    """x indexed along one axis."""
    return x[(*itertools.repeat(slice(None), axis_of(x, axis)), index)]


def reshape(x, shape, allowzero=0):
    shape = numbers(shape)
    return mg.reshape(x, tuple(x.shape[i] if n == 0 and not allowzero else n
                               for i, n in enumerate(shape)))


def flatten(x, axis=1):
    return mg.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


def transpose(x, perm=None):
    return mg.permute(x, tuple(reversed(range(x.ndim)) if perm is None else perm))


def squeeze(x, axes=None):
    if axes is None:
        return mg.squeeze(x)
    for axis in sorted((axis_of(x, axis) for axis in axes_in(axes)), reverse=True):
        x = mg.squeeze(x, axis)
    return x


def unsqueeze(x, axes):
    axes = axes_in(axes)
    for axis in sorted(range(len([*x.shape, *axes]))[axis] for axis in axes):
        x = mg.unsqueeze(x, axis)
    return x


def expand(x, shape):
    sides = itertools.zip_longest(reversed(x.shape), reversed(numbers(shape)), fillvalue=1)
    return mg.expand(x, tuple(b if a == 1 else a for a, b in sides)[::-1])


def concatenate(*xs, axis):
    return mg.concatenate(xs, axis)


def slice_of(x, starts, ends, axes=None, steps=None):
    starts, ends = numbers(starts), numbers(ends)
    axes = range(len(starts)) if axes is None else numbers(axes)
    steps = itertools.repeat(1) if steps is None else numbers(steps)
    for start, end, axis, step in zip(starts, ends, axes, steps):
        x = along(x, axis, slice(start, end, step))
    return x


def gather(x, indices, axis=0):
    return along(x, axis, indices)


def compress(x, condition, axis=None):
    if axis is None:
        return mg.flatten(x)[: condition.numel()][condition]
    return along(along(x, axis, slice(condition.numel())), axis, condition)


def row_index(indices):
    """The last axis of `indices` as a tuple of index arrays."""
    return tuple(indices[..., k] for k in range(indices.shape[-1]))


def gather_nd(x, indices, batch_dims=0):
    unless(batch_dims == 0, "indices for each member of a batch")
    return x[row_index(indices)]


def scatter_nd(x, indices, updates, reduction="none"):
    unless(reduction == "none", "scattered elements that add up")
    y = mg.clone(x)
    y[row_index(indices)] = updates
    return y


def widths(x, pairs, first=0):
    """PyTorch's row of padding for the axes from the first one on, the last axis first."""
    axes = reversed(range(first, x.ndim))
    return tuple(width for axis in axes for width in pairs.get(axis, (0, 0)))


def pad(x, pads, value=None, axes=None, mode="constant"):
    pads = numbers(pads)
    axes = range(x.ndim) if axes is None else [axis_of(x, axis) for axis in numbers(axes)]
    count = len(axes)
    pairs = dict(zip(axes, zip(pads[:count], pads[count:])))
    if mode == "constant":
        return mg.pad(x, widths(x, pairs), mode, 0 if value is None else value.item())
    first = min(axis for axis in pairs if any(pairs[axis]))
    return mg.pad(x, widths(x, pairs, first), PAD_MODES[mode])


def depth_to_space(x, blocksize, mode="DCR"):
    n, c, h, w = x.shape
    if mode == "DCR":
        y = mg.permute(mg.reshape(x, (n, blocksize, blocksize, -1, h, w)), (0, 3, 4, 1, 5, 2))
    else:
        y = mg.permute(mg.reshape(x, (n, -1, blocksize, blocksize, h, w)), (0, 1, 4, 2, 5, 3))
    return mg.flatten(mg.flatten(y, 2, 3), 3, 4)


def constant(value=None, value_float=None, value_floats=None, value_int=None, value_ints=None):
    floats = value_float if value_floats is None else value_floats
    ints = value_int if value_ints is None else value_ints
    if value is not None:
        return value
    return mg.Tensor(ints) if floats is None else mg.Tensor(floats, dtype="float32")


def constant_of_shape(shape, value=None):
    value = mg.Tensor([0.0], dtype="float32") if value is None else value
    return mg.expand(value, numbers(shape)) if numbers(shape) else mg.reshape(value, ())


def shape_of(x, start=0, end=None):
    return mg.Tensor(list(x.shape[start:end]), dtype="int64")


def size_of(x):
    return mg.Tensor(x.numel())


def range_of(start, limit, delta):
    return mg.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


def eye_like(x, dtype=None, k=0):
    y = mg.triu(mg.tril(mg.ones_like(x), k), k)
    return y if dtype is None else mg.cast(y, DTYPES[dtype])
