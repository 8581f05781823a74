"""The page's certificate: read when the page starts, and again when its file is another one."""

import ssl
import time
from collections.abc import Callable
from pathlib import Path

from broker.encryption import check_server_files, load_server_files, server_context
from broker.errors import BrokerProblem
from broker.settings import Dashboard
from dashboard.told import tell

LOOK_S = 10.0


class Certificate:
    """What the page shows to browsers. Raises BrokerProblem when its files cannot be used."""

    def __init__(self, page: Dashboard, clock: Callable[[], float] = time.monotonic) -> None:
        check_server_files("dashboard", page)
        self._page = page
        self._clock = clock
        self._seen = self._look()
        self._next = clock() + LOOK_S
        self.context: ssl.SSLContext = server_context("dashboard", page)

    def step(self) -> None:
        """Now and then, take a renewed certificate over, for connections from then on."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + LOOK_S
        seen = self._look()
        if None in seen or seen == self._seen:
            return
        self._seen = seen
        try:
            load_server_files("dashboard", self._page, self.context)
        except (
            BrokerProblem
        ) as problem:  # between the two files' changes, or a mistake: the next change tells
            tell("warning", "certificate-not-read", detail=f"{problem}; the old one stays")
        else:
            tell("info", "certificate-read", file=str(self._page.tls_certificate))

    def _look(self) -> tuple[int | None, ...]:
        return tuple(_changed(file) for file in (self._page.tls_certificate, self._page.tls_key))


def _changed(file: Path) -> int | None:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return None
