"""Jobs: each dropped folder, the newest first."""

import asyncio
from datetime import UTC, datetime

from fastapi import FastAPI
from nicegui import events, html, ui

from broker.errors import SettingsError
from broker.settings import Settings
from dashboard.access import inbox_name, trouble
from dashboard.frame import Table, address, frame, note
from dashboard.pager import Pager
from dashboard.site import Site
from dashboard.words import ROOT, at, count, lasting, percent
from store import browsing, queries
from store.queries import Job

PAGE = 25
JOBS = Table(
    "Jobs",
    ("Folder", "State", "Images", "Stored", "Failed", "Confidence", "Opened (UTC)", "Took", "Flags"),
    right=("Images", "Stored", "Failed", "Confidence", "Took"),
    wide=("Stored", "Confidence", "Opened (UTC)", "Took", "Flags"),
)


def name_of(job: Job) -> str:
    """Return what a person calls a job: its folder."""
    return job.folder or ROOT


def add(_: FastAPI, site: Site) -> None:
    """Add the page."""

    @ui.page("/jobs")
    async def page_jobs() -> None:
        with frame("Jobs", "/jobs"):
            page = _Jobs(site.settings)
            await page.show()


class _Jobs:
    """The table with its search and its pages."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._text = ""
        with html.div().classes("bar-row"), html.label():
            html.span("Search")
            box = html.input_().classes("plain").props("type=search placeholder='folder or job'")
            value = "(event) => emit(event.target.value)"
            box.on("input", self._searched, js_handler=value, throttle=0.3, leading_events=False)
        self._table = html.div()
        self._pager = Pager(PAGE, "jobs", self.show)

    async def _searched(self, event: events.GenericEventArguments) -> None:
        self._text = str(event.args)
        self._pager.page = 1
        await self.show()

    async def show(self) -> None:
        """Show a page of what was searched for."""
        text, page = self._text, self._pager

        def asked() -> tuple[int, list[Job]]:
            with queries.reading(self._settings.store) as connection:
                total = browsing.count_jobs(connection, text)
                offset = page.offset(total)
                return total, browsing.jobs_page(connection, text=text, offset=offset, limit=PAGE)

        try:
            total, found = await asyncio.to_thread(asked)
        except SettingsError as problem:
            total, found, said = 0, [], trouble(problem)
        else:
            inbox = inbox_name(self._settings)
            empty = f"No job yet: drop a folder of photos into {inbox}, or on the page Drop."
            said = f"No folder and no job is called so: {text}" if text.strip() else empty
        self._table.clear()
        with self._table:
            if found:
                _table(found)
            else:
                note(said, "empty")
        page.told(total)


def _table(found: list[Job]) -> None:
    now = datetime.now(UTC)
    with JOBS.made():
        for one in found:
            JOBS.row(
                name_of(one),
                one.state,
                count(one.images),
                count(one.stored),
                count(one.failed),
                percent(one.mean_confidence),
                at(one.opened_at, now),
                lasting(one.process_s),
                one.flags,
                href=address("/job", job_id=one.job_id),
            )
