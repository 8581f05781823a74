"""The agent's memory on disk: which images were answered, and the bytes of every batch that was not.

One transaction takes in what was answered and what goes out next, so a power cut leaves either state whole.
Every method that touches the disk raises LedgerTrouble when the world is at fault; nothing has changed then.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

from ingest_agent.ledger_schema import open_to_write
from ingest_agent.reading import Stat

Kind = Literal["pixels", "failure", "job"]
NamedStat = tuple[bytes, int, int, int]
"""An image's name within its folder, size, mtime_ns and inode."""

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
NAMES_PER_QUERY = 128
_QUERY = f"""SELECT name, size, mtime_ns, inode, job FROM images
    WHERE folder = ? AND name IN ({",".join("?" * NAMES_PER_QUERY)})"""  # noqa: S608 - question marks only
_IMAGE = "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

encode_stats = msgspec.msgpack.Encoder().encode
decode_stats = msgspec.msgpack.Decoder(list[NamedStat]).decode


class LedgerTrouble(OSError):  # noqa: N818 - a state of the world, which passes by itself
    """The ledger cannot be written or read now (disk full, locked, gone): wait and try again."""


@dataclass(frozen=True)
class NewBatch:
    """A batch that must be durable before it goes out."""

    batch_id: str
    kind: Kind
    job: int
    images: Sequence[NamedStat]
    payload: bytes


@dataclass(frozen=True)
class NewJob:
    """A job's first appearance."""

    number: int
    job_id: str
    folder: int
    path: bytes
    root: str
    opened_at: str


@dataclass(frozen=True)
class AnsweredImage:
    """What stands in the database for one image; `label` None for a failure, with the reason in `note`."""

    image: NamedStat
    label: str | None
    confidence: float | None
    model: str | None
    at_ms: int
    note: str | None


@dataclass(frozen=True)
class Answer:
    """A receipt's content. `done` when nothing of the batch is left without an answer."""

    batch_id: str
    job: int
    folder: int
    images: Sequence[AnsweredImage]
    done: bool


@dataclass
class JobChange:
    """What to add to a job's counts, and what to set."""

    seen: int = 0
    sent: int = 0
    stored: int = 0
    failed: int = 0
    read_s: float = 0.0
    prepare_s: float = 0.0
    wait_s: float = 0.0
    process_s: float | None = None
    state: str | None = None
    closed_at: str | None = None


@dataclass
class Transaction:
    """Everything that becomes durable together."""

    jobs: list[NewJob] = field(default_factory=list)
    batches: list[NewBatch] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    changes: dict[int, JobChange] = field(default_factory=dict)

    def change(self, job: int) -> JobChange:
        """Return the change of one job, to add to."""
        return self.changes.setdefault(job, JobChange())

    def __bool__(self) -> bool:
        return bool(self.jobs or self.batches or self.answers or self.changes)


@dataclass(frozen=True)
class StoredJob:
    """A job that was not closed when the ledger was opened."""

    number: int
    job_id: str
    folder: int
    path: bytes
    state: str
    opened_at: str
    seen: int
    sent: int
    stored: int
    failed: int
    process_s: float
    read_s: float
    prepare_s: float
    wait_s: float


@dataclass(frozen=True)
class StoredBatch:
    """A batch that was not answered when the ledger was opened."""

    batch_id: str
    kind: Kind
    job: int
    images: Sequence[NamedStat]


@dataclass(frozen=True)
class Known:
    """What the ledger has of a file."""

    stat: Stat
    job: int


class Ledger:
    """The ledger of one agent; a context manager. `spent_s` adds up the time that it cost."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spent_s = 0.0
        self._open: sqlite3.Connection | None = None
        self._folders: dict[bytes, int] = {}
        self._words: dict[str, int] = {}
        self._next_folder = 1
        self._next_job = 1

    def __enter__(self) -> Self:
        """Open the file, making it and its folder when they are not there."""
        with self._trouble():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._open = open_to_write(self.path)
            self._words = dict(self._sql.execute("SELECT word, id FROM words"))
            self._next_folder = self._first_free("folders")
            self._next_job = self._first_free("jobs")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    @property
    def _sql(self) -> sqlite3.Connection:
        if self._open is None:
            raise LedgerTrouble("the ledger is not open")
        return self._open

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        """Count the time, and tell the world's errors from the program's."""
        began = time.perf_counter()
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in WORLDLY:
                raise
            raise LedgerTrouble(f"{self.path}: {error}") from error
        finally:
            self.spent_s += time.perf_counter() - began

    def _first_free(self, table: str) -> int:
        (largest,) = self._sql.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()  # noqa: S608
        return int(largest) + 1

    def new_job_number(self) -> int:
        """Return a number that no job has had."""
        self._next_job += 1
        return self._next_job - 1

    def folder_number(self, folder: bytes) -> int:
        """Return a folder's number, a new one where it is not known; it is kept with the first job."""
        found = self._known_folder(folder)
        if found is None:
            found = self._folders[folder] = self._next_folder
            self._next_folder += 1
        return found

    def _known_folder(self, folder: bytes) -> int | None:
        number = self._folders.get(folder)
        if number is not None:
            return number
        with self._trouble():
            row = self._sql.execute("SELECT id FROM folders WHERE folder = ?", (folder,)).fetchone()
        if row is None:
            return None
        if len(self._folders) > 10_000:
            self._folders.clear()
        self._folders[folder] = int(row[0])
        return int(row[0])

    def open_jobs(self) -> list[StoredJob]:
        """Return the jobs that are not closed, the oldest first."""
        query = """SELECT jobs.id, job_id, jobs.folder, folders.folder, state, opened_at,
            seen, sent, stored, failed, process_s, read_s, prepare_s, wait_s
            FROM jobs JOIN folders ON folders.id = jobs.folder WHERE state <> 'closed' ORDER BY jobs.id"""
        with self._trouble():
            return [StoredJob(*row) for row in self._sql.execute(query)]

    def unanswered(self) -> list[StoredBatch]:
        """Return the batches without a receipt, the oldest first."""
        query = "SELECT batch_id, kind, job, images FROM batches ORDER BY id"
        with self._trouble():
            return [
                StoredBatch(batch_id, kind, job, decode_stats(images))
                for batch_id, kind, job, images in self._sql.execute(query)
            ]

    def payload(self, batch_id: str) -> bytes | None:
        """Return the bytes of an unanswered batch."""
        with self._trouble():
            row = self._sql.execute("SELECT payload FROM batches WHERE batch_id = ?", (batch_id,)).fetchone()
        return None if row is None else bytes(row[0])

    def known(self, folder: bytes, names: Sequence[bytes]) -> dict[bytes, Known]:
        """Return what is known of these files of one folder."""
        number = self._known_folder(folder)
        if number is None:
            return {}
        found = {}
        with self._trouble():
            for start in range(0, len(names), NAMES_PER_QUERY):
                part = list(names[start : start + NAMES_PER_QUERY])
                part += [b""] * (NAMES_PER_QUERY - len(part))
                for name, size, mtime_ns, inode, job in self._sql.execute(_QUERY, (number, *part)):
                    found[name] = Known(Stat(size, mtime_ns, inode), job)
        return found

    def commit(self, transaction: Transaction) -> None:
        """Make everything in the transaction durable."""
        with self._trouble(), self._writing() as sql:
            self._add_jobs(sql, transaction.jobs)
            self._add_batches(sql, transaction.batches)
            words = self._add_answers(sql, transaction.answers)
            _change_jobs(sql, transaction.changes)
        self._words.update(words)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        sql = self._sql
        sql.execute("BEGIN IMMEDIATE")
        try:
            yield sql
            sql.execute("COMMIT")
        except BaseException:
            if sql.in_transaction:
                sql.execute("ROLLBACK")
            raise

    @staticmethod
    def _add_jobs(sql: sqlite3.Connection, jobs: Iterable[NewJob]) -> None:
        for job in jobs:
            sql.execute(
                """INSERT INTO folders (id, folder, root) VALUES (?, ?, ?)
                ON CONFLICT (folder) DO UPDATE SET root = excluded.root""",
                (job.folder, job.path, job.root),
            )
            sql.execute(
                "INSERT INTO jobs (id, job_id, folder, state, opened_at) VALUES (?, ?, ?, 'open', ?)",
                (job.number, job.job_id, job.folder, job.opened_at),
            )

    @staticmethod
    def _add_batches(sql: sqlite3.Connection, batches: Iterable[NewBatch]) -> None:
        sql.executemany(
            "INSERT INTO batches (batch_id, kind, job, images, payload) VALUES (?, ?, ?, ?, ?)",
            [(new.batch_id, new.kind, new.job, encode_stats(new.images), new.payload) for new in batches],
        )

    def _add_answers(self, sql: sqlite3.Connection, answers: Sequence[Answer]) -> dict[str, int]:
        """Keep the answered images and let go of the batches; return the words that are new."""
        words: dict[str, int] = {}
        for answer in answers:
            rows = [
                (
                    answer.folder,
                    *item.image,
                    answer.job,
                    self._word(sql, item.label, words),
                    item.confidence,
                    self._word(sql, item.model, words),
                    item.at_ms,
                    item.note,
                )
                for item in answer.images
            ]
            sql.executemany(_IMAGE, rows)
            if answer.done:
                sql.execute("DELETE FROM batches WHERE batch_id = ?", (answer.batch_id,))
        return words

    def _word(self, sql: sqlite3.Connection, word: str | None, new: dict[str, int]) -> int | None:
        if word is None:
            return None
        number = self._words.get(word) or new.get(word)
        if number is None:
            number = new[word] = int(
                sql.execute("INSERT INTO words (word) VALUES (?)", (word,)).lastrowid or 0
            )
        return number

    def replace(self, batch_id: str, parts: Sequence[NewBatch]) -> None:
        """Put several smaller batches in the place of one that the broker does not take."""
        with self._trouble(), self._writing() as sql:
            sql.execute("DELETE FROM batches WHERE batch_id = ?", (batch_id,))
            self._add_batches(sql, parts)

    def set_results_due(self, folder: int, *, due: bool) -> None:
        """Keep in mind that a folder's results.csv has still to be written, or that it was."""
        with self._trouble(), self._writing() as sql:
            sql.execute("UPDATE folders SET results_due = ? WHERE id = ?", (int(due), folder))

    def results_due(self) -> list[tuple[int, bytes]]:
        """Return the folders whose results.csv has still to be written."""
        with self._trouble():
            return list(self._sql.execute("SELECT id, folder FROM folders WHERE results_due"))

    def answered_from(
        self, root: str, after: tuple[int, bytes], limit: int
    ) -> list[tuple[int, bytes, bytes]]:
        """Return up to `limit` answered images of closed jobs as (folder number, folder, name), in order.

        Only folders that were last seen in the inbox `root` count: another inbox says nothing of their files.
        """
        query = """SELECT images.folder, folders.folder, name
            FROM images JOIN folders ON folders.id = images.folder LEFT JOIN jobs ON jobs.id = images.job
            WHERE (images.folder, name) > (?, ?) AND root = ? AND coalesce(state, 'closed') = 'closed'
            ORDER BY images.folder, name LIMIT ?"""
        with self._trouble():
            return list(self._sql.execute(query, (*after, root, limit)))

    def forget_images(self, images: Sequence[tuple[int, bytes]]) -> None:
        """Let go of images (folder number, name) whose files are gone."""
        with self._trouble(), self._writing() as sql:
            sql.executemany("DELETE FROM images WHERE folder = ? AND name = ?", images)

    def tidy(self, keep_jobs: int, pages: int = 1000) -> None:
        """Let go of old closed jobs and of folders without any trace, and give free pages back."""
        with self._trouble():
            with self._writing() as sql:
                sql.execute(
                    "DELETE FROM jobs WHERE state = 'closed' AND id <= (SELECT max(id) FROM jobs) - ?",
                    (keep_jobs,),
                )
                sql.execute(
                    """DELETE FROM folders WHERE NOT results_due
                    AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.folder = folders.id)
                    AND NOT EXISTS (SELECT 1 FROM images WHERE images.folder = folders.id)"""
                )
            self._sql.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
        self._folders.clear()


def _change_jobs(sql: sqlite3.Connection, changes: dict[int, JobChange]) -> None:
    sql.executemany(
        """UPDATE jobs SET seen = seen + ?, sent = sent + ?, stored = stored + ?, failed = failed + ?,
        read_s = read_s + ?, prepare_s = prepare_s + ?, wait_s = wait_s + ?,
        process_s = coalesce(?, process_s), state = coalesce(?, state), closed_at = coalesce(?, closed_at)
        WHERE id = ?""",
        [
            (
                change.seen,
                change.sent,
                change.stored,
                change.failed,
                change.read_s,
                change.prepare_s,
                change.wait_s,
                change.process_s,
                change.state,
                change.closed_at,
                number,
            )
            for number, change in changes.items()
        ],
    )
