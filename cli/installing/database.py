"""The database and the agent's ledger around an upgrade: copied before it, put back when it fails."""

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from broker.settings import Settings
from cli.ownership import acting_as_owner
from ingest_agent.ledger_schema import ledger_path
from store import backups
from store.database import file_of

KEPT = 3
PREFIX = "before-install-"


@dataclass(frozen=True)
class Copies:
    """What is copied before an upgrade, as `backup` would: to `file`, and the ledger beside it.

    `database` is None where the database is no file of ours; then the ledger is copied alone.
    """

    state: Path
    database: Path | None
    ledger: Path | None
    file: Path
    min_free_mb: int

    @property
    def ledger_copy(self) -> Path:
        """Where `restore` looks for the ledger."""
        return backups.ledger_of(self.file)

    @property
    def by_hand(self) -> str:
        """How somebody puts them back, in words."""
        if self.database is None:
            return f"make room, put {self.ledger_copy} in the place of {self.ledger}"
        return f"make room, sudo tailorbird restore {self.file}"

    def pairs(self) -> list[tuple[Path, Path]]:
        """Return each copy and what it is put back as: the ledger first."""
        every = ((self.ledger_copy, self.ledger), (self.file, self.database))
        return [(copy, there) for copy, there in every if there is not None]

    def __str__(self) -> str:
        """Return what is copied where, in words."""
        return "; ".join(f"{there} to {copy}" for copy, there in reversed(self.pairs()))


def copies(settings: Settings, at: datetime) -> Copies:
    """Return what is there to be copied, and where to."""
    database = file_of(settings.store.url)
    ledger = ledger_path(settings.paths.state, settings.ingest_agent.source)
    return Copies(
        settings.paths.state,
        database if database is not None and database.is_file() else None,
        ledger if ledger.is_file() else None,
        settings.upkeep.backups / f"{PREFIX}{at.astimezone(UTC):%Y%m%dT%H%M%SZ}.db",
        settings.store.min_free_mb,
    )


def save(made: Copies) -> None:
    """Copy, verified and durable; older copies but the last few are removed. Raises DatabaseProblem."""
    with acting_as_owner(made.state):
        if made.database is not None:
            backups.make(made.database, made.file, ledger=made.ledger, min_free_mb=made.min_free_mb)
        elif made.ledger is not None:
            backups.make_of_ledger(made.ledger, made.ledger_copy)
        _prune(made.file.parent)


def _prune(folder: Path) -> None:
    for suffix in ("Z.db", f"Z.db{backups.LEDGER}"):
        for old in sorted(folder.glob(f"{PREFIX}*{suffix}"))[:-KEPT]:
            old.unlink()


def restore_if_changed(made: Copies) -> list[Path]:
    """Put the copies back where a newer release has changed a schema, all of them or none; return which.

    Otherwise the older release reads what there is, and rows that have come since stay. All together, since
    the ledger must not believe in rows that the database has lost: it sends those images again. So both are
    staged, durable, before either takes its place, and the ledger goes first: with the older ledger and the
    newer database images are read again, which is safe. Raises OSError, and then neither has changed.
    """
    with acting_as_owner(made.state):
        pairs = [(copy, there) for copy, there in made.pairs() if copy.is_file()]
        if all(_schema(there) == _schema(copy) for copy, there in pairs):
            return []
        staged: list[tuple[Path, Path]] = []
        try:
            staged.extend((backups.staged(copy, there), there) for copy, there in pairs)
            for part, there in staged:
                backups.replace(part, there)
        finally:
            for _, there in pairs:
                there.with_name(there.name + backups.PART).unlink(missing_ok=True)
    return [there for _, there in staged]


def _schema(file: Path) -> Sequence[object]:
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
