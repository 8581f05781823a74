"""Who may connect to the managed broker: its passwords and its rights, and programs outside that come and go.

    password = add_client(settings, "till-1", "source")

The files are for the next start, or for `broker.reloading.reload_broker` to tell to a broker that runs.
"""

import contextlib
import secrets
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from broker.client_accounts import (
    ClientAccount,
    Role,
    check_clients,
    new_client,
    read_clients,
    write_clients,
    wrong_name,
)
from broker.credentials import PASSWORD_CHARS, Credentials, make_credentials
from broker.errors import BrokerProblem
from broker.mosquitto_program import TRIES_S, broker_folder, find_mosquitto
from broker.mosquitto_rights import access_list
from broker.private_files import alone, make_private_folder, write_private
from broker.settings import Settings


def write_access(settings: Settings) -> None:
    """Write passwords and rights anew, for the services and for every client; before the broker starts.

    The services' accounts are made at the first start and kept.
    """
    folder = broker_folder(settings)
    with _alone(settings):
        clients = read_clients(settings.paths.state)
        check_clients(settings, clients)
        services = hashed(make_credentials(settings.broker.credentials).values())
        write_private(folder / "passwords", _lines(services, clients))
        write_private(folder / "rights", access_list(settings, clients))


def add_client(settings: Settings, name: str, role: Role) -> str:
    """Add a program outside and return its password, of which only the hash is kept. Raises BrokerProblem."""
    if wrong := wrong_name(settings, name):
        raise BrokerProblem(f"{name!r} cannot be a client: {wrong}")
    with _alone(settings):
        clients = read_clients(settings.paths.state)
        if any(one.name == name for one in clients):
            raise BrokerProblem(
                f"there is a client {name} already; for a new password: ./tailorbird client revoke {name},"
                " then add it again"
            )
        made = Credentials(name, secrets.token_urlsafe(PASSWORD_CHARS)[:PASSWORD_CHARS])
        added = new_client(name, role, hashed([made])[name])
        _change(settings, clients, (*clients, added))
    return made.password


def revoke_client(settings: Settings, name: str) -> ClientAccount:
    """Take a client's account away and return what it was. Raises BrokerProblem when there is none."""
    with _alone(settings):
        clients = read_clients(settings.paths.state)
        gone = [one for one in clients if one.name == name]
        if not gone:
            names = ", ".join(one.name for one in clients)
            raise BrokerProblem(f"there is no client {name!r}; there are {names or 'none'}")
        _change(settings, clients, tuple(one for one in clients if one.name != name))
    return gone[0]


def _change(settings: Settings, before: tuple[ClientAccount, ...], after: tuple[ClientAccount, ...]) -> None:
    """Write the clients, then the broker's files where it has some: the services' hashes stay as they are.

    Rights come before passwords for one who comes, and the account is gone with its rights for one who goes;
    the broker reads both at once, when it is told to.
    """
    write_clients(settings.paths.state, after)
    folder = broker_folder(settings)
    passwords = folder / "passwords"
    if not passwords.exists():  # no broker has started yet; the first start writes both
        return
    names = {one.name for one in before}
    lines = [line.partition(":") for line in passwords.read_text("utf-8").splitlines()]
    services = {user: kept for user, _, kept in lines if user not in names}
    write_private(folder / "rights", access_list(settings, after))
    write_private(passwords, _lines(services, after))


def _lines(services: Mapping[str, str], clients: Collection[ClientAccount]) -> str:
    every = {**services, **{one.name: one.hash for one in clients}}
    return "".join(f"{user}:{kept}\n" for user, kept in every.items())


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Keep two commands from writing at once. Raises BrokerProblem for what cannot be read or written."""
    folder = broker_folder(settings)
    try:
        make_private_folder(folder)
        with alone(folder / "access.lock"):
            yield
    except OSError as error:
        raise BrokerProblem(
            f"{error.filename or folder}: {error.strerror}; nothing else was changed"
        ) from error


def hashed(accounts: Collection[Credentials]) -> dict[str, str]:
    """Return the PBKDF2 hashes that Mosquitto makes, by user; through a file, since `ps` shows arguments."""
    program = find_mosquitto("mosquitto_passwd")
    with tempfile.TemporaryDirectory() as folder:  # which only its owner may enter
        file = Path(folder) / "passwords"
        write_private(file, "".join(f"{one.user}:{one.password}\n" for one in accounts))
        done = subprocess.run(  # noqa: S603 - the program that was found
            [program, "-U", file], capture_output=True, text=True, timeout=TRIES_S, check=False
        )
        if done.returncode != 0:
            raise BrokerProblem(f"{program} failed: {' '.join((done.stderr or done.stdout).split())}")
        lines = [line.partition(":") for line in file.read_text("utf-8").splitlines()]
    return {user: kept for user, _, kept in lines}
