"""The event log a page at a time, the newest first, whatever the filters and however long it is.

Events have an index by time alone: each further one would slow the store's writing down. So a page looks at
no more than LOOKED_AT events, says how far it came, and where the next page goes on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from broker.spreadsheet import csv_lines
from store.queries import Connection, EventRow, job, stream
from store.schema import events
from store.times import moment, stamp_of

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
LOOKED_AT = 50_000
KNOWN_FROM = 2000
"""From so many of the latest events the words are taken that may be chosen."""
AROUND = timedelta(days=1)
"""So long before and after a job its events are looked for, unless a time is wanted."""


class Place(NamedTuple):
    """An event's place in the log: its time, and its number among those of one time."""

    at: str
    number: int


@dataclass(frozen=True)
class Wanted:
    """Which events: from this level on, `since` <= time < `until`; `text` is a part of what was said."""

    level: Level = "debug"
    service: str = ""
    event: str = ""
    text: str = ""
    job_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class LogPage:
    """Some events. `older` is where the next page begins, None at the end of the log.

    `is_cut` says that it ends because LOOKED_AT events were looked at, and not because it is full.
    """

    rows: list[EventRow]
    older: Place | None = None
    is_cut: bool = False


@dataclass(frozen=True)
class Known:
    """The words that the latest events have."""

    services: list[str]
    events: list[str]


def events_page(
    connection: Connection,
    wanted: Wanted,
    *,
    before: Place | None = None,
    limit: int = 50,
    looked_at: int = LOOKED_AT,
) -> LogPage:
    """Return a page of the log, from before a place on."""
    c, wanted = events.c, _near_its_job(connection, wanted)
    stretch = _in_time(wanted) if before is None else [*_in_time(wanted), _place() < sa.tuple_(*before)]
    end = connection.execute(
        _newest_first(sa.select(c.at, c.id).where(*stretch)).offset(looked_at - 1).limit(1)
    ).first()
    floor = None if end is None else Place(*end)
    if floor is not None:
        stretch = [*stretch, _place() >= sa.tuple_(*floor)]
    columns = [c[field.name] for field in fields(EventRow)]
    asked = sa.select(*columns, c.id).where(*stretch, *_like(wanted))
    found = list(connection.execute(_newest_first(asked).limit(limit + 1)))
    rows = [EventRow(*row[:-1]) for row in found[:limit]]
    if len(found) > limit:
        return LogPage(rows, Place(rows[-1].at, found[limit - 1].id))
    return LogPage(rows, floor, is_cut=floor is not None)


def known(connection: Connection) -> Known:
    """Return the services and the events among the latest of the log."""
    c = events.c
    latest = connection.execute(_newest_first(sa.select(c.service, c.event)).limit(KNOWN_FROM))
    rows = [tuple(row) for row in latest]
    return Known(sorted({row[0] for row in rows}), sorted({row[1] for row in rows}))


def log_lines(connection: Connection, wanted: Wanted) -> Iterator[str]:
    """Yield all wanted events as lines of CSV, the header first, the newest event on top."""

    def rows() -> Iterator[Any]:
        yield "time", "level", "service", "instance", "event", "detail", "job", "batch"
        c = events.c
        found = sa.select(c.at, c.level, c.service, c.instance, c.event, c.detail, c.job_id, c.batch_id)
        near = _near_its_job(connection, wanted)
        yield from stream(connection, _newest_first(found.where(*_in_time(near), *_like(near))))

    return csv_lines(rows())


def _near_its_job(connection: Connection, wanted: Wanted) -> Wanted:
    """Return what is wanted, of a known job only around the time in which it was open."""
    found = job(connection, wanted.job_id) if wanted.job_id else None
    if found is None or wanted.since is not None or wanted.until is not None:
        return wanted
    until = moment(found.closed_at) + AROUND if found.closed_at else None
    return replace(wanted, since=moment(found.opened_at) - AROUND, until=until)


def _newest_first(found: sa.Select[Any]) -> sa.Select[Any]:
    return found.order_by(events.c.at.desc(), events.c.id.desc())


def _place() -> sa.Tuple:
    return sa.tuple_(events.c.at, events.c.id)


def _in_time(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    since = [] if wanted.since is None else [events.c.at >= stamp_of(wanted.since)]
    return since if wanted.until is None else [*since, events.c.at < stamp_of(wanted.until)]


def _like(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    c = events.c
    same = ((c.service, wanted.service), (c.event, wanted.event), (c.job_id, wanted.job_id))
    found: list[sa.ColumnElement[bool]] = [column == word for column, word in same if word]
    if wanted.level != LEVELS[0]:
        found.append(c.level.in_(LEVELS[LEVELS.index(wanted.level) :]))
    if words := wanted.text.strip():
        found.append(sa.or_(*[one.icontains(words, autoescape=True) for one in (c.event, c.detail)]))
    return found
