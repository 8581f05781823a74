"""Today: whether it works, what is waiting, and what came in last."""

import asyncio
from collections.abc import Sequence

from fastapi import FastAPI
from nicegui import html, ui

from broker.messages import Status
from broker.settings import Settings
from broker.up_record import running_broker
from dashboard import running
from dashboard.access import UNREADABLE, Role, here
from dashboard.frame import Table, card, frame, note, nothing_yet, page_at
from dashboard.parts import Parts
from dashboard.quality_alerts import title_of
from dashboard.site import Site
from dashboard.tiles import tiles
from dashboard.watch import Present, Stored
from dashboard.words import NONE, SPACE, at, count, lasting
from store.times import seconds_between, stamp_of

LOOK_S = 1.0
SERVICES = Table(
    "Services",
    ("Service", "State", "Up since (UTC)", "Last sign of life", "Process", "Machine", "Release"),
    right=("Process",),
    wide=("Up since (UTC)", "Process", "Machine", "Release"),
)
ALERTS = Table("Open alerts", ("Alert", "Seen when it opened", "Since (UTC)", "Lasts"), wide=("Lasts",))
WARNING = "\N{WARNING SIGN}"


def add(_: FastAPI, site: Site) -> None:
    """Add the page, which keeps itself up to date."""

    @page_at("/")
    async def page_today() -> None:
        with frame("Today", "/"):
            page = _Today(site)
            await page.look()
        ui.timer(LOOK_S, page.look, immediate=False)


class _Today:
    """The page, which looks again and again."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._is_admin = here().role >= Role.ADMIN
        self._holding = False
        self._parts = Parts("troubles", "figures", "alerts")
        with html.div().classes("bar-row end"):
            html.h2("Latest images").classes("grow")
            self._hold = html.button("Hold").classes("plain").props("type=button aria-pressed=false")
            self._hold.props["title"] = "Keep these images while others come in"
            self._hold.on("click", self._turn)
        self._parts.add("latest")
        html.h2("Services")
        self._parts.add("services")

    def _turn(self) -> None:
        self._holding = not self._holding
        self._hold.props["aria-pressed"] = str(self._holding).lower()

    async def look(self) -> None:
        """Ask for the present, and show what is new in it."""
        now = await asyncio.to_thread(self._site.watch.present)
        stored = now.stored
        troubles = _troubles(now, is_admin=self._is_admin)
        self._parts.show("troubles", troubles, lambda: _told(troubles))
        cards = figures(now)
        self._parts.show("figures", cards, lambda: _cards(cards))
        broker = await asyncio.to_thread(running_broker, self._site.settings.paths.state)
        rows = [
            _service(one, now, self._site.settings, is_admin=self._is_admin)
            for one in running.known(now, broker)
        ]
        self._parts.show("services", rows, lambda: _services(rows))
        if stored is None:
            return
        if not self._holding:
            self._parts.show("latest", (stored.latest, sorted(stored.pictures)), lambda: self._latest(stored))
        self._parts.show("alerts", (stored.alerts, now.at.minute), lambda: _alerts(now, stored))

    def _latest(self, stored: Stored) -> None:
        if stored.latest:
            tiles(self._site, stored.latest, stored.pictures, folders=stored.folders)
        else:
            nothing_yet("image", self._site.settings, ". They appear here")


def _troubles(now: Present, *, is_admin: bool) -> list[str]:
    """Return what keeps images from flowing, as far as it can be seen from here."""
    unheard = [] if now.connected else ["The broker does not answer: is `up` running, or tailorbird-broker?"]
    return [*unheard, *([now.why if is_admin else UNREADABLE] if now.why else []), *now.troubles]


def _told(troubles: Sequence[str]) -> None:
    if troubles:
        note("\n".join(troubles), "trouble")
    else:
        html.p("\N{CHECK MARK} Everything is online, and pictures come back.").classes("good").props(
            "role=status"
        )


def figures(now: Present) -> list[tuple[str, str, str]]:
    """Return the cards: name, figure, and what to know of it."""
    stored = now.stored
    if stored is None:
        return []
    waiting = stored.backlog
    age_s = seconds_between(waiting.since, stamp_of(now.at)) if waiting.since else 0.0
    since = f"the oldest job is open for {lasting(age_s // 10 * 10)}" if waiting.images else "nothing waits"
    backlog = count(waiting.images, "images"), since
    if not any((one.service, one.state) == ("store", "online") for one in now.services):
        backlog = NONE, "not known: no store is online"
    model = [("Model", now.model, "")] if now.model else []
    alerts = f"{WARNING} {count(stored.open_alerts)}" if stored.open_alerts else count(0)
    return [
        ("Speed", f"{stored.last_minute / 60:,.1f}{SPACE}images/s", "the mean of the last minute"),
        ("Last hour", count(stored.last_hour, "images"), f"{count(stored.last_minute)} in the last minute"),
        ("Backlog", *backlog),
        ("Open alerts", alerts, _which(stored)),
        ("Jobs", count(stored.jobs), "in all"),
        *[
            ("Canary", lasting(one.latency_s), f"{one.source}, at {at(one.stored_at, now.at)} UTC")
            for one in stored.canaries
        ],
        *model,
    ]


def _which(stored: Stored) -> str:
    """Say which of the open alerts are listed."""
    if not stored.open_alerts:
        return "none"
    listed = len(stored.alerts)
    return "listed below" if listed >= stored.open_alerts else f"the newest {count(listed)} are listed below"


def _cards(figures: Sequence[tuple[str, str, str]]) -> None:
    with html.dl().classes("cards"):
        for name, value, more in figures:
            card(name, value, more, "bad" if value.startswith(WARNING) else "")


def last_sign(one: Status, now: Present, settings: Settings) -> str:
    """Return when a service was last there, as closely as the broker tells.

    A service says nothing while it is well: its keep-alives reach the broker, which publishes its last will
    where none came for one and a half of their intervals. The page itself, and the broker, are there or not.
    """
    if one.service in {"broker", "dashboard"}:
        return NONE if one.state in running.GONE else "now"
    if one.state not in running.GONE:
        own = getattr(getattr(settings, one.service, None), "keepalive_s", settings.broker.keepalive_s)
        return f"within {1.5 * own:g}{SPACE}s"
    heard = now.heard.get((one.service, one.instance))
    return NONE if heard is None else f"before {at(stamp_of(heard), now.at)}"


def _service(one: Status, now: Present, settings: Settings, *, is_admin: bool) -> tuple[str, ...]:
    where = (str(one.pid), one.host) if is_admin else (NONE, NONE)
    # A status knows when its service came, and not when it went.
    since = NONE if one.state in running.GONE else at(one.since, now.at)
    state = running.SIGNS.get(one.state, one.state)
    return f"{one.service} {one.instance}", state, since, last_sign(one, now, settings), *where, one.version


def _services(rows: Sequence[tuple[str, ...]]) -> None:
    with SERVICES.made():
        for row in rows:
            SERVICES.row(*row)


def _alerts(now: Present, stored: Stored) -> None:
    if not stored.alerts:
        return
    html.h2("Open alerts")
    with ALERTS.made():
        for one in stored.alerts:
            cells = (title_of(one), one.detail, at(one.opened_at, now.at), lasting(one.lasted_s(now.at)))
            ALERTS.row(*cells, href=f"/quality#alert-{one.alert_id}")
