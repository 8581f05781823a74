"""What becomes durable together: sealed batches and receipts as one transaction of the ledger."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from broker.connection import Delivery
from broker.messages import Receipt
from ingest_agent.job import Job
from ingest_agent.ledger_records import Answer, Kind, NamedStat, NewBatch, NewJob, Transaction
from ingest_agent.receipts import answered_images


@dataclass
class Unanswered:
    """An unanswered batch: `left` are the images without an answer, by their names on the wire.

    `counted` tells whether its images are among those that its job has sent, `since` when it came
    (monotonic).
    """

    kind: Kind
    job: Job
    left: dict[str, NamedStat]
    payload: bytes | None = None
    counted: bool = False
    since: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Sealed:
    """A batch that is not in the ledger yet, and what it adds to its job's timings."""

    batch: NewBatch
    job: Job
    names: Sequence[str] = ()
    read_s: float = 0.0
    prepare_s: float = 0.0
    wait_s: float = 0.0


@dataclass
class Group:
    """What becomes durable in one transaction."""

    sealed: list[Sealed]
    sent: dict[int, int]
    transaction: Transaction
    deliveries: list[Delivery] = field(default_factory=list)
    closed: list[Job] = field(default_factory=list)


def add_sealed(group: Group) -> None:
    """Put the sealed batches, and the jobs that appear with them, into a group's transaction."""
    transaction = group.transaction
    appeared: set[int] = set()
    for sealed in group.sealed:
        job = sealed.job
        if not job.registered and job.number not in appeared:
            appeared.add(job.number)
            new = NewJob(job.number, job.job_id, job.folder_number, job.folder, job.root, job.opened_at)
            transaction.jobs.append(new)
        transaction.batches.append(sealed.batch)
        change = transaction.change(job.number)
        change.seen += len(sealed.batch.images)
        change.read_s += sealed.read_s
        change.prepare_s += sealed.prepare_s
        change.wait_s += sealed.wait_s
        if sealed.batch.kind == "job":
            change.state = "closing"


def add_answer(group: Group, receipt: Receipt, out: Unanswered, now: float) -> None:
    """Put a receipt's answers into a group's transaction."""
    images = list(answered_images(receipt, out.left))
    done = len(images) == len(out.left)
    answer = Answer(receipt.batch_id, out.job.number, out.job.folder_number, images, done)
    group.transaction.answers.append(answer)
    change = group.transaction.change(out.job.number)
    change.stored += answer.stored
    change.failed += answer.failed
    if images:
        change.process_s = max(0.0, now - out.job.opened)
    if out.kind == "job":
        change.state, change.closed_at = "closed", receipt.stored_at
        group.closed.append(out.job)
