"""What optimizers share: the list of parameters, and the walk over those that have a gradient."""

from __future__ import annotations

from minigrad.tensor import Tensor, no_grad


class Optimizer:
    """Base class: a subclass writes `update(p, g, state)`, which returns the new value of p.

    p and g are arrays, `state` is a dict of p's own that starts empty. A parameter without gradient
    is left alone: no decay, no state.
    """

    def __init__(self, params, lr):
        self.params = list(params)
        if not self.params:
            raise ValueError(f"{type(self).__name__}: got no parameters")
        for i, p in enumerate(self.params):
            if not isinstance(p, Tensor):
                raise TypeError(f"{type(self).__name__}: parameter {i} is a {type(p).__name__}, "
                                "not a Tensor")
            if not p.is_leaf:
                raise ValueError(f"{type(self).__name__}: parameter {i} is the result of an op, "
                                 "not a leaf Tensor")
        if len(set(map(id, self.params))) < len(self.params):
            raise ValueError(f"{type(self).__name__}: a parameter is listed twice")
        self.check(lr=(lr, 0, None))
        self.lr = lr
        self.state = [{} for _ in self.params]

    def check(self, **ranges):
        """ValueError unless each (value, low, high) has low <= value < high."""
        for name, (value, low, high) in ranges.items():
            if not low <= value or (high is not None and not value < high):
                limit = f"at least {low}" if high is None else f"in [{low}, {high})"
                raise ValueError(f"{type(self).__name__}: {name} must be {limit}, got {value}")

    def zero_grad(self):
        """Forget every gradient."""
        for p in self.params:
            p.grad = None

    def step(self):
        """Update every parameter that has a gradient, in place."""
        with no_grad():
            for p, state in zip(self.params, self.state):
                if p.grad is not None:
                    p[...] = self.update(p.data, p.grad.data, state)
