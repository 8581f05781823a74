"""What `doctor` sees of who may write, or read, the clients' accounts, the database and the inbox."""

import stat
from collections.abc import Iterator
from pathlib import Path

from broker.client_accounts import FILE, check_clients, read_clients
from broker.errors import BrokerProblem, SettingsError
from broker.listeners import is_local
from broker.settings import Settings
from cli.doctor_files import database_file
from cli.finding import Finding, bad, ok, warn
from cli.mending import set_to
from dashboard.accounts import FILE as PAGE_FILE
from dashboard.accounts import read_accounts
from dashboard.place import has_tls
from dashboard.roles import Role
from store.backups import SIDES

PRIVATE = 0o600
OTHERS_READ, OTHERS_WRITE = 0o004, 0o002


def clients(settings: Settings) -> Iterator[Finding]:
    """Say whether the file of client accounts can be read, and only its owner may write it."""
    file = settings.paths.state / FILE
    if not file.exists():
        return
    yield from _private(file, "clients")
    try:
        found = read_clients(settings.paths.state)
        check_clients(settings, found)
    except BrokerProblem as problem:
        advice = (
            "put it back from a copy, or move it away and add every client again: ./tailorbird client add"
        )
        yield bad("clients", str(problem), "" if "client revoke" in str(problem) else advice)
    else:
        yield ok("clients", f"{len(found)} programs outside have an account")


def accounts(settings: Settings) -> Iterator[Finding]:
    """Say who may look at the page, and whether only its owner may write the file of accounts."""
    page, file = settings.dashboard, settings.paths.state / PAGE_FILE
    if not page.enabled or not page.port:
        return
    yield from _private(file, "page")
    try:
        found = read_accounts(settings.paths.state)
    except SettingsError as error:
        yield bad("page", str(error), "put it back from a copy, or move it away and add every account again")
        return
    add = "./tailorbird account add NAME --role admin"
    if not found and not is_local(page.host):
        yield bad("page", f"no account, and [dashboard] host is {page.host}: the page does not start", add)
    elif not found:
        yield ok("page", f"no accounts: whoever has a login on this machine may look and change ({add})")
    elif not any(one.person.role == Role.ADMIN for one in found):
        yield warn(
            "page", f"{len(found)} accounts, none of an admin", "./tailorbird account role NAME --role admin"
        )
    else:
        yield ok("page", f"{len(found)} accounts, {'https' if has_tls(page) else 'http'}")
    if not is_local(page.host) and not has_tls(page):
        yield warn("page", f"passwords travel to {page.host} for all to read", '[dashboard] tls = "auto"')


def _private(file: Path, about: str) -> Iterator[Finding]:
    """Yield a finding where others may read or write a file of accounts."""
    mode = _mode(file)
    if mode is not None and mode & 0o077:
        what = "others may make themselves accounts" if mode & 0o022 else "others may read the hashes"
        said = f"{file} has mode {mode:o}: {what}"
        yield (bad if mode & 0o022 else warn)(about, said, f"chmod 600 {file}", set_to(file, PRIVATE))


def rights(settings: Settings) -> Iterator[Finding]:
    """Say where anybody of this machine may read or write what is the services' and the clerks'."""
    path = database_file(settings)
    if path is not None:
        for side in ("", *SIDES):
            yield from _open_to_others(path.with_name(path.name + side), readable=True)
    yield from _open_to_others(settings.paths.state, readable=False)
    yield from _open_to_others(settings.ingest_agent.inbox, readable=False)


def _open_to_others(path: Path, *, readable: bool) -> Iterator[Finding]:
    """Yield a finding; nothing where a folder above keeps others out."""
    mode = _mode(path)
    if mode is None or not _within_reach(path):
        return
    if mode & OTHERS_WRITE:
        fixed = mode & ~(OTHERS_WRITE | (OTHERS_READ if readable else 0))
        said = f"{path} has mode {mode:o}: anybody may write there"
        yield bad("rights", said, f"chmod {fixed:o} {path}; share it by a group", set_to(path, fixed))
    elif readable and mode & OTHERS_READ:
        said = f"{path} has mode {mode:o}: anybody may read it"
        yield warn("rights", said, f"chmod {mode & ~OTHERS_READ:o} {path}", set_to(path, mode & ~OTHERS_READ))


def _mode(path: Path) -> int | None:
    """Return a path's own mode, None where there is none; a link's own says nothing."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return None if stat.S_ISLNK(found.st_mode) else stat.S_IMODE(found.st_mode)


def _within_reach(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.absolute().parents)
