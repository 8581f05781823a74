"""`report`: a page to look at, of a period or of one job."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from broker.settings import Settings
from cli.errors import Wrong
from cli.export import STDOUT, opened
from cli.given import given
from cli.moments import moment
from cli.screen import say


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)


def report(
    context: typer.Context,
    job: Annotated[
        str | None, typer.Argument(metavar="JOB", help="Only this job, with a picture of each image.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(parser=moment, metavar="TIME", help="Jobs from this time: 2026-11-22, or an age: 7d."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(parser=moment, metavar="TIME", help="Jobs before this time.")
    ] = None,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="Where to write; - is the terminal.")
    ] = "report.html",
) -> None:
    """Write a page of plots and pictures.

    One HTML file that needs no server and no network: how sure the model is over time, how right it was where
    people looked, how long things take, and the worst images.
    """
    if job is not None and (since is not None or until is not None):
        raise typer.BadParameter("a job is reported whole: leave out --since and --until")
    settings = given(context).settings
    page = _period_page(settings, since, until) if job is None else _job_page(settings, job)
    with opened(output) as file:
        file.write(page)
    if output != STDOUT:
        say(f"the report is in {output}")


def _period_page(settings: Settings, since: datetime | None, until: datetime | None) -> str:
    from cli.report_page import period_page
    from store.queries import reading
    from store.report_contents import contents
    from store.report_figures import Scope

    with reading(settings.store) as connection:
        found = contents(connection, Scope(since, until), settings.monitor)
    return period_page(found, datetime.now(UTC))


def _job_page(settings: Settings, job_id: str) -> str:
    from cli.report_page import job_page
    from store.queries import reading
    from store.report_contents import contents, job_contents
    from store.report_figures import Scope

    with reading(settings.store) as connection:
        of_job = job_contents(connection, job_id)
        if of_job is None:
            raise Wrong(f"the database knows no job {job_id!r}")
        found = contents(connection, Scope(job_id=job_id), settings.monitor)
    return job_page(found, of_job, datetime.now(UTC))
