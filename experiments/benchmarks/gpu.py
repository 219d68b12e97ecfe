"""Training steps per second on a GPU, beside PyTorch eager on the same GPU in the same run.

Each contender's steps are timed with CUDA events, in turns. All train the same networks on the same
numbers with SGD: in float32 on tensor cores (TF32) and without, and under autocast in bfloat16.
PyTorch runs as it comes and with `channels_last`, its strongest form. After each workload the
results so far, with date, device, versions and commit, are in results/gpu.json.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import pathlib
import platform
import subprocess
import sys
from functools import partial

import numpy as np

import minigrad as mg
from experiments.benchmarks.harness import Row, timed_race
from minigrad import models, optim
from minigrad.backend import memory_report, to_device
from minigrad.dtypes import number_type

RESULTS = pathlib.Path("results/gpu.json")
STEPS, ROUNDS = 10, 9  # steps per run; runs per contender, after two to warm up
PRECISIONS = "TF32", "bf16", "float32"

# name: (network, its name in torchvision or None, batch, (C, H, W), classes)
WORKLOADS = {
    "ResNet-18, 224 px, batch 64": (models.resnet18, "resnet18", 64, (3, 224, 224), 1000),
    "ResNet-18, 64 px, batch 128": (models.resnet18, "resnet18", 128, (3, 64, 64), 1000),
    "ResNeXt-50, 224 px, batch 32": (models.resnext50_32x4d, "resnext50_32x4d", 32, (3, 224, 224),
                                     1000),
    "LeNet-5, batch 256": (models.lenet5, None, 256, (1, 32, 32), 10)}


def run(peers: dict) -> list[Row]:
    """All workloads, beside torch (and torchvision) if they are installed with CUDA.

    Ends with exit status 2 and one line if there is no GPU.
    """
    try:
        to_device(np.zeros(1), "cuda")
    except RuntimeError as error:
        print(f"benchmark gpu: {error}", file=sys.stderr)
        sys.exit(2)
    import cupy
    peers = _with_cuda(peers)
    document = _document(cupy, peers)
    rows = []
    before = mg.get_float32_matmul_precision()
    try:
        for precision in _precisions():
            mg.set_float32_matmul_precision("high" if precision == "TF32" else "highest")
            for name, workload in WORKLOADS.items():
                name = f"{name}, {precision}"
                print(f"{name}; {memory_report()}", file=sys.stderr)
                rows.append(_race(name, workload, precision, cupy, peers))
                _write(document, rows)
    finally:
        mg.set_float32_matmul_precision(before)
    print(f"recorded in {RESULTS}", file=sys.stderr)
    return rows


def _with_cuda(peers):
    """torch and torchvision, if torch can use the GPU."""
    torch = peers.get("torch")
    if not (torch and torch.cuda.is_available()):
        return {}
    try:
        import torchvision  # its models are the workloads
    except ImportError:
        print("torchvision is not installed: measured without torch", file=sys.stderr)
        return {}
    return {"torch": torch, "torchvision": torchvision}


def _precisions():
    """The precisions that can be measured here: bfloat16 needs ml_dtypes."""
    try:
        number_type("bfloat16")
    except RuntimeError as error:
        print(f"without bf16: {error}", file=sys.stderr)
        return [p for p in PRECISIONS if p != "bf16"]
    return PRECISIONS


def _race(name, workload, precision, cupy, peers):
    build, official, batch, size, classes = workload
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *size)).astype(np.float32)
    target = rng.integers(0, classes, batch)
    step = minigrad_step(build(), x, target, precision)
    contenders = {
        "minigrad": partial(_seconds, step, cupy.cuda.Event, cupy.cuda.get_elapsed_time)}
    if peers:
        torch = peers["torch"]
        torch.backends.cudnn.allow_tf32 = precision == "TF32"
        torch.backends.cuda.matmul.allow_tf32 = precision == "TF32"
        clock = (lambda: torch.cuda.Event(enable_timing=True),
                 lambda start, end: start.elapsed_time(end))
        for contender, form in (("torch", "contiguous_format"),
                                ("torch, channels_last", "channels_last")):
            model = (getattr(peers["torchvision"].models, official)() if official
                     else torch_lenet(torch))
            contenders[contender] = partial(
                _seconds, torch_step(torch, model, x, target, precision, form, "cuda"), *clock)
    row = timed_race(name, "step", STEPS, contenders, ROUNDS)
    return row._replace(
        extra={"minigrad's images per second": batch / row.timings["minigrad"].median})


def minigrad_step(model, x, target, precision, device="cuda"):
    """A function that does one training step."""
    model.to(device)
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, target = mg.Tensor(x).to(device), mg.Tensor(target).to(device)

    def step():
        optimizer.zero_grad()
        with mg.autocast("bfloat16") if precision == "bf16" else contextlib.nullcontext():
            loss = mg.ops.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return step


def torch_step(torch, model, x, target, precision, form, device):
    """The same in torch, its images and filters in that memory format."""
    form = getattr(torch, form)
    model.to(device, memory_format=form).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x = torch.tensor(x).to(device, memory_format=form)
    target = torch.tensor(target).to(device)

    def step():
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            loss = torch.nn.functional.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return step


def _seconds(step, event, milliseconds):
    """Seconds that the GPU took for STEPS steps."""
    start, end = event(), event()
    start.record()
    for _ in range(STEPS):
        step()
    end.record()
    end.synchronize()
    return milliseconds(start, end) / 1000


def torch_lenet(torch):
    """The layers of models.lenet5 in torch."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84),
        nn.ReLU(), nn.Linear(84, 10))


def _document(cupy, peers):
    """What is known before anything is measured."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "device": cupy.cuda.runtime.getDeviceProperties(0)["name"].decode(), "commit": _commit(),
        "versions": {"minigrad": mg.__version__, "python": platform.python_version(),
                     "numpy": np.__version__, "cupy": cupy.__version__,
                     "cuda": cupy.cuda.runtime.runtimeGetVersion(),
                     **{name: module.__version__ for name, module in peers.items()}}}


def _commit():
    try:
        git = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    except OSError:     # without git only the commit is unknown
        return "unknown: git is not installed"
    return git.stdout.strip() or "not in a git checkout"


def _write(document, rows):
    document = {**document, "rows": [
        {"workload": row.workload, **row.extra,
         "seconds per step": {c: t._asdict() for c, t in row.timings.items()},
         "ratio to the last": {c: t._asdict() for c, t in row.ratios.items()}} for row in rows]}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
