"""The answers to all questions of the theory, from small networks and a small photograph."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from experiments.settings import Settings
from experiments.theory import (errata, q1_pyramid, q2_collapse, q3_backprop, q4_flops, q5_lenet,
                                q6_memory, q6_sigmoid, q7_networks, q7_tanh)

QUESTIONS = {"q1": q1_pyramid, "q2": q2_collapse, "q3": q3_backprop, "q4": q4_flops,
             "q5": q5_lenet, "q6": q6_sigmoid, "q7": q7_tanh, "errata": errata}
SMALL = q4_flops.Shapes(2, (6, 6), 3, (3, 3), (1, 1), (1, 1), "max", (2, 2), (2, 2))


def noise(*shape):
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """{question: its answer, figures drawn, claims by id}, from few and shallow networks."""
    photo = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(noise(12, 17, 3)).save(photo)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(q1_pyramid, "all_shapes", lambda rng: {
            "count": 1, "wrong_integer_images": {}, "float64_error_in_eps": {"binomial": 0},
            "float64_error_in_eps_per_step": {"binomial": 0}})
        patch.setattr(q2_collapse, "NETS", 18)
        patch.setattr(q4_flops, "QUESTION", SMALL)
        patch.setattr(q6_memory, "DEPTH", 2)
        for name, value in {"DEPTHS": (5, 10), "DRAWS": 1, "RUNS": 2, "STEPS": 5,
                            "ROUNDS": 3}.items():
            patch.setattr(q7_networks, name, value)
        found = {name: module.verify(Settings(image=str(photo)))
                 for name, module in QUESTIONS.items()}
        drawn = {name: {key: draw() for key, draw in answer.figures.items()}
                 for name, answer in found.items()}
    return {name: SimpleNamespace(answer=answer, numbers=answer.numbers, figures=drawn[name],
                                  claims={claim.id: claim for claim in answer.claims})
            for name, answer in found.items()}
