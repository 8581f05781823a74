"""The reading side: what the command line and the dashboard ask the database.

    with reading(settings.store) as connection:
        for job in jobs(connection, state="open"):
            ...

Functions that return iterators stream: use them up before the `with` block ends.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

from broker.settings import Store
from store import database, schema, upgrading
from store.errors import DatabaseProblem
from store.times import moment, seconds_between, stamp_of

STREAM_ROWS = 1000

Connection = sa.Connection
"""For the types of those who pass one on and know no SQLAlchemy."""


@dataclass(frozen=True)
class Job:
    """One row of `jobs`: a dropped folder, or whatever else some source called a job."""

    job_id: str
    source: str
    folder: str
    state: Literal["open", "closed"]
    opened_at: str
    closed_at: str | None
    images: int
    sent: int
    stored: int
    failed: int
    process_s: float | None
    predict_s: float
    time_per_prediction_s: float | None
    mean_confidence: float | None
    flags: str = ""

    @property
    def is_announced(self) -> bool:
        """Whether an agent tells how far it is; nobody says when what another program asks for is over."""
        return self.sent > 0 or self.state == "closed" or self.stored + self.failed == 0

    @property
    def in_flight(self) -> int:
        """Images seen that have no row yet."""
        return max(0, self.images - self.stored - self.failed)

    def age_s(self, at: datetime) -> float:
        """Return how long the job was open, or has been by `at`."""
        end = moment(self.closed_at) if self.closed_at else at
        return max(0.0, (end - moment(self.opened_at)).total_seconds())

    def eta_s(self, at: datetime) -> float | None:
        """Return how long the images seen so far will take, at the job's own mean speed; None unknown."""
        done = self.stored + self.failed
        if not self.in_flight:
            return 0.0
        return self.age_s(at) * self.in_flight / done if done else None


@dataclass(frozen=True)
class ClassRow:
    """One class within a job."""

    label: str
    images: int
    mean_confidence: float


@dataclass(frozen=True)
class PredictionRow:
    """One row of `predictions`."""

    image: str
    label: str
    confidence: float
    verdict: str
    reasons: str
    model_version: str
    predicted_at: str


@dataclass(frozen=True)
class FailureRow:
    """One row of `failures`."""

    image: str
    reason: str
    detail: str
    failed_at: str


@dataclass(frozen=True)
class CanaryRow:
    """The latest answer to one source's canary; `latency_s` from its sending to its storing."""

    source: str
    sent_at: str | None
    stored_at: str
    latency_s: float | None
    label: str
    confidence: float
    model_version: str
    predictor: str
    answers: int


@dataclass(frozen=True)
class EventRow:
    """One line of the event log."""

    at: str
    service: str
    instance: str
    level: str
    event: str
    detail: str
    job_id: str
    batch_id: str


@dataclass(frozen=True)
class AlertRow:
    """One alert: which rule, what it saw, and where its bound is."""

    alert_id: str
    rule: str
    subject: str
    state: Literal["open", "closed"]
    value: float
    bound: float
    detail: str
    opened_at: str
    closed_at: str | None
    job_id: str

    def lasted_s(self, at: datetime) -> float:
        """Return how long it lasted, or has lasted by `at`."""
        return seconds_between(self.opened_at, self.closed_at or stamp_of(at))


@dataclass(frozen=True)
class ReviewRow:
    """What somebody said that an image shows."""

    job_id: str
    image: str
    label: str
    reviewer: str
    reviewed_at: str
    how: str


@dataclass(frozen=True)
class Totals:
    """The whole database in numbers, from the jobs' own counts: quick at any size."""

    jobs: int
    open_jobs: int
    predictions: int
    failures: int
    rejects: int
    in_flight: int


@dataclass(frozen=True)
class Facts:
    """The database itself. `size_bytes` is None where it lies on another machine."""

    url: str
    schema: str
    size_bytes: int | None


@contextlib.contextmanager
def reading(settings: Store) -> Iterator[sa.Connection]:
    """Yield a connection that sees one moment of the database and cannot write.

    Raises DatabaseProblem, one sentence, when there is no database, or none of this release's schema.
    """
    engine = database.reading_engine(settings)
    try:
        found = upgrading.revision_of(engine)
        if found != schema.REVISION:
            raise DatabaseProblem(
                f"{database.shown(settings.url)} has schema {found or 'none'}, not {schema.REVISION}:"
                " the store brings an older one up to date when it starts"
            )
        with engine.connect() as connection:
            yield connection
    except sa.exc.DatabaseError as error:
        if database.damaged(error):
            where = database.shown(settings.url)
            raise DatabaseProblem(f"{where} is damaged: {error.orig}; {database.WHAT_TO_DO}") from error
        if not isinstance(error, sa.exc.OperationalError):
            raise
        raise DatabaseProblem(f"{database.shown(settings.url)} cannot be read: {error.orig}") from error
    finally:
        engine.dispose()


Row = TypeVar("Row")


def jobs(
    connection: sa.Connection,
    *,
    state: Literal["open", "closed"] | None = None,
    source: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[Job]:
    """Return the jobs, the newest first."""
    found = (
        _select(Job, schema.jobs)
        .order_by(schema.jobs.c.opened_at.desc(), schema.jobs.c.job_id.desc())
        .limit(limit)
    )
    if state is not None:
        found = found.where(schema.jobs.c.state == state)
    if source is not None:
        found = found.where(schema.jobs.c.source == source)
    if since is not None:
        found = found.where(schema.jobs.c.opened_at >= stamp_of(since))
    return list(_rows(connection, Job, found))


def job(connection: sa.Connection, job_id: str) -> Job | None:
    """Return one job."""
    return next(
        iter(_rows(connection, Job, _select(Job, schema.jobs).where(schema.jobs.c.job_id == job_id))), None
    )


def classes(connection: sa.Connection, job_id: str) -> list[ClassRow]:
    """Return a job's classes, the most frequent first."""
    table = schema.class_confidence
    found = _select(ClassRow, table).where(table.c.job_id == job_id)
    return list(_rows(connection, ClassRow, found.order_by(table.c.images.desc(), table.c.label)))


def predictions(connection: sa.Connection, job_id: str) -> Iterator[PredictionRow]:
    """Stream a job's predictions by image."""
    return _of_job(connection, PredictionRow, schema.predictions, job_id)


def failures(connection: sa.Connection, job_id: str) -> Iterator[FailureRow]:
    """Stream a job's failures by image."""
    return _of_job(connection, FailureRow, schema.failures, job_id)


def images(connection: sa.Connection, job_id: str) -> Iterator[tuple[str, Literal["stored", "failed"]]]:
    """Stream every image of a job that has a row, and in which table it stands."""
    for outcome, table in (("stored", schema.predictions), ("failed", schema.failures)):
        found = sa.select(table.c.image).where(table.c.job_id == job_id).order_by(table.c.image)
        for name in stream(connection, found).scalars():
            yield name, outcome  # type: ignore[misc] # the two words above


def totals(connection: sa.Connection) -> Totals:
    """Return the whole database in numbers."""
    c = schema.jobs.c
    waiting = sa.case((c.images > c.stored + c.failed, c.images - c.stored - c.failed), else_=0)
    row = connection.execute(
        sa.select(
            sa.func.count(),
            *[
                sa.func.coalesce(sa.func.sum(figure), 0)
                for figure in (sa.case((c.state == "open", 1), else_=0), c.stored, c.failed, waiting)
            ],
        ).select_from(schema.jobs)
    ).one()
    rejected = connection.execute(sa.select(sa.func.count()).select_from(schema.rejects)).scalar_one()
    count, opened, stored, failed, in_flight = (int(figure) for figure in row)
    return Totals(count, opened, stored, failed, rejected, in_flight)


def canaries(connection: sa.Connection) -> list[CanaryRow]:
    """Return the latest canary of every source."""
    return list(
        _rows(connection, CanaryRow, _select(CanaryRow, schema.canaries).order_by(schema.canaries.c.source))
    )


def events(connection: sa.Connection, *, limit: int = 100, job_id: str | None = None) -> list[EventRow]:
    """Return the latest events, the newest first."""
    found = _select(EventRow, schema.events).order_by(schema.events.c.id.desc()).limit(limit)
    if job_id is not None:
        found = found.where(schema.events.c.job_id == job_id)
    return list(_rows(connection, EventRow, found))


def alerts(
    connection: sa.Connection, *, state: Literal["open", "closed"] | None = None, limit: int = 100
) -> list[AlertRow]:
    """Return alerts, the newest first."""
    c = schema.alerts.c
    found = _select(AlertRow, schema.alerts).order_by(c.opened_at.desc(), c.alert_id.desc()).limit(limit)
    return list(_rows(connection, AlertRow, found if state is None else found.where(c.state == state)))


def count_open_alerts(connection: sa.Connection) -> int:
    """Return how many alerts are open."""
    found = sa.select(sa.func.count()).where(schema.alerts.c.state == "open")
    return int(connection.execute(found).scalar_one())


def reviews(connection: sa.Connection) -> list[ReviewRow]:
    """Return every review, by job and image."""
    c = schema.reviews.c
    return list(_rows(connection, ReviewRow, _select(ReviewRow, schema.reviews).order_by(c.job_id, c.image)))


def facts(connection: sa.Connection, settings: Store) -> Facts:
    """Return what the database is; its size includes what has not been folded into the main file yet."""
    path = database.file_of(settings.url)
    if path is None:
        size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar()
        return Facts(database.shown(settings.url), schema.REVISION, size)
    files = (path, path.with_name(path.name + "-wal"))
    return Facts(str(path), schema.REVISION, sum(file.stat().st_size for file in files if file.exists()))


def newest_at(connection: sa.Connection) -> str:
    """Return when the latest batch was stored, "" where there is none."""
    found = sa.select(schema.batches.c.stored_at).order_by(schema.batches.c.id.desc()).limit(1)
    return connection.execute(found).scalar() or ""


def _select(kind: Any, table: sa.Table) -> sa.Select[Any]:
    return sa.select(*[table.c[field.name] for field in fields(kind)])


def _rows(connection: sa.Connection, kind: Callable[..., Row], found: sa.Select[Any]) -> Iterator[Row]:
    for row in connection.execute(found):
        yield kind(*row)


def _of_job(
    connection: sa.Connection, kind: Callable[..., Row], table: sa.Table, job_id: str
) -> Iterator[Row]:
    found = _select(kind, table).where(table.c.job_id == job_id).order_by(table.c.image)
    for row in stream(connection, found):
        yield kind(*row)


def stream(connection: sa.Connection, found: sa.Executable) -> sa.Result[Any]:
    """Run a SELECT whose rows come a thousand at a time, however many they are."""
    return connection.execution_options(stream_results=True, yield_per=STREAM_ROWS).execute(found)
