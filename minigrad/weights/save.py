"""Weights to a file: safetensors with checksums, replaced as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping

from minigrad.weights.atomic import write_file
from minigrad.weights.safetensors import pack


def save(path: str | os.PathLike, arrays: Mapping, metadata: Mapping[str, str] | None = None):
    """Write {name: array} (NumPy or CuPy) and {text: text} to a safetensors file for `load`.

    It carries the SHA-256 of every array and of the header, which `load` checks. A crash leaves the
    old file or the new one, whole; `arrays` may come from `load(path)` of the same path. Raises,
    before anything is written, TypeError for names and metadata that are not text and for dtypes
    that the format lacks, ValueError for reserved names. OSError, naming the path, if writing
    fails.
    """
    write_file(path, pack(arrays, metadata or {}))
