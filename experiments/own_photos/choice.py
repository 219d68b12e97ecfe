"""From the options that were typed to a plan: which network, from which weights."""

from __future__ import annotations

import difflib
from dataclasses import replace
from pathlib import Path

from experiments.own_network import is_own, named
from experiments.own_photos.plan import Plan
from experiments.results import UserError
from experiments.tasks.options import usable_device
from minigrad.models import MODELS, load
from minigrad.weights import official

DEFAULT, TUNED = "small_cnn", "resnet18"
_GREY = ("lenet5",)             # networks that take no photos in colour


def choose(given: dict) -> Plan:
    """The plan of these options, its network, size and learning rate settled.

    Raises UserError, in one line, for what does not go together.
    """
    plan = Plan(**{"arch": "", **given})
    plan = replace(plan, device=usable_device(plan.device))
    if plan.weights not in ("none", "imagenet"):
        plan = _from_file(plan)
    elif not plan.arch:
        plan = replace(plan, arch=TUNED if plan.tuned else DEFAULT)
    _check_name(plan.arch)
    if plan.weights == "imagenet" and plan.arch not in official.FILES:
        raise UserError(f"--weights imagenet: there are none for {plan.arch}; they are for "
                        f"{' '.join(official.FILES)}")
    if plan.freeze and not plan.tuned:
        raise UserError("--freeze: without --weights there is nothing that is worth freezing; give "
                        "--weights imagenet or a file, or leave it out")
    if is_own(plan.arch):
        named(plan.arch)
        file, _, name = plan.arch.rpartition(":")
        plan = replace(plan, arch=f"{Path(file).expanduser().absolute()}:{name}")
    plan = plan.settled()
    if plan.arch == "small_cnn" and plan.size % 4:
        raise UserError(f"--size {plan.size}: small_cnn needs a multiple of 4")
    return plan


def _from_file(plan):
    """With the network of its weights, and the size of that, where nobody says."""
    path = Path(plan.weights).expanduser().absolute()
    plan = replace(plan, weights=str(path))
    if not path.exists():
        raise UserError(f"--weights {path}: there is no such file or folder; give one, imagenet or "
                        "none")
    if is_own(plan.arch):
        return plan
    try:
        found = load(path, plan.arch or None).architecture
    except (OSError, ValueError) as error:
        raise UserError(f"--weights: {' '.join(str(error).split())}".replace(
            "give the network, or its name in MODELS, as model=", "give --arch")) from error
    if found.get("name") not in MODELS:
        raise UserError(f"--weights {path}: they are of a network of your own; say which with "
                        "--arch FILE.py:NAME")
    return replace(plan, arch=found["name"], size=plan.size or found["arguments"].get("size"))


def _check_name(arch):
    if is_own(arch):
        return
    if arch in _GREY:
        raise UserError(f"--arch {arch}: it is for grey pictures of 32x32; use small_cnn or a "
                        "ResNet")
    if arch not in MODELS:
        close = difflib.get_close_matches(arch.lower(), MODELS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"use one of {' '.join(MODELS)}"
        raise UserError(f"--arch {arch}: unknown network: {hint}")
