"""`jobs` and `job ID`: what became of each dropped folder."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.durations import span
from broker.settings import Settings
from cli.errors import Wrong
from cli.given import given
from cli.screen import answers, table

if TYPE_CHECKING:
    from store.queries import Job

JobId = Annotated[str, typer.Argument(metavar="ID", help="A job's name, as `jobs` shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(jobs)
    app.command()(job)


def jobs(
    context: typer.Context,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are not done.")] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs: seen, sent, stored, failed.

    A job is a dropped folder; when it is done, seen = sent = stored + failed. What another program asks for
    is one as well: nobody says when that is over, and sent is 0.
    """
    show_jobs(given(context).settings, only_open=only_open, limit=limit, as_json=as_json)


def show_jobs(
    settings: Settings, *, only_open: bool = False, source: str | None = None, limit: int, as_json: bool
) -> None:
    """Print the jobs as a table or as JSON."""
    from store import queries

    with queries.reading(settings.store) as connection:
        found = queries.jobs(connection, state="open" if only_open else None, source=source, limit=limit)
    if as_json:
        typer.echo(json.dumps({"jobs": [_as_dict(one) for one in found]}, indent=2, ensure_ascii=False))
        return
    columns = ("job", "folder", "state", "seen", "sent", "stored", "failed", "took", "ETA", "flags")
    at = datetime.now(UTC)
    rows = [
        (
            *(one.job_id, one.folder, one.state, one.images, one.sent, one.stored, one.failed),
            *_times(one, at),
            one.flags,
        )
        for one in found
    ]
    table(columns, rows, right=("seen", "sent", "stored", "failed", "took", "ETA"), whole=("job", "took"))


def _times(one: "Job", at: datetime) -> tuple[str, str]:
    """Return how long a job took, or has been open, and how long its images will take; "" not known."""
    if not one.is_announced:
        return "", ""
    if one.state == "closed":  # without the quiet time before it was called done
        return span(one.age_s(at) if one.process_s is None else one.process_s), ""
    return span(one.age_s(at)), span(one.eta_s(at))


def _as_dict(one: "Job") -> dict[str, Any]:
    at = datetime.now(UTC)
    return {**asdict(one), "in_flight": one.in_flight, "age_s": one.age_s(at), "eta_s": one.eta_s(at)}


def job(context: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Show one job: counts, times, classes."""
    from store import queries

    with queries.reading(given(context).settings.store) as connection:
        found = queries.job(connection, job_id)
        if found is None:
            raise Wrong(f"the database knows no job {job_id!r}")
        classes = queries.classes(connection, job_id)
        failures = list(queries.failures(connection, job_id))
    if as_json:
        known = {
            **_as_dict(found),
            "classes": [asdict(one) for one in classes],
            "failures": [asdict(one) for one in failures],
        }
        typer.echo(json.dumps(known, indent=2, ensure_ascii=False))
        return
    _show_job(found)
    table(
        ("class", "images", "mean confidence"),
        [(one.label, one.images, f"{100 * one.mean_confidence:.1f} %") for one in classes],
        right=("images", "mean confidence"),
    )
    if failures:
        table(("failed image", "reason", "detail"), [(one.image, one.reason, one.detail) for one in failures])


def _show_job(one: "Job") -> None:
    age, eta = _times(one, datetime.now(UTC))
    out = answers().print
    out(f"job       {one.job_id}, {one.state}")
    folder = one.folder or ("(the root of the inbox)" if one.is_announced else "none, but asked for")
    out(f"folder    {folder}, of {one.source}")
    out(f"images    {one.images} seen, {one.sent} sent, {one.stored} stored, {one.failed} failed")
    out(f"opened    {one.opened_at}" + (f", closed {one.closed_at}" if one.closed_at else ""))
    if age and one.state == "open":
        out(f"age       {age}" + (f", ETA {eta}" if eta else ""))
    if one.flags:
        out(f"flags     {one.flags}")
    if one.process_s is not None:
        out(f"process   {span(one.process_s)}, of which the model {span(one.predict_s)}")
