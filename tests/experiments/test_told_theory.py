"""The words of the theory's answers tell the numbers that were measured."""

import re

import pytest

from experiments.questions import THEORY
from pyramids import gaussian_pyramid
from tests.experiments.theory_answers import answers, noise

WATCHED = answers,      # the fixture of most tests here


def value(claim, part=""):
    """Of the first check with this in its name."""
    return next(c.value for c in claim.checks if part in c.name)


# the beginning of what is measured; numbers that end in rounding are left open
MEASURED = {
    "q3.gradient": "dL/dw3 = -0.0113337578481614", "q3.product": "the product is -0.2650844",
    "q3.slopes": "s'(z3) = 0.217556, s'(z2) = 0.109450",
    "q3.error-factor": "2(y - yhat) = 0.639757, from yhat = 0.680122",
    "q3.plain-factors": "dz3/da2 = 0.93 and dz2/dw3 = 0.8 by autograd",
    "q4.shapes": "3x6x6, 3x3x3", "q4.without-bias": "3861 by three routes",
    "q4.with-bias": "3969 by three routes",
    "q4.method": "the routes agree on 12 of 12 random layers",
    "q5.total": "61706 by four routes",
    "q5.layers": "C1 156, C3 2416, C5 48120, F6 10164, output 850",
    "q5.original": "60000: C1 156, S2 12, C3 1516, S4 32, C5 48120, F6 10164",
    "q7.codomain": "true of the functions; float64 rounds to 1.0 from x = 18.9903 (tanh) and "
                   "36.7368 (logistic) on",
    "q7.centre": "4 at 0, falling to 2.136 at |x| = 1 and to 2 at |x| = 1.061275",
    "q7.smaller": "for |x| < 1.662886; at |x| = 8 its gradient is 745 times the greater",
    "errata.first-run": "running means 1101/1233, 2257/2466, 3391/3699; each model's own: "
                        "ResNet-18 0.8929, ResNet-34 0.9376, ResNeXt-50 0.9197",
    "errata.second-run": "running means 1113/1233, 2264/2466, 3388/3699; each model's own: "
                         "ResNet-18 0.9027, ResNeXt-50 0.9335, ResNet-34 0.9116",
    "errata.ranking": "best first: ResNet-34, ResNeXt-50, ResNet-18",
    "errata.third-figure": "over 1233: impossible, over 2466: impossible, over 3699: [3388]",
    "errata.dbi-test": "over 193: impossible; over all 646: 638/646",
}


@pytest.mark.parametrize("name", MEASURED)
def test_what_does_not_depend_on_chance(answers, name):
    claim = answers[name.partition(".")[0]].claims[name]
    assert claim.measured.startswith(MEASURED[name])
    assert len(claim.measured) <= len(MEASURED[name]) + 4


def test_question_1(answers):
    claims, levels = answers["q1"].claims, answers["q1"].numbers["levels"]
    assert claims["q1.storage"].measured.startswith(
        f"0 wrong samples in 6 levels of the photograph in integers; in floats at most "
        f"{max(claims['q1.storage'].routes.values()):.2f} eps max|I| with the binomial, and 0.00 ")
    assert claims["q1.laplacian"].measured == (
        f"rebuilding I_0 is then wrong by up to {levels[0]['nabla2']:.0f} grey levels of 255 "
        f"({levels[0]['minus_nabla2']:.0f} with -nabla^2 and the binomial); with the difference by "
        f"{levels[0]['float64']:.0e}")
    name = claims["q1.name"]
    assert f"off by {value(name, '3/8'):g}; with a = 0.4 by up to {value(name, '0.4'):.3g}" in (
        name.measured)
    alone, everything = claims["q1.only_coarse"].routes.values()
    assert claims["q1.only_coarse"].measured.startswith(
        f"I_{{n-1}} alone is wrong by up to {alone:.0f} grey levels, with all the L's by "
        f"{everything:g}; two images 20 grey levels apart")
    top = claims["q1.top_is_mean"]
    photo = noise(12, 17, 3)
    (*_, tip), mean = gaussian_pyramid(photo, axes=(0, 1)), photo.mean(axis=(0, 1))
    colours = ["(" + ", ".join(f"{part:.1f}" for part in colour) + ")"
               for colour in (tip.ravel(), mean)]
    assert top.measured == (f"the photograph's top is {colours[0]}, its mean {colours[1]}; on "
                            f"noise they differ by up to {value(top):.1f} grey levels")
    story = answers["q1"].answer.story
    assert "17x12 pixels goes down to 1x1 in 6 levels" in story[0]
    assert "0 of 612 samples" in story[0]
    assert f"{levels[0]['nabla2']:.0f} grey levels off" in story[2]


def test_question_2(answers):
    claims, numbers = answers["q2"].claims, answers["q2"].numbers
    worst = {name.removeprefix("worst_"): number for name, number in numbers.items()}
    assert claims["q2.collapse"].measured.endswith(f" 18 networks {worst['affine']:.1e}")
    assert claims["q2.weights"].measured.endswith(f" {worst['product']:.1e}")
    assert claims["q2.index"].measured == (f"relative error {worst['sum_printed']:.2g} as printed, "
                                           f"{worst['sum_right']:.1e} with b(n-1)")
    assert claims["q2.wlog"].measured.endswith(
        f" with biases, {worst['remark_no_bias']:.1e} without")
    assert "is 6 at x = 0, but 4 times the network with c = 1 is 8. " in claims["q2.wlog"].why
    assert claims["q2.nonlinear"].measured == ", ".join(
        f"rank {rank} with {name}" for name, rank in claims["q2.nonlinear"].routes.items())
    assert answers["q2"].answer.story[0].startswith("18 random networks with 0 to 8 hidden layers")


def test_questions_3_to_5(answers):
    story = answers["q3"].answer.story
    assert "yhat = 0.6801 where y = 1, so L = 0.1023" in story[0]
    assert ": 1 x 0.639757 x -1 x 0.217556 x 1 x 0.93 x 0.10945 x 0.8 = -0.011333758." in story[1]
    assert answers["q3"].claims["q3.gradient"].why.endswith(
        "With the right slopes, 0.217556 and 0.109450, the gradient is 23.4 times smaller.")
    factors = answers["q3"].claims["q3.factorisation"]
    assert factors.measured == f"over 200 factorisations dL/dw3 varies by {value(factors):.1e}"
    story = answers["q4"].answer.story
    assert "81 in all for 20 maps of 4x4: 2.1% of the work" in story[1]
    assert "Without bias they give 3861, 3861 and 3861, with bias 3969, 3969 and 3969" in story[2]
    assert "they agree 12 times" in story[3] and "21% of the multiplications" in story[4]
    assert "multiply-accumulates instead: 1944, " in story[4]
    story = answers["q5"].answer.story
    assert "has 61706 trainable parameters" in story[0] and "C5 alone 78% of them" in story[0]
    assert "has 60000" in story[1] and "with 840 fixed numbers" in story[2]
    assert "340908 connections" in story[3] and "serves 5.7 of them" in story[3]


def test_question_6(answers):
    claims, numbers = answers["q6"].claims, answers["q6"].numbers
    assert claims["q6.formula"].measured.endswith(f" {value(claims['q6.formula']):.1e}")
    assert claims["q6.half"].measured.endswith(f" off by {value(claims['q6.half']):.2g}")
    offs = re.findall(r"off by ([\d.]+)", claims["q6.indices"].measured)
    assert f"{value(claims['q6.indices']):.2g}" == min(offs, key=float) and len(offs) == 2
    for name in ("sigmoid", "tanh", "relu"):
        claim = claims[f"q6.{name}"]
        assert f"; {value(claim, 'formula with x'):.2g} from the formula" in claim.measured
    kept = [[numbers[f"bytes_{name}_keeping_{what}"] for what in "yx"]
            for name in ("sigmoid", "tanh", "ReLU")]
    shares = ", ".join(f"{name} {y / x:.0%}" for name, (y, x) in zip(
        ("sigmoid", "tanh", "ReLU"), kept))
    assert claims["q6.memory"].measured == (
        f"{shares} ({kept[0][0] / 1e6:.2f} of {kept[0][1] / 1e6:.2f} MB)")
    assert claims["q6.limits"].measured == (
        "same output, slopes apart by 1.76 (sin) and 6 (x^2); softplus from its output: error "
        f"{value(claims['q6.limits'], 'softplus from'):.1e}")
    assert "from x = 36.8 on" in answers["q6"].answer.story[4]
    assert numbers["slope_from_output_is_0_from_x"] == 36.8


def test_question_7(answers):
    claims, numbers = answers["q7"].claims, answers["q7"].numbers
    assert claims["q7.derivative"].measured == (
        f"largest difference {value(claims['q7.derivative']):.1e} over 200007 x from -10000 to "
        "10000, all finite")
    ends = {name: 10 ** values[-1] for name, values in numbers["log10_gradient_ratio"].items()}
    for weights in ("own", "same"):
        for name in ("relu", "tanh", "sigmoid"):
            told = [form.format(ends[f"{name}, {weights} weights"])
                    for form in ("{:.2g}", "{:.3g}", "{:.0e}")]
            assert any(word in claims["q7.relu"].measured for word in told)
    assert claims["q7.training"].measured == (
        "median steps to a loss of 0.1: tanh 5, ReLU 5, logistic over 5")
    ratio = f"{numbers['forward_time_over_tanh_s']:.1f} times"
    assert claims["q7.speed"].measured.startswith(
        f"one exponential for either; on this machine forward {ratio} tanh's time (")
    story = answers["q7"].answer.story
    assert "from x = 18.99 on" in story[0]
    assert "|x| = 1.061. Beyond |x| = 1.663 it" in story[1]
    assert f"took {ratio} as long as tanh" in story[4]


@pytest.mark.parametrize("name", THEORY)
def test_no_text_is_left_open(answers, name):
    answer = answers[name].answer
    texts = [answer.title, *answer.story, *answer.captions.values()]
    for claim in answer.claims:
        texts += [claim.written, claim.measured, claim.why, *claim.routes]
        texts += [check.name for check in claim.checks]
    for text in texts:
        assert text.strip() and not re.search(r"\bNone\b|\bnan\b|<|object at|array\(|\n\s", (
            text.replace("<=", "").replace("< ", ""))), text
    assert all(line.rstrip().endswith((".", "?", ")")) for line in answer.story)
