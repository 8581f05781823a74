"""Ctrl-C, SIGTERM and SIGHUP as something to ask about.

An exception out of a signal handler can vanish: raised within a callback of the interpreter's (one that runs
at every fork, a finaliser) it is printed and passed over. So the handler only counts.
"""

import os
import signal
from types import FrameType, TracebackType
from typing import Self

from cli.errors import INTERRUPTED

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AT_ONCE = 3


class Ending:
    """How often somebody has asked the command to end, while the `with` block lasts.

    The third time it ends without another word; what it started ends with it (see `Child`). With `reloads`
    SIGHUP asks for something else, as it does of services. Where it is ignored (nohup) it stays so.
    """

    def __init__(self, *, reloads: bool = False) -> None:
        self.asked = 0
        self._reloads = reloads
        self._hangups = 0
        self._before: dict[signal.Signals, signal.Handlers | object] = {}

    def __enter__(self) -> Self:
        """Listen to the signals, in the main thread."""
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        numbers = [number for number in SIGNALS if not (ignored and number == signal.SIGHUP)]
        self._before = {number: signal.signal(number, self._count) for number in numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # what signal.signal itself has returned

    def _count(self, number: int, _frame: FrameType | None) -> None:
        if self._reloads and number == signal.SIGHUP:
            self._hangups += 1
            return
        self.asked += 1
        if self.asked >= AT_ONCE:
            os._exit(INTERRUPTED)

    def check(self) -> None:
        """Raise KeyboardInterrupt once somebody has asked."""
        if self.asked:
            raise KeyboardInterrupt

    def hung_up(self) -> bool:
        """Tell whether SIGHUP came since the last call."""
        came, self._hangups = self._hangups > 0, 0
        return came

    @property
    def is_urgent(self) -> bool:
        """Whether it was asked for a second time: end without waiting for anything."""
        return self.asked > 1
