"""Training a network by a plan, in a folder, from where it goes on if it was stopped.

    model, history, lost = trained(plan, photos, folder)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import minigrad as mg
from experiments.own_network import is_own, own_network
from experiments.own_photos.photos import Photos
from experiments.own_photos.plan import Plan
from experiments.results import UserError
from minigrad.data import DataLoader, SampleError
from minigrad.models import MODELS, load, locate
from minigrad.models.architecture import last_layer
from minigrad.nn import Module
from minigrad.optim import AdamW
from minigrad.optim.lr_scheduler import OneCycleLR
from minigrad.train import (Accuracy, History, NonFiniteError, NotSavedError, fit, freeze,
                            param_groups)
from minigrad.weights import WeightsError

CLIP = 1.0                      # the norm of all gradients together


class Trained(NamedTuple):
    """A network with the weights of its best epoch, by the loss on the validation photos; what
    happened in each; why its end is not on the disk, or ""."""

    model: Module
    history: History
    lost: str


def trained(plan: Plan, photos: Photos, folder: Path) -> Trained:
    """Train by the plan; what is in `folder` already goes on.

    Ctrl-C and SIGTERM keep it there, see `minigrad.train.fit`.
    Raises UserError if network and photos do not fit, the folder refuses, or numbers overflow.
    """
    mg.manual_seed(plan.seed)
    begun = any((folder / "checkpoints").glob("step-*"))
    model = build(plan, len(photos.classes), fresh=begun).to(plan.device)
    train = DataLoader(photos.train.with_transform(plan.training_view()), plan.batch, shuffle=True,
                       seed=plan.seed)
    valid = DataLoader(photos.valid.with_transform(plan.test_view()), plan.batch)
    optimizer = AdamW(_groups(plan, model), lr=plan.lr)
    scheduler = OneCycleLR(optimizer, [group["lr"] for group in optimizer.param_groups],
                           epochs=plan.epochs, steps_per_epoch=len(train))
    try:
        history = fit(model, train, valid, epochs=plan.epochs, optimizer=optimizer,
                      scheduler=scheduler, metrics={"accuracy": Accuracy}, clip_norm=CLIP,
                      folder=folder, resume=True, restore_best=True)
    except NotSavedError as error:
        return Trained(model, error.history, str(error.__cause__))
    except (OSError, ValueError, TypeError, SampleError, NonFiniteError) as error:
        raise UserError(" ".join(str(error).split())) from error
    return Trained(model, history, "")


def build(plan: Plan, classes: int, fresh: bool = False) -> Module:
    """The plan's network, with the plan's weights unless it shall be fresh.

    Raises UserError for weights that cannot be had or do not fit.
    """
    weights = None if fresh or not plan.tuned else plan.weights
    try:
        if weights not in (None, "imagenet"):
            weights = locate(weights)
        if is_own(plan.arch):
            model = own_network(plan.arch, classes)
            return model if weights is None else load(weights, model).model.train()
        size = {"size": plan.size} if plan.arch == "small_cnn" else {}
        return MODELS[plan.arch](classes, weights=weights, **size)
    except WeightsError as error:
        raise UserError(f"--weights: {' '.join(str(error).split())}") from error
    except ValueError as error:
        raise UserError(f"--arch {plan.arch}: {' '.join(str(error).split())}") from error
    except OSError as error:
        raise UserError(f"--weights {os.fspath(weights)}: {error.strerror or error}") from error


def _groups(plan, model):
    """What is trained, and how fast: all alike, the last layer faster, or it alone."""
    name, _ = last_layer(model)
    if plan.freeze:
        freeze(model, except_names=[name])
        return param_groups(model, {name: plan.lr})
    if plan.tuned and any(not full.startswith(f"{name}.") for full, _ in model.named_parameters()):
        return param_groups(model, {name: plan.lr, "": plan.body_lr})
    return param_groups(model, {"": plan.lr})
