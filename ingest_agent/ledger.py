"""The agent's memory on disk: which images were answered, and the bytes of every batch that was not.

One transaction takes in what was answered and what goes out next, so a power cut leaves either state whole.
`commit` may run in another thread than the rest: it writes through a connection of its own. Every method
raises LedgerTrouble when the world is at fault; nothing has changed then.
"""

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from ingest_agent import ledger_statements as sql
from ingest_agent.ledger_records import Known, NewBatch, StoredBatch, StoredJob, Transaction
from ingest_agent.ledger_schema import open_to_read, open_to_write
from ingest_agent.reading import Stat

WORLDLY = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
    }
)
FOLDERS_CACHED = 10_000


class LedgerTrouble(OSError):  # noqa: N818 - a state of the world, which passes by itself
    """The ledger cannot be written or read now (disk full, locked, gone): wait and try again."""


class Ledger:
    """The ledger of one agent; a context manager. `cpu_s` and `wall_s` add up what it cost."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cpu_s = 0.0
        self.wall_s = 0.0
        self._writing = threading.Lock()
        self._to_write: sqlite3.Connection | None = None
        self._to_read: sqlite3.Connection | None = None
        self._folders: dict[bytes, int] = {}
        self._words: dict[str, int] = {}
        self._next_folder = 1
        self._next_job = 1

    def __enter__(self) -> Self:
        """Open the file, making it and its folder when they are not there."""
        with self._trouble():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._to_write = open_to_write(self.path)
            self._to_read = open_to_read(self.path)
            self._words = dict(self._to_read.execute("SELECT word, id FROM words"))
            (self._next_folder,) = self._to_read.execute(sql.FREE_FOLDER).fetchone()
            (self._next_job,) = self._to_read.execute(sql.FREE_JOB).fetchone()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        for connection in (self._to_read, self._to_write):
            if connection is not None:
                connection.close()
        self._to_read = self._to_write = None

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        """Count the time, and tell the world's errors from the program's."""
        cpu, wall = time.thread_time(), time.perf_counter()
        try:
            yield
        except LedgerTrouble:
            raise
        except OSError as error:
            raise LedgerTrouble(f"{self.path}: {error.strerror or error}") from error
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in WORLDLY:
                raise
            raise LedgerTrouble(f"{self.path}: {error}") from error
        finally:
            self.cpu_s += time.thread_time() - cpu
            self.wall_s += time.perf_counter() - wall

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._trouble(), self._writing:
            if self._to_write is None:
                raise LedgerTrouble(f"{self.path} is not open")
            self._to_write.execute("BEGIN IMMEDIATE")
            try:
                yield self._to_write
                self._to_write.execute("COMMIT")
            except BaseException:
                if self._to_write.in_transaction:
                    self._to_write.execute("ROLLBACK")
                raise

    def _rows(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        with self._trouble():
            if self._to_read is None:
                raise LedgerTrouble(f"{self.path} is not open")
            return self._to_read.execute(statement, parameters).fetchall()

    # Numbers are given out in memory; they become durable with the first transaction that uses them

    def new_job_number(self) -> int:
        """Return a number that no job has had."""
        self._next_job += 1
        return self._next_job - 1

    def folder_number(self, folder: bytes) -> int:
        """Return a folder's number, a new one where it is not known."""
        found = self._known_folder(folder)
        if found is None:
            found = self._folders[folder] = self._next_folder
            self._next_folder += 1
        return found

    def _known_folder(self, folder: bytes) -> int | None:
        number = self._folders.get(folder)
        if number is not None:
            return number
        rows = self._rows(sql.FOLDER, (folder,))
        if not rows:
            return None
        if len(self._folders) >= FOLDERS_CACHED:
            self._folders.clear()
        number = self._folders[folder] = int(str(rows[0][0]))
        return number

    # Reading

    def open_jobs(self) -> list[StoredJob]:
        """Return the jobs that are not closed, the oldest first."""
        return [StoredJob(*row) for row in self._rows(sql.OPEN_JOBS)]  # type: ignore[arg-type]

    def unanswered(self) -> list[StoredBatch]:
        """Return the batches without a receipt, the oldest first."""
        return [
            StoredBatch(batch_id, kind, job, sql.unpack_images(images))  # type: ignore[arg-type]
            for batch_id, kind, job, images in self._rows(sql.UNANSWERED)
        ]

    def payload(self, batch_id: str) -> bytes | None:
        """Return the bytes of an unanswered batch."""
        rows = self._rows(sql.PAYLOAD, (batch_id,))
        return rows[0][0] if rows else None  # type: ignore[return-value]

    def known(self, folder: bytes, names: Sequence[bytes]) -> dict[bytes, Known]:
        """Return what is known of these files of one folder."""
        number = self._known_folder(folder)
        found: dict[bytes, Known] = {}
        start = 0
        while number is not None and start < len(names):
            statement, count = sql.images_named(len(names) - start)
            part = [*names[start : start + count]]
            part += [b""] * (count - len(part))
            for name, *version, job in self._rows(statement, (number, *part)):
                found[name] = Known(Stat(*version), job)  # type: ignore[index,arg-type]
            start += count
        return found

    def answered_from(
        self, root: str, after: tuple[int, bytes], limit: int
    ) -> list[tuple[int, bytes, bytes]]:
        """Return up to `limit` answered images of closed jobs as (folder number, folder, name), in order.

        Only folders that were last seen in the inbox `root` count: another inbox says nothing of their files.
        """
        return self._rows(sql.ANSWERED_FROM, (*after, root, limit))  # type: ignore[return-value]

    def results_due(self) -> list[bytes]:
        """Return the folders whose results.csv has still to be written."""
        return [folder for (folder,) in self._rows(sql.RESULTS_DUE)]  # type: ignore[misc]

    # Writing

    def commit(self, transaction: Transaction) -> None:
        """Make everything in the transaction durable."""
        with self._transaction() as connection:
            sql.add_jobs(connection, transaction.jobs)
            sql.add_batches(connection, transaction.batches)
            words = sql.add_answers(connection, transaction.answers, self._words)
            sql.change_jobs(connection, transaction.changes)
        self._words.update(words)

    def count_sent_anew(self) -> None:
        """Count only answered images as sent in the open jobs: the rest goes out, and counts, again."""
        with self._transaction() as connection:
            connection.execute(sql.COUNT_SENT_ANEW)

    def replace(self, batch_id: str, parts: Sequence[NewBatch]) -> None:
        """Put several smaller batches in the place of one that the broker does not take."""
        with self._transaction() as connection:
            connection.execute(sql.DELETE_BATCH, (batch_id,))
            sql.add_batches(connection, parts)

    def set_results_due(self, folder: bytes, *, due: bool) -> None:
        """Keep in mind that a folder's results.csv has still to be written, or that it was."""
        with self._transaction() as connection:
            connection.execute(sql.SET_RESULTS_DUE, (int(due), folder))

    def forget_images(self, images: Sequence[tuple[int, bytes]]) -> None:
        """Let go of images (folder number, name) whose files are gone."""
        with self._transaction() as connection:
            connection.executemany(sql.DELETE_IMAGE, images)

    def touch(self, images: Iterable[tuple[bytes, bytes, Stat]]) -> None:
        """Take over the new times of answered images (folder, name) whose content is as it was."""
        with self._transaction() as connection:
            connection.executemany(
                sql.TOUCH_IMAGE,
                [
                    (version.mtime_ns, version.inode, self.folder_number(folder), name)
                    for folder, name, version in images
                ],
            )

    def tidy(self, keep_jobs: int) -> None:
        """Let go of old closed jobs and of folders without any trace, and give free pages back."""
        with self._transaction() as connection:
            connection.execute(sql.DELETE_OLD_JOBS, (keep_jobs,))
            connection.execute(sql.DELETE_FOLDERS)
        with self._trouble(), self._writing:
            if self._to_write is not None:
                self._to_write.execute(sql.VACUUM).fetchall()
        self._folders.clear()
