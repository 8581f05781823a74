"""Waiting for something to become true, with a deadline instead of a guess."""

import os
import secrets
import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PORTS = range(20_000, 32_000)
PORTS_OF_A_WORKER = 1_500
_given: set[int] = set()


def until(condition: Callable[[], T], timeout_s: float = 60.0) -> T:
    """Return what `condition` returns as soon as that is true; fail when it takes too long."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {timeout_s} s: {condition}")
        time.sleep(0.005)
    return found


def free_port() -> int:
    """Return a port of this machine that nobody listens on at this moment.

    Below those that the system hands out to whoever connects, lest a client that tries the port again and
    again be given that very one, and meet itself; each worker of pytest-xdist has a range of its own.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = PORTS.start + worker * PORTS_OF_A_WORKER % len(PORTS)
    while True:
        port = first + secrets.randbelow(PORTS_OF_A_WORKER)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as found:
        try:
            found.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def listens(host: str, port: int) -> bool:
    """Tell whether somebody accepts connections there; a host that begins with / is a unix socket."""
    family, address = (socket.AF_UNIX, host) if host.startswith("/") else (socket.AF_INET, (host, port))
    with socket.socket(family) as tried:
        return tried.connect_ex(address) == 0
