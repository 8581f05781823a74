"""What a report and the page of quality say, taken from the database: all that they show, nothing of how."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.settings import Monitor
from store import report_figures as figures
from store import report_images as images
from store import report_reviews
from store.estimates import Estimate, expected_accuracy
from store.queries import AlertRow, ClassRow, FailureRow, Job, classes, failures, job
from store.rules import UNKNOWN_CALIBRATION, class_bound

if TYPE_CHECKING:
    from store.queries import Connection

SHOWN_EACH = 24
ALERTS = 100
FAILURES = 1000
SHEET = 1000
LEAST_SURE = 10
"""Images of a contact sheet that are marked because the model is least sure of them."""

Pictures = Mapping[tuple[str, str], bytes]


@dataclass(frozen=True)
class Quality:
    """What the plots are drawn from: sums that are kept by job and class, and what people said."""

    scope: figures.Scope
    headline: figures.Headline
    expected: Estimate
    served: list[figures.Served]
    bounds: Mapping[str, float]
    """The mean confidence that is expected of a class, 0..1, where it is known."""
    step: int
    classes: dict[str, dict[str, figures.ClassSums]]
    speed: dict[str, figures.Speed]
    parts: dict[str, figures.BatchSums]
    reviewed: report_reviews.Reviewed
    alerts: list[AlertRow]


@dataclass(frozen=True)
class Contents(Quality):
    """What both kinds of report say: beside the plots, what is looked for among the images."""

    failed: list[tuple[str, int]]
    suspect: list[tuple[str, int]]
    accuracy: Estimate
    """What the answers say of all images; not enough data where too few were drawn by chance."""
    wrong: list[images.Shown]
    suspects: list[images.Shown]
    unsure: list[images.Shown]
    pictures: Pictures


@dataclass(frozen=True)
class JobContents:
    """What the report of one job says beside that."""

    job: Job
    classes: list[ClassRow]
    failures: list[FailureRow]
    sheet: list[images.Shown]
    pictures: Pictures

    @property
    def least_sure(self) -> set[str]:
        """The images that the model is least sure of, suspects aside."""
        ok = [one for one in self.sheet if one.verdict == "ok"]
        return {one.image for one in sorted(ok, key=lambda one: one.confidence)[:LEAST_SURE]}


def quality(connection: "Connection", scope: figures.Scope, monitor: Monitor) -> Quality:
    """Gather what the plots are drawn from, without looking at each image."""
    headline, step = figures.headline(connection, scope), figures.step_of(connection, scope)
    served = figures.served(connection, scope)
    over_time = figures.classes_over_time(connection, scope, step)
    return Quality(
        scope=scope,
        headline=headline,
        expected=expected(headline, served, monitor),
        served=served,
        bounds=class_bounds({name for labels in over_time.values() for name in labels}, served, monitor),
        step=step,
        classes=over_time,
        speed=figures.speed_over_time(connection, scope, step),
        parts=figures.parts_over_time(connection, scope, step),
        reviewed=report_reviews.reviewed(connection, scope),
        alerts=figures.alerts_of(connection, scope, limit=ALERTS),
    )


def contents(connection: "Connection", scope: figures.Scope, monitor: Monitor) -> Contents:
    """Gather a report."""
    found = quality(connection, scope, monitor)
    wrong = images.reviewed_wrong(connection, scope, limit=SHOWN_EACH)
    suspects = images.suspects(connection, scope, limit=SHOWN_EACH)
    unsure = images.least_sure(connection, scope, limit=SHOWN_EACH)
    return Contents(
        **vars(found),
        failed=figures.failed_by_reason(connection, scope),
        suspect=figures.suspects_by_reason(connection, scope),
        accuracy=report_reviews.accuracy(connection, scope, found.reviewed.images),
        wrong=wrong,
        suspects=suspects,
        unsure=unsure,
        pictures=images.pictures(connection, [*wrong, *suspects, *unsure]),
    )


def job_contents(connection: "Connection", job_id: str) -> JobContents | None:
    """Gather what the report of one job says beside that; None where there is no such job."""
    found = job(connection, job_id)
    if found is None:
        return None
    sheet = images.sheet(connection, job_id, limit=SHEET)
    return JobContents(
        job=found,
        classes=classes(connection, job_id),
        failures=[one for one, _ in zip(failures(connection, job_id), range(FAILURES), strict=False)],
        sheet=sheet,
        pictures=images.pictures_of_job(connection, job_id, {one.image for one in sheet}),
    )


def expected(headline: figures.Headline, served: list[figures.Served], monitor: Monitor) -> Estimate:
    """Return the accuracy that the confidence promises, as wide as the worst calibrated model makes it."""
    return expected_accuracy(
        headline.sums, calibration_error=worst_calibration(served), least_images=monitor.least_images
    )


def worst_calibration(served: list[figures.Served]) -> float:
    """Return by how much the confidence of the worst calibrated model missed its accuracy."""
    errors = [float(one.expectations.get("calibration_error", UNKNOWN_CALIBRATION)) for one in served]
    return max(errors, default=UNKNOWN_CALIBRATION)


def newest(served: list[figures.Served]) -> figures.Served | None:
    """Return the model that answered last."""
    return max(served, key=lambda one: one.last, default=None)


def class_bounds(labels: Iterable[str], served: list[figures.Served], monitor: Monitor) -> dict[str, float]:
    """Return the labels' thresholds, as the alerts have them, by what the latest model should reach."""
    latest = newest(served)
    expectations = latest.expectations if latest else {}
    bounds = {label: class_bound(label, expectations, monitor) for label in labels}
    return {label: bound for label, bound in bounds.items() if bound}
