"""The door to the GPU: a function's two forms are bound here, and kernels are launched here alone.

    @gpu_form(gpu.average)              a CPU form, and the GPU form that runs in its place
    def average(x, window): ...

    launch("pool", "average", [x], [y], geometry)     y = the kernel `average` of pool.cu on x

Most of minigrad needs neither. NumPy asks the arrays that it is given whether they would rather do
the work themselves: `np.exp(x)` calls `x.__array_ufunc__`, `np.where(c, x, 0)` calls
`x.__array_function__`, and those of a CuPy array call `cupy.exp` and `cupy.where`. So an op written
in calls of NumPy, operators and methods of its arrays runs on the GPU as it stands; only `np.empty`
and the like, which are given no array, need `array_module(x)`. A form of its own is for what NumPy
composes of many passes over memory, for what CuPy lacks, adds up in any order, or does slowly.

A kernel is handed bare pointers, and CuPy checks nothing about them. So everything that could go
wrong is decided here: memory layout, dtypes, the width of indices, empty arrays and the size of the
grid.

CuPy compiles all kernels, ours and its own, with `-ftz=true`: in float32 arithmetic, numbers below
2^-126 are zeros, which they are not on the CPU.
"""

import functools
import math
import pathlib
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minigrad.backend import array_module, check_devices, on_gpu
from minigrad.dtypes import CHARS
from minigrad.kernels.runtime.window import channels_last, images

BLOCK = 256  # threads per block, unless a kernel says otherwise
INT_LIMIT = 2**31  # arrays with fewer elements are indexed by 32-bit integers
TYPES = {"f": "float", "d": "double", "e": "float16", "E": "bfloat16"}  # by numpy.dtype.char
INDICES = ("int", "long long")
_FLOAT32 = np.dtype(np.float32)
KERNELS = pathlib.Path(__file__).parents[1]
COMMON = KERNELS / "runtime" / "common.cuh"
FILES = {path.stem: path for path in sorted(KERNELS.glob("*/*.cu"))}
GEOMETRY = np.dtype([(name, np.int32) for name in (
    "N", "C", "H", "W", "O", "oh", "ow", "kh", "kw", "sh", "sw", "ph", "pw", "dh", "dw", "groups")])


class Forms(NamedTuple):
    """The two functions behind one name, and which arguments the second has a kernel for."""

    cpu: Callable
    gpu: Callable
    takes: Callable | None  # None: all that the CPU form takes


FORMS: dict[Callable, Forms] = {}  # of what `gpu_form` makes, which is called


def gpu_form(form, takes=None):
    """Decorates a CPU form, a function on arrays: CuPy's arrays go to `form`, its GPU form.

    Both take the same arguments, and give the same numbers but for rounding. The first argument
    decides: an array, or a list of arrays of one device, of which the first one is looked at; if
    the list holds tuples, the first array of the first tuple. An empty list goes to the CPU form.

    takes(*arguments) says whether the GPU form has a kernel for these. Where it has none, the CPU
    form runs on CuPy's arrays, and must then be made of what CuPy takes over from NumPy.

    tests/gpu/test_forms.py compares both forms of everything that is listed in FORMS.
    """
    def decorate(on_cpu):
        @functools.wraps(on_cpu)
        def dispatch(x, *rest, **options):
            array = x
            while isinstance(array, (list, tuple)) and array:
                array = array[0]
            if on_gpu(array) and (takes is None or takes(x, *rest, **options)):
                return form(x, *rest, **options)
            return on_cpu(x, *rest, **options)
        FORMS[dispatch] = Forms(on_cpu, form, takes)
        return dispatch
    return decorate


def floats(x, *rest, **options):
    """Whether x holds floating-point numbers that kernels are compiled for: see `TYPES`."""
    return x.dtype.char in TYPES


def source(file):
    """The text of <file>.cu behind what all of them share."""
    return COMMON.read_text() + FILES[file].read_text()


@functools.cache
def types(file):
    """The types T for which a file's kernels are compiled."""
    if file in ("loss", "optim"):       # get float32 even where the rest is 16 bits
        return "float", "double"
    return tuple(name for name in TYPES.values() if file != "gemm" or name != "double")


def wide(dtype):
    """The dtype in which kernels compute on numbers of `dtype`, and keep sums and statistics."""
    return _FLOAT32 if dtype.char in CHARS else dtype


def expressions(file, *arguments):
    """The instances of all kernels of a file: ["average<float, int>", ...]."""
    return [f"{name}<{', '.join(arguments)}>" for name in parameters(file)]


@functools.cache
def parameters(file):
    """{kernel: what its pointers point to, such as ("T", "Wide<T>", "long long")} of a file."""
    kernels = re.findall(r"__global__\s+void\s+(?:__launch_bounds__\(\w+\)\s*)?(\w+)\(([^)]*)\)",
                         FILES[file].read_text())
    return {name: tuple(p.partition("*")[0].replace("const", "").strip()
                        for p in text.split(",") if "*" in p) for name, text in kernels}


@functools.cache
def _function(cupy, file, kernel, *arguments):
    """The compiled kernel; all of a file's kernels for these arguments are compiled together."""
    return _module(cupy, file, *arguments).get_function(f"{kernel}<{', '.join(arguments)}>")


@functools.cache
def _module(cupy, file, *arguments):
    return cupy.RawModule(code=source(file), options=("--std=c++17",),
                          name_expressions=expressions(file, *arguments))


def launch(file, kernel, inputs, outputs, *numbers, size=None, blocks=None, threads=(BLOCK,),
           dtype=None, variant=()):
    """Run `kernel` of <file>.cu, with a thread for each of the `size` elements.

    The kernel takes size, inputs, outputs, numbers. inputs: arrays, copied if their memory is not
    in C order. outputs: arrays in C order. dtype: what the kernel's T is, by default the dtype of
    the first array that it declares as T. numbers: ints become int, floats Wide<T>; records and
    NumPy scalars pass as they are. size: by default that of the first output; `blocks` replaces the
    number of blocks that follows from it. variant: template arguments of the file's kernels that
    follow T and the type of indices, where these are not to be the defaults.
    Raises TypeError for dtypes that the kernel does not take, ValueError for an output that is not
    contiguous, DeviceError for an array on the host: CuPy would pass a NumPy array of one element
    as a number, and the kernel would use that as an address.
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
        if not isinstance(a, xp.ndarray):
            check_devices(f"{kernel} on the GPU", inputs, outputs)
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
    function = _function(xp, file, kernel, TYPES[dtype.char], INDICES[long], *map(str, variant))
    values = [np.int32(v) if isinstance(v, int) else number(v) if isinstance(v, float) else v
              for v in numbers]
    if blocks is None:
        blocks = -(-size // math.prod(threads))
    function((blocks,), threads, (index(size), *arrays, *values))


def launch_on_images(file, kernel, inputs, size, *numbers, dtypes=(None,), **options):
    """What a kernel makes of images: one array (N, C, *size) of the dtype of the first input, or a
    list of several, of these dtypes. All are channels-last for the kernel."""
    outputs = [images(inputs[0], (*inputs[0].shape[:2], *size), dtype) for dtype in dtypes]
    launch(file, kernel, *([channels_last(a) for a in arrays] for arrays in (inputs, outputs)),
           *numbers, **options)
    return outputs if len(outputs) > 1 else outputs[0]


def _refuse(file, kernel, inputs, outputs):
    takes, known = ", ".join(parameters(file)[kernel]), ", ".join(types(file))
    given = ", ".join(str(a.dtype) for a in (*inputs, *outputs))
    raise TypeError(f"{kernel} on the GPU: takes arrays of {takes} with T one of {known}, "
                    f"got {given}")


def geometry(window, image_shape, output_shape, groups=1):
    """A window over images (N, C, H, W) that makes outputs (N, O, oh, ow), as common.cuh's struct.
    """
    return record(GEOMETRY, *image_shape, *output_shape[1:], *window[:8], groups)


@functools.lru_cache(1024)  # a network has few, and making one takes as long as launching
def record(dtype, *values):
    """A struct as kernels take it."""
    made = np.array(values, dtype)
    made.flags.writeable = False
    return made


def memory_order(x):
    """The axes of x from the one whose neighbours lie farthest apart to the nearest."""
    if x.flags.c_contiguous:
        return tuple(range(x.ndim))
    return tuple(sorted(range(x.ndim), key=lambda d: (-abs(x.strides[d]), d)))


def split(rows, per_chunk, most):
    """(number of chunks, rows per chunk) for a sum over `rows` that many blocks share."""
    chunks = max(1, min(most, math.ceil(rows / per_chunk)))
    each = math.ceil(rows / chunks)
    return math.ceil(rows / each) if rows else 1, each
