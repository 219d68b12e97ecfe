"""`python -m experiments train FOLDER`: a network for the user's own photos.

The folder of a run holds `config.json` (what was asked for and chosen), `training/` (see
`minigrad.train.fit`), `figures/` and `report.html`.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import textwrap
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from experiments.errors import UserError
from experiments.options import values, weights
from experiments.report.terminal import Screen
from experiments.results import new_folder, read_text, restored, versions, write

OPTIONS = ("arch", "weights", "entry", "prefix", "freeze", "size", "batch", "epochs", "lr", "seed",
           "valid", "on_error", "device")
TRAINING = "training"               # the folder of the training inside of the run's
_CHECKS = {"epochs": values.positive, "batch": values.positive, "lr": values.rate,
           "size": values.side, "seed": values.seed, "valid": values.share}     # of a kept plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", metavar="FOLDER",
                        help="a folder of photos for each class; or train/ with such folders, and "
                             "valid/ and test/ beside it")
    parser.add_argument("--arch", metavar="NAME",
                        help="the network: small_cnn (the default), resnet18, mobilenet_v3_small, "
                             "...; or FILE.py:NAME, a network, class or function of your own: "
                             "this runs the file")
    parser.add_argument("--weights", metavar="FILE",
                        help="what it starts from: none (the default), imagenet (the official "
                             "weights, downloaded once), or a file or the folder of a training")
    weights.add_arguments(parser)
    parser.add_argument("--freeze", action="store_const", const=True,
                        help="train the last layer alone, which is quick; needs --weights")
    parser.add_argument("--out", metavar="DIR",
                        help="folder for all that comes of it (default: a new results/train-TIME)")
    parser.add_argument("--epochs", type=values.positive, metavar="N",
                        help="times to see every photo (default: by their number)")
    parser.add_argument("--batch", type=values.positive, metavar="N",
                        help="photos per step (default: by their number, 8 to 32)")
    parser.add_argument("--lr", type=values.rate, metavar="X",
                        help="highest learning rate, that of the last layer (default: by network)")
    parser.add_argument("--size", type=values.side, metavar="N",
                        help="side in pixels of what the network sees (default: by network, 64 for "
                             "small_cnn, 128 for resnet18)")
    parser.add_argument("--seed", type=values.seed, metavar="N",
                        help="seed of everything random (default: 0)")
    parser.add_argument("--valid", type=values.share, metavar="SHARE",
                        help="share of the photos for validation, and as many for the test "
                             "(default: 0.15)")
    parser.add_argument("--on-error", choices=("raise", "skip"),
                        help="what to do if photos cannot be read: say so and stop (the default), "
                             "or leave them out")
    parser.add_argument("--device", choices=values.DEVICES,
                        help="where to train (default: cpu)")
    parser.add_argument("--resume", metavar="DIR",
                        help="go on with the training in this folder, as it was begun")


def run(args: argparse.Namespace) -> int:
    """Train, or go on with it; write the report; say how to use the network.

    Ctrl-C and SIGTERM keep the training, and the last line says how to go on.
    """
    root, plan, typed, folder = (_new if args.resume is None else _resumed)(args)
    try:
        return _train(root, plan, typed, folder)
    except KeyboardInterrupt:
        return _stopped(folder, 130)
    except SystemExit as stop:              # a signal, which `fit` turns into this
        return _stopped(folder, stop.code)
    finally:
        with suppress(OSError):             # it stays if there is anything in it
            folder.rmdir()


def _stopped(folder, status):
    way = f"; to go on: {_resume(folder)}" if (folder / "config.json").exists() else ""
    print(f"experiments: interrupted{way}", file=sys.stderr)
    return status


def _resume(folder):
    return f"python -m experiments train --resume {shlex.quote(str(folder))}"


def _new(args):
    """(path of the photos, plan so far, options typed, folder of the run) of a new training."""
    from experiments.own_photos.choice import choose

    if args.folder is None:
        raise UserError("train: which photos? Give a folder that has one for each class, or "
                        "--resume DIR")
    plan = choose(_given(args))
    if not Path(args.folder).expanduser().is_dir():         # before there is a folder for results
        raise UserError(f"{args.folder}: there is no such folder; give one that has a folder of "
                        "photos for each class")
    folder = new_folder("train", args.out)
    if (folder / "config.json").exists():
        raise UserError(f"{folder} holds a training already: go on with it by --resume {folder}, "
                        "or give another folder with --out DIR")
    return args.folder, plan, _given(args), folder


def _given(args):
    """The options of the plan that were typed."""
    return {name: getattr(args, name) for name in OPTIONS if getattr(args, name) is not None}


def _resumed(args):
    """The same of the training in the folder --resume. Raises UserError if other options are given.
    """
    from experiments.own_photos.choice import check_name
    from experiments.own_photos.plan import Plan

    if args.out is not None:
        raise UserError(f"--out {args.out} and --resume {args.resume}: a training goes on in its "
                        "own folder; leave out --out")
    path = Path(args.resume) / "config.json"
    try:
        document = json.loads(read_text(path))
        photos, typed = os.fspath(document["photos"]), dict(document["options"])
        plan = restored(Plan, document["plan"])
        for name, check in _CHECKS.items():
            if getattr(plan, name) is not None:
                check(str(getattr(plan, name)))
        check_name(plan.arch)
        if plan.device not in values.DEVICES:
            raise ValueError(f"device is {plan.device!r}")
    except OSError as error:
        raise UserError(f"--resume {args.resume}: there is no training to go on with, cannot read "
                        f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError,
            argparse.ArgumentTypeError) as error:
        raise UserError(f"--resume {args.resume}: {path} is not of this command, or damaged "
                        f"({error}); start a new training") from error
    for name, value in _given(args).items():
        kept = getattr(plan, name)
        if value != kept and value != typed.get(name):
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"--resume {args.resume}: that training has {option} {kept}, not "
                            f"{value}; leave {option} out, or start a new training")
    return args.folder or photos, plan, typed, Path(args.resume)


def _train(root, plan, typed, folder):
    from experiments.options.own_network import blamed
    from experiments.own_photos.page import Outcome, report, story
    from experiments.own_photos.photos import find
    from experiments.own_photos.training import trained

    photos = find(root, plan.side, plan.valid, plan.seed, plan.on_error)
    plan = plan.for_photos(len(photos.train))
    write(folder / "config.json", json.dumps(
        {"command": "train", "photos": str(Path(root).expanduser().absolute()),
         "options": typed, "plan": asdict(plan), "versions": versions()}, indent=1) + "\n")
    screen = Screen(sys.stdout)
    screen.print(_wrapped(screen, f"{root}: {plan.in_words()}"))
    with blamed(plan.arch):
        model, history, lost = trained(plan, photos, folder / TRAINING)
        outcome = Outcome.of(str(root), model, history, photos, plan, folder)
    for line in story(outcome):
        screen.print(["", *_wrapped(screen, line)])
    if lost:
        raise UserError(f"the end of this training could not be saved: {lost}; free some room, "
                        f"then repeat it by {_resume(folder)}")
    report(outcome)
    screen.print(["", "To use it:", f"  {outcome.command}", "",
                  f"Report: {folder / 'report.html'}"])
    return 0


def _wrapped(screen, text):
    return textwrap.wrap(text, min(screen.width, 100), break_long_words=False,
                         break_on_hyphens=False)
