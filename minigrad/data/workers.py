"""Fetching samples ahead of their use: threads, each of which may have a process of its own.

A batch is cut into pieces of a few samples. The consumer submits pieces in the order in which it
will want them; workers take them in this order, and whichever finishes first, the consumer waits
for the first one. So nothing that a batch holds depends on the workers.

A process works for one thread: the thread sends it a piece's indices through a pipe and receives
the samples. If the process dies the pipe ends, and the thread reports it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import queue
import signal
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

PIECE = 8       # samples: enough to hide the hand-over, few enough to share a batch evenly
PATIENCE = 2.0  # seconds that threads get to finish the sample they are at, once they are to stop


class Sample(NamedTuple):
    """What fetching gave: input, target, and the (name, reason) of every sample that failed.

    `index` is the sample's own place in the data set. With nothing readable, x is None. Of a sample
    that is no pair of arrays, or that is not to be changed, x is (sample,) and y is None.
    """

    index: int  # type: ignore[assignment]  # a tuple has a method of this name
    x: Any
    y: np.ndarray | None
    bad: list[tuple[str, str]]

    @property
    def item(self) -> Any:
        """The sample as it was, or with arrays in its place."""
        return self.x[0] if self.y is None else (self.x, self.y)


Fetch = Callable[[int], Sample]
Outcome = Sample | BaseException
Outcomes = Callable[[list[int]], Iterator[Outcome]]


class Piece:
    """Some samples of a batch. `outcomes` grows until `done`; an exception in it is the last."""

    def __init__(self, indices: list[int]) -> None:
        self.indices = indices
        self.outcomes: list[Outcome] = []
        self.done = threading.Event()


class Workers:
    """`count` threads, or threads with processes, that run pieces; if 0, `submit` runs them.

    `close()` ends them. It also happens when the object is collected, and when Python exits.
    """

    def __init__(self, fetch: Fetch, count: int, processes: bool) -> None:
        self._fetch, stopping = fetch, threading.Event()
        self._tasks: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        children: list[_Child] = []
        self.close = weakref.finalize(self, _end, os.getpid(), self._tasks, stopping,
                                      self._threads, children)
        for _ in range(count if processes else 0):
            children.append(_Child(fetch))
        for k in range(count):
            outcomes = children[k].outcomes if processes else partial(_outcomes, fetch)
            self._threads.append(threading.Thread(
                target=_work, args=(self._tasks, stopping, outcomes), daemon=True,
                name=f"DataLoader {k}"))
            self._threads[-1].start()

    def submit(self, piece: Piece) -> None:
        """Have the samples of a piece fetched, after those of all pieces before it."""
        if self._threads:
            self._tasks.put(piece)
        else:
            piece.outcomes.extend(_outcomes(self._fetch, piece.indices))
            piece.done.set()


def _outcomes(fetch: Fetch, indices: list[int]) -> Iterator[Outcome]:
    """fetch(index) for each index; after an exception, no more."""
    try:
        for index in indices:
            yield fetch(index)
    except Exception as error:
        yield error


def _work(tasks: queue.SimpleQueue, stopping: threading.Event, outcomes: Outcomes) -> None:
    """A thread's life: pieces, until there is None or something worse than an exception."""
    while (piece := tasks.get()) is not None:
        try:
            for outcome in outcomes(piece.indices):
                piece.outcomes.append(outcome)
                if stopping.is_set():
                    return
        except BaseException as error:      # SystemExit too: the consumer waits for an answer
            piece.outcomes.append(error)
            return
        finally:
            piece.done.set()


def _end(owner: int, tasks: queue.SimpleQueue, stopping: threading.Event,
         threads: list[threading.Thread], children: list[_Child]) -> None:
    """Stop threads and processes, and wait for them: a hung thread only for a while."""
    if os.getpid() != owner:    # a forked process inherits the object, but not what it stands for
        return
    stopping.set()
    for child in children:      # it holds nothing that must be put in order
        child.process.kill()
    for _ in threads:
        tasks.put(None)
    deadline = time.monotonic() + PATIENCE
    for thread in threads:
        if thread is not threading.current_thread():    # the collector runs in any thread
            thread.join(max(0, deadline - time.monotonic()))
    for child in children:
        child.close()


class _Child:
    """A process that fetches, and this end of the pipe to it."""

    def __init__(self, fetch: Fetch) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_serve, args=(theirs, fetch), daemon=True)
        try:
            self.process.start()
        except BaseException:
            self.pipe.close()
            raise
        finally:
            theirs.close()

    def outcomes(self, indices: list[int]) -> Iterator[Outcome]:
        """As `_outcomes`, fetched over there. Raises RuntimeError if the process ends."""
        with contextlib.suppress(EOFError, OSError):
            self.pipe.send(indices)
            for _ in indices:
                outcome = self._receive()
                yield outcome
                if isinstance(outcome, BaseException):
                    break
            return
        # not inside an `except`: the pipe's error would live on as the context of this one, and
        # its traceback holds a BytesIO that Python complains of when it collects a cycle
        self.process.join()
        code = self.process.exitcode or 0
        end = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        raise RuntimeError(f"the worker process {self.process.pid} ended ({end})")

    def _receive(self) -> Outcome:
        outcome, form = self.pipe.recv()
        if form is None:
            return outcome
        if isinstance(outcome, BaseException):
            outcome.__cause__ = RuntimeError(f"in the worker process:\n{form}")
            return outcome
        x = np.empty(*form)
        if x.size:
            self.pipe.recv_bytes_into(_bytes(x))
        return outcome._replace(x=x)

    def close(self) -> None:
        self.process.join()
        self.process.close()
        self.pipe.close()


def _serve(pipe: Connection, fetch: Fetch) -> None:
    """A worker process's life: pieces, until the pipe or the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # Ctrl-C is for the parent, which ends this
    signal.signal(signal.SIGTERM, signal.SIG_DFL)   # not what the parent has installed
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        while True:
            for outcome in _outcomes(fetch, pipe.recv()):
                _send(pipe, outcome)
    except (EOFError, OSError):
        return                                      # nobody listens any more


def _follow_parent() -> None:
    """End with the parent, however it ends and whatever this process is doing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _send(pipe: Connection, outcome: Outcome) -> None:
    """(outcome, None), or with more: (exception, its traceback), (sample, form of x), then x."""
    if isinstance(outcome, BaseException):
        pipe.send(_portable(outcome))
    elif not isinstance(outcome.x, np.ndarray):
        pipe.send((outcome, None))
    else:
        x = np.asarray(outcome.x, order="C")
        pipe.send((outcome._replace(x=None), (x.shape, x.dtype)))
        if x.size:
            pipe.send_bytes(_bytes(x))


def _portable(error: BaseException) -> tuple[BaseException, str]:
    """(exception, its traceback as text), the exception as RuntimeError if it cannot be pickled."""
    trace = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:       # whatever its class's own code raises
        error = RuntimeError(f"{type(error).__name__}: {error}")
    return error, trace


def _bytes(x: np.ndarray) -> memoryview:
    return x.reshape(-1).view(np.uint8).data
