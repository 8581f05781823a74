"""`upkeep`: what a timer does once a day. Backup, retention, integrity check, in this order."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from broker import upkeep_record
from broker.errors import SettingsError
from broker.settings import Settings
from cli.backup import make_backup, show_backup
from cli.errors import CANNOT_RUN, CannotRun
from cli.ownership import as_owner
from cli.screen import answers, fail


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(upkeep)


def upkeep(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Back up, say what the store deletes, and look through the database.

    What a timer runs once a day; `up` does so by itself. Exit code 3 when one of them cannot be done.
    """
    settings = as_owner(context)
    steps = [lambda: _back_up(settings, dry_run=dry_run), lambda: _retain(settings)]
    if not dry_run:
        steps.append(lambda: _check(settings))
    done = [_done(step) for step in steps]  # each, whatever became of those before
    if not all(done):
        raise typer.Exit(CANNOT_RUN)


def _done(step: Callable[[], None]) -> bool:
    try:
        step()
    except (SettingsError, CannotRun) as error:
        fail(str(error))
        return False
    return True


def _file(settings: Settings) -> Path | None:
    from store.database import file_of

    return file_of(settings.store.url)


def _back_up(settings: Settings, *, dry_run: bool) -> None:
    from store import backups

    out, limits = answers().print, settings.upkeep
    path = _file(settings)
    if path is None:
        out("backup    none: [store] url is no SQLite file; use pg_dump")
        return
    if dry_run:
        size = sum(file.stat().st_size for file in (path, Path(f"{path}-wal")) if file.exists())
        out(f"backup    would be {limits.backups / backups.new_name(datetime.now(UTC))}, up to {_mb(size)}")
        old = backups.superseded(limits.backups, limits.keep_backups - 1, coming=path)
    else:
        show_backup(make_backup(settings))
        old = backups.prune(limits.backups, limits.keep_backups)
    for file in old:
        out(f"          {file.name} {'would go' if dry_run else 'deleted'}: {limits.keep_backups} are kept")


def _retain(settings: Settings) -> None:
    """Say what is due: the store, the only writer, deletes it by itself."""
    from store import queries, retention

    out, limits = answers().print, settings.upkeep
    with queries.reading(settings.store) as connection:
        due = retention.plan(connection, limits, datetime.now(UTC))
        used = retention.used_bytes(connection)
    out(f"retention {due}" + (f", about {_mb(due.bytes)}" if due else " to delete"))
    if due:
        out("          the store deletes them by itself within the hour, a little at a time, while it runs")
    if limits.keep_bytes and used is None:
        out("          [upkeep] keep_bytes is for SQLite only; keep_days holds here too")
    elif limits.keep_bytes and used is not None:
        out(f"          the database fills {_mb(used)} of {_mb(limits.keep_bytes)}")


def _check(settings: Settings) -> None:
    from store import database

    engine = database.reading_engine(settings.store)
    try:
        database.check(engine, _file(settings))
    finally:
        engine.dispose()
    upkeep_record.write(settings.paths.state, check_at=upkeep_record.stamp())
    answers().print(f"check     {database.shown(settings.store.url)}: no damage found")


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
