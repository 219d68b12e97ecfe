"""The theory questions, in the order they were asked, and what each is about.

Each module has one public function, `verify(settings: Settings) -> Answer`. It is imported when its
question is asked, so that `python -m experiments --help` need not wait for NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from experiments.claims import Answer, Settings


class Question(NamedTuple):
    """Where a question's verification lives, and its subject in a few words."""

    module: str
    subject: str

    def verify(self, settings: Settings) -> Answer:
        return import_module(f"experiments.theory.{self.module}").verify(settings)


QUESTIONS = {
    "q1": Question("q1_pyramid", "what a Laplacian pyramid must store"),
    "q2": Question("q2_collapse", "a network of linear activations is one layer"),
    "q3": Question("q3_backprop", "a gradient worked out by hand"),
    "q4": Question("q4_flops", "operations of a convolution and a pooling layer"),
    "q5": Question("q5_lenet", "the parameters of LeNet-5"),
    "q6": Question("q6_sigmoid", "back-propagation from the output alone"),
    "q7": Question("q7_tanh", "tanh against the logistic function"),
    "errata": Question("errata", "what the printed accuracies give away"),
}
