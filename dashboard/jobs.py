"""Jobs: each dropped folder, the newest first, with a search and filters that stand in the address."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from nicegui import events, html, ui

from broker.errors import SettingsError
from broker.settings import Settings
from dashboard.access import trouble
from dashboard.downloads import csv_answer
from dashboard.fields import BEGINS, VALUE, select_field
from dashboard.frame import Table, address, frame, note, nothing_yet, page_at, write
from dashboard.moments import moment_field, moment_of
from dashboard.pager import Pager
from dashboard.site import Site
from dashboard.words import ROOT, at, count, lasting, percent
from store import job_list, queries
from store.job_list import JobsWanted
from store.queries import Job
from store.trends import sources

PAGE = 25
LOOK_S = 3.0
JOBS = Table(
    "Jobs",
    ("Folder", "State", "Images", "Stored", "Failed", "Confidence", "Opened (UTC)", "Took", "Flags"),
    right=("Images", "Stored", "Failed", "Confidence", "Took"),
    wide=("Stored", "Confidence", "Opened (UTC)", "Took", "Flags"),
)
NAMES = ("text", "state", "failures", "flags", "source", "since", "until")
CHOICES = (
    ("State", "state", {"": "all", "open": "open", "closed": "closed"}),
    ("Failures", "failures", {"": "all", "some": "with failures"}),
    ("Flags", "flags", {"": "all", "some": "flagged"}),
)


@dataclass(frozen=True)
class JobsAsked:
    """What an address asks for, as it stands there."""

    words: Mapping[str, str] = field(default_factory=dict)

    def wanted(self) -> JobsWanted:
        """Return it as the store wants it. Raises ValueError with one sentence, for a time that is none."""
        w = {name: self.words.get(name, "") for name in NAMES}
        states: dict[str, Literal["open", "closed"]] = {"open": "open", "closed": "closed"}
        times = moment_of(w["since"]), moment_of(w["until"])
        some = w["failures"] == "some", w["flags"] == "some"
        return JobsWanted(w["text"], states.get(w["state"], ""), *some, w["source"], *times)

    def address(self, path: str = "/jobs", **more: object) -> str:
        """Return the address that asks for it."""
        return address(path, **{**self.words, **more})


NOTHING = "No job yet."


def name_of(job: Job) -> str:
    """Return what a person calls a job: its folder."""
    return job.folder or (ROOT if job.is_announced else f"asked by {job.source}")


def add(made: FastAPI, site: Site) -> None:
    """Add the page, and the CSV of the jobs that it shows."""

    @page_at("/jobs")
    async def page_jobs(request: Request, page: int = 1) -> None:
        with frame("Jobs", "/jobs"):
            shown = _Jobs(site.settings, _asked(request), page)
            await shown.begin()
        ui.timer(LOOK_S, shown.look, immediate=False)

    @made.get("/jobs.csv")
    def jobs_csv(request: Request) -> Response:
        try:
            wanted = _asked(request).wanted()
        except ValueError as error:
            return PlainTextResponse(f"{error}\n", status_code=400)
        return csv_answer(site.settings, "jobs.csv", lambda found: job_list.job_lines(found, wanted))


def _asked(request: Request) -> JobsAsked:
    given = request.query_params
    return JobsAsked({name: given[name] for name in NAMES if given.get(name)})


class _Jobs:
    """The table with its filters and its pages; what is open follows by itself."""

    def __init__(self, settings: Settings, asked: JobsAsked, page: int) -> None:
        self._settings = settings
        self._asked = asked
        self._shown: dict[str, tuple[str, ...]] = {}
        self._told = ""
        self._rows: dict[str, list[html.a | html.td]] = {}
        self._filters = html.div().classes("filters").props('role=group aria-label="Filters"')
        with html.div().classes("bar-row"):
            self._all = html.a("Show all", href="/jobs")
            html.span().classes("grow")
            self._csv = html.a("CSV").classes("plain").props("download")
        self._table = html.div()
        self._pager = Pager(PAGE, "jobs", self._turned)
        self._pager.page = page

    async def begin(self) -> None:
        """Show the filters, and what is asked for."""
        known = await asyncio.to_thread(_sources, self._settings)
        words = self._asked.words
        with self._filters:
            with html.label():
                html.span("Search")
                box = html.input_(**{"type": "search", BEGINS: words.get("text", "")}).classes("plain")
                box.props["placeholder"] = "folder or job"
                box.on("input", self._chosen("text"), js_handler=VALUE, throttle=0.3, leading_events=False)
            choices = (*CHOICES, ("Source", "source", {"": "all", **{one: one for one in known}}))
            for name, key, values in choices:
                select_field(name, words.get(key, ""), values, self._chosen(key))
            for name, key in (("Opened from (UTC)", "since"), ("Opened before (UTC)", "until")):
                moment_field(name, words.get(key, ""), self._chosen(key))
        await self.look()

    def _chosen(self, key: str) -> Callable[[events.GenericEventArguments], Awaitable[None]]:
        async def take(event: events.GenericEventArguments) -> None:
            words = {**self._asked.words, key: str(event.args or "")}
            self._asked = JobsAsked({name: word for name, word in words.items() if word})
            self._pager.page = 1
            await self._turned()

        return take

    async def _turned(self) -> None:
        page = self._pager.page
        ui.navigate.history.replace(self._asked.address(page=page if page > 1 else ""))
        await self.look()

    async def look(self) -> None:
        """Ask for the page of jobs, and show what is new in it."""
        asked, page = self._asked, self._pager.page
        total, found, said, kind = 0, list[Job](), "", "empty"
        try:
            total, found = await asyncio.to_thread(_read, self._settings, asked.wanted(), page)
        except ValueError as problem:
            said, kind = trouble(problem), "trouble"
        if (asked, page) != (self._asked, self._pager.page):
            return  # something else was chosen meanwhile, and is on its way
        self._show(found, said or ("" if found else self._nothing()), kind)
        self._pager.told(total)
        self._all.visible = bool(asked.words)
        self._csv.props["href"] = asked.address("/jobs.csv")
        self._csv.visible = total > 0
        write(self._csv, f"CSV of {count(total, 'jobs')}")

    def _nothing(self) -> str:
        words = self._asked.words
        if not words:
            return NOTHING
        if set(words) == {"text"}:
            return f"No folder and no job is called so: {words['text']}"
        return "No job is like that: choose fewer filters."

    def _show(self, found: list[Job], said: str, kind: str) -> None:
        """Show jobs, or why there are none. Rows that stay are written over: who is on a link stays there."""
        before, told = self._shown, self._told
        self._shown = {one.job_id: _cells(one) for one in found}
        self._told = said
        if found and list(before) == list(self._shown):
            for job_id, row in self._rows.items():
                for place, old, new in zip(row, before[job_id], self._shown[job_id], strict=True):
                    if old != new:
                        write(place, new)
        elif found or said != told:
            self._table.clear()
            with self._table:
                self._make(said, kind)

    def _make(self, said: str, kind: str) -> None:
        if said == NOTHING:
            nothing_yet("job", self._settings)
            return
        if said:
            note(said, kind)
            return
        with JOBS.made():
            self._rows = {
                job_id: JOBS.row(*cells, href=address("/job", job_id=job_id))
                for job_id, cells in self._shown.items()
            }


def _read(settings: Settings, wanted: JobsWanted, page: int) -> tuple[int, list[Job]]:
    """Return how many jobs are wanted, and those of a page; the last page where there are fewer."""
    with queries.reading(settings.store) as connection:
        total = job_list.count_jobs(connection, wanted)
        offset = PAGE * (max(1, min(page, -(-total // PAGE))) - 1)
        return total, job_list.jobs_page(connection, wanted, offset=offset, limit=PAGE)


def _sources(settings: Settings) -> list[str]:
    try:
        with queries.reading(settings.store) as connection:
            return sources(connection)
    except SettingsError:
        return []  # the table says so


def _cells(one: Job) -> tuple[str, ...]:
    return (
        name_of(one),
        one.state,
        count(one.images),
        count(one.stored),
        count(one.failed),
        percent(one.mean_confidence),
        at(one.opened_at, datetime.now(UTC)),
        lasting(one.process_s),
        one.flags,
    )
