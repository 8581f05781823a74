"""The broker's address: whether it is free, whether somebody listens there, and ports that nobody uses."""

import errno
import socket
import time
from collections.abc import Callable

from broker.settings import Broker
from cli.errors import CannotRun

PORT_S = 3.0
"""How long to wait for a port that a broker which was killed just now gives back, and for ours to open."""


def where_is(broker: Broker) -> str:
    """Return the broker's address for a person."""
    return broker.host if broker.host.startswith("/") else f"{broker.host}:{broker.port}"


def wait_for_free_port(broker: Broker, check: Callable[[], None]) -> None:
    """Wait a little for the broker's port to be free. Raises CannotRun when it stays in use."""
    deadline = time.monotonic() + PORT_S
    while not _is_free(broker):
        check()
        if time.monotonic() > deadline:
            raise CannotRun(
                f"port {broker.port} on {broker.host} is in use: another broker, or an `up` with another"
                " state; set [broker] port"
            )
        time.sleep(0.05)


def _is_free(broker: Broker) -> bool:
    if broker.host.startswith("/"):
        return not is_open(broker)
    with socket.socket(socket.AF_INET6 if ":" in broker.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((broker.host, broker.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise CannotRun(
                f"[broker] port: cannot listen on {broker.host}:{broker.port}: {error.strerror}"
            ) from error
    return True


def is_open(broker: Broker) -> bool:
    """Tell whether something accepts connections at the broker's address."""
    unix = broker.host.startswith("/")
    family = socket.AF_UNIX if unix else socket.AF_INET6 if ":" in broker.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(broker.host if unix else (broker.host, broker.port)) == 0


def free_port() -> int:
    """Return a port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
