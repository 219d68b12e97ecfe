"""Trainings side by side: a small network keeps one core busy, and machines have more.

    with crew(names, settings) as turn:
        settings = replace(settings, turn=turn)     # a training waits for its turn, then is read

A task lists what it will train as `trainings(settings)`: chains of work, each for a process of its
own. The results land in the run's folder, bit for bit as they would without these processes, and
the verification reads them there. What a process could not finish, the main process does itself,
and so meets the same error.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

import numpy.random  # noqa: F401  Its import swallows a Ctrl-C, so not while processes are at work.
from threadpoolctl import threadpool_limits

from experiments import questions
from experiments.errors import UserError
from experiments.settings import Settings, free_turn
from minigrad.data import ImageError, SampleError
from minigrad.kernels.runtime.threads import CORES, set_num_threads
from minigrad.train import NonFiniteError
from minigrad.train.signals import Stop, leave

Chain = Sequence[Callable[[Settings], object]]
_GLANCE = 0.2                   # seconds between looks at what the processes are doing
# Loggers whose warnings the main process gives too, when it meets the same full disk or cache.
_MAINS = "minigrad.train.folder.disk", "minigrad.files"


@contextmanager
def crew(names: Sequence[str], settings: Settings) -> Iterator[Callable]:
    """Start processes for what the tasks among `names` train; gives the `turn` of `Settings`.

    No processes are started for a single chain, nor for the paper's networks or on a GPU, where one
    training already keeps the whole machine busy. At the end of the block, also by Ctrl-C, each
    process finishes its current step, saves, and stops.
    """
    chains: dict[str, list] = {}
    if settings.profile == "quick" and settings.device == "cpu":
        for name in questions.tasks_among(names):
            for key, chain in questions.TASKS[name].trainings(settings).items():
                chains.setdefault(key, []).extend(chain)
    size = min(len(chains), CORES)
    if size < 2:
        yield free_turn
        return
    processes = _Crew(chains, settings, CORES // size)
    try:
        processes.start(size)
        yield processes.turn
    finally:
        processes.stop()


class _Crew:
    """Threads, each of which runs one chain after another, every chain in a new process."""

    def __init__(self, chains: Mapping[str, Chain], settings: Settings, threads_each: int):
        self._waiting, self._threads_each = deque(chains.items()), threads_each
        self._settings = replace(settings, tell=None, turn=None, lost=None)
        self._processes, self._doing, self._done = {}, {}, set()
        self._threads, self._stopping, self._news = [], False, threading.Condition()

    def start(self, size: int) -> None:
        """Let `size` processes train from here on."""
        resource_tracker.ensure_running()       # started later, it would unblock a thread's signals
        for _ in range(size):
            thread = threading.Thread(target=self._work_off)
            thread.start()
            self._threads.append(thread)

    @contextmanager
    def turn(self, training: str, tell: Callable[[str], None]) -> Iterator[None]:
        """Enter when a process has made this training, or none is left that could."""
        with Stop() as stop, self._news:
            while not (stop.requested or training in self._done) and any(
                    thread.is_alive() for thread in self._threads):
                tell("; ".join(self._doing.values()))
                self._news.wait(_GLANCE)
            if stop.requested:
                leave(stop.requested, f"stopped while waiting for {training}")
        yield

    def stop(self) -> None:
        """Let every process finish its step and save; wait for that."""
        with self._news:
            self._stopping = True
            for process in self._processes.values():
                process.terminate()
        for thread in self._threads:
            thread.join()

    def _work_off(self):
        # Ctrl-C is for the main process. A new process inherits this block from its thread.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        while work := self._next():
            key, process, messages = work
            with messages:
                while message := _received(messages):
                    self._note(key, *message)
            process.join()
            with self._news:
                del self._processes[key]
                self._doing.pop(key, None)
            if process.exitcode < 0 and not self._stopping:
                _say(f"the process that trained for {key} was ended by signal {-process.exitcode}; "
                     "the main process goes on with it")
            process.close()

    def _note(self, key, kind, words):
        with self._news:
            if kind == "done":
                self._done.add(words)
                self._news.notify_all()
            else:
                self._doing[key] = words

    def _next(self):
        """(key, process, its messages) of the next chain, started; None if there is none."""
        with self._news:
            if self._stopping or not self._waiting:
                return None
            key, chain = self._waiting.popleft()
            spawn = multiprocessing.get_context("spawn")    # a fork would inherit held locks
            messages, ours = spawn.Pipe(duplex=False)
            process = spawn.Process(target=_run, daemon=True,
                                    args=(chain, self._settings, self._threads_each, ours))
            try:
                process.start()
            except OSError as error:
                messages.close()
                _say(f"cannot start a process to train for {key} ({error.strerror}); the main "
                     "process does it")
                return None
            finally:
                ours.close()
            self._processes[key] = process
            return key, process, messages


def _say(words):
    print(f"experiments: {words}", file=sys.stderr)


def _received(messages: Connection):
    """The next message, or None when the process has ended."""
    try:
        return messages.recv()
    except (EOFError, OSError):     # OSError: ended in the middle of a message
        return None


# --- in a process of the crew --------------------------------------------------------------------

def _run(chain: Chain, settings: Settings, threads: int, main: Connection) -> None:
    """Do the work of a chain, until SIGTERM."""
    threading.Thread(target=_outlive, daemon=True).start()
    set_num_threads(threads)

    @contextmanager
    def turn(training, tell):
        yield
        main.send(("done", training))

    def lost(words):
        sys.exit(1)             # what is in memory here is of no use to the main process

    for name in _MAINS:
        logging.getLogger(name).disabled = True
    settings = replace(settings, turn=turn, lost=lost,
                       tell=lambda words: main.send(("doing", words)))
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
