"""The real CuPy without a GPU, above kernels that run on the CPU: the fourth net.

    EMULATED_CUDA=FOLDER PYTHONPATH=. python -m pytest -p tests.gpu.emulated_cuda -m gpu tests

From here on `import cupy` gives CuPy as its wheel has it: its arrays, dtypes, layouts, promotions,
caches and error messages are the real ones. Its kernels and ours are compiled by g++ behind
minigrad/kernels/testing/emulator.h when they are first launched, and kept in FOLDER, which build.py
has filled. tests/gpu/real_cupy.sh does all of it.

Not as on a GPU: Thrust's sorting is NumPy's, cuFFT is not there, nothing is asynchronous, CuPy's
own kernels need not give its bits, and what they read or write outside of arrays goes unseen.
"""

import ctypes
import functools
import hashlib
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import types

import numpy as np

from minigrad.kernels.testing.emulator import HEADER

HERE = pathlib.Path(__file__).parent
FOLDER = pathlib.Path(os.environ["EMULATED_CUDA"]).resolve()
FLAGS = ("-std=c++17", "-O0", "-w", "-fPIC", "-fno-gnu-unique", "-fvisibility=hidden",
         "-ffp-contract=off", f"-I{HERE / 'include'}", f"-I{FOLDER / 'include'}")
RUNTIME = "cupy_backends.cuda.api.runtime"
KERNEL = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\(")


class Finder:
    """Finds our build of CuPy's module of the CUDA runtime before that of the wheel."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == RUNTIME:
            return importlib.util.spec_from_file_location(name, str(FOLDER / "runtime.so"))


def install():
    """Let `import cupy` find a GPU that is not there."""
    for library in ("libcuda.so.1", "libcublas.so.12"):
        ctypes.CDLL(str(FOLDER / library), ctypes.RTLD_GLOBAL)  # found by name from now on
    sys.meta_path.insert(0, Finder)
    os.environ["CUPY_ACCELERATORS"] = ""    # no CUB, which is compiled already
    from cuda import pathfinder
    load = pathfinder.load_nvidia_dynamic_lib
    pathfinder.load_nvidia_dynamic_lib = lambda name: (
        types.SimpleNamespace(_handle_uint=0) if name.startswith("cublas") else load(name))
    from cupy.cuda import compiler, thrust
    compiler._compile_with_cache_cuda = compiled
    thrust.argsort, thrust.sort = argsort, sort


@functools.cache
def header(*parts):
    """A header of these files, compiled beforehand, in FOLDER."""
    text = "\n".join(["#pragma once", *(part.read_text() for part in parts)])
    path = FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.h"
    done = path.with_suffix(".h.gch")
    if not done.exists():
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_text(text)
        fresh.replace(path)
        gxx("-x", "c++-header", path, "-o", fresh)
        fresh.replace(done)
    return path


def compiled(source, options, arch, extra_source=None, backend="nvrtc",
             enable_cooperative_groups=False, name_expressions=None, *rest):
    """In place of CuPy's function of these parameters: the module of the kernels in `source`."""
    from cupy.cuda.function import Module
    if name_expressions:
        names = {expression: f"raw_{i}" for i, expression in enumerate(name_expressions)}
    else:
        names = {name: name for name in KERNEL.findall(source)}
    behind = header(HEADER) if name_expressions else header(HEADER, HERE / "include/on_host.h")
    text = "\n".join([source, *(f"CUDA_HOST_ENTRY({name}, {expression})"
                                for expression, name in names.items())])
    key = hashlib.sha256((behind.name + text).encode()).hexdigest()[:24]
    library = FOLDER / f"{key}.so"
    if not library.exists():
        fresh = library.with_suffix(f".{os.getpid()}")
        gxx("-include", behind, "-shared", "-x", "c++", "-", "-o", fresh, text=text)
        fresh.replace(library)
    module = Module()
    module.load(str(library).encode() + b"\0")
    if name_expressions:
        module._set_mapping(names)
    return module


def gxx(*arguments, text=None):
    run = subprocess.run(["g++", *FLAGS, *map(str, arguments)], input=text, text=True,
                         capture_output=True)
    if run.returncode:
        raise RuntimeError(f"g++ refuses a kernel: {run.stderr[:2000]}")


def on_host(address, dtype, shape):
    dtype, n = np.dtype(dtype), int(np.prod(shape))
    return np.frombuffer((ctypes.c_char * (n * dtype.itemsize)).from_address(address),
                         dtype).reshape(shape)


def argsort(dtype, index, data, keys, shape):
    on_host(index, np.int64, shape)[...] = np.argsort(on_host(data, dtype, shape), kind="stable")


def sort(dtype, data, keys, shape):
    on_host(data, dtype, shape).sort(kind="stable")


install()
