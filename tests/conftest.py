"""Fixtures that several folders share: settings in a temporary place, and a real broker."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from broker.errors import BrokerProblem
from broker.mosquitto_program import find_mosquitto
from broker.mqtt import MqttConnection
from broker.settings import Settings
from broker.settings_reader import PROJECT, read_settings
from tests.broker.listening import Listening
from tests.running_mosquitto import RunningMosquitto
from tests.waiting import free_port

# A shared machine may be slow at any moment: what a test tries is bounded, its time is not.
hypothesis.settings.register_profile("tailorbird", deadline=None)
hypothesis.settings.load_profile("tailorbird")

LONG = ("test_boot.py", "test_loop.py")
"""Files that take longest: begun first, lest one is left over while the other workers have nothing to do."""
SLOW_S = 300
"""What ends a slow test that hangs: some start ten programs, and each of those wants a second or more."""
MakeSettings = Callable[..., Settings]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give slow tests time on a busy machine, and put the long files first where workers share the tests."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_S))
    if hasattr(config, "workerinput"):
        places = {name: place for place, name in enumerate(LONG)}
        items.sort(key=lambda item: places.get(item.path.name, len(LONG)))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say why tests were skipped: a line for each reason, not for each test."""
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"skipped {count:3d}: {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    where = report.longrepr
    return str(where[2] if isinstance(where, tuple) else where).removeprefix("Skipped: ")


def _settings_below(folder: Path, **sections: dict[str, Any]) -> Settings:
    environ = {"TAILORBIRD__PATHS__STATE": str(folder / "state")}
    for section, keys in sections.items():
        for key, value in keys.items():
            environ[f"TAILORBIRD__{section}__{key}".upper()] = str(value)
    return read_settings(None, environ).settings


@pytest.fixture
def make_settings(tmp_path: Path) -> MakeSettings:
    """`make_settings(store={"group_rows": 1})`: the defaults with all state in this test's folder."""

    def make(**sections: dict[str, Any]) -> Settings:
        return _settings_below(tmp_path, **sections)

    return make


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    """The defaults, with all state in this test's folder and a port of its own."""
    return make_settings(broker={"port": free_port()})


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Listening]:
    """Stand in for systemd: who is told by sd_notify."""
    with Listening(tmp_path) as one:
        yield one


@pytest.fixture(scope="session")
def mosquitto_program() -> Path:
    """Where Mosquitto is; without it the test is skipped, and fails in CI."""
    try:
        return find_mosquitto()
    except BrokerProblem as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(str(problem))
        pytest.skip(str(problem))


@pytest.fixture(scope="session")
def mosquitto(
    mosquitto_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningMosquitto]:
    """A real broker that the whole run shares: every test uses a root topic and client ids of its own."""
    folder = tmp_path_factory.mktemp("mosquitto")
    running = RunningMosquitto(_settings_below(folder, broker={"port": free_port()}))
    running.start()
    yield running
    running.kill()


@pytest.fixture
def own_mosquitto(mosquitto_program: Path, settings: Settings) -> Iterator[RunningMosquitto]:
    """A real broker for one test, which may kill it and start it again."""
    running = RunningMosquitto(settings)
    running.start()
    yield running
    running.kill()


@pytest.fixture
def connect() -> Iterator[Callable[..., MqttConnection]]:
    """`connect(broker, "id", filters, account="store")`: a started connection, stopped after the test."""
    made: list[MqttConnection] = []

    def make(broker: RunningMosquitto, client_id: str, *arguments: Any, **more: Any) -> MqttConnection:
        made.append(broker.connection(client_id, *arguments, **more))
        made[-1].start()
        return made[-1]

    yield make
    for connection in made:
        connection.stop(2.0)


@pytest.fixture(scope="session")
def fashion_mnist() -> Path:
    """The directory with Fashion-MNIST's IDX files; skips where it is absent."""
    folder = (
        Path(os.environ.get("TAILORBIRD_TEST_DATA", PROJECT.parent / "shared" / "data")) / "fashion-mnist"
    )
    if not folder.is_dir():
        pytest.skip(f"no Fashion-MNIST at {folder}; TAILORBIRD_TEST_DATA names another folder")
    return folder
