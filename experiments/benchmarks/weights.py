"""Reading and writing weights files of ResNet-50's size (102 MB), beside torch.

The files are in the file cache: the work is measured, not the disk. `load` maps a zip into memory
and reads it once, for its CRC-32; torch copies it and checks nothing. So the time with a copy of
every array is given as well.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.harness import Row, race
from experiments.benchmarks.memory import extra_peak, in_fresh_process
from minigrad.weights import load, save

BLOCKS = ((64, 3), (128, 4), (256, 6), (512, 3))    # width and number of ResNet-50's blocks
ROUNDS = 11


def run(peers: dict[str, Any]) -> Iterator[Row]:
    """Loading each form, and saving; torch's forms only where torch is there to write them."""
    state = _resnet50()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        if "torch" in peers:
            torch = peers["torch"]
            tensors = {name: torch.from_numpy(array) for name, array in state.items()}
            for form, is_zip in (("zip", True), ("stream", False)):
                file = Path(folder) / f"{form}.pth"
                torch.save(tensors, file, _use_new_zipfile_serialization=is_zip)
                yield _loading(f"torch's {form}", file, {
                    "torch": lambda file=file: torch.load(file, weights_only=True)})
        save(path, state)
        yield _loading("safetensors with SHA-256", path, {})
        yield race("102 MB, save with SHA-256 and fsync", "file", 1,
                   {"minigrad": lambda: save(path, state)}, ROUNDS)


def growth(path: Path) -> float:
    """Extra memory of `load` in sizes of the file."""
    return extra_peak(lambda: load(path)) / path.stat().st_size


def _loading(form, path, others) -> Row:
    row = race(f"102 MB, {form}: load", "file", 1, {
        "minigrad+copy": lambda: [array.copy() for array in load(path).values()],
        "minigrad": lambda: load(path), **others}, ROUNDS)
    return row._replace(extra={"peak extra memory, in files": in_fresh_process(growth, path)}
                        if sys.platform == "linux" else {})


def _resnet50() -> dict[str, np.ndarray]:
    """Random arrays of the names and sizes of ResNet-50's state."""
    state, rng = {}, np.random.default_rng(0)

    def conv(name, norm, inputs, outputs, kernel):
        state[f"{name}.weight"] = rng.random((outputs, inputs, kernel, kernel), np.float32)
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{norm}.{part}"] = rng.random(outputs, np.float32)
        state[f"{norm}.num_batches_tracked"] = np.array(0)

    conv("conv1", "bn1", 3, 64, 7)
    inputs = 64
    for stage, (width, count) in enumerate(BLOCKS, 1):
        for i in range(count):
            block = f"layer{stage}.{i}"
            conv(f"{block}.conv1", f"{block}.bn1", inputs, width, 1)
            conv(f"{block}.conv2", f"{block}.bn2", width, width, 3)
            conv(f"{block}.conv3", f"{block}.bn3", width, 4 * width, 1)
            if i == 0:
                conv(f"{block}.downsample.0", f"{block}.downsample.1", inputs, 4 * width, 1)
            inputs = 4 * width
    state["fc.weight"] = rng.random((1000, inputs), np.float32)
    state["fc.bias"] = rng.random(1000, np.float32)
    return state
