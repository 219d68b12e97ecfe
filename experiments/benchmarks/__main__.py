"""`python -m experiments.benchmarks NAME ... [--json]`: run benchmarks beside the installed peers.

Exit status: 0 done, 2 a mistake in the command.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys

import numpy as np

import minigrad
from experiments.benchmarks import harness

BENCHMARKS = {
    "ops": "what one op costs on tiny tensors, beside torch",
    "gpu": "training steps on a GPU, beside torch on the same one",
    "importing": "what import minigrad costs over import numpy",
    "pyramids": "build and collapse, beside OpenCV (cv2) and scikit-image (skimage)",
    "loader": "photographs from a folder to batches, beside torchvision",
    "weights": "load and save files of ResNet-50's size, beside torch",
    "training": "training steps of CNNs and ResNets on two CPU threads, beside torch",
}
PEERS = {"ops": ("torch",), "gpu": ("torch",), "importing": (), "pyramids": ("cv2", "skimage"),
         "loader": ("torch",), "weights": ("torch",), "training": ("torch",)}


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks")
    parser.add_argument("names", nargs="+", choices=BENCHMARKS, metavar="NAME", help="; ".join(
        f"{name}: {what}" for name, what in BENCHMARKS.items()))
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    args = parser.parse_args(argv)
    peers = {}
    for name in dict.fromkeys(peer for benchmark in args.names for peer in PEERS[benchmark]):
        try:
            peers[name] = importlib.import_module(name)
        except ImportError:
            print(f"{name} is not installed: measured without it", file=sys.stderr)
    versions = {"minigrad": minigrad.__version__, "python": platform.python_version(),
                "numpy": np.__version__, **{n: m.__version__ for n, m in peers.items()}}
    results = {}
    for name in args.names:
        print(f"benchmark {name}: running", file=sys.stderr)
        rows = importlib.import_module(f"experiments.benchmarks.{name}").run(peers)
        results[name] = [{**row._asdict(),
                          "timings": {k: t._asdict() for k, t in row.timings.items()},
                          "ratios": {k: t._asdict() for k, t in row.ratios.items()}}
                         for row in rows]
        if not args.json:
            print("\n".join(harness.report(rows)))
    if args.json:
        print(json.dumps({"versions": versions, "seconds": results}, indent=2))
    else:
        print(", ".join(f"{k} {v}" for k, v in versions.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
