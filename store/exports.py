"""CSV for the shop: a few columns each, streamed, so that a million rows need no more memory than ten.

Times are ISO 8601 in UTC, confidences in percent, and no cell runs in a spreadsheet.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, TextIO

import sqlalchemy as sa

from broker.spreadsheet import Cell, csv_lines
from store.queries import stream
from store.schema import (
    CLASSES,
    alerts,
    batches,
    class_confidence,
    events,
    failures,
    jobs,
    predictions,
    reviews,
)
from store.times import stamp_of

PERCENT_DIGITS = 2


@dataclass(frozen=True)
class Filters:
    """What to export: `since` <= time < `until`, one job, one class, one model version. None: all."""

    since: datetime | None = None
    until: datetime | None = None
    job: str | None = None
    label: str | None = None
    model: str | None = None


class UnfitFilterError(ValueError):
    """A filter that the kind of export does not know; the text is one sentence."""


def export(connection: sa.Connection, kind: str, filters: Filters, out: TextIO) -> int:
    """Write one kind of CSV, its header first; return the number of rows. Raises UnfitFilterError.

    Lines end as RFC 4180 wants it: open a file with `newline=""`.
    `kind` is one of KINDS. The rows come in an order of their own: by job and image, or by time.
    """
    count = -1
    for line in lines(connection, kind, filters):
        out.write(line)
        count += 1
    return count


def lines(connection: sa.Connection, kind: str, filters: Filters) -> Iterator[str]:
    """Return the lines that `export` writes. Raises UnfitFilterError, before the first of them."""
    for field in fields(Filters):
        if getattr(filters, field.name) is not None and field.name in _UNFIT.get(kind, ()):
            raise UnfitFilterError(f"{kind} cannot be chosen by {field.name}")
    return csv_lines(KINDS[kind](connection, filters))


def _results(connection: sa.Connection, filters: Filters) -> Iterator[Iterable[Cell]]:
    yield "job", "folder", "image", "item", "confidence_percent", "model", "time", "note"
    found: Any = _predicted(filters)
    if filters.label is None and filters.model is None:
        found = sa.union_all(found, _failed(filters))
    for row in stream(connection, found.order_by("job_id", "image")):
        job_id, folder, image, label, confidence, model, at, verdict, reasons = tuple(row)
        yield job_id, folder, image, label, with_one_digit(confidence), model, at, note_of(verdict, reasons)


def _predicted(filters: Filters) -> sa.Select[Any]:
    p = predictions.c
    ours = (p.label, p.confidence, p.model_version, p.predicted_at, p.verdict, p.reasons)
    found = sa.select(p.job_id.label("job_id"), jobs.c.folder, p.image.label("image"), *ours).join(jobs)
    wanted = _equal((p.job_id, filters.job), (p.label, filters.label), (p.model_version, filters.model))
    return _in_time(found, p.predicted_at, filters).where(*wanted)


def _failed(filters: Filters) -> sa.Select[Any]:
    """Return the failures in the shape of `_predicted`."""
    f = failures.c
    empty = sa.literal("", sa.Text)
    nothing = sa.cast(sa.null(), predictions.c.confidence.type)
    theirs = (empty, nothing, empty, f.failed_at, f.reason, empty)
    found = sa.select(f.job_id.label("job_id"), jobs.c.folder, f.image.label("image"), *theirs).join(jobs)
    return _in_time(found, f.failed_at, filters).where(*_equal((f.job_id, filters.job)))


def note_of(verdict: str, reasons: str) -> str:
    """Return what a person should know of an image: nothing when all is well."""
    return ": ".join(word for word in ("" if verdict == "ok" else verdict, reasons) if word)


def _performance(connection: sa.Connection, filters: Filters) -> Iterator[Iterable[Cell]]:
    labels = [filters.label] if filters.label is not None else _labels(connection)
    yield "job", "source", "folder", "opened_at", "closed_at", "stored", *labels, "mean"
    j, c = jobs.c, class_confidence.c
    found = sa.select(
        j.job_id,
        j.source,
        j.folder,
        j.opened_at,
        j.closed_at,
        j.stored,
        j.mean_confidence,
        c.label,
        c.mean_confidence,
    ).outerjoin(class_confidence)
    found = _of_jobs(found, filters).order_by(j.opened_at, j.job_id)
    for job, rows in groupby(map(tuple, stream(connection, found)), key=itemgetter(slice(7))):
        means = {row[7]: percent(row[8]) for row in rows}
        yield *job[:6], *[means.get(label) for label in labels], percent(job[6])


def _labels(connection: sa.Connection) -> list[str]:
    found = connection.execute(sa.select(class_confidence.c.label).distinct()).scalars()
    return [*CLASSES, *sorted(set(found) - set(CLASSES))]


def _metrics(connection: sa.Connection, filters: Filters) -> Iterator[Iterable[Cell]]:
    figures = ("images", "sent", "stored", "failed", "process_s", "predict_s", "time_per_prediction_s")
    columns = ("source", "folder", "state", "opened_at", "closed_at", *figures)
    yield "job", *columns, "images_per_s", "suspect", "expected_percent"
    j = jobs.c
    expected = j.trusted_confidence / sa.func.nullif(j.stored - j.suspect, 0)
    found = sa.select(j.job_id, *[j[name] for name in columns], j.suspect, expected)
    for row in stream(connection, _of_jobs(found, filters).order_by(j.opened_at, j.job_id)):
        done = row.stored + row.failed
        took = (row.process_s, row.predict_s, row.time_per_prediction_s)
        speed = round(done / row.process_s, 1) if row.process_s else None
        doubts = (row.suspect, percent(row[-1]))
        yield *tuple(row)[:-5], *[seconds(figure) for figure in took], speed, *doubts


def _failures(connection: sa.Connection, filters: Filters) -> Iterator[Iterable[Cell]]:
    yield "job", "folder", "image", "reason", "detail", "time"
    f = failures.c
    found = sa.select(f.job_id, jobs.c.folder, f.image, f.reason, f.detail, f.failed_at).join(jobs)
    found = _in_time(found, f.failed_at, filters).where(*_equal((f.job_id, filters.job)))
    yield from stream(connection, found.order_by(f.job_id, f.image))


def _events(connection: sa.Connection, filters: Filters) -> Iterator[Iterable[Cell]]:
    yield "time", "level", "service", "instance", "event", "detail", "job", "batch"
    e = events.c
    found = sa.select(e.at, e.level, e.service, e.instance, e.event, e.detail, e.job_id, e.batch_id)
    found = _in_time(found, e.at, filters).where(*_equal((e.job_id, filters.job)))
    yield from stream(connection, found.order_by(e.at, e.id))


def _days(connection: sa.Connection, filters: Filters) -> Iterator[Iterable[Cell]]:
    shares = ("suspect_percent", "mean_percent", "expected_percent")
    times = ("process_s", "predict_s", "time_per_prediction_s")
    columns = ("day", "source", "jobs", "stored", "failed", "suspect", *shares)
    yield *columns, *times
    view = sa.table("v_days", *[sa.column(name) for name in (*columns, *times)])
    found = _in_time(sa.select(view), view.c.day, filters).order_by(view.c.day, view.c.source)
    for row in stream(connection, found):
        yield *tuple(row)[: -len(times)], *[seconds(figure) for figure in tuple(row)[-len(times) :]]


def _alerts(connection: sa.Connection, filters: Filters) -> Iterator[Iterable[Cell]]:
    yield "opened_at", "closed_at", "state", "rule", "subject", "value", "bound", "detail", "job"
    a = alerts.c
    columns = (a.opened_at, a.closed_at, a.state, a.rule, a.subject, a.value, a.bound, a.detail, a.job_id)
    found = _in_time(sa.select(*columns), a.opened_at, filters).where(*_equal((a.job_id, filters.job)))
    yield from stream(connection, found.order_by(a.opened_at, a.alert_id))


def _reviews(connection: sa.Connection, filters: Filters) -> Iterator[Iterable[Cell]]:
    yield "job", "folder", "image", "predicted", "reviewed", "confidence_percent", "model", "reviewer", "time"
    p, r = predictions.c, reviews.c
    columns = (r.job_id, jobs.c.folder, r.image, p.label, r.label.label("reviewed"), p.confidence)
    found = (
        sa.select(*columns, p.model_version, r.reviewer, r.reviewed_at)
        .join_from(reviews, predictions, (p.job_id == r.job_id) & (p.image == r.image))
        .join(jobs, jobs.c.job_id == r.job_id)
        .where(*_equal((r.job_id, filters.job), (p.label, filters.label), (p.model_version, filters.model)))
    )
    for row in stream(connection, _in_time(found, r.reviewed_at, filters).order_by(r.job_id, r.image)):
        job_id, folder, image, label, reviewed, confidence, *rest = tuple(row)
        yield job_id, folder, image, label, reviewed, with_one_digit(confidence), *rest


KINDS: dict[str, Callable[[sa.Connection, Filters], Iterator[Iterable[Cell]]]] = {
    "results": _results,
    "performance": _performance,
    "metrics": _metrics,
    "failures": _failures,
    "events": _events,
    "days": _days,
    "alerts": _alerts,
    "reviews": _reviews,
}
_UNFIT = {
    "failures": ("label", "model"),
    "events": ("label", "model"),
    "days": ("job", "label", "model"),
    "alerts": ("label", "model"),
}


def with_one_digit(share: float | None) -> str:
    """Return a probability in percent as `results.csv` shows it."""
    return "" if share is None else f"{100 * share:.1f}"


def percent(share: float | None) -> float | None:
    """Return a probability in percent."""
    return None if share is None else round(100 * share, PERCENT_DIGITS)


def seconds(figure: float | None) -> str:
    """Return seconds to the microsecond, never as 1e-05."""
    return "" if figure is None else f"{figure:.6f}"


def _of_jobs(found: sa.Select[Any], filters: Filters) -> sa.Select[Any]:
    """Keep the jobs that opened in time, that hold the class, and on which the model worked."""
    found = _in_time(found, jobs.c.opened_at, filters).where(*_equal((jobs.c.job_id, filters.job)))
    if filters.label is not None:
        held = class_confidence.alias()
        found = found.where(sa.exists().where(held.c.job_id == jobs.c.job_id, held.c.label == filters.label))
    if filters.model is not None:
        model = batches.c.model_version == filters.model
        found = found.where(sa.exists().where(batches.c.job_id == jobs.c.job_id, model))
    return found


def _in_time(found: sa.Select[Any], at: sa.ColumnElement[str], filters: Filters) -> sa.Select[Any]:
    if filters.since is not None:
        found = found.where(at >= stamp_of(filters.since))
    if filters.until is not None:
        found = found.where(at < stamp_of(filters.until))
    return found


def _equal(*wanted: tuple[sa.ColumnElement[str], str | None]) -> list[sa.ColumnElement[bool]]:
    return [column == value for column, value in wanted if value is not None]
