"""`tls init` and `tls renew`: the certificates for a broker that clients outside may reach."""

import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.errors import BrokerProblem
from broker.listeners import is_local, reachable_name
from broker.settings import Broker, Settings
from broker.topics import Topics
from cli.errors import CannotRun
from cli.ownership import as_owner
from cli.screen import answers, say

if TYPE_CHECKING:
    from broker.certificates import Validity

DAYS = 397
"""A little more than a year; some clients refuse certificates that last longer."""
USUAL_PORT = 8883

group = typer.Typer(
    help="Make and renew the broker's certificates.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
HostsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--host", metavar="NAME", help="A name or an address by which clients call it; may be repeated."
    ),
]
DaysOption = Annotated[
    int, typer.Option("--days", metavar="N", min=1, max=3650, help="How long the certificate is valid.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="tls")


@group.command()
def init(
    context: typer.Context,
    host: HostsOption = None,
    days: DaysOption = DAYS,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what is there: every client then needs the new ca.crt.")
    ] = False,
) -> None:
    """Make an authority of your own and the broker's certificate.

    For this machine's name, the address in the configuration, loopback, and each --host; with --force also
    for the names of the one before.
    """
    from broker.certificates import make_certificates

    settings = as_owner(context)
    folder = _folder(settings)
    if (folder / "ca.crt").exists() and not force:
        raise CannotRun(
            f"there is {folder / 'ca.crt'} already; ./tailorbird tls renew makes a new certificate with it"
            " (--force: a new authority, whose ca.crt every client then needs)"
        )
    names = _names(settings, [*(host or []), *_names_before(folder)])
    _made(settings, make_certificates(folder, names, days), days)
    _show_how(settings, folder)


@group.command()
def renew(context: typer.Context, host: HostsOption = None, days: DaysOption = DAYS) -> None:
    """Make a new certificate with the authority that is there.

    Clients notice nothing, and a broker that runs shows it from the next connection on. With --host for
    other names than before.
    """
    from broker.certificates import renew_certificate

    settings = as_owner(context)
    names = _names(settings, host) if host else []
    _made(settings, renew_certificate(_folder(settings), names, days), days)


def _folder(settings: Settings) -> Path:
    """Return where the certificates are made. Raises CannotRun where the configuration names others."""
    folder = settings.paths.state / "tls"
    if settings.broker.tls_certificate != folder / "server.crt":
        raise CannotRun(
            f"[broker] tls_certificate is your own, {settings.broker.tls_certificate}: renew it where it came"
            " from, then tell the broker: kill -HUP, or systemctl reload tailorbird-broker"
        )
    return folder


def _names_before(folder: Path) -> tuple[str, ...]:
    """Return what the present certificate is for, by which clients know the broker; nothing where none is."""
    from broker.certificates import validity_of

    try:
        return validity_of(folder / "server.crt").names
    except BrokerProblem:
        return ()


def _names(settings: Settings, hosts: list[str]) -> list[str]:
    """Return the names for the certificate, those that were asked for first."""
    known = reachable_name(settings.broker)
    named = [] if is_local(known) else [known]
    more = [known] if is_local(known) and not known.startswith("/") else []
    return [*hosts, *named, socket.gethostname(), socket.getfqdn(), *more]


def _made(settings: Settings, made: "Validity", days: int) -> None:
    from broker.reloading import reload_broker

    names = ", ".join(made.names)
    answers().print(f"{made.file} is valid until {made.ends_at:%Y-%m-%d} for {names}")
    if made.left_days(datetime.now(UTC)) < days - 1:
        say(
            f"that is less than {days} days: its authority, ca.crt, ends then; before that, ./tailorbird tls"
            " init --force makes a new one, whose ca.crt every client needs"
        )
    if reload_broker(settings) == "reloaded":
        say("the running broker shows it from the next connection on")


def _show_how(settings: Settings, folder: Path) -> None:
    """Say what clients need, and what is still to do."""
    from broker.certificates import validity_of

    broker = settings.broker
    name = validity_of(folder / "server.crt").names[0]
    port = broker.port
    subscribe = (
        f"mosquitto_sub -V 5 -h {name} -p {port} --cafile ca.crt -t '{Topics(broker.root).predictions()}'"
    )
    out = answers().print
    out(f"  for clients  {folder / 'ca.crt'}, which is no secret: give it to each")
    out(f"  secret       {folder / 'server.key'}")
    out(f"               {folder / 'authority' / 'ca.key'}, which only `tls renew` needs; keep a copy")
    out(f"  subscribe    {subscribe}")
    out("               with -u NAME and -P PASSWORD as two lines of ~/.config/mosquitto_sub")
    out(f'  with paho    client.tls_set("ca.crt"), then client.connect("{name}", {port})')
    out("  accounts     ./tailorbird client add NAME --role reader|source|reviewer")
    if todo := still_to_do(broker):
        out(f"  still to do  {todo}")


def still_to_do(broker: Broker) -> str:
    """Return what keeps clients outside from using the certificate, "" where nothing does."""
    if not broker.manage:
        return "give server.crt and server.key to your own broker: Tailorbird runs none"
    keys = ['tls = "auto"'] if broker.tls == "off" else []
    if is_local(broker.host):
        keys.append('host = "0.0.0.0"')
    usual = f" (port = {USUAL_PORT} is usual)" if keys and broker.port != USUAL_PORT else ""
    return f"[broker] {' and '.join(keys)}{usual}, then start the line again" if keys else ""
