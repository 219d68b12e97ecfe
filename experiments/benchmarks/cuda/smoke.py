"""Each kind of kernel once on a GPU, beside float64 on the CPU: is it right on this machine?

    python -m experiments.benchmarks gpu --smoke

What fails, by a wrong number or by an error, is told, and the rest is done. The whole takes about a
minute, most of it for compiling the kernels.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

import minigrad as mg
from minigrad import models, ops, optim
from minigrad.backend import to_device
from minigrad.dtypes import number_type

RESULTS = pathlib.Path("results/gpu-smoke.json")
BOUNDS = {"float32": 1e-5, "float16": 2e-3, "bfloat16": 1.5e-2, "TF32": 2e-3}
# channels in and out, side of the filter, stride: first layers, tensor cores, sizes that divide not
CONVOLUTIONS = ((3, 64, 7, 2), (64, 64, 3, 1), (64, 128, 3, 2), (128, 136, 1, 1), (8, 130, 3, 1),
                (5, 7, 3, 1))
STEPS = 20  # of the training that must give the same bits twice


class Outcome(NamedTuple):
    """What became of one check: |got - want| / |want| or the error that it raised."""

    name: str
    ok: bool
    error: float | str
    bound: float
    seconds: float


def run() -> list[Outcome]:
    """All checks, each told as it is done; results/gpu-smoke.json has those so far."""
    outcomes = []
    for name, bound, compare in checks():
        start = time.perf_counter()
        try:
            got, want = (np.asarray(a, np.float64) for a in compare())
            error = float(np.linalg.norm(got - want) / (np.linalg.norm(want) or 1))
        except Exception as problem:  # whatever a GPU may have against it
            error = f"{type(problem).__name__}: {problem}"
        ok = not isinstance(error, str) and error <= bound
        outcomes.append(Outcome(name, ok, error, bound, time.perf_counter() - start))
        told = error if isinstance(error, str) else f"{error:.1e} (at most {bound:.0e})"
        print(f"{'ok  ' if ok else 'FAIL'} {name}: {told}", flush=True)
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps([o._asdict() for o in outcomes], indent=1) + "\n")
    failed = [o.name for o in outcomes if not o.ok]
    print(f"{len(outcomes) - len(failed)} of {len(outcomes)} checks passed; recorded in {RESULTS}",
          file=sys.stderr)
    return outcomes


def checks() -> Iterator[tuple[str, float, Callable]]:
    """(name, bound, a function that gives two arrays that should agree) of every check."""
    rng = np.random.default_rng(0)
    dtypes = [d for d in ("float32", "float16", "bfloat16") if _is_there(d)]
    for c, o, k, stride in CONVOLUTIONS:
        x, w = rng.standard_normal((2, c, 19, 17)), rng.standard_normal((o, c, k, k)) / c / k
        for kind in ("TF32", *dtypes):
            yield (f"convolution {c} -> {o}, {k}x{k}, stride {stride}, {kind}", BOUNDS[kind],
                   _both(_convolution(stride=stride, padding=k // 2), x, w, kind=kind))
    for groups, name in ((32, "one by one"), (2, "in columns")):
        x, w = rng.standard_normal((2, 64, 14, 14)), rng.standard_normal((128, 64 // groups, 3, 3))
        yield (f"convolution in {groups} groups, {name}", 1e-5,
               _both(_convolution(padding=1, groups=groups), x, w))
    x, v = rng.standard_normal((2, 20, 13, 11)), rng.standard_normal(20)
    images = {
        "max pooling": lambda x: ops.max_pool2d(x, 3, 2, 1),
        "average pooling": lambda x: ops.avg_pool2d(x, 3, 2, 1),
        "adaptive average pooling": lambda x: ops.adaptive_avg_pool2d(x, (5, 3)),
        "adaptive max pooling": lambda x: ops.adaptive_max_pool2d(x, (5, 3)),
        "sum over images": lambda x: x.sum((0, 2, 3)), "largest of rows": lambda x: x.amax(3),
        "sigmoid": ops.sigmoid, "tanh": ops.tanh, "ReLU": ops.relu}
    for name, f in images.items():
        yield name, 1e-5, _both(f, x)
    yield "max pooling over more than 65536 numbers", 1e-6, _wide_pooling
    yield ("batch normalisation", 1e-5,
           _both(lambda x, w, b: ops.batch_norm(x, None, None, w, b, True), x, v, v))
    yield ("cross entropy", 1e-5,
           _both(lambda x: ops.cross_entropy(x, np.arange(16) % 7, reduction="none"),
                 rng.standard_normal((16, 7))))
    yield ("rows by an index", 1e-6,
           _both(lambda x: x[mg.Tensor(np.array([0, 2, 2, 1])).to(x.device)],
                 rng.standard_normal((4, 5))))
    for kind in dtypes:
        yield (f"matrix product, {kind}", BOUNDS[kind],
               _both(ops.linear, rng.standard_normal((33, 70)), rng.standard_normal((40, 70)),
                     kind=kind))
        yield (f"products of stacks, {kind}", BOUNDS[kind],
               _both(mg.matmul, rng.standard_normal((3, 5, 6)), rng.standard_normal((3, 6, 4)),
                     kind=kind))
    for kind in (None, *dtypes[1:]):
        yield (f"{STEPS} steps of training twice, the same bits, {kind or 'float32'}", 0,
               lambda kind=kind: (_losses(kind), _losses(kind)))


def _is_there(dtype):
    try:
        return number_type(dtype) is not None
    except RuntimeError:  # bfloat16 without ml_dtypes
        return False


def _convolution(**options):
    return lambda x, w: ops.conv2d(x, w, **options)


def _both(f, *arrays, kind="float32"):
    """f and its gradients on the GPU, and on the CPU in float64 of the same rounded numbers."""
    def compare():
        dtype = number_type("float32" if kind == "TF32" else kind)
        rounded = [a.astype(np.float32).astype(dtype) for a in arrays]
        before = mg.get_float32_matmul_precision()
        mg.set_float32_matmul_precision("high" if kind == "TF32" else "highest")
        try:
            return [_flat(f, rounded, *where) for where in (("cuda", dtype), ("cpu", np.float64))]
        finally:
            mg.set_float32_matmul_precision(before)
    return compare


def _flat(f, arrays, device, dtype):
    """The output of f and its gradients by a random cotangent, one after another."""
    xs = [mg.Tensor(to_device(a.astype(dtype), device), requires_grad=True) for a in arrays]
    y = f(*xs)
    gy = np.random.default_rng(1).standard_normal(y.shape)
    rounded = gy.astype(np.float32).astype(arrays[0].dtype).astype(dtype)
    y.backward(mg.Tensor(rounded).to(device))
    results = [to_device(t.data, "cpu") for t in (y, *[x.grad for x in xs])]
    return np.concatenate([np.asarray(a, np.float64).ravel() for a in results])


def _wide_pooling():
    x = np.zeros((1, 1, 300, 300), np.float32)
    x[..., -1, -1] = 1
    on_gpu = mg.Tensor(to_device(x, "cuda"), requires_grad=True)
    ops.max_pool2d(on_gpu, 300).sum().backward()
    return to_device(on_gpu.grad.data, "cpu"), x


def _losses(dtype, device="cuda"):
    """The losses of a small network that learns to tell brighter pictures from darker ones."""
    mg.manual_seed(0)
    model = models.small_cnn(size=16).to(device)
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    rng, losses = np.random.default_rng(1), []
    for _ in range(STEPS):
        target = rng.integers(0, 7, 16)
        x = rng.standard_normal((16, 3, 16, 16)) * 0.1 + target[:, None, None, None]
        optimizer.zero_grad()
        with mg.autocast(dtype) if dtype else contextlib.nullcontext():
            loss = mg.cross_entropy(model(mg.Tensor(x.astype(np.float32)).to(device)), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if not losses[-1] < losses[0]:
        raise ArithmeticError(f"it does not learn: losses {losses}")
    return losses
