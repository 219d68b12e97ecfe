"""`python -m experiments --device`: a whole task on the GPU, from the command to the report."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from experiments.cli import main
from experiments.tasks.recipe import RECIPES
from minigrad.train import prefetch
from tests.experiments.test_tasks import BREEDS, TINY, blob
from tests.gpu.cuda_devices import DEVICES


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run(*options): Task III on a few photos -> (did it end, its options, its histories)."""
    rng = np.random.default_rng(0)
    for place, count in (("dbi", 10), ("sdd", 7)):
        for breed, colour in BREEDS.items():
            folder = tmp_path / "photos" / place / breed
            folder.mkdir(parents=True)
            for i in range(count):
                Image.fromarray(blob(rng, colour, place == "sdd")).save(folder / f"{i}.png")
    monkeypatch.setitem(RECIPES, "quick", TINY)

    def run(*options):
        out = tmp_path / "_".join(options)
        status = main(["task3", "--data", str(tmp_path / "photos"), "--out", str(out), *options])
        lines = [json.loads(line) for path in sorted(out.glob("task3-*/history.jsonl"))
                 for line in path.read_text().splitlines()]
        ended = status in (0, 1)    # 1: so few photos need not bear the claims out
        config = json.loads((out / "config.json").read_text()) if ended else {}
        return ended, config.get("options"), lines
    return run


@pytest.mark.parametrize("xp", DEVICES, indirect=True)
def test_a_task_on_the_gpu_comes_out_as_on_the_cpu(xp, run, monkeypatch):
    sent, send = [], prefetch.sent_ahead
    monkeypatch.setattr(prefetch, "sent_ahead", lambda batches: sent.append(1) or send(batches))
    ended, options, want = run()
    assert ended and options["device"] == "cpu" and want and not sent
    for name in ("cuda", "auto"):
        ended, options, lines = run("--device", name)
        assert ended and options["device"] == "cuda" and len(lines) == len(want) and sent
        for line, other in zip(lines, want):
            assert line["train"]["loss"] == pytest.approx(other["train"]["loss"], 1e-3)
            assert line["valid"]["loss"] == pytest.approx(other["valid"]["loss"], 1e-3)
        sent.clear()


def test_without_a_gpu_auto_takes_the_cpu_and_cuda_is_an_error(run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)      # `import cupy` fails
    ended, options, lines = run("--device", "auto")
    assert ended and options["device"] == "cpu" and lines
    assert run("--device", "cuda") == (False, None, [])
    *_, error = capsys.readouterr().err.splitlines()
    assert error.startswith("experiments: error: --device cuda: device 'cuda' needs CuPy")
