"""Real transfer on real photographs: what six classes taught helps with four that were never seen.

A ResNet-18 trained (by PyTorch) on six classes of CIFAR-10 is fine-tuned on 200 photographs of each
of four others, and so is a fresh one, by the coursework's recipe: 5 epochs, SGD, one cycle up to
0.015 with cycled momentum, gradients clipped by value to 0.1, weight decay 1e-4. The figures are
accuracies on the 4000 test photographs of the four.

The files lie beside the project, in ../shared, and the tests skip without them. Three seeds and all
test photographs (a quarter of an hour) with MINIGRAD_FULL=1 in the environment. PyTorch's figures,
from the same weights, batches and recipe, were made by

    python -m tests.models.test_transfer           needs PyTorch and torchvision
"""

import io
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad.data import ArrayDataset, DataLoader
from minigrad.models import Preprocess, resnet18
from minigrad.optim import SGD
from minigrad.optim.lr_scheduler import OneCycleLR
from minigrad.train import evaluate, fit
from tests.models.test_cifar import CHECKPOINTS, PHOTOS

WEIGHTS = CHECKPOINTS / "resnet18-cifar6.pth"
CLASSES = ["cat", "deer", "dog", "horse"]
SEEDS, EPOCHS, BATCH, MAX_LR, CLIP, DECAY = (0, 1, 2), 5, 32, 0.015, 0.1, 1e-4
STARTS = {"fine-tuned": WEIGHTS, "from scratch": None}
# PyTorch 2.13's accuracies, one per seed.
PYTORCH = {"fine-tuned": [0.5913, 0.5845, 0.5893], "from scratch": [0.5072, 0.5105, 0.5180]}

pytestmark = pytest.mark.skipif(not (PHOTOS.exists() and WEIGHTS.exists()),
                                reason="needs ../shared/data and ../shared/checkpoints")
full = pytest.mark.skipif(os.environ.get("MINIGRAD_FULL") != "1",
                          reason="six trainings: MINIGRAD_FULL=1")


def photographs(split, count):
    """The first `count` photographs of each class, as a data set of arrays (3, 64, 64)."""
    prepare, images, targets = Preprocess((64, 64)), [], []
    with zipfile.ZipFile(PHOTOS) as archive:
        names = sorted(archive.namelist())
        for number, label in enumerate(CLASSES):
            chosen = [n for n in names if n.startswith(f"{split}/{label}/") and n.endswith(".jpg")]
            images += [prepare(Image.open(io.BytesIO(archive.read(n)))) for n in chosen[:count]]
            targets += [number] * min(count, len(chosen))
    return ArrayDataset(images, targets)


def start(weights, seed):
    """The network before training; its last layer, or all of it, drawn with the seed."""
    mg.manual_seed(seed)
    return resnet18(len(CLASSES), weights=weights)


def batches(photos, seed, size=BATCH):
    return DataLoader(photos, size, shuffle=True, drop_last=True, seed=seed, workers=0)


def accuracy(model, loader, test_photos, epochs=EPOCHS):
    """That of the network after training."""
    optimizer = SGD(model.parameters(), weight_decay=DECAY)
    fit(model, loader, epochs=epochs, optimizer=optimizer, clip_value=CLIP, progress=False,
        scheduler=OneCycleLR(optimizer, MAX_LR, epochs=epochs, steps_per_epoch=len(loader)))
    return evaluate(model, DataLoader(test_photos, 100, workers=0))["accuracy"]


@full
def test_what_was_learned_is_worth_five_points_as_in_pytorch():
    train_photos, test_photos = photographs("train", 200), photographs("test", 1000)
    assert len(train_photos) == 800 and len(test_photos) == 4000
    found = {name: [accuracy(start(weights, seed), batches(train_photos, seed), test_photos)
                    for seed in SEEDS] for name, weights in STARTS.items()}
    means = {name: np.mean(values) for name, values in found.items()}
    assert means["fine-tuned"] >= means["from scratch"] + 0.05, found
    for name, mean in means.items():
        assert abs(mean - np.mean(PYTORCH[name])) <= 0.02, found


def test_a_few_photographs_suffice_to_see_it():
    """The same in small: 40 photographs of each class, 2 epochs; 60 others of each to test."""
    few, others = photographs("train", 40), photographs("test", 60)
    found = {name: accuracy(start(weights, seed=0), batches(few, 0, size=16), others, epochs=2)
             for name, weights in STARTS.items()}
    assert found["fine-tuned"] >= found["from scratch"] + 0.03, found


# ---- PyTorch's figures ---------------------------------------------------------------------------

def pytorch_accuracy(torch, model, loader, test_photos):
    """As `accuracy`, of a network of PyTorch's."""
    optimizer = torch.optim.SGD(model.parameters(), weight_decay=DECAY)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, MAX_LR, epochs=EPOCHS,
                                                    steps_per_epoch=len(loader))
    model.train()
    for _ in range(EPOCHS):
        for x, y in loader:
            optimizer.zero_grad()
            x, y = torch.tensor(x.data), torch.tensor(y.data)
            torch.nn.functional.cross_entropy(model(x), y).backward()
            torch.nn.utils.clip_grad_value_(model.parameters(), CLIP)
            optimizer.step()
            scheduler.step()
    model.eval()
    right = 0
    with torch.no_grad():
        for x, y in DataLoader(test_photos, 100, workers=0):
            right += (model(torch.tensor(x.data)).argmax(1).numpy() == y.data).sum()
    return right / len(test_photos)


def main():
    import torch
    import torchvision
    train_photos, test_photos = photographs("train", 200), photographs("test", 1000)
    for seed in SEEDS:
        for name, weights in STARTS.items():
            model = torchvision.models.resnet18(num_classes=len(CLASSES))
            model.load_state_dict({key: torch.tensor(value) for key, value
                                   in start(weights, seed).state_dict().items()})
            figure = pytorch_accuracy(torch, model, batches(train_photos, seed), test_photos)
            print(f"{name}, seed {seed}: {figure:.4f}")


if __name__ == "__main__":
    main()
