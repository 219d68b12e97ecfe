"""The forms of calls that PyTorch's samples use and we refuse, with their ops and how often.

A refused sample that has none of these forms is a failure, and so is a count that is not exact:
what is offered one day leaves this list, and what is refused anew does not join it unseen. The
entries all of whose samples are of such a form are op_db_mapping's VARIANTS_NOT_OFFERED.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

from tests.ops.op_db_mapping import NUMBERS


class Form(NamedTuple):
    """A form of a call, whether a case has it, and {entry: its refused samples in all dtypes}."""

    name: str
    has: Callable
    counts: dict


def option(name):
    return lambda case: name in case.options


def images(**counts):
    return {f"nn.functional.{op}": count for op, count in counts.items()}


FORMS = [
    Form("images that are no batch (N, C, H, W)", lambda case: case.sample.input.ndim != 4, images(
        max_pool2d=1152, upsample_nearest=40)),
    Form("images of integers", lambda case: not case.sample.input.is_floating_point(), images(
        max_pool2d=4608, avg_pool2d=7, upsample_nearest=4, avg_pool1d=9, local_response_norm=11,
        **{"interpolate/nearest": 19, "interpolate/nearest-exact": 19, "interpolate/bilinear": 24,
           "interpolate/bicubic": 24})),
    Form("antialias", option("antialias"), images(**{
        "interpolate/bilinear": 8, "interpolate/bicubic": 8})),
    Form("x (C) that is no batch", lambda case: case.sample.input.ndim == 1, images(
        batch_norm=8)),
    Form("a size, or a scale that is no integer", lambda case: "size" in case.options
         or case.options["scale_factor"] % 1, images(upsample_nearest=16)),
    Form("one number in a list for both axes, or none", lambda case: any(
        isinstance(size, (list, tuple)) and len(size) < 2 for size in case.arguments[1:4]), images(
            avg_pool2d=12)),
    Form("16-bit running statistics in training", lambda case: case.options.get("training")
         and case.dtype in ("float16", "bfloat16"), images(batch_norm=8)),
    Form("memory_format", option("memory_format"), {"clone": 306, **dict.fromkeys(NUMBERS, 54)}),
    Form("scattered values that are added or multiplied", option("reduce"), {"scatter": 45}),
    Form("complex numbers that require gradients", lambda case: any(
        getattr(x, "is_complex", bool)() for x in case.arguments), {"addcdiv": 44}),
]


def form_of(case):
    """The name of the form that the refused sample has, or None."""
    return next((form.name for form in FORMS if case.name in form.counts and form.has(case)), None)
