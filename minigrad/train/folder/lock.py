"""A folder belongs to one process at a time.

    with Lock("runs/first"):    # BlockingIOError, naming process and host, if another one is there
        ...
    holder("runs/first")        # {"pid", "host", "since"} of the process that is, or None

The lock is the kernel's (flock) on the file `lock` in the folder, so it ends with its process,
however that ends; the file then stays behind, and means nothing. Linux takes such locks over NFS,
too. A file system without any is warned of, and nothing is locked there.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import socket
import time
import weakref
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timezone
from pathlib import Path

NAME = "lock"
_PATIENCE, _GLANCE = 0.5, 0.02      # seconds: for a process that is just ending, or only looking
_NO_LOCKS = errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL
_log = logging.getLogger(__name__)
_open_locks: weakref.WeakSet[Lock] = weakref.WeakSet()      # of this process


class Lock(AbstractContextManager):
    """Holds `folder`, which is there, until `close` or the end of the `with` block."""

    def __init__(self, folder: str | os.PathLike) -> None:
        """Raises BlockingIOError if another process, or another `Lock` of this one, holds it;
        OSError if the file cannot be made."""
        self.path = Path(folder) / NAME
        self._file = None
        deadline = time.monotonic() + _PATIENCE
        while self._file is None:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                self._file = file if self._take(file, deadline) else None
            finally:
                if self._file is None:
                    os.close(file)
        _open_locks.add(self)
        with suppress(OSError):         # a full disk: then nobody can be told who holds it
            text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(),
                               "since": datetime.now(timezone.utc).isoformat(timespec="seconds")})
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{text}\n".encode(), 0)

    def _take(self, file: int, deadline: float) -> bool:
        """Whether `file` is locked now and still the one of that name."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                _log.warning("%s: this file system has no locks (%s); nothing keeps a second "
                             "process out of the folder", self.path.parent, error.strerror)
                return True
            if not isinstance(error, BlockingIOError):
                raise
            if time.monotonic() > deadline:
                raise BlockingIOError(
                    f"{self.path.parent}: {_describe_owner(file)} is at work in this folder; wait "
                    "for its end, stop it, or take another folder") from None
            time.sleep(_GLANCE)
            return False
        with suppress(FileNotFoundError):       # removed by the one before, between open and flock
            return os.path.samestat(os.fstat(file), os.stat(self.path))
        return False

    def close(self) -> None:
        """Give the folder up to other processes."""
        if self._file is not None:
            with suppress(OSError):             # gone already, or a folder that is read-only now
                os.unlink(self.path)
            self._drop()

    def _drop(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def __exit__(self, *_: object) -> None:
        self.close()


def holder(folder: str | os.PathLike) -> dict | None:
    """{"pid", "host", "since"} of the process that holds the folder, None if none does.

    What is not known, such as a process that a full disk kept from saying so, has the value None.
    """
    try:
        file = os.open(Path(folder) / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _owner(file)
    except OSError:                             # no locks here
        return None
    finally:
        os.close(file)
    return None


def _owner(file: int) -> dict:
    """What the process that holds the lock wrote into the file, as `holder` gives it."""
    try:
        owner = json.loads(os.pread(file, 1000, 0))
    except ValueError:
        owner = None
    owner = owner if isinstance(owner, dict) else {}
    return {name: owner.get(name) for name in ("pid", "host", "since")}


def _describe_owner(file: int) -> str:
    owner = _owner(file)
    if owner["pid"] is None:
        return "another process"
    return f"process {owner['pid']} on {owner['host']} (since {owner['since']})"


def _forget() -> None:
    """In a forked child: the lock is its parent's, and must not live on in it."""
    for lock in list(_open_locks):
        lock._drop()


os.register_at_fork(after_in_child=_forget)
