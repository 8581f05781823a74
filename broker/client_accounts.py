"""Accounts of programs outside: who they are, and the hash of each one's password.

They stand in `<state>/clients.json`, from which the broker's own files are written at each start.
"""

from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec

from broker.credentials import ACCOUNTS
from broker.errors import BrokerProblem
from broker.messages import now
from broker.private_files import write_private
from broker.setting_words import NAMES
from broker.settings import NAME_PATTERN, Settings

Role = Literal["reader", "source", "reviewer"]
ROLES: tuple[Role, ...] = get_args(Role)
FILE = "clients.json"


class ClientAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One program outside. `hash` is its password's, in the form of Mosquitto's password file."""

    name: Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
    role: Role
    hash: Annotated[str, msgspec.Meta(pattern=r"^\$[!-~]+\Z")]
    added_at: str


def read_clients(state: Path) -> tuple[ClientAccount, ...]:
    """Return every client, by name; none where there is no file. Raises BrokerProblem when it is no use."""
    file = state / FILE
    try:
        found = msgspec.json.decode(file.read_bytes(), type=tuple[ClientAccount, ...])
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise BrokerProblem(f"{file}: cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise BrokerProblem(f"{file}: is no list of clients: {error}") from error
    return tuple(sorted(found, key=lambda one: one.name))


def write_clients(state: Path, clients: tuple[ClientAccount, ...]) -> None:
    """Write the file anew."""
    write_private(state / FILE, msgspec.json.format(msgspec.json.encode(clients), indent=2) + b"\n")


def new_client(name: str, role: Role, hashed: str) -> ClientAccount:
    """Return a client that was added now."""
    return ClientAccount(name=name, role=role, hash=hashed, added_at=now())


def check_clients(settings: Settings, clients: tuple[ClientAccount, ...]) -> None:
    """Raise BrokerProblem where a client of today has a name that the configuration has given away since."""
    for one in clients:
        if wrong := wrong_name(settings, one.name):
            raise BrokerProblem(f"the client {one.name}: {wrong}; ./tailorbird client revoke {one.name}")


def wrong_name(settings: Settings, name: str) -> str:
    """Return why a name cannot be a client's; "" if it can."""
    if name in ACCOUNTS:
        return "the name is an account of Tailorbird's own"
    if name == settings.ingest_agent.source:
        return "the name is this machine's own source ([ingest_agent] source)"
    try:
        msgspec.convert(name, ClientAccount.__annotations__["name"])
    except msgspec.ValidationError:
        return f"expected {NAMES[NAME_PATTERN]}"
    return ""
