"""What ours is held against where PyTorch's op by itself will not do: PyTorch's formula.

    RULERS[entry](case)     the function that takes the sample's arguments in the op's place
"""

from __future__ import annotations

import torch

from tests.ops.op_db_samples import to_torch


def dropout(case):
    """With the mask of our result: that its share is right is for the tests of dropout."""
    kept = to_torch(case.our_outputs[0]) != 0

    def formula(x, p=0.5, training=True):
        if not training:
            return x * 1
        return torch.where(kept, x / (1 - p), 0) if p < 1 else x * 0
    return formula


def clamp(case):
    """Of operands in one shape: PyTorch's backward raises an error if a limit has more axes."""
    def formula(x, *limits):
        given = torch.broadcast_tensors(x, *(limit for limit in limits if limit is not None))
        rest = iter(given[1:])
        return torch.clamp(given[0], *(None if limit is None else next(rest) for limit in limits))
    return formula


RULERS = {"nn.functional.dropout": dropout, "nn.functional.dropout2d": dropout, "clamp": clamp}
