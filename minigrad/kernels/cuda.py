"""Compiling and launching our CUDA kernels on a GPU: the only module that does either.

    @twin("pool")                       a CPU function whose GPU form is pool_cuda.<its name>
    def average(x, window): ...

    @fused("relu_gradient")             a formula that is one kernel of elementwise.cu on the GPU
    def backward(self, gy, y): ...

    launch("pool", "average", [x], [y], geometry)     y = the kernel `average` of pool.cu on x

A kernel is handed bare pointers, and CuPy checks nothing about them. So everything that could go
wrong is decided here: memory layout, dtypes, the width of indices, empty arrays, the size of the
grid, and what an exhausted memory is told as.
"""

from __future__ import annotations

import functools
import importlib
import math
import pathlib
import re

import numpy as np

from minigrad.backend import array_module, on_gpu
from minigrad.half import CHARS

BLOCK = 256  # threads per block, unless a kernel says otherwise
INT_LIMIT = 2**31  # arrays with fewer elements are indexed by 32-bit integers
TYPES = {"f": "float", "d": "double", "e": "float16", "E": "bfloat16"}  # by numpy.dtype.char
INDICES = ("int", "long long")
FILES = ("conv", "gemm", "pool", "norm", "loss", "elementwise", "dropout", "optim",
         "index", "adaptive", "reduce")
_FLOAT32 = np.dtype(np.float32)
HERE = pathlib.Path(__file__).parent
GEOMETRY = np.dtype([(name, np.int32) for name in (
    "N", "C", "H", "W", "O", "oh", "ow", "kh", "kw", "sh", "sw", "ph", "pw", "dh", "dw", "groups")])


def twin(module):
    """Decorates a function on arrays: CuPy's go to the same name in kernels/<module>_cuda.py.

    Which one it is follows from the first argument.
    """
    def decorate(on_cpu):
        @functools.wraps(on_cpu)
        def dispatch(x, *rest, **options):
            if not on_gpu(x):
                return on_cpu(x, *rest, **options)
            twins = importlib.import_module(f"minigrad.kernels.{module}_cuda")
            return getattr(twins, on_cpu.__name__)(x, *rest, **options)
        return dispatch
    return decorate


def fused(kernel):
    """Decorates a method (self, *arrays of one shape): on the GPU it is a kernel of elementwise.cu.

    For other dtypes than kernels know (`TYPES`) the method itself runs there too.
    """
    def decorate(method):
        @functools.wraps(method)
        def dispatch(self, *arrays):
            if not on_gpu(arrays[0]) or arrays[0].dtype.char not in TYPES:
                return method(self, *arrays)
            views, restore = in_memory_order(*arrays)
            y = array_module(views[0]).empty(views[0].shape, views[0].dtype)
            launch("elementwise", kernel, views, [y])
            return restore(y)
        return dispatch
    return decorate


def source(file):
    """The text of kernels/<file>.cu behind what all of them share."""
    return (HERE / "common.cuh").read_text() + (HERE / f"{file}.cu").read_text()


@functools.cache
def types(file):
    """The types T for which a file's kernels are compiled."""
    if file in ("loss", "optim"):       # get float32 even where the rest is 16 bits
        return "float", "double"
    return tuple(name for name in TYPES.values() if file != "gemm" or name != "double")


def wide(dtype):
    """The dtype in which kernels compute on numbers of `dtype`, and keep sums and statistics."""
    return _FLOAT32 if dtype.char in CHARS else dtype


def expressions(file, number, index):
    """The instances of all kernels of a file: ["average<float, int>", ...]."""
    return [f"{name}<{number}, {index}>" for name in parameters(file)]


@functools.cache
def parameters(file):
    """{kernel: what its pointers point to, such as ("T", "Wide<T>", "long long")} of a file."""
    kernels = re.findall(r"__global__\s+void\s+(?:__launch_bounds__\(\w+\)\s*)?(\w+)\(([^)]*)\)",
                         (HERE / f"{file}.cu").read_text())
    return {name: tuple(p.partition("*")[0].replace("const", "").strip()
                        for p in text.split(",") if "*" in p) for name, text in kernels}


@functools.cache
def _function(cupy, file, kernel, number, index):
    """The compiled kernel; all of a file's kernels for these types are compiled together."""
    return _module(cupy, file, number, index).get_function(f"{kernel}<{number}, {index}>")


@functools.cache
def _module(cupy, file, number, index):
    return cupy.RawModule(code=source(file), options=("--std=c++17",),
                          name_expressions=expressions(file, number, index))


def launch(file, kernel, inputs, outputs, *numbers, size=None, blocks=None, threads=(BLOCK,),
           dtype=None):
    """Run `kernel` of kernels/<file>.cu, with a thread for each of the `size` elements.

    The kernel takes size, inputs, outputs, numbers. inputs: arrays, copied if their memory is not
    in C order. outputs: arrays in C order. dtype: the kernel's T, unless given that of the first
    array that the kernel takes as T. numbers: ints become int, floats Wide<T>; records and NumPy
    scalars pass as they are. size: that of the first output unless given; `blocks` replaces the
    number of blocks that follows from it.
    Raises TypeError for dtypes that the kernel does not take, ValueError for an output that is not
    contiguous.
    """
    size = outputs[0].size if size is None else size
    if size == 0:
        return
    kinds = parameters(file)[kernel]
    if dtype is None:
        dtype = (*inputs, *outputs)[kinds.index("T") if "T" in kinds else 0].dtype
    known = {"T": dtype, "Wide<T>": wide(dtype), "float": _FLOAT32}
    xp = array_module((*inputs, *outputs)[0])
    arrays, largest = [], size
    for a, kind in zip((*inputs, *outputs), kinds, strict=True):
        if a.dtype != known[kind] if kind in known else a.dtype.kind not in "iub":
            _refuse(file, kernel, inputs, outputs)
        if not a.flags.c_contiguous:
            if len(arrays) >= len(inputs):
                raise ValueError(f"{kernel} on the GPU: an output's memory is not in C order")
            a = xp.ascontiguousarray(a)
        arrays.append(a)
        largest = max(largest, a.size)
    long = largest >= INT_LIMIT
    if TYPES.get(dtype.char) not in types(file):
        _refuse(file, kernel, inputs, outputs)
    index, number = np.int64 if long else np.int32, known["Wide<T>"].type
    function = _function(xp, file, kernel, TYPES[dtype.char], INDICES[long])
    values = [np.int32(v) if isinstance(v, int) else number(v) if isinstance(v, float) else v
              for v in numbers]
    if blocks is None:
        blocks = -(-size // math.prod(threads))
    function((blocks,), threads, (index(size), *arrays, *values))


def _refuse(file, kernel, inputs, outputs):
    takes, known = ", ".join(parameters(file)[kernel]), ", ".join(types(file))
    given = ", ".join(str(a.dtype) for a in (*inputs, *outputs))
    raise TypeError(f"{kernel} on the GPU: takes arrays of {takes} with T one of {known}, "
                    f"got {given}")


def geometry(window, size, output_size, n, c, o=0, groups=1):
    """A window over images as the kernels' struct; size (H, W) and output_size (oh, ow)."""
    return _record((n, c, *size, o, *output_size, *window[:8], groups))


@functools.lru_cache(1024)  # a network has few, and making one takes as long as launching
def _record(values):
    record = np.array(values, GEOMETRY)
    record.flags.writeable = False
    return record


def channels_last(x):
    """x (N, C, H, W) as an array (N, H, W, C) in C order; no copy if its memory is so."""
    return array_module(x).ascontiguousarray(x.transpose(0, 2, 3, 1))


def images(xp, shape, dtype):
    """A new array of shape (N, C, H, W) and its memory (N, H, W, C)."""
    n, c, h, w = shape
    memory = xp.empty((n, h, w, c), dtype)
    return memory.transpose(0, 3, 1, 2), memory


def memory_order(x):
    """The axes of x from the one whose neighbours lie farthest apart to the nearest."""
    if x.flags.c_contiguous:
        return tuple(range(x.ndim))
    return tuple(sorted(range(x.ndim), key=lambda d: (-abs(x.strides[d]), d)))


def in_memory_order(x, *others):
    """Arrays of one shape with axes permuted so that x is in C order; and the way back.

    Returns ([x, *others], restore): a kernel that goes through all elements alike need not know
    about layouts. `others` that lie differently are copied by `launch`.
    """
    if x.flags.c_contiguous:
        return (x, *others), lambda y: y
    axes = memory_order(x)
    back = tuple(np.argsort(axes).tolist())
    return [a.transpose(axes) for a in (x, *others)], lambda y: y.transpose(back)


def split(rows, per_chunk, most):
    """(number of chunks, rows per chunk) for a sum over `rows` that many blocks share."""
    chunks = max(1, min(most, math.ceil(rows / per_chunk)))
    each = math.ceil(rows / chunks)
    return math.ceil(rows / each) if rows else 1, each
