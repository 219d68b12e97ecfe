"""`python -m experiments.benchmarks NAME ... [--json]`: run benchmarks beside the installed peers.

    python -m experiments.benchmarks gpu --smoke        is this GPU's every kind of kernel right?
    python -m experiments.benchmarks gpu --kernels      how fast is each, and how fast could it be?

Exit status: 0 done, 1 a check of --smoke failed, 2 a mistake in the command, or no GPU.
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
from minigrad.backend import to_device
from minigrad.kernels.runtime.threads import blas_kernel

BENCHMARKS = {
    "ops": "what one op costs on tiny tensors, beside torch",
    "conv": "each plan of convolution on each layer of some networks, beside torch",
    "gpu": "training steps on a GPU, beside torch on the same one",
    "importing": "what import minigrad costs over import numpy",
    "pyramids": "build and collapse, beside OpenCV (cv2) and scikit-image (skimage)",
    "loader": "photographs from a folder to batches, beside torchvision",
    "weights": "load and save files of ResNet-50's size, beside torch",
    "training": "training steps of CNNs and ResNets on two CPU threads, beside torch",
}
PEERS = {"ops": ("torch",), "conv": ("torch",), "gpu": ("torch",), "importing": (),
         "pyramids": ("cv2", "skimage"), "loader": ("torch",), "weights": ("torch",),
         "training": ("torch",)}


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks")
    parser.add_argument("names", nargs="+", choices=BENCHMARKS, metavar="NAME", help="; ".join(
        f"{name}: {what}" for name, what in BENCHMARKS.items()))
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--smoke", action="store_true",
                      help="of gpu: each kind of kernel once, beside float64 on the CPU")
    part.add_argument("--kernels", action="store_true",
                      help="of gpu: each kernel by itself, beside what the card can do at most")
    args = parser.parse_args(argv)
    if args.smoke or args.kernels:
        if args.names != ["gpu"] or args.json:
            parser.error("--smoke and --kernels belong to gpu alone, and print no JSON: they write "
                         "it to results/")
        return without_peers("gpu_smoke" if args.smoke else "gpu_kernels")
    peers = {}
    for name in dict.fromkeys(peer for benchmark in args.names for peer in PEERS[benchmark]):
        try:
            peers[name] = importlib.import_module(name)
        except ImportError:
            print(f"{name} is not installed: measured without it", file=sys.stderr)
    versions = {"minigrad": minigrad.__version__, "python": platform.python_version(),
                "numpy": np.__version__, "BLAS kernel": blas_kernel(),
                **{n: m.__version__ for n, m in peers.items()}}
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


def without_peers(module) -> int:
    """Run a module that measures a GPU without peers."""
    try:
        to_device(np.zeros(1), "cuda")
    except RuntimeError as error:
        print(f"benchmark gpu: {error}", file=sys.stderr)
        return 2
    rows = importlib.import_module(f"experiments.benchmarks.{module}").run()
    return int(not all(getattr(row, "ok", True) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
