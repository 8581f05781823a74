"""An agent on a broker within the process, opposite to a line that answers like predictor and store together.

Nothing here waits for a clock: `until` lets everybody work, turn by turn, until something is true.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import cv2
import msgspec
import numpy as np

from broker.connection import Delivery
from broker.line import Line
from broker.memory import MemoryBroker, MemoryConnection
from broker.messages import (
    Event,
    FailedImage,
    Failure,
    JobProgress,
    ModelAnnouncement,
    PixelBatch,
    Receipt,
    Status,
    StoredImage,
    decode,
    encode,
)
from broker.messages import now as wire_now
from broker.settings import IngestAgent, Model, Paths, Settings
from broker.topics import Topics
from ingest_agent.__main__ import subscriptions
from ingest_agent.agent import Agent
from model.preprocessing import InputSpec

T = TypeVar("T")
TOPICS = Topics("t")
LABEL = "Bag"
QUICK: dict[str, Any] = {
    "settle_s": 0.05,
    "give_up_s": 0.2,
    "quiet_s": 0.1,
    "rescan_s": 30.0,
    "linger_ms": 1.0,
    "resend_min_s": 0.1,
    "resend_max_s": 0.4,
    "canary_s": 0.0,
    "decode_in": "agent",
}


def picture(seed: int = 0) -> bytes:
    """Return a PNG file of 28x28 gray pixels that passes preprocessing unchanged."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[6:22, 6:22] = np.random.default_rng(seed).integers(1, 255, (16, 16), dtype=np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


class OtherSide:
    """Predictor and store in one: every batch is answered from `rows`, which is the database.

    With `silent` it takes messages and answers nothing. `batches` are the payloads by batch id, in all their
    deliveries.
    """

    def __init__(self, broker: MemoryBroker) -> None:
        topics = (TOPICS.pixels(), TOPICS.failures(), TOPICS.jobs(), TOPICS.events(), TOPICS.status())
        self.connection = broker.connect("other-side", topics)
        self.silent = False
        self.rows: dict[tuple[str, str], str] = {}
        self.deliveries: dict[tuple[str, str], int] = {}
        self.batches: dict[str, list[bytes]] = {}
        self.closed: list[JobProgress] = []
        self.progress: list[JobProgress] = []
        self.events: list[Event] = []
        self.canaries: list[PixelBatch] = []
        self.shapes: dict[str, tuple[int, int, int]] = {}
        self.status: Status | None = None
        self.receipts: list[Receipt] = []

    def announce(self, version: str = "m1", spec: InputSpec | None = None) -> None:
        """Announce a model."""
        message = ModelAnnouncement(
            version=version,
            classes=(LABEL, "Shirt"),
            input=(spec or InputSpec()).to_dict(),
            engine="none",
            announced_at=wire_now(),
        )
        self.connection.publish(TOPICS.model(), encode(message), retain=True)

    def step(self) -> None:
        """Take what has come, and answer."""
        for item in self.connection.receive(1000, 0.0):
            if isinstance(item, Delivery):
                self._take(item)
                self.connection.acknowledge(item)

    def _take(self, delivery: Delivery) -> None:
        kind = TOPICS.kind(delivery.topic)
        if kind == "events":
            self.events.append(decode(Event, delivery.payload))
        elif kind == "status":
            self.status = decode(Status, delivery.payload)
        elif kind == "pixels":
            self._take_pixels(decode(PixelBatch, delivery.payload, delivery.content_type), delivery.payload)
        elif kind == "failures":
            self._take_failure(decode(Failure, delivery.payload), delivery.payload)
        elif kind == "jobs":
            self._take_job(decode(JobProgress, delivery.payload), delivery.payload)

    def _take_pixels(self, batch: PixelBatch, payload: bytes) -> None:
        if batch.source.startswith("canary-"):
            self.canaries.append(batch)
        else:
            self.shapes[batch.batch_id] = batch.shape
            self._note(batch.batch_id, batch.job_id, batch.images, payload)
        if not self.silent:
            for image in batch.images:
                self.rows.setdefault((batch.job_id, image), LABEL)
            self.answer(batch.batch_id, batch.job_id, batch.source, "predictions", batch.images)

    def _take_failure(self, failure: Failure, payload: bytes) -> None:
        self._note(failure.batch_id, failure.job_id, (failure.image,), payload)
        if not self.silent:
            self.rows.setdefault((failure.job_id, failure.image), f"!{failure.reason}")
            self.answer(failure.batch_id, failure.job_id, failure.source, "failure", (failure.image,))

    def _take_job(self, job: JobProgress, payload: bytes) -> None:
        if job.state == "open":
            self.progress.append(job)
            return
        self._note(job.batch_id, job.job_id, (), payload)
        if not self.silent:
            if all(job.job_id != known.job_id for known in self.closed):
                self.closed.append(job)
            self.answer(job.batch_id, job.job_id, job.source, "job", ())

    def _note(self, batch_id: str, job_id: str, images: tuple[str, ...], payload: bytes) -> None:
        self.batches.setdefault(batch_id, []).append(payload)
        for image in images:
            self.deliveries[job_id, image] = self.deliveries.get((job_id, image), 0) + 1

    def answer(self, batch_id: str, job_id: str, source: str, kind: Any, images: tuple[str, ...]) -> None:
        """Send the receipt that says what stands in `rows`."""
        stored, failed = [], []
        for image in images:
            row = self.rows[job_id, image]
            if row.startswith("!"):
                failed.append(FailedImage(image=image, reason=row[1:], detail="as told"))
            else:
                at = wire_now()
                item = StoredImage(
                    image=image, label=row, confidence=0.75, model_version="m1", predicted_at=at
                )
                stored.append(item)
        receipt = Receipt(
            batch_id=batch_id,
            job_id=job_id,
            source=source,
            kind=kind,
            stored_at=wire_now(),
            stored=tuple(stored),
            failed=tuple(failed),
        )
        self.receipts.append(receipt)
        self.send(receipt)

    def send(self, receipt: Receipt) -> None:
        """Publish a receipt, as often as a test likes."""
        self.connection.publish(TOPICS.receipts(receipt.source), encode(receipt))

    def images(self) -> dict[str, str]:
        """Return what stands in the database by image, whichever the job."""
        return {image: row for (_, image), row in self.rows.items()}

    def told(self, event: str) -> list[str]:
        """Return the details of the events of one kind."""
        return [one.detail for one in self.events if one.event == event]


class Workbench:
    """One agent, one broker, one inbox below `folder`."""

    def __init__(self, folder: Path, **own: Any) -> None:
        self.folder = folder
        self.inbox = folder / "inbox"
        values = {**QUICK, "inbox": self.inbox, **own}
        self.settings = Settings(
            paths=Paths(state=folder / "state"),
            model=Model(bundle=folder / "no-bundle"),
            ingest_agent=IngestAgent(**values),
        )
        self.broker = MemoryBroker()
        self.other = OtherSide(self.broker)
        self.other.connection.start()
        self.connection: MemoryConnection | None = None
        self.line: Line | None = None
        self.agent: Agent | None = None

    def start(self) -> Agent:
        """Start the agent; on a line where a model is announced."""
        self.inbox.mkdir(exist_ok=True)
        if TOPICS.model() not in self.broker.retained:
            self.other.announce()
        return self.start_agent()

    def start_agent(self) -> Agent:
        """Start the agent on whatever is there."""
        connection = self.broker.connect("agent", subscriptions(self.settings, TOPICS))
        source = self.settings.ingest_agent.source
        self.connection = connection
        self.line = Line(connection, TOPICS, service="ingest_agent", instance=source)
        self.line.__enter__()
        self.agent = Agent(self.settings, self.line)
        return self.agent.__enter__()

    def end(self, *, kill: bool = False) -> None:
        """End the agent, cleanly or as a killed process does."""
        if self.agent is None or self.line is None or self.connection is None:
            return
        if kill:
            self.connection.die()
        self.agent.__exit__(None, None, None)
        if not kill:
            self.line.__exit__(None, None, None)
        self.agent = None

    def step(self) -> None:
        """Let everybody work once."""
        if self.agent is not None and self.line is not None:
            self.line.wake()
            self.agent.turn()
        self.other.step()

    def until(self, condition: Callable[[], T], timeout_s: float = 60.0) -> T:
        """Work until `condition` returns something true; return that."""
        deadline = time.monotonic() + timeout_s
        while not (found := condition()):
            assert time.monotonic() < deadline, f"never became true: {condition}; {self.other.images()}"
            self.step()
            time.sleep(0.001)  # readers and the disk want a processor as well
        return found

    def for_a_while(self, seconds: float) -> None:
        """Work for some time, to see that something does not happen."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end)

    def drop(self, name: str | bytes, content: bytes | None = None) -> Path:
        """Put one whole file into the inbox: written beside it and renamed in."""
        path = os.fsencode(self.inbox) + b"/" + os.fsencode(name)
        target = Path(os.fsdecode(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = self.folder / "aside"
        aside.write_bytes(picture(hash(name) & 0xFFFF) if content is None else content)
        return aside.rename(target)

    def drop_folder(self, name: str, count: int, start: int = 0) -> Path:
        """Put a whole folder of pictures into the inbox with one rename."""
        aside = self.folder / "aside-folder"
        aside.mkdir()
        for number in range(start, start + count):
            (aside / f"{number:05d}.png").write_bytes(picture(number))
        aside.rename(self.inbox / name)
        return self.inbox / name

    def until_closed(self, jobs: int = 1) -> list[JobProgress]:
        """Work until so many jobs have been closed and their receipts have come."""
        self.until(lambda: len(self.other.closed) >= jobs and len(self.other.told("job-closed")) >= jobs)
        return self.other.closed


def be_quiet(agent: Agent) -> None:
    """Have the agent think that its open jobs have had their quiet time."""
    for job in agent._jobs:
        job.latest_seen -= 3600.0


def with_settings(settings: Settings, **own: Any) -> Settings:
    """Return settings with other values for the agent."""
    agent = msgspec.structs.replace(settings.ingest_agent, **own)
    return msgspec.structs.replace(settings, ingest_agent=agent)
