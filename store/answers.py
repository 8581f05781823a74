"""What stands in the database about some images of a job: the answer, and what people say."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from store.schema import models, predictions, reviews
from store.statements import NAMES_ASKED

Key = tuple[str, str]
"""A job and an image."""


@dataclass(frozen=True)
class Answered:
    """An image's row, and the label of its review, None where nobody has looked."""

    label: str
    confidence: float
    suspect: bool
    right: str | None


@dataclass(frozen=True)
class Said:
    """What a person says of an image, and how that came about."""

    label: str
    reviewer: str
    reviewed_at: str
    how: str
    stratum: str
    review_id: str


def said(connection: sa.Connection, keys: Sequence[Key]) -> dict[Key, Said]:
    """Return what people say of these images, of those that somebody has looked at."""
    r, found = reviews.c, dict[Key, Said]()
    columns = [r[field.name] for field in fields(Said)]
    for job_id, images in _by_job(keys):
        wanted = (r.job_id == job_id, r.image.in_(images))
        for row in connection.execute(sa.select(r.image, *columns).where(*wanted)):
            found[job_id, row.image] = Said(*row[1:])
    return found


def classes(connection: sa.Connection, keys: Sequence[Key]) -> dict[Key, tuple[str, ...]]:
    """Return what may be said of these images, () for anything; one that has no prediction is left out."""
    p, found = predictions.c, dict[Key, tuple[str, ...]]()
    joined = predictions.outerjoin(models, models.c.version == p.model_version)
    for job_id, images in _by_job(keys):
        wanted = (p.job_id == job_id, p.image.in_(images))
        for row in connection.execute(
            sa.select(p.image, models.c.classes).select_from(joined).where(*wanted)
        ):
            found[job_id, row.image] = tuple(json.loads(row.classes or "[]"))
    return found


def _by_job(keys: Sequence[Key]) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield each job with its images, no more at a time than a statement may name."""
    for job_id in {key[0] for key in keys}:
        yield from ((job_id, part) for part in _parts([image for job, image in keys if job == job_id]))


def _parts(images: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(images), NAMES_ASKED):
        yield images[start : start + NAMES_ASKED]


def answered(connection: sa.Connection, job_id: str, images: Sequence[str]) -> dict[str, Answered]:
    """Return what stands of each of these images that has a prediction."""
    found: dict[str, Answered] = {}
    for part in _parts(images):
        for row in connection.execute(_select(job_id, part)):
            found[row.image] = Answered(*row[1:])
    return found


def _select(job_id: str, images: Sequence[str]) -> sa.Select[Any]:
    p, r = predictions.c, reviews.c
    reviewed = predictions.outerjoin(reviews, (r.job_id == p.job_id) & (r.image == p.image))
    return (
        sa.select(p.image, p.label, p.confidence, p.verdict != "ok", r.label)
        .select_from(reviewed)
        .where(p.job_id == job_id, p.image.in_(images))
    )
