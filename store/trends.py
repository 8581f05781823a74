"""How right it probably is and how alike the images still are, step by step: the alerts' figures over time.

They rest on sums that are kept by job, class and batch, so a million images cost no more than their jobs.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from broker.settings import Monitor
from store.estimates import Estimate, Sums, drift, expected_accuracy, stability_parts, to_be_trusted
from store.queries import Connection, stream
from store.report_contents import Quality, newest, worst_calibration
from store.report_figures import ClassSums, Scope, classes_over_time
from store.rules import Figures, accuracy_bound, pixel_drifts
from store.schema import batches, jobs
from store.window import summed_statistics

Labels = Mapping[str, int]


@dataclass(frozen=True)
class Counts:
    """Images of the jobs of one step of time; `sums` are of those that are not suspect."""

    stored: int = 0
    suspect: int = 0
    failed: int = 0
    sums: Sums = field(default_factory=Sums)

    @property
    def suspect_share(self) -> float | None:
        """The share of the predictions, 0..1; None of none."""
        return self.suspect / self.stored if self.stored else None

    @property
    def failed_share(self) -> float | None:
        """The share of what was answered, 0..1; None of nothing."""
        return self.failed / (self.stored + self.failed) if self.stored + self.failed else None


@dataclass(frozen=True)
class Trends:
    """Each step's figures. Drift is the population stability index, less what chance gives."""

    bound: float
    """The accuracy that is expected of all images, 0..1; 0 where it is not known."""
    counts: Mapping[str, Counts]
    expected: Mapping[str, Estimate]
    trusted: Mapping[str, bool]
    """Whether a step's expected accuracy deserves belief: few suspects, no drift of the pixels."""
    model: str
    """The model to whose validation images the pixels are held, "" where none answered."""
    pixels: Mapping[str, Mapping[str, float | None]]
    """By statistic and step; steps on which that model did not work are left out."""
    mix: Mapping[str, Mapping[str, float] | None]
    """What each label adds to the drift of the mix against all earlier steps; None where they are too few."""


def trends(connection: Connection, found: Quality, monitor: Monitor) -> Trends:
    """Gather the figures over time that are no part of a report."""
    counts = counts_over_time(connection, found.scope, found.step)
    latest = newest(found.served)
    model = latest.version if latest else ""
    drifts = _pixels(connection, found, monitor, model) if latest else {}
    least, error = monitor.least_images, worst_calibration(found.served)
    return Trends(
        bound=accuracy_bound(latest.expectations if latest else {}, monitor),
        counts=counts,
        expected={
            step: expected_accuracy(one.sums, calibration_error=error, least_images=least)
            for step, one in counts.items()
        },
        trusted={
            step: to_be_trusted(one.suspect_share or 0.0, [each.get(step) for each in drifts.values()])
            for step, one in counts.items()
        },
        model=model,
        pixels=drifts,
        mix=mix_drifts(_labels(found.classes), least_before=monitor.window_images, least_images=least),
    )


def counts_over_time(connection: Connection, scope: Scope, step: int) -> dict[str, Counts]:
    """Return each step's images, by time."""
    c, at = jobs.c, sa.func.substr(jobs.c.opened_at, 1, step)
    sums = (c.stored, c.suspect, c.failed, c.trusted_confidence, c.trusted_variance)
    found = sa.select(at, *[sa.func.sum(column) for column in sums]).where(*scope.conditions)
    return {
        when: Counts(
            int(stored),
            int(suspect),
            int(failed),
            Sums(int(stored) - int(suspect), float(confidence), float(variance)),
        )
        for when, stored, suspect, failed, confidence, variance in connection.execute(
            found.group_by(at).order_by(at)
        )
    }


def statistics_over_time(
    connection: Connection, scope: Scope, step: int, model: str
) -> dict[str, dict[str, list[int]]]:
    """Return each step's counts by statistic and bin of one model's batches: others have other bins."""
    b, at = batches.c, sa.func.substr(jobs.c.opened_at, 1, step)
    wanted = (b.model_version == model, b.statistics != "", *scope.conditions)
    texts = sa.func.aggregate_strings(b.statistics, ",")
    found = sa.select(at, texts).join_from(batches, jobs).where(*wanted).group_by(at).order_by(at)
    return {when: summed_statistics([text]) for when, text in map(tuple, stream(connection, found))}


def _pixels(
    connection: Connection, found: Quality, monitor: Monitor, model: str
) -> dict[str, dict[str, float | None]]:
    expectations = next(one.expectations for one in found.served if one.version == model)
    statistics = statistics_over_time(connection, found.scope, found.step, model)
    of_model = replace(found.scope, model=model)
    one_model = len(found.served) == 1
    classes = found.classes if one_model else classes_over_time(connection, of_model, found.step)
    drifts: dict[str, dict[str, float | None]] = defaultdict(dict)
    for step, labels in _labels(classes).items():
        seen = Figures(labels=labels, statistics=statistics.get(step, {}), expectations=expectations)
        for name, value in pixel_drifts(seen, monitor):
            drifts[name][step] = value
    return dict(sorted(drifts.items()))


def mix_drifts(
    steps: Mapping[str, Labels], *, least_before: int, least_images: int
) -> dict[str, dict[str, float] | None]:
    """Return how far each step's mix of labels lies from all steps before it, as parts that add up to it.

    None where fewer than `least_before` images came before, or fewer than `least_images` in the step.
    """
    found: dict[str, dict[str, float] | None] = {}
    before: Counter[str] = Counter()
    for step, labels in steps.items():
        enough = before.total() >= least_before
        found[step] = _mix(before, labels, least_images) if enough else None
        before.update(labels)
    return found


def _mix(before: Labels, labels: Labels, least_images: int) -> dict[str, float] | None:
    names = sorted({*before, *labels})
    known, counts = [before.get(name, 0) for name in names], [labels.get(name, 0) for name in names]
    value = drift(known, counts, least_images=least_images)
    if value is None:
        return None
    parts = stability_parts(known, counts)
    scale = value / (sum(parts) or 1.0)
    return {name: part * scale for name, part in zip(names, parts, strict=True)}


def _labels(classes: Mapping[str, Mapping[str, ClassSums]]) -> dict[str, dict[str, int]]:
    return {step: {label: one.images for label, one in row.items()} for step, row in classes.items()}


def sources(connection: Connection) -> list[str]:
    """Return who ever sent a job."""
    return list(connection.execute(sa.select(jobs.c.source).distinct().order_by(jobs.c.source)).scalars())


def models(connection: Connection) -> list[str]:
    """Return the models that ever answered, the newest first."""
    newest_first = sa.func.max(batches.c.id).desc()
    found = sa.select(batches.c.model_version).group_by(batches.c.model_version).order_by(newest_first)
    return list(connection.execute(found).scalars())
