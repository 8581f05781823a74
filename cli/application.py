"""The command line as a whole: its commands, its errors, its exit codes."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from broker import VERSION
from broker.errors import BrokerProblem, SettingsError, Unreachable
from cli import (
    accounts,
    alerts,
    backup,
    chaos,
    classify,
    client,
    configuration,
    demo,
    development,
    doctor,
    export,
    install,
    jobs,
    labels,
    modelling,
    models,
    reconcile,
    relabel,
    replay,
    report,
    results,
    review,
    status,
    tls,
    up,
    upkeep,
)
from cli.errors import CANNOT_RUN, INTERRUPTED, OK, PROBLEM, CannotRun, Wrong
from cli.given import Given, hoisted
from cli.screen import fail

app = typer.Typer(
    name="tailorbird",
    help="Photos of garments, dropped into a folder, become labels in MQTT, SQL and CSV.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
GROUPS = (
    demo,
    up,
    classify,
    results,
    export,
    status,
    jobs,
    alerts,
    reconcile,
    review,
    relabel,
    labels,
    configuration,
    client,
    accounts,
    tls,
    doctor,
    upkeep,
    backup,
    modelling,
    models,
    replay,
    report,
    install,
    development,
    chaos,
)
for group in GROUPS:
    group.register(app)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tailorbird {VERSION}")
        raise typer.Exit


@app.callback()
def begin(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The configuration file; before or after the command. [config.toml]"
        ),
    ] = None,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Photos of garments, dropped into a folder, become labels in MQTT, SQL and CSV."""
    context.obj = Given(config)


WORDS = (
    (r"Input should be a valid integer, .*", "expected a whole number"),
    (r"Input should be a valid number, .*", "expected a number"),
    (r"Input should be greater than or equal to ", "must not be below "),
    (r"Input should be less than or equal to ", "must not be above "),
)


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code: 0 ok, 1 problem, 2 usage, 3 cannot run, 130 interrupted."""
    try:
        return app(args=hoisted(arguments), prog_name="./tailorbird", standalone_mode=False) or OK
    except typer.TyperException as error:
        return _usage(error)
    except Wrong as error:
        fail(str(error))
        return PROBLEM
    except (CannotRun, SettingsError, BrokerProblem, Unreachable) as error:
        fail(str(error))
        return CANNOT_RUN
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has read enough
        sys.stderr.close()
        return PROBLEM


def plain(said: str) -> str:
    """Return what is wrong with an option in our words: typer passes on those of its validator."""
    for theirs, ours in WORDS:
        said = re.sub(theirs, ours, said)
    return said.rstrip(".")


def _usage(error: typer.TyperException) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.format_message())
    else:
        fail(f"{plain(error.format_message())}: see ./tailorbird --help")
    return error.exit_code
