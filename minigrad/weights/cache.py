"""Where files are kept that can be had again: downloaded weights, drawn pictures."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from pathlib import Path

_log = logging.getLogger(__name__)
_told = set()       # folders that cannot be written, of which a warning has told


def cache_folder() -> Path:
    """minigrad's folder in $XDG_CACHE_HOME or ~/.cache. A relative XDG_CACHE_HOME does not count,
    as its standard says."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "minigrad"


def writable(folder: Path) -> Path:
    """`folder`, made if need be; where that cannot be written, one of its name among the temporary
    files, with a warning. Raises OSError if that cannot be written either."""
    try:
        return _made(folder)
    except OSError as error:
        spare = Path(tempfile.gettempdir()) / f"minigrad-{os.getuid()}"
        if folder not in _told:
            _told.add(folder)
            _log.warning("the cache %s cannot be written (%s); for now it is in %s; XDG_CACHE_HOME "
                         "names another folder", folder, error.strerror, spare)
        spare.mkdir(mode=0o700, exist_ok=True)
        found = spare.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise PermissionError(f"{spare} belongs to somebody else; name a folder for the cache "
                                  "in XDG_CACHE_HOME") from error
        return _made(spare / folder.name)


def _made(folder):
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"0")            # a full disk takes an empty one
    return folder
