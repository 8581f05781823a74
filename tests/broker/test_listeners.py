"""The broker's addresses: who listens where, and with TLS or without."""

import pytest

from broker.listeners import Listener, is_local, managed_listeners, named_listener, own_listener, wrong_host
from broker.settings import Broker

OWN = Listener("127.0.0.1", 18829, tls=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost", "/run/mqtt.sock"])
def test_what_stays_on_the_machine_needs_no_tls(host: str) -> None:
    """One listener, which is for the services as well."""
    assert is_local(host)
    assert (Listener(host, 18830, tls=False),) == managed_listeners(Broker(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "broker.example"])
def test_listener_for_others_has_tls_and_the_services_have_their_own(host: str) -> None:
    """So no certificate can stop the line."""
    assert not is_local(host)
    assert (OWN, Listener(host, 18830, tls=True)) == managed_listeners(Broker(host=host))
    assert OWN == own_listener(Broker(host=host))


def test_tls_may_be_asked_for_on_loopback() -> None:
    """Then the services use it too, for there is one listener."""
    assert (Listener("127.0.0.1", 18830, tls=True),) == managed_listeners(Broker(tls="on"))


def test_plain_listener_for_others_is_possible_where_it_is_meant() -> None:
    """The settings refuse it without allow_plain."""
    broker = Broker(host="192.0.2.1", tls="off", allow_plain=True)
    assert not named_listener(broker).tls


def test_broker_of_somebody_else_is_met_where_the_configuration_says() -> None:
    """With TLS, unless it is on this machine."""
    broker = Broker(manage=False, host="broker.example", port=8883)
    assert Listener("broker.example", 8883, tls=True) == own_listener(broker)


def test_address_in_words_sets_ipv6_in_brackets() -> None:
    """As a URL does."""
    words = [Listener(host, 1, tls=False).address for host in ("a.example", "::1", "/run/x")]
    assert ["a.example:1", "[::1]:1", "/run/x"] == words


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("me:secret@broker.example", "credentials folder"),
        ("mqtt://broker.example", "without a scheme"),
        ("broker.example:8883", "key port"),
        ("two words", "a name or an address"),
    ],
)
def test_host_that_is_none_is_told_without_repeating_it(host: str, words: str) -> None:
    """It may hold a password."""
    assert words in wrong_host(host)
    assert "secret" not in wrong_host(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::", "::1", "broker.example", "/a b/c@d"])
def test_host_that_is_one_is_taken(host: str) -> None:
    """Names, addresses of both families, unix sockets."""
    assert "" == wrong_host(host)
