"""A group of messages becomes one transaction, and what is to be said when it is committed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from broker.errors import MessageError
from broker.messages import (
    Correction,
    Event,
    Failure,
    JobProgress,
    JobSummary,
    Message,
    ModelAnnouncement,
    PixelBatch,
    PredictionBatch,
    Receipt,
    Reject,
    Review,
    ShadowBatch,
    decode,
    encode,
    now,
)
from broker.topics import is_canary
from store import statements as sql
from store.canaries import write_canary
from store.images import Images, Standing, as_stored
from store.pixels import write_pixels
from store.reviews import write_review
from store.shadows import write_shadows
from store.statements import Session
from store.tallies import Tallies
from store.times import stamp

REJECTED = "rejected"
OWNED = PredictionBatch | PixelBatch | Failure | JobProgress
"""What belongs to a job, and so to the source that named it first."""
DETAIL_CHARS = 300


@dataclass
class Outcome:
    """What the store says once the transaction is committed."""

    receipts: list[Receipt] = field(default_factory=list)
    summaries: list[JobSummary] = field(default_factory=list)
    flagged: list[JobSummary] = field(default_factory=list)
    """Those whose flags are new."""
    corrections: list[Correction] = field(default_factory=list)
    foreign: dict[int, str] = field(default_factory=dict)
    """Messages that were not written, by their place in the group: each names what is another's, or nobody's.
    """


class Writer:
    """The only writer of the database."""

    def __init__(self, engine: sa.Engine, *, keep_pixels: bool = True) -> None:
        self._engine = engine
        self.keep_pixels = keep_pixels
        """Whether batches' pixels are written as well."""

    def write(self, messages: Sequence[Message]) -> Outcome:
        """Write messages in their order, all of them or none.

        A message that has been written before changes nothing and gets the same receipt. Raises what the
        driver raises: `store.database.trouble` tells the world's errors from a message's own.
        """
        with self._engine.begin() as connection:
            group = Group(Session(connection), now(), keep_pixels=self.keep_pixels)
            for place, message in enumerate(messages):
                group.take(message, place)
            return group.finish()


class Group:
    """The messages of one transaction."""

    def __init__(self, session: Session, stored_at: str, *, keep_pixels: bool) -> None:
        self._session = session
        self._stored_at = stored_at
        self._keep_pixels = keep_pixels
        self._tallies = Tallies(session, stored_at)
        self._images = Images(session, self._tallies, stored_at)
        self._outcome = Outcome()
        self._owners: dict[str, str] = {}

    def take(self, message: Message, place: int) -> None:
        """Write one message, unless its job is another source's."""
        if isinstance(message, Review):
            complaint = self._review(message)
        elif not (complaint := self._complaint(message)):
            self._write(message)
        if complaint:
            self._outcome.foreign[place] = complaint

    def _complaint(self, message: Message) -> str:
        """Say whose job it is that a message names in vain: that of the first source that named it."""
        named = failure_of(message) if isinstance(message, Reject) else message
        if isinstance(named, ShadowBatch) or not isinstance(named, OWNED):
            return ""
        if is_canary(named.source):
            return ""
        owner = self._owners.get(named.job_id)
        if owner is None:
            row = self._session.run(sql.SELECT_SOURCE, (named.job_id,)).first()
            owner = self._owners[named.job_id] = named.source if row is None else row.source
        if owner == named.source:
            return ""
        return (
            f"{type(message).__name__}: the job {named.job_id} of source {named.source!r} is another source's"
        )

    def _review(self, review: Review) -> str:
        told = write_review(self._session, review, self._stored_at)
        if isinstance(told, str):
            return told
        self._outcome.corrections.append(told)
        return ""

    def _write(self, message: Message) -> None:
        match message:
            case ShadowBatch():  # before the kind that it is a special case of
                write_shadows(self._session, message)
            case PredictionBatch():
                self._predictions(message)
            case Failure():
                self._failure(message)
            case JobProgress():
                self._progress(message)
            case Event():
                self._event(message)
            case Reject():
                self._reject(message)
            case ModelAnnouncement():
                self._model(message)
            case PixelBatch():
                self._pixels(message)
            case _:
                raise TypeError(f"the store has no table for {type(message).__name__}")

    def finish(self) -> Outcome:
        """Bring the jobs' figures up to date; return what is to be said after the commit."""
        self._outcome.summaries = self._tallies.flush()
        self._outcome.flagged = [
            one for one in self._outcome.summaries if one.job_id in self._tallies.flagged and one.flags
        ]
        return self._outcome

    def _predictions(self, batch: PredictionBatch) -> None:
        if is_canary(batch.source):
            write_canary(self._session, batch, self._stored_at)
            at = stamp(batch.predicted_at)
            standing: Standing = tuple(as_stored(p, batch.model_version, at) for p in batch.predictions), ()
        else:
            standing = self._images.predicted(batch)
        self._answer(batch, "predictions", standing)

    def _pixels(self, batch: PixelBatch) -> None:
        if self._keep_pixels:
            write_pixels(self._session, batch, self._stored_at)

    def _failure(self, failure: Failure) -> None:
        standing: Standing = (), ()
        if not is_canary(failure.source):
            standing = self._images.failed(
                failure.job_id,
                failure.source,
                [failure.image],
                (failure.reason, failure.detail),
                stamp(failure.failed_at),
                failure.batch_id,
            )
        self._answer(failure, "failure", standing)

    def _progress(self, said: JobProgress) -> None:
        if not is_canary(said.source):
            self._tallies.progress(said)
        if said.state == "closed":
            self._answer(said, "job", ((), ()))

    def _reject(self, reject: Reject) -> None:
        self._session.run(
            sql.INSERT_REJECT,
            (
                stamp(reject.rejected_at),
                reject.service,
                reject.instance,
                reject.topic,
                reject.reason,
                reject.detail,
                reject.first_bytes,
                reject.size_bytes,
                reject.batch_id,
                reject.job_id,
                reject.source,
                len(reject.images),
            ),
        )
        failure = failure_of(reject)
        if failure is None or is_canary(failure.source):
            return
        standing = self._images.failed(
            failure.job_id,
            failure.source,
            list(dict.fromkeys(reject.images)),
            (failure.reason, failure.detail),
            stamp(failure.failed_at),
            failure.batch_id,
        )
        self._answer(failure, "predictions", standing)

    def _event(self, event: Event) -> None:
        values = (
            event.service,
            event.instance,
            event.level,
            event.event,
            event.detail,
            event.job_id,
            event.batch_id,
        )
        self._session.run(sql.INSERT_EVENT, (stamp(event.at), *values))

    def _model(self, model: ModelAnnouncement) -> None:
        classes = json.dumps(list(model.classes), ensure_ascii=False)
        spec = json.dumps(model.input, ensure_ascii=False)
        expectations = "" if model.expectations is None else encode(model.expectations).decode()
        values = (model.version, classes, model.engine, spec, self._stored_at, stamp(model.announced_at))
        self._session.run(sql.UPSERT_MODEL, (*values, expectations))

    def _answer(self, asked: PredictionBatch | Failure | JobProgress, kind: str, standing: Standing) -> None:
        stored, failed = standing
        receipt = Receipt(
            batch_id=asked.batch_id,
            job_id=asked.job_id,
            source=asked.source,
            kind=kind,  # type: ignore[arg-type] # the callers name the three kinds
            stored_at=self._stored_at,
            stored=stored,
            failed=failed,
        )
        self._outcome.receipts.append(receipt)


def failure_of(reject: Reject) -> Failure | None:
    """Return the failure that a rejected batch means for its first image, None where it names no batch."""
    if not reject.images:
        return None
    failure = Failure(
        batch_id=reject.batch_id,
        job_id=reject.job_id,
        source=reject.source,
        image=reject.images[0],
        reason=REJECTED,
        detail=f"{reject.service}: {reject.reason}: {reject.detail}"[:DETAIL_CHARS],
        failed_at=reject.rejected_at,
    )
    try:
        return decode(Failure, encode(failure))  # a reject's own fields may be empty, or no ids at all
    except MessageError:
        return None
