"""minigrad's kernels on the emulator, for reading and for breaking: no GPU, but g++.

    print(listing("conv.cu", "direct"))                             # the source of a kernel
    (direct,) = compiled(source("conv.cu"), "direct")               # float32, in three orders
    y = empty(2, 12, 12, 16)                                        # NaN, between guard bytes
    direct((blocks,), (256,), (np.int32(y.host.size), to_gpu(x), to_gpu(w), y, geometry))
    print(caught(careless, ...))                                    # what is wrong with it

A launch of what `compiled` returns runs its threads forward, backward and shuffled, and raises
`emulator.KernelError` where the results differ.
"""

from __future__ import annotations

import re

import numpy as np

from minigrad.kernels.runtime import cuda
from minigrad.kernels.testing import emulator


def source(file: str) -> str:
    """The text of a .cu file of minigrad/kernels."""
    path = cuda.COMMON if file == cuda.COMMON.name else cuda.FILES[file.removesuffix(".cu")]
    return path.read_text(encoding="utf-8")


def listing(file: str, name: str) -> str:
    """The text of one function in it."""
    return re.search(rf"template [^\n]*\n__\w+__ \w+ {name}\(.*?\n}}\n", source(file), re.S)[0]


def compiled(code: str, *names: str):
    """The kernels `names` of some source, for float32, in the order of their names."""
    kernels = [f"{name}<float, int>" for name in names]
    module = emulator.HostModule(source("common.cuh") + code, kernels)
    for kernel in map(module.get_function, kernels):
        kernel.orders = tuple(emulator.ORDERS)
        yield kernel


def empty(*shape: int):
    """A float32 array as a kernel takes it, NaN; its values are in `.host`."""
    return emulator.allocate(shape, np.float32)


def to_gpu(values: np.ndarray):
    """The values in an array as a kernel takes it."""
    buffer = empty(*values.shape)
    buffer.host[...] = values
    return buffer


def caught(function, *arguments) -> emulator.KernelError:
    """What the emulator says of a launch that goes wrong. AssertionError if it says nothing."""
    try:
        function(*arguments)
    except emulator.KernelError as error:
        return error
    raise AssertionError("not noticed")
