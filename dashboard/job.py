"""One job: its classes, its images with filters, its failures, and where its time went."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from nicegui import html, ui

from broker.errors import SettingsError
from dashboard.access import Role, here, trouble
from dashboard.downloads import csv_answer
from dashboard.frame import Table, address, frame, note, page_at, write
from dashboard.job_figures import JobFigures, ask, head, time_lines, times
from dashboard.jobs import name_of
from dashboard.pager import Pager
from dashboard.selecting import Selecting
from dashboard.site import Site
from dashboard.tiles import Pictures, tiles
from dashboard.words import at, count
from store import answers, browsing, queries
from store.answers import Key, Said
from store.browsing import ClassCounts, Doubt, Order, Seen, Wanted
from store.queries import Job

LOOK_S = 1.0
PAGE = 48
FAILURES_PAGE = 25
FAILURES = Table("Failures", ("Image", "Reason", "Detail", "Time (UTC)"), wide=("Time (UTC)",))
DOUBTS = {"all": "All", "suspect": "Suspect", "ok": "Not suspect"}
ORDERS = {"name": "By name", "doubt": "Least sure first"}


def add(made: FastAPI, site: Site) -> None:
    """Add the page of one job, as its address wants it, and the CSV of what it shows."""

    @page_at("/job")
    async def page_job(
        job_id: str = "", label: str = "", doubt: str = "", order: str = "", page: int = 1
    ) -> None:
        await _job(site, wanted_of(job_id, label, doubt, order), page)

    @made.get("/job.csv")
    def job_csv(job_id: str = "", label: str = "", doubt: str = "", order: str = "") -> Response:
        wanted = wanted_of(job_id, label, doubt, order)
        return csv_answer(
            site.settings, csv_name(wanted), lambda connection: browsing.csv_lines(connection, wanted)
        )

    @made.get("/job-times.csv")
    def times_csv(job_id: str = "") -> Response:
        name = f"{job_id or 'job'} times.csv"
        return csv_answer(site.settings, name, lambda connection: time_lines(connection, job_id))


def csv_name(wanted: Wanted) -> str:
    """Return the name of the file that holds what is wanted: each filter has its own."""
    doubt = {"suspect": "suspect", "ok": "not suspect", "all": ""}[wanted.doubt]
    parts = (wanted.job_id or "job", wanted.label or "", doubt)
    return f"{' '.join(filter(None, parts)).replace('/', '-')}.csv"


def wanted_of(job_id: str, label: str, doubt: str, order: str) -> Wanted:
    """Return what an address wants; words that it does not know count as not said."""
    doubts: dict[str, Doubt] = {"suspect": "suspect", "ok": "ok"}
    orders: dict[str, Order] = {"doubt": "doubt"}
    return Wanted(job_id, label or None, doubts.get(doubt, "all"), orders.get(order, "name"))


async def _job(site: Site, wanted: Wanted, page: int) -> None:
    try:
        found = await asyncio.to_thread(ask, site.settings, wanted.job_id)
    except SettingsError as problem:
        with frame("Job", "/jobs"):
            note(trouble(problem), "trouble")
        return
    if found is None:
        with frame("No such job", "/jobs"):
            note(
                f"The database knows no job {wanted.job_id}: it may have been deleted with old data.", "empty"
            )
            html.a("All jobs", href="/jobs")
        return
    with frame(name_of(found.job), "/jobs"):
        shown = _Shown(site, found, wanted, page)
        await shown.begin()
    if found.job.state == "open":
        shown.timer = ui.timer(LOOK_S, shown.look, immediate=False)


class _Shown:
    """The page's parts, which follow an open job until it is closed."""

    def __init__(self, site: Site, found: JobFigures, wanted: Wanted, page: int) -> None:
        self._site = site
        self._found = found
        self.timer: ui.timer | None = None
        self._head = html.div()
        html.h2("Images")
        self._place = html.div()
        self._images = _Images(site, found, wanted, page)
        self._failures = html.div()
        html.h2("Where the time went")
        self._times = html.div()

    async def begin(self) -> None:
        """Show all parts."""
        self._figures()
        with self._place:
            await self._images.make()
        await self._images.show()
        await self._failed()

    async def look(self) -> None:
        """Show what has come since."""
        before = self._found
        try:
            found = await asyncio.to_thread(ask, self._site.settings, before.job.job_id)
            if found is None or found == before:
                return
            self._found = found
            self._figures()
            await self._images.follow(found.classes, is_last=found.job.state == "closed")
            if found.job.failed != before.job.failed:
                await self._failed()
        except SettingsError:
            self._found = before
            return  # the database is away for a moment, and Today says so
        if found.job.state == "closed" and self.timer is not None:
            self.timer.cancel()

    def _figures(self) -> None:
        for part, make in ((self._head, head), (self._times, times)):
            part.clear()
            with part:
                make(self._found)

    async def _failed(self) -> None:
        self._failures.clear()
        if self._found.job.failed:
            with self._failures:
                html.h2("Failures")
                failures = _Failures(self._site, self._found.job)
            await failures.show()


class _Images:
    """The grid with its filters. The address follows, so that a view can be kept and sent."""

    def __init__(self, site: Site, found: JobFigures, wanted: Wanted, page: int) -> None:
        self._site = site
        self._page = page
        self._classes = found.classes
        self._wanted = wanted
        self._buttons: list[tuple[html.button, dict[str, Any]]] = []
        self._shown = self._asks = 0
        self._labels: dict[str, html.button] = {}

    async def make(self) -> None:
        """Make the filters, and the places for images."""
        self._make_filters()
        await self._selecting.make()
        self._grid = html.div()
        self._pager = Pager(PAGE, "images", self._turned)
        self._pager.page = self._page

    async def _choose(self, **changed: Any) -> None:
        self._wanted = replace(self._wanted, **changed)
        self._pager.page = 1
        await self._turned()

    async def _turned(self) -> None:
        await self.show()
        page = self._pager.page
        ui.navigate.history.replace(self._address("/job", page=page if page > 1 else ""))

    async def follow(self, classes: list[ClassCounts], *, is_last: bool) -> None:
        """Take in what has come since. A grid that is full stays as it is until the job is closed."""
        self._classes = classes
        if is_last or self._shown < PAGE:
            await self.show()
        else:
            total = browsing.count(classes, self._wanted)
            self._pager.told(total)
            self._mark(total)

    async def show(self) -> None:
        """Show a page of what is wanted."""
        wanted, total = self._wanted, browsing.count(self._classes, self._wanted)
        offset = self._pager.offset(total)
        self._asks += 1
        number = self._asks

        def asked(connection: queries.Connection) -> tuple[list[Seen], Pictures, dict[Key, Said]]:
            seen = browsing.images_page(connection, wanted, offset=offset, limit=PAGE)
            said = answers.said(connection, [(one.job_id, one.image) for one in seen])
            return seen, browsing.pictures(connection, seen), said

        seen, pictures, said = await self._site.asked(asked)
        if number != self._asks:
            return  # something was asked meanwhile, and is on its way
        self._selecting.said = said
        self._shown = len(seen)
        self._grid.clear()
        with self._grid:
            if seen:
                tiles(self._site, seen, pictures, self._selecting)
            else:
                note("No image of this job is like that: choose another class, or All.", "empty")
        self._pager.told(total)
        self._mark(total)

    def _make_filters(self) -> None:
        with html.div().classes("bar-row").props('role=group aria-label="Class"'):
            self._button("All classes", label=None)
            self._row = html.span().classes("class-names")
        self._name_classes()
        with html.div().classes("bar-row"):
            with html.div().classes("segments").props('role=group aria-label="Doubt"'):
                for doubt, words in DOUBTS.items():
                    self._button(words, doubt=doubt)
            with html.div().classes("segments").props('role=group aria-label="Order"'):
                for order, words in ORDERS.items():
                    self._button(words, order=order)
            html.span().classes("grow")
            may = here().role >= Role.REVIEWER
            self._review = html.a("Review").classes("plain")
            self._review.visible = may
            self._selecting = Selecting(self._site, self.show)
            self._selecting.switch.visible = may
            self._csv = html.a("").classes("plain").props("download")

    def _name_classes(self) -> None:
        """Say how many images of each class are wanted; a class that is new is put behind the others."""
        for one in self._classes:
            images = browsing.count([one], replace(self._wanted, label=None))
            text = f"{one.label} {images:,}"
            if one.label in self._labels:
                write(self._labels[one.label], text)
            else:
                with self._row:
                    self._labels[one.label] = self._button(text, label=one.label)

    def _button(self, text: str, **choice: Any) -> html.button:
        made = html.button(text).classes("plain").props("type=button")
        made.on("click", partial(self._choose, **choice))
        self._buttons.append((made, choice))
        return made

    def _mark(self, total: int) -> None:
        """Show which filters hold, what they leave of each class, and what the CSV would be."""
        self._name_classes()
        for button, choice in self._buttons:
            pressed = all(getattr(self._wanted, name) == value for name, value in choice.items())
            button.props["aria-pressed"] = str(pressed).lower()
        self._csv.props["href"] = self._address("/job.csv")
        self._review.props["href"] = address("/review", job_id=self._wanted.job_id, label=self._wanted.label)
        write(self._review, "Review this class" if self._wanted.label else "Review this job")
        write(self._csv, f"CSV of {count(total, 'images')}")

    def _address(self, path: str, **more: object) -> str:
        w = self._wanted
        doubt = "" if w.doubt == "all" else w.doubt
        order = "" if w.order == "name" else w.order
        return address(path, job_id=w.job_id, label=w.label, doubt=doubt, order=order, **more)


class _Failures:
    """The files that became no prediction, and why."""

    def __init__(self, site: Site, of: Job) -> None:
        self._site = site
        self._job = of
        self._table = html.div()
        self._pager = Pager(FAILURES_PAGE, "failures", self.show)

    async def show(self) -> None:
        """Show a page of them."""
        job_id, offset = self._job.job_id, self._pager.offset(self._job.failed)
        found = await self._site.asked(
            lambda connection: browsing.failures_page(connection, job_id, offset=offset, limit=FAILURES_PAGE)
        )
        now = datetime.now(UTC)
        self._table.clear()
        with self._table, FAILURES.made():
            for one in found:
                FAILURES.row(one.image, one.reason, one.detail, at(one.failed_at, now))
        self._pager.told(self._job.failed)
