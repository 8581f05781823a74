"""A report as one page of HTML: it needs no server, no network and no script.

Names of files come from outside. Jinja escapes every text, and the page's own policy lets nothing but its
style and its pictures load or run.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from broker import VERSION
from broker.doubts import BETWEEN_REASONS, doubt
from broker.durations import span
from dashboard import quality_plots
from dashboard.plots import STYLE
from store.estimates import Estimate, to_be_trusted
from store.report_contents import Contents, JobContents, Pictures
from store.report_images import Shown
from store.times import stamp_of

NONE = "\N{EN DASH}"


@dataclass(frozen=True)
class Card:
    """A figure of the headline."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Tile:
    """A picture with what was said of it; `source` is a data URI, empty where the pixels are not kept."""

    source: str
    label: str
    confidence: float
    name: str
    where: str
    right: str
    doubt: str
    mark: str = ""


def period_page(contents: Contents, made_at: datetime) -> str:
    """Return the report of a period, or a page that says that there is nothing to report."""
    return _rendered("period.html", contents, made_at, title="Tailorbird report", period=_period(contents))


def job_page(contents: Contents, job: JobContents, made_at: datetime) -> str:
    """Return the report of one job, with its contact sheet."""
    title = f"Job {job.job.job_id}"
    parts = next(iter(contents.parts.values()), None)
    trusted = {label: sums.mean for step in contents.classes.values() for label, sums in step.items()}
    return _rendered(
        "job.html",
        contents,
        made_at,
        title=title,
        found=job,
        parts=parts,
        trusted=trusted,
        left_out=max(0, job.job.stored - len(job.sheet)),
        sheet=_sheet(job),
    )


def _rendered(template: str, contents: Contents, made_at: datetime, **more: object) -> str:
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(Path(__file__).parent / "pages"),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"count": _count, "percent": _percent, "span": _span}
    galleries = (
        ("Reviewed, and wrong", "The model was surest of the first.", contents.wrong),
        ("Suspect", "The guard doubts that they are photos of one garment.", contents.suspects),
        ("Least sure", "Not suspect, but the least confident.", contents.unsure),
    )
    return environment.get_template(template).render(
        contents=contents,
        cards=cards(contents),
        plots=quality_plots,
        plots_style=STYLE,
        galleries=[
            (title, note, tiles(found, contents.pictures)) for title, note, found in galleries if found
        ],
        made_at=stamp_of(made_at),
        version=VERSION,
        **more,
    )


def _period(contents: Contents) -> str:
    since, until = contents.scope.since, contents.scope.until
    begin = f"from {stamp_of(since)}" if since else ""
    end = f"before {stamp_of(until)}" if until else ""
    return f"Jobs opened {begin} {end} (UTC)" if begin or end else "All jobs"


def cards(contents: Contents) -> list[Card]:
    """Return the headline's figures, each with its unit."""
    h = contents.headline
    timed = [
        sum(one.images for one in contents.speed.values()),
        sum(s.process_s for s in contents.speed.values()),
    ]
    answered = h.stored + h.failed
    return [
        Card(
            "Jobs",
            _count(h.jobs),
            f"{h.open_jobs:,} open; " + ("1 source" if h.sources == 1 else f"{h.sources:,} sources"),
        ),
        Card("Images answered", _count(h.stored), f"of {h.images:,} seen"),
        Card("Failed", _count(h.failed), _shares(h.failed, answered, contents.failed)),
        Card("Suspect", _count(h.suspect), _shares(h.suspect, h.stored, contents.suspect)),
        Card("Expected accuracy", _percent(contents.expected.value), _expected(contents)),
        Card("Accuracy in reviews", *_reviewed(contents)),
        Card(
            "Speed", f"{timed[0] / timed[1]:,.0f} images/s" if timed[1] else NONE, f"{span(timed[1])} in all"
        ),
    ]


def _shares(part: int, whole: int, reasons: Iterable[tuple[str, int]]) -> str:
    told = ", ".join(f"{reason} {n:,}" for reason, n in reasons)
    return f"{_percent(part / whole)}: {told}" if part and whole else "none"


def _expected(contents: Contents) -> str:
    estimate, h = contents.expected, contents.headline
    if not estimate.enough:
        return f"not enough data: {estimate.images:,} images that are not suspect"
    told = f"{_interval(estimate)}, by the confidence of {estimate.images:,} images that are not suspect"
    trusted = to_be_trusted(h.suspect / h.stored, ())
    return told if trusted else f"{told}; so many others are suspect that this may be too good"


def _interval(estimate: Estimate) -> str:
    return f"{_percent(estimate.low)} to {_percent(estimate.high)}"


def _reviewed(contents: Contents) -> tuple[str, str]:
    found, estimate = contents.reviewed, contents.accuracy
    if not found.images:
        return NONE, "nobody has looked"
    right = f"{found.right:,} of {found.images:,} reviewed images"
    if estimate.enough:
        return _percent(estimate.value), f"{_interval(estimate)} of all images; right are {right}"
    return _percent(found.right / found.images), f"{right}, of which many may be doubtful ones"


def tiles(found: Iterable[Shown], pictures: Pictures, marks: Iterable[str] = ()) -> list[Tile]:
    """Return images as a page shows them; those named in `marks` are marked as the least sure."""
    marked = set(marks)
    return [
        Tile(
            _data_uri(pictures.get((one.job_id, one.image))),
            one.label,
            one.confidence,
            one.image,
            f"{one.job_id}: {one.folder}/{one.image}" if one.folder else f"{one.job_id}: {one.image}",
            "" if one.right is None else one.right,
            doubt(one.verdict, filter(None, one.reasons.split(BETWEEN_REASONS))),
            "least sure" if one.image in marked else "",
        )
        for one in found
    ]


def _sheet(job: JobContents) -> list[Tile]:
    return tiles(job.sheet, job.pictures, job.least_sure)


def _data_uri(picture: bytes | None) -> str:
    return "" if picture is None else "data:image/png;base64," + base64.b64encode(picture).decode("ascii")


def _count(number: int) -> str:
    return f"{number:,}"


def _percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def _span(seconds: float | None) -> str:
    if seconds is not None and seconds < 1:
        return f"{1000 * seconds:.1f} ms"
    return span(seconds) or NONE
