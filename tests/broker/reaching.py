"""Connections whose waits a test has time for, and everything that they have handed over."""

from typing import Any

from broker.backoff import Backoff
from broker.connection import Delivery, Notice
from broker.inbox import Inbox
from broker.mqtt import MqttConnection
from broker.mqtt_client import Client
from tests.waiting import until


def quick() -> Backoff:
    """Return waits that a test has time for."""
    return Backoff(0.02, 0.2)


class Reaching:
    """`reach(port, "x/#", keepalive_s=1)`: a started connection; `stop` ends all of them."""

    def __init__(self) -> None:
        self._made: list[MqttConnection] = []

    def __call__(self, port: int, *filters: str, inbox: Inbox | None = None, **more: Any) -> MqttConnection:
        """Return a started connection."""
        who = Client(
            **{"host": "127.0.0.1", "port": port, "client_id": "c", "subscriptions": filters, **more}
        )
        self._made.append(MqttConnection(who, inbox=inbox, backoff=quick()))
        self._made[-1].start()
        return self._made[-1]

    def stop(self) -> None:
        """Stop every connection."""
        for connection in self._made:
            connection.stop(2.0)


class Watch:
    """Everything that a connection has handed over so far."""

    def __init__(self, connection: MqttConnection) -> None:
        self._connection = connection
        self.items: list[Delivery | Notice] = []

    def take(self) -> list[Delivery | Notice]:
        """Take what is there."""
        self.items += self._connection.receive(100, 0.02)
        return self.items

    def kinds(self) -> list[str]:
        """Return the kinds of all notices so far."""
        return [item.kind for item in self.take() if isinstance(item, Notice)]

    def notice(self, kind: str) -> Notice:
        """Return the first notice of a kind, once it is there."""
        return until(lambda: [i for i in self.take() if isinstance(i, Notice) and i.kind == kind])[0]

    def payloads(self) -> list[bytes]:
        """Return the payloads so far, acknowledged."""
        found = [item for item in self.take() if isinstance(item, Delivery)]
        for item in found:
            self._connection.acknowledge(item)
        return [item.payload for item in found]


def wait_connected(connection: MqttConnection) -> MqttConnection:
    """Return the connection once it is connected."""
    until(lambda: connection.connected)
    return connection
