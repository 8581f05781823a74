"""Predictions that somebody picks, to be labelled together or handed to another program."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import sqlalchemy as sa

from store.queries import stream
from store.schema import CLASSES, jobs, models, predictions, reviews

_ANSWERED = predictions.outerjoin(
    reviews, (reviews.c.job_id == predictions.c.job_id) & (reviews.c.image == predictions.c.image)
)


@dataclass(frozen=True)
class Selection:
    """Which predictions. None: whatever it is. `folder` and `image` are patterns as a shell has them.

    `label` is the one that stands: the review's, or else the model's. `below` is a confidence, 0..1.
    """

    job: str | None = None
    label: str | None = None
    folder: str | None = None
    image: str | None = None
    below: float | None = None
    suspect: bool = False
    reviewed: bool | None = None


@dataclass(frozen=True)
class Labelled:
    """One prediction, and the label that a person gave the image, with that answer's id; "" if nobody has."""

    job_id: str
    source: str
    folder: str
    image: str
    label: str
    confidence: float
    model_version: str
    batch: int
    reviewed: str
    review_id: str = ""


def selected(connection: sa.Connection, wanted: Selection) -> Iterator[Labelled]:
    """Stream what was picked, batch by batch."""
    p = predictions.c
    r = reviews.c
    reviewed = (sa.func.coalesce(r.label, ""), sa.func.coalesce(r.review_id, ""))
    columns: tuple[sa.ColumnElement[Any], ...] = (
        *(p.job_id, jobs.c.source, jobs.c.folder, p.image),
        *(p.label, p.confidence, p.model_version, p.batch, *reviewed),
    )
    joined = _ANSWERED.join(jobs, jobs.c.job_id == p.job_id)
    found = sa.select(*columns).select_from(joined).where(*_conditions(wanted))
    for row in map(tuple, stream(connection, found.order_by(p.job_id, p.batch, p.image))):
        one = Labelled(*row)
        if _matches(one.folder, wanted.folder) and _matches(one.image, wanted.image):
            yield one


def _conditions(wanted: Selection) -> list[sa.ColumnElement[bool]]:
    p, found = predictions.c, list[sa.ColumnElement[bool]]()
    if wanted.job is not None:
        found.append(p.job_id == wanted.job)
    if wanted.label is not None:
        found.append(sa.func.coalesce(reviews.c.label, p.label) == wanted.label)
    if wanted.below is not None:
        found.append(p.confidence < wanted.below)
    if wanted.suspect:
        found.append(p.verdict != "ok")
    if wanted.reviewed is not None:
        found.append(reviews.c.label.is_not(None) if wanted.reviewed else reviews.c.label.is_(None))
    return found


def _matches(name: str, pattern: str | None) -> bool:
    """Hold a name to a pattern here: databases do not agree on patterns."""
    return pattern is None or fnmatchcase(name, pattern)


def known_classes(connection: sa.Connection) -> tuple[str, ...]:
    """Return the classes of every model that has served, those of this release where none said any."""
    told = connection.execute(sa.select(models.c.classes).order_by(models.c.version)).scalars()
    names = dict.fromkeys(name for text in told if text for name in json.loads(text))
    return tuple(names) or CLASSES
