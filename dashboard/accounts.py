"""The page's accounts: a private file of the state, which the commands write and the page reads anew.

The file holds names, roles and hashes. Nothing here needs the page itself, so that commands may use it.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from broker.errors import SettingsError
from broker.private_files import alone, write_private
from dashboard.passwords import hashed, wrong_password
from dashboard.roles import ROLES, Person, Role

FILE = "page-accounts.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
FIELDS = {"name", "role", "hash", "added_at"}
Stamp = tuple[int, int, int]
"""What changes whenever the file is replaced."""


@dataclass(frozen=True)
class Account:
    """One account. `role` is a word of ROLES, `hash` the password's."""

    name: str
    role: str
    hash: str
    added_at: str

    @property
    def person(self) -> Person:
        """Who signs in with it."""
        return Person(self.name, ROLES[self.role])


def read_accounts(state: Path) -> tuple[Account, ...]:
    """Return every account, by name; none where there is no file. Raises SettingsError when it is no use."""
    file = state / FILE
    try:
        found = tuple(_account(one) for one in _list(json.loads(file.read_bytes())))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise SettingsError(f"{file}: is no list of accounts: {error}") from error
    if len({one.name.casefold() for one in found}) < len(found):
        raise SettingsError(f"{file}: is no list of accounts: a name stands there twice")
    return tuple(sorted(found, key=lambda one: one.name))


def _list(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise TypeError("expected a list")
    return found


def _account(found: Any) -> Account:
    """Return an account. Raises TypeError and ValueError where it is none."""
    if not isinstance(found, dict) or set(found) != FIELDS:
        raise TypeError(f"expected {', '.join(sorted(FIELDS))} of each")
    if not all(isinstance(value, str) for value in found.values()):
        raise TypeError("expected text in each field")
    made = Account(**found)
    if not NAME.fullmatch(made.name) or made.role not in ROLES or not made.hash.startswith("$argon2id$"):
        raise ValueError(f"{made.name!r} is not as ./tailorbird account writes it")
    return made


def add_account(state: Path, name: str, role: Role, password: str) -> None:
    """Add an account. Raises SettingsError when the name or the password cannot be."""
    if not NAME.fullmatch(name):
        raise SettingsError(
            "an account's name has 1 to 64 of A-Z a-z 0-9 . _ @ -, the first a letter or a digit"
        )
    _check(password, name)
    with alone(_lock(state)):
        there = read_accounts(state)
        if like := [one.name for one in there if one.name.casefold() == name.casefold()]:
            raise SettingsError(f"there is an account {like[0]} already")
        added_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        _write(state, [*there, Account(name, role.word, hashed(password), added_at)])


def change_account(state: Path, name: str, *, role: Role | None = None, password: str | None = None) -> None:
    """Give an account another role or password. Raises SettingsError when there is none."""
    if password is not None:
        _check(password, name)
    with alone(_lock(state)):
        there = {one.name: one for one in read_accounts(state)}
        old = _of(there, name)
        there[name] = replace(
            old,
            role=old.role if role is None else role.word,
            hash=old.hash if password is None else hashed(password),
        )
        _write(state, list(there.values()))


def remove_account(state: Path, name: str) -> tuple[Account, ...]:
    """Take an account away, and return those that are left. Raises SettingsError when there is none."""
    with alone(_lock(state)):
        there = {one.name: one for one in read_accounts(state)}
        _of(there, name)
        del there[name]
        _write(state, list(there.values()))
        return tuple(there.values())


def _of(there: dict[str, Account], name: str) -> Account:
    if name not in there:
        raise SettingsError(f"there is no account {name}; ./tailorbird account list shows them")
    return there[name]


def _check(password: str, name: str) -> None:
    if wrong := wrong_password(password, name):
        raise SettingsError(wrong)


def _lock(state: Path) -> Path:
    return state / f".{FILE}.lock"


def _write(state: Path, accounts: Sequence[Account]) -> None:
    text = json.dumps([asdict(one) for one in sorted(accounts, key=lambda one: one.name)], indent=2)
    write_private(state / FILE, text + "\n")


@dataclass(frozen=True)
class _Known:
    """What a look at the file found: `wrong` says why it is no use."""

    seen: Stamp | None
    found: dict[str, Account]
    wrong: SettingsError | None = None


class Accounts:
    """The accounts as they are now: the file is read again when it is another one."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._known: _Known | None = None

    def now(self) -> dict[str, Account]:
        """Return the accounts by name. Raises SettingsError while the file is no use.

        Threads may ask at once: what is known changes in one step, so that none sees less than there is.
        """
        seen, known = self._look(), self._known
        if known is None or seen != known.seen or known.wrong is not None:
            known = self._known = self._read(seen)
        if known.wrong is not None:
            raise known.wrong
        return known.found

    def _read(self, seen: Stamp | None) -> _Known:
        try:
            return _Known(seen, {one.name: one for one in read_accounts(self._state)})
        except SettingsError as error:
            return _Known(seen, {}, error)

    def _look(self) -> Stamp | None:
        """Return what changes whenever the file is replaced, None where there is none."""
        try:
            found = (self._state / FILE).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
