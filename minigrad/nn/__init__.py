"""Layers: modules that own parameters, with torch's names, defaults and initialisation."""

from minigrad.nn import init
from minigrad.nn.layers import (AvgPool2d, Conv2d, Dropout, Flatten, LeakyReLU, Linear, MaxPool2d,
                                ReLU, Sigmoid, Softplus, Tanh)
from minigrad.nn.module import Module, Parameter, Sequential

__all__ = ["AvgPool2d", "Conv2d", "Dropout", "Flatten", "LeakyReLU", "Linear", "MaxPool2d",
           "Module", "Parameter", "ReLU", "Sequential", "Sigmoid", "Softplus", "Tanh", "init"]
