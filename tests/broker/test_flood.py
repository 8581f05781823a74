"""A client that floods the broker is stopped before the memory is, and the others go on."""

import functools
import time
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker import mqtt_session
from broker.connection import Delivery, Notice
from broker.errors import Unreachable
from broker.inbox import Inbox
from tests.broker.reaching import Reaching, Watch, wait_connected
from tests.conftest import MakeSettings
from tests.running_mosquitto import TESTER, RunningMosquitto
from tests.waiting import free_port, until

MEMORY_MB = 40
PAYLOAD = bytes(200_000)


@pytest.fixture
def small_broker(mosquitto_program: Path, make_settings: MakeSettings) -> RunningMosquitto:
    """A broker that may hold little."""
    return RunningMosquitto(
        make_settings(broker={"port": free_port(), "memory_mb": MEMORY_MB, "max_clients": 10})
    )


def resident_mb(pid: int) -> float:
    """Return how much memory a process holds."""
    line = next(
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


def test_flooding_client_is_cut_off_and_nobody_loses_what_was_answered(
    small_broker: RunningMosquitto,
) -> None:
    """The broker's memory stays bounded; when there is room again, everybody goes on."""
    small_broker.start()
    reach = Reaching()
    port = small_broker.settings.broker.port
    try:
        inbox = Inbox(2, 10**6)
        slow = wait_connected(reach(port, "x/#", client_id="slow", credentials=TESTER, inbox=inbox))
        flooder = wait_connected(reach(port, client_id="flood", credentials=TESTER))
        answered: list[int] = []
        sent, was_cut_off, most_mb = 0, False, 0.0
        deadline = time.monotonic() + 30
        while not was_cut_off and time.monotonic() < deadline:
            try:
                number = sent.to_bytes(4, "big")
                done = functools.partial(answered.append, sent)
                flooder.publish("x/y", number + PAYLOAD, on_acknowledged=done)
                sent += 1
            except Unreachable:
                was_cut_off = True
            most_mb = max(most_mb, resident_mb(small_broker.pid))
            time.sleep(0.001)
        flooder.stop(0.1)
        assert was_cut_off
        assert most_mb < MEMORY_MB + 30
        other = wait_connected(reach(port, "good/#", client_id="other", credentials=TESTER))
        came: list[int] = []

        def all_came() -> bool:
            for item in slow.receive(10, 0.05):
                if isinstance(item, Delivery):
                    came.append(int.from_bytes(item.payload[:4], "big"))
                    slow.acknowledge(item)
            return set(answered) <= set(came)

        until(all_came)
        other.publish("good/x", b"hello")
        watch = Watch(other)
        until(lambda: b"hello" in watch.payloads())
    finally:
        reach.stop()
        small_broker.kill()


def absent_reader(port: int) -> None:
    """Subscribe with QoS 1 and a session that never ends, and leave."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="absent", protocol=paho.MQTTv5)
    client.username_pw_set(TESTER.user, TESTER.password)
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 0xFFFFFFFF
    subscribed: list[object] = []
    client.on_subscribe = lambda *_: subscribed.append(_)
    client.connect("127.0.0.1", port, properties=properties)
    until(lambda: not client.loop(0.05) and client.is_connected())
    client.subscribe("x/#", qos=1)
    until(lambda: not client.loop(0.05) and bool(subscribed))
    client.disconnect()
    while client.loop(0.05) == 0:
        pass


def test_reader_that_stays_away_costs_nobody_the_line(small_broker: RunningMosquitto) -> None:
    """Three times the broker's memory goes by while its session waits; a service misses none of it."""
    small_broker.start()
    reach = Reaching()
    port = small_broker.settings.broker.port
    try:
        absent_reader(port)
        service = wait_connected(reach(port, "x/#", client_id="service", credentials=TESTER))
        sender = wait_connected(reach(port, client_id="sender", credentials=TESTER))
        came: list[int] = []
        for number in range(3 * MEMORY_MB * 1_000_000 // len(PAYLOAD)):
            sender.publish("x/y", number.to_bytes(4, "big") + PAYLOAD)
            while len(came) <= number:
                for item in service.receive(10, 1.0):
                    if isinstance(item, Delivery):
                        came.append(int.from_bytes(item.payload[:4], "big"))
                        service.acknowledge(item)
                    else:
                        assert "connected" == item.kind
        assert list(range(len(came))) == came
        assert resident_mb(small_broker.pid) < MEMORY_MB + 30
        late = wait_connected(reach(port, client_id="late", credentials=TESTER))
        late.publish("x/y", b"let in")
    finally:
        reach.stop()
        small_broker.kill()


def test_service_that_is_slow_misses_nothing(
    small_broker: RunningMosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds more than an absent client may, in more messages than any Receive Maximum of before."""
    monkeypatch.setattr(mqtt_session, "FULL_PATIENCE_S", 600.0)  # however long the machine takes to send them
    small_broker.start()
    reach = Reaching()
    port = small_broker.settings.broker.port
    number, payload = 3000, bytes(5000)
    try:
        slow = wait_connected(reach(port, "x/#", client_id="slow", credentials=TESTER, inbox=Inbox(2, 10**6)))
        sender = wait_connected(reach(port, client_id="sender", credentials=TESTER))
        answered: list[int] = []
        for one in range(number):
            done = functools.partial(answered.append, one)
            sender.publish("x/y", one.to_bytes(4, "big") + payload, on_acknowledged=done)
        until(lambda: len(answered) == number)
        came: list[int] = []
        while len(came) < number:
            items = slow.receive(10, 60.0)
            assert items, f"only {len(came)} came"
            for item in items:
                if isinstance(item, Delivery):
                    came.append(int.from_bytes(item.payload[:4], "big"))
                    slow.acknowledge(item)
        assert list(range(number)) == came
    finally:
        reach.stop()
        small_broker.kill()


def test_more_clients_than_there_may_be_are_not_let_in(small_broker: RunningMosquitto) -> None:
    """Those who are there stay; Mosquitto 2.0.11 lets one more in than it is told."""
    small_broker.start()
    reach = Reaching()
    port = small_broker.settings.broker.port
    try:
        inside = [
            wait_connected(reach(port, client_id=f"c{number}", credentials=TESTER)) for number in range(11)
        ]
        one_more = Watch(reach(port, client_id="one-more", credentials=TESTER))
        until(lambda: any(isinstance(item, Notice) for item in one_more.take()))
        assert "connected" not in one_more.kinds()
        assert all(one.connected for one in inside)
    finally:
        reach.stop()
        small_broker.kill()
