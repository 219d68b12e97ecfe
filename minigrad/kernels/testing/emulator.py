"""CUDA kernels on the CPU: g++ and emulator.h instead of NVRTC and a GPU.

    x = allocate((64,), np.float32)     x.host is the array, to be filled and looked at
    kernel = HostModule(source, ["average<float, int>"]).get_function("average<float, int>")
    kernel((blocks,), (threads,), (np.int32(64), x, y))

Everything that a real launch leaves unchecked is checked here: the types of the arguments, the
bytes around every array, and that results do not depend on the order of threads.
"""

import ctypes
import hashlib
import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

import numpy as np

HEADER = pathlib.Path(__file__).with_name("emulator.h")
FLAGS = ("-std=c++17", "-O2", "-w", "-shared", "-fPIC", "-fno-gnu-unique",
         "-fvisibility=hidden", "-ffp-contract=off", "-x", "c++", "-")
ORDERS = {"forward": 0, "backward": 1, "shuffled": 2}
MISSING = None if sys.platform == "linux" and shutil.which("g++") else (
    "needs g++ on Linux: apt install g++ (Debian, Ubuntu) or dnf install gcc-c++ (Fedora)")
GUARD = 4096  # bytes on both sides of an array: what a block of threads may run over
_seeds, _guards = itertools.count(1), itertools.count()


class KernelError(AssertionError):
    """A kernel did what would go wrong, perhaps silently, on a GPU."""


class Buffer(NamedTuple):
    """An array as a kernel takes it: its values; (bytes around them, start, length, guards)."""

    host: np.ndarray
    memory: tuple


def allocate(shape, dtype) -> Buffer:
    """An array of NaN (255 for bytes) with guard bytes around.

    The guards repeat a NaN of float32 and float64 that no other array has: a kernel that copies
    what lies behind one array to behind another changes it.
    """
    dtype = np.dtype(dtype)
    n = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    guard = np.array([0xFFC00000 + next(_guards) % 2**22], np.uint32).view(np.uint8)
    memory = np.tile(guard, n // 4 + GUARD // 2 + 17)
    start = GUARD + -(memory.ctypes.data + GUARD) % 64  # aligned, as on a GPU
    guards = memory[:start].copy(), memory[start + n:].copy()
    memory[start:start + n] = 0xFF
    return Buffer(memory[start:start + n].view(dtype).reshape(shape), (memory, start, n, guards))


def check_guards(memory, name):
    """KernelError if a byte around the array was written."""
    whole, start, n, (before, behind) = memory
    if (whole[:start] != before).any() or (whole[start + n:] != behind).any():
        raise KernelError(f"{name}: wrote outside of an array of {n} bytes")


class HostModule:
    """The instances `name_expressions` of a source, compiled once per content.

    KernelError with the compiler's words if g++ refuses it; PermissionError if the folder of
    compiled kernels, in the system's for temporary files, is somebody else's.
    """

    def __init__(self, code, name_expressions):
        entries = "\n".join(f"CUDA_HOST_ENTRY({i}, {e})" for i, e in enumerate(name_expressions))
        text = HEADER.read_text() + code + entries
        name = hashlib.sha256((text + " ".join(FLAGS)).encode()).hexdigest()[:24]
        folder = pathlib.Path(tempfile.gettempdir()) / f"cuda_emulator_{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to another user: remove it, or set TMPDIR")
        library = folder / f"{name}.so"
        if not library.exists():
            fresh = library.with_suffix(f".{os.getpid()}")
            run = subprocess.run(["g++", *FLAGS, "-o", fresh], input=text, text=True,
                                 capture_output=True)
            if run.returncode:
                raise KernelError(f"g++ refuses a kernel: {run.stderr[:2000]}")
            fresh.replace(library)
        library = ctypes.CDLL(str(library))
        self.kernels = {e: HostKernel(library, i, e) for i, e in enumerate(name_expressions)}

    def get_function(self, expression):
        return self.kernels[expression]


class HostKernel:
    """One kernel; `orders` are the orders of threads it runs in, which must give equal results."""

    orders = ("shuffled",)

    def __init__(self, library, number, name):
        self.name = name
        self.run = getattr(library, f"launch_{number}")
        self.run.restype = ctypes.c_char_p
        signature = getattr(library, f"signature_{number}")
        signature.restype = ctypes.c_char_p
        self.signature = signature().decode().split()

    def __call__(self, grid, block, args):
        """Run it. args: NumPy scalars and records, and arrays (Buffers, or others with `.host`).

        KernelError for what a GPU would not have told.
        """
        if len(args) != len(self.signature):
            raise KernelError(f"{self.name}: takes {len(self.signature)} arguments, "
                              f"got {len(args)}")
        values, written = [], []
        for i, (arg, want) in enumerate(zip(args, self.signature)):
            array = getattr(arg, "host", None)
            value = np.asarray(arg) if array is None else array
            kind = value.dtype.str[1:] + ("" if array is None else "*")
            if kind != want.removeprefix("const-"):
                raise KernelError(f"{self.name}: argument {i} is {kind}, the kernel takes {want}")
            if array is not None:
                if not want.startswith("const-"):
                    written.append(array)
                value = np.asarray(array.ctypes.data, np.uint64)
                if not array.flags.c_contiguous:
                    raise KernelError(f"{self.name}: argument {i} is not in C order")
                if int(value) % array.itemsize:
                    raise KernelError(f"{self.name}: argument {i} is not aligned")
            values.append(value)
        pack = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        sizes = [(ctypes.c_uint * 3)(*sides, *[1] * (3 - len(sides))) for sides in (grid, block)]
        before = [a.copy() for a in written]
        results = []
        for order in self.orders:
            for array, start in zip(written, before):
                array[...] = start
            error = self.run(pack, *sizes, ORDERS[order], next(_seeds))
            if error:
                raise KernelError(f"{self.name}: {error.decode()}")
            results.append([a.tobytes() for a in written])
            if results[-1] != results[0]:
                raise KernelError(f"{self.name}: threads in {order} order give another result than "
                                  f"in {self.orders[0]} order; a barrier is missing")
        for arg in args:
            if getattr(arg, "memory", None):
                check_guards(arg.memory, self.name)
