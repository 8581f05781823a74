"""What a report says, taken from the database: everything that the page shows, and nothing of how."""

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
class Contents:
    """What both kinds of report say."""

    scope: figures.Scope
    headline: figures.Headline
    expected: Estimate
    failed: list[tuple[str, int]]
    suspect: list[tuple[str, int]]
    served: list[figures.Served]
    bounds: Mapping[str, float]
    """The mean confidence that is expected of a class, 0..1, where it is known."""
    step: int
    classes: dict[str, dict[str, figures.ClassSums]]
    speed: dict[str, figures.Speed]
    parts: dict[str, figures.BatchSums]
    reviewed: report_reviews.Reviewed
    accuracy: Estimate
    """What the answers say of all images; not enough data where too few were drawn by chance."""
    alerts: list[AlertRow]
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


def contents(connection: "Connection", scope: figures.Scope, monitor: Monitor) -> Contents:
    """Gather a report."""
    headline, step = figures.headline(connection, scope), figures.step_of(connection, scope)
    served = figures.served(connection, scope)
    reviewed = report_reviews.reviewed(connection, scope)
    over_time = figures.classes_over_time(connection, scope, step)
    wrong = images.reviewed_wrong(connection, scope, limit=SHOWN_EACH)
    suspects = images.suspects(connection, scope, limit=SHOWN_EACH)
    unsure = images.least_sure(connection, scope, limit=SHOWN_EACH)
    return Contents(
        scope=scope,
        headline=headline,
        expected=expected(headline, served, monitor),
        failed=figures.failed_by_reason(connection, scope),
        suspect=figures.suspects_by_reason(connection, scope),
        served=served,
        bounds=class_bounds({name for labels in over_time.values() for name in labels}, served, monitor),
        step=step,
        classes=over_time,
        speed=figures.speed_over_time(connection, scope, step),
        parts=figures.parts_over_time(connection, scope, step),
        reviewed=reviewed,
        accuracy=report_reviews.accuracy(connection, scope, reviewed.images),
        alerts=figures.alerts_of(connection, scope, limit=ALERTS),
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
    errors = [one.expectations.get("calibration_error", UNKNOWN_CALIBRATION) for one in served]
    return expected_accuracy(
        headline.sums,
        calibration_error=max(errors, default=UNKNOWN_CALIBRATION),
        least_images=monitor.least_images,
    )


def class_bounds(labels: Iterable[str], served: list[figures.Served], monitor: Monitor) -> dict[str, float]:
    """Return the labels' thresholds, as the alerts have them, by what the latest model should reach."""
    latest = max(served, key=lambda one: one.last, default=None)
    expectations = latest.expectations if latest else {}
    bounds = {label: class_bound(label, expectations, monitor) for label in labels}
    return {label: bound for label, bound in bounds.items() if bound}
