"""The views: stable names and columns for people who write SQL, the same on SQLite and PostgreSQL."""

from store.schema import CLASSES, MILLION, PROBABILITIES

_OTHERS = {
    "sqlite": "json_each(other_probabilities) AS other",
    "postgresql": "json_each_text(other_probabilities::json) AS other",
}
_OTHER_VALUE = {"sqlite": "other.value", "postgresql": "other.value::double precision"}


def statements(dialect: str) -> dict[str, str]:
    """Return the SELECT of every view by its name, in the order in which they can be made."""
    return {
        "v_predictions": _predictions(),
        "v_probabilities": _probabilities(dialect),
        "v_results": _results(dialect),
        "v_performance": _performance(dialect),
        "v_metrics": _metrics(dialect),
        "v_timings": _timings(dialect),
        "v_days": _days(dialect),
        "v_class_days": _class_days(dialect),
        "v_reviews": _reviews(),
    }


def quoted(name: str) -> str:
    """Return a class's name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def share(column: str) -> str:
    """Return SQL that makes a probability of millionths; divided by 1e6 it were no float in PostgreSQL."""
    return f"CAST({column} AS DOUBLE PRECISION) / {MILLION}"


def rounded(figure: str, digits: int, dialect: str) -> str:
    """Return SQL that rounds; PostgreSQL rounds to digits in numeric alone."""
    if dialect == "postgresql":
        return f"round(({figure})::numeric, {digits})::double precision"
    return f"round({figure}, {digits})"


def _predictions() -> str:
    shares = ",\n  ".join(
        f"{share(f'p.{column}')} AS {quoted(name)}"
        for column, name in zip(PROBABILITIES, CLASSES, strict=True)
    )
    return f"""SELECT p.job_id, p.image, p.label, p.confidence, p.verdict, p.reasons, p.model_version,
  p.predicted_at, b.batch_id, b.predictor, b.stored_at, j.source, j.folder,
  {shares},
  p.other_probabilities
FROM predictions p JOIN batches b ON b.id = p.batch JOIN jobs j ON j.job_id = p.job_id"""  # noqa: S608 - constants


def _probabilities(dialect: str) -> str:
    parts = [
        f"SELECT job_id, image, {literal(name)} AS class, {share(column)} AS probability\n"
        f"FROM predictions WHERE {column} IS NOT NULL"
        for column, name in zip(PROBABILITIES, CLASSES, strict=True)
    ]
    parts.append(
        f"SELECT job_id, image, other.key AS class, {_OTHER_VALUE[dialect]} AS probability\n"  # noqa: S608
        f"FROM (SELECT job_id, image, other_probabilities FROM predictions\n"
        f"  WHERE other_probabilities <> '') AS p,\n"
        f"  {_OTHERS[dialect]}"
    )
    return "\nUNION ALL ".join(parts)


def _results(dialect: str) -> str:
    percent = rounded("100 * p.confidence", 1, dialect)
    return f"""SELECT p.job_id, j.folder, p.image, p.label AS item, {percent} AS confidence_percent,
  p.model_version AS model, p.predicted_at AS time,
  CASE WHEN p.verdict = 'ok' THEN p.reasons WHEN p.reasons = '' THEN p.verdict
    ELSE p.verdict || ': ' || p.reasons END AS note
FROM predictions p JOIN jobs j ON j.job_id = p.job_id
UNION ALL
SELECT f.job_id, j.folder, f.image, '', NULL, '', f.failed_at, f.reason
FROM failures f JOIN jobs j ON j.job_id = f.job_id"""  # noqa: S608 - constants


def _performance(dialect: str) -> str:
    columns = ",\n  ".join(
        "{} AS {}".format(
            rounded(f"100 * max(CASE WHEN c.label = {literal(name)} THEN c.mean_confidence END)", 2, dialect),
            quoted(name),
        )
        for name in CLASSES
    )
    return f"""SELECT j.job_id, j.source, j.folder, j.opened_at, j.closed_at, j.stored,
  {columns},
  {rounded("100 * j.mean_confidence", 2, dialect)} AS mean_percent
FROM jobs j LEFT JOIN class_confidence c ON c.job_id = j.job_id
GROUP BY j.job_id, j.source, j.folder, j.opened_at, j.closed_at, j.stored, j.mean_confidence"""  # noqa: S608


def _metrics(dialect: str) -> str:
    expected = rounded("100 * trusted_confidence / nullif(stored - suspect, 0)", 2, dialect)
    return f"""SELECT job_id, source, folder, state, opened_at, closed_at, images, sent, stored, failed,
  process_s, predict_s, time_per_prediction_s,
  CASE WHEN process_s > 0 THEN (stored + failed) / process_s END AS images_per_s, suspect,
  {expected} AS expected_percent
FROM jobs"""  # noqa: S608 - constants


def _timings(dialect: str) -> str:
    """Seconds by phase; a job's phases overlap, so that together they may be longer than it took."""

    def phase(name: str) -> str:
        if dialect == "postgresql":
            return f"(nullif(timings, '')::json ->> {literal(name)})::double precision AS {name}_s"
        return f"json_extract(nullif(timings, ''), {literal(f'$.{name}')}) AS {name}_s"

    agent = ", ".join(phase(name) for name in ("read", "prepare", "wait"))
    return f"""SELECT job_id, source, folder, closed_at, stored + failed AS images, process_s,
  {agent}, predict_s, store_s
FROM jobs"""  # noqa: S608 - constants


def _days(dialect: str) -> str:
    """Sum closed jobs by day; `expected_percent` is of the images that are not suspect."""
    trusted = "sum(stored - suspect)"
    expected = rounded(f"100 * sum(trusted_confidence) / nullif({trusted}, 0)", 2, dialect)
    mean = rounded("100 * sum(confidence_sum) / nullif(sum(stored), 0)", 2, dialect)
    suspect = rounded("100.0 * sum(suspect) / nullif(sum(stored), 0)", 2, dialect)
    return f"""SELECT substr(closed_at, 1, 10) AS day, source, count(*) AS jobs, sum(stored) AS stored,
  sum(failed) AS failed, sum(suspect) AS suspect, {suspect} AS suspect_percent,
  {mean} AS mean_percent, {expected} AS expected_percent,
  sum(process_s) AS process_s, sum(predict_s) AS predict_s, sum(store_s) AS store_s,
  sum(predict_s) / nullif(sum(stored), 0) AS time_per_prediction_s
FROM jobs WHERE state = 'closed'
GROUP BY substr(closed_at, 1, 10), source"""  # noqa: S608 - constants


def _class_days(dialect: str) -> str:
    mean = rounded("100 * sum(c.confidence_sum) / nullif(sum(c.images), 0)", 2, dialect)
    trusted = "nullif(sum(c.images - c.suspect), 0)"
    expected = rounded(f"100 * sum(c.trusted_confidence) / {trusted}", 2, dialect)
    return f"""SELECT substr(j.closed_at, 1, 10) AS day, j.source, c.label, sum(c.images) AS images,
  sum(c.suspect) AS suspect, {mean} AS mean_percent, {expected} AS expected_percent
FROM class_confidence c JOIN jobs j ON j.job_id = c.job_id
WHERE j.state = 'closed'
GROUP BY substr(j.closed_at, 1, 10), j.source, c.label"""  # noqa: S608 - constants


def _reviews() -> str:
    return """SELECT r.job_id, j.source, j.folder, r.image, p.label AS predicted, r.label AS reviewed,
  CASE WHEN p.label = r.label THEN 1 ELSE 0 END AS is_right, p.confidence, p.verdict, p.model_version,
  r.reviewer, r.reviewed_at, r.how
FROM reviews r JOIN predictions p ON p.job_id = r.job_id AND p.image = r.image
  JOIN jobs j ON j.job_id = r.job_id"""
