"""Folders of photographs: what is found in which order, whatever the file system holds; data sets.

A tree is written as a text, an entry to a word: `a/x.jpg` a file, `a/` a folder, `a/x.jpg>TARGET` a
link, `a/x.jpg|` a FIFO, `a/x.jpg=` a socket. An outcome lists the samples, in order.
"""

import os
import pickle
import random
import socket
import tempfile
import time
import unicodedata
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.data.dataset import ArrayDataset, Dataset, Subset
from minigrad.data.folder import EXTENSIONS, ImageFolder
from minigrad.data.images import ImageError
from tests.image_corpus import PICTURE, png
from tests.one_line import one_line

ALL = " ".join(f"a/x{extension}" for extension in sorted(EXTENSIONS))
NFC, NFD = (f"a/{unicodedata.normalize(form, 'é')}.jpg" for form in ("NFC", "NFD"))

# name: (tree, samples), or (tree, error, words of its message)
CASES = {
    "two classes": ("b/y.jpg a/x.jpg", "a/x.jpg b/y.jpg"),
    "one class": ("a/x.jpg", "a/x.jpg"),
    "capitals first": ("a/x.jpg B/x.jpg Z/x.jpg", "B/x.jpg Z/x.jpg a/x.jpg"),
    "digits as text": ("10/x.jpg 9/x.jpg", "10/x.jpg 9/x.jpg"),
    "files as text": ("a/10.jpg a/9.jpg a/A.jpg", "a/10.jpg a/9.jpg a/A.jpg"),
    "folders inside": ("a/b/y.jpg a/x.jpg a/c/d/z.jpg", "a/x.jpg a/b/y.jpg a/c/d/z.jpg"),
    "folders as text": ("a/b/z.jpg a/b-c/y.jpg a/b/e/x.jpg", "a/b/z.jpg a/b-c/y.jpg a/b/e/x.jpg"),
    "all extensions": (ALL, ALL),
    "capital extensions": ("a/x.JPG a/y.Jpeg a/z.PNG", "a/x.JPG a/y.Jpeg a/z.PNG"),
    "other extensions": ("a/x.jpg a/x.txt a/x.gif a/x.jpg.part a/jpg a/x.npy", "a/x.jpg"),
    "two extensions": ("a/x.txt.jpg a/y.jpg.txt", "a/x.txt.jpg"),
    "files in the root": ("x.jpg readme.txt a/x.jpg", "a/x.jpg"),
    "hidden files": ("a/.DS_Store a/._x.jpg a/Thumbs.db a/.x.jpg a/x.jpg", "a/x.jpg"),
    "hidden folder": (".cache/x.jpg a/.cache/x.jpg a/x.jpg", "a/x.jpg"),
    "extension alone": ("a/.jpg a/x.jpg", "a/x.jpg"),
    "leading dash": ("-a/-x.jpg", "-a/-x.jpg"),
    "unicode": ("köter/hünd.jpg 犬/写真.jpg", "köter/hünd.jpg 犬/写真.jpg"),
    "NFC and NFD": (f"{NFC} {NFD}", f"{NFD} {NFC}"),
    "no unicode": ("a/\udcff.jpg a/x.jpg", "a/x.jpg a/\udcff.jpg"),
    "255 bytes": (f"a/{'x' * 251}.jpg", f"a/{'x' * 251}.jpg"),
    "pattern characters": ("[a]/*.jpg [a]/?.jpg a/x.jpg", "[a]/*.jpg [a]/?.jpg a/x.jpg"),
    "empty file": ("a/x.jpg a/zero.jpg", "a/x.jpg a/zero.jpg"),
    "folder named as a file": ("a/x.jpg/y.jpg a/z.jpg", "a/z.jpg a/x.jpg/y.jpg"),
    "FIFO": ("a/x.jpg a/y.jpg|", "a/x.jpg a/y.jpg"),
    "socket": ("a/x.jpg a/y.jpg=", "a/x.jpg a/y.jpg"),
    "device": ("a/x.jpg a/y.jpg>/dev/zero", "a/x.jpg a/y.jpg"),
    "only bad files": ("a/x.jpg| a/y.jpg>gone", "a/x.jpg a/y.jpg"),
    "link to a file outside": ("../o.jpg a/x.jpg>../../o.jpg", "a/x.jpg"),
    "link to a file beside": ("a/x.jpg a/y.jpg>x.jpg", "a/x.jpg"),
    "two links to a file": ("../o.jpg a/x.jpg>../../o.jpg a/y.jpg>../../o.jpg", "a/x.jpg"),
    "link to a link": ("../o.jpg a/x.jpg>y.jpg a/y.jpg>../../o.jpg", "a/x.jpg"),
    "link under another extension": ("../o.txt a/x.jpg>../../o.txt", "a/x.jpg"),
    "dangling link": ("a/x.jpg a/y.jpg>gone.jpg", "a/x.jpg a/y.jpg"),
    "link to itself": ("a/x.jpg a/y.jpg>y.jpg", "a/x.jpg a/y.jpg"),
    "dangling class": ("a/x.jpg b>gone", "a/x.jpg"),
    "class is a link": ("../o/x.jpg a>../o", "a/x.jpg"),
    "link to a folder": ("../o/x.jpg a/l>../../o", "a/l/x.jpg"),
    "link to a folder beside": ("a/b/x.jpg a/c>b", "a/b/x.jpg"),
    "loop to the folder": ("a/x.jpg a/loop>.", "a/x.jpg"),
    "loop to the class": ("a/b/x.jpg a/b/loop>../../a", "a/b/x.jpg"),
    "loop to the root": ("a/x.jpg b/y.jpg a/loop>..", "a/x.jpg b/y.jpg"),
    "loop to the system's root": ("a/x.jpg a/loop>/", "a/x.jpg"),
    "two loops in each folder": ("a/b/x.jpg a/b/p>. a/b/q>. a/r>b a/b/s>..", "a/b/x.jpg"),
    "loop through another place": ("../o/l>../root/a ../o/x.jpg a/o>../../o", "a/o/x.jpg"),
    "no root": ("../o.jpg", FileNotFoundError, "ImageFolder: cannot list"),
    "root is a file": ("../root", NotADirectoryError, "ImageFolder: cannot list"),
    "empty root": ("../root/", FileNotFoundError, "no folder in"),
    "no class": ("x.jpg", FileNotFoundError, "no folder in"),
    "empty class": ("a/x.jpg pug/", FileNotFoundError, "no image of class pug in"),
    "class without images": ("a/x.jpg pug/x.txt", FileNotFoundError, "no image of class pug in"),
    "class of hidden files": ("a/x.jpg pug/._x.jpg", FileNotFoundError, "no image of class pug"),
    "class is the root": ("a/x.jpg b>.", FileNotFoundError, "no image of class b"),
    "file in two classes": ("a/x.jpg b/y.jpg>../a/x.jpg", ValueError, "one file, two classes"),
    "folder in two classes": ("a/x.jpg b>a", ValueError, "one file, two classes"),
    "newline in a class": ("a/x.jpg p\nq/", FileNotFoundError, "no image of class 'p\\nq' in"),
}


def build(root, tree):
    """Make a tree; every image shows PICTURE. Returns what has to be closed."""
    listeners = []
    for word in tree.split(" "):
        name, _, target = word.partition(">")
        path = os.path.normpath(os.path.join(root, name.rstrip("|=")))
        os.makedirs(path if name.endswith("/") else os.path.dirname(path) or ".", exist_ok=True)
        if target:
            os.symlink(target, path)
        elif name.endswith("|"):
            os.mkfifo(path)
        elif name.endswith("="):
            listeners.append(socket.socket(socket.AF_UNIX))
            listeners[-1].bind(path)
        elif not name.endswith("/"):
            Path(path).write_bytes(b"" if "zero" in name else png(PICTURE))
    return listeners


@pytest.fixture
def root(monkeypatch):
    """A path that is short enough for sockets, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.chdir(folder)
        yield "root"
        monkeypatch.undo()


@pytest.mark.parametrize("name", CASES)
def test_tree(name, root):
    tree, *expected = CASES[name]
    listeners = build(root, tree)
    if len(expected) == 2:
        with one_line(expected[0], expected[1]):
            ImageFolder(root)
    else:
        data = ImageFolder(root)
        assert [path for path, _ in data.samples] == [f"root/{n}" for n in expected[0].split(" ")]
        assert [data.classes[label] for label in data.targets] == [
            path.split("/")[1] for path, _ in data.samples]
    for listener in listeners:
        listener.close()


def test_there_are_enough_cases():
    assert len(CASES) >= 35


def test_hard_links_are_files_of_their_own(root):
    build(root, "a/x.jpg")
    os.link("root/a/x.jpg", "root/a/y.jpg")
    assert len(ImageFolder(root)) == 2


def test_the_order_of_the_system_does_not_matter(root, monkeypatch):
    build(root, "a/x.jpg a/y.jpg a/b/z.jpg a/c/x.jpg b/x.jpg c/x.jpg")
    listed, scandir = ImageFolder(root).samples, os.scandir

    @contextmanager
    def shuffled(folder):
        with scandir(folder) as entries:
            yield random.sample(found := list(entries), len(found))

    monkeypatch.setattr(os, "scandir", shuffled)
    assert all(ImageFolder(root).samples == listed for _ in range(20))


@contextmanager
def unprivileged():
    """Without root's right to open everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_folders_and_files_that_may_not_be_read(root):
    build(root, "a/x.jpg a/b/y.jpg c/z.jpg")
    os.chmod(".", 0o755)
    os.chmod("root/a/x.jpg", 0)
    with unprivileged():
        data = ImageFolder(root)
        with one_line(ImageError, "cannot read image root/a/x.jpg: Permission denied"):
            data[0]
    for folder in ("root/a/b", "root/c", "root"):
        os.chmod(folder, 0)
        with unprivileged(), one_line(PermissionError,
                                      f"ImageFolder: cannot list {folder}: Permission denied"):
            ImageFolder(root)
        os.chmod(folder, 0o755)


def test_a_file_that_goes_or_grows_after_the_scan(root):
    build(root, "a/x.jpg a/y.jpg a/z.jpg")
    data = ImageFolder(root)
    os.remove("root/a/y.jpg")
    with open("root/a/z.jpg", "ab") as file:
        file.write(bytes(1000))
    assert np.array_equal(data[0][0], PICTURE) and np.array_equal(data[2][0], PICTURE)
    with one_line(ImageError, "cannot read image root/a/y.jpg: No such file or directory"):
        data[1]


def test_the_current_folder_may_go(root):
    build(root, "a/x.jpg")
    data = ImageFolder(os.path.abspath(root))
    os.mkdir("lost")
    os.chdir("lost")
    os.rmdir("../lost")
    assert np.array_equal(data[0][0], PICTURE)
    with one_line(FileNotFoundError, "cannot list root"):
        ImageFolder(root)


@pytest.mark.parametrize("kind", [str, Path, os.fsencode, "{}/".format])
def test_kinds_of_root(kind, root):
    build(root, "a/x.jpg")
    assert ImageFolder(kind(root)).samples == [("root/a/x.jpg", 0)]


def test_classes_may_be_picked_and_numbered(root):
    build(root, "a/x.jpg b/y.jpg c/z.jpg")
    data = ImageFolder(root, classes=["c", "a"])
    assert data.samples == [("root/c/z.jpg", 0), ("root/a/x.jpg", 1)]
    assert (data.classes, data.class_to_idx) == (["c", "a"], {"c": 0, "a": 1})
    with one_line(FileNotFoundError, "no folder d in root; there are a b c"):
        ImageFolder(root, classes=["a", "d"])
    with one_line(ValueError, "class a is named twice"):
        ImageFolder(root, classes=["a", "a"])


def test_a_hundred_thousand_files(tmp_path):
    for label in range(10):
        (tmp_path / f"{label}").mkdir()
        for i in range(10_000):
            os.close(os.open(f"{tmp_path}/{label}/{i:05}.jpg", os.O_CREAT | os.O_WRONLY))
    start = time.monotonic()
    data = ImageFolder(tmp_path)
    assert time.monotonic() - start < 5
    assert len(data) == 100_000 and data.targets[::10_000] == list(range(10))


# --- data sets -----------------------------------------------------------------------------------

def shifted(x, rng):
    return x + rng.integers(1000)


def test_array_dataset():
    data = ArrayDataset(np.arange(6).reshape(3, 2), np.array([1, 0, 1]))
    assert len(data) == 3 and data.targets == [1, 0, 1]
    x, label = data[2]
    assert x.tolist() == [4, 5] and label == 1 and type(label) is int
    assert data[-1][0].tolist() == [4, 5] and data.name(-1) == "sample 2"
    assert len(list(data)) == 3             # IndexError ends the loop
    assert len(ArrayDataset(np.zeros((0, 2)), [])) == 0


def test_a_transform_draws_from_the_generator_it_gets():
    plain = ArrayDataset(np.zeros(3, int), [0, 1, 2])
    data = plain.with_transform(shifted)
    assert plain.transform is None and plain[1] == (0, 1)
    one, two = (data.get(i, np.random.default_rng(5)) for i in (1, 2))
    assert one[0] == two[0] and (one[1], two[1]) == (1, 2)
    mg.manual_seed(3)
    first = [data[i][0] for i in range(3)]
    mg.manual_seed(3)
    assert [data[i][0] for i in range(3)] == first and len(set(first)) == 3


def test_views_of_a_folder_share_the_scan(root):
    build(root, "a/x.jpg b/y.jpg")
    data = ImageFolder(root)
    view = data.with_transform(lambda image, rng: image.size)
    assert view.samples is data.samples and view[1] == ((16, 24), 1)
    assert data[1][0].mode == "RGB" and view.name(1) == "root/b/y.jpg"
    assert pickle.loads(pickle.dumps(data)).samples == data.samples


def test_subset(root):
    build(root, "a/x.jpg b/y.jpg c/z.jpg")
    part = Subset(ImageFolder(root), [2, 0, -1])
    assert (len(part), part.targets, part.name(0)) == (3, [2, 0, 2], "root/c/z.jpg")
    assert part.with_transform(lambda image, rng: image.width)[1] == (16, 0)
    assert Subset(part, [1]).targets == [0]


@pytest.mark.parametrize("call, message", [
    (lambda data: data[3], "ArrayDataset: no sample 3, there are 3"),
    (lambda data: data[-4], "ArrayDataset: no sample -4, there are 3"),
    (lambda data: data.get(9, None), "ArrayDataset: no sample 9"),
    (lambda data: Subset(data, [0, 7]), "ArrayDataset: no sample 7"),
    (lambda data: Subset(data, [0, 1])[2], "Subset: no sample 2, there are 2"),
    (lambda data: data.name(3), "ArrayDataset: no sample 3")])
def test_indices_that_are_not_there(call, message):
    with one_line(IndexError, message):
        call(ArrayDataset(np.zeros(3), [0, 1, 0]))


@pytest.mark.parametrize("x, y, error, message", [
    (np.zeros(3), [0, 1], ValueError, "3 inputs need as many classes"),
    (np.zeros(2), [[0], [1]], ValueError, "of shape (2, 1)"),
    (np.zeros(2), [0.0, 1.0], TypeError, "classes must be integers, got float64"),
    (np.zeros(2), ["a", "b"], TypeError, "classes must be integers")])
def test_arrays_that_are_no_dataset(x, y, error, message):
    with one_line(error, message):
        ArrayDataset(x, y)


def test_a_dataset_without_get():
    class Mine(Dataset):
        targets = [0]

    with one_line(NotImplementedError, "Mine does not define get"):
        Mine()[0]
