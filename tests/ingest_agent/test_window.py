"""The window: how much is out, what is due, which answers tell the round trip."""

import pytest

from ingest_agent.resend import RoundTrip
from ingest_agent.window import Window


@pytest.fixture
def window() -> Window:
    """A window of three with a timer of 1 to 60 seconds without jitter."""
    return Window(3, RoundTrip(1.0, 60.0, lambda: 0.5))


def test_room_shrinks_with_every_unanswered_batch(window: Window) -> None:
    """Three places, two taken, one left."""
    window.add("a", 10)
    window.add("b", 5)
    assert (1, 15, 2) == (window.room(65_535), window.images, len(window))


@pytest.mark.parametrize(("receive_maximum", "room"), [(65_535, 3), (7, 3), (6, 2), (5, 1), (1, 1)])
def test_room_leaves_the_broker_a_few_packets_for_others(
    window: Window, receive_maximum: int, room: int
) -> None:
    """Receive Maximum bounds the window; one batch always goes."""
    assert room == window.room(receive_maximum)


def test_batch_is_due_at_once_and_again_after_its_timeout(window: Window) -> None:
    """Sent at 10, due at 11; sent again, due two seconds later."""
    window.add("a", 1)
    assert ["a"] == window.due(10.0)
    window.sent("a", 10.0)
    assert [] == window.due(10.9)
    assert ["a"] == window.due(11.0)
    window.sent("a", 11.0)
    assert (13.0, 1) == (window.next_due(), window.resent)


def test_batch_that_was_sent_once_tells_the_round_trip(window: Window) -> None:
    """Its receipt came after a quarter of a second."""
    window.add("a", 1)
    window.sent("a", 10.0)
    window.receipt_came("a", 10.25)
    assert 0.25 == window.round_trip.srtt_s


def test_batch_that_was_sent_twice_tells_nothing(window: Window) -> None:
    """Nobody knows which copy was answered (Karn)."""
    window.add("a", 1)
    window.sent("a", 10.0)
    window.sent("a", 11.0)
    window.receipt_came("a", 11.1)
    assert window.round_trip.srtt_s is None


def test_batch_with_a_receipt_is_not_sent_again(window: Window) -> None:
    """It waits for the ledger alone; one that was answered in part goes on."""
    window.add("a", 1)
    window.sent("a", 10.0)
    window.receipt_came("a", 10.1)
    assert ([], None) == (window.due(1000.0), window.next_due())
    window.partly_answered("a", 10.2)
    assert ["a"] == window.due(1000.0)


def test_answered_batch_gives_its_place_back(window: Window) -> None:
    """And an answer to a stranger's batch changes nothing."""
    window.add("a", 1)
    window.receipt_came("other", 1.0)
    window.remove("other")
    window.remove("a")
    assert 3 == window.room(65_535)


def test_everything_goes_again_once_after_a_reconnect(window: Window) -> None:
    """At once, in order, and with a timeout that begins anew."""
    for name in "ab":
        window.add(name, 1)
        window.sent(name, 10.0)
        window.sent(name, 11.0)
    window.reconnected(12.0)
    assert ["a", "b"] == window.due(12.0)
    window.sent("a", 12.0)
    assert (["b"], 1.0) == (window.due(12.0), window._out["a"].due - 12.0)


def test_revival_calls_for_what_has_waited(window: Window) -> None:
    """What was sent just now gets its second; what has waited for long goes at once."""
    window.add("old", 1)
    window.sent("old", 10.0)
    window.sent("old", 11.0)
    window.sent("old", 13.0)
    window.add("new", 1)
    window.sent("new", 16.5)
    window.revived(16.6, 1.0)
    assert ["old"] == window.due(16.6)
    assert ["old", "new"] == window.due(17.5)


def test_batch_that_cannot_be_sent_is_put_off(window: Window) -> None:
    """Until the time that was given."""
    window.add("a", 1)
    window.later("a", 20.0)
    assert ([], ["a"]) == (window.due(19.9), window.due(20.0))
