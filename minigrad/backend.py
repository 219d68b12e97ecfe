"""Where arrays live (NumPy on the CPU, CuPy on a GPU), and where random numbers come from.

    array_module(x)             numpy or cupy, whichever made x
    to_device(x, "cuda")        the array on that device
    manual_seed(0)              every later draw of minigrad follows from this number
    generator("dropout")        the next random generator of that purpose
    keyed_generator(0, "order", 3)  the generator of a place: the same for the same key
    memory_report()             how full the GPU's memory is
    check_devices("add", a, b)  an error in words if a and b live on different devices
    set_float32_matmul_precision("high")    TF32 on the GPU's tensor cores

CuPy is imported on the first move to a GPU, never by `import minigrad`.
"""

from __future__ import annotations

import operator
import os
import re
import sys
import zlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from minigrad.arguments import ArgumentError, is_integer

DEVICES = ("cpu", "cuda")
_DEVICE = re.compile(r"(cpu|cuda)(?::(\d+))?")
Array = np.ndarray  # or CuPy's, which has the same attributes, methods and operators


def array_module(x: Array) -> ModuleType:
    """The module whose functions work on the array `x`: numpy, or cupy if cupy made it."""
    if isinstance(x, (np.ndarray, np.generic)):
        return np
    cupy = sys.modules.get("cupy")  # imported already, or no such array could exist
    if cupy is not None and isinstance(x, cupy.ndarray):
        return cupy
    raise TypeError(f"expected a NumPy or CuPy array, got {type(x).__name__}")


class device(str):
    """The text "cpu" or "cuda", with PyTorch's `type`, which it is, and `index`, a number or None.

    device("cuda:0"), device("cuda", 0) and device(0) are the first GPU, the only one that minigrad
    uses. Raises ArgumentError, a ValueError and a RuntimeError, for another device.
    """

    type: str
    index: Any  # in the place of str.index

    def __new__(cls, name: Any = "cuda", index: int | None = None) -> "device":
        if isinstance(name, device):
            return name
        text = f"cuda:{name}" if is_integer(name) else name if index is None else f"{name}:{index}"
        match = _DEVICE.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ArgumentError(f"unknown device {name!r}: use 'cpu' or 'cuda'")
        self = super().__new__(cls, match[1])
        self.type, self.index = match[1], None if match[2] is None else int(match[2])
        if self.index:
            raise ArgumentError(f"no device {text!r} here: minigrad uses one GPU, 'cuda:0'")
        return self

    def __repr__(self) -> str:
        return f"device(type='{self}'{'' if self.index is None else f', index={self.index}'})"


def names_device(x: Any) -> bool:
    """Whether `x`, of whatever type, is a device, the name of one such as "cuda:0", or a number."""
    return isinstance(x, str) and _DEVICE.fullmatch(x) is not None or is_integer(x)


def device_of(x: Array) -> str:
    """`"cpu"` or `"cuda"`: where the array `x` lives."""
    return "cpu" if array_module(x) is np else "cuda"


def on_gpu(x: Any) -> bool:
    """Whether `x`, of whatever type, is an array on a GPU."""
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(x, cupy.ndarray)


def is_array(x: Any) -> bool:
    """Whether `x`, of whatever type, is an array of NumPy's or CuPy's."""
    return isinstance(x, np.ndarray) or on_gpu(x)


def to_device(x: Array, name: Any) -> Array:
    """The array `x` on a device ("cpu" or "cuda"); `x` itself if it is there already.

    Raises ArgumentError for another device, RuntimeError if CuPy or a GPU is missing, TypeError
    for numbers that GPUs do not have.
    """
    name = device(name)
    if device_of(x) == name:
        return x
    if name == "cpu":
        return cupy_module().asnumpy(x)
    gpu_dtype(x.dtype)
    return cupy_module().asarray(x)


def gpu_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype; TypeError for numbers that GPUs do not have, those of more than 64 bits."""
    if dtype.char in "gG":
        raise TypeError(f"there is no {dtype} on the GPU: it has booleans, integers, float16, "
                        "bfloat16, float32, float64, complex64 and complex128; use "
                        ".to('float64'), or .to('cpu') first")
    return dtype


class DeviceError(RuntimeError, TypeError):
    """Arrays of two devices met. A RuntimeError, as in torch, and a TypeError, as with CuPy."""


def check_devices(where: str, *values: Any) -> None:
    """DeviceError if one array among the values is on the CPU and another on the GPU.

    values: arrays, Tensors, tuples, lists and dicts of them, or anything else, which is passed
    over. Where it matters it is called once something has gone wrong, and costs nothing otherwise.
    """
    found: dict[str, Array] = {}
    for x in _arrays(values):
        found.setdefault(device_of(x), x)
    if len(found) == 2:
        host, device = (f"{kind}.ndarray ({found[name].dtype}, shape {found[name].shape}) on "
                        f"'{name}'" for kind, name in zip(("numpy", "cupy"), DEVICES))
        raise DeviceError(f"{where}: expects all arrays on one device, got a {host} and a "
                          f'{device}; move the first with .to("cuda")')


def _arrays(x: Any) -> Iterator[Array]:
    """The arrays in x, however deep; NumPy's scalars live on no device."""
    if isinstance(x, (tuple, list, dict)):
        for part in x.values() if isinstance(x, dict) else x:
            yield from _arrays(part)
    elif is_array(x):
        yield x
    elif is_array(getattr(x, "data", None)):
        yield x.data


class _Products:
    tf32 = False


def set_float32_matmul_precision(precision: str) -> None:
    """How a GPU multiplies float32 numbers: "highest", at first, or "high", with tensor cores.

    "high" is TF32: factors are rounded to 10 bits of mantissa instead of 23, sums are float32. It
    applies to matrix products and, unlike torch's function of the same name, also to convolutions,
    for which torch has a separate switch. The CPU always computes in float32.
    Raises ValueError for another name.
    """
    if precision not in ("highest", "high"):
        raise ValueError("set_float32_matmul_precision: must be 'highest' or 'high', "
                         f"got {precision!r}")
    _Products.tf32 = precision == "high"
    try:
        cupy = cupy_module()
    except RuntimeError:    # no GPU, so there is nobody to tell
        return
    linalg = cupy._core._routines_linalg    # CuPy's own switch is an environment variable
    linalg.set_compute_type(
        np.float32, linalg.COMPUTE_TYPE_TF32 if _Products.tf32 else linalg.COMPUTE_TYPE_DEFAULT)


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was last told."""
    return "high" if _Products.tf32 else "highest"


def memory_report() -> str:
    """One line on the GPU's memory in MiB, empty if no GPU is in use."""
    cupy = sys.modules.get("cupy")
    if cupy is None:
        return ""
    pool = cupy.get_default_memory_pool()
    numbers = pool.used_bytes(), pool.total_bytes(), *cupy.cuda.runtime.memGetInfo()
    used, held, free, total = (n / 2**20 for n in numbers)
    return (f"GPU memory: {used:.0f} MiB used, {held:.0f} MiB held, {free:.0f} MiB free of "
            f"{total:.0f} MiB")


def memory_error(error: MemoryError, where: str) -> MemoryError:
    """What to raise for a MemoryError: what was asked for, where, what there is, what to do."""
    parts = f"{where}: {str(error).rstrip('.')}", memory_report(), "use a smaller batch"
    return MemoryError("; ".join(filter(None, parts)))


def cupy_module() -> ModuleType:
    """CuPy with a working GPU, or one clear error."""
    try:
        import cupy
    except ImportError as error:
        if getattr(error, "name", None) == "cupy":
            why = "is not installed"
        else:   # CuPy is there, and something that it needs is not
            why = f"cannot be imported ({' '.join(str(error).split())})"
        raise RuntimeError(
            f"device 'cuda' needs CuPy, which {why}: pip install 'minigrad[cuda12]' (or [cuda13]), "
            "or use device 'cpu'") from error
    if not cupy.is_available():
        raise RuntimeError("device 'cuda' needs an NVIDIA GPU and its driver, and CuPy finds none"
                           f"{_why_none(cupy)}: use device 'cpu'")
    return cupy


def _why_none(cupy: ModuleType) -> str:
    """What CUDA said when CuPy looked for GPUs, in brackets; `is_available` keeps it to itself."""
    try:
        cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        said = " ".join(str(error).split())
        return (f" ({said}; a driver for CUDA 12 needs minigrad[cuda12])"
                if "InsufficientDriver" in said else f" ({said})")
    return ""


class Generator:
    """PyTorch's Generator: random numbers that follow from a seed, which `generator=` takes.

    The whole state is two integers: the seed, and how many streams have been given out.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._seed = self._count = 0

    def manual_seed(self, seed: int) -> Generator:
        """Restart at `seed` (a non-negative integer); returns self."""
        try:
            seed = operator.index(seed)
        except TypeError:
            raise TypeError(f"manual_seed: the seed must be an integer, got {seed!r}") from None
        if seed < 0:
            raise ValueError(f"manual_seed: the seed must not be negative, got {seed}")
        self._seed, self._count = seed, 0
        return self

    def initial_seed(self) -> int:
        """The seed at which it was started."""
        return self._seed

    def seed(self) -> int:
        """Restart at a seed that nobody can foresee, which is returned."""
        return self.manual_seed(int.from_bytes(os.urandom(8), "big") >> 1).initial_seed()

    def stream(self, purpose: str) -> np.random.Generator:
        """The next generator for `purpose`: a fresh counter-based stream per call.

        It is keyed by (seed, purpose, number of earlier calls), so results depend on the order of
        calls alone and never on how many numbers somebody else drew.
        """
        self._count += 1
        return keyed_generator(self._seed, purpose, self._count - 1)


default_generator = Generator()
initial_seed, seed = default_generator.initial_seed, default_generator.seed
generator = default_generator.stream


def manual_seed(seed: int) -> Generator:
    """Restart all of minigrad's randomness at `seed` (a non-negative integer)."""
    return default_generator.manual_seed(seed)


def random_state() -> dict[str, int]:
    """All of minigrad's randomness: the seed, and how many generators it has given out."""
    return {"seed": default_generator._seed, "count": default_generator._count}


def set_random_state(state: dict[str, int]) -> None:
    """Go on where `random_state()` was taken."""
    default_generator._seed, default_generator._count = state["seed"], state["count"]


def keyed_generator(seed: int, purpose: str, *place: int) -> np.random.Generator:
    """The generator of (seed, purpose, place), such as an epoch and an index: it has no past."""
    key = (seed, zlib.crc32(purpose.encode()), *place)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))
