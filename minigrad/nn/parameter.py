"""Parameter and Buffer: Tensors that become part of the module to which they are assigned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minigrad.engine import Tensor, data_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Parameter(Tensor):
    """A Tensor that a Module trains; it requires a gradient unless `requires_grad` is False.

    Made of a Tensor, it shares the Tensor's memory.
    """

    __slots__ = ()

    def __init__(self, data: Tensor | ArrayLike = (), requires_grad: bool = True) -> None:
        super().__init__(data_of(data), requires_grad)
        if isinstance(data, Tensor):
            self._version_counter = data.version_counter()  # the same memory


class Buffer(Tensor):
    """A Tensor that a Module saves and moves, but does not train: `self.mask = Buffer(mask)`.

    That is `self.register_buffer("mask", mask, persistent)`. It shares the memory of a Tensor.
    """

    def __init__(self, data: Tensor | ArrayLike, *, persistent: bool = True) -> None:
        super().__init__(data_of(data))
        if isinstance(data, Tensor):
            self._version_counter = data.version_counter()
        self.persistent = persistent
