"""Channels that become pixels and back, and channels in another order."""

import math

from minigrad.engine import Values
from minigrad.ops.shape import permute, reshape


def pixel_shuffle(x: Values, upscale_factor: int) -> Values:
    """Channels as pixels.  x (..., C r^2, H, W) -> (..., C, H r, W r) with r = upscale_factor.

    Raises RuntimeError for a number of channels that r^2 does not divide. Shi et al., CVPR 2016.
    """
    *lead, c, h, w = x.shape
    r: int = upscale_factor
    n: int = len(lead)
    if r < 1 or c % r**2:
        raise RuntimeError(f"pixel_shuffle: {r}^2 does not divide the {c} channels of {x.shape}")
    y = reshape(x, (*lead, c // r**2, r, r, h, w))
    y = permute(y, (*range(n + 1), n + 3, n + 1, n + 4, n + 2))  # (..., C, H, r, W, r)
    return reshape(y, (*lead, c // r**2, h * r, w * r))


def pixel_unshuffle(x: Values, downscale_factor: int) -> Values:
    """Pixels as channels, the inverse of `pixel_shuffle`.

    x (..., C, H r, W r) -> (..., C r^2, H, W) with r = downscale_factor. Raises RuntimeError for a
    height or width that r does not divide.
    """
    *lead, c, h, w = x.shape
    r: int = downscale_factor
    n: int = len(lead)
    if r < 1 or h % r or w % r:
        raise RuntimeError(f"pixel_unshuffle: {r} does not divide the size of {x.shape}")
    y = reshape(x, (*lead, c, h // r, r, w // r, r))
    y = permute(y, (*range(n + 1), n + 2, n + 4, n + 1, n + 3))  # (..., C, r, r, H, W)
    return reshape(y, (*lead, c * r**2, h // r, w // r))


def channel_shuffle(x: Values, groups: int) -> Values:
    """The first channel of each group, then the second of each, ...  x (N, C, ...) -> the same.

    Raises RuntimeError unless `groups` divides C. Zhang et al., CVPR 2018.
    """
    n, c, *rest = x.shape
    if groups < 1 or c % groups:
        raise RuntimeError(f"channel_shuffle: {groups} groups of the {c} channels of {x.shape}")
    y = reshape(x, (n, groups, c // groups, math.prod(rest)))
    return reshape(permute(y, (0, 2, 1, 3)), x.shape)
