"""`alerts`: what is not as it should be, and since when."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from broker.durations import span
from cli.errors import PROBLEM
from cli.given import given
from cli.screen import answers, table

if TYPE_CHECKING:
    from store.queries import AlertRow


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(alerts)


def alerts(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Those that are over as well.")] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many, the newest first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what is not as it should be, and since when.

    Exit code 1 while an alert is open.
    """
    from store import queries

    with queries.reading(given(context).settings.store) as connection:
        found = queries.alerts(connection, state=None if all_ else "open", limit=limit)
    if as_json:
        typer.echo(json.dumps({"alerts": [asdict(one) for one in found]}, indent=2, ensure_ascii=False))
    elif found:
        _show(found)
    else:
        answers().print("no alert" if all_ else "no alert is open")
    if any(one.state == "open" for one in found):
        raise typer.Exit(PROBLEM)


def _show(found: "list[AlertRow]") -> None:
    now = datetime.now(UTC)
    rows = [
        (one.opened_at, span(one.lasted_s(now)), one.state, one.rule, one.subject, one.detail)
        for one in found
    ]
    table(("opened", "lasted", "state", "rule", "subject", "detail"), rows, right=("lasted",))
