"""System's figures and panels: database, upkeep, disks, broker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from nicegui import html

from broker.certificates import Validity
from broker.connection import Capabilities
from broker.listeners import named_listener
from broker.settings import Settings
from broker.upkeep_record import STALE_H, hours_since
from dashboard.frame import card
from dashboard.machine import Disk, Machine
from dashboard.words import ago, at, count, size

DAY = "\N{NO-BREAK SPACE}days"


@dataclass(frozen=True)
class Shown:
    """What the panels show; `is_admin`: with paths and addresses. `due` "": not known yet."""

    settings: Settings
    found: Machine
    connected: bool
    capabilities: Capabilities
    due: str
    is_admin: bool


def cards(found: Machine) -> None:
    """Show the figures that matter most."""
    database, latest = found.database, found.latest
    with html.dl().classes("cards"):
        if database is not None:
            wal = "" if database.wal_bytes is None else f"and {size(database.wal_bytes)} write-ahead log"
            card("Database", size(database.bytes), wal)
            card(
                "Predictions",
                count(database.totals.predictions, "rows"),
                f"{count(database.totals.jobs, 'jobs')}",
            )
            if database.is_file and latest is not None:
                card("Last backup", *_age(latest.backup_at, found.at, is_new=found.is_new))
                card("Last check", *_age(latest.check_at, found.at, is_new=found.is_new))
        for one in found.disks[:1]:
            card("Free on disk", size(one.room.free_bytes), f"of {size(one.room.whole_bytes)}")


def _age(then: datetime | None, now: datetime, *, is_new: bool) -> tuple[str, str]:
    if then is None:
        return (
            ("not yet", "the first one is made within a day")
            if is_new
            else ("never", "! run ./tailorbird upkeep")
        )
    late = "! it should be daily" if hours_since(then, now) > STALE_H else ""
    return ago(then, now), late or f"at {_moment(then, now)} UTC"


def _moment(then: datetime, now: datetime) -> str:
    return at(then.astimezone(UTC).isoformat(timespec="seconds"), now)


def panels(shown: Shown) -> None:
    """Show the panels side by side."""
    with html.div().classes("panels"):
        _panel("Database", _database(shown))
        _panel("Upkeep", _upkeep(shown))
        _panel("Broker", _broker(shown))
        with _section("Disks"), html.dl().classes("facts disks"):
            for one in shown.found.disks:
                _disk(one, is_admin=shown.is_admin)


def _section(name: str) -> html.section:
    with html.section().classes("panel") as made:
        html.h2(name)
    return made


def _panel(name: str, facts: Sequence[tuple[str, str]]) -> None:
    with _section(name), html.dl().classes("facts"):
        for what, said in facts:
            html.dt(what)
            html.dd(said)


def _database(shown: Shown) -> list[tuple[str, str]]:
    found = shown.found.database
    if found is None:
        return [("State", "\N{BALLOT X} cannot be read")]
    totals = found.totals
    return [
        ("Kind", "SQLite file" if found.is_file else "another server"),
        *([("Where", found.where)] if shown.is_admin else []),
        ("Schema", found.schema),
        ("Predictions", count(totals.predictions, "rows")),
        ("Failures", count(totals.failures, "rows")),
        ("Rejects", count(totals.rejects, "rows")),
        ("Jobs", f"{count(totals.jobs)}, {count(totals.open_jobs)} open"),
        ("Oldest batch", at(found.oldest_at, shown.found.at) if found.oldest_at else "none yet"),
    ]


def _upkeep(shown: Shown) -> list[tuple[str, str]]:
    limits, latest = shown.settings.upkeep, shown.found.latest
    backup = latest.backup if latest is not None and latest.backup else "none"
    keep = f"{limits.keep_days:g}{DAY}" if limits.keep_days else "for ever"
    most = [("Database at most", size(limits.keep_bytes))] if limits.keep_bytes else []
    events = f"{limits.keep_events_days:g}{DAY}" if limits.keep_events_days else "for ever"
    pixels = shown.settings.store.keep_pixels_days
    return [
        *([("Latest backup", backup)] if shown.is_admin else []),
        ("Backups kept", count(limits.keep_backups)),
        ("Jobs kept", keep),
        *most,
        ("Events kept", events),
        ("Pixels kept", f"{pixels:g}{DAY}" if pixels else "not kept"),
        ("Due to be deleted", shown.due or "\N{HORIZONTAL ELLIPSIS}"),
    ]


def _broker(shown: Shown) -> list[tuple[str, str]]:
    broker, found = shown.settings.broker, shown.found
    listener = named_listener(broker)
    facts = [("State", "\N{CHECK MARK} connected" if shown.connected else "\N{BALLOT X} it does not answer")]
    if shown.is_admin:
        facts.append(("Address", listener.address))
    facts.append(("Encryption", "TLS" if listener.tls else "none: it never leaves this machine"))
    if found.broker is not None:
        facts.append(("Program", f"Mosquitto {found.broker.version}, run by up"))
    elif not broker.manage:
        facts.append(("Program", "another's: [broker] manage = false"))
    if found.certificate is not None:
        facts.append(("Certificate", _until(found.certificate, found.at)))
    return [*facts, *(_abilities(shown.capabilities) if shown.connected else [])]


def _until(found: Validity, now: datetime) -> str:
    return f"until {found.ends_at:%Y-%m-%d}, {found.left_days(now):,.0f}{DAY} left"


def _abilities(found: Capabilities) -> list[tuple[str, str]]:
    """Return what the broker named in its CONNACK."""
    most = found.maximum_packet_size
    expiry = found.session_expiry_s
    return [
        ("Quality of service", f"up to {found.maximum_qos}"),
        ("Largest message", "no limit named" if most is None else size(most)),
        ("Unanswered at most", count(found.receive_maximum, "messages")),
        ("Retained messages", _yes(found.retain_available)),
        ("Shared subscriptions", _yes(found.shared_subscription_available)),
        ("Wildcards", _yes(found.wildcard_subscription_available)),
        ("Subscription ids", _yes(found.subscription_identifiers_available)),
        ("Topic aliases", count(found.topic_alias_maximum) if found.topic_alias_maximum else "none"),
        ("Session kept", "as the client asks" if expiry is None else f"{expiry:,} s"),
    ]


def _yes(given: bool) -> str:  # noqa: FBT001 - a word for it
    return "yes" if given else "\N{BALLOT X} no"


def _disk(one: Disk, *, is_admin: bool) -> None:
    room = one.room
    html.dt(one.what.capitalize())
    with html.dd():
        sign = {"ok": "", "warn": "! little room: ", "bad": "\N{BALLOT X} too little room: "}[room.state]
        said = f"{sign}{size(room.free_bytes)} free of {size(room.whole_bytes)}"
        html.span(said).classes("" if room.state == "ok" else "bad")
        with html.div().classes("track").props("aria-hidden=true"):
            used = 100 * (1 - room.free_bytes / room.whole_bytes) if room.whole_bytes else 100
            fill = html.div().classes("fill" if room.state == "ok" else "fill low")
            fill.style(f"width: {used:.1f}%")
        bound = f"the store takes nothing below {size(room.bound_bytes)}" if room.bound_bytes else ""
        html.span("; ".join(filter(None, (str(room.place) if is_admin else "", bound)))).classes("faint")
