"""Optimizers: from parameters and their gradients, one step downhill; torch's formulas, names."""

from minigrad.optim.adam import Adam
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.sgd import SGD

__all__ = ["Adam", "Optimizer", "SGD"]
