"""What `doctor` sees in the database, its backups, and the model's bundle."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from broker import upkeep_record
from broker.errors import SettingsError
from broker.settings import Settings
from cli.doctor_files import database_file
from cli.finding import Finding, bad, ok, size, warn

CHECK_S = 5.0
AHEAD_S = 300.0
"""So far may the newest row lie ahead of this clock: another machine's time stands in it, too."""


def database(settings: Settings) -> Iterator[Finding]:
    """Say whether the database can be read, is of this release's schema, and shows no damage."""
    from store import database as databases
    from store import lost, queries

    path = database_file(settings)
    if path is not None and not lost.is_there(path):
        yield _missing(settings, path)
        return
    try:
        with queries.reading(settings.store) as connection:
            facts = queries.facts(connection, settings.store)
            newest = queries.newest_at(connection)
        yield ok("database", f"{facts.url}: schema {facts.schema}, {size(facts.size_bytes or 0)}")
        yield _clock_against(newest, datetime.now(UTC))
        if not newest and (answered := _answered(settings)):
            said = f"it holds no batch, and the agent's ledger calls {answered:,} images answered"
            yield warn("database", said, "unless they were too old to keep: ./tailorbird restore FILE")
        engine = databases.reading_engine(settings.store)
        try:
            whole = databases.check(engine, path, CHECK_S)
        finally:
            engine.dispose()
    except SettingsError as error:
        yield bad("database", str(error))
        return
    if path is not None:
        looked = "all of it" if whole else f"{CHECK_S:g} s of looking; `upkeep` looks at all of it"
        yield ok("database", f"no damage found, in {looked}")


def _missing(settings: Settings, path: Path) -> Finding:
    """Say whether it is not there yet, or not there any more."""
    from store import lost

    if said := lost.complaint(path, settings.upkeep.backups):
        return bad("database", said)
    if answered := _answered(settings):
        said = f"there is none at {path}, and the agent's ledger calls {answered:,} images answered"
        return bad(
            "database", said, "./tailorbird restore FILE, if there is a backup (docs/how-to/upkeep.md)"
        )
    return warn("database", f"there is none at {path} yet", "the store makes it when it starts")


def _answered(settings: Settings) -> int:
    """Return how many images this machine's agent has a receipt for; 0 where no agent has run."""
    from ingest_agent import inspection

    try:
        jobs = inspection.jobs(inspection.ledger_of(settings))
    except inspection.NoLedger:
        return 0
    return sum(job.stored + job.failed for job in jobs)


def _clock_against(newest: str, now: datetime) -> Finding:
    if newest:
        ahead_s = (datetime.fromisoformat(newest) - now).total_seconds()
        if ahead_s > AHEAD_S:
            said = f"the newest row is of {newest}, {ahead_s:,.0f} s ahead of this clock"
            return bad("clock", said, "set the clock: what is stored now sorts before what is older")
    return ok("clock", f"not behind the newest row{f', {newest}' if newest else ''}")


def backups(settings: Settings) -> Iterator[Finding]:
    """Say when the latest backup and the latest check were."""
    from store.latest_upkeep import latest_upkeep

    if database_file(settings) is None:
        yield ok("backup", "the database is no SQLite file: its backups are pg_dump's matter")
        return
    try:
        latest = latest_upkeep(settings.paths.state, settings.upkeep.backups)
        yield _age("backup", latest.backup_at, f"the latest backup is {latest.backup}", "there is no backup")
    except OSError as error:
        yield bad("backup", f"{settings.upkeep.backups}: {error.strerror}")
    checked = upkeep_record.moment(upkeep_record.read(settings.paths.state), "check_at")
    said, never = "`upkeep` checked the whole database", "`upkeep` has not checked the database yet"
    yield _age("check", checked, said, never)


def _age(about: str, at: datetime | None, said: str, never: str) -> Finding:
    advice = "./tailorbird upkeep, every day: a timer does it, and `up` by itself"
    if at is None:
        return warn(about, never, advice)
    hours = upkeep_record.hours_since(at, datetime.now(UTC))
    said = f"{said}, {hours:,.0f} hours ago"
    return warn(about, said, advice) if hours > upkeep_record.STALE_H else ok(about, said)


def bundle(settings: Settings) -> Iterator[Finding]:
    """Say whether the bundle that serves is whole, and an engine here gives its golden answers."""
    from model.bundle import verify
    from model.engines.engine import EngineError
    from model.engines.opening import open_engine
    from model.manifest import BundleError, resolve_bundle

    try:
        folder = resolve_bundle(settings.model.bundle)
        manifest = verify(folder)
        yield ok("bundle", f"{manifest.version}: {len(manifest.files)} files have the manifest's SHA-256")
        engine = open_engine(folder, settings.model.engine, settings.model.threads)
        yield ok("bundle", f"{engine.name}/{engine.precision} gives its golden answers")
    except BundleError as error:
        yield bad("bundle", str(error), "./tailorbird models list, models rollback; or [model] bundle")
    except EngineError as error:
        yield bad("bundle", str(error), "install the packages again, or set [model] engine")
