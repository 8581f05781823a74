"""`results.csv` beside the images: the whole folder from the ledger, streamed, and in place all at once."""

import csv
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from broker.descent import open_folder
from broker.names import text_of
from broker.places import RESULTS, RESULTS_THEIRS, RESULTS_UNFINISHED
from broker.spreadsheet import safe_cell
from ingest_agent.ledger_schema import open_to_read

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


def write_results(ledger: Path, folder: bytes, inbox: bytes) -> int:
    """Write a folder's `results.csv`, replacing ours and keeping theirs; return how many rows it has.

    Neither the folder nor anything in it is reached through a link. Raises OSError (disk full, folder gone or
    a link, not permitted) and sqlite3.Error; the old file is untouched then.
    """
    directory = open_folder(inbox, folder)
    try:
        return _write(ledger, folder, directory)
    finally:
        os.close(directory)


def _write(ledger: Path, folder: bytes, directory: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    _remove(RESULTS_UNFINISHED, directory)
    count = 0
    try:
        with open(  # noqa: PTH123 - by descriptor, so that no link is followed
            os.open(RESULTS_UNFINISHED, flags, 0o666, dir_fd=directory), "w", encoding="utf-8", newline=""
        ) as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            for row in rows(ledger, folder):
                writer.writerow(row)
                count += 1
            file.flush()
            os.fsync(file.fileno())
        _keep_theirs(directory)
        _rename(RESULTS_UNFINISHED, RESULTS, directory)
    except BaseException:
        _remove(RESULTS_UNFINISHED, directory)
        raise
    return count


def _keep_theirs(directory: int) -> None:
    """Put a `results.csv` that the agent did not write under another name, once."""
    if _exists(RESULTS_THEIRS, directory) or not _exists(RESULTS, directory):
        return
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with open(os.open(RESULTS, flags, dir_fd=directory), "rb") as file:  # noqa: PTH123 - by descriptor
            ours = file.readline(200).strip() == ",".join(HEADER).encode()
    except OSError:
        ours = False  # a link, a pipe, or nothing that can be read: nothing that was written here
    if not ours:
        _rename(RESULTS, RESULTS_THEIRS, directory)


def _exists(name: bytes, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError:
        return False
    return True


def _rename(old: bytes, new: bytes, directory: int) -> None:
    os.replace(old, new, src_dir_fd=directory, dst_dir_fd=directory)


def _remove(name: bytes, directory: int) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except OSError:
        return
