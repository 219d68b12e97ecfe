"""How a sample becomes a comparison: both ops take it, and what they give is laid side by side.

    for result in compare_all("nn.functional.relu", "float32"):
        print(result.kind, result.detail)

Compared are, in this order: the dtypes, shapes and values of the outputs, with the tolerance that
torch.testing.assert_close has for the dtype; what has become of the arguments (running statistics
change, nothing else does); and the gradients under a random cotangent.
"""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import NamedTuple

import torch
from torch.testing._comparison import default_tolerances
from torch.utils._pytree import tree_leaves

import minigrad as mg
from tests.ops.op_db_differences import reason_for
from tests.ops.op_db_mapping import MAPPED
from tests.ops.op_db_not_offered import form_of
from tests.ops.op_db_rulers import RULERS
from tests.ops.op_db_samples import ENTRIES, in_float64, ours, samples_of, to_torch

FAILURES = ("value", "dtype", "shape", "gradient", "refused")
KINDS = ("ok", "by float64", *FAILURES, "not offered", "excused")


class Result(NamedTuple):
    """What came of a sample: one of KINDS; the error, form or reason; and the sample in short."""

    kind: str
    detail: str = ""
    sample: str = ""

    def __str__(self):
        return f"{self.kind}: {self.detail:.200}   {self.sample:.300}"


class Wrong(Exception):
    """A difference: its kind, a line about it, and the values, PyTorch's in float64 on demand."""

    def __init__(self, kind, detail, mine=None, theirs=None, exact=None):
        super().__init__(f"{kind}: {detail}")
        self.kind, self.detail = kind, detail
        self.mine, self.theirs, self.exact = mine, theirs, exact


class Case:
    """One sample, what our op makes of it, and what PyTorch's does."""

    def __init__(self, name, dtype, sample):
        self.name, self.dtype, self.sample = name, dtype, sample
        self.arguments = sample.input, *sample.args
        self.options = sample.kwargs
        self.accepted = []  # the reasons of the differences that were accepted

    def run_ours(self):
        """Raises what our op raises."""
        self.our_arguments, self.our_options = ours((self.arguments, self.options))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, of infinities and NaN
            self.our_outputs = flat(MAPPED[self.name].call(*self.our_arguments,
                                                           **self.our_options))

    def run_theirs(self):
        op = RULERS[self.name](self) if self.name in RULERS else ENTRIES[self.name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.outputs = flat(op(*self.arguments, **self.options))

    def check(self):
        """Raises Wrong at the first difference."""
        if len(self.our_outputs) != len(self.outputs):
            return self.differ(Wrong("shape", f"{len(self.our_outputs)} outputs for "
                                              f"{len(self.outputs)}"))
        for i, (mine, theirs) in enumerate(zip(self.our_outputs, self.outputs)):
            self.same(mine, theirs, "value", f"output {i}", lambda i=i: self.exact[0][i])
        for i, (mine, theirs) in enumerate(zip(self.our_tensors, self.tensors)):
            self.same(mine, theirs, "value", f"argument {i} afterwards", None)
        self.check_gradients()

    def check_gradients(self):
        differentiable = [i for i, y in enumerate(self.outputs) if getattr(y, "requires_grad", 0)]
        recorded = [i for i, y in enumerate(self.our_outputs) if getattr(y, "requires_grad", 0)]
        if differentiable != recorded:
            return self.differ(Wrong("gradient", f"outputs {recorded} require gradients for "
                                                 f"{differentiable}"))
        if not differentiable:
            return
        try:
            gradients = gradients_of(self.outputs, self.tensors)
        except RuntimeError as error:
            return self.differ(Wrong("gradient", f"PyTorch's backward raises {error}"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            try:
                self.run_backward(differentiable)
            except Exception as error:
                raise Wrong("gradient", f"backward raises {type(error).__name__}: {error}")
        for i, (x, theirs) in enumerate(zip(self.our_tensors, gradients)):
            mine = x.grad
            if mine is None or theirs is None:  # nothing flows back, where PyTorch may send zeros
                there, where = (theirs, "PyTorch") if mine is None else (to_torch(mine), "ours")
                if there is not None and there.any():
                    self.differ(Wrong("gradient", f"of argument {i}: only {where} has one"))
            else:
                self.same(mine, theirs, "gradient", f"of argument {i}",
                          lambda i=i: self.exact[1][i])

    def run_backward(self, differentiable):
        """From one output by its method, from several by one pass that adds the gradients up."""
        outputs = [self.our_outputs[i] for i in differentiable]
        vs = [ours(cotangent(self.outputs[i])) for i in differentiable]
        if len(outputs) == 1:
            return outputs[0].backward(vs[0])
        leaves = [x for x in self.our_tensors if x.requires_grad]
        for x, g in zip(leaves, mg.grad(outputs, leaves, vs, allow_unused=True)):
            x.grad = g

    def same(self, mine, theirs, kind, where, exact):
        """The two agree, NaN with NaN, within assert_close's tolerance, or differ acceptably."""
        mine = to_torch(mine)
        if type(mine) is not type(theirs):
            return self.differ(Wrong("dtype", f"{where}: {type(mine).__name__} for "
                                              f"{type(theirs).__name__}"))
        if not isinstance(mine, torch.Tensor):
            mine, theirs = torch.tensor(mine), torch.tensor(theirs)
        if mine.dtype != theirs.dtype:
            return self.differ(Wrong("dtype", f"{where}: {mine.dtype} for {theirs.dtype}"))
        if mine.shape != theirs.shape:
            return self.differ(Wrong("shape", f"{where}: {tuple(mine.shape)} for "
                                              f"{tuple(theirs.shape)}"))
        far = ~close(mine, theirs)
        if far.any():
            at = tuple(far.nonzero()[0].tolist())
            self.differ(Wrong(kind, f"{where}: {mine[at].item()} for {theirs[at].item()} at {at}",
                              mine[far], theirs.detach()[far], exact and (lambda: exact()[far])))

    def differ(self, difference):
        """Raises the difference unless there is a reason to accept it."""
        reason = reason_for(self, difference)
        if reason is None:
            raise difference
        self.accepted.append(reason)

    @property
    def tensors(self):
        return [x for x in tree_leaves((self.arguments, self.options))
                if isinstance(x, torch.Tensor)]

    @property
    def our_tensors(self):
        return [x for x in tree_leaves((self.our_arguments, self.our_options))
                if hasattr(x, "requires_grad")]

    @cached_property
    def exact(self):
        """(outputs, gradients) of PyTorch's op for the same numbers in float64."""
        case = Case(self.name, self.dtype, in_float64(self.sample))
        case.our_outputs = self.our_outputs
        case.run_theirs()
        return case.outputs, gradients_of(case.outputs, case.tensors, like=self.outputs)


def flat(outputs):
    """A list of what an op returns: a Tensor, a number, or a (named) tuple of Tensors."""
    return list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]


def gradients_of(outputs, inputs, like=None):
    """Gradients of PyTorch's outputs for each input, None where there is none.

    The cotangent is the one for `like`, the same outputs in a narrower dtype.
    """
    wanted = [x for x in inputs if x.requires_grad]
    if not wanted:
        return [None for _ in inputs]
    pairs = [(y, z) for y, z in zip(outputs, like or outputs) if y.requires_grad]
    found = iter(torch.autograd.grad(
        [y for y, _ in pairs], wanted, [cotangent(z).to(y.dtype) for y, z in pairs],
        allow_unused=True, retain_graph=True))
    return [next(found) if x.requires_grad else None for x in inputs]


def cotangent(y):
    """Random numbers in y's shape and dtype, the same for the same shape."""
    generator = torch.Generator().manual_seed(y.numel())
    return torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y.dtype)


def close(mine, theirs):
    """Where the two agree within the tolerance that assert_close has for their dtype."""
    rtol, atol = default_tolerances(theirs.dtype)
    return torch.isclose(mine, theirs, rtol=rtol, atol=atol, equal_nan=True)


def compare(name, dtype, sample):
    """The Result of one sample."""
    case = Case(name, dtype, sample)
    try:
        case.run_ours()
    except Exception as error:
        form = form_of(case)
        if form:
            return Result("not offered", form, in_short(case))
        return Result("refused", f"{type(error).__name__}: {error}", in_short(case))
    case.run_theirs()
    try:
        case.check()
    except Wrong as difference:
        return Result(difference.kind, difference.detail, in_short(case))
    if not case.accepted:
        return Result("ok")
    reason = min(case.accepted, key=lambda reason: reason.by_value)
    return Result("by float64" if reason.by_value else "excused", reason.why, in_short(case))


def compare_all(name, dtype):
    """The Results of all samples of an entry in a dtype."""
    return [compare(name, dtype, sample) for sample in samples_of(name, dtype)]


def in_short(case):
    """The arguments of a sample on one line: dtypes and shapes, and small values as they are."""
    parts = [brief(x) for x in case.arguments] + [f"{k}={brief(v)}"
                                                  for k, v in case.options.items()]
    return f"({', '.join(parts)})"


def brief(x):
    if isinstance(x, torch.Tensor):
        kind = str(x.dtype).removeprefix("torch.")
        return f"{kind}{list(x.shape)}" + (f"={x.item()}" if x.ndim == 0 else "")
    if isinstance(x, (list, tuple)):
        return f"[{', '.join(map(brief, x))}]"
    return str(x)
