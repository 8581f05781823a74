"""A test's own corner of a broker, in-memory or real, and what to wait for there."""

import socket
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from broker.connection import Connection, Delivery, Notice, Will
from broker.memory import MemoryBroker, MemoryConnection
from broker.mqtt import MqttConnection
from tests.running_mosquitto import RunningMosquitto
from tests.waiting import until

LIMIT_BYTES = 4_194_304


class Link(Protocol):
    """A broker and how to harm one of its clients."""

    def connection(self, client_id: str, filters: Sequence[str], will: Will | None) -> Connection:
        """Return a connection that is not started."""
        ...

    def crash(self, connection: Connection) -> None:
        """Let a client vanish without a goodbye."""
        ...


class MemoryLink:
    """The in-memory broker."""

    def __init__(self) -> None:
        self._broker = MemoryBroker(maximum_packet_size=LIMIT_BYTES)

    def connection(self, client_id: str, filters: Sequence[str], will: Will | None) -> Connection:
        """Return a connection that is not started."""
        return self._broker.connect(client_id, filters, will)

    def crash(self, connection: Connection) -> None:
        """Let a client vanish without a goodbye."""
        assert isinstance(connection, MemoryConnection)
        connection.die()


class MosquittoLink:
    """A real broker, with the shipped configuration."""

    def __init__(self, running: RunningMosquitto) -> None:
        self._running = running

    def connection(self, client_id: str, filters: Sequence[str], will: Will | None) -> Connection:
        """Return a connection that is not started."""
        return self._running.connection(client_id, filters, will=will)

    def crash(self, connection: Connection) -> None:
        """Let a client vanish without a goodbye: its socket is closed under it, and it never comes back."""
        assert isinstance(connection, MqttConnection)
        connection._stop_at = time.monotonic()
        session = connection._session
        assert session is not None
        opened: Any = session._client.socket()
        opened.shutdown(socket.SHUT_RDWR)
        thread = connection._thread
        assert thread is not None
        thread.join(60)


class Place:
    """One test's corner of a broker: a root topic and client ids that nobody else uses."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.root = f"t{uuid.uuid4().hex}"
        self._made: list[Connection] = []

    def topic(self, name: str) -> str:
        """Return a topic or filter of this test's own."""
        return f"{self.root}/{name}"

    def client(self, name: str, *filters: str, will: Will | None = None) -> Connection:
        """Return a client that is connected and subscribed."""
        made = self.idle(name, *filters, will=will)
        made.start()
        wait_for(made, lambda item: isinstance(item, Notice) and item.kind == "connected")
        return made

    def idle(self, name: str, *filters: str, will: Will | None = None) -> Connection:
        """Return a client that is not started."""
        made = self.link.connection(f"{self.root}-{name}", filters, will)
        self._made.append(made)
        return made

    def clear(self) -> None:
        """Stop everything that was made here."""
        for connection in self._made:
            connection.stop(2.0)


def wait_for(connection: Connection, wanted: Callable[[Delivery | Notice], bool]) -> Delivery | Notice:
    """Receive until something wanted comes; what came before is dropped."""

    def look() -> list[Delivery | Notice]:
        return [item for item in connection.receive(1, 0.05) if wanted(item)]

    return until(look)[0]


def delivery(connection: Connection) -> Delivery:
    """Return the next delivery."""
    found = wait_for(connection, lambda item: isinstance(item, Delivery))
    assert isinstance(found, Delivery)
    return found


def notice(connection: Connection, kind: str) -> Notice:
    """Return the next notice of a kind."""
    found = wait_for(connection, lambda item: isinstance(item, Notice) and item.kind == kind)
    assert isinstance(found, Notice)
    return found


def payloads(connection: Connection, count: int) -> list[bytes]:
    """Return the next payloads, acknowledged."""
    found = []
    for _ in range(count):
        one = delivery(connection)
        connection.acknowledge(one)
        found.append(one.payload)
    return found
