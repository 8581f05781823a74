"""Where two models disagree on the same images; each may serve, or have answered in the shadow."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from broker.spreadsheet import csv_line
from store.exports import with_one_digit
from store.queries import stream
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
    return [Disputed(*row) for row in connection.execute(_disputed(first, second).limit(limit))]


def disputed_lines(connection: sa.Connection, first: str, second: str) -> Iterator[str]:
    """Yield every image with two labels as a line of CSV, the header first; confidences in percent."""
    names = ("job", "folder", "image", first, f"{first}_percent", second, f"{second}_percent")
    yield csv_line(names)
    for row in stream(connection, _disputed(first, second)):
        one = Disputed(*tuple(row))
        sure = with_one_digit(one.first_confidence), with_one_digit(one.second_confidence)
        yield csv_line((one.job_id, one.folder, one.image, one.first, sure[0], one.second, sure[1]))


def pair_lines(connection: sa.Connection, first: str, second: str) -> Iterator[str]:
    """Yield every pair of labels as a line of CSV, the header first."""
    yield csv_line((first, second, "images"))
    for pair in disagreement(connection, first, second).pairs:
        yield csv_line((pair.first, pair.second, pair.images))


def _disputed(first: str, second: str) -> sa.Select[Any]:
    a, b = _answers(first, "a"), _answers(second, "b")
    surest = (a.c.confidence + b.c.confidence).desc()
    return (
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
    )


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
