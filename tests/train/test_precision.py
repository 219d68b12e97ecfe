"""fit in tf32, bf16 and fp16: close to float32, loss scaling, skipped steps, resuming."""

import math
import sys
from functools import partial

import numpy as np
import pytest

from minigrad import (Function, Tensor, cross_entropy, get_float32_matmul_precision, nn,
                      set_float32_matmul_precision)
from minigrad.optim import SGD, GradScaler
from minigrad.train import NonFiniteError, evaluate, fit
from tests.engine.halves import EPS, HALVES
from tests.gpu import fake_cupy
from tests.one_line import one_line
from tests.train.training_run import StopAt, objects, train

fit = partial(fit, progress=False)
FULL = {"fp16": "float16", "bf16": "bfloat16"}
sixteen_bits = pytest.mark.parametrize(
    "precision", ["fp16", pytest.param("bf16", marks=HALVES[1].marks)])


class Watch:
    """Keeps what each step left behind, and sets the scale after some steps."""

    def __init__(self, scales=()):
        self.scales, self.states, self.after = dict(scales), [], []

    def on_step_end(self, run):
        state = run.state_dict()
        self.states.append({
            "weights": [p.data.copy() for p in run.model.parameters()],
            "momentum": [s["momentum_buffer"].copy() for s in run.optimizer.state.values()],
            "scheduler": dict(state["scheduler"])})
        self.after.append(run.scaler and run.scaler.get_scale())
        if run.step in self.scales:
            run.scaler.load_state_dict({**run.scaler.state_dict(), "scale": self.scales[run.step]})


def equal(a, b):
    return all(map(np.array_equal, a["weights"] + a["momentum"], b["weights"] + b["momentum"]))


@sixteen_bits
def test_losses_stay_close_to_those_of_float32(precision, monkeypatch):
    monkeypatch.setattr("minigrad.train.precision.GradScaler", lambda: GradScaler(2.0**8))
    histories = []      # with a scale of 2^16, float16 would skip a step here
    for each in ("float32", precision):
        model, loader, valid, how = objects()
        histories.append(fit(model, loader, valid, epochs=2, precision=each, **how))
        assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    exact, ours = (h.column("train.loss") + h.column("valid.loss") for h in histories)
    assert exact != ours
    np.testing.assert_allclose(ours, exact, rtol=8 * EPS[FULL[precision]])


@sixteen_bits
def test_the_model_computes_in_16_bits_and_everything_after_it_in_float32(precision):
    model, loader, valid, how = objects()
    seen = []
    first = model[0].forward

    def conv(x):
        y = first(x)
        seen.append((x.dtype.name, y.dtype.name))
        return y

    def loss(output, y):
        seen.append(output.dtype.name)
        return cross_entropy(output, y)

    model[0].forward = conv
    history = fit(model, loader, valid, epochs=1, loss=loss, precision=precision, **how)
    assert set(seen) == {("float32", FULL[precision]), "float32"}
    figures = evaluate(model, valid, precision=precision)
    assert figures["loss"] == history[-1]["valid"]["loss"] != evaluate(model, valid)["loss"]
    assert ("skipped" in history[-1]) == (precision == "fp16")


def test_an_overflow_halves_the_scale_and_leaves_everything_else_as_it_was():
    model, loader, valid, how = objects()
    watch = Watch({3: 2.0**40})
    history = fit(model, loader, valid, epochs=6, precision="fp16", callbacks=[watch],
                  clip_norm=1.0, **how)
    before = [2.0**16, *watch.after[:2], 2.0**40, *watch.after[3:]]
    skipped = [i for i in range(36) if watch.after[i] == before[i] / 2]
    assert 5 < len(skipped) < 30 and {3, 4, 5} < set(skipped)
    for i in range(1, 36):
        before, now = watch.states[i - 1:i + 1]
        assert equal(before, now) == (before["scheduler"] == now["scheduler"]) == (i in skipped)
    assert sum(history.column("skipped")) == len(skipped)
    assert not set(skipped) & set(range(30, 36))        # training goes on
    assert all(math.isfinite(loss) for loss in history.column("train.loss"))


class BadBackward(Function):
    """y = x, with a gradient of NaN."""

    def forward(self, x):
        return x.copy()

    def backward(self, gy):
        return gy * np.float32(np.nan)


def test_a_nan_that_no_scale_cures_is_named_when_the_scale_is_down_to_one():
    model, loader, valid, how = objects()
    clean = model[1].forward
    model[1].forward = lambda x: BadBackward()(clean(x))
    watch = Watch()
    with one_line(NonFiniteError, "step 17", "a gradient is not finite", "layer '1'"):
        fit(model, loader, valid, epochs=9, precision="fp16", callbacks=[watch], **how)
    assert watch.after == [2.0**k for k in range(15, -1, -1)]


@sixteen_bits
def test_a_loss_that_is_nan_is_named_at_once(precision):
    model, loader, valid, how = objects()
    model[6].weight.data[0, 0] = np.nan
    with one_line(NonFiniteError, "step 1 ", "the loss is nan", "weight 6.weight"):
        fit(model, loader, valid, epochs=1, precision=precision, **how)


def test_the_activation_that_overflows_is_named():
    model, loader, valid, how = objects()
    model[0].weight.data *= np.float32(1e6)
    with one_line(NonFiniteError, "step 1 ", "layer '0'", "output of Cast"):
        fit(model, loader, valid, epochs=1, precision="fp16", **how)


def test_what_overflows_in_an_evaluation_is_named_by_repeating_it_in_that_precision():
    model, _, valid, _ = objects()
    model[6].weight.data[0] = 5e4       # the sum is finite in float32
    assert math.isfinite(evaluate(model, valid)["loss"])
    with one_line(NonFiniteError, "evaluation, batch 1", "layer '6'", "output of Linear"):
        evaluate(model, valid, precision="fp16")


@pytest.mark.parametrize("step", [2, 5, 20])
def test_a_run_with_a_scaler_resumes_to_the_same_bits(tmp_path, step):
    settings = {"precision": "fp16", "epochs": 4}
    straight = train(tmp_path / "a", [Watch({3: 2.0**34})], **settings)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "b", [Watch({3: 2.0**34}), StopAt(step)], **settings)
    assert train(tmp_path / "b", [Watch({3: 2.0**34})], **settings) == straight
    with one_line(ValueError, "another run", "precision 'fp16', now 'float32'"):
        train(tmp_path / "b", epochs=5)


# ---- settings ------------------------------------------------------------------------------------

def test_a_precision_that_there_is_not_is_told_before_training(monkeypatch):
    model, loader, valid, how = objects()
    for call in (partial(fit, model, loader, epochs=1, **how), partial(evaluate, model, valid)):
        with one_line(ValueError, "precision must be one of float32, tf32, bf16, fp16", "'half'"):
            call(precision="half")
        with monkeypatch.context() as patch, one_line(RuntimeError, "ml_dtypes", "minigrad[bf16]"):
            patch.setitem(sys.modules, "ml_dtypes", None)
            call(precision="bf16")


def test_tf32_is_switched_on_for_the_time_of_the_training(monkeypatch):
    xp, told, seen = fake_cupy.install(monkeypatch), [], []
    monkeypatch.setattr(xp._core._routines_linalg, "set_compute_type",
                        lambda dtype, kind: told.append((dtype, kind)))

    class See:
        def on_step_end(self, run):
            seen.append(get_float32_matmul_precision())

    model, loader, valid, how = objects()
    fit(model, loader, valid, epochs=1, precision="tf32", callbacks=[See()], **how)
    assert set(seen) == {"high"} and get_float32_matmul_precision() == "highest"
    assert told[0] == (np.float32, 7) and told[-1] == (np.float32, 1)


def test_the_switch_takes_two_names():
    with one_line(ValueError, "'highest' or 'high'", "'medium'"):
        set_float32_matmul_precision("medium")
    assert get_float32_matmul_precision() == "highest"


# ---- the scaler by itself ------------------------------------------------------------------------

def step_with(scaler, gradient):
    p = nn.Parameter(np.ones(2, np.float32))
    p.grad = Tensor(np.array([scaler.get_scale(), gradient], np.float32))
    made = scaler.step(SGD([p], lr=1.0))
    scaler.update()
    return made, p


def test_a_step_is_made_with_unscaled_gradients_or_not_at_all():
    scaler = GradScaler(init_scale=4.0)
    made, p = step_with(scaler, 2.0)
    assert made and p.data.tolist() == [0, 0.5]
    for bad in (np.inf, -np.inf, np.nan):
        made, p = step_with(scaler, bad)
        assert not made and p.data.tolist() == [1, 1]
    assert scaler.get_scale() == 0.5


def test_the_scale_grows_after_good_steps_in_a_row_but_not_beyond_float32():
    scaler = GradScaler(init_scale=2.0**125, growth_interval=3)
    scales = []
    for gradient in (1, 1, np.inf, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1):
        step_with(scaler, gradient)
        scales.append(int(math.log2(scaler.get_scale())))
    assert scales == [125, 125, 124, 124, 124, 125, 125, 125, 126, 126, 126, 127, 127, 127, 127]


def test_calls_out_of_order_and_wrong_constants_are_errors():
    scaler, optimizer = GradScaler(), SGD([nn.Parameter(np.ones(1, np.float32))], lr=1.0)
    with one_line(RuntimeError, "update", "without a step"):
        scaler.update()
    scaler.unscale_(optimizer)
    with one_line(RuntimeError, "unscale_", "second time"):
        scaler.unscale_(optimizer)
    assert scaler.step(optimizer)       # no gradients: nothing that could be infinite
    with one_line(ValueError, "GradScaler", "backoff_factor"):
        GradScaler(backoff_factor=1.0)
