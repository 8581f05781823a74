"""Pages of jobs and of one job's images, cut in SQL: what the dashboard asks, whatever the size.

How many images a filter leaves is taken from the sums that are kept per job and class: no page counts rows.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from broker.spreadsheet import csv_line
from store.exports import note_of, percent, with_one_digit
from store.kept import kept_batch
from store.png import png
from store.queries import ClassRow, Connection, FailureRow, stream
from store.schema import (
    CLASSES,
    MILLION,
    PROBABILITIES,
    batches,
    class_confidence,
    failures,
    jobs,
    predictions,
)
from store.times import stamp_of

Doubt = Literal["all", "suspect", "ok"]
Order = Literal["name", "doubt"]
BATCHES_LOOKED_AT = 8


@dataclass(frozen=True)
class Wanted:
    """Which images of a job, and in what order: by name, or the most doubtful first."""

    job_id: str
    label: str | None = None
    doubt: Doubt = "all"
    order: Order = "name"


@dataclass(frozen=True)
class Seen:
    """One image as a page shows it; `batch` is where its pixels may be."""

    job_id: str
    image: str
    label: str
    confidence: float
    verdict: str
    reasons: str
    model_version: str
    predicted_at: str
    batch: int


@dataclass(frozen=True)
class ClassCounts(ClassRow):
    """A class within a job, with how many of its images are suspect."""

    suspect: int = 0


@dataclass(frozen=True)
class Backlog:
    """Images that have no row yet, and since when their oldest open job is open; "" where there are none."""

    images: int
    since: str


def class_counts(connection: Connection, job_id: str) -> list[ClassCounts]:
    """Return a job's classes, the most frequent first."""
    c = class_confidence.c
    found = sa.select(c.label, c.images, c.mean_confidence, c.suspect).where(c.job_id == job_id)
    ordered = found.order_by(c.images.desc(), c.label)
    return [ClassCounts(*row) for row in connection.execute(ordered)]


def count(classes: Sequence[ClassCounts], wanted: Wanted) -> int:
    """Return how many images are wanted, from the job's classes."""
    chosen = [one for one in classes if wanted.label in {None, one.label}]
    images, suspect = sum(one.images for one in chosen), sum(one.suspect for one in chosen)
    return {"all": images, "suspect": suspect, "ok": images - suspect}[wanted.doubt]


def images_page(connection: Connection, wanted: Wanted, *, offset: int = 0, limit: int = 48) -> list[Seen]:
    """Return a page of the wanted images."""
    found = _wanted([predictions.c[field.name] for field in fields(Seen)], wanted)
    return [Seen(*row) for row in connection.execute(found.offset(offset).limit(limit))]


def _wanted(columns: Sequence[sa.ColumnElement[Any]], wanted: Wanted) -> sa.Select[Any]:
    p = predictions.c
    found = sa.select(*columns).where(p.job_id == wanted.job_id)
    if wanted.label is not None:
        found = found.where(p.label == wanted.label)
    if wanted.doubt != "all":
        found = found.where((p.verdict == "ok") if wanted.doubt == "ok" else (p.verdict != "ok"))
    return found.order_by(*([p.confidence] if wanted.order == "doubt" else []), p.image)


def pictures(connection: Connection, seen: Sequence[Seen]) -> dict[tuple[str, str], bytes]:
    """Return the images' pixels as PNG files by job and image, of those that are kept."""
    kept = {number: kept_batch(connection, number) for number in {one.batch for one in seen}}
    found = {(one.job_id, one.image): kept[one.batch].get(one.image) for one in seen}
    return {key: png(*pixels) for key, pixels in found.items() if pixels is not None}


def probabilities(connection: Connection, job_id: str, image: str) -> dict[str, float]:
    """Return each class's probability for an image, 0..1, the likeliest first; {} where it has no row."""
    p = predictions.c
    found = sa.select(*[p[name] for name in PROBABILITIES], p.other_probabilities)
    row = connection.execute(found.where(p.job_id == job_id, p.image == image)).first()
    if row is None:
        return {}
    known = zip(CLASSES, row[:-1], strict=True)
    shares = {name: cell / MILLION for name, cell in known if cell is not None}
    shares |= json.loads(row[-1]) if row[-1] else {}
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def failures_page(
    connection: Connection, job_id: str, *, offset: int = 0, limit: int = 25
) -> list[FailureRow]:
    """Return a page of a job's failures, by image."""
    c = failures.c
    found = sa.select(*[c[field.name] for field in fields(FailureRow)]).where(c.job_id == job_id)
    return [
        FailureRow(*row) for row in connection.execute(found.order_by(c.image).offset(offset).limit(limit))
    ]


def csv_lines(connection: Connection, wanted: Wanted) -> Iterator[str]:
    """Yield the wanted images as lines of CSV, the header first; confidences and probabilities in percent."""
    p = predictions.c
    ours = (p.image, p.label, p.confidence, p.verdict, p.reasons, p.model_version, p.predicted_at)
    shares = [p[name] for name in PROBABILITIES]
    yield csv_line(["image", "item", "confidence_percent", "model", "time", "note", *CLASSES])
    for row in stream(connection, _wanted([*ours, *shares], wanted)):
        image, label, confidence, verdict, reasons, model, at, *cells = tuple(row)
        note = note_of(verdict, reasons)
        percents = [percent(None if cell is None else cell / MILLION) for cell in cells]
        yield csv_line([image, label, with_one_digit(confidence), model, at, note, *percents])


def backlog(connection: Connection) -> Backlog:
    """Return what the open jobs still wait for."""
    c = jobs.c
    waiting = c.images - c.stored - c.failed
    found = sa.select(
        sa.func.coalesce(sa.func.sum(waiting), 0), sa.func.coalesce(sa.func.min(c.opened_at), "")
    )
    row = connection.execute(found.where(c.state == "open", waiting > 0)).one()
    return Backlog(int(row[0]), str(row[1]))


def images_since(connection: Connection, times: Sequence[datetime]) -> list[int]:
    """Return how many images were stored since each of the times; batches are walked back to the earliest."""
    bounds = [stamp_of(time) for time in times]
    counts = [0] * len(bounds)
    b = batches.c
    walked = stream(connection, sa.select(b.images, b.stored_at).order_by(b.id.desc()))
    for images, stored_at in map(tuple, walked):
        if stored_at < min(bounds):
            break
        counts = [n + images * (stored_at >= bound) for n, bound in zip(counts, bounds, strict=True)]
    return counts


def latest(connection: Connection, *, limit: int = 12) -> list[Seen]:
    """Return images of the latest batches, the newest batch first."""
    b, found = batches.c, list[Seen]()
    newest = sa.select(b.id, b.job_id).order_by(b.id.desc()).limit(BATCHES_LOOKED_AT)
    for number, job_id in map(tuple, connection.execute(newest)):
        found += _of_batch(connection, number, job_id, limit - len(found))
        if len(found) >= limit:
            break
    return found


def _of_batch(connection: Connection, number: int, job_id: str, limit: int) -> list[Seen]:
    """Return the last images of a batch, by name where pixels are kept: `batch` has no index."""
    p = predictions.c
    found = sa.select(*[p[field.name] for field in fields(Seen)]).where(p.job_id == job_id, p.batch == number)
    if names := list(kept_batch(connection, number)):
        found = found.where(p.image.in_(names[-limit:]))
    return [Seen(*row) for row in connection.execute(found.order_by(p.image.desc()).limit(limit))]
