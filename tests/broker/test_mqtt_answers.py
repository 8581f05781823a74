"""What a broker may say, and what becomes of it; only a scripted one can be made to say all of this."""

import struct
from collections.abc import Iterator
from typing import Any

import pytest

from broker.connection import Notice
from broker.errors import MessageError
from broker.mqtt_session import Session
from tests.broker import scripted_broker as packets
from tests.broker.reaching import Reaching, Watch, wait_connected
from tests.broker.scripted_broker import ScriptedBroker, Visit
from tests.waiting import until


@pytest.fixture
def reach() -> Iterator[Reaching]:
    """Connections that are stopped after the test."""
    made = Reaching()
    yield made
    made.stop()


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\x00",
        b"\xf0\x00",
        b"\x40\x02\xff\xff",
        b"\x40\x04\x00\x01\xfe\x00",
        b"\x30\xff\xff\xff\xff\xff",
        b"\x32\x03\x00\x09x",
        b"\x32\x08\x00\x01x\x00\x01\x02\x63\x00",
        b"\x32\x08\x00\x01\xff\x00\x01\x00zz",
        b"\xe0\x01\xfe",
        b"\x90\x04\x00\x01\x00\xfe",
    ],
)
def test_garbage_from_the_broker_costs_at_most_the_connection(reach: Reaching, garbage: bytes) -> None:
    """Whatever a broker sends, the thread lives, and the next connection works."""

    def talk_nonsense(visit: Visit) -> None:
        visit.welcome()
        visit.subscribed()
        visit.raw(garbage)

    def behave(visit: Visit) -> None:
        visit.welcome()
        visit.subscribed()
        visit.send(packets.PUBLISH, struct.pack("!H", 1) + b"x" + b"\x00\x01" + b"\x00" + b"fine", flags=2)
        visit.until_left()

    with ScriptedBroker(talk_nonsense, behave) as broker:
        watch = Watch(reach(broker.port, "x"))
        until(lambda: b"fine" in watch.payloads())


def test_refusal_is_told_once_in_words(reach: Reaching) -> None:
    """A wrong password is named, and not again at every try."""
    with ScriptedBroker(lambda visit: visit.welcome(reason=0x86)) as broker:
        connection = reach(broker.port)
        watch = Watch(connection)
        until(lambda: broker.visits >= 4)
        notice = watch.notice("refused")
        assert "the broker does not know this user name or password (reason code 0x86)" == notice.detail
        assert ["refused"] == watch.kinds()
        assert not connection.connected


def test_refused_subscription_is_told_and_tried_again(reach: Reaching) -> None:
    """A service that hears nothing is not connected: an administrator mends its rights meanwhile."""

    def refuse(visit: Visit) -> None:
        visit.welcome()
        visit.subscribed(reason=0x87)

    def allow(visit: Visit) -> None:
        visit.welcome()
        visit.subscribed()
        visit.until_left()

    with ScriptedBroker(refuse, allow) as broker:
        watch = Watch(reach(broker.port, "secret/#"))
        watch.notice("connected")
        assert (
            "does not allow this account (reason code 0x87) to subscribe to secret/#"
            in watch.notice("refused").detail
        )


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (0x8E, "taken-over"),
        (0x97, "quota"),
        (0x96, "quota"),
        (0x95, "too-large"),
        (0x87, "not-authorised"),
        (0x9A, "refused"),
    ],
)
def test_reason_for_a_disconnect_is_told_in_words(reach: Reaching, reason: int, kind: str) -> None:
    """What the broker gives as its reason is a notice of its kind, then the disconnection."""

    def kick(visit: Visit) -> None:
        visit.welcome()
        visit.send(packets.DISCONNECT, bytes([reason, 0]))

    with ScriptedBroker(kick) as broker:
        watch = Watch(reach(broker.port))
        notice = watch.notice(kind)
        assert f"(reason code 0x{reason:02X})" in notice.detail
        assert notice.detail == watch.notice("disconnected").detail


@pytest.mark.parametrize(
    ("reason", "kind", "acknowledged"),
    [(0x10, "no-subscriber", 2), (0x87, "not-authorised", 1), (0x97, "quota", 1), (0x99, "refused", 1)],
)
def test_reason_of_an_answer_is_told_once_with_its_topic_and_once_its_end(
    reach: Reaching, reason: int, kind: str, acknowledged: int
) -> None:
    """Only what the broker has taken counts as acknowledged."""

    def answer(visit: Visit) -> None:
        visit.welcome()
        for code in (reason, 0):
            visit.answer(visit.published()[1], code)
        visit.until_left()

    with ScriptedBroker(answer) as broker:
        connection = wait_connected(reach(broker.port))
        calls: list[int] = []
        for i in range(2):
            connection.publish("some/topic", b"", on_acknowledged=lambda i=i: calls.append(i))  # type: ignore[misc]
        watch = Watch(connection)
        until(lambda: watch.kinds() == ["connected", kind, kind])
        begin, end = [item for item in watch.items if isinstance(item, Notice)][1:]
        assert ("some/topic", False) == (begin.topic, begin.over)
        assert ("some/topic", True) == (end.topic, end.over)
        until(lambda: len(calls) == acknowledged)


def test_limit_in_connack_is_obeyed(reach: Reaching) -> None:
    """A broker with a limit of 128 KiB never sees a larger packet; one that just fits is sent."""
    limit = 131_072
    overhead = 1 + 3 + 2 + 1 + 2 + 1

    def small(visit: Visit) -> int:
        visit.welcome(properties=struct.pack("!BI", packets.MAXIMUM_PACKET_SIZE, limit))
        return len(visit.expect(packets.PUBLISH)[1])

    with ScriptedBroker(small) as broker:
        connection = wait_connected(reach(broker.port))
        assert limit == connection.capabilities.maximum_packet_size
        with pytest.raises(MessageError, match="131073 bytes; the broker takes 131072"):
            connection.publish("x", bytes(limit - overhead + 1))
        connection.publish("x", bytes(limit - overhead))
        assert [limit - 4] == until(lambda: broker.results)


def too_large(visit: Visit) -> None:
    """Cut the client off for its first message, whose limit CONNACK did not name."""
    visit.welcome()
    visit.published()
    visit.send(packets.DISCONNECT, bytes([0x95, 0]))


def take_all(visit: Visit) -> None:
    """Take whatever comes."""
    visit.welcome()
    visit.until_left()


def test_limit_that_connack_does_not_name_is_learned(reach: Reaching) -> None:
    """A message that was once too large is refused before it cuts the next connection."""
    with ScriptedBroker(too_large, take_all) as broker:
        connection = wait_connected(reach(broker.port))
        watch = Watch(connection)
        connection.publish("x", bytes(5000))
        until(lambda: watch.kinds() == ["connected", "too-large", "disconnected", "connected"])
        with pytest.raises(MessageError):
            connection.publish("x", bytes(5000))
        connection.publish("x", bytes(4000))


def test_broker_that_says_too_large_before_the_sender_has_noted_it_is_learned_from(
    reach: Reaching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender's thread may be held up between handing a message over and noting it."""
    remember = Session._remember

    def late(session: Session, mid: int, sent: Any) -> None:
        until(lambda: session.kicked is not None)
        remember(session, mid, sent)

    monkeypatch.setattr(Session, "_remember", late)
    with ScriptedBroker(too_large, take_all) as broker:
        connection = wait_connected(reach(broker.port))
        watch = Watch(connection)
        connection.publish("x", bytes(5000))
        until(lambda: watch.kinds() == ["connected", "too-large", "disconnected", "connected"])
        with pytest.raises(MessageError):
            connection.publish("x", bytes(5000))


def test_receive_maximum_of_the_broker_is_obeyed(reach: Reaching) -> None:
    """With a Receive Maximum of one, the second message waits for the first one's answer."""

    def one_at_a_time(visit: Visit) -> list[int]:
        visit.welcome(properties=struct.pack("!BH", packets.RECEIVE_MAXIMUM, 1))
        _flags, first = visit.published()
        visit.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            visit.socket.recv(1)
        visit.socket.settimeout(20)
        visit.answer(first)
        _flags, second = visit.published()
        visit.answer(second)
        return [first, second]

    with ScriptedBroker(one_at_a_time) as broker:
        connection = wait_connected(reach(broker.port))
        connection.publish("x", b"1")
        connection.publish("x", b"2")
        assert [[1, 2]] == until(lambda: broker.results)


def test_broker_without_retained_messages_and_shared_subscriptions_is_obeyed(reach: Reaching) -> None:
    """Nothing is asked for that would end the connection."""

    def poor(visit: Visit) -> tuple[bytes, int]:
        visit.welcome(properties=bytes([packets.RETAIN_AVAILABLE, 0, packets.SHARED_AVAILABLE, 0]))
        wanted = visit.subscribed()
        flags, _packet_id = visit.published()
        return wanted, flags & 1

    with ScriptedBroker(poor) as broker:
        connection = wait_connected(reach(broker.port, "$share/predictors/x/+"))
        connection.publish("x/y", b"", retain=True)
        assert [(b"x/+", 0)] == until(lambda: broker.results)
