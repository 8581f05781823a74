"""`export KIND`: CSV out of the database."""

import contextlib
import sys
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from cli.errors import CannotRun
from cli.given import given
from cli.moments import moment
from cli.screen import say

STDOUT = "-"


class Kind(StrEnum):
    """What can be exported."""

    RESULTS = "results"
    PERFORMANCE = "performance"
    METRICS = "metrics"
    FAILURES = "failures"
    EVENTS = "events"
    DAYS = "days"
    ALERTS = "alerts"
    REVIEWS = "reviews"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(export)


def export(
    context: typer.Context,
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help=f"One of {', '.join(Kind)}.")],
    since: Annotated[
        datetime | None,
        typer.Option(parser=moment, metavar="TIME", help="From this time: 2026-11-22, or an age: 2h."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(parser=moment, metavar="TIME", help="Before this time.")
    ] = None,
    job: Annotated[str | None, typer.Option(metavar="ID", help="Only this job.")] = None,
    label: Annotated[str | None, typer.Option("--class", metavar="NAME", help="Only this class.")] = None,
    model: Annotated[str | None, typer.Option(metavar="VERSION", help="Only this model's.")] = None,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="Where to write; - is the terminal.")
    ] = STDOUT,
) -> None:
    """Write results or reports as CSV.

    results: a line per image. performance: a line per job, a column per class, in percent. metrics: the times
    of each job. failures: images without a prediction. events: the event log. days: a line per day and
    source. alerts: what was not as it should be. reviews: what people said.
    """
    from store import exports, queries

    filters = exports.Filters(since=since, until=until, job=job, label=label, model=model)
    with queries.reading(given(context).settings.store) as connection:
        try:
            with opened(output) as file:
                rows = exports.export(connection, kind.value, filters, file)
        except exports.UnfitFilterError as error:
            raise typer.BadParameter(str(error)) from error
    chosen = {"--since": since, "--until": until, "--job": job, "--class": label, "--model": model}
    if not rows and (wanted := [f"{name} {value}" for name, value in chosen.items() if value is not None]):
        say(f"no line is like that: {', '.join(wanted)}")
    if output != STDOUT:
        say(f"{rows:,} {'row' if rows == 1 else 'rows'} in {output}")


@contextlib.contextmanager
def opened(output: str) -> Iterator[TextIO]:
    """Open stdout, or a file that appears under its name when it is complete. Raises CannotRun."""
    if output == STDOUT:
        # Names of files may hold what the terminal's encoding has not; a CSV is UTF-8 wherever it goes.
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", newline="")  # type: ignore[union-attr]
        yield sys.stdout
        sys.stdout.flush()
        return
    target = Path(output)
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield file
        unfinished.replace(target)
    except OSError as error:
        raise CannotRun(f"{output}: cannot be written: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
