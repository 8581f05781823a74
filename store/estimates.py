"""How right the answers probably are while nobody has looked, and whether the images are still alike.

The figures rest on calibrated confidence: of images answered with 0.9, nine in ten are right. Where that
holds and where it does not, as measured: docs/explanation/expected-accuracy.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt

NORMAL_95 = 1.96
"""Standard deviations to either side that hold 95 % of a normal distribution."""

DRIFTING = 0.1
DRIFTED = 0.25
"""The usual reading of a population stability index (Siddiqi 2006): below the first nothing has changed,
above the second it is another population."""

SUSPECT_SHARE = 0.1
"""With more suspect images than this, those with the verdict ok are a remnant that calibration never saw. Of
seven simulated changes above it, three left nothing to estimate from and two a truth outside the interval."""


@dataclass(frozen=True)
class Sums:
    """What is kept of images with the verdict ok: their number, the sum of p and the sum of p(1 - p).

    p is the confidence, 0..1. Sums of jobs, days or labels add up to those of all of them.
    """

    images: int = 0
    confidence: float = 0.0
    variance: float = 0.0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.images + other.images, self.confidence + other.confidence, self.variance + other.variance
        )


@dataclass(frozen=True)
class Estimate:
    """A share 0..1 with the bounds of its 95 % interval. All three None is the state *not enough data*."""

    value: float | None
    low: float | None
    high: float | None
    images: int

    @property
    def enough(self) -> bool:
        """Whether there were enough images to say anything."""
        return self.value is not None


def not_enough(images: int) -> Estimate:
    """Return the state *not enough data*."""
    return Estimate(None, None, None, images)


def around(value: float, half_width: float, images: int) -> Estimate:
    """Return an estimate whose interval goes equally far to both sides, cut at 0 and 1."""
    value = min(1.0, max(0.0, value))
    return Estimate(value, max(0.0, value - half_width), min(1.0, value + half_width), images)


def expected_accuracy(sums: Sums, *, calibration_error: float, least_images: int) -> Estimate:
    """Return the accuracy that the confidence promises, with a 95 % interval.

    The value is the mean confidence (average confidence in Guillory et al. 2021, "Predicting with Confidence
    on Unseen Distributions"). If confidence is calibrated, an image of confidence p is right like a
    coin of that bias, so the number of right answers is Poisson binomial with variance sum p(1 - p) (Le Cam
    1960), which the normal distribution fits from some thirty images on. That width shrinks with more images;
    `calibration_error`, by how much confidence missed accuracy on held-out images, does not and is added on
    both sides. Under a change of the images that calibration has not seen the interval promises nothing
    (Garg et al. 2022, "Leveraging Unlabeled Data to Predict Out-of-Distribution Performance"). Not enough
    data below `least_images`.
    """
    if sums.images < max(1, least_images):
        return not_enough(sums.images)
    chance = NORMAL_95 * sqrt(max(0.0, sums.variance)) / sums.images
    return around(sums.confidence / sums.images, chance + calibration_error, sums.images)


def population_stability(reference: Sequence[float], counts: Sequence[int]) -> float:
    """Return the population stability index of counted images against the reference's shares (Siddiqi 2006).

    It is sum (a - r) ln(a / r) over the bins, 0 for equal shares. Both sides get half an image more in every
    bin, so that an empty one does not make it infinite. Raises `ValueError` where the bins differ in number.
    """
    return sum(stability_parts(reference, counts))


def stability_parts(reference: Sequence[float], counts: Sequence[int]) -> list[float]:
    """Return what each bin adds to the index, which is never less than 0."""
    images, bins = sum(counts), len(counts)
    whole, total = sum(reference) or 1.0, images + bins / 2
    known = [(images * share / whole + 0.5) / total for share in reference]
    found = [(count + 0.5) / total for count in counts]
    return [(a - r) * log(a / r) for a, r in zip(found, known, strict=True)]


def chance_stability(bins: int, images: int) -> float:
    """Return the index that chance alone gives on average: (bins - 1) / images (Yurdakul 2018).

    It is the mean of a chi-squared distribution over the number of images; the reference counts as exact.
    """
    return (bins - 1) / images


def drift(reference: Sequence[float], counts: Sequence[int], *, least_images: int) -> float | None:
    """Return how much of the stability index is more than chance, 0 if nothing is; None below the least."""
    images = sum(counts)
    if images < max(1, least_images):
        return None
    return max(0.0, population_stability(reference, counts) - chance_stability(len(counts), images))


def mixed(references: Mapping[str, Sequence[float]], labels: Mapping[str, int]) -> list[float]:
    """Return the shares that a reference known per label has for images of these labels.

    Against them a folder of nothing but bags is no drift of what bags look like. Labels that the reference
    lacks are left out; no shares come back if that leaves none.
    """
    known = {label: count for label, count in labels.items() if count and label in references}
    images = sum(known.values())
    parts = [[share * count / images for share in references[label]] for label, count in known.items()]
    return [sum(shares) for shares in zip(*parts, strict=True)]


def to_be_trusted(suspect_share: float, drifts: Iterable[float | None]) -> bool:
    """Say whether an expected accuracy deserves belief: few suspects, and no drift within the labels.

    A drift of None, too few images, speaks neither for nor against. The class mix is no such drift.
    """
    return suspect_share <= SUSPECT_SHARE and all(value is None or value <= DRIFTED for value in drifts)
