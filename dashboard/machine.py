"""What stands behind the page: disks, backups, the broker's certificate, changed settings, and what is wrong.

Everything is found here and judged by the bounds of `doctor`; `dashboard.system` shows it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from broker.certificates import SOON_DAYS, Validity, validity_of
from broker.errors import BrokerProblem, SettingsError
from broker.listeners import named_listener
from broker.live_settings import changed_keys
from broker.setting_words import shown
from broker.settings import Broker, Paths, Settings
from broker.settings_reader import PROJECT, default_settings
from broker.up_record import RunningBroker, running_broker
from broker.upkeep_record import STALE_H, hours_since
from dashboard.words import size
from store import queries
from store.disk import Room, room_at
from store.footprint import Footprint, footprint
from store.latest_upkeep import LatestUpkeep, latest_upkeep
from store.times import moment

FIRST_H = 24.0
"""How old a database may be before a backup is missed."""
UPKEEP = "up makes one each day by itself, a timer under systemd, or: ./tailorbird upkeep"


@dataclass(frozen=True)
class Disk:
    """A disk, and what lies on it."""

    what: str
    room: Room


@dataclass(frozen=True)
class Changed:
    """A setting that is not the default."""

    key: str
    value: str
    default: str


@dataclass(frozen=True)
class Machine:
    """One look. `database` and `latest` are None where they cannot be read; `troubles` say why."""

    at: datetime
    database: Footprint | None
    latest: LatestUpkeep | None
    disks: list[Disk]
    broker: RunningBroker | None
    certificate: Validity | None
    troubles: list[str]
    is_new: bool = False
    """Whether it is the database's first day."""


def look(settings: Settings) -> Machine:
    """Look at everything that is quick to find."""
    at = datetime.now(UTC)
    troubles: list[str] = []
    database = _database(settings, troubles)
    latest = _latest(settings, troubles)
    certificate = _certificate(settings.broker, troubles)
    disks = _disks(settings, database, troubles)
    is_new = database is not None and _is_new(database, at)
    if database is None or database.is_file:
        troubles += [] if latest is None else _ages(latest, at, is_new=is_new)
    troubles += [] if certificate is None else _ending(certificate, at)
    troubles += [_full(one, settings.store.min_free_mb) for one in disks if one.room.state != "ok"]
    running = running_broker(settings.paths.state)
    return Machine(at, database, latest, disks, running, certificate, troubles, is_new)


def changed(settings: Settings) -> list[Changed]:
    """Return the settings that are not as they come, without passwords."""
    plain = default_settings(settings.paths.state)
    state, usual = str(settings.paths.state), str(PROJECT / Paths().state)
    found = [] if state == usual else [Changed("[paths] state", state, usual)]
    for name in changed_keys(plain, settings):
        section, key = name.split(".")
        was, now = (shown(getattr(getattr(one, section), key)) for one in (plain, settings))
        found.append(Changed(f"[{section}] {key}", now, was))
    return found


def _database(settings: Settings, troubles: list[str]) -> Footprint | None:
    try:
        with queries.reading(settings.store) as connection:
            return footprint(connection, settings.store)
    except SettingsError as problem:
        troubles.append(str(problem))
        return None


def _latest(settings: Settings, troubles: list[str]) -> LatestUpkeep | None:
    try:
        return latest_upkeep(settings.paths.state, settings.upkeep.backups)
    except OSError as error:
        troubles.append(f"The backups cannot be seen: {error.strerror}.")
        return None


def _is_new(database: Footprint, at: datetime) -> bool:
    return not database.oldest_at or hours_since(moment(database.oldest_at), at) < FIRST_H


def _ages(latest: LatestUpkeep, at: datetime, *, is_new: bool) -> list[str]:
    found: list[str] = []
    if latest.backup_at is None and latest.check_at is None:
        if is_new:
            return []
        return [f"There is neither a backup nor a check of the database yet: {UPKEEP}."]
    for then, name, never in (
        (latest.backup_at, "The latest backup", "There is no backup yet"),
        (
            latest.check_at,
            "The latest check of the whole database",
            "The whole database was never checked",
        ),
    ):
        if then is None:
            found.append(f"{never}: {UPKEEP}.")
        elif (hours := hours_since(then, at)) > STALE_H:
            found.append(f"{name} is {hours / 24:.0f} days old: {UPKEEP}.")
    return found


def _certificate(settings: Broker, troubles: list[str]) -> Validity | None:
    if not settings.manage or not named_listener(settings).tls:
        return None
    try:
        return validity_of(settings.tls_certificate)
    except BrokerProblem as problem:
        troubles.append(str(problem))
        return None


def _ending(found: Validity, at: datetime) -> list[str]:
    days = found.left_days(at)
    if days >= SOON_DAYS:
        return []
    ends = f"ends in {days:.0f} days" if days > 0 else "has expired, so that no client outside connects"
    return [f"The broker's certificate {ends}: ./tailorbird doctor says what renews it."]


def _disks(settings: Settings, database: Footprint | None, troubles: list[str]) -> list[Disk]:
    """Return each disk once, with what lies on it."""
    wanted = {"state": settings.paths.state, "backups": settings.upkeep.backups}
    if database is not None and database.is_file:
        wanted["database"] = Path(database.where).parent
    wanted["inbox"] = settings.ingest_agent.inbox
    found: dict[int, tuple[list[str], Room]] = {}
    for name, path in wanted.items():
        try:
            room = room_at(path, settings.store.min_free_mb)
        except OSError as error:
            troubles.append(f"The disk of the {name} cannot be seen: {error.strerror}.")
            continue
        found.setdefault(room.device, ([], room))[0].append(name)
    return [Disk(", ".join(names), room) for names, room in found.values()]


def _full(one: Disk, min_free_mb: int) -> str:
    said = f"{size(one.room.free_bytes)} free on the disk of {one.what}"
    if one.room.state == "bad":
        return f"{said}, below [store] min_free_mb = {min_free_mb}: the store takes nothing; make room."
    return f"{said}: make room, or set [upkeep] keep_days or keep_bytes."
