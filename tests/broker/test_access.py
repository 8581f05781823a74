"""Programs outside at a real broker: what each role may and may not do, from the first moment to the last."""

import functools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from broker.access import add_client, revoke_client
from broker.certificates import make_certificates
from broker.client_accounts import Role, new_client, read_clients
from broker.clients import guarded, predictors_group
from broker.connection import Delivery, Notice, Will
from broker.credentials import ACCOUNTS, Credentials
from broker.errors import BrokerProblem
from broker.mosquitto import prepare_broker
from broker.mosquitto_rights import access_list
from broker.mqtt import MqttConnection
from broker.process import line_of
from broker.reloading import reload_broker
from broker.settings import Settings
from broker.topics import Topics
from predictor_service.__main__ import subscriptions
from tests.broker.places import MosquittoLink
from tests.broker.reaching import Watch, wait_connected
from tests.conftest import MakeSettings, _settings_below
from tests.running_mosquitto import RunningMosquitto
from tests.waiting import free_port, until

Connect = Callable[..., MqttConnection]
TOPICS = Topics()
OTHER = Topics("other")
NAMES: dict[str, Role] = {"watcher": "reader", "till-1": "source", "till-2": "source", "people": "reviewer"}

# Each kind of topic with the clients who may write it and those who may read it.
RIGHTS: dict[str, tuple[set[str], set[str]]] = {
    TOPICS.pixels("shop"): (set(), set()),
    TOPICS.pixels("till-1"): ({"till-1"}, set()),
    TOPICS.pixels("till-2"): ({"till-2"}, set()),
    TOPICS.pixels("till-1/x"): (set(), set()),
    TOPICS.predictions("shop"): (set(), {"watcher"}),
    TOPICS.predictions("till-1"): (set(), {"watcher", "till-1"}),
    TOPICS.answers("till-1"): (set(), {"till-1"}),
    TOPICS.answers("till-2"): (set(), {"till-2"}),
    TOPICS.answers("till-1/left/7"): (set(), {"till-1"}),
    TOPICS.answers("till-10"): (set(), set()),
    TOPICS.receipts("shop"): (set(), {"watcher"}),
    TOPICS.receipts("till-1"): (set(), {"watcher", "till-1"}),
    TOPICS.failures("shop"): (set(), {"watcher"}),
    TOPICS.failures("till-1"): (set(), {"watcher"}),
    TOPICS.jobs("till-1"): (set(), {"watcher"}),
    TOPICS.summaries("shop"): (set(), {"watcher"}),
    TOPICS.alerts(): (set(), {"watcher"}),
    TOPICS.model(): (set(), {"watcher", "till-1", "till-2"}),
    TOPICS.model_requests(): (set(), set()),
    TOPICS.model_answers(): (set(), set()),
    TOPICS.status("store", "main"): (set(), set(NAMES)),
    TOPICS.reviews(): ({"people"}, set()),
    TOPICS.corrections("shop"): (set(), {"people"}),
    TOPICS.shadows("shop"): (set(), set()),
    TOPICS.inputs("shop"): (set(), set()),
    TOPICS.events("store"): (set(), set()),
    TOPICS.rejects("store"): (set(), set()),
    OTHER.pixels("till-1"): (set(), set()),
    OTHER.predictions("till-1"): (set(), set()),
    OTHER.reviews(): (set(), set()),
    "tailorbird/v2/predictions/till-1": (set(), set()),
}
FILTERS = (
    *("#", "+/#", "$SYS/#", "tailorbird/v1/pixels/#", "other/#"),
    *("$share/predictors/tailorbird/v1/pixels/+", "$share/g/#", *RIGHTS),
)


class Outside:
    """A broker with clients of every role."""

    def __init__(self, folder: Path) -> None:
        settings = _settings_below(folder, broker={"port": free_port()})
        settings.paths.state.mkdir(parents=True)
        self.passwords = {name: add_client(settings, name, role) for name, role in NAMES.items()}
        self.running = RunningMosquitto(settings)
        self.running.start()

    def credentials(self, name: str) -> Credentials:
        """Return a client's account."""
        return Credentials(name, self.passwords[name])


@pytest.fixture(scope="module")
def outside(mosquitto_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """One broker for this file."""
    made = Outside(tmp_path_factory.mktemp("outside"))
    yield made
    made.running.kill()


@pytest.mark.parametrize("name", NAMES)
def test_client_may_publish_on_its_topics_and_no_others(
    outside: Outside, connect: Connect, name: str
) -> None:
    """A source under its own name, a reviewer reviews, a reader nothing; the rest is "not authorised"."""
    connection = connect(outside.running, f"w-{name}", credentials=outside.credentials(name))
    wait_connected(connection)
    allowed: set[str] = set()
    refused: set[str] = set()
    for topic in RIGHTS:
        connection.publish(topic, b"", on_acknowledged=functools.partial(allowed.add, topic))

    def all_answered() -> bool:
        items = [item for item in connection.receive(100, 0.02) if isinstance(item, Notice)]
        refused.update(item.topic for item in items if item.kind == "not-authorised")
        return allowed | refused == set(RIGHTS)

    until(all_answered)
    assert {topic for topic, (writers, _) in RIGHTS.items() if name in writers} == allowed
    assert set(RIGHTS) - allowed == refused


@pytest.mark.parametrize("name", NAMES)
def test_client_receives_its_topics_and_no_others(outside: Outside, connect: Connect, name: str) -> None:
    """Whatever it subscribes to, which is granted: nothing arrives that it may not read."""
    mine = outside.credentials(name)
    subscriber = wait_connected(connect(outside.running, f"r-{name}", FILTERS, credentials=mine))
    publisher = wait_connected(connect(outside.running, f"r-{name}-publisher"))
    for topic in RIGHTS:
        publisher.publish(topic, name.encode())
    last = TOPICS.status("store", "last")
    publisher.publish(last, name.encode())
    found: set[str] = set()

    def all_came() -> bool:
        items = [item for item in subscriber.receive(100, 0.02) if isinstance(item, Delivery)]
        found.update(item.topic for item in items if item.payload == name.encode())
        return last in found

    until(all_came)
    assert {topic for topic, (_, readers) in RIGHTS.items() if name in readers} | {last} == found


def test_only_the_store_publishes_receipts_and_only_predictors_predictions(settings: Settings) -> None:
    """Among all accounts there are."""
    clients = tuple(new_client(name, role, "$7$x") for name, role in NAMES.items())
    writers: dict[str, set[str]] = {}
    for part in access_list(settings, clients).split("user ")[1:]:
        name, *lines = part.splitlines()
        for line in lines:
            if line.startswith(("topic write ", "topic readwrite ")):
                writers.setdefault(line.split()[2].split("/")[2], set()).add(name)
    assert {"store"} == writers["receipts"] == writers["corrections"] == writers["alerts"]
    assert {"predictor_service"} == writers["predictions"] == writers["answers"] == writers["model"]
    assert {"ingest_agent", "client", "till-1", "till-2"} == writers["pixels"]
    assert {"reviewer", "people"} == writers["reviews"]


def test_client_cannot_take_a_predictors_share(outside: Outside, connect: Connect) -> None:
    """Mosquitto gives each member of a shared subscription its turn, even one that may not read.

    What it does not get is lost, so the group's name cannot be guessed.
    """
    settings = outside.running.settings
    predictor = connect(
        outside.running, "predictor", subscriptions(settings, TOPICS), account="predictor_service"
    )
    thief = connect(
        outside.running, "thief", [TOPICS.shared(TOPICS.pixels())], credentials=outside.credentials("till-2")
    )
    publisher = connect(outside.running, "source", credentials=outside.credentials("till-1"))
    for one in (predictor, thief, publisher):
        wait_connected(one)
    for number in range(10):
        publisher.publish(TOPICS.pixels("till-1"), str(number).encode())
    found = Watch(predictor)
    until(lambda: len(found.payloads()) == 10)


def test_client_cannot_take_a_services_connection_over(outside: Outside, connect: Connect) -> None:
    """Any account may come with any client id, so those of the services cannot be guessed."""
    settings = outside.running.settings
    with line_of(settings, "store", "main", lambda _settings, topics: [topics.predictions()]) as line:
        until(lambda: line.receive(limit=1, timeout_s=0.02) or line.connections)
        thief = connect(outside.running, "tailorbird-store-main", credentials=outside.credentials("till-1"))
        wait_connected(thief)
        publisher = wait_connected(connect(outside.running, "after", account="predictor_service"))
        publisher.publish(TOPICS.predictions("till-1"), b"after the thief")
        assert b"after the thief" == until(lambda: line.receive(limit=1, timeout_s=0.05))[0].payload
        assert 1 == line.connections


def test_guarded_names_are_the_same_each_time_and_differ_by_password(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    """Predictors on several machines with one account share a group; without an account nothing is added."""
    settings = make_settings()
    assert "predictors" == predictors_group(settings)
    file = settings.broker.credentials / "predictor_service"
    file.parent.mkdir(parents=True)
    file.write_text("predictor_service:first\n")
    first = predictors_group(settings)
    assert first == predictors_group(settings)
    file.write_text("predictor_service:second\n")
    assert first != predictors_group(settings)
    assert "second" not in guarded(settings, "predictor_service", "x")


# Coming and going.


def test_running_broker_learns_of_a_client_and_keeps_it_at_the_next_start(
    own_mosquitto: RunningMosquitto, connect: Connect
) -> None:
    """Nobody else is cut off when it does."""
    settings = own_mosquitto.settings
    store = wait_connected(connect(own_mosquitto, "store", account="store"))
    watch = Watch(store)
    password = add_client(settings, "till-1", "source")
    assert "reloaded" == reload_broker(settings)
    wait_connected(connect(own_mosquitto, "before", credentials=Credentials("till-1", password)))
    assert ["connected"] == watch.kinds()

    own_mosquitto.kill()
    assert "not running" == reload_broker(settings)
    again = RunningMosquitto(settings)
    again.start()
    try:
        wait_connected(connect(again, "after", credentials=Credentials("till-1", password)))
    finally:
        again.kill()


def test_revoked_client_is_cut_off_at_once_and_nobody_else(
    own_mosquitto: RunningMosquitto, connect: Connect
) -> None:
    """It is refused when it comes again."""
    settings = own_mosquitto.settings
    passwords = {name: add_client(settings, name, "reader") for name in ("goes", "stays")}
    reload_broker(settings)
    found = {
        name: Watch(
            wait_connected(connect(own_mosquitto, name, ["#"], credentials=Credentials(name, password)))
        )
        for name, password in passwords.items()
    }
    store = Watch(wait_connected(connect(own_mosquitto, "store", account="store")))
    assert "reader" == revoke_client(settings, "goes").role
    assert "reloaded" == reload_broker(settings)
    found["goes"].notice("disconnected")
    assert "the broker does not" in found["goes"].notice("refused").detail
    assert ["connected"] == found["stays"].kinds() == store.kinds()
    assert ["stays"] == [one.name for one in read_clients(settings.paths.state)]


def test_no_password_of_a_client_is_kept(own_mosquitto: RunningMosquitto) -> None:
    """Only its hash, in the state and in the broker's file."""
    state = own_mosquitto.settings.paths.state
    password = add_client(own_mosquitto.settings, "till-1", "source")
    assert 32 == len(password)
    files = [file for file in state.rglob("*") if file.is_file()]
    assert [] == [file for file in files if password.encode() in file.read_bytes()]
    (client,) = read_clients(state)
    assert f"till-1:{client.hash}\n" in (state / "broker" / "passwords").read_text()


def test_client_that_is_there_is_not_added_again(mosquitto_program: Path, settings: Settings) -> None:
    """Its password would be another one from then on; one line says what to do."""
    settings.paths.state.mkdir()
    add_client(settings, "till-1", "source")
    before = read_clients(settings.paths.state)
    with pytest.raises(BrokerProblem, match=r"client till-1 already; .*client revoke till-1"):
        add_client(settings, "till-1", "reader")
    assert before == read_clients(settings.paths.state)


def test_client_that_is_not_there_cannot_be_revoked(settings: Settings) -> None:
    """The line names those that are."""
    settings.paths.state.mkdir()
    with pytest.raises(BrokerProblem, match="no client 'nobody'; there are none"):
        revoke_client(settings, "nobody")


def test_process_that_is_no_broker_is_never_told(own_mosquitto: RunningMosquitto, tmp_path: Path) -> None:
    """A number in an old file may have gone to anybody: SIGHUP ends most programs."""
    settings = own_mosquitto.settings
    own_mosquitto.kill()
    other = _settings_below(tmp_path / "other", broker={"port": free_port()})
    stranger = RunningMosquitto(other)  # a mosquitto, but with another configuration
    stranger.start()
    try:
        for pid in (1, stranger.pid, 2**22 + 1):
            (settings.paths.state / "broker" / "mosquitto.pid").write_text(f"{pid}\n")
            assert "not running" == reload_broker(settings)
    finally:
        stranger.kill()


def test_clients_added_at_once_are_all_there(mosquitto_program: Path, settings: Settings) -> None:
    """Two commands wait for each other."""
    names = [f"till-{number}" for number in range(6)]
    prepare_broker(settings)
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: add_client(settings, name, "source"), names))
    assert names == [one.name for one in read_clients(settings.paths.state)]
    lines = (settings.paths.state / "broker" / "passwords").read_text().splitlines()
    assert {*ACCOUNTS, *names} == {line.partition(":")[0] for line in lines}


def test_state_that_cannot_be_written_is_one_line(settings: Settings) -> None:
    """Nothing is changed, and nothing is half there."""
    settings.paths.state.write_text("a file where the folder should be")
    with pytest.raises(BrokerProblem, match=r"state\S*: (Not a directory|File exists)"):
        add_client(settings, "till-1", "source")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write for somebody else")
def test_files_written_by_root_belong_to_the_owner_of_the_state(
    mosquitto_program: Path, settings: Settings
) -> None:
    """`sudo ./tailorbird client add` must not lock the services out."""
    nobody = 65534
    settings.paths.state.mkdir()
    os.chown(settings.paths.state, nobody, nobody)
    prepare_broker(settings)
    add_client(settings, "till-1", "source")
    make_certificates(settings.paths.state / "tls", [], days=2)
    owners = {
        str(file.relative_to(settings.paths.state)): file.stat().st_uid
        for file in settings.paths.state.rglob("*")
        if settings.broker.credentials not in (file, file.parent)
    }
    assert {"clients.json", "broker/passwords", "broker/rights", "tls/server.key"} <= owners.keys()
    assert {nobody} == set(owners.values())


def test_last_will_gives_no_right_that_its_owner_has_not(outside: Outside, connect: Connect) -> None:
    """The broker publishes it, but as the client's: one topic is allowed, the other is not."""
    watch = Watch(wait_connected(connect(outside.running, "wills", ["tailorbird/v1/#"])))
    mine = outside.credentials("till-1")
    for number, topic in enumerate((TOPICS.receipts("till-1"), TOPICS.pixels("till-1"))):
        dying = connect(outside.running, f"dying-{number}", credentials=mine, will=Will(topic, b"my will"))
        wait_connected(dying)
        MosquittoLink(outside.running).crash(dying)

    def came() -> list[Delivery]:
        items = [item for item in watch.take() if isinstance(item, Delivery)]
        return [item for item in items if item.payload == b"my will"]

    until(came)
    assert [TOPICS.pixels("till-1")] == [item.topic for item in came()]
