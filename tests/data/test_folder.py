"""Folders of photographs: what is found in which order, whatever the file system holds.

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
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from minigrad.data.dataset import Subset
from minigrad.data.folder import EXTENSIONS, ImageFolder
from minigrad.data.images import ImageError
from tests.data.image_corpus import PICTURE, png, saved
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
    "class of photographs of another kind": (
        "a/x.jpg pug/1.HEIC pug/2.heic pug/3.AVIF pug/Thumbs.db", FileNotFoundError,
        "no image of class pug in root, but 2 .heic, 1 .avif, 1 .db; 2 .heic, 1 .avif: photographs "
        "of kinds that are not read, convert them to JPEG; or remove the folder"),
    "class of misnamed photographs": (
        "a/x.jpg pug/1.jfif", FileNotFoundError, "1 .jfif: rename them to .jpg or .png"),
    "photographs without a class": (
        "x.jpg y.PNG z.txt", FileNotFoundError, "no folder in root, and 2 images that are in no "
        "class; it needs one for each class, with the images in it, as root/pug/1.jpg"),
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


def test_what_is_left_out_is_counted_and_photographs_are_told(root, caplog):
    build(root, "a/x.jpg a/1.HEIC a/b/2.heic a/Thumbs.db a/README a/.DS_Store a/4.gif a/c.d/e "
                "b/y.jpg b/z.jpg.part b/w.heic c/z.jpg c/3.heif x.heic")
    data = ImageFolder(root, classes=["a", "b"])
    assert data.ignored == Counter({".heic": 3, "no extension": 2, ".db": 1, ".gif": 1,
                                    ".part": 1})
    record, = caplog.records
    assert (record.name, record.levelname) == ("minigrad.data.folder", "WARNING")
    assert record.getMessage() == (
        "ImageFolder: root: left out 3 .heic: photographs of kinds that are not read, convert them "
        "to JPEG; 1 .gif: rename them to .jpg or .png, what is in them is read")
    data[0], data.with_transform(None)[0]
    assert len(caplog.records) == 1                 # once, when it is made
    assert Subset(data, [0]).dataset.ignored is data.ignored
    assert pickle.loads(pickle.dumps(data)).ignored == data.ignored


def test_other_files_are_no_reason_to_tell_anything(root, caplog):
    build(root, "a/x.jpg a/Thumbs.db a/notes.txt a/.hidden.heic")
    assert ImageFolder(root).ignored == {".db": 1, ".txt": 1} and not caplog.records


def test_many_kinds_and_odd_ones_are_one_short_line(root, caplog):
    build(root, " ".join(["a/x.jpg|", "a/1.h\neic", "b/z.\udcff",
                          *(f"b/{i}.k{i}" for i in range(20))]))
    with one_line(FileNotFoundError, "no image of class b", "1 .k0, 1 .k1, 1 .k10, 1 .k11, 1 .k12,",
                  " and 15 files of 15 other kinds; put some there"):
        ImageFolder(root)
    assert ImageFolder(root, classes=["a"]).ignored == {".h\neic": 1}


@pytest.mark.parametrize("extension", [".gif", ".jfif", ".jpe"])
def test_what_is_to_be_renamed_is_read_then(extension, root):
    kind = "GIF" if extension == ".gif" else "JPEG"
    build(root, "a/x.jpg")
    Path("root/a", f"y{extension}").write_bytes(saved(PICTURE, kind))
    assert ImageFolder(root).ignored == {extension: 1}
    os.rename(f"root/a/y{extension}", "root/a/y.jpg")
    assert ImageFolder(root)[1][0].size == (16, 24)


def test_a_root_in_the_home_folder(root, monkeypatch):
    build(root, "photos/a/x.jpg ./~/a/y.jpg")
    monkeypatch.setenv("HOME", os.path.abspath(root))
    data = ImageFolder("~/photos")
    assert data.samples == [(os.path.abspath("root/photos/a/x.jpg"), 0)] and data[0]
    assert ImageFolder(Path("~/photos")).samples == data.samples
    monkeypatch.chdir(root)
    assert ImageFolder("./~").samples == [("./~/a/y.jpg", 0)]
    with one_line(FileNotFoundError, f"cannot list {os.path.abspath('none')}"):
        ImageFolder("~/none")


def test_a_hundred_thousand_files(tmp_path):
    for label in range(10):
        (tmp_path / f"{label}").mkdir()
        for i in range(10_000):
            os.close(os.open(f"{tmp_path}/{label}/{i:05}.jpg", os.O_CREAT | os.O_WRONLY))
    start = time.monotonic()
    data = ImageFolder(tmp_path)
    assert time.monotonic() - start < 5
    assert len(data) == 100_000 and data.targets[::10_000] == list(range(10))


# What was removed

def test_removed_files_keep_their_places(tmp_path):
    names = ["a/1.png", "a/deep/0.png", "a/2.png", "a/deep/3.png", "b/1.png", "b/2.png"]
    build(tmp_path, " ".join(names))
    before = ImageFolder(tmp_path).samples
    gone = ["a/deep/0.png", "b/2.png", "a/1.png"]
    for name in gone:
        (tmp_path / name).unlink()
    found = ImageFolder(tmp_path, removed=gone)
    assert found.samples == before and len(ImageFolder(tmp_path)) == 3
    place = [path for path, _ in before].index(str(tmp_path / "b/2.png"))
    with one_line(ImageError, "b/2.png", "No such file"):
        found[place]


@pytest.mark.parametrize("name, words", [
    ("a/1.png", ("a/1.png is still there",)), ("c/1.png", ("c/1.png is no image of a class",)),
    ("1.png", ("1.png is no image of a class", "CLASS/12.jpg")), ("../a/9.png", ("no image",)),
    ("a/notes.txt", ("no image",))])
def test_what_cannot_have_been_removed(tmp_path, name, words):
    build(tmp_path, "a/1.png b/1.png")
    with one_line(ValueError, "ImageFolder", *words):
        ImageFolder(tmp_path, removed=[name])
