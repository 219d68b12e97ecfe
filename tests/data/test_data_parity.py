"""The same classes, samples and pixels as torchvision's ImageFolder, but where our rules differ.

Skipped where torch or torchvision is missing.
"""

import warnings

import numpy as np
import pytest

from minigrad.data.folder import EXTENSIONS, ImageFolder
from minigrad.data.images import read_image
from tests.data import image_corpus, test_folder

root = test_folder.root
READABLE = [name for name, (_, expected) in image_corpus.CASES.items()
            if not isinstance(expected, str)]
# torchvision turns no photograph, drops transparency, and clips 16-bit grey at 255.
OTHER_RULE = {
    *(f"orientation-{k}.jpg" for k in range(2, 9)), "orientation-big-endian.jpg",
    "orientation-long.jpg", "orientation.png", "orientation-late.png", "orientation.webp",
    *(name for name in READABLE if "key" in name or "alpha" in name or "clear" in name),
    "rgba.png", "rgba-16.png", "transparent.gif", "rgba.tif",
    *(name for name in READABLE if name.startswith("grey-16")), "pages-16.tif", "16-bit.pgm"}
TREES = [name for name, (tree, *_) in test_folder.CASES.items()      # no links, nothing hidden
         if not set(">|=") & set(tree) and not any(
             part.startswith(".") and part != ".." for part in tree.replace("/", " ").split(" "))]


@pytest.mark.parametrize("name", READABLE)
def test_pixels(name, torchvision, tmp_path):
    path = tmp_path / name
    path.write_bytes(image_corpus.CASES[name][0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                 # theirs are heard
        theirs = np.asarray(torchvision.datasets.folder.default_loader(str(path)))
    same = np.array_equal(read_image(path), theirs)
    assert same == (name not in OTHER_RULE)


@pytest.mark.parametrize("name", TREES)
def test_trees(name, torchvision, root):
    test_folder.build(root, test_folder.CASES[name][0])
    try:
        theirs = torchvision.datasets.ImageFolder(root)
    except (FileNotFoundError, NotADirectoryError) as error:
        with pytest.raises(type(error)):
            ImageFolder(root)
    else:
        mine = ImageFolder(root)
        assert (mine.classes, mine.class_to_idx) == (theirs.classes, theirs.class_to_idx)
        assert (mine.samples, mine.targets) == (theirs.samples, theirs.targets)


def test_extensions(torchvision):
    assert set(EXTENSIONS) == set(torchvision.datasets.folder.IMG_EXTENSIONS)
