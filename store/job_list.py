"""The list of jobs: searched, chosen by state, failures, flags, source and time, cut in SQL."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from broker.spreadsheet import csv_line
from store.exports import with_one_digit
from store.queries import Connection, Job, stream
from store.schema import jobs
from store.times import stamp_of

COLUMNS = (
    *("job_id", "folder", "source", "state", "opened_at", "closed_at"),
    *("images", "sent", "stored", "failed", "suspect", "confidence_percent", "process_s", "flags"),
)


@dataclass(frozen=True)
class JobsWanted:
    """Which jobs: a part of the folder or the name, and what else is wanted of them.

    `since` and `until` are about when a job was opened; `until` is not included.
    """

    text: str = ""
    state: Literal["", "open", "closed"] = ""
    failures: bool = False
    flagged: bool = False
    source: str = ""
    since: datetime | None = None
    until: datetime | None = None


ALL = JobsWanted()


def jobs_page(connection: Connection, wanted: JobsWanted, *, offset: int = 0, limit: int = 25) -> list[Job]:
    """Return a page of the wanted jobs, the newest first."""
    found = _ordered([jobs.c[field.name] for field in fields(Job)], wanted)
    return [Job(*row) for row in connection.execute(found.offset(offset).limit(limit))]


def count_jobs(connection: Connection, wanted: JobsWanted = ALL) -> int:
    """Return how many jobs are wanted."""
    found = sa.select(sa.func.count()).select_from(jobs).where(*_holding(wanted))
    return int(connection.execute(found).scalar_one())


def job_lines(connection: Connection, wanted: JobsWanted) -> Iterator[str]:
    """Yield the wanted jobs as lines of CSV, the header first, in the page's order."""
    yield csv_line(COLUMNS)
    columns = [jobs.c["mean_confidence" if name == "confidence_percent" else name] for name in COLUMNS]
    place = COLUMNS.index("confidence_percent")
    for row in stream(connection, _ordered(columns, wanted)):
        cells = list(row)
        cells[place] = with_one_digit(cells[place])
        yield csv_line(cells)


def _ordered(columns: Sequence[sa.ColumnElement[Any]], wanted: JobsWanted) -> sa.Select[Any]:
    newest = (jobs.c.opened_at.desc(), jobs.c.job_id.desc())
    return sa.select(*columns).where(*_holding(wanted)).order_by(*newest)


def _holding(wanted: JobsWanted) -> list[sa.ColumnElement[bool]]:
    c, words = jobs.c, wanted.text.strip()
    found: list[sa.ColumnElement[bool]] = []
    if words:
        found.append(sa.or_(*[one.icontains(words, autoescape=True) for one in (c.folder, c.job_id)]))
    if wanted.state:
        found.append(c.state == wanted.state)
    if wanted.source:
        found.append(c.source == wanted.source)
    if wanted.failures:
        found.append(c.failed > 0)
    if wanted.flagged:
        found.append(c.flags != "")
    if wanted.since is not None:
        found.append(c.opened_at >= stamp_of(wanted.since))
    if wanted.until is not None:
        found.append(c.opened_at < stamp_of(wanted.until))
    return found
