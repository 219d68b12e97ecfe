"""Hypothesis profiles: "ci" (default) repeats the same examples, more of them with MINIGRAD_FULL=1;
"nightly" draws new ones, and many; "once" draws a few, for tools that slow everything down."""

import contextlib
import gc
import os
import signal

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from minigrad import backend, graph
from minigrad.kernels.conv import plans
from minigrad.kernels.runtime import threads

_COMMON = dict(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FULL = os.environ.get("MINIGRAD_FULL") == "1"
settings.register_profile("ci", derandomize=True, max_examples=100 if FULL else 30, database=None,
                          **_COMMON)
settings.register_profile("nightly", max_examples=2000, print_blob=True, **_COMMON)
settings.register_profile("once", derandomize=True, max_examples=3, database=None, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# A shell's background command starts with Ctrl-C ignored, one under nohup with SIGHUP, and so would
# all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@contextlib.contextmanager
def kept_settings():
    """What is set inside for all of minigrad, and left set by an error, is set back behind it."""
    context, random = graph.context, backend.random_state()
    precision = backend.get_float32_matmul_precision()
    before = {name: getattr(context, name) for name in ("grad", "trace", "scope", "autocast")}
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)
        backend.set_random_state(random)
        if backend.get_float32_matmul_precision() != precision:
            backend.set_float32_matmul_precision(precision)


@pytest.fixture(autouse=True)
def settings_as_before():
    """The tests do not depend on their order: each begins with the same random state."""
    with kept_settings():
        backend.manual_seed(0)
        yield


@pytest.fixture(scope="module")
def xp(request):
    """The array module of a GPU, or of its stand-in: see cuda_devices.py."""
    from tests.gpu.cuda_devices import open_device
    with pytest.MonkeyPatch.context() as patch:
        yield open_device(request.param, patch)


@pytest.fixture(scope="session")
def torchvision():
    """torchvision, also without its compiled operators; skips where it or torch is missing."""
    torch = pytest.importorskip("torch")
    from experiments.benchmarks.loader import import_torchvision
    return import_torchvision(torch) or pytest.skip("needs torchvision")


@pytest.fixture(scope="module")
def only_new_objects():
    """gc.collect() looks at nothing older than this module's tests: quick, however many there are.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def on_a_machine_with(monkeypatch):
    """Makes the table of plans take this machine for another: see kernels/conv/plans.py."""
    return lambda kernel: monkeypatch.setattr(plans, "machine", lambda: kernel)


@pytest.fixture
def rng():
    """Numbers for a test that are the same whichever tests have run before."""
    return np.random.default_rng(0)


@pytest.fixture
def one_thread():
    """Bytes can be counted then: a thread lets go of its arrays a moment after its part is done."""
    before = threads.get_num_threads()
    threads.set_num_threads(1)
    yield
    threads.set_num_threads(before)
