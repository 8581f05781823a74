"""`chaos`: breaks the line on purpose and counts what became of each picture."""

import subprocess
import sys
from typing import Annotated

import typer

from broker.settings_reader import PROJECT
from cli.errors import CannotRun


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(chaos)


def chaos(
    minutes: Annotated[
        float, typer.Option(metavar="N", help="How long pictures arrive and faults happen.")
    ] = 1.0,
    images: Annotated[int, typer.Option(metavar="N", min=1, help="How many pictures arrive.")] = 5000,
    seed: Annotated[int, typer.Option(metavar="S", help="Which faults, and when.")] = 1,
    faults: Annotated[int | None, typer.Option(metavar="N", help="End the faults after so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Break the line on purpose, then count.

    Exit code 0 when no image was lost and none doubled.
    """
    if not (PROJECT / "tests" / "chaos" / "__main__.py").is_file():
        raise CannotRun("the folder tests/ is not here")
    arguments = ["--minutes", str(minutes), "--images", str(images), "--seed", str(seed)]
    arguments += [] if faults is None else ["--faults", str(faults)]
    arguments += ["--json"] if as_json else []
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "tests.chaos", *arguments], cwd=PROJECT, check=False
    )
    raise typer.Exit(done.returncode)
