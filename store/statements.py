"""The store's SQL, with `?` for values; every statement runs on SQLite and on PostgreSQL."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from store.schema import PROBABILITIES

_COLUMNS = (
    "job_id",
    "image",
    "label",
    "confidence",
    "verdict",
    "reasons",
    "model_version",
    "predicted_at",
    "batch",
    *PROBABILITIES,
    "other_probabilities",
)

INSERT_PREDICTION = (
    f"INSERT INTO predictions ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
SELECT_PREDICTIONS = (
    "SELECT image, label, confidence, model_version, predicted_at, verdict, reasons, batch"
    " FROM predictions WHERE job_id = ? AND image IN ({images})"
)
INSERT_SHADOW = (
    "INSERT INTO shadows (job_id, image, model_version, label, confidence, predicted_at)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
INSERT_FAILURE = (
    "INSERT INTO failures (job_id, image, reason, detail, failed_at, batch_id) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
ANY_FAILURE = "SELECT 1 FROM failures WHERE job_id = ? LIMIT 1"
SELECT_FAILURES = "SELECT image, reason, detail FROM failures WHERE job_id = ? AND image IN ({images})"

INSERT_JOB = "INSERT INTO jobs (job_id, source, opened_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
SELECT_SOURCE = "SELECT source FROM jobs WHERE job_id = ?"
UPSERT_JOB = """
INSERT INTO jobs (job_id, source, folder, state, opened_at, closed_at, images, sent, process_s, timings)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (job_id) DO UPDATE SET folder = excluded.folder, state = excluded.state,
  opened_at = excluded.opened_at, closed_at = excluded.closed_at,
  images = CASE WHEN excluded.images > jobs.images THEN excluded.images ELSE jobs.images END,
  sent = CASE WHEN excluded.sent > jobs.sent THEN excluded.sent ELSE jobs.sent END,
  process_s = excluded.process_s, timings = excluded.timings
WHERE jobs.state = 'open'"""
SELECT_JOB = (
    "SELECT source, folder, state, opened_at, closed_at, images, sent, stored, failed, process_s, predict_s,"
    " time_per_prediction_s, mean_confidence, confidence_sum, flags, timings, suspect, trusted_confidence,"
    " trusted_variance, store_s FROM jobs WHERE job_id = ?"
)
FLAG_JOB = "UPDATE jobs SET flags = ? WHERE job_id = ?"
UPDATE_JOB = (
    "UPDATE jobs SET images = ?, stored = ?, failed = ?, predict_s = ?, time_per_prediction_s = ?,"
    " mean_confidence = ?, confidence_sum = ?, suspect = suspect + ?,"
    " trusted_confidence = trusted_confidence + ?, trusted_variance = trusted_variance + ?,"
    " store_s = store_s + ? WHERE job_id = ?"
)

UPSERT_BATCH = """
INSERT INTO batches
  (job_id, batch_id, model_version, predictor, predicted_at, stored_at, images, predict_s, timings,
   statistics)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (job_id, batch_id) DO UPDATE SET repeated = batches.repeated + 1
RETURNING id, repeated"""

UPSERT_CLASS = """
INSERT INTO class_confidence (job_id, label, images, confidence_sum, mean_confidence, suspect,
  trusted_confidence, trusted_variance) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (job_id, label) DO UPDATE SET images = class_confidence.images + excluded.images,
  confidence_sum = class_confidence.confidence_sum + excluded.confidence_sum,
  mean_confidence = (class_confidence.confidence_sum + excluded.confidence_sum)
    / (class_confidence.images + excluded.images),
  suspect = class_confidence.suspect + excluded.suspect,
  trusted_confidence = class_confidence.trusted_confidence + excluded.trusted_confidence,
  trusted_variance = class_confidence.trusted_variance + excluded.trusted_variance"""
SELECT_CLASSES = (
    "SELECT label, images, mean_confidence, suspect, trusted_confidence, trusted_variance"
    " FROM class_confidence WHERE job_id = ? ORDER BY label"
)

INSERT_REJECT = (
    "INSERT INTO rejects (rejected_at, service, instance, topic, reason, detail, first_bytes, size_bytes,"
    " batch_id, job_id, source, images) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
INSERT_EVENT = (
    "INSERT INTO events (at, service, instance, level, event, detail, job_id, batch_id)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
UPSERT_CANARY = """
INSERT INTO canaries
  (source, batch_id, image, sent_at, stored_at, latency_s, label, confidence, model_version, predictor,
   answers)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (source) DO UPDATE SET batch_id = excluded.batch_id, image = excluded.image,
  sent_at = excluded.sent_at, stored_at = excluded.stored_at, latency_s = excluded.latency_s,
  label = excluded.label, confidence = excluded.confidence, model_version = excluded.model_version,
  predictor = excluded.predictor, answers = canaries.answers + 1"""
INSERT_MODEL = "INSERT INTO models (version, classes, first_seen_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
UPSERT_MODEL = """
INSERT INTO models (version, classes, engine, input, first_seen_at, announced_at, expectations)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (version) DO UPDATE SET classes = excluded.classes, engine = excluded.engine,
  input = excluded.input, announced_at = excluded.announced_at,
  expectations = excluded.expectations"""
INSERT_PIXELS = (
    "INSERT INTO pixels (job_id, batch_id, kept_at, images, shape, pixels) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
# From the reviews to their batches: the other way round, each batch would walk all rows of its job.
PRUNE_PIXELS = """
DELETE FROM pixels WHERE (job_id, batch_id) IN (
  SELECT job_id, batch_id FROM pixels WHERE kept_at < ? AND (job_id, batch_id) NOT IN (
    SELECT b.job_id, b.batch_id FROM reviews r
      CROSS JOIN predictions p CROSS JOIN batches b
    WHERE p.job_id = r.job_id AND p.image = r.image AND b.id = p.batch)
  ORDER BY kept_at LIMIT ?)"""

SELECT_OPEN_ALERTS = "SELECT alert_id, rule, subject FROM alerts WHERE state = 'open'"
SELECT_UNTOLD_ALERTS = (
    "SELECT alert_id, rule, subject, state, value, bound, detail, opened_at, closed_at, job_id FROM alerts"
    " WHERE told <> state ORDER BY opened_at, alert_id"
)
TELL_ALERT = "UPDATE alerts SET told = ? WHERE alert_id = ?"
INSERT_ALERT = (
    "INSERT INTO alerts (alert_id, rule, subject, state, value, bound, detail, opened_at, job_id)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
CLOSE_ALERT = "UPDATE alerts SET state = 'closed', closed_at = ?, detail = detail || ? WHERE alert_id = ?"

SELECT_REVIEWED = """
SELECT p.label, p.confidence, p.model_version, j.source, j.folder, m.classes,
  r.label AS reviewed, r.reviewer, r.reviewed_at, r.review_id, w.withdrawn_at
FROM predictions p JOIN jobs j ON j.job_id = p.job_id
  LEFT JOIN models m ON m.version = p.model_version
  LEFT JOIN reviews r ON r.job_id = p.job_id AND r.image = p.image
  LEFT JOIN withdrawals w ON w.job_id = p.job_id AND w.image = p.image
WHERE p.job_id = ? AND p.image = ?"""
UPSERT_REVIEW = """
INSERT INTO reviews (job_id, image, label, reviewer, reviewed_at, how, stratum, review_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (job_id, image) DO UPDATE SET label = excluded.label, reviewer = excluded.reviewer,
  reviewed_at = excluded.reviewed_at, how = excluded.how, stratum = excluded.stratum,
  review_id = excluded.review_id"""
UPSERT_WITHDRAWAL = """
INSERT INTO withdrawals (job_id, image, withdrawn_at) VALUES (?, ?, ?)
ON CONFLICT (job_id, image) DO UPDATE SET withdrawn_at = excluded.withdrawn_at"""
DELETE_REVIEW = "DELETE FROM reviews WHERE job_id = ? AND image = ?"


NAMES_ASKED = 1000
"""Names in one query: SQLite takes 32,766 values unless it was built for more or fewer."""


class Session:
    """One transaction, spoken to in plain SQL: tuples go to the driver as they are, which is what is fast."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._question_mark = connection.dialect.paramstyle == "qmark"

    def run(self, statement: str, values: tuple[Any, ...] = ()) -> sa.CursorResult[Any]:
        """Run one statement once."""
        return self._connection.exec_driver_sql(self._own(statement), values)

    def run_each(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run one statement for every row; return how many rows of the table it touched."""
        if not rows:
            return 0
        return self._connection.exec_driver_sql(self._own(statement), list(rows)).rowcount

    def among(self, statement: str, job_id: str, images: Sequence[str]) -> Sequence[sa.Row[Any]]:
        """Return what a statement with `{images}` finds for these images of one job."""
        found: list[sa.Row[Any]] = []
        for first in range(0, len(images), NAMES_ASKED):
            asked = images[first : first + NAMES_ASKED]
            marks = ", ".join("?" * len(asked))
            found += self.run(statement.format(images=marks), (job_id, *asked)).all()
        return found

    def _own(self, statement: str) -> str:
        return statement if self._question_mark else _percent_marks(statement)


@cache
def _percent_marks(statement: str) -> str:
    return statement.replace("?", "%s")
