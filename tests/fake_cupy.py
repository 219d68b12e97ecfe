"""A stand-in for the part of CuPy that minigrad uses, without a GPU: `install(monkeypatch)`.

Its arrays are NumPy arrays in a box that does not open by itself: NumPy refuses them, they refuse
NumPy arrays, and only `.get()` and `asnumpy` lead out. Functions take the parameters that CuPy 14's
take and no others. RawModule compiles with g++ and runs on the CPU (kernels/emulator.py).
"""

import sys
import types
from collections import namedtuple
from types import SimpleNamespace

import numpy as np

from minigrad.half import is_half, widened
from minigrad.kernels.emulator import HostModule, allocate
from tests import fake_streams

UFUNCS = """
    absolute add arctan2 bitwise_and bitwise_or cos divide equal exp expm1 floor floor_divide
    greater greater_equal isfinite isinf isnan less less_equal log log1p log2 logical_and
    logical_not logical_or maximum minimum multiply negative not_equal power remainder rint sign sin
    sqrt square subtract tanh true_divide invert
""".split()

# name: the parameters in CuPy's order
FUNCTIONS = {
    "all": "a axis out keepdims", "any": "a axis out keepdims",
    "amax": "a axis out keepdims", "amin": "a axis out keepdims",
    "argmax": "a axis dtype out keepdims", "argmin": "a axis dtype out keepdims",
    "ascontiguousarray": "a dtype", "broadcast_to": "array shape subok",
    "clip": "a a_min a_max out", "concatenate": "tup axis out dtype casting",
    "copyto": "dst src casting where", "may_share_memory": "a b max_work",
    "mean": "a axis dtype out keepdims", "pad": "array pad_width mode constant_values",
    "result_type": None, "shape": "a", "sum": "a axis dtype out keepdims",
    "transpose": "a axes", "reshape": "a newshape order",
    "where": "condition x y", "full_like": "a fill_value dtype order subok shape",
    "ones_like": "a dtype order subok shape", "zeros_like": "a dtype order subok shape",
    "arange": "start stop step dtype", "full": "shape fill_value dtype order",
    "ones": "shape dtype order", "zeros": "shape dtype order",
    "stack": "tup axis out dtype casting", "moveaxis": "a source destination",
    "unique": "ar return_index return_inverse return_counts axis equal_nan",
}
TRANSFORMS = {"rfft2": "a s axes norm", "irfft2": "a s axes norm"}


Flags = namedtuple("Flags", "c_contiguous f_contiguous owndata")  # there is no `writeable`


class HostDeviceMix(TypeError):
    """An array of the host met one of the device, or would have been converted silently."""


def _open(x):
    """The NumPy array in the box; containers too; a bare NumPy array is refused."""
    if isinstance(x, ndarray):
        return x.host
    if isinstance(x, np.ndarray):
        raise HostDeviceMix("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(x, (tuple, list)):
        return type(x)(map(_open, x))
    return x


def _box(x, memory=None):
    return ndarray(np.asarray(x), memory) if isinstance(x, (np.ndarray, np.generic)) else x


def _function(name, parameters, home=np):
    def call(*args, **options):
        given = dict(options)
        if parameters is not None:
            names = parameters.split()
            if len(args) > len(names) or not options.keys() <= set(names):
                raise TypeError(f"cupy.{name}({', '.join(names)}) was given {len(args)} positional "
                                f"arguments and {', '.join(options)}")
        with np.errstate(all="ignore"):
            y = getattr(home, name)(*_open(args), **{k: _open(v) for k, v in given.items()})
        return tuple(map(_box, y)) if isinstance(y, tuple) else _box(y)
    return call


class _Ufunc:
    def __init__(self, name):
        self.ufunc = getattr(np, name)

    def __call__(self, *args, out=None, dtype=None):
        options = {} if dtype is None else {"dtype": dtype}
        if out is not None:
            options["out"] = _open(out)
        with np.errstate(all="ignore"):
            y = self.ufunc(*_open(args), **options)
        return out if isinstance(out, ndarray) else _box(y)


def _viewing(name):
    def method(self, *args, **options):
        return _box(getattr(self.host, name)(*args, **options), self.memory)
    return method


def _reducing(name, parameters):
    def method(self, *args, **options):
        return getattr(module, name)(self, *args, **options)
    return method


def _operator(ufunc, reflected=False):
    def method(self, other):
        if getattr(type(other), "__array_ufunc__", 0) is None:
            return NotImplemented
        f = getattr(module, ufunc)
        return f(other, self) if reflected else f(self, other)
    return method


def _in_place(ufunc):
    def method(self, other):
        getattr(module, ufunc)(self, other, out=self)
        return self
    return method


class ndarray:
    """A device array: `host` is where the stand-in really keeps it, `memory` its guarded bytes."""

    def __init__(self, host, memory=None, made=None):
        self._host, self.memory = host, memory
        self.made = made  # when the memory was given out, if this array was

    @property
    def host(self):
        fake_streams.check_arrived(self.memory)
        return self._host

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    strides = property(lambda self: self._host.strides)
    flags = property(lambda self: Flags(*(getattr(self._host.flags, f) for f in Flags._fields)))
    T = property(lambda self: _box(self.host.T, self.memory))
    real = property(lambda self: _box(self.host.real, self.memory))
    data = property(lambda self: SimpleNamespace(ptr=self.host.ctypes.data))
    flat = property(lambda self: self.host.flat)

    def __array__(self, *args, **options):
        raise HostDeviceMix("Implicit conversion to a NumPy array is not allowed. Please use "
                            "`.get()` to construct a NumPy array explicitly.")

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        mine = getattr(module, ufunc.__name__, None)
        if mine is None or method != "__call__":  # CuPy's `at` adds floats atomically
            return NotImplemented
        if out is not None:
            options["out"] = out[0]
        return mine(*inputs, **options)

    def __array_function__(self, func, types_, args, options):
        mine = getattr(module, func.__name__, None)
        if mine is None or not func.__module__ == "numpy":
            return NotImplemented
        return mine(*args, **options)

    def get(self):
        return self.host.copy(order="K")

    def set(self, arr, stream=None):
        if not isinstance(arr, np.ndarray) or (arr.shape, arr.dtype) != (self.shape, self.dtype):
            raise TypeError(f"set: needs a NumPy array {self.shape} of {self.dtype}")
        if stream is None:
            self.host[...] = arr
        else:
            fake_streams.copy_to_device(self, arr, stream)

    def item(self):
        return self.host.item()

    def copy(self, order="C"):
        return _box(self.host.copy(order))

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        with np.errstate(all="ignore"):
            y = self.host.astype(dtype, order=order, copy=copy)
        return self if y is self.host else _box(y)

    def reshape(self, *shape, order="C"):
        return _box(self.host.reshape(*shape, order=order), self.memory)

    def conj(self):
        return _box(self.host.conj())

    def fill(self, value):
        self.host.fill(_open(value))

    def __getitem__(self, index):
        return _box(self.host[_open(index)], self.memory)

    def __setitem__(self, index, value):
        self.host[_open(index)] = _open(value)

    def __len__(self):
        return len(self.host)

    def __bool__(self):
        return bool(self.host)

    def __int__(self):
        return int(self.host)

    def __float__(self):
        return float(self.host)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    __hash__ = None
    transpose, view, squeeze, ravel = map(_viewing, ("transpose", "view", "squeeze", "ravel"))
    sum, mean = (_reducing(n, "") for n in ("sum", "mean"))
    max, min = _reducing("amax", ""), _reducing("amin", "")
    any, all, argmax, argmin = (_reducing(n, "") for n in ("any", "all", "argmax", "argmin"))
    __neg__ = lambda self: module.negative(self)  # noqa: E731
    __abs__ = lambda self: module.absolute(self)  # noqa: E731
    __invert__ = lambda self: module.invert(self)  # noqa: E731


for _name, _ufunc in {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide",
                      "floordiv": "floor_divide", "mod": "remainder", "pow": "power",
                      "and": "bitwise_and", "or": "bitwise_or", "matmul": "matmul"}.items():
    setattr(ndarray, f"__{_name}__", _operator(_ufunc))
    setattr(ndarray, f"__r{_name}__", _operator(_ufunc, reflected=True))
    if _name != "matmul":
        setattr(ndarray, f"__i{_name}__", _in_place(_ufunc))
for _name, _ufunc in {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal",
                      "gt": "greater", "ge": "greater_equal"}.items():
    setattr(ndarray, f"__{_name}__", _operator(_ufunc))


def empty(shape, dtype=float, order="C"):
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return ndarray(*allocate(shape, dtype), fake_streams.now())


def empty_like(a, dtype=None, order="K", subok=None, shape=None):
    """In C order if a shape is given, as CuPy does; else in the order of a."""
    if shape is not None:
        return empty(shape, a.dtype if dtype is None else dtype)
    axes = sorted(range(a.ndim), key=lambda d: -a.strides[d])
    y = empty([a.shape[d] for d in axes], a.dtype if dtype is None else dtype)
    return y.transpose(tuple(np.argsort(axes)))


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0):
    """Host to device, or a copy on the device: always into guarded memory."""
    host = np.array(obj.host if isinstance(obj, ndarray) else obj, dtype, copy=True, order=order)
    y = empty_like(ndarray(host))
    y.host[...] = host
    return y


def asarray(a, dtype=None, order=None):
    if isinstance(a, ndarray) and (dtype is None or a.dtype == dtype):
        return a
    return array(a, dtype)


def ascontiguousarray(a, dtype=None):
    if a.host.flags.c_contiguous and dtype is None:
        return a
    return array(a, dtype, order="C")


def matmul(a, b):
    """16-bit numbers are multiplied and added in float32, as by cuBLAS."""
    a, b = _open(a), _open(b)
    if not is_half(a):
        return _box(a @ b)
    return _box((widened(a) @ widened(b)).astype(a.dtype))


def argsort(a, axis=-1, kind=None):
    """Stable, whatever NumPy's own would be; no other kind."""
    if kind not in (None, "stable"):
        raise ValueError("only 'stable' is supported")
    return _box(np.argsort(a.host, axis, kind="stable"))


def asnumpy(a):
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


class RawModule(HostModule):
    def __init__(self, *, code, options=(), name_expressions):
        super().__init__(code, name_expressions)


class OutOfMemoryError(MemoryError):
    pass


_pool = SimpleNamespace(used_bytes=lambda: 2**20, total_bytes=lambda: 2**21, get_limit=lambda: 0,
                        free_all_blocks=lambda: None, set_limit=lambda size=None: None)

module = types.ModuleType("cupy")
for _name in UFUNCS:
    setattr(module, _name, _Ufunc(_name))
for _name, _parameters in FUNCTIONS.items():
    setattr(module, _name, _function(_name, _parameters))
module.fft = SimpleNamespace(**{name: _function(name, parameters, np.fft)
                                for name, parameters in TRANSFORMS.items()})
for _f in (ndarray, empty, empty_like, array, asarray, argsort, ascontiguousarray, asnumpy, matmul,
           RawModule):
    setattr(module, _f.__name__, _f)
module.max, module.min, module.abs = module.amax, module.amin, module.absolute
module._core = SimpleNamespace(_routines_linalg=SimpleNamespace(
    COMPUTE_TYPE_TF32=7, COMPUTE_TYPE_DEFAULT=1, set_compute_type=lambda dtype, kind: None))
module.__version__ = "14 (stand-in)"
module.is_available = lambda: True
module.get_default_memory_pool = lambda: _pool
module.cuda = SimpleNamespace(
    runtime=SimpleNamespace(memGetInfo=lambda: (2**30, 2**31)),
    Event=fake_streams.Event, Stream=fake_streams.Stream,
    get_current_stream=lambda: fake_streams.NULL,
    memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    Device=lambda: SimpleNamespace(compute_capability="80", synchronize=lambda: None))


def install(monkeypatch):
    """Let `import cupy` find this module, and `import cupyx` its pinned memory."""
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setitem(sys.modules, "cupyx", SimpleNamespace(
        empty_pinned=fake_streams.empty_pinned))
    return module
