"""The jobs' own rows: who sent it, how far it is, and its figures, right after every group of messages."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.messages import ClassSummary, JobProgress, JobSummary, Prediction
from store import statements as sql
from store.estimates import Estimate, Sums, expected_accuracy
from store.rules import ONE_CLASS_IMAGES, UNKNOWN_CALIBRATION
from store.statements import Session
from store.times import stamp

LEAST_IMAGES = 30
"""Fewer images say nothing of accuracy: the normal distribution does not fit yet."""

ONE_CLASS_SHARE = 0.8
"""A shop's folder holds several kinds of garments. A model that is fed the wrong way (not negated, a busy
ground) calls nearly all of them by one name: "Bag" for more than nine of ten shop photos, as measured."""


@dataclass
class Doubts:
    """Images of one class: how many, how sure, how many suspect, and the sums over those that are not.

    `trusted` is the sum of their confidences p, `variance` that of p (1 - p): `store.estimates` says why.
    """

    images: int = 0
    confidence: float = 0.0
    suspect: int = 0
    trusted: float = 0.0
    variance: float = 0.0

    def add(self, confidence: float, verdict: str) -> None:
        """Count an image."""
        self.images += 1
        self.confidence += confidence
        if verdict == "ok":
            self.trusted += confidence
            self.variance += confidence * (1 - confidence)
        else:
            self.suspect += 1

    @property
    def sums(self) -> tuple[int, float, float]:
        """Suspect images, and the sums of the others, as the tables have them."""
        return self.suspect, self.trusted, self.variance


@dataclass
class Tally:
    """What one group of messages added to one job."""

    stored: int = 0
    failed: int = 0
    predict_s: float = 0.0
    store_s: float = 0.0
    confidence: float = 0.0
    classes: dict[str, Doubts] = field(default_factory=lambda: defaultdict(Doubts))

    def add(self, predictions: Iterable[Prediction]) -> None:
        """Count images that have got their row."""
        for prediction in predictions:
            self.stored += 1
            self.confidence += prediction.confidence
            self.classes[prediction.label].add(prediction.confidence, prediction.verdict)

    @property
    def doubts(self) -> tuple[int, float, float]:
        """Suspect images, and the sums of the others, over all classes."""
        each = self.classes.values()
        return sum(d.suspect for d in each), sum(d.trusted for d in each), sum(d.variance for d in each)


class Tallies:
    """The jobs that one transaction touches. `flush` brings their rows up to date."""

    def __init__(self, session: Session, stored_at: str) -> None:
        self._session = session
        self._stored_at = stored_at
        self._tallies: dict[str, Tally] = {}
        self._closed: dict[str, None] = {}
        self.flagged: set[str] = set()
        """Jobs whose flags this transaction changed."""

    def of(self, job_id: str, source: str) -> Tally:
        """Return a job's tally; a job that nobody announced gets its row by this."""
        tally = self._tallies.get(job_id)
        if tally is None:
            tally = self._tallies[job_id] = Tally()
            self._session.run(sql.INSERT_JOB, (job_id, source, self._stored_at))
        return tally

    def progress(self, said: JobProgress) -> None:
        """Take over what an agent says of its job. A closed job stays as it is, whatever comes late."""
        closed_at = (
            (stamp(said.closed_at) if said.closed_at else self._stored_at) if said.state == "closed" else None
        )
        figures = (said.seen, said.sent, said.process_s, json.dumps(said.timings) if said.timings else "")
        job = (said.job_id, said.source, said.folder, said.state, stamp(said.opened_at), closed_at)
        self._session.run(sql.UPSERT_JOB, job + figures)
        if said.state == "closed":
            self._closed[said.job_id] = None

    def flush(self) -> list[JobSummary]:
        """Write the tallies; return the figures of every closed job that they changed or that closed now."""
        for job_id, tally in self._tallies.items():
            self._flush(job_id, tally)
        return [self._summary(job_id) for job_id in self._closed]

    def _flush(self, job_id: str, tally: Tally) -> None:
        job = self._session.run(sql.SELECT_JOB, (job_id,)).one()
        stored, failed = job.stored + tally.stored, job.failed + tally.failed
        predict_s, confidence = job.predict_s + tally.predict_s, job.confidence_sum + tally.confidence
        each = predict_s / stored if stored else None
        mean = mean_of(confidence, stored)
        values = (max(job.images, stored + failed), stored, failed, predict_s, each, mean, confidence)
        self._session.run(sql.UPDATE_JOB, (*values, *tally.doubts, tally.store_s, job_id))
        classes = [
            (job_id, label, d.images, d.confidence, mean_of(d.confidence, d.images), *d.sums)
            for label, d in tally.classes.items()
        ]
        self._session.run_each(sql.UPSERT_CLASS, classes)
        if job.state == "closed" and tally.stored + tally.failed:
            self._closed[job_id] = None

    def _summary(self, job_id: str) -> JobSummary:
        job = self._session.run(sql.SELECT_JOB, (job_id,)).one()
        classes = self._session.run(sql.SELECT_CLASSES, (job_id,)).all()
        flags = flags_of({c.label: c.images for c in classes})
        if "; ".join(flags) != job.flags:
            self._session.run(sql.FLAG_JOB, ("; ".join(flags), job_id))
            self.flagged.add(job_id)
        expected = _expected(sums_of(job, job.stored))
        return JobSummary(
            job_id=job_id,
            source=job.source,
            folder=job.folder,
            opened_at=job.opened_at,
            closed_at=job.closed_at,
            images=job.images,
            stored=job.stored,
            failed=job.failed,
            process_s=job.process_s,
            predict_s=job.predict_s,
            time_per_prediction_s=job.time_per_prediction_s,
            mean_confidence=job.mean_confidence,
            classes={
                c.label: ClassSummary(
                    images=c.images,
                    mean_confidence=min(1.0, c.mean_confidence),
                    expected_accuracy=_expected(sums_of(c, c.images)).value,
                )
                for c in classes
            },
            flags=flags,
            suspect=job.suspect,
            expected_accuracy=expected.value,
            expected_low=expected.low,
            expected_high=expected.high,
            timings=timings_of(job),
        )


def sums_of(row: Any, images: int) -> Sums:
    """Return the sums of a row's images that are not suspect; `images` counts all of them."""
    return Sums(images - row.suspect, row.trusted_confidence, row.trusted_variance)


def _expected(sums: Sums) -> Estimate:
    return expected_accuracy(sums, calibration_error=UNKNOWN_CALIBRATION, least_images=LEAST_IMAGES)


def timings_of(job: Any) -> dict[str, float]:
    """Return a job's seconds by phase: the agent's, those within the model, and from there to the row."""
    return {**json.loads(job.timings or "{}"), "predict": job.predict_s, "store": job.store_s}


def flags_of(images: Mapping[str, int]) -> tuple[str, ...]:
    """Return what looks wrong about a closed job, by its images of each class."""
    stored = sum(images.values())
    if stored < ONE_CLASS_IMAGES:
        return ()
    label, most = max(images.items(), key=lambda one: one[1])
    return (f"one-class: {label} {100 * most // stored} %",) if most > ONE_CLASS_SHARE * stored else ()


def mean_of(total: float, count: int) -> float | None:
    """Return the mean of probabilities, at most 1 whatever the sum's last digit says; None of none."""
    return min(1.0, total / count) if count else None
