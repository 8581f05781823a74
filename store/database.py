"""The database's engines: one that writes, with what makes SQLite safe and quick, and one that only reads."""

import contextlib
import os
import re
import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from broker.mounts import mount_now
from broker.settings import Store
from store.errors import DatabaseProblem
from store.lock import DatabaseInUse

BUSY_SLICE_S = 0.5
"""How long one statement waits for a lock. Short, so that the service still hears `stop`; it tries again."""

JOURNAL_BYTES = 67_108_864
CACHE_KIB = 16_384
MODE = 0o640
"""Of a new SQLite file, which holds what was photographed: nobody's but the services' and their group's."""
STORE_LOCK = 0x7A11_0B12
"""PostgreSQL's advisory lock that makes the store's transactions follow each other, as SQLite's do."""


def parsed(url: str) -> sa.URL:
    """Return the URL, or raise DatabaseProblem when it is none."""
    try:
        return sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise DatabaseProblem(
            f"[store] url: expected a URL such as sqlite:////path/name.db, got {url!r}"
        ) from error


def shown(url: str) -> str:
    """Return the URL as it may be shown: without its password."""
    return parsed(url).render_as_string(hide_password=True)


def file_of(url: str) -> Path | None:
    """Return the file of an SQLite URL, None for any other database."""
    found = parsed(url)
    if found.get_backend_name() != "sqlite":
        return None
    if not found.database or found.database == ":memory:":
        raise DatabaseProblem(f"[store] url: {url!r} names no file, and the store keeps nothing in memory")
    return Path(found.database)


def refuse_network(path: Path | None) -> None:
    """Raise DatabaseProblem where an SQLite file would lie on another machine's disk."""
    mount = None if path is None else mount_now(path)
    if mount is not None and mount.is_remote:
        raise DatabaseProblem(
            f"{path} lies on a network file system ({mount.fs_type}, {mount.source}), where SQLite's locks do"
            " not hold: set [store] url to a local disk, or to PostgreSQL"
        )


def writing_engine(settings: Store, *, foreign_keys: bool = True) -> sa.Engine:
    """Return the store's own engine. Its transactions lock out other writers from their first statement on.

    Opens nothing yet; the SQLite file's folder is made when the first connection is. Without `foreign_keys`
    SQLite does not look for rows that refer to one that goes.
    """
    path = file_of(settings.url)
    engine = _engine(settings.url, {} if path is None else {"timeout": _slice(settings)})
    if path is None:
        sa.event.listen(engine, "begin", _lock_postgres)
    else:
        _prepare_sqlite(engine, path, settings, foreign_keys=foreign_keys)
    return engine


def reading_engine(settings: Store) -> sa.Engine:
    """Return an engine that cannot write. Raises DatabaseProblem when the SQLite file is not there."""
    path = file_of(settings.url)
    if path is None:
        return _engine(settings.url, {}).execution_options(
            postgresql_readonly=True, isolation_level="REPEATABLE READ"
        )
    if not path.is_file():
        raise DatabaseProblem(f"there is no database at {path} yet: the store makes it when it starts")
    readonly = sa.URL.create(
        "sqlite", database=f"file:{_uri_path(path)}", query={"mode": "ro", "uri": "true"}
    )
    engine = _engine(readonly, {"timeout": settings.busy_timeout_s})
    sa.event.listen(engine, "connect", _no_begin_of_its_own)
    sa.event.listen(engine, "begin", _begin_reading)
    return engine


def _engine(url: str | sa.URL, arguments: dict[str, Any]) -> sa.Engine:
    try:
        return sa.create_engine(
            url, connect_args=arguments, pool_size=1, max_overflow=2, hide_parameters=True
        )
    except (sa.exc.ArgumentError, ImportError) as error:
        raise DatabaseProblem(f"[store] url: {error}") from error


def _uri_path(path: Path) -> str:
    return path.absolute().as_uri().removeprefix("file://")


def _slice(settings: Store) -> float:
    return min(settings.busy_timeout_s, BUSY_SLICE_S)


def _prepare_sqlite(engine: sa.Engine, path: Path, settings: Store, *, foreign_keys: bool) -> None:
    @sa.event.listens_for(engine, "do_connect")
    def _folder(*_: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # it is there as a rule; what is wrong otherwise SQLite says
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))

    sa.event.listen(engine, "connect", _no_begin_of_its_own)

    @sa.event.listens_for(engine, "connect")
    def _pragmas(connection: sqlite3.Connection, _: object) -> None:
        for pragma in (
            "journal_mode = WAL",
            f"synchronous = {settings.synchronous}",
            f"foreign_keys = {'ON' if foreign_keys else 'OFF'}",
            f"cache_size = -{CACHE_KIB}",
            f"journal_size_limit = {JOURNAL_BYTES}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _no_begin_of_its_own(connection: sqlite3.Connection, _: object) -> None:
    # The driver's own BEGIN is deferred: a reader that becomes a writer gets BUSY at once, however long the
    # timeout. It comes late, too: DDL would not roll back, and two SELECTs would see two moments.
    connection.isolation_level = None


def _begin_reading(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _lock_postgres(connection: sa.Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({STORE_LOCK})")


WHAT_TO_DO = "stop Tailorbird and put a backup in, ./tailorbird restore FILE (docs/how-to/upkeep.md)"
INSTRUCTIONS = 20_000
"""Of SQLite's machine, between two looks at the clock: some milliseconds."""


def check(engine: sa.Engine, path: Path | None, limit_s: float = 0.0) -> bool:
    """Have SQLite look through the file, in seconds per gigabyte. Raises DatabaseProblem for damage.

    Return False when that took longer than `limit_s` (0: no limit), with no damage found until then.
    """
    if path is None or not path.exists():
        return True
    try:
        with engine.connect() as connection:
            found = _quick_check(connection, limit_s)
    except sa.exc.DatabaseError as error:
        if damaged(error):
            raise DatabaseProblem(
                f"{path} is no SQLite database, or it is damaged: {error.orig}; {WHAT_TO_DO}"
            ) from error
        if _sqlite_code(error) == sqlite3.SQLITE_INTERRUPT:
            return False
        raise
    if found != "ok":
        raise DatabaseProblem(f"{path} is damaged: {' '.join(str(found).split())}; {WHAT_TO_DO}")
    return True


def _quick_check(connection: sa.Connection, limit_s: float) -> str:
    driver: Any = connection.connection.dbapi_connection
    deadline = time.monotonic() + limit_s
    if limit_s:
        driver.set_progress_handler(lambda: time.monotonic() > deadline, INSTRUCTIONS)
    try:
        return str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    finally:
        driver.set_progress_handler(None, 0)


def damaged(error: sa.exc.DBAPIError) -> bool:
    """Tell whether SQLite says that the file's content cannot be right."""
    return _sqlite_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


_SQLITE_TROUBLES = {
    sqlite3.SQLITE_BUSY: "database-locked",
    sqlite3.SQLITE_LOCKED: "database-locked",
    sqlite3.SQLITE_FULL: "disk-full",
    sqlite3.SQLITE_READONLY: "database-read-only",
    sqlite3.SQLITE_PERM: "database-read-only",
    sqlite3.SQLITE_CANTOPEN: "database-unreadable",
    sqlite3.SQLITE_IOERR: "database-io",
    sqlite3.SQLITE_CORRUPT: "database-damaged",
    sqlite3.SQLITE_NOTADB: "database-damaged",
}
_POSTGRES_TROUBLES = {"53100": "disk-full", "25006": "database-read-only", "55P03": "database-locked"}
_OTHER_TROUBLES = (
    (DatabaseProblem, "database-unfit"),
    (DatabaseInUse, "database-in-use"),
    (FileNotFoundError, "database-missing"),
    (OSError, "database-unreadable"),
    (sa.exc.TimeoutError, "database-away"),
)
_POSTGRES_FAULTS = ("22", "23", "54")
"""Classes of SQLSTATE that a message brings about: its data, a constraint, a limit such as an index row's."""

TROUBLES = frozenset({"database-away", *_SQLITE_TROUBLES.values(), *(word for _, word in _OTHER_TROUBLES)})
"""The words by which the event log knows the world's errors."""


def trouble(error: Exception) -> str | None:
    """Return the word for an error of the world, None for one that the message itself brought about."""
    if isinstance(error, sa.exc.DBAPIError):
        return _driver_trouble(error)
    return next((word for kind, word in _OTHER_TROUBLES if isinstance(error, kind)), None)


_NOT_OF_A_MESSAGE = re.compile(r"no such (table|column)|has no column|within a transaction|malformed")


def unclear(error: Exception) -> bool:
    """Tell whether SQLite says no more than "error", as it does of a statement beyond one of its limits.

    Nobody knows whether that will ever be well again, so the message that brings it about, alone, is put
    aside: waiting would hold up all others for ever. A schema that somebody changed is the world's.
    """
    if not isinstance(error, sa.exc.OperationalError) or _sqlite_code(error) != sqlite3.SQLITE_ERROR:
        return False
    return _NOT_OF_A_MESSAGE.search(str(error.orig)) is None


def _driver_trouble(error: sa.exc.DBAPIError) -> str | None:
    if isinstance(error, sa.exc.IntegrityError | sa.exc.DataError):
        return None
    code = _sqlite_code(error)
    if code is not None:
        return _SQLITE_TROUBLES.get(code, "database-away")
    state = getattr(error.orig, "sqlstate", None) or ""
    return None if state.startswith(_POSTGRES_FAULTS) else _POSTGRES_TROUBLES.get(state, "database-away")


def _sqlite_code(error: sa.exc.DBAPIError) -> int | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
