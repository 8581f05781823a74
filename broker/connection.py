"""What a connection to a broker is: `broker.mqtt` provides a real one, `broker.memory` one for tests.

Both are held to `tests/broker/test_connection_contract.py`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Delivery:
    """One message as it came in. It stays the broker's until `Connection.acknowledge` is called with it."""

    topic: str
    payload: bytes
    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    retained: bool = False
    duplicate: bool = False
    token: object = field(default=None, compare=False, repr=False)
    """The connection's own mark for acknowledging."""
    arrived: float = field(default_factory=time.monotonic, compare=False, repr=False)
    """When it came in (monotonic)."""


@dataclass(frozen=True)
class Notice:
    """Something that happened to the connection itself. `kind` is one of the words below.

    `connected`, `disconnected`, `refused` (the account, or the protocol; the sentence says which),
    `taken-over` (another client has this id), `no-subscriber` (nobody listens on the topic), `quota`,
    `too-large`, `not-authorised`. Those that concern a topic come once when they begin and once, with
    `over`, at the next message on that topic that went well; the others are over at the next `connected`.
    """

    kind: str
    detail: str
    topic: str = ""
    over: bool = False


@dataclass(frozen=True)
class Capabilities:
    """What the broker said of itself in CONNACK (MQTT 5, 3.2.2.3); the defaults are the standard's."""

    maximum_packet_size: int | None = None
    receive_maximum: int = 65_535
    maximum_qos: int = 2
    retain_available: bool = True
    shared_subscription_available: bool = True
    wildcard_subscription_available: bool = True
    subscription_identifiers_available: bool = True
    topic_alias_maximum: int = 0
    session_expiry_s: int | None = None
    """None: as the client asked."""
    keep_alive_s: int | None = None
    """None: as the client asked."""


@dataclass(frozen=True)
class Will:
    """The last will: published, retained, by the broker when the client dies."""

    topic: str
    payload: bytes


class Connection(Protocol):
    """One client of a broker. Construction does no I/O; `start` returns at once and connects on the side.

    It subscribes to all its filters on every connect, reconnects for ever (1 s doubling to 60 s, ±25 %), and
    hands over what arrives through `receive`, in the caller's thread.
    """

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the client and its subscriptions."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the broker said at the latest connect."""
        ...

    def start(self) -> None:
        """Begin to connect. Returns at once, broker or none."""
        ...

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
        """Hand a message over with QoS 1. Raises Unreachable when not connected: nothing queues offline.

        Raises MessageError when the packet is larger than the broker takes. `on_acknowledged` is called, in
        another thread, when the broker's PUBACK has come; a lost connection forgets it.
        """
        ...

    def receive(self, limit: int, timeout_s: float) -> Sequence[Delivery | Notice]:
        """Return up to `limit` things that came in, waiting at most `timeout_s` for the first; [] if none."""
        ...

    def wake(self) -> None:
        """Make a waiting `receive` return at once; safe in any thread and in a signal handler."""
        ...

    def acknowledge(self, delivery: Delivery) -> None:
        """Tell the broker that the work is done; a delivery of an earlier connection is passed over."""
        ...

    def stop(self, deadline_s: float) -> None:
        """Send what is under way, disconnect cleanly, and return within `deadline_s` whatever happens."""
        ...
