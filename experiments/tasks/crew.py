"""Trainings side by side: a small network keeps one core busy, and machines have more.

    with crew(names, settings) as turn:
        settings = replace(settings, turn=turn)     # `train` waits for its turn, then reads

A task lists what it will train as `trainings(settings)`: chains of work, each for a process of its
own. What they train lands in the run's folder, bit for bit as it would without them, so the
verification finds every training made. What a process could not finish, it does itself, and meets
the same error.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection

from threadpoolctl import threadpool_limits

from experiments import tasks
from experiments.claims import Settings, alone
from experiments.results import UserError
from minigrad.data import ImageError, SampleError
from minigrad.kernels.threads import CORES, set_num_threads
from minigrad.train import NonFiniteError
from minigrad.train.signals import Stop, leave

Chain = Sequence[Callable[[Settings], object]]
_GLANCE = 0.2                   # seconds between looks at what the processes are doing


@contextmanager
def crew(names: Sequence[str], settings: Settings) -> Iterator[Callable]:
    """Start what the tasks of `names` train; gives the `turn` of `Settings`.

    One chain has nothing to be beside, and one of the paper's networks, or of a GPU's, keeps the
    whole machine busy: then there are no processes. At the end of the block, also by Ctrl-C, they
    stop after the step they are at, saved.
    """
    chains: dict[str, list] = {}
    if settings.profile == "quick" and settings.device == "cpu":
        for name in filter(tasks.TASKS.get, names):
            for key, chain in tasks.TASKS[name].trainings(settings).items():
                chains.setdefault(key, []).extend(chain)
    size = min(len(chains), CORES)
    if size < 2:
        yield alone
        return
    processes = _Crew(chains, settings, size)
    try:
        yield processes.turn
    finally:
        processes.stop()


class _Crew:
    """Threads, each of which starts the process of the next chain when that of its last ended."""

    def __init__(self, chains: Mapping[str, Chain], settings: Settings, size: int):
        self._settings, self._threads_each = replace(settings, tell=None, turn=None), CORES // size
        self._waiting, self._stopping = deque(chains.items()), False
        self._processes, self._doing, self._done = {}, {}, set()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work_off) for _ in range(size)]
        for thread in self._threads:
            thread.start()

    @contextmanager
    def turn(self, training: str, tell: Callable[[str], None]) -> Iterator[None]:
        """Enter when a process has made this training, or none is left that could."""
        with Stop() as stop:
            for thread in self._threads:
                while thread.is_alive() and training not in self._done:
                    if stop.requested:
                        leave(stop.requested, f"stopped while waiting for {training}")
                    tell("; ".join(list(self._doing.values())))
                    thread.join(_GLANCE)
        yield

    def stop(self) -> None:
        """Let every process finish its step and save; wait for that."""
        with self._lock:
            self._stopping = True
            for process in self._processes.values():
                process.terminate()
        for thread in self._threads:
            thread.join()

    def _work_off(self):
        while begun := self._next():
            key, process, messages = begun
            with messages:
                while message := _received(messages):
                    kind, words = message
                    if kind == "done":
                        self._done.add(words)
                    else:
                        self._doing[key] = words
            process.join()
            with self._lock:
                del self._processes[key]
                self._doing.pop(key, None)
            if process.exitcode < 0 and not self._stopping:
                print(f"experiments: the process that trained for {key} was ended by signal "
                      f"{-process.exitcode}; the main process goes on with it", file=sys.stderr)
            process.close()

    def _next(self):
        """(key, process, its messages) of the next chain, started; None if there is none."""
        with self._lock:
            if self._stopping or not self._waiting:
                return None
            key, chain = self._waiting.popleft()
            spawn = multiprocessing.get_context("spawn")    # a fork would inherit held locks
            messages, ours = spawn.Pipe(duplex=False)
            process = self._processes[key] = spawn.Process(
                target=_run, args=(chain, self._settings, self._threads_each, ours), daemon=True)
            process.start()
            ours.close()
            return key, process, messages


def _received(messages: Connection):
    """The next message, or None when the process has ended."""
    try:
        return messages.recv()
    except (EOFError, OSError):     # OSError: ended in the middle of a message
        return None


# --- in a process of the crew --------------------------------------------------------------------

def _run(chain: Chain, settings: Settings, threads: int, main: Connection) -> None:
    """Do the work of a chain. It is the main process that Ctrl-C is for; SIGTERM is for us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_outlive, daemon=True).start()
    set_num_threads(threads)

    @contextmanager
    def turn(training, tell):
        yield
        main.send(("done", training))

    settings = replace(settings, turn=turn, tell=lambda words: main.send(("doing", words)))
    with threadpool_limits(threads, "blas"):
        try:
            for work in chain:
                work(settings)
        except (UserError, ImageError, SampleError, NonFiniteError, BrokenPipeError):
            sys.exit(1)         # the main process does it again, and says what is wrong; or is gone


def _outlive():
    """Stop, saved, as soon as the main process is gone."""
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)
