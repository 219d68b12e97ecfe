"""PyTorch's samples of an op, and the same arguments as Tensors and NumPy dtypes of ours.

The samples are `sample_inputs` and `reference_inputs` of the entry; the latter repeat the former.
"""

from __future__ import annotations

import os
import random
import warnings

import numpy as np
import torch
from hypothesis import settings
from torch.utils._pytree import tree_map

from minigrad.dtypes import number_type
from minigrad.engine import Tensor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))  # that import loads another one

ENTRIES = {op.name + (f"/{op.variant_test_name}" if op.variant_test_name else ""): op
           for op in op_db}
DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int8", "uint8", "bool")


def dtypes_of(name):
    """The dtypes for which PyTorch has samples of this entry."""
    return [dtype for dtype in DTYPES if getattr(torch, dtype) in ENTRIES[name].dtypes]


def samples_of(name, dtype):
    """The entry's samples in this dtype, the same in every run; floats require gradients."""
    op, dtype = ENTRIES[name], getattr(torch, dtype)
    differentiable = dtype.is_floating_point and dtype in op.supported_backward_dtypes("cpu")
    for seeded in (torch.manual_seed, random.seed, np.random.seed):
        seeded(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked = differentiable and name not in MARKED
        for sample in op.reference_inputs("cpu", dtype, requires_grad=asked):
            sample = sample.transform(lambda x: _as_leaf(x, differentiable and not asked))
            yield EDITED.get(name, lambda sample: sample)(sample)


def _as_leaf(x, mark):
    """x as a leaf: a view of one that was made where no graph is recorded receives no gradient."""
    if not isinstance(x, torch.Tensor):
        return x
    return x.detach().requires_grad_(x.requires_grad or mark and x.is_floating_point())


def _without_layout(sample):
    """to(dtype) instead of to([device], dtype or Tensor, non_blocking, copy, memory_format)."""
    sample.args = tuple(getattr(a, "dtype", a) for a in sample.args
                        if isinstance(a, (torch.dtype, torch.Tensor)))
    return _without_options(sample)


def _without_options(sample):
    sample.kwargs = {}
    return sample


def _without_dropout(sample):
    sample.kwargs = {**sample.kwargs, "dropout_p": 0.0}
    return sample


def _without_indices(sample):
    sample.args = sample.args[:1]
    return sample


# Entries that cannot make samples that require gradients: here all floats in them do.
MARKED = {"addcmul", "clamp", "where"}

# Samples that all use an option that is not offered are compared without it.
EDITED = {"to": _without_layout,
          "nn.functional.scaled_dot_product_attention": _without_dropout,
          "nn.functional.adaptive_max_pool1d": _without_indices,
          "nn.functional.adaptive_max_pool2d": _without_indices}


def in_float64(sample):
    """The sample with its floating-point tensors in float64."""
    def widened(x):
        if isinstance(x, torch.Tensor) and x.is_floating_point():
            return x.detach().double().requires_grad_(x.requires_grad)
        return torch.float64 if x in (torch.float16, torch.bfloat16, torch.float32) else x
    return sample.transform(widened)


def ours(theirs):
    """A sample's argument for our op: Tensors with the same memory layout, NumPy dtypes."""
    return tree_map(_ours, theirs)


def _ours(x):
    if isinstance(x, torch.dtype):
        return number_type(str(x).removeprefix("torch."))
    if not isinstance(x, torch.Tensor):
        return x
    return Tensor(to_numpy(x.detach().clone() if x.is_contiguous() else _copy(x.detach())),
                  requires_grad=x.requires_grad)


def _copy(x):
    """A copy with x's strides, over a copy of all of its memory."""
    storage = torch.empty(0, dtype=x.dtype).set_(x.untyped_storage().clone())
    return storage.as_strided(x.shape, x.stride(), x.storage_offset())


def to_numpy(x):
    if x.dtype == torch.bfloat16:
        return x.view(torch.int16).numpy().view(number_type("bfloat16"))
    return x.numpy()


def to_torch(x):
    """A Tensor, array or number of ours as one of PyTorch's."""
    x = x.detach().numpy() if isinstance(x, Tensor) else x
    if not isinstance(x, np.ndarray):
        return x
    if x.dtype == "bfloat16":
        return torch.from_numpy(x.copy().view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(x.copy())
