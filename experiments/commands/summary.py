"""`python -m experiments summary MODEL`: what a model costs, layer by layer."""

from __future__ import annotations

import argparse
import shutil
import sys

from experiments.errors import UserError, name_hint
from experiments.options.network_size import sized
from experiments.report.terminal import Screen, progress

MOST_PIXELS = 1 << 25           # of a batch: some 4 GB of activations in a ResNet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL",
                        help="its name in minigrad.models, as resnet18, vit_b_16, small_cnn")
    parser.add_argument("--size", type=int, metavar="N",
                        help="side of the square images (default: what the model was made for)")
    parser.add_argument("--batch", type=int, default=1, metavar="N",
                        help="images at a time (default: 1)")
    parser.add_argument("--macs", action="store_true",
                        help="count multiply-accumulates instead of single operations (FLOPs)")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")


def run(args: argparse.Namespace) -> int:
    """Print the table. Raises UserError for a name, size or batch that cannot be."""
    from minigrad.models import MODELS
    from minigrad.profile import profile

    if args.model not in MODELS:
        raise UserError(f"unknown model {args.model!r}: {name_hint(args.model, MODELS)}")
    size = _size(args.model) if args.size is None else args.size
    if size < 1 or args.batch < 1:
        raise UserError(f"--size and --batch must be positive, got {size} and {args.batch}")
    if args.batch * size**2 > MOST_PIXELS:
        raise UserError(f"--batch {args.batch} images of {size}x{size} have more than "
                        f"{MOST_PIXELS:,} pixels, which would take more memory than most machines "
                        "have; ask for fewer")
    channels = 1 if args.model == "lenet5" else 3
    try:
        with progress(f"running {args.model}", 0, 1):
            model = MODELS[args.model](**sized(args.model, size))
            # Evaluation: with batch statistics, one image of 32x32 would be too small for a ResNet.
            table = profile(model.eval(), (args.batch, channels, size, size))
    except ValueError as error:
        raise UserError(f"{args.model} cannot take {args.batch} images of {size}x{size}: {error}"
                        ) from error
    unit = "macs" if args.macs else "flops"
    columns = shutil.get_terminal_size((0, 0)).columns or None      # None: no terminal, so all
    Screen(sys.stdout).print(
        [table.markdown(unit) if args.markdown else table.text(unit, columns)])
    return 0


def _size(name):
    return 32 if name.startswith(("cifar", "lenet")) else 224
