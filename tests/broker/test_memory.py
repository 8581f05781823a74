"""The in-memory broker's switches for tests; its promises are in the contract."""

import random

import pytest

from broker.connection import Delivery, Notice
from broker.errors import Unreachable
from broker.memory import Fate, MemoryBroker, MemoryConnection


def pair(*, clean: bool = True) -> tuple[MemoryBroker, MemoryConnection, MemoryConnection]:
    """Return a broker, a subscriber of `x` and a publisher."""
    broker = MemoryBroker()
    subscriber = broker.connect("s", ["x"], clean=clean)
    publisher = broker.connect("p", [])
    subscriber.start()
    publisher.start()
    return broker, subscriber, publisher


def deliveries(connection: MemoryConnection) -> list[Delivery]:
    """Return everything that is there."""
    return [item for item in connection.receive(1000, 0.0) if isinstance(item, Delivery)]


def kinds(connection: MemoryConnection) -> list[str]:
    """Return what happened to the connection."""
    return [item.kind for item in connection.receive(1000, 0.0) if isinstance(item, Notice)]


def test_unacknowledged_deliveries_come_again_to_a_kept_session() -> None:
    """After a reconnect they are marked as duplicates and come before anything newer."""
    broker, subscriber, publisher = pair(clean=False)
    for payload in (b"1", b"2", b"3"):
        publisher.publish("x", payload)
    first = deliveries(subscriber)
    subscriber.acknowledge(first[0])
    broker.cut("s")
    publisher.publish("x", b"4")
    again = deliveries(subscriber)
    assert [(b"2", True), (b"3", True), (b"4", False)] == [(d.payload, d.duplicate) for d in again]


def test_acknowledging_an_earlier_delivery_leaves_the_repeated_one_open() -> None:
    """The repeated delivery has a mark of its own."""
    broker, subscriber, publisher = pair(clean=False)
    publisher.publish("x", b"1")
    first = deliveries(subscriber)[0]
    broker.cut("s")
    assert [b"1"] == [d.payload for d in deliveries(subscriber)]
    subscriber.acknowledge(first)
    broker.cut("s")
    assert [b"1"] == [d.payload for d in deliveries(subscriber)]


def test_kept_session_collects_while_its_client_is_away() -> None:
    """What is published meanwhile comes when it is back."""
    _broker, subscriber, publisher = pair(clean=False)
    subscriber.stop(0.0)
    publisher.publish("x", b"1")
    subscriber.start()
    assert [b"1"] == [d.payload for d in deliveries(subscriber)]


def test_broker_that_goes_away_is_unreachable_until_it_comes_back() -> None:
    """Clients are told of both, and are subscribed again without doing anything."""
    broker, subscriber, publisher = pair()
    broker.go_away()
    with pytest.raises(Unreachable):
        publisher.publish("x", b"")
    broker.come_back()
    publisher.publish("x", b"1")
    assert ["connected", "disconnected", "connected"] == kinds(publisher)
    assert [b"1"] == [d.payload for d in deliveries(subscriber)]


def test_broker_that_lost_its_disk_has_forgotten_sessions_and_retained_messages() -> None:
    """Only what the clients say again is there."""
    broker, subscriber, publisher = pair(clean=False)
    publisher.publish("r", b"retained", retain=True)
    publisher.publish("x", b"1")
    deliveries(subscriber)
    broker.go_away(forget=True)
    broker.come_back()
    later = broker.connect("l", ["r"])
    later.start()
    assert [] == deliveries(subscriber) + deliveries(later)


def test_client_that_starts_before_the_broker_is_connected_later() -> None:
    """The first connect is a reconnect like any other."""
    broker = MemoryBroker()
    broker.go_away()
    client = broker.connect("c", [])
    client.start()
    broker.come_back()
    assert ["disconnected", "connected"] == kinds(client)


@pytest.mark.parametrize(
    ("fate", "expected"), [("pass", [b"1"]), ("lose", []), ("repeat", [b"1", b"1"]), ("hold", [])]
)
def test_fault_decides_what_becomes_of_a_delivery(fate: Fate, expected: list[bytes]) -> None:
    """Each delivery can pass, be lost, come twice, or be held."""
    broker, subscriber, publisher = pair()
    broker.fault = lambda client_id, _delivery: fate if client_id == "s" else "pass"
    publisher.publish("x", b"1")
    assert expected == [d.payload for d in deliveries(subscriber)]


def test_held_deliveries_come_with_release_in_another_order() -> None:
    """Delay and reorder are one switch."""
    broker, subscriber, publisher = pair()
    broker.fault = lambda _client_id, _delivery: "hold"
    sent = [bytes([i]) for i in range(20)]
    for payload in sent:
        publisher.publish("x", payload)
    assert 20 == broker.release(random.Random(1))
    found = [d.payload for d in deliveries(subscriber)]
    assert sent == sorted(found)
    assert sent != found


def test_full_inbox_makes_the_broker_wait() -> None:
    """What does not fit comes when there is room, in order."""
    _broker, subscriber, publisher = pair()
    sent = [str(i).encode() for i in range(2500)]
    for payload in sent:
        publisher.publish("x", payload)
    found = []
    while batch := deliveries(subscriber):
        found += [d.payload for d in batch]
    assert sent == found


def test_taken_over_client_is_told_so() -> None:
    """The newer client with the same id has the connection."""
    broker, subscriber, _publisher = pair()
    newer = broker.connect("s", ["x"])
    newer.start()
    assert ["connected", "taken-over", "disconnected"] == kinds(subscriber)
    assert (False, True) == (subscriber.connected, newer.connected)
