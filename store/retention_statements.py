"""Retention's SQL, with `?` for values; every statement runs on SQLite and on PostgreSQL."""

_UNREVIEWED = (
    "NOT EXISTS (SELECT 1 FROM reviews r WHERE r.job_id = {table}.job_id AND r.image = {table}.image)"
)
# A job with reviewed images is found again only while something of it is left to delete.
_LEFT = f"""(NOT EXISTS (SELECT 1 FROM reviews r WHERE r.job_id = j.job_id)
  OR EXISTS (SELECT 1 FROM failures f WHERE f.job_id = j.job_id)
  OR EXISTS (SELECT 1 FROM predictions p WHERE p.job_id = j.job_id AND {_UNREVIEWED.format(table="p")})
  OR EXISTS (SELECT 1 FROM shadows s WHERE s.job_id = j.job_id AND {_UNREVIEWED.format(table="s")})
  OR EXISTS (SELECT 1 FROM batches b WHERE b.job_id = j.job_id
    AND b.id NOT IN (SELECT p.batch FROM predictions p WHERE p.job_id = j.job_id)))"""  # noqa: S608
CLOSED_JOBS = (
    f"SELECT j.job_id FROM jobs j WHERE j.state = 'closed' AND j.closed_at < ? AND {_LEFT}"  # noqa: S608
    " ORDER BY j.closed_at, j.job_id"
)
# An agent's job has counts of its own as soon as the agent has said anything of it.
IDLE_JOBS = f"""SELECT j.job_id FROM jobs j WHERE j.state = 'open' AND j.sent = 0 AND j.folder = ''
  AND j.process_s IS NULL AND j.opened_at < ?
  AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.job_id = j.job_id AND b.stored_at >= ?)
  AND NOT EXISTS (SELECT 1 FROM failures f WHERE f.job_id = j.job_id AND f.failed_at >= ?)
  AND NOT EXISTS (SELECT 1 FROM pixels x WHERE x.job_id = j.job_id AND x.kept_at >= ?)
  AND {_LEFT} ORDER BY j.opened_at, j.job_id"""  # noqa: S608


def limited(statement: str, limit: int) -> str:
    """Return a statement that yields at most so many rows; -1: all of them."""
    return statement if limit < 0 else f"{statement} LIMIT {limit:d}"


COUNT_JOB = f"""SELECT
  (SELECT count(*) FROM predictions p WHERE p.job_id = ? AND {_UNREVIEWED.format(table="p")})
    AS predictions,
  (SELECT count(*) FROM failures WHERE job_id = ?) AS failures,
  (SELECT count(*) FROM reviews WHERE job_id = ?) AS reviews,
  (SELECT sum(length(pixels)) FROM pixels WHERE job_id = ?) AS pixels"""  # noqa: S608
COUNT_OLD_EVENTS = "SELECT count(*) FROM events WHERE at < ?"
COUNT_OLD_REJECTS = "SELECT count(*) FROM rejects WHERE rejected_at < ?"

_OF_JOB = """DELETE FROM {table} WHERE (job_id, image) IN (
  SELECT job_id, image FROM {table} WHERE job_id = ? AND {which} LIMIT ?)"""
DELETE_PREDICTIONS = _OF_JOB.format(table="predictions", which=_UNREVIEWED.format(table="predictions"))
DELETE_FAILURES = _OF_JOB.format(table="failures", which="1 = 1")
_OF_SHADOWS = """DELETE FROM shadows WHERE (job_id, image, model_version) IN (
  SELECT job_id, image, model_version FROM shadows WHERE job_id = ? AND {which} LIMIT ?)"""
DELETE_SHADOWS = _OF_SHADOWS.format(which=_UNREVIEWED.format(table="shadows"))
# What is left of the job's predictions was reviewed: their batches stay, with the pixels.
DELETE_PIXELS = """DELETE FROM pixels WHERE (job_id, batch_id) IN (
  SELECT job_id, batch_id FROM pixels WHERE job_id = ? AND batch_id NOT IN (
    SELECT b.batch_id FROM predictions p JOIN batches b ON b.id = p.batch WHERE p.job_id = ?) LIMIT ?)"""
DELETE_BATCHES = (
    "DELETE FROM batches WHERE job_id = ? AND id NOT IN (SELECT batch FROM predictions WHERE job_id = ?)"
)
ANY_REVIEW = "SELECT 1 FROM reviews WHERE job_id = ? LIMIT 1"
DELETE_JOB = tuple(
    f"DELETE FROM {table} WHERE job_id = ?"  # noqa: S608
    for table in ("class_confidence", "withdrawals", "jobs")
)
DELETE_EVENTS = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < ? ORDER BY at LIMIT ?)"
DELETE_REJECTS = (
    "DELETE FROM rejects WHERE id IN (SELECT id FROM rejects WHERE rejected_at < ? ORDER BY id LIMIT ?)"
)
