"""Hypothesis profiles: "ci" (default) repeats the same examples, more of them with MINIGRAD_FULL=1;
"nightly" draws new ones, and many; "once" draws a few, for tools that slow everything down."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

_COMMON = dict(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_FULL = os.environ.get("MINIGRAD_FULL") == "1"
settings.register_profile("ci", derandomize=True, max_examples=100 if _FULL else 30, database=None,
                          **_COMMON)
settings.register_profile("nightly", max_examples=2000, print_blob=True, **_COMMON)
settings.register_profile("once", derandomize=True, max_examples=3, database=None, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# A shell's background command starts with Ctrl-C ignored, one under nohup with SIGHUP, and so would
# all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="module")
def xp(request):
    """The array module of a GPU, or of its stand-in: see cuda_devices.py."""
    from tests.cuda_devices import open_device
    with pytest.MonkeyPatch.context() as patch:
        yield open_device(request.param, patch)


@pytest.fixture(scope="session")
def torchvision():
    """torchvision, also without its compiled operators; skips where it or torch is missing."""
    torch = pytest.importorskip("torch")
    from experiments.benchmarks.loader import import_torchvision
    return import_torchvision(torch) or pytest.skip("needs torchvision")
