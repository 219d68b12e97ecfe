"""Weights to a file: safetensors with checksums, replaced as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping

from minigrad.weights.atomic import write_file
from minigrad.weights.safetensors import pack


def save(path: str | os.PathLike, arrays: Mapping, metadata: Mapping[str, str] | None = None):
    """Write {name: array} (NumPy or CuPy) and {text: text} to a safetensors file for `load`.

    It carries the SHA-256 of every array and of the header, which `load` checks. A crash leaves the
    old file or the new one, whole; `arrays` may come from `load(path)` of the same path. TypeError
    and ValueError as `pack` says, before anything is written; OSError, naming the path, if writing
    fails.
    """
    write_file(path, pack(arrays, metadata or {}))
