"""What the database knows of each model: how much it answered, how sure it was, and how right.

Confidence and suspects are kept as sums per job; a job that two models answered, during a promotion, is in
neither's. So this is as quick for a million images as for a thousand.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from store.report_figures import Scope as Reported
from store.report_figures import served
from store.schema import batches, jobs, predictions, reviews, shadows


@dataclass(frozen=True)
class Answered:
    """What a model answered. `counted` images lie in jobs that were its alone; of them are the sums."""

    version: str
    images: int
    first: str
    last: str
    counted: int = 0
    suspect: int = 0
    trusted_confidence: float = 0.0

    @property
    def mean_confidence(self) -> float | None:
        """The mean confidence of the counted images that are not suspect, 0..1; None of no such images."""
        trusted = self.counted - self.suspect
        return self.trusted_confidence / trusted if trusted > 0 else None

    @property
    def suspect_share(self) -> float | None:
        """The share of the counted images that are suspect, None of none."""
        return self.suspect / self.counted if self.counted else None


def answered(connection: sa.Connection) -> dict[str, Answered]:
    """Return the models that answered anything, by version."""
    b, j = batches.c, jobs.c
    version = sa.func.min(b.model_version).label("version")
    alone = sa.select(b.job_id, version).group_by(b.job_id)
    mine = alone.having(sa.func.min(b.model_version) == sa.func.max(b.model_version)).subquery()
    sums = [sa.func.sum(column) for column in (j.stored, j.suspect, j.trusted_confidence)]
    found = sa.select(mine.c.version, *sums).join(jobs, jobs.c.job_id == mine.c.job_id)
    known = {row[0]: row[1:] for row in map(tuple, connection.execute(found.group_by(mine.c.version)))}
    result = {}
    for one in served(connection, Reported()):
        stored, suspect, confidence = known.get(one.version, (0, 0, 0.0))
        sums_of = int(stored), int(suspect), float(confidence)
        result[one.version] = Answered(one.version, one.images, one.first, one.last, *sums_of)
    return result


def has_reviews(connection: sa.Connection, version: str) -> bool:
    """Tell whether anybody said anything of what a model answered."""
    both = (reviews.c.job_id == predictions.c.job_id) & (reviews.c.image == predictions.c.image)
    found = sa.select(reviews.c.image).select_from(reviews.join(predictions, both))
    return (
        connection.execute(found.where(predictions.c.model_version == version).limit(1)).first() is not None
    )


def has_answered_beside(connection: sa.Connection, first: str, second: str) -> bool:
    """Tell whether one of two models was on trial: without, no image has been answered by both."""
    found = sa.select(shadows.c.image).where(shadows.c.model_version.in_((first, second))).limit(1)
    return connection.execute(found).first() is not None
