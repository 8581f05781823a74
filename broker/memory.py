"""A broker within the process, with the promises of a real one; public, for whoever tests a service.

    broker = MemoryBroker()
    agent = broker.connect("agent", [topics.receipts("shop")])
    agent.start()

QoS 1, topic filters, `$share` by turns, retained messages, last wills. A session-keeping client
(`clean=False`) gets what it has not acknowledged again after a reconnect; a clean one never does. Nothing
waits for a clock: clients are back as soon as the broker is. `tests/broker/test_connection_contract.py` holds
this broker and the real one to the same promises.
"""

import itertools
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from broker.connection import Capabilities, Delivery, Notice, Will
from broker.errors import MessageError, Unreachable
from broker.inbox import Inbox
from broker.notices import TopicTroubles
from broker.topics import check_topic, matches

Fate = Literal["pass", "lose", "repeat", "hold"]
Fault = Callable[[str, Delivery], Fate]
"""Decides for one delivery to one client id; what is held comes with `MemoryBroker.release`."""


class MemoryConnection:
    """One client of a `MemoryBroker`; a `broker.connection.Connection`."""

    def __init__(
        self,
        broker: "MemoryBroker",
        client_id: str,
        subscriptions: Sequence[str],
        will: Will | None,
        *,
        clean: bool,
    ) -> None:
        self.client_id = client_id
        self.subscriptions = tuple(subscriptions)
        self.will = will
        self.clean = clean
        self.inbox = Inbox()
        self.inbox.on_space = self.pump
        self.troubles = TopicTroubles()
        self.waiting: deque[Delivery] = deque()
        self.unacknowledged: dict[object, Delivery] = {}
        self.running = False
        self.online = False
        self._broker = broker

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the client and its subscriptions."""
        return self.online

    @property
    def capabilities(self) -> Capabilities:
        """What the broker said at the latest connect."""
        return self._broker.capabilities

    def start(self) -> None:
        """Connect, or wait for the broker to come back."""
        self._broker.attach(self)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        content_type: str | None = None,
        response_topic: str | None = None,
        correlation_data: bytes | None = None,
        on_acknowledged: Callable[[], None] | None = None,
    ) -> None:
        """Hand a message over; `on_acknowledged` is called before this returns."""
        if not self.online:
            raise Unreachable("not connected to the broker")
        message = Delivery(topic, bytes(payload), content_type, response_topic, correlation_data)
        self._broker.route(self, message, retain=retain)
        if on_acknowledged is not None:
            on_acknowledged()

    def receive(self, limit: int, timeout_s: float) -> Sequence[Delivery | Notice]:
        """Return up to `limit` things that came in, waiting at most `timeout_s` for the first; [] if none."""
        return self.inbox.take(limit, timeout_s)

    def wake(self) -> None:
        """Make a waiting `receive` return at once."""
        self.inbox.wake()

    def acknowledge(self, delivery: Delivery) -> None:
        """Tell the broker that the work is done; a delivery of an earlier connection is passed over."""
        with self._broker.lock:
            self.unacknowledged.pop(delivery.token, None)

    def stop(self, deadline_s: float) -> None:  # noqa: ARG002 - the interface's; nothing waits here
        """Leave cleanly: no last will."""
        self._broker.detach(self, "stopped", last_will=False)

    def die(self) -> None:
        """Vanish as a killed process does: the broker publishes the last will; nothing comes back."""
        self._broker.detach(self, "died", last_will=True)

    def pump(self) -> None:
        """Hand over what waits, as far as there is room."""
        with self._broker.lock:
            while self.waiting and self.online and not self.inbox.full:
                delivery = self.waiting.popleft()
                self.unacknowledged[delivery.token] = delivery
                self.inbox.put(delivery)

    def take(self, delivery: Delivery) -> None:
        """Queue one delivery for this client (called by the broker)."""
        self.waiting.append(delivery)
        self.pump()


class MemoryBroker:
    """The broker; `go_away`, `come_back` and `fault` are its switches for tests."""

    def __init__(self, *, maximum_packet_size: int | None = None) -> None:
        self.capabilities = Capabilities(maximum_packet_size=maximum_packet_size)
        self.lock = threading.RLock()
        self.fault: Fault | None = None
        self.retained: dict[str, Delivery] = {}
        self._up = True
        self._clients: dict[str, MemoryConnection] = {}
        self._turns: dict[str, int] = {}
        self._tokens = itertools.count(1)
        self._held: list[tuple[str, Delivery]] = []

    def connect(
        self, client_id: str, subscriptions: Sequence[str], will: Will | None = None, *, clean: bool = True
    ) -> MemoryConnection:
        """Return a client that is not started yet."""
        return MemoryConnection(self, client_id, subscriptions, will, clean=clean)

    def go_away(self, *, forget: bool = False) -> None:
        """End as a broker that is killed: no last wills; with `forget` its disk is lost, too."""
        with self.lock:
            self._up = False
            self._held.clear()
            for client in self._clients.values():
                self._cut(client, "the broker is gone")
                if forget:
                    client.waiting.clear()
                    client.unacknowledged.clear()
            if forget:
                self.retained.clear()

    def come_back(self) -> None:
        """Be there again; all clients are connected before this returns."""
        with self.lock:
            self._up = True
            for client in self._clients.values():
                self._welcome(client)

    def cut(self, client_id: str) -> None:
        """Break one client's connection; its last will is published, and it is back at once."""
        with self.lock:
            client = self._clients[client_id]
            self._cut(client, "the connection was lost")
            self._say_will(client)
            self._welcome(client)

    def release(self, shuffle: random.Random | None = None) -> int:
        """Hand over what `fault` held back, in another order if asked; return how much it was."""
        with self.lock:
            held, self._held = self._held, []
            if shuffle is not None:
                shuffle.shuffle(held)
            for client_id, delivery in held:
                if client_id in self._clients:
                    self._clients[client_id].take(delivery)
            return len(held)

    def attach(self, client: MemoryConnection) -> None:
        """Take a client in (called by its `start`); an older one with its id is put out."""
        with self.lock:
            older = self._clients.get(client.client_id)
            if older is not None and older is not client:
                older.inbox.put(Notice("taken-over", f"another client is called {client.client_id}"))
                self._cut(older, "another client took the connection over")
                older.running = False
                if not client.clean:
                    client.waiting, older.waiting = older.waiting, deque()
            self._clients[client.client_id] = client
            client.running = True
            if self._up:
                self._welcome(client)
            else:
                client.inbox.put(Notice("disconnected", "the broker is not there"))

    def detach(self, client: MemoryConnection, why: str, *, last_will: bool) -> None:
        """Let a client go (called by its `stop` and `die`); a kept session goes on collecting."""
        with self.lock:
            was_online = client.online
            client.running = False
            self._cut(client, why)
            if client.clean and self._clients.get(client.client_id) is client:
                del self._clients[client.client_id]
            if last_will and was_online:
                self._say_will(client)

    def route(self, sender: MemoryConnection, message: Delivery, *, retain: bool) -> None:
        """Hand a message to everybody who subscribed to it (called by `publish`)."""
        check_topic(message.topic)
        limit = self.capabilities.maximum_packet_size
        if limit is not None and len(message.payload) + len(message.topic) > limit:
            raise MessageError(f"{message.topic}: {len(message.payload)} bytes, the broker takes {limit}")
        with self.lock:
            if self._spread(message, retain=retain):
                notices = sender.troubles.end(message.topic)
            else:
                notices = sender.troubles.begin("no-subscriber", message.topic, "nobody listens on")
            for notice in notices:
                sender.inbox.put(notice)

    def _spread(self, message: Delivery, *, retain: bool) -> int:
        if retain and message.payload:
            self.retained[message.topic] = replace(message, retained=True)
        elif retain:
            self.retained.pop(message.topic, None)
        receivers = self._receivers(message.topic)
        for client in receivers:
            self._hand(client, message)
        return len(receivers)

    def _receivers(self, topic: str) -> list[MemoryConnection]:
        plain, shared = [], dict[str, list[MemoryConnection]]()
        for client in self._clients.values():
            hits = [wanted for wanted in client.subscriptions if matches(wanted, topic)]
            if not client.online and client.clean:
                continue
            if any(not wanted.startswith("$share/") for wanted in hits):
                plain.append(client)
            for wanted in hits:
                if wanted.startswith("$share/"):
                    shared.setdefault(wanted, []).append(client)
        return plain + [self._next(wanted, members) for wanted, members in shared.items()]

    def _next(self, wanted: str, members: list[MemoryConnection]) -> MemoryConnection:
        turn = self._turns.get(wanted, 0)
        self._turns[wanted] = turn + 1
        return members[turn % len(members)]

    def _hand(self, client: MemoryConnection, message: Delivery) -> None:
        delivery = replace(message, token=next(self._tokens))
        fate = self.fault(client.client_id, delivery) if self.fault is not None else "pass"
        if fate == "hold":
            self._held.append((client.client_id, delivery))
        elif fate != "lose":
            client.take(delivery)
        if fate == "repeat":
            client.take(replace(message, duplicate=True, token=next(self._tokens)))

    def _welcome(self, client: MemoryConnection) -> None:
        if client.online or not client.running:
            return
        client.online = True
        client.inbox.put(Notice("connected", "connected to the broker within the process"))
        again = [
            replace(item, duplicate=True, token=next(self._tokens)) for item in client.unacknowledged.values()
        ]
        client.unacknowledged.clear()
        client.waiting.extendleft(reversed(again))
        for topic, message in self.retained.items():
            if any(not w.startswith("$share/") and matches(w, topic) for w in client.subscriptions):
                self._hand(client, message)
        client.pump()

    def _cut(self, client: MemoryConnection, why: str) -> None:
        if not client.online:
            return
        client.online = False
        client.inbox.put(Notice("disconnected", why))
        if client.clean:
            client.waiting.clear()
            client.unacknowledged.clear()

    def _say_will(self, client: MemoryConnection) -> None:
        if client.will is not None:
            self._spread(Delivery(client.will.topic, client.will.payload), retain=True)
