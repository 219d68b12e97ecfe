"""Filters of convolutions in groups: turned for the way back, and merged into fewer groups.

Between merged groups stand zeros. They multiply pixels that are not in the equation, so that an
infinity or NaN would become a NaN in outputs whose windows do not see it.
"""

import numpy as np

GROUP_CHANNELS = 32  # merged groups have at least so many; with fewer, BLAS is slow


def turned(w, groups):
    """w (O, C/G, kh, kw) with each filter turned by 180 degrees and C, O swapped, as a view."""
    o, c, kh, kw = w.shape
    w = w[:, :, ::-1, ::-1].reshape(groups, o // groups, c, kh, kw)  # (G, O/G, C/G, kh, kw)
    w = w.transpose(0, 2, 1, 3, 4)  # (G, C/G, O/G, kh, kw)
    return w.reshape(groups * c, o // groups, kh, kw)  # (C, O/G, kh, kw)


def merged_groups(channels, groups):
    """How many groups are left when neighbours merge until each has GROUP_CHANNELS channels."""
    return next(few for few in range(groups, 0, -1) if groups % few == 0
                and (channels * groups // few >= GROUP_CHANNELS or few == 1))


def merged(w, groups):
    """The same convolution in fewer groups: (w with zeros between neighbours, its groups).

    32 groups of 4 channels are 32 tiny matrix products; 4 groups of 32 channels are 8 times the
    work, and take less time.
    """
    o, c, kh, kw = w.shape
    few = merged_groups(c, groups)
    if few == groups:
        return w, groups
    many = groups // few
    out = np.zeros_like(w, shape=(few, many, o // groups, many, c, kh, kw))
    parts = w.reshape(few, many, o // groups, c, kh, kw)  # (few, many, O/G, C/G, kh, kw)
    for i in range(many):
        out[:, i, :, i] = parts[:, i]  # (few, O/G, C/G, kh, kw)
    return out.reshape(o, many * c, kh, kw), few  # (O, many C/G, kh, kw)


def merged_for(x, w, groups):
    """`merged`, unless x holds an infinity or NaN, which would spread to neighbouring groups."""
    if merged_groups(w.shape[1], groups) < groups and not all_finite(x):
        return w, groups
    return merged(w, groups)


def unmerged(gw, groups, few):
    """The transpose of `merged`: gw (O, many C/G, kh, kw) without what lies between the groups."""
    if few == groups:
        return gw
    o, c, kh, kw = gw.shape
    many = groups // few
    parts = gw.reshape(
        few, many, o // groups, many, c // many, kh, kw)  # (few, many, O/G, many, C/G, kh, kw)
    out = np.empty_like(gw, shape=(few, many, o // groups, c // many, kh, kw))
    for i in range(many):
        out[:, i] = parts[:, i, :, i]  # (few, O/G, C/G, kh, kw)
    return out.reshape(o, c // many, kh, kw)  # (O, C/G, kh, kw)


def all_finite(x):
    """Whether all of x is finite, in one pass. The answer is also no if the sum of x overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(x.sum()))
