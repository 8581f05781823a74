"""The ledger's tables, and how its file is opened."""

import sqlite3
from pathlib import Path

SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE folders (
    id INTEGER PRIMARY KEY,
    folder BLOB NOT NULL UNIQUE,
    root TEXT NOT NULL DEFAULT '',             -- the inbox's identity when images were last taken from it
    results_due INTEGER NOT NULL DEFAULT 0     -- results.csv could not be written yet
) STRICT;
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL UNIQUE,
    folder INTEGER NOT NULL REFERENCES folders,
    state TEXT NOT NULL,                       -- open, closing, closed
    opened_at TEXT NOT NULL,
    closed_at TEXT NOT NULL DEFAULT '',
    seen INTEGER NOT NULL DEFAULT 0,
    sent INTEGER NOT NULL DEFAULT 0,
    stored INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    process_s REAL NOT NULL DEFAULT 0,         -- up to the latest answer
    read_s REAL NOT NULL DEFAULT 0,
    prepare_s REAL NOT NULL DEFAULT 0,
    wait_s REAL NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX jobs_by_folder ON jobs (folder);
CREATE TABLE images (                          -- the answered ones, as long as their files exist
    folder INTEGER NOT NULL,
    name BLOB NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    digest INTEGER NOT NULL,                   -- of the content; 0 where it could not be read
    job INTEGER NOT NULL,
    label INTEGER,                             -- NULL for a failure
    confidence REAL,
    model INTEGER,
    at_ms INTEGER NOT NULL,
    note TEXT,
    PRIMARY KEY (folder, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE batches (                         -- the unanswered ones
    id INTEGER PRIMARY KEY,
    batch_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,                        -- pixels, failure, job
    job INTEGER NOT NULL,
    images BLOB NOT NULL,                      -- ledger_statements.pack_images
    payload BLOB NOT NULL                      -- the message's bytes, sent again as they are
) STRICT;
CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;
"""


def ledger_path(state: Path, source: str) -> Path:
    """Return where the ledger of a source lies."""
    return state / "agent" / f"{source}.db"


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open (and make) a ledger for the one agent that writes it. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        # Payloads of 200 kB come and go: measured 9.8 µs of CPU an image with pages of 4 kB, 8.7 with these.
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 1000")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        _migrate(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise sqlite3.NotSupportedError(
            f"the ledger has version {version}, this program knows {SCHEMA_VERSION}"
        )
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a ledger beside its agent, without writing. Raises sqlite3.Error."""
    connection = sqlite3.connect(
        path.absolute().as_uri() + "?mode=ro", uri=True, timeout=5.0, isolation_level=None
    )
    connection.execute("PRAGMA query_only = ON")
    return connection
