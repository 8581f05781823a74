"""`account add`, `list`, `password`, `role` and `remove`: who may sign in at the page."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from broker.listeners import is_local
from broker.private_files import make_private_folder
from broker.settings import Settings
from cli.errors import CannotRun
from cli.ownership import as_owner
from cli.screen import answers, say, table

MOST_READ = 4096

RoleName = Literal["viewer", "reviewer", "admin"]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
RoleOption = Annotated[RoleName, typer.Option("--role", help="What it may do.")]

group = typer.Typer(
    help="Let people sign in at the page, each with an account of their own.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="account")


@group.command()
def add(context: typer.Context, name: Name, role: RoleOption) -> None:
    """Make an account. The password is asked for twice, or read from stdin.

    A viewer looks. A reviewer also reviews and drops photos. An admin also promotes models. With the first
    account everybody has to sign in; a page that runs knows it at once.
    """
    from dashboard.accounts import add_account
    from dashboard.roles import ROLES

    settings = as_owner(context)
    add_account(_state(settings), name, ROLES[role], _password())
    answers().print(f"{name} ({role}) may sign in; a page that runs knows it already")


@group.command(name="list")
def list_(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show every account and its role; passwords are nowhere to be seen."""
    from dashboard.accounts import read_accounts

    found = read_accounts(as_owner(context).paths.state)
    if as_json:
        rows = [{"name": one.name, "role": one.role, "added_at": one.added_at} for one in found]
        typer.echo(json.dumps({"accounts": rows}, indent=2, ensure_ascii=False))
    elif found:
        table(("account", "role", "added"), [(one.name, one.role, one.added_at) for one in found])
    else:
        answers().print("no account; ./tailorbird account add NAME --role admin")


@group.command()
def password(context: typer.Context, name: Name) -> None:
    """Give an account another password, and sign it out everywhere."""
    from dashboard.accounts import change_account

    settings = as_owner(context)
    change_account(_state(settings), name, password=_password())
    answers().print(f"{name} has another password, and is signed out everywhere")


@group.command()
def role(context: typer.Context, name: Name, role: RoleOption) -> None:
    """Give an account another role, and sign it out everywhere."""
    from dashboard.accounts import change_account
    from dashboard.roles import ROLES

    settings = as_owner(context)
    change_account(_state(settings), name, role=ROLES[role])
    answers().print(f"{name} is {role} from now on, and is signed out everywhere")


@group.command()
def remove(context: typer.Context, name: Name) -> None:
    """Take an account away, and sign it out everywhere."""
    from dashboard.accounts import remove_account

    settings = as_owner(context)
    left = remove_account(_state(settings), name)
    answers().print(f"{name} is gone, and is signed out everywhere")
    if left and not any(one.role == "admin" for one in left):
        say("no admin is left: ./tailorbird account role NAME --role admin")
    elif not left and is_local(settings.dashboard.host):
        say("no account is left: whoever has a login on this machine may look at the page, and change things")
    elif not left:
        say("no account is left: the page lets nobody in until there is one")


def _state(settings: Settings) -> Path:
    """Return the state's folder, which is there from now on."""
    state = settings.paths.state
    if not state.is_dir():
        make_private_folder(state, 0o750)
    return state


def _password() -> str:
    """Ask for a password twice, or read one line of stdin. Raises CannotRun where nothing comes."""
    if sys.stdin.isatty():
        asked: str = typer.prompt("Password", hide_input=True, confirmation_prompt="Once more", err=True)
        return asked
    read = sys.stdin.readline(MOST_READ).rstrip("\r\n")
    if not read:
        raise CannotRun("no password came on stdin: type the command on a terminal, or pipe one line in")
    return read
