"""What the page writes to its log stands in the event log: on a line within the process."""

import logging
from collections.abc import Iterator

import pytest

from broker.connection import Delivery
from broker.memory import MemoryBroker, MemoryConnection
from broker.messages import Event, decode
from dashboard.told import MOST, Told, tell
from tests.cli.fake_store import TOPICS
from tests.waiting import until


@pytest.fixture
def broker() -> MemoryBroker:
    """A broker within the process."""
    return MemoryBroker()


@pytest.fixture
def store(broker: MemoryBroker) -> Iterator[MemoryConnection]:
    """Who listens for events."""
    made = broker.connect("store", [TOPICS.events("+")])
    made.start()
    yield made
    made.stop(1.0)


def heard(store: MemoryConnection, wanted: int) -> list[Event]:
    """Return so many events, in the order in which they came."""
    found: list[Event] = []

    def enough() -> bool:
        for item in store.receive(100, 0.1):
            if isinstance(item, Delivery):
                found.append(decode(Event, item.payload, item.content_type))
                store.acknowledge(item)
        return len(found) >= wanted

    until(enough)
    return found


def test_what_is_told_is_in_the_log_and_an_event(
    broker: MemoryBroker, store: MemoryConnection, caplog: pytest.LogCaptureFixture
) -> None:
    """With its fields, or the detail alone; whatever level the log has."""
    with caplog.at_level(logging.ERROR, "dashboard"), Told(broker.connect("page", []), TOPICS):
        tell("info", "folder-dropped", folder="spring \ud800", files=3, by="anna")
        tell("warning", "download-broken-off", detail="not through after 600 s\x00")
        tell("error", "page-failed", page="/quality", error="KeyError", by="")
        found = heard(store, 3)
    assert [("dashboard", "main")] * 3 == [(one.service, one.instance) for one in found]
    assert [
        ("info", "folder-dropped", 'folder="spring \\ud800" files=3 by=anna'),
        ("warning", "download-broken-off", "not through after 600 s\\x00"),
        ("error", "page-failed", "page=/quality error=KeyError"),
    ] == [(one.level, one.event, one.detail) for one in found]
    assert ["page-failed"] == caplog.messages
    tell("info", "signed-out", name="anna")
    assert not store.receive(10, 0.2)


def test_events_wait_for_the_broker_the_latest_of_them(broker: MemoryBroker, store: MemoryConnection) -> None:
    """None is told twice."""
    broker.go_away()
    with Told(broker.connect("page", []), TOPICS):
        for number in range(MOST + 5):
            tell("info", "folder-dropped", files=number)
        broker.come_back()
        found = heard(store, MOST)
    assert [f"files={number}" for number in range(5, MOST + 5)] == [one.detail for one in found]


def test_event_that_cannot_be_told_is_said_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Which is no event again."""
    broker = MemoryBroker(maximum_packet_size=400)
    store = broker.connect("store", [TOPICS.events("+")])
    store.start()
    with Told(broker.connect("page", []), TOPICS):
        tell("info", "folder-dropped", folder="x" * 900)
        tell("info", "signed-in", name="anna")
        assert ["signed-in"] == [one.event for one in heard(store, 1)]
    assert 1 == caplog.messages.count("event-not-published")
