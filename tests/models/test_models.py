"""The models: sizes, parameter counts and layers as published, gradients everywhere, learning."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, ops
from minigrad.models import lenet5
from minigrad.models.lenet import C3_SOURCES, Codes, PartialConv2d, Squash, Subsample

VARIANTS = ["modern", "1998"]


def images(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 1, 32, 32)).astype(np.float32)


def sizes(model):
    """Numbers per layer: (trainable, fixed)."""
    found = {}
    for name, p in model.named_parameters():
        layer = found.setdefault(name.partition(".")[0], [0, 0])
        layer[not p.requires_grad] += p.numel()
    return {name: tuple(counts) for name, counts in found.items()}


def test_lenet5_has_the_published_parameters():
    assert sizes(lenet5()) == {"c1": (156, 0), "c3": (2416, 0), "c5": (48120, 0),
                               "f6": (10164, 0), "output": (850, 0)}
    assert sizes(lenet5(variant="1998")) == {
        "c1": (156, 0), "s2": (12, 0), "c3": (1516, 0), "s4": (32, 0), "c5": (48120, 0),
        "f6": (10164, 0), "output": (0, 840)}


@pytest.mark.parametrize("variant", VARIANTS)
def test_lenet5_has_the_published_map_sizes(variant):
    x, shapes = mg.Tensor(images(2)), {}
    for name, layer in lenet5(variant=variant).named_children():
        x = layer(x)
        shapes[name] = x.shape[1:]
    assert {name: shapes[name] for name in ("c1", "s2", "c3", "s4", "c5", "f6", "output")} == {
        "c1": (6, 28, 28), "s2": (6, 14, 14), "c3": (16, 10, 10), "s4": (16, 5, 5),
        "c5": (120, 1, 1), "f6": (84,), "output": (10,)}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("num_classes", [1, 7])
def test_lenet5_gives_a_score_per_class(variant, num_classes):
    y = lenet5(num_classes, variant)(mg.Tensor(images(3)))
    assert y.shape == (3, num_classes) and y.dtype == np.float32
    assert np.isfinite(y.data).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_reach_every_trainable_parameter_and_no_other(variant):
    model = lenet5(variant=variant)
    mg.cross_entropy(model(mg.Tensor(images(8))), np.arange(8)).backward()
    for name, p in model.named_parameters():
        assert (p.grad is not None) == p.requires_grad, name
        assert p.grad is None or np.any(p.grad.data), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_lenet5_learns(variant):
    """Twelve images of noise with labels: the loss falls to less than half in 30 steps."""
    mg.manual_seed(0)
    model, x, target = lenet5(variant=variant), mg.Tensor(images(12)), np.arange(12) % 10
    optimizer = mg.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        loss = mg.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_the_network_of_1998_has_right_gradients():
    model = lenet5(variant="1998").to("float64")
    assert mg.gradcheck(model, [images(1).astype(np.float64)])
    weight = model.c3.weight

    def loss_of(values):
        model.c3.weight = values
        return model(mg.Tensor(images(1).astype(np.float64)))

    assert mg.gradcheck(loss_of, [weight.data])


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_seed_decides_and_a_state_dict_carries_everything(variant):
    x = mg.Tensor(images(2))
    mg.manual_seed(3)
    first, other = lenet5(variant=variant), lenet5(variant=variant)
    mg.manual_seed(3)
    again = lenet5(variant=variant)
    assert np.array_equal(first(x).data, again(x).data)
    assert not np.array_equal(first(x).data, other(x).data)
    other.load_state_dict(first.state_dict())
    assert np.array_equal(first(x).data, other(x).data)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("shape", [(2, 1, 28, 28), (2, 3, 32, 32), (1, 32, 32), (2, 1, 32, 36)])
def test_another_image_size_is_refused(variant, shape):
    with pytest.raises(ValueError, match=r"needs grey images of 32x32, shape \(N, 1, 32, 32\)"):
        lenet5(variant=variant)(mg.Tensor(np.zeros(shape, np.float32)))


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="variant must be 'modern' or '1998', got '1989'"):
        lenet5(variant="1989")
    for num_classes in (0, -1, 2.0):
        with pytest.raises(ValueError, match="num_classes must be a positive integer"):
            lenet5(num_classes)


# --- the layers of 1998 --------------------------------------------------------------------------

TABLE_I = """
    X . . . X X X . . X X X X . X X
    X X . . . X X X . . X X X X . X
    X X X . . . X X X . . X . X X X
    . X X X . . X X X X . . X . X X
    . . X X X . . X X X X . X X . X
    . . . X X X . . X X X X . X X X
"""


def test_the_partial_connections_are_those_of_table_1():
    """Rows are the maps of S2, columns those of C3, as printed in the paper."""
    table = np.array([line.split() for line in TABLE_I.strip().splitlines()]) == "X"
    mine = np.array([[i in maps for maps in C3_SOURCES] for i in range(6)])
    assert np.array_equal(mine, table) and table.sum() == 60


def test_partial_convolution_is_a_dense_one_with_zeros():
    x = np.random.default_rng(0).standard_normal((2, 6, 9, 8))
    layer = PartialConv2d(C3_SOURCES, 5).to("float64")
    dense, filters = np.zeros((16, 6, 5, 5)), iter(layer.weight.data)
    for i, maps in enumerate(C3_SOURCES):
        for j in maps:
            dense[i, j] = next(filters)
    expected = ops.conv2d(x, dense, layer.bias.data)
    assert np.abs(layer(mg.Tensor(x)).data - expected).max() <= 1e-12


def test_subsampling_weighs_the_sum_of_four():
    layer = Subsample(3).to("float64")
    x = np.random.default_rng(1).standard_normal((2, 3, 4, 6))
    y = layer(mg.Tensor(x)).data
    by_hand = sum(x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1))
    assert np.abs(y - (by_hand * layer.weight.data + layer.bias.data)).max() <= 1e-14


def test_the_squashing_function_has_its_published_shape():
    """f(1) = 1, f(-1) = -1, limits +-1.7159, steepest at 0 (appendix A)."""
    x = mg.Tensor(np.array([-1e3, -1.0, 0.0, 1.0, 1e3]), requires_grad=True)
    y = Squash()(x)
    assert y.data == pytest.approx([-1.7159, -1, 0, 1, 1.7159], abs=1e-5)
    y.backward(np.ones(5))
    assert x.grad.data[2] == pytest.approx(1.7159 * 2 / 3)


def test_a_code_scores_0_at_itself_and_minus_4_per_wrong_sign():
    layer = Codes(84, 10)
    codes = layer.codes.data
    assert set(np.unique(codes)) == {-1, 1} and 0.4 < (codes == 1).mean() < 0.6
    scores = layer(mg.Tensor(codes)).data
    assert (np.diag(scores) == 0).all() and (scores.argmax(1) == np.arange(10)).all()
    differ = (codes[:, None] != codes[None]).sum(-1)
    assert np.array_equal(scores, -4.0 * differ)


@pytest.mark.parametrize("name, fan_in", [("c1", 25), ("s2", 4), ("s4", 4), ("c5", 400),
                                          ("f6", 120)])
def test_the_initial_weights_of_1998_fill_their_published_range(name, fan_in):
    """U(-2.4/F, 2.4/F), F the fan-in."""
    layer = getattr(lenet5(variant="1998"), name)
    values = np.concatenate([p.data.ravel() for p in layer.parameters()]) * fan_in / 2.4
    assert np.abs(values).max() <= 1
    assert np.abs(values).max() > (0.6 if len(values) < 50 else 0.95)
    assert len(np.unique(values)) > 0.9 * len(values)


def test_each_map_of_c3_starts_in_the_range_of_its_own_fan_in():
    layer = lenet5(variant="1998").c3
    for maps, filters, bias in zip(C3_SOURCES, layer.filters, layer.bias.data):
        bound = 2.4 / (25 * len(maps))
        assert 0.9 * bound < np.abs(layer.weight.data[filters]).max() <= bound
        assert abs(bias) <= bound


def test_lenet5_prints_its_layers():
    text = repr(lenet5(variant="1998"))
    assert "(c3): PartialConv2d(60 filters for 16 maps)" in text
    assert isinstance(lenet5().s2, nn.MaxPool2d)
