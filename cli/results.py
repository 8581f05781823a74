"""`results`: what the database holds of late, or a live subscriber."""

from typing import Annotated

import typer

from broker.doubts import doubt
from broker.messages import Failure, Message, Prediction, PredictionBatch
from broker.settings import Settings
from broker.topics import Topics, is_canary
from cli.ending import Ending
from cli.given import given
from cli.screen import say

HEAR_S = 0.2


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(results)


def results(
    context: typer.Context,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show predictions as they come, until Ctrl-C.")
    ] = False,
    source: Annotated[str | None, typer.Option(metavar="NAME", help="Only this source's.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many jobs without --follow.")] = 20,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --follow: each message's JSON, a line each.")
    ] = False,
) -> None:
    """Show the latest jobs, or follow predictions."""
    settings = given(context).settings
    if follow:
        _follow(settings, source, as_json=as_json)
    else:
        from cli.jobs import show_jobs

        show_jobs(settings, source=source, limit=limit, as_json=as_json)


def _follow(settings: Settings, source: str | None, *, as_json: bool) -> None:
    from broker.messages import encode
    from cli.reader import Reader

    topics = Topics(settings.broker.root)
    name = source or "+"
    with Ending() as ending, Reader(settings, [topics.predictions(name), topics.failures(name)]) as reader:
        reader.connect()
        say(f"following {topics.predictions(name)}; Ctrl-C ends it")
        while not ending.asked:
            for _, message in reader.hear(HEAR_S):
                if source is None and is_canary(getattr(message, "source", "")):
                    continue
                for line in [encode(message).decode()] if as_json else lines(message):
                    typer.echo(line)


def lines(message: Message) -> list[str]:
    """Return one line for each image of a message: time, source, image, what it is and how sure."""
    match message:
        case PredictionBatch():
            head = f"{message.predicted_at}  {message.source}  "
            return [f"{head}{_said_of(p)}" for p in message.predictions]
        case Failure():
            return [f"{message.failed_at}  {message.source}  {message.image}  failed: {message.reason}"]
    return []


def _said_of(one: Prediction) -> str:
    said = f"{one.image}  {one.label}  {100 * one.confidence:.1f} %"
    return f"{said}  {doubt(one.verdict, one.reasons)}".rstrip()
