"""The event log: what the services said, the newest first, with filters that stand in the address."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from nicegui import events, html, ui

from broker.errors import SettingsError
from broker.settings import Settings
from dashboard.access import Role, here, person_of
from dashboard.downloads import csv_answer
from dashboard.fields import BEGINS, VALUE, select_field
from dashboard.frame import Table, address, frame, note, page_at
from dashboard.moments import moment_field, moment_of
from dashboard.site import Site
from dashboard.words import at
from store import event_log, queries
from store.event_log import LEVELS, Known, LogPage, Place, Wanted
from store.queries import EventRow

PAGE = 50
TABLE = Table("Events", ("Time (UTC)", "Level", "Service", "What"), wide=("Service",))
SIGNS = {"error": ("\N{BALLOT X} error", "bad"), "warning": ("! warning", "warn")}
FROM = {"": "all", "warning": "warnings and errors", "error": "errors"}
NAMES = ("level", "service", "event", "text", "job", "since", "until")
ADMINS = "The event log names folders and machines: it needs the role admin."


@dataclass(frozen=True)
class LogAsked:
    """What an address asks for, as it stands there; `before` is where a later page begins."""

    words: Mapping[str, str] = field(default_factory=dict)
    before: str = ""

    def wanted(self) -> Wanted:
        """Return it as the store wants it. Raises ValueError with one sentence."""
        w = {name: self.words.get(name, "") for name in NAMES}
        level = next((one for one in LEVELS if one == w["level"]), LEVELS[0])
        times = moment_of(w["since"]), moment_of(w["until"])
        return Wanted(level, w["service"], w["event"], w["text"], w["job"], *times)

    def place(self) -> Place | None:
        """Return where the page begins; what is no place counts as the newest event."""
        stamp, _, number = self.before.partition("~")
        return Place(stamp, int(number)) if number.isdecimal() and len(number) < 19 else None

    def address(self, path: str = "/events", **more: str) -> str:
        """Return the address that asks for it."""
        return address(path, **{**self.words, **more})


def add(made: FastAPI, site: Site) -> None:
    """Add the page, and the CSV of what is chosen."""

    @page_at("/events")
    async def page_events(request: Request) -> None:
        with frame("Event log", "/system"):
            if here().role < Role.ADMIN:
                note(ADMINS, "trouble")
                return
            await _Log(site.settings, _asked(request)).show()

    @made.get("/events.csv")
    def events_csv(request: Request) -> Response:
        if person_of(request).role < Role.ADMIN:
            return PlainTextResponse(f"{ADMINS}\n", status_code=403)
        try:
            wanted = _asked(request).wanted()
        except ValueError as error:
            return PlainTextResponse(f"{error}\n", status_code=400)
        return csv_answer(
            site.settings, "events.csv", lambda connection: event_log.log_lines(connection, wanted)
        )


def _asked(request: Request) -> LogAsked:
    given = request.query_params
    words = {name: given[name] for name in NAMES if given.get(name)}
    return LogAsked(words, given.get("before", ""))


class _Log:
    """The filters, and a page of the log. Each choice begins with the newest event again."""

    def __init__(self, settings: Settings, asked: LogAsked) -> None:
        self._settings = settings
        self._asked = asked
        self._filters = html.div().classes("filters").props('role=group aria-label="Filters"')
        with html.div().classes("bar-row"):
            self._all = html.a("Show all", href="/events")
            html.span().classes("grow")
            self._csv = html.a("CSV of these events").classes("plain").props("download")
        self._table = html.div()

    async def show(self) -> None:
        """Show what is asked for."""
        known = await self._fill()
        if not self._filters.default_slot.children:
            with self._filters:
                self._make_filters(known)

    async def _fill(self) -> Known:
        asked = self._asked
        self._csv.props["href"] = asked.address("/events.csv")
        self._csv.update()
        self._all.visible = bool(asked.words)
        known, page, said = Known([], []), LogPage([]), ""
        try:
            known, page = await asyncio.to_thread(_read, self._settings, asked)
        except (SettingsError, ValueError) as problem:
            said = str(problem)
        if asked is not self._asked:
            return known  # something else was chosen meanwhile, and is on its way
        self._table.clear()
        with self._table:
            if said:
                note(said, "trouble")
            else:
                self._make_table(page)
        return known

    def _make_table(self, page: LogPage) -> None:
        if page.rows:
            events_table(page.rows)
        elif page.older is None:
            some = "No event is like that: choose fewer filters." if self._asked.words else "Nothing yet."
            note(some, "empty")
        if page.is_cut and page.older is not None:
            looked = f"{event_log.LOOKED_AT:,} events were looked at, back to {page.older.at[:19]} UTC."
            note(looked.replace("T", " "))
        with html.nav().classes("bar-row below").props('aria-label="Pages of events"'):
            if self._asked.before:
                html.a("\N{LEFTWARDS ARROW} Newest", href=self._asked.address()).classes("plain")
            if page.older is not None:
                words = "Look further back" if page.is_cut else "Older"
                link = self._asked.address(before=f"{page.older.at}~{page.older.number}")
                html.a(f"{words} \N{RIGHTWARDS ARROW}", href=link).classes("plain")

    def _make_filters(self, known: Known) -> None:
        services = {"": "all", **{name: name for name in known.services if name}}
        for name, key, choices in (("Level", "level", FROM), ("Service", "service", services)):
            select_field(name, self._asked.words.get(key, ""), choices, self._chosen(key))
        self._box("Event", "event", known.events)
        self._box("Text", "text")
        self._box("Job", "job")
        for name, key in (("From (UTC)", "since"), ("Before (UTC)", "until")):
            moment_field(name, self._asked.words.get(key, ""), self._chosen(key))

    def _box(self, name: str, key: str, known: Sequence[str] = ()) -> None:
        with html.label():
            html.span(name)
            box = html.input_(**{"type": "search", BEGINS: self._asked.words.get(key, "")}).classes("plain")
            if key == "text":
                box.on("input", self._chosen(key), js_handler=VALUE, throttle=0.3, leading_events=False)
            else:  # a part of such a name is none
                box.on("change", self._chosen(key), js_handler=VALUE)
                box.props["placeholder"] = "whole, then Enter"
            if known:
                box.props["list"] = f"known-{key}"
                with html.datalist(id=f"known-{key}"):
                    for word in known:
                        html.option(value=word)

    def _chosen(self, key: str) -> Callable[[events.GenericEventArguments], Awaitable[None]]:
        async def take(event: events.GenericEventArguments) -> None:
            words = {**self._asked.words, key: str(event.args or "")}
            self._asked = LogAsked({name: word for name, word in words.items() if word})
            ui.navigate.history.replace(self._asked.address())
            await self._fill()

        return take


def _read(settings: Settings, asked: LogAsked) -> tuple[Known, LogPage]:
    wanted, place = asked.wanted(), asked.place()
    with queries.reading(settings.store) as connection:
        page = event_log.events_page(connection, wanted, before=place, limit=PAGE)
        return event_log.known(connection), page


def events_table(rows: Sequence[EventRow]) -> None:
    """Show events; each leads to its job."""
    now = datetime.now(UTC)
    with TABLE.made():
        for one in rows:
            words, kind = SIGNS.get(one.level, (one.level, ""))
            with html.tr():
                html.td(at(one.at, now))
                html.td(words).classes(f"level {kind}")
                html.td(f"{one.service} {one.instance}").classes("wide")
                with html.td().classes("what-happened"):
                    html.strong(one.event)
                    html.span(f" {one.detail}")
                    if one.job_id:
                        html.a(f"Job {one.job_id}", href=address("/job", job_id=one.job_id)).classes("job")
