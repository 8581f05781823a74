"""What systemd is told of a service: sd_notify(3), a datagram of NAME=value lines on a unix socket.

Without NOTIFY_SOCKET, that is anywhere but in a unit of Type=notify, nothing is sent.
"""

import logging
import os
import socket
import time
from collections.abc import Mapping
from typing import Self

from broker.logs import log_line

SEND_S = 1.0
"""How long a word may wait for a service manager that does not read; the next ones do not wait at all."""

log = logging.getLogger("notify")


class Notifier:
    """Who is told, and how often it wants to hear from the service.

    `watchdog_s` is the time after which systemd gives a silent service up, None when it does not watch.
    """

    def __init__(self, address: str = "", watchdog_s: float | None = None) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address  # an abstract socket
        self._failed = False
        self.watchdog_s = watchdog_s

    @property
    def is_heard(self) -> bool:
        """Whether the latest word was taken, or there is nobody to tell."""
        return not self._failed

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return the one that systemd's variables describe."""
        meant_for = environ.get("WATCHDOG_PID", "")
        given = environ.get("WATCHDOG_USEC", "")
        is_watched = given.isascii() and given.isdigit() and int(given) > 0
        is_ours = not meant_for or meant_for == str(os.getpid())  # else an ancestor's, who left it here
        return cls(environ.get("NOTIFY_SOCKET", ""), int(given) / 1e6 if is_watched and is_ours else None)

    def tell(self, **words: str | int) -> bool:
        """Send `NAME=value` for each word, all at once; False when there is nobody to tell, or it failed.

        A failure is told once in the log: systemd itself draws the conclusion.
        """
        if not self._address:
            return False
        lines = "\n".join(f"{name}={_one_line(value)}" for name, value in words.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.settimeout(0 if self._failed else SEND_S)
                out.connect(self._address)
                out.send(lines.encode("utf-8", "backslashreplace"))
        except OSError as error:
            self._complain(error)
            return False
        self._failed = False
        return True

    def extend(self, seconds: float, status: str) -> None:
        """Say what takes long at the start or the end, and how long it may take from now on."""
        self.tell(EXTEND_TIMEOUT_USEC=round(seconds * 1e6), STATUS=status)

    def reloading(self) -> None:
        """Say that the settings are being read again; READY ends it."""
        self.tell(RELOADING=1, MONOTONIC_USEC=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)

    def _complain(self, error: OSError) -> None:
        if not self._failed:
            self._failed = True
            detail = f"NOTIFY_SOCKET {self._address!r}: {error.strerror or error}"
            log_line(log, "warning", "systemd-not-told", detail=detail)


def _one_line(value: str | int) -> str:
    return " ".join(str(value).split())
