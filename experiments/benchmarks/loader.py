"""Photographs from a folder to batches, beside torchvision's ImageFolder and torch's DataLoader.

256 JPEG files of about 500 x 375 pixels, drawn for the occasion: resize to 256, crop 224 at random,
flip, normalise, batches of 32, nothing done with them. Two workers each; both libraries start
theirs at every epoch, and an epoch is what is timed. The files are in the file cache.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from experiments.benchmarks.harness import Row, race
from minigrad import data

IMAGES, BATCH, WORKERS, ROUNDS = 256, 32, 2, 9
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def run(peers: dict[str, Any]) -> Iterator[Row]:
    """An epoch, fetched by threads and by processes; torch's where it is installed."""
    with tempfile.TemporaryDirectory() as folder:
        draw_photographs(Path(folder), IMAGES)
        ours = data.ImageFolder(folder, data.Compose([
            data.Resize(256), data.RandomCrop(224), data.RandomHorizontalFlip(), data.ToArray(),
            data.Normalize(MEAN, STD)]))
        contenders = {
            f"{WORKERS} {kind}": lambda kind=kind: _epoch(data.DataLoader(
                ours, BATCH, shuffle=True, workers=WORKERS, processes=kind == "processes"))
            for kind in ("threads", "processes")}
        torchvision = import_torchvision(peers["torch"]) if "torch" in peers else None
        if torchvision is not None:
            t = torchvision.transforms
            theirs = torchvision.datasets.ImageFolder(folder, t.Compose([
                t.Resize(256), t.RandomCrop(224), t.RandomHorizontalFlip(), t.ToTensor(),
                t.Normalize(MEAN, STD)]))
            contenders["torchvision"] = lambda: _epoch(peers["torch"].utils.data.DataLoader(
                theirs, BATCH, shuffle=True, num_workers=WORKERS))
        row = race(f"{IMAGES} JPEG files of 500 x 375 in batches of {BATCH} x 3 x 224 x 224",
                   "image", IMAGES, contenders, ROUNDS)
    yield row._replace(extra={f"{name}, images/s": 1 / t.median
                              for name, t in row.timings.items()})


def draw_photographs(folder: Path, count: int) -> None:
    """JPEG files of quality 90 in two class folders: clouds, discs and grain, in both formats."""
    rng = np.random.default_rng(0)
    for k in range(count):
        width, height = (500, 375) if k % 3 else (375, 500)
        clouds = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
        image = Image.fromarray(clouds).resize((width, height), Image.Resampling.BICUBIC)
        draw = ImageDraw.Draw(image)
        for x, y, radius in rng.integers((0, 0, 10), (width, height, 90), (12, 3)).tolist():
            draw.ellipse((x - radius, y - radius, x + radius, y + radius),
                         fill=tuple(rng.integers(0, 256, 3).tolist()))
        grain = rng.normal(0, 8, (height, width, 1))
        path = folder / "ab"[k % 2] / f"{k:03}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray((image + grain).clip(0, 255).astype(np.uint8)).save(path, quality=90)


def _epoch(loader):
    if sum(len(x) for x, _ in loader) != IMAGES:
        raise RuntimeError("benchmark loader: images got lost")


def import_torchvision(torch):
    """torchvision, also where its compiled operators do not fit torch; None where it is missing."""
    if importlib.util.find_spec("torchvision") is None:
        print("torchvision is not installed: measured without it", file=sys.stderr)
        return None
    try:
        return importlib.import_module("torchvision")
    except RuntimeError:    # importing it names two operators: declare them, they are not called
        for half_imported in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[half_imported]
        import_torchvision.operators = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            import_torchvision.operators.define(
                f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return importlib.import_module("torchvision")
