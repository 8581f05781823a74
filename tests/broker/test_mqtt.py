"""The connection to a real broker: what goes wrong in the world, and what a broker may say."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from broker import mqtt_session
from broker.backoff import Backoff
from broker.connection import Delivery, Notice
from broker.errors import MessageError, Unreachable
from broker.inbox import Inbox
from broker.mqtt import MqttConnection
from broker.mqtt_client import Client
from tests.broker import scripted_broker as packets
from tests.broker.scripted_broker import ScriptedBroker, Visit
from tests.running_mosquitto import RunningMosquitto
from tests.waiting import until

Reach = Callable[..., MqttConnection]


def quick() -> Backoff:
    """Return waits that a test has time for."""
    return Backoff(0.02, 0.2)


@pytest.fixture
def reach() -> Iterator[Reach]:
    """`reach(port, "x/#", keepalive_s=1)`: a started connection, stopped after the test."""
    made: list[MqttConnection] = []

    def make(port: int, *filters: str, inbox: Inbox | None = None, **more: Any) -> MqttConnection:
        who = Client(
            **{"host": "127.0.0.1", "port": port, "client_id": "c", "subscriptions": filters, **more}
        )
        made.append(MqttConnection(who, inbox=inbox, backoff=quick()))
        made[-1].start()
        return made[-1]

    yield make
    for connection in made:
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


# The world.


def test_first_connect_is_tried_until_the_broker_is_there(
    own_mosquitto: RunningMosquitto, reach: Reach
) -> None:
    """A client that starts before its broker tells so once and is connected as soon as it can be."""
    own_mosquitto.kill()
    port = own_mosquitto.settings.broker.port
    connection = reach(port, credentials=own_mosquitto.account("store"))
    watch = Watch(connection)
    assert "Connection refused" in watch.notice("disconnected").detail
    with pytest.raises(Unreachable):
        connection.publish("x", b"")
    own_mosquitto.start()
    watch.notice("connected")
    assert ["disconnected", "connected"] == watch.kinds()


def test_killed_broker_is_noticed_and_found_again(own_mosquitto: RunningMosquitto, reach: Reach) -> None:
    """After kill -9 and a restart without any memory, the client is subscribed as before."""
    tester = {"credentials": own_mosquitto.account("tester")}
    port = own_mosquitto.settings.broker.port
    subscriber = Watch(wait_connected(reach(port, "x/#", client_id="s", **tester)))
    publisher = wait_connected(reach(port, client_id="p", **tester))
    own_mosquitto.kill()
    subscriber.notice("disconnected")
    until(lambda: not publisher.connected)
    own_mosquitto.start()
    until(lambda: subscriber.kinds() == ["connected", "disconnected", "connected"])
    wait_connected(publisher).publish("x/y", b"again")
    assert [b"again"] == until(subscriber.payloads)


def test_broker_that_says_nothing_any_more_is_noticed_by_keep_alive(reach: Reach) -> None:
    """A frozen broker costs about twice the keep-alive, not for ever."""

    def freeze(visit: Visit) -> None:
        visit.welcome()
        visit.until_left()

    with ScriptedBroker(freeze) as broker:
        watch = Watch(reach(broker.port, keepalive_s=1))
        watch.notice("disconnected")
        assert ["connected", "disconnected"] == watch.kinds()[:2]


def test_nothing_is_resent_after_a_reconnect(reach: Reach) -> None:
    """Only the ledger resends: a message without its PUBACK is forgotten with its connection."""

    def break_off(visit: Visit) -> None:
        visit.welcome()
        visit.published()

    def count(visit: Visit) -> int:
        visit.welcome()
        return visit.until_left()

    with ScriptedBroker(break_off, count) as broker:
        connection = reach(broker.port)
        watch = Watch(connection)
        wait_connected(connection).publish("x", b"1")
        until(lambda: watch.kinds() == ["connected", "disconnected", "connected"])
        connection.stop(2.0)
        assert [0] == until(lambda: broker.results[1:])


def test_two_clients_with_one_id_say_so_and_do_not_fight_fast(
    own_mosquitto: RunningMosquitto, reach: Reach
) -> None:
    """Both hear that somebody has their id, whether the broker says it or only cuts them off."""
    more = {"credentials": own_mosquitto.account("tester"), "client_id": "same"}
    both = [Watch(reach(own_mosquitto.settings.broker.port, **more)) for _ in range(2)]
    until(lambda: any("taken-over" in watch.kinds() for watch in both))
    assert all(watch.kinds().count("taken-over") <= 1 for watch in both)


def test_stop_returns_in_time_when_the_broker_never_answers(reach: Reach) -> None:
    """A broker that accepts the socket and says nothing cannot hold up the end."""
    with ScriptedBroker(Visit.until_left) as broker:
        connection = reach(broker.port)
        until(lambda: broker.visits)
        began = time.monotonic()
        connection.stop(1.0)
        assert time.monotonic() - began < 10
        assert connection._thread is not None
        connection._thread.join(10)
        assert not connection._thread.is_alive()


def test_stop_waits_for_what_is_under_way(reach: Reach) -> None:
    """A message published just before the end is answered before the goodbye."""

    def slow(visit: Visit) -> str:
        visit.welcome()
        _flags, packet_id = visit.published()
        visit.answer(packet_id)
        visit.expect(packets.DISCONNECT)
        return "goodbye"

    with ScriptedBroker(slow) as broker:
        connection = wait_connected(reach(broker.port))
        answered: list[bool] = []
        connection.publish("x", b"last", on_acknowledged=lambda: answered.append(True))
        connection.stop(10.0)
        assert [True] == answered
        assert ["goodbye"] == until(lambda: broker.results)


def test_socket_sends_small_packets_at_once(mosquitto: RunningMosquitto, connect: Reach) -> None:
    """TCP_NODELAY is on: without it a round trip takes 40 ms longer."""
    connection = wait_connected(connect(mosquitto, "nodelay"))
    assert connection._session is not None
    opened: Any = connection._session._client.socket()
    assert 1 == opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_unix_socket_is_a_host_that_begins_with_a_slash(
    mosquitto_program: Path, make_settings: Any, tmp_path: Path
) -> None:
    """The managed broker listens on a unix socket when the settings say so."""
    running = RunningMosquitto(make_settings(broker={"host": str(tmp_path / "mqtt.sock")}))
    running.start()
    connection = running.connection("unix", ["x"])
    connection.start()
    try:
        wait_connected(connection).publish("x", b"1")
        assert [b"1"] == until(Watch(connection).payloads)
    finally:
        connection.stop(2.0)
        running.kill()


# The inbox as back-pressure.


def test_full_inbox_pauses_reading_and_loses_nothing(mosquitto: RunningMosquitto, reach: Reach) -> None:
    """With room for five, five hundred arrive in order, and the connection outlives its keep-alive."""
    port, tester = mosquitto.settings.broker.port, mosquitto.account("tester")
    inbox = Inbox(5, 10**9)
    connection = wait_connected(
        reach(port, "bp/x", client_id="bp-s", keepalive_s=1, inbox=inbox, credentials=tester)
    )
    publisher = wait_connected(reach(port, client_id="bp-p", credentials=tester))
    sent = [str(i).encode() * 1000 for i in range(500)]
    for payload in sent:
        publisher.publish("bp/x", payload)
    until(lambda: inbox.full)
    pause_ends = time.monotonic() + 3.0
    until(lambda: time.monotonic() > pause_ends)
    assert connection.connected
    watch = Watch(connection)
    until(lambda: len(watch.take()) >= 501)
    assert sent == watch.payloads()
    assert ["connected"] == watch.kinds()


def test_client_that_takes_nothing_leaves_until_there_is_room(
    mosquitto: RunningMosquitto, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker need not queue for it without end."""
    monkeypatch.setattr(mqtt_session, "FULL_PATIENCE_S", 0.1)
    port, tester = mosquitto.settings.broker.port, mosquitto.account("tester")
    connection = wait_connected(
        reach(port, "fp/x", client_id="fp", credentials=tester, inbox=Inbox(1, 10**9))
    )
    connection.publish("fp/x", b"1")
    until(lambda: not connection.connected)
    watch = Watch(connection)
    assert "left until there is room" in watch.notice("disconnected").detail
    until(lambda: watch.kinds() == ["connected", "disconnected", "connected"])
    assert [b"1"] == watch.payloads()


# What must not end the network thread.


def test_failing_callback_of_an_acknowledgement_changes_nothing(
    mosquitto: RunningMosquitto, connect: Reach
) -> None:
    """The defect is logged, and the next message is acknowledged as ever."""
    connection = wait_connected(connect(mosquitto, "callback"))

    def fail() -> None:
        raise RuntimeError("a defect in a service")

    answered: list[bool] = []
    connection.publish("cb/x", b"", on_acknowledged=fail)
    connection.publish("cb/x", b"", on_acknowledged=lambda: answered.append(True))
    until(lambda: answered)
    assert connection.connected


class FailingOnce(Inbox):
    """An inbox with a defect that shows once."""

    failed = False

    def put(self, item: Delivery | Notice) -> None:
        """Fail at the first delivery."""
        if isinstance(item, Delivery) and not self.failed:
            self.failed = True
            raise RuntimeError("a defect of ours")
        super().put(item)


def test_exception_in_the_network_thread_costs_one_connection(
    mosquitto: RunningMosquitto, reach: Reach
) -> None:
    """It is told, and the thread connects again."""
    port, tester = mosquitto.settings.broker.port, mosquitto.account("tester")
    connection = wait_connected(reach(port, "ex/x", client_id="ex", credentials=tester, inbox=FailingOnce()))
    watch = Watch(connection)
    connection.publish("ex/x", b"1")
    assert "a defect of ours" in watch.notice("disconnected").detail
    until(lambda: watch.kinds() == ["connected", "disconnected", "connected"])
    connection.publish("ex/x", b"2")
    assert [b"2"] == until(watch.payloads)


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
def test_garbage_from_the_broker_costs_at_most_the_connection(reach: Reach, garbage: bytes) -> None:
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


# What a broker may say.


def test_refusal_is_told_once_in_words(reach: Reach) -> None:
    """A wrong password is named, and not again at every try."""
    with ScriptedBroker(lambda visit: visit.welcome(reason=0x86)) as broker:
        connection = reach(broker.port)
        watch = Watch(connection)
        until(lambda: broker.visits >= 4)
        notice = watch.notice("refused")
        assert "the broker does not know this user name or password (reason code 0x86)" == notice.detail
        assert ["refused"] == watch.kinds()
        assert not connection.connected


def test_refused_subscription_is_told_and_tried_again(reach: Reach) -> None:
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
def test_reason_for_a_disconnect_is_told_in_words(reach: Reach, reason: int, kind: str) -> None:
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
    reach: Reach, reason: int, kind: str, acknowledged: int
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


def test_limit_in_connack_is_obeyed(reach: Reach) -> None:
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


def test_limit_that_connack_does_not_name_is_learned(reach: Reach) -> None:
    """A message that was once too large is refused before it cuts the next connection."""

    def too_large(visit: Visit) -> None:
        visit.welcome()
        visit.published()
        visit.send(packets.DISCONNECT, bytes([0x95, 0]))

    def behave(visit: Visit) -> None:
        visit.welcome()
        visit.until_left()

    with ScriptedBroker(too_large, behave) as broker:
        connection = wait_connected(reach(broker.port))
        watch = Watch(connection)
        connection.publish("x", bytes(5000))
        until(lambda: watch.kinds() == ["connected", "too-large", "disconnected", "connected"])
        with pytest.raises(MessageError):
            connection.publish("x", bytes(5000))
        connection.publish("x", bytes(4000))


def test_receive_maximum_of_the_broker_is_obeyed(reach: Reach) -> None:
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


def test_broker_without_retained_messages_and_shared_subscriptions_is_obeyed(reach: Reach) -> None:
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
