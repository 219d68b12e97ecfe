"""Small drawn photographs of dogs for the scripts, as arrays: no library of tensors is involved."""

from functools import lru_cache

import numpy as np
from PIL import Image

from experiments.standin.breeds import BREEDS
from experiments.standin.photos import Taking, dog_photo

_TAKING = Taking(side=72, side_spread=0.2, quality=(90, 90), careless=0.3, spread=1.0,
                 poses=(1.0, 0.0, 0.0, 0.0))


@lru_cache(maxsize=4)
def dog_photos(count, size, seed=0):
    """`count` square photographs (count, 3, size, size) in [-1, 1], and their breeds (count,).

    The breeds take turns; there are seven.
    """
    names = list(BREEDS)
    breeds = np.arange(count) % len(names)
    images = np.empty((count, 3, size, size), np.float32)
    for i, breed in enumerate(breeds):
        photo, _ = dog_photo("dbi", names[breed], _TAKING, np.random.default_rng((seed, i)))
        small = photo.resize((size, size), Image.Resampling.BILINEAR)
        images[i] = np.asarray(small, np.float32).transpose(2, 0, 1) / 127.5 - 1
    return images, breeds


def batches(count, batch_size, seed=0):
    """Without end: the indices of a batch, in a new random order in each epoch."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(count)
        for start in range(0, count - batch_size + 1, batch_size):
            yield order[start:start + batch_size]
