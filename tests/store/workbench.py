"""Messages with sensible fields, and a store on a line within the process, for the store's tests."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

from broker.connection import Delivery
from broker.line import Line
from broker.memory import MemoryBroker, MemoryConnection
from broker.messages import (
    Event,
    Failure,
    JobProgress,
    Message,
    Prediction,
    PredictionBatch,
    Receipt,
    Reject,
    decode,
    encode,
)
from broker.settings import Store, Upkeep
from broker.topics import Topics
from store import intake
from store.database import file_of, writing_engine
from store.schema import CLASSES
from store.service import StoreService
from store.upgrading import upgrade
from store.writer import Writer

AT = "2026-11-22T13:16:01.123Z"
JOB = "shop-20261122T131600Z-1a2b3c4d"

Rows = Callable[..., list[tuple[Any, ...]]]
"""Returns all rows of a table, or of some of its columns, sorted."""


@contextmanager
def writing(settings: Store) -> Iterator[Writer]:
    """Yield the writer of a database, which is made, or brought to this release's schema."""
    engine = writing_engine(settings)
    upgrade(engine, file_of(settings.url))
    yield Writer(engine)
    engine.dispose()


class Make:
    """Messages with sensible fields."""

    job = JOB
    at = AT

    def prediction(
        self, image: str, label: str = "Bag", confidence: float = 0.75, **fields: Any
    ) -> Prediction:
        """Return one image's prediction; the rest of the probability goes to the next class."""
        shares = dict.fromkeys(CLASSES, 0.0)
        shares[CLASSES[(CLASSES.index(label) + 1) % len(CLASSES)]] = round(1 - confidence, 6)
        shares[label] = confidence
        return Prediction(image=image, label=label, confidence=confidence, probabilities=shares, **fields)

    def batch(self, *images: str | Prediction, batch: str = "b1", **fields: Any) -> PredictionBatch:
        """Return a batch of predictions."""
        made = [self.prediction(image) if isinstance(image, str) else image for image in images]
        given: dict[str, Any] = {
            "job_id": JOB,
            "source": "shop",
            "model_version": "m1",
            "predictor": "1",
            "predicted_at": AT,
            "timings": {"predict": 0.5},
        }
        return PredictionBatch(batch_id=batch, predictions=tuple(made), **(given | fields))

    def failure(self, image: str, batch: str = "f1", **fields: Any) -> Failure:
        """Return a failure."""
        given: dict[str, Any] = {
            "job_id": JOB,
            "source": "shop",
            "reason": "not-an-image",
            "detail": "it is a text",
            "failed_at": AT,
        }
        return Failure(batch_id=batch, image=image, **(given | fields))

    def progress(self, state: Literal["open", "closed"], seen: int, **fields: Any) -> JobProgress:
        """Return a job's progress."""
        given: dict[str, Any] = {
            "batch_id": f"j-{state}",
            "job_id": JOB,
            "source": "shop",
            "folder": "autumn",
            "opened_at": AT,
            "closed_at": "2026-11-22T13:16:03.123Z" if state == "closed" else "",
            "sent": seen,
            "stored": seen,
            "failed": 0,
            "process_s": 2.0,
            "timings": {"read": 0.25},
        }
        return JobProgress(state=state, seen=seen, **(given | fields))

    def reject(self, **fields: Any) -> Reject:
        """Return a reject."""
        given: dict[str, Any] = {
            "service": "predictor_service",
            "instance": "1",
            "topic": "tailorbird/v1/pixels/shop",
            "reason": "poison",
            "detail": "it failed twice",
            "first_bytes": b"\x00\xff",
            "size_bytes": 784,
            "rejected_at": AT,
        }
        return Reject(**(given | fields))


class Bench:
    """A store on a line within the process, and the client that talks to it. Nothing runs by itself."""

    def __init__(self, settings: Store, upkeep: Upkeep | None = None) -> None:
        self.topics = Topics()
        self.settings = settings
        self.broker = MemoryBroker()
        self.connection: MemoryConnection = self.broker.connect(
            "store", intake.subscriptions(self.topics), clean=False
        )
        self.line = Line(self.connection, self.topics, service="store", instance="main")
        self.service = StoreService(settings, self.line, upkeep=upkeep)
        wanted = [
            self.topics.receipts(),
            self.topics.summaries(),
            self.topics.rejects(),
            self.topics.events(),
        ]
        self.agent = self.broker.connect("agent", wanted)
        self.agent.start()

    def send(self, *messages: Message | tuple[str, bytes]) -> None:
        """Publish messages where they belong, or bytes on a topic."""
        kinds = {cls: kind for kind, cls in intake.KINDS.items()}
        for message in messages:
            if isinstance(message, tuple):
                self.agent.publish(*message)
            else:
                last = getattr(message, "source", "") or getattr(message, "service", "")
                topic = f"tailorbird/v1/{kinds[type(message)]}" + (f"/{last}" if last else "")
                self.agent.publish(topic, encode(message))

    def work(self, steps: int = 1) -> None:
        """Let the store do so many steps."""
        for _ in range(steps):
            self.service.step(timeout_s=0.0)

    def heard(self, kind: str) -> list[bytes]:
        """Return the payloads of one kind that came since the last call; forget the others."""
        found: Sequence[Any] = self.agent.receive(10_000, 0.0)
        deliveries = [item for item in found if isinstance(item, Delivery)]
        return [item.payload for item in deliveries if self.topics.kind(item.topic) == kind]

    def words(self) -> list[str]:
        """Return the words of the events that came since the last call."""
        return [decode(Event, payload).event for payload in self.heard("events")]

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database as a stranger does."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query).fetchall()

    @property
    def path(self) -> Path:
        """The database's file."""
        path = file_of(self.settings.url)
        assert path is not None
        return path

    def receipts(self) -> list[Receipt]:
        """Return the receipts that came since the last call."""
        return [decode(Receipt, payload) for payload in self.heard("receipts")]

    @property
    def unacknowledged(self) -> int:
        """How many messages the store has not acknowledged."""
        return len(self.connection.unacknowledged) + len(self.connection.waiting)


@contextmanager
def at_work(settings: Store) -> Iterator[Bench]:
    """Yield a store whose database is open and whose own first events are written and forgotten."""
    bench = Bench(settings)
    with bench.line:
        bench.service.open()
        bench.work()
        bench.heard("events")
        yield bench
    bench.service.close()
