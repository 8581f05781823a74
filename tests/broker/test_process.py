"""A service as a process: its command line, its signals, its log and its end."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.connection import Delivery, Notice
from broker.messages import Status, decode
from broker.mqtt import MqttConnection
from broker.topics import Topics
from tests.running_mosquitto import RunningMosquitto
from tests.waiting import until

PROJECT = Path(__file__).resolve().parents[2]
SERVICE = """
import sys
from broker.process import service_main

class CannotLoad(Exception):
    pass

def prepare(settings):
    if {trouble!r} == "prepare":
        raise CannotLoad("bundle/: no manifest")
    return "prepared"

def run(settings, line, prepared):
    assert prepared == "prepared"
    line.announce(port=settings.broker.port)
    while not line.stopping:
        line.receive(limit=10, timeout_s=60.0)
        if {trouble!r} == "run":
            raise RuntimeError("a defect")
        if {trouble!r} == "deaf":
            while True:
                pass

def subscriptions(settings, topics):
    return [topics.predictions()]

sys.exit(service_main("store", subscriptions, run, "main", prepare=prepare, cannot_run=(CannotLoad,)))
"""
Start = Callable[..., "subprocess.Popen[str]"]
Watch = Callable[[str], Callable[[], list[str]]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(broker, "--instance", "x", trouble="run")`: a service in a process of its own."""
    made: list[subprocess.Popen[str]] = []

    def begin(broker: RunningMosquitto | None, *arguments: str, trouble: str = "", **environ: str) -> Any:
        script = tmp_path / "service.py"
        script.write_text(SERVICE.format(trouble=trouble))
        environ["PYTHONPATH"] = str(PROJECT)
        environ["TAILORBIRD__PATHS__STATE"] = str(tmp_path)
        if broker is not None:
            environ["TAILORBIRD__PATHS__STATE"] = str(broker.settings.paths.state)
            environ["TAILORBIRD__BROKER__PORT"] = str(broker.settings.broker.port)
        command = [sys.executable, str(script), *arguments]
        made.append(
            subprocess.Popen(
                command, env={**os.environ, **environ}, cwd=tmp_path, stderr=subprocess.PIPE, text=True
            )
        )
        return made[-1]

    yield begin
    for process in made:
        process.kill()
        process.communicate()


def states(watcher: MqttConnection) -> Callable[[], list[str]]:
    """Return a look at every state told so far."""
    found: list[str] = []

    def look() -> list[str]:
        items = [item for item in watcher.receive(10, 0.02) if isinstance(item, Delivery) and item.payload]
        found.extend(decode(Status, item.payload).state for item in items)
        return found

    return look


@pytest.fixture
def watch(mosquitto: RunningMosquitto, connect: Callable[..., MqttConnection]) -> Iterator[Watch]:
    """`watch("x")`: a look at the states that instance x tells; what it retained is removed afterwards."""
    made: list[tuple[MqttConnection, str]] = []

    def begin(instance: str) -> Callable[[], list[str]]:
        topic = Topics().status("store", instance)
        watcher = connect(mosquitto, f"watch-{instance}", [topic])
        until(lambda: any(isinstance(item, Notice) for item in watcher.receive(1, 0.05)))
        made.append((watcher, topic))
        return states(watcher)

    yield begin
    for watcher, topic in made:
        watcher.publish(topic, b"", retain=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_service_ends_cleanly_on_a_signal(
    mosquitto: RunningMosquitto, start: Start, watch: Watch, number: signal.Signals
) -> None:
    """It says `stopped` and exits with 0, out of a long wait."""
    look = watch(number.name)
    process = start(mosquitto, "--instance", number.name)
    until(lambda: "online" in look())
    process.send_signal(number)
    assert 0 == process.wait(60)
    until(lambda: look()[-1:] == ["stopped"])


def test_second_signal_ends_a_service_that_does_not_listen(
    mosquitto: RunningMosquitto, start: Start, watch: Watch
) -> None:
    """The first one asks, the second one does not; the broker tells the rest."""
    look = watch("deaf")
    process = start(mosquitto, "--instance", "deaf", trouble="deaf")
    until(lambda: "online" in look())
    while process.poll() is None:  # two signals in one moment count as one
        process.send_signal(signal.SIGTERM)
    assert -signal.SIGTERM == process.returncode
    until(lambda: look()[-1:] == ["offline"])


def test_defect_is_one_line_with_its_traceback_and_exit_code_1(
    mosquitto: RunningMosquitto, start: Start, watch: Watch
) -> None:
    """Whoever restarts it sees why, and the status says `offline`."""
    look = watch("defect")
    process = start(mosquitto, "--instance", "defect", trouble="run")
    _out, log = process.communicate(timeout=60)
    assert 1 == process.returncode
    lines = [line for line in log.splitlines() if " ERROR " in line]
    expected = r'\S+Z ERROR store defect detail="it ended the service" traceback="Traceback .*: a defect"'
    assert re.fullmatch(expected, lines[0])
    until(lambda: look()[-1:] == ["offline"])


@pytest.mark.parametrize(
    ("environ", "trouble", "line"),
    [
        ({"TAILORBIRD__BROKER__PORT": "x"}, "", "TAILORBIRD__BROKER__PORT: expected a whole number"),
        ({}, "prepare", "bundle/: no manifest"),
    ],
)
def test_service_that_cannot_run_says_so_in_one_line_with_exit_code_3(
    start: Start, environ: dict[str, str], trouble: str, line: str
) -> None:
    """Settings, and what the service itself names."""
    process = start(None, trouble=trouble, **environ)
    _out, log = process.communicate(timeout=60)
    assert 3 == process.returncode
    assert log.startswith(f"store: {line}")
    assert 1 == len(log.splitlines())


@pytest.mark.parametrize("arguments", [("--colour",), ("--instance", "a b")])
def test_wrong_command_line_is_exit_code_2(start: Start, arguments: tuple[str, ...]) -> None:
    """As everywhere."""
    process = start(None, *arguments)
    _out, log = process.communicate(timeout=60)
    assert 2 == process.returncode
    assert "usage: python -m store" in log
