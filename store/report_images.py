"""The images that a report shows, with their pictures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from store.kept import kept_image, kept_images
from store.png import png
from store.report_figures import Scope
from store.schema import jobs, predictions, reviews


@dataclass(frozen=True)
class Shown:
    """One image as a report shows it; `right` is the label that people gave it, None where nobody looked."""

    job_id: str
    folder: str
    image: str
    label: str
    confidence: float
    verdict: str
    reasons: str
    right: str | None


def reviewed_wrong(connection: sa.Connection, scope: Scope, *, limit: int) -> list[Shown]:
    """Return images that people gave another label, those first of which the model was surest."""
    wrong = predictions.c.label != reviews.c.label
    return _found(connection, scope, [wrong], [predictions.c.confidence.desc()], limit)


def suspects(connection: sa.Connection, scope: Scope, *, limit: int) -> list[Shown]:
    """Return suspect images, the least confident first."""
    return _found(connection, scope, [predictions.c.verdict != "ok"], [predictions.c.confidence], limit)


def least_sure(connection: sa.Connection, scope: Scope, *, limit: int) -> list[Shown]:
    """Return images that are not suspect, the least confident first."""
    return _found(connection, scope, [predictions.c.verdict == "ok"], [predictions.c.confidence], limit)


def sheet(connection: sa.Connection, job_id: str, *, limit: int) -> list[Shown]:
    """Return a job's images by name; of more than `limit` the suspects and the least confident."""
    p = predictions.c
    doubtful = [sa.case((p.verdict == "ok", 1), else_=0), p.confidence]
    found = _found(connection, Scope(job_id=job_id), [], doubtful, limit)
    return sorted(found, key=lambda one: one.image)


def _found(
    connection: sa.Connection,
    scope: Scope,
    conditions: Iterable[sa.ColumnElement[bool]],
    order: Sequence[sa.ColumnElement[Any]],
    limit: int,
) -> list[Shown]:
    p, r = predictions.c, reviews.c
    whole = predictions.join(jobs, jobs.c.job_id == p.job_id).outerjoin(
        reviews, (r.job_id == p.job_id) & (r.image == p.image)
    )
    columns = (p.job_id, jobs.c.folder, p.image, p.label, p.confidence, p.verdict, p.reasons, r.label)
    found = sa.select(*columns).select_from(whole).where(*conditions, *scope.conditions)
    ordered = found.order_by(*order, p.job_id, p.image).limit(limit)
    return [Shown(*row) for row in connection.execute(ordered)]


def pictures(connection: sa.Connection, images: Iterable[Shown]) -> dict[tuple[str, str], bytes]:
    """Return PNG files by job and image, of those whose pixels are kept."""
    found = {(one.job_id, one.image): kept_image(connection, one.job_id, one.image) for one in images}
    return {key: png(*kept) for key, kept in found.items() if kept is not None}


def pictures_of_job(connection: sa.Connection, job_id: str, images: set[str]) -> dict[tuple[str, str], bytes]:
    """Return PNG files as `pictures` does, of many images of one job: each batch is inflated once."""
    found: dict[tuple[str, str], bytes] = {}
    for names, (_, height, width), content in kept_images(connection, job_id):
        size = height * width
        for place, name in enumerate(names):
            if name in images:
                pixels = content[place * size : (place + 1) * size]
                found[job_id, name] = png((height, width), pixels)
    return found
