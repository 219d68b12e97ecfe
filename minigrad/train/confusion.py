"""The old place of `minigrad.train.metrics.confusion`."""

import warnings

from minigrad.train.metrics.confusion import *  # noqa: F401, F403  what was here

warnings.warn("minigrad.train.confusion has moved to minigrad.train.metrics.confusion",
              DeprecationWarning, stacklevel=2)
