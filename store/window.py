"""What the rules look at, read from the database: the latest closed jobs, and how the line stands."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from broker.settings import Monitor
from broker.topics import CANARY_PREFIX
from store.estimates import Sums
from store.rules import Figures, OneClass
from store.schema import alerts, batches, canaries, class_confidence, jobs, models, reviews
from store.times import seconds_between, stamp_of

JOBS_LOOKED_AT = 1000
"""Jobs of a single image: further back the window would tell of another day."""


@dataclass(frozen=True)
class Window:
    """The latest closed jobs that together hold enough images, and those before them, the newest first."""

    inside: Sequence[Any]
    before: Sequence[Any]

    @property
    def ids(self) -> list[str]:
        """The window's jobs."""
        return [job.job_id for job in self.inside]


def figures(connection: sa.Connection, bounds: Monitor, at: datetime, began_at: datetime) -> Figures:
    """Return the figures of the model that serves now; the disk's are not the database's to know.

    What waits or is missing counts from `began_at`, the store's own start, on: before that nobody looked.
    """
    model, expectations, since = _serving(connection)
    window = _window(connection, bounds.window_images, model)
    classes = _classes(connection, window.ids)
    return Figures(
        images=sum(job.stored for job in window.inside),
        failed=sum(job.failed for job in window.inside),
        suspect=sum(job.suspect for job in window.inside),
        classes={label: sums for label, (_, sums) in classes.items() if sums.images},
        labels={label: images for label, (images, _) in classes.items()},
        before={
            label: images
            for label, (images, _) in _classes(connection, [job.job_id for job in window.before]).items()
        },
        statistics=_statistics(connection, window.ids, model),
        expectations=expectations,
        model=model,
        largest=_largest(connection, window),
        backlog_s=_backlog(connection, at, stamp_of(began_at)),
        canaries_s=_canaries(connection, at, stamp_of(began_at)),
        latencies_s=_latencies(connection),
        reviews=_reviews(connection, since),
    )


def _serving(connection: sa.Connection) -> tuple[str, dict[str, Any], str]:
    """Return the model that was announced last, what it should reach, and since when reviews are new."""
    announced = models.c.announced_at.is_not(None)
    found = sa.select(models.c.version, models.c.expectations).where(announced)
    row = connection.execute(found.order_by(models.c.announced_at.desc()).limit(1)).first()
    if row is None:
        return "", {}, ""
    # The newest model that ever served has learned from all reviews before it, also when it was rolled back.
    newest = connection.execute(sa.select(sa.func.max(models.c.first_seen_at)).where(announced)).scalar_one()
    return row.version, json.loads(row.expectations or "{}"), newest


def _window(connection: sa.Connection, images: int, model: str) -> Window:
    c = jobs.c
    columns = (c.job_id, c.source, c.folder, c.stored, c.failed, c.suspect)
    worked = sa.exists().where(batches.c.job_id == c.job_id, batches.c.model_version == model)
    found = (
        sa.select(*columns)
        .where(c.state == "closed", c.stored + c.failed > 0, sa.or_(worked, c.stored == 0))
        .order_by(c.closed_at.desc(), c.job_id.desc())
        .limit(JOBS_LOOKED_AT)
    )
    rows: Sequence[Any] = connection.execute(found).all()
    seen = count = 0
    while count < len(rows) and seen < images:
        seen += rows[count].stored + rows[count].failed
        count += 1
    return Window(rows[:count], rows[count:])


def _classes(connection: sa.Connection, ids: Sequence[str]) -> dict[str, tuple[int, Sums]]:
    """Return by label how many images, and the sums of those that are not suspect."""
    c = class_confidence.c
    sums = [sa.func.sum(column) for column in (c.images, c.suspect, c.trusted_confidence, c.trusted_variance)]
    found = sa.select(c.label, *sums).where(c.job_id.in_(ids)).group_by(c.label).order_by(c.label)
    return {
        label: (int(images), Sums(int(images) - int(suspect), float(confidence), float(variance)))
        for label, images, suspect, confidence, variance in connection.execute(found)
    }


def _statistics(connection: sa.Connection, ids: Sequence[str], model: str) -> dict[str, list[int]]:
    """Return the counts by bin, summed over the model's batches: another bundle has other bins."""
    c = batches.c
    found = sa.select(c.statistics).where(c.job_id.in_(ids), c.model_version == model, c.statistics != "")
    return summed_statistics(connection.execute(found).scalars())


def summed_statistics(texts: Iterable[str]) -> dict[str, list[int]]:
    """Return the counts by statistic and bin of all batches, whose rows have these texts."""
    found: dict[str, list[list[int]]] = defaultdict(list)
    for told in json.loads(f"[{','.join(texts)}]"):
        for name, counts in told.items():
            if not found[name] or len(found[name][0]) == len(counts):  # a stranger's batch may hold anything
                found[name].append(counts)
    return {name: [sum(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}


def _largest(connection: sa.Connection, window: Window) -> dict[str, OneClass]:
    """Return the largest class of each source's latest job with predictions."""
    latest: dict[str, Any] = {}
    for job in window.inside:
        if job.stored:
            latest.setdefault(job.source, job)
    found = {}
    for source, job in latest.items():
        images = Counter({label: count for label, (count, _) in _classes(connection, [job.job_id]).items()})
        label, most = images.most_common(1)[0]
        found[source] = OneClass(job.job_id, job.folder, label, most / job.stored, job.stored)
    return found


def _backlog(connection: sa.Connection, at: datetime, began_at: str) -> dict[str, float]:
    """Return how old each source's oldest open job is that has images without a row."""
    c = jobs.c
    waiting = c.images > c.stored + c.failed
    found = sa.select(c.source, sa.func.min(c.opened_at)).where(c.state == "open", waiting).group_by(c.source)
    waits = {source: _age_s(max(opened, began_at), at) for source, opened in connection.execute(found)}
    alerted = sa.select(alerts.c.subject).where(alerts.c.state == "open", alerts.c.rule == "backlog")
    return {**dict.fromkeys(connection.execute(alerted).scalars(), 0.0), **waits}


def _canaries(connection: sa.Connection, at: datetime, began_at: str) -> Mapping[str, float]:
    found = sa.select(canaries.c.source, canaries.c.stored_at)
    return {_of(source): _age_s(max(stored, began_at), at) for source, stored in connection.execute(found)}


def _latencies(connection: sa.Connection) -> dict[str, float]:
    found = sa.select(canaries.c.source, canaries.c.latency_s).where(canaries.c.latency_s.is_not(None))
    return {_of(source): float(latency) for source, latency in connection.execute(found)}


def _of(canary: str) -> str:
    return canary.removeprefix(CANARY_PREFIX)


def _reviews(connection: sa.Connection, since: str) -> int:
    found = sa.select(sa.func.count()).where(reviews.c.reviewed_at >= since)
    return int(connection.execute(found).scalar_one())


def _age_s(then: str, at: datetime) -> float:
    return seconds_between(then, stamp_of(at))
