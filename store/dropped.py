"""From a dropped folder to its job, and from an image back to the file that it was."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import sqlalchemy as sa

from store.queries import Connection, Job
from store.schema import failures, jobs, predictions


@dataclass(frozen=True)
class Whence:
    """Where an image came from: the agent, and the folder in its inbox."""

    source: str
    folder: str


def newest_job(connection: Connection, source: str, folder: str, after: str = "") -> Job | None:
    """Return the latest job of a folder, None where there is none.

    `after` is one that was closed before, which is passed over: another folder was called the same.
    """
    c = jobs.c
    found = sa.select(*[c[field.name] for field in fields(Job)])
    found = found.where(c.folder == folder, c.source == source, c.job_id != after)
    row = connection.execute(found.order_by(c.opened_at.desc(), c.job_id.desc()).limit(1)).first()
    return None if row is None else Job(*row)


def folders(connection: Connection, job_ids: Iterable[str]) -> dict[str, str]:
    """Return the jobs' folders by job."""
    c = jobs.c
    found = sa.select(c.job_id, c.folder).where(c.job_id.in_(list(job_ids)))
    return dict(tuple(row) for row in connection.execute(found))


def whence(connection: Connection, job_id: str, image: str) -> Whence | None:
    """Return where a job's image came from; None unless it has a row, as a prediction or as a failure."""
    rows = [
        sa.exists().where(table.c.job_id == job_id, table.c.image == image)
        for table in (predictions, failures)
    ]
    found = sa.select(jobs.c.source, jobs.c.folder).where(jobs.c.job_id == job_id, sa.or_(*rows))
    row = connection.execute(found).first()
    return None if row is None else Whence(*row)
