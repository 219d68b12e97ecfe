"""fit: steps by hand, accumulation, clipping, fine-tuning, the best epoch, early stop, progress."""

import io
import re
import sys
from functools import partial

import numpy as np
import pytest

from minigrad import __version__, cross_entropy, manual_seed, nn, progress
from minigrad.data import ArrayDataset, DataLoader
from minigrad.optim import SGD, Adam
from minigrad.optim.lr_scheduler import OneCycleLR, StepLR
from minigrad.train import (Accuracy, ConfusionMatrix, History, evaluate, fit, freeze, param_groups,
                            unfreeze)
from minigrad.weights import load
from tests.one_line import one_line
from tests.train import training_run as setting
from tests.train.training_run import StopAt, objects

fit = partial(fit, progress=False)


def data(count=22, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, 4)).astype(np.float32)
    return ArrayDataset(x, (x[:, 0] > 0).astype(int) + (x[:, 1] > 0))


def loader(batch_size=5, **settings):
    return DataLoader(data(), batch_size=batch_size, workers=0, **settings)


def network(seed=0, dtype="float64"):
    manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).to(dtype)


def arrays(model):
    return {name: x.copy() for name, x in model.state_dict().items()}


def largest_difference(a, b):
    return max(abs(a[name] - b[name]).max() for name in a)


# Steps

def test_it_does_what_the_loop_of_a_textbook_does():
    model, own = network(), network()
    optimizer, ours = Adam(model.parameters(), lr=0.02), Adam(own.parameters(), lr=0.02)
    scheduler, our_schedule = StepLR(optimizer, 3), StepLR(ours, 3)
    history = fit(model, loader(), loader(4), epochs=3, optimizer=optimizer, scheduler=scheduler)
    losses, right = [], []
    for x, y in (batch for _ in range(3) for batch in loader()):
        output = own(x.to("float64"))
        loss = cross_entropy(output, y)
        own.zero_grad()
        loss.backward()
        ours.step()
        our_schedule.step()
        losses += [loss.item()] * len(y)
        right += (output.data.argmax(1) == y.data).tolist()
    assert largest_difference(arrays(model), arrays(own)) == 0
    assert np.allclose(history.column("train.loss"), np.reshape(losses, (3, 22)).mean(1))
    assert history.column("train.accuracy") == np.reshape(right, (3, 22)).mean(1).tolist()
    assert history.column("epoch") == [1, 2, 3] and history.column("lr")[0] == 0.02 * 0.1
    assert history[-1]["valid"] == evaluate(model, loader(4))
    assert set(history[0]) == {"epoch", "lr", "train", "valid", "seconds"}


def test_it_learns():
    model = network(dtype="float32")
    history = fit(model, loader(shuffle=True), epochs=30, optimizer=Adam(model.parameters(), .05))
    assert history[-1]["train"]["accuracy"] > 0.95 > history[0]["train"]["accuracy"]


@pytest.mark.parametrize("accumulate, sizes", [(2, [10, 10, 2]), (3, [15, 7]), (9, [22])])
def test_accumulated_batches_are_one_big_batch(accumulate, sizes):
    """Also where the last one is smaller: 22 samples are batches of 5, 5, 5, 5, 2."""
    small, big = network(), network()
    history = fit(small, loader(), epochs=2, accumulate=accumulate,
                  optimizer=SGD(small.parameters(), lr=0.5))
    dataset, optimizer = data(), SGD(big.parameters(), lr=0.5)
    for start, size in [(sum(sizes[:i]), size) for i, size in enumerate(sizes)] * 2:
        x = dataset.x[start:start + size].astype("float64")
        loss = cross_entropy(big(nn.Parameter(x, False)), dataset.targets[start:start + size])
        big.zero_grad()
        loss.backward()
        optimizer.step()
    assert largest_difference(arrays(small), arrays(big)) < 1e-14
    plain = network()
    fit(plain, loader(), epochs=2, optimizer=SGD(plain.parameters(), lr=0.5))
    assert largest_difference(arrays(small), arrays(plain)) > 1e-3
    assert len(history) == 2


def test_the_steps_of_accumulation_are_counted_and_scheduled():
    model, seen = network(), []

    class Watch:
        def on_step_end(self, run):
            seen.append((run.step, run.places["train"]["position"], run.scheduler.last_epoch))

    optimizer = SGD(model.parameters(), lr=0.1)
    fit(model, loader(), epochs=2, accumulate=2, optimizer=optimizer, callbacks=[Watch()],
        scheduler=OneCycleLR(optimizer, 0.1, total_steps=6))
    assert seen == [(1, 2, 1), (2, 4, 2), (3, 5, 3), (4, 2, 4), (5, 4, 5), (6, 5, 6)]


@pytest.mark.parametrize("limit, clipped", [(1e-3, True), (None, False)])
def test_gradients_are_clipped_by_value(limit, clipped):
    model = network()
    before = arrays(model)
    fit(model, loader(22), epochs=1, optimizer=SGD(model.parameters(), lr=1), clip_value=limit)
    assert (largest_difference(arrays(model), before) < 1.001e-3) == clipped


def test_gradients_are_clipped_by_norm():
    model = network()
    before = arrays(model)
    fit(model, loader(22), epochs=1, optimizer=SGD(model.parameters(), lr=1), clip_norm=1e-3)
    after = arrays(model)
    step = np.concatenate([(after[name] - before[name]).ravel() for name in after])
    assert abs(np.linalg.norm(step) - 1e-3) < 1e-6


def test_metrics_go_into_the_history_as_plain_numbers(tmp_path):
    model = network()
    history = fit(model, loader(), loader(), epochs=2, optimizer=SGD(model.parameters(), lr=0.1),
                  metrics={"matrix": lambda: ConfusionMatrix(3)}, folder=tmp_path)
    assert np.sum(history[1]["valid"]["matrix"]) == np.sum(history[1]["train"]["matrix"]) == 22
    assert History.read(tmp_path / "history.jsonl") == history


def test_it_begins_with_a_whole_epoch():
    def losses(*begun):
        model, train, valid = network(), loader(), loader(4)
        for one in (train, valid)[:len(begun)]:
            next(iter(one))
        history = fit(model, train, valid, epochs=1, optimizer=SGD(model.parameters(), lr=0.1))
        return history[0]["train"], history[0]["valid"]

    assert losses(1, 1) == losses()


def test_every_epoch_of_validation_is_another_one():
    model, valid, epochs = network(), loader(4, shuffle=True), []

    class Watch(Accuracy):
        def update(self, output, target):
            epochs.extend([] if model.training else [valid.epoch])
            super().update(output, target)

    fit(model, loader(), valid, epochs=3, optimizer=SGD(model.parameters(), lr=0.1),
        metrics={"accuracy": Watch})
    assert epochs == [0] * 6 + [1] * 6 + [2] * 6 and (valid.epoch, valid.position) == (3, 0)


def test_callbacks_see_steps_and_epochs():
    model, seen = network(), []

    class Watch:
        def on_step_end(self, run):
            seen.append(run.step)

        def on_epoch_end(self, run):
            seen.append(run.history[-1]["epoch"] * 1000)

    fit(model, loader(), epochs=2, optimizer=SGD(model.parameters(), lr=0.1), callbacks=[Watch()])
    assert seen == [1, 2, 3, 4, 5, 1000, 6, 7, 8, 9, 10, 2000]


# Fine-tuning

def test_frozen_parts_stay_and_the_others_learn():
    model = network()
    assert freeze(model, ["2"]) == ["0.weight", "0.bias"]
    before = arrays(model)
    fit(model, loader(), epochs=1, optimizer=SGD(param_groups(model, {"": 0.1})))
    moved = {name for name, x in arrays(model).items() if not np.array_equal(x, before[name])}
    assert moved == {"2.weight", "2.bias"}
    assert unfreeze(model, ["0"]) == ["0.weight", "0.bias"]
    assert freeze(model) == list(before) and unfreeze(model) == list(before)
    assert freeze(model, ["0.weight", "2"]) == ["0.bias"]


def test_groups_go_to_the_longest_name():
    model = network()
    groups = param_groups(model, {"": 0.1, "2": 0.2, "2.bias": 0.3})
    names = {id(p): name for name, p in model.named_parameters()}
    assert [([names[id(p)] for p in g["params"]], g["lr"]) for g in groups] == [
        (["0.weight", "0.bias"], 0.1), (["2.weight"], 0.2), (["2.bias"], 0.3)]
    history = fit(model, loader(), epochs=1, optimizer=SGD(groups))
    assert history[0]["lr"] == [0.1, 0.2, 0.3]


@pytest.mark.parametrize("call, words", [
    (lambda m: freeze(m, ["fc"]), ("Sequential", "'fc'", "0.weight")),
    (lambda m: freeze(m, ["0", "2.w"]), ("'2.w'",)),
    (lambda m: unfreeze(m, ["22"]), ("'22'",)),
    (lambda m: param_groups(m, {"2": 0.1}), ("'0.weight'", "freeze")),
    (lambda m: param_groups(m, {"": 0.1, "1": 0.2}), ("'1'",)),
    (lambda m: (freeze(m), param_groups(m, {"": 0.1})), ("''",))])
def test_names_that_do_not_fit(call, words):
    with one_line(ValueError, *words):
        call(network())
    with one_line(TypeError, "['fc']"):
        freeze(network(), "fc")


def test_thawing_on_the_way_survives_a_stop(tmp_path):
    class Thaw:
        def on_epoch_end(self, run):
            if run.epoch == 2:
                unfreeze(run.model)

    def make():
        model, train, valid, how = objects()
        freeze(model, ["6"])
        return model, train, valid, how

    expected = setting.train(tmp_path / "straight", [Thaw()], make=make)
    for step in (5, 12, 13, 40):
        with pytest.raises(KeyboardInterrupt):
            setting.train(tmp_path / "stopped", [Thaw(), StopAt(step)], make=make)
    assert setting.train(tmp_path / "stopped", [Thaw()], make=make) == expected
    assert setting.train(tmp_path / "never", make=make) != expected


# The watched figure

class Say(Accuracy):
    """A metric that gives prescribed values, one per epoch, for training and validation."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def compute(self):
        return self.values.pop(0)


def monitored(values, monitor, tmp_path, **settings):
    """(history, epoch of best.safetensors) of a run whose validation gives `values`."""
    model, values = network(dtype="float32"), list(values)
    kind = monitor.split(".")[1]
    metrics = {kind: lambda: Say(values)} if kind != "loss" else {}
    history = fit(model, loader(), epochs=len(values), folder=tmp_path, monitor=monitor,
                  optimizer=SGD(model.parameters(), lr=0.1), metrics=metrics, **settings)
    return history, load(tmp_path / "checkpoints/best.safetensors").metadata


@pytest.mark.parametrize("name, values, patience, epochs, best", [
    ("score", [1, 3, 2, 3, 2, 1], None, 6, 2), ("score", [1, 3, 2, 3, 2, 1], 2, 4, 2),
    ("score", [1, 3, 2, 4, 2, 1], 2, 6, 4), ("my_loss", [3, 1, 2, 1, 0, 5], 3, 6, 5),
    ("my_loss", [3, 1, 2, 1, 0, 5], 2, 4, 2), ("score", [np.nan, 1, np.nan, 2, np.nan], 2, 5, 4)])
def test_best_and_patience(tmp_path, name, values, patience, epochs, best):
    history, about = monitored(values, f"train.{name}", tmp_path, patience=patience)
    assert len(history) == epochs and about["epoch"] == str(best)
    assert history.best(f"train.{name}")["epoch"] == best


def test_nan_is_never_the_best(tmp_path):
    with pytest.raises(FileNotFoundError, match="best"):
        monitored([np.nan, np.nan, 1, 1], "train.score", tmp_path, patience=2, progress=True)
    assert len(History.read(tmp_path / "history.jsonl")) == 2


def test_the_best_weights_are_a_file_for_every_reader_of_weights(tmp_path):
    kept = {}

    class Keep:
        def on_epoch_end(self, run):
            kept[run.epoch] = arrays(run.model)

    model = network()
    history = fit(model, loader(), loader(), epochs=6, folder=tmp_path, callbacks=[Keep()],
                  optimizer=SGD(model.parameters(), lr=8.0))
    best = history.best("valid.loss")
    weights = load(tmp_path / "checkpoints/best.safetensors")
    assert weights.metadata.items() >= {
        "minigrad": __version__, "epoch": str(best["epoch"]),
        "valid.loss": repr(best["valid"]["loss"])}.items()
    assert best["epoch"] < 6 and largest_difference(kept[best["epoch"]], weights) == 0


# Errors before training

@pytest.mark.parametrize("settings, error, words", [
    ({"epochs": 0}, ValueError, ("epochs", "0")), ({"accumulate": 1.5}, ValueError, ("1.5",)),
    ({"patience": 0}, ValueError, ("patience",)), ({"keep": 0}, ValueError, ("keep",)),
    ({"save_every": -1}, ValueError, ("save_every",)),
    ({"resume": True}, ValueError, ("resume", "folder")),
    ({"monitor": "valid.loss"}, ValueError, ("'valid.loss'", "train.loss, train.accuracy")),
    ({"metrics": {"loss": Accuracy}}, ValueError, ("'loss'", "another name")),
    ({"metrics": {"matrix": lambda: ConfusionMatrix(3)}, "monitor": "train.matrix"}, ValueError,
     ("'train.matrix'", "none of train.loss,")),
    ({"epochs": None}, ValueError, ("epochs", "None")),
    ({"epochs": np.int64(0)}, ValueError, ("epochs", "0")),
    ({"metrics": {"accuracy": Accuracy()}}, TypeError, ("'accuracy'",)),
    ({"callbacks": [print]}, TypeError, ("on_step_end",)),
    ({"optimizer": SGD(network().parameters(), lr=0.1)}, ValueError, ("not in the model",)),
    ({"epochs": 13}, ValueError, ("OneCycleLR", "60 steps", "65"))])
def test_settings_that_make_no_sense(settings, error, words):
    model = network()
    before, optimizer = arrays(model), SGD(model.parameters(), lr=0.1)
    with one_line(error, *words):
        fit(model, loader(), **{"epochs": 2, "optimizer": optimizer,
                                "scheduler": OneCycleLR(optimizer, 1, total_steps=60), **settings})
    assert largest_difference(arrays(model), before) == 0


def test_counts_may_be_of_any_integer_type(tmp_path):
    model = network()
    counts = {name: np.int64(2) for name in ("epochs", "accumulate", "patience", "save_every",
                                             "keep")}
    assert len(fit(model, loader(), optimizer=SGD(model.parameters(), lr=0.1), folder=tmp_path,
                   **counts)) == 2


def test_a_figure_that_is_no_number_cannot_be_watched():
    class Share(Accuracy):
        def compute(self):
            return [super().compute()]

    model = network()
    with one_line(TypeError, "monitor 'train.share' is a list, not a number"):
        fit(model, loader(), epochs=1, optimizer=SGD(model.parameters(), lr=0.1),
            metrics={"share": Share}, monitor="train.share")


# Progress

class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal, self.encoding_ = terminal, "utf-8"

    encoding = property(lambda self: self.encoding_)

    def isatty(self):
        return self.terminal


def shown(monkeypatch, terminal, **settings):
    stream = Stream(terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    for name in ("LOG_INTERVAL", "REDRAW_INTERVAL"):
        monkeypatch.setattr(progress, name, 0)
    model = network()
    fit(model, loader(), loader(), epochs=2, optimizer=SGD(model.parameters(), lr=0.1),
        **{"progress": True, **settings})
    return stream.getvalue()


def test_progress_in_a_log_is_plain_lines(monkeypatch):
    lines = shown(monkeypatch, False).splitlines()
    assert len(lines) == 2 * (5 + 5 + 1)
    assert re.fullmatch(r"epoch 1/2: 1/5  loss \d\.\d{4}  accuracy \d\.\d{4}", lines[0])
    assert re.fullmatch(r"epoch 1/2: 2/5  validation  loss .*", lines[6])
    assert re.fullmatch(r"epoch 2/2: train loss .*  accuracy .*; valid loss .*; \d\.\d s",
                        lines[-1])


def test_progress_on_a_terminal_is_a_bar_that_goes_away(monkeypatch):
    text = shown(monkeypatch, True)
    assert text.count("\n") == 2 and text.endswith("\r\x1b[2K")
    assert "epoch 1/2  ██████░░░░░░░░░░ 2/5  loss" in text


def test_no_progress_says_nothing_and_nobody_has_to_listen(monkeypatch):
    assert shown(monkeypatch, False, progress=False) == ""

    def broken(self, text):
        raise BrokenPipeError

    monkeypatch.setattr(Stream, "write", broken)
    assert shown(monkeypatch, False) == ""


def test_early_stopping_is_said(monkeypatch):
    model = network()
    stream = Stream(False)
    monkeypatch.setattr(sys, "stderr", stream)
    fit(model, loader(), epochs=9, optimizer=SGD(model.parameters(), lr=0.0), patience=2,
        progress=True)
    assert stream.getvalue().splitlines()[-1] == (
        "stopped early: no better train.loss for 2 epochs")
