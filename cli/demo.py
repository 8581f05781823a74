"""`demo`: the whole line on free ports, one dropped folder, and what becomes of it."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.settings_reader import PROJECT
from cli.ending import Ending
from cli.errors import PROBLEM, Wrong
from cli.given import Given, given
from cli.screen import answers, progress, say

if TYPE_CHECKING:
    from cli.dropping import Parcel
    from cli.running import RunningLine
    from cli.watching import Watch

SAMPLES = PROJECT / "samples" / "pictures"
ROWS_SHOWN = 60


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    context: typer.Context,
    images: Annotated[
        Path,
        typer.Option(
            metavar="DIR", exists=True, file_okay=False, help="Photos to classify.", show_default=False
        ),
    ] = SAMPLES,
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to keep everything. [var/demo, made anew]")
    ] = None,
) -> None:
    """Show the whole line at work on sample photos.

    Starts broker, store, predictor and agent on a free port, drops a folder, shows what the photos are and
    stops. Exit code 0 when each image has its row in the database.
    """
    with Ending() as ending:
        if not _show(given(context), images, state, ending):
            raise typer.Exit(PROBLEM)


def _show(start: Given, images: Path, state: Path | None, ending: Ending) -> bool:
    """Run the demonstration; True when each image has its row."""
    from cli.demo_state import overrides
    from cli.dropping import pack
    from cli.running import RunningLine

    own = replace(start, overrides={**start.overrides, **overrides(state)})
    began = time.monotonic()
    say("starting broker, store, predictor and agent")
    with RunningLine(own, say, ending) as line:
        parcel = pack(images, line.settings, lambda _: ending.check())
        line.wait_until_ready()
        say(f"ready after {time.monotonic() - began:.1f} s; dropping {len(parcel.images):,} images")
        watch, seconds = _drop(line, parcel)
        _wait_for_results(line, parcel)
    return _report(line, parcel, watch, seconds)


def _drop(line: "RunningLine", parcel: "Parcel") -> tuple["Watch", float]:
    """Drop the folder and follow it; return what came of it and the seconds to the last committed row."""
    from cli.reader import Reader
    from cli.watching import Watch, ask_database, follow, topics_of

    watch = Watch(parcel.folder, parcel.images)
    with Reader(line.settings, topics_of(line.settings)) as reader, progress() as bar:
        reader.connect()
        task = bar.add_task("classifying", total=len(parcel.images))
        dropped = time.monotonic()
        parcel.drop()
        follow(
            watch,
            reader,
            lambda done: bar.update(task, completed=done),
            line.step,
            lambda: ask_database(watch, line.settings),
        )
    return watch, watch.last_at - dropped


def _wait_for_results(line: "RunningLine", parcel: "Parcel") -> None:
    deadline = time.monotonic() + 10
    while not (parcel.target / "results.csv").exists():
        line.step()
        if time.monotonic() > deadline:
            raise Wrong(f"{parcel.target / 'results.csv'} did not appear")
        time.sleep(0.02)


def _report(line: "RunningLine", parcel: "Parcel", watch: "Watch", seconds: float) -> bool:
    """Print what came of it, and hold it against the database."""
    from cli.outcomes import accuracy, show_classes, show_rows
    from store import queries

    if len(parcel.images) <= ROWS_SHOWN:
        show_rows(watch.outcomes)
        answers().print("")
    show_classes(watch.outcomes)
    out = answers().print
    out("")
    share = accuracy(watch.outcomes)
    if share is not None:
        right, known = share
        out(f"accuracy    {right / known:.2%} ({right:,} of {known:,}, by the folders' names)")
    count = len(parcel.images)
    timing = f"{count:,} images, {seconds:.2f} s from the drop to the last row"
    out(f"speed       {count / seconds:,.0f} images/s ({timing})")
    with queries.reading(line.settings.store) as connection:
        rows = {name for job in watch.jobs for name, _ in queries.images(connection, job)}
        out(f"database    {queries.facts(connection, line.settings.store).url}")
    out(f"table       {parcel.target / 'results.csv'}")
    missing = len(parcel.images - rows)
    if missing:
        say(f"{missing:,} images have no row in the database")
    return not missing
