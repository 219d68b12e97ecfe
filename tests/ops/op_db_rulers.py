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


def multinomial(case):
    """Our draw itself, if it has PyTorch's shape: its distribution is for another test."""
    def formula(x, *args, **options):
        theirs = torch.multinomial(x, *args, **options)
        mine = to_torch(case.our_outputs[0])
        return mine if mine.shape == theirs.shape and mine.dtype == theirs.dtype else theirs
    return formula


def remainder(case):
    """Of tensors: PyTorch's backward raises an error for a number as the first operand."""
    return lambda a, b: torch.remainder(a if hasattr(a, "dtype") else torch.full_like(b, a), b)


def rmod(case):
    return lambda a, b: torch.remainder(b if hasattr(b, "dtype") else torch.full_like(a, b), a)


def stable(case):
    """Equal elements in their order, which PyTorch leaves open otherwise."""
    def formula(x, *args, **options):
        given = dict(zip(("dim", "descending"), args)) | options | {"stable": True}
        return getattr(torch, case.name)(x, **given)
    return formula


def topk(case):
    def formula(x, k, dim=-1, largest=True, sorted=True):
        found = torch.sort(x, dim=dim, descending=largest, stable=True)
        return tuple(y.narrow(dim, 0, k) if x.ndim else y for y in found)
    return formula


RULERS = {"argsort": stable, "sort": stable, "topk": topk, "multinomial": multinomial,
          "remainder": remainder,
          "__rmod__": rmod,
          "nn.functional.dropout": dropout, "nn.functional.dropout2d": dropout,
          "clamp": clamp}
