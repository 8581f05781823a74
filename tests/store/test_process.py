"""The store as a process beside a real broker: it starts, writes, answers, and ends in order."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.connection import Delivery
from broker.messages import Receipt, decode, encode
from broker.mqtt import MqttConnection
from broker.settings import Settings
from broker.topics import Topics
from store import queries
from store.database import WHAT_TO_DO
from store.queries import reading
from tests.running_mosquitto import RunningMosquitto
from tests.store.workbench import Make
from tests.waiting import until

ROOT = Path(__file__).parents[2]
TOPICS = Topics()


def start(settings: Settings, **environment: str) -> subprocess.Popen[bytes]:
    """Start the store with these settings."""
    given = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TAILORBIRD__PATHS__STATE": str(settings.paths.state),
        "TAILORBIRD__BROKER__PORT": str(settings.broker.port),
        "TAILORBIRD__STORE__MIN_FREE_MB": "0",
        **environment,
    }
    return subprocess.Popen([sys.executable, "-m", "store"], env=given, stderr=subprocess.PIPE)


def test_store_writes_answers_and_ends(
    own_mosquitto: RunningMosquitto, connect: Callable[..., MqttConnection], make: Make
) -> None:
    """A batch over a real broker becomes rows and a receipt; SIGTERM ends the store with 0."""
    agent = connect(own_mosquitto, "agent", [TOPICS.receipts(), TOPICS.status()])
    process = start(own_mosquitto.settings)
    try:
        receipts: list[Receipt] = []

        def answered() -> bool:
            if agent.connected:
                agent.publish(TOPICS.predictions("shop"), encode(make.batch("a.png", "b.png")))
            found = [item for item in agent.receive(100, 0.2) if isinstance(item, Delivery)]
            receipts.extend(decode(Receipt, item.payload) for item in found if "receipts" in item.topic)
            return bool(receipts)

        until(answered, timeout_s=60)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said.decode()
    assert [image.image for image in receipts[0].stored] == ["a.png", "b.png"]
    with reading(own_mosquitto.settings.store) as connection:
        assert queries.totals(connection).predictions == 2


def test_store_with_a_foreign_database_says_one_line(settings: Settings, tmp_path: Path) -> None:
    """A file that is no database ends the store with 3 and one sentence, broker or none."""
    (tmp_path / "diary.txt").write_text("Dear diary, " * 100)
    process = start(settings, TAILORBIRD__STORE__URL=f"sqlite:///{tmp_path}/diary.txt")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 3
    assert said.decode().strip().splitlines()[-1] == (
        f"store: {tmp_path}/diary.txt is no SQLite database, or it is damaged; {WHAT_TO_DO}"
    )


def test_store_under_systemd_is_slow_to_end_for_a_database_that_is_none(
    settings: Settings, tmp_path: Path
) -> None:
    """It would be started again a second later, for ever; a stop ends the wait."""
    (tmp_path / "diary.txt").write_text("Dear diary, " * 100)
    url = f"sqlite:///{tmp_path}/diary.txt"
    with start(settings, TAILORBIRD__STORE__URL=url, INVOCATION_ID="0123") as process:
        said = process.stderr
        assert said is not None
        try:
            until(lambda: b"the store ends in 20 s" in said.readline(), timeout_s=60)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(3)
            process.send_signal(signal.SIGTERM)
            assert 3 == process.wait(15)  # without the stop it would take longer
        finally:
            process.kill()


def test_importing_the_store_loads_nothing_heavy() -> None:
    """The service stays small: no TensorFlow, no pandas, no Alembic until a migration."""
    heavy = "[m for m in ('tensorflow', 'pandas', 'alembic') if m in sys.modules]"
    code = f"import sys, store.service; print({heavy})"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
