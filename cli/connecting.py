"""Waiting for the broker, with one line when it does not come."""

import time

from broker.connection import Connection, Notice
from broker.settings import Broker
from cli.addresses import is_open, where_is
from cli.errors import CannotRun

CONNECT_S = 5.0


def wait_for_broker(connection: Connection, broker: Broker, timeout_s: float = CONNECT_S) -> None:
    """Wait until a started connection stands. Raises CannotRun when it does not come to that."""
    if not is_open(broker):
        raise CannotRun(f"no broker listens on {where_is(broker)}; is `up` running?")
    deadline, trouble = time.monotonic() + timeout_s, ""
    while not connection.connected:
        if time.monotonic() > deadline:
            because = f": {trouble}" if trouble else ""
            raise CannotRun(f"no connection to the broker at {where_is(broker)}{because}")
        time.sleep(0.01)
        trouble = _refusal(connection) or trouble


def _refusal(connection: Connection) -> str:
    """Look at what came in before the connection stood: only notices can."""
    found = connection.receive(1, 0.0)
    return next((item.detail for item in found if isinstance(item, Notice)), "")
