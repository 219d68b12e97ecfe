"""The GPU that GPU tests run on: a real one under `-m gpu`, the stand-in everywhere else.

    @pytest.mark.parametrize("xp", DEVICES, indirect=True)      (the fixture is in conftest.py)
"""

import contextlib
import os

import numpy as np
import pytest

from minigrad.kernels.testing import emulator
from tests.gpu import fake_cupy

DEVICES = [pytest.param("stand-in"), pytest.param("real", marks=pytest.mark.gpu)]


def open_device(name, monkeypatch):
    """The array module of that device, installed as `cupy` if it is the stand-in."""
    if name == "stand-in":
        if emulator.MISSING:
            pytest.skip(emulator.MISSING)
        return fake_cupy.install(monkeypatch)
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    if not cupy.is_available():
        pytest.skip("no NVIDIA GPU")
    if os.environ.get("CUDA_WITHOUT_POOL"):  # else memcheck takes a neighbour's memory for ours
        cupy.cuda.set_allocator(None)
    return cupy


@contextlib.contextmanager
def every_order(orders=tuple(emulator.ORDERS)):
    """Inside, the stand-in runs each kernel with its threads in several orders, and compares."""
    before, emulator.HostKernel.orders = emulator.HostKernel.orders, orders
    try:
        yield
    finally:
        emulator.HostKernel.orders = before


def host(x):
    """The values of an array of either side as a NumPy array."""
    return x if isinstance(x, np.ndarray) else x.get()
