"""`install` and `uninstall`: Tailorbird as services of this machine."""

import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.settings_reader import PROJECT
from cli.errors import CannotRun
from cli.screen import answers, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.installing.places import Places
    from cli.installing.plan import Installation
    from cli.installing.steps import Step
    from cli.installing.units import Chosen

Prefix = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where the program lies. [/opt/tailorbird, or as installed]"),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(install)
    app.command()(uninstall)


def install(
    prefix: Prefix = None,
    services: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="Of broker,store,predictor,agent,dashboard. [as installed, or all]"
        ),
    ] = None,
    predictors: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=64, help="How many. [1, or as installed]")
    ] = None,
    inbox: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where photos are dropped. [/var/lib/tailorbird/inbox]")
    ] = None,
    environment: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Packages that are set up already, used where they are."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Install, or upgrade, the services on this machine with systemd.

    Needs root. Configuration and data are kept; when an upgrade does not become healthy, the release before
    it runs again.
    """
    from cli.installing.machine import alone, check_systemd, unfit
    from cli.installing.steps import perform

    _refuse(unfit("install"), dry_run)
    os.umask(0o022)
    planned = _planned(_places(prefix), services, predictors, inbox, environment)
    if dry_run:
        _show(planned.steps())
        return
    check_systemd(planned.machine)
    was = planned.is_there
    with alone():
        perform(planned.steps(), say, "the release before runs again" if was else "nothing was left running")
    _welcome(planned)


def _places(prefix: Path | None) -> "Places":
    from cli.installing.places import Places, check_prefix
    from cli.installing.units import TARGET, prefix_before

    usual = Places()
    chosen = prefix or prefix_before(usual.units / TARGET) or usual.prefix
    check_prefix(chosen)
    return Places(chosen)


def _planned(
    places: "Places",
    services: str | None,
    predictors: int | None,
    inbox: Path | None,
    environment: Path | None,
) -> "Installation":
    """Hold what was asked for against what is there. Raises CannotRun, SettingsError or BrokerProblem."""
    from broker.mosquitto_program import check_version, find_mosquitto
    from cli.installing.configuration import installed_settings
    from cli.installing.machine import Machine
    from cli.installing.plan import Installation
    from cli.installing.program import choose_environment
    from cli.installing.units import TARGET, chosen_before

    settings = installed_settings(places, None if inbox is None else inbox.absolute())
    page = settings.dashboard
    left_out = {
        *(() if settings.broker.manage else ("broker",)),
        *(() if page.enabled and page.port else ("dashboard",)),
    }
    chosen = _chosen(services, predictors, chosen_before(places.units / TARGET), left_out)
    if "broker" in chosen.services:
        find_mosquitto("mosquitto_passwd")
        check_version(find_mosquitto())
    elif settings.broker.manage:
        raise CannotRun(
            f"without a broker here, {places.config} must say where one is: [broker] manage = false, host"
        )
    packages = choose_environment(PROJECT, places, environment and environment.absolute(), Path(sys.prefix))
    return Installation(Machine(), places, PROJECT, settings, chosen, packages, inbox and inbox.absolute())


def _chosen(
    services: str | None, predictors: int | None, before: "Chosen | None", left_out: Collection[str]
) -> "Chosen":
    from cli.installing.units import SERVICES, Chosen

    chosen = before or Chosen()
    if services is not None:
        asked = [name.strip() for name in services.split(",") if name.strip()]
        if not asked or not set(asked) <= set(SERVICES):
            raise typer.BadParameter(f"--services: expected some of {','.join(SERVICES)}, not {services!r}")
        chosen = Chosen(tuple(asked), chosen.predictors)
    kept = tuple(name for name in chosen.services if name not in left_out)
    return Chosen(kept, predictors or chosen.predictors)


def uninstall(
    prefix: Prefix = None,
    purge: Annotated[
        bool,
        typer.Option(
            "--purge",
            help="Remove configuration, passwords, user and /var/lib/tailorbird with all in it too.",
        ),
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Stop and remove the services; configuration and data stay, unless they are to be purged."""
    from broker.settings_reader import read_settings
    from cli.installing.machine import Machine, alone, unfit
    from cli.installing.plan import removal
    from cli.installing.steps import perform

    _refuse(unfit("uninstall"), dry_run)
    places = _places(prefix)
    kept = f"; {places.configuration} and {places.state} were kept"
    if purge:
        state = (
            read_settings(places.config, {}).settings.paths.state if places.config.exists() else places.state
        )
        kept = "" if state == places.state else f"; {state} is left for you to remove"
    steps = removal(Machine(), places, purge=purge)
    if not steps:
        raise CannotRun("nothing is installed")
    if dry_run:
        _show(steps)
        return
    with alone():
        perform(steps, say, "what was removed before is gone")
    say(f"uninstalled{kept}")


def _refuse(objections: "Sequence[str]", dry_run: bool) -> None:
    """Say what stands in the way; a dry run is shown all the same."""
    if dry_run:
        for objection in objections:
            say(f"note: {objection}")
    elif objections:
        raise CannotRun("; ".join(objections))


def _show(steps: "Sequence[Step]") -> None:
    for number, step in enumerate(steps, start=1):
        answers().print(f"{number:2}. {step.what}")


def _welcome(planned: "Installation") -> None:
    out = answers().print
    out("Tailorbird runs.")
    if "agent" in planned.chosen.services:
        out(f"  drop photos, or folders of photos, into  {planned.settings.ingest_agent.inbox}")
    out(f"  configuration  {planned.places.config}")
    out("  look           sudo tailorbird status; journalctl -u 'tailorbird-*'")
