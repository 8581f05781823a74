"""Which images to ask people about, and what their answers say about all the others.

Images are sorted into strata by how doubtful they look. The strata get different shares of the questions, the
doubtful ones more; inside a stratum chance decides, so every answer counts for the estimate.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, sqrt

from store.estimates import NORMAL_95, Estimate, around, not_enough

BANDS = (0.5, 0.7, 0.9, 0.98)
"""Where one band of confidence ends and the next begins."""

STRATA = ("disagreement", "suspect", "below 0.5", "0.5-0.7", "0.7-0.9", "0.9-0.98", "0.98-1")

LEAST_ASKED = 30
"""Fewer answers than this say too little for an interval by the normal distribution."""

EVEN_SHARE = 0.1
"""The share of the questions that goes to all strata alike, so that confidence alone never silences one."""

PRIOR_ANSWERS = 10.0
"""How many answers a stratum's confidence counts for while its own come in. If they ruled at once, a first
wrong one would draw many more questions to its stratum and a first right one none, and the estimate came out
high: in a simulation with 4, and without Jeffreys' half in `_doubt`, by 0.5 to 1.5 points after 30 to 120
answers; as it is, by 0.2 to 0.7."""


@dataclass(frozen=True)
class Stratum:
    """Images that look equally doubtful: how many, their confidence, how many were asked and were right.

    `images` includes those asked and leaves out those whose label is known otherwise.
    """

    images: int = 0
    confidence_sum: float = 0.0
    asked: int = 0
    right: float = 0
    """A whole number, but for strata as they are forecast."""

    @property
    def unasked(self) -> int:
        """How many images nobody was asked about."""
        return self.images - self.asked

    @property
    def confidence(self) -> float:
        """The mean confidence, 0..1; one half of no images."""
        return min(1.0, self.confidence_sum / self.images) if self.images else 0.5

    @property
    def presumed(self) -> float:
        """The accuracy to plan with: the answers', drawn to the confidence while they are few."""
        return (self.right + PRIOR_ANSWERS * self.confidence) / (self.asked + PRIOR_ANSWERS)


def stratum_of(confidence: float, *, suspect: bool, disagreed: bool) -> int:
    """Return the place in `STRATA` of an image; `disagreed` if another model gave it another label."""
    if disagreed:
        return 0
    return 1 if suspect else 2 + bisect_right(BANDS, confidence)


def shares(strata: Sequence[Stratum]) -> list[float]:
    """Return each stratum's share of the questions, in sum 1; 0 for one without images.

    This is Neyman's allocation, N sqrt(p(1 - p)) (Cochran 1977, chapter 5), which gives the narrowest
    interval, after an `EVEN_SHARE` for all.
    """
    weights = [one.images * _doubt(one) for one in strata]
    filled, total = sum(weight > 0 for weight in weights), sum(weights)
    return [EVEN_SHARE / filled + (1 - EVEN_SHARE) * weight / total if weight else 0.0 for weight in weights]


def next_stratum(strata: Sequence[Stratum]) -> int | None:
    """Return the stratum to draw the next image from, by chance; None if every image was asked.

    It is the one furthest behind its share among those that still have an image to ask about.
    """
    questions = sum(one.asked for one in strata) + 1
    behind = {
        index: share * questions - one.asked
        for index, (one, share) in enumerate(zip(strata, shares(strata), strict=True))
        if one.unasked > 0
    }
    return max(behind, key=behind.__getitem__, default=None)


def true_accuracy(strata: Sequence[Stratum], known_images: int = 0, known_right: int = 0) -> Estimate:
    """Return the accuracy that the answers show for all images, with a 95 % interval.

    It is the stratified mean and its variance with the finite population correction (Cochran 1977, chapter
    5): the interval closes when everything was asked. `known_images`, labelled because somebody
    chose them and not by chance, stand for themselves only. Not enough data below `LEAST_ASKED` answers,
    unless nothing is left to ask.
    """
    asked = sum(one.asked for one in strata)
    images = known_images + sum(one.images for one in strata)
    unasked = sum(one.unasked for one in strata)
    if not images or (unasked and asked < LEAST_ASKED):
        return not_enough(known_images + asked)
    right = known_right + sum(one.images * _accuracy(one) for one in strata)
    return around(right / images, _half_width(strata, images), known_images + asked)


def answers_needed(strata: Sequence[Stratum], half_width: float = 0.01, known_images: int = 0) -> int:
    """Return how many answers more make the 95 % interval of `true_accuracy` no wider than ± `half_width`.

    They are taken to come in by the strata's shares and to be right as often as now presumed; it is at most
    the number of images not asked. A forecast, so it moves as answers come.
    """
    images = known_images + sum(one.images for one in strata)
    asked, unasked = sum(one.asked for one in strata), sum(one.unasked for one in strata)
    low, high = 0, ceil(max((one.images / share for one, share in _filled(strata)), default=0))
    while low < high:
        middle = (low + high) // 2
        if _half_width(_forecast(strata, middle), images) <= half_width:
            high = middle
        else:
            low = middle + 1
    more = sum(one.asked for one in _forecast(strata, low)) - asked
    return max(more, min(unasked, LEAST_ASKED - asked))


def _forecast(strata: Sequence[Stratum], questions: int) -> list[Stratum]:
    """Return the strata as they will be once each has its share of so many questions, or all its images."""
    return [_answered(one, min(one.images, ceil(questions * share))) for one, share in _filled(strata)]


def _answered(one: Stratum, asked: int) -> Stratum:
    more = max(0, asked - one.asked)
    return replace(one, asked=one.asked + more, right=one.right + more * one.presumed)


def _filled(strata: Sequence[Stratum]) -> list[tuple[Stratum, float]]:
    """Return the strata that have images, each with its share."""
    return [(one, share) for one, share in zip(strata, shares(strata), strict=True) if one.images]


def _doubt(one: Stratum) -> float:
    """Return the standard deviation of one answer, with p drawn off 0 and 1 as in `_variance`."""
    trials = one.asked + PRIOR_ANSWERS
    p = (trials * one.presumed + 0.5) / (trials + 1)
    return sqrt(p * (1 - p))


def _accuracy(one: Stratum) -> float:
    """Return the share of right answers; the confidence where there are none."""
    return one.right / one.asked if one.asked else one.confidence


def _half_width(strata: Sequence[Stratum], images: int) -> float:
    variance = sum((one.images / images) ** 2 * _variance(one) for one in strata if one.images)
    return NORMAL_95 * sqrt(variance)


def _variance(one: Stratum) -> float:
    """Return the variance of a stratum's share of right answers.

    It is Jeffreys' (right + 1/2) / (asked + 1) that stands in it: after ten right answers of ten the share
    itself would say that nothing is uncertain. No answer counts as one that was as right as the confidence.
    """
    asked = max(1, one.asked)
    right = one.right if one.asked else one.confidence
    smoothed = (right + 0.5) / (asked + 1)
    return smoothed * (1 - smoothed) / asked * one.unasked / one.images
