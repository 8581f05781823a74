"""What goes out and what comes back.

Nothing is published that the ledger has not, and nothing is acknowledged before the ledger has its answer.
Only the ledger sends again. The ledger's transactions run in a thread of their own, one at a time: while the
disk works, the next ones gather.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from broker.connection import Delivery
from broker.errors import MessageError, Unreachable
from broker.health import Work
from broker.line import Line
from broker.messages import JSON_TYPE, MSGPACK_TYPE, Receipt
from ingest_agent.figures import AgentFigures
from ingest_agent.grouping import Group, Sealed, Unanswered, add_answer, add_sealed
from ingest_agent.job import Job
from ingest_agent.jobs import Jobs
from ingest_agent.ledger import Ledger, LedgerTrouble
from ingest_agent.ledger_records import Answer, Kind, NamedStat, Transaction
from ingest_agent.sealing import by_wire_name, halves, new_batch_id, wire_name
from ingest_agent.telling import tell_answered, tell_sent
from ingest_agent.window import Window

RETRY_MIN_S = 0.25
RETRY_MAX_S = 5.0
RECEIPTS_KEPT = 1000
TOO_LARGE_RETRY_S = 60.0


class Listener(Protocol):
    """Who wants to know what was answered."""

    def image_answered(self, folder: bytes, name: bytes) -> None:
        """Take in that the ledger knows an image from now on."""

    def job_closed(self, job: Job) -> None:
        """Take in that a job has its receipt."""


class Outbox:
    """The unanswered batches of one source, from the ledger's transaction to the receipt."""

    def __init__(
        self,
        line: Line,
        ledger: Ledger,
        jobs: Jobs,
        window: Window,
        source: str,
        listener: Listener,
        figures: AgentFigures,
    ) -> None:
        self._line = line
        self._ledger = ledger
        self._jobs = jobs
        self._source = source
        self._listener = listener
        self._figures = figures
        self._out: dict[str, Unanswered] = {}
        self._sealed: list[Sealed] = []
        self._receipts: deque[tuple[Delivery, Receipt]] = deque()
        self._sent: dict[int, int] = {}
        self._too_large: set[str] = set()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._committing: tuple[Group, Future[None]] | None = None
        self._commit_began = 0.0
        self._retry_at = 0.0
        self._retry_s = RETRY_MIN_S
        self.window = window

    def restore(self) -> list[tuple[Job, Sequence[NamedStat]]]:
        """Take in what the ledger has without a receipt; return the images by job."""
        found = []
        for batch in self._ledger.unanswered():
            job = self._jobs.by_number(batch.job)
            self._out[batch.batch_id] = Unanswered(batch.kind, job, by_wire_name(batch.images))
            self.window.add(batch.batch_id, len(batch.images))
            found.append((job, batch.images))
        return found

    def stop(self) -> None:
        """Let the transaction that is under way end."""
        self._pool.shutdown(wait=True)

    def room(self) -> int:
        """Return how many more batches may be sealed now."""
        under_way = len(self._committing[0].sealed) if self._committing is not None else 0
        return self.window.room(self._line.capabilities.receive_maximum) - len(self._sealed) - under_way

    @property
    def in_trouble(self) -> bool:
        """Whether the ledger cannot be written."""
        return self._retry_at > 0

    def work(self) -> Work | None:
        """Return the ledger's transaction that is under way; for any thread."""
        return Work("the ledger's transaction", self._commit_began) if self._committing is not None else None

    @property
    def waiting_since(self) -> float | None:
        """Since when (monotonic) the oldest unanswered batch has waited."""
        return min((out.since for out in self._out.values()), default=None)

    def seal(self, sealed: Sealed) -> None:
        """Take in a batch; it goes out once it is durable."""
        self._sealed.append(sealed)

    def take_receipt(self, delivery: Delivery, receipt: Receipt, now: float) -> None:
        """Take in a receipt; it is acknowledged once the ledger has it."""
        if receipt.batch_id not in self._out:
            self._line.acknowledge(delivery)  # a repeated one: it is known already
        elif len(self._receipts) < RECEIPTS_KEPT:
            self._receipts.append((delivery, receipt))
            round_trip_s = self.window.receipt_came(receipt.batch_id, now)
            if round_trip_s is not None:
                self._figures.round_trip.observe(round_trip_s)

    # Making durable

    def take_committed(self, now: float) -> None:
        """Take in what has become durable: it may go out, or is answered."""
        if self._committing is not None and self._committing[1].done():
            (group, future), self._committing = self._committing, None
            self._finish(group, future, now)

    def commit(self, now: float) -> None:
        """Begin to make durable what was sealed and answered, unless the disk is still at work."""
        if self._committing is None and now >= self._retry_at and (self._sealed or self._receipts):
            group = self._group(now)
            future = self._pool.submit(self._ledger.commit, group.transaction)
            future.add_done_callback(lambda _: self._line.wake())
            self._commit_began = now
            self._committing = (group, future)

    def _finish(self, group: Group, future: "Future[None]", now: float) -> None:
        try:
            future.result()
        except LedgerTrouble as error:
            self._line.begin("ledger-trouble", str(error))
            self._retry_at, self._retry_s = now + self._retry_s, min(RETRY_MAX_S, 2 * self._retry_s)
            self._sealed[:0] = group.sealed
            for number, count in group.sent.items():
                self._sent[number] = self._sent.get(number, 0) + count
            return
        self._line.end("ledger-trouble", "the ledger can be written again")
        self._retry_at, self._retry_s = 0.0, RETRY_MIN_S
        self._registered(group.sealed)
        self._answered(group, now)

    def _group(self, now: float) -> Group:
        group = Group(self._sealed, self._sent, Transaction())
        self._sealed, self._sent = [], {}
        add_sealed(group)
        self._add_receipts(group, now)
        for number, count in group.sent.items():
            group.transaction.change(number).sent += count
        return group

    def _add_receipts(self, group: Group, now: float) -> None:
        """Turn the receipts that wait into answers; one receipt a batch in each transaction."""
        seen: set[str] = set()
        for delivery, receipt in self._receipts:
            if receipt.batch_id in seen:
                return  # the rest waits for the next transaction
            group.deliveries.append(delivery)
            out = self._out.get(receipt.batch_id)
            if out is not None:
                seen.add(receipt.batch_id)
                self._count_sent(out, group.sent)  # by whoever was this agent before a restart
                add_answer(group, receipt, out, now)

    def _registered(self, group: Sequence[Sealed]) -> None:
        for sealed in group:
            batch, job = sealed.batch, sealed.job
            job.registered = True
            job.read_s += sealed.read_s
            job.prepare_s += sealed.prepare_s
            job.wait_s += sealed.wait_s
            left = dict(zip(sealed.names, batch.images, strict=True))
            self._out[batch.batch_id] = Unanswered(batch.kind, job, left, batch.payload)
            self.window.add(batch.batch_id, len(batch.images))

    def _answered(self, group: Group, now: float) -> None:
        for answer in group.transaction.answers:
            out = self._out.get(answer.batch_id)
            if out is None:
                continue  # it was cut meanwhile: its halves get the same answer
            self._count(out, answer, now)
            tell_answered(self._line, out, answer, self.window.sends(answer.batch_id), now)
            if answer.done:
                self._let_go(answer.batch_id, "it is answered")
            else:
                self.window.partly_answered(answer.batch_id, now)
        for delivery in group.deliveries:
            self._receipts.popleft()
            self._line.acknowledge(delivery)
        for job in group.closed:
            self._jobs.closed(job)
            self._figures.jobs_closed.inc()
            self._listener.job_closed(job)

    def _count(self, out: Unanswered, answer: Answer, now: float) -> None:
        job = out.job
        for item in answer.images:
            if not answer.done:
                del out.left[wire_name(item.image[0])]
            self._listener.image_answered(job.folder, item.image[0])
        if answer.images:
            job.stored += answer.stored
            job.failed += answer.failed
            self._figures.stored.inc(answer.stored)
            self._figures.failed.inc(answer.failed)
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
                self._publish(batch_id, out)
            except Unreachable:
                return
            except MessageError as error:
                self._cut(batch_id, out, error, now)
                continue
            self.window.sent(batch_id, now)
            self._count_sent(out, self._sent)
            tell_sent(self._line, batch_id, out, self.window.sends(batch_id), now)

    def _count_sent(self, out: Unanswered, sent: dict[int, int]) -> None:
        if not out.counted and out.left:
            out.counted = True
            out.job.sent += len(out.left)
            self._figures.sent.inc(len(out.left))
            sent[out.job.number] = sent.get(out.job.number, 0) + len(out.left)
            self._jobs.changed.add(out.job.number)

    def _publish(self, batch_id: str, out: Unanswered) -> None:
        payload = out.payload if out.payload is not None else self._ledger.payload(batch_id)
        topics = self._line.topics
        topic: dict[Kind, Callable[[str], str]] = {
            "pixels": topics.pixels,
            "failure": topics.failures,
            "job": topics.jobs,
        }
        content_type = MSGPACK_TYPE if out.kind == "pixels" else JSON_TYPE
        self._line.publish_bytes(topic[out.kind](self._source), payload or b"", content_type=content_type)
        out.payload = None

    def _let_go(self, batch_id: str, why: str) -> None:
        del self._out[batch_id]
        self.window.remove(batch_id)
        if batch_id in self._too_large:
            self._too_large.remove(batch_id)
            self._line.event("info", "batch-too-large-over", f"batch {batch_id}: {why}", batch_id=batch_id)

    def _cut(self, batch_id: str, out: Unanswered, error: MessageError, now: float) -> None:
        """Cut a batch that this broker does not take; it cannot have reached anybody through it."""
        payload = self._ledger.payload(batch_id)
        parts = []
        if payload is not None and out.kind == "pixels":
            parts = list(halves(payload, out.job.number, out.left))
        if not parts:
            if batch_id not in self._too_large:
                self._too_large.add(batch_id)
                self._line.event(
                    "warning", "batch-too-large", f"batch {batch_id}: {error}", batch_id=batch_id
                )
            self.window.later(batch_id, now + TOO_LARGE_RETRY_S)
            return
        self._ledger.replace(batch_id, parts)
        self._line.event("warning", "batch-split", f"batch {batch_id}: {error}", batch_id=batch_id)
        self._let_go(batch_id, "it is cut")
        self._registered([Sealed(part, out.job, list(by_wire_name(part.images))) for part in parts])
        for part in parts:
            self._out[part.batch_id].counted = out.counted

    def say_progress(self, limit: int) -> None:
        """Publish how far the changed jobs are; these messages are not sent again."""
        if self._line.connected:
            for job in self._jobs.take_changed(limit):
                try:
                    self._line.publish(
                        self._line.topics.jobs(self._source), job.progress(self._source, new_batch_id())
                    )
                except (Unreachable, MessageError):
                    return
