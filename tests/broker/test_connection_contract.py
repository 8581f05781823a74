"""What every connection promises, tried on the in-memory broker and on a real one."""

import time
from collections.abc import Iterator

import pytest

from broker.connection import Delivery, Will
from broker.errors import MessageError, Unreachable
from broker.mqtt import MqttConnection
from tests.broker.places import LIMIT_BYTES, MemoryLink, MosquittoLink, Place, delivery, notice, payloads
from tests.waiting import until


@pytest.fixture(params=["memory", "mosquitto"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A corner of each broker in turn."""
    link = MemoryLink() if request.param == "memory" else MosquittoLink(request.getfixturevalue("mosquitto"))
    made = Place(link)
    yield made
    made.clear()


def test_message_arrives_with_all_its_properties(place: Place) -> None:
    """Topic, payload, content type, response topic and correlation data come as they were given."""
    subscriber = place.client("s", place.topic("a/+"))
    place.client("p").publish(
        place.topic("a/b"),
        b"\x00payload",
        content_type="application/json",
        response_topic=place.topic("answers/p"),
        correlation_data=b"\x01\x02",
    )
    expected = Delivery(
        place.topic("a/b"), b"\x00payload", "application/json", place.topic("answers/p"), b"\x01\x02"
    )
    assert expected == delivery(subscriber)


def test_messages_of_one_client_keep_their_order(place: Place) -> None:
    """A hundred messages arrive in the order in which they were published."""
    subscriber = place.client("s", place.topic("#"))
    publisher = place.client("p")
    sent = [str(i).encode() for i in range(100)]
    for payload in sent:
        publisher.publish(place.topic("n"), payload)
    assert sent == payloads(subscriber, 100)


def test_retained_message_comes_to_a_later_subscriber_with_its_mark(place: Place) -> None:
    """A subscriber that comes later gets the latest retained message, marked as retained."""
    publisher = place.client("p")
    for payload in (b"old", b"new"):
        publisher.publish(place.topic("model"), payload, retain=True)
    answered: list[bool] = []
    publisher.publish(place.topic("x"), b"", on_acknowledged=lambda: answered.append(True))
    until(lambda: answered)
    found = delivery(place.client("s", place.topic("model")))
    assert (b"new", True) == (found.payload, found.retained)
    publisher.publish(place.topic("model"), b"", retain=True)


def test_retained_message_comes_to_a_present_subscriber_without_the_mark(place: Place) -> None:
    """Who is subscribed already gets the message like any other."""
    subscriber = place.client("s", place.topic("model"))
    publisher = place.client("p")
    publisher.publish(place.topic("model"), b"now", retain=True)
    found = delivery(subscriber)
    assert (b"now", False) == (found.payload, found.retained)
    publisher.publish(place.topic("model"), b"", retain=True)


def test_retained_message_is_removed_by_an_empty_one(place: Place) -> None:
    """After an empty retained message nothing is retained."""
    publisher = place.client("p")
    publisher.publish(place.topic("model"), b"x", retain=True)
    removed: list[bool] = []
    publisher.publish(place.topic("model"), b"", retain=True, on_acknowledged=lambda: removed.append(True))
    until(lambda: removed)  # the other client may be quicker than this one's messages
    later = place.client("s", place.topic("model"), place.topic("other"))
    publisher.publish(place.topic("other"), b"first")
    assert b"first" == delivery(later).payload


def test_shared_subscription_gives_each_message_to_one_member_by_turns(place: Place) -> None:
    """Two members of a group get half each, nothing twice."""
    shared = f"$share/group/{place.topic('pixels/+')}"
    members = [place.client("a", shared), place.client("b", shared)]
    publisher = place.client("p")
    sent = [str(i).encode() for i in range(10)]
    for payload in sent:
        publisher.publish(place.topic("pixels/shop"), payload)
    shares = [payloads(member, 5) for member in members]
    assert sent == sorted(shares[0] + shares[1])


def test_groups_and_plain_subscribers_get_each_message(place: Place) -> None:
    """A message goes to every plain subscriber and to one member of each group."""
    clients = [
        place.client("a", f"$share/one/{place.topic('x')}"),
        place.client("b", f"$share/two/{place.topic('x')}"),
        place.client("c", place.topic("x")),
    ]
    place.client("p").publish(place.topic("x"), b"1")
    assert [b"1"] * 3 == [delivery(client).payload for client in clients]


def test_nobody_listening_is_told_once_and_its_end_once(place: Place) -> None:
    """The publisher hears once that nobody listens on a topic, and once that somebody does again."""
    publisher = place.client("p")
    for _ in range(3):
        publisher.publish(place.topic("x"), b"lost")
    begin = notice(publisher, "no-subscriber")
    place.client("s", place.topic("x"))
    publisher.publish(place.topic("x"), b"heard")
    end = notice(publisher, "no-subscriber")
    assert (place.topic("x"), False, True) == (begin.topic, begin.over, end.over)


def test_publish_without_a_connection_raises_unreachable(place: Place) -> None:
    """Nothing queues while there is no connection."""
    with pytest.raises(Unreachable):
        place.idle("p").publish(place.topic("x"), b"")


@pytest.mark.parametrize("topic", ["", "a/+/b", "#", "a\x00b", "a\nb", "x" * 20_000])
def test_publish_on_an_impossible_topic_raises_message_error(place: Place, topic: str) -> None:
    """A topic at which a broker would cut the connection is refused before it gets there."""
    publisher = place.client("p")
    with pytest.raises(MessageError):
        publisher.publish(topic, b"")
    assert publisher.connected


def test_publish_of_too_large_a_packet_raises_message_error_and_the_connection_stays(place: Place) -> None:
    """What the broker would not take is refused before it is sent."""
    subscriber = place.client("s", place.topic("x"))
    publisher = place.client("p")
    with pytest.raises(MessageError):
        publisher.publish(place.topic("x"), bytes(LIMIT_BYTES))
    publisher.publish(place.topic("x"), b"small")
    assert b"small" == delivery(subscriber).payload


def test_on_acknowledged_is_called_when_the_broker_has_the_message(place: Place) -> None:
    """The callback comes once for each message."""
    publisher = place.client("p")
    calls: list[int] = []
    for i in range(3):
        publisher.publish(place.topic("x"), b"", on_acknowledged=lambda i=i: calls.append(i))  # type: ignore[misc]
    until(lambda: len(calls) == 3)
    assert [0, 1, 2] == calls


def test_receive_returns_nothing_when_nothing_comes(place: Place) -> None:
    """Without a message `receive` returns an empty list after its time."""
    client = place.client("s", place.topic("x"))
    assert [] == list(client.receive(10, 0.0))
    assert [] == list(client.receive(10, 0.01))


def test_receive_returns_no_more_than_its_limit(place: Place) -> None:
    """What is above the limit stays for the next time."""
    subscriber = place.client("s", place.topic("x"))
    publisher = place.client("p")
    for _ in range(5):
        publisher.publish(place.topic("x"), b"1")
    counts: list[int] = []

    def all_came() -> bool:
        counts.append(len(subscriber.receive(2, 0.05)))
        return sum(counts) == 5

    until(all_came)
    assert max(counts) <= 2


def test_wake_makes_a_waiting_receive_return(place: Place) -> None:
    """A wake before or during the wait ends it, and only one wait."""
    client = place.client("s")
    client.wake()
    client.wake()
    began = time.monotonic()
    assert [] == list(client.receive(10, 60.0))
    assert time.monotonic() - began < 30
    assert [] == list(client.receive(10, 0.0))


def test_unacknowledged_deliveries_do_not_come_back_to_a_clean_client(place: Place) -> None:
    """A client that keeps no session starts from nothing: only the ledger resends."""
    first = place.client("s", place.topic("x"))
    publisher = place.client("p")
    publisher.publish(place.topic("x"), b"lost")
    assert b"lost" == delivery(first).payload
    first.stop(2.0)
    second = place.client("s", place.topic("x"))
    publisher.publish(place.topic("x"), b"next")
    found = delivery(second)
    assert (b"next", False) == (found.payload, found.duplicate)


def test_acknowledging_a_delivery_of_an_earlier_connection_does_nothing(place: Place) -> None:
    """A late acknowledgement is passed over, before and after the client has stopped."""
    first = place.client("s", place.topic("x"))
    publisher = place.client("p")
    publisher.publish(place.topic("x"), b"old")
    old = delivery(first)
    first.stop(2.0)
    first.acknowledge(old)
    second = place.client("s", place.topic("x"))
    second.acknowledge(old)
    publisher.publish(place.topic("x"), b"new")
    assert [b"new"] == payloads(second, 1)


def test_last_will_is_published_retained_when_a_client_vanishes(place: Place) -> None:
    """Whoever watches, now or later, learns that the client is gone."""
    watcher = place.client("w", place.topic("status/#"))
    victim = place.client("v", will=Will(place.topic("status/v"), b"offline"))
    place.link.crash(victim)
    assert b"offline" == delivery(watcher).payload
    later = delivery(place.client("l", place.topic("status/#")))
    assert (b"offline", True) == (later.payload, later.retained)
    watcher.publish(place.topic("status/v"), b"", retain=True)


def test_last_will_is_not_published_after_a_clean_stop(place: Place) -> None:
    """A client that says goodbye leaves no will, and what it published last arrives."""
    watcher = place.client("w", place.topic("status/#"))
    leaver = place.client("v", will=Will(place.topic("status/v"), b"offline"))
    leaver.publish(place.topic("status/v"), b"stopped")
    leaver.stop(5.0)
    watcher.publish(place.topic("status/w"), b"end")
    assert [b"stopped", b"end"] == payloads(watcher, 2)


def test_second_client_with_the_same_id_takes_over(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one is put out and hears of it; here it does not come back at once, to put out the second."""
    monkeypatch.setattr(MqttConnection, "_choose_wait", lambda self, _: self._backoff.slow_down())
    first = place.client("same")
    second = place.client("same")
    assert "disconnected" == notice(first, "disconnected").kind
    assert (False, True) == (first.connected, second.connected)


def test_stop_twice_and_stop_without_start_do_nothing(place: Place) -> None:
    """Stopping is harmless at any time."""
    idle = place.idle("i")
    idle.stop(1.0)
    client = place.client("c")
    client.stop(1.0)
    client.stop(1.0)
    assert not client.connected
