"""How large the database is, how far back it goes, and what retention takes next."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from broker.settings import Store, Upkeep
from store import queries, retention
from store.database import file_of, shown
from store.queries import Connection, Totals
from store.schema import REVISION, batches


@dataclass(frozen=True)
class Footprint:
    """The database itself; `wal_bytes` is None for another than SQLite, `oldest_at` "" where it is empty."""

    where: str
    is_file: bool
    schema: str
    bytes: int
    wal_bytes: int | None
    oldest_at: str
    totals: Totals


def footprint(connection: Connection, settings: Store) -> Footprint:
    """Return what the database takes up. Its rows are counted from the jobs' own counts."""
    path = file_of(settings.url)
    size = queries.facts(connection, settings).size_bytes or 0
    wal = None if path is None else _size(path.with_name(path.name + "-wal"))
    oldest = sa.select(batches.c.stored_at).order_by(batches.c.id).limit(1)
    return Footprint(
        where=shown(settings.url) if path is None else str(path),
        is_file=path is not None,
        schema=REVISION,
        bytes=size - (wal or 0),
        wal_bytes=wal,
        oldest_at=connection.execute(oldest).scalar() or "",
        totals=queries.totals(connection),
    )


def due(connection: Connection, limits: Upkeep, at: datetime) -> str:
    """Return in words what retention deletes next; it takes the longer, the more that is."""
    return str(retention.plan(connection, limits, at))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
