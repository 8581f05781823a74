"""Tests of `client`: an account made, shown once, listed, and taken away again."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.credentials import Credentials
from broker.mqtt import MqttConnection
from broker.settings_reader import read_settings
from tests.broker.reaching import Watch, wait_connected
from tests.cli.conftest import RunCli
from tests.running_mosquitto import RunningMosquitto

Connect = Callable[..., MqttConnection]


@pytest.fixture
def running(mosquitto_program: Path, config: Path) -> Iterator[RunningMosquitto]:
    """The broker of this test's configuration."""
    made = RunningMosquitto(read_settings(config, {}).settings)
    made.start()
    yield made
    made.kill()


def test_client_added_to_a_running_broker_connects_and_is_cut_off_when_revoked(
    running: RunningMosquitto, config: Path, cli: RunCli, connect: Connect
) -> None:
    """The whole life of an account, as somebody types it."""
    added = cli("client", "add", "till-1", "--role", "source", config=config)
    assert 0 == added.returncode, added.stderr
    assert "tailorbird/v1/pixels/till-1" in added.stdout
    assert "till-1 is added, and the running broker knows it\n" == added.stderr
    password = added.stdout.split()[1]
    watch = Watch(wait_connected(connect(running, "x", credentials=Credentials("till-1", password))))

    listed = cli("client", "list", "--json", config=config)
    (client,) = json.loads(listed.stdout)["clients"]
    assert ("till-1", "source") == (client["name"], client["role"])
    assert {"name", "role", "added_at"} == client.keys()

    gone = cli("client", "revoke", "till-1", config=config)
    assert "till-1 (source) is revoked, and the running broker was told to cut it off\n" == gone.stdout
    watch.notice("disconnected")
    again = cli("client", "revoke", "till-1", config=config)
    assert (3, "tailorbird: there is no client 'till-1'; there are none\n") == (
        again.returncode,
        again.stderr,
    )


def test_quiet_prints_the_password_alone(mosquitto_program: Path, config: Path, cli: RunCli) -> None:
    """For a script; no broker runs, and the next start knows the client."""
    added = cli("client", "add", "watcher", "--role", "reader", "--quiet", config=config)
    assert (0, "") == (added.returncode, added.stderr)
    assert 32 == len(added.stdout.strip())
    running = RunningMosquitto(read_settings(config, {}).settings)
    running.start()
    connection = running.connection("x", credentials=Credentials("watcher", added.stdout.strip()))
    connection.start()
    try:
        wait_connected(connection)
    finally:
        connection.stop(2.0)
        running.kill()


def test_password_file_is_for_its_owner_alone_and_never_overwritten(
    mosquitto_program: Path, config: Path, cli: RunCli, tmp_path: Path
) -> None:
    """Nothing of the password is on the screen; a file that is there stays, and no account is made."""
    file = tmp_path / "password"
    added = cli("client", "add", "people", "--role", "reviewer", "--password-file", str(file), config=config)
    assert 0 == added.returncode, added.stderr
    password = file.read_text().strip()
    assert 32 == len(password)
    assert password not in added.stdout + added.stderr
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)

    refused = cli("client", "add", "other", "--role", "reader", "--password-file", str(file), config=config)
    assert (3, password) == (refused.returncode, file.read_text().strip())
    taken = cli("client", "add", "people", "--role", "reader", "--password-file", f"{file}-2", config=config)
    assert "there is a client people already" in taken.stderr
    assert not Path(f"{file}-2").exists()
    listed = cli("client", "list", config=config).stdout
    assert ["people"] == [line.split()[0] for line in listed.splitlines()[1:]]


def test_accounts_of_another_broker_are_not_ours_to_make(config: Path, cli: RunCli) -> None:
    """One line says so."""
    done = cli(
        "client", "add", "x", "--role", "reader", config=config, more={"TAILORBIRD__BROKER__MANAGE": "false"}
    )
    assert 3 == done.returncode
    assert "[broker] manage is false" in done.stderr
    assert 1 == done.stderr.count("\n")
