"""What people have said of the images that a report is about."""

from collections import Counter
from dataclasses import dataclass, field

import sqlalchemy as sa

from store import review_scope
from store.estimates import Estimate, not_enough
from store.queries import stream
from store.report_figures import Scope
from store.review_queue import population, standing
from store.schema import jobs, predictions, reviews

BINS = 10


@dataclass
class ReviewedBin:
    """Reviewed images of similar confidence."""

    images: int = 0
    right: int = 0
    confidence: float = 0.0


@dataclass
class Reviewed:
    """What people have said: by label given and right label, and in tenths of confidence.

    The tenths count only answers that chance drew, of images that are not suspect: what somebody chose to
    correct was chosen for being wrong, and a suspect's confidence is not believed anyway.
    """

    images: int = 0
    right: int = 0
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(right label, label given) -> images."""
    bins: list[ReviewedBin] = field(default_factory=lambda: [ReviewedBin() for _ in range(BINS)])

    @property
    def drawn(self) -> int:
        """How many answers the tenths hold."""
        return sum(one.images for one in self.bins)

    def add(self, label: str, confidence: float, right: str, *, drawn: bool) -> None:
        """Count an answer; `drawn` by chance, and of an image that is not suspect."""
        if drawn:
            one = self.bins[min(BINS - 1, int(confidence * BINS))]
            one.images += 1
            one.right += label == right
            one.confidence += confidence
        self.images += 1
        self.right += label == right
        self.pairs[right, label] += 1


def reviewed(connection: sa.Connection, scope: Scope) -> Reviewed:
    """Return what people have said of the images."""
    p, r = predictions.c, reviews.c
    both = reviews.join(predictions, (p.job_id == r.job_id) & (p.image == r.image))
    drawn = sa.and_(r.how == "asked", p.verdict == "ok")
    found = sa.select(p.label, p.confidence, r.label, drawn)
    found = found.select_from(both.join(jobs, jobs.c.job_id == r.job_id))
    result = Reviewed()
    for label, confidence, right, by_chance in map(tuple, stream(connection, found.where(*scope.conditions))):
        result.add(label, confidence, right, drawn=bool(by_chance))
    return result


def among_of(scope: Scope) -> review_scope.Scope | None:
    """Return the images that reviews draw from, as near to a report's as can be; None where nothing is."""
    if scope.until is not None or scope.source is not None:
        return None
    return review_scope.Scope(job=scope.job_id, model=scope.model, since=scope.since)


def accuracy(connection: sa.Connection, scope: Scope, answers: int) -> Estimate:
    """Return what the answers say of all images, by those that chance drew; `answers` is how many there are.

    Not enough data for a period with an end, or for a source: which images were drawn from it, nobody knows.
    """
    among = among_of(scope)
    if not answers or among is None:
        return not_enough(answers)
    return standing(connection, among, population(connection, among)).accuracy
