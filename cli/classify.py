"""`classify FOLDER`: through the services that run, with a table at the end."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.settings import Settings
from broker.topics import Topics
from cli.ending import Ending
from cli.errors import PROBLEM, CannotRun
from cli.given import given
from cli.screen import answers, progress, say

if TYPE_CHECKING:
    from broker.messages import Status
    from cli.dropping import Parcel
    from cli.reader import Reader
    from cli.watching import Watch

AGENT_S = 5.0
"""How long the agent may take to say that it is there; what is retained comes at once."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(classify)


def classify(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", exists=True, file_okay=False, help="A folder of photos.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Classify a folder through running services.

    Drops a copy into the inbox, waits, and shows what the photos are.

    Exit code 0 when every image was classified, 1 when some failed, 3 when the services do not run.
    """
    from cli.outcomes import show_classes, show_rows

    settings = given(context).settings
    with Ending() as ending:
        watch, parcel = _through_the_line(settings, folder, ending)
    failed = sum(not outcome.is_classified for outcome in watch.outcomes.values())
    if as_json:
        typer.echo(json.dumps(_as_dict(watch, parcel), indent=2, ensure_ascii=False))
    else:
        show_rows(watch.outcomes)
        show_classes(watch.outcomes)
        answers().print(f"results.csv  {parcel.target / 'results.csv'}")
    if failed:
        say(f"{failed:,} of {len(watch.outcomes):,} images could not be classified")
        raise typer.Exit(PROBLEM)


def _through_the_line(settings: Settings, folder: Path, ending: Ending) -> tuple["Watch", "Parcel"]:
    from cli.dropping import pack
    from cli.reader import Reader
    from cli.watching import Watch, ask_database, follow, topics_of

    if folder.resolve().is_relative_to(settings.ingest_agent.inbox.resolve()):
        raise CannotRun(f"{folder}: lies in the inbox already; its results.csv stands beside the photos")
    topics = [*topics_of(settings), Topics(settings.broker.root).status()]
    with Reader(settings, topics) as reader:
        reader.connect()
        _expect_an_agent(settings, reader)
        parcel = pack(folder, settings, lambda _: ending.check())
        watch = Watch(parcel.folder, parcel.images)
        with progress() as bar:
            task = bar.add_task("classifying", total=len(parcel.images))
            try:
                parcel.drop()
            except OSError as error:
                parcel.discard()
                raise CannotRun(f"{parcel.target}: {error.strerror}") from error
            follow(
                watch,
                reader,
                lambda done: bar.update(task, completed=done),
                ending.check,
                lambda: ask_database(watch, settings),
            )
    return watch, parcel


def _expect_an_agent(settings: Settings, reader: "Reader") -> None:
    """Raise CannotRun unless the inbox's agent says that it is online."""
    from broker.messages import Status

    deadline = time.monotonic() + AGENT_S
    while time.monotonic() < deadline:
        for _, message in reader.hear(0.2):
            if isinstance(message, Status) and _is_online_agent(message, settings):
                return
    raise CannotRun(f"no ingest_agent of source {settings.ingest_agent.source!r} is online; is `up` running?")


def _is_online_agent(status: "Status", settings: Settings) -> bool:
    return (status.service, status.instance, status.state) == (
        "ingest_agent",
        settings.ingest_agent.source,
        "online",
    )


def _as_dict(watch: "Watch", parcel: "Parcel") -> dict[str, object]:
    return {
        "folder": str(parcel.target),
        "jobs": sorted(watch.jobs),
        "images": [
            {
                "image": image,
                "label": outcome.label or None,
                "confidence": outcome.confidence if outcome.is_classified else None,
                "model_version": outcome.model_version or None,
                "doubt": outcome.doubt or None,
                "failure": outcome.reason or None,
            }
            for image, outcome in sorted(watch.outcomes.items())
        ],
    }
