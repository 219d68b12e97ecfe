"""Question 1 on the photograph that ships with matplotlib, and that its claims can fail."""

import numpy as np
import pytest
from PIL import Image

from experiments.settings import Settings
from experiments.theory import q1_pyramid as q1


@pytest.fixture(scope="module")
def answer():
    return q1.verify(Settings())


def test_every_verdict_is_the_documented_one(answer):
    assert answer.claims and [c.id for c in answer.claims if not c.as_documented] == []


def test_a_photo_of_the_users_own(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (21, 34, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    answer = q1.verify(Settings(image=str(tmp_path / "photo.png")))
    assert [c.id for c in answer.claims if not c.as_documented] == []
