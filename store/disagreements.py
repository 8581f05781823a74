"""Where two models disagree on the same images; each may serve, or have answered in the shadow."""

from dataclasses import dataclass

import sqlalchemy as sa

from store.schema import jobs, predictions, shadows


@dataclass(frozen=True)
class Pair:
    """Images that one model gives one label and the other another."""

    first: str
    second: str
    images: int


@dataclass(frozen=True)
class Disagreement:
    """Two models on the images that both have answered; the most frequent pair of labels first."""

    images: int
    differing: int
    pairs: tuple[Pair, ...]

    @property
    def rate(self) -> float:
        """Return the share of the images with two labels, 0 of none."""
        return self.differing / self.images if self.images else 0.0


@dataclass(frozen=True)
class Disputed:
    """One image with two labels."""

    job_id: str
    folder: str
    image: str
    first: str
    first_confidence: float
    second: str
    second_confidence: float


def disagreement(connection: sa.Connection, first: str, second: str) -> Disagreement:
    """Count where the models of two versions agree and where they do not."""
    a, b = _answers(first, "a"), _answers(second, "b")
    found = (
        sa.select(a.c.label, b.c.label, sa.func.count().label("n"))
        .select_from(_together(a, b))
        .group_by(a.c.label, b.c.label)
        .order_by(sa.desc("n"), a.c.label, b.c.label)
    )
    pairs = [Pair(*row) for row in connection.execute(found)]
    differing = tuple(pair for pair in pairs if pair.first != pair.second)
    return Disagreement(sum(p.images for p in pairs), sum(p.images for p in differing), differing)


def disputed(connection: sa.Connection, first: str, second: str, *, limit: int) -> list[Disputed]:
    """Return images with two labels, those first of which the models are surest."""
    a, b = _answers(first, "a"), _answers(second, "b")
    surest = (a.c.confidence + b.c.confidence).desc()
    found = (
        sa.select(
            a.c.job_id,
            sa.func.coalesce(jobs.c.folder, ""),
            a.c.image,
            a.c.label,
            a.c.confidence,
            b.c.label,
            b.c.confidence,
        )
        .select_from(_together(a, b).outerjoin(jobs, jobs.c.job_id == a.c.job_id))
        .where(a.c.label != b.c.label)
        .order_by(surest, a.c.job_id, a.c.image)
        .limit(limit)
    )
    return [Disputed(*row) for row in connection.execute(found)]


def _together(a: sa.Subquery, b: sa.Subquery) -> sa.Join:
    return a.join(b, (a.c.job_id == b.c.job_id) & (a.c.image == b.c.image))


def _answers(version: str, name: str) -> sa.Subquery:
    """Return what a version said of each image: while it served, or else in the shadow."""
    served = _of(predictions, version)
    alike = (predictions.c.job_id == shadows.c.job_id) & (predictions.c.image == shadows.c.image)
    again = sa.exists().where(alike & (predictions.c.model_version == version))
    return sa.union_all(served, _of(shadows, version).where(~again)).subquery(name)


def _of(table: sa.Table, version: str) -> sa.Select[tuple[str, str, str, float]]:
    columns = (table.c.job_id, table.c.image, table.c.label, table.c.confidence)
    return sa.select(*columns).where(table.c.model_version == version)
