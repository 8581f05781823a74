"""`backup` and `restore`: the database and the agent's ledger, copied beside the line and put back."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker import upkeep_record
from broker.settings import Settings
from cli.errors import CannotRun
from cli.ownership import as_owner
from cli.screen import answers

if TYPE_CHECKING:
    from store.backups import Backup

SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backup)
    app.command()(restore)


def backup(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The copy; otherwise a new one in [upkeep] backups."),
    ] = None,
) -> None:
    """Copy the database and the agent's ledger, beside the running line.

    The copy appears when it is complete and has been looked through.
    """
    settings = as_owner(context)
    if file is not None and os.path.lexists(file):
        raise CannotRun(f"{file} is there already: give the backup another name")
    if file is not None and not file.absolute().parent.is_dir():
        raise CannotRun(f"{file}: there is no such folder")  # of a disk that is not there, as a rule
    made = make_backup(settings, file)
    show_backup(made)


def make_backup(settings: Settings, file: Path | None = None) -> "Backup":
    """Make a backup, by default under a new name in the folder of backups. Raises SettingsError."""
    from ingest_agent.inspection import ledger_of
    from store import backups

    target = file or settings.upkeep.backups / backups.new_name(datetime.now(UTC))
    made = backups.make(
        database_of(settings),
        target,
        ledger=ledger_of(settings),
        min_free_mb=settings.store.min_free_mb,
    )
    upkeep_record.write(settings.paths.state, backup_at=upkeep_record.stamp(), backup=str(target.absolute()))
    return made


def database_of(settings: Settings) -> Path:
    """Return the SQLite file. Raises CannotRun for another database, which has tools of its own."""
    from store.database import file_of

    path = file_of(settings.store.url)
    if path is None:
        raise CannotRun("[store] url is no SQLite file: use its own tools, such as pg_dump and pg_restore")
    return path


def show_backup(made: "Backup") -> None:
    """Print what was made."""
    out = answers().print
    out(f"backup    {made.file} ({made.bytes / 1e6:,.1f} MB, verified)")
    out(f"          {made.contents}")
    out(f"ledger    {made.ledger or 'none: no agent has run on this state'}")


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `backup` made.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put a backup in the place of the database, while Tailorbird is stopped.

    The present database and ledger are set aside, not deleted.
    """
    from ingest_agent.inspection import ledger_of
    from ingest_agent.lock import AlreadyRunning, Lock
    from store import backups, restoring

    settings = as_owner(context)
    path = database_of(settings)
    ledger = ledger_of(settings)
    _there(file)
    try:
        with Lock(ledger.with_suffix(".lock")):
            restoring.refuse_running(path)
            contents = backups.verify(file)
            answers().print(f"backup    {file}: {contents}")
            if not yes:
                _agreed()
            done = restoring.restore(settings.store, file, ledger, datetime.now(UTC))
    except AlreadyRunning as error:
        raise CannotRun(f"{error}: stop Tailorbird first") from error
    except OSError as error:
        raise CannotRun(f"{ledger.with_suffix('.lock')}: {error.strerror}") from error
    out = answers().print
    out(f"database  {database_of(settings)}: {done.contents}")
    if done.migrated_from:
        out(f"          brought from schema {done.migrated_from} to this release's")
    for aside in done.aside:
        out(f"aside     {aside}")
    if done.ledger:
        out("ledger    as it was then: when it starts, the agent reads again what was answered since")
    else:
        _tell_without_ledger(settings)


def _there(file: Path) -> None:
    try:
        file.open("rb").close()
    except FileNotFoundError as error:
        raise CannotRun(f"{file}: there is no such file; `doctor` names the latest backup") from error
    except OSError as error:
        raise CannotRun(f"{file}: {error.strerror}; the state's owner must be able to read it") from error


def _agreed() -> None:
    """Ask; where nobody can answer say so, since no answer is no yes."""
    try:
        agreed = typer.confirm("Put it in, and set the present database and ledger aside?", err=True)
    except typer.Abort:
        if sys.stdin is not None and sys.stdin.isatty():
            raise
        raise CannotRun("nobody is there to be asked: --yes puts it in without") from None
    if not agreed:
        raise typer.Abort


def _tell_without_ledger(settings: Settings) -> None:
    """Say which jobs the present ledger takes for done, and the restored database does not have."""
    out = answers().print
    lost = without_rows(settings)
    if not lost:
        out("ledger    there was none in the backup; the present one agrees with the database")
        return
    jobs = f"{len(lost)} jobs" if len(lost) != 1 else "a job"
    out(f"ledger    there was none in the backup; the present one calls {jobs} done, without all rows:")
    for job_id, folder, missing in lost[:SHOWN]:
        out(f"          {job_id} (folder {folder or 'the root'}): {missing:,} images")
    if len(lost) > SHOWN:
        out(f"          and {len(lost) - SHOWN} more")
    out("          `reconcile JOB` names the images; to have a folder classified again, drop it under a new")
    out("          name: ./tailorbird classify FOLDER")


def without_rows(settings: Settings) -> list[tuple[str, str, int]]:
    """Return the ledger's jobs that have fewer rows in the database: id, folder, how many images."""
    from ingest_agent import inspection
    from store import queries

    try:
        jobs = inspection.jobs(inspection.ledger_of(settings))
    except inspection.NoLedger:
        return []
    with queries.reading(settings.store) as connection:
        rows = {job.job_id: job.stored + job.failed for job in queries.jobs(connection)}
    return [
        (job.job_id, job.folder, missing)
        for job in jobs
        if (missing := job.stored + job.failed - rows.get(job.job_id, 0)) > 0
    ]
