"""The five tasks of the coursework, on two sets of photos of the same seven breeds of dog.

Without `--data` the photos are the stand-in's, drawn by `experiments/standin`: the same code then
tells the same story, and every table and figure says whose photos it is about. `recipe.py` holds
the recipe of the training, `photos.py` finds the photos, `training.py` trains, `scores.py` counts.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from experiments.claims import Answer, Settings
from experiments.results import UserError


class Task(NamedTuple):
    """Where a task lives, and its subject in a few words."""

    module: str
    subject: str

    def verify(self, settings: Settings) -> Answer:
        """Imported when it is asked for, so that `--help` need not wait for NumPy.

        Raises UserError, naming the file, for a photo that cannot be read, and, naming step and
        layer, for a training that ran into NaN or infinity.
        """
        from minigrad.data import ImageError, SampleError
        from minigrad.train import NonFiniteError

        try:
            return import_module(f"experiments.tasks.{self.module}").verify(settings)
        except (ImageError, SampleError, NonFiniteError) as error:
            raise UserError(" ".join(str(error).split())) from error

    def trainings(self, settings: Settings) -> dict:
        """What it will train: {key: pieces of work, each a function of the settings}.

        Chains with different keys have nothing to do with each other; see `crew`.
        """
        module = import_module(f"experiments.tasks.{self.module}")
        return module.trainings(settings) if hasattr(module, "trainings") else {}


TASKS = {
    "task1": Task("task1_look", "a look at the two sets of photos"),
    "task2": Task("task2_dropout", "a small network, with and without dropout"),
    "task3": Task("task3_scratch", "ResNet-18 from scratch, on its own set and on the other"),
    "task4": Task("task4_transfer", "three pretrained networks fine-tuned, and counted right"),
    "task5": Task("task5_origin", "which of the two sets a photo is from"),
}
