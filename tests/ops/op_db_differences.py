"""The differences from PyTorch that are accepted, each with its reason, and how often each occurs.

A sample with a difference that has none of these reasons is a failure, and so is a count that is
not exact. Two reasons are about single values: these samples are not given up, but held against
PyTorch's own result in float64 at the values in question. How many there are depends a little on
the processor's instructions, so their counts may be exceeded (see `at_most`).
"""

from __future__ import annotations

from typing import Callable, NamedTuple

import torch
from torch.testing._comparison import default_tolerances

from tests.ops.op_db_samples import DTYPES as ALL


class Reason(NamedTuple):
    """Why a difference is accepted, in which dtypes, under which condition, and how often.

    `condition(case, difference)` looks at the sample, `case.sample`, and at what the two ops gave.
    `counts` has {entry: its samples, in all dtypes}.
    """

    why: str
    dtypes: tuple
    condition: Callable
    counts: dict
    by_value: bool = False

    def at_most(self, name):
        """How many samples of an entry may have this reason."""
        count = self.counts.get(name, 0)
        return 2 * count + 4 if self.by_value else count


def right_in_float64(case, difference):
    """PyTorch's float64 result, rounded once, is ours within the tolerance, or nearer to ours."""
    if difference.exact is None:
        return False
    mine, theirs = difference.mine, difference.theirs
    exact = difference.exact().detach().to(theirs.dtype)
    rtol, atol = default_tolerances(theirs.dtype)
    near = torch.isclose(mine, exact, rtol=rtol, atol=atol, equal_nan=True)
    mine, theirs, exact = mine.double(), theirs.double(), exact.double()
    return bool((near | ((mine - exact).abs() <= (theirs - exact).abs())).all())


def numbers_only(case, difference):
    return not any(isinstance(x, torch.Tensor) for x in case.arguments)


def number_as_self(case, difference):
    return case.outputs[0] is NotImplemented


def complex_numbers(case, difference):
    return any(isinstance(x, complex) for x in case.arguments)


def not_a_number(case, difference):
    return bool(difference.theirs.isnan().any())


def at_nan(case, difference):
    """Gradients that differ in no more places than the input has NaNs."""
    x, mine = case.sample.input, difference.mine
    return (difference.kind == "gradient" and mine is not None and isinstance(x, torch.Tensor)
            and mine.numel() <= int(x.isnan().sum()))


def nearly(case, difference):
    """To a few more roundings: the exponentials of large scores carry those of the products."""
    return difference.mine is not None and torch.allclose(
        difference.mine, difference.theirs, rtol=1e-4, atol=5e-5)


REASONS = [
    Reason("PyTorch's loops disagree on the gradient at NaN, by the size of the tensor", ALL,
           at_nan, {f"nn.functional.{name}": count for name, count in {
               "elu": 4, "celu": 4, "selu": 4, "hardshrink": 5, "softshrink": 5, "hardtanh": 9,
               "relu6": 9}.items()}, by_value=True),
    Reason("PyTorch rounds to 16 bits more than once", ("float16", "bfloat16"), right_in_float64, {
        "div/no_rounding_mode": 40, "div/trunc_rounding": 32, "reciprocal": 11, "rsqrt": 33,
        "add": 2, "sub": 2, "div/floor_rounding": 3,
        "log_softmax": 6, "logsumexp": 7, "mul": 22, "pow": 70,
        "sigmoid": 7, "softmax": 1, "var": 17, "var/unbiased": 2,
        "nn.functional.adaptive_avg_pool2d": 8, "nn.functional.batch_norm": 2,
        "nn.functional.avg_pool2d": 5, "nn.functional.pad/circular": 2,
        "nn.functional.pad/reflect": 6, "nn.functional.pad/replicate": 6,
        "nn.functional.pad/replicate_negative": 5,
        "nn.functional.binary_cross_entropy_with_logits": 41, "nn.functional.conv2d": 22,
        "nn.functional.conv_transpose2d": 14, "nn.functional.cross_entropy": 15,
        "nn.functional.max_pool2d": 272, "nn.functional.mse_loss": 2,
        **{f"nn.functional.{name}": count for name, count in {
            "group_norm": 57, "glu": 26, "instance_norm": 18, "logsigmoid": 5, "normalize": 11,
            "softsign": 48, "tanhshrink": 31, "interpolate/bicubic": 31,
            "interpolate/trilinear": 36, "interpolate/linear": 14,
            "scaled_dot_product_attention": 20, "conv_transpose1d": 6}.items()},
        "nn.functional.nll_loss": 6, "__rmul__": 22, "__rpow__": 57, "__rdiv__": 64,
        "true_divide": 40, "nn.functional.binary_cross_entropy": 7,
        "nn.functional.cosine_similarity": 14,
        "nn.functional.huber_loss": 1, "nn.functional.kl_div": 11,
        "nn.functional.soft_margin_loss": 5,
        "acos": 11, "acosh": 18,
        "addcdiv": 35, "addcmul": 40, "asin": 13, "asinh": 7, "atan": 8, "atan2": 69,
        "atanh": 25, "cumprod": 14, "erf": 20, "exp2": 10, "fmod": 29, "lerp": 12, "norm": 14,
        "remainder": 15, "std": 10, "std_mean": 20, "tan": 12, "var_mean": 15, "__rmod__": 12,
    }, by_value=True),
    Reason("PyTorch sums in float32 in another order", ("float32",), right_in_float64, {
        "pow": 2, "nn.functional.conv2d": 1}, by_value=True),
    Reason("PyTorch rounds products of operands of 16 bits to 16 bits", ("float64", "float32"),
           right_in_float64, {"addcdiv": 8, "addcmul": 8}, by_value=True),
    Reason("scores of a hundred are rounded before their exponentials are taken", ("float32",),
           nearly, {"nn.functional.scaled_dot_product_attention": 11}, by_value=True),
    Reason("Python numbers alone give a Python number", ALL, numbers_only, {
        "add": 18, "div/floor_rounding": 16, "div/no_rounding_mode": 18, "div/trunc_rounding": 16,
        "floor_divide": 16, "mul": 18, "sub": 16, "true_divide": 18}),
    Reason("Tensor.__rsub__ with a number as self, which Python never calls", ALL, number_as_self, {
        "__rsub__": 16}),
    Reason("complex numbers are for derivatives by the complex step, and NumPy has no complex32",
           ("float16", "bfloat16"), complex_numbers, {"where": 3}),
]


def reason_for(case, difference):
    """The Reason why this difference is accepted, or None; those that list the entry come first."""
    listed = [reason for reason in REASONS if case.name in reason.counts]
    other = [reason for reason in REASONS if reason.by_value and reason not in listed]
    return next((reason for reason in listed + other
                 if case.dtype in reason.dtypes and reason.condition(case, difference)), None)
