"""A database that was there once: an empty one in its place would hide that its rows are gone."""

from pathlib import Path

from store import backups
from store.errors import DatabaseProblem


def is_there(path: Path) -> bool:
    """Tell whether anything was ever written at this path; SQLite makes an empty file when it opens one."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def complaint(path: Path | None, folder: Path) -> str:
    """Return one sentence when the database is gone and `folder` has backups with rows; "" otherwise."""
    if path is None or is_there(path):
        return ""
    kept = next((file for file in reversed(backups.listed(folder)) if backups.has_rows(file)), None)
    if kept is None:
        return ""
    return (
        f"{path}: the database is not there, and backups of it are: ./tailorbird restore {kept};"
        f" to begin anew, move {folder} elsewhere first"
    )


def refuse_empty(path: Path | None, folder: Path) -> None:
    """Raise DatabaseProblem where the store would begin an empty database in the place of a lost one."""
    if said := complaint(path, folder):
        raise DatabaseProblem(said)
