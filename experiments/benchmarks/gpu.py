"""Training steps per second on a GPU, beside PyTorch eager on the same GPU in the same run.

Each contender's steps are timed with CUDA events, in turns. Both frameworks train the same networks
on the same numbers with SGD; TF32 is on for both, then off for both. The results go to
results/gpu.json with date, device, versions and commit.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import platform
import statistics
import subprocess
import sys

import numpy as np

import minigrad as mg
from experiments.benchmarks.harness import Row, timing
from minigrad import models, optim
from minigrad.backend import memory_report

RESULTS = pathlib.Path("results/gpu.json")
STEPS, ROUNDS = 10, 9  # steps per run; runs per contender, after two to warm up

# name: (network, its name in torchvision or None, batch, (C, H, W), classes)
WORKLOADS = {
    "ResNet-18, 224 px, batch 64": (models.resnet18, "resnet18", 64, (3, 224, 224), 1000),
    "ResNet-18, 64 px, batch 128": (models.resnet18, "resnet18", 128, (3, 64, 64), 1000),
    "ResNeXt-50, 224 px, batch 32": (models.resnext50_32x4d, "resnext50_32x4d", 32, (3, 224, 224),
                                     1000),
    "LeNet-5, batch 256": (models.lenet5, None, 256, (1, 32, 32), 10)}


def run(peers: dict) -> list[Row]:
    """All workloads, beside torch (and torchvision) if they are installed with CUDA."""
    try:
        import cupy
    except ImportError:
        sys.exit("benchmark gpu: CuPy is not installed: pip install 'minigrad[cuda12]'")
    if not cupy.is_available():
        sys.exit("benchmark gpu: no NVIDIA GPU found")
    torch = peers.get("torch")
    torch = torch if torch and torch.cuda.is_available() else None
    if torch:
        import torchvision  # installed with torch; its models are the workloads
        peers = {**peers, "torchvision": torchvision}
    rows = []
    for tf32 in (True, False):
        mg.set_float32_matmul_precision("high" if tf32 else "highest")
        if torch:
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
        for name, workload in WORKLOADS.items():
            print(f"{name}, TF32 {'on' if tf32 else 'off'}; {memory_report()}", file=sys.stderr)
            rows.append(_race(f"{name}, TF32 {'on' if tf32 else 'off'}", workload, cupy, torch,
                              peers.get("torchvision")))
    _record(rows, cupy, peers)
    return rows


def _race(name, workload, cupy, torch, torchvision):
    build, official, batch, size, classes = workload
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *size)).astype(np.float32)
    target = rng.integers(0, classes, batch)
    contenders = {"minigrad": _minigrad_run(cupy, build(), x, target)}
    if torch:
        model = getattr(torchvision.models, official)() if official else _torch_lenet(torch)
        contenders["torch"] = _torch_run(torch, model, x, target)
    seconds = {contender: [] for contender in contenders}
    for turn in range(-2, ROUNDS):
        for contender, timed in contenders.items():
            taken = timed() / STEPS
            if turn >= 0:
                seconds[contender].append(taken)
    base = seconds[list(contenders)[-1]]
    best = statistics.median(seconds["minigrad"])
    return Row(name, "step", {c: timing(ts) for c, ts in seconds.items()},
               {c: timing([t / b for t, b in zip(ts, base)]) for c, ts in seconds.items()},
               {"minigrad's images per second": batch / best})


def _minigrad_run(cupy, model, x, target):
    model.to("cuda")
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, target = mg.Tensor(x).to("cuda"), mg.Tensor(target).to("cuda")

    def step():
        optimizer.zero_grad()
        mg.ops.cross_entropy(model(x), target).backward()
        optimizer.step()

    return lambda: _timed(step, cupy.cuda.Event, cupy.cuda.get_elapsed_time)


def _torch_run(torch, model, x, target):
    model.cuda().train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, target = torch.tensor(x).cuda(), torch.tensor(target).cuda()

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), target).backward()
        optimizer.step()

    return lambda: _timed(step, lambda: torch.cuda.Event(enable_timing=True),
                          lambda start, end: start.elapsed_time(end))


def _timed(step, event, milliseconds):
    """Seconds that the GPU took for STEPS steps."""
    start, end = event(), event()
    start.record()
    for _ in range(STEPS):
        step()
    end.record()
    end.synchronize()
    return milliseconds(start, end) / 1000


def _torch_lenet(torch):
    """The layers of models.lenet5 in torch."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84),
        nn.ReLU(), nn.Linear(84, 10))


def _record(rows, cupy, peers):
    device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    document = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "device": device, "commit": commit.stdout.strip() or "not in a git checkout",
        "versions": {"minigrad": mg.__version__, "python": platform.python_version(),
                     "numpy": np.__version__, "cupy": cupy.__version__,
                     "cuda": cupy.cuda.runtime.runtimeGetVersion(),
                     **{name: module.__version__ for name, module in peers.items()}},
        "rows": [{"workload": row.workload, **row.extra,
                  "seconds per step": {c: t._asdict() for c, t in row.timings.items()},
                  "ratio to the last": {c: t._asdict() for c, t in row.ratios.items()}}
                 for row in rows]}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    print(f"recorded in {RESULTS}", file=sys.stderr)
