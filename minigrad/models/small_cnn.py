"""The coursework's small network for photographs."""

from __future__ import annotations

from minigrad import nn
from minigrad.models.pretrained import builder


@builder(classes=7)
def small_cnn(num_classes: int, dropout: float = 0.5, size: int = 224) -> nn.Sequential:
    """Two blocks of two 3x3 convolutions (16 and 8 channels), then 32 units, then the classes.

    conv 16, batch norm, ReLU, conv 16, ReLU, max pool; the same with 8 channels; dropout, linear
    32, ReLU, dropout, linear. x (N, 3, size, size) -> one score per class, (N, num_classes). The
    last layer is called "17".

    num_classes (7 if None) and weights: see `minigrad.models.pretrained`. dropout: the probability
    of both dropout layers; with 0 they do nothing, and the tensors' names stay. Raises ValueError
    for a size that is no multiple of 4.
    """
    if size % 4 or size < 4:
        raise ValueError(f"small_cnn: size must be a multiple of 4, got {size}")
    return nn.Sequential(*_block(3, 16), *_block(16, 8), nn.Flatten(), nn.Dropout(dropout),
                         nn.Linear(8 * (size // 4) ** 2, 32), nn.ReLU(), nn.Dropout(dropout),
                         nn.Linear(32, num_classes))


def _block(c_in: int, c_out: int) -> tuple[nn.Module, ...]:
    return (nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU(),
            nn.Conv2d(c_out, c_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
