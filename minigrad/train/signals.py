"""Ctrl-C and SIGTERM: finish the step, save, and end as a process that was stopped should."""

from __future__ import annotations

import signal
import threading


class Stop:
    """Inside the `with` block the first SIGINT or SIGTERM is only noted: `requested` is its number.

    Whoever runs the block looks at it where it can stop, and calls `leave`. A second SIGINT raises
    KeyboardInterrupt at once, wherever the program is, a second SIGTERM SystemExit. The handlers
    that were there before come back at the end. Outside of the main thread, where Python allows no
    handlers, nothing is noted.
    """

    requested = None

    def __enter__(self):
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            # None: a handler that was not set from Python, which cannot be set back from it
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _note(self, number, _frame):
        if self.requested is not None:
            leave(number, "stopped at once")
        self.requested = number


def leave(number: int, message: str) -> None:
    """KeyboardInterrupt for SIGINT (Python then exits with status 130), SystemExit(143) for
    SIGTERM: 128 + the number of the signal, as shells have it."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt(message)
    raise SystemExit(128 + number)
