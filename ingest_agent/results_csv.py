"""`results.csv` beside the images: the whole folder from the ledger, streamed, and in place all at once."""

import csv
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from broker.spreadsheet import safe_cell
from ingest_agent.ledger_schema import open_to_read
from ingest_agent.names import text_of
from ingest_agent.places import RESULTS, RESULTS_THEIRS, RESULTS_UNFINISHED

HEADER = ("image", "item", "confidence_percent", "model", "time", "note")
Row = tuple[str, str, str, str, str, str]
_QUERY = """SELECT name, labels.word, confidence, models.word, at_ms, note FROM images
    LEFT JOIN words AS labels ON labels.id = images.label
    LEFT JOIN words AS models ON models.id = images.model
    WHERE folder = (SELECT id FROM folders WHERE folder = ?) ORDER BY name"""


def time_text(at_ms: int) -> str:
    """Return UTC in ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rows(ledger: Path, folder: bytes) -> Iterator[Row]:
    """Yield a folder's rows as the ledger has them, sorted by name. Raises sqlite3.Error."""
    connection = open_to_read(ledger)
    try:
        for name, label, confidence, model, at_ms, note in connection.execute(_QUERY, (folder,)):
            percent = "" if confidence is None else f"{100 * confidence:.1f}"
            yield (
                safe_cell(text_of(name)),
                safe_cell(label or ""),
                percent,
                safe_cell(model or ""),
                time_text(at_ms),
                safe_cell(note or ""),
            )
    finally:
        connection.close()


def write_results(ledger: Path, folder: bytes, directory: bytes) -> int:
    """Write a folder's `results.csv`, replacing ours and keeping theirs; return how many rows it has.

    Raises OSError (disk full, folder gone, not permitted) and sqlite3.Error; the old file is untouched then.
    """
    unfinished = directory + b"/" + RESULTS_UNFINISHED
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    _remove(unfinished)
    count = 0
    try:
        with open(  # noqa: PTH123 - by descriptor, so that no link is followed
            os.open(unfinished, flags, 0o666), "w", encoding="utf-8", newline=""
        ) as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            for row in rows(ledger, folder):
                writer.writerow(row)
                count += 1
            file.flush()
            os.fsync(file.fileno())
        _keep_theirs(directory)
        os.replace(unfinished, directory + b"/" + RESULTS)  # noqa: PTH105 - bytes
    except BaseException:
        _remove(unfinished)
        raise
    return count


def _keep_theirs(directory: bytes) -> None:
    """Put a `results.csv` that the agent did not write under another name, once."""
    present, kept = directory + b"/" + RESULTS, directory + b"/" + RESULTS_THEIRS
    if os.path.lexists(kept) or not os.path.lexists(present):
        return
    try:
        with open(os.open(present, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            ours = file.readline(200).strip() == ",".join(HEADER).encode()
    except OSError:
        ours = False  # a link, a pipe, or nothing that can be read: nothing that was written here
    if not ours:
        os.rename(present, kept)  # noqa: PTH104 - bytes


def _remove(path: bytes) -> None:
    try:
        os.unlink(path)  # noqa: PTH108 - bytes
    except OSError:
        return
