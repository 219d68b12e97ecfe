"""What the figures of the theory show: labels, legends, and curves that are the numbers."""

import re

import numpy as np
import pytest

import minigrad as mg
from experiments.theory import errata, q1_figures, q2_collapse, q5_lenet, q7_networks
from pyramids import gaussian_pyramid, laplacian_pyramid
from tests.experiments.figure_parts import (bars, labels, legend, middles, named, pictures, scales,
                                            texts, ticks)
from tests.experiments.theory_answers import answers, noise

WATCHED = answers,      # the fixture of most tests here


# --- question 1 ----------------------------------------------------------------------------------

def test_q1_levels_lie_at_their_true_sizes(answers):
    images = gaussian_pyramid(noise(12, 17, 3), axes=(0, 1))
    details = laplacian_pyramid(noise(12, 17, 3), axes=(0, 1))
    left, right = answers["q1"].figures["pyramid"].axes
    sizes = ["17×12", "9×6", "5×3", "3×2", "2×1", "1×1"]
    assert left.get_title("left") == "Gaussian levels, $I_0$ 17×12"
    black, white = re.fullmatch(r"differences: grey 0, black −(\d+), white \+(\d+)",
                                right.get_title("left")).groups()
    scale = float(np.quantile(np.abs(np.concatenate([d.ravel() for d in details[:-1]])), 0.995))
    assert black == white == f"{scale:.0f}"
    for ax, name in ((left, "I"), (right, "L")):
        assert texts(ax) == [f"${name}_{{{k}}}$  {size}" for k, size in enumerate(sizes)][1:]
        for image, size in zip(ax.images, sizes):
            x0, x1, y1, y0 = image.get_extent()
            assert f"{x1 - x0:.0f}×{y1 - y0:.0f}" == size
        assert ax.get_subplotspec().get_gridspec().ncols == 2
        tops = [image.get_extent()[3] for image in ax.images]
        assert tops[:2] == [0, 0] and tops == sorted(tops)      # below one another
        assert len({image.get_extent()[0] for image in ax.images[1:]}) == 1
        assert ax.images[1].get_extent()[0] > 17                # on the right of level 0
    for shown, image, detail in zip(zip(pictures(left), pictures(right)), images, details[:-1]):
        assert np.array_equal(shown[0], image)
        assert np.allclose(shown[1], np.clip(0.5 + detail / (2 * scale), 0, 1))
    assert np.array_equal(pictures(right)[-1], details[-1]) and len(right.images) == len(sizes)


def test_q1_levels_smaller_than_text_are_one_line_and_wide_ones_are_stacked():
    figure = q1_figures.pyramid(*(build(noise(40, 200, 3), axes=(0, 1))
                                  for build in (gaussian_pyramid, laplacian_pyramid)))
    upper, lower = figure.axes
    assert upper.get_subplotspec().get_gridspec().nrows == 2
    assert texts(upper)[-1] == "… down to 1×1" and 2 < len(upper.images) < 8
    assert len(texts(upper)) == len(upper.images)       # level 0 has its size in the title


def test_q1_large_images_are_thinned_out_to_be_drawn():
    image = np.arange(2 * q1_figures.PIXELS + 2).reshape(1, -1, 1)
    assert q1_figures._thumbnail(image).ravel()[:3].tolist() == [0, 3, 6]
    assert q1_figures._thumbnail(image[:, :q1_figures.PIXELS]).size == q1_figures.PIXELS


def test_q1_rebuilt_from_the_top(answers):
    images = gaussian_pyramid(noise(12, 17, 3), axes=(0, 1))
    axes = answers["q1"].figures["rebuilt"].axes
    assert [ax.get_title() for ax in axes[:7]] == [
        *(f"$I_{{{k}}}$  {image.shape[1]}×{image.shape[0]}"
          for k, image in reversed(list(enumerate(images)))), "0 wrong samples"]
    for ax, image in zip(axes, reversed(images)):
        assert np.array_equal(pictures(ax)[0], image)
        assert tuple(ax.images[0].get_extent()) == (0, 17, 12, 0)
    assert not pictures(axes[6])[0].any()


def test_q1_a_wrong_sample_is_counted_and_shown():
    photo = noise(12, 17, 3)
    details = laplacian_pyramid(photo, axes=(0, 1))
    photo[3, 5, :2] ^= 1
    axes = q1_figures.rebuilt(photo, details).axes
    assert axes[6].get_title() == "2 wrong samples"
    assert np.argwhere(pictures(axes[6])[0]).tolist() == [[3, 5]]


def test_q1_errors_are_those_of_the_levels(answers):
    ax, = answers["q1"].figures["errors"].axes
    levels = answers["q1"].numbers["levels"]
    names = {r"$L_k=\nabla^2 I_k$, as written": "nabla2",
             r"$L_k=-\nabla^2 I_k$, binomial": "minus_nabla2", "difference, float32": "float32",
             "difference, float64": "float64", "difference, integers": "integers"}
    assert list(named(ax)) == legend(ax) == list(names)
    for label, (x, y) in named(ax).items():
        assert x == [level["level"] for level in levels] == [0, 1, 2, 3, 4, 5]
        want = [level[names[label]] for level in levels]
        if names[label] != "integers":      # a line starts where its first error does
            want = [value or np.nan for value in want]
        assert np.array_equal(y, want, equal_nan=True)
    assert named(ax)["difference, integers"][1] == [0] * 6
    assert scales(ax) == ("linear", "symlog") and ax.xaxis_inverted()
    assert ticks(ax, "x") == {k: f"$I_{{{k}}}$" for k in range(6)}
    assert labels(ax)[1] == "largest error, grey levels" and "photograph (right)" in labels(ax)[0]
    low, high = ax.get_ylim()
    assert low < 0 < max(level["nabla2"] for level in levels) < high


# --- question 2 ----------------------------------------------------------------------------------

def test_q2_each_point_is_a_network(answers):
    ax, = answers["q2"].figures["q2-errors"].axes
    numbers = answers["q2"].numbers
    points = named(ax)
    assert list(points) == legend(ax) == [
        "rescaled output, as the remark says", "one layer with W*, b*"]
    for name, (x, y), shift in zip(("remark", "affine"), points.values(), (-0.2, 0.2)):
        assert len(y) == numbers["networks"] == 18
        assert max(y) == max(numbers[f"worst_{name}"], 1e-17) and min(y) >= 1e-17
        assert np.round(np.array(x) - shift).tolist() == [*range(9)] * 2
        assert np.array(x)[9] > np.array(x)[0]      # in the order in which they were drawn
        assert max(abs(np.array(x) - shift - [*range(9)] * 2)) <= 0.13
    bound, = (line for line in ax.lines if line.get_label().startswith("_"))
    assert set(bound.get_ydata()) == {q2_collapse.BOUND} and texts(ax) == ["allowed"]
    assert labels(ax) == ("hidden layers", "relative error (0 drawn at 1e-17)")
    assert scales(ax) == ("linear", "log") and list(ticks(ax, "x")) == [*range(9)]
    low, high = ax.get_ylim()
    assert low < 1e-17 and numbers["worst_remark"] < high


def test_q2_singular_values():
    singular = {"linear": np.array([1e-17, 0.0]), "ReLU": np.array([0.5, 1e-9]),
                "tanh": np.array([0.4, 1e-10])}      # as much as rounding: not counted
    ax, = q2_collapse._draw_spread(singular).axes
    assert named(ax) == {"linear: rank 0": ([1, 2], [1e-17, 1e-18]),
                         "ReLU: rank 2": ([1, 2], [0.5, 1e-9]),
                         "tanh: rank 1": ([1, 2], [0.4, 1e-10])}
    assert legend(ax) == list(named(ax)) and scales(ax) == ("linear", "log")
    edge, = (line for line in ax.lines if line.get_label().startswith("_"))
    assert set(edge.get_xdata()) == {q2_collapse.WIDTH + 0.5}
    assert texts(ax) == ["the nonlinear layer has 6 units"]
    assert labels(ax) == ("singular value, by size",
                          "size relative to the Jacobian (0 drawn at 1e-18)")
    low, high = ax.get_ylim()
    assert low < 1e-18 and high > 1


def test_q2_shows_as_many_large_singular_values_as_there_are_units(answers):
    ax, = answers["q2"].figures["q2-rank"].axes
    assert [label.partition(":")[0] for label in named(ax)] == ["linear", "ReLU", "tanh"]
    for label, (x, y) in named(ax).items():
        assert x == [*range(1, 21)] and y == sorted(y, reverse=True)
        assert f"rank {sum(value > 1e-10 for value in y)}" in label


# --- question 3 ----------------------------------------------------------------------------------

def test_q3_the_graph_tells_every_value_and_gradient(answers):
    svg = answers["q3"].figures["graph"]
    shown = " ".join(re.findall(r">([^<>]+)<", svg))
    for name in ("w1", "x1", "w3", "x3", "f1", "f6", "z1", "z2", "z3", "a1", "a2", "yhat", "L"):
        assert re.search(rf"\b{name}\b", shown), name
    for value in ("1.74", "0.8", "-0.13", "0.93", "-0.78", "0.605", "0.553"):
        assert value.replace("-", "−") in shown.replace("-", "−"), value
    assert "Question 3: from w3 to the loss, and back" in shown
    assert f"{answers['q3'].numbers['dL/dw3']:.3g}".lstrip("-") in shown


def test_q3_factors_beside_one_another(answers):
    ax, = answers["q3"].figures["chain"].axes
    chain = answers["q3"].numbers["chain"]
    names = ["2(y - yhat)", "s'(z3)", "w6", "s'(z2)", "x3"]
    assert ticks(ax, "x") == dict(enumerate(names))
    assert bars(ax) == {"written": [0.6396, 0.6908, 0.93, 0.8064, 0.8],
                        "right": [chain[name] for name in names]}
    assert middles(ax) == {"written": [i - 0.2 for i in range(5)],
                           "right": [i + 0.2 for i in range(5)]}
    assert texts(ax) == [f"{value:.4f}" for group in bars(ax).values() for value in group]
    limit = "1/4, the steepest slope there is"
    assert sorted(legend(ax)) == sorted(["written", "right", limit])
    segments = next(c for c in ax.collections if c.get_label() == limit).get_segments()
    assert [[[round(v, 9) for v in point] for point in s] for s in segments] == [
        [[0.55, 0.25], [1.45, 0.25]], [[2.55, 0.25], [3.45, 0.25]]]     # under both slopes
    assert ax.get_ylabel() == "factor" and ax.get_ylim()[0] == 0


# --- questions 4 and 5 ---------------------------------------------------------------------------

def test_q4_operations_by_kind(answers):
    figure, = answers["q4"].figures.values()
    ax, = figure.axes
    convolution, pooling = (layer["count"] if "count" in layer else layer
                            for layer in answers["q4"].numbers["table"]["layers"])
    names = {"multiply": "multiplications", "add": "additions", "compare": "comparisons"}
    assert bars(ax) == {name: [convolution[kind], pooling[kind]] for kind, name in names.items()}
    assert sum(bars(ax)["multiplications"]) == answers["q4"].numbers["without bias"]["multiply"]
    assert legend(figure) == list(names.values())
    assert texts(ax) == [f"{value:,}" for values in bars(ax).values() for value in values]
    assert ticks(ax, "y") == {0: "convolution\n20 filters 4x4", 1: "max pooling\n3x3"}
    assert [m[0] for m in middles(ax).values()] == [-0.27, 0, 0.27]
    assert [m[1] for m in middles(ax).values()] == [0.73, 1, 1.27]
    assert ax.get_xscale() == "log" and ax.get_xlabel() == "operations" and ax.yaxis_inverted()
    assert ax.get_xlim()[1] > 576000


def test_q5_parameters_by_layer(answers):
    figure, = answers["q5"].figures.values()
    ax, = figure.axes
    assert bars(ax) == {"modern: 61,706": [*q5_lenet.WRITTEN.values()],
                        "1998: 60,000": [*q5_lenet.PAPER.values()]}
    assert legend(figure) == list(bars(ax))
    assert texts(ax) == [f"{value:,}" for values in bars(ax).values() for value in values]
    assert ticks(ax, "y") == dict(enumerate(["C1", "S2", "C3", "S4", "C5", "F6", "output"]))
    assert [m[3] for m in middles(ax).values()] == [2.8, 3.2]
    assert ax.get_xscale() == "log" and ax.get_xlabel() == "trainable parameters"
    assert ax.yaxis_inverted() and ax.get_xlim()[1] > 48120


# --- questions 6 and 7 ---------------------------------------------------------------------------

def test_q6_bars_are_the_bytes(answers):
    ax, = answers["q6"].figures["q6-memory"].axes
    numbers = answers["q6"].numbers
    names = ["sigmoid", "tanh", "ReLU"]
    assert bars(ax) == {f"keeping the {what}": [numbers[f"bytes_{name}_keeping_{letter}"] / 1e6
                                                for name in names]
                        for what, letter in (("input", "x"), ("output", "y"))}
    assert legend(ax) == list(bars(ax)) and ticks(ax, "x") == dict(enumerate(names))
    assert list(middles(ax).values()) == [[-0.2, 0.8, 1.8], [0.2, 1.2, 2.2]]
    assert texts(ax) == [f"{value:.2f}" for values in bars(ax).values() for value in values]
    assert ax.get_ylabel() == "kept alive, MB"


def test_q6_slopes_over_outputs(answers):
    left, right = answers["q6"].figures["q6-slopes"].axes
    assert (left.get_title(), right.get_title()) == ("the output fixes the slope", "it does not")
    curves = {label: map(np.array, data) for label, data in named(left).items()}
    for (label, (y, slope)), formula in zip(curves.items(), (
            lambda y: y - y**2, lambda y: 1 - y**2, lambda y: 1 - np.exp(-y))):
        assert np.abs(slope - formula(y)).max() < 1e-12, label
    assert legend(left) == ["sigmoid: $y - y^2$", "tanh: $1 - y^2$", "softplus: $1 - e^{-y}$"]
    assert legend(right) == [r"$\sin x$", "$x^2$"]
    (y, slope), (square, its) = (map(np.array, data) for data in named(right).values())
    assert np.abs(y**2 + slope**2 - 1).max() < 1e-12
    assert np.abs(its**2 - 4 * square).max() < 1e-9 and its.min() < 0 < its.max()
    for ax in (left, right):
        assert labels(ax) == ("output y", "slope dy/dx")


def test_q7_slopes_and_their_ratio(answers):
    left, right = answers["q7"].figures["q7-slopes"].axes
    curves = {label: (np.array(x), np.array(y)) for label, (x, y) in named(left).items()}
    assert list(curves) == legend(left) == ["tanh'", "logistic s'"]
    x, tanh = curves["tanh'"]
    assert np.abs(tanh - 1 / np.cosh(x)**2).max() < 1e-12 and (x[0], x[-1]) == (-5, 5)
    s = mg.sigmoid(x)
    assert np.abs(curves["logistic s'"][1] - s * (1 - s)).max() < 1e-12
    ratio = right.lines[0]
    assert np.allclose(ratio.get_ydata(), tanh / (s * (1 - s)), rtol=1e-9)
    marks = [line for line in right.lines if line.get_marker() == "o"]
    assert [set(line.get_ydata()) for line in marks] == [{4}, {2}, {1}]
    for line in marks:
        at = line.get_xdata()[1]
        assert np.interp(at, x, ratio.get_ydata()) == pytest.approx(line.get_ydata()[0], abs=1e-4)
        assert line.get_xdata()[0] == -at
    assert texts(right) == ["4 at 0", "2 at |x| = 1.061", "1 at |x| = 1.663"] == [
        "4 at 0", *(f"{level} at |x| = {answers['q7'].numbers[f'slope_ratio_is_{level}_at_x']:.3f}"
                    for level in (2, 1))]
    assert set(right.lines[-1].get_ydata()) == {1}
    assert labels(left) == ("x", "slope") and labels(right) == ("x", "tanh' / s'")


def test_q7_networks(answers):
    numbers = answers["q7"].numbers
    left, right = answers["q7"].figures["q7-networks"].axes
    lines = named(left)
    words = {"logistic, same or own weights": "sigmoid, own weights",
             "tanh, same weights": "tanh, same weights", "ReLU, same weights": "relu, same weights",
             "tanh, own weights": "tanh, own weights", "ReLU, own weights": "relu, own weights"}
    assert sorted(lines) == sorted(legend(left)) == sorted(words)
    for label, (x, y) in lines.items():
        assert x == [0, 5, 10] and y[0] == 1
        assert np.allclose(np.log10(y[1:]), numbers["log10_gradient_ratio"][words[label]])
    widths = {line.get_label(): line.get_linewidth() for line in left.lines}
    assert widths["tanh, same weights"] < widths["tanh, own weights"]
    assert labels(left) == ("layers", "gradient norm, input over output")
    assert scales(left) == scales(right) == ("linear", "log")
    assert legend(right) == ["logistic", "tanh", "ReLU"]
    assert labels(right) == ("step of Adam", "training loss")
    assert len(right.lines) == 3 * 2 + 1 and all(len(a.get_ydata()) == 5 for a in right.lines[:6])
    assert set(right.lines[-1].get_ydata()) == {q7_networks.LEARNT}


def test_q7_curves_are_the_losses():
    losses = {name: np.array([[0.7, 0.5 - k / 10], [0.6, 0.4 - k / 10]])
              for k, name in enumerate(("sigmoid", "tanh", "relu"))}
    right = q7_networks.draw({("own", "tanh"): np.zeros(5)}, losses).axes[1]
    drawn = [line.get_ydata().tolist() for line in right.lines[:-1]]
    assert drawn == [run.tolist() for runs in losses.values() for run in runs]
    colours = [line.get_color() for line in right.lines[:-1]]
    assert colours[0] == colours[1] != colours[2] == colours[3] != colours[4]


# --- errata --------------------------------------------------------------------------------------

def test_errata_written_and_own(answers):
    figure = answers["errata"].figures["running_means"]
    assert legend(figure) == ["written", "the model's own"]
    for ax, run, title in zip(figure.axes, (errata.FIRST_RUN, errata.SECOND_RUN),
                              ("first run", "second run")):
        own = [float(a) for a in errata.undone(run, errata.SDD).values()]
        between, written, mine = ax.collections
        rows = [0, 1, 2]
        assert np.array_equal(written.get_offsets(), list(zip(map(float, run.values()), rows)))
        assert np.array_equal(mine.get_offsets(), list(zip(own, rows)))
        assert np.allclose([s[:, 0] for s in between.get_segments()],
                           list(zip(map(float, run.values()), own)))
        assert ax.get_title() == title and ax.get_xlabel() == "accuracy on SDD"
        assert ticks(ax, "y") == dict(enumerate(run)) and texts(ax) == [f"{a:.4f}" for a in own]
        low, high = ax.get_xlim()
        assert low < min(own) and max(own) < high and ax.yaxis_inverted()
