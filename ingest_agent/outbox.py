"""What goes out and what comes back.

Nothing is published that the ledger has not, and nothing is acknowledged before the ledger has its answer.
Only the ledger sends again.
"""

import secrets
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

from broker.connection import Delivery
from broker.errors import MessageError, Unreachable
from broker.line import Line
from broker.messages import (
    JSON_TYPE,
    MSGPACK_TYPE,
    FailedImage,
    Failure,
    JobProgress,
    PixelBatch,
    Receipt,
    StoredImage,
    decode,
    encode,
)
from broker.messages import (
    now as wire_now,
)
from ingest_agent.batching import Builder
from ingest_agent.job import Job
from ingest_agent.jobs import Jobs
from ingest_agent.ledger import (
    Answer,
    AnsweredImage,
    Kind,
    Ledger,
    LedgerTrouble,
    NamedStat,
    NewBatch,
    NewJob,
    Transaction,
)
from ingest_agent.names import shortened, text_of
from ingest_agent.window import Window

RETRY_MIN_S = 0.25
RETRY_MAX_S = 5.0
RECEIPTS_KEPT = 1000


def wire_name(name: bytes) -> str:
    """Return the name under which an image travels."""
    return shortened(text_of(name))


def new_batch_id() -> str:
    """Return a name that no other batch has: 32 hex digits."""
    return secrets.token_hex(16)


@dataclass
class _Out:
    """An unanswered batch: `left` are the images without an answer, by their names on the wire."""

    kind: Kind
    job: Job
    left: dict[str, NamedStat]
    payload: bytes | None = None


@dataclass
class _New:
    """A batch that is not in the ledger yet."""

    batch: NewBatch
    job: Job
    read_s: float = 0.0
    prepare_s: float = 0.0
    wait_s: float = 0.0


@dataclass
class _Settled:
    """What one group of receipts amounts to."""

    answers: list[Answer] = field(default_factory=list)
    closed: list[tuple[Job, str]] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)


class Listener(Protocol):
    """Who wants to know what was answered."""

    def image_answered(self, folder: bytes, name: bytes) -> None:
        """Take in that the ledger knows an image from now on."""

    def job_closed(self, job: Job) -> None:
        """Take in that a job has its receipt."""


class Outbox:
    """The unanswered batches of one source, from the ledger's transaction to the receipt."""

    def __init__(
        self, line: Line, ledger: Ledger, jobs: Jobs, window: Window, source: str, listener: Listener
    ) -> None:
        self._line = line
        self._ledger = ledger
        self._jobs = jobs
        self._source = source
        self._listener = listener
        self._out: dict[str, _Out] = {}
        self._new: list[_New] = []
        self._receipts: deque[tuple[Delivery, Receipt]] = deque()
        self._sent: dict[int, int] = {}
        self._retry_at = 0.0
        self._retry_s = RETRY_MIN_S
        self.window = window

    def restore(self) -> list[tuple[Job, Sequence[NamedStat]]]:
        """Take in what the ledger has without a receipt; return the images by job."""
        found = []
        for batch in self._ledger.unanswered():
            job = self._jobs.by_number(batch.job)
            left = {wire_name(image[0]): image for image in batch.images}
            self._out[batch.batch_id] = _Out(batch.kind, job, left)
            self.window.add(batch.batch_id, len(batch.images))
            found.append((job, batch.images))
        return found

    def room(self) -> int:
        """Return how many more batches may be sealed now."""
        return self.window.room(self._line.capabilities.receive_maximum) - len(self._new)

    @property
    def in_trouble(self) -> bool:
        """Whether the ledger cannot be written."""
        return self._retry_at > 0

    # Sealing: from here on a batch's bytes never change

    def seal_pixels(self, job: Job, builder: Builder, now: float) -> None:
        """Make a pixel batch of what has gathered."""
        wait_s = now - builder.began
        spec = builder.spec
        message = PixelBatch(
            batch_id=new_batch_id(),
            source=self._source,
            job_id=job.job_id,
            images=tuple(builder.names),
            shape=(len(builder), spec.height, spec.width),
            pixels=bytes(builder.pixels),
            timings={
                "read": round(builder.read_s, 6),
                "prepare": round(builder.prepare_s, 6),
                "wait": round(wait_s, 6),
            },
        )
        batch = NewBatch(message.batch_id, "pixels", job.number, builder.images, encode(message))
        self._new.append(_New(batch, job, builder.read_s, builder.prepare_s, wait_s))

    def seal_failure(self, job: Job, image: NamedStat, reason: str, detail: str) -> None:
        """Make the message that says that a file cannot be an image."""
        message = Failure(
            batch_id=new_batch_id(),
            job_id=job.job_id,
            source=self._source,
            image=wire_name(image[0]),
            reason=reason,
            detail=detail,
            failed_at=wire_now(),
        )
        self._new.append(
            _New(NewBatch(message.batch_id, "failure", job.number, [image], encode(message)), job)
        )

    def seal_closing(self, job: Job) -> None:
        """Make the message that closes a job."""
        batch_id = new_batch_id()
        message = job.progress(self._source, batch_id, closed_at=wire_now())
        self._new.append(_New(NewBatch(batch_id, "job", job.number, [], encode(message)), job))

    # Coming back

    def take_receipt(self, delivery: Delivery, receipt: Receipt) -> None:
        """Take in a receipt; it is acknowledged once the ledger has it."""
        if receipt.batch_id not in self._out:
            self._line.acknowledge(delivery)  # a repeated one: it is known already
        elif len(self._receipts) < RECEIPTS_KEPT:
            self._receipts.append((delivery, receipt))

    def commit(self, now: float) -> bool:
        """Make durable what was sealed and answered; False when nothing was, or could be."""
        if now < self._retry_at or not (self._new or self._receipts):
            return False
        settled = self._settle()
        transaction = self._transaction(settled, now)
        try:
            if transaction:
                self._ledger.commit(transaction)
        except LedgerTrouble as error:
            self._line.begin("ledger-trouble", str(error))
            self._retry_at, self._retry_s = now + self._retry_s, min(RETRY_MAX_S, 2 * self._retry_s)
            return False
        self._line.end("ledger-trouble", "the ledger can be written again")
        self._retry_at, self._retry_s = 0.0, RETRY_MIN_S
        self._registered()
        self._answered(settled, now)
        return True

    def _settle(self) -> _Settled:
        """Turn the receipts that wait into answers; one receipt a batch in each transaction."""
        settled = _Settled()
        seen: set[str] = set()
        for delivery, receipt in self._receipts:
            out = self._out.get(receipt.batch_id)
            if receipt.batch_id in seen:
                break  # the rest waits for the next transaction
            settled.deliveries.append(delivery)
            if out is None:
                continue
            seen.add(receipt.batch_id)
            images = list(_images(receipt, out.left))
            done = len(images) == len(out.left)
            settled.answers.append(
                Answer(receipt.batch_id, out.job.number, out.job.folder_number, images, done)
            )
            if out.kind == "job":
                settled.closed.append((out.job, receipt.stored_at))
        return settled

    def _transaction(self, settled: _Settled, now: float) -> Transaction:
        transaction = Transaction(answers=settled.answers)
        fresh: set[int] = set()
        for new in self._new:
            job = new.job
            if not job.registered and job.number not in fresh:
                fresh.add(job.number)
                transaction.jobs.append(
                    NewJob(job.number, job.job_id, job.folder_number, job.folder, job.root, job.opened_at)
                )
            transaction.batches.append(new.batch)
            change = transaction.change(job.number)
            change.seen += len(new.batch.images)
            change.read_s += new.read_s
            change.prepare_s += new.prepare_s
            change.wait_s += new.wait_s
            if new.batch.kind == "job":
                change.state = "closing"
        for answer in settled.answers:
            job = self._out[answer.batch_id].job
            change = transaction.change(answer.job)
            stored = sum(item.label is not None for item in answer.images)
            change.stored += stored
            change.failed += len(answer.images) - stored
            if answer.images:
                change.process_s = now - job.opened
        for job, at in settled.closed:
            change = transaction.change(job.number)
            change.state, change.closed_at = "closed", at
        for number, count in self._sent.items():
            transaction.change(number).sent += count
        return transaction

    def _registered(self) -> None:
        self._sent.clear()
        for new in self._new:
            batch, job = new.batch, new.job
            job.registered = True
            job.read_s += new.read_s
            job.prepare_s += new.prepare_s
            job.wait_s += new.wait_s
            left = {wire_name(image[0]): image for image in batch.images}
            self._out[batch.batch_id] = _Out(batch.kind, job, left, batch.payload)
            self.window.add(batch.batch_id, len(batch.images))
        self._new.clear()

    def _answered(self, settled: _Settled, now: float) -> None:
        for answer in settled.answers:
            out = self._out[answer.batch_id]
            self._count(out, answer, now)
            if answer.done:
                del self._out[answer.batch_id]
                self.window.answered(answer.batch_id, now)
        for delivery in settled.deliveries:
            self._receipts.popleft()
            self._line.acknowledge(delivery)
        for job, _ in settled.closed:
            self._jobs.closed(job)
            self._listener.job_closed(job)

    def _count(self, out: _Out, answer: Answer, now: float) -> None:
        job = out.job
        for item in answer.images:
            out.left.pop(wire_name(item.image[0]))
            self._listener.image_answered(job.folder, item.image[0])
        stored = sum(item.label is not None for item in answer.images)
        job.stored += stored
        job.failed += len(answer.images) - stored
        if answer.images:
            job.latest_answer = now
            self._jobs.changed.add(job.number)

    # Going out

    def send(self, now: float) -> None:
        """Publish what is due, for the first time or again; what cannot go now stays due."""
        if not self._line.connected:
            return
        for batch_id in self.window.due(now):
            out = self._out[batch_id]
            try:
                payload = out.payload or self._ledger.payload(batch_id)
                if payload is not None:
                    self._line.publish_bytes(
                        self._topic(out.kind), payload, content_type=_content_type(out.kind)
                    )
            except Unreachable:
                return
            except LedgerTrouble as error:
                self._line.begin("ledger-trouble", str(error))
                self.window.later(batch_id, now + RETRY_MAX_S)
                continue
            except MessageError as error:
                self._too_large(batch_id, out, error, now)
                continue
            out.payload = None
            if self.window.sent(batch_id, now) and out.left:
                out.job.sent += len(out.left)
                self._sent[out.job.number] = self._sent.get(out.job.number, 0) + len(out.left)
                self._jobs.changed.add(out.job.number)

    def _topic(self, kind: Kind) -> str:
        topics = self._line.topics
        by_kind = {"pixels": topics.pixels, "failure": topics.failures, "job": topics.jobs}
        return by_kind[kind](self._source)

    def _too_large(self, batch_id: str, out: _Out, error: MessageError, now: float) -> None:
        """Cut a batch that this broker does not take; it cannot have reached anybody through it."""
        payload = self._ledger.payload(batch_id)
        parts = [] if payload is None or out.kind != "pixels" else list(_halves(payload, out))
        if not parts:
            self._line.begin("batch-too-large", f"batch {batch_id}: {error}")
            self.window.later(batch_id, now + 60.0)
            return
        self._line.event("warning", "batch-split", f"batch {batch_id}: {error}", batch_id=batch_id)
        self._ledger.replace(batch_id, parts)
        del self._out[batch_id]
        self.window.drop(batch_id)
        for part in parts:
            left = {wire_name(image[0]): image for image in part.images}
            self._out[part.batch_id] = _Out(part.kind, out.job, left, part.payload)
            self.window.add(part.batch_id, len(part.images))

    def say_progress(self, limit: int) -> None:
        """Publish how far the changed jobs are; these messages are not sent again."""
        if self._line.connected:
            for job in self._jobs.take_changed(limit):
                try:
                    message: JobProgress = job.progress(self._source, new_batch_id())
                    self._line.publish(self._line.topics.jobs(self._source), message)
                except (Unreachable, MessageError):
                    return


def _content_type(kind: Kind) -> str:
    return MSGPACK_TYPE if kind == "pixels" else JSON_TYPE


def _images(receipt: Receipt, left: dict[str, NamedStat]) -> Iterator[AnsweredImage]:
    """Yield the receipt's images that were still without an answer, each once."""
    left = dict(left)
    for item in receipt.stored:
        image = left.pop(item.image, None)
        if image is not None:
            yield _stored(image, item)
    if receipt.failed:
        at_ms = _milliseconds(receipt.stored_at)
        for failed in receipt.failed:
            image = left.pop(failed.image, None)
            if image is not None:
                yield AnsweredImage(image, None, None, None, at_ms, _note(failed))


def _stored(image: NamedStat, item: StoredImage) -> AnsweredImage:
    at_ms = _milliseconds(item.predicted_at)
    return AnsweredImage(image, item.label, item.confidence, item.model_version, at_ms, None)


def _note(failed: FailedImage) -> str:
    return f"{failed.reason}: {failed.detail}" if failed.detail else failed.reason


@lru_cache(maxsize=64)
def _milliseconds(at: str) -> int:
    try:
        return round(datetime.fromisoformat(at).timestamp() * 1000)
    except ValueError:
        return round(datetime.now(UTC).timestamp() * 1000)


def _halves(payload: bytes, out: _Out) -> Iterator[NewBatch]:
    message = decode(PixelBatch, payload)
    count = len(message.images)
    if count < 2:
        return
    size = len(message.pixels) // count
    for start, end in ((0, count // 2), (count // 2, count)):
        part = PixelBatch(
            batch_id=new_batch_id(),
            source=message.source,
            job_id=message.job_id,
            images=message.images[start:end],
            shape=(end - start, *message.shape[1:]),
            pixels=message.pixels[start * size : end * size],
            timings=message.timings,
        )
        images = [out.left[name] for name in part.images if name in out.left]
        yield NewBatch(part.batch_id, "pixels", out.job.number, images, encode(part))
