"""`reconcile JOB`: hold a job's folder, the agent's ledger and the database against each other."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import typer

from broker.settings import Settings
from cli.errors import PROBLEM, CannotRun, Wrong
from cli.given import given
from cli.jobs import AsJson, JobId
from cli.screen import answers

if TYPE_CHECKING:
    from ingest_agent.inspection import Reconciliation

SHOWN = 20


@dataclass(frozen=True)
class Verdict:
    """What was found; each list names images. All but `forgotten` are disagreements."""

    job_id: str
    folder: str
    counts: dict[str, dict[str, int]]
    """Stored and failed, as the ledger and as the database have them."""
    waiting: list[str] = field(default_factory=list)
    without_row: list[str] = field(default_factory=list)
    other_outcome: list[str] = field(default_factory=list)
    overwritten: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether the three say the same."""
        wrong = (self.waiting, self.without_row, self.other_outcome, self.overwritten, self.unknown)
        return self.counts["ledger"] == self.counts["database"] and not any(wrong)


MEANINGS = {
    "waiting": "in the ledger, without an answer yet",
    "without_row": "answered in the ledger, without a row in the database",
    "other_outcome": "stored in one of the two, failed in the other",
    "overwritten": "overwritten since; they wait for the folder's next job",
    "unknown": "in the folder, and no job has them",
    "forgotten": "in the database; their files are gone (no disagreement)",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(reconcile)


def reconcile(context: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Compare a job's folder, ledger and database.

    Exit code 0 only when the three agree.
    """
    settings = given(context).settings
    verdict = compare(_ledger(settings, job_id), _database(settings, job_id))
    if as_json:
        typer.echo(json.dumps({"agrees": verdict.agrees, **asdict(verdict)}, indent=2, ensure_ascii=False))
    else:
        show(verdict)
    if not verdict.agrees:
        raise typer.Exit(PROBLEM)


def _ledger(settings: Settings, job_id: str) -> "Reconciliation":
    from ingest_agent import inspection

    try:
        found = inspection.reconcile(settings, job_id)
    except (inspection.NoLedger, sqlite3.Error) as error:
        raise CannotRun(str(error)) from error
    if found is None:
        raise Wrong(f"the ledger of {settings.ingest_agent.source!r} knows no job {job_id!r}")
    return found


def _database(settings: Settings, job_id: str) -> dict[str, str]:
    from store import queries

    with queries.reading(settings.store) as connection:
        return dict(queries.images(connection, job_id))


def compare(found: "Reconciliation", rows: Mapping[str, str]) -> Verdict:
    """Return where the ledger (with the folder) and the database's rows differ."""
    answered = {image: state for image, state in found.images.items() if state != "unanswered"}
    states = list(rows.values())
    return Verdict(
        job_id=found.job.job_id,
        folder=found.job.folder,
        counts={
            "ledger": {"stored": found.job.stored, "failed": found.job.failed},
            "database": {"stored": states.count("stored"), "failed": states.count("failed")},
        },
        waiting=sorted(found.images.keys() - answered.keys()),
        without_row=sorted(answered.keys() - rows.keys()),
        other_outcome=sorted(image for image, state in answered.items() if rows.get(image, state) != state),
        overwritten=sorted(found.changed),
        unknown=sorted(found.unknown),
        forgotten=sorted(set(found.gone) | (rows.keys() - found.images.keys() - set(found.unknown))),
    )


def show(verdict: Verdict) -> None:
    """Print the verdict for a person."""
    out = answers().print
    out(f"job       {verdict.job_id}, folder {verdict.folder or '(the root of the inbox)'}")
    for where, counts in verdict.counts.items():
        out(f"{where:9} {counts['stored']} stored, {counts['failed']} failed")
    for name, meaning in MEANINGS.items():
        images = getattr(verdict, name)
        if images:
            more = ", ..." if len(images) > SHOWN else ""
            out(f"{len(images)} {meaning}: {', '.join(images[:SHOWN])}{more}")
    out("folder, ledger and database agree" if verdict.agrees else "they do not agree")
