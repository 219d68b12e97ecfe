"""torch.cuda's questions about the GPU: minigrad has one, and computes on it through CuPy."""

from typing import Any

from minigrad.backend import cupy_module, default_generator

manual_seed = manual_seed_all = default_generator.manual_seed  # one generator for both devices


def is_available() -> bool:
    """Whether CuPy is installed and finds a GPU."""
    try:
        return cupy_module() is not None
    except RuntimeError:
        return False


def device_count() -> int:
    """How many GPUs minigrad uses: 1, or 0 without any."""
    return int(is_available())


def current_device() -> int:
    """0, the number of the GPU. Raises RuntimeError if there is none."""
    cupy_module()
    return 0


def get_device_name(device: Any = None) -> str:
    """What the GPU is called. Raises RuntimeError if there is none."""
    return cupy_module().cuda.runtime.getDeviceProperties(0)["name"].decode()


def synchronize(device: Any = None) -> None:
    """Wait until the GPU has done all that it was given. Raises RuntimeError if there is none."""
    cupy_module().cuda.get_current_stream().synchronize()


def empty_cache() -> None:
    """Give memory that no array uses back to the GPU; nothing without one."""
    if is_available():
        cupy_module().get_default_memory_pool().free_all_blocks()
