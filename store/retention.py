"""Retention: which jobs, events and rejects are old enough to go, and their deletion, a little at a time.

Only the store deletes, in its own loop: it is the only writer. Whole jobs go, the oldest first, but never an
image that somebody reviewed; of a job with such images these stay, with its row and their batches. A client's
job, which no agent closes, counts as closed when nothing has come for as long as jobs are kept.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Self

import sqlalchemy as sa

from broker.settings import Store, Upkeep
from store import database
from store import retention_statements as sql
from store.statements import Session
from store.times import stamp_of

ROWS_AT_ONCE = 2000
PIXELS_AT_ONCE = 50
"""Rows and batches' pixels in one transaction: some ten milliseconds, so that the line is not held up."""

FIRST_S = 60.0
ROUND_S = 3600.0
LONGEST_S = 300.0
REST = 4
"""After a deletion, so many times as long as it took is left to the line."""

LEAST_S = 86_400.0
"""A job that was closed just now may still be resent: for a day no limit of bytes touches it."""

ROW_BYTES = 150


@dataclass(frozen=True)
class Amount:
    """What goes, or went; `bytes` is about right: pixels as they are, rows by their mean."""

    jobs: int = 0
    predictions: int = 0
    failures: int = 0
    events: int = 0
    rejects: int = 0
    bytes: int = 0

    def __add__(self, other: Self) -> "Amount":
        """Return both together."""
        return Amount(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Amount)))

    def __bool__(self) -> bool:
        """Whether it is anything."""
        return any(getattr(self, one.name) for one in fields(Amount))

    def __str__(self) -> str:
        """Return it in words."""
        counts = [(one.name, getattr(self, one.name)) for one in fields(Amount) if one.name != "bytes"]
        return (
            ", ".join(f"{count:,} {name[:-1] if count == 1 else name}" for name, count in counts if count)
            or "nothing"
        )


class Retention:
    """The store's part: one small transaction at each `step` that is due."""

    def __init__(self, settings: Store, limits: Upkeep, clock: Callable[[], float] = time.monotonic) -> None:
        # Without foreign keys: SQLite would look through all predictions for each batch that goes.
        self._engine = database.writing_engine(settings, foreign_keys=False)
        self.limits = limits
        self._clock = clock
        self._next = clock() + FIRST_S
        self._wait_s = 1.0
        self._gone = Amount()
        self._begun = ""

    @property
    def due(self) -> bool:
        """Whether it is time to look again."""
        return self._clock() >= self._next

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def step(self, at: datetime | None = None) -> Amount | None:
        """Delete a little; return what went since the last time when nothing more is due, None before.

        Each step that fails doubles the time to the next one, up to LONGEST_S. Raises what the driver raises.
        """
        self._wait_s = min(2 * self._wait_s, LONGEST_S)
        self._next = self._clock() + self._wait_s
        began = self._clock()
        with self._engine.begin() as connection:
            went, is_done = self._delete_some(connection, at or datetime.now(UTC))
        self._gone += went
        self._wait_s = 1.0
        if not is_done:
            self._next = self._clock() + REST * (self._clock() - began)
            return None
        self._next = self._clock() + ROUND_S
        gone, self._gone = self._gone, Amount()
        return gone

    def _delete_some(self, connection: sa.Connection, at: datetime) -> tuple[Amount, bool]:
        """Delete at most some thousand rows; return what went, and whether nothing more is due."""
        session = Session(connection)
        job_id = self._begun or _next_job(session, connection, self.limits, at)
        if job_id:
            went, is_whole = _delete_from(session, job_id)
            # Whole jobs go: one that has been begun is ended, though a limit of bytes may be kept by now.
            self._begun = "" if is_whole else job_id
            return went, False
        before = _before(self.limits.keep_events_days, at)
        if not before:
            return Amount(), True
        events = session.run(sql.DELETE_EVENTS, (before, ROWS_AT_ONCE)).rowcount
        rejects = session.run(sql.DELETE_REJECTS, (before, ROWS_AT_ONCE)).rowcount
        return Amount(events=events, rejects=rejects), max(events, rejects) < ROWS_AT_ONCE


def plan(connection: sa.Connection, limits: Upkeep, at: datetime) -> Amount:
    """Return what the limits would delete now. Only reads."""
    session = Session(connection)
    total = Amount()
    chosen: set[str] = set()
    for job_id in _too_old(session, limits, at, limit=-1):
        chosen.add(job_id)
        total += _amount(session, job_id)
    beyond = _bytes_beyond(connection, limits) - total.bytes
    if beyond > 0:
        for job_id in _closed_before(session, _latest_for_bytes(at), -1):
            if beyond <= 0:
                break
            if job_id not in chosen:
                amount = _amount(session, job_id)
                total, beyond = total + amount, beyond - amount.bytes
    if before := _before(limits.keep_events_days, at):
        events, rejects = (
            session.run(statement, (before,)).scalar_one()
            for statement in (sql.COUNT_OLD_EVENTS, sql.COUNT_OLD_REJECTS)
        )
        total += Amount(events=events, rejects=rejects, bytes=ROW_BYTES * (events + rejects))
    return total


def used_bytes(connection: sa.Connection) -> int | None:
    """Return what an SQLite database's pages hold, without free ones; None for another database."""
    if connection.dialect.name != "sqlite":
        return None
    pages, free, size = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _bytes_beyond(connection: sa.Connection, limits: Upkeep) -> int:
    used = used_bytes(connection) if limits.keep_bytes else None
    return 0 if used is None else used - limits.keep_bytes


def _before(days: float, at: datetime) -> str:
    """Return the time before which is too old, "" where nothing is."""
    return stamp_of(at - timedelta(days=days)) if days else ""


def _latest_for_bytes(at: datetime) -> str:
    return stamp_of(at - timedelta(seconds=LEAST_S))


def _too_old(session: Session, limits: Upkeep, at: datetime, limit: int) -> Iterator[str]:
    before = _before(limits.keep_days, at)
    if before:
        yield from _closed_before(session, before, limit)
        yield from (row.job_id for row in session.run(sql.limited(sql.IDLE_JOBS, limit), (before,) * 4))


def _closed_before(session: Session, before: str, limit: int) -> Iterator[str]:
    yield from (row.job_id for row in session.run(sql.limited(sql.CLOSED_JOBS, limit), (before,)))


def _amount(session: Session, job_id: str) -> Amount:
    found = session.run(sql.COUNT_JOB, (job_id,) * 4).one()
    rows, whole = found.predictions + found.failures, 0 if found.reviews else 1
    size = rows * ROW_BYTES + int(found.pixels or 0) * whole
    return Amount(whole, found.predictions, found.failures, bytes=size)


def _next_job(session: Session, connection: sa.Connection, limits: Upkeep, at: datetime) -> str:
    """Return the job that is to go first, "" where none is."""
    job_id = next(_too_old(session, limits, at, limit=1), "")
    if not job_id and _bytes_beyond(connection, limits) > 0:
        return next(_closed_before(session, _latest_for_bytes(at), 1), "")
    return job_id


def _delete_from(session: Session, job_id: str) -> tuple[Amount, bool]:
    """Delete some rows of a job, its own row last; return what went, and whether nothing is left to go."""
    predictions = session.run(sql.DELETE_PREDICTIONS, (job_id, ROWS_AT_ONCE)).rowcount
    if predictions == ROWS_AT_ONCE:
        return Amount(predictions=predictions), False
    failures = session.run(sql.DELETE_FAILURES, (job_id, ROWS_AT_ONCE)).rowcount
    shadows = session.run(sql.DELETE_SHADOWS, (job_id, ROWS_AT_ONCE)).rowcount
    pixels = session.run(sql.DELETE_PIXELS, (job_id, job_id, PIXELS_AT_ONCE)).rowcount
    went = Amount(predictions=predictions, failures=failures)
    if max(failures, shadows) == ROWS_AT_ONCE or pixels == PIXELS_AT_ONCE:
        return went, False
    session.run(sql.DELETE_BATCHES, (job_id, job_id))
    if session.run(sql.ANY_REVIEW, (job_id,)).first() is not None:
        return went, True
    for statement in sql.DELETE_JOB:
        session.run(statement, (job_id,))
    return went + Amount(jobs=1), True
