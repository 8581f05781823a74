"""The agent as a process, on a real broker."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from broker.connection import Delivery
from broker.messages import JobProgress, ModelAnnouncement, PixelBatch, Receipt, StoredImage, decode, encode
from broker.messages import now as wire_now
from broker.mqtt import MqttConnection
from broker.settings import Settings
from broker.topics import Topics
from ingest_agent.__main__ import subscriptions
from model.preprocessing import InputSpec
from tests.ingest_agent.workbench import picture
from tests.running_mosquitto import RunningMosquitto
from tests.waiting import until

PROJECT = Path(__file__).resolve().parents[2]
TOPICS = Topics()


class OtherSide:
    """Predictor and store over a real broker."""

    def __init__(self, connection: MqttConnection) -> None:
        self.connection = connection
        self.images: list[str] = []
        self.closed: list[JobProgress] = []

    def announce(self) -> bool:
        """Announce a model, once the broker is there."""
        message = ModelAnnouncement(
            version="m1",
            classes=("Bag", "Shirt"),
            input=InputSpec().to_dict(),
            engine="none",
            announced_at=wire_now(),
        )
        if self.connection.connected:
            self.connection.publish(TOPICS.model(), encode(message), retain=True)
        return self.connection.connected

    def step(self) -> None:
        """Answer what came."""
        for item in self.connection.receive(100, 0.05):
            if isinstance(item, Delivery):
                self._answer(item)
                self.connection.acknowledge(item)

    def _answer(self, delivery: Delivery) -> None:
        if TOPICS.kind(delivery.topic) == "pixels":
            batch = decode(PixelBatch, delivery.payload)
            at = wire_now()
            stored = tuple(
                StoredImage(image=name, label="Bag", confidence=0.5, model_version="m1", predicted_at=at)
                for name in batch.images
            )
            self.images += batch.images
            receipt = Receipt(
                batch_id=batch.batch_id,
                job_id=batch.job_id,
                source=batch.source,
                kind="predictions",
                stored_at=at,
                stored=stored,
            )
            self.connection.publish(TOPICS.receipts(batch.source), encode(receipt))
            return
        job = decode(JobProgress, delivery.payload)
        if job.state == "closed":
            self.closed.append(job)
            receipt = Receipt(
                batch_id=job.batch_id, job_id=job.job_id, source=job.source, kind="job", stored_at=wire_now()
            )
            self.connection.publish(TOPICS.receipts(job.source), encode(receipt))


def start(settings: Settings) -> subprocess.Popen[bytes]:
    """Start an agent with these settings."""
    given = {
        **os.environ,
        "PYTHONPATH": str(PROJECT),
        "TAILORBIRD__PATHS__STATE": str(settings.paths.state),
        "TAILORBIRD__BROKER__PORT": str(settings.broker.port),
        "TAILORBIRD__INGEST_AGENT__QUIET_S": "0.2",
        "TAILORBIRD__INGEST_AGENT__CANARY_S": "0",
    }
    return subprocess.Popen([sys.executable, "-m", "ingest_agent"], env=given, stderr=subprocess.PIPE)


def test_agent_listens_to_its_receipts_and_to_who_serves(settings: Settings) -> None:
    """Its own source's and its canary's receipts, the model, and who is there."""
    assert (
        "t/v1/receipts/shop",
        "t/v1/receipts/canary-shop",
        "t/v1/model",
        "t/v1/status/predictor_service/+",
        "t/v1/status/store/+",
    ) == subscriptions(settings, Topics("t"))


def test_agent_publishes_closes_and_ends(
    own_mosquitto: RunningMosquitto, connect: Callable[..., MqttConnection]
) -> None:
    """A dropped folder goes over a real broker and gets its results.csv; SIGTERM ends the agent with 0."""
    settings = own_mosquitto.settings
    other = OtherSide(connect(own_mosquitto, "other", [TOPICS.pixels(), TOPICS.jobs()]))
    inbox = settings.paths.state / "inbox"
    inbox.mkdir(parents=True)
    until(other.announce)
    process = start(settings)
    try:
        (inbox / "f").mkdir()
        for number in range(50):
            (inbox / "f" / f"{number}.png").write_bytes(picture(number))

        def closed() -> bool:
            other.step()
            stored = {job.job_id: job.stored for job in other.closed}  # a closing may be told twice
            return sum(stored.values()) == 50

        until(closed, timeout_s=60)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said.decode()
    assert {f"{number}.png" for number in range(50)} == set(other.images)
    assert 51 == len((inbox / "f" / "results.csv").read_text("utf-8").splitlines())


def test_second_agent_of_a_name_ends_with_one_line(
    own_mosquitto: RunningMosquitto, connect: Callable[..., MqttConnection]
) -> None:
    """Exit code 3 says that it cannot run, and the first one goes on."""
    watching = connect(own_mosquitto, "watching", [TOPICS.status("ingest_agent")])
    first = start(own_mosquitto.settings)
    try:
        until(lambda: any(isinstance(item, Delivery) for item in watching.receive(10, 0.2)), timeout_s=60)
        second = start(own_mosquitto.settings)
        _, said = second.communicate(timeout=60)
        assert (3, None) == (second.returncode, first.poll())
        assert "another agent uses" in said.decode().splitlines()[-1]
    finally:
        first.kill()
        first.communicate()
