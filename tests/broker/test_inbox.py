"""What waits between the network thread and a service's loop."""

import signal
import threading
import time

import pytest

from broker.connection import Delivery, Notice
from broker.inbox import Inbox


def delivery(payload: bytes = b"x") -> Delivery:
    """Return a delivery."""
    return Delivery("t", payload)


def test_inbox_is_full_by_messages_and_by_bytes() -> None:
    """Either bound makes it full; taking things out gives room again and says so once."""
    for inbox, payload in ((Inbox(2, 1000), b"x"), (Inbox(1000, 10), b"12345")):
        calls: list[bool] = []
        inbox.on_space = lambda calls=calls: calls.append(True)
        inbox.put(delivery(payload))
        assert not inbox.full
        inbox.put(delivery(payload))
        assert inbox.full
        assert 1 == len(inbox.take(1, 0.0))
        assert not inbox.full
        assert 1 == len(inbox.take(1, 0.0))
        assert [True] == calls


def test_notices_count_for_nothing() -> None:
    """However full it is, what happened to the connection gets in."""
    inbox = Inbox(1, 1)
    for _ in range(3):
        inbox.put(Notice("connected", ""))
    assert not inbox.full


def test_many_wakes_end_one_wait() -> None:
    """Wakes do not pile up while nobody takes anything."""
    inbox = Inbox()
    for _ in range(1000):
        inbox.wake()
    assert [] == inbox.take(10, 60.0)
    began = time.monotonic()
    assert [] == inbox.take(10, 0.05)
    assert time.monotonic() - began >= 0.05


@pytest.mark.timeout(20, method="thread")
def test_signal_that_outlasts_the_wait_ends_it() -> None:
    """The wait is over when its time is, though a handler was at work just then."""
    inbox, handled = Inbox(), []

    def slowly(*_: object) -> None:
        time.sleep(0.2)
        handled.append(1)

    before = signal.signal(signal.SIGALRM, slowly)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert [] == inbox.take(10, 0.1)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert [1] == handled


def test_take_waits_for_the_first_only() -> None:
    """What is there comes at once, in order, without waiting for the limit."""
    inbox = Inbox()

    def fill() -> None:
        for i in range(3):
            inbox.put(delivery(bytes([i])))

    threading.Thread(target=fill).start()
    found: list[Delivery | Notice] = []
    while len(found) < 3:
        found += inbox.take(10, 60.0)
    assert [b"\0", b"\1", b"\2"] == [item.payload for item in found if isinstance(item, Delivery)]
