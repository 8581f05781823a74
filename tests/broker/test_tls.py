"""TLS with a real broker: who is trusted, who is not, and what the administrator is told."""

import ssl
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker import mqtt_session
from broker.certificates import make_certificates, renew_certificate
from broker.clients import client
from broker.connection import Notice
from broker.encryption import client_context
from broker.errors import BrokerProblem, SettingsError
from broker.inbox import Inbox
from broker.listeners import own_listener
from broker.mosquitto import prepare_broker
from broker.mqtt import MqttConnection
from broker.reloading import reload_broker
from broker.settings import Settings
from tests.broker.reaching import Reaching, Watch, wait_connected
from tests.broker.scripted_broker import ScriptedBroker, Visit
from tests.conftest import MakeSettings
from tests.running_mosquitto import TESTER, RunningMosquitto
from tests.waiting import free_port, until

Connect = Callable[..., MqttConnection]
ELSEWHERE = "127.1"
"""Loopback by a name that nobody knows for it: what the settings take for another address, and opens none."""


@pytest.fixture
def reach() -> Iterator[Reaching]:
    """Connections that are stopped after the test."""
    made = Reaching()
    yield made
    made.stop()


@pytest.fixture
def encrypted(mosquitto_program: Path, make_settings: MakeSettings) -> Settings:
    """Settings of a broker with TLS on loopback, and a good certificate for it."""
    settings = make_settings(broker={"port": free_port(), "tls": "on"})
    make_certificates(folder_of(settings), ["127.0.0.1"], days=2)
    return settings


@pytest.fixture
def start() -> Iterator[Callable[[Settings], RunningMosquitto]]:
    """`start(settings)`: a broker that ends with the test."""
    made: list[RunningMosquitto] = []

    def begin(settings: Settings) -> RunningMosquitto:
        made.append(RunningMosquitto(settings))
        made[-1].start()
        return made[-1]

    yield begin
    for one in made:
        one.kill()


Start = Callable[[Settings], RunningMosquitto]


def folder_of(settings: Settings) -> Path:
    """Return where the certificates are."""
    return settings.paths.state / "tls"


def trusting(settings: Settings) -> dict[str, Any]:
    """Return how a client connects that trusts this broker's authority."""
    return {"tls": client_context(settings.broker.tls_ca), "credentials": TESTER}


def test_own_client_connects_with_the_settings_alone(encrypted: Settings, start: Start) -> None:
    """As every service does."""
    start(encrypted)
    connection = client(encrypted, "store", "own", [])
    connection.start()
    try:
        wait_connected(connection)
    finally:
        connection.stop(2.0)


def test_large_and_many_messages_arrive_as_without_tls(
    encrypted: Settings, start: Start, reach: Reaching
) -> None:
    """Whole and in order, also where the inbox has room for five."""
    start(encrypted)
    inbox = Inbox(5, 10**9)
    port = encrypted.broker.port
    subscriber = reach(port, "x/#", client_id="s", inbox=inbox, **trusting(encrypted))
    publisher = reach(port, client_id="p", **trusting(encrypted))
    wait_connected(subscriber)
    wait_connected(publisher)
    sent = [bytes(3_000_000), *(str(number).encode() * 500 for number in range(300))]
    for payload in sent:
        publisher.publish("x/y", payload)
    until(lambda: inbox.full)
    watch = Watch(subscriber)
    until(lambda: len(watch.take()) >= len(sent) + 1)
    assert sent == watch.payloads()
    assert ["connected"] == watch.kinds()


def test_several_messages_in_one_record_need_no_second_wakeup(
    encrypted: Settings, reach: Reaching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS has read them from the socket already, so that no poll would tell of the second."""
    monkeypatch.setattr(mqtt_session, "TICK_S", 60.0)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(encrypted.broker.tls_certificate, encrypted.broker.tls_key)

    def scene(plain: Visit) -> None:
        with server.wrap_socket(plain.socket, server_side=True) as secret:
            visit = Visit(secret)
            with visit.stream:
                visit.welcome()
                visit.subscribed()
                visit.raw(b"".join(_publish(number) for number in range(3)))
                visit.until_left()

    with ScriptedBroker(scene) as broker:
        watch = Watch(reach(broker.port, "x", **trusting(encrypted)))
        until(lambda: len(watch.take()) == 4)
        assert [b"0", b"1", b"2"] == watch.payloads()
        for connection in reach._made:
            connection.stop(2.0)


def _publish(number: int) -> bytes:
    body = struct.pack("!H", 1) + b"x" + struct.pack("!HB", number + 1, 0) + str(number).encode()
    return bytes([0x32, len(body)]) + body


# Who is not trusted.


def expired(settings: Settings) -> None:
    """Make the certificate one of last week."""
    last_week = datetime.now(UTC) - timedelta(days=7)
    make_certificates(folder_of(settings), ["127.0.0.1"], days=2, now=last_week)


def not_yet_valid(settings: Settings) -> None:
    """Make the certificate, of an authority of today, one of next week."""
    make_certificates(folder_of(settings), ["127.0.0.1"], days=2)
    next_week = datetime.now(UTC) + timedelta(days=7)
    renew_certificate(folder_of(settings), (), days=2, now=next_week)


def of_another_authority(settings: Settings) -> None:
    """Leave the clients with the certificate of an authority that has been replaced."""
    old = (folder_of(settings) / "ca.crt").read_bytes()
    make_certificates(folder_of(settings), ["127.0.0.1"], days=2)
    (folder_of(settings) / "old.crt").write_bytes(old)


@pytest.mark.parametrize(
    ("spoil", "authority", "words"),
    [
        (expired, "ca.crt", "has expired; on its machine: ./tailorbird tls renew"),
        (not_yet_valid, "ca.crt", "is not valid yet: is this machine's clock right?"),
        (of_another_authority, "old.crt", "is not from the authority in [broker] tls_ca"),
    ],
)
def test_certificate_that_is_no_good_is_told_once_and_tried_again(
    encrypted: Settings,
    start: Start,
    reach: Reaching,
    spoil: Callable[[Settings], None],
    authority: str,
    words: str,
) -> None:
    """One notice while it goes on; no password is sent; once it is mended the line goes on by itself."""
    spoil(encrypted)
    broker = start(encrypted)
    trusts = client_context(folder_of(encrypted) / authority)
    connection = reach(encrypted.broker.port, tls=trusts, credentials=TESTER)
    watch = Watch(connection)
    assert words in watch.notice("refused").detail
    until(lambda: broker.log.read_text().count("New connection") >= 4)  # it goes on trying
    assert ["refused"] == watch.kinds()
    if authority == "ca.crt":
        renew_certificate(folder_of(encrypted), (), days=2)
        assert "reloaded" == reload_broker(encrypted)
        watch.notice("connected")


def test_certificate_for_another_name_is_refused(
    mosquitto_program: Path, make_settings: MakeSettings, start: Start, reach: Reaching
) -> None:
    """The host in the configuration must be one of the certificate's."""
    settings = make_settings(broker={"host": "127.0.0.2", "port": free_port(), "tls": "on"})
    make_certificates(folder_of(settings), ["broker.example"], days=2)
    start(settings)
    watch = Watch(reach(settings.broker.port, host="127.0.0.2", **trusting(settings)))
    told = watch.notice("refused").detail
    assert "the certificate of 127.0.0.2:" in told
    assert "is for other names" in told


def test_broker_without_tls_gets_no_password(
    mosquitto: RunningMosquitto, reach: Reaching, encrypted: Settings
) -> None:
    """The connection ends before MQTT begins."""
    watch = Watch(reach(mosquitto.settings.broker.port, **trusting(encrypted)))
    until(lambda: {"disconnected", "refused"} & set(watch.kinds()))
    told = next(item.detail for item in watch.items if isinstance(item, Notice))
    assert "TLS" in told


def test_client_without_tls_is_told_what_may_be_missing(
    encrypted: Settings, start: Start, reach: Reaching
) -> None:
    """The broker ends such a connection without a word."""
    start(encrypted)
    watch = Watch(reach(encrypted.broker.port, credentials=TESTER))
    assert "does it speak MQTT without TLS (see [broker] tls)?" in watch.notice("disconnected").detail


def test_nothing_older_than_1_2_is_spoken(encrypted: Settings) -> None:
    """By clients, and by the broker's listener."""
    assert ssl.TLSVersion.TLSv1_2 == client_context(encrypted.broker.tls_ca).minimum_version
    prepare_broker(encrypted)
    assert "\ntls_version tlsv1.2\n" in (encrypted.paths.state / "broker" / "mosquitto.conf").read_text()


def test_authority_that_is_missing_or_no_certificate_is_one_line(encrypted: Settings, tmp_path: Path) -> None:
    """It names the key and the file."""
    with pytest.raises(SettingsError, match=r"\[broker\] tls_ca: there is no \S+none"):
        client_context(tmp_path / "none")
    with pytest.raises(SettingsError, match=r"\[broker\] tls_ca: \S+server\.key cannot be used"):
        client_context(encrypted.broker.tls_key)


def test_key_that_is_not_the_certificates_is_one_line(
    encrypted: Settings, make_settings: MakeSettings
) -> None:
    """Before Mosquitto is started, which would say less."""
    make_certificates(folder_of(encrypted) / "other", [], days=2)
    other = folder_of(encrypted) / "other" / "server.key"
    settings = make_settings(broker={"port": free_port(), "tls": "on", "tls_key": other})
    with pytest.raises(BrokerProblem, match=r"cannot be used\s+together: key values mismatch"):
        prepare_broker(settings)


# A listener for clients outside, and one for the services.


@pytest.fixture
def outside(mosquitto_program: Path, make_settings: MakeSettings) -> Settings:
    """Settings of a broker for clients outside."""
    settings = make_settings(
        broker={"host": ELSEWHERE, "port": free_port(), "local_port": free_port()},
    )
    make_certificates(folder_of(settings), ["127.0.0.1"], days=2)
    return settings


def test_services_and_clients_outside_meet_at_two_listeners(
    outside: Settings, start: Start, reach: Reaching, connect: Connect
) -> None:
    """The services without TLS on loopback, the others with it; what one publishes the other gets."""
    running = start(outside)
    inside = wait_connected(connect(running, "inside", ["x"]))
    assert outside.broker.local_port == own_listener(outside.broker).port
    client_outside = wait_connected(reach(outside.broker.port, **trusting(outside)))
    client_outside.publish("x", b"from outside")
    assert [b"from outside"] == until(Watch(inside).payloads)


def test_expired_certificate_does_not_stop_the_services(
    outside: Settings, start: Start, reach: Reaching, connect: Connect
) -> None:
    """Only clients outside are shut out."""
    expired(outside)
    running = start(outside)
    wait_connected(connect(running, "inside"))
    watch = Watch(reach(outside.broker.port, **trusting(outside)))
    assert "has expired" in watch.notice("refused").detail


def test_plain_listener_outside_is_refused_unless_it_is_meant(make_settings: MakeSettings) -> None:
    """In one line when the configuration is read, which is before anything starts."""
    given: dict[str, Any] = {"host": ELSEWHERE, "tls": "off"}
    with pytest.raises(SettingsError, match=r"\[broker\] tls: off, and 127\.1 is not loopback"):
        make_settings(broker=given)
    assert not own_listener(make_settings(broker={**given, "allow_plain": "true"}).broker).tls


def test_listener_for_every_address_takes_both_families(
    mosquitto_program: Path, make_settings: MakeSettings
) -> None:
    """With `::` as its address Mosquitto would leave IPv4 out."""
    settings = make_settings(broker={"host": "::", "port": 18893})
    make_certificates(folder_of(settings), [], days=2)
    prepare_broker(settings)
    written = (settings.paths.state / "broker" / "mosquitto.conf").read_text()
    lines = [line for line in written.splitlines() if line.startswith("listener")]
    assert ["listener 18829 127.0.0.1", "listener 18893"] == lines
