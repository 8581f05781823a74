"""Looking into an agent's ledger from outside, beside the running agent; nothing is written."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from broker.names import text_of
from broker.places import Ignored, folder_and_name
from broker.settings import Settings
from ingest_agent.inbox import Inbox
from ingest_agent.ledger_schema import ledger_path, open_to_read
from ingest_agent.ledger_statements import unpack_images
from ingest_agent.reading import Stat, stat_of
from ingest_agent.results_csv import time_text
from ingest_agent.scanner import Found, Walk
from ingest_agent.sealing import wire_name

ImageState = Literal["unanswered", "stored", "failed"]

_JOBS = """SELECT job_id, folders.folder, state, opened_at, closed_at, seen, sent, stored, failed,
    process_s, read_s, prepare_s, wait_s FROM jobs JOIN folders ON folders.id = jobs.folder"""
_ANSWERED = """SELECT name, size, mtime_ns, inode, labels.word, confidence, models.word, at_ms, note
    FROM images
    LEFT JOIN words AS labels ON labels.id = images.label
    LEFT JOIN words AS models ON models.id = images.model
    WHERE folder = ? AND job = ? ORDER BY name"""
_UNANSWERED = "SELECT images FROM batches WHERE job = ? ORDER BY id"


class NoLedger(FileNotFoundError):  # noqa: N818 - a state of the world
    """There is no ledger: no agent of this source has ever run on this state."""


@dataclass(frozen=True)
class LedgerJob:
    """A job as its agent counts it: `folder` is text, `state` is open, closing or closed."""

    job_id: str
    folder: str
    state: str
    opened_at: str
    closed_at: str
    seen: int
    sent: int
    stored: int
    failed: int
    process_s: float
    read_s: float
    prepare_s: float
    wait_s: float


@dataclass(frozen=True)
class LedgerImage:
    """One image of a job, by its name on the wire and in the database; `at` is when it was answered."""

    image: str
    state: ImageState
    label: str = ""
    confidence: float | None = None
    model: str = ""
    at: str = ""
    note: str = ""


@dataclass
class Reconciliation:
    """One job's folder against the ledger.

    `images` are the job's images as the ledger has them, to be compared with the database. `gone` are those
    of them whose files are no more (they are forgotten after a while), `changed` those whose files were
    overwritten since (they wait for the folder's next job), `unknown` the folder's files that no job has.
    """

    job: LedgerJob
    images: dict[str, ImageState] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether every file of the folder is answered, and the ledger's counts add up."""
        unanswered = any(state == "unanswered" for state in self.images.values())
        counted = self.job.seen == self.job.stored + self.job.failed
        return counted and not (unanswered or self.changed or self.unknown)


def ledger_of(settings: Settings) -> Path:
    """Return where the ledger of the configured agent lies."""
    return ledger_path(settings.paths.state, settings.ingest_agent.source)


def _open(ledger: Path) -> sqlite3.Connection:
    if not ledger.exists():
        raise NoLedger(f"{ledger}: no agent has run here yet")
    return open_to_read(ledger)


def jobs(ledger: Path, *, only_open: bool = False) -> list[LedgerJob]:
    """Return the agent's jobs, the latest last. Raises NoLedger and sqlite3.Error."""
    where = "WHERE state <> 'closed' ORDER BY jobs.id" if only_open else "ORDER BY jobs.id"
    with closing(_open(ledger)) as connection:
        return [_job(row) for row in connection.execute(f"{_JOBS} {where}")]


def _job(row: tuple[str, bytes, str, str, str, int, int, int, int, float, float, float, float]) -> LedgerJob:
    return LedgerJob(row[0], text_of(row[1]), *row[2:])


def job(ledger: Path, job_id: str) -> LedgerJob | None:
    """Return one job; None when the ledger does not have it. Raises NoLedger and sqlite3.Error."""
    with closing(_open(ledger)) as connection:
        row = connection.execute(f"{_JOBS} WHERE job_id = ?", (job_id,)).fetchone()
    return None if row is None else _job(row)


def images(ledger: Path, job_id: str) -> Iterator[LedgerImage]:
    """Yield a job's images, the answered ones first, each sorted by name within its folder."""
    with closing(_open(ledger)) as connection:
        for image, _, _ in _images(connection, job_id):
            yield image


def _images(connection: sqlite3.Connection, job_id: str) -> Iterator[tuple[LedgerImage, bytes, Stat]]:
    """Yield a job's images with their names' bytes and their versions, in one snapshot of the ledger."""
    connection.execute("BEGIN")
    found = connection.execute("SELECT id, folder FROM jobs WHERE job_id = ?", (job_id,)).fetchone()
    number, folder = found or (0, 0)
    for name, size, mtime_ns, inode, label, confidence, model, at_ms, note in connection.execute(
        _ANSWERED, (folder, number)
    ):
        state: ImageState = "failed" if label is None else "stored"
        at = time_text(at_ms)
        image = LedgerImage(wire_name(name), state, label or "", confidence, model or "", at, note or "")
        yield image, name, Stat(size, mtime_ns, inode)
    for (packed,) in connection.execute(_UNANSWERED, (number,)):
        for name, *version in unpack_images(packed):
            yield LedgerImage(wire_name(name), "unanswered"), name, Stat(*version)


def reconcile(settings: Settings, job_id: str) -> Reconciliation | None:
    """Compare a job's folder with the ledger; None when the ledger does not have the job.

    A folder that is not there at all counts as one without files. Raises NoLedger and sqlite3.Error.
    """
    ledger = ledger_of(settings)
    found = job(ledger, job_id)
    if found is None:
        return None
    result = Reconciliation(found)
    with closing(_open(ledger)) as connection:
        folder = _folder_of(connection, job_id)
        files = _files(settings, folder)
        for image, name, version in _images(connection, job_id):
            result.images[image.image] = image.state
            file = files.pop(name, None)
            if file is None:
                result.gone.append(image.image)
            elif not version.same_as(file):
                result.changed.append(image.image)
        result.unknown = [
            wire_name(name) for name in sorted(files) if not _is_anothers(connection, folder, name)
        ]
    return result


def _folder_of(connection: sqlite3.Connection, job_id: str) -> bytes:
    query = "SELECT folders.folder FROM jobs JOIN folders ON folders.id = jobs.folder WHERE job_id = ?"
    (folder,) = connection.execute(query, (job_id,)).fetchone()
    return bytes(folder)


def _files(settings: Settings, folder: bytes) -> dict[bytes, Stat]:
    """Return a job's folder's files, by their names within it."""
    inbox = Inbox(settings.ingest_agent.inbox)
    root = inbox.root()
    inodes = root is not None and root.mount.has_steady_inodes
    walk = Walk(inbox.path, Ignored(settings.ingest_agent.ignore), folder)
    files = {}
    for entry in walk:
        if isinstance(entry, Found):
            top, name = folder_and_name(entry.relative)
            if top == folder:
                files[name] = stat_of(entry.stat, inodes=inodes)
    return files


def _is_anothers(connection: sqlite3.Connection, folder: bytes, name: bytes) -> bool:
    """Tell whether another job of the folder has a file."""
    answered = """SELECT 1 FROM images JOIN folders ON folders.id = images.folder
        WHERE folders.folder = ? AND name = ?"""
    unanswered = """SELECT images FROM batches JOIN jobs ON jobs.id = batches.job
        JOIN folders ON folders.id = jobs.folder WHERE folders.folder = ?"""
    if connection.execute(answered, (folder, name)).fetchone():
        return True
    rows = connection.execute(unanswered, (folder,))
    return any(name == image[0] for (packed,) in rows for image in unpack_images(packed))
