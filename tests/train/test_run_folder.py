"""The folder of a run: what it holds, which runs go on in it, damage, and disks that refuse."""

import errno
import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from minigrad import cross_entropy, files
from minigrad.data import Compose, ImageFolder, Subset, ToArray
from minigrad.kernels.conv import plans
from minigrad.optim import SGD, Adam
from minigrad.optim.lr_scheduler import OneCycleLR
from minigrad.train import History, NotSavedError, fit, freeze
from minigrad.train.folder import checkpoint, identity
from minigrad.weights import WeightsError
from tests.one_line import one_line
from tests.places import ROOT
from tests.strict_json import strict
from tests.train import training_run as setting
from tests.train.training_run import StopAt, digest, objects

fit = partial(fit, progress=False)


def same_weights(model, state):
    return all(np.array_equal(x, state[name]) for name, x in model.state_dict().items())


def test_what_a_run_leaves_behind(tmp_path):
    folder = tmp_path / "new" / "run"
    setting.train(folder, keep=3)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
    assert found == {"config.json", "history.jsonl", "checkpoints/best.safetensors",
                     *(f"checkpoints/step-{n:08d}.safetensors" for n in (48, 54, 60))}
    config = json.loads((folder / "config.json").read_text())
    assert config["seed"] == 1 and config["settings"]["epochs"] == 10
    assert config["environment"]["numpy"] == np.__version__ and config["environment"]["blas"]
    assert config["environment"]["blas_kernel"] == plans.machine()
    assert config["environment"]["convolution_plans"] == plans.VERSION
    assert config["train"]["batch_size"] == 4 and len(config["train"]["fingerprint"]) == 64
    assert config["optimizer"]["class"] == "SGD" and "Dropout(p=0.3)" in "".join(config["model"])
    lines = (folder / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(1, 11))


def test_a_finished_run_is_not_repeated(tmp_path, capsys):
    expected = setting.train(tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("step*")}
    model, train, valid, how = objects(seed=5)
    history = fit(model, train, valid, epochs=10, folder=tmp_path, resume=True, progress=True,
                  metrics=setting.METRICS, **how)
    assert "finished, after epoch 10: nothing to do" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("step*")} == files
    assert len(history) == 10 and digest(tmp_path) == expected
    _, state = checkpoint.Checkpoints(tmp_path / "checkpoints").load()
    assert same_weights(model, state["model"])


def test_a_finished_run_can_be_given_more_epochs(tmp_path):
    def make():
        model, train, valid, _ = objects()
        return model, train, valid, {"optimizer": Adam(model.parameters())}

    longer = setting.train(tmp_path / "longer", epochs=4, make=make)
    setting.train(tmp_path / "twice", epochs=3, make=make)
    assert setting.train(tmp_path / "twice", epochs=4, make=make) == longer
    assert json.loads((tmp_path / "twice/config.json").read_text())["settings"] == {
        "epochs": 4, "save_every": None, "keep": 2, "start_from": None}


def test_a_run_is_not_overwritten(tmp_path):
    setting.train(tmp_path, epochs=1)
    model, train, valid, how = objects()
    with one_line(FileExistsError, str(tmp_path), "step-00000006", "resume=True"):
        fit(model, train, valid, epochs=1, folder=tmp_path, **how)


def with_more_dropout():
    model, train, valid, _ = objects()
    model[5].p = 0.5
    return model, train, valid, optimized(model)


def optimized(model, kind=SGD, lr=0.01, max_lr=0.02, **settings):
    optimizer = kind(model.parameters(), lr=lr, weight_decay=1e-3)
    return {"optimizer": optimizer,
            "scheduler": OneCycleLR(optimizer, max_lr, total_steps=60, **settings)}


def with_optimizer(*arguments, **settings):
    def make():
        model, train, valid, _ = objects()
        return model, train, valid, optimized(model, *arguments, **settings)
    return make


def with_fewer_samples():
    model, train, valid, how = objects()
    train.dataset = Subset(train.dataset, range(1, 22))
    return model, train, valid, how


def with_another_class():
    model, train, valid, how = objects()
    train.dataset.targets[4] = 1 - train.dataset.targets[4] % 2
    return model, train, valid, how


def with_another_transform():
    model, train, valid, how = objects()
    train.dataset = train.dataset.with_transform(ToArray())
    return model, train, valid, how


def with_a_function(name):
    def make():
        def flip(x, rng):
            return ToArray()(x)[..., ::-1].copy()

        flip.__qualname__ = name
        model, train, valid, how = objects()
        train.dataset = train.dataset.with_transform(Compose([flip]))
        return model, train, valid, how
    return make


def with_frozen_layer():
    model, train, valid, how = objects()
    freeze(model, ["6"])
    return model, train, valid, how


@pytest.mark.parametrize("make, settings, words", [
    (with_more_dropout, {}, ("model[6]", "Dropout(p=0.3)", "Dropout(p=0.5)")),
    (with_optimizer(Adam), {}, ("optimizer.class 'SGD', now 'Adam'",)),
    (with_optimizer(SGD, 0.01, pct_start=0.5), {}, ("scheduler.pct_start 0.3, now 0.5",)),
    (with_optimizer(SGD, max_lr=0.03), {}, ("scheduler.max_lrs[0] 0.02, now 0.03",)),
    (with_optimizer(SGD, cycle_momentum=False), {}, ("momentum 0.95, now 0",)),
    (lambda: objects(batch_size=2), {}, ("train.batch_size 4, now 2",)),
    (lambda: objects(shuffle=False), {}, ("train.shuffle True, now False",)),
    (lambda: objects(drop_last=True), {}, ("train.drop_last False, now True",)),
    (with_fewer_samples, {}, ("train.samples 22, now 21",)),
    (with_another_class, {}, ("train.fingerprint",)),
    (with_another_transform, {}, ("train.transform",)),
    (with_frozen_layer, {}, ("frozen",)),
    (objects, {"clip_value": 0.1}, ("clip_value None, now 0.1",)),
    (objects, {"accumulate": 2}, ("accumulate 1, now 2",)),
    (objects, {"patience": 4}, ("patience None, now 4",)),
    (objects, {"loss": partial(cross_entropy, label_smoothing=0.1)},
     ("loss 'cross_entropy', now 'cross_entropy(label_smoothing=0.1)'",)),
    (objects, {"metrics": {}}, ("metrics.accuracy 'Accuracy', now None",))])
def test_another_run_is_refused_and_says_what_differs(tmp_path, make, settings, words):
    setting.train(tmp_path, epochs=1)
    before = digest(tmp_path)
    with one_line(ValueError, "step-00000006.safetensors: this is another run", *words):
        setting.train(tmp_path, epochs=2, make=make, **settings)
    assert digest(tmp_path) == before


def test_a_function_as_transform_is_known_by_its_name(tmp_path):
    setting.train(tmp_path, epochs=1, make=with_a_function("flip"))
    setting.train(tmp_path, epochs=2, make=with_a_function("flip"))
    with one_line(ValueError, "another run", "train.transform[1]", "flip", "turn"):
        setting.train(tmp_path, epochs=3, make=with_a_function("turn"))


def test_another_environment_is_warned_of(tmp_path, monkeypatch, caplog):
    setting.train(tmp_path, epochs=1)
    monkeypatch.setattr(np, "__version__", "9.9")
    setting.train(tmp_path, epochs=2)
    (record,) = caplog.records
    assert "last bits" in record.message and "now '9.9'" in record.message


def test_photographs_are_known_by_name_size_and_class(tmp_path):
    for i, image in enumerate(setting.images(6)[0]):
        folder = tmp_path / "photos" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{i}.png")
    first = identity.fingerprint(ImageFolder(tmp_path / "photos"))
    (tmp_path / "photos").rename(tmp_path / "moved")
    assert identity.fingerprint(ImageFolder(tmp_path / "moved")) == first
    assert identity.fingerprint(ImageFolder(tmp_path / "moved", classes=["b", "a"])) != first
    with open(tmp_path / "moved/a/0.png", "ab") as file:
        file.write(b"x")
    assert identity.fingerprint(ImageFolder(tmp_path / "moved")) != first


# History

def test_history_says_what_there_is(tmp_path):
    history = History([{"epoch": 1, "train": {"loss": 2.0}}])
    with one_line(KeyError, "'valid.loss'", "epoch, train.loss"):
        history.column("valid.loss")
    with one_line(ValueError, "no epoch"):
        History().best("train.loss")
    (tmp_path / "h").write_text('{"epoch": 1}\n{"epo')
    with one_line(ValueError, str(tmp_path / "h"), "line 2"):
        History.read(tmp_path / "h")


def test_a_history_is_json_also_where_a_figure_is_not_finite(tmp_path):
    history = History([{"epoch": 1, "train": {"loss": 2.5, "each": (1, np.nan, np.inf, -np.inf)}}])
    history.save(tmp_path / "h")
    assert strict((tmp_path / "h").read_text())["train"]["each"] == [1, "nan", "inf", "-inf"]
    assert repr(History.read(tmp_path / "h").column("train.each")) == "[[1, nan, inf, -inf]]"
    (tmp_path / "h").write_text('{"train": {"loss": NaN}}')     # as it was written before
    assert np.isnan(History.read(tmp_path / "h").column("train.loss")[0])


# Damage, and disks that refuse

def test_a_damaged_checkpoint_is_set_aside_for_the_one_before(tmp_path, caplog):
    expected = setting.train(tmp_path / "straight")
    for place in (10, 2000, -5):
        folder = tmp_path / str(place)
        with pytest.raises(KeyboardInterrupt):
            setting.train(folder, [StopAt(30)], save_every=7)
        newest, before = (folder / f"checkpoints/step-000000{n}.safetensors" for n in (30, 28))
        content = bytearray(newest.read_bytes())
        content[place] ^= 4
        newest.write_bytes(content)
        caplog.clear()
        assert setting.train(folder, keep=1) == expected
        (record,) = caplog.records
        assert record.message.count("\n") == 0
        assert str(newest) in record.message and str(before) in record.message
        assert {path.name for path in newest.parent.iterdir()} == {
            "best.safetensors", "step-00000030.safetensors.damaged", "step-00000060.safetensors"}


def test_nothing_but_damage_is_refused(tmp_path):
    setting.train(tmp_path, epochs=2)
    for path in (tmp_path / "checkpoints").glob("step*"):
        path.write_bytes(path.read_bytes()[:-1])
    with one_line(WeightsError, str(tmp_path), "none of 2 checkpoints", "step-00000012"):
        setting.train(tmp_path)
    assert len(list(tmp_path.rglob("step*.safetensors"))) == 2


def test_a_file_that_cannot_be_opened_for_now_is_not_taken_for_damaged(tmp_path, monkeypatch):
    setting.train(tmp_path, epochs=2)
    newest = tmp_path / "checkpoints/step-00000012.safetensors"

    def read(path):
        assert path == newest, "an older one was taken"
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))

    with monkeypatch.context() as patch, one_line(OSError, "Too many open files", str(newest)):
        patch.setattr(checkpoint, "read", read)
        setting.train(tmp_path, epochs=3)
    assert newest.exists()


def test_weights_are_no_checkpoint(tmp_path):
    setting.train(tmp_path, epochs=1)
    with one_line(WeightsError, "best.safetensors", "no checkpoint of a training run"):
        checkpoint.read(tmp_path / "checkpoints/best.safetensors")


class Full:
    """The os module of a disk without room from now on, or for the next `count` files."""

    def __init__(self, count=10**9):
        self.count = count

    def __getattr__(self, name):
        if name == "write" and self.count > 0:
            self.count -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return getattr(os, name)


def test_a_full_disk_on_the_way_is_reported_and_training_goes_on(tmp_path, monkeypatch, caplog):
    expected = setting.train(tmp_path / "straight")

    class Fill:
        def on_step_end(self, run):
            if run.step == 20:
                monkeypatch.setattr(files, "os", Full(count=2))

    folder = tmp_path / "full"
    assert setting.train(folder, [Fill()], save_every=5) == expected
    first, last = (record.message for record in caplog.records)     # of two refusals, and a half
    assert "cannot save: No space left on device" in first and "training goes on" in first
    assert str(folder) in first and last.startswith(f"{folder}: the disk refused 2 files")


def test_a_disk_that_stays_full_is_an_error_at_the_end(tmp_path, monkeypatch, caplog):
    expected = setting.train(tmp_path / "straight")

    class Fill:
        def on_step_end(self, run):
            if run.step == 20:
                monkeypatch.setattr(files, "os", Full())

    folder = tmp_path / "full"
    with one_line(NotSavedError, "No space left", "step-00000018", "resume=True") as caught:
        setting.train(folder, [Fill()], save_every=5)
    assert len(caught.value.history) == 10 and len(caplog.records) == 1
    monkeypatch.undo()
    _, state = checkpoint.Checkpoints(folder / "checkpoints").load()
    assert state["step"] == 18 and not list(folder.rglob("*.tmp"))
    assert setting.train(folder) == expected


def test_a_stop_on_a_full_disk_is_still_a_stop(tmp_path, monkeypatch):
    class Fill:
        def on_step_end(self, run):
            monkeypatch.setattr(files, "os", Full())

    with pytest.raises(KeyboardInterrupt, match="not saved"):
        setting.train(tmp_path, [Fill(), StopAt(3)])


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path):
    code = """
import resource, sys
from pathlib import Path
from tests.train.training_run import train
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, -1))
try:
    train(Path(sys.argv[1]), epochs=1)
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, text=True,
                          capture_output=True, timeout=100)
    assert "File too large" in done.stdout and "step-00000006" in done.stdout, done


def test_a_folder_that_cannot_be_is_named_before_training(tmp_path):
    (tmp_path / "file").touch()
    model, train, valid, how = objects()
    before = {name: x.copy() for name, x in model.state_dict().items()}
    with one_line(OSError, str(tmp_path / "file")):
        fit(model, train, valid, epochs=1, folder=tmp_path / "file" / "run", **how)
    assert same_weights(model, before)


@pytest.mark.parametrize("state, error, words", [
    ({1: 2}, TypeError, ("key 1",)), ({"a": {"b": {1, 2}}}, TypeError, ("'a.b'", "set")),
    ({"a.b": np.zeros(1), "a": {"b": np.zeros(1)}}, ValueError, ("'a.b'",))])
def test_what_a_checkpoint_cannot_hold(tmp_path, state, error, words):
    with one_line(error, *words):
        checkpoint.write(tmp_path / "x", state)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_a_later_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_FORMAT", 2)
    checkpoint.write(tmp_path / "x", {"step": 1})
    monkeypatch.undo()
    with one_line(WeightsError, str(tmp_path / "x"), "format 2", "reads 1"):
        checkpoint.read(tmp_path / "x")
