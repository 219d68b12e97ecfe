"""Ctrl-C and what else ends a process: finish the step, save, and end as a stopped process should.

    SIGINT      Ctrl-C
    SIGTERM     kill, systemd, a container that is stopped
    SIGHUP      the terminal was closed; nohup has it ignored, and then it stays so
    SIGUSR1     SLURM's word that time is nearly up (sbatch --signal=B:USR1@300)
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import NoReturn

_ALWAYS = signal.SIGINT, signal.SIGTERM
# a program may use these for something of its own, and Windows has neither
_IF_FREE = [getattr(signal, name) for name in ("SIGHUP", "SIGUSR1") if hasattr(signal, name)]


class Stop:
    """Inside the `with` block the first of these signals is only noted: `requested` is its number.

    Whoever runs the block looks at it where it can stop, and calls `leave`. A second one raises at
    once, wherever the program is. The handlers that were there before come back at the end. A
    signal that is ignored stays ignored, and a handler that the program has for SIGHUP or SIGUSR1
    stays in its place. Outside of the main thread, where Python allows no handlers, nothing is
    noted.
    """

    requested: int | None = None

    def __enter__(self) -> Stop:
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (*_ALWAYS, *_IF_FREE):
                handler = signal.getsignal(number)
                if handler == signal.SIG_DFL or (
                        number in _ALWAYS and handler != signal.SIG_IGN):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            # None: a handler that was not set from Python, which cannot be set back from it
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.requested is not None:
            leave(number, "stopped at once")
        self.requested = number


def leave(number: int, message: str) -> NoReturn:
    """KeyboardInterrupt for SIGINT (Python then exits with status 130), SystemExit(128 + number)
    for the others, the status that shells report."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt(message)
    raise SystemExit(128 + number)
