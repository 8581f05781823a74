"""Drop: photos and folders from the browser into the inbox, and how their jobs come along."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from fastapi import FastAPI
from nicegui import app, html, ui
from nicegui.element import Element

from broker.errors import SettingsError
from broker.settings import Settings
from dashboard.access import AccessError, Role, require, trouble
from dashboard.drop_answers import add_answers
from dashboard.frame import address, bar, frame, note, page_at
from dashboard.site import Site
from dashboard.uploads import IDLE_S, Dropped, Uploads
from dashboard.words import SPACE, at, count, lasting, size
from store import browsing, queries
from store.browsing import ClassCounts
from store.dropped import newest_job
from store.queries import Job
from store.times import stamp_of

LOOK_S = 1.0
SWEEP_S = IDLE_S
PATIENCE_S = 15.0
"""After which a folder without a job is worth a word."""


@dataclass(frozen=True)
class Followed:
    """A dropped folder with its job, as far as there is one."""

    dropped: Dropped
    job: Job | None
    classes: tuple[ClassCounts, ...] = ()


class DropZone(Element, component="drop.js"):
    """Takes photos and folders, by dragging and by two buttons, and sends them file by file."""

    def __init__(self, uploads: Uploads) -> None:
        super().__init__()
        limits = uploads.limits
        self.props["most-files"] = limits.files
        self.props["at-most"] = (
            f"At most {size(limits.file_bytes)} a file, {limits.files:,} files"
            f" and {size(limits.whole_bytes)} at a time."
        )


def add(made: FastAPI, site: Site) -> None:
    """Add the page, and the addresses to which it sends."""
    uploads = Uploads(site.settings, partial(_job_before, site.settings))
    add_answers(made, uploads)
    app.on_startup(lambda: _sweep(uploads))

    @page_at("/drop")
    async def page_drop() -> None:
        with frame("Drop", "/drop"):
            try:
                require(Role.REVIEWER)
            except AccessError as why:
                note(f"To drop photos here {why}.", "trouble")
                return
            html.p("Photos that you drop here land in the inbox as one folder, which becomes a job.")
            zone = DropZone(uploads)
            page = _Lately(site.settings, uploads)
            zone.on("dropped", page.look)
            await page.look()
        ui.timer(LOOK_S, page.look, immediate=False)


def _job_before(settings: Settings, folder: str) -> str:
    """Return the folder's latest job if it is closed: one that is open goes on with what is dropped."""
    try:
        with queries.reading(settings.store) as connection:
            found = newest_job(connection, settings.ingest_agent.source, folder)
    except SettingsError:
        return ""
    return found.job_id if found is not None and found.state == "closed" else ""


async def _sweep(uploads: Uploads) -> None:
    while True:
        await asyncio.to_thread(uploads.sweep)
        await asyncio.sleep(SWEEP_S)


class _Lately:
    """The latest drops, whoever made them, each made anew when something of it has changed."""

    def __init__(self, settings: Settings, uploads: Uploads) -> None:
        self._settings = settings
        self._uploads = uploads
        self._shown: list[Any] = []
        self._part = html.div()

    async def look(self) -> None:
        """Ask for the drops' jobs, and show what is new in them."""
        drops = list(self._uploads.lately)
        try:
            found = await asyncio.to_thread(follow, self._settings, drops) if drops else []
        except SettingsError as problem:
            said = trouble(problem)
            self._show([said], lambda: note(said, "trouble"))
            return
        now = datetime.now(UTC)
        late = [one.job is None and now.timestamp() - one.dropped.at > PATIENCE_S for one in found]
        self._show([found, late], lambda: self._make(found, late, now))

    def _show(self, what: list[Any], make: Any) -> None:
        if what != self._shown:
            self._shown = what
            self._part.clear()
            with self._part:
                make()

    def _make(self, found: list[Followed], late: list[bool], now: datetime) -> None:
        if found:
            html.h2("Dropped lately")
        for one, is_late in zip(found, late, strict=True):
            with html.section().classes("card drop") as card:
                card.props["aria-label"] = one.dropped.folder
                _one(one, now, is_late=is_late)


def follow(settings: Settings, drops: list[Dropped]) -> list[Followed]:
    """Return each drop with its folder's job. Raises SettingsError."""
    with queries.reading(settings.store) as connection:
        jobs = [newest_job(connection, settings.ingest_agent.source, one.folder, one.after) for one in drops]
        return [
            Followed(one, job, tuple(browsing.class_counts(connection, job.job_id)) if job else ())
            for one, job in zip(drops, jobs, strict=True)
        ]


def _one(one: Followed, now: datetime, *, is_late: bool) -> None:
    dropped, job = one.dropped, one.job
    with html.h3():
        if job is None:
            html.span(dropped.folder)
        else:
            html.a(dropped.folder, href=address("/job", job_id=job.job_id))
    who = f" by {dropped.who}" if dropped.who else ""
    stamp = stamp_of(datetime.fromtimestamp(dropped.at, UTC))
    html.p(
        f"{count(dropped.files, 'files')}, {size(dropped.size)}, dropped{who} at {at(stamp, now)}{SPACE}UTC"
    ).classes("faint")
    if job is None:
        html.p("Waiting for the agent to see it" + (": Today says whether it runs." if is_late else "."))
        return
    done, whole = job.stored + job.failed, max(job.images, dropped.files)
    with html.div().classes("shares"):
        bar(
            "\N{CHECK MARK} done" if job.state == "closed" else "under way",
            done / whole,
            f"{done:,} of {whole:,}",
        )
    with html.p().props("role=status"):
        html.span(f"{count(job.images)} seen, {count(job.sent)} sent, {count(job.stored)} stored, ")
        if job.failed:
            words = f"\N{BALLOT X} {count(job.failed)} failed: which and why"
            html.a(words, href=address("/job", job_id=job.job_id)).classes("bad")
        else:
            html.span("0 failed")
    if job.state == "closed":
        _results(one, job)


def _results(one: Followed, job: Job) -> None:
    suspect = sum(each.suspect for each in one.classes)
    named = ", ".join(f"{each.label}{SPACE}{each.images:,}" for each in one.classes)
    took = f" in {lasting(job.process_s)}" if job.process_s else ""
    html.p(f"{named}{took}; {count(suspect)} suspect" if named else "No file of it became a prediction.")
    with html.div().classes("bar-row"):
        words = "Look at the images" if named else "See the reasons"
        html.a(words, href=address("/job", job_id=job.job_id)).classes("plain")
        if named:
            html.a("CSV", href=address("/job.csv", job_id=job.job_id)).classes("plain").props("download")
