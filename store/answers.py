"""What stands in the database about some images of a job: the answer, and what people say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from store.schema import predictions, reviews
from store.statements import NAMES_ASKED


@dataclass(frozen=True)
class Answered:
    """An image's row, and the label of its review, None where nobody has looked."""

    label: str
    confidence: float
    suspect: bool
    right: str | None


def answered(connection: sa.Connection, job_id: str, images: Sequence[str]) -> dict[str, Answered]:
    """Return what stands of each of these images that has a prediction."""
    found: dict[str, Answered] = {}
    for start in range(0, len(images), NAMES_ASKED):
        for row in connection.execute(_select(job_id, images[start : start + NAMES_ASKED])):
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
