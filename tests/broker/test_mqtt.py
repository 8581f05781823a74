"""The connection to a real broker: what goes wrong in the world."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from broker import mqtt_session
from broker.connection import Delivery, Notice
from broker.errors import Unreachable
from broker.inbox import Inbox
from broker.mqtt import MqttConnection
from tests.broker import scripted_broker as packets
from tests.broker.reaching import Reaching, Watch, wait_connected
from tests.broker.scripted_broker import ScriptedBroker, Visit
from tests.running_mosquitto import RunningMosquitto
from tests.waiting import until

Connect = Callable[..., MqttConnection]


@pytest.fixture
def reach() -> Iterator[Reaching]:
    """Connections that are stopped after the test."""
    made = Reaching()
    yield made
    made.stop()


def test_first_connect_is_tried_until_the_broker_is_there(
    own_mosquitto: RunningMosquitto, reach: Reaching
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


def test_killed_broker_is_noticed_and_found_again(own_mosquitto: RunningMosquitto, reach: Reaching) -> None:
    """After kill -9 and a restart without any memory, the client is subscribed as before."""
    tester: dict[str, Any] = {"credentials": own_mosquitto.account("tester")}
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


def test_broker_that_says_nothing_any_more_is_noticed_by_keep_alive(reach: Reaching) -> None:
    """A frozen broker costs about twice the keep-alive, not for ever."""

    def freeze(visit: Visit) -> None:
        visit.welcome()
        visit.until_left()

    with ScriptedBroker(freeze) as broker:
        watch = Watch(reach(broker.port, keepalive_s=1))
        watch.notice("disconnected")
        assert ["connected", "disconnected"] == watch.kinds()[:2]


def test_nothing_is_resent_after_a_reconnect(reach: Reaching) -> None:
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
    own_mosquitto: RunningMosquitto, reach: Reaching
) -> None:
    """Both hear that somebody has their id, whether the broker says it or only cuts them off."""
    more: dict[str, Any] = {"credentials": own_mosquitto.account("tester"), "client_id": "same"}
    both = [Watch(reach(own_mosquitto.settings.broker.port, **more)) for _ in range(2)]
    until(lambda: any("taken-over" in watch.kinds() for watch in both))
    assert all(watch.kinds().count("taken-over") <= 1 for watch in both)


def test_stop_returns_in_time_when_the_broker_never_answers(reach: Reaching) -> None:
    """A broker that accepts the socket and says nothing cannot hold up the end."""
    with ScriptedBroker(Visit.until_left) as broker:
        connection = reach(broker.port)
        until(lambda: broker.visits)
        began = time.monotonic()
        connection.stop(1.0)
        assert time.monotonic() - began < 10
        assert connection._thread is not None
        connection._thread.join(60)
        assert not connection._thread.is_alive()


def test_stop_waits_for_what_is_under_way(reach: Reaching) -> None:
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


def test_socket_sends_small_packets_at_once(mosquitto: RunningMosquitto, connect: Connect) -> None:
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


def test_full_inbox_pauses_reading_and_loses_nothing(mosquitto: RunningMosquitto, reach: Reaching) -> None:
    """With room for five, five hundred arrive in order."""
    port, tester = mosquitto.settings.broker.port, mosquitto.account("tester")
    inbox = Inbox(5, 10**9)
    connection = wait_connected(reach(port, "bp/x", client_id="bp-s", inbox=inbox, credentials=tester))
    publisher = wait_connected(reach(port, client_id="bp-p", credentials=tester))
    sent = [str(i).encode() * 1000 for i in range(500)]
    for payload in sent:
        publisher.publish("bp/x", payload)
    until(lambda: inbox.full)
    watch = Watch(connection)
    until(lambda: len(watch.take()) >= 501)
    assert sent == watch.payloads()
    assert ["connected"] == watch.kinds()


def test_pings_go_on_while_nothing_is_read(reach: Reaching) -> None:
    """The connection outlives its keep-alive, though the broker's answers cannot be seen meanwhile."""
    pings: list[int] = []

    def fill(visit: Visit) -> None:
        visit.welcome()
        visit.subscribed()
        visit.send(packets.PUBLISH, b"\x00\x01x\x00hello")
        while len(pings) < 4:
            if visit.read()[0] == packets.PINGREQ:
                pings.append(broker.visits)

    inbox = Inbox(1, 10**9)
    with ScriptedBroker(fill) as broker:
        reach(broker.port, "x", keepalive_s=1, inbox=inbox)
        until(lambda: len(pings) == 4)
        assert inbox.full
    assert [1, 1, 1, 1] == pings


def test_client_that_takes_nothing_leaves_until_there_is_room(
    mosquitto: RunningMosquitto, reach: Reaching, monkeypatch: pytest.MonkeyPatch
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
    until(lambda: watch.kinds()[:3] == ["connected", "disconnected", "connected"])
    until(lambda: {b"1"} == set(watch.payloads()))


# What must not end the network thread.


def test_failing_callback_of_an_acknowledgement_changes_nothing(
    mosquitto: RunningMosquitto, connect: Connect
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
    mosquitto: RunningMosquitto, reach: Reaching
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
