"""The coursework's small network for photographs."""

from __future__ import annotations

from minigrad import nn
from minigrad.models.pretrained import pretrained


def small_cnn(num_classes=None, weights=None, dropout=0.5, size=224):
    """Two blocks of two 3x3 convolutions (16 and 8 channels), then 32 units, then the classes.

    conv 16, BN, ReLU, conv 16, ReLU, max pool; the same with 8; dropout, dense 32, ReLU, dropout,
    dense. x (N, 3, size, size) -> (N, num_classes). The last layer is called "17". `dropout=0`
    gives the network without, and with the same names of tensors. num_classes (7 if None) and
    weights: see `minigrad.models.pretrained`. Raises ValueError for a size that is no multiple
    of 4.
    """
    if size % 4 or size < 4:
        raise ValueError(f"small_cnn: size must be a multiple of 4, got {size}")

    def build(classes):
        return nn.Sequential(*_block(3, 16), *_block(16, 8), nn.Flatten(), nn.Dropout(dropout),
                             nn.Linear(8 * (size // 4) ** 2, 32), nn.ReLU(), nn.Dropout(dropout),
                             nn.Linear(32, classes))

    return pretrained("small_cnn", build, "17", num_classes, weights, default=7)


def _block(c_in, c_out):
    return (nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU(),
            nn.Conv2d(c_out, c_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
