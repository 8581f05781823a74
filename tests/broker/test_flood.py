"""A client that floods the broker is stopped before the memory is, and the others go on."""

import functools
import time
from pathlib import Path

import pytest

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
