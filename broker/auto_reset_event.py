"""An event that ends one wait and then resets itself; it may be set in a signal handler.

`threading.Event` may not: the thread that the signal interrupts may hold its lock. And `queue.SimpleQueue`,
whose `put` may, waits for ever where a signal's handler ends after the time that `get` was given (CPython
3.11: what is left of the time is then negative, which means no limit). A bare lock does neither.
"""

import contextlib
import threading


class AutoResetEvent:
    """Setting it twice before somebody waits counts once."""

    def __init__(self) -> None:
        self._unset = threading.Lock()
        self._unset.acquire()

    def set(self) -> None:
        """End the wait of one thread, or the next that begins."""
        with contextlib.suppress(RuntimeError):  # it is set already
            self._unset.release()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is set, at most so long, and reset it; tell whether it was."""
        return self._unset.acquire(timeout=max(0.0, timeout_s))
