"""The ledger's SQL."""

import sqlite3
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter

from ingest_agent.ledger_records import Answer, JobChange, NamedStat, NewBatch, NewJob

FREE_FOLDER = "SELECT coalesce(max(id), 0) + 1 FROM folders"
FREE_JOB = "SELECT coalesce(max(id), 0) + 1 FROM jobs"
FOLDER = "SELECT id FROM folders WHERE folder = ?"
OPEN_JOBS = """SELECT jobs.id, job_id, jobs.folder, folders.folder, state, opened_at,
    seen, sent, stored, failed, process_s, read_s, prepare_s, wait_s
    FROM jobs JOIN folders ON folders.id = jobs.folder
    WHERE state <> 'closed' OR jobs.id IN (SELECT job FROM batches) ORDER BY jobs.id"""
UNANSWERED = "SELECT batch_id, kind, job, images FROM batches ORDER BY id"
PAYLOAD = "SELECT payload FROM batches WHERE batch_id = ?"
ANSWERED_FROM = """SELECT images.folder, folders.folder, name
    FROM images JOIN folders ON folders.id = images.folder LEFT JOIN jobs ON jobs.id = images.job
    WHERE (images.folder, name) > (?, ?) AND root = ? AND coalesce(state, 'closed') = 'closed'
    ORDER BY images.folder, name LIMIT ?"""
RESULTS_DUE = "SELECT folder FROM folders WHERE results_due"
SET_RESULTS_DUE = "UPDATE folders SET results_due = ? WHERE folder = ?"
COUNT_SENT_ANEW = "UPDATE jobs SET sent = stored + failed WHERE state <> 'closed'"
IMAGES_LEFT = "SELECT images FROM batches WHERE batch_id = ?"
SET_IMAGES_LEFT = "UPDATE batches SET images = ? WHERE batch_id = ?"
DELETE_BATCH = "DELETE FROM batches WHERE batch_id = ?"
DELETE_IMAGE = "DELETE FROM images WHERE folder = ? AND name = ?"
TOUCH_IMAGE = "UPDATE images SET mtime_ns = ?, inode = ? WHERE folder = ? AND name = ?"
DELETE_OLD_JOBS = "DELETE FROM jobs WHERE state = 'closed' AND id <= (SELECT max(id) FROM jobs) - ?"
DELETE_FOLDERS = """DELETE FROM folders WHERE NOT results_due
    AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.folder = folders.id)
    AND NOT EXISTS (SELECT 1 FROM images WHERE images.folder = folders.id)"""
VACUUM = "PRAGMA incremental_vacuum(1000)"

_IMAGE = "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_CHANGE = """UPDATE jobs SET seen = seen + ?, sent = sent + ?, stored = stored + ?, failed = failed + ?,
    read_s = read_s + ?, prepare_s = prepare_s + ?, wait_s = wait_s + ?,
    process_s = coalesce(?, process_s), state = coalesce(?, state), closed_at = coalesce(?, closed_at)
    WHERE id = ?"""


def pack_images(images: Sequence[NamedStat]) -> bytes:
    """Return images as bytes: their numbers, signed and of 64 bits, then their names, which hold no NUL."""
    numbers = array("q", chain.from_iterable(image[1:] for image in images))
    return b"".join(
        (len(images).to_bytes(4, "little"), numbers.tobytes(), b"\0".join(map(itemgetter(0), images)))
    )


def unpack_images(packed: bytes) -> list[NamedStat]:
    """Return what `pack_images` packed on this machine."""
    count = int.from_bytes(packed[:4], "little")
    end = 4 + 32 * count
    numbers = array("q", packed[4:end])
    names = packed[end:].split(b"\0") if count else []
    return list(zip(names, *(numbers[i::4] for i in range(4)), strict=True))


def _named(count: int) -> str:
    marks = ",".join("?" * count)
    return (
        f"SELECT name, size, mtime_ns, inode, digest, job FROM images WHERE folder = ? AND name IN ({marks})"  # noqa: S608
    )


_NAMED = [(_named(count), count) for count in (1, 8, 64, 256)]


def images_named(count: int) -> tuple[str, int]:
    """Return the statement that looks up some of `count` names, and how many it takes; "" is no name."""
    return next(((text, size) for text, size in _NAMED if size >= count), _NAMED[-1])


def add_jobs(connection: sqlite3.Connection, jobs: Iterable[NewJob]) -> None:
    """Add jobs and their folders."""
    for job in jobs:
        connection.execute(
            """INSERT INTO folders (id, folder, root) VALUES (?, ?, ?)
            ON CONFLICT (folder) DO UPDATE SET root = excluded.root""",
            (job.folder, job.path, job.root),
        )
        connection.execute(
            "INSERT INTO jobs (id, job_id, folder, state, opened_at) VALUES (?, ?, ?, 'open', ?)",
            (job.number, job.job_id, job.folder, job.opened_at),
        )


def add_batches(connection: sqlite3.Connection, batches: Iterable[NewBatch]) -> None:
    """Add unanswered batches."""
    connection.executemany(
        "INSERT INTO batches (batch_id, kind, job, images, payload) VALUES (?, ?, ?, ?, ?)",
        [(new.batch_id, new.kind, new.job, pack_images(new.images), new.payload) for new in batches],
    )


def add_answers(
    connection: sqlite3.Connection, answers: Iterable[Answer], words: Mapping[str, int]
) -> dict[str, int]:
    """Keep the answered images and let go of the batches, or of the images in them; return the new words."""
    new: dict[str, int] = {}

    def number_of(word: str | None) -> int | None:
        if word is None:
            return None
        number = words.get(word) or new.get(word)
        if number is None:
            added = connection.execute("INSERT INTO words (word) VALUES (?)", (word,))
            number = new[word] = int(added.lastrowid or 0)
        return number

    for answer in answers:
        folder, job = answer.folder, answer.job
        rows = [
            (
                folder,
                *of.image,
                job,
                number_of(of.label),
                of.confidence,
                number_of(of.model),
                of.at_ms,
                of.note,
            )
            for of in answer.images
        ]
        connection.executemany(_IMAGE, rows)
        if answer.done:
            connection.execute(DELETE_BATCH, (answer.batch_id,))
        elif rows:
            _strike_off(connection, answer)
    return new


def _strike_off(connection: sqlite3.Connection, answer: Answer) -> None:
    """Leave a batch those of its images that have no answer; its bytes stay what they are."""
    names = {item.image[0] for item in answer.images}
    for (packed,) in connection.execute(IMAGES_LEFT, (answer.batch_id,)).fetchall():
        left = [image for image in unpack_images(packed) if image[0] not in names]
        connection.execute(SET_IMAGES_LEFT, (pack_images(left), answer.batch_id))


def change_jobs(connection: sqlite3.Connection, changes: Mapping[int, JobChange]) -> None:
    """Add to jobs' counts, and set what is to be set."""
    connection.executemany(
        _CHANGE,
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
