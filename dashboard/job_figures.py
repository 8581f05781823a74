"""One job in figures: what came of its images, and where its time went."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from nicegui import html

from broker.settings import Settings
from broker.spreadsheet import csv_line
from dashboard.frame import address, bar, card, csv_link, note
from dashboard.words import at, count, lasting, percent
from store import browsing, queries
from store.browsing import ClassCounts
from store.queries import Job
from store.report_figures import JOB, PARTS, Scope, parts_over_time

WHAT = {
    "read": "reading the files",
    "prepare": "making 28 by 28 pixels",
    "wait": "waiting for a predictor",
    "predict": "the model",
    "store": "from the prediction to the row",
}


@dataclass(frozen=True)
class JobFigures:
    """A job and what is kept of it as sums."""

    job: Job
    classes: list[ClassCounts]
    parts: dict[str, float]


def ask(settings: Settings, job_id: str) -> JobFigures | None:
    """Return a job, None where there is none."""
    with queries.reading(settings.store) as connection:
        job = queries.job(connection, job_id)
        if job is None:
            return None
        steps = parts_over_time(connection, Scope(job_id=job_id), JOB)
        seconds = dict(next(iter(steps.values())).seconds) if steps else {}
        return JobFigures(job, browsing.class_counts(connection, job_id), seconds)


def head(found: JobFigures) -> None:
    """Show the job's state, and its figures as cards."""
    one, now = found.job, datetime.now(UTC)
    told = [
        one.job_id,
        one.state,
        f"opened {at(one.opened_at, now)} UTC",
        *([one.flags] if one.flags else []),
    ]
    html.p(" \N{MIDDLE DOT} ".join(told)).classes("faint")
    suspect = sum(each.suspect for each in found.classes)
    if one.state == "open":
        under_way = "This job is still under way" if one.is_announced else "Another program asks for these"
        note(f"{under_way}: the figures follow by themselves.")
    with html.dl().classes("cards"):
        card(
            "Images",
            count(one.images, "images"),
            f"{count(one.in_flight)} still under way" if one.in_flight else "",
        )
        card("Stored", count(one.stored), f"{count(suspect)} suspect")
        card("Failed", count(one.failed))
        card("Mean confidence", percent(one.mean_confidence))
        speed = f"{(one.stored + one.failed) / one.process_s:,.0f} images/s" if one.process_s else ""
        card("Took", lasting(one.process_s), speed)


def times(found: JobFigures) -> None:
    """Show the parts of the way, the longest as a whole bar."""
    parts = [(part, found.parts[part]) for part in PARTS if found.parts.get(part)]
    if not parts:
        note("Nothing is known of it yet: the first batch tells.", "empty")
        return
    longest = max(seconds for _, seconds in parts)
    html.p(
        "Seconds of all batches together; batches wait beside each other, so this is more than the job took."
    ).classes("faint")
    with html.div().classes("times"):
        for part, seconds in parts:
            bar(WHAT[part], seconds / longest, lasting(seconds))
    csv_link("CSV of these times", address("/job-times.csv", job_id=found.job.job_id))


def time_lines(connection: queries.Connection, job_id: str) -> Iterator[str]:
    """Yield the parts of a job's way as lines of CSV, the header first; seconds of all batches together."""
    yield csv_line(("part", "seconds"))
    for one in parts_over_time(connection, Scope(job_id=job_id), JOB).values():
        for part in PARTS:
            if part in one.seconds:
                yield csv_line((part, round(one.seconds[part], 6)))
