"""Makes a plan of the options that were typed: which network, from which weights."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from experiments.errors import UserError, name_hint
from experiments.options.network_size import SIZED
from experiments.options.own_network import is_own, named
from experiments.options.values import usable_device
from experiments.options.weights import check, message, reading
from experiments.own_photos.plan import Plan
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
    check(plan, plan.weights not in ("none", "imagenet"))
    if plan.weights not in ("none", "imagenet"):
        plan = _from_file(plan)
    elif not plan.arch:
        plan = replace(plan, arch=TUNED if plan.tuned else DEFAULT)
    check_name(plan.arch)
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
    multiple = SIZED.get(plan.arch, ("", 1))[1]
    if plan.size % multiple:
        raise UserError(f"--size {plan.size}: {plan.arch} needs a multiple of {multiple}")
    return plan


def _from_file(plan):
    """The plan with the network and the size that its weights record, where none are given."""
    path = Path(os.path.expanduser(plan.weights)).absolute()
    plan = replace(plan, weights=str(path))
    if not os.path.exists(path):        # Path.exists raises for a name that is too long
        raise UserError(f"--weights {path}: there is no such file or folder; give one, imagenet or "
                        "none")
    if is_own(plan.arch):
        return plan
    try:
        found = load(path, plan.arch or None, **reading(plan)).architecture
    except (OSError, ValueError) as error:
        raise UserError(f"--weights: {message(error)}".replace("say which it is with", "give")
                        ) from error
    if found.get("name") not in MODELS:
        raise UserError(f"--weights {path}: they are of a network of your own; say which with "
                        "--arch FILE.py:NAME")
    recorded = found["arguments"].get(SIZED.get(found["name"], [""])[0])
    return replace(plan, arch=found["name"], size=plan.size or recorded)


def check_name(arch: str) -> None:
    """Raise UserError for an unknown network, or one that takes no photos in colour."""
    if is_own(arch):
        return
    if arch in _GREY:
        raise UserError(f"--arch {arch}: it is for grey pictures of 32x32; use small_cnn or a "
                        "ResNet")
    if arch not in MODELS:
        raise UserError(f"--arch {arch}: unknown network: {name_hint(arch, MODELS)}")
