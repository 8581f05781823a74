"""Mosquitto's configuration, on the real program: found, checked, and safe."""

import functools
import os
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.connection import Delivery, Notice
from broker.credentials import ACCOUNTS, Credentials, read_credentials
from broker.errors import BrokerProblem
from broker.messages import encode
from broker.mosquitto import broker_environment, configuration, prepare_broker
from broker.mosquitto_program import check_version, find_mosquitto
from broker.mqtt import MqttConnection
from broker.settings import Broker, Settings
from broker.settings_reader import read_settings
from broker.topics import Topics
from tests.broker.wire_examples import EXAMPLES
from tests.conftest import MakeSettings
from tests.running_mosquitto import RunningMosquitto
from tests.waiting import free_port, listens, until

TOPICS = Topics()
Connect = Callable[..., MqttConnection]


def notices(connection: MqttConnection) -> list[str]:
    """Return the kinds of the notices that are there."""
    return [item.kind for item in connection.receive(100, 0.02) if isinstance(item, Notice)]


# Each kind of topic with who may write it and who may read it; the agent's source is "shop".
EVERYBODY = set(ACCOUNTS)
RIGHTS: dict[str, tuple[set[str], set[str]]] = {
    TOPICS.pixels("shop"): ({"ingest_agent"}, {"predictor_service"}),
    TOPICS.pixels("canary-shop"): ({"ingest_agent"}, {"predictor_service"}),
    TOPICS.pixels("other"): (set(), {"predictor_service"}),
    TOPICS.failures("shop"): ({"ingest_agent"}, {"store"}),
    TOPICS.failures("other"): (set(), {"store"}),
    TOPICS.jobs("shop"): ({"ingest_agent"}, {"store"}),
    TOPICS.jobs("other"): (set(), {"store"}),
    TOPICS.predictions("shop"): ({"predictor_service"}, {"store"}),
    TOPICS.shadows("shop"): ({"predictor_service"}, {"store"}),
    TOPICS.inputs("shop"): ({"predictor_service"}, {"store"}),
    TOPICS.alerts(): ({"store"}, set()),
    TOPICS.reviews(): ({"reviewer"}, {"store"}),
    TOPICS.corrections("shop"): ({"store"}, {"reviewer"}),
    TOPICS.pixels("client"): ({"client"}, {"predictor_service"}),
    TOPICS.predictions("client"): ({"predictor_service"}, {"store", "client"}),
    TOPICS.receipts("client"): ({"store"}, {"client"}),
    TOPICS.answers("client"): ({"predictor_service"}, {"client"}),
    TOPICS.receipts("shop"): ({"store"}, {"ingest_agent"}),
    TOPICS.receipts("canary-shop"): ({"store"}, {"ingest_agent"}),
    TOPICS.receipts("other"): ({"store"}, set()),
    TOPICS.summaries("shop"): ({"store"}, set()),
    TOPICS.answers("client/3"): ({"predictor_service"}, {"client"}),
    TOPICS.answers("till/3"): ({"predictor_service"}, set()),
    TOPICS.model(): ({"predictor_service"}, {"ingest_agent", "store", "client"}),
    TOPICS.model_requests(): ({"dashboard"}, {"predictor_service"}),
    TOPICS.model_answers(): ({"predictor_service"}, {"dashboard"}),
    TOPICS.status("store", "main"): ({"store"}, EVERYBODY),
    TOPICS.status("ingest_agent", "shop"): ({"ingest_agent"}, EVERYBODY),
    TOPICS.status("predictor_service", "2"): ({"predictor_service"}, EVERYBODY),
    TOPICS.events("store"): ({"store"}, {"store"}),
    TOPICS.events("ingest_agent"): ({"ingest_agent"}, {"store"}),
    TOPICS.events("dashboard"): ({"dashboard"}, {"store"}),
    TOPICS.rejects("store"): ({"store"}, {"store"}),
    TOPICS.rejects("predictor_service"): ({"predictor_service"}, {"store"}),
}


@pytest.mark.parametrize("account", ACCOUNTS)
def test_account_may_publish_on_its_topics_and_no_others(
    mosquitto: RunningMosquitto, connect: Connect, account: str
) -> None:
    """Everything else is answered with "not authorised"."""
    connection = connect(mosquitto, f"w-{account}", account=account)
    until(lambda: connection.connected)
    allowed: set[str] = set()
    refused: set[str] = set()
    for topic in RIGHTS:
        connection.publish(topic, b"", on_acknowledged=functools.partial(allowed.add, topic))

    def all_answered() -> bool:
        items = [item for item in connection.receive(100, 0.02) if isinstance(item, Notice)]
        refused.update(item.topic for item in items if item.kind == "not-authorised")
        return allowed | refused == set(RIGHTS)

    until(all_answered)
    assert {topic for topic, (writers, _) in RIGHTS.items() if account in writers} == allowed
    assert set(RIGHTS) - allowed == refused


@pytest.mark.parametrize("account", ACCOUNTS)
def test_account_receives_its_topics_and_no_others(
    mosquitto: RunningMosquitto, connect: Connect, account: str
) -> None:
    """A subscription to everything is granted, and only what may be read is delivered; `reader` reads all."""
    subscriber = connect(mosquitto, f"r-{account}", ["#"], account=account)
    publisher = connect(mosquitto, f"r-{account}-publisher")
    until(lambda: subscriber.connected and publisher.connected)
    for topic in RIGHTS:
        publisher.publish(topic, account.encode())
    last = TOPICS.status("store", "last")
    publisher.publish(last, account.encode())
    found: set[str] = set()

    def all_came() -> bool:
        items = [item for item in subscriber.receive(100, 0.02) if isinstance(item, Delivery)]
        found.update(item.topic for item in items if item.payload == account.encode())
        return last in found

    until(all_came)
    readable = {topic for topic, (_, readers) in RIGHTS.items() if account in readers | {"reader"}}
    assert readable | {last} == found


def test_predictor_may_share_its_subscription(mosquitto: RunningMosquitto, connect: Connect) -> None:
    """The right to read a topic covers the shared subscription to it."""
    predictor = connect(
        mosquitto, "share", [TOPICS.shared(TOPICS.pixels(), "sharing-test")], account="predictor_service"
    )
    agent = connect(mosquitto, "share-agent", account="ingest_agent")
    until(lambda: predictor.connected and agent.connected)
    agent.publish(TOPICS.pixels("shop"), encode(EXAMPLES["pixel_batch.msgpack"]))
    found = until(lambda: [i for i in predictor.receive(1, 0.05) if isinstance(i, Delivery)])
    assert encode(EXAMPLES["pixel_batch.msgpack"]) == found[0].payload


@pytest.mark.parametrize("credentials", [None, ("store", "wrong"), ("nobody", "x")])
def test_client_without_the_right_password_is_refused(
    mosquitto: RunningMosquitto, connect: Connect, credentials: tuple[str, str] | None
) -> None:
    """Nobody is anonymous."""
    given = None if credentials is None else Credentials(*credentials)
    connection = connect(mosquitto, "stranger", credentials=given)
    assert "refused" in until(lambda: notices(connection))
    assert not connection.connected


def test_broker_listens_on_loopback_only(mosquitto: RunningMosquitto) -> None:
    """The machine's other addresses have no listener."""
    port = mosquitto.settings.broker.port
    table = Path("/proc/net/tcp")
    if not table.exists():
        pytest.skip("this system lists no sockets in /proc/net/tcp")
    listening = [line.split()[1] for line in table.read_text().splitlines()[1:] if line.split()[3] == "0A"]
    assert ["0100007F"] == [one.split(":")[0] for one in listening if int(one.split(":")[1], 16) == port]


def test_files_are_for_their_owner_alone(own_mosquitto: RunningMosquitto) -> None:
    """Passwords, rights, configuration: 0600 in folders of 0700, and the broker can read them all."""
    settings = own_mosquitto.settings
    folders = (settings.paths.state / "broker", settings.broker.credentials)
    modes = {
        file.name: stat.S_IMODE(file.stat().st_mode)
        for folder in folders
        for file in (folder, *folder.iterdir())
        if file.name not in {"stderr", "mosquitto.pid"}  # the pid file is Mosquitto's own
    }
    expected = {
        "broker": 0o700,
        "credentials": 0o700,
        "access.lock": 0o600,
        "mosquitto.conf": 0o600,
        "passwords": 0o600,
        "rights": 0o600,
    }
    assert expected | dict.fromkeys(ACCOUNTS, 0o600) == modes


def test_passwords_are_made_once_and_stored_hashed(mosquitto_program: Path, settings: Settings) -> None:
    """A second start keeps them; the broker's own file holds PBKDF2 hashes."""
    prepare_broker(settings)
    first = {name: read_credentials(settings.broker.credentials, name) for name in ACCOUNTS}
    prepare_broker(settings)
    assert first == {name: read_credentials(settings.broker.credentials, name) for name in ACCOUNTS}
    assert all(one is not None and len(one.password) == 32 for one in first.values())
    assert len(ACCOUNTS) == len({one.password for one in first.values() if one is not None})
    lines = (settings.paths.state / "broker" / "passwords").read_text().splitlines()
    assert [f"{name}:$7$" for name in ACCOUNTS] == [line[: line.index("$7$") + 3] for line in lines]


def test_rights_follow_source_and_root(mosquitto_program: Path, make_settings: MakeSettings) -> None:
    """Another source and another root are other topics."""
    settings = make_settings(broker={"root": "till", "port": free_port()}, ingest_agent={"source": "berlin"})
    prepare_broker(settings)
    rights = (settings.paths.state / "broker" / "rights").read_text()
    assert "topic write till/v1/pixels/berlin\n" in rights
    assert "tailorbird" not in rights


def test_state_with_spaces_in_its_path_works(
    mosquitto_program: Path, make_settings: MakeSettings, tmp_path: Path
) -> None:
    """Mosquitto takes a path up to the end of its line."""
    state = tmp_path / "a folder with spaces"
    running = RunningMosquitto(make_settings(paths={"state": state}, broker={"port": free_port()}))
    running.start()
    running.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_broker_stays_the_user_who_started_it(own_mosquitto: RunningMosquitto) -> None:
    """Started by root it could not read below root's folders as anybody else."""
    status = Path(f"/proc/{own_mosquitto.pid}/status").read_text()
    assert "Uid:\t0\t0\t0\t0" in status


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_broker_runs_for_a_user_who_is_not_root(mosquitto_program: Path) -> None:
    """The same configuration works without any privilege."""
    nobody = 65534
    with tempfile.TemporaryDirectory() as folder:
        environ = {"TAILORBIRD__PATHS__STATE": folder, "TAILORBIRD__BROKER__PORT": str(free_port())}
        settings = read_settings(None, environ).settings
        start = prepare_broker(settings)
        for file in (Path(folder), *Path(folder).rglob("*")):
            os.chown(file, nobody, nobody)
        process = subprocess.Popen(start.arguments, user=nobody, group=nobody)
        try:
            until(lambda: process.poll() is not None or listens("127.0.0.1", settings.broker.port))
            assert process.poll() is None
        finally:
            process.kill()
            process.wait()


def test_missing_mosquitto_is_one_line_that_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the program in PATH or the usual folders."""
    with pytest.raises(
        BrokerProblem, match="mosquitto-none is not installed; type: sudo apt install mosquitto"
    ):
        find_mosquitto("mosquitto-none")


def test_mosquitto_is_found_outside_path(mosquitto_program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian keeps it in /usr/sbin, which is not in every PATH."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert "mosquitto" == find_mosquitto().name


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("mosquitto version 2.0.10", "is version 2.0.10, 2.0.11 is needed"),
        ("hello", "does not tell its version"),
    ],
)
def test_old_or_foreign_program_is_one_line(tmp_path: Path, said: str, words: str) -> None:
    """Versions before the oldest tested one have bugs that break the promise."""
    program = tmp_path / "mosquitto"
    program.write_text(f"#!/bin/sh\necho '{said}'\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(BrokerProblem, match=words):
        check_version(program)


@pytest.mark.parametrize("said", ["2.0.11", "2.0.22", "2.1.2", "10.0.0"])
def test_newer_versions_are_taken(tmp_path: Path, said: str) -> None:
    """2.0.11 and everything after it."""
    program = tmp_path / "mosquitto"
    program.write_text(f"#!/bin/sh\necho 'mosquitto version {said}'\nexit 3\n")
    program.chmod(0o755)
    assert said == check_version(program)


@pytest.mark.parametrize("host", ["0.0.0.0", "broker.example", "192.0.2.1"])
def test_managed_broker_refuses_to_listen_elsewhere_without_a_certificate(tmp_path: Path, host: str) -> None:
    """The line says how to come by one."""
    broker = Broker(host=host, tls_certificate=tmp_path / "none.crt")
    with pytest.raises(BrokerProblem, match=r"there is no \S+none\.crt.*type: \./tailorbird tls init"):
        configuration(broker, tmp_path)


def test_environment_holds_the_measured_malloc_settings() -> None:
    """Large messages need no mmap each."""
    assert {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_"} == set(
        broker_environment()
    )


def test_session_of_an_absent_client_is_bounded(settings: Settings) -> None:
    """By a quarter of the memory, and by an hour; `test_flood` shows that connected ones lose nothing."""
    written = configuration(settings.broker, settings.paths.state)
    quarter = settings.broker.memory_mb * 250_000
    assert f"\nmax_queued_bytes {quarter}\npersistent_client_expiration 1h\n" in written
