"""A stand-in for the part of CuPy that minigrad uses, without a GPU: `install(monkeypatch)`.

Its arrays are NumPy arrays in a box that does not open by itself: NumPy refuses them, they refuse
NumPy arrays, and only `.get()` and `asnumpy` lead out. Functions take the parameters that CuPy
14.2's take and no others, and refuse the dtypes that it refuses; what they give lies in memory as
there: in C order mostly, whatever the inputs do. Products are rounded as cuBLAS would be told to.
RawModule compiles with g++ and runs on the CPU (kernels/testing/emulator.py).
"""

import sys
import types
from collections import namedtuple
from types import SimpleNamespace

import numpy as np

from minigrad.backend import DeviceError as HostDeviceMix
from minigrad.kernels.testing.emulator import HostModule, allocate
from tests.gpu import fake_cublas, fake_streams

UFUNCS = """
    absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and bitwise_or
    bitwise_xor ceil cos cosh divide equal exp exp2 expm1 floor floor_divide fmod left_shift greater
    greater_equal isfinite isinf isnan less less_equal log log10 log1p log2 logical_and logical_not
    logical_or logical_xor maximum minimum multiply negative not_equal power remainder right_shift
    rint sign sin sinh sqrt square subtract tan tanh true_divide trunc invert
""".split()

# name: the parameters in CuPy's order
FUNCTIONS = {
    "all": "a axis out keepdims", "any": "a axis out keepdims",
    "amax": "a axis out keepdims", "amin": "a axis out keepdims",
    "argmax": "a axis dtype out keepdims", "argmin": "a axis dtype out keepdims",
    "ascontiguousarray": "a dtype", "broadcast_to": "array shape",
    "clip": "a a_min a_max out", "concatenate": "tup axis out dtype casting",
    "copyto": "dst src casting where", "may_share_memory": "a b max_work",
    "mean": "a axis dtype out keepdims", "pad": "array pad_width mode constant_values",
    "result_type": None, "shape": "a", "sum": "a axis dtype out keepdims",
    "transpose": "a axes", "reshape": "a newshape order",
    "where": "condition x y", "full_like": "a fill_value dtype order subok shape",
    "ones_like": "a dtype order subok shape", "zeros_like": "a dtype order subok shape",
    "arange": "start stop step dtype", "full": "shape fill_value dtype order",
    "ones": "shape dtype order", "zeros": "shape dtype order",
    "around": "a decimals out", "atleast_1d": None, "bincount": "x weights minlength",
    "cumsum": "a axis dtype out", "isclose": "a b rtol atol equal_nan", "nonzero": "a",
    "argsort": "a axis kind", "sort": "a axis kind",
    "stack": "tup axis out dtype casting", "moveaxis": "a source destination",
    "unique": "ar return_index return_inverse return_counts axis equal_nan",
}
VIEWS = {"broadcast_to", "transpose", "reshape", "moveaxis"}
AS_GIVEN = VIEWS | {"full_like", "ones_like", "zeros_like", "pad"}     # the rest is in C order
TRANSFORMS = {"rfft2": "a s axes norm", "irfft2": "a s axes norm"}


Flags = namedtuple("Flags", "c_contiguous f_contiguous owndata")  # there is no `writeable`


def _supported(dtype):
    """The dtype; ValueError for numbers that CuPy has not, such as those of 80 bits."""
    dtype = np.dtype(dtype)
    if dtype.char not in "?bhilqBHILQefdFD" and dtype.name != "bfloat16" and dtype.kind != "V":
        raise ValueError(f"Unsupported dtype {dtype}")
    if dtype.byteorder == ">":
        raise ValueError(f"Unsupported dtype {dtype} with big-endian byte-order")
    return dtype


def _open(x):
    """The NumPy array in the box; containers too; a bare NumPy array is refused."""
    if isinstance(x, ndarray):
        return x.host
    if isinstance(x, np.ndarray):
        raise HostDeviceMix("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(x, (tuple, list)):
        return type(x)(map(_open, x))
    return x


def _box(x, memory=None, order=None):
    """x in a box, copied into that order if it is in another."""
    if not isinstance(x, (np.ndarray, np.generic)):
        return x
    _supported(x.dtype)
    return ndarray(np.asarray(x, order=order), memory)


def _order(x):
    """The order that CuPy gives copies of a NumPy array, and padded arrays."""
    return "F" if x.flags.fnc else "C"


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
        order = None if name in AS_GIVEN else "C"
        return tuple(_box(part, None, order) for part in y) if isinstance(y, tuple) else _box(
            y, None, order)
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
        return out if isinstance(out, ndarray) else _box(y, None, "C")


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


def _index(index):
    """An index, opened; CuPy takes no two masks in one."""
    parts = index if isinstance(index, tuple) else (index,)
    if sum(isinstance(part, ndarray) and part.dtype == bool for part in parts) > 1:
        raise NotImplementedError("an index of more than one boolean array")
    return _open(index)


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
    flat = property(lambda self: self.ravel())
    device = property(lambda self: Device())

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

    def get(self, stream=None, order="C", out=None, blocking=True):
        return self.host.copy(order)

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
        if casting is not None or subok is not None:
            raise TypeError("casting and subok are not supported yet")
        with np.errstate(all="ignore"):
            y = self.host.astype(_supported(dtype), order=order, copy=copy)
        return self if y is self.host else _box(y)

    def reshape(self, *shape, order="C"):
        return _box(self.host.reshape(*shape, order=order), self.memory)

    def conj(self):
        return _box(self.host.conj(), None, "C")

    def fill(self, value):
        self.host.fill(_open(value))

    def __getitem__(self, index):
        return _box(self.host[_index(index)], self.memory)

    def __setitem__(self, index, value):
        self.host[_index(index)] = _open(value)

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
    return ndarray(*allocate(shape, _supported(dtype)), fake_streams.now())


def empty_like(a, dtype=None, order="K", subok=None, shape=None):
    """In the order of a; in C order for a shape of another number of axes."""
    shape = a.shape if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
    dtype = a.dtype if dtype is None else dtype
    if len(shape) != a.ndim:
        return empty(shape, dtype)
    axes = sorted(range(a.ndim), key=lambda d: -a.strides[d])
    return empty([shape[d] for d in axes], dtype).transpose(tuple(np.argsort(axes)))


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0):
    """Host to device, or a copy on the device: always into guarded memory."""
    if isinstance(obj, ndarray):
        host = obj.host
    else:
        host = np.asarray(obj, dtype)
        host = np.array(host, host.dtype.newbyteorder("="), order=_order(host), ndmin=ndmin)
    host = np.array(host, _supported(host.dtype if dtype is None else dtype), order=order)
    y = empty_like(ndarray(host))
    y.host[...] = host
    return y


def asarray(a, dtype=None, order=None):
    if isinstance(a, ndarray) and (dtype is None or a.dtype == dtype):
        return a
    return array(a, dtype)


def ascontiguousarray(a, dtype=None):
    if not isinstance(a, ndarray):
        raise HostDeviceMix("Argument 'a' has incorrect type (expected cupy.ndarray)")
    if a.host.flags.c_contiguous and dtype in (None, a.dtype):
        return a
    return array(a, dtype, order="C")


def matmul(a, b, out=None):
    y = fake_cublas.matmul(_open(a), _open(b))
    if out is None:
        return _box(y, None, "C")
    out.host[...] = y
    return out


def argsort(a, axis=-1, kind=None):
    """Stable, whatever NumPy's own would be; no other kind."""
    if kind not in (None, "stable"):
        raise ValueError("only 'stable' is supported")
    return _box(np.argsort(a.host, axis, kind="stable"))


def asnumpy(a, stream=None, order="C", out=None):
    return a.get() if isinstance(a, ndarray) else np.asarray(a, order=order)


class RawModule(HostModule):
    def __init__(self, *, code, options=(), name_expressions):
        super().__init__(code, name_expressions)


class OutOfMemoryError(MemoryError):
    pass


class Device:
    id, compute_capability, cublas_handle = 0, "80", 1

    def synchronize(self):
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
    COMPUTE_TYPE_TF32=fake_cublas.TF32_TYPE, COMPUTE_TYPE_DEFAULT=1,
    set_compute_type=fake_cublas.set_compute_type))
module.__version__ = "14.2 (stand-in)"
module.is_available = lambda: True
module.get_default_memory_pool = lambda: _pool
module.cuda = SimpleNamespace(
    runtime=SimpleNamespace(memGetInfo=lambda: (2**30, 2**31), getDevice=lambda: 0,
                            getDeviceCount=lambda: 1, runtimeGetVersion=lambda: 12090,
                            getDeviceProperties=lambda device: {"name": b"stand-in"}),
    get_elapsed_time=lambda start, end: 1.0,
    cublas=SimpleNamespace(setMathMode=fake_cublas.set_math_mode),
    Event=fake_streams.Event, Stream=fake_streams.Stream,
    get_current_stream=lambda: fake_streams.NULL,
    memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    Device=Device)


def install(monkeypatch):
    """Let `import cupy` find this module, as new, and `import cupyx` its pinned memory."""
    fake_cublas.reset()
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setitem(sys.modules, "cupyx", SimpleNamespace(
        empty_pinned=fake_streams.empty_pinned))
    return module
