"""`client add`, `list` and `revoke`: programs outside that may connect to the managed broker."""

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.client_accounts import ClientAccount, Role, read_clients
from broker.listeners import Listener, is_local, named_listener, own_listener, reachable_name
from broker.settings import Settings
from broker.topics import Topics
from cli.errors import CannotRun
from cli.ownership import as_owner
from cli.screen import answers, say, table

if TYPE_CHECKING:
    from broker.reloading import Reload

ACCEPTED_S = 30.0
"""How long the running broker may take to read its accounts again; a busy machine makes it slow."""

group = typer.Typer(
    help="Let programs outside connect, each with an account of its own.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="client")


@group.command()
def add(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The account's name, and a source's in topics.")
    ],
    role: Annotated[Role, typer.Option("--role", help="What it may do.")],
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the password and nothing else.")] = False,
    password_file: Annotated[
        Path | None,
        typer.Option("--password-file", metavar="FILE", help="Write the password there, mode 0600."),
    ] = None,
) -> None:
    """Make an account and show its password, this once.

    A reader sees predictions, jobs, failures, receipts and alerts. A source publishes pixels under its own
    name and gets its answers. A reviewer publishes what people say. A broker that runs knows it at once.
    """
    from broker.access import add_client

    # The caller's file, which root may want where the state's owner must not look.
    written = None if password_file is None else _opened(password_file)
    try:
        settings = _managed(as_owner(context))
        password = add_client(settings, name, role)
    except BaseException:
        if password_file is not None and written is not None:
            os.close(written)
            with contextlib.suppress(PermissionError):  # root's own folder: the empty file stays
                password_file.unlink()
        raise
    if written is not None:
        with os.fdopen(written, "w", encoding="utf-8") as file:
            file.write(f"{password}\n")
    elif quiet:
        typer.echo(password)
    else:
        answers().print(f"password   {password}   (shown this once; the broker keeps its hash only)")
    _tell(settings, name, password, quiet=quiet)
    if not quiet:
        _show_how(settings, name, role)


def _opened(file: Path) -> int:
    """Return a new file for a password, made before the account is, so that no password is ever lost."""
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise CannotRun(f"--password-file: {file}: {error.strerror}") from error


def _tell(settings: Settings, name: str, password: str, *, quiet: bool) -> None:
    """Let a broker that runs know, and try the account there. Raises CannotRun when it does not take it."""
    from broker.reloading import reload_broker

    if reload_broker(settings) == "not running":
        if not quiet:
            say(f"{name} is added; no broker runs here now, the next start knows it")
        return
    if not _accepted(settings, name, password):
        raise CannotRun(f"{name} is added, but the running broker does not take it: start the broker again")
    if not quiet:
        say(f"{name} is added, and the running broker knows it")


def _accepted(settings: Settings, name: str, password: str) -> bool:
    """Connect as the client, with a client id that is nobody's."""
    import time

    from broker.backoff import Backoff
    from broker.credentials import Credentials
    from broker.encryption import client_context
    from broker.mqtt import MqttConnection
    from broker.mqtt_client import Client

    at = own_listener(settings.broker)
    who = Client(
        host=at.host,
        port=at.port,
        client_id=f"cli-{os.getpid()}-{secrets.token_hex(4)}",
        subscriptions=(),
        credentials=Credentials(name, password),
        tls=client_context(settings.broker.tls_ca) if at.tls else None,
    )
    connection = MqttConnection(who, backoff=Backoff(0.05, 0.5))
    connection.start()
    try:
        deadline = time.monotonic() + ACCEPTED_S
        while not connection.connected and time.monotonic() < deadline:
            time.sleep(0.01)
        return connection.connected
    finally:
        connection.stop(1.0)


def _show_how(settings: Settings, name: str, role: Role) -> None:
    topics = Topics(settings.broker.root)
    out = answers().print
    broker = settings.broker
    at = Listener(reachable_name(broker), broker.port, named_listener(broker).tls)
    how = f", TLS with {broker.tls_ca}" if at.tls else ""
    out(f"broker     {at.address}, MQTT 5{how}{', from this machine only' if is_local(at.host) else ''}")
    match role:
        case "reader":
            out(f"subscribe  {topics.predictions()}, and jobs, summaries, failures, receipts, alerts")
        case "source":
            out(f"publish    {topics.pixels(name)}")
            out(f"subscribe  {topics.answers(name)}, {topics.predictions(name)}, {topics.receipts(name)}")
        case "reviewer":
            out(f"publish    {topics.reviews()}")
            out(f"subscribe  {topics.corrections()}")
    out("how        docs/how-to/connect-other-programs.md")


@group.command(name="list")
def list_(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show every client and its role; passwords are nowhere to be seen."""
    clients = read_clients(_managed(as_owner(context)).paths.state)
    if as_json:
        rows = [{"name": one.name, "role": one.role, "added_at": one.added_at} for one in clients]
        typer.echo(json.dumps({"clients": rows}, indent=2, ensure_ascii=False))
    elif clients:
        table(("client", "role", "added"), [(one.name, one.role, one.added_at) for one in clients])
    else:
        answers().print("no client; ./tailorbird client add NAME --role reader|source|reviewer")


@group.command()
def revoke(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `client list` shows it.")],
) -> None:
    """Take an account away; a broker that runs cuts its connections off at once."""
    from broker.access import revoke_client
    from broker.reloading import reload_broker

    settings = _managed(as_owner(context))
    gone = revoke_client(settings, name)
    answers().print(_revoked(gone, reload_broker(settings)))


def _revoked(gone: ClientAccount, told: "Reload") -> str:
    if told == "reloaded":
        return f"{gone.name} ({gone.role}) is revoked, and the running broker was told to cut it off"
    return f"{gone.name} ({gone.role}) is revoked; no broker runs here now"


def _managed(settings: Settings) -> Settings:
    if not settings.broker.manage:
        raise CannotRun(
            "[broker] manage is false: the accounts of another broker are made there; what each may do"
            " stands in docs/reference/topics.md"
        )
    return settings
