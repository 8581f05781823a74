"""What people are asked about, and what their answers come to.

Images lie in the strata of `store.sampling`; a model on trial disagrees if `shadows` has another label. An
image that a person chose, or that was drawn among others than these, is known for itself and in no stratum.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import Any

import sqlalchemy as sa

from store.estimates import Estimate
from store.review_scope import Scope, scope_in
from store.sampling import BANDS, STRATA, Stratum, answers_needed, true_accuracy
from store.schema import predictions, reviews, shadows
from store.times import stamp_of

ASKED = "asked"
Key = tuple[str, str]
"""A job and an image."""

_P = predictions.c
_SAME = (shadows.c.job_id == _P.job_id) & (shadows.c.image == _P.image)
_DISAGREED = sa.exists().where(_SAME & (shadows.c.label != _P.label))
_REVIEWED = sa.exists().where((reviews.c.job_id == _P.job_id) & (reviews.c.image == _P.image))


@dataclass(frozen=True)
class Standing:
    """How far the answers have come: the strata, and the images known because somebody chose them."""

    strata: tuple[Stratum, ...]
    known_images: int = 0
    known_right: int = 0

    @property
    def accuracy(self) -> Estimate:
        """The true accuracy with its 95 % interval."""
        return true_accuracy(self.strata, self.known_images, self.known_right)

    @property
    def images(self) -> int:
        """How many images there are, with those that are known."""
        return sum(one.images for one in self.strata) + self.known_images

    def needed(self, half_width: float = 0.01) -> int:
        """Return how many answers more make the interval this narrow."""
        return answers_needed(self.strata, half_width, self.known_images)


def population(connection: sa.Connection, scope: Scope) -> tuple[Stratum, ...]:
    """Count the images of each stratum and sum their confidence; every row is read."""
    rows = sa.select(_stratum(), _P.confidence).where(*_within(scope)).subquery()
    sums = (sa.func.count(), sa.func.sum(rows.c.confidence))
    found = sa.select(rows.c.place, *sums).group_by(rows.c.place)
    counts = {row[0]: Stratum(row[1], row[2]) for row in connection.execute(found)}
    return tuple(counts.get(place, Stratum()) for place in range(len(STRATA)))


def is_empty(connection: sa.Connection, scope: Scope) -> bool:
    """Tell whether no prediction at all is within the scope."""
    found = sa.select(_P.image).where(*_within(scope)).limit(1)
    return connection.execute(found).first() is None


def standing(connection: sa.Connection, scope: Scope, images: Sequence[Stratum]) -> Standing:
    """Return how far the answers have come among images that `population` has counted, now or a while ago."""
    strata, known_images, known_right = list(images), 0, 0
    for place, counts, number, confidence, right in connection.execute(_answers(connection, scope)):
        one = strata[place]
        if counts:
            strata[place] = replace(one, images=max(one.images, number), asked=number, right=right)
        else:
            left = max(0, one.images - number), max(0.0, one.confidence_sum - confidence)
            strata[place] = replace(one, images=left[0], confidence_sum=left[1])
            known_images, known_right = known_images + number, known_right + right
    return Standing(tuple(strata), known_images, known_right)


def drawn(connection: sa.Connection, scope: Scope, stratum: int, number: int, chance: Random) -> list[Key]:
    """Draw images of a stratum that nobody was asked about, without replacement, each as likely as any other.

    Places in the order of the key are drawn, then the rows are walked once: neither gaps in the names nor the
    sizes of jobs make one image likelier than another, as a jump to a random key would.
    """
    wanted = (_CONDITIONS[stratum], ~_REVIEWED, *_within(scope))
    count = connection.execute(
        sa.select(sa.func.count()).select_from(predictions).where(*wanted)
    ).scalar_one()
    places = chance.sample(range(1, count + 1), min(number, count))
    order = sa.func.row_number().over(order_by=(_P.job_id, _P.image)).label("place")
    rows = sa.select(_P.job_id, _P.image, order).where(*wanted).subquery()
    found = sa.select(rows.c.place, rows.c.job_id, rows.c.image).where(rows.c.place.in_(places))
    at = {row.place: (row.job_id, row.image) for row in connection.execute(found)}
    return [at[place] for place in places]


def _answers(connection: sa.Connection, scope: Scope) -> sa.Select[Any]:
    """Return, by stratum and by whether they count as chance's: images, confidence, and how many were right.

    Those of each stratum that do not count come first: they make room that the others need.
    """
    by_chance = (reviews.c.how == ASKED) & reviews.c.stratum.in_(_covering(connection, scope))
    right = sa.case((reviews.c.label == _P.label, 1), else_=0).label("right")
    counts = sa.case((by_chance, 1), else_=0).label("counts")
    both = (reviews.c.job_id == _P.job_id) & (reviews.c.image == _P.image)
    columns = (_stratum(), counts, _P.confidence, right)
    rows = sa.select(*columns).select_from(reviews.join(predictions, both)).where(*_within(scope)).subquery()
    place, by = rows.c.place, rows.c.counts
    sums = (sa.func.count(), sa.func.sum(rows.c.confidence), sa.func.sum(rows.c.right))
    return sa.select(place, by, *sums).group_by(place, by).order_by(place, by)


def _covering(connection: sa.Connection, scope: Scope) -> list[str]:
    """Return those texts of `reviews.stratum` whose draw was one from this scope as well."""
    texts = connection.execute(sa.select(reviews.c.stratum).distinct()).scalars()
    return [text for text in texts if (drawn_from := scope_in(text)) and drawn_from.covers(scope)]


def _within(scope: Scope) -> list[sa.ColumnElement[bool]]:
    equal = ((_P.job_id, scope.job), (_P.label, scope.label), (_P.model_version, scope.model))
    found = [column == value for column, value in equal if value is not None]
    return found if scope.since is None else [*found, _P.predicted_at >= stamp_of(scope.since)]


def _conditions() -> list[sa.ColumnElement[bool]]:
    """Return what makes a row one of each stratum, as `sampling.stratum_of` says; what is quickest first."""
    bounds = (-1.0, *BANDS, 2.0)
    bands = [
        (_P.verdict == "ok") & (_P.confidence >= low) & (_P.confidence < high) & ~_DISAGREED
        for low, high in pairwise(bounds)
    ]
    return [_DISAGREED, (_P.verdict != "ok") & ~_DISAGREED, *bands]


_CONDITIONS = _conditions()


def _stratum() -> sa.Label[int]:
    bands = [(_P.confidence < bound, place + 2) for place, bound in enumerate(BANDS)]
    return sa.case((_DISAGREED, 0), (_P.verdict != "ok", 1), *bands, else_=len(STRATA) - 1).label("place")
