"""fit as people use it: the best weights at the end, a start from other weights, photographs that
cannot be read, mistakes that are told before the first step."""

import json
import logging
import os
from functools import partial

import numpy as np
import pytest
from PIL import Image

from minigrad import files, manual_seed, nn
from minigrad.data import (ArrayDataset, Compose, DataLoader, ImageFolder, RandomCrop, Resize,
                           SampleError, ToArray)
from minigrad.optim import SGD
from minigrad.train import evaluate, fit
from minigrad.train.folder import run_folder
from minigrad.train.folder.checkpoint import Checkpoints
from minigrad.weights import WeightsError, load, save
from tests.one_line import one_line
from tests.train import training_run as setting
from tests.train.training_run import StopAt, objects

fit = partial(fit, progress=False)
VIEW = Compose([Resize((8, 8)), ToArray()])


def arrays(model):
    return {name: x.copy() for name, x in model.state_dict().items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


# The best weights

class Kept:
    """The weights after every epoch."""

    def __init__(self):
        self.epochs = []

    def on_epoch_end(self, run):
        self.epochs.append(arrays(run.model))


class Spoil:
    def on_epoch_end(self, run):
        if run.epoch == 3:
            run.optimizer.param_groups[0]["lr"] = 2.0


def far(folder=None, callbacks=(), **settings):
    """(model, history) of a training whose best epoch is the third of six."""
    model, train, valid, _ = objects()
    history = fit(model, train, valid, epochs=6, optimizer=SGD(model.parameters(), lr=0.1),
                  folder=folder, callbacks=[Spoil(), *callbacks], **settings)
    return model, history


@pytest.mark.parametrize("with_folder", [False, True])
def test_the_best_weights_are_restored(tmp_path, with_folder):
    kept = Kept()
    model, history = far(tmp_path if with_folder else None, [kept], restore_best=True)
    assert history.best("valid.loss")["epoch"] == 3
    assert_same(arrays(model), kept.epochs[2])
    last, _ = far()
    assert_same(arrays(last), kept.epochs[-1])


@pytest.mark.parametrize("step", [5, 12, 20, 35])
def test_they_are_restored_after_a_stop_too(tmp_path, step):
    expected, _ = far(restore_best=True)
    with pytest.raises(KeyboardInterrupt):
        far(tmp_path, [StopAt(step)], restore_best=True)
    model, _ = far(tmp_path, resume=True, restore_best=True)
    assert_same(arrays(model), arrays(expected))
    again, _ = far(tmp_path, resume=True, restore_best=True)        # finished, nothing to do
    assert_same(arrays(again), arrays(expected))


def test_a_best_file_that_was_lost_is_told(tmp_path, caplog):
    far(tmp_path)
    (tmp_path / "checkpoints/best.safetensors").unlink()
    model, _ = far(tmp_path, resume=True, restore_best=True)
    assert "the best epoch, 3, which are lost" in caplog.text
    _, state = Checkpoints(tmp_path / "checkpoints").load()
    assert_same(arrays(model), state["model"])


def test_killed_between_the_state_and_the_best_file(tmp_path, monkeypatch):
    """The state, which is written first, has all that is needed for the other."""
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run_folder, "save", die)
        setting.train(tmp_path)
    best = tmp_path / "checkpoints" / "best.safetensors"
    assert not best.exists()
    with pytest.raises(KeyboardInterrupt):
        setting.train(tmp_path, [StopAt(7)])
    assert load(best).metadata["epoch"] == "1"
    _, state = Checkpoints(tmp_path / "checkpoints").load()
    assert state["best"]["epoch"] == 1


@pytest.mark.parametrize("resume", [False, True])
def test_a_best_file_without_step_files_is_not_written_over(tmp_path, resume):
    far(tmp_path)
    best = tmp_path / "checkpoints/best.safetensors"
    for path in Checkpoints(tmp_path / "checkpoints").paths():
        path.unlink()
    before = best.read_bytes()
    with one_line(FileExistsError, str(best), "start_from="):
        far(tmp_path, resume=resume)
    assert best.read_bytes() == before


# A start from other weights

@pytest.mark.parametrize("what", ["", "checkpoints/best.safetensors",
                                  "checkpoints/step-00000006.safetensors"])
def test_a_run_begins_with_the_weights_of_another(tmp_path, what):
    setting.train(tmp_path / "first", epochs=1)
    _, state = Checkpoints(tmp_path / "first/checkpoints").load()
    model, train, valid, _ = objects(seed=9)
    still = SGD(model.parameters(), lr=1e-30)
    for p in model.parameters():
        p.requires_grad = p is model[6].bias         # so that something can be trained
    model[1].momentum = 0.0
    fit(model, train, epochs=1, optimizer=still, start_from=tmp_path / "first" / what,
        folder=tmp_path / "second")
    for name in ("0.weight", "6.weight"):
        np.testing.assert_array_equal(model.state_dict()[name], state["model"][name])
    settings = json.loads((tmp_path / "second/config.json").read_text())["settings"]
    assert settings["start_from"] == str(tmp_path / "first" / what)


def test_a_run_that_goes_on_does_not_look_at_where_it_began(tmp_path):
    setting.train(tmp_path / "first", epochs=1)
    best = tmp_path / "first/checkpoints/best.safetensors"
    expected = setting.train(tmp_path / "straight", start_from=best)
    with pytest.raises(KeyboardInterrupt):
        setting.train(tmp_path / "second", [StopAt(9)], start_from=best)
    best.unlink()
    assert setting.train(tmp_path / "second", start_from=best) == expected
    assert setting.train(tmp_path / "other") != expected


def test_weights_of_another_network_are_refused_before_training(tmp_path):
    save(tmp_path / "w.safetensors", nn.Linear(2, 2).state_dict())
    with one_line(WeightsError, "w.safetensors", "missing", "0.weight"):
        setting.train(tmp_path / "run", start_from=tmp_path / "w.safetensors")
    with one_line(WeightsError, "no weights in this folder"):
        setting.train(tmp_path / "run", start_from=tmp_path)
    with one_line(FileNotFoundError, "nowhere"):
        setting.train(tmp_path / "run", start_from="nowhere")
    assert not (tmp_path / "run" / "config.json").exists()


# Classes

def named(names, seed=0):
    x = np.random.default_rng(seed).standard_normal((12, 4)).astype(np.float32)
    data = ArrayDataset(x, [0, 1] * 6)
    data.classes = names
    return DataLoader(data, 4, workers=0)


def linear(folder=None, names=("cat", "dog"), valid=None, **settings):
    model = nn.Linear(4, 2)
    fit(model, named(list(names)), valid, epochs=1, optimizer=SGD(model.parameters(), lr=0.1),
        folder=folder, **settings)


def test_the_names_of_the_classes_are_kept(tmp_path):
    linear(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["classes"] == ["cat", "dog"]
    best = load(tmp_path / "checkpoints/best.safetensors")
    assert json.loads(best.metadata["classes"]) == ["cat", "dog"]
    linear(tmp_path / "nameless", names=())
    assert json.loads((tmp_path / "nameless/config.json").read_text())["classes"] == []


def test_another_order_in_validation_is_refused():
    with one_line(ValueError, "train are cat, dog", "valid dog, cat", "classes="):
        linear(valid=named(["dog", "cat"]))
    linear(valid=named(None))


def test_a_start_from_another_order_is_told(tmp_path, caplog):
    linear(tmp_path / "first")
    for what in ("", "checkpoints/best.safetensors", "checkpoints/step-00000003.safetensors"):
        caplog.clear()
        linear(names=("dog", "cat"), start_from=tmp_path / "first" / what)
        assert "stood for cat, dog, from now on they stand for dog, cat" in caplog.text
    caplog.clear()
    linear(start_from=tmp_path / "first")
    assert not caplog.records


def test_more_outputs_than_classes_are_told(caplog):
    model = nn.Linear(4, 5)
    fit(model, named(["cat", "dog"]), epochs=1, optimizer=SGD(model.parameters(), lr=0.1))
    assert "5 outputs for 2 classes; num_classes=2" in caplog.text


# Photographs that cannot be read

@pytest.fixture
def photos(tmp_path):
    """Two classes of six photographs, one of which is damaged."""
    rng = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(6):
            pixels = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    damaged = tmp_path / "photos/b/3.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    return tmp_path / "photos"


def small(photos, on_error="skip", seed=0, removed=(), **settings):
    manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    data = ImageFolder(photos, VIEW, removed=removed)
    train = DataLoader(data, 4, shuffle=True, workers=0, on_error=on_error)
    valid = DataLoader(data, 4, workers=0, on_error=on_error)
    history = fit(model, train, valid, epochs=2, optimizer=SGD(model.parameters(), lr=0.01),
                  **settings)
    return model, history


def test_what_was_left_out_is_told_and_counted(photos, capsys):
    _, history = small(photos, progress=True)
    assert history.column("left_out") == [1, 1]
    (name, reason), = history.left_out.items()
    assert name.endswith("b/3.png") and "damaged or cut off" in reason
    err = capsys.readouterr().err
    assert "left out: 1 of 24 samples, which could not be read\n  " + name in err


def test_nothing_left_out_is_not_told(photos, capsys):
    (photos / "b/3.png").unlink()
    _, history = small(photos, progress=True)
    assert history.column("left_out") == [0, 0] and history.left_out == {}
    assert "left out" not in capsys.readouterr().err
    _, history = small(photos, on_error="raise")
    assert "left_out" not in history[0]


def test_what_was_left_out_survives_a_stop(photos, tmp_path):
    expected, whole = small(photos)
    for step in (1, 2, 3, 4):
        with pytest.raises(KeyboardInterrupt):
            small(photos, folder=tmp_path / str(step), callbacks=[StopAt(step)])
        model, history = small(photos, folder=tmp_path / str(step), resume=True)
        assert history.left_out == whole.left_out
        assert history.column("left_out") == [1, 1]
        assert_same(arrays(model), arrays(expected))


def test_a_run_that_a_photograph_stopped_goes_on_without_it(photos, tmp_path):
    """To the bits of a run that would have left it out from the beginning."""
    expected, _ = small(photos)
    with pytest.raises(SampleError, match="b/3.png"):
        small(photos, on_error="raise", folder=tmp_path / "run", save_every=1)
    assert Checkpoints(tmp_path / "run/checkpoints").paths()
    model, history = small(photos, folder=tmp_path / "run", resume=True)
    assert_same(arrays(model), arrays(expected))
    assert list(history.left_out) == [str(photos / "b/3.png")]


def test_it_goes_on_too_when_the_photograph_is_gone(photos, tmp_path):
    """Kept in its place, it changes no other sample's order or augmentation."""
    expected, _ = small(photos)
    with pytest.raises(SampleError, match="b/3.png"):
        small(photos, on_error="raise", folder=tmp_path / "run", save_every=1)
    (photos / "b/3.png").unlink()
    with one_line(ValueError, "train.samples 12, now 11", "removed=", "start_from="):
        small(photos, folder=tmp_path / "run", resume=True)
    model, history = small(photos, removed=["b/3.png"], folder=tmp_path / "run", resume=True)
    assert_same(arrays(model), arrays(expected))
    assert "No such file" in history.left_out[str(photos / "b/3.png")]


def test_what_is_named_as_removed_must_be_the_only_change(photos, tmp_path):
    with pytest.raises(SampleError, match="b/3.png"):
        small(photos, on_error="raise", folder=tmp_path / "run", save_every=1)
    (photos / "b/3.png").rename(photos / "b/4.png")
    with one_line(ValueError, "another run", "train.samples 12, now 11"):
        small(photos, folder=tmp_path / "run", resume=True)
    with one_line(ValueError, "another run", "train.names"):
        small(photos, removed=["b/9.png"], folder=tmp_path / "run", resume=True)


def test_once_one_was_left_out_the_rule_stays(photos, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        small(photos, folder=tmp_path / "run", callbacks=[StopAt(3)])
    with one_line(ValueError, "train.on_error 'skip', now 'replace'", "start_from="):
        small(photos, on_error="replace", folder=tmp_path / "run", resume=True)


# Mistakes that cost no epoch

def test_a_mistake_in_the_transform_is_found_before_the_first_step(photos):
    (photos / "b/3.png").unlink()
    model = nn.Linear(192, 2)
    good = DataLoader(ImageFolder(photos, VIEW), 4, workers=0)
    bad = DataLoader(ImageFolder(photos, Compose([RandomCrop(20), ToArray()])), 4, workers=0)
    none = DataLoader(ImageFolder(photos), 4, workers=0)

    class Never:
        def on_step_end(self, run):
            raise AssertionError("a step was made")

    for train, valid in ((bad, None), (good, bad), (good, none), (none, good)):
        with pytest.raises(SampleError, match="RandomCrop|ToArray"):
            fit(model, train, valid, epochs=1, optimizer=SGD(model.parameters(), lr=0.1),
                callbacks=[Never()])


def test_peeking_changes_nothing(photos):
    loader = DataLoader(ImageFolder(photos, VIEW), 4, shuffle=True,
                        workers=0, on_error="skip")
    before = loader.state_dict()
    loader.peek()
    assert loader.state_dict() == before and loader.skipped == []


@pytest.mark.parametrize("what, words", [
    ([(np.zeros(3), 1)], ("got list", "ArrayDataset(x, y)", "DataLoader(")),
    (ArrayDataset(np.zeros((2, 3)), [0, 1]), ("got ArrayDataset", "DataLoader(")),
    (np.zeros((2, 3)), ("got ndarray",)), (None, ("got NoneType",))])
def test_what_is_no_loader_is_told_what_to_do(what, words):
    model = nn.Linear(3, 2)
    optimizer = SGD(model.parameters(), lr=0.1)
    with one_line(TypeError, "fit: train must be a DataLoader", *words):
        fit(model, what, epochs=1, optimizer=optimizer)
    with one_line(TypeError, "evaluate: the loader must be a DataLoader", *words):
        evaluate(model, what)
    if what is not None:
        good = DataLoader(ArrayDataset(np.zeros((2, 3), np.float32), [0, 1]))
        with one_line(TypeError, "fit: valid must be a DataLoader", *words):
            fit(model, good, what, epochs=1, optimizer=optimizer)


# Full disks

class Count(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def test_a_disk_that_refuses_now_and_then_is_two_lines(tmp_path, monkeypatch):
    """However often: the first refusal, and at the end how many there were."""
    class Flickering:
        calls = 0

        def __getattr__(self, name):
            if name == "fsync":
                Flickering.calls += 1
                if Flickering.calls % 3 == 0:
                    raise OSError(28, os.strerror(28))
            return getattr(os, name)

    handler = Count()
    logging.getLogger("minigrad.train.folder").addHandler(handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(files, "os", Flickering())
            try:
                setting.train(tmp_path, save_every=1)
            except OSError as error:
                handler.lines.append(str(error))
    finally:
        logging.getLogger("minigrad.train.folder").removeHandler(handler)
    assert len(handler.lines) == 2 and "No space left" in handler.lines[0]
    assert "files" in handler.lines[1]
