"""Streams, events and pinned memory of the stand-in for CuPy: asynchronous copies, strictly.

What is launched in the compute stream (`NULL`) runs at once. A copy in another stream has happened
when the compute stream has waited for an event behind it, and not before: until then its target
cannot be touched. The host knows that it has ended only from an event or stream that it has
synchronised with: until then the pinned memory must keep what it holds.
"""

import itertools
import weakref
from typing import NamedTuple

import numpy as np

_clock = itertools.count(1)
_pinned = weakref.WeakValueDictionary()  # address: array
under_way = []  # copies that the host does not know to have ended


class StreamError(AssertionError):
    """What would go wrong, sometimes, on a GPU."""


class Copy:
    def __init__(self, target, source):
        self.target, self.source, self.sent = target, source, source.copy()
        self.arrived = False

    def arrive(self):
        """The compute stream has waited for it."""
        if self in under_way and self.source.tobytes() != self.sent.tobytes():
            raise StreamError("pinned memory was written before the copy out of it had ended")
        if not self.arrived:
            self.arrived = True
            self.target.host[...] = self.sent

    def end(self):
        """The host has."""
        self.arrive()
        if self in under_way:
            under_way.remove(self)


def check_arrived(memory):
    """StreamError if a copy into this memory has not been waited for."""
    if any(not copy.arrived and copy.target.memory is memory for copy in under_way):
        raise StreamError("an array is used before the compute stream has waited for the copy "
                          "into it")


def copy_to_device(target, source, stream):
    """`target.set(source, stream=stream)`."""
    if _pinned.get(source.ctypes.data) is not source:
        raise StreamError("an asynchronous copy out of memory that is not pinned")
    if any(copy.source is source for copy in under_way):
        raise StreamError("pinned memory is used again before its last copy is known to have ended")
    if target.made is None or stream.seen < target.made:
        raise StreamError("the copy stream has not waited for the stream that gave out the memory")
    copy = Copy(target, source)
    under_way.append(copy)
    stream.copies.append(copy)


class Stream:
    def __init__(self, null=False, non_blocking=False, ptds=False):
        self.null, self.copies = null, []
        self.seen = 0  # the time up to which it has waited for the compute stream

    def record(self, event=None):
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event):
        if self.null:
            for copy in event.behind.copies:
                copy.arrive()
        else:
            self.seen = max(self.seen, event.behind.time)

    def synchronize(self):
        for copy in self.copies:
            copy.end()
        self.copies.clear()


class _Place(NamedTuple):
    """What lies before an event; nothing if it was never recorded."""

    time: int = 0
    copies: tuple = ()


class Event:
    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.behind = _Place()

    def record(self, stream=None):
        stream = NULL if stream is None else stream
        self.behind = _Place(next(_clock) if stream.null else 0,
                             tuple(copy for copy in stream.copies if copy in under_way))

    def synchronize(self):
        for copy in self.behind.copies:
            copy.end()


NULL = Stream(null=True)


def now():
    """The time at which an array is given out."""
    return next(_clock)


def empty_pinned(shape, dtype=float, order="C"):
    array = np.empty(shape, dtype, order)
    array.view(np.uint8)[...] = 0xFF
    _pinned[array.ctypes.data] = array
    return array
