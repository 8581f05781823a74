"""The broker's address: whether it is free, whether somebody listens there, and ports that nobody uses."""

import errno
import socket
import time
from collections.abc import Callable

from broker.listeners import EVERY_ADDRESS, Listener, managed_listeners, own_listener
from broker.settings import Broker
from cli.errors import CannotRun

PORT_S = 3.0
"""How long to wait for a port that a broker which was killed just now gives back."""


def where_is(broker: Broker) -> str:
    """Return the broker's address for a person."""
    return own_listener(broker).address


def wait_for_free_port(broker: Broker, check: Callable[[], None]) -> None:
    """Wait a little for the broker's ports to be free. Raises CannotRun when one stays in use."""
    deadline = time.monotonic() + PORT_S
    for listener in managed_listeners(broker):
        key = "port" if listener.port == broker.port else "local_port"
        while not _is_free(listener, key):
            check()
            if time.monotonic() > deadline:
                raise CannotRun(
                    f"port {listener.port} on {listener.host} is in use: another broker, or an `up` with"
                    f" another state; set [broker] {key}"
                )
            time.sleep(0.05)


def _is_free(listener: Listener, key: str) -> bool:
    host = listener.host
    if host.startswith("/"):
        return not accepts(listener)
    with socket.socket(_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == EVERY_ADDRESS:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            probe.bind((host, listener.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise CannotRun(
                f"[broker] {key}: cannot listen on {listener.address}: {error.strerror}"
            ) from error
    return True


def is_open(broker: Broker) -> bool:
    """Tell whether something accepts connections at the broker's address."""
    return accepts(own_listener(broker))


def accepts(listener: Listener) -> bool:
    """Tell whether something accepts connections at an address."""
    host = listener.host
    try:
        if not host.startswith("/"):
            socket.create_connection((host, listener.port), timeout=1.0).close()
            return True
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            probe.connect(host)
    except OSError:
        return False
    return True


def _family(host: str) -> socket.AddressFamily:
    """Return the family of an address, or of a name's first one. Raises CannotRun for an unknown name."""
    try:
        return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise CannotRun(f"[broker] host: {host}: {error.strerror}") from error


def free_port() -> int:
    """Return a port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
