"""The official weights files, downloaded once: `fetch("resnet50")`."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from hashlib import sha256
from pathlib import Path

from minigrad.notebook import Board, in_kernel
from minigrad.weights import official
from minigrad.weights.cache import cache_folder, writable
from minigrad.weights.errors import WeightsError

_TIMEOUT = 30.0             # seconds without an answer
_BLOCK = 1 << 20            # bytes read at a time
_REDRAW, _LOG = 0.1, 5.0    # seconds between reports on a terminal, and in a log


def fetch(architecture: str, version: str | None = None) -> Path:
    """The path of torchvision's ImageNet weights, which are downloaded if they are not there yet.

    `version` is "V1" or "V2" (IMAGENET1K_V1, _V2); None: the newest, torchvision's DEFAULT. The
    folder is $XDG_CACHE_HOME/minigrad/weights, or ~/.cache/minigrad/weights, or a temporary one, of
    which a warning tells, if that cannot be written. An interrupted download goes on where it
    stopped; only one process downloads at a time. The SHA-256 is checked at every call.

    Raises ValueError for a name that is not in `minigrad.weights.official.FILES`, WeightsError for
    a file that is not the official one, ConnectionError if it cannot be downloaded (the message
    says from where, and where to put it), OSError if no folder can be written.
    """
    if architecture not in official.FILES:
        raise ValueError(f"no official weights for {architecture!r}; there are: "
                         f"{', '.join(official.FILES)}")
    files = official.FILES[architecture]
    if version is not None and version not in files:
        raise ValueError(f"no {architecture} weights {version!r}; there are: {', '.join(files)}")
    name = files[version or max(files)]
    digest = official.SHA256.get(name) or name.rpartition("-")[2].removesuffix(".pth")
    folder = cache_folder() / "weights"
    if not (folder / name).exists():
        folder = writable(folder)
    target, partial = folder / name, folder / f"{name}.partial"
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            url = official.URL + name
            _download(url, partial, target)
            if not file_sha256(partial).startswith(digest):
                partial.unlink()
                raise WeightsError(f"{url}: what came does not have the SHA-256 {digest}, and was "
                                   "deleted; try again")
            os.replace(partial, target)
        elif not file_sha256(target).startswith(digest):
            raise WeightsError(f"{target}: its SHA-256 is not {digest}, so it is damaged or "
                               "another file; delete it, then it is downloaded anew")
    finally:
        os.close(lock)
    return target


def file_sha256(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, in hexadecimal digits, read block by block."""
    digest = sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _download(url, partial, target):
    """Get the rest of `partial` from `url`."""
    import urllib.request       # here, because it takes as long as all the rest of minigrad.weights
    from http.client import HTTPException
    from urllib.error import HTTPError

    def unreachable(reason):
        return ConnectionError(f"cannot download {url}: {reason}; try again, or put the file at "
                               f"{target}")

    done = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "minigrad",
                                                   "Range": f"bytes={done}-"})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == 416 and done:      # nothing is missing; the SHA-256 will tell
            return
        raise unreachable(f"{error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise unreachable(getattr(error, "reason", error)) from error
    with answer:
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            done = 0                        # the server begins at the beginning
        total = done + (answer.length or 0)
        progress = _Progress(f"downloading {partial.stem}", total)
        with open(partial, "ab" if done else "wb") as file:
            while True:
                try:
                    block = answer.read(_BLOCK)
                except (OSError, HTTPException) as error:
                    raise unreachable(f"{error} after {done:,} of {total:,} bytes") from error
                if not block:
                    break
                try:
                    file.write(block)
                except OSError as error:
                    raise OSError(error.errno, error.strerror, str(partial)) from error
                done += len(block)
                progress.show(done)
    if done < total:
        raise unreachable(f"the connection ended after {done:,} of {total:,} bytes")


class _Progress:
    """Reports on stderr: one line that is redrawn on a terminal, a line now and then in a log. In a
    notebook, a bar in the output of the cell."""

    def __init__(self, name, total):
        self.name, self.total = name, total
        self.live = sys.stderr.isatty()
        self.board = Board() if in_kernel() else None
        self.due = 0.0

    def show(self, done):
        now = time.monotonic()
        if now >= self.due or done == self.total:
            self.due = now + (_REDRAW if self.live or self.board else _LOG)
            of = f" of {self.total / 1e6:.1f}" if self.total else ""
            text = f"{self.name}: {done / 1e6:.1f}{of} MB"
            if self.board and done == self.total:
                self.board.say(text)
            elif self.board:
                self.board.show(text, done / self.total if self.total else 0.0)
            else:
                start, end = ("\r", "\n" if done == self.total else "") if self.live else ("", "\n")
                sys.stderr.write(f"{start}{text}{end}")
                sys.stderr.flush()
