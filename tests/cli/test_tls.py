"""Tests of `tls`, and of what the commands say where a certificate is no good."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.certificates import make_certificates, validity_of
from broker.settings import Broker
from broker.settings_reader import read_settings
from cli.tls import still_to_do
from tests.cli.conftest import RunCli
from tests.running_mosquitto import RunningMosquitto

TLS = {"TAILORBIRD__BROKER__TLS": "on"}
Start = Callable[[], RunningMosquitto]


@pytest.fixture
def folder(config: Path) -> Path:
    """Where this configuration's certificates are."""
    return config.parent / "state" / "tls"


@pytest.fixture
def start(mosquitto_program: Path, config: Path) -> Iterator[Start]:
    """`start()`: the broker of this test's configuration, with TLS."""
    made: list[RunningMosquitto] = []

    def begin() -> RunningMosquitto:
        made.append(RunningMosquitto(read_settings(config, TLS).settings))
        made[-1].start()
        return made[-1]

    yield begin
    for one in made:
        one.kill()


def test_init_makes_certificates_and_says_what_clients_need(config: Path, cli: RunCli, folder: Path) -> None:
    """The names, the file, a line for each kind of client, and what is still to do."""
    done = cli("tls", "init", "--host", "broker.example", "--host", "192.0.2.7", "--days", "9", config=config)
    assert (0, "") == (done.returncode, done.stderr)
    made = validity_of(folder / "server.crt")
    assert ("broker.example", "192.0.2.7") == made.names[:2]
    assert f"valid until {made.ends_at:%Y-%m-%d} for {', '.join(made.names)}\n" in done.stdout
    assert f"for clients  {folder / 'ca.crt'}" in done.stdout
    port = read_settings(config, {}).settings.broker.port
    assert f"mosquitto_sub -V 5 -h broker.example -p {port} --cafile ca.crt" in done.stdout
    assert f'client.tls_set("ca.crt"), then client.connect("broker.example", {port})' in done.stdout
    assert 'still to do  [broker] host = "0.0.0.0" (port = 8883 is usual), then start' in done.stdout


def test_what_is_still_to_do_follows_the_configuration() -> None:
    """Nothing where all is set; an external broker has its own files."""
    assert "" == still_to_do(Broker(host="0.0.0.0", port=8883))
    assert "" == still_to_do(Broker(host="0.0.0.0", port=1234))
    off = Broker(host="192.0.2.1", port=8883, tls="off", allow_plain=True)
    assert '[broker] tls = "auto", then start the line again' == still_to_do(off)
    assert '[broker] host = "0.0.0.0", then start the line again' == still_to_do(Broker(port=8883))
    assert "your own broker" in still_to_do(Broker(manage=False, host="broker.example"))


def test_init_by_force_keeps_the_names(config: Path, cli: RunCli, folder: Path) -> None:
    """Clients call the broker as they did; one more may come."""
    cli("tls", "init", "--host", "broker.example", "--host", "192.0.2.7", config=config)
    assert 0 == cli("tls", "init", "--force", "--host", "new.example", config=config).returncode
    assert ("new.example", "broker.example", "192.0.2.7") == validity_of(folder / "server.crt").names[:3]
    (folder / "server.crt").write_text("damaged")
    assert 0 == cli("tls", "init", "--force", config=config).returncode


def test_init_replaces_nothing_unless_forced(config: Path, cli: RunCli, folder: Path) -> None:
    """Every client would need the new authority."""
    cli("tls", "init", config=config)
    before = (folder / "ca.crt").read_bytes()
    refused = cli("tls", "init", config=config)
    assert 3 == refused.returncode
    assert "./tailorbird tls renew" in refused.stderr
    assert before == (folder / "ca.crt").read_bytes()
    assert 0 == cli("tls", "init", "--force", config=config).returncode
    assert before != (folder / "ca.crt").read_bytes()


def test_renew_is_shown_by_a_running_broker_and_status_tells_the_end(
    config: Path, cli: RunCli, folder: Path, start: Start
) -> None:
    """A certificate that ends soon is a trouble; a renewed one is none, and nothing need be started again."""
    make_certificates(folder, ["127.0.0.1"], days=3)
    start()
    soon = json.loads(cli("status", "--json", config=config, more=TLS).stdout)
    assert "the broker's certificate ends in 3 days: ./tailorbird tls renew" in soon["trouble"]
    assert soon["broker"]["reachable"]

    renewed = cli("tls", "renew", config=config, more=TLS)
    assert "the running broker shows it from the next connection on\n" == renewed.stderr
    found = json.loads(cli("status", "--json", config=config, more=TLS).stdout)
    ends_at = datetime.fromisoformat(found["broker"]["certificate_ends_at"])
    assert ends_at - datetime.now(UTC) > timedelta(days=390)
    assert found["broker"]["reachable"]
    assert [] == [one for one in found["trouble"] if "certificate" in one]


def test_command_tells_an_expired_certificate_in_one_line_at_once(
    config: Path, cli: RunCli, folder: Path, start: Start
) -> None:
    """It does not wait for what will not come by itself."""
    make_certificates(folder, ["127.0.0.1"], days=3, now=datetime.now(UTC) - timedelta(days=7))
    port = start().settings.broker.port
    done = cli("results", "--follow", config=config, more=TLS)
    assert 3 == done.returncode
    assert (
        f"tailorbird: no connection to the broker at 127.0.0.1:{port}: the certificate of 127.0.0.1:{port}"
        " has expired; on its machine: ./tailorbird tls renew\n"
    ) == done.stderr


def test_own_certificates_are_renewed_where_they_come_from(config: Path, cli: RunCli) -> None:
    """The command touches none of them."""
    done = cli("tls", "renew", config=config, more={"TAILORBIRD__BROKER__TLS_CERTIFICATE": "/etc/own.crt"})
    assert 3 == done.returncode
    assert "[broker] tls_certificate is your own, /etc/own.crt" in done.stderr


def test_plain_listener_outside_is_refused_in_one_line(config: Path, cli: RunCli) -> None:
    """Before anything is started."""
    more = {"TAILORBIRD__BROKER__TLS": "off", "TAILORBIRD__BROKER__HOST": "192.0.2.1"}
    done = cli("up", config=config, more=more)
    assert 3 == done.returncode
    assert "192.0.2.1 is not loopback: passwords would travel for all to read" in done.stderr
    assert 1 == done.stderr.count("\n")
