"""One person's questions: which image comes next, and what there is to know of it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import sqlalchemy as sa

from store.review_queue import Key, Standing, drawn, population, standing
from store.review_scope import Scope
from store.sampling import STRATA, Stratum, next_stratum
from store.schema import CLASSES, MILLION, PROBABILITIES, jobs, models, predictions, reviews, shadows

AT_ONCE = 100
"""Images drawn from a stratum at once. To draw one takes as long as to draw many: the rows are walked."""

COUNTING_SHARE = 0.05
"""Counting all images anew may take this share of the time; on a million it takes one to three seconds."""


@dataclass(frozen=True)
class Opinion:
    """What a model on trial said of an image."""

    model_version: str
    label: str
    confidence: float


@dataclass(frozen=True)
class Question:
    """An image, what was said of it, and how it came to be asked about."""

    job_id: str
    source: str
    folder: str
    image: str
    label: str
    confidence: float
    probabilities: dict[str, float]
    verdict: str
    reasons: str
    model_version: str
    classes: tuple[str, ...]
    shadows: tuple[Opinion, ...] = ()
    stratum: str = ""

    @property
    def likeliest(self) -> list[tuple[str, float]]:
        """The three likeliest classes with their probabilities, 0..1."""
        return sorted(self.probabilities.items(), key=lambda one: -one[1])[:3]


def question(connection: sa.Connection, job_id: str, image: str, stratum: str = "") -> Question | None:
    """Return what is known of an image; None where there is no prediction."""
    p = predictions.c
    found = sa.select(predictions, jobs.c.source, jobs.c.folder, models.c.classes).select_from(
        predictions.join(jobs, jobs.c.job_id == p.job_id).outerjoin(
            models, models.c.version == p.model_version
        )
    )
    row = connection.execute(found.where(p.job_id == job_id, p.image == image)).mappings().first()
    if row is None:
        return None
    shares = {
        name: row[column] / MILLION
        for name, column in zip(CLASSES, PROBABILITIES, strict=True)
        if row[column] is not None
    }
    shares |= json.loads(row["other_probabilities"] or "{}")
    own = ("label", "confidence", "verdict", "reasons", "model_version", "source", "folder")
    return Question(
        job_id=job_id,
        image=image,
        stratum=stratum,
        probabilities=shares,
        classes=tuple(json.loads(row["classes"] or "null") or shares or CLASSES),
        shadows=_opinions(connection, job_id, image),
        **{name: row[name] for name in own},
    )


def _opinions(connection: sa.Connection, job_id: str, image: str) -> tuple[Opinion, ...]:
    s = shadows.c
    found = sa.select(s.model_version, s.label, s.confidence).where(s.job_id == job_id, s.image == image)
    return tuple(Opinion(*row) for row in connection.execute(found.order_by(s.model_version)))


class Questions:
    """Which image comes next. Each comes once in a sitting, unless it is asked for again by `question`."""

    def __init__(self, scope: Scope, chance: Random, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.scope = scope
        self._chance = chance
        self._clock = clock
        self._images: tuple[Stratum, ...] = ()
        self._count_again_at = float("-inf")
        self._pools: dict[int, list[Key]] = {}
        self._seen: set[Key] = set()

    def standing(self, connection: sa.Connection) -> Standing:
        """Return how far the answers have come."""
        began = self._clock()
        if began >= self._count_again_at:
            self._images = population(connection, self.scope)
            ended = self._clock()
            self._count_again_at = ended + (ended - began) / COUNTING_SHARE
        return standing(connection, self.scope, self._images)

    def take(self, images: tuple[Stratum, ...]) -> None:
        """Take over a count of all images, and count no more: whoever counts elsewhere gives it again."""
        self._images, self._count_again_at = images, float("inf")

    @property
    def expected(self) -> float | None:
        """The accuracy that the confidence of all images promises, as they were counted last."""
        images = sum(one.images for one in self._images)
        return sum(one.confidence_sum for one in self._images) / images if images else None

    def next(self, connection: sa.Connection) -> Question | None:
        """Return the next question; None if every image was asked about, or has come in this sitting."""
        strata = list(self.standing(connection).strata)
        while (place := next_stratum(strata)) is not None:
            key = self._drawn(connection, place)
            if key is None:
                strata[place] = replace(strata[place], asked=strata[place].images)
                continue
            self._seen.add(key)
            found = question(connection, *key, stratum=self.scope.written(STRATA[place]))
            if found is not None:
                return found
        return None

    def _drawn(self, connection: sa.Connection, place: int) -> Key | None:
        """Take an image from the stratum's pool, filling it once it is empty."""
        pool = self._pools.setdefault(place, [])
        if not pool:
            number = AT_ONCE + len(self._seen)
            pool += [
                key
                for key in drawn(connection, self.scope, place, number, self._chance)
                if key not in self._seen
            ]
        while pool:
            key = pool.pop()
            if not _is_reviewed(connection, key):
                return key
        return None


def _is_reviewed(connection: sa.Connection, key: Key) -> bool:
    found = sa.select(reviews.c.image).where(reviews.c.job_id == key[0], reviews.c.image == key[1])
    return connection.execute(found).first() is not None
