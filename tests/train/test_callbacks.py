"""CSV and TensorBoard while training: each epoch once, also of a run that was stopped or killed."""

import csv
import errno
import os
import struct
import sys
from types import SimpleNamespace

import pytest

from minigrad import files
from minigrad.train import CSVLogger, History, TensorBoardLogger
from tests.one_line import one_line
from tests.train import training_run as setting
from tests.train.training_run import StopAt


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


class Watch:
    """What is in the file after each epoch."""

    def __init__(self, path):
        self.path, self.seen = path, []

    def on_epoch_end(self, run):
        self.seen.append([row["epoch"] for row in rows(self.path)])


def test_a_row_after_each_epoch(tmp_path):
    path = tmp_path / "new" / "log.csv"
    watch = Watch(path)
    setting.train(tmp_path / "run", [CSVLogger(path), watch], epochs=3)
    assert watch.seen == [["1"], ["1", "2"], ["1", "2", "3"]]
    found, history = rows(path), History.read(tmp_path / "run" / "history.jsonl")
    assert [float(row["valid.loss"]) for row in found] == history.column("valid.loss")
    assert [float(row["lr"]) for row in found] == history.column("lr")


def killed_after_epoch(number, folder, callbacks):
    """A run that is killed before the checkpoint of that epoch is written."""
    class Killed(BaseException):
        pass

    class Kill:
        def on_epoch_end(self, run):
            if run.epoch == number:
                raise Killed

    with pytest.raises(Killed):
        setting.train(folder, [*callbacks, Kill()], epochs=4)


def check_a_resumed_log(tmp_path, make, read):
    """A log of a run that is stopped or killed is that of one that is not."""
    setting.train(tmp_path / "straight", [make("straight.log")], epochs=4)
    expected = read("straight.log")
    assert len(expected) == 4
    with pytest.raises(KeyboardInterrupt):
        setting.train(tmp_path / "stopped", [make("stopped.log"), StopAt(15)], epochs=4)
    assert len(read("stopped.log")) == 2
    setting.train(tmp_path / "stopped", [make("stopped.log")], epochs=4)
    killed_after_epoch(2, tmp_path / "killed", [make("killed.log")])
    assert len(read("killed.log")) == 2
    setting.train(tmp_path / "killed", [make("killed.log")], epochs=4)
    setting.train(tmp_path / "late", epochs=2)
    setting.train(tmp_path / "late", [make("late.log")], epochs=4)
    for name in ("stopped.log", "killed.log", "late.log"):
        assert read(name) == expected, name


def test_the_rows_of_a_resumed_run_are_those_of_an_undisturbed_one(tmp_path):
    def read(name):
        return [{key: value for key, value in row.items() if key != "seconds"}
                for row in rows(tmp_path / name)]

    check_a_resumed_log(tmp_path, lambda name: CSVLogger(tmp_path / name), read)


def test_places_where_no_file_can_be(tmp_path):
    with one_line(IsADirectoryError, "CSVLogger", str(tmp_path)):
        CSVLogger(tmp_path)
    (tmp_path / "file").write_text("")
    with one_line(OSError, str(tmp_path / "file")):
        CSVLogger(tmp_path / "file" / "log.csv")


def test_a_full_disk_does_not_end_the_training(tmp_path, monkeypatch, caplog):
    log, write = CSVLogger(tmp_path / "log.csv"), files._write_new
    run = SimpleNamespace(history=History([{"epoch": 1, "train": {"loss": 1.0}}]))

    def full(path, pieces):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    monkeypatch.setattr(files, "_write_new", full)
    log.on_epoch_end(run)
    assert "log.csv" in caplog.text and "training goes on" in caplog.text
    monkeypatch.setattr(files, "_write_new", write)
    run.history.append({"epoch": 2, "train": {"loss": 0.5}})
    log.on_epoch_end(run)
    assert [row["train.loss"] for row in rows(tmp_path / "log.csv")] == ["1.0", "0.5"]


# TensorBoard

def events(folder):
    """{step: {name: number}} of all event files, and the steps of the marks of a restart."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found, marks = {}, []
    for path in sorted(folder.glob("events*")):
        data, at = path.read_bytes(), 0
        while at < len(data):               # TFRecord: length, its CRC, an Event, its CRC
            size, = struct.unpack_from("<Q", data, at)
            event = event_pb2.Event.FromString(data[at + 12:at + 12 + size])
            at += 16 + size
            if event.WhichOneof("what") == "session_log":
                marks.append(event.step)
            for value in event.summary.value:
                scalars = found.setdefault(event.step, {})
                assert value.tag not in scalars, f"{value.tag} of step {event.step} twice"
                scalars[value.tag] = value.simple_value
    return found, marks


def test_scalars_by_epoch(tmp_path):
    pytest.importorskip("tensorboardX")
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "events.out.tfevents.1.other").write_bytes(b"")
    setting.train(tmp_path / "run", [TensorBoardLogger(tmp_path / "board")], epochs=3)
    found, marks = events(tmp_path / "board")
    history = History.read(tmp_path / "run" / "history.jsonl")
    assert sorted(found) == [1, 2, 3] and marks == [1]
    assert set(found[1]) == {"loss/train", "loss/valid", "accuracy/train", "accuracy/valid", "lr",
                             "seconds"}             # the figures of "hits" are no numbers
    for line in history:
        assert found[line["epoch"]]["loss/valid"] == pytest.approx(line["valid"]["loss"])
        assert found[line["epoch"]]["accuracy/train"] == pytest.approx(line["train"]["accuracy"])
    assert len(list((tmp_path / "board").iterdir())) == 2, "one, and that of somebody else"


def test_the_scalars_of_a_resumed_run_are_those_of_an_undisturbed_one(tmp_path):
    pytest.importorskip("tensorboardX")

    def read(name):
        found, _ = events(tmp_path / name)
        return [[(tag, value) for tag, value in found[step].items() if tag != "seconds"]
                for step in sorted(found)]

    check_a_resumed_log(tmp_path, lambda name: TensorBoardLogger(tmp_path / name), read)


def test_several_learning_rates_and_figures(tmp_path):
    pytest.importorskip("tensorboardX")
    history = History([{"epoch": 1, "lr": [0.5, 0.25],
                        "train": {"recall": [0.0, 1.0], "m": [[1]]}}])
    TensorBoardLogger(tmp_path).on_epoch_end(SimpleNamespace(history=history))
    assert events(tmp_path)[0] == {1: {"lr.0": 0.5, "lr.1": 0.25, "recall.0/train": 0.0,
                                       "recall.1/train": 1.0}}


def test_a_folder_that_refuses_does_not_end_the_training(tmp_path, caplog):
    pytest.importorskip("tensorboardX")
    (tmp_path / "file").write_text("")
    log = TensorBoardLogger(tmp_path / "file")
    log.on_epoch_end(SimpleNamespace(history=History([{"epoch": 1, "lr": 0.5}])))
    assert "training goes on" in caplog.text


def test_without_a_writer_the_extra_is_named(tmp_path, monkeypatch):
    for name in ("tensorboardX", "torch", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    with one_line(ImportError, "tensorboardX", "pip install 'minigrad[tensorboard]'"):
        TensorBoardLogger(tmp_path)
