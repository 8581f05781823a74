"""When something is not as it should be: figures on one side, bounds on the other, and no I/O.

Every rule that has enough data judges each of its subjects, well or not: only so can an alert close.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.settings import Monitor
from store.estimates import Estimate, Sums, drift, expected_accuracy, mixed, to_be_trusted

ONE_CLASS_IMAGES = 30
"""Fewer images of one kind are an ordinary delivery: a folder of ten bags is no sign of anything."""

UNKNOWN_CALIBRATION = 0.01
"""For a bundle that does not say how well it is calibrated: what every release must reach."""


@dataclass(frozen=True)
class OneClass:
    """The class that took most of a source's latest job, and how much of it, 0..1."""

    job_id: str
    folder: str
    label: str
    share: float
    images: int


@dataclass(frozen=True)
class Figures:
    """What the rules look at. `window` figures are of the latest closed jobs; shares are 0..1.

    `classes` has the window's images that are not suspect, by label; `labels` all of them, and `before` those
    of the jobs before it. `statistics` counts images by bin of the bundle's reference. `largest`, `backlog_s`
    and `canaries_s` go by source: the latest job's largest class, the age of the oldest open job with images
    without a row, the time since the last canary. `reviews` were made since the newest model came.
    """

    images: int = 0
    failed: int = 0
    suspect: int = 0
    classes: Mapping[str, Sums] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    before: Mapping[str, int] = field(default_factory=dict)
    statistics: Mapping[str, Sequence[int]] = field(default_factory=dict)
    expectations: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    largest: Mapping[str, OneClass] = field(default_factory=dict)
    backlog_s: Mapping[str, float] = field(default_factory=dict)
    canaries_s: Mapping[str, float] = field(default_factory=dict)
    latencies_s: Mapping[str, float] = field(default_factory=dict)
    reviews: int = 0
    free_mb: float | None = None
    least_free_mb: float = 0.0

    @property
    def calibration_error(self) -> float:
        """By how much the bundle's confidence missed its accuracy on validation."""
        return float(self.expectations.get("calibration_error", UNKNOWN_CALIBRATION))


@dataclass(frozen=True)
class Judgement:
    """One rule's word on one subject: a class, a source, a statistic, or "" for everything."""

    rule: str
    subject: str
    value: float
    bound: float
    bad: bool
    detail: str
    job_id: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What there is one alert of at a time."""
        return self.rule, self.subject


def judged(figures: Figures, bounds: Monitor) -> list[Judgement]:
    """Return what every rule says that has enough data and is not turned off."""
    return [word for rule in RULES for word in rule(figures, bounds)]


def trusted_accuracy(figures: Figures, bounds: Monitor) -> float | None:
    """Return the window's expected accuracy, 0..1; None where there are too few images or too much drift."""
    suspect_share = figures.suspect / figures.images if figures.images else 0.0
    drifts = [value for _, value in pixel_drifts(figures, bounds)]
    return _estimate(figures, bounds).value if to_be_trusted(suspect_share, drifts) else None


def _estimate(figures: Figures, bounds: Monitor) -> Estimate:
    whole, error = sum(figures.classes.values(), Sums()), figures.calibration_error
    return expected_accuracy(whole, calibration_error=error, least_images=bounds.least_images)


def _expected_accuracy(figures: Figures, bounds: Monitor) -> Iterator[Judgement]:
    bound = accuracy_bound(figures.expectations, bounds)
    found = _estimate(figures, bounds)
    if bound and found.value is not None:
        yield _accuracy("expected-accuracy", "", found, bound)


def _class_accuracy(figures: Figures, bounds: Monitor) -> Iterator[Judgement]:
    reference = figures.expectations.get("classes", {})
    for label, sums in figures.classes.items():
        bound = class_bound(label, figures.expectations, bounds)
        error = float(reference.get(label, {}).get("calibration_error", figures.calibration_error))
        found = expected_accuracy(sums, calibration_error=error, least_images=bounds.least_images)
        if bound and found.value is not None:
            yield _accuracy("class-accuracy", label, found, bound)


def accuracy_bound(expectations: Mapping[str, Any], bounds: Monitor) -> float:
    """Return the accuracy that is expected of all images: as set, or the bundle's; 0 if neither."""
    return bounds.expected_accuracy or _reached(expectations, bounds)


def class_bound(label: str, expectations: Mapping[str, Any], bounds: Monitor) -> float:
    """Return the accuracy that is expected of images with a label: as set, or the bundle's; 0 if neither."""
    return _class_bounds(bounds).get(label) or _reached(
        expectations.get("classes", {}).get(label, {}), bounds
    )


def _class_bounds(bounds: Monitor) -> dict[str, float]:
    return {name: float(share) for name, _, share in (one.rpartition("=") for one in bounds.class_accuracy)}


def unknown_classes(classes: Collection[str], bounds: Monitor) -> list[str]:
    """Return the classes of `[monitor] class_accuracy` that a model does not have: nothing watches them."""
    return [name for name in _class_bounds(bounds) if name not in classes]


def _reached(expectation: Mapping[str, Any], bounds: Monitor) -> float:
    """Return what the bundle reached on validation, less the margin; 0 where it does not say."""
    return max(0.0, float(expectation.get("accuracy", 0.0)) - bounds.accuracy_margin)


def _accuracy(rule: str, subject: str, found: Estimate, bound: float) -> Judgement:
    """Judge by the interval's upper end: chance alone, and a calibration slightly off, raise no alarm."""
    value, low, high = found.value or 0.0, found.low or 0.0, found.high or 0.0
    whose = f"expected accuracy of {subject}" if subject else "expected accuracy"
    detail = (
        f"{whose} {value:.1%} ({low:.1%} to {high:.1%}) of {found.images} images, {_side(high, bound)}"
        f" {bound:.1%}"
    )
    return Judgement(rule, subject, value, bound, high < bound, detail)


def _shares(figures: Figures, bounds: Monitor) -> Iterator[Judgement]:
    whole = figures.images + figures.failed
    for rule, what, count, of, bound in (
        ("suspect-share", "suspect", figures.suspect, figures.images, bounds.suspect_share),
        ("failure-share", "failed", figures.failed, whole, bounds.failure_share),
    ):
        if bound and of >= bounds.least_images:
            share = count / of
            detail = f"{share:.1%} of {of} images {what}, {_side(share, bound)} {bound:.1%}"
            yield Judgement(rule, "", share, bound, share > bound, detail)


def _one_class(figures: Figures, bounds: Monitor) -> Iterator[Judgement]:
    bound = bounds.one_class_share
    for source, job in figures.largest.items():
        if bound and job.images >= ONE_CLASS_IMAGES:
            detail = (
                f"{job.label} takes {job.share:.1%} of {job.images} images of"
                f" {job.folder or 'the loose files'}, {_side(job.share, bound)} {bound:.1%}"
            )
            yield Judgement("one-class", source, job.share, bound, job.share > bound, detail, job.job_id)


def pixel_drifts(figures: Figures, bounds: Monitor) -> Iterator[tuple[str, float | None]]:
    """Hold the pixels to the bundle's validation images, of the same labels in the same shares.

    Yield each statistic with its stability index; None of too few images, or of other bins than the bundle's.
    """
    reference = figures.expectations.get("statistics", {})
    for name, counts in figures.statistics.items():
        shares = mixed(reference.get(name, {}).get("classes", {}), figures.labels)
        fits = len(shares) == len(counts)
        yield name, drift(shares, counts, least_images=bounds.least_images) if fits else None


def _input_drift(figures: Figures, bounds: Monitor) -> Iterator[Judgement]:
    for name, value in pixel_drifts(figures, bounds):
        if bounds.input_drift and value is not None:
            yield _drifted("input-drift", name, f"{name} of the pixels", value, bounds.input_drift)


def _mix_drift(figures: Figures, bounds: Monitor) -> Iterator[Judgement]:
    """Hold the mix of classes to the images before the window."""
    if not bounds.mix_drift or sum(figures.before.values()) < bounds.window_images:
        return
    labels = sorted({*figures.before, *figures.labels})
    counts = [figures.labels.get(label, 0) for label in labels]
    value = drift(
        [figures.before.get(label, 0) for label in labels], counts, least_images=bounds.least_images
    )
    if value is not None:
        yield _drifted("mix-drift", "", "mix of classes", value, bounds.mix_drift)


def _drifted(rule: str, subject: str, what: str, value: float, bound: float) -> Judgement:
    detail = f"{what}: population stability index {value:.2f}, {_side(value, bound)} {bound:.2f}"
    return Judgement(rule, subject, value, bound, value > bound, detail)


def _side(value: float, bound: float) -> str:
    return "above" if value > bound else "below" if value < bound else "at"


def _times(figures: Figures, bounds: Monitor) -> Iterator[Judgement]:
    for rule, what, found, bound in (
        ("latency", "s for a canary's whole way", figures.latencies_s, bounds.latency_s),
        ("backlog", "s since the oldest open job with images without a row began", figures.backlog_s,
         bounds.backlog_age_s),
        ("canary-late", "s since the last canary", figures.canaries_s, bounds.canary_late_s),
    ):  # fmt: skip
        for source, seconds in found.items() if bound else ():
            detail = f"{source}: {seconds:.1f} {what}, {_side(seconds, bound)} {bound:g} s"
            yield Judgement(rule, source, seconds, bound, seconds > bound, detail)


def _disk(figures: Figures, _: Monitor) -> Iterator[Judgement]:
    """Warn at twice the room at which the store stops accepting."""
    if figures.free_mb is not None and figures.least_free_mb:
        bound = 2 * figures.least_free_mb
        free_mb = figures.free_mb
        detail = f"{free_mb:,.0f} MB free on the database's disk, {_side(free_mb, bound)} {bound:,.0f} MB"
        yield Judgement("disk", "", free_mb, bound, free_mb < bound, detail)


def _retrain(figures: Figures, bounds: Monitor) -> Iterator[Judgement]:
    if bounds.retrain == "never" or not figures.model:
        return
    bad = figures.reviews >= bounds.retrain_reviews
    detail = f"{figures.reviews} new reviews; for a candidate: ./tailorbird train --with-reviews --data DIR"
    yield Judgement("retrain", "", figures.reviews, bounds.retrain_reviews, bad, detail)


RULES: tuple[Callable[[Figures, Monitor], Iterator[Judgement]], ...] = (
    _expected_accuracy,
    _class_accuracy,
    _shares,
    _one_class,
    _input_drift,
    _mix_drift,
    _times,
    _disk,
    _retrain,
)
