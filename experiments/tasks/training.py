"""A training by the recipe, kept in the run's folder, from where it goes on if it was stopped.

    training = Training("task3-resnet18", build, parts, recipe)
    for model, history in training.networks(settings): ...      # one for each seed

A task describes each of its trainings once, by a function `describe(name, recipe, photos,
settings) -> Training`. Its `verify` scores the networks; `crew` makes them in other processes.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import minigrad as mg
from experiments.errors import UserError, one_line
from experiments.settings import Settings
from experiments.tasks.photos import Parts, find
from experiments.tasks.recipe import Recipe
from minigrad.data import DataLoader
from minigrad.nn import Module
from minigrad.optim import SGD
from minigrad.optim.lr_scheduler import OneCycleLR
from minigrad.train import Accuracy, History, NotSavedError, fit

_FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG
_PATIENCE = 20.0        # seconds


class Trained(NamedTuple):
    """A network after its last epoch, and what happened in each."""

    model: Module
    history: History


def seeds(settings: Settings) -> range:
    """The seeds of repeated trainings; they set the weights at the start, order and augmentation,
    and leave the parts of the photos as they are."""
    return range(settings.seed, settings.seed + settings.seeds)


class Training(NamedTuple):
    """What `build` makes is trained on parts.train, and looked at on parts.valid after each epoch,
    if there are photos in it."""

    name: str
    build: Callable[[], Module]
    parts: Parts
    recipe: Recipe

    def networks(self, settings: Settings) -> Iterator[Trained]:
        """The trained network of each seed of the settings, one after the other."""
        for seed in seeds(settings):
            yield self.network(settings, seed)

    def network(self, settings: Settings, seed: int) -> Trained:
        """The network trained with this seed.

        A training of this name and seed in the run's folder is taken up where it stands: one that
        has ended is only read. Ctrl-C keeps it there, see `minigrad.train.fit`. What a full disk
        keeps from being saved is told to `settings.lost`, and the network returned all the same.
        Raises UserError if that folder cannot be used, or holds something else.
        """
        place = f"{self.name}-seed{seed}"
        with settings.turn(place, settings.tell):
            settings.tell(f"{self.name}, seed {seed}")
            try:
                return _train(self, settings, seed, settings.folder and settings.folder / place)
            except OSError as error:
                if error.errno not in _FULL:
                    raise _in_words(self.name, seed, error) from error
                settings.lost(f"{place}: {error.strerror}")
                return _train(self, settings, seed, None)
            except ValueError as error:         # of its folder: damaged, another run's
                raise _in_words(self.name, seed, error) from error


def make(describe: Callable[..., Training], name: str, recipe: Recipe, settings: Settings,
         seed: int | None = None) -> None:
    """Train, as work for `crew`, what a task describes: with this seed, or with all of them."""
    training = describe(name, recipe, find(settings), settings)
    for one in seeds(settings) if seed is None else [seed]:
        training.network(settings, one)


def _train(training, settings, seed, folder):
    """In the folder; in memory only if there is none."""
    name, build, parts, recipe = training
    mg.manual_seed(seed)
    model = build().to(settings.device)
    loader = DataLoader(parts.train.with_transform(recipe.training_view()), recipe.batch,
                        shuffle=True, seed=seed)
    valid = (DataLoader(parts.valid.with_transform(recipe.test_view()), recipe.batch)
             if len(parts.valid) else None)
    optimizer = SGD(model.parameters(), lr=recipe.max_lr, weight_decay=recipe.weight_decay)
    scheduler = OneCycleLR(optimizer, recipe.max_lr, epochs=recipe.epochs,
                           steps_per_epoch=len(loader))
    try:
        return Trained(model, _once_free(lambda: fit(
            model, loader, valid, epochs=recipe.epochs, optimizer=optimizer, scheduler=scheduler,
            metrics={"accuracy": Accuracy}, clip_value=recipe.clip,
            callbacks=[Teller(settings, f"{name}, seed {seed}", recipe.epochs)],
            folder=folder, resume=folder is not None,
            save_every=recipe.save_every if folder else None, progress=False)))
    except NotSavedError as error:
        settings.lost(f"{name}-seed{seed}: {error.__cause__.strerror}")
        return Trained(model, error.history)


def _in_words(name, seed, error):
    return UserError(f"{name}, seed {seed}: {one_line(error)}")


def _once_free(action):
    """What `action` gives, once no other process is at work on this training.

    That can only be one that a killed run has left behind: it ends after the step that it is at.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return action()
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise


class Teller:
    """Tells the progress line of the command how far a training is."""

    def __init__(self, settings: Settings, name: str, epochs: int):
        self.settings, self.name, self.epochs = settings, name, epochs

    def on_epoch_end(self, run) -> None:
        line = run.history[-1]
        self.settings.tell(f"{self.name}, epoch {line['epoch']}/{self.epochs}, loss "
                           f"{line['train']['loss']:.3f}")
