"""Recurrent networks: the plain ones, LSTM (Hochreiter and Schmidhuber, 1997) and GRU (Cho et al.,
EMNLP 2014).

Parameters have PyTorch's names and order: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, those
of the other direction with "_reverse" behind, and so on for each layer. Each is drawn from
U(-1/sqrt(hidden_size), 1/sqrt(hidden_size)). A weight holds the rows of the gates one after the
other.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.arguments import integer, plain
from minigrad.backend import array_module
from minigrad.engine import Tensor
from minigrad.nn import init
from minigrad.nn.module import Module, Parameter, unusual

State = tuple[Tensor, ...]  # h, or h and c, each (N, hidden_size)


class _Recurrent(Module):
    """What all share: layers one on the other, each of one direction or two. `step` says how a
    state follows another."""

    gates = states = 1
    nonlinearity = "tanh"

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 proj_size: int = 0) -> None:
        name = type(self).__name__
        if proj_size:
            raise ValueError(f"{name}: proj_size is not offered; put a Linear behind it")
        self.input_size = integer(name, "input_size", input_size)
        self.hidden_size = integer(name, "hidden_size", hidden_size)
        self.num_layers = integer(name, "num_layers", num_layers)
        self.bias, self.bidirectional = bool(bias), bool(bidirectional)
        self.batch_first, self.dropout = bool(batch_first), plain(dropout)
        self.directions = ("", "_reverse")[:1 + bidirectional]
        rows, bound = self.gates * hidden_size, 1 / math.sqrt(hidden_size)
        for layer in range(num_layers):
            inputs = hidden_size * len(self.directions) if layer else input_size
            shapes = {"weight_ih": (rows, inputs), "weight_hh": (rows, hidden_size),
                      **({"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {})}
            for direction in self.directions:
                for part, shape in shapes.items():
                    setattr(self, f"{part}_l{layer}{direction}", init.uniform_(
                        Parameter(np.empty(shape, np.float32)), -bound, bound))

    def linear(self, which: str, x: Tensor, suffix: str) -> Tensor:
        return ops.linear(x, getattr(self, f"weight_{which}{suffix}"),
                          getattr(self, f"bias_{which}{suffix}", None))

    def step(self, x: Tensor, h: Tensor, state: State) -> State:
        """The next state, from the linear maps x of the input and h of the state."""
        raise NotImplementedError

    def initial(self, x: Tensor, hx: Any, alone: bool) -> State:
        """hx as a tuple, or zeros. Raises RuntimeError for states of another shape."""
        shape = self.num_layers * len(self.directions), x.shape[1], self.hidden_size
        if hx is None:
            return (Tensor(array_module(x.data).zeros(shape, x.dtype)),) * self.states
        state = tuple(hx) if self.states > 1 else (hx,)
        if alone:
            state = tuple(h[:, None] for h in state)
        for h in state:
            if tuple(h.shape) != shape:
                raise RuntimeError(f"{type(self).__name__}: a state of shape {h.shape}, expected "
                                   f"{shape}")
        return state

    def forward(self, input: Tensor, hx: Any = None) -> tuple[Tensor, Any]:
        alone = input.ndim == 2
        if alone:
            input = input[:, None]  # (T, 1, input_size)
        elif self.batch_first:
            input = ops.transpose(input, 0, 1)  # (T, N, input_size)
        if input.ndim != 3 or not input.shape[0]:
            raise RuntimeError(f"{type(self).__name__}: needs a sequence (T, N, features), "
                               f"(N, T, features) with batch_first, or (T, features), of T > 0 "
                               f"steps; got {input.shape}")
        before = self.initial(input, hx, alone)
        y, after = input, list[State]()
        for layer in range(self.num_layers):
            both = []
            for direction in self.directions:
                k, suffix = len(after), f"_l{layer}{direction}"
                state, outputs = tuple(h[k] for h in before), []
                steps = _rows(self.linear("ih", y, suffix))
                for x in reversed(steps) if direction else steps:
                    state = self.step(x, self.linear("hh", state[0], suffix), state)
                    outputs.append(state[0])
                both.append(ops.stack(outputs[::-1] if direction else outputs))
                after.append(state)
            y = ops.concatenate(both, -1) if len(both) > 1 else both[0]
            if layer < self.num_layers - 1:
                y = ops.dropout(y, self.dropout, self.training)
        last = tuple(map(ops.stack, zip(*after)))
        if alone:
            y, last = y[:, 0], tuple(h[:, 0] for h in last)
        elif self.batch_first:
            y = ops.transpose(y, 0, 1)
        return y, last if self.states > 1 else last[0]

    def flatten_parameters(self) -> None:
        """Does nothing. PyTorch's, which moves weights together, is called in many programs."""

    def extra_repr(self) -> str:
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *unusual(
            self, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0,
            bidirectional=False)])


class RNN(_Recurrent):
    """h' = tanh(w_ih x + b_ih + w_hh h + b_hh), or with nonlinearity="relu" the ReLU of that.

    x (T, N, input_size), h_0 (layers directions, N, hidden_size) or zeros -> (outputs (T, N,
    directions hidden_size), h_n of the shape of h_0). batch_first: (N, T, ...) in and out. Without
    a batch there is no N. Between layers there is `ops.dropout`. Raises RuntimeError for
    inputs and states of other shapes.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1,
                 nonlinearity: str = "tanh", bias: bool = True, batch_first: bool = False,
                 dropout: float = 0.0, bidirectional: bool = False) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional)
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        self.nonlinearity = nonlinearity

    def step(self, x: Tensor, h: Tensor, state: State) -> State:
        return (getattr(ops, self.nonlinearity)(x + h),)


class LSTM(_Recurrent):
    """c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c'), with the four parts i, f, g
    and o of w_ih x + b_ih + w_hh h + b_hh.

    As `RNN`, but that a state is a pair: LSTM(...)(x, (h_0, c_0)) -> (outputs, (h_n, c_n)).
    """

    gates, states = 4, 2

    def step(self, x: Tensor, h: Tensor, state: State) -> State:
        i, f, g, o = _gates(x + h, self.hidden_size)
        c = ops.sigmoid(f) * state[1] + ops.sigmoid(i) * ops.tanh(g)
        return ops.sigmoid(o) * ops.tanh(c), c


class GRU(_Recurrent):
    """h' = (1 - z) n + z h with r = sigmoid(x_r + h_r), z = sigmoid(x_z + h_z) and
    n = tanh(x_n + r h_n), with the three parts r, z and n of x = w_ih x + b_ih and w_hh h + b_hh.

    Arguments, inputs and results are those of `RNN`, without a nonlinearity to choose.
    """

    gates = 3

    def step(self, x: Tensor, h: Tensor, state: State) -> State:
        (xr, xz, xn), (hr, hz, hn) = (_gates(part, self.hidden_size) for part in (x, h))
        n = ops.tanh(xn + ops.sigmoid(xr + hr) * hn)
        return (n + ops.sigmoid(xz + hz) * (state[0] - n),)


def _gates(x: Tensor, size: int) -> list[Tensor]:
    """What belongs to each gate."""
    return [x[..., i:i + size] for i in range(0, x.shape[-1], size)]


def _rows(x: Tensor) -> list[Tensor]:
    """x[0], x[1], ..., from halves of halves: the gradient of each index is an array of the size
    of what it was taken from, so that T of them, taken one by one, would take T^2 steps."""
    n = len(x)
    return [x[0]] if n == 1 else _rows(x[:n // 2]) + _rows(x[n // 2:])
