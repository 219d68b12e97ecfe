"""Sequences of several lengths in one Tensor."""

from collections.abc import Sequence

from minigrad.engine import Tensor
from minigrad.ops import pad, stack


def pad_sequence(sequences: Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0,
                 padding_side: str = "right") -> Tensor:
    """N sequences (L_n, ...) -> (L, N, ...) or (N, L, ...), L the longest, filled with a value.

    Raises ValueError for a padding_side other than "right" and "left".
    """
    if padding_side not in ("right", "left"):
        raise ValueError(f"pad_sequence: padding_side must be 'right' or 'left', "
                         f"got {padding_side!r}")
    padded, longest = [], max(map(len, sequences))
    for x in sequences:
        around = (0, longest - len(x)) if padding_side == "right" else (longest - len(x), 0)
        padded.append(pad(x, (0, 0) * (x.ndim - 1) + around, value=padding_value))
    return stack(padded, 0 if batch_first else 1)
