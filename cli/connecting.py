"""Waiting for the broker, with one line when it does not come."""

import contextlib
import time
from collections.abc import Iterator

from broker.connection import Connection, Notice
from broker.settings import Broker
from cli.addresses import is_open, where_is
from cli.errors import CannotRun

CONNECT_S = 15.0
"""A busy machine may take seconds; a port that nobody listens on, and a refusal, are told at once."""


class NoAnswer(CannotRun):
    """Something listens, and neither lets the client in nor refuses it."""


@contextlib.contextmanager
def connected(connection: Connection, broker: Broker) -> Iterator[None]:
    """Have a connection stand while the `with` block lasts. Raises as `wait_for_broker` does."""
    connection.start()
    try:
        wait_for_broker(connection, broker)
        yield
    finally:
        connection.stop(1.0)


def wait_for_broker(connection: Connection, broker: Broker, timeout_s: float = CONNECT_S) -> None:
    """Wait until a started connection stands. Raises CannotRun when it does not come to that, or NoAnswer."""
    if not is_open(broker):
        raise CannotRun(f"no broker listens on {where_is(broker)}; is `up` running?")
    deadline, trouble, refused = time.monotonic() + timeout_s, "", False
    while not connection.connected:
        if refused or time.monotonic() > deadline:
            because = f": {trouble}" if trouble else ""
            said = f"no connection to the broker at {where_is(broker)}{because}"
            raise CannotRun(said) if refused else NoAnswer(said)
        time.sleep(0.01)
        if (notice := _notice(connection)) is not None:
            trouble, refused = notice.detail, notice.kind == "refused"


def _notice(connection: Connection) -> Notice | None:
    """Look at what came in before the connection stood: only notices can."""
    found = connection.receive(1, 0.0)
    return next((item for item in found if isinstance(item, Notice)), None)
