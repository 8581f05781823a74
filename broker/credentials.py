"""Accounts at the broker: one file each, mode 0600, one line `user:password`.

Under systemd the files are root's, and the unit's LoadCredential= hands each service its own
(https://systemd.io/CREDENTIALS/); what was handed over is read first.
"""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from broker.errors import SettingsError

ACCOUNTS = ("ingest_agent", "predictor_service", "store", "reader", "client", "reviewer", "dashboard")
PASSWORD_CHARS = 32
HANDED_OVER = "CREDENTIALS_DIRECTORY"
"""The variable by which systemd names the folder of what it handed over: a place, never a password."""


@dataclass(frozen=True)
class Credentials:
    """A user name and its password."""

    user: str
    password: str = field(repr=False)


def read_credentials(folder: Path, account: str) -> Credentials | None:
    """Return an account's credentials; None where there is no file, for brokers without accounts.

    A file that systemd handed over comes before the folder's; an empty one says that there is no account.
    Raises SettingsError when the file is there and cannot be used.
    """
    handed = _handed_over(account)
    file = handed or folder / account
    try:
        text = file.read_text("utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read: {error}") from error
    if handed is not None and not text:
        return None
    user, colon, password = text.partition(":")
    if not (user and colon and password) or "\n" in text:
        raise SettingsError(f"{file}: expected one line user:password")
    return Credentials(user, password)


def make_credentials(folder: Path) -> dict[str, Credentials]:
    """Return every account's credentials, making those that have none yet; they are made once and kept.

    The folder is left alone where systemd handed over all of them. Raises SettingsError where it handed over
    an empty one: a broker of ours needs them all, and who hands them over makes them.
    """
    if not all(_handed_over(account) for account in ACCOUNTS):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    return {account: read_credentials(folder, account) or _make(folder, account) for account in ACCOUNTS}


def _handed_over(account: str) -> Path | None:
    folder = os.environ.get(HANDED_OVER)
    file = Path(folder, account) if folder else None
    return file if file is not None and file.is_file() else None


def _make(folder: Path, account: str) -> Credentials:
    if (handed := _handed_over(account)) is not None:
        raise SettingsError(
            f"{handed}: is empty: type `sudo ./tailorbird install`, which makes {account}'s password"
        )
    made = Credentials(account, secrets.token_urlsafe(PASSWORD_CHARS)[:PASSWORD_CHARS])
    file = os.open(folder / account, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as opened:
        opened.write(f"{made.user}:{made.password}\n")
    return made
