"""`review`: one image after another, one key each, and the true accuracy after every answer."""

import os
import sys
from contextlib import AbstractContextManager
from datetime import datetime
from random import SystemRandom
from typing import TYPE_CHECKING, Annotated

import typer

from broker.settings import Settings
from cli.errors import Wrong
from cli.given import given
from cli.moments import moment
from cli.screen import say

if TYPE_CHECKING:
    from store.queries import Connection
    from store.review_scope import Scope

JobOption = Annotated[str | None, typer.Option("--job", metavar="ID", help="Only this job.")]
ReviewerOption = Annotated[
    str | None, typer.Option("--reviewer", metavar="NAME", help="Whose answers these are. [the login name]")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(review)


def review(
    context: typer.Context,
    job: JobOption = None,
    label: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Only images that the model called so.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="VERSION", help="Only this model's.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(parser=moment, metavar="TIME", help="Only from this time: 2026-11-22, or an age: 2h."),
    ] = None,
    name: ReviewerOption = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="End after so many answers.")] = None,
) -> None:
    """Say what images show, one key each.

    Asks where an answer teaches most, and says after each one how accurate the model
    really is. Where stdin is no terminal, it takes a key per line.
    """
    from store.review_scope import Scope

    settings = given(context).settings
    scope = Scope(job, label, model, since)
    expect_images(settings, scope)
    _sit(settings, scope, name, limit)


def expect_images(settings: Settings, scope: "Scope") -> None:
    """Raise Wrong when there is nothing to ask about, since a name that was mistyped looks the same."""
    from store.queries import reading
    from store.review_queue import is_empty

    with reading(settings.store) as connection:
        if is_empty(connection, scope):
            raise Wrong("no prediction is like that: try fewer or other options")


def _sit(settings: Settings, scope: "Scope", name: str | None, limit: int | None) -> None:
    from broker.originals import original
    from broker.reviewer import login
    from cli.ending import Ending
    from cli.keys import keys
    from cli.pictures import Way, way_of
    from cli.review_screen import counted
    from cli.reviewer import reviewing
    from cli.sitting import Sitting
    from store.questions import Questions

    def reading() -> "AbstractContextManager[Connection]":
        from store import queries

        return queries.reading(settings.store)

    way = way_of(os.environ, sys.stdout.encoding) if sys.stdout.isatty() else Way.NONE
    with (
        Ending() as ending,
        reviewing(settings, login() if name is None else name) as reviewer,
        keys(ending.check) as read_key,
    ):
        sitting = Sitting(
            questions=Questions(scope, SystemRandom()),
            reviewer=reviewer,
            reading=reading,
            read_key=read_key,
            say=typer.echo,
            original=lambda asked: original(settings, asked.source, asked.folder, asked.image),
            way=way,
            limit=limit,
            check=ending.check,
        )
        try:
            sitting.tell()
            sitting.run()
        finally:
            say(f"{counted(len(sitting.given), 'answer')} stored")
