"""Backups of an SQLite database: made beside the running store, verified, kept by number, and put back.

A backup is one file, and beside it, as `FILE.ledger`, the agent's ledger as it was just before. In that
order an image that the ledger calls answered has its row in the backup. So after a restore of both, the agent
reads again what was answered since, and every image that lies in the inbox has its row.

Nothing is lost by that, and little is doubled: an image that was first read and stored between the two
copies, seconds apart, has a row in the backup and none in the ledger, so it gets a second row, under a new
job. The other order would lose the row of such an image: the ledger would call answered what the database
lacks. Only a pause of the line, or one transaction over both files, would spare both.
"""

import contextlib
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from store.disk import MEGABYTE
from store.errors import DatabaseProblem
from store.schema import REVISION

T = TypeVar("T")
NAME = re.compile(r"tailorbird-\d{8}T\d{6}Z\.db\Z")
LEDGER = ".ledger"
PART = ".part"
STALE_S = 86_400.0
SIDES = ("-wal", "-shm")
ROWS = ("predictions", "failures", "jobs", "reviews")


@dataclass(frozen=True)
class Contents:
    """What a verified file holds. `newest_at` is when its latest batch was stored, "" where there is none."""

    revision: str
    jobs: int
    predictions: int
    failures: int
    newest_at: str

    def __str__(self) -> str:
        """Return it in words."""
        newest = f", the latest stored at {self.newest_at}" if self.newest_at else ""
        counts = {"job": self.jobs, "prediction": self.predictions, "failure": self.failures}
        return ", ".join(f"{n:,} {one}{'' if n == 1 else 's'}" for one, n in counts.items()) + newest


@dataclass(frozen=True)
class Backup:
    """A backup that was made."""

    file: Path
    bytes: int
    contents: Contents
    ledger: Path | None


def new_name(at: datetime) -> str:
    """Return the name of a backup made at a moment."""
    return f"tailorbird-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}.db"


def make(database: Path, target: Path, *, ledger: Path | None, min_free_mb: int) -> Backup:
    """Copy ledger and database, whole and compact, beside whoever writes them; verify the copy.

    Each file appears under its name when it is complete and durable, mode 0600. Raises DatabaseProblem, one
    sentence, and leaves nothing half-done.
    """
    if not database.is_file():
        raise DatabaseProblem(f"there is no database at {database} yet: the store makes it when it starts")
    _make_folder(target.parent)
    _check_room(database, target.parent, min_free_mb)
    kept = None
    with contextlib.ExitStack() as unfinished, _as_problem(target):
        if ledger is not None and ledger.is_file():
            kept = ledger_of(target)
            _copy(ledger, kept, _quick_check)
            unfinished.callback(kept.unlink, missing_ok=True)
        least = _newest_batch(database)
        contents = _copy(database, target, verify)
        if _newest_batch(target) < least:
            raise DatabaseProblem(f"{target} is no whole copy: it lacks batches that {database} had before")
        unfinished.pop_all()
    return Backup(target, target.stat().st_size, contents, kept)


def ledger_of(target: Path) -> Path:
    """Return where the ledger lies that was kept with a backup."""
    return target.with_name(target.name + LEDGER)


def make_of_ledger(ledger: Path, target: Path) -> None:
    """Copy a ledger alone, where the database is another machine's. Raises DatabaseProblem."""
    _make_folder(target.parent)
    with _as_problem(target):
        _copy(ledger, target, _quick_check)


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise DatabaseProblem(f"{folder}: cannot be made: {error.strerror}") from error


def _check_room(database: Path, folder: Path, min_free_mb: int) -> None:
    """Refuse a backup that would leave the disk so full that the store stops."""
    files = (database, database.with_name(f"{database.name}-wal"))
    needed_mb = sum(file.stat().st_size for file in files if file.exists()) / MEGABYTE + min_free_mb
    found = os.statvfs(folder)
    free_mb = found.f_bavail * found.f_frsize / MEGABYTE
    if free_mb < needed_mb:
        raise DatabaseProblem(
            f"{folder}: {free_mb:,.0f} MB free, a backup may need {needed_mb:,.0f} MB (with [store]"
            " min_free_mb): make room, or set [upkeep] backups to another disk"
        )


@contextlib.contextmanager
def _as_problem(target: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseProblem(f"{target}: no backup was made: {error}") from error
    except OSError as error:
        raise DatabaseProblem(f"{target}: no backup was made: {error.strerror}") from error


def _copy(source: Path, target: Path, check: Callable[[Path], T]) -> T:
    part = target.with_name(target.name + PART)
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        with closing(reading(source)) as connection:
            connection.execute("VACUUM INTO ?", (str(part),))
        checked = check(part)
        synced(part)
        os.replace(part, target)  # noqa: PTH105 - one atomic step, named as what it is
        synced(target.parent)
    finally:
        part.unlink(missing_ok=True)
    return checked


def synced(path: Path) -> None:
    """Make a file, or a folder's names, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reading(path: Path) -> sqlite3.Connection:
    """Open an SQLite file that is there, without writing. Raises sqlite3.Error."""
    return sqlite3.connect(
        path.absolute().as_uri() + "?mode=ro", uri=True, timeout=30.0, isolation_level=None
    )


def _newest_batch(path: Path) -> int:
    with closing(reading(path)) as connection:
        return int(connection.execute("SELECT coalesce(max(id), 0) FROM batches").fetchone()[0])


def _quick_check(path: Path) -> None:
    with closing(reading(path)) as connection:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise DatabaseProblem(f"{path} is damaged: {' '.join(str(found).split())}")


def verify(path: Path) -> Contents:
    """Look through a whole database file and count its rows.

    Raises DatabaseProblem when it is damaged, is none of ours, or is a newer release's.
    """
    try:
        _quick_check(path)
        with closing(reading(path)) as connection:
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            jobs, predictions, failures = (
                connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
                for table in ("jobs", "predictions", "failures")
            )
            (newest,) = connection.execute("SELECT max(stored_at) FROM batches").fetchone()
    except (sqlite3.Error, TypeError) as error:
        raise DatabaseProblem(f"{path} is no database of Tailorbird's, or it is damaged: {error}") from error
    if revision > REVISION:
        raise DatabaseProblem(
            f"{path} has schema {revision}, this release knows {REVISION}: restore it with the newer release"
        )
    return Contents(revision, jobs, predictions, failures, newest or "")


def listed(folder: Path) -> list[Path]:
    """Return the backups of `upkeep` in a folder, the newest last."""
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if NAME.match(file.name))


def has_rows(path: Path) -> bool:
    """Tell whether a database holds anything worth keeping; one that cannot be read counts as if it did."""
    try:
        with closing(reading(path)) as connection:
            there = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            tables = [table for table in ROWS if (table,) in there]
            return any(
                connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0]  # noqa: S608
                for table in tables
            )
    except sqlite3.Error:
        return True


def superseded(folder: Path, keep: int, coming: Path | None = None) -> list[Path]:
    """Return the backups that `prune` would delete: all but the newest, and but the last one with rows.

    `coming` is the database of which one more is to be made.
    """
    found = listed(folder)
    old = found[: max(0, len(found) - keep)]
    kept = [*found[len(old) :], *([] if coming is None else [coming])]
    if any(has_rows(file) for file in reversed(kept)):
        return old
    spared = next((file for file in reversed(old) if has_rows(file)), None)
    return [file for file in old if file != spared]


def prune(folder: Path, keep: int) -> list[Path]:
    """Delete all backups of `upkeep` but the newest, and what was left of killed ones; return which."""
    if folder.is_dir():
        for part in [*folder.glob(f"tailorbird-*{PART}"), *_without_database(folder)]:
            if time.time() - part.stat().st_mtime > STALE_S:
                part.unlink(missing_ok=True)
    old = superseded(folder, keep)
    for file in old:
        file.with_name(file.name + LEDGER).unlink(missing_ok=True)
        file.unlink(missing_ok=True)
    return old


def _without_database(folder: Path) -> list[Path]:
    """Return the ledgers whose database was never copied."""
    return [file for file in folder.glob(f"tailorbird-*{LEDGER}") if not file.with_name(file.stem).exists()]


def set_aside(path: Path, at: datetime) -> Path | None:
    """Give a database another name, with what belongs to it; return that, None where there was none.

    The file itself keeps its old name as well, until another takes its place: at no moment is there none.
    """
    if not path.exists():
        return None
    _fold_in(path)
    aside = path.with_name(f"{path.name}.before-restore-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    for side in SIDES:
        beside = path.with_name(path.name + side)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + side))
    os.link(path, aside)
    synced(path.parent)
    return aside


def _fold_in(path: Path) -> None:
    """Fold the write-ahead log into the file; a damaged one is set aside as it is, with its log."""
    with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=5.0)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def staged(source: Path, target: Path) -> Path:
    """Copy a file next to where it shall go, durable, mode 0600; return the copy."""
    part = target.with_name(target.name + PART)
    part.unlink(missing_ok=True)
    with source.open("rb") as whole, os.fdopen(_created(part), "wb") as copy:
        shutil.copyfileobj(whole, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())
    return part


def _created(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def put_in(part: Path, target: Path) -> None:
    """Let a staged file take its place, in one step, with the rights of what stood there."""
    if target.exists():
        part.chmod(target.stat().st_mode & 0o777)
    os.replace(part, target)  # noqa: PTH105 - one atomic step, named as what it is
    synced(target.parent)


def replace(part: Path, target: Path) -> None:
    """Let a staged file take its place, and keep nothing of what stood there; nobody may have it open."""
    _fold_in(target)
    for side in SIDES:
        target.with_name(target.name + side).unlink(missing_ok=True)
    put_in(part, target)
