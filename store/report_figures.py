"""What a report shows, as sums: of one job, or of all jobs that opened within a period.

A job counts whole, at the time when it opened. What is kept per job and class is added up, so most of it is
as quick for a million images as for a thousand; only suspects' reasons are looked for among the images.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from broker.doubts import BETWEEN_REASONS
from store.estimates import Sums
from store.queries import AlertRow, stream
from store.schema import alerts, batches, class_confidence, failures, jobs, models, predictions
from store.times import stamp_of

MONTH, DAY, HOUR, JOB = 7, 10, 13, 24
"""Steps of time, as the number of characters that a time has in common with its step."""

FEW_DAYS = 5
MANY_DAYS = 120
MANY_JOBS = 48
PARTS = ("read", "prepare", "wait", "predict", "store")


@dataclass(frozen=True)
class Scope:
    """What to report on: `since` <= a job's opening < `until`, one job, one source's, a model's. None: all.

    The jobs of a model are those that it worked on, whole.
    """

    since: datetime | None = None
    until: datetime | None = None
    job_id: str | None = None
    source: str | None = None
    model: str | None = None

    @property
    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """Return what must hold of a row of `jobs`."""
        c = jobs.c
        given = (
            None if self.since is None else c.opened_at >= stamp_of(self.since),
            None if self.until is None else c.opened_at < stamp_of(self.until),
            None if self.job_id is None else c.job_id == self.job_id,
            None if self.source is None else c.source == self.source,
            None if self.model is None else _worked(self.model),
        )
        return [one for one in given if one is not None]


def _worked(model: str) -> sa.ColumnElement[bool]:
    work = batches.alias()
    return sa.exists().where(work.c.job_id == jobs.c.job_id, work.c.model_version == model)


@dataclass(frozen=True)
class Headline:
    """The jobs in numbers; `sums` are of the images with the verdict ok."""

    jobs: int
    open_jobs: int
    sources: int
    images: int
    stored: int
    failed: int
    suspect: int
    process_s: float
    sums: Sums
    first: str | None
    last: str | None


@dataclass(frozen=True)
class ClassSums:
    """Images of one label within one step of time."""

    images: int = 0
    trusted: int = 0
    confidence: float = 0.0
    """The sum over those that are not suspect, which are `trusted`."""

    @property
    def mean(self) -> float | None:
        """The mean confidence of the images that are not suspect, None of no such images."""
        return self.confidence / self.trusted if self.trusted else None


@dataclass
class BatchSums:
    """Batches of one step of time: seconds by part, of those batches that tell it."""

    batches: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))


@dataclass(frozen=True)
class Speed:
    """Images that got a row, and the seconds that their jobs took."""

    images: int
    process_s: float


@dataclass(frozen=True)
class Served:
    """A model and what it answered; `expectations` as announced, {} where it has none."""

    version: str
    images: int
    first: str
    last: str
    expectations: dict[str, Any]


def headline(connection: sa.Connection, scope: Scope) -> Headline:
    """Return the jobs in numbers."""
    c = jobs.c
    sums = (c.images, c.stored, c.failed, c.suspect, c.process_s, c.trusted_confidence, c.trusted_variance)
    found = sa.select(
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(sa.case((c.state == "open", 1), else_=0)), 0),
        sa.func.count(sa.distinct(c.source)),
        sa.func.min(c.opened_at),
        sa.func.max(c.opened_at),
        *[sa.func.coalesce(sa.func.sum(column), 0) for column in sums],
    ).where(*scope.conditions)
    row = connection.execute(found.select_from(jobs)).one()
    count, opened, sources, first, last, *figures = tuple(row)
    images, stored, failed, suspect = map(int, figures[:4])
    process_s, confidence, variance = map(float, figures[4:])
    trusted = Sums(stored - suspect, confidence, variance)
    return Headline(
        count, int(opened), sources, images, stored, failed, suspect, process_s, trusted, first, last
    )


def step_of(connection: sa.Connection, scope: Scope) -> int:
    """Return how fine time is to be cut: a point a day, a month for many days, a job or an hour for few."""
    day = sa.func.count(sa.distinct(sa.func.substr(jobs.c.opened_at, 1, DAY)))
    days, count = connection.execute(sa.select(day, sa.func.count()).where(*scope.conditions)).one()
    if days >= FEW_DAYS:
        return DAY if days <= MANY_DAYS else MONTH
    return JOB if count <= MANY_JOBS else HOUR


def failed_by_reason(connection: sa.Connection, scope: Scope) -> list[tuple[str, int]]:
    """Return the reasons of failures, the most frequent first."""
    found = sa.select(failures.c.reason, sa.func.count()).join(jobs).where(*scope.conditions)
    counts = {reason: int(n) for reason, n in connection.execute(found.group_by(failures.c.reason))}
    return _by_count(Counter(counts))


def suspects_by_reason(connection: sa.Connection, scope: Scope) -> list[tuple[str, int]]:
    """Return why images are suspect, the most frequent first; an image may have several reasons."""
    p = predictions.c
    found = sa.select(p.reasons, sa.func.count()).join(jobs).where(p.verdict != "ok", *scope.conditions)
    counts: Counter[str] = Counter()
    for reasons, n in connection.execute(found.group_by(p.reasons)):
        counts.update(dict.fromkeys(reasons.split(BETWEEN_REASONS), int(n)))
    return _by_count(counts)


def _by_count(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def classes_over_time(connection: sa.Connection, scope: Scope, step: int) -> dict[str, dict[str, ClassSums]]:
    """Return each step's labels with their sums, by time."""
    c, at = class_confidence.c, sa.func.substr(jobs.c.opened_at, 1, step)
    sums = [sa.func.sum(column) for column in (c.images, c.images - c.suspect, c.trusted_confidence)]
    found = sa.select(at, c.label, *sums).join(jobs).where(*scope.conditions).group_by(at, c.label)
    steps: dict[str, dict[str, ClassSums]] = defaultdict(dict)
    for when, label, images, trusted, confidence in map(tuple, connection.execute(found.order_by(at))):
        steps[when][label] = ClassSums(int(images), int(trusted), float(confidence))
    return dict(steps)


def speed_over_time(connection: sa.Connection, scope: Scope, step: int) -> dict[str, Speed]:
    """Return each step's images and the seconds of its jobs; jobs without a known duration are left out."""
    c, at = jobs.c, sa.func.substr(jobs.c.opened_at, 1, step)
    found = sa.select(at, sa.func.sum(c.stored + c.failed), sa.func.sum(c.process_s))
    timed = found.where(c.process_s > 0, *scope.conditions).group_by(at).order_by(at)
    return {when: Speed(int(images), float(s)) for when, images, s in connection.execute(timed)}


def parts_over_time(connection: sa.Connection, scope: Scope, step: int) -> dict[str, BatchSums]:
    """Return each step's batches with their seconds by part; `store` is from the prediction to the row."""
    b, at = batches.c, sa.func.substr(jobs.c.opened_at, 1, step)
    told = sa.func.aggregate_strings(sa.func.nullif(b.timings, ""), ",")
    found = sa.select(at, sa.func.count(), told).join_from(batches, jobs).where(*scope.conditions)
    stored = sa.select(at, sa.func.sum(jobs.c.store_s)).where(*scope.conditions).group_by(at)
    store_s = dict(map(tuple, connection.execute(stored)))
    return {
        when: BatchSums(int(count), _seconds(timings or "", float(store_s[when])))
        for when, count, timings in map(tuple, stream(connection, found.group_by(at).order_by(at)))
    }


def _seconds(timings: str, store_s: float) -> dict[str, float]:
    """Return the seconds by part of batches, whose rows have these texts, with commas between them."""
    told = json.loads(f"[{timings}]")
    by_part = {part: [one[part] for one in told if part in one] for part in PARTS}
    sums = {part: float(sum(seconds)) for part, seconds in by_part.items() if seconds}
    return defaultdict(float, {**sums, "store": store_s})


def served(connection: sa.Connection, scope: Scope) -> list[Served]:
    """Return the models that answered, by their first answer."""
    b = batches.c
    first = sa.func.min(b.predicted_at)
    answered = (
        sa.select(b.model_version, sa.func.sum(b.images), first, sa.func.max(b.predicted_at))
        .join(jobs)
        .where(*scope.conditions)
        .group_by(b.model_version)
        .order_by(first)
    )
    told = {row.version: row.expectations for row in connection.execute(sa.select(models))}
    return [
        Served(version, int(images), since, until, json.loads(told.get(version) or "{}"))
        for version, images, since, until in connection.execute(answered)
    ]


def alerts_of(connection: sa.Connection, scope: Scope, *, limit: int) -> list[AlertRow]:
    """Return the alerts that were open within the period, or are about the job, the newest first."""
    c = alerts.c
    found = sa.select(*[c[name] for name in AlertRow.__dataclass_fields__])
    if scope.job_id is not None:
        found = found.where(c.job_id == scope.job_id)
    if scope.since is not None:
        found = found.where(sa.or_(c.closed_at.is_(None), c.closed_at >= stamp_of(scope.since)))
    if scope.until is not None:
        found = found.where(c.opened_at < stamp_of(scope.until))
    return [AlertRow(*row) for row in connection.execute(found.order_by(c.opened_at.desc()).limit(limit))]
