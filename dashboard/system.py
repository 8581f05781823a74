"""System: the database, its upkeep, disks, the broker, services, events, exports, and what was set."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import FastAPI
from nicegui import html, ui

from broker.errors import SettingsError
from broker.settings import Settings
from dashboard import machine, running
from dashboard.access import Role, here
from dashboard.costs import cost_of
from dashboard.event_log import events_table
from dashboard.exports import ExportForm
from dashboard.frame import Table, frame, note, page_at
from dashboard.machine import Machine
from dashboard.parts import Parts
from dashboard.running import Costs
from dashboard.site import Site
from dashboard.system_panels import Shown, cards, panels
from dashboard.watch import Present
from store import event_log, footprint, queries
from store.event_log import Wanted
from store.queries import EventRow

LOOK_S = 5.0
MEASURE_S = 30.0
FIRST_S = 2.0
"""Less than the time that NiceGUI gives a page to be made in."""
EVENTS = 8
SETTINGS = Table("Settings", ("Key", "Value", "Default"), wide=("Default",))
COMMANDS = {
    "./tailorbird doctor": "looks at rights, passwords, limits, the clock, units, ports and the bundle, too",
    "./tailorbird doctor --fix": "mends what can safely be mended",
    "./tailorbird upkeep": "makes a backup and checks the whole database now",
    "./tailorbird config show --origin": "says where each setting comes from",
}


@dataclass(frozen=True)
class _Look:
    """What is quick to find."""

    machine: Machine
    events: Sequence[EventRow]
    now: Present


def add(_: FastAPI, site: Site) -> None:
    """Add the page, which keeps itself up to date."""

    @page_at("/system")
    async def page_system() -> None:
        with frame("System", "/system"):
            page = _System(site, is_admin=here().role >= Role.ADMIN)
            await page.begin()
        ui.timer(LOOK_S, page.look, immediate=False)
        ui.timer(MEASURE_S, page.measure)


class _System:
    """The page, which looks again and again."""

    def __init__(self, site: Site, *, is_admin: bool) -> None:
        self._site = site
        self._is_admin = is_admin
        self._looking = asyncio.Lock()
        self._due = ""
        self._costs: Costs = {}
        self._parts = Parts("troubles", "cards", "panels")
        html.h2("Services")
        self._parts.add("services")
        if is_admin:
            html.h2("Latest warnings and errors")
            self._parts.add("events")
            html.a("The whole event log", href="/events").classes("plain").style("margin-top: 10px")
        html.h2("Exports")
        ExportForm()
        if is_admin:
            html.h2("Settings that are not the default")
            _settings(site.settings)
            html.h2("In a terminal on this machine")
            _commands()

    async def begin(self) -> None:
        """Look for the first time; a database that does not answer must not keep the page away."""
        first = asyncio.create_task(self.look())
        await asyncio.wait({first}, timeout=FIRST_S)
        if first.done():
            first.result()
        else:
            self._parts.show(
                "troubles", "", lambda: note("Still looking: the database has not answered yet.", "trouble")
            )

    async def look(self) -> None:
        """Look at what is quick to find, and show what is new in it; one look at a time."""
        if not self._looking.locked():
            async with self._looking:
                await self._look_and_show()

    async def _look_and_show(self) -> None:
        found = await asyncio.to_thread(self._look)
        shown = Shown(
            self._site.settings,
            found.machine,
            found.now.connected,
            self._site.watch.capabilities,
            self._due,
            self._is_admin,
        )
        m, minute = found.machine, found.now.at.minute
        rows = running.rows(found.now, m.broker, self._costs, is_admin=self._is_admin)
        self._parts.show("troubles", m.troubles, lambda: self._told(m.troubles))
        self._parts.show("cards", (m.database, m.latest, m.disks, minute), lambda: cards(m))
        heard = (shown.connected, shown.capabilities, shown.due, minute)
        self._parts.show("panels", (m.database, m.latest, m.disks, heard), lambda: panels(shown))
        self._parts.show("services", rows, lambda: running.show(rows))
        if self._is_admin:
            self._parts.show("events", found.events, lambda: _events(found.events))

    async def measure(self) -> None:
        """Ask what may take longer: each service what it costs, and the database what is due to go."""
        self._due, self._costs = await asyncio.to_thread(self._measure)
        await self.look()

    def _look(self) -> _Look:
        settings = self._site.settings
        found = machine.look(settings)
        events: Sequence[EventRow] = []
        if self._is_admin and found.database is not None:
            with queries.reading(settings.store) as connection:
                events = event_log.events_page(connection, Wanted(level="warning"), limit=EVENTS).rows
        return _Look(found, events, self._site.watch.present())

    def _measure(self) -> tuple[str, Costs]:
        settings = self._site.settings
        try:
            with queries.reading(settings.store) as connection:
                due = footprint.due(connection, settings.upkeep, datetime.now(UTC))
        except SettingsError:
            due = ""
        names = [(one.service, one.instance) for one in self._site.watch.present().services]
        costs = {name: cost_of(settings.metrics, *name) for name in names}
        return due, {name: cost for name, cost in costs.items() if cost is not None}

    def _told(self, troubles: Sequence[str]) -> None:
        if not troubles:
            words = "\N{CHECK MARK} Database, backups and disks are in order."
            html.p(words).classes("good").props("role=status")
        else:
            words = "\n".join(troubles) if self._is_admin else "Something here needs the administrator."
            note(words, "trouble")


def _events(found: Sequence[EventRow]) -> None:
    if found:
        events_table(found)
    else:
        note("Neither a warning nor an error among the latest events.", "empty")


def _settings(settings: Settings) -> None:
    found = machine.changed(settings)
    if not found:
        note("Everything is as it comes: config.toml has every setting, with its reason.", "empty")
        return
    with SETTINGS.made():
        for one in found:
            SETTINGS.row(one.key, one.value or "nothing", one.default or "nothing")


def _commands() -> None:
    with html.ul().classes("kinds"):
        for command, does in COMMANDS.items():
            with html.li():
                html.code(command)
                html.span(does).classes("faint")
