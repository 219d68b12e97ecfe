"""Training a network by a plan, in a folder; one that was stopped goes on from there.

    model, history, lost = trained(plan, photos, folder)
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import minigrad as mg
from experiments.errors import UserError, one_line
from experiments.options.network_size import sized
from experiments.options.own_network import is_own, own_network
from experiments.options.weights import message, reading
from experiments.own_photos.photos import Photos
from experiments.own_photos.plan import Plan
from minigrad.data import DataLoader, SampleError
from minigrad.models import MODELS, load, locate
from minigrad.models.architecture import last_layer
from minigrad.nn import Module
from minigrad.optim import AdamW
from minigrad.optim.lr_scheduler import OneCycleLR
from minigrad.train import (Accuracy, History, NonFiniteError, NotSavedError, fit, freeze,
                            param_groups)
from minigrad.weights import WeightsError
from minigrad.weights import load as load_weights

CLIP = 1.0                      # the norm of all gradients together


class Trained(NamedTuple):
    """A network with the weights of its best epoch, by the loss on the validation photos.

    `history` tells what happened in each epoch; `lost` why the end of the training is not on the
    disk, or "".
    """

    model: Module
    history: History
    lost: str


def trained(plan: Plan, photos: Photos, folder: Path) -> Trained:
    """Train by the plan; a training that is in `folder` already goes on.

    Ctrl-C and SIGTERM keep it there, see `minigrad.train.fit`.
    Raises UserError if network and photos do not fit, the folder refuses, or numbers overflow.
    """
    mg.manual_seed(plan.seed)
    has_steps = any((folder / "checkpoints").glob("step-*"))
    model = build(plan, len(photos.classes), fresh=has_steps).to(plan.device)
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
        raise UserError(one_line(error)) from error
    return Trained(model, history, "")


def build(plan: Plan, classes: int, fresh: bool = False) -> Module:
    """The plan's network, with the plan's weights, or with random ones if `fresh`.

    Raises UserError for weights that cannot be had or do not fit.
    """
    weights = None if fresh or not plan.tuned else plan.weights
    try:
        if weights not in (None, "imagenet"):
            weights = locate(weights)
        if is_own(plan.arch):
            model = own_network(plan.arch, classes)
            return model if weights is None else load(weights, model,
                                                      **reading(plan)).model.train()
        if weights not in (None, "imagenet"):
            weights = load_weights(weights, **reading(plan))
        return MODELS[plan.arch](classes, weights=weights, **sized(plan.arch, plan.size))
    except WeightsError as error:
        raise UserError(f"--weights: {message(error)}") from error
    except ValueError as error:
        raise UserError(f"--arch {plan.arch}: {one_line(error)}") from error
    except OSError as error:
        raise UserError(f"--weights {plan.weights}: {error.strerror or error}") from error


def _groups(plan, model):
    """What is trained, and how fast: all layers alike, the last faster, or the last only."""
    last = last_layer(model)
    if last is None:
        raise UserError(f"--arch {plan.arch}: it has no layer with weights, so there is nothing "
                        "to train")
    name, _ = last
    if plan.freeze:
        freeze(model, except_names=[name])
        return param_groups(model, {name: plan.lr})
    if plan.tuned and any(not full.startswith(f"{name}.") for full, _ in model.named_parameters()):
        return param_groups(model, {name: plan.lr, "": plan.body_lr})
    return param_groups(model, {"": plan.lr})
