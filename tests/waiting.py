"""Waiting for something to become true, with a deadline instead of a guess."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], timeout_s: float = 15.0) -> T:
    """Return what `condition` returns as soon as that is true; fail when it takes too long."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {timeout_s} s: {condition}")
        time.sleep(0.005)
    return found


def free_port() -> int:
    """Return a port of this machine that nobody listens on at this moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def listens(host: str, port: int) -> bool:
    """Tell whether somebody accepts connections there; a host that begins with / is a unix socket."""
    family, address = (socket.AF_UNIX, host) if host.startswith("/") else (socket.AF_INET, (host, port))
    with socket.socket(family) as tried:
        return tried.connect_ex(address) == 0
