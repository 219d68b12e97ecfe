"""A small training run with everything on that could go wrong on resuming: dropout, augmentation,
shuffle, a smaller last batch, batch normalisation, momentum, a schedule. 60 steps in 10 epochs.

    python -m tests.train.training_run FOLDER [STOP]

trains in FOLDER, or goes on there, saving after every step; prints "step N" after each, and at the
end a hash of all that training has changed. With STOP it stops itself after that step.
"""

import hashlib
import json
import signal
import sys

import numpy as np
from PIL import Image

from minigrad import manual_seed, nn
from minigrad.backend import to_device
from minigrad.data import (ArrayDataset, Compose, DataLoader, RandomCrop, RandomHorizontalFlip,
                           ToArray)
from minigrad.optim import SGD
from minigrad.optim.lr_scheduler import OneCycleLR
from minigrad.train import Accuracy, Metric, fit
from minigrad.train.folder.checkpoint import Checkpoints

CLASSES, EPOCHS, STEPS = 4, 10, 60
SAMPLES, BATCH = 22, 4                  # 6 batches, the last of 2 samples


def images(count=SAMPLES, size=16):
    """Pictures of `CLASSES` colours, hard to see in noise, and their classes."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, CLASSES, count)
    colours = rng.integers(60, 196, (CLASSES, 3))
    pixels = colours[labels][:, None, None] + rng.normal(0, 60, (count, size, size, 3))
    return [Image.fromarray(p.clip(0, 255).astype(np.uint8)) for p in pixels], labels


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
                         nn.MaxPool2d(4), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, CLASSES))


def objects(seed=1, optimizer=SGD, workers=0, **loader):
    """(model, train, valid, {"optimizer", "scheduler"}), all new, from `seed`."""
    manual_seed(seed)
    x, y = images()
    augment = Compose([RandomCrop(16, padding=2), RandomHorizontalFlip(), ToArray()])
    train = DataLoader(ArrayDataset(x, y, augment), **{
        "batch_size": BATCH, "shuffle": True, "seed": 3, "workers": workers, **loader})
    valid = DataLoader(ArrayDataset(x, y, ToArray()), batch_size=10, workers=0)
    model = network()
    if optimizer is SGD:
        optimizer = SGD(model.parameters(), lr=0.01, weight_decay=1e-3)
    else:
        optimizer = optimizer(model.parameters())
    scheduler = OneCycleLR(optimizer, 0.02, total_steps=STEPS)
    return model, train, valid, {"optimizer": optimizer, "scheduler": scheduler}


class Hits(Metric):
    """A metric as people write it: its counts are of NumPy's types, or on the GPU."""

    single = False

    def __init__(self):
        self.right, self.largest, self.batches = 0, 0.0, []

    def update(self, output, target):
        hits = output.data.argmax(1) == target
        self.right += hits.sum()                        # int64
        self.largest += output.data.max(1).sum()        # float32, and so are its roundings
        self.batches.append(hits)

    def compute(self):
        return [float(self.right), float(self.largest),
                [to_device(hits, "cpu").tolist() for hits in self.batches]]


METRICS = {"accuracy": Accuracy, "hits": Hits}


class StopAt:
    """Ctrl-C, `times` times, after step `step`."""

    def __init__(self, step, times=1):
        self.step, self.times = step, times

    def on_step_end(self, run):
        if run.step == self.step:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)


def train(folder, callbacks=(), epochs=EPOCHS, make=objects, **settings):
    """`fit` with new objects, in `folder`; the hash of what is there afterwards."""
    model, loader, valid, how = make()
    fit(model, loader, valid, epochs=epochs, folder=folder, resume=True, progress=False,
        callbacks=callbacks, **how, **{"metrics": METRICS, **settings})
    return digest(folder)


def digest(folder):
    """SHA-256 of the newest checkpoint, without the times that it tells."""
    _, state = Checkpoints(folder / "checkpoints").load()
    hasher = hashlib.sha256()

    def add(value):
        if isinstance(value, dict):
            for key in sorted(value):
                if key != "seconds":
                    hasher.update(key.encode())
                    add(value[key])
        elif isinstance(value, np.ndarray):
            hasher.update(f"{value.dtype} {value.shape}".encode() + value.tobytes())
        elif isinstance(value, list):
            hasher.update(f"list {len(value)}".encode())
            for item in value:
                add(item)
        else:
            hasher.update(json.dumps(value).encode())

    add(state)
    return hasher.hexdigest()


class Tell:
    """Prints the steps."""

    def on_step_end(self, run):
        print("step", run.step, flush=True)


if __name__ == "__main__":
    from pathlib import Path

    where = Path(sys.argv[1])
    stops = [StopAt(int(step)) for step in sys.argv[2:]]
    print(train(where, [Tell(), *stops], save_every=1))
