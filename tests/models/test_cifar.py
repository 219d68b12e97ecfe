"""Real weights on real photographs: as many CIFAR-10 test images right as PyTorch gets.

The files lie beside the project, in ../shared, and the tests skip without them. One network sees
every tenth image; with MINIGRAD_FULL=1 in the environment three see all (some minutes).
"""

import io
import json
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad.models import Preprocess, cifar_resnet20, cifar_resnet32, preprocess, resnet18
from tests.places import SHARED

PHOTOS, CHECKPOINTS = SHARED / "data" / "cifar10-jpeg.zip", SHARED / "checkpoints"
SIX = CHECKPOINTS / "resnet18-cifar6.json"
BATCH = 50                  # its columns fit the cache
# PyTorch 2.13's counts, of every tenth image and of all.
RIGHT = {"resnet20-12fca82f.th": (795, 8103), "resnet32-d509ac18.th": (808, 8256),
         "resnet18-cifar6.pth": (507, 5166)}
MODELS = {"resnet20-12fca82f.th": cifar_resnet20, "resnet32-d509ac18.th": cifar_resnet32,
          "resnet18-cifar6.pth": resnet18}

pytestmark = pytest.mark.skipif(not (PHOTOS.exists() and SIX.exists()),
                                reason="needs ../shared/data and ../shared/checkpoints")
all_images = pytest.mark.skipif(os.environ.get("MINIGRAD_FULL") != "1",
                                reason="all 10 000 images: MINIGRAD_FULL=1")


def photographs(prepare, every, classes=None):
    """(images (N, 3, H, W), their classes' numbers): every `every`-th of the test images of the
    classes (default: all), in the order of the file names."""
    with zipfile.ZipFile(PHOTOS) as archive:
        names = sorted(name for name in archive.namelist()
                       if name.startswith("test/") and name.endswith(".jpg"))
        classes = classes or sorted({name.split("/")[1] for name in names})
        names = [name for name in names if name.split("/")[1] in classes][::every]
        images = [prepare(Image.open(io.BytesIO(archive.read(name)))) for name in names]
    return np.stack(images), np.array([classes.index(name.split("/")[1]) for name in names])


def count_right(model, images, targets):
    right = 0
    with mg.no_grad():
        for start in range(0, len(images), BATCH):
            scores = model(mg.Tensor(images[start:start + BATCH])).data
            right += (scores.argmax(1) == targets[start:start + BATCH]).sum()
    return right


def check(file, every):
    """The count is PyTorch's, but for 3 images whose two best scores rounding may exchange."""
    model = MODELS[file](weights=CHECKPOINTS / file).eval()
    if file == "resnet18-cifar6.pth":
        images, targets = photographs(Preprocess((64, 64)), every, six()["classes"])
    else:
        images, targets = photographs(preprocess("cifar_resnet20"), every)
    expected = RIGHT[file][every == 1]
    assert abs(count_right(model, images, targets) - expected) <= 3


def six():
    return json.loads(SIX.read_text())


@pytest.mark.parametrize("file", list(RIGHT)[:1])
def test_a_tenth_of_the_test_images(file):
    check(file, every=10)


@all_images
@pytest.mark.parametrize("file", RIGHT)
def test_all_test_images(file):
    check(file, every=1)


def test_the_recorded_logits():
    """Of the first test image of each of six classes, by a file of float16 and float32 weights."""
    model = resnet18(weights=CHECKPOINTS / "resnet18-cifar6.pth").eval()
    recorded = six()["logits_of_first_test_image"]
    for name, logits in recorded.items():
        images, _ = photographs(Preprocess((64, 64)), 1000, [name])
        with mg.no_grad():
            found = model(mg.Tensor(images)).data[0]
        np.testing.assert_allclose(found, logits, atol=1e-4)


def test_wrong_weights_are_noticed():
    """A network that is not the trained one gets about a tenth right."""
    images, targets = photographs(preprocess("cifar_resnet20"), 100)
    mg.manual_seed(0)
    assert count_right(cifar_resnet20().eval(), images, targets) < 30
