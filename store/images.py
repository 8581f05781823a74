"""One row per image, in `predictions` or in `failures` and never in both, whatever comes twice or late."""

import json
from collections.abc import Sequence
from typing import Any

from broker.doubts import BETWEEN_REASONS
from broker.messages import FailedImage, Prediction, PredictionBatch, StoredImage
from store import statements as sql
from store.schema import CLASSES, MILLION
from store.statements import Session
from store.tallies import Tallies
from store.times import seconds_between, stamp

Standing = tuple[tuple[StoredImage, ...], tuple[FailedImage, ...]]
"""What stands in `predictions` and in `failures` for the images of one message."""

_OWN = frozenset(CLASSES)


class Images:
    """The images' rows within one transaction."""

    def __init__(self, session: Session, tallies: Tallies, stored_at: str) -> None:
        self._session = session
        self._tallies = tallies
        self._stored_at = stored_at
        self._models: set[str] = set()

    def predicted(self, batch: PredictionBatch) -> Standing:
        """Write a batch's rows, as far as its images have none yet; return what stands for all of them."""
        tally = self._tallies.of(batch.job_id, batch.source)
        number, repeated = self._batch(batch)
        names = [p.image for p in batch.predictions]
        failed = self._failed(batch.job_id, names)
        known = self._known(batch.job_id, names) if repeated else {}
        new = [p for p in batch.predictions if p.image not in known and p.image not in failed]
        rows = _rows(batch, new, number)
        if self._session.run_each(sql.INSERT_PREDICTION, rows) < len(new):
            # Another batch has brought some of these images before: what it wrote stands.
            known = self._known(batch.job_id, names)
            new = [p for p in new if known[p.image][1] == number]
        tally.add(new)
        if not repeated:
            tally.predict_s += batch.timings.get("predict", 0.0)
            tally.store_s += seconds_between(batch.predicted_at, self._stored_at)
        at = stamp(batch.predicted_at)
        stored = tuple(
            known[p.image][0] if p.image in known else as_stored(p, batch.model_version, at)
            for p in batch.predictions
            if p.image not in failed
        )
        return stored, tuple(failed[name] for name in names if name in failed)

    def failed(
        self,
        job_id: str,
        source: str,
        images: Sequence[str],
        because: tuple[str, str],
        failed_at: str,
        batch_id: str,
    ) -> Standing:
        """Write images that cannot be predicted, as far as they have no row; `because` is reason, detail."""
        tally = self._tallies.of(job_id, source)
        known = self._known(job_id, images)
        rows = [(job_id, image, *because, failed_at, batch_id) for image in images if image not in known]
        tally.failed += self._session.run_each(sql.INSERT_FAILURE, rows)
        failed = self._failed(job_id, [image for image in images if image not in known])
        stored = tuple(known[image][0] for image in images if image in known)
        return stored, tuple(failed[image] for image in images if image in failed)

    def _batch(self, batch: PredictionBatch) -> tuple[int, int]:
        self._model(batch)
        timings = json.dumps(batch.timings) if batch.timings else ""
        row = self._session.run(
            sql.UPSERT_BATCH,
            (
                batch.job_id,
                batch.batch_id,
                batch.model_version,
                batch.predictor,
                stamp(batch.predicted_at),
                self._stored_at,
                len(batch.predictions),
                batch.timings.get("predict"),
                timings,
                json.dumps(batch.statistics) if batch.statistics else "",
            ),
        ).one()
        return row.id, row.repeated

    def _model(self, batch: PredictionBatch) -> None:
        if batch.model_version not in self._models:
            self._models.add(batch.model_version)
            classes = json.dumps(list(batch.predictions[0].probabilities), ensure_ascii=False)
            self._session.run(sql.INSERT_MODEL, (batch.model_version, classes, self._stored_at))

    def _known(self, job_id: str, images: Sequence[str]) -> dict[str, tuple[StoredImage, int]]:
        if not images:
            return {}
        rows = self._session.among(sql.SELECT_PREDICTIONS, job_id, images)
        return {row.image: (_standing(row), row.batch) for row in rows}

    def _failed(self, job_id: str, images: Sequence[str]) -> dict[str, FailedImage]:
        if not images or self._session.run(sql.ANY_FAILURE, (job_id,)).first() is None:
            return {}
        rows = self._session.among(sql.SELECT_FAILURES, job_id, images)
        return {row.image: FailedImage(image=row.image, reason=row.reason, detail=row.detail) for row in rows}


def _rows(batch: PredictionBatch, predictions: Sequence[Prediction], number: int) -> list[tuple[Any, ...]]:
    """Return the rows of `predictions`, columns as in INSERT_PREDICTION. The store's hottest loop."""
    job_id, version, at = batch.job_id, batch.model_version, stamp(batch.predicted_at)
    rows = []
    for p in predictions:
        shares = p.probabilities
        if tuple(shares) == CLASSES:
            cells = [round(share * MILLION) for share in shares.values()]
            other = ""
        else:
            cells, other = _unusual(shares)
        reasons = BETWEEN_REASONS.join(p.reasons) if p.reasons else ""
        rows.append(
            (job_id, p.image, p.label, p.confidence, p.verdict, reasons, version, at, number, *cells, other)
        )
    return rows


def _unusual(shares: dict[str, float]) -> tuple[list[Any], str]:
    """Return the columns and the JSON of probabilities of other classes, or in another order."""
    cells = [round(shares[name] * MILLION) if name in shares else None for name in CLASSES]
    others = {name: share for name, share in shares.items() if name not in _OWN}
    return cells, json.dumps(others, ensure_ascii=False) if others else ""


def as_stored(prediction: Prediction, model_version: str, predicted_at: str) -> StoredImage:
    """Return the receipt's word for a prediction that was written just now."""
    return StoredImage(
        image=prediction.image,
        label=prediction.label,
        confidence=prediction.confidence,
        model_version=model_version,
        predicted_at=predicted_at,
        verdict=prediction.verdict,
        reasons=prediction.reasons,
    )


def _standing(row: Any) -> StoredImage:
    return StoredImage(
        image=row.image,
        label=row.label,
        confidence=row.confidence,
        model_version=row.model_version,
        predicted_at=row.predicted_at,
        verdict=row.verdict,
        reasons=tuple(filter(None, row.reasons.split(BETWEEN_REASONS))),
    )
