"""Accounts at the broker: one file each, mode 0600, one line `user:password`."""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from broker.errors import SettingsError

ACCOUNTS = ("ingest_agent", "predictor_service", "store", "reader", "client", "reviewer")
PASSWORD_CHARS = 32


@dataclass(frozen=True)
class Credentials:
    """A user name and its password."""

    user: str
    password: str = field(repr=False)


def read_credentials(folder: Path, account: str) -> Credentials | None:
    """Return an account's credentials; None where there is no file, for brokers without accounts.

    Raises SettingsError when the file is there and cannot be used.
    """
    file = folder / account
    try:
        text = file.read_text("utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read: {error}") from error
    user, colon, password = text.partition(":")
    if not (user and colon and password) or "\n" in text:
        raise SettingsError(f"{file}: expected one line user:password")
    return Credentials(user, password)


def make_credentials(folder: Path) -> dict[str, Credentials]:
    """Return every account's credentials, making those that have none yet; they are made once and kept."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return {account: read_credentials(folder, account) or _make(folder, account) for account in ACCOUNTS}


def _make(folder: Path, account: str) -> Credentials:
    made = Credentials(account, secrets.token_urlsafe(PASSWORD_CHARS)[:PASSWORD_CHARS])
    file = os.open(folder / account, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as opened:
        opened.write(f"{made.user}:{made.password}\n")
    return made
