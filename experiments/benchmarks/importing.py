"""What `import minigrad` costs over `import numpy`, in fresh processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from experiments.benchmarks.harness import Row, race


def run(peers: dict[str, Any]) -> Iterator[Row]:
    """Whole processes that import minigrad, beside processes that import NumPy only."""
    def start(module):
        return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    yield race("a process that imports and ends", "import", 1,
               {"minigrad": start("minigrad"), "numpy": start("numpy")})
