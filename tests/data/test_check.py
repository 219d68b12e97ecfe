"""The check of all files before a training: `data.check` and `python -m experiments check`."""

import errno
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from experiments.cli import main
from minigrad import progress
from minigrad.data import (ArrayDataset, Findings, DataLoader, ImageFolder, Subset, check, checking,
                           read_image)
from tests.data.image_corpus import PICTURE, cut, jpeg, png
from tests.data.test_folder import build, root
from tests.one_line import one_line
from tests.places import ROOT

WATCHED = root                          # a fixture
CUT, ESCAPE = "root/pug/cut.jpg", "root/pug/\x1b[31mred.jpg"
REASONS = {                             # of the bad files of `mixed`, in the data set's order
    "root/akita/link.jpg": "it is a link to gone, which does not exist",
    "root/akita/pipe.jpg": "it is a FIFO", "root/akita/zero.jpg": "the file is empty",
    ESCAPE: "it is no JPEG, PNG, GIF, BMP, PPM, TIFF or WebP file",
    CUT: "it is damaged or cut off (image file is truncated"}


@pytest.fixture
def mixed(root):
    """Five good photographs and five bad files in two classes, and some that are left out."""
    build(root, "akita/a.png akita/b.png akita/link.jpg>gone akita/pipe.jpg| akita/zero.jpg "
                "pug/c.png pug/d.png pug/1.HEIC pug/2.HEIC pug/Thumbs.db pug/README stray.jpg")
    Path("root/pug/large.png").write_bytes(png(np.tile(PICTURE, (2, 2, 1))))
    Path(CUT).write_bytes(cut(jpeg(np.tile(PICTURE, (9, 9, 1))), 97))
    Path(ESCAPE).write_bytes(b"text")
    return root


def test_every_file_is_read_to_its_end(mixed):
    found = check(mixed, progress=False)
    assert type(found) is Findings and found.good == 5
    assert [path for path, _ in found.bad] == list(REASONS)
    for (path, reason), expected in zip(found.bad, REASONS.values()):
        assert reason.startswith(expected) and path not in reason and "\n" not in reason
    assert found.ignored == Counter({".heic": 2, ".db": 1, "no extension": 1})
    assert (found.smallest, found.largest) == ((16, 24), (32, 48))


def test_the_text_is_one_page_that_prints(mixed):
    lines = str(check(mixed, progress=False)).splitlines()
    assert lines[0] == "5 of 10 photographs can be read, from 16 x 24 to 32 x 48 pixels"
    assert "  root/akita/pipe.jpg: it is a FIFO" in lines
    assert lines[4].startswith("  'root/pug/\\x1b[31mred.jpg': it is no JPEG")
    assert lines[6] == ('mend or remove them, or go on without them: DataLoader(..., '
                        'on_error="skip")')
    assert lines[7] == "left out for their extension: 2 .heic, 1 .db, 1 no extension"
    assert "convert them to JPEG" in lines[8] and len(lines) == 9
    many = Findings(1, [(f"{i}.jpg", "torn") for i in range(50)], Counter(), (1, 2), (3, 4))
    assert len(str(many).splitlines()) == 1 + 20 + 1 + 1 and "and 30 more" in str(many)
    assert str(Findings(2, [], Counter(), (1, 2), (3, 4))) == (
        "2 of 2 photographs can be read, from 1 x 2 to 3 x 4 pixels")
    assert str(Findings(0, [], Counter(), None, None)) == "0 of 0 photographs can be read"


def test_it_is_what_the_loader_says(mixed):
    """The files that are bad here are those that a loader skips."""
    found = check(mixed, progress=False)
    data = ImageFolder(mixed, lambda image: np.zeros(1))
    for i, (path, _) in enumerate(data.samples):
        loader = DataLoader(Subset(data, [i]), on_error="skip")
        batches = list(loader)
        assert (len(batches) == 0) == (path in dict(found.bad))
        for _, reason in loader.skipped:
            assert reason.endswith(dict(found.bad)[path])


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_a_data_set_and_its_parts_are_checked_without_their_transform(workers, mixed):
    def never(image):
        raise AssertionError
    data = ImageFolder(mixed, never)
    assert check(data, workers, False) == check(mixed, progress=False)
    paths = [path for path, _ in data.samples]
    part = Subset(Subset(data, [paths.index(CUT), 0, 3, 1]), [0, 2, 3, 0])
    assert [path for path, _ in check(part, workers, False).bad] == [CUT, "root/akita/pipe.jpg"]
    assert check(part, workers, False).good == 1
    assert check(Subset(data, []), workers, False)[:2] == (0, [])


def test_the_home_folder(mixed, monkeypatch):
    monkeypatch.setenv("HOME", os.getcwd())
    assert check("~/root", progress=False).good == 5


@pytest.mark.parametrize("arguments, error, words", [
    ((ArrayDataset(np.zeros(2), [0, 1]),), TypeError, "an ImageFolder or a Subset of one, got A"),
    (("none",), FileNotFoundError, "cannot list none"), (("root", 0), ValueError, "check: workers"),
    (("root", 2.0), ValueError, "check: workers must be an integer of at least 1, got 2.0")])
def test_what_cannot_be_checked(arguments, error, words, mixed):
    with one_line(error, words):
        check(*arguments)


def test_a_shortage_is_no_fault_of_a_file(mixed, monkeypatch):
    def short(path):
        raise OSError(errno.EMFILE, "Too many open files")
    monkeypatch.setattr(checking, "read_image", short)
    with pytest.raises(OSError, match="Too many open files"):
        check(mixed, progress=False)


def test_threads_read_a_little_ahead_and_end_when_it_is_stopped(root, monkeypatch):
    build(root, " ".join(f"a/{i:04}.png" for i in range(500)))
    opened, both = [], threading.Barrier(2, timeout=60)

    def read(path):
        opened.append((path, threading.get_ident()))
        if path.endswith(("/0000.png", "/0001.png")):
            both.wait()
        return read_image(path)
    monkeypatch.setattr(checking, "read_image", read)

    def stop(done, total):
        assert total == 500
        if done == 50:
            raise KeyboardInterrupt
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        check(root, 2, stop)
    assert 50 <= len(opened) <= 50 + 2 * 8 + 3
    assert len({thread for _, thread in opened}) == 2
    assert threading.active_count() == before


def test_a_function_is_told_how_far_it_is(mixed):
    told = []
    check(mixed, progress=lambda done, total: told.append((done, total)))
    assert told == [(k, 10) for k in range(1, 11)]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("stream, interval", [(Terminal, "REDRAW_INTERVAL"),
                                              (io.StringIO, "LOG_INTERVAL")])
def test_stderr_is_told_how_far_it_is(stream, interval, mixed, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    for seconds, count in ((0, 10), (60, 0)):
        monkeypatch.setattr(progress, interval, seconds)
        monkeypatch.setattr(sys, "stderr", stream())
        check(mixed)
        text = sys.stderr.getvalue()
        assert text.count("check: ") == count
        if stream is Terminal:
            assert text.endswith("\r\x1b[2K") and "\n" not in text      # wiped
        elif count:
            assert text.splitlines()[3] == "check: 4 of 10 photographs"
    sys.stderr.close()
    check(mixed)                        # nobody listens: no reason to stop


# --- the command ---------------------------------------------------------------------------------

def test_the_command_prints_classes_files_and_the_way_on(mixed, capsys):
    assert main(["check", "root"]) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[:4] == ["  photos  unreadable  class", "       5           3  akita",
                         "       5           2  pug", "      10           5  all"]
    assert "  root/akita/zero.jpg: the file is empty" in lines
    assert "  for their extension: 2 .heic, 1 .db, 1 no extension" in lines
    assert any("photographs of kinds that are not read, convert them" in line for line in lines)
    assert "  beside the folders of classes: 1; move them into one" in lines
    assert lines[-2].startswith("5 of 10 photos cannot be read.")
    assert lines[-1] == '  --on-error skip, in Python DataLoader(..., on_error="skip")'
    assert "\x1b" not in out and "checking root: done" in err


def test_all_good_is_status_0(root, capsys):
    build(root, "akita/a.png pug/b.png pug/inner/c.png")
    assert main(["check", "root"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines() == ["  photos  unreadable  class", "       1              akita",
                                "       2              pug", "       3              all", "",
                                "Every photo can be read: 3, from 16 x 24 to 16 x 24 pixels."]


def test_two_levels_of_folders_are_classes_of_two_names(root, capsys):
    build(root, "dbi/akita/a.png dbi/pug/b.png sdd/pug/c.png sdd/pug/inner/d.png")
    assert main(["check", "root"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:5]]
    assert rows == [["1", "dbi/akita"], ["1", "dbi/pug"], ["2", "sdd/pug"], ["4", "all"]]


def test_json(mixed, capsys):
    Path("root/pug", os.fsdecode(b"\xff.jpg")).write_bytes(png(PICTURE))
    assert main(["check", "root", "--json", "--workers", "3"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["good"] == 6 and [path for path, _ in found["bad"]] == list(REASONS)
    assert found["classes"] == {"akita": {"photos": 5, "unreadable": 3},
                                "pug": {"photos": 6, "unreadable": 2}}
    assert found["ignored"] == {".heic": 2, ".db": 1, "no extension": 1} and found["beside"] == 1
    assert (found["smallest"], found["largest"]) == ([16, 24], [32, 48])


@pytest.mark.parametrize("tree, argv, words", [
    ("a/x.png", ["none"], "cannot list none: No such file or directory"),
    ("a/x.png", ["root/a/x.png"], "cannot list root/a/x.png: Not a directory"),
    ("x.png y.png", ["root"], "no folder in root, and 2 images that are in no class; it needs one"),
    ("a/x.heic", ["root"], "no image of class a in root, but 1 .heic"),
    ("a/x.png", ["n\x1b[1mone"], "cannot list 'n\\x1b[1mone'"),
    ("a/x.png", ["root/" + "x" * 300], "File name too long"),
    ("a/x.png", ["root", "--workers", "0"], "workers must be an integer of at least 1, got 0"),
    ("a/x.png", [], "arguments are required: FOLDER")])
def test_mistakes_are_one_line_and_status_2(tree, argv, words, root, capsys):
    build(root, tree)
    assert main(["check", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err and "Traceback" not in err and "\x1b" not in err
    assert err.splitlines()[-1].startswith("experiments: error: ")


def test_the_command_in_a_process_of_its_own(mixed):
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "experiments", "check", "root"], text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True,
                          timeout=60)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "5 of 10 photos cannot be read" in done.stdout
    assert time.monotonic() - start < 50        # a FIFO is not waited for
