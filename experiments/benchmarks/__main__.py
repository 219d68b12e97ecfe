"""`python -m experiments.benchmarks NAME ...`: run benchmarks beside the installed peers.

    python -m experiments.benchmarks ops training           two of them, as text
    python -m experiments.benchmarks all --out DIR          all on the CPU, and a page of them
    python -m experiments.benchmarks --table DIR/benchmarks.json    the README's tables of that run
    python -m experiments.benchmarks gpu --smoke        is this GPU's every kind of kernel right?
    python -m experiments.benchmarks gpu --kernels      how fast is each, and how fast could it be?

Exit status: 0 done, 1 a check of --smoke failed, 2 a mistake in the command, or no GPU, 130 stopped
by Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.benchmarks import harness
from experiments.benchmarks.report import page, tables
from experiments.benchmarks.report.record import Record, read
from experiments.errors import UserError, name_hint
from experiments.results import new_folder
from minigrad.backend import to_device

BENCHMARKS = {
    "training": "training steps of CNNs and ResNets on two CPU threads, beside torch and others",
    "inference": "evaluation of whole networks on two CPU threads, beside torch",
    "conv": "each plan of convolution on each layer of some networks, beside torch",
    "memory": "peak memory of a training step, beside torch",
    "ops": "what one op costs on tiny tensors, beside torch, MyGrad and HIPS autograd",
    "loader": "photographs from a folder to batches, beside torchvision",
    "weights": "load and save files of ResNet-50's size, beside torch",
    "pyramids": "build and collapse, beside OpenCV (cv2) and scikit-image (skimage)",
    "scaling": "how time and memory of a training step grow with batch, size, width and depth",
    "roofline": "each layer of ResNet-18 beside what this CPU can do at most",
    "importing": "what import minigrad costs over import numpy",
    "gpu": "training steps on a GPU, beside torch on the same one",
}
ALL = [name for name in BENCHMARKS if name not in ("importing", "gpu")]
PEERS = {"training": ("mygrad", "tinygrad", "torch"), "inference": ("torch",), "conv": ("torch",),
         "memory": ("torch",), "ops": ("mygrad", "autograd", "torch"), "loader": ("torch",),
         "weights": ("torch",), "pyramids": ("cv2", "skimage"), "scaling": ("torch",),
         "roofline": (), "importing": (), "gpu": ("torch",)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = _parser()
    args = parser.parse_args(argv)
    names = list(dict.fromkeys(
        name for given in args.names for name in (ALL if given == "all" else [given])))
    if bool(names) == bool(args.table):
        parser.error("name benchmarks to run, or the file of an earlier run with --table")
    if args.smoke or args.kernels:
        if names != ["gpu"] or args.json or args.out or args.rounds:
            parser.error("--smoke and --kernels belong to gpu alone and go with no other option: "
                         "they write JSON to results/")
        return without_peers("smoke" if args.smoke else "kernels")
    try:
        if args.table:
            print(tables.markdown(read(Path(args.table))))
            return 0
        folder = None if args.out is None else new_folder("benchmarks", args.out)
        given = sys.argv[1:] if argv is None else argv
        command = shlex.join(["python", "-m", "experiments.benchmarks", *given])
        record = Record(folder, names, command, _peers(names))
        harness.set_rounds(args.rounds)
        try:
            return run(record, names, quiet=args.json)
        finally:
            harness.set_rounds(None)
    except UserError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2


def run(record: Record, names: Sequence[str], quiet: bool) -> int:
    """Run the benchmarks; whatever ends them, the page shows what was measured."""
    status = 0
    try:
        for name in names:
            _run_one(record, name, quiet)
    except KeyboardInterrupt:
        status = 130
        where = "" if record.folder is None else f"; what was measured is in {record.folder}"
        print(f"\nbenchmarks: stopped{where}", file=sys.stderr)
    finally:
        if record.folder is not None and record.document["benchmarks"]:
            page.write_page(record.document, record.folder)
    if quiet:
        print(record)
    else:
        print(tables.origin(record.document))
    if record.folder is not None and not status:
        print(f"benchmarks: {record.folder / page.PAGE}", file=sys.stderr)
    return status


def _run_one(record: Record, name: str, quiet: bool) -> None:
    print(f"benchmark {name}: running", file=sys.stderr)
    start = time.monotonic()
    record.begin(name, BENCHMARKS[name])
    for row in importlib.import_module(f"experiments.benchmarks.{name}").run(record.peers):
        record.add(name, row)
        if not quiet:
            print("\n".join(harness.report([row])), flush=True)
    record.end(name, time.monotonic() - start)
    print(f"benchmark {name}: took {time.monotonic() - start:.0f} s", file=sys.stderr)


def without_peers(module: str) -> int:
    """Run a module of `cuda`."""
    try:
        to_device(np.zeros(1), "cuda")
    except RuntimeError as error:
        print(f"benchmark gpu: {error}", file=sys.stderr)
        return 2
    rows = importlib.import_module(f"experiments.benchmarks.cuda.{module}").run()
    return int(not all(getattr(row, "ok", True) for row in rows))


def _peers(names: Sequence[str]) -> dict:
    """The modules of the installed peers of these benchmarks."""
    peers = {}
    for name in dict.fromkeys(peer for benchmark in names for peer in PEERS[benchmark]):
        try:
            peers[name] = importlib.import_module(name)
        except ImportError:
            print(f"{name} is not installed: measured without it", file=sys.stderr)
    return peers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks")
    parser.add_argument("names", nargs="*", type=_name, metavar="NAME", help="; ".join(
        f"{name}: {what}" for name, what in BENCHMARKS.items()) + f"; all: {', '.join(ALL)}")
    parser.add_argument("--out", metavar="DIR",
                        help="write benchmarks.json, index.html and figures/ there")
    parser.add_argument("--rounds", type=_rounds, metavar="N",
                        help="measure everything N times, at least 2 (default: as each benchmark "
                             "has it, 3 to 21)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--table", metavar="FILE",
                        help="print the README's tables from the benchmarks.json of a run")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--smoke", action="store_true",
                      help="of gpu: each kind of kernel once, beside float64 on the CPU")
    part.add_argument("--kernels", action="store_true",
                      help="of gpu: each kernel by itself, beside what the card can do at most")
    return parser


def _name(word: str) -> str:
    if word not in (*BENCHMARKS, "all"):
        raise argparse.ArgumentTypeError(
            f"no benchmark {word!r}: {name_hint(word, (*BENCHMARKS, 'all'))}")
    return word


def _rounds(word: str) -> int:
    try:
        count = int(word)
    except ValueError:
        count = 0
    if count < 2:
        raise argparse.ArgumentTypeError(f"{word!r} is no number of rounds, which is at least 2")
    return count


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:       # before or after the measuring
        print("benchmarks: interrupted", file=sys.stderr)
        sys.exit(130)
