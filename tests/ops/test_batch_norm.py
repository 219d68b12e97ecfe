"""Batch normalisation beside its gradients: running statistics, and what is refused."""

import copy
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn
from tests.one_line import one_line


def test_running_statistics_move_as_in_torch():
    layer = nn.BatchNorm2d(1)
    mean, var = layer.running_mean, layer.running_var
    y = layer(Tensor(np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)))
    assert layer.running_mean is mean and layer.running_var is var  # in place
    assert mean == pytest.approx(0.15) and var == pytest.approx(1.0666666)  # unbiased: 5/3
    assert layer.num_batches_tracked == 1 and layer.num_batches_tracked.dtype == np.int64
    np.testing.assert_allclose(y.data.ravel(), (np.arange(4) - 1.5) / math.sqrt(1.25 + 1e-5), 1e-6)
    before = copy.deepcopy(layer.state_dict())
    layer.eval()(Tensor(np.ones((1, 1, 2, 2), np.float32)))
    assert all((layer.state_dict()[name] == array).all() for name, array in before.items())


def test_momentum_none_is_the_mean_of_all_batches_and_0_stands_still():
    batches = np.random.default_rng(0).standard_normal((5, 6, 2)).astype(np.float32)
    mean, still = nn.BatchNorm1d(2, momentum=None), nn.BatchNorm1d(2, momentum=0.0)
    for batch in batches:
        mean(Tensor(batch))
        still(Tensor(batch))
    np.testing.assert_allclose(mean.running_mean, batches.mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(mean.running_var, batches.var(1, ddof=1).mean(0), rtol=1e-5)
    assert still.running_mean.tolist() == [0, 0] and still.running_var.tolist() == [1, 1]


def test_batch_norm_names_what_does_not_fit():
    x, c = np.ones((4, 3), np.float32), np.ones(3, np.float32)
    with one_line(ValueError, "batch_norm", "weight (2,)", "(4, 3)"):
        mg.batch_norm(x, c, c, c[:2], c)
    with one_line(ValueError, "batch_norm", "running_var (1, 3)"):
        mg.batch_norm(x, c, c[None], c, c)
    with one_line(ValueError, "batch_norm", "(3,)"):
        mg.batch_norm(c, c, c, c, c)
    with one_line(ValueError, "batch_norm", "evaluation needs running statistics"):
        mg.batch_norm(x, None, None, c, c)
    with one_line(TypeError, "batch_norm", "float32, float64"):
        mg.batch_norm(x, c, c, c.astype(float), c)


def test_refused_batches_do_not_count():
    layer = nn.BatchNorm1d(3)
    with pytest.raises(ValueError):
        layer(Tensor(np.ones((1, 3), np.float32)))
    assert layer.num_batches_tracked == 0 and not layer.running_mean.any()
