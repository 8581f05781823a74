"""A service's place on the line, on the in-memory broker."""

import threading
import time

import pytest

from broker.connection import Capabilities, Delivery
from broker.errors import Unreachable
from broker.line import Line
from broker.memory import MemoryBroker, MemoryConnection
from broker.messages import Event, Failure, Message, PixelBatch, Reject, Status, decode, encode, now
from broker.presence import will_of
from broker.topics import Topics

TOPICS = Topics()
BATCH = PixelBatch(batch_id="b1", source="shop", images=("a",), shape=(1, 1, 1), pixels=b"\0")


class Scene:
    """A broker, one who hears everything, and a service."""

    def __init__(self, *filters: str) -> None:
        self.broker = MemoryBroker()
        self.everything = self.broker.connect("watcher", [TOPICS.everything()])
        self.everything.start()
        self.connection = self.broker.connect("service", filters, will_of(TOPICS, "store", "main"))
        self.line = Line(self.connection, TOPICS, service="store", instance="main")

    def said(self) -> list[Delivery]:
        """Return everything that was published since the last look."""
        return [item for item in self.everything.receive(1000, 0.0) if isinstance(item, Delivery)]

    def states(self) -> list[str]:
        """Return the states that the service told since the last look."""
        found = [d for d in self.said() if TOPICS.kind(d.topic) == "status"]
        return [decode(Status, d.payload).state for d in found]

    def events(self) -> list[str]:
        """Return the events that the service told since the last look."""
        found = [d for d in self.said() if TOPICS.kind(d.topic) == "events"]
        return [decode(Event, d.payload).event for d in found]


def publisher(scene: Scene) -> MemoryConnection:
    """Return somebody else on the line."""
    other = scene.broker.connect("other", [])
    other.start()
    return other


def step(line: Line) -> list[Delivery]:
    """Let the line look at what came in."""
    return line.receive(limit=100, timeout_s=0.0)


def test_service_says_online_and_stopped() -> None:
    """Its status is retained: `online` after the connect, `stopped` at a clean end."""
    scene = Scene()
    with scene.line:
        step(scene.line)
        assert ["online"] == scene.states()
    assert ["stopped"] == scene.states()
    assert "stopped" == decode(Status, scene.broker.retained[TOPICS.status("store", "main")].payload).state


def test_service_that_crashes_says_offline() -> None:
    """Leaving takes the last will back, so the line says it itself."""
    scene = Scene()
    step(scene.line.__enter__())
    scene.line.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert ["online", "offline"] == scene.states()


def test_service_that_dies_is_offline_by_its_last_will() -> None:
    """Nobody is left to say it, so the broker does."""
    scene = Scene()
    with scene.line:
        step(scene.line)
        scene.connection.die()
        assert ["online", "offline"] == scene.states()


def test_announced_facts_stand_in_the_status_from_then_on() -> None:
    """`announce` publishes at once when it can, and every later status holds the facts."""
    scene = Scene()
    with scene.line:
        scene.line.announce(model="m1")
        assert [] == scene.said()
        step(scene.line)
        scene.line.announce(engine="tensorflow")
    details = [decode(Status, d.payload).detail for d in scene.said()]
    both = {"model": "m1", "engine": "tensorflow"}
    assert [{"model": "m1"}, both, both] == details


def test_kept_message_is_published_again_on_every_connect() -> None:
    """A broker that lost its disk gets the retained messages again."""
    scene = Scene()
    with scene.line:
        scene.line.keep(TOPICS.model(), BATCH)
        step(scene.line)
        scene.broker.go_away(forget=True)
        scene.broker.come_back()
        step(scene.line)
        assert encode(BATCH) == scene.broker.retained[TOPICS.model()].payload


def test_retained_messages_are_passed_over_where_nothing_is_retained() -> None:
    """A stale command that somebody retained is acknowledged and not seen; status and model are."""
    scene = Scene(TOPICS.pixels(), TOPICS.model())
    other = publisher(scene)
    other.publish(TOPICS.pixels("shop"), b"stale", retain=True)
    other.publish(TOPICS.model(), b"model", retain=True)
    with scene.line:
        assert [b"model"] == [d.payload for d in step(scene.line)]
        assert 1 == len(scene.connection.unacknowledged)


def test_broker_away_is_one_event_at_its_beginning_and_one_at_its_end() -> None:
    """However often it is tried meanwhile; both are told once the broker is back."""
    scene = Scene()
    with scene.line:
        step(scene.line)
        scene.said()
        scene.broker.go_away()
        step(scene.line)
        for _ in range(3):
            assert not scene.line.begin("broker-away", "again")
        with pytest.raises(Unreachable):
            scene.line.publish(TOPICS.events("store"), BATCH)
        scene.broker.come_back()
        step(scene.line)
        assert ["broker-away", "broker-away-over"] == scene.events()


def test_latest_events_wait_for_the_broker() -> None:
    """Two hundred are kept, the oldest are dropped first."""
    scene = Scene()
    scene.broker.go_away()
    with scene.line:
        for i in range(250):
            scene.line.event("info", f"e{i}", "")
        scene.broker.come_back()
        step(scene.line)
        latest = [f"e{i}" for i in range(51, 250)]
        assert [*latest, "broker-away", "broker-away-over"] == scene.events()


def test_event_with_any_text_is_published() -> None:
    """Half characters of a file name and NUL are written out, and an endless text is cut."""
    scene = Scene()
    with scene.line:
        step(scene.line)
        scene.said()
        scene.line.event("error", "unreadable", "name \udcff\x00 " + "x" * 5000)
        found = decode(Event, scene.said()[0].payload)
    assert found.detail.startswith("name \\udcff\\x00 xxx")
    assert 1000 == len(found.detail)


def test_rejected_message_is_published_told_and_acknowledged() -> None:
    """The reject holds the topic, the reason, the first bytes and what could be read of the batch."""
    scene = Scene(TOPICS.failures())
    with scene.line:
        step(scene.line)
        publisher(scene).publish(TOPICS.failures("shop"), b"\xff" * 100)
        found = step(scene.line)[0]
        scene.said()
        scene.line.reject(found, "not-decodable", "line\0", batch_id="b1", images=("a",))
        assert {} == scene.connection.unacknowledged
    said = scene.said()
    assert [TOPICS.rejects("store"), TOPICS.events("store")] == [d.topic for d in said[:2]]
    reject = decode(Reject, said[0].payload)
    assert (TOPICS.failures("shop"), "not-decodable", "line\\x00") == (
        reject.topic,
        reject.reason,
        reject.detail,
    )
    assert (b"\xff" * 64, 100, "b1", ("a",)) == (
        reject.first_bytes,
        reject.size_bytes,
        reject.batch_id,
        reject.images,
    )


def test_reject_that_the_broker_never_takes_is_told_and_acknowledged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A message that cannot be put aside does not come again for ever."""
    scene = Scene(TOPICS.failures())
    with scene.line:
        step(scene.line)
        publisher(scene).publish(TOPICS.failures("shop"), b"x")
        found = step(scene.line)[0]
        scene.said()
        scene.broker.capabilities = Capabilities(maximum_packet_size=330)
        scene.line.reject(found, "not-decodable", "x" * 80, images=("y" * 5000,))
        assert {} == scene.connection.unacknowledged
    assert "reject-lost" in caplog.text


def test_reject_without_a_broker_does_not_acknowledge() -> None:
    """The message comes again instead of being lost."""
    scene = Scene(TOPICS.failures())
    with scene.line:
        step(scene.line)
        publisher(scene).publish(TOPICS.failures("shop"), b"x")
        found = step(scene.line)[0]
        scene.broker.go_away()
        with pytest.raises(Unreachable):
            scene.line.reject(found, "not-decodable", "")


@pytest.mark.parametrize(
    ("topic", "events"),
    [
        (TOPICS.pixels("shop"), ["no-predictor", "no-predictor-over"]),
        (TOPICS.failures("shop"), ["no-store", "no-store-over"]),
        (TOPICS.receipts("shop"), []),
    ],
)
def test_nobody_listening_is_an_event_where_somebody_must(topic: str, events: list[str]) -> None:
    """It is told who is missing, once at its beginning and once at its end."""
    scene = Scene()
    scene.everything.stop(0.0)
    log = scene.broker.connect("log", [TOPICS.events()])
    log.start()
    message: Message = Failure(
        batch_id="b", job_id="b", source="shop", image="a", reason="x", detail="", failed_at=now()
    )
    with scene.line:
        for _ in range(2):
            scene.line.publish(topic, message)
            step(scene.line)
        listener = scene.broker.connect("listener", [topic])
        listener.start()
        scene.line.publish(topic, message)
        step(scene.line)
    found = [decode(Event, d.payload).event for d in log.receive(100, 0.0) if isinstance(d, Delivery)]
    assert events == found


def test_stop_ends_waiting_in_receive_and_in_pause() -> None:
    """Another thread, or a signal, ends both at once."""
    scene = Scene()
    with scene.line as line:
        step(line)
        threading.Thread(target=line.stop).start()
        began = time.monotonic()
        line.receive(limit=1, timeout_s=60.0)
        line.pause(60.0)
        assert time.monotonic() - began < 30
        assert line.stopping


def test_wake_ends_waiting_without_a_stop() -> None:
    """A watcher's thread makes the loop look at its own work."""
    scene = Scene()
    with scene.line as line:
        step(line)
        line.wake()
        assert [] == line.receive(limit=1, timeout_s=60.0)
        assert not line.stopping


def test_publish_passes_properties_on() -> None:
    """Content type by kind of message, and what a request asks for."""
    scene = Scene()
    with scene.line as line:
        step(line)
        scene.said()
        line.publish(TOPICS.pixels("shop"), BATCH, response_topic="r", correlation_data=b"c")
        line.publish_bytes(TOPICS.pixels("shop"), b"{}", content_type="application/json")
    found = [(d.content_type, d.response_topic, d.correlation_data) for d in scene.said()[:2]]
    assert [("application/msgpack", "r", b"c"), ("application/json", None, None)] == found
