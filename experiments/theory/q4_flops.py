"""Question 4: how many operations one convolution and one pooling layer take.

Three routes to the same number. `by_profile` asks minigrad.profile, which knows a rule per op and
nothing of this question. `by_counting` runs the definitions of the layers on numbers that record
what is done with them. `by_formula` is the written answer with letters for its numbers.
"""

from __future__ import annotations

import operator
from collections import Counter
from typing import NamedTuple

import numpy as np

import minigrad as mg
from experiments.claims import HOLDS, Answer, Claim, check, spread
from experiments.settings import Settings
from experiments.style import PALETTE, new_figure
from minigrad import nn
from minigrad.kernels import conv
from minigrad.kernels.pool import cpu as pool
from minigrad.kernels.runtime.window import Window
from minigrad.profile import Count, Profile, profile

KINDS = {"multiply": "multiplications", "add": "additions", "compare": "comparisons",
         "other": "other operations"}
RANDOM_LAYERS = 12
ROUNDING = 1e-12  # of float64 sums of up to 800 products


class Shapes(NamedTuple):
    """An input, a convolution and a pooling layer; pairs are (vertical, horizontal)."""

    channels: int
    size: tuple[int, int]
    filters: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    pooling: str  # "max" or "mean"
    pool_kernel: tuple[int, int]
    pool_stride: tuple[int, int]

    def build(self, bias: bool) -> nn.Sequential:
        """The layers as a float64 model."""
        pooling = {"max": nn.MaxPool2d, "mean": nn.AvgPool2d}[self.pooling]
        return nn.Sequential(
            nn.Conv2d(self.channels, self.filters, self.kernel, self.stride, self.padding,
                      bias=bias),
            pooling(self.pool_kernel, self.pool_stride)).to("float64")

    @property
    def input(self) -> tuple[int, int, int, int]:
        return (1, self.channels, *self.size)


WRITTEN = {False: (1153840, "20*6*6*(4*4*50*2 - 1) + 8*16*20"),
           True: (1154560, "20*6*6*(4*4*50*2) + 2560")}  # by whether there is a bias
QUESTION = Shapes(50, (12, 12), 20, (4, 4), (2, 2), (1, 1), "max", (3, 3), (1, 1))


def _counted(kind, operation):
    """A method of Number that records one operation of `kind` and carries it out."""
    def method(self, other):
        self.tally[kind] += 1
        result = operation(self.value, getattr(other, "value", other))
        return result if kind == "compare" else Number(result, self.tally)
    return method


class Number:
    """A number that adds to `tally` each multiplication, addition, comparison or other operation.

    Comparisons give plain booleans, everything else gives Numbers with the same tally.
    """

    __slots__ = ("value", "tally")

    def __init__(self, value: float, tally: Counter):
        self.value, self.tally = value, tally

    __mul__ = __rmul__ = _counted("multiply", operator.mul)
    __add__ = _counted("add", operator.add)
    __truediv__ = _counted("other", operator.truediv)
    __ge__ = _counted("compare", operator.ge)


def numbers(values: np.ndarray, tally: Counter) -> np.ndarray:
    """An object array of Numbers that share a tally."""
    return np.frompyfunc(lambda value: Number(value, tally), 1, 1)(values)


class Found(NamedTuple):
    """One layer counted by the three routes."""

    shapes: Shapes
    profiled: Count
    counted: Count
    formula: int
    error: float  # of the values that the counted run gave, against the model's

    @property
    def agree(self) -> bool:
        """The first two routes kind by kind, the third in the sum, and the values are right."""
        kinds = all(getattr(self.profiled, k) == getattr(self.counted, k) for k in KINDS)
        return kinds and self.profiled.flops == self.formula and self.error <= ROUNDING


def by_profile(model: nn.Module, shapes: Shapes) -> Count:
    """The operations as the general counter sees them."""
    return profile(model, shapes.input).total.count


def by_counting(model: nn.Module, shapes: Shapes, rng: np.random.Generator) -> tuple[Count, float]:
    """(operations, error): the definitions run on Numbers, and their distance to the model.

    Filters, bias and pixels are Numbers, so that a product with a padding zero counts as well.
    """
    convolution, pooling = model
    tally = Counter()
    image = rng.standard_normal(shapes.input)
    y = conv.direct(numbers(image, tally), numbers(convolution.weight.data, tally),
                    Window(*shapes.kernel, *shapes.stride, *shapes.padding))
    if convolution.bias is not None:
        y = y + numbers(convolution.bias.data, tally).reshape(-1, 1, 1)
    direct = {"max": pool.max_direct, "mean": pool.average_direct}[shapes.pooling]
    y = direct(y, Window(*shapes.pool_kernel, *shapes.pool_stride, 0, 0))
    with mg.no_grad():
        expected = model(mg.Tensor(image)).data
    found = np.frompyfunc(lambda number: number.value, 1, 1)(y).astype(np.float64)
    return Count(**tally), float(np.abs(found - expected).max())


def by_formula(shapes: Shapes, bias: bool) -> int:
    """O oh ow (2 C kh kw - 1), a bias adding O oh ow, plus O ph pw (k - 1) comparisons of k pixels;
    a mean takes one division more."""
    kh, kw = shapes.kernel
    oh, ow = Window(kh, kw, *shapes.stride, *shapes.padding).output_size(*shapes.size)
    ph, pw = Window(*shapes.pool_kernel, *shapes.pool_stride, 0, 0).output_size(oh, ow)
    window = shapes.pool_kernel[0] * shapes.pool_kernel[1]
    per_output = 2 * shapes.channels * kh * kw - (0 if bias else 1)
    per_window = window - 1 if shapes.pooling == "max" else window
    return shapes.filters * (oh * ow * per_output + ph * pw * per_window)


def random_shapes(rng: np.random.Generator) -> Shapes:
    """A small convolution and pooling layer whose windows fit."""
    def pair(low, high):
        return tuple(rng.integers(low, high + 1, 2).tolist())

    channels, filters = pair(1, 4)
    return Shapes(channels, pair(8, 12), filters, pair(1, 4), pair(1, 2), pair(0, 2),
                  str(rng.choice(["max", "mean"])), pair(1, 3), pair(1, 2))


def verify(settings: Settings) -> Answer:
    """Count the layer of the question, with and without bias, and random layers beside it."""
    mg.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    table = profile(QUESTION.build(bias=False), QUESTION.input)
    counts = {bias: count(QUESTION, bias, rng) for bias in (False, True)}
    tried = [count(random_shapes(rng), i % 2 == 0, rng) for i in range(RANDOM_LAYERS)]
    plain, biased = (counts[bias].profiled for bias in (False, True))
    met = _products_with_pixels(QUESTION)
    return Answer(
        question="q4", title="Operations of a convolution and a pooling layer",
        story=("The convolution gives 20 maps of 6x6, 720 numbers. Each is a sum of 4x4x50 = 800 "
               "products: 800 multiplications and 799 additions, or 800 additions with a bias.",
               f"The largest of 3x3 numbers takes 8 comparisons, {plain.compare} in all for 20 "
               f"maps of 4x4: {plain.compare / plain.flops:.1%} of the work.",
               "We counted in three ways: with the general counter of minigrad.profile, by running "
               "the layers on numbers that record what is done with them, and by the written "
               f"formula. Without bias they give {listed(counts[False])}, with bias "
               f"{listed(counts[True])}.",
               f"On {RANDOM_LAYERS} layers of random shape they agree "
               f"{sum(f.agree for f in tried)} times.",
               f"Two remarks. {1 - met / plain.multiply:.0%} of the multiplications meet a padding "
               "zero; the written count includes them, as is usual. And many papers count "
               f"multiply-accumulates instead: {plain.macs}, about half as many."),
        claims=(_shapes_claim(table), _total_claim(False, counts[False]),
                _total_claim(True, counts[True]), _method_claim(tried)),
        numbers={"without bias": plain._asdict(), "with bias": biased._asdict(),
                 "multiplications by a pixel of the input": met, "table": table.to_dict(),
                 "random layers": [found.shapes._asdict() for found in tried]},
        figures={"q4-operations": lambda: _draw(table)},
        captions={"q4-operations": "Operations of the two layers by kind, without bias; the scale "
                                   "is logarithmic. Pooling needs comparisons only, and hardly "
                                   "any."})


def count(shapes: Shapes, bias: bool, rng: np.random.Generator) -> Found:
    """One layer by the three routes."""
    model = shapes.build(bias)
    counted, error = by_counting(model, shapes, rng)
    return Found(shapes, by_profile(model, shapes), counted, by_formula(shapes, bias), error)


def listed(found: Found) -> str:
    """What the three routes give, in words."""
    return f"{found.profiled.flops}, {found.counted.flops} and {found.formula}"


def _products_with_pixels(shapes: Shapes) -> int:
    """Multiplications that meet a pixel and not the padding: all pixels and all weights are 1."""
    ones = np.ones((shapes.filters, shapes.channels, *shapes.kernel))
    window = Window(*shapes.kernel, *shapes.stride, *shapes.padding)
    return int(conv.direct(np.ones(shapes.input), ones, window).sum())


# --- claims --------------------------------------------------------------------------------------

def _shapes_claim(table: Profile) -> Claim:
    outputs = ["x".join(map(str, layer.output[1:])) for layer in table.layers]
    return Claim(
        "q4.shapes", "C gives 20x6x6, P gives 20x4x4", ", ".join(outputs),
        "(12 + 2 - 4) / 2 + 1 = 6 positions of the filter along each side, and 6 - 3 + 1 = 4 of "
        "the pooling window. Read off the layers after a run.",
        HOLDS, check("output shapes", ", ".join(outputs), "==", "20x6x6, 20x4x4"))


def _total_claim(bias: bool, found: Found) -> Claim:
    total, formula = WRITTEN[bias]
    routes = {"minigrad.profile": found.profiled.flops,
              "operations counted in a run": found.counted.flops, "formula": found.formula}
    return Claim(
        f"q4.{'with' if bias else 'without'}-bias", f"{formula} = {total}",
        f"{found.profiled.flops} by three routes",
        ("The bias joins each sum of 800 products: one addition more for each of 720 numbers."
         if bias else
         "A sum of 800 products takes 799 additions, not 800: that is the - 1."),
        HOLDS, check("FLOPs by minigrad.profile", found.profiled.flops, "==", total),
        evidence=(check("largest difference between the routes", spread(routes), "==", 0),
                  *(check(f"{name}, profile against counted", getattr(found.profiled, kind), "==",
                          getattr(found.counted, kind)) for kind, name in KINDS.items()),
                  check("error of the counted run's values", found.error, "<=", ROUNDING)),
        routes=routes)


def _method_claim(tried: list[Found]) -> Claim:
    wrong = sum(not found.agree for found in tried)
    return Claim(
        "q4.method",
        "A sum of k products is 2k - 1 operations, 2k with a bias; the largest of k is k - 1",
        f"the routes agree on {len(tried) - wrong} of {len(tried)} random layers",
        "Other channels, sizes, strides and paddings, windows that are not square and do not tile, "
        "with and without bias, maximum and mean: counter and counted run agree in every kind of "
        "operation, and the formula in the sum.",
        HOLDS, check("random layers on which the routes disagree", wrong, "==", 0))


# --- figure --------------------------------------------------------------------------------------

def _draw(table: Profile):
    figure = new_figure(7.5, 3.2)
    axes = figure.subplots()
    colours = (PALETTE["blue"], PALETTE["orange"], PALETTE["green"])
    names = ["convolution\n20 filters 4x4", "max pooling\n3x3"]
    for i, (kind, colour) in enumerate(zip(KINDS, colours)):
        values = [getattr(layer.count, kind) for layer in table.layers]
        rows = [row + 0.27 * (i - 1) for row in range(len(names))]
        axes.barh(rows, values, height=0.25, color=colour, label=KINDS[kind])
        for row, value in zip(rows, values):
            axes.annotate(f"{value:,}", (max(value, 1), row), (4, 0), va="center",
                          textcoords="offset points")
    axes.set(xscale="log", xlim=(1, 1e7), yticks=range(len(names)), yticklabels=names,
             xlabel="operations")
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=3)
    return figure
