"""A machine that serves needs no TensorFlow: the predictor as a process, beside a real broker."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.connection import Delivery
from broker.messages import PredictionBatch, decode, encode
from broker.mqtt import MqttConnection
from broker.settings_reader import PROJECT
from broker.topics import Topics
from tests.predictor_service.test_service import batch
from tests.running_mosquitto import RunningMosquitto
from tests.waiting import until

TOPICS = Topics()
ONLY_FOR_TRAINING = ("keras", "tensorflow", "tensorflow-cpu")


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    """A folder in which TensorFlow and Keras stand as packages that cannot be imported."""
    for name in ("tensorflow", "keras"):
        (tmp_path / "stubs" / name).mkdir(parents=True)
        (tmp_path / "stubs" / name / "__init__.py").write_text(f'raise ImportError("no {name} here")\n')
    return tmp_path / "stubs"


def environment(stubs: Path, **more: str) -> dict[str, str]:
    """Return an environment in which the stubs are found first."""
    path = f"{stubs}{os.pathsep}{PROJECT}"
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", **more}


def test_predictor_answers_without_tensorflow(
    own_mosquitto: RunningMosquitto, connect: Callable[..., MqttConnection], stubs: Path
) -> None:
    """With the project's own bundle, in the fastest engine that is left."""
    settings = own_mosquitto.settings
    agent = connect(own_mosquitto, "agent", [TOPICS.predictions()])
    given = environment(
        stubs,
        TAILORBIRD__PATHS__STATE=str(settings.paths.state),
        TAILORBIRD__BROKER__PORT=str(settings.broker.port),
    )
    command = [sys.executable, "-m", "predictor_service"]
    process = subprocess.Popen(command, env=given, stderr=subprocess.PIPE)
    answers: list[PredictionBatch] = []

    def answered() -> bool:
        assert process.poll() is None, "the predictor has ended"
        if agent.connected:
            agent.publish(TOPICS.pixels("shop"), encode(batch("b1", [0, 255])))
        found = [item for item in agent.receive(100, 0.5) if isinstance(item, Delivery)]
        answers.extend(decode(PredictionBatch, item.payload) for item in found)
        return bool(answers)

    try:
        until(answered, timeout_s=60)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert 0 == process.returncode, said.decode()
    assert ("b1-0.png", "b1-1.png") == tuple(p.image for p in answers[0].predictions)


def test_tensorflow_as_the_engine_is_one_line_without_it(stubs: Path, tmp_path: Path) -> None:
    """Whoever asks for it by name hears what is missing."""
    given = environment(stubs, TAILORBIRD__PATHS__STATE=str(tmp_path), TAILORBIRD__MODEL__ENGINE="tensorflow")
    command = [sys.executable, "-m", "predictor_service"]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=60)
    assert 3 == done.returncode
    assert "the package tensorflow-cpu is not installed" in done.stderr.splitlines()[-1]


def wanted(name: str) -> set[str]:
    """Return the packages that a file asks for, with their bounds."""
    lines = (PROJECT / name).read_text().splitlines()
    return {line for line in lines if line and line[0] not in "#-"}


def pins(name: str) -> set[str]:
    """Return the versions that a file locks."""
    return set(re.findall(r"^[a-z0-9._-]+==\S+", (PROJECT / name).read_text(), re.MULTILINE))


def test_serving_asks_for_everything_but_what_only_training_needs() -> None:
    """The two files of wishes differ in nothing else."""
    names = {
        re.split(r"[>= ]", line)[0] for line in wanted("requirements.in") - wanted("requirements-serve.in")
    }
    assert set(ONLY_FOR_TRAINING) == names
    assert set() == wanted("requirements-serve.in") - wanted("requirements.in")


def test_serving_has_the_versions_that_were_tested() -> None:
    """Locked to what the whole is locked to."""
    assert set() == pins("requirements-serve.txt") - pins("requirements.txt")
    assert not [pin for pin in pins("requirements-serve.txt") if pin.split("==")[0] in ONLY_FOR_TRAINING]
