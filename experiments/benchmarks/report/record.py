"""What a run of benchmarks leaves behind: `benchmarks.json`, figures, and `index.html`.

The document is written anew after each row, so that a run may be stopped at any time.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import minigrad
from experiments.benchmarks.harness import THREADS, Row, Timing
from experiments.errors import UserError
from experiments.results import plain, read_text, write
from minigrad.kernels.runtime.threads import CORES, blas_kernel

FILE = "benchmarks.json"


class Record:
    """The rows that were measured so far, in the folder or (None) only in memory."""

    def __init__(self, folder: Path | None, names: Sequence[str], command: str,
                 peers: Mapping[str, ModuleType]) -> None:
        self.folder, self.peers = folder, peers
        self.document: dict[str, Any] = {
            "command": command,
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "machine": machine(), "versions": versions(peers),
            "requested": list(names), "complete": False, "benchmarks": {}}

    def begin(self, name: str, what: str) -> None:
        self.document["benchmarks"][name] = {"what": what, "seconds": None, "rows": []}

    def add(self, name: str, row: Row) -> None:
        """Keep a row."""
        self.document["benchmarks"][name]["rows"].append(as_json(row))
        self.save()

    def end(self, name: str, seconds: float) -> None:
        """Note how long a benchmark took; the last of them makes the run complete."""
        benchmarks = self.document["benchmarks"]
        benchmarks[name]["seconds"] = round(seconds, 1)
        self.document["complete"] = (
            list(benchmarks) == self.document["requested"]
            and all(b["seconds"] is not None for b in benchmarks.values()))
        self.save()

    def save(self) -> None:
        if self.folder is not None:
            write(self.folder / FILE, f"{self}\n")

    def __str__(self) -> str:
        """The document as strict JSON."""
        return json.dumps(plain(self.document), indent=2, allow_nan=False)


def as_json(row: Row) -> dict[str, Any]:
    return {**row._asdict(),
            "timings": {name: t._asdict() for name, t in row.timings.items()},
            "ratios": {name: t._asdict() for name, t in row.ratios.items()}}


def rows_of(document: dict[str, Any], name: str) -> list[Row]:
    """The rows of a benchmark in a document; none if it was not run."""
    rows = document["benchmarks"].get(name, {"rows": []})["rows"]
    return [Row(**{**row, **{part: {who: Timing(**t) for who, t in row[part].items()}
                             for part in ("timings", "ratios")}}) for row in rows]


def read(path: Path) -> dict[str, Any]:
    """The document of an earlier run. UserError, in one line, if the file is none."""
    try:
        document = json.loads(read_text(path))
        for name in document["benchmarks"]:
            rows_of(document, name)
        return document
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no {FILE} of a run with --out DIR") from error


def machine() -> dict[str, Any]:
    """What the figures depend on, besides the versions."""
    return {"processor": processor(), "cores": CORES, "threads": THREADS,
            "BLAS kernel": blas_kernel(), "OpenBLAS core type": os.environ.get(
                "OPENBLAS_CORETYPE", "as found"),
            "platform": f"{platform.system()} {platform.machine()}"}


def processor() -> str:
    """The model of the CPU."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return next(line.partition(":")[2].strip() for line in file
                        if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def versions(peers: Mapping[str, ModuleType]) -> dict[str, str]:
    return {"minigrad": minigrad.__version__, "Python": platform.python_version(),
            "NumPy": np.__version__,
            **{name: getattr(module, "__version__", None) or metadata.version(name)
               for name, module in peers.items()}}
