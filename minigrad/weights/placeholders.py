"""What stands in a pickle for all that is no weights: numbers of NumPy, optimizers, settings.

A checkpoint has such things beside its weights. None of them is needed, so none is made: whatever a
program asks for by a name that is not in the vocabulary, and whatever it makes of that by a call,
is one and the same inert object, which only knows how it is called. It takes all that is put into
it, keeps nothing, and is refused where a weight is asked for.
"""

from __future__ import annotations

from minigrad.weights.errors import WeightsError, quote

# Files that name these want to run programs. Nothing would come of it; but whoever wrote such a
# file is not to be trusted with the weights either. That the list is complete is not needed.
_PROGRAMS = frozenset("os posix nt sys subprocess pty runpy shutil socket ctypes importlib".split())
_MAKERS = frozenset(["torch._utils", "torch._tensor", "torch.nn.parameter"])    # of tensors
_KINDS = {"sparse": "a sparse tensor; save it with .to_dense()",
          "qtensor": "a quantized tensor; save it with .dequantize()",
          "meta_tensor": "a tensor on torch's device meta, which has no numbers",
          "Uninitialized": "a lazy layer's tensor, which has no numbers yet",
          "nested": "a nested tensor; save its parts"}
_NOT_NEEDED = "it asks for {}, which weights do not need"


class Placeholder:
    """Stands for something that is not made. `what`: its name; `reason`: why it cannot be had;
    `tensor`: whether it was to be a tensor, which would be missed."""

    __slots__ = "what", "reason", "tensor"

    def __init__(self, what: str, reason: str, tensor: bool = False) -> None:
        self.what, self.reason, self.tensor = what, reason, tensor

    def as_tensor(self) -> Placeholder:
        """What stands for a tensor that is made of it: with a kind of numbers, say."""
        return self if self.tensor else Placeholder(
            self.what, _NOT_NEEDED.format(quote(self.what)) + ": save it as .float()", True)

    def function(self, arguments: tuple) -> Placeholder:
        """What a call of it makes."""
        return self

    def extend(self, items: list) -> None:
        """A list takes these; a placeholder keeps nothing."""

    def build(self, state: object) -> None:
        """An object takes this; a placeholder keeps nothing."""

    def __setitem__(self, key: object, value: object) -> None:
        """A table takes this; a placeholder keeps nothing."""


def placeholder_for(module: str, name: str) -> Placeholder:
    """The placeholder of a name that is not in the vocabulary. WeightsError for an attack."""
    full = f"{module}.{name}"
    reason = _NOT_NEEDED.format(quote(full))
    kind = next((kind for word, kind in _KINDS.items() if word in name), None)
    if module in _MAKERS and kind:
        return Placeholder(full, f"{reason}: it is {kind}", tensor=True)
    reason += "; nothing was run (save model.state_dict(), not the model)"
    if module.split(".")[0] in _PROGRAMS:
        raise WeightsError(reason)
    return Placeholder(full, reason, module in _MAKERS)


def odd_text(encoding: str) -> Placeholder:
    """Stands for a text that cannot be decoded: the bytes of Python 2."""
    return Placeholder("text", f"a text is not {encoding}")


def table_key(key: object) -> object:
    """The key itself, or what stands in a table for one that is neither text nor 64-bit integer.

    Such keys can be made to collide by the thousand, so that each takes longer than the one before.
    """
    if type(key) is str or type(key) is int and -2**63 <= key < 2**63:
        return key
    return Placeholder("a key of another kind", "a key is neither text nor a 64-bit integer")
