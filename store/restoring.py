"""`restore`: a verified backup takes the database's place; what stood there is set aside, never deleted."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from broker.settings import Store
from store import backups, database, upgrading
from store.backups import Contents
from store.database import writing_engine
from store.errors import DatabaseProblem
from store.lock import DatabaseInUse, StoreLock
from store.schema import REVISION


@dataclass(frozen=True)
class Restored:
    """What a restore did: what the database holds now, and where everything that stood there lies."""

    contents: Contents
    migrated_from: str
    """The backup's schema, "" where it was this release's."""
    aside: tuple[Path, ...]
    ledger: bool


def restore(settings: Store, backup: Path, ledger: Path, at: datetime) -> Restored:
    """Put a backup in, and the ledger that was kept with it; the caller holds the agent's lock.

    Everything is copied, checked and migrated before anything that stands is touched. Raises DatabaseProblem,
    and then all is as it was.
    """
    path = database.file_of(settings.url)
    if path is None:
        raise DatabaseProblem("[store] url is no SQLite file: restore that database with its own tools")
    found = backups.verify(backup)
    place, ledger = (
        path.resolve(),
        ledger.resolve(),
    )  # behind a link, SQLite's own files lie beside the target
    kept = backups.ledger_of(backup)
    with _locked(path), contextlib.ExitStack() as leftovers:
        try:
            parts = []
            if kept.is_file():
                ledger.parent.mkdir(parents=True, exist_ok=True)
                parts = [(_staged(kept, ledger, leftovers), ledger)]
            parts.append((_prepared(backup, place, leftovers), place))
            aside = _exchange(parts, at)
        except OSError as error:
            raise DatabaseProblem(f"{backup} cannot be restored: {error.strerror or error}") from error
    migrated_from = found.revision if found.revision != REVISION else ""
    return Restored(backups.verify(path), migrated_from, tuple(aside), len(parts) > 1)


def refuse_running(path: Path) -> None:
    """Raise DatabaseProblem while a store, or another restore, has the database."""
    with _locked(path):
        pass


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        with StoreLock(path):
            yield
    except DatabaseInUse as error:
        raise DatabaseProblem(f"{error}: stop Tailorbird first") from error
    except OSError as error:
        raise DatabaseProblem(f"{path}: cannot be locked: {error.strerror}") from error


def _staged(source: Path, target: Path, leftovers: contextlib.ExitStack) -> Path:
    part = backups.staged(source, target)
    for side in ("", *backups.SIDES):
        leftovers.callback(part.with_name(part.name + side).unlink, missing_ok=True)
    return part


def _prepared(backup: Path, path: Path, leftovers: contextlib.ExitStack) -> Path:
    """Return a copy of the backup at this release's schema, with nothing beside it."""
    part = _staged(backup, path, leftovers)
    engine = writing_engine(Store(url=f"sqlite:///{part}"))
    try:
        upgrading.upgrade(engine, None)
    except sa.exc.SQLAlchemyError as error:
        raise DatabaseProblem(f"{backup} cannot be brought to this release's schema: {error}") from error
    finally:
        engine.dispose()  # the last connection folds the write-ahead log in
    backups.verify(part)
    backups.synced(part)
    return part


def _exchange(parts: Sequence[tuple[Path, Path]], at: datetime) -> list[Path]:
    """Set aside what stands and put the new files in, the ledger first.

    After a crash between the two the ledger is the older one: an image may get a second row, none is lost.
    """
    aside = [backups.set_aside(target, at) for _, target in parts]
    for part, target in parts:
        backups.put_in(part, target)
    return [one for one in aside if one is not None]
