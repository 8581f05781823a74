"""The database and the agent's ledger around an upgrade: copied before it, put back when it fails."""

import contextlib
import os
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from broker.settings import Settings
from cli.errors import CannotRun
from ingest_agent.ledger_schema import ledger_path
from store.database import file_of

KEPT = 3
PREFIX = "before-install-"


@dataclass(frozen=True)
class Backup:
    """One SQLite file and its copy."""

    file: Path
    copy: Path


def backups(settings: Settings, at: datetime) -> list[Backup]:
    """Return what is there to be copied, and where to; nothing of a database that is no file of ours."""
    folder = settings.paths.state / "backups"
    stamp = f"{PREFIX}{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    database = file_of(settings.store.url)
    ledger = ledger_path(settings.paths.state, settings.ingest_agent.source)
    pairs = [Backup(ledger, folder / f"{stamp}-ledger.db")]
    if database is not None:
        pairs.insert(0, Backup(database, folder / f"{stamp}.db"))
    return [pair for pair in pairs if pair.file.is_file()]


def save(pairs: list[Backup]) -> None:
    """Copy each, whole and compact; older copies but the last few are removed. Raises CannotRun."""
    for pair in pairs:
        pair.copy.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        part = pair.copy.with_name(f".{pair.copy.name}.part")
        part.unlink(missing_ok=True)
        try:
            with contextlib.closing(sqlite3.connect(pair.file)) as connection:
                connection.execute("VACUUM INTO ?", (str(part),))
        except sqlite3.Error as error:
            part.unlink(missing_ok=True)
            raise CannotRun(f"{pair.file} could not be copied to {pair.copy}: {error}") from error
        _as_the_original(part, pair.file)
        part.replace(pair.copy)
        _prune(pair.copy.parent)


def _prune(folder: Path) -> None:
    for suffix in ("Z.db", "Z-ledger.db"):
        for old in sorted(folder.glob(f"{PREFIX}*{suffix}"))[:-KEPT]:
            old.unlink()


def restore_if_changed(pairs: list[Backup]) -> list[Path]:
    """Put the copies back where a newer release has changed a schema, all of them or none; return which.

    Otherwise the older release reads what there is, and rows that have come since stay. All together, since
    the ledger must not believe in rows that the database has lost: it sends those images again.
    """
    there = [pair for pair in pairs if pair.copy.is_file()]
    if all(_schema(pair.file) == _schema(pair.copy) for pair in there):
        return []
    for pair in there:
        part = pair.file.with_name(f".{pair.file.name}.part")
        shutil.copy2(pair.copy, part)
        _as_the_original(part, pair.copy)
        for suffix in ("-wal", "-shm"):
            pair.file.with_name(pair.file.name + suffix).unlink(missing_ok=True)
        part.replace(pair.file)
    return [pair.file for pair in there]


def _schema(file: Path) -> tuple[object, object]:
    """Return what tells one release's file from another's; a file that cannot be read equals none."""
    try:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            own = connection.execute("PRAGMA user_version").fetchone()[0]
            tables = connection.execute(
                "SELECT 1 FROM sqlite_schema WHERE name = 'alembic_version'"
            ).fetchone()
            version = tables and connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        return str(file), error
    return own, version


def _as_the_original(copy: Path, original: Path) -> None:
    there = original.stat()
    copy.chmod(there.st_mode & 0o777)
    if os.geteuid() == 0:
        os.chown(copy, there.st_uid, there.st_gid)
