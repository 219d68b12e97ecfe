"""Everything that `python -m experiments` can verify: one table, and where each answer is found.

    every()["q3"].verify(settings)          # an Answer
    tasks_among(["q3", "task2"])            # ["task2"], what is answered with photographs

A question's module has a function `verify(settings: Settings) -> Answer`. The module is imported
when its question is asked, so `--help` does not wait for NumPy, and a question of the theory
imports nothing of the tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from experiments.claims import Answer
from experiments.errors import UserError, one_line
from experiments.settings import Settings


@dataclass(frozen=True)
class Question:
    """The module of a verification, a name inside `experiments`, and its subject in a few words."""

    module: str
    subject: str

    def verify(self, settings: Settings) -> Answer:
        return import_module(f"experiments.{self.module}").verify(settings)


class Task(Question):
    """A question that is answered with photographs, and mostly by training networks on them."""

    def verify(self, settings: Settings) -> Answer:
        """Raises UserError, naming the file, for a photo that cannot be read, and, naming step and
        layer, for a training that ran into NaN or infinity."""
        from minigrad.data import ImageError, SampleError
        from minigrad.train import NonFiniteError

        try:
            return super().verify(settings)
        except (ImageError, SampleError, NonFiniteError) as error:
            raise UserError(one_line(error)) from error

    def trainings(self, settings: Settings) -> Mapping[str, Sequence[Callable]]:
        """What it will train: {key: pieces of work, each a function of the settings}.

        Chains with different keys have nothing to do with each other; see `tasks/crew.py`.
        """
        module = import_module(f"experiments.{self.module}")
        return module.trainings(settings) if hasattr(module, "trainings") else {}


THEORY = {
    "q1": Question("theory.q1_pyramid", "what a Laplacian pyramid must store"),
    "q2": Question("theory.q2_collapse", "a network of linear activations is one layer"),
    "q3": Question("theory.q3_backprop", "a gradient worked out by hand"),
    "q4": Question("theory.q4_flops", "operations of a convolution and a pooling layer"),
    "q5": Question("theory.q5_lenet", "the parameters of LeNet-5"),
    "q6": Question("theory.q6_sigmoid", "back-propagation from the output alone"),
    "q7": Question("theory.q7_tanh", "tanh against the logistic function"),
    "errata": Question("theory.errata", "what the printed accuracies give away"),
}
PICTURES = {"pyramids": Question("pyramid_pictures.page", "image pyramids in pictures")}
TASKS = {
    "task1": Task("tasks.task1_look", "a look at the two sets of photos"),
    "task2": Task("tasks.task2_dropout", "a small network, with and without dropout"),
    "task3": Task("tasks.task3_scratch",
                  "ResNet-18 from scratch, on its own set and on the other"),
    "task4": Task("tasks.task4_transfer",
                  "three pretrained networks fine-tuned, and counted right"),
    "task5": Task("tasks.task5_origin", "which of the two sets a photo is from"),
}
WITH_PHOTO = "q1", "pyramids"           # those that take --image
WITH_WEIGHTS = "task4", "task5"         # those that take --weights


def every() -> dict[str, Question]:
    """All questions by name, in the order in which `all` asks them."""
    return {**THEORY, **PICTURES, **TASKS}


def groups() -> dict[str, list[str]]:
    """The questions that each name of the command line stands for."""
    return {"all": list(every()), "theory": list(THEORY), "tasks": list(TASKS),
            **{name: [name] for name in every()}}


def tasks_among(names: Collection[str]) -> list[str]:
    """The names of the tasks among `names`, in their order."""
    return [name for name in names if name in TASKS]
